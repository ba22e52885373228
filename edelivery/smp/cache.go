package smp

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/ids"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// resource is one answer that was found good.
type resource struct {
	group  *ServiceGroup
	signed *Signed
	url    string // where it came from
	size   int    // octets it keeps in memory, about
	until  time.Time
	cached bool
}

// cacheBytes bounds the documents that the cache keeps alive.
const cacheBytes = 64 << 20

// cache holds good answers, and sees to it that one question is under way only once.
type cache struct {
	mu      sync.Mutex
	entries map[string]*resource
	bytes   int
	flights map[string]*flight
}

type flight struct {
	done    chan struct{}
	res     *resource
	err     error
	aborted bool // the asking caller gave up, which says nothing about the answer
}

// resource returns the cached answer, waits for the same question of another caller, or asks. No failure is cached; a
// failure of a question that was answered before drops the old answer.
func (c *Client) resource(ctx context.Context, key string, ask func(context.Context) (*resource, error)) (*resource, error) {
	for {
		r, f, mine := c.cache.join(key, c.now())
		switch {
		case r != nil:
			// The signer may have expired, or its anchor been taken away, since then. For a known one this costs nothing.
			if r.signed == nil || c.stillTrusted(ctx, r.signed) {
				return r, nil
			}
			c.cache.drop(key)
		case mine:
			return c.fly(ctx, key, f, ask)
		default:
			select {
			case <-f.done:
			case <-ctx.Done():
				return nil, &ResponseError{Err: errors.Join(ErrUnavailable, ctx.Err())}
			}
			if !f.aborted {
				return f.res, f.err
			}
		}
	}
}

func (c *Client) fly(ctx context.Context, key string, f *flight, ask func(context.Context) (*resource, error)) (*resource, error) {
	defer c.cache.land(key, f)
	f.aborted = true // what waiters see when ask panics
	f.res, f.err = ask(ctx)
	f.aborted = f.err != nil && ctx.Err() != nil
	if f.err == nil && c.TTL >= 0 {
		ttl := c.TTL
		if ttl == 0 {
			ttl = 5 * time.Minute
		}
		kept := *f.res
		kept.until, kept.cached = c.now().Add(ttl), true
		c.cache.put(key, &kept)
	}
	return f.res, f.err
}

func (c *Client) stillTrusted(ctx context.Context, s *Signed) bool {
	_, err := c.Trust.VerifyContext(ctx, s.Signer, s.Chain[1:], pki.PurposeSMP)
	return err == nil
}

// Flush forgets every answer about the participant. Call it when a delivery to an endpoint failed: the record may be old.
func (c *Client) Flush(p ids.Participant) {
	c.cache.mu.Lock()
	defer c.cache.mu.Unlock()
	who := p.Normalized().String()
	for key := range c.cache.entries {
		if parts := strings.Split(key, "\x00"); len(parts) > 2 && parts[2] == who {
			c.cache.remove(key)
		}
	}
}

// join returns a good entry, or the flight for the key, which is the caller's own when mine.
func (c *cache) join(key string, now time.Time) (r *resource, f *flight, mine bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.entries[key]; r != nil {
		if now.Before(r.until) {
			return r, nil, false
		}
		c.remove(key)
	}
	if f := c.flights[key]; f != nil {
		return nil, f, false
	}
	f = &flight{done: make(chan struct{})}
	if c.flights == nil {
		c.flights, c.entries = map[string]*flight{}, map[string]*resource{}
	}
	c.flights[key] = f
	return nil, f, true
}

func (c *cache) land(key string, f *flight) {
	c.mu.Lock()
	delete(c.flights, key)
	c.mu.Unlock()
	close(f.done)
}

// put makes room by dropping entries in the map's random order: no list to keep, and no order that a stranger could
// use to drive out one certain entry.
func (c *cache) put(key string, r *resource) {
	c.mu.Lock()
	defer c.mu.Unlock()
	cost := entryCost(key, r)
	c.remove(key)
	for old := range c.entries {
		if c.bytes+cost <= cacheBytes {
			break
		}
		c.remove(old)
	}
	c.entries[key] = r
	c.bytes += cost
}

func (c *cache) drop(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(key)
}

func (c *cache) remove(key string) {
	if r := c.entries[key]; r != nil {
		c.bytes -= entryCost(key, r)
		delete(c.entries, key)
	}
}

// entryCost estimates the document with its arena and what was read from it.
func entryCost(key string, r *resource) int { return 4*r.size + len(key) + 1024 }
