package xmldsig

import (
	"crypto"
	"crypto/ed25519"
	"crypto/subtle"
	"fmt"
	"io"
	"slices"

	"filippo.io/mldsa"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/xmlcore/c14n"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Examination is what a signature says and which parts of that hold. Unlike those of a [Result], its references may be
// broken: what Errs names proves nothing.
type Examination struct {
	Result
	// Scheme and Hash are those of the signature method; the hash is 0 for those that have none of their own.
	Scheme pki.Scheme
	Hash   crypto.Hash

	KeyErr   error   // there is no key, or none that may be used
	ValueErr error   // SignatureValue does not hold under PublicKey
	Errs     []error // of each reference, nil where its digest matches; matches [ErrReference] where it was not found

	sig dom.Node
	ids *IDIndex
}

// Intact reports whether everything holds, as it would for [Verify].
func (x *Examination) Intact() bool {
	if x.KeyErr != nil || x.ValueErr != nil {
		return false
	}
	for _, err := range x.Errs {
		if err != nil {
			return false
		}
	}
	return true
}

// Examine looks at one ds:Signature as [Verify] does, but goes on where something does not hold, to report on all of it. An
// error means that the element is no signature, or names an algorithm that is unknown or not allowed.
func Examine(sig dom.Node, opt VerifyOptions) (*Examination, error) {
	opt.examine = true
	var p parsed
	if err := p.parse(sig, &opt); err != nil {
		return nil, err
	}
	x := &Examination{sig: sig, ids: opt.IDs, Scheme: p.method.scheme()}
	if p.digest != nil {
		x.Hash = p.digest.hash
	}
	x.SignatureMethod, x.Canonicalization, x.KeyInfo, x.References = p.method.uri, p.canonical, p.keyInfo, p.refs
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	if x.Value, x.ValueErr = appendBase64(make([]byte, 0, 264), p.value, maxSignatureValue); x.ValueErr == nil {
		if x.PublicKey, x.Certificates, x.KeyErr = p.key(&opt); x.KeyErr == nil {
			x.ValueErr = p.verifyValue(x.PublicKey, x.Value, s, &opt)
		} else {
			x.ValueErr = x.KeyErr
		}
	}
	if x.ids == nil {
		x.ids = p.indexReferenced(opt.IDAttributes)
	}
	c := chain{sig: sig, budget: budgetPerNode*sig.Document().Len() + budgetBase}
	x.Errs = make([]error, len(p.refs))
	for i := range p.refs {
		r := &p.refs[i]
		if r.broken != nil {
			x.Errs[i] = r.Element.Errorf("%w", &ReferenceError{i, r.URI, fmt.Errorf("%w: %w", ErrDigest, r.broken)})
			continue
		}
		sum, err := r.compute(&c, x.ids, s, &opt)
		if err == nil && subtle.ConstantTimeCompare(sum, r.Digest) != 1 {
			err = ErrDigest
		}
		if err != nil {
			x.Errs[i] = r.Element.Errorf("%w", &ReferenceError{i, r.URI, err})
		}
	}
	return x, nil
}

// SignedBy returns the index of the first key under which the value of a signature holds, -1 where none does. The references are not looked
// at: with many keys, that would be done many times over.
func SignedBy(sig dom.Node, keys []crypto.PublicKey, opt VerifyOptions) int {
	opt.examine = true
	var p parsed
	if len(keys) == 0 || p.parse(sig, &opt) != nil {
		return -1
	}
	value, err := appendBase64(make([]byte, 0, 264), p.value, maxSignatureValue)
	if err != nil {
		return -1
	}
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	if s.info, err = c14n.Append(s.info[:0], p.canonical, p.info); err != nil {
		return -1
	}
	if p.digest != nil {
		h := p.digest.get()
		defer p.digest.put(h)
		h.Write(s.info)
		s.sum = h.Sum(s.sum[:0])
	}
	return slices.IndexFunc(keys, func(key crypto.PublicKey) bool {
		switch key.(type) {
		case nil:
			return false
		case ed25519.PublicKey, *mldsa.PublicKey, HMACKey:
			return p.verifyOctets(key, value, s.info, &opt) == nil
		}
		return p.checkKey(key, &opt) == nil && p.verifySum(key, s.sum, value, &opt)
	})
}

// Manifest looks at the references of the manifest that the i-th reference is to [XMLDSIG 5.1]: each with its error, nil where its digest
// matches. Whether they are to hold is for the application to say.
func (x *Examination) Manifest(i int, opt VerifyOptions) (entries []Reference, errs []error) {
	opt.examine = true
	m := x.References[i].Target
	if m.Is(Namespace, "Object") {
		m = m.Child(Namespace, "Manifest")
	}
	if !m.Is(Namespace, "Manifest") {
		return nil, nil
	}
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	c := chain{sig: x.sig, budget: budgetPerNode*x.sig.Document().Len() + budgetBase}
	ids := opt.IDs
	if ids == nil {
		ids = IndexIDs(x.sig.Document(), IDPolicy{})
	}
	for n := range m.Elements() {
		if !n.Is(Namespace, "Reference") {
			continue
		}
		var r Reference
		err := r.parse(n, &opt)
		if err == nil && r.broken != nil {
			err = fmt.Errorf("%w: %w", ErrDigest, r.broken)
		}
		if err == nil {
			var sum []byte
			if sum, err = r.compute(&c, ids, s, &opt); err == nil && subtle.ConstantTimeCompare(sum, r.Digest) != 1 {
				err = ErrDigest
			}
		}
		if err != nil {
			err = n.Errorf("%w", &ReferenceError{len(entries), r.URI, err})
		}
		entries, errs = append(entries, r), append(errs, err)
	}
	return entries, errs
}

// WriteOctets writes what a reference of the same document digests, as time-stamps over references take it: after its
// transforms, and where these leave a node-set, canonicalised with rest [EN 319 132-1 5.5.2.2].
func (x *Examination) WriteOctets(w io.Writer, i int, rest c14n.Method) error {
	r := &x.References[i]
	id, comments, same := fragment(r.URI)
	if r.Anonymous || !same {
		return fmt.Errorf("%w: %q is outside the document", ErrReference, r.URI)
	}
	apex := x.sig.Document().Node()
	if id != "" {
		var err error
		if apex, err = x.ids.Lookup(id); err != nil {
			return err
		}
	}
	c := chain{sig: x.sig, rest: rest, budget: budgetPerNode*x.sig.Document().Len() + budgetBase}
	_, err := c.digest(w, data{nodes: nodes{apex: apex, comments: comments}}, r.Transforms)
	return err
}

// WriteTransformed writes octets from outside the document after the transforms of a reference.
func WriteTransformed(w io.Writer, octets []byte, transforms []Transform, rest c14n.Method) error {
	c := chain{rest: rest, budget: budgetPerNode*len(octets) + budgetBase}
	if len(transforms) > 0 {
		octets = append([]byte(nil), octets...) // the parser keeps what it parses
	}
	_, err := c.digest(w, data{octets: octets}, transforms)
	return err
}

// scheme of a method; SchemeUnknown for HMAC.
func (m *signatureAlg) scheme() pki.Scheme {
	switch m.kind {
	case kindRSA:
		return pki.SchemeRSA
	case kindPSS:
		return pki.SchemeRSAPSS
	case kindECDSA:
		return pki.SchemeECDSA
	case kindEd25519:
		return pki.SchemeEd25519
	case kindDSA:
		return pki.SchemeDSA
	}
	return pki.SchemeUnknown
}
