package ebms

import (
	"errors"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// userXML is a user message that keeps every rule of the specifications.
const userXML = `<eb:UserMessage mpc="urn:example:mpc">
  <eb:MessageInfo>
    <eb:Timestamp>2024-05-06T07:08:09.123Z</eb:Timestamp>
    <eb:MessageId>m-1@c2.example</eb:MessageId>
    <eb:RefToMessageId>m-0@c3.example</eb:RefToMessageId>
  </eb:MessageInfo>
  <eb:PartyInfo>
    <eb:From><eb:PartyId type="urn:example:party">C2</eb:PartyId><eb:Role>urn:example:sender</eb:Role></eb:From>
    <eb:To><eb:PartyId>urn:example:c3</eb:PartyId><eb:Role>urn:example:receiver</eb:Role></eb:To>
  </eb:PartyInfo>
  <eb:CollaborationInfo>
    <eb:AgreementRef pmode="pm" type="urn:example:t">A1</eb:AgreementRef>
    <eb:Service type="urn:example:s">orders</eb:Service>
    <eb:Action>place</eb:Action>
    <eb:ConversationId>conv 7</eb:ConversationId>
  </eb:CollaborationInfo>
  <eb:MessageProperties>
    <eb:Property name="originalSender" type="urn:example:id">C1</eb:Property>
    <eb:Property name="finalRecipient">C4</eb:Property>
  </eb:MessageProperties>
  <eb:PayloadInfo>
    <eb:PartInfo href="cid:p1@c2.example">
      <eb:Schema location="http://example.org/o.xsd" version="2"></eb:Schema>
      <eb:Description xml:lang="fr">commande</eb:Description>
      <eb:PartProperties>
        <eb:Property name="MimeType">application/xml</eb:Property>
        <eb:Property name="CompressionType">application/gzip</eb:Property>
      </eb:PartProperties>
    </eb:PartInfo>
  </eb:PayloadInfo>
</eb:UserMessage>`

const infoXML = `<eb:MessageInfo><eb:Timestamp>2024-05-06T07:08:10.000Z</eb:Timestamp><eb:MessageId>s-1@c3.example</eb:MessageId><eb:RefToMessageId>m-1@c2.example</eb:RefToMessageId></eb:MessageInfo>`

const refXML = `<ebbpsig:NonRepudiationInformation xmlns:ebbpsig="http://docs.oasis-open.org/ebxml-bp/ebbp-signals-2.0"><ebbpsig:MessagePartNRInformation><ds:Reference xmlns:ds="http://www.w3.org/2000/09/xmldsig#" URI="cid:p1@c2.example"><ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><ds:DigestValue>AQID</ds:DigestValue></ds:Reference></ebbpsig:MessagePartNRInformation></ebbpsig:NonRepudiationInformation>`

const receiptXML = `<eb:SignalMessage>` + infoXML + `<eb:Receipt>` + refXML + `</eb:Receipt></eb:SignalMessage>`

const errorXML = `<eb:SignalMessage>` + infoXML + `<eb:Error errorCode="EBMS:0004" severity="failure" category="Content" origin="ebMS" shortDescription="Other" refToMessageInError="m-1@c2.example"><eb:Description xml:lang="en">Not today</eb:Description><eb:ErrorDetail>try tomorrow</eb:ErrorDetail></eb:Error></eb:SignalMessage>`

const pullXML = `<eb:SignalMessage><eb:MessageInfo><eb:Timestamp>2024-05-06T07:08:10.000Z</eb:Timestamp><eb:MessageId>s-2@c3.example</eb:MessageId></eb:MessageInfo><eb:PullRequest mpc="urn:example:mpc"/></eb:SignalMessage>`

func messagingXML(units ...string) string {
	return `<eb:Messaging xmlns:eb="` + NS + `" xmlns:S12="` + NSSOAP + `" xmlns:wsu="` + NSUtility +
		`" S12:mustUnderstand="true" wsu:Id="msg-1">` + strings.Join(units, "") + `</eb:Messaging>`
}

func envelopeXML(messaging string) string {
	return `<S12:Envelope xmlns:S12="` + NSSOAP + `"><S12:Header>` + messaging + `</S12:Header><S12:Body/></S12:Envelope>`
}

func mustParse(t testing.TB, s string) *dom.Document {
	t.Helper()
	d, err := dom.Parse([]byte(s), dom.Limits{})
	if err != nil {
		t.Fatalf("%v in %s", err, s)
	}
	return d
}

// read parses eb:Messaging from its text.
func read(t testing.TB, xml string, q Quirks) (*Messaging, error) {
	t.Helper()
	return ParseMessaging(mustParse(t, xml).Root(), q)
}

// word is the outcome in one word: ok, the code of the error, or the SOAP fault.
func word(err error) string {
	var e *Error
	var f *Fault
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &f):
		return "fault:" + string(f.Code)
	case errors.As(err, &e):
		return string(e.Code)
	case errors.Is(err, ErrTruncated):
		return "truncated"
	case errors.Is(err, ErrMIME):
		return "mime"
	case errors.Is(err, ErrTooLarge):
		return "limit"
	case errors.Is(err, ErrContentType):
		return "content-type"
	}
	return "other: " + err.Error()
}

// edit replaces exactly one occurrence of old in s, or fails: a table row must not test nothing.
func edit(t testing.TB, s, old, replacement string) string {
	t.Helper()
	if n := strings.Count(s, old); n != 1 {
		t.Fatalf("%q occurs %d times", old, n)
	}
	return strings.Replace(s, old, replacement, 1)
}
