package invoice

import (
	"fmt"
	"sort"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// carried are leaves that only say in a syntax what the model says by its structure.
var carried = map[string]bool{
	"UBLVersionID": true, "ChargeIndicator": true, "Indicator": true, "DocumentTypeCode": true, "TypeCode": true, "NetworkID": true, "ReferenceTypeCode": true,
}

// Left names the elements with text of a document that none of the terms came from: what conversion leaves behind. Each
// is named once, with how often it occurs.
func (i *Invoice) Left(doc *dom.Document) []string {
	used := make([]bool, doc.Len())
	for _, t := range i.Terms() {
		if n := t.Node; n.Valid() {
			if n.Kind() == dom.AttributeNode {
				n = n.Parent()
			}
			used[n.Index()] = true
		}
	}
	count := map[string]int{}
	for n := range doc.Root().Descendants() {
		if n.Kind() != dom.ElementNode || n.FirstElement().Valid() || used[n.Index()] || n.TrimmedText() == "" {
			continue
		}
		switch parent := n.Parent(); {
		case carried[n.Local()], parent.Local() == "TaxScheme", n.Local() == "TaxTypeCode",
			parent.Local() == "PaymentMeans" && (n.Local() == "PaymentMeansCode" || n.Local() == "PaymentID"), // the same in each
			parent.Local() == "SpecifiedTradeSettlementPaymentMeans" && n.Local() == "Information",
			parent.Local() == "SpecifiedProcuringProject" && n.Local() == "Name",
			parent.Local() == "GrossPriceProductTradePrice" && n.Local() == "BasisQuantity",
			parent.Local() == "AllowanceCharge" && parent.Parent().Local() == "Price",
			n.Local() == "DueDateTypeCode":
			continue
		default:
			count[parent.Local()+"/"+n.Local()]++
		}
	}
	out := make([]string, 0, len(count))
	for name, k := range count {
		if k > 1 {
			name = fmt.Sprintf("%s (%d times)", name, k)
		}
		out = append(out, name)
	}
	sort.Strings(out)
	return out
}
