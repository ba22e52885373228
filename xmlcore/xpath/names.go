package xpath

import (
	"sync"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Names numbers the expanded names that a set of expressions asks for, so that a step compares numbers. It is safe for
// use by several goroutines.
type Names struct {
	mu    sync.RWMutex
	ids   map[nameKey]int32
	memos map[string]int32 // steps whose nodes are kept for each document
	twins map[string]*twin
	sets  map[*Item]map[string]struct{} // of long constants, by their first value
	named int32                         // predicates that ask for the name alone
}

type nameKey struct{ space, local string }

// NewNames returns an empty pool.
func NewNames() *Names { return &Names{ids: map[nameKey]int32{}} }

func (p *Names) id(space, local string) int32 {
	p.mu.Lock()
	defer p.mu.Unlock()
	k := nameKey{space, local}
	id, ok := p.ids[k]
	if !ok {
		id = int32(len(p.ids))
		p.ids[k] = id
	}
	return id
}

func (p *Names) memo(text string) int32 {
	p.mu.Lock()
	defer p.mu.Unlock()
	id, ok := p.memos[text]
	if !ok {
		if p.memos == nil {
			p.memos = map[string]int32{}
		}
		id = int32(len(p.memos))
		p.memos[text] = id
	}
	return id
}

func (p *Names) twin(text string) *twin {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.twins[text]
	if t == nil {
		if p.twins == nil {
			p.twins = map[string]*twin{}
		}
		t = &twin{id: int32(len(p.twins))}
		p.twins[text] = t
	}
	t.uses.Add(1)
	return t
}

// numberNamed numbers a predicate that asks for the name alone.
func (p *Names) numberNamed() int32 {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.named++
	return p.named - 1
}

// Len returns how many names there are; every number is below it.
func (p *Names) Len() int {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return len(p.ids)
}

// docInfo is what a Context knows about a document for the expressions of one pool.
type docInfo struct {
	d       *dom.Document
	names   *Names
	known   int32   // names that were in the pool
	ids     []int32 // name in the document -> number in the pool, -1 for names nobody asks for
	elems   occurrences
	attrs   occurrences
	ordinal int
	idIndex map[string]int32
	outline Outline
	memo    []kept    // by number of the step
	byNode  [][]uint8 // by number of the twins
	byName  [][]uint8 // by number of the predicate that asks for the name alone: 0 not asked yet, 1 false, 2 true
	keys    map[keyName]*keyValues
}

// kept is the nodes that a step has selected.
type kept struct {
	known bool
	nodes []int32
}

// sized returns a list of n zeros, in the memory of another where there is enough.
func sized[T any](list []T, n int) []T {
	if cap(list) < n {
		return make([]T, n)
	}
	list = list[:n]
	clear(list)
	return list
}

// table finds or makes one of several tables.
func table(tables *[][]uint8, id, size int) []uint8 {
	for id >= len(*tables) {
		*tables = append(*tables, nil)
	}
	t := (*tables)[id]
	if len(t) == 0 {
		t = sized(t, size)
		(*tables)[id] = t
	}
	return t
}

// forget empties what is known about a document and keeps the memory for another.
func (in *docInfo) forget() {
	for i := range in.memo {
		in.memo[i].known = false
	}
	for _, tables := range [][][]uint8{in.byNode, in.byName} {
		for i := range tables {
			tables[i] = tables[i][:0]
		}
	}
	in.attrs.start = in.attrs.start[:0]
	in.outline.forget()
	clear(in.keys)
	in.d, in.names, in.idIndex = nil, nil, nil
}

// occurrences lists nodes by the number of their name, each list in document order.
type occurrences struct {
	start []int32 // number -> where its nodes begin in found; one entry more at the end
	found []int32
}

func (o *occurrences) of(id int32) []int32 { return o.found[o.start[id]:o.start[id+1]] }

func (m *machine) infoFor(d *dom.Document) *docInfo {
	if m.info != nil && m.info.d == d {
		return m.info
	}
	return m.learn(d)
}

// learn finds or makes the info about a document.
func (m *machine) learn(d *dom.Document) *docInfo {
	ordinal := -1
	for i, o := range m.infos {
		if o.d != d {
			continue
		}
		ordinal = o.ordinal
		if o.names == m.x.names {
			if o.known > m.x.maxID {
				m.info = o
				return o
			}
			m.infos = append(m.infos[:i], m.infos[i+1:]...)
			break
		}
	}
	if ordinal < 0 {
		for _, o := range m.infos {
			ordinal = max(ordinal, o.ordinal)
		}
		ordinal++
	}
	m.tick(d.Len() / 8)
	in := m.spare
	if m.spare = nil; in == nil {
		in = &docInfo{}
	}
	in.read(d, m.x.names)
	in.ordinal = ordinal
	m.infos = append(m.infos, in)
	m.info = in
	return in
}

// read learns the names of a document.
func (in *docInfo) read(d *dom.Document, names *Names) {
	in.d, in.names = d, names
	names.mu.RLock()
	in.known = int32(len(names.ids))
	in.ids = sized(in.ids, d.NumNames())
	for i := range in.ids {
		space, local := d.NameAt(i)
		id, ok := names.ids[nameKey{space, local}]
		if !ok {
			id = -1
		}
		in.ids[i] = id
	}
	names.mu.RUnlock()
	in.occurrences(&in.elems, dom.ElementNode)
}

// occurrences sorts the nodes of a kind by name, counting.
func (in *docInfo) occurrences(o *occurrences, kind dom.Kind) {
	o.start = sized(o.start, int(in.known)+2)
	n := in.d.Len()
	total := 0
	for i := range n {
		if e := in.d.At(i); e.Kind() == kind {
			if id := in.ids[e.NameID()]; id >= 0 {
				o.start[id+2]++
				total++
			}
		}
	}
	for i := 2; i < len(o.start); i++ {
		o.start[i] += o.start[i-1]
	}
	o.found = sized(o.found, total)
	for i := range n {
		if e := in.d.At(i); e.Kind() == kind {
			if id := in.ids[e.NameID()]; id >= 0 {
				o.found[o.start[id+1]] = int32(i)
				o.start[id+1]++
			}
		}
	}
}

// elements returns the elements of a name in document order.
func (in *docInfo) elements(id int32) []int32 { return in.elems.of(id) }

// attributes returns the attributes of a name in document order.
func (in *docInfo) attributes(id int32) []int32 {
	if len(in.attrs.start) == 0 {
		in.occurrences(&in.attrs, dom.AttributeNode)
	}
	return in.attrs.of(id)
}

// from returns the first place in a list of elements that is not before i.
func from(list []int32, i int32) int {
	lo, hi := 0, len(list)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if list[mid] < i {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// NameID returns the number of a node's name in a pool, -1 when no expression asks for it.
func (c *Context) NameID(n dom.Node, names *Names) int32 {
	return c.machine().about(n.Document(), names).ids[n.NameID()]
}

// about is infoFor between two runs.
func (m *machine) about(d *dom.Document, names *Names) *docInfo {
	if in := m.info; in != nil && in.d == d && in.names == names {
		return in
	}
	if m.x == nil || m.x.names != names {
		m.x = &Expr{names: names, maxID: -1}
	}
	return m.learn(d)
}
