package node

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/testbed"
)

// loadTestbed makes the driver interface for a conformance test bed, nil without its section.
func (n *Node) loadTestbed() (*testbed.Bed, error) {
	section := n.Config.Testbed
	if section.IsZero() {
		return nil, nil
	}
	b := &testbed.Bed{Gateway: driven{backend{n}}, Store: n.Store, Client: &http.Client{}, Clock: n.Clock, Log: n.Log, Host: n.Host(),
		NewID: func() (string, error) { return ebms.NewMessageID(n.Rand, n.Host()) }}
	if err := config.Decode(section, &b.Settings); err != nil {
		return nil, err
	}
	n.Log.Warn("the driver interface for test beds is on: whoever reaches it can send messages in the name of this node", slog.String("listen", string(b.Listen)))
	n.observers = append(n.observers, b)
	return b, nil
}

// loadMessaging makes the messaging service for the Interoperability Test Bed, nil without its section.
func (n *Node) loadMessaging() (*testbed.Messaging, error) {
	section := n.Config.GITB
	if section.IsZero() {
		return nil, nil
	}
	s := &testbed.Messaging{Gateway: driven{backend{n}}, Store: n.Store, Client: &http.Client{}, Clock: n.Clock, Log: n.Log, Version: Version}
	if err := config.Decode(section, &s.MessagingSettings); err != nil {
		return nil, err
	}
	n.Log.Warn("the messaging service for test beds is on: whoever reaches it can send and read messages in the name of this node", slog.String("listen", string(s.Listen)))
	return s, nil
}

// News implements testbed.Watched.
func (d driven) News() (news <-chan struct{}, stopped bool) { return d.n.hub.next() }

// Own implements testbed.Watched.
func (d driven) Own() [][2]string {
	us := d.n.partyID()
	return [][2]string{{testbed.ToPartyID, us.Value}, {testbed.ToPartyIDType, us.Type}, {"Address", string(d.n.Config.AS4.URL)}}
}

// driven is the node as a test bed drives it.
type driven struct{ backend }

// Begin implements testbed.Gateway. The bed names service, action and receiver; everything else comes from the agreement
// unless the bed says it.
func (d driven) Begin(_ context.Context, um *ebms.UserMessage) (testbed.Draft, error) {
	n := d.n
	pm := d.agreement(um)
	if pm == nil {
		return nil, ebms.ProcessingModeMismatch.Newf("no agreement sends service %.200q, action %.200q to %.200q", um.Service.Value, um.Action, um.To.ID().Value)
	}
	um.Timestamp, um.MPC = n.Clock().UTC(), pm.MPC
	var err error
	if um.MessageID == "" {
		if um.MessageID, err = ebms.NewMessageID(n.Rand, n.Host()); err != nil {
			return nil, err
		}
	} else if !ebms.ValidMessageID(um.MessageID) {
		return nil, ebms.InvalidHeader.Newf("%.200q is no message id", um.MessageID)
	}
	if um.ConversationID == "" && !pm.Profile.NoConversation {
		if um.ConversationID, err = ebms.NewConversationID(n.Rand); err != nil {
			return nil, err
		}
	}
	if pm.Agreement != "" {
		um.Agreement = &ebms.Agreement{Value: pm.Agreement, Type: pm.AgreementType}
	}
	return &draft{n: n, pm: pm, um: um, parts: um.Parts, payloads: make([]*Payload, len(um.Parts))}, nil
}

// agreement finds the P-Mode that a header belongs to once it is completed by it.
func (d driven) agreement(um *ebms.UserMessage) *as4.PMode {
	table := d.n.pmodes.Load().out
	given := *um
	for _, m := range table.All() {
		if m.Pull || given.To.ID().Value != "" && m.Responder.ID != "" && !strings.EqualFold(given.To.ID().Value, m.Responder.ID) {
			continue
		}
		us := m.Initiator
		if us.ID == "" {
			us.ID, us.Type = d.n.partyID().Value, d.n.partyID().Type
		}
		*um = given
		um.From, um.To = party(given.From, us), party(given.To, m.Responder)
		if um.Service.Type == "" {
			um.Service.Type = m.ServiceType
		}
		if um.To.ID().Value == "" { // discovery names the access point
			um.To.IDs[0].Value = corner(um, ebms.PropertyFinalRecipient)
		}
		if um.IsTest() {
			um.Service.Type = ""
		}
		if found, err := table.Match(um); err == nil && found == m {
			return m
		}
	}
	*um = given
	return nil
}

// party fills in what the bed left open.
func party(given ebms.Party, agreed as4.PartyRef) ebms.Party {
	id := given.ID()
	p := ebms.Party{IDs: []ebms.PartyID{{Value: cmp.Or(id.Value, agreed.ID), Type: cmp.Or(id.Type, agreed.Type)}}, Role: cmp.Or(given.Role, agreed.Role)}
	return p
}

// tellRefused tells the bed of a message that was answered with an error: its consumer waits for one.
func (n *Node) tellRefused(ctx context.Context, um *ebms.UserMessage, err error) {
	var e *ebms.Error
	if n.testbed == nil || um == nil || !errors.As(err, &e) {
		return
	}
	if err := n.testbed.Refused(ctx, um.MessageID, e); err != nil {
		n.Log.Error("test bed not told", slog.String("msgid", um.MessageID), slog.Any("err", err))
	}
}
