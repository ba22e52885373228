package xsd

import (
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// complex makes a complex type from its definition [XSD1 3.4.2].
func (c *compiler) complex(t *complexType, p *pending) {
	n, d := p.node, p.doc
	c.types = append(c.types, t)
	t.base, t.method, t.depth = predefined.anyType, byRestriction, 1
	t.abstract = isTrue(n.Attr("abstract"))
	t.final = d.finalDefault & (byExtension | byRestriction)
	if s, ok := n.AttrNS("", "final"); ok {
		t.final = derivations(s, byExtension|byRestriction)
	}
	t.block = d.blockDefault & (byExtension | byRestriction)
	if s, ok := n.AttrNS("", "block"); ok {
		t.block = derivations(s, byExtension|byRestriction)
	}
	mixed := isTrue(n.Attr("mixed"))
	redefining := p.entry != nil && p.entry.prev != nil
	content := child(n, "simpleContent", "complexContent")
	if !content.Valid() {
		if redefining {
			c.fail(n, "src-redefine.5", "a redefined complex type must derive from itself")
		}
		t.particle = c.explicit(d, n)
		t.setContent(mixed)
		set := c.attributeSet(d, n)
		t.attrs, t.wildcard = set.uses, set.wildcard
		return
	}
	by := child(content, "restriction", "extension")
	t.method = byRestriction
	if by.Local() == "extension" {
		t.method = byExtension
	}
	base := c.typeRef(d, by, by.Attr("base"))
	if base == nil {
		return
	}
	if !c.complete(base, by) {
		return
	}
	if redefining && base != p.entry.prev.typ {
		c.fail(n, "src-redefine.5", "a redefined complex type must derive from itself")
	}
	t.base, t.depth = base, base.head().depth+1
	if base.head().final&t.method != 0 {
		c.fail(by, "cos-ct-extends.1.1", "%s is final for this derivation", base.head())
	}
	set := c.attributeSet(d, by)
	if content.Local() == "simpleContent" {
		c.simpleContent(t, base, by, d)
	} else {
		if s, ok := content.AttrNS("", "mixed"); ok {
			mixed = isTrue(s)
		}
		c.complexContent(t, base, by, d, mixed)
	}
	c.inherit(t, set, by)
}

func (t *complexType) setContent(mixed bool) {
	switch {
	case mixed:
		t.content = mixedContent
	case t.particle == nil:
		t.content = emptyContent
	default:
		t.content = elementContent
	}
}

func (c *compiler) simpleContent(t *complexType, base typeDef, by dom.Node, d *schemaDoc) {
	t.content, t.simple = simpleContent, predefined.anySimpleType
	if s, ok := base.(*simpleType); ok {
		if t.method == byRestriction {
			c.fail(by, "src-ct.2", "a restriction in simpleContent needs a complex type as base")
			return
		}
		t.simple = s
		return
	}
	b := base.(*complexType)
	inner := child(by, "simpleType")
	switch {
	case b.content == simpleContent && t.method == byExtension:
		t.simple = b.simple
	case b.content == simpleContent:
		from := b.simple
		if inner.Valid() {
			from = c.anonymous(d, inner)
			if !derivedFrom(from, b.simple, 0) {
				c.fail(inner, "derivation-ok-restriction.5.2.2", "the simple type is not derived from the content type of %s", b)
			}
		}
		s := &simpleType{}
		s.node = by
		if from == predefined.anySimpleType {
			t.simple = from
			return
		}
		c.restrictSimple(s, from, by, d)
		t.simple = s
	case b.content == mixedContent && t.method == byRestriction && emptiable(b.particle):
		if !inner.Valid() {
			c.fail(by, "src-ct.2", "a restriction of mixed content in simpleContent needs a simpleType")
			return
		}
		s := &simpleType{}
		s.node = by
		c.restrictSimple(s, c.anonymous(d, inner), by, d)
		t.simple = s
	default:
		c.fail(by, "src-ct.2", "%s has no simple content", b)
	}
}

func (c *compiler) complexContent(t *complexType, base typeDef, by dom.Node, d *schemaDoc, mixed bool) {
	b, ok := base.(*complexType)
	if !ok {
		c.fail(by, "src-ct.1", "complexContent needs a complex type as base, %s is simple", base.head())
		return
	}
	own := c.explicit(d, by)
	if t.method == byRestriction {
		t.particle = own
		t.setContent(mixed)
		return
	}
	switch {
	case b.content == simpleContent:
		if own != nil || mixed {
			c.fail(by, "cos-ct-extends.1.4", "%s has simple content, which complexContent cannot extend", b)
		}
		t.content, t.simple = simpleContent, b.simple
		return
	case own == nil && (b.content == emptyContent || !mixed || b.content == mixedContent):
		t.particle, t.content = b.particle, b.content
		if b.content == emptyContent {
			t.setContent(mixed)
		}
		return
	case b.content == emptyContent || b.particle == nil:
		t.particle = own
		if b.content == mixedContent && !mixed {
			c.fail(by, "cos-ct-extends.1.4.2.2.1", "an extension of mixed content must be mixed")
		}
		t.setContent(mixed)
		return
	}
	if (b.content == mixedContent) != mixed {
		c.fail(by, "cos-ct-extends.1.4.2.2.1", "base and extension must both be mixed or both element-only")
	}
	t.particle = &particle{min: 1, max: 1, node: by, group: &group{kind: sequence, node: by}}
	t.particle.group.parts = append(t.particle.group.parts, b.particle)
	if own != nil {
		t.particle.group.parts = append(t.particle.group.parts, own)
	}
	if isAll(b.particle) && own != nil || isAll(own) {
		c.fail(by, "cos-all-limited.1.2", "a group of kind all cannot be extended, or extend")
	}
	t.setContent(mixed)
}

func isAll(p *particle) bool {
	return p != nil && p.group != nil && p.group.kind == all && len(p.group.parts) > 0
}

// explicit is the content model that stands in a complexType, restriction or extension; nil is none [XSD1 3.4.2].
func (c *compiler) explicit(d *schemaDoc, n dom.Node) *particle {
	m := child(n, "group", "all", "choice", "sequence")
	if !m.Valid() {
		return nil
	}
	p := c.particle(d, m)
	if p == nil {
		return nil
	}
	if m.Local() != "group" && len(p.group.parts) == 0 && (m.Local() != "choice" || p.min == 0) {
		return nil
	}
	return p
}

// inherit joins the attributes of a derived type with those of its base [XSD1 3.4.2].
func (c *compiler) inherit(t *complexType, set *attributeSet, by dom.Node) {
	t.attrs, t.wildcard = set.uses, set.wildcard
	b, ok := t.base.(*complexType)
	if !ok {
		return
	}
	if t.method == byExtension {
		for _, u := range b.attrs {
			if o := findUse(set.uses, u.attr.name); o != nil {
				c.fail(by, "ct-props-correct.4", "attribute %s is in %s already", quote(u.attr.name.local), b)
				continue
			}
			t.attrs = append(t.attrs, u)
		}
		if b.wildcard != nil {
			if t.wildcard == nil {
				t.wildcard = b.wildcard
			} else if w, ok := t.wildcard.union(b.wildcard); ok {
				t.wildcard = w
			} else {
				c.fail(by, "src-ct.5", "the union of the attribute wildcards cannot be expressed")
			}
		}
		c.idAttributes(t, by)
		return
	}
	for _, u := range b.attrs {
		if findUse(set.uses, u.attr.name) == nil && !set.prohibits(u.attr.name) {
			t.attrs = append(t.attrs, u)
		}
	}
	c.idAttributes(t, by)
	c.later = append(c.later, func() { c.restrictedAttributes(t, b, set, by) })
}

// restrictedAttributes is [XSD1 3.4.6] Derivation Valid (Restriction, Complex), clauses 2 to 4.
func (c *compiler) restrictedAttributes(t, b *complexType, set *attributeSet, n dom.Node) {
	c.usesRestrict(set, b.attrs, b.wildcard, n, b == predefined.anyType)
}

func (c *compiler) usesRestrict(set *attributeSet, base []*attributeUse, baseWildcard *wildcard, n dom.Node, any bool) {
	const rule = "derivation-ok-restriction."
	for _, u := range set.uses {
		o := findUse(base, u.attr.name)
		if o == nil {
			if baseWildcard == nil || !baseWildcard.allows(u.attr.name.space) {
				c.fail(u.node, rule+"2.2", "attribute %s is not in the base type", quote(u.attr.name.local))
			}
			continue
		}
		if o.required && !u.required {
			c.fail(u.node, rule+"2.1.1", "attribute %s is required in the base type", quote(u.attr.name.local))
		}
		if !derivedFrom(u.attr.typ, o.attr.typ, 0) {
			c.fail(u.node, rule+"2.1.2", "the type of attribute %s is not derived from that in the base type", quote(u.attr.name.local))
		}
		if v, fixed := o.constraintValue(); v != nil && fixed {
			w, also := u.constraintValue()
			if w == nil || !also || !c.sameValue(o.attr.typ, *v, o.node, *w, u.node) {
				c.fail(u.node, rule+"2.1.3", "attribute %s is fixed to %s in the base type", quote(u.attr.name.local), quote(*v))
			}
		}
	}
	for _, o := range base {
		if o.required && (set.prohibits(o.attr.name)) {
			c.fail(n, rule+"3", "attribute %s is required in the base type", quote(o.attr.name.local))
		}
	}
	if set.wildcard != nil {
		switch {
		case baseWildcard == nil:
			c.fail(n, rule+"4.1", "the base type has no attribute wildcard")
		case !set.wildcard.subsetOf(baseWildcard):
			c.fail(n, rule+"4.2", "the attribute wildcard is wider than that of the base type")
		case !any && set.wildcard.process > baseWildcard.process:
			c.fail(n, rule+"4.3", "the attribute wildcard is less strict than that of the base type")
		}
	}
}

// sameValue compares two texts as values of a type.
func (c *compiler) sameValue(t *simpleType, a string, an dom.Node, b string, bn dom.Node) bool {
	v, bad := t.check(a, &input{node: an}, true)
	w, worse := t.check(b, &input{node: bn}, true)
	return bad == nil && worse == nil && v.key() == w.key()
}
