// Package client lets Go programs work with a Viadukt node: hand messages over, follow them, fetch what arrived.
//
// It speaks the node's REST interface and depends on nothing but the standard library. Payloads pass through as
// streams, in both directions. Every call takes a context and ends with it.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"mime"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Client calls one node. It may be used by many goroutines.
type Client struct {
	// Address of the node's interface, for example "http://127.0.0.1:8480".
	Address string
	// Token that the node's configuration allows.
	Token string
	// HTTP makes the calls; nil is http.DefaultClient. A time-out of its own would end large payloads and [Client.Events].
	HTTP *http.Client
}

// New returns a client of the node at an address.
func New(address, token string) *Client { return &Client{Address: address, Token: token} }

// Error is what the node refuses a call with.
type Error struct {
	Status int    `json:"-"` // of HTTP
	Code   string `json:"code"`
	Text   string `json:"text"`
	Where  string `json:"where"`
	Remedy string `json:"remedy"`
}

func (e *Error) Error() string {
	s := fmt.Sprintf("client: %s: %s", e.Code, e.Text)
	if e.Remedy != "" {
		s += " (" + e.Remedy + ")"
	}
	return s
}

// Temporary reports whether the same call may succeed later.
func (e *Error) Temporary() bool { return e.Status >= 500 }

// Is lets errors.Is find the kinds of refusal.
func (e *Error) Is(target error) bool {
	return target == ErrNotFound && e.Status == http.StatusNotFound || target == ErrDuplicate && e.Code == "DUPLICATE" || target == ErrGone && e.Status == http.StatusGone
}

var (
	// ErrNotFound: the node knows no such message.
	ErrNotFound = errors.New("client: not found")
	// ErrDuplicate: a message with this id is stored already. For a call that is repeated it means success.
	ErrDuplicate = errors.New("client: duplicate message")
	// ErrGone: the octets of the payload were deleted.
	ErrGone = errors.New("client: payload deleted")
)

// State is where a message stands.
type State string

// States of messages that go out, then of those that come in, then of both.
const (
	Accepted                   State = "accepted"
	Queued                     State = "queued"
	Sending                    State = "sending"
	Sent                       State = "sent"
	Acknowledged               State = "acknowledged"
	AcknowledgedWithoutReceipt State = "acknowledged_without_receipt"
	Received                   State = "received"
	Delivered                  State = "delivered"
	Confirmed                  State = "confirmed"
	Retrying                   State = "retrying"
	Failed                     State = "failed"
	Rejected                   State = "rejected"
)

// Settled reports whether nothing more happens to a message in this state by itself.
func (s State) Settled() bool {
	switch s {
	case Acknowledged, AcknowledgedWithoutReceipt, Delivered, Confirmed, Failed, Rejected:
		return true
	}
	return false
}

// Message is one message of the node.
type Message struct {
	ID             int64      `json:"id"`
	MessageID      string     `json:"messageId"`
	ConversationID string     `json:"conversationId"`
	RefToMessageID string     `json:"refToMessageId"`
	State          State      `json:"state"`
	Direction      string     `json:"direction"` // "in" or "out"
	Domain         string     `json:"domain"`
	PMode          string     `json:"pmode"`
	From           string     `json:"from"`
	To             string     `json:"to"`
	Sender         string     `json:"sender"`
	Receiver       string     `json:"receiver"`
	Service        string     `json:"service"`
	Action         string     `json:"action"`
	Attempts       int        `json:"attempts"`
	NextAttempt    *time.Time `json:"nextAttempt"`
	Created        time.Time  `json:"created"`
	Updated        time.Time  `json:"updated"`
	Error          *Problem   `json:"error"`
	Payloads       []Payload  `json:"payloads"`
	Events         []Change   `json:"events"`   // of Get only
	Evidence       []Evidence `json:"evidence"` // of Get only
}

// Problem is why a message failed, waits or was refused.
type Problem struct {
	Code   string `json:"code"`
	Text   string `json:"text"`
	Remedy string `json:"remedy"`
}

// Payload describes one payload. Size is of the stored octets, PlainSize before compression.
type Payload struct {
	ContentID string `json:"contentId"`
	MimeType  string `json:"mimeType"`
	Name      string `json:"name"`
	Size      int64  `json:"size"`
	PlainSize int64  `json:"plainSize"`
	SHA256    string `json:"sha256"`
}

// Change is one change in the life of a message.
type Change struct {
	Time    time.Time `json:"time"`
	State   State     `json:"state"`
	Attempt int       `json:"attempt"`
	Detail  string    `json:"detail"`
}

// Evidence is one piece of evidence.
type Evidence struct {
	Kind   string    `json:"kind"`
	Time   time.Time `json:"time"`
	SHA256 string    `json:"sha256"`
	Size   int       `json:"size"`
}

// Submission is what the node has to know of a message. What is left empty is found out from the document, the
// agreement or the configuration.
type Submission struct {
	Domain         string            `json:"domain,omitempty"`
	PMode          string            `json:"pmode,omitempty"`
	Sender         string            `json:"sender,omitempty"`   // "scheme::value"
	Receiver       string            `json:"receiver,omitempty"` // "scheme::value"
	Country        string            `json:"country,omitempty"`
	Service        string            `json:"service,omitempty"`
	ServiceType    string            `json:"serviceType,omitempty"`
	Action         string            `json:"action,omitempty"`
	ConversationID string            `json:"conversationId,omitempty"`
	RefToMessageID string            `json:"refToMessageId,omitempty"`
	MessageID      string            `json:"messageId,omitempty"` // of your own: a repeated call is then ErrDuplicate
	Properties     map[string]string `json:"properties,omitempty"`
}

// Part is one payload to send. Body is read once.
type Part struct {
	Name      string // file name
	MimeType  string // empty: application/octet-stream
	ContentID string // empty: made by the node
	Body      io.Reader
}

// Send hands a message over. It returns once the node has it on stable storage, not when it has arrived: see [Client.Wait].
func (c *Client) Send(ctx context.Context, s Submission, parts ...Part) (*Message, error) {
	r, w := io.Pipe()
	form := multipart.NewWriter(w)
	written := make(chan struct{})
	go func() {
		defer close(written)
		w.CloseWithError(writeForm(form, s, parts))
	}()
	var m Message
	err := c.call(ctx, http.MethodPost, "/messages", form.FormDataContentType(), r, &m)
	r.CloseWithError(errors.New("client: the node answered before it had taken all"))
	<-written
	if err != nil {
		return nil, err
	}
	return &m, nil
}

func writeForm(form *multipart.Writer, s Submission, parts []Part) error {
	h := textproto.MIMEHeader{"Content-Disposition": {`form-data; name="message"`}, "Content-Type": {"application/json"}}
	w, err := form.CreatePart(h)
	if err != nil {
		return err
	}
	if err := json.NewEncoder(w).Encode(s); err != nil {
		return err
	}
	for _, p := range parts {
		params := map[string]string{"name": "payload"}
		if p.Name != "" {
			params["filename"] = p.Name
		}
		mimeType := p.MimeType
		if mimeType == "" {
			mimeType = "application/octet-stream"
		}
		h := textproto.MIMEHeader{"Content-Disposition": {mime.FormatMediaType("form-data", params)}, "Content-Type": {mimeType}}
		if p.ContentID != "" {
			h.Set("Content-Id", "<"+p.ContentID+">")
		}
		for _, values := range h {
			if strings.ContainsAny(values[0], "\r\n") {
				return fmt.Errorf("client: %q does not fit in a header", values[0])
			}
		}
		if w, err = form.CreatePart(h); err != nil {
			return err
		}
		if _, err := io.Copy(w, p.Body); err != nil {
			return err
		}
	}
	return form.Close()
}

// Get returns one message with its events and evidence. id is the number or the message id.
func (c *Client) Get(ctx context.Context, id string) (*Message, error) {
	var m Message
	if err := c.call(ctx, http.MethodGet, "/messages/"+url.PathEscape(id), "", nil, &m); err != nil {
		return nil, err
	}
	return &m, nil
}

// Filter selects messages; the zero value selects all.
type Filter struct {
	Direction      string // "in" or "out"
	States         []State
	Domain         string
	MessageID      string
	ConversationID string
	PMode          string
	Party          string // who sends or receives
	Participant    string // original sender or final recipient
	Service        string
	Action         string
}

func (f Filter) query() url.Values {
	q := url.Values{}
	for name, v := range map[string]string{"direction": f.Direction, "domain": f.Domain, "messageId": f.MessageID, "conversationId": f.ConversationID,
		"pmode": f.PMode, "party": f.Party, "participant": f.Participant, "service": f.Service, "action": f.Action} {
		if v != "" {
			q.Set(name, v)
		}
	}
	for _, s := range f.States {
		q.Add("state", string(s))
	}
	return q
}

// List goes through messages, newest first, a page at a time. An error ends it.
func (c *Client) List(ctx context.Context, f Filter) iter.Seq2[*Message, error] {
	return func(yield func(*Message, error) bool) {
		q := f.query()
		q.Set("limit", "200")
		for {
			var page struct {
				Messages []*Message `json:"messages"`
				Next     int64      `json:"next"`
			}
			if err := c.call(ctx, http.MethodGet, "/messages?"+q.Encode(), "", nil, &page); err != nil {
				yield(nil, err)
				return
			}
			for _, m := range page.Messages {
				if !yield(m, nil) {
					return
				}
			}
			if page.Next == 0 {
				return
			}
			q.Set("before", strconv.FormatInt(page.Next, 10))
		}
	}
}

// Document is a payload being read.
type Document struct {
	io.ReadCloser
	Name     string // a file name
	MimeType string
}

// Payload opens the n-th payload of a message, counted from 0, out of its envelope. The caller closes it.
func (c *Client) Payload(ctx context.Context, id string, n int) (*Document, error) {
	resp, err := c.do(ctx, http.MethodGet, fmt.Sprintf("/messages/%s/payloads/%d", url.PathEscape(id), n), "", nil, nil)
	if err != nil {
		return nil, err
	}
	d := &Document{ReadCloser: resp.Body, MimeType: resp.Header.Get("Content-Type")}
	if _, params, err := mime.ParseMediaType(resp.Header.Get("Content-Disposition")); err == nil {
		d.Name = params["filename"]
	}
	return d, nil
}

// EvidenceOctets returns the n-th piece of evidence of a message, counted from 0, as it was on the wire.
func (c *Client) EvidenceOctets(ctx context.Context, id string, n int) ([]byte, error) {
	resp, err := c.do(ctx, http.MethodGet, fmt.Sprintf("/messages/%s/evidence/%d", url.PathEscape(id), n), "", nil, nil)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return io.ReadAll(resp.Body)
}

// Resend starts a failed message again.
func (c *Client) Resend(ctx context.Context, id string) (*Message, error) {
	return c.act(ctx, id, "resend")
}

// Confirm says that the back office has a message that arrived.
func (c *Client) Confirm(ctx context.Context, id string) (*Message, error) {
	return c.act(ctx, id, "confirm")
}

func (c *Client) act(ctx context.Context, id, verb string) (*Message, error) {
	var m Message
	if err := c.call(ctx, http.MethodPost, "/messages/"+url.PathEscape(id)+"/"+verb, "", nil, &m); err != nil {
		return nil, err
	}
	return &m, nil
}

// call makes one call with a JSON answer.
func (c *Client) call(ctx context.Context, method, path, contentType string, body io.Reader, into any) error {
	resp, err := c.do(ctx, method, path, contentType, body, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(io.LimitReader(resp.Body, answerMax)).Decode(into); err != nil {
		return fmt.Errorf("client: %s %s: answer: %w", method, path, err)
	}
	return nil
}

const answerMax = 64 << 20

// do makes one call; an answer that is no success becomes an *Error.
func (c *Client) do(ctx context.Context, method, path, contentType string, body io.Reader, header http.Header) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(c.Address, "/")+"/api/v1"+path, body)
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	for k, v := range header {
		req.Header[k] = v
	}
	req.Header.Set("Authorization", "Bearer "+c.Token)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	h := c.HTTP
	if h == nil {
		h = http.DefaultClient
	}
	resp, err := h.Do(req)
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	if resp.StatusCode < 300 {
		return resp, nil
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10)) // a half-read reason is better than none
	var answer struct{ Error *Error }
	if json.NewDecoder(bytes.NewReader(b)).Decode(&answer) != nil || answer.Error == nil {
		answer.Error = &Error{Code: "HTTP", Text: resp.Status}
	}
	answer.Error.Status = resp.StatusCode
	return nil, answer.Error
}
