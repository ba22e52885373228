package c14n

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

func invoice(size int) string {
	var b strings.Builder
	b.WriteString(`<Invoice xmlns="urn:oasis:names:specification:ubl:schema:xsd:Invoice-2" ` +
		`xmlns:cac="urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2" ` +
		`xmlns:cbc="urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2">`)
	for i := 1; b.Len() < size; i++ {
		fmt.Fprintf(&b, `
  <cac:InvoiceLine>
    <cbc:ID>%d</cbc:ID>
    <cbc:InvoicedQuantity unitCode="C62">%d</cbc:InvoicedQuantity>
    <cbc:LineExtensionAmount currencyID="EUR">%d.50</cbc:LineExtensionAmount>
    <cac:Item>
      <cbc:Description>Größe M, wetterfest &amp; gefüttert, Artikel der Sommerlieferung</cbc:Description>
      <cbc:Name>Arbeitsjacke</cbc:Name>
    </cac:Item>
  </cac:InvoiceLine>`, i, i%40, i*13)
	}
	b.WriteString("\n</Invoice>")
	return b.String()
}

const signedInfo = `<S12:Envelope xmlns:S12="http://www.w3.org/2003/05/soap-envelope"><ds:SignedInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#">` +
	`<ds:CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"><ec:InclusiveNamespaces ` +
	`xmlns:ec="http://www.w3.org/2001/10/xml-exc-c14n#" PrefixList="S12"></ec:InclusiveNamespaces></ds:CanonicalizationMethod>` +
	`<ds:Reference URI="#_1"><ds:Transforms><ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"></ds:Transform></ds:Transforms>` +
	`<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"></ds:DigestMethod>` +
	`<ds:DigestValue>q0pD5c2hK1yDqOZ3QW3y2RZcDk1c8b0xH7x0m0cGf0Y=</ds:DigestValue></ds:Reference></ds:SignedInfo></S12:Envelope>`

func BenchmarkWrite(b *testing.B) {
	for _, c := range []struct {
		name, src string
		m         Method
	}{
		{"exclusive/ubl/20KiB", invoice(20 << 10), Method{Algorithm: Exclusive10}},
		{"exclusive/ubl/1MiB", invoice(1 << 20), Method{Algorithm: Exclusive10}},
		{"inclusive/ubl/1MiB", invoice(1 << 20), Method{Algorithm: Inclusive10}},
		{"exclusive/signedinfo", signedInfo, Method{Algorithm: Exclusive10, InclusivePrefixes: []string{"S12"}}},
	} {
		b.Run(c.name, func(b *testing.B) {
			d, err := dom.Parse([]byte(c.src), dom.Limits{})
			if err != nil {
				b.Fatal(err)
			}
			apex := d.Root()
			if e := apex.FirstElement(); e.Local() == "SignedInfo" {
				apex = e
			}
			b.SetBytes(int64(len(apex.Raw())))
			b.ReportAllocs()
			for b.Loop() {
				if err := c.m.Write(io.Discard, apex); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
