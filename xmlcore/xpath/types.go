package xpath

// Type names what an item is: an atomic type of XML Schema, a node, or a function. The zero Type is no type at all.
type Type uint8

// The types of items [XDM 2.6]. TypeItem and TypeAtomic are abstract: no item has them, but tests may name them.
const (
	TypeNone Type = iota
	TypeItem
	TypeNode
	TypeFunction
	TypeMap
	TypeArray
	TypeAtomic
	XSUntypedAtomic
	XSString
	XSNormalizedString
	XSToken
	XSLanguage
	XSNMTOKEN
	XSName
	XSNCName
	XSID
	XSIDREF
	XSENTITY
	XSAnyURI
	XSBoolean
	XSNumeric
	XSDecimal
	XSInteger
	XSNonPositiveInteger
	XSNegativeInteger
	XSLong
	XSInt
	XSShort
	XSByte
	XSNonNegativeInteger
	XSUnsignedLong
	XSUnsignedInt
	XSUnsignedShort
	XSUnsignedByte
	XSPositiveInteger
	XSFloat
	XSDouble
	XSDuration
	XSYearMonthDuration
	XSDayTimeDuration
	XSDateTime
	XSDateTimeStamp
	XSDate
	XSTime
	XSGYearMonth
	XSGYear
	XSGMonthDay
	XSGDay
	XSGMonth
	XSHexBinary
	XSBase64Binary
	XSQName
	XSNOTATION
	numTypes
)

type typeInfo struct {
	name   string
	parent Type
}

var types = [numTypes]typeInfo{
	TypeNone:             {"none", TypeNone},
	TypeItem:             {"item()", TypeNone},
	TypeNode:             {"node()", TypeItem},
	TypeFunction:         {"function(*)", TypeItem},
	TypeMap:              {"map(*)", TypeFunction},
	TypeArray:            {"array(*)", TypeFunction},
	TypeAtomic:           {"anyAtomicType", TypeItem},
	XSUntypedAtomic:      {"untypedAtomic", TypeAtomic},
	XSString:             {"string", TypeAtomic},
	XSNormalizedString:   {"normalizedString", XSString},
	XSToken:              {"token", XSNormalizedString},
	XSLanguage:           {"language", XSToken},
	XSNMTOKEN:            {"NMTOKEN", XSToken},
	XSName:               {"Name", XSToken},
	XSNCName:             {"NCName", XSName},
	XSID:                 {"ID", XSNCName},
	XSIDREF:              {"IDREF", XSNCName},
	XSENTITY:             {"ENTITY", XSNCName},
	XSAnyURI:             {"anyURI", TypeAtomic},
	XSBoolean:            {"boolean", TypeAtomic},
	XSNumeric:            {"numeric", TypeAtomic},
	XSDecimal:            {"decimal", TypeAtomic},
	XSInteger:            {"integer", XSDecimal},
	XSNonPositiveInteger: {"nonPositiveInteger", XSInteger},
	XSNegativeInteger:    {"negativeInteger", XSNonPositiveInteger},
	XSLong:               {"long", XSInteger},
	XSInt:                {"int", XSLong},
	XSShort:              {"short", XSInt},
	XSByte:               {"byte", XSShort},
	XSNonNegativeInteger: {"nonNegativeInteger", XSInteger},
	XSUnsignedLong:       {"unsignedLong", XSNonNegativeInteger},
	XSUnsignedInt:        {"unsignedInt", XSUnsignedLong},
	XSUnsignedShort:      {"unsignedShort", XSUnsignedInt},
	XSUnsignedByte:       {"unsignedByte", XSUnsignedShort},
	XSPositiveInteger:    {"positiveInteger", XSNonNegativeInteger},
	XSFloat:              {"float", TypeAtomic},
	XSDouble:             {"double", TypeAtomic},
	XSDuration:           {"duration", TypeAtomic},
	XSYearMonthDuration:  {"yearMonthDuration", XSDuration},
	XSDayTimeDuration:    {"dayTimeDuration", XSDuration},
	XSDateTime:           {"dateTime", TypeAtomic},
	XSDateTimeStamp:      {"dateTimeStamp", XSDateTime},
	XSDate:               {"date", TypeAtomic},
	XSTime:               {"time", TypeAtomic},
	XSGYearMonth:         {"gYearMonth", TypeAtomic},
	XSGYear:              {"gYear", TypeAtomic},
	XSGMonthDay:          {"gMonthDay", TypeAtomic},
	XSGDay:               {"gDay", TypeAtomic},
	XSGMonth:             {"gMonth", TypeAtomic},
	XSHexBinary:          {"hexBinary", TypeAtomic},
	XSBase64Binary:       {"base64Binary", TypeAtomic},
	XSQName:              {"QName", TypeAtomic},
	XSNOTATION:           {"NOTATION", TypeAtomic},
}

// atomicTypes finds a type by its local name in the namespace of XML Schema.
var atomicTypes = func() map[string]Type {
	m := map[string]Type{}
	for t := TypeAtomic; t < numTypes; t++ {
		m[types[t].name] = t
	}
	return m
}()

// String returns the type as an expression would name it.
func (t Type) String() string {
	if t >= TypeAtomic {
		return "xs:" + types[t].name
	}
	return types[t].name
}

// Is reports whether t is u or derived from it.
func (t Type) Is(u Type) bool {
	if u == XSNumeric && t.numeric() {
		return true
	}
	for ; t != TypeNone; t = types[t].parent {
		if t == u {
			return true
		}
	}
	return false
}

func (t Type) atomic() bool  { return t >= TypeAtomic }
func (t Type) integer() bool { return t >= XSInteger && t <= XSPositiveInteger }
func (t Type) decimal() bool { return t >= XSDecimal && t <= XSPositiveInteger }
func (t Type) numeric() bool { return t >= XSDecimal && t <= XSDouble }
func (t Type) float() bool   { return t == XSFloat || t == XSDouble }
func (t Type) str() bool     { return t >= XSString && t <= XSENTITY }

// text tells the types that are held as characters: strings, untyped values and URIs.
func (t Type) text() bool     { return t >= XSUntypedAtomic && t <= XSAnyURI }
func (t Type) binary() bool   { return t == XSHexBinary || t == XSBase64Binary }
func (t Type) duration() bool { return t >= XSDuration && t <= XSDayTimeDuration }

// moment tells the types that are held as a date and time of day, whole or in part.
func (t Type) moment() bool { return t >= XSDateTime && t <= XSGMonth }

// primitive returns the ancestor that comparisons and casts go by; integers count by themselves.
func (t Type) primitive() Type {
	switch {
	case t.integer():
		return XSInteger
	case t.str():
		return XSString
	case t == XSDateTimeStamp:
		return XSDateTime
	}
	return t
}
