package backoffice

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Trusted is one certificate that the gateway trusts, under the name it has there.
type Trusted struct {
	Name        string
	Certificate *pki.Certificate
}

// restError is a refusal in this interface's form.
type restError struct {
	status int
	text   string
}

func (e *restError) Error() string { return "backoffice: " + e.text }

func (s *Service) restRoutes(mux *http.ServeMux) {
	const base = "/domibus/ext/"
	type route struct {
		admin bool
		most  int64 // octets of a body
		do    func(*call, http.ResponseWriter, *http.Request) error
	}
	routes := map[string]route{}
	for pattern, do := range administration(base) {
		routes[pattern] = route{true, uploadMost + 1<<20, do}
	}
	for pattern, r := range map[string]struct {
		admin bool
		do    func(*call, http.ResponseWriter, *http.Request) error
	}{
		"GET " + base + "monitoring/application/status":                      {false, (*call).applicationStatus},
		"GET " + base + "messages/usermessages/{messageId}":                  {false, (*call).userMessage},
		"GET " + base + "messages/usermessages/{messageId}/envelope":         {false, (*call).userEnvelope},
		"GET " + base + "messages/usermessages/{messageId}/signalEnvelope":   {false, (*call).signalEnvelope},
		"GET " + base + "monitoring/messages/failed":                         {false, (*call).failedMessages},
		"GET " + base + "monitoring/messages/failed/{messageId}/elapsedtime": {false, (*call).elapsed},
		"PUT " + base + "monitoring/messages/failed/{messageId}/restore":     {false, (*call).restore},
		"POST " + base + "monitoring/messages/failed/restore":                {true, (*call).restoreMany},
		"GET " + base + "monitoring/messages/{messageId}/attempts":           {false, (*call).attempts},
	} {
		routes[pattern] = route{r.admin, 1 << 20, r.do}
	}
	for pattern, r := range routes {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, req *http.Request) {
			if _, _, ok := req.BasicAuth(); !ok {
				w.WriteHeader(http.StatusForbidden) // without a body, as it is there
				return
			}
			who, err := s.authenticate(req)
			if err != nil {
				w.WriteHeader(http.StatusForbidden)
				return
			}
			if r.admin && who.originalUser != "" {
				err = &restError{http.StatusUnauthorized, "this needs an administrator"}
			} else {
				req.Body = http.MaxBytesReader(w, req.Body, r.most)
				err = r.do(&call{s: s, caller: who}, w, req.WithContext(who.onBehalf(req.Context())))
			}
			if err != nil {
				s.restProblem(w, req, err)
			}
		})
	}
}

func (s *Service) restProblem(w http.ResponseWriter, r *http.Request, err error) {
	status, text := http.StatusInternalServerError, "the call could not be done; the log says more"
	var e *restError
	var f *fault
	var upload *UploadError
	switch {
	case errors.As(err, &e):
		status, text = e.status, e.text
	case errors.As(err, &upload):
		status, text = http.StatusBadRequest, strings.Join(upload.Issues, "; ")
	case errors.As(err, &f):
		status, text = http.StatusBadRequest, f.Message
		if f.Code == codeAuthorization {
			status = http.StatusUnauthorized
		}
	case errors.Is(err, store.ErrNotFound):
		status, text = http.StatusNotFound, "there is no such message"
	case errors.Is(err, store.ErrTransition):
		status, text = http.StatusConflict, "the message is not in a state that allows this"
	}
	if status == http.StatusInternalServerError {
		s.Log.LogAttrs(r.Context(), slog.LevelError, "back office call failed", slog.String("path", r.URL.Path), slog.Any("err", err))
	}
	writeJSON(w, status, map[string]string{"message": text})
}

func writeJSON(w http.ResponseWriter, status int, v any) error {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	return json.NewEncoder(w).Encode(v)
}

// message finds the message in the path. The parameter mshRole says which side is meant.
func (c *call) message(r *http.Request) (*store.Message, error) {
	role := r.URL.Query().Get("mshRole")
	if role != "" && role != "SENDING" && role != "RECEIVING" {
		return nil, &restError{http.StatusBadRequest, "mshRole is SENDING or RECEIVING"}
	}
	m, err := c.s.find(r.Context(), r.PathValue("messageId"), role)
	if err == nil && !c.sees(m) {
		return nil, &restError{http.StatusUnauthorized, "the message belongs to another user"}
	}
	return m, err
}

// applicationStatus tells whether the parts work. The filter may name one of them.
func (c *call) applicationStatus(w http.ResponseWriter, r *http.Request) error {
	type service struct {
		Name   string `json:"name"`
		Status string `json:"status"`
	}
	list := []service{}
	add := func(filter, name string, err error) {
		if f := r.URL.Query().Get("filter"); f != "" && f != "all" && f != filter {
			return
		}
		s := service{name, "NORMAL"}
		if err != nil {
			s.Status = "ERROR"
		}
		list = append(list, s)
	}
	_, err := c.s.Store.Counts(r.Context())
	add("db", "Database", err)
	_, err = c.s.Store.NextTask(r.Context(), queueLocal)
	if errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	add("jmsBroker", "Queues", err) // the store is the queue
	return writeJSON(w, http.StatusOK, map[string]any{"services": list})
}

// The header as JSON, in the shape that clients of that interface know.
type (
	propertyJSON struct {
		Name  string `json:"name"`
		Value string `json:"value"`
		Type  string `json:"type,omitempty"`
	}
	propertiesJSON struct {
		Property []propertyJSON `json:"property"`
	}
	partyJSON struct {
		PartyID []valueJSON `json:"partyId"`
		Role    string      `json:"role"`
	}
	valueJSON struct {
		Value string `json:"value"`
		Type  string `json:"type,omitempty"`
	}
)

func properties(list []ebms.Property) propertiesJSON {
	out := propertiesJSON{Property: []propertyJSON{}}
	for _, p := range list {
		if p.Name != ebms.PropertyCompressionType {
			out.Property = append(out.Property, propertyJSON{p.Name, p.Value, p.Type})
		}
	}
	return out
}

func party(p ebms.Party) partyJSON {
	out := partyJSON{Role: p.Role, PartyID: []valueJSON{}}
	for _, id := range p.IDs {
		out.PartyID = append(out.PartyID, valueJSON{id.Value, id.Type})
	}
	return out
}

func (c *call) userMessage(w http.ResponseWriter, r *http.Request) error {
	m, err := c.message(r)
	if err != nil {
		return err
	}
	um, err := c.s.Gateway.Header(m)
	if err != nil {
		return err
	}
	parts := []map[string]any{}
	for i := range um.Parts {
		p := &um.Parts[i]
		parts = append(parts, map[string]any{"href": p.Href, "inBody": p.InBody(), "partProperties": properties(p.Properties)})
	}
	collaboration := map[string]any{"conversationId": um.ConversationID, "action": um.Action, "service": valueJSON(um.Service)}
	if um.Agreement != nil {
		collaboration["agreementRef"] = map[string]string{"value": um.Agreement.Value, "type": um.Agreement.Type}
	}
	return writeJSON(w, http.StatusOK, map[string]any{
		"mpc":               um.Channel(),
		"messageInfo":       map[string]any{"timestamp": um.Timestamp, "messageId": um.MessageID, "refToMessageId": um.RefToMessageID},
		"partyInfo":         map[string]any{"from": party(um.From), "to": party(um.To)},
		"collaborationInfo": collaboration,
		"messageProperties": properties(um.Properties),
		"payloadInfo":       map[string]any{"partInfo": parts},
	})
}

// userEnvelope is the envelope as it came, or the header block as it was sent.
func (c *call) userEnvelope(w http.ResponseWriter, r *http.Request) error {
	m, err := c.message(r)
	if err != nil {
		return err
	}
	octets := m.Header
	if m.Direction == store.Out {
		octets = nil
		list, err := c.s.Store.Evidence(r.Context(), m.ID)
		if err != nil {
			return err
		}
		for _, e := range list {
			if e.Kind == store.KindNonRepudiation {
				octets = e.Octets
			}
		}
		if octets == nil {
			x := dom.NewWriter(nil)
			x.Start("S12:Envelope", "xmlns:S12", ebms.NSSOAP)
			x.Start("S12:Header")
			x.Start("eb:Messaging", "xmlns:eb", ebms.NS, "S12:mustUnderstand", "true")
			x.Raw(m.Header)
			x.End()
			x.End()
			x.Element("S12:Body", "")
			x.End()
			octets = x.Bytes()
		}
	}
	return writeXML(w, octets)
}

func writeXML(w http.ResponseWriter, octets []byte) error {
	w.Header().Set("Content-Type", "application/xml")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, err := w.Write(octets)
	return err
}

func (c *call) signalEnvelope(w http.ResponseWriter, r *http.Request) error {
	m, err := c.message(r)
	if err != nil {
		return err
	}
	list, err := c.s.Store.Evidence(r.Context(), m.ID)
	if err != nil {
		return err
	}
	for _, e := range list {
		if e.Kind == store.KindReceipt {
			return writeXML(w, e.Octets)
		}
	}
	return &restError{http.StatusNotFound, "the message has no receipt"}
}

// each visits failed messages that the caller sees, newest first.
func (c *call) each(r *http.Request, f store.Filter, do func(*store.Message) error) error {
	f.Direction, f.States = store.Out, []store.State{store.Failed, store.Rejected}
	for page := (store.Page{Limit: 1000}); ; {
		l, err := c.s.Store.List(r.Context(), f, page)
		if err != nil {
			return err
		}
		for _, m := range l.Messages {
			if c.sees(m) {
				if err := do(m); err != nil {
					return err
				}
			}
		}
		if page.Before = l.Next; l.Next == 0 {
			return nil
		}
	}
}

func (c *call) failedMessages(w http.ResponseWriter, r *http.Request) error {
	ids, recipient := []string{}, r.URL.Query().Get("finalRecipient")
	err := c.each(r, store.Filter{}, func(m *store.Message) error {
		if recipient == "" || sameCorner(m.Receiver, recipient) {
			ids = append(ids, m.MessageID)
		}
		return nil
	})
	if err != nil {
		return err
	}
	slices.Reverse(ids)
	return writeJSON(w, http.StatusOK, ids)
}

// failedOne finds the failed message in the path.
func (c *call) failedOne(r *http.Request) (*store.Message, error) {
	m, err := c.s.find(r.Context(), r.PathValue("messageId"), "SENDING")
	switch {
	case err != nil:
		return nil, err
	case !c.sees(m):
		return nil, &restError{http.StatusUnauthorized, "the message belongs to another user"}
	case m.State != store.Failed:
		return nil, &restError{http.StatusConflict, "the message has not failed: it is " + c.s.status(m)}
	}
	return m, nil
}

func (c *call) elapsed(w http.ResponseWriter, r *http.Request) error {
	m, err := c.failedOne(r)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, c.s.Clock().Sub(m.Updated).Milliseconds())
}

func (c *call) restore(w http.ResponseWriter, r *http.Request) error {
	m, err := c.failedOne(r)
	if err != nil {
		return err
	}
	if err := c.s.Gateway.Resend(r.Context(), m.ID); err != nil {
		return err
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

// restoreMany starts again what failed in a time: it answers the ids.
func (c *call) restoreMany(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		From string `json:"fromDate"`
		To   string `json:"toDate"`
	}
	b, err := io.ReadAll(r.Body)
	if err != nil || json.Unmarshal(b, &body) != nil {
		return &restError{http.StatusBadRequest, "the body is no JSON with fromDate and toDate"}
	}
	from, err1 := parseDate(body.From)
	to, err2 := parseDate(body.To)
	if err1 != nil || err2 != nil || to.Before(from) {
		return &restError{http.StatusBadRequest, "fromDate and toDate are written as 2026-11-28 or 2026-11-28T14H, the earlier one first"}
	}
	ids := []string{}
	err = c.each(r, store.Filter{Since: from, Until: to}, func(m *store.Message) error {
		if m.State != store.Failed {
			return nil
		}
		if err := c.s.Gateway.Resend(r.Context(), m.ID); err != nil && !errors.Is(err, store.ErrTransition) {
			return err
		}
		ids = append(ids, m.MessageID)
		return nil
	})
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, ids)
}

// parseDate reads a day or an hour.
func parseDate(s string) (time.Time, error) {
	if t, err := time.ParseInLocation("2006-01-02T15H", s, time.Local); err == nil {
		return t, nil
	}
	return time.ParseInLocation("2006-01-02", s, time.Local)
}

func (c *call) attempts(w http.ResponseWriter, r *http.Request) error {
	m, err := c.message(r)
	if err != nil {
		return err
	}
	events, err := c.s.Store.Events(r.Context(), m.ID)
	if err != nil {
		return err
	}
	type attempt struct {
		MessageID string `json:"messageId"`
		Start     int64  `json:"startDate"`
		End       int64  `json:"endDate"`
		Status    string `json:"status"`
		Error     string `json:"error"`
	}
	list := []attempt{}
	started := time.Time{}
	for _, e := range events {
		switch e.State {
		case store.Sending:
			started = e.Time
		case store.Acknowledged, store.AcknowledgedWithoutReceipt, store.Retrying, store.Failed, store.Rejected:
			if started.IsZero() {
				started = e.Time
			}
			a := attempt{m.MessageID, started.UnixMilli(), e.Time.UnixMilli(), "SUCCESS", e.Detail}
			if e.State != store.Acknowledged {
				a.Status = "ERROR"
			}
			list = append(list, a)
			started = time.Time{}
		}
	}
	return writeJSON(w, http.StatusOK, list)
}
