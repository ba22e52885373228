package pades

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"testing"

	"github.com/viadukt-eu/viadukt/pdf"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// big is a document with a stream of the given size.
func big(t testing.TB, size int) []byte {
	return paper(t, false, func(objects map[int]pdf.Object) {
		data := make([]byte, size)
		rand.Read(data)
		objects[5] = &pdf.Stream{Dict: pdf.Dict{}, Data: data}
	})
}

func signers(b *testing.B) map[string]*pki.Identity {
	out := map[string]*pki.Identity{}
	for name, algorithm := range map[string]pki.KeyAlgorithm{"p256": pki.P256, "rsa2048": pki.RSA2048} {
		id, err := theWorld().ca.Issue(pki.Template{CommonName: "Signer", Algorithm: algorithm})
		if err != nil {
			b.Fatal(err)
		}
		out[name] = id
	}
	return out
}

func BenchmarkVerify(b *testing.B) {
	for name, id := range signers(b) {
		for size, label := range map[int]string{4 << 10: "4KiB", 10 << 20: "10MiB"} {
			doc := (&world{signer: id}).sign(b, big(b, size), Parameters{}, nil)
			b.Run(fmt.Sprintf("%s/%s", name, label), func(b *testing.B) {
				b.SetBytes(int64(len(doc)))
				b.ReportAllocs()
				for b.Loop() {
					d, err := Open(bytes.NewReader(doc), int64(len(doc)))
					if err != nil {
						b.Fatal(err)
					}
					s := d.Signatures[0]
					if err := s.Verify().Err(); err != nil || s.Range != nil {
						b.Fatal(err, s.Range)
					}
					if _, err := s.Changes(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkSign(b *testing.B) {
	for name, id := range signers(b) {
		for size, label := range map[int]string{4 << 10: "4KiB", 10 << 20: "10MiB"} {
			doc := big(b, size)
			b.Run(fmt.Sprintf("%s/%s", name, label), func(b *testing.B) {
				b.SetBytes(int64(len(doc)))
				b.ReportAllocs()
				for b.Loop() {
					d, err := Open(bytes.NewReader(doc), int64(len(doc)))
					if err != nil {
						b.Fatal(err)
					}
					if _, err := Sign(context.Background(), rand.Reader, id, d, Parameters{Time: now}, nil); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
