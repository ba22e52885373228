package xsd

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// compileOne compiles one schema document of the namespace urn:t, given without its root.
func compileOne(body string) (*Schema, error) {
	return Compile(fstest.MapFS{"t.xsd": {Data: []byte(wrap(body))}}, Options{}, "t.xsd")
}

func wrap(body string) string {
	return `<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns="urn:t" targetNamespace="urn:t" elementFormDefault="qualified">` + body + `</xs:schema>`
}

func TestWhatIsWrongWithASchemaIsNamed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, body, rule string }{
		{"an unknown type", `<xs:element name="a" type="nothing"/>`, "src-resolve"},
		{"a namespace without import", `<xs:element name="a" type="o:x" xmlns:o="urn:o"/>`, "src-resolve.4.2"},
		{"a name declared twice", `<xs:element name="a"/><xs:element name="a"/>`, "sch-props-correct.2"},
		{"an attribute that schemas do not have", `<xs:element name="a" colour="red"/>`, "s4s-att-not-allowed"},
		{"a child in the wrong place", `<xs:element name="a"><xs:sequence/></xs:element>`, "s4s-elt-invalid-content.1"},
		{"text between components", `hello`, "s4s-elt-character"},
		{"a required attribute that is missing", `<xs:element/>`, "s4s-att-must-appear"},
		{"a number that is none", `<xs:group name="g"><xs:sequence><xs:element name="a" maxOccurs="many"/></xs:sequence></xs:group>`, "s4s-att-invalid-value"},
		{"an ambiguous content model", `<xs:complexType name="t"><xs:sequence><xs:element name="a" minOccurs="0"/><xs:element name="a"/></xs:sequence></xs:complexType>`, "cos-nonambig"},
		{"a wildcard that competes with an element", `<xs:complexType name="t"><xs:sequence><xs:any minOccurs="0"/><xs:element name="a"/></xs:sequence></xs:complexType>`, "cos-nonambig"},
		{"one name with two types", `<xs:complexType name="t"><xs:choice><xs:sequence><xs:element name="b"/><xs:element name="a" type="xs:int"/></xs:sequence><xs:element name="a" type="xs:date"/></xs:choice></xs:complexType>`, "cos-element-consistent"},
		{"a type derived from itself", `<xs:complexType name="t"><xs:complexContent><xs:extension base="t"/></xs:complexContent></xs:complexType>`, "ct-props-correct.3"},
		{"a simple type derived from itself", `<xs:simpleType name="t"><xs:restriction base="t"/></xs:simpleType>`, "st-props-correct.2"},
		{"a group in itself", `<xs:group name="g"><xs:sequence><xs:group ref="g"/></xs:sequence></xs:group>`, "mg-props-correct.2"},
		{"an attribute group in itself", `<xs:attributeGroup name="g"><xs:attributeGroup ref="g"/></xs:attributeGroup>`, "src-attribute_group.3"},
		{"a final type extended", `<xs:complexType name="t" final="extension"/><xs:complexType name="u"><xs:complexContent><xs:extension base="t"/></xs:complexContent></xs:complexType>`, "cos-ct-extends.1.1"},
		{"a restriction that allows more", `<xs:complexType name="t"><xs:sequence><xs:element name="a"/></xs:sequence></xs:complexType><xs:complexType name="u"><xs:complexContent><xs:restriction base="t"><xs:sequence><xs:element name="a" maxOccurs="2"/></xs:sequence></xs:restriction></xs:complexContent></xs:complexType>`, "derivation-ok-restriction.5.4.2"},
		{"a required attribute made optional", `<xs:complexType name="t"><xs:attribute name="a" use="required"/></xs:complexType><xs:complexType name="u"><xs:complexContent><xs:restriction base="t"><xs:attribute name="a"/></xs:restriction></xs:complexContent></xs:complexType>`, "derivation-ok-restriction.2.1.1"},
		{"a facet that does not apply", `<xs:simpleType name="t"><xs:restriction base="xs:int"><xs:length value="2"/></xs:restriction></xs:simpleType>`, "cos-applicable-facets"},
		{"a facet given twice", `<xs:simpleType name="t"><xs:restriction base="xs:string"><xs:length value="2"/><xs:length value="2"/></xs:restriction></xs:simpleType>`, "src-single-facet-value"},
		{"bounds that exclude each other", `<xs:simpleType name="t"><xs:restriction base="xs:int"><xs:minInclusive value="5"/><xs:maxInclusive value="4"/></xs:restriction></xs:simpleType>`, "minInclusive-less-than-equal-to-maxInclusive"},
		{"an enumeration outside of its base", `<xs:simpleType name="t"><xs:restriction base="xs:byte"><xs:enumeration value="128"/></xs:restriction></xs:simpleType>`, "enumeration-valid-restriction"},
		{"a wider bound", `<xs:simpleType name="t"><xs:restriction base="xs:byte"><xs:maxInclusive value="128"/></xs:restriction></xs:simpleType>`, "maxInclusive-valid-restriction"},
		{"white space kept where it was collapsed", `<xs:simpleType name="t"><xs:restriction base="xs:token"><xs:whiteSpace value="preserve"/></xs:restriction></xs:simpleType>`, "whiteSpace-valid-restriction"},
		{"a pattern that is none", `<xs:simpleType name="t"><xs:restriction base="xs:token"><xs:pattern value="["/></xs:restriction></xs:simpleType>`, "src-pattern-value"},
		{"a list of lists", `<xs:simpleType name="t"><xs:list itemType="xs:NMTOKENS"/></xs:simpleType>`, "cos-st-restricts.2.1"},
		{"a default of the wrong type", `<xs:element name="a" type="xs:int" default="x"/>`, "e-props-correct.2"},
		{"a default for an identifier", `<xs:complexType name="t"><xs:attribute name="a" type="xs:ID" default="x"/></xs:complexType>`, "a-props-correct.3"},
		{"two identifiers", `<xs:complexType name="t"><xs:attribute name="a" type="xs:ID"/><xs:attribute name="b" type="xs:ID"/></xs:complexType>`, "ag-props-correct.3"},
		{"a substitution group in a circle", `<xs:element name="a" substitutionGroup="b"/><xs:element name="b" substitutionGroup="a"/>`, "e-props-correct.6"},
		{"a member with a foreign type", `<xs:element name="a" type="xs:int"/><xs:element name="b" type="xs:date" substitutionGroup="a"/>`, "e-props-correct.4"},
		{"a keyref without key", `<xs:element name="a"><xs:keyref name="r" refer="k"><xs:selector xpath="b"/><xs:field xpath="@c"/></xs:keyref></xs:element>`, "src-resolve"},
		{"a selector beyond the subset", `<xs:element name="a"><xs:key name="k"><xs:selector xpath="b[1]"/><xs:field xpath="@c"/></xs:key></xs:element>`, "c-selector-xpath"},
		{"a group of kind all in a sequence", `<xs:group name="g"><xs:all><xs:element name="a"/></xs:all></xs:group><xs:complexType name="t"><xs:sequence><xs:group ref="g"/></xs:sequence></xs:complexType>`, "cos-all-limited.1.2"},
		{"NOTATION itself as a type", `<xs:element name="a" type="xs:NOTATION"/>`, "enumeration-required-notation"},
	} {
		_, err := compileOne(c.body)
		var e *SchemaError
		if !errors.As(err, &e) || !errors.Is(err, ErrSchema) {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if f := e.Findings[0]; f.Rule != c.rule || f.File != "t.xsd" || f.Line != 1 {
			t.Errorf("%s: %v, want %s", c.name, err, c.rule)
		}
	}
}

func TestDocumentsOfASchemaFindEachOther(t *testing.T) {
	t.Parallel()
	schema := func(ns, body string) *fstest.MapFile {
		target := ""
		if ns != "" {
			target = ` targetNamespace="` + ns + `" xmlns="` + ns + `"`
		}
		return &fstest.MapFile{Data: []byte(`<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"` + target + `>` + body + `</xs:schema>`)}
	}
	for _, c := range []struct {
		name  string
		fs    fstest.MapFS
		opt   Options
		valid string
	}{
		{"a document without namespace takes that of its includer", fstest.MapFS{
			"a.xsd":     schema("urn:a", `<xs:include schemaLocation="sub/b.xsd"/><xs:element name="e" type="T"/>`),
			"sub/b.xsd": schema("", `<xs:simpleType name="T"><xs:restriction base="U"/></xs:simpleType><xs:simpleType name="U"><xs:restriction base="xs:int"/></xs:simpleType>`),
		}, Options{}, `<e xmlns="urn:a">1</e>`},
		{"includes may go in a circle", fstest.MapFS{
			"a.xsd": schema("urn:a", `<xs:include schemaLocation="b.xsd"/><xs:element name="e" type="T"/>`),
			"b.xsd": schema("urn:a", `<xs:include schemaLocation="a.xsd"/><xs:simpleType name="T"><xs:restriction base="xs:int"/></xs:simpleType>`),
		}, Options{}, `<e xmlns="urn:a">1</e>`},
		{"a redefined type serves those who knew the old one", fstest.MapFS{
			"a.xsd": schema("urn:a", `<xs:redefine schemaLocation="b.xsd"><xs:simpleType name="T"><xs:restriction base="T"><xs:maxInclusive value="9"/></xs:restriction></xs:simpleType></xs:redefine>`),
			"b.xsd": schema("urn:a", `<xs:element name="e" type="T"/><xs:simpleType name="T"><xs:restriction base="xs:int"/></xs:simpleType>`),
		}, Options{}, `<e xmlns="urn:a">9</e>`},
		{"the catalogue answers for a place on the web", fstest.MapFS{
			"a.xsd": schema("urn:a", `<xs:import namespace="urn:b" schemaLocation="https://example.org/b.xsd"/><xs:element name="e" type="b:T" xmlns:b="urn:b"/>`),
			"b.xsd": schema("urn:b", `<xs:simpleType name="T"><xs:restriction base="xs:int"/></xs:simpleType>`),
		}, Options{Catalog: map[string]string{"https://example.org/b.xsd": "b.xsd"}}, `<e xmlns="urn:a">1</e>`},
		{"the catalogue answers for a namespace", fstest.MapFS{
			"a.xsd": schema("urn:a", `<xs:import namespace="urn:b"/><xs:element name="e" type="b:T" xmlns:b="urn:b"/>`),
			"b.xsd": schema("urn:b", `<xs:simpleType name="T"><xs:restriction base="xs:int"/></xs:simpleType>`),
		}, Options{Catalog: map[string]string{"urn:b": "b.xsd"}}, `<e xmlns="urn:a">1</e>`},
		{"xml:lang is known where its import leads nowhere", fstest.MapFS{
			"a.xsd": schema("urn:a", `<xs:import namespace="http://www.w3.org/XML/1998/namespace" schemaLocation="http://www.w3.org/2001/xml.xsd"/><xs:element name="e"><xs:complexType><xs:attribute ref="xml:lang"/></xs:complexType></xs:element>`),
		}, Options{}, `<e xmlns="urn:a" xml:lang="et"/>`},
		{"an external DTD subset is passed over", fstest.MapFS{
			"a.xsd": {Data: []byte(`<!DOCTYPE xs:schema PUBLIC "-//W3C//DTD XMLSCHEMA 200102//EN" "http://www.w3.org/2001/XMLSchema.dtd" [<!ENTITY t "xs:int">]><xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:element name="e" type="&t;"/></xs:schema>`)},
		}, Options{}, `<e>1</e>`},
		{"a misspelt ##other is read leniently", fstest.MapFS{
			"a.xsd": schema("urn:a", `<xs:element name="e"><xs:complexType><xs:sequence><xs:any namespace="#other" processContents="skip"/></xs:sequence></xs:complexType></xs:element>`),
		}, Options{Lenient: true}, `<e xmlns="urn:a"><x xmlns="urn:x"/></e>`},
	} {
		s, err := Compile(c.fs, c.opt, "a.xsd")
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if r, err := s.Validate(parse(t, c.valid), ValidateOptions{}); err != nil || !r.Valid {
			t.Errorf("%s: %v %v", c.name, r, err)
		}
	}
}

func TestNothingIsReadFromOutside(t *testing.T) {
	t.Parallel()
	for _, location := range []string{"http://127.0.0.1:1/x.xsd", "file:///etc/passwd", "../../../etc/passwd", "/etc/passwd"} {
		_, err := compileOne(`<xs:include schemaLocation="` + location + `"/><xs:element name="a" type="x"/>`)
		if !errors.Is(err, ErrSchema) || !strings.Contains(err.Error(), "there is no type '{urn:t}x'; schema document '"+location+"' was not found") {
			t.Errorf("%s: %v", location, err)
		}
	}
}

// TestSchemaBombsStop has schemas whose cost grows without end.
func TestSchemaBombsStop(t *testing.T) {
	t.Parallel()
	doubling := func(last, format string, n int) string {
		var b strings.Builder
		b.WriteString(last)
		for i := 1; i <= n; i++ {
			fmt.Fprintf(&b, format, i, i-1, i-1)
		}
		return b.String()
	}
	manyOptional := `<xs:complexType name="t"><xs:sequence>`
	manyPairs := `<xs:complexType name="t"><xs:choice maxOccurs="unbounded">`
	for i := range 9000 {
		manyOptional += fmt.Sprintf(`<xs:element name="e%d" minOccurs="0"/>`, i)
		manyPairs += fmt.Sprintf(`<xs:any namespace="urn:%d"/>`, i)
	}
	nested := func(n int) string {
		return `<xs:complexType name="t">` + strings.Repeat(`<xs:sequence>`, n) + strings.Repeat(`</xs:sequence>`, n) + `</xs:complexType>`
	}
	chain := `<xs:simpleType name="t0"><xs:restriction base="xs:int"/></xs:simpleType>`
	for i := range 1000 {
		chain = fmt.Sprintf(`<xs:simpleType name="t%d"><xs:restriction base="t%d"/></xs:simpleType>`, i+1, i) + chain
	}
	for _, c := range []struct{ name, body string }{
		{"groups that double", doubling(`<xs:group name="g0"><xs:sequence><xs:element name="a"/></xs:sequence></xs:group>`,
			`<xs:group name="g%d"><xs:sequence><xs:group ref="g%d"/><xs:group ref="g%d"/></xs:sequence></xs:group>`, 60) + `<xs:complexType name="t"><xs:group ref="g60"/></xs:complexType>`},
		{"unions that double", doubling(`<xs:simpleType name="u0"><xs:restriction base="xs:int"/></xs:simpleType>`,
			`<xs:simpleType name="u%d"><xs:union memberTypes="u%d u%d"/></xs:simpleType>`, 60)},
		{"thousands of optional elements", manyOptional + `</xs:sequence></xs:complexType>`},
		{"thousands of wildcards", manyPairs + `</xs:choice></xs:complexType>`},
		{"deep groups", nested(220)},
		{"a long chain of types", chain},
		{"counts that cannot be told apart", `<xs:complexType name="t"><xs:sequence maxOccurs="99999999"><xs:element name="a" minOccurs="2" maxOccurs="99999999"/></xs:sequence></xs:complexType>`},
	} {
		if _, err := compileOne(c.body); !errors.Is(err, ErrLimit) {
			t.Errorf("%s: %.200v", c.name, err)
		}
	}
	if _, err := Compile(fstest.MapFS{"t.xsd": {Data: []byte(wrap(strings.Repeat("<xs:annotation/>", 100)))}}, Options{Limits: Limits{Bytes: 1000}}, "t.xsd"); !errors.Is(err, ErrLimit) {
		t.Errorf("a large document: %v", err)
	}
}

func TestASchemaTellsItsElementsAndFiles(t *testing.T) {
	t.Parallel()
	s := orderSchema(t)
	elements := s.Elements()
	if !slices.Contains(elements, "{urn:example:order}Order") || !slices.IsSorted(elements) {
		t.Error(elements)
	}
	if got := s.Files(); !slices.Equal(got, []string{"order.xsd", "types.xsd"}) {
		t.Error(got)
	}
}
