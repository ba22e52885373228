package xpath

import (
	"strings"
	"sync/atomic"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// predicate is what stands in brackets.
type predicate struct {
	code  *code
	at    int                 // a constant position, or 0
	never bool                // a constant number that is no position
	truth bool                // the value is never a number
	last  bool                // uses last()
	pos   bool                // depends on the position
	named bool                // the name of the node decides alone
	fixed bool                // the variables of the context decide alone
	id    int32               // with named
	plain func(dom.Node) bool // asks the node without anything set up; may be nil
	twin  *twin
}

func (c *compiler) predicate(e *expr) *predicate {
	k := c.compile(e)
	p := &predicate{code: k, last: k.deps&needsLast != 0, pos: k.deps&needsPos != 0}
	switch {
	case k.konst && len(k.val) == 1 && k.val[0].typ.numeric():
		f := toFloat(k.val[0])
		if p.at = int(f); f < 1 || float64(p.at) != f || f > 1<<31 {
			p.at, p.never = 0, true
		}
		p.pos = true
	case k.typ == XSBoolean || k.typ == TypeNode || k.typ.text():
		p.truth = true
	default:
		p.pos = true
	}
	p.fixed = p.truth && !p.pos && !p.last && k.deps == needsOuter && e.fixed()
	if c.trace == nil && p.truth && !p.pos && !p.last && k.deps == needsFocus {
		if c.x.coll == nil {
			p.plain = e.plainFunc()
		}
		if p.named = e.nameOnly(); p.named {
			p.id = c.x.names.numberNamed()
		}
		if !p.named && e.kind != xStep && e.end-e.pos < maxRemembered && !e.typed() {
			p.twin = c.x.names.twin(c.env.Collation + " " + e.canonical())
		}
	}
	return p
}

// predicates compiles one predicate; [a and b] without positions becomes [a][b], so that what asks for the name alone
// can be remembered by name.
func (c *compiler) predicates(e *expr) []*predicate {
	if e.kind == xAnd && c.trace == nil {
		var all []*predicate
		named := false
		for _, k := range e.kids {
			q := c.predicate(k)
			if q.code.deps&(needsPos|needsLast) != 0 {
				all = nil
				break
			}
			q.truth, q.pos, q.at, q.never = true, false, 0, false
			all = append(all, q)
			named = named || q.named
		}
		if all != nil && (named || len(all) <= 2) {
			return all
		}
	}
	return []*predicate{c.predicate(e)}
}

// nameOnly reports whether the name of the context node is all that an expression depends on.
func (e *expr) nameOnly() bool {
	switch e.kind {
	case xLiteral:
		return true
	case xCall:
		if e.fn == nil || e.name.Space != FunctionSpace {
			return false
		}
		switch e.fn.name {
		case "name", "local-name", "namespace-uri":
			return len(e.kids) == 0 || e.kids[0].kind == xContext
		case "not", "ends-with", "starts-with", "contains", "concat", "substring", "string", "string-length", "substring-after", "substring-before":
			if len(e.kids) == 0 {
				return false
			}
		default:
			return false
		}
	case xGeneral, xAnd, xOr, xSequence:
	default:
		return false
	}
	for _, k := range e.kids {
		if !k.nameOnly() {
			return false
		}
	}
	return true
}

// plainFunc makes the most frequent questions for a name, for elements below and for any text plain functions, which cannot
// fail and look at no more than what is in the node; nil for others.
func (e *expr) plainFunc() func(dom.Node) bool {
	e = e.bare()
	switch {
	case e.kind == xAnd || e.kind == xOr:
		var all []func(dom.Node) bool
		for _, k := range e.kids {
			f := k.plainFunc()
			if f == nil {
				return nil
			}
			all = append(all, f)
		}
		stop := e.kind == xOr
		return func(n dom.Node) bool {
			for _, f := range all {
				if f(n) == stop {
					return stop
				}
			}
			return !stop
		}
	case e.calls("not", 1):
		if f := e.kids[0].plainFunc(); f != nil {
			return func(n dom.Node) bool { return !f(n) }
		}
		return nil
	case e.calls("normalize-space", 0):
		return hasText
	case e.kind == xStep && len(e.kids) == 0 && e.axis == axisChild && e.test == (nodeTest{kind: dom.ElementNode}):
		return func(n dom.Node) bool { return n.Kind() <= dom.ElementNode && n.FirstElement().Valid() }
	}
	holds := map[string]func(name, part string) bool{"ends-with": strings.HasSuffix, "starts-with": strings.HasPrefix, "contains": strings.Contains}
	var f func(name, part string) bool
	switch {
	case e.kind == xGeneral && e.cmp == opEq:
		f = func(name, part string) bool { return name == part }
	case e.kind == xCall && e.fn != nil && e.name.Space == FunctionSpace && len(e.kids) == 2:
		f = holds[e.fn.name]
	}
	if f == nil {
		return nil
	}
	name, part := e.kids[0].bare(), e.kids[1].bare()
	if part.kind != xLiteral || part.val.typ != XSString {
		return nil
	}
	of := dom.Node.QName
	switch {
	case len(name.kids) > 0 && name.kids[0].kind != xContext: // of another node
		return nil
	case name.calls("local-name", -1):
		of = dom.Node.Local
	case !name.calls("name", -1):
		return nil
	}
	text := part.val.text()
	return func(n dom.Node) bool { return f(of(n), text) }
}

// fixed reports whether an expression depends on nothing but variables of the context.
func (e *expr) fixed() bool {
	switch e.kind {
	case xLiteral:
		return true
	case xVar:
		return e.global && e.known == nil
	case xGeneral, xValue, xAnd, xOr, xSequence:
	case xCall:
		if e.fn == nil || e.name.Space != FunctionSpace || len(e.kids) == 0 || e.fn.name != "not" && e.fn.name != "exists" && e.fn.name != "empty" {
			return false
		}
	default:
		return false
	}
	for _, k := range e.kids {
		if !k.fixed() {
			return false
		}
	}
	return true
}

// byName remembers the answer of a predicate for the name of the context node.
func (p *predicate) byName(m *machine) bool {
	it := m.item
	if it.n >= 0 {
		return p.code.ebv(m)
	}
	in := m.infoFor(it.doc())
	known := table(&in.byName, int(p.id), in.d.NumNames())
	id := it.Node().NameID()
	if known[id] == 0 {
		known[id] = 1
		if p.code.ebv(m) {
			known[id] = 2
		}
	}
	return known[id] == 2
}

// twin is what predicates share that ask the same of a node: rules repeat them.
type twin struct {
	id   int32
	uses atomic.Int32
}

// byNode remembers the answer for the context node, in two bits: asked, and true.
func (p *predicate) byNode(m *machine) bool {
	i := m.item.i
	in := m.infoFor(m.item.doc())
	known := table(&in.byNode, int(p.twin.id), (in.d.Len()+3)/4)
	shift := uint(i&3) * 2
	if b := known[i>>2] >> shift; b&1 != 0 {
		return b&2 != 0
	}
	v := p.code.ebv(m)
	b := uint8(1)
	if v {
		b = 3
	}
	known[i>>2] |= b << shift
	return v
}

// holds evaluates a predicate in the focus that is set.
func (p *predicate) holds(m *machine) bool {
	if p.plain != nil && m.item.typ == TypeNode && m.item.n < 0 {
		n := m.item.Node()
		m.tick((n.End() - n.Index()) / 4)
		return p.plain(n)
	}
	if p.named {
		return p.byName(m)
	}
	if p.twin != nil && p.twin.uses.Load() > 1 && m.item.typ == TypeNode && m.item.n < 0 {
		return p.byNode(m)
	}
	if p.truth {
		return p.code.ebv(m)
	}
	if p.at > 0 || p.never {
		return m.pos == p.at
	}
	pos := m.pos
	base := len(m.stack)
	p.code.push(m)
	if len(m.stack)-base == 1 && m.stack[base].typ.numeric() {
		v := toFloat(m.stack[base]) == float64(pos)
		m.stack = m.stack[:base]
		return v
	}
	return m.ebvAbove(base)
}

// filterAbove keeps the items above base for which a predicate holds.
func (m *machine) filterAbove(base int, p *predicate) {
	if p.at > 0 || p.never {
		if i := base + p.at - 1; p.at > 0 && i < len(m.stack) {
			m.stack[base] = m.stack[i]
			m.stack = m.stack[:base+1]
		} else {
			m.stack = m.stack[:base]
		}
		return
	}
	f := m.focus
	end := len(m.stack)
	w := base
	m.size = end - base
	for i := base; i < end; i++ {
		m.tick(1)
		m.item, m.pos, m.size = m.stack[i], i-base+1, end-base
		if p.holds(m) {
			m.stack[w] = m.stack[i]
			w++
		}
	}
	m.stack = m.stack[:w]
	m.focus = f
}

const maxInline = 4 // predicates of a step that are counted without a list

// filter is an expression with predicates that is no step.
func (c *compiler) filter(e *expr) *code {
	a := c.compile(e.kids[0])
	k := &code{deps: a.deps, typ: a.typ, max1: a.max1, sorted: a.sorted}
	var preds []*predicate
	for _, p := range e.kids[1:] {
		q := c.predicate(p)
		preds = append(preds, q)
		k.deps |= q.code.deps & (needsLocal | needsOuter | needsEffect)
		k.max1 = k.max1 || q.at > 0
	}
	k.push = func(m *machine) {
		base := len(m.stack)
		a.push(m)
		for _, p := range preds {
			m.filterAbove(base, p)
		}
	}
	if at := preds[0].code; len(preds) == 1 && c.trace == nil && preds[0].at == 0 && !preds[0].never && at.deps&(needsFocus|needsPos|needsLast|needsEffect) == 0 && at.max1 {
		k.push = func(m *machine) { m.pick(a, at) }
	}
	return k
}

// pick is a filter whose predicate is the same for each item, most often a position.
func (m *machine) pick(a, at *code) {
	base := len(m.stack)
	a.push(m)
	n := len(m.stack) - base
	if n == 0 {
		return
	}
	m.tick(1)
	it, ok := at.one(m)
	switch {
	case !ok || !it.typ.numeric() && !ebvItem(it):
		m.stack = m.stack[:base]
	case !it.typ.numeric():
	default:
		f := toFloat(it)
		if i := int(f); f >= 1 && f <= float64(n) && float64(i) == f {
			m.stack[base] = m.stack[base+i-1]
			m.stack = m.stack[:base+1]
		} else {
			m.stack = m.stack[:base]
		}
	}
}
