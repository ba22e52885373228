package xpath

import (
	"math"
)

// span is a range of integers that is not made.
type span struct {
	lo Item
	n  int64
}

func (s span) at(i int64) Item {
	if v, ok := add64(s.lo.n, i); s.lo.p == nil && (ok || i == 0) {
		return IntegerItem(v)
	}
	return computeInteger(opAdd, s.lo, IntegerItem(i))
}

// has reports whether a value equals a member, as a general comparison sees it.
func (s span) has(m *machine, it Item) bool {
	if s.n == 0 {
		return false
	}
	if !m.generalCompare(opGe, it, s.lo) || !m.generalCompare(opLe, it, s.at(s.n-1)) {
		return false
	}
	if it.typ == XSUntypedAtomic {
		it = castOperand(it, XSDouble)
	}
	if it.typ.float() {
		return it.float() == math.Trunc(it.float())
	}
	return m.generalCompare(opEq, it, roundDecimal(it, 0, toFloor))
}

// bounds evaluates the operands of to.
func bounds(m *machine, a, b *code) span {
	x, ok := a.integer(m)
	y, ok2 := b.integer(m)
	if !ok || !ok2 {
		return span{}
	}
	n := computeInteger(opSub, y, x)
	switch {
	case n.bigSign() < 0:
		return span{}
	case n.p != nil || n.n == math.MaxInt64:
		failLimit("range of more than 2^63 items")
	}
	return span{plain(x), n.n + 1}
}

func (c *compiler) rangeTo(e *expr) *code {
	a, b := c.compile(e.kids[0]), c.compile(e.kids[1])
	return &code{deps: depsOf(a, b), typ: XSInteger, push: func(m *machine) {
		r := bounds(m, a, b)
		if r.n > int64(m.maxTop) {
			failLimit("range of more than %d items", m.maxTop)
		}
		m.tick(int(r.n) / 8)
		for i := range r.n {
			m.add(r.at(i))
		}
	}}
}
