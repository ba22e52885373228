package facturx

import (
	"time"

	"github.com/viadukt-eu/viadukt/edocument/invoice"
	"github.com/viadukt-eu/viadukt/edocument/invoice/view"
	"github.com/viadukt-eu/viadukt/pdf/page"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Options of [Write] and [Attach].
type Options struct {
	Labels  view.Labels // of the language to lay the invoice out in; nil is English
	Created time.Time   // required
	Creator string      // the program that the file comes from
	// Source is the document that the invoice was read from. Where it is CII of a profile it is attached as it is, so that
	// nothing is lost that the model does not know; otherwise the invoice is written anew.
	Source *dom.Document
}

// Written is a PDF with its invoice.
type Written struct {
	PDF     []byte
	Name    string // of the attached file
	Profile Profile
	// Specification is the identifier (BT-24) of the attached invoice. It is that of EN 16931 where the invoice had one that
	// no profile has, such as Peppol's: what obeys the narrower specification obeys the wider one.
	Specification string
	AsRead        bool // the source is attached as it is
}

// part is the invoice as it is attached.
type part struct {
	Written
	invoice      *invoice.Invoice
	xml          []byte
	relationship string
}

func prepare(i *invoice.Invoice, o *Options) part {
	p := part{Written: Written{Name: names[0], Specification: i.Specification.Value}, relationship: "Alternative"}
	profile := ProfileOf(p.Specification)
	if profile != XRechnung {
		id, ok := identifiers[profile]
		if !ok {
			profile, id = EN16931, en16931
		}
		if p.Specification != id {
			changed := *i
			changed.Specification = invoice.Txt(id)
			i, p.Specification, o.Source = &changed, id, nil
		}
	}
	p.Profile, p.invoice = profile, i
	switch profile {
	case XRechnung:
		p.Name = "xrechnung.xml"
	case Minimum, BasicWL: // no invoices in themselves
		p.relationship = "Data"
	}
	if p.AsRead = o.Source != nil && i.Syntax == invoice.CII; p.AsRead {
		p.xml = o.Source.Source()
	} else {
		p.xml = i.CII()
	}
	return p
}

// schema is what the metadata say of the attached invoice.
func (p *part) schema() page.Schema {
	return page.Schema{
		Title: "Factur-X PDFA Extension Schema", Namespace: nsMetadata, Prefix: "fx",
		Properties: []page.Property{
			{Name: "DocumentType", Value: "INVOICE", Description: "Kind of the attached document"},
			{Name: "DocumentFileName", Value: p.Name, Description: "Name of the attached file"},
			{Name: "Version", Value: "1.0", Description: "Version of the schema of the attached document"},
			{Name: "ConformanceLevel", Value: string(p.Profile), Description: "Profile of the attached document"},
		},
	}
}

func (p *part) attachment(o *Options) page.Attachment {
	return page.Attachment{Name: p.Name, Description: "Invoice in CII, " + string(p.Profile), MimeType: "text/xml", Relationship: p.relationship, Modified: o.Created, Content: p.xml}
}

// Write lays an invoice out and attaches it in CII: PDF/A-3 of level A.
func Write(i *invoice.Invoice, o Options) (*Written, error) {
	p := prepare(i, &o)
	labels := o.Labels
	if labels == nil {
		labels, _ = view.ForLanguage("en")
	}
	d := view.Document(p.invoice, labels, page.Options{Created: o.Created, Creator: o.Creator, Metadata: []page.Schema{p.schema()}})
	d.Attach(p.attachment(&o))
	var err error
	if p.PDF, err = d.Bytes(); err != nil {
		return nil, err
	}
	return &p.Written, nil
}
