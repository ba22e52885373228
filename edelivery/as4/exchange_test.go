package as4_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/edelivery/wss"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

var now = time.Date(2026, 11, 28, 10, 0, 0, 0, time.UTC)

// world is two access points under one authority: a sends, b receives.
type world struct {
	ca           *pki.Authority
	sign         [2]*pki.Identity
	encrypt      [2]*pki.Identity
	trust        *pki.Verifier
	pmode        *as4.PMode
	intake       *memory
	receiver     *as4.Receiver
	sender       *as4.Sender
	server       *httptest.Server
	lastRefusal  error
	interceptors []func(http.ResponseWriter, *http.Request) bool
}

func algorithms(profile string) (sign, encrypt pki.KeyAlgorithm) {
	switch profile {
	case "eu-edelivery2", "entsog":
		return pki.Ed25519, pki.X25519
	case "bdew":
		return pki.BrainpoolP256r1, pki.BrainpoolP256r1
	case "eu-edelivery2-ec":
		return pki.P256, pki.P256
	}
	return pki.RSA2048, pki.RSA2048
}

// keyOf makes one key of a kind for each role of all tests: RSA keys take long to make.
func keyOf(a pki.KeyAlgorithm, role int) pki.Key {
	keys.Lock()
	defer keys.Unlock()
	name := fmt.Sprint(a, role)
	if keys.made[name] == nil {
		k, err := pki.GenerateKey(rand.Reader, a)
		if err != nil {
			panic(err)
		}
		keys.made[name] = k
	}
	return keys.made[name]
}

var keys = struct {
	sync.Mutex
	made map[string]pki.Key
}{made: map[string]pki.Key{}}

func newWorld(t testing.TB, profile string, change func(*as4.PMode)) *world {
	t.Helper()
	w := &world{}
	var err error
	if w.ca, err = pki.NewAuthority(rand.Reader, "CN=Test AP CA,C=EU", pki.P256, now.AddDate(-1, 0, 0), 10); err != nil {
		t.Fatal(err)
	}
	s, e := algorithms(profile)
	for i := range 2 {
		cn := fmt.Sprintf("POP00000%d", i+1)
		if w.sign[i], err = w.ca.Issue(pki.Template{CommonName: cn, Key: keyOf(s, i)}); err != nil {
			t.Fatal(err)
		}
		w.encrypt[i] = w.sign[i]
		if e != s {
			if w.encrypt[i], err = w.ca.Issue(pki.Template{CommonName: cn, Key: keyOf(e, i)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	clock := func() time.Time { return now }
	w.trust = &pki.Verifier{Anchors: []pki.Anchor{{Certificate: w.ca.Certificate, Purposes: []pki.Purpose{pki.PurposeAccessPoint}}}, Clock: clock}
	w.pmode = &as4.PMode{
		ID: "test", ProfileName: profile, Service: "urn:s", ServiceType: "t", Action: "urn:a",
		Initiator:    as4.PartyRef{ID: "POP000001", Type: "urn:fdc:peppol.eu:2017:identifiers:ap"},
		Responder:    as4.PartyRef{ID: "POP000002", Type: "urn:fdc:peppol.eu:2017:identifiers:ap"},
		Certificates: []*pki.Certificate{w.sign[1].Certificate}, EncryptionCertificate: w.encrypt[1].Certificate,
	}
	if change != nil {
		change(w.pmode)
	}
	theirs := *w.pmode
	theirs.Certificates, theirs.EncryptionCertificate = []*pki.Certificate{w.sign[0].Certificate}, nil
	table, err := as4.NewTable(&theirs)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.pmode.Complete(); err != nil {
		t.Fatal(err)
	}
	w.intake = &memory{messages: map[string]*stored{}}
	w.receiver = &as4.Receiver{
		PModes: func() *as4.Table { return table }, Intake: w.intake, Identity: func(*as4.PMode) *pki.Identity { return w.sign[1] },
		Keys: func() []*pki.Identity { return []*pki.Identity{w.encrypt[1]} }, Trust: w.trust, Clock: clock, Host: "b.example",
		Refused: func(_ context.Context, _ *ebms.UserMessage, _ string, err error) { w.lastRefusal = err },
	}
	w.server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		for _, f := range w.interceptors {
			if f(rw, r) {
				return
			}
		}
		w.receiver.ServeHTTP(rw, r)
	}))
	t.Cleanup(w.server.Close)
	w.pmode.URL = w.server.URL
	w.sender = &as4.Sender{Client: w.server.Client(), Identity: func(*as4.PMode) *pki.Identity { return w.sign[0] }, Trust: w.trust, Clock: clock, UserAgent: "test"}
	return w
}

// message makes an outgoing message whose payloads are XML (compressed) and octets (as they are).
func (w *world) message(t testing.TB, id string, payloads ...[]byte) *as4.Outgoing {
	t.Helper()
	um := &ebms.UserMessage{
		MessageID: id, Timestamp: now, ConversationID: "c1", Service: ebms.Service{Value: "urn:s", Type: "t"}, Action: "urn:a",
		From: ebms.Party{IDs: []ebms.PartyID{{Value: w.pmode.Initiator.ID, Type: w.pmode.Initiator.Type}}, Role: w.pmode.Initiator.Role},
		To:   ebms.Party{IDs: []ebms.PartyID{{Value: w.pmode.Responder.ID, Type: w.pmode.Responder.Type}}, Role: w.pmode.Responder.Role},
		Properties: []ebms.Property{
			{Name: ebms.PropertyOriginalSender, Value: "9915:c1", Type: "iso6523-actorid-upis"},
			{Name: ebms.PropertyFinalRecipient, Value: "9915:c4", Type: "iso6523-actorid-upis"},
		},
	}
	if w.pmode.Agreement != "" {
		um.Agreement = &ebms.Agreement{Value: w.pmode.Agreement, Type: w.pmode.AgreementType}
	}
	out := &as4.Outgoing{Message: um, PMode: w.pmode, Attempt: 1}
	for i, p := range payloads {
		cid := fmt.Sprintf("p%d@a.example", i+1)
		part := ebms.PartInfo{Href: "cid:" + cid}
		content, mime := p, "application/octet-stream"
		if bytes.HasPrefix(p, []byte("<")) {
			var z bytes.Buffer
			if _, err := as4.Compress(&z, func(w io.Writer) error { _, err := w.Write(p); return err }); err != nil {
				t.Fatal(err)
			}
			content, mime = z.Bytes(), ebms.CompressionGzip
			part.Properties = []ebms.Property{{Name: ebms.PropertyMimeType, Value: "application/xml"}, {Name: ebms.PropertyCompressionType, Value: ebms.CompressionGzip}}
		} else {
			part.Properties = []ebms.Property{{Name: ebms.PropertyMimeType, Value: mime}}
		}
		sum := sha256.Sum256(content)
		um.Parts = append(um.Parts, part)
		out.Contents = append(out.Contents, wss.Content{ContentID: cid, MimeType: mime, Size: int64(len(content)), Digest: sum[:],
			Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil }})
	}
	return out
}

// memory is an intake that keeps everything in memory.
type memory struct {
	mu       sync.Mutex
	messages map[string]*stored
	doubles  int
	check    func(*as4.Received) error
	begin    error                     // what Begin says
	payload  error                     // what Payload says
	commit   func(*as4.Received) error // before the message is stored
	signal   func(*as4.Signal) error
}

type stored struct {
	*as4.Received
	payloads [][]byte
	receipt  []byte
}

type inflight struct {
	m     *memory
	parts []*bytes.Buffer
}

func (m *memory) Begin(context.Context, *ebms.UserMessage, *as4.PMode) (as4.Delivery, error) {
	return &inflight{m: m}, m.begin
}
func (m *memory) Signal(_ context.Context, s *as4.Signal) error {
	if m.signal != nil {
		return m.signal(s)
	}
	return ebms.InvalidReceipt.New("unexpected")
}
func (d *inflight) Payload(*ebms.PartInfo) (io.Writer, error) {
	if d.m.payload != nil {
		return nil, d.m.payload
	}
	b := &bytes.Buffer{}
	d.parts = append(d.parts, b)
	return b, nil
}
func (d *inflight) Known(_ context.Context, id, sender string) ([]byte, error) {
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	if s := d.m.messages[id+sender]; s != nil {
		d.m.doubles++
		return s.receipt, nil
	}
	return nil, nil
}
func (d *inflight) Check(_ context.Context, r *as4.Received) error {
	if d.m.check != nil {
		return d.m.check(r)
	}
	return nil
}
func (d *inflight) Commit(_ context.Context, r *as4.Received, _, receipt []byte) ([]byte, error) {
	if d.m.commit != nil {
		if err := d.m.commit(r); err != nil {
			return nil, err
		}
	}
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	if first := d.m.messages[r.Message.MessageID+r.Sender]; first != nil {
		d.m.doubles++
		return first.receipt, nil
	}
	s := &stored{Received: r, receipt: receipt}
	for _, p := range d.parts {
		s.payloads = append(s.payloads, p.Bytes())
	}
	d.m.messages[r.Message.MessageID+r.Sender] = s
	return receipt, nil
}
func (d *inflight) Close() {}

func (m *memory) only(t *testing.T) *stored {
	t.Helper()
	if len(m.messages) != 1 {
		t.Fatalf("%d messages stored, want 1", len(m.messages))
	}
	for _, s := range m.messages {
		return s
	}
	return nil
}

var xmlPayload = []byte("<invoice xmlns='urn:x'>\r\n<total>" + strings.Repeat("12.50 ", 300) + "</total></invoice>")

func TestPush(t *testing.T) {
	t.Parallel()
	tokens := func(f wss.TokenForm) func(*as4.PMode) {
		return func(p *as4.PMode) { p.SignToken, p.EncryptToken = f, f }
	}
	for name, c := range map[string]struct {
		profile  string
		change   func(*as4.PMode)
		payloads [][]byte
	}{
		"eDelivery 1.15, XML and octets":         {"eu-edelivery", nil, [][]byte{xmlPayload, []byte("%PDF-1.7 not XML")}},
		"eDelivery 1.15, no payload":             {"eu-edelivery", nil, nil},
		"eDelivery 1.15, empty payload":          {"eu-edelivery", nil, [][]byte{{}}},
		"eDelivery 1.15, 3 MB in the stream":     {"eu-edelivery", nil, [][]byte{bytes.Repeat([]byte("0123456789abcdef"), 200_000)}},
		"eDelivery 1.15, key identifiers":        {"eu-edelivery", tokens(wss.TokenSKI), [][]byte{xmlPayload}},
		"eDelivery 1.15, issuer and serial":      {"eu-edelivery", tokens(wss.TokenIssuerSerial), [][]byte{xmlPayload}},
		"eDelivery 1.15, thumbprints":            {"eu-edelivery", tokens(wss.TokenThumbprint), [][]byte{xmlPayload}},
		"eDelivery 1.15, PKIPath":                {"eu-edelivery", tokens(wss.TokenPKIPath), [][]byte{xmlPayload}},
		"eDelivery 2.0, Ed25519 and X25519":      {"eu-edelivery2", nil, [][]byte{xmlPayload, []byte("octets")}},
		"eDelivery 2.0, ECDSA and ECDH on P-256": {"eu-edelivery2-ec", nil, [][]byte{xmlPayload, []byte("octets")}},
		"Peppol":                                 {"peppol", nil, [][]byte{xmlPayload}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, c.profile, c.change)
			o := w.sender.Send(context.Background(), w.message(t, "m1@a.example", c.payloads...))
			if o.Verdict != as4.Acknowledged {
				t.Fatalf("verdict %v: %v (receiver: %v)", o.Verdict, o.Err, w.lastRefusal)
			}
			s := w.intake.only(t)
			if s.Signer == nil || !s.Signer.Equal(w.sign[0].Certificate) || s.Encrypted != (len(c.payloads) > 0) {
				t.Errorf("signer %v, encrypted %v", s.Signer, s.Encrypted)
			}
			for i, p := range c.payloads {
				if !bytes.Equal(s.payloads[i], p) {
					t.Errorf("payload %d differs: %d octets, want %d", i, len(s.payloads[i]), len(p))
				}
			}
		})
	}
}

func TestDuplicateIsAnsweredWithTheStoredReceipt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "eu-edelivery", nil)
	first := w.sender.Send(context.Background(), w.message(t, "m1@a.example", xmlPayload))
	second := w.sender.Send(context.Background(), w.message(t, "m1@a.example", xmlPayload))
	if first.Verdict != as4.Acknowledged || second.Verdict != as4.Acknowledged {
		t.Fatalf("%v, %v", first.Err, second.Err)
	}
	if !bytes.Equal(first.Answer, second.Answer) {
		t.Error("the second receipt is not the first one, octet for octet")
	}
	w.intake.only(t)
	if w.intake.doubles != 1 {
		t.Errorf("%d duplicates counted, want 1", w.intake.doubles)
	}
}
