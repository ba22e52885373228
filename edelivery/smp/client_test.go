package smp

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/ids"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

func ask(base string) Question {
	return Question{Base: base, Participant: brook, DocumentType: permit, Process: permits, TransportProfiles: []string{"example-as4"}}
}

// TestLookupRefusesHostileAnswers sends every hostile answer over HTTP.
func TestLookupRefusesHostileAnswers(t *testing.T) {
	t.Parallel()
	w := theWorld()
	for _, c := range hostile(t, Busdox10) {
		a, err := w.client().Lookup(t.Context(), ask(serve(t, answering(c.src))))
		if !errors.Is(err, c.want) || a.Endpoint != nil || a.Signed != nil {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
		if n := len(a.Steps); n != 1 || a.Steps[0].OK || a.Steps[0].Name != "metadata" || a.Steps[0].Detail == "" {
			t.Errorf("%s: steps %+v", c.name, a.Steps)
		}
	}
}

func TestTransportFaults(t *testing.T) {
	t.Parallel()
	w := theWorld()
	good := must(Sign(w.metadata(), Busdox10, w.smp, nil))
	var moved atomic.Bool
	for _, c := range []struct {
		name      string
		handler   http.HandlerFunc
		want      error
		temporary bool
	}{
		{"404", http.NotFound, ErrNotFound, false},
		{"500", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, ErrUnavailable, true},
		{"429", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(429) }, ErrUnavailable, true},
		{"403", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) }, ErrBadResponse, false},
		{"204", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, ErrBadResponse, false},
		{"an HTTP redirect is not followed", func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/moved") {
				moved.Store(true)
				_, _ = w.Write(good)
				return
			}
			http.Redirect(w, r, "/moved"+r.URL.Path, http.StatusFound)
		}, ErrHTTPRedirect, false},
		{"hang-up", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, ErrUnavailable, true},
		{"cut off in the middle", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100000")
			_, _ = w.Write(good)
		}, ErrUnavailable, true},
		{"announced too large", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "20000000")
			_, _ = w.Write(good)
		}, ErrTooLarge, false},
		{"endless", func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(bytes.Repeat([]byte(" "), 1<<16)); err != nil {
					return
				}
			}
		}, ErrTooLarge, false},
	} {
		_, err := w.client().Lookup(t.Context(), ask(serve(t, c.handler)))
		if !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
		var r interface{ Temporary() bool }
		if !errors.As(err, &r) || r.Temporary() != c.temporary {
			t.Errorf("%s: temporary should be %v: %v", c.name, c.temporary, err)
		}
	}
	if moved.Load() {
		t.Error("the redirect was followed")
	}
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	if _, err := w.client().Lookup(t.Context(), ask(closed.URL)); !errors.Is(err, ErrUnavailable) {
		t.Errorf("nobody listens: got %v", err)
	}
}

// TestTheCallersHTTPClient is used, but neither its cookies nor its ways with redirects.
func TestTheCallersHTTPClient(t *testing.T) {
	t.Parallel()
	w := theWorld()
	body := must(Sign(w.metadata(), Busdox10, w.smp, nil))
	base := serve(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Cookie") != "":
			rw.WriteHeader(http.StatusTeapot)
		case strings.HasPrefix(r.URL.Path, "/old"):
			http.Redirect(rw, r, strings.TrimPrefix(r.URL.EscapedPath(), "/old"), http.StatusMovedPermanently)
		default:
			http.SetCookie(rw, &http.Cookie{Name: "a", Value: "b", Path: "/"})
			_, _ = rw.Write(body)
		}
	}))
	c := w.client()
	c.HTTP, c.TTL = &http.Client{Jar: must(cookiejar.New(nil))}, -1
	for range 2 {
		if _, err := c.Lookup(t.Context(), ask(base)); err != nil {
			t.Error(err)
		}
	}
	if _, err := c.Lookup(t.Context(), ask(base+"/old")); !errors.Is(err, ErrHTTPRedirect) {
		t.Errorf("got %v", err)
	}
}

func TestSlowServersEndWithTheContext(t *testing.T) {
	t.Parallel()
	w := theWorld()
	ctx, cancel := context.WithCancel(t.Context())
	slow := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	}))
	if _, err := w.client().Lookup(ctx, ask(slow)); !errors.Is(err, context.Canceled) || !errors.Is(err, ErrUnavailable) {
		t.Errorf("the caller gives up: got %v", err)
	}
	c := w.client()
	c.Timeout = time.Millisecond
	hanging := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	if _, err := c.Lookup(t.Context(), ask(hanging)); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, ErrUnavailable) {
		t.Errorf("the request takes too long: got %v", err)
	}
}

func TestAddressesOfOthersAreRefused(t *testing.T) {
	t.Parallel()
	w := theWorld()
	var asked atomic.Int32
	inner := serve(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	strict := func() *Client {
		return &Client{Trust: w.trust(), Now: clock, Policy: Policy{Schemes: []string{"http", "https"}, Ports: []uint16{0}}}
	}
	for _, c := range []struct {
		name, base string
		want       error
	}{
		{"loopback", inner, ErrAddress},
		{"a name that leads to loopback", strings.Replace(inner, "127.0.0.1", "localhost", 1), ErrAddress},
		{"metadata service", "http://169.254.169.254/latest", ErrAddress},
		{"mapped", "http://[::ffff:10.0.0.1]", ErrAddress},
		{"decimal spelling", "http://2130706433/", nil}, // no resolver answers, or its answer is refused: never asked
		{"user information", "http://a:b@smp.example.com", ErrURL},
		{"file", "file:///etc/passwd", ErrURL},
		{"gopher", "gopher://smp.example.com", ErrURL},
		{"a query", "http://smp.example.com/?x=", ErrURL},
		{"an empty query", "http://smp.example.com/?", ErrURL},
		{"nothing", "", ErrURL},
		{"control character", "http://smp.example.com/\x00", ErrURL},
	} {
		_, err := strict().Lookup(t.Context(), ask(c.base))
		if err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
	}
	// The same for addresses inside signed answers.
	for _, c := range []struct {
		name, href string
		want       error
	}{
		{"redirect to loopback", inner, ErrAddress},
		{"redirect to a metadata service", "http://169.254.169.254", ErrAddress},
		{"redirect to a file", "file://", ErrURL},
	} {
		rd := &ServiceMetadata{Redirect: &Redirect{Href: c.href + ids.ServicePath(brook, permit), CertificateUID: "CN=X"}}
		base := serve(t, answering(must(Sign(rd, Busdox10, w.smp, nil))))
		client := strict()
		// Only this one server may be reached.
		client.HTTP = &http.Client{Transport: only{strings.TrimPrefix(base, "http://"), client.Policy.HTTPClient().Transport}}
		client.Policy.Allow = nil
		_, err := client.Lookup(t.Context(), ask(strings.Replace(base, "127.0.0.1", "smp.example.com", 1)))
		if !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
	}
	md := w.metadata()
	md.Processes[0].Endpoints[0].URL = "https://192.168.0.1/as4"
	if a, err := w.client().Lookup(t.Context(), ask(serve(t, answering(must(Sign(md, Busdox10, w.smp, nil)))))); !errors.Is(err, ErrAddress) {
		t.Errorf("endpoint on a private address: got %v, %+v", err, a.Steps)
	}
	if asked.Load() != 0 {
		t.Error("an inner address was asked")
	}
}

// only sends smp.example.com to one server of the test, and the rest where the policy lets it.
type only struct {
	host string
	next http.RoundTripper
}

func (o only) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Hostname() != "smp.example.com" {
		return o.next.RoundTrip(r)
	}
	own := r.Clone(r.Context())
	own.URL.Host = o.host
	return http.DefaultTransport.RoundTrip(own)
}

func TestLookupFindsTheEndpoint(t *testing.T) {
	t.Parallel()
	w := theWorld()
	for _, g := range generations {
		body := must(Sign(w.metadata(), g, w.smp, nil))
		want := ids.ServicePath(brook, permit)
		if g == OASIS20 {
			want = pathPrefix20 + want
		}
		base := serve(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if r.URL.EscapedPath() != "/below"+want || r.Header.Get("Cookie") != "" || !strings.Contains(r.Header.Get("Accept"), "application/xml") {
				http.NotFound(rw, r)
				return
			}
			_, _ = rw.Write(body)
		}))
		a, err := w.client().Lookup(t.Context(), ask(base+"/below/"))
		if err != nil {
			t.Fatalf("%s: %v", g, err)
		}
		if a.Endpoint.URL != "https://ap.example.com/as4" || !a.Endpoint.Encryption().Equal(w.ap.Certificate) || a.URL != base+"/below"+want || a.Redirected {
			t.Errorf("%s: %+v", g, a)
		}
		var names []string
		for _, s := range a.Steps {
			if !s.OK {
				t.Errorf("%s: step %+v", g, s)
			}
			names = append(names, s.Name)
		}
		if got := strings.Join(names, " "); got != "metadata select address certificate" {
			t.Errorf("%s: steps %s", g, got)
		}
	}
}

func TestEndpointCertificatesAreJudged(t *testing.T) {
	t.Parallel()
	w := theWorld()
	for _, c := range []struct {
		name string
		cert *pki.Certificate
		want error
	}{
		{"none", nil, ErrCertificate},
		{"of an SMP", w.smp.Certificate, pki.ErrWrongPurpose},
		{"expired", w.expired.Certificate, pki.ErrExpired},
		{"that only signs", must(w.apCA.Issue(pki.Template{Subject: "CN=X", Algorithm: pki.RSA2048, KeyUsage: pki.UseDigitalSignature, NotBefore: noon.AddDate(0, 0, -1)})).Certificate, pki.ErrKeyUsage},
	} {
		md := w.metadata()
		md.Processes[0].Endpoints[0].Certificate = c.cert
		a, err := w.client().Lookup(t.Context(), ask(serve(t, answering(must(Sign(md, OASIS10, w.smp, nil))))))
		if !errors.Is(err, c.want) || !errors.Is(err, ErrCertificate) || a.Steps[len(a.Steps)-1].Name != "certificate" {
			t.Errorf("%s: got %v", c.name, err)
		}
	}
}

// silent is a revocation source that cannot be reached.
type silent struct{}

func (silent) Status(context.Context, *pki.Certificate, *pki.Certificate, time.Time) (pki.RevocationStatus, error) {
	return pki.RevocationStatus{}, errors.New("no route to host")
}

func TestUnknownRevocationIsTemporary(t *testing.T) {
	t.Parallel()
	w := theWorld()
	c := w.client()
	c.Trust.Revocation, c.Trust.RequireRevocation = silent{}, true
	_, err := c.Lookup(t.Context(), ask(serve(t, answering(must(Sign(w.metadata(), Busdox10, w.smp, nil))))))
	var r interface{ Temporary() bool }
	if !errors.Is(err, pki.ErrRevocationUnknown) || !errors.As(err, &r) || !r.Temporary() {
		t.Errorf("got %v", err)
	}
}

func TestWildcardsGoThroughTheGroup(t *testing.T) {
	t.Parallel()
	w := theWorld()
	wild := func(c string) ids.DocumentType {
		return ids.DocumentType{Scheme: ids.SchemeWildcard, Value: "urn:example:permit::Permit##" + c + "::1.0"}
	}
	for _, g := range generations {
		sg := &ServiceGroup{Participant: brook, References: []Reference{{DocumentType: permit}, {DocumentType: wild("urn:example:c*")}}}
		if g != OASIS20 {
			sg.References = append(sg.References, Reference{Href: "nonsense"})
		}
		md := w.metadata()
		md.DocumentType = wild("urn:example:c*")
		body := must(Sign(md, g, w.smp, nil))
		base := serve(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			switch path := strings.TrimPrefix(r.URL.EscapedPath(), pathPrefix20); path {
			case ids.ParticipantPath(brook):
				_, _ = rw.Write(must(WriteServiceGroup(sg, g, "http://smp.example.com")))
			case ids.ServicePath(brook, md.DocumentType):
				_, _ = rw.Write(body)
			default:
				http.NotFound(rw, r)
			}
		}))
		q := ask(base)
		q.DocumentType = wild("urn:example:c@x-1")
		a, err := w.client().Lookup(t.Context(), q)
		if err != nil || a.DocumentType != md.DocumentType || len(a.Steps) != 6 {
			t.Errorf("%s: %v, %+v", g, err, a)
		}
		q.DocumentType = wild("urn:example:other@x-1")
		if a, err = w.client().Lookup(t.Context(), q); !errors.Is(err, ErrNotFound) || len(a.Steps) != 2 {
			t.Errorf("%s, not offered: %v, %+v", g, err, a.Steps)
		}
	}
}

func TestSMPRedirects(t *testing.T) {
	t.Parallel()
	w := theWorld()
	subject := w.other.Certificate.Subject.String()
	answer := must(Sign(w.metadata(), Busdox10, w.other, nil))
	for _, c := range []struct {
		name string
		uid  string
		then []byte // what the other SMP answers; nil: the good answer
		href func(first, second string) string
		want error
	}{
		{"followed once", subject, nil, nil, nil},
		{"the name in another order and spacing", "C=XX, O=Two, CN=POP000002", nil, nil, nil},
		{"the name in another case", strings.ToLower(subject), nil, nil, nil},
		{"the bare common name", "POP000002", nil, nil, nil},
		{"another signer than announced", w.smp.Certificate.Subject.String(), nil, nil, ErrRedirectSigner},
		{"a name with one part less", "CN=POP000002,O=Two", nil, nil, ErrRedirectSigner},
		{"something that is no name", "CN=,=,", nil, nil, ErrRedirectSigner},
		{"announced with the text of a country", "XX", nil, nil, ErrRedirectSigner},
		{"target signed by an access point", subject, must(Sign(w.metadata(), Busdox10, w.ap, nil)), nil, ErrNotSMP},
		{"target about somebody else", subject, func() []byte {
			md := w.metadata()
			md.Participant.Value = "9999:creek"
			return must(Sign(md, Busdox10, w.other, nil))
		}(), nil, ErrWrongParticipant},
		{"target unsigned", subject, must(write(w.metadata(), Busdox10, true)), nil, ErrUnsigned},
		{"redirect to a redirect", subject, must(Sign(&ServiceMetadata{Redirect: &Redirect{
			Href: "https://third.example.com" + ids.ServicePath(brook, permit), CertificateUID: subject}}, Busdox10, w.other, nil)), nil, ErrRedirectLoop},
		{"redirect to itself", subject, nil, func(first, _ string) string { return first }, ErrRedirectLoop},
		{"the target lies below a path", subject, nil, func(_, second string) string { return second + "/below" }, nil},
	} {
		then := c.then
		if then == nil {
			then = answer
		}
		second := serve(t, answering(then))
		var body []byte
		first := serve(t, http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write(body) }))
		to := second
		if c.href != nil {
			to = c.href(first, second)
		}
		body = must(Sign(&ServiceMetadata{Redirect: &Redirect{Href: to + ids.ServicePath(brook, permit), CertificateUID: c.uid}}, Busdox10, w.smp, nil))
		a, err := w.client().Lookup(t.Context(), ask(first))
		if !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
		if c.want == nil && (!a.Redirected || a.Endpoint == nil || !a.Signed.Signer.Equal(w.other.Certificate)) {
			t.Errorf("%s: %+v", c.name, a)
		}
	}
}

func TestSMPRedirectsOf20(t *testing.T) {
	t.Parallel()
	w := theWorld()
	answer := must(Sign(w.metadata(), OASIS20, w.other, nil))
	second := serve(t, answering(answer))
	elsewhere := ids.Process{Scheme: ids.SchemeProcess, Value: "urn:example:elsewhere"}
	for _, c := range []struct {
		name    string
		cert    *pki.Certificate
		process ids.Process // of the redirect; zero: of everything
		href    string
		want    error
	}{
		{"any trusted signer", nil, ids.Process{}, second, nil},
		{"the announced certificate", w.other.Certificate, ids.Process{}, second, nil},
		{"another certificate", w.smp.Certificate, ids.Process{}, second, ErrRedirectSigner},
		{"of this process", w.other.Certificate, permits, second, nil},
		{"of another process", nil, elsewhere, second, ErrNoProcess},
		{"to itself", nil, ids.Process{}, "", ErrRedirectLoop},
	} {
		var body []byte
		first := serve(t, http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write(body) }))
		if c.href == "" {
			c.href = first + "/"
		}
		md := &ServiceMetadata{Participant: brook, DocumentType: permit, Processes: []Process{{Process: c.process, Redirect: &Redirect{Href: c.href, Certificate: c.cert}}}}
		body = must(Sign(md, OASIS20, w.smp, nil))
		client := w.client()
		client.Generations = []Generation{OASIS20}
		a, err := client.Lookup(t.Context(), ask(first))
		if !errors.Is(err, c.want) || c.want == nil && (!a.Redirected || a.Endpoint == nil) {
			t.Errorf("%s: got %v, want %v; %+v", c.name, err, c.want, a)
		}
	}
}

func TestAnswersAreCached(t *testing.T) {
	t.Parallel()
	w := theWorld()
	var asked atomic.Int32
	body := must(Sign(w.metadata(), Busdox10, w.smp, nil))
	base := serve(t, http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		_, _ = rw.Write(body)
	}))
	var now atomic.Pointer[time.Time]
	now.Store(&noon)
	tick := func() time.Time { return *now.Load() }
	trust := &pki.Verifier{Clock: tick, Anchors: w.trust().Anchors}
	c := w.client()
	c.Trust, c.Now = trust, tick
	want := func(n int32, why string) {
		t.Helper()
		if _, err := c.Lookup(t.Context(), ask(base)); err != nil {
			t.Fatalf("%s: %v", why, err)
		}
		if got := asked.Load(); got != n {
			t.Fatalf("%s: asked %d times, want %d", why, got, n)
		}
	}
	want(1, "first")
	want(1, "again")
	later := noon.Add(4 * time.Minute)
	now.Store(&later)
	want(1, "within the time to live")
	c.Flush(ids.Participant{Scheme: "other", Value: "one"})
	want(1, "after another participant was flushed")
	c.Flush(brook)
	want(2, "after the participant was flushed")
	later2 := later.Add(6 * time.Minute)
	now.Store(&later2)
	want(3, "after the time to live")
	c.Flush(brook)
	c.TTL = 100 * 365 * 24 * time.Hour
	want(4, "flushed again")
	end := w.smp.Certificate.NotAfter.Add(time.Minute)
	now.Store(&end)
	if _, err := c.Lookup(t.Context(), ask(base)); !errors.Is(err, pki.ErrExpired) {
		t.Errorf("signer expired meanwhile: got %v", err)
	}
	off := w.client()
	off.TTL = -1
	for range 2 {
		if _, err := off.Lookup(t.Context(), ask(base)); err != nil {
			t.Fatal(err)
		}
	}
	if got := asked.Load(); got != 7 {
		t.Errorf("without cache: asked %d times in all", got)
	}
}

func TestFailuresAreNotCached(t *testing.T) {
	t.Parallel()
	w := theWorld()
	var up atomic.Bool
	body := must(Sign(w.metadata(), Busdox10, w.smp, nil))
	base := serve(t, http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		if !up.Load() {
			rw.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = rw.Write(body)
	}))
	c := w.client()
	if _, err := c.Lookup(t.Context(), ask(base)); !errors.Is(err, ErrUnavailable) {
		t.Fatal(err)
	}
	up.Store(true)
	if _, err := c.Lookup(t.Context(), ask(base)); err != nil {
		t.Fatal(err)
	}
}

func TestOneQuestionIsAskedOnce(t *testing.T) {
	t.Parallel()
	w := theWorld()
	const callers = 20
	var asked atomic.Int32
	body := must(Sign(w.metadata(), Busdox10, w.smp, nil))
	release := make(chan struct{})
	base := serve(t, http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		<-release
		_, _ = rw.Write(body)
	}))
	c := w.client()
	c.TTL = time.Hour
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			if i == callers-1 {
				close(release)
			}
			if _, err := c.Lookup(t.Context(), ask(base)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if asked.Load() != 1 {
		t.Errorf("asked %d times", asked.Load())
	}
}

func TestAnImpatientCallerHarmsNobody(t *testing.T) {
	t.Parallel()
	w := theWorld()
	body := must(Sign(w.metadata(), Busdox10, w.smp, nil))
	var asked atomic.Int32
	first, began := make(chan struct{}), make(chan struct{})
	base := serve(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if asked.Add(1) == 1 {
			close(began)
			<-r.Context().Done()
			return
		}
		_, _ = rw.Write(body)
	}))
	c := w.client()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer close(first)
		if _, err := c.Lookup(ctx, ask(base)); !errors.Is(err, context.Canceled) {
			t.Errorf("the impatient one: %v", err)
		}
	}()
	<-began
	patient := make(chan error)
	go func() {
		_, err := c.Lookup(t.Context(), ask(base))
		patient <- err
	}()
	cancel()
	if err := <-patient; err != nil {
		t.Errorf("the patient one: %v", err)
	}
	<-first
}

func TestTheCacheIsBounded(t *testing.T) {
	t.Parallel()
	var c cache
	for i := range 100 {
		key := strings.Repeat("k", i+1)
		c.join(key, noon)
		c.put(key, &resource{size: MaxBytes, until: noon.Add(time.Hour)})
	}
	if c.bytes > cacheBytes || len(c.entries) == 0 || len(c.entries) > cacheBytes/(4*MaxBytes) {
		t.Errorf("%d octets in %d entries", c.bytes, len(c.entries))
	}
	for key := range c.entries {
		c.drop(key)
	}
	if c.bytes != 0 {
		t.Errorf("%d octets are left of nothing", c.bytes)
	}
}
