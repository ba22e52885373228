package main

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/viadukt-eu/viadukt/trust/gather"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/revocation"
)

// fetcher adds to what is known about a signed document what its certificates point at; the errors are what could not be had.
type fetcher func(ctx context.Context, r *gather.Result, opt gather.Options) (gather.Options, []error)

// onlineFlag reads --online; the answer is nil without it.
func (c *call) onlineFlag() func() fetcher {
	on := c.Bool("online", false, "fetch what certificates point at: OCSP answers, revocation lists, issuers")
	return func() fetcher {
		if !*on {
			return nil
		}
		client := &revocation.Client{HTTP: &http.Client{Timeout: 30 * time.Second}} // one for all files: it keeps what it got
		return func(ctx context.Context, r *gather.Result, opt gather.Options) (gather.Options, []error) {
			return fetch(ctx, client, r, opt)
		}
	}
}

func fetch(ctx context.Context, client *revocation.Client, r *gather.Result, opt gather.Options) (gather.Options, []error) {
	collector := &revocation.Collector{Client: client, Anchors: opt.Anchors, Intermediates: opt.Certificates}
	if opt.Lists != nil {
		collector.Anchors = append(slices.Clip(opt.Anchors), opt.Lists.Certificates()...)
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
	return opt, errs
}
