package console

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
	"pgregory.net/rapid"

	"github.com/viadukt-eu/viadukt/node/audit"
	"github.com/viadukt-eu/viadukt/node/store"
)

// hostileLog is a log of evidence whose entries a peer could have chosen.
type hostileLog struct{ text string }

func (l hostileLog) list() []AuditEntry {
	var out []AuditEntry
	for i, t := range auditTypes {
		out = append(out, AuditEntry{int64(i), &audit.Entry{Type: t, Time: start, Actor: l.text, Subject: l.text, State: l.text, Detail: l.text}})
	}
	return append(out, AuditEntry{99, &audit.Entry{Type: audit.Type(l.text), Time: start}})
}

func (l hostileLog) Stamped(context.Context) (*Stamped, error) {
	return &Stamped{Size: 7, Time: start, Authority: l.text, Failing: start}, nil
}

func (l hostileLog) Entries(context.Context, int64, int) ([]AuditEntry, int64, error) {
	return l.list(), 100, nil
}
func (l hostileLog) EntriesOf(context.Context, int64) ([]AuditEntry, error)  { return l.list(), nil }
func (l hostileLog) Head(context.Context) (*audit.Head, error)               { return nil, store.ErrNotFound }
func (l hostileLog) WriteCase(context.Context, io.Writer, int64, bool) error { return nil }

// vocabulary is what pages are made of: elements with their attributes.
type vocabulary map[string]bool

// local are the addresses that links and forms of the console lead to.
var local = regexp.MustCompile(`^(/console/|[?#]|[a-z]+(/|\?|$))`)

// read takes a page apart as a browser does. What it holds beside the vocabulary, and addresses that leave the console, are
// reported.
func (v vocabulary) read(page string, known vocabulary, report func(format string, args ...any)) {
	doc, err := html.Parse(strings.NewReader(page))
	if err != nil {
		report("%v", err)
		return
	}
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		word := n.Data
		v[word] = true
		for _, a := range n.Attr {
			key := n.Data + " " + a.Key
			v[key] = true
			if known != nil && !known[key] {
				report("attribute %s=%q", key, a.Val)
			}
			switch a.Key {
			case "href", "src", "action", "formaction", "data", "poster", "ping", "srcset", "background", "cite", "manifest":
				if u, err := url.Parse(a.Val); err != nil || u.IsAbs() || u.Host != "" || !local.MatchString(a.Val) {
					report("%s leads to %q", key, a.Val)
				}
			case "style", "srcdoc", "http-equiv":
				report("attribute %s=%q", key, a.Val)
			}
			if strings.HasPrefix(a.Key, "on") {
				report("attribute %s=%q", key, a.Val)
			}
		}
		if known != nil && !known[word] {
			report("element %s", word)
		}
		if n.Data == "script" && n.FirstChild != nil {
			report("a script within the page: %q", n.FirstChild.Data)
		}
	}
}

// TestNoFieldOfAPeerBecomesMarkup: whatever a peer, or a partner's certificate, or the log puts into its fields, pages hold the
// elements and attributes that they hold with harmless values, and lead nowhere else.
func TestNoFieldOfAPeerBecomesMarkup(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.as(t, Administrator)
	fetch := func(t testing.TB, text string) (all []string) {
		m := w.fillWith(t, text)
		w.opt.Audit = hostileLog{text}
		w.opt.Alerts = func(string) []Alert { return []Alert{{Severity: "critical", Text: text, Remedy: text, Since: start}} }
		q := url.QueryEscape(text)
		for _, path := range append(pages(m.ID), "/console/audit", fmt.Sprint("/console/audit?message=", m.ID),
			"/console/messages?q="+q+"&partner="+q+"&domain="+q+"&since="+q, "/console/agreements/in/"+url.PathEscape(text), "/console/partners/"+url.PathEscape("x"+text)) {
			all = append(all, b.get(path).body)
		}
		return append(all, b.post("/console/users", "name", text, "role", text).body, b.post("/console/partners/pt/check").body)
	}
	known := vocabulary{}
	for _, page := range fetch(t, "harmless") {
		known.read(page, nil, t.Errorf)
	}
	if len(known) < 50 || !known["form action"] {
		t.Fatalf("only %v", slices.Sorted(maps.Keys(known)))
	}
	pieces := []string{`"`, `'`, "`", "<", ">", "&", "=", " ", "/", "\\", "\x00", "\n", "\u2028", "\u202e", "\xff", "{{.}}", "{0}", "${1}", "%s",
		"<script>alert(1)</script>", "<img src=x onerror=alert(2)>", "<svg/onload=alert(3)>", " onmouseover=alert(4) ", " style=x ", "javascript:alert(5)", "data:text/html,x", "//evil.example/",
		"</title>", "</textarea>", "</style>", "</script>", "-->", "<!--", "]]>", "<![CDATA[", "&lt;", "&#60;script&#62;", "&quot;", "<base href=//x>", "<meta http-equiv=refresh content=0>", "<form action=//x>", "<math><mi", "</td></tr></table>"}
	found := 0
	vocabulary{}.read(`<p><img src=x onerror=alert(1)>`, known, func(string, ...any) { found++ })
	if found == 0 {
		t.Error("a script would not be found")
	}
	texts := rapid.Custom(func(rt *rapid.T) string {
		return strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 1, 8).Draw(rt, "pieces"), "")
	})
	rounds := 30
	if testing.Short() {
		rounds = 5
	}
	for i := range rounds {
		text := texts.Example(i)
		for j, page := range fetch(t, text) {
			vocabulary{}.read(page, known, func(format string, args ...any) {
				t.Errorf("%q on page %d: "+format, append([]any{text, j}, args...)...)
			})
		}
	}
}
