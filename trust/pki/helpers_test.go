package pki

import (
	"bytes"
	"crypto"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// resignWith signs a certificate's content again under another ECDSA algorithm. hash 0: the algorithm's own.
func resignWith(tb testing.TB, a *Authority, c *Certificate, o OID, hash crypto.Hash) *Certificate {
	tb.Helper()
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { addOID(b, o) })
	alg := b.BytesOrPanic()
	tbs := bytes.Replace(c.RawTBS, c.SignatureAlgorithm.Raw, alg, 1)
	if len(alg) != len(c.SignatureAlgorithm.Raw) {
		in := cryptobyte.String(c.RawTBS)
		var body cryptobyte.String
		in.ReadASN1(&body, asn1.SEQUENCE)
		var w cryptobyte.Builder
		w.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(bytes.Replace(body, c.SignatureAlgorithm.Raw, alg, 1)) })
		tbs = w.BytesOrPanic()
	}
	if hash == 0 {
		hash = signatureSchemes[o].hash
	}
	signature, err := a.Key.(crypto.Signer).Sign(a.rand, digest(hash, tbs), hash)
	if err != nil {
		tb.Fatal(err)
	}
	var w cryptobyte.Builder
	w.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(tbs)
		b.AddBytes(alg)
		b.AddASN1BitString(signature)
	})
	out, err := ParseCertificate(w.BytesOrPanic())
	if err != nil {
		tb.Fatal(err)
	}
	return out
}
