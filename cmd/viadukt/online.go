package main

import (
	"context"
	"net/http"
	"time"

	"github.com/viadukt-eu/viadukt/trust/gather"
	"github.com/viadukt-eu/viadukt/trust/revocation"
)

// fetcher is [gather.Fetch] with what it asks.
type fetcher func(ctx context.Context, r *gather.Result, opt gather.Options) (gather.Options, error)

// onlineFlag reads --online; the answer is nil without it.
func (c *call) onlineFlag() func() fetcher {
	on := c.Bool("online", false, "fetch what certificates point at: OCSP answers, revocation lists, issuers")
	return func() fetcher {
		if !*on {
			return nil
		}
		client := &revocation.Client{HTTP: &http.Client{Timeout: 30 * time.Second}} // one for all files: it keeps what it got
		return func(ctx context.Context, r *gather.Result, opt gather.Options) (gather.Options, error) {
			return gather.Fetch(ctx, client, r, opt)
		}
	}
}
