package xpath

import (
	"fmt"
	"math"
	"strings"
)

// compiler turns an expression into code. In tracing, every part reports its values and nothing is rewritten, so that
// each part of the source is seen.
type compiler struct {
	env   *Static
	x     *Expr
	trace *traceTable
}

func (c *compiler) compile(e *expr) *code {
	k := c.build(e)
	if k.e == nil {
		k.complete(e)
	}
	if c.trace != nil {
		return c.trace.wrap(k, e)
	}
	return c.fold(k, e)
}

// fold computes what depends on nothing.
func (c *compiler) fold(k *code, e *expr) *code {
	if k.konst || k.deps != 0 || e.kind == xInline || e.kind == xFunctionRef || e.kind == xRange {
		return k
	}
	const limit = 100_000
	ctx := &Context{Limits: Limits{Work: limit, Items: limit, Octet: 1 << 20}}
	m := ctx.machine()
	m.folding = true
	v, ok := func() (v Sequence, ok bool) {
		defer func() {
			if r := recover(); r != nil {
				if _, is := r.(*Error); !is {
					panic(r)
				}
			}
		}()
		s := m.begin(&Expr{names: c.x.names, frame: c.x.frame, maxID: -1, coll: c.x.coll}, ctx)
		k.push(m)
		v = m.keep(s.stack)
		return v, true
	}()
	if !ok {
		return k
	}
	for _, it := range v {
		if !it.typ.atomic() {
			return k
		}
	}
	return constant(e, v)
}

func (c *compiler) all(es []*expr) []*code {
	cs := make([]*code, len(es))
	for i, e := range es {
		cs[i] = c.compile(e)
	}
	return cs
}

func (c *compiler) build(e *expr) *code {
	switch e.kind {
	case xLiteral:
		return constant(e, Sequence{e.val})
	case xVar:
		return c.variable(e)
	case xContext:
		return &code{one: func(m *machine) (Item, bool) { return m.context(), true }, deps: needsFocus, max1: true, min1: true}
	case xRoot, xStep, xPath:
		return c.path(e)
	case xFilter:
		return c.filter(e)
	case xSequence:
		return c.sequence(e)
	case xCall:
		return c.call(e)
	case xGeneral:
		return c.general(e)
	case xValue:
		return c.value(e)
	case xIs, xBefore, xAfter:
		return c.nodeComparison(e)
	case xArith:
		return c.arithmetic(e)
	case xNegate, xPlus:
		a := c.compile(e.kids[0])
		neg := e.kind == xNegate
		return &code{deps: a.deps, one: func(m *machine) (Item, bool) {
			it, ok := a.numeric(m)
			if ok && neg {
				it = negate(it)
			}
			return it, ok
		}}
	case xAnd, xOr:
		return c.logic(e)
	case xUnion, xIntersect, xExcept:
		return c.sets(e)
	case xRange:
		return c.rangeTo(e)
	case xIf:
		return c.conditional(e)
	case xFor, xLet, xSome, xEvery:
		return c.binding(e)
	case xInstance:
		a, st := c.compile(e.kids[0]), e.st
		return boolean(a.deps, func(m *machine) bool {
			base := len(m.stack)
			a.push(m)
			ok := st.matches(m.stack[base:])
			m.stack = m.stack[:base]
			return ok
		})
	case xTreat:
		a, st := c.compile(e.kids[0]), e.st
		return &code{deps: a.deps, typ: a.typ, sorted: a.sorted, push: func(m *machine) {
			base := len(m.stack)
			a.push(m)
			if !st.matches(m.stack[base:]) {
				fail("XPDY0050", "the value is not %s", st)
			}
		}}
	case xCast, xCastable:
		return c.casting(e)
	case xConcat:
		return c.concatenation(c.all(e.kids))
	case xBang:
		return c.bang(e)
	case xFunctionRef:
		return c.functionRef(e)
	case xInline:
		return c.inline(e)
	case xDynamicCall:
		return c.dynamicCall(e)
	case xMapMake:
		return c.mapMake(e)
	case xArrayMake, xArrayCurly:
		return c.arrayMake(e)
	case xLookup:
		return c.lookup(e)
	}
	panic(fmt.Sprintf("xpath: no code for kind %d", e.kind))
}

func (c *compiler) variable(e *expr) *code {
	i := e.slot
	if e.global {
		k := &code{deps: needsOuter, push: func(m *machine) { m.pushAll(m.global(i)) }}
		if e.st != nil && e.st.occurs != '*' && e.st.occurs != '+' {
			k.max1 = true
		}
		return k
	}
	return &code{deps: needsLocal, push: func(m *machine) { m.pushSlot(i) }, one: func(m *machine) (Item, bool) {
		s := m.get(i)
		if s.one.typ != TypeNone {
			return s.one, true
		}
		if len(s.seq) > 1 {
			fail("XPTY0004", "%d items where one is allowed", len(s.seq))
		}
		return Item{}, false
	}}
}

// foreign makes an error of the caller's an error of the expression.
func foreign(err error) *Error {
	if e, ok := err.(*Error); ok {
		return e
	}
	return &Error{Code: QName{ErrorSpace, "FOER0000", "err"}, Msg: err.Error(), Offset: -1, kind: ErrDynamic, cause: err}
}

func (c *compiler) sequence(e *expr) *code {
	if len(e.kids) == 1 {
		return c.compile(e.kids[0])
	}
	kids := c.all(e.kids)
	k := &code{deps: depsOf(kids...)}
	if len(kids) > 0 {
		k.typ = kids[0].typ
	}
	for _, a := range kids {
		if a.typ != k.typ {
			k.typ = TypeNone
		}
		k.min1 = k.min1 || a.min1
	}
	k.push = func(m *machine) {
		for _, a := range kids {
			a.push(m)
		}
	}
	if len(kids) > 0 && kids[0].typ == TypeNode {
		k.ebv = func(m *machine) bool { // a node decides
			base := len(m.stack)
			for _, a := range kids {
				a.push(m)
				if len(m.stack) > base && m.stack[base].typ == TypeNode {
					m.stack = m.stack[:base]
					return true
				}
			}
			return m.ebvAbove(base)
		}
	}
	return k
}

func (c *compiler) logic(e *expr) *code {
	kids := c.all(e.kids)
	d := depsOf(kids...)
	if len(kids) == 2 {
		a, b := kids[0], kids[1]
		if e.kind == xAnd {
			return boolean(d, func(m *machine) bool { return a.ebv(m) && b.ebv(m) })
		}
		return boolean(d, func(m *machine) bool { return a.ebv(m) || b.ebv(m) })
	}
	stop := e.kind == xOr
	return boolean(d, func(m *machine) bool {
		for _, a := range kids {
			if a.ebv(m) == stop {
				return stop
			}
		}
		return !stop
	})
}

func (c *compiler) conditional(e *expr) *code {
	cond, yes, no := c.compile(e.kids[0]), c.compile(e.kids[1]), c.compile(e.kids[2])
	k := &code{deps: depsOf(cond, yes, no), max1: yes.max1 && no.max1, min1: yes.min1 && no.min1}
	if yes.typ == no.typ {
		k.typ = yes.typ
	}
	k.push = func(m *machine) {
		if cond.ebv(m) {
			yes.push(m)
		} else {
			no.push(m)
		}
	}
	k.one = func(m *machine) (Item, bool) {
		if cond.ebv(m) {
			return yes.one(m)
		}
		return no.one(m)
	}
	k.ebv = func(m *machine) bool {
		if cond.ebv(m) {
			return yes.ebv(m)
		}
		return no.ebv(m)
	}
	return k
}

func (c *compiler) arithmetic(e *expr) *code {
	a, b, op := c.compile(e.kids[0]), c.compile(e.kids[1]), e.arith
	k := &code{deps: depsOf(a, b), max1: true, min1: a.min1 && b.min1}
	k.one = func(m *machine) (Item, bool) {
		x, ok := a.atom(m)
		y, ok2 := b.atom(m)
		if !ok || !ok2 {
			return Item{}, false
		}
		m.tick(1)
		return m.compute(op, x, y), true
	}
	return k
}

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

func (m *machine) needNodes(base int) {
	for _, it := range m.stack[base:] {
		if it.typ != TypeNode {
			fail("XPTY0004", "%s where only nodes are allowed", it.typ)
		}
	}
}

func (c *compiler) sets(e *expr) *code {
	kids := c.all(e.kids)
	k := &code{deps: depsOf(kids...), typ: TypeNode, sorted: true}
	if e.kind == xUnion {
		k.push = func(m *machine) {
			base := len(m.stack)
			for _, a := range kids {
				a.push(m)
			}
			m.needNodes(base)
			m.sortNodes(base)
		}
		nodes := true
		for _, a := range kids {
			nodes = nodes && a.typ == TypeNode
		}
		if nodes {
			k.ebv = func(m *machine) bool {
				for _, a := range kids {
					if a.ebv(m) {
						return true
					}
				}
				return false
			}
		}
		return k
	}
	a, b, keep := kids[0], kids[1], e.kind == xIntersect
	k.push = func(m *machine) {
		base := len(m.stack)
		a.push(m)
		m.needNodes(base)
		m.sortNodes(base)
		mid := len(m.stack)
		b.push(m)
		m.needNodes(mid)
		m.sortNodes(mid)
		w, j := base, mid
		for i := base; i < mid; i++ {
			x := m.stack[i]
			for j < len(m.stack) && m.before(m.stack[j], x) {
				j++
			}
			if (j < len(m.stack) && m.stack[j] == x) == keep {
				m.stack[w] = x
				w++
			}
		}
		m.stack = m.stack[:w]
	}
	return k
}

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

func (c *compiler) casting(e *expr) *code {
	a, t, optional := c.compile(e.kids[0]), e.typ, e.optional
	prefixes := c.env.qnamePrefix
	if e.kind == xCastable {
		return boolean(a.deps, func(m *machine) bool {
			base := len(m.stack)
			a.atoms(m)
			n := len(m.stack) - base
			if n != 1 {
				m.stack = m.stack[:base]
				return n == 0 && optional
			}
			it := m.stack[base]
			m.stack = m.stack[:base]
			_, p := cast(it, t, prefixes)
			return p == castDone
		})
	}
	return &code{deps: a.deps, max1: true, typ: t, min1: a.min1, one: func(m *machine) (Item, bool) {
		it, ok := a.atom(m)
		if !ok {
			if !optional {
				fail("XPTY0004", "nothing to cast to %s", t)
			}
			return it, false
		}
		r, p := cast(it, t, prefixes)
		if p != castDone {
			panic(castError(it, t, p))
		}
		return r, true
	}}
}

// qnamePrefix resolves the prefix of a string that becomes an xs:QName.
func (s *Static) qnamePrefix(p string) (string, bool) {
	if p == "" {
		return s.DefaultElementNamespace, true
	}
	return s.prefix(p)
}

func (c *compiler) concatenation(args []*code) *code {
	return &code{deps: depsOf(args...), typ: XSString, max1: true, min1: true, one: func(m *machine) (Item, bool) {
		var few [8]string
		parts := few[:0]
		n := 0
		for _, a := range args {
			s := ""
			if it, ok := a.atom(m); ok {
				s = atomString(it)
			}
			parts = append(parts, s)
			n += len(s)
		}
		m.built(n)
		return StringItem(strings.Join(parts, "")), true
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
			if k.kind == xVar && k.global && !(i == 0 && e.kids[1].kind == xVar) {
				x, slot := []*code{b, a}[i], k.slot
				return boolean(d, func(m *machine) bool { return m.anyIn(x, m.global(slot)) })
			}
		}
	}
	if r := e.kids[1]; r.kind == xRange && op == opEq && !b.konst && c.trace == nil {
		lo, hi := c.compile(r.kids[0]), c.compile(r.kids[1])
		return boolean(d, func(m *machine) bool {
			base := len(m.stack)
			a.atoms(m)
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
