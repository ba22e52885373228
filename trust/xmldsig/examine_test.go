package xmldsig_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"testing"

	"github.com/viadukt-eu/viadukt/trust/xmldsig"
	"github.com/viadukt-eu/viadukt/xmlcore/c14n"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// derKey writes the public key of key as dsig11:DEREncodedKeyValue.
func derKey(t *testing.T, key crypto.Signer) func(w *dom.Writer) {
	t.Helper()
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return func(w *dom.Writer) {
		w.Element("dsig11:DEREncodedKeyValue", base64.StdEncoding.EncodeToString(spki), "xmlns:dsig11", xmldsig.Namespace11)
	}
}

func signers(t *testing.T) map[string]crypto.Signer {
	t.Helper()
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	e, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, d, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]crypto.Signer{"RSA": r, "ECDSA": e, "Ed25519": d}
}

func TestASignatureIsCompletedWithAValueMadeElsewhere(t *testing.T) {
	t.Parallel()
	for name, key := range signers(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sum := sha256.Sum256([]byte("content"))
			p, err := xmldsig.Prepare(key.Public(), []xmldsig.SignReference{{URI: "file.txt", Digest: sum[:]}}, xmldsig.SignOptions{KeyInfo: derKey(t, key)})
			if err != nil {
				t.Fatal(err)
			}
			var value []byte
			if _, ok := key.(ed25519.PrivateKey); ok {
				value, err = key.Sign(rand.Reader, p.ToBeSigned(), crypto.Hash(0))
			} else {
				info := sha256.Sum256(p.ToBeSigned())
				value, err = key.Sign(rand.Reader, info[:], crypto.SHA256)
			}
			if err != nil {
				t.Fatal(err)
			}
			out, err := p.Complete(value)
			if err != nil {
				t.Fatal(err)
			}
			doc, err := dom.Parse(out, dom.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			_, err = xmldsig.Verify(doc.Root(), xmldsig.VerifyOptions{External: func(string, []xmldsig.Transform, string) ([]byte, error) { return sum[:], nil }})
			if err != nil {
				t.Error(err)
			}
			value[len(value)-1] ^= 1
			if _, err := p.Complete(value); !errors.Is(err, xmldsig.ErrSignature) {
				t.Errorf("another value: %v, want %v", err, xmldsig.ErrSignature)
			}
		})
	}
}

func TestAnExaminationGoesOnWhereSomethingDoesNotHold(t *testing.T) {
	t.Parallel()
	key := signers(t)["ECDSA"]
	one, two := sha256.Sum256([]byte("one")), sha256.Sum256([]byte("two"))
	refs := []xmldsig.SignReference{{URI: "one", Digest: one[:]}, {URI: "two", Digest: two[:]}, {URI: "three", Digest: two[:]}}
	out, err := xmldsig.Sign(key, refs, xmldsig.SignOptions{KeyInfo: derKey(t, key)})
	if err != nil {
		t.Fatal(err)
	}
	examine := func(b []byte) *xmldsig.Examination {
		doc, err := dom.Parse(bytes.Clone(b), dom.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		x, err := xmldsig.Examine(doc.Root(), xmldsig.VerifyOptions{External: func(uri string, _ []xmldsig.Transform, _ string) ([]byte, error) {
			if uri == "three" {
				return nil, errors.New("there is no such file")
			}
			return one[:], nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	x := examine(out)
	if x.ValueErr != nil || x.Errs[0] != nil || !errors.Is(x.Errs[1], xmldsig.ErrDigest) || !errors.Is(x.Errs[2], xmldsig.ErrReference) || x.Intact() {
		t.Errorf("value %v, references %v", x.ValueErr, x.Errs)
	}
	x = examine(bytes.Replace(out, []byte(`URI="two"`), []byte(`URI="one"`), 1))
	if !errors.Is(x.ValueErr, xmldsig.ErrSignature) || x.Errs[0] != nil || x.KeyErr != nil {
		t.Errorf("SignedInfo changed: value %v, key %v, references %v", x.ValueErr, x.KeyErr, x.Errs)
	}
}

func TestOctetsOfAReferenceAreWhatItDigests(t *testing.T) {
	t.Parallel()
	key := signers(t)["ECDSA"]
	doc, err := dom.Parse([]byte(`<a xmlns="urn:a" xmlns:unused="urn:u"><b Id="b">text<c/></b></a>`), dom.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	signed, err := xmldsig.SignEnveloped(key, doc, xmldsig.EnvelopedOptions{})
	if err != nil {
		t.Fatal(err)
	}
	again, err := dom.Parse(signed, dom.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var sig dom.Node
	for n := range again.Root().Elements() {
		if n.Is(xmldsig.Namespace, "Signature") {
			sig = n
		}
	}
	x, err := xmldsig.Examine(sig, xmldsig.VerifyOptions{Key: func(dom.Node, string) (crypto.PublicKey, error) { return key.Public(), nil }})
	if err != nil || !x.Intact() {
		t.Fatal(err, x)
	}
	var implied, exclusive bytes.Buffer
	if err := x.WriteOctets(&implied, 0, c14n.Method{}); err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(implied.Bytes()); !bytes.Equal(sum[:], x.References[0].Digest) {
		t.Errorf("octets %q do not hash to the digest", implied.Bytes())
	}
	if err := x.WriteOctets(&exclusive, 0, c14n.Method{Algorithm: c14n.Exclusive10}); err != nil {
		t.Fatal(err)
	}
	if want := `<a xmlns="urn:a"><b Id="b">text<c></c></b></a>`; exclusive.String() != want {
		t.Errorf("with an exclusive rest %q, want %q", exclusive.String(), want)
	}
}
