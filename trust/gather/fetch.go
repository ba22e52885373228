package gather

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"github.com/viadukt-eu/viadukt/trust/cms"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/revocation"
	"github.com/viadukt-eu/viadukt/trust/tsp"
	"github.com/viadukt-eu/viadukt/trust/validation"
)

// Fetch adds to what is known what the certificates of a document point at: OCSP answers, revocation lists, issuers. The
// error tells all that could not be had; the options hold what could.
func Fetch(ctx context.Context, client *revocation.Client, r *Result, opt Options) (Options, error) {
	collector := &revocation.Collector{Client: client, Anchors: opt.Anchors, Intermediates: opt.Certificates}
	for _, a := range opt.Bound {
		if slices.Equal(a.Purposes, []pki.Purpose{pki.PurposeRevocation}) { // its own revocation counts
			collector.Intermediates = append(slices.Clip(collector.Intermediates), a.Certificate)
			continue
		}
		collector.Anchors = append(slices.Clip(collector.Anchors), a.Certificate)
	}
	if opt.Lists != nil {
		collector.Anchors = append(slices.Clip(collector.Anchors), opt.Lists.Certificates()...)
	}
	p := newPool(opt)
	p.add(r.Certificates...)
	collector.Responders = p.responders
	var errs []error
	for _, cert := range r.Signers {
		m, err := collector.Collect(ctx, []*pki.Certificate{cert}, r.Certificates)
		if err != nil {
			errs = append(errs, err)
		}
		opt.Certificates = append(slices.Clip(opt.Certificates), m.Certificates...)
		opt.CRLs = append(slices.Clip(opt.CRLs), m.CRLs...)
		opt.OCSPs = append(slices.Clip(opt.OCSPs), m.OCSPs...)
	}
	return opt, errors.Join(errs...)
}

// CertificateFacts gathers what is known of a certificate by itself: its chain is the Chain of the token.
func CertificateFacts(c *pki.Certificate, opt Options) *validation.Token {
	p := newPool(opt)
	p.add(c)
	p.listed(c)
	return &validation.Token{ID: certificateID(c), Intact: true, Signer: p.certificate(c), Chain: p.chain(c)}
}

// TimeStampFacts gathers what is known of a time-stamp by itself. What it covers is for the caller to say.
func TimeStampFacts(t *tsp.Token, kind string, opt Options) *validation.TimeStamp {
	p := newPool(opt)
	if t != nil {
		p.addToken(t)
	}
	return p.token(t, kind)
}

// Enrich returns a time-stamp with what is at hand and will be needed to judge it later: issuers, and of revocation data the newest that
// tells of each certificate, up to so many octets together. What was signed and time-stamped stays as it is.
func Enrich(t *tsp.Token, opt Options, most int) (*tsp.Token, error) {
	p := newPool(opt)
	p.addToken(t)
	needed := map[string]bool{}
	var need func(chain []*validation.Certificate)
	need = func(chain []*validation.Certificate) {
		for _, c := range chain {
			if needed[c.ID] {
				continue
			}
			needed[c.ID] = true
			var newest *validation.Revocation
			for _, s := range c.Revocations {
				if newest == nil || s.Data.Produced.After(newest.Produced) {
					newest = s.Data
				}
			}
			if newest != nil && newest.Signer != nil {
				needed[newest.ID] = true
				need(newest.Chain)
			}
		}
	}
	need(p.token(t, "").Chain)
	m, err := cms.Parse(bytes.Clone(t.Raw))
	if err != nil {
		return nil, err
	}
	for _, c := range slices.Concat(p.list, p.lists.Certificates()) {
		if needed[certificateID(c)] {
			m.AddCertificates(c)
		}
	}
	fits := func(raw []byte) bool {
		if !needed[idOf(raw)] || len(raw) > most {
			return false
		}
		most -= len(raw)
		return true
	}
	for _, a := range p.ocsps {
		if fits(a.Raw) {
			m.AddOCSP(a.Raw)
		}
	}
	for _, l := range p.crls {
		if fits(l.Raw) {
			m.AddCRL(l.Raw)
		}
	}
	raw, err := m.Bytes()
	if err != nil {
		return nil, err
	}
	return tsp.ParseToken(raw)
}
