package xpath

import (
	"math"
	"math/big"
	"strings"
	"unicode/utf8"
)

// DecimalFormat holds the characters that format-number writes and reads in pictures [FO31 4.7.1]. Zero fields take
// the default.
type DecimalFormat struct {
	Decimal, Grouping, Minus, Percent, PerMille, Zero, Digit, Separator, Exponent rune
	Infinity, NaN                                                                 string
}

func (f DecimalFormat) filled() DecimalFormat {
	set := func(r *rune, d rune) {
		if *r == 0 {
			*r = d
		}
	}
	set(&f.Decimal, '.')
	set(&f.Grouping, ',')
	set(&f.Minus, '-')
	set(&f.Percent, '%')
	set(&f.PerMille, '\u2030')
	set(&f.Zero, '0')
	set(&f.Digit, '#')
	set(&f.Separator, ';')
	set(&f.Exponent, 'e')
	if f.Infinity == "" {
		f.Infinity = "Infinity"
	}
	if f.NaN == "" {
		f.NaN = "NaN"
	}
	return f
}

var formatFunctions = []builtin{
	{name: "format-number", min: 2, max: 3, build: func(c *compiler, _ *expr, a []*code) *code {
		return &code{typ: XSString, max1: true, min1: true, deps: depsOf(a...), one: func(m *machine) (Item, bool) {
			it, ok := a[0].numeric(m)
			if !ok {
				it = DoubleItem(math.NaN())
			}
			name := QName{}
			if len(a) > 2 {
				if s, ok := a[2].str(m); ok {
					s = space(s)
					if strings.HasPrefix(s, "Q{") && strings.Contains(s, "}") {
						i := strings.IndexByte(s, '}')
						name = QName{Space: s[2:i], Local: s[i+1:]}
					} else {
						r, p := castText(StringItem(s), XSQName, func(prefix string) (string, bool) {
							if prefix == "" {
								return "", true
							}
							return c.env.prefix(prefix)
						})
						if p != castDone {
							fail("FODF1280", "there is no decimal format %q", clip(s))
						}
						name = *r.qname()
					}
				}
			}
			f, ok := c.env.DecimalFormats[QName{Space: name.Space, Local: name.Local}]
			if !ok && name.Local != "" {
				fail("FODF1280", "there is no decimal format %s", name.EQName())
			}
			p := a[1].needText(m)
			m.built(len(p))
			return StringItem(formatNumber(it, p, f.filled())), true
		}}
	}},
}

// picture is one half of a picture string, taken apart [FO31 4.7.4].
type picture struct {
	prefix, suffix             string
	minInt, minFrac, maxFrac   int
	minExp                     int
	scaleInt                   int // digits before the point of a picture with exponent
	intGroups, fracGroups      []int
	regular                    int // groups of the same size all along, or 0
	percent, perMille, hasExpo bool
}

func (f *DecimalFormat) digit(r rune) bool { return r >= f.Zero && r <= f.Zero+9 }

// active tells the characters that the number itself is made of.
func (f *DecimalFormat) active(r rune) bool {
	return f.digit(r) || r == f.Decimal || r == f.Grouping || r == f.Digit
}

func wrongPicture(s, why string) {
	fail("FODF1310", "picture %q: %s", clip(s), why)
}

func parsePicture(whole, s string, f *DecimalFormat) picture {
	var p picture
	rs := []rune(s)
	first, last := -1, -1
	for i, r := range rs {
		if f.active(r) {
			if first < 0 {
				first = i
			}
			last = i
		}
	}
	if first < 0 {
		wrongPicture(whole, "no digit")
	}
	// an exponent separator counts when digits stand on both sides
	expo := -1
	for i := first + 1; i < last; i++ {
		if rs[i] == f.Exponent && f.active(rs[i-1]) && f.active(rs[i+1]) {
			if expo >= 0 {
				wrongPicture(whole, "two exponents")
			}
			expo = i
		}
	}
	for i := first; i <= last; i++ {
		if !f.active(rs[i]) && i != expo {
			wrongPicture(whole, "a passive character between active ones")
		}
	}
	p.prefix, p.suffix = string(rs[:first]), string(rs[last+1:])
	for _, r := range p.prefix + p.suffix {
		switch r {
		case f.Percent:
			if p.percent || p.perMille {
				wrongPicture(whole, "two percent or per-mille signs")
			}
			p.percent = true
		case f.PerMille:
			if p.percent || p.perMille {
				wrongPicture(whole, "two percent or per-mille signs")
			}
			p.perMille = true
		}
	}
	mant := rs[first : last+1]
	if expo >= 0 {
		mant = rs[first:expo]
		for _, r := range rs[expo+1 : last+1] {
			if !f.digit(r) {
				wrongPicture(whole, "an exponent must be digits")
			}
			p.minExp++
		}
		p.hasExpo = true
		if p.percent || p.perMille {
			wrongPicture(whole, "percent and exponent")
		}
	}
	point := -1
	for i, r := range mant {
		if r == f.Decimal {
			if point >= 0 {
				wrongPicture(whole, "two decimal separators")
			}
			point = i
		}
	}
	whole1, frac := mant, []rune(nil)
	if point >= 0 {
		whole1, frac = mant[:point], mant[point+1:]
	}
	optional, digits := 0, 0
	for i, r := range whole1 {
		switch {
		case r == f.Digit:
			if p.minInt > 0 {
				wrongPicture(whole, "an optional digit after a mandatory one")
			}
			optional++
			digits++
		case r == f.Grouping:
			if i == len(whole1)-1 || whole1[i+1] == f.Grouping {
				wrongPicture(whole, "a grouping separator without digits behind")
			}
		default:
			p.minInt++
			digits++
		}
	}
	seen := 0
	for i := len(whole1) - 1; i >= 0; i-- {
		if whole1[i] == f.Grouping {
			p.intGroups = append(p.intGroups, seen)
		} else {
			seen++
		}
	}
	if n := len(p.intGroups); n > 0 {
		p.regular = p.intGroups[0]
		for i, g := range p.intGroups {
			if g != p.regular*(i+1) {
				p.regular = 0
				break
			}
		}
		if p.regular > 0 && digits > p.regular*(n+1) {
			p.regular = 0
		}
	}
	for i, r := range frac {
		switch {
		case r == f.Digit:
			p.maxFrac++
			optional++
		case r == f.Grouping:
			if i == 0 || frac[i-1] == f.Grouping {
				wrongPicture(whole, "two separators side by side")
			}
			if i == len(frac)-1 {
				wrongPicture(whole, "a grouping separator at the end")
			}
			p.fracGroups = append(p.fracGroups, p.maxFrac)
		default:
			if p.maxFrac > p.minFrac {
				wrongPicture(whole, "a mandatory digit after an optional one")
			}
			p.minFrac++
			p.maxFrac++
		}
	}
	if digits+p.maxFrac == 0 {
		wrongPicture(whole, "no digit")
	}
	p.scaleInt = p.minInt
	if p.minInt == 0 && p.maxFrac == 0 {
		if p.hasExpo {
			p.minFrac, p.maxFrac = 1, 1
		} else {
			p.minInt = 1
		}
	}
	if p.hasExpo && p.minInt == 0 && digits > 0 {
		p.minInt = 1
	}
	if p.minInt == 0 && p.minFrac == 0 {
		p.minFrac = 1
		p.maxFrac = max(p.maxFrac, 1)
	}
	return p
}

func formatNumber(it Item, pic string, f DecimalFormat) string {
	var halves []string
	if i := strings.IndexRune(pic, f.Separator); i >= 0 {
		halves = []string{pic[:i], pic[i+utf8.RuneLen(f.Separator):]}
		if strings.ContainsRune(halves[1], f.Separator) {
			wrongPicture(pic, "more than two halves")
		}
	} else {
		halves = []string{pic}
	}
	p := parsePicture(pic, halves[0], &f)
	neg := p
	if len(halves) == 2 {
		neg = parsePicture(pic, halves[1], &f)
	} else {
		neg.prefix = string(f.Minus) + p.prefix
	}
	negative := false
	if it.typ.float() {
		x := it.float()
		if math.IsNaN(x) {
			return f.NaN
		}
		negative = x < 0 || x == 0 && math.Signbit(x)
	} else {
		negative = signDecimal(it) < 0
	}
	use := &p
	if negative {
		use = &neg
	}
	percent := int64(1)
	if use.percent {
		percent = 100
	} else if use.perMille {
		percent = 1000
	}
	if it.typ == XSDouble {
		it = DoubleItem(it.float() * float64(percent))
	} else if it.typ == XSFloat {
		it = floatItem(it.float() * float64(percent))
	}
	if it.typ.float() && math.IsInf(it.float(), 0) {
		return use.prefix + f.Infinity + use.suffix
	}
	d := it
	if it.typ.float() {
		bits := 64
		if it.typ == XSFloat {
			bits = 32
		}
		d = shortest(it.float(), bits)
	}
	if negative {
		d = negDecimal(asDecimal(d))
	} else {
		d = asDecimal(d)
	}
	if !it.typ.float() {
		d = mulDecimal(d, Item{typ: XSDecimal, n: percent})
	}
	exponent := 0
	if use.hasExpo && signDecimal(d) != 0 {
		d, exponent = normalise(d, use)
	}
	d = roundDecimal(d, use.maxFrac, halfEven)
	whole, frac, _ := strings.Cut(decimalString(d), ".")
	if whole == "0" {
		whole = ""
	}
	for len(whole) < use.minInt {
		whole = "0" + whole
	}
	for len(frac) < use.minFrac {
		frac += "0"
	}
	var b strings.Builder
	b.WriteString(use.prefix)
	for i := range len(whole) {
		after := len(whole) - i
		if i > 0 && use.groupAt(after) {
			b.WriteRune(f.Grouping)
		}
		b.WriteRune(f.Zero + rune(whole[i]-'0'))
	}
	if frac != "" {
		b.WriteRune(f.Decimal)
		for i := range len(frac) {
			for _, g := range use.fracGroups {
				if g == i {
					b.WriteRune(f.Grouping)
				}
			}
			b.WriteRune(f.Zero + rune(frac[i]-'0'))
		}
	}
	if use.hasExpo {
		b.WriteRune(f.Exponent)
		if exponent < 0 {
			b.WriteRune(f.Minus)
			exponent = -exponent
		}
		e := decimalString(Item{typ: XSDecimal, n: int64(exponent)})
		for len(e) < use.minExp {
			e = "0" + e
		}
		for i := range len(e) {
			b.WriteRune(f.Zero + rune(e[i]-'0'))
		}
	}
	b.WriteString(use.suffix)
	return b.String()
}

func (p *picture) groupAt(after int) bool {
	if p.regular > 0 {
		return after%p.regular == 0
	}
	for _, g := range p.intGroups {
		if g == after {
			return true
		}
	}
	return false
}

func asDecimal(it Item) Item {
	if it.typ.integer() {
		it, _ = castNumber(it, XSDecimal)
	}
	return it
}

// shortest is the decimal with the fewest digits that stands for a double.
func shortest(f float64, bits int) Item {
	mant, exp := doubleParts(f, bits)
	v, _ := new(big.Int).SetString(mant, 10)
	if exp >= 0 {
		return decimalItem(v.Mul(v, bigPow10(exp)), 0)
	}
	return decimalItem(v, -exp)
}

// normalise moves the point so that as many digits stand before it as the picture wants.
func normalise(d Item, p *picture) (Item, int) {
	v, s := digits(d)
	n := len(new(big.Int).Abs(v).String())
	shift := p.scaleInt - (n - s) // digits that must come before the point, less those that are there
	return shifted(v, s, shift), -shift
}

// shifted is v / 10^s * 10^shift.
func shifted(v *big.Int, s, shift int) Item {
	if s -= shift; s < 0 {
		return decimalItem(new(big.Int).Mul(v, bigPow10(-s)), 0)
	}
	return decimalItem(v, s)
}
