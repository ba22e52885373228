package gather

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"encoding/base64"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/validation"
	"github.com/viadukt-eu/viadukt/trust/xades"
	"github.com/viadukt-eu/viadukt/trust/xmldsig"
	"github.com/viadukt-eu/viadukt/xmlcore/c14n"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// A signature over its own properties alone holds, and signs nothing.
func TestASignatureSignsSomething(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 4, 9, 30, 0, 0, time.UTC)
	ca, err := pki.NewAuthority(rand.Reader, "CN=Own CA,C=EE", pki.P256, now.AddDate(-5, 0, 0), 20)
	if err != nil {
		t.Fatal(err)
	}
	id, err := ca.Issue(pki.Template{CommonName: "Ada", Algorithm: pki.Ed25519, NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(1, 0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	key := id.Key.(crypto.Signer)
	signed, err := xades.Sign(key, rand.Reader, []xades.Document{xades.Bytes("", "text/xml", []byte("<a>100</a>"))}, xades.Params{Packaging: xades.Enveloped, Signer: id.Certificate, Time: now})
	if err != nil {
		t.Fatal(err)
	}
	signature := func(b []byte) dom.Node {
		d, err := dom.Parse(bytes.Clone(b), dom.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		return d.Root().Child(xmldsig.Namespace, "Signature")
	}
	content := signature(signed).Child(xmldsig.Namespace, "SignedInfo").Child(xmldsig.Namespace, "Reference")
	if content.Attr("URI") != "" {
		t.Fatalf("the first reference is to %q", content.Attr("URI"))
	}
	empty := bytes.Replace(signed, content.Raw(), nil, 1)
	s := signature(empty)
	info := s.Child(xmldsig.Namespace, "SignedInfo")
	m, err := c14n.ParseMethod(info.Child(xmldsig.Namespace, "CanonicalizationMethod"))
	if err != nil {
		t.Fatal(err)
	}
	octets, err := c14n.Append(nil, m, info)
	if err != nil {
		t.Fatal(err)
	}
	value, err := key.Sign(rand.Reader, octets, crypto.Hash(0))
	if err != nil {
		t.Fatal(err)
	}
	empty = bytes.Replace(empty, []byte(s.Child(xmldsig.Namespace, "SignatureValue").Text()), []byte(base64.StdEncoding.EncodeToString(value)), 1)
	for _, c := range []struct {
		b    []byte
		sub  validation.Sub
		refs int
	}{
		{signed, validation.NoCertificateChainFound, 2},
		{empty, validation.SignedDataNotFound, 2},
	} {
		r, err := Open(c.b, Options{})
		if err != nil {
			t.Fatal(err)
		}
		got := validation.Validate(r.Facts, nil, now)[0]
		if !r.Signatures[0].Intact || len(r.Signatures[0].References) != c.refs || got.Indication != validation.Indeterminate || got.Sub != c.sub {
			t.Errorf("%d references, value %v: %s %s %s", len(r.Signatures[0].References), r.Signatures[0].Intact, got.Indication, got.Sub, got.Why)
		}
	}
}
