package authority

import (
	"crypto"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/trust/tsp"
)

func TestTimeLog(t *testing.T) {
	t.Parallel()
	c := newClock()
	a := create(t, c, Options{})
	unit, err := a.Issue(Request{Profile: "tsa", Subject: "CN=Unit"})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "log")
	open := func() (*TimeLog, *tsp.Responder) {
		t.Helper()
		l, err := OpenTimeLog(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		return l, &tsp.Responder{Identity: unit, Policy: "1.2.3", Clock: l.Clock(c.now), Issued: l.Record}
	}
	_, r := open()
	for range 3 {
		if _, err := r.Stamp(t.Context(), crypto.SHA256, make([]byte, 32)); err != nil {
			t.Fatal(err)
		}
		c.pass(time.Second)
	}
	l, r := open()
	if l.Len() != 3 {
		t.Errorf("%d lines", l.Len())
	}
	c.pass(-time.Hour)
	if _, err := r.Stamp(t.Context(), crypto.SHA256, make([]byte, 32)); !errors.Is(err, ErrClock) {
		t.Errorf("a clock that went back: %v", err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(whole), "\n")
	for name, text := range map[string]string{
		"a line changed":   strings.Replace(string(whole), "1.2.3", "1.2.4", 1),
		"a line taken out": lines[0] + lines[2],
		"lines swapped":    lines[1] + lines[0] + lines[2],
		"a line cut off":   string(whole[:len(whole)-5]),
		"something else":   "x\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenTimeLog(path); !errors.Is(err, ErrRecords) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
