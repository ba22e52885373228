package node

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/trust/pki"
)

// TestServersBelowAuthoritiesForTLS: the client's own verification refuses whatever the standard one would.
func TestServersBelowAuthoritiesForTLS(t *testing.T) {
	t.Parallel()
	now := time.Now()
	ca, err := pki.NewAuthority(nil, "CN=Inner TLS CA", pki.P256, now.Add(-time.Hour), 5)
	if err != nil {
		t.Fatal(err)
	}
	sub, err := ca.Sub("CN=Inner TLS Sub CA", pki.P256, now.Add(-time.Hour), 4)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []struct {
		name    string
		by      *pki.Authority
		dns     string
		purpose pki.Purpose // of the anchor; empty: none
		after   time.Duration
		want    string
	}{
		{"an authority for TLS", ca, "as4.example", pki.PurposeTLS, 0, ""},
		{"an authority below it, whose certificate the server shows", sub, "as4.example", pki.PurposeTLS, 0, ""},
		{"nobody knows the authority", ca, "as4.example", "", 0, "unknown authority"},
		{"an authority for messages", ca, "as4.example", pki.PurposeAccessPoint, 0, "unknown authority"},
		{"another name", ca, "other.example", pki.PurposeTLS, 0, "not as4.example"},
		{"expired", ca, "as4.example", pki.PurposeTLS, 20 * 365 * 24 * time.Hour, "expired"},
	} {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			id, err := k.by.Issue(pki.Template{CommonName: "server", Algorithm: pki.P256, DNSNames: []string{k.dns}})
			if err != nil {
				t.Fatal(err)
			}
			shown := tls.Certificate{Certificate: [][]byte{id.Certificate.Raw}, PrivateKey: id.Key}
			for _, c := range id.Chain {
				shown.Certificate = append(shown.Certificate, c.Raw)
			}
			s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			s.Config.ErrorLog = nil
			s.TLS = &tls.Config{Certificates: []tls.Certificate{shown}}
			s.StartTLS()
			t.Cleanup(s.Close)
			n := &Node{Clock: func() time.Time { return now.Add(k.after) }}
			v := &pki.Verifier{}
			if k.purpose != "" {
				v.Anchors = []pki.Anchor{{Certificate: ca.Certificate, Purposes: []pki.Purpose{k.purpose}}}
			}
			n.trusted.current.Store(&trusted{Verifier: v})
			c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{ServerName: "as4.example"}}}
			n.trustTLS(c)
			t.Cleanup(c.CloseIdleConnections)
			resp, err := c.Get(s.URL)
			if err == nil {
				resp.Body.Close()
			}
			if k.want == "" && err != nil || k.want != "" && (err == nil || !strings.Contains(err.Error(), k.want)) {
				t.Errorf("got %v, want %q", err, k.want)
			}
		})
	}
}
