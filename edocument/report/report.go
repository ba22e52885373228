// Package report writes verdicts on business documents in the forms that other validators and tools use: SVRL
// [Schematron annex D], the JSON of phive, the report of the KoSIT validator (varl/1), the TAR of the Interoperability
// Test Bed [GITB], JUnit for build servers, and a page for people.
//
// All forms are made of one [Document]. A document that could not be judged has an error in it and is never valid.
package report

import (
	"crypto/sha256"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
	"github.com/viadukt-eu/viadukt/xmlcore/schematron"
)

// Engine is how reports name who wrote them.
const Engine = "Viadukt"

// Document is one document with its verdict.
type Document struct {
	Name    string
	SHA256  [sha256.Size]byte // of its octets
	Started time.Time
	Took    time.Duration
	Report  *edocument.Report // nil when it could not be judged
	Err     error             // why not
	// NotXML says that Err is about octets that are no well-formed XML.
	NotXML bool
	Engine string // version of the program
}

// Valid reports whether the document was judged and found valid.
func (d *Document) Valid() bool { return d.Err == nil && d.Report != nil && d.Report.Valid }

// Layers are those of the report; where the judge tells none apart, one for each pack, the first with all findings.
func (d *Document) layers() []edocument.Layer {
	if d.Report == nil {
		return nil
	}
	if len(d.Report.Layers) > 0 {
		return d.Report.Layers
	}
	var out []edocument.Layer
	for i, p := range d.Report.Pack {
		l := edocument.Layer{Pack: p, Kind: edocument.LayerRules, File: p, From: len(d.Report.Findings), To: len(d.Report.Findings)}
		if i == 0 {
			l.From, l.Took = 0, d.Took
		}
		out = append(out, l)
	}
	return out
}

// findings of a layer.
func (d *Document) findings(l edocument.Layer) []edocument.Finding {
	return d.Report.Findings[l.From:l.To]
}

func refuses(list []edocument.Finding) bool {
	for i := range list {
		if list[i].Severity.Refuses() {
			return true
		}
	}
	return false
}

const declaration = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"

// SVRL writes all results of Schematron as one svrl:schematron-output. What is no Schematron stands in it as failed
// assertions of a pattern of its own.
func SVRL(d *Document) []byte {
	w := dom.NewWriter([]byte(declaration))
	title := d.Name
	if d.Report != nil {
		title = strings.Join(d.Report.Pack, ", ")
	}
	w.Start("svrl:schematron-output", "xmlns:svrl", schematron.SVRLNamespace, "title", title)
	if d.Err != nil {
		w.Element("svrl:text", d.Err.Error())
	}
	layers := d.layers()
	for _, l := range layers {
		if l.SVRL != nil {
			l.SVRL.SVRLHead(w)
		}
	}
	for _, l := range layers {
		if l.SVRL != nil {
			l.SVRL.SVRLBody(w, schematron.EQName)
			continue
		}
		if l.Skipped {
			continue
		}
		w.Element("svrl:active-pattern", "", "id", l.File, "name", l.Pack)
		for _, f := range d.findings(l) {
			w.Element("svrl:fired-rule", "", "context", f.Location)
			w.Start("svrl:failed-assert", "test", "true()", "id", f.ID, "flag", string(f.Severity), "location", f.Location)
			w.Element("svrl:text", f.Text)
			if f.Remedy != "" {
				w.Element("svrl:diagnostic-reference", f.Remedy, "diagnostic", "remedy")
			}
			w.End()
		}
	}
	w.End()
	return append(w.Bytes(), '\n')
}

// Group is all findings of one rule in one document.
type Group struct {
	ID       string
	Severity edocument.Severity
	Text     string
	Findings []edocument.Finding
}

// Grouped sorts findings for people: by severity, the gravest first, then by rule in the order they were found.
func Grouped(list []edocument.Finding) (out []Group) {
	type key struct {
		id string
		s  edocument.Severity
	}
	at := map[key]int{}
	for _, severity := range []edocument.Severity{edocument.Fatal, edocument.Error, edocument.Warning, edocument.Info} {
		for _, f := range list {
			if f.Severity != severity {
				continue
			}
			k := key{f.ID, severity}
			i, ok := at[k]
			if !ok {
				i = len(out)
				at[k] = i
				out = append(out, Group{ID: f.ID, Severity: severity, Text: f.Text})
			}
			out[i].Findings = append(out[i].Findings, f)
		}
	}
	return out
}
