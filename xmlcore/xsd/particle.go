package xsd

import (
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// particle makes the particle of an element, group, all, choice, sequence or any element; nil if it cannot occur or after
// a complaint [XSD1 3.9.2].
func (c *compiler) particle(d *schemaDoc, n dom.Node) *particle {
	p := &particle{node: n}
	p.min, p.max = c.occurs(n)
	if c.depth++; c.depth > c.opt.Limits.Depth {
		c.stop("groups nested deeper than %d", c.opt.Limits.Depth)
		c.depth--
		return nil
	}
	defer func() { c.depth-- }()
	switch n.Local() {
	case "element":
		p.element = c.localElement(d, n)
		if p.element == nil {
			return nil
		}
	case "any":
		p.wildcard = c.wildcard(d, n)
	case "group":
		q, ok := c.qnameAt(d, n, n.Attr("ref"))
		if !ok {
			return nil
		}
		e := c.find(sGroup, d, n, q)
		if e == nil {
			return nil
		}
		if p.group = c.groupOf(e, n); p.group == nil {
			return nil
		}
		if p.group.kind == all {
			if p.max != 1 && p.max != 0 {
				c.fail(n, "cos-all-limited.1.2", "a group of kind all occurs once at most")
			}
			if parent := n.Parent().Local(); parent == "sequence" || parent == "choice" {
				c.fail(n, "cos-all-limited.1.2", "a group of kind all must be the whole content")
			}
		}
	default:
		p.group = c.modelGroup(d, n)
	}
	if p.max == 0 {
		return nil
	}
	return p
}

func (c *compiler) modelGroup(d *schemaDoc, n dom.Node) *group {
	g := &group{node: n}
	switch n.Local() {
	case "choice":
		g.kind = choice
	case "all":
		g.kind = all
	}
	for ch := range n.Elements() {
		switch {
		case ch.Space() != Namespace:
		case ch.Local() == "element" || ch.Local() == "any" || ch.Local() == "group" || ch.Local() == "choice" || ch.Local() == "sequence":
			if p := c.particle(d, ch); p != nil {
				g.parts = append(g.parts, p)
			}
		}
	}
	if g.expanded() > c.opt.Limits.Particles {
		c.stop("content model with more than %d particles", c.opt.Limits.Particles)
	}
	return g
}

// groupOf makes a named model group.
func (c *compiler) groupOf(e *entry, at dom.Node) *group {
	if e.group != nil {
		return e.group
	}
	if e.building {
		c.fail(at, "mg-props-correct.2", "group %s contains itself", quote(e.node.Attr("name")))
		return nil
	}
	m := child(e.node, "all", "choice", "sequence")
	if !m.Valid() {
		return nil
	}
	e.building = true
	e.group = c.modelGroup(e.doc, m)
	e.building = false
	if e.prev != nil {
		c.redefinedGroup(e)
	}
	return e.group
}

// redefinedGroup is [XSD1 4.2.2] src-redefine, clause 6.
func (c *compiler) redefinedGroup(e *entry) {
	own := qname{e.doc.target, collapse(e.node.Attr("name"))}
	self := 0
	for n := range e.node.Descendants() {
		if n.Is(Namespace, "group") && n.Attribute("", "ref").Valid() {
			if q, ok := c.qnameAt(e.doc, n, n.Attr("ref")); ok && q == own {
				self++
				if least, most := c.occurs(n); least != 1 || most != 1 {
					c.fail(n, "src-redefine.6.1.2", "a redefined group refers to itself exactly once")
				}
			}
		}
	}
	switch {
	case self > 1:
		c.fail(e.node, "src-redefine.6.1.1", "a redefined group may refer to itself once")
	case self == 0:
		if base := c.groupOf(e.prev, e.node); base != nil {
			g := e.group
			c.checks = append(c.checks, func() {
				r := restrictor{c: c}
				if why := r.restricts(&particle{min: 1, max: 1, group: g}, &particle{min: 1, max: 1, group: base}); why != "" {
					c.fail(e.node, "src-redefine.6.2.2", "not a restriction of the group that it redefines: %s", why)
				}
			})
		}
	}
}

// localElement makes an element declaration or reference inside of a group [XSD1 3.3.2].
func (c *compiler) localElement(d *schemaDoc, n dom.Node) *element {
	ref, isRef := n.AttrNS("", "ref")
	name, isNamed := n.AttrNS("", "name")
	if isRef == isNamed {
		c.fail(n, "src-element.2.1", "an element has either a name or a ref")
		return nil
	}
	if isRef {
		for _, a := range []string{"nillable", "default", "fixed", "form", "block", "type"} {
			if n.Attribute("", a).Valid() {
				c.fail(n, "src-element.2.2", "an element with ref has no %s of its own", a)
			}
		}
		if child(n, "simpleType", "complexType", "key", "keyref", "unique").Valid() {
			c.fail(n, "src-element.2.2", "an element with ref has no content of its own")
		}
		q, ok := c.qnameAt(d, n, ref)
		if !ok {
			return nil
		}
		e := c.find(sElement, d, n, q)
		if e == nil {
			return nil
		}
		return c.elementOf(e)
	}
	e := &element{name: qname{"", collapse(name)}, node: n}
	form := collapse(n.Attr("form"))
	if form == "qualified" || form == "" && d.qualified {
		e.name.space = d.target
	}
	c.locals = append(c.locals, e)
	c.fillElement(d, n, e)
	return e
}

// elementOf makes a global element declaration.
func (c *compiler) elementOf(en *entry) *element {
	if en.element != nil {
		return en.element
	}
	n, d := en.node, en.doc
	e := &element{name: qname{d.target, collapse(n.Attr("name"))}, node: n, global: true}
	en.element = e
	en.building = true
	e.abstract = isTrue(n.Attr("abstract"))
	e.final = d.finalDefault & (byExtension | byRestriction)
	if s, ok := n.AttrNS("", "final"); ok {
		e.final = derivations(s, byExtension|byRestriction)
	}
	if s, ok := n.AttrNS("", "substitutionGroup"); ok {
		c.affiliate(en, e, s)
	}
	c.fillElement(d, n, e)
	en.building = false
	return e
}

func (c *compiler) affiliate(en *entry, e *element, name string) {
	q, ok := c.qnameAt(en.doc, en.node, name)
	if !ok {
		return
	}
	h := c.find(sElement, en.doc, en.node, q)
	if h == nil {
		return
	}
	if h.building {
		c.fail(en.node, "e-props-correct.6", "substitution group of %s is circular", quote(e.name.local))
		return
	}
	if c.depth++; c.depth > c.opt.Limits.Depth {
		c.stop("substitution groups nested deeper than %d", c.opt.Limits.Depth)
		c.depth--
		return
	}
	e.head = c.elementOf(h)
	c.depth--
	e.head.members = append(e.head.members, e)
	c.checks = append(c.checks, func() {
		if e.typ != nil && e.head.typ != nil && !derivedFrom(e.typ, e.head.typ, e.head.final) {
			c.fail(en.node, "e-props-correct.4", "the type of %s is not derived from that of the substitution group %s, or that is final",
				quote(e.name.local), quote(e.head.name.local))
		}
	})
}

// fillElement reads what global and local declarations have in common.
func (c *compiler) fillElement(d *schemaDoc, n dom.Node, e *element) {
	e.nillable = isTrue(n.Attr("nillable"))
	e.block = d.blockDefault
	if s, ok := n.AttrNS("", "block"); ok {
		e.block = derivations(s, byExtension|byRestriction|bySubstitution)
	}
	dflt, hasDefault := n.AttrNS("", "default")
	fixed, hasFixed := n.AttrNS("", "fixed")
	switch {
	case hasDefault && hasFixed:
		c.fail(n, "src-element.1", "default and fixed exclude each other")
	case hasDefault:
		e.value = &dflt
	case hasFixed:
		e.value, e.fixed = &fixed, true
	}
	name, named := n.AttrNS("", "type")
	inner := child(n, "simpleType", "complexType")
	switch {
	case named && inner.Valid():
		c.fail(n, "src-element.3", "an element has either type or a type definition")
	case named:
		e.typ = c.typeRef(d, n, name)
	case inner.Valid():
		e.typ = c.newType(d, inner)
	case e.head != nil:
		e.typ = e.head.typ
	}
	if e.typ == nil {
		e.typ = predefined.anyType
	}
	t := e.typ
	c.later = append(c.later, func() { c.complete(t, n) })
	c.checks = append(c.checks, func() { c.checkElement(e) })
	for k := range n.Elements() {
		if k.Space() == Namespace && (k.Local() == "unique" || k.Local() == "key" || k.Local() == "keyref") {
			c.constraint(d, k, e)
		}
	}
}

// checkElement checks the value constraint when all types are complete [XSD1 3.3.6].
func (c *compiler) checkElement(e *element) {
	if s, ok := e.typ.(*simpleType); ok {
		c.notationType(e.node, s)
	}
	if e.value == nil {
		return
	}
	var simple *simpleType
	switch t := e.typ.(type) {
	case *simpleType:
		simple = t
	case *complexType:
		switch {
		case t.content == simpleContent:
			simple = t.simple
		case t.content != mixedContent:
			c.fail(e.node, "e-props-correct.2", "an element with %s content has no default or fixed value", t.content)
			return
		case !emptiable(t.particle):
			c.fail(e.node, "e-props-correct.2", "mixed content with a default or fixed value must be able to be empty")
			return
		default:
			return
		}
	}
	if simple == nil {
		return
	}
	if isID(simple) {
		c.fail(e.node, "e-props-correct.5", "an element of type ID has no default or fixed value")
		return
	}
	v, bad := simple.check(*e.value, &input{node: e.node, notated: c.notated}, true)
	if bad != nil {
		c.fail(e.node, "e-props-correct.2", "%s", bad.text)
		return
	}
	e.fixedValue = v
}

// emptiable reports whether a particle allows for nothing [XSD1 3.9.6].
func emptiable(p *particle) bool {
	if p == nil || p.min == 0 {
		return true
	}
	if p.group == nil {
		return false
	}
	return p.group.emptiable()
}

func (g *group) emptiable() bool {
	if g.empty == 0 {
		g.empty = 2
		if g.kind == choice {
			ok := false
			for _, p := range g.parts {
				ok = ok || emptiable(p)
			}
			if ok {
				g.empty = 1
			}
		} else {
			ok := true
			for _, p := range g.parts {
				ok = ok && emptiable(p)
			}
			if ok {
				g.empty = 1
			}
		}
	}
	return g.empty == 1
}

// expanded counts the particles of a group with all that is nested, up to a bound far above any limit.
func (g *group) expanded() int {
	if g.size == 0 {
		n := 1
		for _, p := range g.parts {
			if p.group != nil {
				n += p.group.expanded()
			} else {
				n++
			}
			n = min(n, 1<<30)
		}
		g.size = n
	}
	return g.size
}

// leaves calls do for each element and wildcard of a particle, until it returns false.
func leaves(p *particle, do func(*particle) bool) bool {
	if p == nil {
		return true
	}
	if p.group == nil {
		return do(p)
	}
	for _, s := range p.group.parts {
		if !leaves(s, do) {
			return false
		}
	}
	return true
}

// consistent is [XSD1 3.8.6] Element Declarations Consistent: one name, one type in one content model.
func (c *compiler) consistent(t *complexType) {
	seen := map[qname]typeDef{}
	add := func(e *element) bool {
		if o, ok := seen[e.name]; ok && o != e.typ {
			c.fail(t.node, "cos-element-consistent", "element %s stands in one content model with two types", quote(e.name.local))
			return false
		}
		seen[e.name] = e.typ
		return true
	}
	leaves(t.particle, func(p *particle) bool {
		if p.element == nil {
			return true
		}
		if !add(p.element) {
			return false
		}
		for _, m := range c.substitutes(p.element) {
			if !add(m) {
				return false
			}
		}
		return true
	})
}

// substitutes returns the members that may stand for an element, without itself and abstract ones [XSD1 3.3.6].
func (c *compiler) substitutes(head *element) []*element {
	if !head.global || len(head.members) == 0 || head.block&bySubstitution != 0 {
		return nil
	}
	if s, ok := c.groups[head]; ok {
		return s
	}
	var out []*element
	seen := map[*element]bool{head: true}
	var walk func(e *element)
	walk = func(e *element) {
		for _, m := range e.members {
			if seen[m] {
				continue
			}
			seen[m] = true
			if !m.abstract && !blocked(m.typ, head.typ, head.block) {
				out = append(out, m)
			}
			walk(m)
		}
	}
	walk(head)
	c.groups[head] = out
	return out
}

// blocked reports whether the way from t to base uses a derivation that base, a type between them or the element
// forbids.
func blocked(t, base typeDef, block derivation) bool {
	var used derivation
	if b, ok := base.(*complexType); ok {
		block |= b.block
	}
	for range 10_000 {
		if t == base {
			return used&block != 0
		}
		used |= t.head().method
		if t.head().base == nil || t.head().base == t {
			return false
		}
		t = t.head().base
		if b, ok := t.(*complexType); ok && t != base {
			block |= b.block
		}
	}
	return false
}
