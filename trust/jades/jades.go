// Package jades makes, extends and reads JSON advanced electronic signatures: ETSI TS 119 182-1 v1.2.1 (JAdES baseline levels B, T,
// LT and LTA) on JSON Web Signatures (RFC 7515, with the unencoded payloads of RFC 7797), in all three serialisations. For reading
// it knows also the extended forms.
//
// What is read are facts: what a signature says, which parts of it hold, what each time-stamp covers. Whether that makes it valid is
// judged elsewhere, with trust anchors, revocation and a policy.
//
// JSON is read strictly: a name that stands twice, octets that are no UTF-8, or anything behind the end are refused. What was signed
// or time-stamped keeps the octets that it came in.
//
// # Refused on purpose
//
// The algorithm "none" and keyed hashes, critical headers that are not understood [RFC 7515 4.1.11], an unencoded payload that is not
// critical [RFC 7797 6], and certificates by address (x5u, jku): nothing is fetched.
package jades

import (
	"crypto"
	"errors"
	"time"

	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/revocation"
	"github.com/viadukt-eu/viadukt/trust/tsp"
)

// What a signature can be refused for. Errors that match none of these come from the certificates or tokens beneath.
var (
	ErrStructure = errors.New("jades: not as the standard has it")
	ErrAlgorithm = errors.New("jades: algorithm not supported")
	ErrContent   = errors.New("jades: signed content is not at hand")
	ErrDigest    = errors.New("jades: content is not what was signed")
	ErrSignature = errors.New("jades: the value is not that of the signer's key")
	ErrCritical  = errors.New("jades: critical header that is not understood")
	ErrLevel     = errors.New("jades: the signature cannot be extended to this level")
)

// Serialization is one of the forms of a JWS [RFC 7515 7].
type Serialization string

// The serialisations. Only those in JSON have room for what makes levels above B.
const (
	Compact   Serialization = "compact"
	Flattened Serialization = "flattened"
	General   Serialization = "general"
)

// Message is a payload with its signatures.
type Message struct {
	Serialization Serialization
	Signatures    []*Signature

	payload  string   // as it stands in the message: base64url, or with b64 false the text itself
	detached bool     // it stands elsewhere
	further  []member // of the outermost object, which nobody signed
	known    *pki.Parsed
}

// Detached tells whether the payload stands elsewhere.
func (m *Message) Detached() bool { return m.detached }

// Signature is what one signature says. All of it is a claim until [Signature.Check] found it covered.
type Signature struct {
	Message *Message
	Parent  *Signature // of a counter-signature

	Algorithm    string // alg
	KeyID        string // kid
	Type         string // typ
	ContentType  string // cty
	Encoded      bool   // the payload is signed in base64url [RFC 7797 3]
	SigningTime  time.Time
	Certificates []*pki.Certificate // x5c, the signer's first
	Named        []CertificateReference
	Expires      time.Time // exp, zero where it is not stated; nothing here judges by it
	Policy       *Policy
	PolicyStore  *PolicyStore // sigPSt, of the unsigned header
	Place        *Place
	Roles        []string // claimed
	Certified    [][]byte // attribute certificates, DER
	Commitments  []Commitment
	Objects      *Objects // sigD
	Critical     []string // crit

	TimeStamps        []*TimeStamp // those in the protected header first, then the others in their order
	CounterSignatures []*Signature
	Material          revocation.Material // of the unsigned header, whoever it concerns

	// Unreadable says what of the certificates and of the unsigned header could not be read: it counts as absent.
	Unreadable []error
	// Faults are what in the protected header is against the standard, but leaves no doubt about what was signed.
	Faults []error
	// CriticalErr says that the header demands to be understood where it is not: such a signature is invalid [RFC 7515 4.1.11].
	CriticalErr error

	protected string // base64url
	text      string // signature value, base64url
	value     []byte
	header    value
	unsigned  []property
	// unprotected are the members of the unprotected header beside etsiU, further those of the signature's object.
	unprotected, further []member

	counts map[string]int // of unsigned properties by name
	// criticalFaults counts what of Faults is about crit.
	criticalFaults int

	own bool // a counter-signature that holds its payload, which must be the parent's value
}

// CertificateReference names a certificate by its digest.
type CertificateReference struct {
	Algorithm string      // as it is written
	Hash      crypto.Hash // 0 where unknown
	Digest    []byte
}

// Policy is the signature policy that the signer claims to have followed [TS 119 182-1 5.2.7].
type Policy struct {
	ID          string // URI, an OID as URN
	Description string
	Algorithm   string // of the digest, as it is written
	Digest      []byte // nil where not stated
	URI         string // spURI
	Notice      string // explicit text of spUserNotice
	// Specification says how the document is to be read: spDSpec.
	Specification string
}

// PolicyStore is the policy document or where it is, beside the signature [TS 119 182-1 5.3.3].
type PolicyStore struct {
	Document      []byte
	URI           string
	Specification string
}

// Place is where the signer claims to have signed [TS 119 182-1 5.2.4].
type Place struct{ Street, City, Region, PostalCode, PostBox, Country string }

// Commitment is what the signer binds itself to, by URI [TS 119 182-1 5.2.3].
type Commitment struct{ ID, Description string }

// Mechanism says how sigD names what is signed [TS 119 182-1 5.2.8].
type Mechanism string

// The mechanisms.
const (
	HTTPHeaders Mechanism = "http://uri.etsi.org/19182/HttpHeaders"
	ByURI       Mechanism = "http://uri.etsi.org/19182/ObjectIdByURI"
	ByURIHash   Mechanism = "http://uri.etsi.org/19182/ObjectIdByURIHash"
)

// Objects is sigD: content that stands elsewhere.
type Objects struct {
	Mechanism    Mechanism
	Names        []string // pars: URIs, or names of HTTP fields
	Algorithm    string   // hashM
	Hash         crypto.Hash
	Digests      [][]byte // hashV
	ContentTypes []string
}

// Kind says what a time-stamp covers.
type Kind string

// The kinds of time-stamps, named as their members are [TS 119 182-1 5.2.6, 5.3].
const (
	ContentTimeStamp   Kind = "adoTst"
	SignatureTimeStamp Kind = "sigTst"
	SigAndRefs         Kind = "sigRTst"
	RefsOnly           Kind = "rfsTst"
	Archive            Kind = "arcTst"
)

// TimeStamp is one time-stamp token. Those that stand in one member have the same Property.
type TimeStamp struct {
	Kind     Kind
	Property int        // index among the unsigned properties, -1 in the protected header
	Token    *tsp.Token // nil where Err
	Err      error

	canonical string // canonAlg
}

// CanonicalJSON is the identifier of the JSON Canonicalization Scheme [RFC 8785].
const CanonicalJSON = "http://json-canonicalization.org/algorithm"
