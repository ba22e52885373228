package bdxl

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/viadukt-eu/viadukt/edelivery/ids"
)

// Resolver looks participants up in one zone. Fill in the fields, then use it from any number of goroutines;
// do not copy it after.
type Resolver struct {
	Zone     string   // for example participant.sml.example.org
	Kind     Kind     // label function
	Services []string // default ServiceSMP
	Servers  []string // DNS servers: address or address:port, asked in this order
	DNSSEC   DNSSEC
	URI      URIRules

	// Timeout bounds one attempt with one server. Default 2 s. The context bounds the whole lookup.
	Timeout time.Duration
	// Referrals lets the resolver follow delegations by itself, for Servers that are authoritative and do not recurse.
	Referrals bool
	Dialer    Dialer           // default net.Dialer
	Clock     func() time.Time // default time.Now
	// CacheSize bounds the answers kept, good and bad. Default 10,000; negative turns the cache off.
	CacheSize int

	cache cache
}

// Lookup finds the base address of the participant's metadata publisher. The error is one of this package's,
// as *Error; the result then still holds the name, the records and the steps. What results hold is shared:
// it must not be changed.
//
// Equal lookups at one time are made once. Answers are kept for their TTL, at most an hour; that nothing is
// registered for at most a minute; trouble not at all.
func (r *Resolver) Lookup(ctx context.Context, p ids.Participant) (*Result, error) {
	t := &trace{now: r.Clock}
	if t.now == nil {
		t.now = time.Now
	}
	start := t.start()
	name, err := Name(r.Kind, p, r.Zone)
	if err != nil {
		t.add("name", start, false, err.Error())
		return &Result{Steps: t.steps}, &Error{Name: p.String(), Err: ErrLabel, Detail: err.Error()}
	}
	services := r.Services
	if len(services) == 0 {
		services = defaultServices
	}
	if r.CacheSize < 0 {
		t.add("name", start, true, name)
		return r.lookup(ctx, t, p, name, services)
	}
	key := name
	if len(r.Services) > 0 {
		key += "\x00" + strings.ToLower(strings.Join(services, "\x00"))
	}
	for {
		e, mine := r.cache.enter(key, t.now(), r.size())
		if mine {
			t.add("name", start, true, name)
			res, err := r.lookup(ctx, t, p, name, services)
			kept := *res
			r.cache.leave(key, e, &kept, err, t.now())
			return res, err
		}
		select {
		case <-e.done:
		case <-ctx.Done():
			return &Result{Name: name, Steps: t.steps}, &Error{Name: name, Err: ErrDNS, Detail: ctx.Err().Error(), Cause: ctx.Err(), Retry: true}
		}
		if errors.Is(e.err, context.Canceled) || errors.Is(e.err, context.DeadlineExceeded) {
			continue // the one who asked gave up; that is no answer for us
		}
		res := *e.result
		res.Cached, res.TTL = true, max(0, e.expires.Sub(t.now()))
		res.Steps = []Step{{Name: "cache", OK: e.err == nil, Took: t.now().Sub(start), Detail: name}}
		return &res, e.err
	}
}

// Flush forgets what is known about the participant: to be called when sending shows that cached data are old [PSMP 2.1].
func (r *Resolver) Flush(p ids.Participant) {
	if name, err := Name(r.Kind, p, r.Zone); err == nil {
		r.cache.flush(name)
	}
}

func (r *Resolver) size() int {
	if r.CacheSize == 0 {
		return 10_000
	}
	return r.CacheSize
}

var defaultServices = []string{ServiceSMP}

func (r *Resolver) lookup(ctx context.Context, t *trace, p ids.Participant, name string, services []string) (*Result, error) {
	res := &Result{Name: name, TTL: maxTTL, AD: true}
	var err error
	if r.Kind == LegacyCNAME {
		err = r.lookupLegacy(ctx, t, res)
	} else {
		err = r.lookupNAPTR(ctx, t, p, res, services)
	}
	res.Steps = t.steps
	if r.DNSSEC == DNSSECOff || errors.Is(err, ErrDNS) {
		res.AD = false
	}
	return res, err
}

func (r *Resolver) lookupNAPTR(ctx context.Context, t *trace, p ids.Participant, res *Result, services []string) error {
	name := res.Name
	for n := 0; ; n++ {
		a, err := r.chase(ctx, t, name, dns.TypeNAPTR)
		res.TTL, res.AD = min(res.TTL, a.ttl), res.AD && a.ad
		if err != nil {
			return err
		}
		start := t.start()
		records := make([]Record, 0, len(a.rrs))
		for _, rr := range a.rrs {
			if naptr, ok := rr.(*dns.NAPTR); ok {
				records = append(records, NewRecord(naptr))
			}
		}
		urls, err := Select(records, p.String(), services, r.URI)
		res.Records = append(res.Records, records...)
		if err == nil {
			res.URL, res.Alternatives = urls[0], urls[1:]
			t.add("naptr", start, true, res.URL)
			return nil
		}
		next := ""
		for i := range records {
			if to, ok := records[i].Next(services); ok {
				next = to
				break
			}
		}
		if next == "" {
			e := &Error{Name: name, Err: err, Detail: verdicts(records)}
			t.add("naptr", start, false, e.Error())
			return e
		}
		if n == maxNonTerminal {
			return t.fail(&Error{Name: name, Err: ErrRecord, Detail: fmt.Sprintf("more than %d records that lead on", maxNonTerminal)})
		}
		t.add("naptr", start, true, "goes on at "+next)
		name = next
	}
}

func verdicts(records []Record) string {
	var b strings.Builder
	for i, r := range records {
		if i == 5 {
			fmt.Fprintf(&b, "; and %d more", len(records)-i)
			break
		}
		if i > 0 {
			b.WriteString("; ")
		}
		fmt.Fprintf(&b, "%q: %s", r.Service, r.Verdict)
	}
	return b.String()
}

// lookupLegacy asks whether the alias leads to an address; the publisher is then at the root of its port 80.
func (r *Resolver) lookupLegacy(ctx context.Context, t *trace, res *Result) error {
	a, err := r.chase(ctx, t, res.Name, dns.TypeA)
	if errors.Is(err, ErrNotRegistered) {
		negative := a.ttl
		if a, err = r.chase(ctx, t, res.Name, dns.TypeAAAA); err != nil {
			a.ttl = min(a.ttl, negative)
		}
	}
	res.TTL, res.AD = min(res.TTL, a.ttl), res.AD && a.ad
	if err != nil {
		return err
	}
	for _, rr := range a.rrs {
		var addr netip.Addr
		switch rr := rr.(type) {
		case *dns.A:
			addr, _ = netip.AddrFromSlice(rr.A)
		case *dns.AAAA:
			addr, _ = netip.AddrFromSlice(rr.AAAA)
		}
		if err := r.URI.CheckAddr(addr); err != nil {
			return t.fail(&Error{Name: res.Name, Err: ErrRecord, Detail: err.Error()})
		}
	}
	res.URL = "http://" + strings.TrimSuffix(res.Name, ".")
	return nil
}

// trace collects the steps of one lookup.
type trace struct {
	now   func() time.Time
	steps []Step
}

func (t *trace) start() time.Time { return t.now() }

func (t *trace) add(name string, start time.Time, ok bool, detail string) {
	t.steps = append(t.steps, Step{name, ok, t.now().Sub(start), detail})
}

func (t *trace) fail(err *Error) error {
	t.add("dns", t.start(), false, err.Error())
	return err
}

// entry is one lookup, running or done. Its fields are written before done is closed.
type entry struct {
	done    chan struct{}
	result  *Result
	err     error
	expires time.Time // zero while running
}

// cache keeps lookups by name and services.
type cache struct {
	mu      sync.Mutex
	entries map[string]*entry
}

// enter returns the entry of the key, and whether the caller has to fill it.
func (c *cache) enter(key string, now time.Time, size int) (e *entry, mine bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.entries[key]; e != nil && (e.expires.IsZero() || now.Before(e.expires)) {
		return e, false
	}
	if c.entries == nil {
		c.entries = map[string]*entry{}
	}
	if len(c.entries) >= size {
		c.evict(now, size)
	}
	e = &entry{done: make(chan struct{})}
	c.entries[key] = e
	return e, true
}

// evict drops what has expired and, if that is not enough, anything: one answer more or less is only slower.
func (c *cache) evict(now time.Time, size int) {
	for k, e := range c.entries {
		if !e.expires.IsZero() && !now.Before(e.expires) {
			delete(c.entries, k)
		}
	}
	for k, e := range c.entries {
		if len(c.entries) < size {
			return
		}
		if !e.expires.IsZero() {
			delete(c.entries, k)
		}
	}
}

// leave fills the entry. Trouble is told to those who wait, and forgotten.
func (c *cache) leave(key string, e *entry, res *Result, err error, now time.Time) {
	keep := err == nil || errors.Is(err, ErrNotRegistered) || errors.Is(err, ErrNoService) || errors.Is(err, ErrRecord)
	ttl := res.TTL
	if err != nil {
		ttl = min(ttl, maxNegativeTTL)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	e.result, e.err, e.expires = res, err, now.Add(ttl)
	if c.entries[key] == e && (!keep || ttl <= 0) {
		delete(c.entries, key)
	}
	close(e.done)
}

func (c *cache) flush(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for k := range c.entries {
		if k == name || strings.HasPrefix(k, name+"\x00") {
			delete(c.entries, k)
		}
	}
}
