package sbdh

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// invoice is an XML document of about size octets, shaped like business documents are.
func invoice(size int) []byte {
	line := "  <cac:InvoiceLine>\n    <cbc:ID>%d</cbc:ID>\n    <cbc:LineExtensionAmount currencyID=\"EUR\">1273</cbc:LineExtensionAmount>\n  </cac:InvoiceLine>\n"
	var b bytes.Buffer
	b.WriteString("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Invoice xmlns=\"urn:example:invoice\" xmlns:cac=\"urn:example:cac\" xmlns:cbc=\"urn:example:cbc\">\n")
	for i := 0; b.Len() < size; i++ {
		fmt.Fprintf(&b, line, i)
	}
	b.WriteString("</Invoice>\n")
	return b.Bytes()
}

var sizes = []struct {
	name string
	n    int
}{{"5kB", 5_000}, {"50MB", 50_000_000}}

func BenchmarkWrite(b *testing.B) {
	for _, size := range sizes {
		b.Run(size.name, func(b *testing.B) {
			doc, h := invoice(size.n), testHeader(b)
			b.SetBytes(int64(len(doc)))
			b.ReportAllocs()
			for b.Loop() {
				if err := Write(io.Discard, h, bytes.NewReader(doc)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkRead(b *testing.B) {
	for _, size := range sizes {
		var buf bytes.Buffer
		if err := Write(&buf, testHeader(b), bytes.NewReader(invoice(size.n))); err != nil {
			b.Fatal(err)
		}
		own := buf.Bytes()
		// With a declaration on the envelope that the payload has not, as many write it, every tag has to be looked at.
		foreign := []byte(strings.Replace(string(own), "<StandardBusinessDocument ", `<StandardBusinessDocument xmlns:xs="http://www.w3.org/2001/XMLSchema" `, 1))
		for name, doc := range map[string][]byte{"own": own, "foreign": foreign} {
			b.Run(name+"/"+size.name, func(b *testing.B) {
				b.SetBytes(int64(len(doc)))
				b.ReportAllocs()
				for b.Loop() {
					m, err := Read(bytes.NewReader(doc), Limits{})
					if err != nil {
						b.Fatal(err)
					}
					if _, err := io.Copy(io.Discard, m.Payload); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkParse(b *testing.B) {
	var buf bytes.Buffer
	if err := Write(&buf, testHeader(b), bytes.NewReader(invoice(5_000))); err != nil {
		b.Fatal(err)
	}
	d, err := dom.Parse(buf.Bytes(), dom.Limits{})
	if err != nil {
		b.Fatal(err)
	}
	rules, _ := Named("peppol-2.0.2")
	b.ReportAllocs()
	for b.Loop() {
		m, err := Parse(d)
		if err != nil {
			b.Fatal(err)
		}
		if f := rules.Check(m); f.Err() != nil {
			b.Fatal(f)
		}
	}
}

func BenchmarkContent(b *testing.B) {
	data := bytes.Repeat([]byte("0123456789abcdef"), 50_000_000/16)
	b.Run("write/50MB", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		b.ReportAllocs()
		for b.Loop() {
			if err := WriteBinary(io.Discard, testHeader(b), "a/b", bytes.NewReader(data)); err != nil {
				b.Fatal(err)
			}
		}
	})
	var buf bytes.Buffer
	if err := WriteBinary(&buf, testHeader(b), "a/b", bytes.NewReader(data)); err != nil {
		b.Fatal(err)
	}
	b.Run("read/50MB", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		b.ReportAllocs()
		for b.Loop() {
			m, err := Read(bytes.NewReader(buf.Bytes()), Limits{})
			if err != nil {
				b.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, m.Payload); err != nil {
				b.Fatal(err)
			}
		}
	})
}
