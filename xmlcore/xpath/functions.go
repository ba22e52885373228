package xpath

// builtin is a function of the library.
type builtin struct {
	name     string
	min, max int
	build    builder
}

// builder makes the code of a call from the code of its arguments.
type builder func(c *compiler, e *expr, a []*code) *code

const anyNumber = 1 << 20

// library is all functions by namespace and local name; xsltLibrary those that only XSLT has. They are filled by init,
// since functions that look up functions would make a circle of their initialisation.
var library, xsltLibrary = map[nameKey]*builtin{}, map[nameKey]*builtin{}

func init() {
	add := func(to map[nameKey]*builtin, space string, lists ...[]builtin) {
		for _, list := range lists {
			for i := range list {
				to[nameKey{space, list[i].name}] = &list[i]
			}
		}
	}
	add(library, FunctionSpace, stringFunctions, numberFunctions, sequenceFunctions, nodeFunctions, nameFunctions, timeFunctions, regexFunctions,
		formatFunctions, pictureFunctions, jsonFunctions, higherFunctions,
		parseFunctions, resourceFunctions, jsonTreeFunctions, serializeFunctions, otherFunctions)
	add(library, mathSpace, mathFunctions)
	add(library, mapSpace, mapFunctions)
	add(library, arraySpace, arrayFunctions)
	add(xsltLibrary, FunctionSpace, xsltFunctions)
}

func lookupBuiltin(q QName, xslt bool) *builtin {
	k := nameKey{q.Space, q.Local}
	if b := library[k]; b != nil {
		return b
	}
	if b := xsltLibrary[k]; xslt && b != nil {
		return b
	}
	if t, ok := listTypes[q.Local]; ok && q.Space == SchemaSpace {
		return &builtin{name: q.Local, min: 1, max: 1, build: listConstructor(t)}
	}
	if t, ok := atomicTypes[q.Local]; ok && q.Space == SchemaSpace && t != TypeAtomic && t != XSNOTATION {
		return &builtin{name: q.Local, min: 1, max: 1, build: constructor(t)}
	}
	return nil
}

// constructor is xs:T(x), which is "x cast as xs:T?".
func constructor(t Type) builder {
	return func(c *compiler, e *expr, a []*code) *code {
		x, prefixes := a[0], c.env.qnamePrefix
		return &code{typ: t, max1: true, min1: x.min1, deps: x.deps, one: func(m *machine) (Item, bool) {
			it, ok := x.atom(m)
			if !ok {
				return it, false
			}
			r, p := cast(it, t, prefixes)
			if p != castDone {
				panic(castError(it, t, p))
			}
			return r, true
		}}
	}
}

// one builds a function whose value is at most one item.
func one(t Type, f func(m *machine, a []*code) (Item, bool)) builder {
	return func(_ *compiler, _ *expr, a []*code) *code {
		return &code{typ: t, max1: true, deps: depsOf(a...), one: func(m *machine) (Item, bool) { return f(m, a) }}
	}
}

// truth builds a function whose value is a boolean.
func truth(f func(m *machine, a []*code) bool) builder {
	return func(_ *compiler, _ *expr, a []*code) *code {
		return boolean(depsOf(a...), func(m *machine) bool { return f(m, a) })
	}
}

// many builds a function with any number of items.
func many(f func(m *machine, a []*code)) builder {
	return func(_ *compiler, _ *expr, a []*code) *code {
		return &code{deps: depsOf(a...), push: func(m *machine) { f(m, a) }}
	}
}

// same builds a function that returns items of its first argument.
func same(f func(m *machine, a []*code)) builder {
	return func(_ *compiler, _ *expr, a []*code) *code {
		return &code{typ: a[0].typ, deps: depsOf(a...), push: func(m *machine) { f(m, a) }}
	}
}

// with adds dependencies.
func with(d deps, b builder) builder {
	return func(c *compiler, e *expr, a []*code) *code {
		k := b(c, e, a)
		k.deps |= d
		return k
	}
}

// orItem gives a function without arguments the context item.
func orItem(b builder) builder {
	return func(c *compiler, e *expr, a []*code) *code {
		if len(a) == 0 {
			a = []*code{c.compile(&expr{kind: xContext, pos: e.pos, end: e.end})}
		}
		return b(c, e, a)
	}
}

// orNode gives a function that lacks its last argument the context node.
func orNode(n int, b builder) builder {
	return func(c *compiler, e *expr, a []*code) *code {
		if len(a) <= n {
			k := &code{typ: TypeNode, max1: true, min1: true, deps: needsFocus, one: func(m *machine) (Item, bool) {
				it := m.context()
				if it.typ != TypeNode {
					fail("XPTY0004", "the context item is %s and no node", it.typ)
				}
				return it, true
			}}
			a = append(a, k.complete(e))
		}
		return b(c, e, a)
	}
}

// orString gives a function without arguments the string value of the context item.
func orString(b builder) builder {
	return func(c *compiler, e *expr, a []*code) *code {
		if len(a) == 0 {
			k := &code{typ: XSString, max1: true, min1: true, deps: needsFocus, one: func(m *machine) (Item, bool) {
				return StringItem(stringValue(m.context())), true
			}}
			a = append(a, k.complete(e))
		}
		return b(c, e, a)
	}
}

// stringValue is fn:string.
func stringValue(it Item) string {
	switch {
	case it.typ == TypeNode:
		return nodeText(it)
	case it.typ.atomic():
		return atomString(it)
	}
	fail("FOTY0014", "%s has no string value", it.typ)
	return ""
}

// nodeArg returns an argument of type node()?.
func (c *code) nodeArg(m *machine) (Item, bool) {
	it, ok := c.one(m)
	if ok && it.typ != TypeNode {
		fail("XPTY0004", "%s where a node is wanted", it.typ)
	}
	return it, ok
}

func (c *compiler) call(e *expr) *code {
	if e.user != nil {
		return c.userCall(e)
	}
	a := c.all(e.kids)
	return e.fn.build(c, e, a)
}

// userCall calls a function of the user.
func (c *compiler) userCall(e *expr) *code {
	a, f := c.all(e.kids), e.user
	k := &code{deps: depsOf(a...) | needsOuter}
	if f.Result != nil {
		k.max1 = f.Result.occurs == 0 || f.Result.occurs == '?' || f.Result.empty
		k.typ = f.Result.typ
		if k.typ == TypeItem {
			k.typ = TypeNone
		}
	}
	k.push = func(m *machine) {
		args, top := m.arguments(len(a))
		for i, x := range a {
			base := len(m.stack)
			x.push(m)
			args[i] = f.Params[i].convert(m.argument(base), "argument")
		}
		m.callUser(f, args)
		m.release(top)
	}
	return k
}

// arguments holds the arguments of calls of user functions that are under way, most of them one item each.
type arguments struct {
	seqs  []Sequence
	items []Item
}

// atOnce is how many arguments, and items of them, are held without memory of their own.
const atOnce = 64

// arguments makes room for arguments; release gives it back.
func (m *machine) arguments(n int) (args []Sequence, top arguments) {
	h := &m.held
	if h.seqs == nil {
		h.seqs, h.items = make([]Sequence, 0, atOnce), make([]Item, 0, atOnce)
	}
	top = *h
	if len(h.seqs)+n > cap(h.seqs) {
		return make([]Sequence, n), top
	}
	h.seqs = h.seqs[:len(h.seqs)+n]
	return h.seqs[len(h.seqs)-n:], top
}

// argument takes what lies above base off the stack.
func (m *machine) argument(base int) Sequence {
	h := &m.held
	if len(m.stack)-base != 1 || len(h.items) == cap(h.items) {
		return m.keep(base)
	}
	h.items = append(h.items, m.stack[base])
	m.stack = m.stack[:base]
	n := len(h.items)
	return h.items[n-1 : n : n]
}

func (m *machine) release(top arguments) { m.held = top }

func (m *machine) callUser(f *Function, args []Sequence) {
	m.call()
	m.tick(16)
	v, err := f.Call(m.ctx, args)
	if err != nil {
		panic(foreign(err))
	}
	m.depth--
	m.pushAll(f.Result.convert(v, "result of "+f.Name.String()))
}
