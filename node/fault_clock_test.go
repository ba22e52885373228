package node_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/audit"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/setup"
	"github.com/viadukt-eu/viadukt/node/store"
)

// wrongClock is the machine's clock, wrong by what a test says.
type wrongClock struct{ by atomic.Int64 }

func (c *wrongClock) now() time.Time          { return time.Now().Add(time.Duration(c.by.Load())) }
func (c *wrongClock) set(wrong time.Duration) { c.by.Store(int64(wrong)) }

// sound checks that all that a node has stored is whole, and that its log proves each of the messages.
func (g *gateway) sound(t *testing.T, messages ...*store.Message) {
	t.Helper()
	if err := g.Store.VerifyData(t.Context(), func(d store.Damage) { t.Errorf("%s: %+v", g.made.Name, d) }); err != nil {
		t.Error(err)
	}
	for _, m := range messages {
		if r := check(t, g.caseOf(t, m.MessageID), g.authority(t)); !r.Valid || !r.Trusted {
			t.Errorf("%s at %s: %+v", m.MessageID, g.made.Name, r.Steps)
		}
	}
}

// lastAct is the detail of the last entry of the log about a subject.
func (g *gateway) lastAct(t *testing.T, subject string) (detail string) {
	t.Helper()
	size, _, err := g.Store.LogState(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	list, err := g.Store.LogEntries(t.Context(), 0, int(size))
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range list {
		if e, err := audit.Parse(entry.Octets); err == nil && e.Subject == subject {
			detail = e.Detail
		}
	}
	return detail
}

// TestAClockThatGoesBack by a day delays nothing by a day, whether the node runs then or stands still.
func TestAClockThatGoesBack(t *testing.T) {
	t.Parallel()
	for name, goBack := range map[string]func(t *testing.T, ee *gateway, clock *wrongClock) *gateway{
		"while the node runs": func(t *testing.T, ee *gateway, clock *wrongClock) *gateway {
			if err := ee.Upkeep(t.Context()); err != nil {
				t.Fatal(err)
			}
			clock.set(0)
			if err := ee.Upkeep(t.Context()); err != nil {
				t.Fatal(err)
			}
			return ee
		},
		"while it stands still": func(t *testing.T, ee *gateway, clock *wrongClock) *gateway {
			if err := ee.Stop(context.Background()); err != nil {
				t.Fatal(err)
			}
			clock.set(0)
			return beginAt(t, ee.made, clock.now, patient)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := agree(t)
			clock := &wrongClock{}
			clock.set(24 * time.Hour)
			ee := beginAt(t, a, clock.now, patient)
			m := ee.send(t, letter(text("a", "hello"))) // nobody is there yet
			ee.until(t, store.Out, m.MessageID, store.Retrying)
			ee = goBack(t, ee, clock)
			eventually(t, "a time that is near", func() bool {
				got, err := ee.Store.Message(t.Context(), m.ID)
				if err != nil {
					t.Fatal(err)
				}
				return time.Until(got.NextAttempt) < 3*time.Minute
			})
			pt := begin(t, b, nil, nil)
			clock.set(3 * time.Minute)
			if _, err := ee.Reload(t.Context()); err != nil { // its timer runs by the real clock
				t.Fatal(err)
			}
			got := ee.until(t, store.Out, m.MessageID, store.Acknowledged)
			pt.until(t, store.In, m.MessageID, store.Delivered)
			if got.Attempts > 3 || pt.count(t, store.In) != 1 {
				t.Errorf("%d attempts, %d messages arrived", got.Attempts, pt.count(t, store.In))
			}
			ee.sound(t, m)
			pt.sound(t, m)
			if by, err := time.ParseDuration(strings.TrimPrefix(ee.lastAct(t, "clock"), "went back by ")); err != nil || by < 23*time.Hour || by > 24*time.Hour {
				t.Errorf("the log says of the clock: %q", ee.lastAct(t, "clock"))
			}
		})
	}
}

// patient has the retries of a new configuration.
func patient(c *config.Config) {
	c.Outbound.FirstRetry, c.Outbound.Factor = config.Duration(2*time.Minute), 2
}

// heldOnce holds the first request back until it is let go.
type heldOnce struct {
	asked atomic.Int64
	held  chan struct{}
}

func (h *heldOnce) RoundTrip(r *http.Request) (*http.Response, error) {
	if h.asked.Add(1) == 1 {
		<-h.held
	}
	return http.DefaultTransport.RoundTrip(r)
}

// TestAClockThatGoesAhead by a day: what is under way is tried once more and arrives once; tokens and certificates that
// have ended by that clock are refused, and are good again when it is right.
func TestAClockThatGoesAhead(t *testing.T) {
	t.Parallel()
	a, b := agree(t)
	pt := begin(t, b, nil, nil)
	cfg, err := config.Load(a.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	patient(cfg)
	clock, client := &wrongClock{}, &heldOnce{held: make(chan struct{})}
	n, err := node.New(t.Context(), cfg, node.Options{Clock: clock.now, Client: &http.Client{Transport: client}})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Stop(context.Background()) })
	ee := &gateway{n, a}
	admin := &gateway{n, &setup.Result{Token: a.AdminToken}}
	end := time.Now().Add(12 * time.Hour).UTC().Format(time.RFC3339)
	resp, body := admin.call(t, "POST", "/api/v1/tokens", "application/json", strings.NewReader(`{"name":"short","scopes":["messages"],"expires":"`+end+`"}`))
	if resp.StatusCode != http.StatusCreated {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	short := &gateway{n, &setup.Result{Token: decode[node.MadeTokenJSON](t, body).Secret}}
	allowed := func(want int) {
		t.Helper()
		if resp, _ := short.call(t, "GET", "/api/v1/messages", "", nil); resp.StatusCode != want {
			t.Errorf("the token: %d, want %d", resp.StatusCode, want)
		}
	}
	allowed(http.StatusOK)

	under := ee.send(t, letter(text("a", "under way")))
	eventually(t, "a request", func() bool { return client.asked.Load() == 1 })
	clock.set(24 * time.Hour)
	if _, err := ee.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := ee.until(t, store.Out, under.MessageID, store.Acknowledged)
	close(client.held)
	eventually(t, "the answer to the first request", func() bool { return client.asked.Load() == 2 })
	if got.Attempts != 2 || pt.count(t, store.In) != 1 {
		t.Errorf("%d attempts, %d messages arrived", got.Attempts, pt.count(t, store.In))
	}
	allowed(http.StatusUnauthorized)
	later := ee.send(t, letter(text("a", "by the wrong clock")))
	ee.until(t, store.Out, later.MessageID, store.Acknowledged)

	clock.set(5 * 365 * 24 * time.Hour) // all certificates have ended
	never := ee.send(t, letter(text("a", "too late")))
	if failed := ee.until(t, store.Out, never.MessageID, store.Failed); failed.Error.Code != "EBMS:0101" || !strings.Contains(failed.Error.Remedy, "expired") {
		t.Errorf("%+v", failed.Error)
	}
	if _, err := ee.Evidence.Sign(t.Context()); err != nil { // as the log does by itself when it gets the time
		t.Fatal(err)
	}
	clock.set(0)
	if err := ee.Upkeep(t.Context()); err != nil {
		t.Fatal(err)
	}
	allowed(http.StatusOK)
	ee.sound(t, under, later) // under a head of the right time
	if resp, body := ee.call(t, "POST", "/api/v1/messages/"+never.MessageID+"/resend", "", nil); resp.StatusCode != http.StatusOK {
		t.Fatalf("resend: %d %s", resp.StatusCode, body)
	}
	ee.until(t, store.Out, never.MessageID, store.Acknowledged)
	ee.sound(t, under, later)
	pt.sound(t, under, later, never)
	if pt.count(t, store.In) != 3 {
		t.Errorf("%d messages arrived", pt.count(t, store.In))
	}
}
