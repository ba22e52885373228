package dom

import (
	"fmt"
	"strings"
	"testing"
)

// ubl makes an invoice of about size octets.
func ubl(size int, indent bool) []byte {
	var b strings.Builder
	nl := func(depth int) {
		if indent {
			b.WriteString("\n" + strings.Repeat("  ", depth))
		}
	}
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n" +
		`<Invoice xmlns="urn:oasis:names:specification:ubl:schema:xsd:Invoice-2" ` +
		`xmlns:cac="urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2" ` +
		`xmlns:cbc="urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2">`)
	for i := 1; b.Len() < size; i++ {
		nl(1)
		b.WriteString("<cac:InvoiceLine>")
		nl(2)
		fmt.Fprintf(&b, "<cbc:ID>%d</cbc:ID>", i)
		nl(2)
		fmt.Fprintf(&b, `<cbc:InvoicedQuantity unitCode="C62">%d</cbc:InvoicedQuantity>`, i%40)
		nl(2)
		fmt.Fprintf(&b, `<cbc:LineExtensionAmount currencyID="EUR">%d.50</cbc:LineExtensionAmount>`, i*13)
		nl(2)
		b.WriteString("<cac:Item>")
		nl(3)
		b.WriteString("<cbc:Description>Größe M, wetterfest &amp; gefüttert, Artikel der Sommerlieferung</cbc:Description>")
		nl(3)
		b.WriteString("<cbc:Name>Arbeitsjacke</cbc:Name>")
		nl(3)
		b.WriteString("<cac:ClassifiedTaxCategory>")
		nl(4)
		b.WriteString("<cbc:ID>S</cbc:ID>")
		nl(4)
		b.WriteString("<cbc:Percent>19</cbc:Percent>")
		nl(4)
		b.WriteString("<cac:TaxScheme>")
		nl(5)
		b.WriteString("<cbc:ID>VAT</cbc:ID>")
		nl(4)
		b.WriteString("</cac:TaxScheme>")
		nl(3)
		b.WriteString("</cac:ClassifiedTaxCategory>")
		nl(2)
		b.WriteString("</cac:Item>")
		nl(1)
		b.WriteString("</cac:InvoiceLine>")
	}
	b.WriteString("\n</Invoice>\n")
	return []byte(b.String())
}

// envelope makes an AS4 envelope of about 8 kB: many namespaces, declared where used, and base64.
func envelope() []byte {
	var b strings.Builder
	b.WriteString(`<S12:Envelope xmlns:S12="http://www.w3.org/2003/05/soap-envelope"><S12:Header>` +
		`<eb:Messaging xmlns:eb="http://docs.oasis-open.org/ebxml-msg/ebms/v3.0/ns/core/200704/" ` +
		`xmlns:wsu="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd" ` +
		`wsu:Id="_1f2c" S12:mustUnderstand="true"><eb:UserMessage><eb:MessageInfo><eb:Timestamp>2026-05-01T10:00:00.000Z</eb:Timestamp>` +
		`<eb:MessageId>6d0b8c1e-11f2@ap.example</eb:MessageId></eb:MessageInfo><eb:PartyInfo>` +
		`<eb:From><eb:PartyId type="urn:example:type">AP-1</eb:PartyId><eb:Role>http://example.org/initiator</eb:Role></eb:From>` +
		`<eb:To><eb:PartyId type="urn:example:type">AP-2</eb:PartyId><eb:Role>http://example.org/responder</eb:Role></eb:To></eb:PartyInfo>` +
		`<eb:CollaborationInfo><eb:Service type="t">urn:service</eb:Service><eb:Action>urn:action</eb:Action>` +
		`<eb:ConversationId>1</eb:ConversationId></eb:CollaborationInfo><eb:MessageProperties>` +
		`<eb:Property name="originalSender">urn:sender</eb:Property><eb:Property name="finalRecipient">urn:recipient</eb:Property>` +
		`</eb:MessageProperties><eb:PayloadInfo><eb:PartInfo href="cid:part-1@ap.example"><eb:PartProperties>` +
		`<eb:Property name="MimeType">application/xml</eb:Property><eb:Property name="CompressionType">application/gzip</eb:Property>` +
		`</eb:PartProperties></eb:PartInfo></eb:PayloadInfo></eb:UserMessage></eb:Messaging>` +
		`<wsse:Security xmlns:wsse="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd" ` +
		`xmlns:wsu="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd" S12:mustUnderstand="true">` +
		`<wsse:BinarySecurityToken wsu:Id="X509-1">` + strings.Repeat("MIIDdzCCAl+gAwIBAgIEAgAAuT", 80) + `</wsse:BinarySecurityToken>` +
		`<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#" Id="SIG-1"><ds:SignedInfo>` +
		`<ds:CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"><ec:InclusiveNamespaces ` +
		`xmlns:ec="http://www.w3.org/2001/10/xml-exc-c14n#" PrefixList="S12"></ec:InclusiveNamespaces></ds:CanonicalizationMethod>`)
	for i := range 6 {
		fmt.Fprintf(&b, `<ds:Reference URI="#_%d"><ds:Transforms><ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#">`+
			`<ec:InclusiveNamespaces xmlns:ec="http://www.w3.org/2001/10/xml-exc-c14n#" PrefixList="S12"></ec:InclusiveNamespaces>`+
			`</ds:Transform></ds:Transforms><ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"></ds:DigestMethod>`+
			`<ds:DigestValue>q0pD5c2hK1yDqOZ3QW3y2RZcDk1c8b0xH7x0m0cGf0Y=</ds:DigestValue></ds:Reference>`, i)
	}
	b.WriteString(`</ds:SignedInfo><ds:SignatureValue>` + strings.Repeat("q0pD5c2hK1yDqOZ3", 22) + `</ds:SignatureValue></ds:Signature>` +
		`</wsse:Security></S12:Header><S12:Body xmlns:wsu="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd" ` +
		`wsu:Id="_body"></S12:Body></S12:Envelope>`)
	return []byte(b.String())
}

func BenchmarkParse(b *testing.B) {
	for _, c := range []struct {
		name string
		src  []byte
	}{
		{"envelope/8KiB", envelope()},
		{"ubl/20KiB", ubl(20<<10, true)},
		{"ubl/1MiB", ubl(1<<20, true)},
		{"ubl-compact/1MiB", ubl(1<<20, false)},
		{"ubl-crlf/1MiB", []byte(strings.ReplaceAll(string(ubl(1<<20, true)), "\n", "\r\n"))},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(c.src)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse(c.src, Limits{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
