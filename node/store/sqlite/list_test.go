package sqlite

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/viadukt-eu/viadukt/node/store"
)

// matches says what a filter means, without SQL.
func matches(f store.Filter, m *store.Message) bool {
	eq := func(want string, got ...string) bool { return want == "" || slices.Contains(got, want) }
	return (f.Direction == 0 || f.Direction == m.Direction) &&
		(len(f.States) == 0 || slices.Contains(f.States, m.State)) &&
		(len(f.Domains) == 0 || slices.Contains(f.Domains, m.Domain)) &&
		eq(f.MessageID, m.MessageID) && eq(f.ConversationID, m.ConversationID) && eq(f.Peer, m.Peer) && eq(f.PMode, m.PMode) &&
		eq(f.Party, m.From, m.To) && eq(f.Participant, m.Sender, m.Receiver) && eq(f.Service, m.Service) && eq(f.Action, m.Action) &&
		eq(f.Any, m.Peer, m.Action, m.From, m.To, m.Sender, m.Receiver) &&
		(f.Since.IsZero() || !m.Created.Before(f.Since)) && (f.Until.IsZero() || m.Created.Before(f.Until)) &&
		(f.Test == nil || *f.Test == m.Test)
}

func TestListsAgreeWithTheMeaningOfTheirFilters(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	pick := func(r *rapid.T, name string, values ...string) string { return rapid.SampledFrom(values).Draw(r, name) }
	var all []*store.Message
	gen := rapid.Custom(func(r *rapid.T) *store.Message {
		m := &store.Message{
			Direction: rapid.SampledFrom([]store.Direction{store.In, store.Out}).Draw(r, "direction"),
			MessageID: pick(r, "id", "m1", "m2", "m3"), ConversationID: pick(r, "conv", "", "c1", "c2"), Peer: pick(r, "peer", "p1", "p2"),
			Domain: pick(r, "domain", "", "health", "justice"), PMode: pick(r, "pmode", "pm1", "pm2"),
			From: pick(r, "from", "a", "b"), To: pick(r, "to", "a", "b"), Sender: pick(r, "sender", "x", "y"), Receiver: pick(r, "receiver", "x", "y"),
			Service: pick(r, "service", "s1", "s2"), Action: pick(r, "action", "a1", "a2"), Test: rapid.Bool().Draw(r, "test"),
			Created: start.Add(time.Duration(rapid.IntRange(0, 5).Draw(r, "hour")) * time.Hour),
		}
		states := store.States()
		m.State = rapid.SampledFrom(slices.DeleteFunc(states, func(st store.State) bool { return !st.Belongs(m.Direction) })).Draw(r, "state")
		return m
	})
	write(t, s, func(tx store.Tx) error {
		for i := range 400 {
			m := gen.Example(i)
			m.SenderKey = fmt.Sprint(i)
			all = append(all, m)
			if err := tx.Insert(m); err != nil {
				return err
			}
		}
		return nil
	})
	rapid.Check(t, func(r *rapid.T) {
		f := store.Filter{}
		maybe := func(name string, set func()) {
			if rapid.IntRange(0, 3).Draw(r, "with "+name) == 0 {
				set()
			}
		}
		maybe("direction", func() { f.Direction = store.In })
		maybe("states", func() {
			f.States = rapid.SliceOfDistinct(rapid.SampledFrom(store.States()), rapid.ID).Draw(r, "states")
		})
		maybe("domains", func() {
			f.Domains = rapid.SliceOfDistinct(rapid.SampledFrom([]string{"", "health", "nothing"}), rapid.ID).Draw(r, "domains")
		})
		maybe("id", func() { f.MessageID = "m2" })
		maybe("conv", func() { f.ConversationID = "c1" })
		maybe("peer", func() { f.Peer = "p1" })
		maybe("pmode", func() { f.PMode = "pm2" })
		maybe("party", func() { f.Party = "b" })
		maybe("participant", func() { f.Participant = "x" })
		maybe("any", func() { f.Any = pick(r, "any", "b", "x", "p1", "a2") })
		maybe("service", func() { f.Service = "s1" })
		maybe("action", func() { f.Action = "a1" })
		maybe("since", func() { f.Since = start.Add(2 * time.Hour) })
		maybe("until", func() { f.Until = start.Add(4 * time.Hour) })
		maybe("test", func() { b := true; f.Test = &b })
		page := store.Page{Limit: rapid.IntRange(1, 120).Draw(r, "limit")}
		var want, got []int64
		for _, m := range slices.Backward(all) {
			if matches(f, m) {
				want = append(want, m.ID)
			}
		}
		for {
			l, err := s.List(ctx, f, page)
			if err != nil {
				r.Fatal(err)
			}
			if len(l.Messages) > page.Limit {
				r.Fatalf("%d messages on a page of %d", len(l.Messages), page.Limit)
			}
			for _, m := range l.Messages {
				got = append(got, m.ID)
			}
			if l.Next == 0 {
				break
			}
			if page.Before != 0 && l.Next >= page.Before {
				r.Fatalf("page before %d leads to %d", page.Before, l.Next)
			}
			page.Before = l.Next
		}
		if !slices.Equal(got, want) {
			r.Fatalf("%+v:\ngot  %v\nwant %v", f, got, want)
		}
	})
}

func TestAListThatLooksAtMuchIsCutAndGoesOn(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	const n = 2*scanMax + 100
	write(t, s, func(tx store.Tx) error {
		for i := range n {
			m := outgoing(fmt.Sprint(i))
			if i == 0 {
				m.Action = "needle"
			}
			if i%1000 == 7 {
				m.State = store.Failed // a second, small heap
			}
			if err := tx.Insert(m); err != nil {
				return err
			}
		}
		return nil
	})
	pages, found := 0, 0
	for before := int64(0); ; pages++ {
		l, err := s.List(ctx, store.Filter{Action: "needle"}, store.Page{Before: before, Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
		found += len(l.Messages)
		if before = l.Next; before == 0 {
			break
		}
	}
	if found != 1 || pages < 2 || pages > 8 {
		t.Errorf("found %d on %d pages", found, pages)
	}
}

// TestAMovingMessageIsListedOnce: whatever state it goes to between the reads of one list.
func TestAMovingMessageIsListedOnce(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	rest, moving := outgoing("rests"), outgoing("moves")
	insert(t, s, rest)
	id := insert(t, s, moving)
	transition(t, s, rest.ID, store.Failed, store.Change{})
	moved := make(chan error, 1)
	go func() {
		for i := range 600 {
			to := [...]store.State{store.Sending, store.Retrying}[i%2]
			if err := s.Write(ctx, func(tx store.Tx) error { return tx.Transition(id, to, store.Change{}) }); err != nil {
				moved <- err
				return
			}
		}
		moved <- nil
	}()
	for {
		l, err := s.List(ctx, store.Filter{Direction: store.Out}, store.Page{})
		if err != nil || len(l.Messages) != 2 || l.Messages[0].ID != id {
			t.Fatalf("%v, %d messages", err, len(l.Messages))
		}
		if _, err := s.Oldest(ctx, store.Out, store.Queued, store.Sending, store.Retrying); err != nil {
			t.Fatal("oldest: ", err)
		}
		select {
		case err := <-moved:
			if err != nil {
				t.Fatal(err)
			}
			return
		default:
		}
	}
}

func TestCountsAndOldest(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	if _, err := s.Oldest(ctx, store.Out, store.Queued); err == nil {
		t.Error("an oldest message in an empty store")
	}
	for i := range 5 {
		m := outgoing(fmt.Sprint(i))
		m.Domain = []string{"health", "justice"}[i%2]
		insert(t, s, m)
		c.Add(time.Minute)
	}
	transition(t, s, 1, store.Failed, store.Change{})
	transition(t, s, 2, store.Sending, store.Change{})
	counts, err := s.Counts(ctx)
	want := []store.Count{
		{Domain: "health", Direction: store.Out, State: store.Queued, N: 2}, {Domain: "health", Direction: store.Out, State: store.Failed, N: 1},
		{Domain: "justice", Direction: store.Out, State: store.Queued, N: 1}, {Domain: "justice", Direction: store.Out, State: store.Sending, N: 1},
	}
	if err != nil || !slices.Equal(counts, want) {
		t.Errorf("counts %v, %v", counts, err)
	}
	for _, x := range []struct {
		states []store.State
		want   int
	}{{[]store.State{store.Queued}, 2}, {[]store.State{store.Queued, store.Sending}, 1}, {nil, 0}} {
		if at, err := s.Oldest(ctx, store.Out, x.states...); err != nil || !at.Equal(start.Add(time.Duration(x.want)*time.Minute)) {
			t.Errorf("oldest of %v: %v, %v", x.states, at, err)
		}
	}
}
