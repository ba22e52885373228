package xpath

import (
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// straight reports whether a walker goes down by exact names alone.
func (w *walker) straight() bool {
	for _, s := range w.steps {
		if len(s.preds) > 0 || !s.named() {
			return false
		}
	}
	return true
}

// named reports whether a step goes to children or attributes of one expanded name.
func (s *step) named() bool {
	return s.test.exact() && (s.axis == axisChild && s.test.kind == dom.ElementNode || s.axis == axisAttribute && s.test.kind == dom.AttributeNode)
}

// anyChild reports whether a walker is the step to all elements below.
func (w *walker) anyChild() bool {
	s := w.steps[0]
	return len(w.steps) == 1 && s.axis == axisChild && s.test == (nodeTest{kind: dom.ElementNode}) && len(s.preds) == 0
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
