package sqlite

import (
	"errors"
	"sync"
	"testing"

	"github.com/viadukt-eu/viadukt/node/store"
)

func TestKeysBelongToTheFirstMessageThatLives(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	put := func(id string) int64 {
		t.Helper()
		m := &store.Message{Direction: store.In, State: store.Received, MessageID: id}
		if err := s.Write(ctx, func(tx store.Tx) error { return tx.Insert(m) }); err != nil {
			t.Fatal(err)
		}
		return m.ID
	}
	once := func(key string, id int64) (first int64, err error) {
		err = s.Write(ctx, func(tx store.Tx) (err error) { first, err = tx.Once(key, id); return err })
		return first, err
	}
	a, b, c := put("a"), put("b"), put("c")
	expect := func(what, key string, id, want int64) {
		t.Helper()
		if got, err := once(key, id); err != nil || got != want {
			t.Errorf("%s: held by %d, %v, want %d", what, got, err, want)
		}
	}
	expect("a new key is taken", "k", a, a)
	expect("asking again changes nothing", "k", a, a)
	expect("the second message learns of the first", "k", b, a)
	expect("another key is free", "l", b, b)
	if err := s.Write(ctx, func(tx store.Tx) error { return tx.Transition(a, store.Failed, store.Change{}) }); err != nil {
		t.Fatal(err)
	}
	expect("a failed message loses its key", "k", b, b)
	if err := s.Write(ctx, func(tx store.Tx) error { return tx.Delete(b) }); err != nil {
		t.Fatal(err)
	}
	expect("a deleted message loses its key", "k", c, c)
	expect("and every other one", "l", c, c)
	if _, err := once("m", 999); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a message that is not there: %v", err)
	}
	if _, err := once("", c); err == nil {
		t.Error("an empty key is taken")
	}
	undone := errors.New("undone")
	if err := s.Write(ctx, func(tx store.Tx) error { tx.Once("n", c); return undone }); !errors.Is(err, undone) {
		t.Fatal(err)
	}
	expect("what was undone is free", "n", a, a)
}

func TestOneOfManyTakesAKey(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	var mu sync.Mutex
	won := 0
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			m := &store.Message{Direction: store.In, State: store.Received, MessageID: string(rune('a' + i))}
			var first int64
			if err := s.Write(ctx, func(tx store.Tx) (err error) {
				if err = tx.Insert(m); err == nil {
					first, err = tx.Once("key", m.ID)
				}
				return err
			}); err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			if first == m.ID {
				won++
			}
		})
	}
	all.Wait()
	if won != 1 {
		t.Errorf("%d messages hold the key", won)
	}
}
