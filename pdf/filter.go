package pdf

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"sync"
)

const (
	maxFilters = 8
	expandFrom = 16 << 20 // octets from which the ratio counts
	// No single filter expands more than Flate can, 1032 to 1: what does is filters over filters.
	expandRatio = 1032
)

// Raw reads the octets of a stream as they stand in the file.
func (s *Stream) Raw() io.Reader {
	if s.raw == nil {
		return bytes.NewReader(s.Data)
	}
	return io.NewSectionReader(s.raw, 0, s.raw.Size())
}

// Decode reads a stream through its filters [ISO 32000-1 7.4]. ErrFilter names those of images, which are not read.
func (d *Document) Decode(s *Stream) (io.Reader, error) {
	if s.Dict["F"] != nil {
		return nil, fmt.Errorf("%w: its octets are in another file", ErrFilter)
	}
	filters, err := d.list(s.Dict["Filter"])
	if err != nil {
		return nil, err
	}
	params, err := d.list(s.Dict["DecodeParms"])
	if err != nil {
		return nil, err
	}
	if len(filters) > maxFilters {
		return nil, fmt.Errorf("%w: stream with %d filters", ErrLimit, len(filters))
	}
	r := s.Raw()
	if d.crypt != nil && s.raw != nil {
		m := d.crypt.method(s)
		if len(filters) > 0 {
			if name, _ := Get[Name](d, filters[0]); name == "Crypt" { // names its own, of which Identity is read
				m = identity
			}
		}
		r = d.crypt.reader(m, s.ref, r)
	}
	for i, f := range filters {
		name, _ := Get[Name](d, f)
		var param Dict
		if i < len(params) {
			param, _ = Get[Dict](d, params[i])
		}
		if r, err = d.filter(r, name, param); err != nil {
			return nil, err
		}
	}
	_, length := s.Span()
	return &bounded{r: r, most: max(expandFrom, length*expandRatio)}, nil
}

// list resolves what is one object or an array of them.
func (d *Document) list(o Object) (Array, error) {
	o, err := d.Resolve(o)
	if err != nil || o == nil {
		return nil, err
	}
	if a, ok := o.(Array); ok {
		return a, nil
	}
	return Array{o}, nil
}

// bounded ends a stream that expands too far.
type bounded struct {
	r    io.Reader
	most int64
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if b.most -= int64(n); b.most < 0 {
		return n, fmt.Errorf("%w: stream expands more than %d times", ErrLimit, expandRatio)
	}
	if err != nil && err != io.EOF && !errors.Is(err, ErrLimit) {
		err = fmt.Errorf("%w: stream: %w", ErrFormat, err)
	}
	return n, err
}

// Bytes decodes a stream that has at most so many octets.
func (d *Document) Bytes(s *Stream, most int) ([]byte, error) {
	r, err := d.Decode(s)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	_, length := s.Span()
	b.Grow(int(min(4*length, int64(most), 64<<10)) + bytes.MinRead)
	_, err = b.ReadFrom(io.LimitReader(r, int64(most)+1))
	if err == nil && b.Len() > most {
		err = fmt.Errorf("%w: stream has more than %d octets", ErrLimit, most)
	}
	return b.Bytes(), err
}

func (d *Document) filter(r io.Reader, name Name, param Dict) (io.Reader, error) {
	switch name {
	case "FlateDecode", "Fl":
		return d.predict(newInflater(r), param)
	case "LZWDecode", "LZW":
		early := 1
		if n, ok := Get[int](d, param["EarlyChange"]); ok {
			early = n
		}
		return d.predict(newLZW(r, early), param)
	case "ASCIIHexDecode", "AHx":
		return &hexReader{in: bufio.NewReader(r)}, nil
	case "ASCII85Decode", "A85":
		return &ascii85{in: bufio.NewReader(r)}, nil
	case "RunLengthDecode", "RL":
		return &runs{in: bufio.NewReader(r)}, nil
	case "Crypt":
		if n, ok := Get[Name](d, param["Name"]); !ok || n == "Identity" {
			return r, nil
		}
	}
	return nil, fmt.Errorf("%w: %s", ErrFilter, name)
}

// inflater begins when it is read: an empty stream has no header.
type inflater struct {
	*inflate
	begun bool
	end   error
}

// inflate is what inflating needs: 44 kB.
type inflate struct {
	in *bufio.Reader
	z  io.ReadCloser // nil before the first use
}

// inflaters are those that came to their end: most files have many small streams.
var inflaters = sync.Pool{New: func() any { return &inflate{in: bufio.NewReader(nil)} }}

func newInflater(r io.Reader) *inflater {
	f := inflaters.Get().(*inflate)
	f.in.Reset(r)
	return &inflater{inflate: f}
}

func (f *inflater) Read(p []byte) (int, error) {
	if f.end != nil {
		return 0, f.end
	}
	if !f.begun {
		// Some writers put an end of line before the octets.
		for range 2 {
			if b, err := f.in.Peek(1); err == nil && (b[0] == '\r' || b[0] == '\n') {
				f.in.Discard(1)
			}
		}
		var err error
		if f.z == nil {
			f.z, err = zlib.NewReader(f.in)
		} else {
			err = f.z.(zlib.Resetter).Reset(f.in, nil)
		}
		if err != nil {
			if _, err := f.in.Peek(1); err == io.EOF {
				return 0, io.EOF
			}
			return 0, err
		}
		f.begun = true
	}
	n, err := f.z.Read(p)
	if errors.Is(err, zlib.ErrChecksum) { // read by everybody else
		err = io.EOF
	}
	if err != nil {
		f.in.Reset(nil) // holds nothing of the file
		inflaters.Put(f.inflate)
		f.inflate, f.end = nil, err
	}
	return n, err
}

// predict undoes a predictor [ISO 32000-1 7.4.4.4].
func (d *Document) predict(r io.Reader, param Dict) (io.Reader, error) {
	get := func(key Name, otherwise int) int {
		if n, ok := Get[int](d, param[key]); ok {
			return n
		}
		return otherwise
	}
	kind := get("Predictor", 1)
	if kind <= 1 {
		return r, nil
	}
	colors, bits, columns := get("Colors", 1), get("BitsPerComponent", 8), get("Columns", 1)
	switch bits {
	case 1, 2, 4, 8, 16:
	default:
		return nil, fmt.Errorf("%w: predictor with %d bits", ErrFormat, bits)
	}
	if colors < 1 || colors > 256 || columns < 1 || columns > 1<<24 || colors*columns > 1<<26 {
		return nil, fmt.Errorf("%w: predictor with %d columns of %d colours", ErrLimit, columns, colors)
	}
	if kind == 2 && bits != 8 {
		return nil, fmt.Errorf("%w: TIFF predictor with %d bits", ErrFilter, bits)
	}
	if kind != 2 && (kind < 10 || kind > 15) {
		return nil, fmt.Errorf("%w: predictor %d", ErrFilter, kind)
	}
	row := (colors*bits*columns + 7) / 8
	return &predictor{in: bufio.NewReader(r), tiff: kind == 2, step: max(1, colors*bits/8), row: row}, nil
}

type predictor struct {
	in        *bufio.Reader
	tiff      bool
	step, row int
	previous  []byte // the row above; made when the first row is there
	line      []byte
	out       []byte
	err       error
}

func (p *predictor) Read(b []byte) (int, error) {
	for len(p.out) == 0 {
		if p.err != nil {
			return 0, p.err
		}
		p.next()
	}
	n := copy(b, p.out)
	p.out = p.out[n:]
	return n, nil
}

func (p *predictor) next() {
	if p.line == nil {
		p.line, p.previous = make([]byte, p.row), make([]byte, p.row)
	}
	filter := byte(0)
	if !p.tiff {
		if filter, p.err = p.in.ReadByte(); p.err != nil {
			return
		}
	}
	p.line, p.previous = p.previous, p.line
	n, err := io.ReadFull(p.in, p.line)
	if p.err = err; err == io.ErrUnexpectedEOF {
		p.err = io.EOF
	}
	line := p.line[:n]
	switch {
	case p.tiff:
		for i := p.step; i < n; i++ {
			line[i] += line[i-p.step]
		}
	case filter > 4:
		p.err = fmt.Errorf("%w: row with PNG filter %d", ErrFormat, filter)
		return
	default:
		p.png(filter, line)
	}
	p.out = line
}

func (p *predictor) png(filter byte, line []byte) {
	for i := range line {
		var left, corner int
		up := int(p.previous[i])
		if i >= p.step {
			left, corner = int(line[i-p.step]), int(p.previous[i-p.step])
		}
		switch filter {
		case 1:
			line[i] += byte(left)
		case 2:
			line[i] += byte(up)
		case 3:
			line[i] += byte((left + up) / 2)
		case 4:
			guess := left + up - corner
			a, b, c := abs(guess-left), abs(guess-up), abs(guess-corner)
			switch {
			case a <= b && a <= c:
				line[i] += byte(left)
			case b <= c:
				line[i] += byte(up)
			default:
				line[i] += byte(corner)
			}
		}
	}
}

func abs(n int) int { return max(n, -n) }

// lzw is the form of LZW that PDF and TIFF share [ISO 32000-1 7.4.4.2].
type lzw struct {
	in    *bufio.Reader
	early int
	bits  uint32
	have  uint
	width uint
	next  int // the code that is made next
	last  int // the code before, -1 after a clear
	// A code stands for the octets of another one and one more.
	prefix [4096]uint16
	suffix [4096]byte
	stack  []byte
	out    []byte
	err    error
}

const (
	lzwClear = 256
	lzwEnd   = 257
)

func newLZW(r io.Reader, early int) *lzw {
	z := &lzw{in: bufio.NewReader(r), early: early}
	z.clear()
	return z
}

func (z *lzw) clear() { z.width, z.next, z.last = 9, lzwEnd+1, -1 }

func (z *lzw) Read(p []byte) (int, error) {
	for len(z.out) == 0 {
		if z.err != nil {
			return 0, z.err
		}
		z.err = z.step()
	}
	n := copy(p, z.out)
	z.out = z.out[n:]
	return n, nil
}

func (z *lzw) step() error {
	for z.have < z.width {
		c, err := z.in.ReadByte()
		if err != nil {
			return err // streams without an end code are read
		}
		z.bits = z.bits<<8 | uint32(c)
		z.have += 8
	}
	code := int(z.bits >> (z.have - z.width) & (1<<z.width - 1))
	z.have -= z.width
	switch {
	case code == lzwClear:
		z.clear()
		return nil
	case code == lzwEnd:
		return io.EOF
	case code > z.next, code == z.next && z.last < 0, z.last < 0 && code > lzwEnd:
		return fmt.Errorf("LZW code %d before it was made", code)
	}
	z.stack = z.stack[:0]
	walk := code
	if code == z.next {
		walk = z.last
	}
	for walk > lzwEnd {
		z.stack = append(z.stack, z.suffix[walk])
		walk = int(z.prefix[walk])
	}
	first := byte(walk)
	z.stack = append(z.stack, first)
	for i, j := 0, len(z.stack)-1; i < j; i, j = i+1, j-1 {
		z.stack[i], z.stack[j] = z.stack[j], z.stack[i]
	}
	if code == z.next {
		z.stack = append(z.stack, first)
	}
	if z.last >= 0 && z.next < 4096 {
		z.prefix[z.next], z.suffix[z.next] = uint16(z.last), first
		z.next++
		if z.next+z.early >= 1<<z.width && z.width < 12 {
			z.width++
		}
	}
	z.last = code
	z.out = z.stack
	return nil
}

// hexReader reads ASCIIHexDecode [ISO 32000-1 7.4.2].
type hexReader struct {
	in   *bufio.Reader
	done bool
}

func (h *hexReader) digit() (int, error) {
	for {
		c, err := h.in.ReadByte()
		if err != nil {
			return 0, err
		}
		switch v := unhex(c); {
		case v >= 0:
			return v, nil
		case c == '>':
			return 0, io.EOF
		case !space(c):
			return 0, fmt.Errorf("%q in hexadecimal digits", c)
		}
	}
}

func (h *hexReader) Read(p []byte) (int, error) {
	if h.done {
		return 0, io.EOF
	}
	for i := range p {
		high, err := h.digit()
		if err != nil {
			h.done = true
			return i, err
		}
		low, err := h.digit()
		if err != nil {
			h.done = true
			if err != io.EOF {
				return i, err
			}
		}
		p[i] = byte(high<<4 | low)
		if h.done {
			return i + 1, nil
		}
	}
	return len(p), nil
}

// ascii85 reads ASCII85Decode [ISO 32000-1 7.4.3].
type ascii85 struct {
	in    *bufio.Reader
	group [4]byte
	out   []byte
	err   error
}

func (a *ascii85) Read(p []byte) (int, error) {
	for len(a.out) == 0 {
		if a.err != nil {
			return 0, a.err
		}
		a.next()
	}
	n := copy(p, a.out)
	a.out = a.out[n:]
	return n, nil
}

func (a *ascii85) next() {
	var value uint64
	n := 0
	for n < 5 {
		c, err := a.in.ReadByte()
		if err != nil {
			a.err = err
			break
		}
		switch {
		case c == '~':
			a.err = io.EOF
		case c == 'z' && n == 0:
			a.group = [4]byte{}
			a.out = a.group[:]
			return
		case c >= '!' && c <= 'u':
			value = value*85 + uint64(c-'!')
			n++
		case !space(c):
			a.err = fmt.Errorf("%q in base 85", c)
		}
		if a.err != nil {
			break
		}
	}
	if n < 2 {
		return
	}
	for i := n; i < 5; i++ {
		value = value*85 + 84
	}
	if value > 1<<32-1 {
		a.err = errors.New("group of base 85 beyond 32 bits")
		return
	}
	a.group = [4]byte{byte(value >> 24), byte(value >> 16), byte(value >> 8), byte(value)}
	a.out = a.group[:n-1]
}

// runs reads RunLengthDecode [ISO 32000-1 7.4.5].
type runs struct {
	in     *bufio.Reader
	left   int
	repeat bool
	value  byte
	done   bool
}

func (r *runs) Read(p []byte) (int, error) {
	for i := range p {
		for r.left == 0 {
			if r.done {
				return i, io.EOF
			}
			c, err := r.in.ReadByte()
			if err != nil || c == 128 {
				r.done = true
				continue
			}
			if r.repeat = c > 128; r.repeat {
				r.left = 257 - int(c)
				if r.value, err = r.in.ReadByte(); err != nil {
					return i, io.ErrUnexpectedEOF
				}
			} else {
				r.left = int(c) + 1
			}
		}
		p[i] = r.value
		if !r.repeat {
			c, err := r.in.ReadByte()
			if err != nil {
				return i, io.ErrUnexpectedEOF
			}
			p[i] = c
		}
		r.left--
	}
	return len(p), nil
}

// Span is where the octets of a stream stand in its file; of one that was not read the length alone.
func (s *Stream) Span() (offset, length int64) {
	if s.raw == nil {
		return 0, int64(len(s.Data))
	}
	_, offset, length = s.raw.Outer()
	return offset, length
}
