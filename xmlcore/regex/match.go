package regex

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// fold adds the case variants of all members. What is too large to walk has nearly all of them already.
func fold(s Set) Set {
	size := 0
	for i := 0; i < len(s); i += 2 {
		size += int(s[i+1]-s[i]) + 1
	}
	if size > 0x20000 {
		return s
	}
	var all []rune
	for i := 0; i < len(s); i += 2 {
		all = append(all, s[i], s[i+1])
		for r := s[i]; r <= s[i+1]; r++ {
			for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
				all = append(all, f, f)
			}
		}
	}
	return norm(all)
}

// emitter writes an expression for the standard library.
type emitter struct {
	b    strings.Builder
	opt  Options
	size int
	lost bool // a group would have to be written out more than once
}

const stdRepeat = 1000 // most that the standard library takes, also as product of nested ones

func (e *emitter) node(n *node, product int) {
	if e.size++; e.size > maxNodes {
		return
	}
	switch n.op {
	case opSet:
		if n.text != "" {
			e.b.WriteString(n.text)
			break
		}
		e.set(n.set)
	case opConcat:
		for _, s := range n.subs {
			e.node(s, product)
		}
	case opAlt:
		e.b.WriteString("(?:")
		for i, s := range n.subs {
			if i > 0 {
				e.b.WriteByte('|')
			}
			e.node(s, product)
		}
		e.b.WriteByte(')')
	case opGroup:
		e.b.WriteByte('(')
		e.node(n.subs[0], product)
		e.b.WriteByte(')')
	case opStart:
		e.b.WriteString(map[bool]string{false: `\A`, true: `(?m:^)`}[e.opt.MultiLine])
	case opEnd:
		e.b.WriteString(map[bool]string{false: `\z`, true: `(?m:$)`}[e.opt.MultiLine])
	case opRepeat:
		e.repeat(n, product)
	}
}

func (e *emitter) repeat(n *node, product int) {
	lazy := map[bool]string{true: "?"}[n.lazy]
	once := func(product int, quantity string) {
		e.b.WriteString("(?:")
		e.node(n.subs[0], product)
		e.b.WriteByte(')')
		e.b.WriteString(quantity)
		e.b.WriteString(lazy)
	}
	count := max(n.min, n.max)
	switch {
	case n.max == 0:
	case n.min <= 1 && n.max < 0:
		once(product, [...]string{"*", "+"}[n.min])
	case n.min == 0 && n.max == 1:
		once(product, "?")
	case n.min == 1 && n.max == 1:
		once(product, "")
	case count*product <= stdRepeat:
		q := fmt.Sprintf("{%d,", n.min)
		if n.max >= 0 {
			q += fmt.Sprint(n.max)
		}
		before := e.size
		once(product*count, q+"}")
		e.size += (e.size - before) * (count - 1)
	default: // in pieces that the standard library takes
		if hasGroup(n) {
			e.lost = true
			return
		}
		chunk := max(1, stdRepeat/product)
		for left := n.min; left > 0 && e.size <= maxNodes; left -= chunk {
			c := min(left, chunk)
			before := e.size
			once(product*c, fmt.Sprintf("{%d}", c))
			e.size += (e.size - before) * (c - 1)
		}
		if n.max < 0 {
			once(product, "*")
			return
		}
		for left := n.max - n.min; left > 0 && e.size <= maxNodes; left -= chunk {
			c := min(left, chunk)
			before := e.size
			once(product*c, fmt.Sprintf("{0,%d}", c))
			e.size += (e.size - before) * (c - 1)
		}
	}
}

func hasGroup(n *node) bool {
	if n.op == opGroup {
		return true
	}
	for _, s := range n.subs {
		if hasGroup(s) {
			return true
		}
	}
	return false
}

func (e *emitter) set(s Set) {
	if len(s) == 2 && s[0] == s[1] {
		e.b.WriteString(regexp.QuoteMeta(string(s[0])))
		return
	}
	if len(s) == 0 {
		e.b.WriteString(`[^\x00-\x{10FFFF}]`)
		return
	}
	e.size += len(s) / 16
	e.b.WriteByte('[')
	for i := 0; i < len(s); i += 2 {
		fmt.Fprintf(&e.b, `\x{%x}`, s[i])
		if s[i+1] > s[i] {
			fmt.Fprintf(&e.b, `-\x{%x}`, s[i+1])
		}
	}
	e.b.WriteByte(']')
}

// link is one part of a chain: a set, so many times.
type link struct {
	set      Set
	ascii    [2]uint64
	min, max int // max < 0 is unbounded
}

// chainOf returns the links of an expression that is a sequence of counted sets where taking as many characters as
// possible is always right, or nil.
func chainOf(n *node) []link {
	subs := []*node{n}
	if n.op == opConcat {
		subs = n.subs
	}
	chain := make([]link, 0, len(subs))
	for _, s := range subs {
		l := link{min: 1, max: 1}
		if s.op == opRepeat {
			l.min, l.max, s = s.min, s.max, s.subs[0]
			if s.op == opConcat && len(s.subs) == 1 { // a group around one set
				s = s.subs[0]
			}
		}
		if s.op != opSet {
			return nil
		}
		l.set = s.set
		for r := rune(0); r < 128; r++ {
			if s.set.Has(r) {
				l.ascii[r>>6] |= 1 << (r & 63)
			}
		}
		chain = append(chain, l)
	}
	for i, l := range chain {
		if l.min == l.max {
			continue
		}
		for _, f := range chain[i+1:] { // whatever may follow must begin otherwise
			if !l.set.disjoint(f.set) {
				return nil
			}
			if f.min > 0 {
				break
			}
		}
	}
	return chain
}

func matchChain(chain []link, s string) bool {
	at := 0
	for i := range chain {
		l := &chain[i]
		n := 0
		for ; at < len(s) && (l.max < 0 || n < l.max); n++ {
			if c := s[at]; c < utf8.RuneSelf {
				if l.ascii[c>>6]>>(c&63)&1 == 0 {
					break
				}
				at++
				continue
			}
			r, w := utf8.DecodeRuneInString(s[at:])
			if !l.set.Has(r) {
				break
			}
			at += w
		}
		if n < l.min {
			return false
		}
	}
	return at == len(s)
}
