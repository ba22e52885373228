package report

import (
	"strconv"
	"strings"

	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Namespaces of the Interoperability Test Bed.
const (
	GITBReportNamespace = "http://www.gitb.com/tr/v1/"
	xsiNamespace        = "http://www.w3.org/2001/XMLSchema-instance"
)

// GITB writes the verdict as a step report of the Interoperability Test Bed, by itself in a file.
func GITB(d *Document) []byte {
	w := dom.NewWriter([]byte(declaration))
	w.Start("tr:TestStepReport", "xmlns:tr", GITBReportNamespace, "xmlns:xsi", xsiNamespace, "xsi:type", "tr:TAR", "name", "Validation of "+d.Name)
	TAR(w, d)
	w.End()
	return append(w.Bytes(), '\n')
}

// TAR writes the content of a report of the type tr:TAR [GITB]. The prefixes tr and xsi are bound already.
func TAR(w *dom.Writer, d *Document) {
	result := "SUCCESS"
	var findings []edocument.Finding
	errors, warnings, infos := 0, 0, 0
	if r := d.Report; r != nil {
		findings = r.Findings
		errors, warnings, infos = r.Count(edocument.Fatal)+r.Count(edocument.Error), r.Count(edocument.Warning), r.Count(edocument.Info)
	}
	switch {
	case d.Err != nil && !d.NotXML:
		result = "UNDEFINED"
	case !d.Valid():
		result = "FAILURE"
	case warnings > 0:
		result = "WARNING"
	}
	if d.Err != nil {
		errors++
	}
	w.Element("tr:date", d.Started.Format("2006-01-02T15:04:05.000Z07:00"))
	w.Element("tr:result", result)
	w.Start("tr:overview")
	if d.Report != nil {
		w.Element("tr:customizationID", strings.Join(d.Report.Pack, " "))
	}
	w.Element("tr:validationServiceName", Engine)
	w.Element("tr:validationServiceVersion", d.Engine)
	w.End()
	w.Start("tr:counters")
	w.Element("tr:nrOfAssertions", strconv.Itoa(errors+warnings+infos))
	w.Element("tr:nrOfErrors", strconv.Itoa(errors))
	w.Element("tr:nrOfWarnings", strconv.Itoa(warnings))
	w.End()
	if len(findings) == 0 && d.Err == nil {
		return // a list of reports holds one at least
	}
	w.Start("tr:reports")
	if d.Err != nil {
		w.Start("tr:error", "xsi:type", "tr:BAR")
		w.Element("tr:description", d.Err.Error())
		w.End()
	}
	for _, f := range findings {
		name := "tr:info"
		switch {
		case f.Severity.Refuses():
			name = "tr:error"
		case f.Severity == edocument.Warning:
			name = "tr:warning"
		}
		w.Start(name, "xsi:type", "tr:BAR")
		w.Element("tr:assertionID", f.ID)
		w.Element("tr:description", f.Text)
		w.Element("tr:location", "xml:"+strconv.Itoa(f.Line)+":"+strconv.Itoa(f.Column))
		w.Element("tr:test", f.Location)
		if f.Value != "" {
			w.Element("tr:value", f.Value)
		}
		w.End()
	}
	w.End()
}
