package pki

import (
	"bytes"
	"crypto"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
	"golang.org/x/crypto/ocsp"
	"software.sslmate.com/src/go-pkcs12"
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

func ocspSeed(tb testing.TB, a *Authority) []byte {
	tb.Helper()
	x, err := a.Certificate.X509()
	if err != nil {
		tb.Fatal(err)
	}
	der, err := ocsp.CreateResponse(x, x, ocsp.Response{Status: ocsp.Revoked, SerialNumber: x.SerialNumber, ThisUpdate: testNow, NextUpdate: testNow.AddDate(0, 0, 1), RevokedAt: testNow, Certificate: x}, a.Key.(crypto.Signer))
	if err != nil {
		tb.Fatal(err)
	}
	return der
}

func pkcs12Seeds(tb testing.TB) (out [][]byte) {
	tb.Helper()
	root := mustAuthority(tb, "CN=Root", P256)
	x, err := root.Certificate.X509()
	if err != nil {
		tb.Fatal(err)
	}
	for _, enc := range []*pkcs12.Encoder{pkcs12.LegacyRC2.WithIterations(1), pkcs12.LegacyDES.WithIterations(1), pkcs12.Modern2023.WithIterations(1), pkcs12.Modern2026.WithIterations(1)} {
		b, err := enc.Encode(root.Key.(ecKey).PrivateKey, x, nil, "secret")
		if err != nil {
			tb.Fatal(err)
		}
		out = append(out, b)
	}
	return out
}
