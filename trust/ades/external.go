package ades

import (
	"bytes"
	"context"
	"crypto"
	"fmt"
	"time"

	"github.com/viadukt-eu/viadukt/trust/asic"
	"github.com/viadukt-eu/viadukt/trust/cades"
	"github.com/viadukt-eu/viadukt/trust/cms"
	"github.com/viadukt-eu/viadukt/trust/gather"
	"github.com/viadukt-eu/viadukt/trust/pades"
	"github.com/viadukt-eu/viadukt/trust/tsp"
	"github.com/viadukt-eu/viadukt/trust/xades"
	"github.com/viadukt-eu/viadukt/trust/xmldsig"
)

// PrepareMessage makes all of a detached CMS signature but its value, over content of which the digest is known: CAdES, or what a
// place in a PDF document takes.
func PrepareMessage(digest []byte, p Params) (*Pending, error) {
	if p.Signer == nil || p.Signer.PublicKey == nil || p.Time.IsZero() || !p.Hash.Available() || len(digest) != p.Hash.Size() {
		return nil, fmt.Errorf("%w: no signing certificate, no time of signing, or no digest", ErrParams)
	}
	c, err := p.cms()
	if err != nil {
		return nil, err
	}
	switch p.Format {
	case CAdES:
	case PAdES: // the dictionary says these
		c.PDF, c.SigningTime, c.Location = true, time.Time{}, nil
	default:
		return nil, fmt.Errorf("%w: a message is of CAdES or PAdES, not %s", ErrParams, p.Format)
	}
	q, err := cades.Prepare(cms.Digests{p.Hash: digest}, c)
	if err != nil {
		return nil, err
	}
	return pendingCMS(q, func(s *cms.SignerInfo) ([]byte, error) {
		m, err := q.Message(s, nil)
		if err != nil {
			return nil, err
		}
		return m.Bytes()
	}), nil
}

// Reserved is a PDF document with a place for a message that is made elsewhere.
type Reserved struct {
	*pades.Place
	document []byte
}

// ReservePDF makes all of a signed PDF document but the message. Signer may be nil.
func ReservePDF(document []byte, p Params) (*Reserved, error) {
	doc, err := pades.Open(bytes.NewReader(document), int64(len(document)))
	if err != nil {
		return nil, err
	}
	x, err := p.pdfParameters()
	if err != nil {
		return nil, err
	}
	place, err := pades.Reserve(doc, x)
	if err != nil {
		return nil, err
	}
	return &Reserved{place, document}, nil
}

// Complete returns the signed document with a message, which must hold for it.
func (r *Reserved) Complete(message []byte) ([]byte, error) {
	all, err := cades.Parse(message)
	if err != nil {
		return nil, err
	}
	if len(all) != 1 || !all[0].Message.Detached {
		return nil, fmt.Errorf("%w: one detached signature is expected", ErrParams)
	}
	if f := all[0].Verify(r.Content()); f.Content != nil || f.Signature != nil || f.Attributes != nil {
		return nil, fmt.Errorf("%w: the message is not over this document with these parameters", ErrBroken)
	}
	more, err := r.Fill(message)
	if err != nil {
		return nil, err
	}
	return append(bytes.Clone(r.document), more...), nil
}

// Timestamp proves that documents exist: a PDF document by itself, others within a container that it makes.
func Timestamp(ctx context.Context, stamper tsp.Stamper, h crypto.Hash, documents []xades.Document, p Params) ([]byte, error) {
	if stamper == nil {
		return nil, ErrNoStamper
	}
	if h == 0 {
		h = crypto.SHA256
	}
	if len(documents) == 0 || p.Container != ASiCE && len(documents) != 1 {
		return nil, fmt.Errorf("%w: one document is time-stamped by itself, many in a container asic-e", ErrParams)
	}
	if p.Container == "" {
		b, err := octets(&documents[0])
		if err != nil {
			return nil, err
		}
		doc, err := pades.Open(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return nil, err
		}
		more, err := pades.Stamp(ctx, doc, stamper, h)
		return append(bytes.Clone(b), more...), err
	}
	var content []asic.Content
	for _, d := range documents {
		if d.Open == nil {
			return nil, fmt.Errorf("%w: a container needs %s itself, not a digest", ErrParams, d.Name)
		}
		content = append(content, asic.Content{Name: d.Name, MimeType: d.MimeType, Open: d.Open})
	}
	t, stamp, over := asic.S, asic.Small{Name: "META-INF/timestamp.tst"}, documents[0]
	var manifest *asic.Small
	if p.Container == ASiCE {
		t, stamp.Name = asic.E, "META-INF/timestamp001.tst"
		method, _ := xmldsig.MethodFor(nil, h, false)
		b, err := asic.WriteManifest(stamp.Name, mimeTimeStamp, content, method)
		if err != nil {
			return nil, err
		}
		manifest, over = &asic.Small{Name: "META-INF/ASiCManifest001.xml", Octets: b}, xades.Bytes("", "", b)
	}
	sum, err := gather.Content(over).Digest(h)
	if err != nil {
		return nil, err
	}
	token, err := stamper.Stamp(ctx, h, sum)
	if err != nil {
		return nil, err
	}
	stamp.Octets = token.Raw
	var out bytes.Buffer
	err = asic.Write(&out, t, p.Time, content, manifest, &stamp)
	return out.Bytes(), err
}
