package xpath

import (
	"math"
	"math/big"
	"strconv"
	"strings"
)

// toFloat promotes any number to a double.
func toFloat(it Item) float64 {
	switch {
	case it.typ.float():
		return it.float()
	case it.p == nil && it.scale == 0:
		return float64(it.n)
	case it.p == nil && it.n > -1<<53 && it.n < 1<<53 && it.scale <= 22:
		return float64(it.n) / float64(pow10[it.scale]) // both exact, so rounded once
	case it.typ.integer():
		f, _ := new(big.Float).SetInt(it.bigInt()).Float64()
		return f
	}
	f, _ := strconv.ParseFloat(decimalString(it), 64)
	return f
}

// parseDouble reads the lexical form of xs:double and xs:float [XSD2 3.2.4, 3.2.5].
func parseDouble(s string, bits int) (float64, bool) {
	// the short decimals that documents are full of
	var n int64
	i, neg := 0, false
	if i < len(s) && (s[i] == '-' || s[i] == '+') {
		neg = s[i] == '-'
		i++
	}
	start, point := i, -1
	for ; i < len(s); i++ {
		if c := s[i]; c >= '0' && c <= '9' {
			n = n*10 + int64(c-'0')
		} else if c == '.' && point < 0 {
			point = i
		} else {
			break
		}
	}
	if i == len(s) && i-start <= 16 {
		count, after := i-start, 0
		if point >= 0 {
			count--
			after = i - point - 1
		}
		if count == 0 {
			return 0, false
		}
		if n < 1<<53 && bits == 64 {
			f := float64(n)
			if after > 0 {
				f /= float64(pow10[after])
			}
			if neg {
				f = -f
			}
			return f, true
		}
	}
	switch s {
	case "INF":
		return math.Inf(1), true
	case "-INF":
		return math.Inf(-1), true
	case "NaN":
		return math.NaN(), true
	case "":
		return 0, false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && c != '.' && c != 'e' && c != 'E' && c != '-' && c != '+' {
			return 0, false
		}
	}
	f, err := strconv.ParseFloat(s, bits)
	if err != nil && !math.IsInf(f, 0) {
		return 0, false
	}
	return f, true
}

// doubleString writes a double or float as F&O casts it: decimal between 1e-6 and 1e6, else with exponent
// [FO 17.1.2].
func doubleString(f float64, bits int) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "INF"
	case math.IsInf(f, -1):
		return "-INF"
	case f == 0:
		if math.Signbit(f) {
			return "-0"
		}
		return "0"
	}
	if a := math.Abs(f); a >= 1e-6 && a < 1e6 {
		return strconv.FormatFloat(f, 'f', -1, bits)
	}
	s := strconv.FormatFloat(f, 'E', -1, bits)
	mant, exp, _ := strings.Cut(s, "E")
	if !strings.Contains(mant, ".") {
		mant += ".0"
	}
	e, _ := strconv.Atoi(exp)
	return mant + "E" + strconv.Itoa(e)
}

// floatToDecimal gives the exact decimal value of a finite double.
func floatToDecimal(f float64) Item {
	if f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		return Item{typ: XSDecimal, n: int64(f)}
	}
	if math.Abs(f) < 1e-300 {
		return Item{typ: XSDecimal}
	}
	r := new(big.Rat).SetFloat64(f)
	// the denominator is a power of two: as many digits after the point as it has bits
	scale := r.Denom().BitLen() - 1
	v := new(big.Int).Mul(r.Num(), bigPow10(scale))
	return trim(v.Quo(v, r.Denom()), scale)
}

func floatToInteger(f float64) Item {
	if math.Abs(f) < 1<<62 {
		return IntegerItem(int64(f))
	}
	if math.IsInf(f, 0) || math.IsNaN(f) {
		fail("FOAR0002", "%s is no integer", doubleString(f, 64))
	}
	b, _ := new(big.Float).SetFloat64(math.Trunc(f)).Int(nil)
	return integerItem(b)
}

// roundFloat rounds to so many digits after the point.
func roundFloat(f float64, keep int, how rounding) float64 {
	if f == 0 || math.IsNaN(f) || math.IsInf(f, 0) {
		return f
	}
	if keep == 0 {
		switch how {
		case halfUp:
			if math.Abs(f) >= 1<<52 {
				return f
			}
			g := math.Floor(f)
			if f-g >= 0.5 {
				g++
			}
			return math.Copysign(g, f)
		case halfEven:
			return math.RoundToEven(f)
		}
	}
	if keep > 330 || math.Abs(f) >= 1<<53 && keep > 0 {
		return f
	}
	if keep < -310 {
		return math.Copysign(0, f)
	}
	g := toFloat(roundDecimal(floatToDecimal(f), keep, how)) // by the exact value [FO 6.4.5]
	return math.Copysign(g, f)
}

// doubleParts gives the shortest digits that stand for a double, and the power of ten behind them.
func doubleParts(f float64, bits int) (digits string, exp int) {
	mant, e, _ := strings.Cut(strconv.FormatFloat(f, 'e', -1, bits), "e")
	exp, _ = strconv.Atoi(e)
	if i := strings.IndexByte(mant, '.'); i >= 0 {
		exp -= len(mant) - i - 1
		mant = mant[:i] + mant[i+1:]
	}
	return mant, exp
}
