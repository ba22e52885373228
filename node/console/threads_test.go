package console

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/node/thread"
)

type fakeThreads struct{ t *thread.Thread }

func (f fakeThreads) Thread(context.Context, *store.Message) (*thread.Thread, error) { return f.t, nil }

// TestTheDocumentsOfAProcessAreShown: in every language, for operators, and harmless whatever the documents say.
func TestTheDocumentsOfAProcessAreShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.fill(t)
	path := fmt.Sprintf("/console/messages/%d/thread", m.ID)
	b := w.as(t, Operator)
	if p := b.get(path); p.status != http.StatusNotFound {
		t.Errorf("where nothing is known of processes: %d", p.status)
	}
	w.opt.Threads = fakeThreads{}
	if p := b.get(path); p.status != http.StatusNotFound {
		t.Errorf("where the domain knows nothing of them: %d", p.status)
	}
	w.opt.Threads = fakeThreads{&thread.Thread{Partial: true, Documents: []thread.Document{
		{Message: m, From: hostile, To: hostile},
		{Message: m, Type: hostile, Number: hostile, From: hostile, To: hostile, About: []string{hostile, "order B-7"}, Says: hostile, Amount: hostile,
			Findings: []edocument.Finding{{ID: "VMA-PRICE", Severity: edocument.Error, Text: hostile, Remedy: hostile}, {ID: "VMA-OPEN", Severity: edocument.Info}, {ID: "OTHER", Severity: edocument.Error, Text: "x", Remedy: "mend it"}}},
	}}}
	b.get(fmt.Sprintf("/console/messages/%d", m.ID)).says(t, "the message", http.StatusOK, path)
	for _, language := range Languages {
		b.post("/console/look", "language", language, "theme", "", "back", "/console/messages")
		p := b.get(path)
		p.says(t, language, http.StatusOK, "VMA-PRICE", "VMA-OPEN", "order B-7", "&lt;script&gt;", "mend it")
		words := map[string][]string{"en": {"Another price", "Not billed yet"}, "de": {"Anderer Preis", "vereinbarten Preis verlangen", "Noch nicht berechnet"}, "fr": {"Autre prix", "le prix convenu"}, "it": {"Altro prezzo", "il prezzo concordato"}}
		p.says(t, language, http.StatusOK, words[language]...)
		if strings.Contains(p.body, "<script>alert") || leftOver.MatchString(p.body) {
			t.Errorf("%s: what a document says is markup, or a text is missing: %s", language, leftOver.FindString(p.body))
		}
	}
	if p := w.as(t, Viewer).get(path); p.status != http.StatusForbidden {
		t.Errorf("who may not read documents: %d", p.status)
	}
}
