package xpath

import (
	"math"
	"math/big"
	"strconv"
)

type arithmetic uint8

const (
	opAdd arithmetic = iota
	opSub
	opMul
	opDiv
	opIDiv
	opMod
)

var arithmeticNames = [...]string{"+", "-", "*", "div", "idiv", "mod"}

// compute applies an arithmetic operator to two atomic values [XPath20 3.4, FO 6.2, 10].
func (m *machine) compute(op arithmetic, a, b Item) Item {
	if a.typ == XSUntypedAtomic {
		a = castOperand(a, XSDouble)
	}
	if b.typ == XSUntypedAtomic {
		b = castOperand(b, XSDouble)
	}
	s, t := a.typ, b.typ
	if s.numeric() && t.numeric() {
		switch {
		case s.integer() && t.integer():
			return computeInteger(op, a, b)
		case s.decimal() && t.decimal():
			return computeDecimal(op, a, b)
		case s == XSDouble || t == XSDouble:
			return computeFloat(op, toFloat(a), toFloat(b), false)
		}
		return computeFloat(op, float64(float32(toFloat(a))), float64(float32(toFloat(b))), true)
	}
	if r, ok := m.computeTime(op, a, b); ok {
		return r
	}
	fail("XPTY0004", "%s %s %s is not defined", s, arithmeticNames[op], t)
	return Item{}
}

func computeInteger(op arithmetic, a, b Item) Item {
	if a.p == nil && b.p == nil {
		var r int64
		ok := false
		switch op {
		case opAdd:
			r, ok = add64(a.n, b.n)
			ok = ok || b.n == 0
		case opSub:
			if b.n != math.MinInt64 {
				r, ok = add64(a.n, -b.n)
				ok = ok || b.n == 0
			}
		case opMul:
			r, ok = mul64(a.n, b.n)
		case opIDiv:
			if b.n != 0 && b.n != -1 {
				r, ok = a.n/b.n, true
			}
		case opMod:
			if b.n != 0 && b.n != -1 {
				r, ok = a.n%b.n, true
			}
		}
		if ok {
			return IntegerItem(r)
		}
	}
	if op == opDiv {
		a.typ, b.typ = XSDecimal, XSDecimal
		if a.p != nil {
			a = decimalItem(Item{typ: XSInteger, p: a.p}.bigInt(), 0)
		}
		if b.p != nil {
			b = decimalItem(Item{typ: XSInteger, p: b.p}.bigInt(), 0)
		}
		return computeDecimal(op, a, b)
	}
	x, y, z := a.bigInt(), b.bigInt(), new(big.Int)
	switch op {
	case opAdd:
		z.Add(x, y)
	case opSub:
		z.Sub(x, y)
	case opMul:
		z.Mul(x, y)
	default:
		if y.Sign() == 0 {
			fail("FOAR0001", "division by zero")
		}
		if op == opIDiv {
			z.Quo(x, y)
		} else {
			z.Rem(x, y)
		}
	}
	return integerItem(z)
}

func computeDecimal(op arithmetic, a, b Item) Item {
	switch op {
	case opAdd:
		return addDecimal(a, b)
	case opSub:
		return addDecimal(a, negDecimal(b))
	case opMul:
		return mulDecimal(a, b)
	}
	if signDecimal(b) == 0 {
		fail("FOAR0001", "division by zero")
	}
	if op == opDiv {
		return divDecimal(a, b)
	}
	x, y, s := align(a, b)
	if op == opIDiv {
		return integerItem(new(big.Int).Quo(x, y))
	}
	return decimalItem(new(big.Int).Rem(x, y), s)
}

func computeFloat(op arithmetic, x, y float64, single bool) Item {
	var r float64
	switch op {
	case opAdd:
		r = x + y
	case opSub:
		r = x - y
	case opMul:
		r = x * y
	case opDiv:
		r = x / y
	case opMod:
		r = math.Mod(x, y)
	case opIDiv:
		if y == 0 {
			fail("FOAR0001", "division by zero")
		}
		if math.IsNaN(x) || math.IsNaN(y) || math.IsInf(x, 0) {
			fail("FOAR0002", "%s idiv %s has no value", doubleString(x, 64), doubleString(y, 64))
		}
		if math.IsInf(y, 0) {
			return IntegerItem(0)
		}
		q := x / y
		if single {
			q = float64(float32(q))
		}
		return floatToInteger(math.Trunc(q))
	}
	if single {
		return floatItem(r)
	}
	return DoubleItem(r)
}

// computeTime is arithmetic of dates, times and durations [FO 10.6, 10.8].
func (m *machine) computeTime(op arithmetic, a, b Item) (Item, bool) {
	s, t := a.typ, b.typ
	ym := func(u Type) bool { return u == XSYearMonthDuration }
	dt := func(u Type) bool { return u == XSDayTimeDuration }
	switch {
	case op == opAdd && (ym(s) || dt(s)) && t.moment():
		return m.computeTime(op, b, a)
	case op == opMul && s.numeric() && (ym(t) || dt(t)):
		return m.computeTime(op, b, a)
	case (op == opAdd || op == opSub) && (ym(s) && ym(t) || dt(s) && dt(t)):
		x, y := *a.dur(), *b.dur()
		if op == opSub {
			y = y.negate()
		}
		return durationItem(s, makeDuration(x.months+y.months, x.sec+y.sec, int64(x.nano)+int64(y.nano))), true
	case (op == opAdd || op == opSub) && (ym(t) || dt(t)) && s.moment():
		d := *b.dur()
		if op == opSub {
			d = d.negate()
		}
		if ym(t) {
			if s.primitive() != XSDateTime && s != XSDate {
				return Item{}, false
			}
			return momentItem(s.primitive(), a.moment().addMonths(d.months)), true
		}
		if s.primitive() != XSDateTime && s != XSDate && s != XSTime {
			return Item{}, false
		}
		if s == XSTime {
			d.sec %= 86400
		}
		return momentItem(s.primitive(), a.moment().addSeconds(d.sec, d.nano).reduce(s)), true
	case op == opSub && s.moment() && s.primitive() == t.primitive() && (s.primitive() == XSDateTime || s == XSDate || s == XSTime):
		x, y := a.moment(), b.moment()
		return durationItem(XSDayTimeDuration, makeDuration(0, x.utc(m.zone())-y.utc(m.zone()), int64(x.nano)-int64(y.nano))), true
	case (op == opMul || op == opDiv) && (ym(s) || dt(s)) && t.numeric():
		return scaleDuration(a, b, op == opDiv), true
	case op == opDiv && (ym(s) && ym(t) || dt(s) && dt(t)):
		x, y := durationNumber(a), durationNumber(b)
		if signDecimal(y) == 0 {
			fail("FOAR0001", "division by a duration of zero")
		}
		return divDecimal(x, y), true
	}
	return Item{}, false
}

// durationNumber gives a duration in months or seconds.
func durationNumber(it Item) Item {
	d := it.dur()
	if it.typ == XSYearMonthDuration {
		return Item{typ: XSDecimal, n: d.months}
	}
	if d.nano == 0 {
		return Item{typ: XSDecimal, n: d.sec}
	}
	v := new(big.Int).Mul(big.NewInt(d.sec), big.NewInt(1e9))
	return decimalItem(v.Add(v, big.NewInt(int64(d.nano))), 9)
}

func scaleDuration(a, by Item, divide bool) Item {
	if by.typ.float() {
		f := by.float()
		switch {
		case math.IsNaN(f):
			fail("FOCA0005", "duration and NaN")
		case divide && f == 0, !divide && math.IsInf(f, 0):
			fail("FODT0002", "duration out of range")
		case math.IsInf(f, 0):
			return durationItem(a.typ, duration{})
		}
		d, ok := parseDecimal(strconv.FormatFloat(f, 'f', -1, 64))
		if !ok {
			d = floatToDecimal(f)
		}
		by = d
	} else if by.typ.integer() {
		by, _ = castNumber(by, XSDecimal)
	}
	n := durationNumber(a)
	if divide {
		if signDecimal(by) == 0 {
			fail("FODT0002", "duration divided by zero")
		}
		n = divDecimal(n, by)
	} else {
		n = mulDecimal(n, by)
	}
	if a.typ == XSYearMonthDuration {
		v, _ := digits(roundDecimal(n, 0, halfUp))
		if !v.IsInt64() {
			fail("FODT0002", "duration out of range")
		}
		return durationItem(a.typ, makeDuration(v.Int64(), 0, 0))
	}
	r := roundDecimal(n, 9, halfEven)
	v, s := digits(r)
	v = new(big.Int).Mul(v, bigPow10(9-s))
	sec, nano := new(big.Int).QuoRem(v, big.NewInt(1e9), new(big.Int))
	if !sec.IsInt64() {
		fail("FODT0002", "duration out of range")
	}
	return durationItem(a.typ, makeDuration(0, sec.Int64(), nano.Int64()))
}

// negate is the unary minus [FO 6.2.8].
func negate(a Item) Item {
	switch {
	case a.typ == XSDouble:
		return DoubleItem(-a.float())
	case a.typ == XSFloat:
		return floatItem(-a.float())
	case a.typ.integer():
		return computeInteger(opSub, IntegerItem(0), a)
	}
	return negDecimal(a)
}
