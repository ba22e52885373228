package node

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/viadukt-eu/viadukt/node/store"
)

// Pauses of [Node.keep].
const (
	keepFirst = 50 * time.Millisecond
	keepMost  = 5 * time.Second
)

// keep records what happened elsewhere and cannot be taken back, for example that a partner gave its receipt. As long as
// the store cannot be written, because its disk is full or read-only, it is tried again, until the node stops or another
// one may take the work over: whoever calls has a hand less for new work meanwhile, which is what a disk without room
// needs.
func (n *Node) keep(ctx context.Context, what string, f func(store.Tx) error) error {
	end := time.Now().Add(leaseTime)
	for pause := keepFirst; ; pause = min(2*pause, keepMost) {
		err := n.Store.Write(context.WithoutCancel(ctx), f) // also while stopping
		if err == nil || refusedByStore(err) || ctx.Err() != nil || time.Now().After(end) {
			return err
		}
		n.Log.Error("not recorded yet", slog.String("what", what), slog.Any("err", err))
		t := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-t.C:
		}
		t.Stop()
	}
}

// refusedByStore reports whether an error is the store's answer, and not that it could not be asked.
func refusedByStore(err error) bool {
	for _, e := range []error{store.ErrLeaseLost, store.ErrTransition, store.ErrNotFound, store.ErrDuplicate, store.ErrClosed, context.Canceled} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
