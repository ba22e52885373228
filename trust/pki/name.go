package pki

import (
	"bytes"
	"encoding/hex"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
	"golang.org/x/text/unicode/norm"
)

// Name is a distinguished name in the order of its encoding: the country usually first. Its text form,
// RFC 4514, is written the other way round.
type Name []RDN

// RDN is one level of a name; nearly always a single attribute. The order within it means nothing.
type RDN []Attribute

// Attribute is one type and value of a name.
type Attribute struct {
	Type  OID
	Value string // the text; "" where the value is no string type
	Raw   []byte // the DER of the value with tag and length; nil when parsed from text
}

// attributeNames are the names under which types are written. Outside the table of [RFC 4514 3] they are
// those that OpenSSL and Java both read.
var attributeNames = map[OID]string{
	"2.5.4.3": "CN", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.10": "O", "2.5.4.11": "OU", "2.5.4.6": "C",
	"2.5.4.9": "STREET", "0.9.2342.19200300.100.1.25": "DC", "0.9.2342.19200300.100.1.1": "UID",
	"1.2.840.113549.1.9.1": "emailAddress", "2.5.4.5": "serialNumber", "2.5.4.4": "surname",
	"2.5.4.42": "givenName", "2.5.4.43": "initials", "2.5.4.12": "T",
}

// attributeTypes are the spellings that are understood, upper case.
var attributeTypes = map[string]OID{
	"CN": "2.5.4.3", "COMMONNAME": "2.5.4.3", "L": "2.5.4.7", "LOCALITYNAME": "2.5.4.7", "LOCALITY": "2.5.4.7",
	"ST": "2.5.4.8", "S": "2.5.4.8", "SP": "2.5.4.8", "STATEORPROVINCENAME": "2.5.4.8",
	"O": "2.5.4.10", "ORGANIZATIONNAME": "2.5.4.10", "OU": "2.5.4.11", "ORGANIZATIONALUNITNAME": "2.5.4.11",
	"C": "2.5.4.6", "COUNTRYNAME": "2.5.4.6", "STREET": "2.5.4.9", "STREETADDRESS": "2.5.4.9",
	"DC": "0.9.2342.19200300.100.1.25", "DOMAINCOMPONENT": "0.9.2342.19200300.100.1.25",
	"UID": "0.9.2342.19200300.100.1.1", "USERID": "0.9.2342.19200300.100.1.1",
	"E": "1.2.840.113549.1.9.1", "EMAIL": "1.2.840.113549.1.9.1", "EMAILADDRESS": "1.2.840.113549.1.9.1",
	"SERIALNUMBER": "2.5.4.5", "SN": "2.5.4.4", "SURNAME": "2.5.4.4",
	"G": "2.5.4.42", "GN": "2.5.4.42", "GIVENNAME": "2.5.4.42", "INITIALS": "2.5.4.43",
	"T": "2.5.4.12", "TITLE": "2.5.4.12", "GENERATION": "2.5.4.44", "GENERATIONQUALIFIER": "2.5.4.44",
	"DNQ": "2.5.4.46", "DNQUALIFIER": "2.5.4.46", "PSEUDONYM": "2.5.4.65", "POSTALCODE": "2.5.4.17",
	"POSTALADDRESS": "2.5.4.16", "DESCRIPTION": "2.5.4.13", "BUSINESSCATEGORY": "2.5.4.15",
	"ORGANIZATIONIDENTIFIER": "2.5.4.97", "ORGIDENTIFIER": "2.5.4.97", "TELEPHONENUMBER": "2.5.4.20", "NAME": "2.5.4.41",
	"UNSTRUCTUREDNAME": "1.2.840.113549.1.9.2", "UNSTRUCTUREDADDRESS": "1.2.840.113549.1.9.8",
	"JURISDICTIONL": "1.3.6.1.4.1.311.60.2.1.1", "JURISDICTIONST": "1.3.6.1.4.1.311.60.2.1.2", "JURISDICTIONC": "1.3.6.1.4.1.311.60.2.1.3",
	"JURISDICTIONLOCALITYNAME": "1.3.6.1.4.1.311.60.2.1.1", "JURISDICTIONSTATEORPROVINCENAME": "1.3.6.1.4.1.311.60.2.1.2",
	"JURISDICTIONCOUNTRYNAME": "1.3.6.1.4.1.311.60.2.1.3",
}

const (
	tagNumeric   = asn1.Tag(18)
	tagUniversal = asn1.Tag(28)
	tagVisible   = asn1.Tag(26)
	tagBMP       = asn1.Tag(30)
)

// parseName reads a Name element.
func parseName(der []byte) (Name, error) {
	s := cryptobyte.String(der)
	var rdns cryptobyte.String
	if !s.ReadASN1(&rdns, asn1.SEQUENCE) || !s.Empty() {
		return nil, malformed("name is no SEQUENCE")
	}
	name := make(Name, 0, 6)
	single := make([]Attribute, 0, 6) // one array for the usual levels of one attribute
	for !rdns.Empty() {
		var set cryptobyte.String
		if !rdns.ReadASN1(&set, asn1.SET) || set.Empty() {
			return nil, malformed("name: level %d is no SET of attributes", len(name)+1)
		}
		start := len(single)
		for !set.Empty() {
			a, err := parseAttribute(&set)
			if err != nil {
				return nil, err
			}
			single = append(single, a)
		}
		name = append(name, RDN(single[start:len(single):len(single)]))
	}
	return name, nil
}

func parseAttribute(set *cryptobyte.String) (a Attribute, err error) {
	var pair, value cryptobyte.String
	var tag asn1.Tag
	if !set.ReadASN1(&pair, asn1.SEQUENCE) || !readOID(&pair, &a.Type) {
		return a, malformed("name: attribute without type")
	}
	if !pair.ReadAnyASN1Element(&value, &tag) || !pair.Empty() {
		return a, malformed("name: attribute %s without single value", a.Type)
	}
	a.Raw = value
	a.Value, _ = decodeString(value)
	return a, nil
}

// decodeString reads any of the string types, with leave for the wrong alphabet: Latin-1 in a
// PrintableString or a UTF8String is taken as what it evidently is. False for other types.
func decodeString(element []byte) (string, bool) {
	s := cryptobyte.String(element)
	var v cryptobyte.String
	var tag asn1.Tag
	if !s.ReadAnyASN1(&v, &tag) || !s.Empty() {
		return "", false
	}
	switch tag {
	case asn1.UTF8String, asn1.PrintableString, asn1.IA5String, asn1.T61String, tagNumeric, tagVisible:
		if tag != asn1.T61String && utf8.Valid(v) {
			return string(v), true
		}
		r := make([]rune, len(v))
		for i, b := range v {
			r[i] = rune(b)
		}
		return string(r), true
	case tagBMP:
		if len(v)%2 != 0 {
			return "", false
		}
		return decodeUTF16(v), true
	case tagUniversal:
		if len(v)%4 != 0 {
			return "", false
		}
		var b strings.Builder
		for i := 0; i < len(v); i += 4 {
			b.WriteRune(rune(uint32(v[i])<<24 | uint32(v[i+1])<<16 | uint32(v[i+2])<<8 | uint32(v[i+3])))
		}
		return b.String(), true
	}
	return "", false
}

func decodeUTF16(v []byte) string {
	var b strings.Builder
	for i := 0; i+1 < len(v); i += 2 {
		r := rune(v[i])<<8 | rune(v[i+1])
		if 0xd800 <= r && r < 0xdc00 && i+3 < len(v) {
			if low := rune(v[i+2])<<8 | rune(v[i+3]); 0xdc00 <= low && low < 0xe000 {
				r = (r-0xd800)<<10 | (low - 0xdc00) + 0x10000
				i += 2
			}
		}
		b.WriteRune(r)
	}
	return b.String()
}

// CommonName returns the last CN, the most specific one, or "".
func (n Name) CommonName() string { return n.Get("2.5.4.3") }

// Get returns the last value of an attribute type, or "".
func (n Name) Get(t OID) string {
	for _, rdn := range slices.Backward(n) {
		for _, a := range rdn {
			if a.Type == t {
				return a.Value
			}
		}
	}
	return ""
}

// String writes the name as RFC 4514 does, a form that RFC 2253 readers take too. Types that have no name
// are written as numbers with their value in hexadecimal DER [RFC 4514 2.4].
func (n Name) String() string {
	var b strings.Builder
	for i, rdn := range slices.Backward(n) {
		if i < len(n)-1 {
			b.WriteByte(',')
		}
		for j, a := range rdn {
			if j > 0 {
				b.WriteByte('+')
			}
			a.write(&b)
		}
	}
	return b.String()
}

func (a Attribute) write(b *strings.Builder) {
	name, named := attributeNames[a.Type]
	if !named {
		name = string(a.Type)
	}
	b.WriteString(name)
	b.WriteByte('=')
	if named && (a.Value != "" || a.isText()) {
		writeEscaped(b, a.Value)
		return
	}
	b.WriteByte('#')
	b.WriteString(hex.EncodeToString(a.der()))
}

// isText tells an empty string from a value of another type.
func (a Attribute) isText() bool {
	if a.Raw == nil {
		return true
	}
	_, ok := decodeString(a.Raw)
	return ok
}

// der returns the value's encoding; text without one becomes UTF8String.
func (a Attribute) der() []byte {
	if a.Raw != nil {
		return a.Raw
	}
	var b cryptobyte.Builder
	b.AddASN1(asn1.UTF8String, func(b *cryptobyte.Builder) { b.AddBytes([]byte(a.Value)) })
	out, err := b.Bytes()
	if err != nil {
		return nil
	}
	return out
}

func writeEscaped(b *strings.Builder, v string) {
	for i, r := range v {
		switch {
		case r == 0:
			b.WriteString(`\00`)
			continue
		case strings.ContainsRune(`"+,;<>\`, r), i == 0 && (r == ' ' || r == '#'), r == ' ' && i == len(v)-1:
			b.WriteByte('\\')
		case r < ' ' || r == 0x7f:
			b.WriteByte('\\')
			b.WriteString(hex.EncodeToString([]byte{byte(r)}))
			continue
		}
		b.WriteRune(r)
	}
}

// Equal compares names as directories do: level by level, attribute types by identity, texts without
// regard to case, to the string type and to the amount of white space [RFC 5280 7.1].
func (n Name) Equal(o Name) bool {
	return slices.EqualFunc(n, o, equalRDN)
}

func equalRDN(a, b RDN) bool {
	if len(a) != len(b) {
		return false
	}
	if len(a) == 1 {
		return a[0].equal(b[0])
	}
	used := make([]bool, len(b))
next:
	for _, x := range a {
		for i, y := range b {
			if !used[i] && x.equal(y) {
				used[i] = true
				continue next
			}
		}
		return false
	}
	return true
}

func (a Attribute) equal(b Attribute) bool {
	if a.Type != b.Type {
		return false
	}
	if a.Raw != nil && bytes.Equal(a.Raw, b.Raw) || a.Value != "" && a.Value == b.Value {
		return true
	}
	if !a.isText() || !b.isText() {
		return a.Raw != nil && bytes.Equal(a.Raw, b.Raw)
	}
	if isASCII(a.Value) && isASCII(b.Value) {
		return equalASCII(a.Value, b.Value)
	}
	return fold(a.Value) == fold(b.Value)
}

// equalASCII is fold(a) == fold(b) without building either.
func equalASCII(a, b string) bool {
	i, j := skipSpace(a, 0), skipSpace(b, 0)
	for i < len(a) && j < len(b) {
		if isSpace(a[i]) || isSpace(b[j]) {
			if !isSpace(a[i]) || !isSpace(b[j]) {
				break // one of them may still be white space at the end
			}
			i, j = skipSpace(a, i), skipSpace(b, j)
			continue
		}
		if lower(a[i]) != lower(b[j]) {
			return false
		}
		i, j = i+1, j+1
	}
	return skipSpace(a, i) == len(a) && skipSpace(b, j) == len(b)
}

func skipSpace(s string, i int) int {
	for i < len(s) && isSpace(s[i]) {
		i++
	}
	return i
}

func isSpace(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

// fold brings a text to the form in which it is compared (a small stringprep, [RFC 4518]).
func fold(s string) string {
	if !isASCII(s) {
		s = norm.NFKC.String(s)
	}
	var b strings.Builder
	space := false
	for _, r := range s {
		if unicode.IsSpace(r) {
			space = b.Len() > 0
			continue
		}
		if space {
			b.WriteByte(' ')
			space = false
		}
		b.WriteRune(unicode.ToLower(unicode.ToUpper(r)))
	}
	return b.String()
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
