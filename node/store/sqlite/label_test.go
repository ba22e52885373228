package sqlite

import (
	"errors"
	"slices"
	"testing"

	"github.com/viadukt-eu/viadukt/node/store"
)

func TestMessagesAreFoundByTheirLabels(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	put := func(id string, labels ...string) int64 {
		t.Helper()
		m := &store.Message{Direction: store.In, State: store.Received, MessageID: id}
		if err := s.Write(ctx, func(tx store.Tx) error {
			if err := tx.Insert(m); err != nil {
				return err
			}
			return tx.Label(m.ID, labels...)
		}); err != nil {
			t.Fatal(err)
		}
		return m.ID
	}
	expect := func(label string, most int, want ...int64) {
		t.Helper()
		if got, err := s.Labelled(ctx, label, most); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %d, %v, want %d", label, got, err, want)
		}
	}
	a, b := put("a", "order 7", "order 7"), put("b", "order 7", "order 8")
	c := put("c")
	expect("order 7", 10, b, a)
	expect("order 7", 1, b)
	expect("order 8", 10, b)
	expect("order 9", 10)
	if err := s.Write(ctx, func(tx store.Tx) error { return errors.Join(tx.Label(c, "order 8"), tx.Delete(b)) }); err != nil {
		t.Fatal(err)
	}
	expect("order 7", 10, a)
	expect("order 8", 10, c)
	if err := s.Write(ctx, func(tx store.Tx) error { return tx.Label(999, "x") }); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a message that is not there: %v", err)
	}
	if err := s.Write(ctx, func(tx store.Tx) error { return tx.Label(c, "") }); err == nil {
		t.Error("an empty label is taken")
	}
	if err := s.VerifyData(ctx, func(d store.Damage) { t.Errorf("%+v", d) }); err != nil {
		t.Error(err)
	}
}
