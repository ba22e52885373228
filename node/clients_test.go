package node_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/cookiejar"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/node/audit"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// TestWhoShowsACertificateNeedsNoPassword: people and programs are known by the certificate of the connection, may do what
// the configuration says, and are in the log of evidence by their names.
func TestWhoShowsACertificateNeedsNoPassword(t *testing.T) {
	t.Parallel()
	a, _ := agree(t)
	ca, err := pki.NewAuthority(nil, "CN=Inner CA", pki.P256, time.Now().Add(-time.Hour), 5)
	if err != nil {
		t.Fatal(err)
	}
	issue := func(name string, usage ...pki.OID) (*pki.Identity, tls.Certificate) {
		t.Helper()
		id, err := ca.Issue(pki.Template{CommonName: name, Country: "EE", Algorithm: pki.P256, DNSNames: []string{name}, ExtKeyUsage: usage})
		if err != nil {
			t.Fatal(err)
		}
		return id, tls.Certificate{Certificate: [][]byte{id.Certificate.Raw}, PrivateKey: id.Key}
	}
	server, _ := issue("api.example")
	b, err := server.MarshalPEM()
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(a.Dir, "keys", "api.pem"), string(b))
	put(t, filepath.Join(a.Dir, "trust", "clients.pem"), string(pki.MarshalPEM(ca.Certificate)))
	erp, erpTLS := issue("erp", pki.EKUClientAuth)
	put(t, filepath.Join(a.Dir, "trust", "erp.pem"), string(pki.MarshalPEM(erp.Certificate)))
	_, otherERP := issue("erp", pki.EKUClientAuth) // the same name, another certificate
	_, ada := issue("ada", pki.EKUClientAuth)
	_, bo := issue("bo", pki.EKUClientAuth)
	edit(t, a.ConfigFile, func(b []byte) []byte {
		return []byte(strings.Replace(string(b), "\napi:\n", `
api:
  tls: {certificate: keys/api.pem, key: keys/api.pem, clientCA: trust/clients.pem, clientOptional: true}
  clients:
    - {name: erp, certificate: trust/erp.pem, scopes: [messages]}
    - {name: ada, subject: "CN=ada,C=EE", role: operator, scopes: [admin]}
    - {name: bo, subject: "CN=bo,C=EE"}
`, 1))
	})
	g := begin(t, a, nil, nil)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pki.MarshalPEM(ca.Certificate))
	as := func(certs ...tls.Certificate) *visitor {
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "api.example", Certificates: certs}}
		t.Cleanup(tr.CloseIdleConnections)
		return &visitor{t, "https://" + g.Addr("api"), http.Client{Jar: jar, Transport: tr}}
	}
	call := func(v *visitor, method, path, token, body string) int {
		t.Helper()
		req, err := http.NewRequest(method, v.base+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		resp, err := v.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	for _, c := range []struct {
		what, path, token string
		v                 *visitor
		want              int
	}{
		{"the program's certificate", "/api/v1/messages", "", as(erpTLS), http.StatusOK},
		{"beyond its scopes", "/api/v1/users", "", as(erpTLS), http.StatusForbidden},
		{"another certificate of its name", "/api/v1/messages", "", as(otherERP), http.StatusUnauthorized},
		{"no certificate", "/api/v1/messages", "", as(), http.StatusUnauthorized},
		{"somebody who is for the console alone", "/api/v1/messages", "", as(bo), http.StatusForbidden},
		{"a token beside the certificate counts", "/api/v1/messages", "wrong", as(erpTLS), http.StatusUnauthorized},
		{"and is enough", "/api/v1/users", a.AdminToken, as(erpTLS), http.StatusOK},
	} {
		if got := call(c.v, "GET", c.path, c.token, ""); got != c.want {
			t.Errorf("%s: %d, want %d", c.what, got, c.want)
		}
	}
	v := as(ada)
	if _, page := v.get("/console/login"); !strings.Contains(page, "Log in as ada with your certificate") {
		t.Fatalf("nothing is offered: %.600s", page)
	}
	if where, page := v.post("/console/login", "certificate", "yes"); where != "/console/" || !strings.Contains(page, "Operator") {
		t.Fatalf("%s: %.600s", where, page)
	}
	if where, _ := v.get("/console/users"); where != "/console/users" {
		t.Errorf("led to %s", where)
	}
	if call(v, "POST", "/api/v1/tokens", "", `{"name":"made","scopes":["metrics"]}`) != http.StatusCreated {
		t.Error("admin by certificate makes no token")
	}
	// Who has no user is not let in, until there is one.
	w := as(bo)
	if where, page := w.post("/console/login", "certificate", "yes"); where != "/console/login" || !strings.Contains(page, "no user for this certificate") {
		t.Errorf("%s: %.600s", where, page)
	}
	if call(as(), "POST", "/api/v1/users", a.AdminToken, `{"user":"bo","role":"viewer"}`) != http.StatusCreated {
		t.Error("no user")
	}
	if where, page := w.post("/console/login", "certificate", "yes"); where == "/console/login" {
		t.Errorf("%s: %.600s", where, page)
	}
	// Nobody is known by a certificate that he does not show.
	if where, _ := as().post("/console/login", "certificate", "yes", "user", "ada"); where != "/console/login" {
		t.Errorf("led to %s", where)
	}
	found := map[string]bool{}
	size, _, err := g.Store.LogState(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	list, err := g.Store.LogEntries(t.Context(), 0, int(size))
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range list {
		e, err := audit.Parse(k.Octets)
		if err != nil {
			t.Fatal(err)
		}
		found[string(e.Type)+" "+e.Actor+" "+e.Subject] = true
	}
	for _, want := range []string{"user configuration ada", "administration console:ada ada", "token certificate ada token:made"} {
		if !found[want] {
			t.Errorf("%q is not in the log: %v", want, found)
		}
	}
}

func TestClientsNeedAnAuthority(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`api: {clients: [{name: ada, subject: "CN=ada", role: viewer}]}`:                                                                   "api.clients: nobody can show a certificate",
		`api: {tls: {certificate: a, key: a, clientCA: a}, clients: [{name: ada, role: viewer}]}`:                                          "write certificate or subject",
		`api: {tls: {certificate: a, key: a, clientCA: a}, clients: [{name: ada, subject: "CN=ada", role: king}]}`:                         `"king"`,
		`api: {tls: {certificate: a, key: a, clientCA: a}, clients: [{name: ada, subject: "CN=ada", certificate: b, scopes: [messages]}]}`: "write certificate or subject",
	} {
		_, err := config.Parse("x", ".", []byte("node: {name: x, country: EE}\n"+text+"\n"))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}
