package xsd

import "slices"

// lists of edges are shared between states.
type edgeList struct {
	id    int
	edges []link
}

type link struct {
	pos int
	ops []counterOp
}

type fragment struct {
	nullable bool
	first    []link
	last     []link
}

// builder makes the position automaton of a particle [XSD1 H], after Glushkov.
type builder struct {
	c        *compiler
	leaves   []*particle
	syms     [][]int32 // names that each element among the leaves matches
	origin   []int     // of each position when counted particles are written out
	follow   [][]*edgeList
	counters []counter
	lists    int
	unroll   bool
	guess    bool // a counted particle has rounds that cannot be told apart
	work     int
}

func (b *builder) list(l []link) *edgeList {
	b.lists++
	b.work += len(l)
	return &edgeList{b.lists, l}
}

func joined(a []counterOp, more ...counterOp) []counterOp {
	if len(a) == 0 {
		return more
	}
	return append(slices.Clone(a), more...)
}

// connect lets everything that can be last be followed by everything that can be first.
func (b *builder) connect(last, first []link, ops ...counterOp) {
	if len(first) == 0 {
		return
	}
	var plain *edgeList
	for _, l := range last {
		if len(l.ops) == 0 {
			if plain == nil {
				plain = b.list(withOps(first, ops))
			}
			b.follow[l.pos] = append(b.follow[l.pos], plain)
			b.work++
			continue
		}
		b.follow[l.pos] = append(b.follow[l.pos], b.list(withOps(first, joined(l.ops, ops...))))
	}
	if b.work > b.c.opt.Limits.Transitions {
		b.c.stop("content model with more than %d transitions", b.c.opt.Limits.Transitions)
	}
}

// withOps puts ops before those of each link.
func withOps(l []link, ops []counterOp) []link {
	if len(ops) == 0 {
		return l
	}
	out := make([]link, len(l))
	for i, k := range l {
		out[i] = link{k.pos, joined(ops, k.ops...)}
	}
	return out
}

// plain takes counts away that change nothing: a counted group of one counted particle is that particle, counted more often;
// in a choice that repeats without end its parts need not repeat themselves.
func plain(p *particle) *particle {
	for p.group != nil && len(p.group.parts) == 1 && (p.min != 1 || p.max != 1) {
		in := p.group.parts[0]
		if in.min > 1 || in.min == 1 && in.max == 1 && p.group.kind == all {
			break
		}
		mul := func(a, b int) int {
			switch {
			case a == 0 || b == 0:
				return 0
			case a == unbounded || b == unbounded:
				return unbounded
			}
			return min(a*b, 1<<30)
		}
		p = &particle{min: mul(p.min, in.min), max: mul(p.max, in.max), element: in.element, wildcard: in.wildcard, group: in.group, node: in.node, alone: in.alone}
	}
	if p.group == nil || p.group.kind != choice || p.max != unbounded || p.min > 1 {
		return p
	}
	g := *p.group
	g.parts = slices.Clone(g.parts)
	for i, s := range g.parts {
		if s = plain(s); s.min <= 1 && s.max != 1 && s.max != 0 {
			c := *s
			c.max = 1
			s = &c
		}
		g.parts[i] = s
	}
	q := *p
	q.group = &g
	return &q
}

func (b *builder) particle(p *particle) fragment {
	p = plain(p)
	if b.c.limit != nil || p.max == 0 {
		return fragment{nullable: true}
	}
	if p.max == 1 {
		f := b.term(p)
		f.nullable = f.nullable || p.min == 0
		return f
	}
	if p.min <= 1 && p.max == unbounded {
		f := b.term(p)
		b.connect(f.last, f.first)
		f.nullable = f.nullable || p.min == 0
		return f
	}
	if b.unroll {
		return b.writtenOut(p)
	}
	f := b.term(p)
	n := counter{int32(p.min), int32(p.max)}
	if f.nullable || n.min < 1 {
		n.min = 1
	}
	id := int32(len(b.counters))
	b.counters = append(b.counters, n)
	enter := withOps(f.first, []counterOp{{opReset, id}})
	b.connect(f.last, f.first, counterOp{opNext, id})
	last := make([]link, len(f.last))
	for i, l := range f.last {
		last[i] = l
		if n.min > 1 {
			last[i].ops = joined(l.ops, counterOp{opLeave, id})
		}
	}
	return fragment{f.nullable || p.min == 0, enter, last}
}

// writtenOut repeats a particle as often as it may occur: for counted particles whose rounds cannot be told apart.
func (b *builder) writtenOut(p *particle) fragment {
	out := fragment{nullable: true}
	from := len(b.leaves)
	once := func(optional bool) fragment {
		start := len(b.leaves)
		f := b.term(p)
		for i := start; i < len(b.leaves); i++ {
			b.origin[i] = b.origin[from+(i-start)]
		}
		f.nullable = f.nullable || optional
		return f
	}
	rounds := p.min
	if p.max == unbounded {
		rounds = max(1, p.min)
	}
	for i := range max(rounds, p.max) {
		before := len(b.leaves)
		f := once(i >= p.min)
		if b.c.limit != nil || len(b.leaves) == before { // nothing in it
			break
		}
		if p.max == unbounded && i == rounds-1 {
			b.connect(f.last, f.first)
		}
		out = b.seq(out, f)
	}
	return out
}

func (b *builder) seq(a, f fragment) fragment {
	b.connect(a.last, f.first)
	r := fragment{nullable: a.nullable && f.nullable, first: a.first, last: f.last}
	if a.nullable {
		r.first = append(slices.Clip(a.first), f.first...)
	}
	if f.nullable {
		r.last = append(slices.Clip(f.last), a.last...)
	}
	b.work += len(r.first) + len(r.last)
	return r
}

func (b *builder) term(p *particle) fragment {
	if p.group == nil {
		pos := len(b.leaves)
		if pos > b.c.opt.Limits.Particles {
			b.c.stop("content model with more than %d particles", b.c.opt.Limits.Particles)
			return fragment{nullable: true}
		}
		b.leaves = append(b.leaves, p)
		var syms []int32
		if p.element != nil {
			syms = b.c.symbols(p.element)
		}
		b.syms = append(b.syms, syms)
		b.origin = append(b.origin, pos)
		b.follow = append(b.follow, nil)
		at := []link{{pos: pos}}
		return fragment{false, at, at}
	}
	if p.group.kind == choice {
		r := fragment{}
		for _, s := range p.group.parts {
			f := b.particle(s)
			r.nullable = r.nullable || f.nullable
			r.first = append(r.first, f.first...)
			r.last = append(r.last, f.last...)
		}
		b.work += len(r.first) + len(r.last)
		return r
	}
	r := fragment{nullable: true}
	for _, s := range p.group.parts {
		r = b.seq(r, b.particle(s))
	}
	return r
}
