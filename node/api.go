package node

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/edelivery/ids"
	"github.com/viadukt-eu/viadukt/node/alert"
	"github.com/viadukt-eu/viadukt/node/mediatype"
	"github.com/viadukt-eu/viadukt/node/store"
)

// api is the REST interface for back offices, under /api/v1: its calls stand in [api.table], from which the document at
// /api/v1/openapi.json is made. Every call but that one carries a bearer token.
type api struct{ n *Node }

// apiError is what a call is refused with.
type apiError struct {
	Status int    `json:"-"`
	Code   string `json:"code"`
	Text   string `json:"text"`
	Where  string `json:"where,omitempty"`
	Remedy string `json:"remedy,omitempty"`
}

func (e *apiError) Error() string { return e.Code + ": " + e.Text }

func badRequest(format string, args ...any) error {
	return &apiError{Status: http.StatusBadRequest, Code: "BAD_REQUEST", Text: fmt.Sprintf(format, args...)}
}

func (a api) routes(mux *http.ServeMux) {
	table := a.table()
	for _, r := range table {
		mux.HandleFunc(r.Method+" "+r.Path, a.wrap(r.handler, r.Scopes...))
	}
	mux.HandleFunc("GET /api/v1/openapi.json", a.openAPI(table))
}

// Scopes of tokens. A token with scopeAdmin may do everything.
const (
	scopeMessages     = "messages"
	scopeParticipants = "participants"
	scopeMetrics      = "metrics"
	scopeAdmin        = "admin"
)

// wrap checks that the token has one of the scopes, runs the handler and answers its error: in one place.
func (a api) wrap(h func(http.ResponseWriter, *http.Request) error, scopes ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		actor, err := a.authorize(r, scopes)
		if err == nil {
			err = h(w, r.WithContext(store.WithActor(r.Context(), actor)))
		}
		if err == nil {
			return
		}
		e := a.problem(err)
		if e.Status == http.StatusInternalServerError {
			a.n.Log.Error("api call failed", slog.String("path", r.URL.Path), slog.Any("err", err))
		}
		if e.Status == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", `Bearer realm="viadukt"`)
		}
		writeJSON(w, e.Status, ErrorJSON{e})
	}
}

// authorize finds out who calls, by the token or else by the certificate of the connection, for the log.
func (a api) authorize(r *http.Request, scopes []string) (actor string, err error) {
	if k := a.n.clientOf(r); k != nil && r.Header.Get("Authorization") == "" {
		if k.allowed(scopes) {
			return "certificate " + k.Name, nil
		}
		return "", &apiError{Status: http.StatusForbidden, Code: "FORBIDDEN", Text: fmt.Sprintf("the certificate of %q does not allow this: it needs the scope %s", k.Name, strings.Join(scopes, " or ")), Remedy: "use a token, or change its scopes under api.clients"}
	}
	secret, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	unauthorized := &apiError{Status: http.StatusUnauthorized, Code: "UNAUTHORIZED", Text: "the call needs a valid token", Remedy: `send "Authorization: Bearer TOKEN"; viadukt init wrote one into keys/api.token`}
	if !ok || secret == "" {
		return "", unauthorized
	}
	t, err := a.n.token(r.Context(), secret)
	if errors.Is(err, store.ErrNotFound) {
		return "", unauthorized
	}
	if err != nil {
		return "", err
	}
	if slices.ContainsFunc(t.Scopes, func(s string) bool { return s == scopeAdmin || slices.Contains(scopes, s) }) {
		return "token " + t.Name, nil
	}
	return "", &apiError{Status: http.StatusForbidden, Code: "FORBIDDEN", Text: fmt.Sprintf("the token %q does not allow this: it needs the scope %s", t.Name, strings.Join(scopes, " or ")), Remedy: "use another token (viadukt init wrote keys/admin.token), change its scopes under api.tokens, or make one: viadukt token add NAME --scope " + scopes[0]}
}

// token finds a token that is in use by its secret; store.ErrNotFound where there is none.
func (n *Node) token(ctx context.Context, secret string) (*store.Token, error) {
	t, err := n.Store.TokenByHash(ctx, sha256.Sum256([]byte(secret)))
	if errors.Is(err, store.ErrNotFound) {
		n.alerts.note(alert.LoginRefused, "api")
	}
	if err == nil && !t.Expires.IsZero() && !n.Clock().Before(t.Expires) {
		return nil, store.ErrNotFound
	}
	return t, err
}

func (a api) problem(err error) *apiError {
	var e *apiError
	var refused *RefusedError
	switch {
	case errors.As(err, &e):
		return e
	case errors.As(err, &refused):
		return &apiError{Status: http.StatusUnprocessableEntity, Code: refused.Code, Text: refused.Text, Remedy: refused.Remedy}
	case errors.Is(err, store.ErrNotFound):
		return &apiError{Status: http.StatusNotFound, Code: "NOT_FOUND", Text: "no such thing"}
	case errors.Is(err, store.ErrDuplicate):
		return &apiError{Status: http.StatusConflict, Code: "DUPLICATE", Text: "a message with this id is stored already"}
	case errors.Is(err, store.ErrGone):
		return &apiError{Status: http.StatusGone, Code: "GONE", Text: "the octets were deleted; hash and size are still known"}
	case errors.Is(err, store.ErrTransition):
		return &apiError{Status: http.StatusConflict, Code: "STATE", Text: err.Error()}
	case errors.Is(err, store.ErrDiskFull):
		return &apiError{Status: http.StatusInsufficientStorage, Code: "DISK_FULL", Text: "no room left", Remedy: "free space, then try again: nothing was stored"}
	case errors.Is(err, store.ErrReadOnly):
		return &apiError{Status: http.StatusServiceUnavailable, Code: "READ_ONLY", Text: "the node's volume can be read and not written", Remedy: "ask the operator to mend it, then try again: nothing was stored"}
	case errors.Is(err, store.ErrDamaged):
		return &apiError{Status: http.StatusInternalServerError, Code: "DAMAGED", Text: "what is stored is damaged", Remedy: `"viadukt verifydata" says what, and what to do about it`}
	case errors.Is(err, store.ErrClosed):
		return &apiError{Status: http.StatusServiceUnavailable, Code: "STOPPING", Text: "the node is stopping", Remedy: "try again when it runs"}
	}
	return &apiError{Status: http.StatusInternalServerError, Code: "INTERNAL", Text: "the call could not be done; the log says more"}
}

func writeJSON(w http.ResponseWriter, status int, v any) error {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	return json.NewEncoder(w).Encode(v)
}

// MessageJSON is the form of a message in the API and on the command line.
type MessageJSON struct {
	ID           int64          `json:"id" doc:"Row: grows with time."`
	MessageID    string         `json:"messageId" doc:"eb:MessageId."`
	Conversation string         `json:"conversationId,omitempty"`
	RefTo        string         `json:"refToMessageId,omitempty"`
	State        string         `json:"state"`
	Direction    string         `json:"direction"`
	Domain       string         `json:"domain,omitempty"`
	PMode        string         `json:"pmode,omitempty"`
	From         string         `json:"from" doc:"Party that sends."`
	To           string         `json:"to" doc:"Party that receives; empty until it is found."`
	Sender       string         `json:"sender,omitempty" doc:"Original sender, scheme::value."`
	Receiver     string         `json:"receiver,omitempty" doc:"Final recipient, scheme::value."`
	Service      string         `json:"service"`
	Action       string         `json:"action"`
	Attempts     int            `json:"attempts"`
	NextAttempt  *time.Time     `json:"nextAttempt,omitempty" doc:"When it is tried again."`
	Created      time.Time      `json:"created"`
	Updated      time.Time      `json:"updated"`
	Error        *store.Problem `json:"error" doc:"Why it failed, waits or was refused."`
	Payloads     []PayloadJSON  `json:"payloads,omitempty"`
	Events       []EventJSON    `json:"events,omitempty"`
	Evidence     []EvidenceJSON `json:"evidence"`
}

// MessageListJSON is one page of a list.
type MessageListJSON struct {
	Messages []MessageJSON `json:"messages"`
	Next     int64         `json:"next,omitempty" doc:"What before is to be for the next page; absent at the end."`
}

// ErrorJSON is the answer to a call that was refused.
type ErrorJSON struct {
	Error *apiError `json:"error"`
}

// PayloadJSON describes one payload. Size is of the stored octets.
type PayloadJSON struct {
	ContentID string `json:"contentId"`
	MimeType  string `json:"mimeType"`
	Name      string `json:"name,omitempty"`
	Size      int64  `json:"size"`
	PlainSize int64  `json:"plainSize,omitempty"`
	SHA256    string `json:"sha256"`
}

// EventJSON is one state change.
type EventJSON struct {
	Time    time.Time `json:"time"`
	State   string    `json:"state"`
	Attempt int       `json:"attempt"`
	Detail  string    `json:"detail,omitempty"`
}

// EvidenceJSON names one piece of evidence.
type EvidenceJSON struct {
	Kind   string    `json:"kind"`
	Time   time.Time `json:"time"`
	SHA256 string    `json:"sha256"`
	Size   int       `json:"size"`
}

func messageJSON(m *store.Message) MessageJSON {
	j := MessageJSON{
		ID: m.ID, MessageID: m.MessageID, Conversation: m.ConversationID, RefTo: m.RefToMessageID, State: m.State.String(),
		Direction: m.Direction.String(), Domain: m.Domain, PMode: m.PMode, From: m.From, To: m.To, Sender: m.Sender, Receiver: m.Receiver,
		Service: m.Service, Action: m.Action, Attempts: m.Attempts, Created: m.Created, Updated: m.Updated, Evidence: []EvidenceJSON{},
	}
	if !m.NextAttempt.IsZero() {
		j.NextAttempt = &m.NextAttempt
	}
	if !m.Error.IsZero() {
		j.Error = &m.Error
	}
	for _, p := range m.Payloads {
		j.Payloads = append(j.Payloads, PayloadJSON{p.ContentID, p.MimeType, p.Name, p.Size, p.PlainSize, fmt.Sprintf("%x", p.SHA256)})
	}
	return j
}

// send streams payloads from the request into the store. The document's own fields win over nothing: what the query
// says must agree with the document, the domain checks it.
func (a api) send(w http.ResponseWriter, r *http.Request) error {
	s, err := readSubmission(r)
	if err != nil {
		return err
	}
	m, err := a.n.Accept(r.Context(), s)
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/api/v1/messages/"+strconv.FormatInt(m.ID, 10))
	return writeJSON(w, http.StatusAccepted, messageJSON(m))
}

// readSubmission reads query and body. In multipart/form-data the first part may be "message", JSON with the fields of
// the query; every further part is a payload, streamed in the order in which it comes.
func readSubmission(r *http.Request) (*Submission, error) {
	q := r.URL.Query()
	s := &Submission{
		Domain: q.Get("domain"), PMode: q.Get("pmode"), Sender: q.Get("sender"), Receiver: q.Get("receiver"), Country: q.Get("country"),
		Service: q.Get("service"), ServiceType: q.Get("serviceType"), Action: q.Get("action"),
		ConversationID: q.Get("conversationId"), RefToMessageID: q.Get("refToMessageId"), MessageID: q.Get("messageId"),
	}
	mediaType, params, err := mime.ParseMediaType(cmp.Or(r.Header.Get("Content-Type"), "application/octet-stream"))
	if err != nil {
		return nil, badRequest("Content-Type: %v", err)
	}
	if mediaType != "multipart/form-data" {
		name := ""
		if _, p, err := mime.ParseMediaType(r.Header.Get("Content-Disposition")); err == nil {
			name = p["filename"]
		}
		s.Next = oneOf(SubmissionPart{Name: name, MimeType: mediaType, Body: requestBody{r.Body}})
		return s, nil
	}
	parts := multipart.NewReader(r.Body, params["boundary"])
	p, err := parts.NextRawPart()
	if err != nil {
		return nil, badRequest("multipart body: %v", err)
	}
	if p.FormName() == "message" {
		d := json.NewDecoder(io.LimitReader(p, 1<<20))
		d.DisallowUnknownFields()
		if err := d.Decode(s); err != nil {
			return nil, badRequest("part message: %v", err)
		}
		p = nil
	}
	s.Next = func() (*SubmissionPart, error) {
		part := p
		if p = nil; part == nil {
			if part, err = parts.NextRawPart(); err == io.EOF {
				return nil, err
			} else if err != nil {
				return nil, badRequest("multipart body: %v", err)
			}
		}
		return &SubmissionPart{Name: part.FileName(), MimeType: cmp.Or(part.Header.Get("Content-Type"), "application/octet-stream"), ContentID: strings.Trim(part.Header.Get("Content-Id"), "<>"), Body: requestBody{part}}, nil
	}
	return s, nil
}

// requestBody marks what goes wrong while the caller's octets are read: it is no fault of the node.
type requestBody struct{ r io.Reader }

func (b requestBody) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if err != nil && err != io.EOF {
		err = badRequest("body: %v", err)
	}
	return n, err
}

func oneOf(p SubmissionPart) func() (*SubmissionPart, error) {
	done := false
	return func() (*SubmissionPart, error) {
		if done {
			return nil, io.EOF
		}
		done = true
		return &p, nil
	}
}

func (a api) list(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	f := store.Filter{
		MessageID: q.Get("messageId"), ConversationID: q.Get("conversationId"), Peer: q.Get("peer"), PMode: q.Get("pmode"),
		Party: q.Get("party"), Participant: q.Get("participant"), Service: q.Get("service"), Action: q.Get("action"),
	}
	var err error
	if d := q.Get("direction"); d != "" {
		if f.Direction, err = store.ParseDirection(d); err != nil {
			return badRequest("direction: in or out, not %q", d)
		}
	}
	for _, name := range q["state"] {
		st, err := store.ParseState(name)
		if err != nil {
			return badRequest("state: %v", err)
		}
		f.States = append(f.States, st)
	}
	if d := q.Get("domain"); d != "" {
		f.Domains = []string{d}
	}
	var page store.Page
	for name, into := range map[string]func(int64){"before": func(v int64) { page.Before = v }, "limit": func(v int64) { page.Limit = int(v) }} {
		if s := q.Get(name); s != "" {
			v, err := strconv.ParseInt(s, 10, 64)
			if err != nil || v < 0 {
				return badRequest("%s: a whole number, not %q", name, s)
			}
			into(v)
		}
	}
	l, err := a.n.Store.List(r.Context(), f, page)
	if err != nil {
		return err
	}
	out := MessageListJSON{Messages: []MessageJSON{}, Next: l.Next}
	for _, m := range l.Messages {
		out.Messages = append(out.Messages, messageJSON(m))
	}
	return writeJSON(w, http.StatusOK, out)
}

// find takes the row number or the eb:MessageId.
func (a api) find(r *http.Request) (*store.Message, error) {
	id := r.PathValue("id")
	if row, err := strconv.ParseInt(id, 10, 64); err == nil {
		return a.n.Store.Message(r.Context(), row)
	}
	m, err := a.n.Store.ByMessageID(r.Context(), store.Out, id)
	if errors.Is(err, store.ErrNotFound) {
		m, err = a.n.Store.ByMessageID(r.Context(), store.In, id)
	}
	return m, err
}

func (a api) show(w http.ResponseWriter, r *http.Request) error {
	m, err := a.find(r)
	if err != nil {
		return err
	}
	j, err := a.n.describe(r.Context(), m)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, j)
}

func (n *Node) describe(ctx context.Context, m *store.Message) (*MessageJSON, error) {
	j := messageJSON(m)
	events, err := n.Store.Events(ctx, m.ID)
	if err != nil {
		return nil, err
	}
	for _, e := range events {
		j.Events = append(j.Events, EventJSON{e.Time, e.State.String(), e.Attempt, e.Detail})
	}
	evidence, err := n.Store.Evidence(ctx, m.ID)
	if err != nil {
		return nil, err
	}
	for _, e := range evidence {
		j.Evidence = append(j.Evidence, EvidenceJSON{string(e.Kind), e.Time, fmt.Sprintf("%x", e.SHA256), len(e.Octets)})
	}
	return &j, nil
}

func index(r *http.Request, n int) (int, error) {
	i, err := strconv.Atoi(r.PathValue("n"))
	if err != nil || i < 0 || i >= n {
		return 0, store.ErrNotFound
	}
	return i, nil
}

func (a api) payload(w http.ResponseWriter, r *http.Request) error {
	m, err := a.find(r)
	if err != nil {
		return err
	}
	i, err := index(r, len(m.Payloads))
	if err != nil {
		return err
	}
	p := m.Payloads[i]
	body, name, err := a.open(r, m, &p)
	if err != nil {
		return err
	}
	defer body.Close()
	a.n.recordBy(r.Context(), store.Actor(r.Context()), "document.read", fmt.Sprintf("%d/%d", m.ID, i+1))
	w.Header().Set("Content-Type", p.MimeType)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": cmp.Or(name, "payload-"+strconv.Itoa(i+1)+mediatype.Extension(p.MimeType))}))
	if _, err := io.Copy(w, body); err != nil {
		a.n.Log.Warn("payload not sent wholly", slog.String("msgid", m.MessageID), slog.Any("err", err))
		panic(http.ErrAbortHandler) // the client must not take a part for the whole
	}
	return nil
}

// open gives a payload out of its envelope, or with ?raw as it travelled.
func (a api) open(r *http.Request, m *store.Message, p *store.Payload) (io.ReadCloser, string, error) {
	if r.URL.Query().Has("raw") {
		body, err := a.n.OpenDocument(r.Context(), p)
		return body, p.Name, err
	}
	return a.n.handlerOf(m).Open(r.Context(), m, p)
}

func (a api) evidence(w http.ResponseWriter, r *http.Request) error {
	m, err := a.find(r)
	if err != nil {
		return err
	}
	list, err := a.n.Store.Evidence(r.Context(), m.ID)
	if err != nil {
		return err
	}
	i, err := index(r, len(list))
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/soap+xml; charset=UTF-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Write(list[i].Octets)
	return nil
}

func (a api) resend(w http.ResponseWriter, r *http.Request) error {
	m, err := a.find(r)
	if err != nil {
		return err
	}
	if err := (messages{a.n}).Resend(r.Context(), m.ID, "request"); err != nil {
		return err
	}
	if m, err = a.n.Store.Message(r.Context(), m.ID); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, messageJSON(m))
}

func (a api) confirm(w http.ResponseWriter, r *http.Request) error {
	m, err := a.find(r)
	if err != nil {
		return err
	}
	if err := (messages{a.n}).Confirm(r.Context(), m.ID, "the back office"); err != nil {
		return err
	}
	if m, err = a.n.Store.Message(r.Context(), m.ID); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, messageJSON(m))
}

func (a api) lookup(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	p, err := ids.ParseParticipant(q.Get("participant"))
	if err != nil {
		return badRequest("participant: %v", err)
	}
	var doc ids.DocumentType
	var process ids.Process
	if s := q.Get("doctype"); s != "" {
		if doc, err = ids.ParseDocumentType(s); err != nil {
			return badRequest("doctype: %v", err)
		}
	}
	if s := q.Get("process"); s != "" {
		if process, err = ids.ParseProcess(s); err != nil {
			return badRequest("process: %v", err)
		}
	}
	return writeJSON(w, http.StatusOK, a.n.LookupJSON(r.Context(), p, doc, process))
}

// register adds a document type to a participant of the node's own publisher.
func (a api) register(w http.ResponseWriter, r *http.Request) error {
	p, d, err := pathIDs(r)
	if err != nil {
		return err
	}
	var body RegistrationJSON
	dec := json.NewDecoder(io.LimitReader(r.Body, 1<<16))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&body); err != nil {
		return badRequest("body: %v", err)
	}
	process, err := ids.ParseProcess(body.Process)
	if err != nil {
		return badRequest("process: %v", err)
	}
	profile := as4.Profiles[cmp.Or(body.Profile, a.n.Config.AS4.Profile)]
	if profile == nil {
		return badRequest("profile: unknown %q", body.Profile)
	}
	if err := a.n.Register(r.Context(), p, d, process, profile); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (a api) unregister(w http.ResponseWriter, r *http.Request) error {
	p, d, err := pathIDs(r)
	if err != nil {
		return err
	}
	if err := a.n.Unregister(r.Context(), p, d); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func pathIDs(r *http.Request) (p ids.Participant, d ids.DocumentType, err error) {
	if p, err = ids.ParseParticipant(r.PathValue("participant")); err != nil {
		return p, d, badRequest("participant: %v", err)
	}
	if s := r.PathValue("doctype"); s != "" {
		if d, err = ids.ParseDocumentType(s); err != nil {
			return p, d, badRequest("document type: %v", err)
		}
	}
	return p, d, nil
}

// ParticipantListJSON lists participants by name.
type ParticipantListJSON struct {
	Participants []ParticipantJSON `json:"participants"`
}

// RegistrationJSON says how a participant takes a document type.
type RegistrationJSON struct {
	Process string `json:"process" doc:"Process identifier, scheme::value."`
	Profile string `json:"profile,omitempty" doc:"Message profile. Default: that of the node."`
}

// ParticipantJSON is one participant of the node's own publisher.
type ParticipantJSON struct {
	Participant   string   `json:"participant"`
	DocumentTypes []string `json:"documentTypes"`
}

func (a api) participants(w http.ResponseWriter, r *http.Request) error {
	if a.n.publisher == nil {
		return ErrNoPublisher
	}
	after, out := r.URL.Query().Get("after"), []ParticipantJSON{}
	names, err := a.n.Store.Participants(r.Context(), after, 200)
	if err != nil {
		return err
	}
	for _, name := range names {
		p, err := ids.ParseParticipant(name)
		if err != nil {
			return err
		}
		sg, err := a.n.publisher.pub.Group(r.Context(), p)
		if err != nil {
			return err
		}
		j := ParticipantJSON{Participant: name, DocumentTypes: []string{}}
		for _, ref := range sg.References {
			j.DocumentTypes = append(j.DocumentTypes, ref.DocumentType.String())
		}
		out = append(out, j)
	}
	return writeJSON(w, http.StatusOK, ParticipantListJSON{out})
}

// LookupJSON is the answer of a lookup, in the API and on the command line.
type LookupJSON struct {
	Participant   string       `json:"participant"`
	Steps         []LookupStep `json:"steps"`
	DocumentTypes []string     `json:"documentTypes,omitempty"`
	Endpoint      string       `json:"endpoint,omitempty"`
	Transport     string       `json:"transport,omitempty"`
	Certificate   string       `json:"certificate,omitempty"`
	Error         *apiError    `json:"error"`
}

// LookupJSON looks a participant up and tells every step.
func (n *Node) LookupJSON(ctx context.Context, p ids.Participant, d ids.DocumentType, process ids.Process) *LookupJSON {
	return n.directory.LookupJSON(ctx, p, d, process)
}

// LookupJSON looks a participant up and tells every step.
func (d *Directory) LookupJSON(ctx context.Context, p ids.Participant, doc ids.DocumentType, process ids.Process) *LookupJSON {
	j := &LookupJSON{Participant: p.String(), Steps: []LookupStep{}}
	f, err := d.Lookup(ctx, p, doc, process, nil)
	j.Steps = append(j.Steps, f.Steps...)
	for _, t := range f.Types {
		j.DocumentTypes = append(j.DocumentTypes, t.String())
	}
	if f.Endpoint != nil {
		j.Endpoint, j.Transport = f.Endpoint.URL, f.Endpoint.TransportProfile
		if c := f.Endpoint.Signing(); c != nil {
			j.Certificate = c.Subject.String()
		}
	}
	if err != nil {
		e := notFound(err).(*RefusedError)
		j.Error = &apiError{Code: e.Code, Text: e.Text, Remedy: e.Remedy}
	}
	return j
}
