package xmldsig

import (
	"bytes"
	"crypto/sha256"
	"encoding/xml"
	"testing"

	"github.com/viadukt-eu/viadukt/xmlcore/c14n"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// FuzzVerify feeds documents with signatures and demands that whatever verifies returns only nodes whose canonical
// octets have the signed digest, and that nothing panics. The seeds carry their keys, so that mutations outside
// SignedInfo get as far as the references.
func FuzzVerify(f *testing.F) {
	ec := must(p256Key().PublicKey.Bytes())
	info := `<ds:KeyInfo><ds:KeyValue><d:ECKeyValue xmlns:d="` + Namespace11 + `"><d:NamedCurve URI="urn:oid:1.2.840.10045.3.1.7"/><d:PublicKey>` + b64(ec) + `</d:PublicKey></d:ECKeyValue></ds:KeyValue></ds:KeyInfo>`
	for _, refs := range []string{
		reference("#b", SHA256, c14n.Exclusive10),
		reference("", SHA256, Enveloped),
		reference("#xpointer(id('b'))", SHA1, c14n.Inclusive11Comments),
		reference("#xpointer(/)", SHA512, Enveloped, c14n.Exclusive10Comments) + reference("#o", SHA256, Base64),
		reference("#b", SHA3256, c14n.Exclusive10, c14n.Inclusive10),
		reference("#b", SHA256, `<ds:Transform Algorithm="`+c14n.Exclusive10+`"><ec:InclusiveNamespaces xmlns:ec="`+exclusiveNS+`" PrefixList="xs #default"></ec:InclusiveNamespaces></ds:Transform>`),
	} {
		f.Add([]byte(sign(f, orderHead+orderBody+signature(ECDSASHA256, refs, info+`<ds:Object Id="o">aGk=</ds:Object>`)+"</order>", p256Key())))
	}
	f.Add([]byte(order(f, HMACKey("k"), HMACSHA256)))
	f.Add([]byte(order(f, rsaKey(), RSAPSSSHA256)))
	f.Fuzz(func(t *testing.T, src []byte) {
		d, err := dom.Parse(bytes.Clone(src), dom.Limits{Bytes: 1 << 16, Depth: 64})
		if err != nil {
			return
		}
		for n := range d.Node().Descendants() {
			if n.Kind() != dom.ElementNode || !n.Is(Namespace, "Signature") {
				continue
			}
			r, err := Verify(n, VerifyOptions{AllowSHA1: true, AnyWidth: true, AllowHMAC: true, MinRSABits: 512, MaxReferences: 8})
			if (r == nil) == (err == nil) {
				t.Fatalf("result %v with error %v", r, err)
			}
			if err != nil {
				continue
			}
			checkSigned(t, r)
			for _, ref := range r.References {
				if ref.Node.Valid() && !r.Covers(ref.Node) && len(ref.Except) == 0 {
					t.Errorf("%q: the signed node is not covered", ref.URI)
				}
			}
		}
	})
}

// FuzzBase64 compares the decoder with its own pieces: wherever the text is cut, the octets are the same, and what is
// accepted has one encoding.
func FuzzBase64(f *testing.F) {
	f.Add([]byte("aGVsbG8gd29ybGQ="), 3)
	f.Add([]byte(" aG\r\nVsbG8 =="), 5)
	f.Add([]byte("aGk=="), 1)
	f.Fuzz(func(t *testing.T, text []byte, cut int) {
		var whole, pieces base64Decoder
		a, errA := whole.append(nil, text)
		if errA == nil {
			a, errA = whole.finish(a)
		}
		if cut < 0 || cut > len(text) {
			cut = len(text)
		}
		b, errB := pieces.append(nil, text[:cut])
		if errB == nil {
			b, errB = pieces.append(b, text[cut:])
		}
		if errB == nil {
			b, errB = pieces.finish(b)
		}
		if (errA == nil) != (errB == nil) || errA == nil && !bytes.Equal(a, b) {
			t.Fatalf("%q cut at %d: %x %v, whole %x %v", text, cut, b, errB, a, errA)
		}
		stripped := bytes.Join(bytes.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == '\t' || r == '\r' || r == '\n' }), nil)
		if errA == nil && b64(a) != string(stripped) {
			t.Fatalf("%q decodes to %x, which is encoded %s", text, a, b64(a))
		}
	})
}

// FuzzTransforms runs an expression over a document of some size and demands that nothing panics, that the octets are the same each time,
// and that the whole document is what remains where everything is kept.
func FuzzTransforms(f *testing.F) {
	for _, expr := range []string{"true()", "name() != 'p'", "self::text() or name() = 'p'", "count(../namespace::* | .) != count(../namespace::*)", "namespace-uri() = string()", "not(ancestor::b)"} {
		f.Add([]byte(`<a xmlns:p="urn:p" xmlns="urn:d"><b xmlns:q="urn:q" p:x="1" xml:lang="de">one<c xmlns=""/></b><!-- c --><?pi x?></a>`), expr, false)
		f.Add([]byte(`<p:a xmlns:p="urn:p"><b xmlns:p="urn:r">two</b></p:a>`), expr, true)
	}
	f.Fuzz(func(t *testing.T, src []byte, expr string, second bool) {
		doc, err := dom.Parse(bytes.Clone(src), dom.Limits{Bytes: 1 << 12, Depth: 32})
		if err != nil || len(expr) > 64 {
			return
		}
		var text bytes.Buffer
		xml.EscapeText(&text, []byte(expr))
		list := xpathTransform(text.String())
		if second {
			list = filter2("subtract", "//b") + list
		}
		parsed, err := dom.Parse([]byte(`<ds:Transforms xmlns:ds="`+Namespace+`">`+list+`</ds:Transforms>`), dom.Limits{})
		if err != nil {
			return
		}
		var r Reference
		if r.parseTransforms(parsed.Root(), &VerifyOptions{AllowXPath: true}) != nil {
			return
		}
		a, errA := DigestOctets(src, r.Transforms, SHA256)
		b, errB := DigestOctets(src, r.Transforms, SHA256)
		if (errA == nil) != (errB == nil) || !bytes.Equal(a, b) {
			t.Fatalf("%x %v, and again %x %v", a, errA, b, errB)
		}
		if expr == "true()" && !second && errA == nil {
			h := sha256.New()
			if err := (c14n.Method{Algorithm: c14n.Inclusive10}).Write(h, doc.Node()); err != nil || !bytes.Equal(h.Sum(nil), a) {
				t.Errorf("everything is not the whole document: %v", err)
			}
		}
	})
}
