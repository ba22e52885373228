package pki

import (
	"crypto/rand"
	"fmt"
	"io"
	"time"
)

// OpenAuthority continues an authority whose key and certificate were kept, for example by [Identity.MarshalPEM].
// random and now are as in [NewAuthority].
func OpenAuthority(id *Identity, random io.Reader, now time.Time) (*Authority, error) {
	if !id.Certificate.BasicConstraints.CA {
		return nil, fmt.Errorf("%w: %q is no authority", ErrKeyUsage, id.Certificate.Subject)
	}
	if random == nil {
		random = rand.Reader
	}
	return &Authority{Identity: *id, rand: random, now: now.UTC().Truncate(time.Second)}, nil
}
