package xpath

import (
	"fmt"
	"math"
	"strconv"
	"unsafe"
)

// function is a function item.
type function struct {
	name   QName
	arity  int
	params []*SequenceType // nil, or nil entries: anything
	result *SequenceType
	call   func(m *machine, args []Sequence) // puts the value on the stack
}

func functionItem(f *function) Item { return Item{typ: TypeFunction, p: unsafe.Pointer(f)} }

// apply calls a function, map or array with its arguments.
func (m *machine) apply(it Item, args ...Sequence) {
	arity := 1
	if it.typ == TypeFunction {
		arity = it.function().arity
	} else if it.typ != TypeMap && it.typ != TypeArray {
		fail("XPTY0004", "%s is no function", it.typ)
	}
	if arity != len(args) {
		fail("XPTY0004", "a function of %d arguments was called with %d", arity, len(args))
	}
	m.call()
	m.tick(8)
	switch it.typ {
	case TypeMap:
		if v, ok := it.mapping().get(keyArgument(args[0])); ok {
			m.pushAll(v)
		}
	case TypeArray:
		m.pushAll(it.array().at(keyArgument(args[0])))
	default:
		f := it.function()
		for i := range args {
			if f.params != nil {
				args[i] = f.params[i].convert(args[i], "argument")
			}
		}
		base := len(m.stack)
		f.call(m, args)
		if f.result != nil {
			v := f.result.convert(m.keep(base), "result")
			m.pushAll(v)
		}
	}
	m.depth--
}

// result calls a function and takes its value off the stack.
func (m *machine) result(it Item, args ...Sequence) Sequence {
	base := len(m.stack)
	m.apply(it, args...)
	return m.keep(base)
}

func keyArgument(v Sequence) Item {
	if len(v) == 1 {
		v = (&SequenceType{typ: TypeAtomic, text: "xs:anyAtomicType"}).convert(v, "key")
	}
	if len(v) != 1 {
		fail("XPTY0004", "a key is one atomic value")
	}
	return v[0]
}

// frame runs code with local variables of its own.
func (m *machine) frame(captured []slot, set func()) (leave func()) {
	fp, n, f := m.fp, len(m.locals), m.focus
	m.fp = n
	m.locals = append(m.locals, captured...)
	set()
	return func() {
		clear(m.locals[n:])
		m.locals = m.locals[:n]
		m.fp, m.focus = fp, f
	}
}

func (c *compiler) functionRef(e *expr) *code {
	f := &function{name: e.name, arity: e.slot}
	var body *code
	if e.user != nil {
		f.params, f.result = e.user.Params, e.user.Result
		u := e.user
		f.call = func(m *machine, args []Sequence) { m.callUser(u, args) }
		return &code{deps: needsOuter, max1: true, min1: true, typ: TypeFunction, one: func(*machine) (Item, bool) { return functionItem(f), true }}
	}
	if e.slot > 1000 {
		panic(&Error{Code: QName{ErrorSpace, "XPST0017", "err"}, Msg: "too many arguments", Offset: e.pos, End: e.end, kind: ErrStatic})
	}
	// the call is compiled over variables of a frame of its own
	call := &expr{kind: xCall, pos: e.pos, end: e.end, name: e.name, fn: e.fn}
	for i := range e.slot {
		call.kids = append(call.kids, &expr{kind: xVar, pos: e.pos, end: e.end, slot: i})
	}
	traced := c.trace
	c.trace = nil
	body = c.compile(call)
	c.trace = traced
	f.params, f.result = signature(e.name, e.fn, e.slot, c.env)
	n := e.slot
	run := func(m *machine, args []Sequence) {
		leave := m.frame(make([]slot, n), func() {
			for i := range n {
				m.set(i, args[i])
			}
		})
		body.push(m)
		leave()
	}
	focused := body.deps&needsFocus != 0
	return &code{deps: needsOuter | body.deps&needsFocus, max1: true, min1: true, typ: TypeFunction, one: func(m *machine) (Item, bool) {
		g := *f
		at := m.focus
		g.call = func(m *machine, args []Sequence) {
			if focused { // the focus is that of the reference
				now := m.focus
				m.focus = at
				defer func() { m.focus = now }()
			} else {
				now := m.focus
				m.focus = focus{}
				defer func() { m.focus = now }()
			}
			run(m, args)
		}
		return functionItem(&g), true
	}}
}

// signature gives the declared types of a built-in function, as far as they are needed: constructors, and functions
// whose arguments say by their name what they are.
func signature(name QName, b *builtin, arity int, env *Static) (params []*SequenceType, result *SequenceType) {
	if name.Space == SchemaSpace {
		if t, ok := listTypes[name.Local]; ok {
			return []*SequenceType{{typ: TypeAtomic, occurs: '?', text: "xs:anyAtomicType?"}}, &SequenceType{typ: t, occurs: '*', text: t.String() + "*"}
		}
		t, _ := atomicTypes[name.Local]
		return []*SequenceType{{typ: TypeAtomic, occurs: '?', text: "xs:anyAtomicType?"}}, &SequenceType{typ: t, occurs: '?', text: t.String() + "?"}
	}
	s, ok := signatures[name.Local+"#"+strconv.Itoa(arity)]
	if !ok {
		return nil, nil
	}
	st, err := ParseSequenceType("function("+s.params+") as "+s.result, &Static{})
	if err != nil {
		panic(err)
	}
	return st.params, st.result
}

func (c *compiler) inline(e *expr) *code {
	body := c.compile(e.kids[0])
	params, result := e.params, e.st
	types := make([]*SequenceType, len(params))
	for i, p := range params {
		types[i] = p.st
	}
	return &code{deps: needsOuter | needsLocal, max1: true, min1: true, typ: TypeFunction, one: func(m *machine) (Item, bool) {
		captured := append([]slot(nil), m.locals[m.fp:]...)
		f := &function{arity: len(params), params: types, result: result}
		f.call = func(m *machine, args []Sequence) {
			leave := m.frame(captured, func() {
				m.focus = focus{}
				for i, p := range params {
					m.set(p.slot, args[i])
				}
			})
			body.push(m)
			leave()
		}
		return functionItem(f), true
	}}
}

func (c *compiler) dynamicCall(e *expr) *code {
	f, args := c.compile(e.kids[0]), c.all(e.kids[1:])
	return &code{deps: depsOf(append(args, f)...) | needsOuter, push: func(m *machine) {
		it, ok := f.one(m)
		if !ok {
			fail("XPTY0004", "nothing to call")
		}
		vals := make([]Sequence, len(args))
		for i, a := range args {
			base := len(m.stack)
			a.push(m)
			vals[i] = m.keep(base)
		}
		m.apply(it, vals...)
	}}
}

// coerce wraps a function so that it takes and gives what a type asks for [XPath31 3.1.5.3].
func coerce(it Item, s *SequenceType) Item {
	if !it.typ.Is(TypeFunction) {
		fail("XPTY0004", "%s is no function", it.typ)
	}
	arity := 1
	if it.typ == TypeFunction {
		arity = it.function().arity
	}
	if arity != len(s.params) {
		fail("XPTY0004", "a function of %d arguments where one of %d is wanted", arity, len(s.params))
	}
	return functionItem(&function{arity: arity, params: s.params, result: s.result, call: func(m *machine, args []Sequence) { m.apply(it, args...) }})
}

// mapping is a map: entries in the order they came.
type mapping struct {
	entries []entry
	index   map[string]int
}

type entry struct {
	key   Item
	value Sequence
}

func mapItem(x *mapping) Item { return Item{typ: TypeMap, p: unsafe.Pointer(x)} }

func newMapping() *mapping { return &mapping{index: map[string]int{}} }

// mapKey makes equal what op:same-key makes equal [FO31 17.1.1].
func mapKey(it Item) string {
	switch t := it.typ; {
	case t.text():
		return "s" + it.text()
	case t.numeric():
		if t.float() {
			f := it.float()
			switch {
			case math.IsNaN(f):
				return "nNaN"
			case math.IsInf(f, 0):
				return "n" + doubleString(f, 64)
			}
			return "n" + decimalString(floatToDecimal(f))
		}
		return "n" + atomString(it)
	case t.moment():
		m := it.moment()
		if !m.zoned {
			return fmt.Sprintf("%d-%d.%d", t.primitive(), m.local(), m.nano)
		}
		return fmt.Sprintf("%dz%d.%d", t.primitive(), m.utc(0), m.nano)
	case t.duration():
		d := it.dur()
		return fmt.Sprintf("d%d %d %d", d.months, d.sec, d.nano)
	case t == XSQName || t == XSNOTATION:
		return "q" + it.qname().EQName()
	case t.binary():
		return strconv.Itoa(int(t)) + it.text()
	}
	return strconv.Itoa(int(it.typ)) + atomString(it)
}

func (x *mapping) get(key Item) (Sequence, bool) {
	i, ok := x.index[mapKey(key)]
	if !ok {
		return nil, false
	}
	return x.entries[i].value, true
}

// put sets an entry while the map is being made.
func (x *mapping) put(key Item, v Sequence) {
	k := mapKey(key)
	if i, ok := x.index[k]; ok {
		x.entries[i] = entry{key, v}
		return
	}
	x.index[k] = len(x.entries)
	x.entries = append(x.entries, entry{key, v})
}

func (m *machine) copyMap(x *mapping, except map[string]bool) *mapping {
	m.tick(8 * len(x.entries))
	y := newMapping()
	for _, e := range x.entries {
		if !except[mapKey(e.key)] {
			y.put(e.key, e.value)
		}
	}
	return y
}

type array struct{ members []Sequence }

func arrayItem(members []Sequence) Item {
	return Item{typ: TypeArray, p: unsafe.Pointer(&array{members})}
}

// at returns the member at a position from 1.
func (a *array) at(key Item) Sequence {
	if key.typ == XSUntypedAtomic {
		key = mustCast(key, XSInteger)
	}
	if !key.typ.integer() {
		fail("XPTY0004", "%s where the position of a member is wanted", key.typ)
	}
	if key.p != nil || key.n < 1 || key.n > int64(len(a.members)) {
		fail("FOAY0001", "there is no member %s of %d", atomString(key), len(a.members))
	}
	return a.members[key.n-1]
}

func itemValues(it Item) []Sequence {
	if it.typ == TypeArray {
		return it.array().members
	}
	var all []Sequence
	for _, e := range it.mapping().entries {
		all = append(all, e.value)
	}
	return all
}

func (c *compiler) mapMake(e *expr) *code {
	kids := c.all(e.kids)
	return &code{deps: depsOf(kids...) | needsOuter, max1: true, min1: true, typ: TypeMap, one: func(m *machine) (Item, bool) {
		x := newMapping()
		for i := 0; i < len(kids); i += 2 {
			key, ok := kids[i].atom(m)
			if !ok {
				fail("XPTY0004", "a key is one atomic value")
			}
			base := len(m.stack)
			kids[i+1].push(m)
			if _, twice := x.get(key); twice {
				fail("XQDY0137", "key %s stands twice", atomString(key))
			}
			x.put(key, m.keep(base))
		}
		return mapItem(x), true
	}}
}

func (c *compiler) arrayMake(e *expr) *code {
	kids := c.all(e.kids)
	split := e.kind == xArrayCurly // each item is a member
	return &code{deps: depsOf(kids...) | needsOuter, max1: true, min1: true, typ: TypeArray, one: func(m *machine) (Item, bool) {
		members := make([]Sequence, 0, len(kids))
		for _, k := range kids {
			base := len(m.stack)
			k.push(m)
			v := m.keep(base)
			if !split {
				members = append(members, v)
				continue
			}
			for i := range v {
				members = append(members, v[i:i+1:i+1])
			}
		}
		return arrayItem(members), true
	}}
}

// lookup is the operator ? [XPath31 3.11.3].
func (c *compiler) lookup(e *expr) *code {
	a := c.compile(e.kids[0])
	var key *code
	if e.kids[1].kind != xKeyAll {
		key = c.compile(e.kids[1])
	}
	d := a.deps
	if key != nil {
		d |= key.deps
	}
	return &code{deps: d | needsOuter, push: func(m *machine) {
		base := len(m.stack)
		a.push(m)
		mid := len(m.stack)
		if key != nil {
			key.atoms(m)
		}
		end := len(m.stack)
		for i := base; i < mid; i++ {
			it := m.stack[i]
			if it.typ != TypeMap && it.typ != TypeArray {
				fail("XPTY0004", "%s is neither map nor array", it.typ)
			}
			m.tick(1)
			if key == nil {
				for _, v := range itemValues(it) {
					m.pushAll(v)
				}
				continue
			}
			for j := mid; j < end; j++ {
				if it.typ == TypeArray {
					m.pushAll(it.array().at(m.stack[j]))
				} else if v, ok := it.mapping().get(m.stack[j]); ok {
					m.pushAll(v)
				}
			}
		}
		m.drop(base, end)
	}}
}
