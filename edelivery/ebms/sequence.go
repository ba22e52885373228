package ebms

import "github.com/viadukt-eu/viadukt/xmlcore/dom"

// sequence walks the element children of an element with element-only content, in order. Comments, processing
// instructions and white space are passed over; other text is a violation.
type sequence struct {
	parent dom.Node
	next   dom.Node // the next element; zero at the end
	text   dom.Node // text that stands before next, if it is no white space
}

func (p *parser) children(n dom.Node) sequence {
	s := sequence{parent: n}
	s.advance(n.FirstChild())
	return s
}

func (s *sequence) advance(n dom.Node) {
	for ; n.Valid(); n = n.NextSibling() {
		switch n.Kind() {
		case dom.ElementNode:
			s.next = n
			return
		case dom.TextNode:
			if !s.text.Valid() && !isSpace(n.Value()) {
				s.text = n
			}
		}
	}
	s.next = dom.Node{}
}

// take returns the next element whatever it is; a zero node at the end.
func (s *sequence) take() (dom.Node, *Error) {
	if s.text.Valid() {
		return dom.Node{}, fail(s.parent, InvalidHeader, "text between elements")
	}
	n := s.next
	if n.Valid() {
		s.advance(n.NextSibling())
	}
	return n, nil
}

// one returns the next element, which must be eb:name.
func (s *sequence) one(name string) (dom.Node, *Error) {
	if !s.next.Valid() {
		return dom.Node{}, fail(s.parent, InvalidHeader, "%s missing", name)
	}
	if !s.next.Is(NS, name) {
		return dom.Node{}, fail(s.next, InvalidHeader, "%s expected here", name)
	}
	return s.take()
}

// optional returns the next element if it is eb:name, else a zero node.
func (s *sequence) optional(name string) (dom.Node, *Error) {
	if !s.next.Valid() || !s.next.Is(NS, name) {
		return dom.Node{}, nil
	}
	return s.take()
}

// end refuses whatever is left.
func (s *sequence) end() *Error {
	n, err := s.take()
	if err == nil && n.Valid() {
		err = fail(n, InvalidHeader, "not expected here")
	}
	return err
}

// rest refuses what is left of our own namespace; the schema allows foreign elements at the end of a unit.
func (s *sequence) rest() *Error {
	for {
		n, err := s.take()
		if err != nil || !n.Valid() {
			return err
		}
		if n.Space() == NS {
			return fail(n, InvalidHeader, "not expected here")
		}
	}
}

func isSpace(b []byte) bool {
	for _, c := range b {
		if c != ' ' && c != '\t' && c != '\n' && c != '\r' {
			return false
		}
	}
	return true
}
