package pki

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"io"
	"slices"

	"filippo.io/mldsa"
	mldsax509 "filippo.io/mldsa/x509"
	"github.com/viadukt-eu/viadukt/trust/pki/brainpool"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Key is a private key, wherever it lives: in a file, in an HSM, behind a remote service. What it can do
// is asked by type assertion: [crypto.Signer] signs, [crypto.Decrypter] undoes RSA-OAEP, [Agreer] agrees.
// Implementations are used by several goroutines at once.
type Key interface{ Public() crypto.PublicKey }

// Agreer is a key that agrees on a secret with a peer's public key of the same curve.
type Agreer interface {
	// Agree returns the X coordinate at full width (EC), or the output of X25519.
	Agree(peer crypto.PublicKey) (secret []byte, err error)
}

// InProcess tells whether a key is one that this process holds, and the one to a public key. What such a key signs need not be verified
// before it is used; what comes from elsewhere has to be.
func InProcess(key any, public crypto.PublicKey) bool {
	switch k := key.(type) {
	case *rsa.PrivateKey:
		return k.PublicKey.Equal(public)
	case *ecdsa.PrivateKey:
		return k.PublicKey.Equal(public)
	case ecKey:
		return k.PublicKey.Equal(public)
	case ed25519.PrivateKey:
		return k.Public().(ed25519.PublicKey).Equal(public)
	}
	return false
}

// ecKey adds agreement to ECDSA keys, and constant-time signing on brainpool curves.
type ecKey struct{ *ecdsa.PrivateKey }

// Sign returns SEQUENCE { r, s }. On brainpool curves it is randomised from rand, crypto/rand where nil.
func (k ecKey) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if !brainpool.Is(k.Curve) {
		return k.PrivateKey.Sign(random, digest, opts)
	}
	if random == nil {
		random = rand.Reader
	}
	return brainpool.SignASN1(random, k.PrivateKey, digest)
}

func (k ecKey) Agree(peer crypto.PublicKey) ([]byte, error) {
	pub, ok := peer.(*ecdsa.PublicKey)
	if !ok || pub == nil || pub.Curve != k.Curve {
		return nil, fmt.Errorf("%w: agreement needs a peer key on %s", ErrUnsupported, k.Curve.Params().Name)
	}
	if brainpool.Is(k.Curve) {
		return brainpool.ECDH(k.PrivateKey, pub)
	}
	own, err := k.PrivateKey.ECDH()
	if err != nil {
		return nil, err
	}
	other, err := pub.ECDH()
	if err != nil {
		return nil, err
	}
	return own.ECDH(other)
}

// x25519Key is an agreement key; it cannot sign.
type x25519Key struct{ *ecdh.PrivateKey }

// Agree refuses peers of low order, whose secret is zero.
func (k x25519Key) Agree(peer crypto.PublicKey) ([]byte, error) {
	pub, ok := peer.(*ecdh.PublicKey)
	if !ok || pub == nil || pub.Curve() != k.Curve() {
		return nil, fmt.Errorf("%w: agreement needs an X25519 peer key", ErrUnsupported)
	}
	return k.ECDH(pub)
}

// NewKey makes a [Key] of a private key in memory: *rsa.PrivateKey, *ecdsa.PrivateKey (NIST and brainpool
// curves), ed25519.PrivateKey, *mldsa.PrivateKey or *ecdh.PrivateKey (X25519).
func NewKey(private crypto.PrivateKey) (Key, error) {
	switch k := private.(type) {
	case *rsa.PrivateKey:
		return k, nil
	case ed25519.PrivateKey:
		return k, nil
	case *mldsa.PrivateKey:
		return k, nil
	case *ecdsa.PrivateKey:
		return ecKey{k}, nil
	case *ecdh.PrivateKey:
		if k.Curve() == ecdh.X25519() {
			return x25519Key{k}, nil
		}
	case ecKey:
		return k, nil
	case x25519Key:
		return k, nil
	}
	return nil, fmt.Errorf("%w: private key %T", ErrUnsupported, private)
}

// KeyAlgorithm names the kinds of key that can be generated.
type KeyAlgorithm string

const (
	RSA2048         KeyAlgorithm = "rsa-2048"
	RSA3072         KeyAlgorithm = "rsa-3072"
	RSA4096         KeyAlgorithm = "rsa-4096"
	P256            KeyAlgorithm = "p-256"
	P384            KeyAlgorithm = "p-384"
	P521            KeyAlgorithm = "p-521"
	Ed25519         KeyAlgorithm = "ed25519"
	X25519          KeyAlgorithm = "x25519"
	MLDSA44         KeyAlgorithm = "ml-dsa-44"
	MLDSA65         KeyAlgorithm = "ml-dsa-65"
	MLDSA87         KeyAlgorithm = "ml-dsa-87"
	BrainpoolP256r1 KeyAlgorithm = "brainpoolP256r1"
	BrainpoolP384r1 KeyAlgorithm = "brainpoolP384r1"
	BrainpoolP512r1 KeyAlgorithm = "brainpoolP512r1"
)

// GenerateKey makes a key pair; random nil: crypto/rand.
func GenerateKey(random io.Reader, alg KeyAlgorithm) (Key, error) {
	if random == nil {
		random = rand.Reader
	}
	private, err := generate(random, alg)
	if err != nil {
		return nil, err
	}
	return NewKey(private)
}

func generate(random io.Reader, alg KeyAlgorithm) (crypto.PrivateKey, error) {
	switch alg {
	case RSA2048:
		return rsa.GenerateKey(random, 2048)
	case RSA3072:
		return rsa.GenerateKey(random, 3072)
	case RSA4096:
		return rsa.GenerateKey(random, 4096)
	case P256:
		return ecdsa.GenerateKey(elliptic.P256(), random)
	case P384:
		return ecdsa.GenerateKey(elliptic.P384(), random)
	case P521:
		return ecdsa.GenerateKey(elliptic.P521(), random)
	case Ed25519:
		_, k, err := ed25519.GenerateKey(random)
		return k, err
	case X25519:
		return ecdh.X25519().GenerateKey(random)
	case MLDSA44: // these three take their randomness from the system
		return mldsa.GenerateKey(mldsa.MLDSA44())
	case MLDSA65:
		return mldsa.GenerateKey(mldsa.MLDSA65())
	case MLDSA87:
		return mldsa.GenerateKey(mldsa.MLDSA87())
	case BrainpoolP256r1:
		return brainpool.GenerateKey(brainpool.P256r1(), random)
	case BrainpoolP384r1:
		return brainpool.GenerateKey(brainpool.P384r1(), random)
	case BrainpoolP512r1:
		return brainpool.GenerateKey(brainpool.P512r1(), random)
	}
	return nil, fmt.Errorf("%w: key algorithm %q", ErrUnsupported, alg)
}

// ParsePrivateKey reads PKCS #8, PKCS #1 or SEC 1 in DER, unencrypted.
func ParsePrivateKey(der []byte) (Key, error) {
	private, err := mldsax509.ParsePKCS8PrivateKey(der) // which leaves other keys to the standard library
	if err == nil {
		return NewKey(private)
	}
	if k, e := x509.ParsePKCS1PrivateKey(der); e == nil {
		return NewKey(k)
	}
	if k, e := x509.ParseECPrivateKey(der); e == nil {
		return NewKey(k)
	}
	if k, e := brainpool.ParsePKCS8(der); e == nil {
		return NewKey(k)
	}
	if k, e := brainpool.ParseECPrivateKey(der); e == nil {
		return NewKey(k)
	}
	if o, ok := pkcs8Algorithm(der); ok && !slices.Contains([]OID{oidRSA, oidEC, oidEd25519, oidX25519}, o) {
		return nil, fmt.Errorf("%w: private key of type %s", ErrUnsupported, o)
	}
	return nil, malformed("private key: %v", err)
}

func pkcs8Algorithm(der []byte) (o OID, ok bool) {
	in := cryptobyte.String(der)
	var info, alg cryptobyte.String
	ok = in.ReadASN1(&info, asn1.SEQUENCE) && info.SkipASN1(asn1.INTEGER) && info.ReadASN1(&alg, asn1.SEQUENCE) && readOID(&alg, &o)
	return o, ok
}

// MarshalPrivateKey writes PKCS #8; only keys in memory can be written.
func MarshalPrivateKey(k Key) ([]byte, error) {
	switch k := k.(type) {
	case ecKey:
		if brainpool.Is(k.Curve) {
			return brainpool.MarshalPKCS8(k.PrivateKey)
		}
		return x509.MarshalPKCS8PrivateKey(k.PrivateKey)
	case x25519Key:
		return x509.MarshalPKCS8PrivateKey(k.PrivateKey)
	case *rsa.PrivateKey, ed25519.PrivateKey:
		return x509.MarshalPKCS8PrivateKey(k)
	case *mldsa.PrivateKey:
		return mldsax509.MarshalPKCS8PrivateKey(k)
	}
	return nil, fmt.Errorf("%w: the key does not leave its place (%T)", ErrUnsupported, k)
}

func marshalPKIX(pub crypto.PublicKey) ([]byte, error) { return x509.MarshalPKIXPublicKey(pub) }

// samePublicKey compares by value; unknown kinds are different.
func samePublicKey(a, b crypto.PublicKey) bool {
	k, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && b != nil && k.Equal(b)
}
