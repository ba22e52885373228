package sbdh

import (
	"bytes"
	"io"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Parse reads an envelope from a parsed document. The payload's element is Message.Node; Message.Payload gives
// its octets. The error is an *Error.
func Parse(doc *dom.Document) (*Message, error) {
	root := doc.Root()
	m, err := envelope(root)
	if err != nil {
		return nil, err
	}
	if err := nothingElse(root, root.FirstElement(), m.Node); err != nil {
		return nil, err
	}
	s := &scanner{buf: m.Node.Raw(), err: io.EOF, lim: Limits{Tag: len(doc.Source()) + 1, Depth: 1 << 20}, open: []int{0}}
	m.Payload = reader(s, m, outerScope(root), false, nil)
	return m, nil
}

// envelope reads header and payload of a StandardBusinessDocument element, as far as they are there.
func envelope(root dom.Node) (*Message, error) {
	if !root.Is(Namespace, "StandardBusinessDocument") {
		return nil, xmlError(root.Errorf("root element is no StandardBusinessDocument of %s", Namespace))
	}
	head := root.FirstElement()
	if !head.Is(Namespace, "StandardBusinessDocumentHeader") {
		return nil, errorf(MissingHeader, "%v", root.Errorf("no StandardBusinessDocumentHeader at its beginning"))
	}
	h, err := ParseHeader(head)
	if err != nil {
		return nil, err
	}
	m := &Message{Header: h, Node: head.NextElement()}
	if !m.Node.Valid() {
		return nil, errorf(InvalidPayload, "%v", root.Errorf("no payload"))
	}
	m.Instance = InstanceOf(m.Node)
	return m, checkRoot(m.Node, m.Instance)
}

// checkRoot refuses a payload's element that cannot be one.
func checkRoot(n dom.Node, i Instance) error {
	switch {
	case i.Space == Namespace:
		return errorf(InvalidPayload, "%v", n.Errorf("an envelope's element, or an element without a namespace of its own, as payload"))
	case i.MIME != "":
		for c := range n.Children() {
			if c.Kind() != dom.TextNode {
				return errorf(InvalidPayload, "%v", c.Errorf("%s in a wrapper", c.Kind()))
			}
		}
	case i.Space == ContentNamespace && (i.Local == "BinaryContent" || i.Local == "TextContent"):
		return errorf(InvalidPayload, "%v", n.Errorf("no mimeType [ENV 2.3]"))
	}
	return nil
}

// reader gives the payload that the scanner has in front of it.
func reader(s *scanner, m *Message, outer scope, tail bool, around []byte) io.Reader {
	if m.Instance.XML() {
		return &element{s: s, base: 1, scope: outer, tail: tail, around: around}
	}
	return &content{s: s, binary: m.Instance.Local == "BinaryContent", tail: tail, around: around}
}

// Read reads an envelope from a stream: the header now, the payload as Message.Payload is read. The error is an *Error.
func Read(r io.Reader, lim Limits) (*Message, error) {
	src := &source{r: r}
	s := &scanner{src: src, lim: lim.withDefaults()}
	p, err := s.prefix()
	if err != nil {
		return nil, err
	}
	if p.payload < 0 { // no payload: all there is says what is wrong
		all, err := s.rest()
		if err != nil {
			return nil, err
		}
		d, err := dom.Parse(bytes.Clone(src.declared(all)), dom.Limits{})
		if err != nil {
			return nil, xmlError(err)
		}
		if _, err = envelope(d.Root()); err == nil {
			err = errorf(InvalidPayload, "no payload")
		}
		return nil, err
	}
	// The prefix with its elements closed is a document of its own, and as strictly parsed as the whole would be.
	around := bytes.Clone(s.buf[p.root:p.rootEnd])
	tag := s.buf[p.payload:s.pos]
	b := make([]byte, 0, s.pos+len(around)+64)
	b = append(b, src.declared(s.buf[:s.pos])...)
	if tag[len(tag)-2] != '/' {
		b = append(append(append(b, "</"...), tagName(tag[:len(tag)-1])...), '>')
	}
	b = append(append(append(b, "</"...), tagName(around[:len(around)-1])...), '>')
	d, err := dom.Parse(b, dom.Limits{})
	if err != nil {
		return nil, xmlError(err)
	}
	root := d.Root()
	m, err := envelope(root)
	if err != nil {
		return nil, err
	}
	if err := nothingElse(root, root.FirstElement(), m.Node); err != nil {
		return nil, err
	}
	m.Node = dom.Node{}
	// The payload's tag is scanned again, by its reader.
	s.mark, s.pos, s.open = p.payload, p.payload, s.open[:1]
	s.names = s.names[:p.names]
	m.Payload = reader(s, m, outerScope(root), true, around)
	return m, nil
}

// prefix is where things lie in the first window.
type prefix struct {
	root, rootEnd int // the root's start tag
	payload       int // the payload's start tag, up to the scanner's pos; -1: none
	names         int // length of the scanner's names before it
}

// prefix scans up to and with the payload's start tag.
func (s *scanner) prefix() (prefix, error) {
	p := prefix{payload: -1, root: -1}
	children := 0
	for {
		t, from, err := s.step()
		if err != nil {
			return p, xmlError(err)
		}
		level := len(s.open)
		switch t {
		case needMore:
			if len(s.buf) > s.lim.Header {
				return p, xmlError(&dom.Error{Msg: "header too long", Err: dom.ErrLimit})
			}
			if err := s.refill(); err != nil {
				return p, readError(err)
			}
			continue
		case emptyTag:
			level++
		case startTag, endTag:
		default:
			continue
		}
		switch {
		case t == endTag && level == 0, t == emptyTag && level == 1:
			return p, nil
		case t == endTag:
		case level == 1:
			p.root, p.rootEnd = from, s.pos
			p.names = len(s.names)
		case level == 2:
			if children++; children == 2 {
				if s.pos > s.lim.Header {
					return p, xmlError(&dom.Error{Msg: "header too long", Err: dom.ErrLimit})
				}
				p.payload = from
				return p, nil
			}
			if local := tagName(s.buf[from : s.pos-1]); !bytes.HasSuffix(local, []byte("StandardBusinessDocumentHeader")) {
				p.payload = from // without header
				return p, nil
			}
		}
	}
}
