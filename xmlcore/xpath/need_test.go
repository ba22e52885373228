package xpath_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
	"github.com/viadukt-eu/viadukt/xmlcore/xpath"
)

// leads reports whether one of some ways leads to a node of the document.
func leads(tb testing.TB, ctx *xpath.Context, names *xpath.Names, n dom.Node, ways []xpath.Way) bool {
	tb.Helper()
	o, err := ctx.Outline(n.Document(), names)
	if err != nil {
		tb.Fatal(err)
	}
	for i := range ways {
		if entry := o.Of(n.Index()); entry < 0 || o.Leads(entry, &ways[i]) {
			return true
		}
	}
	return false
}

// needed holds an expression to what it says of its needs, at the context node.
func needed(tb testing.TB, ctx *xpath.Context, names *xpath.Names, e *xpath.Expr) {
	tb.Helper()
	for _, v := range []bool{true, false} {
		ways, ok := e.Needs(v)
		if !ok || leads(tb, ctx, names, ctx.Item.Node(), ways) {
			continue
		}
		if got, err := e.EBV(ctx); err != nil || got == v {
			tb.Errorf("%s cannot be %v at %s, since there is none of %v: it is %v, %v", e, v, ctx.Item.Node().Path(), ways, got, err)
		}
	}
}

func TestNeeds(t *testing.T) {
	t.Parallel()
	d := parse(t, order)
	env := orderStatic()
	names := map[int32]string{}
	name := func(id int32) string {
		for _, n := range []string{"o:order", "o:line", "o:qty", "o:price", "o:total", "o:none", "p:sum", "no"} {
			if len(names) < 8 {
				e, err := xpath.CompilePattern(strings.Replace(n, "no", map[bool]string{true: "@no", false: "no"}[n == "no"], 1), env)
				if err != nil {
					t.Fatal(err)
				}
				names[e.Branches()[0].NameID] = n
			}
		}
		return names[id]
	}
	for _, c := range []struct{ expr, yes, no string }{ // what the values true and false need; "?" when nothing is known
		{"o:line/o:price", "o:line/o:price", "?"},
		{"not(o:line/o:none)", "?", "o:line/o:none"},
		{"exists(o:line[o:qty]/@no)", "o:line", "?"},
		{"empty(o:line/@no)", "?", "o:line/@no"},
		{"not((o:line | p:sum)/o:none)", "?", "o:line/o:none p:sum/o:none"},
		{"o:none and o:line/o:qty", "o:none", "?"},
		{"o:none or p:sum", "o:none p:sum", "?"},
		{"not(o:none) or xs:decimal(o:none) > 0", "?", "o:none"},
		{"xs:decimal(o:line[1]/o:price) > 0 and o:none", "o:line", "?"},
		{"number(.) > 0 and o:none", "?", "?"}, // number() might have an error elsewhere: what stands behind it does not decide
		{"count(o:none) <= 1", "?", "o:none"},
		{"count(o:none) = 1", "o:none", "?"},
		{"1 >= count(o:none)", "?", "o:none"},
		{"normalize-space(o:none) != ''", "o:none", "?"},
		{"normalize-space(o:none) = ''", "?", "o:none"},
		{"string-length(substring-after(o:none, '.')) <= 2", "?", "o:none"},
		{"contains(o:none, 'x')", "o:none", "?"},
		{"contains(o:none, '')", "?", "o:none"},
		{"some $x in o:none satisfies $x = 1", "o:none", "?"},
		{"every $x in o:none satisfies $x = 1", "?", "o:none"},
		{"if (o:none) then o:line else true()", "?", "o:none"},
		{"//o:none/@no", "*o:none/@no", "?"},
		{"/o:order/p:sum", "/o:order/p:sum", "?"},
		{"../p:sum = 3", "^p:sum", "?"},
		{"o:none/xs:decimal(.) + 1", "o:none", "?"},
		{"*/o:none", "?", "?"},
		{"o:none/*", "o:none", "?"},
		{"o:none eq 'x'", "o:none", "?"},
		{"'1' = o:none", "o:none", "?"},
		{"()", "", "?"},
		{"false()", "", "?"},
	} {
		e, err := xpath.Compile(c.expr, env)
		if err != nil {
			t.Errorf("%s: %v", c.expr, err)
			continue
		}
		for v, want := range map[bool]string{true: c.yes, false: c.no} {
			ways, ok := e.Needs(v)
			var got []string
			for _, w := range ways {
				s := []string{"", "/", "*"}[w.Start] + strings.Repeat("^", w.Up)
				for i, id := range w.Names {
					if i > 0 {
						s += "/"
					}
					if w.Attribute && i+1 == len(w.Names) {
						s += "@"
					}
					s += name(id)
				}
				got = append(got, s)
			}
			if s := strings.Join(got, " "); ok && s != want || !ok && want != "?" {
				t.Errorf("%s: for %v it needs %q %v, want %q", c.expr, v, s, ok, want)
			}
		}
		ctx := &xpath.Context{}
		for i := range d.Len() {
			ctx.Item = xpath.NodeItem(d.At(i))
			needed(t, ctx, env.Names, e)
		}
	}
}

// TestOutlineOfManyNames goes by more children of one node than are looked at one by one, and the same names again.
func TestOutlineOfManyNames(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("<a>")
	for range 2 {
		for i := range 100 {
			fmt.Fprintf(&b, "<n%d n%d='1'/>", i, i)
		}
	}
	b.WriteString("</a>")
	d := parse(t, b.String())
	names := xpath.NewNames()
	ctx := &xpath.Context{}
	o, err := ctx.Outline(d, names)
	if err != nil {
		t.Fatal(err)
	}
	if o.Len() != 202 {
		t.Errorf("%d entries for the document, its root, and a hundred names of elements with an attribute each", o.Len())
	}
	half := (d.Len() - 2) / 2
	for i := range half {
		if a, b := o.Of(2+i), o.Of(2+half+i); a != b {
			t.Errorf("the same names have the entries %d and %d", a, b)
		}
	}
	ctx.Reset()
	if o, err = ctx.Outline(parse(t, "<b><c/></b>"), names); err != nil || o.Len() != 3 {
		t.Errorf("after another document: %d entries, %v", o.Len(), err)
	}
}
