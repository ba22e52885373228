// Package brainpool implements the Brainpool curves P256r1, P384r1 and P512r1 (RFC 5639), which German
// networks and identity documents use and the standard library does not know.
//
// The curves are [elliptic.Curve] values for the Curve field of [ecdsa.PublicKey]: [ecdsa.VerifyASN1] and
// [ecdsa.SignASN1] work with them. [SignASN1] of this package is the better way to sign: it computes
// modulo the group order in constant time, which math/big beneath crypto/ecdsa does not.
//
// Arithmetic is Montgomery multiplication with complete addition formulas (Renes, Costello, Batina 2015),
// so that no point, not even infinity, takes another path than the rest.
//
// The twisted curves (t1) are not offered: no profile carries their keys.
package brainpool

import (
	"crypto/elliptic"
	"errors"
	"math/big"
	"sync"
)

var (
	// ErrPoint says that a public key is no point of its curve.
	ErrPoint = errors.New("brainpool: not a point of the curve")
	// ErrCurve says that a key is on another curve than those of this package.
	ErrCurve = errors.New("brainpool: not a brainpool curve")
)

// Curve is one of the three curves. It implements [elliptic.Curve].
type Curve struct {
	params elliptic.CurveParams
	a      *big.Int
	oid    []byte // content octets of the object identifier
	size   int    // octets of a coordinate; coordinate and scalar have the same size on these curves

	p, n      *field // coordinates, scalars
	ma, mb3   element
	mb        element
	generator point
	table     func() [][16]point // multiples of the generator, one row for each 4 bits of the scalar
}

// The curves [RFC 5639 3.4, 3.6, 3.7]; p, a, b, x, y, q as printed there.
var (
	p256r1 = sync.OnceValue(func() *Curve {
		return newCurve("brainpoolP256r1", 256, 7,
			"a9fb57dba1eea9bc3e660a909d838d726e3bf623d52620282013481d1f6e5377",
			"7d5a0975fc2c3057eef67530417affe7fb8055c126dc5c6ce94a4b44f330b5d9",
			"26dc5c6ce94a4b44f330b5d9bbd77cbf958416295cf7e1ce6bccdc18ff8c07b6",
			"8bd2aeb9cb7e57cb2c4b482ffc81b7afb9de27e1e3bd23c23a4453bd9ace3262",
			"547ef835c3dac4fd97f8461a14611dc9c27745132ded8e545c1d54c72f046997",
			"a9fb57dba1eea9bc3e660a909d838d718c397aa3b561a6f7901e0e82974856a7")
	})
	p384r1 = sync.OnceValue(func() *Curve {
		return newCurve("brainpoolP384r1", 384, 11,
			"8cb91e82a3386d280f5d6f7e50e641df152f7109ed5456b412b1da197fb71123acd3a729901d1a71874700133107ec53",
			"7bc382c63d8c150c3c72080ace05afa0c2bea28e4fb22787139165efba91f90f8aa5814a503ad4eb04a8c7dd22ce2826",
			"04a8c7dd22ce28268b39b55416f0447c2fb77de107dcd2a62e880ea53eeb62d57cb4390295dbc9943ab78696fa504c11",
			"1d1c64f068cf45ffa2a63a81b7c13f6b8847a3e77ef14fe3db7fcafe0cbd10e8e826e03436d646aaef87b2e247d4af1e",
			"8abe1d7520f9c2a45cb1eb8e95cfd55262b70b29feec5864e19c054ff99129280e4646217791811142820341263c5315",
			"8cb91e82a3386d280f5d6f7e50e641df152f7109ed5456b31f166e6cac0425a7cf3ab6af6b7fc3103b883202e9046565")
	})
	p512r1 = sync.OnceValue(func() *Curve {
		return newCurve("brainpoolP512r1", 512, 13,
			"aadd9db8dbe9c48b3fd4e6ae33c9fc07cb308db3b3c9d20ed6639cca703308717d4d9b009bc66842aecda12ae6a380e62881ff2f2d82c68528aa6056583a48f3",
			"7830a3318b603b89e2327145ac234cc594cbdd8d3df91610a83441caea9863bc2ded5d5aa8253aa10a2ef1c98b9ac8b57f1117a72bf2c7b9e7c1ac4d77fc94ca",
			"3df91610a83441caea9863bc2ded5d5aa8253aa10a2ef1c98b9ac8b57f1117a72bf2c7b9e7c1ac4d77fc94cadc083e67984050b75ebae5dd2809bd638016f723",
			"81aee4bdd82ed9645a21322e9c4c6a9385ed9f70b5d916c1b43b62eef4d0098eff3b1f78e2d0d48d50d1687b93b97d5f7c6d5047406a5e688b352209bcb9f822",
			"7dde385d566332ecc0eabfa9cf7822fdf209f70024a57b1aa000c55b881f8111b2dcde494a5f485e5bca4bd88a2763aed1ca2b2fa8f0540678cd1e0f3ad80892",
			"aadd9db8dbe9c48b3fd4e6ae33c9fc07cb308db3b3c9d20ed6639cca70330870553e5c414ca92619418661197fac10471db1d381085ddaddb58796829ca90069")
	})
)

// P256r1 returns brainpoolP256r1; the same value at every call.
func P256r1() *Curve { return p256r1() }

// P384r1 returns brainpoolP384r1; the same value at every call.
func P384r1() *Curve { return p384r1() }

// P512r1 returns brainpoolP512r1; the same value at every call.
func P512r1() *Curve { return p512r1() }

// ByOID finds the curve of a named-curve identifier given as the content octets of the OBJECT IDENTIFIER.
// It returns nil for every other curve.
func ByOID(content []byte) *Curve {
	for _, c := range []*Curve{P256r1(), P384r1(), P512r1()} {
		if string(c.oid) == string(content) {
			return c
		}
	}
	return nil
}

// OID returns the content octets of the curve's OBJECT IDENTIFIER, 1.3.36.3.3.2.8.1.1.7, .11 or .13.
func (c *Curve) OID() []byte { return append([]byte(nil), c.oid...) }

// Is reports whether a curve is one of this package.
func Is(c elliptic.Curve) bool { _, ok := c.(*Curve); return ok }

func newCurve(name string, bits int, arc byte, p, a, b, x, y, q string) *Curve {
	c := &Curve{
		params: elliptic.CurveParams{Name: name, BitSize: bits,
			P: hexInt(p), N: hexInt(q), B: hexInt(b), Gx: hexInt(x), Gy: hexInt(y)},
		a:    hexInt(a),
		oid:  []byte{0x2b, 0x24, 0x03, 0x03, 0x02, 0x08, 0x01, 0x01, arc},
		size: bits / 8,
	}
	c.p, c.n = newField(c.params.P), newField(c.params.N)
	c.ma, c.mb = c.p.fromBig(c.a), c.p.fromBig(c.params.B)
	c.p.add(&c.mb3, &c.mb, &c.mb)
	c.p.add(&c.mb3, &c.mb3, &c.mb)
	c.generator = point{c.p.fromBig(c.params.Gx), c.p.fromBig(c.params.Gy), c.p.one}
	c.table = sync.OnceValue(c.multiples)
	return c
}

func hexInt(s string) *big.Int {
	v, ok := new(big.Int).SetString(s, 16)
	if !ok {
		panic("brainpool: constant " + s)
	}
	return v
}
