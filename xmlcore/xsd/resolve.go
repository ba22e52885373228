package xsd

import (
	"fmt"
	"strings"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// pending is a type that is made when first needed.
type pending struct {
	node  dom.Node
	doc   *schemaDoc
	entry *entry
	state uint8 // 0 waiting, 1 under construction, 2 complete
}

// qnameAt resolves a QName of a schema document. ok is false after a complaint.
func (c *compiler) qnameAt(d *schemaDoc, n dom.Node, raw string) (q qname, ok bool) {
	raw = collapse(raw)
	prefix, local, colon := strings.Cut(raw, ":")
	if !colon {
		prefix, local = "", raw
	}
	space, bound := n.LookupNamespace(prefix)
	if colon && !bound {
		c.fail(n, "src-resolve", "prefix %q of %s is not declared", prefix, quote(raw))
		return q, false
	}
	if space == "" && d.chameleon {
		space = d.target
	}
	return qname{space, local}, true
}

// find resolves a reference to a named component [XSD1 3.15.3]. nil comes after a complaint.
func (c *compiler) find(s space, d *schemaDoc, n dom.Node, q qname) *entry {
	if q.space != d.target && !d.imports[q.space] {
		if q.space == "" {
			c.fail(n, "src-resolve.4.1", "%s %s has no namespace, and there is no import for that", spaceNames[s], quote(q.local))
		} else {
			c.fail(n, "src-resolve.4.2", "the namespace of %s %s is not imported: %s", spaceNames[s], quote(q.local), q.space)
		}
		return nil
	}
	e := c.named[s][q]
	for r := e; r != nil; r = r.prev {
		if r.prev != nil && r.node.Document() == n.Document() && r.node.Contains(n) {
			e = r.prev // inside of a redefinition its name means what is redefined
			break
		}
	}
	if e == nil {
		why := ""
		if location := c.lost[q.space]; location != "" {
			why = fmt.Sprintf("; schema document %s was not found", quote(location))
		}
		c.fail(n, "src-resolve", "there is no %s %s%s", spaceNames[s], quote(q.String()), why)
	}
	return e
}

// typeRef resolves the name of a type, without making it.
func (c *compiler) typeRef(d *schemaDoc, n dom.Node, raw string) typeDef {
	q, ok := c.qnameAt(d, n, raw)
	if !ok {
		return nil
	}
	if q.space == Namespace {
		if t, ok := predefined.types[q]; ok {
			return t
		}
		if d.target != Namespace && !d.imports[Namespace] {
			c.fail(n, "src-resolve", "there is no type %s", quote(raw))
			return nil
		}
	}
	e := c.find(sType, d, n, q)
	if e == nil {
		return nil
	}
	return c.typeOf(e)
}

// typeOf returns the type of an entry, perhaps not complete yet.
func (c *compiler) typeOf(e *entry) typeDef {
	if e.typ == nil {
		e.typ = c.newType(e.doc, e.node)
		e.typ.head().name = qname{e.doc.target, collapse(e.node.Attr("name"))}
		c.pendings[e.typ].entry = e
	}
	return e.typ
}

// newType makes room for a type.
func (c *compiler) newType(d *schemaDoc, n dom.Node) typeDef {
	var t typeDef
	if n.Local() == "simpleType" {
		s := &simpleType{}
		s.node = n
		t = s
	} else {
		s := &complexType{}
		s.node = n
		t = s
	}
	c.pendings[t] = &pending{node: n, doc: d}
	return t
}

// complete makes a type; ok is false if that is going on already, after a complaint.
func (c *compiler) complete(t typeDef, at dom.Node) (ok bool) {
	p := c.pendings[t]
	if p == nil || p.state == 2 {
		return true
	}
	if p.state == 1 {
		rule := "ct-props-correct.3"
		if _, simple := t.(*simpleType); simple {
			rule = "st-props-correct.2"
		}
		c.fail(at, rule, "%s is derived from itself", t.head())
		return false
	}
	if c.depth++; c.depth > c.opt.Limits.Depth {
		c.stop("types derived or nested deeper than %d", c.opt.Limits.Depth)
		c.depth--
		return false
	}
	p.state = 1
	switch t := t.(type) {
	case *simpleType:
		c.simple(t, p)
	case *complexType:
		c.complex(t, p)
	}
	p.state = 2
	c.depth--
	return true
}

// simpleRef resolves and completes a simple type; the built-in string stands in after a complaint.
func (c *compiler) simpleRef(d *schemaDoc, n dom.Node, raw string) *simpleType {
	fallback := predefined.simple("string")
	t := c.typeRef(d, n, raw)
	if t == nil {
		return fallback
	}
	s, ok := t.(*simpleType)
	if !ok {
		c.fail(n, "src-resolve", "%s is no simple type", quote(raw))
		return fallback
	}
	if !c.complete(s, n) {
		return fallback
	}
	return s
}

// anonymous makes a simple type that stands inside of another component.
func (c *compiler) anonymous(d *schemaDoc, n dom.Node) *simpleType {
	t := c.newType(d, n).(*simpleType)
	c.complete(t, n)
	return t
}

// child returns the first child in the namespace of schemas with one of the names.
func child(n dom.Node, names ...string) dom.Node {
	for e := range n.Elements() {
		if e.Space() != Namespace {
			continue
		}
		for _, name := range names {
			if e.Local() == name {
				return e
			}
		}
	}
	return dom.Node{}
}

func isTrue(s string) bool { s = collapse(s); return s == "true" || s == "1" }

// occurs reads minOccurs and maxOccurs.
func (c *compiler) occurs(n dom.Node) (least, most int) {
	number := func(name string) int {
		s, ok := n.AttrNS("", name)
		if !ok {
			return 1
		}
		s = collapse(s)
		if s == "unbounded" {
			return unbounded
		}
		v, _ := count(s)
		return min(v, 1<<30)
	}
	least, most = number("minOccurs"), number("maxOccurs")
	if most != unbounded && least > most {
		c.fail(n, "p-props-correct.2.1", "minOccurs %d is greater than maxOccurs %d", least, most)
		least = most
	}
	return least, most
}
