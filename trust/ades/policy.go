package ades

import (
	"crypto"
	"fmt"
	"strings"

	"github.com/viadukt-eu/viadukt/trust/cades"
	"github.com/viadukt-eu/viadukt/trust/jades"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/xades"
	"github.com/viadukt-eu/viadukt/trust/xmldsig"
)

// Policy is the signature policy that the signer follows: a document, by its identifier and digest.
type Policy struct {
	ID          string // OID, also as URN, or URI; CAdES and PAdES take an OID alone
	URI         string // where the document is; "" where it is not told
	Description string // of XAdES and JAdES
	Hash        crypto.Hash
	Digest      []byte
}

// oid is the identifier where it is an OID.
func (p *Policy) oid() (pki.OID, bool) { return pki.ParseOID(strings.TrimPrefix(p.ID, "urn:oid:")) }

func (p *Policy) check() error {
	if p.ID == "" || !p.Hash.Available() || len(p.Digest) != p.Hash.Size() {
		return fmt.Errorf("%w: a signature policy needs an identifier, a digest algorithm and a digest of its length", ErrParams)
	}
	return nil
}

func (p *Policy) xades() (*xades.Policy, error) {
	if p == nil {
		return nil, nil
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	id := p.ID
	if oid, ok := p.oid(); ok {
		id = string(oid) // which is written as URN with its qualifier
	}
	method, _ := xmldsig.MethodFor(nil, p.Hash, false)
	return &xades.Policy{ID: id, Description: p.Description, DigestMethod: method, Digest: p.Digest, URI: p.URI}, nil
}

// CMS is the policy as CAdES and PAdES have it.
func (p *Policy) CMS() (*cades.Policy, error) {
	if p == nil {
		return nil, nil
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	oid, ok := p.oid()
	switch {
	case !ok:
		return nil, fmt.Errorf("%w: CAdES and PAdES name a signature policy by OID, such as 1.2.3.4, not %q", ErrParams, p.ID)
	case p.Description != "":
		return nil, fmt.Errorf("%w: CAdES and PAdES have no description of a signature policy", ErrParams)
	}
	return &cades.Policy{ID: oid, HashOID: pki.OIDByHash(p.Hash), Digest: p.Digest, URI: p.URI}, nil
}

func (p *Policy) jades() (*jades.Policy, error) {
	if p == nil {
		return nil, nil
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	id, name := p.ID, jades.HashName(p.Hash)
	if oid, ok := p.oid(); ok {
		id = "urn:oid:" + string(oid)
	}
	if name == "" {
		return nil, fmt.Errorf("%w: JAdES has no name for %s", ErrParams, p.Hash)
	}
	return &jades.Policy{ID: id, Description: p.Description, Algorithm: name, Digest: p.Digest, URI: p.URI}, nil
}
