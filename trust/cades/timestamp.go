package cades

import (
	"bytes"
	"crypto"
	"fmt"
	"io"

	"github.com/viadukt-eu/viadukt/trust/ber"
	"github.com/viadukt-eu/viadukt/trust/cms"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/tsp"
	"golang.org/x/crypto/cryptobyte"
)

// Kind says what a time-stamp covers.
type Kind string

// The kinds of time-stamps, named as their attributes are [EN 319 122-1 5].
const (
	ContentTimeStamp   Kind = "content-time-stamp"
	SignatureTimeStamp Kind = "signature-time-stamp"
	TimeStampC         Kind = "CAdES-C-timestamp"
	RefsTimeStamp      Kind = "time-stamped-certs-crls-references"
	Archive            Kind = "archive-time-stamp"
	ArchiveV2          Kind = "archive-time-stamp-v2"
	ArchiveV3          Kind = "archive-time-stamp-v3"
)

var kinds = map[pki.OID]Kind{
	AttrSignatureTimeStamp: SignatureTimeStamp, AttrTimeStampC: TimeStampC, AttrTimeStampRefs: RefsTimeStamp,
	AttrArchiveTimeStamp: Archive, AttrArchiveTimeStampV2: ArchiveV2, AttrArchiveTimeStampV3: ArchiveV3,
}

// TimeStamp is one time-stamp of a signature.
type TimeStamp struct {
	Kind      Kind
	Attribute int    // its index among the unsigned attributes; -1 where it is signed
	Raw       []byte // the value
	Token     *tsp.Token
	Err       error      // why the token could not be read; then Token is nil
	HashIndex *HashIndex // of version 3
	signature *Signature
}

// archive reports whether all that was there before is covered.
func (t *TimeStamp) archive() bool {
	return t.Kind == Archive || t.Kind == ArchiveV2 || t.Kind == ArchiveV3
}

func (s *Signature) addTimeStamp(kind Kind, attribute int, value []byte) {
	t := &TimeStamp{Kind: kind, Attribute: attribute, Raw: value, signature: s}
	t.Token, t.Err = tsp.ParseTokenWith(value, s.Message.Known)
	if t.Err == nil && kind == ArchiveV3 && len(t.Token.Message.Signers) > 0 {
		t.HashIndex, t.Err = findIndex(t.Token.Message.Signers[0].Unsigned)
	}
	s.TimeStamps = append(s.TimeStamps, t)
}

// TimeStampFacts is what holds of a time-stamp.
type TimeStampFacts struct {
	*tsp.Facts       // of the token
	Imprint    error // nil where it is for what it must cover: [ErrImprint], cms.ErrContent, [ErrForm] or [ErrStructure]
	Covers     Coverage
}

// Err is nil where token and imprint hold.
func (f *TimeStampFacts) Err() error {
	if f.Imprint != nil {
		return f.Imprint
	}
	return f.Facts.Err()
}

// Coverage is what a time-stamp is for. It is of worth only where its imprint holds.
type Coverage struct {
	Content, Signature bool
	Certificates       []int // indexes of SignedData's certificates
	Revocation         []int // and of its revocation information
	Attributes         []int // of the signer's unsigned attributes

	// Of version 3: how many hashes of the index belong to nothing in its place. Then it is not as it should be, though what is
	// found is covered. AttributesPartly says that an attribute has further values that are not covered.
	LostCertificates, LostRevocation, LostAttributes int
	AttributesPartly                                 bool
}

// Check computes what a time-stamp covers and verifies its token.
func (t *TimeStamp) Check(content cms.Content, more ...*pki.Certificate) *TimeStampFacts {
	if t.Token == nil {
		return &TimeStampFacts{Facts: &tsp.Facts{Facts: &cms.Facts{Content: t.Err, Signature: t.Err, Attributes: t.Err}, Signer: t.Err, Usage: t.Err}, Imprint: t.Err}
	}
	f := &TimeStampFacts{Facts: t.Token.Verify(more...)}
	f.Imprint = t.checkImprint(content)
	f.Covers = t.coverage()
	return f
}

// forms are the ways in which an imprint may have been computed; version 2 and 3 have been read in more than one.
func (t *TimeStamp) forms() int {
	if t.Kind == ArchiveV2 {
		return 2
	}
	return 1
}

func (t *TimeStamp) checkImprint(content cms.Content) error {
	h := t.Token.Info.Hash
	if !h.Available() {
		return fmt.Errorf("%w: %s", tsp.ErrHash, t.Token.Info.HashOID)
	}
	if t.Kind == ContentTimeStamp { // its digest is enough, the content may be elsewhere
		return t.Token.CheckImprint(t.signature.content(content))
	}
	var err error
	for form := range t.forms() {
		sum := h.New()
		if e := t.writeImprint(sum, content, form); e != nil {
			return e
		}
		got := sum.Sum(nil)
		if bytes.Equal(got, t.Token.Info.Imprint) {
			return nil
		}
		if err == nil {
			err = fmt.Errorf("%w: %s digest is %x, time-stamped was %x", ErrImprint, h, got, t.Token.Info.Imprint)
		}
	}
	return err
}

// writeImprint writes what the time-stamp is over. content is the signed content, needed for all but time-stamps of the signature
// and of references; nil stands for that within the message.
func (t *TimeStamp) writeImprint(w io.Writer, content cms.Content, form int) error {
	s := t.signature
	content = s.content(content)
	switch t.Kind {
	case ContentTimeStamp:
		_, err := content.WriteTo(w)
		return err
	case SignatureTimeStamp:
		_, err := w.Write(s.Signer.Signature)
		return err
	case TimeStampC, RefsTimeStamp:
		return s.writeRefs(w, t)
	case ArchiveV2:
		return s.writeV2(w, t, content, form)
	case ArchiveV3:
		if t.HashIndex == nil {
			return fmt.Errorf("%w: archive time-stamp without ats-hash-index", ErrStructure)
		}
		return s.writeV3(w, t.Token.Info.Hash, content, t.HashIndex.Raw)
	}
	return fmt.Errorf("%w: %s", ErrForm, t.Kind)
}

// content is what the signature signs: that of the message, or the signature above a counter-signature.
func (s *Signature) content(given cms.Content) cms.Content {
	switch {
	case s.Parent != nil:
		return cms.Bytes(s.Parent.Signer.Signature)
	case given != nil:
		return given
	case s.Message.Content() != nil:
		return s.Message.Content()
	}
	return cms.Digests(nil)
}

// writeRefs is the imprint of [EN 319 122-1 A.1.5.1, A.1.5.2]: each attribute without its own tag and length.
func (s *Signature) writeRefs(w io.Writer, t *TimeStamp) error {
	types := []pki.OID{AttrCertificateRefs, AttrRevocationRefs}
	if t.Kind == TimeStampC {
		if _, err := w.Write(s.Signer.Signature); err != nil {
			return err
		}
		types = append([]pki.OID{AttrSignatureTimeStamp}, types...)
	}
	for _, o := range types {
		for _, a := range s.Signer.Unsigned {
			if a.Type != o {
				continue
			}
			e, err := ber.Parse(a.Raw)
			if err != nil {
				return err
			}
			if _, err := w.Write(e.Content); err != nil {
				return err
			}
		}
	}
	return nil
}

// writeV2 is the imprint of [TS 101 733 6.4.1]: the message as encoded, the unsigned attributes that were there. Readers disagree on
// whether these count with the tag and length of their field, form 0, or without.
func (s *Signature) writeV2(w io.Writer, t *TimeStamp, content cms.Content, form int) error {
	if err := s.Message.WriteEncapsulated(w); err != nil {
		return err
	}
	if s.Message.Detached {
		if _, err := content.WriteTo(w); err != nil {
			return err
		}
	}
	f := &s.Signer.Fields
	for _, b := range [][]byte{s.Message.RawCertificates(), s.Message.RawRevocation(), f.Version, f.SID, f.DigestAlgorithm,
		f.SignedAttributes, f.SignatureAlgorithm, f.Signature, s.unsignedBefore(t, form)} {
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	return nil
}

// unsignedBefore are the unsigned attributes without the archive time-stamps that are not older than t.
func (s *Signature) unsignedBefore(t *TimeStamp, form int) []byte {
	var kept [][]byte
	all := true
	for i, a := range s.Signer.Unsigned {
		if s.laterArchive(i, t) {
			all = false
			continue
		}
		kept = append(kept, a.Raw)
	}
	if form == 1 {
		return bytes.Join(kept, nil)
	}
	if raw := s.Signer.RawUnsigned(); all && raw != nil {
		return raw
	}
	if len(kept) == 0 {
		return nil
	}
	return ber.Append(nil, explicit(1), kept...)
}

func (s *Signature) laterArchive(attribute int, t *TimeStamp) bool {
	for _, o := range s.TimeStamps {
		if o.Attribute == attribute && o.archive() && (attribute == t.Attribute || o.Token == nil || !o.Token.Info.Time.Before(t.Token.Info.Time)) {
			return true
		}
	}
	return false
}

// writeV3 is the imprint of [EN 319 122-1 5.5.3].
func (s *Signature) writeV3(w io.Writer, h crypto.Hash, content cms.Content, index []byte) error {
	var b cryptobyte.Builder
	if s.Parent == nil {
		pki.AddOID(&b, s.Message.ContentType)
	}
	ct, err := b.Bytes()
	if err != nil {
		return err
	}
	sum, err := content.Digest(h)
	if err != nil {
		return err
	}
	f := &s.Signer.Fields
	parts := [][]byte{ct, sum}
	for _, raw := range [][]byte{f.Version, f.SID, f.DigestAlgorithm, f.SignedAttributes, f.SignatureAlgorithm, f.Signature} {
		if raw == nil {
			continue
		}
		e, err := ber.Parse(raw)
		if err != nil {
			return err
		}
		der, err := e.DER()
		if err != nil {
			return err
		}
		parts = append(parts, der)
	}
	for _, p := range append(parts, index) {
		if _, err := w.Write(p); err != nil {
			return err
		}
	}
	return nil
}

func (t *TimeStamp) coverage() (c Coverage) {
	s := t.signature
	switch t.Kind {
	case ContentTimeStamp:
		c.Content = true
	case SignatureTimeStamp:
		c.Signature = true
	case TimeStampC, RefsTimeStamp:
		c.Signature = t.Kind == TimeStampC
		for i, a := range s.Signer.Unsigned {
			if a.Type == AttrCertificateRefs || a.Type == AttrRevocationRefs || a.Type == AttrSignatureTimeStamp && c.Signature {
				c.Attributes = append(c.Attributes, i)
			}
		}
	case ArchiveV2:
		c.Content, c.Signature = true, true
		for i := range s.Message.Certificates {
			c.Certificates = append(c.Certificates, i)
		}
		for i := range s.Message.Revocation {
			c.Revocation = append(c.Revocation, i)
		}
		for i := range s.Signer.Unsigned {
			if !s.laterArchive(i, t) {
				c.Attributes = append(c.Attributes, i)
			}
		}
	case ArchiveV3:
		if t.HashIndex != nil {
			c = t.HashIndex.coverage(s)
			c.Content, c.Signature = true, true
		}
	}
	return c
}
