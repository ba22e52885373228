package node

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/viadukt-eu/viadukt/node/backup"
	"github.com/viadukt-eu/viadukt/node/store"
)

// readRestored finds out whether the store went back in time, and tells of it at each start.
func (n *Node) readRestored(ctx context.Context) error {
	text, err := n.Store.Meta(ctx, backup.MetaRestored)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if n.restored, err = time.Parse(time.RFC3339Nano, text); err != nil {
		return err
	}
	n.Log.Info("node was restored", slog.Time("restored", n.restored))
	return nil
}

// markCopy notes that a message was sent before the store went back to a backup: it may have arrived and been delivered
// then, and nothing here knows its id any more.
func (n *Node) markCopy(tx store.Tx, m *store.Message, sent time.Time) error {
	if n.restored.IsZero() || !sent.Before(n.restored) || !m.State.May(m.Direction, m.State) {
		return nil
	}
	return tx.Transition(m.ID, m.State, store.Change{Time: n.Clock(), Detail: "sent before this node was restored from a backup: it may be a copy of a message that was delivered then"})
}
