package pades

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/viadukt-eu/viadukt/pdf"
)

// Kind says what sort of thing was changed after a signature.
type Kind string

// The kinds of changes, from harmless to grave.
const (
	StoreAdded  Kind = "validation material" // and its time-stamps, versions, metadata
	Signed      Kind = "signature"           // a field was signed
	Filled      Kind = "form"                // a field was filled in
	Annotated   Kind = "annotation"          // added, changed or removed
	Covering    Kind = "annotation over content"
	FieldsMade  Kind = "fields"       // added, moved or removed
	OtherChange Kind = "document"     // something that no page shows: names, outlines, actions
	PageContent Kind = "page content" // what a page shows; layers, which Page 0 stands for
	PagesMoved  Kind = "pages"        // added, removed or put into another order
)

// Change is one thing that was done to the document after it was signed.
type Change struct {
	Kind  Kind
	Page  int    // from 1; 0 where no page is meant
	What  string // the entry or the field
	Field string // the field's name, where one is meant
}

func (c Change) String() string {
	if c.Page > 0 {
		return fmt.Sprintf("page %d: %s: %s", c.Page, c.Kind, c.What)
	}
	return fmt.Sprintf("%s: %s", c.Kind, c.What)
}

// Bounds on comparing.
const (
	maxSteps   = 20_000_000 // objects, for all signatures of a document
	maxNesting = 20_000     // of references in references, such as lists of bookmarks are
)

// Changes compares the document as it was signed with the document as it is [ISO 32000-1 12.8.2.2.2], object by object: that an
// update came behind the signature says nothing of what it does.
func (s *Signature) Changes() ([]Change, error) {
	if s.End == 0 {
		return nil, ErrByteRange
	}
	if s.End == s.doc.size {
		return nil, nil
	}
	old, err := s.revision()
	if err != nil {
		return nil, err
	}
	changes, err := compare(old, s.doc.PDF, &s.doc.steps)
	// Programs show different things where they have to guess.
	if now := s.doc.PDF; now.Repaired && !old.Repaired {
		changes = append(changes, Change{Kind: PageContent, What: "an update with broken cross-references"})
	} else if now.Trailing > 0 {
		changes = append(changes, Change{Kind: PageContent, What: fmt.Sprintf("%d octets behind the end that are no update", now.Trailing)})
	}
	return changes, err
}

// Consistent reports whether the signature was there when the document was signed, as it is now, and in the same field.
func (s *Signature) Consistent() error {
	if s.End == 0 || s.End == s.doc.size {
		return nil
	}
	old, err := s.revision()
	if err != nil {
		return fmt.Errorf("%w: the document as it was signed cannot be read: %w", ErrDictionary, err)
	}
	if old.Repaired && !s.doc.PDF.Repaired {
		return fmt.Errorf("%w: it does not end where a revision of the file ends", ErrByteRange)
	}
	if s.ref == (pdf.Ref{}) {
		return nil
	}
	was, err := old.Resolve(s.ref)
	if err != nil {
		return fmt.Errorf("%w: as it was signed: %w", ErrDictionary, err)
	}
	x := comparison{steps: &s.doc.steps, old: old, now: s.doc.PDF, seen: map[[2]pdf.Ref]bool{}, borders: map[pdf.Ref]bool{}}
	if root, ok := old.Trailer["Root"].(pdf.Ref); ok { // some references name it [ISO 32000-1 12.8.1]
		x.borders[root] = true
	}
	if !x.equal(was, s.Dict, 0) {
		return fmt.Errorf("%w: it is not as it was when the document was signed", ErrDictionary)
	}
	return nil
}

type comparison struct {
	old, now *pdf.Document
	seen     map[[2]pdf.Ref]bool // pairs that were compared, or are being compared
	order    [][2]pdf.Ref        // in which they came
	borders  map[pdf.Ref]bool    // nodes of the page tree and fields, which are compared by themselves
	where    map[pdf.Ref]int     // the pages of annotations
	steps    *int
	marks    map[int][]pdf.Mark // of pages, by number
	made     []*Field           // that were added or signed
	out      []Change
}

// addField notes a change of a field on the page where it stands.
func (x *comparison) addField(kind Kind, f *Field, what string) {
	page := 0
	for _, w := range f.widgets {
		page = max(page, x.where[w])
	}
	x.add(kind, page, what, f.Name)
}

func (x *comparison) add(kind Kind, page int, what, field string) {
	if len(x.out) < 10_000 {
		x.out = append(x.out, Change{kind, page, what, field})
	}
}

func compare(old, now *pdf.Document, steps *int) ([]Change, error) {
	x := &comparison{steps: steps, old: old, now: now, seen: map[[2]pdf.Ref]bool{}, borders: map[pdf.Ref]bool{}, where: map[pdf.Ref]int{}, marks: map[int][]pdf.Mark{}}
	was, err := old.Catalog()
	if err != nil {
		return nil, err
	}
	is, err := now.Catalog()
	if err != nil {
		return nil, err
	}
	oldPages, err := old.Pages()
	if err != nil {
		return nil, err
	}
	newPages, err := now.Pages()
	if err != nil {
		return nil, err
	}
	oldFields, err := formFields(old, was)
	if err != nil {
		return nil, err
	}
	newFields, err := formFields(now, is)
	if err != nil {
		return nil, err
	}
	x.tree(was["Pages"], is["Pages"])
	for _, f := range slices.Concat(oldFields, newFields) {
		x.borders[f.Ref] = true
		for _, w := range f.widgets {
			x.borders[w] = true
		}
	}
	delete(x.borders, pdf.Ref{})
	for i, p := range newPages {
		annots, _ := pdf.Get[pdf.Array](now, p.Dict["Annots"])
		for _, o := range annots {
			if r, ok := o.(pdf.Ref); ok {
				x.where[r] = i + 1
			}
		}
	}
	x.catalog(was, is)
	x.form(was, is)
	x.fields(oldFields, newFields)
	x.pages(oldPages, newPages, oldFields, newFields)
	x.widgets(newPages)
	if *x.steps > maxSteps {
		x.add(PageContent, 0, "too much to be compared", "")
	}
	return x.out, nil
}

// tree compares the nodes of the page trees but for what pages inherit, and makes them borders.
func (x *comparison) tree(was, is pdf.Object) {
	collect := func(p *pdf.Document, root pdf.Object) map[pdf.Ref]pdf.Dict {
		nodes := map[pdf.Ref]pdf.Dict{}
		todo := []pdf.Object{root}
		for len(todo) > 0 { // its floors and loops were bounded when the pages were read
			r, ok := todo[len(todo)-1].(pdf.Ref)
			todo = todo[:len(todo)-1]
			if !ok || nodes[r] != nil {
				continue
			}
			dict, ok := pdf.Get[pdf.Dict](p, r)
			if !ok {
				continue
			}
			nodes[r] = dict
			kids, _ := pdf.Get[pdf.Array](p, dict["Kids"])
			todo = append(todo, kids...)
		}
		return nodes
	}
	old, now := collect(x.old, was), collect(x.now, is)
	for r := range old {
		x.borders[r] = true
	}
	for r := range now {
		x.borders[r] = true
	}
	for r, a := range old {
		b := now[r]
		if b == nil || a["Kids"] == nil && b["Kids"] == nil { // told with the pages
			continue
		}
		for _, key := range keys(a, b) {
			switch key {
			case "Type", "Parent", "Kids", "Count", "Resources", "MediaBox", "CropBox", "Rotate":
			default:
				if !x.equal(a[key], b[key], 0) {
					x.add(PageContent, 0, "page tree: "+string(key), "")
				}
			}
		}
	}
}

func (x *comparison) catalog(was, is pdf.Dict) {
	for _, key := range keys(was, is) {
		switch key {
		case "Pages", "AcroForm", "Type":
		case "DSS", "Extensions", "Version", "Metadata":
			if !x.equal(was[key], is[key], 0) {
				x.add(StoreAdded, 0, string(key), "")
			}
		case "OCProperties": // which layers are shown
			if !x.equal(was[key], is[key], 0) {
				x.add(PageContent, 0, string(key), "")
			}
		default:
			if !x.equal(was[key], is[key], 0) {
				x.add(OtherChange, 0, string(key), "")
			}
		}
	}
}

func (x *comparison) form(was, is pdf.Dict) {
	old, _ := pdf.Get[pdf.Dict](x.old, was["AcroForm"])
	now, _ := pdf.Get[pdf.Dict](x.now, is["AcroForm"])
	for _, key := range keys(old, now) {
		switch key {
		case "Fields", "SigFlags":
		case "NeedAppearances", "XFA": // fields are shown by these and not by their appearances
			if !x.equal(old[key], now[key], 0) {
				x.add(PageContent, 0, "AcroForm "+string(key), "")
			}
		case "DR", "DA", "CO":
			if old[key] != nil && !x.equal(old[key], now[key], 0) {
				x.add(Filled, 0, "AcroForm "+string(key), "")
			}
		default:
			if !x.equal(old[key], now[key], 0) {
				x.add(OtherChange, 0, "AcroForm "+string(key), "")
			}
		}
	}
}

func keys(a, b pdf.Dict) []pdf.Name {
	all := slices.Collect(maps.Keys(a))
	for k := range b {
		if _, ok := a[k]; !ok {
			all = append(all, k)
		}
	}
	slices.Sort(all)
	return all
}

func (x *comparison) fields(old, now []*Field) {
	before := map[string]*Field{}
	for _, f := range old {
		before[f.Name] = f
	}
	for _, f := range now {
		was := before[f.Name]
		delete(before, f.Name)
		switch {
		case was == nil && f.kind == "Sig" && f.Dict["V"] != nil:
			x.made = append(x.made, f)
			x.signed(f)
		case was == nil:
			x.made = append(x.made, f)
			x.addField(FieldsMade, f, f.Name+" is new")
		default:
			x.field(was, f)
		}
	}
	for name := range before {
		x.add(FieldsMade, 0, name+" is gone", name)
	}
}

func (x *comparison) signed(f *Field) {
	v, _ := pdf.Get[pdf.Dict](x.now, f.Dict["V"])
	if v["Type"] == pdf.Name("DocTimeStamp") || v["SubFilter"] == pdf.Name(RFC3161) {
		if box, ok := x.now.Rectangle(f.Dict["Rect"]); ok && box[2] > box[0] && box[3] > box[1] {
			x.addField(Annotated, f, f.Name+" is a time-stamp that shows itself")
			return
		}
		x.addField(StoreAdded, f, f.Name+" is a time-stamp")
		return
	}
	x.addField(Signed, f, f.Name)
}

// field compares one field with what it was. Its looks may change with its value, and when it is signed, but not alone.
func (x *comparison) field(was, is *Field) {
	d := x.fieldParts(was.Dict, is.Dict)
	for _, w := range is.widgets {
		if w == is.Ref {
			continue
		}
		a, _ := pdf.Get[pdf.Dict](x.old, w)
		b, _ := pdf.Get[pdf.Dict](x.now, w)
		o := x.fieldParts(a, b)
		d.looks, d.rest, d.strange = d.looks || o.looks, append(d.rest, o.rest...), append(d.strange, o.strange...)
	}
	if was.Ref != is.Ref || !slices.Equal(was.widgets, is.widgets) {
		d.rest = append(d.rest, "another object")
	}
	if len(d.strange) > 0 {
		x.addField(PageContent, is, is.Name+": "+strings.Join(d.strange, ", "))
	}
	if len(d.rest) > 0 {
		x.addField(FieldsMade, is, is.Name+": "+strings.Join(d.rest, ", "))
	}
	empty := was.Dict["V"] == nil
	switch {
	case is.kind == "Sig" && empty && is.Dict["V"] != nil:
		x.made = append(x.made, is)
		x.signed(is)
	case is.kind == "Sig" && d.value:
		x.addField(OtherChange, is, is.Name+": the signature is another one")
	case d.looks && !d.value && !empty: // what was signed is shown as something else
		x.addField(PageContent, is, is.Name+": other looks of the same value")
	case d.value || d.looks:
		x.addField(Filled, is, is.Name)
	}
}

// fieldChange is what differs between two states of a field.
type fieldChange struct {
	value, looks  bool
	rest, strange []string // keys that fields have, and others
}

func (x *comparison) fieldParts(a, b pdf.Dict) (d fieldChange) {
	for _, key := range keys(a, b) {
		if key == "Parent" || key == "Kids" || x.equal(a[key], b[key], 0) {
			continue
		}
		switch key {
		case "V", "AS", "I", "RV":
			d.value = true
		case "AP", "MK", "DA", "DS", "Q", "BS", "Border", "H", "OC":
			d.looks = true
		case "F": // a field that is signed may be printed and locked from then on
			flags, ok := pdf.Get[int](x.now, b[key])
			before, _ := pdf.Get[int](x.old, a[key])
			d.looks = d.looks || !ok || flags&^(printed|lockedFlag) != before&^(printed|lockedFlag)
		case "M", "P", "StructParent":
		case "FT", "T", "TU", "TM", "Ff", "DV", "Opt", "TI", "MaxLen", "AA", "A", "Lock", "SV", "Rect", "NM", "Contents", "Type", "Subtype":
			d.rest = append(d.rest, string(key))
		default:
			d.strange = append(d.strange, string(key))
		}
	}
	return d
}

func (x *comparison) pages(old, now []pdf.Page, fieldsBefore, fieldsNow []*Field) {
	same := func(a, b pdf.Page) bool { return a.Ref == b.Ref }
	if len(old) != len(now) {
		x.add(PagesMoved, 0, fmt.Sprintf("%d pages, %d were signed", len(now), len(old)), "")
	} else if !slices.EqualFunc(old, now, same) {
		x.add(PagesMoved, 0, "other pages, or in another order", "")
	}
	widgets := map[pdf.Ref]bool{}
	for _, f := range slices.Concat(fieldsBefore, fieldsNow) {
		for _, w := range f.widgets {
			widgets[w] = true
		}
	}
	before := map[pdf.Ref]pdf.Page{}
	for _, p := range old {
		if p.Ref != (pdf.Ref{}) {
			before[p.Ref] = p
		}
	}
	for i, p := range now {
		if i < len(old) && same(old[i], p) { // also those without a number, which stand in the tree itself
			x.page(i+1, old[i], p, widgets)
		} else if was, ok := before[p.Ref]; ok {
			x.page(i+1, was, p, widgets)
		}
	}
}

func (x *comparison) page(number int, was, is pdf.Page, widgets map[pdf.Ref]bool) {
	if was.MediaBox != is.MediaBox || was.CropBox != is.CropBox || was.Rotate != is.Rotate {
		x.add(PageContent, number, "size or rotation", "")
	}
	if !x.equal(was.Resources, is.Resources, 0) {
		x.add(PageContent, number, "Resources", "")
	}
	for _, key := range keys(was.Dict, is.Dict) {
		switch key {
		case "Parent", "Annots", "Resources", "MediaBox", "CropBox", "Rotate", "Type", "StructParents", "Tabs", "LastModified", "PieceInfo", "Metadata":
		default:
			if !x.equal(was.Dict[key], is.Dict[key], 0) {
				x.add(PageContent, number, string(key), "")
			}
		}
	}
	x.annotations(number, is, was.Dict["Annots"], is.Dict["Annots"], widgets)
}

func (x *comparison) annotations(number int, page pdf.Page, was, is pdf.Object, widgets map[pdf.Ref]bool) {
	old, _ := pdf.Get[pdf.Array](x.old, was)
	now, _ := pdf.Get[pdf.Array](x.now, is)
	name := func(d *pdf.Document, o pdf.Object) string {
		dict, _ := pdf.Get[pdf.Dict](d, o)
		kind, _ := pdf.Get[pdf.Name](d, dict["Subtype"])
		return string(kind)
	}
	before := map[pdf.Ref]bool{}
	var inline pdf.Array
	for _, o := range old {
		if r, ok := o.(pdf.Ref); ok {
			before[r] = true
		} else {
			inline = append(inline, o)
		}
	}
	for _, o := range now {
		r, ok := o.(pdf.Ref)
		switch {
		case ok && widgets[r]:
		case ok && !before[r]:
			x.annotated(number, page, o, name(x.now, o)+" is new")
		case ok:
			a, _ := x.old.Resolve(r)
			b, _ := x.now.Resolve(r)
			if !x.equal(a, b, 0) {
				x.annotated(number, page, o, name(x.now, o)+" was changed")
			}
		default:
			if i := slices.IndexFunc(inline, func(a pdf.Object) bool { return x.equal(a, o, 0) }); i >= 0 {
				inline = slices.Delete(inline, i, i+1)
			} else {
				x.annotated(number, page, o, name(x.now, o)+" is new")
			}
		}
		delete(before, r)
	}
	for r := range before {
		if !widgets[r] {
			x.add(Annotated, number, name(x.old, r)+" is gone", "")
		}
	}
	for _, o := range inline {
		x.add(Annotated, number, name(x.old, o)+" is gone", "")
	}
}

// equal compares two objects of the two revisions with all that hangs on them, up to the borders. Two references that are being
// compared already are taken as equal; what was concluded from that is forgotten if they turn out not to be.
func (x *comparison) equal(a, b pdf.Object, depth int) bool {
	if *x.steps++; *x.steps > maxSteps || depth > maxNesting {
		return false
	}
	r1, ok1 := a.(pdf.Ref)
	r2, ok2 := b.(pdf.Ref)
	if !ok1 && !ok2 {
		return x.same(a, b, depth)
	}
	pair := [2]pdf.Ref{r1, r2}
	both := ok1 && ok2
	if both {
		if r1 == r2 && x.borders[r1] {
			return true
		}
		if equal, ok := x.seen[pair]; ok {
			return equal
		}
		x.seen[pair] = true
		x.order = append(x.order, pair)
	}
	since := len(x.order)
	a, err1 := x.old.Resolve(a)
	b, err2 := x.now.Resolve(b)
	if err1 == nil && err2 == nil && x.same(a, b, depth) {
		return true
	}
	if both {
		for _, p := range x.order[since:] {
			if x.seen[p] {
				delete(x.seen, p)
			}
		}
		x.order = x.order[:since]
		x.seen[pair] = false
	}
	return false
}

func (x *comparison) same(a, b pdf.Object, depth int) bool {
	switch a := a.(type) {
	case pdf.Array:
		b, ok := b.(pdf.Array)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !x.equal(a[i], b[i], depth+1) {
				return false
			}
		}
		return true
	case pdf.Dict:
		b, ok := b.(pdf.Dict)
		return ok && x.sameDict(a, b, "", depth)
	case *pdf.Stream:
		b, ok := b.(*pdf.Stream)
		return ok && x.sameDict(a.Dict, b.Dict, "Length", depth) && sameOctets(a, b)
	}
	if _, ok := b.(pdf.Array); ok {
		return false
	}
	switch b.(type) {
	case pdf.Dict, *pdf.Stream:
		return false
	}
	return a == b
}

func (x *comparison) sameDict(a, b pdf.Dict, but pdf.Name, depth int) bool {
	for _, key := range keys(a, b) {
		if key != but && !x.equal(a[key], b[key], depth+1) {
			return false
		}
	}
	return true
}

func sameOctets(a, b *pdf.Stream) bool {
	at1, n1 := a.Span()
	at2, n2 := b.Span()
	if n1 != n2 {
		return false
	}
	if at1 == at2 {
		return true
	}
	r1, r2 := a.Raw(), b.Raw()
	var p, q [32 << 10]byte
	for {
		n, err1 := io.ReadFull(r1, p[:])
		m, err2 := io.ReadFull(r2, q[:])
		if n != m || !bytes.Equal(p[:n], q[:m]) {
			return false
		}
		if err1 != nil || err2 != nil {
			return err1 == err2
		}
	}
}

// Violations are the changes after a signature that it, or the certification of the document, does not allow [ISO 32000-1 12.8.2].
// What a page shows must never change.
func (s *Signature) Violations(changes []Change) (out []Change) {
	permission := 3
	if s.Permission > 0 {
		permission = s.Permission
	}
	locked := func(field string) bool {
		return slices.ContainsFunc(s.Locked, func(l *Lock) bool { return l.Holds(field) })
	}
	for _, c := range changes {
		forbidden := false
		switch c.Kind {
		case PageContent, PagesMoved, Covering:
			forbidden = true
		case Signed, Filled:
			forbidden = permission < 2 || c.Kind == Filled && locked(c.Field)
		case Annotated:
			forbidden = permission < 3
		case FieldsMade:
			forbidden = s.Permission > 0 || locked(c.Field)
		}
		if forbidden {
			out = append(out, c)
		}
	}
	return out
}
