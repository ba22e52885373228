package xmldsig

import (
	"strconv"

	"github.com/viadukt-eu/viadukt/xmlcore/c14n"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

const (
	maxTransforms     = 30   // of one reference
	maxSignatureValue = 5120 // octets: ML-DSA-87, RSA-40960
	defaultReferences = 1000
)

// parsed is a ds:Signature taken apart, its algorithms looked up and allowed.
type parsed struct {
	sig, info, value, keyInfo dom.Node

	canonical c14n.Method
	method    *signatureAlg
	digest    *digestAlg // of the method, or of its RSAPSSParams
	mask      *digestAlg // for RSA-PSS
	salt      int        // octets, for RSA-PSS
	context   string     // of ML-DSA
	macBits   int        // for HMAC
	refs      []Reference
}

// children walks element content: white space, comments and processing instructions are stepped over, and whatever else
// is not asked for is left standing for done to refuse.
type children struct {
	parent, next dom.Node
}

func childrenOf(n dom.Node) children { return children{n, n.FirstChild()} }

func (c *children) peek() dom.Node {
	for c.next.Valid() {
		switch c.next.Kind() {
		case dom.CommentNode, dom.PINode:
		case dom.TextNode:
			if !isSpace(c.next.Value()) {
				return c.next
			}
		default:
			return c.next
		}
		c.next = c.next.NextSibling()
	}
	return dom.Node{}
}

// take returns the next element if it has that name, else the zero Node.
func (c *children) take(space, local string) dom.Node {
	n := c.peek()
	if !n.Valid() || n.Kind() != dom.ElementNode || !n.Is(space, local) {
		return dom.Node{}
	}
	c.next = n.NextSibling()
	return n
}

func (c *children) need(local string) (dom.Node, error) {
	if n := c.take(Namespace, local); n.Valid() {
		return n, nil
	}
	if n := c.peek(); n.Valid() {
		return n, n.Errorf("%w: ds:%s expected here [XMLDSIG 4]", ErrStructure, local)
	}
	return dom.Node{}, c.parent.Errorf("%w: ds:%s is missing [XMLDSIG 4]", ErrStructure, local)
}

func (c *children) done() error {
	if n := c.peek(); n.Valid() {
		return n.Errorf("%w: not expected here [XMLDSIG 4]", ErrStructure)
	}
	return nil
}

func isSpace(b []byte) bool {
	for _, c := range b {
		if c != ' ' && c != '\t' && c != '\n' && c != '\r' {
			return false
		}
	}
	return true
}

// parse reads ds:Signature in the order of the schema [XMLDSIG 4.2].
func (p *parsed) parse(sig dom.Node, opt *VerifyOptions) error {
	if !sig.Valid() || sig.Kind() != dom.ElementNode || !sig.Is(Namespace, "Signature") {
		if !sig.Valid() {
			return ErrStructure
		}
		return sig.Errorf("%w: no ds:Signature", ErrStructure)
	}
	p.sig = sig
	c := childrenOf(sig)
	var err error
	if p.info, err = c.need("SignedInfo"); err != nil {
		return err
	}
	if p.value, err = c.need("SignatureValue"); err != nil {
		return err
	}
	p.keyInfo = c.take(Namespace, "KeyInfo")
	for c.take(Namespace, "Object").Valid() {
	}
	if err := c.done(); err != nil {
		return err
	}
	return p.parseSignedInfo(opt)
}

func (p *parsed) parseSignedInfo(opt *VerifyOptions) error {
	c := childrenOf(p.info)
	n, err := c.need("CanonicalizationMethod")
	if err != nil {
		return err
	}
	if p.canonical, err = parseCanonicalization(n, opt.Canonicalizations); err != nil {
		return err
	}
	if n, err = c.need("SignatureMethod"); err != nil {
		return err
	}
	if err := p.parseMethod(n, opt); err != nil {
		return err
	}
	limit := opt.MaxReferences
	if limit <= 0 {
		limit = defaultReferences
	}
	count := 0
	for look := c; look.take(Namespace, "Reference").Valid(); {
		if count++; count > limit {
			return p.info.Errorf("%w: more than %d references", ErrStructure, limit)
		}
	}
	if count == 0 {
		_, err := c.need("Reference")
		return err
	}
	p.refs = make([]Reference, count)
	anonymous := 0
	for i := range p.refs {
		r := &p.refs[i]
		if err := r.parse(c.take(Namespace, "Reference"), opt); err != nil {
			return err
		}
		if r.Anonymous {
			anonymous++
		}
	}
	if anonymous > 1 {
		return p.info.Errorf("%w: more than one Reference without URI [XMLDSIG 4.4.3.1]", ErrStructure)
	}
	return c.done()
}

func parseCanonicalization(n dom.Node, list []string) (c14n.Method, error) {
	uri, err := algorithmOf(n)
	if err != nil {
		return c14n.Method{}, err
	}
	name, _, ok := canonicalization(uri)
	if !ok || !allowed(list, name) {
		return c14n.Method{}, n.Errorf("%w: canonicalization %q", ErrAlgorithm, uri)
	}
	m, err := c14n.ParseMethod(n)
	if err != nil {
		return m, n.Errorf("%w: %w", ErrStructure, err)
	}
	c := childrenOf(n)
	if name == c14n.Exclusive10 || name == c14n.Exclusive10Comments {
		c.take(exclusiveNS, "InclusiveNamespaces")
	}
	return m, c.done()
}

func algorithmOf(n dom.Node) ([]byte, error) {
	a := n.Attribute("", "Algorithm")
	if !a.Valid() {
		return nil, n.Errorf("%w: Algorithm is missing", ErrStructure)
	}
	return a.Value(), nil
}

func (p *parsed) parseMethod(n dom.Node, opt *VerifyOptions) error {
	uri, err := algorithmOf(n)
	if err != nil {
		return err
	}
	m := signatures[string(uri)]
	switch {
	case m == nil:
		return n.Errorf("%w: unknown signature method %q", ErrAlgorithm, uri)
	case !allowed(opt.Signatures, m.uri), m.old && !opt.AllowSHA1, m.kind == kindHMAC && !opt.AllowHMAC, m.kind == kindMLDSA && opt.Signatures == nil:
		return n.Errorf("%w: signature method %q", ErrAlgorithm, uri)
	}
	p.method, p.digest = m, m.digest
	c := childrenOf(n)
	switch m.kind {
	case kindHMAC:
		if err := p.parseHMACLength(c.take(Namespace, "HMACOutputLength"), n); err != nil {
			return err
		}
	case kindMLDSA:
		if text := c.take(mldsaNS, "MLDSAContextString"); text.Valid() {
			context, err := DecodeBase64(text, maxContext)
			if err != nil {
				return err
			}
			if len(context) > maxContext {
				return text.Errorf("%w: a context of %d octets [FIPS 204 5.2]", ErrStructure, len(context))
			}
			p.context = string(context)
		}
	case kindPSS:
		p.mask, p.salt = m.digest, m.digest.hash.Size() // [RFC 9231 2.3.10], and for #rsa-pss without parameters 32 [RFC 9231 2.3.9]
		if params := c.take(moreNS, "RSAPSSParams"); params.Valid() {
			if m.uri != RSAPSS {
				return params.Errorf("%w: parameters where the method fixes them", ErrStructure)
			}
			if err := p.parsePSS(params, opt); err != nil {
				return err
			}
		}
	}
	return c.done()
}

const maxContext = 255 // octets [FIPS 204 5.2]

// parseHMACLength refuses truncation below half the digest or 80 bits [XMLDSIG 6.3.1]: with a handful of bits anybody
// guesses a value.
func (p *parsed) parseHMACLength(n, method dom.Node) error {
	full := p.digest.hash.Size() * 8
	p.macBits = full
	if !n.Valid() {
		return nil
	}
	bits, err := strconv.Atoi(n.TrimmedText())
	if err != nil || bits%8 != 0 || bits > full {
		return n.Errorf("%w: HMACOutputLength %q", ErrStructure, n.TrimmedText())
	}
	if bits < max(80, full/2) {
		return n.Errorf("%w: HMAC truncated to %d bits [XMLDSIG 6.3.1]", ErrAlgorithm, bits)
	}
	p.macBits = bits
	return nil
}

// parsePSS reads pss:RSAPSSParams [RFC 9231 2.3.9]; what is absent has the default of that clause.
func (p *parsed) parsePSS(params dom.Node, opt *VerifyOptions) error {
	c := childrenOf(params)
	digest, err := digestIn(&c, p.digest, opt)
	if err != nil {
		return err
	}
	p.digest, p.mask, p.salt = digest, digests[SHA256], 32
	if n := c.take(moreNS, "MaskGenerationFunction"); n.Valid() {
		uri, err := algorithmOf(n)
		if err != nil {
			return err
		}
		if string(uri) != mgf1 {
			return n.Errorf("%w: mask generation function %q", ErrAlgorithm, uri)
		}
		inner := childrenOf(n)
		if p.mask, err = digestIn(&inner, p.mask, opt); err != nil {
			return err
		}
		if err := inner.done(); err != nil {
			return err
		}
	}
	if n := c.take(moreNS, "SaltLength"); n.Valid() {
		// 0 would let the verifier take whatever salt it finds.
		if p.salt, err = strconv.Atoi(n.TrimmedText()); err != nil || p.salt < 1 || p.salt > 1024 {
			return n.Errorf("%w: SaltLength %q", ErrAlgorithm, n.TrimmedText())
		}
	}
	if n := c.take(moreNS, "TrailerField"); n.Valid() && n.TrimmedText() != "1" {
		return n.Errorf("%w: TrailerField %q", ErrAlgorithm, n.TrimmedText())
	}
	return c.done()
}

func digestIn(c *children, otherwise *digestAlg, opt *VerifyOptions) (*digestAlg, error) {
	n := c.take(Namespace, "DigestMethod")
	if !n.Valid() {
		return otherwise, nil
	}
	return parseDigestMethod(n, opt)
}

func parseDigestMethod(n dom.Node, opt *VerifyOptions) (*digestAlg, error) {
	uri, err := algorithmOf(n)
	if err != nil {
		return nil, err
	}
	d := digests[string(uri)]
	if d == nil || !allowed(opt.Digests, d.uri) || d.old && !opt.AllowSHA1 {
		return nil, n.Errorf("%w: digest method %q", ErrAlgorithm, uri)
	}
	c := childrenOf(n)
	return d, c.done()
}

// parse reads one ds:Reference [XMLDSIG 4.4.3].
func (r *Reference) parse(n dom.Node, opt *VerifyOptions) error {
	r.Element = n
	for a := range n.Attributes() {
		if a.Space() != "" {
			continue
		}
		switch a.Local() {
		case "URI":
			r.URI = a.Text()
		case "Type":
			r.Type = a.Text()
		case "Id":
			r.ID = a.Text()
		}
	}
	r.Anonymous = r.URI == "" && !n.Attribute("", "URI").Valid()
	c := childrenOf(n)
	if t := c.take(Namespace, "Transforms"); t.Valid() {
		if err := r.parseTransforms(t, opt); err != nil {
			return err
		}
	}
	m, err := c.need("DigestMethod")
	if err != nil {
		return err
	}
	v, err := c.need("DigestValue")
	if err != nil {
		return err
	}
	if err := r.parseDigest(m, v, opt); err != nil {
		if !opt.examine {
			return err
		}
		r.broken = err
	}
	return c.done()
}

func (r *Reference) parseDigest(method, value dom.Node, opt *VerifyOptions) (err error) {
	if r.digest, err = parseDigestMethod(method, opt); err != nil {
		return err
	}
	r.DigestMethod = r.digest.uri
	size := r.digest.hash.Size()
	if r.Digest, err = appendBase64(make([]byte, 0, size+2), value, maxSignatureValue); err != nil {
		return err
	}
	if len(r.Digest) != size {
		return value.Errorf("%w: %d octets where the method makes %d", ErrDigest, len(r.Digest), size)
	}
	return nil
}

func (r *Reference) parseTransforms(list dom.Node, opt *VerifyOptions) error {
	c := childrenOf(list)
	count := 0
	for look := c; look.take(Namespace, "Transform").Valid(); {
		if count++; count > maxTransforms {
			return list.Errorf("%w: more than %d transforms", ErrStructure, maxTransforms)
		}
	}
	if count == 0 {
		_, err := c.need("Transform")
		return err
	}
	r.Transforms = make([]Transform, count)
	for i := range r.Transforms {
		n := c.take(Namespace, "Transform")
		t := &r.Transforms[i]
		t.Element = n
		uri, err := algorithmOf(n)
		if err != nil {
			return err
		}
		if name, _, ok := canonicalization(uri); ok {
			t.Algorithm = name
			if t.Method, err = parseCanonicalization(n, opt.Canonicalizations); err != nil {
				return err
			}
		} else {
			inner := childrenOf(n)
			switch string(uri) {
			case XPath, XPathFilter2:
				if !opt.AllowXPath {
					return n.Errorf("%w: transform %q", ErrAlgorithm, uri)
				}
				t.Algorithm = string(uri)
				read := parseXPath
				if t.Algorithm == XPathFilter2 {
					read = parseFilter2
				}
				if t.filters, err = read(n); err != nil {
					return err
				}
				inner = children{}
			case Enveloped:
				t.Algorithm = Enveloped
			case Base64:
				t.Algorithm = Base64
			case AttachmentContent:
				t.Algorithm = AttachmentContent
			case AttachmentComplete:
				t.Algorithm = AttachmentComplete
			default:
				return n.Errorf("%w: transform %q", ErrAlgorithm, uri)
			}
			if err := inner.done(); err != nil {
				return err
			}
		}
		if !allowed(opt.Transforms, t.Algorithm) {
			return n.Errorf("%w: transform %q", ErrAlgorithm, uri)
		}
	}
	return c.done()
}
