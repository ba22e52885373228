package pki

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"math/big"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Certificate is a parsed X.509 certificate. It is read-only and safe for concurrent use; the octet
// slices all point into Raw.
type Certificate struct {
	Raw, RawTBS, RawIssuer, RawSubject, RawSPKI []byte

	Version             int // 1, 2 or 3
	SerialNumber        *big.Int
	Issuer, Subject     Name
	NotBefore, NotAfter time.Time // UTC, both moments belong to the period

	// PublicKey is *rsa.PublicKey, *ecdsa.PublicKey (also with a brainpool curve), ed25519.PublicKey,
	// *ecdh.PublicKey (X25519) or *dsa.PublicKey; nil where KeyError says why.
	PublicKey    crypto.PublicKey
	KeyAlgorithm OID
	KeyError     error

	SubjectKeyID, AuthorityKeyID []byte // nil where absent
	AuthorityIssuer              Name   // with AuthoritySerial, the rarer form of the authority key identifier
	AuthoritySerial              *big.Int
	KeyUsage                     KeyUsage
	HasKeyUsage                  bool
	ExtKeyUsage                  []OID
	BasicConstraints             BasicConstraints
	HasNameConstraints           bool // present; not evaluated: see [Verifier]
	Policies                     []OID
	CRLDistributionPoints        []string // URIs, among them ldap ones
	OCSPServers, CAIssuers       []string
	DNSNames, URIs, Emails       []string // of the subject's alternative names
	Extensions                   []Extension

	SignatureAlgorithm SignatureAlgorithm
	Signature          []byte

	fingerprint [32]byte
}

// Extension is one extension as it stands in the certificate, CRL or OCSP response.
type Extension struct {
	ID       OID
	Critical bool
	Value    []byte // DER inside the OCTET STRING
}

// BasicConstraints says whether the subject may issue certificates.
type BasicConstraints struct {
	Valid      bool // the extension is there
	CA         bool
	MaxPathLen int // CA certificates that may follow below, not counting the leaf; -1 for any number
}

// KeyUsage is the set of uses, bit 0 of the extension lowest [RFC 5280 4.2.1.3].
type KeyUsage uint16

const (
	UseDigitalSignature KeyUsage = 1 << iota
	UseContentCommitment
	UseKeyEncipherment
	UseDataEncipherment
	UseKeyAgreement
	UseCertSign
	UseCRLSign
	UseEncipherOnly
	UseDecipherOnly
)

// malformed builds an error that errors.Is finds as [ErrFormat].
func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrFormat}, args...)...)
}

const maxCertificate = 1 << 20 // octets; the largest of the trusted lists have a few thousand

// ParseCertificate reads one DER certificate. It takes ownership of der. Values that are strange but
// readable are taken (negative serial numbers, wrong string types, unknown keys); structure is not bent.
func ParseCertificate(der []byte) (*Certificate, error) {
	c, err := parseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	return c, nil
}

func parseCertificate(der []byte) (*Certificate, error) {
	if len(der) > maxCertificate {
		return nil, malformed("%d octets", len(der))
	}
	in := cryptobyte.String(der)
	var outer, tbs, alg, signature cryptobyte.String
	if !in.ReadASN1(&outer, asn1.SEQUENCE) {
		return nil, malformed("no DER SEQUENCE")
	}
	if !in.Empty() {
		return nil, malformed("%d octets after its end", len(in))
	}
	if !outer.ReadASN1Element(&tbs, asn1.SEQUENCE) || !outer.ReadASN1Element(&alg, asn1.SEQUENCE) ||
		!readBitString(&outer, &signature) || !outer.Empty() {
		return nil, malformed("not tbsCertificate, signatureAlgorithm, signature")
	}
	c := &Certificate{Raw: der, RawTBS: tbs, Signature: signature}
	c.BasicConstraints.MaxPathLen = -1
	if err := c.parseTBS(tbs, alg); err != nil {
		return nil, err
	}
	c.fingerprint = sha256.Sum256(der)
	return c, nil
}

func (c *Certificate) parseTBS(tbs, outerAlg cryptobyte.String) error {
	var body, inner, issuer, validity, subject, spki cryptobyte.String
	tbs.ReadASN1(&body, asn1.SEQUENCE)
	var version int64
	if !body.ReadOptionalASN1Integer(&version, asn1.Tag(0).Constructed().ContextSpecific(), int64(0)) || version < 0 || version > 2 {
		return malformed("version")
	}
	c.Version = int(version) + 1
	c.SerialNumber = new(big.Int)
	if !readInteger(&body, c.SerialNumber) {
		return malformed("serial number")
	}
	if !body.ReadASN1Element(&inner, asn1.SEQUENCE) {
		return malformed("signature algorithm")
	}
	if !bytes.Equal(inner, outerAlg) { // what is signed must name the algorithm [RFC 5280 4.1.1.2]
		return malformed("signature algorithm differs inside and outside of the signed part")
	}
	var err error
	if c.SignatureAlgorithm, err = ParseSignatureAlgorithm(outerAlg); err != nil {
		return err
	}
	if !body.ReadASN1Element(&issuer, asn1.SEQUENCE) || !body.ReadASN1(&validity, asn1.SEQUENCE) ||
		!body.ReadASN1Element(&subject, asn1.SEQUENCE) || !body.ReadASN1Element(&spki, asn1.SEQUENCE) {
		return malformed("issuer, validity, subject or key missing")
	}
	c.RawIssuer, c.RawSubject, c.RawSPKI = issuer, subject, spki
	if c.Issuer, err = parseName(issuer); err != nil {
		return fmt.Errorf("issuer: %w", err)
	}
	if c.Subject, err = parseName(subject); err != nil {
		return fmt.Errorf("subject: %w", err)
	}
	if !readTime(&validity, &c.NotBefore) || !readTime(&validity, &c.NotAfter) || !validity.Empty() {
		return malformed("validity period")
	}
	if c.KeyAlgorithm, c.PublicKey, c.KeyError, err = parseSPKI(spki); err != nil {
		return err
	}
	if !body.SkipOptionalASN1(asn1.Tag(1).ContextSpecific()) || !body.SkipOptionalASN1(asn1.Tag(2).ContextSpecific()) {
		return malformed("unique identifiers")
	}
	return c.parseExtensions(&body)
}

// readBitString takes a BIT STRING of whole octets.
func readBitString(s *cryptobyte.String, out *cryptobyte.String) bool {
	return s.ReadASN1(out, asn1.BIT_STRING) && len(*out) > 0 && (*out)[0] == 0 && out.Skip(1)
}

// readInteger also takes integers that are longer than need be, as old issuers wrote them.
func readInteger(s *cryptobyte.String, out *big.Int) bool {
	var v cryptobyte.String
	if !s.ReadASN1(&v, asn1.INTEGER) || len(v) == 0 || len(v) > 256 {
		return false
	}
	out.SetBytes(v)
	if v[0]&0x80 != 0 {
		out.Sub(out, new(big.Int).Lsh(big.NewInt(1), uint(8*len(v))))
	}
	return true
}

// readTime takes UTCTime and GeneralizedTime, each also without seconds, with fractions or with an
// offset, which DER forbids and certificates have.
func readTime(s *cryptobyte.String, out *time.Time) bool {
	var v cryptobyte.String
	var tag asn1.Tag
	if !s.ReadAnyASN1(&v, &tag) || len(v) > 32 {
		return false
	}
	var digits int
	switch tag {
	case asn1.UTCTime:
		digits = 10
	case asn1.GeneralizedTime:
		digits = 12
	default:
		return false
	}
	t, ok := parseTime(v, digits)
	*out = t
	return ok
}

func parseTime(v []byte, digits int) (time.Time, bool) {
	n := 0
	for n < len(v) && '0' <= v[n] && v[n] <= '9' {
		n++
	}
	if n != digits && n != digits+2 {
		return time.Time{}, false
	}
	two := func(i int) int { return int(v[i]-'0')*10 + int(v[i+1]-'0') }
	var year, i int
	if digits == 10 {
		if year = 1900 + two(0); year < 1950 { // [RFC 5280 4.1.2.5.1]
			year += 100
		}
		i = 2
	} else {
		year, i = two(0)*100+two(2), 4
	}
	month, day, hour, minute, sec := two(i), two(i+2), two(i+4), two(i+6), 0
	if n == digits+2 {
		sec = two(i + 8)
	}
	nano := 0
	rest := v[n:]
	if len(rest) > 1 && (rest[0] == '.' || rest[0] == ',') {
		unit, k := 100_000_000, 1
		for ; k < len(rest) && '0' <= rest[k] && rest[k] <= '9'; k++ {
			nano += int(rest[k]-'0') * unit
			unit /= 10
		}
		rest = rest[k:]
	}
	offset := 0
	switch {
	case len(rest) == 1 && rest[0] == 'Z':
	case len(rest) == 5 && (rest[0] == '+' || rest[0] == '-'):
		for _, b := range rest[1:] {
			if b < '0' || b > '9' {
				return time.Time{}, false
			}
		}
		offset = (int(rest[1]-'0')*10+int(rest[2]-'0'))*3600 + (int(rest[3]-'0')*10+int(rest[4]-'0'))*60
		if rest[0] == '-' {
			offset = -offset
		}
	default:
		return time.Time{}, false
	}
	if month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || sec > 60 {
		return time.Time{}, false
	}
	t := time.Date(year, time.Month(month), day, hour, minute, sec, nano, time.UTC)
	if t.Month() != time.Month(month) && sec < 60 { // 31 April
		return time.Time{}, false
	}
	return t.Add(-time.Duration(offset) * time.Second), true
}

// Fingerprint is the SHA-256 of the whole certificate.
func (c *Certificate) Fingerprint() [32]byte { return c.fingerprint }

// Equal reports whether two certificates are the same octets.
func (c *Certificate) Equal(o *Certificate) bool {
	return c == o || c != nil && o != nil && bytes.Equal(c.Raw, o.Raw)
}

// X509 converts to the form of the standard library, for TLS; it fails where crypto/x509 does.
func (c *Certificate) X509() (*x509.Certificate, error) { return x509.ParseCertificate(c.Raw) }

// SelfIssued reports whether subject and issuer are the same name. It says nothing about the signature.
func (c *Certificate) SelfIssued() bool {
	return bytes.Equal(c.RawIssuer, c.RawSubject) || c.Issuer.Equal(c.Subject)
}

// CheckSignatureFrom checks the signature with the issuer's key, and that the issuer's name is the one in
// the certificate. It asks nothing about validity, key usage or trust: that is [Verifier].
func (c *Certificate) CheckSignatureFrom(issuer *Certificate) error {
	if !sameName(c.RawIssuer, issuer.RawSubject, c.Issuer, issuer.Subject) {
		return fmt.Errorf("%w: %q was issued by %q, not by %q", ErrUntrusted, c.Subject, c.Issuer, issuer.Subject)
	}
	if err := issuer.CheckSignature(c.SignatureAlgorithm, c.RawTBS, c.Signature); err != nil {
		return fmt.Errorf("certificate %q signed by %q: %w", c.Subject, issuer.Subject, err)
	}
	return nil
}

// CheckSignature checks any signature with the certificate's key.
func (c *Certificate) CheckSignature(a SignatureAlgorithm, message, signature []byte) error {
	if c.PublicKey == nil {
		return c.KeyError
	}
	return a.Verify(c.PublicKey, message, signature)
}

func sameName(rawA, rawB []byte, a, b Name) bool {
	return bytes.Equal(rawA, rawB) || a.Equal(b)
}
