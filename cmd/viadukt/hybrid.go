package main

import (
	"bytes"
	"errors"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/edocument/facturx"
	"github.com/viadukt-eu/viadukt/edocument/invoice"
	"github.com/viadukt-eu/viadukt/edocument/invoice/view"
	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// openDocument reads a business document: XML, or the invoice that is attached to a PDF, with what is to be said of that PDF.
// Where there is no document, f says why.
func (c *call) openDocument(file string) (doc *dom.Document, findings []edocument.Finding, f *xmlFile) {
	b, f := c.readFile(file)
	if b == nil {
		return nil, nil, f
	}
	doc, findings = openOctets(f, b)
	return doc, findings, f
}

// openOctets is openDocument for a file that has been read.
func openOctets(f *xmlFile, b []byte) (*dom.Document, []edocument.Finding) {
	if !facturx.Is(b) {
		return parseOctets(f, b), nil
	}
	start := time.Now()
	h, err := facturx.Open(bytes.NewReader(b), int64(len(b)), maxDocument)
	f.Millis = millis(start)
	switch {
	case err == nil:
		f.OK = true
		return h.Document, h.Findings
	case errors.Is(err, facturx.ErrNone):
		f.Error = &exit{status: statusFailed, Code: "NO_INVOICE", Text: err.Error(), Remedy: "only a PDF with a Factur-X, ZUGFeRD or XRechnung invoice attached can be read; ask the sender for one, or for the XML"}
	default:
		f.Error = &exit{status: statusInvalid, Code: "NOT_READABLE", Text: err.Error()}
		var e *dom.Error
		if errors.As(err, &e) {
			f.Error.Code = "NOT_WELL_FORMED"
		}
	}
	return nil, nil
}

// labelsIn are the words of a language that the program knows.
func labelsIn(lang string) (view.Labels, error) {
	l, ok := view.ForLanguage(lang)
	if !ok {
		return nil, usage("there are no labels in %q; there are %s", lang, strings.Join(view.Languages(), ", "))
	}
	return l, nil
}

// labels reads the words of another language.
func (c *call) labels(file string) (view.Labels, error) {
	b, f := c.readFile(file)
	if b == nil {
		return nil, f.Error
	}
	l, err := view.ReadLabels(bytes.NewReader(b))
	if err != nil {
		return nil, usage("%s: %v", file, err)
	}
	return l, nil
}

// creator names the program in the files that it makes.
func creator() string { return "Viadukt " + node.Version }

// writeHybrid writes the invoice within a PDF: a new one, or the one in a file.
func (c *call) writeHybrid(i *invoice.Invoice, l view.Labels, source *dom.Document, into string) (*facturx.Written, error) {
	o := facturx.Options{Labels: l, Created: time.Now(), Creator: creator(), Source: source}
	if into == "" {
		return facturx.Write(i, o)
	}
	b, f := c.readFile(into)
	if b == nil {
		return nil, f.Error
	}
	w, err := facturx.Attach(bytes.NewReader(b), int64(len(b)), i, o)
	if err != nil {
		return nil, &exit{status: statusInvalid, Code: "UNFIT", Text: err.Error(), Where: into, Remedy: "leave out --into to have the invoice laid out"}
	}
	return w, nil
}
