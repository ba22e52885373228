package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"io"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// SigningAlgorithm is the algorithm by which a key of this kind signs with a hash: RSA PKCS #1 v1.5, or PSS where pss is set (with
// MGF1 of the same hash and a salt as long as the hash), ECDSA, or Ed25519, which brings its own hash. MD5, SHA-1 and
// RIPEMD-160 are [ErrWeakKey]: nothing new is signed with them.
func SigningAlgorithm(pub crypto.PublicKey, hash crypto.Hash, pss bool) (SignatureAlgorithm, error) {
	a := SignatureAlgorithm{Hash: hash}
	switch pub.(type) {
	case *rsa.PublicKey:
		a.Scheme = SchemeRSA
		if pss {
			a.Scheme, a.OID, a.MGFHash, a.SaltLength = SchemeRSAPSS, oidRSAPSS, hash, hash.Size()
		}
	case *ecdsa.PublicKey:
		a.Scheme = SchemeECDSA
	case ed25519.PublicKey:
		a.Scheme, a.OID, a.Hash = SchemeEd25519, oidEd25519, 0
	default:
		return a, fmt.Errorf("%w: a key of type %T does not sign", ErrUnsupported, pub)
	}
	if a.Hash == crypto.MD5 || a.Hash == crypto.SHA1 || a.Hash == crypto.RIPEMD160 {
		return a, fmt.Errorf("%w: signing with %s", ErrWeakKey, a.Hash)
	}
	if a.OID == "" {
		for o, s := range signatureSchemes {
			if s.scheme == a.Scheme && s.hash == hash {
				a.OID = o
			}
		}
	}
	if a.OID == "" || a.Hash != 0 && (!hash.Available() || OIDByHash(hash) == "") {
		return a, fmt.Errorf("%w: signing with hash %s", ErrUnsupported, hash)
	}
	var err error
	a.Raw, err = a.marshal()
	return a, err
}

func (a SignatureAlgorithm) marshal() ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		addOID(b, a.OID)
		switch a.Scheme {
		case SchemeRSA:
			b.AddASN1NULL() // [RFC 4055 2.1]
		case SchemeRSAPSS:
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { // [RFC 4055 3.1]
				explicit := func(n uint8, f cryptobyte.BuilderContinuation) {
					b.AddASN1(asn1.Tag(n).Constructed().ContextSpecific(), f)
				}
				explicit(0, func(b *cryptobyte.Builder) { addHash(b, a.Hash) })
				explicit(1, func(b *cryptobyte.Builder) {
					b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
						addOID(b, oidMGF1)
						addHash(b, a.MGFHash)
					})
				})
				explicit(2, func(b *cryptobyte.Builder) { b.AddASN1Int64(int64(a.SaltLength)) })
			})
		}
	})
	return b.Bytes()
}

func addHash(b *cryptobyte.Builder, h crypto.Hash) {
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		addOID(b, OIDByHash(h))
		b.AddASN1NULL()
	})
}

// Sign signs a message with a key that can. random nil is crypto/rand.
func (a SignatureAlgorithm) Sign(random io.Reader, key Key, message []byte) ([]byte, error) {
	if a.Scheme == SchemeEd25519 {
		return a.SignDigest(random, key, message)
	}
	return a.SignDigest(random, key, digest(a.Hash, message))
}

// SignDigest is [SignatureAlgorithm.Sign] for a message that is hashed already; for Ed25519 it takes the message itself.
func (a SignatureAlgorithm) SignDigest(random io.Reader, key Key, digest []byte) ([]byte, error) {
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("%w: the key does not sign (%T)", ErrUnsupported, key)
	}
	if random == nil {
		random = rand.Reader
	}
	var opts crypto.SignerOpts = a.Hash
	if a.Scheme == SchemeRSAPSS {
		opts = &rsa.PSSOptions{SaltLength: a.SaltLength, Hash: a.Hash}
	}
	return signer.Sign(random, digest, opts)
}

// FixedPair turns the SEQUENCE { r, s } that crypto.Signer returns for ECDSA into r||s, each as wide as the order of the curve: the form
// of signatures in XML and JSON.
func FixedPair(der []byte, key *ecdsa.PublicKey) ([]byte, error) {
	var r, s big.Int
	n := key.Curve.Params().N
	if !readPair(der, &r, &s) || r.Cmp(n) >= 0 || s.Cmp(n) >= 0 {
		return nil, malformed("ECDSA signature: no pair of numbers in range")
	}
	width := (n.BitLen() + 7) / 8
	out := make([]byte, 2*width)
	r.FillBytes(out[:width])
	s.FillBytes(out[width:])
	return out, nil
}
