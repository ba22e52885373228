package xmldsig

import (
	"bytes"
	"crypto"
	"crypto/dsa" //nolint:staticcheck // only to validate what was signed long ago
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"math/big"

	"filippo.io/mldsa"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/pki/brainpool"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

const (
	maxCertificates = 32
	maxCertificate  = 64 << 10 // octets
	maxKeyPart      = 4 << 10  // octets of one number of a KeyValue
)

// KeyFromInfo returns the key that a ds:KeyInfo carries in itself and that suits the signature method: of the signer's
// X509Certificate, else of KeyValue or dsig11:DEREncodedKeyValue [XMLDSIG 4.5]. The key is what the message says
// about itself, nothing more: trust comes from the certificate's path or from knowing the key beforehand.
func KeyFromInfo(keyInfo dom.Node, method string) (crypto.PublicKey, error) {
	m := signatures[method]
	if m == nil {
		return nil, keyInfo.Errorf("%w: unknown signature method %q", ErrAlgorithm, method)
	}
	key, _, err := keyFromInfo(keyInfo, m)
	return key, err
}

func keyFromInfo(info dom.Node, m *signatureAlg) (crypto.PublicKey, []*pki.Certificate, error) {
	if !info.Valid() {
		return nil, nil, info.Errorf("%w: the signature has no ds:KeyInfo", ErrKey)
	}
	certs, err := CertificatesFromInfo(info, nil)
	if err != nil {
		return nil, nil, err
	}
	if len(certs) > 0 {
		if certs[0].PublicKey == nil {
			return nil, nil, info.Errorf("%w: %w", ErrKey, certs[0].KeyError)
		}
		return certs[0].PublicKey, certs, nil
	}
	for n := range info.Elements() {
		var key crypto.PublicKey
		switch {
		case n.Is(Namespace, "KeyValue"):
			key, err = parseKeyValue(n)
		case n.Is(Namespace11, "DEREncodedKeyValue"):
			key, err = parseDERKey(n)
		}
		if err != nil {
			return nil, nil, err
		}
		if key != nil && suits(key, m) {
			return key, nil, nil
		}
	}
	return nil, nil, info.Errorf("%w: ds:KeyInfo holds none for %s", ErrKey, m.uri)
}

func suits(key crypto.PublicKey, m *signatureAlg) bool {
	switch k := key.(type) {
	case *mldsa.PublicKey:
		return m.kind == kindMLDSA && k.Parameters() == m.mldsa
	case *rsa.PublicKey:
		return m.kind == kindRSA || m.kind == kindPSS
	case *ecdsa.PublicKey:
		return m.kind == kindECDSA
	case ed25519.PublicKey:
		return m.kind == kindEd25519
	case *dsa.PublicKey:
		return m.kind == kindDSA
	}
	return false
}

// CertificatesFromInfo returns the certificates of all ds:X509Data in a ds:KeyInfo, the signer's first. They may come in
// any order [XMLDSIG 4.5.4]: the signer's is the first that none of the others names as its issuer. Those that known remembers
// are not parsed again; it may be nil.
func CertificatesFromInfo(keyInfo dom.Node, known *pki.Parsed) ([]*pki.Certificate, error) {
	var certs []*pki.Certificate
	for data := range keyInfo.Elements() {
		if !data.Is(Namespace, "X509Data") {
			continue
		}
		for n := range data.Elements() {
			if !n.Is(Namespace, "X509Certificate") {
				continue
			}
			if len(certs) == maxCertificates {
				return nil, n.Errorf("%w: more than %d certificates", ErrStructure, maxCertificates)
			}
			der, err := appendBase64(nil, n, maxCertificate)
			if err != nil {
				return nil, err
			}
			c, err := known.Certificate(der)
			if err != nil {
				return nil, n.Errorf("%w: %w", ErrKey, err)
			}
			certs = append(certs, c)
		}
	}
	for i, c := range certs {
		if !issuedOther(c, certs) {
			copy(certs[1:i+1], certs[:i])
			certs[0] = c
			break
		}
	}
	return certs, nil
}

func issuedOther(c *pki.Certificate, certs []*pki.Certificate) bool {
	for _, o := range certs {
		if bytes.Equal(o.RawIssuer, c.RawSubject) && !bytes.Equal(o.RawSubject, c.RawSubject) {
			return true
		}
	}
	return false
}

// parseKeyValue reads ds:KeyValue [XMLDSIG 4.5.2]; an unknown kind of key is nil.
func parseKeyValue(kv dom.Node) (crypto.PublicKey, error) {
	c := childrenOf(kv)
	if n := c.take(Namespace, "RSAKeyValue"); n.Valid() {
		return parseRSAKeyValue(n)
	}
	if n := c.take(Namespace, "DSAKeyValue"); n.Valid() {
		return parseDSAKeyValue(n)
	}
	if n := c.take(Namespace11, "ECKeyValue"); n.Valid() {
		return parseECKeyValue(n)
	}
	return nil, nil
}

// number reads one ds:CryptoBinary, big-endian [XMLDSIG 4.1].
func number(c *children, local string) (*big.Int, error) {
	n, err := c.need(local)
	if err != nil {
		return nil, err
	}
	b, err := appendBase64(nil, n, maxKeyPart)
	return new(big.Int).SetBytes(b), err
}

func parseRSAKeyValue(kv dom.Node) (crypto.PublicKey, error) {
	c := childrenOf(kv)
	n, err := number(&c, "Modulus")
	if err != nil {
		return nil, err
	}
	e, err := number(&c, "Exponent")
	if err != nil {
		return nil, err
	}
	if e.BitLen() > 31 {
		return nil, kv.Errorf("%w: RSA exponent of %d bits", ErrKey, e.BitLen())
	}
	return &rsa.PublicKey{N: n, E: int(e.Int64())}, c.done()
}

func parseDSAKeyValue(kv dom.Node) (crypto.PublicKey, error) {
	c := childrenOf(kv)
	k := new(dsa.PublicKey)
	for _, f := range []struct {
		local string
		to    **big.Int
	}{{"P", &k.P}, {"Q", &k.Q}, {"G", &k.G}, {"Y", &k.Y}} {
		var err error
		if *f.to, err = number(&c, f.local); err != nil {
			return nil, err
		}
	}
	return k, nil // J, Seed and PgenCounter may follow and say nothing about the key
}

var curves = map[string]func() elliptic.Curve{
	"urn:oid:1.3.132.0.33":          elliptic.P224,
	"urn:oid:1.2.840.10045.3.1.7":   elliptic.P256,
	"urn:oid:1.3.132.0.34":          elliptic.P384,
	"urn:oid:1.3.132.0.35":          elliptic.P521,
	"urn:oid:1.3.36.3.3.2.8.1.1.7":  func() elliptic.Curve { return brainpool.P256r1() },
	"urn:oid:1.3.36.3.3.2.8.1.1.11": func() elliptic.Curve { return brainpool.P384r1() },
	"urn:oid:1.3.36.3.3.2.8.1.1.13": func() elliptic.Curve { return brainpool.P512r1() },
}

// parseECKeyValue reads dsig11:ECKeyValue with a named curve [XMLDSIG 4.5.2.3]. Explicit parameters are refused: a curve
// of the sender's making proves nothing.
func parseECKeyValue(kv dom.Node) (crypto.PublicKey, error) {
	c := childrenOf(kv)
	name := c.take(Namespace11, "NamedCurve")
	point := c.take(Namespace11, "PublicKey")
	if !name.Valid() || !point.Valid() {
		return nil, kv.Errorf("%w: NamedCurve and PublicKey expected [XMLDSIG 4.5.2.3]", ErrKey)
	}
	curve := curves[name.Attr("URI")]
	if curve == nil {
		return nil, name.Errorf("%w: unknown curve %q", ErrKey, name.Attr("URI"))
	}
	b, err := appendBase64(nil, point, maxKeyPart)
	if err != nil {
		return nil, err
	}
	var key *ecdsa.PublicKey
	if bp, ok := curve().(*brainpool.Curve); ok {
		key, err = bp.ParsePoint(b)
	} else {
		key, err = ecdsa.ParseUncompressedPublicKey(curve(), b)
	}
	if err != nil {
		return nil, point.Errorf("%w: %w", ErrKey, err)
	}
	return key, c.done()
}

// parseDERKey reads dsig11:DEREncodedKeyValue, a SubjectPublicKeyInfo [XMLDSIG 4.5.9].
func parseDERKey(n dom.Node) (crypto.PublicKey, error) {
	der, err := appendBase64(nil, n, maxCertificate)
	if err != nil {
		return nil, err
	}
	key, err := pki.ParsePublicKey(der)
	if err != nil {
		return nil, n.Errorf("%w: %w", ErrKey, err)
	}
	return key, nil
}
