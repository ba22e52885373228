package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/edocument/invoice"
	"github.com/viadukt-eu/viadukt/edocument/match"
	"github.com/viadukt-eu/viadukt/edocument/response"
	"github.com/viadukt-eu/viadukt/edocument/rules"
	"github.com/viadukt-eu/viadukt/edocument/view"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

var documentCommand = &command{
	name: "document", summary: "shows business documents of every kind to people, and writes the answers to them.",
	example: "viadukt document render order.xml --lang de --out order.html",
	sub: []*command{
		{name: "render", summary: "shows a document to people, as a page in their language.", args: "FILE",
			help: `Takes invoices and credit notes, also those attached to a PDF, orders and the answers to them, despatch advices, catalogues, responses to messages and invoices, the documents of tendering, Virtual Company Dossiers with their container, and European Single Procurement Documents.
Writes one HTML page that needs nothing else, runs nothing and can be printed, or with --pdf the same as PDF for archives and for everybody (PDF/A-3a, PDF/UA-1). A further language is a file of labels.`,
			example: "viadukt document render order.xml --lang de --out order.html\nviadukt document render order.xml --pdf --out order.pdf", prepare: func(c *call) func() error { return prepareRender(c, false) }},
		{name: "match", summary: "holds an invoice against its order, and against what was delivered and billed before.", args: "INVOICE FILE...",
			help: `The files are the other documents of the process, in any order: the order, the seller's responses, changes, despatch advices, earlier invoices and credit notes. Those about other orders are left out.
Compared are parties, currency, articles, units, quantities, prices and totals, exactly. What differs is said in a sentence with its place; what was ordered and is not billed yet, too.`,
			example: "viadukt document match invoice.xml order.xml despatch.xml", prepare: prepareMatch},
		{name: "answer", summary: "judges a document and writes the answer to its sender.", args: "FILE",
			help: `The answer rejects the document with each rule that it breaks and the place of it, or acknowledges it. Sender and receiver are those of the document, in turn.
A node does the same by itself for the senders that its configuration names.`,
			example: "viadukt document answer invoice.xml --with invoice-response --out response.xml", prepare: prepareAnswer},
	},
}

// readDocument reads a business document as [call.openDocument] does; the error says where it is broken.
func (c *call) readDocument(file string) (*dom.Document, error) {
	doc, _, f := c.openDocument(file)
	if doc == nil {
		f.Error.Where = strings.TrimSuffix(file+", "+f.Error.Where, ", ")
		return nil, f.Error
	}
	return doc, nil
}

// readShown reads a business document to be shown: attachments of large ones are left out.
func (c *call) readShown(file string) (*dom.Document, error) {
	b, f := c.readForView(file)
	if b != nil {
		if doc, _ := openOctets(f, b); doc != nil {
			return doc, nil
		}
	}
	f.Error.Where = strings.TrimSuffix(file+", "+f.Error.Where, ", ")
	return nil, f.Error
}

func noInvoice(file string, doc *dom.Document) error {
	return &exit{status: statusFailed, Code: "UNKNOWN_TYPE", Text: fmt.Sprintf("{%s}%s is no invoice or credit note in UBL 2.1 or CII D16B", doc.Root().Space(), doc.Root().Local()), Where: file}
}

func unknownDocument(file string, doc *dom.Document) error {
	return &exit{status: statusFailed, Code: "UNKNOWN_TYPE", Text: fmt.Sprintf("{%s}%s is no business document that is known", doc.Root().Space(), doc.Root().Local()), Where: file}
}

// prepareRender shows documents of every kind, or invoices only.
func prepareRender(c *call, invoices bool) func() error {
	c.least, c.most = 1, 1
	lang := c.String("lang", "en", "`language` of the labels: "+strings.Join(view.Languages(), ", "))
	file := c.String("labels", "", "`file` with the labels of another language: key, tab and text in each line")
	asPDF := c.Bool("pdf", false, "write PDF instead of HTML")
	out := c.String("out", "", "`file` to write to; default: standard output")
	return func() error {
		if _, err := labelsIn(*lang); err != nil {
			return err
		}
		o := view.Options{Language: *lang, Created: time.Now(), Creator: creator()}
		if *file != "" {
			var err error
			if o.Labels, err = c.labels(*file); err != nil {
				return err
			}
		}
		if strings.EqualFold(filepath.Ext(c.values[0]), ".zip") && !invoices {
			return c.showVCD(c.values[0], *asPDF, o, *out)
		}
		doc, err := c.readShown(c.values[0])
		if err != nil {
			return err
		}
		if invoices {
			if _, err := invoice.Read(doc); err != nil {
				return noInvoice(c.values[0], doc)
			}
		}
		show := view.HTML
		if *asPDF {
			show = view.PDF
		}
		octets, err := show(doc, o)
		switch {
		case errors.Is(err, edocument.ErrUnknownType):
			return unknownDocument(c.values[0], doc)
		case err != nil:
			return err
		}
		return c.write(*out, octets)
	}
}

type matchJSON struct {
	File      string              `json:"file"`
	OK        bool                `json:"ok"`        // nothing was found that the buyer need not pay
	Order     string              `json:"order"`     // that the invoice is for, where it is among the documents
	Documents []string            `json:"documents"` // that were compared
	Findings  []edocument.Finding `json:"findings"`
	// Suppressed counts findings that are not listed.
	Suppressed int   `json:"suppressed,omitempty"`
	Error      *exit `json:"error"`
}

func prepareMatch(c *call) func() error {
	c.least, c.most = 2, -1
	c.jsonFlag()
	return func() error {
		i, _, err := c.readInvoice(c.values[0])
		if err != nil {
			return err
		}
		var with []*dom.Document
		for _, file := range c.values[1:] {
			doc, err := c.readDocument(file)
			if err != nil {
				return err
			}
			with = append(with, doc)
		}
		r := match.Invoice(i, with)
		j := matchJSON{File: c.values[0], OK: r.Agrees(), Order: r.Order, Documents: r.Documents, Findings: r.Findings, Suppressed: r.Suppressed}
		if j.Documents == nil {
			j.Documents = []string{}
		}
		if j.Findings == nil {
			j.Findings = []edocument.Finding{}
		}
		if c.json {
			err = c.print(j)
		} else {
			c.describeMatch(&j)
		}
		if err == nil && !j.OK {
			err = &exit{status: statusInvalid, silent: true}
		}
		return err
	}
}

func (c *call) describeMatch(j *matchJSON) {
	paint := c.p.paint(c.p.out)
	mark, verdict := paint.ok("✓"), "as ordered"
	if !j.OK {
		mark, verdict = paint.bad("✗"), "not as ordered"
	}
	c.printf("%s %s: %s%s\n", mark, j.File, verdict, counts(j.Findings, j.Suppressed))
	if len(j.Documents) > 0 {
		c.printf("    %s\n", paint.dim("compared with "+strings.Join(j.Documents, ", ")))
	}
	c.describeDifferences(j.Findings, "  ")
}

// describeDifferences writes how an invoice differs, a sentence each.
func (c *call) describeDifferences(list []edocument.Finding, indent string) {
	paint := c.p.paint(c.p.out)
	for _, f := range list {
		name := paint.bad(f.ID)
		if !f.Severity.Refuses() {
			name = paint.warn(f.ID)
		}
		line := ""
		if f.Line > 0 {
			line = fmt.Sprintf("line %d: ", f.Line)
		}
		c.printf("%s%s %s  %s%s\n", indent, f.Severity, name, line, f.Text)
		if f.Remedy != "" {
			c.printf("%s    %s %s\n", indent, paint.ok("→"), f.Remedy)
		}
	}
}

// answerKinds are what --with names.
var answerKinds = map[string]response.Kind{"mlr": response.Message, "invoice-response": response.Invoice, "catalogue-response": response.Catalogue}

func prepareAnswer(c *call) func() error {
	c.least, c.most = 1, 1
	with := c.String("with", "invoice-response", "`kind` of answer: mlr (message level response), invoice-response or catalogue-response")
	out := c.String("out", "", "`file` to write to; default: standard output")
	return func() error {
		kind, ok := answerKinds[*with]
		if !ok {
			return usage("--with is mlr, invoice-response or catalogue-response, not %s", *with)
		}
		doc, err := c.readDocument(c.values[0])
		if err != nil {
			return err
		}
		report, err := rules.Validate(doc, rules.Options{MaxFindings: 1000})
		switch {
		case errors.Is(err, edocument.ErrUnknownType):
			return unknownDocument(c.values[0], doc)
		case err != nil:
			return &exit{status: statusFailed, Code: "FAILED", Text: err.Error(), Where: c.values[0]}
		}
		r := response.Judged(kind, report, nil, response.About(doc.Root()), time.Now())
		r.Receiver, r.Sender = response.Parties(doc.Root())
		if r.ID, err = ebms.NewConversationID(rand.Reader); err != nil {
			return err
		}
		if err := c.write(*out, r.XML()); err != nil {
			return err
		}
		fmt.Fprintf(c.p.err, "%s: %s\n", c.values[0], r.Summary())
		if r.Code == response.Rejected {
			return &exit{status: statusInvalid, silent: true}
		}
		return nil
	}
}
