package gather

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"io"

	"github.com/viadukt-eu/viadukt/trust/cades"
	"github.com/viadukt-eu/viadukt/trust/cms"
	"github.com/viadukt-eu/viadukt/trust/ers"
	"github.com/viadukt-eu/viadukt/trust/tsp"
	"github.com/viadukt-eu/viadukt/trust/validation"
	"github.com/viadukt-eu/viadukt/trust/xades"
)

// tstInfo is the type of what a time-stamp token signs, as it is encoded [RFC 3161 2.4.2].
var tstInfo = []byte("\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x04")

// openMessage reads a CMS message: signatures, or a time-stamp by itself, also within the answer of its authority.
func openMessage(b []byte, p *pool, opt Options) (*Result, error) {
	if bytes.Contains(b[:min(len(b), 512)], tstInfo) { // else most messages would be read twice
		if token, err := tsp.ParseTokenWith(b, p.parsed); err == nil {
			return openToken(token, p, opt), nil
		}
	}
	return openCMS(b, p, opt)
}

// openToken reads a time-stamp, which may be over the one document of the options.
func openToken(token *tsp.Token, p *pool, opt Options) *Result {
	r := &Result{Format: "RFC 3161", Lists: opt.Lists, Facts: opt.facts()}
	p.addToken(token)
	v := p.token(token, "CONTENT_TIMESTAMP")
	r.take(p.signers, p.list)
	if len(opt.Documents) > 0 {
		err := token.CheckImprint(outside{opt.Documents[0]})
		v.ImprintFound, v.ImprintIntact = !errors.Is(err, cms.ErrContent), err == nil
	}
	r.addStamps(v)
	return r
}

// openCMS reads the signatures of a CMS message. Its content may be the one document of the options.
func openCMS(b []byte, p *pool, opt Options) (*Result, error) {
	all, err := cades.ParseWith(b, p.parsed)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, ErrNoSignature
	}
	var content cms.Content
	if all[0].Message.Detached && len(opt.Documents) > 0 {
		content = outside{opt.Documents[0]}
	}
	r := &Result{Format: "CAdES", Lists: opt.Lists, Facts: opt.facts()}
	records := map[*cades.Signature][]parsedRecord{}
	var take func(s *cades.Signature)
	take = func(s *cades.Signature) {
		for _, e := range s.EvidenceRecords {
			records[s] = append(records[s], p.readRecord(ers.Parse(e.Raw)))
		}
		m := s.Material()
		p.add(m.Certificates...)
		p.revocation(m.CRLs, m.OCSPs)
		for _, t := range s.TimeStamps {
			if t.Token != nil {
				p.addToken(t.Token)
			}
		}
		for _, c := range s.CounterSignatures {
			take(c)
		}
	}
	for _, s := range all {
		take(s)
	}
	var add func(s *cades.Signature, parent *validation.Signature)
	add = func(s *cades.Signature, parent *validation.Signature) {
		v := cmsSignature(s, s.Verify(content, p.list...), content, p, opt)
		v.Counter = parent
		r.add(v, p)
		for _, c := range s.CounterSignatures {
			add(c, v.Signature)
		}
	}
	for _, s := range all {
		add(s, nil)
	}
	r.cmsRecords(all, content, p, records)
	r.take(p.signers, p.list)
	return r, nil
}

// Content is a document as detached content of CMS: hashed as it is read, or by the digests that are known of it.
func Content(d xades.Document) cms.Content { return outside{d} }

type outside struct{ xades.Document }

// Digest implements cms.Content.
func (d outside) Digest(h crypto.Hash) ([]byte, error) {
	if sum, ok := d.Digests[h]; ok {
		return sum, nil
	}
	if !h.Available() {
		return nil, cms.ErrAlgorithm
	}
	sum := h.New()
	if _, err := d.WriteTo(sum); err != nil {
		return nil, err
	}
	return sum.Sum(nil), nil
}

// WriteTo implements cms.Content.
func (d outside) WriteTo(w io.Writer) (int64, error) {
	if d.Open == nil {
		return 0, cms.ErrContent
	}
	r, err := d.Open()
	if err != nil {
		return 0, fmt.Errorf("%w: %w", cms.ErrContent, err)
	}
	defer r.Close()
	return io.Copy(w, r)
}

func cmsSignature(s *cades.Signature, f *cms.Facts, content cms.Content, p *pool, opt Options) *Signature {
	v := &validation.Signature{
		Token:  validation.Token{ID: idOf(s.Signer.Signature), Intact: f.Signature == nil && f.Attributes == nil},
		Format: string(s.Level(opt.Anchors...)), Claimed: s.SigningTime, NeedsProperty: true, HasProperty: f.Attributes == nil,
	}
	out := &Signature{Signature: v, Level: v.Format, Packaging: "attached", Certificate: f.Certificate, Unreadable: s.Problems}
	if s.Message.Detached {
		out.Packaging = "detached"
	} else {
		out.originals = writerOriginal(func(w io.Writer) error {
			_, err := s.Message.Content().WriteTo(w)
			return err
		})
	}
	v.Algorithm = algorithmOf(f.Algorithm, f.Certificate)
	if v.Unverifiable = unverifiable(f); v.Unverifiable != "" && out.Certificate == nil && len(f.Candidates) > 0 {
		out.Certificate = f.Candidates[0] // whom it says to be by
	}
	v.References = []validation.Reference{{
		Name: "the content", Kind: "MESSAGE_DIGEST", Digest: digestName(f.Hash), Found: !errors.Is(f.Content, cms.ErrContent), Intact: f.Content == nil,
	}}
	if len(f.Named) > 0 {
		v.Certificates = []validation.SigningCertificate{{HasDigest: true, Matches: f.NamesCertificate(), IssuerSerial: true}}
	}
	for _, c := range s.Message.Certificates {
		out.inside = append(out.inside, p.id(c.Raw))
	}
	for _, r := range s.Message.Revocation {
		out.inside = append(out.inside, p.id(r.Value))
	}
	for _, t := range s.TimeStamps {
		v.TimeStamps = append(v.TimeStamps, cmsTimeStamp(s, t, content, v, p))
		if t.Token != nil {
			out.inside = append(out.inside, p.inside(t.Token)...)
		}
	}
	return out
}

// unverifiable names an algorithm of a message that is not known here.
func unverifiable(f *cms.Facts) string {
	for _, err := range []error{f.Content, f.Signature} {
		if errors.Is(err, cms.ErrAlgorithm) && !errors.Is(err, cms.ErrSignature) { // some contradict themselves
			return oddAlgorithms.Replace(err.Error())
		}
	}
	return ""
}

var cmsKinds = map[cades.Kind]string{cades.ContentTimeStamp: "CONTENT_TIMESTAMP", cades.SignatureTimeStamp: "SIGNATURE_TIMESTAMP"}

func cmsTimeStamp(s *cades.Signature, t *cades.TimeStamp, content cms.Content, sig *validation.Signature, p *pool) *validation.TimeStamp {
	kind, ok := cmsKinds[t.Kind]
	if !ok {
		kind = "ARCHIVE_TIMESTAMP"
	}
	v := p.token(t.Token, kind)
	if t.Token == nil {
		return v
	}
	f := t.Check(content, p.list...)
	v.ImprintFound, v.ImprintIntact = !errors.Is(f.Imprint, cms.ErrContent), f.Imprint == nil
	if errors.Is(f.Imprint, cades.ErrForm) {
		v.Unverifiable = f.Imprint.Error()
	}
	if f.Covers.Signature {
		v.Covers = append(v.Covers, sig.ID)
	}
	for _, i := range f.Covers.Certificates {
		v.Covers = append(v.Covers, p.id(s.Message.Certificates[i].Raw))
	}
	for _, i := range f.Covers.Revocation {
		v.Covers = append(v.Covers, p.id(s.Message.Revocation[i].Value))
	}
	covers := map[int]bool{}
	for _, i := range f.Covers.Attributes {
		covers[i] = true
	}
	for _, other := range s.TimeStamps {
		if other.Token != nil && covers[other.Attribute] {
			v.Covers = append(append(v.Covers, p.id(other.Token.Raw)), p.inside(other.Token)...)
		}
	}
	return v
}

// addToken takes what a token brings along into the pool.
func (p *pool) addToken(t *tsp.Token) {
	for _, c := range t.Message.Certificates {
		p.add(c.Certificate)
	}
	for _, r := range t.Message.Revocation {
		if r.OCSP() {
			p.revocation(nil, [][]byte{r.Value})
		} else if r.Format == "" {
			p.revocation([][]byte{r.Value}, nil)
		}
	}
}

// inside lists what stands in a token: whoever covers the token covers it.
func (p *pool) inside(t *tsp.Token) (out []string) {
	for _, c := range t.Message.Certificates {
		out = append(out, p.id(c.Raw))
	}
	for _, r := range t.Message.Revocation {
		out = append(out, p.id(r.Value))
	}
	return out
}

// token gathers what holds of a time-stamp by itself; nil is one that cannot be read.
func (p *pool) token(t *tsp.Token, kind string) *validation.TimeStamp {
	v := &validation.TimeStamp{Kind: kind}
	if t == nil {
		v.Malformed = []validation.Malformed{{Question: "Can the time-stamp be read?", Answer: "it is no time-stamp token", Clause: "RFC 3161 2.4.2"}}
		return v
	}
	f := t.Verify(p.list...)
	v.Token = validation.Token{ID: p.id(t.Raw), Raw: t.Raw, Intact: f.Err() == nil, Unverifiable: unverifiable(f.Facts)}
	v.Time, v.Digest = t.Info.Time.UTC(), digestName(t.Info.Hash)
	v.Algorithm = algorithmOf(f.Algorithm, f.Certificate)
	if f.Certificate != nil {
		v.Signer, v.Chain = p.certificate(f.Certificate), p.chain(f.Certificate)
		p.signers = append(p.signers, f.Certificate)
		p.listed(f.Certificate)
	}
	return v
}
