package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/node/store"
)

// signalQueue holds receipts and errors that we post in requests of our own: those of fetched messages that were not
// taken at once, and those of messages that were joined.
const signalQueue = "signals"

// posting is the body of a task of signalQueue.
type posting struct {
	PMode  string `json:"pmode"`
	URL    string `json:"url"`
	Signal []byte `json:"signal"`
}

// postLater stores a signal to be posted again.
func (n *Node) postLater(ctx context.Context, pm *as4.PMode, kind string, signal []byte, why error) error {
	if e := (*ebms.Error)(nil); errors.As(why, &e) && e.Code != ebms.ConnectionFailure { // the partner has heard it
		n.Log.Warn("signal refused", slog.String("pmode", pm.ID), slog.Any("err", why))
		return nil
	}
	now := n.Clock()
	next, _ := n.retry.Next(1, now)
	task, err := n.signalTask(pm, kind, signal, next)
	if err != nil {
		return err
	}
	task.Attempts, task.Error = 1, why.Error()
	return n.putSignal(ctx, task)
}

func (n *Node) signalTask(pm *as4.PMode, kind string, signal []byte, due time.Time) (*store.Task, error) {
	body, err := json.Marshal(posting{pm.ID, pm.URL, signal})
	if err != nil {
		return nil, err
	}
	return &store.Task{Queue: signalQueue, Kind: kind, Due: due, Body: body, Created: n.Clock()}, nil
}

func (n *Node) putSignal(ctx context.Context, t *store.Task) error {
	err := n.Store.Write(context.WithoutCancel(ctx), func(tx store.Tx) error { return tx.PutTask(t) })
	wakeup(n.signals)
	return err
}

// wakeup leaves a token for who waits, unless one is there.
func wakeup(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// runTasks does what is due in a queue, a few at once, until ctx is done. do returns an error to be asked again
// by the node's schedule of retries; what is given up stays as a dead task.
func (n *Node) runTasks(ctx context.Context, queue string, wake <-chan struct{}, do func(context.Context, *store.Task) error) {
	const hands = 4
	for ctx.Err() == nil {
		due, err := n.Store.DueTasks(ctx, queue, n.Clock(), hands)
		if err != nil && ctx.Err() == nil {
			n.Log.Error("tasks not read", slog.String("queue", queue), slog.Any("err", err))
		}
		var work sync.WaitGroup
		for i := range due {
			work.Go(func() {
				t := &due[i]
				if err := n.settleTask(ctx, t, do(ctx, t)); err != nil {
					n.Log.Error("task not recorded", slog.String("queue", queue), slog.Any("err", err))
				}
			})
		}
		if work.Wait(); len(due) > 0 {
			continue
		}
		pause := time.Minute
		if err != nil {
			pause = time.Second
		} else if next, err := n.Store.NextTask(ctx, queue); err == nil {
			pause = min(pause, max(next.Sub(n.Clock()), 10*time.Millisecond))
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// errLater leaves a task as it is, due at another time that its owner has stored.
var errLater = errors.New("node: task has another time")

func (n *Node) settleTask(ctx context.Context, t *store.Task, result error) error {
	if errors.Is(result, errLater) || ctx.Err() != nil {
		return nil
	}
	if result != nil {
		t.Attempts++
		t.Error = result.Error()
		next, more := n.retry.Next(t.Attempts, n.Clock())
		if t.Dead = !more; more {
			t.Due = next
		}
	}
	return n.keep(ctx, "task of "+t.Queue, func(tx store.Tx) error {
		if result == nil {
			err := tx.DeleteTask(t.ID)
			if errors.Is(err, store.ErrNotFound) {
				return nil
			}
			return err
		}
		return tx.PutTask(t)
	})
}

// postSignal is a task of signalQueue.
func (n *Node) postSignal(ctx context.Context, t *store.Task) error {
	var p posting
	if err := json.Unmarshal(t.Body, &p); err != nil {
		return nil // nothing of ours
	}
	err := n.sender.Post(ctx, &as4.PMode{ID: p.PMode, URL: p.URL}, p.Signal)
	if e := (*ebms.Error)(nil); errors.As(err, &e) && e.Code != ebms.ConnectionFailure {
		n.Log.Warn("signal refused", slog.String("pmode", p.PMode), slog.Any("err", err))
		return nil // the partner has heard it
	}
	return err
}

// Signal takes a receipt or error that came by itself [ebMS3 5.2.3.3]: of a message that was pulled, of one whose partner
// receipts later, of one that was split, or a late one of any message. A receipt that nobody waits for is answered, an
// error is not: two nodes would go on about it.
func (i intake) Signal(ctx context.Context, s *as4.Signal) error {
	err := i.n.signal(ctx, s)
	if err != nil && s.Signal.Receipt == nil && !errors.Is(err, as4.ErrBusy) {
		i.n.Log.Warn("error not taken", slog.String("msgid", reference(s.Signal)), slog.Any("err", err))
		return nil
	}
	return err
}

// reference is the message that a signal is about.
func reference(s *ebms.Signal) string {
	for _, e := range s.Errors {
		if e.RefToMessageInError != "" {
			return e.RefToMessageInError
		}
	}
	return s.RefToMessageID
}

func (n *Node) signal(ctx context.Context, s *as4.Signal) error {
	m, err := n.Store.ByMessageID(ctx, store.Out, reference(s.Signal))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return ebms.InvalidReceipt.New("no message waits for this signal")
	case err != nil:
		return storeError(err)
	case m.State == store.Rejected:
		return ebms.InvalidReceipt.New("no message waits for this signal")
	}
	out, err := n.outgoing(ctx, job{Message: m})
	if err != nil {
		return err
	}
	o := n.sender.Judge(out, s)
	if s.Signal.Receipt != nil && o.Verdict != as4.Acknowledged {
		return o.Err
	}
	if !o.Signed && !out.PMode.Unsigned {
		return fmt.Errorf("node: error signal without an accepted signature: %w", o.Err)
	}
	now := n.Clock()
	to, change, kind := m.State, store.Change{Time: now, Detail: detail(o), Error: problem(o.Err), Next: m.NextAttempt}, store.KindError
	switch {
	case m.State == store.Acknowledged:
		return nil // once more
	case o.Verdict == as4.Acknowledged:
		to, kind, change = store.Acknowledged, store.KindReceipt, store.Change{Time: now, Detail: "receipt in a request of its own"}
		if m.State.Dead() {
			change.Detail = "late receipt: the message had been given up"
		}
	case o.Err == nil, m.State.Dead(), m.State == store.AcknowledgedWithoutReceipt:
		return nil // a warning, or no news
	case o.Verdict == as4.Failed:
		to = store.Failed
	case m.State != store.Sent:
		return nil // it will be tried again as it is
	}
	err = n.Store.Write(ctx, func(tx store.Tx) error {
		if err := tx.Transition(m.ID, to, change); err != nil {
			return err
		}
		if !n.wants(m, to, kind) {
			return nil
		}
		return tx.PutEvidence(m.ID, store.Evidence{Kind: kind, Time: now, Octets: s.Octets})
	})
	if errors.Is(err, store.ErrTransition) {
		return nil // it became final meanwhile
	}
	if err != nil {
		return storeError(err)
	}
	if to == store.Acknowledged {
		n.metrics.results["acknowledged"].Inc()
	}
	if to != m.State {
		n.changed(m, to)
	}
	if out.Split && to != store.Sent {
		n.closeSplit(ctx, m)
	}
	n.Log.Info("signal received", slog.String("msgid", m.MessageID), slog.String("pmode", m.PMode), slog.String("state", to.String()), slog.String("code", change.Error.Code))
	return nil
}
