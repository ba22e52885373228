package pades

import (
	"github.com/viadukt-eu/viadukt/trust/cades"
	"github.com/viadukt-eu/viadukt/trust/cms"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// Level says which form a signature has, the highest whose parts are there. Levels LT and above need revocation information for every
// certificate up to its root, or up to one of the anchors.
func (s *Signature) Level(anchors ...*pki.Certificate) Level {
	if s.CMS == nil {
		return NotETSI
	}
	stamped, complete, preserved := s.grown(anchors)
	switch s.SubFilter {
	case CAdES:
		switch {
		case !s.bes():
			return NotETSI
		case !s.baseline() && complete:
			return LTV
		case !s.baseline() && s.CMS.Policy != nil:
			return EPES
		case !s.baseline():
			return BES
		case preserved:
			return LTA
		case complete && stamped:
			return LevelLT
		case stamped:
			return LevelT
		}
		return LevelB
	case Detached, SHA1:
		switch signed := s.CMS.Signer.Signed; {
		case cms.Count(signed, cms.AttrMessageDigest) != 1:
			return NotETSI
		case preserved:
			return PKCS7LTA
		case complete && stamped:
			return PKCS7LT
		case stamped:
			return PKCS7T
		}
		return PKCS7B
	}
	return NotETSI
}

// grown says what came to a signature: a time-stamp over it, all validation material, a time-stamp over that.
func (s *Signature) grown(anchors []*pki.Certificate) (stamped, complete, preserved bool) {
	signers := []*cms.SignerInfo{s.CMS.Signer}
	for _, t := range s.CMS.TimeStamps {
		if t.Token != nil && t.Kind == cades.SignatureTimeStamp {
			stamped = true
			signers = append(signers, t.Token.Message.Signers...)
		}
	}
	later := s.Stamps()
	stamped = stamped || len(later) > 0
	m := s.Material()
	var last *Signature
	if n := len(later); n > 0 {
		last = later[n-1]
	}
	for _, t := range later {
		m.Add(within(t.Token))
		if t != last {
			signers = append(signers, t.Token.Message.Signers...)
		}
	}
	complete = s.doc.Store != nil && m.Complete(s.doc.known, anchors, signers...)
	if !complete || last == nil {
		return stamped, complete, false
	}
	// [EN 319 142-1 6.3] the last time-stamp is over the store.
	then, err := last.StoreThen()
	return stamped, complete, err == nil && then != nil
}

// Stamps are the readable document time-stamps over a signature, or over another time-stamp, oldest first.
func (s *Signature) Stamps() (out []*Signature) {
	for _, t := range s.doc.Signatures {
		if t != s && t.Token != nil && t.Range == nil && s.End > 0 && t.End > s.End {
			out = append(out, t)
		}
	}
	return out
}

// bes holds a signature against [EN 319 142-2 4.3], what all signatures of this encoding share.
func (s *Signature) bes() bool {
	signed := s.CMS.Signer.Signed
	return cms.Count(signed, cms.AttrMessageDigest) == 1 && cms.Count(signed, cms.AttrContentType) == 1 && len(s.CMS.Named) > 0
}

// baseline holds a signature against the table of [EN 319 142-1 6.3].
func (s *Signature) baseline() bool {
	signed := s.CMS.Signer.Signed
	holds := false
	for _, c := range s.CMS.Message.Certificates {
		holds = holds || c.Certificate != nil && s.CMS.Signer.Identifies(c.Certificate)
	}
	switch {
	case !holds, s.Time.IsZero(), s.Dict["Filter"] == nil, s.CMS.Message.ContentType != cms.ContentData,
		cms.Count(signed, cms.AttrSigningTime) > 0,
		cms.Count(signed, cms.AttrSigningCertificate)+cms.Count(signed, cms.AttrSigningCertificateV2) != 1,
		cms.Count(signed, cades.AttrCommitment) > 0 && s.Reason != "",
		cms.Count(signed, cades.AttrContentIdentifier)+cms.Count(signed, cades.AttrContentReference) > 0:
		return false
	}
	return true
}
