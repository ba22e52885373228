package merkle

import "math/bits"

// VerifyInclusion checks that a leaf is the entry with this index, counted from 0, in the log with this size and root
// [RFC 9162 2.1.3.2].
func VerifyInclusion(leaf Hash, index, size int64, proof []Hash, root Hash) error {
	if index < 0 || index >= size {
		return ErrRange
	}
	fn, sn, r := uint64(index), uint64(size-1), leaf
	for _, p := range proof {
		if sn == 0 {
			return ErrProof
		}
		if fn&1 == 1 || fn == sn {
			r = Node(p, r)
			for fn&1 == 0 && fn != 0 {
				fn, sn = fn>>1, sn>>1
			}
		} else {
			r = Node(r, p)
		}
		fn, sn = fn>>1, sn>>1
	}
	if sn != 0 || r != root {
		return ErrProof
	}
	return nil
}

// VerifyConsistency checks that the log with the second size and root begins with the log of the first
// [RFC 9162 2.1.4.2].
func VerifyConsistency(first, second int64, proof []Hash, firstRoot, secondRoot Hash) error {
	switch {
	case first < 0 || first > second:
		return ErrRange
	case first == second:
		if len(proof) != 0 || firstRoot != secondRoot {
			return ErrProof
		}
		return nil
	case first == 0:
		if len(proof) != 0 || firstRoot != Empty() {
			return ErrProof
		}
		return nil
	}
	if bits.OnesCount64(uint64(first)) == 1 {
		proof = append([]Hash{firstRoot}, proof...)
	}
	if len(proof) == 0 {
		return ErrProof
	}
	fn, sn := uint64(first-1), uint64(second-1)
	for fn&1 == 1 {
		fn, sn = fn>>1, sn>>1
	}
	fr, sr := proof[0], proof[0]
	for _, p := range proof[1:] {
		if sn == 0 {
			return ErrProof
		}
		if fn&1 == 1 || fn == sn {
			fr, sr = Node(p, fr), Node(p, sr)
			for fn&1 == 0 && fn != 0 {
				fn, sn = fn>>1, sn>>1
			}
		} else {
			sr = Node(sr, p)
		}
		fn, sn = fn>>1, sn>>1
	}
	if sn != 0 || fr != firstRoot || sr != secondRoot {
		return ErrProof
	}
	return nil
}
