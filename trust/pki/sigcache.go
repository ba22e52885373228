package pki

import (
	"sync"
	"time"
)

const maxSignatures = 8192 // of a SignatureCache, about 100 octets each

// SignatureCache remembers which certificate was signed by which, since the same few authorities are behind most documents. Only
// good signatures are kept. Whether one holds depends on the octets of the two certificates alone, so nothing in it grows old.
//
// The zero value is empty. It is safe for concurrent use.
type SignatureCache struct {
	mu sync.RWMutex
	m  map[[2][32]byte]struct{}
}

// CheckSignatureFrom is c.CheckSignatureFrom(issuer).
func (s *SignatureCache) CheckSignatureFrom(c, issuer *Certificate) error {
	key := [2][32]byte{c.fingerprint, issuer.fingerprint}
	s.mu.RLock()
	_, good := s.m[key]
	s.mu.RUnlock()
	if good {
		return nil
	}
	if err := c.CheckSignatureFrom(issuer); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.m == nil {
		s.m = map[[2][32]byte]struct{}{}
	}
	if len(s.m) >= maxSignatures {
		n := 0
		for old := range s.m {
			delete(s.m, old)
			if n++; n == maxSignatures/8 {
				break
			}
		}
	}
	s.m[key] = struct{}{}
	return nil
}

// VerifyOCSP is r.Verify(issuer, at).
func (s *SignatureCache) VerifyOCSP(r *OCSPResponse, issuer *Certificate, at time.Time) (*Certificate, error) {
	return r.verify(issuer, at, s.CheckSignatureFrom)
}
