// Package cades makes, extends and reads CMS advanced electronic signatures: ETSI EN 319 122-1 v1.3.1 (CAdES baseline levels B, T, LT
// and LTA), and for reading also the extended forms of EN 319 122-2 and the archive time-stamps of TS 101 733.
//
// What is read are facts: what a signature says, which parts of it hold, what each time-stamp covers. Whether that makes it valid is
// judged elsewhere, with trust anchors, revocation and a policy.
//
// A signature is extended by attributes, certificates and lists that are put behind those that are there, which keep their octets.
package cades

import (
	"errors"
	"fmt"
	"time"

	"github.com/viadukt-eu/viadukt/trust/cms"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/tsp"
)

// Attributes [EN 319 122-1 5].
const (
	AttrPolicy             pki.OID = "1.2.840.113549.1.9.16.2.15"
	AttrCommitment         pki.OID = "1.2.840.113549.1.9.16.2.16"
	AttrLocation           pki.OID = "1.2.840.113549.1.9.16.2.17"
	AttrSignerAttributes   pki.OID = "1.2.840.113549.1.9.16.2.18"
	AttrSignerAttributesV2 pki.OID = "0.4.0.19122.1.1"
	AttrContentTimeStamp   pki.OID = "1.2.840.113549.1.9.16.2.20"
	AttrContentReference   pki.OID = "1.2.840.113549.1.9.16.2.10"
	AttrContentIdentifier  pki.OID = "1.2.840.113549.1.9.16.2.7"
	AttrContentHints       pki.OID = "1.2.840.113549.1.9.16.2.4"
	AttrMimeType           pki.OID = "0.4.0.1733.2.1"
	AttrPolicyStore        pki.OID = "0.4.0.19122.1.3"

	AttrSignatureTimeStamp      pki.OID = "1.2.840.113549.1.9.16.2.14"
	AttrCertificateRefs         pki.OID = "1.2.840.113549.1.9.16.2.21"
	AttrRevocationRefs          pki.OID = "1.2.840.113549.1.9.16.2.22"
	AttrCertificateValues       pki.OID = "1.2.840.113549.1.9.16.2.23"
	AttrRevocationValues        pki.OID = "1.2.840.113549.1.9.16.2.24"
	AttrTimeStampC              pki.OID = "1.2.840.113549.1.9.16.2.25"
	AttrTimeStampRefs           pki.OID = "1.2.840.113549.1.9.16.2.26"
	AttrArchiveTimeStamp        pki.OID = "1.2.840.113549.1.9.16.2.27"
	AttrArchiveTimeStampV2      pki.OID = "1.2.840.113549.1.9.16.2.48"
	AttrArchiveTimeStampV3      pki.OID = "0.4.0.1733.2.4"
	AttrAttributeCertRefs       pki.OID = "1.2.840.113549.1.9.16.2.44"
	AttrAttributeRevocationRefs pki.OID = "1.2.840.113549.1.9.16.2.45"
	AttrLongTermValidation      pki.OID = "0.4.0.1733.2.2"
	AttrInternalEvidence        pki.OID = "1.2.840.113549.1.9.16.2.49"
	AttrExternalEvidence        pki.OID = "1.2.840.113549.1.9.16.2.50"

	AttrHashIndex   pki.OID = "0.4.0.1733.2.5"
	AttrHashIndexV2 pki.OID = "0.4.0.19122.1.4"
	AttrHashIndexV3 pki.OID = "0.4.0.19122.1.5"

	AttrRevocationArchival pki.OID = "1.2.840.113583.1.1.8" // of PDF
)

// What a signature can be refused for. Errors that match none of these come from the message or the certificates beneath.
var (
	ErrStructure = errors.New("cades: attributes are not as the standard has them")
	ErrLevel     = errors.New("cades: the signature cannot be extended to this level")
	ErrForm      = errors.New("cades: time-stamp of a form whose imprint is not computed")
	ErrImprint   = tsp.ErrImprint
)

// Level is a form of signature, by what is there; it says nothing about validity.
type Level string

// The baseline levels [EN 319 122-1 6] and the extended ones [EN 319 122-2].
const (
	NotETSI Level = "CMS-NOT-ETSI"
	LevelB  Level = "CAdES-BASELINE-B"
	LevelT  Level = "CAdES-BASELINE-T"
	LevelLT Level = "CAdES-BASELINE-LT"
	LTA     Level = "CAdES-BASELINE-LTA"
	BES     Level = "CAdES-BES"
	EPES    Level = "CAdES-EPES"
	ExtT    Level = "CAdES-T"
	ExtC    Level = "CAdES-C"
	ExtX    Level = "CAdES-X"
	ExtXL   Level = "CAdES-XL"
	ExtLT   Level = "CAdES-LT"
	ExtA    Level = "CAdES-A"
	ERS     Level = "CAdES-ERS"
)

// Signature is what one signer and its attributes say. All of it is a claim until [Signature.Verify] found it covered.
type Signature struct {
	Message *cms.SignedData
	Signer  *cms.SignerInfo
	Parent  *Signature // of a counter-signature

	SigningTime time.Time // zero where it is not claimed once
	Named       []cms.CertID
	Policy      *Policy
	PolicyStore *PolicyStore
	Commitments []Commitment
	Location    *Location
	Claimed     []ClaimedAttribute // by the signer, of itself
	Certified   [][]byte           // attribute certificates and the like, DER
	Assertions  [][]byte           // signed by others, version 2
	Hints       *ContentHints
	MimeType    string
	Identifier  []byte // of the content
	Reference   []byte // to another signature, DER

	TimeStamps        []*TimeStamp // signed ones first, then unsigned ones, in their order
	CounterSignatures []*Signature
	Values            Material   // of certificate-values, revocation-values and the revocation archival of PDF
	References        References // of the extended forms
	EvidenceRecords   []EvidenceRecord

	// Problems are attributes that could not be read; what they say is missing above.
	Problems []error
}

// Policy is the signature policy that the signer claims to have followed [EN 319 122-1 5.2.9].
type Policy struct {
	Implied bool
	ID      pki.OID
	HashOID pki.OID
	Digest  []byte // nil where not stated
	URI     string // SPuri
	Notice  string // explicit text of SPUserNotice
	// Specification says how the document is to be read: an OID or URI [EN 319 122-1 5.2.9.2].
	Specification string
}

// PolicyStore is the policy document or where it is, beside the signature [EN 319 122-1 5.2.10].
type PolicyStore struct {
	Specification string
	Document      []byte
	URI           string
}

// Commitment is what the signer binds itself to [EN 319 122-1 5.2.3].
type Commitment struct {
	ID         pki.OID
	Qualifiers [][]byte // DER
}

// Commitments of [RFC 5126 5.11.1].
const (
	ProofOfOrigin   pki.OID = "1.2.840.113549.1.9.16.6.1"
	ProofOfReceipt  pki.OID = "1.2.840.113549.1.9.16.6.2"
	ProofOfDelivery pki.OID = "1.2.840.113549.1.9.16.6.3"
	ProofOfSender   pki.OID = "1.2.840.113549.1.9.16.6.4"
	ProofOfApproval pki.OID = "1.2.840.113549.1.9.16.6.5"
	ProofOfCreation pki.OID = "1.2.840.113549.1.9.16.6.6"
)

// Location is where the signer claims to have signed [EN 319 122-1 5.2.5].
type Location struct {
	Country, Locality string
	Postal            []string // lines of an address
}

// ClaimedAttribute is one attribute that the signer claims to have, such as a role [EN 319 122-1 5.2.6].
type ClaimedAttribute struct {
	Type   pki.OID
	Values []string // texts; DER in hexadecimal where it is none
}

// ContentHints describe the content [EN 319 122-1 5.2.4.1].
type ContentHints struct {
	Description string
	Type        pki.OID
}

// EvidenceRecord is an evidence record attribute [TS 119 122-3 5].
type EvidenceRecord struct {
	Internal bool   // over the message with its content, otherwise over message and detached content
	Raw      []byte // of the EvidenceRecord

	attribute int // its index among the unsigned attributes
}

// Material is what is needed to judge a signature long after it was made, in DER.
type Material struct {
	Certificates []*pki.Certificate
	CRLs         [][]byte
	OCSPs        [][]byte // OCSPResponse or BasicOCSPResponse
}

// Parse reads a message and its signatures, counter-signatures within their signatures.
func Parse(b []byte) ([]*Signature, error) { return ParseWith(b, nil) }

// ParseWith is [Parse]; certificates that known remembers are not parsed again.
func ParseWith(b []byte, known *pki.Parsed) ([]*Signature, error) {
	m, err := cms.ParseWith(b, known)
	if err != nil {
		return nil, err
	}
	return Read(m), nil
}

// Read reads the signatures of a message.
func Read(m *cms.SignedData) []*Signature {
	out := make([]*Signature, len(m.Signers))
	for i, s := range m.Signers {
		out[i] = read(m, s, nil)
	}
	return out
}

// Verify checks the signature itself against the content; nil stands for that within the message.
func (s *Signature) Verify(content cms.Content, more ...*pki.Certificate) *cms.Facts {
	return s.Signer.Verify(content, more...)
}

// problem notes what could not be read.
func (s *Signature) problem(what string, err error) {
	if err != nil {
		s.Problems = append(s.Problems, fmt.Errorf("%w: %s: %w", ErrStructure, what, err))
	}
}
