package xmlenc

import (
	"bytes"
	"io"
	"testing"
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
