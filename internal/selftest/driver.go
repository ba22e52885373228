package selftest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/node/testbed"
)

// Driver plays the test bed's side of the driver interface: it submits, and is told of deliveries, receipts and errors.
type Driver struct {
	server *http.Server
	addr   string
	client *http.Client
	number atomic.Int64

	mu    sync.Mutex
	told  []*Told
	grown chan struct{}
	alter func(*Told) (times int) // of tests: what an access point tells, and how often
}

// Told is one message that an access point sent to the bed.
type Told struct {
	Node string // which access point told it: the last segment of the address it was given
	testbed.Message
	Bodies [][]byte // of the parts
	Sums   [][]byte // their SHA-256
}

// OpenDriver listens on a loopback address.
func OpenDriver(host string) (*Driver, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return nil, err
	}
	d := &Driver{addr: l.Addr().String(), client: &http.Client{Transport: &http.Transport{Proxy: nil}}, grown: make(chan struct{})}
	d.server = &http.Server{Handler: d, ReadHeaderTimeout: 30 * time.Second}
	go d.server.Serve(l) // ends with Close
	return d, nil
}

// URL is where an access point tells the bed something; name says later which one it was.
func (d *Driver) URL(name string) string { return "http://" + d.addr + "/" + name }

// Close stops listening.
func (d *Driver) Close() error {
	d.client.CloseIdleConnections()
	return d.server.Close()
}

// ServeHTTP implements [http.Handler].
func (d *Driver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	in, err := testbed.Decode(r.Header.Get("Content-Type"), r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	t := &Told{Node: r.URL.Path[1:], Message: in.Message, Bodies: make([][]byte, len(in.Parts)), Sums: make([][]byte, len(in.Parts))}
	for {
		i, body, err := in.Next()
		if err == io.EOF {
			break
		}
		if err == nil {
			h := sha256.New()
			t.Bodies[i], err = readSome(io.TeeReader(body, h))
			t.Sums[i] = h.Sum(nil)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
	}
	d.mu.Lock()
	if slices.ContainsFunc(d.told, func(o *Told) bool { return o.Node == t.Node && o.MessageID == t.MessageID && o.MessageID != "" }) {
		d.mu.Unlock() // told again, after a crash or a lost answer
		w.WriteHeader(http.StatusAccepted)
		return
	}
	times := 1
	if d.alter != nil {
		times = d.alter(t)
	}
	for range times {
		d.told = append(d.told, t)
	}
	close(d.grown)
	d.grown = make(chan struct{})
	d.mu.Unlock()
	w.WriteHeader(http.StatusAccepted)
}

// keptPart is how much of a delivered payload is kept; the rest is counted by its length alone.
const keptPart = 16 << 20

func readSome(r io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, keptPart))
	if err != nil {
		return nil, err
	}
	n, err := io.Copy(io.Discard, r)
	if n > 0 {
		b = fmt.Appendf(b[:0], "%d octets", n+keptPart)
	}
	return b, err
}

// Payload is one document to submit.
type Payload struct {
	ID         string
	Type       string
	Properties []ebms.Property
	Size       int64
	Body       io.Reader
}

// Submit hands a message to an access point and returns the id that it has between the access points. An *ebms.Error is
// the access point's refusal.
func (d *Driver) Submit(ctx context.Context, address string, properties []ebms.Property, payloads ...Payload) (string, error) {
	m := &testbed.Message{MessageID: fmt.Sprintf("submission%d@bed.example", d.number.Add(1)), Action: testbed.Submit, Properties: properties}
	for _, p := range payloads {
		m.Parts = append(m.Parts, testbed.Part{ID: p.ID, Size: p.Size, Body: p.Body, Properties: append([]ebms.Property{{Name: ebms.PropertyMimeType, Value: p.Type}}, p.Properties...)})
	}
	contentType, length, write := m.Encode(testbed.Ends{Driver: "minder", SUT: "sut", FromDriver: true}, time.Now())
	pr, pw := io.Pipe()
	go func() { pw.CloseWithError(write(pw)) }() // ends when the transport closes the body
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, pr)
	if err != nil {
		return "", err
	}
	req.ContentLength = length
	req.Header.Set("Content-Type", contentType)
	resp, err := d.client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return "", err
	}
	in, err := testbed.Decode(resp.Header.Get("Content-Type"), bytes.NewReader(b))
	if err != nil {
		return "", fmt.Errorf("submission: HTTP status %d: %w", resp.StatusCode, err)
	}
	for _, s := range in.Signals {
		for _, e := range s.Errors {
			return "", e
		}
	}
	if in.Action != testbed.SubmitResponse || in.Property(testbed.MessageID) == "" {
		return "", errors.New("submission: the answer names no message id")
	}
	return in.Property(testbed.MessageID), nil
}

// Find returns what was told about a message.
func (d *Driver) Find(node, action, messageID string) []*Told {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.find(node, action, messageID)
}

func (d *Driver) find(node, action, messageID string) (list []*Told) {
	for _, t := range d.told {
		about := t.Property(testbed.RefToMessageID)
		if t.Action == testbed.Deliver {
			about = t.Property(testbed.MessageID)
		}
		if t.Node == node && t.Action == action && about == messageID {
			list = append(list, t)
		}
	}
	return list
}

// Await waits until something is told about a message.
func (d *Driver) Await(ctx context.Context, node, action, messageID string) (*Told, error) {
	for {
		d.mu.Lock()
		list, grown := d.find(node, action, messageID), d.grown
		d.mu.Unlock()
		if len(list) > 0 {
			return list[0], nil
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return nil, fail("%s sent no %s for message %s", node, action, messageID)
		}
	}
}
