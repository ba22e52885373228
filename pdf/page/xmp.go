package page

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strings"
	"time"
)

// escaped makes a text fit for XML.
func escaped(s string) string {
	var t strings.Builder
	if err := xml.EscapeText(&t, []byte(clean(s))); err != nil {
		panic(err) // a strings.Builder takes everything
	}
	return t.String()
}

const nsRDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"

// Values is the rdf:Description with the properties of the schema.
func (s Schema) Values() string {
	var b strings.Builder
	fmt.Fprintf(&b, "<rdf:Description xmlns:rdf=\"%s\" rdf:about=\"\" xmlns:%s=\"%s\">\n", nsRDF, s.Prefix, escaped(s.Namespace))
	for _, p := range s.Properties {
		fmt.Fprintf(&b, "<%s:%s>%s</%[1]s:%[2]s>\n", s.Prefix, p.Name, escaped(p.Value))
	}
	b.WriteString("</rdf:Description>\n")
	return b.String()
}

// Described is the rdf:li that describes the schema, among those of pdfaExtension:schemas [ISO 19005-3 6.6.2.3].
func (s Schema) Described() string {
	var b strings.Builder
	fmt.Fprintf(&b, "<rdf:li xmlns:rdf=\"%s\" xmlns:pdfaSchema=\"http://www.aiim.org/pdfa/ns/schema#\" xmlns:pdfaProperty=\"http://www.aiim.org/pdfa/ns/property#\" rdf:parseType=\"Resource\">\n", nsRDF)
	fmt.Fprintf(&b, "<pdfaSchema:schema>%s</pdfaSchema:schema>\n<pdfaSchema:namespaceURI>%s</pdfaSchema:namespaceURI>\n<pdfaSchema:prefix>%s</pdfaSchema:prefix>\n<pdfaSchema:property><rdf:Seq>\n",
		escaped(s.Title), escaped(s.Namespace), s.Prefix)
	for _, p := range s.Properties {
		kind, category := "Text", "external"
		if p.number {
			kind, category = "Integer", "internal"
		}
		fmt.Fprintf(&b, "<rdf:li rdf:parseType=\"Resource\"><pdfaProperty:name>%s</pdfaProperty:name><pdfaProperty:valueType>%s</pdfaProperty:valueType><pdfaProperty:category>%s</pdfaProperty:category><pdfaProperty:description>%s</pdfaProperty:description></rdf:li>\n",
			p.Name, kind, category, escaped(p.Description))
	}
	b.WriteString("</rdf:Seq></pdfaSchema:property>\n</rdf:li>\n")
	return b.String()
}

// Extension is the rdf:Description that describes schemas which PDF/A does not know.
func Extension(schemas ...Schema) string {
	var b strings.Builder
	fmt.Fprintf(&b, "<rdf:Description xmlns:rdf=\"%s\" rdf:about=\"\" xmlns:pdfaExtension=\"http://www.aiim.org/pdfa/ns/extension/\">\n<pdfaExtension:schemas><rdf:Bag>\n", nsRDF)
	for _, s := range schemas {
		b.WriteString(s.Described())
	}
	b.WriteString("</rdf:Bag></pdfaExtension:schemas>\n</rdf:Description>\n")
	return b.String()
}

// packet writes the metadata of the document in XMP. It agrees with the information dictionary, as PDF/A demands.
func packet(o *Options) []byte {
	var b bytes.Buffer
	created := o.Created.UTC().Format(time.RFC3339)
	schemas := append([]Schema{{Title: "PDF/UA identification", Namespace: "http://www.aiim.org/pdfua/ns/id/", Prefix: "pdfuaid", Properties: []Property{{Name: "part", Value: "1", Description: "Part of PDF/UA", number: true}}}}, o.Metadata...)
	b.WriteString("<?xpacket begin=\"\ufeff\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>\n<x:xmpmeta xmlns:x=\"adobe:ns:meta/\">\n<rdf:RDF xmlns:rdf=\"" + nsRDF + "\">\n" +
		`<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:pdf="http://ns.adobe.com/pdf/1.3/" xmlns:pdfaid="http://www.aiim.org/pdfa/ns/id/">` + "\n" +
		"<pdfaid:part>3</pdfaid:part>\n<pdfaid:conformance>A</pdfaid:conformance>\n<dc:format>application/pdf</dc:format>\n")
	fmt.Fprintf(&b, "<dc:title><rdf:Alt><rdf:li xml:lang=\"x-default\">%s</rdf:li></rdf:Alt></dc:title>\n", escaped(o.Title))
	fmt.Fprintf(&b, "<dc:language><rdf:Bag><rdf:li>%s</rdf:li></rdf:Bag></dc:language>\n", escaped(o.Language))
	if o.Author != "" {
		fmt.Fprintf(&b, "<dc:creator><rdf:Seq><rdf:li>%s</rdf:li></rdf:Seq></dc:creator>\n", escaped(o.Author))
	}
	if o.Subject != "" {
		fmt.Fprintf(&b, "<dc:description><rdf:Alt><rdf:li xml:lang=\"x-default\">%s</rdf:li></rdf:Alt></dc:description>\n", escaped(o.Subject))
	}
	if o.Creator != "" {
		fmt.Fprintf(&b, "<xmp:CreatorTool>%s</xmp:CreatorTool>\n", escaped(o.Creator))
	}
	fmt.Fprintf(&b, "<xmp:CreateDate>%s</xmp:CreateDate>\n<xmp:ModifyDate>%[1]s</xmp:ModifyDate>\n<xmp:MetadataDate>%[1]s</xmp:MetadataDate>\n<pdf:Producer>%s</pdf:Producer>\n</rdf:Description>\n", created, producer)
	for _, s := range schemas {
		b.WriteString(s.Values())
	}
	b.WriteString(Extension(schemas...))
	b.WriteString("</rdf:RDF>\n</x:xmpmeta>\n")
	b.WriteString(strings.Repeat(strings.Repeat(" ", 99)+"\n", 20)) // room for those who change it in place
	b.WriteString("<?xpacket end=\"w\"?>")
	return b.Bytes()
}
