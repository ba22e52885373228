package xpath

func (c *compiler) nodeComparison(e *expr) *code {
	a, b, kind := c.compile(e.kids[0]), c.compile(e.kids[1]), e.kind
	one := func(k *code, m *machine) (Item, bool) {
		it, ok := k.one(m)
		if ok && it.typ != TypeNode {
			fail("XPTY0004", "%s where a node is wanted", it.typ)
		}
		return it, ok
	}
	return &code{deps: depsOf(a, b), max1: true, typ: XSBoolean, one: func(m *machine) (Item, bool) {
		x, ok := one(a, m)
		y, ok2 := one(b, m)
		if !ok || !ok2 {
			return Item{}, false
		}
		switch kind {
		case xIs:
			return BooleanItem(x == y), true
		case xBefore:
			return BooleanItem(m.before(x, y)), true
		}
		return BooleanItem(m.before(y, x)), true
	}}
}

// general is a general comparison: true when one pair of items compares true.
func (c *compiler) general(e *expr) *code {
	a, b, op := c.compile(e.kids[0]), c.compile(e.kids[1]), e.cmp
	d := depsOf(a, b)
	if a.max1 && b.max1 && a.atMostOne() && b.atMostOne() {
		return boolean(d, func(m *machine) bool {
			x, ok := a.atom(m)
			if !ok {
				return false
			}
			y, ok := b.atom(m)
			m.tick(1)
			return ok && m.generalCompare(op, x, y)
		})
	}
	if op == opEq && c.trace == nil && c.x.coll == nil {
		for i, k := range e.kids {
			if k.kind == xVar && k.global && k.known == nil && !(i == 0 && e.kids[1].kind == xVar) {
				x, slot := []*code{b, a}[i], k.slot
				return boolean(d, func(m *machine) bool { return m.anyIn(x, slot) })
			}
		}
	}
	if op == opEq && c.trace == nil && c.x.coll == nil && b.konst && len(b.val) >= longList {
		if set := c.x.names.setOf(b.val); set != nil {
			values := b.val
			return boolean(d, func(m *machine) bool { return m.anyInSet(a, values, set) })
		}
	}
	if r := e.kids[1]; r.kind == xRange && op == opEq && !b.konst && c.trace == nil {
		lo, hi := c.compile(r.kids[0]), c.compile(r.kids[1])
		return boolean(d, func(m *machine) bool {
			base := len(m.stack)
			if a.atoms(m); len(m.stack) == base {
				return false
			}
			r := bounds(m, lo, hi)
			v := false
			for _, it := range m.stack[base:] {
				m.tick(1)
				v = v || r.has(m, it)
			}
			m.stack = m.stack[:base]
			return v
		})
	}
	pairs := func(m *machine) bool {
		base := len(m.stack)
		a.atoms(m)
		mid := len(m.stack)
		if mid == base {
			return false
		}
		b.atoms(m)
		v := m.anyPair(op, base, mid)
		m.stack = m.stack[:base]
		return v
	}
	switch {
	case a.solo != nil && b.max1 && b.atMostOne():
		return boolean(d, func(m *machine) bool {
			x, n := a.solo(m)
			if n == 2 {
				return pairs(m)
			}
			if n == 0 {
				return false
			}
			y, ok := b.atom(m)
			m.tick(1)
			return ok && m.generalCompare(op, atomOf(x), y)
		})
	case a.solo != nil && b.solo != nil:
		return boolean(d, func(m *machine) bool {
			x, n := a.solo(m)
			if n == 0 {
				return false
			}
			y, n2 := b.solo(m)
			if n == 2 || n2 == 2 {
				return pairs(m)
			}
			m.tick(1)
			return n2 == 1 && m.generalCompare(op, atomOf(x), atomOf(y))
		})
	}
	return boolean(d, pairs)
}

// anyPair compares what lies between base and mid with what lies above.
func (m *machine) anyPair(op comparison, base, mid int) bool {
	end := len(m.stack)
	if (mid-base) > 8 && end-mid > 8 && op == opEq && m.coll == nil {
		texts := true
		for i := base; i < end && texts; i++ {
			texts = m.stack[i].typ.text()
		}
		if texts {
			m.tick(end - base)
			set := make(map[string]struct{}, end-mid)
			for i := mid; i < end; i++ {
				set[m.stack[i].text()] = struct{}{}
			}
			for i := base; i < mid; i++ {
				if _, ok := set[m.stack[i].text()]; ok {
					return true
				}
			}
			return false
		}
	}
	for i := base; i < mid; i++ {
		m.tick(end - mid)
		for j := mid; j < end; j++ {
			if m.generalCompare(op, m.stack[i], m.stack[j]) {
				return true
			}
		}
	}
	return false
}

func (c *compiler) value(e *expr) *code {
	a, b, op := c.compile(e.kids[0]), c.compile(e.kids[1]), e.cmp
	return &code{deps: depsOf(a, b), max1: true, min1: a.min1 && b.min1, typ: XSBoolean, one: func(m *machine) (Item, bool) {
		x, ok := a.atom(m)
		y, ok2 := b.atom(m)
		if !ok || !ok2 {
			return Item{}, false
		}
		m.tick(1)
		if x.typ == XSUntypedAtomic {
			x.typ = XSString
		}
		if y.typ == XSUntypedAtomic {
			y.typ = XSString
		}
		if m.coll != nil && x.typ.text() && y.typ.text() {
			return BooleanItem(op.holds(m.coll.compare(x.text(), y.text()))), true
		}
		return BooleanItem(m.valueCompare(op, x, y)), true
	}}
}
