package pki

import (
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// QCStatements is what a certificate says about being qualified [EN 319 412-5 4].
type QCStatements struct {
	Compliance  bool     // QcCompliance: qualified by the law of the Union, where Legislation is empty
	SSCD        bool     // the key is in a qualified device
	Types       []OID    // of QcType
	Legislation []string // QcCClegislation: countries by whose law it is qualified instead, two letters
}

// Types of certificates [EN 319 412-5 4.2.3].
const (
	QCTypeESign OID = "0.4.0.1862.1.6.1"
	QCTypeESeal OID = "0.4.0.1862.1.6.2"
	QCTypeWeb   OID = "0.4.0.1862.1.6.3"
)

const (
	oidQCCompliance  OID = "0.4.0.1862.1.1"
	oidQCSSCD        OID = "0.4.0.1862.1.4"
	oidQCType        OID = "0.4.0.1862.1.6"
	oidQCLegislation OID = "0.4.0.1862.1.7"
)

// QCStatements reads the extension; a certificate without it says nothing. What cannot be read is an error, and what stands
// before it is returned.
func (c *Certificate) QCStatements() (out QCStatements, err error) {
	value, ok := c.Extension(oidQCStatements)
	if !ok {
		return out, nil
	}
	in := cryptobyte.String(value)
	var list cryptobyte.String
	if !in.ReadASN1(&list, asn1.SEQUENCE) || !in.Empty() {
		return out, malformed("qcStatements is no SEQUENCE [EN 319 412-5 4.1]")
	}
	for !list.Empty() {
		var s, info cryptobyte.String
		var id OID
		if !list.ReadASN1(&s, asn1.SEQUENCE) || !ReadOID(&s, &id) {
			return out, malformed("qcStatements: a statement is no SEQUENCE with an identifier [EN 319 412-5 4.1]")
		}
		switch id {
		case oidQCCompliance:
			out.Compliance = true
		case oidQCSSCD:
			out.SSCD = true
		case oidQCType:
			if !s.ReadASN1(&info, asn1.SEQUENCE) {
				return out, malformed("QcType is no SEQUENCE [EN 319 412-5 4.2.3]")
			}
			for !info.Empty() {
				var t OID
				if !ReadOID(&info, &t) {
					return out, malformed("QcType holds something other than identifiers [EN 319 412-5 4.2.3]")
				}
				out.Types = append(out.Types, t)
			}
		case oidQCLegislation:
			if !s.ReadASN1(&info, asn1.SEQUENCE) {
				return out, malformed("QcCClegislation is no SEQUENCE [EN 319 412-5 4.2.4]")
			}
			for !info.Empty() {
				var country cryptobyte.String
				if !info.ReadAnyASN1(&country, new(asn1.Tag)) {
					return out, malformed("QcCClegislation holds something other than countries [EN 319 412-5 4.2.4]")
				}
				out.Legislation = append(out.Legislation, string(country))
			}
		}
	}
	return out, nil
}
