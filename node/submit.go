package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"sort"

	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/edelivery/ids"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/node/trace"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Accept takes a submission: by the P-Mode it names, else by its domain, else by the only domain there is.
func (n *Node) Accept(ctx context.Context, s *Submission) (*store.Message, error) {
	if s.PMode != "" {
		return n.acceptBilateral(ctx, s)
	}
	if s.Domain == "" && len(n.submitters) == 1 {
		for d := range n.submitters {
			s.Domain = d
		}
	}
	sub := n.submitters[s.Domain]
	if sub == nil {
		return nil, &RefusedError{Code: "UNKNOWN_DOMAIN", Text: fmt.Sprintf("no domain %q takes documents on this node", s.Domain), Remedy: "name a P-Mode or one of the configured domains"}
	}
	return sub.Submit(ctx, s)
}

// acceptBilateral stores every part as it comes: a P-Mode with a partner needs no look at the content.
func (n *Node) acceptBilateral(ctx context.Context, s *Submission) (*store.Message, error) {
	pm := n.PMode(s.PMode)
	if pm == nil {
		return nil, &RefusedError{Code: string(ebms.ProcessingModeMismatch), Text: fmt.Sprintf("no P-Mode %q for sending", s.PMode), Remedy: "add it under pmodes: in the configuration"}
	}
	if s.Domain == "" {
		s.Domain = n.pmodes.Load().domain[pm.ID]
	}
	var payloads []*Payload
	discard := func() {
		for _, p := range payloads {
			p.Writer.Close()
		}
	}
	for {
		part, err := s.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			discard()
			return nil, err
		}
		p, err := n.NewPayload(pm, part.MimeType, func(w io.Writer) error { _, err := io.Copy(w, part.Body); return err })
		if err != nil {
			discard()
			return nil, err
		}
		p.Name, p.ContentID = part.Name, part.ContentID
		payloads = append(payloads, p)
	}
	return n.Submit(ctx, pm, s, payloads)
}

// RefusedError says why a submission was not accepted: nothing was stored.
type RefusedError struct {
	Code   string // "PEPPOL:NOT_SERVICED", "EBMS:0010", ...
	Text   string
	Remedy string
	Err    error
}

func (e *RefusedError) Error() string { return e.Code + ": " + e.Text }
func (e *RefusedError) Unwrap() error { return e.Err }

// Payload is one part that Accept puts into a message: octets that the caller wrote to the store.
type Payload struct {
	Name       string
	MimeType   string // of the document
	ContentID  string // empty: made
	Compressed bool
	PlainSize  int64
	Properties []ebms.Property // of the part, beside those that the node sets
	Writer     store.PayloadWriter
}

// NewPayload stores the octets of one part in the form in which they will be signed: compressed where it helps.
func (n *Node) NewPayload(pm *as4.PMode, mimeType string, write func(io.Writer) error) (*Payload, error) {
	w, err := n.Store.NewPayload()
	if err != nil {
		return nil, err
	}
	p := &Payload{MimeType: mimeType, Writer: w}
	if pm.Profile.Compress && !pm.NoCompression && pm.Splitting == nil && as4.Compressible(mimeType) {
		p.Compressed = true
		p.PlainSize, err = as4.Compress(w, write)
	} else {
		err = write(w)
		p.PlainSize = w.Size()
	}
	if err != nil {
		w.Close()
		return nil, err
	}
	return p, nil
}

// Submit stores a message for sending by a P-Mode and returns when it is durable. It closes the payloads' writers.
func (n *Node) Submit(ctx context.Context, pm *as4.PMode, s *Submission, payloads []*Payload) (*store.Message, error) {
	defer func() {
		for _, p := range payloads {
			p.Writer.Close()
		}
	}()
	um, err := n.userMessage(pm, s)
	if err != nil {
		return nil, err
	}
	return n.put(ctx, pm, um, s, payloads)
}

// put stores a message with its header and these payloads.
func (n *Node) put(ctx context.Context, pm *as4.PMode, um *ebms.UserMessage, s *Submission, payloads []*Payload) (_ *store.Message, err error) {
	ctx, span := n.trace.First(ctx, "submit", um.MessageID)
	if span != nil {
		defer func() { done(span, err) }()
	}
	m := &store.Message{
		Direction: store.Out, State: store.Queued, MessageID: um.MessageID, ConversationID: um.ConversationID,
		RefToMessageID: um.RefToMessageID, Domain: s.Domain, PMode: pm.ID, Profile: pm.Profile.Name,
		From: um.From.ID().Value, To: pm.Responder.ID, Sender: s.Sender, Receiver: s.Receiver,
		Service: um.Service.Value, ServiceType: um.Service.Type, Action: um.Action, Test: um.IsTest(), Peer: peerKey(pm, s.Receiver),
		Error: s.Remark,
	}
	for i, p := range payloads {
		ref, err := p.Writer.Seal()
		if err != nil {
			return nil, err
		}
		cid := p.ContentID
		if cid == "" && i == 0 {
			cid = pm.ContentID
		}
		if cid == "" {
			cid = fmt.Sprintf("part%d.%s", i+1, um.MessageID)
		}
		part := ebms.PartInfo{Href: "cid:" + cid, Properties: []ebms.Property{{Name: ebms.PropertyMimeType, Value: p.MimeType}}}
		if p.Compressed {
			part.Properties = append(part.Properties, ebms.Property{Name: ebms.PropertyCompressionType, Value: ebms.CompressionGzip})
		}
		part.Properties = append(part.Properties, p.Properties...)
		if _, named := part.Property("PayloadName"); !named && p.Name != "" && !pm.Profile.NoFileNames {
			part.Properties = append(part.Properties, ebms.Property{Name: "PayloadName", Value: p.Name})
		}
		um.Parts = append(um.Parts, part)
		m.Payloads = append(m.Payloads, store.Payload{ContentID: cid, MimeType: p.MimeType, Name: p.Name, Compressed: p.Compressed, PlainSize: p.PlainSize, PayloadRef: ref})
	}
	if err := as4.CheckHeader(um, pm); err != nil {
		err = refusedBy(err)
		var r *RefusedError
		if errors.As(err, &r) && (s.Sender == "" || s.Receiver == "") {
			r.Remedy = "name sender and receiver, as scheme::value"
		}
		return nil, err
	}
	w := dom.NewWriter(make([]byte, 0, 2<<10))
	um.Append(w)
	m.Header = w.Bytes()
	at := !pm.Pull && n.out.reserve(m)
	describeSpan(span, m)
	_, storing := n.trace.Start(ctx, "store", trace.Internal)
	err = n.Store.Write(ctx, func(tx store.Tx) error {
		if err := tx.Insert(m); err != nil {
			return err
		}
		return tx.Label(m.ID, s.Labels...)
	})
	if done(storing, err); err != nil {
		if at {
			n.out.release(m)
		}
		return nil, err
	}
	n.metrics.accepted.Inc()
	if at {
		sent := *m // the caller keeps its own
		n.out.start(job{&sent, um})
	}
	return m, nil
}

// userMessage makes the header of a submission: what the message gives, else the P-Mode, else the profile.
func (n *Node) userMessage(pm *as4.PMode, s *Submission) (*ebms.UserMessage, error) {
	um := &ebms.UserMessage{
		MessageID: s.MessageID, RefToMessageID: s.RefToMessageID, Timestamp: n.Clock().UTC(), MPC: pm.MPC,
		Service:        ebms.Service{Value: cmp.Or(s.Service, pm.Service), Type: cmp.Or(s.ServiceType, pm.ServiceType)},
		Action:         cmp.Or(s.Action, pm.Action),
		ConversationID: s.ConversationID,
	}
	if um.MessageID == "" {
		id, err := ebms.NewMessageID(n.Rand, n.Host())
		if err != nil {
			return nil, err
		}
		um.MessageID = id
	} else if !ebms.ValidMessageID(um.MessageID) {
		return nil, &RefusedError{Code: string(ebms.InvalidHeader), Text: fmt.Sprintf("%.300q is no message id", um.MessageID), Remedy: "write it as name@host without signs that mail addresses do not have, or leave it out"}
	}
	if um.ConversationID == "" && !pm.Profile.NoConversation {
		um.ConversationID = um.MessageID
	}
	if pm.Agreement != "" {
		um.Agreement = &ebms.Agreement{Value: pm.Agreement, Type: pm.AgreementType}
	}
	um.From = ebms.Party{IDs: []ebms.PartyID{{Value: pm.Initiator.ID, Type: pm.Initiator.Type}}, Role: pm.Initiator.Role}
	um.To = ebms.Party{IDs: []ebms.PartyID{{Value: pm.Responder.ID, Type: pm.Responder.Type}}, Role: pm.Responder.Role}
	if um.From.ID().Value == "" {
		um.From.IDs[0] = n.partyID()
	}
	if um.To.ID().Value == "" {
		um.To.IDs[0] = ebms.PartyID{Value: s.Receiver} // until discovery names the access point
	}
	if um.Service.Value == "" || um.Action == "" {
		return nil, &RefusedError{Code: string(ebms.ProcessingModeMismatch), Text: "service and action are neither in the message nor in the P-Mode", Remedy: "name service and action"}
	}
	for name, value := range map[string]string{ebms.PropertyOriginalSender: s.Sender, ebms.PropertyFinalRecipient: s.Receiver} {
		if value == "" {
			continue
		}
		p, err := ids.ParseParticipant(value)
		if err != nil {
			return nil, &RefusedError{Code: string(ebms.ValueInconsistent), Text: err.Error(), Remedy: "write participants as scheme::value", Err: err}
		}
		um.Properties = append(um.Properties, ebms.Property{Name: name, Value: p.Value, Type: p.Scheme})
	}
	for name, value := range s.Properties {
		um.Properties = append(um.Properties, ebms.Property{Name: name, Value: value})
	}
	sort.Slice(um.Properties, func(i, j int) bool { return rank(um.Properties[i].Name) < rank(um.Properties[j].Name) })
	return um, nil
}

// rank puts the four corner properties first and the others by name, so that a message looks the same each time.
func rank(name string) string {
	if i := slices.Index([]string{ebms.PropertyOriginalSender, ebms.PropertyFinalRecipient}, name); i >= 0 {
		return string(rune('0' + i))
	}
	return name
}

// peerKey groups messages for the limits per peer: the channel of those that are pulled, the address where it is fixed, else the receiver.
func peerKey(pm *as4.PMode, receiver string) string {
	if pm.Pull {
		return waitingPrefix + pm.Channel()
	}
	if u, err := url.Parse(pm.URL); err == nil && u.Host != "" {
		return u.Host
	}
	return receiver
}

func refusedBy(err error) error {
	var e *ebms.Error
	if errors.As(err, &e) {
		return &RefusedError{Code: string(e.Code), Text: e.Detail, Err: err}
	}
	return err
}
