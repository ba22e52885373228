package as4_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"net/http"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// BenchmarkUnstored is what a message costs both ends together when nobody keeps it: 16 senders over loopback HTTP, RSA-2048,
// 5 kB compressed. rsa/cpu is the share of the three RSA private operations in it, so 1-rsa/cpu is what no store, however
// fast, can win back.
func BenchmarkUnstored(b *testing.B) {
	w := newWorld(b, "eu-edelivery", nil)
	w.receiver.Intake = forgetful{}
	w.sender.Client.Transport.(*http.Transport).MaxIdleConnsPerHost = 16
	var doc bytes.Buffer
	for i := 0; doc.Len() < 5000; i++ {
		fmt.Fprintf(&doc, "<Line><ID>%d</ID><Amount currency=\"EUR\">%d.%02d</Amount></Line>\n", i, i*7919%9973, i*31%100)
	}
	send := func(id string) {
		if o := w.sender.Send(context.Background(), w.message(b, id, doc.Bytes())); o.Verdict != as4.Acknowledged {
			b.Error(o.Err)
		}
	}
	send("warm@a.example")
	before := privateOperations(b)
	used := processorTime()
	var mu sync.Mutex
	n := 0
	b.SetParallelism((16 + runtime.GOMAXPROCS(0) - 1) / runtime.GOMAXPROCS(0))
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			mu.Lock()
			n++
			id := fmt.Sprintf("m%d@a.example", n)
			mu.Unlock()
			send(id)
		}
	})
	b.StopTimer()
	each := (processorTime() - used) / time.Duration(b.N)
	three := (before + privateOperations(b)) / 2
	b.ReportMetric(float64(each.Microseconds())/1000, "cpu-ms/op")
	b.ReportMetric(float64(three)/float64(each), "rsa/cpu")
}

// privateOperations is the processor time of two signatures and a decryption, on all cores.
func privateOperations(b *testing.B) time.Duration {
	key := keyOf(pki.RSA2048, 0).(crypto.Signer)
	sum := sha256.Sum256(nil)
	sealed, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, key.Public().(*rsa.PublicKey), sum[:16], nil)
	if err != nil {
		b.Fatal(err)
	}
	const rounds = 150
	start := processorTime()
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for range rounds {
				key.Sign(rand.Reader, sum[:], crypto.SHA256)
				key.Sign(rand.Reader, sum[:], crypto.SHA256)
				key.(crypto.Decrypter).Decrypt(rand.Reader, sealed, &rsa.OAEPOptions{Hash: crypto.SHA256})
			}
		})
	}
	wg.Wait()
	return (processorTime() - start) / time.Duration(rounds*runtime.GOMAXPROCS(0))
}

func processorTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
