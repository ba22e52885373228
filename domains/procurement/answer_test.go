package procurement_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/domains/procurement"
	"github.com/viadukt-eu/viadukt/domains/procurement/sample"
	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/edelivery/ids"
	"github.com/viadukt-eu/viadukt/edelivery/sbdh"
	"github.com/viadukt-eu/viadukt/edocument/response"
	"github.com/viadukt-eu/viadukt/edocument/rules"
	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// takes registers a participant for answers of a kind.
func (c *country) takes(t *testing.T, participant string, kind response.Kind) {
	t.Helper()
	p, err := ids.ParseParticipant(participant)
	if err != nil {
		t.Fatal(err)
	}
	k := kind.Type()
	dt := ids.DocumentType{Value: k.Namespace() + "::" + k.Root + "##" + k.Customization + "::" + k.Version}.Qualified()
	if err := c.Register(context.Background(), p, dt, ids.Process{Scheme: ids.SchemeProcess, Value: k.Profiles[0]}, as4.Profiles[c.Config.AS4.Profile]); err != nil {
		t.Fatal(err)
	}
}

// post hands a document over and returns its message id.
func (c *country) post(t *testing.T, doc []byte) string {
	t.Helper()
	status, body := c.call(t, "POST", "/api/v1/messages", "application/xml", doc)
	var m node.MessageJSON
	if err := json.Unmarshal(body, &m); status != http.StatusAccepted || err != nil {
		t.Fatalf("%d %s %v", status, body, err)
	}
	return m.MessageID
}

// answerTo waits for a message that answers another one.
func (c *country) answerTo(t *testing.T, messageID string) *store.Message {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		list, err := c.Store.List(context.Background(), store.Filter{Direction: store.In}, store.Page{})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range list.Messages {
			if m.RefToMessageID == messageID && m.State == store.Delivered {
				return c.until(t, store.In, m.MessageID, store.Delivered)
			}
		}
		if time.Now().After(deadline) {
			t.Fatal("no answer")
		}
	}
}

// content reads the answer that a message brought, and holds it to its rules.
func (c *country) content(t *testing.T, m *store.Message) *response.Response {
	t.Helper()
	stored, err := c.OpenDocument(context.Background(), &m.Payloads[0])
	if err != nil {
		t.Fatal(err)
	}
	defer stored.Close()
	envelope, err := sbdh.Read(stored, sbdh.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(envelope.Payload)
	if err != nil {
		t.Fatal(err)
	}
	d, err := dom.Parse(b, dom.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	report, err := rules.Validate(d, rules.Options{})
	if err != nil || !report.Valid {
		t.Errorf("%v %+v\n%s", err, report, b)
	}
	r, err := response.Read(d)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestReceiversAnswerAsAgreed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, settings string
		kind           response.Kind
		wrong          bool
		code           response.Code
	}{
		{"a message level response to a broken invoice", "answer: mlr", response.Message, true, response.Rejected},
		{"a message level response to a sound one", "answer: mlr", response.Message, false, response.Acknowledged},
		{"an invoice response to a broken invoice", "answerPartners: [{participant: 'iso6523-actorid-upis::0191:*', answer: invoice-response}]", response.Invoice, true, response.Rejected},
		{"a status to the service provider", "answer: none, answerPartners: [{participant: 'iso6523-actorid-upis::0191:10137025', answer: mls}]", response.Status, true, response.Rejected},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			ee, pt := startSetting(t, root, "ee", "EE", "checkOutgoing: off"), startSetting(t, root, "pt", "PT", c.settings)
			pt.serve(t, "invoice", sample.Supplier, sample.Buyer)
			to := sample.Supplier.Participant()
			if c.kind == response.Status {
				to = "iso6523-actorid-upis::0242:" + strings.TrimPrefix(ee.Config.AS4.Party.ID, "POP")
			}
			ee.takes(t, to, c.kind)
			doc, err := sample.Make("invoice", "2026-8", sample.Supplier, sample.Buyer, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			if c.wrong {
				doc = wrong(t)
			}
			sent := ee.post(t, doc)
			in := ee.answerTo(t, sent)
			r := ee.content(t, in)
			if r.Kind != c.kind || r.Code != c.code || in.Receiver != to {
				t.Errorf("%+v to %s", r, in.Receiver)
			}
			if c.kind != response.Status && r.Document.ID != "2026-8" {
				t.Errorf("about %q", r.Document.ID)
			}
			original := ee.until(t, store.Out, sent, store.Acknowledged)
			if c.kind == response.Status && r.Document.ID != original.ConversationID {
				t.Errorf("about %q, want the envelope %s", r.Document.ID, original.ConversationID)
			}
			if c.wrong && (in.Error.Code != procurement.RejectedByReceiver || !strings.Contains(in.Error.Text, "BR-CO-15, line ")) || !c.wrong && !in.Error.IsZero() {
				t.Errorf("marked with %+v", in.Error)
			}
			if r.Code == response.Rejected && !strings.Contains(r.Summary(), "BR-CO-15, line ") {
				t.Error(r.Summary())
			}
		})
	}
}

// TestAStatusWaitsForItsReceiver: a service provider that is not registered for statuses yet gets it once it is; where that
// never happens, the message says so, and what to do.
func TestAStatusWaitsForItsReceiver(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		attempts int
		comes    bool
	}{{"it is registered later", 1000, true}, {"it is never registered", 2, false}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			ee := startSetting(t, root, "ee", "EE", "checkOutgoing: off")
			pt := startTuned(t, root, "pt", "PT", "peppol", "answer: mls", func(cfg *config.Config) {
				quickRetries(cfg)
				cfg.Outbound.MaxAttempts = c.attempts
				cfg.Outbound.FirstRetry, cfg.Outbound.MaxPause = config.Duration(50*time.Millisecond), config.Duration(50*time.Millisecond)
			})
			pt.serve(t, "invoice", sample.Supplier, sample.Buyer)
			sent := ee.post(t, wrong(t))
			pt.until(t, store.In, sent, store.Delivered)
			to := "iso6523-actorid-upis::0242:" + strings.TrimPrefix(ee.Config.AS4.Party.ID, "POP")
			list, err := pt.Store.List(context.Background(), store.Filter{Direction: store.Out}, store.Page{})
			if err != nil || len(list.Messages) != 1 || list.Messages[0].Receiver != to {
				t.Fatalf("%+v, %v", list.Messages, err)
			}
			status := list.Messages[0].MessageID
			if !c.comes {
				if m := pt.until(t, store.Out, status, store.Failed); m.Error.Code != "DISCOVERY:NOT_REGISTERED" || !strings.Contains(m.Error.Remedy, "must register "+to) {
					t.Errorf("%+v", m.Error)
				}
				return
			}
			if m := pt.until(t, store.Out, status, store.Retrying); !strings.Contains(m.Error.Remedy, "must register "+to) {
				t.Errorf("%+v", m.Error)
			}
			ee.takes(t, to, response.Status)
			if r := ee.content(t, ee.answerTo(t, sent)); r.Code != response.Rejected {
				t.Errorf("%+v", r)
			}
		})
	}
}

// A status about a sound document is sent where the envelope asks for it only; answers are not answered; a receiver of
// answers who is not registered changes nothing at the document.
func TestNobodyIsAnsweredWithoutNeed(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	ee, pt := start(t, root, "ee", "EE", "peppol"), startSetting(t, root, "pt", "PT", "answerPartners: [{participant: 'iso6523-actorid-upis::0191:*', answer: mls}, {participant: '*', answer: mlr}]")
	pt.serve(t, "invoice", sample.Supplier, sample.Buyer)
	pt.until(t, store.In, ee.invoice(t, "1", sample.Supplier, sample.Buyer), store.Delivered)
	other := sample.Supplier
	other.Scheme, other.ID = "9931", "EE100931558"
	pt.until(t, store.In, ee.invoice(t, "2", other, sample.Buyer), store.Delivered) // nobody takes an MLR for it
	pt.serve(t, "response", sample.Supplier, sample.Buyer)
	doc, err := sample.Make("response", "3", other, sample.Buyer, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	pt.until(t, store.In, ee.post(t, bytes.ReplaceAll(doc, []byte("AP<"), []byte("IP<"))), store.Delivered)
	list, err := pt.Store.List(context.Background(), store.Filter{Direction: store.Out}, store.Page{})
	if err != nil || len(list.Messages) != 0 {
		t.Errorf("%d answers, %v", len(list.Messages), err)
	}
}
