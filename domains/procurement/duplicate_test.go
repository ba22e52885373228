package procurement_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/domains/procurement"
	"github.com/viadukt-eu/viadukt/domains/procurement/sample"
	"github.com/viadukt-eu/viadukt/edelivery/sbdh"
	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/store"
)

// sendEnvelope hands an enveloped document over past the domain, which would make an envelope of its own.
func (c *country) sendEnvelope(t *testing.T, instance string, doc []byte) *store.Message {
	t.Helper()
	d, err := procurement.Parse(bytes.Clone(doc))
	if err != nil {
		t.Fatal(err)
	}
	h, err := sbdh.NewHeader(d.Sender, d.Receiver, d.Type, d.Process, "EE", instance, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	pm := c.PMode(procurement.Name)
	p, err := c.NewPayload(pm, "application/xml", func(w io.Writer) error {
		return sbdh.Write(w, h, bytes.NewReader(business(doc)))
	})
	if err != nil {
		t.Fatal(err)
	}
	s := &node.Submission{Domain: procurement.Name, Sender: d.Sender.String(), Receiver: d.Receiver.String(),
		Service: d.Process.Value, ServiceType: d.Process.Scheme, Action: d.Type.String()}
	m, err := c.Submit(context.Background(), pm, s, []*node.Payload{p})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestTheSameEnvelopeUnderAnotherMessageIdIsDeliveredOnce(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	ee, pt := start(t, root, "ee", "EE", "peppol"), startInbox(t, root, "pt", "PT", "peppol")
	pt.serve(t, "invoice", sample.Supplier, sample.Buyer)
	doc, err := sample.Make("invoice", "1", sample.Supplier, sample.Buyer, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var sent []string
	var all sync.WaitGroup
	for range 6 { // at once: the first to be stored wins
		all.Go(func() {
			m := ee.sendEnvelope(t, "instance-1", doc)
			mu.Lock()
			defer mu.Unlock()
			sent = append(sent, m.MessageID)
		})
	}
	all.Wait()
	other := ee.sendEnvelope(t, "instance-2", doc)
	pt.until(t, store.In, other.MessageID, store.Delivered)
	delivered := ""
	for _, id := range sent {
		m := ee.until(t, store.Out, id, store.Acknowledged) // each has its receipt
		if evidence, err := ee.Store.Evidence(context.Background(), m.ID); err != nil || len(evidence) != 2 || evidence[0].Kind != store.KindReceipt || evidence[1].Kind != store.KindNonRepudiation {
			t.Errorf("%s: %d pieces of evidence, %v", id, len(evidence), err)
		}
		in, err := pt.Store.ByMessageID(context.Background(), store.In, id)
		if err != nil {
			t.Fatal(err)
		}
		if in.State != store.Confirmed {
			if delivered != "" {
				t.Errorf("%s and %s are both delivered", delivered, id)
			}
			delivered = id
			pt.until(t, store.In, id, store.Delivered)
			continue
		}
		events, err := pt.Store.Events(context.Background(), in.ID)
		if err != nil || !strings.HasPrefix(events[len(events)-1].Detail, "duplicate of message ") || in.Error.Code != "DUPLICATE" {
			t.Errorf("%s is not marked: %+v %+v %v", id, in.Error, events, err)
		}
	}
	folders, err := filepath.Glob(filepath.Join(pt.dir, "inbox", "*", "*"))
	if err != nil || len(folders) != 2 {
		t.Errorf("inbox: %v %v", folders, err)
	}
	status, body := pt.call(t, "GET", "/api/v1/messages?direction=in&state=confirmed", "", nil)
	if status != http.StatusOK || bytes.Count(body, []byte(`"code":"DUPLICATE"`)) != len(sent)-1 {
		t.Errorf("%d %s", status, body)
	}
}
