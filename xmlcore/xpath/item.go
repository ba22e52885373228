package xpath

import (
	"iter"
	"math"
	"math/big"
	"unsafe"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Item is one item of a sequence: a node, an atomic value or a function. It is small and passed by value. Items
// share memory with the document they come from.
type Item struct {
	typ   Type
	scale uint8 // of a decimal whose digits are in n
	i     int32 // index of a node; place of a namespace node in its element's scope is in n
	n     int64 // integer, digits of a decimal, bits of a double, truth, length of a text
	p     unsafe.Pointer
}

// What p points at, by type:
//
//	node                      *dom.Document
//	text and binary           the octets, n of them
//	integer beyond int64      *big.Int
//	decimal beyond int64      *bigDecimal
//	moments and durations     *moment, *duration
//	QName, NOTATION           *QName
//	functions, maps, arrays   *function, *mapping, *array

// Sequence is a value: items in order.
type Sequence []Item

// QName is an expanded name and the prefix it was written with.
type QName struct{ Space, Local, Prefix string }

// String returns the name as it was written.
func (q QName) String() string {
	if q.Prefix == "" {
		return q.Local
	}
	return q.Prefix + ":" + q.Local
}

// EQName returns the name with its namespace in braces where it has one.
func (q QName) EQName() string {
	if q.Space == "" {
		return q.Local
	}
	return "Q{" + q.Space + "}" + q.Local
}

func (q QName) same(o QName) bool { return q.Local == o.Local && q.Space == o.Space }

// NodeItem returns a node as an item; it panics if there is no node.
func NodeItem(n dom.Node) Item { return node(n.Document(), n.Index()) }

func node(d *dom.Document, i int) Item {
	return Item{typ: TypeNode, i: int32(i), n: -1, p: unsafe.Pointer(d)}
}

// StringItem returns an xs:string.
func StringItem(s string) Item { return textItem(XSString, s) }

// UntypedItem returns an xs:untypedAtomic.
func UntypedItem(s string) Item { return textItem(XSUntypedAtomic, s) }

func textItem(t Type, s string) Item {
	return Item{typ: t, n: int64(len(s)), p: unsafe.Pointer(unsafe.StringData(s))}
}

// BooleanItem returns an xs:boolean.
func BooleanItem(b bool) Item {
	if b {
		return Item{typ: XSBoolean, n: 1}
	}
	return Item{typ: XSBoolean}
}

// IntegerItem returns an xs:integer.
func IntegerItem(n int64) Item { return Item{typ: XSInteger, n: n} }

// DoubleItem returns an xs:double.
func DoubleItem(f float64) Item { return Item{typ: XSDouble, n: int64(math.Float64bits(f))} }

func floatItem(f float64) Item {
	return Item{typ: XSFloat, n: int64(math.Float64bits(float64(float32(f))))}
}

func bigItem(t Type, b *big.Int) Item {
	if b.IsInt64() {
		return Item{typ: t, n: b.Int64()}
	}
	return Item{typ: t, p: unsafe.Pointer(b)}
}

func momentItem(t Type, m moment) Item     { return Item{typ: t, p: unsafe.Pointer(&m)} }
func durationItem(t Type, d duration) Item { return Item{typ: t, p: unsafe.Pointer(&d)} }
func qnameItem(t Type, q QName) Item       { return Item{typ: t, p: unsafe.Pointer(&q)} }

// Type returns the type of the item.
func (it Item) Type() Type { return it.typ }

// IsNode reports whether the item is a node.
func (it Item) IsNode() bool { return it.typ == TypeNode }

// Node returns the node, or no node when the item is none. A namespace node has no place in the document and
// gives its element.
func (it Item) Node() dom.Node {
	if it.typ != TypeNode {
		return dom.Node{}
	}
	return it.doc().At(int(it.i))
}

func (it Item) doc() *dom.Document { return (*dom.Document)(it.p) }

// text returns the characters of a text or the octets of a binary value.
func (it Item) text() string {
	if it.n == 0 {
		return ""
	}
	return unsafe.String((*byte)(it.p), int(it.n))
}

func (it Item) truth() bool         { return it.n != 0 }
func (it Item) float() float64      { return math.Float64frombits(uint64(it.n)) }
func (it Item) moment() *moment     { return (*moment)(it.p) }
func (it Item) dur() *duration      { return (*duration)(it.p) }
func (it Item) qname() *QName       { return (*QName)(it.p) }
func (it Item) bigDec() *bigDecimal { return (*bigDecimal)(it.p) }
func (it Item) function() *function { return (*function)(it.p) }
func (it Item) mapping() *mapping   { return (*mapping)(it.p) }
func (it Item) array() *array       { return (*array)(it.p) }
func (it Item) bigInt() *big.Int {
	if it.p != nil {
		return (*big.Int)(it.p)
	}
	return big.NewInt(it.n)
}

// Bool returns the value of an xs:boolean.
func (it Item) Bool() (v, ok bool) { return it.n != 0, it.typ == XSBoolean }

// Int returns the value of an integer that fits.
func (it Item) Int() (v int64, ok bool) { return it.n, it.typ.integer() && it.p == nil }

// Float returns any numeric value as a double.
func (it Item) Float() (v float64, ok bool) {
	if !it.typ.numeric() {
		return 0, false
	}
	return toFloat(it), true
}

// String returns the string value of a node, or an atomic value cast to xs:string. Functions have none.
func (it Item) String() string {
	switch {
	case it.typ == TypeNode:
		return nodeText(it)
	case it.typ.atomic():
		return atomString(it)
	}
	return it.typ.String()
}

func nodeText(it Item) string {
	if it.n >= 0 {
		_, uri := namespaceAt(it)
		return uri
	}
	return it.Node().Text()
}

// namespaceAt returns prefix and URI of a namespace node: n counts the bindings in scope, 0 is the prefix xml.
func namespaceAt(it Item) (prefix, uri string) {
	k := it.n
	if k == 0 {
		return "xml", dom.XMLNamespace
	}
	for p, u := range it.Node().InScope() {
		if k--; k == 0 {
			return p, u
		}
	}
	return "", ""
}

// Namespaces yields the namespace nodes of an element, each with its prefix, but for that of the prefix xml.
func Namespaces(el dom.Node) iter.Seq2[string, Item] {
	return func(yield func(string, Item) bool) {
		it := NodeItem(el)
		it.n = 0
		for prefix := range el.InScope() {
			if it.n++; !yield(prefix, it) {
				return
			}
		}
	}
}

// atomize gives the typed value of an item that has exactly one: nodes are untyped, comments and processing
// instructions are strings [XDM 6].
func atomOf(it Item) Item {
	if it.typ != TypeNode {
		return it
	}
	if it.n >= 0 {
		return StringItem(nodeText(it))
	}
	n := it.Node()
	switch n.Kind() {
	case dom.CommentNode, dom.PINode:
		return StringItem(n.Text())
	}
	return UntypedItem(n.Text())
}
