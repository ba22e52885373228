package node_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/alert"
	"github.com/viadukt-eu/viadukt/node/audit"
	"github.com/viadukt-eu/viadukt/node/backoffice"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/setup"
	"github.com/viadukt-eu/viadukt/node/store"
)

// beginAt is begin with a clock.
func beginAt(t *testing.T, r *setup.Result, clock func() time.Time, change func(*config.Config)) *gateway {
	t.Helper()
	c, err := config.Load(r.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	c.Outbound.FirstRetry, c.Outbound.Factor = config.Duration(20*time.Millisecond), 1
	if change != nil {
		change(c)
	}
	n, err := node.New(context.Background(), c, node.Options{Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Stop(context.Background()) })
	return &gateway{n, r}
}

func (g *gateway) alerts(t *testing.T, query string) (ids []string) {
	t.Helper()
	if _, err := g.Evidence.Sign(context.Background()); err != nil { // as the log does by itself, by another clock
		t.Fatal(err)
	}
	if err := g.CheckAlerts(context.Background()); err != nil {
		t.Fatal(err)
	}
	resp, body := g.call(t, "GET", "/api/v1/alerts"+query, "", nil)
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	for _, a := range decode[node.AlertListJSON](t, body).Alerts {
		ids = append(ids, a.State+" "+a.ID)
	}
	return ids
}

// logged are the entries of the log about alerts.
func (g *gateway) logged(t *testing.T) (out []string) {
	t.Helper()
	size, _, err := g.Store.LogState(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	list, err := g.Store.LogEntries(context.Background(), 0, int(size))
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range list {
		e, err := audit.Parse(k.Octets)
		if err != nil {
			t.Fatal(err)
		}
		if e.Type == audit.Alert {
			out = append(out, e.State+" "+e.Subject)
		}
	}
	return out
}

// TestAlertsOfANode: a certificate that ends soon and a message that fails are told by a signed call, stand in the log,
// the interface and the console, and are over when they are.
func TestAlertsOfANode(t *testing.T) {
	t.Parallel()
	notices := make(chan alert.Notice, 10)
	const key = "0123456789abcdef0123456789abcdef"
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		when := strings.Split(strings.TrimPrefix(r.Header.Get(backoffice.SignatureHeader), "t="), ",")[0]
		var n alert.Notice
		if json.Unmarshal(body, &n) == nil && when != "" {
			notices <- n
		}
	}))
	t.Cleanup(hook.Close)
	a, _ := agree(t)
	if err := os.WriteFile(filepath.Join(a.Dir, "keys", "alerts.secret"), []byte(key), 0o600); err != nil {
		t.Fatal(err)
	}
	edit(t, a.ConfigFile, func(b []byte) []byte {
		return append(b, "\nalerts:\n  every: 1000h\n  allowPrivateAddresses: true\n  webhooks: [{url: \""+hook.URL+"\", secret: file:keys/alerts.secret}]\n  rules: [{id: disk, off: true}, {id: login-attack, count: 3}]\n"...)
	})
	clock := &movingClock{at: time.Now()}
	g := beginAt(t, a, clock.now, func(c *config.Config) {
		c.Outbound.MaxAttempts = 1
		c.Retention.Every = config.Duration(1000 * time.Hour)
	})
	if got := g.alerts(t, ""); len(got) != 0 {
		t.Fatalf("a node at peace has alerts: %v", got)
	}
	m := g.send(t, letter(text("a.txt", "hello"))) // nobody listens at the other end
	g.until(t, store.Out, m.MessageID, store.Failed)
	for range 3 {
		req, _ := http.NewRequest("GET", "http://"+g.Addr("api")+"/api/v1/messages", nil)
		req.Header.Set("Authorization", "Bearer guessed")
		if resp, _ := do(t, req); resp.StatusCode != http.StatusUnauthorized {
			t.Fatal(resp.Status)
		}
	}
	failed := "no-receipt:" + m.To + ", letters"
	if got, want := g.alerts(t, ""), []string{"open " + failed, "open login-attack:api"}; !slices.Equal(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	select {
	case n := <-notices:
		if len(n.Alerts) != 2 || n.Alerts[0].ID != failed || n.Node != "ee" {
			t.Errorf("told %+v", n)
		}
		for _, secret := range []string{"alice", "bob", "guessed", "127.0.0.1"} { // who is behind it is nobody's business here
			if b, _ := json.Marshal(n); bytes.Contains(b, []byte(secret)) {
				t.Errorf("the notice tells %q: %s", secret, b)
			}
		}
	case <-time.After(patience):
		t.Fatal("nothing is told")
	}
	v := g.visit(t)
	v.enter(a.Password)
	if _, page := v.get("/console/"); !strings.Contains(page, "2 alerts are open") || !strings.Contains(page, m.To+", letters") {
		t.Errorf("the overview does not show them")
	}
	clock.move(2 * time.Hour)
	if got, want := g.alerts(t, "?state=over"), []string{"over " + failed, "over login-attack:api"}; !slices.Equal(got, want) {
		slices.Sort(got)
		t.Fatalf("got %v, want %v", got, want)
	}
	clock.move(2*365*24*time.Hour - 20*24*time.Hour)
	got := g.alerts(t, "?state=open")
	if !slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, "open certificate-own:own ") }) {
		t.Errorf("no alert about certificates: %v", got)
	}
	log := g.logged(t)
	if len(log) < 5 || log[0] != "opened "+failed || !slices.Contains(log, "over "+failed) {
		t.Errorf("the log has %v", log)
	}
	if resp, body := g.call(t, "GET", "/api/v1/alerts?state=mine", "", nil); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}
