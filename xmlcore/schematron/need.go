package schematron

import (
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
	"github.com/viadukt-eu/viadukt/xmlcore/xpath"
)

// Most assertions forbid something or speak of what may be missing: they can fire only where there is a node of some names.
// A run looks at the outline of the document once for all nodes of the same names, and evaluates the rest.

// needs says which assertions of a rule can fire.
type needs struct {
	always []int32 // whatever there is
	below  want    // with elements and attributes below the node of the rule
	other  []wants // with nodes elsewhere
}

// want is a tree of names below a node, and the assertions that can fire when one of them is there.
type want struct {
	name      int32 // in the pool of names
	attribute bool
	asserts   []int32
	kids      []want
}

type wants struct {
	assert int32
	way    xpath.Way
}

// collectNeeds asks the assertions of a rule what they need to fire.
func (x *rule) collectNeeds() {
	for i := range x.asserts {
		a := &x.asserts[i]
		ways, ok := a.test.Needs(a.report)
		if !ok {
			x.needs.always = append(x.needs.always, int32(i))
			continue
		}
		for _, w := range ways {
			if w.Start != xpath.FromNode || w.Up > 0 {
				x.needs.other = append(x.needs.other, wants{int32(i), w})
				continue
			}
			at := &x.needs.below
			for k, name := range w.Names {
				at = at.kid(name, w.Attribute && k+1 == len(w.Names))
			}
			at.asserts = append(at.asserts, int32(i))
		}
	}
}

// kid finds or makes the entry of a name below.
func (w *want) kid(name int32, attribute bool) *want {
	for i := range w.kids {
		if k := &w.kids[i]; k.name == name && k.attribute == attribute {
			return k
		}
	}
	w.kids = append(w.kids, want{name: name, attribute: attribute})
	return &w.kids[len(w.kids)-1]
}

// outlined is what a run knows about the nodes of one entry of the outline.
type outlined struct {
	known  bool
	trials []trial // the rules that may apply, in their order
}

type trial struct {
	*candidate
	sure    bool    // it applies to every such node
	armed   bool    // asserts is known
	asserts []int32 // those that can fire
}

// trialsFor returns the rules that may apply to a node, by its names.
func (r *run) trialsFor(n dom.Node, entry int32) []trial {
	o := &r.outlined[entry]
	if o.known {
		return o.trials
	}
	o.known = true
	id, _ := r.outline.Name(entry)
	parent, _ := r.outline.Name(r.outline.Parent(entry))
	from := len(r.trials)
next:
	for _, k := range r.s.dispatch.find(n.Kind(), id, parent) {
		c := &r.s.candidates[k]
		for _, t := range r.trials[from:] {
			if t.sure && t.pattern == c.pattern {
				continue next
			}
		}
		t := trial{candidate: c, sure: c.plain}
		if !c.plain {
			match := r.s.patterns[c.pattern].rules[c.rule].match
			by := r.admission(c, match)
			if by == refused {
				continue
			}
			var some bool
			if some, t.sure = match.Outlined(r.ctx, int(c.branch), n); !some {
				continue
			}
			t.sure = t.sure && by == admitted
			if !t.sure && c.ways != nil && !r.leads(entry, c.ways) {
				continue
			}
		}
		r.trials = append(r.trials, t)
	}
	o.trials = r.trials[from:len(r.trials):len(r.trials)]
	return o.trials
}

// admission is what variables say of a candidate, for the whole document.
type admission uint8

const (
	unasked admission = iota
	refused
	admitted
	inError // who asks for a match is told of it
)

func (r *run) admission(c *candidate, match *xpath.Pattern) admission {
	if c.fixed == 0 {
		return admitted
	}
	a := &r.admissions[c.fixed-1]
	if *a == unasked {
		switch v, err := match.Admitted(r.ctx, int(c.branch)); {
		case err != nil:
			*a = inError
		case v:
			*a = admitted
		default:
			*a = refused
		}
	}
	return *a
}

// leads reports whether one of some ways leads to a node.
func (r *run) leads(entry int32, ways []xpath.Way) bool {
	for i := range ways {
		if r.outline.Leads(entry, &ways[i]) {
			return true
		}
	}
	return false
}

// arm finds the assertions of a rule that can fire at the nodes of an entry.
func (r *run) arm(t *trial, entry int32) {
	t.armed = true
	x := &r.s.patterns[t.pattern].rules[t.rule]
	words := (len(x.asserts) + 63) / 64
	if cap(r.bits) < words {
		r.bits = make([]uint64, words)
	}
	bits := r.bits[:words]
	clear(bits)
	for _, i := range x.needs.always {
		bits[i/64] |= 1 << (i % 64)
	}
	r.below(entry, &x.needs.below, bits)
	for i := range x.needs.other {
		w := &x.needs.other[i]
		if bits[w.assert/64]&(1<<(w.assert%64)) == 0 && r.outline.Leads(entry, &w.way) {
			bits[w.assert/64] |= 1 << (w.assert % 64)
		}
	}
	from := len(r.armed)
	for i := range x.asserts {
		if bits[i/64]&(1<<(i%64)) != 0 {
			r.armed = append(r.armed, int32(i))
		}
	}
	t.asserts = r.armed[from:len(r.armed):len(r.armed)]
}

func (r *run) below(entry int32, w *want, bits []uint64) {
	for c := r.outline.First(entry); c != 0; c = r.outline.Next(c) {
		name, attribute := r.outline.Name(c)
		for i := range w.kids {
			k := &w.kids[i]
			if k.name != name || k.attribute != attribute {
				continue
			}
			for _, a := range k.asserts {
				bits[a/64] |= 1 << (a % 64)
			}
			if len(k.kids) > 0 {
				r.below(c, k, bits)
			}
			break
		}
	}
}
