package sqlite

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/node/store"
)

func claim(t *testing.T, s *Store, r store.ClaimRequest) []*store.Message {
	t.Helper()
	if r.Direction == 0 {
		r.Direction = store.Out
	}
	if r.Owner == "" {
		r.Owner = "worker"
	}
	if r.Lease == 0 {
		r.Lease = time.Minute
	}
	if r.Limit == 0 {
		r.Limit = 100
	}
	got, err := s.Claim(ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func names(ms []*store.Message) []string {
	out := []string{}
	for _, m := range ms {
		out = append(out, m.MessageID)
	}
	return out
}

// queue inserts messages of peers, named peer/number, due at the given offsets.
func queue(t *testing.T, s *Store, peer string, due ...time.Duration) {
	t.Helper()
	for i, d := range due {
		m := outgoing(fmt.Sprintf("%s/%d", peer, i))
		m.Peer, m.NextAttempt = peer, start.Add(d)
		insert(t, s, m)
	}
}

func TestClaimLeasesWhatIsDueOnce(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	queue(t, s, "p", 0, 2*time.Minute, -time.Minute)
	got := claim(t, s, store.ClaimRequest{Owner: "w1"})
	if !slices.Equal(names(got), []string{"p/0", "p/2"}) {
		t.Fatalf("claimed %v", names(got))
	}
	m := got[0]
	if m.State != store.Sending || m.Attempts != 1 || m.LeaseOwner != "w1" || !m.LeaseUntil.Equal(start.Add(time.Minute)) || !m.NextAttempt.IsZero() || string(m.Header) != "header" {
		t.Errorf("claimed as %+v", m)
	}
	if stored := message(t, s, m.ID); stored.State != m.State || stored.LeaseOwner != "w1" || !stored.LeaseUntil.Equal(m.LeaseUntil) || stored.Attempts != 1 {
		t.Errorf("stored as %+v", stored)
	}
	if again := claim(t, s, store.ClaimRequest{}); len(again) != 0 {
		t.Errorf("claimed twice: %v", names(again))
	}
	if e, err := s.Events(ctx, m.ID); err != nil || len(e) != 2 || e[1].State != store.Sending || e[1].Attempt != 1 {
		t.Errorf("events %v, %v", e, err)
	}
	c.Add(2 * time.Minute)
	if got := claim(t, s, store.ClaimRequest{Owner: "w2"}); !slices.Equal(names(got), []string{"p/0", "p/1", "p/2"}) || got[0].Attempts != 2 {
		t.Errorf("after the leases ended and the third became due: %v", names(got))
	}
	err := s.Write(ctx, func(tx store.Tx) error { return tx.Transition(m.ID, store.Sent, store.Change{Owner: "w1"}) })
	is(t, err, store.ErrLeaseLost)
	is(t, s.Write(ctx, func(tx store.Tx) error { return tx.Extend(m.ID, "w1", c.Now()) }), store.ErrLeaseLost)
	write(t, s, func(tx store.Tx) error {
		return errors.Join(
			tx.Extend(m.ID, "w2", c.Now().Add(time.Hour)),
			tx.Transition(m.ID, store.Sending, store.Change{Owner: "w2", KeepLease: true, Detail: "connected"}))
	})
	if m := message(t, s, m.ID); m.LeaseOwner != "w2" || !m.LeaseUntil.Equal(c.Now().Add(time.Hour)) {
		t.Errorf("after an event in the middle: %+v", m)
	}
	transition(t, s, m.ID, store.Sent, store.Change{Owner: "w2"})
	if m := message(t, s, m.ID); m.LeaseOwner != "" || !m.LeaseUntil.IsZero() {
		t.Errorf("after the work: %+v", m)
	}
}

func TestClaimOfIncomingMessagesKeepsTheirState(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	id := insert(t, s, incoming("a", "A"))
	got := claim(t, s, store.ClaimRequest{Direction: store.In})
	if len(got) != 1 || got[0].ID != id || got[0].State != store.Received || got[0].Attempts != 1 {
		t.Fatalf("claimed %v", names(got))
	}
	if len(claim(t, s, store.ClaimRequest{})) != 0 {
		t.Error("it was claimed as outgoing too")
	}
	transition(t, s, id, store.Delivered, store.Change{Owner: "worker"})
	if len(claim(t, s, store.ClaimRequest{Direction: store.In, Now: start.Add(time.Hour)})) != 0 {
		t.Error("delivered twice")
	}
}

func TestAMessageMayBeLeasedFromTheStart(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	m := outgoing("a")
	m.State, m.Attempts, m.LeaseOwner, m.LeaseUntil = store.Sending, 1, "w1", start.Add(time.Minute)
	insert(t, s, m)
	other := outgoing("b")
	insert(t, s, other)
	one := func(string) int { return 1 }
	if got := claim(t, s, store.ClaimRequest{PerPeer: one}); len(got) != 0 {
		t.Errorf("claimed %v beside the one that is leased", names(got))
	}
	if got := claim(t, s, store.ClaimRequest{}); !slices.Equal(names(got), []string{"b"}) {
		t.Errorf("claimed %v", names(got))
	}
	transition(t, s, other.ID, store.Acknowledged, store.Change{})
	c.Add(time.Minute)
	if got := claim(t, s, store.ClaimRequest{Owner: "w2"}); !slices.Equal(names(got), []string{"a"}) || got[0].Attempts != 2 {
		t.Errorf("claimed %v after the lease ended", names(got))
	}
}

func TestATimerOnASentMessageIsWorkToo(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	queue(t, s, "p", 0)
	m := claim(t, s, store.ClaimRequest{})[0]
	transition(t, s, m.ID, store.Sent, store.Change{Next: start.Add(time.Hour), Detail: "receipt awaited"})
	if got := claim(t, s, store.ClaimRequest{}); len(got) != 0 {
		t.Errorf("claimed %v before the time", names(got))
	}
	c.Add(time.Hour)
	got := claim(t, s, store.ClaimRequest{})
	if len(got) != 1 || got[0].State != store.Sent {
		t.Fatalf("claimed %v", got)
	}
}

func TestLimitsOfPeers(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	queue(t, s, "a", 0, 0, 0, 0)
	queue(t, s, "b", 0, 0, 0)
	queue(t, s, "pull:x", 0, 0)
	limit := func(peer string) int {
		return map[string]int{"a": 2, "b": -1, "pull:x": 0}[peer]
	}
	got := claim(t, s, store.ClaimRequest{PerPeer: limit})
	if !slices.Equal(names(got), []string{"a/0", "a/1", "b/0", "b/1", "b/2"}) {
		t.Errorf("claimed %v", names(got))
	}
	if got := claim(t, s, store.ClaimRequest{PerPeer: limit}); len(got) != 0 {
		t.Errorf("beyond the limit: %v", names(got))
	}
	transition(t, s, got[0].ID, store.Acknowledged, store.Change{})
	if got := claim(t, s, store.ClaimRequest{PerPeer: limit}); !slices.Equal(names(got), []string{"a/2"}) {
		t.Errorf("after one was done: %v", names(got))
	}
	if got := claim(t, s, store.ClaimRequest{Peer: "pull:x", Limit: 1}); !slices.Equal(names(got), []string{"pull:x/0"}) {
		t.Errorf("one peer alone: %v", names(got))
	}
	if got := claim(t, s, store.ClaimRequest{Peer: "nobody"}); len(got) != 0 {
		t.Errorf("of nobody: %v", names(got))
	}
}

func TestTheQueueOfOnePeerDoesNotPushOutTheOthers(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	queue(t, s, "big", make([]time.Duration, 50)...)
	queue(t, s, "small", 0, 0)
	queue(t, s, "tiny", 0)
	got := claim(t, s, store.ClaimRequest{Limit: 9})
	n := make(map[string]int)
	for _, m := range got {
		n[m.Peer]++
	}
	if n["big"] != 6 || n["small"] != 2 || n["tiny"] != 1 {
		t.Errorf("claimed %v", n)
	}
	if got := claim(t, s, store.ClaimRequest{Limit: 1000}); len(got) != 44 {
		t.Errorf("%d were left", len(got))
	}
}

func TestWorkersNeverShareAMessage(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	for i := range 10 {
		queue(t, s, fmt.Sprint("peer", i), make([]time.Duration, 20)...)
	}
	var mu sync.Mutex
	owner := make(map[int64]string)
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			me := fmt.Sprint("w", w)
			for {
				got, err := s.Claim(ctx, store.ClaimRequest{Direction: store.Out, Owner: me, Lease: time.Hour, Limit: 7, PerPeer: func(string) int { return 3 }})
				if err != nil {
					t.Error(err)
					return
				}
				if len(got) == 0 {
					mu.Lock()
					done := len(owner) == 200
					mu.Unlock()
					if done {
						return
					}
					continue
				}
				held := make(map[string]int)
				for _, m := range got {
					held[m.Peer]++
					mu.Lock()
					if other := owner[m.ID]; other != "" {
						t.Errorf("message %d for %s and %s", m.ID, other, me)
					}
					owner[m.ID] = me
					mu.Unlock()
					if err := s.Write(ctx, func(tx store.Tx) error {
						return tx.Transition(m.ID, store.Acknowledged, store.Change{Owner: me})
					}); err != nil {
						t.Error(err)
					}
				}
				for p, n := range held {
					if n > 3 {
						t.Errorf("%d of %s at once", n, p)
					}
				}
			}
		})
	}
	wg.Wait()
}

func TestNextDue(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	next := func() time.Duration {
		t.Helper()
		at, err := s.NextDue(ctx, store.Out, c.Now())
		if errors.Is(err, store.ErrNotFound) {
			return -1
		}
		if err != nil {
			t.Fatal(err)
		}
		return at.Sub(start)
	}
	if next() != -1 {
		t.Error("something waits in an empty store")
	}
	queue(t, s, "a", 10*time.Minute)
	queue(t, s, "b", 5*time.Minute, 0)
	claim(t, s, store.ClaimRequest{Lease: 7 * time.Minute})
	if got := next(); got != 5*time.Minute {
		t.Errorf("next retry in %v", got)
	}
	c.Add(5 * time.Minute)
	claim(t, s, store.ClaimRequest{Lease: time.Hour})
	if got := next(); got != 7*time.Minute {
		t.Errorf("next lease ends in %v", got)
	}
	_, err := s.NextDue(ctx, 0, start)
	if err == nil {
		t.Error("an answer for no direction")
	}
}

func TestAClaimThatIsUndoneLosesNothing(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	queue(t, s, "a", 0, 0, time.Minute)
	undo := errors.New("undo")
	is(t, s.Write(ctx, func(stx store.Tx) error {
		got, err := stx.(*tx).claim(store.ClaimRequest{Direction: store.Out, Now: start, Owner: "w", Lease: time.Hour, Limit: 10})
		if err != nil || len(got) != 2 {
			t.Errorf("%d, %v", len(got), err)
		}
		return undo
	}), undo)
	if got := claim(t, s, store.ClaimRequest{}); len(got) != 2 {
		t.Errorf("%d left", len(got))
	}
	c.Add(time.Minute)
	if got := claim(t, s, store.ClaimRequest{}); len(got) != 3 {
		t.Errorf("%d after the leases ended", len(got))
	}
}

func TestStartReleasesLeases(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, _ := reopen(t, dir)
	queue(t, s, "a", 0, 0, time.Hour)
	insert(t, s, incoming("in", "A"))
	claim(t, s, store.ClaimRequest{Lease: 24 * time.Hour})
	claim(t, s, store.ClaimRequest{Direction: store.In, Lease: 24 * time.Hour})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, c := reopen(t, dir)
	defer s.Close()
	for _, d := range []store.Direction{store.In, store.Out} {
		select {
		case <-s.Ready(d):
		default:
			t.Errorf("nobody is told of %s work", d)
		}
	}
	if got := claim(t, s, store.ClaimRequest{Owner: "new"}); !slices.Equal(names(got), []string{"a/0", "a/1"}) || got[0].Attempts != 2 {
		t.Errorf("claimed %v", names(got))
	}
	if got := claim(t, s, store.ClaimRequest{Direction: store.In}); len(got) != 1 {
		t.Errorf("claimed %v", names(got))
	}
	if at, err := s.NextDue(ctx, store.Out, c.Now().Add(2*time.Minute)); err != nil || !at.Equal(start.Add(time.Hour)) {
		t.Errorf("the waiting one is due at %v, %v", at, err)
	}
}

func TestClaimRefusesHalfAQuestion(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	for _, r := range []store.ClaimRequest{
		{Direction: 0, Owner: "w", Lease: 1, Limit: 1}, {Direction: store.Out, Lease: 1, Limit: 1}, {Direction: store.Out, Owner: "w", Limit: 1},
	} {
		if _, err := s.Claim(ctx, r); err == nil {
			t.Errorf("%+v was answered", r)
		}
	}
	if got, err := s.Claim(ctx, store.ClaimRequest{}); got != nil || err != nil {
		t.Errorf("no limit: %v, %v", got, err)
	}
}

// TestWorkThatIsPutBackDidNotCount is how a node moves what partners fetch from one queue to the other.
func TestWorkThatIsPutBackDidNotCount(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	queue(t, s, "p", 0)
	m := claim(t, s, store.ClaimRequest{Owner: "w1"})[0]
	write(t, s, func(tx store.Tx) error {
		return tx.Transition(m.ID, store.Queued, store.Change{Owner: "w1", Peer: "pull:q", Next: m.Created, NotTried: true})
	})
	if got := message(t, s, m.ID); got.Attempts != 0 || got.Peer != "pull:q" || got.State != store.Queued || !got.NextAttempt.Equal(m.Created) {
		t.Errorf("put back as %+v", got)
	}
	if got := claim(t, s, store.ClaimRequest{Owner: "w1", PerPeer: func(string) int { return 0 }}); len(got) != 0 {
		t.Errorf("a worker got %v", names(got))
	}
	if got := claim(t, s, store.ClaimRequest{Owner: "w1", Peer: "pull:q", Limit: 1}); len(got) != 1 || got[0].Attempts != 1 {
		t.Errorf("claimed by its channel: %v", got)
	}
}

func TestWhatWaitsComesEarlier(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	queue(t, s, "p", 26*time.Hour, 0)
	queue(t, s, "q", 24*time.Hour)
	leased := claim(t, s, store.ClaimRequest{Lease: 25 * time.Hour})
	if !slices.Equal(names(leased), []string{"p/1"}) {
		t.Fatal(names(leased))
	}
	task, dead := store.Task{Queue: "push", Kind: "tell", Due: start.Add(25 * time.Hour), Created: start}, store.Task{Queue: "push", Kind: "tell", Due: start.Add(25 * time.Hour), Created: start, Dead: true}
	write(t, s, func(tx store.Tx) error { return errors.Join(tx.PutTask(&task), tx.PutTask(&dead)) })
	undone := errors.New("undone")
	if err := s.Write(ctx, func(tx store.Tx) error { return errors.Join(tx.Advance(24*time.Hour), undone) }); !errors.Is(err, undone) {
		t.Fatal(err)
	}
	if got := claim(t, s, store.ClaimRequest{}); len(got) != 0 {
		t.Errorf("what was undone holds: %v", names(got))
	}
	write(t, s, func(tx store.Tx) error { return tx.Advance(24 * time.Hour) })
	if got := claim(t, s, store.ClaimRequest{Owner: "w2"}); !slices.Equal(names(got), []string{"q/0"}) {
		t.Errorf("at once: %v", names(got))
	}
	if at, err := s.NextTask(ctx, "push"); err != nil || !at.Equal(start.Add(time.Hour)) {
		t.Errorf("task: %v %v", at, err)
	}
	c.Add(90 * time.Minute)
	if got := claim(t, s, store.ClaimRequest{Owner: "w3"}); !slices.Equal(names(got), []string{"p/1", "q/0"}) {
		t.Errorf("leases that ended: %v", names(got))
	}
	c.Add(30 * time.Minute)
	if got := claim(t, s, store.ClaimRequest{Owner: "w4"}); !slices.Contains(names(got), "p/0") {
		t.Errorf("later: %v", names(got))
	}
}
