package brainpool

import (
	"crypto/subtle"
	"math/big"
	"math/bits"
)

const maxLimbs = 8 // 512 bits

// element is a number below the modulus in Montgomery form, least significant limb first.
type element [maxLimbs]uint64

// field is arithmetic modulo one odd prime of n limbs. All operations take the same time for all values.
type field struct {
	n       int
	m       element // the modulus
	k0      uint64  // -m^-1 mod 2^64
	one, rr element // R mod m, R^2 mod m
	expInv  []byte  // m-2, big-endian
}

func newField(m *big.Int) *field {
	f := &field{n: (m.BitLen() + 63) / 64}
	f.m = limbs(m)
	inv := f.m[0] // Newton: five steps from 3 right bits give 64
	for range 5 {
		inv *= 2 - f.m[0]*inv
	}
	f.k0 = -inv
	r := new(big.Int).Lsh(big.NewInt(1), uint(64*f.n))
	f.one = limbs(new(big.Int).Mod(r, m))
	f.rr = limbs(new(big.Int).Mod(r.Mul(r, r), m))
	f.expInv = new(big.Int).Sub(m, big.NewInt(2)).Bytes()
	return f
}

// limbs converts a number below 2^512.
func limbs(v *big.Int) (e element) {
	var b [8 * maxLimbs]byte
	v.FillBytes(b[:])
	return bytesToLimbs(b[:])
}

// bytesToLimbs reads big-endian octets, at most 64.
func bytesToLimbs(b []byte) (e element) {
	for i := range b {
		k := len(b) - 1 - i
		e[k/8] |= uint64(b[i]) << (8 * (k % 8))
	}
	return e
}

// fromBig expects 0 <= v < m.
func (f *field) fromBig(v *big.Int) (e element) {
	e = limbs(v)
	f.mul(&e, &e, &f.rr)
	return e
}

// fromBytes takes len(b) = 8n big-endian octets of any value and reduces them.
func (f *field) fromBytes(b []byte) (e element) {
	e = bytesToLimbs(b)
	f.mul(&e, &e, &f.rr) // the product of anything below R with something below m is below m after reduction
	return e
}

// bytes writes the value, 8n octets big-endian.
func (f *field) bytes(e *element) []byte {
	var plain element
	f.mul(&plain, e, &element{1})
	out := make([]byte, 8*f.n)
	for i := range out {
		k := len(out) - 1 - i
		out[i] = byte(plain[k/8] >> (8 * (k % 8)))
	}
	return out
}

func (f *field) big(e *element) *big.Int { return new(big.Int).SetBytes(f.bytes(e)) }

// mul sets z = x*y/R mod m (coarsely integrated operand scanning).
func (f *field) mul(z, x, y *element) {
	switch f.n {
	case 4:
		f.mul4(z, x, y)
	default:
		f.mulN(z, x, y)
	}
}

func (f *field) mulN(z, x, y *element) {
	var t [maxLimbs + 2]uint64
	n := f.n
	for i := 0; i < n; i++ {
		var c, hi, lo, cc uint64
		xi := x[i]
		for j := 0; j < n; j++ {
			hi, lo = bits.Mul64(xi, y[j])
			lo, cc = bits.Add64(lo, t[j], 0)
			hi += cc
			t[j], cc = bits.Add64(lo, c, 0)
			c = hi + cc
		}
		t[n], cc = bits.Add64(t[n], c, 0)
		t[n+1] = cc
		m := t[0] * f.k0
		hi, lo = bits.Mul64(m, f.m[0])
		_, cc = bits.Add64(lo, t[0], 0)
		c = hi + cc
		for j := 1; j < n; j++ {
			hi, lo = bits.Mul64(m, f.m[j])
			lo, cc = bits.Add64(lo, t[j], 0)
			hi += cc
			t[j-1], cc = bits.Add64(lo, c, 0)
			c = hi + cc
		}
		t[n-1], cc = bits.Add64(t[n], c, 0)
		t[n] = t[n+1] + cc
	}
	var r element
	copy(r[:n], t[:n])
	f.reduce(z, &r, t[n])
}

// mul4 is mulN for four limbs with the accumulator in registers.
func (f *field) mul4(z, x, y *element) {
	var t0, t1, t2, t3, t4, t5 uint64
	y0, y1, y2, y3 := y[0], y[1], y[2], y[3]
	m0, m1, m2, m3 := f.m[0], f.m[1], f.m[2], f.m[3]
	for i := 0; i < 4; i++ {
		var c, hi, lo, cc uint64
		xi := x[i]
		hi, lo = bits.Mul64(xi, y0)
		t0, cc = bits.Add64(t0, lo, 0)
		c = hi + cc
		hi, lo = bits.Mul64(xi, y1)
		lo, cc = bits.Add64(lo, c, 0)
		hi += cc
		t1, cc = bits.Add64(t1, lo, 0)
		c = hi + cc
		hi, lo = bits.Mul64(xi, y2)
		lo, cc = bits.Add64(lo, c, 0)
		hi += cc
		t2, cc = bits.Add64(t2, lo, 0)
		c = hi + cc
		hi, lo = bits.Mul64(xi, y3)
		lo, cc = bits.Add64(lo, c, 0)
		hi += cc
		t3, cc = bits.Add64(t3, lo, 0)
		c = hi + cc
		t4, t5 = bits.Add64(t4, c, 0)

		m := t0 * f.k0
		hi, lo = bits.Mul64(m, m0)
		_, cc = bits.Add64(lo, t0, 0)
		c = hi + cc
		hi, lo = bits.Mul64(m, m1)
		lo, cc = bits.Add64(lo, c, 0)
		hi += cc
		t0, cc = bits.Add64(t1, lo, 0)
		c = hi + cc
		hi, lo = bits.Mul64(m, m2)
		lo, cc = bits.Add64(lo, c, 0)
		hi += cc
		t1, cc = bits.Add64(t2, lo, 0)
		c = hi + cc
		hi, lo = bits.Mul64(m, m3)
		lo, cc = bits.Add64(lo, c, 0)
		hi += cc
		t2, cc = bits.Add64(t3, lo, 0)
		c = hi + cc
		t3, cc = bits.Add64(t4, c, 0)
		t4 = t5 + cc
	}
	var b uint64
	s0, b := bits.Sub64(t0, m0, 0)
	s1, b := bits.Sub64(t1, m1, b)
	s2, b := bits.Sub64(t2, m2, b)
	s3, b := bits.Sub64(t3, m3, b)
	_, b = bits.Sub64(t4, 0, b)
	keep := -b // all ones where t < m
	z[0] = s0&^keep | t0&keep
	z[1] = s1&^keep | t1&keep
	z[2] = s2&^keep | t2&keep
	z[3] = s3&^keep | t3&keep
}

func (f *field) add(z, x, y *element) {
	var r element
	var c uint64
	for i := 0; i < f.n; i++ {
		r[i], c = bits.Add64(x[i], y[i], c)
	}
	f.reduce(z, &r, c)
}

func (f *field) sub(z, x, y *element) {
	var r element
	var b, c uint64
	for i := 0; i < f.n; i++ {
		r[i], b = bits.Sub64(x[i], y[i], b)
	}
	mask := -b
	for i := 0; i < f.n; i++ {
		r[i], c = bits.Add64(r[i], f.m[i]&mask, c)
	}
	*z = r
}

// reduce subtracts the modulus once where carry:r is not below it.
func (f *field) reduce(z, r *element, carry uint64) {
	var s element
	var b uint64
	for i := 0; i < f.n; i++ {
		s[i], b = bits.Sub64(r[i], f.m[i], b)
	}
	_, b = bits.Sub64(carry, 0, b)
	keep := -b
	for i := 0; i < f.n; i++ {
		z[i] = s[i]&^keep | r[i]&keep
	}
}

// inverse sets z = 1/x, and 0 for x = 0, by Fermat's little theorem. Only the modulus steers the loop.
func (f *field) inverse(z, x *element) {
	var table [16]element
	table[0] = f.one
	for i := 1; i < 16; i++ {
		f.mul(&table[i], &table[i-1], x)
	}
	r := f.one
	for _, b := range f.expInv {
		for _, digit := range [2]byte{b >> 4, b & 15} {
			for range 4 {
				f.mul(&r, &r, &r)
			}
			f.mul(&r, &r, &table[digit])
		}
	}
	*z = r
}

func (f *field) isZero(x *element) bool {
	var v uint64
	for i := 0; i < f.n; i++ {
		v |= x[i]
	}
	return v == 0
}

// less reports whether 8n big-endian octets are below the modulus, in constant time.
func (f *field) less(b []byte) bool {
	e := bytesToLimbs(b)
	var borrow uint64
	for i := 0; i < f.n; i++ {
		_, borrow = bits.Sub64(e[i], f.m[i], borrow)
	}
	return subtle.ConstantTimeEq(int32(borrow), 1) == 1
}
