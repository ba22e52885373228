package gather

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/tsp"
	"github.com/viadukt-eu/viadukt/trust/validation"
	"github.com/viadukt-eu/viadukt/trust/xades"
	"github.com/viadukt-eu/viadukt/trust/xmldsig"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// openXML reads all signatures of an XML document, counter-signatures after the one that they sign. It keeps b.
func openXML(b []byte, p *pool, opt Options) (*Result, error) {
	doc, err := dom.Parse(b, dom.Limits{})
	if err != nil {
		return nil, err
	}
	ids := xmldsig.IndexIDs(doc, xmldsig.IDPolicy{})
	type pending struct {
		checked *xades.Checked
		parent  int // in the list, -1 for none
		err     error
		sig     *xades.Signature
	}
	var all []pending
	var read func(s *xades.Signature, parent int)
	read = func(s *xades.Signature, parent int) {
		c, err := s.Check(xades.CheckOptions{Documents: opt.Documents, Certificates: append(append([]*pki.Certificate{}, opt.Certificates...), opt.Anchors...), IDs: ids})
		at := len(all)
		all = append(all, pending{checked: c, parent: parent, err: err, sig: s})
		for i := range s.CounterSignatures {
			if counter, err := s.Counter(i); err == nil {
				read(counter, at)
			}
		}
	}
	found := xades.Find(doc)
	if len(found) == 0 {
		return nil, ErrNoSignature
	}
	for _, n := range found {
		s, err := xades.ParseWith(n, p.parsed)
		if err != nil {
			return nil, err
		}
		read(s, -1)
	}
	tokens, records := map[*xades.TimeStamp][]*tsp.Token{}, map[*xades.Signature][]parsedRecord{}
	for i := range all {
		s := all[i].sig
		p.add(s.Material.Certificates...)
		p.revocation(s.Material.CRLs, s.Material.OCSPs)
		if c := all[i].checked; c != nil {
			p.add(c.KeyInfo...)
		} else if c, _ := claimedSigner(s, p.parsed); c != nil {
			p.add(c)
		}
		for _, t := range s.TimeStamps {
			for _, raw := range t.Tokens {
				token, err := tsp.ParseTokenWith(raw, p.parsed)
				tokens[t] = append(tokens[t], token)
				if err != nil {
					tokens[t][len(tokens[t])-1] = nil
					continue
				}
				p.addToken(token)
			}
		}
		for k := range s.EvidenceRecords {
			records[s] = append(records[s], p.xmlRecord(&s.EvidenceRecords[k]))
		}
	}
	r := &Result{Format: "XAdES", Lists: opt.Lists, Facts: opt.facts()}
	for i := range all {
		x := &all[i]
		if x.err != nil {
			v := &validation.Signature{Token: validation.Token{ID: fmt.Sprint(x.sig.Node.Path())}, Claimed: x.sig.SigningTime}
			one := &Signature{Signature: v}
			if errors.Is(x.err, xmldsig.ErrAlgorithm) {
				v.Unverifiable = oddAlgorithms.Replace(x.err.Error())
				one.Certificate, v.Certificates = claimedSigner(x.sig, p.parsed)
			} else {
				v.Malformed = []validation.Malformed{{Question: "Can the signature be read?", Answer: x.err.Error(), Clause: "XMLDSIG 3.2"}}
			}
			r.add(one, p)
			continue
		}
		s := xmlSignature(x.checked, p, tokens, records[x.sig])
		if x.parent >= 0 {
			s.Counter = r.Facts.Signatures[x.parent]
		}
		r.add(s, p)
	}
	markDuplicates(r)
	r.take(p.signers, p.list)
	return r, nil
}

// claimedSigner is whom a signature of which nothing can be computed says to be by: the certificate that its properties name.
func claimedSigner(s *xades.Signature, known *pki.Parsed) (*pki.Certificate, []validation.SigningCertificate) {
	certs, err := xmldsig.CertificatesFromInfo(s.Node.Child(xmldsig.Namespace, "KeyInfo"), known)
	if err != nil || len(s.Certificates) == 0 {
		return nil, nil
	}
	i := slices.IndexFunc(certs, s.Certificates[0].Matches)
	if i < 0 {
		return nil, nil
	}
	return certs[i], []validation.SigningCertificate{{HasDigest: true, Matches: true, IssuerSerial: true}}
}

func xmlSignature(c *xades.Checked, p *pool, tokens map[*xades.TimeStamp][]*tsp.Token, records []parsedRecord) *Signature {
	v := &validation.Signature{
		Token:  validation.Token{ID: idOf(c.Node.Raw()), Intact: c.ValueErr == nil},
		Format: string(c.Level()), Claimed: c.SigningTime,
	}
	s := &Signature{Signature: v, Level: string(c.Level()), Packaging: packaging(c), Certificate: c.Signer, value: c.Examination.Value, Unreadable: c.Unreadable}
	v.Algorithm = algorithmOf(pki.SignatureAlgorithm{Scheme: c.Scheme, Hash: c.Hash}, c.Signer)
	for i := range c.References {
		ref := &c.References[i]
		err := c.Errs[i]
		h, _ := xmldsig.DigestHash(ref.DigestMethod)
		x := validation.Reference{
			Name: referenceName(ref), Kind: ref.Type, Digest: digestName(h),
			Found: err == nil || errors.Is(err, xmldsig.ErrDigest), Intact: err == nil,
		}
		if name := oddDigests[ref.Element.Child(xmldsig.Namespace, "DigestMethod").Attr("Algorithm")]; name != "" { // what is no algorithm at all was not hashed with one
			x.Digest, x.Unverifiable = name, fmt.Sprintf("the digest algorithm %s is not acceptable", name)
		}
		v.References = append(v.References, x)
		if err == nil && chosen(ref) && !ref.Node.Valid() {
			v.Doubts = append(v.Doubts, validation.Malformed{Question: "Is all of what the signature names signed?", Answer: "expressions in the signature choose what of " + x.Name + " is signed", Clause: "XMLDSIG 8.1"})
		}
	}
	if !signsContent(c) { // properties are there to say something of what else is signed
		v.References = append(v.References, validation.Reference{Name: "a reference to the content"})
	}
	for i := range c.Entries {
		e := &c.Entries[i]
		h, _ := xmldsig.DigestHash(e.DigestMethod)
		v.References = append(v.References, validation.Reference{
			Name: referenceName(&e.Reference), Kind: "MANIFEST_ENTRY", Digest: digestName(h), Entry: true,
			Found: e.Err == nil || errors.Is(e.Err, xmldsig.ErrDigest), Intact: e.Err == nil,
		})
		if errors.Is(e.Err, xmldsig.ErrAmbiguous) {
			v.Malformed = append(v.Malformed, validation.Malformed{Question: "Is it clear what the manifest lists?", Answer: e.Err.Error(), Clause: "XMLDSIG 5.1"})
		}
	}
	v.NeedsProperty = c.Properties.Valid()
	v.HasProperty = c.PropertiesErr == nil
	if len(c.Certificates) > 0 { // the others name the chain
		n := &c.Certificates[0]
		h, _ := xmldsig.DigestHash(n.DigestMethod)
		v.Certificates = []validation.SigningCertificate{{
			Digest: digestName(h), HasDigest: len(n.Digest) > 0, Matches: c.Signer != nil && n.Matches(c.Signer), IssuerSerial: c.IssuerSerialErr == nil,
		}}
	}
	if c.CounterErr != nil {
		v.References = append(v.References, validation.Reference{Name: "the value that it counter-signs", Kind: xades.TypeCountersignature, Found: true})
	}
	if c.TypeErr != nil {
		v.References = append(v.References, validation.Reference{Name: "an object of the type that a reference claims"})
	}
	covered := []string{v.ID}
	for _, k := range c.KeyInfo {
		covered = append(covered, certificateID(k))
	}
	s.inside = append(s.inside, covered[1:]...)
	for _, x := range c.Material.Certificates {
		s.inside = append(s.inside, certificateID(x))
	}
	for _, x := range append(append([][]byte{}, c.Material.CRLs...), c.Material.OCSPs...) {
		s.inside = append(s.inside, p.id(x))
	}
	for _, t := range c.TimeStamps {
		for _, token := range tokens[t] {
			if token != nil {
				s.inside = append(s.inside, p.inside(token)...)
			}
			v.TimeStamps = append(v.TimeStamps, xmlTimeStamp(c, t, token, covered, p, tokens))
		}
	}
	xmlRecords(c, p, s, covered, records, tokens)
	s.originals = func(limit int64) ([]Original, error) { return xmlOriginals(c, limit) }
	return s
}

var kinds = map[xades.Kind]string{
	xades.AllDataObjects: "ALL_DATA_OBJECTS_TIMESTAMP", xades.IndividualDataObjects: "INDIVIDUAL_DATA_OBJECTS_TIMESTAMP",
	xades.SignatureTimeStamp: "SIGNATURE_TIMESTAMP", xades.SigAndRefs: "VALIDATION_DATA_TIMESTAMP", xades.RefsOnly: "VALIDATION_DATA_REFSONLY_TIMESTAMP",
}

func xmlTimeStamp(c *xades.Checked, t *xades.TimeStamp, token *tsp.Token, covered []string, p *pool, tokens map[*xades.TimeStamp][]*tsp.Token) *validation.TimeStamp {
	kind, ok := kinds[t.Kind]
	if !ok {
		kind = "ARCHIVE_TIMESTAMP"
	}
	v := p.token(token, kind)
	if token == nil {
		return v
	}
	if token.Info.Hash.Available() {
		sum := token.Info.Hash.New()
		err := c.WriteImprint(sum, t)
		v.ImprintFound, v.ImprintIntact = err == nil, err == nil && string(sum.Sum(nil)) == string(token.Info.Imprint)
	}
	switch kind {
	case "ALL_DATA_OBJECTS_TIMESTAMP", "INDIVIDUAL_DATA_OBJECTS_TIMESTAMP":
	case "VALIDATION_DATA_REFSONLY_TIMESTAMP":
	default:
		v.Covers = append(v.Covers, covered...)
	}
	if kind == "ARCHIVE_TIMESTAMP" {
		v.Covers = append(v.Covers, p.before(c, t.Node, tokens)...)
	}
	return v
}

// before lists the tokens in the properties that stand before one.
func (p *pool) before(c *xades.Checked, property dom.Node, tokens map[*xades.TimeStamp][]*tsp.Token) (out []string) {
	m := c.MaterialBefore(property)
	for _, x := range m.Certificates {
		out = append(out, certificateID(x))
	}
	for _, x := range append(m.CRLs, m.OCSPs...) {
		out = append(out, p.id(x))
	}
	for _, t := range c.TimeStamps {
		if t.Node.Offset() >= property.Offset() {
			break
		}
		for _, token := range tokens[t] {
			if token != nil {
				out = append(append(out, p.id(token.Raw)), p.inside(token)...)
			}
		}
	}
	return out
}

// signsContent tells whether a signature has a reference to something else than its own properties and key, of which transforms leave
// something [EN 319 102-1 5.2.7].
func signsContent(c *xades.Checked) bool {
	for i := range c.References {
		r := &c.References[i]
		if t := r.Target; !t.Valid() || t != c.Signed && !(t.Is(xmldsig.Namespace, "KeyInfo") && t.Parent() == c.Node) && !emptied(r) {
			return true
		}
	}
	return false
}

// emptied tells whether expressions chose nothing of what a reference is to.
func emptied(r *xmldsig.Reference) bool {
	h, ok := xmldsig.DigestHash(r.DigestMethod)
	return ok && chosen(r) && bytes.Equal(r.Digest, h.New().Sum(nil))
}

// chosen tells whether expressions choose what of a reference is signed.
func chosen(r *xmldsig.Reference) bool {
	return slices.ContainsFunc(r.Transforms, func(t xmldsig.Transform) bool {
		return t.Algorithm == xmldsig.XPath || t.Algorithm == xmldsig.XPathFilter2
	})
}

func referenceName(r *xmldsig.Reference) string {
	switch {
	case r.Type == xades.TypeSignedProperties:
		return "the list of signed properties"
	case r.URI == "":
		return "the document"
	}
	return r.URI
}

// packaging tells where the signed content stands.
func packaging(c *xades.Checked) string {
	for i := range c.References {
		t := c.References[i].Target
		switch {
		case !t.Valid():
			return "detached"
		case t.Contains(c.Node):
			return "enveloped"
		case c.Node.Contains(t) && !c.Properties.Contains(t) && !t.Contains(c.Properties):
			return "enveloping"
		case !c.Node.Contains(t):
			return "internally-detached"
		}
	}
	return "detached"
}

// markDuplicates marks signatures whose value stands twice in the document.
func markDuplicates(r *Result) {
	if len(r.Signatures) < 2 {
		return
	}
	seen := map[string]*validation.Signature{}
	for _, s := range r.Signatures {
		if s.value == nil {
			continue
		}
		key := string(s.value)
		if other := seen[key]; other != nil {
			s.Duplicated, other.Duplicated = true, true
		}
		seen[key] = s.Signature
	}
}
