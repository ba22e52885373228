package procurement_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"io"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/domains/procurement"
	"github.com/viadukt-eu/viadukt/domains/procurement/sample"
	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/setup"
	"github.com/viadukt-eu/viadukt/node/store"
)

func cpu() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// rsaRound is what one message costs in private operations alone: two signatures and one decryption.
func rsaRound(b *testing.B) time.Duration {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		b.Fatal(err)
	}
	sum := sha256.Sum256([]byte("x"))
	sealed, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, &key.PublicKey, sum[:16], nil)
	if err != nil {
		b.Fatal(err)
	}
	const rounds = 300
	start := cpu()
	for range rounds {
		key.Sign(rand.Reader, sum[:], crypto.SHA256)
		key.Sign(rand.Reader, sum[:], crypto.SHA256)
		key.Decrypt(rand.Reader, sealed, &rsa.OAEPOptions{Hash: crypto.SHA256})
	}
	return (cpu() - start) / rounds
}

// BenchmarkExchange/invoice: from the hand-over at one node to the acknowledgement, with discovery, SBDH, RSA-2048,
// gzip and durable stores at both ends, 16 callers.
func BenchmarkExchange(b *testing.B) {
	root := b.TempDir()
	var nodes [2]*node.Node
	var acks sync.Map // row to channel
	for i, code := range []string{"EE", "PT"} {
		r, err := setup.Create(setup.Params{Dir: filepath.Join(root, code), Network: filepath.Join(root, "network"), Country: code, Profile: "peppol", Host: ownAddress(), Now: time.Now()})
		if err != nil {
			b.Fatal(err)
		}
		c, err := config.Load(r.ConfigFile)
		if err != nil {
			b.Fatal(err)
		}
		c.Outbound.PerPeer = 16
		if nodes[i], err = node.New(context.Background(), c, node.Options{Domains: []node.Domain{procurement.New()}, Changed: func(m *store.Message, to store.State) {
			if to == store.Acknowledged {
				ack, _ := acks.LoadOrStore(m.ID, make(chan struct{}))
				close(ack.(chan struct{}))
			}
		}}); err != nil {
			b.Fatal(err)
		}
		if err := nodes[i].Start(context.Background()); err != nil {
			b.Fatal(err)
		}
		defer nodes[i].Stop(context.Background())
	}
	doc, err := sample.Make("invoice", "1", sample.Supplier, sample.Buyer, time.Now())
	if err != nil {
		b.Fatal(err)
	}
	d, err := procurement.Parse(doc)
	if err != nil {
		b.Fatal(err)
	}
	if err := nodes[1].Register(context.Background(), d.Receiver, d.Type, d.Process, as4.Profiles["peppol"]); err != nil {
		b.Fatal(err)
	}
	limit := rsaRound(b)
	b.ResetTimer()
	start, cpuStart := time.Now(), cpu()
	var wg sync.WaitGroup
	jobs := make(chan struct{})
	for range 16 {
		wg.Go(func() {
			for range jobs {
				part := &node.SubmissionPart{MimeType: "application/xml", Body: bytes.NewReader(doc)}
				m, err := nodes[0].Accept(context.Background(), &node.Submission{Next: func() (*node.SubmissionPart, error) {
					if part == nil {
						return nil, io.EOF
					}
					p := part
					part = nil
					return p, nil
				}})
				if err != nil {
					b.Error(err)
					return
				}
				ack, _ := acks.LoadOrStore(m.ID, make(chan struct{}))
				<-ack.(chan struct{})
				acks.Delete(m.ID)
			}
		})
	}
	for range b.N {
		jobs <- struct{}{}
	}
	close(jobs)
	wg.Wait()
	took, used := time.Since(start), cpu()-cpuStart
	per := used / time.Duration(b.N)
	b.ReportMetric(float64(b.N)/took.Seconds(), "msg/s")
	b.ReportMetric(float64(per.Microseconds()), "cpu-µs/msg")
	b.ReportMetric(float64(limit.Microseconds()), "rsa-µs/msg")
	b.ReportMetric(float64(limit)/float64(per), "rsa-share")
}
