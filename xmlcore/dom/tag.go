package dom

import "bytes"

// wideName is the expanded name of an attribute, for elements with many.
type wideName struct {
	uri   int32
	local string
}

// startTag reads a start tag or empty-element tag at p.pos [XML 3.1] and opens its scope.
func (p *parser) startTag() error {
	src, off := p.src, p.pos
	i := off + 1
	for i < len(src) && class[src[i]]&cName != 0 {
		i++
	}
	if i >= len(src) {
		return p.eof("a start tag")
	}
	if i == off+1 {
		return p.fail(off, ErrSyntax, "< begins no markup, write &lt; [XML 2.4]")
	}
	qid, err := p.qnameAt(off+1, i)
	if err != nil {
		return err
	}
	if p.depth == p.lim.Depth {
		return p.fail(off, ErrLimit, "more than %d elements inside each other", p.lim.Depth)
	}
	parent, el, first := p.cur, int32(len(p.nodes)), int32(len(p.decls))
	if err := p.add(node{kind: ElementNode, off: uint32(off)}); err != nil {
		return err
	}
	if src[i] != '>' {
		p.pos = i
		p.cur = el
		err = p.attributes(el, first)
		i = p.pos
		p.cur = parent
		if err != nil {
			return err
		}
	}
	e := &p.nodes[el]
	if e.name, err = p.elementName(qid, off); err != nil {
		return err
	}
	e.a, e.b = uint32(p.scope), uint32(int32(len(p.decls))-first)
	if e.nattr > 0 {
		if p.dtd != nil {
			p.typed(el, qid)
		}
		if err := p.resolve(el); err != nil {
			return err
		}
	}
	if src[i] == '>' {
		p.pos = i + 1
		p.cur = el
		p.depth++
		return nil
	}
	// "/>": attributes made sure of the second character
	p.pos = i + 2
	e.end, e.offEnd = int32(len(p.nodes)), uint32(p.pos)
	if e.b > 0 {
		p.undeclare(p.scope, int32(e.b))
	}
	return nil
}

// attributes reads up to '>' or "/>" and leaves p.pos there. Names stay unresolved: a prefix may be declared
// after its use.
func (p *parser) attributes(el, first int32) error {
	src := p.src
	count := 0
	p.xmlDeclared = false
	for {
		i := p.pos
		for i < len(src) && class[src[i]]&cSpace != 0 {
			i++
		}
		if i >= len(src) {
			return p.eof("a start tag")
		}
		switch {
		case src[i] == '>':
			p.pos = i
			return nil
		case src[i] == '/':
			p.pos = i
			if i+1 >= len(src) {
				return p.eof("a start tag")
			}
			if src[i+1] != '>' {
				return p.fail(i, ErrSyntax, "/ inside a tag [XML 3.1]")
			}
			return nil
		case i == p.pos:
			return p.fail(i, ErrSyntax, "%q after a name or value in a tag [XML 3.1]", src[i])
		}
		off := i
		for i < len(src) && class[src[i]]&cName != 0 {
			i++
		}
		if i == off {
			return p.fail(i, ErrSyntax, "%q where an attribute name should be [XML 3.1]", src[i])
		}
		qid, err := p.qnameAt(off, i)
		if err != nil {
			return err
		}
		if i < len(src) && src[i] != '=' {
			for i < len(src) && class[src[i]]&cSpace != 0 {
				i++
			}
		}
		if i < len(src) && src[i] != '=' {
			return p.fail(off, ErrSyntax, "attribute %s has no value [XML 3.1]", clip(p.qtab.strs[qid]))
		}
		i++
		for i < len(src) && class[src[i]]&cSpace != 0 {
			i++
		}
		if i >= len(src) {
			return p.eof("a start tag")
		}
		quote := src[i]
		if quote != '"' && quote != '\'' {
			return p.fail(i, ErrSyntax, "value of attribute %s is not quoted [XML 3.1]", clip(p.qtab.strs[qid]))
		}
		i++
		n := bytes.IndexByte(src[i:], quote)
		if n < 0 {
			return p.eof("the value of attribute " + clip(p.qtab.strs[qid]))
		}
		count++
		p.nattr++
		if count > p.lim.AttributesPerElement {
			return p.fail(off, ErrLimit, "more than %d attributes and namespace declarations on one element", p.lim.AttributesPerElement)
		}
		if p.nattr > p.lim.Attributes {
			return p.fail(off, ErrLimit, "more than %d attributes and namespace declarations", p.lim.Attributes)
		}
		end := i + n
		p.pos = end + 1
		a := node{kind: AttributeNode, name: qid, off: uint32(off), offEnd: uint32(p.pos), a: uint32(i), b: uint32(end)}
		value := src[i:end]
		if lt := bytes.IndexByte(value, '<'); lt >= 0 {
			return p.fail(i+lt, ErrSyntax, "< in the value of attribute %s [XML 3.1]", clip(p.qtab.strs[qid]))
		}
		if p.ampBefore(i, end) || hasControl(value) {
			a.a = uint32(len(p.side))
			if err := p.expand(i, end, true); err != nil {
				return err
			}
			a.b = uint32(len(p.side))
			a.flags = inSide
			value = p.side[a.a:]
		} else if quote == '\'' && bytes.IndexByte(value, '"') >= 0 {
			a.flags = escapes
		}
		if q := &p.qnames[qid]; q.declares >= 0 {
			if err := p.declare(q, value, off, first); err != nil {
				return err
			}
			continue
		}
		if err := p.add(a); err != nil {
			return err
		}
		p.nodes[el].nattr++
	}
}

// resolve gives the attributes of an element their names and refuses two equal ones [XML 3.1, Namespaces 6.3].
func (p *parser) resolve(el int32) error {
	const many = 12
	n := int32(p.nodes[el].nattr)
	p.nodes[el].end = el + 1 + n
	attrs := p.nodes[el+1 : el+1+n]
	if n > many {
		if p.wide == nil {
			p.wide = map[wideName]struct{}{}
		}
		clear(p.wide)
	}
	for i := range attrs {
		a := &attrs[i]
		id, err := p.attributeName(a.name, int(a.off))
		if err != nil {
			return err
		}
		a.name = id
		m := &p.names[id]
		twice := false
		if n > many {
			key := wideName{m.uri, m.local}
			_, twice = p.wide[key]
			p.wide[key] = struct{}{}
		} else {
			for j := 0; j < i && !twice; j++ {
				o := attrs[j].name
				twice = o == id || m.uri != 0 && p.names[o].uri == m.uri && p.names[o].local == m.local
			}
		}
		if twice {
			return p.fail(int(a.off), ErrSyntax, "attribute %s occurs twice [XML 3.1, Namespaces 6.3]", clip(m.qname))
		}
	}
	return nil
}

// endTag closes the open element; p.pos is at "</".
func (p *parser) endTag() error {
	src, off := p.src, p.pos
	e := &p.nodes[p.cur]
	want := p.names[e.name].qname
	i := off + 2
	if len(src)-i < len(want) {
		return p.eof("an end tag")
	}
	if string(src[i:i+len(want)]) != want || i+len(want) < len(src) && class[src[i+len(want)]]&cName != 0 {
		return p.fail(off, ErrSyntax, "end tag does not match <%s> [XML 3]", clip(want))
	}
	i += len(want)
	for i < len(src) && class[src[i]]&cSpace != 0 {
		i++
	}
	if i >= len(src) {
		return p.eof("an end tag")
	}
	if src[i] != '>' {
		return p.fail(i, ErrSyntax, "%q in an end tag [XML 3.1]", src[i])
	}
	p.pos = i + 1
	e.end, e.offEnd = int32(len(p.nodes)), uint32(p.pos)
	if e.b > 0 {
		p.undeclare(p.scope, int32(e.b))
	}
	p.cur = e.parent
	p.depth--
	return nil
}
