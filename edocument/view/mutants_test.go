package view

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/internal/mutant"
	"github.com/viadukt-eu/viadukt/internal/pdftest"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

var mutants = flag.Int("mutants", 1, "mutants of each document that are shown")
var mutantSeed = flag.Uint64("mutant-seed", 2, "other mutants")

// visible leaves out control characters and those without width, which paper does not have.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.Cc, unicode.Cf) {
			return -1
		}
		return r
	}, s)
}

// TestMutantsAreShown: whatever stands in a document of a known kind, it is shown, and paper says what the page says.
func TestMutantsAreShown(t *testing.T) {
	t.Parallel()
	dir := corpus.Dir(t, "edocuments")
	var docs []*dom.Document
	for _, pattern := range []string{"examples/*/*.xml", "examples/*/*/*.xml", "espd-4.1.0/examples/*.xml"} {
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			d, err := dom.Parse(b, dom.Limits{})
			if err != nil || d.Len() > 20_000 {
				continue
			}
			if _, err := HTML(d, Options{}); err == nil {
				docs = append(docs, d)
			}
		}
	}
	maker := mutant.New(*mutantSeed, docs)
	said := 0
	for _, d := range docs {
		for range *mutants {
			m, how := maker.Damage(d)
			if m == nil {
				continue
			}
			o := Options{Language: Languages()[said%len(Languages())], Created: time.Unix(0, 0)}
			said++
			page, err := HTML(m, o)
			if errors.Is(err, edocument.ErrUnknownType) && edocument.RecogniseType(m.Root()) == nil {
				continue // the damage is in what tells the kind
			}
			if err != nil {
				t.Errorf("%s, %s: %v", m.Root().Local(), how, err)
				continue
			}
			paper, err := PDF(m, o)
			if err != nil {
				t.Errorf("%s, %s: %v", m.Root().Local(), how, err)
				continue
			}
			if got, want := visible(pdftest.Spoken(t, paper)), visible(pdftest.Written(page)); got != want {
				k := 0
				for k < min(len(got), len(want)) && got[k] == want[k] {
					k++
				}
				t.Errorf("%s, %s, in %s: paper says %.40q, page says %.40q", m.Root().Local(), how, o.Language, got[k:], want[k:])
			}
		}
	}
	if t.Logf("%d documents of %d examples", said, len(docs)); said < 100 {
		t.Errorf("only %d documents", said)
	}
}
