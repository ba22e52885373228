package pdf

import (
	"fmt"
	"io"
	"time"
)

// Bounds on trees.
const (
	maxTreeDepth = 64
	maxTreeNodes = 1_000_000
)

// Page is one page with what it inherits [ISO 32000-1 7.7.3.4].
type Page struct {
	Ref       Ref // zero where the page stands in the tree itself
	Dict      Dict
	MediaBox  [4]float64 // left, bottom, right, top
	CropBox   [4]float64
	Rotate    int // 0, 90, 180 or 270, clockwise
	Resources Dict
}

// Pages returns the pages in order.
func (d *Document) Pages() ([]Page, error) {
	catalog, err := d.Catalog()
	if err != nil {
		return nil, err
	}
	w := pageWalk{d: d, seen: map[Ref]bool{}}
	letter := [4]float64{0, 0, 612, 792}
	if err := w.node(catalog["Pages"], Page{MediaBox: letter}, 0); err != nil {
		return nil, err
	}
	return w.pages, nil
}

type pageWalk struct {
	d     *Document
	seen  map[Ref]bool
	nodes int
	pages []Page
}

func (w *pageWalk) node(o Object, inherited Page, depth int) error {
	if w.nodes++; depth > maxTreeDepth || w.nodes > maxTreeNodes {
		return fmt.Errorf("%w: page tree with more than %d nodes or %d floors", ErrLimit, maxTreeNodes, maxTreeDepth)
	}
	r, _ := o.(Ref)
	if r != (Ref{}) {
		if w.seen[r] {
			return fmt.Errorf("%w: %v stands in the page tree twice", ErrFormat, r)
		}
		w.seen[r] = true
	}
	resolved, err := w.d.Resolve(o)
	if err != nil {
		return err
	}
	dict, ok := resolved.(Dict)
	if !ok {
		return fmt.Errorf("%w: node %v of the page tree is no dictionary", ErrFormat, o)
	}
	p := inherited
	p.Ref, p.Dict = r, dict
	if box, ok := w.d.Rectangle(dict["MediaBox"]); ok {
		p.MediaBox = box
	}
	if box, ok := w.d.Rectangle(dict["CropBox"]); ok {
		p.CropBox = box
	}
	if n, ok := Get[int](w.d, dict["Rotate"]); ok {
		p.Rotate = (n%360 + 360) % 360
	}
	if res, ok := Get[Dict](w.d, dict["Resources"]); ok {
		p.Resources = res
	}
	kids, ok := Get[Array](w.d, dict["Kids"])
	if !ok || dict["Type"] == Name("Page") {
		if depth == 0 {
			return fmt.Errorf("%w: the root of the page tree has no Kids", ErrFormat)
		}
		if p.CropBox == ([4]float64{}) {
			p.CropBox = p.MediaBox
		}
		w.pages = append(w.pages, p)
		return nil
	}
	for _, k := range kids {
		if err := w.node(k, p, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// Rectangle resolves a rectangle to left, bottom, right, top [ISO 32000-1 7.9.5].
func (d *Document) Rectangle(o Object) (box [4]float64, ok bool) {
	a, ok := Get[Array](d, o)
	if !ok || len(a) != 4 {
		return box, false
	}
	for i := range box {
		if box[i], ok = d.Number(a[i]); !ok {
			return box, false
		}
	}
	if box[0] > box[2] {
		box[0], box[2] = box[2], box[0]
	}
	if box[1] > box[3] {
		box[1], box[3] = box[3], box[1]
	}
	return box, true
}

// NameTree calls yield with the entries of a name tree in order, values as they stand there [ISO 32000-1 7.9.6].
func (d *Document) NameTree(root Object, yield func(String, Object) bool) error {
	nodes, more := 0, true
	seen := map[Ref]bool{}
	var walk func(o Object, depth int) error
	walk = func(o Object, depth int) error {
		if nodes++; depth > maxTreeDepth || nodes > maxTreeNodes {
			return fmt.Errorf("%w: name tree with more than %d nodes or %d floors", ErrLimit, maxTreeNodes, maxTreeDepth)
		}
		if r, ok := o.(Ref); ok {
			if seen[r] {
				return fmt.Errorf("%w: %v stands in a name tree twice", ErrFormat, r)
			}
			seen[r] = true
		}
		o, err := d.Resolve(o)
		if err != nil {
			return err
		}
		node, _ := o.(Dict)
		names, _ := Get[Array](d, node["Names"])
		for i := 0; i+1 < len(names) && more; i += 2 {
			key, _ := Get[String](d, names[i])
			more = yield(key, names[i+1])
		}
		kids, _ := Get[Array](d, node["Kids"])
		for _, k := range kids {
			if !more {
				break
			}
			if err := walk(k, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	return walk(root, 0)
}

// File is one embedded file [ISO 32000-1 7.11.4].
type File struct {
	Name         string
	Description  string
	MimeType     string // "" where not stated
	Relationship Name   // AFRelationship: Data, Source, Alternative, Supplement ...; "" where not stated
	Size         int    // as claimed; -1 where not stated
	Created      time.Time
	Modified     time.Time
	Spec         Dict // the file specification

	d      *Document
	stream *Stream
}

// Open reads the file through its filters.
func (f *File) Open() (io.Reader, error) { return f.d.Decode(f.stream) }

// Files lists the embedded files: those of the name tree, then associated files of the document that are not among them.
func (d *Document) Files() ([]*File, error) {
	catalog, err := d.Catalog()
	if err != nil {
		return nil, err
	}
	var out []*File
	seen := map[Ref]bool{}
	add := func(key String, o Object) {
		spec, ok := Get[Dict](d, o)
		if !ok {
			return
		}
		f := d.file(spec)
		if f == nil || seen[f.stream.ref] || len(out) >= maxTreeNodes {
			return
		}
		seen[f.stream.ref] = true
		if f.Name == "" {
			f.Name = key.Text()
		}
		out = append(out, f)
	}
	names, _ := Get[Dict](d, catalog["Names"])
	if names["EmbeddedFiles"] != nil {
		err = d.NameTree(names["EmbeddedFiles"], func(key String, o Object) bool { add(key, o); return true })
		if err != nil {
			return nil, err
		}
	}
	associated, _ := Get[Array](d, catalog["AF"])
	for _, o := range associated {
		add("", o)
	}
	return out, nil
}

func (d *Document) file(spec Dict) *File {
	streams, _ := Get[Dict](d, spec["EF"])
	f := &File{Size: -1, Spec: spec, d: d}
	for _, key := range []Name{"UF", "F", "Unix", "Mac", "DOS"} {
		if s, ok := Get[*Stream](d, streams[key]); ok && f.stream == nil {
			f.stream = s
		}
		if s, ok := Get[String](d, spec[key]); ok && f.Name == "" {
			f.Name = s.Text()
		}
	}
	if f.stream == nil {
		return nil
	}
	if s, ok := Get[String](d, spec["Desc"]); ok {
		f.Description = s.Text()
	}
	f.Relationship, _ = Get[Name](d, spec["AFRelationship"])
	mime, _ := Get[Name](d, f.stream.Dict["Subtype"])
	f.MimeType = string(mime)
	params, _ := Get[Dict](d, f.stream.Dict["Params"])
	if n, ok := Get[int](d, params["Size"]); ok {
		f.Size = n
	}
	date := func(key Name) (t time.Time) {
		if s, ok := Get[String](d, params[key]); ok {
			t, _ = ParseDate(s)
		}
		return t
	}
	f.Created, f.Modified = date("CreationDate"), date("ModDate")
	return f
}

// Metadata opens the XMP packet of the document; nil where there is none.
func (d *Document) Metadata() (io.Reader, error) {
	catalog, err := d.Catalog()
	if err != nil {
		return nil, err
	}
	s, ok := Get[*Stream](d, catalog["Metadata"])
	if !ok {
		return nil, nil
	}
	return d.Decode(s)
}
