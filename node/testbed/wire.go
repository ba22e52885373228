package testbed

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Ends names the two ends of the interface.
type Ends struct {
	Driver, SUT string // party ids
	FromDriver  bool
}

// Encode makes the body of a message: its type, its length and what writes it, once.
func (m *Message) Encode(ends Ends, now time.Time) (contentType string, length int64, write func(io.Writer) error) {
	driver, sut := ebms.Party{IDs: []ebms.PartyID{{Value: ends.Driver}}, Role: RoleDriver}, ebms.Party{IDs: []ebms.PartyID{{Value: ends.SUT}}, Role: RoleSUT}
	um := &ebms.UserMessage{
		MessageID: m.MessageID, RefToMessageID: m.RefToMessageID, Timestamp: now.UTC(), From: sut, To: driver,
		Service: ebms.Service{Value: Service}, Action: m.Action, ConversationID: "1", Properties: m.Properties,
	}
	if ends.FromDriver {
		um.From, um.To = driver, sut
	}
	headers := []ebms.PartHeader{{ContentType: ebms.ContentTypeSOAP, ContentID: "root@testbed"}}
	for i := range m.Parts {
		p := &m.Parts[i]
		um.Parts = append(um.Parts, ebms.PartInfo{Href: p.ID, Properties: p.Properties}) // without "cid:", as the bed's own samples
		headers = append(headers, ebms.PartHeader{ContentType: mimeType(p), ContentID: p.ID, Length: p.Size})
	}
	w := dom.NewWriter(nil)
	ebms.WriteEnvelope(w, &ebms.Messaging{UserMessages: []*ebms.UserMessage{um}}, ebms.EnvelopeIDs{}, nil)
	envelope := w.Bytes()
	if len(m.Parts) == 0 {
		return ebms.ContentTypeSOAP, int64(len(envelope)), func(w io.Writer) error { _, err := w.Write(envelope); return err }
	}
	const boundary = "viadukt-testbed-c1e9b2f0a7d44c6f"
	headers[0].Length = int64(len(envelope))
	return ebms.MultipartContentType(boundary, "root@testbed"), ebms.MIMELength(boundary, headers), func(w io.Writer) error {
		mw := ebms.NewMIMEWriter(w, boundary, "root@testbed")
		root, err := mw.Part(headers[0])
		if err != nil {
			return err
		}
		if _, err := root.Write(envelope); err != nil {
			return err
		}
		for i := range m.Parts {
			if _, err := mw.Copy(headers[i+1], m.Parts[i].Body); err != nil {
				return err
			}
		}
		return mw.Close()
	}
}

func mimeType(p *Part) string {
	if t := p.Property(ebms.PropertyMimeType); t != "" && !strings.ContainsAny(t, "\r\n") {
		return t
	}
	return "application/octet-stream"
}

// maxEnvelope bounds an envelope: 1 MiB.
const maxEnvelope = 1 << 20

// Decode reads the header of a message. Payloads are read with [Incoming.Next], in the order in which they arrive.
func Decode(contentType string, body io.Reader) (*Incoming, error) {
	media, err := ebms.ParseContentType(contentType)
	if err != nil {
		return nil, err
	}
	in := &Incoming{}
	var octets []byte
	switch {
	case media.IsMultipart():
		if in.mime, err = ebms.NewReader(contentType, body, ebms.Limits{RootBytes: maxEnvelope}); err != nil {
			return nil, err
		}
		if _, octets, err = in.mime.Root(); err != nil {
			return nil, err
		}
	case media.IsSOAP():
		if octets, err = io.ReadAll(io.LimitReader(body, maxEnvelope+1)); err != nil {
			return nil, err
		}
		if len(octets) > maxEnvelope {
			return nil, fmt.Errorf("testbed: %w: envelope of more than %d octets", ebms.ErrTooLarge, maxEnvelope)
		}
	default:
		return nil, fmt.Errorf("testbed: %w: %s", ebms.ErrContentType, media.Type)
	}
	env, err := ebms.ParseEnvelope(octets, dom.Limits{})
	if err != nil {
		return nil, err
	}
	if !env.Messaging.Valid() {
		return nil, ebms.InvalidHeader.New("the message has no eb:Messaging header")
	}
	m, err := ebms.ParseMessaging(env.Messaging, ebms.AllQuirks()) // beds name payloads without "cid:", parties without type
	if err != nil {
		return nil, err
	}
	if in.Signals = m.Signals; m.UserMessage() == nil {
		if len(m.Signals) == 0 {
			return nil, ebms.InvalidHeader.New("eb:Messaging is empty")
		}
		return in, nil
	}
	um := m.UserMessage()
	if um.Service.Value != Service {
		return nil, ebms.ValueNotRecognized.Newf("service %.200q is not that of the driver interface", um.Service.Value)
	}
	in.Message = Message{MessageID: um.MessageID, RefToMessageID: um.RefToMessageID, Action: um.Action, Properties: um.Properties}
	for _, p := range um.Parts {
		id := strings.TrimPrefix(p.Href, "cid:")
		if id == "" {
			return nil, ebms.ExternalPayloadError.New("a payload has no href")
		}
		in.Parts = append(in.Parts, Part{ID: id, Properties: p.Properties})
	}
	return in, nil
}

// Incoming is a message that is being read.
type Incoming struct {
	Message
	Signals []*ebms.Signal // instead of a message, or beside it
	mime    *ebms.MIMEReader
	seen    map[int]bool
}

// Next gives the next payload and its place in the header, io.EOF after the last; then all that the header names were
// there.
func (in *Incoming) Next() (i int, body *ebms.Part, err error) {
	if in.mime == nil {
		err = io.EOF
	} else {
		body, err = in.mime.Next()
	}
	if errors.Is(err, io.EOF) {
		for i, p := range in.Parts {
			if !in.seen[i] {
				return 0, nil, ebms.ExternalPayloadError.Newf("the payload %.200q is missing", p.ID)
			}
		}
		return 0, nil, io.EOF
	}
	if err != nil {
		return 0, nil, err
	}
	for i, p := range in.Parts {
		if p.ID == body.ContentID && !in.seen[i] {
			if in.seen == nil {
				in.seen = map[int]bool{}
			}
			in.seen[i] = true
			return i, body, nil
		}
	}
	return 0, nil, ebms.ExternalPayloadError.Newf("no eb:PartInfo names the payload %.200q", body.ContentID)
}
