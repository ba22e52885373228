package console

import (
	"context"
	"net/http"

	"github.com/viadukt-eu/viadukt/node/acceptance"
	"github.com/viadukt-eu/viadukt/node/store"
)

// Acceptance judges the documents of messages.
type Acceptance interface {
	// Acceptance has a report on each payload of a message, in a language.
	Acceptance(ctx context.Context, m *store.Message, language string) ([]*acceptance.Report, error)
}

type acceptanceData struct {
	M       *store.Message
	Reports []*acceptance.Report
}

// acceptancePage shows which documents of a message can be taken as they are, and what to ask for where one cannot.
func (c *Console) acceptancePage(x *call) error {
	id, err := x.row()
	if err != nil || c.opt.Acceptance == nil {
		return errNotFound
	}
	m, err := c.opt.Store.Message(x.r.Context(), id)
	if err != nil {
		return err
	}
	reports, err := c.opt.Acceptance.Acceptance(x.r.Context(), m, x.look.Language)
	if err != nil {
		return err
	}
	return x.show(http.StatusOK, "acceptance", view{Title: "acceptance.title", Data: acceptanceData{m, reports}})
}
