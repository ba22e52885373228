package xsd

import (
	"fmt"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

func (v *validator) noAttributes(n dom.Node) {
	for a := range n.Attributes() {
		if !isInstanceAttribute(a) {
			v.fail(n, "cvc-type.3.1.1", "attribute %s is not allowed: the type of %s is simple", quote(a.QName()), quoteName(n))
		}
	}
}

func isInstanceAttribute(a dom.Node) bool {
	if a.Space() != InstanceNamespace {
		return false
	}
	switch a.Local() {
	case "type", "nil", "schemaLocation", "noNamespaceSchemaLocation":
		return true
	}
	return false
}

// attributes checks those of an element with a complex type [XSD1 3.4.4].
func (v *validator) attributes(n dom.Node, ct *complexType) {
	count := n.NumAttributes()
	required, wildIDs := 0, 0
	first := n.Index() + 1
	for i := first; i < first+count; i++ {
		a := v.d.At(i)
		sym := v.sym(a)
		if u := ct.byName[sym]; u != nil && sym >= 0 {
			if u.required {
				required++
			}
			val, ok := v.value(a, n, u.attr.typ, u.constraintFixed())
			if want, fixed := u.constraintValue(); ok && fixed && want != nil && val.key() != u.fixedValue.key() {
				v.fail(n, "cvc-attribute.4", "attribute %s must be %s, not %s", quote(a.QName()), quote(*want), quote(string(a.Value()))).Value = clip(string(a.Value()), 80)
			}
			continue
		}
		if isInstanceAttribute(a) {
			continue
		}
		if ct.wildcard == nil || !ct.wildcard.allows(a.Space()) {
			v.fail(n, "cvc-complex-type.3.2.2", "attribute %s is not allowed in %s", quote(a.QName()), quoteName(n))
			continue
		}
		if ct.wildcard.process == skip {
			continue
		}
		decl := v.s.attributes[sym]
		if decl == nil || sym < 0 {
			if ct.wildcard.process == strict {
				v.fail(n, "cvc-complex-type.3.2.2", "there is no declaration of attribute %s", quote(a.QName()))
			}
			continue
		}
		if isID(decl.typ) {
			if wildIDs++; wildIDs > 1 {
				v.fail(n, "cvc-complex-type.5.1", "attribute %s is the second one of type ID", quote(a.QName()))
			}
			for _, u := range ct.attrs {
				if isID(u.attr.typ) {
					v.fail(n, "cvc-complex-type.5.2", "attribute %s is the second one of type ID", quote(a.QName()))
				}
			}
		}
		val, ok := v.value(a, n, decl.typ, decl.fixed)
		if ok && decl.fixed {
			want, _ := decl.typ.check(*decl.value, &input{node: decl.node}, true)
			if val.key() != want.key() {
				v.fail(n, "cvc-attribute.4", "attribute %s must be %s", quote(a.QName()), quote(*decl.value))
			}
		}
	}
	for _, u := range ct.refDefaults {
		if !n.Attribute(u.attr.name.space, u.attr.name.local).Valid() {
			dflt, _ := u.constraintValue()
			v.checked(*dflt, n, u.attr.typ, subject{node: n, dflt: u}, false)
		}
	}
	if required < ct.must {
		for _, u := range ct.attrs {
			if u.required && !n.Attribute(u.attr.name.space, u.attr.name.local).Valid() {
				v.fail(n, "cvc-complex-type.4", "attribute %s is missing in %s", quote(u.attr.name.String()), quoteName(n))
			}
		}
	}
}

func (u *attributeUse) constraintFixed() bool {
	v, fixed := u.constraintValue()
	return v != nil && fixed
}

// value checks an attribute.
func (v *validator) value(a, at dom.Node, t *simpleType, want bool) (value, bool) {
	if v.r.assessed != nil {
		v.r.assessed[a.Index()] = assessment{typ: t}
	}
	return v.checked(view(a.Value()), at, t, subject{node: a}, want)
}

// subject is whose value is checked: an attribute, the default of one, or an element.
type subject struct {
	node dom.Node
	dflt *attributeUse
}

func (s subject) String() string {
	switch {
	case s.dflt != nil:
		return "default of attribute " + quote(s.dflt.attr.name.local)
	case s.node.Kind() == dom.AttributeNode:
		return "attribute " + quoteName(s.node)
	}
	return quoteName(s.node)
}

// checked validates a text and keeps its identifiers.
func (v *validator) checked(raw string, at dom.Node, t *simpleType, what subject, want bool) (value, bool) {
	v.in.node = at
	v.in.ids, v.in.idrefs = v.in.ids[:0], v.in.idrefs[:0]
	val, bad := t.check(raw, &v.in, want)
	if v.in.limit != nil {
		line, _ := at.Pos()
		v.limit = fmt.Errorf("xsd: line %d: %w: %w", line, ErrLimit, v.in.limit)
		return val, false
	}
	if bad != nil {
		v.fail(at, bad.rule, "%s: %s", what, bad.text).Value = clip(raw, 80)
		return val, false
	}
	for _, id := range v.in.ids {
		if v.ids == nil {
			v.ids = map[string]bool{}
		}
		if v.ids[id] {
			v.fail(at, "cvc-id.2", "identifier %s occurs twice", quote(id))
		}
		v.ids[id] = true
	}
	for _, id := range v.in.idrefs {
		v.refs = append(v.refs, reference{id, at})
	}
	return val, true
}

// simpleContent checks an element whose content is a value.
func (v *validator) simpleContent(n dom.Node, decl *element, t *simpleType, ct *complexType, nilled bool) {
	defer v.leave(n, decl)
	first := n.FirstChild()
	if nilled {
		for c := first; c.Valid(); c = c.NextSibling() {
			if c.Kind() == dom.TextNode || c.Kind() == dom.ElementNode {
				v.fail(n, "cvc-elt.3.2.1", "%s is nil and must be empty", quoteName(n))
				return
			}
		}
		return
	}
	raw := ""
	switch {
	case !first.Valid():
	case first.Kind() == dom.TextNode && first.End() == n.End():
		raw = view(first.Value())
	default:
		if e := n.FirstElement(); e.Valid() {
			rule := "cvc-type.3.1.2"
			if ct != nil {
				rule = "cvc-complex-type.2.2"
			}
			v.fail(n, rule, "%s holds a value and no elements, found %s", quoteName(n), quoteName(e))
			return
		}
		raw = n.Text()
	}
	if raw == "" && decl != nil && decl.value != nil {
		raw = *decl.value
		if v.r.assessed != nil {
			v.r.assessed[n.Index()].dflt = decl.value
		}
		if decl.typ != typeDef(t) && decl.typ != typeDef(ct) {
			v.checked(raw, n, t, subject{node: n}, false)
		}
		return
	}
	fixed := decl != nil && decl.fixed
	val, ok := v.checked(raw, n, t, subject{node: n}, fixed)
	if ok && fixed {
		if want, bad := t.check(*decl.value, &input{node: decl.node, notated: v.in.notated}, true); bad == nil && want.key() != val.key() {
			v.fail(n, "cvc-elt.5.2.2.2.2", "%s must be %s, not %s", quoteName(n), quote(*decl.value), quote(raw)).Value = clip(raw, 80)
		}
	}
}

// leave evaluates the constraints of an element without a frame.
func (v *validator) leave(n dom.Node, decl *element) {
	if v.s.constraints && v.limit == nil && decl != nil && len(decl.constraints) > 0 {
		v.constraints(n, decl, nil)
	}
}
