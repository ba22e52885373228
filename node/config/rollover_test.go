package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestPlanOfKeyChanges(t *testing.T) {
	t.Parallel()
	for _, k := range []struct{ name, text, want string }{
		{"none", "", ""},
		{"one", "signing:\n  - {key: next.pem, publish: 2026-12-01, activate: 2026-12-15T06:00:00Z}\n", ""},
		{"without a time", "signing:\n  - {key: next.pem}\n", "rollover.yaml:2: signing[0].activate: missing"},
		{"announced too late", "signing:\n  - {key: next.pem, publish: 2027-01-01, activate: 2026-12-15}\n", "is after activate"},
		{"out of order", "signing:\n  - {key: a.pem, activate: 2027-12-15}\n  - {key: b.pem, activate: 2026-12-15}\n", "not in the order of their times"},
		{"no time", "signing:\n  - {key: a.pem, activate: soon}\n", `"soon" is no time`},
		{"unknown", "smp: []\n", "rollover.yaml:1: smp: unknown key"},
	} {
		dir := t.TempDir()
		if k.text != "" {
			if err := os.WriteFile(filepath.Join(dir, "rollover.yaml"), []byte(k.text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		c, err := Parse("viadukt.yaml", dir, []byte("node: {name: a, country: EE}\n"))
		if err != nil {
			t.Fatal(err)
		}
		r, err := c.Rollover()
		if k.want != "" {
			if err == nil || !strings.Contains(err.Error(), k.want) {
				t.Errorf("%s: got %v, want %s", k.name, err, k.want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", k.name, err)
			continue
		}
		if k.text == "" {
			continue
		}
		s := r.Signing[0]
		if string(s.Key) != filepath.Join(dir, "next.pem") || !s.Publish.T().Equal(time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)) || !s.Activate.T().Equal(time.Date(2026, 12, 15, 6, 0, 0, 0, time.UTC)) {
			t.Errorf("%s: %+v", k.name, s)
		}
		if err := r.Write(); err != nil {
			t.Fatal(err)
		}
		again, err := c.Rollover()
		if err != nil || len(again.Signing) != 1 || again.Signing[0].Key != s.Key || again.Signing[0].Activate.String() != s.Activate.String() {
			t.Errorf("%s: written and read: %+v %v", k.name, again, err)
		}
		if err := os.WriteFile(filepath.Join(dir, "next.pem"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		found := false
		for _, f := range c.Files() {
			found = found || f.Path == string(s.Key) && f.Secret
		}
		if !found {
			t.Errorf("%s: the next key is not among the files: %+v", k.name, c.Files())
		}
	}
}
