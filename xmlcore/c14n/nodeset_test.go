package c14n

import (
	"slices"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// named is the node-set of everything but some elements, @attributes, element/xmlns:prefix and kinds by name.
type named struct{ without string }

func (s named) in(name string) bool { return !slices.Contains(strings.Fields(s.without), name) }

func (s named) Has(n dom.Node) bool {
	switch n.Kind() {
	case dom.ElementNode:
		return s.in(n.QName())
	case dom.AttributeNode:
		return s.in("@" + n.QName())
	}
	return s.in(n.Kind().String())
}

func (s named) HasNamespace(el dom.Node, prefix, uri string) bool {
	return s.in(el.QName()+"/xmlns:"+prefix) && s.in("*/xmlns:"+prefix)
}

func TestNodeSets(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, doc, without, alg, prefixes, want string }{
		{"a missing element leaves its content", `<a>1<b>2<c>3</c></b></a>`, "b", "1.0", "", `<a>12<c>3</c></a>`},
		{"a missing element leaves its attributes and namespaces", `<a><b xmlns:p="urn:p" x="1"/></a>`, "b", "1.0", "", `<a> xmlns:p="urn:p" x="1"</a>`},
		{"exclusive leaves no namespaces of a missing element", `<a><b xmlns:p="urn:p" p:x="1"/></a>`, "b", "exc", "", `<a> p:x="1"</a>`},
		{"exclusive leaves listed namespaces of a missing element", `<a><b xmlns:p="urn:p"/></a>`, "b", "exc", "p", `<a> xmlns:p="urn:p"</a>`},
		{"a missing attribute", `<a x="1" y="2"/>`, "@x", "1.0", "", `<a y="2"></a>`},
		{"a missing attribute uses no prefix", `<a xmlns:p="urn:p" p:x="1"/>`, "@p:x", "exc", "", `<a></a>`},
		{"a missing namespace", `<a xmlns:p="urn:p" xmlns:q="urn:q"><p:b/></a>`, "a/xmlns:p", "1.0", "", `<a xmlns:q="urn:q"><p:b xmlns:p="urn:p"></p:b></a>`},
		{"a namespace missing everywhere", `<p:a xmlns:p="urn:p"><p:b/></p:a>`, "*/xmlns:p", "exc", "", `<p:a><p:b></p:b></p:a>`},
		{"missing text", `<a>1<b>2</b></a>`, "text", "1.0", "", `<a><b></b></a>`},
		{"a default that goes missing is undeclared", `<a xmlns="urn:u"><b><c/></b></a>`, "b/xmlns:", "1.0", "", `<a xmlns="urn:u"><b xmlns=""><c xmlns="urn:u"></c></b></a>`},
		{"exclusive undeclares a default that goes missing", `<a xmlns="urn:u"><b><c/></b></a>`, "b/xmlns:", "exc", "", `<a xmlns="urn:u"><b xmlns=""><c xmlns="urn:u"></c></b></a>`},
		{"a default missing above is not undeclared", `<a xmlns="urn:u"><b xmlns=""/></a>`, "a/xmlns:", "1.0", "", `<a><b></b></a>`},
		{"a namespace is compared with the nearest element in the set", `<a xmlns:p="urn:1"><b xmlns:p="urn:2"><c xmlns:p="urn:1"/></b></a>`, "b b/xmlns:p", "1.0", "", `<a xmlns:p="urn:1"><c></c></a>`},
		{"1.0 inherits over a missing parent", `<a xml:lang="de" xml:id="i"><b><c/></b></a>`, "b", "1.0", "", `<a xml:id="i" xml:lang="de"><c xml:id="i" xml:lang="de"></c></a>`},
		{"nothing is inherited over a parent in the set", `<a xml:lang="de"><b><c/></b></a>`, "a @xml:lang", "1.0", "", `<b xml:lang="de"><c></c></b>`},
		{"1.1 inherits language only", `<a xml:lang="de" xml:id="i"><b><c/></b></a>`, "b", "1.1", "", `<a xml:id="i" xml:lang="de"><c xml:lang="de"></c></a>`},
		{"1.1 joins the base of the missing only", `<a xml:base="http://x/"><b xml:base="y/"><c xml:base="z"/></b></a>`, "b", "1.1", "",
			`<a xml:base="http://x/"> xml:base="y/"<c xml:base="y/z"></c></a>`},
		{"1.1 keeps the base if none is missing", `<a xml:base="http://x/"><b><c xml:base="z"/></b></a>`, "b", "1.1", "", `<a xml:base="http://x/"><c xml:base="z"></c></a>`},
		{"exclusive inherits nothing", `<a xml:lang="de"><b><c/></b></a>`, "b", "exc", "", `<a xml:lang="de"><c></c></a>`},
		{"own xml: attributes that are missing are not inherited either", `<a xml:lang="de"><b><c xml:lang="en"/></b></a>`, "b @xml:lang", "1.0", "", `<a><c></c></a>`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := parse(t, c.doc)
			m := Method{Algorithm: algorithms[c.alg]}
			if c.prefixes != "" {
				m.InclusivePrefixes = []string{c.prefixes}
			}
			var got slice
			if err := m.WriteSet(&got, d, named{c.without}); err != nil || string(got.b) != c.want {
				t.Errorf("%v\ngot  %s\nwant %s", err, got.b, c.want)
			}
		})
	}
}
