package xmldsig

import (
	"bytes"
	"crypto"
	"crypto/dsa"
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/pki/brainpool"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

func b64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

func keyInfo(content string) string {
	return `<ds:KeyInfo xmlns:ds="` + Namespace + `" xmlns:d="` + Namespace11 + `">` + content + `</ds:KeyInfo>`
}

func ecKeyValue(curve string, point []byte) string {
	return `<ds:KeyValue><d:ECKeyValue><d:NamedCurve URI="` + curve + `"/><d:PublicKey>` + b64(point) + `</d:PublicKey></d:ECKeyValue></ds:KeyValue>`
}

func TestKeyFromInfo(t *testing.T) {
	t.Parallel()
	rk := &rsaKey().PublicKey
	rsaValue := func(n, e []byte) string {
		return `<ds:KeyValue><ds:RSAKeyValue><ds:Modulus>` + b64(n) + "</ds:Modulus>\n<ds:Exponent>" + b64(e) + `</ds:Exponent></ds:RSAKeyValue></ds:KeyValue>`
	}
	p256 := must(p256Key().PublicKey.Bytes())
	p521 := must(p521Key().PublicKey.Bytes())
	bp := bpKey().Public().(*ecdsa.PublicKey)
	bpPoint := brainpool.P256r1().AppendPoint(nil, bp)
	der := func(k crypto.PublicKey) string {
		return `<d:DEREncodedKeyValue>` + b64(must(pki.MarshalPublicKey(k))) + `</d:DEREncodedKeyValue>`
	}
	off := bytes.Clone(p256)
	off[40] ^= 1
	dsaValue := `<ds:KeyValue><ds:DSAKeyValue><ds:P>Dw==</ds:P><ds:Q>Cw==</ds:Q><ds:G>Ag==</ds:G><ds:Y>Aw==</ds:Y><ds:J>AQ==</ds:J></ds:DSAKeyValue></ds:KeyValue>`
	for _, c := range []struct {
		name, content, method string
		want                  crypto.PublicKey
		err                   error
	}{
		{"RSA", rsaValue(rk.N.Bytes(), []byte{1, 0, 1}), RSASHA256, rk, nil},
		{"RSA with leading zeros", rsaValue(append([]byte{0, 0}, rk.N.Bytes()...), []byte{0, 1, 0, 1}), RSAPSSSHA256, rk, nil},
		{"RSA with an exponent beyond 31 bits", rsaValue(rk.N.Bytes(), []byte{1, 0, 0, 0, 1}), RSASHA256, nil, ErrKey},
		{"RSA without exponent", `<ds:KeyValue><ds:RSAKeyValue><ds:Modulus>AQAB</ds:Modulus></ds:RSAKeyValue></ds:KeyValue>`, RSASHA256, nil, ErrStructure},
		{"P-256", ecKeyValue("urn:oid:1.2.840.10045.3.1.7", p256), ECDSASHA256, &p256Key().PublicKey, nil},
		{"P-521", ecKeyValue("urn:oid:1.3.132.0.35", p521), ECDSASHA512, &p521Key().PublicKey, nil},
		{"brainpool", ecKeyValue("urn:oid:1.3.36.3.3.2.8.1.1.7", bpPoint), ECDSASHA256, bp, nil},
		{"a point on another curve", ecKeyValue("urn:oid:1.3.132.0.34", p256), ECDSASHA256, nil, ErrKey},
		{"a point off the curve", ecKeyValue("urn:oid:1.2.840.10045.3.1.7", off), ECDSASHA256, nil, ErrKey},
		{"a brainpool point off the curve", ecKeyValue("urn:oid:1.3.36.3.3.2.8.1.1.7", p256), ECDSASHA256, nil, ErrKey},
		{"the point at infinity", ecKeyValue("urn:oid:1.2.840.10045.3.1.7", []byte{0}), ECDSASHA256, nil, ErrKey},
		{"an unknown curve", ecKeyValue("urn:oid:1.3.132.0.10", p256), ECDSASHA256, nil, ErrKey},
		{"curve parameters of the sender's making", `<ds:KeyValue><d:ECKeyValue><d:ECParameters/><d:PublicKey>BA==</d:PublicKey></d:ECKeyValue></ds:KeyValue>`, ECDSASHA256, nil, ErrKey},
		{"DER of RSA", der(rk), RSASHA256, rk, nil},
		{"DER of Ed25519", der(edKey().Public()), Ed25519, edKey().Public(), nil},
		{"DER of brainpool", der(bp), ECDSASHA256, bp, nil},
		{"DER that is none", `<d:DEREncodedKeyValue>AAAA</d:DEREncodedKeyValue>`, ECDSASHA256, nil, ErrKey},
		{"DSA", dsaValue, DSASHA1, &dsa.PublicKey{Parameters: dsa.Parameters{P: big.NewInt(15), Q: big.NewInt(11), G: big.NewInt(2)}, Y: big.NewInt(3)}, nil},
		{"the second key, which suits the method", der(edKey().Public()) + der(rk), RSASHA256, rk, nil},
		{"only a key of another kind", der(edKey().Public()), RSASHA256, nil, ErrKey},
		{"a name only", `<ds:KeyName>k</ds:KeyName>`, RSASHA256, nil, ErrKey},
		{"a key value of a foreign kind", `<ds:KeyValue><x/></ds:KeyValue>`, RSASHA256, nil, ErrKey},
		{"never a key for HMAC", der(rk), HMACSHA256, nil, ErrKey},
		{"a method nobody knows", der(rk), "urn:x", nil, ErrAlgorithm},
		{"a certificate that is none", `<ds:X509Data><ds:X509Certificate>AAAA</ds:X509Certificate></ds:X509Data>`, RSASHA256, nil, ErrKey},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			key, err := KeyFromInfo(parseDoc(t, keyInfo(c.content)).Root(), c.method)
			if !errors.Is(err, c.err) {
				t.Fatalf("got %v, want %v", err, c.err)
			}
			if c.want == nil {
				return
			}
			if d, ok := c.want.(*dsa.PublicKey); ok {
				if fmt.Sprint(d) != fmt.Sprint(key) {
					t.Errorf("got %v", key)
				}
				return
			}
			if k, ok := key.(interface{ Equal(crypto.PublicKey) bool }); !ok || !k.Equal(c.want) {
				t.Errorf("got %v", key)
			}
		})
	}
	if _, err := KeyFromInfo(dom.Node{}, RSASHA256); !errors.Is(err, ErrKey) {
		t.Errorf("no KeyInfo: %v", err)
	}
}

// chainOf issues root, intermediate and leaf.
func chainOf(tb testing.TB) (leaf *pki.Identity, intermediate, root *pki.Certificate) {
	tb.Helper()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	ca, err := pki.NewAuthority(rand.Reader, "CN=Root", pki.P256, now, 10)
	if err != nil {
		tb.Fatal(err)
	}
	sub, err := ca.Sub("CN=Sub", pki.P256, now, 5)
	if err != nil {
		tb.Fatal(err)
	}
	leaf, err = sub.Issue(pki.Template{Subject: "CN=Leaf,O=A\\, B"})
	if err != nil {
		tb.Fatal(err)
	}
	return leaf, sub.Certificate, ca.Certificate
}

func TestSignerIsFoundAmongCertificatesInAnyOrder(t *testing.T) {
	t.Parallel()
	leaf, sub, root := chainOf(t)
	l := leaf.Certificate
	for _, c := range []struct {
		name  string
		data  [][]*pki.Certificate
		first *pki.Certificate
		n     int
	}{
		{"leaf first", [][]*pki.Certificate{{l, sub, root}}, l, 3},
		{"leaf last", [][]*pki.Certificate{{root, sub, l}}, l, 3},
		{"leaf in the middle", [][]*pki.Certificate{{sub, l, root}}, l, 3},
		{"one X509Data each", [][]*pki.Certificate{{root}, {l}, {sub}}, l, 3},
		{"the leaf twice", [][]*pki.Certificate{{l, l}}, l, 2},
		{"a self-signed certificate alone", [][]*pki.Certificate{{root}}, root, 1},
		{"none", nil, nil, 0},
	} {
		var b strings.Builder
		for _, data := range c.data {
			w := dom.NewWriter(nil)
			X509Data(data...)(w)
			b.Write(w.Bytes())
		}
		certs, err := CertificatesFromInfo(parseDoc(t, keyInfo(b.String())).Root(), nil)
		if err != nil || len(certs) != c.n || c.n > 0 && !certs[0].Equal(c.first) {
			t.Errorf("%s: %d certificates, %v", c.name, len(certs), err)
		}
	}
	many := strings.Repeat(`<ds:X509Certificate>`+b64(l.Raw)+`</ds:X509Certificate>`, maxCertificates+1)
	if _, err := CertificatesFromInfo(parseDoc(t, keyInfo("<ds:X509Data>"+many+"</ds:X509Data>")).Root(), nil); !errors.Is(err, ErrStructure) {
		t.Errorf("too many certificates: %v", err)
	}
}

func TestServiceMetadataIsSignedWithItsCertificate(t *testing.T) {
	t.Parallel()
	leaf, sub, root := chainOf(t)
	src := `<m:SignedServiceMetadata xmlns:m="urn:m" xmlns="urn:d"><m:ServiceMetadata> x </m:ServiceMetadata></m:SignedServiceMetadata>`
	out, err := SignEnveloped(leaf.Key.(crypto.Signer), parseDoc(t, src), EnvelopedOptions{
		Certificates: []*pki.Certificate{leaf.Certificate, sub}, SubjectName: true, DigestMethod: SHA512,
	})
	if err != nil {
		t.Fatal(err)
	}
	d := parseDoc(t, string(out))
	r, err := Verify(signatureIn(t, d, 0), VerifyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	checkSigned(t, r)
	if len(r.Certificates) != 2 || !r.Certificates[0].Equal(leaf.Certificate) {
		t.Errorf("certificates %v", r.Certificates)
	}
	if name := find(t, d, "X509SubjectName").Text(); name != leaf.Certificate.Subject.String() {
		t.Errorf("subject %q", name)
	}
	v := pki.Verifier{
		Anchors: []pki.Anchor{{Certificate: root, Purposes: []pki.Purpose{pki.PurposeSMP}}},
		Clock:   func() time.Time { return time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC) },
	}
	if _, err := v.Verify(r.Certificates[0], r.Certificates[1:], pki.PurposeSMP); err != nil {
		t.Errorf("the way from result to trust: %v", err)
	}
}
