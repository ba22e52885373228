package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/setup"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// trap is an access point that misbehaves on request: the name of the receiver says how. It stands before a node of
// its own, whose keys it has, and lets everybody through whose name asks for nothing.
//
//	-failN-        the first N attempts are answered with HTTP 503
//	-noreceipt-    the message is taken, but the answer is empty
//	-badreceipt-   a digest in the receipt is changed on the way
//	-wrongsig-     the receipt is signed by another member of the network
//	-ebms0004-     an ebMS error is answered: EBMS:0004
//	-slow-         the answer takes two seconds
//	-dead-         the message is taken, and the connection breaks instead of an answer
//	-fullN-        the node behind it has a full disk at the first N attempts
//
// Besides, the node that it stands before has a neighbour whose certificate has expired: participants there have
// -expired- in their names.
type trap struct {
	country *country
	server  *http.Server
	wrong   http.Handler // signs with another key
	refuse  http.Handler // answers errors
	disk    *fullDisk    // of the node behind

	mu       sync.Mutex
	attempts map[string]int // by message id
}

var (
	recipient = regexp.MustCompile(`name="finalRecipient"[^>]*>([^<]*)<`)
	messageID = regexp.MustCompile(`MessageId[^>]*>([^<]*)<`)
	failing   = regexp.MustCompile(`-fail(\d{1,3})-`)
	filling   = regexp.MustCompile(`-full(\d{1,3})-`)
	digest    = regexp.MustCompile(`DigestValue>([A-Za-z0-9+/]+)=*</`)
)

// openTrap makes the access point, with a node behind it that publishes the trap's address.
func (w *world) openTrap(code string) (*trap, error) {
	made, err := w.create(code, nil)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	t := &trap{attempts: map[string]int{}, server: &http.Server{ReadHeaderTimeout: 10 * time.Second}}
	t.server.Handler = t
	w.trap = t
	go t.server.Serve(l)
	t.country = &country{code: code, made: made, w: w, tune: func(c *config.Config) { c.AS4.URL = config.URL("http://" + l.Addr().String() + "/as4") }}
	t.country.wrap = func(s store.Store) store.Store {
		t.disk = &fullDisk{Store: s}
		return t.disk
	}
	if err := t.country.serve(); err != nil {
		return nil, err
	}
	other, err := w.nodes["PT"].identity()
	if err != nil {
		return nil, err
	}
	if t.wrong, err = t.receiver(other, nil); err != nil {
		return nil, err
	}
	t.refuse, err = t.receiver(t.country.node.Identity(), ebms.Other.New("the demo was asked for this error"))
	return t, err
}

// identity is the signing key of a node.
func (c *country) identity() (*pki.Identity, error) {
	b, err := os.ReadFile(filepath.Join(c.made.Dir, "keys", "as4.pem"))
	if err != nil {
		return nil, err
	}
	return pki.LoadIdentity(b, "")
}

// receiver opens messages with the trap's key and signs with another identity; refusal, if any, is its answer.
func (t *trap) receiver(sign *pki.Identity, refusal error) (http.Handler, error) {
	n := t.country.node
	pm := &as4.PMode{ID: "trap", ProfileName: profile, Responder: as4.PartyRef{ID: t.country.made.Party, Type: t.country.made.PartyType}, Quirks: ebms.DefaultQuirks()}
	table, err := as4.NewTable(pm)
	if err != nil {
		return nil, err
	}
	return &as4.Receiver{
		PModes: func() *as4.Table { return table }, Intake: deaf{refusal}, Identity: func(*as4.PMode) *pki.Identity { return sign },
		Keys: func() []*pki.Identity { return []*pki.Identity{n.Identity()} }, Trust: n.Trust(), Clock: n.Clock, Host: "trap.example",
	}, nil
}

func (t *trap) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience) // a connection without a request is let be for five seconds
	defer cancel()
	return t.server.Shutdown(ctx)
}

// ServeHTTP implements [http.Handler].
func (t *trap) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 64<<20))
	if err != nil {
		http.Error(w, "too large for a demo", http.StatusRequestEntityTooLarge)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	name, id := first(recipient, body), first(messageID, body)
	switch has := func(word string) bool { return strings.Contains(name, word) }; {
	case t.among(failing, name, id):
		http.Error(w, "the demo was asked to fail", http.StatusServiceUnavailable)
	case t.among(filling, name, id):
		t.disk.full.Add(1)
		defer t.disk.full.Add(-1)
		t.forward(w, r, body, nil)
	case has("-dead-"):
		panic(http.ErrAbortHandler)
	case has("-wrongsig-"):
		t.wrong.ServeHTTP(w, r)
	case has("-ebms0004-"):
		t.refuse.ServeHTTP(w, r)
	case has("-slow-"):
		select {
		case <-time.After(2 * time.Second):
		case <-r.Context().Done():
		}
		t.forward(w, r, body, nil)
	case has("-noreceipt-"):
		t.forward(w, r, body, func([]byte) []byte { return nil })
	case has("-badreceipt-"):
		t.forward(w, r, body, spoil)
	default:
		t.forward(w, r, body, nil)
	}
}

// among counts attempts, and reports whether this one is among the first so many that the name asks for.
func (t *trap) among(ask *regexp.Regexp, name, id string) bool {
	m := ask.FindStringSubmatch(name)
	if m == nil {
		return false
	}
	n, _ := strconv.Atoi(m[1])
	t.mu.Lock()
	defer t.mu.Unlock()
	t.attempts[id]++
	return t.attempts[id] <= n
}

// forward hands the request to the node behind, and its answer back, changed.
func (t *trap) forward(w http.ResponseWriter, r *http.Request, body []byte, change func([]byte) []byte) {
	req, err := http.NewRequestWithContext(r.Context(), r.Method, "http://"+t.country.node.Addr("as4")+r.URL.Path, bytes.NewReader(body))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	req.Header = r.Header.Clone()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	if change != nil {
		answer = change(answer)
	}
	w.Header().Set("Content-Type", resp.Header.Get("Content-Type"))
	w.WriteHeader(resp.StatusCode)
	w.Write(answer)
}

// spoil changes a digest that the receipt repeats: the first one after the receipt begins.
func spoil(answer []byte) []byte {
	at := bytes.Index(answer, []byte("NonRepudiationInformation"))
	if at < 0 {
		return answer
	}
	m := digest.FindSubmatchIndex(answer[at:])
	if m == nil {
		return answer
	}
	i := at + m[2]
	if answer[i]++; answer[i] == 'z'+1 || answer[i] == 'Z'+1 || answer[i] == '9'+1 || answer[i] == '/'+1 || answer[i] == '+'+1 {
		answer[i] = 'A'
	}
	return answer
}

func first(re *regexp.Regexp, b []byte) string {
	if m := re.FindSubmatch(b); m != nil {
		return string(m[1])
	}
	return ""
}

// fullDisk is the store of a node whose volume is full while somebody says so.
type fullDisk struct {
	store.Store
	full atomic.Int32
}

// NewPayload implements [store.Store].
func (d *fullDisk) NewPayload() (store.PayloadWriter, error) {
	if d.full.Load() > 0 {
		return nil, store.ErrDiskFull
	}
	return d.Store.NewPayload()
}

// deaf takes every message and keeps nothing.
type deaf struct{ refusal error }

// Begin implements [as4.Intake].
func (d deaf) Begin(context.Context, *ebms.UserMessage, *as4.PMode) (as4.Delivery, error) {
	return d, nil
}

// Signal implements [as4.Intake].
func (deaf) Signal(context.Context, *as4.Signal) error {
	return errors.New("no message waits for a signal here")
}

func (deaf) Payload(*ebms.PartInfo) (io.Writer, error)             { return io.Discard, nil }
func (deaf) Known(context.Context, string, string) ([]byte, error) { return nil, nil }
func (d deaf) Check(context.Context, *as4.Received) error          { return d.refusal }
func (deaf) Close()                                                {}
func (deaf) Commit(_ context.Context, _ *as4.Received, _, receipt []byte) ([]byte, error) {
	return receipt, nil
}

// expired makes a node whose certificate ended yesterday.
func (w *world) expired(code string) (*country, error) {
	made, err := w.create(code, func(p *setup.Params) {
		p.Certificate = func(t *pki.Template) { t.NotBefore, t.NotAfter = p.Now.Add(-time.Hour), p.Now.Add(-time.Minute) }
	})
	if err != nil {
		return nil, fmt.Errorf("expired: %w", err)
	}
	return w.start(code, made, nil)
}
