package cades

import (
	"context"
	"crypto"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/viadukt-eu/viadukt/trust/cms"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/tsp"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Parameters say what a signature of level B shall say. Equal parameters make equal octets to be signed, so that the two steps of
// signing elsewhere need share no state.
type Parameters struct {
	Certificate *pki.Certificate
	Chain       []*pki.Certificate // written beside it
	SigningTime time.Time          // must be set, but for PDF, which has the time elsewhere
	Hash        crypto.Hash        // default SHA-256, or SHA-512 for Ed25519
	PSS         bool
	ByKey       bool    // name the signer by key identifier
	ContentType pki.OID // default id-data
	PDF         bool    // no signing-time [EN 319 142-1 6.3]
	Policy      *Policy // Implied, or ID with HashOID and Digest
	Commitments []Commitment
	Location    *Location
	Claimed     []ClaimedAttribute // roles and the like; values are written as UTF8String
	Hints       *ContentHints
	MimeType    string // the content's; not together with Hints
	Identifier  []byte
	Reference   []byte          // content-reference, DER
	TimeStamps  []*tsp.Token    // content time-stamps, made before
	Further     []cms.Attribute // signed attributes of others' making
}

// RoleAttribute is the type of claimed attributes that are roles.
const RoleAttribute pki.OID = "2.5.4.72"

// attributes makes the signed attributes, but for those that package cms adds.
func (p *Parameters) attributes() ([]cms.Attribute, error) {
	hash := p.Hash
	if hash == 0 {
		hash = crypto.SHA256
	}
	if p.Certificate == nil {
		return nil, fmt.Errorf("%w: no certificate", ErrStructure)
	}
	if p.MimeType != "" && p.Hints != nil {
		return nil, fmt.Errorf("%w: mime-type together with content-hints [EN 319 122-1 6.3]", ErrStructure)
	}
	named, err := cms.SigningCertificate(hash, p.Certificate)
	if err != nil {
		return nil, err
	}
	out := slices.Concat([]cms.Attribute{named}, p.Further)
	add := func(t pki.OID, f cryptobyte.BuilderContinuation) {
		var b cryptobyte.Builder
		f(&b)
		der, e := b.Bytes()
		if e == nil {
			var a cms.Attribute
			if a, e = cms.NewAttribute(t, der); e == nil {
				out = append(out, a)
			}
		}
		if e != nil && err == nil {
			err = fmt.Errorf("%w: attribute %s: %w", ErrStructure, t, e)
		}
	}
	if p.Policy != nil {
		add(AttrPolicy, p.Policy.add)
	}
	if len(p.Commitments) > 0 {
		var values [][]byte
		for _, c := range p.Commitments {
			var b cryptobyte.Builder
			c.add(&b)
			der, err := b.Bytes()
			if err != nil {
				return nil, fmt.Errorf("%w: commitment %q", ErrStructure, c.ID)
			}
			values = append(values, der)
		}
		a, err := cms.NewAttribute(AttrCommitment, values...)
		if err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	if p.Location != nil {
		add(AttrLocation, p.Location.add)
	}
	if len(p.Claimed) > 0 {
		add(AttrSignerAttributesV2, p.addClaimed)
	}
	if p.Hints != nil {
		add(AttrContentHints, func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				if p.Hints.Description != "" {
					addText(b, p.Hints.Description)
				}
				pki.AddOID(b, p.Hints.Type)
			})
		})
	}
	if p.MimeType != "" {
		add(AttrMimeType, func(b *cryptobyte.Builder) { addText(b, p.MimeType) })
	}
	if p.Identifier != nil {
		add(AttrContentIdentifier, func(b *cryptobyte.Builder) { b.AddASN1OctetString(p.Identifier) })
	}
	if p.Reference != nil {
		add(AttrContentReference, func(b *cryptobyte.Builder) { b.AddBytes(p.Reference) })
	}
	if len(p.TimeStamps) > 0 {
		var values [][]byte
		for _, t := range p.TimeStamps {
			values = append(values, t.Raw)
		}
		a, e := cms.NewAttribute(AttrContentTimeStamp, values...)
		if e != nil {
			return nil, e
		}
		out = append(out, a)
	}
	return out, err
}

func addText(b *cryptobyte.Builder, s string) {
	b.AddASN1(asn1.UTF8String, func(b *cryptobyte.Builder) { b.AddBytes([]byte(s)) })
}

func (p *Policy) add(b *cryptobyte.Builder) {
	if p.Implied {
		b.AddASN1NULL()
		return
	}
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		pki.AddOID(b, p.ID)
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { pki.AddOID(b, p.HashOID) })
			b.AddASN1OctetString(p.Digest)
		})
		if p.URI == "" && p.Notice == "" && p.Specification == "" {
			return
		}
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			qualifier := func(o pki.OID, f cryptobyte.BuilderContinuation) {
				b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
					pki.AddOID(b, o)
					f(b)
				})
			}
			if p.URI != "" {
				qualifier("1.2.840.113549.1.9.16.5.1", func(b *cryptobyte.Builder) {
					b.AddASN1(asn1.IA5String, func(b *cryptobyte.Builder) { b.AddBytes([]byte(p.URI)) })
				})
			}
			if p.Notice != "" {
				qualifier("1.2.840.113549.1.9.16.5.2", func(b *cryptobyte.Builder) {
					b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { addText(b, p.Notice) })
				})
			}
			if p.Specification != "" {
				qualifier("0.4.0.19122.2.1", func(b *cryptobyte.Builder) {
					if o, ok := pki.ParseOID(p.Specification); ok {
						pki.AddOID(b, o)
						return
					}
					b.AddASN1(asn1.IA5String, func(b *cryptobyte.Builder) { b.AddBytes([]byte(p.Specification)) })
				})
			}
		})
	})
}

func (c *Commitment) add(b *cryptobyte.Builder) {
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		pki.AddOID(b, c.ID)
		if len(c.Qualifiers) > 0 {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				for _, q := range c.Qualifiers {
					b.AddBytes(q)
				}
			})
		}
	})
}

func (l *Location) add(b *cryptobyte.Builder) {
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for i, s := range []string{l.Country, l.Locality} {
			if s != "" {
				b.AddASN1(explicit(uint8(i)), func(b *cryptobyte.Builder) { addText(b, s) })
			}
		}
		if len(l.Postal) > 0 {
			b.AddASN1(explicit(2), func(b *cryptobyte.Builder) {
				b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
					for _, s := range l.Postal {
						addText(b, s)
					}
				})
			})
		}
	})
}

func (p *Parameters) addClaimed(b *cryptobyte.Builder) {
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(explicit(0), func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				for _, a := range p.Claimed {
					b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
						pki.AddOID(b, a.Type)
						b.AddASN1(asn1.SET, func(b *cryptobyte.Builder) {
							values := slices.Clone(a.Values)
							slices.SortFunc(values, derOrder)
							for _, v := range values {
								addText(b, v)
							}
						})
					})
				}
			})
		})
	})
}

// derOrder is the order of texts in a set: by length first, which is what their encodings begin with.
func derOrder(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	for i := range a {
		if a[i] != b[i] {
			return int(a[i]) - int(b[i])
		}
	}
	return 0
}

// Pending is a signature whose value is still to be computed.
type Pending struct {
	*cms.Pending
	parameters Parameters
	contentOID pki.OID
}

// Prepare makes all of a signature but its value: the first step, of which ToBeSigned or Digest go to where the key is.
func Prepare(content cms.Content, p Parameters) (*Pending, error) {
	if p.ContentType == "" {
		p.ContentType = cms.ContentData
	}
	t, err := p.template()
	if err != nil {
		return nil, err
	}
	q, err := t.Prepare(p.ContentType, content)
	if err != nil {
		return nil, err
	}
	return &Pending{q, p, p.ContentType}, nil
}

// PrepareCounter is [Prepare] for a counter-signature.
func PrepareCounter(of *Signature, p Parameters) (*Pending, error) {
	t, err := p.template()
	if err != nil {
		return nil, err
	}
	q, err := t.PrepareCounter(of.Signer)
	if err != nil {
		return nil, err
	}
	return &Pending{q, p, ""}, nil
}

func (p *Parameters) template() (cms.Template, error) {
	if p.SigningTime.IsZero() != p.PDF {
		return cms.Template{}, fmt.Errorf("%w: signing-time must be there, but in PDF [EN 319 122-1 6.3]", ErrStructure)
	}
	attrs, err := p.attributes()
	return cms.Template{Certificate: p.Certificate, Hash: p.Hash, PSS: p.PSS, ByKey: p.ByKey, SigningTime: p.SigningTime, Attributes: attrs}, err
}

// Message makes a message of one signature, the second step. within is the content to be put into it; nil makes it detached.
func (p *Pending) Message(s *cms.SignerInfo, within []byte) (*cms.SignedData, error) {
	m, err := cms.New(p.contentOID, within)
	if err != nil {
		return nil, err
	}
	p.Add(m, s)
	return m, nil
}

// Add puts the signature beside those of a message that are there, with its certificates.
func (p *Pending) Add(m *cms.SignedData, s *cms.SignerInfo) {
	m.AddCertificates(append([]*pki.Certificate{p.parameters.Certificate}, p.parameters.Chain...)...)
	m.AddSigner(s)
}

// Join puts the signatures of another message over the same content beside those of a message, with their certificates and
// revocation data. What covers either message as a whole is not broken: then it is cms.ErrCovered.
func Join(to, other *cms.SignedData) error {
	for _, m := range []*cms.SignedData{to, other} {
		if err := covered(m, true); err != nil {
			return err
		}
	}
	to.AddCertificates(other.X509()...)
	for _, r := range other.Revocation {
		if r.OCSP() {
			to.AddOCSP(r.Value)
		} else {
			to.AddCRL(r.Value)
		}
	}
	for _, s := range other.Signers {
		to.AddSigner(s)
	}
	return nil
}

// AddCounter puts the counter-signature that was prepared into its signature.
func (p *Pending) AddCounter(of *Signature, c *cms.SignerInfo) error {
	if err := of.Signer.AddCounterSignature(c); err != nil {
		return err
	}
	of.Message.AddCertificates(append([]*pki.Certificate{p.parameters.Certificate}, p.parameters.Chain...)...)
	of.refresh()
	return nil
}

// Sign signs content in memory with a key at hand, at level B. random nil is crypto/rand.
func Sign(random io.Reader, id *pki.Identity, content []byte, detached bool, p Parameters) (*Signature, error) {
	p.Certificate = id.Certificate
	if p.Chain == nil {
		p.Chain = id.Chain
	}
	q, err := Prepare(cms.Bytes(content), p)
	if err != nil {
		return nil, err
	}
	s, err := q.Sign(random, id.Key)
	if err != nil {
		return nil, err
	}
	within := content
	switch {
	case detached:
		within = nil
	case within == nil:
		within = []byte{}
	}
	m, err := q.Message(s, within)
	if err != nil {
		return nil, err
	}
	return read(m, s, nil), nil
}

// StampContent makes a content time-stamp for [Parameters].
func StampContent(ctx context.Context, stamper tsp.Stamper, hash crypto.Hash, content cms.Content) (*tsp.Token, error) {
	sum, err := content.Digest(hash)
	if err != nil {
		return nil, err
	}
	return stamper.Stamp(ctx, hash, sum)
}
