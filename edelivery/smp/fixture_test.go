package smp

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/ids"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/xmldsig"
	"github.com/viadukt-eu/viadukt/xmlcore/c14n"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// noon is the time of the tests; the certificates are from the morning.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func clock() time.Time { return noon }

// world is a network: one authority for SMPs, one for access points, and a foreign one. The names of the leafs are the
// same, so only the issuer tells their role.
type world struct {
	smp, other, expired, foreign, ap, elliptic *pki.Identity
	smpCA, apCA                                *pki.Authority
}

var theWorld = sync.OnceValue(func() *world {
	morning := noon.Add(-12 * time.Hour)
	authority := func(name string) *pki.Authority {
		return must(pki.NewAuthority(nil, "CN="+name+",O=Test,C=XX", pki.P256, morning.AddDate(-3, 0, 0), 10))
	}
	issue := func(a *pki.Authority, t pki.Template) *pki.Identity {
		if t.Algorithm == "" {
			t.Algorithm = pki.RSA2048
		}
		if t.NotBefore.IsZero() {
			t.NotBefore = morning
		}
		return must(a.Issue(t))
	}
	const one = "CN=POP000001,O=One,C=XX"
	smpCA, apCA, foreign := authority("SMP CA"), authority("AP CA"), authority("SMP CA")
	return &world{
		smpCA: smpCA, apCA: apCA,
		smp:      issue(smpCA, pki.Template{Subject: one}),
		other:    issue(smpCA, pki.Template{Subject: "CN=POP000002,O=Two,C=XX"}),
		expired:  issue(smpCA, pki.Template{Subject: one, NotBefore: morning.AddDate(-2, 0, 0), NotAfter: morning}),
		foreign:  issue(foreign, pki.Template{Subject: one}),
		ap:       issue(apCA, pki.Template{Subject: one}),
		elliptic: issue(smpCA, pki.Template{Subject: one, Algorithm: pki.P256}),
	}
})

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func (w *world) trust() *pki.Verifier {
	return &pki.Verifier{Clock: clock, Anchors: []pki.Anchor{
		{Certificate: w.smpCA.Certificate, Purposes: []pki.Purpose{pki.PurposeSMP}},
		{Certificate: w.apCA.Certificate, Purposes: []pki.Purpose{pki.PurposeAccessPoint}},
	}}
}

var (
	brook   = ids.Participant{Scheme: ids.SchemeActor, Value: "9999:Brook"}
	permit  = ids.DocumentType{Scheme: ids.SchemeQNS, Value: "urn:example:permit::Permit##urn:example:permit:full::1.0"}
	permits = ids.Process{Scheme: ids.SchemeProcess, Value: "urn:example:permits"}
)

// metadata of brook's permits, with the access point's certificate.
func (w *world) metadata() *ServiceMetadata {
	return &ServiceMetadata{Participant: brook, DocumentType: permit, Processes: []Process{{Process: permits, Endpoints: []Endpoint{{
		TransportProfile: "example-as4", URL: "https://ap.example.com/as4", Certificate: w.ap.Certificate,
		Activation: noon.AddDate(0, -1, 0).Truncate(day), Description: "Brook & Sons", Contact: "mailto:ap@example.com",
	}}}}}
}

func (w *world) question() VerifyOptions {
	return VerifyOptions{Trust: w.trust(), Participant: brook, DocumentType: permit}
}

// client asks servers on the loopback interface.
func (w *world) client() *Client {
	return &Client{Trust: w.trust(), EndpointTrust: w.trust(), Now: clock, Policy: demoPolicy(), EndpointPolicy: &Policy{}}
}

func demoPolicy() Policy {
	return Policy{Schemes: []string{"http", "https"}, Ports: []uint16{0}, Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}}
}

func serve(t testing.TB, h http.Handler) (base string) {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// answering serves the same octets to every question.
func answering(body []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write(body) })
}

// forge is a signature made by hand, to be wrong in one way.
type forge struct {
	method, digest, c14n string
	place                string // the element that gets the signature: "" the root
	first                bool   // as its first child
	refs                 func(doc *dom.Document) []xmldsig.SignReference
	noKeyInfo            bool
	object               func(w *dom.Writer)
}

func (f forge) sign(t testing.TB, src []byte, id *pki.Identity) []byte {
	t.Helper()
	doc := must(dom.Parse(bytes.Clone(src), dom.Limits{}))
	parent := doc.Root()
	for n := range doc.Root().Descendants() {
		if n.Kind() == dom.ElementNode && f.place != "" && n.Local() == f.place {
			parent = n
		}
	}
	opt := xmldsig.SignOptions{
		SignatureMethod: f.method, Canonicalization: c14n.Method{Algorithm: c14n.Inclusive10},
		KeyInfo: xmldsig.X509Data(id.Certificate), Object: f.object, InScope: map[string]string{},
	}
	if f.c14n != "" {
		opt.Canonicalization.Algorithm = f.c14n
	}
	if f.noKeyInfo {
		opt.KeyInfo = nil
	}
	for prefix, uri := range parent.InScope() {
		opt.InScope[prefix] = uri
	}
	refs := []xmldsig.SignReference{{Node: doc.Node(), Transforms: []xmldsig.Transform{{Algorithm: xmldsig.Enveloped}}, DigestMethod: f.digest}}
	if f.refs != nil {
		refs = f.refs(doc)
	}
	sig, err := xmldsig.Sign(id.Key.(crypto.Signer), refs, opt)
	if err != nil {
		t.Fatal(err)
	}
	raw := string(parent.Raw())
	at := parent.Offset() + strings.LastIndex(raw, "</")
	if f.first {
		at = parent.Offset() + strings.IndexByte(raw, '>') + 1
	}
	s := doc.Source()
	return bytes.Join([][]byte{s[:at], sig, s[at:]}, nil)
}

// holds reports whether the XML signature as such is good: then only the rules for SMP answers refuse it.
func holds(t testing.TB, src []byte) bool {
	doc := must(dom.Parse(bytes.Clone(src), dom.Limits{}))
	for n := range doc.Root().Descendants() {
		if n.Kind() == dom.ElementNode && n.Is(nsDS, "Signature") {
			if _, err := xmldsig.Verify(n, xmldsig.VerifyOptions{AllowSHA1: true}); err != nil {
				t.Log(err)
				return false
			}
		}
	}
	return true
}

func verify(t testing.TB, src []byte, opt VerifyOptions) (*Signed, error) {
	return VerifyMetadata(context.Background(), bytes.Clone(src), opt)
}

// sha1Signed signs as the network did before 2023, which our signer refuses to do.
func sha1Signed(t testing.TB, src []byte, id *pki.Identity) []byte {
	t.Helper()
	digest := func(n dom.Node) string {
		h := sha1.New()
		if err := (c14n.Method{Algorithm: c14n.Inclusive10}).Write(h, n); err != nil {
			t.Fatal(err)
		}
		return base64.StdEncoding.EncodeToString(h.Sum(nil))
	}
	doc := must(dom.Parse(bytes.Clone(src), dom.Limits{}))
	sig := fmt.Sprintf(`<ds:Signature xmlns:ds=%q><ds:SignedInfo><ds:CanonicalizationMethod Algorithm=%q/><ds:SignatureMethod Algorithm=%q/><ds:Reference URI=""><ds:Transforms><ds:Transform Algorithm=%q/></ds:Transforms><ds:DigestMethod Algorithm=%q/><ds:DigestValue>%s</ds:DigestValue></ds:Reference></ds:SignedInfo><ds:SignatureValue>VALUE</ds:SignatureValue><ds:KeyInfo><ds:X509Data><ds:X509Certificate>%s</ds:X509Certificate></ds:X509Data></ds:KeyInfo></ds:Signature>`,
		nsDS, c14n.Inclusive10, xmldsig.RSASHA1, xmldsig.Enveloped, xmldsig.SHA1, digest(doc.Node()), base64.StdEncoding.EncodeToString(id.Certificate.Raw))
	at := bytes.LastIndex(src, []byte("</"))
	out := bytes.Join([][]byte{src[:at], []byte(sig), src[at:]}, nil)
	info := must(dom.Parse(bytes.Clone(out), dom.Limits{})).Root().Child(nsDS, "Signature").Child(nsDS, "SignedInfo")
	sum := must(base64.StdEncoding.DecodeString(digest(info)))
	value := must(id.Key.(crypto.Signer).Sign(rand.Reader, sum, crypto.SHA1))
	return bytes.Replace(out, []byte("VALUE"), []byte(base64.StdEncoding.EncodeToString(value)), 1)
}
