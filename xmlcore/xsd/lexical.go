package xsd

import (
	"strings"
	"unicode/utf8"
)

// Name classes of bytes, so that ASCII names need no decoding.
const (
	nameStart = 1 << iota
	nameChar
)

var nameClass = func() (t [128]uint8) {
	for c := range t {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_':
			t[c] = nameStart | nameChar
		case c >= '0' && c <= '9', c == '-', c == '.':
			t[c] = nameChar
		}
	}
	return t
}()

// nameRune reports whether a character from 128 on may stand in a name, and begin one [XML 2.3].
func nameRune(r rune) (char, start bool) {
	switch {
	case r >= 0xC0 && r <= 0x2FF:
		return r != 0xD7 && r != 0xF7, r != 0xD7 && r != 0xF7
	case r >= 0x370 && r <= 0x1FFF:
		return r != 0x37E, r != 0x37E
	case r == 0x200C, r == 0x200D, r >= 0x2070 && r <= 0x218F, r >= 0x2C00 && r <= 0x2FEF, r >= 0x3001 && r <= 0xD7FF,
		r >= 0xF900 && r <= 0xFDCF, r >= 0xFDF0 && r <= 0xFFFD, r >= 0x10000 && r <= 0xEFFFF:
		return true, true
	case r == 0xB7, r >= 0x300 && r <= 0x36F, r == 0x203F, r == 0x2040:
		return true, false
	}
	return false, false
}

// nameLike checks all characters; colon says whether ':' counts as a letter, first whether the first must begin a name.
func nameLike(s string, colon, first bool) bool {
	if s == "" {
		return false
	}
	want := uint8(nameChar)
	if first {
		want = nameStart
	}
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if nameClass[c]&want == 0 && (c != ':' || !colon) {
				return false
			}
			i++
		} else {
			r, w := utf8.DecodeRuneInString(s[i:])
			char, start := nameRune(r)
			if !char || want == nameStart && !start {
				return false
			}
			i += w
		}
		want = nameChar
	}
	return true
}

func isNCName(s string) bool  { return nameLike(s, false, true) }
func isName(s string) bool    { return nameLike(s, true, true) }
func isNMTOKEN(s string) bool { return nameLike(s, true, false) }

// language is [a-zA-Z]{1,8}(-[a-zA-Z0-9]{1,8})* [XSD2 3.3.3].
func language(s string) bool {
	n, first := 0, true
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '-':
			if n == 0 {
				return false
			}
			n, first = 0, false
			continue
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9' && !first:
			n++
		default:
			return false
		}
		if n > 8 {
			return false
		}
	}
	return n > 0
}

// anyURI accepts what becomes a URI reference when characters that URIs lack are escaped [XSD2 3.2.17]: nearly
// everything. What stands before a first colon must be a scheme, with something behind it; a percent sign must begin an
// escape; a fragment must not contain another.
func anyURI(s string) bool {
	hash := false
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '#':
			if hash {
				return false
			}
			hash = true
		case '%':
			if i+2 >= len(s) || !hexDigit(s[i+1]) || !hexDigit(s[i+2]) {
				return false
			}
		}
	}
	i := strings.IndexByte(s, ':')
	if i < 0 || strings.ContainsAny(s[:i], "/?#") {
		return true
	}
	if i == 0 || i == len(s)-1 || s[i+1] == '#' {
		return false
	}
	for j := range i {
		c := s[j] | 0x20
		if letter := c >= 'a' && c <= 'z'; !letter && (j == 0 || s[j] != '+' && s[j] != '-' && s[j] != '.' && (s[j] < '0' || s[j] > '9')) {
			return false
		}
	}
	return true
}

func hexDigit(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}
