package xsd

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

func TestOrdersAreValidated(t *testing.T) {
	t.Parallel()
	s := orderSchema(t)
	good := string(order(3))
	for _, c := range []struct{ name, old, with, rule, path, text string }{
		{"nothing wrong", "", "", "", "", ""},
		{"an element too many", "<t:IssueDate>", "<t:Note/><t:IssueDate>", "cvc-complex-type.2.4.a", "o:Order/t:Note[1]", "expected is IssueDate"},
		{"one of several expected", "<t:Quantity unit=\"C62\">1<", "<t:Name/><t:Quantity unit=\"C62\">1<", "cvc-complex-type.2.4.a", "o:Order/o:Line[1]/t:Name", "one of Note, Quantity"},
		{"a fourth note", "<t:Quantity unit=\"C62\">1<", strings.Repeat("<t:Note/>", 4) + "<t:Quantity unit=\"C62\">1<", "cvc-complex-type.2.4.a", "o:Order/o:Line[1]/t:Note[4]", "expected is Quantity"},
		{"an element missing at the end", "<t:Name>Tartu Linn</t:Name><t:Country>EE</t:Country>", "", "cvc-complex-type.2.4.b", "o:Order/o:Buyer", "one of ID, Name"},
		{"nothing more expected", "</o:Order>", "<t:ID/></o:Order>", "cvc-complex-type.2.4.a", "o:Order/t:ID[2]", "expected is Line"},
		{"a date that does not exist", "2026-11-28", "2026-11-31", "cvc-datatype-valid.1.2.1", "o:Order/t:IssueDate", "xs:date"},
		{"an empty name", "Tartu Linn", "", "cvc-minLength-valid", "o:Order/o:Buyer/t:Name", "at least 1"},
		{"a code in small letters", ">EE<", ">ee<", "cvc-pattern-valid", "o:Order/o:Buyer/t:Country", "[A-Z0-9]+"},
		{"an unknown currency", `currency="EUR">0.40`, `currency="USD">0.40`, "cvc-enumeration-valid", "o:Order/o:Line[1]/t:LineAmount", "[EUR, PLN, SEK]"},
		{"a missing attribute", ` currency="EUR">0.40`, `>0.40`, "cvc-complex-type.4", "o:Order/o:Line[1]/t:LineAmount", "'currency'"},
		{"an unknown attribute", `<t:ID>EE100`, `<t:ID scheme="x">EE100`, "cvc-type.3.1.1", "o:Order/o:Buyer/t:ID", "'scheme'"},
		{"a negative price", ">1.20<", ">-1.20<", "cvc-minInclusive-valid", "o:Order/o:Line[1]/o:Price/t:PriceAmount", "less than 0"},
		{"five digits after the point", ">1.20<", ">1.20001<", "cvc-fractionDigits-valid", "o:Order/o:Line[1]/o:Price/t:PriceAmount", "5 digits"},
		{"text among elements", "<o:Buyer>", "<o:Buyer>hello", "cvc-complex-type.2.3", "o:Order/o:Buyer", "'hello'"},
		{"an element in a value", ">EE<", "><b/><", "cvc-complex-type.2.2", "", ""},
	} {
		doc := good
		if c.old != "" {
			if doc = strings.Replace(good, c.old, c.with, 1); doc == good {
				t.Fatalf("%s: nothing changed", c.name)
			}
		}
		r, err := s.Validate(parse(t, doc), ValidateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if c.rule == "" {
			if !r.Valid || len(r.Findings) != 0 {
				t.Errorf("%s: %v", c.name, r.Findings)
			}
			continue
		}
		if c.name == "an element in a value" {
			c.rule = "cvc-type.3.1.2"
			c.path, c.text = "o:Order/o:Buyer/t:Country", "no elements"
		}
		if r.Valid || len(r.Findings) != 1 {
			t.Errorf("%s: %v", c.name, r.Findings)
			continue
		}
		if f := r.Findings[0]; f.Rule != c.rule || f.Path != c.path || !strings.Contains(f.Text, c.text) || f.Line == 0 {
			t.Errorf("%s: %v", c.name, f)
		}
	}
}

// fits validates documents of one schema; what is wrong is named by rule.
func TestDocumentsBySchema(t *testing.T) {
	t.Parallel()
	type doc struct{ xml, rule string }
	for _, c := range []struct {
		name, schema string
		docs         []doc
	}{
		{"large counts are counted", `<xs:element name="r"><xs:complexType><xs:sequence><xs:element name="a" minOccurs="3" maxOccurs="100000"/><xs:element name="a2"/></xs:sequence></xs:complexType></xs:element>`, []doc{
			{`<r xmlns="urn:t"><a/><a/><a/><a2/></r>`, ""}, {`<r xmlns="urn:t"><a/><a/><a2/></r>`, "cvc-complex-type.2.4.a"},
			{`<r xmlns="urn:t">` + strings.Repeat("<a/>", 100000) + `<a2/></r>`, ""}, {`<r xmlns="urn:t">` + strings.Repeat("<a/>", 100001) + `<a2/></r>`, "cvc-complex-type.2.4.a"}}},
		{"groups are counted", `<xs:element name="r"><xs:complexType><xs:sequence minOccurs="2" maxOccurs="3"><xs:element name="a"/><xs:element name="b" minOccurs="0"/></xs:sequence></xs:complexType></xs:element>`, []doc{
			{`<r xmlns="urn:t"><a/><a/></r>`, ""}, {`<r xmlns="urn:t"><a/><b/><a/><b/><a/></r>`, ""}, {`<r xmlns="urn:t"><a/><b/></r>`, "cvc-complex-type.2.4.b"}, {`<r xmlns="urn:t"><a/><a/><a/><a/></r>`, "cvc-complex-type.2.4.a"}}},
		{"rounds that look alike are told apart", `<xs:element name="r"><xs:complexType><xs:sequence maxOccurs="2"><xs:element name="a" minOccurs="2" maxOccurs="3"/></xs:sequence></xs:complexType></xs:element>`, []doc{
			{`<r xmlns="urn:t"><a/><a/></r>`, ""}, {`<r xmlns="urn:t"><a/><a/><a/><a/></r>`, ""}, {`<r xmlns="urn:t"><a/><a/><a/><a/><a/><a/></r>`, ""},
			{`<r xmlns="urn:t"><a/></r>`, "cvc-complex-type.2.4.b"}, {`<r xmlns="urn:t"><a/><a/><a/><a/><a/><a/><a/></r>`, "cvc-complex-type.2.4.d"}}},
		{"all in any order", `<xs:element name="r"><xs:complexType><xs:all><xs:element name="a"/><xs:element name="b" minOccurs="0"/></xs:all></xs:complexType></xs:element>`, []doc{
			{`<r xmlns="urn:t"><b/><a/></r>`, ""}, {`<r xmlns="urn:t"><a/></r>`, ""}, {`<r xmlns="urn:t"><b/></r>`, "cvc-complex-type.2.4.b"}, {`<r xmlns="urn:t"><a/><a/></r>`, "cvc-complex-type.2.4.a"}}},
		{"substitution", `<xs:element name="h" abstract="true" type="xs:string"/><xs:element name="m" substitutionGroup="h"/><xs:element name="n" substitutionGroup="m" type="xs:token"/>
			<xs:element name="r"><xs:complexType><xs:sequence><xs:element ref="h" maxOccurs="3"/></xs:sequence></xs:complexType></xs:element>`, []doc{
			{`<r xmlns="urn:t"><m>x</m><n>y</n></r>`, ""}, {`<r xmlns="urn:t"><h>x</h></r>`, "cvc-elt.2"}}},
		{"types chosen by the document", `<xs:complexType name="A"><xs:sequence><xs:element name="a"/></xs:sequence></xs:complexType>
			<xs:complexType name="B"><xs:complexContent><xs:extension base="A"><xs:sequence><xs:element name="b"/></xs:sequence></xs:extension></xs:complexContent></xs:complexType>
			<xs:complexType name="C"/><xs:element name="r" type="A"/><xs:element name="s" type="A" block="extension"/>`, []doc{
			{`<r xmlns="urn:t" xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:type="B"><a/><b/></r>`, ""},
			{`<r xmlns="urn:t" xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:type="C"/>`, "cvc-elt.4.3"},
			{`<r xmlns="urn:t" xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:type="D"><a/></r>`, "cvc-elt.4.2"},
			{`<s xmlns="urn:t" xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:type="B"><a/><b/></s>`, "cvc-elt.4.3"}}},
		{"nil", `<xs:element name="r" type="xs:int" nillable="true"/><xs:element name="s" type="xs:int"/>`, []doc{
			{`<r xmlns="urn:t" xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="true"/>`, ""},
			{`<r xmlns="urn:t" xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="true">1</r>`, "cvc-elt.3.2.1"},
			{`<s xmlns="urn:t" xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="true"/>`, "cvc-elt.3.1"}}},
		{"fixed values compare as values", `<xs:element name="r" type="xs:decimal" fixed="1.0"/><xs:element name="s"><xs:complexType><xs:attribute name="a" type="xs:QName" fixed="x:b" xmlns:x="urn:x"/></xs:complexType></xs:element>`, []doc{
			{`<r xmlns="urn:t">+01.00</r>`, ""}, {`<r xmlns="urn:t"/>`, ""}, {`<r xmlns="urn:t">1.1</r>`, "cvc-elt.5.2.2.2.2"},
			{`<s xmlns="urn:t" a="y:b" xmlns:y="urn:x"/>`, ""}, {`<s xmlns="urn:t" a="y:b" xmlns:y="urn:y"/>`, "cvc-attribute.4"}}},
		{"wildcards", `<xs:element name="k" type="xs:int"/><xs:element name="r"><xs:complexType><xs:sequence><xs:any namespace="##targetNamespace"/><xs:any namespace="##other" processContents="lax"/><xs:any namespace="##local" processContents="skip" minOccurs="0"/></xs:sequence><xs:anyAttribute namespace="##other" processContents="skip"/></xs:complexType></xs:element>`, []doc{
			{`<r xmlns="urn:t" xmlns:o="urn:o" o:a="1"><k>1</k><o:x><anything/></o:x><k xmlns="">x</k></r>`, ""}, {`<r xmlns="urn:t"><k>x</k><x xmlns="urn:o"/></r>`, "cvc-datatype-valid.1.2.1"},
			{`<r xmlns="urn:t"><l/><x xmlns="urn:o"/></r>`, "cvc-complex-type.2.4.c"}, {`<r xmlns="urn:t"><k>1</k><x xmlns="urn:o"><k xmlns="urn:t">x</k></x></r>`, "cvc-datatype-valid.1.2.1"},
			{`<r xmlns="urn:t" a="1"><k>1</k><x xmlns="urn:o"/></r>`, "cvc-complex-type.3.2.2"}, {`<r xmlns="urn:t"><k>1</k><k>1</k></r>`, "cvc-complex-type.2.4.a"}}},
		{"identifiers", `<xs:element name="r"><xs:complexType><xs:sequence><xs:element name="a" maxOccurs="9"><xs:complexType><xs:attribute name="i" type="xs:ID"/><xs:attribute name="f" type="xs:IDREFS"/></xs:complexType></xs:element></xs:sequence></xs:complexType></xs:element>`, []doc{
			{`<r xmlns="urn:t"><a f="y x"/><a i="x"/><a i="y"/></r>`, ""}, {`<r xmlns="urn:t"><a i="x"/><a i="x"/></r>`, "cvc-id.2"}, {`<r xmlns="urn:t"><a f="z"/></r>`, "cvc-id.1"}}},
		{"keys", `<xs:element name="r"><xs:complexType><xs:sequence><xs:element name="g" maxOccurs="9"><xs:complexType><xs:sequence><xs:element name="k" type="xs:decimal" maxOccurs="9"/></xs:sequence></xs:complexType><xs:key name="K"><xs:selector xpath="t:k" xmlns:t="urn:t"/><xs:field xpath="."/></xs:key></xs:element><xs:element name="f" type="xs:decimal" minOccurs="0" maxOccurs="9"/></xs:sequence></xs:complexType>
			<xs:keyref name="F" refer="K"><xs:selector xpath="t:f" xmlns:t="urn:t"/><xs:field xpath="."/></xs:keyref></xs:element>`, []doc{
			{`<r xmlns="urn:t"><g><k>1</k><k>2</k></g><g><k>1</k></g><f>2.0</f></r>`, ""}, {`<r xmlns="urn:t"><g><k>1</k><k>1.0</k></g></r>`, "cvc-identity-constraint.4.2.2"},
			{`<r xmlns="urn:t"><g><k>1</k></g><f>3</f></r>`, "cvc-identity-constraint.4.3"}, {`<r xmlns="urn:t"><g><k>1</k></g><g><k>1</k></g><f>1</f></r>`, "cvc-identity-constraint.4.3"}}},
		{"unique with a default", `<xs:element name="r"><xs:complexType><xs:sequence><xs:element name="a" maxOccurs="9"><xs:complexType><xs:attribute name="n" default="x"/></xs:complexType></xs:element></xs:sequence></xs:complexType><xs:unique name="U"><xs:selector xpath=".//t:a" xmlns:t="urn:t"/><xs:field xpath="@n"/></xs:unique></xs:element>`, []doc{
			{`<r xmlns="urn:t"><a/><a n="y"/></r>`, ""}, {`<r xmlns="urn:t"><a/><a n="x"/></r>`, "cvc-identity-constraint.4.1"}}},
		{"an unknown root", `<xs:element name="r"/>`, []doc{{`<x xmlns="urn:t"/>`, "cvc-elt.1"}, {`<r/>`, "cvc-elt.1"}}},
		{"abstract types", `<xs:complexType name="A" abstract="true"/><xs:element name="r" type="A"/>`, []doc{{`<r xmlns="urn:t"/>`, "cvc-type.2"}}},
		{"empty is empty", `<xs:element name="r"><xs:complexType/></xs:element>`, []doc{{`<r xmlns="urn:t"><!-- nothing --></r>`, ""}, {`<r xmlns="urn:t"> </r>`, "cvc-complex-type.2.1"}, {`<r xmlns="urn:t"><r/></r>`, "cvc-complex-type.2.1"}}},
	} {
		s, err := compileOne(c.schema)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		for _, d := range c.docs {
			r, err := s.Validate(parse(t, d.xml), ValidateOptions{})
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if !r.Valid {
				got = r.Findings[0].Rule
			}
			if got != d.rule {
				t.Errorf("%s: %.100s: got %q %v, want %q", c.name, d.xml, got, r.Findings, d.rule)
			}
		}
	}
}

func TestFindingsAreBounded(t *testing.T) {
	t.Parallel()
	s := orderSchema(t)
	d := parse(t, strings.ReplaceAll(string(order(50)), ">1.20<", ">x<"))
	r, err := s.Validate(d, ValidateOptions{MaxFindings: 7})
	if err != nil || r.Valid || len(r.Findings) != 7 || !r.Truncated {
		t.Fatal(err, len(r.Findings), r.Truncated)
	}
	if r, _ = s.Validate(d, ValidateOptions{}); len(r.Findings) != 50 || r.Truncated {
		t.Error(len(r.Findings), r.Truncated)
	}
}

func TestTypesAreKeptWhenAsked(t *testing.T) {
	t.Parallel()
	s := orderSchema(t)
	d := parse(t, string(order(1)))
	r, err := s.Validate(d, ValidateOptions{KeepTypes: true})
	if err != nil || !r.Valid {
		t.Fatal(err, r)
	}
	date := d.Root().Child("urn:example:types", "IssueDate")
	if i, ok := r.TypeOf(date); !ok || i.Namespace != Namespace || i.Name != "date" {
		t.Error(i, ok)
	}
	if i, ok := r.TypeOf(d.Root()); !ok || i.Name != "" {
		t.Error(i, ok)
	}
	line := d.Root().Child("urn:example:order", "Line")
	if r, err = s.Validate(d, ValidateOptions{Root: line}); err != nil || r.Findings[0].Rule != "cvc-elt.1" {
		t.Error(err, r) // a local element has no global declaration
	}
}

// TestHostileDocumentsStop has documents that cost more than linear time to judge.
func TestHostileDocumentsStop(t *testing.T) {
	t.Parallel()
	s, err := compileOne(`<xs:element name="r"><xs:complexType><xs:sequence><xs:element ref="r" minOccurs="0" maxOccurs="unbounded"/></xs:sequence><xs:attribute name="n"/></xs:complexType>
		<xs:unique name="U"><xs:selector xpath=".//t:r" xmlns:t="urn:t"/><xs:field xpath="@n"/></xs:unique></xs:element>`)
	if err != nil {
		t.Fatal(err)
	}
	deep := strings.Repeat(`<r xmlns="urn:t">`, 200) + strings.Repeat("<r/>", 5000) + strings.Repeat("</r>", 200)
	d := parse(t, deep)
	if r, err := s.Validate(d, ValidateOptions{}); err != nil || !r.Valid {
		t.Error(err)
	}
	if _, err := s.Validate(d, ValidateOptions{Steps: 100_000}); !errors.Is(err, ErrLimit) {
		t.Error(err)
	}
}

func TestALargePatternStopsOnALargeText(t *testing.T) {
	t.Parallel()
	s, err := compileOne(`<xs:element name="r"><xs:simpleType><xs:restriction base="xs:string"><xs:pattern value="(a|b|ab|ba){0,1000}(a|b|ab){0,1000}"/></xs:restriction></xs:simpleType></xs:element>`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Validate(parse(t, `<r xmlns="urn:t">`+strings.Repeat("ab", 1<<20)+`</r>`), ValidateOptions{}); !errors.Is(err, ErrLimit) {
		t.Error(err)
	}
}

func TestASchemaServesManyAtOnce(t *testing.T) {
	t.Parallel()
	s := orderSchema(t)
	d := parse(t, string(order(20)))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				if r, err := s.Validate(d, ValidateOptions{}); err != nil || !r.Valid {
					t.Error(err, r)
				}
			}
		})
	}
	wg.Wait()
}

func TestSimpleTypes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		typ       string
		good, bad []string
	}{
		{"decimal", []string{"0", "+1.", ".5", "-0.0", " 12 ", strings.Repeat("9", 400)}, []string{"", ".", "1e3", "1,5", "+-1", "INF"}},
		{"integer", []string{"-0", "+12"}, []string{"1.0", "1.", ""}},
		{"byte", []string{"127", "-128", "+0001"}, []string{"128", "-129"}},
		{"unsignedLong", []string{"18446744073709551615"}, []string{"18446744073709551616", "-1"}},
		{"double", []string{"INF", "-INF", "NaN", "1E5", ".5e-3", "1e999"}, []string{"+INF", "inf", "1e", "0x1p3", "1_0"}},
		{"boolean", []string{"true", "0", " 1 "}, []string{"TRUE", "yes", ""}},
		{"date", []string{"2024-02-29", "-0044-03-15", "12026-01-01Z", "2026-11-28-14:00"}, []string{"2026-02-29", "0000-01-01", "26-01-01", "02026-01-01", "2026-1-1", "2026-11-28+14:01"}},
		{"dateTime", []string{"2026-11-28T24:00:00", "2026-11-28T23:59:59.999Z"}, []string{"2026-11-28", "2026-11-28T24:00:01", "2026-11-28T23:60:00", "2026-11-28T23:59:60", "2026-11-28T1:00:00", "2026-11-28T00:00:00."}},
		{"time", []string{"00:00:00", "24:00:00Z"}, []string{"24:00:01", "1:00:00", "00:00"}},
		{"gYear", []string{"2026", "-0001", "12026"}, []string{"26", "0000", "+2026"}},
		{"gYearMonth", []string{"2026-11"}, []string{"2026-13", "2026-1"}},
		{"gMonthDay", []string{"--02-29", "--12-31Z"}, []string{"--02-30", "12-31"}},
		{"gDay", []string{"---31"}, []string{"---32", "--31"}},
		{"gMonth", []string{"--11"}, []string{"--13", "--11--"}},
		{"duration", []string{"P1Y", "-P1Y2M3DT4H5M6.7S", "PT0S"}, []string{"P", "PT", "P1YT", "1Y", "P1.5Y", "P1S", "P1M1Y", "P-1Y", "PT1H1H"}},
		{"hexBinary", []string{"", "0aFF"}, []string{"0", "0g"}},
		{"base64Binary", []string{"", "aGFs bG8=", "\naGFs\nbG8=\n"}, []string{"aGFsbG8", "aGFsbG9=", "=", "a===", "aGF=bG8="}},
		{"anyURI", []string{"", "a b", "http://x/ä", "urn:a:b", "#x"}, []string{"%zz", "a#b#c", ":a", "1a:b"}},
		{"language", []string{"de", "zh-Hant-TW"}, []string{"", "de_DE", "verylonglanguage", "1a"}},
		{"Name", []string{"a:b", "_x"}, []string{"1a", ""}},
		{"NCName", []string{"äöü"}, []string{"a:b", "-a"}},
		{"NMTOKENS", []string{"1 a b", "x"}, []string{"", "a ,"}},
		{"normalizedString", []string{" a\tb "}, nil},
		{"QName", []string{"t:a", "a"}, []string{"u:a", "t:", ":a", "t:a:b"}},
		{"ENTITY", nil, []string{"a"}}, // nothing can declare one
	} {
		s, err := compileOne(`<xs:element name="r" type="xs:` + c.typ + `"/>`)
		if err != nil {
			t.Fatal(err)
		}
		check := func(value string, want bool) {
			w := dom.NewWriter(nil)
			w.Element("t:r", value, "xmlns:t", "urn:t")
			r, err := s.Validate(parse(t, string(w.Bytes())), ValidateOptions{})
			if err != nil || r.Valid != want {
				t.Errorf("xs:%s %q: %v %v", c.typ, value, r, err)
			}
		}
		for _, v := range c.good {
			check(v, true)
		}
		for _, v := range c.bad {
			check(v, false)
		}
	}
}

func TestValuesAreOrdered(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		typ, a, b string
		order     int
		ok        bool
	}{
		{"decimal", "10", "9.99", 1, true}, {"decimal", "-10", "-9", -1, true}, {"decimal", "0.10", ".1", 0, true}, {"decimal", "-1", "1", -1, true},
		{"double", "NaN", "1", 0, false}, {"double", "-0", "0", 0, true},
		{"date", "2026-01-01", "2026-01-02", -1, true}, {"date", "-0001-12-31", "0001-01-01", -1, true}, {"date", "12026-01-01", "9999-12-31", 1, true},
		{"dateTime", "2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00", 0, true}, {"dateTime", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00", 0, false},
		{"dateTime", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00", -1, true}, {"dateTime", "2026-01-01T24:00:00Z", "2026-01-02T00:00:00Z", 0, true},
		{"time", "12:00:00.5", "12:00:00.05", 1, true},
		{"duration", "P1M", "P30D", 0, false}, {"duration", "P1M", "P27D", 1, true}, {"duration", "P1Y", "P12M", 0, true}, {"duration", "-PT0.3S", "-PT0.2S", -1, true}, {"duration", "PT36H", "P1DT12H", 0, true},
	} {
		typ := predefined.simple(c.typ)
		a, bad := typ.check(c.a, &input{}, true)
		b, worse := typ.check(c.b, &input{}, true)
		if bad != nil || worse != nil {
			t.Errorf("%v %v", bad, worse)
			continue
		}
		if o, ok := compare(&a, &b); ok != c.ok || ok && o != c.order {
			t.Errorf("%s %s and %s: %d %v", c.typ, c.a, c.b, o, ok)
		}
		if same := a.key() == b.key(); same != (c.ok && c.order == 0) {
			t.Errorf("%s %s and %s: keys equal %v", c.typ, c.a, c.b, same)
		}
	}
}
