package console

import (
	"context"
	"net/http"

	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/node/thread"
)

// Threads know which messages belong to one business process.
type Threads interface {
	// Thread gathers what belongs together with a message; nil where nothing is known of processes.
	Thread(ctx context.Context, m *store.Message) (*thread.Thread, error)
}

type threadData struct {
	M *store.Message
	*thread.Thread
}

// threadPage shows the documents of a business process, and how its invoices differ from what was ordered.
func (c *Console) threadPage(x *call) error {
	id, err := x.row()
	if err != nil || c.opt.Threads == nil {
		return errNotFound
	}
	m, err := c.opt.Store.Message(x.r.Context(), id)
	if err != nil {
		return err
	}
	t, err := c.opt.Threads.Thread(x.r.Context(), m)
	if err != nil {
		return err
	}
	if t == nil {
		return errNotFound
	}
	return x.show(http.StatusOK, "thread", view{Title: "thread.title", Data: threadData{m, t}})
}
