// Package pdf reads PDF files and appends to them: the objects, cross-references and revisions of ISO 32000-1 and -2, and nothing of
// what pages look like.
//
// A file is read where it stands, through io.ReaderAt: objects when they are asked for, streams in pieces. What is appended never
// touches an octet that is there, so that signatures over it keep holding.
//
// What a file claims is bounded: objects in objects, references to references, filters in a row, and how far a stream expands. Files
// whose cross-references are broken are read by looking for their objects, and [Document.Problems] says so.
package pdf

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"
)

// What a file can be refused for.
var (
	ErrFormat    = errors.New("pdf: not readable as PDF")
	ErrLimit     = errors.New("pdf: file exceeds a limit")
	ErrEncrypted = errors.New("pdf: the file is encrypted")
	ErrFilter    = errors.New("pdf: stream with a filter that is not read")
)

// Bounds on what is read.
const (
	maxObject    = 8_388_607 // the highest object number [ISO 32000-1 C.2]
	maxWindow    = 64 << 20  // octets of one object without its stream
	firstWindow  = 2 << 10   // octets in which an object is looked for at first
	keptWindow   = 256 << 10 // octets that are kept for the next object
	maxDecoded   = 64 << 20  // octets of a stream that is read at once
	maxProblems  = 100
	maxCached    = 50_000   // objects
	maxCachedOct = 32 << 20 // octets of object streams
	maxRevisions = 10_000
	maxIndirect  = 32 // references to references
	headerWithin = 1024
	startWithin  = 2048 // octets before the end in which startxref is looked for
)

// Document is an open file. It is not for use by several goroutines at once. Objects that it returns are shared: who changes a
// dictionary clones it first.
type Document struct {
	Version   string      // of the header: "1.7"
	Trailer   Dict        // of the newest revision
	Revisions []*Revision // newest first, as far as the cross-references lead
	Repaired  bool        // cross-references were broken, the objects were looked for
	Trailing  int         // octets behind the last end mark that are no white space

	// Encrypted files are read where the empty password opens them; Permissions are then what their author grants, bit by bit
	// [ISO 32000-1 7.6.3.2].
	Encrypted   bool
	Permissions int

	// Problems are deviations that were read over.
	Problems []error

	r       io.ReaderAt
	size    int64
	shift   int64 // octets before the header, which offsets do not count
	objects map[int]entry
	cache   map[int]Object
	streams map[int]*objectStream
	held    int // octets in streams
	busy    map[int]bool
	scanned map[int]entry // found by looking; nil before
	crypt   *crypt
	budget  int64 // octets that may still be looked through for ends of streams
}

// Open reads the cross-references of a file of the given size.
func Open(r io.ReaderAt, size int64) (*Document, error) {
	d := &Document{r: r, size: size, objects: map[int]entry{}, cache: map[int]Object{}, streams: map[int]*objectStream{}, busy: map[int]bool{}, budget: 4*size + 1<<20}
	head := make([]byte, min(headerWithin, size))
	if _, err := r.ReadAt(head, 0); err != nil && err != io.EOF {
		return nil, err
	}
	at := bytes.Index(head, []byte("%PDF-"))
	if at < 0 {
		return nil, fmt.Errorf("%w: no %%PDF- at its beginning", ErrFormat)
	}
	version := head[at+5:]
	end := bytes.IndexFunc(version, func(c rune) bool { return (c < '0' || c > '9') && c != '.' })
	if end < 0 {
		end = len(version)
	}
	d.Version = string(version[:end])
	if at > 0 {
		d.problem("the header stands at offset %d", at)
	}
	err := d.readRevisions()
	if err != nil && at > 0 {
		d.reset()
		d.shift = int64(at)
		err = d.readRevisions()
	}
	if err == nil {
		err = d.unlock()
	}
	if err == nil {
		if _, ok := Get[Dict](d, d.Trailer["Root"]); !ok {
			err = fmt.Errorf("%w: the trailer names no catalog", ErrFormat)
		}
	}
	if errors.Is(err, ErrEncrypted) {
		return nil, err
	}
	if err != nil {
		d.reset()
		d.problem("cross-references: %v", err)
		if err := d.repair(); err != nil {
			return nil, err
		}
	}
	return d, nil
}

func (d *Document) reset() {
	d.crypt, d.Encrypted = nil, false
	d.shift, d.Trailer, d.Revisions = 0, nil, nil
	clear(d.objects)
	clear(d.cache)
	clear(d.streams)
}

func (d *Document) problem(format string, args ...any) {
	if len(d.Problems) < maxProblems {
		d.Problems = append(d.Problems, fmt.Errorf("pdf: "+format, args...))
	}
}

// Size is the number of octets of the file.
func (d *Document) Size() int64 { return d.size }

// window is a piece of the file.
func (d *Document) window(at, length int64) ([]byte, error) {
	return d.fill(make([]byte, min(length, max(0, d.size-at))), at)
}

// fill reads into a window as far as the file goes.
func (d *Document) fill(b []byte, at int64) ([]byte, error) {
	if at < 0 || at >= d.size {
		return nil, fmt.Errorf("%w: offset %d lies outside the file", ErrFormat, at)
	}
	b = b[:min(int64(len(b)), d.size-at)]
	if n, err := d.r.ReadAt(b, at); err != nil && (err != io.EOF || n < len(b)) {
		return nil, err
	}
	return b, nil
}

// windows are buffers for [Document.parse].
var windows = sync.Pool{New: func() any { return new([]byte) }}

// parse reads at an offset with a window that grows until what is read ends within it. What is read copies from it.
func (d *Document) parse(at int64, read func(l *lexer) error) error {
	window := windows.Get().(*[]byte)
	for length := int64(firstWindow); ; length *= 4 {
		if length > maxWindow {
			return fmt.Errorf("%w: object at offset %d has more than %d octets", ErrLimit, at, maxWindow)
		}
		if length > int64(len(*window)) {
			*window = make([]byte, length)
		}
		b, err := d.fill((*window)[:length], at)
		if err != nil {
			return err
		}
		if err = read(&lexer{b: b, whole: at+int64(len(b)) >= d.size}); err != errShort {
			if len(*window) <= keptWindow {
				windows.Put(window)
			}
			return err
		}
	}
}

// Resolve follows references to the object they mean; a reference to an object that is not there means null.
func (d *Document) Resolve(o Object) (Object, error) {
	for range maxIndirect {
		r, ok := o.(Ref)
		if !ok {
			return o, nil
		}
		var err error
		if o, err = d.load(r); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%w: references lead in a circle", ErrFormat)
}

// Get resolves an object and tells whether it is of a type. What cannot be read is not.
func Get[T Object](d *Document, o Object) (T, bool) {
	resolved, err := d.Resolve(o)
	if err != nil {
		d.problem("%w", err)
	}
	t, ok := resolved.(T)
	return t, ok
}

// Number resolves an integer or a real number.
func (d *Document) Number(o Object) (float64, bool) {
	o, _ = d.Resolve(o)
	switch n := o.(type) {
	case int:
		return float64(n), true
	case float64:
		return n, true
	}
	return 0, false
}

// Catalog is the root of the document.
func (d *Document) Catalog() (Dict, error) {
	c, ok := Get[Dict](d, d.Trailer["Root"])
	if !ok {
		return nil, fmt.Errorf("%w: no catalog", ErrFormat)
	}
	return c, nil
}

// load reads an indirect object.
func (d *Document) load(r Ref) (Object, error) {
	e, ok := d.objects[r.Number]
	if !ok || e.kind == free || e.kind == plain && e.generation != r.Generation || e.kind == packed && r.Generation != 0 {
		return nil, nil
	}
	if o, ok := d.cache[r.Number]; ok {
		return o, nil
	}
	if d.busy[r.Number] {
		return nil, fmt.Errorf("%w: %v needs itself to be read", ErrFormat, r)
	}
	d.busy[r.Number] = true
	defer delete(d.busy, r.Number)
	o, err := d.read(r, e)
	if err == nil && d.crypt != nil && e.kind == plain && d.Trailer["Encrypt"] != r {
		o, err = d.crypt.unseal(o, r)
	}
	if err != nil {
		return nil, fmt.Errorf("%v: %w", r, err)
	}
	if len(d.cache) >= maxCached {
		clear(d.cache)
	}
	d.cache[r.Number] = o
	return o, nil
}

func (d *Document) read(r Ref, e entry) (Object, error) {
	if e.kind == packed {
		return d.unpack(int(e.offset), e.generation, r.Number)
	}
	found, o, _, err := d.indirect(e.offset + d.shift)
	if err == nil && found.Number == r.Number {
		return o, nil
	}
	if d.Repaired {
		return nil, err
	}
	if err == nil {
		err = fmt.Errorf("%w: %v stands where it should", ErrFormat, found)
	}
	d.problem("%v at offset %d: %w", r, e.offset, err)
	if d.scanned == nil {
		if err := d.scan(); err != nil {
			return nil, err
		}
	}
	if e, ok := d.scanned[r.Number]; ok && e.kind == plain {
		if found, o, _, err := d.indirect(e.offset); err == nil && found.Number == r.Number {
			return o, nil
		}
	}
	return nil, err
}

// indirect reads the indirect object at an offset, and where it ends: behind the object, or before the octets of its stream.
func (d *Document) indirect(at int64) (r Ref, o Object, end int64, err error) {
	stream := false
	err = d.parse(at, func(l *lexer) error {
		var err error
		if r, err = l.head(); err != nil {
			return err
		}
		if o, err = l.object(0); err != nil {
			return err
		}
		end = at + int64(l.pos)
		if _, ok := o.(Dict); !ok {
			return nil
		}
		if stream, err = l.keyword("stream"); err != nil || !stream {
			return err
		}
		if l.pos+2 > len(l.b) && !l.whole {
			return errShort
		}
		switch rest := l.b[l.pos:]; {
		case bytes.HasPrefix(rest, []byte("\r\n")):
			l.pos += 2
		case len(rest) > 0 && (rest[0] == '\n' || rest[0] == '\r'):
			l.pos++
		}
		end = at + int64(l.pos)
		return nil
	})
	if err != nil {
		return r, nil, 0, err
	}
	if !stream {
		return r, o, end, nil
	}
	length, err := d.streamLength(o.(Dict), end)
	if err != nil {
		return r, nil, 0, err
	}
	return r, &Stream{Dict: o.(Dict), raw: io.NewSectionReader(d.r, end, length), ref: r}, end, nil
}

// head reads the number of an indirect object.
func (l *lexer) head() (Ref, error) {
	n, ok, err := l.integer()
	g := 0
	if err == nil && ok {
		g, ok, err = l.integer()
	}
	if err != nil {
		return Ref{}, err
	}
	if ok {
		if ok, err = l.keyword("obj"); err != nil {
			return Ref{}, err
		}
	}
	if !ok || n > maxObject || g > 0xffff {
		return Ref{}, fmt.Errorf("%w: no indirect object", ErrFormat)
	}
	return Ref{n, g}, nil
}

// streamLength is the length of a stream whose octets begin at an offset: what its dictionary says if endstream stands behind that,
// otherwise up to the first endstream.
func (d *Document) streamLength(dict Dict, at int64) (int64, error) {
	var claim int64 = -1
	if n, ok := Get[int](d, dict["Length"]); ok && n >= 0 && int64(n) <= d.size-at {
		claim = int64(n)
		tail, err := d.window(min(at+claim, d.size-1), 16)
		if err != nil {
			return 0, err
		}
		if bytes.HasPrefix(bytes.TrimLeft(tail, "\r\n \t\x00"), []byte("endst")) {
			return claim, nil
		}
	}
	end, err := d.find(at, "endstream")
	if err != nil {
		return 0, err
	}
	if end < 0 {
		if end, err = d.find(at, "endobj"); err != nil {
			return 0, err
		}
	}
	if end < 0 {
		return 0, fmt.Errorf("%w: stream at offset %d has no end", ErrFormat, at)
	}
	length := end - at
	tail, err := d.window(max(at, end-2), min(2, length)+1)
	if err != nil {
		return 0, err
	}
	tail = tail[:len(tail)-1]
	switch {
	case bytes.HasSuffix(tail, []byte("\r\n")):
		length -= 2
	case bytes.HasSuffix(tail, []byte("\n")), bytes.HasSuffix(tail, []byte("\r")):
		length--
	}
	d.problem("stream at offset %d: Length says %d, it ends after %d octets", at, claim, length)
	return length, nil
}

// find looks for a word from an offset on; -1 where there is none.
func (d *Document) find(at int64, word string) (int64, error) {
	const piece = 64 << 10
	for at < d.size {
		if d.budget -= piece; d.budget < 0 {
			return 0, fmt.Errorf("%w: too many streams whose end has to be looked for", ErrLimit)
		}
		b, err := d.window(at, piece)
		if err != nil {
			return 0, err
		}
		if i := bytes.Index(b, []byte(word)); i >= 0 {
			return at + int64(i), nil
		}
		if int64(len(b)) <= int64(len(word)) {
			break
		}
		at += int64(len(b) - len(word) + 1)
		if at+int64(len(word)) > d.size {
			break
		}
	}
	return -1, nil
}
