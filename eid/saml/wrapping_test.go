package saml_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/eid/saml"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// parts of a response in clear, its assertion signed, itself signed or not.
type parts struct{ open, issuer, signature, status, assertion, end string }

func takeApart(t testing.TB, b []byte) parts {
	t.Helper()
	doc, err := dom.Parse(bytes.Clone(b), dom.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var p parts
	root := doc.Root()
	p.open, p.end = string(b[:root.FirstElement().Offset()]), "</saml2p:Response>"
	for e := range root.Elements() {
		switch e.Local() {
		case "Issuer":
			p.issuer = string(e.Raw())
		case "Signature":
			p.signature = string(e.Raw())
		case "Status":
			p.status = string(e.Raw())
		case "Assertion":
			p.assertion = string(e.Raw())
		}
	}
	return p
}

func (p parts) with(between ...string) []byte {
	return []byte(p.open + p.issuer + strings.Join(between, "") + p.end)
}

// signatureOf cuts the signature out of an assertion.
func signatureOf(t testing.TB, assertion string) (signature, rest string) {
	t.Helper()
	from, to := strings.Index(assertion, "<ds:Signature "), strings.Index(assertion, "</ds:Signature>")+len("</ds:Signature>")
	if from < 0 || to < from {
		t.Fatal("the assertion is not signed")
	}
	return assertion[from:to], assertion[:from] + assertion[to:]
}

// TestWrappedSignatures: content that nobody signed stands where a careless reader looks for what was signed.
func TestWrappedSignatures(t *testing.T) {
	t.Parallel()
	signer, reader := identity(t, pki.P256, "Signer"), identity(t, pki.P256, "Reader")
	b, err := answer().Marshal(saml.Sealing{Signing: saml.Signing{Identity: signer}, Assertions: true})
	if err != nil {
		t.Fatal(err)
	}
	p := takeApart(t, b)
	mallory := func(s string) string {
		return strings.NewReplacer("12345", "MALLORY", `ID="_assertion"`, `ID="_evil"`, `ID="_response"`, `ID="_evil"`).Replace(s)
	}
	sigA, bare := signatureOf(t, p.assertion)
	evil := mallory(bare)
	inSignature := func(sig, content string) string {
		return strings.Replace(sig, "</ds:Signature>", "<ds:Object>"+content+"</ds:Object></ds:Signature>", 1)
	}
	inEvil := func(sig, more string) string { // an evil assertion that shows a signature, and holds more at its end
		at := strings.Index(evil, "</saml2:Issuer>") + len("</saml2:Issuer>")
		return strings.Replace(evil[:at]+sig+evil[at:], "</saml2:Assertion>", more+"</saml2:Assertion>", 1)
	}
	whole := string(p.with(p.signature, p.status, p.assertion))
	good := string(p.with(p.status, p.assertion))
	for _, tt := range []struct{ name, src string }{
		{"the signed response inside the signature of another one", mallory(p.open) + p.issuer + inSignature(p.signature, whole) + p.status + evil + p.end},
		{"the signed response beside the signature of another one", mallory(p.open) + p.issuer + whole + p.signature + p.status + evil + p.end},
		{"the signed response as an extension of another one", mallory(p.open) + p.issuer + p.signature + "<saml2p:Extensions>" + whole + "</saml2p:Extensions>" + p.status + evil + p.end},
		{"an assertion before the signed one", string(p.with(p.status, evil, p.assertion))},
		{"an assertion behind the signed one", string(p.with(p.status, p.assertion, evil))},
		{"an assertion around the signed one", string(p.with(p.status, strings.Replace(evil, "</saml2:Assertion>", p.assertion+"</saml2:Assertion>", 1)))},
		{"an assertion with the signature, before the signed one", string(p.with(p.status, inEvil(sigA, ""), bare))},
		{"an assertion with the signature around the signed one", string(p.with(p.status, inEvil(sigA, bare)))},
		{"the signed assertion inside the signature of another one", string(p.with(p.status, inEvil(inSignature(sigA, bare), "")))},
		{"the signed assertion as advice of another one", string(p.with(p.status, inEvil(sigA, "<saml2:Advice>"+bare+"</saml2:Advice>")))},
		{"an assertion as an extension", string(p.with("<saml2p:Extensions>"+evil+"</saml2p:Extensions>", p.status, p.assertion))},
		{"an assertion with the same ID", string(p.with(p.status, strings.ReplaceAll(evil, "_evil", "_assertion"), p.assertion))},
		{"the same ID inside an extension", string(p.with("<saml2p:Extensions>"+strings.ReplaceAll(evil, "_evil", "_assertion")+"</saml2p:Extensions>", p.status, p.assertion))},
		{"two signatures", strings.Replace(good, sigA, sigA+sigA, 1)},
		{"the signature at the end", string(p.with(p.status, strings.Replace(bare, "</saml2:Assertion>", sigA+"</saml2:Assertion>", 1)))},
		{"a signature over the response in the assertion", string(p.with(p.status, strings.Replace(p.assertion, sigA, p.signature, 1)))},
		{"the assertion within another element", string(p.with(p.status, "<saml2:Wrapper>"+p.assertion+"</saml2:Wrapper>"))},
		{"an attribute twice", strings.Replace(string(p.with(p.status, evil)), "</saml2:AttributeStatement>", `<saml2:Attribute Name="`+natural+`/PersonIdentifier"><saml2:AttributeValue>MALLORY</saml2:AttributeValue></saml2:Attribute></saml2:AttributeStatement>`, 1)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := opening(signer, reader)
			o.Clear = true
			r, err := saml.ParseResponse([]byte(tt.src), o)
			if err == nil {
				t.Fatalf("it is taken: %+v", r.Assertions[0])
			}
			if !errors.Is(err, saml.ErrSyntax) && !errors.Is(err, saml.ErrSignature) {
				t.Errorf("refused for another reason: %v", err)
			}
		})
	}
	t.Run("only the assertion is signed", func(t *testing.T) {
		t.Parallel()
		o := opening(signer, reader)
		o.Clear = true
		if r, err := saml.ParseResponse([]byte(good), o); err != nil || r.Signer != nil || r.Assertions[0].Signer == nil {
			t.Errorf("it is not taken: %v", err)
		}
	})
	t.Run("a comment splits a value", func(t *testing.T) { // comments are not signed, and the whole text is the value
		t.Parallel()
		o := opening(signer, reader)
		o.Clear = true
		r, err := saml.ParseResponse([]byte(strings.Replace(good, "PT/EE/12345", "PT/EE/<!-- x -->12345", 1)), o)
		if err != nil {
			t.Fatal(err)
		}
		if v := r.Assertions[0].Attribute(natural + "/PersonIdentifier").Values[0].Text; v != "PT/EE/12345" {
			t.Errorf("the value is %q", v)
		}
	})
}

// TestNothingUnsignedComesOut: of thousands of responses rebuilt at random from the parts of good ones, all that are taken say what was signed.
func TestNothingUnsignedComesOut(t *testing.T) {
	t.Parallel()
	signer, reader := identity(t, pki.P256, "Signer"), identity(t, pki.P256, "Reader")
	b, err := answer().Marshal(saml.Sealing{Signing: saml.Signing{Identity: signer}, Assertions: true})
	if err != nil {
		t.Fatal(err)
	}
	o := opening(signer, reader)
	o.Clear = true
	said := func(r *saml.Response) string {
		var w strings.Builder
		for _, a := range r.Assertions {
			fmt.Fprint(&w, a.ID, a.Issuer, a.NameID, a.Context, a.Audiences, a.NotBefore, a.NotOnOrAfter, a.AuthnInstant)
			for _, attr := range a.Attributes {
				fmt.Fprint(&w, attr.Name)
				for _, v := range attr.Values {
					fmt.Fprint(&w, v.Type, v.Text, v.Extra)
				}
			}
		}
		return w.String()
	}
	first, err := saml.ParseResponse(bytes.Clone(b), o)
	if err != nil {
		t.Fatal(err)
	}
	want := said(first)
	p := takeApart(t, b)
	starts := [][]byte{b, p.with(p.status, p.assertion)}
	rnd := rand.New(rand.NewPCG(1, 2))
	taken := 0
	for range 3_000 {
		src := bytes.Clone(starts[rnd.IntN(2)])
		for range 1 + rnd.IntN(3) {
			src = rebuild(rnd, src)
		}
		r, err := saml.ParseResponse(bytes.Clone(src), o)
		if err != nil {
			continue
		}
		taken++
		if got := said(r); got != want {
			t.Fatalf("this was taken and never signed: %s\n%s", got, src)
		}
	}
	if taken < 30 { // changes of comments and of what stands around signed assertions
		t.Errorf("only %d rebuilt responses are taken: the test looks at nothing", taken)
	}
}

// rebuild copies, moves, removes or changes one node.
func rebuild(rnd *rand.Rand, src []byte) []byte {
	doc, err := dom.Parse(bytes.Clone(src), dom.Limits{})
	if err != nil {
		return src
	}
	var nodes []dom.Node
	for n := range doc.Node().Descendants() {
		if n.Kind() == dom.ElementNode || n.Kind() == dom.TextNode {
			nodes = append(nodes, n)
		}
	}
	n, to := nodes[rnd.IntN(len(nodes))], nodes[rnd.IntN(len(nodes))]
	raw := slices.Clone(n.Raw())
	from, end := n.Offset(), n.Offset()+len(n.Raw())
	at := to.Offset()
	switch rnd.IntN(7) {
	case 0: // copied
		return slices.Concat(src[:at], raw, src[at:])
	case 1: // removed
		return slices.Concat(src[:from], src[end:])
	case 2: // replaced by another node
		return slices.Concat(src[:from], to.Raw(), src[end:])
	case 3: // with other text
		return slices.Concat(src[:from], bytes.ReplaceAll(raw, []byte("12345"), []byte("99999")), src[end:])
	case 4: // under another ID
		return slices.Concat(src[:from], bytes.Replace(raw, []byte(`ID="_assertion"`), []byte(`ID="_response"`), 1), src[end:])
	case 5: // with a comment before it
		return slices.Concat(src[:from], []byte("<!--x-->"), src[from:])
	default: // around another node
		return slices.Concat(src[:at], []byte("<saml2:Advice>"), to.Raw(), []byte("</saml2:Advice>"), src[at+len(to.Raw()):])
	}
}
