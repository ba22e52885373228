package regex

import (
	"strings"
	"unicode/utf8"
)

// backtracker tries an expression with back-references on one text.
type backtracker struct {
	s     string
	opt   Options
	caps  []int
	steps int
	depth int
}

// backtrack finds the first match at or after an offset. The steps count for all places together.
func (r *Regexp) backtrack(s string, from int) ([]int, error) {
	b := backtracker{s: s, opt: r.opt, caps: make([]int, 2*(r.groups+1))}
	for at := from; at <= len(s); at += max(1, width(s[at:])) {
		for i := range b.caps {
			b.caps[i] = -1
		}
		end := -1
		if b.try(r.back, at, func(i int) bool { end = i; return true }) {
			b.caps[0], b.caps[1] = at, end
			return b.caps, nil
		}
		if b.steps > maxSteps {
			return nil, &Error{Pattern: r.src, Msg: "gives up: its back-references need too many steps", Err: ErrLimit}
		}
	}
	return nil, nil
}

const maxRecursion = 100_000 // calls within calls: some 60 MB of stack

func (b *backtracker) try(n *node, at int, next func(int) bool) bool {
	b.depth++
	defer func() { b.depth-- }()
	if b.steps++; b.steps > maxSteps || b.depth > maxRecursion {
		b.steps = maxSteps + 1
		return false
	}
	switch n.op {
	case opSet:
		if at >= len(b.s) {
			return false
		}
		r, w := utf8.DecodeRuneInString(b.s[at:])
		return n.set.Has(r) && next(at+w)
	case opConcat:
		return b.seq(n.subs, at, next)
	case opAlt:
		for _, s := range n.subs {
			if b.try(s, at, next) {
				return true
			}
		}
		return false
	case opGroup:
		lo, hi := b.caps[2*n.number], b.caps[2*n.number+1]
		if b.try(n.subs[0], at, func(end int) bool {
			plo, phi := b.caps[2*n.number], b.caps[2*n.number+1]
			b.caps[2*n.number], b.caps[2*n.number+1] = at, end
			if next(end) {
				return true
			}
			b.caps[2*n.number], b.caps[2*n.number+1] = plo, phi
			return false
		}) {
			return true
		}
		b.caps[2*n.number], b.caps[2*n.number+1] = lo, hi
		return false
	case opRepeat:
		return b.repeat(n, 0, at, next)
	case opStart:
		return (at == 0 || b.opt.MultiLine && b.s[at-1] == '\n' && at < len(b.s)) && next(at)
	case opEnd:
		return (at == len(b.s) || b.opt.MultiLine && b.s[at] == '\n') && next(at)
	case opBack:
		lo, hi := b.caps[2*n.number], b.caps[2*n.number+1]
		if lo < 0 { // a group that took no part matches the empty text (F&O 7.6.1)
			return next(at)
		}
		end := at + hi - lo
		if end > len(b.s) {
			return false
		}
		same := b.s[at:end] == b.s[lo:hi]
		if b.opt.CaseInsensitive {
			same = strings.EqualFold(b.s[at:end], b.s[lo:hi])
		}
		return same && next(end)
	}
	return false
}

func (b *backtracker) seq(subs []*node, at int, next func(int) bool) bool {
	if len(subs) == 0 {
		return next(at)
	}
	return b.try(subs[0], at, func(i int) bool { return b.seq(subs[1:], i, next) })
}

func (b *backtracker) repeat(n *node, count, at int, next func(int) bool) bool {
	more := func() bool {
		if n.max >= 0 && count >= n.max {
			return false
		}
		return b.try(n.subs[0], at, func(i int) bool {
			if i == at && count >= n.min { // an empty round leads nowhere
				return false
			}
			return b.repeat(n, count+1, i, next)
		})
	}
	switch {
	case count < n.min:
		return more()
	case n.lazy:
		return next(at) || more()
	}
	return more() || next(at)
}
