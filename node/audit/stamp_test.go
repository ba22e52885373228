package audit

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/trust/ers"
	"github.com/viadukt-eu/viadukt/trust/gather"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/tsp"
	"github.com/viadukt-eu/viadukt/trust/validation"
)

// witness is a time-stamping authority outside, with its own authority for certificates.
type witness struct {
	w      *world
	ca     *pki.Authority
	server *httptest.Server
	tsa    atomic.Pointer[tsp.Responder]
	down   atomic.Bool
	asked  atomic.Int64
}

func (w *world) witness() *witness {
	w.t.Helper()
	ca, err := pki.NewAuthority(rand.Reader, "CN=Time Authority,O=Elsewhere", pki.P256, start.AddDate(-1, 0, 0), 30)
	if err != nil {
		w.t.Fatal(err)
	}
	x := &witness{w: w, ca: ca}
	x.server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		x.asked.Add(1)
		if x.down.Load() {
			http.Error(rw, "down", http.StatusServiceUnavailable)
			return
		}
		x.tsa.Load().ServeHTTP(rw, r)
	}))
	w.t.Cleanup(x.server.Close)
	x.change("First TSA", start.AddDate(0, 0, 100))
	w.log.SetStamping(&Stamping{
		Stamper: &tsp.Client{URLs: []string{x.server.URL}}, Every: time.Hour, Before: 60 * 24 * time.Hour,
		Known: x.known(pki.PurposeTime),
	})
	return x
}

// change gives the authority another key and certificate.
func (x *witness) change(name string, until time.Time) {
	x.w.t.Helper()
	id, err := x.ca.Issue(pki.Template{CommonName: name, ExtKeyUsage: []pki.OID{pki.EKUTimeStamping}, NotBefore: start.AddDate(0, -1, 0), NotAfter: until})
	if err != nil {
		x.w.t.Fatal(err)
	}
	x.tsa.Store(&tsp.Responder{Identity: id, Policy: "1.2.3.4", Clock: func() (time.Time, error) { return x.w.clock.now(), nil }})
}

// known is what the node knows of it: its anchor for purposes, and the revocation list of the moment.
func (x *witness) known(purposes ...pki.Purpose) func() gather.Options {
	return func() gather.Options {
		crl, err := x.ca.CRL(nil, x.w.clock.now())
		if err != nil {
			x.w.t.Error(err)
		}
		return gather.Options{Bound: []pki.Anchor{{Certificate: x.ca.Certificate, Purposes: purposes}}, CRLs: [][]byte{crl}}
	}
}

func (w *world) stampNow() error {
	w.t.Helper()
	if _, err := w.log.Sign(ctx); err != nil {
		w.t.Fatal(err)
	}
	return w.log.Stamp(ctx)
}

func (w *world) later(d time.Duration) { w.clock.n.Add(int64(d / time.Second)) }

// stampOf is the time-stamped head that covers so many entries, 0 for the newest; nil: there is none.
func (w *world) stampOf(size int64) *store.LogStamp {
	w.t.Helper()
	s, err := w.store.LogStamp(ctx, size)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		w.t.Fatal(err)
	}
	return s
}

// judgedAt judges with the node's authority and, where it is given, one for time.
func (w *world) judgedAt(b []byte, at time.Time, times ...*pki.Certificate) *Report {
	w.t.Helper()
	node := pki.Bind([]*pki.Certificate{w.ca.Certificate}, pki.PurposeAccessPoint)
	return judgedBy(w.t, b, at, append(node, pki.Bind(times, pki.PurposeTime)...)...)
}

func judgedBy(t testing.TB, b []byte, at time.Time, trust ...pki.Anchor) *Report {
	t.Helper()
	r, err := Verify(bytes.NewReader(b), int64(len(b)), VerifyOptions{Trust: trust, Now: at})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestHeadsAreTimeStamped(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pki.Ed25519)
	x := w.witness()
	id := w.sent("a@b")
	r := w.judgedAt(w.make(id, CaseOptions{}), w.clock.now())
	if !r.Valid || !r.has("time-stamp", Unsettled) {
		t.Errorf("before it is time-stamped:\n%s", r.text())
	}
	if err := w.stampNow(); err != nil {
		t.Fatal(err)
	}
	b := w.make(id, CaseOptions{})
	node, times := []*pki.Certificate{w.ca.Certificate}, []*pki.Certificate{x.ca.Certificate}
	for name, c := range map[string]struct {
		trust   []pki.Anchor
		result  Result
		trusted bool
	}{
		"both authorities are trusted": {append(pki.Bind(node, pki.PurposeAccessPoint), pki.Bind(times, pki.PurposeTime)...), Proven, true},
		"the node's alone":             {pki.Bind(node, pki.PurposeAccessPoint), Unsettled, false},
		"that for time alone":          {pki.Bind(times, pki.PurposeTime), Proven, false},
		"both for access points":       {pki.Bind(append(node, times...), pki.PurposeAccessPoint), Unsettled, false},
		"both for evidence":            {pki.Bind(append(node, times...), pki.PurposeEvidence), Unsettled, false},
		"one each, but for publishers": {append(pki.Bind(node, pki.PurposeAccessPoint), pki.Bind(times, pki.PurposeSMP, pki.PurposeTLS)...), Unsettled, false},
		"nobody":                       {nil, Unsettled, false},
	} {
		r := judgedBy(t, b, w.clock.now(), c.trust...)
		if !r.Valid || r.Trusted != c.trusted || !r.has("time-stamp", c.result) || !r.has("time-stamped head", Proven) {
			t.Errorf("%s: valid %t, trusted %t\n%s", name, r.Valid, r.Trusted, r.text())
		}
	}
	// What was time-stamped is not asked for again: not soon, not while nothing happens.
	n := x.asked.Load()
	w.sent("c@d")
	if err := w.stampNow(); err != nil || x.asked.Load() != n {
		t.Errorf("asked again within the hour: %v", err)
	}
	w.later(2 * time.Hour)
	if err := w.stampNow(); err != nil || x.asked.Load() != n+1 {
		t.Errorf("asked %d times: %v", x.asked.Load(), err)
	}
	w.later(2 * time.Hour)
	if err := w.stampNow(); err != nil || x.asked.Load() != n+1 {
		t.Errorf("asked though nothing happened: %v", err)
	}
	// The first time-stamp after a message is in its case, however many follow.
	if w.stampOf(0).Size == w.stampOf(1).Size {
		t.Error("one time-stamp")
	}
	r = w.judgedAt(w.make(id, CaseOptions{}), w.clock.now(), x.ca.Certificate)
	if !r.Trusted || !strings.Contains(r.text(), "First TSA") {
		t.Errorf("\n%s", r.text())
	}
}

// An authority of access points that issues for a time-stamping authority as well vouches for time only where it is trusted
// for that, and one for time vouches for nobody who signs messages.
func TestAnAuthorityOfAccessPointsDoesNotVouchForTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pki.Ed25519)
	x := w.witness()
	x.ca = w.ca
	x.change("TSA of the access points' authority", start.AddDate(0, 0, 100))
	id := w.sent("a@b")
	if err := w.stampNow(); err != nil {
		t.Fatal(err)
	}
	b := w.make(id, CaseOptions{})
	ca := []*pki.Certificate{w.ca.Certificate}
	r := judgedBy(t, b, w.clock.now(), pki.Bind(ca, pki.PurposeAccessPoint)...)
	if !r.Valid || r.Trusted || !r.has("time-stamp", Unsettled) || !r.has("receipt: certificate", Proven) || !strings.Contains(r.text(), "no authority for time was given") {
		t.Errorf("for access points alone:\n%s", r.text())
	}
	if r := judgedBy(t, b, w.clock.now(), pki.Bind(ca, pki.PurposeTime)...); r.Trusted || !r.has("time-stamp", Proven) || !r.has("receipt: certificate", Unsettled) {
		t.Errorf("for time alone:\n%s", r.text())
	}
	if r := judgedBy(t, b, w.clock.now(), pki.Bind(ca, pki.PurposeAccessPoint, pki.PurposeTime)...); !r.Trusted || !r.has("time-stamp", Proven) {
		t.Errorf("for both:\n%s", r.text())
	}
}

// An authority that is down delays nothing and loses nothing.
func TestAnAuthorityThatIsDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pki.Ed25519)
	x := w.witness()
	x.down.Store(true)
	id := w.sent("a@b")
	if err := w.stampNow(); err == nil {
		t.Fatal("no error")
	}
	since := w.log.StampState().Failing
	w.sent("c@d")
	if err := w.stampNow(); err == nil || !w.log.StampState().Failing.Equal(since) || since.IsZero() || w.log.StampState().Err == nil {
		t.Errorf("%v, %+v", err, w.log.StampState())
	}
	if r := w.judgedAt(w.make(id, CaseOptions{}), w.clock.now()); !r.Valid || !r.has("head of the log", Proven) {
		t.Errorf("\n%s", r.text())
	}
	x.down.Store(false)
	if err := w.stampNow(); err != nil || !w.log.StampState().Failing.IsZero() {
		t.Errorf("%v, %+v", err, w.log.StampState())
	}
	if r := w.judgedAt(w.make(id, CaseOptions{}), w.clock.now(), x.ca.Certificate); !r.Trusted || !r.has("time-stamp", Proven) {
		t.Errorf("\n%s", r.text())
	}
}

func TestTimeStampsOfOthersAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pki.Ed25519)
	x := w.witness()
	w.sent("a@b")
	for name, purpose := range map[string]pki.Purpose{"documents": pki.PurposeDocument, "messages": pki.PurposeAccessPoint, "publishers": pki.PurposeSMP, "TLS": pki.PurposeTLS} {
		w.log.stamps.by.Known = x.known(purpose)
		if err := w.stampNow(); !errors.Is(err, ErrStamp) || w.stampOf(0) != nil {
			t.Errorf("an authority for %s: %v", name, err)
		}
	}
	w.log.stamps.by.Known = nil
	if err := w.stampNow(); !errors.Is(err, ErrStamp) {
		t.Errorf("nobody is trusted: %v", err)
	}
	w.log.stamps.by.Known = x.known(pki.PurposeTime)
	revoked := x.tsa.Load().Identity.Certificate
	w.log.stamps.by.Known = func() gather.Options {
		o := x.known(pki.PurposeTime)()
		crl, err := x.ca.CRL([]*pki.Certificate{revoked}, w.clock.now())
		if err != nil {
			t.Error(err)
		}
		o.CRLs = [][]byte{crl}
		return o
	}
	if err := w.stampNow(); !errors.Is(err, ErrStamp) || w.stampOf(0) != nil {
		t.Errorf("revoked: %v", err)
	}
}

func TestTimeStampsAreRenewed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pki.Ed25519)
	x := w.witness()
	id := w.sent("a@b")
	if err := w.stampNow(); err != nil {
		t.Fatal(err)
	}
	old := w.make(id, CaseOptions{}) // as somebody took it away then
	if due := w.stampOf(0).Due; !due.Equal(start.AddDate(0, 0, 40)) {
		t.Errorf("due %s", due)
	}
	for i := range 3 { // and more that are due with it
		w.later(2 * time.Hour)
		w.sent(fmt.Sprint(i, "@d"))
		if err := w.stampNow(); err != nil {
			t.Fatal(err)
		}
	}
	x.change("Second TSA", start.AddDate(5, 0, 0))
	w.later(39 * 24 * time.Hour)
	n := x.asked.Load()
	if err := w.log.Stamp(ctx); err != nil || x.asked.Load() != n {
		t.Errorf("renewed too early: %v", err)
	}
	w.later(2 * 24 * time.Hour)
	x.down.Store(true)
	if err := w.log.Stamp(ctx); err == nil {
		t.Error("renewed by nobody")
	}
	x.down.Store(false)
	n = x.asked.Load()
	if err := w.log.Stamp(ctx); err != nil || w.stampOf(0).Due.Before(start.AddDate(4, 0, 0)) || w.stampOf(1).Due.Before(start.AddDate(4, 0, 0)) {
		t.Fatalf("%v, due %s", err, w.stampOf(0).Due)
	}
	if x.asked.Load() != n+1 {
		t.Errorf("%d time-stamps for four records", x.asked.Load()-n)
	}
	// Years later the certificate of the first time-stamp has ended, and the second proves that it was there.
	at := start.AddDate(3, 0, 0)
	r := w.judgedAt(old, at, x.ca.Certificate)
	if !r.Valid || r.Trusted || !r.has("time-stamp", Unsettled) {
		t.Errorf("not renewed:\n%s", r.text())
	}
	renewed := w.make(id, CaseOptions{})
	r = w.judgedAt(renewed, at, x.ca.Certificate)
	if !r.Valid || !r.Trusted || strings.Count(r.text(), "by First TSA") != 1 || strings.Count(r.text(), "by Second TSA") != 1 {
		t.Errorf("renewed:\n%s", r.text())
	}

	// The digest algorithm comes to its end: hashed anew with a stronger one, before.
	policy := validation.DefaultPolicy()
	policy.Suite.Digests = maps.Clone(policy.Suite.Digests)
	policy.Suite.Digests["SHA256"] = w.clock.now().AddDate(0, 0, 30)
	w.log.stamps.by.Policy = policy
	w.write(func(tx store.Tx) error {
		s := *w.stampOf(0)
		s.Due = w.clock.now()
		return tx.PutLogStamp(s)
	})
	if err := w.log.Stamp(ctx); err != nil {
		t.Fatal(err)
	}
	record, err := ers.Parse(w.stampOf(0).Record)
	if err != nil || len(record.Chains) != 2 || record.Chains[1].Hash != crypto.SHA512 {
		t.Fatalf("%v, %+v", err, record)
	}
	if r := w.judgedAt(w.make(id, CaseOptions{}), w.clock.now(), x.ca.Certificate); !r.Trusted {
		t.Errorf("hashed anew:\n%s", r.text())
	}
}

// A record that is over something else, or that was changed, proves nothing.
func TestForgedTimeStampsAreFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pki.Ed25519)
	x := w.witness()
	w.sent("a@b")
	if err := w.stampNow(); err != nil {
		t.Fatal(err)
	}
	other := w.stampOf(0)
	w.later(2 * time.Hour)
	id := w.sent("c@d")
	if err := w.stampNow(); err != nil {
		t.Fatal(err)
	}
	b := w.make(id, CaseOptions{})
	if r := w.judgedAt(b, w.clock.now(), x.ca.Certificate); !r.Trusted {
		t.Fatalf("\n%s", r.text())
	}
	for name, change := range map[string]func(m *Manifest, files map[string][]byte){
		"of another head":               func(_ *Manifest, files map[string][]byte) { files["log/stamped-head.ers"] = other.Record },
		"over a head that is not there": func(_ *Manifest, files map[string][]byte) { files["log/stamped-head.txt"] = other.Head },
		"broken":                        func(_ *Manifest, files map[string][]byte) { files["log/stamped-head.ers"] = []byte("no record") },
		"without its head": func(m *Manifest, files map[string][]byte) {
			delete(files, "log/stamped-head.txt")
			m.Files = slices.DeleteFunc(m.Files, func(f CaseFile) bool { return f.Role == RoleStamped })
		},
		"without the way": func(m *Manifest, files map[string][]byte) {
			delete(files, "log/stamped-head.proof")
			m.Files = slices.DeleteFunc(m.Files, func(f CaseFile) bool { return f.Role == RoleStampedWay })
		},
	} {
		if r := w.judgedAt(w.forge(b, change), w.clock.now(), x.ca.Certificate); r.Valid || r.has("time-stamp", Proven) {
			t.Errorf("%s:\n%s", name, r.text())
		}
	}
}
