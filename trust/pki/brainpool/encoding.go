package brainpool

import (
	"bytes"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

var ecPublicKey = []byte{0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01} // 1.2.840.10045.2.1 [RFC 5480 2.1.1]

// ParsePoint reads an encoded point, uncompressed (04 X Y) or compressed (02 X, 03 X) [SEC1 2.3.4].
func (c *Curve) ParsePoint(b []byte) (*ecdsa.PublicKey, error) {
	pub := &ecdsa.PublicKey{Curve: c}
	switch {
	case len(b) == 1+2*c.size && b[0] == 4:
		pub.X, pub.Y = new(big.Int).SetBytes(b[1:1+c.size]), new(big.Int).SetBytes(b[1+c.size:])
	case len(b) == 1+c.size && (b[0] == 2 || b[0] == 3):
		pub.X = new(big.Int).SetBytes(b[1:])
		if pub.X.Cmp(c.params.P) >= 0 {
			return nil, ErrPoint
		}
		y2 := new(big.Int).Mul(pub.X, pub.X)
		y2.Add(y2, c.a).Mul(y2, pub.X).Add(y2, c.params.B).Mod(y2, c.params.P)
		if pub.Y = y2.ModSqrt(y2, c.params.P); pub.Y == nil {
			return nil, ErrPoint
		}
		if pub.Y.Bit(0) != uint(b[0]&1) {
			pub.Y.Sub(c.params.P, pub.Y)
		}
	default:
		return nil, ErrPoint
	}
	if !c.IsOnCurve(pub.X, pub.Y) {
		return nil, ErrPoint
	}
	return pub, nil
}

// AppendPoint appends the uncompressed form of a point.
func (c *Curve) AppendPoint(dst []byte, pub *ecdsa.PublicKey) []byte {
	n := len(dst)
	dst = append(dst, make([]byte, 1+2*c.size)...)
	dst[n] = 4
	pub.X.FillBytes(dst[n+1 : n+1+c.size])
	pub.Y.FillBytes(dst[n+1+c.size:])
	return dst
}

// ByParameters finds the curve of an ECParameters CHOICE: a named curve, or explicit parameters that are,
// every one of them, those of a curve of this package [RFC 3279 2.3.5]. Old identity documents write them
// out; a generator of one's own choice would let anybody forge signatures, hence the comparison of all.
// The result is nil for every other curve.
func ByParameters(der []byte) *Curve {
	s := cryptobyte.String(der)
	var body cryptobyte.String
	var tag asn1.Tag
	if !s.ReadAnyASN1(&body, &tag) || !s.Empty() {
		return nil
	}
	if tag == asn1.OBJECT_IDENTIFIER {
		return ByOID(body)
	}
	var version int64
	var field, curve, fieldType, base, a, b cryptobyte.String
	p, n := new(big.Int), new(big.Int)
	if tag != asn1.SEQUENCE || !body.ReadASN1Integer(&version) ||
		!body.ReadASN1(&field, asn1.SEQUENCE) || !field.ReadASN1(&fieldType, asn1.OBJECT_IDENTIFIER) ||
		!field.ReadASN1Integer(p) || !field.Empty() ||
		!body.ReadASN1(&curve, asn1.SEQUENCE) || !curve.ReadASN1(&a, asn1.OCTET_STRING) || !curve.ReadASN1(&b, asn1.OCTET_STRING) ||
		!body.ReadASN1(&base, asn1.OCTET_STRING) || !body.ReadASN1Integer(n) {
		return nil
	}
	if !body.Empty() {
		cofactor := new(big.Int)
		if !body.ReadASN1Integer(cofactor) || cofactor.Cmp(big.NewInt(1)) != 0 {
			return nil
		}
	}
	if !bytes.Equal(fieldType, []byte{0x2a, 0x86, 0x48, 0xce, 0x3d, 0x01, 0x01}) { // prime-field
		return nil
	}
	for _, c := range []*Curve{P256r1(), P384r1(), P512r1()} {
		if p.Cmp(c.params.P) != 0 || n.Cmp(c.params.N) != 0 ||
			new(big.Int).SetBytes(a).Cmp(c.a) != 0 || new(big.Int).SetBytes(b).Cmp(c.params.B) != 0 {
			continue
		}
		g, err := c.ParsePoint(base)
		if err == nil && g.X.Cmp(c.params.Gx) == 0 && g.Y.Cmp(c.params.Gy) == 0 {
			return c
		}
	}
	return nil
}

// MarshalPKIX writes a SubjectPublicKeyInfo with the named curve.
func MarshalPKIX(pub *ecdsa.PublicKey) ([]byte, error) {
	c, ok := pub.Curve.(*Curve)
	if !ok {
		return nil, ErrCurve
	}
	if !c.IsOnCurve(pub.X, pub.Y) {
		return nil, ErrPoint
	}
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		c.addAlgorithm(b)
		b.AddASN1BitString(c.AppendPoint(nil, pub))
	})
	return b.Bytes()
}

func (c *Curve) addAlgorithm(b *cryptobyte.Builder) {
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.OBJECT_IDENTIFIER, func(b *cryptobyte.Builder) { b.AddBytes(ecPublicKey) })
		b.AddASN1(asn1.OBJECT_IDENTIFIER, func(b *cryptobyte.Builder) { b.AddBytes(c.oid) })
	})
}

// MarshalPKCS8 writes PrivateKeyInfo around ECPrivateKey [RFC 5208, RFC 5915].
func MarshalPKCS8(priv *ecdsa.PrivateKey) ([]byte, error) {
	c, ok := priv.Curve.(*Curve)
	if !ok {
		return nil, ErrCurve
	}
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(0)
		c.addAlgorithm(b)
		b.AddASN1(asn1.OCTET_STRING, func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1Int64(1)
				b.AddASN1OctetString(priv.D.FillBytes(make([]byte, c.size)))
				b.AddASN1(asn1.Tag(1).Constructed().ContextSpecific(), func(b *cryptobyte.Builder) {
					b.AddASN1BitString(c.AppendPoint(nil, &priv.PublicKey))
				})
			})
		})
	})
	return b.Bytes()
}

// ParsePKCS8 reads PrivateKeyInfo of a key on one of the curves. Keys of other kinds give [ErrCurve].
func ParsePKCS8(der []byte) (*ecdsa.PrivateKey, error) {
	s := cryptobyte.String(der)
	var info, alg, oid, inner cryptobyte.String
	var params cryptobyte.String
	var version int64
	if !s.ReadASN1(&info, asn1.SEQUENCE) || !s.Empty() || !info.ReadASN1Integer(&version) || version < 0 || version > 1 ||
		!info.ReadASN1(&alg, asn1.SEQUENCE) || !alg.ReadASN1(&oid, asn1.OBJECT_IDENTIFIER) ||
		!info.ReadASN1(&inner, asn1.OCTET_STRING) {
		return nil, errors.New("brainpool: not a PKCS #8 private key")
	}
	var tag asn1.Tag
	if !bytes.Equal(oid, ecPublicKey) || !alg.ReadAnyASN1Element(&params, &tag) {
		return nil, ErrCurve
	}
	c := ByParameters(params)
	if c == nil {
		return nil, ErrCurve
	}
	return parseECPrivateKey(inner, c)
}

// ParseECPrivateKey reads the SEC 1 form, which must name its curve [RFC 5915].
func ParseECPrivateKey(der []byte) (*ecdsa.PrivateKey, error) { return parseECPrivateKey(der, nil) }

func parseECPrivateKey(der []byte, c *Curve) (*ecdsa.PrivateKey, error) {
	s := cryptobyte.String(der)
	var key, d, params, public cryptobyte.String
	var version int64
	var hasParams, hasPublic bool
	if !s.ReadASN1(&key, asn1.SEQUENCE) || !s.Empty() || !key.ReadASN1Integer(&version) || version != 1 ||
		!key.ReadASN1(&d, asn1.OCTET_STRING) ||
		!key.ReadOptionalASN1(&params, &hasParams, asn1.Tag(0).Constructed().ContextSpecific()) ||
		!key.ReadOptionalASN1(&public, &hasPublic, asn1.Tag(1).Constructed().ContextSpecific()) || !key.Empty() {
		return nil, errors.New("brainpool: not an EC private key")
	}
	if hasParams {
		named := ByParameters(params)
		if named == nil || c != nil && named != c {
			return nil, ErrCurve
		}
		c = named
	}
	if c == nil {
		return nil, ErrCurve
	}
	v := new(big.Int).SetBytes(d)
	if v.Sign() == 0 || v.Cmp(c.params.N) >= 0 {
		return nil, errors.New("brainpool: private key out of range")
	}
	priv := c.privateKey(v.FillBytes(make([]byte, c.size)))
	if hasPublic {
		var point []byte
		if !public.ReadASN1BitStringAsBytes(&point) {
			return nil, fmt.Errorf("%w: public key beside the private one", ErrPoint)
		}
		if pub, err := c.ParsePoint(point); err != nil || !pub.Equal(&priv.PublicKey) {
			return nil, fmt.Errorf("%w: public key does not belong to the private one", ErrPoint)
		}
	}
	return priv, nil
}
