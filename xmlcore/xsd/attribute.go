package xsd

import (
	"strings"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

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
