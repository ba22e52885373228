package dom

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// subset is what an internal DTD subset declares that changes a document [XML 2.8, 3.3, 4.2.1].
type subset struct {
	entities map[string]string   // replacement texts of internal general entities
	attrs    map[string][]attDef // by element name as written
}

type attDef struct {
	name  string
	cdata bool
	id    bool
	value string // default as literal, with its quotes; empty if there is none
}

// doctype reads the document type declaration at p.pos, if the limits allow one, and replaces the rest of the
// source by one in which declared entities are expanded and default attributes written out.
//
// An external subset or entity and a parameter entity are refused.
func (p *parser) doctype() error {
	start := p.pos
	switch {
	case !p.lim.InternalSubset:
		return p.fail(start, ErrDoctype, "")
	case p.dtd != nil:
		return p.fail(start, ErrSyntax, "second document type declaration [XML 2.8]")
	case p.bad >= 0:
		return p.illegal()
	}
	p.dtd = &subset{map[string]string{}, map[string][]attDef{}}
	p.pos += len("<!DOCTYPE")
	if !p.space() || p.word() == "" {
		return p.fail(p.pos, ErrSyntax, "document type declaration without name [XML 2.8]")
	}
	p.space()
	if p.starts("SYSTEM") || p.starts("PUBLIC") {
		return p.fail(p.pos, ErrDoctype, "external DTD subset is not allowed")
	}
	if p.starts("[") {
		p.pos++
		if err := p.declarations(); err != nil {
			return err
		}
	}
	p.space()
	if !p.starts(">") {
		return p.fail(p.pos, ErrSyntax, "document type declaration does not end [XML 2.8]")
	}
	x := expander{dtd: p.dtd, most: p.lim.Bytes}
	x.out = append(x.out, p.src[:start]...)
	for range bytes.Count(p.src[start:p.pos], []byte{'\n'}) {
		x.out = append(x.out, '\n') // lines keep their numbers
	}
	if msg := x.content(str(p.src[p.pos+1:]), 0); msg != "" {
		return p.fail(p.pos, ErrLimit, "%s", msg)
	}
	p.src, p.pos, p.nextAmp, p.nextClose = x.out, start, -1, -1
	return nil
}

// word takes a name.
func (p *parser) word() string {
	i := p.pos
	for i < len(p.src) && class[p.src[i]]&cName != 0 {
		i++
	}
	s := str(p.src[p.pos:i])
	p.pos = i
	return s
}

// literal takes a quoted string and returns it with its quotes.
func (p *parser) literal() (string, bool) {
	if p.pos >= len(p.src) || p.src[p.pos] != '"' && p.src[p.pos] != '\'' {
		return "", false
	}
	n := bytes.IndexByte(p.src[p.pos+1:], p.src[p.pos])
	if n < 0 {
		return "", false
	}
	s := str(p.src[p.pos : p.pos+n+2])
	p.pos += n + 2
	return s, true
}

func (p *parser) declarations() error {
	for {
		p.space()
		var err error
		nodes := len(p.nodes)
		switch {
		case p.pos >= len(p.src):
			return p.eof("the document type declaration")
		case p.src[p.pos] == ']':
			p.pos++
			return nil
		case p.starts("<!--"):
			err = p.comment()
		case p.starts("<?"):
			err = p.pi()
		case p.starts("<!ENTITY"):
			err = p.entityDecl()
		case p.starts("<!ATTLIST"):
			err = p.attlistDecl()
		case p.starts("<!ELEMENT"), p.starts("<!NOTATION"):
			err = p.skipDecl()
		case p.src[p.pos] == '%':
			return p.fail(p.pos, ErrDoctype, "parameter entity is not allowed")
		default:
			return p.fail(p.pos, ErrSyntax, "no declaration in the DTD subset [XML 2.8]")
		}
		if err != nil {
			return err
		}
		p.nodes = p.nodes[:nodes] // comments in the subset are not in the data model [XPath 5]
	}
}

// skipDecl passes over a declaration that changes nothing here.
func (p *parser) skipDecl() error {
	for p.pos < len(p.src) {
		switch p.src[p.pos] {
		case '>':
			p.pos++
			return nil
		case '"', '\'':
			if _, ok := p.literal(); !ok {
				return p.eof("a declaration")
			}
		default:
			p.pos++
		}
	}
	return p.eof("a declaration")
}

// entityDecl takes <!ENTITY name "value"> [XML 4.2].
func (p *parser) entityDecl() error {
	start := p.pos
	p.pos += len("<!ENTITY")
	spaced := p.space()
	if p.starts("%") {
		return p.fail(start, ErrDoctype, "parameter entity is not allowed")
	}
	name := p.word()
	if !spaced || !isNCName(name) || !p.space() {
		return p.fail(start, ErrSyntax, "entity declaration is malformed [XML 4.2]")
	}
	if p.starts("SYSTEM") || p.starts("PUBLIC") {
		return p.fail(start, ErrDoctype, "external entity is not allowed")
	}
	value, ok := p.literal()
	p.space()
	if !ok || !p.starts(">") {
		return p.fail(start, ErrSyntax, "entity declaration is malformed [XML 4.2]")
	}
	p.pos++
	value, ok = replacement(value[1 : len(value)-1])
	if !ok {
		return p.fail(start, ErrSyntax, "value of entity %q is malformed [XML 4.5]", clip(name))
	}
	if _, known := p.dtd.entities[name]; !known {
		p.dtd.entities[name] = value
	}
	return nil
}

// replacement resolves the character references of an entity value; other references wait [XML 4.5].
func replacement(s string) (string, bool) {
	if strings.Contains(s, "%") {
		return "", false
	}
	var out []byte
	for {
		i := strings.Index(s, "&#")
		if i < 0 {
			return string(append(out, s...)), true
		}
		n := strings.IndexByte(s[i:], ';')
		if n < 0 {
			return "", false
		}
		r, ok := charRef(s[i+2 : i+n])
		if !ok {
			return "", false
		}
		out = utf8.AppendRune(append(out, s[:i]...), r)
		s = s[i+n+1:]
	}
}

// attlistDecl takes <!ATTLIST element (name type default)*> [XML 3.3].
func (p *parser) attlistDecl() error {
	const most = 1000
	start := p.pos
	bad := func() error { return p.fail(start, ErrSyntax, "attribute-list declaration is malformed [XML 3.3]") }
	p.pos += len("<!ATTLIST")
	p.space()
	el := p.word()
	if el == "" {
		return bad()
	}
	for {
		p.space()
		if p.starts(">") {
			p.pos++
			return nil
		}
		d := attDef{name: p.word()}
		if d.name == "" || !p.space() {
			return bad()
		}
		kind := p.word()
		d.cdata, d.id = kind == "CDATA", kind == "ID"
		p.space()
		if p.starts("(") { // enumeration
			n := bytes.IndexByte(p.src[p.pos:], ')')
			if n < 0 || kind != "" && kind != "NOTATION" {
				return bad()
			}
			p.pos += n + 1
			p.space()
		} else if kind == "" {
			return bad()
		}
		switch {
		case p.starts("#REQUIRED"):
			p.pos += len("#REQUIRED")
		case p.starts("#IMPLIED"):
			p.pos += len("#IMPLIED")
		default:
			if p.starts("#FIXED") {
				p.pos += len("#FIXED")
				p.space()
			}
			var ok bool
			if d.value, ok = p.literal(); !ok {
				return bad()
			}
		}
		defs := p.dtd.attrs[el]
		if len(defs) == most {
			return p.fail(start, ErrLimit, "more than %d attributes declared for one element", most)
		}
		known := false
		for _, o := range defs {
			known = known || o.name == d.name
		}
		if !known {
			p.dtd.attrs[el] = append(defs, d)
		}
	}
}

// typed applies the declared types to the attributes of an element: all but CDATA lose superfluous spaces, and
// IDs are marked [XML 3.3.3].
func (p *parser) typed(el, qid int32) {
	for _, d := range p.dtd.attrs[p.qtab.strs[qid]] {
		for i := el + 1; i <= el+int32(p.nodes[el].nattr) && !d.cdata; i++ {
			a := &p.nodes[i]
			if p.qtab.strs[a.name] != d.name {
				continue
			}
			value := p.src[a.a:a.b]
			if a.flags&inSide != 0 {
				value = p.side[a.a:a.b]
			}
			tokens := strings.Join(strings.FieldsFunc(str(value), func(r rune) bool { return r == ' ' }), " ")
			if tokens != str(value) {
				a.a = uint32(len(p.side))
				p.side = append(p.side, tokens...)
				a.b = uint32(len(p.side))
				a.flags |= inSide
			}
			if d.id {
				a.flags |= isIDAttr
			}
		}
	}
}
