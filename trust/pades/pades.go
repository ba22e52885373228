// Package pades makes, extends and reads signatures in PDF: ETSI EN 319 142-1 v1.2.1 (PAdES baseline levels B, T, LT and LTA), and for
// reading also the older signatures of ISO 32000-1.
//
// What is read are facts: which octets of the file a signature is over, what the message in it says, and what was done to the document
// after it was signed. Whether that makes it valid is judged elsewhere.
//
// A document is signed and extended by octets behind those that are there. It is read where it stands, whatever its size.
package pades

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/viadukt-eu/viadukt/pdf"
	"github.com/viadukt-eu/viadukt/trust/ber"
	"github.com/viadukt-eu/viadukt/trust/cades"
	"github.com/viadukt-eu/viadukt/trust/cms"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/tsp"
)

// What a signature or a request for one can be refused for.
var (
	ErrByteRange  = errors.New("pades: signed range is not as it must be")
	ErrDictionary = errors.New("pades: signature dictionary is not as it must be")
	ErrSubFilter  = errors.New("pades: signature of a kind that is not read")
	ErrField      = errors.New("pades: no such field to be signed")
	ErrForbidden  = errors.New("pades: the document forbids it")
	ErrReserve    = errors.New("pades: the signature is longer than the place reserved for it")
	ErrLevel      = errors.New("pades: the document cannot be extended to this level")
)

// SubFilter is how a signature is encoded [ISO 32000-1 12.8.3].
type SubFilter string

// The encodings.
const (
	CAdES    SubFilter = "ETSI.CAdES.detached"
	RFC3161  SubFilter = "ETSI.RFC3161"
	Detached SubFilter = "adbe.pkcs7.detached"
	SHA1     SubFilter = "adbe.pkcs7.sha1"
	RSA      SubFilter = "adbe.x509.rsa_sha1" // not read
)

// Level is a form of signature, by what is there; it says nothing about validity.
type Level string

// The baseline levels [EN 319 142-1 6], and others. The signatures of ISO 32000-1 have levels alike.
const (
	LevelB   Level = "PAdES-BASELINE-B"
	LevelT   Level = "PAdES-BASELINE-T"
	LevelLT  Level = "PAdES-BASELINE-LT"
	LTA      Level = "PAdES-BASELINE-LTA"
	BES      Level = "PAdES-BES"
	EPES     Level = "PAdES-EPES"
	LTV      Level = "PAdES-LTV"
	PKCS7B   Level = "PKCS7-B"
	PKCS7T   Level = "PKCS7-T"
	PKCS7LT  Level = "PKCS7-LT"
	PKCS7LTA Level = "PKCS7-LTA"
	NotETSI  Level = "PDF-NOT-ETSI"
)

const (
	maxSignatures = 200
	maxContents   = 16 << 20 // octets of a message
)

// Document is a PDF file with its signatures.
type Document struct {
	PDF        *pdf.Document
	Signatures []*Signature // in the order in which they were made, document time-stamps among them
	Fields     []*Field     // for signatures, signed or not
	Store      *Store       // validation material beside the signatures; nil where there is none

	known *pki.Parsed // remembers certificates; may be nil
	r     io.ReaderAt
	size  int64
	then  *pdf.Document // the revision that was read last
	steps int           // objects that were compared
}

// Field is a field of a form [ISO 32000-1 12.7.4.5].
type Field struct {
	Name string // with those above it, dots between
	Ref  pdf.Ref
	Dict pdf.Dict
	Lock *Lock // what is locked when it is signed; nil for nothing

	kind    pdf.Name // FT
	widgets []pdf.Ref
}

// Lock names fields that must not change [ISO 32000-1 12.8.2.4].
type Lock struct {
	Action string // "All", "Include" those named, "Exclude" those named
	Fields []string
}

// Holds reports whether a field, or one above it, is locked.
func (l *Lock) Holds(field string) bool {
	named := slices.ContainsFunc(l.Fields, func(f string) bool {
		return f == field || len(field) > len(f) && field[:len(f)] == f && field[len(f)] == '.'
	})
	switch l.Action {
	case "All":
		return true
	case "Include":
		return named
	case "Exclude":
		return !named
	}
	return false
}

// Signature is a signature or a document time-stamp.
type Signature struct {
	Field     *Field
	Dict      pdf.Dict
	SubFilter SubFilter
	TimeStamp bool // a document time-stamp

	ByteRange [4]int64
	End       int64 // of the octets it is over
	Contents  []byte

	Time                            time.Time // M: when it was made by the signer's word; zero where not stated
	Name, Reason, Location, Contact string
	Permission                      int     // of a certification: what may change, 1 nothing, 2 fields are filled and signed, 3 also annotations; 0 of others
	Locked                          []*Lock // fields that must not change; each counts

	CMS   *cades.Signature // nil for time-stamps and what cannot be read
	Token *tsp.Token       // of a time-stamp; nil where it cannot be read

	// Range is nil where the signature is over all of the file up to its end, but for itself [ISO 32000-1 12.8.1]; Err why it could not
	// be read.
	Range error
	Err   error

	doc *Document
	ref pdf.Ref
}

// Open reads the signatures of a file.
func Open(r io.ReaderAt, size int64) (*Document, error) { return OpenWith(r, size, nil) }

// OpenWith is [Open]; certificates that known remembers are not parsed again.
func OpenWith(r io.ReaderAt, size int64, known *pki.Parsed) (*Document, error) {
	p, err := pdf.Open(r, size)
	if err != nil {
		return nil, err
	}
	d := &Document{PDF: p, known: known, r: r, size: size}
	catalog, err := p.Catalog()
	if err != nil {
		return nil, err
	}
	fields, err := formFields(p, catalog)
	if err != nil {
		return nil, err
	}
	seen := map[pdf.Ref]*Signature{}
	for _, f := range fields {
		if f.kind != "Sig" {
			continue
		}
		d.Fields = append(d.Fields, f)
		dict, ok := pdf.Get[pdf.Dict](p, f.Dict["V"])
		if !ok {
			continue
		}
		ref, _ := f.Dict["V"].(pdf.Ref)
		if ref != (pdf.Ref{}) && seen[ref] != nil {
			continue // one signature that is shown in several fields
		}
		if len(d.Signatures) >= maxSignatures {
			return nil, fmt.Errorf("%w: more than %d signatures", pdf.ErrLimit, maxSignatures)
		}
		s := &Signature{Field: f, Dict: dict, doc: d, ref: ref}
		s.read()
		seen[ref] = s
		d.Signatures = append(d.Signatures, s)
	}
	slices.SortStableFunc(d.Signatures, func(x, y *Signature) int { return int(min(max(x.End-y.End, -1), 1)) })
	d.checkCollisions()
	d.Store = readStore(p, catalog, known)
	return d, nil
}

// read takes a signature dictionary apart.
func (s *Signature) read() {
	p := s.doc.PDF
	text := func(key pdf.Name) string {
		t, _ := pdf.Get[pdf.String](p, s.Dict[key])
		return t.Text()
	}
	s.Name, s.Reason, s.Location, s.Contact = text("Name"), text("Reason"), text("Location"), text("ContactInfo")
	if m, ok := pdf.Get[pdf.String](p, s.Dict["M"]); ok {
		s.Time, _ = pdf.ParseDate(m)
	}
	sub, _ := pdf.Get[pdf.Name](p, s.Dict["SubFilter"])
	s.SubFilter = SubFilter(sub)
	s.TimeStamp = s.SubFilter == RFC3161 || s.Dict["Type"] == pdf.Name("DocTimeStamp")
	s.readReferences()
	contents, _ := pdf.Get[pdf.String](p, s.Dict["Contents"])
	s.Contents = []byte(contents)
	s.Range = s.checkRange()
	if len(s.Contents) == 0 || len(s.Contents) > maxContents {
		s.Err = fmt.Errorf("%w: Contents of %d octets", ErrDictionary, len(s.Contents))
		return
	}
	switch {
	case s.TimeStamp:
		message, err := withoutPadding(s.Contents)
		if err == nil {
			s.Token, err = tsp.ParseTokenWith(message, s.doc.known)
		}
		s.Err = err
	case s.SubFilter == CAdES, s.SubFilter == Detached, s.SubFilter == SHA1:
		all, err := cades.ParseWith(bytes.Clone(s.Contents), s.doc.known)
		switch {
		case err != nil:
			s.Err = err
		case len(all) != 1: // [EN 319 142-1 6.3]
			s.Err = fmt.Errorf("%w: %d signers in one signature", ErrDictionary, len(all))
		case s.SubFilter != SHA1 && !all[0].Message.Detached:
			s.Err = fmt.Errorf("%w: the message holds content of its own", ErrDictionary)
		default:
			s.CMS = all[0]
		}
	default:
		s.Err = fmt.Errorf("%w: SubFilter %q", ErrSubFilter, s.SubFilter)
	}
}

// withoutPadding cuts off what was reserved and not used.
func withoutPadding(b []byte) ([]byte, error) {
	r := ber.NewReader(b)
	e, err := r.Next()
	if err != nil {
		return nil, err
	}
	if len(bytes.Trim(b[len(e.Raw):], "\x00")) > 0 {
		return nil, fmt.Errorf("%w: octets behind the message", ErrDictionary)
	}
	return bytes.Clone(e.Raw), nil
}

// readReferences reads certification and locks [ISO 32000-1 12.8.2].
func (s *Signature) readReferences() {
	p := s.doc.PDF
	list, _ := pdf.Get[pdf.Array](p, s.Dict["Reference"])
	for _, o := range list {
		ref, _ := pdf.Get[pdf.Dict](p, o)
		method, _ := pdf.Get[pdf.Name](p, ref["TransformMethod"])
		params, _ := pdf.Get[pdf.Dict](p, ref["TransformParams"])
		switch method {
		case "DocMDP":
			s.Permission = 2
			if n, ok := pdf.Get[int](p, params["P"]); ok {
				s.Permission = min(max(n, 1), 3)
			}
		case "FieldMDP":
			if l := readLock(p, params); l != nil {
				s.Locked = append(s.Locked, l)
			}
		}
	}
}

func readLock(p *pdf.Document, o pdf.Object) *Lock {
	dict, ok := pdf.Get[pdf.Dict](p, o)
	if !ok {
		return nil
	}
	action, _ := pdf.Get[pdf.Name](p, dict["Action"])
	l := &Lock{Action: string(action)}
	fields, _ := pdf.Get[pdf.Array](p, dict["Fields"])
	for _, f := range fields {
		name, _ := pdf.Get[pdf.String](p, f)
		l.Fields = append(l.Fields, name.Text())
	}
	return l
}

// checkRange holds the signed range against the file: it begins at its beginning, leaves out the octets of Contents and nothing
// else, and ends where a revision ends.
func (s *Signature) checkRange() error {
	p := s.doc.PDF
	list, _ := pdf.Get[pdf.Array](p, s.Dict["ByteRange"])
	if len(list) != 4 {
		return fmt.Errorf("%w: ByteRange with %d numbers", ErrByteRange, len(list))
	}
	for i := range s.ByteRange {
		n, ok := pdf.Get[int](p, list[i])
		if !ok || n < 0 {
			return fmt.Errorf("%w: ByteRange %v", ErrByteRange, list)
		}
		s.ByteRange[i] = int64(n)
	}
	r, size := s.ByteRange, s.doc.size
	if r[0] != 0 || r[1] <= 0 || r[2] <= r[1] || r[3] <= 0 || r[2] > size || r[3] > size-r[2] {
		return fmt.Errorf("%w: ByteRange %v in a file of %d octets", ErrByteRange, list, size)
	}
	s.End = r[2] + r[3]
	if r[2]-r[1] > 4*maxContents {
		return fmt.Errorf("%w: %d octets are left out", ErrByteRange, r[2]-r[1])
	}
	gap := make([]byte, r[2]-r[1])
	if _, err := s.doc.r.ReadAt(gap, r[1]); err != nil && err != io.EOF {
		return err
	}
	if gap[0] != '<' || gap[len(gap)-1] != '>' {
		return fmt.Errorf("%w: what is left out begins with %q and ends with %q, not with the brackets of Contents", ErrByteRange, gap[0], gap[len(gap)-1])
	}
	if o, err := pdf.ParseObject(gap); err != nil || o != pdf.String(s.Contents) {
		return fmt.Errorf("%w: what is left out is not Contents alone", ErrByteRange)
	}
	return nil
}

// checkCollisions refuses signatures that leave out octets of each other.
func (d *Document) checkCollisions() {
	for i, s := range d.Signatures {
		for _, o := range d.Signatures[:i] {
			if s.Range == nil && o.Range == nil && s.ByteRange[1] < o.ByteRange[2] && o.ByteRange[1] < s.ByteRange[2] {
				s.Range = fmt.Errorf("%w: it leaves out what %s leaves out", ErrByteRange, o.Field.Name)
				o.Range = fmt.Errorf("%w: it leaves out what %s leaves out", ErrByteRange, s.Field.Name)
			}
		}
	}
}

// ranges reads the octets that a signature is over as one.
type ranges struct {
	r           io.ReaderAt
	first, skip int64
}

func (x ranges) ReadAt(p []byte, at int64) (int, error) {
	if at >= x.first {
		return x.r.ReadAt(p, at+x.skip)
	}
	n, err := x.r.ReadAt(p[:min(int64(len(p)), x.first-at)], at)
	if n == len(p) || err != nil && err != io.EOF {
		return n, err
	}
	more, err := x.r.ReadAt(p[n:], x.first+x.skip)
	return n + more, err
}

// Content is what a signature is over; where its range is not known its digests are not.
func (s *Signature) Content() cms.Content {
	r := s.ByteRange
	if s.End == 0 {
		return cms.Digests(nil)
	}
	return cms.File(io.NewSectionReader(ranges{s.doc.r, r[1], r[2] - r[1]}, 0, r[1]+r[3]), r[1]+r[3])
}

// Verify checks the message against the octets it is over. It is for signatures whose message was read.
func (s *Signature) Verify(more ...*pki.Certificate) *cms.Facts {
	if s.SubFilter != SHA1 {
		return s.CMS.Verify(s.Content(), more...)
	}
	f := s.CMS.Verify(nil, more...) // [ISO 32000-1 12.8.3.3.1] the message is over the digest
	if f.Content == nil {
		f.Content = s.checkDigest()
	}
	return f
}

func (s *Signature) checkDigest() error {
	within := s.CMS.Message.Content()
	if within == nil {
		return cms.ErrContent
	}
	var b bytes.Buffer
	if _, err := within.WriteTo(&b); err != nil {
		return err
	}
	sum, err := s.Content().Digest(crypto.SHA1)
	if err == nil && !bytes.Equal(sum, b.Bytes()) {
		err = cms.ErrDigest
	}
	return err
}

// CheckImprint checks that a document time-stamp is over the octets it says.
func (s *Signature) CheckImprint() error { return s.Token.CheckImprint(s.Content()) }

// revision opens the file as it was signed, and keeps the last one: several questions are asked of it in a row.
func (s *Signature) revision() (*pdf.Document, error) {
	if s.End == 0 {
		return nil, ErrByteRange
	}
	d := s.doc
	if d.then == nil || d.then.Size() != s.End {
		then, err := pdf.Open(io.NewSectionReader(d.r, 0, s.End), s.End)
		if err != nil {
			return nil, err
		}
		d.then = then
	}
	return d.then, nil
}

// formFields lists the fields of the form.
func formFields(p *pdf.Document, catalog pdf.Dict) ([]*Field, error) {
	form, _ := pdf.Get[pdf.Dict](p, catalog["AcroForm"])
	w := fieldWalk{p: p, seen: map[pdf.Ref]bool{}}
	roots, _ := pdf.Get[pdf.Array](p, form["Fields"])
	for _, o := range roots {
		if err := w.field(o, "", "", 0); err != nil {
			return nil, err
		}
	}
	return w.fields, nil
}

type fieldWalk struct {
	p      *pdf.Document
	seen   map[pdf.Ref]bool
	fields []*Field
}

const (
	maxFields     = 100_000
	maxFieldDepth = 32
)

func (w *fieldWalk) field(o pdf.Object, above string, kind pdf.Name, depth int) error {
	ref, _ := o.(pdf.Ref)
	if w.seen[ref] && ref != (pdf.Ref{}) {
		return nil
	}
	w.seen[ref] = true
	if len(w.seen)+len(w.fields) > maxFields || depth > maxFieldDepth {
		return fmt.Errorf("%w: form with more than %d fields or %d floors", pdf.ErrLimit, maxFields, maxFieldDepth)
	}
	dict, ok := pdf.Get[pdf.Dict](w.p, o)
	if !ok {
		return nil
	}
	if k, ok := pdf.Get[pdf.Name](w.p, dict["FT"]); ok {
		kind = k
	}
	name := above
	if t, ok := pdf.Get[pdf.String](w.p, dict["T"]); ok {
		if name != "" {
			name += "."
		}
		name += t.Text()
	}
	f := &Field{Name: name, Ref: ref, Dict: dict, Lock: readLock(w.p, dict["Lock"]), kind: kind}
	if dict["Subtype"] == pdf.Name("Widget") && ref != (pdf.Ref{}) {
		f.widgets = append(f.widgets, ref)
	}
	kids, _ := pdf.Get[pdf.Array](w.p, dict["Kids"])
	parent := false
	for _, k := range kids {
		kid, _ := pdf.Get[pdf.Dict](w.p, k)
		if kid["T"] == nil && kid["Subtype"] == pdf.Name("Widget") {
			if r, ok := k.(pdf.Ref); ok {
				f.widgets = append(f.widgets, r)
			}
			continue
		}
		parent = true
		if err := w.field(k, name, kind, depth+1); err != nil {
			return err
		}
	}
	if !parent {
		w.fields = append(w.fields, f)
	}
	return nil
}
