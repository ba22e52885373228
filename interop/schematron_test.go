package interop

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
	"github.com/viadukt-eu/viadukt/xmlcore/schematron"
	"github.com/viadukt-eu/viadukt/xmlcore/xpath"
)

// TestPublishedStyleSheetsAreReadBack compiles every style sheet of rules that phive brings along, 317 of CEN,
// OpenPeppol, KoSIT and FNFE, and runs three of them over documents whose outcome is known.
func TestPublishedStyleSheetsAreReadBack(t *testing.T) {
	t.Parallel()
	needPeers(t)
	jars, err := filepath.Glob("peers/rules/.build/lib/phive-rules-*.jar")
	if err != nil || len(jars) == 0 {
		t.Fatalf("peers/rules is not built: interop/run does it: %v", err)
	}
	known := map[string]*schematron.Schema{
		"1.3.16/ubl/EN16931-UBL-validation.xslt": nil, "1.3.16/cii/EN16931-CII-validation.xslt": nil, "2026.5/xslt/PEPPOL-EN16931-UBL.xslt": nil}
	compiled := 0
	for _, jar := range jars {
		z, err := zip.OpenReader(jar)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range z.File {
			if ext := path.Ext(f.Name); ext != ".xslt" && ext != ".xsl" {
				continue
			}
			s, err := schematron.Compile(z, f.Name, schematron.Options{})
			if err != nil {
				t.Errorf("%s: %v", f.Name, err)
				continue
			}
			compiled++
			for name := range known {
				if strings.HasSuffix(f.Name, name) {
					known[name] = s
				}
			}
		}
		if err := z.Close(); err != nil {
			t.Error(err)
		}
	}
	t.Logf("%d style sheets are read back", compiled)
	if compiled < 100 {
		t.Errorf("only %d style sheets", compiled)
	}
	packs := map[string]string{"EN16931-UBL 1.3.16": "1.3.16/ubl/EN16931-UBL-validation.xslt", "EN16931-CII 1.3.16": "1.3.16/cii/EN16931-CII-validation.xslt", "PEPPOL-UBL 2026.5": "2026.5/xslt/PEPPOL-EN16931-UBL.xslt"}
	dir := corpus.Dir(t, "edocuments")
	agree, total := 0, 0
	for _, row := range corpus.Table(t, filepath.Join(dir, "golden.tsv")) {
		sheet := packs[row["pack"]]
		if sheet == "" || !strings.HasPrefix(row["file"], "examples/") {
			continue
		}
		s := known[sheet]
		if s == nil {
			t.Fatalf("%s is not among the style sheets", sheet)
		}
		want := strings.Fields(row["assertions fired: id:flag*count, or XSD verdict"])
		d, err := dom.Parse(corpus.Read(t, "edocuments", row["file"]), dom.Limits{})
		if err != nil { // one is cut off on purpose
			if want[0] != "ERROR" {
				t.Errorf("%s: %v", row["file"], err)
			}
			continue
		}
		total++
		r, err := s.Validate(context.Background(), d, schematron.ValidateOptions{})
		if err != nil || len(r.Errors) > 0 {
			t.Errorf("%s: %v %v", row["file"], err, r)
			continue
		}
		counts := map[string]int{}
		for _, f := range r.Findings {
			counts[f.ID+":"+f.Flag]++
		}
		var got []string
		for _, k := range slices.Sorted(maps.Keys(counts)) {
			if n := counts[k]; n > 1 {
				k += fmt.Sprintf("*%d", n)
			}
			got = append(got, k)
		}
		if got == nil {
			got = []string{"none"}
		}
		if slices.Sort(want); strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("%s by %s: %v, want %v", row["file"], sheet, got, want)
			continue
		}
		agree++
	}
	t.Logf("%d of %d documents fire the same", agree, total)
	if total < 100 {
		t.Errorf("only %d documents: is the corpus there?", total)
	}
}

// TestSpoiltDocumentsFireAsInSaxon spoils documents of the corpus in some places and has the published rules judge them, here and
// in Saxon. Where an expression has an error for one alone nothing is said: processors differ in what they evaluate.
func TestSpoiltDocumentsFireAsInSaxon(t *testing.T) {
	t.Parallel()
	needPeers(t, "peers/rules/.build/stamp")
	dir := corpus.Dir(t, "edocuments")
	r := rand.New(rand.NewPCG(*seed, 2))
	var list bytes.Buffer
	type pair struct{ peer, file string }
	rules, all := map[string]func(*dom.Document) (told, error){}, map[pair]string{}
	for _, c := range []struct{ rules, documents string }{
		{"en16931-1.3.16/ubl/preprocessed/EN16931-UBL-validation-preprocessed.sch", "en16931-*/*.xml"},
		{"peppol-2026.5/PEPPOL-EN16931-UBL.sch", "peppol-2026.5/billing/*.xml"},
		{"xrechnung-3.0.2/ubl/XRechnung-UBL-validation.sch", "xrechnung-3.0.2/ubl-inv/*.xml"},
		{"en16931-1.3.16/cii/preprocessed/EN16931-CII-validation-preprocessed.sch", "en16931-cii/*.xml"},
		{"factur-x-2.5.2/FACTUR-X_EXTENDED.sch", "factur-x-2.5.2/extended/*.xml"},
		{"peppol-2026.5/PEPPOLBIS-T01.sch", "peppol-2026.5/Order_use_cases/*.xml"},
		{"peppol-2026.5/PEPPOLBIS-T19.sch", "peppol-2026.5/Cataloge_wo_response_use_cases/*.xml"},
	} {
		files, err := filepath.Glob(filepath.Join(dir, "examples", c.documents))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v", c.documents, err)
		}
		peer := "sch:" + filepath.Join(dir, "rules", c.rules)
		rules[peer] = rulesOf(t, filepath.Join(dir, "rules"), c.rules, false)
		scratch := t.TempDir()
		for k := range 40 {
			d := readDocument(t, files[r.IntN(len(files))])
			file := filepath.Join(scratch, fmt.Sprintf("%d.xml", k))
			if err := os.WriteFile(file, []byte(spoiltOften(r, d)), 0o600); err != nil {
				t.Fatal(err)
			}
			all[pair{peer, file}] = c.rules
			fmt.Fprintf(&list, "%s\t%s\n", peer, file)
		}
	}
	said, _ := askBatch(t, []string{quickJVM}, list.Bytes())
	agree, errors, fired := 0, 0, map[string]bool{}
	for p, name := range all {
		theirs, ok := said[p.peer+"\t"+p.file]
		if !ok {
			t.Fatalf("the peer did not judge %s", p.file)
		}
		ours := (&ruleSet{judge: rules[p.peer]}).here(t, p.file)
		switch {
		case ours.fired == "ERROR" || theirs.fired == "ERROR":
			errors++
		case ours.same(theirs):
			agree++
			for _, f := range strings.Fields(ours.fired) {
				id, _, _ := strings.Cut(f, ":")
				fired[name+id] = true
			}
		default:
			b, _ := os.ReadFile(p.file)
			t.Errorf("%s: %v here, %v there\n%s", name, ours, theirs, b)
		}
	}
	t.Logf("seed %d: of %d documents %d fire the same, of %d assertions; %d could not be judged by one or both", *seed, len(all), agree, len(fired), errors)
	if agree < len(all)/2 || len(fired) < 50 {
		t.Errorf("only %d documents of %d, %d assertions", agree, len(all), len(fired))
	}
}

// spoiltOften changes one to four things in a document that stays well-formed.
func spoiltOften(r *rand.Rand, d *dom.Document) string {
	s := string(d.Source())
	for range 1 + r.IntN(4) {
		next := spoil(r, d)
		if n, err := dom.Parse([]byte(next), dom.Limits{}); err == nil {
			s, d = next, n
		}
	}
	return s
}

// TestGeneratedRulesFireAsInSaxon makes schemas of all that Schematron has (patterns and rules, abstract ones, variables, functions,
// keys, values in texts) and has them judge spoilt documents, here and in Saxon with SchXslt: what fires, and its text. position()
// is left out, which is that within what SchXslt visits, and white space alone between two values, which it drops.
func TestGeneratedRulesFireAsInSaxon(t *testing.T) {
	t.Parallel()
	needPeers(t, "peers/rules/.build/stamp")
	dir := t.TempDir()
	w := writer{rand.New(rand.NewPCG(*seed, 3))}
	order, err := dom.Parse([]byte(xpathDocument), dom.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var list bytes.Buffer
	rules := map[string]func(*dom.Document) (told, error){}
	var documents []string
	for k := range 15 {
		file := filepath.Join(dir, fmt.Sprintf("%d.xml", k))
		if err := os.WriteFile(file, []byte(spoiltOften(w.Rand, order)), 0o600); err != nil {
			t.Fatal(err)
		}
		documents = append(documents, file)
	}
	for k := range 8 {
		name := fmt.Sprintf("%d.sch", k)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(w.schema(order)), 0o600); err != nil {
			t.Fatal(err)
		}
		peer := "sch:" + filepath.Join(dir, name)
		rules[peer] = rulesOf(t, dir, name, true)
		for _, d := range documents {
			fmt.Fprintf(&list, "%s\t%s\n", peer, d)
		}
	}
	said, _ := askBatch(t, []string{quickJVM}, list.Bytes(), "--text")
	agree, errors, fired, reported := 0, 0, 0, map[string]bool{}
	refused := 0
	for peer, judge := range rules {
		if _, ok := said[peer+"\t"+documents[0]]; !ok {
			refused++ // Saxon finds some type errors beforehand
			continue
		}
		for _, file := range documents {
			theirs, ours := said[peer+"\t"+file], (&ruleSet{judge: judge}).here(t, file)
			switch {
			case ours.fired == "ERROR" || theirs.fired == "ERROR":
				errors++
			case ours.same(theirs):
				agree++
				fired += strings.Count(ours.fired, "\n")
			default:
				here, there := without(ours.fired, theirs.fired), without(theirs.fired, ours.fired)
				t.Errorf("only here: %q, only there: %q", here, there)
				if reported[peer] {
					continue
				}
				reported[peer] = true
				schema, _ := os.ReadFile(strings.TrimPrefix(peer, "sch:"))
				b, _ := os.ReadFile(file)
				t.Logf("%s\n%s", schema, b)
			}
		}
	}
	t.Logf("seed %d: %d documents fire the same, %d assertions; %d could not be judged by one or both; %d schemas are refused there", *seed, agree, fired, errors, refused)
	if agree < 50 {
		t.Errorf("only %d documents", agree)
	}
}

// without lists the lines of one text that another has not, or not as often.
func without(a, b string) (only []string) {
	have := strings.Split(b, "\n")
	for _, line := range strings.Split(a, "\n") {
		if i := slices.Index(have, line); i >= 0 {
			have = slices.Delete(have, i, i+1)
		} else {
			only = append(only, line)
		}
	}
	return only
}

// sound writes an expression that has a value for a document.
func (w writer) sound(d *dom.Document, make func() string) string {
	static := &xpath.Static{Namespaces: map[string]string{"o": "urn:order", "x": "urn:more"}, Names: xpath.NewNames()}
	for {
		s := make()
		e, err := xpath.Compile(s, static)
		if err != nil {
			continue
		}
		if v, err := e.Evaluate(&xpath.Context{Item: xpath.NodeItem(d.Node())}); err == nil && len(v.Text()) < 200 {
			return s
		}
	}
}

var markup = strings.NewReplacer("&", "&amp;", "<", "&lt;", `"`, "&quot;")

// schema writes a schema of Schematron for such documents.
func (w writer) schema(d *dom.Document) string {
	var b strings.Builder
	put := func(format string, args ...any) {
		for i, a := range args {
			if s, ok := a.(string); ok {
				args[i] = markup.Replace(s)
			}
		}
		fmt.Fprintf(&b, format+"\n", args...)
	}
	truth := func() string { return w.sound(d, func() string { return w.truth(2) }) }
	text := func() string { return w.sound(d, func() string { return w.text(2) }) }
	number := 0
	assertions := func(here string) {
		for range 1 + w.IntN(3) {
			number++
			test := truth()
			switch w.IntN(6) {
			case 0:
				test = "count(key('lines', string(@no))) " + w.pick("= 1", "> 0", "= 0")
			case 1:
				test = "f:twice(string-length(string(.))) " + w.pick(">", "=", "<") + " $all"
			case 2:
				test = "$" + here + " = " + w.pick("'line'", "''", "name(..)", "('qty', 'price', 'order')")
			case 3:
				test = w.pick("current()/@no = //o:line/@no", "some $n in //o:qty satisfies $n = current()", "count($lines) > count(preceding::*)", "f:sort(.) = 'small'")
			}
			put(`<%[1]s id="A%[2]d" flag="%[3]s" test="%[4]s">no %[2]d <value-of select="%[5]s"/> of <name/>, <value-of select="$all"/>.</%[1]s>`,
				w.pick("assert", "report"), number, w.pick("fatal", "warning"), test, text())
		}
	}
	contexts := []string{"o:line", "o:line[@no > 1]", "*", "@no", "text()", "o:group//o:line", "o:line/o:qty | x:*", "o:line[count(*) = $all]", "o:order/*", "*[@no]", "comment()",
		"o:line[1]", "o:line[last()]", "o:qty[. = 4]", "//o:line/*[2]", "/o:order", "node()", "o:note//*", "@*", "*:qty", "o:line[preceding-sibling::o:line]", "/*/o:line[o:qty > 3]", "o:line[not(o:note)]/o:price"}
	put(`<schema xmlns="http://purl.oclc.org/dsdl/schematron" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:xs="http://www.w3.org/2001/XMLSchema" queryBinding="xslt2">`)
	put(`<ns prefix="o" uri="urn:order"/><ns prefix="x" uri="urn:more"/><ns prefix="f" uri="urn:f"/><ns prefix="xs" uri="http://www.w3.org/2001/XMLSchema"/>`)
	put(`<xsl:key name="lines" match="o:line" use="@no"/>`)
	put(`<xsl:function xmlns:f="urn:f" name="f:twice" as="xs:integer"><xsl:param name="n" as="xs:integer"/><xsl:sequence select="2 * $n"/></xsl:function>`)
	put(`<xsl:function xmlns:f="urn:f" name="f:sort" as="xs:string"><xsl:param name="n" as="item()"/><xsl:variable name="k" select="string-length(string($n))"/>` +
		`<xsl:choose><xsl:when test="$k &lt; 3"><xsl:sequence select="'small'"/></xsl:when><xsl:otherwise><xsl:value-of select="concat('large', '')"/></xsl:otherwise></xsl:choose></xsl:function>`)
	put(`<let name="all" value="count(//o:line%s)"/><let name="lines" value="//o:line"/>`, w.pick("", "[@no]", "[o:qty]"))
	put(`<pattern abstract="true" id="shared"><rule context="$what"><assert id="S1" flag="fatal" test="$condition">shared <value-of select="string($given)"/></assert></rule></pattern>`)
	put(`<pattern id="p"><rule abstract="true" id="common"><let name="here" value="local-name()"/>`)
	assertions("here")
	put(`</rule><rule context="%s"><extends rule="common"/></rule></pattern>`, w.pick(contexts...))
	for k := range 8 {
		if w.IntN(5) == 0 {
			put(`<pattern is-a="shared"><param name="what" value="%s"/><param name="condition" value="%s"/><param name="given" value="%s"/></pattern>`, w.pick(contexts...), truth(), w.pick("@no", "name()", "count(//o:qty)", "'x'"))
			continue
		}
		put(`<pattern><let name="p%d" value="%s"/>`, k, w.pick("'line'", "string(count(//o:qty))", "//o:qty/name()"))
		for range 1 + w.IntN(3) {
			put(`<rule context="%s">`, w.pick(contexts...))
			here := fmt.Sprintf("p%d", k)
			if w.IntN(2) == 0 {
				here = "r"
				put(`<let name="r" value="%s"/>`, w.pick("name(..)", "local-name()", "string(@no)", "*/name()"))
			}
			assertions(here)
			put(`</rule>`)
		}
		put(`</pattern>`)
	}
	put(`</schema>`)
	return b.String()
}
