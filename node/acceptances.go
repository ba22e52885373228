package node

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"time"

	"github.com/viadukt-eu/viadukt/node/acceptance"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/trust/report"
)

// AcceptanceJSON says of each document of a message whether it can be taken as it is.
type AcceptanceJSON struct {
	Outcome   acceptance.Outcome       `json:"outcome" doc:"The worst of the documents: none, good, doubtful or bad."`
	Documents []AcceptanceDocumentJSON `json:"documents"`
}

// AcceptanceDocumentJSON is the report on one document.
type AcceptanceDocumentJSON struct {
	Name    string                `json:"name,omitempty"`
	Outcome acceptance.Outcome    `json:"outcome" doc:"The worst of the checks."`
	Checks  []AcceptanceCheckJSON `json:"checks"`
}

// AcceptanceCheckJSON is one answer.
type AcceptanceCheckJSON struct {
	Subject string             `json:"subject" doc:"format, rules, signature or issuer."`
	Outcome acceptance.Outcome `json:"outcome"`
	Text    string             `json:"text"`
	Ask     string             `json:"ask,omitempty" doc:"What to ask the sender for, or to do."`
}

// Acceptance says of each document of a message, as it stood when the message came here, whether it can be taken as it is.
func (n *Node) Acceptance(ctx context.Context, m *store.Message, language string) (out []*acceptance.Report, err error) {
	j := acceptance.Judges{
		Rules: n.judges.service.Judge,
		Signatures: func(ctx context.Context, name string, b []byte, at time.Time) (*report.Verdict, error) {
			return n.signatures.service.Judge(ctx, name, bytes.NewReader(b), int64(len(b)), nil, at)
		},
		MaxDocument: int64(n.signatures.settings.MaxDocument),
	}
	handler := n.handlerOf(m)
	for i := range m.Payloads {
		p := &m.Payloads[i]
		r, err := j.Judge(ctx, &acceptance.Document{Name: p.Name, MediaType: p.MimeType, Size: max(p.PlainSize, p.Size), Gone: p.Gone, Arrived: m.Created,
			Open: func() (io.ReadCloser, string, error) { return handler.Open(ctx, m, p) }}, language)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// acceptanceTable lists the call about acceptance.
func (a api) acceptanceTable() []route {
	return []route{{Method: "GET", Path: "/api/v1/messages/{id}/acceptance", Summary: "Can the documents of a message be taken as they are: format, rules, signatures, and who vouches for the signer", Scopes: []string{scopeMessages}, Status: http.StatusOK, Answer: AcceptanceJSON{}, handler: a.acceptance,
		Query: []queryParam{textParam("language", "Language of the texts: en, de, fr, it. Default: en.")}}}
}

func (a api) acceptance(w http.ResponseWriter, r *http.Request) error {
	m, err := a.find(r)
	if err != nil {
		return err
	}
	reports, err := a.n.Acceptance(r.Context(), m, r.URL.Query().Get("language"))
	if err != nil {
		return err
	}
	out := AcceptanceJSON{Outcome: acceptance.Worst(reports), Documents: []AcceptanceDocumentJSON{}}
	for _, d := range reports {
		j := AcceptanceDocumentJSON{d.Name, d.Outcome, []AcceptanceCheckJSON{}}
		for _, c := range d.Checks {
			j.Checks = append(j.Checks, AcceptanceCheckJSON(c))
		}
		out.Documents = append(out.Documents, j)
	}
	return writeJSON(w, http.StatusOK, out)
}
