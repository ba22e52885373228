// Package decimal computes with exact decimal numbers of up to 38 digits, as xs:decimal does: the arithmetic that
// amounts, quantities and rates of business documents need.
//
// A [Decimal] is a plain value. A fraction that needs more than 38 digits is cut off there, so that what it is rounded
// to, and how it compares with shorter numbers, stays what it was. What cannot be represented, and what is computed from
// it, is [NaN], which is equal to nothing and ordered before nothing: a check of a sum over a number nobody can read fails
// instead of passing.
package decimal

import (
	"encoding/binary"
	"math/big"
	"math/bits"
)

// maxScale is the largest number of digits behind the point: products of two amounts with prices stay below it.
const maxScale = 38

// Decimal is (-1)^neg × (hi·2^64+lo) × 10^-scale. The zero value is 0.
type Decimal struct {
	hi, lo uint64
	scale  uint8
	neg    bool
	nan    bool
}

// NaN is the value of what is no number.
var NaN = Decimal{nan: true}

// New returns coefficient × 10^-scale.
func New(coefficient int64, scale uint8) Decimal {
	d := Decimal{lo: uint64(coefficient), scale: scale}
	if coefficient < 0 {
		d.neg, d.lo = true, -uint64(coefficient)
	}
	return d
}

// Read reads an optional sign, digits, and an optional point among them; white space around it is allowed. What is no such
// number, or has more than 38 digits before the point, is NaN.
func Read(s string) Decimal {
	for len(s) > 0 && space(s[0]) {
		s = s[1:]
	}
	for len(s) > 0 && space(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	var d Decimal
	if len(s) > 0 && (s[0] == '-' || s[0] == '+') {
		d.neg = s[0] == '-'
		s = s[1:]
	}
	digits, point, full, rest := 0, false, false, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '.' && !point:
			point = true
		case c < '0' || c > '9':
			return NaN
		default:
			digits++
			switch {
			case full || point && d.scale == maxScale:
				full, rest = true, rest || c != '0'
				continue
			case d.hi == 0 && d.lo < 1<<59: // times ten still fits one word
				d.lo = d.lo*10 + uint64(c-'0')
			case d.shift(uint64(c - '0')):
			case point:
				full, rest = true, c != '0'
				continue
			default:
				return NaN
			}
			if point {
				d.scale++
			}
		}
	}
	if digits == 0 {
		return NaN
	}
	return d.cut(rest).unsign()
}

// cut marks that digits other than zeros were left out behind the last: a last digit of 0 or 5 becomes 1 or 6, so that
// nothing takes the number for one that ends there, or for the middle between two.
func (d Decimal) cut(rest bool) Decimal {
	if rest {
		if _, last := d.div(10); last%5 == 0 {
			lo, carry := bits.Add64(d.lo, 1, 0)
			d.lo, d.hi = lo, d.hi+carry
		}
	}
	return d
}

// fit makes a decimal of a magnitude of any size, cut off where it must be.
func fit(m *big.Int, scale int, neg bool) Decimal {
	over := max(0, scale-maxScale, (m.BitLen()-128)*1233>>12) // digits that do not fit; 1233/4096 is the logarithm of 2
	rest := false
	for over > 0 || m.BitLen() > 128 {
		over = max(1, over)
		q, r := new(big.Int).QuoRem(m, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(over)), nil), new(big.Int))
		m, rest, scale, over = q, rest || r.Sign() != 0, scale-over, 0
	}
	if scale < 0 {
		return NaN
	}
	var octets [16]byte
	m.FillBytes(octets[:])
	d := Decimal{hi: binary.BigEndian.Uint64(octets[:8]), lo: binary.BigEndian.Uint64(octets[8:]), scale: uint8(scale), neg: neg}
	return d.cut(rest).unsign()
}

// magnitudes returns both numbers without sign at the larger scale, which they have then.
func magnitudes(a, b Decimal) (x, y *big.Int, scale int) {
	x, y, scale = a.magnitude(), b.magnitude(), int(max(a.scale, b.scale))
	ten := big.NewInt(10)
	x.Mul(x, new(big.Int).Exp(ten, big.NewInt(int64(scale)-int64(a.scale)), nil))
	y.Mul(y, new(big.Int).Exp(ten, big.NewInt(int64(scale)-int64(b.scale)), nil))
	return x, y, scale
}

// addWide is Add of numbers too long to be brought to one scale.
func (a Decimal) addWide(b Decimal) Decimal {
	x, y, scale := magnitudes(a, b)
	if a.neg {
		x.Neg(x)
	}
	if b.neg {
		y.Neg(y)
	}
	x.Add(x, y)
	return fit(new(big.Int).Abs(x), scale, x.Sign() < 0)
}

func space(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

// shift multiplies by ten and adds a digit, and reports whether that fits.
func (d *Decimal) shift(digit uint64) bool {
	h1, l1 := bits.Mul64(d.lo, 10)
	h2, l2 := bits.Mul64(d.hi, 10)
	hi, carry := bits.Add64(l2, h1, 0)
	if h2 != 0 || carry != 0 {
		return false
	}
	lo, carry := bits.Add64(l1, digit, 0)
	hi, carry = bits.Add64(hi, 0, carry)
	if carry != 0 {
		return false
	}
	d.hi, d.lo = hi, lo
	return true
}

func (d Decimal) unsign() Decimal {
	if d.hi|d.lo == 0 {
		d.neg = false
	}
	return d
}

// align brings both to the larger scale.
func align(a, b Decimal) (Decimal, Decimal, bool) {
	for a.scale < b.scale {
		if !a.shift(0) {
			return a, b, false
		}
		a.scale++
	}
	for b.scale < a.scale {
		if !b.shift(0) {
			return a, b, false
		}
		b.scale++
	}
	return a, b, true
}

// trim drops zeros at the end, down to the scale given.
func (d Decimal) trim(scale uint8) Decimal {
	for d.scale > scale {
		q, r := d.div(10)
		if r != 0 {
			return d
		}
		d.hi, d.lo = q.hi, q.lo
		d.scale--
	}
	return d
}

// div divides the coefficient by a small number.
func (d Decimal) div(n uint64) (Decimal, uint64) {
	hi, r := d.hi/n, d.hi%n
	d.hi = hi
	d.lo, r = bits.Div64(r, d.lo, n)
	return d, r
}

// Add returns a + b.
func (a Decimal) Add(b Decimal) Decimal {
	if a.nan || b.nan {
		return NaN
	}
	if a.scale != b.scale {
		var ok bool
		if a, b, ok = align(a, b); !ok {
			if a, b, ok = align(a.trim(0), b.trim(0)); !ok {
				return a.addWide(b)
			}
		}
	}
	if a.neg == b.neg {
		lo, carry := bits.Add64(a.lo, b.lo, 0)
		hi, carry := bits.Add64(a.hi, b.hi, carry)
		if carry != 0 {
			return a.addWide(b)
		}
		a.hi, a.lo = hi, lo
		return a
	}
	if a.less(b) {
		a, b = b, a
	}
	lo, borrow := bits.Sub64(a.lo, b.lo, 0)
	a.hi, _ = bits.Sub64(a.hi, b.hi, borrow)
	a.lo = lo
	return a.unsign()
}

// less compares coefficients.
func (a Decimal) less(b Decimal) bool { return a.hi < b.hi || a.hi == b.hi && a.lo < b.lo }

// Neg returns -a.
func (a Decimal) Neg() Decimal {
	a.neg = !a.neg
	return a.unsign()
}

// Sub returns a - b.
func (a Decimal) Sub(b Decimal) Decimal { return a.Add(b.Neg()) }

// Abs returns a without its sign.
func (a Decimal) Abs() Decimal {
	a.neg = false
	return a
}

// Mul returns a × b.
func (a Decimal) Mul(b Decimal) Decimal {
	if a.nan || b.nan {
		return NaN
	}
	if a.hi|b.hi != 0 || int(a.scale)+int(b.scale) > maxScale {
		a, b = a.trim(0), b.trim(0)
	}
	if a.hi != 0 {
		a, b = b, a
	}
	if a.hi != 0 || int(a.scale)+int(b.scale) > maxScale {
		return a.mulWide(b)
	}
	h1, l1 := bits.Mul64(a.lo, b.lo)
	h2, l2 := bits.Mul64(a.lo, b.hi)
	hi, carry := bits.Add64(h1, l2, 0)
	if h2 != 0 || carry != 0 {
		return a.mulWide(b)
	}
	return Decimal{hi: hi, lo: l1, scale: a.scale + b.scale, neg: a.neg != b.neg}.unsign()
}

// mulWide is Mul of numbers whose product is too long.
func (a Decimal) mulWide(b Decimal) Decimal {
	m := a.magnitude()
	return fit(m.Mul(m, b.magnitude()), int(a.scale)+int(b.scale), a.neg != b.neg)
}

// Quo returns a / b, cut off after at least 18 digits behind the point, as implementations of xs:decimal do.
func (a Decimal) Quo(b Decimal) Decimal {
	if a.nan || b.nan || b.hi|b.lo == 0 {
		return NaN
	}
	b = b.trim(0)
	if b.hi != 0 {
		return a.quoWide(b)
	}
	whole, neg := a, a.neg != b.neg
	scale := int(a.scale) - int(b.scale)
	q, r := a.div(b.lo)
	for scale < 18 || r != 0 && scale < 18 {
		if r == 0 && scale >= 0 {
			break
		}
		h, l := bits.Mul64(r, 10)
		digit, rest := bits.Div64(h, l, b.lo)
		if !q.shift(digit) {
			return whole.quoWide(b)
		}
		r = rest
		scale++
	}
	for scale < 0 {
		if !q.shift(0) {
			return NaN
		}
		scale++
	}
	q.scale, q.neg = uint8(scale), neg
	return q.unsign()
}

// quoWide is Quo of numbers, or with a result, of more digits than amounts have.
func (a Decimal) quoWide(b Decimal) Decimal {
	scale := max(18, int(a.scale)-int(b.scale))
	q := a.magnitude()
	q.Mul(q, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale-int(a.scale)+int(b.scale))), nil))
	q.Quo(q, b.magnitude())
	return fit(q, scale, a.neg != b.neg).trim(0)
}

func (a Decimal) magnitude() *big.Int {
	var octets [16]byte
	binary.BigEndian.PutUint64(octets[:8], a.hi)
	binary.BigEndian.PutUint64(octets[8:], a.lo)
	return new(big.Int).SetBytes(octets[:])
}

// Cmp returns -1, 0 or 1, and false when either is NaN.
func (a Decimal) Cmp(b Decimal) (int, bool) {
	if a.nan || b.nan {
		return 0, false
	}
	if a.neg != b.neg {
		if a.neg {
			return -1, true
		}
		return 1, true
	}
	if a.scale != b.scale {
		var ok bool
		if a, b, ok = align(a, b); !ok {
			if a, b, ok = align(a.trim(0), b.trim(0)); !ok {
				x, y, _ := magnitudes(a, b)
				c := x.Cmp(y)
				if a.neg {
					c = -c
				}
				return c, true
			}
		}
	}
	c := 0
	switch {
	case a.less(b):
		c = -1
	case b.less(a):
		c = 1
	}
	if a.neg {
		c = -c
	}
	return c, true
}

// Equal reports whether both are numbers and the same.
func (a Decimal) Equal(b Decimal) bool { c, ok := a.Cmp(b); return ok && c == 0 }

// Less reports whether both are numbers and a < b.
func (a Decimal) Less(b Decimal) bool { c, ok := a.Cmp(b); return ok && c < 0 }

// LessEqual reports whether both are numbers and a ≤ b.
func (a Decimal) LessEqual(b Decimal) bool { c, ok := a.Cmp(b); return ok && c <= 0 }

// Sign returns -1, 0 or 1; NaN has 0.
func (a Decimal) Sign() int {
	switch {
	case a.nan || a.hi|a.lo == 0:
		return 0
	case a.neg:
		return -1
	}
	return 1
}

// IsNaN reports whether a is no number.
func (a Decimal) IsNaN() bool { return a.nan }

// IsZero reports whether a is the number 0.
func (a Decimal) IsZero() bool { return !a.nan && a.hi|a.lo == 0 }

// Scale returns the digits behind the point, zeros at the end included.
func (a Decimal) Scale() int { return int(a.scale) }

// Round returns a with at most the given digits behind the point; a half goes towards positive infinity.
func (a Decimal) Round(scale uint8) Decimal {
	if a.nan || a.scale <= scale {
		return a
	}
	var last uint64
	rest := false
	for a.scale > scale {
		rest = rest || last != 0
		a, last = a.div(10)
		a.scale--
	}
	if last > 5 || last == 5 && (rest || !a.neg) {
		lo, carry := bits.Add64(a.lo, 1, 0)
		a.lo, a.hi = lo, a.hi+carry
	}
	return a.unsign()
}

// Fix returns a with exactly the given digits behind the point.
func (a Decimal) Fix(scale uint8) Decimal {
	a = a.Round(scale)
	for !a.nan && a.scale < scale {
		if !a.shift(0) {
			return NaN
		}
		a.scale++
	}
	return a
}

// Normal returns a without zeros at the end of its fraction: equal numbers become equal values.
func (a Decimal) Normal() Decimal { return a.trim(0) }

// String writes a with all its digits, "NaN" for no number.
func (a Decimal) String() string {
	if a.nan {
		return "NaN"
	}
	var buf [48]byte
	i := len(buf)
	for n := 0; n <= int(a.scale) || a.hi|a.lo != 0; n++ {
		if n == int(a.scale) && n > 0 {
			i--
			buf[i] = '.'
		}
		var r uint64
		a, r = a.div(10)
		i--
		buf[i] = '0' + byte(r)
	}
	if a.neg {
		i--
		buf[i] = '-'
	}
	return string(buf[i:])
}
