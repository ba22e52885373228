package xmldsig

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/trust/pki/brainpool"
	"github.com/viadukt-eu/viadukt/xmlcore/c14n"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

const (
	orderBody = `<body Id="b"><amount>100</amount></body>`
	orderHead = `<order xmlns="urn:o" xmlns:xs="urn:xs">`
)

// order is a small signed document: the signature comes after the body it refers to.
func order(tb testing.TB, key any, method string, refs ...string) string {
	if refs == nil {
		refs = []string{reference("#b", SHA256, c14n.Exclusive10)}
	}
	return sign(tb, orderHead+orderBody+signature(method, strings.Join(refs, ""), "")+"</order>", key)
}

// replace is strings.Replace that insists on a hit, so that no attack turns into the good document by a typing slip.
func replace(tb testing.TB, s, old, new string) string {
	tb.Helper()
	if !strings.Contains(s, old) {
		tb.Fatalf("%q is not in %s", old, s)
	}
	return strings.Replace(s, old, new, 1)
}

func TestWrappedSignatureCoversOnlyWhatWasSigned(t *testing.T) {
	t.Parallel()
	good := order(t, edKey(), Ed25519)
	forged := `<body Id="evil"><amount>999</amount></body>`
	for _, c := range []struct{ name, src string }{
		{"the signed element moved under another parent, another in its place", replace(t, good, orderBody, forged+"<hide>"+orderBody+"</hide>")},
		{"the signed element moved behind the signature", replace(t, replace(t, good, orderBody, forged), "</order>", orderBody+"</order>")},
		{"the signed element moved into an Object of the signature", replace(t, replace(t, good, orderBody, forged), "</ds:Signature>", "<ds:Object>"+orderBody+"</ds:Object></ds:Signature>")},
		{"the forged element without any ID", replace(t, good, orderBody, `<body><amount>999</amount></body><hide>`+orderBody+"</hide>")},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := parseDoc(t, c.src)
			r, err := Verify(signatureIn(t, d, 0), VerifyOptions{Key: fixed(edKey().Public())})
			if err != nil {
				t.Fatal(err)
			}
			checkSigned(t, r)
			amount := find(t, d, "amount")
			if hidden := strings.Index(c.src, "100") < strings.Index(c.src, "999"); hidden || amount.Text() != "999" {
				t.Fatalf("the first amount is %s", amount.Text())
			}
			if r.Covers(amount) || r.Covers(amount.Parent()) || r.Covers(d.Root()) {
				t.Error("the forged element is said to be signed")
			}
			if got := r.References[0].Node.FirstElement(); got.Text() != "100" || !r.Covers(got) {
				t.Errorf("the signed node says %s", got.Text())
			}
		})
	}
}

func TestCommentInSignedTextIsNotCovered(t *testing.T) {
	t.Parallel()
	src := replace(t, order(t, edKey(), Ed25519), "100", "1<!--9-->00")
	d := parseDoc(t, src)
	r, err := Verify(signatureIn(t, d, 0), VerifyOptions{Key: fixed(edKey().Public())})
	if err != nil {
		t.Fatal(err)
	}
	amount := find(t, d, "amount")
	if amount.Text() != "100" || !r.Covers(amount) {
		t.Errorf("the whole text %q is what was signed", amount.Text())
	}
	for n := range amount.Children() {
		if covered := r.Covers(n); covered != (n.Kind() == dom.TextNode) {
			t.Errorf("%s %q covered: %v", n.Kind(), n.Value(), covered)
		}
	}
}

func TestHostile(t *testing.T) {
	t.Parallel()
	ed, rs, ec := order(t, edKey(), Ed25519), order(t, rsaKey(), RSASHA256), order(t, p256Key(), ECDSASHA256)
	forged := `<body Id="b"><amount>999</amount></body>`
	prefixed := order(t, edKey(), Ed25519, reference("#b", SHA256, `<ds:Transform Algorithm="`+c14n.Exclusive10+`"><ec:InclusiveNamespaces xmlns:ec="`+exclusiveNS+`" PrefixList="xs"></ec:InclusiveNamespaces></ds:Transform>`))
	emptySum := sha256.Sum256(nil)
	empty := base64.StdEncoding.EncodeToString(emptySum[:])
	spki := must(x509.MarshalPKIXPublicKey(rsaKey().Public()))

	for _, c := range []struct {
		name string
		src  string
		key  crypto.PublicKey
		opt  VerifyOptions
		want error
	}{
		// wrapping
		{"a second element with the ID before the signed one", replace(t, ed, orderBody, forged+orderBody), nil, VerifyOptions{}, ErrReference},
		{"a second element with the ID after the signed one", replace(t, ed, orderBody, orderBody+forged), nil, VerifyOptions{}, ErrReference},
		{"the second element inside an Object of the signature", replace(t, ed, "</ds:Signature>", "<ds:Object>"+forged+"</ds:Object></ds:Signature>"), nil, VerifyOptions{}, ErrReference},
		{"the ID shadowed by wsu:Id", replace(t, ed, orderBody, `<body xmlns:u="`+wsuNS+`" u:Id="b"/>`+orderBody), nil, VerifyOptions{}, ErrReference},
		{"the ID shadowed by xml:id", replace(t, ed, orderBody, orderBody+`<body xml:id="b"/>`), nil, VerifyOptions{}, ErrReference},
		{"the ID shadowed by ID", replace(t, ed, orderBody, orderBody+`<body ID="b"/>`), nil, VerifyOptions{}, ErrReference},
		{"the ID shadowed by id", replace(t, ed, orderBody, orderBody+`<body id="b"/>`), nil, VerifyOptions{}, ErrReference},
		{"the signed element gone", replace(t, ed, orderBody, ""), nil, VerifyOptions{}, ErrReference},
		{"the ID on an attribute that is none by the policy", ed, nil, VerifyOptions{IDAttributes: IDPolicy{[]IDName{{"", "ID"}}}}, ErrReference},
		{"the signed element changed", replace(t, ed, "100", "999"), nil, VerifyOptions{}, ErrDigest},
		{"an attribute added to the signed element", replace(t, ed, "<amount>", `<amount a="">`), nil, VerifyOptions{}, ErrDigest},
		{"an element wedged into the signed one", replace(t, ed, "</amount>", `</amount><x/>`), nil, VerifyOptions{}, ErrDigest},
		{"a namespace redeclared where it is used", replace(t, ed, "<amount>", `<amount xmlns="urn:other">`), nil, VerifyOptions{}, ErrDigest},
		{"a prefix of the PrefixList given another meaning outside", replace(t, prefixed, `xmlns:xs="urn:xs"`, `xmlns:xs="urn:evil"`), nil, VerifyOptions{}, ErrDigest},
		{"a prefix of the PrefixList taken away", replace(t, prefixed, ` xmlns:xs="urn:xs"`, ``), nil, VerifyOptions{}, ErrDigest},
		{"a signature that signs nothing: enveloped inside itself",
			sign(t, orderHead+signature(Ed25519, strings.Replace(reference("#o", SHA256, Enveloped), "<ds:DigestValue></", "<ds:DigestValue>"+empty+"</", 1), `<ds:Object Id="o"><amount>999</amount></ds:Object>`)+"</order>", edKey()),
			nil, VerifyOptions{}, ErrDigest},
		{"a signature that signs itself away", sign(t, orderHead+replace(t, signature(Ed25519, strings.Replace(reference("#s", SHA256, Enveloped), "<ds:DigestValue></", "<ds:DigestValue>"+empty+"</", 1), ""), "<ds:Signature ", `<ds:Signature Id="s" `)+"</order>", edKey()),
			nil, VerifyOptions{}, ErrReference},
		{"a reference to the signature's own parent without enveloped-signature",
			order(t, edKey(), Ed25519, reference("", SHA256, c14n.Exclusive10)), nil, VerifyOptions{}, ErrDigest},
		{"a second signature added after an enveloped one",
			replace(t, order(t, edKey(), Ed25519, reference("", SHA256, Enveloped)), "</order>", signature(Ed25519, reference("#b", SHA256), "")+"</order>"), nil, VerifyOptions{}, ErrDigest},

		// structure
		{"no reference at all", order(t, edKey(), Ed25519, ""), nil, VerifyOptions{}, ErrStructure},
		{"two references without URI", order(t, edKey(), Ed25519, zeroed(reference("-", SHA256)), zeroed(reference("-", SHA256))), nil, VerifyOptions{}, ErrStructure},
		{"more references than allowed", order(t, edKey(), Ed25519, zeroed(reference("cid:1", SHA256)), zeroed(reference("cid:2", SHA256)), zeroed(reference("cid:3", SHA256))), nil, VerifyOptions{MaxReferences: 2}, ErrStructure},
		{"1001 references", order(t, edKey(), Ed25519, strings.Repeat(zeroed(reference("#b", SHA256)), 1001)), nil, VerifyOptions{}, ErrStructure},
		{"1000 good references to a large document", repeated(t, 1000, 5000), nil, VerifyOptions{}, ErrStructure},
		{"31 transforms", order(t, edKey(), Ed25519, zeroed(reference("#b", SHA256, slices.Repeat([]string{c14n.Exclusive10}, 31)...))), nil, VerifyOptions{}, ErrStructure},
		{"an empty Transforms", replace(t, ed, "<ds:Transforms>", "<ds:Transforms/><ds:Transforms>"), nil, VerifyOptions{}, ErrStructure},
		{"an element of the Signature twice", replace(t, ed, "</ds:SignatureValue>", "</ds:SignatureValue><ds:SignatureValue>AAAA</ds:SignatureValue>"), nil, VerifyOptions{}, ErrStructure},
		{"two SignedInfo", replace(t, ed, "<ds:SignedInfo>", "<ds:SignedInfo/><ds:SignedInfo>"), nil, VerifyOptions{}, ErrStructure},
		{"a second SignedInfo in another namespace before it", replace(t, ed, "<ds:SignedInfo>", `<SignedInfo/><ds:SignedInfo>`), nil, VerifyOptions{}, ErrStructure},
		{"KeyInfo before SignatureValue", replace(t, ed, "<ds:SignatureValue>", "<ds:KeyInfo/><ds:SignatureValue>"), nil, VerifyOptions{}, ErrStructure},
		{"KeyInfo after Object", replace(t, ed, "</ds:Signature>", "<ds:Object/><ds:KeyInfo/></ds:Signature>"), nil, VerifyOptions{}, ErrStructure},
		{"a foreign element in SignedInfo", replace(t, ed, "</ds:SignedInfo>", "<x/></ds:SignedInfo>"), nil, VerifyOptions{}, ErrStructure},
		{"text in SignedInfo", replace(t, ed, "</ds:SignedInfo>", "x</ds:SignedInfo>"), nil, VerifyOptions{}, ErrStructure},
		{"a parameter where the canonicalisation has none", replace(t, ed, "</ds:CanonicalizationMethod>", "<x/></ds:CanonicalizationMethod>"), nil, VerifyOptions{}, ErrStructure},
		{"an element inside DigestValue", replace(t, ed, "<ds:DigestValue>", "<ds:DigestValue><x/>"), nil, VerifyOptions{}, ErrStructure},
		{"a signature method without Algorithm", replace(t, ed, `<ds:SignatureMethod Algorithm="`+Ed25519+`">`, "<ds:SignatureMethod>"), nil, VerifyOptions{}, ErrStructure},
		{"an HMAC length on a method that is none", replace(t, ed, "</ds:SignatureMethod>", "<ds:HMACOutputLength>8</ds:HMACOutputLength></ds:SignatureMethod>"), nil, VerifyOptions{}, ErrStructure},
		{"PSS parameters on a method that fixes them", replace(t, order(t, rsaKey(), RSAPSSSHA256), "</ds:SignatureMethod>", `<p:RSAPSSParams xmlns:p="`+moreNS+`"/></ds:SignatureMethod>`), rsaKey().Public(), VerifyOptions{}, ErrStructure},

		// algorithms
		{"an unknown signature method", replace(t, ed, Ed25519, "urn:none"), nil, VerifyOptions{}, ErrAlgorithm},
		{"SHA-1 in the signature", order(t, rsaKey(), RSASHA1), rsaKey().Public(), VerifyOptions{}, ErrAlgorithm},
		{"SHA-1 in a digest", order(t, edKey(), Ed25519, reference("#b", SHA1)), nil, VerifyOptions{}, ErrAlgorithm},
		{"MD5 in the signature", order(t, rsaKey(), RSAMD5), rsaKey().Public(), VerifyOptions{}, ErrAlgorithm},
		{"RIPEMD-160 in the signature", order(t, rsaKey(), RSARIPEMD160), rsaKey().Public(), VerifyOptions{}, ErrAlgorithm},
		{"RIPEMD-160 in a digest", order(t, edKey(), Ed25519, reference("#b", RIPEMD160)), nil, VerifyOptions{}, ErrAlgorithm},
		{"SHA-1 that the caller lists but does not admit as old", order(t, edKey(), Ed25519, reference("#b", SHA1)), nil, VerifyOptions{Digests: []string{SHA1}}, ErrAlgorithm},
		{"a signature method off the caller's list", rs, rsaKey().Public(), VerifyOptions{Signatures: []string{Ed25519}}, ErrAlgorithm},
		{"a digest off the caller's list", ed, nil, VerifyOptions{Digests: []string{SHA512}}, ErrAlgorithm},
		{"a transform off the caller's list", order(t, edKey(), Ed25519, reference("", SHA256, Enveloped)), nil, VerifyOptions{Transforms: []string{c14n.Exclusive10}}, ErrAlgorithm},
		{"a canonicalisation off the caller's list", ed, nil, VerifyOptions{Canonicalizations: []string{c14n.Inclusive10}}, ErrAlgorithm},
		{"an XSLT transform", order(t, edKey(), Ed25519, zeroed(reference("#b", SHA256, "http://www.w3.org/TR/1999/REC-xslt-19991116"))), nil, VerifyOptions{}, ErrAlgorithm},
		{"an XPath transform", order(t, edKey(), Ed25519, zeroed(reference("#b", SHA256, "http://www.w3.org/TR/1999/REC-xpath-19991116"))), nil, VerifyOptions{}, ErrAlgorithm},
		{"an attachment transform on an element", order(t, edKey(), Ed25519, zeroed(reference("#b", SHA256, AttachmentContent))), nil, VerifyOptions{}, ErrAlgorithm},
		{"the digest of the method exchanged after signing", replace(t, rs, RSASHA256, RSASHA512), rsaKey().Public(), VerifyOptions{}, ErrSignature},
		{"PKCS #1 presented as PSS", replace(t, rs, RSASHA256, RSAPSSSHA256), rsaKey().Public(), VerifyOptions{}, ErrSignature},
		{"the canonicalisation exchanged after signing", replace(t, ed, c14n.Exclusive10, c14n.Inclusive10), nil, VerifyOptions{}, ErrSignature},

		// keys
		{"RSA of 1024 bits", order(t, smallRSA(), RSASHA256), smallRSA().Public(), VerifyOptions{}, ErrKey},
		{"no KeyInfo and no key from the caller", ed, keyInfoOnly, VerifyOptions{}, ErrKey},
		{"a key of another kind", ed, rsaKey().Public(), VerifyOptions{}, ErrKey},
		{"another key", ed, edOther.Public(), VerifyOptions{}, ErrSignature},
		{"HMAC made with the octets of the public key", order(t, HMACKey(spki), HMACSHA256), rsaKey().Public(), VerifyOptions{}, ErrAlgorithm},
		{"the same where HMAC is allowed", order(t, HMACKey(spki), HMACSHA256), rsaKey().Public(), VerifyOptions{AllowHMAC: true}, ErrKey},
		{"the same with octets that are no HMACKey", order(t, HMACKey(spki), HMACSHA256), spki, VerifyOptions{AllowHMAC: true}, ErrKey},
		{"an HMAC key for a public key method", rs, HMACKey(spki), VerifyOptions{AllowHMAC: true}, ErrKey},
		{"an empty HMAC key", order(t, HMACKey{}, HMACSHA256), HMACKey{}, VerifyOptions{AllowHMAC: true}, ErrKey},
		{"HMAC truncated to 8 bits", truncated(t, 8), HMACKey("secret"), VerifyOptions{AllowHMAC: true}, ErrAlgorithm},
		{"HMAC truncated to 120 of 256 bits", truncated(t, 120), HMACKey("secret"), VerifyOptions{AllowHMAC: true}, ErrAlgorithm},
		{"HMAC truncated to 0 bits", truncated(t, 0), HMACKey("secret"), VerifyOptions{AllowHMAC: true}, ErrAlgorithm},
		{"HMAC truncated to a negative number of bits", truncated(t, -8), HMACKey("secret"), VerifyOptions{AllowHMAC: true}, ErrAlgorithm},
		{"HMAC of more bits than the hash has", truncated(t, 264), HMACKey("secret"), VerifyOptions{AllowHMAC: true}, ErrStructure},
		{"HMAC cut without saying so", revalue(t, order(t, HMACKey("secret"), HMACSHA256), func(v []byte) []byte { return v[:16] }), HMACKey("secret"), VerifyOptions{AllowHMAC: true}, ErrSignature},

		// signature values
		{"SignedInfo changed", replace(t, ed, "#b", "#c"), nil, VerifyOptions{}, ErrSignature},
		{"an empty signature value", revalue(t, ed, func([]byte) []byte { return nil }), nil, VerifyOptions{}, ErrSignature},
		{"RSA with an octet after the value", revalue(t, rs, func(v []byte) []byte { return append(v, 0) }), rsaKey().Public(), VerifyOptions{}, ErrSignature},
		{"RSA with an octet before the value", revalue(t, rs, func(v []byte) []byte { return append([]byte{0}, v...) }), rsaKey().Public(), VerifyOptions{}, ErrSignature},
		{"RSA value plus the modulus", revalue(t, rs, func(v []byte) []byte { return new(big.Int).Add(new(big.Int).SetBytes(v), rsaKey().N).Bytes() }), rsaKey().Public(), VerifyOptions{}, ErrSignature},
		{"RSA value zero", revalue(t, rs, func(v []byte) []byte { return make([]byte, len(v)) }), rsaKey().Public(), VerifyOptions{}, ErrSignature},
		{"ECDSA r zero", revalue(t, ec, func(v []byte) []byte { clear(v[:32]); return v }), p256Key().Public(), VerifyOptions{}, ErrSignature},
		{"ECDSA s zero", revalue(t, ec, func(v []byte) []byte { clear(v[32:]); return v }), p256Key().Public(), VerifyOptions{}, ErrSignature},
		{"ECDSA r and s equal to the order", revalue(t, ec, func([]byte) []byte {
			return bytes.Repeat(p256Key().Params().N.Bytes(), 2)
		}), p256Key().Public(), VerifyOptions{}, ErrSignature},
		{"ECDSA with both numbers one octet wider", revalue(t, ec, func(v []byte) []byte {
			return slices.Concat([]byte{0}, v[:32], []byte{0}, v[32:])
		}), p256Key().Public(), VerifyOptions{}, ErrSignature},
		{"ECDSA with data after it", revalue(t, ec, func(v []byte) []byte { return append(v, 0, 0) }), p256Key().Public(), VerifyOptions{}, ErrSignature},
		{"ECDSA in DER", revalue(t, ec, func(v []byte) []byte {
			der := append([]byte{0x30, 70, 2, 33, 0}, v[:32]...)
			return append(append(der, 2, 33, 0), v[32:]...)
		}), p256Key().Public(), VerifyOptions{}, ErrSignature},
		{"brainpool r zero", revalue(t, order(t, bpKey(), ECDSASHA256), func(v []byte) []byte { clear(v[:32]); return v }), bpKey().Public(), VerifyOptions{}, ErrSignature},
		{"brainpool s raised by the order", revalue(t, order(t, bpKey(), ECDSASHA256), func(v []byte) []byte {
			s := new(big.Int).SetBytes(v[32:])
			return append(v[:32], s.Add(s, brainpool.P256r1().Params().N).Bytes()...)
		}), bpKey().Public(), VerifyOptions{}, ErrSignature},
		{"Ed25519 with s raised by the order", revalue(t, ed, func(v []byte) []byte { addOrder(v[32:]); return v }), nil, VerifyOptions{}, ErrSignature},
		{"Ed25519 with data after it", revalue(t, ed, func(v []byte) []byte { return append(v, 0) }), nil, VerifyOptions{}, ErrSignature},
		{"base64 with data after the padding", replace(t, ed, "==</ds:SignatureValue>", "==AAAA</ds:SignatureValue>"), nil, VerifyOptions{}, ErrStructure},
		{"base64 without its padding", replace(t, ed, "==</ds:SignatureValue>", "</ds:SignatureValue>"), nil, VerifyOptions{}, ErrStructure},
		{"base64 with bits beyond the last octet", lastBits(t, ed), nil, VerifyOptions{}, ErrStructure},
		{"a signature value of a megabyte", revalue(t, ed, func(v []byte) []byte { return make([]byte, 1<<20) }), nil, VerifyOptions{}, ErrStructure},

		// digests and URIs
		{"a digest cut to 16 octets", order(t, edKey(), Ed25519, strings.Replace(reference("#b", SHA256), "<ds:DigestValue></", "<ds:DigestValue>"+base64.StdEncoding.EncodeToString(make([]byte, 16))+"</", 1)), nil, VerifyOptions{}, ErrDigest},
		{"an empty digest", order(t, edKey(), Ed25519, strings.Replace(reference("#b", SHA256), "<ds:DigestValue></", "<ds:DigestValue> </", 1)), nil, VerifyOptions{}, ErrDigest},
		{"a file", order(t, edKey(), Ed25519, zeroed(reference("file:///etc/passwd", SHA256))), nil, VerifyOptions{}, ErrReference},
		{"another xpointer", order(t, edKey(), Ed25519, zeroed(reference("#xpointer(//body)", SHA256))), nil, VerifyOptions{External: neverCalled(t)}, ErrReference},
		{"another scheme of fragment", order(t, edKey(), Ed25519, zeroed(reference("#element(/1/1)", SHA256))), nil, VerifyOptions{External: neverCalled(t)}, ErrReference},
		{"an xpointer that closes its quote", order(t, edKey(), Ed25519, zeroed(reference("#xpointer(id('b')|id('c'))", SHA256))), nil, VerifyOptions{External: neverCalled(t)}, ErrReference},
		{"an empty fragment", order(t, edKey(), Ed25519, zeroed(reference("#", SHA256))), nil, VerifyOptions{External: neverCalled(t)}, ErrReference},
		{"a resolver asked before the value is verified", replace(t, order(t, edKey(), Ed25519, zeroed(reference("http://example.org/", SHA256))), "example.org", "example.net"), nil, VerifyOptions{External: neverCalled(t)}, ErrSignature},
		{"a base64 transform over what is no base64", order(t, edKey(), Ed25519, zeroed(reference("#b", SHA256, c14n.Exclusive10, Base64))), nil, VerifyOptions{}, ErrReference},
		{"a canonicalisation of octets that are no XML", order(t, edKey(), Ed25519, zeroed(reference("#b", SHA256, Base64, c14n.Exclusive10))), nil, VerifyOptions{}, ErrReference},
		{"enveloped-signature after a canonicalisation", order(t, edKey(), Ed25519, zeroed(reference("", SHA256, c14n.Exclusive10, Enveloped))), nil, VerifyOptions{}, ErrReference},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			switch {
			case c.key == keyInfoOnly:
			case c.key == nil:
				c.opt.Key = fixed(edKey().Public())
			default:
				c.opt.Key = fixed(c.key)
			}
			r, err := Verify(signatureIn(t, parseDoc(t, c.src), 0), c.opt)
			if !errors.Is(err, c.want) || r != nil {
				t.Fatalf("got %v, %v, want %v", r, err, c.want)
			}
			for _, other := range []error{ErrStructure, ErrAlgorithm, ErrKey, ErrSignature, ErrReference, ErrDigest} {
				if other != c.want && errors.Is(err, other) {
					t.Errorf("%v is also %v", err, other)
				}
			}
			if len(err.Error()) < len(c.want.Error())+5 {
				t.Errorf("%v says nothing about the place", err)
			}
		})
	}
	for _, good := range []struct {
		src string
		key crypto.PublicKey
	}{{ed, edKey().Public()}, {repeated(t, 20, 5000), edKey().Public()}, {rs, rsaKey().Public()}, {ec, p256Key().Public()}, {prefixed, edKey().Public()}} {
		if _, err := Verify(signatureIn(t, parseDoc(t, good.src), 0), VerifyOptions{Key: fixed(good.key)}); err != nil {
			t.Errorf("what the attacks start from: %v", err)
		}
	}
}

// keyInfoOnly stands for "no Key function" in the table.
var keyInfoOnly crypto.PublicKey = "KeyInfo"

var edOther = must(edPair())

// zeroed fills a digest that the verifier must never get to compare.
func zeroed(ref string) string {
	return strings.ReplaceAll(ref, "<ds:DigestValue></", "<ds:DigestValue>"+base64.StdEncoding.EncodeToString(make([]byte, 32))+"</")
}

// repeated signs a document of many lines as a whole, references times over.
func repeated(tb testing.TB, references, lines int) string {
	tb.Helper()
	ref := reference("", SHA256, Enveloped)
	head := orderHead + strings.Repeat("<line></line>", lines)
	once := sign(tb, head+signature(Ed25519, ref, "")+"</order>", edKey())
	from, to := strings.Index(once, "<ds:Reference"), strings.Index(once, "</ds:SignedInfo>")
	return sign(tb, head+signature(Ed25519, strings.Repeat(once[from:to], references), "")+"</order>", edKey())
}

func neverCalled(t *testing.T) func(string, []Transform, string) ([]byte, error) {
	return func(uri string, _ []Transform, _ string) ([]byte, error) {
		t.Errorf("the resolver was asked for %s", uri)
		return nil, errors.New("no")
	}
}

// revalue changes the signature value of a signed document.
func revalue(tb testing.TB, src string, change func([]byte) []byte) string {
	tb.Helper()
	from := strings.Index(src, "<ds:SignatureValue>") + len("<ds:SignatureValue>")
	to := strings.Index(src, "</ds:SignatureValue>")
	v := must(base64.StdEncoding.DecodeString(src[from:to]))
	return src[:from] + base64.StdEncoding.EncodeToString(change(v)) + src[to:]
}

func truncated(tb testing.TB, bits int) string {
	tb.Helper()
	src := orderHead + orderBody + signature(HMACSHA256, reference("#b", SHA256), "") + "</order>"
	src = replace(tb, src, "</ds:SignatureMethod>", fmt.Sprintf("<ds:HMACOutputLength>%d</ds:HMACOutputLength></ds:SignatureMethod>", bits))
	return revalue(tb, sign(tb, src, HMACKey("secret")), func(v []byte) []byte { return v[:min(len(v), max(0, bits/8))] })
}

// lastBits sets a bit that the padding should keep zero.
func lastBits(tb testing.TB, src string) string {
	tb.Helper()
	i := strings.Index(src, "==</ds:SignatureValue>") - 1
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	return src[:i] + string(alphabet[strings.IndexByte(alphabet, src[i])|1]) + src[i+1:]
}

// addOrder adds the order of Ed25519's group to a little-endian number: the same number to a careless verifier.
func addOrder(s []byte) {
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	slices.Reverse(s)
	n := new(big.Int).SetBytes(s)
	n.Add(n, order).FillBytes(s)
	slices.Reverse(s)
}
