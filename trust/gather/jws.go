package gather

import (
	"errors"

	"github.com/viadukt-eu/viadukt/trust/jades"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/validation"
)

// openJWS reads all signatures of a JWS, counter-signatures after the one that they sign.
func openJWS(b []byte, p *pool, opt Options) (*Result, error) {
	m, err := jades.ParseWith(b, p.parsed)
	if err != nil {
		return nil, err
	}
	r := &Result{Format: "JAdES", Lists: opt.Lists, Facts: opt.facts()}
	var take func(s *jades.Signature)
	take = func(s *jades.Signature) {
		p.add(s.Certificates...)
		p.add(s.Material.Certificates...)
		p.revocation(s.Material.CRLs, s.Material.OCSPs)
		for _, t := range s.TimeStamps {
			if t.Token != nil {
				p.addToken(t.Token)
			}
		}
		for _, c := range s.CounterSignatures {
			take(c)
		}
	}
	for _, s := range m.Signatures {
		take(s)
	}
	check := jades.CheckOptions{Documents: opt.Documents, HTTP: opt.HTTP, Certificates: append(append([]*pki.Certificate{}, opt.Certificates...), opt.Anchors...)}
	var add func(s *jades.Signature, parent *validation.Signature)
	add = func(s *jades.Signature, parent *validation.Signature) {
		v := jsonSignature(s.Check(check), p)
		v.Counter = parent
		r.add(v, p)
		for _, c := range s.CounterSignatures {
			add(c, v.Signature)
		}
	}
	for _, s := range m.Signatures {
		add(s, nil)
	}
	markDuplicates(r)
	r.take(p.signers, p.list)
	return r, nil
}

func jsonSignature(c *jades.Checked, p *pool) *Signature {
	raw := c.Raw()
	v := &validation.Signature{
		Token:  validation.Token{ID: idOf(raw), Intact: c.ValueErr == nil},
		Format: string(c.Level()), Claimed: c.SigningTime, Structure: errors.Join(c.Faults...),
	}
	out := &Signature{Signature: v, Level: v.Format, Packaging: "enveloping", Certificate: c.Signer, Unreadable: c.Unreadable, value: raw}
	if c.Message.Detached() {
		out.Packaging = "detached"
	} else {
		out.originals = writerOriginal(c.WriteContent)
	}
	v.Algorithm = algorithmOf(pki.SignatureAlgorithm{Scheme: c.Scheme, Hash: c.Hash}, c.Signer)
	// What the signer's algorithm makes of content and value is one step: content that was changed shows as a value that does not hold.
	v.References = []validation.Reference{{
		Name: "the signing input", Kind: "JWS_SIGNING_INPUT_DIGEST", Digest: v.Algorithm.Digest, Found: !errors.Is(c.ValueErr, jades.ErrContent), Intact: c.ValueErr == nil,
	}}
	for _, x := range c.References {
		v.References = append(v.References, validation.Reference{
			Name: x.Name, Kind: "SIG_D_ENTRY", Digest: digestName(x.Hash), Found: !errors.Is(x.Err, jades.ErrContent), Intact: x.Err == nil,
		})
	}
	if c.CounterErr != nil {
		v.References = append(v.References, validation.Reference{Name: "the value that it counter-signs", Kind: "COUNTER_SIGNED_SIGNATURE_VALUE", Found: true})
	}
	if c.CriticalErr != nil {
		v.Malformed = append(v.Malformed, validation.Malformed{Question: "Is every critical header understood?", Answer: c.CriticalErr.Error(), Clause: "RFC 7515 4.1.11"})
	}
	if len(c.Named) > 0 { // the others name the chain
		n := c.Named[0]
		v.Certificates = []validation.SigningCertificate{{
			Digest: digestName(n.Hash), HasDigest: len(n.Digest) > 0, Matches: c.Signer != nil && n.Matches(c.Signer), IssuerSerial: true,
		}}
	}
	covered := []string{v.ID}
	for _, x := range c.Signature.Certificates {
		covered = append(covered, certificateID(x))
	}
	out.inside = append(out.inside, covered[1:]...)
	for _, x := range c.Material.Certificates {
		out.inside = append(out.inside, certificateID(x))
	}
	for _, x := range append(append([][]byte{}, c.Material.CRLs...), c.Material.OCSPs...) {
		out.inside = append(out.inside, p.id(x))
	}
	for _, t := range c.TimeStamps {
		if t.Token != nil {
			out.inside = append(out.inside, p.inside(t.Token)...)
		}
		v.TimeStamps = append(v.TimeStamps, jsonTimeStamp(c, t, covered, v.TimeStamps, p))
	}
	return out
}

var jsonKinds = map[jades.Kind]string{
	jades.ContentTimeStamp: "CONTENT_TIMESTAMP", jades.SignatureTimeStamp: "SIGNATURE_TIMESTAMP",
	jades.SigAndRefs: "VALIDATION_DATA_TIMESTAMP", jades.RefsOnly: "VALIDATION_DATA_REFSONLY_TIMESTAMP", jades.Archive: "ARCHIVE_TIMESTAMP",
}

func jsonTimeStamp(c *jades.Checked, t *jades.TimeStamp, covered []string, before []*validation.TimeStamp, p *pool) *validation.TimeStamp {
	v := p.token(t.Token, jsonKinds[t.Kind])
	if t.Token == nil {
		return v
	}
	if h := t.Token.Info.Hash; h.Available() {
		sum := h.New()
		err := c.WriteImprint(sum, t)
		v.ImprintFound, v.ImprintIntact = err == nil, err == nil && string(sum.Sum(nil)) == string(t.Token.Info.Imprint)
	}
	if t.Kind != jades.ContentTimeStamp && t.Kind != jades.RefsOnly {
		v.Covers = append(v.Covers, covered...)
	}
	if t.Kind != jades.Archive {
		return v
	}
	m := c.MaterialBefore(t)
	for _, x := range m.Certificates {
		v.Covers = append(v.Covers, certificateID(x))
	}
	for _, x := range append(append([][]byte{}, m.CRLs...), m.OCSPs...) {
		v.Covers = append(v.Covers, p.id(x))
	}
	for i, other := range c.TimeStamps {
		if other.Property >= t.Property {
			break
		}
		v.Covers = append(v.Covers, before[i].ID)
		if other.Token != nil {
			v.Covers = append(v.Covers, p.inside(other.Token)...)
		}
	}
	return v
}
