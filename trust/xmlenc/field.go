package xmlenc

import "encoding/binary"

// element is a member of GF(2^128) in the bit order of GCM: bit 0 is the highest bit of hi [SP 800-38D 6.3].
type element struct{ hi, lo uint64 }

func loadElement(b []byte) element {
	return element{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])}
}

func (x element) xor(y element) element { return element{x.hi ^ y.hi, x.lo ^ y.lo} }

// mul is x*y in constant time, since both depend on the key. It costs about 200 ns, which one call a MiB can afford.
func (x element) mul(y element) (z element) {
	for _, word := range [2]uint64{x.hi, x.lo} {
		for range 64 {
			bit := -(word >> 63)
			word <<= 1
			z.hi ^= y.hi & bit
			z.lo ^= y.lo & bit
			carry := -(y.lo & 1)
			y.lo = y.lo>>1 | y.hi<<63
			y.hi = y.hi>>1 ^ carry&0xe1<<56
		}
	}
	return z
}

// pow is x^n; n is a length and no secret.
func (x element) pow(n uint64) element {
	z := element{hi: 1 << 63} // one
	for ; n > 0; n >>= 1 {
		if n&1 == 1 {
			z = z.mul(x)
		}
		x = x.mul(x)
	}
	return z
}
