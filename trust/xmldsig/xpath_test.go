package xmldsig

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/xmlcore/c14n"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// signedBy makes a document whose one reference is to all of it, after transforms, with a digest over want.
func signedBy(t *testing.T, body, transforms, want string) (*dom.Document, dom.Node, crypto.PublicKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(want))
	p, err := Prepare(key.Public(), []SignReference{{URI: "", Digest: sum[:], Transforms: []Transform{{Algorithm: "urn:here"}}}}, SignOptions{})
	if err != nil {
		t.Fatal(err)
	}
	placeholder := `<ds:Transform Algorithm="urn:here"></ds:Transform>`
	info := strings.Replace(string(p.octets), placeholder, transforms, 1)
	doc, err := dom.Parse([]byte(info), dom.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	canonical, err := c14n.Append(nil, c14n.Method{Algorithm: c14n.Exclusive10}, doc.Root())
	if err != nil {
		t.Fatal(err)
	}
	p.octets, p.body = canonical, bytes.IndexByte(canonical, '>')+1
	value, err := p.Value(key, nil)
	if err != nil {
		t.Fatal(err)
	}
	whole := strings.Replace(body, "SIGNATURE", string(p.complete(value)), 1)
	if doc, err = dom.Parse([]byte(whole), dom.Limits{}); err != nil {
		t.Fatal(err)
	}
	for i := range doc.Len() {
		if n := doc.At(i); n.Kind() == dom.ElementNode && n.Is(Namespace, "Signature") {
			return doc, n, key.Public()
		}
	}
	t.Fatal("no signature")
	return nil, dom.Node{}, nil
}

func xpathTransform(expr string) string {
	return `<ds:Transform Algorithm="` + XPath + `"><ds:XPath>` + expr + `</ds:XPath></ds:Transform>`
}

func filter2(kindAndExpr ...string) string {
	s := `<ds:Transform Algorithm="` + XPathFilter2 + `">`
	for i := 0; i < len(kindAndExpr); i += 2 {
		s += `<f:XPath xmlns:f="` + XPathFilter2 + `" Filter="` + kindAndExpr[i] + `">` + kindAndExpr[i+1] + `</f:XPath>`
	}
	return s + `</ds:Transform>`
}

const filtered = `<a><b id="1">one<c>deep</c></b><b id="2">two</b>SIGNATURE</a>`

func TestWhatTransformsByXPathLeaveIsWhatIsSigned(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, transforms, want, covered string }{
		{"the usual one", xpathTransform("not(ancestor-or-self::ds:Signature)"), `<a><b id="1">one<c>deep</c></b><b id="2">two</b></a>`, "1 2 c"},
		{"with an odd form", xpathTransform("count(ancestor-or-self::ds:Signature | here()/ancestor::ds:Signature[1]) > count(ancestor-or-self::ds:Signature)"),
			`<a><b id="1">one<c>deep</c></b><b id="2">two</b></a>`, ""},
		{"subtract", filter2("subtract", "//ds:Signature", "subtract", "//c"), `<a><b id="1">one</b><b id="2">two</b></a>`, "1 2"},
		{"intersect", filter2("intersect", "/a/b[@id='2']"), `<b id="2">two</b>`, ""},
		{"intersect, subtract, union", filter2("intersect", "//b", "subtract", "//b[@id='1']", "union", "//c"), `<c>deep</c><b id="2">two</b>`, ""},
		{"by ID", filter2("intersect", "id('2')"), `<b id="2">two</b>`, ""},
		{"attributes", xpathTransform("not(ancestor-or-self::ds:Signature) and not(self::attribute())"), `<a><b>one<c>deep</c></b><b>two</b></a>`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			doc, sig, key := signedBy(t, filtered, c.transforms, c.want)
			r, err := Verify(sig, VerifyOptions{AllowXPath: true, Key: fixed(key)})
			if err != nil {
				x, _ := Examine(sig, VerifyOptions{AllowXPath: true, Key: fixed(key)})
				var b bytes.Buffer
				x.WriteOctets(&b, 0, c14n.Method{})
				t.Fatalf("%v: %s", err, &b)
			}
			var covered []string
			for n := range doc.Root().Descendants() {
				if n.Kind() == dom.ElementNode && r.Covers(n) {
					covered = append(covered, n.Attr("id")+strings.Trim(n.Local(), "ab"))
				}
			}
			got := strings.Fields(strings.Join(covered, " "))
			want := strings.Fields(c.covered)
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("covered %v, want %s", got, c.covered)
			}
			if _, err := Verify(sig, VerifyOptions{Key: fixed(key)}); !errors.Is(err, ErrAlgorithm) {
				t.Errorf("not asked for: %v, want %v", err, ErrAlgorithm)
			}
		})
	}
}

func TestHostileExpressionsAreRefused(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", maxExpression) + " = 1"
	for name, c := range map[string]struct {
		transforms string
		want       error
	}{
		"no expression":       {`<ds:Transform Algorithm="` + XPath + `"></ds:Transform>`, ErrStructure},
		"a syntax error":      {xpathTransform("a[["), ErrAlgorithm},
		"an unknown function": {xpathTransform("document('file:///etc/passwd')"), ErrAlgorithm},
		"a document":          {xpathTransform("doc('file:///etc/passwd')"), ErrReference},
		"a long expression":   {xpathTransform(long), ErrAlgorithm},
		"no filter":           {filter2(), ErrStructure},
		"an unknown filter":   {filter2("replace", "/"), ErrStructure},
		"endless work":        {xpathTransform("count(//node()[count(preceding::node()[count(following::node()[last() > position()]) > position()]) > position()]) > position()"), ErrReference},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := `<a>` + strings.Repeat("<b/>", 300) + `SIGNATURE</a>`
			_, sig, key := signedBy(t, body, c.transforms, "")
			if _, err := Verify(sig, VerifyOptions{AllowXPath: true, Key: fixed(key)}); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
}
