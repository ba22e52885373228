package report

import (
	"bytes"
	_ "embed"
	"html/template"
	"strings"
	"time"
)

//go:embed page.html
var pageSource string

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"grouped": Grouped,
	"join":    func(s []string) string { return strings.Join(s, ", ") },
	"ms":      func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 },
	"inc":     func(i int) int { return i + 1 },
	"more":    func(n, most int) int { return max(0, n-most) },
}).Parse(pageSource))

// placesShown bounds the places of one rule on a page.
const placesShown = 100

// HTML writes a page for people: a table of the documents, then each with its findings by rule, their places and what
// to do. It loads nothing and runs nothing, whatever stands in the documents.
func HTML(docs []*Document) ([]byte, error) {
	type data struct {
		Docs   []*Document
		Valid  int
		Most   int
		Engine string
	}
	d := data{Docs: docs, Most: placesShown, Engine: Engine}
	for _, x := range docs {
		if x.Valid() {
			d.Valid++
		}
		if x.Engine != "" {
			d.Engine = Engine + " " + x.Engine
		}
	}
	var b bytes.Buffer
	err := page.Execute(&b, d)
	return b.Bytes(), err
}
