package xpath

import "github.com/viadukt-eu/viadukt/xmlcore/dom"

// Way names nodes by the names on the way to them: elements, and at the end perhaps an attribute.
type Way struct {
	Start     Start
	Up        int     // with FromNode: how many parents to go up first
	Names     []int32 // in the pool of names
	Attribute bool    // the last name is that of an attribute
}

// Start says where a Way begins.
type Start uint8

// The first name of a way is that of a child of the context node, of the document node, or of a node anywhere in the document.
const (
	FromNode Start = iota
	FromRoot
	Anywhere
)

// Needs returns the ways one of which must lead to a node for the effective boolean value to be v. Where none does, the
// value is the other one for sure, and no error can arise: the expression need not be evaluated for a context item that is a node. ok is
// false when nothing of this kind can be told.
func (e *Expr) Needs(v bool) (ways []Way, ok bool) {
	return (&needs{coll: e.coll}).truth(e.ast, v)
}

// Needs is [Expr.Needs] for one of the Branches to match; the ways begin at the node that is matched.
func (p *Pattern) Needs(i int) (ways []Way, ok bool) {
	b := p.branches[i]
	if len(b.steps) == 0 {
		return nil, false
	}
	s := b.steps[len(b.steps)-1]
	if s.counts {
		return nil, false
	}
	n := &needs{coll: p.x.coll}
	for _, q := range s.step.preds {
		e := q.code.e
		if q.named || !q.truth || e == nil {
			continue
		}
		if ways, ok := n.truth(e, true); ok {
			return ways, true
		}
		if !n.safe(e) {
			break
		}
	}
	return nil, false
}

// needs finds out what a value needs. Its methods answer for an expression in whose context node no given way leads anywhere.
type needs struct{ coll collation }

// truth finds the ways without which the effective boolean value is !v.
func (n *needs) truth(e *expr, v bool) ([]Way, bool) {
	switch e.kind {
	case xSequence:
		if len(e.kids) == 1 {
			return n.truth(e.kids[0], v)
		}
	case xAnd, xOr:
		if v == (e.kind == xOr) { // each has to be !v
			return n.every(e.kids, func(k *expr) ([]Way, bool) { return n.truth(k, v) })
		}
		for _, k := range e.kids { // they are evaluated from the left until one decides
			if ways, ok := n.truth(k, v); ok {
				return ways, true
			}
			if !n.safe(k) {
				break
			}
		}
		return nil, false
	case xSome, xEvery:
		if v == (e.kind == xSome) {
			return n.nothing(e.kids[0])
		}
		return nil, false
	case xIf:
		for _, yes := range []bool{true, false} { // without the ways the condition is not what it takes, and the other branch decides
			if ways, ok := n.truth(e.kids[0], yes); ok {
				other := e.kids[1]
				if yes {
					other = e.kids[2]
				}
				more, ok := n.truth(other, v)
				return append(ways, more...), ok
			}
		}
		return nil, false
	case xGeneral:
		return n.compare(e, v)
	case xValue:
		if v {
			return n.eitherNothing(e)
		}
		return nil, false
	case xCall:
		if e.fn == nil || e.name.Space != FunctionSpace {
			break
		}
		switch e.fn.name {
		case "not":
			return n.truth(e.kids[0], !v)
		case "boolean":
			return n.truth(e.kids[0], v)
		case "exists", "empty":
			if v == (e.fn.name == "exists") {
				return n.nothing(e.kids[0])
			}
			return nil, false
		case "true", "false":
			return nil, v != (e.fn.name == "true")
		case "contains", "starts-with", "ends-with":
			if part := e.kids[1]; len(e.kids) == 2 && n.coll == nil && part.kind == xLiteral && part.val.typ == XSString && v == (part.val.n > 0) {
				return n.blank(e.kids[0])
			}
			return nil, false
		}
	}
	if v {
		return n.nothing(e)
	}
	return nil, false
}

func (n *needs) every(es []*expr, f func(*expr) ([]Way, bool)) (all []Way, ok bool) {
	for _, k := range es {
		ways, ok := f(k)
		if !ok {
			return nil, false
		}
		all = append(all, ways...)
	}
	return all, true
}

// compare is truth for a general comparison.
func (n *needs) compare(e *expr, v bool) ([]Way, bool) {
	a, b := e.kids[0], e.kids[1]
	if v {
		if ways, ok := n.nothing(a); ok {
			return ways, true
		}
		if ways, ok := n.nothing(b); ok && n.safe(a) {
			return ways, true
		}
	}
	x, ways, ok := n.value(a)
	if !ok {
		return nil, false
	}
	y, more, ok := n.value(b)
	if !ok || x.typ != y.typ || x.typ == XSString && n.coll != nil {
		return nil, false
	}
	c := 0
	switch x.typ {
	case XSString:
		if x.text() < y.text() {
			c = -1
		} else if x.text() > y.text() {
			c = 1
		}
	case XSInteger:
		if x.n < y.n {
			c = -1
		} else if x.n > y.n {
			c = 1
		}
	default:
		return nil, false
	}
	return append(ways, more...), e.cmp.holds(c) != v
}

// nothing finds the ways without which the value is empty.
func (n *needs) nothing(e *expr) ([]Way, bool) {
	switch e.kind {
	case xSequence, xUnion:
		return n.every(e.kids, n.nothing)
	case xFilter, xFor:
		return n.nothing(e.kids[0])
	case xStep, xPath:
		return n.path(e)
	case xArith:
		return n.eitherNothing(e)
	case xCall:
		if e.fn == nil || len(e.kids) != 1 {
			return nil, false
		}
		if e.name.Space == SchemaSpace {
			return n.nothing(e.kids[0])
		}
		if e.name.Space == FunctionSpace {
			switch e.fn.name {
			case "round", "abs", "floor", "ceiling", "data", "distinct-values", "reverse":
				return n.nothing(e.kids[0])
			}
		}
	}
	return nil, false
}

// eitherNothing finds the ways without which an operand is empty, and with it the value, while the other operand makes no error.
func (n *needs) eitherNothing(e *expr) ([]Way, bool) {
	for i, k := range e.kids {
		if ways, ok := n.nothing(k); ok && n.safe(e.kids[1-i]) {
			return ways, true
		}
	}
	return nil, false
}

// value finds the ways without which the value is one string or integer.
func (n *needs) value(e *expr) (Item, []Way, bool) {
	switch e.kind {
	case xSequence:
		if len(e.kids) == 1 {
			return n.value(e.kids[0])
		}
	case xLiteral:
		if e.val.typ == XSString || e.val.typ == XSInteger && e.val.p == nil {
			return e.val, nil, true
		}
	case xCall:
		if e.fn == nil || e.name.Space != FunctionSpace || len(e.kids) == 0 {
			break
		}
		switch e.fn.name {
		case "count", "sum":
			if len(e.kids) == 1 {
				ways, ok := n.nothing(e.kids[0])
				return IntegerItem(0), ways, ok
			}
		case "string-length":
			if ways, ok := n.blank(e.kids[0]); ok {
				return IntegerItem(0), ways, ok
			}
		}
		if ways, ok := n.blank(e); ok {
			return StringItem(""), ways, true
		}
	}
	return Item{}, nil, false
}

// blank finds the ways without which the value, wanted as a string, is the empty one.
func (n *needs) blank(e *expr) ([]Way, bool) {
	if e.kind == xCall && e.fn != nil && e.name.Space == FunctionSpace && len(e.kids) > 0 {
		switch e.fn.name {
		case "normalize-space", "upper-case", "lower-case", "string":
			return n.blank(e.kids[0])
		case "substring-after", "substring-before":
			if k := e.kids[1]; len(e.kids) == 2 && k.kind == xLiteral && k.val.typ == XSString && n.coll == nil {
				return n.blank(e.kids[0])
			}
			return nil, false
		}
	}
	return n.nothing(e)
}

// path finds the way that the steps go by as long as they are names.
func (n *needs) path(e *expr) ([]Way, bool) {
	parts := []*expr{e}
	if e.kind == xPath {
		parts = e.kids
	}
	var w Way
	ways := []Way{w}
	i := 0
	switch p := parts[0]; {
	case p.kind == xRoot:
		i, ways[0].Start = 1, FromRoot
		if len(parts) > 1 && parts[1].kind == xStep && parts[1].axis == axisDescendantOrSelf && parts[1].test == (nodeTest{}) && len(parts[1].kids) == 0 {
			i, ways[0].Start = 2, Anywhere
		}
	case p.kind == xUnion, p.kind == xSequence:
		all, ok := n.nothing(p)
		if !ok {
			return nil, false
		}
		if n.plain(p) {
			ways = all
			i = 1
		} else {
			return all, true
		}
	}
	for ; i < len(parts); i++ {
		p := parts[i]
		for p.kind == xSequence && len(p.kids) == 1 {
			p = p.kids[0]
		}
		if p.kind == xUnion && i > 0 && n.plain(p) { // ways that begin at each of those before
			tails, ok := n.nothing(p)
			if !ok {
				break
			}
			var all []Way
			for _, w := range ways {
				for _, t := range tails {
					if t.Start != FromNode || t.Up > 0 || w.Attribute {
						return n.told(ways)
					}
					all = append(all, Way{w.Start, w.Up, append(append([]int32(nil), w.Names...), t.Names...), t.Attribute})
				}
			}
			ways = all
			continue
		}
		if p.kind != xStep {
			break
		}
		if p.axis == axisParent && (p.test == nodeTest{}) && len(p.kids) == 0 && len(ways) == 1 && len(ways[0].Names) == 0 && ways[0].Start == FromNode {
			ways[0].Up++
			continue
		}
		if p.axis == axisSelf && (p.test == nodeTest{}) && len(p.kids) == 0 {
			continue
		}
		element := p.axis == axisChild && p.test.kind == dom.ElementNode
		attribute := p.axis == axisAttribute && p.test.kind == dom.AttributeNode
		if !element && !attribute || !p.test.exact() || ways[0].Attribute {
			break
		}
		for j := range ways {
			ways[j].Names = append(ways[j].Names[:len(ways[j].Names):len(ways[j].Names)], p.test.id)
			ways[j].Attribute = attribute
		}
		if len(p.kids) > 0 {
			break
		}
	}
	return n.told(ways)
}

func (n *needs) told(ways []Way) ([]Way, bool) {
	for _, w := range ways {
		if len(w.Names) == 0 {
			return nil, false
		}
	}
	return ways, true
}

// plain reports whether an expression is names alone, without predicates, so that its ways go to the end of it.
func (n *needs) plain(e *expr) bool {
	switch e.kind {
	case xStep:
		return len(e.kids) == 0 && e.test.exact() && (e.axis == axisChild && e.test.kind == dom.ElementNode || e.axis == axisAttribute && e.test.kind == dom.AttributeNode)
	case xPath, xUnion, xSequence:
		for _, k := range e.kids {
			if !n.plain(k) {
				return false
			}
		}
		return len(e.kids) > 0
	}
	return false
}

// safe reports whether an expression, and its effective boolean value, can be had without an error whatever the document holds.
func (n *needs) safe(e *expr) bool {
	switch e.kind {
	case xLiteral:
		return e.val.typ.text() || e.val.typ.numeric()
	case xAnd, xOr:
		return n.safeAll(e.kids)
	case xGeneral:
		return n.texts(e.kids[0]) && n.texts(e.kids[1])
	case xCall:
		if e.fn == nil || e.name.Space != FunctionSpace {
			return false
		}
		switch e.fn.name {
		case "true", "false":
			return true
		case "not", "boolean", "exists", "empty":
			return n.safe(e.kids[0])
		case "count":
			return n.nodes(e.kids[0])
		}
		return false
	case xSequence:
		if len(e.kids) == 1 {
			return n.safe(e.kids[0])
		}
		return false
	}
	return n.nodes(e)
}

func (n *needs) safeAll(es []*expr) bool {
	for _, k := range es {
		if !n.safe(k) {
			return false
		}
	}
	return true
}

// nodes reports whether an expression selects nodes and nothing else, without an error.
func (n *needs) nodes(e *expr) bool {
	switch e.kind {
	case xStep:
		for _, k := range e.kids {
			if !n.safe(k) || k.kind == xLiteral || k.kind == xCall && k.fn.name == "count" {
				return false // a number would be a position
			}
		}
		return true
	case xRoot, xContext:
		return true
	case xPath, xUnion:
		for _, k := range e.kids {
			if !n.nodes(k) {
				return false
			}
		}
		return true
	case xSequence:
		return len(e.kids) == 1 && n.nodes(e.kids[0])
	}
	return false
}

// texts reports whether an expression gives nodes or strings, which compare with one another without an error.
func (n *needs) texts(e *expr) bool {
	switch e.kind {
	case xLiteral:
		return e.val.typ == XSString
	case xSequence:
		for _, k := range e.kids {
			if !n.texts(k) {
				return false
			}
		}
		return true
	}
	return n.nodes(e)
}
