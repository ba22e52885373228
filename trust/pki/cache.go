package pki

import (
	"sync"
	"time"
)

const (
	cacheShards    = 16
	cachePerShard  = 512
	cacheOverShard = cachePerShard / 8 // dropped at once when a shard is full
)

type cacheKey struct {
	fingerprint [32]byte
	purpose     Purpose
	use         use
}

type cacheEntry struct {
	chain       []*Certificate
	from, until time.Time
}

// chainCache remembers good chains. Bad ones are not kept: they are rare, and strangers could fill it.
// Fingerprints are spread evenly, so their first octet picks the shard.
type chainCache [cacheShards]struct {
	mu sync.RWMutex
	m  map[cacheKey]cacheEntry
}

func (c *chainCache) get(k *cacheKey, now time.Time) []*Certificate {
	s := &c[k.fingerprint[0]%cacheShards]
	s.mu.RLock()
	e, ok := s.m[*k]
	s.mu.RUnlock()
	if !ok || now.Before(e.from) || now.After(e.until) {
		return nil
	}
	return e.chain
}

func (c *chainCache) put(k *cacheKey, chain []*Certificate, from, until time.Time) {
	s := &c[k.fingerprint[0]%cacheShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.m == nil {
		s.m = map[cacheKey]cacheEntry{}
	}
	if len(s.m) >= cachePerShard {
		n := 0
		for old := range s.m {
			delete(s.m, old)
			if n++; n == cacheOverShard {
				break
			}
		}
	}
	s.m[*k] = cacheEntry{chain, from, until}
}
