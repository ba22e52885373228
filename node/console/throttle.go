package console

import (
	"container/list"
	"sync"
	"time"
)

// throttle slows down guessing: after some failures of one user, or from one address, each further one makes the next
// attempt wait longer. An attempt counts as failed from its start, so that many at once gain nothing.
//
// Memory is bounded: what was not used for longest is forgotten when the table is full. To push an entry out takes
// thousands of attempts, each of which costs a password hash.
type throttle struct {
	clock func() time.Time
	mu    sync.Mutex
	user  counters
	addr  counters
}

// limits of one table.
type limits struct {
	free int           // attempts without a pause
	most time.Duration // no pause is longer
}

var (
	perUser    = limits{5, time.Minute} // longer would let a stranger lock out somebody
	perAddress = limits{20, 15 * time.Minute}
)

const (
	throttleEntries = 4096
	throttleForget  = time.Hour // failures count no longer
)

type counters struct {
	limits
	m   map[string]*list.Element
	lru *list.List // of *counter, the last used first
}

type counter struct {
	key      string
	failures int
	last     time.Time
	until    time.Time
}

func newThrottle(clock func() time.Time) *throttle {
	return &throttle{clock: clock, user: newCounters(perUser), addr: newCounters(perAddress)}
}

func newCounters(l limits) counters {
	return counters{limits: l, m: map[string]*list.Element{}, lru: list.New()}
}

// attempt asks whether an attempt may be made now. It counts as failed until succeeded is called.
func (t *throttle) attempt(user, address string) (wait time.Duration, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.clock()
	u, a := t.user.get(user, now), t.addr.get(address, now)
	if wait = max(u.until.Sub(now), a.until.Sub(now)); wait > 0 {
		return wait, false
	}
	t.user.fail(u, now)
	t.addr.fail(a, now)
	return 0, true
}

// succeeded forgets the failures of a user, and takes back the attempt of the address: whoever knows one password may
// not clear the way for guessing others.
func (t *throttle) succeeded(user, address string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.clock()
	u, a := t.user.get(user, now), t.addr.get(address, now)
	u.failures, u.until = 0, time.Time{}
	a.failures, a.until = max(0, a.failures-1), time.Time{}
}

func (c *counters) get(key string, now time.Time) *counter {
	if e := c.m[key]; e != nil {
		c.lru.MoveToFront(e)
		x := e.Value.(*counter)
		if now.Sub(x.last) > throttleForget {
			x.failures, x.until = 0, time.Time{}
		}
		if now.Before(x.last) { // the clock went back: nobody waits for it to come there again
			x.until, x.last = now.Add(min(c.most, x.until.Sub(x.last))), now
		}
		return x
	}
	if c.lru.Len() >= throttleEntries {
		old := c.lru.Remove(c.lru.Back()).(*counter)
		delete(c.m, old.key)
	}
	x := &counter{key: key, last: now}
	c.m[key] = c.lru.PushFront(x)
	return x
}

func (c *counters) fail(x *counter, now time.Time) {
	x.failures++
	x.last = now
	if over := x.failures - c.free; over >= 0 {
		x.until = now.Add(min(c.most, time.Second<<min(over, 20)))
	}
}
