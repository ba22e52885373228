package xsd

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
	"github.com/viadukt-eu/viadukt/xmlcore/regex"
)

// derivation is a set of ways to derive a type or to replace an element [XSD1 3.3.1].
type derivation uint8

const (
	byExtension derivation = 1 << iota
	byRestriction
	bySubstitution
	byList
	byUnion
	byAll = byExtension | byRestriction | bySubstitution | byList | byUnion
)

// typeDef is a *simpleType or a *complexType.
type typeDef interface{ head() *typeHead }

type typeHead struct {
	name   qname // local is empty for an anonymous type
	base   typeDef
	method derivation
	final  derivation
	depth  int // derivation steps from anyType
	node   dom.Node
}

func (t *typeHead) head() *typeHead { return t }

// String names the type in messages.
func (t *typeHead) String() string {
	switch {
	case t.name.local == "":
		return "an anonymous type"
	case t.name.space == Namespace:
		return "xs:" + t.name.local
	}
	return t.name.local
}

type variety uint8

const (
	atomic variety = iota
	list
	union
)

type whiteSpace uint8

const (
	preserve whiteSpace = iota
	replace
	collapsed
)

// lexical is the form of a built-in type beyond its facets.
type lexical uint8

const (
	lexAny lexical = iota
	lexInteger
	lexLanguage
	lexNMTOKEN
	lexName
	lexNCName
	lexID
	lexIDREF
	lexENTITY
)

// facet names one constraining facet [XSD2 4.3].
type facet uint16

const (
	fLength facet = 1 << iota
	fMinLength
	fMaxLength
	fPattern
	fEnumeration
	fWhiteSpace
	fMaxInclusive
	fMaxExclusive
	fMinInclusive
	fMinExclusive
	fTotalDigits
	fFractionDigits
)

var facetNames = map[string]facet{
	"length": fLength, "minLength": fMinLength, "maxLength": fMaxLength, "pattern": fPattern, "enumeration": fEnumeration,
	"whiteSpace": fWhiteSpace, "maxInclusive": fMaxInclusive, "maxExclusive": fMaxExclusive, "minInclusive": fMinInclusive,
	"minExclusive": fMinExclusive, "totalDigits": fTotalDigits, "fractionDigits": fFractionDigits,
}

// bound is the value of a range facet.
type bound struct {
	v    value
	text string
}

// simpleType is a simple type definition with all facets in force, those of its bases included.
type simpleType struct {
	typeHead
	variety variety
	prim    prim
	lex     lexical
	item    *simpleType
	members []*simpleType
	size    int  // members with all nested ones
	listy   bool // a list, or a union with one

	ws                           whiteSpace
	have, fixed                  facet
	length, minLength, maxLength int
	totalDigits, fractionDigits  int
	patterns                     [][]*regex.Regexp // one of each step must match
	enum                         map[string]bool   // keys of values
	enumText                     []string
	minInc, minExc               *bound
	maxInc, maxExc               *bound
	valued                       bool // checking needs the value
}

// violation is what is wrong with a value.
type violation struct{ rule, text string }

func violate(rule, format string, args ...any) *violation {
	return &violation{rule, fmt.Sprintf(format, args...)}
}

// input is where a value stands and what becomes known about it.
type input struct {
	node    dom.Node // resolves prefixes
	ids     []string
	idrefs  []string
	notated func(qname) bool
	limit   error // a pattern was too large for a text
}

const notA = "value %s is not a valid %s"

// check validates a text [XSD1 3.14.4]. With want it returns the value.
func (t *simpleType) check(raw string, in *input, want bool) (value, *violation) {
	if t.prim == pBase64Binary && t.variety == atomic && t.have&(fPattern|fEnumeration) == 0 && !want {
		size, ok := base64Binary(raw) // large ones are not copied
		if !ok {
			return value{}, violate("cvc-datatype-valid.1.2.1", notA, quote(raw), t.builtin())
		}
		return value{}, t.checkFacets(raw, size, nil, in)
	}
	switch t.ws {
	case replace:
		raw = replaceSpace(raw)
	case collapsed:
		raw = collapse(raw)
	}
	return t.checkNormalized(raw, in, want)
}

func (t *simpleType) checkNormalized(s string, in *input, want bool) (v value, bad *violation) {
	want = want || t.valued
	size := 0
	switch t.variety {
	case union:
		nids, nrefs := len(in.ids), len(in.idrefs)
		found := false
		for _, m := range t.members {
			if v, bad = m.check(s, in, want); bad == nil {
				found = true
				if t.have&fPattern != 0 && m.ws != preserve { // the member decides how white space counts
					s = collapse(s)
				}
				break
			}
			in.ids, in.idrefs = in.ids[:nids], in.idrefs[:nrefs]
		}
		if !found {
			return v, violate("cvc-datatype-valid.1.2.3", "value %s fits no member of the union %s", quote(s), t)
		}
	case list:
		v.isList = true
		for rest := s; rest != ""; {
			var word string
			word, rest, _ = strings.Cut(rest, " ")
			if word == "" {
				continue
			}
			size++
			item, bad := t.item.check(word, in, want)
			if bad != nil {
				return v, bad
			}
			if want {
				v.list = append(v.list, item)
			}
		}
	default:
		if v, size, bad = t.atom(s, in, want); bad != nil {
			return v, bad
		}
	}
	if t.have == 0 {
		return v, nil
	}
	return v, t.checkFacets(s, size, &v, in)
}

// atom checks the lexical form; size is the length that length facets count.
func (t *simpleType) atom(s string, in *input, want bool) (v value, size int, bad *violation) {
	v.prim = t.prim
	ok := true
	switch t.prim {
	case pAny:
		v.prim = pString
		v.s = s
	case pString:
		v.s = s
		if ok = t.text(s, in); ok && t.have&(fLength|fMinLength|fMaxLength) != 0 {
			size = utf8.RuneCountInString(s)
		}
	case pAnyURI:
		v.s = s
		size = utf8.RuneCountInString(s)
		ok = anyURI(s)
	case pBoolean:
		switch s {
		case "true", "1":
			v.s = "1"
		case "false", "0":
			v.s = "0"
		default:
			ok = false
		}
	case pDecimal:
		whole, frac, negative, good := decimal(s)
		ok = good
		if t.lex == lexInteger && good && (frac != "" || whole == "" || s[len(s)-1] == '.') {
			ok = false
		}
		if ok && want {
			v.s = canonicalDecimal(whole, frac, negative)
		}
	case pFloat:
		v.f, ok = parseFloat(s, 32)
	case pDouble:
		v.f, ok = parseFloat(s, 64)
	case pDuration:
		v.d, ok = parseDuration(s)
	case pDateTime, pTime, pDate, pGYearMonth, pGYear, pGMonthDay, pGDay, pGMonth:
		v.t, ok = parseMoment(s, t.prim)
	case pHexBinary:
		if v.s, ok = hexBinary(s); ok {
			size = len(v.s)
		}
	case pBase64Binary:
		if size, ok = base64Binary(s); ok && want {
			v.s = strings.ReplaceAll(s, " ", "")
		}
	case pQName, pNotation:
		prefix, local, colon := strings.Cut(s, ":")
		if !colon {
			prefix, local = "", s
		}
		if ok = isNCName(local) && (!colon || isNCName(prefix)); !ok {
			break
		}
		space, bound := in.node.LookupNamespace(prefix)
		if colon && !bound {
			return v, 0, violate("cvc-datatype-valid.1.2.1", "prefix %q of %s is not declared", prefix, quote(s))
		}
		q := qname{space, local}
		v.s = q.String()
		if t.prim == pNotation && in.notated != nil && !in.notated(q) {
			return v, 0, violate("cvc-datatype-valid.1.2.1", "no notation %s is declared", quote(s))
		}
	}
	if !ok {
		return v, 0, violate("cvc-datatype-valid.1.2.1", notA, quote(s), t.builtin())
	}
	return v, size, nil
}

// text checks the types derived from string.
func (t *simpleType) text(s string, in *input) bool {
	switch t.lex {
	case lexAny:
		return true
	case lexLanguage:
		return language(s)
	case lexNMTOKEN:
		return isNMTOKEN(s)
	case lexName:
		return isName(s)
	case lexNCName:
		return isNCName(s)
	case lexID:
		if !isNCName(s) {
			return false
		}
		in.ids = append(in.ids, s)
	case lexIDREF:
		if !isNCName(s) {
			return false
		}
		in.idrefs = append(in.idrefs, s)
	case lexENTITY: // there is no document type declaration that could declare one
		return false
	}
	return true
}

// builtin is the nearest built-in type, for messages.
func (t *simpleType) builtin() string {
	for b := t; ; {
		if b.name.space == Namespace {
			return b.String()
		}
		next, ok := b.base.(*simpleType)
		if !ok {
			return t.String()
		}
		b = next
	}
}

func (t *simpleType) checkFacets(s string, size int, v *value, in *input) *violation {
	for _, step := range t.patterns {
		match := false
		for _, p := range step {
			ok, err := p.Match(s)
			if err != nil {
				in.limit = err
			}
			if ok {
				match = true
				break
			}
		}
		if !match {
			return violate("cvc-pattern-valid", "value %s does not match %s", quote(s), patternText(step))
		}
	}
	if t.have&(fLength|fMinLength|fMaxLength) != 0 && t.variety != union && t.prim != pQName && t.prim != pNotation {
		switch {
		case t.have&fLength != 0 && size != t.length:
			return violate("cvc-length-valid", "value %s has length %d, %d is asked for", quote(s), size, t.length)
		case t.have&fMinLength != 0 && size < t.minLength:
			return violate("cvc-minLength-valid", "value %s has length %d, at least %d is asked for", quote(s), size, t.minLength)
		case t.have&fMaxLength != 0 && size > t.maxLength:
			return violate("cvc-maxLength-valid", "value %s has length %d, at most %d is allowed", quote(s), size, t.maxLength)
		}
	}
	if t.have&(fTotalDigits|fFractionDigits) != 0 {
		whole, frac, _, _ := decimal(s)
		whole, frac = strings.TrimLeft(whole, "0"), strings.TrimRight(frac, "0")
		if t.have&fFractionDigits != 0 && len(frac) > t.fractionDigits {
			return violate("cvc-fractionDigits-valid", "value %s has %d digits after the point, at most %d are allowed", quote(s), len(frac), t.fractionDigits)
		}
		if n := len(whole) + len(frac); t.have&fTotalDigits != 0 && n > t.totalDigits {
			return violate("cvc-totalDigits-valid", "value %s has %d digits, at most %d are allowed", quote(s), n, t.totalDigits)
		}
	}
	if t.enum != nil && !t.enumerated(v) {
		return violate("cvc-enumeration-valid", "value %s is none of the allowed %s", quote(s), enumList(t.enumText))
	}
	if b := t.minInc; b != nil {
		if c, ok := compare(v, &b.v); !ok || c < 0 {
			return violate("cvc-minInclusive-valid", "value %s is less than %s", quote(s), b.text)
		}
	}
	if b := t.minExc; b != nil {
		if c, ok := compare(v, &b.v); !ok || c <= 0 {
			return violate("cvc-minExclusive-valid", "value %s is not greater than %s", quote(s), b.text)
		}
	}
	if b := t.maxInc; b != nil {
		if c, ok := compare(v, &b.v); !ok || c > 0 {
			return violate("cvc-maxInclusive-valid", "value %s is greater than %s", quote(s), b.text)
		}
	}
	if b := t.maxExc; b != nil {
		if c, ok := compare(v, &b.v); !ok || c >= 0 {
			return violate("cvc-maxExclusive-valid", "value %s is not less than %s", quote(s), b.text)
		}
	}
	return nil
}

func (t *simpleType) enumerated(v *value) bool {
	var buf [64]byte
	return t.enum[string(v.appendKey(buf[:0]))]
}

func patternText(step []*regex.Regexp) string {
	var s []string
	for i, p := range step {
		if i == 5 {
			s = append(s, "...")
			break
		}
		s = append(s, "'"+clip(p.String(), 120)+"'")
	}
	return strings.Join(s, " or ")
}

func enumList(values []string) string {
	const most = 12
	var s []string
	for i, v := range values {
		if i == most {
			s = append(s, fmt.Sprintf("... (%d in all)", len(values)))
			break
		}
		s = append(s, clip(v, 60))
	}
	return "[" + strings.Join(s, ", ") + "]"
}

func quote(s string) string { return "'" + clip(s, 80) + "'" }

func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most] + "..."
}
