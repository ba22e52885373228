package selftest

import (
	"log/slog"
	"os"
	"testing"
)

func TestEverythingPasses(t *testing.T) {
	var log *slog.Logger
	if os.Getenv("SELFTEST_LOG") != "" {
		log = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	rep, err := Run(t.Context(), Options{Log: log}, func(r *Result) {
		t.Logf("%-14s %-9s %-14s %6d ms %s", r.ID, r.Level, r.Verdict, r.Took.Milliseconds(), r.Seen)
		if r.Verdict == Fail || r.Verdict == Broken {
			t.Errorf("%s: %s", r.ID, r.Seen)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(rep.Results) != len(Cases) {
		t.Errorf("%d of %d cases ran", len(rep.Results), len(Cases))
	}
}
