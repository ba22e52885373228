package schematron_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
	"github.com/viadukt-eu/viadukt/xmlcore/schematron"
	"github.com/viadukt-eu/viadukt/xmlcore/xpath"
)

// schema wraps the inside of a schema.
func schema(inner string) string {
	return `<schema xmlns="http://purl.oclc.org/dsdl/schematron" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:f="urn:f" queryBinding="xslt2">
<ns prefix="o" uri="urn:order"/><ns prefix="f" uri="urn:f"/><ns prefix="xs" uri="http://www.w3.org/2001/XMLSchema"/>` + inner + `</schema>`
}

func disk(main string, more ...string) fstest.MapFS {
	m := fstest.MapFS{"main.sch": {Data: []byte(main)}}
	for i := 0; i < len(more); i += 2 {
		m[more[i]] = &fstest.MapFile{Data: []byte(more[i+1])}
	}
	return m
}

func parse(tb testing.TB, s string) *dom.Document {
	tb.Helper()
	d, err := dom.Parse([]byte(s), dom.Limits{})
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

const orders = `<order xmlns="urn:order" id="7"><line n="1"><qty>2</qty><code>A</code></line><line n="2"><qty>0</qty><code>B</code></line><!--end--></order>`

// told writes findings as id@location text, errors as !code.
func told(r *schematron.Result) string {
	var out []string
	for i := range r.Findings {
		f := &r.Findings[i]
		s := f.ID
		if m := f.Message(); m != "" {
			s += "(" + m + ")"
		}
		out = append(out, s)
	}
	for _, e := range r.Errors {
		var x *xpath.Error
		errors.As(e.Err, &x)
		out = append(out, "!"+x.Code.String())
	}
	return strings.Join(out, " ")
}

func TestRulesAreAppliedAsTheStandardSays(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, schema string
		opt          schematron.Options
		more         []string
		want         string
	}{
		{"an assertion fails, a report is made", `<pattern><rule context="o:line"><assert id="a" test="o:qty &gt; 0"/><report id="r" test="o:code = 'A'"/></rule></pattern>`, schematron.Options{}, nil, "r a"},
		{"the first rule of a pattern that matches decides, patterns are independent", `<pattern><rule context="o:line[@n = '1']"><report id="first" test="true()"/></rule><rule context="o:*[@n]"><report id="second" test="true()"/></rule></pattern><pattern><rule context="o:line"><report id="other" test="@n = '1'"/></rule></pattern>`, schematron.Options{}, nil, "first other second"},
		{"a rule with a wildcard before one with a name comes first", `<pattern><rule context="*"><report id="any" test="self::o:qty"/></rule><rule context="o:qty"><report id="never" test="true()"/></rule></pattern>`, schematron.Options{}, nil, "any any"},
		{"contexts may be attributes, texts, comments and the document", `<pattern><rule context="@n"><report id="n" test=". = '2'"/></rule><rule context="/"><report id="root" test="o:order"/></rule><rule context="comment()"><report id="comment" test="true()"/></rule><rule context="o:code/text()"><report id="text" test=". = 'B'"/></rule></pattern>`, schematron.Options{}, nil, "root n text comment"},
		{"values and names are filled in", `<pattern><rule context="o:line"><assert id="a" test="o:qty &gt; 0"><name/> of <name path=".."/> has <emph>the <value-of select="o:qty"/></emph></assert></rule></pattern>`, schematron.Options{}, nil, "a(line of order has the 0)"},
		{"variables of schema, pattern and rule; the innermost counts", `<let name="x" value="1"/><let name="late" value="$x + 1"/><pattern><let name="x" value="$late * 10"/><rule context="o:line"><let name="y" value="$x + number(@n)"/><report id="r" test="$y = 22"><value-of select="$y"/></report></rule></pattern>`, schematron.Options{}, nil, "r(22)"},
		{"a variable of one pattern is seen by another", `<pattern><let name="codes" value="('A', 'C')"/></pattern><pattern><rule context="o:code"><assert id="c" test=". = $codes"/></rule></pattern>`, schematron.Options{}, nil, "c"},
		{"a variable that is not asked for cannot do harm", `<let name="x" value="xs:date('no')"/><pattern><rule context="o:order"><report id="r" test="true()"/></rule></pattern>`, schematron.Options{}, nil, "r"},
		{"an assertion that cannot be evaluated is told and the others are asked", `<pattern><rule context="o:order"><assert id="x" test="xs:date(@id) = current-date()"/><report id="r" test="true()"/></rule></pattern>`, schematron.Options{}, nil, "r !err:FORG0001"},
		{"a variable that needs itself", `<let name="a" value="$b"/><let name="b" value="$a"/><pattern><rule context="o:order"><assert id="x" test="$a"/></rule></pattern>`, schematron.Options{}, nil, "!err:XTDE0640"},
		{"abstract rules are extended in place", `<pattern><rule abstract="true" id="base"><let name="q" value="o:qty"/><assert id="base" test="$q &gt; 0"/></rule><rule context="o:line"><extends rule="base"/><report id="own" test="$q = 0"/></rule></pattern>`, schematron.Options{}, nil, "base own"},
		{"abstract patterns are filled with parameters, the longest name first", `<pattern abstract="true" id="p"><rule context="$ctx"><assert id="$ctx-long" test="$ctxtest">$ctx <value-of select="$ctxtest"/></assert></rule></pattern><pattern is-a="p"><param name="ctx" value="o:qty"/><param name="ctxtest" value=". &gt; 0"/></pattern>`, schematron.Options{}, nil, "o:qty-long(o:qty false)"},
		{"includes replace themselves, also by a part of a file", `<include href="sub/patterns.sch"/><include href="parts.xml#two"/>`, schematron.Options{}, []string{"sub/patterns.sch", `<pattern xmlns="http://purl.oclc.org/dsdl/schematron"><include href="rule.sch"/></pattern>`, "sub/rule.sch", `<rule xmlns="http://purl.oclc.org/dsdl/schematron" context="*:qty"><assert id="in" test=". &gt; 0"/></rule>`, "parts.xml", `<all xmlns="http://purl.oclc.org/dsdl/schematron"><pattern id="one"><rule context="*"><report id="no" test="true()"/></rule></pattern><pattern id="two"><rule context="*:order"><report id="yes" test="true()"/></rule></pattern></all>`}, "yes in"},
		{"a phase runs its patterns with its variables", `<phase id="quick"><let name="who" value="'me'"/><active pattern="b"/></phase><pattern id="a"><rule context="o:order"><report id="a" test="true()"/></rule></pattern><pattern id="b"><rule context="o:order"><report id="b" test="true()"><value-of select="$who"/></report></rule></pattern>`, schematron.Options{Phase: "quick"}, nil, "b(me)"},
		{"keys find nodes by value", `<xsl:key name="byCode" match="o:line" use="o:code"/><pattern><rule context="o:order"><report id="k" test="key('byCode', 'B')/@n = '2' and count(key('byCode', ('A', 'B'))) = 2 and empty(key('byCode', 'C'))"/></rule></pattern>`, schematron.Options{}, nil, "k"},
		{"documents are those of the rules", `<pattern><rule context="o:code"><assert id="d" test=". = document('codes.xml')/codes/c"/></rule></pattern>`, schematron.Options{}, []string{"codes.xml", `<codes><c>A</c></codes>`}, "d"},
		{"no document is fetched", `<pattern><rule context="o:order"><assert id="d" test="document('https://example.com/x.xml')"/></rule></pattern>`, schematron.Options{}, nil, "!err:FODC0002"},
		{"current() is the node of the rule", `<pattern><rule context="o:line"><report id="c" test="../o:line[@n = current()/@n + 1]"/></rule></pattern>`, schematron.Options{}, nil, "c"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, err := schematron.Compile(disk(schema(c.schema), c.more...), "main.sch", c.opt)
			if err != nil {
				t.Fatal(err)
			}
			r, err := s.Validate(context.Background(), parse(t, orders), schematron.ValidateOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if got := told(r); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
			if r.Valid() == (c.want != "") && len(r.Errors) > 0 {
				t.Error("a document with rules that cannot be evaluated is called valid")
			}
		})
	}
}

func TestFunctionsAreWrittenInXSLT(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, functions, test string }{
		{"parameters, variables and a sequence", `<xsl:function name="f:x" as="xs:integer"><xsl:param name="a" as="xs:string"/><xsl:variable name="n" select="xs:integer($a)"/><xsl:sequence select="$n * 2"/></xsl:function>`, "f:x(@id) = 14"},
		{"value-of gives text that is cast to the result's type", `<xsl:function name="f:x" as="xs:boolean"><xsl:param name="a"/><xsl:value-of select="$a = '7'"/></xsl:function>`, "f:x(@id)"},
		{"choose, when and otherwise", `<xsl:function name="f:x"><xsl:param name="a"/><xsl:choose><xsl:when test="$a = '1'"><xsl:sequence select="'one'"/></xsl:when><xsl:when test="$a = '7'"><xsl:sequence select="'seven'"/></xsl:when><xsl:otherwise>many</xsl:otherwise></xsl:choose></xsl:function>`, "f:x('7') = 'seven' and f:x('9') = 'many'"},
		{"functions call each other and themselves", `<xsl:function name="f:x" as="xs:integer"><xsl:param name="n" as="xs:integer"/><xsl:sequence select="if ($n le 0) then f:zero() else $n + f:x($n - 1)"/></xsl:function><xsl:function name="f:zero"><xsl:sequence select="0"/></xsl:function>`, "f:x(10) = 55"},
		{"for-each with position, and a variable with content is a text", `<xsl:function name="f:x"><xsl:param name="s"/><xsl:variable name="v"><xsl:for-each select="$s"><xsl:value-of select="concat(position(), .)"/></xsl:for-each></xsl:variable><xsl:sequence select="$v"/></xsl:function>`, "f:x(('a', 'b')) = '1a2b'"},
		{"a table in a variable", `<xsl:function name="f:x"><xsl:param name="c"/><xsl:variable name="t"><t xmlns=""><e c="A" v="1"/><e c="B" v="2"/></t></xsl:variable><xsl:sequence select="$t/t/e[@c = $c]/@v"/></xsl:function>`, "f:x('B') = '2'"},
		{"global variables are seen in functions", `<let name="base" value="100"/><xsl:function name="f:x"><xsl:param name="n"/><xsl:sequence select="$base + $n"/></xsl:function>`, "f:x(1) = 101"},
		{"if, and messages are passed over", `<xsl:function name="f:x"><xsl:param name="n"/><xsl:message>hello</xsl:message><xsl:if test="$n"><xsl:sequence select="'y'"/></xsl:if></xsl:function>`, "f:x(1) = 'y' and empty(f:x(0))"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, err := schematron.Compile(disk(schema(c.functions+`<pattern><rule context="o:order"><assert id="x" test="`+c.test+`"/></rule></pattern>`)), "main.sch", schematron.Options{})
			if err != nil {
				t.Fatal(err)
			}
			r, err := s.Validate(context.Background(), parse(t, orders), schematron.ValidateOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if got := told(r); got != "" || r.Rules != 1 {
				t.Errorf("%s, %v, %d rules", got, r.Errors, r.Rules)
			}
		})
	}
}

func TestWrongSchemasAreRefusedWithThePlace(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, schema, says string
		more               []string
	}{
		{"an expression with an error", `<pattern><rule context="o:a"><assert test="1 +"/></rule></pattern>`, "main.sch:2:", nil},
		{"a prefix that is not declared", `<pattern><rule context="q:a"><assert test="1"/></rule></pattern>`, "XPST0081", nil},
		{"a function that there is not", `<pattern><rule context="o:a"><assert test="f:no()"/></rule></pattern>`, "XPST0017", nil},
		{"an abstract pattern that there is not", `<pattern is-a="no"/>`, "names no abstract pattern", nil},
		{"an abstract rule that there is not", `<pattern><rule context="o:a"><extends rule="no"/></rule></pattern>`, "which there is not", nil},
		{"a rule that extends itself", `<pattern><rule abstract="true" id="r"><extends rule="r"/></rule><rule context="o:a"><extends rule="r"/></rule></pattern>`, "extends itself", nil},
		{"a rule without context", `<pattern><rule><assert test="1"/></rule></pattern>`, "needs a context", nil},
		{"a phase of a pattern that there is not", `<phase id="p"><active pattern="no"/></phase><pattern id="a"/>`, "which there is not", nil},
		{"two patterns with one id", `<pattern id="a"/><pattern id="a"/>`, "two patterns", nil},
		{"a file that includes itself", `<include href="main.sch"/><pattern/>`, "does the file include itself", nil},
		{"an include from the network", `<include href="https://example.com/x.sch"/><pattern/>`, "nothing is fetched", nil},
		{"an include above the rules", `<include href="../x.sch"/><pattern/>`, "invalid", nil},
		{"a diagnostic that there is not", `<pattern><rule context="o:a"><assert test="1" diagnostics="d"/></rule></pattern>`, "no diagnostic", nil},
		{"XSLT that does more than compute", `<xsl:template match="/"/><pattern/>`, "xsl:template is not supported", nil},
		{"what a later edition adds and would change verdicts", `<group/><pattern/>`, "edition of 2025", nil},
		{"nothing to judge by", ``, "no pattern", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := schematron.Compile(disk(schema(c.schema), c.more...), "main.sch", schematron.Options{})
			if !errors.Is(err, schematron.ErrSchema) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v", err)
			}
		})
	}
	if _, err := schematron.Compile(disk(schema(`<pattern/>`)), "main.sch", schematron.Options{Phase: "no"}); !errors.Is(err, schematron.ErrSchema) {
		t.Error("a phase that there is not:", err)
	}
}

func TestLevelsFollowFlagThenRole(t *testing.T) {
	t.Parallel()
	for attrs, want := range map[string]string{`flag="fatal"`: "fatal", `flag="warning"`: "warning", `role="WARN"`: "warning", `flag="information"`: "info", ``: "error", `flag="odd" role="warning"`: "error"} {
		s, err := schematron.Compile(disk(schema(`<pattern><rule context="o:order"><assert id="x" `+attrs+` test="false()"/></rule></pattern>`)), "main.sch", schematron.Options{})
		if err != nil {
			t.Fatal(err)
		}
		r, err := s.Validate(context.Background(), parse(t, orders), schematron.ValidateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Findings[0].Level().String(); got != want || r.Valid() != (want == "warning" || want == "info") {
			t.Errorf("%s: %s, valid %v", attrs, got, r.Valid())
		}
	}
}

func TestSVRLSaysWhatFired(t *testing.T) {
	t.Parallel()
	s, err := schematron.Compile(disk(schema(`<title>Orders</title><pattern id="p"><rule context="o:line" id="r"><assert id="a" flag="fatal" test="o:qty &gt; 0" diagnostics="d" properties="v">none in <value-of select="@n"/></assert></rule><rule context="@id"><report id="i" test="true()">id</report></rule></pattern><diagnostics><diagnostic id="d">line <value-of select="@n"/></diagnostic></diagnostics><properties><property id="v"><value-of select="o:code"/></property></properties>`)), "main.sch", schematron.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for style, want := range map[schematron.Style]string{
		schematron.Skeleton: `<svrl:active-pattern id="p"></svrl:active-pattern><svrl:fired-rule context="@id"></svrl:fired-rule><svrl:successful-report test="true()" id="i" location="/*:order[namespace-uri()='urn:order'][1]/@id"><svrl:text>id</svrl:text></svrl:successful-report><svrl:fired-rule id="r" context="o:line"></svrl:fired-rule><svrl:fired-rule id="r" context="o:line"></svrl:fired-rule><svrl:failed-assert test="o:qty > 0" id="a" flag="fatal" location="/*:order[namespace-uri()='urn:order'][1]/*:line[namespace-uri()='urn:order'][2]"><svrl:text>none in 2</svrl:text><svrl:diagnostic-reference diagnostic="d">line 2</svrl:diagnostic-reference><svrl:property-reference property="v">B</svrl:property-reference></svrl:failed-assert></svrl:schematron-output>`,
		schematron.EQName:   `location="/Q{urn:order}order[1]/Q{urn:order}line[2]"`,
	} {
		r, err := s.Validate(context.Background(), parse(t, orders), schematron.ValidateOptions{Trace: true})
		if err != nil {
			t.Fatal(err)
		}
		got := string(r.SVRL(style))
		if !strings.Contains(got, want) {
			t.Errorf("%s", got)
		}
		parse(t, got)
	}
}

// compiled is a style sheet in the form that the skeleton of ISO writes, and one as SchXslt writes it.
var compiled = map[string]string{
	"skeleton": `<xsl:stylesheet xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:svrl="http://purl.oclc.org/dsdl/svrl" xmlns:o="urn:order" version="2.0">
<xsl:template match="/"><svrl:schematron-output title="Orders" schemaVersion="1"><svrl:ns-prefix-in-attribute-values uri="urn:order" prefix="o"/><svrl:active-pattern/><xsl:apply-templates select="/" mode="M1"/></svrl:schematron-output></xsl:template>
<xsl:param name="least" select="1"/>
<xsl:template match="o:line" priority="1000" mode="M1"><svrl:fired-rule context="o:line"/><xsl:variable name="q" select="o:qty"/>
<xsl:choose><xsl:when test="$q &gt;= $least"/><xsl:otherwise><svrl:failed-assert test="$q &gt;= $least"><xsl:attribute name="id">a</xsl:attribute><xsl:attribute name="flag">fatal</xsl:attribute><xsl:attribute name="location"><xsl:apply-templates select="." mode="p"/></xsl:attribute><svrl:text>only <xsl:text/><xsl:value-of select="$q"/><xsl:text/></svrl:text></svrl:failed-assert></xsl:otherwise></xsl:choose>
<xsl:if test="o:code = 'A'"><svrl:successful-report test="o:code = 'A'"><xsl:attribute name="id">r</xsl:attribute><svrl:text>an A</svrl:text></svrl:successful-report></xsl:if>
<xsl:apply-templates select="*" mode="M1"/></xsl:template>
<xsl:template match="*[@n]" priority="999" mode="M1"><svrl:fired-rule context="*[@n]"/><xsl:if test="true()"><svrl:successful-report test="true()"><xsl:attribute name="id">never</xsl:attribute></svrl:successful-report></xsl:if></xsl:template>
<xsl:template match="text()" priority="-1" mode="M1"/></xsl:stylesheet>`,
	"schxslt": `<xsl:transform xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:svrl="http://purl.oclc.org/dsdl/svrl" xmlns:schxslt="https://doi.org/10.5281/zenodo.1495494" xmlns:o="urn:order" version="2.0">
<xsl:param name="least" select="1"/>
<xsl:template match="/"><svrl:schematron-output title="Orders"><svrl:ns-prefix-in-attribute-values prefix="o" uri="urn:order"/></svrl:schematron-output></xsl:template>
<xsl:template match="o:line" priority="1" mode="d7e4"><xsl:param name="schxslt:patterns-matched" as="xs:string*"/><xsl:variable name="q" select="o:qty"/>
<xsl:choose><xsl:when test="$schxslt:patterns-matched[. = 'd7e4']"><schxslt:rule pattern="d7e4"><svrl:suppressed-rule context="o:line"/></schxslt:rule></xsl:when><xsl:otherwise><schxslt:rule pattern="d7e4"><svrl:fired-rule><xsl:attribute name="context">o:line</xsl:attribute></svrl:fired-rule>
<xsl:if test="not($q &gt;= $least)"><svrl:failed-assert location="{schxslt:location(.)}"><xsl:attribute name="id">a</xsl:attribute><xsl:attribute name="flag">fatal</xsl:attribute><svrl:text>only <xsl:value-of select="$q"/></svrl:text></svrl:failed-assert></xsl:if>
<xsl:if test="o:code = 'A'"><svrl:successful-report location="{schxslt:location(.)}"><xsl:attribute name="id">r</xsl:attribute><svrl:text>an A</svrl:text></svrl:successful-report></xsl:if></schxslt:rule><xsl:next-match/></xsl:otherwise></xsl:choose></xsl:template></xsl:transform>`,
}

func TestRulesAreReadBackFromStyleSheets(t *testing.T) {
	t.Parallel()
	for name, sheet := range compiled {
		s, err := schematron.Compile(disk(sheet), "main.sch", schematron.Options{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		r, err := s.Validate(context.Background(), parse(t, orders), schematron.ValidateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if got := told(r); got != "r(an A) a(only 0)" || s.Title() != "Orders" {
			t.Errorf("%s: %s, %v", name, got, r.Errors)
		}
		for i := range r.Findings {
			if f := &r.Findings[i]; f.Report != (f.ID == "r") {
				t.Errorf("%s: %s is a report: %v", name, f.ID, f.Report)
			}
		}
	}
	other := `<xsl:stylesheet xmlns:xsl="http://www.w3.org/1999/XSL/Transform" version="1.0"><xsl:template match="/"><html/></xsl:template></xsl:stylesheet>`
	if _, err := schematron.Compile(disk(other), "main.sch", schematron.Options{}); !errors.Is(err, schematron.ErrSchema) {
		t.Error("any style sheet passes for rules:", err)
	}
}

func TestADocumentMayNotCostMoreThanAllowed(t *testing.T) {
	t.Parallel()
	s, err := schematron.Compile(disk(schema(`<xsl:function name="f:x"><xsl:param name="n"/><xsl:sequence select="f:x($n + 1)"/></xsl:function><pattern><rule context="o:order"><assert id="slow" test="every $a in 1 to 100000, $b in 1 to 100000 satisfies $a + $b &gt; 0"/></rule><rule context="o:line"><assert id="deep" test="f:x(1)"/></rule></pattern>`)), "main.sch", schematron.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Validate(context.Background(), parse(t, orders), schematron.ValidateOptions{Limits: xpath.Limits{Work: 100_000}}); !errors.Is(err, schematron.ErrLimit) {
		t.Error("work:", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.Validate(ctx, parse(t, orders), schematron.ValidateOptions{}); !errors.Is(err, context.Canceled) {
		t.Error("cancelled:", err)
	}
	if _, err := s.Validate(context.Background(), parse(t, `<line xmlns="urn:order"/>`), schematron.ValidateOptions{}); !errors.Is(err, schematron.ErrLimit) {
		t.Error("depth:", err)
	}
}

func TestFindingsAboveTheLimitAreCountedOnly(t *testing.T) {
	t.Parallel()
	s, err := schematron.Compile(disk(schema(`<pattern><rule context="o:line"><report id="w" flag="warning" test="true()"/><report id="e" test="@n = '2'"/></rule></pattern>`)), "main.sch", schematron.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Validate(context.Background(), parse(t, orders), schematron.ValidateOptions{MaxFindings: 1})
	if err != nil || len(r.Findings) != 1 || r.Omitted != 2 || r.Count(schematron.LevelError) != 1 || r.Valid() {
		t.Errorf("%+v %v", r, err)
	}
}

func TestAChainOfVariablesIsBounded(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for i := range 5_000 {
		fmt.Fprintf(&b, `<let name="v%d" value="$v%d"/>`, i, i+1)
	}
	s, err := schematron.Compile(disk(schema(b.String()+`<let name="v5000" value="1"/><pattern><rule context="o:order"><report id="r" test="$v0"/><report id="short" test="$v4000"/></rule></pattern>`)), "main.sch", schematron.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Validate(context.Background(), parse(t, orders), schematron.ValidateOptions{})
	if err != nil || told(r) != "short !err:XPDY0130" {
		t.Errorf("%s %v", told(r), err)
	}
}

// TestWorkersFindTheSameInTheSameOrder judges a large document by one goroutine and by several, several times at once.
func TestWorkersFindTheSameInTheSameOrder(t *testing.T) {
	t.Parallel()
	s, err := schematron.Compile(disk(schema(`<let name="all" value="count(//o:line)"/><pattern><rule context="o:line"><let name="q" value="number(o:qty)"/><assert id="a" test="$q mod 7 != 0"><value-of select="$q"/> of <value-of select="$all"/></assert></rule></pattern>`)), "main.sch", schematron.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString(`<order xmlns="urn:order">`)
	for i := range 50_000 {
		fmt.Fprintf(&b, "<line><qty>%d</qty></line>", i)
	}
	b.WriteString("</order>")
	d := parse(t, b.String())
	one, err := s.Validate(context.Background(), d, schematron.ValidateOptions{Trace: true})
	if err != nil {
		t.Fatal(err)
	}
	if len(one.Findings) != 7143 || one.Rules != 50_000 {
		t.Fatalf("%d findings, %d rules", len(one.Findings), one.Rules)
	}
	var wg sync.WaitGroup
	for _, workers := range []int{2, 3} {
		wg.Go(func() {
			r, err := s.Validate(context.Background(), d, schematron.ValidateOptions{Workers: workers, Trace: true})
			if err != nil {
				t.Error(err)
				return
			}
			if told(r) != told(one) || string(r.SVRL(schematron.EQName)) != string(one.SVRL(schematron.EQName)) {
				t.Errorf("%d workers find something else", workers)
			}
		})
	}
	wg.Wait()
}

// TestWithoutNamespacesThoseOfXMLCount: published schemas declare them on their root only.
func TestWithoutNamespacesThoseOfXMLCount(t *testing.T) {
	t.Parallel()
	for schema, ok := range map[string]bool{
		`<schema xmlns="http://purl.oclc.org/dsdl/schematron" xmlns:t="urn:t" queryBinding="xslt2"><pattern><rule context="t:a"><assert test="t:b">x</assert></rule></pattern></schema>`:                             true,
		`<schema xmlns="http://purl.oclc.org/dsdl/schematron" xmlns:t="urn:t" queryBinding="xslt2"><ns prefix="u" uri="urn:t"/><pattern><rule context="t:a"><assert test="t:b">x</assert></rule></pattern></schema>`: false,
	} {
		_, err := schematron.Compile(fstest.MapFS{"a.sch": {Data: []byte(schema)}}, "a.sch", schematron.Options{})
		if (err == nil) != ok {
			t.Errorf("%v: %s", err, schema)
		}
	}
}
