package pki

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/internal/corpus"
)

// TestCorpusKeyStores opens the key stores of others and proves that each key belongs to its certificate.
func TestCorpusKeyStores(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		area, file, password string
		keys                 int
		kind                 string // of the keys, sorted
		certs                int
	}{
		{"edelivery-as4", "keys/AccessPointA.pfx", "Pz4cZK4SULUwmraZa", 1, "rsa", 1},
		{"edelivery-as4", "keys/AccessPointB.pfx", "Pz4cZK4SULUwmraZb", 1, "rsa", 1},
		{"edelivery-as4", "keys/certificate-as4.pfx", "secrets", 1, "rsa", 1},
		{"edelivery-as4", "keys/partyC.p12", "ExampleC", 1, "rsa", 1},
		{"edelivery-as4", "keys/dummy-pw-test.jks", "test", 1, "rsa", 1},
		{"edelivery-as4", "keys/gateway_keystore.jks", "test123", 2, "rsa rsa", 2},
		{"edelivery-as4", "eddsa/wss-eddsa.p12", "security", 1, "ed25519", 2},
		{"edelivery-as4", "xmlenc11/EC-P256_SHA256WithECDSA-v02.p12", "passwd", 1, "ec", 1},
		{"edelivery-as4", "xmlenc11/EC-P384_SHA256WithECDSA-v02.p12", "passwd", 1, "ec", 1},
		{"edelivery-as4", "xmlenc11/RSA-2048_SHA256WithRSA.p12", "passwd", 1, "rsa", 1},
		{"edelivery-as4", "xmlenc11/RSA-3072_SHA256WithRSA.p12", "passwd", 1, "rsa", 1},
		{"edelivery-as4", "xmlenc11/RSA-4096_SHA256WithRSA.p12", "passwd", 1, "rsa", 1},
		{"eid", "node-encryption/keystore-test.p12", "local-demo", 3, "ec ec rsa", 3},
		{"eid", "middleware-request/rsa-2048.p12", "123456", 1, "rsa", 1},
		{"eid", "middleware-request/eidassignertest.p12", "123456", 1, "rsa", 1},
		{"eid", "middleware-request/eidassignertest_ec.p12", "123456", 1, "ec", 1},
		{"eid", "middleware-request/brainpoolP512r1-explicit.p12", "123456", 1, "ec", 1},
		{"esignature", "xmlsec/keys/rsa/rsa-2048-key.p12", "secret123", 1, "rsa", 1},
		{"esignature", "xmlsec/keys/rsa/rsa-4096-key.p12", "secret123", 1, "rsa", 1},
		{"esignature", "xmlsec/keys/ec/ec-prime256v1-second-key.p12", "secret123", 1, "ec", 1},
		{"esignature", "xmlsec/keys/xdh/xdh-x25519-second-key.p12", "secret123", 1, "x25519", 1},
		{"esignature", "xmlsec/merlin-xmlenc-five/rsapriv.p12", "secret", 1, "rsa", 1},
	} {
		t.Run(c.file, func(t *testing.T) {
			t.Parallel()
			b := corpus.Read(t, c.area, c.file)
			ids, err := LoadIdentities(b, c.password)
			if err != nil {
				t.Fatal(err)
			}
			var kinds []string
			for alias, id := range ids {
				kinds = append(kinds, proveKey(t, alias, id))
			}
			slices.Sort(kinds)
			if len(ids) != c.keys || strings.Join(kinds, " ") != c.kind {
				t.Errorf("keys %q of kind %q, want %d of kind %q", slices.Sorted(maps.Keys(ids)), kinds, c.keys, c.kind)
			}
			certs, err := LoadCertificates(b, c.password)
			if err != nil || len(certs) < c.certs {
				t.Errorf("%d certificates (%v), want %d", len(certs), err, c.certs)
			}
			if _, err := LoadIdentities(b, c.password+"x"); !errors.Is(err, ErrPassword) {
				t.Errorf("wrong password: %v", err)
			}
		})
	}
}

func TestCorpusTrustStores(t *testing.T) {
	t.Parallel()
	b := corpus.Read(t, "edelivery-as4", "keys/gateway_truststore.jks")
	store, err := ParseJKS(b, "test123")
	if err != nil {
		t.Fatal(err)
	}
	if len(store.Certificates()) < 2 || store.Entries[0].Alias == "" || store.Entries[0].HasKey() {
		t.Errorf("%d trusted certificates", len(store.Certificates()))
	}
	if _, err := ParseJKS(b, ""); err != nil {
		t.Errorf("trust store without password: %v", err)
	}
	if _, err := ParseJKS(b, "wrong"); !errors.Is(err, ErrPassword) {
		t.Errorf("wrong password: %v", err)
	}
	if _, err := LoadIdentity(b, "test123"); !errors.Is(err, ErrFormat) {
		t.Errorf("identity from a trust store: %v", err)
	}
}

// proveKey uses the private key and checks the result with the certificate.
func proveKey(t *testing.T, alias string, id *Identity) string {
	t.Helper()
	if !samePublicKey(id.Key.Public(), id.Certificate.PublicKey) {
		t.Errorf("%s: key and certificate differ", alias)
	}
	signer, ok := id.Key.(crypto.Signer)
	if !ok {
		peer, err := GenerateKey(rand.Reader, X25519)
		if err != nil {
			t.Fatal(err)
		}
		a, e1 := id.Key.(Agreer).Agree(peer.Public())
		b, e2 := peer.(Agreer).Agree(id.Certificate.PublicKey)
		if e1 != nil || e2 != nil || string(a) != string(b) || len(a) != 32 {
			t.Errorf("%s: agreement %x %x %v %v", alias, a, b, e1, e2)
		}
		return "x25519"
	}
	raw, hash, err := signingAlgorithm(signer.Public())
	if err != nil {
		t.Fatal(err)
	}
	alg, err := ParseSignatureAlgorithm(raw)
	if err != nil {
		t.Fatal(err)
	}
	message := []byte("proof")
	signed := message
	if hash != 0 {
		signed = digest(hash, message)
	}
	signature, err := signer.Sign(rand.Reader, signed, hash)
	if err != nil {
		t.Fatal(err)
	}
	if err := id.Certificate.CheckSignature(alg, message, signature); err != nil {
		t.Errorf("%s: %v", alias, err)
	}
	other := sha256.Sum256(message)
	if err := id.Certificate.CheckSignature(alg, other[:], signature); !errors.Is(err, ErrBadSignature) {
		t.Errorf("%s: signature holds for another message: %v", alias, err)
	}
	kind := strings.ToLower(fmt.Sprintf("%T", id.Certificate.PublicKey))
	switch {
	case strings.Contains(kind, "rsa.public") && !strings.Contains(kind, "ecdsa"):
		return "rsa"
	case strings.Contains(kind, "ecdsa"):
		return "ec"
	}
	return "ed25519"
}
