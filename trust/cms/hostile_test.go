package cms

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"slices"
	"testing"

	"github.com/viadukt-eu/viadukt/trust/ber"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"golang.org/x/crypto/cryptobyte/asn1"
)

func deep(n int) []byte {
	return slices.Concat(bytes.Repeat([]byte{0x30, 0x80}, n), make([]byte, 2*n))
}

func TestRefused(t *testing.T) {
	t.Parallel()
	good := must(Sign(identity(t, pki.P256), []byte("x"), false, Template{SigningTime: now}))
	for name, c := range map[string]struct {
		in   []byte
		want error
	}{
		"nothing": {nil, ErrFormat},
		"a text":  {[]byte("no signature, but a text!"), ErrFormat},
		"elements within one another without end":    {deep(100000), ErrFormat},
		"a length of four gigabytes":                 {[]byte{0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 1}, ErrFormat},
		"a length of nine octets":                    {[]byte{0x30, 0x89, 1, 1, 1, 1, 1, 1, 1, 1, 1}, ErrFormat},
		"octets after it":                            {append(bytes.Clone(good), 1), ErrFormat},
		"a certificate":                              {authority().Certificate.Raw, ErrFormat},
		"enveloped data":                             {bytes.Replace(good, []byte{0xf7, 0x0d, 1, 7, 2}, []byte{0xf7, 0x0d, 1, 7, 3}, 1), ErrType},
		"a broken PEM block":                         {[]byte("-----BEGIN CMS-----\n!!!\n-----END CMS-----\n"), ErrFormat},
		"an end-of-contents without a start":         {[]byte{0, 0}, ErrFormat},
		"a primitive element with indefinite length": {[]byte{0x04, 0x80, 0, 0}, ErrFormat},
	} {
		if _, err := Parse(c.in); !errors.Is(err, c.want) {
			t.Errorf("%s in memory: %v", name, err)
		}
		if _, err := Read(bytes.NewReader(c.in), nil); err == nil {
			t.Errorf("%s as a stream was taken", name)
		}
		if _, err := Open(bytes.NewReader(c.in), int64(len(c.in))); err == nil {
			t.Errorf("%s as a file was taken", name)
		}
	}
	if _, err := Parse(append(bytes.Clone(good), make([]byte, 5000)...)); err != nil {
		t.Errorf("padding by zeros, as in PDF: %v", err)
	}
}

func TestOtherWrappings(t *testing.T) {
	t.Parallel()
	good := must(Sign(identity(t, pki.P256), []byte("x"), false, Template{SigningTime: now}))
	for name, b := range map[string][]byte{
		"PEM":    pem.EncodeToMemory(&pem.Block{Type: "CMS", Bytes: good}),
		"base64": []byte(base64.StdEncoding.EncodeToString(good)),
		"base64 in lines": func() []byte {
			s := base64.StdEncoding.EncodeToString(good)
			var b []byte
			for i := 0; i < len(s); i += 64 {
				b = append(append(b, s[i:min(i+64, len(s))]...), '\r', '\n')
			}
			return b
		}(),
	} {
		if m, err := Parse(b); err != nil || m.Verify(nil)[0].Err() != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// resign makes a message whose signature holds over signed attributes that are not as they must be.
func resign(t *testing.T, change func([]Attribute) []Attribute, sorted bool) *SignedData {
	t.Helper()
	id := identity(t, pki.P256)
	m := parse(t, must(Sign(id, []byte("x"), false, Template{SigningTime: now})))
	s := m.Signers[0]
	attrs := change(slices.Clone(s.Signed))
	raw := make([][]byte, len(attrs))
	for i := range attrs {
		raw[i] = attrs[i].Raw
	}
	if sorted {
		slices.SortFunc(raw, bytes.Compare)
	}
	set := ber.Append(nil, asn1.SET, raw...)
	value, err := s.SignatureAlgorithm.Sign(nil, id.Key, set)
	if err != nil {
		t.Fatal(err)
	}
	s.Fields.SignedAttributes = append([]byte{0xa0}, set[1:]...)
	s.Fields.Signature = ber.Append(nil, asn1.OCTET_STRING, value)
	s.unsignedChanged()
	return parse(t, must(m.Bytes()))
}

func TestSignedAttributesMustBeRight(t *testing.T) {
	t.Parallel()
	attr := func(o pki.OID, v ...[]byte) Attribute {
		a, err := NewAttribute(o, v...)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	without := func(o pki.OID) func([]Attribute) []Attribute {
		return func(l []Attribute) []Attribute {
			return slices.DeleteFunc(l, func(a Attribute) bool { return a.Type == o })
		}
	}
	data := []byte{6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1}
	signed := bytes.Clone(data)
	signed[10] = 2
	digest := ber.Append(nil, asn1.OCTET_STRING, make([]byte, 32))
	for name, change := range map[string]func([]Attribute) []Attribute{
		"no message-digest":   without(AttrMessageDigest),
		"no content-type":     without(AttrContentType),
		"two message-digests": func(l []Attribute) []Attribute { return append(l, attr(AttrMessageDigest, digest)) },
		"two content-types":   func(l []Attribute) []Attribute { return append(l, attr(AttrContentType, data)) },
		"a content-type of another": func(l []Attribute) []Attribute {
			return append(without(AttrContentType)(l), attr(AttrContentType, signed))
		},
		"a content-type with two values": func(l []Attribute) []Attribute {
			return append(without(AttrContentType)(l), attr(AttrContentType, data, signed))
		},
		"two signing-times": func(l []Attribute) []Attribute {
			return append(l, attr(AttrSigningTime, []byte("\x17\x0d260301120000Z")))
		},
		"a message-digest that is no string": func(l []Attribute) []Attribute {
			return append(without(AttrMessageDigest)(l), attr(AttrMessageDigest, []byte{2, 1, 1}))
		},
		"algorithm protection of another one": func(l []Attribute) []Attribute {
			return append(l, attr(AttrAlgorithmProtection, []byte{0x30, 4, 0x30, 0, 0xa1, 0}))
		},
	} {
		m := resign(t, change, true)
		f := m.Verify(nil)[0]
		if !errors.Is(f.Attributes, ErrAttribute) || f.Signature != nil || f.Err() == nil {
			t.Errorf("%s: attributes %v, signature %v", name, f.Attributes, f.Signature)
		}
	}
	m := resign(t, func(l []Attribute) []Attribute { slices.Reverse(l); return l }, false)
	if f := m.Verify(nil)[0]; f.Err() != nil || !f.Reordered {
		t.Errorf("attributes out of order: %v, reordered %v", f.Err(), f.Reordered)
	}
}

func TestAlgorithmsMustFit(t *testing.T) {
	t.Parallel()
	m := parse(t, must(Sign(identity(t, pki.RSA2048), []byte("x"), false, Template{SigningTime: now})))
	s := m.Signers[0]
	s.DigestAlgorithm = digestAlgorithm(crypto.SHA512)
	if f := s.Verify(nil); !errors.Is(f.Signature, ErrAlgorithm) {
		t.Errorf("two digests: %v", f.Signature)
	}
	s.DigestAlgorithm = Algorithm{OID: "1.2.3"}
	if f := s.Verify(nil); !errors.Is(f.Content, ErrAlgorithm) || !errors.Is(f.Signature, ErrAlgorithm) {
		t.Errorf("an unknown digest: %v, %v", f.Content, f.Signature)
	}
	s.DigestAlgorithm = digestAlgorithm(crypto.SHA256)
	s.SignatureAlgorithm = pki.SignatureAlgorithm{OID: "1.3.101.113"} // Ed448
	if f := s.Verify(nil); !errors.Is(f.Signature, ErrAlgorithm) {
		t.Errorf("an unknown signature algorithm: %v", f.Signature)
	}
	s.SignatureAlgorithm = pki.SignatureAlgorithm{OID: "1.2.840.113549.1.1.1"}
	if f := s.Verify(nil); f.Err() != nil {
		t.Errorf("the key's identifier instead of the algorithm's: %v", f.Err())
	}
	s.SignatureAlgorithm = pki.SignatureAlgorithm{OID: "1.2.840.10045.2.1"}
	if f := s.Verify(nil); f.Signature == nil {
		t.Error("ECDSA with an RSA key holds")
	}
	if f := (&SignerInfo{}).Verify(nil); f.Err() == nil {
		t.Error("an empty signer holds")
	}
	if (&Facts{}).Err() == nil {
		t.Error("facts that nobody found hold")
	}
}

func TestPlainECDSA(t *testing.T) {
	t.Parallel()
	m := parse(t, must(Sign(identity(t, pki.BrainpoolP256r1), []byte("x"), false, Template{SigningTime: now})))
	s := m.Signers[0]
	e, err := ber.Parse(s.Signature)
	if err != nil {
		t.Fatal(err)
	}
	var plain []byte
	for r := e.Children(); !r.Empty(); {
		n, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		v := make([]byte, 32)
		integer(n.Content).FillBytes(v)
		plain = append(plain, v...)
	}
	s.SignatureAlgorithm = pki.SignatureAlgorithm{OID: "0.4.0.127.0.7.1.1.4.1.3"}
	s.Signature = plain
	if err := s.Verify(nil).Err(); err != nil {
		t.Error(err)
	}
	s.Signature = plain[:63]
	if s.Verify(nil).Err() == nil {
		t.Error("a value of 63 octets holds")
	}
}

// TestManyCandidates: certificates that all claim to be the signer's are not all tried, and the one named by digest is.
func TestManyCandidates(t *testing.T) {
	t.Parallel()
	id := identity(t, pki.RSA2048)
	m := parse(t, must(Sign(id, []byte("x"), false, Template{SigningTime: now})))
	var more []*pki.Certificate
	for range 100 {
		c, err := authority().Issue(pki.Template{Subject: "CN=Impostor", Serial: id.Certificate.SerialNumber})
		if err != nil {
			t.Fatal(err)
		}
		more = append(more, c.Certificate)
	}
	m.Certificates = nil
	f := m.Signers[0].Verify(nil, append(more, id.Certificate)...)
	if f.Err() != nil || !f.Certificate.Equal(id.Certificate) || len(f.Candidates) != 101 {
		t.Errorf("%v, %d candidates", f.Err(), len(f.Candidates))
	}
	if f := m.Signers[0].Verify(nil, more...); !errors.Is(f.Signature, ErrSignature) {
		t.Errorf("impostors alone: %v", f.Signature)
	}
}

func TestBounds(t *testing.T) {
	t.Parallel()
	m := parse(t, must(Sign(identity(t, pki.P256), []byte("x"), false, Template{SigningTime: now})))
	s := m.Signers[0]
	for range maxSigners {
		m.Signers = append(m.Signers, s)
	}
	m.changed()
	if _, err := Parse(must(m.Bytes())); !errors.Is(err, ErrFormat) {
		t.Errorf("%d signers: %v", len(m.Signers), err)
	}
	m.Signers = m.Signers[:1]
	for range maxCertificates {
		m.Certificates = append(m.Certificates, Certificate{Raw: []byte{0xa3, 0}})
	}
	m.rawCerts = nil
	if _, err := Parse(must(m.Bytes())); !errors.Is(err, ErrFormat) {
		t.Errorf("%d certificates: %v", len(m.Certificates), err)
	}
}
