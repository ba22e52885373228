package brainpool

import (
	"crypto/elliptic"
	"crypto/subtle"
	"math/big"
)

// point is in homogeneous projective coordinates, x = X/Z and y = Y/Z; infinity is (0:1:0).
type point struct{ x, y, z element }

func (c *Curve) infinity() point { return point{y: c.p.one} }

// add sets r = p + q by the complete formulas for any a (algorithm 1 of the paper): 12 multiplications,
// five by constants, no special cases on a curve of odd order.
func (c *Curve) add(r, p, q *point) {
	f := c.p
	var t0, t1, t2, t3, t4, t5, x3, y3, z3 element
	f.mul(&t0, &p.x, &q.x)
	f.mul(&t1, &p.y, &q.y)
	f.mul(&t2, &p.z, &q.z)
	f.add(&t3, &p.x, &p.y)
	f.add(&t4, &q.x, &q.y)
	f.mul(&t3, &t3, &t4)
	f.add(&t4, &t0, &t1)
	f.sub(&t3, &t3, &t4)
	f.add(&t4, &p.x, &p.z)
	f.add(&t5, &q.x, &q.z)
	f.mul(&t4, &t4, &t5)
	f.add(&t5, &t0, &t2)
	f.sub(&t4, &t4, &t5)
	f.add(&t5, &p.y, &p.z)
	f.add(&x3, &q.y, &q.z)
	f.mul(&t5, &t5, &x3)
	f.add(&x3, &t1, &t2)
	f.sub(&t5, &t5, &x3)
	f.mul(&z3, &c.ma, &t4)
	f.mul(&x3, &c.mb3, &t2)
	f.add(&z3, &x3, &z3)
	f.sub(&x3, &t1, &z3)
	f.add(&z3, &t1, &z3)
	f.mul(&y3, &x3, &z3)
	f.add(&t1, &t0, &t0)
	f.add(&t1, &t1, &t0)
	f.mul(&t2, &c.ma, &t2)
	f.mul(&t4, &c.mb3, &t4)
	f.add(&t1, &t1, &t2)
	f.sub(&t2, &t0, &t2)
	f.mul(&t2, &c.ma, &t2)
	f.add(&t4, &t4, &t2)
	f.mul(&t0, &t1, &t4)
	f.add(&y3, &y3, &t0)
	f.mul(&t0, &t5, &t4)
	f.mul(&x3, &t3, &x3)
	f.sub(&x3, &x3, &t0)
	f.mul(&t0, &t3, &t1)
	f.mul(&z3, &t5, &z3)
	f.add(&z3, &z3, &t0)
	r.x, r.y, r.z = x3, y3, z3
}

// choose copies row[digit] to r while reading every entry.
func choose(r *point, row *[16]point, digit byte, limbs int) {
	*r = point{}
	for i := range row {
		mask := -uint64(subtle.ConstantTimeByteEq(byte(i), digit))
		p := &row[i]
		for j := 0; j < limbs; j++ {
			r.x[j] |= p.x[j] & mask
			r.y[j] |= p.y[j] & mask
			r.z[j] |= p.z[j] & mask
		}
	}
}

// multiples makes row i = {0, 1, ..., 15} * 16^i * G.
func (c *Curve) multiples() [][16]point {
	rows := make([][16]point, 2*c.size)
	base := c.generator
	for i := range rows {
		c.row(&rows[i], &base)
		c.add(&base, &rows[i][15], &base)
	}
	return rows
}

func (c *Curve) row(row *[16]point, p *point) {
	row[0] = c.infinity()
	for i := 1; i < 16; i++ {
		c.add(&row[i], &row[i-1], p)
	}
}

// mulBase sets r = k*G; k has c.size octets, big-endian.
func (c *Curve) mulBase(r *point, k []byte) {
	table := c.table()
	acc := c.infinity()
	var p point
	for i, b := range k {
		w := 2 * (len(k) - 1 - i)
		choose(&p, &table[w+1], b>>4, c.p.n)
		c.add(&acc, &acc, &p)
		choose(&p, &table[w], b&15, c.p.n)
		c.add(&acc, &acc, &p)
	}
	*r = acc
}

// mul sets r = k*q.
func (c *Curve) mul(r, q *point, k []byte) {
	var row [16]point
	c.row(&row, q)
	acc := c.infinity()
	var p point
	for _, b := range k {
		for _, digit := range [2]byte{b >> 4, b & 15} {
			for range 4 {
				c.add(&acc, &acc, &acc)
			}
			choose(&p, &row, digit, c.p.n)
			c.add(&acc, &acc, &p)
		}
	}
	*r = acc
}

// affine converts back; ok is false at infinity.
func (c *Curve) affine(p *point) (x, y element, ok bool) {
	if c.p.isZero(&p.z) {
		return x, y, false
	}
	var inv element
	c.p.inverse(&inv, &p.z)
	c.p.mul(&x, &p.x, &inv)
	c.p.mul(&y, &p.y, &inv)
	return x, y, true
}

// onCurve checks y^2 = x^3 + ax + b for coordinates already below p.
func (c *Curve) onCurve(x, y *element) bool {
	var l, r element
	c.p.mul(&l, y, y)
	c.p.mul(&r, x, x)
	c.p.add(&r, &r, &c.ma)
	c.p.mul(&r, &r, x)
	c.p.add(&r, &r, &c.mb)
	return l == r
}

// fromAffine takes the coordinates of a point; (0, 0) is infinity, as crypto/elliptic has it.
func (c *Curve) fromAffine(x, y *big.Int) (point, bool) {
	if x == nil || y == nil || x.Sign() < 0 || y.Sign() < 0 || x.Cmp(c.params.P) >= 0 || y.Cmp(c.params.P) >= 0 {
		return point{}, false
	}
	if x.Sign() == 0 && y.Sign() == 0 {
		return c.infinity(), true
	}
	p := point{c.p.fromBig(x), c.p.fromBig(y), c.p.one}
	return p, c.onCurve(&p.x, &p.y)
}

func (c *Curve) toAffine(p *point) (x, y *big.Int) {
	ex, ey, ok := c.affine(p)
	if !ok {
		return new(big.Int), new(big.Int)
	}
	return c.p.big(&ex), c.p.big(&ey)
}

// mustPoint is for the methods of [elliptic.Curve], whose contract forbids points off the curve.
func (c *Curve) mustPoint(x, y *big.Int) point {
	p, ok := c.fromAffine(x, y)
	if !ok {
		panic("brainpool: attempted operation on invalid point")
	}
	return p
}

// scalar brings a big-endian number of any length to c.size octets modulo the group order.
func (c *Curve) scalar(k []byte) []byte {
	v := new(big.Int).SetBytes(k)
	if v.Cmp(c.params.N) >= 0 {
		v.Mod(v, c.params.N)
	}
	return v.FillBytes(make([]byte, c.size))
}

// Params returns the parameters; those generic methods of it that assume a = -3 do not hold for the curve.
func (c *Curve) Params() *elliptic.CurveParams { return &c.params }

// IsOnCurve reports whether (x, y) is a point other than infinity.
func (c *Curve) IsOnCurve(x, y *big.Int) bool {
	_, ok := c.fromAffine(x, y)
	return ok && (x.Sign() != 0 || y.Sign() != 0)
}

// Add returns the sum of two points; it panics on anything else, as crypto/elliptic does.
func (c *Curve) Add(x1, y1, x2, y2 *big.Int) (x, y *big.Int) {
	p, q := c.mustPoint(x1, y1), c.mustPoint(x2, y2)
	c.add(&p, &p, &q)
	return c.toAffine(&p)
}

// Double returns 2*(x, y).
func (c *Curve) Double(x1, y1 *big.Int) (x, y *big.Int) { return c.Add(x1, y1, x1, y1) }

// ScalarMult returns k*(x, y), k big-endian.
func (c *Curve) ScalarMult(x1, y1 *big.Int, k []byte) (x, y *big.Int) {
	p := c.mustPoint(x1, y1)
	c.mul(&p, &p, c.scalar(k))
	return c.toAffine(&p)
}

// ScalarBaseMult returns k*G, k big-endian.
func (c *Curve) ScalarBaseMult(k []byte) (x, y *big.Int) {
	var p point
	c.mulBase(&p, c.scalar(k))
	return c.toAffine(&p)
}
