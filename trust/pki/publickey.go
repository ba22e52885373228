package pki

import (
	"crypto"
	"crypto/dsa" //nolint:staticcheck // old documents carry DSA certificates, which are read and judged
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"fmt"
	"math/big"

	"filippo.io/mldsa"
	mldsax509 "filippo.io/mldsa/x509"
	"github.com/viadukt-eu/viadukt/trust/pki/brainpool"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

const (
	oidRSA     OID = "1.2.840.113549.1.1.1"
	oidRSAPSS  OID = "1.2.840.113549.1.1.10"
	oidEC      OID = "1.2.840.10045.2.1"
	oidDSA     OID = "1.2.840.10040.4.1"
	oidX25519  OID = "1.3.101.110"
	oidEd25519 OID = "1.3.101.112"
	oidP256    OID = "1.2.840.10045.3.1.7"
	oidP384    OID = "1.3.132.0.34"
	oidP521    OID = "1.3.132.0.35"
	oidMLDSA44 OID = "2.16.840.1.101.3.4.3.17" // [RFC 9881 2]
	oidMLDSA65 OID = "2.16.840.1.101.3.4.3.18"
	oidMLDSA87 OID = "2.16.840.1.101.3.4.3.19"
)

// ParsePublicKey reads a DER SubjectPublicKeyInfo; see [Certificate.PublicKey] for the types.
func ParsePublicKey(spki []byte) (crypto.PublicKey, error) {
	_, key, keyErr, err := parseSPKI(spki)
	if err != nil {
		return nil, err
	}
	return key, keyErr
}

// parseSPKI separates what is malformed (err) from keys that are well wrapped but unknown or bad (keyErr),
// because a certificate with the latter can still be shown.
func parseSPKI(der []byte) (alg OID, key crypto.PublicKey, keyErr, err error) {
	in := cryptobyte.String(der)
	var spki, id, bits, params cryptobyte.String
	if !in.ReadASN1(&spki, asn1.SEQUENCE) || !in.Empty() || !spki.ReadASN1(&id, asn1.SEQUENCE) || !readOID(&id, &alg) ||
		!readBitString(&spki, &bits) || !spki.Empty() {
		return "", nil, nil, malformed("public key")
	}
	params = id // what follows the identifier
	key, keyErr = parseKey(alg, params, bits)
	if keyErr != nil {
		keyErr = fmt.Errorf("public key: %w", keyErr)
		key = nil
	}
	return alg, key, keyErr, nil
}

func parseKey(alg OID, params, bits cryptobyte.String) (crypto.PublicKey, error) {
	switch alg {
	case oidRSA, oidRSAPSS:
		return parseRSA(bits)
	case oidEC:
		return parseEC(params, bits)
	case oidEd25519:
		if len(bits) != ed25519.PublicKeySize {
			return nil, malformed("Ed25519 key of %d octets", len(bits))
		}
		return ed25519.PublicKey(bits), nil
	case oidX25519:
		k, err := ecdh.X25519().NewPublicKey(bits)
		if err != nil {
			return nil, malformed("X25519 key of %d octets", len(bits))
		}
		return k, nil
	case oidDSA:
		return parseDSA(params, bits)
	case oidMLDSA44, oidMLDSA65, oidMLDSA87:
		k, err := mldsa.NewPublicKey(mldsaParameters[alg], bits)
		if err != nil || len(params) > 0 { // [RFC 9881 2]
			return nil, malformed("ML-DSA key")
		}
		return k, nil
	}
	return nil, fmt.Errorf("%w: key of type %s", ErrUnsupported, alg)
}

var mldsaParameters = map[OID]mldsa.Parameters{oidMLDSA44: mldsa.MLDSA44(), oidMLDSA65: mldsa.MLDSA65(), oidMLDSA87: mldsa.MLDSA87()}

const maxRSABits = 16384 // a larger modulus would let strangers burn our time

func parseRSA(bits cryptobyte.String) (*rsa.PublicKey, error) {
	var seq cryptobyte.String
	n, e := new(big.Int), new(big.Int)
	if !bits.ReadASN1(&seq, asn1.SEQUENCE) || !readLongInteger(&seq, n) || !readInteger(&seq, e) || !seq.Empty() {
		return nil, malformed("RSA key")
	}
	switch {
	case n.Sign() <= 0 || n.Bit(0) == 0:
		return nil, malformed("RSA modulus is not a positive odd number")
	case n.BitLen() > maxRSABits:
		return nil, fmt.Errorf("%w: RSA modulus of %d bits", ErrUnsupported, n.BitLen())
	case !e.IsInt64() || e.Int64() < 3 || e.Int64() > 1<<31-1 || e.Bit(0) == 0:
		return nil, fmt.Errorf("%w: RSA exponent %s", ErrUnsupported, e)
	}
	return &rsa.PublicKey{N: n, E: int(e.Int64())}, nil
}

// readLongInteger is readInteger for moduli. A negative one has lost its leading zero octet.
func readLongInteger(s *cryptobyte.String, out *big.Int) bool {
	var v cryptobyte.String
	if !s.ReadASN1(&v, asn1.INTEGER) || len(v) == 0 || len(v) > maxRSABits/8+8 {
		return false
	}
	out.SetBytes(v)
	return true
}

func parseEC(params, bits cryptobyte.String) (*ecdsa.PublicKey, error) {
	rest := params
	var element cryptobyte.String
	var tag asn1.Tag
	if !rest.ReadAnyASN1Element(&element, &tag) {
		return nil, malformed("EC key without curve")
	}
	if c := brainpool.ByParameters(element); c != nil {
		pub, err := c.ParsePoint(bits)
		if err != nil {
			return nil, malformed("EC key: %v", err)
		}
		return pub, nil
	}
	var name OID
	if tag != asn1.OBJECT_IDENTIFIER || !readOID(&element, &name) {
		return nil, fmt.Errorf("%w: EC key with explicit parameters", ErrUnsupported)
	}
	curve := namedCurve(name)
	if curve == nil {
		return nil, fmt.Errorf("%w: curve %s", ErrUnsupported, name)
	}
	return parsePoint(curve, bits)
}

func namedCurve(name OID) elliptic.Curve {
	switch name {
	case oidP256:
		return elliptic.P256()
	case oidP384:
		return elliptic.P384()
	case oidP521:
		return elliptic.P521()
	}
	return nil
}

func parsePoint(curve elliptic.Curve, b []byte) (*ecdsa.PublicKey, error) {
	if len(b) > 0 && (b[0] == 2 || b[0] == 3) {
		x, y := elliptic.UnmarshalCompressed(curve, b)
		if x == nil {
			return nil, malformed("EC point")
		}
		return &ecdsa.PublicKey{Curve: curve, X: x, Y: y}, nil
	}
	pub, err := ecdsa.ParseUncompressedPublicKey(curve, b)
	if err != nil {
		return nil, malformed("EC point")
	}
	return pub, nil
}

func parseDSA(params, bits cryptobyte.String) (*dsa.PublicKey, error) {
	var seq cryptobyte.String
	k := &dsa.PublicKey{Y: new(big.Int)}
	k.P, k.Q, k.G = new(big.Int), new(big.Int), new(big.Int)
	if !readLongInteger(&bits, k.Y) || !params.ReadASN1(&seq, asn1.SEQUENCE) ||
		!readLongInteger(&seq, k.P) || !readLongInteger(&seq, k.Q) || !readLongInteger(&seq, k.G) {
		return nil, malformed("DSA key")
	}
	if k.P.BitLen() > 4096 || k.Q.BitLen() > 256 || k.P.Sign() <= 0 || k.Q.Sign() <= 0 || k.G.Sign() <= 0 || k.Y.Sign() <= 0 {
		return nil, malformed("DSA key out of range")
	}
	return k, nil
}

// MarshalPublicKey writes a DER SubjectPublicKeyInfo.
func MarshalPublicKey(pub crypto.PublicKey) ([]byte, error) {
	if ec, ok := pub.(*ecdsa.PublicKey); ok && brainpool.Is(ec.Curve) {
		return brainpool.MarshalPKIX(ec)
	}
	if _, ok := pub.(*mldsa.PublicKey); ok {
		return mldsax509.MarshalPKIXPublicKey(pub)
	}
	return marshalPKIX(pub)
}

// KeyBits is the strength figure policies ask for: modulus or curve size; 0 for unknown keys.
func KeyBits(pub crypto.PublicKey) int {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		return k.N.BitLen()
	case *ecdsa.PublicKey:
		return k.Curve.Params().BitSize
	case *dsa.PublicKey:
		return k.P.BitLen()
	case ed25519.PublicKey, *ecdh.PublicKey:
		return 256
	}
	return 0
}
