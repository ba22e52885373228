package stock

import (
	"fmt"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/node/store/sqlite"
)

// TestAStockIsAStoreLikeAnyOther: nothing in it is damaged, all of it can be listed and claimed.
func TestAStockIsAStoreLikeAnyOther(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := sqlite.Open(dir, sqlite.Options{MinFree: -1})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		err := s.Write(t.Context(), func(tx store.Tx) error {
			return tx.Insert(&store.Message{Direction: store.Out, State: store.Queued, MessageID: fmt.Sprint(i, "@stock"), PMode: "p", Profile: "p", From: "a", To: "b", Service: "s", Action: "a", Peer: "p", Header: []byte("<x/>")})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := Multiply(t.Context(), dir, 1000, 7); err != nil {
		t.Fatal(err)
	}
	if s, err = sqlite.Open(dir, sqlite.Options{MinFree: -1}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if err := s.VerifyData(t.Context(), func(d store.Damage) { t.Errorf("%+v", d) }); err != nil {
		t.Error(err)
	}
	if c, err := s.Counts(t.Context()); err != nil || len(c) != 1 || c[0].N != 1000 {
		t.Errorf("%+v %v", c, err)
	}
	if l, err := s.List(t.Context(), store.Filter{}, store.Page{Limit: 1000}); err != nil || len(l.Messages) != 1000 {
		t.Errorf("%d messages, %v", len(l.Messages), err)
	}
	if got, err := s.Claim(t.Context(), store.ClaimRequest{Direction: store.Out, Owner: "w", Lease: time.Hour, Limit: 2000}); err != nil || len(got) != 1000 || string(got[999].Header) != "<x/>" {
		t.Errorf("%d claimed, %v", len(got), err)
	}
}
