package revocation

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/trust/cms"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// world is an authority whose responder, list and certificate can be fetched.
type world struct {
	root, ca  *pki.Authority
	delegated *pki.Identity
	good, bad *pki.Identity
	server    *httptest.Server
	asked     atomic.Int32
	clock     func() time.Time
}

func newWorld(t testing.TB, alg pki.KeyAlgorithm) *world {
	t.Helper()
	w := &world{clock: func() time.Time { return now }}
	mux := http.NewServeMux()
	w.server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.asked.Add(1)
		if strings.HasPrefix(r.URL.Path, "/ocsp/") { // a ServeMux would make one slash of two in the question
			w.responder().ServeHTTP(rw, r)
			return
		}
		mux.ServeHTTP(rw, r)
	}))
	t.Cleanup(w.server.Close)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var err error
	w.root, err = pki.NewAuthority(rand.Reader, "CN=Test Root,C=EU", alg, now.AddDate(-1, 0, 0), 20)
	must(err)
	w.ca, err = w.root.Sub("CN=Test CA,C=EU", alg, now.AddDate(-1, 0, 0), 20)
	must(err)
	late := now.AddDate(18, 0, 0) // OpenSSL judges by its own clock
	w.delegated, err = w.ca.Issue(pki.Template{Subject: "CN=Responder,C=EU", NotAfter: late, ExtKeyUsage: []pki.OID{pki.EKUOCSPSigning},
		Extensions: []pki.Extension{{ID: OCSPNoCheck, Value: []byte{5, 0}}}})
	must(err)
	leaf := pki.Template{NotAfter: late, OCSPServers: []string{w.server.URL + "/ocsp"}, CRLDistributionPoints: []string{"ldap://directory.example/x", w.server.URL + "/ca.crl"},
		CAIssuers: []string{w.server.URL + "/ca.cer"}}
	leaf.Subject = "CN=Good,C=EU"
	w.good, err = w.ca.Issue(leaf)
	must(err)
	leaf.Subject = "CN=Bad,C=EU"
	w.bad, err = w.ca.Issue(leaf)
	must(err)
	mux.Handle("/ocsp", w.responder())
	mux.Handle("/ca.crl", &Publisher{Clock: w.clock, Current: func(context.Context) ([]byte, error) { return w.list(&w.ca.Identity) }})
	mux.HandleFunc("/ca.cer", func(rw http.ResponseWriter, _ *http.Request) { rw.Write(w.ca.Certificate.Raw) })
	mux.HandleFunc("/ca.p7c", func(rw http.ResponseWriter, _ *http.Request) {
		m, err := cms.New(cms.ContentData, nil)
		if err != nil {
			panic(err)
		}
		m.AddCertificates(w.ca.Certificate, w.root.Certificate)
		m.WriteTo(rw)
	})
	return w
}

func (w *world) responder() *Responder {
	return &Responder{Clock: w.clock, Authorities: []Authority{{Issuer: w.ca.Certificate, Identity: w.delegated, Source: SourceFunc(w.status)}}}
}

var revokedAt = now.AddDate(0, -1, 0)

func (w *world) status(_ context.Context, serial *big.Int) (Status, error) {
	switch {
	case serial.Cmp(w.good.Certificate.SerialNumber) == 0:
		return Status{State: pki.RevocationGood}, nil
	case serial.Cmp(w.bad.Certificate.SerialNumber) == 0:
		return Status{State: pki.RevocationRevoked, RevokedAt: revokedAt, Reason: pki.ReasonKeyCompromise}, nil
	case serial.Int64() == 503:
		return Status{}, ErrTryLater
	case serial.Int64() == 500:
		return Status{}, errors.New("disk")
	}
	return Status{}, nil
}

func (w *world) list(id *pki.Identity) ([]byte, error) {
	l := List{Number: big.NewInt(7), ThisUpdate: now.Add(-time.Hour), NextUpdate: now.Add(time.Hour),
		Entries: []Entry{{w.bad.Certificate.SerialNumber, revokedAt, pki.ReasonKeyCompromise}, {big.NewInt(99), revokedAt, pki.ReasonUnspecified}}}
	return l.Sign(nil, id, 0)
}

func (w *world) client() *Client { return &Client{HTTP: w.server.Client(), Clock: w.clock} }

// A responder of another authority is asked, and its answer remembered, for those alone who name it.
func TestNamedResponders(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pki.P256)
	other, err := pki.NewAuthority(rand.Reader, "CN=Other Root,C=EU", pki.P256, now.AddDate(-1, 0, 0), 20)
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := other.Issue(pki.Template{Subject: "CN=Foreign responder,C=EU", ExtKeyUsage: []pki.OID{pki.EKUOCSPSigning}, Extensions: []pki.Extension{{ID: OCSPNoCheck, Value: []byte{5, 0}}}})
	if err != nil {
		t.Fatal(err)
	}
	status := func(context.Context, *big.Int) (Status, error) { return Status{State: pki.RevocationGood}, nil }
	var asked atomic.Int32
	responder := &Responder{Clock: w.clock, Authorities: []Authority{{Issuer: w.ca.Certificate, Identity: foreign, Source: SourceFunc(status)}}}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		responder.ServeHTTP(rw, r)
	}))
	defer server.Close()
	id, err := w.ca.Issue(pki.Template{Subject: "CN=Ada,C=EU", OCSPServers: []string{server.URL}})
	if err != nil {
		t.Fatal(err)
	}
	c := w.client()
	for i, step := range []struct {
		named []*pki.Certificate
		ok    bool
		asked int32
	}{
		{nil, false, 1},
		{[]*pki.Certificate{w.root.Certificate}, false, 2},
		{[]*pki.Certificate{w.root.Certificate, other.Certificate}, true, 3},
		{[]*pki.Certificate{foreign.Certificate}, true, 3}, // remembered
		{nil, false, 4}, // not for this one
		{[]*pki.Certificate{other.Certificate}, true, 4},
	} {
		r, err := c.OCSP(t.Context(), id.Certificate, w.ca.Certificate, step.named...)
		if (err == nil) != step.ok || (r != nil) != step.ok || asked.Load() != step.asked {
			t.Errorf("step %d: %v, asked %d times", i, err, asked.Load())
		}
	}
	for _, named := range []*pki.Certificate{nil, other.Certificate} {
		collector := &Collector{Client: w.client(), Anchors: []*pki.Certificate{w.root.Certificate, w.ca.Certificate}}
		if named != nil {
			collector.Responders = func(issuer *pki.Certificate) []*pki.Certificate {
				if !issuer.Equal(w.ca.Certificate) {
					t.Errorf("asked for %s", issuer.Subject)
				}
				return []*pki.Certificate{named}
			}
		}
		m, err := collector.Collect(t.Context(), []*pki.Certificate{id.Certificate}, nil)
		if ok := named != nil; (err == nil) != ok || len(m.OCSPs) == 1 != ok || slices.ContainsFunc(m.Certificates, foreign.Certificate.Equal) != ok {
			t.Errorf("collected %d answers, %d certificates, %v", len(m.OCSPs), len(m.Certificates), err)
		}
	}
}

func TestGoodRevokedUnknown(t *testing.T) {
	t.Parallel()
	for _, alg := range []pki.KeyAlgorithm{pki.P256, pki.RSA2048, pki.BrainpoolP256r1, pki.Ed25519} {
		w := newWorld(t, alg)
		stranger, err := w.ca.Issue(pki.Template{Subject: "CN=Stranger", OCSPServers: []string{w.server.URL + "/ocsp"}})
		if err != nil {
			t.Fatal(err)
		}
		for name, change := range map[string]func(*Client){
			"OCSP by POST":        func(*Client) {},
			"OCSP by GET":         func(c *Client) { c.ByGET = true },
			"OCSP with nonce":     func(c *Client) { c.Nonce, c.ByGET = true, true },
			"OCSP, SHA-256 names": func(c *Client) { c.Hash = crypto.SHA256 },
			"list":                func(c *Client) { c.NoOCSP = true },
		} {
			c := w.client()
			change(c)
			for i, id := range []*pki.Identity{w.good, w.bad, stranger} {
				s, err := c.Status(t.Context(), id.Certificate, w.ca.Certificate, now)
				want := []pki.RevocationState{pki.RevocationGood, pki.RevocationRevoked, pki.RevocationUnknown}[i]
				if s.State != want || want != pki.RevocationUnknown && err != nil {
					t.Errorf("%s, %s, %s: %v %v, want %v", alg, name, id.Certificate.Subject, s.State, err, want)
				}
				if want == pki.RevocationRevoked && (!s.RevokedAt.Equal(revokedAt) || s.Reason != pki.ReasonKeyCompromise) {
					t.Errorf("%s, %s: revoked at %v for %v", alg, name, s.RevokedAt, s.Reason)
				}
			}
		}
	}
}

func TestAnswersAreKeptUntilTheNext(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pki.P256)
	at := now
	c := w.client()
	c.Clock = func() time.Time { return at }
	ask := func(noOCSP bool) int32 {
		t.Helper()
		before := w.asked.Load()
		c.NoOCSP = noOCSP
		if s, err := c.Status(t.Context(), w.good.Certificate, w.ca.Certificate, now); err != nil || s.State != pki.RevocationGood {
			t.Fatal(s.State, err)
		}
		return w.asked.Load() - before
	}
	for _, noOCSP := range []bool{false, true} {
		at = now
		if first, second := ask(noOCSP), ask(noOCSP); first != 1 || second != 0 {
			t.Errorf("asked %d times, then %d", first, second)
		}
		at = now.Add(61 * time.Minute)
		if third := ask(noOCSP); third != 1 {
			t.Errorf("after the next update: asked %d times", third)
		}
	}
	c = w.client()
	c.MaxKept = 1
	for range 2 {
		ask(false)
		if _, err := c.Status(t.Context(), w.bad.Certificate, w.ca.Certificate, now); err != nil {
			t.Fatal(err)
		}
	}
	if len(c.kept) != 1 || len(c.order) != 1 {
		t.Errorf("%d kept", len(c.kept))
	}
}

func TestWhatIsRenewedEarlyStandsIn(t *testing.T) {
	t.Parallel()
	for _, noOCSP := range []bool{false, true} {
		w := newWorld(t, pki.P256)
		at := now
		c := &Client{HTTP: w.server.Client(), Clock: func() time.Time { return at }, Early: true, NoOCSP: noOCSP, NoCRL: !noOCSP}
		for _, step := range []struct {
			after time.Duration
			down  bool
			asked int32
			err   bool
		}{{0, false, 1, false}, {29 * time.Minute, false, 1, false}, {31 * time.Minute, false, 2, false}, {50 * time.Minute, true, 2, false}, {61 * time.Minute, true, 2, true}} {
			if at = now.Add(step.after); step.down {
				w.server.Close()
			}
			s, err := c.Status(t.Context(), w.good.Certificate, w.ca.Certificate, at)
			if (err != nil) != step.err || !step.err && s.State != pki.RevocationGood || w.asked.Load() != step.asked {
				t.Errorf("lists alone: %t, after %s: %v, %v, asked %d times", noOCSP, step.after, s.State, err, w.asked.Load())
			}
		}
	}
}

func TestClientRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pki.P256)
	other := newWorld(t, pki.P256)
	old := w.responder()
	old.Clock = func() time.Time { return now.Add(-3 * time.Hour) }
	future := w.responder()
	future.Clock = func() time.Time { return now.Add(3 * time.Hour) }
	foreign := w.responder()
	foreign.Authorities[0].Identity = other.delegated
	notForThis := w.responder()
	notForThis.Authorities[0].Identity = w.good
	q := func(id *pki.Identity) []byte {
		b, err := pki.MarshalOCSPRequest(id.Certificate, w.ca.Certificate, crypto.SHA1, nil)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	aboutAnother, err := w.responder().Respond(t.Context(), q(w.bad))
	if err != nil {
		t.Fatal(err)
	}
	good, err := w.responder().Respond(t.Context(), q(w.good))
	if err != nil {
		t.Fatal(err)
	}
	forged := bytes.Clone(good)
	forged[len(good)/4] ^= 1
	fixed := func(code int, b []byte) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(code); rw.Write(b) })
	}
	for name, h := range map[string]http.Handler{
		"an answer that is over":        old,
		"an answer from the future":     future,
		"a responder of another":        foreign,
		"a certificate not for this":    notForThis,
		"an answer about another":       fixed(200, aboutAnother),
		"an answer that was changed":    fixed(200, forged),
		"an error of the server":        fixed(500, good),
		"an endless answer":             fixed(200, make([]byte, 2<<20)),
		"an answer without our nonce":   fixed(200, good),
		"a status that is no answer":    fixed(200, []byte{0x30, 3, 0x0a, 1, 3}),
		"an answer that is not of OCSP": fixed(200, []byte("<html>")),
	} {
		server := httptest.NewServer(h)
		leaf, err := w.ca.Issue(pki.Template{Subject: "CN=Good,C=EU", Serial: w.good.Certificate.SerialNumber, OCSPServers: []string{server.URL}})
		if err != nil {
			t.Fatal(err)
		}
		c := w.client()
		c.Nonce = strings.Contains(name, "nonce")
		s, err := c.Status(t.Context(), leaf.Certificate, w.ca.Certificate, now)
		server.Close()
		if err == nil || s.State != pki.RevocationUnknown {
			t.Errorf("%s was taken: %v", name, s.State)
		}
	}
	stale, err := (&List{Number: big.NewInt(1), ThisUpdate: now.Add(-3 * time.Hour), NextUpdate: now.Add(-2 * time.Hour)}).Sign(nil, &w.ca.Identity, 0)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := other.list(&other.ca.Identity)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"a list that is over": stale, "a list of another": theirs, "an endless list": make([]byte, 100)} {
		server := httptest.NewServer(fixed(200, b))
		leaf, err := w.ca.Issue(pki.Template{Subject: "CN=Good,C=EU", CRLDistributionPoints: []string{server.URL}})
		if err != nil {
			t.Fatal(err)
		}
		c := w.client()
		if strings.Contains(name, "endless") {
			c.MaxCRL = 99
		}
		s, err := c.Status(t.Context(), leaf.Certificate, w.ca.Certificate, now)
		server.Close()
		if err == nil || s.State != pki.RevocationUnknown {
			t.Errorf("%s was taken: %v", name, s.State)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.client().OCSP(ctx, w.good.Certificate, w.ca.Certificate); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestResponderRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pki.P256)
	r := w.responder()
	with := func(serial int64, issuer *pki.Certificate) []byte {
		c := *w.good.Certificate
		c.SerialNumber = big.NewInt(serial)
		b, err := pki.MarshalOCSPRequest(&c, issuer, crypto.SHA256, nil)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for name, c := range map[string]struct {
		request []byte
		want    int
	}{
		"no request":               {[]byte("x"), statusMalformed},
		"nothing":                  {nil, statusMalformed},
		"another authority":        {with(1, w.root.Certificate), statusUnauthorized},
		"a source that cannot now": {with(503, w.ca.Certificate), statusTryLater},
		"a source that fails":      {with(500, w.ca.Certificate), statusInternal},
		"a request cut off":        {with(1, w.ca.Certificate)[:40], statusMalformed},
	} {
		answer, err := r.Respond(t.Context(), c.request)
		var status *pki.OCSPStatusError
		if _, e := pki.ParseOCSPResponse(answer); err == nil || !errors.As(e, &status) || status.Code != c.want {
			t.Errorf("%s: %v, %v", name, err, e)
		}
	}
	get := func(path string) *http.Response {
		resp, err := w.server.Client().Get(w.server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp
	}
	text := base64.StdEncoding.EncodeToString(with(3, w.ca.Certificate))
	for serial := int64(4); !strings.Contains(text, "//"); serial++ {
		text = base64.StdEncoding.EncodeToString(with(serial<<24|0xffffff, w.ca.Certificate))
	}
	for _, path := range []string{"/ocsp/" + url.PathEscape(text), "/ocsp/" + url.QueryEscape(text), "/ocsp/" + text} {
		resp := get(path)
		if resp.Header.Get("Cache-Control") != "max-age=3600, public, no-transform, must-revalidate" || resp.Header.Get("ETag") == "" {
			t.Errorf("%s: %v", path, resp.Header)
		}
	}
	if resp := get("/ocsp/none"); resp.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("a refusal may be kept: %v", resp.Header)
	}
	for kind, want := range map[string]int{"text/plain": http.StatusUnsupportedMediaType, "application/ocsp-request": http.StatusRequestEntityTooLarge} {
		resp, err := w.server.Client().Post(w.server.URL+"/ocsp", kind, bytes.NewReader(make([]byte, maxRequest+1)))
		if err != nil || resp.StatusCode != want {
			t.Errorf("%s: %v %v", kind, resp.StatusCode, err)
		}
	}
}

func TestListIsPublished(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pki.P256)
	get := func(header, value string) *http.Response {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.server.URL+"/ca.crl", nil)
		if err != nil {
			t.Fatal(err)
		}
		if header != "" {
			req.Header.Set(header, value)
		}
		resp, err := w.server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp
	}
	resp := get("", "")
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "application/pkix-crl" || resp.Header.Get("Cache-Control") != "max-age=3600, public, no-transform, must-revalidate" {
		t.Errorf("%d %v", resp.StatusCode, resp.Header)
	}
	if r := get("If-Modified-Since", resp.Header.Get("Last-Modified")); r.StatusCode != http.StatusNotModified {
		t.Errorf("unchanged: %d", r.StatusCode)
	}
	broken := httptest.NewServer(&Publisher{Current: func(context.Context) ([]byte, error) { return nil, errors.New("disk") }})
	defer broken.Close()
	r, err := broken.Client().Get(broken.URL)
	if err != nil || r.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("no list: %v %v", r.StatusCode, err)
	}
	if _, err := (&List{Number: big.NewInt(1), ThisUpdate: now, NextUpdate: now.Add(1)}).Sign(nil, w.good, 0); !errors.Is(err, pki.ErrKeyUsage) {
		t.Errorf("a list by somebody: %v", err)
	}
	if _, err := (&List{Number: big.NewInt(1), ThisUpdate: now, NextUpdate: now}).Sign(nil, &w.ca.Identity, 0); !errors.Is(err, ErrFormat) {
		t.Errorf("a list without an end: %v", err)
	}
	l := List{Number: big.NewInt(1), ThisUpdate: now, NextUpdate: now.Add(time.Hour), ExpiredFrom: now.AddDate(-5, 0, 0), DistributionPoint: "http://x.example/1.crl"}
	b, err := l.Sign(nil, &w.ca.Identity, crypto.SHA512)
	if err != nil {
		t.Fatal(err)
	}
	p, err := pki.ParseCRL(b)
	if err != nil || p.Verify(w.ca.Certificate) != nil || len(p.Scope.DistributionPoints) != 1 || p.Number.Int64() != 1 || len(p.Extensions) != 4 {
		t.Errorf("%+v %v", p, err)
	}
}

func TestCollect(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pki.P256)
	c := &Collector{Client: w.client(), Anchors: []*pki.Certificate{w.ca.Certificate}}
	m, err := c.Collect(t.Context(), []*pki.Certificate{w.good.Certificate, w.bad.Certificate}, nil)
	if err != nil || len(m.OCSPs) != 2 || len(m.CRLs) != 0 || len(m.Certificates) != 4 { // two leaves, the anchor, the responder
		t.Errorf("OCSP: %d answers, %d lists, %d certificates, %v", len(m.OCSPs), len(m.CRLs), len(m.Certificates), err)
	}
	c.Client = w.client()
	c.Client.NoOCSP = true
	m, err = c.Collect(t.Context(), []*pki.Certificate{w.good.Certificate, w.bad.Certificate}, nil)
	if err != nil || len(m.OCSPs) != 0 || len(m.CRLs) != 1 || len(m.Certificates) != 3 {
		t.Errorf("lists: %d answers, %d lists, %d certificates, %v", len(m.OCSPs), len(m.CRLs), len(m.Certificates), err)
	}
	// the issuer is fetched, but for it nothing can be had
	c = &Collector{Client: w.client(), Anchors: []*pki.Certificate{w.root.Certificate}}
	if _, err := c.Collect(t.Context(), []*pki.Certificate{w.good.Certificate}, nil); !errors.Is(err, pki.ErrRevocationUnknown) {
		t.Errorf("nothing about the intermediate: %v", err)
	}
	leaf, err := w.ca.Issue(pki.Template{Subject: "CN=X", CAIssuers: []string{"ftp://x.example/ca", w.server.URL + "/ca.p7c"}})
	if err != nil {
		t.Fatal(err)
	}
	if list, err := w.client().Issuers(t.Context(), leaf.Certificate); err != nil || len(list) != 2 {
		t.Errorf("issuers in a message: %d %v", len(list), err)
	}
}

// TestOpenSSL: its client asks our responder, its tool reads our list.
func TestOpenSSL(t *testing.T) {
	t.Parallel()
	path, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed")
	}
	w := newWorld(t, pki.P256)
	// the tool compares with its own clock, and so does this responder
	server := httptest.NewServer(&Responder{Authorities: []Authority{{Issuer: w.ca.Certificate, Identity: w.delegated, Source: SourceFunc(w.status)}}})
	defer server.Close()
	dir := t.TempDir()
	file := func(name string, b []byte) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	run := func(args ...string) string {
		out, err := exec.Command(path, args...).CombinedOutput()
		if err != nil {
			t.Errorf("%v: %s", err, out)
		}
		return string(out)
	}
	ca := file("ca.pem", pki.MarshalPEM(w.ca.Certificate, w.root.Certificate))
	for _, c := range []struct {
		id   *pki.Identity
		want string
	}{{w.good, ": good"}, {w.bad, ": revoked"}, {w.bad, "Reason: keyCompromise"}} {
		out := run("ocsp", "-issuer", ca, "-cert", file("leaf.pem", pki.MarshalPEM(c.id.Certificate)), "-url", server.URL, "-CAfile", ca)
		if !strings.Contains(out, c.want) || !strings.Contains(out, "Response verify OK") {
			t.Error(out)
		}
	}
	list, err := w.list(&w.ca.Identity)
	if err != nil {
		t.Fatal(err)
	}
	out := run("crl", "-inform", "DER", "-in", file("ca.crl", list), "-CAfile", ca, "-text", "-noout")
	if !strings.Contains(out, "verify OK") || !strings.Contains(out, "Key Compromise") || !strings.Contains(out, fmt.Sprintf("%X", w.bad.Certificate.SerialNumber)) {
		t.Error(out)
	}
}

func FuzzRequest(f *testing.F) {
	w := newWorld(f, pki.P256)
	r := w.responder()
	for _, nonce := range [][]byte{nil, {1, 2, 3}} {
		b, err := pki.MarshalOCSPRequest(w.good.Certificate, w.ca.Certificate, crypto.SHA1, nonce)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		answer, err := r.Respond(t.Context(), b)
		p, e := pki.ParseOCSPResponse(bytes.Clone(answer))
		if (err == nil) != (e == nil) {
			t.Fatalf("%v: %v", err, e)
		}
		if e == nil {
			if _, err := p.Verify(w.ca.Certificate, now); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func BenchmarkRespond(b *testing.B) {
	w := newWorld(b, pki.P256)
	r := w.responder()
	q, err := pki.MarshalOCSPRequest(w.good.Certificate, w.ca.Certificate, crypto.SHA1, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Respond(b.Context(), q); err != nil {
			b.Fatal(err)
		}
	}
}
