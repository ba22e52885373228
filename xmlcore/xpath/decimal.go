package xpath

import (
	"math"
	"math/big"
	"math/bits"
	"strconv"
	"strings"
	"unsafe"
)

// A decimal is digits and a scale: v / 10^scale. Both fit the item itself as long as the digits are within int64;
// all else is exact with big integers. Only division rounds.

// bigDecimal is a decimal whose digits are beyond int64.
type bigDecimal struct {
	v     *big.Int
	scale int
}

const (
	smallScale    = 18    // most digits after the point of a decimal without big integers
	divisionScale = 18    // digits after the point that a division keeps at least [FO 6.2]
	maxScale      = 400   // digits after the point that any decimal keeps
	maxBits       = 33000 // about ten thousand digits; beyond is FOAR0002
)

var pow10 = func() (p [smallScale + 1]int64) {
	p[0] = 1
	for i := 1; i < len(p); i++ {
		p[i] = p[i-1] * 10
	}
	return
}()

func bigPow10(n int) *big.Int {
	if n <= smallScale {
		return big.NewInt(pow10[n])
	}
	return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil)
}

// decimalItem makes a decimal, small if possible.
func decimalItem(v *big.Int, scale int) Item {
	if scale > maxScale {
		v, scale = quoNearest(v, bigPow10(scale-maxScale), true), maxScale
	}
	if v.IsInt64() && scale <= smallScale {
		return Item{typ: XSDecimal, n: v.Int64(), scale: uint8(scale)}
	}
	if v.BitLen() > maxBits {
		fail("FOAR0002", "number with more than ten thousand digits")
	}
	v, scale = short(v, scale)
	if v.IsInt64() && scale <= smallScale {
		return Item{typ: XSDecimal, n: v.Int64(), scale: uint8(scale)}
	}
	return Item{typ: XSDecimal, p: unsafe.Pointer(&bigDecimal{v, scale})}
}

func integerItem(v *big.Int) Item {
	if v.BitLen() > maxBits {
		fail("FOAR0002", "number with more than ten thousand digits")
	}
	return bigItem(XSInteger, v)
}

// digits returns a decimal or integer as digits and scale.
func digits(it Item) (v *big.Int, scale int) {
	if it.p == nil {
		return big.NewInt(it.n), int(it.scale)
	}
	if it.typ == XSDecimal {
		return it.bigDec().v, it.bigDec().scale
	}
	return it.bigInt(), 0
}

func align(a, b Item) (x, y *big.Int, scale int) {
	x, xs := digits(a)
	y, ys := digits(b)
	switch {
	case xs < ys:
		return new(big.Int).Mul(x, bigPow10(ys-xs)), y, ys
	case ys < xs:
		return x, new(big.Int).Mul(y, bigPow10(xs-ys)), xs
	}
	return x, y, xs
}

// alignSmall brings two small decimals to one scale; ok is false when the digits do not fit.
func alignSmall(a, b Item) (x, y int64, scale uint8, ok bool) {
	x, y = a.n, b.n
	if a.p != nil || b.p != nil {
		return 0, 0, 0, false
	}
	switch {
	case a.scale < b.scale:
		x, ok = mul64(x, pow10[b.scale-a.scale])
		return x, y, b.scale, ok
	case b.scale < a.scale:
		y, ok = mul64(y, pow10[a.scale-b.scale])
		return x, y, a.scale, ok
	}
	return x, y, a.scale, true
}

func mul64(a, b int64) (int64, bool) {
	hi, lo := bits.Mul64(abs64(a), abs64(b))
	if hi != 0 || lo > math.MaxInt64 {
		return 0, false
	}
	if (a < 0) != (b < 0) {
		return -int64(lo), true
	}
	return int64(lo), true
}

func abs64(a int64) uint64 {
	if a < 0 {
		return -uint64(a)
	}
	return uint64(a)
}

func add64(a, b int64) (int64, bool) {
	c := a + b
	return c, (c > a) == (b > 0)
}

func addDecimal(a, b Item) Item {
	if x, y, s, ok := alignSmall(a, b); ok {
		if c, ok := add64(x, y); ok {
			return Item{typ: XSDecimal, n: c, scale: s}
		}
	}
	x, y, s := align(a, b)
	return decimalItem(new(big.Int).Add(x, y), s)
}

func negDecimal(a Item) Item {
	if a.p == nil && a.n != math.MinInt64 {
		a.n = -a.n
		return a
	}
	v, s := digits(a)
	return decimalItem(new(big.Int).Neg(v), s)
}

func mulDecimal(a, b Item) Item {
	if a.p == nil && b.p == nil && a.scale+b.scale <= smallScale {
		if c, ok := mul64(a.n, b.n); ok {
			return Item{typ: XSDecimal, n: c, scale: a.scale + b.scale}
		}
	}
	x, xs := digits(a)
	y, ys := digits(b)
	return decimalItem(new(big.Int).Mul(x, y), xs+ys)
}

// divDecimal divides, exactly where the quotient ends within 18 digits after the point and as many more as the dividend
// has over the divisor, else rounded there to the nearest, halves towards zero: as Saxon does, by which published rules
// are judged.
func divDecimal(a, b Item) Item {
	if a.p == nil && b.p == nil && b.n > 0 {
		for s, p := range pow10 {
			if p == b.n && s+int(a.scale) <= smallScale { // a power of ten moves the point
				scale := int(a.scale) + s - int(b.scale)
				if scale >= 0 {
					return Item{typ: XSDecimal, n: a.n, scale: uint8(scale)}
				}
			}
			if p >= b.n {
				break
			}
		}
		if a.n%b.n == 0 && a.scale >= b.scale {
			return Item{typ: XSDecimal, n: a.n / b.n, scale: a.scale - b.scale}
		}
	}
	x, xs := shortDigits(a)
	y, ys := shortDigits(b)
	scale := divisionScale + max(0, xs-ys)
	// x/10^xs / (y/10^ys) = x*10^(ys-xs) / y, wanted with scale digits
	if shift := scale + ys - xs; shift >= 0 {
		x = new(big.Int).Mul(x, bigPow10(shift))
	} else {
		y = new(big.Int).Mul(y, bigPow10(-shift))
	}
	return trim(quoNearest(x, y, false), scale)
}

// trim makes a decimal without zeros at its end.
func trim(v *big.Int, scale int) Item { return decimalItem(short(v, scale)) }

// short drops zeros at the end of the digits after the point.
func short(v *big.Int, scale int) (*big.Int, int) {
	var q, r big.Int
	ten := big.NewInt(10)
	for scale > 0 {
		if q.QuoRem(v, ten, &r); r.Sign() != 0 {
			break
		}
		v, scale = new(big.Int).Set(&q), scale-1
	}
	return v, scale
}

func shortDigits(it Item) (*big.Int, int) {
	if it.p != nil {
		v, s := digits(it)
		return short(v, s)
	}
	n, s := it.n, int(it.scale)
	for s > 0 && n%10 == 0 {
		n, s = n/10, s-1
	}
	return big.NewInt(n), s
}

// quoNearest divides to the nearest integer; halves go to the even one or towards zero.
func quoNearest(x, y *big.Int, even bool) *big.Int {
	q, r := new(big.Int).QuoRem(x, y, new(big.Int))
	r.Abs(r).Lsh(r, 1)
	switch r.CmpAbs(y) {
	case 0:
		if !even || q.Bit(0) == 0 {
			return q
		}
	case -1:
		return q
	}
	if x.Sign()*y.Sign() < 0 {
		return q.Sub(q, big.NewInt(1))
	}
	return q.Add(q, big.NewInt(1))
}

func cmpDecimal(a, b Item) int {
	if x, y, _, ok := alignSmall(a, b); ok {
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	}
	x, y, _ := align(a, b)
	return x.Cmp(y)
}

func signDecimal(a Item) int {
	if a.p == nil {
		switch {
		case a.n < 0:
			return -1
		case a.n > 0:
			return 1
		}
		return 0
	}
	v, _ := digits(a)
	return v.Sign()
}

// rounding says which way a decimal goes when it loses digits.
type rounding uint8

const (
	toFloor rounding = iota
	toCeiling
	toZero
	halfUp   // halves towards positive infinity [FO 6.4.4]
	halfEven // [FO 6.4.5]
)

// roundDecimal keeps so many digits after the point; a negative number rounds before it.
func roundDecimal(a Item, keep int, how rounding) Item {
	if a.p == nil && keep >= 0 {
		if int(a.scale) <= keep {
			return a
		}
		unit := pow10[int(a.scale)-keep]
		q := floorDiv(a.n, unit)
		if r := a.n - q*unit; roundsUp(how, a.n, q, sign(r-(unit-r)), r != 0) {
			q++
		}
		return Item{typ: XSDecimal, n: q, scale: uint8(keep)}
	}
	v, s := digits(a)
	if s <= keep {
		return a
	}
	if s-keep > 2*maxScale+maxBits {
		return Item{typ: XSDecimal}
	}
	unit := bigPow10(s - keep)
	q, r := new(big.Int).DivMod(v, unit, new(big.Int)) // floor: 0 <= r < unit
	some := r.Sign() != 0
	if roundsUp(how, int64(v.Sign()), int64(q.Bit(0)), r.Lsh(r, 1).Cmp(unit), some) {
		q.Add(q, big.NewInt(1))
	}
	if keep < 0 {
		return decimalItem(q.Mul(q, bigPow10(-keep)), 0)
	}
	return decimalItem(q, keep)
}

// roundsUp decides from the sign of the value, its floor, how the rest compares with a half, and whether there is a rest.
func roundsUp(how rounding, v, floor int64, half int, some bool) bool {
	switch how {
	case toCeiling:
		return some
	case toZero:
		return some && v < 0
	case halfUp:
		return half >= 0
	case halfEven:
		return half > 0 || half == 0 && floor&1 == 1
	}
	return false
}

// decimalToInteger cuts the digits after the point.
func decimalToInteger(a Item) Item {
	if a.p == nil && a.scale <= smallScale {
		return IntegerItem(a.n / pow10[a.scale])
	}
	v, s := digits(a)
	return integerItem(new(big.Int).Quo(v, bigPow10(s)))
}

// appendDecimal writes without exponent and without zeros at the end [FO 17.1.2].
func decimalString(a Item) string {
	if a.p == nil && a.scale == 0 {
		return strconv.FormatInt(a.n, 10)
	}
	v, s := digits(a)
	t := v.String()
	sign := ""
	if t[0] == '-' {
		sign, t = "-", t[1:]
	}
	if len(t) <= s {
		t = strings.Repeat("0", s-len(t)+1) + t
	}
	whole, frac := t[:len(t)-s], strings.TrimRight(t[len(t)-s:], "0")
	if frac == "" {
		if whole == "0" {
			return "0"
		}
		return sign + whole
	}
	return sign + whole + "." + frac
}

// parseDecimal reads the lexical form of xs:decimal, already without white space around [XSD2 3.2.3].
func parseDecimal(s string) (Item, bool) {
	i, neg := 0, false
	if i < len(s) && (s[i] == '-' || s[i] == '+') {
		neg = s[i] == '-'
		i++
	}
	var n int64
	var count, after int
	point, fits := false, true
	for ; i < len(s); i++ {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			count++
			if point {
				after++
			}
			if n > (math.MaxInt64-9)/10 {
				fits = false
			}
			n = n*10 + int64(c-'0')
		case c == '.' && !point:
			point = true
		default:
			return Item{}, false
		}
	}
	if count == 0 {
		return Item{}, false
	}
	if neg {
		n = -n
	}
	if fits && after <= smallScale {
		return Item{typ: XSDecimal, n: n, scale: uint8(after)}, true
	}
	if count > maxBits/4 {
		fail("FOAR0002", "number with %d digits", count)
	}
	v, ok := new(big.Int).SetString(strings.Replace(strings.TrimPrefix(s, "+"), ".", "", 1), 10)
	if !ok {
		return Item{}, false
	}
	return decimalItem(v, after), true
}

// parseInteger reads the lexical form of xs:integer.
func parseInteger(s string) (Item, bool) {
	d := s
	if d != "" && (d[0] == '-' || d[0] == '+') {
		d = d[1:]
	}
	if d == "" {
		return Item{}, false
	}
	for i := range len(d) {
		if d[i] < '0' || d[i] > '9' {
			return Item{}, false
		}
	}
	it, ok := parseDecimal(s)
	if !ok {
		return it, false
	}
	if it.p == nil {
		return IntegerItem(it.n), true
	}
	return integerItem(it.bigDec().v), true
}
