package xpath

import (
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

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
	switch {
	case s.last:
		found = w.listed(m, in, i, k, exists)
	case s.axis == axisDescendant && s.keyed():
		found = w.byKey(m, in, i, k, exists)
	default:
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
