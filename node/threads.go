package node

import (
	"context"
	"net/http"

	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/node/thread"
)

// ThreadJSON is the documents of one business process, in the order in which the node got them.
type ThreadJSON struct {
	Documents []ThreadDocumentJSON `json:"documents"`
	Partial   bool                 `json:"partial,omitempty" doc:"There are more documents than are listed."`
}

// ThreadDocumentJSON is one document of a process.
type ThreadDocumentJSON struct {
	Message  MessageJSON         `json:"message"`
	Type     string              `json:"type,omitempty" doc:"What the document is."`
	Number   string              `json:"number,omitempty" doc:"Number that its issuer gave it."`
	Issued   string              `json:"issued,omitempty" doc:"Day of issue."`
	From     string              `json:"from" doc:"Who issued it."`
	To       string              `json:"to" doc:"Who gets it."`
	About    []string            `json:"about" doc:"Documents of the process that it refers to."`
	Says     string              `json:"says,omitempty" doc:"What an answer says."`
	Amount   string              `json:"amount,omitempty" doc:"To be paid, or ordered."`
	Findings []edocument.Finding `json:"findings" doc:"How an invoice differs from what was ordered, delivered and billed before."`
}

// Thread gathers what belongs to one business process with a message; nil where its domain knows nothing of processes.
func (n *Node) Thread(ctx context.Context, m *store.Message) (*thread.Thread, error) {
	t, ok := n.handlerOf(m).(Threader)
	if !ok {
		return nil, nil
	}
	return t.Thread(ctx, m)
}

// threadTable lists the calls about business processes.
func (a api) threadTable() []route {
	return []route{{Method: "GET", Path: "/api/v1/messages/{id}/thread", Summary: "Documents of the business process that a message belongs to, and how its invoices differ from what was ordered", Scopes: []string{scopeMessages}, Status: http.StatusOK, Answer: ThreadJSON{}, handler: a.thread}}
}

func (a api) thread(w http.ResponseWriter, r *http.Request) error {
	m, err := a.find(r)
	if err != nil {
		return err
	}
	t, err := a.n.Thread(r.Context(), m)
	if err != nil {
		return err
	}
	if t == nil {
		t = &thread.Thread{Documents: []thread.Document{{Message: m, From: m.Sender, To: m.Receiver}}}
	}
	out := ThreadJSON{Documents: []ThreadDocumentJSON{}, Partial: t.Partial}
	for _, d := range t.Documents {
		j := ThreadDocumentJSON{messageJSON(d.Message), d.Type, d.Number, d.Issued, d.From, d.To, d.About, d.Says, d.Amount, d.Findings}
		if j.About == nil {
			j.About = []string{}
		}
		if j.Findings == nil {
			j.Findings = []edocument.Finding{}
		}
		out.Documents = append(out.Documents, j)
	}
	return writeJSON(w, http.StatusOK, out)
}
