package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/trust/validation"
)

//go:embed page.html
var pageText string

// Style is the style sheet of [Verdict.Fragment].
//
//go:embed report.css
var Style string

var sheet = template.Must(template.New("page").Parse(pageText))

// pageData is what page.html shows.
type pageData struct {
	t       *texts
	Summary *Summary
	Name    string
	at      time.Time
	Style   template.CSS
}

func (v *Verdict) pageData(language string) pageData {
	t := textsOf(language)
	return pageData{t, v.Summary(language), v.Name, v.At, template.CSS(Style)}
}

// WriteHTML writes the verdict as a page that needs nothing else, in a language, "en" where it is none of [Languages].
func (v *Verdict) WriteHTML(w io.Writer, language string) error {
	return sheet.Execute(w, v.pageData(language))
}

// Fragment is the verdict as an HTML section for a page that links [Style].
func (v *Verdict) Fragment(w io.Writer, language string) error {
	return sheet.ExecuteTemplate(w, "report", v.pageData(language))
}

// Stamp says when and by whom a time-stamp was made, and which evidence record it belongs to.
func (d pageData) Stamp(t TimeStamp) string {
	authority := t.Authority
	if authority == "" {
		authority = "?"
	}
	if t.Record != "" {
		return d.T("stamp.record", t.Time, authority, t.Record)
	}
	return d.T("stamp", t.Time, authority)
}

func (d pageData) Language() string { return d.t.language }

// T is a text of the language.
func (d pageData) T(key string, args ...any) string {
	parts := make([]string, len(args))
	for i, a := range args {
		if at, ok := a.(time.Time); ok {
			a = d.Time(at)
		}
		parts[i] = fmt.Sprint(a)
	}
	return fill(d.t.m[key], parts)
}

// Time shows a time to the second, in UTC.
func (d pageData) Time(at time.Time) string { return at.UTC().Format("2006-01-02 15:04:05 UTC") }

// Worth says what a signature is worth by law.
func (d pageData) Worth(qualified string) string { return Worth(qualified, d.t.language) }

// Day shows a date.
func (d pageData) Day(at time.Time) string { return at.UTC().Format(time.DateOnly) }

// At is as of when the document was judged.
func (d pageData) At() string { return d.Time(d.at) }

// State of the document as a whole.
func (d pageData) State() string {
	s := d.Summary
	if len(s.Signatures) == 0 && len(s.TimeStamps) == 0 {
		return "none"
	}
	if s.Valid {
		return "valid"
	}
	for _, x := range s.Signatures {
		if x.state() == "bad" {
			return "bad"
		}
	}
	for _, x := range s.TimeStamps {
		if x.Indication == string(validation.Failed) {
			return "bad"
		}
	}
	return "doubtful"
}

// Unsigned names the files of the container that no signature covers, a few of them; "" where there are none.
func (d pageData) Unsigned() string {
	var none []string
	first := true
	for _, s := range d.Summary.Signatures {
		if s.Counter {
			continue
		}
		if first {
			none, first = slices.Clone(s.Uncovered), false
		}
		none = slices.DeleteFunc(none, func(name string) bool { return !slices.Contains(s.Uncovered, name) })
	}
	if len(none) > 10 {
		none = append(none[:10], "...")
	}
	return strings.Join(none, ", ")
}

func (s Signature) state() string {
	switch validation.Indication(s.Indication) {
	case validation.TotalPassed:
		return "valid"
	case validation.TotalFailed:
		return "bad"
	}
	return "doubtful"
}

// State is "valid", "doubtful" or "bad".
func (s Signature) State() string { return s.state() }

// Anchored tells whether the chain ends with somebody who is trusted.
func (s Signature) Anchored() bool { n := len(s.Chain); return n > 0 && s.Chain[n-1].Trusted }

// Up is the chain from the one who is trusted down to the signer.
func (s Signature) Up() []Certificate {
	out := make([]Certificate, 0, len(s.Chain))
	for i := len(s.Chain) - 1; i >= 0; i-- {
		out = append(out, s.Chain[i])
	}
	return out
}

// Holds tells whether the time-stamp PASSED.
func (t TimeStamp) Holds() bool { return t.Indication == string(validation.Passed) }
