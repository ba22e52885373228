package pki

import (
	"sync"
	"time"
)

const maxSignatures = 8192 // of a SignatureCache, about 100 octets each

// SignatureCache remembers which certificate, revocation list and OCSP response was signed by which certificate, since the same
// few authorities are behind most documents. Only good signatures are kept. Whether one holds depends on the octets of both
// alone, so nothing in it grows old. It also remembers certificates, and revocation data that is at hand for many documents, in their parsed form.
//
// The zero value is empty; nil remembers nothing. It is safe for concurrent use.
type SignatureCache struct {
	mu sync.RWMutex
	m  map[[2][32]byte]struct{} // by the SHA-256 of what is signed, with its signature, and of the signer's certificate

	parsed map[octets]any // *CRL, *OCSPResponse
	held   int            // octets that these take

	certs Parsed
}

const (
	maxParsed  = 64 << 20 // octets that revocation data takes in a SignatureCache
	parsedForm = 16 << 10 // octets that its parsed form takes at most, but for the index of a list, which is smaller than the list
)

// octets are a slice, not what is in it.
type octets struct {
	first *byte
	n     int
}

// Parsed remembers the certificates of documents; nil where s is.
func (s *SignatureCache) Parsed() *Parsed {
	if s == nil {
		return nil
	}
	return &s.certs
}

// CRL is [ParseCRL], done once for one slice, which must not be changed. Nor must what it returns: it is shared.
func (s *SignatureCache) CRL(b []byte) (*CRL, error) { return parseOnce(s, b, ParseCRL) }

// OCSPResponse is [ParseOCSPResponse], done once as [SignatureCache.CRL] is.
func (s *SignatureCache) OCSPResponse(b []byte) (*OCSPResponse, error) {
	return parseOnce(s, b, s.Parsed().OCSPResponse)
}

func parseOnce[T any](s *SignatureCache, b []byte, parse func([]byte) (*T, error)) (*T, error) {
	takes := len(b) + parsedForm
	if s == nil || len(b) == 0 || takes > maxParsed {
		return parse(b)
	}
	key := octets{&b[0], len(b)}
	s.mu.RLock()
	known, ok := s.parsed[key].(*T)
	s.mu.RUnlock()
	if ok {
		return known, nil
	}
	x, err := parse(b)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.parsed == nil || s.held+takes > maxParsed {
		s.parsed, s.held = map[octets]any{}, 0
	}
	if _, ok := s.parsed[key]; !ok {
		s.held += takes
	}
	s.parsed[key] = x
	return x, nil
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
	return s.check(l.Fingerprint(), issuer, func() error { return l.Verify(issuer) })
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
