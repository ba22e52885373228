package xsd

import (
	"errors"
	"os"
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
