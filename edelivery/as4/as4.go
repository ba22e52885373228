// Package as4 exchanges messages by the AS4 profile of ebMS 3.0 as eDelivery AS4 1.15 and 2.0 restrict it: one-way
// push in both roles, with receipts that prove what was received [AS4 5.1.8], errors by their table, compression,
// reception awareness and the test service.
//
// A [Sender] turns an [Outgoing] message into one HTTP request and judges the answer: [Outcome]. It does not retry;
// [Retry] says when the next attempt is due, and the caller, who stores messages, makes it. A [Receiver] is an
// http.Handler that hands what it received to an [Intake] and answers a receipt only after the intake has stored it.
//
// What a message must look like is data: a [Profile] (the community's rules), a [PMode] (the agreement of two parties).
package as4

import (
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/edelivery/wss"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/xmldsig"
)

// Received is one user message that passed every check of the profile and the P-Mode.
type Received struct {
	Message   *ebms.UserMessage
	PMode     *PMode
	Signer    *pki.Certificate // nil when the P-Mode allows unsigned messages
	Sender    string           // who is authenticated: the key of duplicate detection beside the MessageId
	Parts     []wss.OpenedPart // as they arrived; Message.Parts has the order that counts
	Encrypted bool
	Test      bool // test service: security and receipt, no delivery [EU-AS4 1.4.2.4]
	At        time.Time
	Peer      string // remote network address
	// References are the digests that were signed; the receipt repeats them.
	References []xmldsig.Reference
	Warnings   []string // deviations that were tolerated
}
