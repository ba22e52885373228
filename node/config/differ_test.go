package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestDifferNamesSettings(t *testing.T) {
	t.Parallel()
	const base = `node: {name: ee, country: EE}
as4: {listen: ":8443", limits: {parts: 10}}
domains:
  procurement: {profile: peppol}
alerts: {repeat: 1d}
partners:
  - {name: pt, id: pt}
`
	load := func(text string) *Config {
		t.Helper()
		file := filepath.Join(t.TempDir(), "viadukt.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := Load(file)
		if err != nil {
			t.Fatal(err)
		}
		c.Node.DataDir, c.AS4.Rollover, c.TrustLists.Dir, c.Console.Key, c.Console.FirstPassword = "", "", "", "", "" // of the folder
		return c
	}
	for name, c := range map[string]struct {
		old, new string
		want     []string
	}{
		"nothing":                    {"", "", nil},
		"other lines":                {"node:", "# a comment\n\nnode:", nil},
		"other partners":             {"id: pt", "id: po", nil},
		"a number deep within":       {"parts: 10", "parts: 11", []string{"as4.limits.parts"}},
		"a section that comes":       {"domains:", "tls: {certificate: a.pem, key: b.pem}\ndomains:", []string{"tls"}},
		"a section of somebody else": {"repeat: 1d", "repeat: 2d", []string{"alerts"}},
		"a domain":                   {"profile: peppol", "profile: other", []string{"domains.procurement"}},
		"a list, and a word":         {"alerts:", "api: {tokens: [{name: a, secret: \"env:A\"}]}\nlog: {level: debug}\nalerts:", []string{"api.tokens", "log.level"}},
	} {
		if got := Differ(load(base), load(strings.Replace(base, c.old, c.new, 1))); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
