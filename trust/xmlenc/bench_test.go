package xmlenc

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"io"
	"testing"

	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

var gcmSizes = []struct {
	name string
	n    int
}{{"5kB", 5 << 10}, {"100kB", 100 << 10}, {"5MB", 5 << 20}, {"64MB", 64 << 20}}

func BenchmarkGCMWriter(b *testing.B) {
	for _, s := range gcmSizes {
		b.Run(s.name, func(b *testing.B) {
			key, plain := noise(16, 1), make([]byte, s.n)
			b.SetBytes(int64(s.n))
			b.ReportAllocs()
			for b.Loop() {
				w, err := NewGCMWriter(io.Discard, key, [12]byte{})
				if err != nil {
					b.Fatal(err)
				}
				for p := plain; len(p) > 0; {
					n := min(len(p), 32<<10)
					if _, err := w.Write(p[:n]); err != nil {
						b.Fatal(err)
					}
					p = p[n:]
				}
				if err := w.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkGCMReader(b *testing.B) {
	for _, s := range gcmSizes {
		b.Run(s.name, func(b *testing.B) {
			key := noise(16, 1)
			sealed, err := SealGCM(nil, key, [12]byte{}, make([]byte, s.n))
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(s.n))
			b.ReportAllocs()
			for b.Loop() {
				r, err := NewGCMReader(struct{ io.Reader }{bytes.NewReader(sealed)}, key)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkGCMLimit is the standard library with the whole message in memory: what the writer and the reader are held against.
func BenchmarkGCMLimit(b *testing.B) {
	for _, s := range gcmSizes {
		b.Run(s.name, func(b *testing.B) {
			key, plain := noise(16, 1), make([]byte, s.n, s.n+16)
			b.SetBytes(int64(s.n))
			b.ReportAllocs()
			for b.Loop() {
				stdGCM(b, key).Seal(plain[:0], make([]byte, 12), plain, nil)
			}
		})
	}
}

func BenchmarkWriteEncryptedKey(b *testing.B) {
	for _, c := range []struct {
		name string
		t    Transport
		alg  pki.KeyAlgorithm
	}{
		{"rsa2048", TransportRSAOAEP256, pki.RSA2048},
		{"x25519", TransportX25519, pki.X25519},
		{"p256-hkdf", TransportECDHHKDF, pki.P256},
		{"brainpoolP256r1-concat", TransportECDHConcat, pki.BrainpoolP256r1},
	} {
		b.Run(c.name, func(b *testing.B) {
			to, session := testKey(b, c.alg).Public(), noise(16, 60)
			opt := EncryptedKeyOptions{ID: "EK-1", References: []string{"#ED-1"}}
			buf := make([]byte, 0, 4096)
			b.ReportAllocs()
			for b.Loop() {
				if err := WriteEncryptedKey(dom.NewWriter(buf), c.t, to, session, opt); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkDecryptKey parses the element and decrypts; raw is the private operation alone.
func BenchmarkDecryptKey(b *testing.B) {
	for _, c := range []struct {
		name string
		t    Transport
		alg  pki.KeyAlgorithm
	}{
		{"rsa2048", TransportRSAOAEP256, pki.RSA2048},
		{"x25519", TransportX25519, pki.X25519},
		{"p256-hkdf", TransportECDHHKDF, pki.P256},
		{"brainpoolP256r1-concat", TransportECDHConcat, pki.BrainpoolP256r1},
	} {
		key, session := testKey(b, c.alg), noise(16, 61)
		w := dom.NewWriter(nil)
		if err := WriteEncryptedKey(w, c.t, key.Public(), session, EncryptedKeyOptions{ID: "EK-1", References: []string{"#ED-1"}}); err != nil {
			b.Fatal(err)
		}
		n := parse(b, w.Bytes()).Root()
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				k, err := ParseEncryptedKey(n)
				if err != nil {
					b.Fatal(err)
				}
				if got, err := k.Decrypt(key, 16, nil); err != nil || !bytes.Equal(got, session) {
					b.Fatal(got, err)
				}
			}
		})
		k, err := ParseEncryptedKey(n)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(c.name+"-raw", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if d, ok := key.(crypto.Decrypter); ok {
					_, err = d.Decrypt(rand.Reader, k.cipher, &rsa.OAEPOptions{Hash: crypto.SHA256})
				} else {
					_, err = key.(pki.Agreer).Agree(k.Originator)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkParseEncryptedKey(b *testing.B) {
	w := dom.NewWriter(nil)
	if err := WriteEncryptedKey(w, TransportRSAOAEP256, testKey(b, pki.RSA2048).Public(), noise(16, 62), EncryptedKeyOptions{ID: "EK-1", References: []string{"#ED-1"}}); err != nil {
		b.Fatal(err)
	}
	n := parse(b, w.Bytes()).Root()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseEncryptedKey(n); err != nil {
			b.Fatal(err)
		}
	}
}
