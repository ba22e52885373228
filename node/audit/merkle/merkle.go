// Package merkle is the arithmetic of an append-only log: a hash tree whose root stands for every entry in its order
// [RFC 9162 2.1], proofs that an entry is under a root, and proofs that one root continues another.
//
// A [Builder] grows the tree and keeps no more than the hashes that are still open. Hashes of complete parts are kept
// elsewhere in tiles of 256, from which a [Tree] computes proofs: of ten million entries it reads a few kilobytes.
package merkle

import (
	"crypto/sha256"
	"errors"
	"math/bits"
)

// Hash is a SHA-256 of a leaf or of a node.
type Hash [sha256.Size]byte

// Leaf is the hash of one entry [RFC 9162 2.1.1].
func Leaf(entry []byte) Hash {
	var room [1024]byte
	if len(entry) < len(room) {
		room[0] = 0
		return sha256.Sum256(room[:1+copy(room[1:], entry)])
	}
	h := sha256.New()
	h.Write([]byte{0})
	h.Write(entry)
	return Hash(h.Sum(nil))
}

// Node is the hash of two hashes [RFC 9162 2.1.1].
func Node(left, right Hash) Hash {
	var b [1 + 2*sha256.Size]byte
	b[0] = 1
	copy(b[1:], left[:])
	copy(b[1+sha256.Size:], right[:])
	return sha256.Sum256(b[:])
}

// Empty is the root of a log without entries.
func Empty() Hash { return sha256.Sum256(nil) }

var (
	// ErrProof says that a proof does not lead to the root.
	ErrProof = errors.New("merkle: the proof does not lead to the root")
	// ErrRange says that an entry or a size lies outside the log.
	ErrRange = errors.New("merkle: not within the log")
)

// Frontier is all that is needed to go on: the roots of the complete trees that a log of its size is made of, the
// largest first. The zero value is the empty log.
type Frontier struct {
	size  int64
	peaks []Hash
}

// NewFrontier makes a frontier from what [Frontier.Peaks] gave.
func NewFrontier(size int64, peaks []Hash) (Frontier, error) {
	if size < 0 || len(peaks) != bits.OnesCount64(uint64(size)) {
		return Frontier{}, ErrRange
	}
	return Frontier{size, peaks}, nil
}

// Append adds one leaf.
func (f *Frontier) Append(leaf Hash) {
	f.peaks = append(f.peaks, leaf)
	for n := f.size; n&1 == 1; n >>= 1 {
		last := len(f.peaks) - 1
		f.peaks[last-1] = Node(f.peaks[last-1], f.peaks[last])
		f.peaks = f.peaks[:last]
	}
	f.size++
}

// Size is the number of leaves.
func (f *Frontier) Size() int64 { return f.size }

// Peaks are the roots; they belong to the frontier.
func (f *Frontier) Peaks() []Hash { return f.peaks }

// Root is the hash of the whole log.
func (f *Frontier) Root() Hash {
	if f.size == 0 {
		return Empty()
	}
	root := f.peaks[len(f.peaks)-1]
	for i := len(f.peaks) - 2; i >= 0; i-- {
		root = Node(f.peaks[i], root)
	}
	return root
}
