package ebms

import "reflect"

// Quirks lists deviations from the standards, one field each. As a setting a field says that the deviation is
// tolerated; as [Messaging.Deviations] that it was there. The zero value is the standards and nothing else.
type Quirks struct {
	// Tolerated by DefaultQuirks: seen on the wire, and no doubt about what is meant.

	PlainPartyID           bool // eb:PartyId without @type that is no URI [ebMS3 5.2.2.4]: widespread
	PlainService           bool // eb:Service without @type that is no URI [ebMS3 5.2.2.8]: nobody enforces it
	PlainMessageID         bool // printable ASCII up to 255 characters that is no RFC 2822 msg-id [ebMS3 5.2.2.1]
	NoTimeZone             bool // eb:Timestamp without zone: it is UTC [ebMS3 5.2.2.1]
	TimeOffset             bool // eb:Timestamp with an offset other than UTC, which is honoured
	AnyUnitOrder           bool // eb:SignalMessage or foreign elements before or between user messages, against the schema's order
	RepeatedSignalKind     bool // several signals of one kind in a header [ebMS3 5.2.4]
	NoMustUnderstand       bool // eb:Messaging without S12:mustUnderstand="true" [ebMS3 5.2.1]
	SchemasElement         bool // eb:Schemas in place of eb:Schema
	EmptyLists             bool // eb:MessageProperties, eb:PayloadInfo or eb:PartProperties without content
	NoErrorRef             bool // an error signal that names no message: RefToMessageId and refToMessageInError are both missing
	OtherSeverity          bool // @severity "error", "fatal" or in another case: a failure unless it says warning
	BareErrorCode          bool // @errorCode "0101" in place of "EBMS:0101"
	ReceiptCopy            bool // eb:UserMessage as direct child of eb:Receipt: AS4 5.1.8 wants it, the schema forbids it
	ReceiptWrappedCopy     bool // that copy within another element
	ReceiptExtraChildren   bool // more than one child of eb:Receipt
	ReceiptNoReferences    bool // a receipt without one usable ds:Reference or copy: proves nothing, which the sender's check finds
	ReceiptPartIdentifiers bool // ebbpsig:MessagePartIdentifier [AS4 5.1.8]: ignored

	// Not tolerated by DefaultQuirks: a matter of agreement between partners.

	SeveralPartyIDs bool // more than one eb:PartyId in From or To: Core allows it, the eDelivery profile does not
	ExternalPayload bool // eb:PartInfo/@href that is neither cid: nor the Body [EU-AS4 1.4.2.3]
	UnnamedParts    bool // MIME parts that no eb:PartInfo names
}

// DefaultQuirks tolerates what real peers send where there is no doubt about what they mean.
func DefaultQuirks() Quirks {
	return Quirks{
		PlainPartyID:           true,
		PlainService:           true,
		PlainMessageID:         true,
		NoTimeZone:             true,
		TimeOffset:             true,
		AnyUnitOrder:           true,
		RepeatedSignalKind:     true,
		NoMustUnderstand:       true,
		SchemasElement:         true,
		EmptyLists:             true,
		NoErrorRef:             true,
		OtherSeverity:          true,
		BareErrorCode:          true,
		ReceiptCopy:            true,
		ReceiptWrappedCopy:     true,
		ReceiptExtraChildren:   true,
		ReceiptNoReferences:    true,
		ReceiptPartIdentifiers: true,
	}
}

// AllQuirks tolerates everything that a switch exists for. A receiver reads with it, since the P-Mode that says what is
// tolerated is known only after reading, and then asks [Quirks.Beyond].
func AllQuirks() Quirks {
	var q Quirks
	v := reflect.ValueOf(&q).Elem()
	for i := range v.NumField() {
		v.Field(i).SetBool(true)
	}
	return q
}

// Beyond names the deviations in q that allowed does not tolerate.
func (q Quirks) Beyond(allowed Quirks) []string {
	if q == (Quirks{}) {
		return nil
	}
	var names []string
	a, b := reflect.ValueOf(q), reflect.ValueOf(allowed)
	for i := range a.NumField() {
		if a.Field(i).Bool() && !b.Field(i).Bool() {
			names = append(names, a.Type().Field(i).Name)
		}
	}
	return names
}

// Set switches one deviation by its name; false when there is none of that name.
func (q *Quirks) Set(name string, on bool) bool {
	f := reflect.ValueOf(q).Elem().FieldByName(name)
	if !f.IsValid() {
		return false
	}
	f.SetBool(on)
	return true
}

// QuirkNames lists the switches in their order.
func QuirkNames() []string {
	t := reflect.TypeFor[Quirks]()
	names := make([]string, t.NumField())
	for i := range names {
		names[i] = t.Field(i).Name
	}
	return names
}
