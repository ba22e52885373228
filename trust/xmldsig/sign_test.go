package xmldsig

import (
	"bytes"
	"crypto"
	"errors"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/xmlcore/c14n"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

const envelope = `<S:Envelope xmlns:S="http://www.w3.org/2003/05/soap-envelope" xmlns:xs="http://www.w3.org/2001/XMLSchema">` +
	`<S:Header><m:Messaging xmlns:m="urn:messaging" xmlns:u="` + wsuNS + `" u:Id="_m"><m:Id>4711 &amp; 12</m:Id></m:Messaging>` +
	`<sec:Security xmlns:sec="urn:security" xmlns:q="urn:q"></sec:Security></S:Header>` +
	"<S:Body xmlns:u=\"" + wsuNS + "\" u:Id=\"_b\">\n <x a='1'  b='2'/> caf\u00e9</S:Body></S:Envelope>"

// splice puts the signature where AS4 has it.
func splice(src string, sig []byte) string {
	return strings.Replace(src, "</sec:Security>", string(sig)+"</sec:Security>", 1)
}

func envelopeRefs(tb testing.TB, m c14n.Method) []SignReference {
	d := parseDoc(tb, envelope)
	return []SignReference{
		{URI: "#_m", Node: find(tb, d, "Messaging"), Transforms: []Transform{Canonicalize(m)}},
		{URI: "#_b", Node: find(tb, d, "Body"), Transforms: []Transform{Canonicalize(m)}},
	}
}

func TestWhatIsSignedVerifiesInsideSOAP(t *testing.T) {
	t.Parallel()
	exclusive := c14n.Method{Algorithm: c14n.Exclusive10}
	listed := c14n.Method{Algorithm: c14n.Exclusive10, InclusivePrefixes: []string{"S", "xs", "#default"}}
	inScope := map[string]string{"S": "http://www.w3.org/2003/05/soap-envelope", "xs": "http://www.w3.org/2001/XMLSchema", "sec": "urn:security", "q": "urn:q"}
	for _, c := range []struct {
		name   string
		key    crypto.Signer
		method string
		opt    SignOptions
		refs   c14n.Method
	}{
		{"RSA by default", rsaKey(), "", SignOptions{}, exclusive},
		{"RSA SHA-384", rsaKey(), RSASHA384, SignOptions{}, exclusive},
		{"RSA SHA-512", rsaKey(), RSASHA512, SignOptions{}, exclusive},
		{"RSA SHA-224", rsaKey(), RSASHA224, SignOptions{}, exclusive},
		{"RSA-PSS SHA-256", rsaKey(), RSAPSSSHA256, SignOptions{}, exclusive},
		{"RSA-PSS SHA-512", rsaKey(), RSAPSSSHA512, SignOptions{}, exclusive},
		{"RSA-PSS SHA3-256", rsaKey(), RSAPSSSHA3256, SignOptions{}, exclusive},
		{"RSA-PSS with the parameters left to their defaults", rsaKey(), RSAPSS, SignOptions{}, exclusive},
		{"ECDSA P-256 by default", p256Key(), "", SignOptions{}, exclusive},
		{"ECDSA P-384 by default", p384Key(), "", SignOptions{}, exclusive},
		{"ECDSA P-521 by default", p521Key(), "", SignOptions{}, exclusive},
		{"ECDSA SHA3-512", p521Key(), ECDSASHA3512, SignOptions{}, exclusive},
		{"ECDSA brainpool", bpKey(), "", SignOptions{}, exclusive},
		{"Ed25519 by default", edKey(), "", SignOptions{}, exclusive},
		{"another prefix", edKey(), "", SignOptions{Prefix: "sig", ID: "S-1", ValueID: "SV-1"}, exclusive},
		{"PrefixList on the references", edKey(), "", SignOptions{}, listed},
		{"PrefixList on SignedInfo", edKey(), "", SignOptions{Canonicalization: listed, InScope: inScope}, listed},
		{"inclusive SignedInfo in its scope", edKey(), "", SignOptions{Canonicalization: c14n.Method{Algorithm: c14n.Inclusive10}, InScope: inScope}, exclusive},
		{"inclusive 1.1 SignedInfo in its scope", p256Key(), "", SignOptions{Canonicalization: c14n.Method{Algorithm: c14n.Inclusive11}, InScope: inScope}, listed},
		{"references with comments", edKey(), "", SignOptions{}, c14n.Method{Algorithm: c14n.Exclusive10Comments}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.opt.SignatureMethod = c.method
			c.opt.KeyInfo = func(w *dom.Writer) { w.Element(prefixOr(c.opt.Prefix)+":KeyName", "k&1") }
			c.opt.Object = func(w *dom.Writer) { w.Element(prefixOr(c.opt.Prefix)+":Object", "o", "Id", "o") }
			sig, err := Sign(c.key, envelopeRefs(t, c.refs), c.opt)
			if err != nil {
				t.Fatal(err)
			}
			d := parseDoc(t, splice(envelope, sig))
			var asked string
			r, err := Verify(signatureIn(t, d, 0), VerifyOptions{Key: func(info dom.Node, method string) (crypto.PublicKey, error) {
				asked = method
				if info.FirstElement().Text() != "k&1" {
					t.Errorf("KeyInfo %s", info.Raw())
				}
				return c.key.Public(), nil
			}})
			if err != nil {
				t.Fatalf("%v\n%s", err, sig)
			}
			checkSigned(t, r)
			if asked != r.SignatureMethod || c.method != "" && asked != c.method {
				t.Errorf("method %s, key asked for %s, wanted %s", r.SignatureMethod, asked, c.method)
			}
			if len(r.References) != 2 || r.References[0].Node != find(t, d, "Messaging") || r.References[1].Node != find(t, d, "Body") {
				t.Errorf("references %+v", r.References)
			}
			if !r.Covers(find(t, d, "x")) || r.Covers(find(t, d, "Security")) || r.Covers(d.Root()) {
				t.Error("covered: x must be, Security and the root must not")
			}
		})
	}
}

func prefixOr(p string) string {
	if p == "" {
		return "ds"
	}
	return p
}

// What was hashed is what a verifier canonicalises: the equality that lets Sign do without a parser.
func TestSignedInfoIsWrittenInCanonicalForm(t *testing.T) {
	t.Parallel()
	inScope := map[string]string{"": "urn:default", "a": "urn:a", "z": "urn:z", "ec": exclusiveNS, "xml": xmlNS}
	listed := []string{"z", "#default", "absent", "ec"}
	for _, m := range []c14n.Method{
		{Algorithm: c14n.Exclusive10},
		{Algorithm: c14n.Exclusive10, InclusivePrefixes: listed},
		{Algorithm: c14n.Exclusive10Comments, InclusivePrefixes: []string{"a"}},
		{Algorithm: c14n.Inclusive10},
		{Algorithm: c14n.Inclusive10Comments},
		{Algorithm: c14n.Inclusive11},
		{Algorithm: c14n.Inclusive11Comments},
	} {
		opt := SignOptions{Prefix: "ds", Canonicalization: m, InScope: inScope}
		refs := []SignReference{
			{URI: "cid:a<b>&\"c\"", ID: "r\t1", Type: "urn:type", Digest: make([]byte, 32), Transforms: []Transform{{Algorithm: AttachmentContent}}},
			{Anonymous: true, DigestMethod: SHA512, Digest: make([]byte, 64), Transforms: []Transform{
				Canonicalize(c14n.Method{Algorithm: c14n.Exclusive10, InclusivePrefixes: listed})}},
		}
		info := infoWriter{opt: &opt, name: "ds:", w: dom.NewWriter(nil)}
		if _, err := info.write(signatures[RSASHA256], refs); err != nil {
			t.Fatal(err)
		}
		sig, err := Sign(edKey(), refs, opt)
		if err != nil {
			t.Fatal(err)
		}
		opt.SignatureMethod = Ed25519
		doc := `<root xmlns="urn:default" xmlns:a="urn:a"><z xmlns:z="urn:z" xmlns:ec="` + exclusiveNS + `">` + string(sig) + `</z></root>`
		got, err := c14n.Append(nil, m, signatureIn(t, parseDoc(t, doc), 0).Child(Namespace, "SignedInfo"))
		if err != nil {
			t.Fatal(err)
		}
		want := bytes.Replace(info.w.Bytes(), []byte(RSASHA256), []byte(Ed25519), 1)
		if !bytes.Equal(got, want) {
			t.Errorf("%+v\nwritten   %s\ncanonical %s", m, want, got)
		}
	}
}

func TestSignEnveloped(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, src, method, tail string }{
		{"a plain document", "<a xmlns='urn:a' xmlns:b='urn:b'>\n <b:c/>\n</a>", "", "</ds:Signature></a>"},
		{"an empty root", "<a/>", "", "</ds:Signature></a>"},
		{"an empty root with attributes", `<p:a xmlns:p="urn:p" b="&lt;/&gt;" />`, "", "</ds:Signature></p:a>"},
		{"white space in the end tag and text after it", "<a></a \n>\n<!-- end -->", "", "</ds:Signature></a \n>\n<!-- end -->"},
		{"an XML declaration with another encoding", "<?xml version='1.0' encoding='ISO-8859-1'?>\n<?style x?><a>caf\xe9</a>", c14n.Inclusive10, "</ds:Signature></a>"},
		{"line ends of Windows", "<a>\r\n<b/>\r\n</a>\r\n", c14n.Inclusive11, "</ds:Signature></a>\n"},
		{"exclusive SignedInfo below xml:lang", "<a xml:lang='et'><b/></a>", c14n.Exclusive10, "</ds:Signature></a>"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			out, err := SignEnveloped(p256Key(), parseDoc(t, c.src), EnvelopedOptions{Canonicalization: c.method, ID: "S"})
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.HasSuffix(out, []byte(c.tail)) {
				t.Errorf("ends with %s", out[len(out)-min(len(out), 60):])
			}
			d := parseDoc(t, string(out))
			sig := signatureIn(t, d, 0)
			r, err := Verify(sig, VerifyOptions{Key: fixed(p256Key().Public())})
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			checkSigned(t, r)
			ref := r.References[0]
			if sig.Parent() != d.Root() || ref.URI != "" || ref.Anonymous || ref.Node != d.Node() || len(ref.Except) != 1 || ref.Except[0] != sig {
				t.Errorf("reference %+v", ref)
			}
			if !r.Covers(d.Root()) || r.Covers(sig) || r.Covers(sig.FirstElement()) {
				t.Error("the root must be covered and the signature not")
			}
		})
	}
}

func TestSignRefuses(t *testing.T) {
	t.Parallel()
	d := parseDoc(t, `<a Id="a" xml:lang="en"/>`)
	good := SignReference{URI: "#a", Node: d.Root()}
	for _, c := range []struct {
		name string
		refs []SignReference
		opt  SignOptions
		want error
	}{
		{"no reference", nil, SignOptions{}, ErrReference},
		{"a reference with neither node nor digest", []SignReference{{URI: "#a"}}, SignOptions{}, ErrReference},
		{"an element under the URI of the whole document", []SignReference{{Node: d.Root()}}, SignOptions{}, ErrReference},
		{"the document under the URI of an element", []SignReference{{URI: "#a", Node: d.Node()}}, SignOptions{}, ErrReference},
		{"a node for an external URI", []SignReference{{URI: "cid:a", Node: d.Root()}}, SignOptions{}, ErrReference},
		{"a digest of another method", []SignReference{{URI: "cid:a", Digest: make([]byte, 20)}}, SignOptions{}, ErrDigest},
		{"an unknown digest method", []SignReference{{URI: "#a", Node: d.Root(), DigestMethod: "urn:x"}}, SignOptions{}, ErrAlgorithm},
		{"an unknown transform", []SignReference{{URI: "#a", Node: d.Root(), Transforms: []Transform{{Algorithm: "urn:x"}}}}, SignOptions{}, ErrAlgorithm},
		{"SHA-1", []SignReference{good}, SignOptions{SignatureMethod: RSASHA1}, ErrAlgorithm},
		{"RIPEMD-160", []SignReference{good}, SignOptions{SignatureMethod: RSARIPEMD160}, ErrAlgorithm},
		{"an unknown method", []SignReference{good}, SignOptions{SignatureMethod: "urn:x"}, ErrAlgorithm},
		{"HMAC with a signature key", []SignReference{good}, SignOptions{SignatureMethod: HMACSHA256}, ErrKey},
		{"ECDSA with an Ed25519 key", []SignReference{good}, SignOptions{SignatureMethod: ECDSASHA256}, ErrKey},
		{"an unknown canonicalisation", []SignReference{good}, SignOptions{Canonicalization: c14n.Method{Algorithm: "urn:x"}}, ErrAlgorithm},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if _, err := Sign(edKey(), c.refs, c.opt); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
	if _, err := SignEnveloped(edKey(), d, EnvelopedOptions{}); !errors.Is(err, ErrAlgorithm) {
		t.Errorf("inclusive SignedInfo below xml:lang: %v", err)
	}
}
