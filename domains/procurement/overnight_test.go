package procurement_test

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/domains/procurement/sample"
	"github.com/viadukt-eu/viadukt/node/store"
)

// invoicesOvernight: what a buyer's system gets is what the supplier's system handed over, each once, and nobody does anything in
// between. VIADUKT_INVOICES says how many; default 100.
func invoicesOvernight(t *testing.T) {
	t.Parallel()
	n := 100
	if testing.Short() {
		n = 20
	}
	if s := os.Getenv("VIADUKT_INVOICES"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil || n < 1 {
			t.Fatalf("VIADUKT_INVOICES: %q is no number of invoices", s)
		}
	}
	root := t.TempDir()
	ee, pt := start(t, root, "ee", "EE", "peppol"), start(t, root, "pt", "PT", "peppol")
	pt.serve(t, "invoice", sample.Supplier, sample.Buyer)
	begin := time.Now()
	ids := make([]string, n)
	for i := range ids {
		ids[i] = ee.invoice(t, fmt.Sprintf("2026-%06d", i), sample.Supplier, sample.Buyer)
	}
	seen := map[string]bool{}
	for i, id := range ids {
		m := ee.until(t, store.Out, id, store.Acknowledged)
		in := pt.until(t, store.In, id, store.Delivered)
		if seen[id] {
			t.Errorf("invoice %d has the message id of another", i)
		}
		seen[id] = true
		if m.Attempts != 1 || in.ID == 0 {
			t.Errorf("invoice %d: %d attempts", i, m.Attempts)
		}
	}
	took := time.Since(begin)
	for who, c := range map[string]*country{"out": ee, "in": pt} {
		counts, err := c.Store.Counts(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		total := 0
		for _, k := range counts {
			total += int(k.N)
			if k.State.Dead() || k.State == store.Retrying {
				t.Errorf("%s: %d %v messages", who, k.N, k.State)
			}
		}
		if total != n {
			t.Errorf("%s: %d messages, %d invoices were handed over", who, total, n)
		}
	}
	t.Logf("%d invoices in, %d out, in %s", n, len(seen), took.Round(time.Millisecond))
}
