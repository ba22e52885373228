package jades

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/tsp"
	"github.com/viadukt-eu/viadukt/trust/xades"
)

// Params say how to sign. Signer and Time are required: the same parameters make the same octets to be signed, so that the two steps
// of signing elsewhere need share no state.
type Params struct {
	Serialization Serialization // default Compact
	Signer        *pki.Certificate
	Chain         []*pki.Certificate // further certificates for x5c
	Time          time.Time          // claimed, in seconds
	SigT          bool               // claim it by sigT, as signatures did before July 2025
	Hash          crypto.Hash        // default by key: that of its curve, otherwise SHA-256
	ReferenceHash crypto.Hash        // of the certificate and of detached content; default Hash
	PSS           bool

	// Detached leaves the content out. Mechanism says how sigD then names it; without one nothing does, and there is one document.
	Detached  bool
	Mechanism Mechanism
	HTTP      *HTTPMessage // for HTTPHeaders
	Fields    []string     // of HTTP, in the order in which they are signed
	Raw       bool         // b64 false: content is signed as it is, not in base64url

	ContentType string // cty
	Policy      *Policy
	Place       *Place
	Roles       []string
	Commitments []Commitment
	TimeStamps  []*tsp.Token // content time-stamps, made before: see [StampContent]
}

// Pending is a signature that lacks its value.
type Pending struct {
	signature *Signature
	checked   *Checked // what writes the signing input
	algorithm algorithm
	params    Params
	signed    pki.SignatureAlgorithm
	input     []byte // that ToBeSigned made
	own       []byte // value that the key in this process made
}

// Prepare makes all of a signature at baseline level B but its value [TS 119 182-1 6].
func Prepare(documents []xades.Document, p Params) (*Pending, error) {
	if p.Serialization == "" {
		p.Serialization = Compact
	}
	m := &Message{Serialization: p.Serialization, detached: p.Detached}
	switch {
	case p.Mechanism != "" && !p.Detached:
		return nil, fmt.Errorf("%w: sigD is for detached content [TS 119 182-1 5.2.8]", ErrStructure)
	case p.Mechanism == HTTPHeaders && (p.HTTP == nil || len(p.Fields) == 0):
		return nil, fmt.Errorf("%w: no HTTP message or no fields of it", ErrContent)
	case p.Mechanism == "" && len(documents) != 1, p.Mechanism != "" && p.Mechanism != HTTPHeaders && len(documents) == 0:
		return nil, fmt.Errorf("%w: %d documents", ErrContent, len(documents))
	}
	if !p.Detached {
		var err error
		if m.payload, err = p.payload(&documents[0]); err != nil {
			return nil, err
		}
	}
	return p.prepare(m, nil, documents)
}

// PrepareCounter makes all of a counter-signature but its value [TS 119 182-1 5.3.2].
func PrepareCounter(of *Signature, p Params) (*Pending, error) {
	p.Serialization, p.Detached, p.ContentType, p.Mechanism = Compact, true, "", ""
	return p.prepare(&Message{Serialization: Compact, detached: true}, of, nil)
}

func (p *Params) prepare(m *Message, parent *Signature, documents []xades.Document) (*Pending, error) {
	switch {
	case p.Signer == nil || p.Signer.PublicKey == nil:
		return nil, fmt.Errorf("%w: no signing certificate with a key", ErrStructure)
	case p.Time.IsZero():
		return nil, fmt.Errorf("%w: no signing time", ErrStructure)
	}
	name, alg, err := p.algorithm()
	if err != nil {
		return nil, err
	}
	s := &Signature{Message: m, Parent: parent, Encoded: !p.Raw, counts: map[string]int{}}
	c := &Checked{Signature: s, documents: documents, http: p.HTTP}
	if p.Mechanism != "" {
		if s.Objects, err = p.objects(c); err != nil {
			return nil, err
		}
	}
	q := &Pending{signature: s, checked: c, algorithm: alg, params: *p}
	if q.signed, err = pki.SigningAlgorithm(p.Signer.PublicKey, alg.hash, p.PSS); err != nil {
		return nil, err
	}
	header, err := p.header(name, s)
	if err != nil {
		return nil, err
	}
	s.protected = encoded.EncodeToString(header)
	if s.header, err = parseJSON(header); err != nil {
		return nil, err
	}
	if err := s.readHeader(); err != nil {
		return nil, err
	}
	s.checkCritical(value{})
	return q, errors.Join(s.Faults...)
}

// payload is the content as it stands in the message.
func (p *Params) payload(d *xades.Document) (string, error) {
	var b bytes.Buffer
	s := &Signature{Encoded: !p.Raw}
	if err := s.encode(&b, func(w io.Writer) error { return copyDocument(w, d) }); err != nil {
		return "", err
	}
	if b.Len() == 0 {
		return "", fmt.Errorf("%w: an empty payload looks as if it stood elsewhere", ErrContent)
	}
	if p.Raw {
		for _, c := range b.Bytes() {
			if p.Serialization == Compact && (c < ' ' || c > '~' || c == '.') { // [RFC 7797 5.2]
				return "", fmt.Errorf("%w: %q in an unencoded payload of the compact form [RFC 7797 5.2]", ErrContent, c)
			}
		}
		if !utf8.Valid(b.Bytes()) {
			return "", fmt.Errorf("%w: an unencoded payload that is no UTF-8 [RFC 7797 5.3]", ErrContent)
		}
	}
	return b.String(), nil
}

// algorithm finds the name of the algorithm for the signer's key.
func (p *Params) algorithm() (string, algorithm, error) {
	want := algorithm{hash: p.Hash}
	switch k := p.Signer.PublicKey.(type) {
	case *rsa.PublicKey:
		want.scheme = pki.SchemeRSA
		if p.PSS {
			want.scheme = pki.SchemeRSAPSS
		}
		if want.hash == 0 {
			want.hash = crypto.SHA256
		}
	case *ecdsa.PublicKey:
		want.scheme, want.curve = pki.SchemeECDSA, k.Curve.Params().Name
		if want.hash == 0 {
			want.hash = map[string]crypto.Hash{"P-256": crypto.SHA256, "P-384": crypto.SHA384, "P-521": crypto.SHA512}[want.curve]
		}
	case ed25519.PublicKey:
		want.scheme, want.hash = pki.SchemeEd25519, 0
	}
	for name, a := range algorithms {
		if a == want && name != "Ed25519" { // EdDSA is what everybody reads
			return name, a, nil
		}
	}
	return "", want, fmt.Errorf("%w: no name for signing with a key of type %T and %s [RFC 7518 3.1]", ErrAlgorithm, p.Signer.PublicKey, want.hash)
}

// objects makes sigD. Digests are by the hash of the certificate's.
func (p *Params) objects(c *Checked) (*Objects, error) {
	o := &Objects{Mechanism: p.Mechanism}
	if o.Mechanism == HTTPHeaders {
		o.Names = p.Fields
		return o, nil
	}
	types := false
	for i := range c.documents {
		d := &c.documents[i]
		if d.Name == "" {
			return nil, fmt.Errorf("%w: a document without a name", ErrContent)
		}
		o.Names = append(o.Names, d.Name)
		o.ContentTypes = append(o.ContentTypes, d.MimeType)
		types = types || d.MimeType != ""
		if o.Mechanism != ByURIHash {
			continue
		}
		o.Hash, o.Algorithm = p.digest(), HashName(p.digest())
		h := o.Hash.New()
		if err := c.writeDocument(h, d); err != nil {
			return nil, err
		}
		o.Digests = append(o.Digests, h.Sum(nil))
	}
	if !types {
		o.ContentTypes = nil
	}
	return o, nil
}

// digest is the hash for digests within the header.
func (p *Params) digest() crypto.Hash {
	for _, h := range []crypto.Hash{p.ReferenceHash, p.Hash} {
		if h != 0 && HashName(h) != "" {
			return h
		}
	}
	return crypto.SHA256
}

// header writes the protected header.
func (p *Params) header(alg string, s *Signature) ([]byte, error) {
	w := &objectWriter{}
	w.text("alg", alg)
	typ := "jose"
	if p.Serialization != Compact {
		typ = "jose+json"
	}
	w.text("typ", typ)
	w.texts("cty", p.ContentType)
	h := p.digest().New()
	h.Write(p.Signer.Raw)
	sum := encoded.EncodeToString(h.Sum(nil))
	if p.digest() == crypto.SHA256 {
		w.text("x5t#S256", sum)
	} else {
		w.object("x5t#o", func() {
			w.text("digAlg", HashName(p.digest()))
			w.text("digVal", sum)
		})
	}
	w.array("x5c", func() {
		for _, c := range append([]*pki.Certificate{p.Signer}, p.Chain...) {
			w.item(base64.StdEncoding.EncodeToString(c.Raw))
		}
	})
	if p.SigT {
		w.text("sigT", p.Time.UTC().Format("2006-01-02T15:04:05Z"))
	} else {
		w.raw("iat", strconv.AppendInt(nil, p.Time.Unix(), 10))
	}
	p.claims(w)
	if len(p.TimeStamps) > 0 {
		w.object("adoTst", func() { w.tokens(p.TimeStamps...) })
	}
	var critical []string
	if p.Raw {
		w.raw("b64", []byte("false"))
		critical = append(critical, "b64")
	}
	if o := s.Objects; o != nil {
		critical = append(critical, "sigD")
		w.object("sigD", func() {
			w.text("mId", string(o.Mechanism))
			w.array("pars", func() { w.items(o.Names) })
			if o.Hash != 0 {
				w.text("hashM", o.Algorithm)
				w.array("hashV", func() {
					for _, d := range o.Digests {
						w.item(encoded.EncodeToString(d))
					}
				})
			}
			if o.ContentTypes != nil {
				w.array("ctys", func() { w.items(o.ContentTypes) })
			}
		})
	}
	if critical != nil {
		w.array("crit", func() { w.items(critical) })
	}
	return w.bytes()
}

func (p *Params) claims(w *objectWriter) {
	if len(p.Commitments) > 0 {
		w.array("srCms", func() {
			for _, c := range p.Commitments {
				w.itemObject(func() {
					w.object("commId", func() {
						w.text("id", c.ID)
						w.texts("desc", c.Description)
					})
				})
			}
		})
	}
	if l := p.Place; l != nil {
		w.object("sigPl", func() {
			w.texts("streetAddress", l.Street, "addressLocality", l.City, "addressRegion", l.Region, "postalCode", l.PostalCode,
				"postOfficeBoxNumber", l.PostBox, "addressCountry", l.Country)
		})
	}
	if len(p.Roles) > 0 {
		w.object("srAts", func() {
			w.array("claimed", func() {
				w.itemObject(func() {
					w.text("mediaType", "text/plain")
					w.text("encoding", "UTF-8")
					w.array("qVals", func() { w.items(p.Roles) })
				})
			})
		})
	}
	if x := p.Policy; x != nil {
		w.object("sigPId", func() {
			w.object("id", func() {
				w.text("id", x.ID)
				w.texts("desc", x.Description)
			})
			if x.Digest != nil {
				w.text("digAlg", x.Algorithm)
				w.text("digVal", encoded.EncodeToString(x.Digest))
			}
			if x.URI == "" && x.Notice == "" && x.Specification == "" {
				return
			}
			w.array("sigPQuals", func() {
				if x.URI != "" {
					w.itemObject(func() { w.text("spURI", x.URI) })
				}
				if x.Notice != "" {
					w.itemObject(func() { w.object("spUserNotice", func() { w.text("explText", x.Notice) }) })
				}
				if x.Specification != "" {
					w.itemObject(func() { w.object("spDSpec", func() { w.text("id", x.Specification) }) })
				}
			})
		})
	}
}

// ToBeSigned returns the octets whose signature is the value: the first step of signing elsewhere.
func (p *Pending) ToBeSigned() ([]byte, error) {
	if p.input != nil {
		return p.input, nil
	}
	var b bytes.Buffer
	b.Grow(len(p.checked.protected) + len(".") + len(p.checked.Message.payload))
	if err := p.checked.writeInput(&b); err != nil {
		return nil, err
	}
	p.input = b.Bytes()
	return p.input, nil
}

// Digest is the hash of ToBeSigned, which need not be held in memory for it. Ed25519 has none.
func (p *Pending) Digest() ([]byte, crypto.Hash, error) {
	if p.algorithm.hash == 0 {
		return nil, 0, fmt.Errorf("%w: Ed25519 signs octets, not their hash", ErrAlgorithm)
	}
	h := p.algorithm.hash.New()
	var err error
	if p.input != nil {
		h.Write(p.input)
	} else {
		err = p.checked.writeInput(h)
	}
	return h.Sum(nil), p.algorithm.hash, err
}

// Value computes the value with a key at hand, for ECDSA a DER pair. random nil is crypto/rand.
func (p *Pending) Value(random io.Reader, key pki.Key) ([]byte, error) {
	var in []byte
	var err error
	if p.algorithm.hash == 0 {
		in, err = p.ToBeSigned()
	} else {
		in, _, err = p.Digest()
	}
	if err != nil {
		return nil, err
	}
	value, err := p.signed.SignDigest(random, key, in)
	if err == nil && pki.InProcess(key, p.params.Signer.PublicKey) {
		p.own = value
	}
	return value, err
}

// complete puts the value in, and holds it against the certificate.
func (p *Pending) complete(value []byte) error {
	own := p.own != nil && bytes.Equal(value, p.own)
	if k, ok := p.params.Signer.PublicKey.(*ecdsa.PublicKey); ok && len(value) != 2*((k.Params().N.BitLen()+7)/8) {
		var err error
		if value, err = pki.FixedPair(value, k); err != nil {
			return err
		}
	}
	s := p.signature
	s.value, s.text = value, encoded.EncodeToString(value)
	if own {
		return nil
	}
	verify, err := p.checked.verifier(p.algorithm)
	if err != nil {
		return err
	}
	return verify(p.params.Signer.PublicKey)
}

// Complete makes the message, the second step, with a value made elsewhere: for ECDSA a DER pair or r||s. One that is not the
// signer's is refused with [ErrSignature].
func (p *Pending) Complete(value []byte) (*Message, error) {
	m := p.signature.Message
	if err := p.complete(value); err != nil {
		return nil, err
	}
	m.Signatures = []*Signature{p.signature}
	return m, nil
}

// Add puts the signature beside those of a message over the same content, which gets the general form.
func (p *Pending) Add(to *Message, value []byte) error {
	own := *p.signature.Message
	own.Signatures = []*Signature{p.signature}
	if err := to.joins(&own); err != nil {
		return err
	}
	if err := p.complete(value); err != nil {
		return err
	}
	return to.Join(&own)
}

func (m *Message) joins(other *Message) error {
	if other.payload != m.payload || other.detached != m.detached || len(m.Signatures)+len(other.Signatures) > maxSignatures {
		return fmt.Errorf("%w: the message has another payload", ErrContent)
	}
	encoded := other.Signatures[0].Encoded
	if slices.ContainsFunc(slices.Concat(m.Signatures, other.Signatures), func(s *Signature) bool { return s.Encoded != encoded }) {
		return fmt.Errorf("%w: b64 differs between signatures of one message [RFC 7797 3]", ErrStructure)
	}
	return nil
}

// Join puts the signatures of another message over the same content beside those of the message, which gets the general form.
func (m *Message) Join(other *Message) error {
	if err := m.joins(other); err != nil {
		return err
	}
	m.Serialization = General
	for _, s := range other.Signatures {
		s.Message = m
		m.Signatures = append(m.Signatures, s)
	}
	return nil
}

// AddCounter puts the counter-signature that was prepared into its signature.
func (p *Pending) AddCounter(value []byte) error {
	of := p.signature.Parent
	if of == nil {
		return fmt.Errorf("%w: no counter-signature", ErrStructure)
	}
	if err := p.complete(value); err != nil {
		return err
	}
	return of.addUnsigned("cSig", appendString(nil, p.signature.protected+".."+p.signature.text), false)
}

// Sign signs at baseline level B with a key at hand. random nil is crypto/rand.
func Sign(random io.Reader, id *pki.Identity, documents []xades.Document, p Params) (*Message, error) {
	p.Signer = id.Certificate
	if p.Chain == nil {
		p.Chain = id.Chain
	}
	q, err := Prepare(documents, p)
	if err != nil {
		return nil, err
	}
	value, err := q.Value(random, id.Key)
	if err != nil {
		return nil, err
	}
	return q.Complete(value)
}

// StampContent makes a content time-stamp for [Params], which say how the content will be signed [TS 119 182-1 5.2.6].
func StampContent(ctx context.Context, stamper tsp.Stamper, hash crypto.Hash, documents []xades.Document, p Params) (*tsp.Token, error) {
	q, err := Prepare(documents, p)
	if err != nil {
		return nil, err
	}
	h := hash.New()
	if err := q.checked.writePayload(h, true); err != nil {
		return nil, err
	}
	return stamper.Stamp(ctx, hash, h.Sum(nil))
}
