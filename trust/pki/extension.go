package pki

import (
	"math/big"

	"github.com/viadukt-eu/viadukt/trust/ber"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Extended key usages [RFC 5280 4.2.1.12].
const (
	EKUAny             OID = "2.5.29.37.0"
	EKUServerAuth      OID = "1.3.6.1.5.5.7.3.1"
	EKUClientAuth      OID = "1.3.6.1.5.5.7.3.2"
	EKUCodeSigning     OID = "1.3.6.1.5.5.7.3.3"
	EKUEmailProtection OID = "1.3.6.1.5.5.7.3.4"
	EKUTimeStamping    OID = "1.3.6.1.5.5.7.3.8"
	EKUOCSPSigning     OID = "1.3.6.1.5.5.7.3.9"
)

const (
	oidSubjectKeyID          OID = "2.5.29.14"
	oidKeyUsage              OID = "2.5.29.15"
	oidSubjectAltName        OID = "2.5.29.17"
	oidIssuerAltName         OID = "2.5.29.18"
	oidBasicConstraints      OID = "2.5.29.19"
	oidCRLNumber             OID = "2.5.29.20"
	oidReasonCode            OID = "2.5.29.21"
	oidDeltaCRL              OID = "2.5.29.27"
	oidIssuingDistribution   OID = "2.5.29.28"
	oidCertificateIssuer     OID = "2.5.29.29"
	oidNameConstraints       OID = "2.5.29.30"
	oidCRLDistributionPoints OID = "2.5.29.31"
	oidPolicies              OID = "2.5.29.32"
	oidAuthorityKeyID        OID = "2.5.29.35"
	oidPolicyConstraints     OID = "2.5.29.36"
	oidExtKeyUsage           OID = "2.5.29.37"
	oidInhibitAnyPolicy      OID = "2.5.29.54"
	oidNoRevocation          OID = "2.5.29.56"
	oidAuthorityInfoAccess   OID = "1.3.6.1.5.5.7.1.1"
	oidQCStatements          OID = "1.3.6.1.5.5.7.1.3"
	oidAccessOCSP            OID = "1.3.6.1.5.5.7.48.1"
	oidAccessCAIssuers       OID = "1.3.6.1.5.5.7.48.2"
	oidOCSPNoCheck           OID = "1.3.6.1.5.5.7.48.1.5"
	oidShortTerm             OID = "0.4.0.194121.2.1"
)

// understood are the extensions that may be critical: those evaluated here, and those [RFC 5280] and
// EN 319 412 know that restrict nothing this package grants.
var understood = map[OID]bool{
	oidKeyUsage: true, oidPolicies: true, oidSubjectAltName: true, oidIssuerAltName: true, oidBasicConstraints: true,
	oidNameConstraints: true, oidPolicyConstraints: true, oidExtKeyUsage: true, oidCRLDistributionPoints: true,
	oidInhibitAnyPolicy: true, oidQCStatements: true, oidSubjectKeyID: true, oidAuthorityKeyID: true, oidAuthorityInfoAccess: true,
}

// Extension returns the value of an extension.
func (c *Certificate) Extension(id OID) (value []byte, ok bool) {
	return findExtension(c.Extensions, id)
}

func findExtension(list []Extension, id OID) ([]byte, bool) {
	for i := range list {
		if list[i].ID == id {
			return list[i].Value, true
		}
	}
	return nil, false
}

func (c *Certificate) parseExtensions(body *cryptobyte.String) error {
	var explicit cryptobyte.String
	var present bool
	if !body.ReadOptionalASN1(&explicit, &present, asn1.Tag(3).Constructed().ContextSpecific()) || !body.Empty() {
		return malformed("something after the public key that is no extension")
	}
	if !present {
		return nil
	}
	var err error
	if c.Extensions, err = readExtensions(&explicit); err != nil {
		return err
	}
	if !explicit.Empty() {
		return malformed("octets after the extensions")
	}
	before := *c
	for i := range c.Extensions {
		if e := &c.Extensions[i]; !c.parseExtension(e.ID, e.Value) {
			*c = before
			return c.parseLoosely()
		}
	}
	return nil
}

// parseLoosely reads extensions of which one is BER: lengths longer than they need be occur in certificates of old.
func (c *Certificate) parseLoosely() error {
	for i := range c.Extensions {
		e := &c.Extensions[i]
		value := e.Value
		if any, err := ber.Parse(value); err == nil {
			if der, err := any.DER(); err == nil {
				value = der
			}
		}
		if !c.parseExtension(e.ID, value) {
			return malformed("extension %s", e.ID)
		}
	}
	return nil
}

const maxExtensions = 100

func readExtensions(s *cryptobyte.String) ([]Extension, error) {
	var list cryptobyte.String
	if !s.ReadASN1(&list, asn1.SEQUENCE) {
		return nil, malformed("extensions are no SEQUENCE")
	}
	out := make([]Extension, 0, 10)
	for !list.Empty() {
		var one, value cryptobyte.String
		var e Extension
		if !list.ReadASN1(&one, asn1.SEQUENCE) || !readOID(&one, &e.ID) ||
			one.PeekASN1Tag(asn1.BOOLEAN) && !readBool(&one, &e.Critical) ||
			!one.ReadASN1(&value, asn1.OCTET_STRING) || !one.Empty() {
			return nil, malformed("extension %d", len(out)+1)
		}
		if _, twice := findExtension(out, e.ID); twice {
			return nil, malformed("extension %s twice [RFC 5280 4.2]", e.ID)
		}
		if len(out) == maxExtensions {
			return nil, malformed("more than %d extensions", maxExtensions)
		}
		e.Value = value
		out = append(out, e)
	}
	return out, nil
}

// readBool takes every octet but 0 for true, as BER does.
func readBool(s *cryptobyte.String, out *bool) bool {
	var v cryptobyte.String
	if !s.ReadASN1(&v, asn1.BOOLEAN) || len(v) != 1 {
		return false
	}
	*out = v[0] != 0
	return true
}

func (c *Certificate) parseExtension(id OID, value []byte) bool {
	s := cryptobyte.String(value)
	switch id {
	case oidSubjectKeyID:
		var v cryptobyte.String
		ok := s.ReadASN1(&v, asn1.OCTET_STRING)
		c.SubjectKeyID = v
		return ok && s.Empty()
	case oidAuthorityKeyID:
		return c.parseAuthorityKeyID(s)
	case oidKeyUsage:
		var v cryptobyte.String
		if !s.ReadASN1(&v, asn1.BIT_STRING) || !s.Empty() || len(v) == 0 || v[0] > 7 {
			return false
		}
		c.HasKeyUsage = true
		for i, b := range v[1:min(len(v), 3)] {
			for bit := range 8 {
				if b&(0x80>>bit) != 0 && 8*i+bit < 9 {
					c.KeyUsage |= 1 << (8*i + bit)
				}
			}
		}
		return true
	case oidBasicConstraints:
		return c.parseBasicConstraints(s)
	case oidExtKeyUsage:
		var list cryptobyte.String
		if !s.ReadASN1(&list, asn1.SEQUENCE) || !s.Empty() {
			return false
		}
		for !list.Empty() {
			var o OID
			if !readOID(&list, &o) {
				return false
			}
			c.ExtKeyUsage = append(c.ExtKeyUsage, o)
		}
		return true
	case oidPolicies:
		var list cryptobyte.String
		if !s.ReadASN1(&list, asn1.SEQUENCE) || !s.Empty() {
			return false
		}
		for !list.Empty() {
			var info cryptobyte.String
			var o OID
			if !list.ReadASN1(&info, asn1.SEQUENCE) || !readOID(&info, &o) {
				return false
			}
			c.Policies = append(c.Policies, o)
		}
		return true
	case oidCRLDistributionPoints:
		return c.parseDistributionPoints(s)
	case oidAuthorityInfoAccess:
		return c.parseInfoAccess(s)
	case oidSubjectAltName:
		return c.parseAltNames(s)
	case oidNameConstraints:
		c.HasNameConstraints = true
	}
	return true
}

func (c *Certificate) parseAuthorityKeyID(s cryptobyte.String) bool {
	var seq, v cryptobyte.String
	var hasKey, hasIssuer, hasSerial bool
	if !s.ReadASN1(&seq, asn1.SEQUENCE) || !s.Empty() ||
		!seq.ReadOptionalASN1(&v, &hasKey, asn1.Tag(0).ContextSpecific()) {
		return false
	}
	if hasKey {
		c.AuthorityKeyID = v
	}
	if !seq.ReadOptionalASN1(&v, &hasIssuer, asn1.Tag(1).Constructed().ContextSpecific()) {
		return false
	}
	if hasIssuer {
		var dir cryptobyte.String
		if v.ReadASN1(&dir, asn1.Tag(4).Constructed().ContextSpecific()) {
			c.AuthorityIssuer, _ = parseName(dir)
		}
	}
	if !seq.ReadOptionalASN1(&v, &hasSerial, asn1.Tag(2).ContextSpecific()) || !seq.Empty() {
		return false
	}
	if hasSerial && len(v) <= 64 {
		c.AuthoritySerial = new(big.Int).SetBytes(v)
	}
	return true
}

func (c *Certificate) parseBasicConstraints(s cryptobyte.String) bool {
	var seq cryptobyte.String
	if !s.ReadASN1(&seq, asn1.SEQUENCE) || !s.Empty() {
		return false
	}
	c.BasicConstraints.Valid = true
	if seq.PeekASN1Tag(asn1.BOOLEAN) && !readBool(&seq, &c.BasicConstraints.CA) {
		return false
	}
	if seq.PeekASN1Tag(asn1.INTEGER) {
		n := new(big.Int)
		if !readInteger(&seq, n) || n.Sign() < 0 {
			return false
		}
		c.BasicConstraints.MaxPathLen = 1 << 16
		if n.IsInt64() && n.Int64() < 1<<16 {
			c.BasicConstraints.MaxPathLen = int(n.Int64())
		}
	}
	return seq.Empty()
}

// generalNames calls f for each GeneralName of a SEQUENCE's content.
func generalNames(list cryptobyte.String, f func(tag asn1.Tag, v cryptobyte.String)) bool {
	for !list.Empty() {
		var v cryptobyte.String
		var tag asn1.Tag
		if !list.ReadAnyASN1(&v, &tag) {
			return false
		}
		f(tag, v)
	}
	return true
}

var (
	tagEmail = asn1.Tag(1).ContextSpecific()
	tagDNS   = asn1.Tag(2).ContextSpecific()
	tagURI   = asn1.Tag(6).ContextSpecific()
)

func (c *Certificate) parseAltNames(s cryptobyte.String) bool {
	var list cryptobyte.String
	return s.ReadASN1(&list, asn1.SEQUENCE) && s.Empty() && generalNames(list, func(tag asn1.Tag, v cryptobyte.String) {
		switch tag {
		case tagEmail:
			c.Emails = append(c.Emails, string(v))
		case tagDNS:
			c.DNSNames = append(c.DNSNames, string(v))
		case tagURI:
			c.URIs = append(c.URIs, string(v))
		}
	})
}

func (c *Certificate) parseDistributionPoints(s cryptobyte.String) bool {
	var list cryptobyte.String
	if !s.ReadASN1(&list, asn1.SEQUENCE) || !s.Empty() {
		return false
	}
	for !list.Empty() {
		var dp cryptobyte.String
		if !list.ReadASN1(&dp, asn1.SEQUENCE) || !distributionURIs(dp, &c.CRLDistributionPoints) {
			return false
		}
	}
	return true
}

// distributionURIs collects the URIs of distributionPoint [0] { fullName [0] }, the first field both of a
// DistributionPoint and of IssuingDistributionPoint.
func distributionURIs(dp cryptobyte.String, out *[]string) bool {
	var name, full cryptobyte.String
	var present bool
	if !dp.ReadOptionalASN1(&name, &present, asn1.Tag(0).Constructed().ContextSpecific()) {
		return false
	}
	if !present || !name.PeekASN1Tag(asn1.Tag(0).Constructed().ContextSpecific()) {
		return true
	}
	return name.ReadASN1(&full, asn1.Tag(0).Constructed().ContextSpecific()) &&
		generalNames(full, func(tag asn1.Tag, v cryptobyte.String) {
			if tag == tagURI {
				*out = append(*out, string(v))
			}
		})
}

func (c *Certificate) parseInfoAccess(s cryptobyte.String) bool {
	var list cryptobyte.String
	if !s.ReadASN1(&list, asn1.SEQUENCE) || !s.Empty() {
		return false
	}
	for !list.Empty() {
		var one, v cryptobyte.String
		var method OID
		var tag asn1.Tag
		if !list.ReadASN1(&one, asn1.SEQUENCE) || !readOID(&one, &method) || !one.ReadAnyASN1(&v, &tag) {
			return false
		}
		switch {
		case tag != tagURI:
		case method == oidAccessOCSP:
			c.OCSPServers = append(c.OCSPServers, string(v))
		case method == oidAccessCAIssuers:
			c.CAIssuers = append(c.CAIssuers, string(v))
		}
	}
	return true
}
