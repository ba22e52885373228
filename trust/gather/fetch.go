package gather

import (
	"context"
	"errors"
	"slices"

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
		collector.Anchors = append(slices.Clip(collector.Anchors), a.Certificate)
	}
	if opt.Lists != nil {
		collector.Anchors = append(slices.Clip(collector.Anchors), opt.Lists.Certificates()...)
	}
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
	return &validation.Token{ID: idOf(c.Raw), Intact: true, Signer: p.certificate(c), Chain: p.chain(c)}
}

// TimeStampFacts gathers what is known of a time-stamp by itself. What it covers is for the caller to say.
func TimeStampFacts(t *tsp.Token, kind string, opt Options) *validation.TimeStamp {
	p := newPool(opt)
	if t != nil {
		p.addToken(t)
	}
	return p.token(t, kind)
}
