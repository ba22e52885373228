package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/acceptance"
)

var messageCommand = &command{
	name: "message", summary: "works with the messages of a running node: send, list, show, wait, resend.",
	example: "viadukt message send invoice.xml --wait --config ee/viadukt.yaml",
	sub: []*command{
		{name: "send", summary: "hands a document, or a message of several files, to the node and says where it stands.", args: "FILE...",
			help: `A business document needs nothing beside it: sender, receiver and kind stand in it, and the receiver's access point
is looked up. With --pmode, files of any kind go to the partner of that P-Mode as one message.`,
			example: "viadukt message send invoice.xml --wait\nviadukt message send letter.xml annex.pdf --pmode letters --sender urn:id::a --receiver urn:id::b", prepare: prepareSend},
		{name: "list", summary: "lists messages, the newest first.", example: "viadukt message list --direction in --state delivered", prepare: prepareList},
		{name: "show", summary: "tells everything about a message, or writes out its documents and evidence.", args: "ID",
			example: "viadukt message show 17\nviadukt message show 17 --payload 1 --out invoice.xml\nviadukt message show 17 --evidence 1", prepare: prepareShow},
		{name: "thread", summary: "lists the documents of the business process that a message belongs to.", args: "ID",
			help:    `From the tender to the answer to the invoice, in the order in which the node got them: what each one is, what it is about, what an answer says, and how an invoice differs from what was ordered.`,
			example: "viadukt message thread 17", prepare: prepareThread},
		{name: "judge", summary: "says of each document of a message whether it can be taken as it is, and what to ask for.", args: "ID",
			help: `Each document is judged as it stood when the message came: is its format known and what its name claims, does it obey the rules for such
documents, do its signatures hold, and does somebody whom the node trusts vouch for who signed. The exit status is 1 when a document should not be taken.`,
			example: "viadukt message judge 17", prepare: prepareJudge},
		{name: "wait", summary: "waits until a message has arrived at its goal, or has failed.", args: "ID", example: "viadukt message wait 17 --timeout 1m", prepare: prepareWait},
		{name: "sample", summary: "writes a document to try things out with.", args: "KIND", help: "The parties in it are invented. Kinds: " + strings.Join(sampleKinds, ", ") + ".",
			example: "viadukt message sample invoice > invoice.xml", prepare: prepareSample},
		{name: "resend", summary: "tries a failed message again, from the beginning.", args: "ID", example: "viadukt message resend 17", prepare: prepareResend},
	},
}

// submission are the fields of a message that a sender may give; see node.Submission.
var submission = []struct{ flag, field, help string }{
	{"pmode", "pmode", "agreement to send by; without it the receiver is looked up"},
	{"domain", "domain", "domain that the document belongs to, where the node has several"},
	{"sender", "sender", "who sends, scheme::value"},
	{"receiver", "receiver", "who gets it, scheme::value"},
	{"country", "country", "country of the sender"},
	{"service", "service", "service of the message"},
	{"service-type", "serviceType", "type of the service"},
	{"action", "action", "action of the message"},
	{"conversation", "conversationId", "conversation that the message belongs to"},
	{"ref-to", "refToMessageId", "message id that this one answers"},
	{"message-id", "messageId", "message id to use"},
}

func prepareSend(c *call) func() error {
	c.least, c.most = 1, -1
	c.jsonFlag()
	open := c.apiFlags()
	values := map[string]*string{}
	for _, f := range submission {
		values[f.field] = c.String(f.flag, "", f.help)
	}
	wait := c.Bool("wait", false, "wait for the receipt")
	timeout := c.Duration("timeout", 5*time.Minute, "give up waiting after this `time`")
	return func() error {
		a, err := open()
		if err != nil {
			return err
		}
		fields := map[string]string{}
		for k, v := range values {
			if *v != "" {
				fields[k] = *v
			}
		}
		m, err := a.upload(c.values, fields)
		if err != nil {
			return err
		}
		if !*wait {
			if c.json {
				return c.print(m)
			}
			c.printf("message %d is stored and will be sent: %s\n", m.ID, m.MessageID)
			return nil
		}
		if !c.json {
			c.printf("message %d is stored: %s\n", m.ID, m.MessageID)
		}
		return c.wait(a, strconv.FormatInt(m.ID, 10), *timeout)
	}
}

func prepareList(c *call) func() error {
	c.jsonFlag()
	open := c.apiFlags()
	limit := c.Int("limit", 50, "at most this `number` of messages")
	filters := map[string]*string{}
	for _, f := range [][2]string{
		{"direction", "in or out"}, {"state", "state, or several with commas between"}, {"peer", "access point at the other end"}, {"pmode", "agreement"},
		{"participant", "sender or receiver, scheme::value"}, {"conversation", "conversation"}, {"domain", "domain"}, {"service", "service"}, {"action", "action"},
	} {
		filters[f[0]] = c.String(f[0], "", "only messages of this `"+f[0]+"`: "+f[1])
	}
	return func() error {
		a, err := open()
		if err != nil {
			return err
		}
		q := url.Values{"limit": {strconv.Itoa(*limit)}}
		for name, v := range filters {
			switch {
			case *v == "":
			case name == "state":
				q["state"] = strings.Split(*v, ",")
			case name == "conversation":
				q.Set("conversationId", *v)
			default:
				q.Set(name, *v)
			}
		}
		var l struct {
			Messages []node.MessageJSON `json:"messages"`
		}
		if err := a.get("/messages", q, &l); err != nil {
			return err
		}
		paint := c.p.paint(c.p.out)
		for i := range l.Messages {
			m := &l.Messages[i]
			if c.json {
				if err := c.print(m); err != nil {
					return err
				}
				continue
			}
			arrow, other := "→", firstOf(m.Receiver, m.To)
			if m.Direction == "in" {
				arrow, other = "←", firstOf(m.Sender, m.From)
			}
			c.printf("%5d  %s  %s  %s %s  %s\n", m.ID, m.Created.Local().Format(time.DateTime), paint.state(m.State, 12), arrow, other, shortAction(m.Action))
		}
		if len(l.Messages) == 0 && !c.json {
			c.printf("no messages\n")
		}
		return nil
	}
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// shortAction names the document of a long document type identifier.
func shortAction(action string) string {
	if _, rest, ok := strings.Cut(action, "::"); ok && len(action) > 60 {
		if root, _, ok := strings.Cut(rest, "##"); ok {
			_, local, _ := strings.Cut(root, "::")
			return local
		}
	}
	return action
}

// state is a state in its colour.
func (p paint) state(s string, width int) string {
	padded := fmt.Sprintf("%-*s", width, s)
	switch s {
	case "acknowledged", "delivered", "confirmed":
		return p.ok(padded)
	case "failed", "rejected":
		return p.bad(padded)
	}
	return p.warn(padded)
}

func prepareShow(c *call) func() error {
	c.least, c.most = 1, 1
	c.jsonFlag()
	open := c.apiFlags()
	payload := c.Int("payload", 0, "write out the document with this `number`, from 1")
	evidence := c.Int("evidence", 0, "write out the evidence with this `number`, from 1")
	raw := c.Bool("raw", false, "with --payload: as it travelled, in its envelope")
	out := c.String("out", "", "write to this `file` instead of standard output")
	return func() error {
		a, err := open()
		if err != nil {
			return err
		}
		path := "/messages/" + url.PathEscape(c.values[0])
		switch {
		case *payload > 0:
			q := url.Values{}
			if *raw {
				q.Set("raw", "")
			}
			return c.save(a, fmt.Sprintf("%s/payloads/%d", path, *payload-1), q, *out)
		case *evidence > 0:
			return c.save(a, fmt.Sprintf("%s/evidence/%d", path, *evidence-1), nil, *out)
		}
		var m node.MessageJSON
		if err := a.get(path, nil, &m); err != nil {
			return err
		}
		if c.json {
			return c.print(m)
		}
		c.describe(&m)
		return nil
	}
}

func prepareThread(c *call) func() error {
	c.least, c.most = 1, 1
	c.jsonFlag()
	open := c.apiFlags()
	return func() error {
		a, err := open()
		if err != nil {
			return err
		}
		var t node.ThreadJSON
		if err := a.get("/messages/"+url.PathEscape(c.values[0])+"/thread", nil, &t); err != nil {
			return err
		}
		if c.json {
			return c.print(t)
		}
		paint := c.p.paint(c.p.out)
		for _, d := range t.Documents {
			arrow := "→"
			if d.Message.Direction == "in" {
				arrow = "←"
			}
			what := strings.TrimSpace(firstOf(d.Type, shortAction(d.Message.Action)) + " " + d.Number)
			if d.Says != "" {
				what += ", " + d.Says
			}
			if d.Amount != "" {
				what += ", " + d.Amount
			}
			if len(d.About) > 0 {
				what += paint.dim(" (about " + strings.Join(d.About, ", ") + ")")
			}
			c.printf("%5d  %s  %s  %s %s\n", d.Message.ID, d.Message.Created.Local().Format(time.DateTime), paint.state(d.Message.State, 12), arrow, what)
			c.describeDifferences(d.Findings, "       ")
		}
		if t.Partial {
			c.printf("there are more\n")
		}
		return nil
	}
}

func prepareJudge(c *call) func() error {
	c.least, c.most = 1, 1
	c.jsonFlag()
	open := c.apiFlags()
	language := c.String("language", "en", "`language` of the texts: "+strings.Join(acceptance.Languages, ", "))
	return func() error {
		if !slices.Contains(acceptance.Languages, *language) {
			return usage("--language: there is no %q; there are %s", *language, strings.Join(acceptance.Languages, ", "))
		}
		a, err := open()
		if err != nil {
			return err
		}
		var r node.AcceptanceJSON
		if err := a.get("/messages/"+url.PathEscape(c.values[0])+"/acceptance", url.Values{"language": {*language}}, &r); err != nil {
			return err
		}
		if c.json {
			if err := c.print(r); err != nil {
				return err
			}
		} else {
			c.describeAcceptance(&r)
		}
		if r.Outcome == acceptance.Bad {
			return refusal
		}
		return nil
	}
}

func (c *call) describeAcceptance(r *node.AcceptanceJSON) {
	paint := c.p.paint(c.p.out)
	mark := map[acceptance.Outcome]string{acceptance.None: paint.dim("–"), acceptance.Good: paint.ok("✓"), acceptance.Doubtful: paint.warn("?"), acceptance.Bad: paint.bad("✗")}
	for i, d := range r.Documents {
		c.printf("%s %s\n", mark[d.Outcome], firstOf(d.Name, fmt.Sprintf("document %d", i+1)))
		for _, k := range d.Checks {
			c.printf("    %s %-9s  %s\n", mark[k.Outcome], k.Subject, k.Text)
			if k.Ask != "" {
				c.printf("                 %s\n", paint.dim(k.Ask))
			}
		}
	}
}

// save writes the octets of an answer to a file, or to standard output.
func (c *call) save(a *api, path string, q url.Values, out string) error {
	body, err := a.do(http.MethodGet, path, q, nil, nil)
	if err != nil {
		return err
	}
	defer body.Close()
	if out == "" {
		_, err := io.Copy(c.p.out, body)
		return err
	}
	f, err := os.Create(out)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := io.Copy(f, body); err != nil {
		return err
	}
	return f.Close()
}

// describe tells a person everything about a message.
func (c *call) describe(m *node.MessageJSON) {
	paint := c.p.paint(c.p.out)
	line := func(name, format string, args ...any) {
		c.printf("  %-13s %s\n", name, fmt.Sprintf(format, args...))
	}
	c.printf("Message %d, %s: %s\n", m.ID, m.Direction, paint.state(m.State, 0))
	line("message id", "%s", m.MessageID)
	line("conversation", "%s", m.Conversation)
	if m.RefTo != "" {
		line("answers", "%s", m.RefTo)
	}
	line("from", "%s  (access point %s)", firstOf(m.Sender, "-"), m.From)
	line("to", "%s  (access point %s)", firstOf(m.Receiver, "-"), m.To)
	line("service", "%s", m.Service)
	line("action", "%s", m.Action)
	if m.PMode != "" {
		line("P-Mode", "%s", m.PMode)
	}
	for i, p := range m.Payloads {
		line(fmt.Sprintf("payload %d", i+1), "%s  %s  %s  SHA-256 %.16s…", firstOf(p.Name, p.ContentID), p.MimeType, octets(max(p.PlainSize, p.Size)), p.SHA256)
	}
	for i, e := range m.Evidence {
		line(fmt.Sprintf("evidence %d", i+1), "%s  %s  SHA-256 %.16s…", e.Kind, octets(int64(e.Size)), e.SHA256)
	}
	c.printf("  history\n")
	for _, e := range m.Events {
		c.printf("    %s  %s  %s\n", e.Time.Local().Format("2006-01-02 15:04:05.000"), paint.state(e.State, 12), e.Detail)
	}
	if m.NextAttempt != nil {
		line("next attempt", "%s", m.NextAttempt.Local().Format(time.DateTime))
	}
	if m.Error != nil {
		line("problem", "%s %s", m.Error.Code, m.Error.Text)
		if m.Error.Remedy != "" {
			line("remedy", "%s", m.Error.Remedy)
		}
	}
}

func prepareWait(c *call) func() error {
	c.least, c.most = 1, 1
	c.jsonFlag()
	open := c.apiFlags()
	timeout := c.Duration("timeout", 5*time.Minute, "give up after this `time`")
	return func() error {
		a, err := open()
		if err != nil {
			return err
		}
		return c.wait(a, c.values[0], *timeout)
	}
}

// wait asks until the message is where no more happens by itself, more seldom as time goes on.
func (c *call) wait(a *api, id string, timeout time.Duration) error {
	end, pause, said := time.Now().Add(timeout), 10*time.Millisecond, ""
	for {
		var m node.MessageJSON
		if err := a.get("/messages/"+url.PathEscape(id), nil, &m); err != nil {
			return err
		}
		switch m.State {
		case "acknowledged", "acknowledged_without_receipt", "delivered", "confirmed", "failed", "rejected":
			return c.ended(&m)
		}
		if m.Error != nil && m.Error.Text != said && !c.json {
			said = m.Error.Text
			fmt.Fprintf(c.p.err, "attempt %d: %s %s\n", m.Attempts, m.Error.Code, m.Error.Text)
		}
		if time.Now().After(end) {
			return &exit{status: statusFailed, Code: "TIMEOUT", Text: fmt.Sprintf("message %s is still %s after %s", id, m.State, timeout), Remedy: "look closer: viadukt message show " + id}
		}
		select {
		case <-c.p.ctx.Done():
			return &exit{status: statusFailed, Code: "STOPPED", Text: "stopped; the node goes on without you"}
		case <-time.After(pause):
		}
		pause = min(pause*3/2, time.Second)
	}
}

// ended says how it ended.
func (c *call) ended(m *node.MessageJSON) error {
	failed := m.State == "failed" || m.State == "rejected"
	if c.json {
		if err := c.print(m); err != nil {
			return err
		}
		if failed {
			return &exit{status: statusFailed, silent: true}
		}
		return nil
	}
	if failed {
		e := &exit{status: statusFailed, Code: "FAILED", Text: fmt.Sprintf("message %d %s after %d attempts", m.ID, m.State, m.Attempts)}
		if m.Error != nil {
			e.Code, e.Text, e.Remedy = m.Error.Code, e.Text+": "+m.Error.Code+" "+m.Error.Text, m.Error.Remedy
		}
		return e
	}
	c.printf("message %d is %s", m.ID, c.p.paint(c.p.out).state(m.State, 0))
	if took := m.Updated.Sub(m.Created); took > 0 {
		c.printf(" after %s", took.Round(time.Millisecond))
	}
	if len(m.Evidence) > 0 {
		c.printf("; the receipt is kept as evidence (viadukt message show %d --evidence 1%s)", m.ID, c.sameNode())
	}
	c.printf("\n")
	return nil
}

// sameNode is what one adds to another command to speak with the same node.
func (c *call) sameNode() (flags string) {
	for _, name := range []string{"config", "api"} {
		if f := c.Lookup(name); f != nil && f.Value.String() != f.DefValue {
			flags += " --" + name + " " + f.Value.String()
		}
	}
	return flags
}

func prepareResend(c *call) func() error {
	c.least, c.most = 1, 1
	c.jsonFlag()
	open := c.apiFlags()
	return func() error {
		a, err := open()
		if err != nil {
			return err
		}
		var m node.MessageJSON
		if err := a.ask(http.MethodPost, "/messages/"+url.PathEscape(c.values[0])+"/resend", nil, nil, &m); err != nil {
			return err
		}
		if c.json {
			return c.print(m)
		}
		c.printf("message %d will be sent again\n", m.ID)
		return nil
	}
}

func prepareSample(c *call) func() error {
	c.least, c.most = 1, 1
	number := c.String("number", "2026-1", "`number` of the document")
	return func() error {
		b, err := makeSample(c.values[0], *number, time.Now())
		if err != nil {
			return usage("there is no sample %q; there are %s", c.values[0], strings.Join(sampleKinds, ", "))
		}
		_, err = c.p.out.Write(b)
		return err
	}
}
