package invoice

import (
	"flag"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/edocument/rules"
	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/internal/mutant"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
	"github.com/viadukt-eu/viadukt/xmlcore/xsd"
)

var mutants = flag.Int("mutants", 2, "mutants of each document that are converted and corrected")
var mutantSeed = flag.Uint64("mutant-seed", 2, "other mutants")

// TestMutantsAreConvertedAndCorrected damages the examples at random. What is valid still, by rules and schema, is valid
// in the other syntax as well and says the same. What is corrected breaks no rule more than before, none of those on the
// sums, and needs no further correction.
func TestMutantsAreConvertedAndCorrected(t *testing.T) {
	t.Parallel()
	docs := examples(t)
	schemas := compile(t)
	names := slices.Sorted(maps.Keys(docs))
	var list []*dom.Document
	for _, n := range names {
		list = append(list, docs[n])
	}
	maker := mutant.New(*mutantSeed, list)
	made, valid, converted, corrected, wrong := 0, 0, 0, 0, map[string]int{}
	complain := func(class, format string, args ...any) {
		if wrong[class]++; wrong[class] <= 2 {
			t.Errorf(format, args...)
		}
	}
	conforms := func(d *dom.Document) string {
		r, err := schemas[d.Root().Local()].Validate(d, xsd.ValidateOptions{MaxFindings: 1})
		if err != nil {
			t.Fatal(err)
		}
		if r.Valid {
			return ""
		}
		return r.Findings[0].Text
	}
	known := corpus.Known(t, "testdata/known.tsv")
	for _, name := range names {
		for range *mutants {
			m, how := maker.Damage(docs[name])
			if m == nil {
				continue
			}
			i, err := Read(m)
			if err != nil {
				continue
			}
			made++
			before := fatals(t, m)
			// An empty element counts for the rules, and says nothing; what cannot be read is told; more than one tax of a line
			// and an accounting currency that is the currency have no place in the other syntax.
			sound := conforms(m) == "" && !hasEmpty(m) && len(i.Problems) == 0 && i.TaxCurrency.Value != i.Currency.Value && !strings.Contains(warnings(t, m), "CII-SR-454")
			if before == "" && sound {
				valid++
				for syntax, octets := range map[string][]byte{"UBL": i.UBL(), "CII": i.CII()} {
					written := parse(t, octets)
					ids, schema := fatals(t, written), conforms(written)
					same, difference := i.Equal(read(t, octets))
					if _, listed := known[name+" valid as "+syntax]; ids != "" && !listed && !stricter.MatchString(ids) {
						complain(syntax+ids, "%s, %s: as %s: %s", name, how, syntax, ids)
					}
					if _, listed := known[name+" valid as "+syntax+" by the schema"]; schema != "" && !listed && len(i.Preceding) < 2 { // D16B takes one
						complain(syntax+schema, "%s, %s: as %s: %s", name, how, syntax, schema)
					}
					if !same {
						complain(syntax+"same", "%s, %s: as %s: %s", name, how, syntax, difference)
					}
					if ids == "" && schema == "" && same {
						converted++
					}
				}
			}
			changes, err := i.Recompute()
			if err != nil || len(changes) == 0 {
				continue
			}
			if !sound { // the command compares what the rules say before and behind
				continue
			}
			octets, left := Apply(m, changes)
			mended := parse(t, octets)
			if len(left) > 0 { // the rest is for somebody's hand, and so are the rules
				continue
			}
			after := fatalIDs(t, mended)
			was := fatalIDs(t, m)
			if slices.ContainsFunc(slices.Collect(maps.Keys(was)), func(id string) bool { return strings.HasPrefix(id, "BR-DEC") }) {
				continue // doubles and decimals of three places round to different sums
			}
			for id := range after {
				if !was[id] {
					complain("new"+id, "%s, %s: corrected by %v it breaks %s, which it did not", name, how, changes, id)
				}
			}
			corrected++
			for _, id := range []string{"BR-CO-10", "BR-CO-11", "BR-CO-12", "BR-CO-13", "BR-CO-14", "BR-CO-15", "BR-CO-16"} {
				if after[id] {
					complain(id, "%s, %s: corrected by %v it still breaks %s", name, how, changes, id)
				}
			}
			if again, err := read(t, octets).Recompute(); err != nil || len(again) > 0 {
				complain("again", "%s, %s: corrected by %v it is corrected again by %v, %v", name, how, changes, again, err)
			}
		}
	}
	t.Logf("%d mutants: %d valid, %d conversions of them hold; %d corrected", made, valid, converted, corrected)
	if made < len(docs) {
		t.Errorf("only %d mutants of %d documents", made, len(docs))
	}
}

// stricter are rules of one syntax that the other has with more room: letters that look like a country, and the base of a
// tax that differs by less than one unit.
var stricter = regexp.MustCompile(`^(BR-CO-09 .?|BR-[A-Z]+-08 [^,]*, [^,]*, difference 0\.[0-9]*)$`)

// warnings are the ids of rules that are broken without making the document invalid.
func warnings(tb testing.TB, d *dom.Document) string {
	tb.Helper()
	r, err := rules.Validate(d, rules.Options{Sets: rules.Sets()[1:2]})
	if err != nil {
		tb.Fatal(err)
	}
	return strings.Join(r.Fired(), " ")
}

func hasEmpty(d *dom.Document) bool {
	for n := range d.Root().Descendants() {
		if n.Kind() == dom.ElementNode && !n.FirstElement().Valid() && n.TrimmedText() == "" {
			return true
		}
	}
	return false
}

// fatalIDs are the ids of the core rules that make a document invalid.
func fatalIDs(tb testing.TB, d *dom.Document) map[string]bool {
	tb.Helper()
	set := rules.Sets()[0]
	if d.Root().Local() == "CrossIndustryInvoice" {
		set = rules.Sets()[1]
	}
	r, err := rules.Validate(d, rules.Options{Sets: []*rules.Set{set}})
	if err != nil {
		tb.Fatal(err)
	}
	out := map[string]bool{}
	for _, f := range r.Findings {
		if f.Severity.Refuses() {
			out[f.ID] = true
		}
	}
	return out
}
