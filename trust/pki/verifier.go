package pki

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"
)

// Anchor is a certificate that is trusted as it stands, for the purposes named and no other. It may be a
// root, an intermediate, or an end-entity certificate: then exactly that certificate is trusted (pinned).
type Anchor struct {
	Certificate *Certificate
	Purposes    []Purpose
	// Until replaces the validity period of an issuing anchor, for lists that state how long a service
	// was trusted. Zero means the certificate's own period. The leaf's period always counts.
	Until time.Time
}

// Bind makes anchors of certificates, all for the same purposes.
func Bind(certs []*Certificate, purposes ...Purpose) []Anchor {
	anchors := make([]Anchor, len(certs))
	for i, c := range certs {
		anchors[i] = Anchor{Certificate: c, Purposes: purposes}
	}
	return anchors
}

// Verifier decides whether certificates are trusted for a purpose. Its fields are set before the first use
// and not changed after; it is then safe for concurrent use. A changed configuration is a new Verifier.
//
// Name constraints are not evaluated: a chain with a critical one is refused, others are disregarded.
type Verifier struct {
	Anchors       []Anchor
	Intermediates []*Certificate   // known issuers, tried besides those that a message brings along
	Clock         func() time.Time // default time.Now

	// Revocation is asked for every certificate but the anchor; nil asks nobody.
	Revocation RevocationSource
	// RequireRevocation refuses, with a temporary [ErrRevocationUnknown], what no source can speak about.
	// Without it only a clear "revoked" refuses.
	RequireRevocation bool

	AllowSHA1  bool // SHA-1 signatures in chains: for old material only
	MinRSABits int  // default 2048

	// CacheTTL is how long a good chain is taken from memory; never beyond its validity or that of the
	// revocation data. Default one minute; negative: not at all.
	CacheTTL time.Duration

	// Current, where there is one, gives the verifier that judges now in place of this one: for trust that is replaced
	// while a program runs. Verifiers themselves do not change once they were asked.
	Current func() *Verifier

	once  sync.Once
	index nameIndex
	cache chainCache
}

// WrongPurposeError names the anchor that a path leads to and the purposes it is for.
type WrongPurposeError struct {
	Anchor   Name
	Purposes []Purpose
	Wanted   Purpose
}

func (e *WrongPurposeError) Error() string {
	var have []string
	for _, p := range e.Purposes {
		have = append(have, string(p))
	}
	if have == nil {
		have = []string{"nothing"}
	}
	return fmt.Sprintf("pki: anchor %q is for %s, not for %s", e.Anchor.String(), strings.Join(have, ", "), e.Wanted)
}

func (e *WrongPurposeError) Unwrap() error { return ErrWrongPurpose }

// use is what the leaf's key is wanted for.
type use uint8

const (
	useSign use = iota
	useEncrypt
)

// Verify finds a path from a signer's certificate to an anchor for the purpose, now. extra are the
// certificates that came along, in any order; they are candidates, never trusted. The chain starts with
// the leaf, ends with the anchor, and belongs to the cache: read it only.
func (v *Verifier) Verify(leaf *Certificate, extra []*Certificate, purpose Purpose) (chain []*Certificate, err error) {
	return v.cached(context.Background(), leaf, extra, purpose, useSign)
}

// VerifyContext is [Verifier.Verify] with a context for the revocation source.
func (v *Verifier) VerifyContext(ctx context.Context, leaf *Certificate, extra []*Certificate, purpose Purpose) ([]*Certificate, error) {
	return v.cached(ctx, leaf, extra, purpose, useSign)
}

// VerifyRecipient is [Verifier.VerifyContext] for a certificate to encrypt to: where key usage is
// present it must allow key encipherment or agreement instead of signing.
func (v *Verifier) VerifyRecipient(ctx context.Context, leaf *Certificate, extra []*Certificate, purpose Purpose) ([]*Certificate, error) {
	return v.cached(ctx, leaf, extra, purpose, useEncrypt)
}

// VerifyAt is [Verifier.VerifyContext] at another moment than now, for archived material. It is not cached.
func (v *Verifier) VerifyAt(ctx context.Context, leaf *Certificate, extra []*Certificate, purpose Purpose, at time.Time) ([]*Certificate, error) {
	if v.Current != nil {
		v = v.Current()
	}
	v.once.Do(v.init)
	chain, _, err := v.find(ctx, leaf, extra, purpose, useSign, at)
	return chain, err
}

func (v *Verifier) cached(ctx context.Context, leaf *Certificate, extra []*Certificate, purpose Purpose, u use) ([]*Certificate, error) {
	if leaf == nil {
		return nil, fmt.Errorf("%w: no certificate", ErrUntrusted)
	}
	if v.Current != nil {
		v = v.Current()
	}
	now := v.now()
	key := cacheKey{leaf.fingerprint, purpose, u}
	if chain := v.cache.get(&key, now); chain != nil {
		return chain, nil
	}
	v.once.Do(v.init)
	chain, until, err := v.find(ctx, leaf, extra, purpose, u, now)
	if err != nil {
		return nil, err
	}
	if ttl := v.ttl(); ttl > 0 {
		if limit := now.Add(ttl); limit.Before(until) {
			until = limit
		}
		v.cache.put(&key, chain, now, until)
	}
	return chain, nil
}

func (v *Verifier) now() time.Time {
	if v.Clock != nil {
		return v.Clock()
	}
	return time.Now()
}

func (v *Verifier) ttl() time.Duration {
	if v.CacheTTL == 0 {
		return time.Minute
	}
	return v.CacheTTL
}

func (v *Verifier) minRSA() int {
	if v.MinRSABits == 0 {
		return 2048
	}
	return v.MinRSABits
}

func (v *Verifier) init() {
	v.index = nameIndex{anchors: map[string][]*Anchor{}, others: map[string][]*Certificate{}}
	for i := range v.Anchors {
		a := &v.Anchors[i]
		k := a.Certificate.Subject.key()
		v.index.anchors[k] = append(v.index.anchors[k], a)
	}
	for _, c := range v.Intermediates {
		k := c.Subject.key()
		v.index.others[k] = append(v.index.others[k], c)
	}
}

// nameIndex finds issuers by subject; trusted lists have thousands of anchors.
type nameIndex struct {
	anchors map[string][]*Anchor
	others  map[string][]*Certificate
}

// key is equal for names that are [Name.Equal] as far as issuers are concerned (single-valued levels;
// others are compared in the order of their encoding).
func (n Name) key() string {
	var b strings.Builder
	for _, rdn := range n {
		for _, a := range rdn {
			b.WriteString(string(a.Type))
			b.WriteByte('=')
			if a.isText() {
				b.WriteString(fold(a.Value))
			} else {
				b.Write(a.Raw)
			}
			b.WriteByte(0)
		}
		b.WriteByte(1)
	}
	return b.String()
}
