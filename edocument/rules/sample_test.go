package rules

import (
	"fmt"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// sample writes an invented invoice with that many lines that obeys every rule; replace changes it by pairs.
func sample(lines int, replace ...string) []byte {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>
<Invoice xmlns="` + nsInvoice + `" xmlns:cac="` + nsCAC + `" xmlns:cbc="` + nsCBC + `">
  <cbc:CustomizationID>` + billingID + `</cbc:CustomizationID>
  <cbc:ProfileID>urn:fdc:peppol.eu:2017:poacc:billing:01:1.0</cbc:ProfileID>
  <cbc:ID>2026-0417</cbc:ID>
  <cbc:IssueDate>2026-04-17</cbc:IssueDate>
  <cbc:DueDate>2026-05-17</cbc:DueDate>
  <cbc:InvoiceTypeCode>380</cbc:InvoiceTypeCode>
  <cbc:Note>Lighthouse lamps, spring delivery</cbc:Note>
  <cbc:DocumentCurrencyCode>EUR</cbc:DocumentCurrencyCode>
  <cbc:BuyerReference>Harbour office 3</cbc:BuyerReference>
  <cac:AccountingSupplierParty><cac:Party>
    <cbc:EndpointID schemeID="0191">10137025</cbc:EndpointID>
    <cac:PartyName><cbc:Name>Tuletorn</cbc:Name></cac:PartyName>
    <cac:PostalAddress><cbc:StreetName>Sadama 1</cbc:StreetName><cbc:CityName>Tallinn</cbc:CityName><cbc:PostalZone>10111</cbc:PostalZone><cac:Country><cbc:IdentificationCode>EE</cbc:IdentificationCode></cac:Country></cac:PostalAddress>
    <cac:PartyTaxScheme><cbc:CompanyID>EE100137025</cbc:CompanyID><cac:TaxScheme><cbc:ID>VAT</cbc:ID></cac:TaxScheme></cac:PartyTaxScheme>
    <cac:PartyLegalEntity><cbc:RegistrationName>Tuletorn OÜ</cbc:RegistrationName><cbc:CompanyID schemeID="0191">10137025</cbc:CompanyID></cac:PartyLegalEntity>
  </cac:Party></cac:AccountingSupplierParty>
  <cac:AccountingCustomerParty><cac:Party>
    <cbc:EndpointID schemeID="0191">70009770</cbc:EndpointID>
    <cac:PostalAddress><cbc:CityName>Pärnu</cbc:CityName><cac:Country><cbc:IdentificationCode>EE</cbc:IdentificationCode></cac:Country></cac:PostalAddress>
    <cac:PartyLegalEntity><cbc:RegistrationName>Pärnu sadam</cbc:RegistrationName></cac:PartyLegalEntity>
  </cac:Party></cac:AccountingCustomerParty>
  <cac:PaymentMeans><cbc:PaymentMeansCode>30</cbc:PaymentMeansCode><cac:PayeeFinancialAccount><cbc:ID>EE382200221020145685</cbc:ID></cac:PayeeFinancialAccount></cac:PaymentMeans>
`)
	total := 25 * 4 * lines // euros
	tax := total * 24       // cents
	fmt.Fprintf(&b, `  <cac:TaxTotal><cbc:TaxAmount currencyID="EUR">%d.%02d</cbc:TaxAmount><cac:TaxSubtotal><cbc:TaxableAmount currencyID="EUR">%d.00</cbc:TaxableAmount><cbc:TaxAmount currencyID="EUR">%[1]d.%02[2]d</cbc:TaxAmount><cac:TaxCategory><cbc:ID>S</cbc:ID><cbc:Percent>24</cbc:Percent><cac:TaxScheme><cbc:ID>VAT</cbc:ID></cac:TaxScheme></cac:TaxCategory></cac:TaxSubtotal></cac:TaxTotal>
  <cac:LegalMonetaryTotal><cbc:LineExtensionAmount currencyID="EUR">%[3]d.00</cbc:LineExtensionAmount><cbc:TaxExclusiveAmount currencyID="EUR">%[3]d.00</cbc:TaxExclusiveAmount><cbc:TaxInclusiveAmount currencyID="EUR">%d.%02d</cbc:TaxInclusiveAmount><cbc:PayableAmount currencyID="EUR">%[4]d.%02[5]d</cbc:PayableAmount></cac:LegalMonetaryTotal>
`, tax/100, tax%100, total, (total*100+tax)/100, (total*100+tax)%100)
	for i := range lines {
		fmt.Fprintf(&b, `  <cac:InvoiceLine>
    <cbc:ID>%d</cbc:ID>
    <cbc:InvoicedQuantity unitCode="C62">4</cbc:InvoicedQuantity>
    <cbc:LineExtensionAmount currencyID="EUR">100.00</cbc:LineExtensionAmount>
    <cac:OrderLineReference><cbc:LineID>%[1]d</cbc:LineID></cac:OrderLineReference>
    <cac:Item>
      <cbc:Description>Lamp for a lighthouse, number %[1]d of the series</cbc:Description>
      <cbc:Name>Lamp %[1]d</cbc:Name>
      <cac:SellersItemIdentification><cbc:ID>L-%[1]d</cbc:ID></cac:SellersItemIdentification>
      <cac:OriginCountry><cbc:IdentificationCode>EE</cbc:IdentificationCode></cac:OriginCountry>
      <cac:CommodityClassification><cbc:ItemClassificationCode listID="STI">39111520</cbc:ItemClassificationCode></cac:CommodityClassification>
      <cac:ClassifiedTaxCategory><cbc:ID>S</cbc:ID><cbc:Percent>24</cbc:Percent><cac:TaxScheme><cbc:ID>VAT</cbc:ID></cac:TaxScheme></cac:ClassifiedTaxCategory>
    </cac:Item>
    <cac:Price><cbc:PriceAmount currencyID="EUR">25</cbc:PriceAmount><cbc:BaseQuantity unitCode="C62">1</cbc:BaseQuantity></cac:Price>
  </cac:InvoiceLine>
`, i+1)
	}
	b.WriteString("</Invoice>\n")
	return []byte(strings.NewReplacer(replace...).Replace(b.String()))
}

func judge(tb testing.TB, src []byte) *edocument.Report {
	tb.Helper()
	d, err := dom.Parse(src, dom.Limits{})
	if err != nil {
		tb.Fatal(err)
	}
	r, err := Validate(d, Options{})
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func TestARightInvoiceHasNoFindings(t *testing.T) {
	t.Parallel()
	for _, lines := range []int{1, 3, 200} {
		if r := judge(t, sample(lines)); !r.Valid || len(r.Findings) > 0 || len(r.Pack) != 2 || r.Type != "invoice" {
			t.Errorf("%d lines: %+v", lines, r)
		}
	}
}

func TestAFailedFormulaIsExplained(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, from, to, id, value, remedy string }{
		{"the total with VAT", `>124.00</cbc:TaxInclusiveAmount>`, `>123.50</cbc:TaxInclusiveAmount>`, "BR-CO-15", "BT-112 = 123.50, BT-109 + BT-110 = 124.00, difference 0.50", "Set BT-112 to 124.00"},
		{"the sum of lines", `EUR">100.00</cbc:LineExtensionAmount>
    <cac:Order`, `EUR">99.00</cbc:LineExtensionAmount>
    <cac:Order`, "BR-CO-10", "BT-106 = 100.00, Σ BT-131 = 99.00, difference 1.00", "Set BT-106 to 99.00"},
		{"the net amount of a line", `>4</cbc:InvoicedQuantity>`, `>5</cbc:InvoicedQuantity>`, "PEPPOL-EN16931-R120", "BT-131 = 100.00, BT-129 × BT-146 = 125, difference 25.00", "Set BT-131 to 125"},
		{"the amount due", `>124.00</cbc:PayableAmount>`, `>100</cbc:PayableAmount>`, "BR-CO-16", "BT-115 = 100, BT-112 = 124.00, difference 24.00", "Set BT-115 to 124.00"},
		{"a missing amount", `<cbc:TaxExclusiveAmount currencyID="EUR">100.00</cbc:TaxExclusiveAmount>`, ``, "BR-CO-13", "BT-109 is missing or no number, BT-106 = 100.00", "Set BT-109 to 100.00."},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := judge(t, sample(1, c.from, c.to))
			for _, f := range r.Findings {
				if f.ID == c.id {
					if f.Value != c.value || !strings.HasPrefix(f.Remedy, c.remedy) {
						t.Errorf("value %q, remedy %q", f.Value, f.Remedy)
					}
					return
				}
			}
			t.Errorf("%s is not among %+v", c.id, r.Findings)
		})
	}
}

func TestAFindingSaysWhere(t *testing.T) {
	t.Parallel()
	src := string(sample(3, "<cbc:Name>Lamp 2</cbc:Name>", "<cbc:Name> </cbc:Name>"))
	line := func(mark string) int {
		return 1 + strings.Count(src[:strings.LastIndex(src[:strings.Index(src, "<cbc:Name> ")+1], mark)], "\n")
	}
	want := map[string]string{
		"BR-25":               fmt.Sprintf("/Invoice/cac:InvoiceLine[2] %d:3", line("<cac:InvoiceLine>")),
		"PEPPOL-EN16931-R008": fmt.Sprintf("/Invoice/cac:InvoiceLine[2]/cac:Item/cbc:Name %d:7", line("<")),
	}
	r := judge(t, []byte(src))
	if r.Valid || len(r.Findings) != len(want) {
		t.Fatalf("%+v", r)
	}
	for _, f := range r.Findings {
		if got := fmt.Sprintf("%s %d:%d", f.Location, f.Line, f.Column); got != want[f.ID] {
			t.Errorf("%s at %s, want %s", f.ID, got, want[f.ID])
		}
	}
}

func TestAnythingElseIsNotJudged(t *testing.T) {
	t.Parallel()
	d, err := dom.Parse([]byte(`<Waybill xmlns="urn:oasis:names:specification:ubl:schema:xsd:Waybill-2"/>`), dom.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Validate(d, Options{}); err != edocument.ErrUnknownType {
		t.Error(err)
	}
}

// Findings without end cost bounded work, and still refuse.
func TestFindingsAreBounded(t *testing.T) {
	t.Parallel()
	d, err := dom.Parse(sample(500, "<cbc:ID>S</cbc:ID>", "<cbc:ID>X</cbc:ID>"), dom.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := Validate(d, Options{MaxFindings: 50})
	if err != nil || r.Valid || len(r.Findings) > 100 || r.Suppressed < 400 {
		t.Errorf("%v, valid %t, %d findings, %d suppressed", err, r.Valid, len(r.Findings), r.Suppressed)
	}
}

// A document that makes rules quadratic ends with an error after bounded work.
func TestAHostileDocumentIsGivenUp(t *testing.T) {
	t.Parallel()
	src := string(sample(6000))
	from, to := strings.Index(src, "  <cac:LegalMonetaryTotal>"), strings.Index(src, "  <cac:InvoiceLine>")
	d, err := dom.Parse([]byte(src[:to]+strings.Repeat(src[from:to], 20000)+src[to:]), dom.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Validate(d, Options{}); err != ErrLimit {
		t.Errorf("%v, want ErrLimit", err)
	}
	x := coreUBL().run(mustParse(t, sample(2000)), 10)
	defer x.release()
	if x.steps*3 > x.budget-stepsAlways {
		t.Errorf("%d steps of %d for an invoice like others", x.steps, x.budget)
	}
}

func mustParse(tb testing.TB, src []byte) *dom.Document {
	tb.Helper()
	d, err := dom.Parse(src, dom.Limits{})
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

func BenchmarkValidate(b *testing.B) {
	for _, c := range []struct {
		name  string
		lines int
	}{{"invoice/21KB", 15}, {"invoice/8.2MB", 7250}} {
		src := sample(c.lines)
		doc, err := dom.Parse(append([]byte(nil), src...), dom.Limits{})
		if err != nil {
			b.Fatal(err)
		}
		b.Run("rules/"+c.name, func(b *testing.B) {
			b.SetBytes(int64(len(src)))
			b.ReportAllocs()
			for b.Loop() {
				if r, err := Validate(doc, Options{}); err != nil || !r.Valid {
					b.Fatal(err, r)
				}
			}
		})
		b.Run("parse+rules/"+c.name, func(b *testing.B) {
			b.SetBytes(int64(len(src)))
			b.ReportAllocs()
			for b.Loop() {
				d, err := dom.Parse(append([]byte(nil), src...), dom.Limits{})
				if err != nil {
					b.Fatal(err)
				}
				if r, err := Validate(d, Options{}); err != nil || !r.Valid {
					b.Fatal(err, r)
				}
			}
		})
	}
}
