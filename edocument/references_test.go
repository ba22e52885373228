package edocument

import (
	"fmt"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

func TestDocumentsSayWhatTheyAreAbout(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, root, body, self, about, procedure string }{
		{"an order from a catalogue, in a procedure", "Order", `<b:ID>B-7</b:ID><a:OriginatorDocumentReference><b:ID>PP-1</b:ID></a:OriginatorDocumentReference><a:CatalogueReference><b:ID>C-1</b:ID></a:CatalogueReference>`, "order B-7", "procedure PP-1, catalogue C-1", ""},
		{"an answer to an order", "OrderResponse", `<b:ID>A-1</b:ID><b:OrderResponseCode>AP</b:OrderResponseCode><a:OrderReference><b:ID>B-7</b:ID></a:OrderReference>`, "order response A-1", "order B-7", ""},
		{"an agreement takes the place of an order", "OrderResponse", `<b:ID>A-1</b:ID>`, "order response A-1, order A-1", "", ""},
		{"a despatch for two orders", "DespatchAdvice", `<b:ID>D-1</b:ID>` + strings.Repeat(`<a:DespatchLine><a:OrderLineReference><a:OrderReference><b:ID>B-7</b:ID></a:OrderReference></a:OrderLineReference></a:DespatchLine>`, 2) +
			`<a:DespatchLine><a:OrderLineReference><a:OrderReference><b:ID> B-8 </b:ID></a:OrderReference></a:OrderLineReference></a:DespatchLine>`, "despatch advice D-1", "order B-7, order B-8", ""},
		{"an invoice", "Invoice", `<b:ID>R-1</b:ID><a:OrderReference><b:ID>B-7</b:ID></a:OrderReference><a:DespatchDocumentReference><b:ID>D-1</b:ID></a:DespatchDocumentReference>`, "invoice R-1", "order B-7, despatch advice D-1", ""},
		{"a credit note", "CreditNote", `<b:ID>G-1</b:ID><a:BillingReference><a:InvoiceDocumentReference><b:ID>R-1</b:ID></a:InvoiceDocumentReference></a:BillingReference>`, "credit note G-1", "invoice R-1", ""},
		{"an invoice response", "ApplicationResponse", `<b:CustomizationID>urn:fdc:peppol.eu:poacc:trns:invoice_response:3</b:CustomizationID><b:ID>X</b:ID><a:DocumentResponse><a:DocumentReference><b:ID>R-1</b:ID></a:DocumentReference></a:DocumentResponse>`, "document X", "invoice R-1, credit note R-1", ""},
		{"a status is about an envelope", "ApplicationResponse", `<b:CustomizationID>urn:peppol:edec:mls:1.0</b:CustomizationID><b:ID>X</b:ID><a:DocumentResponse><a:DocumentReference><b:ID>R-1</b:ID></a:DocumentReference></a:DocumentResponse>`, "document X", "", ""},
		{"a tender", "Tender", `<b:ID>T-1</b:ID><b:ContractFolderID>PP-1</b:ContractFolderID>`, "tender T-1", "", "PP-1"},
		{"nothing", "Order", ``, "", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			doc, err := dom.Parse([]byte(`<`+c.root+` xmlns="`+ubl+c.root+`-2" xmlns:a="`+ublCAC+`" xmlns:b="`+ublCBC+`">`+c.body+`</`+c.root+`>`), dom.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			p := ProcessOf(doc.Root())
			list := func(refs []Reference) string {
				var out []string
				for _, r := range refs {
					out = append(out, fmt.Sprintf("%s %s", r.Subject, r.Number))
				}
				return strings.Join(out, ", ")
			}
			if list(p.Self) != c.self || list(p.About) != c.about || p.Procedure != c.procedure {
				t.Errorf("%q about %q in %q", list(p.Self), list(p.About), p.Procedure)
			}
		})
	}
}

// A document with any number of references costs a bounded number of labels.
func TestReferencesAreBounded(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for i := range 10 * mostReferences {
		fmt.Fprintf(&b, `<a:DespatchLine><a:OrderLineReference><a:OrderReference><b:ID>%d</b:ID></a:OrderReference></a:OrderLineReference></a:DespatchLine>`, i)
	}
	doc, err := dom.Parse([]byte(`<DespatchAdvice xmlns="`+ubl+`DespatchAdvice-2" xmlns:a="`+ublCAC+`" xmlns:b="`+ublCBC+`">`+b.String()+`</DespatchAdvice>`), dom.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(ProcessOf(doc.Root()).About); n != mostReferences {
		t.Errorf("%d references", n)
	}
}
