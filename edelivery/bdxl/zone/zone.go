// Package zone is a small authoritative DNS server with its data in memory: for demonstrations, tests and
// closed networks that run their own registry. It answers as RFC 1034 4.3.2 says, with DNAME [RFC 6672],
// wildcards [RFC 4592], referrals and negative answers [RFC 2308]; it does not recurse, sign or transfer.
package zone

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/miekg/dns"
)

// ErrRecord is the cause of a record that cannot be added.
var ErrRecord = errors.New("zone: record refused")

// Zone is a set of records, of one zone or of several: each name with a SOA record begins one. Its methods may
// be called at any time from any goroutine, also while it is served.
type Zone struct {
	// Refresh, when set, is called before each answer that is served, from many goroutines at once: to bring the records
	// up to date. Set it before serving.
	Refresh func()

	mu    sync.RWMutex
	names map[string]*node
}

// node is a name that has records or names below it.
type node struct {
	sets  map[uint16][]dns.RR
	below int // nodes directly below
}

// New makes a zone with the SOA and NS records of an origin. Negative answers may be kept for negativeTTL seconds.
func New(origin string, negativeTTL uint32) (*Zone, error) {
	z := &Zone{}
	origin = dns.Fqdn(origin)
	return z, z.Add(
		&dns.SOA{
			Hdr: header(origin, dns.TypeSOA, 3600), Ns: "ns1." + origin, Mbox: "hostmaster." + origin,
			Serial: 1, Refresh: 3600, Retry: 600, Expire: 86400, Minttl: negativeTTL,
		},
		&dns.NS{Hdr: header(origin, dns.TypeNS, 3600), Ns: "ns1." + origin},
	)
}

func header(name string, rrtype uint16, ttl uint32) dns.RR_Header {
	return dns.RR_Header{Name: name, Rrtype: rrtype, Class: dns.ClassINET, Ttl: ttl}
}

// Load adds the records of a zone file. $INCLUDE is refused.
func (z *Zone) Load(r io.Reader, origin string) error {
	p := dns.NewZoneParser(r, dns.Fqdn(origin), "")
	for rr, ok := p.Next(); ok; rr, ok = p.Next() {
		if err := z.Add(rr); err != nil {
			return err
		}
	}
	if err := p.Err(); err != nil {
		return fmt.Errorf("%w: %w", ErrRecord, err)
	}
	return nil
}

// AddText adds records written as in a zone file, one a line, with absolute names.
func (z *Zone) AddText(lines string) error { return z.Load(strings.NewReader(lines), ".") }

// Add adds records. An equal one is replaced; an alias beside other records of the name is refused.
func (z *Zone) Add(rrs ...dns.RR) error {
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.add(rrs)
}

func (z *Zone) add(rrs []dns.RR) error {
	for _, rr := range rrs {
		if rr.Header().Class != dns.ClassINET {
			return fmt.Errorf("%w: class of %s", ErrRecord, rr)
		}
		rr = dns.Copy(rr)
		h := rr.Header()
		h.Name = dns.CanonicalName(h.Name)
		if _, ok := dns.IsDomainName(h.Name); !ok {
			return fmt.Errorf("%w: name of %s", ErrRecord, rr)
		}
		if n := z.names[h.Name]; n != nil && len(n.sets) > 0 {
			_, alias := n.sets[dns.TypeCNAME]
			if isAlias := h.Rrtype == dns.TypeCNAME; isAlias && (!alias || !dns.IsDuplicate(n.sets[dns.TypeCNAME][0], rr)) || alias && !isAlias {
				return fmt.Errorf("%w: %s has an alias beside other records [RFC 1034 3.6.2]", ErrRecord, h.Name)
			}
		}
		n := z.grow(h.Name)
		set := slices.Clone(n.sets[h.Rrtype]) // answers being written may hold the old one
		if i := slices.IndexFunc(set, func(o dns.RR) bool { return dns.IsDuplicate(o, rr) }); i >= 0 {
			set[i] = rr
		} else {
			set = append(set, rr)
		}
		n.sets[h.Rrtype] = set
	}
	return nil
}

// grow makes the node of a name, and those above it.
func (z *Zone) grow(name string) *node {
	if n := z.names[name]; n != nil {
		return n
	}
	if z.names == nil {
		z.names = map[string]*node{}
	}
	n := &node{sets: map[uint16][]dns.RR{}}
	z.names[name] = n
	if name != "." {
		z.grow(parent(name)).below++
	}
	return n
}

// Remove deletes the records of a name, of the given types or all.
func (z *Zone) Remove(name string, types ...uint16) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.remove(dns.CanonicalName(name), types)
}

func (z *Zone) remove(name string, types []uint16) {
	n := z.names[name]
	if n == nil {
		return
	}
	if len(types) == 0 {
		clear(n.sets)
	}
	for _, t := range types {
		delete(n.sets, t)
	}
	for len(n.sets) == 0 && n.below == 0 {
		delete(z.names, name)
		if name == "." {
			return
		}
		name = parent(name)
		n = z.names[name]
		n.below--
	}
}

// SetURL makes the name lead to an address for a service: one terminal NAPTR record instead of those, and the alias, it had.
func (z *Zone) SetURL(name, service, url string, ttl uint32) error {
	delimiter := "!"
	if strings.Contains(url, delimiter) {
		delimiter = "#"
	}
	rr := &dns.NAPTR{
		Hdr:   header(dns.Fqdn(name), dns.TypeNAPTR, ttl),
		Order: 100, Preference: 10, Flags: "U", Service: escape(service), Replacement: ".",
		Regexp: escape(delimiter + ".*" + delimiter + strings.ReplaceAll(url, `\`, `\\`) + delimiter),
	}
	if len(url) > 240 || strings.Contains(url, delimiter) {
		return fmt.Errorf("%w: address %q", ErrRecord, url)
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	z.remove(dns.CanonicalName(name), []uint16{dns.TypeNAPTR, dns.TypeCNAME})
	return z.add([]dns.RR{rr})
}

// escape makes the presentation form that the DNS library wants.
func escape(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s)
}

func parent(name string) string {
	i, end := dns.NextLabel(name, 0)
	if end {
		return "."
	}
	return name[i:]
}
