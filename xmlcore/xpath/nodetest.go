package xpath

import (
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// exact reports whether the test asks for one expanded name.
func (t *nodeTest) exact() bool { return t.named && !t.anyNS && !t.anyLN && !t.typed }

// match tests a node by the numbers of names.
func (t *nodeTest) match(in *docInfo, n dom.Node) bool {
	if t.ns {
		return false
	}
	k := n.Kind()
	if t.kind != dom.NoNode && t.kind != k {
		return false
	}
	if t.named && !t.anyNS && !t.anyLN && (k == dom.ElementNode || k == dom.AttributeNode) {
		return in.ids[n.NameID()] == t.id && (!t.typed || t.typeMatches(n))
	}
	return t.matchAny(n)
}

// matchAny tests a node of any document.
func (t *nodeTest) matchAny(n dom.Node) bool {
	if t.ns || t.kind != dom.NoNode && t.kind != n.Kind() {
		return false
	}
	if t.named {
		if !t.anyLN && n.Local() != t.name.Local {
			return false
		}
		if !t.anyNS && n.Kind() != dom.PINode && n.Space() != t.name.Space {
			return false
		}
	}
	if t.typed && !t.typeMatches(n) {
		return false
	}
	if t.inner != nil {
		var only dom.Node
		for c := range n.Elements() {
			if only.Valid() {
				return false
			}
			only = c
		}
		return only.Valid() && t.inner.matchAny(only)
	}
	return true
}

// typeMatches asks for the type annotation: elements are xs:untyped, attributes xs:untypedAtomic [XDM 3.3.1].
func (t *nodeTest) typeMatches(n dom.Node) bool {
	if n.Kind() == dom.ElementNode {
		return t.typ.Local == "anyType" || t.typ.Local == "untyped"
	}
	switch t.typ.Local {
	case "anyType", "anySimpleType", "anyAtomicType", "untypedAtomic":
		return true
	}
	return false
}
