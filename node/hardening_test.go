package node_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/setup"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// secureByDefault does what docs/hardening.md warns of, one thing after the other: each is named, with what to do. Without,
// nothing is.
func secureByDefault(t *testing.T) {
	t.Parallel()
	type place struct {
		dir                                      string
		c                                        *config.Config
		network, foreign, memory, clockOff, root bool
	}
	chmod := func(name string, mode os.FileMode) func(*testing.T, *place) {
		return func(t *testing.T, p *place) {
			if err := os.Chmod(filepath.Join(p.dir, name), mode); err != nil {
				t.Fatal(err)
			}
		}
	}
	set := func(change func(*config.Config)) func(*testing.T, *place) {
		return func(_ *testing.T, p *place) { change(p.c) }
	}
	reachable := func(change func(*config.Config)) func(*testing.T, *place) {
		return set(func(c *config.Config) {
			c.AS4.URL = "https://as4.example.ee/as4"
			if change != nil {
				change(c)
			}
		})
	}
	// section is one that is decoded by its owner.
	section := func(t *testing.T, p *place, text string) *config.Config {
		own, err := config.Parse("part", p.dir, []byte("node: {name: part, country: EE}\n"+text))
		if err != nil {
			t.Fatal(err)
		}
		return own
	}
	for _, c := range []struct {
		name   string
		do     func(*testing.T, *place)
		what   string // of the finding; "": there is none
		text   string
		severe bool
	}{
		{name: "a node as it was made"},
		{name: "the API is open without TLS", do: set(func(c *config.Config) { c.API.Listen = "0.0.0.0:0" }), what: "api.listen", text: "tokens and passwords without TLS"},
		{name: "the access point is open without TLS", do: set(func(c *config.Config) { c.AS4.Listen = ":0" }), what: "as4.listen", text: "without TLS"},
		{name: "partners are told an address without TLS", do: set(func(c *config.Config) { c.AS4.URL = "http://as4.example.ee/as4" }), what: "as4.url", text: "without TLS"},
		{name: "figures are told to everybody", do: set(func(c *config.Config) { c.Metrics.Listen = ":0" }), what: "metrics.listen", text: "whoever reaches"},
		{name: "documents are judged for everybody", do: func(t *testing.T, p *place) {
			p.c.Validation = section(t, p, `validation: {listen: "0.0.0.0:0"}`).Validation
		}, what: "validation.listen", text: "no token"},
		{name: "documents are signed for everybody", do: func(t *testing.T, p *place) {
			p.c.Signatures = section(t, p, `signatures: {listen: "0.0.0.0:0"}`).Signatures
		}, what: "signatures.listen", text: "no token"},
		{name: "alerts leave without TLS", do: func(t *testing.T, p *place) {
			p.c.Alerts = section(t, p, `alerts: {webhooks: [{url: "http://office.example.ee/alert", secret: file:keys/api.token}]}`).Alerts
		}, what: "alerts.webhooks.url", text: "without TLS"},
		{name: "traces leave without TLS", do: set(func(c *config.Config) { c.Telemetry.Traces = "http://collector.example.ee:4318" }), what: "telemetry.traces", text: "without TLS"},
		{name: "everybody is a proxy", do: set(func(c *config.Config) { c.Console.Proxies = []string{"0.0.0.0/0"} }), what: "console.proxies", text: "chooses the address"},
		{name: "publishers without TLS are followed", do: reachable(nil), what: "discovery.allowHTTP", text: "without TLS"},
		{name: "inner servers can be reached", do: reachable(nil), what: "discovery.allowPrivateAddresses", text: "inner servers"},
		{name: "the registry is a file", do: reachable(nil), what: "registry", text: "zone file"},
		{name: "nobody is asked about revocation", do: reachable(func(c *config.Config) { c.Revocation.Check = "off" }), what: "revocation.check", text: "revoked"},
		{name: "nobody is told", do: reachable(nil), what: "alerts", text: "nobody is told"},
		{name: "another machine says what DNS signed", do: reachable(func(c *config.Config) { c.Discovery.DNSSEC, c.Discovery.Servers = "require", []string{"192.0.2.53"} }), what: "discovery.dnssec", text: "192.0.2.53 alone"},
		{name: "the test key is in use", do: reachable(nil), what: "signing key", text: "made by viadukt init"},
		{name: "a key of a former length is in use", do: reachable(nil), what: "signing key", text: "RSA of 2048 bits"},
		{name: "the clock follows nothing", do: func(_ *testing.T, p *place) { p.clockOff, p.c.AS4.URL = true, "https://as4.example.ee/as4" }, what: "clock", text: "no time server"},
		{name: "the node is root", do: func(t *testing.T, p *place) {
			p.root, p.c.AS4.URL = true, "https://as4.example.ee/as4"
			if err := os.Mkdir(string(p.c.Node.DataDir), 0o700); err != nil {
				t.Fatal(err)
			}
		}, what: "service", text: "belongs to root"},
		{name: "the key can be read", do: chmod("keys/as4.pem", 0o640), what: "signing key", text: "can be read by others"},
		{name: "a token can be read", do: chmod("keys/api.token", 0o644), what: "files", text: "api.token can be read by others"},
		{name: "the first password can be read", do: chmod("keys/console.password", 0o604), what: "files", text: "console.password can be read by others"},
		{name: "the configuration can be changed", do: chmod("viadukt.yaml", 0o666), what: "files", text: "viadukt.yaml can be changed by others"},
		{name: "an authority can be changed", do: chmod("trust/access-points.pem", 0o664), what: "files", text: "access-points.pem can be changed"},
		{name: "the folder of authorities can be changed", do: chmod("trust", 0o777), what: "files", text: "trust can be changed by others"},
		{name: "messages can be read", do: func(t *testing.T, p *place) {
			if err := os.Mkdir(string(p.c.Node.DataDir), 0o755); err != nil {
				t.Fatal(err)
			}
		}, what: "store", text: "all messages lie there"},
		{name: "the store is on a network file system", do: func(_ *testing.T, p *place) { p.network = true }, what: "store", text: "network file system (NFS)", severe: true},
		{name: "the store is on a file system of a program", do: func(_ *testing.T, p *place) { p.foreign = true }, what: "store", text: "FUSE"},
		{name: "the store is in memory", do: func(_ *testing.T, p *place) { p.memory, p.c.AS4.URL = true, "https://as4.example.ee/as4" }, what: "store", text: "gone with the power", severe: true},
		{name: "the disk is full", do: set(func(c *config.Config) { c.Node.MinFree = 1 << 60 }), what: "room", text: "new messages are refused", severe: true},
		{name: "a token can be guessed", do: func(t *testing.T, p *place) { put(t, filepath.Join(p.dir, "keys", "api.token"), "secret") }, what: "token back-office", text: "can be guessed"},
		{name: "a token is missing", do: func(t *testing.T, p *place) {
			if err := os.Remove(filepath.Join(p.dir, "keys", "api.token")); err != nil {
				t.Fatal(err)
			}
		}, what: "token back-office", text: "no such file", severe: true},
		{name: "two programs have one token", do: func(t *testing.T, p *place) {
			put(t, filepath.Join(p.dir, "keys", "backup.token"), string(must(os.ReadFile(filepath.Join(p.dir, "keys", "api.token")))))
		}, what: "token backup", text: "it is that of back-office", severe: true},
		{name: "a program may do everything", do: set(func(c *config.Config) { c.API.Tokens[0].Scopes = []string{"messages", "admin"} }), what: "token back-office", text: "admin beside other scopes"},
		{name: "a password is the one of every manual", do: func(t *testing.T, p *place) {
			put(t, filepath.Join(p.dir, "keys", "office.pass"), "changeit\n")
			p.c.Backoffice = section(t, p, `backoffice: {rest: true, users: [{name: office, password: file:keys/office.pass, admin: true}]}`).Backoffice
		}, what: "backoffice.users.password", text: "can be guessed"},
		{name: "the first password was never used", do: func(t *testing.T, p *place) {
			if err := os.Chtimes(filepath.Join(p.dir, "keys", "console.password"), time.Time{}, time.Now().AddDate(0, 0, -8)); err != nil {
				t.Fatal(err)
			}
		}, what: "console.firstPassword", text: "after 8 days"},
		{name: "a certificate ends", do: func(t *testing.T, p *place) {
			certificateOf(t, p.dir, p.c, pki.Template{CommonName: "localhost", Algorithm: pki.P256, NotAfter: time.Now().Add(49 * time.Hour), DNSNames: []string{"localhost"}})
		}, what: "TLS certificate of the API", text: "expires in 2 days"},
		{name: "a certificate is for another name", do: func(t *testing.T, p *place) {
			certificateOf(t, p.dir, p.c, pki.Template{CommonName: "other", Algorithm: pki.P256, DNSNames: []string{"other.example"}})
			p.c.API.URL = "https://localhost:8441"
		}, what: "api.tls", text: "not for localhost", severe: true},
		{name: "a test bed drives the node", do: func(t *testing.T, p *place) {
			p.c.GITB = section(t, p, `gitb: {listen: "127.0.0.1:0", client: "http://127.0.0.1:1/"}`).GITB
		}, what: "test bed", text: "in the name of this node"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			r, err := setup.Create(setup.Params{Dir: filepath.Join(root, "ee"), Network: filepath.Join(root, "network"), Country: "EE", Profile: "eu-edelivery", Host: loopback(), Now: time.Now()})
			if err != nil {
				t.Fatal(err)
			}
			cfg, err := config.Load(r.ConfigFile)
			if err != nil {
				t.Fatal(err)
			}
			cfg.Domains = nil // there are none here
			p := &place{dir: r.Dir, c: cfg}
			if c.do != nil {
				c.do(t, p)
			}
			found := false
			for _, f := range node.CheckElsewhere(context.Background(), p.c, p.network, p.foreign, p.memory, p.clockOff, p.root) {
				if f.Severity == node.SeverityOK {
					continue
				}
				if c.do == nil {
					t.Errorf("%s: %s", f.What, f.Text)
				}
				if f.What == c.what && strings.Contains(f.Text, c.text) {
					found = true
					if f.Remedy == "" {
						t.Error("it says nothing to do")
					}
					if got := f.Severity == node.SeverityError; got != c.severe {
						t.Errorf("it is %s", f.Severity)
					}
				}
			}
			if c.what != "" && !found {
				for _, f := range node.CheckElsewhere(context.Background(), p.c, p.network, p.foreign, p.memory, p.clockOff, p.root) {
					t.Logf("%s %s: %s", f.Severity, f.What, f.Text)
				}
				t.Errorf("nothing about %s with %q", c.what, c.text)
			}
		})
	}
	t.Run("a secret in the configuration", func(t *testing.T) {
		t.Parallel()
		_, err := config.Parse("x", t.TempDir(), []byte("node: {name: x, country: EE}\napi: {tokens: [{name: office, secret: 4f8a1c}]}\n"))
		if err == nil || !strings.Contains(err.Error(), "api.tokens[0].secret") {
			t.Errorf("it is taken: %v", err)
		}
	})
	t.Run("an administrator without a second factor", func(t *testing.T) {
		t.Parallel()
		ee, _ := agree(t)
		g := begin(t, ee, nil, nil)
		c := *g.Config
		c.AS4.URL = "https://as4.example.ee/as4"
		g.visit(t).enter(ee.Password)
		for _, f := range node.CheckElsewhere(context.Background(), &c, false, false, false, false, false) {
			if f.What == "user admin" && strings.Contains(f.Text, "second factor") && f.Remedy != "" {
				return
			}
		}
		t.Error("nothing is said of it")
	})
}

// certificateOf gives the API a certificate of its own.
func certificateOf(t *testing.T, dir string, c *config.Config, template pki.Template) {
	t.Helper()
	ca, err := pki.NewAuthority(nil, "CN=Server CA", pki.P256, time.Now().Add(-time.Hour), 5)
	if err != nil {
		t.Fatal(err)
	}
	id, err := ca.Issue(template)
	if err != nil {
		t.Fatal(err)
	}
	b, err := id.MarshalPEM()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "keys", "tls.pem")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	c.API.TLS = &config.TLS{Certificate: config.Path(file), Key: config.Path(file), MinVersion: "1.2"}
}
