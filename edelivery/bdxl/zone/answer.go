package zone

import (
	"strings"

	"github.com/miekg/dns"
)

const (
	maxAliases = 8
	maxUDP     = 4096
)

// Answer is the response to a query, as [RFC 1034 4.3.2] makes it.
func (z *Zone) Answer(q *dns.Msg) *dns.Msg {
	m := new(dns.Msg)
	switch {
	case q.Opcode != dns.OpcodeQuery:
		return m.SetRcode(q, dns.RcodeNotImplemented)
	case len(q.Question) != 1:
		return m.SetRcode(q, dns.RcodeFormatError)
	}
	m.SetReply(q)
	if opt := q.IsEdns0(); opt != nil {
		if opt.Version() != 0 {
			m.SetEdns0(maxUDP, false)
			m.Rcode = dns.RcodeBadVers
			return m
		}
		m.SetEdns0(maxUDP, false)
	}
	question := q.Question[0]
	switch question.Qtype {
	case dns.TypeAXFR, dns.TypeIXFR, dns.TypeANY:
		m.Rcode = dns.RcodeRefused
		return m
	}
	if question.Qclass != dns.ClassINET {
		m.Rcode = dns.RcodeRefused
		return m
	}
	z.mu.RLock()
	defer z.mu.RUnlock()
	z.answer(m, dns.CanonicalName(question.Name), question.Qtype)
	return m
}

func (z *Zone) answer(m *dns.Msg, name string, qtype uint16) {
	for range maxAliases + 1 {
		apex := z.apex(name)
		if apex == "" {
			if len(m.Answer) == 0 {
				m.Rcode = dns.RcodeRefused
			}
			return
		}
		if next, done := z.descend(m, apex, name); done {
			return
		} else if next != "" {
			name = next
			continue
		}
		n := z.names[name]
		owner := name
		if n == nil {
			if n = z.wildcard(name); n == nil {
				m.Authoritative = true
				m.Rcode = dns.RcodeNameError
				m.Ns = append(m.Ns, z.names[apex].sets[dns.TypeSOA]...)
				return
			}
		}
		m.Authoritative = true
		if set := n.sets[qtype]; len(set) > 0 {
			m.Answer = append(m.Answer, owned(set, owner)...)
			return
		}
		set := n.sets[dns.TypeCNAME]
		if len(set) == 0 {
			m.Ns = append(m.Ns, z.names[apex].sets[dns.TypeSOA]...)
			return
		}
		m.Answer = append(m.Answer, owned(set, owner)...)
		name = dns.CanonicalName(set[0].(*dns.CNAME).Target)
	}
}

// descend looks at the names between the zone's apex and the name, from above: a DNAME gives the next name to
// look for, a delegation ends the search with a referral.
func (z *Zone) descend(m *dns.Msg, apex, name string) (next string, done bool) {
	labels := dns.SplitDomainName(name)
	for i := len(labels) - dns.CountLabel(apex); i >= 0; i-- {
		at := strings.Join(labels[i:], ".") + "."
		n := z.names[at]
		if n == nil {
			return "", false
		}
		if ns := n.sets[dns.TypeNS]; len(ns) > 0 && at != apex {
			m.Ns = append(m.Ns, ns...)
			for _, rr := range ns {
				if host := z.names[dns.CanonicalName(rr.(*dns.NS).Ns)]; host != nil {
					m.Extra = append(append(m.Extra, host.sets[dns.TypeA]...), host.sets[dns.TypeAAAA]...)
				}
			}
			return "", true
		}
		if set := n.sets[dns.TypeDNAME]; len(set) > 0 && i > 0 {
			d := set[0].(*dns.DNAME)
			next = strings.Join(labels[:i], ".") + "." + strings.TrimPrefix(dns.CanonicalName(d.Target), ".")
			m.Authoritative = true
			m.Answer = append(m.Answer, d)
			if _, ok := dns.IsDomainName(next); !ok || len(next) > 254 {
				m.Rcode = dns.RcodeYXDomain
				return "", true
			}
			m.Answer = append(m.Answer, &dns.CNAME{Hdr: header(name, dns.TypeCNAME, d.Hdr.Ttl), Target: next})
			return next, false
		}
	}
	return "", false
}

// apex is the nearest name at or above that begins a zone.
func (z *Zone) apex(name string) string {
	for {
		if n := z.names[name]; n != nil && len(n.sets[dns.TypeSOA]) > 0 {
			return name
		}
		if name == "." {
			return ""
		}
		name = parent(name)
	}
}

// wildcard is the node that stands for a name which does not exist [RFC 4592 3.3.1].
func (z *Zone) wildcard(name string) *node {
	for name != "." {
		name = parent(name)
		if z.names[name] != nil {
			return z.names["*."+strings.TrimPrefix(name, ".")]
		}
	}
	return nil
}

// owned gives records that came from a wildcard the name that was asked for.
func owned(set []dns.RR, name string) []dns.RR {
	if set[0].Header().Name == name {
		return set
	}
	out := make([]dns.RR, len(set))
	for i, rr := range set {
		out[i] = dns.Copy(rr)
		out[i].Header().Name = name
	}
	return out
}
