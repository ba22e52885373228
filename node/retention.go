package node

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/store"
)

// Retained says what one round of retention deleted.
type Retained struct {
	Payloads int `json:"payloads"` // messages whose payloads were deleted
	Messages int `json:"messages"`
	Groups   int `json:"groups"`
	Tasks    int `json:"tasks"`
}

// retentionBatch is how many messages one transaction deletes: others wait for it.
const retentionBatch = 32

// retainer is whom the log names for what retention deletes.
const retainer = "retention"

// runRetention deletes what is too old, at start and from time to time.
func (n *Node) runRetention(ctx context.Context) {
	t := time.NewTicker(n.Config.Retention.Every.D())
	defer t.Stop()
	for {
		start := time.Now()
		r, err := n.Retain(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			n.Log.Error("retention not done", slog.Any("err", err))
		case err == nil && r != Retained{}:
			n.Log.Info("retention done", slog.Int("payloads", r.Payloads), slog.Int("messages", r.Messages), slog.Int("groups", r.Groups), slog.Int("tasks", r.Tasks), slog.Duration("dur", time.Since(start)))
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// Retain deletes what the configuration says is too old now. Each deletion is an entry of the log of evidence, with
// the hashes of what was deleted, in the transaction that deletes.
func (n *Node) Retain(ctx context.Context) (r Retained, err error) {
	ctx = store.WithActor(ctx, retainer)
	now, c := n.Clock(), &n.Config.Retention
	for d, kept := range map[store.Direction]*config.Kept{store.In: &c.In, store.Out: &c.Out} {
		if err := n.retain(ctx, d, kept, now, &r); err != nil {
			return r, err
		}
	}
	if c.Groups > 0 {
		if r.Groups, err = n.retainGroups(ctx, now.Add(-c.Groups.D())); err != nil {
			return r, err
		}
	}
	if c.DeadTasks > 0 {
		r.Tasks, err = n.retainTasks(ctx, now.Add(-c.DeadTasks.D()))
	}
	return r, err
}

// fate tells what becomes of messages of some states.
type fate struct {
	states []store.State
	age    config.Duration
	whole  bool // not only the payloads
	// fetched: of delivered messages only those that were handed over, or only those that wait to be fetched.
	fetched bool
}

// fates are what the configuration says about messages of one direction. A delivered message has come to its end when it
// was written into a folder; otherwise the back office has yet to fetch it.
func fates(d store.Direction, k *config.Kept) []fate {
	done, failed := []store.State{store.Acknowledged, store.AcknowledgedWithoutReceipt}, []store.State{store.Failed, store.Rejected}
	if d == store.In {
		done, failed = []store.State{store.Confirmed, store.Delivered}, append(failed, store.Delivered)
	}
	return []fate{{done, k.Messages, true, true}, {done, k.Payloads, false, true}, {failed, k.Failed, true, false}}
}

func (n *Node) retain(ctx context.Context, d store.Direction, k *config.Kept, now time.Time, r *Retained) error {
	for _, f := range fates(d, k) {
		if f.age == 0 {
			continue
		}
		before := now.Add(-f.age.D())
		for after := int64(0); ; {
			list, next, err := n.Store.Expired(ctx, store.Expiry{Direction: d, States: f.states, Before: before, Payloads: !f.whole}, after)
			if err != nil {
				return err
			}
			for len(list) > 0 {
				some := list[:min(len(list), retentionBatch)]
				list = list[len(some):]
				gone, err := n.forget(ctx, some, f, before)
				if f.whole {
					r.Messages += gone
				} else {
					r.Payloads += gone
				}
				if err != nil {
					return err
				}
			}
			if after = next; next == 0 {
				break
			}
		}
	}
	return nil
}

// applies says whether a message, as it is now, meets its fate.
func (n *Node) applies(f *fate, m *store.Message, before time.Time) bool {
	if m.State == store.Delivered && n.handlerOf(m).Waits() != f.fetched || !m.Updated.Before(before) {
		return false
	}
	for _, s := range f.states {
		if s == m.State {
			return true
		}
	}
	return false
}

// forget deletes messages, or their payloads, as far as nothing has happened to them since they were found.
func (n *Node) forget(ctx context.Context, list []*store.Message, f fate, before time.Time) (gone int, err error) {
	var refs []store.PayloadRef
	err = n.Store.Write(ctx, func(tx store.Tx) error {
		gone, refs = 0, refs[:0]
		for _, old := range list {
			m, err := tx.Message(old.ID)
			if errors.Is(err, store.ErrNotFound) || err == nil && !n.applies(&f, m, before) {
				continue
			}
			if err != nil {
				return err
			}
			for i := range m.Payloads {
				if !m.Payloads[i].Gone {
					refs = append(refs, m.Payloads[i].PayloadRef)
				}
			}
			if f.whole {
				err = tx.Delete(m.ID)
			} else {
				err = tx.DeletePayloads(m.ID)
			}
			if err != nil {
				return err
			}
			gone++
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	n.metrics.retained(f.whole, gone)
	return gone, n.Store.Discard(ctx, refs...)
}

// retainGroups deletes groups of pieces that began before a time and came to their end. An incoming group that should have
// ended long ago, but whose work was given up, ends here; an outgoing one ends with its message.
func (n *Node) retainGroups(ctx context.Context, before time.Time) (gone int, err error) {
	for after := int64(0); ; {
		groups, err := n.Store.ListGroups(ctx, after, 100)
		if err != nil || len(groups) == 0 {
			return gone, err
		}
		for i := range groups {
			g := &groups[i]
			if after = g.ID; !g.Created.Before(before) {
				continue
			}
			if ended, err := n.groupEnded(ctx, g, before); err != nil {
				return gone, err
			} else if !ended {
				continue
			}
			if err := n.deleteGroup(ctx, g.ID); err != nil {
				return gone, err
			}
			gone++
		}
	}
}

func (n *Node) groupEnded(ctx context.Context, g *store.Group, before time.Time) (bool, error) {
	if number, out := strings.CutPrefix(g.Key, "out:"); out {
		id, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return false, nil // nobody's
		}
		m, err := n.Store.Message(ctx, id)
		if errors.Is(err, store.ErrNotFound) {
			return true, nil
		}
		return err == nil && (g.Closed || m.State.Dead() || m.State == store.Acknowledged || m.State == store.AcknowledgedWithoutReceipt), err
	}
	if g.Closed {
		return true, nil
	}
	var rec joinRecord
	if err := json.Unmarshal(g.Record, &rec); err != nil {
		return false, nil
	}
	return rec.Deadline.Before(before), nil
}

func (n *Node) deleteGroup(ctx context.Context, group int64) error {
	pieces, err := n.Store.Fragments(ctx, group)
	if err != nil {
		return err
	}
	if err := n.Store.Write(ctx, func(tx store.Tx) error { return tx.DeleteGroup(group) }); err != nil {
		return err
	}
	var refs []store.PayloadRef
	for i := range pieces {
		if !pieces[i].Gone {
			refs = append(refs, pieces[i].Payload)
		}
	}
	return n.Store.Discard(ctx, refs...)
}

// retainTasks deletes work of any queue that was given up before a time.
func (n *Node) retainTasks(ctx context.Context, before time.Time) (gone int, err error) {
	queues, err := n.Store.DeadQueues(ctx)
	if err != nil {
		return 0, err
	}
	for _, q := range queues {
		for after := int64(0); ; {
			tasks, err := n.Store.DeadTasks(ctx, q, after, 100)
			if err != nil {
				return gone, err
			}
			if len(tasks) == 0 {
				break
			}
			after = tasks[len(tasks)-1].ID
			deleted := 0
			err = n.Store.Write(ctx, func(tx store.Tx) error {
				deleted = 0
				for _, t := range tasks {
					if !t.Due.Before(before) {
						continue
					}
					if err := tx.DeleteTask(t.ID); errors.Is(err, store.ErrNotFound) {
						continue
					} else if err != nil {
						return err
					}
					deleted++
				}
				return nil
			})
			if err != nil {
				return gone, err
			}
			gone += deleted
		}
	}
	return gone, nil
}
