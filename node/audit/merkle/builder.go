package merkle

// Builder grows a log: it keeps the frontier and the tiles that are not full yet.
type Builder struct {
	Frontier
	open [][]Hash // by level
}

// Resume continues a log of this size from its tiles.
func Resume(size int64, read Reader) (*Builder, error) {
	b := &Builder{}
	for level, n := 0, size; n > 0; level, n = level+1, n/TileWidth {
		var tile []Hash
		if n%TileWidth != 0 {
			var err error
			if tile, err = read(level, n/TileWidth); err != nil {
				return nil, err
			}
			if int64(len(tile)) < n%TileWidth {
				return nil, ErrRange
			}
			tile = tile[:n%TileWidth]
		}
		b.open = append(b.open, append(make([]Hash, 0, TileWidth), tile...))
	}
	// The open tiles are the log's complete trees of 256, 65,536 ... leaves and the leaves after them, in reverse.
	for level := len(b.open) - 1; level >= 0; level-- {
		var f Frontier
		for _, h := range b.open[level] {
			f.Append(h)
		}
		b.peaks = append(b.peaks, f.peaks...)
	}
	b.size = size
	return b, nil
}

// Append adds a leaf. full is called with each tile that the leaf made full, the lowest first, and its root; the hashes
// are valid until it returns.
func (b *Builder) Append(leaf Hash, full func(level int, n int64, hashes []Hash, root Hash) error) error {
	b.Frontier.Append(leaf)
	h := leaf
	for level, n := 0, b.size; ; level, n = level+1, n/TileWidth {
		if level == len(b.open) {
			b.open = append(b.open, make([]Hash, 0, TileWidth))
		}
		b.open[level] = append(b.open[level], h)
		if len(b.open[level]) < TileWidth {
			return nil
		}
		h = join(b.open[level])
		if err := full(level, n/TileWidth-1, b.open[level], h); err != nil {
			return err
		}
		b.open[level] = b.open[level][:0]
	}
}
