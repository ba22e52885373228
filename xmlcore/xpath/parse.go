package xpath

import (
	"fmt"

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
	src   string
	toks  []token
	i     int
	depth int
	env   *Static
	names *Names
	scope []local
	next  int // slots in use
	frame int // slots needed
	maxID int32
}

type local struct {
	name QName
	slot int
}

// static makes the error of what a wrong expression let panic; what was being made is nothing then.
func static[T any](src string, made **T, err *error) {
	switch r := recover().(type) {
	case nil:
	case *Error:
		r.Expr, r.kind = src, ErrStatic
		*made, *err = nil, r
	default:
		panic(r)
	}
}

// parse reads a whole expression.
func parse(src string, env *Static, names *Names) (e *expr, p *parser, err error) {
	p = &parser{src: src, env: env, names: names, maxID: -1}
	defer static(src, &e, &err)
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
