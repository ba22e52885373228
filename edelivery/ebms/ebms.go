// Package ebms reads and writes the message header of ebMS 3.0 and AS4: eb:Messaging with its user messages and
// signals, the SOAP 1.2 envelope that carries it, and the multipart/related body that carries both and the payloads.
//
// Editions: OASIS ebMS 3.0 Core (2007) [ebMS3], Part 2 (2011) [ebMS3-2], AS4 Profile 1.0 (2013) [AS4], and the eDelivery
// AS4 profile 1.15 [EU-AS4] where it decides what the others leave open.
//
// Reading is one strict parser with one named switch per deviation that real peers were seen to send ([Quirks]);
// writing knows no switches. What was read keeps its [dom.Node], so that a caller can ask the signature whether it
// covers exactly that. Errors are [*Error], with the EBMS code that belongs on the wire, or [*Fault] where SOAP
// itself was violated.
//
// # Refused on purpose
//
// SOAP 1.1, document types, two user messages in one header, external payloads (unless [Quirks.ExternalPayload]),
// MIME bodies that end before their closing boundary (unless the announced length was reached).
//
// Security headers belong to package wss, the choice of a P-Mode and everything that has state to package as4.
package ebms

// Namespaces of an AS4 message.
const (
	NS          = "http://docs.oasis-open.org/ebxml-msg/ebms/v3.0/ns/core/200704/" // prefix eb; the slash belongs to it
	NSSOAP      = "http://www.w3.org/2003/05/soap-envelope"                        // prefix S12
	NSSOAP11    = "http://schemas.xmlsoap.org/soap/envelope/"                      // known only to be refused
	NSSignals   = "http://docs.oasis-open.org/ebxml-bp/ebbp-signals-2.0"           // prefix ebbpsig
	NSSecurity  = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
	NSUtility   = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd" // prefix wsu
	NSSignature = "http://www.w3.org/2000/09/xmldsig#"
	NSFragment  = "http://docs.oasis-open.org/ebxml-msg/ns/v3.0/mf/2010/04/" // prefix mf [ebMS3-2 4]
	NSAddress   = "http://www.w3.org/2005/08/addressing"                     // prefix wsa
	NSMultiHop  = "http://docs.oasis-open.org/ebxml-msg/ebms/v3.0/ns/multihop/200902/"

	nsMultiHopOther = "http://docs.oasis-open.org/ebxml-msg/ns/ebms/v3.0/multihop/200902/" // what AS4.NET writes
	nsWrapper       = "urn:fdc:com.helger.phase4:ns:wrapper"                               // around the copy of a user message in a receipt
	nsXML           = "http://www.w3.org/XML/1998/namespace"
)

// Message exchange patterns and their bindings [ebMS3 D.3].
const (
	MEPOneWay          = NS + "oneWay"
	MEPTwoWay          = NS + "twoWay"
	BindingPush        = NS + "push"
	BindingPull        = NS + "pull"
	BindingSync        = NS + "sync"
	BindingPushAndPush = NS + "pushAndPush"
	BindingPushAndPull = NS + "pushAndPull"
	BindingPullAndPush = NS + "pullAndPush"
	bindingPushPushOld = NS + "push-and-push" // spelling of older P-Mode files
)

// Values that stand in when nothing was agreed.
const (
	DefaultMPC = NS + "defaultMPC" // an absent eb:UserMessage/@mpc [ebMS3 3.4.1]

	RoleInitiator = NS + "initiator" // [AS4 5.2.5]
	RoleResponder = NS + "responder"
	RoleDefault   = NS + "defaultRole" // [ebMS3 5.2.2.3]

	PartyDefaultFrom = NS + "defaultFrom" // [ebMS3 4.3]
	PartyDefaultTo   = NS + "defaultTo"

	DefaultConversationID = "1" // [ebMS3 4.3]

	// Every P-Mode answers messages of this pair and delivers none of them [ebMS3 5.2.2.8, EU-AS4 1.4.2.4].
	TestService = NS + "service"
	TestAction  = NS + "test"

	DefaultService = "http://docs.oasis-open.org/ebxml-msg/as4/200902/service" // [AS4 5.2.5]
	DefaultAction  = "http://docs.oasis-open.org/ebxml-msg/as4/200902/action"
)

// Multi-hop [AS4 4]: the role of eb:Messaging, the address of the cloud, the actions of signals.
const (
	RoleNextMSH         = "http://docs.oasis-open.org/ebxml-msg/ebms/v3.0/ns/part2/200811/nextmsh"
	AddressICloud       = "http://docs.oasis-open.org/ebxml-msg/ebms/v3.0/ns/part2/200811/icloud"
	ActionOneWayReceipt = NS + "oneWay.receipt"
	ActionOneWayError   = NS + "oneWay.error"
)

// Names of properties that have a meaning in the protocol. Part property names are compared ignoring case.
const (
	PropertyMimeType        = "MimeType"
	PropertyCharacterSet    = "CharacterSet"
	PropertyCompressionType = "CompressionType"
	CompressionGzip         = "application/gzip" // the only value of CompressionType [AS4 3.1]

	PropertyOriginalSender = "originalSender" // four corners [EU-AS4 1.5.1]
	PropertyFinalRecipient = "finalRecipient"
	PropertyTrackingID     = "trackingIdentifier"
)

// Binding returns the standard spelling of a binding that a P-Mode file names.
func Binding(uri string) string {
	if uri == bindingPushPushOld {
		return BindingPushAndPush
	}
	return uri
}
