// Package testbed lets a conformance test bed drive an access point: the driver interface of the official test bed for
// eDelivery AS4, as its user guide of edition 1.11 describes it. The bed submits messages and is told what was delivered and what became of its own, all as
// user messages without security: nobody but a test bed may reach the address, so the interface is off unless it is
// configured.
//
// A submission is answered in the same connection with the message id that is used between the access points; what is
// told to the bed is stored first and posted until the bed takes it.
package testbed

import (
	"io"
	"strings"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/node/config"
)

// Service and roles of the messages between bed and access point.
const (
	Service    = "http://www.esens.eu/as4/conformancetest"
	RoleDriver = Service + "/testdriver"
	RoleSUT    = Service + "/sut"
)

// Actions.
const (
	Submit         = "Submit"         // the bed has a message to send
	SubmitResponse = "SubmitResponse" // its id
	Deliver        = "Deliver"        // a message was received
	Notify         = "Notify"         // a receipt came, or an error
)

// Properties of the messages, beside those of the message that is driven.
const (
	MessageID       = "MessageId"
	RefToMessageID  = "RefToMessageId"
	ConversationID  = "ConversationId"
	FromPartyID     = "FromPartyId"
	FromPartyIDType = "FromPartyIdType"
	FromPartyRole   = "FromPartyRole"
	ToPartyID       = "ToPartyId"
	ToPartyIDType   = "ToPartyIdType"
	ToPartyRole     = "ToPartyRole"
	ServiceName     = "Service"
	ServiceType     = "ServiceType"
	Action          = "Action"
	SignalType      = "SignalType"
	ErrorCode       = "ErrorCode"
	ShortDesc       = "ShortDescription"
	Description     = "Description"
)

// Values of SignalType.
const (
	SignalReceipt = "Receipt"
	SignalError   = "Error"
)

// Settings are the section of the configuration.
type Settings struct {
	Listen      config.Listen `yaml:"listen" required:"true" example:"127.0.0.1:8490" doc:"Address on which the bed submits messages. It has no protection of any kind."`
	Driver      config.URL    `yaml:"driver" required:"true" example:"http://127.0.0.1:9000/driver" doc:"Where the bed is told of deliveries, receipts and errors."`
	Party       string        `yaml:"party" default:"sut" doc:"Party id of this node towards the bed."`
	DriverParty string        `yaml:"driverParty" default:"minder" doc:"Party id of the bed."`
}

// Message is one message between bed and access point.
type Message struct {
	MessageID      string
	RefToMessageID string
	Action         string
	Properties     []ebms.Property
	Parts          []Part
}

// Part is one payload: ID without "cid:".
type Part struct {
	ID         string
	Properties []ebms.Property
	Size       int64 // of Body, for writing
	Body       io.Reader
}

// Property is the value of a property, "" when it is absent.
func (m *Message) Property(name string) string {
	for _, p := range m.Properties {
		if strings.EqualFold(p.Name, name) {
			return p.Value
		}
	}
	return ""
}

// Property is the value of a part property, "" when it is absent.
func (p *Part) Property(name string) string {
	for _, q := range p.Properties {
		if strings.EqualFold(q.Name, name) {
			return q.Value
		}
	}
	return ""
}

// control names the properties that are not passed on as message properties.
var control = map[string]bool{}

func init() {
	for _, n := range []string{MessageID, RefToMessageID, ConversationID, FromPartyID, FromPartyIDType, FromPartyRole, ToPartyID, ToPartyIDType, ToPartyRole, ServiceName, ServiceType, Action} {
		control[strings.ToLower(n)] = true
	}
}

// Header is the header of the message that a submission asks for: what it leaves open is the node's to fill in.
func (m *Message) Header() *ebms.UserMessage {
	um := &ebms.UserMessage{
		MessageID: m.Property(MessageID), RefToMessageID: m.Property(RefToMessageID), ConversationID: m.Property(ConversationID),
		From:    ebms.Party{IDs: []ebms.PartyID{{Value: m.Property(FromPartyID), Type: m.Property(FromPartyIDType)}}, Role: m.Property(FromPartyRole)},
		To:      ebms.Party{IDs: []ebms.PartyID{{Value: m.Property(ToPartyID), Type: m.Property(ToPartyIDType)}}, Role: m.Property(ToPartyRole)},
		Service: ebms.Service{Value: m.Property(ServiceName), Type: m.Property(ServiceType)}, Action: m.Property(Action),
	}
	for _, p := range m.Properties {
		if !control[strings.ToLower(p.Name)] {
			um.Properties = append(um.Properties, p)
		}
	}
	for _, p := range m.Parts {
		um.Parts = append(um.Parts, ebms.PartInfo{Href: "cid:" + p.ID, Properties: p.Properties})
	}
	return um
}

// delivered tells of a received message.
func delivered(um *ebms.UserMessage) *Message {
	m := &Message{Action: Deliver}
	from, to := um.From.ID(), um.To.ID()
	for _, p := range []ebms.Property{
		{Name: MessageID, Value: um.MessageID}, {Name: RefToMessageID, Value: um.RefToMessageID}, {Name: ConversationID, Value: um.ConversationID},
		{Name: FromPartyID, Value: from.Value}, {Name: FromPartyIDType, Value: from.Type}, {Name: FromPartyRole, Value: um.From.Role},
		{Name: ToPartyID, Value: to.Value}, {Name: ToPartyIDType, Value: to.Type}, {Name: ToPartyRole, Value: um.To.Role},
		{Name: ServiceName, Value: um.Service.Value}, {Name: ServiceType, Value: um.Service.Type}, {Name: Action, Value: um.Action},
	} {
		if p.Value != "" {
			m.Properties = append(m.Properties, p)
		}
	}
	m.Properties = append(m.Properties, um.Properties...)
	return m
}
