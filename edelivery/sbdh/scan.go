package sbdh

import (
	"bytes"
	"io"
	"slices"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// scanner finds the markup of a document in a sliding window. It sees where elements begin and end, and that
// they nest; everything else about well-formedness is for the parser of the parts.
type scanner struct {
	src  io.Reader
	buf  []byte
	mark int // what lies before was handed out
	pos  int // what lies before was scanned
	err  error
	read int // octets from src
	lim  Limits

	state state
	names []byte // of open elements, one after the other
	open  []int  // where each begins in names
}

const (
	smallWindow = 8 << 10
	window      = 64 << 10
)

// state is what pos is in.
type state uint8

const (
	inText state = iota
	inComment
	inCDATA
	inPI
)

// token is what one step of the scanner found.
type token uint8

const (
	needMore  token = iota // nothing more in the window
	otherText              // text, or another part of text, comment, CDATA section or processing instruction
	startTag               // of an element with content
	emptyTag               // of an element without
	endTag
	commentOrPI // begins
	cdataBegin
	cdataEnd
)

var (
	errTruncated = &dom.Error{Msg: "the document ends too early", Err: dom.ErrSyntax}
	errDoctype   = &dom.Error{Msg: "document type declaration", Err: dom.ErrDoctype}
	errMarkup    = &dom.Error{Msg: "markup that is none", Err: dom.ErrSyntax}
	errNesting   = &dom.Error{Msg: "end tag without its start tag", Err: dom.ErrSyntax}
	errTagSize   = &dom.Error{Msg: "tag too long", Err: dom.ErrLimit}
	errDepth     = &dom.Error{Msg: "elements nested too deep", Err: dom.ErrLimit}
)

// refill slides the window and reads on. Everything before mark is forgotten.
func (s *scanner) refill() error {
	if s.err != nil {
		if s.err == io.EOF {
			return errTruncated
		}
		return s.err
	}
	if s.mark > 0 {
		n := copy(s.buf, s.buf[s.mark:])
		s.buf, s.pos, s.mark = s.buf[:n], s.pos-s.mark, 0
	}
	if len(s.buf)-s.pos > s.lim.Tag {
		return errTagSize
	}
	switch {
	case cap(s.buf) == 0:
		s.buf = make([]byte, 0, smallWindow)
	case cap(s.buf) < window && s.read > smallWindow: // it is no small message
		s.buf = append(make([]byte, 0, max(window, len(s.buf)+smallWindow)), s.buf...)
	}
	// A token that is not yet whole is scanned again: reading at least as much as is there keeps that linear.
	want := max(1, len(s.buf)-s.pos)
	for got, idle := 0, 0; got < want; {
		if len(s.buf) == cap(s.buf) {
			s.buf = slices.Grow(s.buf, len(s.buf))
		}
		n, err := s.src.Read(s.buf[len(s.buf):cap(s.buf)])
		s.buf = s.buf[:len(s.buf)+n]
		got += n
		s.read += n
		switch {
		case err != nil:
			s.err = err
			if got > 0 || err == io.EOF && len(s.buf) > s.pos {
				return nil // the scanner may see by the end of the input what the token is
			}
			return s.refill()
		case n > 0:
			idle = 0
		case idle == 100:
			return io.ErrNoProgress
		default:
			idle++
		}
	}
	return nil
}

// step scans one token. from is where it begins: pos before the step or later.
func (s *scanner) step() (t token, from int, err error) {
	b := s.buf[s.pos:]
	if s.state != inText {
		return s.stepInside(b)
	}
	i := bytes.IndexByte(b, '<')
	if i != 0 {
		from = s.pos
		if i < 0 {
			i = len(b)
		}
		if s.pos += i; i == 0 {
			return needMore, from, nil
		}
		return otherText, from, nil
	}
	from = s.pos
	if len(b) < 9 && s.err == nil { // the longest mark is <![CDATA[
		return needMore, from, nil
	}
	switch {
	case len(b) < 2:
		return needMore, from, nil
	case b[1] == '/':
		return s.stepEnd(b)
	case b[1] == '?':
		s.state, s.pos = inPI, s.pos+2
		return commentOrPI, from, nil
	case b[1] != '!':
		return s.stepStart(b)
	case bytes.HasPrefix(b, []byte("<!--")):
		s.state, s.pos = inComment, s.pos+4
		return commentOrPI, from, nil
	case bytes.HasPrefix(b, []byte("<![CDATA[")):
		s.state, s.pos = inCDATA, s.pos+9
		return cdataBegin, from, nil
	case bytes.HasPrefix(b, []byte("<!DOCTYPE")):
		return 0, from, errDoctype
	case len(b) < 9:
		return needMore, from, nil
	}
	return 0, from, errMarkup
}

var (
	commentEnd = []byte("-->")
	cdataClose = []byte("]]>")
	piEnd      = []byte("?>")
)

func (s *scanner) stepInside(b []byte) (token, int, error) {
	end := [...][]byte{inComment: commentEnd, inCDATA: cdataClose, inPI: piEnd}[s.state]
	from := s.pos
	i := bytes.Index(b, end)
	switch {
	case i == 0:
		t := otherText
		if s.state == inCDATA {
			t = cdataEnd
		}
		s.state, s.pos = inText, s.pos+len(end)
		return t, from, nil
	case i < 0:
		i = len(b) - len(end) + 1
	}
	if i <= 0 {
		return needMore, from, nil
	}
	s.pos += i
	return otherText, from, nil
}

func (s *scanner) stepEnd(b []byte) (token, int, error) {
	i := bytes.IndexByte(b, '>')
	if i < 0 {
		return needMore, s.pos, nil
	}
	from := s.pos
	name := trimRight(b[2:i])
	last := len(s.open) - 1
	if last < 0 || !bytes.Equal(s.names[s.open[last]:], name) {
		return 0, from, errNesting
	}
	s.names, s.open = s.names[:s.open[last]], s.open[:last]
	s.pos += i + 1
	return endTag, from, nil
}

func (s *scanner) stepStart(b []byte) (token, int, error) {
	i := tagEnd(b)
	if i < 0 {
		return needMore, s.pos, nil
	}
	from := s.pos
	name := tagName(b[:i])
	if len(name) == 0 {
		return 0, from, errMarkup
	}
	if len(s.open) >= s.lim.Depth {
		return 0, from, errDepth
	}
	s.pos += i + 1
	if b[i-1] == '/' {
		return emptyTag, from, nil
	}
	s.open = append(s.open, len(s.names))
	s.names = append(s.names, name...)
	return startTag, from, nil
}

// tagEnd is the index of the > that ends the start tag at the beginning of b, or -1.
func tagEnd(b []byte) int {
	for i := 1; i < len(b); i++ {
		switch c := b[i]; c {
		case '>':
			return i
		case '"', '\'':
			n := bytes.IndexByte(b[i+1:], c)
			if n < 0 {
				return -1
			}
			i += n + 1
		}
	}
	return -1
}

// tagName is the name in a start tag without its end.
func tagName(tag []byte) []byte {
	for i := 1; i < len(tag); i++ {
		switch tag[i] {
		case ' ', '\t', '\r', '\n', '/':
			return tag[1:i]
		}
	}
	return tag[1:]
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

func trimLeft(b []byte) []byte {
	for len(b) > 0 && isSpace(b[0]) {
		b = b[1:]
	}
	return b
}

func trimRight(b []byte) []byte {
	for len(b) > 0 && isSpace(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}
