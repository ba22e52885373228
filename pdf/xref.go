package pdf

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
)

type kind byte

const (
	free kind = iota
	plain
	packed // in an object stream
)

// entry is where an object is.
type entry struct {
	kind       kind
	offset     int64 // of plain ones, otherwise the number of the object stream
	generation int   // of plain ones, otherwise the index in the object stream
}

// Revision is one cross-reference section with its trailer: a file as it was written, or an update of it [ISO 32000-1 7.5.6].
type Revision struct {
	Offset  int64 // of the section, as startxref and Prev count
	Stream  bool  // a cross-reference stream, otherwise a table
	Trailer Dict

	objects map[int]entry
}

// Numbers calls yield with the numbers of the objects that a revision writes or frees.
func (r *Revision) Numbers(yield func(int) bool) {
	for n := range r.objects {
		if !yield(n) {
			return
		}
	}
}

// spaces are the octets that space knows.
const spaces = "\x00\t\n\f\r "

// readRevisions follows the cross-references from the end of the file.
func (d *Document) readRevisions() error {
	from := max(0, d.size-startWithin)
	tail, err := d.window(from, startWithin)
	if err != nil {
		return err
	}
	i := bytes.LastIndex(tail, []byte("startxref"))
	if i < 0 {
		return fmt.Errorf("%w: no startxref at its end", ErrFormat)
	}
	l := lexer{b: tail, pos: i + len("startxref"), whole: true}
	at, ok, err := l.integer()
	if err != nil || !ok {
		return fmt.Errorf("%w: startxref without offset", ErrFormat)
	}
	behind := bytes.TrimLeft(tail[l.pos:], spaces)
	d.Trailing = len(bytes.Trim(bytes.TrimPrefix(behind, []byte("%%EOF")), spaces))
	if d.Trailing > 0 {
		d.problem("%d octets stand behind the end of the file", d.Trailing)
	}
	seen := map[int64]bool{}
	for offset, more := int64(at), true; more; {
		if seen[offset] {
			return fmt.Errorf("%w: cross-references lead in a circle at offset %d", ErrFormat, offset)
		}
		seen[offset] = true
		if len(d.Revisions) >= maxRevisions {
			return fmt.Errorf("%w: more than %d revisions", ErrLimit, maxRevisions)
		}
		rev, err := d.section(offset)
		if err != nil {
			return fmt.Errorf("section at offset %d: %w", offset, err)
		}
		if hidden, ok := rev.Trailer["XRefStm"].(int); ok && !rev.Stream { // [ISO 32000-1 7.5.8.4]
			other, err := d.section(int64(hidden))
			if err != nil {
				return fmt.Errorf("section at offset %d: %w", hidden, err)
			}
			for n, e := range other.objects {
				if old, ok := rev.objects[n]; !ok || old.kind == free {
					rev.objects[n] = e
				}
			}
		}
		d.Revisions = append(d.Revisions, rev)
		if d.Trailer == nil {
			d.Trailer = rev.Trailer
		}
		if len(d.objects) == 0 {
			d.objects = maps.Clone(rev.objects)
		} else {
			for n, e := range rev.objects {
				if _, ok := d.objects[n]; !ok {
					d.objects[n] = e
				}
			}
		}
		var prev int
		switch p := rev.Trailer["Prev"].(type) {
		case int:
			prev = p
		case float64:
			prev = int(p)
		case nil:
			more = false
		default:
			return fmt.Errorf("%w: Prev is no offset", ErrFormat)
		}
		offset = int64(prev)
	}
	return nil
}

// section reads one cross-reference section.
func (d *Document) section(offset int64) (*Revision, error) {
	at := offset + d.shift
	head, err := d.window(at, 64)
	if err != nil {
		return nil, err
	}
	skipped := len(head) - len(bytes.TrimLeft(head, spaces))
	rev := &Revision{Offset: offset, objects: map[int]entry{}}
	if bytes.HasPrefix(head[skipped:], []byte("xref")) {
		return rev, d.table(rev, at+int64(skipped)+4)
	}
	_, o, _, err := d.indirect(at)
	if err != nil {
		return nil, err
	}
	s, ok := o.(*Stream)
	if !ok || s.Dict["Type"] != Name("XRef") {
		return nil, fmt.Errorf("%w: neither a table nor a stream of cross-references", ErrFormat)
	}
	rev.Stream, rev.Trailer = true, s.Dict
	return rev, d.xrefStream(rev, s)
}

// table reads a table of cross-references and its trailer [ISO 32000-1 7.5.4].
func (d *Document) table(rev *Revision, at int64) error {
	rest := io.NewSectionReader(d.r, at, d.size-at)
	in := bufio.NewReader(rest)
	for {
		word, err := token(in)
		if err != nil {
			return err
		}
		if string(word) == "trailer" {
			break
		}
		start, ok1 := digits(word)
		if word, err = token(in); err != nil {
			return err
		}
		count, ok2 := digits(word)
		if !ok1 || !ok2 || count > maxObject+1 {
			return fmt.Errorf("%w: table of cross-references with a subsection that begins with %.20q", ErrFormat, word)
		}
		for i := range count {
			var e entry
			first, err := token(in)
			if err != nil {
				return err
			}
			offset, ok1 := digits(first)
			second, err := token(in)
			if err != nil {
				return err
			}
			generation, ok2 := digits(second)
			third, err := token(in)
			if err != nil {
				return err
			}
			if !ok1 || !ok2 || len(third) != 1 || third[0] != 'n' && third[0] != 'f' {
				return fmt.Errorf("%w: table of cross-references with a broken entry for object %d", ErrFormat, start+i)
			}
			e.offset, e.generation = int64(offset), generation
			if third[0] == 'n' && offset > 0 {
				e.kind = plain
			}
			if i == 0 && start == 1 && e.kind == free && generation == 65535 {
				start = 0 // a known slip: the list of free objects begins with object 0
				d.problem("table of cross-references counts from 1")
			}
			if start+i > maxObject {
				return fmt.Errorf("%w: object number %d", ErrLimit, start+i)
			}
			rev.objects[start+i] = e
		}
	}
	read, err := rest.Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	return d.parse(at+read-int64(in.Buffered()), func(l *lexer) error {
		o, err := l.object(0)
		if err != nil {
			return err
		}
		var ok bool
		if rev.Trailer, ok = o.(Dict); !ok {
			return fmt.Errorf("%w: the trailer is no dictionary", ErrFormat)
		}
		return nil
	})
}

// token reads a short word after white space, and leaves what ends it. The word holds until the next read.
func token(in *bufio.Reader) ([]byte, error) {
	for {
		c, err := in.ReadByte()
		if err != nil {
			return nil, fmt.Errorf("%w: the file ends within a table of cross-references", ErrFormat)
		}
		if !space(c) {
			in.UnreadByte()
			break
		}
	}
	b, err := in.Peek(24)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	n := 0
	for n < len(b) && !space(b[n]) && !delimiter(b[n]) {
		n++
	}
	if n == 0 || n == 24 {
		return nil, fmt.Errorf("%w: %.24q in a table of cross-references", ErrFormat, b)
	}
	word := append(make([]byte, 0, 24), b[:n]...)
	in.Discard(n)
	return word, nil
}

// xrefStream reads a stream of cross-references [ISO 32000-1 7.5.8].
func (d *Document) xrefStream(rev *Revision, s *Stream) error {
	var widths [3]int
	w, ok := Get[Array](d, s.Dict["W"])
	if !ok || len(w) < 3 {
		return fmt.Errorf("%w: cross-reference stream without W", ErrFormat)
	}
	for i := range widths {
		if n, ok := w[i].(int); ok && n >= 0 && n <= 8 {
			widths[i] = n
			continue
		}
		return fmt.Errorf("%w: cross-reference stream with widths %v", ErrFormat, w)
	}
	size, ok := Get[int](d, s.Dict["Size"])
	if !ok {
		return fmt.Errorf("%w: cross-reference stream without Size", ErrFormat)
	}
	index := Array{0, size}
	if given, ok := Get[Array](d, s.Dict["Index"]); ok {
		index = given
	}
	data, err := d.Bytes(s, maxDecoded)
	if err != nil {
		return err
	}
	row := widths[0] + widths[1] + widths[2]
	if row == 0 {
		return fmt.Errorf("%w: cross-reference stream with widths %v", ErrFormat, w)
	}
	rev.objects = make(map[int]entry, min(len(data)/row, 1<<10)) // it grows where there are more
	for i := 0; i+1 < len(index); i += 2 {
		start, ok1 := index[i].(int)
		count, ok2 := index[i+1].(int)
		if !ok1 || !ok2 || start < 0 || count < 0 || start > maxObject || count > maxObject+1 {
			return fmt.Errorf("%w: cross-reference stream with index %v", ErrFormat, index[i:i+2])
		}
		for n := start; n < start+count; n++ {
			if len(data) < row {
				d.problem("cross-reference stream at offset %d ends before object %d", rev.Offset, n)
				return nil
			}
			kind := uint64(1)
			if widths[0] > 0 {
				kind = bigEndian(data[:widths[0]])
			}
			second, third := bigEndian(data[widths[0]:widths[0]+widths[1]]), bigEndian(data[widths[0]+widths[1]:row])
			data = data[row:]
			e := entry{offset: int64(second), generation: int(third)}
			switch kind {
			case 0:
			case 1:
				e.kind = plain
			case 2:
				e.kind = packed
			default: // read as null [ISO 32000-1 7.5.8.3]
			}
			if n > maxObject || e.offset < 0 || e.generation < 0 {
				return fmt.Errorf("%w: cross-reference stream with an impossible entry for object %d", ErrFormat, n)
			}
			rev.objects[n] = e
		}
	}
	return nil
}

func bigEndian(b []byte) (n uint64) {
	for _, c := range b {
		n = n<<8 | uint64(c)
	}
	return n
}

// objectStream is one whose octets were read.
type objectStream struct {
	data    []byte // from First on
	numbers []int
	offsets []int
}

// unpack reads an object of an object stream [ISO 32000-1 7.5.7].
func (d *Document) unpack(stream, index, number int) (Object, error) {
	s, ok := d.streams[stream]
	if !ok {
		var err error
		if s, err = d.openObjectStream(stream); err != nil {
			return nil, err
		}
	}
	if index >= len(s.numbers) || s.numbers[index] != number {
		d.problem("object stream %d: object %d is not at index %d", stream, number, index)
		if index = lastIndex(s.numbers, number); index < 0 {
			return nil, nil
		}
	}
	l := lexer{b: s.data, pos: s.offsets[index], whole: true}
	return l.object(0)
}

func lastIndex(numbers []int, n int) int {
	for i := len(numbers) - 1; i >= 0; i-- {
		if numbers[i] == n {
			return i
		}
	}
	return -1
}

func (d *Document) openObjectStream(number int) (*objectStream, error) {
	if e := d.objects[number]; e.kind != plain {
		return nil, fmt.Errorf("%w: object stream %d is not there", ErrFormat, number)
	}
	o, err := d.load(Ref{number, d.objects[number].generation})
	if err != nil {
		return nil, err
	}
	stream, ok := o.(*Stream)
	if !ok {
		return nil, fmt.Errorf("%w: object stream %d is no stream", ErrFormat, number)
	}
	data, err := d.Bytes(stream, maxDecoded)
	if err != nil {
		return nil, err
	}
	count, ok1 := Get[int](d, stream.Dict["N"])
	first, ok2 := Get[int](d, stream.Dict["First"])
	if !ok1 || !ok2 || count < 0 || first < 0 || first > len(data) || count > first {
		return nil, fmt.Errorf("%w: object stream %d with N %v and First %v", ErrFormat, number, stream.Dict["N"], stream.Dict["First"])
	}
	s := &objectStream{data: data[first:]}
	l := lexer{b: data[:first], whole: true}
	for range count {
		n, ok1, err1 := l.integer()
		at, ok2, err2 := l.integer()
		if err := errors.Join(err1, err2); err != nil || !ok1 || !ok2 || at > len(s.data) {
			return nil, fmt.Errorf("%w: object stream %d with a broken list of its objects", ErrFormat, number)
		}
		s.numbers, s.offsets = append(s.numbers, n), append(s.offsets, at)
	}
	if d.held += len(data); d.held > maxCachedOct {
		clear(d.streams)
		d.held = len(data)
	}
	d.streams[number] = s
	return s, nil
}

// scan looks through the whole file for indirect objects and trailers; of several with one number the last counts.
func (d *Document) scan() error {
	d.scanned = map[int]entry{}
	const piece, overlap = 256 << 10, 64
	var trailers []int64
	before := byte('\n') // the octet before the piece
	for at := int64(0); at < d.size; at += piece {
		b, err := d.window(at, piece+overlap)
		if err != nil {
			return err
		}
		for i := 0; ; {
			j := bytes.Index(b[i:], []byte("obj"))
			if j < 0 {
				break
			}
			end := i + j
			i = end + 3
			start, r, ok := headBefore(b[:end])
			if ok && start < piece && (start > 0 || before < '0' || before > '9') {
				d.scanned[r.Number] = entry{plain, at + int64(start), r.Generation}
			}
		}
		for i := 0; ; {
			j := bytes.Index(b[i:], []byte("trailer"))
			if j < 0 || i+j >= piece {
				break
			}
			trailers = append(trailers, at+int64(i+j)+7)
			i += j + 7
		}
		before = b[min(piece, len(b))-1]
	}
	if len(d.scanned) > maxObject {
		return fmt.Errorf("%w: too many objects", ErrLimit)
	}
	for i := len(trailers) - 1; i >= 0 && i >= len(trailers)-1000 && d.Trailer == nil; i-- {
		err := d.parse(trailers[i], func(l *lexer) error {
			o, err := l.object(0)
			if t, ok := o.(Dict); err == nil && ok && t["Root"] != nil {
				d.Trailer = t
			}
			return err
		})
		if err != nil {
			d.problem("trailer at offset %d: %w", trailers[i], err)
		}
	}
	return nil
}

// headBefore reads a number and a generation that end right before obj.
func headBefore(b []byte) (start int, r Ref, ok bool) {
	i := len(b)
	back := func() (int, bool) {
		end := i
		for i > 0 && space(b[i-1]) && end-i < 8 {
			i--
		}
		last := i
		for i > 0 && b[i-1] >= '0' && b[i-1] <= '9' {
			i--
		}
		return digits(b[i:last])
	}
	g, ok := back()
	if !ok || g > 0xffff || i == 0 || !space(b[i-1]) {
		return 0, r, false
	}
	n, ok := back()
	if !ok || n > maxObject {
		return 0, r, false
	}
	return i, Ref{n, g}, true
}

// repair does without cross-references: the objects that are found count, and those in object streams that are found.
func (d *Document) repair() error {
	d.Repaired = true
	if err := d.scan(); err != nil {
		return err
	}
	for n, e := range d.scanned {
		d.objects[n] = e
	}
	var root Ref
	for n, e := range d.scanned {
		_, o, _, err := d.indirect(e.offset)
		if err != nil {
			if errors.Is(err, ErrLimit) {
				return err
			}
			delete(d.objects, n)
			continue
		}
		switch o := o.(type) {
		case Dict:
			if o["Type"] == Name("Catalog") && (root == Ref{} || d.objects[root.Number].offset < e.offset) {
				root = Ref{n, e.generation}
			}
		case *Stream:
			switch {
			case o.Dict["Type"] == Name("XRef") && o.Dict["Encrypt"] != nil:
				return fmt.Errorf("%w: and its cross-references are broken", ErrEncrypted)
			case o.Dict["Type"] == Name("ObjStm"):
				s, err := d.openObjectStream(n)
				if err != nil {
					d.problem("%w", err)
					continue
				}
				for i, packedNumber := range s.numbers {
					if old, ok := d.objects[packedNumber]; packedNumber <= maxObject && (!ok || old.kind == packed && d.objects[int(old.offset)].offset < e.offset) {
						d.objects[packedNumber] = entry{packed, int64(n), i}
					}
				}
			}
		}
	}
	clear(d.cache)
	if d.Trailer == nil {
		d.Trailer = Dict{}
	}
	if d.Trailer["Encrypt"] != nil {
		return fmt.Errorf("%w: and its cross-references are broken", ErrEncrypted)
	}
	if _, ok := Get[Dict](d, d.Trailer["Root"]); ok {
		return nil
	}
	if root == (Ref{}) { // perhaps within an object stream
		for n, e := range d.objects {
			if c, ok := Get[Dict](d, Ref{n, 0}); ok && e.kind == packed && c["Type"] == Name("Catalog") && n > root.Number {
				root = Ref{n, 0}
			}
		}
	}
	if root == (Ref{}) {
		return fmt.Errorf("%w: no catalog", ErrFormat)
	}
	d.Trailer = d.Trailer.Clone()
	d.Trailer["Root"] = root
	return nil
}
