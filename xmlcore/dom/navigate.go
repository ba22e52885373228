package dom

import (
	"iter"
	"strings"
)

// Parent returns the parent; that of an attribute is its element, that of the root the document node.
func (n Node) Parent() Node {
	if n.d == nil || n.i == 0 {
		return Node{}
	}
	return Node{n.d, n.at().parent}
}

// FirstChild returns the first child of an element or the document node; attributes are no children.
func (n Node) FirstChild() Node {
	if n.d == nil {
		return Node{}
	}
	m := n.at()
	if i := n.i + 1 + int32(m.nattr); i < m.end {
		return Node{n.d, i}
	}
	return Node{}
}

// NextSibling returns the next child of the same parent. Attributes have no siblings.
func (n Node) NextSibling() Node {
	if n.d == nil || n.i == 0 {
		return Node{}
	}
	m := n.at()
	if m.kind != AttributeNode && m.end < n.d.nodes[m.parent].end {
		return Node{n.d, m.end}
	}
	return Node{}
}

// FirstElement returns the first child that is an element.
func (n Node) FirstElement() Node {
	if n.d == nil {
		return Node{}
	}
	m := n.at()
	return n.d.element(n.i+1+int32(m.nattr), m.end)
}

// NextElement returns the next sibling that is an element.
func (n Node) NextElement() Node {
	if n.d == nil || n.i == 0 {
		return Node{}
	}
	m := n.at()
	if m.kind == AttributeNode {
		return Node{}
	}
	return n.d.element(m.end, n.d.nodes[m.parent].end)
}

// element returns the first element among the siblings from one index to another.
func (d *Document) element(i, end int32) Node {
	for nodes := d.nodes; i < end; i = nodes[i].end {
		if nodes[i].kind == ElementNode {
			return Node{d, i}
		}
	}
	return Node{}
}

// Children yields the children in document order.
func (n Node) Children() iter.Seq[Node] {
	return func(yield func(Node) bool) {
		for c := n.FirstChild(); c.d != nil; c = c.NextSibling() {
			if !yield(c) {
				return
			}
		}
	}
}

// Elements yields the children that are elements.
func (n Node) Elements() iter.Seq[Node] {
	return func(yield func(Node) bool) {
		for c := n.FirstElement(); c.d != nil; c = c.NextElement() {
			if !yield(c) {
				return
			}
		}
	}
}

// Attributes yields the attributes of an element as written, without namespace declarations.
func (n Node) Attributes() iter.Seq[Node] {
	return func(yield func(Node) bool) {
		if n.d == nil {
			return
		}
		for i := n.i + 1; i <= n.i+int32(n.at().nattr); i++ {
			if !yield(Node{n.d, i}) {
				return
			}
		}
	}
}

// NumAttributes returns how many attributes an element has; they are the nodes right after it.
func (n Node) NumAttributes() int {
	if n.d == nil {
		return 0
	}
	return int(n.at().nattr)
}

// Descendants yields all nodes below n in document order, without n and without attributes.
func (n Node) Descendants() iter.Seq[Node] {
	return func(yield func(Node) bool) {
		if n.d == nil {
			return
		}
		for i := n.i + 1; i < n.at().end; i++ {
			if n.d.nodes[i].kind != AttributeNode && !yield(Node{n.d, i}) {
				return
			}
		}
	}
}

// Child returns the first child element with this name.
func (n Node) Child(space, local string) Node {
	for c := n.FirstElement(); c.d != nil; c = c.NextElement() {
		if c.Is(space, local) {
			return c
		}
	}
	return Node{}
}

// Attr returns the value of the attribute without namespace, "" if it is absent.
func (n Node) Attr(local string) string {
	v, _ := n.AttrNS("", local)
	return v
}

// AttrNS returns the value of an attribute and whether it is there.
func (n Node) AttrNS(space, local string) (string, bool) {
	a := n.Attribute(space, local)
	if !a.Valid() {
		return "", false
	}
	return str(a.Value()), true
}

// Attribute returns the attribute node with this name.
func (n Node) Attribute(space, local string) Node {
	if n.d == nil {
		return Node{}
	}
	for i := n.i + 1; i <= n.i+int32(n.at().nattr); i++ {
		if a := (Node{n.d, i}); a.Is(space, local) {
			return a
		}
	}
	return Node{}
}

// Value returns the octets of a text, attribute, comment or processing instruction after resolution of
// references. They belong to the document.
func (n Node) Value() []byte {
	if n.d == nil {
		return nil
	}
	m := n.at()
	if m.kind < AttributeNode {
		return nil
	}
	if m.flags&inSide != 0 {
		return n.d.side[m.a:m.b:m.b]
	}
	return n.d.src[m.a:m.b:m.b]
}

// Verbatim reports whether the value stands in the source exactly as Value returns it, so that it holds no
// character that must be escaped when written again, '>' in text excepted.
func (n Node) Verbatim() bool { return n.at().flags&(inSide|escapes) == 0 }

// Text returns the string value [XPath 5]: of an element or the document, all text below it.
func (n Node) Text() string {
	if n.d == nil {
		return ""
	}
	m := n.at()
	if m.kind >= AttributeNode {
		return str(n.Value())
	}
	var first Node
	size := 0
	for i := n.i + 1; i < m.end; i++ {
		if t := &n.d.nodes[i]; t.kind == TextNode {
			if size == 0 {
				first = Node{n.d, i}
			}
			size += int(t.b - t.a)
		}
	}
	if !first.Valid() {
		return ""
	}
	if v := first.Value(); len(v) == size {
		return str(v)
	}
	var b strings.Builder
	b.Grow(size)
	for i := first.i; i < m.end; i++ {
		if n.d.nodes[i].kind == TextNode {
			b.Write(Node{n.d, i}.Value())
		}
	}
	return b.String()
}

// TrimmedText returns Text without leading and trailing white space [XML 2.3].
func (n Node) TrimmedText() string { return strings.Trim(n.Text(), " \t\n\r") }

// Offset returns where the node begins in Source.
func (n Node) Offset() int { return int(n.at().off) }

// Raw returns the source octets of the whole node.
func (n Node) Raw() []byte {
	if n.d == nil {
		return nil
	}
	m := n.at()
	return n.d.src[m.off:m.offEnd:m.offEnd]
}
