package node_test

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/audit"
	"github.com/viadukt-eu/viadukt/node/setup"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/trust/ers"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/tsp"
	"github.com/viadukt-eu/viadukt/trust/xades"
)

// newTSA is a time-stamping authority elsewhere, down at first, with the authority that certifies it.
func newTSA(t *testing.T, clock *movingClock) (ca *pki.Authority, url string, down *atomic.Bool) {
	t.Helper()
	ca, err := pki.NewAuthority(rand.Reader, "CN=Time CA,O=Elsewhere", pki.P256, clock.now().AddDate(-1, 0, 0), 20)
	if err != nil {
		t.Fatal(err)
	}
	down = new(atomic.Bool)
	down.Store(true)
	var tsa tsp.Responder
	crl, err := ca.CRL(nil, clock.now())
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/time.crl":
			w.Write(crl)
		case down.Load():
			http.Error(w, "down", http.StatusServiceUnavailable)
		default:
			tsa.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	id, err := ca.Issue(pki.Template{CommonName: "TSA", ExtKeyUsage: []pki.OID{pki.EKUTimeStamping}, NotBefore: clock.now().AddDate(0, -1, 0), NotAfter: clock.now().AddDate(5, 0, 0), CRLDistributionPoints: []string{server.URL + "/time.crl"}})
	if err != nil {
		t.Fatal(err)
	}
	tsa = tsp.Responder{Identity: id, Policy: "1.2.3.4", Clock: func() (time.Time, error) { return clock.now(), nil }}
	return ca, server.URL, down
}

// stampedBy configures a time-stamping authority for the log, and trusts it.
func stampedBy(t *testing.T, a *setup.Result, ca *pki.Authority, url string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(a.Dir, "time.pem"), pki.MarshalPEM(ca.Certificate), 0o600); err != nil {
		t.Fatal(err)
	}
	edit(t, a.ConfigFile, func(conf []byte) []byte {
		conf = bytes.Replace(conf, []byte("\n  trust: ["), []byte("\n  trust: [{file: time.pem, purposes: [time]}, "), 1)
		return bytes.Replace(conf, []byte("\n  timestamp:\n"), fmt.Appendf(nil, "\n  timestamp:\n    tsa: [%q]\n", url), 1)
	})
}

// A node has its log time-stamped outside: the case of a message proves since when, and nothing waits for an authority that is down.
func TestTheLogIsTimeStampedOutside(t *testing.T) {
	t.Parallel()
	clock := &movingClock{at: time.Now()}
	ca, url, down := newTSA(t, clock)
	a, b := agree(t)
	stampedBy(t, a, ca, url)
	ee := beginAt(t, a, clock.now, nil)
	beginAt(t, b, clock.now, nil)
	m := ee.until(t, store.Out, ee.send(t, letter(text("a.txt", "a letter"))).MessageID, store.Acknowledged)
	stamp := func() error {
		if _, err := ee.Evidence.Sign(t.Context()); err != nil {
			t.Fatal(err)
		}
		return ee.Evidence.Stamp(t.Context())
	}
	if err := stamp(); err == nil {
		t.Fatal("a time-stamp from nowhere")
	}
	clock.move(11 * time.Minute)
	if err := stamp(); err == nil || !slices.ContainsFunc(ee.alerts(t, "?state=open"), func(s string) bool { return strings.HasPrefix(s, "open log-timestamp") }) {
		t.Errorf("%v, and nobody is told", err)
	}
	if resp, body := ee.call(t, "GET", "/api/v1/log/timestamp", "", nil); resp.StatusCode != http.StatusNotFound {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	down.Store(false)
	if err := stamp(); err != nil {
		t.Fatal(err)
	}
	if slices.ContainsFunc(ee.alerts(t, "?state=open"), func(s string) bool { return strings.HasPrefix(s, "open log-timestamp") }) {
		t.Error("the alert stays")
	}
	resp, body := ee.call(t, "GET", "/api/v1/log/timestamp", "", nil)
	j := decode[node.LogStampJSON](t, body)
	r, err := ers.Parse([]byte(j.Record)) // in base64 as well
	if resp.StatusCode != 200 || err != nil || j.Authority != "CN=TSA" || j.Stamps != 1 || r.Check([]xades.Document{xades.Bytes("head", "", []byte(j.Head.Octets))}).Err() != nil {
		t.Errorf("%s, %v", body, err)
	}
	_, whole := ee.call(t, "GET", fmt.Sprintf("/api/v1/messages/%d/case", m.ID), "", nil)
	pem, err := os.ReadFile(filepath.Join(a.Dir, "trust", "access-points.pem"))
	if err != nil {
		t.Fatal(err)
	}
	trust, err := pki.ParsePEMCertificates(pem)
	if err != nil {
		t.Fatal(err)
	}
	report, err := audit.Verify(bytes.NewReader(whole), int64(len(whole)), audit.VerifyOptions{
		Trust: append(pki.Bind(trust, pki.PurposeAccessPoint), pki.Anchor{Certificate: ca.Certificate, Purposes: []pki.Purpose{pki.PurposeTime}}), Now: clock.now()})
	if err != nil || !report.Valid {
		t.Fatalf("%v %+v", err, report)
	}
	if !slices.ContainsFunc(report.Steps, func(s audit.Step) bool { return s.Name == "time-stamp" && s.Result == audit.Proven }) {
		t.Errorf("%+v", report.Steps)
	}
}
