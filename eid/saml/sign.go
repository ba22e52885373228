package saml

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/xmldsig"
	"github.com/viadukt-eu/viadukt/xmlcore/c14n"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Algorithms says which methods and keys count. The zero value takes what packages xmldsig and xmlenc hold for safe.
type Algorithms struct {
	Signatures, Digests []string // URIs; nil: all that are safe
	Data, Transports    []string // of encrypted content, and of its key (transport or agreement); nil: all that are safe
	MinRSABits          int      // default 2048
	MinECBits           int      // default 256
	AllowSHA1           bool     // as the pilots signed; never for what decides on anybody today
}

// CheckKey refuses a public key that is too short, or of a kind that no signature or encryption of a message is made with.
func (a *Algorithms) CheckKey(key crypto.PublicKey) error {
	least := 0
	switch key.(type) {
	case *rsa.PublicKey:
		if least = a.MinRSABits; least == 0 {
			least = 2048
		}
	case *ecdsa.PublicKey:
		if least = a.MinECBits; least == 0 {
			least = 256
		}
	default:
		return fmt.Errorf("%w: a key that is neither RSA nor EC with a named curve", ErrAlgorithm)
	}
	if bits := pki.KeyBits(key); bits < least {
		return fmt.Errorf("%w: a key of %d bits, at least %d are asked for", ErrAlgorithm, bits, least)
	}
	return nil
}

// verifyEnveloped checks the signature that stands in an element over this element [SAML2Core 5.4] and returns the
// certificate, out of those given, whose key made it. whole also takes an empty URI, as metadata has it.
func verifyEnveloped(root, sig dom.Node, certs []*pki.Certificate, a *Algorithms, whole bool) (*pki.Certificate, error) {
	if sig.Child(xmldsig.Namespace, "Object").Valid() {
		return nil, sig.Errorf("%w: it carries an Object [SAML2Core 5.4]", ErrSignature)
	}
	opt := xmldsig.VerifyOptions{
		IDAttributes: xmldsig.IDPolicy{Attributes: []xmldsig.IDName{{Local: "ID"}}},
		Signatures:   a.Signatures, Digests: a.Digests, AllowSHA1: a.AllowSHA1, MinRSABits: a.MinRSABits,
		Transforms:        []string{xmldsig.Enveloped, c14n.Exclusive10, c14n.Exclusive10Comments},
		Canonicalizations: []string{c14n.Exclusive10, c14n.Exclusive10Comments},
		MaxReferences:     1,
	}
	var signer *pki.Certificate
	opt.Key = func(info dom.Node, _ string) (crypto.PublicKey, error) {
		keyless := opt
		keyless.Key = nil
		var err error
		if signer, err = choose(sig, info, certs, keyless); err != nil {
			return nil, err
		}
		return signer.PublicKey, a.CheckKey(signer.PublicKey)
	}
	res, err := xmldsig.Verify(sig, opt)
	switch {
	case errors.Is(err, ErrAlgorithm) || errors.Is(err, xmldsig.ErrAlgorithm):
		return nil, sig.Errorf("%w: %w", ErrAlgorithm, err)
	case err != nil:
		return nil, sig.Errorf("%w: %w", ErrSignature, err)
	}
	ref := res.References[0]
	switch {
	case ref.URI == "" && whole && ref.Node == root.Document().Node() && root == root.Document().Root():
	case ref.URI != "#"+root.Attr("ID") || ref.Node != root:
		return nil, ref.Element.Errorf("%w: it is over %q and not over the element it stands in [SAML2Core 5.4.2]", ErrSignature, ref.URI)
	}
	if len(ref.Except) != 1 || ref.Except[0] != sig || len(ref.Transforms) > 2 {
		return nil, ref.Element.Errorf("%w: its transforms leave out more than the signature, or less [SAML2Core 5.4.4]", ErrSignature)
	}
	return signer, nil
}

// choose finds the certificate that a signature was made with: the one that ds:KeyInfo carries, if it is among the known
// ones, and where there is none inside, the one whose key fits.
func choose(sig, info dom.Node, certs []*pki.Certificate, opt xmldsig.VerifyOptions) (*pki.Certificate, error) {
	if len(certs) == 0 {
		return nil, errors.New("no key of this sender is known")
	}
	if info.Valid() {
		carried, err := xmldsig.CertificatesFromInfo(info, nil)
		if err != nil {
			return nil, err
		}
		for _, c := range carried {
			if i := slices.IndexFunc(certs, func(known *pki.Certificate) bool { return bytes.Equal(known.Raw, c.Raw) }); i >= 0 {
				return certs[i], nil
			}
		}
		if len(carried) > 0 {
			return nil, fmt.Errorf("the certificate of %s is not among those that the sender publishes", carried[0].Subject)
		}
	}
	keys := make([]crypto.PublicKey, len(certs))
	for i, c := range certs {
		keys[i] = c.PublicKey
	}
	if i := xmldsig.SignedBy(sig, keys, opt); i >= 0 {
		return certs[i], nil
	}
	return nil, errors.New("it was not made with a key that the sender publishes")
}

// Signing says how messages are signed. Without an Identity they are not.
type Signing struct {
	Identity        *pki.Identity
	SignatureMethod string    // default by key: RSASSA-PSS with SHA-256, ECDSA with the hash that fits the curve
	DigestMethod    string    // default SHA-256, or the hash of the signature method
	Rand            io.Reader // nil: crypto/rand
}

// methods returns the signature and digest method.
func (s *Signing) methods() (signature, digest string, err error) {
	hash := crypto.SHA256
	switch pki.KeyBits(s.Identity.Certificate.PublicKey) {
	case 384:
		hash = crypto.SHA384
	case 512, 521:
		hash = crypto.SHA512
	}
	digest, signature = xmldsig.MethodFor(s.Identity.Certificate.PublicKey, hash, isRSA(s.Identity.Certificate.PublicKey))
	if s.SignatureMethod != "" {
		signature = s.SignatureMethod
	}
	if s.DigestMethod != "" {
		digest = s.DigestMethod
	}
	if signature == "" || digest == "" {
		return "", "", fmt.Errorf("%w: no signature method for this kind of key", ErrAlgorithm)
	}
	return signature, digest, nil
}

// enveloped puts a signature over the document element into octets, after its Issuer, or as the first child where there
// is none, as in metadata.
func (s *Signing) enveloped(octets []byte, lim dom.Limits, prefixes ...string) ([]byte, error) {
	if s.Identity == nil {
		return octets, nil
	}
	signer, ok := s.Identity.Key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("%w: the key cannot sign", ErrAlgorithm)
	}
	signature, digest, err := s.methods()
	if err != nil {
		return nil, err
	}
	doc, err := dom.Parse(octets, lim)
	if err != nil {
		return nil, fmt.Errorf("saml: what was to be signed is no XML: %w", err)
	}
	root := doc.Root()
	sig, err := xmldsig.Sign(signer, []xmldsig.SignReference{{
		URI: "#" + root.Attr("ID"), Node: root, DigestMethod: digest,
		Transforms: []xmldsig.Transform{{Algorithm: xmldsig.Enveloped}, xmldsig.Canonicalize(c14n.Method{Algorithm: c14n.Exclusive10, InclusivePrefixes: prefixes})},
	}}, xmldsig.SignOptions{Rand: s.Rand, SignatureMethod: signature, KeyInfo: xmldsig.X509Data(s.Identity.Certificate)})
	if err != nil {
		return nil, fmt.Errorf("saml: %w", err)
	}
	at := root.FirstElement().Offset()
	if issuer := root.Child(NamespaceAssertion, "Issuer"); issuer.Valid() {
		at = issuer.Offset() + len(issuer.Raw())
	}
	src := doc.Source()
	return slices.Concat(src[:at], sig, src[at:]), nil
}

func isRSA(key crypto.PublicKey) bool {
	_, ok := key.(*rsa.PublicKey)
	return ok
}
