package pki

import (
	"crypto"
	"crypto/dsa" //nolint:staticcheck // see publickey.go
	"crypto/ecdsa"
	"crypto/ed25519"
	_ "crypto/md5" // read and judged, never trusted
	"crypto/rsa"
	_ "crypto/sha1"
	_ "crypto/sha256"
	_ "crypto/sha3"
	_ "crypto/sha512"
	"fmt"
	"math/big"

	"github.com/viadukt-eu/viadukt/trust/pki/brainpool"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
	//lint:ignore SA1019 of German signatures before 2010; read and judged, never trusted
	_ "golang.org/x/crypto/ripemd160"
)

const (
	oidMD5RSA     OID = "1.2.840.113549.1.1.4"
	oidSHA1RSA    OID = "1.2.840.113549.1.1.5"
	oidSHA1RSAOld OID = "1.3.14.3.2.29"
	oidSHA256RSA  OID = "1.2.840.113549.1.1.11"
	oidSHA384RSA  OID = "1.2.840.113549.1.1.12"
	oidSHA512RSA  OID = "1.2.840.113549.1.1.13"
	oidSHA224RSA  OID = "1.2.840.113549.1.1.14"
	oidMGF1       OID = "1.2.840.113549.1.1.8"

	oidECDSASHA1   OID = "1.2.840.10045.4.1"
	oidECDSASHA224 OID = "1.2.840.10045.4.3.1"
	oidECDSASHA256 OID = "1.2.840.10045.4.3.2"
	oidECDSASHA384 OID = "1.2.840.10045.4.3.3"
	oidECDSASHA512 OID = "1.2.840.10045.4.3.4"

	oidSHA1   OID = "1.3.14.3.2.26"
	oidSHA256 OID = "2.16.840.1.101.3.4.2.1"
	oidSHA384 OID = "2.16.840.1.101.3.4.2.2"
	oidSHA512 OID = "2.16.840.1.101.3.4.2.3"
)

// Scheme is the family of a signature algorithm.
type Scheme uint8

const (
	SchemeUnknown Scheme = iota
	SchemeRSA            // PKCS #1 v1.5
	SchemeRSAPSS
	SchemeECDSA // DER SEQUENCE { r, s }
	SchemeEd25519
	SchemeDSA
)

// SignatureAlgorithm is a parsed AlgorithmIdentifier of a signature.
type SignatureAlgorithm struct {
	OID        OID
	Scheme     Scheme
	Hash       crypto.Hash // 0 for Ed25519 and the unknown
	MGFHash    crypto.Hash // of RSA-PSS
	SaltLength int         // of RSA-PSS
	Raw        []byte      // the whole AlgorithmIdentifier
}

var signatureSchemes = map[OID]struct {
	scheme Scheme
	hash   crypto.Hash
}{
	oidMD5RSA: {SchemeRSA, crypto.MD5}, oidSHA1RSA: {SchemeRSA, crypto.SHA1}, oidSHA1RSAOld: {SchemeRSA, crypto.SHA1},
	oidSHA224RSA: {SchemeRSA, crypto.SHA224}, oidSHA256RSA: {SchemeRSA, crypto.SHA256},
	oidSHA384RSA: {SchemeRSA, crypto.SHA384}, oidSHA512RSA: {SchemeRSA, crypto.SHA512},
	"2.16.840.1.101.3.4.3.13": {SchemeRSA, crypto.SHA3_224}, "2.16.840.1.101.3.4.3.14": {SchemeRSA, crypto.SHA3_256},
	"2.16.840.1.101.3.4.3.15": {SchemeRSA, crypto.SHA3_384}, "2.16.840.1.101.3.4.3.16": {SchemeRSA, crypto.SHA3_512},
	oidECDSASHA1: {SchemeECDSA, crypto.SHA1}, oidECDSASHA224: {SchemeECDSA, crypto.SHA224}, oidECDSASHA256: {SchemeECDSA, crypto.SHA256},
	oidECDSASHA384: {SchemeECDSA, crypto.SHA384}, oidECDSASHA512: {SchemeECDSA, crypto.SHA512},
	"2.16.840.1.101.3.4.3.9": {SchemeECDSA, crypto.SHA3_224}, "2.16.840.1.101.3.4.3.10": {SchemeECDSA, crypto.SHA3_256},
	"2.16.840.1.101.3.4.3.11": {SchemeECDSA, crypto.SHA3_384}, "2.16.840.1.101.3.4.3.12": {SchemeECDSA, crypto.SHA3_512},
	oidEd25519:          {SchemeEd25519, 0},
	"1.2.840.10040.4.3": {SchemeDSA, crypto.SHA1}, "2.16.840.1.101.3.4.3.1": {SchemeDSA, crypto.SHA224},
	"2.16.840.1.101.3.4.3.2": {SchemeDSA, crypto.SHA256}, "2.16.840.1.101.3.4.3.3": {SchemeDSA, crypto.SHA384},
	"2.16.840.1.101.3.4.3.4": {SchemeDSA, crypto.SHA512},
	"1.3.36.3.3.1.2":         {SchemeRSA, crypto.RIPEMD160},
}

var hashes = map[OID]crypto.Hash{
	"1.2.840.113549.2.5": crypto.MD5, oidSHA1: crypto.SHA1, "2.16.840.1.101.3.4.2.4": crypto.SHA224,
	oidSHA256: crypto.SHA256, oidSHA384: crypto.SHA384, oidSHA512: crypto.SHA512,
	"2.16.840.1.101.3.4.2.7": crypto.SHA3_224, "2.16.840.1.101.3.4.2.8": crypto.SHA3_256,
	"2.16.840.1.101.3.4.2.9": crypto.SHA3_384, "2.16.840.1.101.3.4.2.10": crypto.SHA3_512,
	"1.3.36.3.2.1": crypto.RIPEMD160,
}

// HashByOID returns the hash function of a digest identifier, or 0.
func HashByOID(o OID) crypto.Hash { return hashes[o] }

// tooWeak reports whether nothing signed over this hash is believed: MD5 and RIPEMD-160 never, SHA-1 where it is allowed.
func tooWeak(h crypto.Hash, allowSHA1 bool) bool {
	return h == crypto.MD5 || h == crypto.RIPEMD160 || h == crypto.SHA1 && !allowSHA1
}

// ParseSignatureAlgorithm reads an AlgorithmIdentifier. An unknown one is no error: its Scheme says so.
func ParseSignatureAlgorithm(der []byte) (SignatureAlgorithm, error) {
	a := SignatureAlgorithm{Raw: der}
	in := cryptobyte.String(der)
	var id cryptobyte.String
	if !in.ReadASN1(&id, asn1.SEQUENCE) || !in.Empty() || !readOID(&id, &a.OID) {
		return a, malformed("signature algorithm")
	}
	if a.OID == oidRSAPSS {
		return a, a.parsePSS(id)
	}
	known := signatureSchemes[a.OID]
	a.Scheme, a.Hash = known.scheme, known.hash
	return a, nil
}

// parsePSS reads RSASSA-PSS-params; everything has a default, and absence means all of them [RFC 4055 3.1].
func (a *SignatureAlgorithm) parsePSS(id cryptobyte.String) error {
	a.Scheme, a.Hash, a.MGFHash, a.SaltLength = SchemeRSAPSS, crypto.SHA1, crypto.SHA1, 20
	if id.Empty() {
		return nil
	}
	var seq, field cryptobyte.String
	var has [4]bool
	if !id.ReadASN1(&seq, asn1.SEQUENCE) {
		return malformed("RSA-PSS parameters")
	}
	if !seq.ReadOptionalASN1(&field, &has[0], asn1.Tag(0).Constructed().ContextSpecific()) ||
		has[0] && !readHash(&field, &a.Hash) {
		return malformed("RSA-PSS hash")
	}
	if !seq.ReadOptionalASN1(&field, &has[1], asn1.Tag(1).Constructed().ContextSpecific()) {
		return malformed("RSA-PSS mask generation")
	}
	if has[1] {
		var mgf cryptobyte.String
		var o OID
		if !field.ReadASN1(&mgf, asn1.SEQUENCE) || !readOID(&mgf, &o) || o == oidMGF1 && !readHash(&mgf, &a.MGFHash) {
			return malformed("RSA-PSS mask generation")
		}
		if o != oidMGF1 {
			a.Scheme = SchemeUnknown
		}
	}
	if !seq.ReadOptionalASN1(&field, &has[2], asn1.Tag(2).Constructed().ContextSpecific()) ||
		has[2] && (!field.ReadASN1Integer(&a.SaltLength) || a.SaltLength < 0 || a.SaltLength > maxRSABits/8) {
		return malformed("RSA-PSS salt length")
	}
	trailer := 1
	if !seq.ReadOptionalASN1(&field, &has[3], asn1.Tag(3).Constructed().ContextSpecific()) ||
		has[3] && !field.ReadASN1Integer(&trailer) || !seq.Empty() || trailer != 1 {
		return malformed("RSA-PSS trailer")
	}
	if a.Hash == 0 || a.MGFHash == 0 {
		a.Scheme = SchemeUnknown
	}
	return nil
}

func readHash(s *cryptobyte.String, out *crypto.Hash) bool {
	var id cryptobyte.String
	var o OID
	if !s.ReadASN1(&id, asn1.SEQUENCE) || !readOID(&id, &o) {
		return false
	}
	*out = hashes[o]
	return true
}

// Verify checks a signature over a message. A wrong signature is [ErrBadSignature], a key or algorithm
// this package cannot compute [ErrUnsupported]. It does not judge strength: that is policy.
func (a SignatureAlgorithm) Verify(pub crypto.PublicKey, message, signature []byte) error {
	if a.Scheme == SchemeEd25519 {
		k, ok := pub.(ed25519.PublicKey)
		return verdict(ok, ok && ed25519.Verify(k, message, signature))
	}
	if a.Scheme == SchemeUnknown || !a.Hash.Available() {
		return fmt.Errorf("%w: signature algorithm %s", ErrUnsupported, a.OID)
	}
	h := a.Hash.New()
	h.Write(message)
	return a.VerifyDigest(pub, h.Sum(nil), signature)
}

// VerifyDigest is [SignatureAlgorithm.Verify] for a message that is hashed already. Ed25519 has none.
func (a SignatureAlgorithm) VerifyDigest(pub crypto.PublicKey, digest, signature []byte) error {
	switch a.Scheme {
	case SchemeRSA:
		k, ok := pub.(*rsa.PublicKey)
		return verdict(ok, ok && verifyPKCS1(k, a.Hash, digest, signature))
	case SchemeRSAPSS:
		k, ok := pub.(*rsa.PublicKey)
		return verdict(ok, ok && verifyPSS(k, a, digest, signature))
	case SchemeECDSA:
		k, ok := pub.(*ecdsa.PublicKey)
		if ok && brainpool.Is(k.Curve) {
			var r, s big.Int
			return verdict(true, readPair(signature, &r, &s) && brainpool.Verify(k, digest, r.Bytes(), s.Bytes()))
		}
		return verdict(ok, ok && ecdsa.VerifyASN1(k, digest, signature))
	case SchemeDSA:
		k, ok := pub.(*dsa.PublicKey)
		var r, s big.Int
		if ok {
			digest = digest[:min(len(digest), (k.Q.BitLen()+7)/8)]
		}
		return verdict(ok, ok && readPair(signature, &r, &s) && dsa.Verify(k, digest, &r, &s))
	}
	return fmt.Errorf("%w: signature algorithm %s", ErrUnsupported, a.OID)
}

func verdict(keyFits, good bool) error {
	switch {
	case !keyFits:
		return fmt.Errorf("%w: key is of another kind than the signature algorithm", ErrBadSignature)
	case !good:
		return ErrBadSignature
	}
	return nil
}

func readPair(signature []byte, r, s *big.Int) bool {
	in := cryptobyte.String(signature)
	var seq cryptobyte.String
	return in.ReadASN1(&seq, asn1.SEQUENCE) && in.Empty() && seq.ReadASN1Integer(r) && seq.ReadASN1Integer(s) && seq.Empty() &&
		r.Sign() > 0 && s.Sign() > 0
}
