package node

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/edelivery/pmode"
	"github.com/viadukt-eu/viadukt/node/alert"
	"github.com/viadukt-eu/viadukt/node/backoffice"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// loadBackoffice makes the interfaces for back offices that were built for another gateway, nil without their section.
func (n *Node) loadBackoffice() (*backoffice.Service, error) {
	section := n.Config.Backoffice
	if section.IsZero() {
		return nil, nil
	}
	var settings backoffice.Settings
	if err := config.Decode(section, &settings); err != nil {
		return nil, err
	}
	s, err := backoffice.New(backoffice.Options{
		Settings: settings, Gateway: backend{n}, Store: n.Store, Clock: n.Clock, Log: n.Log, Ready: n.taskReady, Version: Version, Trace: n.trace,
		Refused: func() { n.alerts.note(alert.LoginRefused, "backoffice") },
		Listen:  string(n.Config.API.Listen), MaxBody: int64(n.Config.AS4.Limits.Message) / 2 * 3, // base64 and room for the rest
	})
	if err != nil {
		return nil, err
	}
	n.observers = append(n.observers, s)
	return s, nil
}

// backend is the node as these interfaces see it.
type backend struct{ n *Node }

// Refusal gives the reason to interfaces that have their own words for it.
func (e *RefusedError) Refusal() (code, text string) { return e.Code, e.Text }

// Begin implements backoffice.Gateway.
func (b backend) Begin(_ context.Context, sub *backoffice.Submitted) (backoffice.Draft, error) {
	um := &sub.UserMessage
	pm, err := b.match(um, sub.Pull)
	if err != nil {
		return nil, err
	}
	um.Timestamp = b.n.Clock().UTC()
	um.MPC = cmp.Or(um.MPC, pm.MPC)
	if um.MessageID == "" {
		if um.MessageID, err = ebms.NewMessageID(b.n.Rand, b.n.Host()); err != nil {
			return nil, err
		}
	}
	if um.ConversationID == "" {
		if um.ConversationID, err = ebms.NewConversationID(b.n.Rand); err != nil {
			return nil, err
		}
	}
	if um.Agreement == nil && pm.Agreement != "" {
		um.Agreement = &ebms.Agreement{Value: pm.Agreement, Type: pm.AgreementType}
	}
	return &draft{n: b.n, pm: pm, um: um, parts: um.Parts, payloads: make([]*Payload, len(um.Parts))}, nil
}

// match finds the agreement to send by.
func (b backend) match(um *ebms.UserMessage, pull bool) (*as4.PMode, error) {
	table := b.n.pmodes.Load().out
	ours := false
	for _, m := range table.All() {
		us := m.Initiator
		if us.ID == "" {
			us.ID, us.Type = b.n.partyID().Value, b.n.partyID().Type
		}
		ours = ours || strings.EqualFold(us.ID, um.From.ID().Value) && strings.EqualFold(us.Type, um.From.ID().Type)
	}
	if !ours {
		return nil, ebms.ProcessingModeMismatch.Newf("the party %.300q is not this access point: it cannot send", um.From.ID().Value)
	}
	if len(um.To.IDs) > 0 {
		pm, err := table.Match(um)
		if err == nil && pull && !pm.Pull {
			return nil, ebms.ProcessingModeMismatch.New("the agreement does not let the receiver fetch messages")
		}
		return pm, err
	}
	// The receiver is found by discovery: any agreement that leaves it open, once it is put in.
	for _, m := range table.All() {
		if m.URL != "" || m.Responder.ID != "" || m.Pull {
			continue
		}
		found := *um
		found.To = ebms.Party{IDs: []ebms.PartyID{{Value: corner(um, ebms.PropertyFinalRecipient)}}, Role: m.Responder.Role}
		if pm, err := table.Match(&found); err == nil && pm == m {
			um.To = found.To
			return pm, nil
		}
	}
	return nil, ebms.ProcessingModeMismatch.New("the message names no receiving party, and no agreement finds one for it")
}

// draft is a message on its way into the store.
type draft struct {
	n        *Node
	pm       *as4.PMode
	um       *ebms.UserMessage
	parts    []ebms.PartInfo
	payloads []*Payload
}

// Payload implements backoffice.Draft.
func (d *draft) Payload(i int, mimeType string, body io.Reader) error {
	p, err := d.n.NewPayload(d.pm, mimeType, func(w io.Writer) error { _, err := io.Copy(w, body); return err })
	if err != nil {
		return err
	}
	part := &d.parts[i]
	if id, ok := part.ContentID(); ok {
		p.ContentID = id
	} else {
		p.ContentID = strings.TrimPrefix(part.Href, "#")
	}
	for _, prop := range part.Properties {
		if !strings.EqualFold(prop.Name, ebms.PropertyMimeType) {
			p.Properties = append(p.Properties, prop)
		}
	}
	p.Name, _ = part.Property("PayloadName")
	d.payloads[i] = p
	return nil
}

// Commit implements backoffice.Draft.
func (d *draft) Commit(ctx context.Context) (*store.Message, error) {
	for _, p := range d.payloads {
		if p == nil {
			return nil, ebms.ExternalPayloadError.New("a payload is missing")
		}
	}
	um := *d.um
	um.Parts = nil // they are written anew, from what was stored
	s := &Submission{Domain: d.n.pmodes.Load().domain[d.pm.ID], Sender: corner(&um, ebms.PropertyOriginalSender), Receiver: corner(&um, ebms.PropertyFinalRecipient)}
	m, err := d.n.put(ctx, d.pm, &um, s, d.payloads)
	d.Close()
	return m, err
}

// Close implements backoffice.Draft.
func (d *draft) Close() {
	for _, p := range d.payloads {
		if p != nil {
			p.Writer.Close()
		}
	}
	d.payloads = nil
}

// Open implements backoffice.Gateway.
func (b backend) Open(ctx context.Context, p *store.Payload) (io.ReadCloser, error) {
	return b.n.OpenDocument(ctx, p)
}

// Header implements backoffice.Gateway.
func (b backend) Header(m *store.Message) (*ebms.UserMessage, error) {
	if m.Direction == store.Out {
		return storedHeader(m)
	}
	env, err := ebms.ParseEnvelope(bytes.Clone(m.Header), dom.Limits{}) // of what came, the whole envelope is kept
	if err != nil {
		return nil, err
	}
	msg, err := ebms.ParseMessaging(env.Messaging, ebms.DefaultQuirks())
	if err != nil {
		return nil, err
	}
	if msg.UserMessage() == nil {
		return nil, errors.New("node: the stored envelope holds no message")
	}
	return msg.UserMessage(), nil
}

// Fetched implements backoffice.Gateway.
func (b backend) Fetched(m *store.Message) bool { return strings.HasPrefix(m.Peer, waitingPrefix) }

// Trusted implements backoffice.Gateway.
func (b backend) Trusted(ctx context.Context, tls bool) (list []backoffice.Trusted, err error) {
	kind := trustStore(tls)
	entries, err := b.n.TrustEntries(ctx, kind)
	if err != nil {
		return nil, err
	}
	named := map[[32]byte]bool{}
	for _, e := range entries {
		named[e.Certificate.Fingerprint()] = true
		list = append(list, backoffice.Trusted{Name: e.Alias, Certificate: e.Certificate})
	}
	for _, a := range b.n.trust().Anchors {
		if named[a.Certificate.Fingerprint()] || !slices.Contains(a.Purposes, kind.purpose()) {
			continue
		}
		list = append(list, backoffice.Trusted{Name: a.Certificate.Subject.CommonName(), Certificate: a.Certificate})
	}
	if tls {
		return list, nil
	}
	seen := named
	for _, m := range b.n.pmodes.Load().out.All() {
		for _, c := range m.Certificates {
			if f := c.Fingerprint(); !seen[f] {
				seen[f] = true
				list = append(list, backoffice.Trusted{Name: m.Responder.ID, Certificate: c})
			}
		}
	}
	return list, nil
}

func trustStore(tls bool) TrustStore {
	if tls {
		return TrustTLS
	}
	return TrustMessages
}

// Trust implements backoffice.Gateway.
func (b backend) Trust(ctx context.Context, tls bool, t backoffice.Trusted) error {
	return refusedUpload(b.n.PutTrust(ctx, trustStore(tls), t.Name, t.Certificate))
}

// Distrust implements backoffice.Gateway.
func (b backend) Distrust(ctx context.Context, tls bool, alias string) error {
	return b.n.DropTrust(ctx, trustStore(tls), alias)
}

// TrustOnly implements backoffice.Gateway.
func (b backend) TrustOnly(ctx context.Context, tls bool, list []backoffice.Trusted) error {
	return refusedUpload(b.n.ChangeTrust(ctx, trustStore(tls), "truststore.replace", string(trustStore(tls)), func([]TrustEntry) (out []TrustEntry, err error) {
		for _, t := range list {
			out = append(out, TrustEntry{t.Name, t.Certificate.Raw, t.Certificate})
		}
		return out, nil
	}))
}

// refusedUpload tells a refusal from what could not be done.
func refusedUpload(err error) error {
	if issues := importIssues(err); issues != nil {
		return &backoffice.UploadError{Issues: issues}
	}
	return err
}

// PModeFiles implements backoffice.Gateway.
func (b backend) PModeFiles(ctx context.Context) (out []backoffice.PModeFile, err error) {
	list, err := b.n.PModeFiles(ctx)
	for _, f := range list {
		out = append(out, backoffice.PModeFile{ID: f.ID, Time: f.Time, User: f.Actor, Description: f.Description})
	}
	return out, err
}

// PModeFile implements backoffice.Gateway.
func (b backend) PModeFile(ctx context.Context, id int64) ([]byte, error) {
	return b.n.PModeFileOctets(ctx, id)
}

// UploadPModes implements backoffice.Gateway.
func (b backend) UploadPModes(ctx context.Context, name, description string, octets []byte) ([]string, error) {
	plan, _, err := b.n.ImportPModes(ctx, name, description, octets)
	if err == nil {
		return append(plan.Warnings, plan.NotServed...), nil
	}
	if issues := importIssues(err); issues != nil {
		return nil, &backoffice.UploadError{Issues: issues}
	}
	return nil, err
}

// importIssues are the reasons why a file is refused, nil for errors that are no refusal.
func importIssues(err error) (out []string) {
	var ps pmode.Problems
	var cs config.Problems
	var refused *RefusedError
	switch {
	case errors.As(err, &ps):
		for _, p := range ps {
			out = append(out, p.Error())
		}
	case errors.As(err, &cs):
		for _, p := range cs {
			out = append(out, p.Error())
		}
	case errors.As(err, &refused):
		out = append(out, refused.Text)
	case errors.Is(err, ErrImport):
		out = append(out, err.Error())
	}
	return out
}

// Resend implements backoffice.Gateway.
func (b backend) Resend(ctx context.Context, id int64) error {
	return messages{b.n}.Resend(ctx, id, "request")
}
