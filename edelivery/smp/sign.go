package smp

import (
	"crypto"
	"crypto/rsa"
	"fmt"
	"io"

	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/xmldsig"
	"github.com/viadukt-eu/viadukt/xmlcore/c14n"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Sign writes the metadata in a generation and signs it: an enveloped signature over the whole document, SignedInfo in
// inclusive Canonical XML 1.0, or 1.1 in OASIS 2.0, rsa-sha256 in generation 1 and what fits the key in 2.0. The
// octets have to be sent as they are; white space is signed too.
func Sign(md *ServiceMetadata, g Generation, id *pki.Identity, rand io.Reader) ([]byte, error) {
	src, err := write(md, g, true)
	if err != nil {
		return nil, err
	}
	return sign(src, g, id, rand)
}

// SignGroup writes and signs a ServiceGroup of OASIS 2.0, the only generation that allows it [SMP2 4.2].
func SignGroup(sg *ServiceGroup, id *pki.Identity, rand io.Reader) ([]byte, error) {
	src, err := WriteServiceGroup(sg, OASIS20, "")
	if err != nil {
		return nil, err
	}
	return sign(src, OASIS20, id, rand)
}

func sign(src []byte, g Generation, id *pki.Identity, rand io.Reader) ([]byte, error) {
	doc, err := parseXML(src)
	if err != nil {
		return nil, err
	}
	return signDocument(doc, g, id, rand)
}

func signDocument(doc *dom.Document, g Generation, id *pki.Identity, rand io.Reader) ([]byte, error) {
	key, ok := id.Key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("smp: the key of %s cannot sign", id.Certificate.Subject)
	}
	opt := xmldsig.EnvelopedOptions{
		Rand: rand, DigestMethod: xmldsig.SHA256, Canonicalization: c14n.Inclusive11,
		Certificates: []*pki.Certificate{id.Certificate},
	}
	if g != OASIS20 {
		if _, ok := key.Public().(*rsa.PublicKey); !ok {
			return nil, fmt.Errorf("%w: %s is signed with rsa-sha256, the key is %T", ErrAlgorithm, g, key.Public())
		}
		opt.Canonicalization, opt.SignatureMethod = c14n.Inclusive10, xmldsig.RSASHA256
	}
	out, err := xmldsig.SignEnveloped(key, doc, opt)
	if err != nil {
		return nil, fmt.Errorf("smp: sign: %w", err)
	}
	if len(out) > MaxBytes {
		return nil, ErrTooLarge // no client would take it
	}
	return out, nil
}
