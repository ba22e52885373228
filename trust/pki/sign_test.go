package pki

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"testing"

	"github.com/viadukt-eu/viadukt/trust/ber"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// TestSignedByWhatItSays: an algorithm made for a key reads back as itself, and what it signs it verifies.
func TestSignedByWhatItSays(t *testing.T) {
	t.Parallel()
	for _, alg := range []KeyAlgorithm{RSA2048, P256, P384, P521, Ed25519, BrainpoolP256r1} {
		key, err := GenerateKey(rand.Reader, alg)
		if err != nil {
			t.Fatal(err)
		}
		for _, hash := range []crypto.Hash{crypto.SHA224, crypto.SHA256, crypto.SHA384, crypto.SHA512, crypto.SHA3_256} {
			for _, pss := range []bool{false, true} {
				a, err := SigningAlgorithm(key.Public(), hash, pss)
				if err != nil {
					t.Fatalf("%s %s: %v", alg, hash, err)
				}
				read, err := ParseSignatureAlgorithm(a.Raw)
				if err != nil || read.Scheme != a.Scheme || read.Hash != a.Hash || read.MGFHash != a.MGFHash || read.SaltLength != a.SaltLength {
					t.Errorf("%s %s pss=%v: %+v came back as %+v, %v", alg, hash, pss, a, read, err)
				}
				value, err := a.Sign(nil, key, []byte("message"))
				if err != nil {
					t.Fatal(err)
				}
				if err := read.Verify(key.Public(), []byte("message"), value); err != nil {
					t.Errorf("%s %s pss=%v: %v", alg, hash, pss, err)
				}
				if err := read.Verify(key.Public(), []byte("another"), value); !errors.Is(err, ErrBadSignature) {
					t.Errorf("%s %s pss=%v, another message: %v", alg, hash, pss, err)
				}
			}
		}
		for _, weak := range []crypto.Hash{crypto.MD5, crypto.SHA1, crypto.RIPEMD160} {
			if _, err := SigningAlgorithm(key.Public(), weak, false); alg != Ed25519 && !errors.Is(err, ErrWeakKey) {
				t.Errorf("%s %s: %v", alg, weak, err)
			}
		}
		if _, err := SigningAlgorithm(key.Public(), crypto.BLAKE2b_256, false); alg != Ed25519 && !errors.Is(err, ErrUnsupported) {
			t.Errorf("%s: a hash without a name: %v", alg, err)
		}
	}
	agree, err := GenerateKey(rand.Reader, X25519)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := SigningAlgorithm(agree.Public(), crypto.SHA256, false); !errors.Is(err, ErrUnsupported) {
		t.Errorf("a key that does not sign: %v", err)
	}
}

// TestExtensionInBER: one length longer than it need be does not make a certificate unreadable; what is wrong stays refused.
func TestExtensionInBER(t *testing.T) {
	t.Parallel()
	a, err := NewAuthority(rand.Reader, "CN=Old", P256, testNow, 10)
	if err != nil {
		t.Fatal(err)
	}
	policy := []byte{0x30, 0x81, 0x05, 0x06, 0x03, 0x2a, 0x03, 0x04}
	id, err := a.Issue(Template{Subject: "CN=Leaf", ExtKeyUsage: []OID{EKUClientAuth}, Extensions: []Extension{{ID: oidPolicies, Value: ber.Append(nil, asn1.SEQUENCE, policy)}}})
	if err != nil {
		t.Fatal(err)
	}
	c := id.Certificate
	if len(c.Policies) != 1 || c.Policies[0] != "1.2.3.4" || len(c.ExtKeyUsage) != 1 {
		t.Errorf("policies %v, usages %v", c.Policies, c.ExtKeyUsage)
	}
	if v, _ := c.Extension(oidPolicies); !bytes.Equal(v[2:], policy) {
		t.Errorf("the octets changed: %x", v)
	}
	if _, err := a.Issue(Template{Subject: "CN=Leaf", Extensions: []Extension{{ID: oidPolicies, Value: []byte{0x30, 0x81, 0x05}}}}); !errors.Is(err, ErrFormat) {
		t.Errorf("a policy cut off: %v", err)
	}
}

// TestRIPEMD160: signatures of old are computed, so that they can be judged.
func TestRIPEMD160(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	value, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.RIPEMD160, digest(crypto.RIPEMD160, []byte("message")))
	if err != nil {
		t.Fatal(err)
	}
	a, err := ParseSignatureAlgorithm([]byte{0x30, 0x0a, 6, 6, 0x2b, 0x24, 3, 3, 1, 2, 5, 0})
	if err != nil || a.Scheme != SchemeRSA || a.Hash != crypto.RIPEMD160 {
		t.Fatalf("%+v %v", a, err)
	}
	if err := a.Verify(&key.PublicKey, []byte("message"), value); err != nil {
		t.Error(err)
	}
	if err := a.Verify(&key.PublicKey, []byte("another"), value); !errors.Is(err, ErrBadSignature) {
		t.Error(err)
	}
	// OpenSSL and xmlsec name the hash by its first number, crypto/rsa by that of ISO/IEC 10118-3.
	first := []byte{0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x24, 3, 2, 1, 5, 0, 4, 20}
	value, err = rsa.SignPKCS1v15(nil, key, 0, append(first, digest(crypto.RIPEMD160, []byte("message"))...))
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Verify(&key.PublicKey, []byte("message"), value); err != nil {
		t.Error(err)
	}
	if err := a.Verify(&key.PublicKey, []byte("another"), value); !errors.Is(err, ErrBadSignature) {
		t.Error(err)
	}
}

// TestWeakHashes: what is computed for the sake of old documents is believed in no chain, list or answer.
func TestWeakHashes(t *testing.T) {
	t.Parallel()
	for hash, want := range map[crypto.Hash][2]bool{
		crypto.MD5: {true, true}, crypto.RIPEMD160: {true, true}, crypto.SHA1: {true, false}, crypto.SHA224: {false, false}, crypto.SHA256: {false, false},
	} {
		if got := [2]bool{tooWeak(hash, false), tooWeak(hash, true)}; got != want {
			t.Errorf("%s: %v, want %v", hash, got, want)
		}
	}
}

func TestMLDSAKeysAreKeptButNothingSignsWithThemUnasked(t *testing.T) {
	t.Parallel()
	for alg, bits := range map[KeyAlgorithm]int{MLDSA44: 1312, MLDSA65: 1952, MLDSA87: 2592} {
		key, err := GenerateKey(nil, alg)
		if err != nil {
			t.Fatal(err)
		}
		der, err := MarshalPrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParsePrivateKey(der)
		if err != nil {
			t.Fatal(err)
		}
		spki, err := MarshalPublicKey(key.Public())
		if err != nil {
			t.Fatal(err)
		}
		public, err := ParsePublicKey(spki)
		if err != nil {
			t.Fatal(err)
		}
		if !samePublicKey(public, again.Public()) || len(spki) < bits {
			t.Errorf("%s: another key comes back", alg)
		}
		if _, err := ParsePublicKey(append(spki[:len(spki)-1:len(spki)-1], 0)); err != nil {
			t.Errorf("%s: %v", alg, err) // any octets are a key, of the right length
		}
		if _, err := SigningAlgorithm(public, crypto.SHA512, false); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%s: %v", alg, err)
		}
	}
}

// TestKeysWithoutASource: every kind of key is made of the system's randomness where nobody brings another.
func TestKeysWithoutASource(t *testing.T) {
	t.Parallel()
	for _, alg := range []KeyAlgorithm{P256, P384, P521, Ed25519, X25519, MLDSA44, BrainpoolP256r1, BrainpoolP384r1, BrainpoolP512r1} {
		if k, err := GenerateKey(nil, alg); err != nil || k.Public() == nil {
			t.Errorf("%s: %v", alg, err)
		}
	}
}
