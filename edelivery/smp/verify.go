package smp

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/ids"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/xmldsig"
	"github.com/viadukt-eu/viadukt/xmlcore/c14n"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// VerifyOptions is the question that an answer has to fit, and what it takes to believe it.
type VerifyOptions struct {
	// Trust judges the signer, for [pki.PurposeSMP], at the time of its clock. Required.
	Trust *pki.Verifier
	// Participant and DocumentType are what was asked for. Required.
	Participant  ids.Participant
	DocumentType ids.DocumentType
	// Rules say how identifiers are compared. The zero value: participants without case, document types with it.
	Rules ids.Rules
	// Generations that are accepted; nil is all three.
	Generations []Generation
	// OldMaterial accepts rsa-sha1 with sha1, and exclusive canonicalisation where Trust's clock stands before
	// 2022-05-01, when Busdox gave it up [PSMP]. Only for archived answers, at their own time.
	OldMaterial bool
}

// Signed is what a good answer proves.
type Signed struct {
	Metadata  *ServiceMetadata
	Signer    *pki.Certificate
	Chain     []*pki.Certificate // Signer first, anchor last
	Algorithm string             // SignatureMethod
	Document  *dom.Document      // the document whose octets were signed
}

// VerifyMetadata checks a signed answer in the order of the steps below; each failure is a refusal with its own
// sentinel, and nothing of the document is returned with one. It takes ownership of src.
//
//  1. well-formed without DTD, within the limits: [ErrSyntax], [ErrTooLarge]
//  2. the root that was asked for, one signature in its place: [ErrRoot], [ErrUnsigned], [ErrSignatureCount], [ErrSignaturePlace]
//  3. one reference to the whole document, one transform, allowed algorithms: [ErrCoverage], [ErrAlgorithm]
//  4. digest and signature value: [ErrSignature]
//  5. chain, validity and role of the signer: [ErrUntrusted], [ErrNotSMP]
//  6. the identifiers inside are those of the question: [ErrWrongParticipant], [ErrWrongDocument]
//
// Where 2.0 has several signatures one good one by a trusted SMP suffices, because two enveloped signatures over one
// document cannot both hold. A generation 1 redirect names no identifiers, so step 6 looks at its href.
func VerifyMetadata(ctx context.Context, src []byte, opt VerifyOptions) (*Signed, error) {
	doc, err := parseXML(src)
	if err != nil {
		return nil, err
	}
	root := doc.Root()
	g := generationOf(root, "SignedServiceMetadata", NamespaceMeta20, "ServiceMetadata")
	if g == 0 || !opt.accepts(g) {
		return nil, wrongRoot(root, "signed metadata of an accepted generation")
	}
	s, err := verifySignatures(ctx, doc, g, opt)
	if err != nil {
		return nil, err
	}
	if s.Metadata, err = readMetadata(doc); err != nil {
		return nil, err
	}
	if err := opt.compare(s.Metadata); err != nil {
		return nil, err
	}
	return s, nil
}

// VerifyGroup checks a ServiceGroup: the participant, and in 2.0 the signatures where there are any. Without one the
// group is a hint, as it always is in generation 1. It takes ownership of src. DocumentType of opt is not looked at.
func VerifyGroup(ctx context.Context, src []byte, opt VerifyOptions) (*ServiceGroup, error) {
	doc, err := parseXML(src)
	if err != nil {
		return nil, err
	}
	root := doc.Root()
	g := generationOf(root, "ServiceGroup", NamespaceGroup20, "ServiceGroup")
	if g == 0 || !opt.accepts(g) {
		return nil, wrongRoot(root, "a ServiceGroup of an accepted generation")
	}
	sg, err := readGroup(doc)
	if err != nil {
		return nil, err
	}
	if sg.Signed {
		if _, err := verifySignatures(ctx, doc, g, opt); err != nil {
			return nil, err
		}
	}
	if !opt.Rules.SameParticipant(sg.Participant, opt.Participant) {
		return nil, fmt.Errorf("%w: %q instead of %q", ErrWrongParticipant, sg.Participant, opt.Participant)
	}
	return sg, nil
}

// generationOf tells the generation by the root element, 0 when it is another one.
func generationOf(root dom.Node, local1, space2, local2 string) Generation {
	if root.Is(space2, local2) {
		return OASIS20
	}
	if v := vocabularyOf(root.Space()); v != nil && root.Local() == local1 {
		return v.generation
	}
	return 0
}

func (o *VerifyOptions) accepts(g Generation) bool {
	if len(o.Generations) == 0 {
		return true
	}
	for _, a := range o.Generations {
		if a == g {
			return true
		}
	}
	return false
}

func (o *VerifyOptions) compare(md *ServiceMetadata) error {
	p, d := md.Participant, md.DocumentType
	if p.IsZero() { // a redirect of generation 1
		var err error
		if d, err = ids.ParseReference(md.Redirect.Href, o.Participant); err != nil {
			return fmt.Errorf("%w: redirect to %q", ErrWrongParticipant, md.Redirect.Href)
		}
		p = o.Participant
	}
	if !o.Rules.SameParticipant(p, o.Participant) {
		return fmt.Errorf("%w: %q instead of %q", ErrWrongParticipant, p, o.Participant)
	}
	if !o.Rules.SameDocumentType(d, o.DocumentType) {
		return fmt.Errorf("%w: %q instead of %q", ErrWrongDocument, d, o.DocumentType)
	}
	return nil
}

// maxSignatures bounds what a 2.0 document may make us compute.
const maxSignatures = 4

func verifySignatures(ctx context.Context, doc *dom.Document, g Generation, opt VerifyOptions) (*Signed, error) {
	sigs, err := signatures(doc, g)
	if err != nil {
		return nil, err
	}
	for _, sig := range sigs {
		var s *Signed
		var e error
		if s, e = verifyOne(ctx, doc, sig, g, opt); e == nil {
			return s, nil
		}
		err = errors.Join(err, e)
	}
	return nil, err
}

// signatures finds every ds:Signature and refuses it outside its place: a child of the root at the end.
func signatures(doc *dom.Document, g Generation) (sigs []dom.Node, err error) {
	root := doc.Root()
	for n := range root.Descendants() {
		if n.Kind() != dom.ElementNode || !n.Is(nsDS, "Signature") {
			continue
		}
		if n.Parent() != root {
			return nil, n.Errorf("%w: inside %s", ErrSignaturePlace, n.Parent().QName())
		}
		if next := n.NextElement(); next.Valid() && !next.Is(nsDS, "Signature") {
			return nil, n.Errorf("%w: before %s", ErrSignaturePlace, next.QName())
		}
		sigs = append(sigs, n)
	}
	most := 1
	if g == OASIS20 {
		most = maxSignatures
	}
	switch {
	case len(sigs) == 0:
		return nil, ErrUnsigned
	case len(sigs) > most:
		return nil, sigs[1].Errorf("%w: %d where %d may be", ErrSignatureCount, len(sigs), most)
	}
	return sigs, nil
}

func verifyOne(ctx context.Context, doc *dom.Document, sig dom.Node, g Generation, opt VerifyOptions) (*Signed, error) {
	if err := checkCoverage(sig); err != nil {
		return nil, err
	}
	res, err := xmldsig.Verify(sig, opt.signatureOptions(g))
	switch {
	case errors.Is(err, xmldsig.ErrAlgorithm):
		return nil, fmt.Errorf("%w: %w", ErrAlgorithm, err)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrSignature, err)
	}
	// The form was checked above; this asks what the verifier really hashed.
	if len(res.References) != 1 || res.References[0].Anonymous || res.References[0].URI != "" || res.References[0].Node != doc.Node() {
		return nil, sig.Errorf("%w", ErrCoverage)
	}
	if len(res.Certificates) == 0 {
		return nil, sig.Errorf("%w: no X509Certificate in KeyInfo", ErrUntrusted)
	}
	signer := res.Certificates[0]
	chain, err := opt.Trust.VerifyContext(ctx, signer, res.Certificates[1:], pki.PurposeSMP)
	switch {
	case errors.Is(err, pki.ErrWrongPurpose):
		return nil, fmt.Errorf("%w: %s: %w", ErrNotSMP, signer.Subject, err)
	case err != nil:
		return nil, fmt.Errorf("%w: %s: %w", ErrUntrusted, signer.Subject, err)
	}
	return &Signed{Signer: signer, Chain: chain, Algorithm: res.SignatureMethod, Document: doc}, nil
}

// checkCoverage wants exactly one Reference, URI="", with exactly the enveloped-signature transform: then what is
// signed is the whole document, and no wrapping is possible.
func checkCoverage(sig dom.Node) error {
	info := sig.Child(nsDS, "SignedInfo")
	ref := info.Child(nsDS, "Reference")
	if !ref.Valid() {
		return sig.Errorf("%w: no Reference", ErrCoverage)
	}
	if next := ref.NextElement(); next.Valid() {
		return next.Errorf("%w: more than one Reference", ErrCoverage)
	}
	if uri := ref.Attribute("", "URI"); !uri.Valid() || len(uri.Value()) > 0 {
		return ref.Errorf("%w: URI %q instead of \"\"", ErrCoverage, ref.Attr("URI"))
	}
	tr := ref.Child(nsDS, "Transforms").FirstElement()
	if !tr.Valid() || tr.NextElement().Valid() || !tr.Is(nsDS, "Transform") || tr.Attr("Algorithm") != xmldsig.Enveloped {
		return ref.Errorf("%w: other transforms than the one enveloped-signature", ErrCoverage)
	}
	return nil
}

// exclusiveEnd is when Busdox changed to inclusive canonicalisation [PSMP].
var exclusiveEnd = time.Date(2022, 5, 1, 0, 0, 0, 0, time.UTC)

// signatureOptions is the table of algorithms by generation and date.
func (o *VerifyOptions) signatureOptions(g Generation) xmldsig.VerifyOptions {
	x := xmldsig.VerifyOptions{
		Transforms:        []string{xmldsig.Enveloped},
		Signatures:        []string{xmldsig.RSASHA256},
		Digests:           []string{xmldsig.SHA256},
		Canonicalizations: []string{c14n.Inclusive10},
		MaxReferences:     1,
	}
	if g == OASIS20 { // rsa-sha256 is a SHOULD, so what is at least as strong passes [SMP2 4.5]
		x.Signatures = append(x.Signatures, xmldsig.RSASHA384, xmldsig.RSASHA512, xmldsig.RSAPSSSHA256, xmldsig.RSAPSSSHA384,
			xmldsig.RSAPSSSHA512, xmldsig.ECDSASHA256, xmldsig.ECDSASHA384, xmldsig.ECDSASHA512, xmldsig.Ed25519)
		x.Digests = append(x.Digests, xmldsig.SHA384, xmldsig.SHA512)
		x.Canonicalizations = []string{c14n.Inclusive11}
	}
	if o.OldMaterial {
		x.AllowSHA1 = true
		x.Signatures = append(x.Signatures, xmldsig.RSASHA1)
		x.Digests = append(x.Digests, xmldsig.SHA1)
		if g == Busdox10 && o.now().Before(exclusiveEnd) {
			x.Canonicalizations = append(x.Canonicalizations, c14n.Exclusive10)
		}
	}
	return x
}

func (o *VerifyOptions) now() time.Time {
	if o.Trust.Clock != nil {
		return o.Trust.Clock()
	}
	return time.Now()
}
