package cms

import (
	"bytes"
	"crypto"
	"fmt"
	"io"
	"slices"

	"github.com/viadukt-eu/viadukt/trust/ber"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// New makes a message without signers. content nil makes it detached.
func New(contentType pki.OID, content []byte) (*SignedData, error) {
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		pki.AddOID(b, contentType)
		if content != nil {
			b.AddASN1(tag0, func(b *cryptobyte.Builder) { b.AddASN1OctetString(content) })
		}
	})
	encap, err := b.Bytes()
	if err != nil {
		return nil, fmt.Errorf("%w: content type %q", ErrFormat, contentType)
	}
	m := &SignedData{fresh: true, Version: 1, ContentType: contentType, Detached: content == nil, encap: octets{b: encap}}
	if content != nil {
		m.content = Bytes(content)
	}
	return m, nil
}

// NewFile is [New] with content of any size, which is read again when the message is written.
func NewFile(contentType pki.OID, content io.ReaderAt, size int64) (*SignedData, error) {
	m, err := New(contentType, nil)
	if err != nil {
		return nil, err
	}
	oid := m.encap.b[len(m.encap.b)-int(m.encap.b[1]):]
	inner := 1 + int64(len(ber.AppendLength(nil, int(size)))) + size
	explicit := 1 + int64(len(ber.AppendLength(nil, int(inner)))) + inner
	head := ber.AppendLength([]byte{byte(asn1.SEQUENCE)}, len(oid)+int(explicit))
	head = append(head, oid...)
	head = ber.AppendLength(append(head, byte(tag0)), int(inner))
	head = ber.AppendLength(append(head, byte(asn1.OCTET_STRING)), int(size))
	m.Detached, m.content = false, File(content, size)
	m.encap = octets{r: &joined{head, content, size}, n: int64(len(head)) + size}
	return m, nil
}

// joined is a header before a file.
type joined struct {
	head []byte
	file io.ReaderAt
	size int64
}

func (j *joined) ReadAt(p []byte, off int64) (n int, err error) {
	if h := int64(len(j.head)); off < h {
		n = copy(p, j.head[off:])
		if n == len(p) {
			return n, nil
		}
		off = h
	}
	off -= int64(len(j.head))
	want := min(int64(len(p)-n), j.size-off)
	k, err := j.file.ReadAt(p[n:n+int(max(want, 0))], off)
	n += k
	if n == len(p) {
		return n, nil
	}
	if err == nil {
		err = io.EOF
	}
	return n, err
}

// changed forgets the octets of the whole.
func (m *SignedData) changed() { m.raw = nil }

// AddCertificates puts in those that are not there yet.
func (m *SignedData) AddCertificates(certs ...*pki.Certificate) {
	for _, c := range certs {
		if !slices.ContainsFunc(m.Certificates, func(x Certificate) bool { return bytes.Equal(x.Raw, c.Raw) }) {
			m.Certificates = append(m.Certificates, Certificate{Raw: c.Raw, Certificate: c})
			m.hasCerts, m.rawCerts = true, nil
			m.changed()
		}
	}
}

// AddCRL puts in a list in DER, unless it is there.
func (m *SignedData) AddCRL(der []byte) { m.addRevocation(Revocation{Raw: der, Value: der}) }

// AddOCSP puts in an OCSPResponse in DER, unless it is there [RFC 5940 2.1].
func (m *SignedData) AddOCSP(der []byte) {
	var b cryptobyte.Builder
	b.AddASN1(tag1, func(b *cryptobyte.Builder) {
		pki.AddOID(b, RevocationOCSP)
		b.AddBytes(der)
	})
	m.addRevocation(Revocation{Raw: b.BytesOrPanic(), Format: RevocationOCSP, Value: der})
}

func (m *SignedData) addRevocation(r Revocation) {
	if slices.ContainsFunc(m.Revocation, func(x Revocation) bool { return bytes.Equal(x.Value, r.Value) }) {
		return
	}
	m.Revocation = append(m.Revocation, r)
	m.hasCRLs, m.rawCRLs = true, nil
	m.changed()
}

// AddSigner puts in a signature.
func (m *SignedData) AddSigner(s *SignerInfo) {
	s.message = m
	m.Signers = append(m.Signers, s)
	if !slices.ContainsFunc(m.DigestAlgorithms, func(a Algorithm) bool { return a.OID == s.DigestAlgorithm.OID }) {
		m.DigestAlgorithms = append(m.DigestAlgorithms, s.DigestAlgorithm)
		m.rawAlgorithms = nil
	}
	m.changed()
}

// AddUnsigned adds an unsigned attribute behind those that are there, which keep their octets. The attributes of a
// counter-signature are part of another attribute: [ErrCovered].
func (s *SignerInfo) AddUnsigned(a Attribute) error {
	if s.parent != nil {
		return fmt.Errorf("%w: unsigned attributes of a counter-signature", ErrCovered)
	}
	s.Unsigned = append(s.Unsigned, a)
	s.unsignedChanged()
	return nil
}

// ReplaceUnsigned puts another attribute in the place of one.
func (s *SignerInfo) ReplaceUnsigned(i int, a Attribute) error {
	if s.parent != nil {
		return fmt.Errorf("%w: unsigned attributes of a counter-signature", ErrCovered)
	}
	s.Unsigned[i] = a
	s.unsignedChanged()
	return nil
}

func (s *SignerInfo) unsignedChanged() {
	s.Raw, s.rawUnsigned = nil, nil
	if s.message != nil {
		s.message.changed()
	}
}

// AddCounterSignature adds the counter-signature of this signer that was prepared for it.
func (s *SignerInfo) AddCounterSignature(c *SignerInfo) error {
	a, err := NewAttribute(AttrCounterSignature, c.encode())
	if err != nil {
		return err
	}
	return s.AddUnsigned(a)
}

// CounterSignatures reads the signatures of this signature.
func (s *SignerInfo) CounterSignatures() ([]*SignerInfo, error) {
	depth := 0
	for p := s.parent; p != nil; p = p.parent {
		depth++
	}
	var out []*SignerInfo
	for _, a := range s.Unsigned {
		if a.Type != AttrCounterSignature {
			continue
		}
		for _, v := range a.Values {
			if depth == maxCounter {
				return out, fmt.Errorf("%w: more than %d counter-signatures within one another", ErrFormat, maxCounter)
			}
			c, err := ParseSignerInfo(v)
			if err != nil {
				return out, fmt.Errorf("counter-signature: %w", err)
			}
			c.parent = s
			out = append(out, c)
		}
	}
	return out, nil
}

func (s *SignerInfo) encode() []byte {
	if s.Raw != nil {
		return s.Raw
	}
	f := &s.Fields
	parts := [][]byte{f.Version, f.SID, f.DigestAlgorithm, f.SignedAttributes, f.SignatureAlgorithm, f.Signature}
	if s.rawUnsigned != nil {
		parts = append(parts, s.rawUnsigned)
	} else if len(s.Unsigned) > 0 {
		raw := make([][]byte, len(s.Unsigned))
		for i := range raw {
			raw[i] = s.Unsigned[i].Raw
		}
		parts = append(parts, ber.Append(nil, tag1, raw...))
	}
	return ber.Append(nil, asn1.SEQUENCE, parts...)
}

// version is the least that the content allows [RFC 5652 5.1]; one that was read is not lowered.
func (m *SignedData) version() int {
	v := m.Version
	if m.ContentType != ContentData {
		v = max(v, 3)
	}
	for _, s := range m.Signers {
		if s.Version == 3 {
			v = max(v, 3)
		}
	}
	for _, c := range m.Certificates {
		switch c.Raw[0] {
		case 0xa1:
			v = max(v, 3)
		case 0xa2:
			v = max(v, 4)
		case 0xa3:
			v = max(v, 5)
		}
	}
	for _, r := range m.Revocation {
		if r.Format != "" {
			v = max(v, 5)
		}
	}
	return v
}

// frame is what stands before encapContentInfo within SignedData, and after it.
func (m *SignedData) frame() (before, after []byte) {
	algorithms := m.rawAlgorithms
	if algorithms == nil {
		raw := make([][]byte, len(m.DigestAlgorithms))
		for i := range raw {
			raw[i] = m.DigestAlgorithms[i].Raw
		}
		slices.SortFunc(raw, compare)
		algorithms = ber.Append(nil, asn1.SET, raw...)
	}
	before = append(ber.Append(nil, asn1.INTEGER, []byte{byte(m.version())}), algorithms...)
	return before, m.tail()
}

func (m *SignedData) tail() (after []byte) {
	if m.rawCerts != nil {
		after = append(after, m.rawCerts...)
	} else if m.hasCerts {
		raw := make([][]byte, len(m.Certificates))
		for i := range raw {
			raw[i] = m.Certificates[i].Raw
		}
		m.order(raw)
		after = ber.Append(after, tag0, raw...)
	}
	if m.rawCRLs != nil {
		after = append(after, m.rawCRLs...)
	} else if m.hasCRLs {
		raw := make([][]byte, len(m.Revocation))
		for i := range raw {
			raw[i] = m.Revocation[i].Raw
		}
		m.order(raw)
		after = ber.Append(after, tag1, raw...)
	}
	signers := make([][]byte, len(m.Signers))
	for i, s := range m.Signers {
		signers[i] = s.encode()
	}
	m.order(signers)
	return ber.Append(after, asn1.SET, signers...)
}

// order puts a set of a message of our own into the order of DER; what others wrote is not stirred.
func (m *SignedData) order(set [][]byte) {
	if m.fresh {
		slices.SortStableFunc(set, compare)
	}
}

// WriteTo writes the message: the very octets that were read where nothing changed, otherwise definite lengths around the parts,
// which keep their own. Content in a file is copied.
func (m *SignedData) WriteTo(w io.Writer) (int64, error) {
	if m.raw != nil {
		n, err := w.Write(m.raw)
		return int64(n), err
	}
	if m.encap.len() == 0 {
		return 0, fmt.Errorf("%w: it was read as a stream and is gone", ErrContent)
	}
	before, after := m.frame()
	size := len(before) + len(after) + int(m.encap.len())
	var head []byte
	signed := ber.AppendLength([]byte{byte(asn1.SEQUENCE)}, size)
	explicit := ber.AppendLength([]byte{byte(tag0)}, len(signed)+size)
	oid := []byte{6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2}
	head = ber.AppendLength([]byte{byte(asn1.SEQUENCE)}, len(oid)+len(explicit)+len(signed)+size)
	head = slices.Concat(head, oid, explicit, signed, before)
	var total int64
	n, err := w.Write(head)
	total += int64(n)
	if err != nil {
		return total, err
	}
	k, err := m.encap.WriteTo(w)
	total += k
	if err != nil {
		return total, err
	}
	n, err = w.Write(after)
	return total + int64(n), err
}

// Bytes returns the message as [SignedData.WriteTo] writes it.
func (m *SignedData) Bytes() ([]byte, error) {
	if m.raw != nil {
		return m.raw, nil
	}
	var b bytes.Buffer
	b.Grow(int(m.encap.len()) + 4<<10)
	if _, err := m.WriteTo(&b); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// Sign is the short way for content in memory: one signer whose key is at hand, with signing-certificate-v2, certificate and chain.
func Sign(id *pki.Identity, content []byte, detached bool, t Template) ([]byte, error) {
	t.Certificate = id.Certificate
	if Count(t.Attributes, AttrSigningCertificateV2) == 0 {
		h := t.Hash
		if h == 0 {
			h = crypto.SHA256
		}
		a, err := SigningCertificate(h, id.Certificate)
		if err != nil {
			return nil, err
		}
		t.Attributes = append(slices.Clone(t.Attributes), a)
	}
	p, err := t.Prepare(ContentData, Bytes(content))
	if err != nil {
		return nil, err
	}
	s, err := p.Sign(nil, id.Key)
	if err != nil {
		return nil, err
	}
	within := content
	if detached {
		within = nil
	} else if within == nil {
		within = []byte{}
	}
	m, err := New(ContentData, within)
	if err != nil {
		return nil, err
	}
	m.AddCertificates(append([]*pki.Certificate{id.Certificate}, id.Chain...)...)
	m.AddSigner(s)
	return m.Bytes()
}

// Without returns the message without some unsigned attributes, for those who hash it as it was before they came. Where nothing is
// dropped, it is the message itself.
func (m *SignedData) Without(drop func(s *SignerInfo, attribute int) bool) *SignedData {
	out := *m
	changed := false
	out.Signers = make([]*SignerInfo, len(m.Signers))
	for i, s := range m.Signers {
		var kept []Attribute
		for j := range s.Unsigned {
			if !drop(s, j) {
				kept = append(kept, s.Unsigned[j])
			}
		}
		if len(kept) < len(s.Unsigned) {
			c := *s
			c.Unsigned, c.Raw, c.rawUnsigned = kept, nil, nil
			s, changed = &c, true
		}
		out.Signers[i] = s
	}
	if !changed {
		return m
	}
	out.raw = nil
	return &out
}
