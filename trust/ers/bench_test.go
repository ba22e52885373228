package ers

import (
	"crypto"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/viadukt-eu/viadukt/trust/xades"
)

// digests are documents of which the digest alone is known.
func digests(n int) (out []xades.Document) {
	for i := range n {
		b := make([]byte, 32)
		binary.BigEndian.PutUint32(b, uint32(i)*2654435761)
		out = append(out, xades.Document{Digests: map[crypto.Hash][]byte{crypto.SHA256: b}})
	}
	return out
}

// BenchmarkCheck holds records against all documents that they are over.
func BenchmarkCheck(b *testing.B) {
	for _, x := range []Syntax{ASN1, XML} {
		for _, n := range []int{10, 10_000} {
			b.Run(fmt.Sprintf("%s/%d", []string{"asn1", "xml"}[x], n), func(b *testing.B) {
				docs := digests(n)
				record, err := Create(b.Context(), stamper(b), x, crypto.SHA256, docs)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportAllocs()
				for b.Loop() {
					r, err := Parse(record)
					if err != nil {
						b.Fatal(err)
					}
					if err := r.Check(docs).Err(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
