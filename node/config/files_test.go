package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFilesOfAConfigurationAreKnown(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	outside := filepath.Join(t.TempDir(), "ca.pem")
	for name, text := range map[string]string{
		"viadukt.yaml": `
node: {name: a, country: EE}
api: {tokens: [{name: t, secret: file:keys/api.token}]}
as4:
  signing: {key: keys/as4.pem, password: file:keys/as4.pass}
  encryption: {key: keys/not-there.pem}
  trust: [{file: ` + outside + `, purposes: [access-point]}]
registry: {file: zone}
evidence: {policy: policy.yaml}
partners: [{name: p, certificates: [trust/p.pem], note: keys}]
backoffice: {webhooks: [{url: "https://example.org", secret: file:keys/hook.secret}]}
domains: {procurement: {rules: rules.zip}}
`,
		"pmodes.yaml": "partners: [{name: q, certificates: [trust/q.pem]}]\n", "keys/console.key": "x", "keys/api.token": "x", "keys/as4.pem": "x", "keys/as4.pass": "x", "keys/hook.secret": "x",
		"policy.yaml": "x", "trust/p.pem": "x", "trust/q.pem": "x", "rules.zip": "x", "zone": "x", "data/viadukt.db": "x", "unrelated": "x", outside: "x",
	} {
		if !filepath.IsAbs(name) {
			name = filepath.Join(dir, name)
		}
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := Load(filepath.Join(dir, "viadukt.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for _, f := range c.Files() {
		name := strings.TrimPrefix(f.Path, dir+"/")
		if _, twice := got[name]; twice {
			t.Errorf("%s twice", name)
		}
		got[name] = f.Secret
	}
	want := map[string]bool{
		"viadukt.yaml": false, "pmodes.yaml": false, "policy.yaml": false, "trust/p.pem": false, "trust/q.pem": false, "rules.zip": false, outside: false,
		"keys/as4.pem": true, "keys/as4.pass": true, "keys/api.token": true, "keys/console.key": true, "keys/hook.secret": true,
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
}
