package pki

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"time"
)

// CRLStore is a [RevocationSource] of CRLs in memory. Whoever fetches lists adds them here; nothing is
// fetched by the store. It is safe for concurrent use.
type CRLStore struct {
	// Grace is how long after nextUpdate a list still answers, for issuers that are late. Default none.
	Grace time.Duration
	// AllowSHA1 takes lists signed with SHA-1, for old material only.
	AllowSHA1 bool

	mu    sync.RWMutex
	lists map[string][]*CRL // by issuer: subject and key
}

// Add verifies a list with its issuer's certificate and keeps it. It replaces an older list of the same
// scope; a list older than the one kept is dropped in silence.
func (s *CRLStore) Add(list *CRL, issuer *Certificate) error {
	if tooWeak(list.SignatureAlgorithm.Hash, s.AllowSHA1) {
		return fmt.Errorf("%w: CRL of %q is signed with %s", ErrWeakKey, list.Issuer, list.SignatureAlgorithm.Hash)
	}
	if err := list.Verify(issuer); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lists == nil {
		s.lists = map[string][]*CRL{}
	}
	k := issuerKey(issuer)
	old := s.lists[k]
	kept := make([]*CRL, 0, len(old)+1) // a new slice: readers may hold the old one
	for _, o := range old {
		if !sameScope(o, list) {
			kept = append(kept, o)
		} else if o.ThisUpdate.After(list.ThisUpdate) {
			return nil
		}
	}
	s.lists[k] = append(kept, list)
	return nil
}

func issuerKey(c *Certificate) string { return string(c.RawSubject) + string(c.RawSPKI) }

func sameScope(a, b *CRL) bool {
	x, _ := findExtension(a.Extensions, oidIssuingDistribution)
	y, _ := findExtension(b.Extensions, oidIssuingDistribution)
	return bytes.Equal(x, y)
}

// Status answers from the list that covers the certificate and is in force at the moment asked for.
func (s *CRLStore) Status(_ context.Context, cert, issuer *Certificate, at time.Time) (RevocationStatus, error) {
	s.mu.RLock()
	lists := s.lists[issuerKey(issuer)]
	s.mu.RUnlock()
	var stale error
	for _, l := range lists {
		if !l.Covers(cert) {
			continue
		}
		if at.Before(l.ThisUpdate) && !inForce(l, cert, at) || !l.NextUpdate.IsZero() && at.After(l.NextUpdate.Add(s.Grace)) {
			stale = fmt.Errorf("%w: CRL of %q is for %s to %s", errStale, l.Issuer, l.ThisUpdate.Format(time.RFC3339), l.NextUpdate.Format(time.RFC3339))
			continue
		}
		return l.status(cert, at), nil
	}
	return RevocationStatus{}, stale
}

// inForce lets a list answer about an earlier moment: entries stay on lists until the certificate has
// expired, so a list issued within its validity knows the past.
func inForce(l *CRL, cert *Certificate, at time.Time) bool {
	return !at.Before(cert.NotBefore) && !l.ThisUpdate.After(cert.NotAfter)
}

func (c *CRL) status(cert *Certificate, at time.Time) RevocationStatus {
	st := RevocationStatus{State: RevocationGood, ThisUpdate: c.ThisUpdate, NextUpdate: c.NextUpdate}
	if e, ok := c.Find(cert.SerialNumber, at); ok {
		st.State, st.RevokedAt, st.Reason = RevocationRevoked, e.RevokedAt, e.Reason
	}
	return st
}
