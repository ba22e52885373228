package console

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/node/store"
)

// groups of states as people ask for them, by direction: 0 for both.
var stateGroups = []struct {
	Name   string
	States []store.State
}{
	{"open", []store.State{store.Accepted, store.Queued, store.Sending, store.Sent, store.Received, store.Retrying}},
	{"retrying", []store.State{store.Retrying}},
	{"failed", []store.State{store.Failed, store.Rejected}},
	{"done", []store.State{store.Acknowledged, store.AcknowledgedWithoutReceipt, store.Delivered, store.Confirmed}},
	{"delivered", []store.State{store.Delivered}},
	{"confirmed", []store.State{store.Confirmed}},
}

// search is what the list is asked for.
type search struct {
	Text      string // message id, conversation, participant or party
	Direction string
	Group     string
	Domain    string
	Partner   string // party, in From or To
	Since     string // days, inclusive
	Until     string
	Test      string // "", "yes" or "no"
	Before    int64
}

type messagesData struct {
	Search  search
	Groups  []string
	Domains []string
	Rows    []*store.Message
	FoundAs string // key of what the text turned out to be
	Next    string // query of the next page
	Newest  string // query of the first page, where this is another
	Partial bool   // the page was cut before it was full: there may be more
	Filters int    // how many are set beside the text
	Problem string // key of what is wrong with the question
	Sends   bool   // messages are sent here
}

// pageSize of lists.
const pageSize = 50

func (c *Console) messages(x *call) error {
	q := x.r.URL.Query()
	s := search{
		Text: clip(strings.TrimSpace(q.Get("q")), 500), Direction: q.Get("direction"), Group: q.Get("group"), Domain: clip(q.Get("domain"), 200),
		Partner: clip(strings.TrimSpace(q.Get("partner")), 300), Since: q.Get("since"), Until: q.Get("until"), Test: q.Get("test"),
	}
	s.Before, _ = strconv.ParseInt(q.Get("before"), 10, 64)
	if id, err := strconv.ParseInt(s.Text, 10, 64); err == nil && id > 0 {
		if _, err := c.opt.Store.Message(x.r.Context(), id); err == nil {
			return x.redirect(messagePath(id))
		}
	}
	d := &messagesData{Search: s, Sends: c.opt.Post != nil}
	for _, g := range stateGroups {
		d.Groups = append(d.Groups, g.Name)
	}
	var err error
	if d.Domains, err = c.domains(x.r.Context()); err != nil {
		return err
	}
	f, key := s.filter()
	if d.Problem = key; key == "" {
		if err := c.find(x.r.Context(), d, f); err != nil {
			return err
		}
	}
	for _, v := range []string{s.Direction, s.Group, s.Domain, s.Partner, s.Since, s.Until, s.Test} {
		if v != "" {
			d.Filters++
		}
	}
	return x.show(http.StatusOK, "messages", view{Title: "nav.messages", Data: d})
}

// domains are those that have messages.
func (c *Console) domains(ctx context.Context) (out []string, err error) {
	counts, err := c.opt.Store.Counts(ctx)
	for _, k := range counts {
		if k.Domain != "" && !slices.Contains(out, k.Domain) {
			out = append(out, k.Domain)
		}
	}
	return out, err
}

// filter turns what was asked into what the store understands, or returns the key of what is wrong.
func (s *search) filter() (f store.Filter, problem string) {
	var err error
	if s.Direction != "" {
		if f.Direction, err = store.ParseDirection(s.Direction); err != nil {
			return f, "search.bad-direction"
		}
	}
	if s.Group != "" {
		i := slices.IndexFunc(stateGroups, func(g struct {
			Name   string
			States []store.State
		}) bool {
			return g.Name == s.Group
		})
		if i < 0 {
			return f, "search.bad-state"
		}
		f.States = stateGroups[i].States
	}
	if s.Domain != "" {
		f.Domains = []string{s.Domain}
	}
	f.Party = s.Partner
	if s.Since != "" {
		if f.Since, err = time.Parse(time.DateOnly, s.Since); err != nil {
			return f, "search.bad-day"
		}
	}
	if s.Until != "" {
		if f.Until, err = time.Parse(time.DateOnly, s.Until); err != nil {
			return f, "search.bad-day"
		}
		f.Until = f.Until.AddDate(0, 0, 1)
	}
	switch s.Test {
	case "":
	case "yes", "no":
		test := s.Test == "yes"
		f.Test = &test
	default:
		return f, "search.bad-test"
	}
	return f, ""
}

// query keeps what was asked for in the links to other pages of the list.
func (s search) query(before int64) string {
	v := url.Values{}
	for name, value := range map[string]string{"q": s.Text, "direction": s.Direction, "group": s.Group, "domain": s.Domain,
		"partner": s.Partner, "since": s.Since, "until": s.Until, "test": s.Test} {
		if value != "" {
			v.Set(name, value)
		}
	}
	if before > 0 {
		v.Set("before", strconv.FormatInt(before, 10))
	}
	return "messages?" + v.Encode()
}

// find tries what the text may be, the most exact first.
func (c *Console) find(ctx context.Context, d *messagesData, f store.Filter) error {
	tries := []store.Filter{f}
	if text := d.Search.Text; text != "" {
		byID, byConversation := f, f
		byID.MessageID, byConversation.ConversationID, f.Any = text, text, text
		tries = []store.Filter{byID, byConversation, f}
	}
	for i, try := range tries {
		l, err := c.opt.Store.List(ctx, try, store.Page{Before: d.Search.Before, Limit: pageSize})
		if err != nil {
			return err
		}
		if len(l.Messages) == 0 && i < len(tries)-1 {
			continue
		}
		d.Rows, d.FoundAs = l.Messages, foundAs(try, l.Messages)
		if l.Next != 0 {
			d.Next, d.Partial = d.Search.query(l.Next), len(l.Messages) < pageSize
		}
		break
	}
	if d.Search.Before > 0 {
		d.Newest = d.Search.query(0)
	}
	return nil
}

// foundAs is the key of what the text turned out to be.
func foundAs(f store.Filter, found []*store.Message) string {
	switch {
	case len(found) == 0:
		return ""
	case f.MessageID != "":
		return "found.message"
	case f.ConversationID != "":
		return "found.conversation"
	case f.Any == "":
		return ""
	}
	switch m := found[0]; f.Any {
	case m.Sender, m.Receiver:
		return "found.participant"
	case m.From, m.To:
		return "found.party"
	case m.Action:
		return "found.action"
	}
	return "found.peer"
}

type messageData struct {
	M          *store.Message
	Events     []event
	Evidence   []store.Evidence
	Properties []property
	Header     string
	Remedy     string
	RemedyKey  string // text of the remedy in the language of the page
	Threads    bool   // the domain may know the business process
	Judged     bool   // documents are judged here
	CanResend  bool
	CanConfirm bool
	CanReply   bool
	Again      bool // an incoming message, whose resend is another delivery
}

// event is one step of the journey.
type event struct {
	store.Event
	Since    time.Duration // from the step before
	Evidence []int         // that came with it
}

func (c *Console) message(x *call) error {
	id, err := x.row()
	if err != nil {
		return err
	}
	ctx := x.r.Context()
	m, err := c.opt.Store.Message(ctx, id)
	if err != nil {
		return err
	}
	events, err := c.opt.Store.Events(ctx, id)
	if err != nil {
		return err
	}
	d := &messageData{M: m, Header: indent(m.Header), Properties: properties(m.Header)}
	if d.Evidence, err = c.opt.Store.Evidence(ctx, id); err != nil {
		return err
	}
	d.Events = journey(events, d.Evidence)
	if key := "remedy." + m.Error.Code; x.page.has(key) {
		d.RemedyKey = key
	}
	d.Remedy = m.Error.Remedy
	d.Threads = c.opt.Threads != nil && m.Domain != "" && !m.Test
	d.Judged = c.opt.Acceptance != nil && len(m.Payloads) > 0
	d.Again = m.Direction == store.In
	d.CanResend = resendable(m)
	d.CanReply = c.opt.Post != nil && answerable(m)
	d.CanConfirm = m.Direction == store.In && m.State != store.Confirmed && m.State.May(store.In, store.Confirmed)
	return x.show(http.StatusOK, "message", view{Title: "message.title", Name: shorten(m.MessageID, 40), Data: d})
}

// resendable says whether a person may start a message again: it failed, waits for its next attempt, or was delivered
// but not confirmed.
func resendable(m *store.Message) bool {
	switch {
	case m.State == store.Failed, m.State == store.Retrying:
		return true
	case m.Direction == store.In:
		return m.State == store.Delivered
	}
	return false
}

// journey puts each piece of evidence to the last step that was not after it.
func journey(events []store.Event, evidence []store.Evidence) []event {
	out := make([]event, len(events))
	for i, e := range events {
		out[i].Event = e
		if i > 0 {
			out[i].Since = e.Time.Sub(events[i-1].Time)
		}
	}
	for n, e := range evidence {
		for i := len(out) - 1; i >= 0; i-- {
			if !out[i].Time.After(e.Time) || i == 0 {
				out[i].Evidence = append(out[i].Evidence, n)
				break
			}
		}
	}
	return out
}

func (c *Console) resend(x *call) error {
	return x.change(c.opt.Messages.Resend, "message.resend", "done.resend")
}

func (c *Console) confirm(x *call) error {
	return x.change(c.opt.Messages.Confirm, "message.confirm", "done.confirm")
}

func (x *call) change(do func(ctx context.Context, id int64, who string) error, what, done string) error {
	id, err := x.row()
	if err != nil {
		return err
	}
	if err := do(x.r.Context(), id, x.who.User); err != nil {
		return err
	}
	x.act(what, strconv.FormatInt(id, 10))
	return x.done(messagePath(id), done)
}
