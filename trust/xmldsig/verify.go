package xmldsig

import (
	"crypto"
	"crypto/subtle"
	"fmt"
	"net/url"
	"strings"
	"sync"

	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// scratch is the memory of one verification that nothing of the result refers to.
type scratch struct {
	info []byte // canonical SignedInfo, for methods that sign octets and not a hash
	sum  []byte
}

var scratches = sync.Pool{New: func() any { return &scratch{sum: make([]byte, 0, 64)} }}

// Verify checks one ds:Signature, core validation [XMLDSIG 3.2]. The error wraps one of the package's sentinels, and a
// [ReferenceError] where a reference is at fault. No result is returned with an error.
func Verify(sig dom.Node, opt VerifyOptions) (*Result, error) {
	var p parsed
	if err := p.parse(sig, &opt); err != nil {
		return nil, err
	}
	value, err := appendBase64(make([]byte, 0, 264), p.value, maxSignatureValue)
	if err != nil {
		return nil, err
	}
	r := &Result{
		SignatureMethod:  p.method.uri,
		Canonicalization: p.canonical,
		KeyInfo:          p.keyInfo,
		References:       p.refs,
		Value:            value,
	}
	if r.PublicKey, r.Certificates, err = p.key(&opt); err != nil {
		return nil, err
	}
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	if err := p.verifyValue(r.PublicKey, value, s, &opt); err != nil {
		return nil, err
	}
	if err := p.verifyReferences(s, &opt); err != nil {
		return nil, err
	}
	return r, nil
}

func (p *parsed) key(opt *VerifyOptions) (crypto.PublicKey, []*pki.Certificate, error) {
	if opt.Key == nil {
		return keyFromInfo(p.keyInfo, p.method)
	}
	k, err := opt.Key(p.keyInfo, p.method.uri)
	switch {
	case err != nil:
		return nil, nil, p.sig.Errorf("%w: %w", ErrKey, err)
	case k == nil:
		return nil, nil, p.sig.Errorf("%w", ErrKey)
	}
	return k, nil, nil
}

// verifyReferences dereferences and digests. The value over SignedInfo has been verified before.
func (p *parsed) verifyReferences(s *scratch, opt *VerifyOptions) error {
	ids := opt.IDs
	if ids == nil {
		ids = p.indexReferenced(opt.IDAttributes)
	}
	c := chain{sig: p.sig, budget: budgetPerNode*p.sig.Document().Len() + budgetBase}
	for i := range p.refs {
		r := &p.refs[i]
		sum, err := r.compute(&c, ids, s, opt)
		if err == nil && subtle.ConstantTimeCompare(sum, r.Digest) != 1 {
			err = ErrDigest
		}
		if err != nil {
			return r.Element.Errorf("%w", &ReferenceError{i, r.URI, err})
		}
	}
	return nil
}

func (p *parsed) indexReferenced(policy IDPolicy) *IDIndex {
	x := &IDIndex{}
	for i := range p.refs {
		if id, _, ok := fragment(p.refs[i].URI); ok && id != "" {
			if x.ids == nil {
				x.ids = make(map[string]idEntry, len(p.refs))
			}
			x.ids[id] = idEntry{}
		}
	}
	if x.ids != nil {
		x.indexWanted(p.sig.Document(), policy)
	}
	return x
}

// compute returns the digest of what the reference means now. It is valid until the next use of s.
func (r *Reference) compute(c *chain, ids *IDIndex, s *scratch, opt *VerifyOptions) ([]byte, error) {
	id, comments, same := fragment(r.URI)
	if r.Anonymous || !same {
		if opt.External == nil || strings.HasPrefix(r.URI, "#") {
			return nil, fmt.Errorf("%w: no resolver for it", ErrReference)
		}
		sum, err := opt.External(r.URI, r.Transforms, r.DigestMethod)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrReference, err)
		}
		return sum, nil
	}
	r.Target = c.sig.Document().Node()
	if id != "" {
		var err error
		if r.Target, err = ids.Lookup(id); err != nil {
			return nil, err
		}
		if r.Target.Document() != c.sig.Document() {
			return nil, fmt.Errorf("%w: the ID index is of another document", ErrReference)
		}
	}
	if c.budget -= (r.Target.End() - r.Target.Index()) * (1 + len(r.Transforms)); c.budget < 0 {
		return nil, fmt.Errorf("%w: the references digest the document too many times over", ErrStructure)
	}
	h := r.digest.get()
	defer r.digest.put(h)
	o, err := c.digest(h, data{nodes: nodes{apex: r.Target, comments: comments}}, r.Transforms)
	if err != nil {
		return nil, err
	}
	r.Except, r.comments = o.except, o.comments
	if o.whole {
		r.Node = r.Target
	}
	s.sum = h.Sum(s.sum[:0])
	return s.sum, nil
}

// fragment reads a same-document URI [XMLDSIG 4.4.3.3]: the ID, or "" for the whole document, and whether its node-set
// has comments. Every other URI, and every other xpointer, is not of the same document.
func fragment(uri string) (id string, comments, same bool) {
	switch {
	case uri == "":
		return "", false, true
	case uri[0] != '#' || uri == "#":
		return "", false, false
	case uri == "#xpointer(/)":
		return "", true, true
	case !strings.HasPrefix(uri, "#xpointer("):
		id = uri[1:]
		if strings.Contains(id, "%") {
			if plain, err := url.PathUnescape(id); err == nil {
				id = plain
			}
		}
		return id, false, !strings.ContainsAny(id, "()")
	}
	arg, ok := strings.CutPrefix(uri, "#xpointer(id(")
	if ok {
		arg, ok = strings.CutSuffix(arg, "))")
	}
	if !ok || len(arg) < 3 || arg[0] != arg[len(arg)-1] || arg[0] != '\'' && arg[0] != '"' {
		return "", false, false
	}
	id = arg[1 : len(arg)-1]
	return id, true, !strings.ContainsAny(id, `'"() `)
}
