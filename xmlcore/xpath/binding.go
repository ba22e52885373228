package xpath

// binding compiles for, let, some and every, one variable at a time.
func (c *compiler) binding(e *expr) *code {
	src := c.compile(e.kids[0])
	body := c.compile(e.kids[1])
	i := e.slot
	d := depsOf(src, body) | needsLocal
	switch e.kind {
	case xLet:
		return c.let(src, body, i, d)
	case xFor:
		return c.forEach(e, src, body, d)
	}
	if c.trace == nil {
		if k := c.membership(e, src, d); k != nil {
			return k
		}
	}
	stop := e.kind == xSome
	if e.kids[0].kind == xRange && c.trace == nil && !src.konst {
		lo, hi := c.compile(e.kids[0].kids[0]), c.compile(e.kids[0].kids[1])
		return boolean(d, func(m *machine) bool {
			r := bounds(m, lo, hi)
			for j := range r.n {
				m.tick(1)
				*m.get(i) = slot{one: r.at(j)}
				if body.ebv(m) == stop {
					return stop
				}
			}
			return !stop
		})
	}
	return boolean(d, func(m *machine) bool {
		base := len(m.stack)
		src.push(m)
		end := len(m.stack)
		v := !stop
		for j := base; j < end; j++ {
			m.tick(1)
			*m.get(i) = slot{one: m.stack[j]}
			if body.ebv(m) == stop {
				v = stop
				break
			}
		}
		m.stack = m.stack[:base]
		return v
	})
}

func (c *compiler) let(src, body *code, i int, d deps) *code {
	bind := func(m *machine) {
		if src.max1 {
			it, _ := src.one(m)
			*m.get(i) = slot{one: it}
			return
		}
		base := len(m.stack)
		src.push(m)
		if len(m.stack)-base == 1 {
			*m.get(i) = slot{one: m.stack[base]}
			m.stack = m.stack[:base]
			return
		}
		*m.get(i) = slot{seq: m.keep(base)}
	}
	return &code{deps: d, typ: body.typ, max1: body.max1, min1: body.min1, sorted: body.sorted,
		push: func(m *machine) { bind(m); body.push(m) },
		one:  func(m *machine) (Item, bool) { bind(m); return body.one(m) },
		ebv:  func(m *machine) bool { bind(m); return body.ebv(m) },
	}
}

// forEach is the for expression; a range is counted and never made.
func (c *compiler) forEach(e *expr, src, body *code, d deps) *code {
	i, from := e.slot, e.kids[0]
	k := &code{deps: d, typ: body.typ, max1: src.max1 && body.max1}
	if from.kind == xRange && !src.konst && c.trace == nil {
		lo, hi := c.compile(from.kids[0]), c.compile(from.kids[1])
		k.push = func(m *machine) {
			r := bounds(m, lo, hi)
			for j := range r.n {
				m.tick(1)
				*m.get(i) = slot{one: r.at(j)}
				body.push(m)
			}
		}
		return k
	}
	k.push = func(m *machine) {
		base := len(m.stack)
		src.push(m)
		mid := len(m.stack)
		for j := base; j < mid; j++ {
			m.tick(1)
			*m.get(i) = slot{one: m.stack[j]}
			body.push(m)
		}
		m.drop(base, mid)
	}
	return k
}

// uses reports whether an expression reads a local variable.
func (e *expr) uses(slot int) bool {
	if e.kind == xVar && !e.global && e.slot == slot {
		return true
	}
	for _, k := range e.kids {
		if k.uses(slot) {
			return true
		}
	}
	return false
}

// membership turns "some $x in (constants) satisfies $x = E" into a look into a set. Code lists are written so.
func (c *compiler) membership(e *expr, src *code, d deps) *code {
	body := e.kids[1]
	variable := e.kids[0].kind == xVar && e.kids[0].global && !src.konst
	if e.kind != xSome || !variable && (!src.konst || len(src.val) < 4) || body.kind != xGeneral || body.cmp != opEq || c.x.coll != nil {
		return nil
	}
	other := -1
	for i, k := range body.kids {
		if k.kind == xVar && !k.global && k.slot == e.slot && !body.kids[1-i].uses(e.slot) {
			other = 1 - i
		}
	}
	if other < 0 {
		return nil
	}
	x := c.compile(body.kids[other])
	if variable {
		i := e.kids[0].slot
		return boolean(d, func(m *machine) bool { return m.anyIn(x, i) })
	}
	set := c.x.names.setOf(src.val)
	if set == nil {
		return nil
	}
	values := src.val
	return boolean(d, func(m *machine) bool { return m.anyInSet(x, values, set) })
}

// setOf is setOf for values that stand in a variable: the expressions that ask for them share the set.
func (p *Names) setOf(values Sequence) map[string]struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if set, ok := p.sets[&values[0]]; ok {
		return set
	}
	if p.sets == nil {
		p.sets = map[*Item]map[string]struct{}{}
	}
	set := setOf(values)
	p.sets[&values[0]] = set
	return set
}

// setOf makes a set of texts; nil when a value is none.
func setOf(values Sequence) map[string]struct{} {
	set := make(map[string]struct{}, len(values))
	for _, it := range values {
		switch {
		case it.typ == TypeNode:
			it = atomOf(it)
		case !it.typ.text():
			return nil
		}
		set[it.text()] = struct{}{}
	}
	return set
}

// knownSet is the set of a sequence that was asked for before. It holds the sequence, so that its place in memory is
// its own as long as the set lives.
type knownSet struct {
	values Sequence
	set    map[string]struct{}
}

// setFor finds or makes the set of a long sequence, the value of a variable; nil when there is none.
func (m *machine) setFor(values Sequence) map[string]struct{} {
	const most = 64
	for i := range m.sets {
		if k := &m.sets[i]; len(k.values) == len(values) && &k.values[0] == &values[0] {
			return k.set
		}
	}
	m.tick(len(values))
	k := knownSet{values, setOf(values)}
	if len(m.sets) < most {
		m.sets = append(m.sets, k)
	} else {
		m.sets[m.nextSet%most] = k
		m.nextSet++
	}
	return k.set
}

const longList = 8

// anyIn reports whether a value of x equals one of a variable of the context.
func (m *machine) anyIn(x *code, slot int) bool {
	base := len(m.stack)
	if x.atoms(m); len(m.stack) == base {
		return false
	}
	mid := len(m.stack)
	values := m.global(slot)
	var set map[string]struct{}
	if len(values) >= longList && m.coll == nil {
		set = m.setFor(values)
	}
	var v bool
	if set != nil {
		v = m.inSet(base, values, set)
	} else {
		m.pushAll(values)
		m.atomizeAbove(mid)
		v = m.anyPair(opEq, base, mid)
	}
	m.stack = m.stack[:base]
	return v
}

func (m *machine) anyInSet(x *code, values Sequence, set map[string]struct{}) bool {
	base := len(m.stack)
	x.atoms(m)
	v := m.inSet(base, values, set)
	m.stack = m.stack[:base]
	return v
}

// inSet reports whether what lies above base has one of some values, all of them texts, which are in a set as well.
func (m *machine) inSet(base int, values Sequence, set map[string]struct{}) bool {
	for _, it := range m.stack[base:] {
		m.tick(1)
		if it.typ.text() {
			if _, found := set[it.text()]; found {
				return true
			}
			continue
		}
		for _, v := range values { // not a text, so the comparison is of another type
			m.tick(1)
			if m.generalCompare(opEq, it, atomOf(v)) {
				return true
			}
		}
	}
	return false
}

// global returns the value of a variable of the context.
func (m *machine) global(i int) Sequence {
	if m.ctx.Variables == nil {
		return nil
	}
	v, err := m.ctx.Variables.Variable(m.ctx, i)
	if err != nil {
		panic(foreign(err))
	}
	return v
}
