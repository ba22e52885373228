package pki

import (
	"crypto/sha256"
	"sync"
	"time"
)

const maxSignatures = 8192 // of a SignatureCache, about 100 octets each

// SignatureCache remembers which certificate, revocation list and OCSP response was signed by which certificate, since the same
// few authorities are behind most documents. Only good signatures are kept. Whether one holds depends on the octets of both
// alone, so nothing in it grows old.
//
// The zero value is empty; nil remembers nothing. It is safe for concurrent use.
type SignatureCache struct {
	mu sync.RWMutex
	m  map[[2][32]byte]struct{} // by the SHA-256 of what is signed, with its signature, and of the signer's certificate
}

// CheckSignatureFrom is c.CheckSignatureFrom(issuer).
func (s *SignatureCache) CheckSignatureFrom(c, issuer *Certificate) error {
	return s.check(c.fingerprint, issuer, func() error { return c.CheckSignatureFrom(issuer) })
}

// VerifyOCSP is r.Verify(issuer, at, named...).
func (s *SignatureCache) VerifyOCSP(r *OCSPResponse, issuer *Certificate, at time.Time, named ...*Certificate) (*Certificate, error) {
	return r.verify(issuer, at, s, named)
}

// VerifyCRL is l.Verify(issuer).
func (s *SignatureCache) VerifyCRL(l *CRL, issuer *Certificate) error {
	return s.checkData(l.Raw, issuer, func() error { return l.Verify(issuer) })
}

func (s *SignatureCache) checkData(raw []byte, signer *Certificate, verify func() error) error {
	if s == nil {
		return verify()
	}
	return s.check(sha256.Sum256(raw), signer, verify)
}

func (s *SignatureCache) check(signed [32]byte, signer *Certificate, verify func() error) error {
	if s == nil {
		return verify()
	}
	key := [2][32]byte{signed, signer.fingerprint}
	s.mu.RLock()
	_, good := s.m[key]
	s.mu.RUnlock()
	if good {
		return nil
	}
	if err := verify(); err != nil {
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
