// Package gather reads signed documents of any format and gathers the facts that package validation judges: which signatures
// there are, what of each holds, the certificates and revocation data around them, and what each time-stamp proves.
//
// Nothing is fetched. What is not in the document or among the options is not there.
package gather

import (
	"bytes"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/viadukt-eu/viadukt/trust/asic"
	"github.com/viadukt-eu/viadukt/trust/jades"
	"github.com/viadukt-eu/viadukt/trust/pades"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/trustlist"
	"github.com/viadukt-eu/viadukt/trust/validation"
	"github.com/viadukt-eu/viadukt/trust/xades"
)

// Errors that match neither come from the format's reader.
var (
	ErrFormat      = errors.New("gather: no signed document of a known format")
	ErrNoSignature = errors.New("gather: the document holds no signature")
)

// Options are what is known beside the document.
type Options struct {
	Anchors      []*pki.Certificate // trusted
	Bound        []pki.Anchor       // trusted for their purposes alone: [pki.PurposeDocument], [pki.PurposeTime], [pki.PurposeRevocation]
	Lists        *trustlist.Set     // whose services are trusted, too, and say what is qualified; nil: none
	Certificates []*pki.Certificate // to build chains with
	CRLs         [][]byte           // DER
	OCSPs        [][]byte           // DER of OCSPResponse
	Documents    []xades.Document   // content that is signed and not in the document
	Records      [][]byte           // evidence records beside the document
	HTTP         *jades.HTTPMessage // whose fields a JWS signs

	// Signatures of certificates and revocation data that are remembered from one document to the next; nil: within one document only.
	Signatures *pki.SignatureCache
}

// Result is what a document holds.
type Result struct {
	Format     string          // "XAdES", "CAdES", "JAdES", "PAdES", "ASiC-S", "ASiC-E", "ODF"
	Container  *asic.Container // nil where it is none
	PDF        *pades.Document // nil where it is none
	Signatures []*Signature
	TimeStamps []*validation.TimeStamp // over the content of a container or a PDF document, by themselves
	Facts      *validation.Facts
	Lists      *trustlist.Set // of the options

	// Signers are the certificates of signers and time-stamping authorities, each once; Certificates all that are at hand, those
	// of the options included.
	Signers, Certificates []*pki.Certificate
}

// Signature is one signature with its facts.
type Signature struct {
	*validation.Signature
	Level       string
	Packaging   string // "enveloped", "enveloping", "detached", "attached"
	Certificate *pki.Certificate
	// Unreadable says what of the unsigned properties could not be read and counts as absent.
	Unreadable []error
	Changes    []pades.Change // of a PDF document after it was signed

	value  []byte   // that tells copies, nil where they are told otherwise
	inside []string // IDs of what it holds: certificates, revocation data

	originals func(limit int64) ([]Original, error) // nil: not handed out
}

// Open reads a document. XML, CMS in BER, DER, PEM or base64, JWS in any serialisation, PDF and containers are told by their first octets.
func Open(b []byte, opt Options) (*Result, error) {
	if len(opt.Records) > 0 {
		return opt.preserved(xades.Bytes("", "", b), func(o Options) (*Result, error) { return Open(b, o) })
	}
	if bytes.HasPrefix(b, []byte("PK")) {
		return openContainer(bytes.NewReader(b), int64(len(b)), opt)
	}
	if IsPDF(b) {
		return openPDF(bytes.NewReader(b), int64(len(b)), opt)
	}
	if isXML(b) {
		b = bytes.Clone(b) // the document of XML keeps it
	}
	return openBytes(b, opt)
}

func isXML(b []byte) bool {
	return bytes.HasPrefix(withoutSpace(b), []byte("<")) || bytes.HasPrefix(b, []byte("\xff\xfe")) || bytes.HasPrefix(b, []byte("\xfe\xff"))
}

func withoutSpace(b []byte) []byte {
	return bytes.TrimLeft(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")), " \t\r\n")
}

// openBytes reads what is neither container nor PDF, and keeps b.
func openBytes(b []byte, opt Options) (*Result, error) {
	p := newPool(opt)
	text := withoutSpace(b)
	switch {
	case isXML(b):
		return openXML(b, p, opt)
	case jades.Recognise(text):
		return openJWS(text, p, opt)
	case bytes.HasPrefix(b, []byte{0x30}):
		return openMessage(b, p, opt)
	case bytes.HasPrefix(text, []byte("-----BEGIN")):
		if block, _ := pem.Decode(text); block != nil {
			return openMessage(block.Bytes, p, opt)
		}
	default:
		// National systems hand CMS on as bare base64.
		if der, err := base64.StdEncoding.DecodeString(string(bytes.Join(bytes.Fields(text), nil))); err == nil && len(der) > 0 && der[0] == 0x30 {
			return openMessage(der, p, opt)
		}
	}
	return nil, fmt.Errorf("%w: it begins with %.8q", ErrFormat, b[:min(len(b), 8)])
}

// IsPDF tells PDF by its header, which some put lines before; b need be no more than its first 1,024 octets [ISO 32000-1 7.5.2].
func IsPDF(b []byte) bool {
	b = b[:min(len(b), 1024)]
	if bytes.HasPrefix(b, []byte("<")) || bytes.HasPrefix(b, []byte{0x30}) {
		return false
	}
	return bytes.Contains(b, []byte("%PDF-"))
}

// maxDocument bounds, in octets, a document that must be held in memory. Containers and PDF may be larger.
const maxDocument = 256 << 20

// OpenAt reads a document of any size; of a container and of PDF only the signatures are held in memory.
func OpenAt(r io.ReaderAt, size int64, opt Options) (*Result, error) {
	if len(opt.Records) > 0 {
		whole := xades.Document{Open: func() (io.ReadCloser, error) { return io.NopCloser(io.NewSectionReader(r, 0, size)), nil }}
		return opt.preserved(whole, func(o Options) (*Result, error) { return OpenAt(r, size, o) })
	}
	var head [1024]byte
	n, _ := r.ReadAt(head[:], 0)
	switch {
	case bytes.HasPrefix(head[:n], []byte("PK")):
		return openContainer(r, size, opt)
	case IsPDF(head[:n]):
		return openPDF(r, size, opt)
	}
	if size > maxDocument {
		return nil, fmt.Errorf("%w: %d octets that are no container", ErrFormat, size)
	}
	b := make([]byte, size)
	if _, err := r.ReadAt(b, 0); err != nil && err != io.EOF {
		return nil, err
	}
	return openBytes(b, opt)
}

// facts begins those of a document.
func (o *Options) facts() *validation.Facts {
	f := &validation.Facts{Listed: o.Lists != nil}
	for _, p := range o.Lists.Missing() {
		f.Unread = append(f.Unread, p.Error())
	}
	return f
}

// add takes a signature into the result and gives it its certificate's chain.
func (r *Result) add(s *Signature, p *pool) {
	if s.Certificate != nil {
		s.Signer = p.certificate(s.Certificate)
		s.Chain = p.chain(s.Certificate)
		p.listed(s.Certificate)
		p.signers = append(p.signers, s.Certificate)
	}
	r.Signatures = append(r.Signatures, s)
	r.Facts.Signatures = append(r.Facts.Signatures, s.Signature)
}

// take notes the certificates that reading came upon.
func (r *Result) take(signers, all []*pki.Certificate) {
	for _, c := range signers {
		if !slices.ContainsFunc(r.Signers, c.Equal) {
			r.Signers = append(r.Signers, c)
		}
	}
	r.Certificates = append(r.Certificates, all...)
}

// oddAlgorithms gives names to identifiers of algorithms that are read and not computed.
var oddAlgorithms = strings.NewReplacer(
	"1.3.101.113", "Ed448 (1.3.101.113)", "1.0.10118.3.0.55", "WHIRLPOOL (1.0.10118.3.0.55)",
	"1.2.643.7.1.1.1.1", "GOST R 34.10-2012 (1.2.643.7.1.1.1.1)", "1.2.156.10197.1.501", "SM2 with SM3 (1.2.156.10197.1.501)",
	"2.16.840.1.101.3.4.3.17", "ML-DSA-44 (2.16.840.1.101.3.4.3.17)", "2.16.840.1.101.3.4.3.18", "ML-DSA-65 (2.16.840.1.101.3.4.3.18)", "2.16.840.1.101.3.4.3.19", "ML-DSA-87 (2.16.840.1.101.3.4.3.19)",
)

// oddDigests are digest methods of XML that are known by name and not computed [RFC 9231 2.1].
var oddDigests = map[string]string{
	"http://www.w3.org/2007/05/xmldsig-more#whirlpool": "WHIRLPOOL", "http://www.w3.org/2001/04/xmldsig-more#md2": "MD2",
}

// algorithmOf names an algorithm as policies do. A key that is not known has no size.
func algorithmOf(a pki.SignatureAlgorithm, signer *pki.Certificate) validation.Algorithm {
	out := validation.Algorithm{Digest: digestName(a.Hash)}
	switch a.Scheme {
	case pki.SchemeRSA:
		out.Encryption = "RSA"
	case pki.SchemeRSAPSS:
		out.Encryption = "RSASSA-PSS"
	case pki.SchemeECDSA:
		out.Encryption = "ECDSA"
	case pki.SchemeEd25519:
		out.Encryption, out.Digest = "EdDSA", "SHA512"
	case pki.SchemeDSA:
		out.Encryption = "DSA"
	default:
		out.Encryption = string(a.OID)
	}
	if signer != nil {
		out.Bits = pki.KeyBits(signer.PublicKey)
	}
	return out
}
