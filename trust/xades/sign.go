package xades

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/xmldsig"
	"github.com/viadukt-eu/viadukt/xmlcore/c14n"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Packaging says where signature and content stand to each other.
type Packaging string

// The packagings. A detached signature names its documents; an enveloping one holds them; an enveloped one is the last child
// of the root of the one document that it signs; an internally detached one stands beside its documents, which are XML, in one root.
const (
	Detached           Packaging = "detached"
	Enveloping         Packaging = "enveloping"
	Enveloped          Packaging = "enveloped"
	InternallyDetached Packaging = "internally-detached"
)

// Params say how to sign. Signer and Time are required: the same parameters make the same octets to be signed, so that they
// can be made twice, before and after the value was made elsewhere.
type Params struct {
	Packaging       Packaging
	Signer          *pki.Certificate
	Chain           []*pki.Certificate // further certificates for ds:KeyInfo
	Time            time.Time          // claimed, written in UTC with seconds
	SignatureMethod string             // default by key
	DigestMethod    string             // of references and certificates; default SHA-256
	ID              string             // of the signature; default from time, signer and what is signed
	ReferenceID     string             // of the reference to the first document; default from ID

	Policy      *Policy
	Place       *Place
	Roles       []string
	Assertions  [][]byte // XML of what others signed about the signer
	Commitments []Commitment
	TimeStamps  []ContentTimeStamp // over all that is signed, made before

	// Alone is for an enveloped signature beside which no other will stand: it covers all of the document, where otherwise
	// what is in signatures that are children of the root is left to these.
	Alone bool

	EmbedXML bool // an enveloping signature holds documents as elements, not as base64
	Manifest bool // the one document of an enveloping signature is a ds:Manifest, which is signed as such
}

// ContentTimeStamp is a time-stamp that was made over the signed objects before they are signed [EN 319 132-1 5.2.8.1].
type ContentTimeStamp struct {
	Token            []byte // DER
	Canonicalization string // of the objects that are XML; default exclusive
}

// Prepared is a signature that lacks its value.
type Prepared struct {
	*xmldsig.Prepared
	finish func(signature []byte) ([]byte, error)
}

// Complete returns the signed document, or for a detached or enveloping signature the signature, with a value made over
// ToBeSigned: see [xmldsig.Prepared.Complete].
func (p *Prepared) Complete(value []byte) ([]byte, error) {
	sig, err := p.Prepared.Complete(value)
	if err != nil {
		return nil, err
	}
	return p.finish(sig)
}

// Sign signs at baseline level B.
func Sign(key crypto.Signer, random io.Reader, documents []Document, params Params) ([]byte, error) {
	p, err := Prepare(documents, params)
	if err != nil {
		return nil, err
	}
	value, err := p.Prepared.Value(key, random)
	if err != nil {
		return nil, err
	}
	return p.Complete(value)
}

// Prepare makes all of a signature at baseline level B but its value [EN 319 132-1 6].
func Prepare(documents []Document, params Params) (*Prepared, error) {
	b := builder{Params: params, given: map[int]bool{}}
	switch {
	case b.Signer == nil || b.Signer.PublicKey == nil:
		return nil, errors.New("xades: no signing certificate with a key")
	case b.Time.IsZero():
		return nil, errors.New("xades: no signing time")
	case len(documents) == 0:
		return nil, fmt.Errorf("%w: no documents", ErrContent)
	case b.Packaging == Enveloped && len(documents) != 1:
		return nil, fmt.Errorf("%w: an enveloped signature signs one document, not %d", ErrContent, len(documents))
	}
	if b.DigestMethod == "" {
		b.DigestMethod = xmldsig.SHA256
	}
	hash, ok := xmldsig.DigestHash(b.DigestMethod)
	if !ok || !hash.Available() {
		return nil, fmt.Errorf("%w: digest method %q", xmldsig.ErrAlgorithm, b.DigestMethod)
	}
	b.hash = hash
	var err error
	switch b.Packaging {
	case Detached:
		err = b.detached(documents)
	case Enveloping:
		err = b.enveloping(documents)
	case Enveloped:
		err = b.enveloped(documents[0])
	case InternallyDetached:
		err = b.beside(documents)
	default:
		err = fmt.Errorf("xades: no packaging %q", b.Packaging)
	}
	if err != nil {
		return nil, err
	}
	return b.prepare()
}

// PrepareCounter makes all of a counter-signature but its value: of the signature that was checked, which must hold, though
// what it signs need not be at hand [EN 319 132-1 5.2.7.2]. Complete returns the document with it. Packaging of the parameters does not count.
func PrepareCounter(of *Checked, params Params) (*Prepared, error) {
	b := builder{Params: params, counter: of}
	switch {
	case b.Signer == nil || b.Signer.PublicKey == nil:
		return nil, errors.New("xades: no signing certificate with a key")
	case b.Time.IsZero():
		return nil, errors.New("xades: no signing time")
	case of.ValueErr != nil || slices.ContainsFunc(of.Errs, func(err error) bool { return errors.Is(err, xmldsig.ErrDigest) }):
		return nil, fmt.Errorf("%w: a signature that does not hold is not counter-signed", ErrLevel)
	case of.Value.Attr("Id") == "":
		return nil, fmt.Errorf("%w: the element of its value has no Id by which a counter-signature could name it", ErrLevel)
	}
	if b.DigestMethod == "" {
		b.DigestMethod = xmldsig.SHA256
	}
	var ok bool
	if b.hash, ok = xmldsig.DigestHash(b.DigestMethod); !ok || !b.hash.Available() {
		return nil, fmt.Errorf("%w: digest method %q", xmldsig.ErrAlgorithm, b.DigestMethod)
	}
	exclusive := c14n.Method{Algorithm: c14n.Exclusive10}
	sum := b.hash.New()
	if err := exclusive.Write(sum, of.Value); err != nil {
		return nil, err
	}
	b.refs = []xmldsig.SignReference{{URI: "#" + of.Value.Attr("Id"), Type: TypeCountersignature, Digest: sum.Sum(nil), Transforms: []xmldsig.Transform{xmldsig.Canonicalize(exclusive)}}}
	return b.prepare()
}

// builder collects a signature.
type builder struct {
	Params
	hash    crypto.Hash
	refs    []xmldsig.SignReference // without their ids
	formats []DataObjectFormat      // of each
	objects []func(w *dom.Writer)
	inside  []func() []byte // documents that stand beside the signature
	given   map[int]bool    // references that name an Id of what is signed
	late    []func() error  // what can be digested once the ids are known
	root    dom.Node        // into which the signature goes, for an enveloped one
	counter *Checked        // that is counter-signed
}

func (b *builder) detached(documents []Document) error {
	for _, d := range documents {
		sum, err := d.digest(b.hash)
		if err != nil {
			return err
		}
		if d.Name == "" && len(documents) > 1 {
			return fmt.Errorf("%w: several documents need names", ErrContent)
		}
		b.add(xmldsig.SignReference{URI: escape(d.Name), Digest: sum}, d)
	}
	return nil
}

// escape writes a name as a relative URI; a colon in the first segment would make a scheme of it.
func escape(name string) string {
	u := url.URL{Path: name}
	return u.String()
}

// digest fails with ErrContent where the document is not at hand, and otherwise where it cannot be read to its end.
func (d *Document) digest(h crypto.Hash) ([]byte, error) {
	if d.Open == nil {
		if sum, ok := d.Digests[h]; ok {
			return sum, nil
		}
		return nil, fmt.Errorf("%w: of %q only other digests are known", ErrContent, d.Name)
	}
	r, err := d.Open()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrContent, err)
	}
	defer r.Close()
	sum := h.New()
	if _, err := io.Copy(sum, r); err != nil {
		return nil, fmt.Errorf("xades: %q: %w", d.Name, err)
	}
	return sum.Sum(nil), nil
}

func (d *Document) octets() ([]byte, error) {
	if d.Open == nil {
		return nil, fmt.Errorf("%w: of %q only a digest is known", ErrContent, d.Name)
	}
	r, err := d.Open()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrContent, err)
	}
	defer r.Close()
	var b held
	if _, err := io.Copy(&b, r); errors.Is(err, errTooLarge) {
		return nil, fmt.Errorf("%w: %q %w: sign it detached as it is", ErrContent, d.Name, err)
	} else if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrContent, err)
	}
	return b.octets, nil
}

// held takes what must be held in memory, at once where that comes from memory.
type held struct{ octets []byte }

var errTooLarge = errors.New("is too large to stand in XML or to be transformed")

func (h *held) Write(b []byte) (int, error) {
	if len(h.octets)+len(b) > maxTransformed {
		return 0, errTooLarge
	}
	h.octets = append(h.octets, b...)
	return len(b), nil
}

// enveloping holds each document in a ds:Object as base64, which any octets survive.
func (b *builder) enveloping(documents []Document) error {
	if b.Manifest && len(documents) != 1 {
		return fmt.Errorf("%w: one manifest is signed, not %d", ErrContent, len(documents))
	}
	for _, d := range documents {
		content, err := d.octets()
		if err != nil {
			return err
		}
		if b.EmbedXML || b.Manifest {
			if err := b.embed(d, content); err != nil {
				return err
			}
			continue
		}
		sum := b.hash.New()
		sum.Write(content)
		n := strconv.Itoa(len(b.refs) + 1)
		b.add(xmldsig.SignReference{URI: "#o" + n + "-", Type: xmldsig.TypeObject, Digest: sum.Sum(nil), Transforms: []xmldsig.Transform{{Algorithm: xmldsig.Base64}}}, d)
		mime := b.formats[len(b.formats)-1].MimeType
		b.objects = append(b.objects, func(w *dom.Writer) {
			w.Start("ds:Object", "Encoding", xmldsig.Base64, "Id", "o"+n+"-"+b.ID, "MimeType", mime)
			w.Base64(content)
			w.End()
		})
	}
	return nil
}

// embed holds a document in a ds:Object as an element. It is written in canonical form, with all namespaces that it declares, and
// signed in exclusive form: itself where it is a manifest, else the object.
func (b *builder) embed(d Document, content []byte) error {
	doc, err := dom.Parse(content, dom.Limits{})
	if err != nil {
		return fmt.Errorf("%w: %q is not XML: %w", ErrContent, d.Name, err)
	}
	root := doc.Root()
	whole, err := c14n.Append(nil, c14n.Method{Algorithm: c14n.Inclusive10}, root)
	if err != nil {
		return err
	}
	if d.MimeType == "" {
		d.MimeType = "text/xml"
	}
	exclusive := c14n.Method{Algorithm: c14n.Exclusive10}
	transforms := []xmldsig.Transform{xmldsig.Canonicalize(exclusive)}
	sum := b.hash.New()
	if err := exclusive.Write(sum, root); err != nil {
		return err
	}
	if b.Manifest {
		id := root.Attr("Id")
		if !root.Is(xmldsig.Namespace, "Manifest") || id == "" {
			return fmt.Errorf("%w: %q is no ds:Manifest with an Id", ErrContent, d.Name)
		}
		b.given[0] = true
		b.add(xmldsig.SignReference{URI: "#" + id, Type: xmldsig.TypeManifest, Digest: sum.Sum(nil), Transforms: transforms}, d)
		b.objects = append(b.objects, func(w *dom.Writer) {
			w.Start("ds:Object")
			w.Raw(whole)
			w.End()
		})
		return nil
	}
	n := len(b.refs)
	b.add(xmldsig.SignReference{URI: fmt.Sprintf("#o%d-", n+1), Type: xmldsig.TypeObject, Digest: sum.Sum(nil), Transforms: transforms}, d)
	write := func(w *dom.Writer, attrs ...string) {
		w.Start("ds:Object", append(attrs, "Id", fmt.Sprintf("o%d-%s", n+1, b.ID), "MimeType", b.formats[n].MimeType)...)
		w.Raw(whole)
		w.End()
	}
	b.objects = append(b.objects, func(w *dom.Writer) { write(w) })
	b.late = append(b.late, func() error {
		w := dom.NewWriter(nil)
		write(w, "xmlns:ds", xmldsig.Namespace)
		object, err := dom.Parse(w.Bytes(), dom.Limits{})
		if err != nil {
			return err
		}
		sum := b.hash.New()
		err = exclusive.Write(sum, object.Root())
		b.refs[n].Digest = sum.Sum(nil)
		return err
	})
	return nil
}

// beside holds each document, as it is in canonical form, next to the signature. One whose root has no Id gets one.
func (b *builder) beside(documents []Document) error {
	exclusive := c14n.Method{Algorithm: c14n.Exclusive10}
	for _, d := range documents {
		content, err := d.octets()
		if err != nil {
			return err
		}
		doc, err := dom.Parse(content, dom.Limits{})
		if err != nil {
			return fmt.Errorf("%w: %q is not XML: %w", ErrContent, d.Name, err)
		}
		root := doc.Root()
		whole, err := c14n.Append(nil, c14n.Method{Algorithm: c14n.Inclusive10}, root)
		if err != nil {
			return err
		}
		sum := b.hash.New()
		if err := exclusive.Write(sum, root); err != nil {
			return err
		}
		if d.MimeType == "" {
			d.MimeType = "text/xml"
		}
		r := xmldsig.SignReference{URI: "#" + root.Attr("Id"), Digest: sum.Sum(nil), Transforms: []xmldsig.Transform{xmldsig.Canonicalize(exclusive)}}
		if r.URI != "#" {
			b.given[len(b.refs)] = true
			b.add(r, d)
			b.inside = append(b.inside, func() []byte { return whole })
			continue
		}
		n, name := len(b.refs), len("<"+root.QName())
		r.URI = fmt.Sprintf("#d%d-", n+1)
		b.add(r, d)
		named := func() []byte { // canonical form begins with the name of the root
			return slices.Concat(whole[:name], fmt.Appendf(nil, ` Id="d%d-%s"`, n+1, b.ID), whole[name:])
		}
		b.inside = append(b.inside, named)
		b.late = append(b.late, func() error {
			doc, err := dom.Parse(named(), dom.Limits{})
			if err != nil {
				return err
			}
			sum := b.hash.New()
			err = exclusive.Write(sum, doc.Root())
			b.refs[n].Digest = sum.Sum(nil)
			return err
		})
	}
	return nil
}

func (b *builder) enveloped(d Document) error {
	content, err := d.octets()
	if err != nil {
		return err
	}
	doc, err := dom.Parse(content, dom.Limits{})
	if err != nil {
		return err
	}
	b.root = doc.Root()
	// What a prefix in a value means is signed with it, which the exclusive form leaves out; nothing stands around a whole document.
	whole := c14n.Method{Algorithm: c14n.Inclusive10}
	if b.Alone { // as trusted lists must have it [TS 119 612 annex B]
		whole.Algorithm = c14n.Exclusive10
	}
	transform, beside, err := b.neighbours(doc)
	if err != nil {
		return err
	}
	sum := b.hash.New()
	if err := whole.Write(sum, doc.Node(), beside...); err != nil {
		return err
	}
	if d.MimeType == "" {
		d.MimeType = "text/xml"
	}
	b.add(xmldsig.SignReference{Digest: sum.Sum(nil), Transforms: []xmldsig.Transform{transform, xmldsig.Canonicalize(whole)}}, d)
	return nil
}

// neighbours are the signatures beside which an enveloped one will stand, and the transform that leaves them out. Signatures
// that are part of the content are signed with it, and then none can stand beside this one.
func (b *builder) neighbours(doc *dom.Document) (xmldsig.Transform, []dom.Node, error) {
	var beside []dom.Node
	content := false
	for _, n := range Find(doc) {
		if n.Parent() == doc.Root() {
			beside = append(beside, n)
		} else {
			content = true
		}
	}
	if b.Alone || content {
		return xmldsig.Transform{Algorithm: xmldsig.Enveloped}, nil, b.spare(doc, beside)
	}
	return xmldsig.WithoutSignatures(), beside, b.spare(doc, beside)
}

// spare refuses to sign where a signature that holds would not hold any more once another stands beside it.
func (b *builder) spare(doc *dom.Document, beside []dom.Node) error {
	if len(beside) == 0 {
		return nil
	}
	intact := func(doc *dom.Document, i int) bool {
		found := Find(doc)
		if i >= len(found) {
			return false
		}
		s, err := Parse(found[i])
		if err != nil {
			return false
		}
		c, err := s.Check(CheckOptions{})
		if err != nil || c.ValueErr != nil {
			return false
		}
		return !slices.ContainsFunc(c.Errs, func(err error) bool { return errors.Is(err, xmldsig.ErrDigest) })
	}
	more, err := xmldsig.InsertLast(doc.Root(), []byte(`<ds:Signature xmlns:ds="`+xmldsig.Namespace+`"/>`))
	if err != nil {
		return err
	}
	then, err := dom.Parse(more, dom.Limits{})
	if err != nil {
		return err
	}
	for i, n := range Find(doc) {
		if slices.Contains(beside, n) && intact(doc, i) && !intact(then, i) {
			return n.Errorf("%w: this signature covers all of the document, so none can stand beside it", ErrNeighbour)
		}
	}
	return nil
}

func (b *builder) add(r xmldsig.SignReference, d Document) {
	mime := d.MimeType
	if mime == "" {
		mime = "application/octet-stream"
	}
	b.refs = append(b.refs, r)
	b.formats = append(b.formats, DataObjectFormat{MimeType: mime})
}

// prepare gives everything its ids, writes the properties and digests them.
func (b *builder) prepare() (*Prepared, error) {
	if b.ID == "" {
		h := sha256.New()
		h.Write(b.Signer.Raw)
		h.Write([]byte(b.Time.UTC().Format(time.RFC3339)))
		for i := range b.refs {
			h.Write([]byte(b.refs[i].URI))
			h.Write(b.refs[i].Digest)
		}
		b.ID = "id-" + hex.EncodeToString(h.Sum(nil)[:16])
	}
	for i := range b.refs {
		r := &b.refs[i]
		r.DigestMethod, r.ID = b.DigestMethod, fmt.Sprintf("r%d-%s", i+1, b.ID)
		if i == 0 && b.ReferenceID != "" {
			r.ID = b.ReferenceID
		}
		if b.counter != nil {
			continue // what it signs has an identity, and no format
		}
		if strings.HasPrefix(r.URI, "#") && !b.given[i] {
			r.URI += b.ID
		}
		b.formats[i].Reference = "#" + r.ID
	}
	for _, digest := range b.late {
		if err := digest(); err != nil {
			return nil, err
		}
	}
	properties, err := b.properties()
	if err != nil {
		return nil, err
	}
	doc, err := dom.Parse([]byte(string(properties)), dom.Limits{})
	if err != nil {
		return nil, err
	}
	exclusive := c14n.Method{Algorithm: c14n.Exclusive10}
	sum := b.hash.New()
	if err := exclusive.Write(sum, doc.Root()); err != nil {
		return nil, err
	}
	refs := append(b.refs, xmldsig.SignReference{
		URI: "#" + b.propertiesID(), Type: TypeSignedProperties, Digest: sum.Sum(nil), DigestMethod: b.DigestMethod,
		Transforms: []xmldsig.Transform{xmldsig.Canonicalize(exclusive)},
	})
	p, err := xmldsig.Prepare(b.Signer.PublicKey, refs, xmldsig.SignOptions{
		SignatureMethod: b.SignatureMethod, ID: b.ID, ValueID: "value-" + b.ID,
		KeyInfo: xmldsig.X509Data(append([]*pki.Certificate{b.Signer}, b.Chain...)...),
		Object: func(w *dom.Writer) {
			w.Start("ds:Object")
			w.Start("xades:QualifyingProperties", "xmlns:xades", Namespace, "Target", "#"+b.ID)
			w.Raw(properties)
			w.End()
			w.End()
			for _, o := range b.objects {
				o(w)
			}
		},
	})
	if err != nil {
		return nil, err
	}
	return &Prepared{p, func(signature []byte) ([]byte, error) {
		if b.counter != nil {
			return b.counter.insert(fmt.Appendf(nil, `<xades:CounterSignature xmlns:xades="%s">%s</xades:CounterSignature>`, Namespace, signature))
		}
		if b.inside != nil {
			out := []byte(`<?xml version="1.0" encoding="UTF-8"?><internally-detached>`)
			for _, document := range b.inside {
				out = append(out, document()...)
			}
			return append(append(out, signature...), "</internally-detached>"...), nil
		}
		if !b.root.Valid() {
			return append([]byte(`<?xml version="1.0" encoding="UTF-8"?>`), signature...), nil
		}
		return xmldsig.InsertLast(b.root, signature)
	}}, nil
}

func (b *builder) propertiesID() string { return "xades-" + b.ID }

// properties writes SignedProperties, which declares its namespaces, in the order of the schema.
func (b *builder) properties() ([]byte, error) {
	w := dom.NewWriter(nil)
	w.Start("xades:SignedProperties", "xmlns:ds", xmldsig.Namespace, "xmlns:xades", Namespace, "Id", b.propertiesID())
	w.Start("xades:SignedSignatureProperties")
	w.Element("xades:SigningTime", b.Time.UTC().Format("2006-01-02T15:04:05Z"))
	issuer, err := marshalIssuerSerial(b.Signer)
	if err != nil {
		return nil, err
	}
	sum := b.hash.New()
	sum.Write(b.Signer.Raw)
	w.Start("xades:SigningCertificateV2")
	w.Start("xades:Cert")
	w.Start("xades:CertDigest")
	writeDigest(w, b.DigestMethod, sum.Sum(nil))
	w.End()
	w.Element("xades:IssuerSerialV2", base64.StdEncoding.EncodeToString(issuer))
	w.End()
	w.End()
	if b.Policy != nil {
		if err := b.writePolicy(w); err != nil {
			return nil, err
		}
	}
	if p := b.Place; p != nil {
		w.Start("xades:SignatureProductionPlaceV2")
		for _, f := range [][2]string{{"City", p.City}, {"StreetAddress", p.Street}, {"StateOrProvince", p.State}, {"PostalCode", p.PostalCode}, {"CountryName", p.Country}} {
			if f[1] != "" {
				w.Element("xades:"+f[0], f[1])
			}
		}
		w.End()
	}
	if len(b.Roles)+len(b.Assertions) > 0 {
		if err := b.writeRoles(w); err != nil {
			return nil, err
		}
	}
	w.End()
	if len(b.formats)+len(b.Commitments)+len(b.TimeStamps) == 0 {
		w.End()
		return w.Bytes(), nil
	}
	w.Start("xades:SignedDataObjectProperties")
	for _, f := range b.formats {
		w.Start("xades:DataObjectFormat", "ObjectReference", f.Reference)
		w.Element("xades:MimeType", f.MimeType)
		w.End()
	}
	for _, c := range b.Commitments {
		w.Start("xades:CommitmentTypeIndication")
		w.Start("xades:CommitmentTypeId")
		writeIdentifier(w, c.ID, "")
		if c.Description != "" {
			w.Element("xades:Description", c.Description)
		}
		w.End()
		for _, r := range c.References {
			w.Element("xades:ObjectReference", r)
		}
		if len(c.References) == 0 {
			w.Element("xades:AllSignedDataObjects", "")
		}
		w.End()
	}
	for i, t := range b.TimeStamps {
		method := t.Canonicalization
		if method == "" {
			method = c14n.Exclusive10
		}
		w.Start("xades:AllDataObjectsTimeStamp", "Id", fmt.Sprintf("cts%d-%s", i+1, b.ID))
		w.Element("ds:CanonicalizationMethod", "", "Algorithm", method)
		w.Start("xades:EncapsulatedTimeStamp")
		w.Base64(t.Token)
		w.End()
		w.End()
	}
	w.End()
	w.End()
	return w.Bytes(), nil
}

// writeRoles writes what the signer claims to be and what others say about it [EN 319 132-1 5.2.6].
func (b *builder) writeRoles(w *dom.Writer) error {
	w.Start("xades:SignerRoleV2")
	if len(b.Roles) > 0 {
		w.Start("xades:ClaimedRoles")
		for _, r := range b.Roles {
			w.Element("xades:ClaimedRole", r)
		}
		w.End()
	}
	if len(b.Assertions) > 0 {
		w.Start("xades:SignedAssertions")
		for i, a := range b.Assertions {
			doc, err := dom.Parse(bytes.Clone(a), dom.Limits{})
			if err != nil {
				return fmt.Errorf("%w: signed assertion %d is not XML: %w", ErrStructure, i+1, err)
			}
			whole, err := c14n.Append(nil, c14n.Method{Algorithm: c14n.Inclusive10}, doc.Root())
			if err != nil {
				return err
			}
			w.Start("xades:SignedAssertion")
			w.Raw(whole)
			w.End()
		}
		w.End()
	}
	w.End()
	return nil
}

func writeDigest(w *dom.Writer, method string, sum []byte) {
	w.Element("ds:DigestMethod", "", "Algorithm", method)
	w.Start("ds:DigestValue")
	w.Base64(sum)
	w.End()
}

// writeIdentifier writes an OID as a URN, and any other identifier as it is.
func writeIdentifier(w *dom.Writer, id, qualifier string) {
	if _, ok := pki.ParseOID(id); ok {
		id, qualifier = "urn:oid:"+id, "OIDAsURN"
	}
	if qualifier == "" {
		w.Element("xades:Identifier", id)
		return
	}
	w.Element("xades:Identifier", id, "Qualifier", qualifier)
}

func (b *builder) writePolicy(w *dom.Writer) error {
	p := b.Policy
	w.Start("xades:SignaturePolicyIdentifier")
	defer w.End()
	if p.Implied {
		w.Element("xades:SignaturePolicyImplied", "")
		return nil
	}
	if h, ok := xmldsig.DigestHash(p.DigestMethod); p.ID == "" || !ok || len(p.Digest) != h.Size() {
		return fmt.Errorf("%w: a signature policy needs an identifier and a digest [EN 319 132-1 5.2.9]", ErrStructure)
	}
	w.Start("xades:SignaturePolicyId")
	w.Start("xades:SigPolicyId")
	writeIdentifier(w, p.ID, p.Qualifier)
	if p.Description != "" {
		w.Element("xades:Description", p.Description)
	}
	w.End()
	w.Start("xades:SigPolicyHash")
	writeDigest(w, p.DigestMethod, p.Digest)
	w.End()
	if p.URI != "" || p.Notice != "" {
		w.Start("xades:SigPolicyQualifiers")
		if p.URI != "" {
			w.Start("xades:SigPolicyQualifier")
			w.Element("xades:SPURI", p.URI)
			w.End()
		}
		if p.Notice != "" {
			w.Start("xades:SigPolicyQualifier")
			w.Start("xades:SPUserNotice")
			w.Element("xades:ExplicitText", p.Notice)
			w.End()
			w.End()
		}
		w.End()
	}
	w.End()
	return nil
}
