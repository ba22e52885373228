package xpath_test

import (
	"errors"
	"testing"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
	"github.com/viadukt-eu/viadukt/xmlcore/xpath"
)

func TestPatternsMatch(t *testing.T) {
	t.Parallel()
	const src = `<a k="1"><b n="1"><c>x</c><c>y</c></b><b n="2"><d><c>z</c></d>tail</b><!--note--></a>`
	d := parse(t, src)
	all := func(pattern string) string {
		env := &xpath.Static{Names: xpath.NewNames(), XSLT: true, Variables: []xpath.Variable{
			{Name: xpath.QName{Local: "two"}}, {Name: xpath.QName{Local: "yes"}}, {Name: xpath.QName{Local: "one"}}}}
		p, err := xpath.CompilePattern(pattern, env)
		if err != nil {
			return err.Error()
		}
		ctx := &xpath.Context{Variables: xpath.Values{{xpath.StringItem("2")}, {xpath.BooleanItem(true)}, {xpath.IntegerItem(1)}}}
		got := ""
		for i := range d.Len() {
			n := d.At(i)
			ok, err := p.Matches(ctx, n)
			if err != nil {
				return err.Error()
			}
			any := false
			for j, b := range p.Branches() {
				hit, err := p.MatchesBranch(ctx, j, n)
				if err != nil {
					return err.Error()
				}
				any = any || hit
				named := (b.Kind == dom.NoNode || b.Kind == n.Kind()) && (b.NameID < 0 || b.NameID == ctx.NameID(n, env.Names)) &&
					(b.ParentID < 0 || n.Parent().Kind() == dom.ElementNode && b.ParentID == ctx.NameID(n.Parent(), env.Names))
				admitted, err := p.Admitted(ctx, j)
				if err != nil {
					return err.Error()
				}
				if hit && !admitted || !b.Fixed && !admitted {
					t.Errorf("%s: branch %d says %+v, its variables %v, and it matches %s: %v", pattern, j, b, admitted, n.Path(), hit)
				}
				if some, all := p.Outlined(ctx, j, n); hit && !some || admitted && all && !hit {
					t.Errorf("%s: by names branch %d may match %s: %v, and must: %v; it matches: %v", pattern, j, n.Path(), some, all, hit)
				}
				if some, _ := p.Outlined(ctx, j, n); some {
					if again, err := p.MatchesOutlined(ctx, j, n); err != nil || again != hit {
						t.Errorf("%s: branch %d matches %s: %v, and by names first: %v, %v", pattern, j, n.Path(), hit, again, err)
					}
				}
				if ways, ok := p.Needs(j); ok && hit && !leads(t, ctx, env.Names, n, ways) {
					t.Errorf("%s: branch %d matches %s without %v", pattern, j, n.Path(), ways)
				}
				if hit && !named || b.Plain && named && !hit {
					t.Errorf("%s: branch %d says %+v, but matches %s: %v", pattern, j, b, n.Path(), hit)
				}
			}
			if any != ok {
				t.Errorf("%s: branches and whole disagree at %s", pattern, n.Path())
			}
			if ok {
				got += " " + map[dom.Kind]string{dom.DocumentNode: "/", dom.TextNode: "text " + n.Text(), dom.CommentNode: "comment", dom.ElementNode: n.Local() + ":" + n.Text(), dom.AttributeNode: "@" + n.Local() + n.Text()}[n.Kind()]
			}
		}
		return got
	}
	for _, c := range []struct{ pattern, want string }{
		{"c", " c:x c:y c:z"},
		{"c[$yes]", " c:x c:y c:z"},
		{"*[not(*)][normalize-space()]", " c:x c:y c:z"},
		{"*[not(*) and not(normalize-space())]", ""},
		{"b[*]/*[not(*)]", " c:x c:y"},
		{"c[$two = '3']", ""},
		{"b[$two = '2']/c", " c:x c:y"},
		{"b[not($yes)]/c | c[$yes and . = 'x']", " c:x"},
		{"*[ends-with(name(), 'c')]", " c:x c:y c:z"},
		{"*[name() = 'c' and not(contains(name(), 'b') or starts-with(local-name(), 'd'))][. = 'y']", " c:y"},
		{"/", " /"},
		{"/a", " a:xyztail"},
		{"/b", ""},
		{"b/c", " c:x c:y"},
		{"b//c", " c:x c:y c:z"},
		{"//c", " c:x c:y c:z"},
		{"/a/b/d/c", " c:z"},
		{"/a//d/c", " c:z"},
		{"c[2]", " c:y"},
		{"c[last()]", " c:y c:z"},
		{"b[@n = $two]/d", " d:z"},
		{"b[@n = '1']/c[. = 'y']", " c:y"},
		{"c | d", " c:x c:y d:z c:z"},
		{"(b | d)/c", " c:x c:y c:z"},
		{"(c | d)[. = 'z']", " d:z c:z"},
		{"(b | d)[$yes]/c", " c:x c:y c:z"},
		{"c[$one]", " c:x c:z"},
		{"c[$yes]", " c:x c:y c:z"},
		{"@n", " @n1 @n2"},
		{"b/@*", " @n1 @n2"},
		{"@*", " @k1 @n1 @n2"},
		{"*", " a:xyztail b:xy c:x c:y b:ztail d:z c:z"},
		{"text()", " text x text y text z text tail"},
		{"comment()", " comment"},
		{"b/node()", " c:x c:y d:z text tail"},
		{"c[current() = 'y']", " c:y"},
		{"child::b/descendant::c", " c:x c:y c:z"},
	} {
		if got := all(c.pattern); got != c.want {
			t.Errorf("%s: got %q, want %q", c.pattern, got, c.want)
		}
	}
	for _, bad := range []string{"..", "a/..", "1", "count(a)", "ancestor::a", "a + b", "//", "a/b()", "(a | b)[1]"} {
		if _, err := xpath.CompilePattern(bad, nil); !errors.Is(err, xpath.ErrStatic) {
			t.Errorf("%s is no pattern, but: %v", bad, err)
		}
	}
}
