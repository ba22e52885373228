package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/viadukt-eu/viadukt/node/store"
)

func damages(t *testing.T, s *Store) (out []string) {
	t.Helper()
	if err := s.VerifyData(ctx, func(d store.Damage) {
		if !errors.Is(d.Err, store.ErrDamaged) {
			t.Error(d.Err)
		}
		if len(out) > 10 {
			return
		}
		out = append(out, fmt.Sprint(d.Message, " ", d.What))
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestVerifyDataNamesWhatIsDamaged(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	var ms []*store.Message
	for i := range 3 {
		m := outgoing(fmt.Sprint(i))
		m.Payloads = []store.Payload{{PayloadRef: payload(t, s, []byte(fmt.Sprint("small ", i)))}, {PayloadRef: payload(t, s, bytes.Repeat([]byte{byte(i)}, 30_000))}}
		insert(t, s, m)
		write(t, s, func(tx store.Tx) error {
			return tx.PutEvidence(m.ID, store.Evidence{Kind: store.KindReceipt, Octets: []byte("receipt")})
		})
		ms = append(ms, m)
	}
	write(t, s, func(tx store.Tx) error { return tx.DeletePayloads(ms[2].ID) })
	if got := damages(t, s); got != nil {
		t.Fatalf("damage in a sound store: %v", got)
	}
	write(t, s, func(stx store.Tx) error {
		_, err := stx.(*tx).exec("damage", "UPDATE payload SET octets = x'00' WHERE id = ?1", ms[0].ID<<perMessage)
		if err == nil {
			_, err = stx.(*tx).exec("damage", "UPDATE evidence SET octets = x'00' WHERE id = ?1", ms[1].ID<<perMessage)
		}
		return err
	})
	if err := os.Remove(s.spool.Path(ms[1].Payloads[1].SHA256)); err != nil {
		t.Fatal(err)
	}
	if got := damages(t, s); !slices.Equal(got, []string{"1 payload 0", "2 payload 1", "2 evidence 0"}) {
		t.Errorf("got %q", got)
	}
	_, err := s.OpenPayload(ctx, message(t, s, ms[0].ID).Payloads[0].PayloadRef)
	is(t, err, store.ErrDamaged)
	_, err = s.OpenPayload(ctx, ms[1].Payloads[1].PayloadRef)
	is(t, err, store.ErrDamaged)
	ended, cancel := context.WithCancel(ctx)
	cancel()
	is(t, s.VerifyData(ended, func(store.Damage) {}), context.Canceled)
}

func TestRegistry(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	key := func(p, d, g string) store.EntryKey {
		return store.EntryKey{Participant: p, DocType: d, Generation: g}
	}
	write(t, s, func(tx store.Tx) error {
		for _, k := range []store.EntryKey{key("p::2", "d::b", "g1"), key("p::1", "d::b", "g1"), key("p::1", "d::a", "g1"), key("p::1", "d::a", "g2"), key("p::1", "", "g1"), key("p::3", "", "g1")} {
			if err := tx.PutEntry(store.Entry{EntryKey: k, Octets: []byte(k.DocType), Source: []byte("src")}); err != nil {
				return err
			}
		}
		return nil
	})
	e, err := s.Entry(ctx, key("p::1", "d::a", "g1"))
	if err != nil || string(e.Octets) != "d::a" || string(e.Source) != "src" || e.ETag == "" || !e.Updated.Equal(start) {
		t.Fatalf("%+v, %v", e, err)
	}
	c.Add(1e9)
	write(t, s, func(tx store.Tx) error {
		return tx.PutEntry(store.Entry{EntryKey: e.EntryKey, Octets: []byte("new"), ETag: "tag"})
	})
	if n, err := s.Entry(ctx, e.EntryKey); err != nil || string(n.Octets) != "new" || n.ETag != "tag" || n.Source != nil || !n.Updated.After(start) {
		t.Errorf("after it was replaced: %+v, %v", n, err)
	}
	list, err := s.Entries(ctx, "p::1")
	var keys []store.EntryKey
	for _, e := range list {
		keys = append(keys, e.EntryKey)
	}
	if want := []store.EntryKey{key("p::1", "", "g1"), key("p::1", "d::a", "g1"), key("p::1", "d::b", "g1"), key("p::1", "d::a", "g2")}; !slices.Equal(keys, want) || err != nil {
		t.Errorf("entries %v, %v", keys, err)
	}
	for _, x := range []struct {
		after string
		limit int
		want  []string
	}{{"", 10, []string{"p::1", "p::2", "p::3"}}, {"", 2, []string{"p::1", "p::2"}}, {"p::1", 1, []string{"p::2"}}, {"p::3", 5, nil}, {"", 0, nil}} {
		if got, err := s.Participants(ctx, x.after, x.limit); !slices.Equal(got, x.want) || err != nil {
			t.Errorf("participants after %q: %v, %v", x.after, got, err)
		}
	}
	write(t, s, func(tx store.Tx) error { return tx.DeleteEntry(e.EntryKey) })
	_, err = s.Entry(ctx, e.EntryKey)
	is(t, err, store.ErrNotFound)
	is(t, s.Write(ctx, func(tx store.Tx) error { return tx.DeleteEntry(e.EntryKey) }), store.ErrNotFound)
	if err := s.Write(ctx, func(tx store.Tx) error { return tx.PutEntry(store.Entry{}) }); err == nil {
		t.Error("an entry of nobody")
	}
}

func TestTokensAndMeta(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	a := store.Token{ID: "a", Hash: [32]byte{1}, Name: "back office", Scopes: []string{"messages", "admin"}, Created: start, Expires: start.AddDate(1, 0, 0)}
	b := store.Token{ID: "b", Hash: [32]byte{2}, Created: start}
	write(t, s, func(tx store.Tx) error { return errors.Join(tx.PutToken(b), tx.PutToken(a)) })
	got, err := s.TokenByHash(ctx, a.Hash)
	if d := cmp.Diff(&a, got); d != "" || err != nil {
		t.Errorf("token (-want +got):\n%s\n%v", d, err)
	}
	if all, err := s.ListTokens(ctx); err != nil || len(all) != 2 || all[0].ID != "a" || !all[1].Expires.IsZero() {
		t.Errorf("tokens %v, %v", all, err)
	}
	write(t, s, func(tx store.Tx) error { return tx.DeleteToken("a") })
	_, err = s.TokenByHash(ctx, a.Hash)
	is(t, err, store.ErrNotFound)
	is(t, s.Write(ctx, func(tx store.Tx) error { return tx.DeleteToken("a") }), store.ErrNotFound)
	for _, bad := range []store.Token{{ID: "c"}, {Hash: [32]byte{3}}, {ID: "c", Hash: [32]byte{3}, Scopes: []string{"a b"}}, {ID: "c", Hash: [32]byte{2}}} {
		if err := s.Write(ctx, func(tx store.Tx) error { return tx.PutToken(bad) }); err == nil {
			t.Errorf("%+v is accepted", bad)
		}
	}

	_, err = s.Meta(ctx, "k")
	is(t, err, store.ErrNotFound)
	write(t, s, func(tx store.Tx) error { return errors.Join(tx.SetMeta("k", "1"), tx.SetMeta("k", "")) })
	if v, err := s.Meta(ctx, "k"); v != "" || err != nil {
		t.Errorf("%q, %v", v, err)
	}
}
