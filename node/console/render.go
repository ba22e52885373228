package console

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/viadukt-eu/viadukt/node/acceptance"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/trust/report"
)

//go:embed pages/*.html
var pageFiles embed.FS

//go:embed static
var staticFiles embed.FS

// pageSet is every page in one language. A page is read when it is first shown: all of them in all languages would take
// longer than the rest of a node's start, and several megabytes of a node that nobody looks at.
type pageSet struct {
	*texts
	mu    sync.Mutex
	pages map[string]*template.Template
}

func loadPages() (map[string]*pageSet, error) {
	out := map[string]*pageSet{}
	for _, language := range Languages {
		t, err := loadTexts(language)
		if err != nil {
			return nil, err
		}
		out[language] = &pageSet{texts: t, pages: map[string]*template.Template{}}
	}
	return out, nil
}

func (s *pageSet) page(name string) (*template.Template, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.pages[name]; t != nil {
		return t, nil
	}
	t, err := template.New("layout.html").Funcs(s.funcs()).Option("missingkey=error").
		ParseFS(pageFiles, "pages/layout.html", "pages/parts.html", "pages/"+name+".html")
	if err != nil {
		return nil, fmt.Errorf("console: page %q: %w", name, err)
	}
	s.pages[name] = t
	return t, nil
}

func (s *pageSet) render(w io.Writer, name string, data any) error {
	t, err := s.page(name)
	if err != nil {
		return err
	}
	return t.ExecuteTemplate(w, "layout.html", data)
}

// part renders one named part of a page.
func (s *pageSet) part(name, part string, data any) ([]byte, error) {
	t, err := s.page(name)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = t.ExecuteTemplate(&b, part, data)
	return b.Bytes(), err
}

// funcs are what templates may call.
func (t *texts) funcs() template.FuncMap {
	return template.FuncMap{
		"t": t.text, "has": t.has,
		"tn":        func(key string, n any, args ...any) string { return t.count(key, integer(n), args...) },
		"num":       func(n any) string { return t.number(integer(n)) },
		"size":      t.size,
		"span":      t.duration,
		"lang":      func() string { return t.language },
		"languages": func() []string { return Languages },
		"roles":     func() []Role { return Roles },
		"stores":    func() []string { return TrustStoreNames },
		"purposes":  func() []string { return AnchorPurposes },
		"sources":   func() []string { return AnchorSources },
		"may":       func(have, need Role) bool { return have.May(need) },
		"static":    func(name string) string { return Root + "static/" + name + "?v=" + staticVersions[name] },
		"iso":       func(at time.Time) string { return at.UTC().Format(time.RFC3339) },
		"time":      func(at time.Time) string { return at.UTC().Format("2006-01-02 15:04:05") },
		"clock":     func(at time.Time) string { return at.UTC().Format("15:04:05.000") },
		"day":       func(at time.Time) string { return at.UTC().Format(time.DateOnly) },
		"kind":      kindOf,
		"tone":      func(o acceptance.Outcome) string { return tones[o].colour },
		"mark":      func(o acceptance.Outcome) string { return tones[o].mark },
		"action":    shortAction,
		"short":     shorten,
		"party":     func(id string) string { return shorten(partyValue(id), 44) },
		"add":       func(a, b int) int { return a + b },
		"hex":       func(b [sha256.Size]byte) string { return hex.EncodeToString(b[:]) },
		"pairs":     pairs,
		"join":      strings.Join,
		"gap":       t.gap,
		"len64":     func(b []byte) int64 { return int64(len(b)) },
		// Only totpURI makes these: html/template knows no scheme otpauth.
		"uri":   func(s string) template.URL { return template.URL(s) },
		"texts": func(key string, args []string) string { return t.text(key, anys(args)...) },
		"list":  func(a ...any) []any { return a },
	}
}

// pairs makes a map of names and values, to hand several things to a part.
func pairs(kv ...any) (map[string]any, error) {
	m := make(map[string]any, len(kv)/2)
	for i := 0; i+1 < len(kv); i += 2 {
		name, ok := kv[i].(string)
		if !ok {
			return nil, fmt.Errorf("console: pair %d has no name", i/2)
		}
		m[name] = kv[i+1]
	}
	return m, nil
}

func anys(s []string) []any {
	out := make([]any, len(s))
	for i := range s {
		out[i] = s[i]
	}
	return out
}

func integer(v any) int64 {
	switch n := v.(type) {
	case int:
		return int64(n)
	case int64:
		return n
	}
	return 0
}

func itoa(n int) string { return strconv.Itoa(n) }

// kindOf is the colour of a state: good, busy, bad or still.
func kindOf(s store.State) string {
	switch s {
	case store.Acknowledged, store.Delivered, store.Confirmed:
		return "good"
	case store.Failed, store.Rejected:
		return "bad"
	case store.Retrying, store.AcknowledgedWithoutReceipt:
		return "warn"
	}
	return "busy"
}

// tones are the colours of outcomes, and signs for people to whom colours say nothing.
var tones = map[acceptance.Outcome]struct{ colour, mark string }{
	acceptance.None: {"", "–"}, acceptance.Good: {"good", "✓"}, acceptance.Doubtful: {"warn", "?"}, acceptance.Bad: {"bad", "✗"},
}

// shortAction shows the local part of a document type "scheme::namespace::local##...", or the end of an address.
func shortAction(action string) string {
	s := action
	if _, rest, ok := strings.Cut(s, "::"); ok {
		s = rest
	}
	s, _, _ = strings.Cut(s, "##")
	if i := strings.LastIndex(s, "::"); i >= 0 {
		s = s[i+2:]
	}
	if i := strings.LastIndexAny(s, "/:"); i >= 0 && i < len(s)-1 {
		s = s[i+1:]
	}
	return shorten(s, 40)
}

// partyValue is an identifier without its scheme, which in lists is mostly the same.
func partyValue(id string) string {
	if i := strings.LastIndex(id, "::"); i >= 0 && i+2 < len(id) {
		return id[i+2:]
	}
	return id
}

// shorten keeps the beginning and the end.
func shorten(s string, most int) string {
	r := []rune(s)
	if len(r) <= most {
		return s
	}
	head := (most - 1) * 2 / 3
	return string(r[:head]) + "…" + string(r[len(r)-(most-1-head):])
}

// staticTypes are those of the files that pages use, whatever the tables of the machine say: browsers run no script of another type.
var staticTypes = map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}

// staticBodies are the files that pages use.
var staticBodies = func() map[string][]byte {
	out := map[string][]byte{"report.css": []byte(report.Style)}
	entries, _ := staticFiles.ReadDir("static")
	for _, e := range entries {
		out[e.Name()], _ = staticFiles.ReadFile("static/" + e.Name())
	}
	return out
}()

// staticVersions let browsers keep files until they change.
var staticVersions = func() map[string]string {
	out := map[string]string{}
	for name, b := range staticBodies {
		sum := sha256.Sum256(b)
		out[name] = hex.EncodeToString(sum[:6])
	}
	return out
}()

func (c *Console) static(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("file")
	b, ok := staticBodies[name]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", staticTypes[path.Ext(name)])
	h.Set("Cache-Control", "no-cache")
	if r.URL.Query().Get("v") == staticVersions[name] {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(b))
}
