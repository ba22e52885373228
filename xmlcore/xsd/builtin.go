package xsd

import "fmt"

func xs(local string) qname { return qname{Namespace, local} }

// builtins are the types that need no declaration. They are made once and never change.
type builtins struct {
	types         map[qname]typeDef
	anyType       *complexType
	anySimpleType *simpleType
	xmlAttributes []*attribute
}

var predefined = newBuiltins()

func newBuiltins() *builtins {
	b := &builtins{types: map[qname]typeDef{}}
	any := &complexType{content: mixedContent}
	any.name, any.method = xs("anyType"), byRestriction
	any.base = any
	any.wildcard = &wildcard{kind: wcAny, process: lax}
	any.particle = &particle{min: 1, max: 1, group: &group{kind: sequence, parts: []*particle{
		{min: 0, max: unbounded, wildcard: &wildcard{kind: wcAny, process: lax}}}}}
	any.auto = &automaton{opLists: [][]counterOp{nil}, leaves: any.particle.group.parts, states: []state{{
		wild: []edge{{sym: -1}}, accept: []int32{0}}}}
	b.anyType = any
	b.types[any.name] = any

	simple := &simpleType{prim: pAny}
	simple.name, simple.base, simple.method, simple.depth = xs("anySimpleType"), any, byRestriction, 1
	b.anySimpleType = simple
	b.types[simple.name] = simple

	derive := func(name string, base *simpleType, change func(t *simpleType)) *simpleType {
		t := *base
		t.name, t.base, t.method, t.final, t.depth = xs(name), base, byRestriction, 0, base.depth+1
		t.node = base.node
		change(&t)
		b.types[t.name] = &t
		return &t
	}
	primitive := func(name string, p prim, ws whiteSpace) *simpleType {
		return derive(name, simple, func(t *simpleType) {
			t.prim, t.ws = p, ws
			t.have |= fWhiteSpace
			if ws == collapsed {
				t.fixed |= fWhiteSpace
			}
		})
	}
	str := primitive("string", pString, preserve)
	primitive("boolean", pBoolean, collapsed)
	dec := primitive("decimal", pDecimal, collapsed)
	primitive("float", pFloat, collapsed)
	primitive("double", pDouble, collapsed)
	primitive("duration", pDuration, collapsed)
	primitive("dateTime", pDateTime, collapsed)
	primitive("time", pTime, collapsed)
	primitive("date", pDate, collapsed)
	primitive("gYearMonth", pGYearMonth, collapsed)
	primitive("gYear", pGYear, collapsed)
	primitive("gMonthDay", pGMonthDay, collapsed)
	primitive("gDay", pGDay, collapsed)
	primitive("gMonth", pGMonth, collapsed)
	primitive("hexBinary", pHexBinary, collapsed)
	primitive("base64Binary", pBase64Binary, collapsed)
	primitive("anyURI", pAnyURI, collapsed)
	primitive("QName", pQName, collapsed)
	primitive("NOTATION", pNotation, collapsed)
	for _, t := range b.types { // white space alone needs no check of facets
		if s, ok := t.(*simpleType); ok {
			s.have &^= fWhiteSpace
		}
	}

	text := func(name string, base *simpleType, l lexical) *simpleType {
		return derive(name, base, func(t *simpleType) { t.lex = l; t.ws = collapsed })
	}
	normalized := derive("normalizedString", str, func(t *simpleType) { t.ws = replace })
	token := text("token", normalized, lexAny)
	text("language", token, lexLanguage)
	nmtoken := text("NMTOKEN", token, lexNMTOKEN)
	ncname := text("NCName", text("Name", token, lexName), lexNCName)
	text("ID", ncname, lexID)
	idref := text("IDREF", ncname, lexIDREF)
	entity := text("ENTITY", ncname, lexENTITY)
	for name, item := range map[string]*simpleType{"NMTOKENS": nmtoken, "IDREFS": idref, "ENTITIES": entity} {
		derive(name, simple, func(t *simpleType) {
			t.variety, t.item, t.ws, t.fixed, t.listy = list, item, collapsed, fWhiteSpace, true
			t.have, t.minLength = fMinLength, 1
			t.prim = pString
		})
	}

	integer := derive("integer", dec, func(t *simpleType) { t.lex = lexInteger; t.fixed |= fFractionDigits })
	ranged := func(name string, base *simpleType, lo, hi string) *simpleType {
		limit := func(s string) *bound {
			if s == "" {
				return nil
			}
			return &bound{value{prim: pDecimal, s: s}, s}
		}
		return derive(name, base, func(t *simpleType) {
			if l := limit(lo); l != nil {
				t.minInc = l
				t.have |= fMinInclusive
			}
			if h := limit(hi); h != nil {
				t.maxInc = h
				t.have |= fMaxInclusive
			}
			t.valued = true
		})
	}
	ranged("negativeInteger", ranged("nonPositiveInteger", integer, "", "0"), "", "-1")
	ranged("byte", ranged("short", ranged("int", ranged("long", integer, "-9223372036854775808", "9223372036854775807"),
		"-2147483648", "2147483647"), "-32768", "32767"), "-128", "127")
	nonNegative := ranged("nonNegativeInteger", integer, "0", "")
	ranged("positiveInteger", nonNegative, "1", "")
	ranged("unsignedByte", ranged("unsignedShort", ranged("unsignedInt", ranged("unsignedLong", nonNegative, "",
		"18446744073709551615"), "", "4294967295"), "", "65535"), "", "255")

	// The attributes of the namespace xml, for schemas whose import of it leads nowhere.
	xml := func(name string, t *simpleType) {
		b.xmlAttributes = append(b.xmlAttributes, &attribute{name: qname{xmlSpace, name}, typ: t})
	}
	lang := &simpleType{variety: union, members: []*simpleType{b.simple("language"), b.enumerated(str, "")}}
	lang.base, lang.method, lang.depth = simple, byUnion, 2
	xml("lang", lang)
	xml("space", b.enumerated(ncname, "default", "preserve"))
	xml("base", b.simple("anyURI"))
	xml("id", b.simple("ID"))
	return b
}

const xmlSpace = "http://www.w3.org/XML/1998/namespace"

func (b *builtins) simple(name string) *simpleType { return b.types[xs(name)].(*simpleType) }

func (b *builtins) enumerated(base *simpleType, values ...string) *simpleType {
	t := *base
	t.name, t.base, t.method, t.depth = qname{}, base, byRestriction, base.depth+1
	t.have |= fEnumeration
	t.valued = true
	t.enum = map[string]bool{}
	for _, s := range values {
		v, _, bad := base.atom(s, &input{}, true)
		if bad != nil {
			panic(fmt.Sprint("xsd: built-in enumeration: ", bad.text))
		}
		t.enum[v.key()] = true
		t.enumText = append(t.enumText, s)
	}
	return &t
}
