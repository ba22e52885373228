package pades

import (
	"bytes"
	"context"
	"crypto"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/pdf"
	"github.com/viadukt-eu/viadukt/trust/cades"
	"github.com/viadukt-eu/viadukt/trust/cms"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/tsp"
)

// Parameters say what a signature shall say, and where. Equal parameters make equal octets to be signed, so that the two steps of
// signing elsewhere need share no state.
type Parameters struct {
	// CMS is what the message says; SigningTime and PDF are set from Time. Commitments forbid a Reason.
	CMS cades.Parameters

	Time                            time.Time // of signing; must be set
	Name, Reason, Location, Contact string

	// Field is the name of an empty field to be signed, or of a new one; "" takes the first free Signature1, Signature2 ...
	Field string
	// Permission certifies the document: 1 nothing may change, 2 fields may be filled and signed, 3 also annotations; 0 does not.
	Permission int
	Locked     *Lock // fields that must not change any more; that of the field itself counts besides
	Visible    *Appearance

	// Reserve is the place for the message in octets; 0 is enough for what CMS says, and for one time-stamp where Sign gets one.
	Reserve int
}

// Pending is a signed document but for its signature.
type Pending struct {
	*cades.Pending
	*Place
}

// Place is a signed document but for the message of its signature.
type Place struct {
	d        *Document
	appended []byte
	at       int64 // where Contents begin with their bracket
	reserve  int
}

// Prepare makes all of a signed document but its signature: the first step, of which ToBeSigned or Digest go to where the key is.
func Prepare(d *Document, p Parameters) (*Pending, error) {
	place, err := Reserve(d, p)
	if err != nil {
		return nil, err
	}
	p.CMS.PDF, p.CMS.SigningTime = true, time.Time{}
	q, err := cades.Prepare(place.Content(), p.CMS)
	if err != nil {
		return nil, err
	}
	return &Pending{q, place}, nil
}

// Reserve makes all of a signed document but the message of its signature, which may be made elsewhere over Content. Of what the
// parameters say for CMS, only what forbids a reason and the room for certificates counts.
func Reserve(d *Document, p Parameters) (*Place, error) {
	if p.Time.IsZero() {
		return nil, fmt.Errorf("%w: no time of signing", ErrDictionary)
	}
	if p.Reason != "" && (len(p.CMS.Commitments) > 0 || p.CMS.Policy != nil) {
		return nil, fmt.Errorf("%w: a reason beside commitments or a policy [EN 319 142-1 6.3]", ErrDictionary)
	}
	if err := d.maySign(p); err != nil {
		return nil, err
	}
	u, err := d.PDF.Update()
	if err != nil {
		return nil, err
	}
	dict := pdf.Dict{"Type": pdf.Name("Sig"), "Filter": pdf.Name("Adobe.PPKLite"), "SubFilter": pdf.Name(CAdES), "M": pdf.Date(p.Time)}
	for key, text := range map[pdf.Name]string{"Name": p.Name, "Reason": p.Reason, "Location": p.Location} {
		if text != "" {
			dict[key] = pdf.Text(text)
		}
	}
	if p.Contact != "" { // it comes before Contents, which is looked for: in digits nothing looks like that
		dict["ContactInfo"] = pdf.Hex(pdf.Text(p.Contact))
	}
	reserve := p.Reserve
	if reserve == 0 {
		reserve = p.room()
	}
	c, err := d.place(u, dict, p, reserve)
	if err != nil {
		return nil, err
	}
	return &Place{d, c.octets, c.at, reserve}, nil
}

// room is enough for a message of level B.
func (p *Parameters) room() int {
	n := 8 << 10
	for _, c := range append(slices.Clip(p.CMS.Chain), p.CMS.Certificate) {
		if c != nil {
			n += len(c.Raw)
		}
	}
	return n
}

// stampRoom is enough for one time-stamp.
const stampRoom = 16 << 10

// What the author of an encrypted document grants [ISO 32000-1 7.6.3.2].
const (
	mayModify   = 1 << 3
	mayAnnotate = 1 << 5
	mayFill     = 1 << 8
)

// maySign asks the certification of the document [ISO 32000-1 12.8.2.2], and what its author grants.
func (d *Document) maySign(p Parameters) error {
	certify := p.Permission
	if certify < 0 || certify > 3 {
		return fmt.Errorf("%w: permission %d", ErrForbidden, certify)
	}
	if d.PDF.Encrypted {
		granted := d.PDF.Permissions
		fill := granted&(mayAnnotate|mayFill) != 0
		there := p.Field != "" && slices.ContainsFunc(d.Fields, func(f *Field) bool { return f.Name == p.Field })
		if !fill || !there && granted&(mayAnnotate|mayModify) != mayAnnotate|mayModify {
			return fmt.Errorf("%w: its author lets nobody sign it, or only in its fields", ErrForbidden)
		}
	}
	for _, s := range d.Signatures {
		if s.Permission == 1 {
			return fmt.Errorf("%w: %s allows no changes", ErrForbidden, s.Field.Name)
		}
		if certify > 0 && !s.TimeStamp {
			return fmt.Errorf("%w: only the first signature certifies, and %s is there", ErrForbidden, s.Field.Name)
		}
	}
	return nil
}

// placed is an update with a place for a signature.
type placed struct {
	octets []byte
	at     int64
}

// place appends a field with its signature dictionary, whose Contents are zeros and whose ByteRange is right.
func (d *Document) place(u *pdf.Update, dict pdf.Dict, p Parameters, reserve int) (*placed, error) {
	field, err := d.field(p.Field)
	if err != nil {
		return nil, err
	}
	ref := u.New()
	var references pdf.Array
	reference := func(method string, params pdf.Dict) {
		params["Type"], params["V"] = pdf.Name("TransformParams"), pdf.Name("1.2")
		references = append(references, pdf.Dict{"Type": pdf.Name("SigRef"), "TransformMethod": pdf.Name(method), "TransformParams": params})
	}
	if p.Permission > 0 {
		reference("DocMDP", pdf.Dict{"P": p.Permission})
	}
	locks := []*Lock{p.Locked}
	if field != nil {
		locks = append(locks, field.Lock)
	}
	for _, l := range locks {
		if l == nil {
			continue
		}
		params := pdf.Dict{"Action": pdf.Name(l.Action)}
		if l.Action != "All" {
			names := pdf.Array{}
			for _, f := range l.Fields {
				names = append(names, pdf.Text(f))
			}
			params["Fields"] = names
		}
		reference("FieldMDP", params)
	}
	if references != nil {
		dict["Reference"] = references
	}
	const far = 9_999_999_999
	dict["ByteRange"] = pdf.Array{0, far, far, far}
	dict["Contents"] = pdf.Room(reserve)
	u.Set(ref, dict)
	if err := d.addToForm(u, field, ref, p); err != nil {
		return nil, err
	}
	out, err := u.Append()
	if err != nil {
		return nil, err
	}
	// The keys stand in order, so that no text that somebody wrote comes before ByteRange and Contents but ContactInfo, in digits.
	begin := int(out.Offsets[ref] - d.size)
	numbers := begin + bytes.Index(out.Octets[begin:], []byte("/ByteRange [0 ")) + len("/ByteRange ")
	hole := numbers + bytes.Index(out.Octets[numbers:], []byte("/Contents <")) + len("/Contents ")
	first, second := d.size+int64(hole), d.size+int64(hole)+int64(2*reserve)+2
	text := fmt.Sprintf("[0 %d %d %d]", first, second, d.size+int64(len(out.Octets))-second)
	width := len(fmt.Sprintf("[0 %d %d %d]", far, far, far))
	if len(text) > width {
		return nil, fmt.Errorf("%w: a document of %d octets", pdf.ErrLimit, d.size)
	}
	copy(out.Octets[numbers:], text+strings.Repeat(" ", width-len(text)))
	return &placed{out.Octets, first}, nil
}

// field finds an empty field; nil stands for a new one.
func (d *Document) field(name string) (*Field, error) {
	for _, f := range d.Fields {
		if f.Name != name || name == "" {
			continue
		}
		if f.Dict["V"] != nil {
			return nil, fmt.Errorf("%w: %q is signed", ErrField, name)
		}
		if f.Ref == (pdf.Ref{}) {
			return nil, fmt.Errorf("%w: %q is no indirect object", ErrField, name)
		}
		return f, nil
	}
	if strings.Contains(name, ".") {
		return nil, fmt.Errorf("%w: %q is not there, and a dot may not stand in the name of a new one [ISO 32000-1 12.7.3.2]", ErrField, name)
	}
	return nil, nil
}

// freeName is the first name that no field has.
func freeName(all []*Field) string {
	for i := 1; ; i++ {
		name := fmt.Sprintf("Signature%d", i)
		if !slices.ContainsFunc(all, func(f *Field) bool { return f.Name == name }) {
			return name
		}
	}
}

// addToForm fills a field, or makes a new one with its widget on a page.
func (d *Document) addToForm(u *pdf.Update, field *Field, value pdf.Ref, p Parameters) error {
	catalog, err := d.PDF.Catalog()
	if err != nil {
		return err
	}
	root, ok := d.PDF.Trailer["Root"].(pdf.Ref)
	if !ok {
		return fmt.Errorf("%w: the catalog is no indirect object", pdf.ErrFormat)
	}
	pages, err := d.PDF.Pages()
	if err != nil {
		return err
	}
	if len(pages) == 0 {
		return fmt.Errorf("%w: a document without pages", pdf.ErrFormat)
	}
	catalog = catalog.Clone()
	form, _ := pdf.Get[pdf.Dict](d.PDF, catalog["AcroForm"])
	form = form.Clone()
	form["SigFlags"] = 3 // there are signatures, and only updates keep them [ISO 32000-1 12.7.2]
	changed := p.Permission > 0
	if field != nil {
		dict := field.Dict.Clone()
		dict["V"] = value
		flags, _ := pdf.Get[int](d.PDF, dict["F"])
		dict["F"] = flags | printed
		if p.Visible != nil {
			box, _ := d.PDF.Rectangle(dict["Rect"])
			if dict["AP"], err = p.Visible.draw(u, box, d.pageOf(pages, field).Rotate); err != nil {
				return err
			}
		}
		u.Set(field.Ref, dict)
	} else {
		all, err := formFields(d.PDF, catalog)
		if err != nil {
			return err
		}
		name := p.Field
		if name == "" {
			name = freeName(all)
		} else if slices.ContainsFunc(all, func(f *Field) bool { return f.Name == name || strings.HasPrefix(f.Name, name+".") }) {
			return fmt.Errorf("%w: %q is a field of another kind", ErrField, name)
		}
		page := pages[0]
		widget := pdf.Dict{
			"Type": pdf.Name("Annot"), "Subtype": pdf.Name("Widget"), "FT": pdf.Name("Sig"), "T": pdf.Text(name), "V": value,
			"F": printed | lockedFlag, "Rect": pdf.Array{0, 0, 0, 0},
		}
		if v := p.Visible; v != nil {
			if page, err = v.page(pages); err != nil {
				return err
			}
			widget["Rect"] = pdf.Array{v.Rect[0], v.Rect[1], v.Rect[2], v.Rect[3]}
			if widget["AP"], err = v.draw(u, v.Rect, page.Rotate); err != nil {
				return err
			}
		}
		if page.Ref == (pdf.Ref{}) {
			return fmt.Errorf("%w: a page that is no indirect object", pdf.ErrFormat)
		}
		widget["P"] = page.Ref
		ref := u.Add(widget)
		if err := appendTo(u, page.Dict, page.Ref, "Annots", ref); err != nil {
			return err
		}
		fields, _ := pdf.Get[pdf.Array](d.PDF, form["Fields"])
		if r, ok := form["Fields"].(pdf.Ref); ok {
			u.Set(r, append(slices.Clone(fields), ref))
		} else {
			form["Fields"] = append(slices.Clone(fields), ref)
		}
	}
	if r, ok := catalog["AcroForm"].(pdf.Ref); ok {
		u.Set(r, form)
	} else {
		catalog["AcroForm"], changed = form, true
	}
	if p.Permission > 0 {
		perms, _ := pdf.Get[pdf.Dict](d.PDF, catalog["Perms"])
		perms = perms.Clone()
		perms["DocMDP"] = value
		catalog["Perms"] = perms
	}
	if changed {
		u.Set(root, catalog)
	}
	return nil
}

// Flags of annotations [ISO 32000-1 12.5.3].
const (
	printed    = 1 << 2
	lockedFlag = 1 << 7
)

// appendTo puts an object into an array of a dictionary.
func appendTo(u *pdf.Update, dict pdf.Dict, ref pdf.Ref, key pdf.Name, o pdf.Object) error {
	now, err := u.Get(dict[key])
	if err != nil {
		return err
	}
	list, _ := now.(pdf.Array)
	list = append(slices.Clone(list), o)
	if r, ok := dict[key].(pdf.Ref); ok {
		u.Set(r, list)
		return nil
	}
	dict = maps.Clone(dict)
	dict[key] = list
	u.Set(ref, dict)
	return nil
}

func (d *Document) pageOf(pages []pdf.Page, f *Field) pdf.Page {
	for _, p := range pages {
		annots, _ := pdf.Get[pdf.Array](d.PDF, p.Dict["Annots"])
		for _, o := range annots {
			if r, ok := o.(pdf.Ref); ok && slices.Contains(f.widgets, r) {
				return p
			}
		}
	}
	return pages[0]
}

// Content is what is to be signed.
func (p *Place) Content() cms.Content {
	whole := pdf.Behind(p.d.r, p.d.size, p.appended)
	size := p.d.size + int64(len(p.appended))
	skip := int64(2*p.reserve) + 2
	return cms.File(io.NewSectionReader(ranges{whole, p.at, skip}, 0, size-skip), size-skip)
}

// Finish returns what is to be put behind the document: the second step, with the signature that was made.
func (p *Pending) Finish(s *cms.SignerInfo) ([]byte, error) {
	parts, err := p.Parts(s)
	return slices.Concat(parts...), err
}

// Parts is Finish in pieces, most of which are not copied: they are valid, one after the other, as long as p is.
func (p *Pending) Parts(s *cms.SignerInfo) ([][]byte, error) {
	m, err := p.Message(s, nil)
	if err != nil {
		return nil, err
	}
	message, err := m.Bytes()
	if err != nil {
		return nil, err
	}
	return p.parts(message)
}

// Fill returns what is to be put behind the document, with a message. It is not asked whether that is over the content.
func (p *Place) Fill(message []byte) ([]byte, error) {
	parts, err := p.parts(message)
	return slices.Concat(parts...), err
}

func (p *Place) parts(message []byte) ([][]byte, error) {
	if len(message) > p.reserve {
		return nil, fmt.Errorf("%w: %d octets where %d are reserved", ErrReserve, len(message), p.reserve)
	}
	at := int(p.at-p.d.size) + len("<")
	return [][]byte{p.appended[:at], hex.AppendEncode(nil, message), p.appended[at+2*len(message):]}, nil
}

// Sign signs with a key at hand, at level B, or T where a stamper is given, and returns what is to be put behind the document. random
// nil is crypto/rand.
func Sign(ctx context.Context, random io.Reader, id *pki.Identity, d *Document, p Parameters, stamper tsp.Stamper) ([]byte, error) {
	p.CMS.Certificate = id.Certificate
	if p.CMS.Chain == nil {
		p.CMS.Chain = id.Chain
	}
	if stamper != nil && p.Reserve == 0 {
		p.Reserve = p.room() + stampRoom
	}
	q, err := Prepare(d, p)
	if err != nil {
		return nil, err
	}
	s, err := q.Sign(random, id.Key)
	if err != nil {
		return nil, err
	}
	m, err := q.Message(s, nil)
	if err != nil {
		return nil, err
	}
	if stamper != nil {
		if err := cades.Read(m)[0].Extend(ctx, cades.LevelT, cades.Extension{Stamper: stamper}); err != nil {
			return nil, err
		}
	}
	b, err := m.Bytes()
	if err != nil {
		return nil, err
	}
	return q.Fill(b)
}

// Stamp returns what is to be put behind a document: a time-stamp over all of it [EN 319 142-1 5.4.3].
func Stamp(ctx context.Context, d *Document, stamper tsp.Stamper, hash crypto.Hash) ([]byte, error) {
	u, err := d.PDF.Update()
	if err != nil {
		return nil, err
	}
	dict := pdf.Dict{"Type": pdf.Name("DocTimeStamp"), "Filter": pdf.Name("Adobe.PPKLite"), "SubFilter": pdf.Name(RFC3161), "V": 0}
	c, err := d.place(u, dict, Parameters{}, stampRoom)
	if err != nil {
		return nil, err
	}
	p := Place{d: d, appended: c.octets, at: c.at, reserve: stampRoom}
	sum, err := p.Content().Digest(hash)
	if err != nil {
		return nil, err
	}
	t, err := stamper.Stamp(ctx, hash, sum)
	if err != nil {
		return nil, err
	}
	return p.Fill(t.Raw)
}
