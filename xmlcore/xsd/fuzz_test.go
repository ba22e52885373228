package xsd

import (
	"errors"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

func FuzzCompile(f *testing.F) {
	f.Add([]byte(orderTypes))
	f.Add([]byte(orderMain))
	f.Add([]byte(wrap(`<xs:group name="g"><xs:choice><xs:element name="a" maxOccurs="7"/><xs:group ref="g"/></xs:choice></xs:group><xs:complexType name="t"><xs:group ref="g" maxOccurs="3"/></xs:complexType>`)))
	f.Add([]byte(wrap(`<xs:redefine schemaLocation="t.xsd"/><xs:include schemaLocation="t.xsd"/><xs:simpleType name="t"><xs:union memberTypes="t xs:int"/></xs:simpleType>`)))
	if b, err := os.ReadFile("../../interop/testdata/xsd/inventory.xsd"); err == nil {
		f.Add(b)
	}
	lim := Limits{Particles: 300, Transitions: 20_000, Depth: 40, Members: 100, Bytes: 1 << 16}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 8192 {
			return
		}
		s, err := Compile(fstest.MapFS{"t.xsd": {Data: b}, "types.xsd": {Data: []byte(orderTypes)}}, Options{Limits: lim}, "t.xsd")
		if err != nil {
			if !errors.Is(err, ErrSchema) && !errors.Is(err, ErrLimit) {
				t.Fatal(err)
			}
			return
		}
		d, err := dom.Parse([]byte(`<r><a b="c">1</a><a/></r>`), dom.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Validate(d, ValidateOptions{Steps: 1000}); err != nil && !errors.Is(err, ErrLimit) {
			t.Fatal(err)
		}
	})
}

// FuzzSpoiltSchema changes schemas that work, so that what is behind the grammar is reached: ops are triples of a node, an
// action and its choice.
func FuzzSpoiltSchema(f *testing.F) {
	schemas := []string{orderTypes, orderMain, wrap(`<xs:redefine schemaLocation="b.xsd"><xs:complexType name="T"><xs:complexContent><xs:extension base="T"><xs:choice maxOccurs="3"><xs:element ref="h"/><xs:any namespace="##other"/></xs:choice></xs:extension></xs:complexContent></xs:complexType></xs:redefine>
<xs:element name="h" abstract="true" type="xs:decimal"/><xs:element name="m" substitutionGroup="h" type="xs:int"/><xs:element name="r" type="T"/>`)}
	if b, err := os.ReadFile("../../interop/testdata/xsd/inventory.xsd"); err == nil {
		schemas = append(schemas, string(b))
	}
	for i := range schemas {
		f.Add(uint8(i), []byte{20, 2, 9, 7, 1, 1})
		f.Add(uint8(i), []byte{33, 4, 3, 12, 5, 7, 18, 6, 0})
	}
	values := []string{"", "0", "2", "unbounded", "99999999999", "xs:int", "xs:NOTATION", "xs:IDREFS", "#all", "true", "##other", "##any ##local", "xs:anyType", "xs:anySimpleType", ".//*|a/@b", "T", "Thing", "t:Code"}
	names := []string{"element", "attribute", "sequence", "choice", "all", "group", "any", "complexType", "simpleType", "restriction", "extension", "union", "list", "enumeration", "length", "key", "keyref", "anyAttribute"}
	lim := Limits{Particles: 500, Transitions: 50_000}
	f.Fuzz(func(t *testing.T, which uint8, ops []byte) {
		src := schemas[int(which)%len(schemas)]
		for len(ops) >= 3 && len(src) < 1<<16 {
			d, err := dom.Parse([]byte(src), dom.Limits{})
			if err != nil {
				break
			}
			n, other := d.At(int(ops[0])*d.Len()/256), d.At(int(ops[2])*d.Len()/256)
			from, raw := n.Offset(), string(n.Raw())
			with := raw
			switch {
			case n.Kind() == dom.AttributeNode:
				with = n.QName() + `="` + values[int(ops[2])%len(values)] + `"`
			case n.Kind() != dom.ElementNode || n == d.Root():
			case ops[1]%5 == 0:
				with = ""
			case ops[1]%5 == 1:
				with = raw + raw
			case ops[1]%5 == 2 && other.Kind() == dom.ElementNode:
				with = string(other.Raw())
			case ops[1]%5 == 3 && other.Kind() == dom.ElementNode:
				with = raw + string(other.Raw())
			case ops[1]%5 == 4:
				with = strings.ReplaceAll(raw, "xs:"+n.Local(), "xs:"+names[int(ops[2])%len(names)])
			}
			src = src[:from] + with + src[from+len(raw):]
			ops = ops[3:]
		}
		base := wrap(`<xs:complexType name="T"><xs:sequence><xs:element name="a" minOccurs="0"/></xs:sequence></xs:complexType>`)
		s, err := Compile(fstest.MapFS{"t.xsd": {Data: []byte(src)}, "types.xsd": {Data: []byte(orderTypes)}, "b.xsd": {Data: []byte(base)}}, Options{Limits: lim}, "t.xsd")
		if err != nil {
			if !errors.Is(err, ErrSchema) && !errors.Is(err, ErrLimit) {
				t.Fatal(err)
			}
			return
		}
		for _, doc := range []string{string(order(1)), `<r xmlns="urn:t"><m>1</m><x xmlns="urn:x"/></r>`} {
			if _, err := s.Validate(parse(t, doc), ValidateOptions{Steps: 10_000}); err != nil && !errors.Is(err, ErrLimit) {
				t.Fatal(err)
			}
		}
	})
}

func FuzzValidate(f *testing.F) {
	order2 := orderSchema(f)
	inventory := order2
	if b, err := os.ReadFile("../../interop/testdata/xsd/inventory.xsd"); err == nil {
		if inventory, err = Compile(fstest.MapFS{"i.xsd": {Data: b}}, Options{}, "i.xsd"); err != nil {
			f.Fatal(err)
		}
	}
	f.Add(order(2))
	if b, err := os.ReadFile("../../interop/testdata/xsd/inventory.xml"); err == nil {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := dom.Parse(b, dom.Limits{Bytes: 1 << 16, Depth: 64})
		if err != nil {
			return
		}
		for _, s := range []*Schema{order2, inventory} {
			r, err := s.Validate(d, ValidateOptions{MaxFindings: 10, KeepTypes: true})
			if err != nil {
				if !errors.Is(err, ErrLimit) {
					t.Fatal(err)
				}
				continue
			}
			if r.Valid != (len(r.Findings) == 0) {
				t.Fatal("verdict and findings disagree")
			}
			again, err := s.Validate(d, ValidateOptions{MaxFindings: 10})
			if err != nil || again.Valid != r.Valid || len(again.Findings) != len(r.Findings) {
				t.Fatal("a second run says something else")
			}
		}
	})
}
