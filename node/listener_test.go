package node_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptrace"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// TestTheAPISpeaksTLSOfItsOwn: with a certificate that is replaced without dropping a connection, and with client
// certificates that may be left out but not be wrong.
func TestTheAPISpeaksTLSOfItsOwn(t *testing.T) {
	t.Parallel()
	a, _ := agree(t)
	ca, err := pki.NewAuthority(nil, "CN=Inner CA", pki.P256, time.Now().Add(-time.Hour), 5)
	if err != nil {
		t.Fatal(err)
	}
	other, err := pki.NewAuthority(nil, "CN=Other CA", pki.P256, time.Now().Add(-time.Hour), 5)
	if err != nil {
		t.Fatal(err)
	}
	issue := func(by *pki.Authority, name string) (*pki.Identity, tls.Certificate) {
		t.Helper()
		id, err := by.Issue(pki.Template{CommonName: name, Algorithm: pki.P256, DNSNames: []string{name}})
		if err != nil {
			t.Fatal(err)
		}
		return id, tls.Certificate{Certificate: [][]byte{id.Certificate.Raw}, PrivateKey: id.Key}
	}
	write := func(id *pki.Identity) {
		t.Helper()
		b, err := id.MarshalPEM()
		if err != nil {
			t.Fatal(err)
		}
		put(t, filepath.Join(a.Dir, "keys", "api.pem"), string(b))
	}
	first, _ := issue(ca, "api.example")
	write(first)
	put(t, filepath.Join(a.Dir, "trust", "clients.pem"), string(pki.MarshalPEM(ca.Certificate)))
	edit(t, a.ConfigFile, func(b []byte) []byte {
		return []byte(strings.Replace(string(b), "\napi:\n", "\napi:\n  tls: {certificate: keys/api.pem, key: keys/api.pem, clientCA: trust/clients.pem, clientOptional: true}\n", 1))
	})
	g := begin(t, a, nil, nil)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pki.MarshalPEM(ca.Certificate))
	client := func(certs ...tls.Certificate) *http.Client {
		tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "api.example", Certificates: certs}}
		t.Cleanup(tr.CloseIdleConnections)
		return &http.Client{Transport: tr}
	}
	ask := func(c *http.Client) (serial string, reused bool, err error) {
		req, err := http.NewRequestWithContext(httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { reused = i.Reused }}), "GET", "https://"+g.Addr("api")+"/api/v1/messages", nil)
		if err != nil {
			return "", false, err
		}
		req.Header.Set("Authorization", "Bearer "+a.Token)
		resp, err := c.Do(req)
		if err != nil {
			return "", reused, err
		}
		defer resp.Body.Close()
		if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
			t.Errorf("%s %v", resp.Status, err)
		}
		return resp.TLS.PeerCertificates[0].SerialNumber.String(), reused, nil
	}
	kept := client()
	if s, _, err := ask(kept); err != nil || s != first.Certificate.SerialNumber.String() {
		t.Fatal(s, err)
	}
	if resp, err := http.Get("http://" + g.Addr("api") + "/healthz"); err == nil && resp.StatusCode == http.StatusOK {
		t.Error("it speaks plain HTTP as well")
	}
	_, known := issue(ca, "back-office.example")
	if _, _, err := ask(client(known)); err != nil {
		t.Errorf("a known client: %v", err)
	}
	_, unknown := issue(other, "stranger.example")
	strange := client()
	strange.Transport.(*http.Transport).TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &unknown, nil }
	if _, _, err := ask(strange); err == nil {
		t.Error("a certificate of a stranger is taken")
	}

	second, _ := issue(ca, "api.example")
	write(second)
	if err := g.Upkeep(context.Background()); err != nil {
		t.Fatal(err)
	}
	if s, reused, err := ask(kept); err != nil || !reused || s != first.Certificate.SerialNumber.String() {
		t.Errorf("the open connection: reused %t, %s %v", reused, s, err)
	}
	if s, _, err := ask(client()); err != nil || s != second.Certificate.SerialNumber.String() {
		t.Errorf("a new connection: %s %v", s, err)
	}
	put(t, filepath.Join(a.Dir, "keys", "api.pem"), "damaged")
	if err := g.Upkeep(context.Background()); err == nil {
		t.Error("a damaged certificate is taken")
	}
	if s, _, err := ask(client()); err != nil || s != second.Certificate.SerialNumber.String() {
		t.Errorf("after a damaged file: %s %v", s, err)
	}
	if _, err := g.Reload(context.Background()); err == nil {
		t.Error("a reload takes a damaged certificate")
	}
	if err := os.Remove(filepath.Join(a.Dir, "keys", "api.pem")); err != nil {
		t.Fatal(err)
	}
	write(second)
	if _, err := g.Reload(context.Background()); err != nil {
		t.Error(err)
	}
}

// TestWhoHasTheConfigurationKnowsTheNode: and takes nobody else for it.
func TestWhoHasTheConfigurationKnowsTheNode(t *testing.T) {
	t.Parallel()
	a, _ := agree(t)
	write := func(file string) {
		t.Helper()
		ca, err := pki.NewAuthority(nil, "CN="+file, pki.P256, time.Now().Add(-time.Hour), 5)
		if err != nil {
			t.Fatal(err)
		}
		put(t, filepath.Join(a.Dir, "keys", file), string(must(ca.MarshalPEM())))
	}
	write("api.pem")
	write("other.pem") // a file of its own: the node reads those that it shows anew when they change
	edit(t, a.ConfigFile, func(b []byte) []byte {
		return []byte(strings.Replace(string(b), "\napi:\n", "\napi:\n  tls: {certificate: keys/api.pem, key: keys/api.pem}\n", 1))
	})
	g := begin(t, a, nil, nil)
	ask := func(c *config.Config) error {
		t.Helper()
		client, err := node.APIClient(c)
		if err != nil {
			return err
		}
		defer client.CloseIdleConnections()
		resp, err := client.Get("https://" + g.Addr("api") + "/healthz")
		if err == nil {
			resp.Body.Close()
		}
		return err
	}
	if err := ask(g.Config); err != nil {
		t.Error(err)
	}
	other, set := *g.Config, *g.Config.API.TLS
	set.Certificate = config.Path(filepath.Join(a.Dir, "keys", "other.pem"))
	other.API.TLS = &set
	if err := ask(&other); err == nil || !strings.Contains(err.Error(), "another certificate") {
		t.Errorf("a stranger is taken for the node: %v", err)
	}
}
