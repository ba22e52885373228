package bench

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/viadukt-eu/viadukt/domains/procurement"
	"github.com/viadukt-eu/viadukt/domains/procurement/sample"
	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/edelivery/ids"
	"github.com/viadukt-eu/viadukt/node"
)

// SMPOptions say what is measured.
type SMPOptions struct {
	Lookups int // default 20000
	Callers int // default 16
	Domains func() []node.Domain
}

// SMP measures the metadata publisher over HTTP on loopback, against an HTTP server that answers the same octets from
// memory, and a whole lookup with DNS and verification against the verification of one RSA signature.
func SMP(ctx context.Context, o SMPOptions, report Report) (err error) {
	if o.Lookups <= 0 {
		o.Lookups = 20_000
	}
	if o.Callers <= 0 {
		o.Callers = 16
	}
	p, err := newPair(ctx, "peppol", o.Callers, o.Domains)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	doc, err := sample.Make("invoice", "1", sample.Supplier, sample.Buyer, time.Now())
	if err != nil {
		return err
	}
	d, err := procurement.Parse(doc)
	if err != nil {
		return err
	}
	// Each caller asks for others at one time: equal questions would share an answer.
	var participants []ids.Participant
	for i := range 4 * o.Callers {
		q := d.Receiver
		q.Value = fmt.Sprintf("%s-%d", q.Value, i)
		if err := p.nodes[1].Register(ctx, q, d.Type, d.Process, as4.Profiles["peppol"]); err != nil {
			return err
		}
		participants = append(participants, q)
	}
	d.Receiver = participants[0]
	address := "http://" + p.nodes[1].Addr("smp") + ids.ServicePath(d.Receiver, d.Type)
	octets, err := fetch(http.DefaultClient, address)
	if err != nil {
		return err
	}
	plain, stop, err := serveOctets(octets)
	if err != nil {
		return err
	}
	defer stop()
	limit1, err := gets(plain, o.Lookups/2, o.Callers)
	if err != nil {
		return err
	}
	rate, err := gets(address, o.Lookups, o.Callers)
	if err != nil {
		return err
	}
	limit2, err := gets(plain, o.Lookups/2, o.Callers)
	if err != nil {
		return err
	}
	report.rate("smp/get", rate, "req/s", (limit1+limit2)/2, "net/http with the same octets from memory", fmt.Sprintf("%d octets, %d callers, %d cores", len(octets), o.Callers, runtime.GOMAXPROCS(0)))
	return p.lookups(ctx, d, participants, (limit1+limit2)/2, o, report)
}

// lookups asks for the endpoint as a sender does, without a cache.
func (p *pair) lookups(ctx context.Context, d *procurement.Document, participants []ids.Participant, plain float64, o SMPOptions, report Report) error {
	verify, err := verifyLimit()
	if err != nil {
		return err
	}
	before := verify()
	n := max(o.Lookups/10, 100)
	directory, err := node.OpenDirectory(p.nodes[0].Config)
	if err != nil {
		return err
	}
	directory.SMP.TTL, directory.DNS.CacheSize = -1, -1
	var next atomic.Int64
	start, used := time.Now(), cpu()
	err = atOnce(n, o.Callers, func() error {
		f, err := directory.Lookup(ctx, participants[int(next.Add(1))%len(participants)], d.Type, d.Process, nil)
		if err == nil && f.Endpoint == nil {
			err = errors.New("bench: no endpoint")
		}
		return err
	})
	if err != nil {
		return err
	}
	took, each := time.Since(start), (cpu()-used)/time.Duration(n)
	limit := mean(before, verify())
	const of = "a plain HTTP request and the verification of one RSA-2048 signature"
	report.rate("smp/lookup", float64(n)/took.Seconds(), "lookup/s", 1/(1/plain+1/limit.perSecond), of, "DNS, HTTP, signature, endpoint certificate; both ends in this process, nothing cached")
	report(Result{Name: "smp/lookup/cpu", Value: millis(each), Unit: "ms", Detail: "asker, DNS and publisher together"})
	return nil
}

func verifyLimit() (func() speed, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(nil)
	sig, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	if err != nil {
		return nil, err
	}
	return func() speed {
		return onAllCores(300*time.Millisecond, func() func() {
			return func() { rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, sum[:], sig) }
		})
	}, nil
}

// gets fetches an address n times.
func gets(address string, n, callers int) (perSecond float64, err error) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: callers, DisableCompression: true}}
	defer client.CloseIdleConnections()
	start := time.Now()
	err = atOnce(n, callers, func() error { _, err := fetch(client, address); return err })
	return float64(n) / time.Since(start).Seconds(), err
}

// atOnce calls f n times, from several callers.
func atOnce(n, callers int, f func() error) error {
	jobs := make(chan struct{})
	var wg sync.WaitGroup
	var mu sync.Mutex
	var first error
	for range callers {
		wg.Go(func() {
			for range jobs {
				if err := f(); err != nil {
					mu.Lock()
					first = errors.Join(first, err)
					mu.Unlock()
				}
			}
		})
	}
	for range n {
		jobs <- struct{}{}
	}
	close(jobs)
	wg.Wait()
	return first
}

func fetch(client *http.Client, address string) ([]byte, error) {
	resp, err := client.Get(address)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("bench: %s: %s", address, resp.Status)
	}
	return b, err
}

// serveOctets is the least that a server can do.
func serveOctets(b []byte) (address string, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/xml")
		io.Copy(w, bytes.NewReader(b))
	}), ReadHeaderTimeout: time.Minute}
	go s.Serve(l)
	return "http://" + l.Addr().String() + "/", func() { s.Close() }, nil
}
