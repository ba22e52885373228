package ber

import (
	"bytes"
	"slices"

	"golang.org/x/crypto/cryptobyte/asn1"
)

// IsDER reports whether the element and all within has definite, shortest lengths and whole strings. The order of sets, which
// DER prescribes too, is not asked for: signers get it wrong, and mean the order in which they wrote.
func (e Element) IsDER() bool { return definite(e.Raw, 0) }

func definite(b []byte, depth int) bool {
	for len(b) > 0 {
		h, ok := parseHeader(b)
		if !ok || !h.minimal || b[0] == 0 || h.length > len(b)-h.size || depth > MaxDepth {
			return false
		}
		if b[0]&constructed != 0 && (isString(b[0]) || !definite(b[h.size:h.size+h.length], depth+1)) {
			return false
		}
		b = b[h.size+h.length:]
	}
	return true
}

// isString reports whether a constructed universal type is a string in segments.
func isString(tag byte) bool {
	switch tag & 0xdf {
	case 3, 4, 12, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 30:
		return true
	}
	return false
}

// DER returns the element with definite, shortest lengths and whole strings, its sets in the order they have. Strings under an
// implicit tag cannot be told from other structures and keep their segments.
func (e Element) DER() ([]byte, error) {
	if e.IsDER() {
		return e.Raw, nil
	}
	return appendDER(nil, e, false)
}

// SortedDER is [Element.DER] with sets of the universal class in the order of DER [X.690 11.6].
func (e Element) SortedDER() ([]byte, error) { return appendDER(nil, e, true) }

func appendDER(dst []byte, e Element, sorted bool) ([]byte, error) {
	if !e.Constructed() {
		content := e.Content
		if e.Tag == asn1.BOOLEAN && len(content) == 1 && content[0] != 0 {
			content = []byte{0xff}
		}
		return append(appendHeader(dst, e, len(content)), content...), nil
	}
	if isString(byte(e.Tag)) {
		content, err := e.Bytes()
		if err != nil {
			return nil, err
		}
		e.Tag &^= constructed
		return append(appendHeader(dst, e, len(content)), content...), nil
	}
	var parts [][]byte
	size := 0
	for r := e.Children(); !r.Empty(); {
		c, err := r.Next()
		if err != nil {
			return nil, err
		}
		part, err := appendDER(nil, c, sorted)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
		size += len(part)
	}
	if sorted && e.Tag == asn1.SET {
		slices.SortStableFunc(parts, bytes.Compare)
	}
	dst = appendHeader(slices.Grow(dst, size+len(e.Raw)-len(e.Content)+8), e, size)
	for _, p := range parts {
		dst = append(dst, p...)
	}
	return dst, nil
}

// appendHeader writes the tag, whose octets may be several, and a length.
func appendHeader(dst []byte, e Element, length int) []byte {
	dst = append(dst, byte(e.Tag))
	if e.Tag&0x1f == 0x1f {
		for _, b := range e.Raw[1:] {
			if dst = append(dst, b); b&0x80 == 0 {
				break
			}
		}
	}
	return AppendLength(dst, length)
}

// AppendLength writes a definite length.
func AppendLength(dst []byte, n int) []byte {
	if n < 0x80 {
		return append(dst, byte(n))
	}
	count := 1
	for m := n >> 8; m > 0; m >>= 8 {
		count++
	}
	dst = append(dst, 0x80|byte(count))
	for count--; count >= 0; count-- {
		dst = append(dst, byte(n>>(8*count)))
	}
	return dst
}

// Append writes an element with a tag of one octet.
func Append(dst []byte, tag asn1.Tag, content ...[]byte) []byte {
	n := 0
	for _, c := range content {
		n += len(c)
	}
	dst = AppendLength(append(slices.Grow(dst, n+8), byte(tag)), n)
	for _, c := range content {
		dst = append(dst, c...)
	}
	return dst
}

// Bytes returns the octets of a string, its segments put together. A BIT STRING keeps its leading octet, the number of unused
// bits, that of the last segment. The element is taken for a string whatever its tag, which may be implicit; a segment under an
// implicit tag has the tag of the string type.
func (e Element) Bytes() ([]byte, error) {
	if !e.Constructed() {
		return e.Content, nil
	}
	bits := e.Tag&^constructed == asn1.BIT_STRING
	var out []byte
	if bits {
		out = []byte{0}
	}
	for r := e.Children(); !r.Empty(); {
		c, err := r.Next()
		if err != nil {
			return nil, err
		}
		if c.Tag&0xc0 != 0 || !isString(byte(c.Tag)) || e.Tag&0xc0 == 0 && c.Tag&^constructed != e.Tag&^constructed &&
			c.Tag&^constructed != asn1.OCTET_STRING {
			return nil, c.Errorf("segment of a string expected, found tag %#02x", byte(c.Tag))
		}
		b, err := c.Bytes()
		if err != nil {
			return nil, err
		}
		if bits {
			if len(b) == 0 || out[0] != 0 {
				return nil, c.Errorf("segment of a bit string")
			}
			out[0], b = b[0], b[1:]
		}
		out = append(out, b...)
	}
	return out, nil
}
