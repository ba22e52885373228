package xmldsig

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/xmlcore/c14n"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// SignReference is one ds:Reference to make. Its digest is Digest where that is given, else that of Node without Except
// after the transforms.
type SignReference struct {
	URI, ID, Type string
	Anonymous     bool // write no URI attribute
	Node          dom.Node
	Except        []dom.Node
	Digest        []byte
	Transforms    []Transform // enveloped-signature takes nothing away here: name the signature in Except if it exists
	DigestMethod  string      // default SHA256
}

// SignOptions says how to sign. The zero value signs with the usual method for the key and exclusive canonicalisation.
type SignOptions struct {
	Rand             io.Reader   // default crypto/rand.Reader
	SignatureMethod  string      // default by key: RSASHA256, ECDSASHA256/384/512 by curve, Ed25519
	Canonicalization c14n.Method // of SignedInfo; default Exclusive10
	ID               string      // of ds:Signature
	ValueID          string      // of ds:SignatureValue
	Prefix           string      // default "ds"

	// InScope are the namespaces at the place where the signature will be inserted, prefix to URI. Inclusive
	// canonicalisation of SignedInfo takes all of them in, exclusive only those that its PrefixList names.
	InScope map[string]string

	KeyInfo func(w *dom.Writer) // writes the content of ds:KeyInfo; nil: no ds:KeyInfo
	Object  func(w *dom.Writer) // writes the ds:Object elements, if any; their digests are the caller's SignReferences
}

// Canonicalize returns the transform for a canonicalisation method.
func Canonicalize(m c14n.Method) Transform { return Transform{Algorithm: m.Algorithm, Method: m} }

// WithoutSignatures is the transform that takes all signatures out, so that further ones may stand beside this one: when
// signing, name those that are there in Except. Who verifies must allow expressions.
func WithoutSignatures() Transform { return Transform{Algorithm: XPath, signatures: true} }

// Sign returns a ds:Signature element, which declares the namespaces it uses. SignedInfo is written in canonical form
// and hashed as written, so the result can be inserted anywhere with exclusive canonicalisation, and where InScope holds
// with the inclusive ones. An inclusive canonicalisation would also take xml: attributes of the ancestors in: there
// must be none.
func Sign(key crypto.Signer, refs []SignReference, opt SignOptions) ([]byte, error) {
	if key == nil {
		return nil, ErrKey
	}
	p, err := Prepare(key.Public(), refs, opt)
	if err != nil {
		return nil, err
	}
	value, err := p.Value(key, opt.Rand)
	if err != nil {
		return nil, err
	}
	return p.complete(value), nil
}

// Prepared is a signature that only lacks its value: whoever holds the key may be elsewhere.
type Prepared struct {
	alg    *signatureAlg
	pub    crypto.PublicKey
	octets []byte // canonical SignedInfo
	body   int    // length of its start tag
	opt    SignOptions
	own    []byte // value that the key in this process made
}

// Prepare makes all of a signature for a key but its value. Rand of the options is not used.
func Prepare(pub crypto.PublicKey, refs []SignReference, opt SignOptions) (*Prepared, error) {
	alg, err := methodFor(pub, opt.SignatureMethod)
	if err != nil {
		return nil, err
	}
	if len(refs) == 0 {
		return nil, fmt.Errorf("%w: nothing to sign", ErrReference)
	}
	if opt.Prefix == "" {
		opt.Prefix = "ds"
	}
	if opt.Canonicalization.Algorithm == "" {
		opt.Canonicalization.Algorithm = c14n.Exclusive10
	}
	p := &Prepared{alg: alg, pub: pub, opt: opt}
	info := infoWriter{opt: &p.opt, name: opt.Prefix + ":", w: dom.NewWriter(make([]byte, 0, 512+512*len(refs)))}
	if p.body, err = info.write(alg, refs); err != nil {
		return nil, err
	}
	p.octets = info.w.Bytes()
	return p, nil
}

// ToBeSigned returns the canonical SignedInfo: the octets over which the value is made. They must not be changed.
func (p *Prepared) ToBeSigned() []byte { return p.octets }

// Value makes the value with a key that is at hand; random nil: crypto/rand.
func (p *Prepared) Value(key crypto.Signer, random io.Reader) ([]byte, error) {
	value, err := signOctets(key, p.alg, p.octets, random)
	if err != nil {
		return nil, fmt.Errorf("xmldsig: sign with %s: %w", p.alg.uri, err)
	}
	if pki.InProcess(key, p.pub) {
		p.own = value
	}
	return value, nil
}

// Complete returns the ds:Signature element with a value made elsewhere, in the form of [crypto.Signer]: for ECDSA a DER
// pair or r||s. A value that does not verify is refused with [ErrSignature].
func (p *Prepared) Complete(value []byte) ([]byte, error) {
	own := p.own != nil && bytes.Equal(value, p.own)
	if k, ok := p.pub.(*ecdsa.PublicKey); ok && len(value) != 2*((k.Curve.Params().N.BitLen()+7)/8) {
		var err error
		if value, err = joinPair(value, k); err != nil {
			return nil, err
		}
	}
	out := p.complete(value)
	if own {
		return out, nil
	}
	doc, err := dom.Parse(bytes.Clone(out), dom.Limits{})
	if err != nil {
		return nil, err
	}
	var check parsed
	named := VerifyOptions{AllowXPath: true}
	if p.opt.SignatureMethod != "" { // one that is accepted only where it is named
		named.Signatures = []string{p.opt.SignatureMethod}
	}
	if err := check.parse(doc.Root(), &named); err != nil {
		return nil, err
	}
	if err := check.verifyOctets(p.pub, value, p.octets, &named); err != nil {
		return nil, err
	}
	return out, nil
}

func (pr *Prepared) complete(value []byte) []byte {
	p, opt := pr.opt.Prefix+":", &pr.opt
	w := dom.NewWriter(make([]byte, 0, len(pr.octets)+2*len(value)+4096))
	attrs := append(make([]string, 0, 4), "xmlns:"+opt.Prefix, Namespace)
	w.Start(p+"Signature", appendAttr(attrs, "Id", opt.ID)...)
	w.Raw([]byte("<" + p + "SignedInfo>")) // what the canonical form declares here is in scope
	w.Raw(pr.octets[pr.body:])
	w.Start(p+"SignatureValue", appendAttr(nil, "Id", opt.ValueID)...)
	w.Base64(value)
	w.End()
	if opt.KeyInfo != nil {
		w.Start(p + "KeyInfo")
		opt.KeyInfo(w)
		w.End()
	}
	if opt.Object != nil {
		opt.Object(w)
	}
	w.End()
	return w.Bytes()
}

func appendAttr(attrs []string, name, value string) []string {
	if value == "" {
		return attrs
	}
	return append(attrs, name, value)
}

// infoWriter writes ds:SignedInfo in canonical form.
type infoWriter struct {
	opt  *SignOptions
	name string // prefix with colon
	w    *dom.Writer
	ec   bool // the prefix ec is rendered on SignedInfo for the namespace of ec:InclusiveNamespaces
}

// write returns how long the start tag is.
func (s *infoWriter) write(alg *signatureAlg, refs []SignReference) (body int, err error) {
	w, p := s.w, s.name
	attrs, err := s.namespaces()
	if err != nil {
		return 0, err
	}
	w.Start(p+"SignedInfo", attrs...)
	body = w.Len()
	s.method("CanonicalizationMethod", s.opt.Canonicalization)
	w.Element(p+"SignatureMethod", "", "Algorithm", alg.uri)
	for i := range refs {
		if err := s.reference(&refs[i]); err != nil {
			return 0, &ReferenceError{i, refs[i].URI, err}
		}
	}
	w.End()
	return body, nil
}

// namespaces returns the declarations that the canonical form shows on SignedInfo as the apex, sorted by prefix.
func (s *infoWriter) namespaces() ([]string, error) {
	m := s.opt.Canonicalization
	shown := map[string]string{s.opt.Prefix: Namespace}
	switch m.Algorithm {
	case c14n.Inclusive10, c14n.Inclusive10Comments, c14n.Inclusive11, c14n.Inclusive11Comments:
		maps.Copy(shown, s.opt.InScope)
	case c14n.Exclusive10, c14n.Exclusive10Comments:
		for _, p := range m.InclusivePrefixes {
			if p == "#default" {
				p = ""
			}
			if uri, ok := s.opt.InScope[p]; ok {
				shown[p] = uri
			}
		}
	default:
		return nil, fmt.Errorf("%w: canonicalization %q", ErrAlgorithm, m.Algorithm)
	}
	shown[s.opt.Prefix] = Namespace // ds:Signature declares it, whatever it means outside
	s.ec = shown["ec"] == exclusiveNS
	attrs := make([]string, 0, 2*len(shown))
	for _, p := range slices.Sorted(maps.Keys(shown)) {
		switch uri := shown[p]; {
		case p == "xml", uri == "":
		case p == "":
			attrs = append(attrs, "xmlns", uri)
		default:
			attrs = append(attrs, "xmlns:"+p, uri)
		}
	}
	return attrs, nil
}

// method writes a CanonicalizationMethod or Transform element.
func (s *infoWriter) method(local string, m c14n.Method) {
	s.w.Start(s.name+local, "Algorithm", m.Algorithm)
	if len(m.InclusivePrefixes) > 0 {
		list := strings.Join(m.InclusivePrefixes, " ")
		if s.ec {
			s.w.Element("ec:InclusiveNamespaces", "", "PrefixList", list)
		} else {
			s.w.Element("ec:InclusiveNamespaces", "", "xmlns:ec", exclusiveNS, "PrefixList", list)
		}
	}
	s.w.End()
}

func (s *infoWriter) reference(r *SignReference) error {
	method := r.DigestMethod
	if method == "" {
		method = SHA256
	}
	alg := digests[method]
	if alg == nil {
		return fmt.Errorf("%w: digest method %q", ErrAlgorithm, method)
	}
	digest, err := r.digest(alg)
	if err != nil {
		return err
	}
	attrs := appendAttr(make([]string, 0, 6), "Id", r.ID) // canonical order
	attrs = appendAttr(attrs, "Type", r.Type)
	if !r.Anonymous {
		attrs = append(attrs, "URI", r.URI)
	}
	w, p := s.w, s.name
	w.Start(p+"Reference", attrs...)
	if len(r.Transforms) > 0 {
		w.Start(p + "Transforms")
		for _, t := range r.Transforms {
			if t.signatures {
				w.Start(p+"Transform", "Algorithm", XPath)
				w.Element(p+"XPath", "not(ancestor-or-self::"+p+"Signature)")
				w.End()
				continue
			}
			s.method("Transform", t.method())
		}
		w.End()
	}
	w.Element(p+"DigestMethod", "", "Algorithm", method)
	w.Start(p + "DigestValue")
	w.Base64(digest)
	w.End()
	w.End()
	return nil
}

// method of a transform, where only the name matters for those that are no canonicalisations.
func (t *Transform) method() c14n.Method {
	return c14n.Method{Algorithm: t.Algorithm, InclusivePrefixes: t.Method.InclusivePrefixes}
}

func (r *SignReference) digest(alg *digestAlg) ([]byte, error) {
	if r.Digest != nil {
		if len(r.Digest) != alg.hash.Size() {
			return nil, fmt.Errorf("%w: %d octets where the method makes %d", ErrDigest, len(r.Digest), alg.hash.Size())
		}
		return r.Digest, nil
	}
	_, comments, same := fragment(r.URI)
	switch {
	case !r.Node.Valid() || !same:
		return nil, fmt.Errorf("%w: neither digest nor node", ErrReference)
	case (r.URI == "" || r.URI == "#xpointer(/)") != (r.Node.Kind() == dom.DocumentNode):
		return nil, fmt.Errorf("%w: the URI means another node", ErrReference)
	}
	transforms := make([]Transform, 0, len(r.Transforms))
	for _, t := range r.Transforms {
		if _, _, ok := canonicalization([]byte(t.Algorithm)); ok {
			t.Method = t.method()
		}
		if t.Algorithm != Enveloped && !t.signatures {
			transforms = append(transforms, t)
		}
	}
	h := alg.get()
	defer alg.put(h)
	var c chain
	d := data{nodes: nodes{apex: r.Node, except: r.Except, comments: comments}}
	if _, err := c.digest(h, d, transforms); err != nil {
		return nil, err
	}
	return h.Sum(nil), nil
}

// methodFor returns the signature method, the usual one for the key where none is asked for.
func methodFor(pub crypto.PublicKey, method string) (*signatureAlg, error) {
	if method == "" {
		switch k := pub.(type) {
		case *rsa.PublicKey:
			method = RSASHA256
		case ed25519.PublicKey:
			method = Ed25519
		case *ecdsa.PublicKey:
			switch bits := k.Curve.Params().N.BitLen(); {
			case bits > 384:
				method = ECDSASHA512
			case bits > 256:
				method = ECDSASHA384
			default:
				method = ECDSASHA256
			}
		}
	}
	alg := signatures[method]
	switch {
	case alg == nil:
		return nil, fmt.Errorf("%w: signature method %q", ErrAlgorithm, method)
	case alg.old:
		return nil, fmt.Errorf("%w: %s is only for the validation of old material", ErrAlgorithm, method)
	case !suits(pub, alg):
		return nil, fmt.Errorf("%w: %T for %s", ErrKey, pub, method)
	}
	return alg, nil
}

// signOctets signs the canonical SignedInfo.
func signOctets(key crypto.Signer, alg *signatureAlg, octets []byte, random io.Reader) ([]byte, error) {
	if random == nil {
		random = rand.Reader
	}
	if alg.kind == kindEd25519 || alg.kind == kindMLDSA {
		return key.Sign(random, octets, crypto.Hash(0)) // these sign the message itself
	}
	h := alg.digest.get()
	defer alg.digest.put(h)
	h.Write(octets)
	var buf [64]byte
	sum := h.Sum(buf[:0])
	if alg.kind == kindPSS {
		return key.Sign(random, sum, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: alg.digest.hash})
	}
	value, err := key.Sign(random, sum, alg.digest.hash)
	if err != nil || alg.kind != kindECDSA {
		return value, err
	}
	return joinPair(value, key.Public().(*ecdsa.PublicKey))
}

// joinPair turns the SEQUENCE { r, s } of crypto.Signer into r||s of fixed width [XMLDSIG 6.4.3].
func joinPair(der []byte, key *ecdsa.PublicKey) ([]byte, error) {
	value, err := pki.FixedPair(der, key)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return value, nil
}
