package cms

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"slices"

	"github.com/viadukt-eu/viadukt/trust/ber"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Facts is what holds of one signature, and what does not.
type Facts struct {
	// Certificate is the one whose key made the signature; where the value does not hold, the one that the signer names. It is nil
	// where there is none.
	Certificate *pki.Certificate
	Candidates  []*pki.Certificate // all that the signer's identifier fits

	Hash   crypto.Hash // by which the content is covered
	Digest []byte      // of the content, as signed; nil where there is no such attribute

	// Content, Signature and Attributes are nil where that part holds: the content is what was signed, the value is that of the
	// certificate's key, the signed attributes are those that must be, once each.
	Content    error // ErrContent, ErrDigest, ErrAlgorithm
	Signature  error // ErrSigner, ErrSignature, ErrAlgorithm
	Attributes error // ErrAttribute

	// Named is what the signing certificate attributes say; NameError why they could not be read.
	Named     []CertID
	NameError error
	// Reordered says that the attributes hold in the order they came in, which is not that of DER.
	Reordered bool
	Algorithm pki.SignatureAlgorithm // as computed

	checked bool
}

// Err is nil where all three parts hold. Facts that were not made by checking hold never.
func (f *Facts) Err() error {
	if !f.checked {
		return errors.Join(errUnchecked, f.Signature, f.Content, f.Attributes)
	}
	return errors.Join(f.Signature, f.Content, f.Attributes)
}

// NamesCertificate reports whether the first certificate that is named by digest is the signer's.
func (f *Facts) NamesCertificate() bool {
	return f.Certificate != nil && len(f.Named) > 0 && f.Named[0].Matches(f.Certificate)
}

var errUnchecked = errors.New("cms: not checked")

// Verify checks a signature against the content; nil stands for the content within the message. The certificates of the message
// and the further ones are candidates for the signer's; none of them is trusted by that. For counter-signatures the content is
// the signature they sign, whatever is given.
func (s *SignerInfo) Verify(content Content, more ...*pki.Certificate) *Facts {
	f := &Facts{Content: errUnchecked, Signature: errUnchecked, Attributes: errUnchecked, Hash: s.DigestAlgorithm.Hash}
	m := s.Message()
	switch {
	case s.parent != nil:
		content = Bytes(s.parent.Signature)
	case content == nil && m != nil:
		content = m.content
	}
	if content == nil {
		content = Digests(nil)
	}
	f.Named, f.NameError = SigningCertificates(s.Signed)
	f.Attributes = s.checkAttributes(f)
	f.Content = s.checkContent(f, content)
	f.findCandidates(s, m, more)
	f.Signature = s.checkSignature(f, content)
	f.checked = true
	return f
}

// Verify checks all signers, with one pass over the content however many digests they use.
func (m *SignedData) Verify(content Content, more ...*pki.Certificate) []*Facts {
	c := content
	if c == nil {
		c = m.content
	}
	if p, ok := c.(interface {
		prepare(...crypto.Hash) error
	}); ok {
		var hashes []crypto.Hash
		for _, s := range m.Signers {
			if h := s.DigestAlgorithm.Hash; h.Available() {
				hashes = append(hashes, h)
			}
		}
		p.prepare(hashes...) // an error comes again where the digest is asked for
	}
	out := make([]*Facts, len(m.Signers))
	for i, s := range m.Signers {
		out[i] = s.Verify(content, more...)
	}
	return out
}

// checkAttributes holds the signed attributes against [RFC 5652 5.3, 11.1, 11.2].
func (s *SignerInfo) checkAttributes(f *Facts) error {
	wrong := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrAttribute, fmt.Sprintf(format, args...))
	}
	m := s.Message()
	if !s.HasSigned {
		if s.parent == nil && m != nil && m.ContentType != ContentData {
			return wrong("there are none, though the content is of type %s [RFC 5652 5.3]", m.ContentType)
		}
		return nil
	}
	single := func(t pki.OID, what string) (ber.Element, error) {
		v := s.single(t)
		if v == nil {
			return ber.Element{}, wrong("%s is not there once with one value", what)
		}
		return ber.Parse(v)
	}
	e, err := single(AttrMessageDigest, "message-digest")
	if err != nil {
		// the digest is read all the same: who reports may say whether the content is the one
		if v := Attr(s.Signed, AttrMessageDigest); v != nil {
			if e, err := ber.Parse(v); err == nil {
				f.Digest, _ = e.Bytes()
			}
		}
		return err
	}
	if f.Digest, err = e.Bytes(); err != nil || e.Tag&^0x20 != asn1.OCTET_STRING {
		f.Digest = nil
		return wrong("message-digest is no OCTET STRING")
	}
	if s.parent != nil {
		if Count(s.Signed, AttrContentType) > 0 {
			return wrong("content-type in a counter-signature [RFC 5652 11.4]")
		}
	} else {
		e, err := single(AttrContentType, "content-type")
		if err != nil {
			return err
		}
		t, ok := pki.DecodeOID(e.Content)
		if e.Tag != asn1.OBJECT_IDENTIFIER || !ok || m != nil && t != m.ContentType {
			return wrong("content-type %q is not that of the content", t)
		}
	}
	if Count(s.Signed, AttrSigningTime) > 0 && s.single(AttrSigningTime) == nil {
		return wrong("signing-time more than once [RFC 5652 11.3]")
	}
	return s.checkProtection(wrong)
}

// checkProtection compares the algorithms with their copy among the signed attributes, where one is [RFC 6211 2].
func (s *SignerInfo) checkProtection(wrong func(string, ...any) error) error {
	v := Attr(s.Signed, AttrAlgorithmProtection)
	if v == nil {
		return nil
	}
	e, err := ber.Parse(v)
	if err != nil {
		return wrong("algorithm protection: %v", err)
	}
	r := e.Children()
	d, err := r.Read(asn1.SEQUENCE, "digest algorithm")
	if err != nil || !sameAlgorithm(d.Content, s.Fields.DigestAlgorithm) {
		return wrong("algorithm protection has another digest algorithm")
	}
	a, err := r.Read(tag1, "signature algorithm")
	if err != nil || !sameAlgorithm(a.Content, s.Fields.SignatureAlgorithm) {
		return wrong("algorithm protection has another signature algorithm")
	}
	return nil
}

// sameAlgorithm compares the content of an AlgorithmIdentifier with a whole one; absent parameters and NULL are the same.
func sameAlgorithm(content, whole []byte) bool {
	e, err := ber.Parse(whole)
	if err != nil {
		return false
	}
	null := []byte{5, 0}
	return bytes.Equal(bytes.TrimSuffix(content, null), bytes.TrimSuffix(e.Content, null))
}

func (s *SignerInfo) checkContent(f *Facts, content Content) error {
	if !f.Hash.Available() {
		return fmt.Errorf("%w: digest %s", ErrAlgorithm, s.DigestAlgorithm.OID)
	}
	if !s.HasSigned {
		_, err := content.Digest(f.Hash) // the signature value itself tells whether it is the right one
		return err
	}
	if f.Digest == nil {
		return fmt.Errorf("%w: no message-digest", ErrAttribute)
	}
	sum, err := content.Digest(f.Hash)
	if err != nil {
		return err
	}
	if !bytes.Equal(sum, f.Digest) {
		return fmt.Errorf("%w: its %s digest is %x, signed was %x", ErrDigest, f.Hash, sum, f.Digest)
	}
	return nil
}

// findCandidates collects the certificates that the signer identifier fits, those first whose digest is signed.
func (f *Facts) findCandidates(s *SignerInfo, m *SignedData, more []*pki.Certificate) {
	add := func(c *pki.Certificate, fits bool) {
		if c != nil && fits && !slices.ContainsFunc(f.Candidates, c.Equal) {
			f.Candidates = append(f.Candidates, c)
		}
	}
	all := func(fits func(*pki.Certificate) bool) {
		if m != nil {
			for i := range m.Certificates {
				if c := m.Certificates[i].Certificate; c != nil {
					add(c, fits(c))
				}
			}
		}
		for _, c := range more {
			add(c, fits(c))
		}
	}
	named := func(c *pki.Certificate) bool { return len(f.Named) > 0 && f.Named[0].Matches(c) }
	all(s.Identifies)
	if len(f.Candidates) == 0 {
		all(named)
		return
	}
	if len(f.Candidates) > 1 {
		slices.SortStableFunc(f.Candidates, func(a, b *pki.Certificate) int {
			switch x, y := named(a), named(b); {
			case x && !y:
				return -1
			case y && !x:
				return 1
			}
			return 0
		})
	}
}

// Identifies reports whether the signer identifier means a certificate.
func (s *SignerInfo) Identifies(c *pki.Certificate) bool {
	if s.SerialNumber != nil {
		return s.SerialNumber.Cmp(c.SerialNumber) == 0 &&
			(bytes.Equal(s.RawIssuer, c.RawIssuer) || s.Issuer != nil && s.Issuer.Equal(c.Issuer))
	}
	if len(c.SubjectKeyID) > 0 {
		return bytes.Equal(s.SubjectKeyID, c.SubjectKeyID)
	}
	return bytes.Equal(s.SubjectKeyID, c.HashKey(crypto.SHA1))
}

func (s *SignerInfo) checkSignature(f *Facts, content Content) error {
	if len(f.Candidates) == 0 {
		return ErrSigner
	}
	f.Certificate = f.Candidates[0]
	a, err := s.algorithm()
	f.Algorithm = a
	if err != nil {
		return err
	}
	value := s.Signature
	if plainECDSA[s.SignatureAlgorithm.OID] != 0 {
		value = derECDSA(value)
	}
	if !s.HasSigned {
		return f.try(s, content, value)
	}
	var digests [3][]byte
	forms := s.signedForms()
	err = fmt.Errorf("%w: %d certificates, %d forms of the attributes", ErrSignature, len(f.Candidates), len(forms))
	for _, c := range f.Candidates[:min(len(f.Candidates), maxCandidates)] {
		if c.PublicKey == nil {
			err = fmt.Errorf("%w: %w", ErrAlgorithm, c.KeyError)
			continue
		}
		for i, form := range forms {
			var e error
			if a.Scheme == pki.SchemeEd25519 {
				e = a.Verify(c.PublicKey, form, value)
			} else {
				if digests[i] == nil {
					h := a.Hash.New()
					h.Write(form)
					digests[i] = h.Sum(nil)
				}
				e = a.VerifyDigest(c.PublicKey, digests[i], value)
			}
			if e == nil {
				f.Certificate, f.Reordered = c, i < len(forms)-1
				return nil
			}
			if errors.Is(e, pki.ErrUnsupported) {
				err = fmt.Errorf("%w: %w", ErrAlgorithm, e)
			}
		}
	}
	return err
}

// try checks a signature without signed attributes: its value is directly over the content.
func (f *Facts) try(s *SignerInfo, content Content, value []byte) error {
	a := f.Algorithm
	var message, digest []byte
	if a.Scheme == pki.SchemeEd25519 {
		var b limited
		if _, err := content.WriteTo(&b); err != nil {
			return err
		}
		message = b.b
	} else {
		var err error
		if digest, err = content.Digest(a.Hash); err != nil {
			return err
		}
	}
	err := fmt.Errorf("%w over the content", ErrSignature)
	for _, c := range f.Candidates[:min(len(f.Candidates), maxCandidates)] {
		if c.PublicKey == nil {
			err = fmt.Errorf("%w: %w", ErrAlgorithm, c.KeyError)
			continue
		}
		var e error
		if message != nil {
			e = a.Verify(c.PublicKey, message, value)
		} else {
			e = a.VerifyDigest(c.PublicKey, digest, value)
		}
		if e == nil {
			f.Certificate = c
			return nil
		}
		if errors.Is(e, pki.ErrUnsupported) {
			err = fmt.Errorf("%w: %w", ErrAlgorithm, e)
		}
	}
	return err
}

// limited keeps what is signed as a whole by Ed25519, which cannot be hashed beforehand.
type limited struct{ b []byte }

func (l *limited) Write(p []byte) (int, error) {
	if len(l.b)+len(p) > 64<<20 {
		return 0, fmt.Errorf("%w: more than 64 MiB signed by Ed25519 without attributes", ErrAlgorithm)
	}
	l.b = append(l.b, p...)
	return len(p), nil
}

// bareKeys are key identifiers in the place of signature algorithms; the digest is then that of the signer.
var bareKeys = map[pki.OID]pki.Scheme{
	"1.2.840.113549.1.1.1": pki.SchemeRSA, "1.2.840.10045.2.1": pki.SchemeECDSA, "1.2.840.10040.4.1": pki.SchemeDSA,
}

// plainECDSA are the algorithms of BSI TR-03111 whose value is r and s side by side.
var plainECDSA = map[pki.OID]crypto.Hash{
	"0.4.0.127.0.7.1.1.4.1.1": crypto.SHA1, "0.4.0.127.0.7.1.1.4.1.2": crypto.SHA224, "0.4.0.127.0.7.1.1.4.1.3": crypto.SHA256,
	"0.4.0.127.0.7.1.1.4.1.4": crypto.SHA384, "0.4.0.127.0.7.1.1.4.1.5": crypto.SHA512,
	"0.4.0.127.0.7.1.1.4.1.8": crypto.SHA3_224, "0.4.0.127.0.7.1.1.4.1.9": crypto.SHA3_256,
	"0.4.0.127.0.7.1.1.4.1.10": crypto.SHA3_384, "0.4.0.127.0.7.1.1.4.1.11": crypto.SHA3_512,
}

// algorithm is the signature algorithm to be computed. Where it names a digest, that must be the digest of the signer: peers differ,
// and taking either of the two would let an attacker choose.
func (s *SignerInfo) algorithm() (pki.SignatureAlgorithm, error) {
	a := s.SignatureAlgorithm
	if scheme, ok := bareKeys[a.OID]; ok {
		a.Scheme, a.Hash = scheme, s.DigestAlgorithm.Hash
	} else if h := plainECDSA[a.OID]; h != 0 {
		a.Scheme, a.Hash = pki.SchemeECDSA, h
	}
	switch {
	case a.Scheme == pki.SchemeUnknown:
		return a, fmt.Errorf("%w: signature algorithm %s", ErrAlgorithm, a.OID)
	case a.Scheme == pki.SchemeEd25519:
		return a, nil
	case !a.Hash.Available():
		return a, fmt.Errorf("%w: digest %s", ErrAlgorithm, s.DigestAlgorithm.OID)
	case a.Hash != s.DigestAlgorithm.Hash:
		return a, fmt.Errorf("%w: %w: the signature algorithm hashes by %s, the signer by %s", ErrSignature, ErrAlgorithm, a.Hash, s.DigestAlgorithm.OID)
	}
	return a, nil
}

// derECDSA makes SEQUENCE { r, s } of two numbers side by side; what cannot be split stays and fails.
func derECDSA(plain []byte) []byte {
	if len(plain) == 0 || len(plain)%2 != 0 {
		return plain
	}
	number := func(b []byte) []byte {
		b = bytes.TrimLeft(b, "\x00")
		if len(b) == 0 || b[0]&0x80 != 0 {
			b = append([]byte{0}, b...)
		}
		return ber.Append(nil, asn1.INTEGER, b)
	}
	return ber.Append(nil, asn1.SEQUENCE, number(plain[:len(plain)/2]), number(plain[len(plain)/2:]))
}

// signedForms are the encodings of the signed attributes that the value may be over: as they came with the tag of a SET, with
// definite lengths, and as DER has it, which comes last and is the right one [RFC 5652 5.4].
func (s *SignerInfo) signedForms() [][]byte {
	e, err := ber.Parse(s.Fields.SignedAttributes)
	if err != nil {
		return nil
	}
	sorted := slices.IsSortedFunc(s.Signed, func(a, b Attribute) int { return bytes.Compare(a.Raw, b.Raw) })
	der := e.IsDER()
	asSet := func(b []byte) []byte {
		b = slices.Clone(b)
		b[0] = byte(asn1.SET)
		return b
	}
	if der && sorted && !slices.ContainsFunc(s.Signed, func(a Attribute) bool { return len(a.Values) > 1 }) {
		return [][]byte{asSet(e.Raw)}
	}
	var forms [][]byte
	add := func(b []byte) {
		// the last of equal forms stays, so that DER is the last
		forms = slices.DeleteFunc(forms, func(f []byte) bool { return bytes.Equal(f, b) })
		forms = append(forms, b)
	}
	add(asSet(e.Raw))
	if b, err := e.DER(); err == nil {
		add(asSet(b))
	}
	e.Raw = asSet(e.Raw)
	e.Tag = asn1.SET
	if b, err := e.SortedDER(); err == nil {
		add(b)
	}
	return forms
}
