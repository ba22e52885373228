package pki

import (
	"bytes"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Identity is a key with its certificate. Chain holds the issuers, nearest first, without the leaf.
type Identity struct {
	Key         Key
	Certificate *Certificate
	Chain       []*Certificate
}

// ErrPassword says that a key store does not open with the password given.
var ErrPassword = errors.New("pki: wrong password")

// LoadIdentity reads a key with its chain from PEM (certificates and key in any order), PKCS #12 or a Java
// key store, whichever the octets are. With several keys in the file, use [LoadIdentities].
func LoadIdentity(b []byte, password string) (*Identity, error) {
	ids, err := LoadIdentities(b, password)
	if err != nil {
		return nil, err
	}
	if len(ids) > 1 {
		return nil, malformed("%d keys where one is wanted: %s", len(ids), aliases(ids))
	}
	for _, id := range ids {
		return id, nil
	}
	return nil, malformed("no private key")
}

func aliases(ids map[string]*Identity) string {
	return strings.Join(slices.Sorted(maps.Keys(ids)), ", ")
}

// LoadIdentities is [LoadIdentity] for files with several keys: by alias in a Java key store, otherwise
// by the friendly name in PKCS #12 or the common name of the certificate. Keys of unknown kinds beside
// others (Ed448, DSA) are left out of PKCS #12.
func LoadIdentities(b []byte, password string) (map[string]*Identity, error) {
	switch {
	case isJKS(b):
		store, err := ParseJKS(b, password)
		if err != nil {
			return nil, err
		}
		return store.Identities(password)
	case bytes.Contains(b, []byte("-----BEGIN")):
		id, err := loadPEM(b)
		if err != nil {
			return nil, err
		}
		return map[string]*Identity{id.Certificate.Subject.CommonName(): id}, nil
	}
	p, err := parsePKCS12(b, password)
	if err != nil {
		return nil, err
	}
	return p.identities()
}

// LoadCertificates reads all certificates of a file in whatever form: PEM, DER, PKCS #12 or a Java key
// store. In key stores, the certificates of keys are among them.
func LoadCertificates(b []byte, password string) ([]*Certificate, error) {
	switch {
	case isJKS(b):
		store, err := ParseJKS(b, password)
		if err != nil {
			return nil, err
		}
		var out []*Certificate
		for i := range store.Entries {
			out = append(out, store.Entries[i].Chain...)
		}
		return out, nil
	case bytes.Contains(b, []byte("-----BEGIN")):
		return ParsePEMCertificates(b)
	}
	if c, err := ParseCertificate(b); err == nil {
		return []*Certificate{c}, nil
	}
	p, err := parsePKCS12(b, password)
	if err != nil {
		return nil, err
	}
	return p.certs, nil
}

// Trusted is a certificate of a trust store with its alias, "" where it has none.
type Trusted struct {
	Alias       string
	Certificate *Certificate
}

// LoadTrustStore reads the certificates of a store of Java, of PKCS #12, or of PEM or DER, with their aliases.
func LoadTrustStore(b []byte, password string) (out []Trusted, err error) {
	if isJKS(b) {
		s, err := ParseJKS(b, password)
		if err != nil {
			return nil, err
		}
		for _, e := range s.Entries {
			if len(e.Chain) > 0 {
				out = append(out, Trusted{e.Alias, e.Chain[0]})
			}
		}
		return out, nil
	}
	if _, err := ParseCertificate(b); err != nil && !bytes.Contains(b, []byte("-----BEGIN")) {
		p, err := parsePKCS12(b, password)
		if err != nil {
			return nil, err
		}
		for i, c := range p.certs {
			out = append(out, Trusted{p.names[i], c})
		}
		return out, nil
	}
	certs, err := LoadCertificates(b, password)
	for _, c := range certs {
		out = append(out, Trusted{"", c})
	}
	return out, err
}

func loadPEM(b []byte) (*Identity, error) {
	var key Key
	var certs []*Certificate
	for n := 1; ; n++ {
		block, rest, ok, err := nextPEM(b)
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		b = rest
		switch {
		case certificateBlock(block.label):
			c, err := ParseCertificate(block.der)
			if err != nil {
				return nil, fmt.Errorf("PEM block %d: %w", n, err)
			}
			certs = append(certs, c)
		case block.label == "ENCRYPTED PRIVATE KEY" || block.encrypted:
			return nil, fmt.Errorf("%w: PEM block %d is an encrypted key; use PKCS #12 for keys with a password", ErrUnsupported, n)
		case block.label == "PRIVATE KEY" || block.label == "RSA PRIVATE KEY" || block.label == "EC PRIVATE KEY":
			if key != nil {
				return nil, malformed("PEM block %d is a second private key", n)
			}
			if key, err = ParsePrivateKey(block.der); err != nil {
				return nil, fmt.Errorf("PEM block %d: %w", n, err)
			}
		}
	}
	if key == nil {
		return nil, malformed("no private key in the PEM file")
	}
	return NewIdentity(key, certs)
}

// NewIdentity finds the key's certificate among certs and orders its issuers behind it.
func NewIdentity(key Key, certs []*Certificate) (*Identity, error) {
	at := slices.IndexFunc(certs, func(c *Certificate) bool { return samePublicKey(key.Public(), c.PublicKey) })
	if at < 0 {
		return nil, malformed("none of %d certificates belongs to the private key", len(certs))
	}
	id := &Identity{Key: key, Certificate: certs[at]}
	for c := id.Certificate; !c.SelfIssued() && len(id.Chain) < maxPath; {
		next := slices.IndexFunc(certs, func(o *Certificate) bool {
			return o != c && !slices.Contains(id.Chain, o) && c.CheckSignatureFrom(o) == nil
		})
		if next < 0 {
			break
		}
		c = certs[next]
		id.Chain = append(id.Chain, c)
	}
	return id, nil
}

// MarshalPEM writes the key (PKCS #8), the certificate and the chain. Keys that are not in memory stay
// where they are: [ErrUnsupported].
func (id *Identity) MarshalPEM() ([]byte, error) {
	der, err := MarshalPrivateKey(id.Key)
	if err != nil {
		return nil, err
	}
	out := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	out = append(out, MarshalPEM(id.Certificate)...)
	return append(out, MarshalPEM(id.Chain...)...), nil
}
