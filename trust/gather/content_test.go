package gather

import (
	"archive/zip"
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"testing"

	"github.com/viadukt-eu/viadukt/trust/asic"
	"github.com/viadukt-eu/viadukt/trust/validation"
	"github.com/viadukt-eu/viadukt/trust/xades"
	"github.com/viadukt-eu/viadukt/trust/xmldsig"
	"github.com/viadukt-eu/viadukt/xmlcore/c14n"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// A signature over its own properties alone holds, and signs nothing; so does one whose expressions choose nothing. What chooses a part is
// warned of.
func TestASignatureSignsSomething(t *testing.T) {
	t.Parallel()
	now, _, id := adaOfEdwards(t)
	signed, err := xades.Sign(id.Key.(crypto.Signer), rand.Reader, []xades.Document{xades.Bytes("", "text/xml", []byte("<a>100<b>1</b></a>"))}, xades.Params{Packaging: xades.Enveloped, Signer: id.Certificate, Time: now})
	if err != nil {
		t.Fatal(err)
	}
	d, err := dom.Parse(bytes.Clone(signed), dom.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	content := d.Root().Child(xmldsig.Namespace, "Signature").Child(xmldsig.Namespace, "SignedInfo").Child(xmldsig.Namespace, "Reference")
	if content.Attr("URI") != "" {
		t.Fatalf("the first reference is to %q", content.Attr("URI"))
	}
	choose := func(expr, left string) string {
		sum := sha256.Sum256([]byte(left))
		return `<ds:Reference URI=""><ds:Transforms><ds:Transform Algorithm="` + xmldsig.XPath + `"><ds:XPath>not(ancestor-or-self::ds:Signature)` + expr + `</ds:XPath></ds:Transform></ds:Transforms>` +
			`<ds:DigestMethod Algorithm="` + xmldsig.SHA256 + `"></ds:DigestMethod><ds:DigestValue>` + base64.StdEncoding.EncodeToString(sum[:]) + `</ds:DigestValue></ds:Reference>`
	}
	for _, c := range []struct {
		name, reference string
		sub             validation.Sub
		doubt           bool
	}{
		{"as it was", string(content.Raw()), validation.NoCertificateChainFound, false},
		{"all but the signature", choose("", "<a>100<b>1</b></a>"), validation.NoCertificateChainFound, false},
		{"a part", choose(" and not(self::text())", "<a><b></b></a>"), validation.NoCertificateChainFound, true},
		{"nothing", choose(" and false()", ""), validation.SignedDataNotFound, true},
		{"no reference", "", validation.SignedDataNotFound, false},
	} {
		r, err := Open(signedAnew(t, bytes.Replace(signed, content.Raw(), []byte(c.reference), 1), id.Key.(crypto.Signer)), Options{})
		if err != nil {
			t.Fatal(err)
		}
		s := r.Signatures[0]
		got := validation.Validate(r.Facts, nil, now)[0]
		if !s.Intact || got.Indication != validation.Indeterminate || got.Sub != c.sub || len(s.Doubts) > 0 != c.doubt {
			t.Errorf("%s: value %v, %s %s %s, %v", c.name, s.Intact, got.Indication, got.Sub, got.Why, s.Doubts)
		}
	}
}

// signedAnew makes the value of a signature again, as a signer may whatever the references say.
func signedAnew(t *testing.T, b []byte, key crypto.Signer) []byte {
	t.Helper()
	d, err := dom.Parse(bytes.Clone(b), dom.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	s := d.Root().Child(xmldsig.Namespace, "Signature")
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
	return bytes.Replace(b, []byte(s.Child(xmldsig.Namespace, "SignatureValue").Text()), []byte(base64.StdEncoding.EncodeToString(value)), 1)
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
