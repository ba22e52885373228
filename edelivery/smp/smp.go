// Package smp reads, writes, signs, verifies, asks for and serves Service Metadata Publishing documents: which
// documents a participant accepts, in which process, at which address and with which certificate.
//
// Three generations are on the wire and share one model here: Peppol SMP 1.x ("busdox"), OASIS SMP 1.0 (with its
// 2014 draft namespace when reading) and OASIS SMP 2.0. The generation is a property of reader and writer.
//
// # What is trusted
//
// [VerifyMetadata] returns the document whose octets were signed, and only after the signature, its form, the
// signer's chain, the signer's role and the identifiers inside agree with the question. A ServiceGroup of
// generation 1 is never signed; it is a hint, and everything it leads to is verified by itself.
//
// # Refused on purpose
//
// DTDs, more than one enveloped signature in generation 1, signatures that cover less than the whole document,
// any transform but enveloped-signature, SHA-1 unless [VerifyOptions.OldMaterial] is set, HTTP redirects, a second
// SMP redirect, and addresses inside the network of the asker unless [Policy.Allow] names them.
package smp

import (
	"errors"
	"fmt"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/ids"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// Generation is one of the three document formats.
type Generation uint8

const (
	Busdox10 Generation = iota + 1 // http://busdox.org/serviceMetadata/publishing/1.0/
	OASIS10                        // http://docs.oasis-open.org/bdxr/ns/SMP/2016/05
	OASIS20                        // http://docs.oasis-open.org/bdxr/ns/SMP/2/...
)

func (g Generation) String() string {
	switch g {
	case Busdox10:
		return "Busdox 1.0"
	case OASIS10:
		return "OASIS 1.0"
	case OASIS20:
		return "OASIS 2.0"
	}
	return fmt.Sprintf("Generation(%d)", uint8(g))
}

// Namespaces of the documents.
const (
	NamespaceBusdox  = "http://busdox.org/serviceMetadata/publishing/1.0/"
	NamespaceOASIS10 = "http://docs.oasis-open.org/bdxr/ns/SMP/2016/05"
	NamespaceGroup20 = "http://docs.oasis-open.org/bdxr/ns/SMP/2/ServiceGroup"
	NamespaceMeta20  = "http://docs.oasis-open.org/bdxr/ns/SMP/2/ServiceMetadata"

	nsDraft10 = "http://docs.oasis-open.org/bdxr/ns/SMP/2014/07"
	nsIDs     = "http://busdox.org/transport/identifiers/1.0/"
	nsWSA     = "http://www.w3.org/2005/08/addressing"
	nsSMA     = "http://docs.oasis-open.org/bdxr/ns/SMP/2/AggregateComponents"
	nsSMB     = "http://docs.oasis-open.org/bdxr/ns/SMP/2/BasicComponents"
	nsExt     = "http://docs.oasis-open.org/bdxr/ns/SMP/2/ExtensionComponents"
	nsDS      = "http://www.w3.org/2000/09/xmldsig#"
)

// Limits of every document that is read: octets, levels of elements, references of a ServiceGroup.
const (
	MaxBytes      = 1 << 20
	MaxDepth      = 64
	MaxReferences = 10_000
)

// What callers ask with errors.Is. Every refusal of a lookup is one of these.
var (
	ErrNotFound         = errors.New("smp: participant or document type not registered")
	ErrSyntax           = errors.New("smp: no valid SMP document")
	ErrTooLarge         = errors.New("smp: answer larger than 1 MiB")
	ErrRoot             = errors.New("smp: root element is not the one asked for")
	ErrUnsigned         = errors.New("smp: no signature")
	ErrSignatureCount   = errors.New("smp: more than one signature")
	ErrSignaturePlace   = errors.New("smp: signature in the wrong place")
	ErrCoverage         = errors.New("smp: signature does not cover exactly the whole document")
	ErrAlgorithm        = errors.New("smp: algorithm not allowed for this generation")
	ErrSignature        = errors.New("smp: signature is wrong")
	ErrUntrusted        = errors.New("smp: signer is not trusted")
	ErrNotSMP           = errors.New("smp: signer has not the role of an SMP")
	ErrWrongParticipant = errors.New("smp: answer is about another participant")
	ErrWrongDocument    = errors.New("smp: answer is about another document type")

	ErrURL            = errors.New("smp: URL not allowed")
	ErrAddress        = errors.New("smp: network address not allowed")
	ErrBadResponse    = errors.New("smp: unusable HTTP answer")
	ErrHTTPRedirect   = errors.New("smp: HTTP redirect")
	ErrUnavailable    = errors.New("smp: no answer")
	ErrRedirect       = errors.New("smp: unusable redirect to another SMP")
	ErrRedirectLoop   = errors.New("smp: redirect leads to a redirect")
	ErrRedirectSigner = errors.New("smp: redirect target is signed by another SMP than announced")

	ErrNoProcess   = errors.New("smp: process not offered")
	ErrNoTransport = errors.New("smp: no endpoint with an accepted transport profile")
	ErrNotActive   = errors.New("smp: no endpoint is active now")
	ErrCertificate = errors.New("smp: endpoint certificate not usable")
)

// ServiceGroup lists what a participant accepts.
type ServiceGroup struct {
	Generation  Generation // of the document it was read from; the writer takes its own
	Participant ids.Participant
	References  []Reference
	Extensions  []Extension
	Signed      bool // it carried signatures, which the parser did not look at: see [VerifyGroup]
}

// Reference is one document type of a ServiceGroup.
type Reference struct {
	// DocumentType is zero when the href names none that can be read: one bad entry does not spoil the others.
	DocumentType ids.DocumentType
	Href         string        // generation 1: the whole URL; empty in 2.0
	Processes    []ids.Process // 2.0 only
}

// ServiceMetadata says where and how one document type is accepted. Either Processes or Redirect is set.
type ServiceMetadata struct {
	Generation   Generation
	Participant  ids.Participant  // zero beside a generation 1 Redirect, which names nobody
	DocumentType ids.DocumentType // the same
	Processes    []Process
	Redirect     *Redirect
	Extensions   []Extension
}

// Process is one business process with the endpoints that serve it.
type Process struct {
	Process    ids.Process // zero: every process [SMP2 4.3.4]
	Roles      []string    // 2.0 only
	Endpoints  []Endpoint
	Redirect   *Redirect // 2.0 only: this process is served elsewhere; then no Endpoints
	Extensions []Extension
}

// Endpoint is one address that accepts the document.
type Endpoint struct {
	TransportProfile string
	URL              string // empty in 2.0 where the profile needs none
	// Certificate is for every use; nil when there is none or when SigningCertificate and EncryptionCertificate
	// divide the work. Use [Endpoint.Signing] and [Endpoint.Encryption].
	Certificate           *pki.Certificate
	SigningCertificate    *pki.Certificate // 2.0, by TypeCode
	EncryptionCertificate *pki.Certificate // 2.0, by TypeCode
	// Activation and Expiration bound the use: Activation <= now < Expiration. Zero is unbounded. 2.0 has whole
	// days in UTC.
	Activation, Expiration     time.Time
	RequireBusinessSignature   bool   // generation 1
	MinimumAuthenticationLevel string // generation 1
	Description                string
	Contact                    string // TechnicalContactUrl, in 2.0 Contact
	Information                string // TechnicalInformationUrl, generation 1
	Extensions                 []Extension
}

// Signing returns the certificate that the endpoint signs with, nil when it names none.
func (e *Endpoint) Signing() *pki.Certificate {
	if e.SigningCertificate != nil {
		return e.SigningCertificate
	}
	return e.Certificate
}

// Encryption returns the certificate to encrypt to, nil when there is none.
func (e *Endpoint) Encryption() *pki.Certificate {
	if e.EncryptionCertificate != nil {
		return e.EncryptionCertificate
	}
	return e.Certificate
}

// ActiveAt tells whether the endpoint may be used at t.
func (e *Endpoint) ActiveAt(t time.Time) bool {
	return (e.Activation.IsZero() || !t.Before(e.Activation)) && (e.Expiration.IsZero() || t.Before(e.Expiration))
}

// Redirect names the SMP that knows more.
type Redirect struct {
	// Href is the full URL of the metadata in generation 1 and the base address of the SMP in 2.0.
	Href string
	// CertificateUID names the signer at the target, as a rule its subject [PSMP 4.3]; generation 1.
	CertificateUID string
	// Certificate is the signer at the target; 2.0, optional.
	Certificate *pki.Certificate
	Extensions  []Extension
}

// Extension is content of others, kept as it was found.
type Extension struct {
	Generation Generation // a writer of another generation leaves it out
	// Content is the canonical form of the child elements, each with the namespaces it needs.
	Content []byte
}
