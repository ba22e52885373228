// Package response reads and writes what a receiver answers to a business document or message: the invoice response of
// a buyer, the message level response (MLR) and its successor, the message level status (MLS) of service providers, and
// the catalogue response. All are UBL 2.1 application responses.
//
// [Judged] makes the answer that the verdict on a document calls for: accepted, or refused with every rule that it breaks
// and where.
package response

import (
	"fmt"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Kind says which answer it is, by its transaction.
type Kind string

// The kinds.
const (
	Invoice   Kind = "T111" // of a buyer to an invoice or credit note
	Message   Kind = "T71"  // of whoever received a message, to its sender (MLR)
	Status    Kind = "MLS"  // of one service provider to another
	Catalogue Kind = "T58"  // of a buyer to a catalogue
)

// Code is the answer in one word (UNCL 4343).
type Code string

// The codes. Message level answers and catalogue responses know the first three.
const (
	Acknowledged Code = "AB"
	Accepted     Code = "AP"
	Rejected     Code = "RE"
	InProcess    Code = "IP"
	UnderQuery   Code = "UQ"
	Conditional  Code = "CA"
	Paid         Code = "PD"
)

// Reasons of the issues that message level answers name.
const (
	RuleViolation   = "BV" // a business rule, fatal
	RuleWarning     = "BW"
	SyntaxViolation = "SV"
	NotDelivered    = "FD" // MLS alone
)

// Party is who sends or receives an answer. Name is needed in invoice and catalogue responses.
type Party struct {
	Scheme, ID string // electronic address
	Name       string
}

// Reason says why, as a code of the list OPStatusReason or OPStatusAction. Conditions are what to change, by business
// term.
type Reason struct {
	List, Code, Text string
	Conditions       []Condition
}

// Condition is the value that a business term should have.
type Condition struct{ Term, Value string }

// Issue is one complaint of a message level answer.
type Issue struct {
	Location string // XPath of what is wrong, "NA" where there is no place
	Reason   string // BV, BW, SV or FD
	Text     string
}

// Reference names what is answered. ID is the number of the document; for a status it is the instance identifier of the
// envelope.
type Reference struct {
	ID       string
	TypeCode string // UNCL 1001: 380 is an invoice; invoice responses need it
	Issued   string // YYYY-MM-DD
}

// Response is one answer.
type Response struct {
	Kind             Kind
	Profile          string // "" for the first profile of the kind
	ID               string
	IssueDate        string // YYYY-MM-DD
	IssueTime        string // a status has it, with its zone
	Sender, Receiver Party
	Code             Code
	Description      string // message level answers
	Effective        string // YYYY-MM-DD; invoice responses
	Reasons          []Reason
	Issues           []Issue
	Document         Reference
}

const (
	nsUBL = "urn:oasis:names:specification:ubl:schema:xsd:"
	ns    = nsUBL + "ApplicationResponse-2"
	nsCAC = nsUBL + "CommonAggregateComponents-2"
	nsCBC = nsUBL + "CommonBasicComponents-2"
)

// Type returns what identifies documents of this kind; nil for a kind that there is not.
func (k Kind) Type() *edocument.DocumentType {
	for _, d := range edocument.DocumentTypes() {
		if d.Transaction == string(k) {
			return d
		}
	}
	return nil
}

// Read reads an answer; for any other document it returns [edocument.ErrUnknownType]. What the rules demand beyond that is
// theirs to judge.
func Read(doc *dom.Document) (*Response, error) {
	root := doc.Root()
	t := edocument.RecogniseType(root)
	if t == nil || t.Root != "ApplicationResponse" || root.Space() != ns {
		return nil, edocument.ErrUnknownType
	}
	switch Kind(t.Transaction) {
	case Invoice, Message, Status, Catalogue:
	default:
		return nil, edocument.ErrUnknownType
	}
	dr := root.Child(nsCAC, "DocumentResponse")
	head, ref := dr.Child(nsCAC, "Response"), dr.Child(nsCAC, "DocumentReference")
	r := &Response{
		Kind: Kind(t.Transaction), Profile: text(root, "ProfileID"), ID: text(root, "ID"), IssueDate: text(root, "IssueDate"), IssueTime: text(root, "IssueTime"),
		Sender: party(root.Child(nsCAC, "SenderParty")), Receiver: party(root.Child(nsCAC, "ReceiverParty")),
		Code: Code(text(head, "ResponseCode")), Description: text(head, "Description"), Effective: text(head, "EffectiveDate"),
		Document: Reference{ID: text(ref, "ID"), TypeCode: text(ref, "DocumentTypeCode"), Issued: text(ref, "IssueDate")},
	}
	for n := range head.Elements() {
		if n.Is(nsCAC, "Status") {
			code := n.Child(nsCBC, "StatusReasonCode")
			reason := Reason{List: code.Attr("listID"), Code: code.TrimmedText(), Text: text(n, "StatusReason")}
			for c := range n.Elements() {
				if c.Is(nsCAC, "Condition") {
					reason.Conditions = append(reason.Conditions, Condition{text(c, "AttributeID"), text(c, "Description")})
				}
			}
			r.Reasons = append(r.Reasons, reason)
		}
	}
	for n := range dr.Elements() {
		if n.Is(nsCAC, "LineResponse") {
			line := n.Child(nsCAC, "Response")
			r.Issues = append(r.Issues, Issue{text(n.Child(nsCAC, "LineReference"), "LineID"), text(line.Child(nsCAC, "Status"), "StatusReasonCode"), text(line, "Description")})
		}
	}
	return r, nil
}

func party(n dom.Node) Party {
	e := n.Child(nsCBC, "EndpointID")
	return Party{e.Attr("schemeID"), e.TrimmedText(), text(n.Child(nsCAC, "PartyLegalEntity"), "RegistrationName")}
}

func text(n dom.Node, local string) string { return n.Child(nsCBC, local).TrimmedText() }

// Parties returns who issued a UBL document and who gets it, as they are named in answers.
func Parties(root dom.Node) (from, to Party) {
	side := func(role string) Party {
		n := edocument.PartyIn(root, role)
		p := party(n)
		if p.Name == "" {
			p.Name = text(n.Child(nsCAC, "PartyName"), "Name")
		}
		return p
	}
	issuer, receiver, _ := edocument.Roles(root.Local())
	return side(issuer), side(receiver)
}

// About names a UBL document in an answer to it.
func About(root dom.Node) Reference {
	return Reference{ID: text(root, "ID"), TypeCode: text(root, "InvoiceTypeCode") + text(root, "CreditNoteTypeCode"), Issued: text(root, "IssueDate")}
}

// XML writes the answer. What its kind has no place for is left out.
func (r *Response) XML() []byte {
	w := dom.NewWriter([]byte("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"))
	named := r.Kind == Invoice || r.Kind == Catalogue
	leaf := func(name, s string, attrs ...string) {
		if s != "" {
			w.Element("cbc:"+name, s, attrs...)
		}
	}
	w.Start("ApplicationResponse", "xmlns", ns, "xmlns:cac", nsCAC, "xmlns:cbc", nsCBC)
	if t := r.Kind.Type(); t != nil {
		leaf("CustomizationID", t.Customization)
		if r.Profile == "" && len(t.Profiles) > 0 {
			leaf("ProfileID", t.Profiles[0])
		}
	}
	leaf("ProfileID", r.Profile)
	leaf("ID", r.ID)
	leaf("IssueDate", r.IssueDate)
	leaf("IssueTime", r.IssueTime)
	for _, p := range []struct {
		role string
		Party
	}{{"SenderParty", r.Sender}, {"ReceiverParty", r.Receiver}} {
		w.Start("cac:" + p.role)
		leaf("EndpointID", p.ID, "schemeID", p.Scheme)
		if named && p.Name != "" {
			w.Start("cac:PartyLegalEntity")
			leaf("RegistrationName", p.Name)
			w.End()
		}
		w.End()
	}
	w.Start("cac:DocumentResponse")
	w.Start("cac:Response")
	leaf("ResponseCode", string(r.Code))
	if !named {
		leaf("Description", r.Description)
	}
	if r.Kind == Invoice {
		leaf("EffectiveDate", r.Effective)
		for _, s := range r.Reasons {
			w.Start("cac:Status")
			leaf("StatusReasonCode", s.Code, "listID", s.List)
			leaf("StatusReason", s.Text)
			for _, c := range s.Conditions {
				w.Start("cac:Condition")
				leaf("AttributeID", c.Term)
				leaf("Description", c.Value)
				w.End()
			}
			w.End()
		}
	}
	w.End()
	w.Start("cac:DocumentReference")
	leaf("ID", r.Document.ID)
	if r.Kind == Invoice {
		leaf("IssueDate", r.Document.Issued)
	}
	if r.Kind == Invoice || r.Kind == Message {
		leaf("DocumentTypeCode", r.Document.TypeCode)
	}
	w.End()
	if !named {
		for _, i := range r.Issues {
			w.Start("cac:LineResponse")
			w.Start("cac:LineReference")
			leaf("LineID", i.Location)
			w.End()
			w.Start("cac:Response")
			leaf("Description", i.Text)
			w.Start("cac:Status")
			leaf("StatusReasonCode", i.Reason)
			w.End()
			w.End()
			w.End()
		}
	}
	w.End()
	w.End()
	return append(w.Bytes(), '\n')
}

// mostIssues bounds what one answer names.
const mostIssues = 100

// Judged makes an answer of this kind out of the verdict on a document: the document is rejected when it broke a rule that
// counts, else acknowledged, since nobody has looked at the business yet. The
// caller fills in identifier and parties. A nil report with err says that the document could not even be read.
func Judged(kind Kind, report *edocument.Report, err error, ref Reference, now time.Time) *Response {
	r := &Response{Kind: kind, IssueDate: now.Format(time.DateOnly), Document: ref, Code: Acknowledged}
	switch kind {
	case Status:
		r.IssueTime = now.Format("15:04:05Z07:00")
	case Invoice:
		r.Effective = r.IssueDate
	}
	if report == nil {
		r.Code, r.Description = Rejected, "The document cannot be read."
		r.Issues = []Issue{{"NA", SyntaxViolation, err.Error()}}
		r.Reasons = []Reason{{List: "OPStatusReason", Code: "OTH", Text: err.Error()}}
		return r
	}
	syntax := func(i int) bool {
		for _, l := range report.Layers {
			if l.Kind == edocument.LayerSchema && l.From <= i && i < l.To {
				return true
			}
		}
		return false
	}
	refusals := 0
	for i, f := range report.Findings {
		reason := RuleWarning
		switch {
		case f.Severity.Refuses() && syntax(i):
			reason = SyntaxViolation
		case f.Severity.Refuses():
			reason = RuleViolation
		case f.Severity == edocument.Info:
			continue
		}
		if f.Severity.Refuses() {
			refusals++
		}
		said := said(f)
		location := f.Location
		if location == "" {
			location = "NA"
		}
		if len(r.Issues) < mostIssues {
			r.Issues = append(r.Issues, Issue{location, reason, said})
			if f.Severity.Refuses() {
				r.Reasons = append(r.Reasons, Reason{List: "OPStatusReason", Code: "OTH", Text: said})
			}
		}
	}
	if report.Valid {
		r.Reasons = nil
		return r
	}
	r.Code = Rejected
	r.Description = fmt.Sprintf("The %s breaks rules in %d places, by %s.", report.Type, refusals+report.Suppressed, strings.Join(report.Pack, ", "))
	r.Reasons = append(r.Reasons, Reason{List: "OPStatusAction", Code: "NIN", Text: "Send a new document."})
	if !hasFailure(r.Issues) { // the warnings came first, and there were many
		r.Issues = append(r.Issues, Issue{"NA", RuleViolation, r.Description})
	}
	return r
}

func hasFailure(list []Issue) bool {
	for _, i := range list {
		if i.Reason != RuleWarning {
			return true
		}
	}
	return false
}

// said is a finding in one sentence: rule, line, demand, and what stands there.
func said(f edocument.Finding) string {
	s := f.ID
	if f.Line > 0 {
		s += fmt.Sprintf(", line %d", f.Line)
	}
	s += ": " + f.Text
	if f.Value != "" {
		s += " (" + f.Value + ")"
	}
	return s
}

// names are the codes in English, for people.
var names = map[Code]string{
	Acknowledged: "acknowledged", Accepted: "accepted", Rejected: "rejected", InProcess: "in process", UnderQuery: "under query", Conditional: "accepted with conditions", Paid: "paid",
}

// String is the code in English, for people.
func (c Code) String() string {
	if s := names[c]; s != "" {
		return s
	}
	return string(c)
}

// Summary says the answer in a sentence: "rejected: BR-CO-15, line 12: ...".
func (r *Response) Summary() string {
	s := r.Code.String()
	why := r.Description
	for _, i := range r.Issues {
		if i.Reason != RuleWarning {
			why = i.Text
			break
		}
	}
	if why == "" && len(r.Reasons) > 0 {
		if why = r.Reasons[0].Text; why == "" {
			why = r.Reasons[0].Code
		}
	}
	if why != "" {
		s += ": " + why
	}
	return s
}
