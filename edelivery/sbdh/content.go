package sbdh

import (
	"bytes"
	"encoding/base64"
	"io"
	"strconv"
	"unicode/utf8"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// content reads what a wrapper holds: character data with references resolved, decoded if it is binary [ENV 2.3].
type content struct {
	s      *scanner
	binary bool
	begun  bool
	ended  bool
	tail   bool
	around []byte

	text   []byte // characters not yet handed out or decoded
	out    []byte // what Read has not taken yet
	space  []byte // memory of out
	padded bool   // the base64 has ended
	lastCR bool
	ends   int    // ] seen in a row
	high   uint32 // the octets before that were not ASCII
	err    error
}

func (c *content) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for len(c.out) == 0 {
		if c.err != nil {
			return 0, c.err
		}
		c.err = c.next()
	}
	n := copy(p, c.out)
	c.out = c.out[n:]
	return n, nil
}

// WriteTo implements io.WriterTo without a buffer between.
func (c *content) WriteTo(w io.Writer) (int64, error) {
	var n int64
	for {
		if len(c.out) > 0 {
			m, err := w.Write(c.out)
			n += int64(m)
			if c.out = c.out[m:]; err != nil {
				return n, err
			}
		}
		if c.err == io.EOF {
			return n, nil
		}
		if c.err != nil {
			return n, c.err
		}
		c.err = c.next()
	}
}

// next makes out, if there is something, or returns why not.
func (c *content) next() error {
	s := c.s
	if !c.binary {
		c.text = c.text[:0] // out was taken
	}
	for !c.ended {
		raw := s.state == inCDATA
		t, from, err := s.step()
		if err != nil {
			return xmlError(err)
		}
		switch t {
		case needMore:
			s.mark = s.pos
			if err := s.refill(); err != nil {
				return readError(err)
			}
			continue
		case startTag, emptyTag:
			if c.begun {
				return errorf(InvalidPayload, "an element in a wrapper [ENV 2.3]")
			}
			c.begun = true
			c.ended = t == emptyTag
			continue
		case commentOrPI:
			return errorf(InvalidPayload, "a comment or processing instruction in a wrapper")
		case cdataBegin, cdataEnd:
			c.lastCR, c.ends = false, 0
			continue
		case endTag:
			c.ended = true
			continue
		}
		b := s.buf[from:s.pos]
		if !raw {
			if b, err = c.wholeReferences(b); err != nil {
				return err
			}
		}
		if err := c.characters(b, raw); err != nil {
			return err
		}
		s.mark = s.pos
		if len(b) == 0 {
			continue
		}
		if err := c.flush(false); err != nil || len(c.out) > 0 {
			return err
		}
	}
	if err := c.flush(true); err != nil || len(c.out) > 0 {
		return err
	}
	if c.tail {
		s.mark = s.pos
		if err := s.checkTail(c.around, nil); err != nil {
			return err
		}
	}
	return io.EOF
}

const maxReference = 32 // octets of &#x10FFFF; with some zeros

// wholeReferences steps back before a reference that is cut off at the window's end.
func (c *content) wholeReferences(b []byte) ([]byte, error) {
	s := c.s
	if s.pos < len(s.buf) {
		return b, nil
	}
	i := bytes.LastIndexByte(b, '&')
	if i < 0 || bytes.IndexByte(b[i:], ';') >= 0 {
		return b, nil
	}
	if len(b)-i > maxReference {
		return nil, xmlError(errReference)
	}
	s.pos -= len(b) - i
	if i == 0 {
		s.mark = s.pos
		if err := s.refill(); err != nil {
			return nil, readError(err)
		}
	}
	return b[:i], nil
}

var (
	errReference = &dom.Error{Msg: "a reference that is none", Err: dom.ErrSyntax}
	errCharacter = &dom.Error{Msg: "a character that XML does not allow", Err: dom.ErrSyntax}
	errCDATAEnd  = &dom.Error{Msg: "]]> in text", Err: dom.ErrSyntax}
)

// characters appends b to the text: line ends normalised and, outside of CDATA sections, references resolved.
func (c *content) characters(b []byte, raw bool) error {
	for i := 0; i < len(b); i++ {
		n := i
		for n < len(b) && !odd[b[n]] {
			n++
		}
		if n > i {
			c.text = append(c.text, b[i:n]...)
			c.lastCR, c.ends, c.high = false, 0, 0
			if i = n; i == len(b) {
				break
			}
		}
		x := b[i]
		switch {
		case x == '\n' && c.lastCR:
			c.lastCR = false
			continue
		case x == '\r':
			c.lastCR, c.ends = true, 0
			c.text = append(c.text, '\n')
			continue
		case x < 0x20 && x != '\t' && x != '\n':
			return xmlError(errCharacter)
		case x >= 0x80:
			if c.high = c.high<<8 | uint32(x); c.high&^1 == 0xEFBFBE { // U+FFFE, U+FFFF
				return xmlError(errCharacter)
			}
			c.high &= 0xFFFF
		case raw:
		case x == ']':
			c.ends++
			c.text = append(c.text, x)
			continue
		case x == '>' && c.ends >= 2:
			return xmlError(errCDATAEnd)
		case x == '&':
			r, n := reference(b[i:])
			if n == 0 {
				return xmlError(errReference)
			}
			c.text = utf8.AppendRune(c.text, r)
			i += n - 1
			c.lastCR, c.ends = false, 0
			continue
		}
		c.lastCR, c.ends = false, 0
		c.text = append(c.text, x)
		if x < 0x80 {
			c.high = 0
		}
	}
	return nil
}

// odd are the octets that need a second look.
var odd = func() (t [256]bool) {
	for i := range t {
		t[i] = i < 0x20 && i != '\t' || i >= 0x80 || i == '&' || i == '>' || i == ']'
	}
	return t
}()

// reference resolves the reference at the beginning of b and returns its length, 0 if it is none.
func reference(b []byte) (rune, int) {
	end := bytes.IndexByte(b, ';')
	if end < 2 {
		return 0, 0
	}
	name := string(b[1:end])
	switch name {
	case "amp":
		return '&', end + 1
	case "lt":
		return '<', end + 1
	case "gt":
		return '>', end + 1
	case "quot":
		return '"', end + 1
	case "apos":
		return '\'', end + 1
	}
	if name[0] != '#' || len(name) < 2 {
		return 0, 0
	}
	digits, base := name[1:], 10
	if digits[0] == 'x' {
		digits, base = digits[1:], 16
	}
	n, err := strconv.ParseUint(digits, base, 32)
	if err != nil || !isChar(rune(n)) || n > 0x10FFFF {
		return 0, 0
	}
	return rune(n), end + 1
}

// isChar is the production Char [XML 2.2].
func isChar(r rune) bool {
	return r == 9 || r == 10 || r == 13 || r >= 0x20 && r < 0xD800 || r >= 0xE000 && r < 0xFFFE || r >= 0x10000 && r <= 0x10FFFF
}

// flush moves the text to out, decoded if it is binary.
func (c *content) flush(last bool) error {
	if !c.binary {
		c.out = c.text
		return nil
	}
	c.text = removeSpace(c.text)
	n := len(c.text) &^ 3
	if last {
		n = len(c.text)
	}
	if n == 0 {
		return nil
	}
	if c.padded {
		return errorf(InvalidPayload, "base64 goes on after its end [ENV 2.3]")
	}
	if size := base64.StdEncoding.DecodedLen(n); cap(c.space) < size {
		c.space = make([]byte, size)
	}
	m, err := strictBase64.Decode(c.space[:cap(c.space)], c.text[:n])
	if err != nil {
		return &Error{InvalidPayload, "BinaryContent is no base64 [ENV 2.3]", err}
	}
	c.padded = c.text[n-1] == '='
	c.out = c.space[:m]
	c.text = c.text[:copy(c.text, c.text[n:])]
	return nil
}

var strictBase64 = base64.StdEncoding.Strict()

func removeSpace(b []byte) []byte {
	if bytes.IndexByte(b, '\n') < 0 && bytes.IndexByte(b, ' ') < 0 && bytes.IndexByte(b, '\t') < 0 && bytes.IndexByte(b, '\r') < 0 {
		return b
	}
	n := 0
	for _, x := range b {
		if !isSpace(x) {
			b[n] = x
			n++
		}
	}
	return b[:n]
}
