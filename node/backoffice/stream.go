package backoffice

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// What a request can be refused for before it is understood.
var (
	errEnvelope = errors.New("backoffice: request is no well-formed envelope")
	errTooLarge = errors.New("backoffice: request goes over a limit")
	errBase64   = errors.New("backoffice: payload is no base64")
)

const (
	outlineMax  = 1 << 20 // octets of a request without the values of its payloads
	depthMax    = 64
	payloadsMax = 1000
	readerSize  = 64 << 10
)

// stream reads a SOAP request of any size. The characters of each payload's value pass through, decoded; everything
// else is collected into an outline, which is small, is parsed strictly and says what the request means. The value is
// told by its place alone (Envelope/Body/request/payload/value): its names are looked at in the outline.
type stream struct {
	in      *bufio.Reader
	outline []byte
	open    []string // qualified names of the open elements
	root    bool     // the root element has begun
	value   *value
	values  int
	err     error
}

// value is what one payload holds, being read.
type value struct {
	s       *stream
	include string // href of the xop:Include that stands for it
	done    bool   // its end tag was read
	cdata   bool
	quad    []byte // characters of base64 not yet decoded
	out     []byte // decoded, not yet taken: a part of buf
	buf     []byte
	padded  bool
	read    int64 // characters seen
	ref     []byte
	inRef   bool
}

func newStream(r io.Reader) *stream {
	return &stream{in: bufio.NewReaderSize(r, readerSize)}
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %w", errEnvelope, fmt.Errorf(format, args...))
}

// next reads on to the next value of a payload and io.EOF at the end of the request. What was left of the value before
// is skipped unread: nobody named it.
func (s *stream) next() (*value, error) {
	if s.err != nil {
		return nil, s.err
	}
	v, err := s.advance()
	if err != nil {
		s.err = err
	}
	s.value = v
	return v, err
}

func (s *stream) advance() (*value, error) {
	if s.value != nil {
		if err := s.value.skip(); err != nil {
			return nil, err
		}
	}
	for {
		c, err := s.in.ReadByte()
		switch {
		case err == io.EOF && s.root && len(s.open) == 0:
			return nil, io.EOF
		case err == io.EOF:
			return nil, malformed("it ends before its end: %w", io.ErrUnexpectedEOF)
		case err != nil:
			return nil, err
		case c != '<':
			if err := s.keep(c); err != nil {
				return nil, err
			}
			continue
		}
		began, empty, err := s.tag()
		if err != nil {
			return nil, err
		}
		if began && s.atValue(empty) {
			if s.values++; s.values > payloadsMax {
				return nil, fmt.Errorf("%w: more than %d payloads", errTooLarge, payloadsMax)
			}
			v := &value{s: s, done: empty}
			if empty {
				return v, nil
			}
			return v, v.begin()
		}
	}
}

func (s *stream) keep(c ...byte) error {
	if len(s.outline)+len(c) > outlineMax {
		return fmt.Errorf("%w: more than %d octets beside the payloads", errTooLarge, outlineMax)
	}
	s.outline = append(s.outline, c...)
	return nil
}

// tag reads a piece of markup behind its "<" into the outline. began says that an element begins, empty that it ends at once;
// its name is then not among the open ones any more.
func (s *stream) tag() (began, empty bool, err error) {
	start := len(s.outline)
	if err := s.keep('<'); err != nil {
		return false, false, err
	}
	c, err := s.in.ReadByte()
	if err != nil {
		return false, false, unexpected(err)
	}
	if err := s.keep(c); err != nil {
		return false, false, err
	}
	switch c {
	case '?':
		return false, false, s.until("?>")
	case '!':
		return false, false, s.declaration()
	}
	var quote byte
	for {
		if c, err = s.in.ReadByte(); err != nil {
			return false, false, unexpected(err)
		}
		if err := s.keep(c); err != nil {
			return false, false, err
		}
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '<':
			return false, false, malformed("a tag within a tag")
		case c == '>':
			return s.element(s.outline[start+1 : len(s.outline)-1])
		}
	}
}

func unexpected(err error) error {
	if err == io.EOF {
		return malformed("it ends before its end: %w", io.ErrUnexpectedEOF)
	}
	return err
}

// element follows the open elements. t is a tag without its brackets.
func (s *stream) element(t []byte) (began, empty bool, err error) {
	if end, ok := bytes.CutPrefix(t, []byte("/")); ok {
		name := string(bytes.TrimRight(end, " \t\r\n"))
		if len(s.open) == 0 || s.open[len(s.open)-1] != name {
			return false, false, malformed("</%.80s> ends nothing", name)
		}
		s.open = s.open[:len(s.open)-1]
		return false, false, nil
	}
	empty = bytes.HasSuffix(t, []byte("/"))
	if s.root && len(s.open) == 0 {
		return false, false, malformed("a second root element")
	}
	if len(s.open) >= depthMax {
		return false, false, fmt.Errorf("%w: more than %d elements within each other", errTooLarge, depthMax)
	}
	name := t
	if i := bytes.IndexAny(t, " \t\r\n/"); i >= 0 {
		name = t[:i]
	}
	s.root = true
	s.open = append(s.open, string(name))
	if empty {
		defer func() { s.open = s.open[:len(s.open)-1] }()
	}
	return true, empty, nil
}

// declaration reads what begins with "<!": comments and CDATA. A document type is refused at sight.
func (s *stream) declaration() error {
	head, err := s.in.Peek(2)
	if err != nil {
		return unexpected(err)
	}
	switch {
	case string(head) == "--":
		if err := s.take(2); err != nil {
			return err
		}
		return s.until("-->")
	case head[0] == '[' && len(s.open) > 0:
		return s.until("]]>")
	}
	return malformed("%w", dom.ErrDoctype)
}

func (s *stream) take(n int) error {
	for range n {
		c, err := s.in.ReadByte()
		if err != nil {
			return unexpected(err)
		}
		if err := s.keep(c); err != nil {
			return err
		}
	}
	return nil
}

// until reads into the outline up to the end mark.
func (s *stream) until(mark string) error {
	from := len(s.outline)
	for {
		if err := s.take(1); err != nil {
			return err
		}
		if bytes.HasSuffix(s.outline[from:], []byte(mark)) {
			return nil
		}
	}
}

// atValue reports whether the element that began just now is the value of a payload.
func (s *stream) atValue(empty bool) bool {
	depth := len(s.open)
	if empty {
		depth++
	}
	if depth != 5 {
		return false
	}
	names := s.open
	last := "value"
	if empty { // its name is in the outline alone
		tag := s.outline[bytes.LastIndexByte(s.outline, '<')+1:]
		last = string(tag[:bytes.IndexAny(tag, " \t\r\n/")])
	} else {
		last = names[4]
	}
	if local(last) != "value" || local(names[0]) != "Envelope" || local(names[1]) != "Body" {
		return false
	}
	p := local(names[3])
	return p == "payload" || p == "bodyload"
}

func local(qname string) string { return qname[strings.IndexByte(qname, ':')+1:] }

// document parses the outline as far as it was read: what is open is closed.
func (s *stream) document() (*dom.Document, error) {
	b := bytes.Clone(s.outline)
	for i := len(s.open) - 1; i >= 0; i-- {
		b = append(b, '<', '/')
		b = append(b, s.open[i]...)
		b = append(b, '>')
	}
	doc, err := dom.Parse(b, dom.Limits{Bytes: outlineMax + 64<<10, Depth: depthMax + 1, Nodes: 100_000, Attributes: 20_000, AttributesPerElement: 200})
	if err != nil {
		return nil, malformed("%w", err)
	}
	return doc, nil
}

// describe returns the element of the payload to which a value belongs, from the tags that are open: the outline need
// not be parsed again for each payload.
func (s *stream) describe() (dom.Node, error) {
	var b []byte
	from := 0
	for _, name := range s.open[:4] { // the start tag of an open element is the last one of its name in front of the next
		i := s.lastTag(name, from)
		if i < 0 {
			return dom.Node{}, malformed("no %.80s", name)
		}
		end := i + tagEnd(s.outline[i:])
		b = append(b, s.outline[i:end]...)
		from = end
	}
	for i := 3; i >= 0; i-- {
		b = append(b, "</"+s.open[i]+">"...)
	}
	doc, err := dom.Parse(b, dom.Limits{Bytes: 4 * outlineMax, AttributesPerElement: 200})
	if err != nil {
		return dom.Node{}, malformed("%w", err)
	}
	n := doc.Root()
	for range 3 {
		n = n.FirstElement()
	}
	return n, nil
}

// lastTag finds the last start tag of that name behind from, skipping what is no tag.
func (s *stream) lastTag(name string, from int) int {
	at := -1
	for i := from; i < len(s.outline); {
		rest := s.outline[i:]
		switch {
		case rest[0] != '<':
			n := bytes.IndexByte(rest, '<')
			if n < 0 {
				return at
			}
			i += n
			continue
		case bytes.HasPrefix(rest, []byte("<!--")):
			i += bytes.Index(rest, []byte("-->")) + 3
			continue
		case bytes.HasPrefix(rest, []byte("<![")):
			i += bytes.Index(rest, []byte("]]>")) + 3
			continue
		}
		if len(rest) > 1+len(name) && bytes.HasPrefix(rest[1:], []byte(name)) && bytes.IndexByte([]byte(" \t\r\n/>"), rest[1+len(name)]) >= 0 {
			at = i
		}
		i += tagEnd(rest)
	}
	return at
}

// tagEnd is the length of the tag that b begins with, quotes heeded. The tag is whole: [stream.tag] read it.
func tagEnd(b []byte) int {
	var quote byte
	for i, c := range b {
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			if b[1] != '?' { // a processing instruction knows no quotes
				quote = c
			}
		case c == '>':
			return i + 1
		}
	}
	return len(b)
}

// begin looks whether the value is a reference to a part of a multipart message.
func (v *value) begin() error {
	s := v.s
	for {
		b, err := s.in.Peek(1)
		if err != nil {
			return unexpected(err)
		}
		if !isSpace(b[0]) {
			break
		}
		s.in.ReadByte()
	}
	head, err := s.in.Peek(2)
	if err != nil {
		return unexpected(err)
	}
	if head[0] != '<' || head[1] == '!' || head[1] == '?' || head[1] == '/' {
		return nil
	}
	s.in.ReadByte()
	start := len(s.outline)
	_, empty, err := s.tag()
	if err != nil {
		return err
	}
	tag := bytes.Clone(s.outline[start:])
	name := s.nameOf(tag)
	if local(name) != "Include" {
		return malformed("<%.80s> within a value", name)
	}
	for !empty && len(s.open) == 6 {
		c, err := s.in.ReadByte()
		if err != nil {
			return unexpected(err)
		}
		if c != '<' {
			if !isSpace(c) {
				return malformed("text within Include")
			}
			continue
		}
		if _, _, err = s.tag(); err != nil {
			return err
		}
		if len(s.open) > 6 {
			return malformed("an element within Include")
		}
	}
	doc, err := s.document()
	if err != nil {
		return err
	}
	n := lastElement(doc.Root())
	if !n.Is(nsXOP, "Include") {
		return malformed("an element that is no xop:Include within a value")
	}
	id, ok := ebms.ContentIDFromURL(n.Attr("href"))
	if !ok {
		return malformed("xop:Include refers to %.80q, not to a part of the message", n.Attr("href"))
	}
	v.include = id
	return nil
}

func (s *stream) nameOf(tag []byte) string {
	tag = tag[1:]
	return string(tag[:bytes.IndexAny(tag, " \t\r\n/>")])
}

// lastElement is the element that ends last in document order at the deepest place.
func lastElement(n dom.Node) dom.Node {
	for {
		var last dom.Node
		for e := range n.Elements() {
			last = e
		}
		if !last.Valid() {
			return n
		}
		n = last
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// Read gives the decoded octets.
func (v *value) Read(p []byte) (int, error) {
	for len(v.out) == 0 {
		if v.done {
			if len(v.quad) != 0 {
				return 0, fmt.Errorf("%w: it ends within a group of four characters", errBase64)
			}
			return 0, io.EOF
		}
		if err := v.fill(v.decode); err != nil {
			return 0, err
		}
	}
	n := copy(p, v.out)
	v.out = v.out[n:]
	return n, nil
}

// skip passes over what was not read.
func (v *value) skip() error {
	for !v.done {
		if err := v.fill(func([]byte) error { return nil }); err != nil {
			return err
		}
	}
	return nil
}

// fill takes the next run of characters, or what stands between two.
func (v *value) fill(use func([]byte) error) error {
	s := v.s
	if v.cdata {
		return v.section(use)
	}
	run, err := s.in.ReadSlice('<')
	if err != nil && err != bufio.ErrBufferFull {
		return unexpected(err)
	}
	markup := err == nil
	if markup {
		run = run[:len(run)-1]
	}
	if err := v.characters(run, use); err != nil || !markup {
		return err
	}
	if v.inRef {
		return malformed("a reference without end")
	}
	head, err := s.in.Peek(1)
	if err != nil {
		return unexpected(err)
	}
	switch head[0] {
	case '/':
		depth := len(s.open)
		if _, _, err := s.tag(); err != nil {
			return err
		}
		v.done = len(s.open) < depth
		return nil
	case '!':
		if b, err := s.in.Peek(8); err == nil && string(b) == "![CDATA[" {
			s.in.Discard(8)
			v.cdata = true
			return nil
		}
		return malformed("a comment or declaration within a value")
	case '?':
		return malformed("a processing instruction within a value")
	}
	return malformed("an element within a value")
}

// section takes characters of a CDATA section.
func (v *value) section(use func([]byte) error) error {
	run, err := v.s.in.ReadSlice(']')
	if err != nil && err != bufio.ErrBufferFull {
		return unexpected(err)
	}
	if err == bufio.ErrBufferFull {
		return use(run)
	}
	if err := use(run[:len(run)-1]); err != nil {
		return err
	}
	b, err := v.s.in.Peek(2)
	if err != nil {
		return unexpected(err)
	}
	if string(b) != "]>" {
		return use([]byte{']'})
	}
	v.s.in.Discard(2)
	v.cdata = false
	return nil
}

// characters resolves references: only white space is written so, by some who break lines with CR LF.
func (v *value) characters(run []byte, use func([]byte) error) error {
	for len(run) > 0 {
		if !v.inRef {
			i := bytes.IndexByte(run, '&')
			if i < 0 {
				return use(run)
			}
			if err := use(run[:i]); err != nil {
				return err
			}
			v.inRef, v.ref, run = true, v.ref[:0], run[i+1:]
			continue
		}
		c := run[0]
		run = run[1:]
		if c != ';' {
			if v.ref = append(v.ref, c); len(v.ref) > 8 {
				return malformed("a reference of more than 8 characters")
			}
			continue
		}
		v.inRef = false
		if !isSpaceReference(string(v.ref)) {
			return malformed("the reference &%s; within a value", v.ref)
		}
	}
	return nil
}

// isSpaceReference reports whether a character reference means white space.
func isSpaceReference(ref string) bool {
	digits, ok := strings.CutPrefix(ref, "#")
	if !ok {
		return false
	}
	base := 10
	if hex, ok := strings.CutPrefix(digits, "x"); ok {
		digits, base = hex, 16
	}
	n, err := strconv.ParseUint(digits, base, 8)
	return err == nil && isSpace(byte(n))
}

// isBase64 knows the alphabet.
var isBase64 = func() (t [256]bool) {
	for _, c := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/" {
		t[c] = true
	}
	return t
}()

// decode takes characters of base64 and leaves their octets in v.out.
func (v *value) decode(run []byte) error {
	quad := v.quad
	for i := 0; i < len(run); {
		j := i
		for j < len(run) && isBase64[run[j]] {
			j++
		}
		if j > i && v.padded {
			return fmt.Errorf("%w: characters behind its end at %d", errBase64, v.read+int64(i))
		}
		quad = append(quad, run[i:j]...)
		if j == len(run) {
			break
		}
		switch c := run[j]; {
		case isSpace(c):
		case c == '=' && (len(quad)%4 >= 2 || v.padded && len(quad)%4 != 0):
			v.padded = true
			quad = append(quad, c)
		default:
			return fmt.Errorf("%w: character %q at %d", errBase64, c, v.read+int64(j))
		}
		i = j + 1
	}
	v.read += int64(len(run))
	whole := len(quad) / 4 * 4
	have := len(v.out) // of this fill: whatever was there before is taken
	if len(v.buf) < have+whole/4*3 {
		v.buf = append(v.out, make([]byte, max(have+whole/4*3, readerSize))...)
	}
	n, err := base64.StdEncoding.Decode(v.buf[have:], quad[:whole])
	if err != nil {
		return fmt.Errorf("%w: %w", errBase64, err)
	}
	v.out = v.buf[:have+n]
	v.quad = append(quad[:0], quad[whole:]...)
	return nil
}
