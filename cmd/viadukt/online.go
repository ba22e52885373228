package main

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/trust/cades"
	"github.com/viadukt-eu/viadukt/trust/gather"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/revocation"
	"github.com/viadukt-eu/viadukt/trust/tsp"
)

// fetcher adds to what is known about a signed document what its certificates point at; the errors are what could not be had.
type fetcher func(ctx context.Context, b []byte, opt gather.Options) (gather.Options, []error)

// onlineFlag reads --online; the answer is nil without it.
func (c *call) onlineFlag() func() fetcher {
	on := c.Bool("online", false, "fetch what certificates point at: OCSP answers, revocation lists, issuers")
	return func() fetcher {
		if !*on {
			return nil
		}
		client := &revocation.Client{HTTP: &http.Client{Timeout: 30 * time.Second}} // one for all files: it keeps what it got
		return func(ctx context.Context, b []byte, opt gather.Options) (gather.Options, []error) {
			return fetch(ctx, client, b, opt)
		}
	}
}

func fetch(ctx context.Context, client *revocation.Client, b []byte, opt gather.Options) (gather.Options, []error) {
	certs, known := certificatesOf(b, opt)
	collector := &revocation.Collector{Client: client, Anchors: opt.Anchors, Intermediates: opt.Certificates}
	var errs []error
	for _, cert := range certs {
		m, err := collector.Collect(ctx, []*pki.Certificate{cert}, known)
		if err != nil {
			errs = append(errs, err)
		}
		opt.Certificates = append(slices.Clip(opt.Certificates), m.Certificates...)
		opt.CRLs = append(slices.Clip(opt.CRLs), m.CRLs...)
		opt.OCSPs = append(slices.Clip(opt.OCSPs), m.OCSPs...)
	}
	return opt, errs
}

// certificatesOf returns the certificates of signers and time-stamping authorities, and all others that came with them.
func certificatesOf(b []byte, opt gather.Options) (certs, known []*pki.Certificate) {
	add := func(c *pki.Certificate) {
		if c != nil && !slices.ContainsFunc(certs, c.Equal) {
			certs = append(certs, c)
		}
	}
	token := func(t *tsp.Token) {
		known = append(known, t.Message.X509()...)
		add(t.Verify(opt.Certificates...).Certificate)
	}
	r, err := gather.Open(b, opt)
	if err != nil {
		return nil, nil
	}
	for _, s := range r.Signatures {
		add(s.Certificate)
		if s.XAdES == nil {
			continue
		}
		known = append(append(known, s.XAdES.KeyInfo...), s.XAdES.Material.Certificates...)
		for _, x := range s.XAdES.TimeStamps {
			for _, raw := range x.Tokens {
				if t, err := tsp.ParseToken(raw); err == nil {
					token(t)
				}
			}
		}
	}
	var messages [][]byte
	switch {
	case r.Format == "CAdES":
		messages = append(messages, b)
	case r.Container != nil:
		for _, f := range r.Container.Files {
			if !f.Signature() && !f.TimeStamp() {
				continue
			}
			b, err := f.Bytes()
			switch {
			case err != nil:
			case f.TimeStamp():
				if t, err := tsp.ParseToken(b); err == nil {
					token(t)
				}
			case !strings.HasSuffix(strings.ToLower(f.Name), ".xml"):
				messages = append(messages, b)
			}
		}
	}
	for _, b := range messages {
		list, err := cades.Parse(b)
		if err != nil {
			continue
		}
		for _, s := range list {
			known = append(known, s.Material().Certificates...)
			for _, x := range s.TimeStamps {
				if x.Token != nil {
					token(x.Token)
				}
			}
		}
	}
	return certs, known
}
