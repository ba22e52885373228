package node

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"path"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/edocument/espd"
	"github.com/viadukt-eu/viadukt/edocument/facturx"
	"github.com/viadukt-eu/viadukt/edocument/report"
	"github.com/viadukt-eu/viadukt/edocument/rulepack"
	"github.com/viadukt-eu/viadukt/edocument/rules"
	"github.com/viadukt-eu/viadukt/node/alert"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/validation"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// judges is what the node knows of business documents.
type judges struct {
	settings validation.Settings
	library  *rulepack.Library
	service  *validation.Service
	looked   atomic.Int64 // when the folder was looked at last, in Unix nanoseconds
}

// packsSeen is how soon a pack is used that is added to the folder.
const packsSeen = time.Second

// loadJudges reads the section validation and the folder of rule packs.
func (n *Node) loadJudges() error {
	j := &n.judges
	var err error
	if j.settings, err = validationSettings(n.Config); err != nil {
		return err
	}
	library, err := rulepack.NewLibrary(rulepack.Folder(j.settings.Packs), rulepack.Options{})
	if err != nil {
		return n.Config.Problem("validation.packs", "%v", err)
	}
	library.Fallback = edocument.Judges{rules.Judge{}, espd.Judge{}}
	j.library = library
	j.looked.Store(n.Clock().UnixNano())
	j.service = validation.New(validation.Options{Judge: n.Validate, Packs: n.packNames, Clock: n.Clock, Version: Version, MaxDocument: int64(j.settings.MaxDocument)})
	return nil
}

func validationSettings(c *config.Config) (s validation.Settings, err error) {
	err = config.Decode(c.Validation, &s)
	if c.Validation.IsZero() {
		s.Packs = config.Path(filepath.Join(c.Dir(), string(s.Packs)))
	}
	return s, err
}

// PackFolder is where a configuration keeps rule packs. It need not be there.
func PackFolder(c *config.Config) (string, error) {
	s, err := validationSettings(c)
	return string(s.Packs), err
}

// Validate judges a business document: by rule packs with these names; without names by the packs that are meant for it,
// where an administrator has added such, else by the rules that the program brings along. What an administrator adds or
// removes counts from the next document on.
func (n *Node) Validate(ctx context.Context, doc *dom.Document, packs ...string) (*edocument.Report, error) {
	n.refreshPacks(ctx)
	return n.judges.library.Validate(ctx, doc, n.Clock(), packs...)
}

// refreshPacks looks at the folder of packs, now and then.
func (n *Node) refreshPacks(ctx context.Context) {
	j, now := &n.judges, n.Clock().UnixNano()
	last := j.looked.Load()
	if now >= last && now-last < int64(packsSeen) || !j.looked.CompareAndSwap(last, now) {
		return
	}
	changed, err := j.library.Refresh()
	switch {
	case err != nil:
		n.Log.LogAttrs(ctx, slog.LevelError, "rule packs not read", slog.Any("err", err))
	case changed:
		n.Log.LogAttrs(ctx, slog.LevelInfo, "rule packs replaced", slog.Int("packs", len(j.library.Packs())))
	}
}

// packsThatEnd are the rule packs after which there is none of their name.
func (n *Node) packsThatEnd() (out []alert.PhaseOut) {
	packs := n.judges.library.Packs()
	for _, p := range packs {
		if p.ValidTo == nil || p.Deprecated != "" {
			continue
		}
		if !slices.ContainsFunc(packs, func(q *rulepack.Pack) bool {
			return q.ID.Name() == p.ID.Name() && q.Deprecated == "" && q.ValidAt(*p.ValidTo)
		}) {
			out = append(out, alert.PhaseOut{What: p.ID.String(), At: *p.ValidTo})
		}
	}
	return out
}

func (n *Node) packNames() (names []string) {
	n.refreshPacks(context.Background())
	for _, p := range n.judges.library.Packs() {
		names = append(names, p.ID.String())
	}
	return names
}

// ValidationJSON is the verdict on a document.
type ValidationJSON struct {
	Name       string              `json:"name,omitempty" doc:"As the request names it."`
	Valid      bool                `json:"valid" doc:"Nothing in it is an error. Warnings do not count."`
	Type       string              `json:"type,omitempty" doc:"What the document is."`
	Pack       []string            `json:"pack" doc:"Rules that were asked, each as id@version."`
	Millis     float64             `json:"ms" doc:"What it took."`
	Findings   []edocument.Finding `json:"findings" doc:"Each rule that a place of the document breaks."`
	Suppressed int                 `json:"suppressed,omitempty" doc:"Findings that are counted and not described."`
	Error      *apiError           `json:"error" doc:"Why the document could not be judged; it is not valid then."`
}

// PackJSON is one rule pack.
type PackJSON struct {
	ID         string     `json:"id" doc:"group:artifact:version."`
	Title      string     `json:"title,omitempty"`
	ValidFrom  *time.Time `json:"validFrom,omitempty"`
	ValidTo    *time.Time `json:"validTo,omitempty"`
	Deprecated string     `json:"deprecated,omitempty"`
	Source     string     `json:"source" doc:"File it was made of."`
	SHA256     string     `json:"sha256"`
}

// PackListJSON lists rule packs.
type PackListJSON struct {
	Packs []PackJSON `json:"packs"`
}

// forms of a verdict, beside JSON.
var forms = map[string]struct {
	media string
	write func(*report.Document) ([]byte, error)
}{
	"svrl":  {"application/xml", func(d *report.Document) ([]byte, error) { return report.SVRL(d), nil }},
	"kosit": {"application/xml", func(d *report.Document) ([]byte, error) { return report.KoSIT(d), nil }},
	"gitb":  {"application/xml", func(d *report.Document) ([]byte, error) { return report.GITB(d), nil }},
	"junit": {"application/xml", func(d *report.Document) ([]byte, error) { return report.JUnit([]*report.Document{d}), nil }},
	"phive": {"application/json", func(d *report.Document) ([]byte, error) { return report.Phive(d), nil }},
	"html":  {"text/html; charset=utf-8", func(d *report.Document) ([]byte, error) { return report.HTML([]*report.Document{d}) }},
}

// validationTable lists the calls about rules.
func (a api) validationTable() []route {
	return []route{
		{Method: "POST", Path: "/api/v1/validate", Summary: "Judge a business document by its rules; nothing is stored", Scopes: []string{scopeMessages}, Status: http.StatusOK, Answer: ValidationJSON{}, handler: a.validate,
			Upload: "One XML document, a PDF with an invoice attached, or a container of Virtual Company Dossiers.", Query: []queryParam{{Name: "pack", Doc: "Rule packs to judge by, group:artifact or group:artifact:version. Default: those that are meant for the document.", Schema: "", Many: true},
				textParam("name", "What reports call the document."), textParam("form", "Form of the answer instead of this JSON: svrl, kosit, gitb, junit, phive or html.")}},
		{Method: "GET", Path: "/api/v1/packs", Summary: "Rule packs that the node judges by", Scopes: []string{scopeMessages}, Status: http.StatusOK, Answer: PackListJSON{}, handler: a.packs},
	}
}

func (a api) validate(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	form, known := forms[q.Get("form")]
	if !known && q.Get("form") != "" && q.Get("form") != "json" {
		return badRequest("form: svrl, kosit, gitb, junit, phive or html, not %q", q.Get("form"))
	}
	for _, p := range q["pack"] {
		if _, err := rulepack.ParseID(p); err != nil {
			return badRequest("pack: %v", err)
		}
	}
	name := q.Get("name")
	if name != "" {
		name = path.Base(name)
	}
	d, err := a.n.judges.service.Judge(r.Context(), name, r.Body, q["pack"]...)
	switch {
	case errors.Is(err, edocument.ErrSize):
		return &apiError{Status: http.StatusRequestEntityTooLarge, Code: "TOO_LARGE", Text: err.Error(), Remedy: "raise validation.maxDocument, or use viadukt validate"}
	case err != nil:
		return badRequest("body: %v", err)
	case errors.Is(d.Err, rulepack.ErrNotFound):
		return &apiError{Status: http.StatusNotFound, Code: "NO_PACK", Text: d.Err.Error(), Remedy: "GET /api/v1/packs lists what there is"}
	}
	if known {
		b, err := form.write(d)
		if err != nil {
			return err
		}
		w.Header().Set("Content-Type", form.media)
		_, err = w.Write(b)
		return err
	}
	return writeJSON(w, http.StatusOK, verdictJSON(d))
}

func verdictJSON(d *report.Document) ValidationJSON {
	j := ValidationJSON{Name: d.Name, Valid: d.Valid(), Pack: []string{}, Findings: []edocument.Finding{}, Millis: float64(d.Took.Microseconds()) / 1000}
	if r := d.Report; r != nil {
		j.Type, j.Pack, j.Findings, j.Suppressed = r.Type, r.Pack, r.Findings, r.Suppressed
	}
	if d.Err != nil {
		j.Error = &apiError{Code: "NOT_JUDGED", Text: d.Err.Error()}
		switch {
		case errors.Is(d.Err, facturx.ErrNone):
			j.Error.Code, j.Error.Remedy = "NO_INVOICE", "send the XML, or a PDF with a Factur-X, ZUGFeRD or XRechnung invoice attached"
		case d.NotXML:
			j.Error.Code, j.Error.Remedy = "NOT_WELL_FORMED", "mend the document at that place"
		case errors.Is(d.Err, validation.ErrArchive):
			j.Error.Code, j.Error.Remedy = "UNKNOWN_TYPE", "send its documents one by one, or judge it by viadukt validate"
		case errors.Is(d.Err, edocument.ErrUnknownType):
			j.Error.Code, j.Error.Remedy = "UNKNOWN_TYPE", "add the rules for such documents: viadukt pack add"
		}
	}
	return j
}

func (a api) packs(w http.ResponseWriter, r *http.Request) error {
	a.n.refreshPacks(r.Context())
	list := PackListJSON{Packs: []PackJSON{}}
	for _, p := range a.n.judges.library.Packs() {
		list.Packs = append(list.Packs, PackJSON{p.ID.String(), p.Title, p.ValidFrom, p.ValidTo, p.Deprecated, p.Source.Name, p.SHA256()})
	}
	return writeJSON(w, http.StatusOK, list)
}

// documents judges what people bring to the console.
type documents struct{ *Node }

func (n documents) Packs() []string { return n.packNames() }

func (n documents) Judge(ctx context.Context, name string, octets []byte, packs ...string) (*report.Document, error) {
	return n.judges.service.Judge(ctx, name, bytes.NewReader(octets), packs...)
}
