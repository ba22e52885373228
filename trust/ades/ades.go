// Package ades signs documents and brings signatures to a higher level, in whichever of the AdES formats and containers: one set
// of parameters for XAdES, CAdES, PAdES, JAdES and ASiC, where the packages of these formats have more of their own.
//
// Signing takes two steps, so that the key may be elsewhere: [Prepare] makes all of a signature but its value, and what is
// to be signed goes to the key. Equal parameters make equal octets, so a service need not remember anything between the two.
package ades

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/trust/asic"
	"github.com/viadukt-eu/viadukt/trust/cades"
	"github.com/viadukt-eu/viadukt/trust/cms"
	"github.com/viadukt-eu/viadukt/trust/gather"
	"github.com/viadukt-eu/viadukt/trust/jades"
	"github.com/viadukt-eu/viadukt/trust/pades"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/tsp"
	"github.com/viadukt-eu/viadukt/trust/xades"
	"github.com/viadukt-eu/viadukt/trust/xmldsig"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Errors.
var (
	// ErrParams: what is asked for does not go together, and the text says what.
	ErrParams = errors.New("ades: parameters")
	// ErrBroken: a signature does not hold, so it is not extended.
	ErrBroken = errors.New("ades: a signature does not hold")
	// ErrCovered: an addition would break what covers the signature.
	ErrCovered = errors.New("ades: a signature is covered by another")
	// ErrNoStamper: a time-stamp is needed and nobody is given who makes one.
	ErrNoStamper = errors.New("ades: a time-stamping authority is needed")
)

// Format of a signature.
type Format string

// The formats.
const (
	XAdES Format = "xades"
	CAdES Format = "cades"
	PAdES Format = "pades"
	JAdES Format = "jades"
)

// Packaging is where signature and content stand.
type Packaging string

// The kinds of packaging.
const (
	Enveloped  Packaging = "enveloped"  // the signature stands in the document: XML, PDF
	Enveloping Packaging = "enveloping" // the document stands in the signature
	Detached   Packaging = "detached"
	// InternallyDetached is of XAdES: documents that are XML and the signature stand beside each other in one root.
	InternallyDetached Packaging = "internally-detached"
)

// Container for documents and their signature.
type Container string

// The containers; "" is none.
const (
	ASiCS Container = "asic-s" // one document
	ASiCE Container = "asic-e"
)

// Params say what to make at level B. Signer and Time are required.
type Params struct {
	Format    Format
	Container Container
	// Packaging is by default enveloped for XML in XAdES and for PAdES, otherwise enveloping; in containers always detached.
	Packaging Packaging
	Signer    *pki.Certificate
	Chain     []*pki.Certificate
	Time      time.Time   // claimed, to the second
	Hash      crypto.Hash // default by key
	PSS       bool

	Roles         []string
	Assertions    [][]byte // of XAdES: what others signed about the signer, XML
	Place         xades.Place
	PostalAddress []string // of CAdES: lines of the place
	Commitments   []string // OIDs, as URN or URI where the format wants that
	Policy        *Policy
	ContentStamps []ContentStamp // made before, over what is signed

	ReferenceHash crypto.Hash // of XAdES and JAdES: of references and certificates; of ASiC-E with CAdES: of the files; where it is another than Hash
	Alone         bool        // of XAdES: no other enveloped signature will stand beside this one
	ReferenceID   string      // of XAdES: of the reference to the first document; default made up
	EmbedXML      bool        // of XAdES: an enveloping signature holds documents as elements, not as base64
	Manifest      bool        // of XAdES: the one document is a ds:Manifest, and signed as such

	JSON      jades.Serialization // of JAdES; default compact
	RawJSON   bool                // of JAdES: the content is signed as it is, not in base64url
	Mechanism jades.Mechanism     // of detached JAdES; default by URI and hash
	PDF       pades.Parameters    // of PAdES: field, reason, appearance; the rest is set from here

	raise func(signature []byte, documents []xades.Document) ([]byte, error) // to level T, where Sign shall
}

// Unnamed leaves it to the reader to know what a detached JAdES signature is over.
const Unnamed jades.Mechanism = "none"

// ContentStamp is a time-stamp over what is signed. The form in which it is over XML is of XAdES alone.
type ContentStamp struct {
	Token            *tsp.Token
	Canonicalization string // default exclusive
}

func tokens(list []ContentStamp) (out []*tsp.Token) {
	for _, s := range list {
		out = append(out, s.Token)
	}
	return out
}

// Pending is a signature that lacks its value.
type Pending struct {
	toBeSigned []byte
	complete   func(w io.Writer, value []byte) error
	value      func(random io.Reader, key pki.Key) ([]byte, error)
}

// whole makes a completion of one that returns all octets.
func whole(complete func(value []byte) ([]byte, error)) func(io.Writer, []byte) error {
	return func(w io.Writer, value []byte) error {
		b, err := complete(value)
		if err != nil {
			return err
		}
		_, err = w.Write(b)
		return err
	}
}

// ToBeSigned is what the value is to be made over.
func (p *Pending) ToBeSigned() []byte { return p.toBeSigned }

// Complete writes the signed document, or what stands for it, with a value in the form of [crypto.Signer]; for ECDSA the
// bare pair is taken, too. A value that does not hold is refused, with nothing written.
func (p *Pending) Complete(w io.Writer, value []byte) error { return p.complete(w, value) }

// Sign writes a signature made with a key at hand: at level B, or T where a stamper is given; random nil is crypto/rand. The
// documents of a container, and those signed detached, are read as they pass, and not held.
func Sign(ctx context.Context, w io.Writer, random io.Reader, id *pki.Identity, documents []xades.Document, p Params, stamper tsp.Stamper) error {
	p.by(ctx, id, stamper)
	q, err := Prepare(documents, p)
	if err != nil {
		return err
	}
	return q.sign(w, random, id)
}

// by says who signs, and who makes a time-stamp; nil for nobody.
func (p *Params) by(ctx context.Context, id *pki.Identity, stamper tsp.Stamper) {
	p.Signer = id.Certificate
	if p.Chain == nil {
		p.Chain = id.Chain
	}
	if stamper != nil {
		p.raise = func(b []byte, documents []xades.Document) ([]byte, error) {
			return Extend(ctx, b, LevelT, Extension{Stamper: stamper, Known: gather.Options{Documents: documents}})
		}
	}
}

func (p *Pending) sign(w io.Writer, random io.Reader, id *pki.Identity) error {
	value, err := p.value(random, id.Key)
	if err != nil {
		return err
	}
	return p.Complete(w, value)
}

// Prepare makes all of a signature at level B but its value.
func Prepare(documents []xades.Document, p Params) (*Pending, error) {
	switch {
	case p.Signer == nil || p.Signer.PublicKey == nil:
		return nil, fmt.Errorf("%w: no signing certificate", ErrParams)
	case p.Time.IsZero():
		return nil, fmt.Errorf("%w: no time of signing", ErrParams)
	case len(documents) == 0:
		return nil, fmt.Errorf("%w: nothing to sign", ErrParams)
	}
	if err := p.belongs(); err != nil {
		return nil, err
	}
	if p.Container != "" {
		return p.contain(documents)
	}
	q, err := p.prepare(documents)
	if err != nil || p.raise == nil {
		return q, err
	}
	alone := q.complete
	q.complete = whole(func(value []byte) ([]byte, error) {
		var b bytes.Buffer
		if err := alone(&b, value); err != nil {
			return nil, err
		}
		return p.raise(b.Bytes(), documents)
	})
	return q, nil
}

// belongs refuses what the format has no place for.
func (p *Params) belongs() error {
	for _, x := range []struct {
		asked   bool
		what    string
		formats []Format
	}{
		{len(p.Assertions) > 0, "signed assertions", []Format{XAdES}},
		{len(p.PostalAddress) > 0, "a postal address in lines", []Format{CAdES}},
		{p.Alone, "a signature alone", []Format{XAdES}},
		{p.EmbedXML, "documents as elements", []Format{XAdES}},
		{p.Manifest, "a manifest", []Format{XAdES}},
		{p.RawJSON, "content as it is", []Format{JAdES}},
		{p.Mechanism != "", "a way to name content", []Format{JAdES}},
	} {
		if x.asked && !slices.Contains(x.formats, p.Format) {
			return fmt.Errorf("%w: %s: not of %s", ErrParams, x.what, p.Format)
		}
	}
	return nil
}

func (p *Params) prepare(documents []xades.Document) (*Pending, error) {
	switch p.Format {
	case XAdES:
		return p.xades(documents)
	case CAdES, PAdES:
		if len(documents) != 1 {
			return nil, fmt.Errorf("%w: %s signs one document, not %d; a container holds more", ErrParams, p.Format, len(documents))
		}
		if p.Format == PAdES {
			return p.pades(&documents[0])
		}
		return p.cades(&documents[0])
	case JAdES:
		return p.jades(documents)
	}
	return nil, fmt.Errorf("%w: there is no format %q; there are xades, cades, pades and jades", ErrParams, p.Format)
}

func (p *Params) xadesParams() (xades.Params, error) {
	x := xades.Params{Packaging: xades.Packaging(p.Packaging), Signer: p.Signer, Chain: p.Chain, Time: p.Time, Roles: p.Roles, Assertions: p.Assertions, ReferenceID: p.ReferenceID,
		Alone: p.Alone, EmbedXML: p.EmbedXML, Manifest: p.Manifest}
	var err error
	if x.Policy, err = p.Policy.xades(); err != nil {
		return x, err
	}
	for _, s := range p.ContentStamps {
		x.TimeStamps = append(x.TimeStamps, xades.ContentTimeStamp{Token: s.Token.Raw, Canonicalization: s.Canonicalization})
	}
	if p.Place != (xades.Place{}) {
		place := p.Place
		x.Place = &place
	}
	for _, id := range p.Commitments {
		x.Commitments = append(x.Commitments, xades.Commitment{ID: id})
	}
	if p.Hash != 0 {
		x.DigestMethod, x.SignatureMethod = xmldsig.MethodFor(p.Signer.PublicKey, p.Hash, p.PSS)
		if x.DigestMethod == "" || x.SignatureMethod == "" {
			return x, fmt.Errorf("%w: there is no XML signature with this key and %s", ErrParams, p.Hash)
		}
	}
	if p.ReferenceHash != 0 {
		x.DigestMethod, _ = xmldsig.MethodFor(nil, p.ReferenceHash, false)
	}
	return x, nil
}

func (p *Params) xades(documents []xades.Document) (*Pending, error) {
	x, err := p.xadesParams()
	if err != nil {
		return nil, err
	}
	if x.Packaging == "" {
		x.Packaging = xades.Enveloping
		if len(documents) == 1 && isXML(&documents[0]) {
			x.Packaging = xades.Enveloped
		}
	}
	if (x.EmbedXML || x.Manifest) && x.Packaging != xades.Enveloping {
		return nil, fmt.Errorf("%w: documents as elements and manifests are for enveloping signatures", ErrParams)
	}
	q, err := xades.Prepare(documents, x)
	if err != nil {
		return nil, err
	}
	return pendingXML(q), nil
}

func pendingXML(q *xades.Prepared) *Pending {
	return &Pending{q.ToBeSigned(), whole(q.Complete), func(random io.Reader, key pki.Key) ([]byte, error) {
		signer, ok := key.(crypto.Signer)
		if !ok {
			return nil, fmt.Errorf("%w: the key cannot sign", ErrParams)
		}
		return q.Value(signer, random)
	}}
}

// PrepareCounter makes all of a counter-signature but its value: of the signature with an ID in a document, which is an Id in XML; ""
// is the only one. Format of the parameters is that of the document.
func PrepareCounter(b []byte, id string, p Params) (*Pending, error) {
	if p.Signer == nil || p.Signer.PublicKey == nil || p.Time.IsZero() {
		return nil, fmt.Errorf("%w: no signing certificate, or no time of signing", ErrParams)
	}
	none := fmt.Errorf("%w: there is no signature %q in the document, or it is not the only one", ErrParams, id)
	switch p.Format {
	case XAdES:
		doc, err := dom.Parse(bytes.Clone(b), dom.Limits{})
		if err != nil {
			return nil, err
		}
		found := xades.Find(doc)
		if id == "" && len(found) > 1 {
			ids := make([]string, len(found))
			for i, n := range found {
				ids[i] = n.Attr("Id")
			}
			return nil, fmt.Errorf("%w: the document holds several signatures: %s; name one", ErrParams, strings.Join(ids, ", "))
		}
		found = slices.DeleteFunc(found, func(n dom.Node) bool { return id != "" && n.Attr("Id") != id })
		if len(found) != 1 {
			return nil, none
		}
		s, err := xades.Parse(found[0])
		if err != nil {
			return nil, err
		}
		checked, err := s.Check(xades.CheckOptions{})
		if err != nil {
			return nil, err
		}
		x, err := p.xadesParams()
		if err != nil {
			return nil, err
		}
		q, err := xades.PrepareCounter(checked, x)
		if err != nil {
			return nil, err
		}
		return pendingXML(q), nil
	case CAdES:
		all, err := cades.Parse(b)
		if err != nil {
			return nil, err
		}
		if len(all) != 1 || id != "" {
			return nil, none
		}
		c, err := p.cms()
		if err != nil {
			return nil, err
		}
		q, err := cades.PrepareCounter(all[0], c)
		if err != nil {
			return nil, err
		}
		return pendingCMS(q, func(s *cms.SignerInfo) ([]byte, error) {
			if err := q.AddCounter(all[0], s); err != nil {
				return nil, err
			}
			return all[0].Message.Bytes()
		}), nil
	case JAdES:
		m, err := jades.Parse(b)
		if err != nil {
			return nil, err
		}
		if len(m.Signatures) != 1 || id != "" {
			return nil, none
		}
		x, err := p.jadesParams()
		if err != nil {
			return nil, err
		}
		q, err := jades.PrepareCounter(m.Signatures[0], x)
		if err != nil {
			return nil, err
		}
		return pendingJSON(q, func(value []byte) ([]byte, error) {
			if err := q.AddCounter(value); err != nil {
				return nil, err
			}
			return m.Bytes()
		})
	}
	return nil, fmt.Errorf("%w: counter-signatures are of XAdES, CAdES and JAdES", ErrParams)
}

// isXML tells XML by name, type or first octet.
func isXML(d *xades.Document) bool {
	if t, _, _ := strings.Cut(d.MimeType, ";"); t != "" {
		t = strings.ToLower(strings.TrimSpace(t))
		return strings.HasSuffix(t, "/xml") || strings.HasSuffix(t, "+xml")
	}
	return strings.HasSuffix(strings.ToLower(d.Name), ".xml")
}

func (p *Params) cms() (cades.Parameters, error) {
	c := cades.Parameters{Certificate: p.Signer, Chain: p.Chain, SigningTime: p.Time, Hash: p.Hash, PSS: p.PSS, TimeStamps: tokens(p.ContentStamps)}
	var err error
	if c.Policy, err = p.Policy.CMS(); err != nil {
		return c, err
	}
	if p.Place != (xades.Place{}) || len(p.PostalAddress) > 0 {
		c.Location = &cades.Location{Country: p.Place.Country, Locality: p.Place.City}
		for _, line := range []string{p.Place.Street, p.Place.PostalCode, p.Place.State} {
			if line != "" {
				c.Location.Postal = append(c.Location.Postal, line)
			}
		}
		c.Location.Postal = append(c.Location.Postal, p.PostalAddress...)
	}
	for _, id := range p.Commitments {
		oid, ok := pki.ParseOID(strings.TrimPrefix(id, "urn:oid:"))
		if !ok {
			return c, fmt.Errorf("%w: CAdES names commitments by OID, such as 1.2.840.113549.1.9.16.6.5, not %q", ErrParams, id)
		}
		c.Commitments = append(c.Commitments, cades.Commitment{ID: oid})
	}
	if len(p.Roles) > 0 {
		c.Claimed = []cades.ClaimedAttribute{{Type: "2.5.4.72", Values: p.Roles}}
	}
	return c, nil
}

func (p *Params) cades(d *xades.Document) (*Pending, error) {
	detached := p.Packaging == Detached
	if !detached && p.Packaging != "" && p.Packaging != Enveloping {
		return nil, fmt.Errorf("%w: CAdES is enveloping or detached, not %s", ErrParams, p.Packaging)
	}
	c, err := p.cms()
	if err != nil {
		return nil, err
	}
	content := gather.Content(*d)
	var within []byte
	if !detached {
		if within, err = octets(d); err != nil {
			return nil, err
		}
		content = cms.Bytes(within)
	}
	q, err := cades.Prepare(content, c)
	if err != nil {
		return nil, err
	}
	return pendingCMS(q, func(s *cms.SignerInfo) ([]byte, error) {
		m, err := q.Message(s, within)
		if err != nil {
			return nil, err
		}
		return m.Bytes()
	}), nil
}

func pendingCMS(q *cades.Pending, finish func(*cms.SignerInfo) ([]byte, error)) *Pending {
	return &Pending{q.ToBeSigned(), whole(func(value []byte) ([]byte, error) {
		s, err := q.Complete(value)
		if err != nil {
			return nil, err
		}
		return finish(s)
	}), func(random io.Reader, key pki.Key) ([]byte, error) {
		s, err := q.Sign(random, key)
		if err != nil {
			return nil, err
		}
		return s.Signature, nil
	}}
}

func (p *Params) pades(d *xades.Document) (*Pending, error) {
	if p.Packaging != "" && p.Packaging != Enveloped {
		return nil, fmt.Errorf("%w: PAdES is enveloped, not %s", ErrParams, p.Packaging)
	}
	b, err := octets(d)
	if err != nil {
		return nil, err
	}
	doc, err := pades.Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil, err
	}
	x, err := p.pdfParameters()
	if err != nil {
		return nil, err
	}
	q, err := pades.Prepare(doc, x)
	if err != nil {
		return nil, err
	}
	out := pendingCMS(q.Pending, nil)
	out.complete = func(w io.Writer, value []byte) error {
		s, err := q.Complete(value)
		if err != nil {
			return err
		}
		parts, err := q.Parts(s)
		if err != nil {
			return err
		}
		for _, part := range append([][]byte{b}, parts...) {
			if _, err := w.Write(part); err != nil {
				return err
			}
		}
		return nil
	}
	return out, nil
}

func (p *Params) pdfParameters() (x pades.Parameters, err error) {
	x = p.PDF
	x.Time = p.Time
	if x.CMS, err = p.cms(); err != nil {
		return x, err
	}
	if x.Location == "" && x.CMS.Location != nil {
		x.Location = strings.Trim(p.Place.City+", "+p.Place.Country, ", ")
	}
	x.CMS.Location = nil // the dictionary has it
	return x, nil
}

func (p *Params) jadesParams() (jades.Params, error) {
	x := jades.Params{Serialization: p.JSON, Signer: p.Signer, Chain: p.Chain, Time: p.Time, Hash: p.Hash, ReferenceHash: p.ReferenceHash, PSS: p.PSS, Roles: p.Roles, Raw: p.RawJSON, TimeStamps: tokens(p.ContentStamps)}
	var err error
	if x.Policy, err = p.Policy.jades(); err != nil {
		return x, err
	}
	if p.Place != (xades.Place{}) {
		x.Place = &jades.Place{Street: p.Place.Street, City: p.Place.City, Region: p.Place.State, PostalCode: p.Place.PostalCode, Country: p.Place.Country}
	}
	for _, id := range p.Commitments {
		x.Commitments = append(x.Commitments, jades.Commitment{ID: id})
	}
	return x, nil
}

func (p *Params) jades(documents []xades.Document) (*Pending, error) {
	x, err := p.jadesParams()
	if err != nil {
		return nil, err
	}
	switch p.Packaging {
	case "", Enveloping:
		x.ContentType = documents[0].MimeType
	case Detached:
		x.Detached, x.Mechanism = true, p.Mechanism
		switch x.Mechanism {
		case "":
			x.Mechanism = jades.ByURIHash
		case Unnamed:
			x.Mechanism = ""
		}
	default:
		return nil, fmt.Errorf("%w: JAdES is enveloping or detached, not %s", ErrParams, p.Packaging)
	}
	q, err := jades.Prepare(documents, x)
	if err != nil {
		return nil, err
	}
	return pendingJSON(q, func(value []byte) ([]byte, error) {
		m, err := q.Complete(value)
		if err != nil {
			return nil, err
		}
		return m.Bytes()
	})
}

func pendingJSON(q *jades.Pending, finish func(value []byte) ([]byte, error)) (*Pending, error) {
	toBeSigned, err := q.ToBeSigned()
	if err != nil {
		return nil, err
	}
	return &Pending{toBeSigned, whole(finish), q.Value}, nil
}

// contain signs detached what a container then holds: each document, or with CMS the one of ASiC-S and else a manifest.
func (p *Params) contain(documents []xades.Document) (*Pending, error) {
	t := asic.E
	switch p.Container {
	case ASiCE:
	case ASiCS:
		if t = asic.S; len(documents) != 1 {
			return nil, fmt.Errorf("%w: an ASiC-S container holds one document, not %d; asic-e holds more", ErrParams, len(documents))
		}
	default:
		return nil, fmt.Errorf("%w: there is no container %q; there are asic-s and asic-e", ErrParams, p.Container)
	}
	if p.Packaging != "" && p.Packaging != Detached {
		return nil, fmt.Errorf("%w: signatures in containers are detached", ErrParams)
	}
	content := make([]asic.Content, len(documents))
	for i, d := range documents {
		if d.Open == nil {
			return nil, fmt.Errorf("%w: a container needs %s itself, not a digest", ErrParams, d.Name)
		}
		content[i] = asic.Content{Name: d.Name, MimeType: d.MimeType, Open: d.Open}
	}
	one := *p
	one.Container, one.Packaging = "", Detached
	signature := asic.Small{Name: "META-INF/signatures.xml"}
	var manifest *asic.Small
	switch p.Format {
	case XAdES:
		if t == asic.E {
			manifest = &asic.Small{Name: "META-INF/manifest.xml", Octets: asic.WriteFiles(content)}
		}
	case CAdES:
		signature.Name = "META-INF/signature.p7s"
		if t == asic.E {
			b, err := p.manifest(signature.Name, content)
			if err != nil {
				return nil, err
			}
			manifest = &asic.Small{Name: "META-INF/ASiCManifest.xml", Octets: b}
			documents = []xades.Document{xades.Bytes("ASiCManifest.xml", "text/xml", b)}
		}
	default:
		return nil, fmt.Errorf("%w: containers hold XAdES or CAdES [EN 319 162-1 4.2]", ErrParams)
	}
	q, err := Prepare(documents, one)
	if err != nil {
		return nil, err
	}
	alone := q.complete
	q.complete = func(w io.Writer, value []byte) error {
		var b bytes.Buffer
		if err := alone(&b, value); err != nil {
			return err
		}
		if signature.Octets = b.Bytes(); p.Format == XAdES {
			signature.Octets = asic.WrapXAdES(b.Bytes())
		}
		return asic.Write(w, t, p.Time, content, manifest, &signature)
	}
	return q, nil
}

// manifest lists the files that a CMS signature in a container is over.
func (p *Params) manifest(signature string, content []asic.Content) ([]byte, error) {
	method := xmldsig.SHA256
	if p.ReferenceHash != 0 {
		method, _ = xmldsig.MethodFor(nil, p.ReferenceHash, false)
	}
	return asic.WriteManifest(signature, "application/pkcs7-signature", content, method)
}

func octets(d *xades.Document) ([]byte, error) {
	if d.Open == nil {
		return nil, fmt.Errorf("%w: %s itself is needed, not a digest", ErrParams, d.Name)
	}
	r, err := d.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var b bytes.Buffer
	_, err = io.Copy(&b, r)
	return b.Bytes(), err
}
