package wss

import (
	"bytes"
	"cmp"
	"context"
	"crypto"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/klauspost/compress/gzip"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/xmldsig"
	"github.com/viadukt-eu/viadukt/trust/xmlenc"
	"github.com/viadukt-eu/viadukt/xmlcore/c14n"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Target is where one attachment goes, as the header of the message says.
type Target struct {
	ContentID  string
	Compressed bool      // gunzip on the way
	W          io.Writer // receives the octets while they arrive: nothing may be released before Open returns well
	MaxSize    int64     // of what is written to W; 0: no limit beyond that of the compression ratio
}

// OpenOptions say what is expected of a message.
type OpenOptions struct {
	Suites           []Suite // the sets of algorithms that are accepted
	RequireSigned    bool
	RequireEncrypted bool
	Keys             []*pki.Identity                                                         // recipients we are
	Known            func(TokenRef) []*pki.Certificate                                       // certificates of partners, for references that carry none
	Trust            func(leaf *pki.Certificate, path []*pki.Certificate, f TokenForm) error // judges the signer, before anything else is done
	Targets          []Target                                                                // one for every attachment that the header names, no others
	Parse            func(der []byte) (*pki.Certificate, error)                              // nil: pki.ParseCertificate; a place for a cache
	Signed           []dom.Node                                                              // header blocks that must be signed besides eb:Messaging and the Body
	MaxReferences    int                                                                     // default: the attachments and 100 more
	MinRSABits       int                                                                     // of the signer's key; default 2,048
}

// Opened is what was really protected and how.
type Opened struct {
	Signer          *pki.Certificate // nil: not signed
	SignerPath      []*pki.Certificate
	SignerToken     TokenForm
	SignatureMethod string
	References      []xmldsig.Reference // in the order of SignedInfo
	Encrypted       bool
	Parts           []OpenedPart // in the order of arrival
}

// OpenedPart tells of one attachment.
type OpenedPart struct {
	ContentID string
	MimeType  string // at the time of signing
	Size      int64  // octets written to the target
	Digested  string // "raw", "canonical" or "text": how its digest was formed, "" when it was not signed; "raw" with an XML type is a deviation
}

// Open checks and removes the security of a message [EU-AS4 1.4.2.6]. Parts may be nil for a message without
// attachments. On error nothing that was written to a target may be used.
func Open(ctx context.Context, env *ebms.Envelope, parts *ebms.MIMEReader, opt OpenOptions) (*Opened, error) {
	o := &opener{ctx: ctx, env: env, parts: parts, opt: opt, out: &Opened{}, sums: map[string][][]byte{}, expected: map[string]expectation{}}
	for i, t := range opt.Targets {
		if slices.ContainsFunc(opt.Targets[:i], func(o Target) bool { return o.ContentID == t.ContentID }) {
			return nil, fmt.Errorf("%w: the header names attachment %q twice", ErrPart, t.ContentID)
		}
	}
	if !env.Security.Valid() {
		if opt.RequireSigned || opt.RequireEncrypted {
			return nil, fmt.Errorf("%w: the message carries no security", ErrPolicy)
		}
		return o.finish()
	}
	o.ids = xmldsig.IndexIDs(env.Doc, xmldsig.IDPolicy{})
	if err := o.readHeader(); err != nil {
		return nil, err
	}
	if o.signature.Valid() {
		if err := o.verify(); err != nil {
			return nil, err
		}
	} else if opt.RequireSigned {
		return nil, fmt.Errorf("%w: the message is not signed", ErrPolicy)
	}
	return o.finish()
}

func (o *opener) finish() (*Opened, error) {
	if err := o.drain(); err != nil {
		return nil, err
	}
	if o.gunzip != nil {
		return nil, o.gunzip
	}
	return o.out, nil
}

type expectation struct {
	method string
	digest []byte
}

type opener struct {
	ctx   context.Context
	env   *ebms.Envelope
	parts *ebms.MIMEReader
	opt   OpenOptions
	out   *Opened
	ids   *xmldsig.IDIndex

	signature dom.Node
	keys      []*xmlenc.EncryptedKey
	data      map[string]*xmlenc.EncryptedData // by content id
	session   map[*xmlenc.EncryptedKey][]byte
	expected  map[string]expectation // what the signature says of an attachment
	sums      map[string][][]byte    // what arrived
	gunzip    error                  // a part was no gzip: reported once the rest holds
	kept      KeptDigests            // instead of what arrives
}

// readHeader takes wsse:Security apart: one signature, keys before the data that they open.
func (o *opener) readHeader() error {
	o.data, o.session = map[string]*xmlenc.EncryptedData{}, map[*xmlenc.EncryptedKey][]byte{}
	for e := range o.env.Security.Elements() {
		switch {
		case e.Is(nsDS, "Signature"):
			if o.signature.Valid() {
				return fmt.Errorf("%w: %w", ErrPolicy, e.Errorf("second signature"))
			}
			o.signature = e
		case e.Is(nsXEnc, "EncryptedKey"):
			k, err := xmlenc.ParseEncryptedKey(e)
			if err != nil {
				return fmt.Errorf("%w: %w", ErrDecryption, err)
			}
			o.keys = append(o.keys, k)
		case e.Is(nsXEnc, "EncryptedData"):
			d, err := xmlenc.ParseEncryptedData(e)
			if err != nil {
				return fmt.Errorf("%w: %w", ErrDecryption, err)
			}
			cid := contentID(d.CipherReference)
			switch {
			case cid == "":
				return fmt.Errorf("%w: %w", ErrPolicy, e.Errorf("encrypts something other than an attachment"))
			case d.Type != "" && d.Type != contentOnly: // Attachment-Complete brings MIME headers along [AS4 5.1.5]
				return fmt.Errorf("%w: %w", ErrPolicy, e.Errorf("encrypts more than the content of an attachment: %q", d.Type))
			case slices.ContainsFunc(d.Transforms, func(t string) bool { return t != ciphertextTransform }):
				return fmt.Errorf("%w: %w", ErrPolicy, e.Errorf("must have the one transform for attachment ciphertext"))
			case !slices.ContainsFunc(o.opt.Targets, func(t Target) bool { return t.ContentID == cid }):
				return fmt.Errorf("%w: attachment %q is encrypted, but not named by the header", ErrPart, cid)
			}
			if o.data[cid] != nil {
				return fmt.Errorf("%w: %w", ErrPolicy, e.Errorf("second EncryptedData for attachment %q", cid))
			}
			o.data[cid] = d
		}
	}
	if o.opt.RequireEncrypted && len(o.opt.Targets) > 0 && len(o.data) == 0 {
		return fmt.Errorf("%w: the attachments are not encrypted", ErrPolicy)
	}
	return nil
}

// verify judges the signer first, then the signature value, then what it covers; attachments are read as they are asked for.
func (o *opener) verify() error {
	for ref := range o.signature.Child(nsDS, "SignedInfo").Elements() {
		if cid := contentID(ref.Attr("URI")); cid != "" && ref.Is(nsDS, "Reference") {
			if _, twice := o.expected[cid]; twice {
				return fmt.Errorf("%w: attachment %q is referenced twice", ErrPolicy, cid)
			}
			value, err := base64.StdEncoding.DecodeString(ref.Child(nsDS, "DigestValue").TrimmedText())
			if err != nil {
				return fmt.Errorf("%w: %w", ErrAuthentication, err)
			}
			o.expected[cid] = expectation{ref.Child(nsDS, "DigestMethod").Attr("Algorithm"), value}
		}
	}
	var methods, digests []string
	for _, s := range o.opt.Suites {
		methods = append(append(methods, s.SignatureMethod), s.AcceptSignatures...)
		digests = append(digests, s.DigestMethod)
	}
	digests = append(digests, xmldsig.SHA384, xmldsig.SHA512)
	res, err := xmldsig.Verify(o.signature, xmldsig.VerifyOptions{
		Key: o.signerKey, External: o.attachment, IDs: o.ids, Signatures: methods, Digests: digests,
		Transforms:        []string{c14n.Exclusive10, xmldsig.AttachmentContent},
		Canonicalizations: []string{c14n.Exclusive10}, MaxReferences: cmp.Or(o.opt.MaxReferences, len(o.opt.Targets)+100), MinRSABits: o.opt.MinRSABits,
	})
	if err != nil {
		for _, known := range []error{ErrDecryption, ErrPolicy, ErrPart, ErrSize, ErrAuthentication} {
			if errors.Is(err, known) {
				return err
			}
		}
		if isRead(err) {
			return err
		}
		return fmt.Errorf("%w: %w", ErrAuthentication, err)
	}
	o.out.SignatureMethod, o.out.References = res.SignatureMethod, res.References
	return o.covered(res)
}

// covered compares what was signed with what must be: by position in the envelope, never by id alone.
func (o *opener) covered(res *xmldsig.Result) error {
	signed := map[dom.Node]bool{}
	for _, r := range res.References {
		if !r.Node.Valid() {
			continue
		}
		if p := r.Node.Parent(); r.Node != o.env.Body && p != o.env.Header {
			return fmt.Errorf("%w: %w", ErrPolicy, r.Node.Errorf("signed, but neither a header block nor the Body"))
		}
		if len(r.Transforms) != 1 {
			return fmt.Errorf("%w: %w", ErrPolicy, r.Element.Errorf("must have the one transform exc-c14n"))
		}
		signed[r.Node] = true
	}
	if !signed[o.env.Messaging] || !signed[o.env.Body] {
		return fmt.Errorf("%w: eb:Messaging and S12:Body must both be signed [AS4 5.1.4]", ErrPolicy)
	}
	for _, n := range o.opt.Signed {
		if !signed[n] {
			return fmt.Errorf("%w: %w", ErrPolicy, n.Errorf("must be signed"))
		}
	}
	for _, t := range o.opt.Targets {
		if _, ok := o.expected[t.ContentID]; !ok {
			return fmt.Errorf("%w: attachment %q is not signed [AS4 5.1.5]", ErrPolicy, t.ContentID)
		}
	}
	return nil
}

func (o *opener) parse(der []byte) (*pki.Certificate, error) {
	if o.opt.Parse != nil {
		return o.opt.Parse(der)
	}
	return pki.ParseCertificate(der)
}

// signerKey finds the signer's certificate and asks for trust in it before its key is used.
func (o *opener) signerKey(keyInfo dom.Node, _ string) (crypto.PublicKey, error) {
	ref, err := o.readToken(keyInfo)
	if err != nil {
		return nil, err
	}
	path := ref.Certificates
	if len(path) == 0 && o.opt.Known != nil {
		path = o.opt.Known(ref)
	}
	if len(path) == 0 {
		return nil, fmt.Errorf("%w: the signer's certificate is neither sent nor known", ErrAuthentication)
	}
	if o.opt.Trust == nil {
		return nil, fmt.Errorf("%w: no trust is configured", ErrAuthentication)
	}
	if err := o.opt.Trust(path[0], path[1:], ref.Form); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAuthentication, err)
	}
	o.out.Signer, o.out.SignerPath, o.out.SignerToken = path[0], path[1:], ref.Form
	return path[0].PublicKey, nil
}

// attachment answers the digest of one attachment, reading on in the MIME message until it has come.
func (o *opener) attachment(uri string, transforms []xmldsig.Transform, _ string) ([]byte, error) {
	cid := contentID(uri)
	if cid == "" {
		return nil, fmt.Errorf("%w: reference to %q", ErrPolicy, uri)
	}
	if len(transforms) != 1 || transforms[0].Algorithm != xmldsig.AttachmentContent {
		return nil, fmt.Errorf("%w: attachment %q must have the one content transform", ErrPolicy, cid)
	}
	if !slices.ContainsFunc(o.opt.Targets, func(t Target) bool { return t.ContentID == cid }) {
		return nil, fmt.Errorf("%w: attachment %q is signed, but not named by the header", ErrPart, cid)
	}
	if o.kept != nil {
		return o.keptDigest(cid)
	}
	for o.sums[cid] == nil {
		more, err := o.next()
		if err != nil {
			return nil, err
		}
		if !more {
			return nil, fmt.Errorf("%w: attachment %q is not in the message", ErrPart, cid)
		}
	}
	want := o.expected[cid].digest
	for i, sum := range o.sums[cid] {
		if bytes.Equal(sum, want) {
			if i > 0 {
				o.part(cid).Digested = "raw"
			}
			return sum, nil
		}
	}
	return o.sums[cid][0], nil
}

func (o *opener) part(cid string) *OpenedPart {
	i := slices.IndexFunc(o.out.Parts, func(p OpenedPart) bool { return p.ContentID == cid })
	return &o.out.Parts[i]
}

// drain reads what no reference asked for: nothing may be left that the header does not name.
func (o *opener) drain() error {
	for {
		more, err := o.next()
		if err != nil {
			return err
		}
		if !more {
			break
		}
	}
	for _, t := range o.opt.Targets {
		if o.sums[t.ContentID] == nil {
			return fmt.Errorf("%w: attachment %q is not in the message", ErrPart, t.ContentID)
		}
	}
	return nil
}

// next reads one MIME part: decrypt, digest, decompress, store, in one pass.
func (o *opener) next() (bool, error) {
	if o.parts == nil {
		return false, nil
	}
	p, err := o.parts.Next()
	if err == io.EOF {
		return false, nil
	}
	if err != nil {
		return false, readError{err}
	}
	i := slices.IndexFunc(o.opt.Targets, func(t Target) bool { return ebms.SameContentID(t.ContentID, p.ContentID) })
	if i < 0 {
		return false, fmt.Errorf("%w: part %q is not named by the header", ErrPart, p.ContentID)
	}
	cid := o.opt.Targets[i].ContentID
	if o.sums[cid] != nil {
		return false, fmt.Errorf("%w: two parts have the Content-ID %q", ErrPart, cid)
	}
	part := OpenedPart{ContentID: cid, MimeType: p.ContentType, Digested: "raw"}
	var in io.Reader = ctxReader{o.ctx, p}
	if d := o.data[cid]; d != nil {
		key, err := o.sessionKey(d)
		if err != nil {
			return false, err
		}
		if in, err = xmlenc.NewGCMReader(in, key); err != nil {
			return false, ErrDecryption
		}
		part.MimeType, o.out.Encrypted = d.MimeType, true
	} else if len(o.data) > 0 || o.opt.RequireEncrypted {
		return false, fmt.Errorf("%w: attachment %q is not encrypted", ErrDecryption, cid)
	}
	method := o.expected[cid].method
	if method == "" {
		method = xmldsig.SHA256
	}
	if !o.signature.Valid() { // nothing to compare a digest with, which may cost much memory
		if part.Size, err = o.store(in, o.opt.Targets[i]); err != nil {
			return false, err
		}
		o.sums[cid], part.Digested = [][]byte{{}}, ""
		o.out.Parts = append(o.out.Parts, part)
		return true, nil
	}
	digest, err := newContentDigest(part.MimeType, method)
	if err != nil {
		return false, err
	}
	n, err := o.store(io.TeeReader(in, digest), o.opt.Targets[i])
	if err != nil {
		return false, err
	}
	part.Size = n
	o.sums[cid] = digest.sums()
	switch digest.form {
	case formText:
		part.Digested = "text"
	case formXML:
		if digest.err == nil {
			part.Digested = "canonical"
		}
	}
	o.out.Parts = append(o.out.Parts, part)
	return true, nil
}

// store writes a part to its target. What is wrong with the compression is kept for later: a part that fails its
// signature is reported as that.
func (o *opener) store(in io.Reader, t Target) (int64, error) {
	if !t.Compressed {
		n, err := copyLimited(t.W, in, t.MaxSize, nil)
		if errors.Is(err, errTooLarge) {
			return n, fmt.Errorf("%w: attachment %q has more than %d octets", ErrSize, t.ContentID, t.MaxSize)
		}
		return n, classify(err)
	}
	packed := &countingReader{r: in}
	zr := gzipReaders.Get().(*gzip.Reader)
	defer gzipReaders.Put(zr)
	err := zr.Reset(packed)
	var n int64
	if err == nil {
		n, err = copyLimited(t.W, zr, t.MaxSize, packed)
	}
	if err != nil {
		if e := classify(err); !errors.Is(e, errContent) {
			return n, e
		}
		if o.gunzip == nil {
			o.gunzip = fmt.Errorf("%w: attachment %q: %w", ErrDecompression, t.ContentID, err)
		}
	}
	_, err = io.Copy(io.Discard, in) // to the tag, and the digest needs all of it
	return n, classify(err)
}

var (
	copyBuffers = sync.Pool{New: func() any { b := make([]byte, 32<<10); return &b }}
	gzipReaders = sync.Pool{New: func() any { return new(gzip.Reader) }}
)

var (
	errContent  = errors.New("content")
	errTooLarge = errors.New("expands beyond the limit")
	errBomb     = fmt.Errorf("expands more than %d times", maxRatio)
)

// What gzip may gain. Documents stay far below; a bomb comes close to the 1,032 that the format allows. Little things
// may be as regular as they like.
const (
	maxRatio  = 500
	freeRatio = 64 << 20 // octets, expanded
)

// ownError is our own matter, not the sender's: of a target or of the store of keys.
type ownError struct{ err error }

func (e ownError) Error() string { return e.err.Error() }
func (e ownError) Unwrap() error { return e.err }

// readError is the connection's or the MIME reader's.
type readError struct{ err error }

func (e readError) Error() string { return e.err.Error() }
func (e readError) Unwrap() error { return e.err }

func isRead(err error) bool {
	return errors.As(err, new(readError)) || errors.As(err, new(ownError))
}

// classify sorts an error of a copy: decryption, transport, store; the rest is the content's.
func classify(err error) error {
	switch {
	case err == nil || isRead(err):
		return err
	case errors.Is(err, xmlenc.ErrDecrypt), errors.Is(err, xmlenc.ErrTooLong):
		return ErrDecryption
	}
	return fmt.Errorf("%w: %w", errContent, err)
}

// countingReader tells how much was read.
type countingReader struct {
	r io.Reader
	n int64
}

func (c *countingReader) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	return n, err
}

// copyLimited copies and keeps apart whose error it was. packed is what r expands, if it does.
func copyLimited(w io.Writer, r io.Reader, limit int64, packed *countingReader) (int64, error) {
	pooled := copyBuffers.Get().(*[]byte)
	defer copyBuffers.Put(pooled)
	buf := *pooled
	var n int64
	for {
		k, err := r.Read(buf)
		if k > 0 {
			if n += int64(k); limit > 0 && n > limit {
				return n, errTooLarge
			}
			if packed != nil && n > freeRatio && n/maxRatio > packed.n {
				return n, errBomb
			}
			if _, err := w.Write(buf[:k]); err != nil {
				return n, ownError{err}
			}
		}
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

// ctxReader marks transport errors and ends with the context.
type ctxReader struct {
	ctx context.Context
	r   io.Reader
}

func (c ctxReader) Read(b []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, readError{err}
	}
	n, err := c.r.Read(b)
	if err != nil && err != io.EOF {
		err = readError{err}
	}
	return n, err
}

// sessionKey opens the key of one EncryptedData. All failures look alike: a wrong key shows at the tag.
func (o *opener) sessionKey(d *xmlenc.EncryptedData) ([]byte, error) {
	allowed := false
	for _, s := range o.opt.Suites {
		allowed = allowed || d.Algorithm == s.Data || slices.Contains(s.AcceptData, d.Algorithm)
	}
	size := xmlenc.KeySize(d.Algorithm)
	if size == 0 || !allowed {
		return nil, fmt.Errorf("%w: content encryption %q is not in the policy", ErrPolicy, d.Algorithm)
	}
	for _, k := range o.keys {
		if !slices.Contains(k.References, "#"+d.ID) && !o.pointsTo(d.KeyInfo, k.ID) {
			continue
		}
		if !slices.ContainsFunc(o.opt.Suites, func(s Suite) bool { return alike(s.Transport, k.Transport) }) {
			return nil, fmt.Errorf("%w: key transport is not in the policy", ErrPolicy)
		}
		if s := o.session[k]; len(s) == size {
			return s, nil
		}
		ref, err := o.readToken(k.RecipientInfo)
		if err != nil {
			return nil, err
		}
		for _, id := range o.opt.Keys {
			if !ref.Matches(id.Certificate) {
				continue
			}
			s, err := k.Decrypt(id.Key, size, nil)
			switch {
			case err == nil:
			case errors.Is(err, xmlenc.ErrDecrypt), errors.Is(err, xmlenc.ErrAlgorithm), errors.Is(err, xmlenc.ErrStructure):
				return nil, ErrDecryption
			default:
				return nil, ownError{err} // the key is out of reach
			}
			o.session[k] = s
			return s, nil
		}
	}
	return nil, ErrDecryption
}

// alike says whether a key came the way that the policy names. The forms of RSA-OAEP count as one: older peers leave out
// MGF or DigestMethod [EU-AS4 1.4.2.6].
func alike(policy, got xmlenc.Transport) bool {
	if policy.Algorithm != "" {
		return got.Algorithm != ""
	}
	return policy.Agreement == got.Agreement && policy.KDF == got.KDF
}

// pointsTo says whether an EncryptedData's KeyInfo names the EncryptedKey of this id.
func (o *opener) pointsTo(keyInfo dom.Node, id string) bool {
	if !keyInfo.Valid() || id == "" {
		return false
	}
	for e := range keyInfo.Descendants() {
		if u := e.Attr("URI"); u == "#"+id {
			return true
		}
	}
	return false
}

// contentID returns the id in a cid URI, percent-decoded, or "" [RFC 2392].
func contentID(uri string) string {
	id, _ := ebms.ContentIDFromURL(uri)
	return id
}
