package pki

import (
	"crypto/sha256"
	"sync"
)

// Parsed remembers certificates that were parsed, for protocols in which the same few come with every message. The zero
// value is ready; it may be used by many goroutines. At most 4,096 are kept.
type Parsed struct {
	mu    sync.RWMutex
	certs map[[sha256.Size]byte]*Certificate
}

const parsedMax = 4096

// Certificate is [ParseCertificate], done once for equal octets. What it returns is shared and must not be changed.
// A nil Parsed remembers nothing.
func (p *Parsed) Certificate(der []byte) (*Certificate, error) {
	if p == nil {
		return ParseCertificate(der)
	}
	key := sha256.Sum256(der)
	p.mu.RLock()
	c := p.certs[key]
	p.mu.RUnlock()
	if c != nil {
		return c, nil
	}
	c, err := ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.certs) >= parsedMax || p.certs == nil {
		p.certs = make(map[[sha256.Size]byte]*Certificate)
	}
	p.certs[key] = c
	return c, nil
}
