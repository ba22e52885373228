package dom

import (
	"bytes"
	"fmt"
	"sync"
)

// parser is scratch memory of one Parse; what the document keeps is copied or allocated for it.
type parser struct {
	src   []byte
	pos   int
	bad   int // offset of the first impossible octet, or -1; src ends there
	lim   Limits
	nodes []node
	side  []byte
	cur   int32 // element that is open
	depth int
	nattr int // attributes and namespace declarations so far

	nextAmp, nextClose int // the next '&' and "]]>" at or after where we are, len(src) if none

	qtab, ptab, utab strtab
	qnames           []qname
	names            []name
	manyNames        map[nameKey]int32
	decls            []declaration
	current          []int32 // by prefix: the declaration in force, or unbound
	scope            int32   // innermost declaration
	xmlDeclared      bool
	dtd              *subset // nil without internal subset
	root             int32
	wide             map[wideName]struct{}
	entity           bool // no document, but an external parsed entity
}

var parsers = sync.Pool{New: func() any { return new(parser) }}

// Parse reads a document. It takes ownership of src, which must not be changed afterwards.
// Errors are *Error and match one of ErrSyntax, ErrNamespace, ErrDoctype, ErrEncoding, ErrLimit.
func Parse(src []byte, lim Limits) (*Document, error) {
	p := parsers.Get().(*parser)
	d, err := p.parse(src, lim.withDefaults())
	p.release()
	return d, err
}

// ParseFragment reads what may stand inside an element: text, elements, comments and processing instructions in any
// number, after an optional text declaration [XML 4.3.2]. They become children of the document node, and Root is the
// first element among them, or the document node when there is none. All else is as for Parse.
func ParseFragment(src []byte, lim Limits) (*Document, error) {
	p := parsers.Get().(*parser)
	p.entity = true
	d, err := p.parse(src, lim.withDefaults())
	p.entity = false
	p.release()
	return d, err
}

func (p *parser) parse(src []byte, lim Limits) (*Document, error) {
	src, err := decode(src, lim.Bytes)
	if err != nil {
		return nil, err
	}
	p.reset(src, lim)
	read := p.document
	if p.entity {
		read = p.fragment
	}
	if err := read(); err != nil {
		return nil, err
	}
	p.nodes[0].end, p.nodes[0].offEnd = int32(len(p.nodes)), uint32(len(p.src))
	return &Document{
		src: p.src, side: p.side, nodes: p.nodes, root: p.root, nPfx: int32(len(p.current)),
		names: append([]name(nil), p.names...), decls: append([]declaration(nil), p.decls...),
	}, nil
}

func (p *parser) reset(src []byte, lim Limits) {
	p.src, p.lim, p.pos = src, lim, 0
	p.bad = badChar(src)
	if p.bad >= 0 {
		p.src = src[:p.bad]
	}
	p.nextAmp, p.nextClose = -1, -1
	p.side = nil
	// Pretty-printed XML has three nodes for two tags, and an attribute for each equals sign.
	guess := bytes.Count(src, []byte{'<'})*3/2 + bytes.Count(src, []byte{'='}) + 8
	p.nodes = make([]node, 1, min(guess, len(src)/8+8, lim.Nodes+1))
	p.nodes[0] = node{kind: DocumentNode, parent: -1}
	p.cur, p.depth, p.nattr, p.root, p.scope = 0, 0, 0, 0, 0
	p.qtab.reset(128)
	p.ptab.reset(32)
	p.utab.reset(32)
	p.qnames = p.qnames[:0]
	p.current = p.current[:0]
	for _, s := range [...]string{"", "xml", "xmlns"} {
		p.prefixID(s)
	}
	p.current[noPrefix], p.current[xmlPrefix] = 0, 1
	p.utab.intern(nil)
	p.names = append(p.names[:0], name{})
	p.decls = append(p.decls[:0], declaration{}, declaration{
		prefix: "xml", uri: XMLNamespace, pid: xmlPrefix, uid: p.utab.intern([]byte(XMLNamespace)), shadow: unbound,
	})
}

// release forgets the document and gives the scratch memory back, unless a monster made it large.
func (p *parser) release() {
	const most = 4096
	if len(p.qtab.slots) > most || len(p.ptab.slots) > most || len(p.utab.slots) > most || cap(p.decls) > most {
		return
	}
	clear(p.qtab.strs)
	clear(p.ptab.strs)
	clear(p.utab.strs)
	clear(p.qnames)
	clear(p.names)
	clear(p.decls)
	p.src, p.nodes, p.side, p.manyNames, p.wide, p.dtd = nil, nil, nil, nil, nil, nil
	parsers.Put(p)
}

// fail makes an error at an offset of the source.
func (p *parser) fail(off int, kind error, format string, args ...any) error {
	d := &Document{src: p.src, side: p.side, nodes: p.nodes, names: p.names, decls: p.decls}
	line, col := d.position(off)
	msg := fmt.Sprintf(format, args...)
	if format == "" {
		msg = kind.Error()
	}
	// The path is of the element that is open. The tree is unfinished, so there are no indices.
	return &Error{Line: line, Column: col, Path: Node{d, p.cur}.steps(nil), Msg: msg, Err: kind}
}

// eof complains that the document ends too early, or holds an octet that cannot be.
func (p *parser) eof(what string) error {
	if p.bad >= 0 {
		return p.illegal()
	}
	return p.fail(len(p.src), ErrSyntax, "document ends inside %s", what)
}

func (p *parser) illegal() error {
	rest := p.src[p.bad:cap(p.src)][:1]
	if c := rest[0]; c < 0x80 {
		return p.fail(p.bad, ErrSyntax, "character U+%04X is not allowed [XML 2.2]", c)
	}
	return p.fail(p.bad, ErrEncoding, "octet %#x begins no allowed UTF-8 character [XML 2.2]", rest[0])
}

// add appends a node below the open element.
func (p *parser) add(n node) error {
	if len(p.nodes) > p.lim.Nodes {
		return p.fail(int(n.off), ErrLimit, "more than %d nodes", p.lim.Nodes)
	}
	n.parent = p.cur
	n.end = int32(len(p.nodes)) + 1
	p.nodes = append(p.nodes, n)
	return nil
}

func (p *parser) starts(s string) bool {
	return len(p.src)-p.pos >= len(s) && string(p.src[p.pos:p.pos+len(s)]) == s
}

func (p *parser) space() bool {
	i := p.pos
	for i < len(p.src) && class[p.src[i]]&cSpace != 0 {
		i++
	}
	moved := i > p.pos
	p.pos = i
	return moved
}

// document reads prolog, document element and what follows [XML 2.1, 2.8].
func (p *parser) document() error {
	if p.starts("<?xml") && len(p.src) > 5 && class[p.src[5]]&cSpace != 0 {
		if err := p.xmlDecl(); err != nil {
			return err
		}
	}
	for {
		p.space()
		if p.pos >= len(p.src) {
			if p.bad >= 0 {
				return p.illegal()
			}
			if p.root == 0 {
				return p.fail(p.pos, ErrSyntax, "document has no element [XML 2.1]")
			}
			return nil
		}
		var err error
		switch {
		case p.starts("<!--"):
			err = p.comment()
		case p.starts("<!DOCTYPE") && p.root == 0:
			err = p.doctype()
		case p.starts("<?"):
			err = p.pi()
		case p.root == 0 && (p.starts("</") || p.starts("<!")):
			err = p.fail(p.pos, ErrSyntax, "only comments and processing instructions may precede the document element [XML 2.8]")
		case p.root == 0 && p.src[p.pos] == '<':
			p.root = int32(len(p.nodes))
			err = p.content()
		case p.root == 0:
			err = p.fail(p.pos, ErrSyntax, "text before the document element [XML 2.8]")
		default:
			err = p.fail(p.pos, ErrSyntax, "only comments and processing instructions may follow the document element [XML 2.1]")
		}
		if err != nil {
			return err
		}
	}
}

// fragment reads an external parsed entity [XML 4.3.2].
func (p *parser) fragment() error {
	if p.starts("<?xml") && len(p.src) > 5 && class[p.src[5]]&cSpace != 0 {
		if err := p.xmlDecl(); err != nil {
			return err
		}
	}
	for p.pos < len(p.src) {
		n := bytes.IndexByte(p.src[p.pos:], '<')
		if n < 0 {
			n = len(p.src) - p.pos
		}
		var err error
		switch {
		case n > 0:
			err = p.text(p.pos, p.pos+n)
			p.pos += n
		case p.starts("<!--"):
			err = p.comment()
		case p.starts("<![CDATA["):
			err = p.cdata()
		case p.starts("<!DOCTYPE"):
			err = p.fail(p.pos, ErrDoctype, "")
		case p.starts("<?"):
			err = p.pi()
		case p.starts("<!"):
			err = p.fail(p.pos, ErrSyntax, "<! begins neither comment nor CDATA section")
		case p.starts("</"):
			err = p.fail(p.pos, ErrSyntax, "end tag without start tag [XML 3]")
		default:
			if p.root == 0 {
				p.root = int32(len(p.nodes))
			}
			err = p.content()
		}
		if err != nil {
			return err
		}
	}
	if p.bad >= 0 {
		return p.illegal()
	}
	return nil
}

// xmlDecl checks the XML declaration [XML 2.8 production 23], or a text declaration, which may lack the version but not
// the encoding and knows no standalone [XML 4.3.1]; the encoding has been dealt with.
func (p *parser) xmlDecl() error {
	start := p.pos
	end := bytes.Index(p.src[start:], []byte("?>"))
	if end < 0 {
		return p.eof("the XML declaration")
	}
	end += start
	p.pos += len("<?xml")
	next := 0
	for {
		spaced := p.space()
		if p.pos == end {
			break
		}
		key, value, ok := p.pseudoAttribute(end)
		if !ok || !spaced {
			return p.fail(p.pos, ErrSyntax, "XML declaration is malformed [XML 2.8]")
		}
		switch {
		case key == "version" && next == 0:
			if value != "1.0" {
				return p.fail(start, ErrSyntax, "XML version %q is not supported, only 1.0", clip(value))
			}
			next = 1
		case key == "encoding" && (next == 1 || next == 0 && p.entity):
			if !isEncName(value) {
				return p.fail(start, ErrSyntax, "%q is no encoding name [XML 4.3.3]", clip(value))
			}
			next = 2
		case key == "standalone" && (next == 1 || next == 2) && !p.entity:
			if value != "yes" && value != "no" {
				return p.fail(start, ErrSyntax, "standalone is %q, not yes or no [XML 2.9]", clip(value))
			}
			next = 3
		default:
			return p.fail(start, ErrSyntax, "%q has no place here in the XML declaration [XML 2.8]", clip(key))
		}
	}
	switch {
	case p.entity && next != 2:
		return p.fail(start, ErrSyntax, "text declaration without encoding [XML 4.3.1]")
	case next == 0:
		return p.fail(start, ErrSyntax, "XML declaration without version [XML 2.8]")
	}
	p.pos = end + 2
	return nil
}

// pseudoAttribute reads name = "value" before end.
func (p *parser) pseudoAttribute(end int) (key, value string, ok bool) {
	i := p.pos
	for i < end && p.src[i] >= 'a' && p.src[i] <= 'z' {
		i++
	}
	key = str(p.src[p.pos:i])
	p.pos = i
	p.space()
	if p.pos >= end || p.src[p.pos] != '=' || key == "" {
		return "", "", false
	}
	p.pos++
	p.space()
	if p.pos >= end || p.src[p.pos] != '"' && p.src[p.pos] != '\'' {
		return "", "", false
	}
	n := bytes.IndexByte(p.src[p.pos+1:end], p.src[p.pos])
	if n < 0 {
		return "", "", false
	}
	value = str(p.src[p.pos+1 : p.pos+1+n])
	p.pos += n + 2
	return key, value, true
}

func isEncName(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (i == 0 || !(c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-')) {
			return false
		}
	}
	return s != ""
}
