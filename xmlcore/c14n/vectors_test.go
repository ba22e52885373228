package c14n

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// references returns the ds:Reference elements of a signature.
func references(sig dom.Node) (refs []dom.Node) {
	for e := range sig.Child(dsig, "SignedInfo").Elements() {
		if e.Is(dsig, "Reference") {
			refs = append(refs, e)
		}
	}
	return refs
}

func wanted(ref dom.Node) string { return ref.Child(dsig, "DigestValue").TrimmedText() }

// TestMerlinExclusiveOne runs exclusive canonicalisation with and without comments and prefix list.
func TestMerlinExclusiveOne(t *testing.T) {
	t.Parallel()
	d := load(t, corpus.Dir(t, "esignature"), "xmlsec", "merlin-exc-c14n-one", "exc-signature.xml")
	refs := references(d.Root().Child(dsig, "Signature"))
	if len(refs) != 4 {
		t.Fatalf("%d references", len(refs))
	}
	for i, ref := range refs {
		m, err := ParseMethod(ref.Child(dsig, "Transforms").FirstElement())
		if err != nil {
			t.Fatal(err)
		}
		got, err := Append(nil, m, byID(d, "to-be-signed"))
		if err != nil || digest(got) != wanted(ref) {
			t.Errorf("reference %d, %v: %v\n%s", i, m, err, got)
		}
	}
}

// TestSecondEditionPointers runs Canonical XML 1.1 over barename and xpointer references, which differ in comments.
func TestSecondEditionPointers(t *testing.T) {
	t.Parallel()
	count := 0
	for i := 2; i <= 6; i++ {
		d := load(t, corpus.Dir(t, "esignature"), "xmlsec", "xmldsig2ed-tests", fmt.Sprintf("xpointer-%d-SUN.xml", i))
		sig := d.Root()
		if !sig.Is(dsig, "Signature") {
			sig = sig.Child(dsig, "Signature")
		}
		for _, ref := range references(sig) {
			m := Method{Algorithm: Inclusive11Comments}
			apex := d.Node()
			var except []dom.Node
			switch uri := ref.Attr("URI"); {
			case uri == "":
				m.Algorithm = Inclusive11
				except = append(except, sig)
			case strings.HasPrefix(uri, "#xpointer(id('"):
				apex = byID(d, uri[len("#xpointer(id('"):len(uri)-len("'))")])
			case strings.HasPrefix(uri, "#xpointer"):
				except = append(except, sig)
			default:
				m.Algorithm = Inclusive11
				apex = byID(d, uri[1:])
			}
			got, err := Append(nil, m, apex, except...)
			if err != nil || digest(got) != wanted(ref) {
				t.Errorf("xpointer-%d %s: %v\n%s", i, ref.Attr("URI"), err, got)
			}
			count++
		}
	}
	if count != 9 {
		t.Errorf("%d references", count)
	}
}

// TestMerlinFilter2 runs the node-sets of XPath Filter 2, whose expressions are written as predicates.
func TestMerlinFilter2(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(corpus.Dir(t, "esignature"), "xmlsec", "merlin-xpath-filter2-three")
	for _, c := range []struct {
		file, octets string
		in           func(item) bool
		sum          string
	}{
		{"sign-spec.xml", "sign-spec-c14n-0.txt", func(x item) bool {
			return within(x, "", "ToBeSigned") && !within(x, "", "NotToBeSigned") || within(x, "", "ReallyToBeSigned")
		}, "p6/HaYIdxbEdYX8/8zNfjED4H5Y="},
		{"sign-spec.xml", "sign-spec-c14n-1.txt", func(item) bool { return false }, "2jmj7l5rSw0yVb/vlWAYkK/YBwk="},
		{"sign-xfdl.xml", "sign-xfdl-c14n-0.txt", func(x item) bool { return !within(x, dsig, "Signature") && !xfdlDropped(x.n) }, "xtHvgrYCYiWUtvgbaA6yx4fY4hI="},
	} {
		d := load(t, dir, c.file)
		want, err := os.ReadFile(filepath.Join(dir, c.octets))
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		err = Method{Algorithm: Inclusive10}.WriteSet(&got, d, filter(c.in))
		if err != nil || !bytes.Equal(got.Bytes(), want) || digest(got.Bytes()) != c.sum {
			t.Errorf("%s: %v\n%.2000s", c.octets, err, got.Bytes())
		}
	}
	d := load(t, dir, "sign-spec.xml")
	for n := range d.Node().Descendants() {
		if n.Is(dsig, "SignedInfo") {
			m, _ := ParseMethod(n.Child(dsig, "CanonicalizationMethod"))
			got, err := Append(nil, m, n)
			want, _ := os.ReadFile(filepath.Join(dir, "sign-spec-c14n-2.txt"))
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("SignedInfo: %v\n%s", err, got)
			}
		}
	}
}

// xfdlDropped reports whether the form's filter takes the node away: five items of page PAGE1, and trigger items
// without sid of any page, with all below them.
func xfdlDropped(n dom.Node) bool {
	for ; n.Valid(); n = n.Parent() {
		page := n.Parent()
		if n.Kind() != dom.ElementNode || !page.Is("", "page") || !page.Parent().Is("", "XFDL") {
			continue
		}
		switch n.Attr("sid") {
		case "CHECK16", "CHECK17", "FIELD47", "BUTTON2", "FIELD48":
			return page.Attr("sid") == "PAGE1"
		}
		return n.Is("", "triggeritem") && !n.Attribute("", "sid").Valid()
	}
	return false
}
