// Package xmldsig verifies and creates XML Signatures (W3C XML Signature Syntax and Processing 1.1 [XMLDSIG],
// algorithm identifiers also of RFC 9231).
//
// # What a verification says
//
// [Verify] answers with a [Result] that holds the nodes which were really signed, not with a yes. Callers read on from
// [Reference.Node] or ask [Result.Covers]; a reader that goes back to the document and searches by name can be led to
// content nobody signed (signature wrapping). Exclusive canonicalisation signs a namespace declaration only where its
// prefix is used by a name: prefixes inside text and attribute values are not protected unless a PrefixList names them.
//
// A key out of ds:KeyInfo is a proposal of whoever wrote the message. Without [VerifyOptions.Key] the package takes it,
// and then the result says only that the holder of some key signed: [Result.Certificates] has to be checked against
// trust anchors by the caller before anything is believed.
//
// # Order of work
//
// Structure, algorithms, the key, SignatureValue, and only then the references, so that an unsigned reference makes
// nobody fetch or canonicalise anything.
//
// # Refused on purpose
//
// SHA-1, MD5, RIPEMD-160 and DSA unless [VerifyOptions.AllowSHA1] is set; RSA below [VerifyOptions.MinRSABits]; HMAC unless
// [VerifyOptions.AllowHMAC] is set, and its truncation below half the digest or 80 bits [XMLDSIG 6.3.1] always;
// external references without [VerifyOptions.External]; XSLT, XPath and XPath Filter 2.0 transforms; xpointers other
// than the two forms of [XMLDSIG 4.4.3.2]; references to an ID that two elements carry.
package xmldsig

import (
	"crypto"
	"errors"
	"fmt"

	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/xmlcore/c14n"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Namespaces of the signature elements.
const (
	Namespace   = "http://www.w3.org/2000/09/xmldsig#"
	Namespace11 = "http://www.w3.org/2009/xmldsig11#"
	exclusiveNS = "http://www.w3.org/2001/10/xml-exc-c14n#"
	moreNS      = "http://www.w3.org/2007/05/xmldsig-more#"
)

var (
	// ErrStructure: the element is not a ds:Signature of the schema's shape, or exceeds a limit.
	ErrStructure = errors.New("xmldsig: not a well-formed signature")
	// ErrAlgorithm: an algorithm is unknown or not allowed.
	ErrAlgorithm = errors.New("xmldsig: algorithm not allowed")
	// ErrKey: no key, a key of another kind than the signature method's, or a weak one.
	ErrKey = errors.New("xmldsig: no suitable key")
	// ErrSignature: SignatureValue does not verify with the key.
	ErrSignature = errors.New("xmldsig: signature value does not verify")
	// ErrReference: a reference leads nowhere, to two elements, or outside where no resolver is given.
	ErrReference = errors.New("xmldsig: reference cannot be resolved")
	// ErrAmbiguous: more than one element has the ID that a reference names.
	ErrAmbiguous = errors.New("xmldsig: more than one element has the ID")
	// ErrDigest: the referenced data are not the data that were signed.
	ErrDigest = errors.New("xmldsig: digest does not match")
)

// Types of references to parts of a signature [XMLDSIG 4.5, 5].
const (
	TypeObject              = Namespace + "Object"
	TypeManifest            = Namespace + "Manifest"
	TypeSignatureProperties = Namespace + "SignatureProperties"
)

// ValueOf returns the ds:SignatureValue of a ds:Signature, the zero Node where there is none: what time-stamps and
// counter-signatures are over.
func ValueOf(sig dom.Node) dom.Node { return sig.Child(Namespace, "SignatureValue") }

// ReferenceError says which ds:Reference did not hold. Index counts from 0 in document order.
type ReferenceError struct {
	Index int
	URI   string
	Err   error
}

func (e *ReferenceError) Error() string {
	return fmt.Sprintf("reference %d (URI %q): %v", e.Index+1, e.URI, e.Err)
}

func (e *ReferenceError) Unwrap() error { return e.Err }

// VerifyOptions says what a verifier accepts. The zero value verifies same-document signatures with safe algorithms and
// the key of ds:KeyInfo.
type VerifyOptions struct {
	// Key returns the key for a ds:KeyInfo (the zero Node where the signature has none) and a SignatureMethod. A
	// *rsa.PublicKey, *ecdsa.PublicKey, ed25519.PublicKey, *mldsa.PublicKey, *dsa.PublicKey or [HMACKey]. Nil: [KeyFromInfo].
	Key func(keyInfo dom.Node, method string) (crypto.PublicKey, error)

	// External returns the digest of what a URI outside the document names, after the given transforms (see
	// [DigestOctets]). For a Reference without URI attribute uri is "". Nil: such references fail.
	External func(uri string, transforms []Transform, digestMethod string) (digest []byte, err error)

	// IDAttributes names the attributes that are IDs. The zero value: wsu:Id, xml:id, Id, ID, id.
	IDAttributes IDPolicy
	// IDs is an index made earlier for the same document, to look IDs up without another pass over it.
	IDs *IDIndex

	// Allowed algorithm URIs; nil allows every one that this package implements and that is not refused by the fields below, but not
	// ML-DSA, which must be named.
	Signatures, Digests, Transforms, Canonicalizations []string

	AllowSHA1     bool // also what is as old: MD5, RIPEMD-160 and DSA. Only for the validation of old material
	AnyWidth      bool // also the two numbers of ECDSA without leading zeros, or with one octet of them too many, as some programs write them
	AllowXPath    bool // transforms by XPath and XPath Filter 2.0. They choose what is signed: look at the references of the result
	AllowHMAC     bool // Key must then return an HMACKey for hmac methods
	MinRSABits    int  // default 2048; the prime of a DSA key counts too
	MaxReferences int  // default 1000

	examine bool // a reference whose digest cannot be computed is broken, and no error of the signature
}

// HMACKey is the shared secret for the hmac methods. It is a type of its own so that the octets of a public key can
// never be taken for one.
type HMACKey []byte

// Result is what a good signature proves.
type Result struct {
	SignatureMethod  string
	Canonicalization c14n.Method
	PublicKey        crypto.PublicKey
	Certificates     []*pki.Certificate // of ds:KeyInfo, signer first; only where VerifyOptions.Key is nil. Not yet trusted
	KeyInfo          dom.Node           // zero where absent
	References       []Reference
	Value            []byte // SignatureValue, decoded
}

// Reference is one ds:Reference whose digest matched.
type Reference struct {
	URI, Type, ID string
	Anonymous     bool // there is no URI attribute: the application supplied the octets [XMLDSIG 4.4.3.1]
	DigestMethod  string
	Transforms    []Transform
	Digest        []byte

	// Node is the element, or the document node, whose canonical form (without Except) hashes to Digest. It is the zero
	// Node for external references and where a transform such as base64 kept only a part of Target.
	Node   dom.Node
	Target dom.Node   // what the URI points at, whatever the transforms made of it; zero for external references
	Except []dom.Node // subtrees the enveloped-signature transform removed

	Element dom.Node // the ds:Reference itself

	digest   *digestAlg
	broken   error // why there is no digest to compare with
	comments bool  // comments of Node are signed too
}

// Transform is one ds:Transform. Method is set for canonicalisations.
type Transform struct {
	Algorithm string
	Method    c14n.Method
	Element   dom.Node // zero when signing

	filters    []filter // of a transform by XPath
	signatures bool     // when signing: takes signatures out
}

// Covers reports whether n is signed by one of the references: n lies in a signed Node and not in what was excepted. A
// subtree that contains an excepted Signature counts as covered. Comments count only where the canonicalisation
// kept them.
func (r *Result) Covers(n dom.Node) bool {
	for i := range r.References {
		if r.References[i].covers(n) {
			return true
		}
	}
	return false
}

func (r *Reference) covers(n dom.Node) bool {
	if !n.Valid() || !r.Node.Valid() || !r.Node.Contains(n) {
		return false
	}
	if n.Kind() == dom.CommentNode && !r.comments {
		return false
	}
	for _, e := range r.Except {
		if e.Contains(n) {
			return false
		}
	}
	return true
}
