package backoffice

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// call is one request of a SOAP interface.
type call struct {
	s      *Service
	ns     string
	caller *caller
	op     dom.Node
	stream *stream
	mime   *ebms.MIMEReader // nil when the envelope came alone
}

// operations by the name of the element in the Body; the old interface knows the first five.
var operations = map[string]struct {
	run func(*call, context.Context, http.ResponseWriter) error
	old bool
}{
	"statusRequest":                       {(*call).status, true},
	"getStatusRequest":                    {(*call).status, true},
	"messageStatusRequest":                {(*call).status, true},
	"listPendingMessagesRequest":          {(*call).pending, true},
	"retrieveMessageRequest":              {(*call).retrieve, true},
	"getErrorsRequest":                    {(*call).errors, true},
	"messageErrorsRequest":                {(*call).errors, true},
	"statusRequestWithAccessPointRole":    {(*call).status, false},
	"getErrorsRequestWithAccessPointRole": {(*call).errors, false},
	"markMessageAsDownloadedRequest":      {(*call).mark, false},
	"listPushFailedMessagesRequest":       {(*call).listPushFailed, false},
	"rePushFailedMessagesRequest":         {(*call).rePush, false},
}

// soap serves one of the two interfaces.
func (s *Service) soap(ns string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && r.URL.Query().Has("wsdl") {
			s.wsdl(w, r, ns)
			return
		}
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			http.Error(w, "POST a SOAP 1.2 envelope, or GET ?wsdl", http.StatusMethodNotAllowed)
			return
		}
		if err := s.serve(w, r, ns); err != nil {
			f := faultOf(err)
			level := slog.LevelInfo
			if f.Code == codeGeneric {
				level = slog.LevelError
			}
			s.Log.LogAttrs(r.Context(), level, "back office call refused", slog.String("path", r.URL.Path), slog.String("code", f.Code), slog.Any("err", err))
			f.write(w, ns)
		}
	})
}

func (s *Service) serve(w http.ResponseWriter, r *http.Request, ns string) error {
	who, err := s.authenticate(r)
	if err != nil {
		return err
	}
	r = r.WithContext(who.onBehalf(r.Context()))
	if s.MaxBody > 0 {
		r.Body = http.MaxBytesReader(w, r.Body, s.MaxBody)
	}
	c := &call{s: s, ns: ns, caller: who}
	if err := c.open(r); err != nil {
		return err
	}
	v, err := c.stream.next()
	if err != nil && err != io.EOF {
		return err
	}
	doc, perr := c.stream.document()
	if perr != nil {
		return perr
	}
	messaging, op, err := envelope(doc)
	if err != nil {
		return err
	}
	c.op = op
	if op.Space() != ns {
		return unknownOperation(op)
	}
	if op.Local() == "submitRequest" {
		return c.submit(r.Context(), w, messaging, v)
	}
	o, ok := operations[op.Local()]
	if !ok || ns == nsOld && !o.old {
		return unknownOperation(op)
	}
	for err = nil; v != nil && err == nil; { // nothing may follow that was not looked at
		v, err = c.stream.next()
	}
	if err != nil && err != io.EOF {
		return err
	}
	return o.run(c, r.Context(), w)
}

func unknownOperation(op dom.Node) error {
	return &fault{Code: codeConversion, Message: fmt.Sprintf("no operation has the request {%.200s}%.100s", op.Space(), op.Local()), SOAP: ebms.Sender}
}

// open finds the envelope in the request: alone, or as the first part of an MTOM message.
func (c *call) open(r *http.Request) error {
	media, err := ebms.ParseContentType(r.Header.Get("Content-Type"))
	if err != nil {
		return err
	}
	switch {
	case media.IsMultipart():
		if c.mime, err = ebms.NewReader(r.Header.Get("Content-Type"), r.Body, ebms.Limits{Parts: payloadsMax}); err != nil {
			return err
		}
		root, err := c.mime.Next()
		if err == io.EOF {
			return fmt.Errorf("%w: no part at all", ebms.ErrMIME)
		}
		if err != nil {
			return err
		}
		if media.Param("start") != "" && !root.Named {
			return fmt.Errorf("%w: the envelope is not the first part", ebms.ErrMIME)
		}
		c.stream = newStream(root)
	case media.Type == soapType, media.Type == "text/xml", media.Type == "application/xml":
		c.stream = newStream(r.Body)
	default:
		return fmt.Errorf("%w: %.100s is no SOAP 1.2", ebms.ErrContentType, media.Type)
	}
	return nil
}

// text is the value of a child that has no namespace.
func (c *call) text(name string) string { return c.op.Child("", name).TrimmedText() }

// messageID reads the id that nearly every call names.
func (c *call) messageID() (string, error) {
	id := c.text("messageID")
	switch {
	case id == "":
		return "", newFault(codeInvalid, "messageID is empty")
	case len(id) > idMax:
		return "", newFault(codeInvalid, fmt.Sprintf("messageID is longer than %d characters", idMax))
	}
	return id, nil
}

func (c *call) role() (string, error) {
	if !strings.HasSuffix(c.op.Local(), "WithAccessPointRole") {
		return "", nil
	}
	switch r := c.text("accessPointRole"); r {
	case "SENDING", "RECEIVING":
		return r, nil
	default:
		return "", newFault(codeInvalid, fmt.Sprintf("accessPointRole is SENDING or RECEIVING, not %.80q", r))
	}
}

func noMessage(id string) error {
	return newFault(codeNotFound, "No message with id ["+id+"] found")
}

// named finds the message that a call names and that the caller may see.
func (c *call) named(ctx context.Context) (*store.Message, string, error) {
	id, err := c.messageID()
	if err != nil {
		return nil, id, err
	}
	role, err := c.role()
	if err != nil {
		return nil, id, err
	}
	m, err := c.s.find(ctx, id, role)
	if err != nil {
		return nil, id, err
	}
	if !c.sees(m) {
		return nil, id, newFault(codeAuthorization, "the message belongs to another user")
	}
	return m, id, nil
}

// status answers getStatus: an unknown message is a status, not a fault.
func (c *call) status(ctx context.Context, w http.ResponseWriter) error {
	m, _, err := c.named(ctx)
	word := "NOT_FOUND"
	switch {
	case err == nil:
		word = c.s.status(m)
	case !errors.Is(err, store.ErrNotFound):
		return err
	}
	return answer(w, func(x *dom.Writer) { x.Element("w:getStatusResponse", word, "xmlns:w", c.ns) })
}

// pendingStates are those of messages that the back office has yet to fetch. Failed is what a domain could not use.
var pendingStates = []store.State{store.Delivered, store.Failed}

// wanted is what a list is narrowed to.
type wanted struct {
	ID, conversation, ref, from, recipient, sender string
	since, until                                   time.Time
}

// filter reads the children of a list request. The old interface knows none of them.
func (c *call) filter() (f wanted, err error) {
	if c.ns != nsOld {
		f = wanted{ID: c.text("messageId"), conversation: c.text("conversationId"), ref: c.text("refToMessageId"), from: c.text("fromPartyId"),
			recipient: c.text("finalRecipient"), sender: c.text("originalSender")}
		for name, t := range map[string]*time.Time{"receivedFrom": &f.since, "receivedTo": &f.until} {
			v := c.text(name)
			if v == "" {
				continue
			}
			if *t, err = parseTime(v); err != nil {
				return f, newFault(codeInvalid, fmt.Sprintf("%s: %.80q is no time", name, v))
			}
		}
	}
	return f, nil
}

func (f *wanted) admits(m *store.Message) bool {
	corner := func(want, have string) bool { return want == "" || sameCorner(have, want) }
	return corner(f.recipient, m.Receiver) && corner(f.sender, m.Sender) && (f.from == "" || strings.EqualFold(f.from, m.From)) &&
		(f.ref == "" || f.ref == m.RefToMessageID) && (f.conversation == "" || f.conversation == m.ConversationID) &&
		(f.since.IsZero() || !m.Created.Before(f.since)) && (f.until.IsZero() || m.Created.Before(f.until))
}

// pending answers listPendingMessages.
func (c *call) pending(ctx context.Context, w http.ResponseWriter) error {
	wants, err := c.filter()
	if err != nil {
		return err
	}
	if c.caller.originalUser != "" {
		wants.recipient = c.caller.originalUser
	}
	no := false
	f := store.Filter{Direction: store.In, States: pendingStates, ConversationID: wants.conversation, MessageID: wants.ID, Since: wants.since, Until: wants.until, Test: &no}
	var ids []string
	for page := (store.Page{Limit: 1000}); ; {
		l, err := c.s.Store.List(ctx, f, page)
		if err != nil {
			return err
		}
		for _, m := range l.Messages {
			if wants.admits(m) {
				ids = append(ids, m.MessageID)
			}
		}
		if page.Before = l.Next; l.Next == 0 {
			break
		}
		if most := c.s.Settings.PendingMax; most > 0 && len(ids) > pendingScan*most { // the oldest of these are named
			break
		}
	}
	slices.Reverse(ids)
	if most := c.s.Settings.PendingMax; most > 0 && len(ids) > most {
		ids = ids[:most]
	}
	return answer(w, func(x *dom.Writer) {
		x.Start("w:listPendingMessagesResponse", "xmlns:w", c.ns)
		for _, id := range ids {
			x.Element("messageID", id)
		}
		x.End()
	})
}

// pendingScan is how many full lists are looked through for their oldest messages, where even more wait.
const pendingScan = 20

// mark answers markMessageAsDownloaded.
func (c *call) mark(ctx context.Context, w http.ResponseWriter) error {
	m, err := c.incoming(ctx)
	if err != nil {
		return err
	}
	if err := c.s.downloaded(ctx, m); err != nil {
		return err
	}
	return answer(w, func(x *dom.Writer) {
		x.Start("w:markMessageAsDownloadedResponse", "xmlns:w", c.ns)
		x.Element("messageID", m.MessageID)
		x.End()
	})
}

// incoming finds the received message that a call names.
func (c *call) incoming(ctx context.Context) (*store.Message, error) {
	id, err := c.messageID()
	if err != nil {
		return nil, err
	}
	m, err := c.s.find(ctx, id, "RECEIVING")
	if errors.Is(err, store.ErrNotFound) {
		return nil, noMessage(id)
	}
	if err != nil {
		return nil, err
	}
	if !c.caller.sees(m.Receiver) {
		return nil, newFault(codeAuthorization, "the message is for another user")
	}
	return m, nil
}

// errorItem is one error of a message.
type errorItem struct {
	code, detail, role string
	at                 string
}

var ebmsCode = regexp.MustCompile(`EBMS:(\d{4})`)

// schemaCodes are the codes that the answer can carry; any other is told as 0004 and in the detail.
var schemaCodes = func() map[string]bool {
	t := map[string]bool{}
	for c := range strings.FieldsSeq("0001 0002 0003 0004 0005 0006 0007 0008 0009 0010 0011 0101 0102 0103 0201 0202 0301 0302 0303 0020 0021 0022 0023 0030 0031 0040 0041 0042 0043 0044 0045 0046 0047 0048 0049 0050 0051 0052 0053 0054 0055 0060 0065") {
		t[c] = true
	}
	return t
}()

// problems lists what went wrong with a message, oldest first.
func (s *Service) problems(ctx context.Context, m *store.Message) ([]errorItem, error) {
	events, err := s.Store.Events(ctx, m.ID)
	if err != nil {
		return nil, err
	}
	var out []errorItem
	for _, e := range events {
		switch e.State {
		case store.Retrying, store.Failed, store.Rejected, store.AcknowledgedWithoutReceipt:
		default:
			continue
		}
		detail := e.Detail
		if detail == "" && !m.Error.IsZero() {
			detail = m.Error.Code + " " + m.Error.Text
		}
		code := "0004"
		if f := ebmsCode.FindStringSubmatch(detail); f != nil && schemaCodes[f[1]] {
			code = f[1]
		}
		out = append(out, errorItem{"EBMS_" + code, detail, roleOf(m.Direction), e.Time.UTC().Format("2006-01-02T15:04:05.000Z")})
	}
	return out, nil
}

// errors answers getMessageErrors.
func (c *call) errors(ctx context.Context, w http.ResponseWriter) error {
	m, id, err := c.named(ctx)
	if errors.Is(err, store.ErrNotFound) {
		return noMessage(id)
	}
	if err != nil {
		return err
	}
	items, err := c.s.problems(ctx, m)
	if err != nil {
		return err
	}
	name := "domibusErrorCode"
	if c.ns == nsOld {
		name = "errorCode"
	}
	return answer(w, func(x *dom.Writer) {
		x.Start("w:getMessageErrorsResponse", "xmlns:w", c.ns)
		for _, e := range items {
			x.Start("item")
			x.Element(name, e.code)
			x.Element("errorDetail", e.detail)
			x.Element("messageInErrorId", m.MessageID)
			x.Element("mshRole", e.role)
			x.Element("notified", e.at)
			x.Element("timestamp", e.at)
			x.End()
		}
		x.End()
	})
}
