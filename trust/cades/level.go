package cades

import (
	"github.com/viadukt-eu/viadukt/trust/cms"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// Level says which form the signature has, the highest whose parts are there. Only forms are asked for, so that the answer does not
// depend on content or trust.
func (s *Signature) Level() Level {
	if base := s.baseline(); base != "" {
		return base
	}
	return s.extended()
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
func (s *Signature) baseline() Level {
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
	if !s.has(AttrSignatureTimeStamp) {
		if s.has(AttrCertificateRefs, AttrRevocationRefs, AttrCertificateValues, AttrRevocationValues, AttrArchiveTimeStamp, AttrArchiveTimeStampV2) {
			return ""
		}
		return LevelB
	}
	if s.has(AttrCertificateRefs, AttrRevocationRefs, AttrAttributeCertRefs, AttrAttributeRevocationRefs, AttrCertificateValues,
		AttrRevocationValues, AttrTimeStampC, AttrTimeStampRefs, AttrArchiveTimeStamp, AttrArchiveTimeStampV2, AttrLongTermValidation) {
		return ""
	}
	if len(s.Message.Revocation) == 0 {
		return LevelT
	}
	if !s.has(AttrArchiveTimeStampV3) {
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
func (s *Signature) extended() Level {
	signed := s.Signer.Signed
	if !s.Signer.HasSigned || cms.Count(signed, cms.AttrMessageDigest) != 1 || !s.namesOnce() {
		return NotETSI
	}
	stamped := s.has(AttrSignatureTimeStamp)
	refs := s.has(AttrCertificateRefs) && s.has(AttrRevocationRefs)
	values := s.has(AttrCertificateValues) && s.has(AttrRevocationValues)
	x := s.has(AttrTimeStampC, AttrTimeStampRefs)
	switch {
	case len(s.EvidenceRecords) > 0:
		return ERS
	case s.has(AttrArchiveTimeStamp, AttrArchiveTimeStampV2, AttrArchiveTimeStampV3):
		return ExtA
	case refs && values && x:
		return ExtXL
	case refs && x:
		return ExtX
	case refs:
		return ExtC
	case stamped && len(s.Message.Revocation) > 0:
		return ExtLT
	case stamped:
		return ExtT
	case s.Policy != nil:
		return EPES
	}
	return BES
}
