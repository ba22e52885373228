package sqlite

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/viadukt-eu/viadukt/node/store"
)

func piece(t *testing.T, s *Store, octets []byte) (store.PayloadRef, store.PayloadWriter) {
	t.Helper()
	w, err := s.NewPayload()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(octets); err != nil {
		t.Fatal(err)
	}
	ref, err := w.Seal()
	if err != nil {
		t.Fatal(err)
	}
	return ref, w
}

func TestPiecesOfAMessage(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	big, small := bytes.Repeat([]byte("0123456789abcdef"), 2<<10), []byte("the rest")
	g := &store.Group{Key: "in|a|g1", Record: []byte("one")}
	bigRef, w1 := piece(t, s, big)
	smallRef, w2 := piece(t, s, small)
	write(t, s, func(tx store.Tx) error {
		return errors.Join(tx.PutGroup(g),
			tx.PutFragment(g.ID, &store.Fragment{Num: 2, MessageID: "f2", Payload: smallRef, Header: []byte("h2"), Receipt: []byte("r2")}),
			tx.PutFragment(g.ID, &store.Fragment{Num: 1, MessageID: "f1", Payload: bigRef, Header: []byte("h1"), Receipt: []byte("r1")}),
			tx.PutFragment(g.ID, &store.Fragment{Num: 7, MessageID: "f7", Receipt: []byte("r7")}))
	})
	w1.Close()
	w2.Close()
	if n, err := s.Collect(ctx); n != 0 || err != nil {
		t.Errorf("collected %d, %v: a piece is no rubbish", n, err)
	}
	if err := s.Discard(ctx, bigRef); err != nil {
		t.Error(err)
	}
	got, err := s.Group(ctx, "in|a|g1")
	if err != nil || got.ID != g.ID || string(got.Record) != "one" || got.Closed {
		t.Fatalf("%+v, %v", got, err)
	}
	list, err := s.Fragments(ctx, g.ID)
	if err != nil || len(list) != 3 || list[0].Num != 1 || list[1].Num != 2 || list[2].Num != 7 || list[2].Gone || list[2].Payload.Size != 0 {
		t.Fatalf("%+v, %v", list, err)
	}
	for i, want := range [][]byte{big, small} {
		r, err := s.OpenPayload(ctx, list[i].Payload)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(r); err != nil || !bytes.Equal(b, want) {
			t.Errorf("piece %d: %d octets, %v", i+1, len(b), err)
		}
		r.Close()
	}
	write(t, s, func(tx store.Tx) error {
		f, err := tx.Fragment(g.ID, 1)
		if err != nil || string(f.Header) != "h1" || string(f.Receipt) != "r1" || f.MessageID != "f1" {
			t.Errorf("%+v, %v", f, err)
		}
		_, err = tx.Fragment(g.ID, 3)
		is(t, err, store.ErrNotFound)
		_, err = tx.Group("none")
		is(t, err, store.ErrNotFound)
		g.Closed, g.Record = true, []byte("two")
		return errors.Join(tx.PutGroup(g), tx.DropFragments(g.ID))
	})
	if err := s.Discard(ctx, bigRef, smallRef); err != nil {
		t.Error(err)
	}
	if n, err := s.Collect(ctx); n != 0 || err != nil {
		t.Errorf("collected %d, %v: discarded files are gone", n, err)
	}
	_, err = s.OpenPayload(ctx, bigRef)
	is(t, err, store.ErrGone)
	if list, err = s.Fragments(ctx, g.ID); err != nil || len(list) != 3 || !list[0].Gone || !list[1].Gone || list[0].MessageID != "f1" {
		t.Errorf("%+v, %v", list, err)
	}
	if got, err = s.Group(ctx, g.Key); err != nil || !got.Closed || string(got.Record) != "two" {
		t.Errorf("%+v, %v", got, err)
	}
	write(t, s, func(tx store.Tx) error { return tx.DeleteGroup(g.ID) })
	_, err = s.Group(ctx, g.Key)
	is(t, err, store.ErrNotFound)
	if list, err = s.Fragments(ctx, g.ID); err != nil || len(list) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestGroupsRefuseWhatCannotBe(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	write(t, s, func(tx store.Tx) error { return tx.PutGroup(&store.Group{Key: "k", Record: []byte{}}) })
	for name, do := range map[string]func(store.Tx) error{
		"no key":               func(tx store.Tx) error { return tx.PutGroup(&store.Group{Record: []byte{}}) },
		"a key twice":          func(tx store.Tx) error { return tx.PutGroup(&store.Group{Key: "k", Record: []byte{}}) },
		"a group that is gone": func(tx store.Tx) error { return tx.PutGroup(&store.Group{ID: 99, Key: "x", Record: []byte{}}) },
		"to delete it":         func(tx store.Tx) error { return tx.DeleteGroup(99) },
		"a number too high":    func(tx store.Tx) error { return tx.PutFragment(1, &store.Fragment{Num: store.MaxFragments + 1}) },
		"a number below zero":  func(tx store.Tx) error { return tx.PutFragment(1, &store.Fragment{Num: -1}) },
	} {
		if err := s.Write(ctx, do); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

func TestADamagedPieceIsFound(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	g := &store.Group{Key: "k", Record: []byte{}}
	ref, w := piece(t, s, []byte("octets"))
	ref.SHA256[0]++
	write(t, s, func(tx store.Tx) error {
		return errors.Join(tx.PutGroup(g), tx.PutFragment(g.ID, &store.Fragment{Num: 3, MessageID: "f", Payload: ref}))
	})
	w.Close()
	var found []string
	if err := s.VerifyData(ctx, func(d store.Damage) { found = append(found, fmt.Sprint(d.Message, d.What)) }); err != nil {
		t.Fatal(err)
	}
	if len(found) != 1 || found[0] != fmt.Sprintf("0fragment 3 of group %d", g.ID) {
		t.Errorf("%q", found)
	}
}
