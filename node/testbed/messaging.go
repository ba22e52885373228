package testbed

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/gitb"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// MessagingSettings are the section gitb of the configuration.
type MessagingSettings struct {
	Listen config.Listen   `yaml:"listen" required:"true" example:"127.0.0.1:8491" doc:"Address on which the Interoperability Test Bed calls this node as its messaging service. It has no protection of any kind."`
	Client config.URL      `yaml:"client" required:"true" example:"http://127.0.0.1:8080/itbsrv/MessagingClient" doc:"Where the test bed is told of messages that it waits for. What requests name as the address for answers is not used."`
	Actor  string          `yaml:"actor" default:"AccessPoint" doc:"Actor of test cases that this node stands for."`
	Wait   config.Duration `yaml:"wait" default:"1m" doc:"How long the answer to a message that is sent waits for the receipt."`
}

// Watched is what the messaging service needs of a node.
type Watched interface {
	Gateway
	// News is closed at the next change of any message; stopped says that there will be none.
	News() (news <-chan struct{}, stopped bool)
	// Own tells who the node is, for the actors on the other side: parameters of a configuration.
	Own() [][2]string
}

// Messaging is the messaging service of the Interoperability Test Bed [GITB]: the bed sends messages through the node and
// waits for what the node receives. Sessions live as long as the process does: a bed begins its test anew after that.
type Messaging struct {
	MessagingSettings
	Gateway Watched
	Store   store.Store
	Client  *http.Client
	Clock   func() time.Time
	Version string
	Log     *slog.Logger

	mu       sync.Mutex
	sessions map[string]*session
	order    []string // of sessions, the oldest first
	work     sync.WaitGroup
}

// Bounds of what a bed may ask for.
const (
	maxSessions = 1000     // the oldest one ends when there are more
	maxWaits    = 100      // of one session
	maxRequest  = 64 << 20 // octets
	maxShown    = 16 << 20 // octets of the payloads in one report
)

// session is one run of a test case.
type session struct {
	id      string
	since   time.Time
	partner map[string]string // configuration of the system under test
	extra   map[string]string // configuration of the transaction
	waits   int
	taken   map[int64]bool // messages that were reported
	ctx     context.Context
	end     context.CancelFunc
}

var messagingContract = gitb.Contract{Namespace: gitb.Messaging, Name: "MessagingService", Operations: []gitb.Operation{
	{Name: "getModuleDefinition", In: "GetModuleDefinitionRequest", Out: "GetModuleDefinitionResponse"}, {Name: "initiate", In: "InitiateRequest", Out: "InitiateResponse"},
	{Name: "receive", In: "ReceiveRequest", Out: "ReceiveResponse"}, {Name: "send", In: "SendRequest", Out: "SendResponse"},
	{Name: "beginTransaction", In: "BeginTransactionRequest", Out: "BeginTransactionResponse"}, {Name: "endTransaction", In: "EndTransactionRequest", Out: "EndTransactionResponse"},
	{Name: "finalize", In: "FinalizeRequest", Out: "FinalizeResponse"},
}}

// ServeHTTP takes the calls of the bed.
func (s *Messaging) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method == http.MethodGet && strings.EqualFold(r.URL.RawQuery, "wsdl"):
		messagingContract.Serve(w, r)
		return
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", "POST")
		http.Error(w, "the messaging service takes calls by POST; its contract is at ?wsdl", http.StatusMethodNotAllowed)
		return
	}
	op, err := gitb.Read(w, r, maxRequest)
	var answer func(x *dom.Writer)
	if err == nil {
		answer, err = s.call(r.Context(), op)
	}
	if err != nil {
		var f *gitb.Fault
		if !errors.As(err, &f) {
			s.Log.Error("call of the test bed not done", slog.Any("err", err))
			f = &gitb.Fault{Code: "Server", Text: "the call could not be done; the log says more"}
		}
		gitb.Refuse(w, f)
		return
	}
	gitb.Answer(w, func(x *dom.Writer) {
		x.Start("ms:"+strings.TrimSuffix(op.Local(), "Request")+"Response", "xmlns:ms", gitb.Messaging, "xmlns:gc", gitb.Core)
		if answer != nil {
			answer(x)
		}
		x.End()
	})
}

func client(format string, args ...any) error {
	return &gitb.Fault{Code: "Client", Text: fmt.Sprintf(format, args...)}
}

func (s *Messaging) call(ctx context.Context, op dom.Node) (func(x *dom.Writer), error) {
	if !op.Valid() || op.Space() != gitb.Messaging {
		return nil, client("the body holds no operation of this service")
	}
	switch op.Local() {
	case "GetModuleDefinitionRequest":
		return s.module, nil
	case "InitiateRequest":
		return s.initiate(op)
	}
	sn, err := s.session(op.Child("", "sessionId").Text())
	if err != nil {
		return nil, err
	}
	switch op.Local() {
	case "BeginTransactionRequest":
		extra := configuration(op)
		s.mu.Lock()
		sn.extra = extra
		s.mu.Unlock()
	case "SendRequest":
		return s.send(ctx, sn, op)
	case "ReceiveRequest":
		return nil, s.receive(sn, op)
	case "EndTransactionRequest":
		s.mu.Lock()
		sn.extra = nil
		s.mu.Unlock()
	case "FinalizeRequest":
		s.finalize(sn.id)
	default:
		return nil, client("the operation %.60q is none of this service", op.Local())
	}
	return nil, nil
}

// module describes the service.
func (s *Messaging) module(x *dom.Writer) {
	x.Start("module", "id", "viadukt-as4", "isProxy", "false", "isRemote", "true")
	x.Start("gc:metadata")
	x.Element("gc:name", "Viadukt AS4")
	x.Element("gc:version", s.Version)
	x.Element("gc:description", "Sends AS4 messages by the agreements of a node, and tells what it receives.")
	x.End()
	header := []gitb.Parameter{
		{Name: ServiceName, Doc: "eb:Service.", Type: "string"}, {Name: ServiceType, Doc: "Its type.", Type: "string"}, {Name: Action, Doc: "eb:Action.", Type: "string"},
		{Name: MessageID, Doc: "eb:MessageId. When sending: default made by the node.", Type: "string"}, {Name: ConversationID, Doc: "eb:ConversationId.", Type: "string"}, {Name: RefToMessageID, Doc: "Message that this one answers.", Type: "string"},
		{Name: ebms.PropertyOriginalSender, Doc: "Original sender; this and every other input not named here is a message property.", Type: "string"}, {Name: ebms.PropertyFinalRecipient, Doc: "Final recipient.", Type: "string"},
	}
	gitb.Parameters(x, "gc:inputs", append([]gitb.Parameter{{Name: inputPayload, Doc: "One payload, or a list or map of several. The MIME type is that of the value.", Type: "object"}}, header...))
	gitb.Parameters(x, "gc:outputs", append([]gitb.Parameter{{Name: "payloads", Doc: "Map of the payloads of a received message.", Type: "map"}, {Name: "State", Doc: "State of the message in the node.", Type: "string"}}, header...))
	gitb.Parameters(x, "gc:actorConfigs", []gitb.Parameter{{Name: ToPartyID, Doc: "Party id of the system under test. Default: that of the agreement."}, {Name: ToPartyIDType, Doc: "Its type."}, {Name: ToPartyRole, Doc: "Its role."}})
	gitb.Parameters(x, "gc:transactionConfigs", []gitb.Parameter{{Name: ServiceName, Doc: "eb:Service of all messages of the transaction."}, {Name: ServiceType, Doc: "Its type."}, {Name: Action, Doc: "eb:Action."}, {Name: ConversationID, Doc: "eb:ConversationId."}})
	x.End()
}

// configuration reads the elements config of an operation or an actor.
func configuration(n dom.Node) map[string]string {
	m := map[string]string{}
	for c := range n.Elements() {
		if c.Local() == "config" {
			m[strings.Clone(c.Attr("name"))] = strings.Clone(strings.TrimSpace(c.Text()))
		}
	}
	return m
}

func (s *Messaging) initiate(op dom.Node) (func(x *dom.Writer), error) {
	var b [16]byte
	rand.Read(b[:])
	sn := &session{id: hex.EncodeToString(b[:]), since: s.Clock().Truncate(time.Millisecond), partner: map[string]string{}, taken: map[int64]bool{}}
	sn.ctx, sn.end = context.WithCancel(context.Background())
	for actor := range op.Elements() {
		for name, value := range configuration(actor) {
			sn.partner[name] = value
		}
	}
	s.mu.Lock()
	if s.sessions == nil {
		s.sessions = map[string]*session{}
	}
	s.sessions[sn.id] = sn
	s.order = append(s.order, sn.id)
	oldest := ""
	if len(s.order) > maxSessions {
		oldest = s.order[0]
	}
	s.mu.Unlock()
	s.finalize(oldest)
	return func(x *dom.Writer) {
		x.Element("sessionId", sn.id)
		x.Start("actorConfiguration", "actor", s.Actor)
		for _, kv := range s.Gateway.Own() {
			x.Element("gc:config", kv[1], "name", kv[0])
		}
		x.End()
	}, nil
}

func (s *Messaging) session(id string) (*session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sn := s.sessions[strings.TrimSpace(id)]; sn != nil {
		return sn, nil
	}
	return nil, client("there is no session %.60q: it ended, or the node was started again", id)
}

// finalize ends a session and all that waits in it.
func (s *Messaging) finalize(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sn := s.sessions[id]
	if sn == nil {
		return
	}
	sn.end()
	delete(s.sessions, id)
	for i, o := range s.order {
		if o == id {
			s.order = append(s.order[:i], s.order[i+1:]...)
			return
		}
	}
}

// Close ends all sessions and waits for what they do.
func (s *Messaging) Close() {
	s.mu.Lock()
	for _, sn := range s.sessions {
		sn.end()
	}
	s.mu.Unlock()
	s.work.Wait()
}

const inputPayload = "payload"

// message is what a call to send asks for.
func (s *Messaging) message(sn *session, op dom.Node) (*Message, error) {
	m := &Message{}
	set := func(name, value string) {
		for i, p := range m.Properties {
			if strings.EqualFold(p.Name, name) {
				m.Properties[i].Value = value
				return
			}
		}
		m.Properties = append(m.Properties, ebms.Property{Name: name, Value: value})
	}
	s.mu.Lock()
	for _, from := range []map[string]string{sn.partner, sn.extra} { // what they do not know of a header is not for the message
		for name, value := range from {
			if control[strings.ToLower(name)] {
				set(name, value)
			}
		}
	}
	s.mu.Unlock()
	for in := range op.Elements() {
		if in.Local() != "input" {
			continue
		}
		if !strings.EqualFold(in.Attr("name"), inputPayload) {
			v, err := gitb.Value(in)
			if err != nil {
				return nil, client("input %.60q: %v", in.Attr("name"), err)
			}
			set(strings.Clone(in.Attr("name")), string(v))
			continue
		}
		values := []dom.Node{in}
		if first := in.FirstElement(); first.Valid() && first.Local() == "item" {
			values = values[:0]
			for item := range in.Elements() {
				values = append(values, item)
			}
		}
		for _, v := range values {
			octets, err := gitb.Value(v)
			if err != nil {
				return nil, client("payload %d: %v", len(m.Parts)+1, err)
			}
			kind := v.Attr("mimeType")
			if kind == "" {
				kind = "application/octet-stream"
				if strings.HasPrefix(strings.TrimLeft(string(octets[:min(len(octets), 256)]), "\ufeff \t\r\n"), "<") {
					kind = "application/xml"
				}
			}
			m.Parts = append(m.Parts, Part{ID: fmt.Sprintf("payload%d@gitb", len(m.Parts)+1), Size: int64(len(octets)), Body: bytes.NewReader(octets), Properties: []ebms.Property{{Name: ebms.PropertyMimeType, Value: kind}}})
		}
	}
	return m, nil
}

// send puts a message into the node and tells what became of it.
func (s *Messaging) send(ctx context.Context, sn *session, op dom.Node) (func(x *dom.Writer), error) {
	in, err := s.message(sn, op)
	if err != nil {
		return nil, err
	}
	tar := &gitb.TAR{Name: "Send", Result: gitb.Failure}
	stored, err := s.submit(ctx, in)
	var e *ebms.Error
	switch {
	case errors.As(err, &e): // the node does not take it: that is a result of the test, not of the call
		tar.Error = gitb.Finding{ID: string(e.Code), Text: e.Detail}
	case err != nil:
		return nil, err
	default:
		if stored, err = s.settled(ctx, stored.ID); err != nil {
			return nil, err
		}
		um, err := s.Gateway.Header(stored)
		if err != nil {
			return nil, err
		}
		tar.Context = headerItems(um, stored)
		switch stored.State {
		case store.Acknowledged, store.AcknowledgedWithoutReceipt:
			tar.Result = gitb.Success
		case store.Failed, store.Rejected:
			tar.Error = gitb.Finding{ID: stored.Error.Code, Text: stored.Error.Text}
		default:
			tar.Result = gitb.Undefined
		}
	}
	if tar.Result == gitb.Failure && tar.Error.Text == "" {
		tar.Error.Text = "the message was not delivered"
	}
	tar.Date = s.Clock()
	return func(x *dom.Writer) { gitb.Step(x, tar) }, nil
}

func (s *Messaging) submit(ctx context.Context, in *Message) (*store.Message, error) {
	d, err := s.Gateway.Begin(ctx, in.Header())
	if err != nil {
		return nil, err
	}
	defer d.Close()
	for i, p := range in.Parts {
		if err := d.Payload(i, mimeType(&p), p.Body); err != nil {
			return nil, err
		}
	}
	return d.Commit(ctx)
}

// settled waits until a message came to an end, or for the time that an answer may take.
func (s *Messaging) settled(ctx context.Context, id int64) (*store.Message, error) {
	timer := time.NewTimer(time.Duration(s.Wait))
	defer timer.Stop()
	for {
		news, stopped := s.Gateway.News()
		m, err := s.Store.Message(ctx, id)
		if err != nil {
			return nil, err
		}
		switch m.State {
		case store.Acknowledged, store.AcknowledgedWithoutReceipt, store.Failed, store.Rejected:
			return m, nil
		}
		if stopped {
			return m, nil
		}
		select {
		case <-news:
		case <-timer.C:
			return m, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// receive waits for a message and tells the bed of it.
func (s *Messaging) receive(sn *session, op dom.Node) error {
	callID, from := strings.Clone(op.Child("", "callId").Text()), strings.Clone(op.Child("", "from").Text())
	wants := map[string]string{}
	s.mu.Lock()
	for name, value := range sn.extra {
		wants[strings.ToLower(name)] = value
	}
	s.mu.Unlock()
	for in := range op.Elements() {
		if in.Local() == "input" {
			v, err := gitb.Value(in)
			if err != nil {
				return client("input %.60q: %v", in.Attr("name"), err)
			}
			wants[strings.ToLower(in.Attr("name"))] = string(v)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if sn.waits++; sn.waits > maxWaits {
		sn.waits--
		return client("the session waits for %d messages already", maxWaits)
	}
	if sn.ctx.Err() != nil {
		return client("the session ended")
	}
	s.work.Go(func() {
		defer func() {
			s.mu.Lock()
			sn.waits--
			s.mu.Unlock()
		}()
		m, um, err := s.arrived(sn, wants)
		if err == nil {
			err = s.notify(sn, callID, from, m, um)
		}
		if err != nil && sn.ctx.Err() == nil {
			s.Log.Error("test bed not told", slog.Any("err", err))
		}
	})
	return nil
}

// arrived waits for a received message with these values, which the session was not told of yet.
func (s *Messaging) arrived(sn *session, wants map[string]string) (*store.Message, *ebms.UserMessage, error) {
	test := false
	for {
		news, stopped := s.Gateway.News()
		var found *store.Message
		var header *ebms.UserMessage
		for before := int64(0); ; { // newest first: the oldest one that fits is the one
			page, err := s.Store.List(sn.ctx, store.Filter{Direction: store.In, States: []store.State{store.Delivered, store.Confirmed}, Since: sn.since, Test: &test}, store.Page{Before: before, Limit: 200})
			if err != nil {
				return nil, nil, err
			}
			for _, listed := range page.Messages {
				s.mu.Lock()
				taken := sn.taken[listed.ID]
				s.mu.Unlock()
				if taken {
					continue
				}
				m, err := s.Store.Message(sn.ctx, listed.ID)
				if err != nil {
					continue // deleted meanwhile
				}
				um, err := s.Gateway.Header(m)
				if err == nil && fits(um, wants) {
					found, header = m, um
				}
			}
			if before = page.Next; before == 0 {
				break
			}
		}
		if found != nil {
			s.mu.Lock()
			taken := sn.taken[found.ID]
			sn.taken[found.ID] = true
			s.mu.Unlock()
			if taken {
				continue // by another call that waited
			}
			return found, header, nil
		}
		if stopped {
			return nil, nil, errors.New("testbed: the node stops")
		}
		select {
		case <-news:
		case <-sn.ctx.Done():
			return nil, nil, sn.ctx.Err()
		}
	}
}

// fits says whether a message has all wanted values; those of the other side's configuration do not count.
func fits(um *ebms.UserMessage, wants map[string]string) bool {
	have := delivered(um)
	for name, value := range wants {
		if have.Property(name) != value {
			return false
		}
	}
	return true
}

func headerItems(um *ebms.UserMessage, m *store.Message) []gitb.Item {
	var items []gitb.Item
	for _, p := range delivered(um).Properties {
		items = append(items, gitb.Item{Name: p.Name, Text: p.Value})
	}
	return append(items, gitb.Item{Name: "State", Text: m.State.String()})
}

// notify tells the bed of a message, until it takes that or the session ends.
func (s *Messaging) notify(sn *session, callID, from string, m *store.Message, um *ebms.UserMessage) error {
	payloads := gitb.Item{Name: "payloads", Items: []gitb.Item{}}
	room := int64(maxShown)
	for i := range m.Payloads {
		p := &m.Payloads[i]
		item := gitb.Item{Name: p.ContentID, MimeType: p.MimeType}
		if p.PlainSize > room {
			item.Text = fmt.Sprintf("%d octets, too many for a report", p.PlainSize)
			payloads.Items = append(payloads.Items, item)
			continue
		}
		body, err := s.Gateway.Open(sn.ctx, p)
		if err != nil {
			return err
		}
		item.Octets, err = io.ReadAll(io.LimitReader(body, room+1))
		body.Close()
		if err != nil {
			return err
		}
		if int64(len(item.Octets)) > room { // of a size that was not known
			item.Octets, item.Text = nil, "too many octets for a report"
		}
		room -= int64(len(item.Octets))
		payloads.Items = append(payloads.Items, item)
	}
	tar := &gitb.TAR{Name: "Receive", Date: s.Clock(), Result: gitb.Success, Context: append(headerItems(um, m), payloads)}
	for pause := time.Second; ; pause = min(2*pause, time.Minute) {
		ctx, cancel := context.WithTimeout(sn.ctx, time.Minute)
		err := gitb.Call(ctx, s.Client, string(s.MessagingSettings.Client), "notifyForMessage", func(x *dom.Writer) {
			x.Start("ms:NotifyForMessageRequest", "xmlns:ms", gitb.Messaging)
			x.Element("sessionId", sn.id)
			x.Element("callId", callID)
			x.Element("from", from)
			x.Element("to", s.Actor)
			gitb.Step(x, tar)
			x.End()
		})
		cancel()
		if err == nil {
			return nil
		}
		s.Log.Warn("test bed not told yet", slog.Any("err", err))
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-sn.ctx.Done():
			timer.Stop()
			return sn.ctx.Err()
		}
	}
}
