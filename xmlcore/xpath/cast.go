package xpath

import (
	"encoding/base64"
	"encoding/hex"
	"math"
	"math/big"
	"strings"
	"unicode/utf8"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// problem says why a cast is impossible. It is a number, so that `castable as` costs no error value.
type problem uint8

const (
	castDone problem = iota
	notAllowed
	badForm
	badNumber
	tooLarge
	badDate
	badDuration
	badPrefix
)

func (p problem) code() string {
	return [...]string{"", "XPTY0004", "FORG0001", "FOCA0002", "FOCA0003", "FODT0001", "FODT0002", "FONS0004"}[p]
}

func castError(it Item, t Type, p problem) *Error {
	switch p {
	case notAllowed:
		return errorf(p.code(), "%s cannot be cast to %s", it.typ, t)
	case badPrefix:
		return errorf(p.code(), "prefix of %q is not declared", clip(atomString(it)))
	}
	return errorf(p.code(), "%q is no %s", clip(atomString(it)), t)
}

// mustCast casts or fails.
func mustCast(it Item, t Type) Item {
	r, p := cast(it, t, nil)
	if p != castDone {
		panic(castError(it, t, p))
	}
	return r
}

// space trims XML white space.
func space(s string) string {
	for s != "" && isSpace(s[0]) {
		s = s[1:]
	}
	for s != "" && isSpace(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

// collapse is the white space facet of that name, and fn:normalize-space. It does not copy what is already so.
func collapse(s string) string {
	s = space(s)
	clean := true
	for i := 0; i < len(s); i++ {
		if c := s[i]; c <= ' ' && isSpace(c) && (c != ' ' || isSpace(s[i-1])) {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if c := s[i]; !isSpace(c) {
			b = append(b, c)
		} else if b[len(b)-1] != ' ' {
			b = append(b, ' ')
		}
	}
	return string(b)
}

// integerBounds gives the least and greatest value of the types derived from xs:integer.
var integerBounds = map[Type][2]*big.Int{
	XSNonPositiveInteger: {nil, big.NewInt(0)},
	XSNegativeInteger:    {nil, big.NewInt(-1)},
	XSNonNegativeInteger: {big.NewInt(0), nil},
	XSPositiveInteger:    {big.NewInt(1), nil},
	XSLong:               {big.NewInt(math.MinInt64), big.NewInt(math.MaxInt64)},
	XSInt:                {big.NewInt(math.MinInt32), big.NewInt(math.MaxInt32)},
	XSShort:              {big.NewInt(math.MinInt16), big.NewInt(math.MaxInt16)},
	XSByte:               {big.NewInt(math.MinInt8), big.NewInt(math.MaxInt8)},
	XSUnsignedLong:       {big.NewInt(0), new(big.Int).SetUint64(math.MaxUint64)},
	XSUnsignedInt:        {big.NewInt(0), big.NewInt(math.MaxUint32)},
	XSUnsignedShort:      {big.NewInt(0), big.NewInt(math.MaxUint16)},
	XSUnsignedByte:       {big.NewInt(0), big.NewInt(math.MaxUint8)},
}

// narrow makes an xs:integer one of its derived types.
func narrow(it Item, t Type) (Item, problem) {
	if b, ok := integerBounds[t]; ok {
		v := it.bigInt()
		if b[0] != nil && v.Cmp(b[0]) < 0 || b[1] != nil && v.Cmp(b[1]) > 0 {
			return it, badForm
		}
	}
	it.typ = t
	return it, castDone
}

// cast casts an atomic value [FO 17]. The resolver gives the namespace of a prefix, for casts to xs:QName.
func cast(it Item, t Type, prefixes func(string) (string, bool)) (Item, problem) {
	from := it.typ
	if from == t {
		return it, castDone
	}
	if from.text() && from != XSAnyURI {
		return castText(it, t, prefixes)
	}
	switch {
	case t == XSString || t == XSUntypedAtomic:
		return textItem(t, atomString(it)), castDone
	case t.str():
		return castText(StringItem(atomString(it)), t, prefixes)
	case t == TypeAtomic:
		return it, castDone
	case t == XSNumeric:
		if from.numeric() {
			return it, castDone
		}
		return cast(it, XSDouble, nil)
	case t.numeric():
		return castNumber(it, t)
	case t == XSBoolean:
		if !from.numeric() {
			return it, notAllowed
		}
		if from.float() {
			f := it.float()
			return BooleanItem(f != 0 && f == f), castDone
		}
		return BooleanItem(signDecimal(it) != 0), castDone
	case t.duration():
		if !from.duration() {
			return it, notAllowed
		}
		d := *it.dur()
		switch t {
		case XSYearMonthDuration:
			d.sec, d.nano = 0, 0
		case XSDayTimeDuration:
			d.months = 0
		}
		return durationItem(t, d), castDone
	case t.moment():
		if !from.moment() {
			return it, notAllowed
		}
		f, w := fieldsOf(from), fieldsOf(t)
		switch {
		case from == XSTime || f&hasYear == 0, w&^f != 0 && (from != XSDate || w&^(f|hasTime) != 0), t == XSTime && f&hasDay == 0,
			t == XSTime && f&hasTime == 0, from != XSDateTime && from != XSDateTimeStamp && from != XSDate:
			return it, notAllowed
		}
		if t == XSDateTimeStamp && !it.moment().zoned {
			return it, badForm
		}
		return momentItem(t, it.moment().reduce(t)), castDone
	case t.binary():
		if !from.binary() {
			return it, notAllowed
		}
		it.typ = t
		return it, castDone
	case t == XSNOTATION && from == XSQName, t == XSQName && from == XSNOTATION:
		it.typ = t
		return it, castDone
	}
	return it, notAllowed
}

func castNumber(it Item, t Type) (Item, problem) {
	from := it.typ
	switch {
	case from == XSBoolean:
		it = IntegerItem(it.n)
		from = XSInteger
	case !from.numeric():
		return it, notAllowed
	}
	switch {
	case t == XSDouble:
		return DoubleItem(toFloat(it)), castDone
	case t == XSFloat:
		return floatItem(toFloat(it)), castDone
	}
	if from.float() {
		f := it.float()
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return it, badNumber
		}
		if t == XSDecimal {
			return floatToDecimal(f), castDone
		}
		return narrow(floatToInteger(f), t)
	}
	if t == XSDecimal {
		if from != XSDecimal && it.p != nil {
			return decimalItem(it.bigInt(), 0), castDone
		}
		it.typ = t
		return it, castDone
	}
	if from == XSDecimal {
		it = decimalToInteger(it)
	}
	if t == XSInteger {
		it.typ = t
		return it, castDone
	}
	return narrow(it, t)
}

// castText casts a string or an untyped value by the lexical form of the target [XSD2 3].
func castText(it Item, t Type, prefixes func(string) (string, bool)) (Item, problem) {
	s := it.text()
	switch {
	case t == TypeAtomic:
		return it, castDone
	case t == XSString || t == XSUntypedAtomic:
		it.typ = t
		return it, castDone
	case t.str():
		return castString(s, t)
	}
	s = space(s)
	switch t {
	case XSAnyURI:
		s = collapse(s)
		if !plausibleURI(s) {
			return it, badForm
		}
		return textItem(t, s), castDone
	case XSBoolean:
		switch s {
		case "true", "1":
			return BooleanItem(true), castDone
		case "false", "0":
			return BooleanItem(false), castDone
		}
		return it, badForm
	case XSDecimal:
		if v, ok := parseDecimal(s); ok {
			return v, castDone
		}
		return it, badForm
	case XSDouble, XSNumeric:
		if f, ok := parseDouble(s, 64); ok {
			return DoubleItem(f), castDone
		}
		return it, badForm
	case XSFloat:
		if f, ok := parseDouble(s, 32); ok {
			return floatItem(f), castDone
		}
		return it, badForm
	case XSHexBinary:
		b, err := hex.DecodeString(s)
		if err != nil {
			return it, badForm
		}
		return textItem(t, string(b)), castDone
	case XSBase64Binary:
		if strings.ContainsAny(s, " \t\r\n") {
			s = strings.NewReplacer(" ", "", "\t", "", "\r", "", "\n", "").Replace(s)
		}
		b, err := base64.StdEncoding.Strict().DecodeString(s)
		if err != nil {
			return it, badForm
		}
		return textItem(t, string(b)), castDone
	case XSQName:
		prefix, local := splitName(s)
		if !isNCName(local) || prefix != "" && !isNCName(prefix) || strings.HasPrefix(s, ":") {
			return it, badForm
		}
		q := QName{Local: local, Prefix: prefix}
		if prefixes != nil {
			uri, ok := prefixes(prefix)
			if !ok && prefix != "" {
				return it, badPrefix
			}
			q.Space = uri
		} else if prefix != "" {
			return it, badPrefix
		}
		return qnameItem(t, q), castDone
	case XSNOTATION:
		return it, notAllowed
	}
	switch {
	case t.integer():
		if v, ok := parseInteger(s); ok {
			return narrow(v, t)
		}
		return it, badForm
	case t.duration():
		d, ok, overflow := parseDuration(s, t)
		switch {
		case overflow:
			return it, badDuration
		case !ok:
			return it, badForm
		}
		return durationItem(t, d), castDone
	case t.moment():
		m, ok, overflow := parseMoment(s, t)
		switch {
		case overflow:
			return it, badDate
		case !ok:
			return it, badForm
		}
		return momentItem(t, m), castDone
	}
	return it, notAllowed
}

// castString casts to the types derived from xs:string [XSD2 3.3].
func castString(s string, t Type) (Item, problem) {
	if t == XSNormalizedString {
		s = strings.Map(func(r rune) rune {
			if r == '\t' || r == '\n' || r == '\r' {
				return ' '
			}
			return r
		}, s)
		return textItem(t, s), castDone
	}
	s = collapse(s)
	ok := true
	switch t {
	case XSLanguage:
		ok = isLanguage(s)
	case XSNMTOKEN:
		ok = s != ""
		for _, r := range s {
			ok = ok && (r == ':' || isNameChar(r))
		}
	case XSName:
		ok = s != ""
		for i, r := range s {
			ok = ok && (r == ':' || (i == 0 && isNameStart(r) || i > 0 && isNameChar(r)))
		}
	case XSNCName, XSID, XSIDREF, XSENTITY:
		ok = isNCName(s)
	}
	if !ok {
		return StringItem(s), badForm
	}
	return textItem(t, s), castDone
}

// isLanguage is the pattern [a-zA-Z]{1,8}(-[a-zA-Z0-9]{1,8})* [XSD2 3.3.3].
func isLanguage(s string) bool {
	for i, part := range strings.Split(s, "-") {
		if len(part) < 1 || len(part) > 8 {
			return false
		}
		for j := range len(part) {
			c := part[j] | 0x20
			if (c < 'a' || c > 'z') && (i == 0 || part[j] < '0' || part[j] > '9') {
				return false
			}
		}
	}
	return true
}

func splitName(s string) (prefix, local string) {
	if i := strings.IndexByte(s, ':'); i >= 0 {
		return s[:i], s[i+1:]
	}
	return "", s
}

func isNCName(s string) bool {
	if s == "" || !utf8.ValidString(s) {
		return false
	}
	for i, r := range s {
		if i == 0 && !isNameStart(r) || i > 0 && !isNameChar(r) {
			return false
		}
	}
	return true
}

// isNameStart is NameStartChar without the colon [XML 2.3 production 4].
func isNameStart(r rune) bool {
	switch {
	case r < 0x80:
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '_'
	case r < 0x300:
		return r >= 0xC0 && r != 0xD7 && r != 0xF7
	}
	return r >= 0x370 && r <= 0x1FFF && r != 0x37E || r == 0x200C || r == 0x200D || r >= 0x2070 && r <= 0x218F ||
		r >= 0x2C00 && r <= 0x2FEF || r >= 0x3001 && r <= 0xD7FF || r >= 0xF900 && r <= 0xFDCF || r >= 0xFDF0 && r <= 0xFFFD ||
		r >= 0x10000 && r <= 0xEFFFF
}

func isNameChar(r rune) bool {
	return isNameStart(r) || r >= '0' && r <= '9' || r == '-' || r == '.' || r == 0xB7 || r >= 0x300 && r <= 0x36F || r == 0x203F || r == 0x2040
}

// plausibleURI refuses only what no reading of anyURI admits: a percent sign without two digits, a second fragment,
// a scheme that is none.
func plausibleURI(s string) bool {
	fragment := false
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '%':
			if i+2 >= len(s) || !isHex(s[i+1]) || !isHex(s[i+2]) {
				return false
			}
		case '#':
			if fragment {
				return false
			}
			fragment = true
		case ':':
			if i == 0 {
				return false
			}
		}
	}
	return true
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

// atomString casts an atomic value to a string [FO 17.1.2].
func atomString(it Item) string {
	t := it.typ
	switch {
	case t.text():
		return it.text()
	case t.integer():
		if it.p != nil {
			return it.bigInt().String()
		}
		return decimalString(it)
	case t == XSDecimal:
		return decimalString(it)
	case t == XSDouble:
		return doubleString(it.float(), 64)
	case t == XSFloat:
		return doubleString(it.float(), 32)
	case t == XSBoolean:
		if it.truth() {
			return "true"
		}
		return "false"
	case t.moment():
		return it.moment().format(t)
	case t.duration():
		return it.dur().format(t)
	case t == XSHexBinary:
		return strings.ToUpper(hex.EncodeToString([]byte(it.text())))
	case t == XSBase64Binary:
		return base64.StdEncoding.EncodeToString([]byte(it.text()))
	case t == XSQName || t == XSNOTATION:
		return it.qname().String()
	}
	return ""
}

// documentPrefixes resolves prefixes as an element sees them.
func documentPrefixes(n dom.Node) func(string) (string, bool) {
	return n.LookupNamespace
}
