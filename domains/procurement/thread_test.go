package procurement_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/domains/procurement"
	"github.com/viadukt-eu/viadukt/domains/procurement/sample"
	"github.com/viadukt-eu/viadukt/edocument/response"
	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/store"
)

// process is two nodes that exchange the documents of one purchase.
type process struct {
	seller, buyer *country
	sent          map[string]string // message id by kind and number
}

// start registers both sides for everything.
func newProcess(t *testing.T, seller, buyer *country) *process {
	t.Helper()
	for _, kind := range []string{"tender", "catalogue", "orderresponse", "despatch", "invoice", "creditnote"} {
		buyer.serve(t, kind, sample.Supplier, sample.Buyer)
	}
	for _, kind := range []string{"award", "order", "response"} {
		seller.serve(t, kind, sample.Buyer, sample.Supplier)
	}
	return &process{seller, buyer, map[string]string{}}
}

// send makes a document about another one, sends it and waits until it is there.
func (p *process) send(t *testing.T, kind, number, about string, state store.State, change func([]byte) []byte) *store.Message {
	t.Helper()
	from, to, a, b := p.seller, p.buyer, sample.Supplier, sample.Buyer
	if kind == "award" || kind == "order" || kind == "response" {
		from, to, a, b = to, from, b, a
	}
	doc, err := sample.MakeAbout(kind, number, about, a, b, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		doc = change(doc)
	}
	id := from.post(t, doc)
	p.sent[kind+" "+number] = id
	from.until(t, store.Out, id, store.Acknowledged)
	return to.until(t, store.In, id, state)
}

func replaced(t *testing.T, pairs ...string) func([]byte) []byte {
	return func(doc []byte) []byte {
		t.Helper()
		for i := 0; i < len(pairs); i += 2 {
			if !bytes.Contains(doc, []byte(pairs[i])) {
				t.Fatalf("the sample has no %s", pairs[i])
			}
			doc = bytes.ReplaceAll(doc, []byte(pairs[i]), []byte(pairs[i+1]))
		}
		return doc
	}
}

func (c *country) thread(t *testing.T, messageID string) node.ThreadJSON {
	t.Helper()
	status, body := c.call(t, "GET", "/api/v1/messages/"+messageID+"/thread", "", nil)
	var out node.ThreadJSON
	if err := json.Unmarshal(body, &out); status != http.StatusOK || err != nil {
		t.Fatalf("%d %s %v", status, body, err)
	}
	return out
}

// tenderToPayment: the documents of a purchase, from the tender to the answer to the invoice, are one thread at both ends,
// wherever one begins to look, with matching references and in one conversation after the order.
func tenderToPayment(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	p := newProcess(t, start(t, root, "ee", "EE", "peppol"), start(t, root, "pt", "PT", "peppol"))
	const folder = "6f1ae2a8-6d0e-4a0e-9b3f-1d5a1c7e0001"
	p.send(t, "tender", "6f1ae2a8-6d0e-4a0e-9b3f-1d5a1c7e0002", folder, store.Delivered, nil)
	p.send(t, "award", "6f1ae2a8-6d0e-4a0e-9b3f-1d5a1c7e0003", folder, store.Delivered, nil)
	p.send(t, "catalogue", "C-1", "", store.Delivered, nil)
	p.send(t, "order", "B-7", "C-1", store.Delivered, replaced(t, "<cac:CatalogueReference>", "<cac:OriginatorDocumentReference><cbc:ID>"+folder+"</cbc:ID></cac:OriginatorDocumentReference><cac:CatalogueReference>"))
	p.send(t, "orderresponse", "A-1", "B-7", store.Delivered, nil)
	p.send(t, "despatch", "D-1", "B-7", store.Delivered, nil)
	p.send(t, "invoice", "R-1", "B-7", store.Delivered, nil)
	p.send(t, "response", "1", "R-1", store.Delivered, nil)
	// Another purchase from the same catalogue, and an order of the same number elsewhere, are not part of it.
	p.send(t, "order", "B-8", "C-1", store.Delivered, nil)

	want := []struct{ what, about string }{
		{"tender", ""}, {"notice of award", ""}, {"catalogue C-1", ""}, {"order B-7", "catalogue C-1"}, {"order response A-1", "order B-7"}, {"despatch advice D-1", "order B-7"},
		{"invoice R-1", "order B-7"}, {"invoice response R-1", "invoice R-1"},
	}
	for name, from := range map[string]string{"the order": "order B-7", "the invoice": "invoice R-1", "the answer": "response 1", "the despatch advice": "despatch D-1"} {
		for _, c := range []*country{p.seller, p.buyer} {
			got := c.thread(t, p.sent[from])
			if len(got.Documents) != len(want) || got.Partial {
				t.Errorf("from %s in %s: %d documents", name, c.Config.Node.Country, len(got.Documents))
				continue
			}
			conversation := ""
			for i, d := range got.Documents {
				if said := d.Type + " " + d.Number; !strings.HasPrefix(said, want[i].what) || strings.Join(d.About, ", ") != want[i].about {
					t.Errorf("from %s: %s about %q, want %s about %q", name, said, d.About, want[i].what, want[i].about)
				}
				if len(d.Findings) != 0 || d.From == "" || d.To == "" || d.Issued == "" {
					t.Errorf("%+v", d)
				}
				if d.Type == "order" {
					conversation = d.Message.Conversation
				} else if i > 3 && d.Message.Conversation != conversation {
					t.Errorf("%s is in conversation %s, the order in %s", d.Type, d.Message.Conversation, conversation)
				}
			}
			if last := got.Documents[7]; last.Says != "accepted" || got.Documents[6].Amount != "1550.00 EUR" {
				t.Errorf("%+v", got.Documents)
			}
		}
	}
	if from := p.buyer.thread(t, p.sent["catalogue C-1"]); !slices.ContainsFunc(from.Documents, func(d node.ThreadDocumentJSON) bool { return d.Number == "B-8" }) {
		t.Error("the catalogue does not show the orders from it")
	}
	if from := p.buyer.thread(t, p.sent["tender 6f1ae2a8-6d0e-4a0e-9b3f-1d5a1c7e0002"]); len(from.Documents) < 3 || from.Documents[2].Number != "B-7" {
		t.Errorf("the tender does not lead to the order: %+v", from.Documents)
	}
	answer, err := p.seller.Store.ByMessageID(context.Background(), store.In, p.sent["response 1"])
	if err != nil || answer.RefToMessageID != p.sent["invoice R-1"] {
		t.Errorf("the answer is about message %q, %v", answer.RefToMessageID, err)
	}
}

// boundTogether: an invoice is held against its order where that is configured: one about an order that the buyer does not
// know is marked, and so is one that bills more than was ordered or delivered; as ordered it is not.
func boundTogether(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, settings, about string
		change                []string
		state                 store.State
		code, text            string
	}{
		{"as ordered", "matchOrders: mark", "B-7", nil, store.Delivered, "", ""},
		{"an order that nobody knows", "matchOrders: mark", "B-9", nil, store.Delivered, procurement.NotAsOrdered, "): The invoice names order B-9 (BT-13), which is not known"},
		{"nobody asked", "matchOrders: off", "B-9", nil, store.Delivered, "", ""},
		{"asked of another seller", "checkPartners: [{participant: 'iso6523-actorid-upis::0000:1', match: mark}]", "B-9", nil, store.Delivered, "", ""},
		{"dearer", "checkPartners: [{participant: 'iso6523-*', match: mark}]", "B-7", []string{"62.50", "125", `<cbc:InvoicedQuantity unitCode="HUR">20<`, `<cbc:InvoicedQuantity unitCode="HUR">10<`}, store.Delivered, procurement.NotAsOrdered, "bills 125 for 1, order B-7 says 62.50 for 1."},
		{"more than was ordered, refused", "matchOrders: refuse, inbox: inbox", "B-7", []string{"62.50", "50", `<cbc:InvoicedQuantity unitCode="HUR">20<`, `<cbc:InvoicedQuantity unitCode="HUR">25<`}, store.Rejected, procurement.NotAsOrdered, "bills 25 HUR and order B-7 says 20 HUR."},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			p := newProcess(t, start(t, root, "ee", "EE", "peppol"), startSetting(t, root, "pt", "PT", c.settings))
			p.send(t, "order", "B-7", "", store.Delivered, nil)
			p.send(t, "despatch", "D-1", "B-7", store.Delivered, replaced(t, ">20<", ">100<"))
			m := p.send(t, "invoice", "R-1", c.about, c.state, replaced(t, c.change...))
			if m.Error.Code != c.code || !strings.Contains(m.Error.Text, c.text) {
				t.Errorf("%+v", m.Error)
			}
			if c.code != "" {
				got := p.buyer.thread(t, m.MessageID)
				i := slices.IndexFunc(got.Documents, func(d node.ThreadDocumentJSON) bool { return d.Number == "R-1" })
				if last := got.Documents[i]; len(last.Findings) == 0 || !strings.Contains(last.Findings[0].Text+last.Findings[len(last.Findings)-1].Text, "order B-") {
					t.Errorf("the thread says %+v", last)
				}
			}
			if c.state == store.Rejected {
				in := p.seller.answerTo(t, m.MessageID)
				if r := p.seller.content(t, in); r.Kind != response.Invoice || r.Code != response.Rejected || r.Document.ID != "R-1" || !strings.Contains(r.Summary(), "VMA-QUANTITY, line ") {
					t.Errorf("%+v", r)
				}
			}
		})
	}
}

// TestWhoIsRefusedIsTold: an invoice that is not as ordered is refused. A sender that is not registered for invoice responses
// is told by a status to its service provider; where nobody takes that either, the message says so, and an alert does.
func TestWhoIsRefusedIsTold(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		takes []response.Kind
		told  response.Kind
	}{
		{"by an invoice response", []response.Kind{response.Invoice, response.Status}, response.Invoice},
		{"by a status, for want of a registration", []response.Kind{response.Status}, response.Status},
		{"by nobody", nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			ee, pt := start(t, root, "ee", "EE", "peppol"), startSetting(t, root, "pt", "PT", "matchOrders: refuse, inbox: inbox")
			pt.serve(t, "invoice", sample.Supplier, sample.Buyer)
			provider := "0242:" + strings.TrimPrefix(ee.Config.AS4.Party.ID, "POP")
			for _, k := range c.takes {
				to := "iso6523-actorid-upis::" + provider
				if k == response.Invoice {
					to = sample.Supplier.Participant()
				}
				ee.takes(t, to, k)
			}
			sent := ee.invoice(t, "2026-9", sample.Supplier, sample.Buyer) // its order never came through here
			got := pt.until(t, store.In, sent, store.Rejected)
			if got.Error.Code != procurement.NotAsOrdered {
				t.Fatalf("%+v", got.Error)
			}
			said, warned := strings.Contains(got.Error.Text, "The sender was not told: "), false
			for deadline := time.Now().Add(patience); !warned && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
				if err := pt.CheckAlerts(t.Context()); err != nil {
					t.Fatal(err)
				}
				for _, a := range pt.Alerts() {
					warned = warned || a.Rule == "sender-untold" && strings.Contains(a.Say("en"), ee.Config.AS4.Party.ID)
				}
				if c.told != "" {
					break // it would be there with the message
				}
			}
			if said != (c.told == "") || warned != (c.told == "") {
				t.Errorf("marked %t, an alert %t: %+v, %+v", said, warned, got.Error, pt.Alerts())
			}
			list, err := pt.Store.List(t.Context(), store.Filter{Direction: store.Out}, store.Page{})
			if err != nil {
				t.Fatal(err)
			}
			if c.told == "" {
				for _, want := range []string{sample.Supplier.Scheme + ":" + sample.Supplier.ID + " is not registered for invoice responses", provider + " is not registered for message level statuses"} {
					if !strings.Contains(got.Error.Text, want) {
						t.Errorf("%q does not say %q", got.Error.Text, want)
					}
				}
				if !strings.Contains(got.Error.Remedy, "by other means") || len(list.Messages) != 0 {
					t.Errorf("%q, and %d messages wait", got.Error.Remedy, len(list.Messages))
				}
				return
			}
			if r := ee.content(t, ee.answerTo(t, sent)); r.Kind != c.told || r.Code != response.Rejected || !strings.Contains(r.Summary(), "VMA-") {
				t.Errorf("%+v", r)
			}
			if len(list.Messages) != 1 {
				t.Errorf("%d answers", len(list.Messages))
			}
		})
	}
}
