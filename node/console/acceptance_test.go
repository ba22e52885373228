package console

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/node/acceptance"
	"github.com/viadukt-eu/viadukt/node/store"
)

type fakeAcceptance []*acceptance.Report

func (f fakeAcceptance) Acceptance(context.Context, *store.Message, string) ([]*acceptance.Report, error) {
	return f, nil
}

// TestWhatCanBeTakenIsShown: in every language, for operators, by words and signs as well as by colours, and harmless whatever the documents are called.
func TestWhatCanBeTakenIsShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.fill(t)
	path := fmt.Sprintf("/console/messages/%d/acceptance", m.ID)
	b := w.as(t, Operator)
	if p := b.get(path); p.status != http.StatusNotFound {
		t.Errorf("where no documents are judged: %d", p.status)
	}
	var reports fakeAcceptance
	for i, o := range acceptance.Outcomes {
		reports = append(reports, &acceptance.Report{Name: hostile, Outcome: o, Checks: []acceptance.Check{{Subject: acceptance.Subjects[i], Outcome: o, Text: hostile, Ask: hostile}}})
	}
	w.opt.Acceptance = reports
	b.get(fmt.Sprintf("/console/messages/%d", m.ID)).says(t, "the message", http.StatusOK, path)
	for _, language := range Languages {
		b.post("/console/look", "language", language, "theme", "", "back", "/console/messages")
		p := b.get(path)
		p.says(t, language, http.StatusOK, "&lt;script&gt;", ">–<", ">✓<", ">?<", ">✗<")
		if strings.Contains(p.body, "<script>alert") || leftOver.MatchString(p.body) {
			t.Errorf("%s: what a document says is markup, or a text is missing: %s", language, leftOver.FindString(p.body))
		}
	}
	if p := w.as(t, Viewer).get(path); p.status != http.StatusForbidden {
		t.Errorf("who may not read documents: %d", p.status)
	}
}
