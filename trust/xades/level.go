package xades

import (
	"slices"
	"strings"

	"github.com/viadukt-eu/viadukt/trust/xmldsig"
	"github.com/viadukt-eu/viadukt/xmlcore/c14n"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Level names how far a signature goes, by the properties that it has. It says nothing about whether these hold.
type Level string

// The levels: baseline [EN 319 132-1 6], then the extended ones of EN 319 132-2 and of the older editions.
const (
	NotAdvanced Level = "XML-NOT-ETSI"
	BaselineB   Level = "XAdES-BASELINE-B"
	BaselineT   Level = "XAdES-BASELINE-T"
	BaselineLT  Level = "XAdES-BASELINE-LT"
	BaselineLTA Level = "XAdES-BASELINE-LTA"
	BES         Level = "XAdES-BES"
	EPES        Level = "XAdES-EPES"
	ExtendedT   Level = "XAdES-T"
	ExtendedLT  Level = "XAdES-LT"
	ExtendedC   Level = "XAdES-C"
	ExtendedX   Level = "XAdES-X"
	ExtendedXL  Level = "XAdES-XL"
	ExtendedA   Level = "XAdES-A"
	ERS         Level = "XAdES-ERS"
)

// Level returns the highest level whose properties are all there.
func (c *Checked) Level() Level {
	s := c.Signature
	signer := len(s.Certificates) > 0 || c.signsKeyInfo()
	if !s.Signed.Valid() || !signer || !c.formatsResolve() {
		return NotAdvanced
	}
	has := func(names ...string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return s.counts[n] > 0 })
	}
	stamped := has(string(SignatureTimeStamp))
	// What stands in TimeStampValidationData is about a time-stamp, not about the signer.
	certificates := has("CertificateValues", "AnyValidationData") || len(c.KeyInfo) > 1
	revocation := has("RevocationValues", "AnyValidationData") && len(s.Material.CRLs)+len(s.Material.OCSPs) > 0
	refs := has("CompleteCertificateRefs", "CompleteCertificateRefsV2") && has("CompleteRevocationRefs")
	refsStamped := has(string(SigAndRefs), string(RefsOnly), string(sigAndRefsV2), string(refsOnlyV2))
	archived := has(string(Archive))
	if has(namespaceERS) && stamped && certificates && revocation {
		return ERS // what a record seals without that is no more than it was
	}
	if c.baseline() {
		forbidden := refsStamped || has("CompleteCertificateRefs", "CompleteCertificateRefsV2", "CompleteRevocationRefs", "AttributeCertificateRefs", "AttributeCertificateRefsV2", "AttributeRevocationRefs")
		switch {
		case !forbidden && !stamped && !archived:
			return BaselineB
		case !forbidden && stamped && s.oneTokenEach(SignatureTimeStamp):
			switch {
			case !(certificates && revocation) && !archived:
				return BaselineT
			case certificates && revocation && !archived:
				return BaselineLT
			case certificates && revocation:
				return BaselineLTA
			}
		}
	}
	switch {
	case archived:
		return ExtendedA
	case stamped && refs && refsStamped && certificates && revocation:
		return ExtendedXL
	case stamped && refs && refsStamped:
		return ExtendedX
	case stamped && refs:
		return ExtendedC
	case stamped && certificates && revocation:
		return ExtendedLT
	case stamped:
		return ExtendedT
	case s.Policy != nil:
		return EPES
	}
	return BES
}

func (s *Signature) oneTokenEach(kind Kind) bool {
	for _, t := range s.TimeStamps {
		if t.Kind == kind && len(t.Tokens) != 1 {
			return false
		}
	}
	return true
}

// signsKeyInfo tells whether ds:KeyInfo is signed, which identified the signer before SigningCertificate had to.
func (c *Checked) signsKeyInfo() bool {
	for i := range c.References {
		if t := c.References[i].Target; t.Valid() && t == c.Examination.KeyInfo {
			return true
		}
	}
	return false
}

// baseline holds the signature to what level B of the baseline asks for [EN 319 132-1 6.3].
func (c *Checked) baseline() bool {
	s := c.Signature
	once := func(names ...string) bool {
		n := 0
		for _, name := range names {
			n += s.counts[name]
		}
		return n == 1
	}
	atMostOnce := func(names ...string) bool {
		n := 0
		for _, name := range names {
			n += s.counts[name]
		}
		return n <= 1
	}
	if s.Namespace != Namespace || c.Signer == nil ||
		!slices.ContainsFunc(c.KeyInfo, c.Signer.Equal) ||
		!once("SigningTime") || !once("SigningCertificate", "SigningCertificateV2") ||
		!atMostOnce("SignerRole", "SignerRoleV2") || !atMostOnce("SignatureProductionPlace", "SignatureProductionPlaceV2") || !atMostOnce("SignaturePolicyIdentifier") ||
		!c.hasPropertiesReference() || len(c.References) < 2 {
		return false
	}
	if s.counts["SignaturePolicyStore"] > 0 && (s.Policy == nil || s.Policy.Digest == nil) {
		return false
	}
	switch c.Canonicalization.Algorithm {
	case c14n.Inclusive10, c14n.Inclusive10Comments, c14n.Inclusive11, c14n.Inclusive11Comments, c14n.Exclusive10, c14n.Exclusive10Comments:
	default:
		return false
	}
	return c.formatted()
}

func (c *Checked) hasPropertiesReference() bool {
	return slices.ContainsFunc(c.References, func(r xmldsig.Reference) bool { return isSignedProperties(r.Type) })
}

// formatsResolve tells whether each format says something about a reference that there is [EN 319 132-1 5.2.4].
func (c *Checked) formatsResolve() bool {
	for _, f := range c.Formats {
		id, ok := strings.CutPrefix(f.Reference, "#")
		if !ok || c.byID(id) < 0 && !c.inManifest(id) || f.Description == "" && f.ObjectIdentifier == "" && f.MimeType == "" {
			return false
		}
	}
	return true
}

// inManifest tells whether a reference of a manifest in the signature has that ID.
func (c *Checked) inManifest(id string) bool {
	for n := range c.Node.Descendants() {
		if n.Kind() == dom.ElementNode && n.Is(xmldsig.Namespace, "Reference") && n.Attr("Id") == id && id != "" {
			return true
		}
	}
	return false
}

// formatted tells whether each signed object but the properties has a format with its media type. The form of a
// counter-signature, and what is part of the signature itself, say that already.
func (c *Checked) formatted() bool {
	for i := range c.References {
		r := &c.References[i]
		if isSignedProperties(r.Type) || strings.TrimSpace(r.Type) == TypeCountersignature || r.Type == xmldsig.TypeManifest || r.Type == xmldsig.TypeSignatureProperties || r.Target.Valid() && r.Target == c.Examination.KeyInfo {
			continue
		}
		found := false
		for _, f := range c.Formats {
			if f.Reference == "#"+r.ID && r.ID != "" && f.MimeType != "" {
				found = true
			}
		}
		if !found {
			return false
		}
	}
	return true
}
