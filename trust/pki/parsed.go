package pki

import (
	"bytes"
	"fmt"
	"hash/maphash"
	"sync"
)

// Parsed remembers certificates that were parsed, since the same few come with every message and every document. The zero
// value is ready; it may be used by many goroutines. At most 512 are kept, of 2 MiB together: those that were asked for last.
type Parsed struct {
	ready sync.Once
	seed  maphash.Seed

	mu         sync.RWMutex
	young, old generation // the young becomes the old one when it is full
}

// generation holds certificates by the hash of their octets, which are compared, too.
type generation struct {
	certs map[uint64]*Certificate
	held  int // octets
}

const (
	maxYoung      = 256
	maxYoungHeld  = 1 << 20
	maxRemembered = 16 << 10 // octets of one certificate; larger ones are parsed each time
)

// Certificate is [ParseCertificate], done once for equal octets. What it returns is shared and must not be changed. It does
// not keep der. A nil Parsed remembers nothing, and takes ownership as ParseCertificate does.
func (p *Parsed) Certificate(der []byte) (*Certificate, error) {
	if p == nil {
		return ParseCertificate(der)
	}
	if len(der) > maxRemembered {
		return ParseCertificate(bytes.Clone(der))
	}
	p.ready.Do(func() { p.seed = maphash.MakeSeed() })
	key := maphash.Bytes(p.seed, der)
	p.mu.RLock()
	young, old := p.young.certs[key], p.old.certs[key]
	p.mu.RUnlock()
	if young != nil && bytes.Equal(young.Raw, der) {
		return young, nil
	}
	c := old
	if c == nil || !bytes.Equal(c.Raw, der) {
		var err error
		if c, err = ParseCertificate(bytes.Clone(der)); err != nil { // der may be part of something large
			return nil, err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if young = p.young.certs[key]; young != nil && bytes.Equal(young.Raw, der) { // somebody else was quicker
		return young, nil
	}
	if p.young.certs == nil || len(p.young.certs) >= maxYoung || p.young.held+len(der) > maxYoungHeld {
		p.old, p.young = p.young, generation{certs: map[uint64]*Certificate{}}
	}
	p.young.certs[key] = c
	p.young.held += len(der)
	return c, nil
}

// OCSPResponse is [ParseOCSPResponse] with certificates that are remembered.
func (p *Parsed) OCSPResponse(der []byte) (*OCSPResponse, error) {
	r, err := parseOCSP(der, p)
	if err != nil {
		return nil, fmt.Errorf("OCSP response: %w", err)
	}
	return r, nil
}
