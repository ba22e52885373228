package jades

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/xades"
)

// algorithm is what an alg of a JWS stands for [RFC 7518 3.1, RFC 8037 3.1].
type algorithm struct {
	scheme pki.Scheme
	hash   crypto.Hash
	curve  string // that ECDSA demands
}

var algorithms = map[string]algorithm{
	"RS256": {pki.SchemeRSA, crypto.SHA256, ""}, "RS384": {pki.SchemeRSA, crypto.SHA384, ""}, "RS512": {pki.SchemeRSA, crypto.SHA512, ""},
	"PS256": {pki.SchemeRSAPSS, crypto.SHA256, ""}, "PS384": {pki.SchemeRSAPSS, crypto.SHA384, ""}, "PS512": {pki.SchemeRSAPSS, crypto.SHA512, ""},
	"ES256": {pki.SchemeECDSA, crypto.SHA256, "P-256"}, "ES384": {pki.SchemeECDSA, crypto.SHA384, "P-384"}, "ES512": {pki.SchemeECDSA, crypto.SHA512, "P-521"},
	"EdDSA": {pki.SchemeEd25519, 0, ""}, "Ed25519": {pki.SchemeEd25519, 0, ""}, // the second by [RFC 9864 2.2]
}

// hashNames are the digest algorithms of x5t#o, sigD and the like [TS 119 182-1 5.2.2].
var hashNames = map[string]crypto.Hash{
	"S224": crypto.SHA224, "S256": crypto.SHA256, "S384": crypto.SHA384, "S512": crypto.SHA512,
	"S3-256": crypto.SHA3_256, "S3-384": crypto.SHA3_384, "S3-512": crypto.SHA3_512,
}

func hashByName(name string) crypto.Hash {
	if h := hashNames[name]; h.Available() {
		return h
	}
	return 0
}

// HashName is how a digest algorithm is named in digAlg, hashM and the like; "" where there is no name.
func HashName(h crypto.Hash) string {
	for name, x := range hashNames {
		if x == h {
			return name
		}
	}
	return ""
}

// HTTPMessage is a request or response whose fields a signature covers [TS 119 182-1 5.2.8.2].
type HTTPMessage struct {
	Method, Target string // for (request-target)
	Header         http.Header
	Body           xades.Document // what the field Digest is about
}

// CheckOptions say what is known beside the signature.
type CheckOptions struct {
	Documents    []xades.Document
	HTTP         *HTTPMessage
	Certificates []*pki.Certificate // of which one may be the signer's, where the signature does not hold it
}

// Reference is one thing that is signed.
type Reference struct {
	Name string
	Hash crypto.Hash // 0 where unknown
	Err  error       // ErrContent: it is not at hand; ErrDigest: it is not what was signed
}

// Checked is a signature with what of it holds.
type Checked struct {
	*Signature

	// Signer is the certificate that the header names by its digest, otherwise one whose key verifies the value, otherwise the first
	// in the header; nil: there is none.
	Signer     *pki.Certificate
	Scheme     pki.Scheme
	Hash       crypto.Hash
	ValueErr   error       // why the value does not hold under the signer's key
	References []Reference // that sigD names by digest, and the body of an HTTP message
	CounterErr error       // why a counter-signature is not over the value of the signature that it stands in

	documents []xades.Document
	http      *HTTPMessage
}

// Check finds out what of a signature holds.
func (s *Signature) Check(opt CheckOptions) *Checked {
	c := &Checked{Signature: s, documents: opt.Documents, http: opt.HTTP}
	alg, known := algorithms[s.Algorithm]
	c.Scheme, c.Hash = alg.scheme, alg.hash
	if o := s.Objects; o != nil {
		c.checkObjects(o)
	}
	if s.own && s.Message.payload != s.Parent.text {
		c.CounterErr = fmt.Errorf("%w: it is over something else than the signature that it stands in", ErrDigest)
	}
	candidates := slices.Concat(s.Certificates, opt.Certificates, s.Material.Certificates)
	if len(s.Named) > 0 {
		if i := slices.IndexFunc(candidates, s.Named[0].Matches); i >= 0 {
			candidates = candidates[i : i+1]
		}
	}
	if len(candidates) > 0 && (len(s.Certificates) > 0 || len(candidates) == 1) {
		c.Signer = candidates[0]
	}
	if s.CriticalErr != nil {
		c.ValueErr = s.CriticalErr
		return c
	}
	if !known {
		c.ValueErr = fmt.Errorf("%w: %q", ErrAlgorithm, s.Algorithm)
		return c
	}
	verify, err := c.verifier(alg)
	if err != nil {
		c.ValueErr = err
		return c
	}
	c.ValueErr = fmt.Errorf("%w: there is no certificate", ErrSignature)
	for _, x := range candidates[:min(len(candidates), maxCandidates)] {
		if c.ValueErr = verify(x.PublicKey); c.ValueErr == nil {
			c.Signer = x
			break
		}
	}
	return c
}

const maxCandidates = 100 // whose keys are tried where the header names none

// Matches tells whether the digest is that of a certificate.
func (r CertificateReference) Matches(c *pki.Certificate) bool {
	if !r.Hash.Available() || len(r.Digest) == 0 {
		return false
	}
	h := r.Hash.New()
	h.Write(c.Raw)
	return bytes.Equal(h.Sum(nil), r.Digest)
}

// verifier takes in what was signed, once, and tells of keys whether the value is theirs.
func (c *Checked) verifier(alg algorithm) (func(crypto.PublicKey) error, error) {
	if alg.scheme == pki.SchemeEd25519 {
		var message bytes.Buffer
		if err := c.writeInput(&message); err != nil {
			return nil, err
		}
		return func(key crypto.PublicKey) error {
			if k, ok := key.(ed25519.PublicKey); !ok || !ed25519.Verify(k, message.Bytes(), c.value) {
				return ErrSignature
			}
			return nil
		}, nil
	}
	h := alg.hash.New()
	if err := c.writeInput(h); err != nil {
		return nil, err
	}
	sum := h.Sum(nil)
	return func(key crypto.PublicKey) error {
		if alg.scheme == pki.SchemeECDSA {
			return verifyECDSA(key, alg.curve, sum, c.value)
		}
		a := pki.SignatureAlgorithm{Scheme: alg.scheme, Hash: alg.hash, MGFHash: alg.hash, SaltLength: alg.hash.Size()}
		if err := a.VerifyDigest(key, sum, c.value); err != nil {
			return fmt.Errorf("%w: %w", ErrSignature, err)
		}
		return nil
	}, nil
}

// verifyECDSA checks r||s, each as wide as the order of the curve [RFC 7518 3.4].
func verifyECDSA(key crypto.PublicKey, curve string, sum, value []byte) error {
	k, ok := key.(*ecdsa.PublicKey)
	if !ok || k.Curve == nil || k.Curve.Params().Name != curve {
		return fmt.Errorf("%w: the key is not on %s [RFC 7518 3.4]", ErrSignature, curve)
	}
	width := (k.Curve.Params().N.BitLen() + 7) / 8
	if len(value) != 2*width {
		return fmt.Errorf("%w: %d octets where %d belong", ErrSignature, len(value), 2*width)
	}
	if !ecdsa.Verify(k, sum, new(big.Int).SetBytes(value[:width]), new(big.Int).SetBytes(value[width:])) {
		return ErrSignature
	}
	return nil
}

// writeInput writes the JWS signing input [RFC 7515 5.1, RFC 7797 3].
func (c *Checked) writeInput(w io.Writer) error {
	if _, err := io.WriteString(w, c.protected+"."); err != nil {
		return err
	}
	if o := c.Objects; o != nil && o.Mechanism == ByURIHash {
		return nil // the payload is empty
	}
	return c.writePayload(w, false)
}

// writePayload writes what is signed, for a time-stamp what it covers of it.
func (c *Checked) writePayload(w io.Writer, stamp bool) error {
	m := c.Message
	if o := c.Objects; o != nil {
		if o.Mechanism == HTTPHeaders {
			return c.encode(w, func(w io.Writer) error { return c.http.write(w, o.Names, stamp) })
		}
		for _, name := range o.Names {
			d, err := c.document(name)
			if err != nil {
				return err
			}
			if err := c.writeDocument(w, d); err != nil {
				return err
			}
		}
		return nil
	}
	switch {
	case !m.detached:
		_, err := io.WriteString(w, m.payload)
		return err
	case c.Parent != nil && c.Encoded:
		_, err := io.WriteString(w, c.Parent.text)
		return err
	case c.Parent != nil:
		_, err := w.Write(c.Parent.value)
		return err
	case len(c.documents) != 1:
		return fmt.Errorf("%w: the payload is detached, and %d documents are given", ErrContent, len(c.documents))
	}
	return c.writeDocument(w, &c.documents[0])
}

// WriteContent writes content that stands in the message, decoded.
func (c *Checked) WriteContent(w io.Writer) error {
	switch {
	case c.Message.detached:
		return fmt.Errorf("%w: it is detached", ErrContent)
	case !c.Encoded:
		_, err := io.WriteString(w, c.Message.payload)
		return err
	}
	_, err := io.Copy(w, base64.NewDecoder(base64.RawURLEncoding, strings.NewReader(c.Message.payload)))
	return err
}

func (c *Checked) writeDocument(w io.Writer, d *xades.Document) error {
	return c.encode(w, func(w io.Writer) error { return copyDocument(w, d) })
}

func copyDocument(w io.Writer, d *xades.Document) error {
	if d.Open == nil {
		return fmt.Errorf("%w: only a digest of %s", ErrContent, d.Name)
	}
	r, err := d.Open()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrContent, err)
	}
	defer r.Close()
	_, err = io.Copy(w, r)
	return err
}

// encode writes in base64url, unless b64 is false.
func (s *Signature) encode(w io.Writer, write func(io.Writer) error) error {
	if !s.Encoded {
		return write(w)
	}
	e := base64.NewEncoder(encoded, w)
	return errors.Join(write(e), e.Close())
}

// document finds a document by its name: that of sigD as it is written, or percent-decoded.
func (c *Checked) document(name string) (*xades.Document, error) {
	plain, err := url.PathUnescape(name)
	if err != nil {
		plain = name
	}
	for i := range c.documents {
		if d := &c.documents[i]; d.Name != "" && (d.Name == name || d.Name == plain) {
			return d, nil
		}
	}
	if len(c.documents) == 1 && len(c.Objects.Names) == 1 && (c.documents[0].Name == "" || name == "") {
		return &c.documents[0], nil
	}
	return nil, fmt.Errorf("%w: no document is named %q", ErrContent, plain)
}

// checkObjects compares the digests of sigD with those of the documents; one whose name is not known is found by its digest. Of an
// HTTP message it compares the field Digest with the body.
func (c *Checked) checkObjects(o *Objects) {
	switch {
	case o.Mechanism == HTTPHeaders && slices.ContainsFunc(o.Names, func(n string) bool { return strings.EqualFold(n, "Digest") }):
		c.References = append(c.References, c.http.checkBody())
		return
	case o.Mechanism != ByURIHash:
		return
	}
	digest := func(d *xades.Document) ([]byte, error) {
		if !o.Hash.Available() {
			return nil, fmt.Errorf("%w: digest %q", ErrAlgorithm, o.Algorithm)
		}
		if sum, ok := d.Digests[o.Hash]; ok && !c.Encoded {
			return sum, nil
		}
		h := o.Hash.New()
		err := c.writeDocument(h, d)
		return h.Sum(nil), err
	}
	var sums [][]byte // of all documents, once one is looked for by digest
	for i, name := range o.Names {
		r := Reference{Name: name, Hash: o.Hash}
		if d, err := c.document(name); err == nil {
			sum, err := digest(d)
			switch {
			case errors.Is(err, ErrContent):
				r.Err = err
			case err != nil:
				r.Err = fmt.Errorf("%w: %w", ErrDigest, err)
			case !bytes.Equal(sum, o.Digests[i]):
				r.Err = fmt.Errorf("%w: %s", ErrDigest, name)
			}
		} else {
			if sums == nil {
				for k := range c.documents {
					sum, _ := digest(&c.documents[k])
					sums = append(sums, sum)
				}
			}
			if !slices.ContainsFunc(sums, func(sum []byte) bool { return sum != nil && bytes.Equal(sum, o.Digests[i]) }) {
				r.Err = err
			}
		}
		c.References = append(c.References, r)
	}
}

// checkBody compares the body with the field Digest, of which one value must be known and all known ones must be right [RFC 3230 4.3.2].
func (m *HTTPMessage) checkBody() Reference {
	r := Reference{Name: "the body of the HTTP message"}
	if m == nil || m.Body.Open == nil {
		r.Err = ErrContent
		return r
	}
	for _, one := range strings.Split(strings.Join(m.Header.Values("Digest"), ","), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(one), "=")
		h := map[string]crypto.Hash{"SHA-256": crypto.SHA256, "SHA-512": crypto.SHA512}[strings.ToUpper(name)]
		if !h.Available() {
			continue
		}
		r.Hash = h
		sum := h.New()
		if err := copyDocument(sum, &m.Body); err != nil {
			r.Err = err
			return r
		}
		if want, err := base64.StdEncoding.DecodeString(value); err != nil || !bytes.Equal(sum.Sum(nil), want) {
			r.Err = fmt.Errorf("%w: the field Digest is not that of the body", ErrDigest)
			return r
		}
	}
	if r.Hash == 0 {
		r.Err = fmt.Errorf("%w: no digest of the body by a known algorithm", ErrDigest)
	}
	return r
}

// write writes fields of a message as draft-cavage-http-signatures has it; in a time-stamp the body stands for its digest
// [TS 119 182-1 5.2.8.2, 5.2.6].
func (m *HTTPMessage) write(w io.Writer, names []string, stamp bool) error {
	if m == nil {
		return fmt.Errorf("%w: the HTTP message", ErrContent)
	}
	for i, name := range names {
		if i > 0 {
			if _, err := io.WriteString(w, "\n"); err != nil {
				return err
			}
		}
		lower := strings.ToLower(name)
		switch {
		case lower == "(request-target)":
			if m.Method == "" || m.Target == "" {
				return fmt.Errorf("%w: the request target", ErrContent)
			}
			if _, err := fmt.Fprintf(w, "%s: %s %s", lower, strings.ToLower(m.Method), m.Target); err != nil {
				return err
			}
		case stamp && lower == "digest":
			if err := copyDocument(w, &m.Body); err != nil {
				return err
			}
		default:
			values := m.Header.Values(name)
			if len(values) == 0 {
				return fmt.Errorf("%w: the HTTP field %q", ErrContent, name)
			}
			trimmed := make([]string, len(values))
			for i, v := range values {
				trimmed[i] = strings.TrimSpace(v)
			}
			if _, err := fmt.Fprintf(w, "%s: %s", lower, strings.Join(trimmed, ", ")); err != nil {
				return err
			}
		}
	}
	return nil
}

// WriteImprint writes the octets that a time-stamp covers, to be hashed by the algorithm of its token
// [TS 119 182-1 5.2.6, 5.3.4, 5.3.5].
func (c *Checked) WriteImprint(w io.Writer, t *TimeStamp) error {
	put := func(parts ...string) error {
		for _, p := range parts {
			if _, err := io.WriteString(w, p); err != nil {
				return err
			}
		}
		return nil
	}
	refs := []string{"xRefs", "rRefs", "axRefs", "arRefs"}
	switch t.Kind {
	case ContentTimeStamp:
		return c.writePayload(w, true)
	case SignatureTimeStamp:
		return put(c.text)
	case SigAndRefs:
		if err := put(c.text, "."); err != nil {
			return err
		}
		return c.writeProperties(w, t, append(refs, string(SignatureTimeStamp)))
	case RefsOnly:
		return c.writeProperties(w, t, refs)
	}
	if err := c.writePayload(w, true); err != nil {
		return err
	}
	if err := put(".", c.protected, ".", c.text, "."); err != nil {
		return err
	}
	return c.writeProperties(w, t, nil)
}

// writeProperties writes the unsigned properties before a time-stamp, those of the names given or all.
func (s *Signature) writeProperties(w io.Writer, t *TimeStamp, names []string) error {
	if t.Property < 0 || t.Property > len(s.unsigned) {
		return fmt.Errorf("%w: %s has no place", ErrStructure, t.Kind)
	}
	for i := range s.unsigned {
		if s.unsigned[i].clear != s.unsigned[0].clear {
			return fmt.Errorf("%w: etsiU holds both base64url and clear objects [TS 119 182-1 5.3.1]", ErrStructure)
		}
	}
	for i := range s.unsigned[:t.Property] {
		p := &s.unsigned[i]
		if names != nil && !slices.Contains(names, p.name) {
			continue
		}
		octets := []byte(p.text)
		switch {
		case !p.clear || t.canonical == "":
		case t.canonical == CanonicalJSON:
			v, err := parseJSON(octets)
			if err != nil {
				return err
			}
			if octets, err = v.canonical(nil); err != nil {
				return err
			}
		default:
			return fmt.Errorf("%w: canonicalisation %q", ErrAlgorithm, t.canonical)
		}
		if _, err := w.Write(octets); err != nil {
			return err
		}
	}
	return nil
}
