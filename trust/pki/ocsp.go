package pki

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha1"
	"crypto/sha256"
	"fmt"
	"math/big"
	"sync"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

const (
	oidOCSPBasic OID = "1.3.6.1.5.5.7.48.1.1"
	oidOCSPNonce OID = "1.3.6.1.5.5.7.48.1.2"

	maxOCSP          = 4 << 20
	maxOCSPResponses = 1000
)

// OCSPResponse is a parsed basic response [RFC 6960 4.2.1]. Several single answers occur.
type OCSPResponse struct {
	Raw, RawBasic, RawTBS []byte
	ResponderName         Name // one of the two identifies the responder
	RawResponderName      []byte
	ResponderKeyHash      []byte // SHA-1 of the key's BIT STRING
	ProducedAt            time.Time
	Responses             []SingleResponse
	Nonce                 []byte // content of the nonce extension, nil where absent
	Extensions            []Extension
	Certificates          []*Certificate // candidates for the responder
	SignatureAlgorithm    SignatureAlgorithm
	Signature             []byte

	hashed      sync.Once
	fingerprint [32]byte
}

// Fingerprint is the SHA-256 of the whole response.
func (r *OCSPResponse) Fingerprint() [32]byte {
	r.hashed.Do(func() { r.fingerprint = sha256.Sum256(r.Raw) })
	return r.fingerprint
}

// SingleResponse is the answer about one certificate.
type SingleResponse struct {
	Hash                   crypto.Hash // of NameHash and KeyHash; 0: unknown to us, matches nothing
	NameHash, KeyHash      []byte
	SerialNumber           *big.Int
	State                  RevocationState
	RevokedAt              time.Time
	Reason                 Reason
	ThisUpdate, NextUpdate time.Time // NextUpdate zero: newer information is always available
	Extensions             []Extension
}

// OCSPStatusError is a response without an answer; the code is OCSPResponseStatus.
type OCSPStatusError struct{ Code int }

func (e *OCSPStatusError) Error() string {
	words := map[int]string{1: "malformed request", 2: "internal error", 3: "try later", 5: "signature required", 6: "unauthorized"}
	return fmt.Sprintf("pki: OCSP responder answers %d (%s)", e.Code, words[e.Code])
}

// Temporary reports whether asking again may help.
func (e *OCSPStatusError) Temporary() bool { return e.Code == 2 || e.Code == 3 }

// ParseOCSPResponse reads OCSPResponse, or the BasicOCSPResponse within it, which signatures embed. A
// response that is only an error is *[OCSPStatusError]. It takes ownership of der.
func ParseOCSPResponse(der []byte) (*OCSPResponse, error) { return (*Parsed)(nil).OCSPResponse(der) }

func parseOCSP(der []byte, known *Parsed) (*OCSPResponse, error) {
	in := cryptobyte.String(der)
	var outer cryptobyte.String
	if len(der) > maxOCSP || !in.ReadASN1(&outer, asn1.SEQUENCE) || !in.Empty() {
		return nil, malformed("no DER SEQUENCE")
	}
	if outer.PeekASN1Tag(asn1.SEQUENCE) {
		return parseBasic(der, der, known)
	}
	var code int
	if !outer.ReadASN1Enum(&code) {
		return nil, malformed("status")
	}
	if code != 0 {
		return nil, &OCSPStatusError{code}
	}
	var explicit, bytes, basic cryptobyte.String
	var kind OID
	if !outer.ReadASN1(&explicit, asn1.Tag(0).Constructed().ContextSpecific()) || !outer.Empty() ||
		!explicit.ReadASN1(&bytes, asn1.SEQUENCE) || !readOID(&bytes, &kind) || !bytes.ReadASN1(&basic, asn1.OCTET_STRING) {
		return nil, malformed("response bytes")
	}
	if kind != oidOCSPBasic {
		return nil, fmt.Errorf("%w: OCSP response type %s", ErrUnsupported, kind)
	}
	return parseBasic(der, basic, known)
}

func parseBasic(der, basic []byte, known *Parsed) (*OCSPResponse, error) {
	in := cryptobyte.String(basic)
	var outer, tbs, alg, signature, certs cryptobyte.String
	var hasCerts bool
	if !in.ReadASN1(&outer, asn1.SEQUENCE) || !in.Empty() || !outer.ReadASN1Element(&tbs, asn1.SEQUENCE) ||
		!outer.ReadASN1Element(&alg, asn1.SEQUENCE) || !readBitString(&outer, &signature) ||
		!outer.ReadOptionalASN1(&certs, &hasCerts, asn1.Tag(0).Constructed().ContextSpecific()) || !outer.Empty() {
		return nil, malformed("not tbsResponseData, signatureAlgorithm, signature, certs")
	}
	r := &OCSPResponse{Raw: der, RawBasic: basic, RawTBS: tbs, Signature: signature}
	var err error
	if r.SignatureAlgorithm, err = ParseSignatureAlgorithm(alg); err != nil {
		return nil, err
	}
	if err := r.parseData(tbs); err != nil {
		return nil, err
	}
	if hasCerts {
		var list cryptobyte.String
		if !certs.ReadASN1(&list, asn1.SEQUENCE) {
			return nil, malformed("certificates")
		}
		for !list.Empty() {
			var one cryptobyte.String
			if !list.ReadASN1Element(&one, asn1.SEQUENCE) || len(r.Certificates) == maxPath {
				return nil, malformed("certificate %d", len(r.Certificates)+1)
			}
			c, err := known.Certificate(one)
			if err != nil {
				return nil, err
			}
			r.Certificates = append(r.Certificates, c)
		}
	}
	return r, nil
}

func (r *OCSPResponse) parseData(tbs cryptobyte.String) error {
	var data, id, list, exts cryptobyte.String
	var tag asn1.Tag
	var version int64
	tbs.ReadASN1(&data, asn1.SEQUENCE)
	if !data.ReadOptionalASN1Integer(&version, asn1.Tag(0).Constructed().ContextSpecific(), int64(0)) || version != 0 {
		return malformed("version")
	}
	if !data.ReadAnyASN1(&id, &tag) {
		return malformed("responder")
	}
	switch tag {
	case asn1.Tag(1).Constructed().ContextSpecific():
		var err error
		if r.ResponderName, err = parseName(id); err != nil {
			return fmt.Errorf("responder: %w", err)
		}
		r.RawResponderName = id
	case asn1.Tag(2).Constructed().ContextSpecific():
		var hash cryptobyte.String
		if !id.ReadASN1(&hash, asn1.OCTET_STRING) || !id.Empty() {
			return malformed("responder key hash")
		}
		r.ResponderKeyHash = hash
	default:
		return malformed("responder")
	}
	if !readTime(&data, &r.ProducedAt) {
		return malformed("producedAt")
	}
	if !data.ReadASN1(&list, asn1.SEQUENCE) {
		return malformed("responses")
	}
	for !list.Empty() {
		one, err := parseSingle(&list)
		if err != nil {
			return fmt.Errorf("answer %d: %w", len(r.Responses)+1, err)
		}
		if r.Responses = append(r.Responses, one); len(r.Responses) > maxOCSPResponses {
			return malformed("more than %d answers", maxOCSPResponses)
		}
	}
	var present bool
	if !data.ReadOptionalASN1(&exts, &present, asn1.Tag(1).Constructed().ContextSpecific()) || !data.Empty() {
		return malformed("something after the answers")
	}
	if present {
		var err error
		if r.Extensions, err = readExtensions(&exts); err != nil {
			return err
		}
		r.Nonce = r.nonce()
	}
	return nil
}

// nonce takes the OCTET STRING of RFC 8954 and the bare octets of older responders.
func (r *OCSPResponse) nonce() []byte {
	v, ok := findExtension(r.Extensions, oidOCSPNonce)
	if !ok {
		return nil
	}
	in := cryptobyte.String(v)
	var content cryptobyte.String
	if in.ReadASN1(&content, asn1.OCTET_STRING) && in.Empty() {
		return content
	}
	return v
}

func parseSingle(list *cryptobyte.String) (r SingleResponse, err error) {
	var one, id, name, key, status, exts cryptobyte.String
	r.SerialNumber = new(big.Int)
	if !list.ReadASN1(&one, asn1.SEQUENCE) || !one.ReadASN1(&id, asn1.SEQUENCE) || !readHash(&id, &r.Hash) ||
		!id.ReadASN1(&name, asn1.OCTET_STRING) || !id.ReadASN1(&key, asn1.OCTET_STRING) ||
		!readInteger(&id, r.SerialNumber) || !id.Empty() {
		return r, malformed("CertID")
	}
	r.NameHash, r.KeyHash = name, key
	var tag asn1.Tag
	if !one.ReadAnyASN1(&status, &tag) {
		return r, malformed("status")
	}
	switch tag {
	case asn1.Tag(0).ContextSpecific():
		r.State = RevocationGood
	case asn1.Tag(1).Constructed().ContextSpecific():
		r.State = RevocationRevoked
		if !readTime(&status, &r.RevokedAt) {
			return r, malformed("revocation time")
		}
		var reason cryptobyte.String
		var present bool
		var code int
		if !status.ReadOptionalASN1(&reason, &present, asn1.Tag(0).Constructed().ContextSpecific()) ||
			present && (!reason.ReadASN1Enum(&code) || code < 0 || code > 10) {
			return r, malformed("revocation reason")
		}
		r.Reason = Reason(code)
	case asn1.Tag(2).ContextSpecific(), asn1.Tag(2).Constructed().ContextSpecific():
		r.State = RevocationUnknown
	default:
		return r, malformed("status")
	}
	var next cryptobyte.String
	var hasNext, hasExts bool
	if !readTime(&one, &r.ThisUpdate) ||
		!one.ReadOptionalASN1(&next, &hasNext, asn1.Tag(0).Constructed().ContextSpecific()) || hasNext && !readTime(&next, &r.NextUpdate) ||
		!one.ReadOptionalASN1(&exts, &hasExts, asn1.Tag(1).Constructed().ContextSpecific()) || !one.Empty() {
		return r, malformed("thisUpdate, nextUpdate or extensions")
	}
	if hasExts {
		r.Extensions, err = readExtensions(&exts)
	}
	return r, err
}

// Verify checks the response for certificates of an issuer: signed by the issuer itself, or by a
// responder that the same issuer key certified for it [RFC 6960 4.2.2.2]. at is the moment at which a
// delegated responder's certificate must be valid. It returns the responder.
//
// named is the local configuration of who may answer in place of the issuer: responders, and authorities that certify them.
func (r *OCSPResponse) Verify(issuer *Certificate, at time.Time, named ...*Certificate) (*Certificate, error) {
	return r.verify(issuer, at, nil, named)
}

func (r *OCSPResponse) verify(issuer *Certificate, at time.Time, known *SignatureCache, named []*Certificate) (*Certificate, error) {
	by, err := r.signer(issuer, at, known)
	for i := 0; err != nil && i < len(named); i++ {
		if other, unlike := r.signer(named[i], at, known); unlike == nil {
			return other, nil
		}
	}
	return by, err
}

// signer is the authority, or a responder that it certified.
func (r *OCSPResponse) signer(issuer *Certificate, at time.Time, known *SignatureCache) (*Certificate, error) {
	if r.by(issuer) {
		if err := known.check(r.Fingerprint(), issuer, func() error { return issuer.CheckSignature(r.SignatureAlgorithm, r.RawTBS, r.Signature) }); err != nil {
			return nil, fmt.Errorf("OCSP response by %q: %w", issuer.Subject, err)
		}
		return issuer, nil
	}
	for _, c := range r.Certificates {
		if !r.by(c) {
			continue
		}
		if err := delegated(c, issuer, at, known); err != nil {
			return nil, err
		}
		if err := known.check(r.Fingerprint(), c, func() error { return c.CheckSignature(r.SignatureAlgorithm, r.RawTBS, r.Signature) }); err != nil {
			return nil, fmt.Errorf("OCSP response by %q: %w", c.Subject, err)
		}
		return c, nil
	}
	return nil, fmt.Errorf("%w: OCSP responder is neither %q nor in the response", ErrUntrusted, issuer.Subject)
}

func delegated(c, issuer *Certificate, at time.Time, known *SignatureCache) error {
	if err := known.CheckSignatureFrom(c, issuer); err != nil {
		return fmt.Errorf("OCSP responder: %w", err)
	}
	if !hasOID(c.ExtKeyUsage, EKUOCSPSigning) {
		return fmt.Errorf("%w: %q is no OCSP responder [RFC 6960 4.2.2.2]", ErrKeyUsage, c.Subject)
	}
	if c.HasKeyUsage && c.KeyUsage&(UseDigitalSignature|UseContentCommitment) == 0 {
		return fmt.Errorf("%w: OCSP responder %q is not for signing", ErrKeyUsage, c.Subject)
	}
	return checkPeriod(c, at)
}

// by reports whether the responder identifier means this certificate.
func (r *OCSPResponse) by(c *Certificate) bool {
	if r.ResponderKeyHash != nil {
		h := sha1.Sum(c.keyBits())
		return bytes.Equal(h[:], r.ResponderKeyHash)
	}
	return sameName(r.RawResponderName, c.RawSubject, r.ResponderName, c.Subject)
}

// keyBits is the content of the key's BIT STRING, which OCSP and key identifiers hash.
func (c *Certificate) keyBits() []byte {
	in := cryptobyte.String(c.RawSPKI)
	var spki, bits cryptobyte.String
	in.ReadASN1(&spki, asn1.SEQUENCE)
	spki.SkipASN1(asn1.SEQUENCE)
	readBitString(&spki, &bits)
	return bits
}

// Find returns the latest answer about a certificate, matched by issuer name, issuer key and serial number.
func (r *OCSPResponse) Find(cert, issuer *Certificate) (*SingleResponse, bool) {
	var best *SingleResponse
	for i := range r.Responses {
		s := &r.Responses[i]
		if s.matches(cert, issuer) && (best == nil || s.ThisUpdate.After(best.ThisUpdate)) {
			best = s
		}
	}
	return best, best != nil
}

func (s *SingleResponse) matches(cert, issuer *Certificate) bool {
	if s.Hash == 0 || s.SerialNumber.Cmp(cert.SerialNumber) != 0 {
		return false
	}
	return bytes.Equal(digest(s.Hash, issuer.RawSubject), s.NameHash) && bytes.Equal(digest(s.Hash, issuer.keyBits()), s.KeyHash)
}

func digest(hash crypto.Hash, b []byte) []byte {
	h := hash.New()
	h.Write(b)
	return h.Sum(nil)
}

// defaultOCSPAge is how long an answer without nextUpdate is taken for current.
const defaultOCSPAge = 24 * time.Hour

func (s *SingleResponse) until() time.Time {
	if s.NextUpdate.IsZero() {
		return s.ThisUpdate.Add(defaultOCSPAge)
	}
	return s.NextUpdate
}

// Status verifies the response and answers about one certificate, as a [RevocationSource] does. An answer
// without nextUpdate counts for a day.
func (r *OCSPResponse) Status(_ context.Context, cert, issuer *Certificate, at time.Time) (RevocationStatus, error) {
	s, ok := r.Find(cert, issuer)
	if !ok {
		return RevocationStatus{}, nil
	}
	if _, err := r.Verify(issuer, r.ProducedAt); err != nil {
		return RevocationStatus{}, err
	}
	until := s.until()
	if at.After(until) {
		return RevocationStatus{}, fmt.Errorf("%w: OCSP answer about %q was for the time until %s", errStale, cert.Subject, until.Format(time.RFC3339))
	}
	st := RevocationStatus{State: s.State, ThisUpdate: s.ThisUpdate, NextUpdate: until}
	if s.State == RevocationRevoked {
		if s.RevokedAt.After(at) {
			st.State = RevocationGood
		} else {
			st.RevokedAt, st.Reason = s.RevokedAt, s.Reason
		}
	}
	return st, nil
}
