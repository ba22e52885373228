package backoffice

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// submission in progress: which parts of the header have their payload, and which wait for a part of the message.
type submitting struct {
	*call
	um     *Submitted
	draft  Draft
	filled []bool
	cids   map[string]cidPart // content id to part of the header
}

type cidPart struct {
	index       int
	contentType string
}

// submit answers submitMessage. v is the first value, nil when there is none.
func (c *call) submit(ctx context.Context, w http.ResponseWriter, messaging dom.Node, v *value) error {
	if !messaging.Valid() {
		return newFault(codeInvalid, "the header block Messaging is missing")
	}
	um, err := readUserMessage(messaging.Child(ebms.NS, "UserMessage"), ebms.NS)
	if err != nil {
		return err
	}
	if err := c.maySend(um); err != nil {
		return err
	}
	draft, err := c.s.Gateway.Begin(ctx, um)
	if err != nil {
		return err
	}
	defer draft.Close()
	s := &submitting{call: c, um: um, draft: draft, filled: make([]bool, len(um.Parts)), cids: map[string]cidPart{}}
	for v != nil {
		if err := s.payload(v); err != nil {
			return err
		}
		if v, err = c.stream.next(); err != nil && err != io.EOF {
			return err
		}
	}
	doc, err := c.stream.document() // the whole of it is well-formed, and as it seemed when it began
	if err != nil {
		return err
	}
	if _, c.op, err = envelope(doc); err != nil {
		return err
	}
	if err := c.checkRequest(); err != nil {
		return err
	}
	if err := s.attachments(); err != nil {
		return err
	}
	for i, ok := range s.filled {
		if !ok {
			return newFault(codePayloads, fmt.Sprintf("No payload found for PartInfo with href: %s", um.Parts[i].Href))
		}
	}
	m, err := draft.Commit(ctx)
	if err != nil {
		return err
	}
	return answer(w, func(x *dom.Writer) {
		x.Start("w:submitResponse", "xmlns:w", c.ns)
		x.Element("messageID", m.MessageID)
		x.End()
	})
}

// maySend holds a user to its own name.
func (c *call) maySend(um *Submitted) error {
	if c.caller.originalUser == "" {
		return nil
	}
	for _, p := range um.Properties {
		if strings.EqualFold(p.Name, ebms.PropertyOriginalSender) {
			if p.Type == "" && strings.EqualFold(p.Value, c.caller.originalUser) || sameCorner(p.Type+"::"+p.Value, c.caller.originalUser) {
				return nil
			}
		}
	}
	return newFault(codeAuthorization, "the user may send as originalSender "+c.caller.originalUser+" alone")
}

// part finds the part of the header that a payload belongs to; -1 when nobody asks for it.
func (s *submitting) part(body bool, id string) int {
	for i := range s.um.Parts {
		href := s.um.Parts[i].Href
		if body && href == "" || !body && href != "" && strings.EqualFold(href, id) {
			return i
		}
	}
	return -1
}

// payload takes one value.
func (s *submitting) payload(v *value) error {
	n, err := s.stream.describe()
	if err != nil {
		return err
	}
	id, has := attribute(n, "payloadId")
	body := n.Local() == "bodyload"
	if body && has {
		return newFault(codePayloads, "bodyload has a payloadId")
	}
	if !body && id == "" {
		return newFault(codePayloads, "a payload has no payloadId")
	}
	i := s.part(body, id)
	if i < 0 {
		if body { // some clients send a placeholder that no PartInfo names
			return nil
		}
		return newFault(codePayloads, fmt.Sprintf("no PartInfo names the payload %.300q", id))
	}
	if s.filled[i] {
		return newFault(codePayloads, fmt.Sprintf("two payloads with the id %.300q", id))
	}
	s.filled[i] = true
	contentType, _ := attribute(n, "contentType")
	if v.include != "" {
		if _, twice := s.cids[v.include]; twice {
			return newFault(codePayloads, fmt.Sprintf("two payloads refer to the part %.300q", v.include))
		}
		s.cids[v.include] = cidPart{i, contentType}
		return nil
	}
	return s.keep(i, contentType, v)
}

func (s *submitting) keep(i int, contentType string, body io.Reader) error {
	part := &s.um.Parts[i]
	mime, ok := part.Property(ebms.PropertyMimeType)
	if !ok {
		mime = contentType
		if mime == "" {
			mime = "application/octet-stream"
		}
	}
	return s.draft.Payload(i, mime, body)
}

// attachments takes the parts behind the envelope.
func (s *submitting) attachments() error {
	if len(s.cids) == 0 {
		return nil
	}
	if s.mime == nil {
		return newFault(codePayloads, "a payload refers to a part, but the request has none")
	}
	for {
		p, err := s.mime.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		at, ok := s.cids[p.ContentID]
		if !ok {
			continue
		}
		delete(s.cids, p.ContentID)
		if err := s.keep(at.index, at.contentType, p); err != nil {
			return err
		}
	}
	for cid := range s.cids {
		return newFault(codePayloads, fmt.Sprintf("the part %.300q is missing", cid))
	}
	return nil
}

// checkRequest looks at the whole body: names in the right namespace, no payload without a value.
func (c *call) checkRequest() error {
	for e := range c.op.Elements() {
		if e.Space() != "" || e.Local() != "payload" && e.Local() != "bodyload" {
			return newFault(codeConversion, fmt.Sprintf("<%.80s> in submitRequest", e.QName()))
		}
		if !e.Child("", "value").Valid() {
			return newFault(codePayloads, fmt.Sprintf("the payload %.300q has no value", e.Attr("payloadId")))
		}
	}
	return nil
}

// attribute reads an attribute without namespace.
func attribute(n dom.Node, name string) (string, bool) {
	a := n.Attribute("", name)
	if !a.Valid() {
		return "", false
	}
	return strings.TrimSpace(a.Text()), true
}
