package xpath

import "math"

var numberFunctions = []builtin{
	{name: "abs", min: 1, max: 1, build: one(TypeNone, func(m *machine, a []*code) (Item, bool) {
		it, ok := a[0].numeric(m)
		if !ok {
			return it, false
		}
		it = plain(it)
		switch {
		case it.typ.float():
			f := math.Abs(it.float())
			if it.typ == XSFloat {
				return floatItem(f), true
			}
			return DoubleItem(f), true
		case it.typ.integer():
			if it.bigSign() < 0 {
				return negate(it), true
			}
		case signDecimal(it) < 0:
			return negDecimal(it), true
		}
		return it, true
	})},
	{name: "ceiling", min: 1, max: 1, build: rounded(toCeiling)},
	{name: "floor", min: 1, max: 1, build: rounded(toFloor)},
	{name: "round", min: 1, max: 2, build: rounded(halfUp)},
	{name: "round-half-to-even", min: 1, max: 2, build: rounded(halfEven)},
	{name: "number", min: 0, max: 1, build: orItem(one(XSDouble, func(m *machine, a []*code) (Item, bool) {
		it, ok := a[0].atom(m)
		if !ok {
			return DoubleItem(math.NaN()), true
		}
		if it.typ == XSUntypedAtomic || it.typ.str() {
			f, ok := parseDouble(space(it.text()), 64)
			if !ok {
				f = math.NaN()
			}
			return DoubleItem(f), true
		}
		r, p := cast(it, XSDouble, nil)
		if p != castDone {
			return DoubleItem(math.NaN()), true
		}
		return r, true
	}))},
	{name: "sum", min: 1, max: 2, build: sum},
	{name: "avg", min: 1, max: 1, build: one(TypeNone, average)},
	{name: "max", min: 1, max: 2, build: withCollation(1, TypeNone, func(m *machine, a []*code, coll collation) (Item, bool) { return extreme(m, a[0], opGt, coll) })},
	{name: "min", min: 1, max: 2, build: withCollation(1, TypeNone, func(m *machine, a []*code, coll collation) (Item, bool) { return extreme(m, a[0], opLt, coll) })},
}

func (it Item) bigSign() int {
	if it.p != nil {
		return it.bigInt().Sign()
	}
	return sign(it.n)
}

// plain makes a derived integer an xs:integer, which is what functions return.
func plain(it Item) Item {
	if it.typ.integer() {
		it.typ = XSInteger
	}
	return it
}

func rounded(how rounding) builder {
	return one(TypeNone, func(m *machine, a []*code) (Item, bool) {
		it, ok := a[0].numeric(m)
		keep := 0
		if len(a) > 1 {
			k, ok2 := a[1].integer(m)
			if !ok2 {
				fail("XPTY0004", "nothing where an integer is wanted")
			}
			switch {
			case k.p != nil && k.bigSign() > 0, k.p == nil && k.n > 1<<30:
				keep = 1 << 30
			case k.p != nil || k.n < -1<<30:
				keep = -1 << 30
			default:
				keep = int(k.n)
			}
		}
		if !ok {
			return it, false
		}
		it = plain(it)
		switch {
		case it.typ == XSDouble || it.typ == XSFloat:
			f := it.float()
			bits := 64
			if it.typ == XSFloat {
				bits = 32
			}
			switch how {
			case toCeiling:
				f = math.Ceil(f)
			case toFloor:
				f = math.Floor(f)
			default:
				f = roundFloat(f, keep, how)
			}
			if bits == 32 {
				return floatItem(f), true
			}
			return DoubleItem(f), true
		case it.typ.integer():
			if keep >= 0 {
				return it, true
			}
			v, _ := digits(roundDecimal(it, keep, how))
			return integerItem(v), true
		}
		return roundDecimal(it, keep, how), true
	})
}

// sum adds; what is untyped counts as double [FO 15.4.5].
func sum(_ *compiler, _ *expr, a []*code) *code {
	return &code{deps: depsOf(a...), max1: true, one: func(m *machine) (Item, bool) {
		base := len(m.stack)
		a[0].atoms(m)
		s := m.stack[base:]
		if len(s) == 0 {
			if len(a) > 1 {
				return a[1].atom(m)
			}
			return IntegerItem(0), true
		}
		m.tick(len(s))
		total := addable(s[0])
		if !total.typ.numeric() && !total.typ.Is(XSYearMonthDuration) && !total.typ.Is(XSDayTimeDuration) {
			fail("FORG0006", "%s cannot be added", total.typ)
		}
		for _, it := range s[1:] {
			total = m.plus(total, addable(it))
		}
		m.stack = m.stack[:base]
		return total, true
	}}
}

func addable(it Item) Item {
	if it.typ == XSUntypedAtomic {
		return castOperand(it, XSDouble)
	}
	return it
}

func (m *machine) plus(a, b Item) Item {
	if a.typ.numeric() != b.typ.numeric() || !a.typ.numeric() && a.typ != b.typ {
		fail("FORG0006", "%s and %s cannot be added", a.typ, b.typ)
	}
	return m.compute(opAdd, a, b)
}

func average(m *machine, a []*code) (Item, bool) {
	base := len(m.stack)
	a[0].atoms(m)
	s := m.stack[base:]
	if len(s) == 0 {
		return Item{}, false
	}
	m.tick(len(s))
	total := addable(s[0])
	if !total.typ.numeric() && total.typ != XSYearMonthDuration && total.typ != XSDayTimeDuration {
		fail("FORG0006", "%s has no average", total.typ)
	}
	for _, it := range s[1:] {
		total = m.plus(total, addable(it))
	}
	n := len(s)
	m.stack = m.stack[:base]
	return m.compute(opDiv, total, IntegerItem(int64(n))), true
}

// extreme is fn:max and fn:min [FO 15.4.3].
func extreme(m *machine, a *code, op comparison, coll collation) (Item, bool) {
	base := len(m.stack)
	a.atoms(m)
	s := m.stack[base:]
	if len(s) == 0 {
		return Item{}, false
	}
	m.tick(len(s))
	// one type for all: the widest number, or string for URIs
	widest := TypeNone
	for i := range s {
		s[i] = addable(s[i])
		switch t := s[i].typ; {
		case t.numeric():
			if widest != XSDouble && (t == XSDouble || widest != XSFloat && t == XSFloat || widest == TypeNone || widest == XSInteger && t == XSDecimal) {
				widest = t
				if t.integer() {
					widest = XSInteger
				} else if t.decimal() {
					widest = XSDecimal
				}
			}
		case t == XSAnyURI && len(s) > 1:
			for _, o := range s {
				if o.typ != XSAnyURI {
					s[i].typ = XSString
				}
			}
		case t == XSQName || t == XSNOTATION || t == XSDuration || t >= XSGYearMonth && t <= XSGMonth || t == TypeFunction:
			fail("FORG0006", "%s has no order", t)
		}
	}
	best := s[0]
	nan := best.typ.float() && math.IsNaN(best.float())
	for _, it := range s[1:] {
		if it.typ.float() && math.IsNaN(it.float()) {
			nan = true
			if !best.typ.numeric() {
				fail("FORG0006", "%s and %s cannot be compared", it.typ, best.typ)
			}
			continue
		}
		c, ok, _ := m.order(it, best, true, coll)
		if !ok {
			fail("FORG0006", "%s and %s cannot be compared", it.typ, best.typ)
		}
		if op.holds(c) {
			best = it
		}
	}
	m.stack = m.stack[:base]
	if nan {
		if widest == XSFloat {
			return floatItem(math.NaN()), true
		}
		return DoubleItem(math.NaN()), true
	}
	if best.typ.numeric() && widest.float() && best.typ != widest {
		return mustCast(best, widest), true
	}
	if best.typ.numeric() && widest == XSDecimal && best.typ != XSDecimal {
		return best, true
	}
	return best, true
}

func mathFunction(f func(float64) float64) builder {
	return one(XSDouble, func(m *machine, a []*code) (Item, bool) {
		x, ok := a[0].double(m)
		return DoubleItem(f(x)), ok
	})
}

var mathFunctions = []builtin{
	{name: "pi", build: func(_ *compiler, e *expr, _ []*code) *code { return constant(e, Sequence{DoubleItem(math.Pi)}) }},
	{name: "exp", min: 1, max: 1, build: mathFunction(math.Exp)},
	{name: "exp10", min: 1, max: 1, build: mathFunction(func(x float64) float64 { return math.Pow(10, x) })},
	{name: "log", min: 1, max: 1, build: mathFunction(math.Log)},
	{name: "log10", min: 1, max: 1, build: mathFunction(math.Log10)},
	{name: "sqrt", min: 1, max: 1, build: mathFunction(math.Sqrt)},
	{name: "sin", min: 1, max: 1, build: mathFunction(math.Sin)},
	{name: "cos", min: 1, max: 1, build: mathFunction(math.Cos)},
	{name: "tan", min: 1, max: 1, build: mathFunction(math.Tan)},
	{name: "asin", min: 1, max: 1, build: mathFunction(math.Asin)},
	{name: "acos", min: 1, max: 1, build: mathFunction(math.Acos)},
	{name: "atan", min: 1, max: 1, build: mathFunction(math.Atan)},
	{name: "atan2", min: 2, max: 2, build: one(XSDouble, func(m *machine, a []*code) (Item, bool) {
		y, ok := a[0].double(m)
		x, ok2 := a[1].double(m)
		return DoubleItem(math.Atan2(y, x)), ok && ok2
	})},
	{name: "pow", min: 2, max: 2, build: one(XSDouble, func(m *machine, a []*code) (Item, bool) {
		x, ok := a[0].double(m)
		y, ok2 := a[1].numeric(m)
		return DoubleItem(math.Pow(x, toFloat(y))), ok && ok2
	})},
}
