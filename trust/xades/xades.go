// Package xades makes, extends and reads XML advanced electronic signatures: ETSI EN 319 132-1 v1.3.1 (XAdES baseline levels
// B, T, LT and LTA), and for reading also the extended forms of EN 319 132-2 and the older namespaces 1.1.1 and 1.2.2.
//
// What is read are facts: what a signature says, which parts of it hold, what each time-stamp covers. Whether that makes it
// valid is judged elsewhere, with trust anchors, revocation and a policy.
//
// Nothing that is there is ever written anew: a signature is extended by octets inserted into the document, so what was
// signed or time-stamped before keeps its form.
package xades

import (
	"errors"
	"time"

	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/xmlcore/c14n"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Namespaces [EN 319 132-1 4.2].
const (
	Namespace    = "http://uri.etsi.org/01903/v1.3.2#"
	Namespace141 = "http://uri.etsi.org/01903/v1.4.1#"
	namespace111 = "http://uri.etsi.org/01903/v1.1.1#"
	namespace122 = "http://uri.etsi.org/01903/v1.2.2#"
	namespaceERS = "http://uri.etsi.org/19132/v1.1.1#" // SealingEvidenceRecords
)

// Types of references [EN 319 132-1 4.4.2, 5.2.7.2]. The first had the version in its URI once.
const (
	TypeSignedProperties     = "http://uri.etsi.org/01903#SignedProperties"
	TypeCountersignature     = "http://uri.etsi.org/01903#CountersignedSignature"
	typeSignedPropertiesV111 = "http://uri.etsi.org/01903/v1.1.1#SignedProperties"
	typeSignedPropertiesV122 = "http://uri.etsi.org/01903/v1.2.2#SignedProperties"
	typeSignedPropertiesV132 = "http://uri.etsi.org/01903/v1.3.2#SignedProperties"
	maxProperty              = 16 << 20 // octets of one decoded value: revocation lists are large
	maxCertificates          = 1000     // in the properties of one signature
	maxTimeStamps            = 1000
	maxManifests             = 16 // that are followed
)

// What a signature can be refused for. Errors that match none of these come from the XML or the certificates beneath.
var (
	ErrStructure = errors.New("xades: properties are not as the standard has them")
	ErrContent   = errors.New("xades: signed content is not at hand")
	ErrNeighbour = errors.New("xades: no signature can stand beside another")
	ErrLevel     = errors.New("xades: the signature cannot be extended to this level")
)

// Signature is what a ds:Signature and its properties say. All of it is a claim until [Signature.Check] found it covered.
type Signature struct {
	Node       dom.Node // ds:Signature
	ID         string
	Value      dom.Node // ds:SignatureValue
	Properties dom.Node // QualifyingProperties; zero where the signature has none
	Signed     dom.Node // SignedProperties
	Unsigned   dom.Node // UnsignedSignatureProperties
	Namespace  string   // of the properties
	Target     string   // of QualifyingProperties

	SigningTime  time.Time // zero where it is not claimed
	Certificates []CertificateReference
	Policy       *Policy
	Place        *Place
	Roles        []string // claimed
	Formats      []DataObjectFormat
	Commitments  []Commitment

	TimeStamps        []*TimeStamp // in document order
	CounterSignatures []dom.Node   // ds:Signature elements in CounterSignature properties: see [Signature.Counter]
	Material          Material     // of the unsigned properties, whoever it concerns
	EvidenceRecords   []EvidenceRecord

	// Unreadable says which unsigned properties, and which parts of them, could not be read: they count as absent.
	Unreadable []error

	known  *pki.Parsed    // remembers certificates; may be nil
	before []extent       // of each unsigned property
	parent *Signature     // that this one counter-signs
	counts map[string]int // of properties by local name
}

// extent is how much of the material stands before an unsigned property.
type extent struct {
	property           dom.Node
	certs, crls, ocsps int
}

// CertificateReference names a signing certificate by its digest [EN 319 132-1 5.2.2].
type CertificateReference struct {
	DigestMethod string
	Digest       []byte
	IssuerSerial []byte // DER of IssuerSerial, version 2
	Issuer       string // RFC 2253 name, version 1
	Serial       string // decimal, version 1
	V2           bool
	URI          string
}

// Policy is the signature policy that the signer claims to have followed [EN 319 132-1 5.2.9].
type Policy struct {
	Implied      bool
	ID           string // OID or URI
	Qualifier    string // "OIDAsURN" or "OIDAsURI"
	Description  string
	DigestMethod string
	Digest       []byte
	URI          string // SPURI
	Notice       string // text of SPUserNotice
}

// Place is where the signer claims to have signed [EN 319 132-1 5.2.5].
type Place struct{ City, Street, State, PostalCode, Country string }

// DataObjectFormat describes a signed data object [EN 319 132-1 5.2.4]. Reference is the value of its ObjectReference.
type DataObjectFormat struct {
	Reference, Description, ObjectIdentifier, MimeType, Encoding string
}

// Commitment is what the signer binds itself to [EN 319 132-1 5.2.3]; it concerns all signed objects where References is
// empty.
type Commitment struct {
	ID, Description string
	References      []string
}

// Material is what is needed to judge a signature long after it was made, in DER.
type Material struct {
	Certificates []*pki.Certificate
	CRLs         [][]byte
	OCSPs        [][]byte // OCSPResponse
}

// Kind says what a time-stamp covers.
type Kind string

// The kinds of time-stamps, named as their elements are [EN 319 132-1 5].
const (
	AllDataObjects        Kind = "AllDataObjectsTimeStamp"
	IndividualDataObjects Kind = "IndividualDataObjectsTimeStamp"
	SignatureTimeStamp    Kind = "SignatureTimeStamp"
	SigAndRefs            Kind = "SigAndRefsTimeStamp"
	RefsOnly              Kind = "RefsOnlyTimeStamp"
	Archive               Kind = "ArchiveTimeStamp"
	archive132            Kind = "ArchiveTimeStamp/1.3.2"
	sigAndRefsV2          Kind = "SigAndRefsTimeStampV2"
	refsOnlyV2            Kind = "RefsOnlyTimeStampV2"
)

// EvidenceRecord is one record of a SealingEvidenceRecords property [TS 119 132-3 5]. It is not looked into here.
type EvidenceRecord struct {
	Property dom.Node
	Node     dom.Node // ers:EvidenceRecord; zero for one in ASN.1
	ASN1     []byte
}

// TimeStamp is one time-stamp property. Its tokens are not looked into here.
type TimeStamp struct {
	Kind             Kind
	Node             dom.Node
	ID               string
	Canonicalization c14n.Method
	Tokens           [][]byte // DER of TimeStampToken
	Include          []string // URIs of Include elements
	XML              bool     // it holds an XMLTimeStamp, which nobody reads
}
