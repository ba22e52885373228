package dom

import (
	"bytes"
	"strconv"
	"unicode/utf8"
)

// content reads the document element and all inside it; p.pos is at its '<'.
func (p *parser) content() error {
	for {
		// Between two tags there is no '<', so one search finds the end of the text.
		n := bytes.IndexByte(p.src[p.pos:], '<')
		if n < 0 {
			return p.eof("element " + clip(Node{&Document{names: p.names, nodes: p.nodes}, p.cur}.QName()))
		}
		if n > 0 {
			if err := p.text(p.pos, p.pos+n); err != nil {
				return err
			}
			p.pos += n
		}
		if p.pos+1 >= len(p.src) {
			return p.eof("markup")
		}
		var err error
		switch p.src[p.pos+1] {
		case '/':
			err = p.endTag()
		case '!':
			switch {
			case p.starts("<!--"):
				err = p.comment()
			case p.starts("<![CDATA["):
				err = p.cdata()
			case p.starts("<!DOCTYPE"):
				return p.fail(p.pos, ErrDoctype, "")
			case bytes.HasPrefix([]byte("<![CDATA["), p.src[p.pos:]), bytes.HasPrefix([]byte("<!--"), p.src[p.pos:]):
				return p.eof("markup")
			default:
				return p.fail(p.pos, ErrSyntax, "<! begins neither comment nor CDATA section")
			}
		case '?':
			err = p.pi()
		default:
			err = p.startTag()
		}
		if err != nil {
			return err
		}
		if p.depth == 0 {
			return nil
		}
	}
}

// ampBefore reports whether a reference occurs in [from, to).
func (p *parser) ampBefore(from, to int) bool {
	if p.nextAmp < from {
		n := bytes.IndexByte(p.src[from:], '&')
		if n < 0 {
			n = len(p.src) - from
		}
		p.nextAmp = from + n
	}
	return p.nextAmp < to
}

// text takes character data in src[start:end] [XML 2.4].
func (p *parser) text(start, end int) error {
	if p.nextClose < start {
		n := bytes.Index(p.src[start:], []byte("]]>"))
		if n < 0 {
			n = len(p.src) - start
		}
		p.nextClose = start + n
	}
	if p.nextClose < end {
		return p.fail(p.nextClose, ErrSyntax, "]]> in text [XML 2.4]")
	}
	if !p.ampBefore(start, end) {
		return p.addText(start, end, start, end, 0)
	}
	t, err := p.mergeTarget(start)
	if err != nil {
		return err
	}
	if err := p.expand(start, end, false); err != nil {
		return err
	}
	p.nodes[t].b, p.nodes[t].offEnd = uint32(len(p.side)), uint32(end)
	return nil
}

// addText adds the value src[from:to], which came from src[off:offEnd], to the text being built here.
func (p *parser) addText(from, to, off, offEnd int, flags uint8) error {
	if last := len(p.nodes) - 1; p.nodes[last].kind != TextNode || p.nodes[last].parent != p.cur {
		return p.add(node{kind: TextNode, flags: flags, off: uint32(off), offEnd: uint32(offEnd), a: uint32(from), b: uint32(to)})
	}
	t, err := p.mergeTarget(off)
	if err != nil {
		return err
	}
	p.side = append(p.side, p.src[from:to]...)
	p.nodes[t].b, p.nodes[t].offEnd = uint32(len(p.side)), uint32(offEnd)
	return nil
}

// mergeTarget returns the text node that continues here, its value at the end of side; a new one if none does.
func (p *parser) mergeTarget(off int) (int, error) {
	last := len(p.nodes) - 1
	if t := &p.nodes[last]; t.kind == TextNode && t.parent == p.cur {
		if t.flags&inSide == 0 {
			at := uint32(len(p.side))
			p.side = append(p.side, p.src[t.a:t.b]...)
			t.a, t.b, t.flags = at, uint32(len(p.side)), inSide
		}
		return last, nil
	}
	at := uint32(len(p.side))
	return last + 1, p.add(node{kind: TextNode, flags: inSide, off: uint32(off), a: at, b: at})
}

// expand appends src[i:end] to side with references resolved and, in attributes, white space normalised
// [XML 3.3.3, 4.4].
func (p *parser) expand(i, end int, attribute bool) error {
	if cap(p.side) == 0 {
		const typical = 64 // octets of a value with references
		rest := p.src[i:]
		p.side = make([]byte, 0, min(len(rest), typical*(1+bytes.Count(rest, []byte{'&'}))))
	}
	for i < end {
		n := bytes.IndexByte(p.src[i:end], '&')
		if n < 0 {
			n = end - i
		}
		from := len(p.side)
		p.side = append(p.side, p.src[i:i+n]...)
		if attribute {
			for j, c := range p.side[from:] {
				if c < 0x20 {
					p.side[from+j] = ' '
				}
			}
		}
		if i += n; i == end {
			break
		}
		var err error
		if i, err = p.reference(i, end); err != nil {
			return err
		}
	}
	return nil
}

// reference resolves the reference at src[i] and returns where it ends [XML 4.1, 4.6].
func (p *parser) reference(i, end int) (int, error) {
	n := bytes.IndexByte(p.src[i:end], ';')
	if n < 2 {
		return 0, p.fail(i, ErrSyntax, "& begins no reference, write &amp; [XML 2.4]")
	}
	ref := str(p.src[i+1 : i+n])
	switch ref {
	case "lt":
		p.side = append(p.side, '<')
	case "gt":
		p.side = append(p.side, '>')
	case "amp":
		p.side = append(p.side, '&')
	case "quot":
		p.side = append(p.side, '"')
	case "apos":
		p.side = append(p.side, '\'')
	default:
		if ref[0] != '#' {
			if !isNCName(ref) {
				return 0, p.fail(i, ErrSyntax, "& begins no reference, write &amp; [XML 2.4]")
			}
			return 0, p.fail(i, ErrSyntax, "entity %q is not declared [XML 4.1]", clip(ref))
		}
		r, ok := charRef(ref[1:])
		if !ok {
			return 0, p.fail(i, ErrSyntax, "&%s; is no character reference [XML 4.1]", clip(ref))
		}
		p.side = utf8.AppendRune(p.side, r)
	}
	return i + n + 1, nil
}

func charRef(s string) (rune, bool) {
	base := 10
	if s != "" && s[0] == 'x' {
		base, s = 16, s[1:]
	}
	if s == "" || s[0] == '+' || s[0] == '-' {
		return 0, false
	}
	v, err := strconv.ParseUint(s, base, 32)
	if err != nil || v > 0x10FFFF || !isChar(rune(v)) {
		return 0, false
	}
	return rune(v), true
}

// cdata takes a CDATA section, which is text [XML 2.7].
func (p *parser) cdata() error {
	from := p.pos + len("<![CDATA[")
	n := bytes.Index(p.src[from:], []byte("]]>"))
	if n < 0 {
		return p.eof("a CDATA section")
	}
	off := p.pos
	p.pos = from + n + 3
	if n == 0 {
		return nil // no characters, no text node
	}
	return p.addText(from, from+n, off, p.pos, escapes)
}

// comment takes a comment [XML 2.5].
func (p *parser) comment() error {
	from := p.pos + len("<!--")
	n := bytes.Index(p.src[from:], []byte("--"))
	if n < 0 {
		return p.eof("a comment")
	}
	to := from + n
	if to+2 >= len(p.src) {
		return p.eof("a comment")
	}
	if p.src[to+2] != '>' {
		return p.fail(to, ErrSyntax, "-- inside a comment [XML 2.5]")
	}
	off := p.pos
	p.pos = to + 3
	return p.add(node{kind: CommentNode, off: uint32(off), offEnd: uint32(p.pos), a: uint32(from), b: uint32(to)})
}

// pi takes a processing instruction [XML 2.6].
func (p *parser) pi() error {
	off, from := p.pos, p.pos+2
	n := bytes.Index(p.src[from:], []byte("?>"))
	if n < 0 {
		return p.eof("a processing instruction")
	}
	end := from + n
	i := from
	for i < end && class[p.src[i]]&cName != 0 {
		i++
	}
	if i == from {
		return p.fail(off, ErrSyntax, "processing instruction without target [XML 2.6]")
	}
	if len(p.src[from:i]) == 3 && string(bytes.ToLower(p.src[from:i])) == "xml" {
		return p.fail(off, ErrSyntax, "the target %s is reserved, an XML declaration comes first of all [XML 2.6]", p.src[from:i])
	}
	if i < end && class[p.src[i]]&cSpace == 0 {
		return p.fail(i, ErrSyntax, "no white space after the target of a processing instruction [XML 2.6]")
	}
	qid, err := p.qnameAt(from, i)
	if err != nil {
		return err
	}
	if p.qnames[qid].prefix != noPrefix {
		return p.fail(from, ErrNamespace, "target of a processing instruction with a colon [Namespaces 7]")
	}
	if p.qnames[qid].attr == 0 {
		p.qnames[qid].attr = p.nameFor(qid, "", 0)
	}
	for i < end && class[p.src[i]]&cSpace != 0 {
		i++
	}
	p.pos = end + 2
	return p.add(node{kind: PINode, name: p.qnames[qid].attr, off: uint32(off), offEnd: uint32(p.pos), a: uint32(i), b: uint32(end)})
}
