package xades

import (
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/viadukt-eu/viadukt/trust/pki"
)

// marshalIssuerSerial writes IssuerSerial ::= SEQUENCE { issuer GeneralNames, serialNumber INTEGER } with one directoryName
// [EN 319 132-1 5.2.2].
func marshalIssuerSerial(c *pki.Certificate) ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.Tag(4).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) { b.AddBytes(c.RawIssuer) })
		})
		b.AddASN1BigInt(c.SerialNumber)
	})
	return b.Bytes()
}
