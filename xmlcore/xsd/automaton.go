package xsd

import (
	"fmt"
	"slices"
	"strconv"
)

// automaton is a compiled content model: a deterministic automaton whose states may ask for and change counters.
type automaton struct {
	states   []state
	leaves   []*particle
	opLists  [][]counterOp // 0 is none
	counters []counter
	all      *allModel
	anywhere map[int32]edge // by sym: where to go on after an unexpected element
}

type counter struct{ min, max int32 }

type opKind uint8

const (
	opReset opKind = iota // a first round begins
	opNext                // another round begins, if one is left
	opLeave               // the last round ends, if there were enough
)

type counterOp struct {
	kind    opKind
	counter int32
}

type edge struct {
	sym  int32 // element name; -1 in state.wild
	to   int32
	leaf int32
	ops  int32
}

type state struct {
	edges  []edge // by sym
	wild   []edge
	accept []int32 // lists of ops, one of which must hold at the end
}

// allModel is a group of kind all.
type allModel struct {
	bySym    map[int32]int
	required []bool
	optional bool // nothing is fine as well
}

// compileModel makes the automaton of a type and checks Unique Particle Attribution [XSD1 3.8.6].
func (c *compiler) compileModel(t *complexType) {
	p := t.particle
	if p == nil || c.limit != nil {
		return
	}
	if p.group != nil {
		if p.group.expanded() > c.opt.Limits.Particles { // by extensions
			c.stop("content model with more than %d particles", c.opt.Limits.Particles)
			return
		}
		if p.group.kind == all {
			t.auto = c.allModel(t, p)
			return
		}
	}
	b := &builder{c: c}
	a := b.build(t, p)
	if b.guess {
		b = &builder{c: c, unroll: true}
		a = b.determinize(p)
	}
	if a != nil {
		a.anywhere = map[int32]edge{}
		for i := range a.states {
			for _, e := range a.states[i].edges {
				if _, ok := a.anywhere[e.sym]; !ok {
					a.anywhere[e.sym] = e
				}
			}
		}
	}
	t.auto = a
}

func (c *compiler) allModel(t *complexType, p *particle) *automaton {
	m := &allModel{bySym: map[int32]int{}, optional: p.min == 0}
	a := &automaton{all: m}
	for i, s := range p.group.parts {
		a.leaves = append(a.leaves, s)
		m.required = append(m.required, s.min > 0)
		for _, sym := range c.symbols(s.element) {
			if _, twice := m.bySym[sym]; twice {
				c.fail(t.node, "cos-nonambig", "%s is ambiguous in the content model", quote(c.names[sym].local))
				continue
			}
			m.bySym[sym] = i
		}
	}
	return a
}

// symbols returns the names that an element particle matches.
func (c *compiler) symbols(e *element) []int32 {
	out := []int32{c.symbol(e.name)}
	for _, m := range c.substitutes(e) {
		out = append(out, c.symbol(m.name))
	}
	return out
}

func (b *builder) build(t *complexType, p *particle) *automaton {
	f := b.particle(p)
	if b.c.limit != nil {
		return nil
	}
	a := &automaton{leaves: b.leaves, counters: b.counters, opLists: [][]counterOp{nil}, states: make([]state, len(b.leaves)+1)}
	opIDs := map[string]int32{"": 0}
	ops := func(l []counterOp) int32 {
		if len(l) == 0 {
			return 0
		}
		key := fmt.Sprint(l)
		id, ok := opIDs[key]
		if !ok {
			id = int32(len(a.opLists))
			opIDs[key] = id
			a.opLists = append(a.opLists, l)
		}
		return id
	}
	made := map[string]int{}
	fill := func(s int, lists []*edgeList) {
		key := make([]byte, 0, 8*len(lists))
		for _, l := range lists {
			key = append(strconv.AppendInt(key, int64(l.id), 36), ',')
		}
		if o, ok := made[string(key)]; ok {
			a.states[s].edges, a.states[s].wild = a.states[o].edges, a.states[o].wild
			return
		}
		made[string(key)] = s
		st := &a.states[s]
		room := 0
		for _, l := range lists {
			room += len(l.edges)
		}
		st.edges = make([]edge, 0, room)
		for _, l := range lists {
			for _, k := range l.edges {
				e := edge{sym: -1, to: int32(k.pos + 1), leaf: int32(k.pos), ops: ops(k.ops)}
				if b.leaves[k.pos].wildcard != nil {
					st.wild = append(st.wild, e)
					continue
				}
				for _, sym := range b.syms[k.pos] {
					e.sym = sym
					st.edges = append(st.edges, e)
				}
			}
		}
		b.c.transitions += len(st.edges) + len(st.wild)
		if b.c.transitions > b.c.opt.Limits.Transitions {
			b.c.stop("automata with more than %d transitions", b.c.opt.Limits.Transitions)
			return
		}
		slices.SortStableFunc(st.edges, func(x, y edge) int { return int(x.sym - y.sym) })
		st.edges = slices.Compact(st.edges)
		b.c.transitions += len(st.wild) * (len(st.edges) + len(st.wild)) / 8 // comparing takes time as well
		b.unique(t, a, st)
	}
	fill(0, []*edgeList{b.list(f.first)})
	for i, l := range b.follow {
		fill(i+1, l)
	}
	for _, l := range f.last {
		a.states[l.pos+1].accept = append(a.states[l.pos+1].accept, ops(l.ops))
	}
	if f.nullable {
		a.states[0].accept = append(a.states[0].accept, 0)
	}
	return a
}

// unique finds two edges of a state for one element.
func (b *builder) unique(t *complexType, a *automaton, st *state) {
	conflict := func(x, y edge, what string) {
		switch {
		case a.exclusive(x.ops, y.ops), x.leaf == y.leaf && x.ops == y.ops:
		case x.leaf == y.leaf:
			b.guess = true
		default:
			b.c.fail(t.node, "cos-nonambig", "%s could be matched by two particles of the content model", what)
		}
	}
	for i, e := range st.edges {
		for _, o := range st.edges[i+1:] {
			if o.sym != e.sym {
				break
			}
			conflict(e, o, quote(b.c.names[e.sym].local))
		}
		for _, w := range st.wild {
			if b.leaves[w.leaf].wildcard.allows(b.c.names[e.sym].space) {
				conflict(e, w, quote(b.c.names[e.sym].local))
			}
		}
	}
	for i, w := range st.wild {
		for _, o := range st.wild[i+1:] {
			if b.leaves[w.leaf].wildcard.intersects(b.leaves[o.leaf].wildcard) {
				conflict(w, o, b.leaves[w.leaf].wildcard.String())
			}
		}
	}
}

// exclusive reports whether two lists of ops can never both hold: one leaves a counted round of a fixed number, the other
// begins the next.
func (a *automaton) exclusive(x, y int32) bool {
	one := func(p, q []counterOp) bool {
		for _, o := range p {
			if o.kind != opNext {
				continue
			}
			n := a.counters[o.counter]
			for _, r := range q {
				if r.kind == opLeave && r.counter == o.counter && n.min == n.max {
					return true
				}
			}
		}
		return false
	}
	return one(a.opLists[x], a.opLists[y]) || one(a.opLists[y], a.opLists[x])
}

// determinize makes the automaton of sets of positions, without counters.
func (b *builder) determinize(p *particle) *automaton {
	f := b.particle(p)
	if b.c.limit != nil {
		return nil
	}
	a := &automaton{leaves: b.leaves, opLists: [][]counterOp{nil}}
	final := map[int]bool{}
	for _, l := range f.last {
		final[l.pos] = true
	}
	ids := map[string]int32{}
	var sets [][]int
	add := func(set []int) int32 {
		slices.Sort(set)
		set = slices.Compact(set)
		key := make([]byte, 0, 8*len(set))
		for _, p := range set {
			key = append(strconv.AppendInt(key, int64(p), 36), ',')
		}
		if id, ok := ids[string(key)]; ok {
			return id
		}
		id := int32(len(sets))
		ids[string(key)] = id
		sets = append(sets, set)
		return id
	}
	start := []int{-1}
	add(start)
	for s := 0; s < len(sets) && b.c.limit == nil; s++ {
		bySym := map[int32][]int{}
		byWild := map[int][]int{}
		accept := s == 0 && f.nullable
		step := func(l []link) {
			for _, k := range l {
				if w := b.leaves[k.pos]; w.wildcard != nil {
					byWild[b.origin[k.pos]] = append(byWild[b.origin[k.pos]], k.pos)
				} else {
					for _, sym := range b.syms[k.pos] {
						bySym[sym] = append(bySym[sym], k.pos)
					}
				}
				b.c.transitions++
			}
		}
		for _, pos := range sets[s] {
			if pos < 0 {
				step(f.first)
				continue
			}
			accept = accept || final[pos]
			for _, l := range b.follow[pos] {
				step(l.edges)
			}
		}
		if b.c.transitions > b.c.opt.Limits.Transitions {
			b.c.stop("automata with more than %d transitions", b.c.opt.Limits.Transitions)
			return nil
		}
		st := state{}
		for sym, set := range bySym {
			st.edges = append(st.edges, edge{sym: sym, to: add(set), leaf: int32(b.origin[set[0]])})
		}
		slices.SortFunc(st.edges, func(x, y edge) int { return int(x.sym - y.sym) })
		for o, set := range byWild {
			st.wild = append(st.wild, edge{sym: -1, to: add(set), leaf: int32(o)})
		}
		slices.SortFunc(st.wild, func(x, y edge) int { return int(x.leaf - y.leaf) })
		if accept {
			st.accept = []int32{0}
		}
		a.states = append(a.states, st)
	}
	return a
}
