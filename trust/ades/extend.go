package ades

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/viadukt-eu/viadukt/pdf"
	"github.com/viadukt-eu/viadukt/trust/asic"
	"github.com/viadukt-eu/viadukt/trust/cades"
	"github.com/viadukt-eu/viadukt/trust/cms"
	"github.com/viadukt-eu/viadukt/trust/gather"
	"github.com/viadukt-eu/viadukt/trust/jades"
	"github.com/viadukt-eu/viadukt/trust/pades"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/revocation"
	"github.com/viadukt-eu/viadukt/trust/tsp"
	"github.com/viadukt-eu/viadukt/trust/xades"
	"github.com/viadukt-eu/viadukt/trust/xmldsig"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Level of a signature.
type Level string

// The levels above B.
const (
	LevelT  Level = "T"   // with a time-stamp
	LevelLT Level = "LT"  // and all that is needed to judge it later
	LTA     Level = "LTA" // and a time-stamp over that
)

// Extension is what extending needs.
type Extension struct {
	Stamper tsp.Stamper
	Hash    crypto.Hash    // of time-stamps; default SHA-256
	Known   gather.Options // certificates, revocation data, and signed documents that stand elsewhere
	// Fetch adds to what is known what a document still needs: of its signers, and of its time-stamping authorities once it is
	// time-stamped. It is asked for LT and LTA. nil: what is known must do.
	Fetch func(context.Context, *gather.Result, gather.Options) (gather.Options, error)
	// Canonicalization is the form in which what is time-stamped in XAdES is hashed; default exclusive.
	Canonicalization string
	// ClearJSON writes the first unsigned component of a JAdES signature in clear, not in base64url; later ones follow the first.
	ClearJSON bool
	// VRI writes into the store of a PDF document what belongs to each signature, too, for readers that ask for it.
	VRI bool
}

// Extend brings every signature of a document to a level and returns the document. A signature that does not hold is not
// extended: ErrBroken.
func Extend(ctx context.Context, b []byte, level Level, x Extension) ([]byte, error) {
	open := func() (*gather.Result, error) { return gather.Open(b, x.Known) }
	step := func(r *gather.Result, level Level) error {
		more, err := x.extend(ctx, r, b, level)
		if err == nil {
			b = more
		}
		return err
	}
	if err := x.run(ctx, level, open, step); err != nil {
		return nil, err
	}
	return b, nil
}

// ExtendPDF is [Extend] for a PDF document where it stands: it returns what is to be put behind it.
func ExtendPDF(ctx context.Context, r io.ReaderAt, size int64, level Level, x Extension) (more []byte, err error) {
	now := func() (io.ReaderAt, int64) { return pdf.Behind(r, size, more), size + int64(len(more)) }
	open := func() (*gather.Result, error) {
		r, size := now()
		return gather.OpenAt(r, size, x.Known)
	}
	step := func(_ *gather.Result, level Level) error {
		r, size := now()
		octets, err := x.pdf(ctx, r, size, level)
		more = append(more, octets...)
		return err
	}
	err = x.run(ctx, level, open, step)
	return more, err
}

// run takes the steps to a level on a document as it is after each.
func (x *Extension) run(ctx context.Context, level Level, open func() (*gather.Result, error), step func(*gather.Result, Level) error) error {
	if level != LevelT && level != LevelLT && level != LTA {
		return fmt.Errorf("%w: there is no level %q to extend to; there are T, LT and LTA", ErrParams, level)
	}
	if x.Hash == 0 {
		x.Hash = crypto.SHA256
	}
	r, err := open()
	if err != nil {
		return err
	}
	if len(r.Signatures) == 0 {
		return gather.ErrNoSignature
	}
	if x.Fetch != nil && level != LevelT {
		// The authority of the time-stamp is to be asked about, too. What is covered already is only asked about.
		if x.Stamper != nil {
			if err := step(r, LevelT); err != nil && !errors.Is(err, ErrCovered) {
				return err
			}
			if r, err = open(); err != nil {
				return err
			}
		}
		if x.Known, err = x.Fetch(ctx, r, x.Known); err != nil {
			return err
		}
	}
	return step(r, level)
}

func (x Extension) extend(ctx context.Context, r *gather.Result, b []byte, level Level) ([]byte, error) {
	switch {
	case r.Container != nil:
		return x.container(ctx, r.Container, level)
	case r.Format == "XAdES":
		return x.xml(ctx, b, level)
	case r.Format == "JAdES":
		return x.jws(ctx, b, level)
	case r.Format == "PAdES":
		more, err := x.pdf(ctx, bytes.NewReader(b), int64(len(b)), level)
		return slices.Concat(b, more), err
	}
	return x.cms(ctx, b, level)
}

// certificates are those that may complete a chain.
func (x Extension) certificates() []*pki.Certificate {
	return slices.Concat(x.Known.Certificates, x.Known.Anchors)
}

func (x Extension) cades() cades.Extension {
	return cades.Extension{Stamper: x.Stamper, Hash: x.Hash, Collect: func(context.Context, []*pki.Certificate, []*pki.Certificate) (cades.Material, error) {
		return cades.Material{Certificates: x.certificates(), CRLs: x.Known.CRLs, OCSPs: x.Known.OCSPs}, nil
	}}
}

func (x Extension) jws(ctx context.Context, b []byte, level Level) ([]byte, error) {
	if x.Stamper == nil {
		return nil, ErrNoStamper
	}
	m, err := jades.Parse(b)
	if err != nil {
		return nil, err
	}
	e := jades.Extension{Stamper: x.Stamper, Hash: x.Hash, Documents: x.Known.Documents, HTTP: x.Known.HTTP, Clear: x.ClearJSON, Collect: func(context.Context, []*pki.Certificate, []*pki.Certificate) (revocation.Material, error) {
		return revocation.Material{Certificates: x.certificates(), CRLs: x.Known.CRLs, OCSPs: x.Known.OCSPs}, nil
	}}
	to := map[Level]jades.Level{LevelT: jades.LevelT, LevelLT: jades.LevelLT, LTA: jades.LTA}[level]
	for i, s := range m.Signatures {
		if err := s.Check(jades.CheckOptions{Documents: x.Known.Documents, HTTP: x.Known.HTTP, Certificates: x.Known.Certificates}).ValueErr; err != nil {
			return nil, fmt.Errorf("%w: number %d: %w", ErrBroken, i+1, err)
		}
		if err := s.Extend(ctx, to, e); err != nil {
			return nil, err
		}
	}
	return m.Bytes()
}

func (x Extension) pdf(ctx context.Context, r io.ReaderAt, size int64, level Level) ([]byte, error) {
	if x.Stamper == nil && level != LevelLT {
		return nil, ErrNoStamper
	}
	d, err := pades.Open(r, size)
	if err != nil {
		return nil, err
	}
	more, err := pades.Extend(ctx, d, map[Level]pades.Level{LevelT: pades.LevelT, LevelLT: pades.LevelLT, LTA: pades.LTA}[level], pades.Extension{Extension: x.cades(), VRI: x.VRI})
	if errors.Is(err, pades.ErrLevel) {
		err = fmt.Errorf("%w: %w", ErrBroken, err)
	}
	return more, err
}

func (x Extension) container(ctx context.Context, c *asic.Container, level Level) ([]byte, error) {
	manifests, unreadable := c.Manifests()
	if len(unreadable) > 0 {
		return nil, fmt.Errorf("%w: %w", ErrBroken, errors.Join(unreadable...))
	}
	covers := func(m *asic.Manifest, f *asic.File) bool {
		return slices.ContainsFunc(m.Objects, func(o asic.Object) bool { return o.Name == f.Name })
	}
	// CMS in ASiC-E is archived by a time-stamp over the whole container, everything else in itself [EN 319 162-1 5.4].
	archive := false
	changed := map[string][]byte{}
	for _, f := range c.Files {
		if !f.Signature() {
			continue
		}
		inside := level
		if level == LTA && !f.XML() && slices.ContainsFunc(manifests, func(m *asic.Manifest) bool { return m.Signature == f.Name }) {
			archive, inside = true, LevelLT
		}
		if i := slices.IndexFunc(manifests, func(m *asic.Manifest) bool { return covers(m, f) }); i >= 0 {
			if archive {
				continue // it is archived already, and again below
			}
			return nil, fmt.Errorf("%w: %s is covered by %s", ErrCovered, f.Name, manifests[i].Signature)
		}
		b, err := f.Bytes()
		if err != nil {
			return nil, err
		}
		one := x
		one.Known.Documents = gather.Documents(c, f, manifests)
		extend := one.cms
		if f.XML() {
			extend = one.xml
		}
		if changed[f.Name], err = extend(ctx, b, inside); err != nil {
			return nil, err
		}
	}
	edit := asic.Edit{Replace: changed}
	if archive {
		if err := x.archive(ctx, c, manifests, &edit); err != nil {
			return nil, err
		}
	}
	var out bytes.Buffer
	err := c.Edit(&out, edit)
	return out.Bytes(), err
}

const (
	archiveManifest = "META-INF/ASiCArchiveManifest.xml"
	mimeTimeStamp   = "application/vnd.etsi.timestamp-token"
)

// archive adds an archive manifest over everything that is there, with a time-stamp over it. One that was there before gets a number
// behind its name, and the time-stamp over it what is needed to judge it [EN 319 162-1 5.4.2, A.7].
func (x Extension) archive(ctx context.Context, c *asic.Container, manifests []*asic.Manifest, e *asic.Edit) error {
	free := freeNames(c)
	for _, m := range manifests {
		if m.Name != archiveManifest {
			continue
		}
		e.Rename = map[string]string{m.Name: free("META-INF/ASiCArchiveManifest%03d.xml")}
		f, err := c.File(m.Signature)
		if err != nil {
			return fmt.Errorf("%w: the time-stamp %s of the archive manifest is not there", ErrBroken, m.Signature)
		}
		if e.Replace[f.Name], err = x.complete(f); err != nil {
			return err
		}
	}
	var content []asic.Content
	for _, f := range c.Files {
		if f.Name == "mimetype" || strings.HasSuffix(f.Name, "/") {
			continue
		}
		one := asic.Content{Name: f.Name, Open: f.Open}
		if b, ok := e.Replace[f.Name]; ok {
			one.Open = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }
		}
		if name, ok := e.Rename[f.Name]; ok {
			one.Name, one.Root = name, true
		}
		content = append(content, one)
	}
	stamp := free("META-INF/timestamp%03d.tst")
	manifest, err := asic.WriteManifest(stamp, mimeTimeStamp, content, xmldsig.SHA256)
	if err != nil {
		return err
	}
	if x.Stamper == nil {
		return ErrNoStamper
	}
	sum := x.Hash.New()
	sum.Write(manifest)
	token, err := x.Stamper.Stamp(ctx, x.Hash, sum.Sum(nil))
	if err != nil {
		return err
	}
	e.Add = []asic.Small{{Name: archiveManifest, Octets: manifest}, {Name: stamp, Octets: token.Raw}}
	return nil
}

// complete puts into a time-stamp what is needed to judge it.
func (x Extension) complete(f *asic.File) ([]byte, error) {
	b, err := f.Bytes()
	if err != nil {
		return nil, err
	}
	m, err := cms.Parse(b)
	if err != nil {
		return nil, err
	}
	m.AddCertificates(x.certificates()...)
	for _, crl := range x.Known.CRLs {
		m.AddCRL(crl)
	}
	for _, ocsp := range x.Known.OCSPs {
		m.AddOCSP(ocsp)
	}
	return m.Bytes()
}

func (x Extension) cms(ctx context.Context, b []byte, level Level) ([]byte, error) {
	if x.Stamper == nil {
		return nil, ErrNoStamper
	}
	all, err := cades.Parse(b)
	if err != nil {
		return nil, err
	}
	e := x.cades()
	if all[0].Message.Detached && len(x.Known.Documents) > 0 {
		e.Content = gather.Content(x.Known.Documents[0])
	}
	to := map[Level]cades.Level{LevelT: cades.LevelT, LevelLT: cades.LevelLT, LTA: cades.LTA}[level]
	for _, s := range all {
		if err := s.Extend(ctx, to, e); err != nil {
			return nil, err
		}
	}
	return all[0].Message.Bytes()
}

// xml extends step by step, on the document as it is after each.
func (x Extension) xml(ctx context.Context, b []byte, level Level) ([]byte, error) {
	steps := []func(e *xades.Extend) ([]byte, error){(*xades.Extend).SignatureTimeStamp}
	if level != LevelT {
		steps = append(steps, func(e *xades.Extend) ([]byte, error) {
			return e.Values(xades.Material{Certificates: x.certificates(), CRLs: x.Known.CRLs, OCSPs: x.Known.OCSPs})
		})
	}
	if level == LTA {
		steps = append(steps, (*xades.Extend).ArchiveTimeStamp)
	}
	count := 1
	for i := 0; i < count; i++ {
		for k, step := range steps {
			doc, err := dom.Parse(bytes.Clone(b), dom.Limits{})
			if err != nil {
				return nil, err
			}
			found := xades.Find(doc)
			if count = len(found); count == 0 {
				return nil, gather.ErrNoSignature
			}
			s, err := xades.Parse(found[i])
			if err != nil {
				return nil, err
			}
			checked, err := s.Check(xades.CheckOptions{Documents: x.Known.Documents})
			if err != nil {
				return nil, err
			}
			if !checked.Intact() {
				return nil, fmt.Errorf("%w: number %d: %w", ErrBroken, i+1, errors.Join(append(checked.Errs, checked.ValueErr)...))
			}
			if k == 0 && s.Has(xades.SignatureTimeStamp) {
				continue
			}
			if k != 1 && x.Stamper == nil {
				return nil, ErrNoStamper
			}
			e := &xades.Extend{Checked: checked, Hash: x.Hash, Canonicalization: x.Canonicalization, Stamp: func(h crypto.Hash, sum []byte) ([]byte, error) {
				t, err := x.Stamper.Stamp(ctx, h, sum)
				if err != nil {
					return nil, err
				}
				return t.Raw, nil
			}}
			if b, err = step(e); err != nil {
				return nil, err
			}
		}
	}
	return b, nil
}
