package dom

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"
)

const (
	cName  = 1 << iota // may continue a name; every octet of a non-ASCII character counts, checked later
	cStart             // may start a name
	cSpace             // white space
)

var class = func() (t [256]uint8) {
	for c := 0; c < 256; c++ {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_', c == ':', c >= 0x80:
			t[c] = cName | cStart
		case c >= '0' && c <= '9', c == '-', c == '.':
			t[c] = cName
		case c == ' ', c == '\t', c == '\n', c == '\r':
			t[c] = cSpace
		}
	}
	return t
}()

// isNameStart is NameStartChar without the colon [XML 2.3 production 4].
func isNameStart(r rune) bool {
	switch {
	case r < 0x80:
		return r != ':' && class[r]&cStart != 0
	case r < 0xC0, r == 0xD7, r == 0xF7:
		return false
	case r <= 0x2FF:
		return true
	}
	return r >= 0x370 && r <= 0x37D || r >= 0x37F && r <= 0x1FFF || r >= 0x200C && r <= 0x200D ||
		r >= 0x2070 && r <= 0x218F || r >= 0x2C00 && r <= 0x2FEF || r >= 0x3001 && r <= 0xD7FF ||
		r >= 0xF900 && r <= 0xFDCF || r >= 0xFDF0 && r <= 0xFFFD || r >= 0x10000 && r <= 0xEFFFF
}

// isNameChar is NameChar without the colon [XML 2.3 production 4a].
func isNameChar(r rune) bool {
	if r < 0x80 {
		return r != ':' && class[r]&cName != 0
	}
	return isNameStart(r) || r == 0xB7 || r >= 0x300 && r <= 0x36F || r >= 0x203F && r <= 0x2040
}

// isNCName reports whether s is a name without colon [Namespaces 3 production 4].
func isNCName(s string) bool {
	if s == "" {
		return false
	}
	for i, r := range s {
		if i == 0 && !isNameStart(r) || !isNameChar(r) {
			return false
		}
	}
	return true
}

// isChar is Char [XML 2.2 production 2].
func isChar(r rune) bool {
	return r >= 0x20 && r <= 0xD7FF || r == '\t' || r == '\n' || r == '\r' ||
		r >= 0xE000 && r <= 0xFFFD || r >= 0x10000 && r <= 0x10FFFF
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// hasControl reports whether any octet is below 0x20.
func hasControl(b []byte) bool {
	for ; len(b) >= 8; b = b[8:] {
		v := binary.LittleEndian.Uint64(b)
		if (v-ones*0x20)&^v&highs != 0 {
			return true
		}
	}
	for _, c := range b {
		if c < 0x20 {
			return true
		}
	}
	return false
}

// eq marks the octets of v that equal c with 0x80.
func eq(v uint64, c byte) uint64 {
	x := v ^ ones*uint64(c)
	return ^((x&^highs + ones*0x7F) | x | ones*0x7F)
}

// badChar returns the offset of the first octet that no XML document may hold, or -1: malformed UTF-8 or a
// character outside of Char. One pass in advance lets the parser look at delimiters only. There is no CR in b.
func badChar(b []byte) int {
	bad := -1
	high := uint64(0)
	i := 0
	for ; i+8 <= len(b); i += 8 {
		v := binary.LittleEndian.Uint64(b[i:])
		high |= v
		if (v-ones*0x20)&^v&highs != 0 {
			v |= (eq(v, '\n') | eq(v, '\t')) >> 2 // both become at least 0x20
			if (v-ones*0x20)&^v&highs != 0 {
				break
			}
		}
	}
	for ; i < len(b); i++ {
		c := b[i]
		high |= uint64(c)
		if c < 0x20 && class[c]&cSpace == 0 {
			bad = i
			break
		}
	}
	if high&highs == 0 {
		return bad
	}
	if bad >= 0 {
		b = b[:bad]
	}
	if j := badUTF8(b); j >= 0 {
		return j
	}
	return bad
}

// badUTF8 returns the offset of the first malformed sequence or of U+FFFE, U+FFFF, or -1.
func badUTF8(b []byte) int {
	if utf8.Valid(b) { // EF BF BE and EF BF BF are left to look for
		for i := 0; ; i++ {
			n := bytes.IndexByte(b[i:], 0xEF)
			if n < 0 {
				return -1
			}
			i += n
			if b[i+1] == 0xBF && b[i+2] >= 0xBE {
				return i
			}
		}
	}
	for i := 0; i < len(b); {
		if b[i] < 0x80 {
			i++
			continue
		}
		r, size := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && size <= 1 || !isChar(r) {
			return i
		}
		i += size
	}
	return -1
}
