package pdf

import (
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"slices"
)

// Update is what is appended to a file: new objects and new versions of old ones [ISO 32000-1 7.5.6].
type Update struct {
	d       *Document
	next    int
	objects map[Ref]Object
}

// Update begins an update. A file whose cross-references are broken cannot have one: what follows them would not be found.
func (d *Document) Update() (*Update, error) {
	if d.Repaired || len(d.Revisions) == 0 {
		return nil, fmt.Errorf("%w: its cross-references are broken, and an update builds on them; write the file anew first", ErrFormat)
	}
	u := &Update{d: d, objects: map[Ref]Object{}}
	for _, r := range d.Revisions {
		if n, ok := r.Trailer["Size"].(int); ok && n <= maxObject {
			u.next = max(u.next, n)
		}
	}
	for n := range d.objects {
		u.next = max(u.next, n+1)
	}
	return u, nil
}

// New gives the number of an object that is set later.
func (u *Update) New() Ref {
	r := Ref{Number: u.next}
	u.next++
	return r
}

// Add appends an object.
func (u *Update) Add(o Object) Ref {
	r := u.New()
	u.Set(r, o)
	return r
}

// Set appends a new version of an object.
func (u *Update) Set(r Ref, o Object) { u.objects[r] = o }

// Get is the object as it will be: its new version if it has one.
func (u *Update) Get(o Object) (Object, error) {
	for range maxIndirect {
		r, ok := o.(Ref)
		if !ok {
			return o, nil
		}
		if o, ok = u.objects[r]; !ok {
			return u.d.Resolve(r)
		}
	}
	return nil, fmt.Errorf("%w: references lead in a circle", ErrFormat)
}

// Appended are the octets of an update and where its objects stand.
type Appended struct {
	Octets  []byte        // to be put behind those of the file
	Offsets map[Ref]int64 // of the objects, in the file that results
}

// Append writes the update: the objects, and cross-references of the kind that the file ends with.
func (u *Update) Append() (*Appended, error) {
	d := u.d
	b := make([]byte, 0, u.size())
	last, err := d.window(d.size-1, 1)
	if err != nil {
		return nil, err
	}
	if last[0] != '\n' && last[0] != '\r' {
		b = append(b, '\n')
	}
	out := &Appended{Offsets: map[Ref]int64{}}
	refs := slices.SortedFunc(maps.Keys(u.objects), func(x, y Ref) int { return x.Number - y.Number })
	entries := map[int]entry{}
	name := sha256.New()
	for _, r := range refs {
		begin := len(b)
		at := d.size + int64(begin)
		out.Offsets[r] = at
		entries[r.Number] = entry{plain, at - d.shift, r.Generation}
		o := u.objects[r]
		if d.crypt != nil {
			if o, err = d.crypt.seal(o, r); err != nil {
				return nil, err
			}
		}
		if b, err = appendIndirect(b, r, o); err != nil {
			return nil, err
		}
		// A name and no digest: of a long object its two ends will do.
		const end = 1 << 10
		name.Write(b[begin:min(begin+end, len(b))])
		name.Write(b[max(begin, len(b)-end):])
	}
	newest := d.Revisions[0]
	trailer := Dict{"Root": d.Trailer["Root"], "Info": d.Trailer["Info"], "Encrypt": d.Trailer["Encrypt"], "Prev": int(newest.Offset)}
	sum := name.Sum(nil)
	id, ok := Get[Array](d, d.Trailer["ID"])
	if ok && len(id) == 2 { // the first one stays, the second one is of the update [ISO 32000-1 14.4]
		if first, ok := Get[String](d, id[0]); ok {
			trailer["ID"] = Array{Hex(first), Hex(sum[:16])}
		}
	}
	start := d.size + int64(len(b)) - d.shift
	if newest.Stream {
		self := u.New()
		entries[self.Number] = entry{plain, start, 0}
		trailer["Size"] = u.next
		b, err = appendXrefStream(b, self, trailer, entries)
	} else {
		trailer["Size"] = u.next
		b, err = appendTable(b, trailer, entries)
	}
	if err != nil {
		return nil, err
	}
	out.Octets = fmt.Appendf(b, "startxref\n%d\n%%%%EOF\n", start)
	return out, nil
}

// size estimates the octets of an update.
func (u *Update) size() int {
	n := 2 << 10
	for _, o := range u.objects {
		n += 512
		switch o := o.(type) {
		case Dict:
			for _, v := range o {
				if room, ok := v.(Room); ok {
					n += 2 * int(room)
				}
			}
		case *Stream:
			n += len(o.Data)
		}
	}
	return n
}

// Behind reads a file of the given size with octets behind it, such as an update.
func Behind(r io.ReaderAt, size int64, more []byte) io.ReaderAt { return behind{r, size, more} }

type behind struct {
	r    io.ReaderAt
	size int64
	more []byte
}

func (b behind) ReadAt(p []byte, at int64) (int, error) {
	n := 0
	if at < b.size {
		var err error
		n, err = b.r.ReadAt(p[:min(int64(len(p)), b.size-at)], at)
		if n == len(p) || err != nil && err != io.EOF {
			return n, err
		}
		at = b.size
	}
	if at-b.size < int64(len(b.more)) {
		n += copy(p[n:], b.more[at-b.size:])
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// runsOf cuts sorted numbers into runs without gaps.
func runsOf(entries map[int]entry) (out [][]int) {
	numbers := slices.Sorted(maps.Keys(entries))
	for from := 0; from < len(numbers); {
		to := from + 1
		for to < len(numbers) && numbers[to] == numbers[to-1]+1 {
			to++
		}
		out = append(out, numbers[from:to])
		from = to
	}
	return out
}

func appendTable(b []byte, trailer Dict, entries map[int]entry) ([]byte, error) {
	b = append(b, "xref\n"...)
	for _, run := range runsOf(entries) {
		b = fmt.Appendf(b, "%d %d\n", run[0], len(run))
		for _, n := range run {
			if entries[n].offset > 9_999_999_999 {
				return b, fmt.Errorf("%w: tables of cross-references reach no offset beyond ten digits", ErrLimit)
			}
			b = fmt.Appendf(b, "%010d %05d n \n", entries[n].offset, entries[n].generation)
		}
	}
	b, err := appendObject(append(b, "trailer\n"...), trailer, 0)
	return append(b, '\n'), err
}

func appendXrefStream(b []byte, self Ref, trailer Dict, entries map[int]entry) ([]byte, error) {
	var index Array
	var rows []byte
	for _, run := range runsOf(entries) {
		index = append(index, run[0], len(run))
		for _, n := range run {
			e := entries[n]
			rows = append(rows, 1)
			for shift := 56; shift >= 0; shift -= 8 {
				rows = append(rows, byte(e.offset>>shift))
			}
			rows = append(rows, byte(e.generation>>8), byte(e.generation))
		}
	}
	trailer["Type"], trailer["W"], trailer["Index"] = Name("XRef"), Array{1, 8, 2}, index
	if len(rows) < 1<<10 { // a compressor costs more than all the rest
		return appendIndirect(b, self, &Stream{Dict: trailer, Data: rows})
	}
	return appendIndirect(b, self, Compress(trailer, rows))
}
