// Package edocument holds what all judges of business documents say in the same words: findings and reports.
//
// The judges themselves are in the packages below: rules has the business rules for invoices that this project wrote,
// and whoever runs rules of other origin implements [Validator] beside it.
package edocument

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
	"github.com/viadukt-eu/viadukt/xmlcore/schematron"
)

// Severity says what a finding means for the document.
type Severity string

// The severities, the gravest first. A document with a fatal finding or an error must be refused; a warning never
// changes the verdict.
const (
	Fatal   Severity = "fatal"
	Error   Severity = "error"
	Warning Severity = "warning"
	Info    Severity = "info"
)

// Refuses reports whether a finding of this severity makes a document invalid.
func (s Severity) Refuses() bool { return s == Fatal || s == Error }

// Finding is one rule that one place of a document breaks.
type Finding struct {
	ID       string   `json:"id"`       // of the rule, as its publisher wrote it
	Severity Severity `json:"severity"` //
	Location string   `json:"location"` // an XPath with the prefixes of the document
	Line     int      `json:"line"`     // from 1
	Column   int      `json:"column"`   // from 1, in characters
	Value    string   `json:"value"`    // what stands there, shortened; for a formula the numbers it was computed from
	Text     string   `json:"text"`     // what the rule demands
	Remedy   string   `json:"remedy"`   // what a person can do
}

// Clip shortens what a finding shows of a value.
func Clip(s string) string {
	const most = 120
	if len(s) <= most {
		return s
	}
	i := most
	for !utf8.RuneStart(s[i]) {
		i--
	}
	return s[:i] + "..."
}

// Report is the verdict on one document.
type Report struct {
	Type     string    `json:"type"` // what the document is, for people and programs: "invoice", "credit note" ...
	Pack     []string  `json:"pack"` // the rules that were asked, each as id@version
	Valid    bool      `json:"valid"`
	Findings []Finding `json:"findings"`
	// Suppressed counts findings above the limit that the caller set; they count for the verdict.
	Suppressed int `json:"suppressed,omitempty"`
	// Layers are the artefacts that were asked, in their order, where the validator tells them apart.
	Layers []Layer `json:"-"`
}

// Append adds what another artefact says of the same document. A report with a finding that refuses is not valid.
func (r *Report) Append(pack, file string, findings []Finding) {
	if findings == nil {
		return
	}
	for i := range findings {
		r.Valid = r.Valid && !findings[i].Severity.Refuses()
	}
	if r.Layers != nil {
		r.Layers = append(r.Layers, Layer{Pack: pack, Kind: LayerRules, File: file, From: len(r.Findings), To: len(r.Findings) + len(findings)})
	}
	r.Findings = append(r.Findings, findings...)
}

// Borrow completes findings by those of another report on the same document: where a rule of the same id fired at the same
// place, what stands there and what to do are taken from it if they are not said here.
func (r *Report) Borrow(other *Report) {
	type place struct {
		id           string
		line, column int
	}
	said := map[place]*Finding{}
	for i := range other.Findings {
		f := &other.Findings[i]
		said[place{f.ID, f.Line, f.Column}] = f
	}
	for i := range r.Findings {
		f := &r.Findings[i]
		if o := said[place{f.ID, f.Line, f.Column}]; o != nil {
			f.Value, f.Remedy = cmp.Or(f.Value, o.Value), cmp.Or(f.Remedy, o.Remedy)
		}
	}
}

// LayerKind says what an artefact is.
type LayerKind string

// The kinds.
const (
	LayerSchema LayerKind = "xsd"
	LayerRules  LayerKind = "schematron"
)

// Layer is what one artefact said about a document.
type Layer struct {
	Pack     string // id@version
	Scenario string // of the pack, "" where it has one only
	Kind     LayerKind
	File     string // of the artefact in its pack
	Skipped  bool   // not asked, since a layer before it found an error
	Took     time.Duration
	From, To int // its findings are Report.Findings[From:To]
	// SVRL is the result in the words of Schematron; nil for what is no Schematron or was not asked.
	SVRL SVRL
}

// SVRL writes the two parts of a report in the Schematron Validation Report Language, inside of its root element.
type SVRL interface {
	SVRLHead(w *dom.Writer)
	SVRLBody(w *dom.Writer, style schematron.Style)
}

// Count returns how many findings have the severity.
func (r *Report) Count(s Severity) int {
	n := 0
	for i := range r.Findings {
		if r.Findings[i].Severity == s {
			n++
		}
	}
	return n
}

// Fired is what was found, as id:severity*count, sorted; the count is left out where it is 1.
func (r *Report) Fired() []string {
	n := map[string]int{}
	for i := range r.Findings {
		n[r.Findings[i].ID+":"+string(r.Findings[i].Severity)]++
	}
	out := slices.Sorted(maps.Keys(n))
	for i, k := range out {
		if n[k] > 1 {
			out[i] += fmt.Sprintf("*%d", n[k])
		}
	}
	return out
}

// Validator judges a document. It returns an error only when it cannot judge, for example because no rules are known
// for such a document; then errors.Is(err, ErrUnknownType) holds.
type Validator interface {
	Validate(doc *dom.Document) (*Report, error)
}

// Judges asks one after the other: the first who knows the kind of document gives the verdict.
type Judges []Validator

// Validate implements [Validator].
func (j Judges) Validate(doc *dom.Document) (*Report, error) {
	for _, v := range j {
		if r, err := v.Validate(doc); !errors.Is(err, ErrUnknownType) {
			return r, err
		}
	}
	return nil, ErrUnknownType
}
