package xmldsig_test

import (
	"crypto"
	"errors"
	"testing"

	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/xmldsig"
)

// TestOctets: what is no XML is signed by the same identifiers, and by no others than the caller allows.
func TestOctets(t *testing.T) {
	t.Parallel()
	octets := []byte("SAMLRequest=a&SigAlg=b")
	for alg, method := range map[pki.KeyAlgorithm]string{pki.RSA2048: xmldsig.RSAPSSSHA256, pki.P384: xmldsig.ECDSASHA384, pki.BrainpoolP256r1: xmldsig.ECDSASHA256, pki.Ed25519: xmldsig.Ed25519} {
		t.Run(string(alg), func(t *testing.T) {
			t.Parallel()
			key, err := pki.GenerateKey(nil, alg)
			if err != nil {
				t.Fatal(err)
			}
			value, err := xmldsig.SignOctets(key.(crypto.Signer), method, octets, nil)
			if err != nil {
				t.Fatal(err)
			}
			pub := key.Public()
			if err := xmldsig.VerifyOctets(pub, method, octets, value, xmldsig.VerifyOptions{}); err != nil {
				t.Error(err)
			}
			if err := xmldsig.VerifyOctets(pub, method, octets[1:], value, xmldsig.VerifyOptions{}); !errors.Is(err, xmldsig.ErrSignature) {
				t.Errorf("other octets: %v", err)
			}
			value[len(value)-1] ^= 1
			if err := xmldsig.VerifyOctets(pub, method, octets, value, xmldsig.VerifyOptions{}); !errors.Is(err, xmldsig.ErrSignature) {
				t.Errorf("another value: %v", err)
			}
			if err := xmldsig.VerifyOctets(pub, method, octets, value, xmldsig.VerifyOptions{Signatures: []string{xmldsig.RSASHA512}}); !errors.Is(err, xmldsig.ErrAlgorithm) {
				t.Errorf("a method that is not on the list: %v", err)
			}
			for _, refused := range []string{xmldsig.RSASHA1, xmldsig.ECDSASHA1, xmldsig.HMACSHA256, xmldsig.MLDSA44, xmldsig.RSAPSS, "urn:x", ""} {
				if err := xmldsig.VerifyOctets(pub, refused, octets, value, xmldsig.VerifyOptions{}); !errors.Is(err, xmldsig.ErrAlgorithm) {
					t.Errorf("%q: %v", refused, err)
				}
			}
		})
	}
	small, err := pki.GenerateKey(nil, pki.RSA2048)
	if err != nil {
		t.Fatal(err)
	}
	value, err := xmldsig.SignOctets(small.(crypto.Signer), "", octets, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := xmldsig.VerifyOctets(small.Public(), xmldsig.RSASHA256, octets, value, xmldsig.VerifyOptions{MinRSABits: 3072}); !errors.Is(err, xmldsig.ErrKey) {
		t.Errorf("a short key: %v", err)
	}
	if _, err := xmldsig.SignOctets(small.(crypto.Signer), xmldsig.ECDSASHA256, octets, nil); !errors.Is(err, xmldsig.ErrKey) {
		t.Errorf("a key of another kind: %v", err)
	}
}
