package selftest

import (
	"net/http"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/node/testbed"
	"github.com/viadukt-eu/viadukt/trust/xmldsig"
	"github.com/viadukt-eu/viadukt/trust/xmlenc"
)

var exchangeCases = []*Case{
	{ID: "AS4_CP_TA01", Level: Mandatory, Module: commonProfile, Peer: true,
		Predicate: "a pushed message is answered, in the same connection and with a 2xx status, by a receipt that repeats the digests of its signature", run: receiptOfPush},
	{ID: "AS4_CP_TA02", Level: Mandatory, Module: commonProfile,
		Predicate: "the second message of a two-way exchange names the first in eb:RefToMessageId", run: replyNamesRequest},
	{ID: "AS4_CP_TA03", Level: Mandatory, Module: commonProfile,
		Predicate: "eb:From and eb:To have one eb:PartyId each", run: onePartyEach},
	{ID: "AS4_CP_TA04", Level: Mandatory, Module: commonProfile, Peer: true,
		Predicate: "a payload that is not compressed is taken although compression was agreed", run: uncompressedIsTaken},
	{ID: "AS4_CP_TA05", Level: Mandatory, Module: commonProfile,
		Predicate: "a single XML payload travels compressed in a MIME part of its own, and the SOAP Body is empty", run: onePayload},
	{ID: "AS4_CP_TA06", Level: Mandatory, Module: commonProfile,
		Predicate: "of several payloads the leading XML document is the first eb:PartInfo, all are MIME parts, and the SOAP Body is empty", run: severalPayloads},
	{ID: "AS4_CP_TA07", Level: Mandatory, Module: commonProfile, Peer: true,
		Predicate: "a message with several payloads gets a receipt, and all payloads are delivered", run: severalDelivered},
	{ID: "AS4_CP_TA08", Level: Mandatory, Module: commonProfile, Peer: true,
		Predicate: "a payload that is only linked to is answered by an ebMS error in the same connection", run: linkIsRefused},
	{ID: "AS4_CP_TA09", Level: Mandatory, Module: commonProfile,
		Predicate: "a message whose receipt does not come is sent again", run: sentAgain},
	{ID: "AS4_CP_TA10", Level: Mandatory, Module: commonProfile,
		Predicate: "a message that was sent several times is delivered once, its receipt comes each time, and ends the sending", run: deliveredOnce},
	{ID: "AS4_CP_TA11", Level: Mandatory, Module: commonProfile, Predicate: "no address for errors of the sender is set",
		Why: "a setting that is never used leaves no trace outside"},
	{ID: "AS4_CP_TA12", Level: Mandatory, Module: commonProfile,
		Predicate: "the sender signs header, empty Body and every part, with its certificate, by rsa-sha256 over SHA-256 digests", run: signatureOfSender},
	{ID: "AS4_CP_TA13", Level: Mandatory, Module: commonProfile,
		Predicate: "every part is encrypted by AES-128-GCM for the certificate of the receiver", run: encryptionForReceiver},
	{ID: "AS4_CP_TA14", Level: Mandatory, Module: commonProfile,
		Predicate: "the request of a two-way exchange gets a receipt of its own", run: requestGetsReceipt},
	{ID: "AS4_CP_TA15", Level: Mandatory, Module: commonProfile,
		Predicate: "when all attempts ended without receipt, the producer is told of EBMS:0301", run: missingReceiptIsTold},
	{ID: "AS4_CP_TA16", Level: Mandatory, Module: commonProfile,
		Predicate: "a ping names the test service and the test action", run: pingIsNamed},
	{ID: "AS4_CP_TA17", Level: Mandatory, Module: commonProfile, Peer: true,
		Predicate: "a ping gets a receipt, and nothing is delivered", run: pingIsAnswered},
	{ID: "AS4_CP_TA18", Level: Mandatory, Module: commonProfile, // the official list calls it not testable; with the sender at hand it is
		Predicate: "a message without conversation of its producer gets one from the sender", run: conversationIsMade},
	{ID: "AS4_CP_TA19", Level: Mandatory, Module: commonProfile,
		Predicate: "the conversation of the producer is on the request, and the same on the reply", run: conversationIsKept},
	{ID: "AS4_CP_TA20", Level: Permitted, Module: commonProfile, Peer: true,
		Predicate: "message properties are taken with and without type", run: propertyTypes},
	{ID: "AS4_CP_TA21", Level: Mandatory, Module: commonProfile, Peer: true,
		Predicate: "a message that was processed is answered by a receipt", run: receiptIsSent},
	{ID: "AS4_CP_TA22", Level: Mandatory, Module: commonProfile,
		Predicate: "a receipt that is a plain SOAP envelope, without MIME, is processed and the producer told", run: plainReceiptIsProcessed},
}

// proven checks a receipt against the signature of its message: all references, each with its digest, and signed itself.
func (r *run) proven(x *Exchange) error {
	v, sig, err := x.receipt()
	if err != nil {
		return err
	}
	if len(sig.Receipt.References) == 0 {
		return fail("the receipt repeats no reference: it proves nothing")
	}
	m, err := x.message()
	if err != nil {
		return err
	}
	s, err := m.signature()
	if err != nil {
		return err
	}
	digests := map[string]string{}
	for _, ref := range find(s, nsDS, "Reference") {
		for _, d := range find(ref, nsDS, "DigestValue") {
			digests[ref.Attr("URI")] = d.TrimmedText()
		}
	}
	for _, ref := range find(sig.Receipt.Node, nsDS, "Reference") {
		for _, d := range find(ref, nsDS, "DigestValue") {
			if digests[ref.Attr("URI")] != d.TrimmedText() {
				return fail("the receipt repeats the digest of %s wrongly", ref.Attr("URI"))
			}
			delete(digests, ref.Attr("URI"))
		}
	}
	for uri := range digests {
		return fail("the receipt leaves out %s", uri)
	}
	pm, err := r.p.pmode(0, oneWay)
	if err != nil {
		return err
	}
	if _, err := v.open(pm.Profile.Suites[0], nil, pm.Certificates[0]); err != nil {
		return fail("the signature of the receipt: %v", err)
	}
	return nil
}

func receiptOfPush(r *run) error {
	x, _, err := r.simple()
	if err != nil {
		return err
	}
	return r.proven(x)
}

// both makes a two-way exchange and gives the requests of both directions.
func (r *run) both() (request, reply *Exchange, err error) {
	if err := r.use("eu-edelivery"); err != nil {
		return nil, nil, err
	}
	request, _, err = r.sent(submission{mode: twoWay, conv: "conversation-of-the-producer", payloads: []Payload{xmlPayload()}})
	if err != nil {
		return nil, nil, err
	}
	t, err := r.delivered(request.MessageID, []byte(xmlDocument))
	if err != nil {
		return nil, nil, err
	}
	// The consumer answers in the conversation that it was told of.
	id, err := r.submitted(1, submission{mode: twoWayRe, ref: t.Property(testbed.MessageID), conv: t.Property(testbed.ConversationID), payloads: []Payload{xmlPayload()}})
	if err != nil {
		return nil, nil, err
	}
	reply, err = r.back().await(r.ctx, id, 1)
	return request, reply, err
}

func replyNamesRequest(r *run) error {
	request, reply, err := r.both()
	if err != nil {
		return err
	}
	v, err := reply.message()
	if err != nil {
		return err
	}
	if v.um.RefToMessageID != request.MessageID {
		return fail("the reply names %q, the request is %q", v.um.RefToMessageID, request.MessageID)
	}
	_, err = r.driver.Await(r.ctx, corners[0], testbed.Deliver, reply.MessageID)
	return err
}

func onePartyEach(r *run) error {
	_, v, err := r.simple()
	if err != nil {
		return err
	}
	return v.oneParty()
}

func uncompressedIsTaken(r *run) error {
	x, err := r.posted(forgery{parts: []forgedPart{plain("xmlpayload@minder", "application/xml", []byte(xmlDocument))}})
	if err != nil {
		return err
	}
	return r.taken(x, []byte(xmlDocument))
}

// inParts checks that payloads are MIME parts, each named by one eb:PartInfo, and nothing is in the Body.
func (v *view) inParts(n int) error {
	if !v.env.BodyEmpty() {
		return fail("the SOAP Body is not empty")
	}
	if len(v.um.Parts) != n || len(v.parts) != n {
		return fail("%d eb:PartInfo and %d MIME parts for %d payloads", len(v.um.Parts), len(v.parts), n)
	}
	there := map[string]bool{}
	for _, p := range v.parts {
		there[p.id] = true
	}
	for _, p := range v.um.Parts {
		if id, ok := p.ContentID(); !ok || !there[id] {
			return fail("no MIME part for eb:PartInfo %q", p.Href)
		}
	}
	return nil
}

func onePayload(r *run) error {
	_, v, err := r.simple()
	if err != nil {
		return err
	}
	if err := v.inParts(1); err != nil {
		return err
	}
	return r.compressedPart(v, 0, []byte(xmlDocument))
}

func severalPayloads(r *run) error {
	_, v, err := r.simple(xmlPayload(), octetPayload())
	if err != nil {
		return err
	}
	if err := v.inParts(2); err != nil {
		return err
	}
	if id, _ := v.um.Parts[0].ContentID(); id != "xmlpayload@minder" {
		return fail("the first eb:PartInfo is %q and not the leading document", id)
	}
	return nil
}

func severalDelivered(r *run) error {
	x, _, err := r.simple(xmlPayload(), octetPayload())
	if err != nil {
		return err
	}
	return r.taken(x, []byte(xmlDocument), octets)
}

func linkIsRefused(r *run) error {
	x, err := r.posted(forgery{parts: []forgedPart{}, header: func(um *ebms.UserMessage) {
		um.Parts = []ebms.PartInfo{{Href: "https://payloads.example/invoice.xml", Properties: []ebms.Property{{Name: ebms.PropertyMimeType, Value: "application/xml"}}}}
	}})
	if err != nil {
		return err
	}
	return r.refused(x)
}

// swallow answers the first n requests with nothing, in place of the receiver or after it.
func swallow(n int) hook {
	return func(x *Exchange) {
		if n--; n >= 0 {
			x.Reply = func(w http.ResponseWriter) { w.WriteHeader(http.StatusOK) }
		}
	}
}

// lose throws away the first n answers.
func lose(n int) hook {
	return func(x *Exchange) {
		if n--; n >= 0 {
			x.Status, x.AnswerType, x.Answer = http.StatusOK, "", nil
		}
	}
}

func (r *run) retried(request, answer hook) (string, error) {
	if err := r.use("eu-edelivery"); err != nil {
		return "", err
	}
	r.there().on(request, answer)
	return r.submitted(0, submission{mode: retrying, payloads: []Payload{xmlPayload()}})
}

func sentAgain(r *run) error {
	id, err := r.retried(swallow(1), nil)
	if err != nil {
		return err
	}
	first, err := r.there().await(r.ctx, id, 1)
	if err != nil {
		return err
	}
	again, err := r.there().await(r.ctx, id, 2)
	if err != nil {
		return err
	}
	a, err := first.message()
	if err != nil {
		return err
	}
	b, err := again.message()
	if err != nil {
		return err
	}
	if !b.um.Timestamp.Equal(a.um.Timestamp) || len(a.parts) != len(b.parts) {
		return fail("the second request carries another message under the same id")
	}
	return nil
}

func deliveredOnce(r *run) error {
	id, err := r.retried(nil, lose(2))
	if err != nil {
		return err
	}
	if err := r.notified(0, id, testbed.SignalReceipt); err != nil {
		return err
	}
	if _, err := r.delivered(id, []byte(xmlDocument)); err != nil {
		return err
	}
	list, _ := r.there().seen(id)
	if len(list) != 3 {
		return fail("%d requests were made where the third receipt came through", len(list))
	}
	if _, _, err := list[2].receipt(); err != nil {
		return err
	}
	if n := len(r.driver.Find(corners[1], testbed.Deliver, id)); n != 1 {
		return fail("the message was delivered %d times", n)
	}
	m, err := r.node(0).Store.ByMessageID(r.ctx, store.Out, id)
	if err != nil {
		return err
	}
	if m.State != store.Acknowledged || !m.NextAttempt.IsZero() {
		return fail("the sender goes on: the message is %s", m.State)
	}
	return nil
}

func signatureOfSender(r *run) error {
	_, v, err := r.simple(xmlPayload(), octetPayload())
	if err != nil {
		return err
	}
	if err := v.signed(xmldsig.RSASHA256, xmldsig.SHA256); err != nil {
		return err
	}
	_, err = r.opened(v, oneWay)
	return err
}

func encryptionForReceiver(r *run) error {
	_, v, err := r.simple(xmlPayload(), octetPayload())
	if err != nil {
		return err
	}
	if err := v.encrypted(xmlenc.AES128GCM, r.node(1).Identity().Certificate); err != nil {
		return err
	}
	_, err = r.opened(v, oneWay)
	return err
}

func requestGetsReceipt(r *run) error {
	request, _, err := r.both()
	if err != nil {
		return err
	}
	return r.proven(request)
}

func missingReceiptIsTold(r *run) error {
	id, err := r.retried(swallow(1000), nil)
	if err != nil {
		return err
	}
	if err := r.notified(0, id, testbed.SignalError, ebms.MissingReceipt); err != nil {
		return err
	}
	if list, _ := r.there().seen(id); len(list) != retries {
		return fail("EBMS:0301 was told after %d of %d attempts", len(list), retries)
	}
	return nil
}

// ping sends a message of the test service.
func (r *run) ping() (*Exchange, *view, error) {
	if err := r.use("eu-edelivery"); err != nil {
		return nil, nil, err
	}
	return r.sent(submission{mode: oneWay, service: ebms.TestService, action: ebms.TestAction, payloads: []Payload{xmlPayload()}})
}

func pingIsNamed(r *run) error {
	_, v, err := r.ping()
	if err != nil {
		return err
	}
	return v.ping()
}

func pingIsAnswered(r *run) error {
	x, _, err := r.ping()
	if err != nil {
		return err
	}
	if err := r.proven(x); err != nil {
		return err
	}
	if r.peer != nil {
		return nil
	}
	m, err := r.node(1).Store.ByMessageID(r.ctx, store.In, x.MessageID)
	if err != nil {
		return fail("the receiver does not know the ping: %v", err)
	}
	if !m.Test || m.State != store.Confirmed || len(r.driver.Find(corners[1], testbed.Deliver, x.MessageID)) > 0 {
		return fail("the ping was delivered: it is %s at the receiver", m.State)
	}
	return nil
}

func conversationIsMade(r *run) error {
	_, v, err := r.simple()
	if err != nil {
		return err
	}
	return v.conversation()
}

func conversationIsKept(r *run) error {
	request, reply, err := r.both()
	if err != nil {
		return err
	}
	for i, x := range []*Exchange{request, reply} {
		v, err := x.message()
		if err != nil {
			return err
		}
		if v.um.ConversationID != "conversation-of-the-producer" {
			return fail("message %d of the exchange is in conversation %q", i+1, v.um.ConversationID)
		}
	}
	return nil
}

func propertyTypes(r *run) error {
	for _, kind := range []string{"", "urn:test:type"} {
		x, err := r.posted(forgery{header: func(um *ebms.UserMessage) {
			um.Properties = append(um.Properties, ebms.Property{Name: "Colour", Value: "green", Type: kind})
		}})
		if err != nil {
			return err
		}
		if _, _, err := x.receipt(); err != nil {
			return fail("property with type %q: %v", kind, err)
		}
		t, err := r.delivered(x.MessageID, []byte(xmlDocument))
		if err != nil {
			return err
		}
		if t != nil && t.Property("Colour") != "green" {
			return fail("the property with type %q was not delivered", kind)
		}
	}
	return nil
}

func receiptIsSent(r *run) error {
	x, _, err := r.simple()
	if err != nil {
		return err
	}
	_, _, err = x.receipt()
	return err
}

func plainReceiptIsProcessed(r *run) error {
	x, _, err := r.simple()
	if err != nil {
		return err
	}
	v, _, err := x.receipt()
	if err != nil {
		return err
	}
	if v.multipart {
		return fail("the receipt came as %s, which does not show it", x.AnswerType)
	}
	return r.notified(0, x.MessageID, testbed.SignalReceipt)
}
