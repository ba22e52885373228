package sqlite

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/viadukt-eu/viadukt/node/store"
)

func TestTrafficIsCountedByTheHour(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	hour := start.Truncate(time.Hour)
	a, b := outgoing("a@x"), outgoing("b@x")
	insert(t, s, a)
	insert(t, s, b)
	late := incoming("c@x", "them")
	late.Created = start.Add(-26 * time.Hour)
	insert(t, s, late)
	undone := errors.New("undone")
	if err := s.Write(ctx, func(tx store.Tx) error { return errors.Join(tx.Insert(outgoing("d@x")), undone) }); !errors.Is(err, undone) {
		t.Fatal(err)
	}
	c.Add(time.Hour)
	write(t, s, func(tx store.Tx) error {
		return errors.Join(tx.Transition(a.ID, store.Acknowledged, store.Change{}), tx.Transition(b.ID, store.Failed, store.Change{}),
			tx.Transition(late.ID, store.Delivered, store.Change{Time: start}))
	})
	write(t, s, func(tx store.Tx) error { return tx.Delete(a.ID) }) // what was is not undone by deletion
	got, err := s.Hours(ctx, start.Add(-24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	want := []store.Hour{
		{Start: hour, Direction: store.In, State: store.Delivered, N: 1},
		{Start: hour, Direction: store.Out, State: 0, N: 2},
		{Start: hour.Add(time.Hour), Direction: store.Out, State: store.Acknowledged, N: 1},
		{Start: hour.Add(time.Hour), Direction: store.Out, State: store.Failed, N: 1},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if got, err = s.Hours(ctx, start.Add(-48*time.Hour)); err != nil || len(got) != 5 || got[0].N != 1 || got[0].Start != hour.Add(-26*time.Hour) {
		t.Errorf("two days: %v, %v", got, err)
	}
}

func TestWhatWaitsIsToldByPeer(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	for i, peer := range []string{"b.example", "a.example", "b.example", "b.example", "c.example"} {
		m := outgoing(fmt.Sprint(i, "@x"))
		m.Peer, m.NextAttempt = peer, start.Add(time.Duration(i)*time.Minute)
		insert(t, s, m)
	}
	c.Add(time.Minute / 2)
	if got, err := s.Claim(ctx, store.ClaimRequest{Direction: store.Out, Owner: "w", Lease: time.Hour, Limit: 1}); err != nil || len(got) != 1 || got[0].Peer != "b.example" {
		t.Fatalf("%v, %v", got, err)
	}
	a := store.Waiting{Peer: "a.example", N: 1, Due: start.Add(time.Minute)}
	b := store.Waiting{Peer: "b.example", N: 2, Leased: 1, Due: start.Add(2 * time.Minute)}
	last := store.Waiting{Peer: "c.example", N: 1, Due: start.Add(4 * time.Minute)}
	for _, q := range []struct {
		name  string
		d     store.Direction
		after string
		limit int
		want  []store.Waiting
	}{
		{"all peers in order", store.Out, "", 10, []store.Waiting{a, b, last}},
		{"the first page", store.Out, "", 2, []store.Waiting{a, b}},
		{"the next page", store.Out, "b.example", 2, []store.Waiting{last}},
		{"the other direction", store.In, "", 10, nil},
		{"nothing asked for", store.Out, "", 0, nil},
	} {
		got, err := s.WaitingPeers(ctx, q.d, q.after, q.limit)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(q.want, got); d != "" {
			t.Errorf("%s: %s", q.name, d)
		}
	}
	if _, err := s.WaitingPeers(ctx, 0, "", 1); err == nil {
		t.Error("no direction is taken for one")
	}
}
