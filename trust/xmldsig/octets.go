package xmldsig

import (
	"crypto"
	"crypto/ed25519"
	"fmt"
	"io"
)

// SignOctets signs octets that are no XML by the identifiers of XML Signature, as the redirect binding of SAML signs a
// query [SAML2Bind 3.4.4.1]. method "" is that of the key; random nil: crypto/rand.
func SignOctets(key crypto.Signer, method string, octets []byte, random io.Reader) ([]byte, error) {
	alg, err := methodFor(key.Public(), method)
	if err != nil {
		return nil, err
	}
	value, err := signOctets(key, alg, octets, random)
	if err != nil {
		return nil, fmt.Errorf("xmldsig: sign with %s: %w", alg.uri, err)
	}
	return value, nil
}

// VerifyOctets checks a value that SignOctets made. Of the options, those about algorithms and keys count.
func VerifyOctets(key crypto.PublicKey, method string, octets, value []byte, opt VerifyOptions) error {
	m := signatures[method]
	if m == nil || !allowed(opt.Signatures, method) || m.old && !opt.AllowSHA1 || m.kind == kindHMAC || m.kind == kindMLDSA || m.uri == RSAPSS {
		return fmt.Errorf("%w: signature method %q", ErrAlgorithm, method)
	}
	p := parsed{method: m, digest: m.digest}
	if err := p.checkKey(key, &opt); err != nil {
		return err
	}
	if k, ok := key.(ed25519.PublicKey); ok {
		if len(value) == ed25519.SignatureSize && ed25519.Verify(k, octets, value) {
			return nil
		}
		return ErrSignature
	}
	if m.kind == kindPSS {
		p.mask, p.salt = m.digest, m.digest.hash.Size()
	}
	h := m.digest.get()
	defer m.digest.put(h)
	h.Write(octets)
	if !p.verifySum(key, h.Sum(nil), value, &opt) {
		return ErrSignature
	}
	return nil
}
