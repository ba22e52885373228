package xpath

import (
	"fmt"
	"strings"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Namespaces that every expression knows.
const (
	FunctionSpace = "http://www.w3.org/2005/xpath-functions"
	SchemaSpace   = "http://www.w3.org/2001/XMLSchema"
	mathSpace     = FunctionSpace + "/math"
	mapSpace      = FunctionSpace + "/map"
	arraySpace    = FunctionSpace + "/array"
)

var predeclared = map[string]string{
	"xml": dom.XMLNamespace, "xs": SchemaSpace, "fn": FunctionSpace, "math": mathSpace, "map": mapSpace, "array": arraySpace, "err": ErrorSpace,
}

const (
	maxExpr  = 1 << 20 // octets of an expression
	maxDepth = 400     // nested parts
)

type parser struct {
	src    string
	toks   []token
	i      int
	depth  int
	env    *Static
	names  *Names
	scope  []local
	next   int // slots in use
	frame  int // slots needed
	maxID  int32
	inline int
}

type local struct {
	name QName
	slot int
}

// parse reads a whole expression.
func parse(src string, env *Static, names *Names) (e *expr, p *parser, err error) {
	p = &parser{src: src, env: env, names: names, maxID: -1}
	defer func() {
		switch r := recover().(type) {
		case nil:
		case *Error:
			r.Expr, r.kind = src, ErrStatic
			e, err = nil, r
		default:
			panic(r)
		}
	}()
	if len(src) > maxExpr {
		p.fail(0, "XPST0003", "expression longer than %d octets", maxExpr)
	}
	toks, bad := lex(src)
	if bad != nil {
		p.fail(bad.pos, "XPST0003", "%s", bad.msg)
	}
	p.toks = toks
	e = p.expr()
	if t := p.tok(); t.kind != tokEnd {
		p.fail(t.pos, "XPST0003", "%s not expected here", p.show(t))
	}
	return e, p, nil
}

func (p *parser) fail(pos int, code, format string, args ...any) {
	end := pos + 1
	for _, t := range p.toks {
		if t.pos == pos {
			end = t.end
		}
	}
	panic(&Error{Code: QName{ErrorSpace, code, "err"}, Msg: fmt.Sprintf(format, args...), Offset: pos, End: min(end, len(p.src)), kind: ErrStatic})
}

func (p *parser) show(t token) string {
	if t.kind == tokEnd {
		return "the end is"
	}
	return "\"" + clip(p.src[t.pos:t.end]) + "\" is"
}

func (p *parser) tok() token { return p.toks[p.i] }

func (p *parser) peek(n int) token {
	if p.i+n < len(p.toks) {
		return p.toks[p.i+n]
	}
	return p.toks[len(p.toks)-1]
}

// sym reports whether the next token is this symbol.
func (p *parser) sym(s string) bool { t := &p.toks[p.i]; return t.kind == tokSymbol && t.text == s }

func (p *parser) symAt(n int, s string) bool {
	t := p.peek(n)
	return t.kind == tokSymbol && t.text == s
}

func (p *parser) takeSym(s string) bool {
	if p.sym(s) {
		p.i++
		return true
	}
	return false
}

func (p *parser) need(s string) token {
	t := p.tok()
	if !p.takeSym(s) {
		p.fail(t.pos, "XPST0003", "%s not expected here, but %q", p.show(t), s)
	}
	return t
}

// word reports whether the next token is this name without prefix.
func (p *parser) word(s string) bool { return p.wordAt(0, s) }

func (p *parser) wordAt(n int, s string) bool {
	t := p.peek(n)
	return t.kind == tokName && !t.prefixed && !t.wild && t.text == s
}

func (p *parser) takeWord(s string) bool {
	if p.word(s) {
		p.i++
		return true
	}
	return false
}

func (p *parser) needWord(s string) {
	if !p.takeWord(s) {
		p.fail(p.tok().pos, "XPST0003", "%s not expected here, but %q", p.show(p.tok()), s)
	}
}

func (p *parser) enter() {
	if p.depth++; p.depth > maxDepth {
		p.fail(p.tok().pos, "XPST0003", "parts nested deeper than %d", maxDepth)
	}
}

func (p *parser) leave() { p.depth-- }

// lastEnd is where the token before ends.
func (p *parser) lastEnd() int {
	if p.i == 0 {
		return 0
	}
	return p.toks[p.i-1].end
}

func (p *parser) make(k kind, pos int, kids ...*expr) *expr {
	return &expr{kind: k, pos: pos, end: p.lastEnd(), kids: kids}
}

// expr is Expr: one or more single expressions with commas.
func (p *parser) expr() *expr {
	pos := p.tok().pos
	e := p.single()
	if !p.sym(",") {
		return e
	}
	kids := []*expr{e}
	for p.takeSym(",") {
		kids = append(kids, p.single())
	}
	return p.make(xSequence, pos, kids...)
}

func (p *parser) single() *expr {
	p.enter()
	defer p.leave()
	if t := p.tok(); t.kind == tokName && !t.prefixed {
		switch {
		case p.symAt(1, "$"):
			switch t.text {
			case "for":
				return p.binding(xFor, "in", "return")
			case "let":
				return p.binding(xLet, ":=", "return")
			case "some":
				return p.binding(xSome, "in", "satisfies")
			case "every":
				return p.binding(xEvery, "in", "satisfies")
			}
		case t.text == "if" && p.symAt(1, "("):
			p.i += 2
			cond := p.expr()
			p.need(")")
			p.needWord("then")
			yes := p.single()
			p.needWord("else")
			return p.make(xIf, t.pos, cond, yes, p.single())
		}
	}
	return p.or()
}

// binding is for, let, some and every: each variable is seen by what follows.
func (p *parser) binding(k kind, sep, last string) *expr {
	pos := p.tok().pos
	p.i++
	mark, next := len(p.scope), p.next
	type bound struct {
		slot int
		name QName
		src  *expr
	}
	var list []bound
	for {
		p.need("$")
		name := p.varName()
		if sep == ":=" {
			p.need(sep)
		} else {
			p.needWord(sep)
		}
		src := p.single()
		b := bound{p.slot(), name, src}
		p.scope = append(p.scope, local{name, b.slot})
		list = append(list, b)
		if !p.takeSym(",") {
			break
		}
	}
	p.needWord(last)
	body := p.single()
	p.scope, p.next = p.scope[:mark], next
	for i := len(list) - 1; i >= 0; i-- {
		body = p.make(k, pos, list[i].src, body)
		body.slot, body.name = list[i].slot, list[i].name
		if i > 0 {
			body.pos = list[i].src.pos
		}
	}
	return body
}

func (p *parser) slot() int {
	s := p.next
	p.next++
	p.frame = max(p.frame, p.next)
	return s
}

func (p *parser) varName() QName {
	t := p.tok()
	if t.kind != tokName || t.wild {
		p.fail(t.pos, "XPST0003", "%s not expected here, but the name of a variable", p.show(t))
	}
	p.i++
	return p.resolve(t, "")
}

// resolve gives a name its namespace; without prefix it has the given one.
func (p *parser) resolve(t token, without string) QName {
	switch {
	case t.braced:
		if t.prefix == dom.XMLNSNamespace {
			p.fail(t.pos, "XQST0070", "no name has the namespace %s", t.prefix)
		}
		return QName{Space: t.prefix, Local: t.text}
	case !t.prefixed:
		return QName{Space: without, Local: t.text}
	}
	return QName{p.prefix(t), t.text, t.prefix}
}

func (p *parser) prefix(t token) string {
	uri, ok := p.env.prefix(t.prefix)
	if !ok {
		p.fail(t.pos, "XPST0081", "prefix %q is not declared", t.prefix)
	}
	return uri
}

// Binary operators, the weakest first.

func (p *parser) or() *expr {
	pos := p.tok().pos
	e := p.and()
	if !p.word("or") {
		return e
	}
	kids := []*expr{e}
	for p.takeWord("or") {
		kids = append(kids, p.and())
	}
	return p.make(xOr, pos, kids...)
}

func (p *parser) and() *expr {
	pos := p.tok().pos
	e := p.comparison()
	if !p.word("and") {
		return e
	}
	kids := []*expr{e}
	for p.takeWord("and") {
		kids = append(kids, p.comparison())
	}
	return p.make(xAnd, pos, kids...)
}

func (p *parser) comparison() *expr {
	pos := p.tok().pos
	a := p.concat()
	t := p.tok()
	k, cmp := xSequence, opEq
	if t.kind == tokSymbol || t.kind == tokName && !t.prefixed && !t.wild {
		for i, n := range comparisonNames {
			if t.kind == tokName && t.text == n[0] {
				k, cmp = xValue, comparison(i)
			} else if t.kind == tokSymbol && t.text == n[1] {
				k, cmp = xGeneral, comparison(i)
			}
		}
		switch {
		case t.kind == tokName && t.text == "is":
			k = xIs
		case t.kind == tokSymbol && t.text == "<<":
			k = xBefore
		case t.kind == tokSymbol && t.text == ">>":
			k = xAfter
		}
	}
	if k == xSequence {
		return a
	}
	p.i++
	b := p.concat()
	e := p.make(k, pos, a, b)
	e.cmp = cmp
	return e
}

func (p *parser) concat() *expr {
	pos := p.tok().pos
	e := p.rangeTo()
	if !p.sym("||") {
		return e
	}
	kids := []*expr{e}
	for p.takeSym("||") {
		kids = append(kids, p.rangeTo())
	}
	return p.make(xConcat, pos, kids...)
}

func (p *parser) rangeTo() *expr {
	pos := p.tok().pos
	e := p.additive()
	if p.takeWord("to") {
		return p.make(xRange, pos, e, p.additive())
	}
	return e
}

func (p *parser) additive() *expr {
	pos := p.tok().pos
	e := p.multiplicative()
	for {
		op := opAdd
		switch {
		case p.takeSym("+"):
		case p.takeSym("-"):
			op = opSub
		default:
			return e
		}
		b := p.multiplicative()
		e = p.make(xArith, pos, e, b)
		e.arith = op
	}
}

func (p *parser) multiplicative() *expr {
	pos := p.tok().pos
	e := p.union()
	for {
		op := opMul
		switch {
		case p.takeSym("*"):
		case p.takeWord("div"):
			op = opDiv
		case p.takeWord("idiv"):
			op = opIDiv
		case p.takeWord("mod"):
			op = opMod
		default:
			return e
		}
		b := p.union()
		e = p.make(xArith, pos, e, b)
		e.arith = op
	}
}

func (p *parser) union() *expr {
	pos := p.tok().pos
	e := p.intersect()
	if !p.sym("|") && !p.word("union") {
		return e
	}
	kids := []*expr{e}
	for p.takeSym("|") || p.takeWord("union") {
		kids = append(kids, p.intersect())
	}
	return p.make(xUnion, pos, kids...)
}

func (p *parser) intersect() *expr {
	pos := p.tok().pos
	e := p.instance()
	for {
		k := xIntersect
		switch {
		case p.takeWord("intersect"):
		case p.takeWord("except"):
			k = xExcept
		default:
			return e
		}
		b := p.instance()
		e = p.make(k, pos, e, b)
	}
}

func (p *parser) instance() *expr {
	pos := p.tok().pos
	e := p.treat()
	if p.word("instance") && p.wordAt(1, "of") {
		p.i += 2
		st := p.sequenceType()
		e = p.make(xInstance, pos, e)
		e.st = st
	}
	return e
}

func (p *parser) treat() *expr {
	pos := p.tok().pos
	e := p.castable()
	if p.word("treat") && p.wordAt(1, "as") {
		p.i += 2
		st := p.sequenceType()
		e = p.make(xTreat, pos, e)
		e.st = st
	}
	return e
}

func (p *parser) castable() *expr {
	pos := p.tok().pos
	e := p.cast()
	if p.word("castable") && p.wordAt(1, "as") {
		p.i += 2
		e = p.castTo(xCastable, pos, e)
	}
	return e
}

func (p *parser) cast() *expr {
	pos := p.tok().pos
	e := p.arrow()
	if p.word("cast") && p.wordAt(1, "as") {
		p.i += 2
		e = p.castTo(xCast, pos, e)
	}
	return e
}

func (p *parser) castTo(k kind, pos int, e *expr) *expr {
	t := p.tok()
	typ := p.atomicType()
	if typ == TypeAtomic || typ == XSNOTATION {
		p.fail(t.pos, "XPST0080", "nothing can be cast to %s", typ)
	}
	optional := p.takeSym("?")
	e = p.make(k, pos, e)
	e.typ, e.optional = typ, optional
	return e
}

func (p *parser) arrow() *expr {
	pos := p.tok().pos
	e := p.unary()
	for p.sym("=>") {
		p.i++
		t := p.tok()
		switch {
		case t.kind == tokName && !t.wild:
			p.i++
			p.need("(")
			e = p.call(t, pos, e)
		case p.takeSym("$"):
			f := p.variable(t.pos, p.varName())
			p.need("(")
			e = p.dynamicCall(pos, f, p.args(e))
		case p.sym("("):
			f := p.parenthesized()
			p.need("(")
			e = p.dynamicCall(pos, f, p.args(e))
		default:
			p.fail(t.pos, "XPST0003", "%s not expected here, but a function", p.show(t))
		}
	}
	return e
}

func (p *parser) unary() *expr {
	pos := p.tok().pos
	var ops []kind
	for p.sym("-") || p.sym("+") {
		if p.sym("-") {
			ops = append(ops, xNegate)
		} else {
			ops = append(ops, xPlus)
		}
		p.i++
		if len(ops) > maxDepth {
			p.fail(pos, "XPST0003", "too many signs")
		}
	}
	e := p.bang()
	for i := len(ops) - 1; i >= 0; i-- {
		e = p.make(ops[i], pos, e)
	}
	return e
}

func (p *parser) bang() *expr {
	pos := p.tok().pos
	e := p.path()
	for p.takeSym("!") {
		b := p.path()
		e = p.make(xBang, pos, e, b)
	}
	return e
}

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

func (p *parser) inlineFollows() bool { return p.word("function") && p.symAt(1, "(") }

func (p *parser) constructorFollows() bool {
	return (p.word("map") || p.word("array")) && p.symAt(1, "{")
}

var kindTests = map[string]bool{
	"node": true, "text": true, "comment": true, "processing-instruction": true, "element": true, "attribute": true,
	"document-node": true, "schema-element": true, "schema-attribute": true, "namespace-node": true,
}

// reserved are the names that no function may have without prefix [XPath31 A.3].
var reserved = map[string]bool{
	"attribute": true, "comment": true, "document-node": true, "element": true, "empty-sequence": true, "if": true,
	"item": true, "node": true, "processing-instruction": true, "schema-attribute": true, "schema-element": true,
	"text": true, "typeswitch": true, "switch": true, "namespace-node": true, "function": true, "map": true, "array": true,
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
			e.slot, e.global, e.st = i, true, v.Type
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

// atomicType reads the name of an atomic type.
func (p *parser) atomicType() Type {
	t := p.tok()
	if t.kind != tokName || t.wild {
		p.fail(t.pos, "XPST0003", "%s not expected here, but the name of a type", p.show(t))
	}
	p.i++
	q := p.resolve(t, p.env.DefaultElementNamespace)
	typ, ok := atomicTypes[q.Local]
	if q.Space != SchemaSpace || !ok {
		p.fail(t.pos, "XPST0051", "there is no atomic type %s", q)
	}
	return typ
}

// sequenceType is SequenceType [XPath20 2.5.3].
func (p *parser) sequenceType() *SequenceType {
	p.enter()
	defer p.leave()
	pos := p.tok().pos
	st := &SequenceType{}
	p.typeInto(st)
	st.text = p.src[pos:p.lastEnd()]
	return st
}

func (p *parser) typeInto(st *SequenceType) {
	if p.word("empty-sequence") && p.symAt(1, "(") {
		p.i += 2
		p.need(")")
		st.empty = true
		return
	}
	p.itemType(st)
	for _, o := range []string{"?", "*", "+"} {
		if p.takeSym(o) {
			st.occurs = o[0]
			break
		}
	}
}

func (p *parser) itemType(st *SequenceType) {
	t := p.tok()
	if p.sym("(") {
		p.enter()
		p.i++
		p.itemType(st)
		p.need(")")
		p.leave()
		return
	}
	if t.kind == tokName && !t.prefixed && p.symAt(1, "(") {
		switch {
		case t.text == "item":
			p.i += 2
			p.need(")")
			st.typ = TypeItem
			return
		case kindTests[t.text]:
			st.typ, st.test = TypeNode, p.kindTest()
			return
		case t.text == "function" || t.text == "map" || t.text == "array":
			p.i += 2
			st.typ = map[string]Type{"function": TypeFunction, "map": TypeMap, "array": TypeArray}[t.text]
			if p.takeSym("*") {
				p.need(")")
				return
			}
			st.typed = true
			for !p.takeSym(")") {
				if len(st.params) > 0 {
					p.need(",")
				}
				st.params = append(st.params, p.sequenceType())
			}
			if st.typ == TypeFunction {
				p.needWord("as")
				st.result = p.sequenceType()
			} else if want := map[Type]int{TypeMap: 2, TypeArray: 1}[st.typ]; len(st.params) != want {
				p.fail(t.pos, "XPST0003", "%s takes %d types", t.text, want)
			}
			return
		}
	}
	if p.symAt(1, "(") {
		p.fail(t.pos, "XPST0003", "%s no kind of item", p.show(t))
	}
	st.typ = p.atomicType()
}
