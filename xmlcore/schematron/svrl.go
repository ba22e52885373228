package schematron

import (
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// SVRL writes the result in the Schematron Validation Report Language [Schematron annex D]. Which rules fired is in it
// when the validation was asked to trace them. What could not be evaluated stands in svrl:text elements at the end of
// the first part, as the language has no element for it.
func (r *Result) SVRL(style Style) []byte {
	w := dom.NewWriter([]byte(`<?xml version="1.0" encoding="UTF-8"?>` + "\n"))
	s := r.Schema
	attrs := append([]string{"xmlns:svrl", SVRLNamespace}, given("title", s.title, "phase", s.phase, "schemaVersion", s.version)...)
	w.Start("svrl:schematron-output", attrs...)
	r.SVRLHead(w)
	r.SVRLBody(w, style)
	w.End()
	return append(w.Bytes(), '\n')
}

// SVRLHead writes what stands first inside of svrl:schematron-output, for a report of several results; the prefix svrl is
// bound already.
func (r *Result) SVRLHead(w *dom.Writer) {
	for _, e := range r.Errors {
		w.Element("svrl:text", e.Error())
	}
	for _, n := range r.Schema.namespaces {
		w.Element("svrl:ns-prefix-in-attribute-values", "", "prefix", n.prefix, "uri", n.uri)
	}
}

// SVRLBody writes patterns, rules and findings, which stand after all heads.
func (r *Result) SVRLBody(w *dom.Writer, style Style) {
	s := r.Schema
	var at Locator
	fired := 0
	active := -1
	pattern := func(p int) {
		if p != active {
			active = p
			w.Element("svrl:active-pattern", "", given("id", s.patterns[p].id, "name", s.patterns[p].name)...)
		}
	}
	rule := func(f Fired) {
		x := &s.patterns[f.pattern].rules[f.rule]
		pattern(f.pattern)
		w.Element("svrl:fired-rule", "", append(given("id", x.id, "flag", x.flag, "role", x.role), "context", x.match.String())...)
	}
	if r.Fired == nil {
		for p := range s.patterns {
			pattern(p)
		}
	}
	for i := range r.Findings {
		f := &r.Findings[i]
		for ; fired < f.fired; fired++ {
			rule(r.Fired[fired])
		}
		name := "svrl:failed-assert"
		if f.Report {
			name = "svrl:successful-report"
		}
		w.Start(name, append([]string{"test", f.Test()}, given("id", f.ID, "flag", f.Flag, "role", f.Role, "location", at.Location(f.Node, style))...)...)
		w.Element("svrl:text", f.Text)
		for _, d := range f.Diagnostics {
			w.Element("svrl:diagnostic-reference", d.Text, "diagnostic", d.ID)
		}
		for _, p := range f.Properties {
			w.Element("svrl:property-reference", p.Text, "property", p.ID)
		}
		w.End()
	}
	for ; fired < len(r.Fired); fired++ {
		rule(r.Fired[fired])
	}
}

// given drops the attributes that have no value.
func given(pairs ...string) (out []string) {
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			out = append(out, pairs[i], pairs[i+1])
		}
	}
	return out
}
