package node

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// deadlines notes the read deadlines that are set.
type deadlines struct {
	http.ResponseWriter
	set []time.Time
}

func (d *deadlines) SetReadDeadline(t time.Time) error { d.set = append(d.set, t); return nil }

func TestStallsEndAndWorkDoesNot(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		total time.Duration
		first time.Duration // deadline while octets are waited for
	}{
		{"each wait has its own end", time.Hour, stallTime},
		{"no wait goes beyond the end of all", time.Second, time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := &deadlines{ResponseWriter: httptest.NewRecorder()}
			start := time.Now()
			r := &stallReader{ReadCloser: io.NopCloser(strings.NewReader("message")), ctl: http.NewResponseController(d), end: start.Add(c.total)}
			if b, err := io.ReadAll(r); string(b) != "message" || err != nil {
				t.Fatal(b, err)
			}
			within := func(got time.Time, want time.Duration) bool {
				return !got.Before(start.Add(want)) && !got.After(time.Now().Add(want))
			}
			if len(d.set) != 2 || !within(d.set[0], c.first) || !d.set[1].Equal(start.Add(c.total)) {
				t.Errorf("%v from %v", d.set, start)
			}
		})
	}
}
