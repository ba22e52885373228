package cms

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/viadukt-eu/viadukt/trust/ber"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

func compare(a, b []byte) int { return bytes.Compare(a, b) }

// Template says how a signature shall be made.
type Template struct {
	Certificate *pki.Certificate
	Hash        crypto.Hash // default SHA-256; Ed25519 goes with SHA-512 [RFC 8419 3.1]
	PSS         bool        // RSA-PSS instead of PKCS #1 v1.5
	ByKey       bool        // name the signer by subject key identifier instead of issuer and serial number
	SigningTime time.Time   // zero: no such attribute
	Attributes  []Attribute // further signed ones; content-type and message-digest are added
}

// Pending is a signature whose value is still to be computed, here or elsewhere.
type Pending struct {
	Algorithm pki.SignatureAlgorithm
	signer    *SignerInfo
	cert      *pki.Certificate
	octets    []byte
	own       []byte // value that the key in this process made
}

// Prepare makes all of a signature but its value.
func (t Template) Prepare(contentType pki.OID, content Content) (*Pending, error) {
	var b cryptobyte.Builder
	pki.AddOID(&b, contentType)
	der, err := b.Bytes()
	if err != nil {
		return nil, fmt.Errorf("%w: content type %q", ErrFormat, contentType)
	}
	ct, err := NewAttribute(AttrContentType, der)
	if err != nil {
		return nil, err
	}
	return t.prepare(content, ct)
}

// PrepareCounter is [Template.Prepare] for a counter-signature of a signer.
func (t Template) PrepareCounter(of *SignerInfo) (*Pending, error) {
	return t.prepare(Bytes(of.Signature))
}

func (t Template) prepare(content Content, attrs ...Attribute) (*Pending, error) {
	if t.Certificate == nil || t.Certificate.PublicKey == nil {
		return nil, fmt.Errorf("%w to sign with", ErrSigner)
	}
	if t.Hash == 0 {
		t.Hash = crypto.SHA256
		if _, ok := t.Certificate.PublicKey.(ed25519.PublicKey); ok {
			t.Hash = crypto.SHA512
		}
	}
	a, err := pki.SigningAlgorithm(t.Certificate.PublicKey, t.Hash, t.PSS)
	if err != nil {
		return nil, err
	}
	sum, err := content.Digest(t.Hash)
	if err != nil {
		return nil, err
	}
	md, err := NewAttribute(AttrMessageDigest, ber.Append(nil, asn1.OCTET_STRING, sum))
	if err != nil {
		return nil, err
	}
	attrs = append(attrs, md)
	if !t.SigningTime.IsZero() {
		st, err := SigningTime(t.SigningTime)
		if err != nil {
			return nil, err
		}
		attrs = append(attrs, st)
	}
	for _, x := range t.Attributes {
		if slices.ContainsFunc(attrs, func(y Attribute) bool { return x.Type == y.Type }) {
			return nil, fmt.Errorf("%w: %s twice", ErrAttribute, x.Type)
		}
		attrs = append(attrs, x)
	}
	s, err := t.signer(a, attrs)
	if err != nil {
		return nil, err
	}
	octets := slices.Clone(s.Fields.SignedAttributes)
	octets[0] = byte(asn1.SET)
	return &Pending{Algorithm: a, signer: s, cert: t.Certificate, octets: octets}, nil
}

func (t Template) signer(a pki.SignatureAlgorithm, attrs []Attribute) (*SignerInfo, error) {
	slices.SortStableFunc(attrs, func(x, y Attribute) int { return bytes.Compare(x.Raw, y.Raw) })
	c := t.Certificate
	s := &SignerInfo{Version: 1, DigestAlgorithm: digestAlgorithm(t.Hash), SignatureAlgorithm: a, Signed: attrs, HasSigned: true}
	if t.ByKey {
		s.Version, s.SubjectKeyID = 3, c.SubjectKeyID
		if len(s.SubjectKeyID) == 0 {
			s.SubjectKeyID = c.HashKey(crypto.SHA1)
		}
		s.Fields.SID = ber.Append(nil, asn1.Tag(0).ContextSpecific(), s.SubjectKeyID)
	} else {
		var b cryptobyte.Builder
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddBytes(c.RawIssuer)
			b.AddASN1BigInt(c.SerialNumber)
		})
		sid, err := b.Bytes()
		if err != nil {
			return nil, err
		}
		s.RawIssuer, s.Issuer, s.SerialNumber, s.Fields.SID = c.RawIssuer, c.Issuer, c.SerialNumber, sid
	}
	s.Fields.Version = ber.Append(nil, asn1.INTEGER, []byte{byte(s.Version)})
	s.Fields.DigestAlgorithm = s.DigestAlgorithm.Raw
	s.Fields.SignatureAlgorithm = a.Raw
	raw := make([][]byte, len(attrs))
	for i := range attrs {
		raw[i] = attrs[i].Raw
	}
	s.Fields.SignedAttributes = ber.Append(nil, tag0, raw...)
	return s, nil
}

// digestAlgorithm has no parameters [RFC 5754 2].
func digestAlgorithm(h crypto.Hash) Algorithm {
	a := Algorithm{OID: pki.OIDByHash(h), Hash: h}
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { pki.AddOID(b, a.OID) })
	a.Raw = b.BytesOrPanic() // the identifier is one of ours
	return a
}

// ToBeSigned is what the signature value is computed over.
func (p *Pending) ToBeSigned() []byte { return p.octets }

// Digest is the hash of [Pending.ToBeSigned] by Algorithm.Hash; nil for Ed25519, which signs the octets themselves.
func (p *Pending) Digest() []byte {
	if p.Algorithm.Hash == 0 {
		return nil
	}
	h := p.Algorithm.Hash.New()
	h.Write(p.octets)
	return h.Sum(nil)
}

// Complete puts in a value made elsewhere, once it is seen to be that of the certificate's key.
func (p *Pending) Complete(value []byte) (*SignerInfo, error) {
	if p.own != nil && bytes.Equal(value, p.own) {
		return p.complete(value), nil
	}
	if err := p.Algorithm.Verify(p.cert.PublicKey, p.octets, value); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSignature, err)
	}
	return p.complete(value), nil
}

func (p *Pending) complete(value []byte) *SignerInfo {
	s := *p.signer
	s.Signature = value
	s.Fields.Signature = ber.Append(nil, asn1.OCTET_STRING, value)
	return &s
}

// Sign computes the value with a key that is at hand. random nil is crypto/rand.
func (p *Pending) Sign(random io.Reader, key pki.Key) (*SignerInfo, error) {
	if k, ok := p.cert.PublicKey.(interface{ Equal(crypto.PublicKey) bool }); !ok || !k.Equal(key.Public()) {
		return nil, fmt.Errorf("%w: the key is not that of %q", ErrSigner, p.cert.Subject)
	}
	value, err := p.Algorithm.Sign(random, key, p.octets)
	if err != nil {
		return nil, err
	}
	if pki.InProcess(key, p.cert.PublicKey) {
		p.own = value
	}
	return p.complete(value), nil
}

// SigningTime makes the attribute: UTCTime until 2049, GeneralizedTime outside [RFC 5652 11.3].
func SigningTime(t time.Time) (Attribute, error) {
	t = t.UTC()
	var b cryptobyte.Builder
	if y := t.Year(); 1950 <= y && y < 2050 {
		b.AddASN1UTCTime(t)
	} else {
		b.AddASN1GeneralizedTime(t)
	}
	der, err := b.Bytes()
	if err != nil {
		return Attribute{}, err
	}
	return NewAttribute(AttrSigningTime, der)
}

// single returns the value of a signed attribute that must be there once, with one value.
func (s *SignerInfo) single(t pki.OID) (value []byte) {
	n := 0
	for i := range s.Signed {
		if s.Signed[i].Type == t {
			n += 1 + len(s.Signed[i].Values)
		}
	}
	if n != 2 {
		return nil
	}
	return Attr(s.Signed, t)
}

// SigningTime is what the signer claims; zero where it is not there once, or not readable.
func (s *SignerInfo) SigningTime() time.Time {
	v := s.single(AttrSigningTime)
	if v == nil {
		return time.Time{}
	}
	in := cryptobyte.String(v)
	var t time.Time
	if !pki.ReadTime(&in, &t) || !in.Empty() {
		return time.Time{}
	}
	return t
}
