package procurement_test

import (
	"context"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/domains/procurement/sample"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/setup"
	"github.com/viadukt-eu/viadukt/node/store"
)

// TestDNSIsGone: while nobody answers for the zone, documents are taken, those whose receivers are still remembered go on,
// the others wait. When somebody answers again they are sent by themselves.
func TestDNSIsGone(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	soon := func(c *config.Config) {
		c.Outbound.FirstRetry, c.Outbound.Factor, c.Outbound.MaxAttempts = config.Duration(20*time.Millisecond), 1, 1000
	}
	var made [3]*setup.Result
	for i, name := range []string{"dns", "ee", "pt"} { // the first node of a network answers for its zone
		r, err := setup.Create(setup.Params{Dir: filepath.Join(root, name), Network: filepath.Join(root, "network"), Country: "EE", Profile: "peppol", Host: ownAddress(), Now: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		made[i] = r
	}
	dns, ee, pt := run(t, made[0], nil), run(t, made[1], soon), run(t, made[2], soon)
	known, other, from := sample.Buyer, sample.Buyer, sample.Supplier
	other.ID, other.VAT = "PT500000000", "PT500000000"
	for _, to := range []sample.Party{known, other} {
		pt.serve(t, "invoice", from, to)
	}
	send := func(number string, to sample.Party) *store.Message {
		t.Helper()
		b, err := sample.Make("invoice", number, from, to, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		status, answer := ee.call(t, "POST", "/api/v1/messages", "application/xml", b)
		if status != http.StatusAccepted {
			t.Fatalf("%d %s", status, answer)
		}
		l, err := ee.Store.List(t.Context(), store.Filter{Direction: store.Out}, store.Page{Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		return l.Messages[0]
	}
	ee.until(t, store.Out, send("1", known).MessageID, store.Acknowledged)
	if err := dns.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	ee.until(t, store.Out, send("2", known).MessageID, store.Acknowledged)
	m := send("3", other)
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		got, err := ee.Store.Message(t.Context(), m.ID)
		if err != nil || got.State.Dead() || time.Now().After(end) {
			t.Fatalf("%v %+v", err, got)
		}
		if got.Attempts > 1 && got.State == store.Retrying {
			if got.Error.Code != "DISCOVERY:FAILED" || !strings.Contains(got.Error.Remedy, "viadukt lookup") {
				t.Errorf("%+v", got.Error)
			}
			break
		}
	}
	run(t, made[0], nil)
	ee.until(t, store.Out, m.MessageID, store.Acknowledged)
	if l, err := pt.Store.List(t.Context(), store.Filter{Direction: store.In}, store.Page{}); err != nil || len(l.Messages) != 3 {
		t.Errorf("%v, %d messages arrived", err, len(l.Messages))
	}
}
