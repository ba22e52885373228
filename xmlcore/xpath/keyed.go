package xpath

import (
	"slices"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Rules look things up in code lists and in lists of criteria: //cac:Criterion[cbc:ID = $id], once for each of a thousand
// nodes. What a child or an attribute says is therefore learned once a document, as xsl:key would have it.

// key is the predicate [child = $variable] or [@attribute = $variable].
type key struct {
	part  nodeTest
	attr  bool
	value *code // the variable; it does not depend on the focus
}

// keyOf recognises such a predicate; nil for others.
func (c *compiler) keyOf(e *expr) *key {
	e = e.bare()
	if e.kind != xGeneral || e.cmp != opEq || c.trace != nil || c.x.coll != nil {
		return nil
	}
	for i, k := range e.kids {
		part, v := k.bare(), e.kids[1-i].bare()
		if part.kind != xStep || len(part.kids) > 0 || !part.test.exact() || v.kind != xVar || v.known != nil {
			continue
		}
		switch {
		case part.axis == axisChild && part.test.kind == dom.ElementNode:
		case part.axis == axisAttribute && part.test.kind == dom.AttributeNode:
		default:
			continue
		}
		return &key{part: part.test, attr: part.axis == axisAttribute, value: c.compile(v)}
	}
	return nil
}

// keyed reports whether a step below another can be answered by a key.
func (s *step) keyed() bool {
	return s.key != nil && !s.last && s.test.exact() && s.test.kind == dom.ElementNode
}

// keyName is whose values are learned.
type keyName struct {
	elem, part int32
	attr       bool
}

// keyValues is the elements that have a value, each list in document order.
type keyValues struct {
	uses   int
	values map[string][]int32
}

// keyAfter is how often the values of a key are looked for one by one before they are learned.
const keyAfter = 2

// keyValues returns the values of a key, or nil as long as they are not worth being learned.
func (m *machine) keyValues(in *docInfo, elem int32, k *key) map[string][]int32 {
	name := keyName{elem, k.part.id, k.attr}
	kv := in.keys[name]
	if kv == nil {
		if in.keys == nil {
			in.keys = map[keyName]*keyValues{}
		}
		kv = &keyValues{}
		in.keys[name] = kv
	}
	if kv.uses++; kv.uses <= keyAfter || kv.values != nil {
		return kv.values
	}
	kv.values = map[string][]int32{}
	learn := func(i int32, n dom.Node) {
		text := n.Text()
		m.tick(1 + len(text)/16)
		if list := kv.values[text]; len(list) == 0 || list[len(list)-1] != i {
			kv.values[text] = append(list, i)
		}
	}
	for _, i := range in.elements(elem) {
		e := in.d.At(int(i))
		if k.attr {
			for j := i + 1; j <= i+int32(e.NumAttributes()); j++ {
				if a := in.d.At(int(j)); in.ids[a.NameID()] == k.part.id {
					learn(i, a)
				}
			}
			continue
		}
		for c := e.FirstElement(); c.Valid(); c = c.NextElement() {
			m.tick(1)
			if in.ids[c.NameID()] == k.part.id {
				learn(i, c)
			}
		}
	}
	return kv.values
}

// candidates returns the elements of a step that can satisfy its key, in document order: all where the values are not
// known, or where the comparison is not one of texts.
func (m *machine) candidates(in *docInfo, s *step) []int32 {
	all := in.elements(s.test.id)
	if len(all) == 0 {
		return nil
	}
	values := m.keyValues(in, s.test.id, s.key)
	if values == nil {
		return all
	}
	if len(values) == 0 {
		return nil // nothing to be compared: the variable is not asked for
	}
	base := len(m.stack)
	s.key.value.atoms(m)
	end := len(m.stack)
	var found []int32
	for i, it := range m.stack[base:] {
		if !it.typ.text() {
			m.stack = m.stack[:base]
			return all
		}
		list := values[it.text()]
		m.tick(1 + len(list)/8)
		switch {
		case i == 0:
			found = list
		case len(list) > 0:
			found = append(slices.Clip(found), list...)
		}
	}
	m.stack = m.stack[:base]
	if end > base+1 {
		found = slices.Clone(found)
		slices.Sort(found)
		found = slices.Compact(found)
	}
	return found
}

// byKey visits the elements below node i that a key leads to. Positions count among the children of one parent where the
// step is a child of any element below, as in //a[b = $v][1].
func (w *walker) byKey(m *machine, in *docInfo, i int32, k int, exists bool) bool {
	s := w.steps[k]
	n := in.d.At(int(i))
	if n.Kind() > dom.ElementNode {
		return false
	}
	list := m.candidates(in, s)
	end := int32(n.End())
	counts := &[maxInline]int{}
	var siblings map[int]*[maxInline]int // by parent
	for j := from(list, i+1); j < len(list) && list[j] < end; j++ {
		m.tick(1)
		if s.siblings {
			p := in.d.At(int(list[j])).Parent().Index()
			if siblings == nil {
				siblings = map[int]*[maxInline]int{}
			}
			if counts = siblings[p]; counts == nil {
				counts = &[maxInline]int{}
				siblings[p] = counts
			}
		}
		if w.visit(m, in, list[j], k, exists, counts) {
			return true
		}
	}
	return false
}
