package cms

import (
	"bytes"
	"encoding/base64"
	"encoding/pem"
	"math/big"

	"github.com/viadukt-eu/viadukt/trust/ber"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"golang.org/x/crypto/cryptobyte/asn1"
)

var (
	tag0 = asn1.Tag(0).ContextSpecific().Constructed()
	tag1 = asn1.Tag(1).ContextSpecific().Constructed()
)

// Parse reads a message in memory, which it takes ownership of: BER or DER, also as PEM or in bare base64, as both occur in files.
// Zero octets may follow, as signatures in PDF are padded.
func Parse(b []byte) (*SignedData, error) { return ParseWith(b, nil) }

// ParseWith is [Parse]; certificates that known remembers are not parsed again.
func ParseWith(b []byte, known *pki.Parsed) (*SignedData, error) {
	b, err := unwrap(b)
	if err != nil {
		return nil, err
	}
	r := ber.NewReader(b)
	info, err := r.Read(asn1.SEQUENCE, "ContentInfo")
	if err != nil {
		return nil, malformed("message", err)
	}
	if rest := bytes.TrimLeft(r.Rest(), "\x00"); len(rest) > 0 {
		return nil, malformed("message", r.Errorf("%d octets after it", len(r.Rest())))
	}
	return parseInfo(info, known)
}

// unwrap takes off PEM or base64.
func unwrap(b []byte) ([]byte, error) {
	if len(b) > 0 && b[0] == byte(asn1.SEQUENCE) {
		return b, nil
	}
	if bytes.HasPrefix(bytes.TrimSpace(b[:min(len(b), 64)]), []byte("-----BEGIN")) {
		block, _ := pem.Decode(b)
		if block == nil {
			return nil, malformed("message", &ber.Error{Msg: "PEM block is broken"})
		}
		return block.Bytes, nil
	}
	if len(b) > 0 && isBase64(b[:min(len(b), 64)]) {
		out := make([]byte, base64.StdEncoding.DecodedLen(len(b)))
		n, err := base64.StdEncoding.Decode(out, bytes.Map(dropSpace, b))
		if err != nil {
			return nil, malformed("message in base64", err)
		}
		return out[:n], nil
	}
	return b, nil
}

func dropSpace(r rune) rune {
	if r == ' ' || r == '\t' || r == '\r' || r == '\n' {
		return -1
	}
	return r
}

func isBase64(b []byte) bool {
	for _, c := range b {
		if !('A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '+' || c == '/' || c == '=' ||
			c == '\r' || c == '\n' || c == ' ' || c == '\t') {
			return false
		}
	}
	return true
}

// ParseElement reads a message that is part of another structure, such as a time-stamp token in an attribute.
func ParseElement(e ber.Element) (*SignedData, error) { return parseInfo(e, nil) }

func parseInfo(info ber.Element, known *pki.Parsed) (*SignedData, error) {
	if info.Tag != asn1.SEQUENCE {
		return nil, malformed("message", info.Errorf("ContentInfo expected, found tag %#02x", byte(info.Tag)))
	}
	r := info.Children()
	t, _, err := readOID(&r, "content type")
	if err != nil {
		return nil, malformed("ContentInfo", err)
	}
	if t != ContentSignedData {
		return nil, typeError(t)
	}
	explicit, err := r.Read(tag0, "content")
	if err != nil {
		return nil, malformed("ContentInfo", err)
	}
	inner := explicit.Children()
	e, err := inner.Read(asn1.SEQUENCE, "SignedData")
	if err != nil {
		return nil, malformed("ContentInfo", err)
	}
	m := &SignedData{Known: known, raw: info.Raw}
	fields := e.Children()
	if err := m.parseHead(&fields); err != nil {
		return nil, malformed("SignedData", err)
	}
	encap, err := fields.Read(asn1.SEQUENCE, "encapContentInfo")
	if err != nil {
		return nil, malformed("SignedData", err)
	}
	if err := m.parseEncap(encap); err != nil {
		return nil, malformed("encapContentInfo", err)
	}
	if err := m.parseTail(&fields); err != nil {
		return nil, malformed("SignedData", err)
	}
	return m, nil
}

func typeError(t pki.OID) error { return &contentTypeError{t} }

type contentTypeError struct{ oid pki.OID }

func (e *contentTypeError) Error() string {
	return ErrType.Error() + " but content of type " + string(e.oid)
}
func (e *contentTypeError) Unwrap() error { return ErrType }

// parseHead reads version and digestAlgorithms.
func (m *SignedData) parseHead(r *ber.Reader) (err error) {
	if m.Version, _, err = readVersion(r); err != nil {
		return err
	}
	set, err := r.Read(asn1.SET, "digestAlgorithms")
	if err != nil {
		return err
	}
	m.rawAlgorithms = set.Raw
	for r := set.Children(); !r.Empty(); {
		e, err := r.Read(asn1.SEQUENCE, "digest algorithm")
		if err != nil {
			return err
		}
		a, err := parseAlgorithm(e)
		if err != nil {
			return err
		}
		if m.DigestAlgorithms = append(m.DigestAlgorithms, a); len(m.DigestAlgorithms) > maxSigners {
			return e.Errorf("more than %d digest algorithms", maxSigners)
		}
	}
	return nil
}

func readVersion(r *ber.Reader) (int, ber.Element, error) {
	e, err := r.Read(asn1.INTEGER, "version")
	if err != nil {
		return 0, e, err
	}
	if len(e.Content) != 1 || e.Content[0] > 0x7f {
		return 0, e, e.Errorf("version")
	}
	return int(e.Content[0]), e, nil
}

func parseAlgorithm(e ber.Element) (Algorithm, error) {
	r := e.Children()
	o, _, err := readOID(&r, "digest algorithm")
	a := Algorithm{OID: o, Raw: e.Raw, Hash: pki.HashByOID(o)}
	if a.Hash == 0 {
		// a signature algorithm in the place of its digest: old software does that
		if der, err := e.DER(); err == nil {
			if s, err := pki.ParseSignatureAlgorithm(der); err == nil && s.Scheme == pki.SchemeRSA {
				a.Hash = s.Hash
			}
		}
	}
	return a, err
}

// parseEncap reads encapContentInfo in memory [RFC 5652 5.2]. A content that is no OCTET STRING occurs in PKCS #7 of old: then
// its value without tag and length is what is signed.
func (m *SignedData) parseEncap(e ber.Element) (err error) {
	m.encap = octets{b: e.Raw}
	r := e.Children()
	if m.ContentType, _, err = readOID(&r, "content type"); err != nil {
		return err
	}
	if r.Empty() {
		m.Detached = true
		return nil
	}
	explicit, err := r.Read(tag0, "content")
	if err != nil {
		return err
	}
	inner := explicit.Children()
	if inner.Empty() {
		m.Detached = true
		return nil
	}
	value, err := inner.Next()
	if err != nil {
		return err
	}
	b := value.Content
	if value.Tag&^0x20 == asn1.OCTET_STRING {
		if b, err = value.Bytes(); err != nil {
			return err
		}
	}
	m.content = Bytes(b)
	return nil
}

// parseTail reads certificates, revocation information and signers.
func (m *SignedData) parseTail(r *ber.Reader) error {
	if r.Is(tag0) {
		set, err := r.Next()
		if err != nil {
			return err
		}
		m.hasCerts, m.rawCerts = true, set.Raw
		for r := set.Children(); !r.Empty(); {
			e, err := r.Next()
			if err != nil {
				return err
			}
			if m.Certificates = append(m.Certificates, parseCertificate(e, m.Known)); len(m.Certificates) > maxCertificates {
				return e.Errorf("more than %d certificates", maxCertificates)
			}
		}
	}
	if r.Is(tag1) {
		set, err := r.Next()
		if err != nil {
			return err
		}
		m.hasCRLs, m.rawCRLs = true, set.Raw
		for r := set.Children(); !r.Empty(); {
			e, err := r.Next()
			if err != nil {
				return err
			}
			v, err := parseRevocation(e)
			if err != nil {
				return err
			}
			if m.Revocation = append(m.Revocation, v); len(m.Revocation) > maxCertificates {
				return e.Errorf("more than %d pieces of revocation information", maxCertificates)
			}
		}
	}
	set, err := r.Read(asn1.SET, "signerInfos")
	if err != nil {
		return err
	}
	if !r.Empty() {
		return r.Errorf("something after the signers")
	}
	for r := set.Children(); !r.Empty(); {
		e, err := r.Read(asn1.SEQUENCE, "SignerInfo")
		if err != nil {
			return err
		}
		s, err := parseSigner(e)
		if err != nil {
			return err
		}
		s.message = m
		if m.Signers = append(m.Signers, s); len(m.Signers) > maxSigners {
			return e.Errorf("more than %d signers", maxSigners)
		}
	}
	return nil
}

func parseCertificate(e ber.Element, known *pki.Parsed) Certificate {
	c := Certificate{Raw: e.Raw}
	if e.Tag != asn1.SEQUENCE {
		return c
	}
	der, err := e.DER()
	if err == nil {
		c.Certificate, err = known.Certificate(der)
	}
	c.Err = err
	return c
}

func parseRevocation(e ber.Element) (Revocation, error) {
	v := Revocation{Raw: e.Raw}
	if e.Tag == asn1.SEQUENCE {
		der, err := e.DER()
		v.Value = der
		return v, err
	}
	if e.Tag != tag1 {
		return v, e.Errorf("revocation information has tag %#02x", byte(e.Tag))
	}
	r := e.Children()
	o, _, err := readOID(&r, "format of revocation information")
	if err != nil {
		return v, err
	}
	value, err := r.Next()
	if err != nil {
		return v, err
	}
	v.Format = o
	v.Value, err = value.DER()
	return v, err
}

// ParseSignerInfo reads one SignerInfo, such as a counter-signature.
func ParseSignerInfo(b []byte) (*SignerInfo, error) {
	e, err := ber.Parse(b)
	if err != nil {
		return nil, malformed("SignerInfo", err)
	}
	s, err := parseSigner(e)
	if err != nil {
		return nil, malformed("SignerInfo", err)
	}
	return s, nil
}

func parseSigner(e ber.Element) (s *SignerInfo, err error) {
	if e.Tag != asn1.SEQUENCE {
		return nil, e.Errorf("SignerInfo has tag %#02x", byte(e.Tag))
	}
	s = &SignerInfo{Raw: e.Raw}
	r := e.Children()
	var f ber.Element
	if s.Version, f, err = readVersion(&r); err != nil {
		return nil, err
	}
	s.Fields.Version = f.Raw
	if f, err = r.Next(); err != nil {
		return nil, err
	}
	s.Fields.SID = f.Raw
	if err := s.parseSID(f); err != nil {
		return nil, err
	}
	if f, err = r.Read(asn1.SEQUENCE, "digestAlgorithm"); err != nil {
		return nil, err
	}
	s.Fields.DigestAlgorithm = f.Raw
	if s.DigestAlgorithm, err = parseAlgorithm(f); err != nil {
		return nil, err
	}
	if r.Is(tag0) {
		if f, err = r.Next(); err != nil {
			return nil, err
		}
		s.HasSigned, s.Fields.SignedAttributes = true, f.Raw
		if s.Signed, err = parseAttributes(f); err != nil {
			return nil, err
		}
	}
	if f, err = r.Read(asn1.SEQUENCE, "signatureAlgorithm"); err != nil {
		return nil, err
	}
	s.Fields.SignatureAlgorithm = f.Raw
	der, err := f.DER()
	if err != nil {
		return nil, err
	}
	if s.SignatureAlgorithm, err = pki.ParseSignatureAlgorithm(der); err != nil {
		s.SignatureAlgorithm = pki.SignatureAlgorithm{OID: s.SignatureAlgorithm.OID, Raw: der} // read, but not to be computed
	}
	if f, err = r.Read(asn1.OCTET_STRING, "signature"); err != nil {
		return nil, err
	}
	s.Fields.Signature = f.Raw
	if s.Signature, err = f.Bytes(); err != nil {
		return nil, err
	}
	if r.Is(tag1) {
		if f, err = r.Next(); err != nil {
			return nil, err
		}
		s.rawUnsigned = f.Raw
		if s.Unsigned, err = parseAttributes(f); err != nil {
			return nil, err
		}
	}
	if !r.Empty() {
		return nil, r.Errorf("something after the unsigned attributes")
	}
	return s, nil
}

// parseSID reads IssuerAndSerialNumber or a subject key identifier [RFC 5652 5.3].
func (s *SignerInfo) parseSID(e ber.Element) (err error) {
	if e.Tag&^0x20 == asn1.Tag(0).ContextSpecific() {
		s.SubjectKeyID, err = e.Bytes()
		return err
	}
	if e.Tag != asn1.SEQUENCE {
		return e.Errorf("signer is named neither by issuer nor by key")
	}
	r := e.Children()
	issuer, err := r.Read(asn1.SEQUENCE, "issuer")
	if err != nil {
		return err
	}
	serial, err := r.Read(asn1.INTEGER, "serial number")
	if err != nil {
		return err
	}
	if !r.Empty() || len(serial.Content) == 0 || len(serial.Content) > 256 {
		return serial.Errorf("serial number of the signer's certificate")
	}
	if s.RawIssuer, err = issuer.DER(); err != nil {
		return err
	}
	s.Issuer, _ = pki.ParseNameDER(s.RawIssuer) // what is no name is compared by octets
	s.SerialNumber = integer(serial.Content)
	return nil
}

// integer converts two's complement.
func integer(b []byte) *big.Int {
	n := new(big.Int).SetBytes(b)
	if b[0]&0x80 != 0 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return n
}

func parseAttributes(set ber.Element) ([]Attribute, error) {
	var out []Attribute
	for r := set.Children(); !r.Empty(); {
		e, err := r.Read(asn1.SEQUENCE, "attribute")
		if err != nil {
			return nil, err
		}
		a, err := parseAttribute(e)
		if err != nil {
			return nil, err
		}
		if out = append(out, a); len(out) > maxAttributes {
			return nil, e.Errorf("more than %d attributes", maxAttributes)
		}
	}
	return out, nil
}

func parseAttribute(e ber.Element) (a Attribute, err error) {
	a.Raw = e.Raw
	r := e.Children()
	if a.Type, _, err = readOID(&r, "attribute type"); err != nil {
		return a, err
	}
	set, err := r.Read(asn1.SET, "values of attribute "+string(a.Type))
	if err != nil {
		return a, err
	}
	if !r.Empty() {
		return a, r.Errorf("something after the values of attribute %s", a.Type)
	}
	for r := set.Children(); !r.Empty(); {
		v, err := r.Next()
		if err != nil {
			return a, err
		}
		if a.Values = append(a.Values, v.Raw); len(a.Values) > maxValues {
			return a, v.Errorf("more than %d values of attribute %s", maxValues, a.Type)
		}
	}
	return a, nil
}
