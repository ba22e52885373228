package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/node/trace"
)

// A message that waits to be pulled is queued like any other, under a peer that names its channel: no worker claims it,
// a pull request does, the oldest first. Once handed over it waits for its receipt under another peer: when the retry
// interval is over, a worker claims it and puts it back, or gives it up. So the five states of [EU-AS4 1.5.5] are
// queued without attempts, queued with attempts, sent, final, and failed with EBMS:0301.
const (
	waitingPrefix = "pull:"
	pulledPrefix  = "pulled:"
)

// perPeer bounds the jobs of one peer. What waits to be pulled is not sent.
func (n *Node) perPeer(peer string) int {
	if channel, ok := strings.CutPrefix(peer, waitingPrefix); ok && n.pmodes.Load().offered[channel] {
		return 0
	}
	return n.Config.Outbound.PerPeer
}

// Pull implements as4.Outbox.
func (n *Node) pullOne(ctx context.Context, channel string) (*as4.Outgoing, func(error), error) {
	for {
		claimed, err := n.Store.Claim(ctx, store.ClaimRequest{
			Direction: store.Out, Now: n.Clock(), Owner: n.lessee(), Lease: leaseTime, Limit: 1, Peer: waitingPrefix + channel,
		})
		if err != nil {
			return nil, nil, storeError(err)
		}
		if len(claimed) == 0 {
			return nil, nil, nil
		}
		m := claimed[0]
		_, span := n.trace.Message(ctx, "offer", trace.Producer, m.MessageID)
		describeSpan(span, m).Number("viadukt.attempt", int64(m.Attempts)).Text("viadukt.mpc", channel)
		out, err := n.outgoing(ctx, job{Message: m})
		if err == nil && !(out.PMode.Pull && out.PMode.Channel() == channel) {
			err = ebms.ProcessingModeMismatch.Newf("P-Mode %q does not let messages be fetched from this channel any more", m.PMode)
		}
		if err == nil {
			return out, func(err error) {
				n.handedOver(ctx, m, out, err)
				done(span, err)
			}, nil
		}
		n.giveUp(ctx, m, err)
		done(span, err)
	}
}

// outbox is the node's side of pull requests.
type outbox struct{ n *Node }

func (o outbox) Pull(ctx context.Context, channel string) (*as4.Outgoing, func(error), error) {
	return o.n.pullOne(ctx, channel)
}

// giveUp ends a message that cannot be made, or tries it again where the reason may pass.
func (n *Node) giveUp(ctx context.Context, m *store.Message, err error) {
	o := &as4.Outcome{Verdict: as4.Failed, Err: err}
	if temporary(err) {
		o.Verdict = as4.RetryLater
	}
	n.record(ctx, m, nil, o, 0)
}

// handedOver notes that a message was written to the peer that asked for it, or that it could not be: then it is offered
// again at once, as long as attempts are left.
func (n *Node) handedOver(ctx context.Context, m *store.Message, out *as4.Outgoing, err error) {
	var unready *as4.UnreadyError
	if errors.As(err, &unready) {
		n.giveUp(ctx, m, unready.Err)
		return
	}
	now, channel := n.Clock(), out.PMode.Channel()
	retry := out.PMode.Retry.Or(n.retry)
	to, change := store.Sent, store.Change{Time: now, Owner: m.LeaseOwner, Peer: pulledPrefix + channel, Next: wait(retry, m, now)}
	if _, more := retry.Due(m.Attempts, m.Created, now); err != nil && more {
		to, change.Peer, change.Next = store.Queued, "", m.Created
		change.Error = problem(ebms.ConnectionFailure.Wrap(err, "the partner broke off while it fetched the message"))
		change.Detail = err.Error()
	}
	n.move(ctx, m, to, change, n.evidenceOf(m, to, out, nil, now)...)
}

// wait is when the receipt of an attempt that was just made is given up, whether or not another attempt is left.
func wait(r as4.Retry, m *store.Message, now time.Time) time.Time {
	if at, ok := r.Due(m.Attempts, m.Created, now); ok {
		return at
	}
	r.Max, r.Window = m.Attempts+1, 0
	at, _ := r.Next(m.Attempts, now)
	return at
}

// move is a change of state outside a worker's job. Whoever was quicker, a receipt for example, wins.
func (n *Node) move(ctx context.Context, m *store.Message, to store.State, c store.Change, evidence ...store.Evidence) {
	err := n.Store.Write(context.WithoutCancel(ctx), func(tx store.Tx) error {
		err := tx.Transition(m.ID, to, c)
		for _, e := range evidence {
			if err == nil {
				err = tx.PutEvidence(m.ID, e)
			}
		}
		return err
	})
	switch {
	case err == nil:
		if c.Next.After(c.Time) {
			n.out.wake()
		}
		n.changed(m, to)
	case !errors.Is(err, store.ErrLeaseLost) && !errors.Is(err, store.ErrTransition):
		n.Log.Error("state not recorded", slog.String("msgid", m.MessageID), slog.Any("err", err))
	}
}

// offer is the job of a message that is pulled: it came to a worker because its receipt did not come in time, because a
// person started it again, or because its agreement was a push before.
func (n *Node) offer(ctx context.Context, m *store.Message, pm *as4.PMode) {
	now := n.Clock()
	if m.State == store.Sent {
		if _, more := pm.Retry.Or(n.retry).Due(m.Attempts-1, m.Created, now); !more {
			n.noReceipt(ctx, m)
			return
		}
	}
	n.move(ctx, m, store.Queued, store.Change{Time: now, Owner: m.LeaseOwner, Peer: waitingPrefix + pm.Channel(), Next: m.Created, NotTried: true})
}

// noReceipt gives up a message whose receipt was awaited.
func (n *Node) noReceipt(ctx context.Context, m *store.Message) {
	err := ebms.MissingReceipt.New("no receipt came after the last attempt")
	n.metrics.sent("failed", 0)
	n.move(ctx, m, store.Failed, store.Change{Time: n.Clock(), Owner: m.LeaseOwner, Error: problem(err), Detail: err.Error(), NotTried: true})
}

// fetching is one channel that we fetch from.
type fetching struct {
	pm       *as4.PMode
	interval time.Duration
	parallel int
}

// fetches adds the channel of a P-Mode once, whatever number of P-Modes share it.
func (s *pmodeSet) fetches(pm *as4.PMode, p *PullSettings) {
	if p == nil {
		return
	}
	for i := range s.fetch {
		if f := &s.fetch[i]; f.pm.URL == pm.URL && f.pm.Channel() == pm.Channel() {
			f.interval, f.parallel = min(f.interval, p.Interval.D()), max(f.parallel, p.Parallel)
			return
		}
	}
	s.fetch = append(s.fetch, fetching{pm, p.Interval.D(), p.Parallel})
}

// maxPause is how long a partner that does not answer is left alone at most, unless its interval is longer.
const maxPause = time.Hour

// fetch looks into a channel again and again, and fetches until it is empty.
func (n *Node) fetch(ctx context.Context, f fetching) {
	pause := f.interval
	for {
		if err := n.fetchAll(ctx, f); err != nil {
			if ctx.Err() != nil {
				return
			}
			n.Log.Warn("channel not fetched", slog.String("pmode", f.pm.ID), slog.Any("err", err))
			pause = max(f.interval, min(2*pause, maxPause))
		} else {
			pause = f.interval
		}
		t := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-t.C:
		}
	}
}

// fetchAll fetches one message, then as many at once as are allowed, until the channel is empty.
func (n *Node) fetchAll(ctx context.Context, f fetching) error {
	if err := n.fetchOne(ctx, f.pm); err != nil {
		return empty(err)
	}
	var (
		hands  sync.WaitGroup
		failed atomic.Pointer[error]
	)
	for range f.parallel {
		hands.Go(func() {
			for ctx.Err() == nil && failed.Load() == nil {
				if err := n.fetchOne(ctx, f.pm); errors.Is(err, as4.ErrEmpty) {
					return
				} else if err != nil {
					failed.Store(&err)
				}
			}
		})
	}
	hands.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return ctx.Err()
}

func empty(err error) error {
	if errors.Is(err, as4.ErrEmpty) {
		return nil
	}
	return err
}

// fetchOne fetches one message and says so to its sender. A receipt that does not arrive is posted again later; should it
// be lost, the sender offers the message once more and gets the same one. An error means that it is better to pause.
func (n *Node) fetchOne(ctx context.Context, pm *as4.PMode) error {
	ctx, end := n.arriving(ctx)
	got, err := n.sender.Pull(ctx, pm, n.receiver)
	end()
	if err != nil {
		return err
	}
	if got.Reply == nil {
		return fmt.Errorf("message not kept: %w", got.Err)
	}
	if err := n.sender.Post(ctx, pm, got.Reply); err != nil {
		return n.postLater(ctx, pm, "", got.Reply, err)
	}
	return nil
}
