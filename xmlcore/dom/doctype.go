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

// expander rewrites a document without its document type declaration.
type expander struct {
	dtd   *subset
	out   []byte
	most  int
	count int
}

const (
	mostExpansions = 10_000
	deepestEntity  = 16
)

// entity returns the replacement of the reference at s[i] and where it ends; ok is false for references that
// the parser resolves or refuses.
func (x *expander) entity(s string, i int) (text string, end int, ok bool) {
	n := strings.IndexByte(s[i:], ';')
	if n < 0 {
		return "", i + 1, false
	}
	name := s[i+1 : i+n]
	switch name {
	case "lt", "gt", "amp", "quot", "apos":
		return "", i + 1, false
	}
	text, ok = x.dtd.entities[name]
	return text, i + n + 1, ok
}

// bounded counts one expansion.
func (x *expander) bounded(depth int) string {
	if depth > 0 {
		x.count++
	}
	switch {
	case depth > deepestEntity:
		return "entities that contain each other, or too many levels of them [XML 4.1]"
	case x.count > mostExpansions || len(x.out) > x.most:
		return "entities expand to too much"
	}
	return ""
}

// content copies content with entities expanded and returns what is wrong.
func (x *expander) content(s string, depth int) (wrong string) {
	if wrong = x.bounded(depth); wrong != "" {
		return wrong
	}
	through := func(i int, end string) int {
		n := strings.Index(s[i:], end)
		if n < 0 {
			n = len(s) - i - len(end)
		}
		x.out = append(x.out, s[i:i+n+len(end)]...)
		return i + n + len(end)
	}
	for i := 0; i < len(s); {
		switch rest := s[i:]; {
		case s[i] == '&':
			text, end, ok := x.entity(s, i)
			if !ok {
				x.out = append(x.out, '&')
				i++
				continue
			}
			if wrong = x.content(text, depth+1); wrong != "" {
				return wrong
			}
			i = end
		case strings.HasPrefix(rest, "<!--"):
			i = through(i, "-->")
		case strings.HasPrefix(rest, "<![CDATA["):
			i = through(i, "]]>")
		case strings.HasPrefix(rest, "<?"):
			i = through(i, "?>")
		case strings.HasPrefix(rest, "</"):
			i = through(i, ">")
		case s[i] == '<':
			if i, wrong = x.tag(s, i); wrong != "" {
				return wrong
			}
		default:
			n := strings.IndexAny(rest, "<&")
			if n < 0 {
				n = len(rest)
			}
			x.out = append(x.out, rest[:n]...)
			i += n
		}
	}
	return ""
}

// tag copies a start tag, with the defaults of attributes that it does not have.
func (x *expander) tag(s string, i int) (end int, wrong string) {
	nameAt := func(i int) int {
		for i < len(s) && class[s[i]]&cName != 0 {
			i++
		}
		return i
	}
	j := nameAt(i + 1)
	el := s[i+1 : j]
	x.out = append(x.out, s[i:j]...)
	seen := map[string]bool{}
	for j < len(s) {
		switch c := s[j]; {
		case c == '>' || c == '/':
			for _, d := range x.dtd.attrs[el] {
				if d.value == "" || seen[d.name] {
					continue
				}
				x.out = append(append(append(x.out, ' '), d.name...), '=', d.value[0])
				if wrong = x.value(d.value[1:len(d.value)-1], 0); wrong != "" {
					return 0, wrong
				}
				x.out = append(x.out, d.value[0])
			}
			x.out = append(x.out, c)
			if c == '/' && j+1 < len(s) {
				j++
				x.out = append(x.out, s[j])
			}
			return j + 1, ""
		case c == '"' || c == '\'':
			n := strings.IndexByte(s[j+1:], c)
			if n < 0 {
				x.out = append(x.out, s[j:]...)
				return len(s), ""
			}
			x.out = append(x.out, c)
			if wrong = x.value(s[j+1:j+1+n], 0); wrong != "" {
				return 0, wrong
			}
			x.out = append(x.out, c)
			j += n + 2
		case class[c]&cName != 0:
			k := nameAt(j)
			seen[s[j:k]] = true
			x.out = append(x.out, s[j:k]...)
			j = k
		default:
			x.out = append(x.out, c)
			j++
		}
	}
	return j, ""
}

// value copies an attribute value with entities expanded. Quotes that come from an entity do not end it.
func (x *expander) value(s string, depth int) (wrong string) {
	if wrong = x.bounded(depth); wrong != "" {
		return wrong
	}
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c == '&':
			text, end, ok := x.entity(s, i)
			if !ok {
				x.out = append(x.out, '&')
				i++
				continue
			}
			if wrong = x.value(text, depth+1); wrong != "" {
				return wrong
			}
			i = end
			continue
		case depth > 0 && c == '"':
			x.out = append(x.out, "&#34;"...)
		case depth > 0 && c == '\'':
			x.out = append(x.out, "&#39;"...)
		default:
			x.out = append(x.out, c)
		}
		i++
	}
	return ""
}
