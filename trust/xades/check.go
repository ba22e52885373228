package xades

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"

	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/xmldsig"
	"github.com/viadukt-eu/viadukt/xmlcore/c14n"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Document is signed content outside the signature's document. Open may be nil where only digests are known.
type Document struct {
	Name     string // as the URI of its reference names it, percent-decoded
	MimeType string
	Open     func() (io.ReadCloser, error)
	Digests  map[crypto.Hash][]byte
}

// Bytes makes a document of octets.
func Bytes(name, mimeType string, b []byte) Document {
	return Document{Name: name, MimeType: mimeType, Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }}
}

// CheckOptions say what is known beside the signature.
type CheckOptions struct {
	Documents    []Document
	Certificates []*pki.Certificate // of which one may be the signer's, where the signature does not hold it
	IDs          *xmldsig.IDIndex   // of the document, made earlier; nil: made here
}

// Checked is a signature with what of it holds.
type Checked struct {
	*Signature
	*xmldsig.Examination

	Signer    *pki.Certificate   // whose key verifies the value; nil: none at hand does
	KeyInfo   []*pki.Certificate // in ds:KeyInfo
	Reference *CertificateReference
	// Identified: Signer is the one that SigningCertificate names by its digest.
	Identified bool
	// IssuerSerialErr says that the reference names another issuer or serial number than Signer has.
	IssuerSerialErr error
	// PropertiesErr says why SignedProperties are not covered by this signature; nil where there are none.
	PropertiesErr error

	// Entries are the references of manifests that the signature signs, with what holds of each.
	Entries []Entry

	// TypeErr says that a reference is to something other than its Type claims: content was moved and a copy put in its place.
	TypeErr error
	// CounterErr says that a counter-signature does not sign the value of the signature that it stands in.
	CounterErr error

	documents []Document
}

// Entry is a reference of a manifest.
type Entry struct {
	xmldsig.Reference
	Err error // nil: its digest matches
}

// Check finds out what of a signature holds: its value under the signer's key, each of its references, and that the
// properties belong to it. An error means that nothing can be said: an algorithm is unknown.
func (s *Signature) Check(opt CheckOptions) (*Checked, error) {
	c := &Checked{Signature: s, documents: opt.Documents}
	keyInfo := s.Node.Child(xmldsig.Namespace, "KeyInfo")
	if keyInfo.Valid() {
		var err error
		if c.KeyInfo, err = xmldsig.CertificatesFromInfo(keyInfo, s.known); err != nil {
			s.noteUnreadable(err) // the signer's certificate may be elsewhere
		}
	}
	ids := opt.IDs
	if ids == nil {
		ids = xmldsig.IndexIDs(s.Node.Document(), xmldsig.IDPolicy{})
	}
	candidates, named := s.candidates(c.KeyInfo, opt.Certificates)
	var key crypto.PublicKey
	how := xmldsig.VerifyOptions{AllowSHA1: true, AnyWidth: true, AllowXPath: true, MinRSABits: 512, IDs: ids, External: c.external,
		Key: func(info dom.Node, method string) (crypto.PublicKey, error) {
			if key != nil {
				return key, nil
			}
			return xmldsig.KeyFromInfo(info, method)
		}}
	candidates = slices.DeleteFunc(candidates, func(c *pki.Certificate) bool { return c.PublicKey == nil })
	var likely *pki.Certificate
	if n := len(candidates); n > 0 {
		likely = candidates[n-1]
		if n > 1 {
			keys := make([]crypto.PublicKey, n)
			for i := range keys {
				keys[i] = candidates[i].PublicKey
			}
			if i := xmldsig.SignedBy(s.Node, keys, how); i >= 0 {
				likely = candidates[i]
			}
		}
		key = likely.PublicKey
	}
	var err error
	if c.Examination, err = xmldsig.Examine(s.Node, how); err != nil {
		return nil, err
	}
	if likely != nil && (c.ValueErr == nil || named != nil) {
		c.Signer = likely
	}
	if len(s.Certificates) > 0 {
		c.Reference = &s.Certificates[0]
	}
	c.Identified = named != nil && c.Signer == named && c.ValueErr == nil
	if c.Reference != nil && c.Signer != nil {
		c.IssuerSerialErr = c.Reference.checkIssuerSerial(c.Signer)
	}
	manifests := 0
	for i := range c.References {
		if c.References[i].Type != xmldsig.TypeManifest {
			continue
		}
		if manifests++; manifests > maxManifests {
			s.noteUnreadable(c.References[i].Element.Errorf("%w: more than %d manifests", ErrStructure, maxManifests))
			break
		}
		entries, errs := c.Examination.Manifest(i, how)
		for k := range entries {
			c.Entries = append(c.Entries, Entry{entries[k], errs[k]})
		}
	}
	c.PropertiesErr = c.checkProperties()
	c.CounterErr, c.TypeErr = c.checkCounter(), c.checkTypes()
	return c, nil
}

// checkTypes holds references to objects and manifests to what they claim to be to: parts of this signature
// [XMLDSIG 4.5, 5.1].
func (c *Checked) checkTypes() error {
	for i := range c.References {
		r := &c.References[i]
		n := r.Target
		if !n.Valid() {
			continue
		}
		ok := true
		switch r.Type {
		case xmldsig.TypeObject:
			ok = n.Parent() == c.Node && (n.Is(xmldsig.Namespace, "Object") || n.Is(xmldsig.Namespace, "KeyInfo"))
		case xmldsig.TypeManifest:
			ok = n.Is(xmldsig.Namespace, "Manifest") && n.Parent().Parent() == c.Node ||
				n.Is(xmldsig.Namespace, "Object") && n.Parent() == c.Node && n.Child(xmldsig.Namespace, "Manifest").Valid()
		}
		if !ok {
			return r.Element.Errorf("%w: its Type is %q, and it is to <%s>", ErrStructure, r.Type, n.QName())
		}
	}
	return nil
}

// checkCounter holds a counter-signature to the one that it stands in [EN 319 132-1 5.2.7.2]: any signature could be put
// there.
func (c *Checked) checkCounter() error {
	if c.parent == nil {
		return nil
	}
	for i := range c.References {
		if c.References[i].Target == c.parent.Value {
			if c.Errs[i] == nil && !c.whole(i) {
				return c.References[i].Element.Errorf("%w: its transforms choose what of the value is signed", ErrStructure)
			}
			return c.Errs[i]
		}
	}
	return c.Node.Errorf("%w: the counter-signature has no reference to the value that it stands by", ErrStructure)
}

// whole tells whether a reference signs all of the element that it is to, and not what transforms left of it.
func (c *Checked) whole(i int) bool {
	r := &c.References[i]
	return r.Node == r.Target && len(r.Except) == 0
}

// candidates orders the certificates that may be the signer's. named is the one that the signed properties name.
func (s *Signature) candidates(lists ...[]*pki.Certificate) (all []*pki.Certificate, named *pki.Certificate) {
	for _, list := range append(lists, s.Material.Certificates) {
		all = append(all, list...)
	}
	if len(s.Certificates) > 0 { // the first names the signer [EN 319 132-1 5.2.2]
		for _, c := range all {
			if s.Certificates[0].Matches(c) {
				return []*pki.Certificate{c}, c
			}
		}
	}
	return all, nil
}

// Matches tells whether the digest is that of the certificate.
func (r *CertificateReference) Matches(c *pki.Certificate) bool {
	h, ok := xmldsig.DigestHash(r.DigestMethod)
	if !ok || !h.Available() {
		return false
	}
	d := h.New()
	d.Write(c.Raw)
	return bytes.Equal(d.Sum(nil), r.Digest)
}

// ErrIssuerSerial says that a reference to a certificate names another issuer or serial number.
var ErrIssuerSerial = errors.New("xades: the reference to the signing certificate names another issuer or serial number")

func (r *CertificateReference) checkIssuerSerial(c *pki.Certificate) error {
	if r.V2 {
		if r.IssuerSerial == nil {
			return nil
		}
		want, err := marshalIssuerSerial(c)
		if err != nil || !bytes.Equal(want, r.IssuerSerial) {
			return ErrIssuerSerial
		}
		return nil
	}
	if r.Serial != "" && r.Serial != c.SerialNumber.String() {
		return ErrIssuerSerial
	}
	if r.Issuer == "" {
		return nil
	}
	if n, err := pki.ParseName(r.Issuer); err != nil || !n.Equal(c.Issuer) {
		return ErrIssuerSerial
	}
	return nil
}

// checkProperties holds the properties to their signature [EN 319 132-1 4.3.2, 4.4.2]: whoever moves foreign properties
// into a signature's reach must not be believed.
func (c *Checked) checkProperties() error {
	s := c.Signature
	if !s.Properties.Valid() {
		return nil
	}
	if s.Target != "#"+s.ID || s.ID == "" {
		return s.Properties.Errorf("%w: Target %q is not the signature's Id %q", ErrStructure, s.Target, s.ID)
	}
	if !s.Signed.Valid() {
		return s.Properties.Errorf("%w: no SignedProperties", ErrStructure)
	}
	for i := range c.References {
		r := &c.References[i]
		if isSignedProperties(r.Type) && r.Target == s.Signed {
			if c.Errs[i] == nil && !c.whole(i) {
				return r.Element.Errorf("%w: its transforms choose what of the SignedProperties is signed", ErrStructure)
			}
			return c.Errs[i]
		}
	}
	return s.Signed.Errorf("%w: no reference of their type covers the SignedProperties", ErrStructure)
}

// external digests content from outside the document.
func (c *Checked) external(uri string, transforms []xmldsig.Transform, method string) ([]byte, error) {
	d, err := c.document(uri)
	if err != nil {
		return nil, err
	}
	h, ok := xmldsig.DigestHash(method)
	if !ok {
		return nil, fmt.Errorf("%w: %s", xmldsig.ErrAlgorithm, method)
	}
	if len(transforms) == 0 {
		sum, err := d.digest(h)
		if err != nil && !errors.Is(err, ErrContent) { // it is there, and spoilt
			err = fmt.Errorf("%w: %w", xmldsig.ErrDigest, err)
		}
		return sum, err
	}
	b, err := d.octets()
	if err != nil {
		return nil, err
	}
	return xmldsig.DigestOctets(b, transforms, method)
}

// maxTransformed bounds, in octets, outside content that must be held in memory.
const maxTransformed = 256 << 20

// document finds the content that a URI names. A sole document without a name is whatever is named.
func (c *Checked) document(uri string) (*Document, error) {
	name := uri
	if plain, err := url.PathUnescape(uri); err == nil {
		name = plain
	}
	name = strings.TrimPrefix(name, "./")
	for i := range c.documents {
		if d := &c.documents[i]; d.Name == name || d.Name == uri {
			return d, nil
		}
	}
	if len(c.documents) == 1 && (c.documents[0].Name == "" || uri == "") {
		return &c.documents[0], nil
	}
	return nil, fmt.Errorf("%w: no document is named %q", ErrContent, name)
}

// ErrImprint says that what a time-stamp covers cannot be put together.
var ErrImprint = errors.New("xades: the octets that the time-stamp covers are not at hand")

// WriteImprint writes the octets that a time-stamp covers, to be hashed by the algorithm of its token
// [EN 319 132-1 5.2.8, 5.3, 5.5.2].
func (c *Checked) WriteImprint(w io.Writer, t *TimeStamp) error {
	node := func(n dom.Node) error { return t.Canonicalization.Write(w, n) }
	switch t.Kind {
	case AllDataObjects:
		for i := range c.References {
			if isSignedProperties(c.References[i].Type) {
				continue
			}
			if err := c.writeReference(w, i, t.Canonicalization); err != nil {
				return err
			}
		}
		return nil
	case IndividualDataObjects:
		for _, uri := range t.Include {
			i := c.byID(strings.TrimPrefix(uri, "#"))
			if i < 0 {
				return t.Node.Errorf("%w: Include names %q, which is no reference of the signature", ErrImprint, uri)
			}
			if err := c.writeReference(w, i, t.Canonicalization); err != nil {
				return err
			}
		}
		return nil
	case SignatureTimeStamp:
		return node(c.Signature.Value)
	case SigAndRefs, sigAndRefsV2:
		if err := node(c.Signature.Value); err != nil {
			return err
		}
		return c.writeRefs(node, t, true)
	case RefsOnly, refsOnlyV2:
		return c.writeRefs(node, t, false)
	}
	return c.writeArchive(w, t)
}

func (c *Checked) byID(id string) int {
	for i := range c.References {
		if c.References[i].ID == id && id != "" {
			return i
		}
	}
	return -1
}

func (c *Checked) writeReference(w io.Writer, i int, rest c14n.Method) error {
	r := &c.References[i]
	if !r.Anonymous && (r.URI == "" || strings.HasPrefix(r.URI, "#")) {
		return c.WriteOctets(w, i, rest)
	}
	return c.writeOutside(w, r.URI, r.Transforms, rest)
}

// writeOutside writes content from outside the document, after the transforms of its reference.
func (c *Checked) writeOutside(w io.Writer, uri string, transforms []xmldsig.Transform, rest c14n.Method) error {
	d, err := c.document(uri)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrImprint, err)
	}
	if d.Open == nil {
		return fmt.Errorf("%w: of %q only a digest is known", ErrImprint, d.Name)
	}
	in, err := d.Open()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrImprint, err)
	}
	defer in.Close()
	if len(transforms) == 0 {
		_, err := io.Copy(w, in)
		return err
	}
	b, err := io.ReadAll(io.LimitReader(in, maxTransformed+1))
	switch {
	case err != nil:
		return err
	case len(b) > maxTransformed:
		return fmt.Errorf("%w: %q is too large to be transformed", ErrImprint, d.Name)
	}
	return xmldsig.WriteTransformed(w, b, transforms, rest)
}

// writeRefs writes the references to material that come before a time-stamp, and signature time-stamps where these belong to
// it.
func (c *Checked) writeRefs(node func(dom.Node) error, t *TimeStamp, stamps bool) error {
	v2 := t.Kind == sigAndRefsV2 || t.Kind == refsOnlyV2
	for n := range c.Unsigned.Elements() {
		if n == t.Node {
			break
		}
		switch n.Local() {
		case string(SignatureTimeStamp):
			if !stamps {
				continue
			}
		case "CompleteRevocationRefs", "AttributeRevocationRefs":
		case "CompleteCertificateRefs", "AttributeCertificateRefs":
			if v2 {
				continue
			}
		case "CompleteCertificateRefsV2", "AttributeCertificateRefsV2":
			if !v2 {
				continue
			}
		default:
			continue
		}
		if err := node(n); err != nil {
			return err
		}
	}
	return nil
}

// writeArchive writes what an archive time-stamp covers [EN 319 132-1 5.5.2.2].
func (c *Checked) writeArchive(w io.Writer, t *TimeStamp) error {
	return c.archived(t, func(write func(io.Writer) error) error { return write(w) })
}

// archived goes through what an archive time-stamp covers: all references, SignedInfo, SignatureValue and KeyInfo, the unsigned
// properties before it and the objects.
func (c *Checked) archived(t *TimeStamp, part func(write func(io.Writer) error) error) error {
	for i := range c.References {
		if err := part(func(w io.Writer) error { return c.writeReference(w, i, t.Canonicalization) }); err != nil {
			return err
		}
	}
	node := func(n dom.Node) error {
		return part(func(w io.Writer) error { return t.Canonicalization.Write(w, n) })
	}
	for n := range c.Node.Elements() {
		if n.Is(xmldsig.Namespace, "SignedInfo") || n == c.Signature.Value || n.Is(xmldsig.Namespace, "KeyInfo") {
			if err := node(n); err != nil {
				return err
			}
		}
	}
	for n := range c.Unsigned.Elements() {
		if n == t.Node {
			break
		}
		if err := node(n); err != nil {
			return err
		}
	}
	for n := range c.Node.Elements() {
		if !n.Is(xmldsig.Namespace, "Object") || n.Contains(c.Properties) {
			continue
		}
		if t.Kind == archive132 && c.references(n) {
			continue
		}
		if err := node(n); err != nil {
			return err
		}
	}
	return nil
}

// SealedDigest is the digest that an evidence record of the signature is over [TS 119 132-3 5.2.2]: of the digests of what an
// archive time-stamp in its place would cover, and of what signed manifests list, as one group of a hash tree. nil is a record still
// to be made, after all that is there.
func (c *Checked) SealedDigest(r *EvidenceRecord, h crypto.Hash) ([]byte, error) {
	t := &TimeStamp{Kind: Archive, Canonicalization: c.Canonicalization}
	if r != nil {
		t.Node = r.Property
	}
	var group [][]byte
	part := func(write func(io.Writer) error) error {
		sum := h.New()
		if err := write(sum); err != nil {
			return err
		}
		group = append(group, sum.Sum(nil))
		return nil
	}
	if err := c.archived(t, part); err != nil {
		return nil, err
	}
	for i := range c.References {
		if c.References[i].Type != xmldsig.TypeManifest {
			continue
		}
		m := c.References[i].Target
		if m.Is(xmldsig.Namespace, "Object") {
			m = m.Child(xmldsig.Namespace, "Manifest")
		}
		for n := range m.Elements() {
			if !n.Is(xmldsig.Namespace, "Reference") {
				continue
			}
			if n.Child(xmldsig.Namespace, "Transforms").Valid() || n.Attr("URI") == "" || strings.HasPrefix(n.Attr("URI"), "#") {
				return nil, n.Errorf("%w: an entry of a manifest that is no file as it stands", ErrImprint)
			}
			if err := part(func(w io.Writer) error { return c.writeOutside(w, n.Attr("URI"), nil, t.Canonicalization) }); err != nil {
				return nil, err
			}
		}
	}
	slices.SortFunc(group, bytes.Compare)
	sum := h.New()
	for _, d := range group {
		sum.Write(d)
	}
	return sum.Sum(nil), nil
}

// references tells whether an object is covered by a reference by itself: the older form counts it once.
func (c *Checked) references(object dom.Node) bool {
	for i := range c.References {
		if c.References[i].Target == object {
			return true
		}
	}
	return false
}
