package console

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/edocument/report"
)

type fakeValidator struct{ asked []string }

func (f *fakeValidator) Packs() []string { return []string{"eu.example:rules:1"} }

func (f *fakeValidator) Judge(_ context.Context, name string, octets []byte, packs ...string) (*report.Document, error) {
	f.asked = packs
	d := &report.Document{Name: name}
	const hostile = `"><script>alert(1)</script>`
	switch string(octets) {
	case "wrong":
		d.Err = errors.New(hostile)
	case "good":
		d.Report = &edocument.Report{Type: "invoice", Pack: []string{"a@1"}, Valid: true}
	default:
		d.Report = &edocument.Report{Type: hostile, Pack: []string{hostile}, Suppressed: 3}
		for range placesShown + 2 {
			d.Report.Findings = append(d.Report.Findings, edocument.Finding{ID: "BR-01", Severity: edocument.Fatal, Location: hostile, Line: 1204, Value: hostile, Text: hostile, Remedy: hostile})
		}
		d.Report.Findings = append(d.Report.Findings, edocument.Finding{ID: "W-01", Severity: edocument.Warning}, edocument.Finding{ID: "I-01", Severity: edocument.Info})
	}
	return d, nil
}

// TestADocumentIsJudgedOnThePage: in every language, and harmless whatever the document says.
func TestADocumentIsJudgedOnThePage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.as(t, Viewer)
	if p := b.get("/console/validate"); p.status != http.StatusNotFound {
		t.Errorf("without a validator: %d", p.status)
	}
	v := &fakeValidator{}
	w.opt.Validator = v
	b.get("/console/validate").says(t, "the page", http.StatusOK, "drop it here", "eu.example:rules:1", `aria-describedby="document-hint"`)
	b.upload("/console/validate", "document", "a.xml", nil).says(t, "no file", http.StatusUnprocessableEntity, "Choose a file.")
	b.upload("/console/validate", "document", `C:\in\good.xml`, []byte("good")).says(t, "a good one", http.StatusOK, "good.xml", "The document is valid.", "No rule is broken.")
	b.upload("/console/validate", "document", "wrong.xml", []byte("wrong")).says(t, "no XML", http.StatusOK, "could not be judged", "&lt;script&gt;")
	for _, language := range Languages {
		b.post("/console/look", "language", language, "theme", "", "back", "/console/validate")
		p := b.upload("/console/validate", "document", "BAD", []byte("bad"), "pack", "eu.example:rules:1")
		p.says(t, "a bad one", http.StatusOK, "BR-01", "W-01", "I-01", "&lt;script&gt;")
		if strings.Contains(p.body, "<script>alert") || leftOver.MatchString(p.body) {
			t.Errorf("%s: what the document says is markup, or a text is missing: %s", language, leftOver.FindString(p.body))
		}
		if len(v.asked) != 1 {
			t.Errorf("asked %q", v.asked)
		}
	}
	if p := b.upload("/console/validate", "document", "bad.xml", []byte("bad"), "pack", "no:such:1"); p.status != http.StatusNotFound {
		t.Errorf("a pack that is not offered: %d", p.status)
	}
}
