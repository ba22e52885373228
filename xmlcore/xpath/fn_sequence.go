package xpath

import "math"

var sequenceFunctions = []builtin{
	{name: "true", build: func(_ *compiler, e *expr, _ []*code) *code { return constant(e, Sequence{BooleanItem(true)}) }},
	{name: "false", build: func(_ *compiler, e *expr, _ []*code) *code { return constant(e, Sequence{BooleanItem(false)}) }},
	{name: "not", min: 1, max: 1, build: truth(func(m *machine, a []*code) bool { return !a[0].ebv(m) })},
	{name: "boolean", min: 1, max: 1, build: truth(func(m *machine, a []*code) bool { return a[0].ebv(m) })},
	{name: "exists", min: 1, max: 1, build: presence(true)},
	{name: "empty", min: 1, max: 1, build: presence(false)},
	{name: "count", min: 1, max: 1, build: func(c *compiler, e *expr, a []*code) *code {
		x := a[0]
		if arg := e.kids; len(arg) == 1 && arg[0].kind == xRange && !x.konst && c.trace == nil {
			lo, hi := c.compile(arg[0].kids[0]), c.compile(arg[0].kids[1])
			return &code{typ: XSInteger, max1: true, min1: true, deps: x.deps, one: func(m *machine) (Item, bool) {
				return IntegerItem(bounds(m, lo, hi).n), true
			}}
		}
		return &code{typ: XSInteger, max1: true, min1: true, deps: x.deps, one: func(m *machine) (Item, bool) {
			base := len(m.stack)
			x.push(m)
			n := len(m.stack) - base
			m.stack = m.stack[:base]
			return IntegerItem(int64(n)), true
		}}
	}},
	{name: "position", build: func(*compiler, *expr, []*code) *code {
		return &code{typ: XSInteger, max1: true, min1: true, deps: needsFocus | needsPos, one: func(m *machine) (Item, bool) {
			m.context()
			return IntegerItem(int64(m.pos)), true
		}}
	}},
	{name: "last", build: func(*compiler, *expr, []*code) *code {
		return &code{typ: XSInteger, max1: true, min1: true, deps: needsFocus | needsLast | needsPos, one: func(m *machine) (Item, bool) {
			m.context()
			return IntegerItem(int64(m.size)), true
		}}
	}},
	{name: "data", min: 0, max: 1, build: orItem(many(func(m *machine, a []*code) { a[0].atoms(m) }))},
	{name: "string", min: 0, max: 1, build: orItem(one(XSString, func(m *machine, a []*code) (Item, bool) {
		it, ok := a[0].one(m)
		if !ok {
			return StringItem(""), true
		}
		return StringItem(stringValue(it)), true
	}))},
	{name: "zero-or-one", min: 1, max: 1, build: cardinality(0, 1, "FORG0003")},
	{name: "one-or-more", min: 1, max: 1, build: cardinality(1, math.MaxInt, "FORG0004")},
	{name: "exactly-one", min: 1, max: 1, build: cardinality(1, 1, "FORG0005")},
	{name: "unordered", min: 1, max: 1, build: same(func(m *machine, a []*code) { a[0].push(m) })},
	{name: "trace", min: 1, max: 2, build: same(func(m *machine, a []*code) {
		if len(a) > 1 {
			a[1].needText(m)
		}
		a[0].push(m)
	})},
	{name: "reverse", min: 1, max: 1, build: same(func(m *machine, a []*code) {
		base := len(m.stack)
		a[0].push(m)
		for i, j := base, len(m.stack)-1; i < j; i, j = i+1, j-1 {
			m.stack[i], m.stack[j] = m.stack[j], m.stack[i]
		}
	})},
	{name: "head", min: 1, max: 1, build: same(func(m *machine, a []*code) {
		base := len(m.stack)
		a[0].push(m)
		m.stack = m.stack[:min(base+1, len(m.stack))]
	})},
	{name: "tail", min: 1, max: 1, build: same(func(m *machine, a []*code) {
		base := len(m.stack)
		a[0].push(m)
		if len(m.stack) > base {
			m.drop(base, base+1)
		}
	})},
	{name: "subsequence", min: 2, max: 3, build: same(func(m *machine, a []*code) {
		base := len(m.stack)
		a[0].push(m)
		n := len(m.stack) - base
		start, ok := a[1].double(m)
		from, to := roundFloat(start, 0, halfUp), math.Inf(1)
		if len(a) > 2 {
			length, ok2 := a[2].double(m)
			ok = ok && ok2
			to = from + roundFloat(length, 0, halfUp)
		}
		if !ok {
			fail("XPTY0004", "nothing where a number is wanted")
		}
		if !(from < to) {
			m.stack = m.stack[:base]
			return
		}
		lo := int(min(max(from-1, 0), float64(n)))
		hi := int(max(min(to-1, float64(n)), float64(lo)))
		m.stack = m.stack[:base+hi]
		m.drop(base, base+lo)
	})},
	{name: "insert-before", min: 3, max: 3, build: many(func(m *machine, a []*code) {
		base := len(m.stack)
		a[0].push(m)
		n := len(m.stack) - base
		at := place(m, a[1], 1, n+1)
		tail := append(Sequence(nil), m.stack[base+at-1:]...)
		m.stack = m.stack[:base+at-1]
		a[2].push(m)
		m.pushAll(tail)
	})},
	{name: "remove", min: 2, max: 2, build: same(func(m *machine, a []*code) {
		base := len(m.stack)
		a[0].push(m)
		n := len(m.stack) - base
		at := place(m, a[1], 0, n+1)
		if at >= 1 && at <= n {
			m.drop(base+at-1, base+at)
		}
	})},
	{name: "index-of", min: 2, max: 3, build: func(c *compiler, _ *expr, a []*code) *code {
		coll := collationOf(c, a, 2)
		return &code{typ: XSInteger, deps: depsOf(a...), push: func(m *machine) {
			base := len(m.stack)
			a[0].atoms(m)
			mid := len(m.stack)
			x, ok := a[1].atom(m)
			if !ok {
				fail("XPTY0004", "nothing to look for")
			}
			cl := coll(m)
			for i := base; i < mid; i++ {
				m.tick(1)
				if m.sameKey(m.stack[i], x, false, cl) {
					m.add(IntegerItem(int64(i - base + 1)))
				}
			}
			m.drop(base, mid)
		}}
	}},
	{name: "distinct-values", min: 1, max: 2, build: func(c *compiler, _ *expr, a []*code) *code {
		coll := collationOf(c, a, 1)
		return &code{deps: depsOf(a...), push: func(m *machine) {
			base := len(m.stack)
			a[0].atoms(m)
			m.distinct(base, coll(m))
		}}
	}},
	{name: "deep-equal", min: 2, max: 3, build: func(c *compiler, _ *expr, a []*code) *code {
		coll := collationOf(c, a, 2)
		return boolean(depsOf(a...), func(m *machine) bool {
			base := len(m.stack)
			a[0].push(m)
			mid := len(m.stack)
			a[1].push(m)
			x, y := append(Sequence(nil), m.stack[base:mid]...), append(Sequence(nil), m.stack[mid:]...)
			m.stack = m.stack[:base]
			return m.deepEqual(x, y, coll(m))
		})
	}},
	{name: "error", min: 0, max: 3, build: with(needsEffect, many(raise))},
}

func presence(want bool) builder {
	return func(_ *compiler, _ *expr, a []*code) *code {
		x := a[0]
		if x.typ == TypeNode {
			return boolean(x.deps, func(m *machine) bool { return x.ebv(m) == want })
		}
		return boolean(x.deps, func(m *machine) bool {
			base := len(m.stack)
			x.push(m)
			n := len(m.stack) - base
			m.stack = m.stack[:base]
			return (n > 0) == want
		})
	}
}

func cardinality(least, most int, problem string) builder {
	return same(func(m *machine, a []*code) {
		base := len(m.stack)
		a[0].push(m)
		if n := len(m.stack) - base; n < least || n > most {
			fail(problem, "%d items", n)
		}
	})
}

// place returns a position argument, cut to what makes a difference.
func place(m *machine, a *code, least, most int) int {
	it, ok := a.integer(m)
	if !ok {
		fail("XPTY0004", "nothing where an integer is wanted")
	}
	if it.p != nil {
		if it.bigSign() < 0 {
			return least
		}
		return most
	}
	return int(min(max(it.n, int64(least)), int64(most)))
}

// distinct keeps the first of equal values above base.
func (m *machine) distinct(base int, coll collation) {
	w := base
	var seen map[string]struct{}
	for i := base; i < len(m.stack); i++ {
		it := m.stack[i]
		m.tick(1)
		known := false
		if it.typ.text() {
			key := it.text()
			if coll != nil {
				key = coll.fold(key)
			}
			if seen == nil {
				seen = map[string]struct{}{}
			}
			if _, known = seen[key]; !known {
				seen[key] = struct{}{}
			}
		} else {
			for j := base; j < w && !known; j++ {
				m.tick(1)
				known = m.sameKey(m.stack[j], it, true, coll)
			}
		}
		if !known {
			m.stack[w] = it
			w++
		}
	}
	m.stack = m.stack[:w]
}

// raise is fn:error [FO 3].
func raise(m *machine, a []*code) {
	e := errorf("FOER0000", "error() was called")
	if len(a) > 0 {
		q, ok := a[0].of(m, XSQName)
		if ok {
			e.Code = *q.qname()
		} else if len(a) == 1 {
			e.Code = QName{ErrorSpace, "FOER0000", "err"}
		}
	}
	if len(a) > 1 {
		e.Msg = a[1].needText(m)
	}
	if len(a) > 2 {
		base := len(m.stack)
		a[2].push(m)
		e.Value = m.keep(base)
	}
	panic(e)
}

// deepEqual is fn:deep-equal [FO 15.3.1].
func (m *machine) deepEqual(a, b Sequence, coll collation) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		m.tick(1)
		if !m.deepItem(a[i], b[i], coll) {
			return false
		}
	}
	return true
}

func (m *machine) deepItem(a, b Item, coll collation) bool {
	switch {
	case a.typ == TypeFunction || b.typ == TypeFunction:
		fail("FOTY0015", "functions cannot be compared")
	case a.typ == TypeArray && b.typ == TypeArray:
		x, y := a.array().members, b.array().members
		if len(x) != len(y) {
			return false
		}
		for i := range x {
			if !m.deepEqual(x[i], y[i], coll) {
				return false
			}
		}
		return true
	case a.typ == TypeMap && b.typ == TypeMap:
		x, y := a.mapping(), b.mapping()
		if len(x.entries) != len(y.entries) {
			return false
		}
		for _, e := range x.entries {
			v, ok := y.get(e.key)
			if !ok || !m.deepEqual(e.value, v, coll) {
				return false
			}
		}
		return true
	case a.typ == TypeNode && b.typ == TypeNode:
		return m.deepNode(a, b, coll)
	case a.typ == TypeNode || b.typ == TypeNode || !a.typ.atomic() || !b.typ.atomic():
		return false
	}
	return m.sameKey(a, b, true, coll)
}
