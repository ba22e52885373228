package xmldsig

import (
	"crypto"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"filippo.io/mldsa"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// TestMLDSAOnlyWhereItIsNamed: nothing signs with ML-DSA or accepts it unless its identifier is given.
func TestMLDSAOnlyWhereItIsNamed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		key  pki.KeyAlgorithm
		uris []string
	}{{pki.MLDSA44, []string{MLDSA44, MLDSA44Draft}}, {pki.MLDSA65, []string{MLDSA65, MLDSA65Draft}}, {pki.MLDSA87, []string{MLDSA87, MLDSA87Draft}}} {
		key := must(pki.GenerateKey(nil, c.key))
		signer := key.(crypto.Signer)
		doc := `<a xmlns="urn:own"><b Id="b">text</b></a>`
		d := parseDoc(t, doc)
		refs := []SignReference{{URI: "#b", Node: find(t, d, "b"), DigestMethod: SHA512}}
		if _, err := Sign(signer, refs, SignOptions{}); !errors.Is(err, ErrAlgorithm) {
			t.Errorf("%s: signed without being named: %v", c.key, err)
		}
		if _, uri := MethodFor(key.Public(), crypto.SHA512, false); uri != "" {
			t.Errorf("%s: chosen: %s", c.key, uri)
		}
		other := must(pki.GenerateKey(nil, c.key))
		for _, uri := range c.uris {
			sig, err := Sign(signer, refs, SignOptions{SignatureMethod: uri, KeyInfo: func(w *dom.Writer) {
				w.Element("dsig11:DEREncodedKeyValue", base64.StdEncoding.EncodeToString(must(pki.MarshalPublicKey(key.Public()))), "xmlns:dsig11", Namespace11)
			}})
			if err != nil {
				t.Fatalf("%s: %v", uri, err)
			}
			signed := strings.Replace(doc, "</a>", string(sig)+"</a>", 1)
			verify := func(src string, opt VerifyOptions) error {
				d := parseDoc(t, src)
				_, err := Verify(signatureIn(t, d, 0), opt)
				return err
			}
			if err := verify(signed, VerifyOptions{Signatures: []string{uri}}); err != nil {
				t.Errorf("%s: %v", uri, err)
			}
			if err := verify(signed, VerifyOptions{}); !errors.Is(err, ErrAlgorithm) {
				t.Errorf("%s: accepted although it was not named: %v", uri, err)
			}
			if err := verify(signed, VerifyOptions{Signatures: []string{uri}, Key: fixed(other.Public())}); !errors.Is(err, ErrSignature) {
				t.Errorf("%s: another key: %v", uri, err)
			}
			if err := verify(strings.Replace(signed, "text", "Text", 1), VerifyOptions{Signatures: []string{uri}}); !errors.Is(err, ErrDigest) {
				t.Errorf("%s: other content: %v", uri, err)
			}
			p := must(Prepare(key.Public(), refs, SignOptions{SignatureMethod: uri}))
			value := must(p.Value(signer, nil))
			if _, err := p.Complete(value); err != nil {
				t.Errorf("%s: in two steps: %v", uri, err)
			}
			value[0] ^= 1
			if _, err := p.Complete(value); !errors.Is(err, ErrSignature) {
				t.Errorf("%s: in two steps, another value: %v", uri, err)
			}
			ed := must(edPair())
			if err := verify(signed, VerifyOptions{Signatures: []string{uri}, Key: fixed(ed.Public())}); !errors.Is(err, ErrKey) {
				t.Errorf("%s: a key of another kind: %v", uri, err)
			}
		}
		if _, err := Sign(signer, refs, SignOptions{SignatureMethod: Ed25519}); !errors.Is(err, ErrKey) {
			t.Errorf("%s: signed by the name of another: %v", c.key, err)
		}
	}
}

// TestMLDSAContext: the context that xmlsec writes beside the method is part of what is signed.
func TestMLDSAContext(t *testing.T) {
	t.Parallel()
	key := must(mldsa.GenerateKey(mldsa.MLDSA44()))
	sign := func(context, stated string) string {
		p := must(Prepare(key.Public(), []SignReference{{URI: "#b", Node: find(t, parseDoc(t, `<b Id="b">text</b>`), "b"), DigestMethod: SHA256}}, SignOptions{SignatureMethod: MLDSA44}))
		info := strings.Replace(string(p.octets), `Algorithm="`+MLDSA44+`"></ds:SignatureMethod>`,
			`Algorithm="`+MLDSA44+`"><m:MLDSAContextString xmlns:m="`+mldsaNS+`">`+stated+`</m:MLDSAContextString></ds:SignatureMethod>`, 1)
		if info == string(p.octets) {
			t.Fatal(info)
		}
		p.octets = []byte(info)
		value := must(key.Sign(nil, p.octets, &mldsa.Options{Context: context}))
		return `<a><b Id="b">text</b>` + string(p.complete(value)) + `</a>`
	}
	for name, c := range map[string]struct {
		context, stated string
		want            error
	}{
		"as it is stated": {"a context", base64.StdEncoding.EncodeToString([]byte("a context")), nil},
		"another":         {"a context", base64.StdEncoding.EncodeToString([]byte("b")), ErrSignature},
		"none":            {"", base64.StdEncoding.EncodeToString([]byte("b")), ErrSignature},
		"too long":        {"", base64.StdEncoding.EncodeToString(make([]byte, 256)), ErrStructure},
	} {
		d := parseDoc(t, sign(c.context, c.stated))
		if _, err := Verify(signatureIn(t, d, 0), VerifyOptions{Signatures: []string{MLDSA44}, Key: fixed(key.Public())}); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}
