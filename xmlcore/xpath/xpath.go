// Package xpath compiles and runs XPath 2.0 [XPath20] with Functions and Operators [FO], and what XPath 3.1 [XPath31]
// adds to them, over documents of package dom. There is no schema: elements and attributes are untyped.
//
// [Compile] reads an expression once, in a [Static] context that names its namespaces, variables and functions, and
// reports every static error with its place and code. An [Expr] never changes after that, so any number of goroutines
// may run it, each with its own [Context]. A Context learns about the documents it meets; use one Context for all the
// expressions that are run over a document.
//
//	static := &xpath.Static{Namespaces: map[string]string{"cbc": "urn:..."}, Names: xpath.NewNames()}
//	test, err := xpath.Compile("cbc:ID and not(cbc:Note)", static) // err holds the code and the place
//	ctx := &xpath.Context{}                                        // one a document
//	ctx.Item = xpath.NodeItem(node)                                // one a node
//	ok, err := test.EBV(ctx)
//
// # For rule engines
//
// Compile all expressions of a rule set with one Static, so that they share one pool of names. [CompilePattern] makes
// matchers of match patterns; [Pattern.Branches] gives the name that the last step asks for, as a number that
// [Context.NameID] gives for a node, so that rules can be found by name. Variables come from [Context.Variables],
// which may compute them when they are first asked for. Functions of the user are given in Static; their bodies run
// other expressions in [Context.Nested] contexts, which share the limits of the run.
//
// Most of the work need not be done. [Context.Outline] is the tree of the names of a document; [Pattern.Outlined] says for
// all nodes of the same names at once whether a pattern may match them, and [Expr.Needs] without which nodes an expression
// has the value that is of no interest. [Context.Reset] keeps the memory of a run for the next document.
//
// # Bounds
//
// A run counts its work: nodes looked at, items made, octets of strings built. [Limits] bounds it, [Context.Cancel] is
// asked now and then, and regular expressions cost linear time or count steps. Nothing is fetched: documents come from
// [Context.Resolve] alone.
package xpath

import (
	"time"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Static is what an expression may rely on when it is compiled [XPath20 2.1.1]. Compiled expressions keep a copy that
// shares its maps: these must not change any more, while variables and functions may be added for the next expression.
type Static struct {
	// Namespaces maps prefixes to namespaces. xml, xs, fn, math, map, array and err need no entry.
	Namespaces map[string]string
	// DefaultElementNamespace holds the names of elements and types without prefix.
	DefaultElementNamespace string
	// DefaultFunctionNamespace holds the names of functions without prefix; "" stands for that of fn.
	DefaultFunctionNamespace string
	// Variables are the variables that Context.Variables gives a value. The later one hides the earlier of its name.
	Variables []Variable
	// Functions are called like built-in ones, which they hide.
	Functions []*Function
	// BaseURI makes relative URIs absolute; "" leaves it undefined.
	BaseURI string
	// Collation compares strings unless a call names another; "" is the code point collation.
	Collation string
	// DecimalFormats are the formats that format-number may name; that of the empty name is the default.
	DecimalFormats map[QName]DecimalFormat
	// XSLT admits the functions that XSLT adds: current, document, system-property and the like [XSLT20 16].
	XSLT bool
	// Names is shared by the expressions that run over the same documents. Without it each expression has its own.
	Names *Names
}

// Variable declares a variable.
type Variable struct {
	Name QName
	Type *SequenceType // nil: anything. It is not checked; the one who sets the value answers for it.
	// Value is what the variable has in every run, when that is known beforehand: atomic values. nil: Context.Variables tells.
	Value Sequence
}

// Function is a function of the user.
type Function struct {
	Name   QName
	Params []*SequenceType // nil entries take anything; others convert the arguments [XPath20 3.1.5]
	Result *SequenceType   // nil: anything
	// Call computes the value. The Context is that of the running expression, for Nested; Item is not the focus. The
	// arguments are there until Call returns; its value is copied before anything else runs.
	Call func(ctx *Context, args []Sequence) (Sequence, error)
}

// snapshot is what an expression keeps, so that the caller may declare more for the next one. Maps are shared and must
// not change.
func (s *Static) snapshot() *Static {
	if s == nil {
		return &Static{}
	}
	c := *s
	return &c
}

func (s *Static) prefix(p string) (string, bool) {
	if uri, ok := s.Namespaces[p]; ok {
		return uri, true
	}
	uri, ok := predeclared[p]
	return uri, ok
}

func (s *Static) functionSpace() string {
	if s.DefaultFunctionNamespace != "" {
		return s.DefaultFunctionNamespace
	}
	return FunctionSpace
}

// Limits bounds a run. Zero fields take the defaults.
type Limits struct {
	Work  int64 // nodes looked at, items made and octets of strings built, in one Context; default 1e9
	Items int   // items alive at once; default 1e7
	Depth int   // calls of functions within one another; default 1000
	Octet int64 // octets of strings built in one Context; default 256 MiB
}

// Variables gives the values of the variables of [Static.Variables], by their index.
type Variables interface {
	Variable(ctx *Context, i int) (Sequence, error)
}

// Values are variables that all have their value already.
type Values []Sequence

// Variable returns the value with this index; a missing one is empty.
func (v Values) Variable(_ *Context, i int) (Sequence, error) {
	if i < len(v) {
		return v[i], nil
	}
	return nil, nil
}

// Context is what an expression meets when it runs [XPath20 2.1.2]. Item, Position, Size and Variables may change
// between runs; the clock stands still from its first use on. It serves one goroutine at a time, and is meant for one
// document with those it refers to: it holds what it has learned about them.
type Context struct {
	Item           Item // the context item; the zero Item is none
	Position, Size int  // 0 stands for 1
	Variables      Variables
	Now            time.Time // current-dateTime() and, by its location, the implicit time zone; zero: 1970 in UTC
	Limits         Limits
	// Resolve gives the document for an absolute URI; nil refuses all. It is asked once for each URI.
	Resolve func(uri string) (*dom.Document, error)
	// ResolveText gives the text for an absolute URI, with what it was encoded in undone; nil refuses all. It is asked
	// once for each URI.
	ResolveText func(uri string) (string, error)
	// URI tells where a document came from; nil knows none.
	URI func(*dom.Document) string
	// Cancel is asked now and then; an error ends the run with ErrCancelled.
	Cancel func() error

	m *machine
}

// Nested returns a context with the same documents, clock and limits for an expression that runs inside another, as the
// body of a function does.
func (c *Context) Nested(item Item, vars Variables) *Context {
	n := &Context{}
	c.NestIn(n, item, vars)
	return n
}

// NestIn is Nested in the memory of a context that is used no more.
func (c *Context) NestIn(n *Context, item Item, vars Variables) {
	c.machine()
	*n = *c
	n.Item, n.Position, n.Size, n.Variables = item, 0, 0, vars
}

// Current returns the context item that the running expression began with, which is current() of XSLT.
func (c *Context) Current() Item { return c.machine().outer }

// Work returns how much work the runs in this context have done.
func (c *Context) Work() int64 { return c.machine().spent() }

// Expr is a compiled expression.
type Expr struct {
	src   string
	env   *Static
	code  *code
	ast   *expr
	frame int
	maxID int32
	names *Names
	coll  collation
	trace lazyTrace
}

// Compile compiles an expression. Every error is an [*Error] that is [ErrStatic].
func Compile(src string, env *Static) (*Expr, error) {
	env = env.snapshot()
	names := env.Names
	if names == nil {
		names = NewNames()
	}
	ast, p, err := parse(src, env, names)
	if err != nil {
		return nil, err
	}
	return assemble(ast, p, src, env, names)
}

func assemble(ast *expr, p *parser, src string, env *Static, names *Names) (e *Expr, err error) {
	e = &Expr{src: src, env: env, ast: ast, frame: p.frame, maxID: p.maxID, names: names}
	defer static(src, &e, &err)
	if e.coll, err = findCollation(env.Collation); err != nil {
		return nil, err
	}
	c := &compiler{env: env, x: e}
	e.code = c.compile(ast)
	return e, nil
}

// Constant returns the value of an expression that depends on nothing, as far as it could be computed at once.
func (e *Expr) Constant() (v Sequence, ok bool) { return e.code.val, e.code.konst }

// String returns the expression as it was written.
func (e *Expr) String() string { return e.src }

// Evaluate returns the value of the expression. Errors are [*Error] values.
func (e *Expr) Evaluate(ctx *Context) (Sequence, error) { return e.Append(ctx, nil) }

// Append appends the value of the expression to dst.
func (e *Expr) Append(ctx *Context, dst Sequence) (v Sequence, err error) {
	m := ctx.machine()
	nested := m.begin(e, ctx)
	base := len(m.stack)
	defer func() {
		if r := recover(); r != nil {
			v, err = nil, m.failed(e, ctx, nested, r)
		}
	}()
	e.code.push(m)
	v = append(dst, m.stack[base:]...)
	m.end(nested)
	return v, nil
}

// EBV returns the effective boolean value of the expression [XPath20 2.4.3].
func (e *Expr) EBV(ctx *Context) (v bool, err error) {
	m := ctx.machine()
	nested := m.begin(e, ctx)
	defer func() {
		if r := recover(); r != nil {
			v, err = false, m.failed(e, ctx, nested, r)
		}
	}()
	v = e.code.ebv(m)
	m.end(nested)
	return v, nil
}

// Text returns the values of the items with a blank between, as xsl:value-of does.
func (e *Expr) Text(ctx *Context) (string, error) {
	v, err := e.Evaluate(ctx)
	if err != nil {
		return "", err
	}
	return v.Text(), nil
}

// Text joins the string values of the items with blanks.
func (s Sequence) Text() string {
	switch len(s) {
	case 0:
		return ""
	case 1:
		return s[0].String()
	}
	var b []byte
	for i, it := range s {
		if i > 0 {
			b = append(b, ' ')
		}
		b = append(b, it.String()...)
	}
	return string(b)
}

// Nodes appends the nodes that the expression selects to dst; an item that is none is an error.
func (e *Expr) Nodes(ctx *Context, dst []dom.Node) (nodes []dom.Node, err error) {
	m := ctx.machine()
	nested := m.begin(e, ctx)
	base := len(m.stack)
	defer func() {
		if r := recover(); r != nil {
			nodes, err = dst, m.failed(e, ctx, nested, r)
		}
	}()
	e.code.push(m)
	nodes = dst
	for _, it := range m.stack[base:] {
		if !it.IsNode() {
			fail("XPTY0004", "%s is no node", it.typ)
		}
		nodes = append(nodes, it.Node())
	}
	m.end(nested)
	return nodes, nil
}
