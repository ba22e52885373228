package xpath

import (
	"fmt"
	"strings"
)

// compiler turns an expression into code. In tracing, every part reports its values and nothing is rewritten, so that
// each part of the source is seen.
type compiler struct {
	env      *Static
	x        *Expr
	trace    *traceTable
	done     map[*expr]*code // so that a part which is tried in several ways is compiled once
	folder   *machine        // for folding
	folded   *Expr
	unfolded bool // the bound was reached
}

func (c *compiler) compile(e *expr) *code {
	if k := c.done[e]; k != nil {
		return k
	}
	k := c.build(e)
	if k.e == nil {
		k.complete(e)
	}
	if c.trace != nil {
		return c.trace.wrap(k, e)
	}
	k = c.fold(k, e)
	if c.done == nil {
		c.done = map[*expr]*code{}
	}
	c.done[e] = k
	return k
}

// fold computes what depends on nothing.
func (c *compiler) fold(k *code, e *expr) *code {
	if k.konst || k.deps != 0 || e.kind == xInline || e.kind == xFunctionRef || e.kind == xRange {
		return k
	}
	const limit = 200_000 // for all parts of an expression together
	if c.folder == nil {
		ctx := &Context{Limits: Limits{Work: limit, Items: limit, Octet: 1 << 20}}
		c.folder = ctx.machine()
		c.folder.folding = true
		c.folded = &Expr{names: c.x.names, frame: c.x.frame, maxID: -1, coll: c.x.coll, env: c.env}
	}
	m := c.folder
	if c.unfolded || m.spent() >= limit {
		return k
	}
	v, ok := func() (v Sequence, ok bool) {
		nested := m.begin(c.folded, m.ctx)
		base := len(m.stack)
		defer func() {
			m.end(nested)
			if r := recover(); r != nil {
				e, is := r.(*Error)
				if !is {
					panic(r)
				}
				v, ok = nil, false
				c.unfolded = c.unfolded || e.kind == ErrLimit
			}
		}()
		k.push(m)
		return append(Sequence(nil), m.stack[base:]...), true
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
	case xCastList, xCastableList:
		return c.castingList(e)
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
	if e.known != nil && c.trace == nil {
		return constant(e, e.known)
	}
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
	var kids []*code
	for i := 0; i < len(e.kids); i++ {
		if e.kind == xAnd && i+1 < len(e.kids) {
			if k := c.oneCode(e.kids[i], e.kids[i+1]); k != nil {
				kids = append(kids, k.complete(nil))
				i++
				continue
			}
		}
		kids = append(kids, c.compile(e.kids[i]))
	}
	d := depsOf(kids...)
	switch len(kids) {
	case 1:
		return boolean(d, kids[0].ebv)
	case 2:
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
