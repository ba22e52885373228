package cades

import (
	"encoding/hex"
	"strings"
	"unicode/utf16"

	"github.com/viadukt-eu/viadukt/trust/ber"
	"github.com/viadukt-eu/viadukt/trust/cms"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"golang.org/x/crypto/cryptobyte/asn1"
)

const maxItems = 10000 // of a list within an attribute

func explicit(n uint8) asn1.Tag { return asn1.Tag(n).ContextSpecific().Constructed() }

func read(m *cms.SignedData, signer *cms.SignerInfo, parent *Signature) *Signature {
	s := &Signature{Message: m, Signer: signer, Parent: parent, SigningTime: signer.SigningTime()}
	var err error
	s.Named, err = cms.SigningCertificates(signer.Signed)
	s.problem("signing certificate", err)
	for i := range signer.Signed {
		s.readSigned(&signer.Signed[i])
	}
	for i := range signer.Unsigned {
		s.readUnsigned(i, &signer.Unsigned[i])
	}
	counter, err := signer.CounterSignatures()
	s.problem("counter-signature", err)
	for _, c := range counter {
		s.CounterSignatures = append(s.CounterSignatures, read(m, c, s))
	}
	return s
}

func (s *Signature) readSigned(a *cms.Attribute) {
	for _, v := range a.Values {
		e, err := ber.Parse(v)
		if err != nil {
			s.problem("attribute "+string(a.Type), err)
			continue
		}
		switch a.Type {
		case AttrPolicy:
			if s.Policy == nil {
				s.Policy, err = parsePolicy(e)
			}
		case AttrCommitment:
			var c Commitment
			if c, err = parseCommitment(e); err == nil {
				s.Commitments = append(s.Commitments, c)
			}
		case AttrLocation:
			s.Location, err = parseLocation(e)
		case AttrSignerAttributes, AttrSignerAttributesV2:
			err = s.parseSignerAttributes(e)
		case AttrContentHints:
			s.Hints, err = parseHints(e)
		case AttrMimeType:
			s.MimeType, err = text(e)
		case AttrContentIdentifier:
			s.Identifier, err = e.Bytes()
		case AttrContentReference:
			s.Reference = v
		case AttrContentTimeStamp:
			s.addTimeStamp(ContentTimeStamp, -1, v)
		case AttrRevocationArchival:
			err = s.parseRevocationValues(e)
		}
		s.problem("attribute "+string(a.Type), err)
	}
}

func (s *Signature) readUnsigned(i int, a *cms.Attribute) {
	kind, stamp := kinds[a.Type]
	for _, v := range a.Values {
		if stamp {
			s.addTimeStamp(kind, i, v)
			continue
		}
		var err error
		switch a.Type {
		case AttrCertificateValues, AttrRevocationValues, AttrPolicyStore, AttrCertificateRefs, AttrRevocationRefs, AttrAttributeCertRefs, AttrAttributeRevocationRefs:
			var e ber.Element
			if e, err = ber.Parse(v); err != nil {
				break
			}
			switch a.Type {
			case AttrCertificateValues:
				err = s.parseCertificateValues(e)
			case AttrRevocationValues:
				err = s.parseRevocationValues(e)
			case AttrPolicyStore:
				s.PolicyStore, err = parseStore(e)
			default:
				err = s.parseRefs(a.Type, e)
			}
		case AttrInternalEvidence, AttrExternalEvidence:
			s.EvidenceRecords = append(s.EvidenceRecords, EvidenceRecord{a.Type == AttrInternalEvidence, v, i})
		}
		s.problem("attribute "+string(a.Type), err)
	}
}

func oid(r *ber.Reader) (pki.OID, error) {
	e, err := r.Read(asn1.OBJECT_IDENTIFIER, "object identifier")
	if err != nil {
		return "", err
	}
	o, ok := pki.DecodeOID(e.Content)
	if !ok {
		return "", e.Errorf("object identifier")
	}
	return o, nil
}

// text reads any string type.
func text(e ber.Element) (string, error) {
	b, err := e.Bytes()
	if err != nil {
		return "", err
	}
	switch e.Tag &^ 0x20 {
	case 30: // BMPString
		u := make([]uint16, len(b)/2)
		for i := range u {
			u[i] = uint16(b[2*i])<<8 | uint16(b[2*i+1])
		}
		return string(utf16.Decode(u)), nil
	case 28: // UniversalString
		var r []rune
		for ; len(b) >= 4; b = b[4:] {
			r = append(r, rune(b[0])<<24|rune(b[1])<<16|rune(b[2])<<8|rune(b[3]))
		}
		return string(r), nil
	case 12, 18, 19, 20, 22, 26, 27:
		return strings.ToValidUTF8(string(b), "\uFFFD"), nil
	}
	return "", e.Errorf("a text expected, found tag %#02x", byte(e.Tag))
}

// each calls f for the children of an element.
func each(e ber.Element, f func(ber.Element) error) error {
	n := 0
	for r := e.Children(); !r.Empty(); {
		c, err := r.Next()
		if err != nil {
			return err
		}
		if n++; n > maxItems {
			return c.Errorf("more than %d items", maxItems)
		}
		if err := f(c); err != nil {
			return err
		}
	}
	return nil
}

func parsePolicy(e ber.Element) (*Policy, error) {
	if e.Tag == asn1.NULL {
		return &Policy{Implied: true}, nil
	}
	p := &Policy{}
	r := e.Children()
	var err error
	if p.ID, err = oid(&r); err != nil {
		return nil, err
	}
	if r.Is(asn1.SEQUENCE) {
		h, err := r.Next()
		if err != nil {
			return p, err
		}
		in := h.Children()
		a, err := in.Read(asn1.SEQUENCE, "digest algorithm of the policy")
		if err != nil {
			return p, err
		}
		alg := a.Children()
		if p.HashOID, err = oid(&alg); err != nil {
			return p, err
		}
		d, err := in.Read(asn1.OCTET_STRING, "digest of the policy")
		if err != nil {
			return p, err
		}
		if p.Digest, err = d.Bytes(); err != nil {
			return p, err
		}
	}
	if r.Empty() {
		return p, nil
	}
	q, err := r.Next()
	if err != nil {
		return p, err
	}
	return p, each(q, p.parseQualifier)
}

func (p *Policy) parseQualifier(e ber.Element) error {
	r := e.Children()
	o, err := oid(&r)
	if err != nil || r.Empty() {
		return err
	}
	v, err := r.Next()
	if err != nil {
		return err
	}
	switch o {
	case "1.2.840.113549.1.9.16.5.1":
		p.URI, err = text(v)
	case "1.2.840.113549.1.9.16.5.2": // SEQUENCE { NoticeReference?, DisplayText? }
		err = each(v, func(c ber.Element) (err error) {
			if c.Tag != asn1.SEQUENCE {
				p.Notice, err = text(c)
			}
			return err
		})
	case "0.4.0.19122.2.1":
		p.Specification, err = specification(v)
	}
	return err
}

// specification is CHOICE { OID, URI } [EN 319 122-1 5.2.9.2].
func specification(e ber.Element) (string, error) {
	if e.Tag == asn1.OBJECT_IDENTIFIER {
		o, ok := pki.DecodeOID(e.Content)
		if !ok {
			return "", e.Errorf("object identifier")
		}
		return string(o), nil
	}
	return text(e)
}

func parseStore(e ber.Element) (*PolicyStore, error) {
	r := e.Children()
	spec, err := r.Next()
	if err != nil {
		return nil, err
	}
	p := &PolicyStore{}
	if p.Specification, err = specification(spec); err != nil {
		return nil, err
	}
	doc, err := r.Next()
	if err != nil {
		return nil, err
	}
	if doc.Tag&^0x20 == asn1.OCTET_STRING {
		p.Document, err = doc.Bytes()
	} else {
		p.URI, err = text(doc)
	}
	return p, err
}

func parseCommitment(e ber.Element) (c Commitment, err error) {
	r := e.Children()
	if c.ID, err = oid(&r); err != nil || r.Empty() {
		return c, err
	}
	q, err := r.Next()
	if err != nil {
		return c, err
	}
	return c, each(q, func(e ber.Element) error {
		c.Qualifiers = append(c.Qualifiers, e.Raw)
		return nil
	})
}

func parseLocation(e ber.Element) (*Location, error) {
	l := &Location{}
	err := each(e, func(c ber.Element) error {
		switch c.Tag {
		case explicit(0), explicit(1):
			in := c.Children()
			v, err := in.Next()
			if err != nil {
				return err
			}
			s, err := text(v)
			if c.Tag == explicit(0) {
				l.Country = s
			} else {
				l.Locality = s
			}
			return err
		case explicit(2):
			add := func(v ber.Element) error {
				s, err := text(v)
				l.Postal = append(l.Postal, s)
				return err
			}
			return each(c, func(v ber.Element) error {
				if v.Tag == asn1.SEQUENCE {
					return each(v, add)
				}
				return add(v)
			})
		}
		return c.Errorf("location has tag %#02x", byte(c.Tag))
	})
	return l, err
}

// parseSignerAttributes reads both versions: claimed [0], certified [1], assertions [2].
func (s *Signature) parseSignerAttributes(e ber.Element) error {
	return each(e, func(c ber.Element) error {
		switch c.Tag {
		case explicit(0):
			return each(c, func(list ber.Element) error {
				r := list.Children()
				if list.Tag == asn1.SEQUENCE && !r.Is(asn1.OBJECT_IDENTIFIER) { // [0] explicit: SEQUENCE OF Attribute within
					return each(list, s.parseClaimed)
				}
				return s.parseClaimed(list)
			})
		case explicit(1):
			s.Certified = append(s.Certified, c.Content)
		case explicit(2):
			s.Assertions = append(s.Assertions, c.Content)
		}
		return nil
	})
}

func (s *Signature) parseClaimed(e ber.Element) error {
	r := e.Children()
	o, err := oid(&r)
	if err != nil {
		return err
	}
	a := ClaimedAttribute{Type: o}
	set, err := r.Read(asn1.SET, "values of a claimed attribute")
	if err != nil {
		return err
	}
	err = each(set, func(v ber.Element) error {
		t, err := text(v)
		if err != nil {
			t = hex.EncodeToString(v.Raw)
		}
		a.Values = append(a.Values, t)
		return nil
	})
	s.Claimed = append(s.Claimed, a)
	return err
}

func parseHints(e ber.Element) (*ContentHints, error) {
	h := &ContentHints{}
	r := e.Children()
	if !r.Is(asn1.OBJECT_IDENTIFIER) {
		d, err := r.Next()
		if err != nil {
			return nil, err
		}
		if h.Description, err = text(d); err != nil {
			return nil, err
		}
	}
	var err error
	h.Type, err = oid(&r)
	return h, err
}

func (s *Signature) parseCertificateValues(e ber.Element) error {
	return each(e, func(c ber.Element) error {
		der, err := c.DER()
		if err != nil {
			return err
		}
		cert, err := s.Message.Known.Certificate(der)
		if err != nil {
			s.problem("certificate-values", err) // the others are of use all the same
			return nil
		}
		s.Values.Certificates = append(s.Values.Certificates, cert)
		return nil
	})
}

// parseRevocationValues reads RevocationValues [EN 319 122-1 A.1.2]: CRLs [0], BasicOCSPResponses [1]; and the archival of
// PDF, which has OCSPResponses there.
func (s *Signature) parseRevocationValues(e ber.Element) error {
	return each(e, func(c ber.Element) error {
		if c.Tag != explicit(0) && c.Tag != explicit(1) {
			return nil
		}
		return each(c, func(list ber.Element) error {
			return each(list, func(v ber.Element) error {
				der, err := v.DER()
				if err != nil {
					return err
				}
				if c.Tag == explicit(0) {
					s.Values.CRLs = append(s.Values.CRLs, der)
				} else {
					s.Values.OCSPs = append(s.Values.OCSPs, der)
				}
				return nil
			})
		})
	})
}
