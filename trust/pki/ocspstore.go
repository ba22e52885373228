package pki

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// OCSPStore is a [RevocationSource] of answers in memory, one for each certificate. Whoever asks the
// responders adds their answers here. It is safe for concurrent use.
type OCSPStore struct {
	// AllowSHA1 takes responses signed with SHA-1, for old material only.
	AllowSHA1 bool

	mu      sync.RWMutex
	answers map[[32]byte]*OCSPResponse // by fingerprint of the certificate
}

// Add verifies a response about a certificate and keeps it, unless a later one is known. at is the moment
// of its receipt: a response from the future is refused, with five minutes of leave for clocks.
func (s *OCSPStore) Add(r *OCSPResponse, cert, issuer *Certificate, at time.Time) error {
	if tooWeak(r.SignatureAlgorithm.Hash, s.AllowSHA1) {
		return fmt.Errorf("%w: OCSP response is signed with %s", ErrWeakKey, r.SignatureAlgorithm.Hash)
	}
	answer, ok := r.Find(cert, issuer)
	if !ok {
		return fmt.Errorf("%w: OCSP response says nothing about %q", ErrRevocationUnknown, cert.Subject)
	}
	if answer.ThisUpdate.After(at.Add(5 * time.Minute)) {
		return malformed("OCSP answer about %q is of %s, which is to come", cert.Subject, answer.ThisUpdate.Format(time.RFC3339))
	}
	if _, err := r.Verify(issuer, r.ProducedAt); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.answers == nil {
		s.answers = map[[32]byte]*OCSPResponse{}
	}
	if old := s.answers[cert.fingerprint]; old != nil {
		if known, ok := old.Find(cert, issuer); ok && known.ThisUpdate.After(answer.ThisUpdate) {
			return nil
		}
	}
	s.answers[cert.fingerprint] = r
	return nil
}

// Forget drops the answers that no longer count, so that a store that runs for years stays small.
func (s *OCSPStore) Forget(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, r := range s.answers {
		current := false
		for i := range r.Responses {
			current = current || !at.After(r.Responses[i].until())
		}
		if !current {
			delete(s.answers, k)
		}
	}
}

// Status answers from memory.
func (s *OCSPStore) Status(ctx context.Context, cert, issuer *Certificate, at time.Time) (RevocationStatus, error) {
	s.mu.RLock()
	r := s.answers[cert.fingerprint]
	s.mu.RUnlock()
	if r == nil {
		return RevocationStatus{}, nil
	}
	return r.Status(ctx, cert, issuer, at)
}
