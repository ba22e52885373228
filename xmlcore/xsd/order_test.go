package xsd

import (
	"bytes"
	"fmt"
	"testing"
	"testing/fstest"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// The schema of an order, in the style of business documents: references to global elements in sequences, types derived in
// three steps, code lists, keys.
const (
	orderTypes = `<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:example:types" xmlns="urn:example:types" elementFormDefault="qualified">
<xs:simpleType name="Code"><xs:restriction base="xs:token"><xs:maxLength value="8"/><xs:pattern value="[A-Z0-9]+"/></xs:restriction></xs:simpleType>
<xs:complexType name="Amount"><xs:simpleContent><xs:extension base="xs:decimal"><xs:attribute name="currency" use="required"><xs:simpleType>
<xs:restriction base="Code"><xs:enumeration value="EUR"/><xs:enumeration value="PLN"/><xs:enumeration value="SEK"/></xs:restriction></xs:simpleType></xs:attribute></xs:extension></xs:simpleContent></xs:complexType>
<xs:complexType name="Price"><xs:simpleContent><xs:restriction base="Amount"><xs:minInclusive value="0"/><xs:fractionDigits value="4"/></xs:restriction></xs:simpleContent></xs:complexType>
<xs:complexType name="Text"><xs:simpleContent><xs:extension base="xs:string"><xs:attribute name="lang" type="xs:language"/></xs:extension></xs:simpleContent></xs:complexType>
<xs:complexType name="Name"><xs:simpleContent><xs:restriction base="Text"><xs:minLength value="1"/></xs:restriction></xs:simpleContent></xs:complexType>
<xs:element name="ID" type="xs:token"/><xs:element name="Name" type="Name"/><xs:element name="Note" type="Text"/><xs:element name="IssueDate" type="xs:date"/>
<xs:element name="Quantity"><xs:complexType><xs:simpleContent><xs:extension base="xs:decimal"><xs:attribute name="unit" type="Code" default="C62"/></xs:extension></xs:simpleContent></xs:complexType></xs:element>
<xs:element name="PriceAmount" type="Price"/><xs:element name="LineAmount" type="Amount"/><xs:element name="Country" type="Code"/>
</xs:schema>`
	orderMain = `<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:example:order" xmlns="urn:example:order" xmlns:t="urn:example:types" elementFormDefault="qualified">
<xs:import namespace="urn:example:types" schemaLocation="types.xsd"/>
<xs:complexType name="Party"><xs:sequence><xs:element ref="t:ID" minOccurs="0" maxOccurs="unbounded"/><xs:element ref="t:Name"/><xs:element ref="t:Country" minOccurs="0"/></xs:sequence></xs:complexType>
<xs:complexType name="Line"><xs:sequence><xs:element ref="t:ID"/><xs:element ref="t:Note" minOccurs="0" maxOccurs="3"/><xs:element ref="t:Quantity"/><xs:element ref="t:LineAmount" minOccurs="0"/>
<xs:element name="Item"><xs:complexType><xs:sequence><xs:element ref="t:Name"/><xs:element ref="t:ID" minOccurs="0"/></xs:sequence></xs:complexType></xs:element>
<xs:element name="Price" minOccurs="0"><xs:complexType><xs:sequence><xs:element ref="t:PriceAmount"/></xs:sequence></xs:complexType></xs:element></xs:sequence></xs:complexType>
<xs:element name="Order"><xs:complexType><xs:sequence><xs:element ref="t:ID"/><xs:element ref="t:IssueDate"/><xs:element ref="t:Note" minOccurs="0" maxOccurs="unbounded"/>
<xs:element name="Buyer" type="Party"/><xs:element name="Seller" type="Party"/><xs:element name="Line" type="Line" maxOccurs="unbounded"/></xs:sequence></xs:complexType></xs:element>
</xs:schema>`
)

func orderSchema(tb testing.TB) *Schema {
	tb.Helper()
	s, err := Compile(fstest.MapFS{"types.xsd": {Data: []byte(orderTypes)}, "order.xsd": {Data: []byte(orderMain)}}, Options{}, "order.xsd")
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// order is a valid document with so many lines.
func order(lines int) []byte {
	var b bytes.Buffer
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>
<o:Order xmlns:o="urn:example:order" xmlns:t="urn:example:types">
  <t:ID>2026-4711</t:ID>
  <t:IssueDate>2026-11-28</t:IssueDate>
  <t:Note lang="et">Palun tarnida hommikul</t:Note>
  <o:Buyer><t:ID>EE100</t:ID><t:Name>Tartu Linn</t:Name><t:Country>EE</t:Country></o:Buyer>
  <o:Seller><t:Name lang="sv">Norrköpings Papper</t:Name></o:Seller>
`)
	for i := range lines {
		fmt.Fprintf(&b, `  <o:Line>
    <t:ID>%d</t:ID>
    <t:Quantity unit="C62">%d</t:Quantity>
    <t:LineAmount currency="EUR">%d.40</t:LineAmount>
    <o:Item>
      <t:Name>Copy paper &amp; envelopes, white, A4</t:Name>
      <t:ID>ART%06d</t:ID>
    </o:Item>
    <o:Price>
      <t:PriceAmount currency="EUR">1.20</t:PriceAmount>
    </o:Price>
  </o:Line>
`, i+1, i%7+1, i, i)
	}
	b.WriteString("</o:Order>\n")
	return b.Bytes()
}

func parse(tb testing.TB, s string) *dom.Document {
	tb.Helper()
	d, err := dom.Parse([]byte(s), dom.Limits{})
	if err != nil {
		tb.Fatal(err)
	}
	return d
}
