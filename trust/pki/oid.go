package pki

import (
	"strconv"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// OID is an object identifier in dotted form, "2.5.4.3".
type OID string

// decodeOID converts the content octets of an OBJECT IDENTIFIER. Known ones cost no allocation.
// Arcs may have any size up to 63 bits; what is larger is no identifier anybody assigned.
func decodeOID(content []byte) (OID, bool) {
	if o, ok := knownOIDs[string(content)]; ok {
		return o, true
	}
	var b []byte
	var arc uint64
	first := true
	if len(content) == 0 || len(content) > 128 || content[len(content)-1]&0x80 != 0 {
		return "", false
	}
	start := true
	for _, c := range content {
		if start && c == 0x80 || arc >= 1<<56 {
			return "", false
		}
		arc = arc<<7 | uint64(c&0x7f)
		start = false
		if c&0x80 != 0 {
			continue
		}
		if first {
			top := min(arc/40, 2)
			b = strconv.AppendUint(b, top, 10)
			arc -= top * 40
			first = false
		}
		b = append(b, '.')
		b = strconv.AppendUint(b, arc, 10)
		arc, start = 0, true
	}
	return OID(b), true
}

// ParseOID reads dotted form, with or without the "OID." that some names carry.
func ParseOID(s string) (OID, bool) {
	if len(s) > 4 && strings.EqualFold(s[:4], "oid.") {
		s = s[4:]
	}
	if _, ok := encodeOID(OID(s)); !ok {
		return "", false
	}
	return OID(s), true
}

// encodeOID makes the content octets.
func encodeOID(o OID) ([]byte, bool) {
	parts := strings.Split(string(o), ".")
	if len(parts) < 2 || len(parts) > 64 {
		return nil, false
	}
	var out []byte
	var top uint64
	for i, p := range parts {
		v, err := strconv.ParseUint(p, 10, 56)
		if err != nil || p[0] == '0' && len(p) > 1 || p[0] == '+' {
			return nil, false
		}
		switch i {
		case 0:
			if v > 2 {
				return nil, false
			}
			top = v
			continue
		case 1:
			if top < 2 && v > 39 {
				return nil, false
			}
			v += top * 40
		}
		n := 1
		for x := v >> 7; x > 0; x >>= 7 {
			n++
		}
		for n--; n > 0; n-- {
			out = append(out, byte(v>>(7*n))|0x80)
		}
		out = append(out, byte(v&0x7f))
	}
	return out, true
}

func addOID(b *cryptobyte.Builder, o OID) {
	content, ok := encodeOID(o)
	if !ok {
		b.SetError(ErrFormat)
		return
	}
	b.AddASN1(asn1.OBJECT_IDENTIFIER, func(b *cryptobyte.Builder) { b.AddBytes(content) })
}

func readOID(s *cryptobyte.String, out *OID) bool {
	var content cryptobyte.String
	if !s.ReadASN1(&content, asn1.OBJECT_IDENTIFIER) {
		return false
	}
	var ok bool
	*out, ok = decodeOID(content)
	return ok
}

// knownOIDs spares the conversion of identifiers that nearly every certificate has.
var knownOIDs = func() map[string]OID {
	m := map[string]OID{}
	for _, o := range []OID{
		oidRSA, oidRSAPSS, oidEC, oidEd25519, oidX25519, oidDSA,
		oidMD5RSA, oidSHA1RSA, oidSHA1RSAOld, oidSHA224RSA, oidSHA256RSA, oidSHA384RSA, oidSHA512RSA,
		oidECDSASHA1, oidECDSASHA224, oidECDSASHA256, oidECDSASHA384, oidECDSASHA512,
		oidSHA1, oidSHA256, oidSHA384, oidSHA512, oidMGF1, oidP256, oidP384, oidP521,
		oidSubjectKeyID, oidAuthorityKeyID, oidKeyUsage, oidExtKeyUsage, oidBasicConstraints, oidNameConstraints,
		oidPolicies, oidCRLDistributionPoints, oidAuthorityInfoAccess, oidSubjectAltName, oidIssuerAltName,
		oidAccessOCSP, oidAccessCAIssuers, oidQCStatements,
		EKUAny, EKUServerAuth, EKUClientAuth, EKUCodeSigning, EKUEmailProtection, EKUTimeStamping, EKUOCSPSigning,
		"1.3.6.1.5.5.7.2.1", "1.3.6.1.5.5.7.2.2",
	} {
		content, ok := encodeOID(o)
		if !ok {
			panic("pki: bad constant " + string(o))
		}
		m[string(content)] = o
	}
	for o := range attributeNames {
		content, _ := encodeOID(o)
		m[string(content)] = o
	}
	return m
}()
