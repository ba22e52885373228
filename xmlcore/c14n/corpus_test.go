package c14n

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"hash"
	"io/fs"
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

// TestReferencesOfTheCorpora digests every same-document reference of every signed XML file whose transforms are
// only canonicalisations and enveloped-signature. Those that differ are listed in known.tsv with the reason.
func TestReferencesOfTheCorpora(t *testing.T) {
	t.Parallel()
	known := map[string]string{}
	for _, row := range corpus.Table(t, filepath.Join("testdata", "known.tsv")) {
		known[row["file"]] = row["reason"]
	}
	top := filepath.Dir(corpus.Dir(t, "esignature"))
	agree, differ, used := 0, map[string][]string{}, map[string]int{}
	err := filepath.WalkDir(top, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.ToLower(filepath.Ext(path)) != ".xml" {
			return err
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if !bytes.Contains(src, []byte("Reference")) {
			return nil
		}
		d, err := dom.Parse(src, dom.Limits{InternalSubset: true})
		if err != nil {
			return nil // package dom lists these
		}
		name, err := filepath.Rel(top, path)
		name = filepath.ToSlash(name)
		for n := range d.Node().Descendants() {
			if !n.Is(dsig, "Reference") || !n.Parent().Is(dsig, "SignedInfo") {
				continue
			}
			switch got, method := checkReference(n); {
			case method == "":
			case got == strings.Join(strings.Fields(n.Child(dsig, "DigestValue").Text()), ""):
				agree++
				used[method]++
			default:
				differ[name] = append(differ[name], n.Attr("URI")+" "+method)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, refs := range differ {
		if _, ok := known[name]; !ok {
			t.Errorf("%s\t%s", name, refs)
		}
	}
	for name := range known {
		if differ[name] == nil {
			t.Errorf("%s is listed, but agrees", name)
		}
	}
	t.Logf("%d references agree: %v", agree, used)
	if agree < 400 {
		t.Errorf("only %d references agree", agree)
	}
}

// checkReference returns the digest and the canonicalisation, "" if the reference is of another kind.
func checkReference(ref dom.Node) (sum, method string) {
	uri := ref.Attr("URI")
	if !ref.Attribute("", "URI").Valid() || uri != "" && (uri[0] != '#' || strings.Contains(uri, "(")) {
		return "", ""
	}
	var h hash.Hash
	switch ref.Child(dsig, "DigestMethod").Attr("Algorithm") {
	case dsig + "sha1":
		h = sha1.New()
	case "http://www.w3.org/2001/04/xmlenc#sha256":
		h = sha256.New()
	case "http://www.w3.org/2001/04/xmlenc#sha512":
		h = sha512.New()
	default:
		return "", ""
	}
	sig := ref.Parent().Parent()
	m := Method{Algorithm: Inclusive10}
	var except []dom.Node
	count := 0
	for tr := range ref.Child(dsig, "Transforms").Elements() {
		if tr.Attr("Algorithm") == dsig+"enveloped-signature" {
			except = append(except, sig)
			continue
		}
		var err error
		if m, err = ParseMethod(tr); err != nil || count > 0 {
			return "", ""
		}
		m.Algorithm = strings.TrimSuffix(strings.TrimSuffix(m.Algorithm, "WithComments"), "#") // these URIs leave comments out
		if strings.Contains(m.Algorithm, "exc-c14n") {
			m.Algorithm = Exclusive10
		}
		count++
	}
	apex := ref.Document().Node()
	if uri != "" {
		if apex = byID(ref.Document(), uri[1:]); !apex.Valid() {
			return "", ""
		}
	}
	if err := m.Write(h, apex, except...); err != nil {
		return err.Error(), m.Algorithm
	}
	return base64.StdEncoding.EncodeToString(h.Sum(nil)), m.Algorithm
}

// byID finds the one element with this id; zero if there are several.
func byID(d *dom.Document, id string) (found dom.Node) {
	for n := range d.Node().Descendants() {
		for a := range n.Attributes() {
			switch a.Local() {
			case "Id", "ID", "id", "AssertionID":
				if a.Text() == id {
					if found.Valid() {
						return dom.Node{}
					}
					found = n
				}
			}
		}
	}
	return found
}

// TestPropertiesOverTheCorpora compares subtree, node-set and re-parsed output for every file, its root and one
// element from its middle.
func TestPropertiesOverTheCorpora(t *testing.T) {
	t.Parallel()
	top := filepath.Dir(corpus.Dir(t, "esignature"))
	files := 0
	err := filepath.WalkDir(top, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.ToLower(filepath.Ext(path)) != ".xml" {
			return err
		}
		src, err := os.ReadFile(path)
		if err != nil || len(src) > 200_000 {
			return err
		}
		d, err := dom.Parse(src, dom.Limits{})
		if err != nil {
			return nil // package dom lists these
		}
		files++
		middle := d.At(d.Len() / 2)
		for middle.Kind() != dom.ElementNode && middle.Kind() != dom.DocumentNode {
			middle = middle.Parent()
		}
		apex := [...]dom.Node{d.Node(), d.Root(), middle}[files%3]
		a := [...]string{Inclusive10, Inclusive11Comments, Exclusive10, Exclusive10Comments}[files%4]
		checkProperties(t, d, Method{Algorithm: a, InclusivePrefixes: []string{"xs", "#default", "cbc"}}, apex)
		if apex != middle {
			checkProperties(t, d, Method{Algorithm: Exclusive10}, apex, middle)
		}
		return nil
	})
	if err != nil || files < 1000 {
		t.Fatalf("%d files: %v", files, err)
	}
}
