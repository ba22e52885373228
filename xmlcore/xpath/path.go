package xpath

import "github.com/viadukt-eu/viadukt/xmlcore/dom"

// A path is a row of stages. A walker goes down several axis steps, one nested in the other, so that no list is made in
// between; it ends where a step could meet one node twice. A mapping evaluates any other expression for each node.

// step is one axis step of a walker.
type step struct {
	axis  axis
	test  nodeTest
	preds []*predicate
	last  bool // a predicate asks how many nodes there are
	key   *key // of the first predicate; nil for others
	// siblings says that positions count among the children of one parent, though the axis goes to all below.
	siblings bool
}

type walker struct{ steps []*step }

type stage struct {
	walk   *walker
	each   *code // or an expression for each node
	unsure bool  // the result must be sorted
}

// path compiles a root, a step or several parts with / between.
func (c *compiler) path(e *expr) *code {
	parts := []*expr{e}
	if e.kind == xPath {
		parts = e.kids
	}
	k := &code{typ: TypeNode, sorted: true}
	var start *code
	root := false
	single, peers, distinct, sorted := true, true, true, true // of what the stages so far give
	switch parts[0].kind {
	case xRoot:
		root = true
		parts = parts[1:]
		k.deps |= needsFocus
	case xStep:
		k.deps |= needsFocus
	default:
		start = c.compile(parts[0])
		k.deps |= start.deps
		parts = parts[1:]
		single, peers = start.max1, start.max1
		if !start.sorted && !start.max1 {
			sorted, distinct = false, false
		}
	}
	var stages []*stage
	var w *walker
	var kept *step // the first step, when its nodes are kept for the document
	flush := func() {
		if w != nil {
			stages = append(stages, &stage{walk: w, unsure: !sorted})
			w = nil
		}
	}
	k.max1 = len(parts) == 0 && (start == nil || start.max1)
	if c.trace == nil {
		parts = spreadUnions(parts)
	}
	for i := 0; i < len(parts); i++ {
		p := parts[i]
		if p.kind != xStep {
			flush()
			each := c.compile(p)
			k.deps |= each.deps & (needsLocal | needsOuter | needsEffect)
			st := &stage{each: each, unsure: true}
			if single && each.sorted && each.typ == TypeNode {
				st.unsure = false
			}
			stages = append(stages, st)
			single, peers, distinct, sorted = single && each.max1, false, true, true
			k.typ, k.max1 = each.typ, single
			continue
		}
		s := c.step(p)
		for _, q := range s.preds {
			k.deps |= q.code.deps & (needsLocal | needsOuter | needsEffect)
		}
		if c.trace == nil && s.axis == axisDescendantOrSelf && s.test == (nodeTest{}) && len(s.preds) == 0 && i+1 < len(parts) &&
			parts[i+1].kind == xStep && (parts[i+1].axis == axisChild || parts[i+1].axis == axisAttribute && parts[i+1].test.exact()) {
			next := c.step(parts[i+1]) // //x is descendant::x unless a predicate counts
			if !next.counts() || next.keyed() && next.axis == axisChild {
				next.siblings = next.counts()
				for _, q := range next.preds {
					k.deps |= q.code.deps & (needsLocal | needsOuter | needsEffect)
				}
				s = next
				if s.axis == axisChild {
					s.axis = axisDescendant
				} else {
					s.axis = axisAttributeBelow
				}
				i++
			}
		}
		if root && len(stages) == 0 && w == nil && c.trace == nil && s.remembered() && parts[i].end-parts[i].pos < maxRemembered && !parts[i].typed() {
			stages = append(stages, &stage{each: c.remember(s, parts[i])})
			kept = s
			single, peers, sorted = false, false, true
			k.max1 = false
			continue
		}
		if s.axis == axisNamespace {
			flush()
			stages = append(stages, &stage{each: namespaces(s), unsure: true})
			single, peers, distinct, sorted = false, false, true, true
			continue
		}
		keeps := s.axis == axisChild || s.axis == axisAttribute || s.axis == axisSelf ||
			(s.axis == axisDescendant || s.axis == axisDescendantOrSelf || s.axis == axisAttributeBelow) && peers && distinct || single
		if !keeps {
			flush()
			if len(stages) > 0 || start != nil { // what was met twice is dropped before the next step
				if len(stages) > 0 {
					stages[len(stages)-1].unsure = !sorted || !distinct
				}
			}
		}
		if w == nil {
			w = &walker{}
		}
		w.steps = append(w.steps, s)
		switch s.axis {
		case axisSelf:
		case axisChild, axisAttribute:
			sorted = sorted && (peers || s.axis == axisAttribute)
			one := single && s.axis == axisAttribute && s.test.named && !s.test.anyNS && !s.test.anyLN
			for _, q := range s.preds {
				one = one || single && q.at > 0
			}
			single = one
			peers = peers || s.axis == axisAttribute
		case axisParent:
			sorted, distinct, peers = sorted && single, distinct && single, single
		case axisDescendant, axisDescendantOrSelf, axisAttributeBelow:
			sorted, distinct = sorted && peers, distinct && peers
			single, peers = false, s.axis == axisAttributeBelow
		case axisFollowingSibling:
			sorted, distinct, peers = sorted && single, distinct && single, single
			single = false
		default:
			sorted, distinct = false, distinct && single
			single, peers = false, false
		}
		if !distinct {
			flush()
			stages[len(stages)-1].unsure = true
			distinct, sorted = true, true
		}
		k.typ = TypeNode
		k.max1 = single
	}
	flush()
	if len(stages) > 0 {
		if last := stages[len(stages)-1]; last.walk != nil && !sorted {
			last.unsure = true
		}
	}
	k.push = pathPush(start, root, stages)
	if root && len(stages) == 0 {
		k.min1 = true
	}
	if len(stages) > 0 && stages[len(stages)-1].walk != nil {
		k.ebv = pathExists(start, root, stages)
	}
	if kept != nil {
		switch steps := []*step{kept}; {
		case len(stages) == 1:
			k.ebv = sooner(func(m *machine) bool {
				base := len(m.stack)
				k.push(m)
				some := len(m.stack) > base
				m.stack = m.stack[:base]
				return some
			}, &walker{steps: steps})
		case len(stages) == 2 && stages[1].walk != nil:
			k.ebv = sooner(k.ebv, &walker{steps: append(steps, stages[1].walk.steps...)})
		}
	}
	if start == nil && len(stages) == 1 && stages[0].walk != nil && stages[0].walk.straight() {
		k.straighten(stages[0].walk, root)
	}
	if start == nil && !root && len(stages) == 1 && stages[0].walk != nil && stages[0].walk.anyChild() {
		k.ebv = func(m *machine) bool {
			it := m.node()
			m.tick(1)
			return it.n < 0 && it.Node().Kind() <= dom.ElementNode && it.Node().FirstElement().Valid()
		}
	}
	return k
}

// counts reports whether a predicate depends on positions.
func (s *step) counts() bool {
	for _, q := range s.preds {
		if q.pos || q.last {
			return true
		}
	}
	return false
}

// spreadUnions turns //(a | b) into a union of descendants, so that not every node is asked for its children.
func spreadUnions(parts []*expr) []*expr {
	for i := 0; i+1 < len(parts); i++ {
		u := parts[i+1]
		for u.kind == xSequence && len(u.kids) == 1 {
			u = u.kids[0]
		}
		if s := parts[i]; s.kind != xStep || s.axis != axisDescendantOrSelf || s.test != (nodeTest{}) || len(s.kids) > 0 || u.kind != xUnion {
			continue
		}
		down := *u
		down.kids = nil
		for _, k := range u.kids {
			if k.kind != xStep || k.axis != axisChild || len(k.kids) > 0 {
				return parts
			}
			d := *k
			d.axis = axisDescendant
			down.kids = append(down.kids, &d)
		}
		out := append([]*expr(nil), parts[:i]...)
		return append(append(out, &down), spreadUnions(parts[i+2:])...)
	}
	return parts
}

func (c *compiler) step(e *expr) *step {
	s := &step{axis: e.axis, test: e.test}
	for i, p := range e.kids {
		if i == 0 {
			s.key = c.keyOf(p)
		}
		for _, q := range c.predicates(p) {
			s.preds = append(s.preds, q)
			s.last = s.last || q.last
		}
	}
	s.last = s.last || len(s.preds) > maxInline
	return s
}

// begin gives the item that a path starts with when there is one for sure.
func begin(m *machine, root bool) Item {
	it := m.node()
	if root {
		return node(it.doc(), 0)
	}
	return it
}

func pathPush(start *code, root bool, stages []*stage) func(*machine) {
	if start == nil && len(stages) == 0 {
		return func(m *machine) { m.add(begin(m, root)) }
	}
	if start == nil && len(stages) == 1 && stages[0].walk != nil {
		w, unsure := stages[0].walk, stages[0].unsure
		return func(m *machine) {
			base := len(m.stack)
			w.from(m, begin(m, root), false)
			if unsure {
				m.sortNodes(base)
			}
		}
	}
	return func(m *machine) {
		base := len(m.stack)
		if start != nil {
			start.push(m)
			m.pathNodes(base)
		} else {
			m.add(begin(m, root))
		}
		runStages(m, base, stages)
	}
}

// pathNodes requires that a path goes on from nodes.
func (m *machine) pathNodes(base int) {
	for _, it := range m.stack[base:] {
		if it.typ != TypeNode {
			fail("XPTY0019", "a path goes on from %s, which is no node", it.typ)
		}
	}
}

func runStages(m *machine, base int, stages []*stage) {
	for i, s := range stages {
		mid := len(m.stack)
		if mid == base {
			return
		}
		if i > 0 && stages[i-1].each != nil {
			m.pathNodes(base)
		}
		if s.walk != nil {
			for j := base; j < mid; j++ {
				s.walk.from(m, m.stack[j], false)
			}
		} else {
			f := m.focus
			for j := base; j < mid; j++ {
				m.tick(1)
				m.item, m.pos, m.size = m.stack[j], j-base+1, mid-base
				s.each.push(m)
			}
			m.focus = f
		}
		m.drop(base, mid)
		if s.unsure && (s.walk != nil || m.nodesAbove(base)) {
			m.sortNodes(base)
		}
	}
}

// nodesAbove tells nodes from atomic values; both in one result are an error.
func (m *machine) nodesAbove(base int) bool {
	s := m.stack[base:]
	for _, it := range s {
		if (it.typ == TypeNode) != (s[0].typ == TypeNode) {
			fail("XPTY0018", "a step gives nodes and other values")
		}
	}
	return len(s) > 0 && s[0].typ == TypeNode
}

func pathExists(start *code, root bool, stages []*stage) func(*machine) bool {
	last := stages[len(stages)-1].walk
	if start == nil && len(stages) == 1 {
		return func(m *machine) bool { return last.from(m, begin(m, root), true) }
	}
	return func(m *machine) bool {
		base := len(m.stack)
		if start != nil {
			start.push(m)
			m.pathNodes(base)
		} else {
			m.add(begin(m, root))
		}
		runStages(m, base, stages[:len(stages)-1])
		m.pathNodes(base)
		found := false
		for j := base; j < len(m.stack) && !found; j++ {
			found = last.from(m, m.stack[j], true)
		}
		m.stack = m.stack[:base]
		return found
	}
}

// bang is the simple map operator: any items, any results, in order.
func (c *compiler) bang(e *expr) *code {
	a, b := c.compile(e.kids[0]), c.compile(e.kids[1])
	return &code{deps: a.deps | b.deps&(needsLocal|needsOuter|needsEffect), typ: b.typ, max1: a.max1 && b.max1, push: func(m *machine) {
		base := len(m.stack)
		a.push(m)
		mid := len(m.stack)
		f := m.focus
		for i := base; i < mid; i++ {
			m.tick(1)
			m.item, m.pos, m.size = m.stack[i], i-base+1, mid-base
			b.push(m)
		}
		m.focus = f
		m.drop(base, mid)
	}}
}
