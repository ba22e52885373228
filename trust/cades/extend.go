package cades

import (
	"context"
	"crypto"
	"fmt"

	"github.com/viadukt-eu/viadukt/trust/cms"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/tsp"
)

// Extension is what extending needs.
type Extension struct {
	Stamper tsp.Stamper
	Hash    crypto.Hash // of time-stamps; default SHA-256
	Content cms.Content // detached content, for level LTA
	// Collect finds the chains and the revocation information of certificates: of the signer, of time-stamping authorities. known are
	// those that the signature has. It is asked at levels LT and LTA.
	Collect func(ctx context.Context, certs, known []*pki.Certificate) (Material, error)
}

// Extend adds to a signature what is missing up to a level: T, LT or LTA. For LTA it always adds an archive time-stamp, with the
// material of the one before. The message of the signature is changed with it. What an older archive time-stamp or an evidence record
// covers as a whole cannot be added to: cms.ErrCovered.
func (s *Signature) Extend(ctx context.Context, level Level, x Extension) error {
	if s.Parent != nil {
		return fmt.Errorf("%w: a counter-signature", ErrLevel)
	}
	if x.Hash == 0 {
		x.Hash = crypto.SHA256
	}
	steps := map[Level]int{LevelT: 1, LevelLT: 2, LTA: 3}[level]
	if steps == 0 || x.Stamper == nil || steps > 1 && x.Collect == nil {
		return fmt.Errorf("%w: %q, or nobody given who makes time-stamps or finds material", ErrLevel, level)
	}
	if err := s.extendable(steps); err != nil {
		return err
	}
	if !s.stamped(SignatureTimeStamp) {
		if err := s.stampSignature(ctx, x); err != nil {
			return err
		}
	}
	if steps > 1 {
		if err := s.addMaterial(ctx, x); err != nil {
			return err
		}
	}
	if steps > 2 {
		return s.stampArchive(ctx, x)
	}
	return nil
}

// extendable refuses what would break time-stamps that are there.
func (s *Signature) extendable(steps int) error {
	if err := covered(s.Message, steps > 1); err != nil {
		return err
	}
	if steps > 1 && s.has(AttrCertificateRefs, AttrRevocationRefs, AttrCertificateValues, AttrRevocationValues, AttrTimeStampC, AttrTimeStampRefs) {
		return fmt.Errorf("%w: attributes of the extended forms are there [EN 319 122-1 6.3]", ErrLevel)
	}
	return nil
}

// covered refuses to add to a message what would break a proof that is in it: anything, or certificates.
func covered(m *cms.SignedData, certificates bool) error {
	for _, o := range m.Signers {
		if cms.Count(o.Unsigned, AttrInternalEvidence)+cms.Count(o.Unsigned, AttrExternalEvidence) > 0 {
			return fmt.Errorf("%w: an evidence record is over the whole message", cms.ErrCovered)
		}
		if certificates && cms.Count(o.Unsigned, AttrArchiveTimeStamp)+cms.Count(o.Unsigned, AttrArchiveTimeStampV2) > 0 {
			return fmt.Errorf("%w: an archive time-stamp of an old form is over all certificates as they stand", cms.ErrCovered)
		}
	}
	return nil
}

func (s *Signature) stampSignature(ctx context.Context, x Extension) error {
	h := x.Hash.New()
	h.Write(s.Signer.Signature)
	t, err := x.Stamper.Stamp(ctx, x.Hash, h.Sum(nil))
	if err != nil {
		return err
	}
	return s.addUnsigned(AttrSignatureTimeStamp, t.Raw)
}

func (s *Signature) addUnsigned(t pki.OID, value []byte) error {
	a, err := cms.NewAttribute(t, value)
	if err != nil {
		return err
	}
	if err := s.Signer.AddUnsigned(a); err != nil {
		return err
	}
	s.refresh()
	return nil
}

// refresh reads the signature again.
func (s *Signature) refresh() { *s = *read(s.Message, s.Signer, s.Parent) }

// addMaterial puts into the message what belongs to signer and time-stamps [EN 319 122-1 6.3].
func (s *Signature) addMaterial(ctx context.Context, x Extension) error {
	known := s.Material().Certificates
	find := func(signer *cms.SignerInfo) *pki.Certificate {
		for _, c := range known {
			if signer.Identifies(c) {
				return c
			}
		}
		return nil
	}
	var certs []*pki.Certificate
	if c := find(s.Signer); c != nil {
		certs = append(certs, c)
	} else {
		return fmt.Errorf("%w: the signer's certificate is not there", ErrLevel)
	}
	for _, c := range s.CounterSignatures {
		if c := find(c.Signer); c != nil {
			certs = append(certs, c)
		}
	}
	for _, t := range s.TimeStamps {
		if t.Token == nil || len(t.Token.Message.Signers) != 1 {
			return fmt.Errorf("%w: a time-stamp that cannot be read: %w", ErrLevel, t.Err)
		}
		if c := find(t.Token.Message.Signers[0]); c != nil {
			certs = append(certs, c)
		}
	}
	m, err := x.Collect(ctx, certs, known)
	if err != nil {
		return err
	}
	s.Message.AddCertificates(m.Certificates...)
	for _, c := range m.CRLs {
		s.Message.AddCRL(c)
	}
	for _, o := range m.OCSPs {
		s.Message.AddOCSP(o)
	}
	return nil
}

// stampArchive adds archive-time-stamp-v3 with its ats-hash-index-v3 [EN 319 122-1 5.5.3].
func (s *Signature) stampArchive(ctx context.Context, x Extension) error {
	index, err := newIndex(s, x.Hash)
	if err != nil {
		return err
	}
	h := x.Hash.New()
	if err := s.writeV3(h, x.Hash, s.content(x.Content), index.Raw); err != nil {
		return err
	}
	t, err := x.Stamper.Stamp(ctx, x.Hash, h.Sum(nil))
	if err != nil {
		return err
	}
	m, err := cms.Parse(append([]byte(nil), t.Raw...))
	if err != nil {
		return err
	}
	if len(m.Signers) != 1 {
		return fmt.Errorf("%w: token with %d signers", ErrStructure, len(m.Signers))
	}
	a, err := cms.NewAttribute(AttrHashIndexV3, index.Raw)
	if err != nil {
		return err
	}
	if err := m.Signers[0].AddUnsigned(a); err != nil {
		return err
	}
	token, err := m.Bytes()
	if err != nil {
		return err
	}
	return s.addUnsigned(AttrArchiveTimeStampV3, token)
}
