package audit

import (
	"fmt"
	"io"
	"testing"

	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

func BenchmarkRecord(b *testing.B) {
	h := store.Happening{
		What: store.OfMessage, Time: start, ID: 17, Direction: store.In, State: store.Received, MessageID: "7f90fcea-d97c-4c62-a5f4-0a660a9cd72e@ee.example", Domain: "letters",
		PMode: "pm", From: "POP000001", To: "POP000002", Service: "urn:www.cenbii.eu:profile:bii04:ver1.0", Action: "busdox-docid-qns::urn:oasis:names:specification:ubl:schema:xsd:Invoice-2::Invoice",
		Objects: []store.Object{{Kind: "header", Size: 8000}, {Kind: "payload", Size: 5000, Name: "doc@ee.example"}, {Kind: "receipt", Size: 6000}},
	}
	r := NewRecorder(DefaultPolicy())
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst = r.Record(dst[:0], &h)
	}
	b.SetBytes(int64(len(dst)))
}

func BenchmarkParseEntry(b *testing.B) {
	b.SetBytes(int64(len(example)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse([]byte(example)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkVerify checks a whole case: six signatures, five certificates, four entries.
func BenchmarkVerify(b *testing.B) {
	for _, alg := range []pki.KeyAlgorithm{pki.RSA2048, pki.Ed25519} {
		b.Run(string(alg), func(b *testing.B) {
			w := newWorld(b, alg)
			octets := w.make(w.sent("a@b"), CaseOptions{})
			b.SetBytes(int64(len(octets)))
			b.ReportAllocs()
			for b.Loop() {
				if r := w.verify(octets); !r.Valid {
					b.Fatal(r.text())
				}
			}
		})
	}
}

// BenchmarkOf proves the entries of a message in a log of so many entries.
func BenchmarkOf(b *testing.B) {
	for _, n := range []int{1_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			w := newWorld(b, pki.Ed25519)
			id := w.sent("a@b")
			entry := (&Entry{Type: Administration, Time: start, Detail: "filling"}).Append(nil)
			for done := 0; done < n; done += 1000 {
				w.write(func(tx store.Tx) error {
					for range 1000 {
						if _, err := tx.AppendLog(entry); err != nil {
							return err
						}
					}
					return nil
				})
			}
			if _, err := w.log.Sign(ctx); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := w.log.Of(ctx, id); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkWriteCase(b *testing.B) {
	w := newWorld(b, pki.Ed25519)
	id := w.sent("a@b")
	b.ReportAllocs()
	for b.Loop() {
		if err := w.log.WriteCase(ctx, io.Discard, w.store, id, CaseOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}
