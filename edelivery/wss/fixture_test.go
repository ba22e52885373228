package wss_test

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/edelivery/wss"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/xmldsig"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

var now = time.Date(2026, 11, 28, 10, 0, 0, 0, time.UTC)

// people are the parties of the tests: Alice signs, Bob decrypts.
type people struct {
	ca, sub, foreign, smp *pki.Authority
	alice, bob            *pki.Identity // RSA 2048
	path                  *pki.Identity // below an intermediate authority
	aliceEd, bobX         *pki.Identity
	aliceEC, bobEC        *pki.Identity
	mallory               *pki.Identity // another good certificate of the same authority
	expired, early        *pki.Identity
	stranger, publisher   *pki.Identity // of an authority that is not trusted, not for this
	noSignature           *pki.Identity // key usage without digitalSignature
	weak                  *pki.Identity // RSA 1024
	noSKI                 *pki.Identity
	trust                 *pki.Verifier
}

var cast = sync.OnceValue(func() *people {
	must := func(a *pki.Authority, err error) *pki.Authority {
		if err != nil {
			panic(err)
		}
		return a
	}
	start := now.AddDate(-1, 0, 0)
	p := &people{
		ca:      must(pki.NewAuthority(rand.Reader, "CN=Test CA,O=Tests,C=EU", pki.P256, start, 10)),
		foreign: must(pki.NewAuthority(rand.Reader, "CN=Foreign CA", pki.P256, start, 10)),
		smp:     must(pki.NewAuthority(rand.Reader, "CN=Publisher CA", pki.P256, start, 10)),
	}
	p.sub = must(p.ca.Sub("CN=Test Sub CA", pki.P256, start, 5))
	issue := func(a *pki.Authority, t pki.Template) *pki.Identity {
		id, err := a.Issue(t)
		if err != nil {
			panic(err)
		}
		return id
	}
	p.alice = issue(p.ca, pki.Template{CommonName: "alice", Algorithm: pki.RSA2048})
	p.bob = issue(p.ca, pki.Template{CommonName: "bob", Algorithm: pki.RSA2048})
	p.path = issue(p.sub, pki.Template{CommonName: "alice", Algorithm: pki.RSA2048})
	p.aliceEd = issue(p.ca, pki.Template{CommonName: "alice", Algorithm: pki.Ed25519})
	p.bobX = issue(p.ca, pki.Template{CommonName: "bob", Algorithm: pki.X25519})
	p.aliceEC = issue(p.ca, pki.Template{CommonName: "alice", Algorithm: pki.P256})
	p.bobEC = issue(p.ca, pki.Template{CommonName: "bob", Algorithm: pki.P256})
	key := p.alice.Key
	p.mallory = issue(p.ca, pki.Template{CommonName: "mallory", Key: key})
	p.expired = issue(p.ca, pki.Template{CommonName: "alice", Key: key, NotBefore: start, NotAfter: now.AddDate(0, 0, -1)})
	p.early = issue(p.ca, pki.Template{CommonName: "alice", Key: key, NotBefore: now.AddDate(0, 0, 1), NotAfter: now.AddDate(1, 0, 0)})
	p.stranger = issue(p.foreign, pki.Template{CommonName: "alice", Key: key})
	p.publisher = issue(p.smp, pki.Template{CommonName: "alice", Key: key})
	p.noSignature = issue(p.ca, pki.Template{CommonName: "alice", Key: key, KeyUsage: pki.UseKeyEncipherment})
	p.weak = weakIdentity(p.ca)
	p.noSKI = &pki.Identity{Key: key, Certificate: withoutSKI(p.alice.Certificate)}
	p.trust = &pki.Verifier{
		Anchors: []pki.Anchor{
			{Certificate: p.ca.Certificate, Purposes: []pki.Purpose{pki.PurposeAccessPoint}},
			{Certificate: p.smp.Certificate, Purposes: []pki.Purpose{pki.PurposeSMP}},
		},
		Clock: func() time.Time { return now },
	}
	return p
})

// withoutSKI is a certificate as a parser shows one that lacks the extension.
func withoutSKI(c *pki.Certificate) *pki.Certificate {
	o, err := pki.ParseCertificate(c.Raw)
	if err != nil {
		panic(err)
	}
	o.SubjectKeyID = nil
	return o
}

// payload is one attachment of a test message.
type payload struct {
	cid, mime string
	content   []byte
	gzip      bool
}

// letter is a message on its way, open to every manipulation.
type letter struct {
	envelope string
	parts    []piece
}

type piece struct {
	cid, mime string
	octets    []byte
}

func pack(b []byte) []byte {
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	w.Write(b)
	w.Close()
	return z.Bytes()
}

func contents(t testing.TB, payloads []payload) []wss.Content {
	t.Helper()
	var list []wss.Content
	for _, p := range payloads {
		octets, mime := p.content, p.mime
		if p.gzip {
			octets, mime = pack(octets), ebms.CompressionGzip
		}
		digest, err := wss.DigestContent(mime, xmldsig.SHA256, bytes.NewReader(octets))
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, wss.Content{ContentID: p.cid, MimeType: mime, Size: int64(len(octets)), Digest: digest,
			Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(octets)), nil }})
	}
	return list
}

func userMessage(payloads []payload) *ebms.UserMessage {
	um := &ebms.UserMessage{
		MessageID: "m1@a.example", Timestamp: now, ConversationID: "c", Service: ebms.Service{Value: "urn:s"}, Action: "urn:a",
		From: ebms.Party{IDs: []ebms.PartyID{{Value: "urn:alice"}}, Role: ebms.RoleInitiator},
		To:   ebms.Party{IDs: []ebms.PartyID{{Value: "urn:bob"}}, Role: ebms.RoleResponder},
	}
	for _, p := range payloads {
		um.Parts = append(um.Parts, ebms.PartInfo{Href: "cid:" + p.cid})
	}
	return um
}

func draft(payloads []payload) wss.Draft {
	return wss.NewDraft(&ebms.Messaging{UserMessages: []*ebms.UserMessage{userMessage(payloads)}}, "t")
}

// seal writes a message as a sender does.
func seal(t testing.TB, opt wss.SecureOptions, payloads ...payload) *letter {
	t.Helper()
	return sealDraft(t, draft(payloads), opt, payloads...)
}

func sealDraft(t testing.TB, d wss.Draft, opt wss.SecureOptions, payloads ...payload) *letter {
	t.Helper()
	opt.ID = "t"
	s, err := wss.Secure(d, contents(t, payloads), opt)
	if err != nil {
		t.Fatal(err)
	}
	l := &letter{envelope: string(s.Envelope)}
	for i := range s.Parts {
		var b bytes.Buffer
		if _, err := s.Parts[i].WriteTo(&b); err != nil {
			t.Fatal(err)
		}
		if int64(b.Len()) != s.Parts[i].Length {
			t.Fatalf("part %d has %d octets, %d were announced", i, b.Len(), s.Parts[i].Length)
		}
		l.parts = append(l.parts, piece{s.Parts[i].ContentID, s.Parts[i].ContentType, b.Bytes()})
	}
	return l
}

// replace changes the envelope and fails where there is nothing to change.
func (l *letter) replace(t testing.TB, old, new string) {
	t.Helper()
	if !strings.Contains(l.envelope, old) {
		t.Fatalf("%q is not in the envelope:\n%s", old, l.envelope)
	}
	l.envelope = strings.Replace(l.envelope, old, new, 1)
}

// cut takes the element that begins with start and ends with end out of the envelope and returns it.
func (l *letter) cut(t testing.TB, start, end string) string {
	t.Helper()
	i := strings.Index(l.envelope, start)
	if i < 0 {
		t.Fatalf("%q is not in the envelope", start)
	}
	j := strings.Index(l.envelope[i:], end)
	if j < 0 {
		t.Fatalf("%q is not in the envelope", end)
	}
	piece := l.envelope[i : i+j+len(end)]
	l.envelope = l.envelope[:i] + l.envelope[i+j+len(end):]
	return piece
}

// body is the MIME body without its root part, and its content type.
func (l *letter) body(t testing.TB) (string, []byte) {
	t.Helper()
	var b bytes.Buffer
	w := ebms.NewMIMEWriter(&b, "b", "root@a.example")
	put := func(h ebms.PartHeader, octets []byte) {
		pw, err := w.Part(h)
		if err == nil {
			_, err = pw.Write(octets)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	put(ebms.PartHeader{ContentType: ebms.ContentTypeSOAP, ContentID: "root@a.example"}, []byte(l.envelope))
	for _, p := range l.parts {
		put(ebms.PartHeader{ContentType: p.mime, ContentID: cmp.Or(p.cid, "none@a.example")}, p.octets)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return w.ContentType(), bytes.Replace(b.Bytes(), []byte("Content-ID: <none@a.example>\r\n"), nil, 1)
}

// result is what a receiver has at the end.
type result struct {
	*wss.Opened
	payloads map[string]*bytes.Buffer
	err      error
}

// open reads a message as a receiver does. Targets come from its header, as the payloads were when it was written.
func (l *letter) open(t testing.TB, opt wss.OpenOptions, payloads ...payload) result {
	t.Helper()
	ctype, body := l.body(t)
	r, err := ebms.NewReader(ctype, bytes.NewReader(body), ebms.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	_, root, err := r.Root()
	if err != nil {
		t.Fatal(err)
	}
	env, err := ebms.ParseEnvelope(root, dom.Limits{})
	if _, fault := ebms.IsFault(err); fault {
		return result{err: fmt.Errorf("%w: %w", errFault, err)}
	}
	if err != nil {
		return result{err: err}
	}
	res := result{payloads: map[string]*bytes.Buffer{}}
	for _, p := range payloads {
		b := &bytes.Buffer{}
		res.payloads[p.cid] = b
		opt.Targets = append(opt.Targets, wss.Target{ContentID: p.cid, Compressed: p.gzip, W: b, MaxSize: 1 << 20})
	}
	res.Opened, res.err = wss.Open(context.Background(), env, r, opt)
	if res.err != nil && res.Opened != nil {
		t.Error("a result beside the error")
	}
	return res
}

// trusting is the trust of a receiver without pinned certificates.
func trusting(leaf *pki.Certificate, path []*pki.Certificate, _ wss.TokenForm) error {
	_, err := cast().trust.Verify(leaf, path, pki.PurposeAccessPoint)
	return err
}

// strict expects all that a profile expects.
func strict() wss.OpenOptions {
	return wss.OpenOptions{
		Suites: []wss.Suite{wss.SuiteRSA}, RequireSigned: true, RequireEncrypted: true,
		Keys: []*pki.Identity{cast().bob}, Trust: trusting,
		Known: func(ref wss.TokenRef) []*pki.Certificate {
			for _, c := range []*pki.Certificate{cast().alice.Certificate, cast().mallory.Certificate} {
				if ref.Matches(c) {
					return []*pki.Certificate{c}
				}
			}
			return nil
		},
	}
}

func rsaOptions() wss.SecureOptions {
	return wss.SecureOptions{Suite: wss.SuiteRSA, Sign: cast().alice, Recipient: cast().bob.Certificate}
}

func suiteWith(change func(*wss.Suite)) wss.Suite {
	s := wss.SuiteRSA
	change(&s)
	return s
}

var (
	xmlDoc  = []byte("<?xml version='1.0'?>\r\n<a  b='1' xmlns:unused='urn:u'>\n<!-- c --><c/></a>")
	invoice = payload{"invoice@a.example", "application/xml", bytes.Repeat([]byte("<invoice/>"), 50), true}
	picture = payload{"picture@a.example", "image/png", []byte("\x89PNG not really"), false}
)
