package xpath

import (
	"math"
	"strings"
)

// comparison is an operator of value and general comparisons.
type comparison uint8

const (
	opEq comparison = iota
	opNe
	opLt
	opLe
	opGt
	opGe
)

var comparisonNames = [...][2]string{{"eq", "="}, {"ne", "!="}, {"lt", "<"}, {"le", "<="}, {"gt", ">"}, {"ge", ">="}}

func (op comparison) holds(c int) bool {
	switch op {
	case opEq:
		return c == 0
	case opNe:
		return c != 0
	case opLt:
		return c < 0
	case opLe:
		return c <= 0
	case opGt:
		return c > 0
	}
	return c >= 0
}

// valueCompare compares two atomic values of comparable types [XPath20 3.5.1]; untyped values count as strings.
func (m *machine) valueCompare(op comparison, a, b Item) bool {
	c, ok, nan := m.order(a, b, op >= opLt, nil)
	if !ok {
		fail("XPTY0004", "%s and %s cannot be compared with %s", a.typ, b.typ, comparisonNames[op][0])
	}
	if nan {
		return op == opNe
	}
	return op.holds(c)
}

// order compares two atomic values. less asks for types that have an order; nan tells that one of two numbers is none.
func (m *machine) order(a, b Item, less bool, coll collation) (c int, ok, nan bool) {
	s, t := a.typ, b.typ
	switch {
	case s.text() && t.text():
		if coll == nil {
			return strings.Compare(a.text(), b.text()), true, false
		}
		return coll.compare(a.text(), b.text()), true, false
	case s.numeric() && t.numeric():
		if s.decimal() && t.decimal() {
			return cmpDecimal(a, b), true, false
		}
		x, y := toFloat(a), toFloat(b)
		if s != XSDouble && t != XSDouble {
			x, y = float64(float32(x)), float64(float32(y))
		}
		switch {
		case x < y:
			return -1, true, false
		case x > y:
			return 1, true, false
		case x == y:
			return 0, true, false
		}
		return 0, true, true
	case s == XSBoolean && t == XSBoolean:
		return int(a.n - b.n), true, false
	case s.duration() && t.duration():
		x, y := a.dur(), b.dur()
		switch {
		case !less:
			if x.months == y.months && x.cmpSeconds(y) == 0 {
				return 0, true, false
			}
			return 1, true, false
		case s == XSYearMonthDuration && t == XSYearMonthDuration:
			return sign(x.months - y.months), true, false
		case s == XSDayTimeDuration && t == XSDayTimeDuration:
			return x.cmpSeconds(y), true, false
		}
		return 0, false, false
	case s.moment() && s.primitive() == t.primitive():
		if less && s.primitive() != XSDateTime && s != XSDate && s != XSTime {
			return 0, false, false
		}
		return cmpMoments(a.moment(), b.moment(), m.zone()), true, false
	case s.binary() && s == t:
		return strings.Compare(a.text(), b.text()), true, false
	case (s == XSQName || s == XSNOTATION) && s == t && !less:
		if a.qname().same(*b.qname()) {
			return 0, true, false
		}
		return 1, true, false
	}
	return 0, false, false
}

// generalCompare compares one pair of a general comparison [XPath20 3.5.2]: an untyped value takes the type of the
// other side.
func (m *machine) generalCompare(op comparison, a, b Item) bool {
	if a.typ.text() && b.typ.text() {
		if op == opEq || op == opNe {
			return (m.equalText(a.text(), b.text())) == (op == opEq)
		}
	} else if a.typ == XSUntypedAtomic {
		a = castOperand(a, b.typ)
	} else if b.typ == XSUntypedAtomic {
		b = castOperand(b, a.typ)
	}
	c, ok, nan := m.order(a, b, op >= opLt, m.coll)
	if !ok {
		fail("XPTY0004", "%s and %s cannot be compared with %s", a.typ, b.typ, comparisonNames[op][1])
	}
	if nan {
		return op == opNe
	}
	return op.holds(c)
}

func (m *machine) equalText(a, b string) bool {
	if m.coll == nil {
		return a == b
	}
	return m.coll.compare(a, b) == 0
}

func castOperand(untyped Item, t Type) Item {
	switch {
	case t.numeric():
		f, ok := parseDouble(space(untyped.text()), 64)
		if !ok {
			panic(castError(untyped, XSDouble, badForm))
		}
		return DoubleItem(f)
	case t.integer():
		t = XSDouble
	case t.str():
		t = XSString
	}
	return mustCast(untyped, t)
}

// sameKey reports equality as fn:distinct-values and fn:index-of see it: what cannot be compared differs, and NaN is
// NaN where asked.
func (m *machine) sameKey(a, b Item, nanEqual bool, coll collation) bool {
	if nanEqual && a.typ.float() && b.typ.float() && math.IsNaN(a.float()) && math.IsNaN(b.float()) {
		return true
	}
	c, ok, nan := m.order(a, b, false, coll)
	return ok && !nan && c == 0
}
