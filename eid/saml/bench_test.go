package saml_test

import (
	"bytes"
	"testing"

	"github.com/viadukt-eu/viadukt/eid/saml"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// BenchmarkResponse: an encrypted response, written and opened, beside what its keys cost alone.
func BenchmarkResponse(b *testing.B) {
	for _, alg := range []pki.KeyAlgorithm{pki.P256, pki.P384, pki.RSA3072, pki.BrainpoolP256r1} {
		signer, reader := identity(b, alg, "Signer"), identity(b, alg, "Reader")
		seal := saml.Sealing{Signing: saml.Signing{Identity: signer}, Encrypt: reader.Certificate}
		b.Run("write/"+string(alg), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := answer().Marshal(seal); err != nil {
					b.Fatal(err)
				}
			}
		})
		octets, err := answer().Marshal(seal)
		if err != nil {
			b.Fatal(err)
		}
		b.Run("open/"+string(alg), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(octets)))
			for b.Loop() {
				r, err := saml.ParseResponse(bytes.Clone(octets), opening(signer, reader))
				if err != nil {
					b.Fatal(err)
				}
				if err := r.Check(expected()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkMetadata: an entity of a node, read and its signature checked.
func BenchmarkMetadata(b *testing.B) {
	signer := identity(b, pki.P256, "Metadata")
	octets, err := describe(b).Marshal(saml.Signing{Identity: signer})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(octets)))
	for b.Loop() {
		if _, err := saml.ParseMetadata(bytes.Clone(octets), trusting(signer), saml.Algorithms{}); err != nil {
			b.Fatal(err)
		}
	}
}
