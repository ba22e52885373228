package pki

import (
	"errors"
	"fmt"

	"software.sslmate.com/src/go-pkcs12"
)

// loadPKCS12 reads PFX files, old ones with RC2 and 3DES included.
func loadPKCS12(b []byte, password string) (*Identity, error) {
	private, leaf, chain, err := pkcs12.DecodeChain(b, password)
	switch {
	case errors.Is(err, pkcs12.ErrIncorrectPassword):
		return nil, fmt.Errorf("%w: PKCS #12", ErrPassword)
	case err != nil:
		return nil, malformed("neither PEM nor JKS nor PKCS #12: %v", err)
	}
	key, err := NewKey(private)
	if err != nil {
		return nil, err
	}
	certs := make([]*Certificate, 0, 1+len(chain))
	c, err := ParseCertificate(leaf.Raw)
	if err != nil {
		return nil, err
	}
	certs = append(certs, c)
	for _, x := range chain {
		if c, err = ParseCertificate(x.Raw); err != nil {
			return nil, err
		}
		certs = append(certs, c)
	}
	return NewIdentity(key, certs)
}
