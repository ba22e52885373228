package xpath

import (
	"strings"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// path is PathExpr: // stands for /descendant-or-self::node()/.
func (p *parser) path() *expr {
	p.enter()
	defer p.leave()
	pos := p.tok().pos
	var kids []*expr
	switch {
	case p.takeSym("/"):
		kids = append(kids, p.make(xRoot, pos))
		if !p.stepFollows() {
			if t := p.tok(); t.kind == tokName && !t.wild || p.sym("*") {
				p.fail(t.pos, "XPST0003", "%s not expected after a single /", p.show(t))
			}
			return kids[0]
		}
	case p.sym("//"):
		kids = append(kids, p.make(xRoot, pos))
		kids[0].end = pos + 1
		p.i++
		kids = append(kids, p.anywhere(pos))
	}
	kids = append(kids, p.step())
	for {
		at := p.tok().pos
		switch {
		case p.takeSym("/"):
		case p.takeSym("//"):
			kids = append(kids, p.anywhere(at))
		default:
			if len(kids) == 1 {
				return kids[0]
			}
			return p.make(xPath, pos, kids...)
		}
		kids = append(kids, p.step())
	}
}

func (p *parser) anywhere(pos int) *expr {
	return &expr{kind: xStep, pos: pos, end: pos + 2, axis: axisDescendantOrSelf}
}

// stepFollows tells a lone / from the beginning of a path.
func (p *parser) stepFollows() bool {
	switch t := p.tok(); t.kind {
	case tokEnd:
		return false
	case tokSymbol:
		return strings.Contains(" . .. @ * ( $ ? [ ", " "+t.text+" ")
	}
	return true
}

func (p *parser) step() *expr {
	t := p.tok()
	switch {
	case p.sym("@"):
		p.i++
		return p.predicates(p.nodeTest(axisAttribute, t.pos))
	case p.sym(".."):
		p.i++
		e := p.make(xStep, t.pos)
		e.axis = axisParent
		return p.predicates(e)
	case p.sym("*"):
		return p.predicates(p.nodeTest(axisChild, t.pos))
	case t.kind == tokName:
		if !t.prefixed && p.symAt(1, "::") {
			a, ok := axes[t.text]
			if !ok {
				p.fail(t.pos, "XPST0003", "there is no axis %q", t.text)
			}
			p.i += 2
			return p.predicates(p.nodeTest(a, t.pos))
		}
		if t.wild {
			return p.predicates(p.nodeTest(axisChild, t.pos))
		}
		if p.symAt(1, "(") {
			if !t.prefixed && kindTests[t.text] {
				a := axisChild
				if t.text == "attribute" || t.text == "schema-attribute" {
					a = axisAttribute
				}
				if t.text == "namespace-node" {
					a = axisNamespace
				}
				return p.predicates(p.nodeTest(a, t.pos))
			}
			if !(t.text == "function" && !t.prefixed) {
				break
			}
		}
		if p.symAt(1, "#") && p.peek(2).kind == tokInteger || p.inlineFollows() || p.constructorFollows() {
			break
		}
		return p.predicates(p.nodeTest(axisChild, t.pos))
	}
	return p.postfix()
}

var kindTests = map[string]bool{
	"node": true, "text": true, "comment": true, "processing-instruction": true, "element": true, "attribute": true,
	"document-node": true, "schema-element": true, "schema-attribute": true, "namespace-node": true,
}

func (p *parser) nodeTest(a axis, pos int) *expr {
	e := &expr{kind: xStep, pos: pos, axis: a}
	t := p.tok()
	if t.kind == tokName && !t.prefixed && kindTests[t.text] && p.symAt(1, "(") {
		e.test = p.kindTest()
	} else {
		e.test = p.nameTest(a)
	}
	e.end = p.lastEnd()
	return e
}

func (p *parser) nameTest(a axis) nodeTest {
	t := p.tok()
	n := nodeTest{kind: dom.ElementNode}
	switch a {
	case axisAttribute:
		n.kind = dom.AttributeNode
	case axisNamespace:
		n.kind, n.ns = dom.NoNode, true
	}
	if p.takeSym("*") {
		return n
	}
	if t.kind != tokName {
		p.fail(t.pos, "XPST0003", "%s not expected here, but a step", p.show(t))
	}
	p.i++
	n.named = true
	switch {
	case t.wild && t.prefix == "*" && !t.braced:
		n.anyNS, n.name.Local = true, t.text
	case t.wild:
		n.anyLN, n.name.Space = true, t.prefix
		if !t.braced {
			n.name.Space = p.prefix(t)
		}
	default:
		without := ""
		if n.kind == dom.ElementNode {
			without = p.env.DefaultElementNamespace
		}
		n.name = p.resolve(t, without)
		n.id = p.intern(n.name)
	}
	return n
}

func (p *parser) intern(q QName) int32 {
	id := p.names.id(q.Space, q.Local)
	p.maxID = max(p.maxID, id)
	return id
}

// kindTest is KindTest [XPath20 3.2.1.2].
func (p *parser) kindTest() nodeTest {
	t := p.tok()
	p.i += 2
	var n nodeTest
	switch t.text {
	case "text":
		n.kind = dom.TextNode
	case "comment":
		n.kind = dom.CommentNode
	case "namespace-node":
		n.ns = true
	case "processing-instruction":
		n.kind = dom.PINode
		if a := p.tok(); a.kind == tokName && !a.prefixed && !a.wild {
			n.named, n.name.Local = true, a.text
			p.i++
		} else if a.kind == tokString {
			n.named, n.name.Local = true, collapse(a.text)
			if !isNCName(n.name.Local) {
				p.fail(a.pos, "XPTY0004", "%q is no target of a processing instruction", a.text)
			}
			p.i++
		}
	case "document-node":
		n.kind = dom.DocumentNode
		if p.word("element") || p.word("schema-element") {
			in := p.kindTest()
			n.inner = &in
		}
	case "element", "attribute":
		n.kind = dom.ElementNode
		without := p.env.DefaultElementNamespace
		if t.text == "attribute" {
			n.kind, without = dom.AttributeNode, ""
		}
		if p.sym(")") {
			break
		}
		if !p.takeSym("*") {
			a := p.tok()
			if a.kind != tokName || a.wild {
				p.fail(a.pos, "XPST0003", "%s not expected here, but a name", p.show(a))
			}
			p.i++
			n.named, n.name = true, p.resolve(a, without)
			n.id = p.intern(n.name)
		}
		if p.takeSym(",") {
			a := p.tok()
			if a.kind != tokName || a.wild {
				p.fail(a.pos, "XPST0003", "%s not expected here, but the name of a type", p.show(a))
			}
			p.i++
			n.typed, n.typ = true, p.resolve(a, p.env.DefaultElementNamespace)
			if _, known := atomicTypes[n.typ.Local]; n.typ.Space != SchemaSpace || !known && !otherTypes[n.typ.Local] {
				p.fail(a.pos, "XPST0008", "there is no type %s", n.typ)
			}
			if n.kind == dom.ElementNode {
				p.takeSym("?")
			}
		}
	case "schema-element", "schema-attribute":
		a := p.tok()
		if a.kind != tokName || a.wild {
			p.fail(a.pos, "XPST0003", "%s not expected here, but a name", p.show(a))
		}
		p.resolve(a, "")
		p.fail(t.pos, "XPST0008", "no schema is imported, so %s knows no declaration", t.text)
	}
	p.need(")")
	return n
}

// otherTypes are types of XML Schema that no atomic value has.
var otherTypes = map[string]bool{
	"anyType": true, "anySimpleType": true, "untyped": true, "NMTOKENS": true, "IDREFS": true, "ENTITIES": true,
}

func (p *parser) predicates(e *expr) *expr {
	var preds []*expr
	for p.takeSym("[") {
		preds = append(preds, p.expr())
		p.need("]")
	}
	if len(preds) == 0 {
		return e
	}
	if e.kind == xStep {
		e.kids, e.end = preds, p.lastEnd()
		return e
	}
	return p.make(xFilter, e.pos, append([]*expr{e}, preds...)...)
}
