package audit

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/edelivery/wss"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/node/store/sqlite"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

var start = time.Date(2026, 5, 4, 9, 30, 0, 0, time.UTC)

// clock moves one second at each look, so that heads and entries have times of their own.
type clock struct{ n atomic.Int64 }

func (c *clock) now() time.Time { return start.Add(time.Duration(c.n.Add(1)) * time.Second) }

// world is a node's store and log, and a partner with whom it exchanges messages.
type world struct {
	t       testing.TB
	clock   *clock
	ca      *pki.Authority
	node    *pki.Identity
	partner *pki.Identity
	rec     *Recorder
	store   *sqlite.Store
	log     *Log
}

var ctx = context.Background()

func newWorld(t testing.TB, alg pki.KeyAlgorithm) *world {
	t.Helper()
	w := &world{t: t, clock: &clock{}, rec: NewRecorder(DefaultPolicy())}
	var err error
	if w.ca, err = pki.NewAuthority(rand.Reader, "CN=Authority,O=Test", pki.P256, start.AddDate(0, -1, 0), 10); err != nil {
		t.Fatal(err)
	}
	w.node, w.partner = w.issue("node", alg), w.issue("partner", alg)
	if w.store, err = sqlite.Open(t.TempDir(), sqlite.Options{MinFree: -1, Recorder: w.rec, Clock: w.clock.now}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.store.Close() })
	w.log, err = Open(ctx, Options{Store: w.store, Identity: func() *pki.Identity { return w.node }, Rand: rand.Reader, Clock: w.clock.now}, Entry{Subject: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) issue(name string, alg pki.KeyAlgorithm) *pki.Identity {
	w.t.Helper()
	id, err := w.ca.Issue(pki.Template{CommonName: name, Algorithm: alg})
	if err != nil {
		w.t.Fatal(err)
	}
	return id
}

func (w *world) write(f func(tx store.Tx) error) {
	w.t.Helper()
	if err := w.store.Write(ctx, f); err != nil {
		w.t.Fatal(err)
	}
}

const document = `<?xml version="1.0"?><Invoice><ID>2026-1</ID><Total>1250.00</Total></Invoice>`

// userMessage is a message of one compressed document and one that is not.
func (w *world) userMessage(id string) *ebms.UserMessage {
	part := func(cid, mime string, compressed bool) ebms.PartInfo {
		p := ebms.PartInfo{Href: "cid:" + cid, Properties: []ebms.Property{{Name: ebms.PropertyMimeType, Value: mime}}}
		if compressed {
			p.Properties = append(p.Properties, ebms.Property{Name: ebms.PropertyCompressionType, Value: ebms.CompressionGzip})
		}
		return p
	}
	return &ebms.UserMessage{
		MessageID: id, ConversationID: "conv", Timestamp: w.clock.now(),
		From:    ebms.Party{IDs: []ebms.PartyID{{Value: "urn:p:a"}}, Role: ebms.RoleInitiator},
		To:      ebms.Party{IDs: []ebms.PartyID{{Value: "urn:p:b"}}, Role: ebms.RoleResponder},
		Service: ebms.Service{Value: "urn:test:letters"}, Action: "deliver",
		Parts: []ebms.PartInfo{part("doc@a", "application/xml", true), part("scan@a", "application/pdf", false)},
	}
}

var scan = bytes.Repeat([]byte("%PDF scan "), 30)

// compress packs as the program does, or as some other program, which nobody can repeat.
func compress(t testing.TB, plain []byte, foreign bool) []byte {
	t.Helper()
	var b bytes.Buffer
	if _, err := as4.Compress(&b, func(w io.Writer) error { _, err := w.Write(plain); return err }); err != nil {
		t.Fatal(err)
	}
	if foreign {
		out := b.Bytes()
		out[9] = 3 // the operating system in the gzip header
		return out
	}
	return b.Bytes()
}

func sign(t testing.TB, m *ebms.Messaging, id *pki.Identity, contents ...wss.Content) []byte {
	t.Helper()
	d := wss.NewDraft(m, fmt.Sprintf("%x", sha256.Sum256(fmt.Append(nil, m.UserMessages, len(m.Signals)))))
	sec, err := wss.Secure(d, contents, wss.SecureOptions{Suite: wss.SuiteFor(id.Key.Public()), Sign: id, ID: "x"})
	if err != nil {
		t.Fatal(err)
	}
	return sec.Envelope
}

func content(cid, mime string, b []byte) wss.Content {
	sum := sha256.Sum256(b)
	return wss.Content{ContentID: cid, MimeType: mime, Size: int64(len(b)), Digest: sum[:]}
}

// signed is a message as a sender signs it.
func (w *world) signed(um *ebms.UserMessage, by *pki.Identity, packed []byte) []byte {
	w.t.Helper()
	return sign(w.t, &ebms.Messaging{UserMessages: []*ebms.UserMessage{um}}, by, content("doc@a", ebms.CompressionGzip, packed), content("scan@a", "application/pdf", scan))
}

// receipt answers a signed message.
func (w *world) receipt(message []byte, by *pki.Identity) []byte {
	w.t.Helper()
	k, err := parseKept(message)
	if err == nil {
		err = k.signature(nil, nil)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	r := &ebms.Receipt{}
	for _, ref := range k.opened.References {
		r.References = append(r.References, ebms.NRReference{URI: ref.URI, DigestMethod: ref.DigestMethod, Digest: ref.Digest, Node: ref.Element})
	}
	um := k.messaging.UserMessage()
	return sign(w.t, &ebms.Messaging{Signals: []*ebms.Signal{{MessageID: "r-" + um.MessageID, RefToMessageID: um.MessageID, Timestamp: w.clock.now(), Receipt: r}}}, by)
}

func (w *world) errorSignal(messageID string, by *pki.Identity) []byte {
	w.t.Helper()
	e := ebms.Other.New("not now")
	e.RefToMessageInError = messageID
	return sign(w.t, &ebms.Messaging{Signals: []*ebms.Signal{{MessageID: "e-" + messageID, RefToMessageID: messageID, Timestamp: w.clock.now(), Errors: []*ebms.Error{e}}}}, by)
}

func payload(cid, mime string, b []byte, compressed bool) store.Payload {
	return store.Payload{ContentID: cid, MimeType: mime, Compressed: compressed, PayloadRef: store.PayloadRef{Size: int64(len(b)), SHA256: sha256.Sum256(b), Inline: b}}
}

// sent is a message that went out, was answered with an error first and then with a receipt.
func (w *world) sent(id string) int64 {
	w.t.Helper()
	um, packed := w.userMessage(id), compress(w.t, []byte(document), false)
	header := dom.NewWriter(nil)
	um.Append(header)
	m := &store.Message{
		Direction: store.Out, State: store.Queued, MessageID: id, Domain: "letters", PMode: "pm", From: "urn:p:a", To: "urn:p:b",
		Service: um.Service.Value, Action: um.Action, Header: header.Bytes(),
		Payloads: []store.Payload{payload("doc@a", "application/xml", packed, true), payload("scan@a", "application/pdf", scan, false)},
	}
	w.write(func(tx store.Tx) error { return tx.Insert(m) })
	w.write(func(tx store.Tx) error { return tx.Transition(m.ID, store.Sending, store.Change{}) })
	w.write(func(tx store.Tx) error {
		if err := tx.Transition(m.ID, store.Retrying, store.Change{Error: store.Problem{Code: "EBMS:0004"}}); err != nil {
			return err
		}
		return tx.PutEvidence(m.ID, store.Evidence{Kind: store.KindError, Octets: w.errorSignal(id, w.partner)})
	})
	message := w.signed(um, w.node, packed)
	w.write(func(tx store.Tx) error {
		if err := tx.Transition(m.ID, store.Acknowledged, store.Change{}); err != nil {
			return err
		}
		if err := tx.PutEvidence(m.ID, store.Evidence{Kind: store.KindReceipt, Octets: w.receipt(message, w.partner)}); err != nil {
			return err
		}
		return tx.PutEvidence(m.ID, store.Evidence{Kind: store.KindNonRepudiation, Octets: message})
	})
	return m.ID
}

// received is a message that came in and was answered with a receipt.
func (w *world) received(id string, foreign bool) int64 {
	w.t.Helper()
	um := w.userMessage(id)
	message := w.signed(um, w.partner, compress(w.t, []byte(document), foreign))
	m := &store.Message{
		Direction: store.In, State: store.Received, MessageID: id, SenderKey: "k", Domain: "letters", PMode: "pm", From: "urn:p:a", To: "urn:p:b",
		Service: um.Service.Value, Action: um.Action, Header: message,
		Payloads: []store.Payload{payload("doc@a", "application/xml", []byte(document), false), payload("scan@a", "application/pdf", scan, false)},
	}
	w.write(func(tx store.Tx) error {
		if err := tx.Insert(m); err != nil {
			return err
		}
		return tx.PutEvidence(m.ID, store.Evidence{Kind: store.KindReceipt, Octets: w.receipt(message, w.node)})
	})
	w.write(func(tx store.Tx) error { return tx.Transition(m.ID, store.Delivered, store.Change{}) })
	return m.ID
}

func (w *world) make(id int64, o CaseOptions) []byte {
	w.t.Helper()
	var b bytes.Buffer
	o.Node, o.Program = "test", "test 1"
	o.Certificates = append(o.Certificates, w.ca.Certificate)
	if err := w.log.WriteCase(ctx, &b, w.store, id, o); err != nil {
		w.t.Fatal(err)
	}
	return b.Bytes()
}

// verify checks a case with the authority known.
func (w *world) verify(b []byte) *Report {
	w.t.Helper()
	return verify(w.t, b, w.ca.Certificate)
}

func verify(t testing.TB, b []byte, trust ...*pki.Certificate) *Report {
	t.Helper()
	r, err := Verify(bytes.NewReader(b), int64(len(b)), VerifyOptions{Trust: pki.Bind(trust, pki.PurposeAccessPoint)})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// is finds steps by name and result.
func (r *Report) has(name string, result Result) bool {
	for _, s := range r.Steps {
		if s.Name == name && s.Result == result {
			return true
		}
	}
	return false
}

func (r *Report) text() string {
	var b bytes.Buffer
	for _, s := range r.Steps {
		fmt.Fprintf(&b, "%-8s %-28s %s  %.160s\n", s.Result, s.Name, s.Where, s.Text)
	}
	return b.String()
}

// touch adds an entry about a message.
func touch(id int64) func(store.Tx) error {
	return func(tx store.Tx) error {
		return tx.PutEvidence(id, store.Evidence{Kind: store.KindREM, Octets: []byte("more")})
	}
}

func putError(id int64, octets []byte) func(store.Tx) error {
	return func(tx store.Tx) error {
		return tx.PutEvidence(id, store.Evidence{Kind: store.KindError, Octets: octets})
	}
}
