package cms

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/trust/pki"
)

var signing = []struct {
	key  pki.KeyAlgorithm
	hash crypto.Hash
	pss  bool
}{
	{pki.RSA2048, crypto.SHA256, false}, {pki.RSA2048, crypto.SHA512, false}, {pki.RSA2048, crypto.SHA256, true}, {pki.RSA2048, crypto.SHA384, true},
	{pki.RSA2048, crypto.SHA3_256, false}, {pki.P256, crypto.SHA256, false}, {pki.P384, crypto.SHA384, false}, {pki.P521, crypto.SHA512, false},
	{pki.P256, crypto.SHA3_384, false}, {pki.BrainpoolP256r1, crypto.SHA256, false}, {pki.BrainpoolP384r1, crypto.SHA384, false},
	{pki.BrainpoolP512r1, crypto.SHA512, false}, {pki.Ed25519, 0, false},
}

func TestSignAndVerify(t *testing.T) {
	t.Parallel()
	content := []byte("what two administrations agreed upon\n")
	for _, c := range signing {
		for _, detached := range []bool{false, true} {
			for _, byKey := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s %s pss=%v detached=%v by key=%v", c.key, c.hash, c.pss, detached, byKey), func(t *testing.T) {
					t.Parallel()
					id := identity(t, c.key)
					b, err := Sign(id, content, detached, Template{Hash: c.hash, PSS: c.pss, ByKey: byKey, SigningTime: now})
					if err != nil {
						t.Fatal(err)
					}
					m := parse(t, b)
					var given Content
					if detached {
						if f := m.Signers[0].Verify(nil); !errors.Is(f.Content, ErrContent) || f.Signature != nil {
							t.Errorf("without the content: %v, %v", f.Content, f.Signature)
						}
						given = Bytes(content)
					}
					f := m.Verify(given)[0]
					if err := f.Err(); err != nil {
						t.Fatal(err)
					}
					if !f.Certificate.Equal(id.Certificate) || !f.NamesCertificate() || !m.Signers[0].SigningTime().Equal(now) || f.Reordered {
						t.Errorf("facts: %+v", f)
					}
					if byKey != (m.Signers[0].SubjectKeyID != nil) || byKey != (m.Version == 3) {
						t.Errorf("version %d, key identifier %x", m.Version, m.Signers[0].SubjectKeyID)
					}
					if f := m.Signers[0].Verify(Bytes([]byte("something else"))); !errors.Is(f.Content, ErrDigest) || f.Err() == nil {
						t.Errorf("another content: %v", f.Content)
					}
				})
			}
		}
	}
}

// TestEveryOctetCounts: a message with one octet changed is refused or fails, or the octet is of a part that nobody signed.
func TestEveryOctetCounts(t *testing.T) {
	t.Parallel()
	b, err := Sign(identity(t, pki.P256), []byte("content"), false, Template{SigningTime: now})
	if err != nil {
		t.Fatal(err)
	}
	m := parse(t, b)
	s := m.Signers[0]
	at := bytes.Index(b, s.Fields.SignedAttributes)
	value := bytes.Index(b, s.Fields.Signature)
	content := bytes.Index(b, []byte("content"))
	passed := 0
	for i := range b {
		c := bytes.Clone(b)
		c[i] ^= 0x10
		m, err := Parse(c)
		if err != nil || len(m.Signers) == 0 {
			continue
		}
		holds := true
		for _, f := range m.Verify(nil) {
			holds = holds && f.Err() == nil
		}
		if !holds {
			continue
		}
		passed++
		if i >= at && i < at+len(s.Fields.SignedAttributes) || i >= value && i < value+len(s.Fields.Signature) || i >= content && i < content+7 {
			t.Errorf("octet %d of %d may change", i, len(b))
		}
	}
	if passed > len(b)/2 {
		t.Errorf("%d of %d octets may change", passed, len(b))
	}
}

func TestSigningElsewhere(t *testing.T) {
	t.Parallel()
	id := identity(t, pki.RSA2048)
	tpl := Template{Certificate: id.Certificate, SigningTime: now}
	p, err := tpl.Prepare(ContentData, Bytes([]byte("x")))
	if err != nil {
		t.Fatal(err)
	}
	again, err := tpl.Prepare(ContentData, Digests{crypto.SHA256: p.signer.digestOf([]byte("x"))})
	if err != nil || !bytes.Equal(p.ToBeSigned(), again.ToBeSigned()) {
		t.Fatalf("equal templates make unequal octets (%v)", err)
	}
	value, err := id.Key.(crypto.Signer).Sign(rand.Reader, p.Digest(), crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	s, err := again.Complete(value)
	if err != nil {
		t.Fatal(err)
	}
	m, err := New(ContentData, []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	m.AddSigner(s)
	if err := m.Signers[0].Verify(nil, id.Certificate).Err(); err != nil {
		t.Error(err)
	}
	value[9] ^= 1
	if _, err := again.Complete(value); !errors.Is(err, ErrSignature) {
		t.Errorf("a wrong value was taken: %v", err)
	}
	if _, err := p.Sign(nil, identity(t, pki.P256).Key); !errors.Is(err, ErrSigner) {
		t.Errorf("the key of another certificate was taken: %v", err)
	}
}

func (s *SignerInfo) digestOf(b []byte) []byte {
	h := s.DigestAlgorithm.Hash.New()
	h.Write(b)
	return h.Sum(nil)
}

func TestAddingKeepsOctets(t *testing.T) {
	t.Parallel()
	b, err := Sign(identity(t, pki.P256), []byte("content"), false, Template{SigningTime: now})
	if err != nil {
		t.Fatal(err)
	}
	m := parse(t, b)
	if same, err := m.Bytes(); err != nil || !bytes.Equal(same, b) {
		t.Fatal("an unchanged message is written otherwise")
	}
	first := bytes.Clone(m.Signers[0].Raw)
	signed := bytes.Clone(m.Signers[0].Fields.SignedAttributes)

	// a second signer beside the first, with another digest
	p, err := Template{Certificate: identity(t, pki.P384).Certificate, Hash: crypto.SHA384, SigningTime: now}.Prepare(m.ContentType, m.Content())
	if err != nil {
		t.Fatal(err)
	}
	s, err := p.Sign(nil, identity(t, pki.P384).Key)
	if err != nil {
		t.Fatal(err)
	}
	m.AddSigner(s)
	m.AddCertificates(identity(t, pki.P384).Certificate)
	b2, err := m.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	m = parse(t, b2)
	if len(m.Signers) != 2 || !bytes.Equal(m.Signers[0].Raw, first) {
		t.Fatal("the first signer changed")
	}

	// a counter-signature of the first, and one of that
	first0 := m.Signers[0]
	counter := func(of *SignerInfo, alg pki.KeyAlgorithm) *SignerInfo {
		p, err := Template{Certificate: identity(t, alg).Certificate, SigningTime: now}.PrepareCounter(of)
		if err != nil {
			t.Fatal(err)
		}
		c, err := p.Sign(nil, identity(t, alg).Key)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	c1 := counter(first0, pki.Ed25519)
	c2 := counter(c1, pki.RSA2048)
	if err := c1.AddCounterSignature(c2); err != nil {
		t.Fatal(err)
	}
	if err := first0.AddCounterSignature(c1); err != nil {
		t.Fatal(err)
	}
	m.AddCertificates(identity(t, pki.Ed25519).Certificate, identity(t, pki.RSA2048).Certificate)
	b3, err := m.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	m = parse(t, b3)
	if !bytes.Equal(m.Signers[0].Fields.SignedAttributes, signed) {
		t.Error("signed attributes changed")
	}
	for i, f := range m.Verify(nil) {
		if err := f.Err(); err != nil {
			t.Errorf("signer %d: %v", i, err)
		}
	}
	list, err := m.Signers[0].CounterSignatures()
	if err != nil || len(list) != 1 {
		t.Fatal(len(list), err)
	}
	if f := list[0].Verify(nil); f.Err() != nil || !f.Certificate.Equal(identity(t, pki.Ed25519).Certificate) {
		t.Errorf("counter-signature: %v", f.Err())
	}
	inner, err := list[0].CounterSignatures()
	if err != nil || len(inner) != 1 || inner[0].Verify(nil).Err() != nil {
		t.Errorf("counter-signature of a counter-signature: %v %v", len(inner), err)
	}
	if err := list[0].AddUnsigned(Attribute{}); !errors.Is(err, ErrCovered) {
		t.Errorf("an attribute was added to a counter-signature: %v", err)
	}
	list[0].parent = m.Signers[1]
	if list[0].Verify(nil).Err() == nil {
		t.Error("a counter-signature holds for another signer")
	}
}

func TestMaterial(t *testing.T) {
	t.Parallel()
	b, err := Sign(identity(t, pki.P256), []byte("content"), true, Template{SigningTime: now})
	if err != nil {
		t.Fatal(err)
	}
	m := parse(t, b)
	crl, err := authority().CRL(nil, now)
	if err != nil {
		t.Fatal(err)
	}
	m.AddCRL(crl)
	m.AddCRL(crl)
	m.AddOCSP([]byte{0x30, 3, 0x0a, 1, 6})
	n := len(m.Certificates)
	m.AddCertificates(authority().Certificate)
	if len(m.Certificates) != n {
		t.Error("a certificate that was there was added")
	}
	if b, err = m.Bytes(); err != nil {
		t.Fatal(err)
	}
	m = parse(t, b)
	if len(m.Revocation) != 2 || m.Revocation[0].Format != "" || !m.Revocation[1].OCSP() || m.Version != 5 {
		t.Errorf("revocation information: %d pieces, version %d", len(m.Revocation), m.Version)
	}
	if !bytes.Equal(m.Revocation[0].Value, crl) {
		t.Error("the list changed")
	}
	if err := m.Verify(Bytes([]byte("content")))[0].Err(); err != nil {
		t.Error(err)
	}
}

func TestSigningTimeHasTheFormOfItsYear(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		year int
		tag  byte
	}{{1949, 24}, {1950, 23}, {2049, 23}, {2050, 24}} {
		a, err := SigningTime(time.Date(c.year, 6, 1, 0, 0, 0, 0, time.UTC))
		if err != nil || a.Values[0][0] != c.tag {
			t.Errorf("%d: tag %d, %v", c.year, a.Values[0][0], err)
		}
		s := SignerInfo{Signed: []Attribute{a}}
		if s.SigningTime().Year() != c.year {
			t.Errorf("%d came back as %v", c.year, s.SigningTime())
		}
	}
}

func TestWeakIsNotSigned(t *testing.T) {
	t.Parallel()
	for _, h := range []crypto.Hash{crypto.MD5, crypto.SHA1} {
		if _, err := Sign(identity(t, pki.P256), nil, false, Template{Hash: h}); err == nil {
			t.Errorf("%s was signed", h)
		}
	}
	if !slices.IsSortedFunc(parse(t, must(Sign(identity(t, pki.P256), nil, false, Template{SigningTime: now}))).Signers[0].Signed,
		func(a, b Attribute) int { return bytes.Compare(a.Raw, b.Raw) }) {
		t.Error("signed attributes are not in the order of DER")
	}
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}
