package xsd

import (
	"math"
	"strconv"
	"strings"
)

// prim is a primitive datatype [XSD2 3.2].
type prim uint8

const (
	pAny prim = iota // anySimpleType
	pString
	pBoolean
	pDecimal
	pFloat
	pDouble
	pDuration
	pDateTime
	pTime
	pDate
	pGYearMonth
	pGYear
	pGMonthDay
	pGDay
	pGMonth
	pHexBinary
	pBase64Binary
	pAnyURI
	pQName
	pNotation
)

// value is a value of an atomic type or a list of them.
type value struct {
	prim   prim
	isList bool
	s      string // text, canonical decimal, octets, {namespace}local
	f      float64
	t      moment
	d      duration
	list   []value
}

// key is equal for two values exactly if they are equal [XSD2 4.2.1].
func (v *value) key() string { return string(v.appendKey(nil)) }

func (v *value) appendKey(b []byte) []byte {
	if v.isList {
		b = append(b, '[')
		for i := range v.list {
			k := v.list[i].key()
			b = strconv.AppendInt(b, int64(len(k)), 10)
			b = append(append(b, ':'), k...)
		}
		return b
	}
	b = append(b, 'a'+byte(v.prim))
	switch v.prim {
	case pFloat, pDouble:
		switch {
		case math.IsNaN(v.f):
			return append(b, "NaN"...)
		case v.f == 0: // -0 is 0
			return append(b, '0')
		}
		return strconv.AppendFloat(b, v.f, 'g', -1, 64)
	case pDuration:
		return append(b, v.d.key()...)
	case pDateTime, pTime, pDate, pGYearMonth, pGYear, pGMonthDay, pGDay, pGMonth:
		return append(b, v.t.key()...)
	}
	return append(b, v.s...)
}

// compare orders two values of one ordered primitive type: -1, 0, 1; ok is false if they have no order.
func compare(a, b *value) (order int, ok bool) {
	switch a.prim {
	case pDecimal:
		return compareDecimal(a.s, b.s), true
	case pFloat, pDouble:
		switch {
		case math.IsNaN(a.f) && math.IsNaN(b.f):
			return 0, true
		case math.IsNaN(a.f) || math.IsNaN(b.f):
			return 0, false
		case a.f < b.f:
			return -1, true
		case a.f > b.f:
			return 1, true
		}
		return 0, true
	case pDuration:
		return a.d.compare(b.d)
	case pDateTime, pTime, pDate, pGYearMonth, pGYear, pGMonthDay, pGDay, pGMonth:
		return a.t.compare(b.t)
	}
	return 0, false
}

// decimal checks the lexical form of xs:decimal [XSD2 3.2.3]: digits before and after the point as written.
func decimal(s string) (whole, frac string, negative, ok bool) {
	if s != "" && (s[0] == '+' || s[0] == '-') {
		negative = s[0] == '-'
		s = s[1:]
	}
	i := digits(s)
	whole = s[:i]
	if i < len(s) {
		if s[i] != '.' {
			return "", "", false, false
		}
		frac = s[i+1:]
		if digits(frac) != len(frac) {
			return "", "", false, false
		}
	}
	return whole, frac, negative, whole != "" || frac != ""
}

// digits counts the leading decimal digits.
func digits(s string) int {
	i := 0
	for i < len(s) && s[i]-'0' <= 9 {
		i++
	}
	return i
}

// canonicalDecimal has no needless zeros, point or sign.
func canonicalDecimal(whole, frac string, negative bool) string {
	whole = strings.TrimLeft(whole, "0")
	frac = strings.TrimRight(frac, "0")
	if whole == "" && frac == "" {
		return "0"
	}
	sign, point := "", ""
	if negative {
		sign = "-"
	}
	if whole == "" {
		whole = "0"
	}
	if frac != "" {
		point = "."
	}
	if sign == "" && point == "" {
		return whole
	}
	return sign + whole + point + frac
}

// compareDecimal compares canonical decimals.
func compareDecimal(a, b string) int {
	an, bn := strings.HasPrefix(a, "-"), strings.HasPrefix(b, "-")
	switch {
	case an && !bn:
		return -1
	case bn && !an:
		return 1
	case an:
		return compareDecimal(b[1:], a[1:])
	}
	aw, af, _ := strings.Cut(a, ".")
	bw, bf, _ := strings.Cut(b, ".")
	if len(aw) != len(bw) {
		if len(aw) < len(bw) {
			return -1
		}
		return 1
	}
	if c := strings.Compare(aw, bw); c != 0 {
		return c
	}
	return strings.Compare(af, bf)
}

// parseFloat reads xs:float and xs:double [XSD2 3.2.4, 3.2.5].
func parseFloat(s string, bits int) (float64, bool) {
	switch s {
	case "INF":
		return math.Inf(1), true
	case "-INF":
		return math.Inf(-1), true
	case "NaN":
		return math.NaN(), true
	}
	mantissa, exponent := s, ""
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		mantissa, exponent = s[:i], s[i+1:]
		e := exponent
		if e != "" && (e[0] == '+' || e[0] == '-') {
			e = e[1:]
		}
		if e == "" || digits(e) != len(e) {
			return 0, false
		}
	}
	if _, _, _, ok := decimal(mantissa); !ok {
		return 0, false
	}
	f, _ := strconv.ParseFloat(s, bits) // out of range gives infinity or zero, as it should
	return f, true
}

// collapse removes white space at both ends and leaves one space between words [XSD2 4.3.6].
func collapse(s string) string {
	clean := true
	for i := 0; i < len(s); i++ {
		if c := s[i]; c == '\t' || c == '\n' || c == '\r' || c == ' ' && (i == 0 || i == len(s)-1 || s[i-1] == ' ') {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	s = strings.Trim(s, " \t\n\r")
	clean = true
	for i := 0; i < len(s); i++ {
		if c := s[i]; c == '\t' || c == '\n' || c == '\r' || c == ' ' && s[i-1] == ' ' {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case ' ', '\t', '\n', '\r':
			if out[len(out)-1] != ' ' {
				out = append(out, ' ')
			}
		default:
			out = append(out, c)
		}
	}
	return string(out)
}

var spaces = strings.NewReplacer("\t", " ", "\n", " ", "\r", " ")

func replaceSpace(s string) string {
	if strings.ContainsAny(s, "\t\n\r") {
		return spaces.Replace(s)
	}
	return s
}

// hexBinary decodes [XSD2 3.2.15].
func hexBinary(s string) (string, bool) {
	if len(s)%2 != 0 {
		return "", false
	}
	out := make([]byte, len(s)/2)
	for i := 0; i < len(s); i++ {
		var d byte
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			d = c - '0'
		case c >= 'a' && c <= 'f':
			d = c - 'a' + 10
		case c >= 'A' && c <= 'F':
			d = c - 'A' + 10
		default:
			return "", false
		}
		out[i/2] = out[i/2]<<4 | d
	}
	return string(out), true
}

var base64Digit = func() (t [256]int8) {
	for i := range t {
		t[i] = -1
	}
	for i, c := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/" {
		t[c] = int8(i)
	}
	return t
}()

// base64Binary checks [XSD2 3.2.16] and returns the number of octets. White space is between characters.
func base64Binary(s string) (size int, ok bool) {
	n, pad := 0, 0
	var last int8
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == ' ' || c == '\n' || c == '\r' || c == '\t' {
			continue
		}
		if c == '=' {
			pad++
			continue
		}
		d := base64Digit[c]
		if d < 0 || pad > 0 {
			return 0, false
		}
		last = d
		n++
	}
	if (n+pad)%4 != 0 || pad > 2 || pad == 2 && last&15 != 0 || pad == 1 && last&3 != 0 {
		return 0, false
	}
	return n * 3 / 4, true
}
