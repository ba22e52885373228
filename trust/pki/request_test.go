package pki

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"errors"
	"testing"
)

func TestRequests(t *testing.T) {
	t.Parallel()
	subject, err := ParseName("CN=Node,C=EE")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := subject.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	for _, alg := range []KeyAlgorithm{RSA2048, P256, P521, Ed25519, BrainpoolP256r1, BrainpoolP384r1, BrainpoolP512r1} {
		key, err := GenerateKey(rand.Reader, alg)
		if err != nil {
			t.Fatal(err)
		}
		der, err := CreateRequest(rand.Reader, raw, []string{"node.example"}, key)
		if err != nil {
			t.Fatalf("%s: %v", alg, err)
		}
		r, err := ParseRequest(der)
		if err != nil {
			t.Fatalf("%s: %v", alg, err)
		}
		if r.Subject.String() != "CN=Node,C=EE" || !r.PublicKey.(interface{ Equal(x crypto.PublicKey) bool }).Equal(key.Public()) {
			t.Errorf("%s: %+v", alg, r)
		}
		for _, i := range []int{bytes.Index(der, []byte("Node")), len(der) - 5} { // what is signed, and the signature
			bad := bytes.Clone(der)
			bad[i] ^= 1
			if r, err := ParseRequest(bad); err == nil {
				t.Errorf("%s: octet %d was changed, and %s asks", alg, i, r.Subject)
			}
		}
	}
	key, err := GenerateKey(rand.Reader, X25519)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := CreateRequest(rand.Reader, raw, nil, key); !errors.Is(err, ErrUnsupported) {
		t.Errorf("X25519: %v", err)
	}
}

func FuzzRequest(f *testing.F) {
	subject, err := ParseName("CN=Node,C=EE")
	if err != nil {
		f.Fatal(err)
	}
	raw, err := subject.Marshal()
	if err != nil {
		f.Fatal(err)
	}
	for _, alg := range []KeyAlgorithm{P256, BrainpoolP256r1} {
		key, err := GenerateKey(rand.Reader, alg)
		if err != nil {
			f.Fatal(err)
		}
		der, err := CreateRequest(rand.Reader, raw, nil, key)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(der)
		f.Add(der[:len(der)/2])
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		if r, err := ParseRequest(der); err == nil && (r.PublicKey == nil || len(r.RawSubject) == 0) {
			t.Errorf("a request without key or name: %+v", r)
		}
	})
}
