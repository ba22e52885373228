package report

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Namespaces of the report of the KoSIT validator.
const (
	varlNamespace      = "http://www.xoev.de/de/validator/varl/1"
	scenariosNamespace = "http://www.xoev.de/de/validator/framework/1/scenarios"
	xhtmlNamespace     = "http://www.w3.org/1999/xhtml"
)

// KoSIT writes the verdict as the KoSIT validator writes its own with the configuration of XRechnung: a rep:report,
// version 1 of the Validation and Assessment Report Language. A document is recommended for acceptance when nothing in
// it is an error.
func KoSIT(d *Document) []byte {
	layers := d.layers()
	w := dom.NewWriter([]byte(declaration))
	sound := d.Err == nil
	for _, l := range layers {
		for _, f := range d.findings(l) {
			sound = sound && f.Severity == edocument.Info
		}
	}
	matched := d.Report != nil && d.Err == nil
	w.Start("rep:report", "xmlns:rep", varlNamespace, "xmlns:s", scenariosNamespace, "valid", strconv.FormatBool(matched && sound), "varlVersion", "1.0.0")
	w.Start("rep:engine")
	w.Element("rep:name", strings.TrimSpace(Engine+" "+d.Engine))
	w.End()
	w.Element("rep:timestamp", d.Started.Format("2006-01-02T15:04:05.000Z07:00"))
	w.Start("rep:documentIdentification")
	w.Start("rep:documentHash")
	w.Element("rep:hashAlgorithm", "SHA-256")
	w.Element("rep:hashValue", base64.StdEncoding.EncodeToString(d.SHA256[:]))
	w.End()
	w.Element("rep:documentReference", line(d.Name))
	w.End()
	if matched {
		kositScenario(w, d, layers)
	} else {
		w.Start("rep:noScenarioMatched")
		w.Start("rep:validationStepResult", "id", "val-xml", "valid", strconv.FormatBool(!d.NotXML))
		if d.NotXML {
			w.Element("rep:message", line(d.Err.Error()), "id", "val-xml.1", "code", "XML", "level", "error")
		}
		w.End()
		w.End()
	}
	w.Start("rep:assessment")
	recommendation := "rep:reject"
	if d.Valid() {
		recommendation = "rep:accept"
	}
	w.Start(recommendation)
	w.Start("rep:explanation")
	explanation(w, d)
	w.End()
	w.End()
	w.End()
	w.End()
	return append(w.Bytes(), '\n')
}

// line makes a normalized string.
func line(s string) string { return strings.Join(strings.Fields(s), " ") }

func resource(w *dom.Writer, l edocument.Layer) {
	w.Start("s:resource")
	w.Element("s:name", l.Pack)
	w.Element("s:location", strings.ReplaceAll(l.File, " ", "%20"))
	w.End()
}

func kositScenario(w *dom.Writer, d *Document, layers []edocument.Layer) {
	name := d.Report.Type
	var schemas, rules []edocument.Layer
	for _, l := range layers {
		if l.Scenario != "" {
			name = l.Scenario
		}
		if l.Kind == edocument.LayerSchema {
			schemas = append(schemas, l)
		} else {
			rules = append(rules, l)
		}
	}
	w.Start("rep:scenarioMatched")
	w.Start("s:scenario")
	w.Element("s:name", line(name))
	w.Element("s:match", "true()")
	w.Start("s:validateWithXmlSchema")
	if schemas == nil { // the element demands one
		resource(w, edocument.Layer{Pack: "none", File: "about:blank"})
	}
	for _, l := range schemas {
		resource(w, l)
	}
	w.End()
	for _, l := range rules {
		w.Start("s:validateWithSchematron")
		resource(w, l)
		w.End()
	}
	w.End()
	w.Element("rep:validationStepResult", "", "id", "val-xml", "valid", "true")
	n := map[edocument.LayerKind]int{}
	for _, l := range layers {
		if l.Skipped {
			continue
		}
		n[l.Kind]++
		id := fmt.Sprintf("val-sch.%d", n[l.Kind])
		if l.Kind == edocument.LayerSchema {
			id = "val-xsd"
			if n[l.Kind] > 1 {
				id += fmt.Sprintf(".%d", n[l.Kind])
			}
		}
		list := d.findings(l)
		valid := true
		for _, f := range list {
			valid = valid && f.Severity == edocument.Info
		}
		w.Start("rep:validationStepResult", "id", id, "valid", strconv.FormatBool(valid))
		resource(w, l)
		for i, f := range list {
			level := map[edocument.Severity]string{edocument.Warning: "warning", edocument.Info: "information"}[f.Severity]
			if level == "" {
				level = "error"
			}
			w.Element("rep:message", line(f.Text), "id", fmt.Sprintf("%s.%d", id, i+1), "code", f.ID, "level", level,
				"lineNumber", strconv.Itoa(f.Line), "columnNumber", strconv.Itoa(f.Column), "xpathLocation", f.Location)
		}
		w.End()
	}
	w.End()
}

// explanation writes the page for people that stands in a report.
func explanation(w *dom.Writer, d *Document) {
	w.Start("html", "xmlns", xhtmlNamespace, "lang", "en", "data-report-type", "report")
	w.Start("head")
	w.Element("title", "Validation of "+d.Name)
	w.End()
	w.Start("body")
	verdict := "The document is valid."
	switch {
	case d.Err != nil:
		verdict = "The document could not be judged: " + d.Err.Error()
	case !d.Valid():
		verdict = "The document is not valid."
	}
	w.Element("p", verdict)
	if d.Report != nil && len(d.Report.Findings) > 0 {
		w.Start("table", "class", "document")
		w.Start("thead")
		w.Start("tr")
		for _, h := range []string{"Severity", "Rule", "Line", "Text"} {
			w.Element("th", h, "scope", "col")
		}
		w.End()
		w.End()
		w.Start("tbody")
		for _, f := range d.Report.Findings {
			w.Start("tr", "class", string(f.Severity))
			for _, cell := range []string{string(f.Severity), f.ID, strconv.Itoa(f.Line), f.Text} {
				w.Element("td", cell)
			}
			w.End()
		}
		w.End()
		w.End()
	}
	w.End()
	w.End()
}
