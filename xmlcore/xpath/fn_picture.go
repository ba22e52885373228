package xpath

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// pictureFunctions write integers, dates and times as a picture says, in English [FO31 4.6.1, 9.8].
var pictureFunctions = []builtin{
	{name: "format-integer", min: 2, max: 3, build: func(_ *compiler, _ *expr, a []*code) *code {
		return &code{typ: XSString, max1: true, min1: true, deps: depsOf(a...), one: func(m *machine) (Item, bool) {
			it, ok := a[0].of(m, XSInteger)
			picture := a[1].needText(m)
			if len(a) > 2 {
				a[2].str(m)
			}
			f := integerPicture(picture)
			if !ok {
				return StringItem(""), true
			}
			s := f.write(atomString(it))
			m.built(len(s))
			return StringItem(s), true
		}}
	}},
	{name: "format-dateTime", min: 2, max: 5, build: formatMoment(XSDateTime)},
	{name: "format-date", min: 2, max: 5, build: formatMoment(XSDate)},
	{name: "format-time", min: 2, max: 5, build: formatMoment(XSTime)},
}

// numbering is one way of writing integers.
type numbering struct {
	style     string // "1" by digits, else A, a, I, i, W, w or Ww
	zero      rune   // of the digits
	least     int    // digits that are written at least
	most      int    // digits that the picture shows
	groups    map[int]string
	every     int // distance of groups that go on to the left, 0 none
	separator string
	ordinal   bool
}

func badInteger(picture, why string) {
	fail("FODF1310", "picture %q: %s", clip(picture), why)
}

// integerPicture reads a picture with its modifier behind the last semicolon.
func integerPicture(picture string) *numbering {
	token, modifier := picture, ""
	if i := strings.LastIndexByte(picture, ';'); i >= 0 {
		token, modifier = picture[:i], picture[i+1:]
	}
	if token == "" {
		badInteger(picture, "nothing to write by")
	}
	rest := modifier
	ordinal := false
	if rest != "" && (rest[0] == 'c' || rest[0] == 'o') {
		ordinal = rest[0] == 'o'
		if rest = rest[1:]; strings.HasPrefix(rest, "(") {
			end := strings.IndexByte(rest, ')')
			if end < 2 {
				badInteger(picture, "a variant without end")
			}
			rest = rest[end+1:]
		}
	}
	if rest != "" && rest != "a" && rest != "t" {
		badInteger(picture, fmt.Sprintf("%q is no modifier", modifier))
	}
	f, why := readNumbering(token)
	if why != "" {
		badInteger(picture, why)
	}
	f.ordinal = ordinal
	return f
}

// readNumbering reads what says how a number is written; why tells what is wrong with it.
func readNumbering(token string) (f *numbering, why string) {
	f = &numbering{style: "1", zero: '0', least: 1}
	switch token {
	case "A", "a", "I", "i", "W", "w", "Ww":
		f.style = token
		return f, ""
	}
	rs := []rune(token)
	if !slices.ContainsFunc(rs, unicode.IsDigit) {
		if slices.ContainsFunc(rs, func(r rune) bool { return r == '#' }) {
			return nil, "no digit is demanded"
		}
		return f, "" // a numbering that is not known is that by digits
	}
	zero, digits, mandatory := rune(0), 0, 0
	groups := map[int]string{} // by the number of digits before it, then turned round
	for i, r := range rs {
		switch {
		case unicode.IsDigit(r):
			if d := digitValue(r); zero == 0 {
				zero = r - rune(d)
			} else if zero != r-rune(d) {
				return nil, "digits of two scripts"
			}
			digits++
			mandatory++
		case r == '#':
			if mandatory > 0 {
				return nil, "# behind a digit"
			}
			digits++
		case unicode.IsLetter(r) || unicode.IsNumber(r):
			return nil, fmt.Sprintf("%q among digits", r)
		default:
			if i == 0 || i == len(rs)-1 || groups[digits] != "" {
				return nil, "a separator that separates nothing"
			}
			groups[digits] = string(r)
		}
	}
	f.zero, f.least, f.most = zero, mandatory, digits
	f.groups = map[int]string{}
	var places []int
	for before, s := range groups {
		f.groups[digits-before] = s
		places = append(places, digits-before)
	}
	slices.Sort(places)
	if len(places) > 0 { // at equal distances with one separator they go on to the left
		f.every, f.separator = places[0], f.groups[places[0]]
		for i, p := range places {
			if p != f.every*(i+1) || f.groups[p] != f.separator {
				f.every = 0
			}
		}
		if digits > f.every*(len(places)+1) {
			f.every = 0
		}
	}
	return f, ""
}

// digitValue is what a decimal digit of any script counts: each has ten in a row, from its zero.
func digitValue(r rune) int {
	for _, t := range unicode.Nd.R16 {
		if r >= rune(t.Lo) && r <= rune(t.Hi) {
			return int(r-rune(t.Lo)) % 10
		}
	}
	for _, t := range unicode.Nd.R32 {
		if r >= rune(t.Lo) && r <= rune(t.Hi) {
			return int(r-rune(t.Lo)) % 10
		}
	}
	return 0
}

// write writes an integer that is given in decimal digits.
func (f *numbering) write(digits string) string {
	digits, negative := strings.CutPrefix(digits, "-")
	s := f.unsigned(digits)
	if negative {
		s = "-" + s
	}
	return s
}

func (f *numbering) unsigned(digits string) string {
	n, err := strconv.ParseInt(digits, 10, 64)
	fits := err == nil
	switch {
	case (f.style == "A" || f.style == "a") && fits && n > 0:
		s := ""
		for ; n > 0; n = (n - 1) / 26 {
			s = string(rune('A'+(n-1)%26)) + s
		}
		return cased(s, f.style == "a")
	case (f.style == "I" || f.style == "i") && fits && n > 0 && n < 5000:
		s := ""
		for _, r := range romans {
			for ; n >= r.value; n -= r.value {
				s += r.letters
			}
		}
		return cased(s, f.style == "i")
	case strings.EqualFold(f.style, "w") && fits || f.style == "Ww" && fits:
		s := inWords(n, f.ordinal)
		switch f.style {
		case "W":
			return strings.ToUpper(s)
		case "Ww":
			return strings.ReplaceAll(capitals(s), " And ", " and ")
		}
		return s
	}
	padded := strings.Repeat("0", max(0, f.least-len(digits))) + digits
	var b strings.Builder
	for i, r := range padded {
		b.WriteRune(f.zero + r - '0')
		left := len(padded) - 1 - i
		switch {
		case left == 0:
		case f.every > 0 && left%f.every == 0:
			b.WriteString(f.separator)
		case f.every == 0:
			b.WriteString(f.groups[left])
		}
	}
	if f.ordinal {
		b.WriteString(ordinalEnd(padded))
	}
	return b.String()
}

func cased(s string, lower bool) string {
	if lower {
		return strings.ToLower(s)
	}
	return s
}

var romans = []struct {
	value   int64
	letters string
}{{1000, "M"}, {900, "CM"}, {500, "D"}, {400, "CD"}, {100, "C"}, {90, "XC"}, {50, "L"}, {40, "XL"}, {10, "X"}, {9, "IX"}, {5, "V"}, {4, "IV"}, {1, "I"}}

// ordinalEnd is what stands behind the digits of an ordinal number.
func ordinalEnd(digits string) string {
	if len(digits) > 1 && digits[len(digits)-2] == '1' {
		return "th"
	}
	switch digits[len(digits)-1] {
	case '1':
		return "st"
	case '2':
		return "nd"
	case '3':
		return "rd"
	}
	return "th"
}

var (
	smallWords = strings.Fields("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen")
	tensWords  = strings.Fields("- - twenty thirty forty fifty sixty seventy eighty ninety")
	largeWords = []struct {
		value int64
		word  string
	}{{1e18, "quintillion"}, {1e15, "quadrillion"}, {1e12, "trillion"}, {1e9, "billion"}, {1e6, "million"}, {1000, "thousand"}, {100, "hundred"}}
	ordinalWords = map[string]string{"one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth", "twelve": "twelfth"}
)

// inWords says a number in English.
func inWords(n int64, ordinal bool) string {
	var say func(n int64) string
	say = func(n int64) string {
		for _, l := range largeWords {
			if n < l.value {
				continue
			}
			s, rest := say(n/l.value)+" "+l.word, n%l.value
			switch {
			case rest == 0:
				return s
			case rest < 100:
				return s + " and " + say(rest)
			}
			return s + " " + say(rest)
		}
		if n < 20 {
			return smallWords[n]
		}
		s := tensWords[n/10]
		if n%10 > 0 {
			s += "-" + smallWords[n%10]
		}
		return s
	}
	s := say(n)
	if !ordinal {
		return s
	}
	at := strings.LastIndexAny(s, " -") + 1
	switch last := s[at:]; {
	case ordinalWords[last] != "":
		return s[:at] + ordinalWords[last]
	case strings.HasSuffix(last, "y"):
		return strings.TrimSuffix(s, "y") + "ieth"
	}
	return s + "th"
}

// capitals gives each word a capital.
func capitals(s string) string {
	b := []byte(s)
	for i := range b {
		if (i == 0 || b[i-1] == ' ' || b[i-1] == '-') && b[i] >= 'a' && b[i] <= 'z' {
			b[i] -= 'a' - 'A'
		}
	}
	return string(b)
}

func formatMoment(t Type) builder {
	return func(_ *compiler, _ *expr, a []*code) *code {
		return &code{typ: XSString, max1: true, deps: depsOf(a...), one: func(m *machine) (Item, bool) {
			it, ok := a[0].of(m, t)
			if !ok {
				return it, false
			}
			p := a[1].needText(m)
			for _, x := range a[2:] { // language, calendar and place: there is English and the calendar of ISO 8601
				x.str(m)
			}
			s := writeMoment(it.moment(), t, p)
			m.built(len(s))
			return StringItem(s), true
		}}
	}
}

// writeMoment fills in a picture: literal text, in which brackets are doubled, and markers in brackets.
func writeMoment(d *moment, t Type, picture string) string {
	var b strings.Builder
	for i := 0; i < len(picture); i++ {
		switch c := picture[i]; {
		case (c == '[' || c == ']') && i+1 < len(picture) && picture[i+1] == c:
			b.WriteByte(c)
			i++
		case c == ']':
			fail("FOFD1340", "picture %q: ] without [", clip(picture))
		case c != '[':
			b.WriteByte(c)
		default:
			end := strings.IndexByte(picture[i:], ']')
			if end < 0 {
				fail("FOFD1340", "picture %q: [ without ]", clip(picture))
			}
			marker := strings.Map(func(r rune) rune {
				if unicode.IsSpace(r) {
					return -1
				}
				return r
			}, picture[i+1:i+end])
			if marker == "" {
				fail("FOFD1340", "picture %q: an empty marker", clip(picture))
			}
			b.WriteString(writeMarker(d, t, marker))
			i += end
		}
	}
	return b.String()
}

var (
	monthNames = strings.Fields("January February March April May June July August September October November December")
	dayNames   = strings.Fields("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
)

// writeMarker writes one component of a moment.
func writeMarker(d *moment, t Type, marker string) string {
	bad := func(why string) { fail("FOFD1340", "[%s]: %s", clip(marker), why) }
	component, presentation := marker[0], marker[1:]
	least, most := 0, 0 // widths, 0 where the marker names none
	if i := strings.LastIndexByte(presentation, ','); i >= 0 {
		least, most = markerWidth(presentation[i+1:], bad)
		presentation = presentation[:i]
	}
	f := fieldsOf(t)
	need := func(which fields) {
		if f&which == 0 {
			fail("FOFD1350", "[%s]: an %s has no such part", clip(marker), t)
		}
	}
	weekday := func() int {
		return int(((dayNumber(d.year, int(d.month), int(d.day))-dayNumber(1970, 1, 5))%7+7)%7) + 1
	}
	var value int64
	names, standard := []string(nil), "1"
	switch component {
	case 'Y':
		need(hasYear)
		value = max(d.year, -d.year)
	case 'M':
		need(hasMonth)
		value, names = int64(d.month), monthNames
	case 'D':
		need(hasDay)
		value = int64(d.day)
	case 'd':
		need(hasDay)
		value = dayNumber(d.year, int(d.month), int(d.day)) - dayNumber(d.year, 1, 1) + 1
	case 'F':
		need(hasDay)
		value, names, standard = int64(weekday()), dayNames, "n"
	case 'W':
		need(hasDay)
		value = weekOfYear(d, weekday())
	case 'w':
		need(hasDay)
		first := ((weekday()-int(d.day))%7+7)%7 + 1 // weekday of the first of the month
		value = int64((int(d.day)+first-2)/7 + 1)
	case 'H':
		need(hasTime)
		value = int64(d.hour)
	case 'h':
		need(hasTime)
		value = int64((d.hour+11)%12 + 1)
	case 'P':
		need(hasTime)
		value, names, standard = int64(d.hour/12)+1, []string{"Am", "Pm"}, "n"
	case 'm':
		need(hasTime)
		value, standard = int64(d.min), "01"
	case 's':
		need(hasTime)
		value, standard = int64(d.second), "01"
	case 'f':
		need(hasTime)
		return writeFraction(d.nano, presentation, least, most, bad)
	case 'Z', 'z':
		return writeZone(d, component == 'z', presentation, bad)
	case 'C':
		return "ISO"
	case 'E':
		need(hasYear)
		value, names, standard = 1, []string{"Ad", "Bc"}, "N"
		if d.year <= 0 {
			value = 2
		}
	default:
		bad("there is no such component")
	}
	if presentation == "" {
		presentation = standard
	}
	ordinal := false
	if k := len(presentation); k > 1 && strings.ContainsRune("acot", rune(presentation[k-1])) {
		ordinal, presentation = presentation[k-1] == 'o', presentation[:k-1]
	}
	if presentation == "n" || presentation == "N" || presentation == "Nn" {
		if names != nil {
			return writeName(names[value-1], presentation, most)
		}
		presentation = "1"
	}
	n, why := readNumbering(presentation)
	if why != "" {
		bad(why)
	}
	n.ordinal = ordinal
	if n.style == "1" {
		n.least = max(n.least, least)
		if component == 'Y' { // a year is cut to its last digits
			if most == 0 && n.most >= 2 {
				most = n.most
			}
			if least > 0 && most == 0 || most > 17 {
				most = 0
			}
			if most > 0 {
				cut := int64(1)
				for range most {
					cut *= 10
				}
				value %= cut
			}
		}
	}
	return n.write(strconv.FormatInt(value, 10))
}

// markerWidth reads "2", "2-4", "*-3".
func markerWidth(s string, bad func(string)) (least, most int) {
	low, high, both := strings.Cut(s, "-")
	read := func(s string) int {
		if s == "*" {
			return 0
		}
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > 1000 {
			bad("a width that is none")
		}
		return n
	}
	least = read(low)
	if both {
		most = read(high)
	}
	if most > 0 && least > most {
		bad("the least width is above the largest")
	}
	return least, most
}

func writeName(name, presentation string, most int) string {
	if most > 0 && len(name) > most {
		name = name[:most]
	}
	switch presentation {
	case "n":
		return strings.ToLower(name)
	case "N":
		return strings.ToUpper(name)
	}
	return name
}

// weekOfYear is the week of ISO 8601, that which holds the Thursday.
func weekOfYear(d *moment, weekday int) int64 {
	thursday := dayNumber(d.year, int(d.month), int(d.day)) + int64(4-weekday)
	y, _, _ := civil(thursday)
	return (thursday-dayNumber(y, 1, 1))/7 + 1
}

// writeFraction writes parts of a second: as many digits as the picture or the width ask for.
func writeFraction(nano int32, presentation string, least, most int, bad func(string)) string {
	digits := fmt.Sprintf("%09d", nano)
	if presentation != "" && presentation != "1" {
		shown, must := 0, 0
		for _, r := range presentation {
			switch {
			case r >= '0' && r <= '9':
				must++
				shown++
			case r == '#':
				shown++
			default:
				bad("only digits are known for parts of a second")
			}
		}
		if least == 0 && most == 0 {
			least, most = must, shown
		}
	}
	if most > 0 && most < len(digits) {
		digits = digits[:most]
	}
	for len(digits) > max(least, 1) && digits[len(digits)-1] == '0' {
		digits = digits[:len(digits)-1]
	}
	return digits + strings.Repeat("0", max(0, least-len(digits)))
}

// writeZone writes the distance from Greenwich.
func writeZone(d *moment, named bool, presentation string, bad func(string)) string {
	if !d.zoned {
		if presentation == "Z" {
			return "J"
		}
		return ""
	}
	minutes := int(d.tz)
	sign := "+"
	if minutes < 0 {
		sign, minutes = "-", -minutes
	}
	h, m := minutes/60, minutes%60
	if presentation == "Z" && m == 0 && h <= 12 {
		switch {
		case h == 0:
			return "Z"
		case sign == "+":
			return "ABCDEFGHIKLM"[h-1 : h]
		}
		return "NOPQRSTUVWXY"[h-1 : h]
	}
	prefix := ""
	if named {
		prefix = "GMT"
	}
	presentation, utc := strings.CutSuffix(presentation, "t")
	if utc && minutes == 0 {
		return prefix + "Z"
	}
	switch presentation {
	case "", "Z", "N", "n", "Nn", "00:00", "01:01":
		return fmt.Sprintf("%s%s%02d:%02d", prefix, sign, h, m)
	case "0:00", "1:01":
		return fmt.Sprintf("%s%s%d:%02d", prefix, sign, h, m)
	case "0", "1", "00", "01":
		s := fmt.Sprintf("%s%s%0*d", prefix, sign, len(presentation), h)
		if m > 0 {
			s += fmt.Sprintf(":%02d", m)
		}
		return s
	case "000", "101", "001":
		return fmt.Sprintf("%s%s%d%02d", prefix, sign, h, m)
	case "0000", "0101", "0001":
		return fmt.Sprintf("%s%s%02d%02d", prefix, sign, h, m)
	}
	bad("such a zone is not known")
	return ""
}
