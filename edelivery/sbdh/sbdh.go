// Package sbdh reads, checks and writes the Standard Business Document: a business document in an envelope
// that names its sender, receiver and kind (UN/CEFACT SBDH 1.3 [SBDH], business message envelope 2.0 [ENV]).
//
// There are two ways to read. [Parse] takes a parsed document: for small messages, which are then parsed once
// for everything. [Read] takes a stream, parses the header and hands the business document on as it passes, in
// constant memory whatever its size. Both accept the same envelopes.
//
// # What the payload is
//
// An XML payload is one element; its octets come as they stand, in UTF-8, with one exception: where an element
// uses a namespace prefix (or no prefix) whose declaration stands on the envelope and is not repeated inside the
// payload, that declaration is added to the element. An element uses the prefix of its name, of its attributes' names,
// and one that stands before a colon at the beginning of an attribute's value, as in xsi:type. So a payload that
// declares what it uses keeps its octets and its signatures, and every payload can be parsed by itself. A prefix used only
// inside text is not seen.
//
// A BinaryContent or TextContent wrapper [ENV 2.3] is undone: the payload is what it holds.
//
// # Refused on purpose
//
// Document type declarations; a second header, a second payload and text beside them; an envelope inside the
// envelope; comments and elements inside a wrapper; scopes given twice where two readers could take different ones.
package sbdh

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/ids"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Namespaces of the envelope and of the wrappers for payloads that are not XML.
const (
	Namespace        = "http://www.unece.org/cefact/namespaces/StandardBusinessDocumentHeader"
	ContentNamespace = "http://peppol.eu/xsd/ticc/envelope/1.0"
)

// Types of scopes with a meaning of their own [ENV 2.6.1].
const (
	ScopeDocument   = "DOCUMENTID"
	ScopeProcess    = "PROCESSID"
	ScopeCountry    = "COUNTRY_C1"
	ScopeStatusTo   = "MLS_TO"
	ScopeStatusType = "MLS_TYPE"
)

// Header is the StandardBusinessDocumentHeader. Contact information and scope information are not kept.
type Header struct {
	Version            string            // "1.0"; Write takes "" for it
	Senders, Receivers []ids.Participant // Scheme is @Authority
	Standard           string            // namespace of the payload's root element
	TypeVersion        string
	InstanceID         string // of this envelope, globally unique
	Type               string // local name of the payload's root element
	MultipleType       string // "", "true" or "false"
	Created            time.Time
	NoZone             bool // Created had no time zone and was taken as UTC
	Manifest           bool // there was a Manifest
	HasScopes          bool // there was a BusinessScope; Write writes one if there are Scopes
	Scopes             []Scope
}

// Scope is a key with a value: what Identifier means depends on the key, mostly the value's scheme.
type Scope struct{ Type, InstanceIdentifier, Identifier string }

// NewHeader makes a header for an XML document: what its type says fills Standard, Type and TypeVersion. Country
// is that of the business sender; "" leaves the scope out.
func NewHeader(sender, receiver ids.Participant, doc ids.DocumentType, process ids.Process, country, instanceID string, created time.Time) (*Header, error) {
	p, err := doc.Parts()
	if err != nil {
		return nil, err
	}
	h := &Header{
		Version: "1.0", Senders: []ids.Participant{sender}, Receivers: []ids.Participant{receiver},
		Standard: p.Namespace, TypeVersion: p.Version, Type: p.Local, InstanceID: instanceID, Created: created,
		HasScopes: true,
		Scopes: []Scope{
			{ScopeDocument, doc.Value, doc.Scheme},
			{ScopeProcess, process.Value, process.Scheme},
		},
	}
	if country != "" {
		h.Scopes = append(h.Scopes, Scope{Type: ScopeCountry, InstanceIdentifier: country})
	}
	return h, nil
}

// Sender is the first sender, zero without one.
func (h *Header) Sender() ids.Participant { return first(h.Senders) }

// Receiver is the first receiver, zero without one.
func (h *Header) Receiver() ids.Participant { return first(h.Receivers) }

func first(p []ids.Participant) ids.Participant {
	if len(p) == 0 {
		return ids.Participant{}
	}
	return p[0]
}

// Scope finds the first scope of a type, with case.
func (h *Header) Scope(name string) (Scope, bool) {
	for _, s := range h.Scopes {
		if s.Type == name {
			return s, true
		}
	}
	return Scope{}, false
}

// Value is the value of the first scope of a type, "" without one.
func (h *Header) Value(name string) string {
	s, _ := h.Scope(name)
	return s.InstanceIdentifier
}

// DocumentType is what the scope DOCUMENTID says; without scheme it is the exact one [ENV].
func (h *Header) DocumentType() ids.DocumentType {
	s, ok := h.Scope(ScopeDocument)
	if ok && s.Identifier == "" {
		s.Identifier = ids.SchemeQNS
	}
	return ids.DocumentType{Scheme: s.Identifier, Value: s.InstanceIdentifier}
}

// Process is what the scope PROCESSID says; without scheme it is that of CEN BII [ENV].
func (h *Header) Process() ids.Process {
	s, ok := h.Scope(ScopeProcess)
	if ok && s.Identifier == "" {
		s.Identifier = ids.SchemeProcess
	}
	return ids.Process{Scheme: s.Identifier, Value: s.InstanceIdentifier}
}

// Country is the country of the business sender, "" if not given.
func (h *Header) Country() string { return h.Value(ScopeCountry) }

// Instance says what the payload is.
type Instance struct {
	Space, Local string // name of the payload's root element, or of the wrapper
	MIME         string // of a wrapper's content; "" for XML
	Encoding     string // attribute of BinaryContent
}

// XML reports whether the payload is an XML element and not a wrapper's content.
func (i Instance) XML() bool { return i.Local != "" && i.MIME == "" }

// InstanceOf is the instance of an element.
func InstanceOf(n dom.Node) Instance {
	i := Instance{Space: n.Space(), Local: n.Local()}
	if i.Space == ContentNamespace && (i.Local == "BinaryContent" || i.Local == "TextContent") {
		i.MIME, i.Encoding = n.Attr("mimeType"), n.Attr("encoding")
	}
	return i
}

// Message is an envelope that was read.
type Message struct {
	Header   *Header
	Instance Instance
	// Node is the payload's element, a wrapper included, when the message was parsed as a document.
	Node dom.Node
	// Payload reads the payload. The rest of the envelope is checked on the way: what was read counts only when
	// Payload has returned io.EOF. It implements io.WriterTo.
	Payload io.Reader
}

// Limits bound what reading an envelope may cost. Zero fields take their defaults.
type Limits struct {
	Header int // octets before the payload, with its start tag, and octets after it; default 256 KiB
	Tag    int // octets of one tag in the payload; default 1 MiB
	Depth  int // nested elements; default 256
}

func (l Limits) withDefaults() Limits {
	if l.Header <= 0 {
		l.Header = 256 << 10
	}
	if l.Tag <= 0 {
		l.Tag = 1 << 20
	}
	if l.Depth <= 0 {
		l.Depth = 256
	}
	return l
}

// ErrEnvelope is the cause of every refused envelope.
var ErrEnvelope = errors.New("sbdh: envelope refused")

// Error is a refusal with the id by which implementations know the rule.
type Error struct {
	ID     string // for example "invalid-sbd-xml"
	Detail string
	Err    error // cause, for errors.Is and errors.As: of xmlcore/dom, ids, or the reader
}

func (e *Error) Error() string { return fmt.Sprintf("sbdh: %s: %s", e.ID, e.Detail) }

// Unwrap makes every Error an ErrEnvelope, beside its cause.
func (e *Error) Unwrap() []error {
	if e.Err != nil {
		return []error{ErrEnvelope, e.Err}
	}
	return []error{ErrEnvelope}
}

// Ids of refusals that reading itself makes; those of rules are in rules.go.
const (
	InvalidXML     = "invalid-sbd-xml"
	MissingHeader  = "missing-sbdh"
	InvalidPayload = "invalid-business-message"
)

func xmlError(err error) *Error { return &Error{InvalidXML, err.Error(), err} }

func errorf(id, format string, args ...any) *Error {
	return &Error{ID: id, Detail: fmt.Sprintf(format, args...)}
}
