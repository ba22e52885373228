package sqlite

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/viadukt-eu/viadukt/node/store"
)

func TestAMessageComesBackAsItWasStored(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	small, large := []byte("<a/>"), bytes.Repeat([]byte("large "), 10_000)
	m := outgoing("a@b")
	m.Created = c.Now().Add(-time.Hour)
	m.Payloads = []store.Payload{
		{ContentID: "1@b", MimeType: "application/xml", Name: "a.xml", PlainSize: 4, PayloadRef: payload(t, s, small)},
		{ContentID: "2@b", MimeType: "application/gzip", Compressed: true, PlainSize: 1 << 20, PayloadRef: payload(t, s, large)},
		{ContentID: "3@b", PayloadRef: payload(t, s, nil)},
	}
	id := insert(t, s, m)
	want := *m
	want.Updated, want.NextAttempt = start, start
	want.Payloads = append([]store.Payload{}, m.Payloads...)
	want.Payloads[0].Inline, want.Payloads[0].Row = nil, id<<perMessage+1
	want.Payloads[2].Inline, want.Payloads[2].Row = nil, id<<perMessage+3

	if d := cmp.Diff(&want, message(t, s, id)); d != "" {
		t.Errorf("Message (-want +got):\n%s", d)
	}
	byID, err := s.ByMessageID(ctx, store.Out, "a@b")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(&want, byID); d != "" {
		t.Errorf("ByMessageID (-want +got):\n%s", d)
	}
	write(t, s, func(tx store.Tx) error {
		got, err := tx.Message(id)
		if d := cmp.Diff(&want, got); d != "" || err != nil {
			t.Errorf("Tx.Message (-want +got):\n%s\n%v", d, err)
		}
		got, err = tx.ByMessageID(store.Out, "a@b")
		if err != nil || got.ID != id {
			t.Errorf("Tx.ByMessageID: %v", err)
		}
		return nil
	})
	for i, data := range [][]byte{small, large, {}} {
		if got := octetsOf(t, s, byID.Payloads[i].PayloadRef); !bytes.Equal(got, data) {
			t.Errorf("payload %d: other octets", i)
		}
	}
	if got := octetsOf(t, s, m.Payloads[0].PayloadRef); !bytes.Equal(got, small) {
		t.Error("the reference that Seal gave does not open")
	}
	list, err := s.List(ctx, store.Filter{}, store.Page{})
	if err != nil || len(list.Messages) != 1 {
		t.Fatal(err)
	}
	want.Header, want.Payloads = nil, nil
	if d := cmp.Diff(&want, list.Messages[0]); d != "" {
		t.Errorf("List (-want +got):\n%s", d)
	}
	for _, err := range []error{
		second(s.Message(ctx, 99)), second(s.ByMessageID(ctx, store.In, "a@b")), second(s.ByMessageID(ctx, store.Out, "other")),
	} {
		is(t, err, store.ErrNotFound)
	}
}

func second[T any](_ T, err error) error { return err }

func TestInsertRefusesWhatCannotBe(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	for _, c := range []struct {
		name   string
		change func(*store.Message)
	}{
		{"no eb:MessageId", func(m *store.Message) { m.MessageID = "" }},
		{"no direction", func(m *store.Message) { m.Direction = 0 }},
		{"a state of the other direction", func(m *store.Message) { m.State = store.Received }},
		{"no state", func(m *store.Message) { m.State = 0 }},
		{"a lease without an end", func(m *store.Message) { m.State, m.LeaseOwner = store.Sending, "w" }},
		{"a lease in a state that waits", func(m *store.Message) { m.LeaseOwner, m.LeaseUntil = "w", start }},
		{"a payload with a wrong size", func(m *store.Message) {
			m.Payloads = []store.Payload{{PayloadRef: store.PayloadRef{Size: 5, Inline: []byte("four")}}}
		}},
		{"too many payloads", func(m *store.Message) { m.Payloads = make([]store.Payload, 1<<16) }},
	} {
		m := outgoing("x")
		c.change(m)
		if err := s.Write(ctx, func(tx store.Tx) error { return tx.Insert(m) }); err == nil || m.ID != 0 && c.name != "a payload with a wrong size" {
			t.Errorf("%s: accepted", c.name)
		}
	}
	if n, err := s.Counts(ctx); err != nil || len(n) != 0 {
		t.Errorf("something is stored: %v, %v", n, err)
	}
}

func TestDuplicates(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	first := insert(t, s, incoming("m@x", "A"))
	try := func(m *store.Message) error {
		return s.Write(ctx, func(tx store.Tx) error { return tx.Insert(m) })
	}
	var dup *store.DuplicateError
	if err := try(incoming("m@x", "A")); !errors.As(err, &dup) || !errors.Is(err, store.ErrDuplicate) || dup.ID != first || dup.State != store.Received {
		t.Errorf("the second copy: %v", err)
	}
	if err := try(incoming("m@x", "B")); err != nil {
		t.Errorf("the same id of another sender: %v", err)
	}
	out := outgoing("m@x")
	out.SenderKey = "A"
	if err := try(out); err != nil {
		t.Errorf("the same id in the other direction: %v", err)
	}
	transition(t, s, first, store.Failed, store.Change{})
	again := incoming("m@x", "A")
	if err := try(again); err != nil {
		t.Fatalf("a message that failed before is no duplicate: %v", err)
	}
	if got, err := s.ByMessageID(ctx, store.In, "m@x"); err != nil || got.ID != again.ID {
		t.Errorf("the live one is found: %v, %v", got, err)
	}
	err := s.Write(ctx, func(tx store.Tx) error { return tx.Transition(first, store.Received, store.Change{}) })
	if !errors.As(err, &dup) || dup.ID != again.ID {
		t.Errorf("the failed one cannot live again beside its copy: %v", err)
	}
	if m := message(t, s, first); m.State != store.Failed {
		t.Errorf("it is %s", m.State)
	}
	transition(t, s, again.ID, store.Failed, store.Change{})
	transition(t, s, first, store.Received, store.Change{})
	rejected := incoming("m@x", "A")
	rejected.State = store.Rejected
	if err := try(rejected); err != nil {
		t.Errorf("a copy that is stored as rejected: %v", err)
	}
	if err := try(incoming("m@x", "A")); !errors.As(err, &dup) || dup.ID != first {
		t.Errorf("the copy after all that: %v", err)
	}
}

func TestOfParallelCopiesOneWins(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	const rounds, copies = 20, 16
	for round := range rounds {
		id := fmt.Sprint("m", round)
		var won atomic.Int64
		var wg sync.WaitGroup
		losers := make(chan int64, copies)
		for i := range copies {
			wg.Go(func() {
				m := incoming(id, "A")
				m.ConversationID = fmt.Sprint(i)
				var dup *store.DuplicateError
				switch err := s.Write(ctx, func(tx store.Tx) error { return tx.Insert(m) }); {
				case err == nil:
					if !won.CompareAndSwap(0, m.ID) {
						t.Error("two copies won")
					}
				case errors.As(err, &dup):
					losers <- dup.ID
				default:
					t.Error(err)
				}
			})
		}
		wg.Wait()
		close(losers)
		n := 0
		for got := range losers {
			n++
			if got != won.Load() {
				t.Errorf("a loser was told of message %d, the winner is %d", got, won.Load())
			}
		}
		if n != copies-1 {
			t.Errorf("%d losers", n)
		}
	}
}

func TestALifeWithEventsAndEvidence(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	m := outgoing("a@b")
	m.State, m.Error = store.Accepted, store.Problem{}
	id := insert(t, s, m)
	if got := message(t, s, id); !got.NextAttempt.IsZero() {
		t.Errorf("work is due at %v for a message that is not queued", got.NextAttempt)
	}
	c.Add(time.Second)
	transition(t, s, id, store.Queued, store.Change{Detail: "found the endpoint", Peer: "new.example", PMode: "pm2", Header: []byte("h2")})
	c.Add(time.Second)
	transition(t, s, id, store.Sending, store.Change{})
	write(t, s, func(tx store.Tx) error {
		return tx.SetRetry(id, start.Add(time.Hour), store.Problem{Code: "EBMS:0202", Text: "no answer"}, "timeout")
	})
	got := message(t, s, id)
	if got.State != store.Retrying || !got.NextAttempt.Equal(start.Add(time.Hour)) || got.Error.Code != "EBMS:0202" ||
		got.Peer != "new.example" || got.PMode != "pm2" || string(got.Header) != "h2" || !got.Updated.Equal(start.Add(2*time.Second)) || !got.Created.Equal(start) {
		t.Errorf("while it waits: %+v", got)
	}
	receipt := []byte("<eb:Receipt/>")
	write(t, s, func(tx store.Tx) error {
		return errors.Join(
			tx.Transition(id, store.Acknowledged, store.Change{Detail: "late receipt", Time: start.Add(time.Minute)}),
			tx.PutEvidence(id, store.Evidence{Kind: store.KindReceipt, Octets: receipt}),
			tx.PutEvidence(id, store.Evidence{Kind: store.KindNonRepudiation, Time: start, Octets: nil}))
	})
	if got := message(t, s, id); !got.Error.IsZero() || !got.NextAttempt.IsZero() || got.State != store.Acknowledged {
		t.Errorf("at the end: %+v", got)
	}
	events, err := s.Events(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	want := []store.Event{
		{Time: start, State: store.Accepted},
		{Time: start.Add(time.Second), State: store.Queued, Detail: "found the endpoint"},
		{Time: start.Add(2 * time.Second), State: store.Sending},
		{Time: start.Add(2 * time.Second), State: store.Retrying, Detail: "timeout"},
		{Time: start.Add(time.Minute), State: store.Acknowledged, Detail: "late receipt"},
	}
	if d := cmp.Diff(want, events); d != "" {
		t.Errorf("events (-want +got):\n%s", d)
	}
	proof := []store.Evidence{
		{Kind: store.KindReceipt, Time: start.Add(2 * time.Second), SHA256: sha256.Sum256(receipt), Octets: receipt},
		{Kind: store.KindNonRepudiation, Time: start, SHA256: sha256.Sum256(nil), Octets: []byte{}},
	}
	evidence, err := s.Evidence(ctx, id)
	if d := cmp.Diff(proof, evidence); d != "" || err != nil {
		t.Errorf("evidence (-want +got):\n%s\n%v", d, err)
	}
	write(t, s, func(tx store.Tx) error {
		inside, err := tx.Evidence(id)
		if d := cmp.Diff(proof, inside); d != "" {
			t.Errorf("evidence inside (-want +got):\n%s", d)
		}
		return err
	})
	for name, err := range map[string]error{
		"transition": s.Write(ctx, func(tx store.Tx) error { return tx.Transition(99, store.Sent, store.Change{}) }),
		"evidence":   s.Write(ctx, func(tx store.Tx) error { return tx.PutEvidence(99, store.Evidence{Octets: receipt}) }),
		"delete":     s.Write(ctx, func(tx store.Tx) error { return tx.Delete(99) }),
		"payloads":   s.Write(ctx, func(tx store.Tx) error { return tx.DeletePayloads(99) }),
	} {
		if !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s of no message: %v", name, err)
		}
	}
	is(t, s.Write(ctx, func(tx store.Tx) error { return tx.Transition(id, store.Queued, store.Change{}) }), store.ErrTransition)
}

func TestTheHistoryOfAMessageDoesNotRunIntoTheNext(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	a, b := insert(t, s, outgoing("a")), insert(t, s, outgoing("b"))
	write(t, s, func(stx store.Tx) error {
		_, err := stx.(*tx).exec("fill", "UPDATE message SET events = 65536 WHERE id = ?1", a)
		if err != nil {
			return err
		}
		_, err = stx.(*tx).exec("fill", "INSERT INTO event (id, time, state, attempt, detail) VALUES (?1, 0, 2, 0, 'last')", b<<perMessage-1)
		if err == nil {
			_, err = stx.(*tx).exec("fill", "INSERT INTO evidence (id, kind, time, sha256, octets) VALUES (?1, 'receipt', 0, zeroblob(32), x'')", b<<perMessage-1)
		}
		return err
	})
	transition(t, s, a, store.Sending, store.Change{Detail: "newest"})
	events, err := s.Events(ctx, a)
	if err != nil || len(events) != 2 || events[1].Detail != "newest" {
		t.Errorf("got %v, %v", events, err)
	}
	if err := s.Write(ctx, func(tx store.Tx) error { return tx.PutEvidence(a, store.Evidence{Kind: store.KindReceipt}) }); err == nil || errors.Is(err, store.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	if e, err := s.Evidence(ctx, b); len(e) != 0 || err != nil {
		t.Errorf("the next message has %d pieces of evidence, %v", len(e), err)
	}
}

func TestDeletion(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, _ := reopen(t, dir)
	keep, gone := outgoing("keep"), outgoing("gone")
	for _, m := range []*store.Message{keep, gone} {
		m.Payloads = []store.Payload{{Name: "small", PayloadRef: payload(t, s, []byte(m.MessageID))}, {Name: "large", PayloadRef: payload(t, s, bytes.Repeat([]byte(m.MessageID), 9000))}}
		insert(t, s, m)
		write(t, s, func(tx store.Tx) error {
			return tx.PutEvidence(m.ID, store.Evidence{Kind: store.KindReceipt, Octets: []byte("r")})
		})
	}
	before := message(t, s, keep.ID)
	write(t, s, func(tx store.Tx) error { return tx.DeletePayloads(keep.ID) })
	after := message(t, s, keep.ID)
	for i, p := range after.Payloads {
		if !p.Gone || p.SHA256 != before.Payloads[i].SHA256 || p.Size != before.Payloads[i].Size {
			t.Errorf("what stays of a deleted payload: %+v", p)
		}
		_, err := s.OpenPayload(ctx, before.Payloads[0].PayloadRef)
		is(t, err, store.ErrGone)
	}
	if e, err := s.Evidence(ctx, keep.ID); len(e) != 1 || err != nil {
		t.Error("evidence does not survive its payloads", err)
	}
	write(t, s, func(tx store.Tx) error { return tx.Delete(gone.ID) })
	_, err := s.Message(ctx, gone.ID)
	is(t, err, store.ErrNotFound)
	ev, err1 := s.Events(ctx, gone.ID)
	pr, err2 := s.Evidence(ctx, gone.ID)
	if len(ev)+len(pr) != 0 || err1 != nil || err2 != nil {
		t.Errorf("left of a deleted message: %v %v", ev, pr)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	checkFile(t, dir)
	s, _ = reopen(t, dir) // nothing is pinned now
	defer s.Close()
	if n, err := s.Collect(ctx); n != 2 || err != nil {
		t.Errorf("collected %d files, %v", n, err)
	}
	_, err = s.OpenPayload(ctx, before.Payloads[1].PayloadRef)
	is(t, err, store.ErrGone)
	if id := insert(t, s, outgoing("new")); id != gone.ID+1 {
		t.Errorf("id %d was used before", id)
	}
}
