package xsd

import (
	"os"
	"testing"

	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

func BenchmarkCompile(b *testing.B) {
	dir := corpus.Dir(b, "edocuments")
	for _, c := range [][2]string{
		{"ubl21-invoice", packSchema("XSD UBL 2.1 Invoice")}, {"cii-d16b", packSchema("XSD CII D16B")},
		{"espd-request", "espd-4.1.0/xsdrt/maindoc/UBL-QualificationApplicationRequest-2.3.xsd"},
	} {
		b.Run(c[0], func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Compile(os.DirFS(dir), Options{}, c[1]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkValidate is of a document that is parsed already, BenchmarkParseAndValidate of its octets.
func BenchmarkValidate(b *testing.B) { benchmark(b, false) }

func BenchmarkParseAndValidate(b *testing.B) { benchmark(b, true) }

func benchmark(b *testing.B, parse bool) {
	run := func(name string, s *Schema, doc []byte) {
		b.Run(name, func(b *testing.B) {
			d, err := dom.Parse(append([]byte(nil), doc...), dom.Limits{})
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(doc)))
			b.ReportAllocs()
			for b.Loop() {
				if parse {
					if d, err = dom.Parse(doc, dom.Limits{}); err != nil {
						b.Fatal(err)
					}
				}
				r, err := s.Validate(d, ValidateOptions{})
				if err != nil || !r.Valid {
					b.Fatal(err, r)
				}
			}
		})
	}
	run("order/20KiB", orderSchema(b), order(60))
	run("order/2MiB", orderSchema(b), order(6000))
	dir := corpus.Dir(b, "edocuments")
	for _, c := range [][3]string{
		{"ubl21-invoice", "XSD UBL 2.1 Invoice", "examples/en16931-ubl/ubl-tc434-example2.xml"},
		{"cii-d16b", "XSD CII D16B", "examples/en16931-cii/CII_example1.xml"},
	} {
		s, err := Compile(os.DirFS(dir), Options{}, packSchema(c[1]))
		if err != nil {
			b.Fatal(err)
		}
		doc, err := os.ReadFile(dir + "/" + c[2])
		if err != nil {
			b.Fatal(err)
		}
		run(c[0], s, doc)
	}
}
