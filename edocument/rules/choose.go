package rules

import (
	"strings"

	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// What the specification identifier (BT-24) of the billing specifications begins with.
const (
	billingID     = "urn:cen.eu:en16931:2017#compliant#urn:fdc:peppol.eu:2017:poacc:billing:3.0"
	selfBillingID = "urn:cen.eu:en16931:2017#compliant#urn:fdc:peppol.eu:2017:poacc:selfbilling:3.0"
)

// choose finds out what a document is and by which sets it wants to be judged.
func choose(doc *dom.Document) (kind string, sets []*Set) {
	root := doc.Root()
	switch {
	case root.Is(nsInvoice, "Invoice"), root.Is(nsCreditNote, "CreditNote"):
		kind = "invoice"
		if root.Local() == "CreditNote" {
			kind = "credit note"
		}
		sets = append(sets, coreUBL())
		switch id := root.Child(nsCBC, "CustomizationID").TrimmedText(); {
		case strings.HasPrefix(id, selfBillingID):
			sets = append(sets, selfBillingUBL())
		case strings.HasPrefix(id, billingID):
			sets = append(sets, billingUBL())
		}
	case root.Is(nsRSM, "CrossIndustryInvoice"):
		kind = "invoice"
		switch root.Child(nsRSM, "ExchangedDocument").Child(nsRAM, "TypeCode").TrimmedText() {
		case "81", "83", "261", "262", "296", "308", "381", "396", "420", "458", "502", "503", "532":
			kind = "credit note"
		}
		sets = append(sets, coreCII())
		id := root.Child(nsRSM, "ExchangedDocumentContext").Child(nsRAM, "GuidelineSpecifiedDocumentContextParameter").Child(nsRAM, "ID").TrimmedText()
		if strings.HasPrefix(id, billingID) {
			sets = append(sets, billingCII())
		}
	default:
		if d := edocument.RecogniseType(root); d != nil {
			s := transactionSet(d.Transaction)
			if s == nil {
				s = preAwardSetFor(d.Transaction, root.Child(nsCBC, "CustomizationID").TrimmedText())
			}
			if s != nil {
				return d.Name, []*Set{s}
			}
		}
	}
	return kind, sets
}
