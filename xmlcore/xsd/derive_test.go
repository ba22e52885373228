package xsd

import (
	"errors"
	"slices"
	"testing"
	"testing/fstest"
)

// TestContentModelsRestrictEachOther has a base model and one that restricts it, or not.
func TestContentModelsRestrictEachOther(t *testing.T) {
	t.Parallel()
	const groups = `<xs:element name="h" type="xs:string"/><xs:element name="m" type="xs:token" substitutionGroup="h"/><xs:element name="g" type="xs:int" nillable="true"/>`
	for _, c := range []struct {
		name, base, derived string
		ok                  bool
	}{
		{"fewer occurrences", `<xs:sequence><xs:element name="a" maxOccurs="5"/></xs:sequence>`, `<xs:sequence><xs:element name="a" minOccurs="2" maxOccurs="3"/></xs:sequence>`, true},
		{"an optional element left out", `<xs:sequence><xs:element name="a" minOccurs="0"/><xs:element name="b"/></xs:sequence>`, `<xs:sequence><xs:element name="b"/></xs:sequence>`, true},
		{"a required element left out", `<xs:sequence><xs:element name="a"/><xs:element name="b"/></xs:sequence>`, `<xs:sequence><xs:element name="b"/></xs:sequence>`, false},
		{"a required element left out at the end", `<xs:sequence><xs:element name="a"/><xs:element name="b"/></xs:sequence>`, `<xs:sequence><xs:element name="a"/></xs:sequence>`, false},
		{"groups that mean nothing", `<xs:sequence><xs:sequence><xs:element name="a"/></xs:sequence><xs:element name="b"/></xs:sequence>`, `<xs:sequence><xs:element name="a"/><xs:sequence><xs:sequence><xs:element name="b"/></xs:sequence></xs:sequence></xs:sequence>`, true},
		{"fewer choices", `<xs:choice><xs:element name="a"/><xs:element name="b"/><xs:element name="c"/></xs:choice>`, `<xs:choice><xs:element name="a"/><xs:element name="c"/></xs:choice>`, true},
		{"choices in another order", `<xs:choice><xs:element name="a"/><xs:element name="b"/></xs:choice>`, `<xs:choice><xs:element name="b"/><xs:element name="a"/></xs:choice>`, false},
		{"one of a choice", `<xs:choice><xs:element name="a"/><xs:element name="b"/></xs:choice>`, `<xs:sequence><xs:element name="b"/></xs:sequence>`, true},
		{"a sequence of a choice that repeats", `<xs:choice maxOccurs="3"><xs:element name="a"/><xs:element name="b"/></xs:choice>`, `<xs:sequence><xs:element name="b"/><xs:element name="a"/></xs:sequence>`, true},
		{"too long a sequence of a choice that repeats", `<xs:choice maxOccurs="2"><xs:element name="a"/><xs:element name="b"/></xs:choice>`, `<xs:sequence><xs:element name="b"/><xs:element name="a"/><xs:element name="b"/></xs:sequence>`, false},
		{"a sequence of all", `<xs:all><xs:element name="a"/><xs:element name="b" minOccurs="0"/></xs:all>`, `<xs:sequence><xs:element name="a"/></xs:sequence>`, true},
		{"a sequence that lacks one of all", `<xs:all><xs:element name="a"/><xs:element name="b"/></xs:all>`, `<xs:sequence><xs:element name="b"/></xs:sequence>`, false},
		{"elements for a wildcard", `<xs:sequence><xs:any maxOccurs="3"/></xs:sequence>`, `<xs:sequence><xs:element name="a"/><xs:element name="b" minOccurs="0"/></xs:sequence>`, true},
		{"more elements than a wildcard allows", `<xs:sequence><xs:any/></xs:sequence>`, `<xs:sequence><xs:element name="a"/><xs:element name="b"/></xs:sequence>`, false},
		{"an element of the wrong namespace for a wildcard", `<xs:sequence><xs:any namespace="##other"/></xs:sequence>`, `<xs:sequence><xs:element name="a"/></xs:sequence>`, false},
		{"a narrower wildcard", `<xs:sequence><xs:any namespace="##any" processContents="lax"/></xs:sequence>`, `<xs:sequence><xs:any namespace="##local urn:a" processContents="strict"/></xs:sequence>`, true},
		{"a wider wildcard", `<xs:sequence><xs:any namespace="urn:a"/></xs:sequence>`, `<xs:sequence><xs:any namespace="urn:a urn:b"/></xs:sequence>`, false},
		{"a laxer wildcard", `<xs:sequence><xs:any/></xs:sequence>`, `<xs:sequence><xs:any processContents="lax"/></xs:sequence>`, false},
		{"a wildcard for an element", `<xs:sequence><xs:element name="a"/></xs:sequence>`, `<xs:sequence><xs:any/></xs:sequence>`, false},
		{"a member of the substitution group", `<xs:sequence><xs:element ref="h"/></xs:sequence>`, `<xs:sequence><xs:element ref="m"/></xs:sequence>`, true},
		{"the head for its member", `<xs:sequence><xs:element ref="m"/></xs:sequence>`, `<xs:sequence><xs:element ref="h"/></xs:sequence>`, false},
		{"a derived type", `<xs:sequence><xs:element name="a" type="xs:decimal"/></xs:sequence>`, `<xs:sequence><xs:element name="a" type="xs:byte"/></xs:sequence>`, true},
		{"a wider type", `<xs:sequence><xs:element name="a" type="xs:byte"/></xs:sequence>`, `<xs:sequence><xs:element name="a" type="xs:decimal"/></xs:sequence>`, false},
		{"a nillable element for one that is not", `<xs:sequence><xs:element name="a"/></xs:sequence>`, `<xs:sequence><xs:element name="a" nillable="true"/></xs:sequence>`, false},
		{"the same fixed value in other digits", `<xs:sequence><xs:element name="a" type="xs:decimal" fixed="1"/></xs:sequence>`, `<xs:sequence><xs:element name="a" type="xs:decimal" fixed="1.0"/></xs:sequence>`, true},
		{"another fixed value", `<xs:sequence><xs:element name="a" type="xs:decimal" fixed="1"/></xs:sequence>`, `<xs:sequence><xs:element name="a" type="xs:decimal" fixed="2"/></xs:sequence>`, false},
		{"an element that blocks less", `<xs:sequence><xs:element name="a" block="#all"/></xs:sequence>`, `<xs:sequence><xs:element name="a"/></xs:sequence>`, false},
		{"an identity constraint more", `<xs:sequence><xs:element name="a"/></xs:sequence>`, `<xs:sequence><xs:element name="a"><xs:key name="K"><xs:selector xpath="x"/><xs:field xpath="y"/></xs:key></xs:element></xs:sequence>`, false},
		{"nothing for what may be empty", `<xs:sequence minOccurs="0"><xs:element name="a"/></xs:sequence>`, ``, true},
		{"nothing for what may not", `<xs:sequence><xs:element name="a"/></xs:sequence>`, ``, false},
		{"something for nothing", ``, `<xs:sequence><xs:element name="a"/></xs:sequence>`, false},
		{"fewer attributes", `<xs:attribute name="a"/><xs:attribute name="b"/>`, `<xs:attribute name="a" use="prohibited"/>`, true},
		{"an attribute that the base lacks", ``, `<xs:attribute name="a"/>`, false},
		{"an attribute that a wildcard of the base allows", `<xs:anyAttribute/>`, `<xs:attribute name="a"/>`, true},
		{"a narrower attribute wildcard", `<xs:anyAttribute/>`, `<xs:anyAttribute namespace="##other"/>`, true},
		{"a wider attribute wildcard", `<xs:anyAttribute namespace="##other"/>`, `<xs:anyAttribute namespace="##any"/>`, false},
		{"an attribute with another fixed value", `<xs:attribute name="a" type="xs:int" fixed="1"/>`, `<xs:attribute name="a" type="xs:int" fixed="2"/>`, false},
		{"an attribute with the same fixed value", `<xs:attribute name="a" type="xs:int" fixed="1"/>`, `<xs:attribute name="a" type="xs:int" fixed="01"/>`, true},
		{"a required attribute that is forbidden", `<xs:attribute name="a" use="required"/>`, `<xs:attribute name="a" use="prohibited"/>`, false},
	} {
		_, err := compileOne(groups + `<xs:complexType name="B">` + c.base + `</xs:complexType><xs:complexType name="D"><xs:complexContent><xs:restriction base="B">` + c.derived + `</xs:restriction></xs:complexContent></xs:complexType>`)
		if (err == nil) != c.ok || err != nil && !errors.Is(err, ErrSchema) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestDerivedTypesValidate(t *testing.T) {
	t.Parallel()
	s, err := compileOne(`
<xs:complexType name="Mixed" mixed="true"><xs:sequence><xs:element name="b" minOccurs="0"/></xs:sequence></xs:complexType>
<xs:complexType name="Only"><xs:simpleContent><xs:restriction base="Mixed"><xs:simpleType><xs:restriction base="xs:int"/></xs:simpleType></xs:restriction></xs:simpleContent></xs:complexType>
<xs:complexType name="Amount"><xs:simpleContent><xs:extension base="xs:decimal"><xs:attributeGroup ref="G"/></xs:extension></xs:simpleContent></xs:complexType>
<xs:complexType name="Small"><xs:simpleContent><xs:restriction base="Amount"><xs:maxInclusive value="9"/></xs:restriction></xs:simpleContent></xs:complexType>
<xs:complexType name="More"><xs:simpleContent><xs:extension base="Small"><xs:attribute name="n" type="xs:int"/><xs:anyAttribute namespace="urn:b"/></xs:extension></xs:simpleContent></xs:complexType>
<xs:attributeGroup name="G"><xs:attribute ref="glob"/><xs:anyAttribute namespace="urn:a ##local" processContents="skip"/></xs:attributeGroup>
<xs:attribute name="glob" type="xs:boolean" default="true"/>
<xs:notation name="png" public="image/png"/><xs:simpleType name="Format"><xs:restriction base="xs:NOTATION"><xs:enumeration value="png"/></xs:restriction></xs:simpleType>
<xs:element name="amount" type="Amount"/><xs:element name="only" type="Only"/><xs:element name="small" type="Small"/><xs:element name="more" type="More"/><xs:element name="mixed" type="Mixed" fixed="x"/><xs:element name="format" type="Format"/>
<xs:element name="wide"><xs:complexType><xs:anyAttribute namespace="##any" processContents="strict"/></xs:complexType></xs:element>`)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ xml, rule string }{
		{`<only xmlns="urn:t">1</only>`, ""}, {`<only xmlns="urn:t">x</only>`, "cvc-datatype-valid.1.2.1"}, {`<only xmlns="urn:t"><b/></only>`, "cvc-complex-type.2.2"},
		{`<amount xmlns="urn:t" t:glob="1" xmlns:t="urn:t" x="any" a:y="" xmlns:a="urn:a">9.0</amount>`, ""}, {`<small xmlns="urn:t" x="any">9</small>`, "cvc-complex-type.3.2.2"}, {`<small xmlns="urn:t">9.1</small>`, "cvc-maxInclusive-valid"},
		{`<small xmlns="urn:t" b:y="" xmlns:b="urn:b">9</small>`, "cvc-complex-type.3.2.2"}, {`<small xmlns="urn:t" t:glob="x" xmlns:t="urn:t">9</small>`, "cvc-datatype-valid.1.2.1"},
		{`<more xmlns="urn:t" n="1">9</more>`, ""}, {`<more xmlns="urn:t" b:y="" xmlns:b="urn:b">9</more>`, "cvc-complex-type.3.2.2"}, // there is no declaration
		{`<mixed xmlns="urn:t">x</mixed>`, ""}, {`<mixed xmlns="urn:t"/>`, ""}, {`<mixed xmlns="urn:t">y</mixed>`, "cvc-elt.5.2.2.2.1"}, {`<mixed xmlns="urn:t">x<b/></mixed>`, "cvc-elt.5.2.2.1"},
		{`<p:format xmlns:p="urn:t">p:png</p:format>`, ""}, {`<p:format xmlns:p="urn:t">png</p:format>`, "cvc-datatype-valid.1.2.1"},
		{`<p:wide xmlns:p="urn:t" p:glob="false"/>`, ""}, {`<p:wide xmlns:p="urn:t" p:glob="no"/>`, "cvc-datatype-valid.1.2.1"}, {`<p:wide xmlns:p="urn:t" glob="false"/>`, "cvc-complex-type.3.2.2"},
	} {
		r, err := s.Validate(parse(t, c.xml), ValidateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if !r.Valid {
			got = r.Findings[0].Rule
		}
		if got != c.rule {
			t.Errorf("%s: %v, want %q", c.xml, r.Findings, c.rule)
		}
	}
}

func TestRedefinitionsRestrictOrExtend(t *testing.T) {
	t.Parallel()
	const old = `<xs:group name="G"><xs:sequence><xs:element name="a"/><xs:element name="b" minOccurs="0"/></xs:sequence></xs:group>
<xs:attributeGroup name="A"><xs:attribute name="x" use="required"/><xs:attribute name="y"/></xs:attributeGroup>
<xs:complexType name="T"><xs:group ref="G"/><xs:attributeGroup ref="A"/></xs:complexType><xs:element name="r" type="T"/>`
	for _, c := range []struct{ name, change, doc, rule string }{
		{"a group that refers to itself grows", `<xs:group name="G"><xs:sequence><xs:group ref="G"/><xs:element name="c"/></xs:sequence></xs:group>`, `<r xmlns="urn:t" x=""><a/><c/></r>`, ""},
		{"a group that does not restricts", `<xs:group name="G"><xs:sequence><xs:element name="a"/></xs:sequence></xs:group>`, `<r xmlns="urn:t" x=""><a/></r>`, ""},
		{"a group that allows more does not", `<xs:group name="G"><xs:sequence><xs:element name="z"/></xs:sequence></xs:group>`, "", "src-redefine.6.2.2"},
		{"a group refers to itself once", `<xs:group name="G"><xs:sequence><xs:group ref="G"/><xs:group ref="G"/></xs:sequence></xs:group>`, "", "src-redefine.6.1.1"},
		{"and exactly once", `<xs:group name="G"><xs:sequence><xs:group ref="G" minOccurs="0"/></xs:sequence></xs:group>`, "", "src-redefine.6.1.2"},
		{"an attribute group that refers to itself grows", `<xs:attributeGroup name="A"><xs:attributeGroup ref="A"/><xs:attribute name="z"/></xs:attributeGroup>`, `<r xmlns="urn:t" x="" z=""><a/></r>`, ""},
		{"one that does not restricts", `<xs:attributeGroup name="A"><xs:attribute name="x" use="required"/></xs:attributeGroup>`, `<r xmlns="urn:t" x=""><a/></r>`, ""},
		{"and keeps what is required", `<xs:attributeGroup name="A"><xs:attribute name="y"/></xs:attributeGroup>`, "", "src-redefine.7.2.2"},
		{"a type extends itself", `<xs:complexType name="T"><xs:complexContent><xs:extension base="T"><xs:sequence><xs:element name="c"/></xs:sequence></xs:extension></xs:complexContent></xs:complexType>`, `<r xmlns="urn:t" x=""><a/><c/></r>`, ""},
		{"a type derives from itself", `<xs:complexType name="T"/>`, "", "src-redefine.5"},
		{"what is redefined is there", `<xs:simpleType name="S"><xs:restriction base="S"/></xs:simpleType>`, "", "src-redefine.4"},
	} {
		s, err := Compile(fstest.MapFS{"old.xsd": {Data: []byte(wrap(old))}, "t.xsd": {Data: []byte(wrap(`<xs:redefine schemaLocation="old.xsd">` + c.change + `</xs:redefine>`))}}, Options{}, "t.xsd")
		if c.rule != "" {
			var e *SchemaError
			if !errors.As(err, &e) || !slices.ContainsFunc(e.Findings, func(f Finding) bool { return f.Rule == c.rule }) {
				t.Errorf("%s: %v, want %s", c.name, err, c.rule)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if r, err := s.Validate(parse(t, c.doc), ValidateOptions{}); err != nil || !r.Valid {
			t.Errorf("%s: %v %v", c.name, r, err)
		}
	}
}

func TestWildcardsJoinAndMeet(t *testing.T) {
	t.Parallel()
	anyone, other, otherB := &wildcard{}, &wildcard{kind: wcNot, spaces: []string{"a"}}, &wildcard{kind: wcNot, spaces: []string{"b"}}
	set := func(s ...string) *wildcard { return &wildcard{kind: wcSet, spaces: s} }
	same := func(x, y *wildcard) bool {
		return x != nil && y != nil && x.kind == y.kind && slices.Equal(x.spaces, y.spaces)
	}
	for _, c := range []struct{ a, b, union, meet *wildcard }{
		{anyone, other, anyone, other},
		{other, other, other, other},
		{other, otherB, &wildcard{kind: wcNot, spaces: []string{""}}, nil},
		{other, set("a", ""), anyone, set()},
		{other, set("a", "c"), &wildcard{kind: wcNot, spaces: []string{""}}, set("c")},
		{other, set("", "c"), nil, set("c")},
		{other, set("c"), other, set("c")},
		{set("a", "b"), set("b", "c"), set("a", "b", "c"), set("b")},
		{&wildcard{kind: wcNot, spaces: []string{""}}, set(""), anyone, set()},
		{&wildcard{kind: wcNot, spaces: []string{""}}, other, &wildcard{kind: wcNot, spaces: []string{""}}, other},
	} {
		for _, p := range [][2]*wildcard{{c.a, c.b}, {c.b, c.a}} {
			if u, ok := p[0].union(p[1]); ok != (c.union != nil) || ok && !same(u, c.union) {
				t.Errorf("%v or %v: %v", p[0], p[1], u)
			}
			m, ok := p[0].intersection(p[1])
			if ok {
				slices.Sort(m.spaces)
			}
			if ok != (c.meet != nil) || ok && !same(m, c.meet) {
				t.Errorf("%v and %v: %v", p[0], p[1], m)
			}
		}
	}
}
