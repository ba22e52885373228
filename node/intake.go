package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/node/alert"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/node/trace"
)

// intake is the node's side of the AS4 receiver.
type intake struct{ n *Node }

// payload is one part on its way into the store.
type payload struct {
	w   store.PayloadWriter
	ref store.PayloadRef
	n   *Node
}

func (p payload) open() (io.ReadSeekCloser, error) {
	return p.n.Store.OpenPayload(context.Background(), p.ref)
}

type delivery struct {
	n      *Node
	parts  []payload
	in     *Incoming
	h      Handler
	domain string
}

// Begin refuses early what could not be kept.
func (i intake) Begin(ctx context.Context, um *ebms.UserMessage, pm *as4.PMode) (as4.Delivery, error) {
	arrivalOf(ctx).begin(ctx, um, pm)
	domain, h := i.n.handler(pm)
	return &delivery{n: i.n, h: h, domain: domain, parts: make([]payload, 0, len(um.Parts))}, nil
}

func (d *delivery) Payload(*ebms.PartInfo) (io.Writer, error) {
	w, err := d.n.Store.NewPayload()
	if err != nil {
		return nil, storeError(err)
	}
	d.parts = append(d.parts, payload{w: w, n: d.n})
	return busyWriter{w}, nil
}

// busyWriter marks the store's errors: they are no fault of the sender.
type busyWriter struct{ w io.Writer }

func (b busyWriter) Write(p []byte) (int, error) {
	n, err := b.w.Write(p)
	if err != nil {
		err = storeError(err)
	}
	return n, err
}

// Known answers a duplicate with the receipt that was stored with the first copy [AS4 3.2].
func (d *delivery) Known(ctx context.Context, messageID, sender string) ([]byte, error) {
	m, err := d.n.Store.ByMessageID(ctx, store.In, messageID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, storeError(err)
	}
	if m.SenderKey != sender || m.State.Dead() {
		return nil, nil
	}
	return d.n.storedReceipt(ctx, m.ID)
}

func (n *Node) storedReceipt(ctx context.Context, id int64) ([]byte, error) {
	evidence, err := n.Store.Evidence(ctx, id)
	if err != nil {
		return nil, storeError(err)
	}
	for _, e := range evidence {
		if e.Kind == store.KindReceipt {
			n.metrics.duplicates.Inc()
			return e.Octets, nil
		}
	}
	return nil, ebms.Other.New("the receipt of the first copy is not stored any more")
}

// Check seals the payloads and lets the domain judge them.
func (d *delivery) Check(ctx context.Context, r *as4.Received) error {
	arrivalOf(ctx).step("check")
	if err := d.seal(r); err != nil {
		return err
	}
	return d.h.Accept(ctx, d.in)
}

func (d *delivery) seal(r *as4.Received) error {
	um := r.Message
	m := &store.Message{
		Direction: store.In, State: store.Received, MessageID: um.MessageID, ConversationID: um.ConversationID,
		RefToMessageID: um.RefToMessageID, SenderKey: r.Sender, Domain: d.domain, PMode: r.PMode.ID, Profile: r.PMode.Profile.Name,
		From: um.From.ID().Value, To: um.To.ID().Value, Service: um.Service.Value, ServiceType: um.Service.Type, Action: um.Action,
		Test: r.Test, Peer: um.From.ID().Value, Created: r.At,
		Sender: corner(um, ebms.PropertyOriginalSender), Receiver: corner(um, ebms.PropertyFinalRecipient),
	}
	for i := range d.parts {
		p := &d.parts[i]
		var err error
		if p.ref, err = p.w.Seal(); err != nil {
			return storeError(err)
		}
		info := &um.Parts[i]
		cid, _ := info.ContentID()
		mime, ok := info.Property(ebms.PropertyMimeType)
		if !ok {
			mime = "application/octet-stream"
		}
		name, _ := info.Property("PayloadName")
		m.Payloads = append(m.Payloads, store.Payload{ContentID: cid, MimeType: mime, Name: name, PlainSize: p.ref.Size, PayloadRef: p.ref})
	}
	d.in = &Incoming{Received: r, Stored: m, parts: d.parts}
	return nil
}

// corner is a four corner property as "scheme::value".
func corner(um *ebms.UserMessage, name string) string {
	for _, p := range um.Properties {
		if p.Name == name && p.Type != "" {
			return p.Type + "::" + p.Value
		} else if p.Name == name {
			return p.Value
		}
	}
	return ""
}

// Commit makes message and receipt durable together; only then may the receipt leave. Of two copies that arrive at
// once the quicker one wins, and both are answered with its receipt.
func (d *delivery) Commit(ctx context.Context, r *as4.Received, header, receipt []byte) ([]byte, error) {
	if d.in == nil { // test service: nothing was checked
		if err := d.seal(r); err != nil {
			return nil, err
		}
	}
	arrivalOf(ctx).step("store")
	m := d.in.Stored
	m.Header = header
	if r.Test {
		m.State = store.Confirmed
	} else if a, ok := d.h.(Answerer); !d.h.Waits() && !(ok && a.Answers(m)) {
		m.State = store.Delivered
	}
	err := d.n.Store.Write(ctx, func(tx store.Tx) error {
		if err := tx.Insert(m); err != nil {
			return err
		}
		if err := tx.PutEvidence(m.ID, store.Evidence{Kind: store.KindReceipt, Time: r.At, Octets: receipt}); err != nil {
			return err
		}
		if err := tx.Label(m.ID, d.in.Labels...); err != nil {
			return err
		}
		if err := d.n.markCopy(tx, m, r.Message.Timestamp); err != nil {
			return err
		}
		return d.once(tx, m)
	})
	var dup *store.DuplicateError
	if errors.As(err, &dup) {
		return d.n.storedReceipt(ctx, dup.ID)
	}
	if err != nil {
		return nil, storeError(err)
	}
	d.n.metrics.received.Inc()
	d.n.changed(m, m.State)
	if d.n.Log.Enabled(ctx, slog.LevelInfo) {
		d.n.Log.LogAttrs(ctx, slog.LevelInfo, "message received", slog.String("msgid", m.MessageID), slog.String("peer", m.From),
			slog.String("pmode", m.PMode), slog.String("domain", m.Domain))
	}
	return receipt, nil
}

// once keeps a document that came before, in a message of another id, from being delivered again.
func (d *delivery) once(tx store.Tx, m *store.Message) error {
	if d.in.Once == "" {
		return nil
	}
	first, err := tx.Once(d.in.Once, m.ID)
	if err != nil || first == m.ID {
		return err
	}
	p := store.Problem{Code: "DUPLICATE", Text: fmt.Sprintf("duplicate of message %d: the sender sent the same document under another message id", first),
		Remedy: "nothing to do: it was acknowledged and not delivered again"}
	m.State, m.Error = store.Confirmed, p
	d.n.metrics.duplicates.Inc()
	return tx.Transition(m.ID, store.Confirmed, store.Change{Time: d.n.Clock(), Detail: fmt.Sprintf("duplicate of message %d", first), Error: p})
}

func (d *delivery) Close() {
	for _, p := range d.parts {
		p.w.Close()
	}
}

// storeError keeps the peer from giving up: what the store cannot do now, it may do later.
func storeError(err error) error {
	return errors.Join(as4.ErrBusy, err)
}

// deliver hands one received message to its domain.
func (n *Node) deliver(ctx context.Context, j job) (told func()) {
	m := j.Message
	h := n.handlerOf(m)
	ctx, span := n.trace.Message(ctx, "deliver", trace.Internal, m.MessageID)
	err := h.Deliver(ctx, m)
	done(describeSpan(span, m), err)
	if err != nil && ctx.Err() != nil {
		return nil
	}
	var refused *RejectedError
	if errors.As(err, &refused) && refused.Untold != "" {
		refused.Problem.Text += " The sender was not told: " + refused.Untold + "."
	}
	now := n.Clock()
	werr := n.keep(ctx, "delivery of "+m.MessageID, func(tx store.Tx) error {
		if err == nil {
			return tx.Transition(m.ID, store.Delivered, store.Change{Time: now, Owner: m.LeaseOwner})
		}
		if refused != nil {
			return tx.Transition(m.ID, store.Rejected, store.Change{Time: now, Owner: m.LeaseOwner, Error: refused.Problem, Detail: refused.Problem.Text})
		}
		p := problem(err)
		if next, ok := n.retry.Next(m.Attempts, now); ok {
			return tx.Transition(m.ID, store.Retrying, store.Change{Time: now, Owner: m.LeaseOwner, Next: next, Error: p, Detail: err.Error()})
		}
		return tx.Transition(m.ID, store.Failed, store.Change{Time: now, Owner: m.LeaseOwner, Error: p, Detail: err.Error()})
	})
	switch {
	case werr != nil:
		n.Log.Error("delivery not recorded", slog.String("msgid", m.MessageID), slog.Any("err", werr))
	case err == nil:
		return func() { n.changed(m, store.Delivered) }
	case refused != nil:
		n.Log.LogAttrs(ctx, slog.LevelWarn, "message rejected", slog.String("msgid", m.MessageID), slog.String("domain", m.Domain), slog.String("code", refused.Problem.Code))
		if refused.Untold != "" {
			n.alerts.note(alert.Untold, about(m))
		}
		return func() { n.changed(m, store.Rejected) }
	default:
		n.in.wake()
		n.Log.Warn("delivery failed", slog.String("msgid", m.MessageID), slog.String("domain", m.Domain), slog.Any("err", err))
	}
	return nil
}
