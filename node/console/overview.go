package console

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/viadukt-eu/viadukt/node/store"
)

// tile is one count with the list behind it.
type tile struct {
	Key  string
	N    int64
	Kind string
	Link string
}

// concern is something that wants attention.
type concern struct {
	Key  string // of its text
	N    int64
	Text string // the argument besides N
	Kind string // "bad" or "warn"
	Link string
}

type overviewData struct {
	Tiles    []tile
	Concerns []concern
	Alerts   []Alert
	Charts   []chart
	Span     string
	Spans    []spanOf
	Latest   []*store.Message
	At       time.Time
}

// Limits from which the overview speaks up.
const (
	certificateSoon = 30 * 24 * time.Hour
	waitsLong       = time.Hour
)

// newest is how many messages the overview shows.
const newest = 8

func (c *Console) overview(x *call) error {
	d, err := c.overviewData(x.r.Context(), x.page, x.r.URL.Query().Get("span"))
	if err != nil {
		return err
	}
	return x.show(http.StatusOK, "overview", view{Title: "nav.overview", Data: d})
}

func (c *Console) overviewData(ctx context.Context, p *pageSet, span string) (*overviewData, error) {
	now := c.opt.Clock()
	d := &overviewData{Spans: spans, At: now}
	counts, err := c.opt.Store.Counts(ctx)
	if err != nil {
		return nil, err
	}
	of := func(dir store.Direction, states ...store.State) (n int64) {
		for _, k := range counts {
			for _, s := range states {
				if k.Direction == dir && k.State == s {
					n += k.N
				}
			}
		}
		return n
	}
	d.Tiles = []tile{
		{"tile.out-waiting", of(store.Out, store.Accepted, store.Queued, store.Sending, store.Sent), "busy", "messages?direction=out&group=open"},
		{"tile.out-retrying", of(store.Out, store.Retrying), "warn", "messages?direction=out&group=retrying"},
		{"tile.out-failed", of(store.Out, store.Failed, store.Rejected), "bad", "messages?direction=out&group=failed"},
		{"tile.out-done", of(store.Out, store.Acknowledged, store.AcknowledgedWithoutReceipt), "good", "messages?direction=out&group=done"},
		{"tile.in-waiting", of(store.In, store.Received, store.Retrying), "busy", "messages?direction=in&group=open"},
		{"tile.in-delivered", of(store.In, store.Delivered), "good", "messages?direction=in&group=delivered"},
		{"tile.in-failed", of(store.In, store.Failed, store.Rejected), "bad", "messages?direction=in&group=failed"},
		{"tile.in-done", of(store.In, store.Confirmed), "good", "messages?direction=in&group=confirmed"},
	}
	d.Alerts = c.opt.Alerts(p.language)
	if err := c.concerns(ctx, d, p, now); err != nil {
		return nil, err
	}
	chosen := spans[0]
	for _, s := range spans {
		if s.Name == span {
			chosen = s
		}
	}
	d.Span = chosen.Name
	hours, err := c.opt.Store.Hours(ctx, now.UTC().Truncate(chosen.Step).Add(-time.Duration(chosen.Steps-1)*chosen.Step))
	if err != nil {
		return nil, err
	}
	d.Charts = drawn(hours, chosen, now)
	l, err := c.opt.Store.List(ctx, store.Filter{}, store.Page{Limit: newest})
	if err != nil {
		return nil, err
	}
	d.Latest = l.Messages
	return d, nil
}

// concerns are what an operator should look at, the worst first.
func (c *Console) concerns(ctx context.Context, d *overviewData, p *pageSet, now time.Time) error {
	for _, t := range d.Tiles {
		if t.Kind == "bad" && t.N > 0 {
			d.Concerns = append(d.Concerns, concern{Key: "concern." + t.Key[len("tile."):], N: t.N, Kind: "bad", Link: t.Link})
		}
	}
	for _, cert := range c.opt.Network.Certificates() {
		left := cert.NotAfter.Sub(now)
		switch {
		case left <= 0:
			d.Concerns = append(d.Concerns, concern{Key: "concern.certificate-expired", N: 1, Text: nameOf(cert), Kind: "bad", Link: "certificates"})
		case left < certificateSoon:
			d.Concerns = append(d.Concerns, concern{Key: "concern.certificate-soon", N: int64(left / (24 * time.Hour)), Text: nameOf(cert), Kind: "warn", Link: "certificates"})
		}
	}
	for _, q := range []struct {
		dir    store.Direction
		key    string
		states []store.State
	}{
		{store.Out, "concern.out-old", []store.State{store.Accepted, store.Queued, store.Sending, store.Sent, store.Retrying}},
		{store.In, "concern.in-old", []store.State{store.Received, store.Retrying}},
	} {
		at, err := c.opt.Store.Oldest(ctx, q.dir, q.states...)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if age := now.Sub(at); age > waitsLong {
			d.Concerns = append(d.Concerns, concern{Key: q.key, N: 1, Text: p.duration(age), Kind: "warn", Link: "queues"})
		}
	}
	return nil
}

// nameOf is what a certificate is called in a sentence.
func nameOf(c Certificate) string {
	if c.Of != "" {
		return c.Of
	}
	return c.Subject
}
