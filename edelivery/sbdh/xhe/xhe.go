// Package xhe reads and writes the Exchange Header Envelope of OASIS BDXR, version 1.0 [XHE]: the successor of
// the Standard Business Document, with any number of receivers and payloads.
//
// Parse holds an envelope to its schema. Signatures around or inside are not verified here: Signatures says where
// they are. Extensions are kept in the document and not read.
package xhe

import (
	"errors"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/ids"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Namespaces of XHE 1.0.
const (
	Namespace  = "http://docs.oasis-open.org/bdxr/ns/XHE/1/ExchangeHeaderEnvelope"
	Aggregates = "http://docs.oasis-open.org/bdxr/ns/XHE/1/AggregateComponents"
	Basics     = "http://docs.oasis-open.org/bdxr/ns/XHE/1/BasicComponents"
	Extensions = "http://docs.oasis-open.org/bdxr/ns/XHE/1/ExtensionComponents"

	signatures = "http://www.w3.org/2000/09/xmldsig#"
)

// ErrEnvelope is the cause of every refused envelope, beside a *dom.Error with the place.
var ErrEnvelope = errors.New("xhe: envelope refused")

// Envelope is an XHE document.
type Envelope struct {
	CustomizationID, ProfileID, ProfileExecutionID string

	ID, UUID   string
	Created    time.Time
	NoZone     bool // Created had no time zone and was taken as UTC
	Scope      []Criterion
	References []Reference // of the business scope
	From       Party       // nil if not given
	To         []Party
	Payloads   []Payload
	Signatures []dom.Node // ds:Signature elements, when parsed
}

// Criterion is a key with a value.
type Criterion struct{ Type, Value string }

// Party is one party under its identifiers; Scheme is @schemeID.
type Party []ids.Participant

// Reference is something kept elsewhere. Login and password in an envelope are read and written by nobody here.
type Reference struct {
	ID         string
	Start, End time.Time // availability, zero if unbounded
}

// Payload is one document of the envelope, or where it is.
type Payload struct {
	ID                                    string
	Descriptions                          []string
	DocumentType, ContentType             string
	CustomizationID, ProfileID            string
	ProfileExecutionID, HandlingServiceID string
	ValidationType, ValidationVersion     string
	Encrypted                             bool
	EncryptionMethod, HashValue           string
	DecryptionInformation, DecryptionKey  *Reference
	Relevant                              []Reference
	External                              *Reference
	Content                               dom.Node // PayloadContent, when parsed: an element or text in it
	XML                                   []byte   // to write: an element that declares its namespaces
	Text                                  string   // to write, when there is no XML: text or base64
}

// Document is the payload's element, zero if it is text.
func (p Payload) Document() dom.Node { return p.Content.FirstElement() }

// parser goes through elements by their schema. The first error stays.
type parser struct{ err error }

func (p *parser) fail(err error) {
	if p.err == nil {
		p.err = errors.Join(ErrEnvelope, err)
	}
}

// sequence is the rest of an element's children.
type sequence struct {
	p            *parser
	parent, next dom.Node
}

func (p *parser) in(n dom.Node) *sequence {
	s := &sequence{p: p, parent: n}
	if n.Valid() {
		s.next = n.FirstElement()
		for c := range n.Children() {
			if c.Kind() == dom.TextNode && c.TrimmedText() != "" {
				p.fail(c.Errorf("text between elements [XHE]"))
			}
		}
	}
	return s
}

func (s *sequence) optional(space, local string) dom.Node {
	n := s.next
	if !n.Valid() || !n.Is(space, local) {
		return dom.Node{}
	}
	s.next = n.NextElement()
	return n
}

func (s *sequence) one(space, local string) dom.Node {
	n := s.optional(space, local)
	switch {
	case n.Valid() || !s.parent.Valid():
	case s.next.Valid():
		s.p.fail(s.next.Errorf("%s expected [XHE]", local))
	default:
		s.p.fail(s.parent.Errorf("%s missing [XHE]", local))
	}
	return n
}

func (s *sequence) text(local string) string { return s.optional(Basics, local).TrimmedText() }

func (s *sequence) end() {
	if s.next.Valid() {
		s.p.fail(s.next.Errorf("not expected here [XHE]"))
	}
}

// Parse reads an envelope.
func Parse(doc *dom.Document) (*Envelope, error) {
	p := &parser{}
	root := doc.Root()
	if !root.Is(Namespace, "XHE") {
		p.fail(root.Errorf("root element is no XHE of %s", Namespace))
		return nil, p.err
	}
	e := &Envelope{}
	s := p.in(root)
	s.optional(Extensions, "XHEExtensions")
	if v := s.one(Basics, "XHEVersionID"); v.Valid() && v.TrimmedText() != "1.0" {
		p.fail(v.Errorf("version %q is not 1.0 [XHE]", v.TrimmedText()))
	}
	e.CustomizationID = s.text("CustomizationID")
	e.ProfileID = s.text("ProfileID")
	e.ProfileExecutionID = s.text("ProfileExecutionID")
	e.header(p, s.one(Aggregates, "Header"))
	if n := s.optional(Aggregates, "Payloads"); n.Valid() {
		in := p.in(n)
		for x := in.one(Aggregates, "Payload"); x.Valid(); x = in.optional(Aggregates, "Payload") {
			e.Payloads = append(e.Payloads, p.payload(x))
		}
		in.end()
	}
	for n := s.optional(signatures, "Signature"); n.Valid(); n = s.optional(signatures, "Signature") {
		e.Signatures = append(e.Signatures, n)
	}
	s.end()
	if p.err != nil {
		return nil, p.err
	}
	return e, nil
}

func (e *Envelope) header(p *parser, n dom.Node) {
	s := p.in(n)
	e.ID = s.one(Basics, "ID").TrimmedText()
	e.UUID = s.text("UUID")
	e.Created, e.NoZone = p.time(s.one(Basics, "CreationDateTime"))
	if scope := s.optional(Aggregates, "BusinessScope"); scope.Valid() {
		in := p.in(scope)
		for c := in.optional(Aggregates, "BusinessScopeCriterion"); c.Valid(); c = in.optional(Aggregates, "BusinessScopeCriterion") {
			f := p.in(c)
			e.Scope = append(e.Scope, Criterion{
				f.one(Basics, "BusinessScopeCriterionTypeCode").TrimmedText(),
				f.one(Basics, "BusinessScopeCriterionValue").TrimmedText(),
			})
			f.end()
		}
		e.References = p.references(in, "ExternalReference")
		in.end()
	}
	if from := s.optional(Aggregates, "FromParty"); from.Valid() {
		e.From = p.party(from)
	}
	for to := s.one(Aggregates, "ToParty"); to.Valid(); to = s.optional(Aggregates, "ToParty") {
		e.To = append(e.To, p.party(to))
	}
	s.end()
}

func (p *parser) party(n dom.Node) Party {
	var party Party
	s := p.in(n)
	for i := s.one(Aggregates, "PartyIdentification"); i.Valid(); i = s.optional(Aggregates, "PartyIdentification") {
		in := p.in(i)
		id := in.one(Basics, "ID")
		party = append(party, ids.Participant{Scheme: strings.TrimSpace(id.Attr("schemeID")), Value: id.TrimmedText()})
		in.end()
	}
	s.end()
	return party
}

func (p *parser) references(s *sequence, local string) []Reference {
	var all []Reference
	for n := s.optional(Aggregates, local); n.Valid(); n = s.optional(Aggregates, local) {
		all = append(all, *p.reference(n))
	}
	return all
}

func (p *parser) reference(n dom.Node) *Reference {
	if !n.Valid() {
		return nil
	}
	s := p.in(n)
	r := &Reference{ID: s.one(Basics, "ID").TrimmedText()}
	if t := s.optional(Basics, "AvailabilityStartDateTime"); t.Valid() {
		r.Start, _ = p.time(t)
	}
	if t := s.optional(Basics, "AvailabilityEndDateTime"); t.Valid() {
		r.End, _ = p.time(t)
	}
	s.optional(Basics, "Login")
	s.optional(Basics, "Password")
	s.end()
	return r
}

func (p *parser) payload(n dom.Node) Payload {
	s := p.in(n)
	var x Payload
	x.ID = s.text("ID")
	for d := s.optional(Basics, "Description"); d.Valid(); d = s.optional(Basics, "Description") {
		x.Descriptions = append(x.Descriptions, d.TrimmedText())
	}
	x.DocumentType, x.ContentType = s.text("DocumentTypeCode"), s.text("ContentTypeCode")
	x.CustomizationID, x.ProfileID = s.text("CustomizationID"), s.text("ProfileID")
	x.ProfileExecutionID, x.HandlingServiceID = s.text("ProfileExecutionID"), s.text("HandlingServiceID")
	x.ValidationType, x.ValidationVersion = s.text("ValidationTypeCode"), s.text("ValidationVersionID")
	switch e := s.one(Basics, "InstanceEncryptionIndicator"); e.TrimmedText() {
	case "true", "1":
		x.Encrypted = true
	case "false", "0":
	default:
		if e.Valid() {
			p.fail(e.Errorf("%q is no xs:boolean", e.TrimmedText()))
		}
	}
	x.EncryptionMethod, x.HashValue = s.text("InstanceEncryptionMethod"), s.text("InstanceHashValue")
	x.DecryptionInformation = p.reference(s.optional(Aggregates, "InstanceDecryptionInformationExternalReference"))
	x.DecryptionKey = p.reference(s.optional(Aggregates, "InstanceDecryptionKeyExternalReference"))
	x.Relevant = p.references(s, "RelevantExternalReference")
	x.External = p.reference(s.optional(Aggregates, "PayloadExternalReference"))
	if x.Content = s.optional(Aggregates, "PayloadContent"); x.Content.Valid() {
		p.content(x.Content)
	}
	if x.External != nil && x.Content.Valid() {
		p.fail(x.Content.Errorf("content beside an external reference [XHE]"))
	}
	s.end()
	return x
}

// content refuses more than one element, and text beside it: two readers could take different ones.
func (p *parser) content(n dom.Node) {
	first := n.FirstElement()
	if !first.Valid() {
		return
	}
	if second := first.NextElement(); second.Valid() {
		p.fail(second.Errorf("more than one element as payload [XHE]"))
	}
	p.in(n)
}

func (p *parser) time(n dom.Node) (time.Time, bool) {
	s := n.TrimmedText()
	if len(s) >= 19 && s[10] == 'T' && s[13] == ':' && !strings.Contains(s, ",") {
		if t, err := time.Parse("2006-01-02T15:04:05Z07:00", s); err == nil {
			return t, false
		}
		if t, err := time.Parse("2006-01-02T15:04:05", s); err == nil {
			return t, true
		}
	}
	if n.Valid() {
		p.fail(n.Errorf("%q is no xs:dateTime", s))
	}
	return time.Time{}, false
}
