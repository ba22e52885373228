package cades

import (
	"crypto"
	"time"

	"github.com/viadukt-eu/viadukt/trust/ber"
	"github.com/viadukt-eu/viadukt/trust/cms"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// References name the validation material of the extended forms by digest [EN 319 122-1 A.1.1, A.1.2, A.1.3, A.1.4].
type References struct {
	Certificates          []cms.CertID
	AttributeCertificates []cms.CertID
	Revocation            []RevocationReference
	AttributeRevocation   []RevocationReference
}

// RevocationReference names a list or an OCSP response.
type RevocationReference struct {
	OCSP      bool
	HashOID   pki.OID
	Hash      crypto.Hash // 0 where unknown or absent
	Digest    []byte      // nil where an OCSP response is named without
	Produced  time.Time   // of an OCSP response
	Responder []byte      // DER of its ResponderID
}

// Matches reports whether the digest is that of a list or response in DER.
func (r RevocationReference) Matches(der []byte) bool {
	if !r.Hash.Available() || r.Digest == nil {
		return false
	}
	h := r.Hash.New()
	h.Write(der)
	return string(h.Sum(nil)) == string(r.Digest)
}

func (s *Signature) parseRefs(t pki.OID, e ber.Element) error {
	switch t {
	case AttrCertificateRefs:
		return parseCertificateRefs(e, &s.References.Certificates)
	case AttrAttributeCertRefs:
		return parseCertificateRefs(e, &s.References.AttributeCertificates)
	case AttrRevocationRefs:
		return parseRevocationRefs(e, &s.References.Revocation)
	default:
		return parseRevocationRefs(e, &s.References.AttributeRevocation)
	}
}

// otherHash reads CHOICE { sha1Hash OCTET STRING, otherHash SEQUENCE { AlgorithmIdentifier, OCTET STRING } }.
func otherHash(e ber.Element) (o pki.OID, digest []byte, err error) {
	if e.Tag&^0x20 == asn1.OCTET_STRING {
		digest, err = e.Bytes()
		return pki.OIDByHash(crypto.SHA1), digest, err
	}
	r := e.Children()
	a, err := r.Read(asn1.SEQUENCE, "digest algorithm")
	if err != nil {
		return "", nil, err
	}
	alg := a.Children()
	if o, err = oid(&alg); err != nil {
		return "", nil, err
	}
	d, err := r.Read(asn1.OCTET_STRING, "digest")
	if err != nil {
		return "", nil, err
	}
	digest, err = d.Bytes()
	return o, digest, err
}

func parseCertificateRefs(e ber.Element, out *[]cms.CertID) error {
	return each(e, func(c ber.Element) error {
		r := c.Children()
		h, err := r.Next()
		if err != nil {
			return err
		}
		var id cms.CertID
		if id.HashOID, id.Digest, err = otherHash(h); err != nil {
			return err
		}
		id.Hash = pki.HashByOID(id.HashOID)
		if !r.Empty() {
			is, err := r.Read(asn1.SEQUENCE, "issuerSerial")
			if err != nil {
				return err
			}
			if err := id.SetIssuerSerial(is); err != nil {
				return err
			}
		}
		*out = append(*out, id)
		return nil
	})
}

// parseRevocationRefs reads SEQUENCE OF CrlOcspRef { crlids [0], ocspids [1], otherRev [2] }.
func parseRevocationRefs(e ber.Element, out *[]RevocationReference) error {
	return each(e, func(ref ber.Element) error {
		return each(ref, func(c ber.Element) error {
			if c.Tag != explicit(0) && c.Tag != explicit(1) {
				return nil
			}
			return each(c, func(ids ber.Element) error { // CRLListID or OcspListID
				return each(ids, func(list ber.Element) error {
					return each(list, func(one ber.Element) error {
						r, err := parseRevocationRef(one, c.Tag == explicit(1))
						*out = append(*out, r)
						return err
					})
				})
			})
		})
	})
}

func parseRevocationRef(e ber.Element, ocsp bool) (ref RevocationReference, err error) {
	ref.OCSP = ocsp
	r := e.Children()
	first, err := r.Next()
	if err != nil {
		return ref, err
	}
	if ocsp { // OcspIdentifier { ResponderID, producedAt }, then the digest, which may be absent
		in := first.Children()
		id, err := in.Next()
		if err != nil {
			return ref, err
		}
		ref.Responder = id.Raw
		at, err := in.Read(asn1.GeneralizedTime, "producedAt")
		if err != nil {
			return ref, err
		}
		s := cryptobyte.String(at.Raw)
		if !pki.ReadTime(&s, &ref.Produced) {
			return ref, at.Errorf("producedAt")
		}
		if r.Empty() {
			return ref, nil
		}
		if first, err = r.Next(); err != nil {
			return ref, err
		}
	}
	ref.HashOID, ref.Digest, err = otherHash(first)
	ref.Hash = pki.HashByOID(ref.HashOID)
	return ref, err
}
