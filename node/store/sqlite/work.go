package sqlite

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/viadukt-eu/viadukt/node/store"
)

// work is the writer's picture of the queue: for each peer a time before which nothing of it is due. The
// rows are the truth; a time here may be too early, never too late. It keeps a peer with a million waiting
// messages, or a thousand peers that wait for their next retry, from being read at each claim.
type work struct {
	peers  [3]map[string]int64 // by direction: no unleased message of the peer is due earlier
	leases [3]int64            // by direction: no lease ends earlier
	stale  bool
}

const never = math.MaxInt64

// load reads the picture from the rows, with one seek for each peer.
func (w *work) load(c *conn) error {
	w.stale = false
	for _, d := range [...]store.Direction{store.In, store.Out} {
		w.peers[d] = make(map[string]int64)
		peer, err := firstPeer(c, `SELECT min(peer) FROM message WHERE direction = ?1 AND leased = 0 AND due IS NOT NULL`, int64(d))
		for err == nil {
			if w.peers[d][peer], err = c.queryInt(nextDueOfPeer, int64(d), peer); err != nil {
				break
			}
			peer, err = firstPeer(c, `SELECT min(peer) FROM message WHERE direction = ?1 AND leased = 0 AND due IS NOT NULL AND peer > ?2`, int64(d), peer)
		}
		if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		end, err := c.queryInt(nextLeaseEnd, int64(d))
		if errors.Is(err, store.ErrNotFound) {
			end, err = never, nil
		}
		if err != nil {
			return err
		}
		w.leases[d] = end
	}
	return nil
}

const nextLeaseEnd = "SELECT min(due) FROM message INDEXED BY message_work WHERE direction = ?1 AND leased = 1 AND due IS NOT NULL"

const nextDueOfPeer = "SELECT min(due) FROM message WHERE direction = ?1 AND leased = 0 AND peer = ?2 AND due IS NOT NULL"

func firstPeer(c *conn, query string, args ...any) (peer string, err error) {
	err = store.ErrNotFound
	qerr := c.query(query, func(v row) error {
		if s, ok := v[0].(string); ok {
			peer, err = s, nil
		}
		return nil
	}, args...)
	if qerr != nil {
		return "", qerr
	}
	return peer, err
}

func (w *work) add(d store.Direction, peer string, at int64) {
	if old, ok := w.peers[d][peer]; !ok || at < old {
		w.peers[d][peer] = at
	}
}

// undo is called when a function is rolled back. Times it added are merely too early; times that a claim
// moved later must be read again.
func (w *work) undo(t *tx) {
	if t.claimed {
		w.stale = true
	}
}

// candidates returns the peers with something due, the longest waiting first.
func (w *work) candidates(d store.Direction, only string, now int64) []string {
	if only != "" {
		if at, ok := w.peers[d][only]; ok && at <= now {
			return []string{only}
		}
		return nil
	}
	var out []string
	for p, at := range w.peers[d] {
		if at <= now {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b string) int {
		return cmp.Or(cmp.Compare(w.peers[d][a], w.peers[d][b]), cmp.Compare(a, b))
	})
	return out
}

// Claim implements store.Store.
func (s *Store) Claim(ctx context.Context, r store.ClaimRequest) ([]*store.Message, error) {
	if r.Limit <= 0 {
		return nil, nil
	}
	if r.Direction != store.In && r.Direction != store.Out {
		return nil, fmt.Errorf("sqlite: claim: %s", r.Direction)
	}
	if r.Owner == "" || r.Lease <= 0 {
		return nil, errors.New("sqlite: claim: a lease needs an owner and a duration")
	}
	if r.Now.IsZero() {
		r.Now = s.clock()
	}
	var out []*store.Message
	err := s.Write(ctx, func(stx store.Tx) (err error) {
		out, err = stx.(*tx).claim(r)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, s.fillAll(context.WithoutCancel(ctx), out) // whoever holds the leases must learn of them
}

// claim leases due messages. Each peer first gets an equal share of the limit, so that the queue of one
// does not push out the others; what is left goes to those who have more.
func (t *tx) claim(r store.ClaimRequest) ([]*store.Message, error) {
	w := &t.w.work
	if w.stale {
		if err := w.load(t.w.c); err != nil {
			return nil, t.done("read queue", err)
		}
	}
	t.claimed = true
	now := ms(r.Now)
	if err := t.expire(r.Direction, now, now); err != nil {
		return nil, err
	}
	var out []*store.Message
	peers := w.candidates(r.Direction, r.Peer, now)
	for round := 0; round < 2 && len(out) < r.Limit; round++ {
		for i, peer := range peers {
			left := r.Limit - len(out)
			if left == 0 {
				break
			}
			share := left
			if round == 0 {
				share = max(1, left/(len(peers)-i))
			}
			got, err := t.claimPeer(r, peer, now, share)
			if err != nil {
				return nil, err
			}
			out = append(out, got...)
		}
	}
	// A limit on a peer leaves due work behind: those who ask again soon find it, so only an unlimited
	// full answer wakes the next worker.
	if len(out) == r.Limit {
		t.ready[r.Direction] = true
	}
	slices.SortFunc(out, func(a, b *store.Message) int { return cmp.Compare(a.ID, b.ID) })
	return out, nil
}

// expire gives back the messages whose lease ended up to a time. They are due at once.
func (t *tx) expire(d store.Direction, upTo, now int64) error {
	w := &t.w.work
	if w.leases[d] > upTo {
		return nil
	}
	next := int64(never)
	type lapsed struct {
		id, due int64
		peer    string
	}
	var gone []lapsed
	err := t.w.c.query("SELECT id, due, peer FROM message INDEXED BY message_work WHERE direction = ?1 AND leased = 1 AND due IS NOT NULL",
		func(v row) error {
			if due := v[1].(int64); due > upTo {
				next = min(next, due)
			} else {
				gone = append(gone, lapsed{v[0].(int64), min(due, now), v.text(2)})
			}
			return nil
		}, int64(d))
	if err != nil {
		return t.done("read leases", err)
	}
	for _, g := range gone {
		if _, err := t.exec("end lease", "UPDATE message SET leased = 0, lease_owner = NULL, due = ?2 WHERE id = ?1", g.id, g.due); err != nil {
			return err
		}
		w.add(d, g.peer, g.due)
	}
	w.leases[d] = next
	return nil
}

func (t *tx) claimPeer(r store.ClaimRequest, peer string, now int64, n int) ([]*store.Message, error) {
	d := int64(r.Direction)
	if r.PerPeer != nil {
		if most := r.PerPeer(peer); most >= 0 {
			held, err := t.w.c.queryInt("SELECT count(*) FROM message WHERE direction = ?1 AND leased = 1 AND peer = ?2 AND due IS NOT NULL", d, peer)
			if err != nil {
				return nil, t.done("count leases", err)
			}
			n = min(n, most-int(held))
		}
	}
	if n <= 0 {
		return nil, nil
	}
	var out []*store.Message
	var events []int64
	err := t.w.c.query("SELECT "+columns+` FROM message WHERE direction = ?1 AND leased = 0 AND peer = ?2 AND due IS NOT NULL AND due <= ?3
		ORDER BY due LIMIT ?4`, func(v row) error {
		out, events = append(out, scan(v)), append(events, v[eventsColumn].(int64))
		return nil
	}, d, peer, now, int64(n))
	if err != nil {
		return nil, t.done("read queue", err)
	}
	until := r.Now.Add(r.Lease).Truncate(time.Millisecond).UTC()
	for i, m := range out {
		if err := t.lease(m, events[i], r.Owner, until, fromMS(now)); err != nil {
			return nil, err
		}
	}
	next, err := t.w.c.queryInt(nextDueOfPeer, d, peer)
	switch {
	case errors.Is(err, store.ErrNotFound):
		delete(t.w.work.peers[r.Direction], peer)
	case err != nil:
		return nil, t.done("read queue", err)
	default:
		t.w.work.peers[r.Direction][peer] = next
	}
	t.w.work.leases[r.Direction] = min(t.w.work.leases[r.Direction], ms(until))
	return out, nil
}

// lease gives m to owner.
func (t *tx) lease(m *store.Message, events int64, owner string, until, now time.Time) error {
	to := m.State.Claimed(m.Direction)
	recorded := int64(0)
	if to == store.Sending {
		recorded = 1
	}
	if _, err := t.exec("lease", `UPDATE message SET state = ?2, leased = 1, lease_owner = ?3, due = ?4, attempts = attempts + 1, updated = ?5,
		events = events + ?6 WHERE id = ?1`, m.ID, int64(to), owner, ms(until), ms(now), recorded); err != nil {
		return err
	}
	m.Attempts++
	if recorded > 0 {
		if err := t.event(m.ID, events, now, to, m.Attempts, ""); err != nil {
			return err
		}
	}
	if to != m.State {
		t.moved(tallyKey{m.Domain, m.Direction, m.State}, tallyKey{m.Domain, m.Direction, to}, now)
	}
	m.State, m.LeaseOwner, m.LeaseUntil, m.NextAttempt, m.Updated = to, owner, until, time.Time{}, now
	return nil
}

// Advance implements store.Tx.
func (t *tx) Advance(d time.Duration) error {
	for _, change := range [...]string{"UPDATE message SET due = due - ?1 WHERE due IS NOT NULL", "UPDATE task SET due = due - ?1 WHERE dead = 0"} {
		if _, err := t.exec("advance", change, d.Milliseconds()); err != nil {
			return err
		}
	}
	t.claimed = true // what was read is read again should this be undone
	if err := t.w.work.load(t.w.c); err != nil {
		return t.done("read queue", err)
	}
	t.ready[store.In], t.ready[store.Out] = true, true
	return nil
}

// releaseLeases is recovery: the workers of the last run are gone, their messages are due now.
func (s *Store) releaseLeases(ctx context.Context) error {
	return s.Write(ctx, func(stx store.Tx) error {
		t := stx.(*tx)
		for _, d := range [...]store.Direction{store.In, store.Out} {
			if err := t.expire(d, never-1, ms(t.now)); err != nil {
				return err
			}
			for range t.w.work.peers[d] {
				t.ready[d] = true // somebody should look
				break
			}
		}
		return nil
	})
}

// NextDue implements store.Store.
func (s *Store) NextDue(ctx context.Context, d store.Direction, after time.Time) (at time.Time, err error) {
	if d != store.In && d != store.Out {
		return at, fmt.Errorf("sqlite: next due: %s", d)
	}
	err = s.Write(ctx, func(stx store.Tx) error {
		t := stx.(*tx)
		w, from := &t.w.work, ms(after)
		next := int64(never)
		for peer, due := range w.peers[d] {
			if due <= from { // work that Claim left, or that came since; what of this peer is later?
				var err error
				if due, err = t.w.c.queryInt(nextDueOfPeer+" AND due > ?3", int64(d), peer, from); errors.Is(err, store.ErrNotFound) {
					continue
				} else if err != nil {
					return t.done("read queue", err)
				}
			}
			next = min(next, due)
		}
		end := w.leases[d]
		if end <= from {
			var err error
			if end, err = t.w.c.queryInt(nextLeaseEnd+" AND due > ?2", int64(d), from); errors.Is(err, store.ErrNotFound) {
				end = never
			} else if err != nil {
				return t.done("read leases", err)
			}
		}
		next = min(next, end)
		if next == never {
			return store.ErrNotFound
		}
		at = fromMS(next)
		return nil
	})
	return at, err
}
