// Package pki reads certificates, revocation data and keys, and decides whether a certificate is trusted
// for a purpose (RFC 5280, RFC 6960, RFC 4514).
//
// It has its own certificate parser because crypto/x509 stands and falls with material that a node still
// has to read, report and judge: brainpool keys, negative serial numbers, SHA-1 signatures, RSA keys below
// 1024 bits, strings in the wrong alphabet. What was signed stays available as octets: [Certificate.RawTBS],
// [Certificate.RawIssuer] and so on. TLS and issuing stay with crypto/x509: see [Certificate.X509] and
// [Authority].
//
// [Verifier] answers "trusted, for this?". An [Anchor] is bound to purposes: one trusted for access points
// is not trusted for documents.
//
// # Refused on purpose
//
// RSA keys below 2048 bits and SHA-1 signatures in chains unless the [Verifier] says otherwise, MD5 and RIPEMD-160
// always; delta CRLs; chains above ten certificates; BER that is not DER in certificates, but for extensions.
package pki

import "errors"

// The questions callers ask about a refusal with [errors.Is].
var (
	ErrFormat       = errors.New("pki: malformed")
	ErrUntrusted    = errors.New("pki: no path to a trust anchor")
	ErrExpired      = errors.New("pki: certificate expired")
	ErrNotYetValid  = errors.New("pki: certificate not yet valid")
	ErrRevoked      = errors.New("pki: certificate revoked")
	ErrKeyUsage     = errors.New("pki: key usage forbids it")
	ErrWrongPurpose = errors.New("pki: anchor is for another purpose")
	ErrWeakKey      = errors.New("pki: key or algorithm too weak")
	ErrBadSignature = errors.New("pki: signature is wrong")
	// ErrUnsupported is a key or signature algorithm this package cannot compute.
	ErrUnsupported = errors.New("pki: algorithm not supported")
	// ErrRevocationUnknown means that no revocation source could answer; the error is temporary.
	ErrRevocationUnknown = errors.New("pki: revocation status unknown")
)

// Purpose is what a certificate is trusted for. Networks may define further ones.
type Purpose string

const (
	PurposeAccessPoint Purpose = "access-point" // signing and encrypting messages between nodes
	PurposeSMP         Purpose = "smp"          // signing service metadata
	PurposeTLS         Purpose = "tls"          // servers and clients of connections
	PurposeDocument    Purpose = "document"     // signing business documents
	PurposeToken       Purpose = "token"        // signing assertions and identity tokens
	PurposeEvidence    Purpose = "evidence"     // signing evidence of delivery
	PurposeTime        Purpose = "time"         // signing time-stamps
	PurposeRevocation  Purpose = "revocation"   // answering by OCSP for the certificates of other authorities
)
