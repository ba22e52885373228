package dom

import (
	"fmt"
	"strings"
	"testing"
)

// dump shows what was understood: names with namespaces in braces, values in brackets.
func dump(d *Document) string {
	var b strings.Builder
	var show func(n Node)
	show = func(n Node) {
		expanded := n.Local()
		if n.Space() != "" {
			expanded = "{" + n.Space() + "}" + expanded
		}
		switch n.Kind() {
		case ElementNode:
			b.WriteString("<" + expanded)
			for p, u := range n.Declared() {
				fmt.Fprintf(&b, " %s:=%s", p, u)
			}
			for a := range n.Attributes() {
				show(a)
			}
			b.WriteString(">")
			for c := range n.Children() {
				show(c)
			}
			b.WriteString("</>")
		case AttributeNode:
			fmt.Fprintf(&b, " %s=[%s]", expanded, n.Value())
		case TextNode:
			fmt.Fprintf(&b, "[%s]", n.Value())
		case CommentNode:
			fmt.Fprintf(&b, "<!--[%s]-->", n.Value())
		case PINode:
			fmt.Fprintf(&b, "<?%s [%s]?>", expanded, n.Value())
		}
	}
	for c := range d.Node().Children() {
		show(c)
	}
	return b.String()
}

func TestParseUnderstands(t *testing.T) {
	t.Parallel()
	const xml = "{http://www.w3.org/XML/1998/namespace}"
	for _, c := range []struct{ name, doc, want string }{
		{"an empty element", "<a/>", "<a></>"},
		{"an element without content", "<a></a >", "<a></>"},
		{"white space in tags", "<a \n\tb = 'c'\n/>", "<a b=[c]></>"},
		{"a byte order mark", "\uFEFF<a/>", "<a></>"},
		{"a byte order mark and a declaration", "\uFEFF<?xml version='1.0' encoding='utf-8'?><a/>", "<a></>"},
		{"a full XML declaration", "<?xml version = \"1.0\" encoding='UTF-8' standalone=\"yes\" ?>\n<a/>", "<a></>"},
		{"what surrounds the root", "<!--x--><?p?> <a/><?q  d ?>\n<!--y-->\n", "<!--[x]--><?p []?><a></><?q [d ]?><!--[y]-->"},
		{"line ends of other systems", "<a>1\r\n2\r3\n\r4\r\r\n</a>", "<a>[1\n2\n3\n\n4\n\n]</>"},
		{"CR by reference", "<a b='&#13;'>&#xD;&#13;\r\n</a>", "<a b=[\r]>[\r\r\n]</>"},
		{"white space in attributes", "<a b='1\t2\n3\r\n4 5'/>", "<a b=[1 2 3 4 5]></>"},
		{"white space in attributes by reference", "<a b='&#9;&#10;&#x20;&#x0A;'/>", "<a b=[\t\n \n]></>"},
		{"predefined entities", "<a b='&lt;&quot;'>&lt;&gt;&amp;&apos;&quot;</a>", "<a b=[<\"]>[<>&'\"]</>"},
		{"a reference that looks resolved twice", "<a>&amp;lt;&#38;amp;</a>", "<a>[&lt;&amp;]</>"},
		{"character references", "<a>&#65;&#x1F600;&#000066;&#x00e9;</a>", "<a>[A😀Bé]</>"},
		{"text, CDATA and references as one text", "<a>1<![CDATA[<2>&amp;]]>&#51;<![CDATA[]]>4</a>", "<a>[1<2>&amp;34]</>"},
		{"CDATA alone", "<a><![CDATA[]]]]><![CDATA[>]]></a>", "<a>[]]>]</>"},
		{"empty CDATA as no text", "<a><![CDATA[]]></a>", "<a></>"},
		{"comments between texts", "<a>1<!-- - -->2<?p?>3</a>", "<a>[1]<!--[ - ]-->[2]<?p []?>[3]</>"},
		{"text around elements", "<a>1<b>2</b>3<b/>4</a>", "<a>[1]<b>[2]</>[3]<b></>[4]</>"},
		{"]] and > in text", "<a>]]]>]] ></a>", ""},
		{"]] apart from >", "<a>]] > ]> a]]</a>", "<a>[]] > ]> a]]]</>"},
		{"> in attributes", "<a b='>]]>' c='\"' d=\"'\"/>", "<a b=[>]]>] c=[\"] d=[']></>"},
		{"question marks in processing instructions", "<a><?p ? ?x> ??></a>", "<a><?p [? ?x> ?]?></>"},
		{"a target that begins with xml", "<a><?xml-stylesheet href='x'?></a>", "<a><?xml-stylesheet [href='x']?></>"},
		{"names beyond ASCII", "<größe Ω='1'><名前·/><𐀀b/></größe>", "<größe Ω=[1]><名前·></><𐀀b></></>"},
		{"names with all punctuation", "<_a-b.c_1/>", "<_a-b.c_1></>"},
		{"allowed controls and the last characters", "<a>\t\n\u007f\u0085\ud7ff\ue000\ufffd\U0010ffff</a>", "<a>[\t\n\u007f\u0085\ud7ff\ue000\ufffd\U0010ffff]</>"},

		{"a default namespace", "<a xmlns='u' b='c'/>", "<{u}a :=u b=[c]></>"},
		{"a default namespace undeclared", "<a xmlns='u'><b xmlns=''><c/></b><d/></a>", "<{u}a :=u><b :=><c></></><{u}d></></>"},
		{"prefixes declared after use", "<p:a p:b='c' xmlns:p='u'/>", "<{u}a p:=u {u}b=[c]></>"},
		{"prefixes rebound and restored", "<p:a xmlns:p='u'><p:a xmlns:p='v'><p:a/></p:a><p:a/></p:a>",
			"<{u}a p:=u><{v}a p:=v><{v}a></></><{u}a></></>"},
		{"equal local names in two namespaces", "<a xmlns:p='u' xmlns:q='v' b='1' p:b='2' q:b='3'/>", "<a p:=u q:=v b=[1] {u}b=[2] {v}b=[3]></>"},
		{"default namespace does not reach attributes", "<p:a xmlns='u' xmlns:p='u' b='1' p:b='2'/>", "<{u}a :=u p:=u b=[1] {u}b=[2]></>"},
		{"xml without declaration", "<a xml:lang='de'><xml:b/></a>", "<a " + xml + "lang=[de]><" + xml + "b></></>"},
		{"xml declared as it is", "<a xmlns:xml='http://www.w3.org/XML/1998/namespace' xml:id='x'/>", "<a " + xml + "id=[x]></>"},
		{"namespace names with references", "<p:a xmlns:p='u&amp;&#x76;'/>", "<{u&v}a p:=u&v></>"},
		{"prefixes that begin with xml", "<xmlfoo:a xmlns:xmlfoo='u' xmlnsx='1'/>", "<{u}a xmlfoo:=u xmlnsx=[1]></>"},
		{"namespaces as different as their spelling", "<p:a xmlns:p='u' xmlns:q='U' p:x='' q:x=''/>", "<{u}a p:=u q:=U {u}x=[] {U}x=[]></>"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d, err := Parse([]byte(c.doc), Limits{})
			if c.want == "" {
				if err == nil {
					t.Error("accepted")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := dump(d); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			checkArena(t, d)
		})
	}
}

// checkArena proves the promises on which index arithmetic elsewhere relies.
func checkArena(t testing.TB, d *Document) {
	t.Helper()
	var open []Node
	for i := range d.Len() {
		n := d.At(i)
		for len(open) > 0 && open[len(open)-1].End() <= i {
			open = open[:len(open)-1]
		}
		if i > 0 && (len(open) == 0 || n.Parent() != open[len(open)-1]) {
			t.Errorf("node %d: parent is not the innermost node around it", i)
		}
		if n.End() <= i || n.End() > d.Len() || len(open) > 0 && n.End() > open[len(open)-1].End() {
			t.Errorf("node %d ends at %d", i, n.End())
		}
		if off, raw := n.Offset(), n.Raw(); off < 0 || off+len(raw) > len(d.Source()) {
			t.Errorf("node %d has source %d+%d", i, off, len(raw))
		}
		switch n.Kind() {
		case DocumentNode, ElementNode:
			for k := 1; k <= n.NumAttributes(); k++ {
				if d.At(i+k).Kind() != AttributeNode || d.At(i+k).Parent() != n {
					t.Errorf("node %d: attribute %d is not behind it", i, k)
				}
			}
			open = append(open, n)
		case TextNode:
			if len(n.Value()) == 0 {
				t.Errorf("node %d: text without characters", i)
			}
			if next := n.NextSibling(); next.Kind() == TextNode {
				t.Errorf("node %d: text beside text", i)
			}
		}
	}
}

func TestEncodings(t *testing.T) {
	t.Parallel()
	const body = "<größe>€ &#x20AC; 😀</größe>"
	utf16doc := func(label string, big, mark bool) string {
		return string(encode16("<?xml version='1.0' encoding='"+label+"'?>"+body, big, mark))
	}
	const want = "<größe>[€ € 😀]</>"
	for _, c := range []struct{ name, doc, want, err string }{
		{"UTF-16 little-endian with mark", utf16doc("UTF-16", false, true), want, ""},
		{"UTF-16 big-endian with mark", utf16doc("UTF-16", true, true), want, ""},
		{"UTF-16 with mark and without declaration", string(encode16(body, true, true)), want, ""},
		{"UTF-16LE named so, without mark", utf16doc("UTF-16LE", false, false), want, ""},
		{"UTF-16BE named so, with mark", utf16doc("UTF-16BE", true, true), want, ""},
		{"UTF-16LE that is big-endian", utf16doc("UTF-16LE", true, true), "", "declares"},
		{"UTF-16 without mark", utf16doc("UTF-16", false, false), "", "without byte order mark"},
		{"UTF-16 that declares UTF-8", utf16doc("UTF-8", false, true), "", "declares"},
		{"UTF-16 with an odd octet", utf16doc("UTF-16", true, true) + "\x00", "", "odd number"},
		{"UTF-16 with a lone high surrogate", "\xFE\xFF\x00<\x00a\x00>\xD8\x3D\x00<\x00/\x00a\x00>", "", "lone surrogate"},
		{"UTF-16 with a lone low surrogate", "\xFE\xFF\x00<\x00a\x00>\xDE\x00\x00<\x00/\x00a\x00>", "", "lone surrogate"},
		{"UTF-16 that ends in a high surrogate", "\xFE\xFF\x00<\x00a\x00/\x00>\xD8\x3D", "", "lone surrogate"},
		{"UTF-16 with U+FFFE", "\xFE\xFF\x00<\x00a\x00>\xFF\xFE\x00<\x00/\x00a\x00>", "", "no allowed"},
		{"UTF-32", "\xFF\xFE\x00\x00<\x00\x00\x00", "", "UTF-32 is not supported"},
		{"EBCDIC", "\x4C\x6F\xA7\x94\x93", "", "EBCDIC is not supported"},
		{"octets that declare UTF-16", "<?xml version='1.0' encoding='UTF-16'?><a/>", "", "is in octets"},
		{"ISO-8859-1", "<?xml version='1.0' encoding='ISO-8859-1'?><gr\xF6\xDFe>\x85</gr\xF6\xDFe>", "<größe>[\u0085]</>", ""},
		{"ISO-8859-1 in small letters", "<?xml version='1.0' encoding='iso-8859-1'?><a>\xA7</a>", "<a>[§]</>", ""},
		{"windows-1252", "<?xml version='1.0' encoding='windows-1252'?><a>\x80\x9F\xE4</a>", "<a>[€Ÿä]</>", ""},
		{"windows-1252 with an octet that means nothing", "<?xml version='1.0' encoding='windows-1252'?><a>\x81</a>", "", "not assigned"},
		{"ISO-8859-1 after the mark of UTF-8", "\uFEFF<?xml version='1.0' encoding='ISO-8859-1'?><a/>", "", "byte order mark of UTF-8"},
		{"US-ASCII", "<?xml version='1.0' encoding='US-ASCII'?><a>x</a>", "<a>[x]</>", ""},
		{"US-ASCII with more", "<?xml version='1.0' encoding='US-ASCII'?><a>ä</a>", "", "not US-ASCII"},
		{"an encoding that is not supported", "<?xml version='1.0' encoding='Shift_JIS'?><a/>", "", `"Shift_JIS" is not supported`},
		{"a processing instruction that speaks of encoding", "<?xmlx encoding='Shift_JIS'?><a/>", "<?xmlx [encoding='Shift_JIS']?><a></>", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d, err := Parse([]byte(c.doc), Limits{})
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("got %v, want %s", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := dump(d); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestParseLeavesTheSendersOctets(t *testing.T) {
	t.Parallel()
	src := []byte("<a b='1\r\n2'>\r\n</a>")
	keep := string(src)
	if _, err := Parse(src, Limits{}); err != nil || string(src) != keep {
		t.Errorf("%v, source is now %q", err, src)
	}
}
