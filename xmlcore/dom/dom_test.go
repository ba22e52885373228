package dom

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

const sample = `<?xml version="1.0" encoding="UTF-8"?>
<!-- before -->
<a:root xmlns:a="urn:a" xmlns="urn:d" x="1" a:y="t&#10;wo">
  <item xml:lang="en">one<![CDATA[ & ]]>two</item>
  <item xmlns=""><?go on?>three &lt; four</item>
  <b:item xmlns:b="urn:a" b:z='"'/>
</a:root>
`

func parse(tb testing.TB, s string) *Document {
	tb.Helper()
	d, err := Parse([]byte(s), Limits{})
	if err != nil {
		tb.Fatalf("%.200s: %v", s, err)
	}
	return d
}

func TestNavigation(t *testing.T) {
	t.Parallel()
	d := parse(t, sample)
	root := d.Root()
	if !root.Is("urn:a", "root") || root.Prefix() != "a" || root.QName() != "a:root" {
		t.Errorf("root is %q %q %q", root.Space(), root.Local(), root.Prefix())
	}
	if v, ok := root.AttrNS("urn:a", "y"); v != "t\nwo" || !ok || root.Attr("x") != "1" {
		t.Errorf("attributes are %q %q", v, root.Attr("x"))
	}
	if _, ok := root.AttrNS("", "y"); ok || root.Attr("none") != "" {
		t.Error("finds attributes that are not there")
	}
	items := slices.Collect(root.Elements())
	if len(items) != 3 || items[0] != root.FirstElement() || items[1] != items[0].NextElement() || items[2].NextElement().Valid() {
		t.Fatalf("elements are %v", items)
	}
	if got := root.Child("urn:d", "item").Text(); got != "one & two" {
		t.Errorf("text is %q", got)
	}
	second := root.Child("", "item")
	if second.Text() != "three < four" || second != items[1] {
		t.Errorf("second is %q", second.Text())
	}
	if root.Child("urn:a", "item") != items[2] || root.Child("urn:x", "item").Valid() {
		t.Error("children are found by prefix, not by namespace")
	}
	kinds := map[Kind]int{}
	for n := range d.Node().Descendants() {
		kinds[n.Kind()]++
		if !d.Node().Contains(n) {
			t.Errorf("%s is not contained", n.Path())
		}
	}
	if kinds[ElementNode] != 4 || kinds[TextNode] != 6 || kinds[CommentNode] != 1 || kinds[PINode] != 1 || kinds[AttributeNode] != 0 {
		t.Errorf("descendants are %v", kinds)
	}
	if got := root.TrimmedText(); got != "one & two\n  three < four" {
		t.Errorf("text of the root is %q", got)
	}
	if root.Parent() != d.Node() || d.Node().Parent().Valid() || root.NextSibling().Valid() {
		t.Error("the root is not below the document alone")
	}
	lang := items[0].Attribute(XMLNamespace, "lang")
	if lang.Parent() != items[0] || lang.NextSibling().Valid() || lang.FirstChild().Valid() || !items[0].Contains(lang) {
		t.Error("an attribute has a wrong place")
	}
}

func TestZeroNodeAnswersNothing(t *testing.T) {
	t.Parallel()
	var n Node
	if n.Valid() || n.Kind() != NoNode || n.Space()+n.Local()+n.Prefix()+n.QName()+n.Text()+n.TrimmedText()+n.Attr("x")+n.Path() != "" ||
		n.Is("", "") || n.Parent().Valid() || n.FirstChild().Valid() || n.NextSibling().Valid() || n.FirstElement().Valid() ||
		n.NextElement().Valid() || n.Child("", "a").Valid() || n.Attribute("", "a").Valid() || n.Value() != nil || n.Raw() != nil ||
		n.Contains(n) || n.Document() != nil || n.NumAttributes() != 0 || n.NumDeclared() != 0 {
		t.Error("a node that is not there has properties")
	}
	for range n.Children() {
		t.Error("child")
	}
	for range n.Attributes() {
		t.Error("attribute")
	}
	for range n.Descendants() {
		t.Error("descendant")
	}
	for range n.Declared() {
		t.Error("declaration")
	}
	for range n.InScope() {
		t.Error("namespace")
	}
	if _, ok := n.LookupNamespace("p"); ok {
		t.Error("namespace")
	}
	if err := n.Errorf("%w", io.EOF); !errors.Is(err, io.EOF) || err.Error() != "EOF" {
		t.Error(err)
	}
}

func TestPlaces(t *testing.T) {
	t.Parallel()
	root := parse(t, sample).Root()
	second := root.Child("", "item")
	third := second.NextElement()
	for _, c := range []struct {
		n            Node
		line, column int
		path, raw    string
	}{
		{second, 5, 3, "a:root/item[2]", "<item xmlns=\"\"><?go on?>three &lt; four</item>"},
		{third, 6, 3, "a:root/b:item", "<b:item xmlns:b=\"urn:a\" b:z='\"'/>"},
		{third.Attribute("urn:a", "z"), 6, 27, "a:root/b:item/@b:z", "b:z='\"'"},
		{second.FirstChild(), 5, 18, "a:root/item[2]/processing-instruction()", "<?go on?>"},
		{root.FirstElement().FirstChild(), 4, 23, "a:root/item[1]/text()", "one<![CDATA[ & ]]>two"},
		{root.Document().Node().FirstChild(), 2, 1, "comment()", "<!-- before -->"},
	} {
		line, column := c.n.Pos()
		if line != c.line || column != c.column || c.n.Path() != c.path || string(c.n.Raw()) != c.raw {
			t.Errorf("%s at %d:%d is %q, want %s at %d:%d is %q", c.n.Path(), line, column, c.n.Raw(), c.path, c.line, c.column, c.raw)
		}
	}
	if root.Document().Node().Path() != "" || len(root.Document().Node().Raw()) != len(sample) {
		t.Error("the document is not the whole source")
	}
}

func TestErrorfKeepsPlaceAndCause(t *testing.T) {
	t.Parallel()
	n := parse(t, sample).Root().Child("", "item")
	err := n.Errorf("no %s: %w", "end", io.EOF)
	if err.Error() != "line 5, a:root/item[2]: no end: EOF" || !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	var e *Error
	if !errors.As(err, &e) || e.Column != 3 || e.Err != io.EOF {
		t.Errorf("%#v", err)
	}
	if err := n.Errorf("%w and %w", io.EOF, io.ErrNoProgress); !errors.Is(err, io.EOF) || !errors.Is(err, io.ErrNoProgress) {
		t.Error(err)
	}
}

func TestPathOfDeepNodeLosesItsTop(t *testing.T) {
	t.Parallel()
	d := parse(t, strings.Repeat("<a>", 40)+"<b/>"+strings.Repeat("</a>", 40))
	if got := d.At(d.Len() - 1).Path(); got != ".../"+strings.Repeat("a/", 14)+"b" {
		t.Error(got)
	}
}

func TestNamespacesInScope(t *testing.T) {
	t.Parallel()
	d := parse(t, `<a xmlns="u" xmlns:p="v" xmlns:q="w"><b xmlns="" xmlns:p="x"><c xmlns:r="y" z="">t</c></b><d xmlns="u2"/></a>`)
	inScope := func(n Node) string {
		var s []string
		for p, u := range n.InScope() {
			s = append(s, p+"="+u)
		}
		slices.Sort(s)
		return strings.Join(s, " ")
	}
	a := d.Root()
	b := a.FirstElement()
	c := b.FirstElement()
	for _, x := range []struct {
		n    Node
		want string
	}{
		{d.Node(), ""}, {a, "=u p=v q=w"}, {b, "p=x q=w"}, {c, "p=x q=w r=y"}, {c.FirstChild(), "p=x q=w r=y"},
		{c.Attribute("", "z"), "p=x q=w r=y"}, {b.NextElement(), "=u2 p=v q=w"},
	} {
		if got := inScope(x.n); got != x.want {
			t.Errorf("%s: %s, want %s", x.n.Path(), got, x.want)
		}
		for p, u := range x.n.InScope() {
			if got, ok := x.n.LookupNamespace(p); !ok || got != u {
				t.Errorf("%s: %s means %q", x.n.Path(), p, got)
			}
		}
	}
	if u, ok := c.LookupNamespace(""); ok || u != "" {
		t.Errorf("undeclared default namespace is %q", u)
	}
	if u, ok := c.LookupNamespace("xml"); !ok || u != XMLNamespace {
		t.Errorf("xml is %q", u)
	}
	if _, ok := c.LookupNamespace("s"); ok {
		t.Error("s is not declared")
	}
	if n := c.Scope(); n.Prefix() != "r" || n.URI() != "y" || n.Outer().Prefix() != "p" || n.Outer().URI() != "x" {
		t.Error("the scope is not chained outwards")
	}
}

func TestManyNamespacesInScope(t *testing.T) {
	t.Parallel()
	d := parse(t, "<a"+strings.ReplaceAll(attrs(60), " a", " xmlns:a")+"><b xmlns:a7='x' xmlns:c='y'/></a>")
	seen := map[string]string{}
	for p, u := range d.Root().FirstElement().InScope() {
		if _, twice := seen[p]; twice {
			t.Errorf("%s comes twice", p)
		}
		seen[p] = u
	}
	if len(seen) != 61 || seen["a7"] != "x" || seen["a59"] != "59" || seen["c"] != "y" {
		t.Error(seen)
	}
}

func TestParseAllocatesLittle(t *testing.T) {
	src := envelope()
	for _, c := range []struct {
		name string
		most float64
		run  func()
	}{
		{"an envelope", 8, func() { Parse(src, Limits{}) }},
	} {
		if got := testing.AllocsPerRun(100, c.run); got > c.most {
			t.Errorf("%s costs %v allocations", c.name, got)
		}
	}
	d := parse(t, string(src))
	if got := testing.AllocsPerRun(100, func() {
		for n := range d.Node().Descendants() {
			_ = n.Text() == "" || n.Attr("name") == "x" || n.Is("u", "v")
			for range n.Attributes() {
			}
		}
	}); got > 40 {
		t.Errorf("a walk costs %v allocations", got)
	}
}
