package cades

import (
	"bytes"
	"crypto"
	"testing"

	"github.com/viadukt-eu/viadukt/trust/pki"
)

// BenchmarkVerify reads a signature and checks it and all its time-stamps; B has one operation of an RSA key, LTA besides two of
// P-256, for the time-stamps.
func BenchmarkVerify(b *testing.B) {
	for _, level := range []Level{LevelB, LevelT, LevelLT, LTA} {
		b.Run(string(level), func(b *testing.B) {
			w := newWorld()
			s, err := Sign(nil, w.signer, make([]byte, 4<<10), false, Parameters{SigningTime: now})
			if err != nil {
				b.Fatal(err)
			}
			if level != LevelB {
				if err := s.Extend(b.Context(), level, w.extension(nil)); err != nil {
					b.Fatal(err)
				}
			}
			doc, err := s.Message.Bytes()
			if err != nil {
				b.Fatal(err)
			}
			doc = bytes.Clone(doc)
			b.SetBytes(int64(len(doc)))
			b.ReportAllocs()
			for b.Loop() {
				list, err := Parse(doc)
				if err != nil {
					b.Fatal(err)
				}
				if err := list[0].Verify(nil).Err(); err != nil {
					b.Fatal(err)
				}
				for _, x := range list[0].TimeStamps {
					if err := x.Check(nil).Err(); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

func BenchmarkSign(b *testing.B) {
	w := newWorld()
	content := make([]byte, 4<<10)
	b.ReportAllocs()
	for b.Loop() {
		s, err := Sign(nil, w.signer, content, false, Parameters{SigningTime: now})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := s.Message.Bytes(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSignKey is what of [BenchmarkSign] is the key's.
func BenchmarkSignKey(b *testing.B) {
	w := newWorld()
	a, err := pki.SigningAlgorithm(w.signer.Certificate.PublicKey, crypto.SHA256, false)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := a.Sign(nil, w.signer.Key, nil); err != nil {
			b.Fatal(err)
		}
	}
}
