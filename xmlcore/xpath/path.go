package xpath

import (
	"fmt"
	"strings"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// A path is a row of stages. A walker goes down several axis steps, one nested in the other, so that no list is made in
// between; it ends where a step could meet one node twice. A mapping evaluates any other expression for each node.

// step is one axis step of a walker.
type step struct {
	axis  axis
	test  nodeTest
	preds []*predicate
	last  bool // a predicate asks how many nodes there are
}

// predicate is what stands in brackets.
type predicate struct {
	code  *code
	at    int  // a constant position, or 0
	never bool // a constant number that is no position
	truth bool // the value is never a number
	last  bool // uses last()
	pos   bool // depends on the position
	named bool // the name of the node decides alone
}

type walker struct{ steps []*step }

type stage struct {
	walk   *walker
	each   *code // or an expression for each node
	unsure bool  // the result must be sorted
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
	p.named = c.trace == nil && p.truth && !p.pos && !p.last && k.deps == needsFocus && e.nameOnly()
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

// byName remembers the answer of a predicate for the name of the context node.
func (p *predicate) byName(m *machine) bool {
	it := m.item
	if it.n >= 0 {
		return p.code.ebv(m)
	}
	in := m.infoFor(it.doc())
	known := in.byName[p]
	if known == nil {
		if in.byName == nil {
			in.byName = map[*predicate][]uint8{}
		}
		known = make([]uint8, in.d.NumNames())
		in.byName[p] = known
	}
	id := it.Node().NameID()
	if known[id] == 0 {
		known[id] = 1
		if p.code.ebv(m) {
			known[id] = 2
		}
	}
	return known[id] == 2
}

// holds evaluates a predicate in the focus that is set.
func (p *predicate) holds(m *machine) bool {
	if p.named {
		return p.byName(m)
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
			if !next.counts() {
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
		if root && len(stages) == 0 && w == nil && c.trace == nil && s.remembered() && !parts[i].typed() {
			stages = append(stages, &stage{each: c.remember(s, parts[i])})
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
	if start == nil && len(stages) == 1 && stages[0].walk != nil && stages[0].walk.straight() {
		k.straighten(stages[0].walk, root)
	}
	return k
}

// straight reports whether a walker goes down by exact names alone.
func (w *walker) straight() bool {
	for _, s := range w.steps {
		if len(s.preds) > 0 || !s.test.exact() || s.axis != axisChild && s.axis != axisAttribute || (s.axis == axisChild) != (s.test.kind == dom.ElementNode) {
			return false
		}
	}
	return true
}

// straighten gives a path straight down its short ways: most select one node or none.
func (k *code) straighten(w *walker, root bool) {
	k.solo = func(m *machine) (Item, int) {
		it := begin(m, root)
		if it.n >= 0 {
			return it, 2
		}
		in := m.infoFor(it.doc())
		for _, s := range w.steps {
			n := 0
			if it.i, n = s.solo(m, in, it.i); n != 1 {
				return it, n
			}
		}
		return it, 1
	}
	push := k.push
	k.push = func(m *machine) {
		switch it, n := k.solo(m); n {
		case 1:
			m.add(it)
		case 2:
			push(m)
		}
	}
	k.one = func(m *machine) (Item, bool) {
		it, n := k.solo(m)
		if n < 2 {
			return it, n == 1
		}
		base := len(m.stack)
		push(m)
		n = len(m.stack) - base
		if n > 1 {
			fail("XPTY0004", "%d items where one is allowed", n)
		}
		if n == 1 {
			it = m.stack[base]
		}
		m.stack = m.stack[:base]
		return it, n == 1
	}
}

// solo finds the child or attribute that a step asks for: n is 0, 1, or 2 for several.
func (s *step) solo(m *machine, in *docInfo, i int32) (found int32, n int) {
	d, id := in.d, s.test.id
	e := d.At(int(i))
	if s.axis == axisAttribute {
		for j := i + 1; j <= i+int32(e.NumAttributes()); j++ {
			m.tick(1)
			if in.ids[d.At(int(j)).NameID()] == id {
				return j, 1
			}
		}
		return 0, 0
	}
	list := in.elements(id)
	if len(list) == 0 || e.Kind() > dom.ElementNode {
		return 0, 0
	}
	end := int32(e.End())
	if end-i > 12 && len(list) <= int(end-i)/2 {
		j := 0
		if len(list) > 8 {
			j = from(list, i+1)
		}
		for ; j < len(list) && list[j] < end; j++ {
			m.tick(1)
			if c := list[j]; c > i && d.At(int(c)).Parent().Index() == int(i) {
				if n++; n == 2 {
					return 0, 2
				}
				found = c
			}
		}
		return found, n
	}
	for c := e.FirstElement(); c.Valid(); c = c.NextElement() {
		m.tick(1)
		if in.ids[c.NameID()] == id {
			if n++; n == 2 {
				return 0, 2
			}
			found = int32(c.Index())
		}
	}
	return found, n
}

// exact reports whether the test asks for one expanded name.
func (t *nodeTest) exact() bool { return t.named && !t.anyNS && !t.anyLN && !t.typed }

// counts reports whether a predicate depends on positions.
func (s *step) counts() bool {
	for _, q := range s.preds {
		if q.pos || q.last {
			return true
		}
	}
	return false
}

// remembered reports whether what a step selects below the root depends on the document alone and costs more than a
// list of names. Rules ask for such nodes again and again.
func (s *step) remembered() bool {
	if len(s.preds) == 0 || s.axis != axisDescendant {
		return false
	}
	for _, q := range s.preds {
		if q.code.deps&^(needsFocus|needsPos|needsLast) != 0 {
			return false
		}
	}
	return true
}

// remember makes code of a step below the root that keeps its nodes for the document, under what it asks for.
func (c *compiler) remember(s *step, e *expr) *code {
	w := walker{steps: []*step{s}}
	id := c.x.names.memo(fmt.Sprintf("%s %d %s", c.env.Collation, s.axis, e.canonical()))
	k := &code{typ: TypeNode, sorted: true, deps: needsFocus, push: func(m *machine) {
		it := m.node()
		in := m.infoFor(it.doc())
		for int(id) >= len(in.memo) {
			in.memo = append(in.memo, nil)
		}
		if nodes := in.memo[id]; nodes != nil {
			m.tick(len(*nodes) / 4)
			for _, i := range *nodes {
				m.add(node(in.d, int(i)))
			}
			return
		}
		base := len(m.stack)
		w.from(m, it, false)
		nodes := make([]int32, 0, len(m.stack)-base)
		for _, x := range m.stack[base:] {
			nodes = append(nodes, x.i)
		}
		in.memo[id] = &nodes
	}}
	return k.complete(e)
}

// typed reports whether an expression names a sequence type, which canonical does not write.
func (e *expr) typed() bool {
	if e.st != nil {
		return true
	}
	for _, k := range e.kids {
		if k.typed() {
			return true
		}
	}
	return false
}

// canonical writes a step so that equal texts ask for the same nodes, whatever the prefixes.
func (e *expr) canonical() string {
	var b strings.Builder
	e.canon(&b)
	return b.String()
}

func (e *expr) canon(b *strings.Builder) {
	t := &e.test
	fmt.Fprintf(b, "(%d %d %d %d %v %d", e.kind, e.axis, e.cmp, e.arith, e.optional, e.typ)
	if e.kind == xStep {
		fmt.Fprintf(b, " %d %v %v %v %v %q %q %v %q", t.kind, t.ns, t.named, t.anyNS, t.anyLN, t.name.Space, t.name.Local, t.typed, t.typ.EQName())
		for in := t.inner; in != nil; in = in.inner {
			fmt.Fprintf(b, " in %d %v %v %v %q %q", in.kind, in.named, in.anyNS, in.anyLN, in.name.Space, in.name.Local)
		}
	}
	if e.kind == xVar {
		fmt.Fprintf(b, " %d %v", e.slot, e.global)
	}
	if e.kind == xLiteral {
		fmt.Fprintf(b, " %s %q", e.val.typ, atomString(e.val))
	}
	if e.name.Local != "" {
		fmt.Fprintf(b, " %q", e.name.EQName())
	}
	for _, k := range e.kids {
		k.canon(b)
	}
	b.WriteByte(')')
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
	for _, p := range e.kids {
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

const maxInline = 4 // predicates of a step that are counted without a list

// from walks from an item. With exists it stops at the first node and says that there is one.
func (w *walker) from(m *machine, it Item, exists bool) bool {
	if it.n >= 0 {
		return w.fromNamespace(m, it, exists)
	}
	return w.walk(m, m.infoFor(it.doc()), it.i, 0, exists)
}

// fromNamespace walks from a namespace node, which only self and the ancestors are to be had from.
func (w *walker) fromNamespace(m *machine, it Item, exists bool) bool {
	s := w.steps[0]
	base := len(m.stack)
	self := func() {
		if s.test.kind == dom.NoNode && (!s.test.ns || s.matchNamespace(it)) {
			m.add(it)
		}
	}
	switch s.axis {
	case axisSelf, axisDescendantOrSelf:
		self()
	case axisParent:
		if s.test.matchAny(it.Node()) {
			m.add(node(it.doc(), int(it.i)))
		}
	case axisAncestor, axisAncestorOrSelf:
		for n := it.Node(); n.Valid(); n = n.Parent() {
			if s.test.matchAny(n) {
				m.add(NodeItem(n))
			}
		}
		if s.axis == axisAncestorOrSelf {
			self()
		}
	case axisFollowing, axisPreceding:
		el := &walker{steps: []*step{{axis: s.axis, test: s.test}}}
		if s.axis == axisFollowing {
			el.steps[0].axis = axisDescendant
			el.from(m, node(it.doc(), int(it.i)), false)
			el.steps[0].axis = axisFollowing
		}
		el.from(m, node(it.doc(), int(it.i)), false)
	}
	for _, p := range s.preds {
		m.filterAbove(base, p)
	}
	rest := &walker{steps: w.steps[1:]}
	mid := len(m.stack)
	found := false
	for i := base; i < mid; i++ {
		if len(rest.steps) == 0 {
			found = true
			m.add(m.stack[i])
		} else {
			found = rest.from(m, m.stack[i], exists) || found
		}
	}
	m.drop(base, mid)
	if exists {
		m.stack = m.stack[:base]
	}
	return found && exists
}

func (s *step) matchNamespace(it Item) bool {
	prefix, _ := namespaceAt(it)
	t := &s.test
	return !t.named || (t.anyLN || t.name.Local == prefix) && (t.anyNS || t.name.Space == "")
}

// namespaces is a step on the namespace axis.
func namespaces(s *step) *code {
	k := &code{deps: needsFocus, typ: TypeNode}
	k.push = func(m *machine) {
		it := m.node()
		if it.n >= 0 || it.Node().Kind() != dom.ElementNode {
			return
		}
		base := len(m.stack)
		n := int64(1)
		for range it.Node().InScope() {
			n++
		}
		for i := range n {
			x := it
			x.n = i
			if s.test.kind == dom.NoNode && s.matchNamespace(x) {
				m.add(x)
			}
		}
		for _, p := range s.preds {
			m.filterAbove(base, p)
		}
	}
	return k.complete(nil)
}

// visit goes on from a node that a step met; counts has the position for each predicate.
func (w *walker) visit(m *machine, in *docInfo, i int32, k int, exists bool, counts *[maxInline]int) bool {
	s := w.steps[k]
	for j, p := range s.preds {
		counts[j]++
		if p.at > 0 || p.never {
			if counts[j] != p.at {
				return false
			}
			continue
		}
		m.item, m.pos, m.size = node(in.d, int(i)), counts[j], 0
		if !p.holds(m) {
			return false
		}
	}
	if k+1 < len(w.steps) {
		return w.walk(m, in, i, k+1, exists)
	}
	if !exists {
		m.add(node(in.d, int(i)))
	}
	return exists
}

// walk takes step k from node i of a document.
func (w *walker) walk(m *machine, in *docInfo, i int32, k int, exists bool) bool {
	s := w.steps[k]
	if len(s.preds) == 0 {
		return w.along(m, in, i, k, exists)
	}
	f := m.focus
	var found bool
	if s.last {
		found = w.listed(m, in, i, k, exists)
	} else {
		found = w.along(m, in, i, k, exists)
	}
	m.focus = f
	return found
}

// listed takes a step whose predicates ask for the size of the list.
func (w *walker) listed(m *machine, in *docInfo, i int32, k int, exists bool) bool {
	s := w.steps[k]
	base := len(m.stack)
	bare := walker{steps: []*step{{axis: s.axis, test: s.test}}}
	bare.along(m, in, i, 0, false)
	for _, p := range s.preds {
		m.filterAbove(base, p)
	}
	if k+1 == len(w.steps) {
		if exists {
			found := len(m.stack) > base
			m.stack = m.stack[:base]
			return found
		}
		return false
	}
	mid := len(m.stack)
	for j := base; j < mid; j++ {
		if w.walk(m, in, m.stack[j].i, k+1, exists) {
			m.stack = m.stack[:base]
			return true
		}
	}
	m.drop(base, mid)
	return false
}

// along visits the nodes of an axis, in its order.
func (w *walker) along(m *machine, in *docInfo, i int32, k int, exists bool) bool {
	s := w.steps[k]
	t := &s.test
	d := in.d
	n := d.At(int(i))
	var counts [maxInline]int
	byName := t.named && !t.anyNS && !t.anyLN && t.kind == dom.ElementNode
	first := len(s.preds) > 0 && s.preds[0].at > 0 // after that position nothing can follow
	done := func() bool { return first && counts[0] >= s.preds[0].at }
	switch s.axis {
	case axisSelf:
		m.tick(1)
		return t.match(in, n) && w.visit(m, in, i, k, exists, &counts)
	case axisChild:
		if n.Kind() > dom.ElementNode {
			return false
		}
		if byName && !t.typed {
			list := in.elements(t.id)
			if len(list) == 0 {
				return false
			}
			end := int32(n.End())
			if end-i > 12 && len(list) <= int(end-i)/2 {
				j := 0
				if len(list) > 8 {
					j = from(list, i+1)
				}
				for ; j < len(list) && list[j] < end; j++ {
					m.tick(1)
					if c := list[j]; c > i && d.At(int(c)).Parent().Index() == int(i) {
						if w.visit(m, in, c, k, exists, &counts) {
							return true
						}
						if first && done() {
							return false
						}
					}
				}
				return false
			}
			for c := n.FirstElement(); c.Valid(); c = c.NextElement() {
				m.tick(1)
				if in.ids[c.NameID()] == t.id {
					if w.visit(m, in, int32(c.Index()), k, exists, &counts) {
						return true
					}
					if first && done() {
						return false
					}
				}
			}
			return false
		}
		for c := n.FirstChild(); c.Valid(); c = c.NextSibling() {
			m.tick(1)
			if t.match(in, c) {
				if w.visit(m, in, int32(c.Index()), k, exists, &counts) {
					return true
				}
				if first && done() {
					return false
				}
			}
		}
	case axisAttribute:
		if n.Kind() != dom.ElementNode {
			return false
		}
		for j := i + 1; j <= i+int32(n.NumAttributes()); j++ {
			m.tick(1)
			if t.match(in, d.At(int(j))) && w.visit(m, in, j, k, exists, &counts) {
				return true
			}
		}
	case axisAttributeBelow:
		list := in.attributes(t.id)
		end := int32(n.End())
		if n.Kind() == dom.AttributeNode {
			return false
		}
		for j := from(list, i); j < len(list) && list[j] < end; j++ {
			m.tick(1)
			if w.visit(m, in, list[j], k, exists, &counts) {
				return true
			}
		}
	case axisParent:
		m.tick(1)
		if p := n.Parent(); p.Valid() && t.match(in, p) {
			return w.visit(m, in, int32(p.Index()), k, exists, &counts)
		}
	case axisDescendant, axisDescendantOrSelf:
		if s.axis == axisDescendantOrSelf {
			m.tick(1)
			if t.match(in, n) && w.visit(m, in, i, k, exists, &counts) {
				return true
			}
		}
		if n.Kind() > dom.ElementNode {
			return false
		}
		end := int32(n.End())
		if byName && !t.typed {
			list := in.elements(t.id)
			for j := from(list, i+1); j < len(list) && list[j] < end; j++ {
				m.tick(1)
				if w.visit(m, in, list[j], k, exists, &counts) {
					return true
				}
				if first && done() {
					return false
				}
			}
			return false
		}
		for j := i + 1; j < end; j++ {
			m.tick(1)
			if c := d.At(int(j)); c.Kind() != dom.AttributeNode && t.match(in, c) {
				if w.visit(m, in, j, k, exists, &counts) {
					return true
				}
				if first && done() {
					return false
				}
			}
		}
	case axisFollowingSibling:
		for c := n.NextSibling(); c.Valid(); c = c.NextSibling() {
			m.tick(1)
			if t.match(in, c) && w.visit(m, in, int32(c.Index()), k, exists, &counts) {
				return true
			}
			if first && done() {
				return false
			}
		}
	case axisFollowing:
		j := int32(n.End())
		if n.Kind() == dom.AttributeNode { // what follows an attribute begins with the content of its element
			j = i + 1
		}
		if byName && !t.typed {
			list := in.elements(t.id)
			for x := from(list, j); x < len(list); x++ {
				m.tick(1)
				if w.visit(m, in, list[x], k, exists, &counts) {
					return true
				}
				if first && done() {
					return false
				}
			}
			return false
		}
		for ; j < int32(d.Len()); j++ {
			m.tick(1)
			if c := d.At(int(j)); c.Kind() != dom.AttributeNode && t.match(in, c) && w.visit(m, in, j, k, exists, &counts) {
				return true
			}
			if first && done() {
				return false
			}
		}
	case axisAncestor, axisAncestorOrSelf:
		c := n
		if s.axis == axisAncestor {
			c = n.Parent()
		}
		for ; c.Valid(); c = c.Parent() {
			m.tick(1)
			if t.match(in, c) && w.visit(m, in, int32(c.Index()), k, exists, &counts) {
				return true
			}
			if first && done() {
				return false
			}
		}
	case axisPrecedingSibling:
		if n.Kind() == dom.AttributeNode || i == 0 {
			return false
		}
		// siblings are only linked forward: collect, then visit backwards
		base := len(m.stack)
		for c := n.Parent().FirstChild(); c.Valid() && c.Index() < int(i); c = c.NextSibling() {
			m.tick(1)
			if t.match(in, c) {
				m.add(node(d, c.Index()))
			}
		}
		return w.backwards(m, in, base, k, exists, &counts)
	case axisPreceding:
		if n.Kind() == dom.AttributeNode {
			n = n.Parent()
		}
		anc := n.Parent()
		if byName && !t.typed {
			list := in.elements(t.id)
			for x := from(list, int32(n.Index())) - 1; x >= 0; x-- {
				m.tick(1)
				c := d.At(int(list[x]))
				if c.End() > n.Index() {
					continue // an ancestor
				}
				if w.visit(m, in, list[x], k, exists, &counts) {
					return true
				}
				if first && done() {
					return false
				}
			}
			return false
		}
		for j := n.Index() - 1; j > 0; j-- {
			m.tick(1)
			c := d.At(j)
			if c == anc {
				anc = anc.Parent()
				continue
			}
			if c.Kind() != dom.AttributeNode && t.match(in, c) && w.visit(m, in, int32(j), k, exists, &counts) {
				return true
			}
			if first && done() {
				return false
			}
		}
	}
	return false
}

// backwards visits the nodes above base from the last to the first and takes them off.
func (w *walker) backwards(m *machine, in *docInfo, base, k int, exists bool, counts *[maxInline]int) bool {
	mid := len(m.stack)
	for j := mid - 1; j >= base; j-- {
		if w.visit(m, in, m.stack[j].i, k, exists, counts) {
			m.stack = m.stack[:base]
			return true
		}
	}
	m.drop(base, mid)
	return false
}

// match tests a node by the numbers of names.
func (t *nodeTest) match(in *docInfo, n dom.Node) bool {
	if t.ns {
		return false
	}
	k := n.Kind()
	if t.kind != dom.NoNode && t.kind != k {
		return false
	}
	if t.named && !t.anyNS && !t.anyLN && (k == dom.ElementNode || k == dom.AttributeNode) {
		return in.ids[n.NameID()] == t.id && (!t.typed || t.typeMatches(n))
	}
	return t.matchAny(n)
}

// matchAny tests a node of any document.
func (t *nodeTest) matchAny(n dom.Node) bool {
	if t.ns || t.kind != dom.NoNode && t.kind != n.Kind() {
		return false
	}
	if t.named {
		if !t.anyLN && n.Local() != t.name.Local {
			return false
		}
		if !t.anyNS && n.Kind() != dom.PINode && n.Space() != t.name.Space {
			return false
		}
	}
	if t.typed && !t.typeMatches(n) {
		return false
	}
	if t.inner != nil {
		var only dom.Node
		for c := range n.Elements() {
			if only.Valid() {
				return false
			}
			only = c
		}
		return only.Valid() && t.inner.matchAny(only)
	}
	return true
}

// typeMatches asks for the type annotation: elements are xs:untyped, attributes xs:untypedAtomic [XDM 3.3.1].
func (t *nodeTest) typeMatches(n dom.Node) bool {
	if n.Kind() == dom.ElementNode {
		return t.typ.Local == "anyType" || t.typ.Local == "untyped"
	}
	switch t.typ.Local {
	case "anyType", "anySimpleType", "anyAtomicType", "untypedAtomic":
		return true
	}
	return false
}

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
	return k
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
