// Package ber reads the Basic Encoding Rules of ASN.1 (ITU-T X.690), as signatures in the wild use them: indefinite lengths,
// strings in segments, lengths longer than they need to be.
//
// An [Element] keeps the octets it was read from, so that what was signed or time-stamped can be hashed as it came. [Element.DER]
// is its distinguished form for parsers that take nothing else; where the element is in that form already, no octet is copied.
//
// Elements nested more than 64 deep are refused. Nothing is read beyond the input, and work is bounded by input length times
// depth.
package ber

import (
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte/asn1"
)

// MaxDepth is how deep elements may be nested.
const MaxDepth = 64

// ErrSyntax is in every error of this package.
var ErrSyntax = errors.New("malformed BER")

// Error says at which octet of the input the encoding is wrong.
type Error struct {
	Offset int
	Msg    string
}

func (e *Error) Error() string { return fmt.Sprintf("octet %d: %s", e.Offset, e.Msg) }

// Unwrap returns [ErrSyntax].
func (e *Error) Unwrap() error { return ErrSyntax }

// Element is one tag, length and value.
type Element struct {
	Tag     asn1.Tag // class, form and number; the number 31 stands for itself and all above
	Raw     []byte   // the whole element as it was read
	Content []byte   // without tag, length and end-of-contents octets
	Offset  int      // of Raw in the input
	depth   int
}

const constructed = 0x20

// Constructed reports whether the content is made of elements.
func (e Element) Constructed() bool { return e.Tag&constructed != 0 }

// Children reads the elements that a constructed one is made of.
func (e Element) Children() Reader {
	// the content begins after the header: a reader of the same input, nearer to its limit of depth
	return Reader{rest: e.Content, offset: e.Offset + e.headerLen(), depth: e.depth + 1}
}

func (e Element) headerLen() int {
	h, _ := parseHeader(e.Raw)
	return h.size
}

// Errorf makes an error about the element with its position.
func (e Element) Errorf(format string, args ...any) error {
	return &Error{e.Offset, fmt.Sprintf(format, args...)}
}

// Reader takes elements one after the other from the front of its input.
type Reader struct {
	rest   []byte
	offset int
	depth  int
}

// NewReader reads from b; elements share its memory.
func NewReader(b []byte) Reader { return Reader{rest: b} }

// Parse reads one element that is all of the input.
func Parse(b []byte) (Element, error) {
	r := NewReader(b)
	e, err := r.Next()
	if err == nil && !r.Empty() {
		err = r.Errorf("%d octets too many", len(r.rest))
	}
	return e, err
}

// Empty reports whether all was read.
func (r *Reader) Empty() bool { return len(r.rest) == 0 }

// Rest is what was not read yet.
func (r *Reader) Rest() []byte { return r.rest }

// Is reports whether an element with this tag comes next: in constructed form where the tag is constructed, in either form where it is
// that of a string or of another class, otherwise in primitive form.
func (r *Reader) Is(tag asn1.Tag) bool {
	if len(r.rest) == 0 {
		return false
	}
	found := asn1.Tag(r.rest[0])
	if found == tag {
		return true
	}
	return tag&constructed == 0 && found&^constructed == tag && (tag&0xc0 != 0 || isString(byte(tag)))
}

// Errorf makes an error about the place reached.
func (r *Reader) Errorf(format string, args ...any) error {
	return &Error{r.offset, fmt.Sprintf(format, args...)}
}

// Next reads the next element, whatever it is.
func (r *Reader) Next() (Element, error) {
	if r.depth > MaxDepth {
		return Element{}, r.Errorf("more than %d elements within one another", MaxDepth)
	}
	h, n, err := measure(r.rest, r.offset, r.depth)
	if err != nil {
		return Element{}, err
	}
	e := Element{Tag: asn1.Tag(r.rest[0]), Raw: r.rest[:n:n], Offset: r.offset, depth: r.depth}
	e.Content = e.Raw[h.size:]
	if h.indefinite {
		e.Content = e.Raw[h.size : n-2 : n-2]
	}
	r.rest, r.offset = r.rest[n:], r.offset+n
	return e, nil
}

// Read reads the next element, which must have this tag in the sense of [Reader.Is].
func (r *Reader) Read(tag asn1.Tag, what string) (Element, error) {
	if r.Empty() {
		return Element{}, r.Errorf("%s is missing", what)
	}
	if !r.Is(tag) {
		return Element{}, r.Errorf("%s expected, found tag %#02x", what, r.rest[0])
	}
	return r.Next()
}

// header is tag and length.
type header struct {
	size       int // of tag and length octets
	length     int // of the content; 0 where indefinite
	indefinite bool
	minimal    bool // the shortest form of tag and length
}

// parseHeader reads tag and length; ok is false where they are cut off or above all measure.
func parseHeader(b []byte) (h header, ok bool) {
	if len(b) < 2 {
		return h, false
	}
	i := 1
	if b[0]&0x1f == 0x1f { // high tag number
		for ; ; i++ {
			if i > 5 || i >= len(b) {
				return h, false
			}
			if b[i]&0x80 == 0 {
				i++
				break
			}
		}
		if i >= len(b) {
			return h, false
		}
	}
	l := b[i]
	i++
	h.minimal = true
	switch {
	case l < 0x80:
		h.length = int(l)
	case l == 0x80:
		h.indefinite, h.minimal = true, false
	case l == 0xff:
		return h, false
	default:
		n := int(l & 0x7f)
		if n > len(b)-i {
			return h, false
		}
		digits := b[i : i+n]
		i += n
		h.minimal = digits[0] != 0
		for len(digits) > 0 && digits[0] == 0 {
			digits = digits[1:]
		}
		if len(digits) > 7 {
			return h, false
		}
		for _, d := range digits {
			h.length = h.length<<8 | int(d)
		}
		h.minimal = h.minimal && h.length >= 0x80
	}
	h.size = i
	return h, true
}

// measure finds the length of the element at the start of b.
func measure(b []byte, offset, depth int) (h header, n int, err error) {
	h, ok := parseHeader(b)
	switch {
	case len(b) == 0:
		return h, 0, &Error{offset, "the input ends where an element must come"}
	case !ok:
		return h, 0, &Error{offset, "tag or length is cut off or has no meaning"}
	case b[0] == 0:
		return h, 0, &Error{offset, "end-of-contents without an indefinite length before it"}
	case !h.indefinite:
		if h.length > len(b)-h.size {
			return h, 0, &Error{offset, fmt.Sprintf("the element has %d octets of content and the input %d", h.length, len(b)-h.size)}
		}
		return h, h.size + h.length, nil
	case b[0]&constructed == 0:
		return h, 0, &Error{offset, "indefinite length of a primitive element"}
	case depth >= MaxDepth:
		return h, 0, &Error{offset, fmt.Sprintf("more than %d elements within one another", MaxDepth)}
	}
	for n = h.size; ; {
		if len(b)-n >= 2 && b[n] == 0 && b[n+1] == 0 {
			return h, n + 2, nil
		}
		_, m, err := measure(b[n:], offset+n, depth+1)
		if err != nil {
			return h, 0, err
		}
		n += m
	}
}

// Header reads the tag and length at the start of b: their octets, the length of the content, and whether that is indefinite.
func Header(b []byte) (raw []byte, length int, indefinite, ok bool) {
	h, ok := parseHeader(b)
	if !ok {
		return nil, 0, false, false
	}
	return b[:h.size], h.length, h.indefinite, true
}

// NewReaderAt is [NewReader] for octets that stand at an offset of a larger input, for the positions in errors.
func NewReaderAt(b []byte, offset int) Reader { return Reader{rest: b, offset: offset} }
