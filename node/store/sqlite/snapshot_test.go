package sqlite

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/node/store"
)

// large is a payload that is kept in a file.
func large(seed byte) []byte { return bytes.Repeat([]byte{seed, 'l'}, 15_000) }

func TestASnapshotStaysWholeWhileMessagesAreDeleted(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	m := outgoing("a")
	w, err := s.NewPayload()
	if err != nil {
		t.Fatal(err)
	}
	w.Write(large('a'))
	ref, err := w.Seal()
	if err != nil {
		t.Fatal(err)
	}
	m.Payloads = []store.Payload{{PayloadRef: payload(t, s, []byte("small"))}, {PayloadRef: ref}}
	insert(t, s, m)
	w.Close()

	file := filepath.Join(t.TempDir(), "copy.db")
	end, err := s.Snapshot(ctx, file)
	if err != nil {
		t.Fatal(err)
	}
	write(t, s, func(tx store.Tx) error { return tx.Delete(m.ID) })
	if err := s.Discard(ctx, ref); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Collect(ctx); n != 0 || err != nil {
		t.Errorf("collected %d, %v", n, err)
	}
	if err := s.spool.Verify(ref.SHA256, ref.Size); err != nil {
		t.Errorf("what the snapshot names is gone: %v", err)
	}
	files, err := Files(ctx, file)
	if want := []PayloadFile{{ref.SHA256, ref.Size}}; err != nil || !slices.Equal(files, want) {
		t.Errorf("files %v, %v", files, err)
	}
	size, root, _, err := LogState(ctx, file)
	if err != nil || size != 1 {
		t.Errorf("log of %d entries, root %x, %v", size, root, err)
	}
	if _, err := s.Snapshot(ctx, file); !errors.Is(err, os.ErrExist) {
		t.Errorf("over an older one: %v", err)
	}
	if err := end(); err != nil {
		t.Fatal(err)
	}
	if err := s.spool.Verify(ref.SHA256, ref.Size); !errors.Is(err, store.ErrDamaged) {
		t.Errorf("the file is still there: %v", err)
	}
}

func TestASnapshotLeavesTheReserve(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	insert(t, s, outgoing("a"))
	file := filepath.Join(t.TempDir(), "copy.db")
	is(t, Snapshot(ctx, s.dir, file, 1<<60), store.ErrDiskFull)
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("something was left: %v", err)
	}
	is(t, Snapshot(ctx, s.dir, file, 0), nil)
}

func TestNobodyOpensALockedStore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, _ := reopen(t, dir)
	if _, err := Lock(dir); !errors.Is(err, ErrLocked) {
		t.Errorf("of an open store: %v", err)
	}
	s.Close()
	unlock, err := Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, Options{MinFree: -1}); !errors.Is(err, ErrLocked) {
		t.Errorf("of a locked one: %v", err)
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	s, _ = reopen(t, dir)
	s.Close()
}

func TestIDsAreSkipped(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, _ := reopen(t, dir)
	first := insert(t, s, outgoing("a"))
	if err := SkipIDs(ctx, s, 1000); err != nil {
		t.Fatal(err)
	}
	s.Close()
	s, _ = reopen(t, dir)
	defer s.Close()
	if got := insert(t, s, outgoing("b")); got != first+1001 {
		t.Errorf("the next message is %d, after %d", got, first)
	}
}

func TestExpiredMessagesAreFoundByAgeStateAndPayload(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	var ids []int64
	for i := range 3 {
		m := incoming(fmt.Sprint(i), "a")
		m.Payloads = []store.Payload{{PayloadRef: payload(t, s, []byte("x"))}}
		ids = append(ids, insert(t, s, m))
		transition(t, s, m.ID, store.Confirmed, store.Change{})
		c.Add(time.Hour)
	}
	insert(t, s, outgoing("o"))
	if err := SkipIDs(ctx, s, 3*expiredRows); err != nil {
		t.Fatal(err)
	}
	last := insert(t, s, incoming("last", "a"))
	transition(t, s, last, store.Failed, store.Change{})
	write(t, s, func(tx store.Tx) error { return tx.DeletePayloads(ids[1]) })
	for _, x := range []struct {
		e    store.Expiry
		want []int64
	}{
		{store.Expiry{Direction: store.In, States: []store.State{store.Confirmed}, Before: start.Add(90 * time.Minute)}, ids[:2]},
		{store.Expiry{Direction: store.In, States: []store.State{store.Confirmed}, Before: start.Add(90 * time.Minute), Payloads: true}, ids[:1]},
		{store.Expiry{Direction: store.In, States: []store.State{store.Confirmed, store.Failed}, Before: start.Add(24 * time.Hour)}, append(slices.Clone(ids), last)},
		{store.Expiry{Direction: store.Out, States: []store.State{store.Confirmed}, Before: start.Add(24 * time.Hour)}, nil},
	} {
		var got []int64
		for after := int64(0); ; {
			list, next, err := s.Expired(ctx, x.e, after)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range list {
				got = append(got, m.ID)
			}
			if after = next; next == 0 {
				break
			}
		}
		if !slices.Equal(got, x.want) {
			t.Errorf("%+v: %v, want %v", x.e, got, x.want)
		}
	}
}
