package xpath

import (
	"fmt"
	"strings"
	"sync"
)

// An expression that failed, or is to be explained, is compiled once more without any rewriting, with every part
// reporting what it gave. It then runs again in the same context.

// lazyTrace is the reporting form of an expression.
type lazyTrace struct {
	once sync.Once
	code *code
}

// tracer collects what the parts of one run reported.
type tracer struct {
	at    []frame // parts that are being evaluated, outermost first
	fail  frame   // the innermost one when the error arose
	seen  map[*expr]*Explanation
	outer focus
	limit int
}

type frame struct {
	e     *expr
	focus Item
}

type traceTable struct{}

// wrap makes a part report.
func (t *traceTable) wrap(k *code, e *expr) *code {
	push, one, ebv := k.push, k.one, k.ebv
	w := *k
	w.solo = nil
	w.push = func(m *machine) {
		tr := m.tr
		if tr == nil {
			push(m)
			return
		}
		tr.enter(m, e)
		base := len(m.stack)
		push(m)
		tr.leave(m, e, m.stack[base:])
	}
	w.one = func(m *machine) (Item, bool) {
		tr := m.tr
		if tr == nil {
			return one(m)
		}
		tr.enter(m, e)
		it, ok := one(m)
		if ok {
			tr.leave(m, e, []Item{it})
		} else {
			tr.leave(m, e, nil)
		}
		return it, ok
	}
	w.ebv = func(m *machine) bool {
		tr := m.tr
		if tr == nil {
			return ebv(m)
		}
		if k.typ != XSBoolean { // what the truth was made of is worth more than the truth
			base := len(m.stack)
			w.push(m)
			return m.ebvAbove(base)
		}
		tr.enter(m, e)
		v := ebv(m)
		tr.leave(m, e, []Item{BooleanItem(v)})
		return v
	}
	return &w
}

func (tr *tracer) enter(m *machine, e *expr) {
	tr.at = append(tr.at, frame{e, m.item})
	tr.fail = tr.at[len(tr.at)-1]
}

func (tr *tracer) leave(m *machine, e *expr, v []Item) {
	tr.at = tr.at[:len(tr.at)-1]
	if len(tr.at) > 0 {
		tr.fail = tr.at[len(tr.at)-1]
	}
	if tr.seen == nil {
		return
	}
	x := tr.seen[e]
	if x == nil {
		x = &Explanation{}
		tr.seen[e] = x
	}
	x.Times++
	if len(v) > tr.limit {
		v, x.More = v[:tr.limit], true
	}
	if x.Times > 1 && len(x.Value) > 0 && x.Times <= tr.limit { // one of several evaluations: keep them in a row
		x.Value = append(x.Value, v...)
	} else if x.Times == 1 || len(x.Value) == 0 {
		x.Value = append(Sequence(nil), v...)
	}
	if len(x.Value) > tr.limit {
		x.More = true
		x.Value = x.Value[:tr.limit]
	}
}

// reporting compiles the form that reports.
func (e *Expr) reporting() *code {
	e.trace.once.Do(func() {
		defer func() {
			if r := recover(); r != nil {
				if _, ok := r.(*Error); !ok {
					panic(r)
				}
			}
		}()
		c := &compiler{env: e.env, x: e, trace: &traceTable{}}
		e.trace.code = c.compile(e.ast)
	})
	return e.trace.code
}

// retrace runs the reporting form once more; the error, if any, is what it ended with.
func (e *Expr) retrace(ctx *Context, tr *tracer) (err *Error) {
	k := e.reporting()
	if k == nil {
		return errorf("FOER0000", "no second run")
	}
	m := ctx.machine()
	nested := m.begin(e, ctx)
	m.tr = tr
	tr.outer = m.focus
	defer func() {
		m.tr = nil
		if r := recover(); r != nil {
			x, ok := r.(*Error)
			if !ok {
				panic(r)
			}
			err = x
			m.end(nested)
		}
	}()
	k.push(m)
	m.end(nested)
	return nil
}

// locate finds the part that raised an error, by a second run.
func (e *Expr) locate(ctx *Context, was *Error) (at *expr, focus Item, ok bool) {
	if was.kind != ErrDynamic || e.env == nil || e.ast == nil {
		return nil, Item{}, false
	}
	tr := &tracer{}
	err := e.retrace(ctx, tr)
	if err == nil || err.Code != was.Code || tr.fail.e == nil {
		return nil, Item{}, false
	}
	return tr.fail.e, tr.fail.focus, true
}

// Explanation is what a part of an expression gave, with its parts.
type Explanation struct {
	Text  string         // the part as written
	Value Sequence       // its value; that of several evaluations in a row
	More  bool           // the value was longer than shown
	Times int            // how often the part was evaluated; 0: it was not asked
	Err   error          // the error that ended it
	Parts []*Explanation // only those whose value says more than their text
}

// Explain runs the expression once more and returns what its parts gave, so that a person sees why a rule fired:
// the values that were compared, added or tested. An error of evaluation stands in the Explanation.
func (e *Expr) Explain(ctx *Context) *Explanation {
	tr := &tracer{seen: map[*expr]*Explanation{}, limit: 20}
	err := e.retrace(ctx, tr)
	x := e.explain(e.ast, tr)
	if x == nil {
		x = &Explanation{Text: e.src}
	}
	if err != nil {
		err.Expr = e.src
		if tr.fail.e != nil {
			err.Offset, err.End = tr.fail.e.pos, tr.fail.e.end
		}
		x.Err = err
	}
	return x
}

func (e *Expr) explain(a *expr, tr *tracer) *Explanation {
	if a.kind == xLiteral {
		return nil
	}
	x := tr.seen[a]
	if x == nil {
		x = &Explanation{}
	}
	if a.end > a.pos && a.end <= len(e.src) {
		x.Text = e.src[a.pos:a.end]
	}
	for _, k := range a.kids {
		if k.kind == xRoot || k.kind == xContext {
			continue
		}
		parts := []*expr{k}
		if a.kind == xPath && k.kind == xStep { // a step tells nothing by itself, but its predicates do
			parts = k.kids
		}
		for _, part := range parts {
			if p := e.explain(part, tr); p != nil && p.Times > 0 {
				x.Parts = append(x.Parts, p)
			}
		}
	}
	return x
}

// String writes the explanation as an indented tree.
func (x *Explanation) String() string {
	var b strings.Builder
	x.write(&b, 0)
	return b.String()
}

func (x *Explanation) write(b *strings.Builder, depth int) {
	const deepest = 12
	fmt.Fprintf(b, "%s%s = %s\n", strings.Repeat("  ", depth), clip(collapse(x.Text)), x.Shown())
	if x.Err != nil {
		fmt.Fprintf(b, "%s  %v\n", strings.Repeat("  ", depth), x.Err)
	}
	if depth < deepest {
		for _, p := range x.Parts {
			p.write(b, depth+1)
		}
	}
}

// Shown writes the value for a person: strings in quotes, nodes by name and value.
func (x *Explanation) Shown() string {
	if x.Times == 0 {
		return "not evaluated"
	}
	if len(x.Value) == 0 {
		return "nothing"
	}
	parts := make([]string, 0, len(x.Value))
	for _, it := range x.Value {
		parts = append(parts, Shown(it))
	}
	s := strings.Join(parts, ", ")
	if x.More {
		s += ", ..."
	}
	return s
}

// Shown writes an item for a person.
func Shown(it Item) string {
	switch {
	case it.typ == TypeNode:
		q, ok := nameOf(it)
		if !ok {
			return "\"" + clip(nodeText(it)) + "\""
		}
		return q.String() + " \"" + clip(collapse(nodeText(it))) + "\""
	case it.typ.text():
		return "\"" + clip(it.text()) + "\""
	case it.typ == XSBoolean:
		return atomString(it) + "()"
	case it.typ.numeric(), !it.typ.atomic():
		return it.String()
	}
	return it.typ.String() + " " + atomString(it)
}
