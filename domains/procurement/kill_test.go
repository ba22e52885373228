package procurement_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/domains/procurement"
	"github.com/viadukt-eu/viadukt/domains/procurement/sample"
	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/internal/childnode"
	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/setup"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/node/store/sqlite"
	"github.com/viadukt-eu/viadukt/trust/xmldsig"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// load hands invoices over to a node that may be dead, and remembers what was accepted.
type load struct {
	t           *testing.T
	api, token  string
	client      http.Client
	number      atomic.Int64
	unanswered  atomic.Int64 // hand-overs whose answer was lost: stored or not
	mu          sync.Mutex
	accepted    map[string]string   // message id -> invoice number
	documents   map[string][32]byte // invoice number -> hash of the document as it must arrive
	acceptedNow atomic.Int64
}

// run is one caller. Each hand-over is a new invoice: an answer that was lost is not asked for again.
func (l *load) run(stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		n := l.number.Add(1)
		doc := l.invoice(n)
		if !l.post(strconv.FormatInt(n, 10), doc) {
			time.Sleep(5 * time.Millisecond) // the node is dead: do not spin
		}
	}
}

// invoice makes one; every fourth has a note that does not compress below what the database keeps in its rows.
func (l *load) invoice(n int64) []byte {
	doc, err := sample.Make("invoice", strconv.FormatInt(n, 10), sample.Supplier, sample.Buyer, time.Now())
	if err != nil {
		panic(err)
	}
	if n%4 == 0 {
		noise := make([]byte, 20_000+n%30_000)
		rand.Read(noise)
		note := "<cbc:Note>" + base64.StdEncoding.EncodeToString(noise) + "</cbc:Note>\n  <cbc:DueDate>"
		doc = bytes.Replace(doc, []byte("<cbc:DueDate>"), []byte(note), 1)
	}
	return doc
}

// business is a document without XML declaration and outer white space: what an envelope carries.
func business(doc []byte) []byte { return bytes.TrimSpace(doc[bytes.IndexByte(doc, '\n')+1:]) }

func (l *load) post(number string, doc []byte) bool {
	req, err := http.NewRequest("POST", l.api+"/api/v1/messages", bytes.NewReader(doc))
	if err != nil {
		panic(err)
	}
	req.Header.Set("Authorization", "Bearer "+l.token)
	req.Header.Set("Content-Type", "application/xml")
	l.mu.Lock()
	l.documents[number] = sha256.Sum256(business(doc))
	l.mu.Unlock()
	resp, err := l.client.Do(req)
	if err != nil {
		l.unanswered.Add(1)
		return false
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	switch {
	case resp.StatusCode != http.StatusAccepted && err == nil:
		l.t.Errorf("invoice %s refused: %d %s", number, resp.StatusCode, body)
		return false
	case err != nil:
		l.unanswered.Add(1)
		return false
	}
	var m node.MessageJSON
	if err := json.Unmarshal(body, &m); err != nil {
		l.t.Errorf("invoice %s: %v", number, err)
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.accepted[m.MessageID] = number
	l.acceptedNow.Add(1)
	return true
}

// TestNodesMayBeKilledAtAnyMoment kills one of two nodes again and again while invoices are handed over. What was
// accepted must be acknowledged in the end, what was acknowledged must be at the other side, and nothing twice.
func TestNodesMayBeKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	var made [2]*setup.Result
	for i, code := range []string{"EE", "PT"} {
		var err error
		made[i], err = setup.Create(setup.Params{Dir: filepath.Join(root, code), Network: filepath.Join(root, "network"), Country: code, Profile: "peppol", Host: ownAddress(), Inbox: true, Now: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
	}
	var nodes [2]*childnode.Child
	for i := range made {
		nodes[i] = childnode.Start(t, made[i].ConfigFile)
		t.Cleanup(nodes[i].Kill)
	}
	registerByAPI(t, made[1])

	l := &load{t: t, api: made[0].API, token: made[0].Token, accepted: map[string]string{}, documents: map[string][32]byte{}, client: http.Client{Timeout: 20 * time.Second}}
	stop := make(chan struct{})
	var callers sync.WaitGroup
	for range 8 {
		callers.Go(func() { l.run(stop) })
	}
	var killed [2]int
	for range childnode.Kills(t, 4) {
		// Something must be under way each time: a few messages since the last start, then any moment after.
		want := l.acceptedNow.Load() + mathrand.Int64N(20)
		for deadline := time.Now().Add(patience); l.acceptedNow.Load() <= want; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("no more messages are accepted")
			}
		}
		time.Sleep(mathrand.N(150 * time.Millisecond))
		side := mathrand.IntN(2)
		nodes[side].Kill()
		killed[side]++
		nodes[side].Start(t)
	}
	close(stop)
	callers.Wait()
	calm(t, made[0], "accepted", "queued", "sending", "sent", "retrying")
	calm(t, made[1], "received", "retrying")
	for _, c := range nodes {
		c.End(t)
	}
	check := &aftermath{t: t, load: l, ee: openStore(t, made[0]), pt: openStore(t, made[1]), inbox: filepath.Join(made[1].Dir, "inbox")}
	check.all()
	t.Logf("killed sender %d times, receiver %d times; %d messages accepted, %d hand-overs without answer, %d messages arrived, %d of them as files, %d attempts were repetitions",
		killed[0], killed[1], len(l.accepted), l.unanswered.Load(), check.arrived, check.files, check.repeated)
}

func registerByAPI(t *testing.T, r *setup.Result) {
	t.Helper()
	doc, err := sample.Make("invoice", "0", sample.Supplier, sample.Buyer, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	d, err := procurement.Parse(doc)
	if err != nil {
		t.Fatal(err)
	}
	path := "/api/v1/participants/" + escape(d.Receiver.String()) + "/services/" + escape(d.Type.String())
	if status, body := ask(t, r, "PUT", path, fmt.Appendf(nil, `{"process":%q}`, d.Process.String())); status != http.StatusNoContent {
		t.Fatalf("register: %d %s", status, body)
	}
}

func escape(s string) string {
	return strings.NewReplacer("%", "%25", "/", "%2F", "#", "%23", "?", "%3F").Replace(s)
}

func ask(t *testing.T, r *setup.Result, method, path string, body []byte) (int, []byte) {
	t.Helper()
	req, err := http.NewRequest(method, r.API+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+r.Token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, b
}

// calm waits until no message of a node is in one of these states.
func calm(t *testing.T, r *setup.Result, states ...string) {
	t.Helper()
	deadline, before := time.Now().Add(patience), 0
	for {
		n, first := restless(t, r, states)
		switch {
		case n == 0:
			return
		case n != before: // progress
			before, deadline = n, time.Now().Add(patience)
		case time.Now().After(deadline):
			t.Fatalf("%s: %d messages do not come to rest, the first is %+v: %+v", r.Name, n, first, first.Error)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// restless counts the messages in one of these states, and returns the oldest.
func restless(t *testing.T, r *setup.Result, states []string) (n int, oldest node.MessageJSON) {
	t.Helper()
	for before := int64(0); ; {
		status, body := ask(t, r, "GET", fmt.Sprintf("/api/v1/messages?limit=1000&before=%d&state=%s", before, strings.Join(states, "&state=")), nil)
		var l struct {
			Messages []node.MessageJSON
			Next     int64
		}
		if err := json.Unmarshal(body, &l); status != http.StatusOK || err != nil {
			t.Fatalf("%d %s %v", status, body, err)
		}
		if n += len(l.Messages); len(l.Messages) > 0 {
			oldest = l.Messages[len(l.Messages)-1]
		}
		if before = l.Next; before == 0 {
			return n, oldest
		}
	}
}

func openStore(t *testing.T, r *setup.Result) *sqlite.Store {
	t.Helper()
	c, err := config.Load(r.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	s, err := sqlite.Open(string(c.Node.DataDir), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// aftermath compares what the callers were told with what both nodes keep.
type aftermath struct {
	t      *testing.T
	load   *load
	ee, pt *sqlite.Store
	inbox  string

	arrived, files, repeated int
}

func (a *aftermath) all() {
	ctx := context.Background()
	for name, s := range map[string]*sqlite.Store{"EE": a.ee, "PT": a.pt} {
		if err := s.VerifyData(ctx, func(d store.Damage) { a.t.Errorf("%s: %+v", name, d) }); err != nil {
			a.t.Error(err)
		}
	}
	received := map[string]*store.Message{}
	for _, m := range every(a.t, a.pt, store.In) {
		if other := received[m.MessageID]; other != nil {
			a.t.Errorf("%s is stored twice at PT: rows %d and %d", m.MessageID, other.ID, m.ID)
		}
		if m.State != store.Delivered {
			a.t.Errorf("%s is %s at PT: %+v", m.MessageID, m.State, m.Error)
		}
		received[m.MessageID] = m
	}
	a.arrived = len(received)
	sent := every(a.t, a.ee, store.Out)
	known := map[string]bool{}
	for _, m := range sent {
		known[m.MessageID] = true
		a.repeated += m.Attempts - 1
		if m.State != store.Acknowledged {
			a.t.Errorf("%s is %s at EE: %+v", m.MessageID, m.State, m.Error)
			continue
		}
		in := received[m.MessageID]
		if in == nil {
			a.t.Errorf("%s is acknowledged and missing at PT", m.MessageID)
			continue
		}
		a.pair(m.ID, in.ID)
	}
	for id, number := range a.load.accepted {
		if !known[id] {
			a.t.Errorf("invoice %s (%s) was accepted and is not stored", number, id)
		}
	}
	for id := range received {
		if !known[id] {
			a.t.Errorf("%s arrived and was never sent", id)
		}
	}
	a.folders(received)
}

func every(t *testing.T, s *sqlite.Store, d store.Direction) (all []*store.Message) {
	t.Helper()
	for page := (store.Page{Limit: 1000}); ; {
		l, err := s.List(context.Background(), store.Filter{Direction: d}, page)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, l.Messages...)
		if page.Before = l.Next; l.Next == 0 {
			return all
		}
	}
}

// pair checks one acknowledged message against what the receiver has: the same receipt at both sides, whose digests
// are those that the stored message was signed with, and payloads that have them.
func (a *aftermath) pair(out, in int64) {
	ctx := context.Background()
	m, err := a.ee.Message(ctx, out)
	if err != nil {
		a.t.Fatal(err)
	}
	got, err := a.pt.Message(ctx, in)
	if err != nil {
		a.t.Fatal(err)
	}
	if p := got.Payloads[0]; p.Row == 0 {
		a.files++
	}
	ours, theirs := receipt(a.t, a.ee, out), receipt(a.t, a.pt, in)
	if len(ours) == 0 || !bytes.Equal(ours, theirs) {
		a.t.Errorf("%s: the receipt at EE (%d octets) is not the one that PT stored (%d octets)", m.MessageID, len(ours), len(theirs))
		return
	}
	proven := digestsOfReceipt(a.t, ours)
	signed := digestsOfMessage(a.t, got.Header)
	if len(proven) != len(signed) || len(proven) < 2 {
		a.t.Errorf("%s: %d digests in the receipt, %d signed", m.MessageID, len(proven), len(signed))
	}
	for uri, d := range signed {
		if proven[uri] != d {
			a.t.Errorf("%s: the receipt has another digest for %s than the message at PT", m.MessageID, uri)
		}
	}
	if d := proven["cid:"+m.Payloads[0].ContentID]; d != string(m.Payloads[0].SHA256[:]) {
		a.t.Errorf("%s: the receipt does not prove the payload", m.MessageID)
	}
}

func receipt(t *testing.T, s *sqlite.Store, id int64) []byte {
	t.Helper()
	list, err := s.Evidence(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	var found []byte
	for _, e := range list {
		if e.Kind == store.KindReceipt {
			if found != nil {
				t.Errorf("message %d has two receipts", id)
			}
			found = e.Octets
		}
	}
	return found
}

func digestsOfReceipt(t *testing.T, envelope []byte) map[string]string {
	t.Helper()
	env, err := ebms.ParseEnvelope(bytes.Clone(envelope), dom.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := ebms.ParseMessaging(env.Messaging, ebms.DefaultQuirks())
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, r := range m.Signals[0].Receipt.References {
		out[r.URI] = string(r.Digest)
	}
	return out
}

func digestsOfMessage(t *testing.T, envelope []byte) map[string]string {
	t.Helper()
	env, err := ebms.ParseEnvelope(bytes.Clone(envelope), dom.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	info := env.Security.Child(xmldsig.Namespace, "Signature").Child(xmldsig.Namespace, "SignedInfo")
	for r := range info.Elements() {
		if !r.Is(xmldsig.Namespace, "Reference") {
			continue
		}
		d, err := base64.StdEncoding.DecodeString(r.Child(xmldsig.Namespace, "DigestValue").TrimmedText())
		if err != nil {
			t.Fatal(err)
		}
		out[r.Attr("URI")] = string(d)
	}
	return out
}

// folders checks what the back office of PT finds: one folder a message, one message an invoice, the octets that were
// handed over, and nothing half written.
func (a *aftermath) folders(received map[string]*store.Message) {
	parents, err := os.ReadDir(a.inbox)
	if err != nil {
		a.t.Fatal(err)
	}
	seen := map[string]bool{}
	invoices := map[string]string{}
	for _, p := range parents {
		folders, err := os.ReadDir(filepath.Join(a.inbox, p.Name()))
		if err != nil {
			a.t.Fatal(err)
		}
		for _, f := range folders {
			if seen[f.Name()] = true; received[f.Name()] == nil {
				a.t.Errorf("inbox holds %s, which is no message at PT", f.Name())
			}
			files, err := filepath.Glob(filepath.Join(a.inbox, p.Name(), f.Name(), "*"))
			if err != nil || len(files) != 1 {
				a.t.Errorf("%s holds %d files, %v", f.Name(), len(files), err)
				continue
			}
			doc, err := os.ReadFile(files[0])
			if err != nil {
				a.t.Fatal(err)
			}
			d, err := procurement.Parse(bytes.Clone(doc))
			if err != nil {
				a.t.Errorf("%s: %v", f.Name(), err)
				continue
			}
			if other, twice := invoices[d.Number]; twice {
				a.t.Errorf("invoice %s was delivered twice: %s and %s", d.Number, other, f.Name())
			}
			invoices[d.Number] = f.Name()
			if sha256.Sum256(bytes.TrimSpace(doc)) != a.load.documents[d.Number] {
				a.t.Errorf("invoice %s (%s) arrived with other octets", d.Number, f.Name())
			}
		}
	}
	for id := range received {
		if !seen[id] {
			a.t.Errorf("%s is delivered and not in the inbox", id)
		}
	}
	for id, number := range a.load.accepted {
		if invoices[number] != id {
			a.t.Errorf("invoice %s was accepted as %s and arrived as %q", number, id, invoices[number])
		}
	}
}
