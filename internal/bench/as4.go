package bench

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/viadukt-eu/viadukt/domains/procurement"
	"github.com/viadukt-eu/viadukt/domains/procurement/sample"
	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/internal/stock"
	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/store"
)

// AS4Options say what is measured.
type AS4Options struct {
	Messages int // of the small payload; default 2000
	Senders  int // at once; default 16
	Payload  int // octets; 0 measures 5 kB, an invoice, 100 kB and 5 MB
	Stored   int // messages that each node has from before; 0 measures with empty stores alone
	Domains  func() []node.Domain
}

// AS4 measures whole exchanges: from the hand-over at one node, over its durable store, signature, encryption, HTTP over
// loopback, the other node's checks and its durable store, to the receipt that the first node verified and stored.
func AS4(ctx context.Context, o AS4Options, report Report) error {
	if o.Messages <= 0 {
		o.Messages = 2000
	}
	if o.Senders <= 0 {
		o.Senders = 16
	}
	if o.Stored > 0 {
		return stored(ctx, o, report)
	}
	if o.Payload > largest {
		return stream(ctx, o, report)
	}
	if o.Payload > 0 {
		return exchange(ctx, o, "as4/"+sizeName(o.Payload), payload(o.Payload), o.Messages, report)
	}
	if err := startUp(ctx, o, report); err != nil {
		return err
	}
	if err := exchange(ctx, o, "as4/5kB", payload(5_000), o.Messages, report); err != nil {
		return err
	}
	if err := exchange(ctx, o, "as4/invoice", nil, o.Messages, report); err != nil {
		return err
	}
	if err := exchange(ctx, o, "as4/100kB", payload(100_000), max(o.Messages/5, 50), report); err != nil {
		return err
	}
	return exchange(ctx, o, "as4/5MB", payload(5_000_000), max(o.Messages/100, 20), report)
}

func sizeName(n int) string {
	switch {
	case n >= 1_000_000_000 && n%1_000_000_000 == 0:
		return strconv.Itoa(n/1_000_000_000) + "GB"
	case n >= 1_000_000 && n%1_000_000 == 0:
		return strconv.Itoa(n/1_000_000) + "MB"
	case n >= 1_000 && n%1_000 == 0:
		return strconv.Itoa(n/1_000) + "kB"
	}
	return strconv.Itoa(n) + "B"
}

// payload is a document of about the size with the repetition that business documents have: lines of one form with
// other numbers in them.
func payload(size int) []byte {
	var b bytes.Buffer
	b.Grow(size + 200)
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<List xmlns="urn:bench">` + "\n")
	x := uint32(2463534242)
	for i := 1; b.Len() < size-8; i++ {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		fmt.Fprintf(&b, "  <Line><ID>%d</ID><Quantity unit=\"C62\">%d</Quantity><Amount currency=\"EUR\">%d.%02d</Amount><Item><Name>Article %08x</Name></Item></Line>\n", i, x%97+1, x%9973, x%100, x)
	}
	b.WriteString("</List>\n")
	return b.Bytes()
}

// exchange sends n messages and reports their rate, their CPU time, and for large ones their throughput. Without doc it
// sends invoices that find their receiver by discovery.
func exchange(ctx context.Context, o AS4Options, name string, doc []byte, n int, report Report) (err error) {
	profile, submit := "eu-edelivery", bilateral(doc)
	if doc == nil {
		profile = "peppol"
	}
	p, err := newPair(ctx, profile, o.Senders, o.Domains)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	if doc == nil {
		if doc, submit, err = p.invoice(ctx); err != nil {
			return err
		}
	}
	rsaOps, err := rsaLimit()
	if err != nil {
		return err
	}
	contents, err := payloadLimit(doc)
	if err != nil {
		return err
	}
	if _, _, err := p.send(ctx, submit, o.Senders, o.Senders); err != nil { // connections, caches
		return err
	}
	rsa1, contents1 := rsaOps(), contents()
	took, used, err := p.send(ctx, submit, n, o.Senders)
	if err != nil {
		return err
	}
	rsa, content := mean(rsa1, rsaOps()), mean(contents1, contents())
	rate, each := float64(n)/took.Seconds(), used/time.Duration(n)
	detail := fmt.Sprintf("%d messages of %d octets, %d senders, %d cores, %s", n, len(doc), o.Senders, runtime.GOMAXPROCS(0), profile)
	if len(doc) < 50_000 {
		report.rate(name, rate, "msg/s", rsa.perSecond, "RSA-2048: three private operations a message", detail)
		report.cost(name+"/cpu", millis(each), "ms/msg", millis(rsa.cpu), "RSA-2048: three private operations a message", "both nodes together")
		return nil
	}
	megabytes := float64(len(doc)) / 1e6
	both := rsa.cpu + content.cpu
	limit := float64(runtime.GOMAXPROCS(0)) / both.Seconds()
	report.rate(name, rate*megabytes, "MB/s", limit*megabytes, "RSA, gzip, SHA-256 and AES-GCM of the same payload", detail)
	report.cost(name+"/cpu", millis(each), "ms/msg", millis(both), "RSA, gzip, SHA-256 and AES-GCM of the same payload", "both nodes together")
	return nil
}

// stored measures with empty stores, then with full ones, three times in turn, and compares the best of each.
func stored(ctx context.Context, o AS4Options, report Report) (err error) {
	doc := payload(cmp.Or(o.Payload, 5_000))
	run := func(p *pair) (speed, error) {
		if _, _, err := p.send(ctx, bilateral(doc), 200, o.Senders); err != nil {
			return speed{}, err
		}
		took, used, err := p.send(ctx, bilateral(doc), o.Messages, o.Senders)
		return speed{float64(o.Messages) / took.Seconds(), used / time.Duration(o.Messages)}, err
	}
	var pairs [2]*pair
	for i := range pairs {
		if pairs[i], err = newPair(ctx, "eu-edelivery", o.Senders, o.Domains); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, pairs[i].close()) }()
	}
	full := pairs[1]
	if _, _, err := full.send(ctx, bilateral(payload(200)), 10, o.Senders); err != nil { // a million of 5 kB would fill disks
		return err
	}
	if err := full.stop(); err != nil {
		return err
	}
	for _, r := range full.made {
		if err := stock.Multiply(ctx, filepath.Join(r.Dir, "data"), o.Stored, 20); err != nil {
			return err
		}
	}
	if err := full.start(ctx, o.Domains); err != nil {
		return err
	}
	best := [2]speed{{cpu: time.Hour}, {cpu: time.Hour}}
	for range 3 {
		for i, p := range pairs {
			s, err := run(p)
			if err != nil {
				return err
			}
			best[i] = speed{max(best[i].perSecond, s.perSecond), min(best[i].cpu, s.cpu)}
		}
	}
	detail := fmt.Sprintf("%d messages in each store, the best of three runs of %d", o.Stored, o.Messages)
	report.rate("as4/stored", best[1].perSecond, "msg/s", best[0].perSecond, "the same with empty stores", detail)
	report.cost("as4/stored/cpu", millis(best[1].cpu), "ms/msg", millis(best[0].cpu), "the same with empty stores", "both nodes together")
	return nil
}

type submitter func(ctx context.Context, n *node.Node) (*store.Message, error)

// bilateral submits by the P-Mode that both nodes have.
func bilateral(doc []byte) submitter {
	return func(ctx context.Context, n *node.Node) (*store.Message, error) {
		return n.Accept(ctx, letter("application/xml", bytes.NewReader(doc)))
	}
}

func letter(mime string, body io.Reader) *node.Submission {
	return &node.Submission{
		PMode: pmode, Sender: "urn:oasis:names:tc:ebcore:partyid-type:unregistered::a", Receiver: "urn:oasis:names:tc:ebcore:partyid-type:unregistered::b",
		Next: once(mime, body),
	}
}

// invoice registers the buyer of the sample invoice at the second node.
func (p *pair) invoice(ctx context.Context) ([]byte, submitter, error) {
	doc, err := sample.Make("invoice", "2026-1", sample.Supplier, sample.Buyer, time.Now())
	if err != nil {
		return nil, nil, err
	}
	d, err := procurement.Parse(bytes.Clone(doc))
	if err != nil {
		return nil, nil, err
	}
	if err := p.nodes[1].Register(ctx, d.Receiver, d.Type, d.Process, as4.Profiles["peppol"]); err != nil {
		return nil, nil, err
	}
	return doc, func(ctx context.Context, n *node.Node) (*store.Message, error) {
		return n.Accept(ctx, &node.Submission{Domain: procurement.Name, Next: once("application/xml", bytes.NewReader(doc))})
	}, nil
}

func once(mime string, body io.Reader) func() (*node.SubmissionPart, error) {
	done := false
	return func() (*node.SubmissionPart, error) {
		if done {
			return nil, io.EOF
		}
		done = true
		return &node.SubmissionPart{MimeType: mime, Body: body}, nil
	}
}

// send hands n messages over. Each sender waits for the receipt of its message before it hands over the next, as the
// senders of other programs do.
func (p *pair) send(ctx context.Context, submit submitter, n, senders int) (took, used time.Duration, err error) {
	from := p.nodes[0]
	start, usedBefore := time.Now(), cpu()
	var wg sync.WaitGroup
	var mu sync.Mutex
	jobs := make(chan struct{})
	for range senders {
		wg.Go(func() {
			for range jobs {
				m, serr := submit(ctx, from)
				if serr == nil {
					serr = p.acks.wait(ctx, m)
				}
				if serr != nil {
					mu.Lock()
					err = errors.Join(err, serr)
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
	return time.Since(start), cpu() - usedBefore, err
}

// acks tells senders what became of their messages.
type acks struct {
	mu    sync.Mutex
	state map[int64]chan store.State // by row
}

func (a *acks) channel(id int64) chan store.State {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.state == nil {
		a.state = make(map[int64]chan store.State)
	}
	c := a.state[id]
	if c == nil {
		c = make(chan store.State, 1)
		a.state[id] = c
	}
	return c
}

// changed is told by the sending node.
func (a *acks) changed(m *store.Message, to store.State) {
	if m.Direction == store.Out {
		a.channel(m.ID) <- to
	}
}

func (a *acks) wait(ctx context.Context, m *store.Message) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case to := <-a.channel(m.ID):
		a.mu.Lock()
		delete(a.state, m.ID)
		a.mu.Unlock()
		if to != store.Acknowledged {
			return fmt.Errorf("bench: message %s: %s", m.MessageID, to)
		}
		return nil
	}
}

// startUp measures how soon a node takes its first message, and what it needs when it has nothing to do.
func startUp(ctx context.Context, o AS4Options, report Report) error {
	start := time.Now()
	p, err := newPair(ctx, "peppol", o.Senders, o.Domains)
	if err != nil {
		return err
	}
	made := time.Since(start)
	_, submit, err := p.invoice(ctx)
	if err != nil {
		return errors.Join(err, p.close())
	}
	start = time.Now()
	if err := p.stop(); err != nil {
		return errors.Join(err, p.close())
	}
	stopped := time.Since(start)
	start = time.Now()
	if err := p.start(ctx, o.Domains); err != nil {
		return errors.Join(err, p.close())
	}
	if _, err := submit(ctx, p.nodes[0]); err != nil {
		return errors.Join(err, p.close())
	}
	report(Result{Name: "start", Value: millis(time.Since(start)), Unit: "ms", Detail: "two nodes on stores that exist, to the first message stored, discovery included"})
	report(Result{Name: "init", Value: millis(made), Unit: "ms", Detail: "two new nodes with fresh keys, started"})
	report(Result{Name: "stop", Value: millis(stopped), Unit: "ms", Detail: "both, everything durable"})
	debug.FreeOSMemory() // as the runtime does by and by
	report(Result{Name: "rss", Value: rss(), Unit: "MB", Detail: "this process with two nodes that wait"})
	return p.close()
}

// resetPeak lets the most memory be counted anew, where the system can.
func resetPeak() { os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) }

// rss is the resident memory of the process in megabytes, 0 where the system does not tell.
func rss() float64 { return memory("VmRSS:") }

// memory is a line of the process's status in megabytes.
func memory(name string) float64 {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			kb, _ := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 64)
			return kb / 1000
		}
	}
	return 0
}
