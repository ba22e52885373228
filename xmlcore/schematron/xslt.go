package schematron

import (
	"strings"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
	"github.com/viadukt-eu/viadukt/xmlcore/xpath"
)

// program is a sequence constructor of XSLT [XSLT20 5.7], as far as functions and variables in published rules use it.
type program []instruction

type operation uint8

const (
	opSequence operation = iota // the value of expr
	opValue                     // a text node with the items of expr, or of body
	opVariable                  // slot gets the value of expr, or of body
	opChoose                    // the first of when that holds decides
	opEach                      // body for each item of expr
	opText                      // text
	opDocument                  // a tree that stands in the schema
)

type instruction struct {
	op        operation
	expr      *xpath.Expr
	as        *xpath.SequenceType
	when      []*xpath.Expr // a nil expression always holds
	then      []program
	body      program
	text      string // opText: the text; opValue: the separator
	separated bool
	slot      int // of the frame
	tree      bool
	doc       *dom.Document
}

// functionBody is a declared function whose body is compiled later.
type functionSource struct {
	at   place
	f    *xpath.Function
	body *function
}

// function is a user's function at work.
type function struct {
	params int
	slots  int
	body   program
}

// frame holds the parameters and variables of one call. Variables below first belong to the schema.
type frame struct {
	run   *run
	first int
	vals  []xpath.Sequence
}

func (f *frame) Variable(ctx *xpath.Context, i int) (xpath.Sequence, error) {
	if i < f.first {
		return f.run.Variable(ctx, i)
	}
	return f.vals[i-f.first], nil
}

// runOf finds the run that an expression belongs to.
func runOf(ctx *xpath.Context) *run {
	switch v := ctx.Variables.(type) {
	case *run:
		return v
	case *frame:
		return v.run
	}
	return nil
}

// fileEnv is the static context at an element of XSLT, where the prefixes of the file count.
func (c *compiler) fileEnv(at place) *xpath.Static {
	env := c.environment(at)
	ns := make(map[string]string, len(env.Namespaces)+8)
	ns["xsd"] = xpath.SchemaSpace
	for p, u := range env.Namespaces {
		ns[p] = u
	}
	for p, u := range at.node.InScope() {
		if p != "" {
			ns[p] = u
		}
	}
	env.Namespaces = ns
	return env
}

func (c *compiler) sequenceType(at place, s string) *xpath.SequenceType {
	if s == "" {
		return nil
	}
	t, err := xpath.ParseSequenceType(s, c.fileEnv(at))
	if err != nil {
		c.problem(at, err, "%v", err)
	}
	return t
}

// declareFunctions makes functions known by name, so that they may call each other.
func (c *compiler) declareFunctions() (out []functionSource) {
	for _, at := range c.src.functions {
		prefix, local, ok := strings.Cut(at.node.Attr("name"), ":")
		uri := c.env.Namespaces[prefix]
		if u, ok := at.node.LookupNamespace(prefix); ok {
			uri = u
		}
		if !ok || uri == "" {
			c.problem(at, nil, "the function %q has no namespace [XSLT20 10.3]", at.node.Attr("name"))
			continue
		}
		body := &function{}
		f := &xpath.Function{Name: xpath.QName{Space: uri, Local: local, Prefix: prefix}, Result: c.sequenceType(at, at.node.Attr("as"))}
		for p := range at.node.Elements() {
			if p.Is(xsltNamespace, "param") {
				f.Params = append(f.Params, c.sequenceType(place{at.file, p, at.depth}, p.Attr("as")))
				body.params++
			}
		}
		f.Call = body.call
		c.env.Functions = append(c.env.Functions, f)
		out = append(out, functionSource{at, f, body})
	}
	return out
}

func (c *compiler) functionBody(s functionSource) {
	env := c.fileEnv(s.at)
	env.Variables = env.Variables[:c.s.globals:c.s.globals]
	for p := range s.at.node.Elements() {
		if p.Is(xsltNamespace, "param") {
			env.Variables = append(env.Variables, xpath.Variable{Name: c.variableName(place{s.at.file, p, s.at.depth}, p.Attr("name"))})
		}
	}
	s.body.body = c.content(s.at, env, s.at.node, c.s.globals)
	s.body.slots = slotsOf(s.body.body, s.body.params)
}

func slotsOf(p program, n int) int {
	for _, in := range p {
		if in.op == opVariable {
			n = max(n, in.slot+1)
		}
		n = slotsOf(in.body, n)
		for _, t := range in.then {
			n = slotsOf(t, n)
		}
	}
	return n
}

// content compiles a sequence constructor. Its variables are visible to what follows in it; they lie in a frame whose
// first variable has the index first.
func (c *compiler) content(at place, env *xpath.Static, parent dom.Node, first int) program {
	inner := *env
	inner.Variables = inner.Variables[:len(inner.Variables):len(inner.Variables)]
	var out program
	for k := range parent.Children() {
		p := place{at.file, k, at.depth}
		switch {
		case k.Kind() == dom.TextNode:
			if s := k.Text(); strings.TrimSpace(s) != "" {
				out = append(out, instruction{op: opText, text: s})
			}
		case k.Kind() != dom.ElementNode:
		case k.Space() == xsltNamespace:
			if in, ok := c.instruction(p, &inner, first); ok {
				out = append(out, in)
			}
		default: // an element that stands for itself
			if in, ok := c.tree(p); ok {
				out = append(out, in)
			}
		}
	}
	return out
}

func (c *compiler) in(at place, env *xpath.Static, src string) *xpath.Expr {
	e := *env
	e.BaseURI = base + at.file
	x, err := xpath.Compile(src, &e)
	if err != nil {
		c.problem(at, err, "%v", err)
		return nil
	}
	return x
}

func (c *compiler) instruction(at place, env *xpath.Static, first int) (instruction, bool) {
	n := at.node
	src := n.Attr("select")
	in := instruction{}
	if src != "" {
		in.expr = c.in(at, env, src)
	} else if n.Local() != "choose" {
		in.body = c.content(at, env, n, first)
	}
	switch n.Local() {
	case "param", "message", "fallback":
		return in, false
	case "sequence", "copy-of":
		in.op = opSequence
	case "value-of":
		in.op = opValue
		in.text, in.separated = n.AttrNS("", "separator")
	case "text":
		return instruction{op: opText, text: n.Text()}, true
	case "variable":
		in.op, in.as = opVariable, c.sequenceType(at, n.Attr("as"))
		in.tree = src == "" && in.as == nil
		in.slot = len(env.Variables) - first
		env.Variables = append(env.Variables, xpath.Variable{Name: c.variableName(at, n.Attr("name"))})
	case "choose":
		in.op = opChoose
		for w := range n.Elements() {
			k := place{at.file, w, at.depth}
			var test *xpath.Expr
			if w.Is(xsltNamespace, "when") {
				test = c.in(k, env, w.Attr("test"))
			}
			in.when, in.then = append(in.when, test), append(in.then, c.content(k, env, w, first))
		}
	case "if":
		in.op, in.when, in.then, in.body = opChoose, []*xpath.Expr{c.in(at, env, n.Attr("test"))}, []program{in.body}, nil
	case "for-each":
		in.op, in.body = opEach, c.content(at, env, n, first)
	default:
		c.problem(at, nil, "xsl:%s is not supported in functions and variables", n.Local())
		return in, false
	}
	return in, true
}

// tree keeps elements that are written in a variable or function, such as small tables.
func (c *compiler) tree(at place) (instruction, bool) {
	w := dom.NewWriter(nil)
	if !copyTree(w, at.node, true) {
		c.problem(at, nil, "XSLT inside of an element that a value is made of is not supported")
		return instruction{}, false
	}
	d, err := dom.Parse(w.Bytes(), c.limits)
	if err != nil {
		c.problem(at, err, "%v", err)
		return instruction{}, false
	}
	return instruction{op: opDocument, doc: d}, true
}

func copyTree(w *dom.Writer, n dom.Node, top bool) bool {
	if n.Space() == xsltNamespace {
		return false
	}
	var attrs []string
	declare := n.Declared()
	if top {
		declare = n.InScope()
	}
	for p, u := range declare {
		if p == "" {
			attrs = append(attrs, "xmlns", u)
		} else {
			attrs = append(attrs, "xmlns:"+p, u)
		}
	}
	for a := range n.Attributes() {
		attrs = append(attrs, a.QName(), a.Text())
	}
	w.Start(n.QName(), attrs...)
	for k := range n.Children() {
		switch k.Kind() {
		case dom.TextNode:
			w.Text(k.Text())
		case dom.ElementNode:
			if !copyTree(w, k, false) {
				return false
			}
		}
	}
	w.End()
	return true
}

func (f *function) call(ctx *xpath.Context, args []xpath.Sequence) (xpath.Sequence, error) {
	r := runOf(ctx)
	c := r.enter(ctx, xpath.Item{}, r.s.globals, max(f.slots, len(args)))
	defer r.leave()
	copy(c.frame.vals, args)
	c.ctx.Variables = &c.frame
	v, err := f.body.eval(&c.ctx, &c.frame, c.result[:0])
	if cap(v) == 1 {
		c.result = v
	}
	return v, err
}

// eval runs a program in a context that is its own, and appends its value to out.
func (p program) eval(ctx *xpath.Context, fr *frame, out xpath.Sequence) (xpath.Sequence, error) {
	if len(p) == 1 && p[0].op == opSequence && p[0].expr != nil {
		return p[0].expr.Append(ctx, out)
	}
	for i := range p {
		in := &p[i]
		v, err := in.eval(ctx, fr)
		if err != nil {
			return nil, err
		}
		if in.op == opVariable {
			fr.vals[in.slot] = v
			continue
		}
		out = append(out, v...)
	}
	return out, nil
}

// value is what the select attribute or the content gives.
func (in *instruction) value(ctx *xpath.Context, fr *frame) (xpath.Sequence, error) {
	if in.expr != nil {
		return in.expr.Evaluate(ctx)
	}
	return in.body.eval(ctx, fr, nil)
}

func (in *instruction) eval(ctx *xpath.Context, fr *frame) (xpath.Sequence, error) {
	switch in.op {
	case opSequence:
		return in.value(ctx, fr)
	case opText:
		return xpath.Sequence{xpath.UntypedItem(in.text)}, nil
	case opDocument:
		return xpath.Sequence{xpath.NodeItem(in.doc.Root())}, nil
	case opValue: // a text node, which is untyped when its value is asked for
		v, err := in.value(ctx, fr)
		if err != nil {
			return nil, err
		}
		sep := " "
		if in.separated {
			sep = in.text
		} else if in.expr == nil {
			sep = ""
		}
		return xpath.Sequence{xpath.UntypedItem(join(v, sep))}, nil
	case opVariable:
		v, err := in.value(ctx, fr)
		switch {
		case err != nil:
			return nil, err
		case in.as != nil:
			return in.as.Convert(v)
		case in.tree: // a document with the text in it [XSLT20 9.3], or the tree that was written
			return asTree(v), nil
		}
		return v, nil
	case opChoose:
		for i, w := range in.when {
			ok := w == nil
			if !ok {
				var err error
				if ok, err = w.EBV(ctx); err != nil {
					return nil, err
				}
			}
			if ok {
				return in.then[i].eval(ctx, fr, nil)
			}
		}
		return nil, nil
	}
	// opEach
	items, err := in.expr.Evaluate(ctx)
	if err != nil {
		return nil, err
	}
	var out xpath.Sequence
	for i, it := range items {
		inner := ctx.Nested(it, ctx.Variables)
		inner.Position, inner.Size = i+1, len(items)
		v, err := in.body.eval(inner, fr, nil)
		if err != nil {
			return nil, err
		}
		out = append(out, v...)
	}
	return out, nil
}

func join(v xpath.Sequence, sep string) string {
	if len(v) == 1 {
		return v[0].String()
	}
	var b strings.Builder
	for i, it := range v {
		if i > 0 {
			b.WriteString(sep)
		}
		b.WriteString(it.String())
	}
	return b.String()
}

// asTree gives the document of a tree, and one untyped value for anything else.
func asTree(v xpath.Sequence) xpath.Sequence {
	if len(v) == 1 && v[0].IsNode() {
		if d := v[0].Node().Document(); v[0].Node() == d.Root() {
			return xpath.Sequence{xpath.NodeItem(d.Node())}
		}
	}
	return xpath.Sequence{xpath.UntypedItem(join(v, ""))}
}

// compileKeys reads xsl:key [XSLT20 16.3].
func (c *compiler) compileKeys() {
	for _, at := range c.src.keys {
		env := c.fileEnv(at)
		match, err := xpath.CompilePattern(at.node.Attr("match"), env)
		if err != nil {
			c.problem(at, err, "%v", err)
			continue
		}
		use := at.node.Attr("use")
		if use == "" {
			c.problem(at, nil, "xsl:key without use attribute is not supported")
			continue
		}
		name := c.variableName(at, at.node.Attr("name")).EQName()
		c.s.keys[name] = append(c.s.keys[name], key{match, c.in(at, env, use)})
	}
}

// keyFunction is key() with two or three arguments.
func keyFunction(arity int) *xpath.Function {
	f := &xpath.Function{Name: xpath.QName{Space: xpath.FunctionSpace, Local: "key"}, Params: make([]*xpath.SequenceType, arity)}
	f.Call = func(ctx *xpath.Context, args []xpath.Sequence) (xpath.Sequence, error) {
		r := runOf(ctx)
		at := r.doc
		if arity == 3 && len(args[2]) == 1 && args[2][0].IsNode() {
			at = args[2][0].Node()
		}
		return r.lookup(ctx, args[0].Text(), args[1], at)
	}
	return f
}

type keyIndex struct {
	doc   *dom.Document
	name  string
	nodes map[string][]dom.Node
}

// lookup finds nodes by a key; the index is made when it is first asked for.
func (r *run) lookup(ctx *xpath.Context, name string, values xpath.Sequence, at dom.Node) (xpath.Sequence, error) {
	q := name
	if prefix, local, ok := strings.Cut(name, ":"); ok {
		for _, n := range r.s.namespaces {
			if n.prefix == prefix {
				q = xpath.QName{Space: n.uri, Local: local}.EQName()
			}
		}
	}
	keys := r.s.keys[q]
	if keys == nil {
		return nil, &xpath.Error{Code: xpath.QName{Space: xpath.ErrorSpace, Local: "XTDE1260", Prefix: "err"}, Msg: "there is no key " + name, Offset: -1}
	}
	var index *keyIndex
	for _, k := range r.keys {
		if k.doc == at.Document() && k.name == q {
			index = k
		}
	}
	if index == nil {
		index = &keyIndex{at.Document(), q, map[string][]dom.Node{}}
		if err := r.fillKey(ctx, index, keys); err != nil {
			return nil, err
		}
		r.keys = append(r.keys, index)
	}
	var found []dom.Node
	for _, v := range values {
		for _, n := range index.nodes[v.String()] {
			if at.Kind() == dom.DocumentNode || at.Contains(n) || at == n {
				found = append(found, n)
			}
		}
	}
	if len(values) > 1 {
		found = inOrder(found)
	}
	out := make(xpath.Sequence, len(found))
	for i, n := range found {
		out[i] = xpath.NodeItem(n)
	}
	return out, nil
}

func (r *run) fillKey(ctx *xpath.Context, index *keyIndex, keys []key) error {
	inner := ctx.Nested(xpath.Item{}, r)
	for _, k := range keys {
		for i := range index.doc.Len() {
			n := index.doc.At(i)
			ok, err := k.match.Matches(inner, n)
			if err != nil {
				return err
			}
			if !ok {
				continue
			}
			inner.Item = xpath.NodeItem(n)
			v, err := k.use.Evaluate(inner)
			if err != nil {
				return err
			}
			for _, it := range v {
				s := it.String()
				index.nodes[s] = append(index.nodes[s], n)
			}
		}
	}
	return nil
}
