package xpath

import "github.com/viadukt-eu/viadukt/xmlcore/dom"

// kind says what a part of an expression is.
type kind uint8

const (
	xLiteral  kind = iota // val
	xVar                  // local: slot; global: slot with global
	xContext              // .
	xRoot                 // leading /
	xStep                 // axis, test, predicates in kids
	xPath                 // kids joined by /
	xFilter               // kids[0] with predicates
	xSequence             // comma; no kids: ()
	xCall                 // name, kids: a function found in fn or user
	xGeneral              // cmp
	xValue                // cmp
	xIs                   // is
	xBefore               // <<
	xAfter                // >>
	xArith                // arith
	xNegate
	xPlus
	xAnd
	xOr
	xUnion
	xIntersect
	xExcept
	xRange
	xIf
	xFor   // kids: source, body
	xLet   // kids: value, body
	xSome  // kids: source, body
	xEvery // kids: source, body
	xInstance
	xTreat
	xCastable
	xCast
	xCastableList // to a list type; typ is that of a member
	xCastList
	xConcat // ||
	xBang   // !
	xFunctionRef
	xInline
	xDynamicCall
	xMapMake // kids: key, value, ...
	xArrayMake
	xArrayCurly
	xLookup // kids: operand, key; unary: kids[0] is xContext
	xPlaceholder
	xKeyAll // the * of a lookup
)

// expr is a part of an expression as parsed, its names resolved.
type expr struct {
	kind     kind
	pos, end int
	kids     []*expr
	val      Item
	name     QName
	slot     int
	global   bool
	known    Sequence // of a variable whose value is known
	axis     axis
	test     nodeTest
	cmp      comparison
	arith    arithmetic
	st       *SequenceType // instance of, treat as; result of an inline function
	typ      Type          // cast as, castable as
	optional bool          // cast as T?
	fn       *builtin
	user     *Function
	params   []param // of an inline function
}

type param struct {
	name QName
	slot int
	st   *SequenceType
}

type axis uint8

const (
	axisChild axis = iota
	axisDescendant
	axisAttribute
	axisSelf
	axisDescendantOrSelf
	axisFollowingSibling
	axisFollowing
	axisNamespace
	axisParent
	axisAncestor
	axisPrecedingSibling
	axisPreceding
	axisAncestorOrSelf
	axisAttributeBelow // the attributes of a node and of its descendants: what //@x comes to
)

var axes = map[string]axis{
	"child": axisChild, "descendant": axisDescendant, "attribute": axisAttribute, "self": axisSelf,
	"descendant-or-self": axisDescendantOrSelf, "following-sibling": axisFollowingSibling, "following": axisFollowing,
	"namespace": axisNamespace, "parent": axisParent, "ancestor": axisAncestor, "preceding-sibling": axisPrecedingSibling,
	"preceding": axisPreceding, "ancestor-or-self": axisAncestorOrSelf,
}

// nodeTest is what a step, a sequence type or a pattern asks of a node.
type nodeTest struct {
	kind  dom.Kind // NoNode: any kind
	ns    bool     // namespace nodes
	named bool     // name must agree
	anyNS bool     // *:local
	anyLN bool     // p:*
	name  QName
	id    int32     // in the pool of names when both parts are given
	inner *nodeTest // document-node(element(...))
	typ   QName     // element(n, type)
	typed bool
}

// SequenceType is a type that a value is matched with [XPath20 2.5.3].
type SequenceType struct {
	empty  bool // empty-sequence()
	occurs byte // 0 exactly one, or ? * +
	typ    Type
	test   nodeTest        // when typ is TypeNode
	params []*SequenceType // function(a, b) as r; map(k, v); array(m)
	result *SequenceType
	typed  bool // function, map or array with parameters
	text   string
}

// String returns the type as it was written.
func (s *SequenceType) String() string { return s.text }
