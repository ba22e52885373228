package brainpool

import (
	"crypto/ecdsa"
	"errors"
	"io"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// GenerateKey makes a key pair from the octets of rand.
func GenerateKey(c *Curve, rand io.Reader) (*ecdsa.PrivateKey, error) {
	k, err := c.randomScalar(rand)
	if err != nil {
		return nil, err
	}
	return c.privateKey(k), nil
}

// randomScalar draws a number in [1, n-1] by rejection; about two of three draws are below n.
func (c *Curve) randomScalar(rand io.Reader) ([]byte, error) {
	k := make([]byte, c.size)
	for {
		if _, err := io.ReadFull(rand, k); err != nil {
			return nil, err
		}
		var or byte
		for _, b := range k {
			or |= b
		}
		if or != 0 && c.n.less(k) {
			return k, nil
		}
	}
}

// privateKey takes a scalar in [1, n-1] of c.size octets.
func (c *Curve) privateKey(d []byte) *ecdsa.PrivateKey {
	var p point
	c.mulBase(&p, d)
	priv := &ecdsa.PrivateKey{D: new(big.Int).SetBytes(d)}
	priv.Curve = c
	priv.X, priv.Y = c.toAffine(&p)
	return priv
}

// hashScalar is the leftmost octets of a digest as a number modulo n [SEC1 4.1.3 step 5].
func (c *Curve) hashScalar(digest []byte) element {
	if len(digest) > c.size {
		digest = digest[:c.size]
	}
	padded := make([]byte, c.size)
	copy(padded[c.size-len(digest):], digest)
	return c.n.fromBytes(padded)
}

// SignRaw signs a digest and returns r and s, each as long as the curve's coordinates.
func SignRaw(rand io.Reader, priv *ecdsa.PrivateKey, digest []byte) ([]byte, error) {
	c, ok := priv.Curve.(*Curve)
	if !ok {
		return nil, ErrCurve
	}
	if priv.D == nil || priv.D.Sign() <= 0 || priv.D.Cmp(c.params.N) >= 0 {
		return nil, errors.New("brainpool: private key out of range")
	}
	d, e := c.n.fromBig(priv.D), c.hashScalar(digest)
	for {
		k, err := c.randomScalar(rand)
		if err != nil {
			return nil, err
		}
		var p point
		c.mulBase(&p, k)
		x, _, ok := c.affine(&p)
		if !ok {
			continue
		}
		r := c.n.fromBytes(c.p.bytes(&x))
		inv := c.n.fromBytes(k)
		c.n.inverse(&inv, &inv)
		var s element
		c.n.mul(&s, &d, &r)
		c.n.add(&s, &s, &e)
		c.n.mul(&s, &s, &inv)
		if c.n.isZero(&r) || c.n.isZero(&s) {
			continue
		}
		return append(c.n.bytes(&r), c.n.bytes(&s)...), nil
	}
}

// SignASN1 is [SignRaw] with the signature as SEQUENCE { r, s }.
func SignASN1(rand io.Reader, priv *ecdsa.PrivateKey, digest []byte) ([]byte, error) {
	raw, err := SignRaw(rand, priv, digest)
	if err != nil {
		return nil, err
	}
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1BigInt(new(big.Int).SetBytes(raw[:len(raw)/2]))
		b.AddASN1BigInt(new(big.Int).SetBytes(raw[len(raw)/2:]))
	})
	return b.Bytes()
}

// Verify checks r and s, big-endian of any length, for a digest. False also for keys of other curves.
func Verify(pub *ecdsa.PublicKey, digest, r, s []byte) bool {
	c, ok := pub.Curve.(*Curve)
	if !ok {
		return false
	}
	q, ok := c.fromAffine(pub.X, pub.Y)
	if !ok || c.p.isZero(&q.z) {
		return false
	}
	br, bs := new(big.Int).SetBytes(r), new(big.Int).SetBytes(s)
	if br.Sign() == 0 || bs.Sign() == 0 || br.Cmp(c.params.N) >= 0 || bs.Cmp(c.params.N) >= 0 {
		return false
	}
	er, w, e := c.n.fromBig(br), c.n.fromBig(bs), c.hashScalar(digest)
	c.n.inverse(&w, &w)
	var u1, u2 element
	c.n.mul(&u1, &e, &w)
	c.n.mul(&u2, &er, &w)
	var p, p2 point
	c.mulBase(&p, c.n.bytes(&u1))
	c.mul(&p2, &q, c.n.bytes(&u2))
	c.add(&p, &p, &p2)
	x, _, ok := c.affine(&p)
	if !ok {
		return false
	}
	got := c.n.fromBytes(c.p.bytes(&x))
	return got == er
}

// ECDH returns the X coordinate of the shared point, as long as the curve's coordinates [TR-03111 4.3.1].
func ECDH(priv *ecdsa.PrivateKey, peer *ecdsa.PublicKey) ([]byte, error) {
	c, ok := priv.Curve.(*Curve)
	if !ok || peer == nil || peer.Curve != priv.Curve {
		return nil, ErrCurve
	}
	q, ok := c.fromAffine(peer.X, peer.Y)
	if !ok || c.p.isZero(&q.z) {
		return nil, ErrPoint
	}
	var p point
	c.mul(&p, &q, c.scalar(priv.D.Bytes()))
	x, _, ok := c.affine(&p)
	if !ok {
		return nil, ErrPoint // only with a private key of 0 mod n: the cofactor is 1
	}
	return c.p.bytes(&x), nil
}
