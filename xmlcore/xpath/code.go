package xpath

// code is a compiled part of an expression: closures for the ways its value may be wanted. complete fills those that
// the compiler of the part did not write.
type code struct {
	push func(m *machine)              // puts the items of the value on the stack
	one  func(m *machine) (Item, bool) // the value when at most one item is allowed: more is XPTY0004
	ebv  func(m *machine) bool         // effective boolean value

	// solo is there for paths straight down: one node, with n 1, or none; n 2 says that there may be several and the
	// other ways must be gone.
	solo func(m *machine) (it Item, n int)

	typ    Type // type of every item, when it is known
	max1   bool // at most one item
	min1   bool // at least one item
	sorted bool // nodes in document order without duplicates
	deps   deps
	val    Sequence // the value, when it is constant
	konst  bool
	e      *expr
}

// deps says what a value depends on.
type deps uint16

const (
	needsFocus  deps = 1 << iota
	needsPos         // position()
	needsLast        // last()
	needsLocal       // local variables
	needsOuter       // global variables, documents, clock, user functions
	needsEffect      // errors raised on purpose, trace
)

func (c *code) complete(e *expr) *code {
	c.e = e
	if c.push == nil {
		one := c.one
		if one == nil {
			ebv := c.ebv
			one = func(m *machine) (Item, bool) { return BooleanItem(ebv(m)), true }
			c.one, c.typ, c.max1, c.min1 = one, XSBoolean, true, true
		}
		c.max1 = true
		c.push = func(m *machine) {
			if it, ok := one(m); ok {
				m.add(it)
			}
		}
	}
	if c.one == nil {
		push := c.push
		c.one = func(m *machine) (Item, bool) {
			base := len(m.stack)
			push(m)
			switch len(m.stack) - base {
			case 0:
				return Item{}, false
			case 1:
				it := m.stack[base]
				m.stack = m.stack[:base]
				return it, true
			}
			fail("XPTY0004", "%d items where one is allowed", len(m.stack)-base)
			return Item{}, false
		}
	}
	if c.ebv == nil {
		if c.max1 {
			one := c.one
			c.ebv = func(m *machine) bool {
				it, ok := one(m)
				return ok && ebvItem(it)
			}
		} else {
			push := c.push
			c.ebv = func(m *machine) bool {
				base := len(m.stack)
				push(m)
				return m.ebvAbove(base)
			}
		}
	}
	return c
}

// atom returns the typed value when there is at most one.
func (c *code) atom(m *machine) (Item, bool) {
	it, ok := c.one(m)
	if !ok || it.typ.atomic() {
		return it, ok
	}
	if it.typ == TypeNode {
		return atomOf(it), true
	}
	base := len(m.stack)
	m.add(it)
	m.atomizeAbove(base)
	switch len(m.stack) - base {
	case 0:
		return Item{}, false
	case 1:
		it = m.stack[base]
		m.stack = m.stack[:base]
		return it, true
	}
	fail("XPTY0004", "%d items where one is allowed", len(m.stack)-base)
	return it, false
}

// atMostOne reports whether one item gives at most one atomic value: all but arrays do.
func (c *code) atMostOne() bool {
	return c.typ == TypeNode || c.typ.atomic() || c.e != nil && c.e.kind == xArith
}

// atoms pushes the typed values.
func (c *code) atoms(m *machine) {
	base := len(m.stack)
	c.push(m)
	if !c.typ.atomic() {
		m.atomizeAbove(base)
	}
}

// str returns an argument of type xs:string? [XPath20 3.1.5].
func (c *code) str(m *machine) (string, bool) {
	it, ok := c.atom(m)
	if !ok {
		return "", false
	}
	if !it.typ.text() {
		fail("XPTY0004", "%s where a string is wanted", it.typ)
	}
	return it.text(), true
}

// text returns an argument of type xs:string?, "" when it is empty.
func (c *code) text(m *machine) string {
	s, _ := c.str(m)
	return s
}

// needText returns an argument of type xs:string.
func (c *code) needText(m *machine) string {
	s, ok := c.str(m)
	if !ok {
		fail("XPTY0004", "nothing where a string is wanted")
	}
	return s
}

// double returns an argument of type xs:double?.
func (c *code) double(m *machine) (float64, bool) {
	it, ok := c.atom(m)
	if !ok {
		return 0, false
	}
	return asDouble(it), true
}

func asDouble(it Item) float64 {
	switch {
	case it.typ.numeric():
		return toFloat(it)
	case it.typ == XSUntypedAtomic:
		return castOperand(it, XSDouble).float()
	}
	fail("XPTY0004", "%s where a number is wanted", it.typ)
	return 0
}

// numeric returns an argument of a numeric type; untyped values become doubles.
func (c *code) numeric(m *machine) (Item, bool) {
	it, ok := c.atom(m)
	if !ok {
		return it, false
	}
	if it.typ == XSUntypedAtomic {
		return castOperand(it, XSDouble), true
	}
	if !it.typ.numeric() {
		fail("XPTY0004", "%s where a number is wanted", it.typ)
	}
	return it, true
}

// integer returns an argument of type xs:integer?.
func (c *code) integer(m *machine) (Item, bool) {
	it, ok := c.atom(m)
	if !ok {
		return it, false
	}
	if it.typ == XSUntypedAtomic {
		return mustCast(it, XSInteger), true
	}
	if !it.typ.integer() {
		fail("XPTY0004", "%s where an integer is wanted", it.typ)
	}
	return it, true
}

// of returns an argument of an atomic type that nothing is promoted to, or nothing.
func (c *code) of(m *machine, t Type) (Item, bool) {
	it, ok := c.atom(m)
	if !ok {
		return it, false
	}
	if it.typ == XSUntypedAtomic && t != XSQName {
		return mustCast(it, t), true
	}
	if !it.typ.Is(t) {
		fail("XPTY0004", "%s where %s is wanted", it.typ, t)
	}
	return it, true
}

// constant makes code of a value.
func constant(e *expr, v Sequence) *code {
	c := &code{val: v, konst: true, max1: len(v) <= 1, min1: len(v) > 0}
	if len(v) > 0 {
		c.typ = v[0].typ
		for _, it := range v {
			if it.typ != c.typ {
				c.typ = TypeNone
			}
		}
	}
	switch len(v) {
	case 1:
		it := v[0]
		c.one = func(*machine) (Item, bool) { return it, true }
		c.push = func(m *machine) { m.add(it) }
	default:
		c.push = func(m *machine) { m.pushAll(v) }
	}
	return c.complete(e)
}

// boolean makes code of a truth.
func boolean(d deps, f func(m *machine) bool) *code {
	return &code{ebv: f, deps: d, typ: XSBoolean, max1: true, min1: true}
}

func depsOf(cs ...*code) (d deps) {
	for _, c := range cs {
		d |= c.deps
	}
	return d
}
