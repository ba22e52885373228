package jades

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// kind of a JSON value.
type kind uint8

const (
	null kind = iota
	boolean
	number
	text
	array
	object
)

var kindNames = [...]string{"null", "a boolean", "a number", "a string", "an array", "an object"}

// value is one JSON value with the octets that it was read from.
type value struct {
	kind    kind
	raw     []byte
	text    string // of a string, its escapes undone
	yes     bool   // of a boolean
	items   []value
	members []member
}

type member struct {
	name  string
	value value
}

const (
	maxJSONDepth  = 32
	maxJSONValues = 100_000 // of one document
)

// parseJSON reads one JSON text and nothing behind it [RFC 8259]. Names that stand twice in an object, octets that are no UTF-8 and
// surrogates without their other half are refused, since readers disagree about them [RFC 7493 2]. Nothing is copied but strings
// with escapes.
func parseJSON(b []byte) (value, error) {
	r := reader{b: b}
	v, err := r.value(0)
	if err != nil {
		return v, err
	}
	r.space()
	if r.at < len(b) {
		return v, r.errorf("something stands behind the end")
	}
	return v, nil
}

type reader struct {
	b      []byte
	at     int
	values int
}

func (r *reader) errorf(format string, a ...any) error {
	return fmt.Errorf("%w: JSON, octet %d: %s", ErrStructure, r.at, fmt.Sprintf(format, a...))
}

func (r *reader) space() {
	for r.at < len(r.b) {
		switch r.b[r.at] {
		case ' ', '\t', '\r', '\n':
			r.at++
		default:
			return
		}
	}
}

func (r *reader) peek() byte {
	if r.at < len(r.b) {
		return r.b[r.at]
	}
	return 0
}

func (r *reader) value(depth int) (v value, err error) {
	if r.values++; r.values > maxJSONValues {
		return v, r.errorf("more than %d values", maxJSONValues)
	}
	if depth > maxJSONDepth {
		return v, r.errorf("deeper than %d levels", maxJSONDepth)
	}
	r.space()
	start := r.at
	switch c := r.peek(); {
	case c == '{':
		v.kind = object
		err = r.object(&v, depth)
	case c == '[':
		v.kind = array
		err = r.list(']', func() error {
			item, err := r.value(depth + 1)
			v.items = append(v.items, item)
			return err
		})
	case c == '"':
		v.kind = text
		v.text, err = r.string()
	case c == '-' || c >= '0' && c <= '9':
		v.kind = number
		err = r.number()
	default:
		err = r.errorf("no value")
		for word, x := range map[string]value{"null": {}, "true": {kind: boolean, yes: true}, "false": {kind: boolean}} {
			if bytes.HasPrefix(r.b[r.at:], []byte(word)) {
				v, err = x, nil
				r.at += len(word)
				break
			}
		}
	}
	v.raw = r.b[start:r.at]
	return v, err
}

// list reads what stands between the bracket it is at and the closing one.
func (r *reader) list(end byte, one func() error) error {
	r.at++
	r.space()
	if r.peek() == end {
		r.at++
		return nil
	}
	for {
		if err := one(); err != nil {
			return err
		}
		r.space()
		switch r.peek() {
		case ',':
			r.at++
		case end:
			r.at++
			return nil
		default:
			return r.errorf("neither , nor %c", end)
		}
	}
}

func (r *reader) object(v *value, depth int) error {
	seen := map[string]bool{}
	return r.list('}', func() error {
		r.space()
		if r.peek() != '"' {
			return r.errorf("an object has a member without a name")
		}
		name, err := r.string()
		if err != nil {
			return err
		}
		if seen[name] {
			return r.errorf("%q stands twice in one object", name)
		}
		seen[name] = true
		r.space()
		if r.peek() != ':' {
			return r.errorf("no : behind the name %q", name)
		}
		r.at++
		x, err := r.value(depth + 1)
		v.members = append(v.members, member{name, x})
		return err
	})
}

// string reads a string at its opening quote.
func (r *reader) string() (string, error) {
	r.at++
	rest := r.b[r.at:]
	end := bytes.IndexByte(rest, '"')
	if end < 0 {
		return "", r.errorf("a string does not end")
	}
	if plain := rest[:end]; bytes.IndexByte(plain, '\\') < 0 {
		if err := r.check(plain); err != nil {
			return "", err
		}
		r.at += end + 1
		return string(plain), nil
	}
	var out []byte
	for r.at < len(r.b) {
		rest = r.b[r.at:]
		end := bytes.IndexAny(rest, `"\`)
		if end < 0 {
			break
		}
		if err := r.check(rest[:end]); err != nil {
			return "", err
		}
		out = append(out, rest[:end]...)
		r.at += end + 1
		if rest[end] == '"' {
			return string(out), nil
		}
		c, err := r.escape()
		if err != nil {
			return "", err
		}
		out = utf8.AppendRune(out, c)
	}
	return "", r.errorf("a string does not end")
}

// check refuses control characters and octets that are no UTF-8.
func (r *reader) check(plain []byte) error {
	for _, c := range plain {
		if c < 0x20 {
			return r.errorf("a string holds the control character %#x", c)
		}
	}
	if !utf8.Valid(plain) {
		return r.errorf("a string is not in UTF-8")
	}
	return nil
}

func (r *reader) escape() (rune, error) {
	c := r.peek()
	r.at++
	switch c {
	case '"', '\\', '/':
		return rune(c), nil
	case 'b':
		return '\b', nil
	case 'f':
		return '\f', nil
	case 'n':
		return '\n', nil
	case 'r':
		return '\r', nil
	case 't':
		return '\t', nil
	case 'u':
		first, err := r.hex()
		if err != nil || !utf16.IsSurrogate(first) {
			return first, err
		}
		if r.peek() != '\\' || r.at+1 >= len(r.b) || r.b[r.at+1] != 'u' {
			return 0, r.errorf("half of a surrogate pair")
		}
		r.at += 2
		second, err := r.hex()
		if err != nil {
			return 0, err
		}
		if c := utf16.DecodeRune(first, second); c != utf8.RuneError {
			return c, nil
		}
		return 0, r.errorf("half of a surrogate pair")
	}
	return 0, r.errorf("no such escape as \\%c", c)
}

func (r *reader) hex() (rune, error) {
	if r.at+4 > len(r.b) {
		return 0, r.errorf("a string does not end")
	}
	n, err := strconv.ParseUint(string(r.b[r.at:r.at+4]), 16, 16)
	if err != nil {
		return 0, r.errorf("%q are no hexadecimal digits", r.b[r.at:r.at+4])
	}
	r.at += 4
	return rune(n), nil
}

// number reads what RFC 8259 section 6 allows.
func (r *reader) number() error {
	digits := func() bool {
		start := r.at
		for c := r.peek(); c >= '0' && c <= '9'; c = r.peek() {
			r.at++
		}
		return r.at > start
	}
	if r.peek() == '-' {
		r.at++
	}
	ok := true
	if r.peek() == '0' {
		r.at++
	} else {
		ok = digits()
	}
	if r.peek() == '.' {
		r.at++
		ok = digits() && ok
	}
	if c := r.peek(); c == 'e' || c == 'E' {
		r.at++
		if c := r.peek(); c == '+' || c == '-' {
			r.at++
		}
		ok = digits() && ok
	}
	if !ok {
		return r.errorf("no number")
	}
	return nil
}

// get finds a member.
func (v *value) get(name string) (value, bool) {
	for i := range v.members {
		if v.members[i].name == name {
			return v.members[i].value, true
		}
	}
	return value{}, false
}

// string is the text of a member that is a string, otherwise "".
func (v *value) string(name string) string {
	x, _ := v.get(name)
	return x.text
}

// list is the items of a member that is an array.
func (v *value) list(name string) []value {
	x, _ := v.get(name)
	return x.items
}

// want says so when a value is of another kind.
func (v *value) want(name string, k kind) error {
	if v.kind != k {
		return fmt.Errorf("%w: %s is %s where %s belongs", ErrStructure, name, kindNames[v.kind], kindNames[k])
	}
	return nil
}

// float is the number as every reader of I-JSON has it.
func (v *value) float() (float64, bool) {
	f, err := strconv.ParseFloat(string(v.raw), 64)
	return f, v.kind == number && err == nil
}

// canonical appends the value in the JSON Canonicalization Scheme [RFC 8785 3.2].
func (v *value) canonical(out []byte) ([]byte, error) {
	var err error
	switch v.kind {
	case null:
		return append(out, "null"...), nil
	case boolean:
		return strconv.AppendBool(out, v.yes), nil
	case number:
		f, ok := v.float()
		if !ok {
			return nil, fmt.Errorf("%w: the number %s has no canonical form", ErrStructure, v.raw)
		}
		return appendNumber(out, f), nil
	case text:
		return appendString(out, v.text), nil
	case array:
		out = append(out, '[')
		for i := range v.items {
			if i > 0 {
				out = append(out, ',')
			}
			if out, err = v.items[i].canonical(out); err != nil {
				return nil, err
			}
		}
		return append(out, ']'), nil
	}
	sorted := slices.Clone(v.members)
	slices.SortFunc(sorted, func(a, b member) int {
		return slices.Compare(utf16.Encode([]rune(a.name)), utf16.Encode([]rune(b.name)))
	})
	out = append(out, '{')
	for i := range sorted {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(appendString(out, sorted[i].name), ':')
		if out, err = sorted[i].value.canonical(out); err != nil {
			return nil, err
		}
	}
	return append(out, '}'), nil
}

// appendNumber writes a number as ECMAScript does: the shortest digits, an exponent outside of 1e-6 to 1e21 [RFC 8785 3.2.2.3].
func appendNumber(out []byte, f float64) []byte {
	if f == 0 {
		return append(out, '0') // also for -0
	}
	if abs := math.Abs(f); abs >= 1e-6 && abs < 1e21 {
		return strconv.AppendFloat(out, f, 'f', -1, 64)
	}
	start := len(out)
	out = strconv.AppendFloat(out, f, 'e', -1, 64)
	// Go writes e-07 and e+21 where ECMAScript writes e-7 and e+21.
	if n := len(out); n-start > 4 && out[n-2] == '0' && (out[n-3] == '-' || out[n-3] == '+') {
		out[n-2] = out[n-1]
		out = out[:n-1]
	}
	return out
}

// appendString writes a string with the escapes of [RFC 8785 3.2.2.2].
func appendString(out []byte, s string) []byte {
	out = append(out, '"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			out = append(out, '\\', c)
		case c >= 0x20:
			out = append(out, c)
		case c == '\b':
			out = append(out, `\b`...)
		case c == '\t':
			out = append(out, `\t`...)
		case c == '\n':
			out = append(out, `\n`...)
		case c == '\f':
			out = append(out, `\f`...)
		case c == '\r':
			out = append(out, `\r`...)
		default:
			out = fmt.Appendf(out, `\u%04x`, c)
		}
	}
	return append(out, '"')
}
