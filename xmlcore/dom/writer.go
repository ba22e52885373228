package dom

import (
	"encoding/base64"
	"unicode/utf8"
)

// Writer appends XML to a buffer in the form that Canonical XML gives it: the same escapes, never <a/>, and
// attributes and namespace declarations in the order given. What is written in canonical order can be digested
// without being parsed again.
//
// Names, prefixes and Raw are the caller's responsibility. Characters that XML cannot carry become U+FFFD.
type Writer struct {
	buf   []byte
	open  []tag
	stack [24]tag
}

// tag is where the name of an open element stands in buf.
type tag struct{ off, len int32 }

// NewWriter returns a Writer that appends to dst.
func NewWriter(dst []byte) *Writer {
	w := &Writer{buf: dst}
	w.open = w.stack[:0]
	return w
}

// Start opens an element. attrs are names and values in turn, among them the namespace declarations.
func (w *Writer) Start(qname string, attrs ...string) {
	w.buf = append(w.buf, '<')
	w.open = append(w.open, tag{int32(len(w.buf)), int32(len(qname))})
	w.buf = append(w.buf, qname...)
	for i := 0; i < len(attrs); i += 2 {
		w.buf = append(w.buf, ' ')
		w.buf = append(w.buf, attrs[i]...)
		w.buf = append(w.buf, '=', '"')
		w.buf = appendEscaped(w.buf, attrs[i+1], escAttr)
		w.buf = append(w.buf, '"')
	}
	w.buf = append(w.buf, '>')
}

// End closes the element opened last.
func (w *Writer) End() {
	t := w.open[len(w.open)-1]
	w.open = w.open[:len(w.open)-1]
	w.buf = append(w.buf, '<', '/')
	w.buf = append(w.buf, w.buf[t.off:t.off+t.len]...)
	w.buf = append(w.buf, '>')
}

// Text appends character data.
func (w *Writer) Text(s string) { w.buf = appendEscaped(w.buf, s, escText) }

// Element appends an element that holds only text.
func (w *Writer) Element(qname, text string, attrs ...string) {
	w.Start(qname, attrs...)
	w.Text(text)
	w.End()
}

// Raw appends octets as they are.
func (w *Writer) Raw(b []byte) { w.buf = append(w.buf, b...) }

// Base64 appends b in base64 without line breaks.
func (w *Writer) Base64(b []byte) { w.buf = base64.StdEncoding.AppendEncode(w.buf, b) }

// Len returns the number of octets so far, those of dst included.
func (w *Writer) Len() int { return len(w.buf) }

// Bytes returns dst and all that was appended. It panics if an element is open, a mistake of the program.
func (w *Writer) Bytes() []byte {
	if len(w.open) > 0 {
		t := w.open[len(w.open)-1]
		panic("dom: Writer.Bytes with open element " + string(w.buf[t.off:t.off+t.len]))
	}
	return w.buf
}

const (
	escText = 1 << iota
	escAttr
)

// escape marks octets that cannot be copied; 0xEF may begin U+FFFE, other high octets may be malformed.
var escape = func() (t [256]uint8) {
	for c := range t {
		switch {
		case c < 0x20 || c >= 0x80:
			t[c] = escText | escAttr
		case c == '&' || c == '<':
			t[c] = escText | escAttr
		case c == '>':
			t[c] = escText
		case c == '"':
			t[c] = escAttr
		}
	}
	t['\t'], t['\n'] = escAttr, escAttr
	return t
}()

// appendEscaped writes text or an attribute value as [C14N10 2.3] does.
func appendEscaped(dst []byte, s string, where uint8) []byte {
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if escape[c]&where == 0 {
			i++
			continue
		}
		size := 1
		var sub string
		switch c {
		case '&':
			sub = "&amp;"
		case '<':
			sub = "&lt;"
		case '>':
			sub = "&gt;"
		case '"':
			sub = "&quot;"
		case '\t':
			sub = "&#x9;"
		case '\n':
			sub = "&#xA;"
		case '\r':
			sub = "&#xD;"
		default:
			var r rune
			r, size = utf8.DecodeRuneInString(s[i:])
			if isChar(r) && (r != utf8.RuneError || size == 3) {
				i += size
				continue
			}
			sub = "\uFFFD"
		}
		dst = append(dst, s[from:i]...)
		dst = append(dst, sub...)
		i += size
		from = i
	}
	return append(dst, s[from:]...)
}
