package procurement_test

import (
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/domains/procurement/sample"
	"github.com/viadukt-eu/viadukt/edocument/invoice"
	"github.com/viadukt-eu/viadukt/edocument/invoice/view"
	"github.com/viadukt-eu/viadukt/edocument/rules"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// sameValuesEverywhere: one invoice is judged, converted to the other syntax, judged again, and shown from both: with
// equal values.
func sameValuesEverywhere(t *testing.T) {
	t.Parallel()
	octets, err := sample.Make("invoice", "2026-17", sample.Supplier, sample.Buyer, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	read := func(b []byte) (*invoice.Invoice, map[string]string) {
		doc, err := dom.Parse(b, dom.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		r, err := rules.Validate(doc, rules.Options{})
		if err != nil || !r.Valid {
			t.Fatalf("%v %+v", err, r)
		}
		i, err := invoice.Read(doc)
		if err != nil {
			t.Fatal(err)
		}
		labels, _ := view.ForLanguage("de")
		page, err := view.HTML(i, labels)
		if err != nil {
			t.Fatal(err)
		}
		return i, map[string]string{"page": string(page), "due": i.Totals.Due.Value.String(), "tax": i.Totals.Tax.Value.String(), "seller": i.Seller.Name.Value, "lines": i.Lines[0].Net.Value.String()}
	}
	ubl, first := read(octets)
	cii, second := read(ubl.CII())
	for what := range first {
		if first[what] != second[what] {
			t.Errorf("%s: %s in UBL, %s in CII", what, first[what], second[what])
		}
	}
	if _, third := read(cii.UBL()); third["page"] != first["page"] {
		t.Error("the way back shows other values")
	}
}
