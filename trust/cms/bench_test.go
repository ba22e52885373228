package cms

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"io"
	"testing"

	"github.com/viadukt-eu/viadukt/trust/pki"
)

// BenchmarkVerify reads and verifies a message of one signer; BenchmarkVerifyKey is the operation of the key alone.
func BenchmarkVerify(b *testing.B) {
	for _, alg := range []pki.KeyAlgorithm{pki.RSA2048, pki.P256} {
		b.Run(string(alg)+"/4KiB", func(b *testing.B) {
			doc := must(Sign(identity(b, alg), make([]byte, 4<<10), false, Template{SigningTime: now}))
			b.SetBytes(int64(len(doc)))
			b.ReportAllocs()
			for b.Loop() {
				m, err := Parse(doc)
				if err != nil {
					b.Fatal(err)
				}
				if err := m.Verify(nil)[0].Err(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkVerifyKey(b *testing.B) {
	id := identity(b, pki.RSA2048)
	sum := sha256.Sum256(nil)
	sig, err := id.Key.(crypto.Signer).Sign(nil, sum[:], crypto.SHA256)
	if err != nil {
		b.Fatal(err)
	}
	pub := id.Certificate.PublicKey.(*rsa.PublicKey)
	for b.Loop() {
		if err := rsa.VerifyPKCS1v15(pub, crypto.SHA256, sum[:], sig); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSign makes a message; BenchmarkSignKey is the operation of the key alone.
func BenchmarkSign(b *testing.B) {
	for _, alg := range []pki.KeyAlgorithm{pki.RSA2048, pki.P256} {
		b.Run(string(alg)+"/4KiB", func(b *testing.B) {
			id, content := identity(b, alg), make([]byte, 4<<10)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Sign(id, content, false, Template{SigningTime: now}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkSignKey(b *testing.B) {
	for _, alg := range []pki.KeyAlgorithm{pki.RSA2048, pki.P256} {
		b.Run(string(alg), func(b *testing.B) {
			id := identity(b, alg)
			a, err := pki.SigningAlgorithm(id.Certificate.PublicKey, crypto.SHA256, false)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if _, err := a.Sign(nil, id.Key, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkRead verifies 64 MiB of attached content as a stream; BenchmarkReadHash is SHA-256 over as much.
func BenchmarkRead(b *testing.B) {
	var doc bytes.Buffer
	sealed(b, &doc, &pattern{64 << 20}, pki.P256)
	b.SetBytes(64 << 20)
	b.ReportAllocs()
	for b.Loop() {
		m, err := Read(bytes.NewReader(doc.Bytes()), nil)
		if err != nil {
			b.Fatal(err)
		}
		if err := m.Verify(nil)[0].Err(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReadHash(b *testing.B) {
	var doc bytes.Buffer
	io.Copy(&doc, &pattern{64 << 20})
	b.SetBytes(64 << 20)
	for b.Loop() {
		sha256.Sum256(doc.Bytes())
	}
}
