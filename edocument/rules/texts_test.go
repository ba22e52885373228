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

// TestDatesBeginWhereTheirZoneSays compares days as XPath does: a day in the east begins earlier.
func TestDatesBeginWhereTheirZoneSays(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "2026-02-29", "20260228", "2026-02-28 ", "2026-02-28+14:01", "2026-02-28z", "2026-02-28T00:00:00", "26-02-28"} {
		if got := isDate(s); got != (s == "2026-02-28 ") {
			t.Errorf("%q is a date: %v", s, got)
		}
	}
	plain, _ := date("2026-12-31")
	for s, before := range map[string]bool{"2026-12-31": false, "2026-12-31Z": false, "2026-12-31+01:00": true, "2026-12-31-01:00": false, "2027-01-01+14:00": false, "2026-12-30-14:00": true} {
		if d, ok := date(s); !ok || d.Before(plain) != before {
			t.Errorf("%s begins before the day in UTC: %v", s, d.Before(plain))
		}
	}
}
