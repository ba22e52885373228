package xpath

import (
	"fmt"
)

func (p *parser) inlineFollows() bool { return p.word("function") && p.symAt(1, "(") }

func (p *parser) constructorFollows() bool {
	return (p.word("map") || p.word("array")) && p.symAt(1, "{")
}

// reserved are the names that no function may have without prefix [XPath31 A.3].
var reserved = map[string]bool{
	"attribute": true, "comment": true, "document-node": true, "element": true, "empty-sequence": true, "if": true,
	"item": true, "node": true, "processing-instruction": true, "schema-attribute": true, "schema-element": true,
	"text": true, "typeswitch": true, "switch": true, "namespace-node": true, "function": true, "map": true, "array": true,
}

func (p *parser) postfix() *expr {
	pos := p.tok().pos
	e := p.primary()
	for n := 0; ; n++ {
		if n > maxDepth {
			p.fail(pos, "XPST0003", "too many postfix parts")
		}
		switch {
		case p.sym("["):
			e = p.predicates(e)
		case p.sym("("):
			p.i++
			e = p.dynamicCall(pos, e, p.args(nil))
		case p.sym("?"):
			p.i++
			key := p.lookupKey()
			e = p.make(xLookup, pos, e, key)
		default:
			return e
		}
	}
}

func (p *parser) lookupKey() *expr {
	t := p.tok()
	switch {
	case t.kind == tokName && !t.prefixed && !t.wild:
		p.i++
		e := p.make(xLiteral, t.pos)
		e.val = StringItem(t.text)
		return e
	case t.kind == tokInteger:
		return p.primary()
	case p.takeSym("*"):
		return p.make(xKeyAll, t.pos)
	case p.sym("("):
		return p.parenthesized()
	}
	p.fail(t.pos, "XPST0003", "%s not expected here, but a key", p.show(t))
	return nil
}

func (p *parser) parenthesized() *expr {
	pos := p.need("(").pos
	if p.takeSym(")") {
		return p.make(xSequence, pos)
	}
	e := p.expr()
	p.need(")")
	return e
}

func (p *parser) primary() *expr {
	t := p.tok()
	switch t.kind {
	case tokString, tokInteger, tokDecimal, tokDouble:
		p.i++
		e := p.make(xLiteral, t.pos)
		e.val = p.literal(t)
		return e
	case tokSymbol:
		switch t.text {
		case "$":
			p.i++
			return p.variable(t.pos, p.varName())
		case "(":
			e := p.parenthesized()
			if e.kind == xStep || e.kind == xPath { // so that a predicate counts over the whole
				e = &expr{kind: xSequence, pos: t.pos, end: p.lastEnd(), kids: []*expr{e}}
			}
			return e
		case ".":
			p.i++
			return p.make(xContext, t.pos)
		case "?":
			p.i++
			key := p.lookupKey()
			return p.make(xLookup, t.pos, p.make(xContext, t.pos), key)
		case "[":
			return p.arrayMake()
		}
	case tokName:
		switch {
		case t.wild:
		case p.symAt(1, "#") && p.peek(2).kind == tokInteger:
			return p.functionRef()
		case p.inlineFollows():
			return p.inlineFunction()
		case p.constructorFollows():
			if t.text == "map" {
				return p.mapMake()
			}
			return p.arrayMake()
		case p.symAt(1, "("):
			p.i += 2
			return p.call(t, t.pos, nil)
		}
	}
	p.fail(t.pos, "XPST0003", "%s not expected here", p.show(t))
	return nil
}

func (p *parser) literal(t token) Item {
	switch t.kind {
	case tokString:
		return StringItem(t.text)
	case tokInteger:
		if v, ok := parseInteger(t.text); ok {
			return v
		}
	case tokDecimal:
		if v, ok := parseDecimal(t.text); ok {
			return v
		}
	default:
		if f, ok := parseDouble(t.text, 64); ok {
			return DoubleItem(f)
		}
	}
	p.fail(t.pos, "XPST0003", "%q is no number", t.text)
	return Item{}
}

func (p *parser) variable(pos int, name QName) *expr {
	e := p.make(xVar, pos)
	e.name = name
	for i := len(p.scope) - 1; i >= 0; i-- {
		if p.scope[i].name.same(name) {
			e.slot = p.scope[i].slot
			return e
		}
	}
	for i := len(p.env.Variables) - 1; i >= 0; i-- {
		if v := p.env.Variables[i]; v.Name.same(name) {
			e.slot, e.global, e.st, e.known = i, true, v.Type, v.Value
			return e
		}
	}
	p.fail(pos, "XPST0008", "variable $%s is not declared", name)
	return nil
}

// args reads the arguments of a call up to its parenthesis; first is what an arrow puts before them.
func (p *parser) args(first *expr) []*expr {
	var args []*expr
	if first != nil {
		args = append(args, first)
	}
	if p.takeSym(")") {
		return args
	}
	for {
		if p.sym("?") && (p.symAt(1, ",") || p.symAt(1, ")")) {
			args = append(args, p.make(xPlaceholder, p.tok().pos))
			p.i++
		} else {
			args = append(args, p.single())
		}
		if !p.takeSym(",") {
			break
		}
	}
	p.need(")")
	return args
}

// call finds the function that a call names.
func (p *parser) call(t token, pos int, first *expr) *expr {
	if !t.prefixed && reserved[t.text] {
		p.fail(t.pos, "XPST0003", "no function can be called %q", t.text)
	}
	name := p.resolve(t, p.env.functionSpace())
	args := p.args(first)
	e := p.make(xCall, pos, args...)
	e.name = name
	p.find(e, t.pos, len(args))
	for i, a := range args {
		if a.kind == xPlaceholder {
			return p.partial(e, i)
		}
	}
	return e
}

// find sets the function of a call or reference, or reports that there is none.
func (p *parser) find(e *expr, pos, arity int) {
	for _, f := range p.env.Functions {
		if f.Name.same(e.name) && len(f.Params) == arity {
			e.user = f
			return
		}
	}
	b := lookupBuiltin(e.name, p.env.XSLT)
	switch {
	case b == nil:
		p.fail(pos, "XPST0017", "there is no function %s", e.name)
	case arity < b.min || arity > b.max:
		p.fail(pos, "XPST0017", "%s does not take %d arguments", e.name, arity)
	}
	e.fn = b
}

func (p *parser) dynamicCall(pos int, f *expr, args []*expr) *expr {
	e := p.make(xDynamicCall, pos, append([]*expr{f}, args...)...)
	for i, a := range args {
		if a.kind == xPlaceholder {
			return p.partial(e, i)
		}
	}
	return e
}

// partial turns a call with placeholders into an inline function over them; given arguments are evaluated first.
func (p *parser) partial(call *expr, _ int) *expr {
	fn := &expr{kind: xInline, pos: call.pos, end: call.end}
	type held struct {
		slot int
		arg  *expr
	}
	var lets []held
	mark := p.next
	for i, a := range call.kids {
		v := &expr{kind: xVar, pos: a.pos, end: a.end, slot: p.slot()}
		if a.kind == xPlaceholder {
			fn.params = append(fn.params, param{slot: v.slot})
		} else {
			lets = append(lets, held{v.slot, a})
		}
		call.kids[i] = v
	}
	p.next = mark
	fn.kids = []*expr{call}
	e := fn
	for i := len(lets) - 1; i >= 0; i-- {
		e = &expr{kind: xLet, pos: call.pos, end: call.end, slot: lets[i].slot, kids: []*expr{lets[i].arg, e}}
	}
	return e
}

func (p *parser) functionRef() *expr {
	t := p.tok()
	if !t.prefixed && reserved[t.text] {
		p.fail(t.pos, "XPST0003", "no function can be called %q", t.text)
	}
	arity := 0
	fmt.Sscan(p.peek(2).text, &arity)
	p.i += 3
	e := p.make(xFunctionRef, t.pos)
	e.name, e.slot = p.resolve(t, p.env.functionSpace()), arity
	p.find(e, t.pos, arity)
	return e
}

func (p *parser) inlineFunction() *expr {
	pos := p.tok().pos
	p.i += 2
	e := &expr{kind: xInline, pos: pos}
	mark, next := len(p.scope), p.next
	for !p.takeSym(")") {
		if len(e.params) > 0 {
			p.need(",")
		}
		at := p.need("$").pos
		q := param{name: p.varName(), slot: p.slot()}
		for _, o := range e.params {
			if o.name.same(q.name) {
				p.fail(at, "XQST0039", "parameter $%s stands twice", q.name)
			}
		}
		if p.takeWord("as") {
			q.st = p.sequenceType()
		}
		e.params = append(e.params, q)
	}
	if p.takeWord("as") {
		e.st = p.sequenceType()
	}
	for _, q := range e.params {
		p.scope = append(p.scope, local{q.name, q.slot})
	}
	p.need("{")
	body := &expr{kind: xSequence, pos: p.tok().pos}
	if !p.sym("}") {
		body = p.expr()
	}
	p.need("}")
	p.scope, p.next = p.scope[:mark], next
	e.kids, e.end = []*expr{body}, p.lastEnd()
	return e
}

func (p *parser) mapMake() *expr {
	pos := p.tok().pos
	p.i += 2
	var kids []*expr
	for !p.takeSym("}") {
		if len(kids) > 0 {
			p.need(",")
		}
		kids = append(kids, p.single())
		p.need(":")
		kids = append(kids, p.single())
	}
	return p.make(xMapMake, pos, kids...)
}

func (p *parser) arrayMake() *expr {
	pos := p.tok().pos
	if p.takeSym("[") {
		var kids []*expr
		for !p.takeSym("]") {
			if len(kids) > 0 {
				p.need(",")
			}
			kids = append(kids, p.single())
		}
		return p.make(xArrayMake, pos, kids...)
	}
	p.i += 2
	body := &expr{kind: xSequence, pos: p.tok().pos}
	if !p.sym("}") {
		body = p.expr()
	}
	p.need("}")
	return p.make(xArrayCurly, pos, body)
}
