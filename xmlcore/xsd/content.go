package xsd

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// text checks character data in an element with complex content.
func (v *validator) text(n dom.Node) {
	if len(v.stack) == 0 {
		return
	}
	f := &v.stack[len(v.stack)-1]
	if n.Parent() != f.node {
		return
	}
	switch {
	case f.nilled:
		f.children = true
	case f.ct.content == elementContent:
		if b := n.Value(); !blank(b) {
			v.fail(f.node, "cvc-complex-type.2.3", "text %s is not allowed: the content of %s is elements only", quote(collapse(string(b))), quoteName(f.node)).Value = clip(string(b), 80)
		}
	case f.ct.content == emptyContent:
		v.fail(f.node, "cvc-complex-type.2.1", "%s must be empty", quoteName(f.node))
	}
}

func blank(b []byte) bool {
	for _, c := range b {
		if c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			return false
		}
	}
	return true
}

// step moves the content model of f over a child. nil means that the child cannot be judged.
func (v *validator) step(f *frame, n dom.Node, sym int32) *particle {
	switch {
	case f.nilled:
		return nil
	case f.auto == nil:
		if !f.broken {
			f.broken = true
			v.fail(n, "cvc-complex-type.2.1", "%s must be empty, found %s", quoteName(f.node), quoteName(n))
		}
		return nil
	case f.auto.all != nil:
		return v.stepAll(f, n, sym)
	}
	st := &f.auto.states[f.state]
	if sym >= 0 {
		i := findEdge(st.edges, sym)
		for ; i < len(st.edges) && st.edges[i].sym == sym; i++ {
			if e := &st.edges[i]; v.apply(f, e.ops) {
				f.state = e.to
				return f.auto.leaves[e.leaf]
			}
		}
	}
	if len(st.wild) > 0 {
		space := n.Space()
		for i := range st.wild {
			e := &st.wild[i]
			if f.auto.leaves[e.leaf].wildcard.allows(space) && v.apply(f, e.ops) {
				f.state = e.to
				return f.auto.leaves[e.leaf]
			}
		}
	}
	return v.unexpected(f, n, sym)
}

func findEdge(edges []edge, sym int32) int {
	if len(edges) <= 8 {
		for i := range edges {
			if edges[i].sym >= sym {
				return i
			}
		}
		return len(edges)
	}
	return sort.Search(len(edges), func(i int) bool { return edges[i].sym >= sym })
}

// apply checks the ops of an edge and, if they hold, counts.
func (v *validator) apply(f *frame, ops int32) bool {
	if ops == 0 {
		return true
	}
	list := f.auto.opLists[ops]
	c := v.counters[f.counters:]
	for _, o := range list {
		n := f.auto.counters[o.counter]
		if o.kind == opLeave && c[o.counter] < n.min || o.kind == opNext && n.max >= 0 && c[o.counter] >= n.max {
			return false
		}
	}
	for _, o := range list {
		n := f.auto.counters[o.counter]
		switch {
		case o.kind == opReset:
			c[o.counter] = 1
		case o.kind == opNext && (n.max >= 0 || c[o.counter] < n.min):
			c[o.counter]++
		}
	}
	return true
}

// unexpected complains about a child that the content model does not allow here, and goes on where it would have been
// right.
func (v *validator) unexpected(f *frame, n dom.Node, sym int32) *particle {
	if !f.broken {
		f.broken = true
		names := v.expected(f)
		text := "nothing more is expected"
		rule := "cvc-complex-type.2.4.d"
		if len(names) > 0 {
			text, rule = "expected is "+oneOf(names), "cvc-complex-type.2.4.a"
		}
		x := v.fail(n, rule, "%s is not allowed here; %s", quoteName(n), text)
		x.Expected = names
	}
	if sym < 0 {
		return nil
	}
	if e, ok := f.auto.anywhere[sym]; ok {
		f.state = e.to
		return f.auto.leaves[e.leaf]
	}
	return nil
}

func oneOf(names []string) string {
	const most = 8
	var out []string
	for i, q := range names {
		if i == most {
			out = append(out, fmt.Sprintf("... (%d in all)", len(names)))
			break
		}
		if j := strings.LastIndexByte(q, '}'); j >= 0 {
			q = q[j+1:]
		}
		out = append(out, q)
	}
	if len(out) == 1 {
		return out[0]
	}
	return "one of " + strings.Join(out, ", ")
}

// expected lists what could come next.
func (v *validator) expected(f *frame) []string {
	var out []string
	add := func(s string) {
		if !slices.Contains(out, s) && len(out) < 200 {
			out = append(out, s)
		}
	}
	if f.auto.all != nil {
		for i, p := range f.auto.leaves {
			if !f.seen[i] {
				add(p.element.name.String())
			}
		}
		return out
	}
	st := &f.auto.states[f.state]
	edges := slices.Clone(st.edges)
	slices.SortStableFunc(edges, func(a, b edge) int { return int(a.leaf - b.leaf) })
	for _, e := range edges {
		if v.possible(f, e.ops) {
			add(v.s.names[e.sym].String())
		}
	}
	for _, e := range st.wild {
		if v.possible(f, e.ops) {
			add(f.auto.leaves[e.leaf].wildcard.String())
		}
	}
	return out
}

func (v *validator) possible(f *frame, ops int32) bool {
	for _, o := range f.auto.opLists[ops] {
		n, c := f.auto.counters[o.counter], v.counters[f.counters:]
		if o.kind == opLeave && c[o.counter] < n.min || o.kind == opNext && n.max >= 0 && c[o.counter] >= n.max {
			return false
		}
	}
	return true
}

func (v *validator) stepAll(f *frame, n dom.Node, sym int32) *particle {
	i, ok := f.auto.all.bySym[sym]
	if !ok || sym < 0 || f.seen[i] {
		if !f.broken {
			f.broken = true
			names := v.expected(f)
			rule, text := "cvc-complex-type.2.4.d", "nothing more is expected"
			if len(names) > 0 {
				rule, text = "cvc-complex-type.2.4.a", "expected is "+oneOf(names)
			}
			v.fail(n, rule, "%s is not allowed here; %s", quoteName(n), text).Expected = names
		}
		if !ok || sym < 0 {
			return nil
		}
	}
	f.seen[i] = true
	return f.auto.leaves[i]
}

// pop ends an element.
func (v *validator) pop() {
	f := &v.stack[len(v.stack)-1]
	switch {
	case f.nilled:
		if f.children {
			v.fail(f.node, "cvc-elt.3.2.1", "%s is nil and must be empty", quoteName(f.node))
		}
	case f.auto != nil && !f.broken && !v.accepts(f):
		names := v.expected(f)
		v.fail(f.node, "cvc-complex-type.2.4.b", "%s is not complete; expected is %s", quoteName(f.node), oneOf(names)).Expected = names
	case f.decl != nil && f.decl.value != nil && f.ct.content == mixedContent:
		v.mixedFixed(f)
	}
	v.counters = v.counters[:f.counters]
	n, decl := f.node, f.decl
	if v.s.constraints && v.limit == nil {
		v.constraints(n, decl, f.tables)
	}
	v.stack = v.stack[:len(v.stack)-1]
}

func (v *validator) mixedFixed(f *frame) {
	if !f.decl.fixed {
		return
	}
	if f.children {
		v.fail(f.node, "cvc-elt.5.2.2.1", "%s has a fixed value and no elements", quoteName(f.node))
		return
	}
	if s := f.node.Text(); f.node.FirstChild().Valid() && s != "" && s != *f.decl.value {
		v.fail(f.node, "cvc-elt.5.2.2.2.1", "%s must be %s", quoteName(f.node), quote(*f.decl.value))
	}
}

func (v *validator) accepts(f *frame) bool {
	if a := f.auto.all; a != nil {
		any := false
		missing := false
		for i, req := range a.required {
			any = any || f.seen[i]
			missing = missing || req && !f.seen[i]
		}
		return !missing || a.optional && !any
	}
	for _, ops := range f.auto.states[f.state].accept {
		if ops == 0 || v.possible(f, ops) {
			return true
		}
	}
	return false
}
