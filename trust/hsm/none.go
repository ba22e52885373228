//go:build !pkcs11

package hsm

import "github.com/viadukt-eu/viadukt/trust/pki"

// Token is a token that is logged in to.
type Token struct{}

// Open loads the library of a device and logs in to a token.
func Open(Options) (*Token, error) { return nil, ErrNotBuilt }

// Identity finds a key by its label, with its certificate and chain; with label "" the only key.
func (*Token) Identity(string) (*pki.Identity, error) { return nil, ErrNotBuilt }

// Labels lists the private keys.
func (*Token) Labels() ([]string, error) { return nil, ErrNotBuilt }

// Close ends all sessions. Keys of the token do not sign any more.
func (*Token) Close() error { return nil }
