package sqlite

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/node/store"
)

func TestWritesAreFlushedAtEachCommit(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	for _, c := range []struct {
		pragma string
		want   int64
	}{{"synchronous", 2}, {"page_size", 4096}, {"wal_autocheckpoint", 0}, {"application_id", applicationID}} {
		write(t, s, func(stx store.Tx) error {
			if got, err := stx.(*tx).w.c.pragma(c.pragma); err != nil || got != c.want {
				t.Errorf("%s: %d, %v", c.pragma, got, err)
			}
			return nil
		})
	}
	write(t, s, func(stx store.Tx) error {
		return stx.(*tx).w.c.query("PRAGMA journal_mode", func(v row) error {
			if v.text(0) != "wal" {
				t.Errorf("journal_mode %s", v.text(0))
			}
			return nil
		})
	})
	if _, err := s.read.Exec("DELETE FROM message"); err == nil {
		t.Error("a read connection writes")
	}
}

func TestAFailingWriteHarmsNoOther(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	refused := errors.New("refused")
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			m := outgoing(fmt.Sprint(i))
			err := s.Write(ctx, func(tx store.Tx) error {
				if err := tx.Insert(m); err != nil {
					return err
				}
				switch i % 4 {
				case 1:
					return refused
				case 2:
					panic("lost my way")
				}
				return nil
			})
			var p *PanicError
			switch {
			case i%4 == 1 && !errors.Is(err, refused), i%4 == 2 && (!errors.As(err, &p) || p.Value != "lost my way" || len(p.Stack) == 0), i%4%3 == 0 && err != nil:
				t.Errorf("%d: %v", i, err)
			}
		})
	}
	wg.Wait()
	got, err := s.List(ctx, store.Filter{}, store.Page{Limit: 1000})
	if err != nil || len(got.Messages) != 100 {
		t.Fatalf("%d messages, %v", len(got.Messages), err)
	}
	for _, m := range got.Messages {
		var i int
		fmt.Sscan(m.MessageID, &i)
		if i%4 == 1 || i%4 == 2 {
			t.Errorf("message %d is stored", i)
		}
	}
}

func TestAFunctionThatEndsItsGoroutineDoesNotStopTheWriter(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	err := s.Write(ctx, func(tx store.Tx) error {
		if err := tx.Insert(outgoing("lost")); err != nil {
			return err
		}
		runtime.Goexit()
		return nil
	})
	is(t, err, errGoexit)
	if id := insert(t, s, outgoing("kept")); id != 1 {
		t.Errorf("id %d: what the ended function did is there", id)
	}
}

func TestAWriteWhoseContextEndedIsNotRun(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	hold, held := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		s.Write(ctx, func(store.Tx) error { close(held); <-hold; return nil })
	})
	<-held
	short, cancel := context.WithCancel(ctx)
	ran, answered := false, make(chan error)
	go func() { answered <- s.Write(short, func(store.Tx) error { ran = true; return nil }) }()
	cancel()
	is(t, <-answered, context.Canceled)
	close(hold)
	wg.Wait()
	write(t, s, func(store.Tx) error { return nil }) // the writer has passed the cancelled one
	if ran {
		t.Error("it was run")
	}
	is(t, s.Write(short, func(store.Tx) error { return nil }), context.Canceled)

	// A function that runs already decides the answer.
	short, cancel = context.WithCancel(ctx)
	if err := s.Write(short, func(tx store.Tx) error { cancel(); return tx.Insert(outgoing("a")) }); err != nil {
		t.Error(err)
	}
	if m := message(t, s, 1); m.MessageID != "a" {
		t.Error("not stored")
	}
}

func TestATransactionEndsWithItsFunction(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	var kept store.Tx
	write(t, s, func(tx store.Tx) error { kept = tx; return nil })
	is(t, kept.Insert(outgoing("late")), errTxEnded)
	_, err := kept.Message(1)
	is(t, err, errTxEnded)
	is(t, kept.Transition(1, store.Sending, store.Change{}), errTxEnded)
}

func TestCloseFinishesWhatWaitsAndRefusesTheRest(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, _ := reopen(t, dir)
	var wg sync.WaitGroup
	var mu sync.Mutex
	stored := make(map[string]bool)
	for i := range 64 {
		wg.Go(func() {
			m := outgoing(fmt.Sprint(i))
			err := s.Write(ctx, func(tx store.Tx) error { return tx.Insert(m) })
			if err != nil && !errors.Is(err, store.ErrClosed) {
				t.Error(err)
			}
			mu.Lock()
			stored[m.MessageID] = err == nil
			mu.Unlock()
		})
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
	is(t, s.Write(ctx, func(store.Tx) error { return nil }), store.ErrClosed)
	_, err := s.Message(ctx, 1)
	is(t, err, store.ErrClosed)
	if err := s.Close(); err != nil {
		t.Error("closing again:", err)
	}
	s, _ = reopen(t, dir)
	defer s.Close()
	for id, want := range stored {
		_, err := s.ByMessageID(ctx, store.Out, id)
		if got := err == nil; got != want {
			t.Errorf("message %s: stored %v, reported %v", id, got, want)
		}
	}
}

func TestReadyTellsOfWorkThatIsDueAtOnce(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	ready := func(d store.Direction) bool {
		select {
		case <-s.Ready(d):
			return true
		default:
			return false
		}
	}
	sync := func() { write(t, s, func(store.Tx) error { return nil }) } // tokens come after the answer
	later := outgoing("later")
	later.NextAttempt = c.Now().Add(time.Minute)
	insert(t, s, later)
	sync()
	if ready(store.Out) {
		t.Error("told of work that is due later")
	}
	s.Write(ctx, func(tx store.Tx) error { return errors.Join(tx.Insert(outgoing("undone")), errors.New("undo")) })
	sync()
	if ready(store.Out) {
		t.Error("told of work that was undone")
	}
	insert(t, s, outgoing("now"))
	insert(t, s, outgoing("now too"))
	sync()
	if !ready(store.Out) || ready(store.Out) || ready(store.In) {
		t.Error("not one token for the direction")
	}
	transition(t, s, later.ID, store.Sending, store.Change{})
	write(t, s, func(tx store.Tx) error { return tx.SetRetry(later.ID, c.Now(), store.Problem{}, "") })
	sync()
	if !ready(store.Out) {
		t.Error("not told of a retry that is due")
	}
	if s.Ready(0) != nil {
		t.Error("a channel for no direction")
	}
}
