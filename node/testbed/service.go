package testbed

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Queue holds what the bed has not been told yet.
const Queue = "testbed"

// Gateway is what the interface needs of a node.
type Gateway interface {
	// Begin finds the agreement by service, action and receiver, completes the header and begins a message. An
	// *ebms.Error says why the node does not take it.
	Begin(ctx context.Context, um *ebms.UserMessage) (Draft, error)
	// Header is the eb:UserMessage of a stored message.
	Header(m *store.Message) (*ebms.UserMessage, error)
	// Open gives the document of a payload, expanded.
	Open(ctx context.Context, p *store.Payload) (io.ReadCloser, error)
}

// Draft is a message that is being submitted.
type Draft interface {
	Payload(i int, mimeType string, body io.Reader) error
	Commit(ctx context.Context) (*store.Message, error)
	Close()
}

// Bed is the node's side of the interface.
type Bed struct {
	Settings
	Gateway Gateway
	Store   store.Store
	Client  *http.Client
	Clock   func() time.Time
	NewID   func() (string, error) // of answers to the bed
	Host    string                 // right side of the ids of other messages to it
	Log     *slog.Logger
}

func (b *Bed) ends() Ends { return Ends{Driver: b.DriverParty, SUT: b.Party} }

// ServeHTTP takes submissions.
func (b *Bed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", "POST")
		http.Error(w, "the driver interface takes messages by POST", http.StatusMethodNotAllowed)
		return
	}
	in, err := Decode(r.Header.Get("Content-Type"), r.Body)
	var id string
	if err == nil {
		id, err = b.submit(r.Context(), in)
	}
	io.CopyN(io.Discard, r.Body, 16<<20) // the bed shall see the answer and not a broken connection
	if errors.Is(err, ebms.ErrContentType) || errors.Is(err, ebms.ErrTooLarge) {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if err != nil {
		ref := ""
		if in != nil {
			ref = in.MessageID
		}
		b.refuse(w, ref, err)
		return
	}
	answer := &Message{RefToMessageID: in.MessageID, Action: SubmitResponse, Properties: []ebms.Property{{Name: MessageID, Value: id}}}
	if answer.MessageID, err = b.NewID(); err != nil {
		http.Error(w, "no message id could be made", http.StatusInternalServerError)
		return
	}
	contentType, _, write := answer.Encode(b.ends(), b.Clock())
	w.Header().Set("Content-Type", contentType)
	if err := write(w); err != nil {
		b.Log.Warn("answer to the test bed not written", slog.Any("err", err))
	}
}

func (b *Bed) submit(ctx context.Context, in *Incoming) (messageID string, err error) {
	if in.Action != Submit {
		return "", ebms.ValueNotRecognized.Newf("action %.200q: only %s is taken here", in.Action, Submit)
	}
	for _, p := range in.Parts {
		if p.Property(ebms.PropertyCompressionType) != "" {
			return "", ebms.ValueInconsistent.New("whether a payload is compressed is for the access point to decide")
		}
	}
	d, err := b.Gateway.Begin(ctx, in.Header())
	if err != nil {
		return "", err
	}
	defer d.Close()
	for {
		i, body, err := in.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return "", err
		}
		kind := in.Parts[i].Property(ebms.PropertyMimeType)
		if kind == "" {
			kind = body.ContentType
		}
		if err := d.Payload(i, kind, body); err != nil {
			return "", err
		}
	}
	m, err := d.Commit(ctx)
	if err != nil {
		return "", err
	}
	return m.MessageID, nil
}

// refuse answers an error signal, as little secured as everything here.
func (b *Bed) refuse(w http.ResponseWriter, ref string, err error) {
	var e *ebms.Error
	if !errors.As(err, &e) {
		e = ebms.Other.Wrap(err, err.Error())
	}
	id, idErr := b.NewID()
	if idErr != nil {
		http.Error(w, "no message id could be made", http.StatusInternalServerError)
		return
	}
	x := dom.NewWriter(nil)
	ebms.WriteEnvelope(x, &ebms.Messaging{Signals: []*ebms.Signal{ebms.NewErrorSignal(id, ref, b.Clock(), e)}}, ebms.EnvelopeIDs{}, nil)
	w.Header().Set("Content-Type", ebms.ContentTypeSOAP)
	w.Write(x.Bytes())
}

// note is the body of a task: what the bed is to be told.
type note struct {
	Action  string `json:"action"`
	Message int64  `json:"message,omitempty"` // row
	Ref     string `json:"ref,omitempty"`
	Signal  string `json:"signal,omitempty"`
	Code    string `json:"code,omitempty"`
	Short   string `json:"short,omitempty"`
	Detail  string `json:"detail,omitempty"`
}

// Changed implements the node's observer: what the bed must hear is stored in the transaction in which it happens.
func (b *Bed) Changed(tx store.Tx, message func() (*store.Message, error), to store.State) error {
	switch to {
	case store.Delivered, store.Acknowledged, store.AcknowledgedWithoutReceipt, store.Failed:
	default:
		return nil
	}
	m, err := message()
	if err != nil {
		return err
	}
	n := note{Action: Notify, Ref: m.MessageID, Signal: SignalError}
	switch {
	case m.Direction == store.In && to == store.Delivered && !m.Test:
		n = note{Action: Deliver, Message: m.ID}
	case m.Direction == store.In:
		return nil
	case to == store.Acknowledged:
		n.Signal = SignalReceipt
	default:
		n.Code, n.Short, n.Detail = m.Error.Code, ebms.Code(m.Error.Code).Name(), m.Error.Text
	}
	return b.put(tx, n)
}

// Removed implements the node's observer.
func (b *Bed) Removed(store.Tx, func() (*store.Message, error)) error { return nil }

func (b *Bed) put(tx store.Tx, n note) error {
	body, err := json.Marshal(n)
	if err != nil {
		return err
	}
	return tx.PutTask(&store.Task{Queue: Queue, Kind: n.Action, Message: n.Message, Created: b.Clock(), Body: body})
}

// Refused tells the consumer of a message that was answered with an error.
func (b *Bed) Refused(ctx context.Context, messageID string, e *ebms.Error) error {
	return b.Store.Write(context.WithoutCancel(ctx), func(tx store.Tx) error {
		return b.put(tx, note{Action: Notify, Ref: messageID, Signal: SignalError, Code: string(e.Code), Short: e.Code.Name(), Detail: e.Detail})
	})
}

// Tell does one task of the queue. An error asks for another attempt.
func (b *Bed) Tell(ctx context.Context, t *store.Task) error {
	var n note
	if err := json.Unmarshal(t.Body, &n); err != nil {
		return nil // nothing of ours
	}
	// The same at each attempt, so that a bed knows a message again that it took and a crash left here.
	id := fmt.Sprintf("%s-%d-%d@%s", strings.ToLower(n.Action), t.ID, t.Created.UnixMilli(), b.Host)
	m := &Message{MessageID: id, Action: n.Action}
	if n.Action == Notify {
		for _, p := range []ebms.Property{{Name: SignalType, Value: n.Signal}, {Name: RefToMessageID, Value: n.Ref}, {Name: ErrorCode, Value: n.Code}, {Name: ShortDesc, Value: n.Short}, {Name: Description, Value: n.Detail}} {
			if p.Value != "" {
				m.Properties = append(m.Properties, p)
			}
		}
		return b.post(ctx, m)
	}
	stored, err := b.Store.Message(ctx, n.Message)
	if errors.Is(err, store.ErrNotFound) {
		return nil // deleted meanwhile
	}
	if err != nil {
		return err
	}
	um, err := b.Gateway.Header(stored)
	if err != nil {
		return err
	}
	m = delivered(um)
	m.MessageID = id
	for i := range stored.Payloads {
		p := &stored.Payloads[i]
		body, err := b.Gateway.Open(ctx, p)
		if err != nil {
			return err
		}
		defer body.Close()
		part := Part{ID: p.ContentID, Size: p.PlainSize, Body: body}
		for _, q := range um.Parts[i].Properties {
			if q.Name != ebms.PropertyCompressionType { // the payload is expanded [AS4 3.1]
				part.Properties = append(part.Properties, q)
			}
		}
		m.Parts = append(m.Parts, part)
	}
	return b.post(ctx, m)
}

// post makes one request to the bed.
func (b *Bed) post(ctx context.Context, m *Message) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	contentType, length, write := m.Encode(b.ends(), b.Clock())
	pr, pw := io.Pipe()
	go func() { pw.CloseWithError(write(pw)) }() // ends when the transport closes the body
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, string(b.Driver), pr)
	if err != nil {
		return err
	}
	req.ContentLength = length
	req.Header.Set("Content-Type", contentType)
	resp, err := b.Client.Do(req)
	if err != nil {
		return fmt.Errorf("testbed: %s: %w", m.Action, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxEnvelope))
	if err != nil {
		return err
	}
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("testbed: %s: HTTP status %d", m.Action, resp.StatusCode)
	}
	if in, err := Decode(resp.Header.Get("Content-Type"), bytes.NewReader(answer)); err == nil { // a bed may answer anything or nothing
		for _, s := range in.Signals {
			for _, e := range s.Errors {
				if e.Severity != ebms.Warning {
					return fmt.Errorf("testbed: %s refused: %w", m.Action, e)
				}
			}
		}
	}
	return nil
}
