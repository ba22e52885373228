package merkle

import (
	"fmt"
	"math/bits"
)

// TileWidth is how many hashes of one level a tile holds.
const (
	tileLevels = 8
	TileWidth  = 1 << tileLevels
)

// Reader gives the n-th tile of a level: of level 0 the hashes of the leaves n*256, n*256+1, ..., of each further level
// the roots of as many tiles of the level below. A tile that is not full yet has fewer hashes.
type Reader func(level int, n int64) ([]Hash, error)

// Tree computes proofs. It remembers the tiles it read, so one serves for one question or for several about the same log.
type Tree struct {
	read  Reader
	tiles map[tileKey][]Hash
}

type tileKey struct {
	level int
	n     int64
}

// NewTree makes a tree over stored tiles.
func NewTree(read Reader) *Tree { return &Tree{read, map[tileKey][]Hash{}} }

// complete is the root of the index-th subtree with 2^height leaves.
func (t *Tree) complete(height int, index int64) (h Hash, err error) {
	level, inside := height/tileLevels, height%tileLevels
	first := index << inside
	k := tileKey{level, first / TileWidth}
	tile, ok := t.tiles[k]
	if !ok {
		if tile, err = t.read(k.level, k.n); err != nil {
			return h, err
		}
		t.tiles[k] = tile
	}
	from := int(first % TileWidth)
	if from+1<<inside > len(tile) {
		return h, fmt.Errorf("%w: tile %d of level %d has %d hashes, %d are needed", ErrRange, k.n, k.level, len(tile), from+1<<inside)
	}
	return join(tile[from : from+1<<inside]), nil
}

// join is the root over 2^k hashes of one level.
func join(hashes []Hash) Hash {
	if len(hashes) == 1 {
		return hashes[0]
	}
	var room [TileWidth / 2]Hash
	up := room[:len(hashes)/2]
	for i := range up {
		up[i] = Node(hashes[2*i], hashes[2*i+1])
	}
	for len(up) > 1 {
		for i := range up[:len(up)/2] {
			up[i] = Node(up[2*i], up[2*i+1])
		}
		up = up[:len(up)/2]
	}
	return up[0]
}

// split is the largest power of two less than n.
func split(n int64) int64 { return 1 << (bits.Len64(uint64(n-1)) - 1) }

// part is the root over the leaves from lo to hi, a range as the definition of the tree makes them.
func (t *Tree) part(lo, hi int64) (Hash, error) {
	n := hi - lo
	if n&(n-1) == 0 {
		height := bits.TrailingZeros64(uint64(n))
		return t.complete(height, lo>>height)
	}
	k := split(n)
	left, err := t.part(lo, lo+k)
	if err != nil {
		return left, err
	}
	right, err := t.part(lo+k, hi)
	return Node(left, right), err
}

// Root is the root of the first size entries.
func (t *Tree) Root(size int64) (Hash, error) {
	if size < 0 {
		return Hash{}, ErrRange
	}
	if size == 0 {
		return Empty(), nil
	}
	return t.part(0, size)
}

// Inclusion proves the entry with this index to the root of the first size entries [RFC 9162 2.1.3.1].
func (t *Tree) Inclusion(index, size int64) ([]Hash, error) {
	if index < 0 || index >= size {
		return nil, ErrRange
	}
	var path []Hash // from the root down, turned round in the end
	for lo, hi := int64(0), size; hi-lo > 1; {
		mid := lo + split(hi-lo)
		var other Hash
		var err error
		if index < mid {
			other, err = t.part(mid, hi)
			hi = mid
		} else {
			other, err = t.part(lo, mid)
			lo = mid
		}
		if err != nil {
			return nil, err
		}
		path = append(path, other)
	}
	reverse(path)
	return path, nil
}

// Consistency proves that the log of the second size begins with that of the first [RFC 9162 2.1.4.1].
func (t *Tree) Consistency(first, second int64) ([]Hash, error) {
	if first < 0 || first > second {
		return nil, ErrRange
	}
	if first == 0 || first == second {
		return nil, nil
	}
	var path []Hash
	lo, hi, whole := int64(0), second, true
	for hi != first {
		mid := lo + split(hi-lo)
		var other Hash
		var err error
		if first <= mid {
			other, err = t.part(mid, hi)
			hi = mid
		} else {
			other, err = t.part(lo, mid)
			lo, whole = mid, false
		}
		if err != nil {
			return nil, err
		}
		path = append(path, other)
	}
	if !whole {
		last, err := t.part(lo, hi)
		if err != nil {
			return nil, err
		}
		path = append(path, last)
	}
	reverse(path)
	return path, nil
}

func reverse(h []Hash) {
	for i, j := 0, len(h)-1; i < j; i, j = i+1, j-1 {
		h[i], h[j] = h[j], h[i]
	}
}
