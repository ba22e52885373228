package xmlenc

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/subtle"
	"fmt"
	"io"
	"strings"

	"github.com/viadukt-eu/viadukt/trust/pki/brainpool"
)

// curves are the named curves of an ECKeyValue [XMLDSIG 4.5.2.3], [RFC 5639].
var curves = []struct {
	oid   string
	curve func() elliptic.Curve
}{
	{"1.2.840.10045.3.1.7", elliptic.P256},
	{"1.3.132.0.34", elliptic.P384},
	{"1.3.132.0.35", elliptic.P521},
	{"1.3.36.3.3.2.8.1.1.7", func() elliptic.Curve { return brainpool.P256r1() }},
	{"1.3.36.3.3.2.8.1.1.11", func() elliptic.Curve { return brainpool.P384r1() }},
	{"1.3.36.3.3.2.8.1.1.13", func() elliptic.Curve { return brainpool.P512r1() }},
}

func curveOID(c elliptic.Curve) string {
	for _, known := range curves {
		if known.curve() == c {
			return known.oid
		}
	}
	return ""
}

// curveByURI takes urn:oid:1.2.3 and the urn:oid1.2.3 that is in print.
func curveByURI(uri string) elliptic.Curve {
	oid, ok := strings.CutPrefix(uri, "urn:oid:")
	if !ok {
		oid, ok = strings.CutPrefix(uri, "urn:oid")
	}
	for _, known := range curves {
		if ok && known.oid == oid {
			return known.curve()
		}
	}
	return nil
}

// parsePoint reads the uncompressed point of an ECKeyValue and refuses one that is not on its curve.
func parsePoint(c elliptic.Curve, b []byte) (*ecdsa.PublicKey, error) {
	if bp, ok := c.(*brainpool.Curve); ok {
		if len(b) == 0 || b[0] != 4 {
			return nil, brainpool.ErrPoint
		}
		return bp.ParsePoint(b)
	}
	return ecdsa.ParseUncompressedPublicKey(c, b)
}

func encodePoint(pub *ecdsa.PublicKey) ([]byte, error) {
	if bp, ok := pub.Curve.(*brainpool.Curve); ok {
		return bp.AppendPoint(nil, pub), nil
	}
	return pub.Bytes()
}

// x25519Prefix precedes the 32 octets of an X25519 key in its SubjectPublicKeyInfo [RFC 8410 4].
const x25519Prefix = "\x30\x2a\x30\x05\x06\x03\x2b\x65\x6e\x03\x21\x00"

// agreementOf is the AgreementMethod that a public key serves and its curve; "" when it serves none.
func agreementOf(pub crypto.PublicKey) (method string, curve any) {
	switch pub := pub.(type) {
	case *ecdh.PublicKey:
		if pub.Curve() == ecdh.X25519() {
			return X25519, pub.Curve()
		}
	case *ecdsa.PublicKey:
		if pub.Curve != nil && curveOID(pub.Curve) != "" {
			return ECDHES, pub.Curve
		}
	}
	return "", nil
}

// agreeEphemeral makes an ephemeral key for the recipient's curve and the secret that both will hold.
func agreeEphemeral(rand io.Reader, to crypto.PublicKey) (ephemeral crypto.PublicKey, secret []byte, err error) {
	switch to := to.(type) {
	case *ecdh.PublicKey:
		priv, err := to.Curve().GenerateKey(rand)
		if err != nil {
			return nil, nil, fmt.Errorf("xmlenc: ephemeral key: %w", err)
		}
		secret, err = priv.ECDH(to)
		if err != nil {
			return nil, nil, fmt.Errorf("xmlenc: recipient's key: %w", err)
		}
		return priv.PublicKey(), secret, nil
	case *ecdsa.PublicKey:
		if bp, ok := to.Curve.(*brainpool.Curve); ok {
			priv, err := brainpool.GenerateKey(bp, rand)
			if err != nil {
				return nil, nil, fmt.Errorf("xmlenc: ephemeral key: %w", err)
			}
			secret, err = brainpool.ECDH(priv, to)
			if err != nil {
				return nil, nil, fmt.Errorf("xmlenc: recipient's key: %w", err)
			}
			return &priv.PublicKey, secret, nil
		}
		peer, err := to.ECDH()
		if err != nil {
			return nil, nil, fmt.Errorf("xmlenc: recipient's key: %w", err)
		}
		priv, err := peer.Curve().GenerateKey(rand)
		if err != nil {
			return nil, nil, fmt.Errorf("xmlenc: ephemeral key: %w", err)
		}
		secret, err = priv.ECDH(peer)
		if err != nil {
			return nil, nil, fmt.Errorf("xmlenc: recipient's key: %w", err)
		}
		pub, err := ecdsa.ParseUncompressedPublicKey(to.Curve, priv.PublicKey().Bytes())
		return pub, secret, err
	}
	return nil, nil, fmt.Errorf("%w: no key agreement with a key of type %T", ErrAlgorithm, to)
}

// isZero says whether an X25519 secret is what every key agrees on with a point of low order [RFC 7748 6.1].
func isZero(secret []byte) bool {
	return subtle.ConstantTimeCompare(secret, make([]byte, len(secret))) == 1
}
