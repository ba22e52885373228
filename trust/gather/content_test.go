package gather

import (
	"archive/zip"
	"bytes"
	"crypto"
	"crypto/rand"
	"encoding/base64"
	"io"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/trust/asic"
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

// A container without a list of its files is told as one; whether that matters is for policies to say.
func TestContainersThatListTheirFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	xml, message := w.make(t, "XAdES", "B", nil), w.make(t, "CAdES", "B", nil)
	manifest, err := asic.WriteManifest("META-INF/signature.p7s", "application/pkcs7-signature", []asic.Content{{Name: "order.xml", Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(document)), nil }}}, xmldsig.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		mime  string
		files map[string][]byte
		want  bool
	}{
		{"none", asic.MimeTypeE, map[string][]byte{"META-INF/signatures.xml": xml}, true},
		{"that of office documents", asic.MimeTypeE, map[string][]byte{"META-INF/signatures.xml": xml, "META-INF/manifest.xml": []byte("<x/>")}, false},
		{"that of a signature", asic.MimeTypeE, map[string][]byte{"META-INF/signature.p7s": message, "META-INF/ASiCManifest.xml": manifest}, false},
		{"of one file", asic.MimeTypeS, map[string][]byte{"META-INF/signatures.xml": xml}, false},
	} {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		c.files["mimetype"], c.files["order.xml"] = []byte(c.mime), document
		for name, octets := range c.files {
			f, err := z.Create(name)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.Write(octets); err != nil {
				t.Fatal(err)
			}
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		r, err := Open(b.Bytes(), Options{})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if len(r.Signatures) != 1 || r.Signatures[0].NoManifest != c.want {
			t.Errorf("%s: %+v", c.name, r.Signatures)
		}
	}
}
