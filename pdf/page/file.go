package page

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/viadukt-eu/viadukt/pdf"
)

// file collects the objects of a new file; the number of an object is its index and one.
type file struct{ objects []pdf.Object }

func (w *file) reserve() pdf.Ref { return w.add(nil) }

func (w *file) add(o pdf.Object) pdf.Ref {
	w.objects = append(w.objects, o)
	return pdf.Ref{Number: len(w.objects)}
}

func (w *file) set(r pdf.Ref, o pdf.Object) { w.objects[r.Number-1] = o }

// perStream is how many objects share an object stream.
const perStream = 200

// octets writes the file: streams, object streams with all else, and a cross-reference stream [ISO 32000-1 7.5].
func (w *file) octets(trailer pdf.Dict) ([]byte, error) {
	type place struct{ kind, at, index int } // as the cross-reference stream has them
	var b bytes.Buffer
	b.WriteString("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
	places := make([]place, len(w.objects)+1)
	places[0] = place{0, 0, 65535}
	write := func(n int, o pdf.Object) error {
		places[n] = place{1, b.Len(), 0}
		return pdf.WriteIndirect(&b, pdf.Ref{Number: n}, o)
	}
	var packed []int
	for i, o := range w.objects {
		if _, ok := o.(*pdf.Stream); !ok {
			packed = append(packed, i+1)
			continue
		}
		if err := write(i+1, o); err != nil {
			return nil, err
		}
	}
	for part := range slices.Chunk(packed, perStream) {
		stream := len(places)
		places = append(places, place{})
		var index, body bytes.Buffer
		for k, n := range part {
			fmt.Fprintf(&index, "%d %d ", n, body.Len())
			if err := pdf.Write(&body, w.objects[n-1]); err != nil {
				return nil, err
			}
			body.WriteByte('\n')
			places[n] = place{2, stream, k}
		}
		s := pdf.Compress(pdf.Dict{"Type": pdf.Name("ObjStm"), "N": len(part), "First": index.Len()}, append(index.Bytes(), body.Bytes()...))
		if err := write(stream, s); err != nil {
			return nil, err
		}
	}
	start, own := b.Len(), len(places)
	places = append(places, place{1, start, 0})
	rows := make([]byte, 0, 7*len(places))
	for _, p := range places {
		rows = append(rows, byte(p.kind))
		rows = be.AppendUint32(rows, uint32(p.at))
		rows = be.AppendUint16(rows, uint16(p.index))
	}
	sum := sha256.Sum256(b.Bytes())
	id := pdf.Hex(sum[:16])
	trailer["Type"], trailer["Size"], trailer["W"], trailer["ID"] = pdf.Name("XRef"), len(places), pdf.Array{1, 4, 2}, pdf.Array{id, id}
	if err := write(own, pdf.Compress(trailer, rows)); err != nil {
		return nil, err
	}
	fmt.Fprintf(&b, "startxref\n%d\n%%%%EOF\n", start)
	return b.Bytes(), nil
}

// write makes the file of all that was collected.
func (d *Document) write() ([]byte, error) {
	w := &file{}
	o := &d.options
	catalog, pages := w.reserve(), w.reserve()
	for _, s := range d.sheets {
		s.ref = w.reserve()
		for _, a := range s.annotations {
			a.ref = w.reserve()
		}
	}
	tree := w.reserve()
	d.root.reserve(w)
	d.root.write(w, tree)
	feet := make([]*pdf.Stream, len(d.sheets))
	for i := range d.sheets { // before the fonts: feet use them too
		feet[i] = d.foot(i)
	}
	fonts := pdf.Dict{"F1": d.fonts[0].write(w.add)}
	if len(d.fonts[1].runes) > 1 {
		fonts["F2"] = d.fonts[1].write(w.add)
	}
	var kids, parents pdf.Array
	next := len(d.sheets) // keys of the annotations in the tree of parents
	for i, s := range d.sheets {
		kids = append(kids, s.ref)
		page := pdf.Dict{"Type": pdf.Name("Page"), "Parent": pages, "MediaBox": pdf.Array{0, 0, d.width, d.height}, "StructParents": i, "Tabs": pdf.Name("S"),
			"Contents": pdf.Array{w.add(s.content), w.add(feet[i])}}
		images := pdf.Dict{}
		for k, p := range s.pictures {
			if p.ref == (pdf.Ref{}) {
				p.ref = w.add(p.stream)
			}
			images[pdfName("I", k+1)] = p.ref
		}
		resources := pdf.Dict{"Font": fonts}
		if len(images) > 0 {
			resources["XObject"] = images
		}
		page["Resources"] = resources
		var links pdf.Array
		for _, a := range s.annotations {
			links = append(links, a.ref)
		}
		if links != nil {
			page["Annots"] = links
		}
		w.set(s.ref, page)
		owners := make(pdf.Array, len(s.marks))
		for k, e := range s.marks {
			owners[k] = e.ref
		}
		parents = append(parents, i, w.add(owners))
	}
	for _, s := range d.sheets {
		for _, a := range s.annotations {
			w.set(a.ref, pdf.Dict{"Type": pdf.Name("Annot"), "Subtype": pdf.Name("Link"), "Rect": pdf.Array{a.box[0], a.box[1], a.box[2], a.box[3]}, "Border": pdf.Array{0, 0, 0}, "F": 4,
				"A": pdf.Dict{"S": pdf.Name("URI"), "URI": pdf.String(address(a.address))}, "Contents": pdf.Text(clean(a.address)), "StructParent": next})
			parents = append(parents, next, a.element.ref)
			next++
		}
	}
	w.set(pages, pdf.Dict{"Type": pdf.Name("Pages"), "Kids": kids, "Count": len(kids)})
	w.set(tree, pdf.Dict{"Type": pdf.Name("StructTreeRoot"), "K": d.root.ref, "ParentTree": w.add(pdf.Dict{"Nums": parents}), "ParentTreeNextKey": next})
	profile := w.add(pdf.Compress(pdf.Dict{"N": 3}, sRGB()))
	root := pdf.Dict{
		"Type": pdf.Name("Catalog"), "Pages": pages, "StructTreeRoot": tree, "MarkInfo": pdf.Dict{"Marked": true}, "Lang": pdf.Text(clean(o.Language)),
		"ViewerPreferences": pdf.Dict{"DisplayDocTitle": true},
		"Metadata":          w.add(&pdf.Stream{Dict: pdf.Dict{"Type": pdf.Name("Metadata"), "Subtype": pdf.Name("XML")}, Data: packet(o)}), // not compressed: for all to read
		"OutputIntents":     pdf.Array{w.add(pdf.Dict{"Type": pdf.Name("OutputIntent"), "S": pdf.Name("GTS_PDFA1"), "OutputConditionIdentifier": pdf.String("sRGB"), "Info": pdf.String("sRGB"), "DestOutputProfile": profile})},
	}
	if len(d.marks) > 0 {
		root["Outlines"] = outline(w, d.marks)
	}
	if len(d.attachments) > 0 {
		root["AF"], root["Names"] = attach(w, d.attachments)
	}
	w.set(catalog, root)
	return w.octets(pdf.Dict{"Root": catalog, "Info": w.add(info(o))})
}

// foot writes what stands below each page.
func (d *Document) foot(i int) *pdf.Stream {
	p := &painter{d: d, sheet: d.sheets[i], mute: true}
	style := look{false, sizeSmall, Quiet}
	width := d.width - 2*marginSide
	p.fill(Ruler, marginSide, marginBottom-14, width, 0.5)
	label := d.set(Plain(d.label(i+1)), style).lines(width)[0]
	label.draw(p, artifact, marginSide, marginBottom-18, width, Right)
	left := d.set(Plain(d.options.Footer), style).lines(width - label.width - 20)
	left[0].draw(p, artifact, marginSide, marginBottom-18, width, Left)
	p.leave()
	return pdf.Compress(nil, p.b.Bytes())
}

// address keeps the octets that an address may have; others are escaped.
func address(s string) string {
	var b bytes.Buffer
	for _, c := range []byte(s) {
		if c <= ' ' || c > '~' || bytes.IndexByte([]byte(`"<>\^{|}`+"`"), c) >= 0 {
			const hex = "0123456789ABCDEF"
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// outline writes the bookmarks [ISO 32000-1 12.3.3].
func outline(w *file, marks []bookmark) pdf.Ref {
	root := w.reserve()
	type node struct {
		ref         pdf.Ref
		level       int
		dict        pdf.Dict
		first, last pdf.Ref
		count       int
	}
	all := make([]*node, 0, len(marks)+1)
	open := []*node{{ref: root, dict: pdf.Dict{"Type": pdf.Name("Outlines")}}}
	all = append(all, open[0])
	byRef := map[pdf.Ref]*node{}
	for _, m := range marks {
		for open[len(open)-1].level >= m.level {
			open = open[:len(open)-1]
		}
		parent := open[len(open)-1]
		n := &node{ref: w.reserve(), level: m.level, dict: pdf.Dict{"Title": pdf.Text(m.title), "Parent": parent.ref, "Dest": pdf.Array{m.sheet.ref, pdf.Name("XYZ"), nil, m.y, nil}}}
		if parent.first == (pdf.Ref{}) {
			parent.first = n.ref
		} else {
			n.dict["Prev"] = parent.last
			byRef[parent.last].dict["Next"] = n.ref
		}
		parent.last = n.ref
		for _, o := range open {
			o.count++
		}
		byRef[n.ref] = n
		all, open = append(all, n), append(open, n)
	}
	for _, n := range all {
		if n.count > 0 {
			n.dict["First"], n.dict["Last"], n.dict["Count"] = n.first, n.last, n.count
		}
		w.set(n.ref, n.dict)
	}
	return root
}

// attach writes embedded files: the associated files of the document and the tree of their names [ISO 19005-3 6.8].
func attach(w *file, list []Attachment) (associated pdf.Array, names pdf.Dict) {
	list = slices.SortedFunc(slices.Values(list), func(a, b Attachment) int { return cmp.Compare(pdf.Text(a.Name), pdf.Text(b.Name)) })
	var tree pdf.Array
	for _, a := range list {
		ref := a.Embed(w.add)
		associated, tree = append(associated, ref), append(tree, pdf.Text(a.Name), ref)
	}
	return associated, pdf.Dict{"EmbeddedFiles": pdf.Dict{"Names": tree}}
}

// Embed adds the objects of the file to a PDF and returns its file specification. The caller lists that among the associated
// files of the catalog and in the tree of embedded files.
func (a Attachment) Embed(add func(pdf.Object) pdf.Ref) pdf.Ref {
	params := pdf.Dict{"Size": len(a.Content)}
	if !a.Modified.IsZero() {
		params["ModDate"] = pdf.Date(a.Modified.UTC())
	}
	kind := cmp.Or(a.MimeType, "application/octet-stream")
	content := add(pdf.Compress(pdf.Dict{"Type": pdf.Name("EmbeddedFile"), "Subtype": pdf.Name(kind), "Params": params}, a.Content))
	spec := pdf.Dict{"Type": pdf.Name("Filespec"), "F": pdf.Text(a.Name), "UF": pdf.Text(a.Name), "AFRelationship": pdf.Name(cmp.Or(a.Relationship, "Unspecified")),
		"EF": pdf.Dict{"F": content, "UF": content}}
	if a.Description != "" {
		spec["Desc"] = pdf.Text(clean(a.Description))
	}
	return add(spec)
}
