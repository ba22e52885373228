package invoice

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/edocument/rules"
	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
	"github.com/viadukt-eu/viadukt/xmlcore/xsd"
)

func parse(tb testing.TB, src []byte) *dom.Document {
	tb.Helper()
	d, err := dom.Parse(src, dom.Limits{})
	if err != nil {
		tb.Fatalf("%v in\n%s", err, src)
	}
	return d
}

func read(tb testing.TB, src []byte) *Invoice {
	tb.Helper()
	i, err := Read(parse(tb, src))
	if err != nil {
		tb.Fatal(err)
	}
	return i
}

// examples are the documents of the corpus that are core invoices.
func examples(tb testing.TB) map[string]*dom.Document {
	dir := corpus.Dir(tb, "edocuments")
	out := map[string]*dom.Document{}
	for _, pattern := range []string{"en16931-ubl", "en16931-cii", "en16931-testfiles", "peppol-2026.5", "peppol-2026.5/billing", "xrechnung-3.0.2/ubl-inv", "xrechnung-3.0.2/cii", "factur-x-2.5.2/en16931"} {
		files, _ := filepath.Glob(filepath.Join(dir, "examples", pattern, "*.xml"))
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				tb.Fatal(err)
			}
			d, err := dom.Parse(b, dom.Limits{})
			if err != nil {
				tb.Fatal(err)
			}
			if _, err := Read(d); err == nil {
				name, _ := filepath.Rel(dir, f)
				out[name] = d
			}
		}
	}
	return out
}

// fatals are the ids of what makes a document invalid by the core rules.
func fatals(tb testing.TB, d *dom.Document) string {
	sets := []*rules.Set{rules.Sets()[0]}
	if d.Root().Local() == "CrossIndustryInvoice" {
		sets = []*rules.Set{rules.Sets()[1]}
	}
	r, err := rules.Validate(d, rules.Options{Sets: sets})
	if err != nil {
		tb.Fatal(err)
	}
	var ids []string
	for _, f := range r.Findings {
		if f.Severity == edocument.Fatal {
			ids = append(ids, f.ID+" "+f.Value)
		}
	}
	return strings.Join(ids, ", ")
}

// compile reads the schemas of the two syntaxes, by the name of the document element.
func compile(tb testing.TB) map[string]*xsd.Schema {
	fsys := os.DirFS(filepath.Join(corpus.Dir(tb, "edocuments"), "xsd"))
	out := map[string]*xsd.Schema{}
	for root, file := range map[string]string{
		"Invoice": "ubl21/maindoc/UBL-Invoice-2.1.xsd", "CreditNote": "ubl21/maindoc/UBL-CreditNote-2.1.xsd",
		"CrossIndustryInvoice": "cii-d16b-uncoupled/uncefact/data/standard/CrossIndustryInvoice_100pD16B.xsd",
	} {
		s, err := xsd.Compile(fsys, xsd.Options{}, file)
		if err != nil {
			tb.Fatal(err)
		}
		out[root] = s
	}
	return out
}

// TestConversion writes every example in both syntaxes and back: the terms stay the same, and what was valid stays so.
func TestConversion(t *testing.T) {
	t.Parallel()
	known := corpus.Known(t, "testdata/known.tsv")
	docs := examples(t)
	equal, valid, was, schema := 0, 0, 0, 0
	schemas := compile(t)
	for name, d := range docs {
		first, err := Read(d)
		if err != nil {
			t.Fatal(err)
		}
		ok := true
		for _, way := range []struct {
			name  string
			write func(*Invoice) []byte
		}{
			{"UBL", (*Invoice).UBL}, {"CII", (*Invoice).CII},
			{"UBL-CII-UBL", func(i *Invoice) []byte { return read(t, read(t, i.UBL()).CII()).UBL() }},
			{"CII-UBL-CII", func(i *Invoice) []byte { return read(t, read(t, i.CII()).UBL()).CII() }},
		} {
			second := read(t, way.write(first))
			same, difference := first.Equal(second)
			key := name + " " + way.name
			switch reason, listed := known[key]; {
			case same && listed:
				t.Errorf("%s agrees now; remove it from known.tsv (%s)", key, reason)
			case !same && !listed:
				t.Errorf("%s: %s", key, difference)
			}
			ok = ok && same
		}
		if ok {
			equal++
		}
		if fatals(t, d) != "" {
			continue
		}
		was++
		good := true
		for _, syntax := range []struct {
			name string
			doc  []byte
		}{{"valid as UBL", first.UBL()}, {"valid as CII", first.CII()}} {
			written := parse(t, syntax.doc)
			ids := fatals(t, written)
			r, err := schemas[written.Root().Local()].Validate(written, xsd.ValidateOptions{MaxFindings: 5})
			if err != nil {
				t.Fatal(err)
			}
			byschema := name + " " + syntax.name + " by the schema"
			switch reason, listed := known[byschema]; {
			case r.Valid && listed:
				t.Errorf("%s agrees now; remove it from known.tsv (%s)", byschema, reason)
			case r.Valid:
				schema++
			case !listed:
				t.Errorf("%s: %v", byschema, r.Findings)
			}
			key := name + " " + syntax.name
			switch reason, listed := known[key]; {
			case ids == "" && listed:
				t.Errorf("%s agrees now; remove it from known.tsv (%s)", key, reason)
			case ids != "" && !listed:
				t.Errorf("%s: %s", key, ids)
			}
			good = good && ids == ""
		}
		if good {
			valid++
		}
	}
	t.Logf("%d of %d written documents are valid by the schemas", schema, 2*was)
	t.Logf("%d of %d documents keep all terms on every way; %d of %d valid ones stay valid in both syntaxes", equal, len(docs), valid, was)
	if len(docs) < 70 {
		t.Errorf("only %d documents", len(docs))
	}
}
