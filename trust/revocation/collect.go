package revocation

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/viadukt-eu/viadukt/trust/pki"
)

// Material is what is needed to judge certificates later: chains and revocation information, in DER.
type Material struct {
	Certificates []*pki.Certificate
	CRLs         [][]byte
	OCSPs        [][]byte
}

// Collector finds chains and revocation information, as extending a signature needs them.
type Collector struct {
	Client        *Client
	Anchors       []*pki.Certificate // chains end at them; without any, at self-signed certificates
	Intermediates []*pki.Certificate // known issuers
	// Responders are those who may answer in place of an issuer, or certify who does [RFC 6960 4.2.2.2]; nil: nobody.
	Responders func(issuer *pki.Certificate) []*pki.Certificate
}

const maxChain = 10

// Collect goes from each certificate up to its root or an anchor. Revocation information is fetched for every one below; where one
// can be had for none of them, that is an error: what would be missing later is missing for good.
func (c *Collector) Collect(ctx context.Context, certs, known []*pki.Certificate) (Material, error) {
	w := &walk{Collector: c, pool: slices.Concat(c.Anchors, c.Intermediates, known)}
	for _, cert := range certs {
		if err := w.up(ctx, cert, 0); err != nil {
			return w.found, err
		}
	}
	return w.found, nil
}

type walk struct {
	*Collector
	pool  []*pki.Certificate
	done  []*pki.Certificate
	found Material
}

func (w *walk) add(c *pki.Certificate) {
	if !slices.ContainsFunc(w.found.Certificates, c.Equal) {
		w.found.Certificates = append(w.found.Certificates, c)
	}
}

func (w *walk) up(ctx context.Context, c *pki.Certificate, depth int) error {
	if slices.ContainsFunc(w.done, c.Equal) {
		return nil
	}
	w.done = append(w.done, c)
	w.add(c)
	if slices.ContainsFunc(w.Anchors, c.Equal) || c.SelfIssued() && c.CheckSignatureFrom(c) == nil {
		return nil
	}
	if depth == maxChain {
		return fmt.Errorf("%w: chain of more than %d certificates", pki.ErrUntrusted, maxChain)
	}
	issuer, err := w.issuer(ctx, c)
	if err != nil {
		return err
	}
	if err := w.revocation(ctx, c, issuer, depth); err != nil {
		return err
	}
	return w.up(ctx, issuer, depth+1)
}

func (w *walk) issuer(ctx context.Context, c *pki.Certificate) (*pki.Certificate, error) {
	find := func() *pki.Certificate {
		for _, i := range w.pool {
			if c.CheckSignatureFrom(i) == nil {
				return i
			}
		}
		return nil
	}
	if i := find(); i != nil {
		return i, nil
	}
	more, err := w.Client.Issuers(ctx, c)
	w.pool = append(w.pool, more...)
	if i := find(); i != nil {
		return i, nil
	}
	return nil, errors.Join(fmt.Errorf("%w: no issuer of %q", pki.ErrUntrusted, c.Subject), err)
}

func (w *walk) revocation(ctx context.Context, c, issuer *pki.Certificate, depth int) error {
	if _, short := c.Extension("0.4.0.194121.2.1"); short { // its validity is assured [EN 319 412-1 5.2]
		return nil
	}
	var errs []error
	if !w.Client.NoOCSP && len(c.OCSPServers) > 0 {
		var named []*pki.Certificate
		if w.Responders != nil {
			named = w.Responders(issuer)
		}
		r, err := w.Client.OCSP(ctx, c, issuer, named...)
		if err == nil {
			w.found.OCSPs = append(w.found.OCSPs, r.Raw)
			return w.responder(ctx, r, issuer, named, depth)
		}
		errs = append(errs, err)
	}
	if !w.Client.NoCRL {
		l, err := w.Client.CRL(ctx, c, issuer)
		if err == nil {
			if !slices.ContainsFunc(w.found.CRLs, func(b []byte) bool { return string(b) == string(l.Raw) }) {
				w.found.CRLs = append(w.found.CRLs, l.Raw)
			}
			return nil
		}
		errs = append(errs, err)
	}
	return fmt.Errorf("%w: %q: %w", pki.ErrRevocationUnknown, c.Subject, errors.Join(errs...))
}

// responder collects for the signer of an answer, unless it is not to be checked.
func (w *walk) responder(ctx context.Context, r *pki.OCSPResponse, issuer *pki.Certificate, named []*pki.Certificate, depth int) error {
	signer, err := r.Verify(issuer, r.ProducedAt, named...)
	if err != nil || signer.Equal(issuer) {
		return err
	}
	w.pool = append(w.pool, r.Certificates...)
	if _, no := signer.Extension(OCSPNoCheck); no {
		w.add(signer)
		return nil
	}
	return w.up(ctx, signer, depth+1)
}
