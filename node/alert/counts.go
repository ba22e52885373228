package alert

import (
	"sync"
	"time"
)

// counts are events by the minute. Memory is bounded: of more keys than there is room for, the rest is counted together.
type counts struct {
	mu sync.Mutex
	m  map[counted]*minutes
}

type counted struct {
	e   Event
	key string
}

type minutes struct{ list []minute }

type minute struct {
	at int64 // since 1970
	n  int64
}

const (
	countedMost = 1000
	countedAge  = 24 * 60 // minutes, the longest window
)

func (c *counts) add(e Event, key string, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := counted{e, key}
	m := c.m[k]
	if m == nil {
		if len(c.m) >= countedMost {
			c.prune(at.Unix() / 60)
		}
		if len(c.m) >= countedMost {
			k.key = ""
			m = c.m[k]
		}
		if m == nil {
			m = &minutes{}
			c.m[k] = m
		}
	}
	now := at.Unix() / 60
	if last := len(m.list) - 1; last >= 0 && m.list[last].at >= now {
		m.list[last].n++
		return
	}
	if len(m.list) > 0 && m.list[0].at < now-countedAge {
		m.list = append(m.list[:0], m.list[1:]...)
	}
	m.list = append(m.list, minute{now, 1})
}

func (c *counts) prune(now int64) {
	for k, m := range c.m {
		if m.list[len(m.list)-1].at < now-countedAge {
			delete(c.m, k)
		}
	}
}

// sum counts what happened within a time, by key.
func (c *counts) sum(e Event, within time.Duration, now time.Time) map[string]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	first := now.Add(-within).Unix()/60 + 1
	out := map[string]int64{}
	for k, m := range c.m {
		if k.e != e {
			continue
		}
		for i := len(m.list) - 1; i >= 0 && m.list[i].at >= first; i-- {
			out[k.key] += m.list[i].n
		}
	}
	return out
}

func total(m map[string]int64) (n int64) {
	for _, v := range m {
		n += v
	}
	return n
}
