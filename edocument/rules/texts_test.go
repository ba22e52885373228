package rules

import (
	"strings"
	"testing"
)

// Every rule says in a sentence what it demands, and what to do.
func TestRulesHaveWords(t *testing.T) {
	t.Parallel()
	n := 0
	for _, s := range Sets() {
		for _, r := range s.Rules() {
			n++
			if len(r.Text) < 20 || !strings.HasSuffix(r.Text, ".") || len(r.Remedy) < 5 || !strings.HasSuffix(r.Remedy, ".") || r.Severity == "" {
				t.Errorf("%s %s: %q, %q", s.ID(), r.ID, r.Text, r.Remedy)
			}
		}
	}
	t.Logf("%d rules in %d sets", n, len(Sets()))
	if n < 2000 {
		t.Errorf("only %d rules", n)
	}
}
