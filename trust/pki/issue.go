package pki

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"fmt"

	"github.com/viadukt-eu/viadukt/trust/pki/brainpool"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

func defaultKeyUsage(public crypto.PublicKey) KeyUsage {
	switch public.(type) {
	case *rsa.PublicKey:
		return UseDigitalSignature | UseKeyEncipherment
	case *ecdsa.PublicKey:
		return UseDigitalSignature | UseKeyAgreement
	case *ecdh.PublicKey:
		return UseKeyAgreement
	}
	return UseDigitalSignature
}

// sign issues by crypto/x509. Brainpool keys, of the subject or of the issuer, and X25519 keys are unknown
// there: the certificate is then issued with a stand-in on P-256 whose traces are replaced before signing.
func (a *Authority) sign(x *x509.Certificate, public crypto.PublicKey, own Key, issuer *Identity) ([]byte, error) {
	key := own
	parent := &x509.Certificate{RawSubject: x.RawSubject, SubjectKeyId: x.SubjectKeyId}
	if issuer != nil {
		key = issuer.Key
		parent = &x509.Certificate{RawSubject: issuer.Certificate.RawSubject, SubjectKeyId: issuer.Certificate.SubjectKeyID}
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("%w: the issuer's key does not sign (%T); an X25519 certificate cannot be self-signed", ErrUnsupported, key)
	}
	if knownToX509(public) && knownToX509(signer.Public()) {
		return x509.CreateCertificate(a.rand, x, parent, public, signer)
	}
	standIn, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificate(a.rand, x, parent, standIn.Public(), standIn)
	if err != nil {
		return nil, err
	}
	spki, err := MarshalPublicKey(public)
	if err != nil {
		return nil, err
	}
	return a.resign(der, spki, signer)
}

func knownToX509(public crypto.PublicKey) bool {
	switch k := public.(type) {
	case *ecdsa.PublicKey:
		return !brainpool.Is(k.Curve)
	case *ecdh.PublicKey:
		return false
	}
	return true
}

// resign puts another key and another signature algorithm into a certificate and signs it.
func (a *Authority) resign(der, spki []byte, signer crypto.Signer) ([]byte, error) {
	c, err := ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	alg, _, err := signingAlgorithm(signer.Public())
	if err != nil {
		return nil, err
	}
	in := cryptobyte.String(c.RawTBS)
	var body cryptobyte.String
	in.ReadASN1(&body, asn1.SEQUENCE)
	changed := bytes.Replace(body, c.SignatureAlgorithm.Raw, alg, 1)
	changed = bytes.Replace(changed, c.RawSPKI, spki, 1)
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(changed) })
	tbs, err := b.Bytes()
	if err != nil {
		return nil, err
	}
	return signed(a.rand, tbs, signer)
}

func signingAlgorithm(public crypto.PublicKey) (identifier []byte, hash crypto.Hash, err error) {
	var o OID
	null := false
	switch k := public.(type) {
	case *rsa.PublicKey:
		o, hash, null = oidSHA256RSA, crypto.SHA256, true
	case *ecdsa.PublicKey:
		switch bits := k.Curve.Params().BitSize; {
		case bits > 384:
			o, hash = oidECDSASHA512, crypto.SHA512
		case bits > 256:
			o, hash = oidECDSASHA384, crypto.SHA384
		default:
			o, hash = oidECDSASHA256, crypto.SHA256
		}
	default:
		o = oidEd25519
	}
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		addOID(b, o)
		if null {
			b.AddASN1NULL()
		}
	})
	identifier, err = b.Bytes()
	return identifier, hash, err
}
