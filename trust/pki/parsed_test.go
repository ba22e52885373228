package pki

import (
	"testing"
	"time"
)

func TestParsedReturnsTheSameCertificateForEqualOctets(t *testing.T) {
	t.Parallel()
	a, err := NewAuthority(nil, "CN=Test", P256, time.Now(), 1)
	if err != nil {
		t.Fatal(err)
	}
	var p Parsed
	first, err := p.Certificate(a.Certificate.Raw)
	if err != nil {
		t.Fatal(err)
	}
	again, err := p.Certificate(append([]byte(nil), a.Certificate.Raw...))
	if err != nil || again != first {
		t.Errorf("%p, %p, %v", first, again, err)
	}
	if _, err := p.Certificate([]byte("no certificate")); err == nil {
		t.Error("accepted octets that are none")
	}
}
