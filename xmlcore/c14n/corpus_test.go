package c14n

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

const dsig = "http://www.w3.org/2000/09/xmldsig#"

func load(tb testing.TB, path ...string) *dom.Document {
	tb.Helper()
	src, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		tb.Fatal(err)
	}
	d, err := dom.Parse(src, dom.Limits{})
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

// item is an XPath node: a node of the document or a namespace node.
type item struct {
	n           dom.Node // namespace nodes: the owner
	ns          bool
	prefix, uri string
}

func (x item) name() string {
	if x.ns {
		return x.prefix
	}
	return x.n.QName()
}

func (x item) value() string {
	if x.ns {
		return x.uri
	}
	return x.n.Text()
}

func (x item) space() string {
	if x.ns {
		return ""
	}
	return x.n.Space()
}

func (x item) parent() dom.Node {
	if x.ns {
		return x.n
	}
	return x.n.Parent()
}

func (x item) isText() bool { return !x.ns && x.n.Kind() == dom.TextNode }

// filter is an XPath transform over all nodes of the document.
type filter func(item) bool

func (f filter) Has(n dom.Node) bool { return f(item{n: n}) }

func (f filter) HasNamespace(el dom.Node, prefix, uri string) bool {
	return f(item{n: el, ns: true, prefix: prefix, uri: uri})
}

const (
	barNS = "http://example.org/bar"
	fooNS = "http://example.org/foo"
	bazNS = "http://example.org/baz"
)

func within(x item, space, local string) bool {
	for n := x.n; n.Valid(); n = n.Parent() {
		if n.Is(space, local) {
			return true
		}
	}
	return false
}

// merlinFilters are the nine expressions of merlin-c14n-three in order of first use.
var merlinFilters = []filter{
	func(x item) bool { return true },
	func(x item) bool {
		return (x.name() != "bar" || x.parent().Is(barNS, "Something")) &&
			(x.name() != "foo" || x.parent().Is(fooNS, "Something")) &&
			(x.name() != "baz" || x.parent().Is(bazNS, "Something")) &&
			(x.name() != "" || x.isText())
	},
	func(x item) bool { return x.isText() || x.space() != "" || x.value() == x.parent().Space() },
	func(x item) bool {
		return (x.ns || !x.n.Is(fooNS, "Something")) && (x.isText() || x.space() != "" || x.value() == x.parent().Space())
	},
	func(x item) bool { return !x.ns },
	func(x item) bool { return x.isText() || x.space() != "" },
	func(x item) bool { return x.ns },
	func(x item) bool { return x.value() == x.parent().Space() },
	func(x item) bool {
		depth := 1
		for n := x.parent(); n.Valid(); n = n.Parent() {
			depth++
		}
		return x.isText() || x.space() != "" || x.name() == "" && depth%2 == 1
	},
}

// TestMerlinThree runs the 27 filtered references and SignedInfo of merlin-c14n-three.
func TestMerlinThree(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(corpus.Dir(t, "esignature"), "xmlsec", "merlin-c14n-three")
	d := load(t, dir, "signature.xml")
	info := d.Root().Child(dsig, "Signature").Child(dsig, "SignedInfo")
	i := 0
	for ref := range info.Elements() {
		if !ref.Is(dsig, "Reference") {
			continue
		}
		m := Method{Algorithm: Inclusive10}
		for tr := range ref.Child(dsig, "Transforms").Elements() {
			if strings.Contains(tr.Attr("Algorithm"), "xpath") {
				continue
			}
			var err error
			if m, err = ParseMethod(tr); err != nil {
				t.Fatal(err)
			}
		}
		inner := merlinFilters[i%9]
		f := filter(func(x item) bool { return within(x, barNS, "Something") && inner(x) })
		var got bytes.Buffer
		if err := m.WriteSet(&got, d, f); err != nil {
			t.Errorf("%d: %v", i, err)
		}
		want, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("c14n-%d.txt", i)))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Bytes(), want) {
			t.Errorf("reference %d, %s:\n%s\nwant\n%s", i, m.Algorithm, got.Bytes(), want)
		}
		if digest(got.Bytes()) != ref.Child(dsig, "DigestValue").TrimmedText() {
			t.Errorf("reference %d: digest differs", i)
		}
		i++
	}
	if i != 27 {
		t.Errorf("%d references", i)
	}
	m, err := ParseMethod(info.Child(dsig, "CanonicalizationMethod"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := Append(nil, m, info)
	want, _ := os.ReadFile(filepath.Join(dir, "c14n-27.txt"))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("SignedInfo: %v\n%s\nwant\n%s", err, got, want)
	}
}

func digest(b []byte) string {
	h := sha1.Sum(b)
	return base64.StdEncoding.EncodeToString(h[:])
}
