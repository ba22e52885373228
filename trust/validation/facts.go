// Package validation judges signatures and time-stamps: ETSI EN 319 102-1 v1.4.1, as a pure function of facts, a policy and a
// time. The facts come from the packages that read the formats; nothing here parses, computes a hash or asks a network, so
// the same facts give the same verdict for ever.
//
// Every check is a question with an answer and a clause, and the verdict is the first check that did not hold.
package validation

import (
	"strings"
	"time"
)

// Facts is everything that is known about a document and its signatures.
type Facts struct {
	Signatures []*Signature
	TimeStamps []*TimeStamp // of all signatures, and detached ones
	Listed     bool         // trusted lists were asked: the certificates of signers have their claims and services
	Unread     []string     // lists that could not be asked, each with the reason
}

// Algorithm is what a token was signed with.
type Algorithm struct {
	Encryption string // "RSA", "RSASSA-PSS", "ECDSA", "PLAIN-ECDSA", "DSA", "EdDSA"
	Bits       int    // of the key
	Digest     string // "SHA256" and the like
}

// Token is what signatures, time-stamps, certificates and revocation data have in common: somebody signed them.
type Token struct {
	ID        string
	Raw       []byte // of a time-stamp or of revocation data, DER, for those who hand it on; else nil
	Algorithm Algorithm
	Intact    bool // the signature value holds under the signer's key
	// Unverifiable names an algorithm that nobody here computes, so that nothing can be said of the value; "" where all are known.
	Unverifiable string
	Signer       *Certificate // nil: not known
	// Chain is the prospective chain: signer first, up to a trust anchor where there is one, else as far as certificates are at
	// hand.
	Chain []*Certificate
}

// Signature is an AdES signature.
type Signature struct {
	Token
	Counter       *Signature // that this one counter-signs
	Format        string     // "XAdES-BASELINE-B" and the like
	Claimed       time.Time  // signing time by the signer's word; zero: not claimed
	References    []Reference
	Certificates  []SigningCertificate // signed references to the signing certificate, the signer's first
	NeedsProperty bool                 // the format asks for SignedProperties or a message digest
	HasProperty   bool
	TimeStamps    []*TimeStamp // that belong to it
	Duplicated    bool         // another signature has the same identity
	NoManifest    bool         // nothing in the container, which is of type E, lists its files
	Uncovered     []string     // files of the container that the signature does not cover
	Malformed     []Malformed  // what of the format does not hold
	Doubts        []Malformed  // what of the format a person should look at; warnings
	Structure     error        // the schema does not hold; a warning
}

// Malformed is a violation of a format, with the check that found it.
type Malformed struct{ Question, Answer, Clause string }

// Reference is a signed object.
type Reference struct {
	Name, Kind    string
	Digest        string // algorithm
	Found, Intact bool
	Entry         bool   // of a manifest: that it is not at hand is no failure
	Unverifiable  string // names an algorithm that nobody here computes: then Intact says nothing
}

// Use is what a certificate may be an anchor for, as a set.
type Use uint8

// Uses.
const (
	UseSignature Use = 1 << iota
	UseTimeStamp
	UseRevocation
)

// AnchorOf tells whether a certificate is a trust anchor for a use.
func (c *Certificate) AnchorOf(u Use) bool { return c.Trusted && (c.Only == 0 || c.Only&u != 0) }

// SigningCertificate is what the signer said about the own certificate, under the signature.
type SigningCertificate struct {
	Digest       string
	HasDigest    bool
	Matches      bool // the digest is that of the signer's certificate
	IssuerSerial bool // false: it names another issuer or serial number
}

// Certificate is a certificate of a chain.
type Certificate struct {
	Token
	Subject             string
	NotBefore, NotAfter time.Time
	Trusted             bool      // a trust anchor
	Only                Use       // what the anchor is trusted for; zero: for everything
	TrustedFrom         time.Time // zero: always
	Sunset              time.Time // until when the anchor is trusted; zero: for good
	SelfSigned          bool
	CA                  bool
	PathLength          int // -1: no limit
	KeyUsage            []string
	HasKeyUsage         bool
	HasSubjectKeyID     bool
	IssuerNameWrong     bool
	TimeStamping        bool // extended key usage
	OCSPNoCheck         bool
	NoRevocation        bool // short-term, or its issuer keeps no revocation data
	Revocations         []CertificateStatus
	// ExpiredInfo: a trusted list says that this authority tells of certificates that expired after this. Zero: it does not.
	ExpiredInfo time.Time

	// Of a signer's certificate: what it says of itself, and what trusted lists say of the services in its chain.
	Claims   QualifiedClaims
	Services []TrustService
}

// CertificateStatus is what one piece of revocation data says about a certificate.
type CertificateStatus struct {
	Data    *Revocation
	Revoked bool
	Unknown bool
	Date    time.Time
	Reason  string // "certificateHold" and the like [RFC 5280 5.3.1]
}

// hold tells a suspension from a revocation.
func (s *CertificateStatus) hold() bool {
	return strings.EqualFold(strings.ReplaceAll(s.Reason, "_", ""), "certificateHold")
}

// Revocation is a CRL or an OCSP response.
type Revocation struct {
	Token
	OCSP                   bool
	Produced               time.Time
	ThisUpdate, NextUpdate time.Time
	ExpiredCertsOnCRL      time.Time // certificates that expired after this are still listed
	ArchiveCutOff          time.Time
	CertHash               bool // an OCSP response proves by the certificate's hash that it knows it
	ResponderMismatch      bool
}

// TimeStamp is a time-stamp token.
type TimeStamp struct {
	Token
	Kind          string // "SIGNATURE_TIMESTAMP", "ARCHIVE_TIMESTAMP", "ALL_DATA_OBJECTS_TIMESTAMP" and the like
	Time          time.Time
	Digest        string // of the imprint
	ImprintFound  bool
	ImprintIntact bool
	Record        string      // the evidence record that it is of; "": none
	RecordRaw     []byte      // that record as it stands, for those who hand it on
	References    []Reference // of the first of such a record: what the record must be over
	Covers        []string    // IDs of tokens
	Malformed     []Malformed
}

// content tells whether a time-stamp was made before the signature, over its content.
func (t *TimeStamp) content() bool {
	switch t.Kind {
	case "CONTENT_TIMESTAMP", "ALL_DATA_OBJECTS_TIMESTAMP", "INDIVIDUAL_DATA_OBJECTS_TIMESTAMP":
		return true
	}
	return false
}
