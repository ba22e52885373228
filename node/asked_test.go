package node

import (
	"context"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/revocation"
)

// teller is an authority that tells, by OCSP and by a list, which of its certificates are revoked; both hold an hour.
type teller struct {
	*pki.Authority
	server *httptest.Server
	ahead  atomic.Int64 // of the clock
	asked  atomic.Int64 // OCSP
	listed atomic.Int64
	down   atomic.Bool

	mu      sync.Mutex
	revoked map[string]bool // by serial number
}

var tellerStart = time.Date(2026, 11, 28, 10, 0, 0, 0, time.UTC)

func (w *teller) now() time.Time { return tellerStart.Add(time.Duration(w.ahead.Load())) }

func (w *teller) pass(d time.Duration) { w.ahead.Add(int64(d)) }

func newTeller(t *testing.T) *teller {
	t.Helper()
	w := &teller{revoked: map[string]bool{}}
	var err error
	if w.Authority, err = pki.NewAuthority(nil, "CN=Access Point CA", pki.P256, tellerStart.AddDate(-1, 0, 0), 10); err != nil {
		t.Fatal(err)
	}
	responder := &revocation.Responder{Clock: w.now, Authorities: []revocation.Authority{{Issuer: w.Certificate, Identity: &w.Identity, Source: revocation.SourceFunc(func(_ context.Context, serial *big.Int) (revocation.Status, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.revoked[serial.String()] {
			return revocation.Status{State: pki.RevocationRevoked, RevokedAt: w.now().Add(-time.Minute)}, nil
		}
		return revocation.Status{State: pki.RevocationGood}, nil
	})}}}
	w.server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch {
		case w.down.Load():
			http.Error(rw, "later", http.StatusServiceUnavailable)
		case strings.HasPrefix(r.URL.Path, "/ocsp"):
			w.asked.Add(1)
			responder.ServeHTTP(rw, r)
		default:
			w.listed.Add(1)
			l := revocation.List{Number: big.NewInt(1), ThisUpdate: w.now(), NextUpdate: w.now().Add(time.Hour)}
			w.mu.Lock()
			for s := range w.revoked {
				serial, _ := new(big.Int).SetString(s, 10)
				l.Entries = append(l.Entries, revocation.Entry{SerialNumber: serial, RevokedAt: w.now().Add(-time.Minute)})
			}
			w.mu.Unlock()
			der, err := l.Sign(nil, &w.Identity, 0)
			if err != nil {
				t.Error(err)
			}
			rw.Write(der)
		}
	}))
	t.Cleanup(w.server.Close)
	return w
}

func (w *teller) certificate(t *testing.T) *pki.Certificate {
	t.Helper()
	id, err := w.Issue(pki.Template{CommonName: "leaf", OCSPServers: []string{w.server.URL + "/ocsp"}, CRLDistributionPoints: []string{w.server.URL + "/list"}})
	if err != nil {
		t.Fatal(err)
	}
	return id.Certificate
}

func (w *teller) revoke(c *pki.Certificate) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.revoked[c.SerialNumber.String()] = true
}

// asking is a node's view of trust that asks the teller.
func (w *teller) asking(t *testing.T, change func(*config.Config)) (*pki.Verifier, *revocations) {
	t.Helper()
	c, err := config.Parse("viadukt.yaml", t.TempDir(), []byte("node: {name: a, country: EE}\ndiscovery: {allowPrivateAddresses: true}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(c)
	}
	online := newRevocations(c, w.now)
	v, err := readTrust(c, w.now, nil, []pki.Anchor{{Certificate: w.Certificate, Purposes: []pki.Purpose{pki.PurposeAccessPoint}}}, online)
	if err != nil {
		t.Fatal(err)
	}
	return v.Verifier, online
}

func judged(t *testing.T, when string, v *pki.Verifier, c *pki.Certificate, want error) {
	t.Helper()
	if _, err := v.Verify(c, nil, pki.PurposeAccessPoint); !errors.Is(err, want) || want == nil && err != nil {
		t.Errorf("%s: %v, want %v", when, err, want)
	}
}

func TestCertificatesAreAskedAboutInTheBackground(t *testing.T) {
	t.Parallel()
	w := newTeller(t)
	v, online := w.asking(t, nil)
	c, idle := w.certificate(t), w.certificate(t)
	for range 3 {
		judged(t, "at first", v, c, nil)
		w.pass(2 * time.Minute) // longer than a verdict is kept
	}
	if n := w.asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
	w.revoke(c)
	online.refresh(t.Context())
	judged(t, "before half of the time is over", v, c, nil)
	w.pass(30 * time.Minute)
	online.refresh(t.Context())
	judged(t, "after", v, c, pki.ErrRevoked)
	if asked, listed := w.asked.Load(), w.listed.Load(); asked != 2 || listed != 0 {
		t.Errorf("asked %d times, %d lists fetched", asked, listed)
	}
	w.down.Store(true)
	w.pass(30 * 24 * time.Hour)
	online.refresh(t.Context())
	judged(t, "long after the last answer", v, c, pki.ErrRevoked)
	w.down.Store(false)
	judged(t, "another one", v, idle, nil)
	w.pass(askIdle + time.Hour)
	online.refresh(t.Context())
	if len(online.asked) != 1 {
		t.Error("a certificate that nobody uses is still asked about")
	}
}

func TestTheLastGoodAnswerStandsIn(t *testing.T) {
	t.Parallel()
	for unknown, later := range map[string]error{"accept": nil, "refuse": pki.ErrRevocationUnknown} {
		t.Run(unknown, func(t *testing.T) {
			t.Parallel()
			w := newTeller(t)
			v, online := w.asking(t, func(c *config.Config) { c.Revocation.Unknown = unknown })
			c, late := w.certificate(t), w.certificate(t)
			judged(t, "at first", v, c, nil)
			w.down.Store(true)
			judged(t, "one that was never seen", v, late, later)
			for range 8 {
				w.pass(3 * time.Hour)
				online.refresh(t.Context())
				judged(t, "while nobody answers", v, c, nil)
			}
			if f := online.facts(); len(f) != 1 || f[0].Name != strings.TrimPrefix(w.server.URL, "http://") || !f[0].Unreached {
				t.Errorf("alerts: %+v", f)
			}
			w.pass(2 * time.Hour)
			judged(t, "a day later", v, c, later)
			w.down.Store(false)
			w.pass(time.Hour)
			online.refresh(t.Context())
			judged(t, "when somebody answers again", v, c, nil)
			judged(t, "the late one", v, late, nil)
			if f := online.facts(); len(f) != 0 {
				t.Errorf("alerts: %+v", f)
			}
		})
	}
}

func TestListsAndNobody(t *testing.T) {
	t.Parallel()
	w := newTeller(t)
	one, other := w.certificate(t), w.certificate(t)
	w.revoke(other)
	v, _ := w.asking(t, func(c *config.Config) { c.Revocation.Check = "crl" })
	judged(t, "by list", v, one, nil)
	judged(t, "by list", v, other, pki.ErrRevoked)
	if asked, listed := w.asked.Load(), w.listed.Load(); asked != 0 || listed != 1 {
		t.Errorf("asked %d times, %d lists fetched", asked, listed)
	}
	v, _ = w.asking(t, func(c *config.Config) { c.Revocation.Check = "off" })
	judged(t, "off", v, other, nil)
	v, _ = w.asking(t, func(c *config.Config) { c.Discovery.AllowPrivateAddresses = false })
	judged(t, "the way leads inside", v, other, nil)
	if asked, listed := w.asked.Load(), w.listed.Load(); asked != 0 || listed != 1 {
		t.Errorf("asked %d times, %d lists fetched", asked, listed)
	}
	plain, err := w.Issue(pki.Template{CommonName: "names nobody"})
	if err != nil {
		t.Fatal(err)
	}
	v, _ = w.asking(t, func(c *config.Config) { c.Revocation.Unknown = "refuse" })
	judged(t, "names nobody", v, plain.Certificate, pki.ErrRevocationUnknown)
}

func TestAQuestionHoldsNobodyUpForLong(t *testing.T) {
	t.Parallel()
	w := newTeller(t)
	hang := make(chan struct{})
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		w.asked.Add(1)
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(silent.Close)
	t.Cleanup(func() { close(hang) })
	id, err := w.Issue(pki.Template{CommonName: "leaf", OCSPServers: []string{silent.URL}})
	if err != nil {
		t.Fatal(err)
	}
	v, _ := w.asking(t, func(c *config.Config) { c.Revocation.Timeout = config.Duration(100 * time.Millisecond) })
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() { judged(t, "unknown", v, id.Certificate, nil) })
	}
	all.Wait()
	w.pass(5 * time.Minute)
	judged(t, "later", v, id.Certificate, nil)
	if n := w.asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

func TestWhatIsAskedAboutIsBounded(t *testing.T) {
	t.Parallel()
	w := newTeller(t)
	_, online := w.asking(t, nil)
	c := w.certificate(t)
	for i := range askedMost {
		online.asked[[64]byte{byte(i), byte(i >> 8), 1}] = &asked{used: w.now().Add(time.Duration(i+1) * time.Second)}
	}
	if _, err := online.Status(t.Context(), c, w.Certificate, w.now()); err != nil {
		t.Error(err)
	}
	if _, oldest := online.asked[[64]byte{0, 0, 1}]; oldest || len(online.asked) != askedMost {
		t.Errorf("%d are kept, the oldest among them: %t", len(online.asked), oldest)
	}
}
