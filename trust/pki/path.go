package pki

import (
	"bytes"
	"context"
	"crypto/dsa" //nolint:staticcheck // see publickey.go
	"crypto/rsa"
	"fmt"
	"slices"
	"time"
)

const maxSignatureChecks = 32 // of one path search; strangers choose the certificates

// search looks for a path depth first. The error kept is the one of the path that came farthest.
type search struct {
	v       *Verifier
	ctx     context.Context
	at      time.Time
	purpose Purpose
	extra   []*Certificate
	budget  int

	path  []*Certificate
	until time.Time // filled by the revocation checks of the path found
	err   error
	rank  int
}

const ( // how far a path came before it failed
	rankNone = iota
	rankSignature
	rankIssuer
	rankPurpose
	rankRevocation
)

func (s *search) fail(rank int, err error) {
	if rank > s.rank || s.err == nil {
		s.rank, s.err = rank, err
	}
}

func (v *Verifier) find(ctx context.Context, leaf *Certificate, extra []*Certificate, purpose Purpose, u use, at time.Time) ([]*Certificate, time.Time, error) {
	if leaf == nil {
		return nil, at, fmt.Errorf("%w: no certificate", ErrUntrusted)
	}
	s := &search{v: v, ctx: ctx, at: at, purpose: purpose, extra: extra, budget: maxSignatureChecks}
	s.path = append(make([]*Certificate, 0, 4), leaf)
	if err := s.checkLeaf(leaf, u); err != nil {
		return nil, at, err
	}
	if !s.pinned(leaf) && !s.extend() {
		if s.err == nil {
			s.err = fmt.Errorf("%w: %q issued by %q", ErrUntrusted, leaf.Subject, leaf.Issuer)
		}
		return nil, at, s.err
	}
	until := s.until
	for _, c := range s.path {
		if until.IsZero() || c.NotAfter.Before(until) {
			until = c.NotAfter
		}
	}
	return slices.Clip(s.path), until, nil
}

func (s *search) checkLeaf(c *Certificate, u use) error {
	if err := checkPeriod(c, s.at); err != nil {
		return err
	}
	if err := s.checkKey(c); err != nil {
		return err
	}
	if err := checkCritical(c); err != nil {
		return err
	}
	allowed, what := UseDigitalSignature|UseContentCommitment, "signing"
	if u == useEncrypt {
		allowed, what = UseKeyEncipherment|UseKeyAgreement, "encryption"
	} else if s.purpose == PurposeTLS {
		allowed, what = UseDigitalSignature|UseKeyEncipherment|UseKeyAgreement, "TLS" // [RFC 5246 7.4.2]
	}
	if c.HasKeyUsage && c.KeyUsage&allowed == 0 {
		return fmt.Errorf("%w: %q is not for %s [RFC 5280 4.2.1.3]", ErrKeyUsage, c.Subject, what)
	}
	return s.checkExtKeyUsage(c)
}

// checkExtKeyUsage asks the leaf and, as TLS stacks do, every issuer that limits itself.
func (s *search) checkExtKeyUsage(c *Certificate) error {
	if s.purpose != PurposeTLS || len(c.ExtKeyUsage) == 0 {
		return nil
	}
	for _, o := range c.ExtKeyUsage {
		if o == EKUServerAuth || o == EKUClientAuth || o == EKUAny {
			return nil
		}
	}
	return fmt.Errorf("%w: %q is not for TLS [RFC 5280 4.2.1.12]", ErrKeyUsage, c.Subject)
}

func checkPeriod(c *Certificate, at time.Time) error {
	switch {
	case at.Before(c.NotBefore):
		return fmt.Errorf("%w: %q before %s", ErrNotYetValid, c.Subject, c.NotBefore.Format(time.RFC3339))
	case at.After(c.NotAfter):
		return fmt.Errorf("%w: %q since %s", ErrExpired, c.Subject, c.NotAfter.Format(time.RFC3339))
	}
	return nil
}

func (s *search) checkKey(c *Certificate) error {
	switch k := c.PublicKey.(type) {
	case nil:
		return fmt.Errorf("%q: %w", c.Subject, c.KeyError)
	case *rsa.PublicKey:
		if k.N.BitLen() < s.v.minRSA() {
			return fmt.Errorf("%w: %q has an RSA key of %d bits, %d are needed", ErrWeakKey, c.Subject, k.N.BitLen(), s.v.minRSA())
		}
	case *dsa.PublicKey:
		return fmt.Errorf("%w: %q has a DSA key", ErrWeakKey, c.Subject)
	}
	return nil
}

func checkCritical(c *Certificate) error {
	for i := range c.Extensions {
		if e := &c.Extensions[i]; e.Critical && !understood[e.ID] {
			return fmt.Errorf("%w: %q has the critical extension %s [RFC 5280 4.2]", ErrUnsupported, c.Subject, e.ID)
		}
	}
	return nil
}

// pinned reports whether the leaf itself is an anchor for the purpose. That needs no revocation data: the
// operator who named it takes it out again.
func (s *search) pinned(leaf *Certificate) bool {
	for _, a := range s.v.index.anchors[leaf.Subject.key()] {
		if a.Certificate.Equal(leaf) {
			if slices.Contains(a.Purposes, s.purpose) {
				return true
			}
			s.wrongPurpose(a)
		}
	}
	return false
}

func (s *search) wrongPurpose(a *Anchor) {
	s.fail(rankPurpose, &WrongPurposeError{Anchor: a.Certificate.Subject, Purposes: a.Purposes, Wanted: s.purpose})
}

// extend tries to complete the path from its last certificate; anchors first, then other issuers.
func (s *search) extend() bool {
	c := s.path[len(s.path)-1]
	key := c.Issuer.key()
	for _, a := range s.v.index.anchors[key] {
		if a.Certificate.Equal(c) || !s.issued(a.Certificate, c, a) {
			continue
		}
		if !slices.Contains(a.Purposes, s.purpose) {
			s.wrongPurpose(a)
			continue
		}
		s.path = append(s.path, a.Certificate)
		if s.notRevoked() {
			return true
		}
		s.path = s.path[:len(s.path)-1]
	}
	if len(s.path) == maxPath-1 {
		return false
	}
	for _, o := range s.v.index.others[key] {
		if s.through(o, c) {
			return true
		}
	}
	for _, o := range s.extra {
		if o != nil && sameName(c.RawIssuer, o.RawSubject, c.Issuer, o.Subject) && s.through(o, c) {
			return true
		}
	}
	return false
}

func (s *search) through(o, c *Certificate) bool {
	if s.selfSigned(o) { // were it an anchor, it would have been taken as one; otherwise it leads nowhere
		return false
	}
	for _, p := range s.path { // neither the same certificate nor another one of the same issuer
		if bytes.Equal(p.RawSPKI, o.RawSPKI) && bytes.Equal(p.RawSubject, o.RawSubject) {
			return false
		}
	}
	if !s.issued(o, c, nil) {
		return false
	}
	s.path = append(s.path, o)
	if s.extend() {
		return true
	}
	s.path = s.path[:len(s.path)-1]
	return false
}

// selfSigned asks the key identifiers, and the signature where there are none: a certificate of an
// authority's new key signed with the old one is self-issued but leads on.
func (s *search) selfSigned(c *Certificate) bool {
	if !bytes.Equal(c.RawIssuer, c.RawSubject) {
		return false
	}
	if len(c.AuthorityKeyID) > 0 && len(c.SubjectKeyID) > 0 {
		return bytes.Equal(c.AuthorityKeyID, c.SubjectKeyID)
	}
	s.budget--
	return s.budget >= 0 && c.CheckSignature(c.SignatureAlgorithm, c.RawTBS, c.Signature) == nil
}

// issued checks that o may issue and did issue c. anchor is o's entry where it is one.
func (s *search) issued(o, c *Certificate, anchor *Anchor) bool {
	if len(c.AuthorityKeyID) > 0 && len(o.SubjectKeyID) > 0 && !bytes.Equal(c.AuthorityKeyID, o.SubjectKeyID) {
		return false // another key of the same name
	}
	if s.budget--; s.budget < 0 {
		s.fail(rankNone, fmt.Errorf("%w: %q: gave up after %d signatures", ErrUntrusted, s.path[0].Subject, maxSignatureChecks))
		return false
	}
	if err := s.checkAlgorithm(c); err != nil {
		s.fail(rankSignature, err)
		return false
	}
	if err := o.CheckSignature(c.SignatureAlgorithm, c.RawTBS, c.Signature); err != nil {
		s.fail(rankSignature, fmt.Errorf("certificate %q signed by %q: %w", c.Subject, o.Subject, err))
		return false
	}
	if err := s.checkIssuer(o, anchor); err != nil {
		s.fail(rankIssuer, err)
		return false
	}
	return true
}

func (s *search) checkAlgorithm(c *Certificate) error {
	a := &c.SignatureAlgorithm
	if tooWeak(a.Hash, s.v.AllowSHA1) {
		return fmt.Errorf("%w: certificate %q is signed with %s", ErrWeakKey, c.Subject, a.Hash)
	}
	return nil
}

func (s *search) checkIssuer(o *Certificate, anchor *Anchor) error {
	var err error
	if anchor != nil && !anchor.Until.IsZero() {
		if s.at.After(anchor.Until) {
			err = fmt.Errorf("%w: anchor %q was trusted until %s", ErrExpired, o.Subject, anchor.Until.Format(time.RFC3339))
		}
	} else {
		err = checkPeriod(o, s.at)
	}
	if err != nil {
		return err
	}
	if err := s.checkKey(o); err != nil {
		return err
	}
	bc := &o.BasicConstraints
	if !bc.CA && !(anchor != nil && o.Version < 3) { // roots older than extensions
		return fmt.Errorf("%w: %q is no certification authority [RFC 5280 4.2.1.9]", ErrKeyUsage, o.Subject)
	}
	if o.HasKeyUsage && o.KeyUsage&UseCertSign == 0 {
		return fmt.Errorf("%w: %q may not sign certificates [RFC 5280 4.2.1.3]", ErrKeyUsage, o.Subject)
	}
	if bc.MaxPathLen >= 0 {
		below := 0
		for _, p := range s.path[1:] {
			if !p.SelfIssued() {
				below++
			}
		}
		if below > bc.MaxPathLen {
			return fmt.Errorf("%w: %q allows %d authorities below itself, the path has %d [RFC 5280 4.2.1.9]", ErrKeyUsage, o.Subject, bc.MaxPathLen, below)
		}
	}
	if err := checkCritical(o); err != nil {
		return err
	}
	if o.HasNameConstraints && slices.ContainsFunc(o.Extensions, func(e Extension) bool { return e.ID == oidNameConstraints && e.Critical }) {
		return fmt.Errorf("%w: name constraints of %q", ErrUnsupported, o.Subject)
	}
	return s.checkExtKeyUsage(o)
}

// notRevoked asks about every certificate of the complete path but the anchor.
func (s *search) notRevoked() bool {
	s.until = time.Time{}
	for i, c := range s.path[:len(s.path)-1] {
		if c.revocationExempt() {
			continue
		}
		until, err := s.v.checkRevocation(s.ctx, c, s.path[i+1], s.at)
		if err != nil {
			s.fail(rankRevocation, err)
			return false
		}
		if !until.IsZero() && (s.until.IsZero() || until.Before(s.until)) {
			s.until = until
		}
	}
	return true
}
