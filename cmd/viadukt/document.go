package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/edocument/espd"
	"github.com/viadukt-eu/viadukt/edocument/invoice"
	invoiceview "github.com/viadukt-eu/viadukt/edocument/invoice/view"
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
			help: `Takes invoices and credit notes, also those attached to a PDF, orders and the answers to them, despatch advices, catalogues, responses to messages and invoices, and European Single Procurement Documents.
Writes one HTML page that needs nothing else, runs nothing and can be printed.`,
			example: "viadukt document render order.xml --lang de --out order.html", prepare: prepareDocumentRender},
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

func unknownDocument(file string, doc *dom.Document) error {
	return &exit{status: statusFailed, Code: "UNKNOWN_TYPE", Text: fmt.Sprintf("{%s}%s is no business document that is known", doc.Root().Space(), doc.Root().Local()), Where: file}
}

func prepareDocumentRender(c *call) func() error {
	c.least, c.most = 1, 1
	lang := c.String("lang", "en", "`language` of the labels: "+strings.Join(view.Languages(), ", "))
	out := c.String("out", "", "`file` to write to; default: standard output")
	return func() error {
		labels, err := labelsIn(*lang)
		if err != nil {
			return err
		}
		doc, err := c.readDocument(c.values[0])
		if err != nil {
			return err
		}
		octets, err := view.HTML(doc, *lang)
		if errors.Is(err, edocument.ErrUnknownType) {
			if i, ierr := invoice.Read(doc); ierr == nil {
				octets, err = invoiceview.HTML(i, labels)
			} else if e, eerr := espd.Read(doc); eerr == nil {
				octets, err = e.HTML(*lang)
			}
		}
		switch {
		case errors.Is(err, edocument.ErrUnknownType):
			return unknownDocument(c.values[0], doc)
		case err != nil:
			return err
		}
		return c.write(*out, octets)
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
