package ebms

import "github.com/viadukt-eu/viadukt/xmlcore/dom"

// Routing is what leads a signal back through an I-Cloud to the sender of a user message [AS4 4.4]: intermediaries go by
// the parties, service and action in it as if it were a user message of the opposite direction.
type Routing struct {
	Message *UserMessage // that the signal is about
	Error   bool         // an error, else a receipt
	ID      string       // suffix of the wsu:Ids
}

// RoutingBlocks are the ids and places of the header blocks that a [Routing] writes; each is signed.
type RoutingBlocks [3]struct {
	ID   string
	Span Span
}

// Append writes wsa:To, wsa:Action and ebint:RoutingInput, each in its own exclusive canonical form.
func (r Routing) Append(w *dom.Writer) (b RoutingBlocks) {
	action, suffix := ActionOneWayReceipt, ".receipt"
	if r.Error {
		action, suffix = ActionOneWayError, ".error"
	}
	for i, name := range [...]string{"wsa-to-", "wsa-action-", "routing-"} {
		b[i].ID, b[i].Span.From = name+r.ID, w.Len()
		switch i {
		case 0:
			w.Element("wsa:To", AddressICloud, "xmlns:S12", NSSOAP, "xmlns:wsa", NSAddress, "xmlns:wsu", NSUtility,
				"wsu:Id", b[i].ID, "S12:mustUnderstand", "true", "S12:role", RoleNextMSH)
		case 1:
			w.Element("wsa:Action", action, "xmlns:wsa", NSAddress, "xmlns:wsu", NSUtility, "wsu:Id", b[i].ID)
		case 2:
			r.input(w, b[i].ID, suffix)
		}
		b[i].Span.To = w.Len()
	}
	return b
}

func (r Routing) input(w *dom.Writer, id, suffix string) {
	m := r.Message
	w.Start("ebint:RoutingInput", "xmlns:S12", NSSOAP, "xmlns:ebint", NSMultiHop, "xmlns:wsa", NSAddress, "xmlns:wsu", NSUtility,
		"wsu:Id", id, "S12:mustUnderstand", "true", "S12:role", RoleNextMSH, "wsa:IsReferenceParameter", "true")
	w.Start("ebint:UserMessage", "mpc", m.Channel()+suffix)
	w.Start("eb:PartyInfo", "xmlns:eb", NS)
	m.To.append(w, "eb:From")
	m.From.append(w, "eb:To")
	w.End()
	w.Start("eb:CollaborationInfo", "xmlns:eb", NS)
	if a := m.Agreement; a != nil {
		var attrs [4]string
		w.Element("eb:AgreementRef", a.Value, optional(attrs[:0], "pmode", a.PMode, "type", a.Type)...)
	}
	typed(w, "eb:Service", m.Service.Value, m.Service.Type)
	w.Element("eb:Action", m.Action+suffix)
	w.Element("eb:ConversationId", m.ConversationID)
	w.End()
	w.End()
	w.End()
}
