package pki

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

func TestASignatureCacheAnswersAsACheckDoes(t *testing.T) {
	t.Parallel()
	a, b := mustAuthority(t, "CN=Own CA", P256), mustAuthority(t, "CN=Own CA", P256) // one name, two keys
	leaf := a.mustIssue(t, Template{CommonName: "Ada"}).Certificate
	var s SignatureCache
	for range 2 {
		if err := s.CheckSignatureFrom(leaf, a.Certificate); err != nil {
			t.Error(err)
		}
		if err := s.CheckSignatureFrom(leaf, b.Certificate); !errors.Is(err, ErrBadSignature) {
			t.Errorf("signed by another key: %v", err)
		}
	}
	forged := *leaf
	forged.Raw = append([]byte(nil), leaf.Raw...)
	forged.Raw[len(forged.Raw)-1] ^= 1
	other, err := ParseCertificate(forged.Raw)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.CheckSignatureFrom(other, a.Certificate); err == nil {
		t.Error("a certificate that differs in its signature alone was taken for one that was checked")
	}
	if len(s.m) != 1 {
		t.Errorf("%d signatures kept, want the good one", len(s.m))
	}
}

// What an answer says of the time of its responder is asked each time; its signature once.
func TestASignatureCacheKnowsRevocationData(t *testing.T) {
	t.Parallel()
	a := mustAuthority(t, "CN=Own CA", P256)
	r, err := ParseOCSPResponse(ocspSeed(t, a))
	if err != nil {
		t.Fatal(err)
	}
	der, err := a.CRL(nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	l, err := ParseCRL(der)
	if err != nil {
		t.Fatal(err)
	}
	var s SignatureCache
	for range 2 {
		if by, err := s.VerifyOCSP(r, a.Certificate, r.ProducedAt); err != nil || by == nil {
			t.Error(by, err)
		}
		if err := s.VerifyCRL(l, a.Certificate); err != nil {
			t.Error(err)
		}
	}
	if len(s.m) == 0 {
		t.Error("nothing is remembered")
	}
	forged, err := ParseOCSPResponse(r.Raw)
	if err != nil {
		t.Fatal(err)
	}
	forged.Raw, forged.Signature = append([]byte{1}, r.Raw...), append([]byte{1}, r.Signature...)
	if _, err := s.VerifyOCSP(forged, a.Certificate, r.ProducedAt); err == nil {
		t.Error("another answer was taken for one that was checked")
	}
}

// Data of one slice is parsed once, that of another again, and no more is held than there is room for.
func TestASignatureCacheParsesRevocationDataOnce(t *testing.T) {
	t.Parallel()
	a := mustAuthority(t, "CN=Own CA", P256)
	answer := ocspSeed(t, a)
	list, err := a.CRL(nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	var s SignatureCache
	r, err1 := s.OCSPResponse(answer)
	again, err2 := s.OCSPResponse(answer)
	other, err3 := s.OCSPResponse(append([]byte(nil), answer...))
	if err1 != nil || err2 != nil || err3 != nil || r != again || r == other || r.Fingerprint() != other.Fingerprint() {
		t.Errorf("%p %p %p, %v %v %v", r, again, other, err1, err2, err3)
	}
	l, err1 := s.CRL(list)
	same, err2 := s.CRL(list)
	if err1 != nil || err2 != nil || l != same {
		t.Errorf("%p %p, %v %v", l, same, err1, err2)
	}
	if _, err := s.CRL(answer); err == nil {
		t.Error("an OCSP response was taken for a list")
	}
	if held := 2*len(answer) + len(list) + 3*parsedForm; s.held != held {
		t.Errorf("%d octets are held, not %d", s.held, held)
	}
	s.held = maxParsed
	if _, err := s.CRL(append([]byte(nil), list...)); err != nil || len(s.parsed) != 1 || s.held != len(list)+parsedForm {
		t.Errorf("%d held of %d octets, %v", len(s.parsed), s.held, err)
	}
	if _, err := (*SignatureCache)(nil).CRL(list); err != nil {
		t.Error(err)
	}
}

func TestASignatureCacheIsBounded(t *testing.T) {
	t.Parallel()
	a := mustAuthority(t, "CN=Own CA", P256)
	s := SignatureCache{m: map[[2][32]byte]struct{}{}}
	for i := range maxSignatures {
		s.m[[2][32]byte{{byte(i), byte(i >> 8)}}] = struct{}{}
	}
	if err := s.CheckSignatureFrom(a.Certificate, a.Certificate); err != nil {
		t.Fatal(err)
	}
	if len(s.m) > maxSignatures {
		t.Errorf("%d signatures kept", len(s.m))
	}
}

// crypto/rsa is asked about keys up to 2,048 bits, math/big about larger ones.
func TestRSAKeysOfAllSizes(t *testing.T) {
	t.Parallel()
	for _, alg := range []KeyAlgorithm{RSA2048, RSA3072, RSA4096} {
		a := mustAuthority(t, fmt.Sprintf("CN=Key %v", alg), alg)
		c := a.Certificate
		if err := c.CheckSignatureFrom(c); err != nil {
			t.Errorf("%v: %v", alg, err)
		}
		c.Signature[9] ^= 1
		if err := c.CheckSignatureFrom(c); !errors.Is(err, ErrBadSignature) {
			t.Errorf("%v with an altered signature: %v", alg, err)
		}
	}
}

func BenchmarkSignatureCache(b *testing.B) {
	a := mustAuthority(b, "CN=Own CA", P256)
	leaf := a.mustIssue(b, Template{CommonName: "Ada", NotAfter: time.Now().AddDate(1, 0, 0)}).Certificate
	var s SignatureCache
	b.ReportAllocs()
	for b.Loop() {
		if err := s.CheckSignatureFrom(leaf, a.Certificate); err != nil {
			b.Fatal(err)
		}
	}
}
