package xpath

import "github.com/viadukt-eu/viadukt/xmlcore/dom"

// Outline is the tree of the names in a document: all elements, and all attributes, whose ancestors have the same names as
// well share one entry. Whether there is a node at the end of a [Way] can be told from it for all of them at once. Entry 0
// stands for the document node.
type Outline struct {
	in      *docInfo
	of      []int32 // by index of the node: its entry, -1 when it is neither an element nor an attribute
	entries []outlined
	many    map[outlineKey]int32
}

// outlined is one name below that of its parent. Children are a list in the order in which they were met first.
type outlined struct {
	key               outlineKey
	id                int32 // in the pool of names; -1 for names nobody asks for
	first, tail, next int32 // 0: none
	met               int32 // the child that was met last
	children          int32
}

// outlineKey is an entry by its parent and the number of its name in the document, one less than its negative for attributes.
type outlineKey struct{ parent, name int32 }

// fewEntries is up to how many children of an entry are looked at one by one.
const fewEntries = 32

// forget empties an outline and keeps its memory.
func (o *Outline) forget() { o.in, o.entries, o.many = nil, o.entries[:0], nil }

func (o *Outline) read(in *docInfo) {
	d := in.d
	o.in, o.of = in, sized(o.of, d.Len())
	o.entries = append(o.entries, outlined{id: -1})
	for i := 1; i < d.Len(); i++ {
		n := d.At(i)
		name := int32(n.NameID())
		switch n.Kind() {
		case dom.ElementNode:
			o.of[i] = o.child(outlineKey{o.of[n.Parent().Index()], name})
		case dom.AttributeNode:
			o.of[i] = o.child(outlineKey{o.of[n.Parent().Index()], -name - 1})
		default:
			o.of[i] = -1
		}
	}
}

// child finds or enters an entry. Nodes mostly come in the order in which they came before.
func (o *Outline) child(key outlineKey) int32 {
	p := &o.entries[key.parent]
	if i := p.met; i != 0 {
		if o.entries[i].key == key {
			return i
		}
		if i = o.entries[i].next; i != 0 && o.entries[i].key == key {
			p.met = i
			return i
		}
	}
	if p.children <= fewEntries {
		for i := p.first; i != 0; i = o.entries[i].next {
			if o.entries[i].key == key {
				p.met = i
				return i
			}
		}
	} else if i, ok := o.many[key]; ok {
		p.met = i
		return i
	}
	return o.enter(key)
}

func (o *Outline) enter(key outlineKey) int32 {
	i := int32(len(o.entries))
	name := key.name
	if name < 0 {
		name = -name - 1
	}
	o.entries = append(o.entries, outlined{key: key, id: o.in.ids[name]})
	p := &o.entries[key.parent]
	if p.children == 0 {
		p.first = i
	} else {
		o.entries[p.tail].next = i
	}
	p.tail, p.met = i, i
	p.children++
	switch {
	case p.children == fewEntries+1:
		if o.many == nil {
			o.many = map[outlineKey]int32{}
		}
		for k := p.first; k != 0; k = o.entries[k].next {
			o.many[o.entries[k].key] = k
		}
	case p.children > fewEntries+1:
		o.many[key] = i
	}
	return i
}

// Outline returns the outline of a document for the expressions of a pool of names. It counts as work of the context.
func (c *Context) Outline(d *dom.Document, names *Names) (o *Outline, err error) {
	m := c.machine()
	defer func() {
		if r := recover(); r != nil {
			e, is := r.(*Error)
			if !is {
				panic(r)
			}
			o, err = nil, e
		}
	}()
	in := m.about(d, names)
	if in.outline.in == nil {
		m.tick(d.Len() / 8)
		in.outline.read(in)
	}
	return &in.outline, nil
}

// Len returns how many entries there are.
func (o *Outline) Len() int { return len(o.entries) }

// Of returns the entry of a node by its index, -1 when it is neither element nor attribute.
func (o *Outline) Of(i int) int32 { return o.of[i] }

// Parent returns the entry above another.
func (o *Outline) Parent(i int32) int32 { return o.entries[i].key.parent }

// First returns the first child of an entry and Next the one after a child; 0 is none.
func (o *Outline) First(i int32) int32 { return o.entries[i].first }
func (o *Outline) Next(i int32) int32  { return o.entries[i].next }

// Name returns the name of an entry in the pool of names, -1 for one that nobody asks for, and whether it is that of an
// attribute.
func (o *Outline) Name(i int32) (id int32, attribute bool) {
	e := &o.entries[i]
	return e.id, e.key.name < 0
}

// Leads reports whether a way leads to a node of the document from some node of an entry. It may err only by saying so.
func (o *Outline) Leads(i int32, w *Way) bool {
	switch w.Start {
	case Anywhere:
		for k, id := range w.Names {
			if !w.Attribute || k+1 < len(w.Names) {
				if len(o.in.elements(id)) == 0 {
					return false
				}
			}
		}
		return true
	case FromRoot:
		i = 0
	}
	for range w.Up {
		if i == 0 {
			return false
		}
		i = o.entries[i].key.parent
	}
	return o.down(i, w.Names, w.Attribute)
}

func (o *Outline) down(i int32, names []int32, attribute bool) bool {
	if len(names) == 0 {
		return true
	}
	for c := o.entries[i].first; c != 0; c = o.entries[c].next {
		e := &o.entries[c]
		if e.id == names[0] && (e.key.name < 0) == (attribute && len(names) == 1) && o.down(c, names[1:], attribute) {
			return true
		}
	}
	return false
}
