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

// doc holds a signature among all that a reference can point at.
func doc(refs, object string) string {
	return "<?pi a?><r xmlns=\"urn:r\" xmlns:p=\"urn:p\"><!-- c --><a Id=\"a\" p:x='1'>text<!-- d --><b/></a>" +
		"<e xml:id=\"e\">\n aGVs<!-- e -->bG8g&#13;\r\n<f>d29y</f>bGQ=\t</e>" + signature(Ed25519, refs, object) + "</r>"
}

func TestReferencesAndTransforms(t *testing.T) {
	t.Parallel()
	const wholeExcl = `<?pi a?>` + "\n" + `<r xmlns="urn:r"><a xmlns:p="urn:p" Id="a" p:x="1">text<b></b></a>` +
		"<e xml:id=\"e\">\n aGVsbG8g&#xD;\n<f>d29y</f>bGQ=\t</e></r>"
	const wholeIncl = `<?pi a?>` + "\n" + `<r xmlns="urn:r" xmlns:p="urn:p"><a Id="a" p:x="1">text<b></b></a>` +
		"<e xml:id=\"e\">\n aGVsbG8g&#xD;\n<f>d29y</f>bGQ=\t</e></r>"
	const wholeComments = `<?pi a?>` + "\n" + `<r xmlns="urn:r" xmlns:p="urn:p"><!-- c --><a Id="a" p:x="1">text<!-- d --><b></b></a>` +
		"<e xml:id=\"e\">\n aGVs<!-- e -->bG8g&#xD;\n<f>d29y</f>bGQ=\t</e></r>"
	const aIncl = `<a xmlns="urn:r" xmlns:p="urn:p" Id="a" p:x="1">text<b></b></a>`
	const aComments = `<a xmlns="urn:r" xmlns:p="urn:p" Id="a" p:x="1">text<!-- d --><b></b></a>`
	for _, c := range []struct {
		name, uri  string
		transforms []string
		octets     string // what must have been digested
		target     string // name of the element; "" the document
		signed     bool   // Node is Target
		comments   bool
	}{
		{"the whole document less the signature, implicit inclusive form", "", []string{Enveloped}, wholeIncl, "", true, false},
		{"the same exclusively", "", []string{Enveloped, c14n.Exclusive10}, wholeExcl, "", true, false},
		{"enveloped-signature twice removes the signature once", "", []string{Enveloped, Enveloped, c14n.Inclusive11}, wholeIncl, "", true, false},
		{"a form with comments finds none in the URI without", "", []string{Enveloped, c14n.Inclusive10Comments}, wholeIncl, "", true, false},
		{"xpointer(/) keeps comments for a form with comments", "#xpointer(/)", []string{Enveloped, c14n.Inclusive10Comments}, wholeComments, "", true, true},
		{"xpointer(/) loses them in the implicit form", "#xpointer(/)", []string{Enveloped}, wholeIncl, "", true, false},
		{"an element without transform", "#a", nil, aIncl, "a", true, false},
		{"an element exclusively", "#a", []string{c14n.Exclusive10}, aIncl, "a", true, false},
		{"an element by xpointer in single quotes", "#xpointer(id('a'))", []string{c14n.Inclusive10Comments}, aComments, "a", true, true},
		{"an element by xpointer in double quotes", "#xpointer(id(&quot;a&quot;))", []string{c14n.Exclusive10Comments}, aComments, "a", true, true},
		{"an element by percent-encoded fragment", "#%61", nil, aIncl, "a", true, false},
		{"enveloped-signature where there is nothing to remove", "#a", []string{Enveloped}, aIncl, "a", true, false},
		{"base64 text, comments and elements in between", "#e", []string{Base64}, "hello world", "e", false, false},
		{"canonical octets canonicalised again", "#a", []string{c14n.Inclusive10, c14n.Exclusive10}, aIncl, "a", false, false},
		{"base64 inside an Object of the signature", "#o", []string{Base64}, "hi", "Object", false, false},
		{"base64 decoded to XML and canonicalised", "#x", []string{Base64, c14n.Exclusive10}, "<x></x>", "Object", false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			object := `<ds:Object Id="o">aGk=</ds:Object><ds:Object Id="x">PHgvPg==</ds:Object>`
			d := parseDoc(t, sign(t, doc(reference(c.uri, SHA256, c.transforms...), object), edKey()))
			sig := signatureIn(t, d, 0)
			r, err := Verify(sig, VerifyOptions{Key: fixed(edKey().Public())})
			if err != nil {
				t.Fatal(err)
			}
			checkSigned(t, r)
			ref := r.References[0]
			if sum := sha256.Sum256([]byte(c.octets)); !bytes.Equal(ref.Digest, sum[:]) {
				t.Errorf("these octets were not digested: %s", c.octets)
			}
			want := d.Node()
			if c.target != "" {
				want = find(t, d, c.target)
				if c.uri == "#x" {
					want = want.NextElement()
				}
			}
			if ref.Target != want || ref.Node.Valid() != c.signed || c.signed && ref.Node != want {
				t.Errorf("target %s, node %s", ref.Target.Path(), ref.Node.Path())
			}
			if r.Covers(want) != c.signed {
				t.Errorf("covers the target: %v", !c.signed)
			}
			for n := range want.Descendants() {
				if n.Kind() == dom.CommentNode && r.Covers(n) != c.comments {
					t.Errorf("covers comments: %v", !c.comments)
				}
			}
			if other := (&Result{References: r.References}); other.Covers(dom.Node{}) || other.Covers(parseDoc(t, "<r/>").Root()) {
				t.Error("covers nodes of nowhere")
			}
		})
	}
}

func TestExternalReferences(t *testing.T) {
	t.Parallel()
	attachment := []byte("PHgvPg==")
	refs := reference("cid:part@1", SHA256, AttachmentContent) + reference("-", SHA512, Base64, c14n.Exclusive10)
	sums := map[string][]byte{}
	for _, x := range []struct {
		uri, method string
		transforms  []Transform
	}{
		{"cid:part@1", SHA256, nil},
		{"", SHA512, []Transform{{Algorithm: Base64}, Canonicalize(c14n.Method{Algorithm: c14n.Exclusive10})}},
	} {
		sums[x.uri] = must(DigestOctets(attachment, x.transforms, x.method))
	}
	sig := must(Sign(edKey(), []SignReference{
		{URI: "cid:part@1", Digest: sums["cid:part@1"], Transforms: []Transform{{Algorithm: AttachmentContent}}},
		{Anonymous: true, Digest: sums[""], DigestMethod: SHA512, Transforms: []Transform{{Algorithm: Base64}, Canonicalize(c14n.Method{Algorithm: c14n.Exclusive10})}},
	}, SignOptions{}))
	if n := strings.Count(refs, "Algorithm"); n != strings.Count(string(sig), "Algorithm")-2 {
		t.Errorf("the references differ from what was meant: %s", sig)
	}
	verify := func(external func(string, []Transform, string) ([]byte, error)) (*Result, error) {
		d := parseDoc(t, string(sig))
		return Verify(d.Root(), VerifyOptions{Key: fixed(edKey().Public()), External: external})
	}
	var asked []string
	r, err := verify(func(uri string, transforms []Transform, method string) ([]byte, error) {
		asked = append(asked, fmt.Sprint(uri, len(transforms), method))
		if uri == "cid:part@1" {
			transforms = nil // its one transform means the octets as they are
		}
		return DigestOctets(attachment, transforms, method)
	})
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(asked) != fmt.Sprint([]string{"cid:part@11" + SHA256, "2" + SHA512}) {
		t.Errorf("asked for %s", asked)
	}
	for i, ref := range r.References {
		if ref.Node.Valid() || ref.Target.Valid() || ref.Anonymous != (i == 1) {
			t.Errorf("reference %d: %+v", i, ref)
		}
	}
	if string(attachment) != "PHgvPg==" {
		t.Error("DigestOctets changed the octets it was given")
	}
	if _, err := verify(nil); !errors.Is(err, ErrReference) {
		t.Errorf("without resolver: %v", err)
	}
	gone := errors.New("part is gone")
	_, err = verify(func(string, []Transform, string) ([]byte, error) { return nil, gone })
	if !errors.Is(err, ErrReference) || !errors.Is(err, gone) {
		t.Errorf("the resolver's error is lost: %v", err)
	}
	_, err = verify(func(string, []Transform, string) ([]byte, error) { return nil, nil })
	var at *ReferenceError
	if !errors.Is(err, ErrDigest) || !errors.As(err, &at) || at.Index != 0 || at.URI != "cid:part@1" {
		t.Errorf("a resolver without digest: %v", err)
	}
}

func TestMethodsThatOnlyVerify(t *testing.T) {
	t.Parallel()
	pss := func(params string) string {
		src := replace(t, orderHead+orderBody+signature(RSAPSS, reference("#b", SHA256), "")+"</order>",
			"</ds:SignatureMethod>", `<p:RSAPSSParams xmlns:p="`+moreNS+`">`+params+`</p:RSAPSSParams></ds:SignatureMethod>`)
		return sign(t, src, rsaKey())
	}
	digest := func(m string) string { return `<ds:DigestMethod Algorithm="` + m + `"/>` }
	mgf := func(m string) string {
		return `<p:MaskGenerationFunction Algorithm="` + mgf1 + `">` + digest(m) + `</p:MaskGenerationFunction>`
	}
	hmacKey := HMACKey("secret")
	for _, c := range []struct {
		name, src string
		key       crypto.PublicKey
		opt       VerifyOptions
		want      error
	}{
		{"HMAC", order(t, hmacKey, HMACSHA384), hmacKey, VerifyOptions{AllowHMAC: true}, nil},
		{"HMAC truncated to half", truncated(t, 128), hmacKey, VerifyOptions{AllowHMAC: true}, nil},
		{"HMAC with another secret", order(t, hmacKey, HMACSHA384), HMACKey("other"), VerifyOptions{AllowHMAC: true}, ErrSignature},
		{"SHA-1 where it is allowed", order(t, rsaKey(), RSASHA1, reference("#b", SHA1)), rsaKey().Public(), VerifyOptions{AllowSHA1: true}, nil},
		{"MD5 where SHA-1 is allowed", order(t, rsaKey(), RSAMD5, reference("#b", MD5)), rsaKey().Public(), VerifyOptions{AllowSHA1: true}, nil},
		{"RIPEMD-160 where SHA-1 is allowed", order(t, rsaKey(), RSARIPEMD160, reference("#b", RIPEMD160)), rsaKey().Public(), VerifyOptions{AllowSHA1: true}, nil},
		{"ECDSA and RIPEMD-160 where SHA-1 is allowed", order(t, p256Key(), ECDSARIPEMD160), p256Key().Public(), VerifyOptions{AllowSHA1: true}, nil},
		{"HMAC and RIPEMD-160 where SHA-1 is allowed", order(t, hmacKey, HMACRIPEMD160), hmacKey, VerifyOptions{AllowSHA1: true, AllowHMAC: true}, nil},
		{"RSA of 1024 bits where it is allowed", order(t, smallRSA(), RSASHA256), smallRSA().Public(), VerifyOptions{MinRSABits: 1024}, nil},
		{"SHA-3 digests", order(t, edKey(), Ed25519, reference("#b", SHA3256), reference("#b", SHA3512), reference("#b", SHA3224), reference("#b", SHA3384)), edKey().Public(), VerifyOptions{}, nil},
		{"PSS with all its parameters at their defaults", pss(digest(SHA256) + mgf(SHA256) + "<p:SaltLength>32</p:SaltLength><p:TrailerField>1</p:TrailerField>"), rsaKey().Public(), VerifyOptions{}, nil},
		{"PSS with empty parameters", pss(""), rsaKey().Public(), VerifyOptions{}, nil},
		{"PSS with another salt length than was used", pss("<p:SaltLength>20</p:SaltLength>"), rsaKey().Public(), VerifyOptions{}, ErrSignature},
		{"PSS with salt length 0", pss("<p:SaltLength>0</p:SaltLength>"), rsaKey().Public(), VerifyOptions{}, ErrAlgorithm},
		{"PSS with another digest than was used", pss(digest(SHA512)), rsaKey().Public(), VerifyOptions{}, ErrSignature},
		{"PSS with another mask digest than was used", pss(mgf(SHA512)), rsaKey().Public(), VerifyOptions{}, ErrSignature},
		{"PSS with SHA-1 inside", pss(digest(SHA1)), rsaKey().Public(), VerifyOptions{}, ErrAlgorithm},
		{"PSS with an unknown mask", pss(`<p:MaskGenerationFunction Algorithm="urn:x"/>`), rsaKey().Public(), VerifyOptions{}, ErrAlgorithm},
		{"PSS with another trailer", pss("<p:TrailerField>2</p:TrailerField>"), rsaKey().Public(), VerifyOptions{}, ErrAlgorithm},
		{"PSS with parameters out of order", pss("<p:SaltLength>32</p:SaltLength>" + digest(SHA256)), rsaKey().Public(), VerifyOptions{}, ErrStructure},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.opt.Key = fixed(c.key)
			r, err := Verify(signatureIn(t, parseDoc(t, c.src), 0), c.opt)
			if !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			if err == nil {
				checkSigned(t, r)
			}
		})
	}
}

func TestIndexIDs(t *testing.T) {
	t.Parallel()
	d := parseDoc(t, `<r xmlns:u="`+wsuNS+`" Id="r"><a u:Id="a" Id="a"/><b ID="b"/><c id="b"/><d xml:id="d" AssertionID="e" x:Id="f" xmlns:x="urn:x"/></r>`)
	x := IndexIDs(d, IDPolicy{})
	for id, want := range map[string]string{"r": "r", "a": "a", "b": "", "d": "d", "e": "", "f": ""} {
		n, err := x.Lookup(id)
		if n.Local() != want || (err == nil) != (want != "") || err != nil && !errors.Is(err, ErrReference) {
			t.Errorf("%s: %s, %v", id, n.Local(), err)
		}
	}
	saml := IndexIDs(d, IDPolicy{[]IDName{{"", "AssertionID"}}})
	if n, err := saml.Lookup("e"); err != nil || n.Local() != "d" {
		t.Errorf("AssertionID by policy: %v", err)
	}
	if _, err := saml.Lookup("r"); err == nil {
		t.Error("Id found although the policy names AssertionID alone")
	}

	src := order(t, edKey(), Ed25519)
	od := parseDoc(t, src)
	opt := VerifyOptions{Key: fixed(edKey().Public()), IDs: IndexIDs(od, IDPolicy{})}
	if _, err := Verify(signatureIn(t, od, 0), opt); err != nil {
		t.Errorf("with an index made before: %v", err)
	}
	opt.IDs = IndexIDs(parseDoc(t, src), IDPolicy{})
	if _, err := Verify(signatureIn(t, od, 0), opt); !errors.Is(err, ErrReference) {
		t.Errorf("with the index of a twin document: %v", err)
	}
	opt.IDs = x
	if _, err := Verify(signatureIn(t, od, 0), opt); !errors.Is(err, ErrReference) {
		t.Errorf("with the index of another document: %v", err)
	}
}

func TestParallelEnvelopedSignatures(t *testing.T) {
	t.Parallel()
	// The first signature was made alone, so the second breaks it; the second was made over the first.
	one := order(t, edKey(), Ed25519, reference("", SHA256, Enveloped))
	two := string(must(SignEnveloped(p256Key(), parseDoc(t, one), EnvelopedOptions{})))
	d := parseDoc(t, two)
	if _, err := Verify(signatureIn(t, d, 0), VerifyOptions{Key: fixed(edKey().Public())}); !errors.Is(err, ErrDigest) {
		t.Errorf("the first: %v", err)
	}
	r, err := Verify(signatureIn(t, d, 1), VerifyOptions{Key: fixed(p256Key().Public())})
	if err != nil {
		t.Fatal(err)
	}
	checkSigned(t, r)
	if !r.Covers(signatureIn(t, d, 0)) || r.Covers(signatureIn(t, d, 1)) {
		t.Error("the second covers the first and not itself")
	}
}

// Some programs wrote the numbers of ECDSA as ASN.1 does: without leading zeros, or with one where the first bit is set.
func TestWidthsOfNumbers(t *testing.T) {
	t.Parallel()
	key := must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader))
	var short string // one in four signatures has two numbers of 65 octets
	for range 1000 {
		src := order(t, key, ECDSASHA512)
		revalue(t, src, func(v []byte) []byte {
			if v[0] == 0 && v[66] == 0 {
				short = src
			}
			return v
		})
		if short != "" {
			break
		}
	}
	narrow := func(v []byte) []byte { return slices.Concat(v[1:66], v[67:]) }
	padded := func(n int, with byte) func(v []byte) []byte {
		return func(v []byte) []byte {
			zeros := make([]byte, n)
			zeros[n-1] = with
			return slices.Concat(zeros, v[:len(v)/2], zeros, v[len(v)/2:])
		}
	}
	for _, c := range []struct {
		name   string
		change func([]byte) []byte
		ok     bool
	}{
		{"fixed", func(v []byte) []byte { return v }, true},
		{"without leading zeros", narrow, true},
		{"with one zero", padded(1, 0), true},
		{"with two zeros", padded(2, 0), false},
		{"with another octet than zero", padded(1, 1), false},
		{"with one octet more at the end", func(v []byte) []byte { return append(v, 0) }, false},
		{"with two octets more at the end", func(v []byte) []byte { return append(v, 0, 0) }, false},
		{"narrow and changed", func(v []byte) []byte { v = narrow(v); v[3] ^= 1; return v }, false},
		{"one number alone", func(v []byte) []byte { return v[:66] }, false},
		{"nothing", func(v []byte) []byte { return nil }, false},
	} {
		d := parseDoc(t, revalue(t, short, c.change))
		if _, err := Verify(signatureIn(t, d, 0), VerifyOptions{Key: fixed(key.Public()), AnyWidth: true}); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
		if _, err := Verify(signatureIn(t, d, 0), VerifyOptions{Key: fixed(key.Public())}); (err == nil) != (c.name == "fixed") {
			t.Errorf("%s, where the width counts: %v", c.name, err)
		}
	}
}

func TestVerifyWantsASignature(t *testing.T) {
	t.Parallel()
	for _, n := range []dom.Node{{}, parseDoc(t, "<a/>").Root(), parseDoc(t, "<a/>").Node(), parseDoc(t, `<Signature xmlns="urn:x"/>`).Root()} {
		if _, err := Verify(n, VerifyOptions{}); !errors.Is(err, ErrStructure) {
			t.Errorf("%s: %v", n.Kind(), err)
		}
	}
}

// Who signed is found by the value alone, whatever became of what is signed.
func TestSignedBy(t *testing.T) {
	t.Parallel()
	keys := []crypto.PublicKey{nil, rsaKey().Public(), edOther.Public(), p256Key().Public(), edKey().Public(), HMACKey("secret")}
	for _, c := range []struct {
		name, src string
		opt       VerifyOptions
		want      int
	}{
		{"RSA", order(t, rsaKey(), RSASHA256), VerifyOptions{}, 1},
		{"ECDSA", order(t, p256Key(), ECDSASHA256), VerifyOptions{}, 3},
		{"Ed25519", order(t, edKey(), Ed25519), VerifyOptions{}, 4},
		{"HMAC", order(t, HMACKey("secret"), HMACSHA256), VerifyOptions{AllowHMAC: true}, 5},
		{"HMAC that is not allowed", order(t, HMACKey("secret"), HMACSHA256), VerifyOptions{}, -1},
		{"what is signed was changed", replace(t, order(t, p256Key(), ECDSASHA256), "<amount>100", "<amount>999"), VerifyOptions{}, 3},
		{"the value was changed", revalue(t, order(t, p256Key(), ECDSASHA256), func(v []byte) []byte { v[5] ^= 1; return v }), VerifyOptions{}, -1},
		{"an old algorithm", order(t, rsaKey(), RSASHA1), VerifyOptions{}, -1},
		{"an old algorithm where it is allowed", order(t, rsaKey(), RSASHA1), VerifyOptions{AllowSHA1: true}, 1},
		{"no signature", replace(t, order(t, rsaKey(), RSASHA256), "<ds:SignatureValue>", "<ds:SignatureValue>!"), VerifyOptions{}, -1},
	} {
		if got := SignedBy(signatureIn(t, parseDoc(t, c.src), 0), keys, c.opt); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
	if got := SignedBy(signatureIn(t, parseDoc(t, order(t, rsaKey(), RSASHA256)), 0), nil, VerifyOptions{}); got != -1 {
		t.Errorf("without keys: %d", got)
	}
}
