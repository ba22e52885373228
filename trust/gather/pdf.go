package gather

import (
	"fmt"
	"io"

	"github.com/viadukt-eu/viadukt/trust/cades"
	"github.com/viadukt-eu/viadukt/trust/pades"
	"github.com/viadukt-eu/viadukt/trust/validation"
)

// openPDF reads the signatures of a PDF file where it stands.
func openPDF(r io.ReaderAt, size int64, opt Options) (*Result, error) {
	p := newPool(opt)
	d, err := pades.OpenWith(r, size, p.parsed)
	if err != nil {
		return nil, err
	}
	if len(d.Signatures) == 0 {
		return nil, ErrNoSignature
	}
	for _, s := range d.Signatures {
		m := s.Material()
		p.add(m.Certificates...)
		p.revocation(m.CRLs, m.OCSPs)
	}
	out := &Result{Format: "PAdES", Lists: opt.Lists, PDF: d, Facts: opt.facts()}
	stamps := map[*pades.Signature]*validation.TimeStamp{}
	for _, s := range d.Signatures {
		if s.TimeStamp {
			stamps[s] = p.documentStamp(s)
		}
	}
	signatures := map[*pades.Signature]*Signature{}
	for _, s := range d.Signatures {
		if !s.TimeStamp {
			signatures[s] = pdfSignature(s, p, opt)
			out.add(signatures[s], p)
		}
	}
	protectPDF(d, signatures, stamps, p)
	for _, s := range d.Signatures {
		if v := stamps[s]; v != nil && alone(v, out.Signatures) {
			out.TimeStamps = append(out.TimeStamps, v)
		}
	}
	out.Facts.TimeStamps = out.TimeStamps
	out.take(p.signers, p.list)
	return out, nil
}

// alone tells whether a time-stamp belongs to no signature.
func alone(v *validation.TimeStamp, signatures []*Signature) bool {
	for _, s := range signatures {
		for _, t := range s.TimeStamps {
			if t == v {
				return false
			}
		}
	}
	return true
}

func pdfSignature(s *pades.Signature, p *pool, opt Options) *Signature {
	level := string(s.Level(opt.Anchors...))
	if s.CMS == nil {
		return &Signature{Level: level, Packaging: "enveloped", Signature: &validation.Signature{
			Token: validation.Token{ID: s.Field.Name}, Format: level, Claimed: s.Time, Malformed: append(pdfFaults(s), validation.Malformed{
				Question: "Can the signature in " + s.Field.Name + " be read?", Answer: fmt.Sprint(s.Err), Clause: "EN 319 142-1 6.3",
			}),
		}}
	}
	f := s.Verify(p.list...)
	out := cmsSignature(s.CMS, f, s.Content(), p, opt)
	out.Intact = out.Intact && !f.Reordered // the value is over DER [RFC 5652 5.4], of which PDF knows no exceptions
	out.Level, out.Format, out.Packaging, out.Claimed = level, level, "enveloped", s.Time
	out.Malformed = append(out.Malformed, pdfFaults(s)...)
	if t, err := s.RelatedStamp(); t != nil {
		v := p.token(t, "VRI_TIMESTAMP")
		v.ImprintFound, v.ImprintIntact, v.Covers = true, err == nil, []string{out.ID}
		out.TimeStamps = append(out.TimeStamps, v)
	}
	changes, err := s.Changes()
	if err != nil {
		out.Malformed = append(out.Malformed, validation.Malformed{Question: "Can the document be read as it was signed?", Answer: err.Error(), Clause: "ISO 32000-1 12.8.1"})
		return out
	}
	out.Changes = changes
	forbidden := map[pades.Change]bool{}
	for _, c := range s.Violations(changes) {
		forbidden[c] = true
		out.Malformed = append(out.Malformed, validation.Malformed{Question: "Does the document show what was signed?", Answer: "changed after the signature: " + c.String(), Clause: "ISO 32000-1 12.8.2"})
	}
	for _, c := range changes {
		switch {
		case forbidden[c], c.Kind == pades.StoreAdded, c.Kind == pades.Signed:
		default:
			out.Doubts = append(out.Doubts, validation.Malformed{Question: "Was nothing but signatures added after the signature?", Answer: c.String(), Clause: "ISO 32000-1 12.8.2"})
		}
	}
	return out
}

// pdfFaults is what the file does not do as it must.
func pdfFaults(s *pades.Signature) (out []validation.Malformed) {
	if s.Range != nil {
		out = append(out, validation.Malformed{Question: "Is the signature over the whole document but for itself?", Answer: s.Range.Error(), Clause: "ISO 32000-1 12.8.1"})
	}
	if err := s.Consistent(); err != nil {
		out = append(out, validation.Malformed{Question: "Is the signature dictionary as it was signed?", Answer: err.Error(), Clause: "EN 319 142-1 6.3"})
	}
	return out
}

// documentStamp gathers what holds of a document time-stamp.
func (p *pool) documentStamp(s *pades.Signature) *validation.TimeStamp {
	v := p.token(s.Token, "DOCUMENT_TIMESTAMP")
	v.Malformed = append(v.Malformed, pdfFaults(s)...)
	if s.Token != nil && s.End > 0 {
		v.ImprintFound, v.ImprintIntact = true, s.CheckImprint() == nil
	}
	return v
}

// protectPDF lets document time-stamps prove the existence of what they are over: signatures, other time-stamps, and the store of the
// document as it was.
func protectPDF(d *pades.Document, signatures map[*pades.Signature]*Signature, stamps map[*pades.Signature]*validation.TimeStamp, p *pool) {
	for _, t := range d.Signatures {
		v := stamps[t]
		if v == nil || t.Token == nil || t.Range != nil {
			continue
		}
		if then, err := t.StoreThen(); err == nil && then != nil {
			v.Covers = append(v.Covers, p.material(then.Material)...)
		}
		for _, s := range d.Signatures {
			if s == t || s.End == 0 || s.End >= t.End {
				continue
			}
			if x := stamps[s]; x != nil && s.Token != nil {
				v.Covers = append(append(v.Covers, x.ID), p.inside(s.Token)...)
			}
			if x := signatures[s]; x != nil {
				v.Covers = append(append(v.Covers, x.ID), x.inside...)
				for _, i := range x.TimeStamps {
					v.Covers = append(v.Covers, i.ID)
				}
				x.TimeStamps = append(x.TimeStamps, v)
			}
		}
	}
}

func (p *pool) material(m cades.Material) (out []string) {
	for _, c := range m.Certificates {
		out = append(out, certificateID(c))
	}
	for _, list := range [][][]byte{m.CRLs, m.OCSPs} {
		for _, b := range list {
			out = append(out, p.id(b))
		}
	}
	return out
}
