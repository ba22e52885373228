package ebms_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// A message with one part is written, and read as the other end would read it.
func Example() {
	message := &ebms.UserMessage{
		MessageID: "m1@c2.example", Timestamp: time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC),
		From:    ebms.Party{IDs: []ebms.PartyID{{Value: "C2", Type: "urn:example:party"}}, Role: ebms.RoleInitiator},
		To:      ebms.Party{IDs: []ebms.PartyID{{Value: "C3", Type: "urn:example:party"}}, Role: ebms.RoleResponder},
		Service: ebms.Service{Value: ebms.TestService}, Action: ebms.TestAction, ConversationID: "1",
		Parts: []ebms.PartInfo{{Href: ebms.ContentIDURL("p1@c2.example")}},
	}
	envelope := dom.NewWriter(nil)
	ebms.WriteEnvelope(envelope, &ebms.Messaging{UserMessages: []*ebms.UserMessage{message}}, ebms.EnvelopeIDs{Messaging: "m", Body: "b"}, nil)

	var wire bytes.Buffer
	w := ebms.NewMIMEWriter(&wire, "boundary", "root@c2.example")
	w.Copy(ebms.PartHeader{ContentType: ebms.ContentTypeSOAP, ContentID: "root@c2.example"}, bytes.NewReader(envelope.Bytes()))
	w.Copy(ebms.PartHeader{ContentType: "text/plain", ContentID: "p1@c2.example"}, strings.NewReader("hello"))
	w.Close()

	r, err := ebms.NewReader(w.ContentType(), &wire, ebms.Limits{})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, root, err := r.Root()
	if err != nil {
		fmt.Println(err)
		return
	}
	e, err := ebms.ParseEnvelope(root, dom.Limits{})
	if err != nil {
		fmt.Println(err)
		return
	}
	m, err := ebms.ParseMessaging(e.Messaging, ebms.DefaultQuirks())
	if err != nil {
		fmt.Println(err)
		return
	}
	part, err := r.Next()
	if err != nil {
		fmt.Println(err)
		return
	}
	content, err := io.ReadAll(part)
	fmt.Println(m.UserMessage().MessageID, part.ContentID, string(content), err)
	// Output: m1@c2.example p1@c2.example hello <nil>
}
