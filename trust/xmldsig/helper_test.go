package xmldsig

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/viadukt-eu/viadukt/trust/pki/brainpool"
	"github.com/viadukt-eu/viadukt/xmlcore/c14n"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// The keys of the tests are made once a run: an RSA key costs more than all the tests that use it.
var (
	rsaKey   = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	smallRSA = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 1024)) })
	p256Key  = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
	p384Key  = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)) })
	p521Key  = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader)) })
	bpKey    = sync.OnceValue(func() crypto.Signer {
		return bpSigner{must(brainpool.GenerateKey(brainpool.P256r1(), rand.Reader))}
	})
	edKey = sync.OnceValue(func() ed25519.PrivateKey { return must(edPair()) })
)

// bpSigner signs with a brainpool key as a key store would.
type bpSigner struct{ *ecdsa.PrivateKey }

func (s bpSigner) Sign(r io.Reader, digest []byte, _ crypto.SignerOpts) ([]byte, error) {
	return brainpool.SignASN1(r, s.PrivateKey, digest)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func parseDoc(tb testing.TB, src string) *dom.Document {
	tb.Helper()
	d, err := dom.Parse([]byte(src), dom.Limits{})
	if err != nil {
		tb.Fatalf("%v in %s", err, src)
	}
	return d
}

// signatureIn returns the i-th ds:Signature of a document.
func signatureIn(tb testing.TB, d *dom.Document, i int) dom.Node {
	tb.Helper()
	for n := range d.Node().Descendants() {
		if n.Kind() == dom.ElementNode && n.Is(Namespace, "Signature") {
			if i == 0 {
				return n
			}
			i--
		}
	}
	tb.Fatal("no ds:Signature")
	return dom.Node{}
}

func fixed(key crypto.PublicKey) func(dom.Node, string) (crypto.PublicKey, error) {
	return func(dom.Node, string) (crypto.PublicKey, error) { return key, nil }
}

// find returns the first element with that local name.
func find(tb testing.TB, d *dom.Document, local string) dom.Node {
	tb.Helper()
	for n := range d.Node().Descendants() {
		if n.Kind() == dom.ElementNode && n.Local() == local {
			return n
		}
	}
	tb.Fatalf("no element %s", local)
	return dom.Node{}
}

// checkSigned is the property every verification must have: each node it returns has canonical octets, by the last
// canonicalisation of its reference or the implicit one, whose hash is the digest of the reference.
func checkSigned(tb testing.TB, r *Result) {
	tb.Helper()
	for _, ref := range r.References {
		if !ref.Node.Valid() {
			continue
		}
		m := c14n.Method{Algorithm: c14n.Inclusive10}
		for _, t := range ref.Transforms {
			if t.Method.Algorithm != "" {
				m = t.Method
			}
		}
		if !strings.Contains(ref.URI, "xpointer") {
			if m.Algorithm == c14n.Exclusive10Comments {
				m.Algorithm = c14n.Exclusive10
			}
			m.Algorithm = strings.TrimSuffix(m.Algorithm, "#WithComments")
		}
		octets, err := c14n.Append(nil, m, ref.Node, ref.Except...)
		if err != nil {
			tb.Fatal(err)
		}
		hash, ok := DigestHash(ref.DigestMethod)
		if !ok {
			tb.Fatalf("reference %q: digest method %q", ref.URI, ref.DigestMethod)
		}
		h := hash.New()
		h.Write(octets)
		if !bytes.Equal(h.Sum(nil), ref.Digest) {
			tb.Errorf("reference %q: the octets of the returned node have another digest: %s", ref.URI, octets)
		}
	}
}

// sign completes a document whose only ds:Signature has empty DigestValue and SignatureValue elements: whatever
// SignedInfo says is computed and signed, sensible or not, as an attacker with a key would.
func sign(tb testing.TB, src string, key any) string {
	tb.Helper()
	for strings.Contains(src, "<ds:DigestValue></ds:DigestValue>") {
		d := parseDoc(tb, src)
		src = string(d.Source()) // offsets count in it
		sig := signatureIn(tb, d, 0)
		for ref := range sig.Child(Namespace, "SignedInfo").Elements() {
			v := ref.Child(Namespace, "DigestValue")
			if !v.Valid() || v.Text() != "" {
				continue
			}
			var r Reference
			filled := strings.Replace(string(ref.Raw()), "<ds:DigestValue></ds:DigestValue>", "<ds:DigestValue>"+zeros(ref)+"</ds:DigestValue>", 1)
			tmp := parseDoc(tb, src[:ref.Offset()]+filled+src[ref.Offset()+len(ref.Raw()):])
			opt := VerifyOptions{AllowSHA1: true}
			tsig := signatureIn(tb, tmp, 0)
			tref := dom.Node{}
			for n := range tsig.Child(Namespace, "SignedInfo").Elements() {
				if n.Offset() == ref.Offset() {
					tref = n
				}
			}
			if err := r.parse(tref, &opt); err != nil {
				tb.Fatal(err)
			}
			s := &scratch{}
			sum, err := r.compute(&chain{sig: tsig, budget: 1 << 30}, IndexIDs(tmp, IDPolicy{}), s, &opt)
			if err != nil {
				tb.Fatal(err)
			}
			filled = strings.Replace(string(ref.Raw()), "<ds:DigestValue></ds:DigestValue>", "<ds:DigestValue>"+base64.StdEncoding.EncodeToString(sum)+"</ds:DigestValue>", 1)
			src = src[:ref.Offset()] + filled + src[ref.Offset()+len(ref.Raw()):]
			break
		}
	}
	d := parseDoc(tb, src)
	info := signatureIn(tb, d, 0).Child(Namespace, "SignedInfo")
	m := must(c14n.ParseMethod(info.Child(Namespace, "CanonicalizationMethod")))
	octets := must(c14n.Append(nil, m, info))
	alg := signatures[info.Child(Namespace, "SignatureMethod").Attr("Algorithm")]
	var value []byte
	switch k := key.(type) {
	case HMACKey:
		mac := hmac.New(alg.digest.hash.New, k)
		mac.Write(octets)
		value = mac.Sum(nil)
	case crypto.Signer:
		value = must(signOctets(k, alg, octets, nil))
	}
	return strings.Replace(src, "<ds:SignatureValue></ds:SignatureValue>",
		"<ds:SignatureValue>"+base64.StdEncoding.EncodeToString(value)+"</ds:SignatureValue>", 1)
}

func zeros(ref dom.Node) string {
	h, _ := DigestHash(ref.Child(Namespace, "DigestMethod").Attr("Algorithm"))
	return base64.StdEncoding.EncodeToString(make([]byte, h.Size()))
}

// signature writes an unsigned ds:Signature for sign: refs are ds:Reference elements, rest what follows SignatureValue.
func signature(method, refs, rest string) string {
	return fmt.Sprintf(`<ds:Signature xmlns:ds="%s"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm="%s"></ds:CanonicalizationMethod>`+
		`<ds:SignatureMethod Algorithm="%s"></ds:SignatureMethod>%s</ds:SignedInfo><ds:SignatureValue></ds:SignatureValue>%s</ds:Signature>`,
		Namespace, c14n.Exclusive10, method, refs, rest)
}

// reference writes a ds:Reference with an empty digest. uri is the attribute as text, or "-" for none.
func reference(uri, digestMethod string, transforms ...string) string {
	var b strings.Builder
	b.WriteString("<ds:Reference")
	if uri != "-" {
		fmt.Fprintf(&b, ` URI="%s"`, uri)
	}
	b.WriteString(">")
	if len(transforms) > 0 {
		b.WriteString("<ds:Transforms>")
		for _, t := range transforms {
			if !strings.HasPrefix(t, "<") {
				t = fmt.Sprintf(`<ds:Transform Algorithm="%s"></ds:Transform>`, t)
			}
			b.WriteString(t)
		}
		b.WriteString("</ds:Transforms>")
	}
	fmt.Fprintf(&b, `<ds:DigestMethod Algorithm="%s"></ds:DigestMethod><ds:DigestValue></ds:DigestValue></ds:Reference>`, digestMethod)
	return b.String()
}

func edPair() (ed25519.PrivateKey, error) {
	_, k, err := ed25519.GenerateKey(rand.Reader)
	return k, err
}
