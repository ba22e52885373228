package c14n

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

func parse(tb testing.TB, s string) *dom.Document {
	tb.Helper()
	d, err := dom.Parse([]byte(s), dom.Limits{})
	if err != nil {
		tb.Fatalf("%s: %v", s, err)
	}
	return d
}

// findElement returns the first element with this name as written, the document node for "/".
func findElement(tb testing.TB, d *dom.Document, qname string) dom.Node {
	tb.Helper()
	if qname == "/" {
		return d.Node()
	}
	for n := range d.Node().Descendants() {
		if n.Kind() == dom.ElementNode && n.QName() == qname {
			return n
		}
	}
	tb.Fatalf("no element %s", qname)
	return dom.Node{}
}

var algorithms = map[string]string{
	"1.0": Inclusive10, "1.0c": Inclusive10Comments, "1.1": Inclusive11, "1.1c": Inclusive11Comments, "exc": Exclusive10, "excc": Exclusive10Comments,
}

func TestSubtrees(t *testing.T) {
	t.Parallel()
	const (
		around  = "<?xml version='1.0'?>\n<?p  d ?>\n<!--c-->\n<a/>\n<!--d-->\n<?q?>\n"
		nested  = `<a xmlns="u" xmlns:p="urn:p" xmlns:q="urn:q"><p:b><c xmlns=""/><d xmlns="urn:d" xmlns:p="urn:p"/></p:b></a>`
		inherit = `<a xml:lang="de" xml:space="preserve" xml:id="i" xml:base="http://x/y/" xml:other="o"><b xml:lang="en" xml:base="z/"><c xml:base="../w" d=""/></b></a>`
	)
	for _, c := range []struct{ name, doc, apex, alg, prefixes, want string }{
		{"the declaration and white space around go, line ends stay beside the root", around, "/", "1.0", "", "<?p d ?>\n<a></a>\n<?q?>"},
		{"comments around come with line ends", around, "/", "1.0c", "", "<?p d ?>\n<!--c-->\n<a></a>\n<!--d-->\n<?q?>"},
		{"comments inside", "<a>1<!-- 2 -->3</a>", "/", "exc", "", "<a>13</a>"},
		{"comments inside with comments", "<a>1<!-- 2\r -->3</a>", "/", "excc", "", "<a>1<!-- 2\n -->3</a>"},
		{"text is escaped", "<a>&lt;&gt;&amp;&quot;&apos;&#13;&#9;\n>\"'</a>", "/", "1.0", "", "<a>&lt;&gt;&amp;\"'&#xD;\t\n&gt;\"'</a>"},
		{"CDATA is text", "<a><![CDATA[<>&]]></a>", "/", "1.0", "", "<a>&lt;&gt;&amp;</a>"},
		{"attributes are escaped", "<a b='&lt;>&amp;\"&apos;&#13;&#9;&#10;\t\n'/>", "/", "1.0", "", "<a b=\"&lt;>&amp;&quot;'&#xD;&#x9;&#xA;  \"></a>"},
		{"attributes are sorted by namespace, then name, not by prefix", `<a xmlns:y="urn:1" xmlns:x="urn:2" x:b="1" y:c="2" y:a="3" z="4" b="5"/>`, "/", "1.0", "",
			`<a xmlns:x="urn:2" xmlns:y="urn:1" b="5" z="4" y:a="3" y:c="2" x:b="1"></a>`},
		{"names are sorted by code point", "<a \U00010000='1' \uFFFD='2' Z='3' a='4'/>", "/", "1.0", "", "<a Z=\"3\" a=\"4\" \uFFFD=\"2\" \U00010000=\"1\"></a>"},
		{"declarations are sorted by prefix, the default first", `<a xmlns:b="urn:1" xmlns:a="urn:2" xmlns="urn:3" xmlns:B="urn:4"/>`, "/", "1.0", "",
			`<a xmlns="urn:3" xmlns:B="urn:4" xmlns:a="urn:2" xmlns:b="urn:1"></a>`},
		{"declarations are escaped", `<a xmlns="urn:&amp;&quot;&lt;"/>`, "/", "1.0", "", `<a xmlns="urn:&amp;&quot;&lt;"></a>`},
		{"xmlns:xml goes", `<a xmlns:xml="http://www.w3.org/XML/1998/namespace" xml:lang="x"/>`, "/", "1.0", "", `<a xml:lang="x"></a>`},
		{"repeated declarations go", `<a xmlns="urn:u"><b xmlns="urn:u"/><b xmlns="urn:v"><c xmlns="urn:u"/></b></a>`, "/", "1.0", "",
			`<a xmlns="urn:u"><b></b><b xmlns="urn:v"><c xmlns="urn:u"></c></b></a>`},
		{"an undeclared default is said once", `<a xmlns="urn:u"><b xmlns=""><c xmlns=""/></b></a>`, "/", "1.0", "", `<a xmlns="urn:u"><b xmlns=""><c></c></b></a>`},
		{"an undeclared default that never was is not said", `<a xmlns=""><b xmlns=""/></a>`, "/", "1.0", "", `<a><b></b></a>`},
		{"processing instructions keep inner space and lose CR", "<a><?p  x  y&#13; ?></a>", "/", "1.0", "", "<a><?p x  y&#13; ?></a>"},
		{"two prefixes for one name stay", `<x:a xmlns:x="urn:u" xmlns:y="urn:u"><y:a/></x:a>`, "/", "exc", "", `<x:a xmlns:x="urn:u"><y:a xmlns:y="urn:u"></y:a></x:a>`},

		{"inclusive takes what is in scope", strings.Replace(nested, `"u"`, `"urn:u"`, 1), "p:b", "1.0", "",
			`<p:b xmlns="urn:u" xmlns:p="urn:p" xmlns:q="urn:q"><c xmlns=""></c><d xmlns="urn:d"></d></p:b>`},
		{"inclusive below an undeclared default", strings.Replace(nested, `"u"`, `"urn:u"`, 1), "c", "1.1", "", `<c xmlns:p="urn:p" xmlns:q="urn:q"></c>`},
		{"exclusive takes what is used", strings.Replace(nested, `"u"`, `"urn:u"`, 1), "p:b", "exc", "", `<p:b xmlns:p="urn:p"><c></c><d xmlns="urn:d"></d></p:b>`},
		{"exclusive undeclares a default it has written", strings.Replace(nested, `"u"`, `"urn:u"`, 1), "a", "exc", "",
			`<a xmlns="urn:u"><p:b xmlns:p="urn:p"><c xmlns=""></c><d xmlns="urn:d"></d></p:b></a>`},
		{"exclusive writes a prefix at every first use", `<a><b xmlns:p="urn:p"><p:c/><p:c><p:d/></p:c></b></a>`, "/", "exc", "",
			`<a><b><p:c xmlns:p="urn:p"></p:c><p:c xmlns:p="urn:p"><p:d></p:d></p:c></b></a>`},
		{"exclusive sees prefixes of attributes", `<a xmlns:p="urn:p" xmlns:q="urn:q" q:x="1" p:y="p:2"/>`, "/", "exc", "", `<a xmlns:p="urn:p" xmlns:q="urn:q" p:y="p:2" q:x="1"></a>`},
		{"exclusive does not see prefixes in values", `<a xmlns:p="urn:p" x="p:y">p:z</a>`, "/", "exc", "", `<a x="p:y">p:z</a>`},
		{"exclusive with an attribute is no use of the default", `<p:a xmlns:p="urn:p" xmlns="urn:d" x="1"/>`, "/", "exc", "", `<p:a xmlns:p="urn:p" x="1"></p:a>`},
		{"exclusive rebinding", `<p:a xmlns:p="urn:1"><p:b xmlns:p="urn:2"><p:c xmlns:p="urn:1"/></p:b><p:d/></p:a>`, "/", "exc", "",
			`<p:a xmlns:p="urn:1"><p:b xmlns:p="urn:2"><p:c xmlns:p="urn:1"></p:c></p:b><p:d></p:d></p:a>`},
		{"a listed prefix is written at the top", `<a xmlns:p="urn:p" xmlns:q="urn:q"><b><p:c/></b></a>`, "b", "exc", "p none", `<b xmlns:p="urn:p"><p:c></p:c></b>`},
		{"a listed prefix is written where it is declared", `<a><b xmlns:p="urn:p" xmlns:q="urn:q"><c/></b></a>`, "a", "exc", "p", `<a><b xmlns:p="urn:p"><c></c></b></a>`},
		{"a listed default is written though unused", `<p:a xmlns="urn:d" xmlns:p="urn:p"><p:b xmlns=""><c/></p:b></p:a>`, "p:a", "exc", "#default",
			`<p:a xmlns="urn:d" xmlns:p="urn:p"><p:b xmlns=""><c></c></p:b></p:a>`},
		{"a listed prefix is rebound", `<a xmlns:p="urn:1"><b xmlns:p="urn:2"/></a>`, "a", "exc", "p", `<a xmlns:p="urn:1"><b xmlns:p="urn:2"></b></a>`},
		{"many listed prefixes", `<a xmlns:p="urn:p" xmlns:z="urn:z"/>`, "a", "exc", "a b c d e f g h i j k l m n o p q r s t", `<a xmlns:p="urn:p"></a>`},
		{"inclusive has no list", `<a xmlns:p="urn:p"/>`, "a", "1.0", "q", `<a xmlns:p="urn:p"></a>`},

		{"1.0 inherits every xml: attribute", inherit, "c", "1.0", "",
			`<c d="" xml:base="../w" xml:id="i" xml:lang="en" xml:other="o" xml:space="preserve"></c>`},
		{"1.1 inherits language and space and joins the base", inherit, "c", "1.1", "", `<c d="" xml:base="http://x/y/w" xml:lang="en" xml:space="preserve"></c>`},
		{"1.1 of an element below one with base", inherit, "b", "1.1", "", `<b xml:base="http://x/y/z/" xml:lang="en" xml:space="preserve"><c d="" xml:base="../w"></c></b>`},
		{"1.1 of the root keeps its attributes", inherit, "a", "1.1", "", strings.NewReplacer(
			`<a xml:lang="de" xml:space="preserve" xml:id="i" xml:base="http://x/y/" xml:other="o">`, `<a xml:base="http://x/y/" xml:id="i" xml:lang="de" xml:other="o" xml:space="preserve">`,
			`<b xml:lang="en" xml:base="z/">`, `<b xml:base="z/" xml:lang="en">`, `<c xml:base="../w" d=""/>`, `<c d="" xml:base="../w"></c>`).Replace(inherit)},
		{"exclusive inherits nothing", inherit, "c", "exc", "", `<c d="" xml:base="../w"></c>`},
		{"1.1 takes over a base it lacks", `<a xml:base="x/y"><b/></a>`, "b", "1.1", "", `<b xml:base="x/y"></b>`},
		{"1.1 drops a base that joins to nothing", `<a xml:base="x/"><b xml:base=".."/></a>`, "b", "1.1", "", `<b></b>`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := parse(t, c.doc)
			m := Method{Algorithm: algorithms[c.alg], InclusivePrefixes: strings.Fields(c.prefixes)}
			got, err := Append(nil, m, findElement(t, d, c.apex))
			if err != nil || string(got) != c.want {
				t.Errorf("%v\ngot  %s\nwant %s", err, got, c.want)
			}
			checkProperties(t, d, m, findElement(t, d, c.apex))
		})
	}
}

// below is the node-set of a subtree without some subtrees.
type below struct {
	apex   dom.Node
	except []dom.Node
}

func (s below) Has(n dom.Node) bool {
	return s.apex.Contains(n) && !slices.ContainsFunc(s.except, func(e dom.Node) bool { return e.Contains(n) })
}

func (s below) HasNamespace(el dom.Node, prefix, uri string) bool { return s.Has(el) }

// checkProperties compares the two ways of this package and parses what they wrote.
func checkProperties(t testing.TB, d *dom.Document, m Method, apex dom.Node, except ...dom.Node) {
	t.Helper()
	one, err := Append(nil, m, apex, except...)
	if errors.Is(err, ErrRelativeNamespace) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	var set slice
	if err := m.WriteSet(&set, d, below{apex, except}); err != nil || string(set.b) != string(one) {
		t.Fatalf("%s: the node-set is written otherwise: %v\n%s\n%s", m.Algorithm, err, set.b, one)
	}
	if len(one) == 0 || apex.Kind() != dom.ElementNode && apex.Kind() != dom.DocumentNode {
		return
	}
	again, err := dom.Parse([]byte(string(one)), dom.Limits{Bytes: 256 << 20})
	if err != nil {
		if apex.Kind() == dom.DocumentNode && slices.ContainsFunc(except, func(e dom.Node) bool { return e.Contains(d.Root()) }) {
			return // only what stood around the root
		}
		t.Fatalf("%s: %v\n%s", m.Algorithm, err, one)
	}
	two, err := Append(nil, m, again.Node())
	if err != nil || string(two) != string(one) {
		t.Fatalf("%s is not idempotent: %v\n%s\n%s", m.Algorithm, err, one, two)
	}
}

func TestExcept(t *testing.T) {
	t.Parallel()
	d := parse(t, `<a xmlns:p="urn:p"><p:b>1</p:b>2<c><d/>3</c><!--4--><e/></a>`)
	at := func(names ...string) (n []dom.Node) {
		for _, s := range names {
			n = append(n, findElement(t, d, s))
		}
		return n
	}
	for _, c := range []struct {
		name, apex string
		except     []dom.Node
		want       string
	}{
		{"one subtree", "/", at("p:b"), `<a xmlns:p="urn:p">2<c><d></d>3</c><e></e></a>`},
		{"several in any order", "/", at("e", "p:b"), `<a xmlns:p="urn:p">2<c><d></d>3</c></a>`},
		{"one inside another", "/", at("d", "c", "c"), `<a xmlns:p="urn:p"><p:b>1</p:b>2<e></e></a>`},
		{"the apex itself", "c", at("c"), ""},
		{"something around the apex", "d", at("e", "c"), ""},
		{"something beside the apex", "c", at("p:b", "e"), `<c xmlns:p="urn:p"><d></d>3</c>`},
		{"the last child", "c", []dom.Node{d.Root().Child("", "c").FirstElement().NextSibling()}, `<c xmlns:p="urn:p"><d></d></c>`},
		{"the root", "/", at("a"), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			apex := findElement(t, d, c.apex)
			got, err := Append(nil, Method{Algorithm: Inclusive10}, apex, c.except...)
			if err != nil || string(got) != c.want {
				t.Errorf("%v\ngot  %s\nwant %s", err, got, c.want)
			}
			for _, a := range algorithms {
				checkProperties(t, d, Method{Algorithm: a, InclusivePrefixes: []string{"p"}}, apex, c.except...)
			}
		})
	}
}

func TestOtherNodesAsApex(t *testing.T) {
	t.Parallel()
	d := parse(t, `<?x y?><a b="c">t&gt;<!--d--><?p q?></a><!--e-->`)
	var got []string
	for n := range d.Node().Descendants() {
		if n.Kind() != dom.ElementNode {
			b, err := Append(nil, Method{Algorithm: Inclusive10Comments}, n)
			if err != nil {
				t.Error(err)
			}
			got = append(got, string(b))
		}
	}
	if want := []string{"<?x y?>\n", "t&gt;", "<!--d-->", "<?p q?>", "\n<!--e-->"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, n := range []dom.Node{{}, d.Root().Attribute("", "b")} {
		if _, err := Append(nil, Method{Algorithm: Inclusive10}, n); !errors.Is(err, ErrNode) {
			t.Errorf("%s: %v", n.Kind(), err)
		}
	}
}

func TestRelativeNamespacesAreRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, doc, apex string
		refused         bool
	}{
		{"a relative default", `<a xmlns="u"/>`, "a", true},
		{"a relative path", `<p:a xmlns:p="../x"/>`, "p:a", true},
		{"a relative reference with a colon later", `<p:a xmlns:p="./x:y"/>`, "p:a", true},
		{"a scheme that begins with a digit", `<a xmlns="1a:b"/>`, "a", true},
		{"one that is not used", `<a xmlns:p="x"/>`, "a", true},
		{"one in scope above", `<b:b xmlns:b="x"><b:a/></b:b>`, "b:a", true},
		{"a scheme alone", `<a xmlns="urn:"/>`, "a", false},
		{"a scheme of letters and signs", `<a xmlns="x+y-z.1:b"/>`, "a", false},
		{"none", `<a xmlns=""/>`, "a", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := parse(t, c.doc)
			for _, a := range algorithms {
				m := Method{Algorithm: a}
				_, err := Append(nil, m, findElement(t, d, c.apex))
				if errors.Is(err, ErrRelativeNamespace) != c.refused || !c.refused && err != nil {
					t.Errorf("%s: %v", a, err)
				}
				if err := m.WriteSet(io.Discard, d, below{apex: d.Node()}); errors.Is(err, ErrRelativeNamespace) != c.refused {
					t.Errorf("node-set, %s: %v", a, err)
				}
			}
		})
	}
}

func TestParseMethod(t *testing.T) {
	t.Parallel()
	const list = `<i:InclusiveNamespaces xmlns:i="http://www.w3.org/2001/10/xml-exc-c14n#" PrefixList=" xs #default
		ds "/>`
	for _, c := range []struct {
		name, algorithm, content string
		prefixes                 []string
		err                      string
	}{
		{"inclusive", Inclusive10, "", nil, ""},
		{"exclusive with prefixes", Exclusive10, list, []string{"xs", "#default", "ds"}, ""},
		{"exclusive with comments and prefixes", Exclusive10Comments, list, []string{"xs", "#default", "ds"}, ""},
		{"an empty list", Exclusive10, strings.Replace(list, " xs #default\n\t\tds ", " ", 1), nil, ""},
		{"a list that inclusive ignores", Inclusive11, list, nil, ""},
		{"a list of another namespace", Exclusive10, strings.Replace(list, "exc-c14n", "x", 1), nil, ""},
		{"two lists", Exclusive10, list + list, nil, "occurs twice"},
		{"another algorithm", "http://www.w3.org/2010/xml-c14n2", "", nil, `unknown algorithm "http://www.w3.org/2010/xml-c14n2"`},
		{"no algorithm", "", "", nil, `unknown algorithm ""`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := parse(t, `<ds:Transform xmlns:ds="urn:ds" Algorithm="`+c.algorithm+`">`+c.content+`</ds:Transform>`)
			m, err := ParseMethod(d.Root())
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) || !strings.HasPrefix(err.Error(), "line ") {
					t.Error(err)
				}
				return
			}
			if err != nil || m.Algorithm != c.algorithm || !slices.Equal(m.InclusivePrefixes, c.prefixes) {
				t.Errorf("%v %v", m, err)
			}
		})
	}
	if err := (Method{}).Write(io.Discard, dom.Node{}); !errors.Is(err, ErrAlgorithm) {
		t.Error(err)
	}
	if err := (Method{}).WriteSet(io.Discard, nil, nil); !errors.Is(err, ErrAlgorithm) {
		t.Error(err)
	}
}

type failing struct{ after int }

func (f *failing) Write(p []byte) (int, error) {
	if f.after -= len(p); f.after < 0 {
		return 0, io.ErrShortWrite
	}
	return len(p), nil
}

func TestWriterErrorsEndTheWork(t *testing.T) {
	t.Parallel()
	d := parse(t, "<a>"+strings.Repeat("<b>text</b>", 10_000)+"</a>")
	for _, after := range []int{0, 5000, 100_000} {
		if err := (Method{Algorithm: Exclusive10}).Write(&failing{after}, d.Node()); err != io.ErrShortWrite {
			t.Error(err)
		}
		if err := (Method{Algorithm: Exclusive10}).WriteSet(&failing{after}, d, below{apex: d.Node()}); err != io.ErrShortWrite {
			t.Error(err)
		}
	}
}

func TestJoinReferences(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ base, ref, want string }{
		{"http://x/a/b", "c", "http://x/a/c"},
		{"http://x/a/b/", "../c", "http://x/a/c"},
		{"http://x/a/b", "/c", "http://x/c"},
		{"http://x/a/b", "//y/c", "http://y/c"},
		{"http://x/a/b", "urn:z", "urn:z"},
		{"http://x/a/b?q#f", "", "http://x/a/b?q"},
		{"http://x/a/b?q", "?r", "http://x/a/b?r"},
		{"http://x/a/b", "c?r#f", "http://x/a/c?r"},
		{"http://x", "c", "http://x/c"},
		{"http://x/a", "../../c", "http://x/c"},
		{"", "a/b", "a/b"},
		{"", "./a//b/../c", "a/c"},
		{"a/b", "c", "a/c"},
		{"a/", "../../c", "../c"},
		{"../a", "../b", "../../b"},
		{"..", "a", "../a"},
		{"a/..", "b", "b"},
		{"a/b/", "..", "a/"},
		{"a/", "..", ""},
		{"../../", "..", "../../../"},
		{"/a/", "..", "/"},
		{"/a", "../..", "/"},
		{"a", ".", ""},
		{"a/b", "./", "a/"},
		{"a/b", "..c/..", "a/"},
		{"a//b/", "c", "a/b/c"},
		{"", "./a:b", "./a:b"},
	} {
		if got := joinReferences(c.base, c.ref); got != c.want {
			t.Errorf("%q and %q give %q, want %q", c.base, c.ref, got, c.want)
		}
	}
}

func TestWriteDoesNotAllocate(t *testing.T) {
	d := parse(t, signedInfo)
	m := Method{Algorithm: Exclusive10, InclusivePrefixes: []string{"S12"}}
	apex := d.Root().FirstElement()
	if got := testing.AllocsPerRun(100, func() { m.Write(io.Discard, apex) }); got > 2 {
		t.Errorf("%v allocations", got)
	}
}
