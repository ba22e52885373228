package xmldsig

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
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
		{"one filter after another", filter2("intersect", "//b") + xpathTransform("self::text()"), "onedeeptwo", ""},
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

// Namespace nodes are chosen one by one, as attributes are, and need not go with their element [C14N10 2.3].
func TestNamespaceNodesThatExpressionsLeave(t *testing.T) {
	t.Parallel()
	const body = `<a xmlns:p="urn:p" xmlns:q="urn:q"><b xmlns:q="urn:r">one</b>SIGNATURE</a>`
	const content = "not(ancestor-or-self::ds:Signature) and "
	exclusive := `<ds:Transform Algorithm="` + c14n.Exclusive10 + `"></ds:Transform>`
	for _, c := range []struct{ name, transforms, want string }{
		{"with their element", xpathTransform(content + "true()"), `<a xmlns:p="urn:p" xmlns:q="urn:q"><b xmlns:q="urn:r">one</b></a>`},
		{"one prefix less", xpathTransform(content + "name() != 'q'"), `<a xmlns:p="urn:p"><b>one</b></a>`},
		{"by their value", xpathTransform(content + "(self::* or self::text() or string() = 'urn:r')"), `<a><b xmlns:q="urn:r">one</b></a>`},
		{"without their element", xpathTransform(content + "(self::text() or name() = 'p')"), ` xmlns:p="urn:p" xmlns:p="urn:p"one`},
		{"counted", xpathTransform(content + "count(../namespace::* | .) != count(../namespace::*)"), `<a><b>one</b></a>`},
		{"twice filtered", xpathTransform(content+"name() != 'q'") + xpathTransform("name() != 'p'"), `<a><b>one</b></a>`},
		{"and a subtree less", xpathTransform(content+"name() != 'q'") + filter2("subtract", "//b"), `<a xmlns:p="urn:p"></a>`},
		{"and the signature less", xpathTransform("name() != 'q'") + `<ds:Transform Algorithm="` + Enveloped + `"></ds:Transform>`, `<a xmlns:p="urn:p"><b>one</b></a>`},
		{"exclusive", xpathTransform(content+"name() != 'q'") + exclusive, `<a><b>one</b></a>`},
		{"a part of the signature less the signature", `<ds:Transform Algorithm="` + Enveloped + `"></ds:Transform>` + filter2("intersect", "//ds:SignedInfo"), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, sig, key := signedBy(t, body, c.transforms, c.want)
			if _, err := Verify(sig, VerifyOptions{AllowXPath: true, Key: fixed(key)}); err != nil {
				x, _ := Examine(sig, VerifyOptions{AllowXPath: true, Key: fixed(key)})
				var b bytes.Buffer
				x.WriteOctets(&b, 0, c14n.Method{})
				t.Fatalf("%v: %s", err, &b)
			}
			if c.want == "" {
				return // a set without nodes
			}
			_, sig, key = signedBy(t, strings.Replace(body, "urn:", "urn:other:", 3), c.transforms, c.want)
			changed := strings.Contains(c.want, "urn:")
			if _, err := Verify(sig, VerifyOptions{AllowXPath: true, Key: fixed(key)}); (err == nil) == changed || changed && !errors.Is(err, ErrDigest) {
				t.Errorf("with other namespaces: %v", err)
			}
		})
	}
}

func TestAReferenceToAPartOfTheSignature(t *testing.T) {
	t.Parallel()
	enveloped := `<ds:Transform Algorithm="` + Enveloped + `"></ds:Transform>`
	for _, c := range []struct {
		name, transforms string
		octets           string
	}{
		{"stays by itself", enveloped, "<o>x</o>"},
		{"goes where a set is made of it", enveloped + filter2("union", "/"), ""},
	} {
		doc := parseDoc(t, `<Signature xmlns="`+Namespace+`" xmlns:ds="`+Namespace+`"><Object><o xmlns="" Id="o">x</o></Object>`+
			`<Reference><Transforms>`+strings.ReplaceAll(c.transforms, "ds:", "")+`</Transforms></Reference></Signature>`)
		var r Reference
		if err := r.parseTransforms(find(t, doc, "Transforms"), &VerifyOptions{AllowXPath: true}); err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		ch := chain{sig: doc.Root(), budget: 1000, rest: c14n.Method{Algorithm: c14n.Exclusive10}}
		o, err := ch.digest(&b, data{nodes: nodes{apex: find(t, doc, "o")}}, r.Transforms)
		if got := strings.Replace(b.String(), ` Id="o"`, "", 1); err != nil || got != c.octets || o.whole != (c.octets != "") {
			t.Errorf("%s: %q, %+v, %v", c.name, got, o, err)
		}
	}
}

// What expressions may cost, all of a signature may cost together.
func TestExpressionsShareTheirWork(t *testing.T) {
	t.Parallel()
	for name, transform := range map[string]string{"filter": filter2("subtract", "//b"), "each node": xpathTransform("not(self::b)")} {
		doc := parseDoc(t, `<ds:Transforms xmlns:ds="`+Namespace+`">`+transform+`</ds:Transforms>`)
		var r Reference
		if err := r.parseTransforms(doc.Root(), &VerifyOptions{AllowXPath: true}); err != nil {
			t.Fatal(err)
		}
		c := chain{budget: 1 << 20}
		run := func() error {
			var b bytes.Buffer
			_, err := c.digest(&b, data{octets: []byte(`<a><b/>` + strings.Repeat("<c/>", 3000) + `</a>`)}, r.Transforms)
			return err
		}
		if err := run(); err != nil || c.steps == 0 {
			t.Fatalf("%s: %v, %d steps", name, err, c.steps)
		}
		once := c.steps
		if err := run(); err != nil || c.steps <= once {
			t.Errorf("%s again: %v, %d steps", name, err, c.steps)
		}
		c.steps = xpathWork
		if err := run(); !errors.Is(err, ErrStructure) {
			t.Errorf("%s with no work left: %v", name, err)
		}
	}
}

func TestHostileExpressionsAreRefused(t *testing.T) {
	t.Parallel()
	var prefixes strings.Builder
	for i := range maxPrefixes {
		fmt.Fprintf(&prefixes, ` xmlns:p%d="urn:p"`, i)
	}
	long := strings.Repeat("a", maxExpression) + " = 1"
	for name, c := range map[string]struct {
		transforms string
		want       error
		body       string
	}{
		"many prefixes":       {transforms: xpathTransform("name() != 'p'"), want: ErrStructure, body: "<a" + prefixes.String() + ">SIGNATURE</a>"},
		"no expression":       {transforms: `<ds:Transform Algorithm="` + XPath + `"></ds:Transform>`, want: ErrStructure},
		"a syntax error":      {transforms: xpathTransform("a[["), want: ErrAlgorithm},
		"an unknown function": {transforms: xpathTransform("document('file:///etc/passwd')"), want: ErrAlgorithm},
		"a document":          {transforms: xpathTransform("doc('file:///etc/passwd')"), want: ErrReference},
		"a long expression":   {transforms: xpathTransform(long), want: ErrAlgorithm},
		"no filter":           {transforms: filter2(), want: ErrStructure},
		"an unknown filter":   {transforms: filter2("replace", "/"), want: ErrStructure},
		"endless work":        {transforms: xpathTransform("count(//node()[count(preceding::node()[count(following::node()[last() > position()]) > position()]) > position()]) > position()"), want: ErrReference},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := `<a>` + strings.Repeat("<b/>", 300) + `SIGNATURE</a>`
			if c.body != "" {
				body = c.body
			}
			_, sig, key := signedBy(t, body, c.transforms, "")
			if _, err := Verify(sig, VerifyOptions{AllowXPath: true, Key: fixed(key)}); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
}
