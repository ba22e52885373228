package backoffice

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// rule is a Push with its schedule.
type rule struct {
	Push
	again retry
}

func loadRules(list []Push) (out []rule, err error) {
	for _, p := range list {
		r := rule{Push: p}
		if r.again, err = parseRetry(p.Retry); err != nil {
			return nil, fmt.Errorf("backoffice: push rule %q: %w", p.Name, err)
		}
		out = append(out, r)
	}
	return out, nil
}

// pushNames are the requests that carry nothing but a message id.
var pushNames = map[string]string{
	"RECEIVE_SUCCESS": "receiveSuccess", "RECEIVE_FAIL": "receiveFailure", "SEND_SUCCESS": "sendSuccess", "SEND_FAILURE": "sendFailure", "DELETED": "delete",
}

// push tells a back office one thing.
func (s *Service) push(ctx context.Context, t store.Task) (again retry, err error) {
	var n note
	if err := json.Unmarshal(t.Body, &n); err != nil {
		return again, errDead{err}
	}
	i := slices.IndexFunc(s.rules, func(r rule) bool { return r.Name == n.Rule })
	if i < 0 {
		return again, errDead{fmt.Errorf("backoffice: push rule %q is not configured any more", n.Rule)}
	}
	r := &s.rules[i]
	if n.Type == "SUBMIT_MESSAGE" {
		return r.again, s.pushMessage(ctx, r, t)
	}
	x := dom.NewWriter(make([]byte, 0, 512))
	x.Start("S12:Envelope", "xmlns:S12", ebms.NSSOAP)
	x.Start("S12:Body")
	switch n.Type {
	case "MESSAGE_STATUS_CHANGE":
		x.Start("w:messageStatusChange", "xmlns:w", nsPush)
		x.Element("messageID", n.MessageID)
		x.Element("messageStatus", n.Status)
	case "DELETED_BATCH":
		x.Start("w:deleteBatch", "xmlns:w", nsPush)
		x.Element("messageIds", n.MessageID)
	default:
		x.Start("w:"+pushNames[n.Type], "xmlns:w", nsPush)
		x.Element("messageID", n.MessageID)
	}
	x.End()
	x.End()
	x.End()
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return r.again, s.post(ctx, r, bytes.NewReader(x.Bytes()))
}

// pushMessage hands a whole message over, its payloads streamed.
func (s *Service) pushMessage(ctx context.Context, r *rule, t store.Task) error {
	m, err := s.Store.Message(ctx, t.Message)
	if err != nil {
		return gone(err)
	}
	if m.State == store.Confirmed {
		return nil // the back office fetched it by itself
	}
	um, err := s.Gateway.Header(m)
	if err != nil {
		return errDead{err}
	}
	bodies, err := s.openAll(ctx, m)
	if err != nil {
		return gone(err)
	}
	defer closeAll(bodies)
	x := dom.NewWriter(make([]byte, 0, 4<<10))
	x.Start("d:Messaging", "xmlns:d", nsPush)
	writeUserMessage(x, "", um, s.Clock()) // what is in it has no namespace in that contract
	x.End()
	out := answerWriter{ns: nsPush, wrapper: "submitRequest", header: x.Bytes(), parts: um.Parts, bodies: bodies, push: true}
	read, write := io.Pipe()
	written := make(chan struct{})
	go func() {
		defer close(written)
		write.CloseWithError(out.inline(write, func() error { return nil }))
	}()
	err = s.post(ctx, r, read)
	read.CloseWithError(err) // so that the writer ends when the back office did not take all
	<-written
	if err != nil || r.KeepPending {
		return err
	}
	return s.downloaded(ctx, m)
}

// gone gives up what cannot come back.
func gone(err error) error {
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrGone) {
		return errDead{err}
	}
	return err
}

// answerMax is how much of an answer is looked at for a fault.
const answerMax = 64 << 10

// post sends an envelope. Any answer without a fault is a success.
func (s *Service) post(ctx context.Context, r *rule, body io.Reader) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, string(r.Endpoint), body)
	if err != nil {
		return errDead{err}
	}
	req.Header.Set("Content-Type", soapType+`; charset=UTF-8; action=""`)
	req.Header.Set("User-Agent", "Viadukt/"+s.Version)
	resp, err := s.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, answerMax))
	if err != nil {
		return err
	}
	if doc, err := dom.Parse(b, dom.Limits{Bytes: answerMax, Depth: depthMax, Nodes: 10_000}); err == nil {
		if f := doc.Root().Child(ebms.NSSOAP, "Body").Child(ebms.NSSOAP, "Fault"); f.Valid() {
			return fmt.Errorf("backoffice: the back office answers: %.300s", f.Child(ebms.NSSOAP, "Reason").TrimmedText())
		}
	}
	return problemOf(resp)
}

// failed lists the notices that were given up.
func (s *Service) failed(ctx context.Context) (out []store.Task, notes []note, err error) {
	for _, r := range s.rules {
		for after := int64(0); ; {
			list, err := s.Store.DeadTasks(ctx, queuePush+r.Name, after, 500)
			if err != nil {
				return nil, nil, err
			}
			if len(list) == 0 {
				break
			}
			for _, t := range list {
				after = t.ID
				var n note
				if json.Unmarshal(t.Body, &n) == nil {
					out, notes = append(out, t), append(notes, n)
				}
			}
		}
	}
	return out, notes, nil
}

// listPushFailed answers listPushFailedMessages.
func (c *call) listPushFailed(ctx context.Context, w http.ResponseWriter) error {
	tasks, notes, err := c.s.failed(ctx)
	if err != nil {
		return err
	}
	wants, err := c.filter()
	if err != nil {
		return err
	}
	var ids []string
	for i, n := range notes {
		if slices.Contains(ids, n.MessageID) {
			continue
		}
		m, err := c.s.Store.Message(ctx, tasks[i].Message)
		switch {
		case errors.Is(err, store.ErrNotFound):
			m = &store.Message{MessageID: n.MessageID} // only those who see everything hear of it
		case err != nil:
			return err
		}
		if wants.admits(m) && (wants.ID == "" || wants.ID == n.MessageID) && c.sees(m) {
			ids = append(ids, n.MessageID)
		}
	}
	return answer(w, func(x *dom.Writer) {
		x.Start("w:listPushFailedMessagesResponse", "xmlns:w", c.ns)
		for _, id := range ids {
			x.Element("messageID", id)
		}
		x.End()
	})
}

// sees reports whether the caller may know of a message: its sender where it was sent here, else its recipient.
func (c *call) sees(m *store.Message) bool {
	if m.Direction == store.Out {
		return c.caller.sees(m.Sender)
	}
	return c.caller.sees(m.Receiver)
}

const rePushMax = 100

// rePush answers rePushFailedMessages.
func (c *call) rePush(ctx context.Context, w http.ResponseWriter) error {
	var ids []string
	for e := range c.op.Elements() {
		if e.Is("", "messageID") {
			ids = append(ids, e.TrimmedText())
		}
	}
	switch {
	case len(ids) == 0 || slices.Contains(ids, ""):
		return newFault(codeInvalid, "messageID is empty")
	case len(ids) > rePushMax:
		return newFault(codeInvalid, fmt.Sprintf("at most %d messages at once", rePushMax))
	}
	tasks, notes, err := c.s.failed(ctx)
	if err != nil {
		return err
	}
	var again []store.Task
	for _, id := range ids {
		found := false
		for i, n := range notes {
			if n.MessageID != id {
				continue
			}
			m, err := c.s.Store.Message(ctx, tasks[i].Message)
			if errors.Is(err, store.ErrNotFound) {
				continue // nothing is left to push
			}
			if err != nil {
				return err
			}
			if c.sees(m) {
				again, found = append(again, tasks[i]), true
			}
		}
		if !found {
			return noMessage(id)
		}
	}
	now := c.s.Clock()
	err = c.s.Store.Write(ctx, func(tx store.Tx) error {
		for _, t := range again {
			t.Dead, t.Attempts, t.Due = false, 0, now
			if err := ignoreAbsent(tx.PutTask(&t)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return answer(w, func(*dom.Writer) {}) // the contract has no element for it
}
