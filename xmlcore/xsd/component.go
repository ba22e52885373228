package xsd

import (
	"slices"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

const unbounded = -1

type contentKind uint8

const (
	emptyContent contentKind = iota
	simpleContent
	elementContent
	mixedContent
)

func (k contentKind) String() string {
	return [...]string{"empty", "simple", "element-only", "mixed"}[k]
}

// complexType is a complex type definition [XSD1 3.4].
type complexType struct {
	typeHead
	abstract bool
	block    derivation
	content  contentKind
	simple   *simpleType // of simple content
	particle *particle   // of element-only and mixed content; nil is nothing
	attrs    []*attributeUse
	wildcard *wildcard // for attributes; nil is none

	auto        *automaton
	byName      map[int32]*attributeUse // by symbol
	must        int                     // required attributes
	refDefaults []*attributeUse         // whose default is a reference that must lead somewhere
}

// element is an element declaration [XSD1 3.3].
type element struct {
	name        qname
	typ         typeDef
	global      bool
	nillable    bool
	abstract    bool
	fixed       bool
	value       *string // default, or fixed
	block       derivation
	final       derivation
	head        *element // substitution group affiliation
	members     []*element
	constraints []*constraint
	node        dom.Node
	sym         int32
	fixedValue  value
}

// attribute is an attribute declaration [XSD1 3.2].
type attribute struct {
	name  qname
	typ   *simpleType
	value *string
	fixed bool
	node  dom.Node
}

// attributeUse is an attribute of a type [XSD1 3.5]. value overrides that of the declaration.
type attributeUse struct {
	attr       *attribute
	required   bool
	prohibited bool
	value      *string
	fixed      bool
	fixedValue value
	node       dom.Node
}

// constraintValue is the value constraint in force.
func (u *attributeUse) constraintValue() (v *string, fixed bool) {
	if u.value != nil {
		return u.value, u.fixed
	}
	return u.attr.value, u.attr.fixed
}

type compositor uint8

const (
	sequence compositor = iota
	choice
	all
)

func (c compositor) String() string { return [...]string{"sequence", "choice", "all"}[c] }

// group is a model group [XSD1 3.8].
type group struct {
	kind  compositor
	parts []*particle
	node  dom.Node
	size  int   // expanded number of particles; 0 not counted yet
	empty uint8 // 1 can be empty, 2 cannot, 0 not worked out yet
}

// particle is a term and how often it may occur [XSD1 3.9]; one of element, wildcard, group is set.
type particle struct {
	min, max int
	element  *element
	wildcard *wildcard
	group    *group
	node     dom.Node
	alone    bool // the element stands for itself, not for its substitution group
}

type process uint8

const (
	strict process = iota
	lax
	skip
)

type wcKind uint8

const (
	wcAny wcKind = iota
	wcNot        // any but spaces[0], and not absent
	wcSet
)

// wildcard is a wildcard [XSD1 3.10].
type wildcard struct {
	kind    wcKind
	spaces  []string // "" is absent
	process process
	node    dom.Node
}

func (w *wildcard) allows(space string) bool {
	switch w.kind {
	case wcAny:
		return true
	case wcNot:
		return space != "" && space != w.spaces[0]
	}
	return slices.Contains(w.spaces, space)
}

func (w *wildcard) String() string {
	switch w.kind {
	case wcAny:
		return "any element"
	case wcNot:
		return "any element outside of " + quote(w.spaces[0])
	}
	s := "any element of"
	for _, n := range w.spaces {
		if n == "" {
			n = "no namespace"
		}
		s += " " + n
	}
	return s
}

// subsetOf is [XSD1 3.10.6] Wildcard Subset.
func (w *wildcard) subsetOf(o *wildcard) bool {
	switch {
	case o.kind == wcAny:
		return true
	case w.kind == wcAny:
		return false
	case w.kind == wcNot:
		return o.kind == wcNot && w.spaces[0] == o.spaces[0]
	}
	for _, s := range w.spaces {
		if !o.allows(s) {
			return false
		}
	}
	return true
}

// intersects reports whether some namespace is allowed by both.
func (w *wildcard) intersects(o *wildcard) bool {
	switch {
	case w.kind == wcSet:
		return slices.ContainsFunc(w.spaces, o.allows)
	case o.kind == wcSet:
		return slices.ContainsFunc(o.spaces, w.allows)
	}
	return true
}

// intersection is [XSD1 3.10.6] Attribute Wildcard Intersection; ok is false if it cannot be expressed.
func (w *wildcard) intersection(o *wildcard) (r *wildcard, ok bool) {
	r = &wildcard{process: w.process, node: w.node}
	switch {
	case w.kind == wcAny:
		r.kind, r.spaces = o.kind, o.spaces
	case o.kind == wcAny:
		r.kind, r.spaces = w.kind, w.spaces
	case w.kind == wcNot && o.kind == wcNot:
		r.kind = wcNot
		switch {
		case w.spaces[0] == o.spaces[0], o.spaces[0] == "":
			r.spaces = w.spaces
		case w.spaces[0] == "":
			r.spaces = o.spaces
		default:
			return nil, false
		}
	default:
		set, other := w, o
		if w.kind == wcNot {
			set, other = o, w
		}
		r.kind = wcSet
		for _, s := range set.spaces {
			if other.allows(s) {
				r.spaces = append(r.spaces, s)
			}
		}
	}
	return r, true
}

// union is [XSD1 3.10.6] Attribute Wildcard Union; ok is false if it cannot be expressed.
func (w *wildcard) union(o *wildcard) (r *wildcard, ok bool) {
	r = &wildcard{process: w.process, node: w.node}
	switch {
	case w.kind == wcAny || o.kind == wcAny:
		return r, true
	case w.kind == wcSet && o.kind == wcSet:
		r.kind = wcSet
		r.spaces = append(slices.Clone(w.spaces), o.spaces...)
		slices.Sort(r.spaces)
		r.spaces = slices.Compact(r.spaces)
		return r, true
	case w.kind == wcNot && o.kind == wcNot:
		r.kind = wcNot
		r.spaces = w.spaces
		if w.spaces[0] != o.spaces[0] {
			r.spaces = []string{""}
		}
		return r, true
	}
	not, set := w, o
	if w.kind == wcSet {
		not, set = o, w
	}
	negated, absent := slices.Contains(set.spaces, not.spaces[0]), slices.Contains(set.spaces, "")
	if not.spaces[0] == "" {
		if absent {
			return r, true
		}
		r.kind, r.spaces = wcNot, not.spaces
		return r, true
	}
	switch {
	case negated && absent:
		return r, true
	case negated:
		r.kind, r.spaces = wcNot, []string{""}
	case absent:
		return nil, false
	default:
		r.kind, r.spaces = wcNot, not.spaces
	}
	return r, true
}

// derivedFrom reports whether t comes from base by steps of which none is in without [XSD1 3.4.6, 3.14.6].
func derivedFrom(t, base typeDef, without derivation) bool {
	for range 10_000 {
		if t == base {
			return true
		}
		if s, ok := t.(*simpleType); ok {
			if b, ok := base.(*simpleType); ok && b.variety == union && without&byUnion == 0 && b.have == 0 {
				for _, m := range b.members {
					if derivedFrom(s, m, without) {
						return true
					}
				}
			}
		}
		h := t.head()
		if h.base == nil || h.base == t || h.method&without != 0 {
			return false
		}
		t = h.base
	}
	return false
}
