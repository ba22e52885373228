package merkle

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// slow is the definition of the tree as it stands [RFC 9162 2.1.1].
func slow(leaves []Hash) Hash {
	switch len(leaves) {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return leaves[0]
	}
	k := 1
	for k*2 < len(leaves) {
		k *= 2
	}
	return Node(slow(leaves[:k]), slow(leaves[k:]))
}

// log is a builder with its tiles in memory.
type log struct {
	Builder
	leaves []Hash
	tiles  map[tileKey][]Hash
	roots  map[tileKey]Hash
}

func newLog(t testing.TB, n int) *log {
	t.Helper()
	l := &log{tiles: map[tileKey][]Hash{}, roots: map[tileKey]Hash{}}
	for i := range n {
		l.add(t, Leaf(fmt.Appendf(nil, "entry %d", i)))
	}
	return l
}

func (l *log) add(t testing.TB, leaf Hash) {
	l.leaves = append(l.leaves, leaf)
	err := l.Append(leaf, func(level int, n int64, hashes []Hash, root Hash) error {
		l.tiles[tileKey{level, n}] = append([]Hash(nil), hashes...)
		l.roots[tileKey{level, n}] = root
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (l *log) read(level int, n int64) ([]Hash, error) {
	if tile := l.tiles[tileKey{level, n}]; tile != nil {
		return tile, nil
	}
	if level == 0 {
		from := min(n*TileWidth, int64(len(l.leaves)))
		return l.leaves[from:], nil
	}
	var tile []Hash
	for i := n * TileWidth; ; i++ {
		root, ok := l.roots[tileKey{level - 1, i}]
		if !ok {
			return tile, nil
		}
		tile = append(tile, root)
	}
}

func TestLeavesAndNodesAreHashedApart(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		got  Hash
		want string
	}{
		{Empty(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
		{Leaf(nil), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"}, // SHA-256 of one zero octet
	} {
		if hex.EncodeToString(c.got[:]) != c.want {
			t.Errorf("%x, want %s", c.got, c.want)
		}
	}
	long := make([]byte, 5000)
	if got, want := Leaf(long), Hash(sha256.Sum256(append([]byte{0}, long...))); got != want {
		t.Errorf("long entry: %x, want %x", got, want)
	}
	a, b := Leaf([]byte("a")), Leaf([]byte("b"))
	if Node(a, b) == Leaf(append(a[:], b[:]...)) {
		t.Error("a node can be taken for a leaf")
	}
}

func TestRootIsThatOfTheDefinition(t *testing.T) {
	t.Parallel()
	l := newLog(t, 0)
	for n := range 1100 {
		if n > 0 {
			l.add(t, Leaf(fmt.Appendf(nil, "entry %d", n)))
		}
		if n > 300 && n%53 != 0 && n%256 > 2 {
			continue
		}
		want := slow(l.leaves)
		if got := l.Root(); got != want {
			t.Fatalf("frontier of %d: %x, want %x", n, got, want)
		}
		if got, err := NewTree(l.read).Root(int64(n)); err != nil || got != want {
			t.Fatalf("tree of %d: %x %v, want %x", n, got, err, want)
		}
		again, err := Resume(int64(n), l.read)
		if err != nil || again.Root() != want || again.Size() != int64(n) {
			t.Fatalf("resumed at %d: %v", n, err)
		}
		f, err := NewFrontier(again.Size(), again.Peaks())
		if err != nil || f.Root() != want {
			t.Fatalf("frontier kept at %d: %v", n, err)
		}
	}
}

func TestResumedLogGoesOnAsTheFirst(t *testing.T) {
	t.Parallel()
	whole := newLog(t, 70_000) // beyond one tile of the second level
	for _, at := range []int64{1, 255, 256, 257, 65_535, 65_536, 65_537, 69_999} {
		part := newLog(t, int(at))
		b, err := Resume(at, part.read)
		if err != nil {
			t.Fatal(err)
		}
		part.Builder = *b
		for i := at; i < 70_000; i++ {
			part.add(t, whole.leaves[i])
		}
		if part.Root() != whole.Root() {
			t.Errorf("resumed at %d: another root", at)
		}
	}
}

func TestEveryEntryIsProvenAndNoOther(t *testing.T) {
	t.Parallel()
	l := newLog(t, 600)
	tree := NewTree(l.read)
	for _, size := range []int64{1, 2, 3, 7, 8, 255, 256, 257, 511, 600} {
		root := slow(l.leaves[:size])
		for i := range size {
			proof, err := tree.Inclusion(i, size)
			if err != nil {
				t.Fatal(err)
			}
			if err := VerifyInclusion(l.leaves[i], i, size, proof, root); err != nil {
				t.Fatalf("%d of %d: %v", i, size, err)
			}
			for what, err := range map[string]error{
				"another leaf":  VerifyInclusion(Leaf([]byte("never")), i, size, proof, root),
				"another place": VerifyInclusion(l.leaves[i], (i+1)%max(size, 2), size, proof, root),
				"a longer path": VerifyInclusion(l.leaves[i], i, size, append([]Hash{root}, proof...), root),
				"beyond":        VerifyInclusion(l.leaves[i], size, size, proof, root),
			} {
				if err == nil {
					t.Fatalf("%d of %d: proven with %s", i, size, what)
				}
			}
			for j := range proof {
				proof[j][7] ^= 1
				if VerifyInclusion(l.leaves[i], i, size, proof, root) == nil {
					t.Fatalf("%d of %d: proven with a changed hash %d", i, size, j)
				}
				proof[j][7] ^= 1
			}
		}
	}
	if _, err := tree.Inclusion(5, 5); !errors.Is(err, ErrRange) {
		t.Errorf("entry beyond the log: %v", err)
	}
}

func TestOneLogContinuesTheOther(t *testing.T) {
	t.Parallel()
	l := newLog(t, 300)
	tree := NewTree(l.read)
	other := append([]Hash(nil), l.leaves...)
	for _, second := range []int64{0, 1, 2, 5, 6, 64, 255, 256, 257, 300} {
		newer := slow(l.leaves[:second])
		for first := range second + 1 {
			older := slow(l.leaves[:first])
			proof, err := tree.Consistency(first, second)
			if err != nil {
				t.Fatal(err)
			}
			if err := VerifyConsistency(first, second, proof, older, newer); err != nil {
				t.Fatalf("%d to %d: %v", first, second, err)
			}
			if first == 0 {
				continue
			}
			other[first/2][0] ^= 1
			if VerifyConsistency(first, second, proof, slow(other[:first]), newer) == nil {
				t.Fatalf("%d to %d: a rewritten past is continued", first, second)
			}
			other[first/2][0] ^= 1
			for j := range proof {
				proof[j][31] ^= 1
				if VerifyConsistency(first, second, proof, older, newer) == nil {
					t.Fatalf("%d to %d: proven with a changed hash %d", first, second, j)
				}
				proof[j][31] ^= 1
			}
		}
	}
}

func TestProofsOfAnySizeHold(t *testing.T) {
	t.Parallel()
	l := newLog(t, 70_000)
	tree := NewTree(l.read)
	rapid.Check(t, func(t *rapid.T) {
		second := rapid.Int64Range(1, 70_000).Draw(t, "second")
		first := rapid.Int64Range(1, second).Draw(t, "first")
		index := rapid.Int64Range(0, first-1).Draw(t, "index")
		older, err1 := tree.Root(first)
		newer, err2 := tree.Root(second)
		way, err3 := tree.Consistency(first, second)
		in, err4 := tree.Inclusion(index, first)
		if err := errors.Join(err1, err2, err3, err4); err != nil {
			t.Fatal(err)
		}
		if err := VerifyConsistency(first, second, way, older, newer); err != nil {
			t.Fatal(err)
		}
		if err := VerifyInclusion(l.leaves[index], index, first, in, older); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzVerify(f *testing.F) {
	l := newLog(f, 37)
	proof, err := NewTree(l.read).Inclusion(11, 37)
	if err != nil {
		f.Fatal(err)
	}
	var flat []byte
	for _, h := range proof {
		flat = append(flat, h[:]...)
	}
	f.Add(int64(11), int64(37), flat)
	f.Add(int64(11), int64(9), flat)
	root := l.Root()
	f.Fuzz(func(t *testing.T, a, b int64, flat []byte) {
		var given []Hash
		for len(flat) >= 32 {
			given, flat = append(given, Hash(flat)), flat[32:]
		}
		if VerifyInclusion(l.leaves[11], a, b, given, root) == nil && (a != 11 || b != 37) {
			t.Errorf("entry 11 of 37 proven as %d of %d", a, b)
		}
		VerifyConsistency(a, b, given, root, root)
	})
}

// bigLog is a log of ten million entries whose tiles are made as they are asked for: each hash follows from its place.
func bigLog(size int64) Reader {
	return func(level int, n int64) ([]Hash, error) {
		have := size
		for range level {
			have /= TileWidth
		}
		tile := make([]Hash, min(TileWidth, max(0, have-n*TileWidth)))
		for i := range tile {
			tile[i][0], tile[i][1], tile[i][2], tile[i][3] = byte(level), byte(n), byte(n>>8), byte(i)
		}
		return tile, nil
	}
}

func BenchmarkProof(b *testing.B) {
	const size = 10_000_000
	b.Run("inclusion/10M", func(b *testing.B) {
		b.ReportAllocs()
		i := int64(0)
		for b.Loop() {
			if _, err := NewTree(bigLog(size)).Inclusion(i%size, size); err != nil {
				b.Fatal(err)
			}
			i += 7_654_321
		}
	})
	b.Run("consistency/10M", func(b *testing.B) {
		b.ReportAllocs()
		i := int64(0)
		for b.Loop() {
			if _, err := NewTree(bigLog(size)).Consistency(i%size+1, size); err != nil {
				b.Fatal(err)
			}
			i += 7_654_321
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	l := newLog(b, 70_000)
	proof, err := NewTree(l.read).Inclusion(12_345, 70_000)
	if err != nil {
		b.Fatal(err)
	}
	root := l.Root()
	b.ReportAllocs()
	for b.Loop() {
		if err := VerifyInclusion(l.leaves[12_345], 12_345, 70_000, proof, root); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	var l Builder
	entry := make([]byte, 400)
	b.ReportAllocs()
	for b.Loop() {
		if err := l.Append(Leaf(entry), func(int, int64, []Hash, Hash) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}
