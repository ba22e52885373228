package xsd

import (
	"strings"

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

func findUse(uses []*attributeUse, name qname) *attributeUse {
	for _, u := range uses {
		if u.attr.name == name {
			return u
		}
	}
	return nil
}

func (c *compiler) idAttributes(t *complexType, n dom.Node) {
	ids := 0
	for _, u := range t.attrs {
		if isID(u.attr.typ) {
			ids++
		}
	}
	if ids > 1 {
		c.fail(n, "ct-props-correct.5", "a type cannot have two attributes of type ID")
	}
}

func isID(t *simpleType) bool { return t != nil && t.variety == atomic && t.lex == lexID }

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

// attributeSet is what attribute, attributeGroup and anyAttribute elements declare together.
type attributeSet struct {
	uses       []*attributeUse
	prohibited []qname
	wildcard   *wildcard
}

func (s *attributeSet) prohibits(q qname) bool {
	for _, p := range s.prohibited {
		if p == q {
			return true
		}
	}
	return false
}

func (c *compiler) attributeSet(d *schemaDoc, parent dom.Node) *attributeSet {
	set := &attributeSet{}
	add := func(u *attributeUse, at dom.Node) {
		if o := findUse(set.uses, u.attr.name); o != nil {
			if o != u {
				c.fail(at, "ct-props-correct.4", "attribute %s occurs twice", quote(u.attr.name.local))
			}
			return
		}
		set.uses = append(set.uses, u)
	}
	var groups []*wildcard
	for n := range parent.Elements() {
		if n.Space() != Namespace {
			continue
		}
		switch n.Local() {
		case "attribute":
			if u := c.attributeUse(d, n); u != nil {
				if u.prohibited {
					set.prohibited = append(set.prohibited, u.attr.name)
				} else {
					add(u, n)
				}
			}
		case "attributeGroup":
			g := c.attributeGroup(d, n)
			if g == nil {
				continue
			}
			for _, u := range g.uses {
				add(u, n)
			}
			if g.wildcard != nil {
				groups = append(groups, g.wildcard)
			}
		case "anyAttribute":
			set.wildcard = c.wildcard(d, n)
		}
	}
	for _, w := range groups {
		if set.wildcard == nil {
			set.wildcard = w
			continue
		}
		r, ok := set.wildcard.intersection(w)
		if !ok {
			c.fail(parent, "src-ct.4", "the intersection of the attribute wildcards cannot be expressed")
			continue
		}
		set.wildcard = r
	}
	ids := 0
	for _, u := range set.uses {
		if isID(u.attr.typ) {
			if ids++; ids == 2 {
				c.fail(parent, "ag-props-correct.3", "there cannot be two attributes of type ID")
			}
		}
	}
	return set
}

// attributeGroup resolves a reference to an attribute group and makes it.
func (c *compiler) attributeGroup(d *schemaDoc, n dom.Node) *attributeSet {
	q, ok := c.qnameAt(d, n, n.Attr("ref"))
	if !ok {
		return nil
	}
	if q == (qname{xmlSpace, "specialAttrs"}) && c.named[sAttributeGroup][q] == nil && d.imports[xmlSpace] {
		set := &attributeSet{}
		for _, a := range predefined.xmlAttributes {
			set.uses = append(set.uses, &attributeUse{attr: a, node: n})
		}
		return set
	}
	e := c.find(sAttributeGroup, d, n, q)
	if e == nil {
		return nil
	}
	return c.attributesOf(e, n)
}

func (c *compiler) attributesOf(e *entry, at dom.Node) *attributeSet {
	if e.attrs != nil {
		return e.attrs
	}
	if e.building {
		c.fail(at, "src-attribute_group.3", "attribute group %s contains itself", quote(e.node.Attr("name")))
		return nil
	}
	if c.depth++; c.depth > c.opt.Limits.Depth {
		c.stop("attribute groups nested deeper than %d", c.opt.Limits.Depth)
		c.depth--
		return nil
	}
	e.building = true
	e.attrs = c.attributeSet(e.doc, e.node)
	e.building = false
	c.depth--
	if e.prev != nil {
		c.redefinedAttributes(e)
	}
	return e.attrs
}

// redefinedAttributes is [XSD1 4.2.2] src-redefine, clause 7.
func (c *compiler) redefinedAttributes(e *entry) {
	own := qname{e.doc.target, collapse(e.node.Attr("name"))}
	self := 0
	for n := range e.node.Elements() {
		if n.Is(Namespace, "attributeGroup") {
			if q, ok := c.qnameAt(e.doc, n, n.Attr("ref")); ok && q == own {
				self++
			}
		}
	}
	switch {
	case self > 1:
		c.fail(e.node, "src-redefine.7.1", "a redefined attribute group may refer to itself once")
	case self == 0:
		if base := c.attributesOf(e.prev, e.node); base != nil {
			set := e.attrs
			c.later = append(c.later, func() {
				c.usesRestrict(set, base.uses, base.wildcard, e.node, false)
				for _, o := range base.uses {
					if o.required && findUse(set.uses, o.attr.name) == nil {
						c.fail(e.node, "src-redefine.7.2.2", "attribute %s is required in what is redefined", quote(o.attr.name.local))
					}
				}
			})
		}
	}
}

// attributeUse makes an attribute of a type [XSD1 3.2.2]; nil after a complaint.
func (c *compiler) attributeUse(d *schemaDoc, n dom.Node) *attributeUse {
	u := &attributeUse{node: n}
	use := collapse(n.Attr("use"))
	u.required, u.prohibited = use == "required", use == "prohibited"
	dflt, hasDefault := n.AttrNS("", "default")
	fixed, hasFixed := n.AttrNS("", "fixed")
	if hasDefault && hasFixed {
		c.fail(n, "src-attribute.1", "default and fixed exclude each other")
	}
	if hasDefault && use != "" && use != "optional" {
		c.fail(n, "src-attribute.2", "an attribute with a default must be optional")
	}
	ref, isRef := n.AttrNS("", "ref")
	name, isNamed := n.AttrNS("", "name")
	if isRef == isNamed {
		c.fail(n, "src-attribute.3.1", "an attribute has either a name or a ref")
		return nil
	}
	if hasDefault {
		u.value = &dflt
	} else if hasFixed {
		u.value, u.fixed = &fixed, true
	}
	if isRef {
		if n.Attribute("", "type").Valid() || n.Attribute("", "form").Valid() || child(n, "simpleType").Valid() {
			c.fail(n, "src-attribute.3.2", "an attribute with ref has no type or form of its own")
		}
		if u.attr = c.attributeRef(d, n, ref); u.attr == nil {
			return nil
		}
		a := u.attr
		if a.value != nil && a.fixed && u.value != nil {
			c.checks = append(c.checks, func() {
				if !u.fixed || !c.sameValue(a.typ, *a.value, a.node, *u.value, n) {
					c.fail(n, "au-props-correct.2", "attribute %s is fixed to %s where it is declared", quote(a.name.local), quote(*a.value))
				}
			})
		}
	} else {
		q := qname{"", collapse(name)}
		form := collapse(n.Attr("form"))
		if form == "qualified" || form == "" && d.attrs {
			q.space = d.target
		}
		u.attr = &attribute{name: q, node: n}
		c.attributeType(d, n, u.attr)
	}
	c.checkAttribute(u.attr, u.value, n)
	return u
}

func (c *compiler) attributeType(d *schemaDoc, n dom.Node, a *attribute) {
	if a.name.local == "xmlns" {
		c.fail(n, "no-xmlns", "no attribute can be called xmlns")
	}
	if a.name.space == InstanceNamespace {
		c.fail(n, "no-xsi", "no attribute can be declared in the namespace of instances")
	}
	name, named := n.AttrNS("", "type")
	inner := child(n, "simpleType")
	switch {
	case named && inner.Valid():
		c.fail(n, "src-attribute.4", "an attribute has either type or a simpleType")
		a.typ = predefined.anySimpleType
	case named:
		a.typ = c.simpleRef(d, n, name)
	case inner.Valid():
		a.typ = c.anonymous(d, inner)
	default:
		a.typ = predefined.anySimpleType
	}
	c.notationType(n, a.typ)
}

// notationType refuses NOTATION itself: an enumeration must restrict it [XSD2 3.2.19].
func (c *compiler) notationType(n dom.Node, t *simpleType) {
	if t.variety == atomic && t.prim == pNotation && t.enum == nil {
		c.fail(n, "enumeration-required-notation", "xs:NOTATION must be restricted to an enumeration before use")
	}
}

func (c *compiler) checkAttribute(a *attribute, value *string, n dom.Node) {
	if value == nil {
		return
	}
	if isID(a.typ) {
		c.fail(n, "a-props-correct.3", "an attribute of type ID has no default or fixed value")
		return
	}
	if _, bad := a.typ.check(*value, &input{node: n}, false); bad != nil {
		c.fail(n, "a-props-correct.2", "%s", bad.text)
	}
}

func (c *compiler) attributeRef(d *schemaDoc, n dom.Node, ref string) *attribute {
	q, ok := c.qnameAt(d, n, ref)
	if !ok {
		return nil
	}
	if q.space == xmlSpace && c.named[sAttribute][q] == nil && d.imports[xmlSpace] {
		for _, a := range predefined.xmlAttributes {
			if a.name == q {
				return a
			}
		}
	}
	e := c.find(sAttribute, d, n, q)
	if e == nil {
		return nil
	}
	return c.attributeOf(e)
}

// attributeOf makes a global attribute.
func (c *compiler) attributeOf(e *entry) *attribute {
	if e.attr != nil {
		return e.attr
	}
	n := e.node
	a := &attribute{name: qname{e.doc.target, collapse(n.Attr("name"))}, node: n}
	e.attr = a
	dflt, hasDefault := n.AttrNS("", "default")
	fixed, hasFixed := n.AttrNS("", "fixed")
	switch {
	case hasDefault && hasFixed:
		c.fail(n, "src-attribute.1", "default and fixed exclude each other")
	case hasDefault:
		a.value = &dflt
	case hasFixed:
		a.value, a.fixed = &fixed, true
	}
	c.attributeType(e.doc, n, a)
	c.checkAttribute(a, a.value, n)
	return a
}

// wildcard makes an any or anyAttribute [XSD1 3.10.2].
func (c *compiler) wildcard(d *schemaDoc, n dom.Node) *wildcard {
	w := &wildcard{node: n}
	switch collapse(n.Attr("processContents")) {
	case "lax":
		w.process = lax
	case "skip":
		w.process = skip
	}
	s, given := n.AttrNS("", "namespace")
	switch s = collapse(s); {
	case !given || s == "##any":
	case s == "##other" || s == "#other" && c.opt.Lenient:
		w.kind, w.spaces = wcNot, []string{d.target}
	default:
		w.kind = wcSet
		for _, word := range strings.Fields(s) {
			switch word {
			case "##targetNamespace":
				word = d.target
			case "##local":
				word = ""
			}
			w.spaces = append(w.spaces, word)
		}
	}
	return w
}
