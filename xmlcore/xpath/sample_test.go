package xpath_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
	"github.com/viadukt-eu/viadukt/xmlcore/xpath"
)

const (
	ubl = "urn:oasis:names:specification:ubl:schema:xsd:Invoice-2"
	cac = "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2"
	cbc = "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2"
)

// invoice writes an invoice of so many lines, some 21 kB for 20 of them.
func invoice(lines int) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `<Invoice xmlns=%q xmlns:cac=%q xmlns:cbc=%q>
  <cbc:CustomizationID>urn:example:billing:1.0</cbc:CustomizationID>
  <cbc:ProfileID>urn:example:process:01</cbc:ProfileID>
  <cbc:ID>2026-0815</cbc:ID>
  <cbc:IssueDate>2026-11-02</cbc:IssueDate>
  <cbc:DueDate>2026-12-02</cbc:DueDate>
  <cbc:InvoiceTypeCode>380</cbc:InvoiceTypeCode>
  <cbc:DocumentCurrencyCode>EUR</cbc:DocumentCurrencyCode>
  <cbc:BuyerReference>Unit 4711</cbc:BuyerReference>
`, ubl, cac, cbc)
	for _, party := range []string{"AccountingSupplierParty", "AccountingCustomerParty"} {
		fmt.Fprintf(&b, `  <cac:%[1]s>
    <cac:Party>
      <cbc:EndpointID schemeID="0088">4098765000010</cbc:EndpointID>
      <cac:PartyName><cbc:Name>Nordlicht Papier AG</cbc:Name></cac:PartyName>
      <cac:PostalAddress>
        <cbc:StreetName>Hafenweg 3</cbc:StreetName>
        <cbc:CityName>Kiel</cbc:CityName>
        <cbc:PostalZone>24103</cbc:PostalZone>
        <cac:Country><cbc:IdentificationCode>DE</cbc:IdentificationCode></cac:Country>
      </cac:PostalAddress>
      <cac:PartyTaxScheme>
        <cbc:CompanyID>DE123456788</cbc:CompanyID>
        <cac:TaxScheme><cbc:ID>VAT</cbc:ID></cac:TaxScheme>
      </cac:PartyTaxScheme>
      <cac:PartyLegalEntity><cbc:RegistrationName>Nordlicht Papier AG</cbc:RegistrationName></cac:PartyLegalEntity>
    </cac:Party>
  </cac:%[1]s>
`, party)
	}
	fmt.Fprintf(&b, `  <cac:PaymentMeans>
    <cbc:PaymentMeansCode>30</cbc:PaymentMeansCode>
    <cac:PayeeFinancialAccount><cbc:ID>DE02120300000000202051</cbc:ID></cac:PayeeFinancialAccount>
  </cac:PaymentMeans>
  <cac:TaxTotal>
    <cbc:TaxAmount currencyID="EUR">%.2[1]f</cbc:TaxAmount>
    <cac:TaxSubtotal>
      <cbc:TaxableAmount currencyID="EUR">%.2[2]f</cbc:TaxableAmount>
      <cbc:TaxAmount currencyID="EUR">%.2[1]f</cbc:TaxAmount>
      <cac:TaxCategory><cbc:ID>S</cbc:ID><cbc:Percent>19</cbc:Percent><cac:TaxScheme><cbc:ID>VAT</cbc:ID></cac:TaxScheme></cac:TaxCategory>
    </cac:TaxSubtotal>
  </cac:TaxTotal>
  <cac:LegalMonetaryTotal>
    <cbc:LineExtensionAmount currencyID="EUR">%.2[2]f</cbc:LineExtensionAmount>
    <cbc:TaxExclusiveAmount currencyID="EUR">%.2[2]f</cbc:TaxExclusiveAmount>
    <cbc:TaxInclusiveAmount currencyID="EUR">%.2[3]f</cbc:TaxInclusiveAmount>
    <cbc:PayableAmount currencyID="EUR">%.2[3]f</cbc:PayableAmount>
  </cac:LegalMonetaryTotal>
`, float64(lines)*19, float64(lines)*100, float64(lines)*119)
	for i := range lines {
		fmt.Fprintf(&b, `  <cac:InvoiceLine>
    <cbc:ID>%d</cbc:ID>
    <cbc:Note>Delivered in one parcel</cbc:Note>
    <cbc:InvoicedQuantity unitCode="C62">4</cbc:InvoicedQuantity>
    <cbc:LineExtensionAmount currencyID="EUR">100.00</cbc:LineExtensionAmount>
    <cac:OrderLineReference><cbc:LineID>%[1]d</cbc:LineID></cac:OrderLineReference>
    <cac:Item>
      <cbc:Description>Recycled paper, 80 g, A4, bundle of 500 sheets</cbc:Description>
      <cbc:Name>Paper A4</cbc:Name>
      <cac:SellersItemIdentification><cbc:ID>P-%[1]d</cbc:ID></cac:SellersItemIdentification>
      <cac:ClassifiedTaxCategory>
        <cbc:ID>S</cbc:ID>
        <cbc:Percent>19</cbc:Percent>
        <cac:TaxScheme><cbc:ID>VAT</cbc:ID></cac:TaxScheme>
      </cac:ClassifiedTaxCategory>
    </cac:Item>
    <cac:Price><cbc:PriceAmount currencyID="EUR">25.00</cbc:PriceAmount></cac:Price>
  </cac:InvoiceLine>
`, i+1)
	}
	b.WriteString("</Invoice>\n")
	return []byte(b.String())
}

func invoiceStatic() *xpath.Static {
	return &xpath.Static{
		Namespaces: map[string]string{"ubl": ubl, "cac": cac, "cbc": cbc},
		Names:      xpath.NewNames(),
		XSLT:       true,
	}
}

func parse(tb testing.TB, src string) *dom.Document {
	tb.Helper()
	d, err := dom.Parse([]byte(src), dom.Limits{})
	if err != nil {
		tb.Fatal(err)
	}
	return d
}
