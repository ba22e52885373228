package pki

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"io"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Request asks an authority for a certificate (PKCS #10) [RFC 2986 4].
type Request struct {
	RawSubject []byte
	Subject    Name
	DNSNames   []string // of a request that crypto/x509 reads; else none
	PublicKey  crypto.PublicKey
}

// CreateRequest asks for a certificate for a key, which signs the request: so X25519 keys cannot.
func CreateRequest(random io.Reader, rawSubject []byte, dnsNames []string, key Key) ([]byte, error) {
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("%w: %T agrees on keys and signs nothing, not even a request", ErrUnsupported, key)
	}
	t := &x509.CertificateRequest{RawSubject: rawSubject, DNSNames: dnsNames}
	if knownToX509(signer.Public()) {
		return x509.CreateCertificateRequest(random, t, signer)
	}
	standIn, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificateRequest(random, t, standIn)
	if err != nil {
		return nil, err
	}
	q, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, err
	}
	spki, err := MarshalPublicKey(signer.Public())
	if err != nil {
		return nil, err
	}
	in, body := cryptobyte.String(q.RawTBSCertificateRequest), cryptobyte.String(nil)
	in.ReadASN1(&body, asn1.SEQUENCE)
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(bytes.Replace(body, q.RawSubjectPublicKeyInfo, spki, 1))
	})
	tbs, err := b.Bytes()
	if err != nil {
		return nil, err
	}
	return signed(random, tbs, signer)
}

// signed puts algorithm and signature behind what is signed.
func signed(random io.Reader, tbs []byte, signer crypto.Signer) ([]byte, error) {
	alg, hash, err := signingAlgorithm(signer.Public())
	if err != nil {
		return nil, err
	}
	message := tbs
	if hash != 0 {
		message = digest(hash, tbs)
	}
	signature, err := signer.Sign(random, message, hash)
	if err != nil {
		return nil, err
	}
	var out cryptobyte.Builder
	out.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(tbs)
		b.AddBytes(alg)
		b.AddASN1BitString(signature)
	})
	return out.Bytes()
}

// ParseRequest reads a request in DER and checks its signature, which shows that whoever asks has the key.
func ParseRequest(der []byte) (*Request, error) {
	if q, err := x509.ParseCertificateRequest(der); err == nil {
		if err := q.CheckSignature(); err != nil {
			return nil, fmt.Errorf("%w: request: %w", ErrFormat, err)
		}
		return request(q.RawSubject, q.RawSubjectPublicKeyInfo, q.DNSNames)
	}
	in, body, tbs := cryptobyte.String(der), cryptobyte.String(nil), cryptobyte.String(nil)
	var alg, subject, spki cryptobyte.String
	var signature []byte
	if !in.ReadASN1(&body, asn1.SEQUENCE) || !in.Empty() || !body.ReadASN1Element(&tbs, asn1.SEQUENCE) || !body.ReadASN1Element(&alg, asn1.SEQUENCE) ||
		!body.ReadASN1BitStringAsBytes(&signature) || !body.Empty() {
		return nil, malformed("certification request")
	}
	part := tbs
	var content cryptobyte.String
	var version int
	if !part.ReadASN1(&content, asn1.SEQUENCE) || !content.ReadASN1Integer(&version) || version != 0 ||
		!content.ReadASN1Element(&subject, asn1.SEQUENCE) || !content.ReadASN1Element(&spki, asn1.SEQUENCE) {
		return nil, malformed("certification request")
	}
	r, err := request(subject, spki, nil)
	if err != nil {
		return nil, err
	}
	a, err := ParseSignatureAlgorithm(alg)
	if err != nil {
		return nil, err
	}
	if err := a.Verify(r.PublicKey, tbs, signature); err != nil {
		return nil, fmt.Errorf("%w: request: %w", ErrFormat, err)
	}
	return r, nil
}

func request(rawSubject, spki []byte, dnsNames []string) (*Request, error) {
	name, err := ParseNameDER(rawSubject)
	if err != nil {
		return nil, err
	}
	key, err := ParsePublicKey(spki)
	if err != nil {
		return nil, err
	}
	return &Request{RawSubject: rawSubject, Subject: name, DNSNames: dnsNames, PublicKey: key}, nil
}
