package xpath

import (
	"fmt"
	"strings"
)

// maxRemembered is the longest step, in octets of source, whose nodes are kept.
const maxRemembered = 2000

// remembered reports whether what a step selects below the root depends on the document alone and costs more than a
// list of names. Rules ask for such nodes again and again.
func (s *step) remembered() bool {
	if len(s.preds) == 0 || s.axis != axisDescendant {
		return false
	}
	for _, q := range s.preds {
		if q.code.deps&^(needsFocus|needsPos|needsLast) != 0 {
			return false
		}
	}
	return true
}

// remember makes code of a step below the root that keeps its nodes for the document, under what it asks for.
func (c *compiler) remember(s *step, e *expr) *code {
	w := walker{steps: []*step{s}}
	id := c.x.names.memo(fmt.Sprintf("%s %d %s", c.env.Collation, s.axis, e.canonical()))
	k := &code{typ: TypeNode, sorted: true, deps: needsFocus, push: func(m *machine) {
		it := m.node()
		in := m.infoFor(it.doc())
		for int(id) >= len(in.memo) {
			in.memo = append(in.memo, kept{})
		}
		if k := &in.memo[id]; k.known {
			m.tick(len(k.nodes) / 4)
			for _, i := range k.nodes {
				m.add(node(in.d, int(i)))
			}
			return
		}
		base := len(m.stack)
		w.from(m, it, false)
		k := &in.memo[id]
		k.nodes = k.nodes[:0]
		for _, x := range m.stack[base:] {
			k.nodes = append(k.nodes, x.i)
		}
		k.known = true
	}}
	return k.complete(e)
}

// sooner asks whether there is a node among those that are kept for the document. Where one of them has an error, the way is
// walked until the first that answers: what stands behind it need not be evaluated [XPath20 2.3.4], and rules rely on that.
func sooner(kept func(*machine) bool, w *walker) func(*machine) bool {
	return func(m *machine) (found bool) {
		base, focus, fp, coll, depth, held := len(m.stack), m.focus, m.fp, m.coll, m.depth, m.held
		defer func() {
			r := recover()
			if r == nil {
				return
			}
			if err, ok := r.(*Error); !ok || err.kind != ErrDynamic {
				panic(r)
			}
			m.stack, m.focus, m.fp, m.coll, m.depth, m.held = m.stack[:base], focus, fp, coll, depth, held
			found = w.from(m, begin(m, true), true)
		}()
		return kept(m)
	}
}

// typed reports whether an expression names a sequence type, which canonical does not write.
func (e *expr) typed() bool {
	if e.st != nil {
		return true
	}
	for _, k := range e.kids {
		if k.typed() {
			return true
		}
	}
	return false
}

// canonical writes a step so that equal texts ask for the same nodes, whatever the prefixes.
func (e *expr) canonical() string {
	var b strings.Builder
	e.canon(&b)
	return b.String()
}

func (e *expr) canon(b *strings.Builder) {
	t := &e.test
	fmt.Fprintf(b, "(%d %d %d %d %v %d", e.kind, e.axis, e.cmp, e.arith, e.optional, e.typ)
	if e.kind == xStep {
		fmt.Fprintf(b, " %d %v %v %v %v %q %q %v %q", t.kind, t.ns, t.named, t.anyNS, t.anyLN, t.name.Space, t.name.Local, t.typed, t.typ.EQName())
		for in := t.inner; in != nil; in = in.inner {
			fmt.Fprintf(b, " in %d %v %v %v %q %q", in.kind, in.named, in.anyNS, in.anyLN, in.name.Space, in.name.Local)
		}
	}
	switch {
	case e.kind == xVar && e.known != nil:
		for _, v := range e.known {
			fmt.Fprintf(b, " %s %q", v.typ, atomString(v))
		}
	case e.kind == xVar:
		fmt.Fprintf(b, " %d %v", e.slot, e.global)
	}
	if e.kind == xLiteral {
		fmt.Fprintf(b, " %s %q", e.val.typ, atomString(e.val))
	}
	if e.name.Local != "" {
		fmt.Fprintf(b, " %q", e.name.EQName())
	}
	for _, k := range e.kids {
		k.canon(b)
	}
	b.WriteByte(')')
}
