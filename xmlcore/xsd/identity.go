package xsd

import (
	"fmt"
	"strconv"
	"strings"
	"unsafe"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// view views octets that the document keeps and never changes.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// keyTable holds the keys that a key or unique found, for keyrefs further up [XSD1 3.11.5].
type keyTable struct {
	rows map[string]int // key sequence to node; negative for one that occurs with two nodes below
}

// constraints evaluates what decl asks for at the end of n, and hands the tables that keyrefs need to the parent.
func (v *validator) constraints(n dom.Node, decl *element, tables map[*constraint]*keyTable) {
	if decl != nil {
		for _, k := range decl.constraints {
			if k.kind == keyrefKind {
				continue
			}
			own := v.keys(n, k)
			if !v.s.referred[k] {
				continue
			}
			if tables == nil {
				tables = map[*constraint]*keyTable{}
			}
			if below := tables[k]; below != nil { // own rows hide those from below
				for key, at := range below.rows {
					if _, ok := own[key]; !ok {
						own[key] = at
					}
				}
			}
			tables[k] = &keyTable{own}
		}
		for _, k := range decl.constraints {
			if k.kind == keyrefKind && k.refer != nil {
				v.keyrefs(n, k, tables[k.refer])
			}
		}
	}
	if len(tables) == 0 || len(v.stack) < 1 {
		return
	}
	parent := len(v.stack) - 1
	if v.stack[parent].node == n {
		if parent--; parent < 0 {
			return
		}
	}
	p := &v.stack[parent]
	if p.tables == nil {
		p.tables = tables
		return
	}
	for k, t := range tables {
		old := p.tables[k]
		if old == nil {
			p.tables[k] = t
			continue
		}
		if len(old.rows) < len(t.rows) {
			old, t = t, old
			p.tables[k] = old
		}
		for key, at := range t.rows {
			v.work(1, n)
			if o, ok := old.rows[key]; ok && o != at {
				at = -1
			}
			old.rows[key] = at
		}
	}
}

func (v *validator) work(steps int, n dom.Node) {
	if v.steps += steps; v.steps > v.opt.Steps && v.limit == nil {
		line, _ := n.Pos()
		v.limit = fmt.Errorf("xsd: line %d: identity constraints need more than %d steps: %w", line, v.opt.Steps, ErrLimit)
	}
}

// keys evaluates a key or unique.
func (v *validator) keys(n dom.Node, k *constraint) map[string]int {
	rows := map[string]int{}
	v.selected(n, k.selector, func(s dom.Node) {
		key, text, complete := v.sequence(s, k)
		if !complete {
			return
		}
		if o, ok := rows[key]; ok && o != s.Index() {
			rule := "cvc-identity-constraint.4.1"
			if k.kind == keyKind {
				rule = "cvc-identity-constraint.4.2.2"
			}
			line, _ := v.d.At(o).Pos()
			v.fail(s, rule, "%s of %s occurs twice, first on line %d", quote(text), k.name.local, line).Value = clip(text, 80)
			return
		}
		rows[key] = s.Index()
	})
	return rows
}

func (v *validator) keyrefs(n dom.Node, k *constraint, t *keyTable) {
	v.selected(n, k.selector, func(s dom.Node) {
		key, text, complete := v.sequence(s, k)
		if !complete {
			return
		}
		if t != nil {
			if at, ok := t.rows[key]; ok && at >= 0 {
				return
			}
		}
		v.fail(s, "cvc-identity-constraint.4.3", "%s of %s is not among the keys of %s", quote(text), k.name.local, k.refer.name.local).Value = clip(text, 80)
	})
}

// sequence evaluates the fields of a selected node.
func (v *validator) sequence(s dom.Node, k *constraint) (key, text string, complete bool) {
	var b, t strings.Builder
	complete = true
	for i, f := range k.fields {
		at, many := v.field(s, f)
		switch {
		case many:
			v.fail(s, "cvc-identity-constraint.3", "field %d of %s selects more than one node", i+1, k.name.local)
			return "", "", false
		case !at.node.Valid():
			if k.kind == keyKind {
				v.fail(s, "cvc-identity-constraint.4.2.1.a", "field %d of key %s is missing", i+1, k.name.local)
			}
			complete = false
			continue
		}
		one, raw, ok := v.fieldValue(s, at, k, i)
		if !ok {
			complete = false
			continue
		}
		b.WriteString(strconv.Itoa(len(one)))
		b.WriteByte(':')
		b.WriteString(one)
		if i > 0 {
			t.WriteString(", ")
		}
		t.WriteString(raw)
	}
	return b.String(), t.String(), complete
}

func (v *validator) fieldValue(s dom.Node, h hit, k *constraint, i int) (key, raw string, ok bool) {
	if h.use != nil {
		dflt, _ := h.use.constraintValue()
		val, bad := h.use.attr.typ.check(*dflt, &input{node: h.use.node}, true)
		return val.key(), *dflt, bad == nil
	}
	at := h.node
	a := v.r.assessed[at.Index()]
	var t *simpleType
	switch typ := a.typ.(type) {
	case *simpleType:
		t = typ
	case *complexType:
		if typ.content != simpleContent {
			v.fail(s, "cvc-id.3", "field %d of %s selects %s, which has no simple type", i+1, k.name.local, quoteName(at))
			return "", "", false
		}
		t = typ.simple
	default: // an attribute that is not allowed: there, but without a value that could be compared
		return "", "", false
	}
	if at.Kind() == dom.ElementNode {
		if a.decl != nil && a.decl.nillable && k.kind == keyKind {
			v.fail(s, "cvc-identity-constraint.4.2.3", "field %d of key %s selects %s, which is nillable", i+1, k.name.local, quoteName(at))
			return "", "", false
		}
		if nilled, _ := at.AttrNS(InstanceNamespace, "nil"); isTrue(nilled) {
			return "", "", false
		}
	}
	if raw = at.Text(); a.dflt != nil {
		raw = *a.dflt
	}
	node := at
	if at.Kind() == dom.AttributeNode {
		node = at.Parent()
	}
	val, bad := t.check(raw, &input{node: node}, true)
	if bad != nil {
		return "", "", false // that was complained about already
	}
	v.work(1+len(raw)/16, s)
	return val.key(), raw, true
}

// selected yields the nodes of a selector, each once.
func (v *validator) selected(n dom.Node, paths []xpath, do func(dom.Node)) {
	var seen map[int]bool
	if len(paths) > 1 {
		seen = map[int]bool{}
	}
	for i := range paths {
		v.walk(n, &paths[i], func(s dom.Node) {
			if seen != nil {
				if seen[s.Index()] {
					return
				}
				seen[s.Index()] = true
			}
			if !v.full && v.limit == nil && v.r.assessed[s.Index()].typ != nil { // what was skipped has no values
				do(s)
			}
		})
	}
}

// walk yields the elements at the end of a path.
func (v *validator) walk(n dom.Node, p *xpath, do func(dom.Node)) {
	if !p.deep {
		v.children(n, p.steps, do)
		return
	}
	end := n.End()
	v.work((end-n.Index())*(1+len(p.steps)/4), n)
	for i := n.Index(); i < end && v.limit == nil; i++ {
		e := v.d.At(i)
		if e.Kind() == dom.ElementNode && endsPath(e, n, p.steps) {
			do(e)
		}
	}
}

// endsPath reports whether the steps lead to e from scope or an element below it.
func endsPath(e, scope dom.Node, steps []step) bool {
	for i := len(steps) - 1; i >= 0; i-- {
		if e == scope || !steps[i].matches(e) {
			return false
		}
		e = e.Parent()
	}
	return true
}

func (v *validator) children(n dom.Node, steps []step, do func(dom.Node)) {
	if len(steps) == 0 {
		do(n)
		return
	}
	for e := n.FirstElement(); e.Valid() && v.limit == nil; e = e.NextElement() {
		v.work(1, n)
		if steps[0].matches(e) {
			v.children(e, steps[1:], do)
		}
	}
}

// hit is what a field selects: a node, or the default of an attribute that its element e lacks.
type hit struct {
	node dom.Node
	use  *attributeUse
}

// field evaluates a field; many says that it selects more than one node.
func (v *validator) field(s dom.Node, paths []xpath) (at hit, many bool) {
	found := func(h hit) {
		many = many || at.node.Valid() && at != h
		at = h
	}
	for i := range paths {
		p := &paths[i]
		v.walk(s, p, func(e dom.Node) {
			if v.r.assessed[e.Index()].typ == nil {
				return
			}
			if p.attr == nil {
				found(hit{e, nil})
				return
			}
			any := false
			for a := range e.Attributes() {
				if p.attr.matches(a) {
					any = true
					found(hit{a, nil})
				}
			}
			if t, ok := v.r.assessed[e.Index()].typ.(*complexType); ok && !any {
				for _, u := range t.attrs {
					if val, _ := u.constraintValue(); val != nil && (p.attr.any || u.attr.name == qname{p.attr.space, p.attr.local}) {
						found(hit{e, u})
					}
				}
			}
		})
	}
	return at, many
}
