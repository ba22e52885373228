package xsd

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

const (
	suiteNS = "http://www.w3.org/XML/2004/xml-schema-test-suite/"
	xlinkNS = "http://www.w3.org/1999/xlink"
)

// tally counts agreement with the expected outcomes.
type tally struct{ right, all int }

func (t tally) String() string {
	return fmt.Sprintf("%d of %d (%.2f %%)", t.right, t.all, 100*float64(t.right)/float64(max(1, t.all)))
}

// applies reports whether a test is for XML Schema 1.0; the innermost version counts.
func applies(nodes ...dom.Node) bool {
	for i := len(nodes) - 1; i >= 0; i-- {
		if v, ok := nodes[i].AttrNS("", "version"); ok {
			return slices.Contains(strings.Fields(v), "1.0")
		}
	}
	return true
}

// expectation returns what a test expects for version 1.0.
func expectation(n dom.Node) string {
	fallback := ""
	for e := range n.Elements() {
		if !e.Is(suiteNS, "expected") {
			continue
		}
		if slices.Contains(strings.Fields(e.Attr("version")), "1.0") {
			return e.Attr("validity")
		}
		if e.Attr("version") == "" {
			fallback = e.Attr("validity")
		}
	}
	return fallback
}

func hrefs(n dom.Node, name string) (out []string) {
	for e := range n.Elements() {
		if e.Is(suiteNS, name) {
			h, _ := e.AttrNS(xlinkNS, "href")
			out = append(out, h)
		}
	}
	return out
}

func parseFile(t *testing.T, file string) *dom.Document {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	d, err := dom.Parse(b, dom.Limits{InternalSubset: true})
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return d
}

// TestSuiteOfW3C runs the XML Schema Test Suite of the W3C.
func TestSuiteOfW3C(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(corpus.Dir(t, "xml-engines"), "xsts")
	fsys := os.DirFS(dir)
	known := corpus.Known(t, "testdata/known.tsv")
	var validSchemas, invalidSchemas, instances tally
	missed := map[string]string{}
	judge := func(count *tally, id, want, got string, why error) {
		count.all++
		if got == want {
			count.right++
			return
		}
		missed[id] = fmt.Sprintf("want %s, got %s: %v", want, got, why)
	}
	suite := parseFile(t, filepath.Join(dir, "suite.xml"))
	for _, set := range hrefs(suite.Root(), "testSetRef") {
		d := parseFile(t, filepath.Join(dir, set))
		for g := range d.Root().Elements() {
			if !g.Is(suiteNS, "testGroup") {
				continue
			}
			base := path.Dir(set)
			name := func(n dom.Node) string {
				return strings.TrimSuffix(path.Base(set), path.Ext(set)) + "/" + g.Attr("name") + "/" + n.Attr("name")
			}
			var schema *Schema
			var failed error
			var docs []string
			expected := "valid"
			if st := g.Child(suiteNS, "schemaTest"); st.Valid() {
				for _, h := range hrefs(st, "schemaDocument") {
					docs = append(docs, path.Join(base, h))
				}
				schema, failed = Compile(fsys, Options{}, docs...)
				expected = expectation(st)
				if applies(d.Root(), g, st) && expected != "indeterminate" {
					got := "valid"
					if failed != nil {
						got = "invalid"
					}
					if expected == "valid" {
						judge(&validSchemas, name(st), expected, got, failed)
					} else {
						judge(&invalidSchemas, name(st), expected, got, failed)
					}
				}
			}
			for it := range g.Elements() {
				if !it.Is(suiteNS, "instanceTest") || !applies(d.Root(), g, it) || expected != "valid" {
					continue
				}
				want := expectation(it)
				if want == "indeterminate" || want == "notKnown" {
					continue
				}
				for _, h := range hrefs(it, "instanceDocument") {
					file := path.Join(base, h)
					got, err := judgeInstance(dir, file, docs, schema, failed)
					judge(&instances, name(it), want, got, err)
				}
			}
		}
	}
	t.Logf("instances %v, valid schemas %v, invalid schemas %v", instances, validSchemas, invalidSchemas)
	if instances.all < 2500 || validSchemas.all < 3000 {
		t.Fatal("too few cases: is the suite there?")
	}
	for _, id := range slices.Sorted(maps.Keys(missed)) {
		if known[id] == "" {
			t.Errorf("%s\t%s", id, missed[id])
		}
	}
	for id := range known {
		if missed[id] == "" {
			t.Errorf("%s is listed as a disagreement but agrees", id)
		}
	}
}

func judgeInstance(dir, file string, docs []string, schema *Schema, failed error) (string, error) {
	first := len(docs)
	b, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		return "unreadable", err
	}
	d, err := dom.Parse(b, dom.Limits{InternalSubset: true})
	if err != nil {
		return "invalid", err
	}
	for n := range d.Node().Descendants() { // a document may name further schemas
		if n.Kind() != dom.ElementNode {
			continue
		}
		var named []string
		if l, ok := n.AttrNS(InstanceNamespace, "noNamespaceSchemaLocation"); ok {
			named = append(named, l)
		}
		if l, ok := n.AttrNS(InstanceNamespace, "schemaLocation"); ok {
			for i, w := range strings.Fields(l) {
				if i%2 == 1 {
					named = append(named, w)
				}
			}
		}
		for _, w := range named {
			if w = path.Join(path.Dir(file), w); !slices.Contains(docs, w) && fs.ValidPath(w) {
				if _, err := os.Stat(filepath.Join(dir, w)); err == nil {
					docs = append(slices.Clone(docs), w)
				}
			}
		}
	}
	if len(docs) > first && failed == nil {
		if more, err := Compile(os.DirFS(dir), Options{}, docs...); err == nil {
			schema = more
		} else if schema == nil { // it has no other schema, and cannot be valid without
			return "invalid", err
		}
	}
	if schema == nil && failed == nil { // none at all: what the built-in types say
		schema = newCompiler(nil, Options{}).schema()
	}
	if failed != nil {
		return "no schema", failed
	}
	r, err := schema.Validate(d, ValidateOptions{})
	if err != nil {
		return "limit", err
	}
	if !r.Valid {
		return "invalid", errors.New(r.Findings[0].String())
	}
	return "valid", nil
}
