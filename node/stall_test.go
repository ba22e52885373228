package node

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/node/config"
)

// deadlines notes the deadlines that are set.
type deadlines struct {
	http.ResponseWriter
	set     []time.Time // for reading
	written []time.Time
}

func (d *deadlines) SetReadDeadline(t time.Time) error  { d.set = append(d.set, t); return nil }
func (d *deadlines) SetWriteDeadline(t time.Time) error { d.written = append(d.written, t); return nil }

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

// TestWhoTakesNothingIsGivenUp, partner or caller of the API: each write has its own deadline, a long answer has none.
func TestWhoTakesNothingIsGivenUp(t *testing.T) {
	t.Parallel()
	n := &Node{Config: &config.Config{}}
	n.Config.AS4.Limits = config.AS4Limits{Connections: 1, Message: 100, Timeout: config.Duration(time.Hour)}
	answer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(w, r.Body)
		io.WriteString(w, " and more")
		if err := http.NewResponseController(w).SetWriteDeadline(time.Time{}); err != nil { // as streams do
			t.Error(err)
		}
	})
	for name, h := range map[string]http.Handler{"partner": n.guard(answer), "caller": noStalls(answer)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := &deadlines{ResponseWriter: httptest.NewRecorder()}
			start := time.Now()
			h.ServeHTTP(d, httptest.NewRequest("POST", "/", strings.NewReader("message")))
			if len(d.written) != 2 || d.written[0].Before(start.Add(stallTime)) || d.written[0].After(time.Now().Add(stallTime)) {
				t.Errorf("writing: %v from %v", d.written, start)
			}
			if len(d.set) != 2 || d.set[0].After(time.Now().Add(stallTime)) || name == "caller" && !d.set[1].IsZero() {
				t.Errorf("reading: %v from %v", d.set, start)
			}
		})
	}
}
