package console

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/viadukt-eu/viadukt/node/store"
)

type queue struct {
	Direction string
	Waiting   int64 // messages with work to be done
	Leased    int64 // being worked on
	Retrying  int64
	Oldest    time.Duration // age of the oldest; 0: none
	Peers     []store.Waiting
	Next      string // peer after which the next page begins
}

type queuesData struct {
	Queues []queue
	After  string
	At     time.Time
	Most   int
}

func (c *Console) queues(x *call) error {
	ctx, now := x.r.Context(), x.now()
	d := &queuesData{At: now, After: clip(x.r.URL.Query().Get("after"), 500), Most: store.WaitingMost}
	counts, err := c.opt.Store.Counts(ctx)
	if err != nil {
		return err
	}
	only := x.r.URL.Query().Get("direction")
	for _, dir := range []store.Direction{store.Out, store.In} {
		if only != "" && only != dir.String() {
			continue
		}
		q := queue{Direction: dir.String()}
		for _, k := range counts {
			if k.Direction != dir {
				continue
			}
			switch k.State {
			case store.Accepted, store.Queued, store.Received:
				q.Waiting += k.N
			case store.Sending, store.Sent:
				q.Leased += k.N
			case store.Retrying:
				q.Retrying += k.N
			}
		}
		if q.Oldest, err = c.oldest(ctx, dir, now); err != nil {
			return err
		}
		if q.Peers, err = c.opt.Store.WaitingPeers(ctx, dir, d.After, pageSize+1); err != nil {
			return err
		}
		if len(q.Peers) > pageSize {
			q.Peers = q.Peers[:pageSize]
			q.Next = q.Peers[pageSize-1].Peer
		}
		d.Queues = append(d.Queues, q)
	}
	return x.show(http.StatusOK, "queues", view{Title: "nav.queues", Data: d})
}

func (c *Console) oldest(ctx context.Context, dir store.Direction, now time.Time) (time.Duration, error) {
	at, err := c.opt.Store.Oldest(ctx, dir, store.Accepted, store.Queued, store.Sending, store.Sent, store.Received, store.Retrying)
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil
	}
	return max(now.Sub(at), 0), err
}
