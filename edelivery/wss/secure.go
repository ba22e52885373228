package wss

import (
	"crypto"
	"crypto/rand"
	"fmt"
	"io"
	"strconv"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/xmldsig"
	"github.com/viadukt-eu/viadukt/trust/xmlenc"
	"github.com/viadukt-eu/viadukt/xmlcore/c14n"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Draft is a SOAP envelope without security. Each of its signed blocks is written in its own exclusive canonical form
// (see [ebms.Layout]), so that it is digested as it stands: no parse, no second serialisation.
type Draft struct {
	Octets   []byte
	Security int // where wsse:Security goes, in octets
	Signed   []SignedBlock
}

// SignedBlock is a header block, or the Body, that the signature covers.
type SignedBlock struct {
	ID   string // its wsu:Id
	Span ebms.Span
}

// NewDraft writes an envelope whose eb:Messaging and Body will be signed. The suffix makes their ids unique.
func NewDraft(m *ebms.Messaging, suffix string) Draft {
	return NewDraftWith(m, suffix, ebms.Blocks{})
}

// NewDraftWith is NewDraft with further blocks, for example a S12:Fault in the Body.
func NewDraftWith(m *ebms.Messaging, suffix string, b ebms.Blocks) Draft {
	ids := ebms.EnvelopeIDs{Messaging: "msg-" + suffix, Body: "body-" + suffix}
	w := dom.NewWriter(make([]byte, 0, 4<<10))
	l := ebms.WriteEnvelopeWith(w, m, ids, b)
	return Draft{Octets: w.Bytes(), Security: l.Security, Signed: []SignedBlock{{ids.Messaging, l.Messaging}, {ids.Body, l.Body}}}
}

// Content is one attachment as it is signed: compressed if it is to travel compressed.
type Content struct {
	ContentID string // without angle brackets
	MimeType  string // type of these octets: application/gzip when compressed
	Size      int64
	Digest    []byte // by DigestContent, or the raw digest where the type digests raw
	Open      func() (io.ReadCloser, error)
}

// SecureOptions say how a message is protected.
type SecureOptions struct {
	Suite     Suite
	Sign      *pki.Identity    // nil: not signed
	Recipient *pki.Certificate // whose key encrypts; nil: not encrypted
	Path      []*pki.Certificate
	ID        string    // suffix of the ids in the header, an NCName tail; equal for every attempt of a message
	Rand      io.Reader // nil: crypto/rand
}

// Secured is a message ready to travel.
type Secured struct {
	Envelope   []byte
	Parts      []SecuredPart
	References []SignedReference // what was signed, for the check of the receipt
}

// SignedReference is one digest of the signature that was made.
type SignedReference struct {
	URI    string
	Digest []byte
}

// SecuredPart is one attachment as it travels.
type SecuredPart struct {
	ContentID   string
	ContentType string
	Length      int64
	content     Content
	key         []byte
	iv          [12]byte
}

var exclusive = c14n.Method{Algorithm: c14n.Exclusive10}

// Secure signs and encrypts. It digests the envelope's parts itself and takes the digests of the attachments as given.
func Secure(d Draft, contents []Content, opt SecureOptions) (*Secured, error) {
	if opt.Rand == nil {
		opt.Rand = rand.Reader
	}
	out := &Secured{Parts: make([]SecuredPart, len(contents))}
	for i, c := range contents {
		out.Parts[i] = SecuredPart{ContentID: c.ContentID, ContentType: c.MimeType, Length: c.Size, content: c}
	}
	if opt.Sign == nil && opt.Recipient == nil {
		out.Envelope = d.Octets
		return out, nil
	}
	// The header is written where it stays: behind the octets in front of it, with room for those that follow.
	w := dom.NewWriter(append(make([]byte, 0, len(d.Octets)+10<<10), d.Octets[:d.Security]...))
	w.Start("wsse:Security", "xmlns:wsse", NamespaceWSSE, "xmlns:wsu", NamespaceWSU, "xmlns:S12", nsS12, "S12:mustUnderstand", "true")
	if opt.Recipient != nil && len(contents) > 0 {
		if err := encrypt(w, out, opt); err != nil {
			return nil, err
		}
	}
	if opt.Sign != nil {
		if err := sign(w, d, contents, out, opt); err != nil {
			return nil, err
		}
	}
	w.End()
	out.Envelope = append(w.Bytes(), d.Octets[d.Security:]...)
	return out, nil
}

// encrypt writes the key and one EncryptedData an attachment, last attachment first, as WSS4J does.
func encrypt(w *dom.Writer, out *Secured, opt SecureOptions) error {
	size := xmlenc.KeySize(opt.Suite.Data)
	if size == 0 {
		return fmt.Errorf("%w: content encryption %q", ErrPolicy, opt.Suite.Data)
	}
	key := make([]byte, size)
	if _, err := io.ReadFull(opt.Rand, key); err != nil {
		return err
	}
	if err := nameable(opt.Suite.EncryptToken, opt.Recipient); err != nil {
		return err
	}
	token, ek := "enc-cert-"+opt.ID, "ek-"+opt.ID
	chain := append([]*pki.Certificate{opt.Recipient}, opt.Path...)
	writeToken(w, opt.Suite.EncryptToken, token, chain)
	refs := make([]string, len(out.Parts))
	for i := range refs {
		refs[i] = "#ed-" + strconv.Itoa(i+1) + "-" + opt.ID
	}
	err := xmlenc.WriteEncryptedKey(w, opt.Suite.Transport, opt.Recipient.PublicKey, key, xmlenc.EncryptedKeyOptions{
		ID: ek, References: refs, Rand: opt.Rand,
		Recipient: func(w *dom.Writer) { writeReference(w, opt.Suite.EncryptToken, token, opt.Recipient) },
	})
	if err != nil {
		return err
	}
	for i := len(out.Parts) - 1; i >= 0; i-- {
		p := &out.Parts[i]
		xmlenc.WriteEncryptedData(w, xmlenc.EncryptedData{
			ID: refs[i][1:], Type: contentOnly, MimeType: p.content.MimeType, Algorithm: opt.Suite.Data,
			CipherReference: "cid:" + p.ContentID, Transforms: []string{ciphertextTransform},
		}, func(w *dom.Writer) {
			w.Start("wsse:SecurityTokenReference", "xmlns:wsse", NamespaceWSSE, "xmlns:wsse11", NamespaceWSSE11, "wsse11:TokenType", encryptedKeyTokenURI)
			w.Start("wsse:Reference", "URI", "#"+ek)
			w.End()
			w.End()
		})
		p.key, p.Length, p.ContentType = key, p.content.Size+28, "application/octet-stream"
		if _, err := io.ReadFull(opt.Rand, p.iv[:]); err != nil {
			return err
		}
	}
	return nil
}

// sign writes the sender's token and the signature over header blocks, Body and attachments [AS4 5.1.4, 5.1.5].
func sign(w *dom.Writer, d Draft, contents []Content, out *Secured, opt SecureOptions) error {
	signer, ok := opt.Sign.Key.(crypto.Signer)
	if !ok {
		return fmt.Errorf("%w: the signing key cannot sign", ErrPolicy)
	}
	refs, err := references(d, contents, opt.Suite)
	if err != nil {
		return err
	}
	if err := nameable(opt.Suite.SignToken, opt.Sign.Certificate); err != nil {
		return err
	}
	token := "sig-cert-" + opt.ID
	chain := append([]*pki.Certificate{opt.Sign.Certificate}, opt.Sign.Chain...)
	writeToken(w, opt.Suite.SignToken, token, chain)
	sig, err := xmldsig.Sign(signer, refs, xmldsig.SignOptions{
		Rand: opt.Rand, SignatureMethod: opt.Suite.SignatureMethod, Canonicalization: exclusive, ID: "sig-" + opt.ID,
		KeyInfo: func(w *dom.Writer) { writeReference(w, opt.Suite.SignToken, token, opt.Sign.Certificate) },
	})
	if err != nil {
		return err
	}
	w.Raw(sig)
	out.References = signed(refs)
	return nil
}

// references digests what is signed: header blocks and Body here, attachments by the digests given.
func references(d Draft, contents []Content, suite Suite) ([]xmldsig.SignReference, error) {
	h, ok := xmldsig.DigestHash(suite.DigestMethod)
	if !ok {
		return nil, fmt.Errorf("%w: digest method %q", ErrPolicy, suite.DigestMethod)
	}
	refs := make([]xmldsig.SignReference, 0, len(contents)+len(d.Signed))
	for _, b := range d.Signed {
		sum := h.New()
		sum.Write(d.Octets[b.Span.From:b.Span.To])
		refs = append(refs, xmldsig.SignReference{
			URI: "#" + b.ID, Digest: sum.Sum(nil), DigestMethod: suite.DigestMethod, Transforms: []xmldsig.Transform{xmldsig.Canonicalize(exclusive)},
		})
	}
	for _, c := range contents {
		refs = append(refs, xmldsig.SignReference{
			URI: "cid:" + c.ContentID, Digest: c.Digest, DigestMethod: suite.DigestMethod,
			Transforms: []xmldsig.Transform{{Algorithm: xmldsig.AttachmentContent}},
		})
	}
	return refs, nil
}

func signed(refs []xmldsig.SignReference) []SignedReference {
	out := make([]SignedReference, len(refs))
	for i := range refs {
		out[i] = SignedReference{URI: refs[i].URI, Digest: refs[i].Digest}
	}
	return out
}

// References returns what [Secure] signs, without a key: for a receipt that comes long after the message was sent.
func References(d Draft, contents []Content, suite Suite) ([]SignedReference, error) {
	refs, err := references(d, contents, suite)
	if err != nil {
		return nil, err
	}
	return signed(refs), nil
}

// WriteTo streams the part as it travels: IV, ciphertext and tag when encrypted. [XMLENC11 5.2.4]
func (p *SecuredPart) WriteTo(w io.Writer) (int64, error) {
	r, err := p.content.Open()
	if err != nil {
		return 0, err
	}
	defer r.Close()
	if p.key == nil {
		return io.Copy(w, r)
	}
	g, err := xmlenc.NewGCMWriter(w, p.key, p.iv)
	if err != nil {
		return 0, err
	}
	n, err := io.Copy(g, r)
	if err != nil {
		return n, err
	}
	return n + 28, g.Close()
}
