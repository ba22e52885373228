package cades

import (
	"bytes"
	"slices"

	"github.com/viadukt-eu/viadukt/trust/cms"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// Level says which form the signature has, the highest whose parts are there. Levels LT and above need revocation information for
// every certificate up to its root, or up to one of the anchors given.
func (s *Signature) Level(anchors ...*pki.Certificate) Level {
	if base := s.baseline(anchors); base != "" {
		return base
	}
	return s.extended(anchors)
}

func (s *Signature) has(types ...pki.OID) bool {
	for _, t := range types {
		if cms.Count(s.Signer.Unsigned, t) > 0 {
			return true
		}
	}
	return false
}

// baseline holds the signature against the table of [EN 319 122-1 6.3].
func (s *Signature) baseline(anchors []*pki.Certificate) Level {
	signed := s.Signer.Signed
	one := func(t pki.OID) bool { return cms.Count(signed, t) == 1 }
	atMostOne := func(types ...pki.OID) bool {
		for _, t := range types {
			if cms.Count(signed, t) > 1 {
				return false
			}
		}
		return true
	}
	switch {
	case s.Parent == nil && (!one(cms.AttrContentType) || s.Message.ContentType != cms.ContentData),
		!one(cms.AttrMessageDigest), !one(cms.AttrSigningTime), s.SigningTime.IsZero(), !s.namesOnce(), !s.holdsSigner(),
		!atMostOne(AttrPolicy, AttrLocation, AttrSignerAttributes, AttrSignerAttributesV2, AttrContentHints, AttrMimeType, AttrContentReference),
		one(AttrSignerAttributes) && one(AttrSignerAttributesV2),
		one(AttrMimeType) && one(AttrContentHints),
		s.has(AttrPolicyStore) && (s.Policy == nil || s.Policy.Digest == nil):
		return ""
	}
	if !s.stamped(SignatureTimeStamp) {
		if s.has(AttrCertificateRefs, AttrRevocationRefs, AttrCertificateValues, AttrRevocationValues, AttrArchiveTimeStamp, AttrArchiveTimeStampV2) {
			return ""
		}
		return LevelB
	}
	if s.has(AttrCertificateRefs, AttrRevocationRefs, AttrAttributeCertRefs, AttrAttributeRevocationRefs, AttrCertificateValues,
		AttrRevocationValues, AttrTimeStampC, AttrTimeStampRefs, AttrArchiveTimeStamp, AttrArchiveTimeStampV2, AttrLongTermValidation) {
		return ""
	}
	if !s.complete(anchors) {
		return LevelT
	}
	if s.preserved() {
		return ERS
	}
	if !s.stamped(ArchiveV3) {
		return LevelLT
	}
	return LTA
}

// namesOnce reports whether one signing certificate attribute is there.
func (s *Signature) namesOnce() bool {
	signed := s.Signer.Signed
	return cms.Count(signed, cms.AttrSigningCertificate)+cms.Count(signed, cms.AttrSigningCertificateV2) == 1 && len(s.Named) > 0
}

// holdsSigner reports whether the signer's certificate is in the message.
func (s *Signature) holdsSigner() bool {
	for _, c := range s.Message.Certificates {
		if c.Certificate != nil && s.Signer.Identifies(c.Certificate) {
			return true
		}
	}
	return false
}

// extended goes through the forms of [EN 319 122-2 5] from above.
func (s *Signature) extended(anchors []*pki.Certificate) Level {
	signed := s.Signer.Signed
	if !s.Signer.HasSigned || cms.Count(signed, cms.AttrMessageDigest) != 1 || cms.Count(signed, cms.AttrSigningTime) > 1 || !s.namesOnce() {
		return NotETSI
	}
	stamped := s.stamped(SignatureTimeStamp)
	refs := s.has(AttrCertificateRefs) && s.has(AttrRevocationRefs)
	x := s.stamped(TimeStampC, RefsTimeStamp)
	complete := (stamped || x) && s.complete(anchors)
	switch {
	case complete && s.preserved():
		return ERS
	case complete && s.stamped(Archive, ArchiveV2, ArchiveV3):
		return ExtA
	case complete && refs && x:
		return ExtXL
	case refs && x:
		return ExtX
	case refs:
		return ExtC
	case complete:
		return ExtLT
	case stamped:
		return ExtT
	case s.Policy != nil:
		return EPES
	}
	return BES
}

// stamped reports whether a readable time-stamp of one of these kinds is there.
func (s *Signature) stamped(kinds ...Kind) bool {
	for _, t := range s.TimeStamps {
		if t.Token != nil && slices.Contains(kinds, t.Kind) {
			return true
		}
	}
	return false
}

// preserved reports whether evidence records are there, at whichever signer since they are over the whole message, and all of the
// kind that fits: internal where the content is within.
func (s *Signature) preserved() bool {
	fitting, other := AttrInternalEvidence, AttrExternalEvidence
	if s.Message.Detached {
		fitting, other = other, fitting
	}
	found := false
	for _, signer := range s.Message.Signers {
		if cms.Count(signer.Unsigned, other) > 0 {
			return false
		}
		found = found || cms.Count(signer.Unsigned, fitting) > 0
	}
	return found
}

// Material is all that the signature brings along: in the message, in attributes, and in the tokens of its time-stamps.
func (s *Signature) Material() Material {
	m := Material{Certificates: slices.Clone(s.Values.Certificates), CRLs: slices.Clone(s.Values.CRLs), OCSPs: slices.Clone(s.Values.OCSPs)}
	m.addMessage(s.Message)
	for _, t := range s.TimeStamps {
		if t.Token != nil {
			m.addMessage(t.Token.Message)
			for _, signer := range t.Token.Message.Signers {
				in := &Signature{Message: t.Token.Message, Signer: signer}
				for i := range signer.Unsigned {
					in.readUnsigned(i, &signer.Unsigned[i])
				}
				m.Add(in.Values)
			}
		}
	}
	return m
}

func (m *Material) addMessage(d *cms.SignedData) {
	m.Certificates = append(m.Certificates, d.X509()...)
	for _, r := range d.Revocation {
		switch {
		case r.Format == "":
			m.CRLs = append(m.CRLs, r.Value)
		case r.OCSP():
			m.OCSPs = append(m.OCSPs, r.Value)
		}
	}
}

// complete reports whether revocation information is there for the certificates of the signer and of the time-stamps, up to their
// roots, but for those of the last archive time-stamp.
func (s *Signature) complete(anchors []*pki.Certificate) bool {
	x := newRevocationIndex(s.Material(), s.Message.Known)
	x.anchors = anchors
	if x.empty() {
		return false
	}
	if !x.covers(s.signerCertificate()) {
		return false
	}
	last := -1
	for i, t := range s.TimeStamps {
		if t.Token != nil && t.archive() && (last < 0 || t.Token.Info.Time.After(s.TimeStamps[last].Token.Info.Time)) {
			last = i
		}
	}
	for i, t := range s.TimeStamps {
		if t.Token == nil || i == last {
			continue
		}
		for _, signer := range t.Token.Message.Signers {
			if !x.covers(x.find(signer)) {
				return false
			}
		}
	}
	return true
}

func (s *Signature) signerCertificate() *pki.Certificate {
	for _, c := range s.Material().Certificates {
		if s.Signer.Identifies(c) {
			return c
		}
	}
	return nil
}

// revocationIndex answers whether there is revocation information about a certificate; what it says is not asked.
type revocationIndex struct {
	certs, anchors []*pki.Certificate
	crls           []*pki.CRL
	ocsps          []*pki.OCSPResponse
}

func newRevocationIndex(m Material, known *pki.Parsed) *revocationIndex {
	x := &revocationIndex{certs: m.Certificates}
	for _, b := range m.CRLs {
		if c, err := pki.ParseCRL(slices.Clone(b)); err == nil {
			x.crls = append(x.crls, c)
		}
	}
	for _, b := range m.OCSPs {
		if r, err := known.OCSPResponse(b); err == nil {
			x.ocsps = append(x.ocsps, r)
			x.certs = append(x.certs, r.Certificates...)
		}
	}
	return x
}

func (x *revocationIndex) empty() bool { return len(x.crls)+len(x.ocsps) == 0 }

func (x *revocationIndex) find(signer *cms.SignerInfo) *pki.Certificate {
	for _, c := range x.certs {
		if signer.Identifies(c) {
			return c
		}
	}
	return nil
}

// covers walks from a certificate to its root.
func (x *revocationIndex) covers(c *pki.Certificate) bool {
	for depth := 0; c != nil && depth < 10; depth++ {
		if c.SelfIssued() || slices.ContainsFunc(x.anchors, c.Equal) {
			return true
		}
		issuer := x.issuer(c)
		if !x.about(c, issuer) {
			return false
		}
		if issuer == nil {
			return true
		}
		c = issuer
	}
	return false
}

func (x *revocationIndex) issuer(c *pki.Certificate) *pki.Certificate {
	for _, i := range x.certs {
		if bytes.Equal(i.RawSubject, c.RawIssuer) && (c.AuthorityKeyID == nil || i.SubjectKeyID == nil || bytes.Equal(c.AuthorityKeyID, i.SubjectKeyID)) {
			return i
		}
	}
	return nil
}

func (x *revocationIndex) about(c, issuer *pki.Certificate) bool {
	for _, l := range x.crls {
		if bytes.Equal(l.RawIssuer, c.RawIssuer) || l.Issuer.Equal(c.Issuer) {
			return true
		}
	}
	for _, r := range x.ocsps {
		for i := range r.Responses {
			if r.Responses[i].SerialNumber.Cmp(c.SerialNumber) != 0 {
				continue
			}
			if issuer == nil {
				return true
			}
			if _, ok := r.Find(c, issuer); ok {
				return true
			}
		}
	}
	return false
}

// Add takes in what another one has.
func (m *Material) Add(o Material) {
	m.Certificates = append(m.Certificates, o.Certificates...)
	m.CRLs = append(m.CRLs, o.CRLs...)
	m.OCSPs = append(m.OCSPs, o.OCSPs...)
}

// Complete reports whether revocation information is there for the certificates of signers up to their roots, or up to one of the
// anchors. What it says is not asked. Certificates that known remembers are not parsed again; it may be nil.
func (m Material) Complete(known *pki.Parsed, anchors []*pki.Certificate, signers ...*cms.SignerInfo) bool {
	x := newRevocationIndex(m, known)
	x.anchors = anchors
	return !x.empty() && !slices.ContainsFunc(signers, func(s *cms.SignerInfo) bool { return !x.covers(x.find(s)) || !x.roots(x.find(s)) })
}

// roots reports whether the certificates above one are there.
func (x *revocationIndex) roots(c *pki.Certificate) bool {
	for depth := 0; c != nil && depth < 10; depth++ {
		if c.SelfIssued() || slices.ContainsFunc(x.anchors, c.Equal) {
			return true
		}
		c = x.issuer(c)
	}
	return false
}
