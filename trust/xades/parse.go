package xades

import (
	"slices"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/xmldsig"
	"github.com/viadukt-eu/viadukt/xmlcore/c14n"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Find returns the signatures of a document that are no counter-signatures within another, in document order.
func Find(d *dom.Document) []dom.Node {
	var out []dom.Node
	for i := 0; i < d.Len(); {
		n := d.At(i)
		if n.Kind() == dom.ElementNode && n.Is(xmldsig.Namespace, "Signature") {
			out = append(out, n)
			i = n.End()
			continue
		}
		i++
	}
	return out
}

// Parse reads a ds:Signature and its properties. A signature without properties is no error: Properties is zero then.
func Parse(sig dom.Node) (*Signature, error) { return ParseWith(sig, nil) }

// ParseWith is [Parse]; certificates that known remembers are not parsed again.
func ParseWith(sig dom.Node, known *pki.Parsed) (*Signature, error) {
	if !sig.Is(xmldsig.Namespace, "Signature") {
		return nil, sig.Errorf("%w: no ds:Signature", ErrStructure)
	}
	s := &Signature{Node: sig, ID: sig.Attr("Id"), Value: xmldsig.ValueOf(sig), known: known, counts: map[string]int{}}
	if !s.Value.Valid() {
		return nil, sig.Errorf("%w: no value", ErrStructure)
	}
	for object := range sig.Elements() {
		if !object.Is(xmldsig.Namespace, "Object") {
			continue
		}
		for q := range object.Elements() {
			if q.Local() != "QualifyingProperties" || !isNamespace(q.Space()) {
				continue
			}
			if s.Properties.Valid() {
				return nil, q.Errorf("%w: a second QualifyingProperties in one signature [EN 319 132-1 4.3.2]", ErrStructure)
			}
			s.Properties = q
		}
	}
	if !s.Properties.Valid() {
		return s, nil
	}
	s.Namespace, s.Target = s.Properties.Space(), s.Properties.Attr("Target")
	s.Signed = s.Properties.Child(s.Namespace, "SignedProperties")
	if s.Signed.Valid() {
		if err := s.parseSigned(); err != nil {
			return nil, err
		}
	}
	if u := s.Properties.Child(s.Namespace, "UnsignedProperties"); u.Valid() {
		s.Unsigned = u.Child(s.Namespace, "UnsignedSignatureProperties")
		if s.Unsigned.Valid() {
			s.parseUnsigned()
		}
	}
	return s, nil
}

// Counter reads the i-th counter-signature.
func (s *Signature) Counter(i int) (*Signature, error) {
	c, err := ParseWith(s.CounterSignatures[i], s.known)
	if err != nil {
		return nil, err
	}
	c.parent = s
	return c, nil
}

func isNamespace(space string) bool {
	return space == Namespace || space == namespace122 || space == namespace111
}

func (s *Signature) is(n dom.Node, local string) bool { return n.Is(s.Namespace, local) }

func (s *Signature) parseSigned() error {
	for group := range s.Signed.Elements() {
		switch {
		case s.is(group, "SignedSignatureProperties"):
			for n := range group.Elements() {
				if err := s.parseSignedProperty(n); err != nil {
					return err
				}
			}
		case s.is(group, "SignedDataObjectProperties"):
			for n := range group.Elements() {
				if err := s.parseObjectProperty(n); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (s *Signature) parseSignedProperty(n dom.Node) (err error) {
	if n.Space() != s.Namespace {
		return nil
	}
	s.counts[n.Local()]++
	switch n.Local() {
	case "SigningTime":
		s.SigningTime, err = parseTime(n.TrimmedText())
		if err != nil {
			return n.Errorf("%w: SigningTime %q is no date and time", ErrStructure, n.TrimmedText())
		}
	case "SigningCertificate", "SigningCertificateV2":
		for c := range n.Elements() {
			if !s.is(c, "Cert") {
				continue
			}
			r, err := s.parseCertificateReference(c, n.Local() == "SigningCertificateV2")
			if err != nil {
				return err
			}
			s.Certificates = append(s.Certificates, r)
		}
	case "SignaturePolicyIdentifier":
		s.Policy, err = s.parsePolicy(n)
	case "SignatureProductionPlace", "SignatureProductionPlaceV2":
		text := func(local string) string { return n.Child(s.Namespace, local).TrimmedText() }
		s.Place = &Place{text("City"), text("StreetAddress"), text("StateOrProvince"), text("PostalCode"), text("CountryName")}
	case "SignerRole", "SignerRoleV2":
		for r := range n.Child(s.Namespace, "ClaimedRoles").Elements() {
			s.Roles = append(s.Roles, r.TrimmedText())
		}
	}
	return err
}

// parseTime reads xs:dateTime; one without an offset counts as UTC.
func parseTime(s string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		t, err = time.Parse("2006-01-02T15:04:05.999999999", s)
	}
	return t.UTC(), err
}

func (s *Signature) parseCertificateReference(n dom.Node, v2 bool) (r CertificateReference, err error) {
	r.V2, r.URI = v2, n.Attr("URI")
	d := n.Child(s.Namespace, "CertDigest")
	if r.DigestMethod, r.Digest, err = digestOf(d, n); err != nil {
		return r, err
	}
	if i := n.Child(s.Namespace, "IssuerSerialV2"); i.Valid() {
		if r.IssuerSerial, err = xmldsig.DecodeBase64(i, maxProperty); err != nil {
			r.IssuerSerial = []byte{} // that of no certificate
		}
	}
	if i := n.Child(s.Namespace, "IssuerSerial"); i.Valid() {
		r.Issuer = i.Child(xmldsig.Namespace, "X509IssuerName").TrimmedText()
		r.Serial = i.Child(xmldsig.Namespace, "X509SerialNumber").TrimmedText()
	}
	return r, nil
}

// digestOf reads ds:DigestMethod and ds:DigestValue below d.
func digestOf(d, parent dom.Node) (method string, value []byte, err error) {
	m, v := d.Child(xmldsig.Namespace, "DigestMethod"), d.Child(xmldsig.Namespace, "DigestValue")
	if d.Space() == namespace111 { // which had its own
		m, v = d.Child(namespace111, "DigestMethod"), d.Child(namespace111, "DigestValue")
	}
	if !m.Valid() || !v.Valid() {
		return "", nil, parent.Errorf("%w: a digest needs ds:DigestMethod and ds:DigestValue", ErrStructure)
	}
	value, err = xmldsig.DecodeBase64(v, 1024)
	return m.Attr("Algorithm"), value, err
}

func (s *Signature) parsePolicy(n dom.Node) (*Policy, error) {
	p := &Policy{}
	id := n.Child(s.Namespace, "SignaturePolicyId")
	if !id.Valid() {
		if !n.Child(s.Namespace, "SignaturePolicyImplied").Valid() {
			return nil, n.Errorf("%w: neither SignaturePolicyId nor SignaturePolicyImplied [EN 319 132-1 5.2.9]", ErrStructure)
		}
		p.Implied = true
		return p, nil
	}
	object := id.Child(s.Namespace, "SigPolicyId")
	identifier := object.Child(s.Namespace, "Identifier")
	p.ID, p.Qualifier = identifier.TrimmedText(), identifier.Attr("Qualifier")
	p.Description = object.Child(s.Namespace, "Description").TrimmedText()
	if h := id.Child(s.Namespace, "SigPolicyHash"); h.Valid() {
		var err error
		if p.DigestMethod, p.Digest, err = digestOf(h, h); err != nil {
			return nil, err
		}
	}
	for q := range id.Child(s.Namespace, "SigPolicyQualifiers").Elements() {
		for d := range q.Elements() {
			switch d.Local() {
			case "SPURI":
				p.URI = d.TrimmedText()
			case "SPUserNotice":
				p.Notice = d.Child(s.Namespace, "ExplicitText").TrimmedText()
			}
		}
	}
	return p, nil
}

func (s *Signature) parseObjectProperty(n dom.Node) error {
	if n.Space() != s.Namespace {
		return nil
	}
	s.counts[n.Local()]++
	text := func(local string) string { return n.Child(s.Namespace, local).TrimmedText() }
	switch n.Local() {
	case "DataObjectFormat":
		s.Formats = append(s.Formats, DataObjectFormat{
			Reference: n.Attr("ObjectReference"), Description: text("Description"), MimeType: text("MimeType"), Encoding: text("Encoding"),
			ObjectIdentifier: n.Child(s.Namespace, "ObjectIdentifier").Child(s.Namespace, "Identifier").TrimmedText(),
		})
	case "CommitmentTypeIndication":
		id := n.Child(s.Namespace, "CommitmentTypeId")
		c := Commitment{ID: id.Child(s.Namespace, "Identifier").TrimmedText(), Description: id.Child(s.Namespace, "Description").TrimmedText()}
		for r := range n.Elements() {
			if s.is(r, "ObjectReference") {
				c.References = append(c.References, r.TrimmedText())
			}
		}
		s.Commitments = append(s.Commitments, c)
	case string(AllDataObjects), string(IndividualDataObjects):
		return s.parseTimeStamp(n, Kind(n.Local()))
	}
	return nil
}

func (s *Signature) parseUnsigned() {
	for n := range s.Unsigned.Elements() {
		s.before = append(s.before, extent{n, len(s.Material.Certificates), len(s.Material.CRLs), len(s.Material.OCSPs)})
		s.parseUnsignedProperty(n)
	}
}

func (s *Signature) parseUnsignedProperty(n dom.Node) {
	if n.Space() == namespaceERS {
		s.counts[namespaceERS]++
		s.parseEvidence(n)
	}
	if n.Space() != s.Namespace && n.Space() != Namespace141 {
		return
	}
	s.counts[n.Local()]++
	var err error
	switch n.Local() {
	case string(SignatureTimeStamp), string(SigAndRefs), string(RefsOnly), string(sigAndRefsV2), string(refsOnlyV2):
		err = s.parseTimeStamp(n, Kind(n.Local()))
	case string(Archive):
		kind := Archive
		if n.Space() != Namespace141 {
			kind = archive132
			s.counts[string(archive132)]++
		}
		err = s.parseTimeStamp(n, kind)
	case "CertificateValues", "AttrAuthoritiesCertValues":
		err = s.parseCertificates(n)
	case "RevocationValues", "AttributeRevocationValues":
		s.parseRevocation(n)
	case "TimeStampValidationData", "AnyValidationData":
		for v := range n.Elements() {
			switch v.Local() {
			case "CertificateValues":
				err = s.parseCertificates(v)
			case "RevocationValues":
				s.parseRevocation(v)
			}
			s.noteUnreadable(err)
			err = nil
		}
	case "CounterSignature":
		if c := n.Child(xmldsig.Namespace, "Signature"); c.Valid() {
			s.CounterSignatures = append(s.CounterSignatures, c)
		}
	}
	s.noteUnreadable(err)
}

// parseEvidence reads SealingEvidenceRecords.
func (s *Signature) parseEvidence(n dom.Node) {
	for e := range n.Elements() {
		if len(s.EvidenceRecords) == maxTimeStamps {
			s.noteUnreadable(e.Errorf("%w: more than %d evidence records", ErrStructure, maxTimeStamps))
			return
		}
		r := EvidenceRecord{Property: n}
		if e.Is(namespaceERS, "ASN1EvidenceRecord") {
			var err error
			if r.ASN1, err = xmldsig.DecodeBase64(e, maxProperty); err != nil {
				s.noteUnreadable(err)
				continue
			}
		} else {
			r.Node = e
		}
		s.EvidenceRecords = append(s.EvidenceRecords, r)
	}
}

func (s *Signature) noteUnreadable(err error) {
	if err != nil {
		s.Unreadable = append(s.Unreadable, err)
	}
}

func (s *Signature) parseTimeStamp(n dom.Node, kind Kind) error {
	if len(s.TimeStamps) == maxTimeStamps {
		return n.Errorf("%w: more than %d time-stamps", ErrStructure, maxTimeStamps)
	}
	t := &TimeStamp{Kind: kind, Node: n, ID: n.Attr("Id"), Canonicalization: c14n.Method{Algorithm: c14n.Inclusive10}}
	for e := range n.Elements() {
		switch e.Local() {
		case "CanonicalizationMethod":
			if e.Attr("Algorithm") == "" {
				break // as if it were absent
			}
			m, err := c14n.ParseMethod(e)
			if err != nil {
				return err
			}
			t.Canonicalization = m
		case "Include", "HashDataInfo":
			uri := e.Attr("URI")
			if uri == "" {
				uri = e.Attr("uri")
			}
			t.Include = append(t.Include, uri)
		case "EncapsulatedTimeStamp":
			der, err := xmldsig.DecodeBase64(e, maxProperty)
			if err != nil {
				return err
			}
			t.Tokens = append(t.Tokens, der)
		case "XMLTimeStamp":
			t.XML = true
		}
	}
	s.TimeStamps = append(s.TimeStamps, t)
	return nil
}

func (s *Signature) parseCertificates(n dom.Node) error {
	for e := range n.Elements() {
		if e.Local() != "EncapsulatedX509Certificate" {
			continue
		}
		if len(s.Material.Certificates) == maxCertificates {
			return e.Errorf("%w: more than %d certificates", ErrStructure, maxCertificates)
		}
		der, err := xmldsig.DecodeBase64(e, maxProperty)
		if err != nil {
			s.noteUnreadable(err)
			continue
		}
		c, err := s.known.Certificate(der)
		if err != nil {
			s.noteUnreadable(e.Errorf("%w: %w", ErrStructure, err))
			continue
		}
		s.Material.Certificates = append(s.Material.Certificates, c)
	}
	return nil
}

func (s *Signature) parseRevocation(n dom.Node) {
	for list := range n.Elements() {
		for e := range list.Elements() {
			var to *[][]byte
			switch e.Local() {
			case "EncapsulatedCRLValue":
				to = &s.Material.CRLs
			case "EncapsulatedOCSPValue":
				to = &s.Material.OCSPs
			default:
				continue
			}
			der, err := xmldsig.DecodeBase64(e, maxProperty)
			if err != nil {
				s.noteUnreadable(err)
				continue
			}
			*to = append(*to, der)
		}
	}
}

// Has tells whether there is a time-stamp of a kind.
func (s *Signature) Has(kind Kind) bool {
	return slices.ContainsFunc(s.TimeStamps, func(t *TimeStamp) bool { return t.Kind == kind })
}

// MaterialBefore returns the material of the unsigned properties that stand before one: what a time-stamp or record in it covers.
func (s *Signature) MaterialBefore(property dom.Node) Material {
	m := s.Material
	for _, x := range s.before {
		if x.property == property {
			m.Certificates, m.CRLs, m.OCSPs = m.Certificates[:x.certs], m.CRLs[:x.crls], m.OCSPs[:x.ocsps]
			break
		}
	}
	return Material{slices.Clip(m.Certificates), slices.Clip(m.CRLs), slices.Clip(m.OCSPs)}
}

// isSignedProperties tells the Type of a reference to SignedProperties, in the forms of all versions.
func isSignedProperties(t string) bool {
	return slices.Contains([]string{TypeSignedProperties, typeSignedPropertiesV111, typeSignedPropertiesV122, typeSignedPropertiesV132}, strings.TrimSpace(t))
}
