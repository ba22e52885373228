package xsd

import (
	"strings"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

type constraintKind uint8

const (
	uniqueKind constraintKind = iota
	keyKind
	keyrefKind
)

// constraint is an identity constraint [XSD1 3.11].
type constraint struct {
	name     qname
	kind     constraintKind
	selector []xpath
	fields   [][]xpath
	refer    *constraint
	node     dom.Node
}

// xpath is one path of the subset of [XSD1 3.11.6].
type xpath struct {
	deep  bool // begins with .//
	steps []step
	attr  *step // last step of a field
}

// step is a name test on the child or attribute axis; "." is no step.
type step struct {
	any   bool // *
	space string
	local string // empty for prefix:*
}

func (s *step) matches(n dom.Node) bool {
	if s.any {
		return true
	}
	if s.local == "" {
		return n.Space() == s.space
	}
	return n.Is(s.space, s.local)
}

// same reports whether two constraints are equal, for restrictions.
func (k *constraint) same(o *constraint) bool {
	if k == o {
		return true
	}
	if k.name != o.name || k.kind != o.kind || len(k.fields) != len(o.fields) {
		return false
	}
	return collapse(child(k.node, "selector").Attr("xpath")) == collapse(child(o.node, "selector").Attr("xpath"))
}

// constraint makes an identity constraint of an element.
func (c *compiler) constraint(d *schemaDoc, n dom.Node, e *element) {
	k := &constraint{name: qname{d.target, collapse(n.Attr("name"))}, node: n}
	switch n.Local() {
	case "key":
		k.kind = keyKind
	case "keyref":
		k.kind = keyrefKind
	}
	if old := c.named[sConstraint][k.name]; old != nil && old.node != n {
		c.fail(n, "sch-props-correct.2", "identity constraint %s is declared twice", quote(k.name.local))
		return
	}
	c.named[sConstraint][k.name] = &entry{node: n, doc: d, constr: k}
	sel := child(n, "selector")
	var ok bool
	if k.selector, ok = c.xpath(sel, false); !ok {
		return
	}
	for f := range n.Elements() {
		if f.Is(Namespace, "field") {
			p, ok := c.xpath(f, true)
			if !ok {
				return
			}
			k.fields = append(k.fields, p)
		}
	}
	e.constraints = append(e.constraints, k)
	c.constraints = append(c.constraints, k)
	if k.kind != keyrefKind {
		return
	}
	c.checks = append(c.checks, func() {
		q, ok := c.qnameAt(d, n, n.Attr("refer"))
		if !ok {
			return
		}
		en := c.find(sConstraint, d, n, q)
		if en == nil {
			return
		}
		switch {
		case en.constr.kind == keyrefKind:
			c.fail(n, "src-resolve", "%s is a keyref, not a key", quote(q.local))
		case len(en.constr.fields) != len(k.fields):
			c.fail(n, "c-props-correct.2", "keyref has %d fields, the key %d", len(k.fields), len(en.constr.fields))
		default:
			k.refer = en.constr
		}
	})
}

// xpath reads the attribute of a selector or field [XSD1 3.11.6].
func (c *compiler) xpath(n dom.Node, field bool) ([]xpath, bool) {
	rule := "c-selector-xpath"
	if field {
		rule = "c-fields-xpaths"
	}
	text := n.Attr("xpath")
	bad := func(why string) ([]xpath, bool) {
		c.fail(n, rule, "%s is not allowed here: %s", quote(text), why)
		return nil, false
	}
	var out []xpath
	for _, alt := range strings.Split(text, "|") {
		var p xpath
		tokens, ok := pathTokens(alt)
		if !ok || len(tokens) == 0 {
			return bad("not a path")
		}
		if len(tokens) > 2 && tokens[0] == "." && tokens[1] == "//" {
			p.deep = true
			tokens = tokens[2:]
		}
		for i := 0; ; {
			if p.attr != nil {
				return bad("an attribute ends a path")
			}
			axis := ""
			switch {
			case i+1 < len(tokens) && tokens[i+1] == "::":
				if axis = tokens[i]; axis != "child" && axis != "attribute" {
					return bad("axis " + axis)
				}
				i += 2
			case i < len(tokens) && tokens[i] == "@":
				axis = "attribute"
				i++
			}
			if axis == "attribute" && !field {
				return bad("a selector selects elements")
			}
			if i >= len(tokens) {
				return bad("a step is missing")
			}
			if tokens[i] == "." && axis == "" {
				i++
			} else {
				s, ok := c.nameTest(n, tokens[i])
				if !ok {
					return bad("not a name")
				}
				i++
				if axis == "attribute" {
					p.attr = s
				} else {
					p.steps = append(p.steps, *s)
				}
			}
			if i == len(tokens) {
				break
			}
			if tokens[i] != "/" {
				return bad("unexpected " + tokens[i])
			}
			i++
		}
		out = append(out, p)
	}
	return out, true
}

// pathTokens splits a path; names keep their prefix.
func pathTokens(s string) (out []string, ok bool) {
	for i := 0; i < len(s); {
		switch ch := s[i]; {
		case ch == ' ' || ch == '\t' || ch == '\n' || ch == '\r':
			i++
		case strings.HasPrefix(s[i:], "//"), strings.HasPrefix(s[i:], "::"):
			out = append(out, s[i:i+2])
			i += 2
		case ch == '/' || ch == '@' || ch == '*':
			out = append(out, s[i:i+1])
			i++
		case ch == '.':
			out = append(out, ".")
			i++
		default:
			j := i
			for j < len(s) && strings.IndexByte(" \t\r\n/@*|", s[j]) < 0 && !strings.HasPrefix(s[j:], "::") {
				j++
			}
			if j < len(s) && s[j] == '*' && s[j-1] == ':' {
				j++
			}
			if j == i {
				return nil, false
			}
			out = append(out, s[i:j])
			i = j
		}
	}
	return out, true
}

func (c *compiler) nameTest(n dom.Node, s string) (*step, bool) {
	if s == "*" {
		return &step{any: true}, true
	}
	prefix, local, colon := strings.Cut(s, ":")
	if !colon {
		prefix, local = "", s
	}
	st := &step{local: local}
	if colon && local == "*" {
		st.local = ""
	} else if !isNCName(local) {
		return nil, false
	}
	if colon { // a name without prefix has no namespace, as in XPath 1.0
		space, ok := n.LookupNamespace(prefix)
		if !ok || !isNCName(prefix) {
			return nil, false
		}
		st.space = space
	}
	return st, true
}
