package cms

import (
	"bytes"
	"crypto"
	"fmt"
	"math/big"

	"github.com/viadukt-eu/viadukt/trust/ber"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// CertID names a certificate by its digest [RFC 5035 3, RFC 2634 5.4.1].
type CertID struct {
	HashOID   pki.OID
	Hash      crypto.Hash // 0 where unknown: then it matches nothing
	Digest    []byte
	RawIssuer []byte   // DER of the directory name; nil where absent
	Serial    *big.Int // nil where absent
	V2        bool
}

// Matches reports whether the digest is that of a certificate.
func (c CertID) Matches(cert *pki.Certificate) bool {
	switch {
	case !c.Hash.Available():
		return false
	case c.Hash == crypto.SHA256: // known already
		sum := cert.Fingerprint()
		return bytes.Equal(sum[:], c.Digest)
	}
	h := c.Hash.New()
	h.Write(cert.Raw)
	return bytes.Equal(h.Sum(nil), c.Digest)
}

// MatchesIssuer reports whether issuer and serial number are those of a certificate; true where they are absent.
func (c CertID) MatchesIssuer(cert *pki.Certificate) bool {
	if c.Serial == nil {
		return true
	}
	if c.Serial.Cmp(cert.SerialNumber) != 0 {
		return false
	}
	if bytes.Equal(c.RawIssuer, cert.RawIssuer) {
		return true
	}
	n, err := pki.ParseNameDER(c.RawIssuer)
	return err == nil && n.Equal(cert.Issuer)
}

// SigningCertificates returns what the attributes signing-certificate-v2 and signing-certificate name, the signer first; both are
// read, version 2 before version 1.
func SigningCertificates(signed []Attribute) ([]CertID, error) {
	var out []CertID
	for _, t := range []pki.OID{AttrSigningCertificateV2, AttrSigningCertificate} {
		for i := range signed {
			if signed[i].Type != t {
				continue
			}
			for _, v := range signed[i].Values {
				list, err := parseCertIDs(v, t == AttrSigningCertificateV2)
				if err != nil {
					return out, malformed("signing certificate attribute", err)
				}
				out = append(out, list...)
			}
		}
	}
	return out, nil
}

func parseCertIDs(value []byte, v2 bool) ([]CertID, error) {
	e, err := ber.Parse(value)
	if err != nil {
		return nil, err
	}
	r := e.Children()
	list, err := r.Read(asn1.SEQUENCE, "list of certificates")
	if err != nil {
		return nil, err
	}
	var out []CertID
	for r := list.Children(); !r.Empty(); {
		id, err := r.Read(asn1.SEQUENCE, "ESSCertID")
		if err != nil {
			return nil, err
		}
		c, err := parseCertID(id, v2)
		if err != nil {
			return nil, err
		}
		if out = append(out, c); len(out) > 100 {
			return nil, id.Errorf("more than 100 certificates")
		}
	}
	return out, nil
}

func parseCertID(e ber.Element, v2 bool) (c CertID, err error) {
	r := e.Children()
	c.V2, c.Hash, c.HashOID = v2, crypto.SHA1, "1.3.14.3.2.26"
	if v2 {
		c.Hash, c.HashOID = crypto.SHA256, "2.16.840.1.101.3.4.2.1"
		if r.Is(asn1.SEQUENCE) {
			a, err := r.Next()
			if err != nil {
				return c, err
			}
			in := a.Children()
			if c.HashOID, _, err = readOID(&in, "hash algorithm"); err != nil {
				return c, err
			}
			c.Hash = pki.HashByOID(c.HashOID)
		}
	}
	d, err := r.Read(asn1.OCTET_STRING, "certificate hash")
	if err != nil {
		return c, err
	}
	if c.Digest, err = d.Bytes(); err != nil || r.Empty() {
		return c, err
	}
	is, err := r.Read(asn1.SEQUENCE, "issuerSerial")
	if err != nil {
		return c, err
	}
	c.RawIssuer, c.Serial, err = issuerSerial(is)
	return c, err
}

// SetIssuerSerial reads IssuerSerial, for other structures that name certificates alike.
func (c *CertID) SetIssuerSerial(e ber.Element) (err error) {
	c.RawIssuer, c.Serial, err = issuerSerial(e)
	return err
}

// issuerSerial reads IssuerSerial of RFC 5035: GeneralNames with one directory name, and a serial number. Some write a bare name.
func issuerSerial(e ber.Element) (issuer []byte, serial *big.Int, err error) {
	r := e.Children()
	names, err := r.Read(asn1.SEQUENCE, "issuer")
	if err != nil {
		return nil, nil, err
	}
	if in := names.Children(); in.Is(asn1.Tag(4).ContextSpecific()) {
		dir, err := in.Next()
		if err != nil {
			return nil, nil, err
		}
		in = dir.Children()
		name, err := in.Read(asn1.SEQUENCE, "directory name")
		if err != nil {
			return nil, nil, err
		}
		issuer, err = name.DER()
		if err != nil {
			return nil, nil, err
		}
	} else if issuer, err = names.DER(); err != nil {
		return nil, nil, err
	}
	n, err := r.Read(asn1.INTEGER, "serial number")
	if err != nil {
		return nil, nil, err
	}
	if len(n.Content) == 0 || len(n.Content) > 256 {
		return nil, nil, n.Errorf("serial number")
	}
	return issuer, integer(n.Content), nil
}

// SigningCertificate makes the attribute that names certificates by digest, the signer's first: signing-certificate for SHA-1,
// signing-certificate-v2 for others. The algorithm is left out where it is SHA-256, as DER demands of defaults.
func SigningCertificate(h crypto.Hash, certs ...*pki.Certificate) (Attribute, error) {
	o := pki.OIDByHash(h)
	if o == "" || !h.Available() {
		return Attribute{}, fmt.Errorf("%w: digest %s", ErrAlgorithm, h)
	}
	t := AttrSigningCertificateV2
	if h == crypto.SHA1 {
		t = AttrSigningCertificate
	}
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			for _, c := range certs {
				b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
					if h != crypto.SHA1 && h != crypto.SHA256 {
						b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { pki.AddOID(b, o) })
					}
					sum := h.New()
					sum.Write(c.Raw)
					b.AddASN1OctetString(sum.Sum(nil))
					b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
						b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
							b.AddASN1(asn1.Tag(4).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) { b.AddBytes(c.RawIssuer) })
						})
						b.AddASN1BigInt(c.SerialNumber)
					})
				})
			}
		})
	})
	der, err := b.Bytes()
	if err != nil {
		return Attribute{}, err
	}
	return NewAttribute(t, der)
}
