package procurement_test

import (
	"errors"
	"github.com/viadukt-eu/viadukt/domains/procurement/sample"
	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/edocument/rules"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
	"testing"
	"time"
)

// Every sample obeys the rules for what it is.
func TestSamplesAreValid(t *testing.T) {
	t.Parallel()
	for _, kind := range sample.Kinds {
		b, err := sample.Make(kind, "17", sample.Supplier, sample.Buyer, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		d, err := dom.Parse(b, dom.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		r, err := rules.Validate(d, rules.Options{})
		if kind == "tender" || kind == "award" { // there are no rules for what comes before the award
			if errors.Is(err, edocument.ErrUnknownType) && edocument.RecogniseType(d.Root()) != nil {
				continue
			}
		}
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		for _, f := range r.Findings {
			t.Errorf("%s: line %d %s %s %s", kind, f.Line, f.ID, f.Text, f.Value)
		}
	}
}
