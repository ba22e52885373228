// Package cms reads, verifies, makes and extends signed messages: Cryptographic Message Syntax (RFC 5652), with the signing
// certificate attributes of RFC 5035, revocation information of RFC 5940 and the algorithms of RFC 4056, 5754, 8419 and 8702.
//
// It reads BER as it occurs, also with indefinite lengths, and keeps every part as the octets it came in: a message is
// extended by octets inserted, and what others signed or time-stamped in it keeps its form. Content of any size is read at
// constant memory: [Open] for files, [Read] for streams, [WriteAttached] for writing.
//
// [SignerInfo.Verify] answers with facts: which certificate's key made the signature, which digest covers the content, what is
// not as it should be. Trust, time and policy are judged elsewhere. What could not be read is never among the facts that hold.
//
// Enveloped, encrypted and authenticated data are not read.
package cms

import (
	"crypto"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"sync"

	"github.com/viadukt-eu/viadukt/trust/ber"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Types of content [RFC 5652 4, RFC 3161 2.4.2].
const (
	ContentData       pki.OID = "1.2.840.113549.1.7.1"
	ContentSignedData pki.OID = "1.2.840.113549.1.7.2"
	ContentTSTInfo    pki.OID = "1.2.840.113549.1.9.16.1.4"
)

// Attributes [RFC 5652 11, RFC 5035, RFC 6211].
const (
	AttrContentType          pki.OID = "1.2.840.113549.1.9.3"
	AttrMessageDigest        pki.OID = "1.2.840.113549.1.9.4"
	AttrSigningTime          pki.OID = "1.2.840.113549.1.9.5"
	AttrCounterSignature     pki.OID = "1.2.840.113549.1.9.6"
	AttrAlgorithmProtection  pki.OID = "1.2.840.113549.1.9.52"
	AttrSigningCertificate   pki.OID = "1.2.840.113549.1.9.16.2.12"
	AttrSigningCertificateV2 pki.OID = "1.2.840.113549.1.9.16.2.47"
)

// Formats of other revocation information [RFC 5940 2.1]; the second is older and holds a BasicOCSPResponse.
const (
	RevocationOCSP      pki.OID = "1.3.6.1.5.5.7.16.2"
	RevocationOCSPBasic pki.OID = "1.3.6.1.5.5.7.48.1.1"
)

// What a message can be refused for.
var (
	ErrFormat    = errors.New("cms: malformed")
	ErrType      = errors.New("cms: not signed data")
	ErrContent   = errors.New("cms: signed content is not at hand")
	ErrDigest    = errors.New("cms: content is not what was signed")
	ErrSignature = errors.New("cms: signature value is wrong")
	ErrAttribute = errors.New("cms: signed attributes are not as they must be")
	ErrSigner    = errors.New("cms: no certificate of the signer")
	ErrAlgorithm = errors.New("cms: algorithm is not supported or does not fit")
	ErrCovered   = errors.New("cms: the change would touch what is covered")
)

// Bounds of what is read from strangers.
const (
	maxSigners      = 100
	maxCertificates = 5000
	maxCandidates   = 8 // certificates tried for one signer
	maxAttributes   = 1000
	maxValues       = 1000
	maxCounter      = 8 // counter-signatures of counter-signatures
)

// SignedData is a signed message [RFC 5652 5.1]. What is reached from it is read-only, but for the methods that add.
type SignedData struct {
	Version          int
	DigestAlgorithms []Algorithm
	ContentType      pki.OID
	Detached         bool // no content within
	Certificates     []Certificate
	Revocation       []Revocation
	Signers          []*SignerInfo
	Known            *pki.Parsed // remembers certificates; may be nil

	fresh         bool   // made here, not read
	raw           []byte // the whole ContentInfo, where it is in memory; nil once changed
	rawAlgorithms []byte // SET OF, as read
	encap         octets // encapContentInfo, as read
	content       Content
	hasCerts      bool // [0] is there, though perhaps empty
	hasCRLs       bool
	rawCerts      []byte // [0] as read; nil once changed
	rawCRLs       []byte
}

// Algorithm is an AlgorithmIdentifier of a digest. Hash is 0 where it is one this package cannot compute.
type Algorithm struct {
	OID  pki.OID
	Hash crypto.Hash
	Raw  []byte
}

// Certificate is one element of the certificates. Of the other forms than X.509 [RFC 5652 10.2.2] and of what cannot be parsed
// only the octets are there.
type Certificate struct {
	Raw         []byte
	Certificate *pki.Certificate
	Err         error // why an X.509 certificate could not be parsed
}

// Revocation is one element of the revocation information: a list where Format is empty, or something else [RFC 5652 10.2.1].
type Revocation struct {
	Raw    []byte  // as it stands in the message
	Format pki.OID // of other information
	Value  []byte  // DER of the list, of the OCSPResponse or BasicOCSPResponse, or of another format
}

// OCSP reports whether the value is an OCSP response in either form.
func (r Revocation) OCSP() bool { return r.Format == RevocationOCSP || r.Format == RevocationOCSPBasic }

// SignerInfo is one signature [RFC 5652 5.3].
type SignerInfo struct {
	Raw                []byte // as read; nil once changed
	Version            int
	RawIssuer          []byte // with SerialNumber, one way to name the certificate
	Issuer             pki.Name
	SerialNumber       *big.Int
	SubjectKeyID       []byte // the other way
	DigestAlgorithm    Algorithm
	SignatureAlgorithm pki.SignatureAlgorithm // as it stands: a bare key algorithm has no scheme
	Signature          []byte
	Signed, Unsigned   []Attribute
	HasSigned          bool // signed attributes are there, though perhaps none

	// Fields are the encodings of version, sid, digestAlgorithm, signedAttrs, signatureAlgorithm and signature as they were read,
	// for those who hash them.
	Fields struct{ Version, SID, DigestAlgorithm, SignedAttributes, SignatureAlgorithm, Signature []byte }

	rawUnsigned []byte      // [1] as read; nil once changed
	message     *SignedData // nil for counter-signatures
	parent      *SignerInfo // of a counter-signature
}

// Attribute has one type and usually one value [RFC 5652 5.3].
type Attribute struct {
	Type   pki.OID
	Values [][]byte // each with tag and length
	Raw    []byte   // the whole attribute
}

// malformed wraps a cause with the rule of this package.
func malformed(where string, err error) error {
	return fmt.Errorf("%w: %s: %w", ErrFormat, where, err)
}

// Attr returns the first value of the first attribute of a type, nil where there is none.
func Attr(list []Attribute, t pki.OID) []byte {
	for i := range list {
		if list[i].Type == t && len(list[i].Values) > 0 {
			return list[i].Values[0]
		}
	}
	return nil
}

// Count returns how many attributes of a type are in a list.
func Count(list []Attribute, t pki.OID) (n int) {
	for i := range list {
		if list[i].Type == t {
			n++
		}
	}
	return n
}

// NewAttribute makes an attribute of values in DER, which are put into the order of a set.
func NewAttribute(t pki.OID, values ...[]byte) (Attribute, error) {
	values = slices.Clone(values)
	slices.SortStableFunc(values, compare)
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		pki.AddOID(b, t)
		b.AddASN1(asn1.SET, func(b *cryptobyte.Builder) {
			for _, v := range values {
				b.AddBytes(v)
			}
		})
	})
	raw, err := b.Bytes()
	if err != nil {
		return Attribute{}, fmt.Errorf("%w: attribute %s: %w", ErrFormat, t, err)
	}
	return Attribute{Type: t, Values: values, Raw: raw}, nil
}

// X509 returns the X.509 certificates of the message that could be parsed, in their order.
func (m *SignedData) X509() []*pki.Certificate {
	out := make([]*pki.Certificate, 0, len(m.Certificates))
	for _, c := range m.Certificates {
		if c.Certificate != nil {
			out = append(out, c.Certificate)
		}
	}
	return out
}

// known spares the conversion of the identifiers that nearly every message has.
var known = sync.OnceValue(func() map[string]pki.OID {
	m := map[string]pki.OID{}
	for _, o := range []pki.OID{
		ContentData, ContentSignedData, ContentTSTInfo, AttrContentType, AttrMessageDigest, AttrSigningTime, AttrCounterSignature,
		AttrAlgorithmProtection, AttrSigningCertificate, AttrSigningCertificateV2, RevocationOCSP, RevocationOCSPBasic,
		"1.2.840.113549.1.9.16.2.14", "0.4.0.1733.2.4", "0.4.0.19122.1.5", "1.2.840.113549.1.9.16.2.15",
	} {
		var b cryptobyte.Builder
		pki.AddOID(&b, o)
		m[string(b.BytesOrPanic()[2:])] = o
	}
	return m
})

func readOID(r *ber.Reader, what string) (pki.OID, ber.Element, error) {
	e, err := r.Read(asn1.OBJECT_IDENTIFIER, what)
	if err != nil {
		return "", e, err
	}
	if o, ok := known()[string(e.Content)]; ok {
		return o, e, nil
	}
	o, ok := pki.DecodeOID(e.Content)
	if !ok {
		return "", e, e.Errorf("%s is no object identifier", what)
	}
	return o, e, nil
}
