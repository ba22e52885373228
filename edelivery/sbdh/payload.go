package sbdh

import (
	"bytes"
	"io"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// element copies one element of a stream, and adds the namespace declarations it needs. It knows the element's
// end and, unless the element comes from a document, that nothing but the end of the envelope follows.
type element struct {
	s        *scanner
	base     int // open elements around it
	scope    scope
	pending  [2][]byte
	ended    bool   // the element was copied
	tail     bool   // check what follows
	around   []byte // start tag of the element around, for the check
	closing  []byte // its end tag, where the stream has none
	err      error  // what Read returns from now on
	injected []byte
}

func (e *element) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		b, err := e.peek()
		if err != nil {
			if n > 0 {
				return n, nil
			}
			return 0, err
		}
		m := copy(p[n:], b)
		e.skip(m)
		n += m
		if !e.hasPending() && n > 0 && !e.s.more() {
			break // what is there first; more needs another read from below
		}
	}
	return n, nil
}

// WriteTo implements io.WriterTo without a buffer between.
func (e *element) WriteTo(w io.Writer) (int64, error) {
	var n int64
	for {
		b, err := e.peek()
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		m, err := w.Write(b)
		n += int64(m)
		if err != nil {
			return n, err
		}
		e.skip(m)
	}
}

func (e *element) hasPending() bool { return len(e.pending[0])+len(e.pending[1]) > 0 }

// peek returns the next octets; they are valid until the next peek after all of them were skipped.
func (e *element) peek() ([]byte, error) {
	for !e.hasPending() {
		if e.err == nil {
			e.err = e.next()
		}
		if e.err != nil && !e.hasPending() {
			return nil, e.err
		}
	}
	if len(e.pending[0]) == 0 {
		return e.pending[1], nil
	}
	return e.pending[0], nil
}

func (e *element) skip(n int) {
	if len(e.pending[0]) > 0 {
		e.pending[0] = e.pending[0][n:]
		return
	}
	e.pending[1] = e.pending[1][n:]
}

// next scans on and leaves something pending, or returns why not.
func (e *element) next() error {
	s := e.s
	if e.ended {
		if s.mark < s.pos { // the end of a tag that was given declarations
			e.emit(s.pos)
			return nil
		}
		if e.tail {
			if err := s.checkTail(e.around, e.closing); err != nil {
				return err
			}
		}
		return io.EOF
	}
	for {
		t, from, err := s.step()
		if err != nil {
			return xmlError(err)
		}
		switch t {
		case needMore:
			if s.pos > s.mark {
				e.emit(s.pos)
				return nil
			}
			if err := s.refill(); err != nil {
				return readError(err)
			}
			continue
		case startTag, emptyTag:
			if len(e.scope.outer) > 0 {
				tag := s.buf[from:s.pos]
				depth := len(s.open)
				if t == emptyTag {
					depth++
				}
				if e.injected = e.scope.enter(e.injected[:0], tag, depth); len(e.injected) > 0 {
					e.emit(from + 1 + len(tagName(tag[:len(tag)-1])))
					e.pending[1] = e.injected
				}
				if t == emptyTag {
					e.scope.leave(len(s.open))
				}
			}
		case endTag:
			e.scope.leave(len(s.open))
		default:
			continue
		}
		if len(s.open) == e.base {
			e.ended = true
		}
		switch {
		case e.hasPending():
			return nil
		case e.ended:
			e.emit(s.pos)
			return nil
		}
	}
}

// emit makes what lies between mark and to the first of what is pending.
func (e *element) emit(to int) {
	e.pending[0] = e.s.buf[e.s.mark:to]
	e.s.mark = to
}

// more reports whether something can be scanned without reading.
func (s *scanner) more() bool { return s.pos < len(s.buf) }

func readError(err error) error {
	if e, ok := err.(*dom.Error); ok {
		return xmlError(e)
	}
	return &Error{InvalidXML, "the document cannot be read: " + err.Error(), err}
}

// rest reads everything to the end of the stream, if it is not too much.
func (s *scanner) rest() ([]byte, error) {
	for {
		if len(s.buf)-s.mark > s.lim.Header {
			return nil, xmlError(&dom.Error{Msg: "too much beside the payload", Err: dom.ErrLimit})
		}
		s.pos = len(s.buf)
		if s.err == io.EOF {
			return s.buf[s.mark:], nil
		}
		if err := s.refill(); err != nil && s.err != io.EOF {
			return nil, readError(err)
		}
	}
}

// checkTail reads to the end of the stream and checks that it closes the element around the payload and holds
// no second payload.
func (s *scanner) checkTail(around, closing []byte) error {
	tail, err := s.rest()
	if err != nil {
		return err
	}
	b := make([]byte, 0, len(around)+len(tail)+len(closing))
	d, err := dom.Parse(append(append(append(b, around...), tail...), closing...), dom.Limits{})
	if err != nil {
		return xmlError(err)
	}
	return nothingElse(d.Root(), dom.Node{}, dom.Node{})
}

// nothingElse refuses children of an envelope other than its header and payload.
func nothingElse(root, header, payload dom.Node) error {
	for n := range root.Children() {
		switch {
		case n == header || n == payload:
		case n.Kind() == dom.ElementNode:
			return errorf(InvalidPayload, "%v", n.Errorf("more than one payload"))
		case n.Kind() == dom.TextNode && n.TrimmedText() != "":
			return errorf(InvalidPayload, "%v", n.Errorf("text instead of or beside the payload"))
		}
	}
	return nil
}

// scope knows which declarations of outside an element has not got itself.
type scope struct {
	outer []binding
	inner []shadow
}

// binding is a declaration that elements may need: of a prefix, "" for the default namespace.
type binding struct {
	prefix string
	text   string // the attribute, with a blank before
}

// shadow: from this depth on the outer declaration i is covered by one inside.
type shadow struct{ depth, i int }

// outerScope are the declarations in force at an element's parent.
func outerScope(parent dom.Node) scope {
	var s scope
	for prefix, uri := range parent.InScope() {
		switch {
		case prefix != "":
			s.outer = append(s.outer, binding{prefix, " xmlns:" + prefix + `="` + escapeAttribute(uri) + `"`})
		case uri != "":
			s.outer = append(s.outer, binding{"", ` xmlns="` + escapeAttribute(uri) + `"`})
		}
	}
	return s
}

func escapeAttribute(s string) string {
	var b bytes.Buffer
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '&':
			b.WriteString("&amp;")
		case '<':
			b.WriteString("&lt;")
		case '"':
			b.WriteString("&quot;")
		case '\t':
			b.WriteString("&#x9;")
		case '\n':
			b.WriteString("&#xA;")
		case '\r':
			b.WriteString("&#xD;")
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// enter appends the declarations that a start tag needs.
func (s *scope) enter(dst, tag []byte, depth int) []byte {
	if len(s.inner) == len(s.outer) { // all are covered
		return dst
	}
	name := tagName(tag[:len(tag)-1])
	if bytes.IndexByte(tag[len(name):], '=') < 0 {
		return s.need(dst, prefixOf(name), depth)
	}
	for name, _ := range attributes(tag) {
		if p, ok := bytes.CutPrefix(name, []byte("xmlns")); ok && (len(p) == 0 || p[0] == ':') {
			if len(p) > 0 {
				p = p[1:]
			}
			s.cover(p, depth)
		}
	}
	dst = s.need(dst, prefixOf(name), depth)
	for name, value := range attributes(tag) {
		p := prefixOf(name)
		if string(p) == "xmlns" {
			continue
		}
		if len(p) > 0 {
			dst = s.need(dst, p, depth)
		}
		if p := prefixOf(trimLeft(value)); len(p) > 0 {
			dst = s.need(dst, p, depth)
		}
	}
	return dst
}

// need appends the outer declaration of a prefix, if there is one that is not covered.
func (s *scope) need(dst, prefix []byte, depth int) []byte {
	if i := s.cover(prefix, depth); i >= 0 {
		return append(dst, s.outer[i].text...)
	}
	return dst
}

// cover notes that a prefix has a declaration inside from this depth on, and returns the outer one that was in
// force before, or -1.
func (s *scope) cover(prefix []byte, depth int) int {
	i := s.find(prefix)
	if i < 0 {
		return -1
	}
	for _, in := range s.inner {
		if in.i == i {
			return -1
		}
	}
	s.inner = append(s.inner, shadow{depth, i})
	return i
}

func (s *scope) find(prefix []byte) int {
	for i := range s.outer {
		if s.outer[i].prefix == string(prefix) {
			return i
		}
	}
	return -1
}

// leave forgets what was declared deeper than the elements still open.
func (s *scope) leave(depth int) {
	n := len(s.inner)
	for n > 0 && s.inner[n-1].depth > depth {
		n--
	}
	s.inner = s.inner[:n]
}

func prefixOf(name []byte) []byte {
	if i := bytes.IndexByte(name, ':'); i > 0 {
		return name[:i]
	}
	return nil
}

// attributes yields names and raw values of a start tag.
func attributes(tag []byte) func(yield func(name, value []byte) bool) {
	return func(yield func(name, value []byte) bool) {
		b := tag[1+len(tagName(tag[:len(tag)-1])):]
		for {
			b = trimLeft(b)
			eq := bytes.IndexByte(b, '=')
			if eq < 0 {
				return
			}
			name := trimRight(b[:eq])
			b = trimLeft(b[eq+1:])
			if len(b) == 0 {
				return
			}
			n := bytes.IndexByte(b[1:], b[0])
			if n < 0 || !yield(name, b[1:1+n]) {
				return
			}
			b = b[n+2:]
		}
	}
}
