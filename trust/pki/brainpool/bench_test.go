package brainpool

import (
	"crypto/rand"
	"crypto/sha256"
	"testing"
)

func BenchmarkSign(b *testing.B) {
	digest := sha256.Sum256([]byte("x"))
	for _, c := range curves {
		b.Run(c.params.Name, func(b *testing.B) {
			k, err := GenerateKey(c, rand.Reader)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := SignRaw(rand.Reader, k, digest[:]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	digest := sha256.Sum256([]byte("x"))
	for _, c := range curves {
		b.Run(c.params.Name, func(b *testing.B) {
			k, err := GenerateKey(c, rand.Reader)
			if err != nil {
				b.Fatal(err)
			}
			sig, err := SignRaw(rand.Reader, k, digest[:])
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if !Verify(&k.PublicKey, digest[:], sig[:c.size], sig[c.size:]) {
					b.Fatal("refused")
				}
			}
		})
	}
}

func BenchmarkECDH(b *testing.B) {
	for _, c := range curves {
		b.Run(c.params.Name, func(b *testing.B) {
			k, err := GenerateKey(c, rand.Reader)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ECDH(k, &k.PublicKey); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
