package view

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/edocument/invoice"
	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/internal/pdftest"
	"github.com/viadukt-eu/viadukt/pdf/page"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

func TestPaperSaysWhatThePageSays(t *testing.T) {
	t.Parallel()
	dir := corpus.Dir(t, "edocuments")
	said := 0
	for _, pattern := range []string{"en16931-ubl", "en16931-cii", "peppol-2026.5/billing"} {
		files, err := filepath.Glob(filepath.Join(dir, "examples", pattern, "*.xml"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			src, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			doc, err := dom.Parse(src, dom.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			i, err := invoice.Read(doc)
			if err != nil {
				continue
			}
			lang := Languages()[said%len(Languages())]
			l, _ := ForLanguage(lang)
			octets, err := Document(i, l, page.Options{Created: time.Unix(0, 0)}).Bytes()
			if err != nil {
				t.Fatalf("%s in %s: %v", f, lang, err)
			}
			b, err := HTML(i, l)
			if err != nil {
				t.Fatal(err)
			}
			want := pdftest.Written(b)
			if got := pdftest.Spoken(t, octets); got != want {
				t.Errorf("%s in %s: paper says\n%s\npage says\n%s", f, lang, got, want)
			}
			said++
		}
	}
	t.Logf("%d invoices", said)
	if said < 30 {
		t.Errorf("only %d invoices", said)
	}
}

func BenchmarkDocument(b *testing.B) {
	l, _ := ForLanguage("en")
	i := invented()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Document(i, l, page.Options{Created: time.Unix(0, 0)}).Bytes(); err != nil {
			b.Fatal(err)
		}
	}
}
