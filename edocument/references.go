package edocument

import (
	"strings"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

const ublCAC = ubl + "CommonAggregateComponents-2"

// Subject says what kind of thing a reference is to. Documents with the same number and different subjects are different
// ones.
type Subject string

// The subjects.
const (
	SubjectOrder     Subject = "order" // an order, or an agreement on one
	SubjectChange    Subject = "order change"
	SubjectResponse  Subject = "order response"
	SubjectDespatch  Subject = "despatch advice"
	SubjectInvoice   Subject = "invoice"
	SubjectCredit    Subject = "credit note"
	SubjectCatalogue Subject = "catalogue"
	SubjectTender    Subject = "tender"
	SubjectEnquiry   Subject = "question"
	SubjectProcedure Subject = "procedure" // of procurement, by its ContractFolderID
	SubjectOther     Subject = "document"
)

// Reference is one thing that a document names, or is.
type Reference struct {
	Subject Subject
	Number  string
}

// subjects are those that documents are, by their document element.
var subjects = map[string]Subject{
	"Order": SubjectOrder, "OrderChange": SubjectChange, "OrderResponse": SubjectResponse, "DespatchAdvice": SubjectDespatch, "Invoice": SubjectInvoice, "CreditNote": SubjectCredit,
	"Catalogue": SubjectCatalogue, "Tender": SubjectTender, "Enquiry": SubjectEnquiry,
}

// referring are the elements below the document element that name another document, with what it is.
var referring = map[string]Subject{
	"OrderReference": SubjectOrder, "OrderDocumentReference": SubjectOrder, "OrderChangeDocumentReference": SubjectChange, "OrderResponseDocumentReference": SubjectResponse,
	"DespatchDocumentReference": SubjectDespatch, "CatalogueReference": SubjectCatalogue, "SourceCatalogueReference": SubjectCatalogue,
	"TenderDocumentReference": SubjectTender, "ParentDocumentReference": SubjectEnquiry, "OriginatorDocumentReference": SubjectProcedure,
}

// mostReferences bounds what is taken of one document.
const mostReferences = 200

// Process is what a document is within its business process, and what it refers to.
type Process struct {
	// Self are the names under which others refer to the document.
	Self []Reference
	// About are the documents that it refers to. Where it does not say what such a document is, each subject is listed.
	About []Reference
	// Procedure is the identifier of the procurement procedure (ContractFolderID), "" where it names none.
	Procedure string
}

// ProcessOf reads what binds a UBL document to others: order numbers, despatch advices, preceding invoices, catalogues, the
// document that a response is about, the procedure. Each is listed once.
func ProcessOf(root dom.Node) Process {
	p := Process{Procedure: cbc(root, "ContractFolderID")}
	number := cbc(root, "ID")
	self, ok := subjects[root.Local()]
	if !ok {
		self = SubjectOther
	}
	if number != "" {
		p.Self = append(p.Self, Reference{self, number})
		if root.Local() == "OrderResponse" && cbc(root, "OrderResponseCode") == "" { // an agreement takes the place of the order
			p.Self = append(p.Self, Reference{SubjectOrder, number})
		}
	}
	seen := map[Reference]bool{}
	about := func(number string, subjects ...Subject) {
		for _, s := range subjects {
			r := Reference{s, number}
			if number != "" && !seen[r] && len(p.About) < mostReferences {
				seen[r] = true
				p.About = append(p.About, r)
			}
		}
	}
	for n := range root.Elements() {
		if n.Space() != ublCAC {
			continue
		}
		switch name := n.Local(); name {
		case "BillingReference":
			about(cbc(n.Child(ublCAC, "InvoiceDocumentReference"), "ID"), SubjectInvoice)
			about(cbc(n.Child(ublCAC, "CreditNoteDocumentReference"), "ID"), SubjectCredit)
		case "DocumentResponse":
			about(cbc(n.Child(ublCAC, "DocumentReference"), "ID"), answered(root)...)
		case "DespatchLine", "InvoiceLine", "CreditNoteLine":
			about(cbc(n.Child(ublCAC, "OrderLineReference").Child(ublCAC, "OrderReference"), "ID"), SubjectOrder)
			about(cbc(n.Child(ublCAC, "DespatchLineReference").Child(ublCAC, "DocumentReference"), "ID"), SubjectDespatch)
		default:
			if s, ok := referring[name]; ok {
				about(cbc(n, "ID"), s)
			}
		}
	}
	return p
}

// answered says what a response may be about.
func answered(root dom.Node) []Subject {
	switch t := RecogniseType(root); {
	case t == nil, t.Transaction == "T71", t.Transaction == "t018":
		return []Subject{SubjectOrder, SubjectChange, SubjectResponse, SubjectDespatch, SubjectInvoice, SubjectCredit, SubjectCatalogue, SubjectTender, SubjectEnquiry, SubjectOther}
	case t.Transaction == "T111":
		return []Subject{SubjectInvoice, SubjectCredit}
	case t.Transaction == "T58":
		return []Subject{SubjectCatalogue}
	}
	return nil // a status is about an envelope
}

func cbc(n dom.Node, local string) string {
	return strings.TrimSpace(n.Child(ublCBC, local).TrimmedText())
}
