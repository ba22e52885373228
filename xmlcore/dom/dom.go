// Package dom holds an XML document in one flat arena: XML 1.0 fifth edition [XML], Namespaces in XML 1.0 [Namespaces].
//
// [Parse] reads strictly: what is not well-formed or not namespace-well-formed is refused with the place and
// the rule, and so is every document type declaration. A [Document] never changes after that, so any number of
// goroutines may read it.
//
// The model is that of XPath 1.0: adjacent character data and CDATA sections are one text node, namespace
// declarations are no attributes, and the index of a node is its place in document order: an element, its
// attributes, then its content.
//
// # Shared memory
//
// Names, values and texts are views into the source octets and cost no allocation. They keep the whole document
// alive; strings.Clone what is stored for longer. The caller hands src over to [Parse] and must not change it.
package dom

import "unsafe"

// Names that the specifications reserve.
const (
	XMLNamespace   = "http://www.w3.org/XML/1998/namespace"
	XMLNSNamespace = "http://www.w3.org/2000/xmlns/"
)

// Kind says what a node is.
type Kind uint8

// The kinds of nodes. The zero Node has the kind NoNode.
const (
	NoNode Kind = iota
	DocumentNode
	ElementNode
	AttributeNode
	TextNode
	CommentNode
	PINode
)

var kindNames = [...]string{"no node", "document", "element", "attribute", "text", "comment", "processing instruction"}

func (k Kind) String() string { return kindNames[k] }

// Document is a parsed XML document. It is immutable.
type Document struct {
	src   []byte // UTF-8, line ends already LF
	side  []byte // values that differ from their source: references resolved, white space normalised, runs merged
	nodes []node
	names []name
	decls []declaration
	root  int32
	nPfx  int32
}

// node is 32 octets. Index 0 of the arena is the document node.
type node struct {
	kind   Kind
	flags  uint8
	nattr  uint16
	name   int32 // into names; 0 is the empty name
	parent int32
	end    int32  // one past the last descendant
	off    uint32 // source of the whole node
	offEnd uint32
	a, b   uint32 // value in src or side; elements: last declaration in scope, number of own declarations
}

const (
	inSide   uint8 = 1 << iota // value is in side, not in src
	escapes                    // value is in src, but holds characters that need escaping when written
	isIDAttr                   // typed ID by an internal subset
)

type name struct {
	space, local, qname string
	prefix              int32 // interned prefix
	uri                 int32 // interned URI; 0 = no namespace
	next                int32 // next name with the same qname
}

// declaration binds a prefix on an element. The declarations of one element are contiguous; prev leads to the
// next outer one. Index 0 is the absent default namespace, 1 the prefix xml.
type declaration struct {
	prefix, uri string
	pid, uid    int32
	prev        int32
	shadow      int32 // what the prefix meant outside
}

// Node is a handle on one node of a document: small, comparable, and zero when there is no node.
type Node struct {
	d *Document
	i int32
}

// Root returns the document element.
func (d *Document) Root() Node { return Node{d, d.root} }

// Node returns the document node, whose children are the document element and the comments and processing
// instructions around it.
func (d *Document) Node() Node { return Node{d, 0} }

// Len returns the number of nodes, the document node included.
func (d *Document) Len() int { return len(d.nodes) }

// At returns the node with index i, 0 <= i < Len.
func (d *Document) At(i int) Node {
	_ = d.nodes[i]
	return Node{d, int32(i)}
}

// Source returns the UTF-8 octets that offsets and positions refer to: without byte order mark, with line ends
// normalised to LF [XML 2.11], transcoded if the document came in another encoding. Callers must not change it.
func (d *Document) Source() []byte { return d.src }

// Prefixes returns the number of distinct prefixes of the document: every Node.PrefixID is below it.
func (d *Document) Prefixes() int { return int(d.nPfx) }

func (n Node) at() *node { return &n.d.nodes[n.i] }

// Valid reports whether there is a node at all.
func (n Node) Valid() bool { return n.d != nil }

// Document returns the document of the node.
func (n Node) Document() *Document { return n.d }

// Index returns the place of the node in document order; the document node is 0.
func (n Node) Index() int { return int(n.i) }

// End returns the index after the last descendant of the node.
func (n Node) End() int { return int(n.at().end) }

// Kind returns what the node is.
func (n Node) Kind() Kind {
	if n.d == nil {
		return NoNode
	}
	return n.at().kind
}

func (n Node) nameOf() *name { return &n.d.names[n.at().name] }

// Space returns the namespace URI of an element or attribute, "" for none.
func (n Node) Space() string {
	if n.d == nil {
		return ""
	}
	return n.nameOf().space
}

// Local returns the local name of an element or attribute, or the target of a processing instruction.
func (n Node) Local() string {
	if n.d == nil {
		return ""
	}
	return n.nameOf().local
}

// Prefix returns the prefix as written.
func (n Node) Prefix() string {
	if n.d == nil {
		return ""
	}
	m := n.nameOf()
	if len(m.qname) == len(m.local) {
		return ""
	}
	return m.qname[:len(m.qname)-len(m.local)-1]
}

// PrefixID returns a small number that stands for the prefix in this document: 0 for none, 1 for xml.
func (n Node) PrefixID() int {
	if n.d == nil {
		return 0
	}
	return int(n.nameOf().prefix)
}

// QName returns the name as written.
func (n Node) QName() string {
	if n.d == nil {
		return ""
	}
	return n.nameOf().qname
}

// NameID returns a number that two nodes of one document share exactly if prefix, local name and namespace agree.
func (n Node) NameID() int { return int(n.at().name) }

// Is reports whether the node has this expanded name.
func (n Node) Is(space, local string) bool {
	if n.d == nil {
		return false
	}
	m := n.nameOf()
	return m.local == local && m.space == space
}

// IsID reports whether an internal DTD subset declares this attribute as ID. xml:id and the ID attributes of
// schemas are not known here.
func (n Node) IsID() bool { return n.d != nil && n.at().flags&isIDAttr != 0 }

// Contains reports whether m is n or one of its descendants or their attributes.
func (n Node) Contains(m Node) bool {
	return n.d != nil && n.d == m.d && n.i <= m.i && m.i < n.at().end
}

// str views octets as a string; the arena never changes after the view exists.
func str(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	return unsafe.String(&b[0], len(b))
}
