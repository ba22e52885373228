package ebms

// Reply returns the header of an answer to m, the second leg of a two-way exchange [EU-AS4 1.4.4.2]: it names m, stays in
// its conversation, goes from who received it to who sent it, each in its role, and has originalSender and finalRecipient
// swapped. MessageID, Timestamp, Action and the parts are left to be filled in; the tracking identifier is not repeated.
func (m *UserMessage) Reply() *UserMessage {
	r := &UserMessage{
		RefToMessageID: m.MessageID, ConversationID: m.ConversationID, From: m.To, To: m.From, Service: m.Service,
	}
	if m.Agreement != nil {
		a := *m.Agreement
		r.Agreement = &a
	}
	for _, swap := range [...][2]string{{PropertyFinalRecipient, PropertyOriginalSender}, {PropertyOriginalSender, PropertyFinalRecipient}} {
		for _, p := range m.Properties {
			if p.Name == swap[0] {
				p.Name = swap[1]
				r.Properties = append(r.Properties, p)
			}
		}
	}
	return r
}
