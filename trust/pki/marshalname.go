package pki

import (
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Marshal writes the DER of a name. Text becomes PrintableString or IA5String where the type demands it
// (country, serial number, e-mail, domain component), UTF8String elsewhere [RFC 5280 4.1.2.4].
func (n Name) Marshal() ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for _, rdn := range n {
			b.AddASN1(asn1.SET, func(b *cryptobyte.Builder) {
				for _, a := range rdn {
					b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
						addOID(b, a.Type)
						if a.Raw != nil {
							b.AddBytes(a.Raw)
							return
						}
						b.AddASN1(a.tag(), func(b *cryptobyte.Builder) { b.AddBytes([]byte(a.Value)) })
					})
				}
			})
		}
	})
	return b.Bytes()
}

func (a Attribute) tag() asn1.Tag {
	switch a.Type {
	case "2.5.4.6", "2.5.4.5", "2.5.4.46":
		if isASCII(a.Value) {
			return asn1.PrintableString
		}
	case "1.2.840.113549.1.9.1", "0.9.2342.19200300.100.1.25":
		if isASCII(a.Value) {
			return asn1.IA5String
		}
	}
	return asn1.UTF8String
}
