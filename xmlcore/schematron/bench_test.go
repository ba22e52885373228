package schematron_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
	"github.com/viadukt-eu/viadukt/xmlcore/schematron"
)

// example is an invoice of the corpus with its line written so often that it has about size octets.
func example(tb testing.TB, size int) []byte {
	tb.Helper()
	b := corpus.Read(tb, "edocuments", "examples/peppol-2026.5/billing/sales-order-example.xml")
	from := bytes.LastIndex(b, []byte("<cac:InvoiceLine>"))
	to := bytes.LastIndex(b, []byte("</cac:InvoiceLine>")) + len("</cac:InvoiceLine>")
	if from < 0 {
		tb.Fatal("the example has no line")
	}
	out := bytes.Clone(b[:to])
	for len(out)+len(b)-to < size {
		out = append(out, b[from:to]...)
	}
	return append(out, b[to:]...)
}

var benchSets = []struct {
	name  string
	files []string
}{
	{"en16931", []string{"rules/en16931-1.3.16/ubl/EN16931-UBL-validation.sch"}},
	{"en16931+peppol", []string{"rules/en16931-1.3.16/ubl/EN16931-UBL-validation.sch", "rules/peppol-2026.5/PEPPOL-EN16931-UBL.sch"}},
}

// BenchmarkValidate parses and judges an invoice with rules that are compiled already.
func BenchmarkValidate(b *testing.B) {
	dir := corpus.Dir(b, "edocuments")
	for _, size := range []struct {
		name   string
		octets int
	}{{"21kB", 21_000}, {"8.2MB", 8_200_000}} {
		src := example(b, size.octets)
		for _, set := range benchSets {
			var all []*schematron.Schema
			for _, f := range set.files {
				s, err := schematron.Compile(os.DirFS(dir), f, schematron.Options{})
				if err != nil {
					b.Fatal(err)
				}
				all = append(all, s)
			}
			b.Run(set.name+"/"+size.name, func(b *testing.B) {
				b.SetBytes(int64(len(src)))
				b.ReportAllocs()
				fired := 0
				for b.Loop() {
					d, err := dom.Parse(bytes.Clone(src), dom.Limits{})
					if err != nil {
						b.Fatal(err)
					}
					fired = 0
					for _, s := range all {
						r, err := s.Validate(context.Background(), d, schematron.ValidateOptions{Workers: runtime.GOMAXPROCS(0)})
						if err != nil || len(r.Errors) > 0 {
							b.Fatal(err, r)
						}
						fired += len(r.Findings) + r.Omitted
					}
				}
				b.ReportMetric(float64(fired), "fired")
			})
		}
	}
}

// BenchmarkCompile reads and compiles rules as they are published.
func BenchmarkCompile(b *testing.B) {
	dir := corpus.Dir(b, "edocuments")
	for _, f := range benchSets[1].files {
		b.Run(filepath.Base(f), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := schematron.Compile(os.DirFS(dir), f, schematron.Options{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
