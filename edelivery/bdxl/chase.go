package bdxl

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"
)

const (
	maxSteps       = 8 // aliases and referrals of one name
	maxNonTerminal = 5 // records that lead on to another name [RFC 4848]
	maxTTL         = time.Hour
	maxNegativeTTL = time.Minute
)

// answer is what the DNS says about one name, aliases followed.
type answer struct {
	rrs []dns.RR // of the type asked for; empty: none
	ttl time.Duration
	ad  bool
}

// chase asks for the records of a name and follows aliases and, where configured, referrals.
func (r *Resolver) chase(ctx context.Context, t *trace, name string, qtype uint16) (answer, error) {
	a := answer{ttl: maxTTL, ad: true}
	servers, steps := r.Servers, 0
	for current := name; ; {
		start := t.start()
		m, server, err := r.ask(ctx, servers, current, qtype)
		if err != nil {
			t.add("dns", start, false, err.Error())
			return a, err
		}
		a.ad = a.ad && m.AuthenticatedData
		if r.DNSSEC == DNSSECRequire && !m.AuthenticatedData {
			err := &Error{Name: current, Err: ErrInsecure, Detail: server}
			t.add("dns", start, false, err.Error())
			return a, err
		}
		found := m.Answer
		next, aliases, ttl := follow(found, current, qtype)
		a.ttl = min(a.ttl, ttl)
		for _, rr := range found {
			if h := rr.Header(); h.Rrtype == qtype && h.Class == dns.ClassINET && strings.EqualFold(h.Name, next) {
				a.rrs = append(a.rrs, rr)
				a.ttl = min(a.ttl, time.Duration(h.Ttl)*time.Second)
			}
		}
		t.add("dns", start, true, describe(server, current, qtype, m, aliases, len(a.rrs)))
		steps += len(aliases)
		if steps > maxSteps {
			return a, t.fail(tooManySteps(name))
		}
		if len(a.rrs) > 0 {
			return a, nil
		}
		zone, to := r.referral(m, next)
		switch {
		case zone != "" && len(to) > 0:
			if steps++; steps > maxSteps {
				return a, t.fail(tooManySteps(name))
			}
			servers, current = to, next
			t.add("dns", t.start(), true, "referred to "+strings.Join(to, " ")+" for "+zone)
		case next != current && m.Rcode == dns.RcodeSuccess && soa(m, next) == nil:
			// The server knows the alias but not its target: ask for that, beginning with the configured servers again.
			servers, current = r.Servers, next
		case zone != "":
			return a, t.fail(&Error{Name: current, Err: ErrDNS, Detail: server + " does not know and refers to the servers of " + zone, Retry: true})
		default:
			a.ttl = min(a.ttl, negativeTTL(m, next))
			return a, &Error{Name: current, Err: ErrNotRegistered, Detail: server + " answers " + noData(m, qtype)}
		}
	}
}

func tooManySteps(name string) *Error {
	return &Error{Name: name, Err: ErrDNS, Detail: fmt.Sprintf("more than %d aliases or referrals", maxSteps), Retry: true}
}

func noData(m *dns.Msg, qtype uint16) string {
	if m.Rcode == dns.RcodeNameError {
		return "NXDOMAIN"
	}
	return "no " + dns.TypeToString[qtype] + " record"
}

// follow goes along the CNAME and DNAME records of an answer [RFC 6672 3.2].
func follow(rrs []dns.RR, name string, qtype uint16) (end string, aliases []string, ttl time.Duration) {
	ttl = maxTTL
next:
	for len(aliases) <= maxSteps {
		for _, rr := range rrs {
			h := rr.Header()
			if h.Rrtype == qtype && strings.EqualFold(h.Name, name) {
				break next
			}
		}
		for _, rr := range rrs {
			if c, ok := rr.(*dns.CNAME); ok && strings.EqualFold(c.Hdr.Name, name) {
				name, ttl = c.Target, min(ttl, time.Duration(c.Hdr.Ttl)*time.Second)
				aliases = append(aliases, "CNAME "+name)
				continue next
			}
		}
		for _, rr := range rrs {
			if d, ok := rr.(*dns.DNAME); ok {
				if n, ok := substitute(name, d.Hdr.Name, d.Target); ok {
					name, ttl = n, min(ttl, time.Duration(d.Hdr.Ttl)*time.Second)
					aliases = append(aliases, "DNAME "+name)
					continue next
				}
			}
		}
		break
	}
	return name, aliases, ttl
}

// substitute replaces the suffix owner of a name below it by target.
func substitute(name, owner, target string) (string, bool) {
	cut := len(name) - len(owner)
	if owner == "." || cut <= 0 || name[cut-1] != '.' || !strings.EqualFold(name[cut:], owner) {
		return "", false
	}
	n := name[:cut] + strings.TrimPrefix(target, ".")
	_, ok := dns.IsDomainName(n)
	return n, ok && len(n) <= 254
}

// referral tells for which zone the server, which neither is authoritative for the name nor recurses, refers to
// others, and where these are. Only addresses in the response itself are used: name servers of unknown address
// are not resolved, and those at addresses that are not public need to be allowed.
func (r *Resolver) referral(m *dns.Msg, name string) (zone string, servers []string) {
	if m.Authoritative || m.RecursionAvailable || m.Rcode != dns.RcodeSuccess || soa(m, name) != nil {
		return "", nil
	}
	for _, rr := range m.Ns {
		ns, ok := rr.(*dns.NS)
		if !ok || !dns.IsSubDomain(ns.Hdr.Name, name) || zone != "" && !strings.EqualFold(zone, ns.Hdr.Name) {
			continue
		}
		zone = ns.Hdr.Name
		if !r.Referrals {
			return zone, nil
		}
		for _, glue := range m.Extra {
			var ip net.IP
			switch g := glue.(type) {
			case *dns.A:
				ip = g.A
			case *dns.AAAA:
				ip = g.AAAA
			}
			addr, ok := netip.AddrFromSlice(ip)
			if ok && len(servers) < 4 && strings.EqualFold(glue.Header().Name, ns.Ns) && r.URI.CheckAddr(addr) == nil {
				servers = append(servers, netip.AddrPortFrom(addr.Unmap(), 53).String())
			}
		}
	}
	return zone, servers
}

// soa is the start of authority that a negative answer for the name carries.
func soa(m *dns.Msg, name string) *dns.SOA {
	for _, rr := range m.Ns {
		if s, ok := rr.(*dns.SOA); ok && dns.IsSubDomain(s.Hdr.Name, name) {
			return s
		}
	}
	return nil
}

// negativeTTL is the smaller of the SOA's TTL and its minimum [RFC 2308 5], at most a minute: who has just
// registered must be found soon.
func negativeTTL(m *dns.Msg, name string) time.Duration {
	s := soa(m, name)
	if s == nil {
		return 0
	}
	return min(time.Duration(min(s.Minttl, s.Hdr.Ttl))*time.Second, maxNegativeTTL)
}

func describe(server, name string, qtype uint16, m *dns.Msg, aliases []string, n int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s @%s: %s", name, dns.TypeToString[qtype], server, dns.RcodeToString[m.Rcode])
	for _, a := range aliases {
		b.WriteString(", " + a)
	}
	fmt.Fprintf(&b, ", %d records", n)
	if m.AuthenticatedData {
		b.WriteString(", authenticated")
	}
	return b.String()
}
