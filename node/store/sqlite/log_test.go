package sqlite

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/node/audit/merkle"
	"github.com/viadukt-eu/viadukt/node/store"
)

// lines returns the log as text.
func lines(t *testing.T, s *Store) (out []string) {
	t.Helper()
	entries, err := s.LogEntries(ctx, 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range entries {
		if e.Index != int64(i) {
			t.Fatalf("entry %d stands at place %d", e.Index, i)
		}
		out = append(out, string(e.Octets))
	}
	return out
}

func short(b string) string { s := sha256.Sum256([]byte(b)); return fmt.Sprintf("%x", s[:2]) }

func TestWhatHappensIsRecorded(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	m := outgoing("a@b")
	m.Payloads = []store.Payload{{PayloadRef: store.PayloadRef{Size: 3, SHA256: sha256.Sum256([]byte("abc")), Inline: []byte("abc")}}}
	for _, f := range []func(tx store.Tx) error{
		func(tx store.Tx) error { return tx.Insert(m) },
		func(tx store.Tx) error { return tx.Transition(m.ID, store.Sending, store.Change{}) },
		func(tx store.Tx) error { // one entry for all that one function did to one message
			return errors.Join(tx.Transition(m.ID, store.Acknowledged, store.Change{}), tx.PutEvidence(m.ID, store.Evidence{Kind: store.KindReceipt, Octets: []byte("receipt")}))
		},
		func(tx store.Tx) error {
			return tx.PutEvidence(m.ID, store.Evidence{Kind: store.KindREM, Octets: []byte("rem")})
		},
		func(tx store.Tx) error { // evidence alone, of a message that was looked at
			_, err := tx.Once("key", m.ID)
			return errors.Join(err, tx.PutEvidence(m.ID, store.Evidence{Kind: store.KindREM, Octets: []byte("more")}),
				tx.PutEvidence(m.ID, store.Evidence{Kind: store.KindREM, Octets: []byte("and more")}))
		},
		func(tx store.Tx) error { // a received message and its receipt
			in := incoming("c@d", "key")
			return errors.Join(tx.Insert(in), tx.PutEvidence(in.ID, store.Evidence{Kind: store.KindReceipt, Octets: []byte("ours")}))
		},
		func(tx store.Tx) error { _, err := tx.AppendLog([]byte("started")); return err },
		func(tx store.Tx) error {
			return tx.PutEntry(store.Entry{EntryKey: store.EntryKey{Participant: "s::p", Generation: "g"}, Octets: []byte("doc")})
		},
		func(tx store.Tx) error { return tx.DeleteEntry(store.EntryKey{Participant: "s::p", Generation: "g"}) },
		func(tx store.Tx) error {
			return tx.PutToken(store.Token{ID: "t", Hash: [32]byte{1}, Scopes: []string{"messages"}})
		},
		func(tx store.Tx) error { return tx.DeleteToken("t") },
		func(tx store.Tx) error { return tx.PutUser(store.User{Name: "u", Role: "viewer", Password: "hash"}) },
		func(tx store.Tx) error { return tx.DeleteUser("u") },
		func(tx store.Tx) error { return tx.DeletePayloads(m.ID) },
	} {
		write(t, s, f)
	}
	if err := s.Write(store.WithActor(ctx, "token back-office"), func(tx store.Tx) error { return tx.Delete(m.ID) }); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"message a@b queued header:" + short("header") + " payload:" + short("abc"),
		"message a@b queued > sending",
		"message a@b sending > acknowledged receipt:" + short("receipt"),
		"message a@b acknowledged > acknowledged rem:" + short("rem"),
		"message a@b acknowledged > acknowledged rem:" + short("more") + " rem:" + short("and more"),
		"message c@d received receipt:" + short("ours"),
		"started",
		"participant s::p published document:" + short("doc"),
		"participant s::p withdrawn withdrawn:0000",
		"token t set: messages",
		"token t removed",
		"user u set: viewer",
		"user u removed",
		"payloads-deleted a@b  payload:" + short("abc"),
		"deleted a@b  by token back-office payload:" + short("abc") + " header:" + short("header") + " receipt:" + short("receipt") + " rem:" + short("rem") + " rem:" + short("more") + " rem:" + short("and more"),
	}
	got := lines(t, s)
	if !slices.Equal(got, want) {
		t.Errorf("recorded:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	of, err := s.LogOf(ctx, m.ID)
	if err != nil || len(of) != 7 || string(of[6].Octets) != want[14] {
		t.Errorf("of the deleted message: %v %v", of, err)
	}
	if got := damages(t, s); got != nil {
		t.Error(got)
	}
}

func TestNothingIsRecordedThatDidNotHappen(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	kept := insert(t, s, outgoing("kept@b"))
	refuse := errors.New("no")
	hold, held := make(chan struct{}), make(chan struct{})
	go s.Write(ctx, func(store.Tx) error { close(held); <-hold; return nil }) // the next ones share one commit
	<-held
	results := make(chan error)
	for i := range 30 {
		go func() {
			results <- s.Write(ctx, func(tx store.Tx) error {
				err := errors.Join(tx.Insert(outgoing(fmt.Sprintf("%d@b", i))), tx.Transition(kept, store.Queued, store.Change{}))
				if _, lerr := tx.AppendLog(fmt.Appendf(nil, "own %d", i)); lerr != nil {
					return lerr
				}
				switch i % 3 {
				case 1:
					return refuse
				case 2:
					panic("no")
				}
				return err
			})
		}()
	}
	close(hold)
	for range 30 {
		var p *PanicError
		if err := <-results; err != nil && !errors.Is(err, refuse) && !errors.As(err, &p) {
			t.Error(err)
		}
	}
	n := 0
	for _, l := range lines(t, s) {
		var i int
		if strings.HasPrefix(l, "own ") {
			n++
			if fmt.Sscanf(l, "own %d", &i); i%3 != 0 {
				t.Errorf("%q was recorded and did not happen", l)
			}
		}
	}
	if n != 10 {
		t.Errorf("%d entries of functions that were kept, want 10", n)
	}
	if got := lines(t, s); len(got) != 31 { // and two of each for its messages
		t.Errorf("%d entries, want 31", len(got))
	}
	if got := damages(t, s); got != nil {
		t.Error(got)
	}
}

func TestAGroupThatFailsLeavesNothingInTheLog(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	insert(t, s, outgoing("first@b"))
	err := s.Write(ctx, func(tx0 store.Tx) error {
		if err := tx0.Insert(outgoing("lost@b")); err != nil {
			return err
		}
		tx0.(*tx).fatal = errors.New("the engine gave up")
		return nil
	})
	if err == nil {
		t.Fatal("no error")
	}
	insert(t, s, outgoing("second@b"))
	if got := lines(t, s); len(got) != 2 || !strings.Contains(got[1], "second@b") {
		t.Errorf("%q", got)
	}
	if got := damages(t, s); got != nil {
		t.Error(got)
	}
}

func TestLogIsProvenFromWhatIsStored(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var leaves []merkle.Hash
	var f merkle.Frontier
	roots := map[int64]merkle.Hash{}
	for range 4 { // opened again in between
		s, _ := reopen(t, dir)
		for range 3 {
			write(t, s, func(tx store.Tx) error {
				for range 57 {
					e := fmt.Appendf(nil, "entry %d", len(leaves))
					index, err := tx.AppendLog(e)
					if err != nil || index != int64(len(leaves)) {
						t.Errorf("index %d, %v", index, err)
					}
					leaves = append(leaves, merkle.Leaf(e))
					f.Append(merkle.Leaf(e))
				}
				return nil
			})
			roots[f.Size()] = f.Root()
		}
		size, peaks, err := s.LogState(ctx)
		if err != nil || size != f.Size() {
			t.Fatal(size, err)
		}
		state, err := merkle.NewFrontier(size, hashesOf(peaks))
		if err != nil || state.Root() != f.Root() {
			t.Fatalf("after %d entries another root is stored, %v", size, err)
		}
		tree := merkle.NewTree(reader(s))
		for i := int64(0); i < size; i += 19 {
			proof, err := tree.Inclusion(i, size)
			if err != nil {
				t.Fatal(err)
			}
			if err := merkle.VerifyInclusion(leaves[i], i, size, proof, f.Root()); err != nil {
				t.Errorf("entry %d of %d: %v", i, size, err)
			}
		}
		for first, root := range roots {
			proof, err := tree.Consistency(first, size)
			if err != nil {
				t.Fatal(err)
			}
			if err := merkle.VerifyConsistency(first, size, proof, root, f.Root()); err != nil {
				t.Errorf("%d to %d: %v", first, size, err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func hashesOf(in [][32]byte) (out []merkle.Hash) {
	for _, h := range in {
		out = append(out, h)
	}
	return out
}

func reader(s *Store) merkle.Reader {
	return func(level int, n int64) ([]merkle.Hash, error) {
		h, err := s.LogHashes(context.Background(), level, n)
		return hashesOf(h), err
	}
}

func TestATamperedLogIsFound(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, change string
		opens        bool // the last part of the log is read at once, the rest by VerifyData
	}{
		{"an old entry was rewritten", "UPDATE log SET octets = x'00' WHERE id = 3", true},
		{"an old hash was rewritten", "UPDATE log_tile SET hashes = zeroblob(8192) WHERE id = 0", true},
		{"the root of a tile was rewritten", "UPDATE log_tile SET root = zeroblob(32) WHERE id = 0", false},
		{"a new entry was rewritten", "UPDATE log SET octets = x'00' WHERE id = 299", false},
		{"the last entry was cut off", "DELETE FROM log WHERE id = 299", false},
		{"an old entry was taken out", "DELETE FROM log WHERE id = 7", true},
		{"an entry was added", "INSERT INTO log (id, octets) VALUES (300, x'00')", false},
		{"the size was set back", "UPDATE log_state SET size = 256, peaks = (SELECT root FROM log_tile WHERE id = 0)", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s, _ := reopen(t, dir)
			write(t, s, func(tx store.Tx) error {
				for i := range 300 {
					if _, err := tx.AppendLog(fmt.Appendf(nil, "entry %d", i)); err != nil {
						return err
					}
				}
				return nil
			})
			if err := errors.Join(s.w.c.script(c.change), s.Close()); err != nil {
				t.Fatal(err)
			}
			s, err := Open(dir, Options{MinFree: -1})
			if !c.opens {
				is(t, err, store.ErrDamaged)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			found := false
			err = s.VerifyData(ctx, func(d store.Damage) { found = found || d.What == "log" && errors.Is(d.Err, store.ErrDamaged) })
			if err != nil || !found {
				t.Errorf("not found, %v", err)
			}
		})
	}
}

func TestHeadsAreKeptBySize(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	_, err := s.LogHead(ctx, 0)
	is(t, err, store.ErrNotFound)
	for _, size := range []int64{3, 10, 7} {
		write(t, s, func(tx store.Tx) error { return tx.PutLogHead(size, fmt.Appendf(nil, "head %d", size)) })
	}
	for _, c := range []struct {
		size int64
		want string
	}{{0, "head 10"}, {1, "head 3"}, {3, "head 3"}, {4, "head 7"}, {8, "head 10"}} {
		if got, err := s.LogHead(ctx, c.size); err != nil || string(got) != c.want {
			t.Errorf("of at least %d: %q %v, want %s", c.size, got, err, c.want)
		}
	}
	_, err = s.LogHead(ctx, 11)
	is(t, err, store.ErrNotFound)
	heads, err := s.LogHeads(ctx, 4, 9)
	if err != nil || len(heads) != 2 || string(heads[0]) != "head 7" {
		t.Errorf("%q %v", heads, err)
	}
}

// BenchmarkRecord is what a sender stores of one message, its acceptance and its receipt, without and with the log. The
// difference is what two entries cost.
func BenchmarkRecord(b *testing.B) {
	receipt, signed := bytes.Repeat([]byte("r"), 6000), bytes.Repeat([]byte("s"), 7000)
	for _, c := range []struct {
		name     string
		recorder store.Recorder
		signed   int
	}{{"without", nil, 0}, {"log", plainly{}, 0}, {"log-and-signed-message", plainly{}, 7000}} {
		b.Run(c.name, func(b *testing.B) {
			s, err := Open(b.TempDir(), Options{MinFree: -1, Recorder: c.recorder})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			parallel(b, 32, func(n int64) error {
				m := newMessage(n)
				m.Header = signed[:1000]
				if err := s.Write(ctx, func(tx store.Tx) error { return tx.Insert(m) }); err != nil {
					return err
				}
				return s.Write(ctx, func(tx store.Tx) error {
					err := errors.Join(tx.Transition(m.ID, store.Acknowledged, store.Change{}), tx.PutEvidence(m.ID, store.Evidence{Kind: store.KindReceipt, Octets: receipt}))
					if c.signed > 0 {
						err = errors.Join(err, tx.PutEvidence(m.ID, store.Evidence{Kind: store.KindNonRepudiation, Octets: signed[:c.signed]}))
					}
					return err
				})
			})
		})
	}
}

// BenchmarkAppendLog is one entry of 400 octets, so many in a commit.
func BenchmarkAppendLog(b *testing.B) {
	for _, group := range []int{1, 16, 256} {
		b.Run(fmt.Sprintf("%dagroup", group), func(b *testing.B) {
			s := benchStore(b)
			entry := bytes.Repeat([]byte("e"), 400)
			b.ReportAllocs()
			defer rate(b, group)()
			for b.Loop() {
				err := s.Write(ctx, func(tx store.Tx) error {
					for range group {
						if _, err := tx.AppendLog(entry); err != nil {
							return err
						}
					}
					return nil
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestTimeStampedHeads(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	if _, err := s.LogStamp(ctx, 0); !errors.Is(err, store.ErrNotFound) {
		t.Fatal(err)
	}
	day := time.Date(2026, 5, 4, 0, 0, 0, 0, time.UTC)
	put := func(size int64, due time.Time, record string) {
		t.Helper()
		if err := s.Write(ctx, func(tx store.Tx) error {
			return tx.PutLogStamp(store.LogStamp{Size: size, Head: []byte("head"), Record: []byte(record), Due: due})
		}); err != nil {
			t.Fatal(err)
		}
	}
	put(10, day, "a")
	put(20, day.AddDate(0, 0, -1), "b")
	put(30, day.AddDate(1, 0, 0), "c")
	for size, want := range map[int64]string{0: "c", 1: "a", 10: "a", 11: "b", 30: "c", 31: ""} {
		x, err := s.LogStamp(ctx, size)
		if want == "" {
			if !errors.Is(err, store.ErrNotFound) {
				t.Errorf("%d: %v", size, err)
			}
			continue
		}
		if err != nil || string(x.Record) != want || string(x.Head) != "head" {
			t.Errorf("%d: %+v, %v", size, x, err)
		}
	}
	due := func() (out string) {
		list, err := s.LogStampsDue(ctx, day, 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range list {
			out += string(x.Record)
		}
		return out
	}
	if got := due(); got != "ba" {
		t.Errorf("due: %s", got)
	}
	put(20, day.AddDate(1, 0, 0), "b2")
	if x, err := s.LogStamp(ctx, 15); err != nil || string(x.Record) != "b2" || !x.Due.Equal(day.AddDate(1, 0, 0)) || due() != "a" {
		t.Errorf("renewed: %+v, %v, %s", x, err, due())
	}
}
