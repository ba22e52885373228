package ebms

import (
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// PartyID is one eb:PartyId.
type PartyID struct{ Value, Type string }

// Party is eb:From or eb:To.
type Party struct {
	IDs  []PartyID
	Role string
}

// ID returns the first identifier.
func (p Party) ID() PartyID {
	if len(p.IDs) == 0 {
		return PartyID{}
	}
	return p.IDs[0]
}

// Service is eb:Service.
type Service struct{ Value, Type string }

// Agreement is eb:AgreementRef.
type Agreement struct{ Value, Type, PMode string }

// Property is one message or part property. @type is of the errata and of the eDelivery profile.
type Property struct{ Name, Value, Type string }

// Schema is the eb:Schema of a part.
type Schema struct{ Location, Namespace, Version string }

// PartInfo describes one payload. An Href without "cid:" is the SOAP Body: empty, or "#" and an id.
type PartInfo struct {
	Href        string
	Schema      *Schema
	Description string
	Lang        string // xml:lang of Description
	Properties  []Property
	Node        dom.Node
}

// Property returns the value of the first part property of that name, compared ignoring case.
func (p *PartInfo) Property(name string) (value string, ok bool) { return property(p.Properties, name) }

// InBody reports whether the part is the content of the SOAP Body [ebMS3 5.2.2.12].
func (p *PartInfo) InBody() bool { return p.Href == "" || p.Href[0] == '#' }

// ContentID returns the content identifier that Href names, without angle brackets and percent-decoded; ok is
// false for the Body and for external references.
func (p *PartInfo) ContentID() (id string, ok bool) { return ContentIDFromURL(p.Href) }

// UserMessage is eb:UserMessage.
type UserMessage struct {
	MPC            string // @mpc; empty is the default MPC
	MessageID      string
	RefToMessageID string
	Timestamp      time.Time // UTC
	From, To       Party
	Agreement      *Agreement
	Service        Service
	Action         string
	ConversationID string // may be empty
	Properties     []Property
	Parts          []PartInfo // in the order of delivery [EU-AS4 1.4.2.3]
	Node           dom.Node   // the eb:UserMessage that was read; zero when built
}

// Property returns the value of the first message property of that name, compared ignoring case.
func (m *UserMessage) Property(name string) (value string, ok bool) {
	return property(m.Properties, name)
}

// IsTest reports whether the message is for the test service, which is never delivered [ebMS3 5.2.2.8].
func (m *UserMessage) IsTest() bool { return m.Action == TestAction && m.Service.Value == TestService }

// IsResponse reports whether the message is the second leg of a two-way exchange.
func (m *UserMessage) IsResponse() bool {
	return m.RefToMessageID != "" && m.RefToMessageID != m.MessageID
}

// Channel returns the MPC with the default filled in.
func (m *UserMessage) Channel() string {
	if m.MPC == "" {
		return DefaultMPC
	}
	return m.MPC
}

// Signal is eb:SignalMessage: a receipt, a pull request, or errors; exactly one of the three.
type Signal struct {
	MessageID      string
	RefToMessageID string
	Timestamp      time.Time // UTC
	Receipt        *Receipt
	Errors         []*Error
	PullRequest    *PullRequest
	Node           dom.Node // the eb:SignalMessage that was read; zero when built
}

// PullRequest is eb:PullRequest.
type PullRequest struct {
	MPC string // @mpc; empty is the default MPC
}

// Receipt is eb:Receipt: the references of the signature that is acknowledged, or a copy of the user message.
type Receipt struct {
	References  []NRReference
	UserMessage *UserMessage
	Children    []string // qualified names of the children that are neither
	Node        dom.Node // the eb:Receipt that was read; zero when built
}

// NRReference is one ds:Reference of the message that a receipt acknowledges [AS4 5.1.8].
type NRReference struct {
	URI          string
	DigestMethod string
	Digest       []byte   // nil when eb:Receipt carries no readable value
	Node         dom.Node // the ds:Reference
	Raw          []byte   // canonical, self-contained octets that Append copies; made from Node when nil
}

// Unit is one message unit: exactly one of its fields is set.
type Unit struct {
	User   *UserMessage
	Signal *Signal
}

// Messaging is the eb:Messaging header block.
type Messaging struct {
	UserMessages []*UserMessage // one at most
	Signals      []*Signal
	Order        []Unit // all units in document order
	ID           string // wsu:Id; else id, Id, ID or xml:id
	Role         string // S12:role
	Node         dom.Node
	Deviations   Quirks // which of the tolerated deviations the message shows
}

// UserMessage returns the one user message, or nil.
func (m *Messaging) UserMessage() *UserMessage {
	if len(m.UserMessages) == 0 {
		return nil
	}
	return m.UserMessages[0]
}

func property(list []Property, name string) (string, bool) {
	for i := range list {
		if strings.EqualFold(list[i].Name, name) {
			return list[i].Value, true
		}
	}
	return "", false
}
