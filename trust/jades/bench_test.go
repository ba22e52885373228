package jades

import (
	"testing"

	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/xades"
)

// BenchmarkVerify reads a signature and checks it, its time-stamps' imprints included.
func BenchmarkVerify(b *testing.B) {
	documents := []xades.Document{xades.Bytes("content", "", make([]byte, 4<<10))}
	for _, alg := range []pki.KeyAlgorithm{pki.RSA2048, pki.P256} {
		w := newWorld(b, alg)
		for _, level := range []Level{LevelB, LevelT, LevelLT, LTA} {
			b.Run(string(alg)+"/"+string(level), func(b *testing.B) {
				doc := w.sign(b, documents, Params{}, level)
				b.SetBytes(int64(len(doc)))
				b.ReportAllocs()
				for b.Loop() {
					if err := problem(doc, CheckOptions{}); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkVerifyLarge is bound by decoding and hashing.
func BenchmarkVerifyLarge(b *testing.B) {
	documents := []xades.Document{xades.Bytes("content", "", make([]byte, 16<<20))}
	w := newWorld(b, pki.P256)
	for name, p := range map[string]Params{"compact": {}, "byURIHash": {Detached: true, Mechanism: ByURIHash}, "byURIHash-raw": {Detached: true, Mechanism: ByURIHash, Raw: true}} {
		b.Run(name, func(b *testing.B) {
			doc := w.sign(b, documents, p, LevelB)
			b.SetBytes(16 << 20)
			b.ReportAllocs()
			for b.Loop() {
				if err := problem(doc, CheckOptions{Documents: documents}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkSign(b *testing.B) {
	documents := []xades.Document{xades.Bytes("content", "", make([]byte, 4<<10))}
	for _, alg := range []pki.KeyAlgorithm{pki.RSA2048, pki.P256} {
		b.Run(string(alg), func(b *testing.B) {
			w := newWorld(b, alg)
			b.ReportAllocs()
			for b.Loop() {
				w.sign(b, documents, Params{}, LevelB)
			}
		})
	}
}
