package backoffice

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/node/trace"
)

// SignatureHeader carries the proof that a webhook comes from the node: "t=UNIXTIME,v1=HEX", where HEX is the
// HMAC-SHA256 of UNIXTIME, a dot and the body, under the shared secret.
const SignatureHeader = "Viadukt-Signature"

// DeliveryHeader names one notice: the same at each attempt, so that a receiver can drop what it has.
const DeliveryHeader = "Viadukt-Delivery"

// hook is a Webhook with its secret.
type hook struct {
	Webhook
	secret     []byte
	states     []store.State
	directions []store.Direction
}

// hookNote is the body of a task of kind webhook.
type hookNote struct {
	URL  string          `json:"url"`
	Body json.RawMessage `json:"body"`
}

// Notice is the JSON that a webhook gets.
type Notice struct {
	Type string `json:"type"` // "message.state"
	Change
}

// Change says in JSON that a message came to another state: to webhooks, and to those who follow a node's events.
type Change struct {
	Time         time.Time      `json:"time"`
	ID           int64          `json:"id"`
	State        string         `json:"state"`
	MessageID    string         `json:"messageId"`
	Conversation string         `json:"conversationId,omitempty"`
	RefTo        string         `json:"refToMessageId,omitempty"`
	Direction    string         `json:"direction"`
	Domain       string         `json:"domain,omitempty"`
	PMode        string         `json:"pmode,omitempty"`
	Sender       string         `json:"sender,omitempty"`
	Receiver     string         `json:"receiver,omitempty"`
	Service      string         `json:"service"`
	Action       string         `json:"action"`
	Error        *store.Problem `json:"error"`
}

// NewChange tells of a message that came to a state, which it may have left since.
func NewChange(m *store.Message, to store.State, at time.Time) Change {
	c := Change{
		Time: at.UTC(), ID: m.ID, State: to.String(), MessageID: m.MessageID, Conversation: m.ConversationID, RefTo: m.RefToMessageID,
		Direction: m.Direction.String(), Domain: m.Domain, PMode: m.PMode, Sender: m.Sender, Receiver: m.Receiver, Service: m.Service, Action: m.Action,
	}
	if !m.Error.IsZero() && m.State == to {
		c.Error = &m.Error
	}
	return c
}

// defaultStates are those that a back office nearly always wants to hear of.
var defaultStates = []store.State{store.Acknowledged, store.AcknowledgedWithoutReceipt, store.Failed, store.Rejected, store.Received, store.Delivered}

func loadHooks(list []Webhook) (out []hook, err error) {
	for _, w := range list {
		h := hook{Webhook: w, states: defaultStates}
		secret, err := w.Secret.Read()
		if err != nil {
			return nil, fmt.Errorf("backoffice: webhook %s: %w", w.URL, err)
		}
		if err := CheckSecret(secret); err != nil {
			return nil, fmt.Errorf("backoffice: webhook %s: %w", w.URL, err)
		}
		h.secret = []byte(secret)
		if len(w.States) > 0 {
			h.states = nil
		}
		for _, name := range w.States {
			st, err := store.ParseState(name)
			if err != nil {
				return nil, err
			}
			h.states = append(h.states, st)
		}
		for _, name := range w.Directions {
			d, err := store.ParseDirection(name)
			if err != nil {
				return nil, err
			}
			h.directions = append(h.directions, d)
		}
		out = append(out, h)
	}
	return out, nil
}

func (h *hook) wants(m *store.Message, to store.State) bool {
	return slices.Contains(h.states, to) && (len(h.directions) == 0 || slices.Contains(h.directions, m.Direction))
}

// task holds what is told: as it was when it happened, however late it arrives.
func (h *hook) task(m *store.Message, to store.State, at time.Time) *store.Task {
	body, _ := json.Marshal(Notice{"message.state", NewChange(m, to, at)}) // texts, numbers and times always become JSON
	wrapped, _ := json.Marshal(hookNote{string(h.URL), body})
	return &store.Task{Queue: queueWebhooks + string(h.URL), Kind: kindWebhook, Message: m.ID, Body: wrapped}
}

// schedule is the pauses between attempts; after the last there is none.
type schedule []time.Duration

// webhookSchedule goes on for about a day and a half.
var webhookSchedule = schedule{10 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour, 8 * time.Hour, 20 * time.Hour}

func (s schedule) next(made int, now time.Time) (at time.Time, ok bool) {
	if made > len(s) {
		return now, false
	}
	return now.Add(s[made-1]), true
}

// Sign makes the value of [SignatureHeader].
func Sign(secret, body []byte, at time.Time) string {
	t := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, secret)
	io.WriteString(mac, t+".")
	mac.Write(body)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}

// callHook makes one call.
func (s *Service) callHook(ctx context.Context, t store.Task) (err error) {
	var n hookNote
	if err := json.Unmarshal(t.Body, &n); err != nil {
		return errDead{err}
	}
	i := slices.IndexFunc(s.hooks, func(h hook) bool { return string(h.URL) == n.URL })
	if i < 0 {
		return errDead{fmt.Errorf("backoffice: webhook %s is not configured any more", n.URL)}
	}
	if s.Trace != nil {
		var told Notice
		if json.Unmarshal(n.Body, &told) == nil {
			var span *trace.Span
			ctx, span = s.Trace.Message(ctx, "webhook", trace.Client, told.MessageID)
			span.Text("viadukt.message.id", told.MessageID).Text("viadukt.state", told.State)
			defer func() {
				if err != nil {
					span.Fail("not taken")
				}
				span.End()
			}()
		}
	}
	return Call{
		Client: s.guarded, URL: n.URL, Secret: s.hooks[i].secret, Delivery: strconv.FormatInt(t.ID, 10), Version: s.Version, Time: s.Clock(), Body: n.Body,
	}.Do(ctx)
}

// CheckSecret refuses keys of signatures that are soon guessed.
func CheckSecret(secret string) error {
	if len(secret) < 16 {
		return fmt.Errorf("a secret of %d octets proves little: take 32 random ones", len(secret))
	}
	return nil
}

// WebhookClient calls webhooks: it keeps out of the inner network, unless that is allowed, and follows no redirect.
func WebhookClient(allowPrivate bool) *http.Client {
	_, guarded := clients(allowPrivate)
	return guarded
}

// Call is one call of a webhook with JSON, signed.
type Call struct {
	Client   *http.Client
	URL      string
	Secret   []byte
	Delivery string // the same at each attempt
	Version  string // of the program
	Time     time.Time
	Body     []byte
}

// Do makes it. Any answer but success is an error.
func (c Call) Do(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL, bytes.NewReader(c.Body))
	if err != nil {
		return errDead{err}
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Viadukt/"+c.Version)
	req.Header.Set(DeliveryHeader, c.Delivery)
	trace.Inject(ctx, req.Header)
	req.Header.Set(SignatureHeader, Sign(c.Secret, c.Body, c.Time))
	resp, err := c.Client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // so that the connection can be used again
	return problemOf(resp)
}
