package sqlite

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/viadukt-eu/viadukt/node/store"
)

// modelMessage is what the model knows of a message that is not done.
type modelMessage struct {
	peer   string
	due    time.Time
	leased bool
}

// TestTheQueueDoesWhatAModelSays runs random work against a queue that is a map.
func TestTheQueueDoesWhatAModelSays(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		dir := t.TempDir()
		s, c := reopen(t, dir)
		defer func() { s.Close() }()
		model := make(map[int64]*modelMessage)
		n := 0
		pickLeased := func() (int64, bool) {
			var ids []int64
			for id, m := range model {
				if m.leased {
					ids = append(ids, id)
				}
			}
			slices.Sort(ids)
			if len(ids) == 0 {
				return 0, false
			}
			return rapid.SampledFrom(ids).Draw(r, "leased"), true
		}
		offset := func() time.Duration { return time.Duration(rapid.IntRange(-2, 5).Draw(r, "minutes")) * time.Minute }
		must := func(err error) {
			if err != nil {
				r.Fatal(err)
			}
		}
		dueNow := func() map[string]int {
			out := make(map[string]int)
			for _, m := range model {
				if !m.due.After(c.Now()) {
					out[m.peer]++
				}
			}
			return out
		}
		held := func(peer string) (k int) {
			for _, m := range model {
				if m.leased && m.peer == peer && m.due.After(c.Now()) {
					k++
				}
			}
			return k
		}
		r.Repeat(map[string]func(*rapid.T){
			"insert": func(r *rapid.T) {
				n++
				m := outgoing(fmt.Sprint(n))
				m.Peer, m.NextAttempt = rapid.SampledFrom([]string{"a", "b", "c"}).Draw(r, "peer"), c.Now().Add(offset())
				must(s.Write(ctx, func(tx store.Tx) error { return tx.Insert(m) }))
				model[m.ID] = &modelMessage{peer: m.Peer, due: m.NextAttempt}
			},
			"insert in vain": func(r *rapid.T) {
				m := outgoing("vain")
				m.Peer, m.NextAttempt = "a", c.Now().Add(offset())
				undo := errors.New("undo")
				if err := s.Write(ctx, func(tx store.Tx) error { return errors.Join(tx.Insert(m), undo) }); !errors.Is(err, undo) {
					r.Fatal(err)
				}
			},
			"claim": func(r *rapid.T) {
				limit := rapid.SampledFrom([]int{1, 3, 1000}).Draw(r, "limit")
				perPeer := rapid.SampledFrom([]int{-1, 2}).Draw(r, "per peer")
				want := 0
				for peer, k := range dueNow() {
					if perPeer >= 0 {
						k = min(k, max(0, perPeer-held(peer)))
					}
					want += k
				}
				until := c.Now().Add(3 * time.Minute)
				got, err := s.Claim(ctx, store.ClaimRequest{
					Direction: store.Out, Owner: "w", Lease: 3 * time.Minute, Limit: limit, PerPeer: func(string) int { return perPeer },
				})
				must(err)
				if len(got) != min(limit, want) {
					r.Fatalf("claimed %d of %d with limit %d", len(got), want, limit)
				}
				for _, m := range got {
					k := model[m.ID]
					if k == nil || k.due.After(c.Now()) {
						r.Fatalf("message %d was not due", m.ID)
					}
					k.leased, k.due = true, until
				}
			},
			"finish": func(r *rapid.T) {
				if id, ok := pickLeased(); ok {
					must(s.Write(ctx, func(tx store.Tx) error { return tx.Transition(id, store.Acknowledged, store.Change{}) }))
					delete(model, id)
				}
			},
			"retry": func(r *rapid.T) {
				if id, ok := pickLeased(); ok {
					next := c.Now().Add(offset())
					must(s.Write(ctx, func(tx store.Tx) error { return tx.SetRetry(id, next, store.Problem{}, "") }))
					model[id].leased, model[id].due = false, next
				}
			},
			"extend": func(r *rapid.T) {
				if id, ok := pickLeased(); ok && model[id].due.After(c.Now()) {
					next := c.Now().Add(10 * time.Minute)
					must(s.Write(ctx, func(tx store.Tx) error { return tx.Extend(id, "w", next) }))
					model[id].due = next
				}
			},
			"move to another peer": func(r *rapid.T) {
				if id, ok := pickLeased(); ok {
					must(s.Write(ctx, func(tx store.Tx) error { return tx.Transition(id, store.Queued, store.Change{Peer: "d"}) }))
					*model[id] = modelMessage{peer: "d", due: c.Now()}
				}
			},
			"delete": func(r *rapid.T) {
				if id, ok := pickLeased(); ok {
					must(s.Write(ctx, func(tx store.Tx) error { return tx.Delete(id) }))
					delete(model, id)
				}
			},
			"wait": func(r *rapid.T) { c.Add(time.Duration(rapid.IntRange(1, 4).Draw(r, "wait")) * time.Minute) },
			"start again": func(r *rapid.T) {
				must(s.Close())
				now := c.Now()
				s, c = reopen(t, dir)
				// The clock of the new store starts earlier: leases end at the store's own start.
				for _, m := range model {
					if m.leased {
						m.leased, m.due = false, c.Now()
					}
				}
				c.Add(now.Sub(c.Now()))
			},
			"": func(r *rapid.T) {
				at, err := s.NextDue(ctx, store.Out, c.Now())
				if err != nil && !errors.Is(err, store.ErrNotFound) {
					r.Fatal(err)
				}
				for id, m := range model {
					if m.due.After(c.Now()) && (err != nil || at.After(m.due)) {
						r.Fatalf("message %d is due at %v, the next is said to be due at %v (%v)", id, m.due, at, err)
					}
				}
				if err == nil && !at.After(c.Now()) {
					r.Fatalf("next due %v is not later than now", at)
				}
			},
		})
		must(s.Close())
		checkFile(t, dir)
	})
}
