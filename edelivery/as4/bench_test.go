package as4_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/edelivery/ebms"
)

// forgetful is an intake that stores nothing.
type forgetful struct{}

func (forgetful) Begin(context.Context, *ebms.UserMessage, *as4.PMode) (as4.Delivery, error) {
	return forgetful{}, nil
}
func (forgetful) Signal(context.Context, *as4.Signal) error             { return nil }
func (forgetful) Payload(*ebms.PartInfo) (io.Writer, error)             { return io.Discard, nil }
func (forgetful) Known(context.Context, string, string) ([]byte, error) { return nil, nil }
func (forgetful) Check(context.Context, *as4.Received) error            { return nil }
func (forgetful) Close()                                                {}
func (forgetful) Commit(_ context.Context, _ *as4.Received, _, receipt []byte) ([]byte, error) {
	return receipt, nil
}

var benchCases = []struct {
	name string
	size int
}{{"5KiB", 5 << 10}, {"5MiB", 5 << 20}}

var benchProfiles = []struct{ name, profile string }{{"rsa2048", "eu-edelivery"}, {"ed25519", "eu-edelivery2"}, {"p256", "eu-edelivery2-ec"}}

// BenchmarkReceive is a request from its first octet to its receipt: one RSA verification, one decryption and one signature
// with rsa2048 (see BenchmarkBareRSA of package wss for what these take alone).
func BenchmarkReceive(b *testing.B) {
	for _, p := range benchProfiles {
		for _, c := range benchCases {
			b.Run(p.name+"/"+c.name, func(b *testing.B) {
				w := newWorld(b, p.profile, nil)
				content := make([]byte, c.size)
				rand.Read(content)
				r := w.record(b, w.message(b, "m1@a.example", content))
				w.receiver.Intake = forgetful{}
				b.SetBytes(int64(c.size))
				b.ReportAllocs()
				for b.Loop() {
					req := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(r.body))
					req.Header.Set("Content-Type", r.contentType)
					rec := httptest.NewRecorder()
					w.receiver.ServeHTTP(rec, req)
					if rec.Code != http.StatusOK || !bytes.Contains(rec.Body.Bytes(), []byte("<eb:Receipt>")) {
						b.Fatal(rec.Body.String())
					}
				}
			})
		}
	}
}

// BenchmarkSend is an attempt from the message to its verdict, with a peer that costs nothing.
func BenchmarkSend(b *testing.B) {
	for _, p := range benchProfiles {
		for _, c := range benchCases {
			b.Run(p.name+"/"+c.name, func(b *testing.B) {
				w := newWorld(b, p.profile, nil)
				content := make([]byte, c.size)
				rand.Read(content)
				msg := w.message(b, "m1@a.example", content)
				w.sender.Client = &http.Client{Transport: replying{200, ebms.ContentTypeSOAP, w.post(b, w.record(b, msg)).body}}
				b.SetBytes(int64(c.size))
				b.ReportAllocs()
				for b.Loop() {
					if o := w.sender.Send(context.Background(), msg); o.Verdict != as4.Acknowledged {
						b.Fatal(o.Err)
					}
				}
			})
		}
	}
}
