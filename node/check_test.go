package node_test

import (
	"context"
	"net"
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

func TestCheckNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		change   func(t *testing.T, p *setup.Params)
		after    func(t *testing.T, r *setup.Result, c *config.Config)
		severity string
		what     string
		text     string
	}{
		{name: "a node as it was made has no error", severity: node.SeverityOK, what: "signing key", text: "valid until"},
		{name: "an expired certificate is an error", severity: node.SeverityError, what: "signing key", text: "expired on",
			change: func(_ *testing.T, p *setup.Params) {
				p.Certificate = func(c *pki.Template) { c.NotAfter = p.Now.Add(-time.Minute) }
			}},
		{name: "one that ends next week is a warning", severity: node.SeverityWarning, what: "signing key", text: "expires in 6 days",
			change: func(_ *testing.T, p *setup.Params) {
				p.Certificate = func(c *pki.Template) { c.NotAfter = p.Now.Add(7*24*time.Hour - time.Minute) }
			}},
		{name: "a certificate of tomorrow is an error and speaks of the clock", severity: node.SeverityError, what: "signing key", text: "the clock says",
			change: func(_ *testing.T, p *setup.Params) {
				p.Certificate = func(c *pki.Template) { c.NotBefore = p.Now.Add(24 * time.Hour) }
			}},
		{name: "a key that everybody can read is a warning", severity: node.SeverityWarning, what: "signing key", text: "can be read by others",
			after: func(t *testing.T, r *setup.Result, _ *config.Config) {
				if err := os.Chmod(filepath.Join(r.Dir, "keys", "as4.pem"), 0o644); err != nil {
					t.Fatal(err)
				}
			}},
		{name: "a key file without key is an error", severity: node.SeverityError, what: "signing key", text: "as4.signing",
			after: func(t *testing.T, r *setup.Result, _ *config.Config) {
				if err := os.WriteFile(filepath.Join(r.Dir, "keys", "as4.pem"), []byte("nothing"), 0o600); err != nil {
					t.Fatal(err)
				}
			}},
		{name: "an anchor that is no certificate is named", severity: node.SeverityError, what: "trust publishers.pem", text: "as4.trust: [1]",
			after: func(t *testing.T, r *setup.Result, _ *config.Config) {
				if err := os.WriteFile(filepath.Join(r.Dir, "trust", "publishers.pem"), []byte("nothing"), 0o600); err != nil {
					t.Fatal(err)
				}
			}},
		{name: "an open test bed interface is a warning", severity: node.SeverityWarning, what: "test bed", text: "in the name of this node",
			after: func(t *testing.T, _ *setup.Result, c *config.Config) {
				own, err := config.Parse("bed", ".", []byte("node: {name: bed, country: EE}\ntestbed: {listen: \"127.0.0.1:0\", driver: \"http://127.0.0.1:1/\"}\n"))
				if err != nil {
					t.Fatal(err)
				}
				c.Testbed = own.Testbed
			}},
		{name: "a rule of evidence that means nothing is an error", severity: node.SeverityError, what: "evidence policy", text: `"recipt"`,
			after: func(t *testing.T, r *setup.Result, c *config.Config) {
				c.Evidence.Policy = config.Path(filepath.Join(r.Dir, "evidence.yaml"))
				if err := os.WriteFile(string(c.Evidence.Policy), []byte("rules: [{name: x, creates: [recipt]}]"), 0o600); err != nil {
					t.Fatal(err)
				}
			}},
		{name: "a port that is taken is an error", severity: node.SeverityError, what: "as4.listen", text: "in use",
			after: func(t *testing.T, _ *setup.Result, c *config.Config) {
				l, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { l.Close() })
				c.AS4.Listen = config.Listen(l.Addr().String())
			}},
		{name: "a data folder that is a file is an error", severity: node.SeverityError, what: "store", text: "is no folder",
			after: func(_ *testing.T, r *setup.Result, c *config.Config) { c.Node.DataDir = config.Path(r.ConfigFile) }},
		{name: "too little room is an error", severity: node.SeverityError, what: "room", text: "new messages are refused",
			after: func(_ *testing.T, _ *setup.Result, c *config.Config) { c.Node.MinFree = 1 << 60 }},
		{name: "a partner who does not answer is a warning", severity: node.SeverityWarning, what: "partner other", text: "does not answer",
			after: func(t *testing.T, r *setup.Result, c *config.Config) {
				o, err := setup.Create(setup.Params{Dir: filepath.Join(filepath.Dir(r.Dir), "other"), Country: "PT", Profile: "eu-edelivery", Host: loopback(), Now: time.Now()})
				if err != nil {
					t.Fatal(err)
				}
				if err := setup.Agree(r, o, setup.Agreement{ID: "letters", Service: "urn:s", Action: "a"}); err != nil {
					t.Fatal(err)
				}
				fresh, err := config.Load(r.ConfigFile)
				if err != nil {
					t.Fatal(err)
				}
				c.Partners, c.PModes = fresh.Partners, fresh.PModes
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := setup.Params{Dir: filepath.Join(t.TempDir(), "ee"), Country: "EE", Profile: "eu-edelivery", Host: loopback(), Now: time.Now()}
			if c.change != nil {
				c.change(t, &p)
			}
			r, err := setup.Create(p)
			if err != nil {
				t.Fatal(err)
			}
			cfg, err := config.Load(r.ConfigFile)
			if err != nil {
				t.Fatal(err)
			}
			cfg.Domains = nil // there are none here
			if c.after != nil {
				c.after(t, r, cfg)
			}
			found := false
			for _, f := range node.Check(context.Background(), cfg, nil) {
				found = found || f.Severity == c.severity && f.What == c.what && strings.Contains(f.Text, c.text)
				if c.change == nil && c.after == nil && f.Severity != node.SeverityOK {
					t.Errorf("%s %s: %s", f.Severity, f.What, f.Text)
				}
				if f.Severity == node.SeverityError && f.What == c.what && f.Remedy == "" && f.Text == "" {
					t.Errorf("%s: no words", f.What)
				}
			}
			if !found {
				t.Errorf("no %s about %s with %q in %+v", c.severity, c.what, c.text, node.Check(context.Background(), cfg, nil))
			}
			if _, err := os.Stat(string(cfg.Node.DataDir)); c.after == nil && err == nil {
				t.Error("the check made the data folder")
			}
		})
	}
}

// TestAFreshNodeOfEveryProfileHasNoWarning: a key that only decrypts is not asked to sign.
func TestAFreshNodeOfEveryProfileHasNoWarning(t *testing.T) {
	t.Parallel()
	for _, profile := range []string{"eu-edelivery", "eu-edelivery2", "bdew", "entsog"} {
		root := t.TempDir()
		r, err := setup.Create(setup.Params{Dir: filepath.Join(root, "ee"), Network: filepath.Join(root, "network"), Country: "EE", Profile: profile, Host: loopback(), Now: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		c, err := config.Load(r.ConfigFile)
		if err != nil {
			t.Fatal(err)
		}
		c.Domains = nil // there are none here
		for _, f := range node.Check(context.Background(), c, nil) {
			if strings.Contains(f.What, "key") && f.Severity != node.SeverityOK {
				t.Errorf("%s: %s: %s", profile, f.What, f.Text)
			}
		}
	}
}
