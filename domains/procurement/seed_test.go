package procurement_test

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/domains/procurement/sample"
	"github.com/viadukt-eu/viadukt/edelivery/ids"
	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/store"
)

// invoice hands one over by the API and returns its message id.
func (c *country) invoice(t *testing.T, number string, from, to sample.Party) string {
	t.Helper()
	doc, err := sample.Make("invoice", number, from, to, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	status, body := c.call(t, "POST", "/api/v1/messages", "application/xml", doc)
	var m node.MessageJSON
	if err := json.Unmarshal(body, &m); status != http.StatusAccepted || err != nil {
		t.Fatalf("%d %s %v", status, body, err)
	}
	return m.MessageID
}

// nodesNeedNobodyElse: what discovery found is kept, and content goes from node to node: once the rest of the network
// is gone, two nodes still exchange.
func nodesNeedNobodyElse(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	hub := start(t, root, "hub", "LU", "peppol") // the first node serves the zone
	ee, pt := start(t, root, "ee", "EE", "peppol"), start(t, root, "pt", "PT", "peppol")
	pt.serve(t, "invoice", sample.Supplier, sample.Buyer)
	pt.until(t, store.In, ee.invoice(t, "1", sample.Supplier, sample.Buyer), store.Delivered)
	if err := hub.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	stranger, err := ids.ParseParticipant("iso6523-actorid-upis::0191:99999999")
	if err != nil {
		t.Fatal(err)
	}
	if j := ee.LookupJSON(context.Background(), stranger, ids.DocumentType{}, ids.Process{}); j.Error == nil || j.Error.Code != "DISCOVERY:FAILED" {
		t.Fatalf("the zone is still served: %+v", j.Error)
	}
	id := ee.invoice(t, "2", sample.Supplier, sample.Buyer)
	if m := ee.until(t, store.Out, id, store.Acknowledged); m.Attempts != 1 {
		t.Errorf("%d attempts", m.Attempts)
	}
	pt.until(t, store.In, id, store.Delivered)
}

// aThirdNodeIsReachedById: a node that joins while others run is sent to by the participant's id, without any change
// at the sender.
func aThirdNodeIsReachedById(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	ee, pt := start(t, root, "ee", "EE", "peppol"), start(t, root, "pt", "PT", "peppol")
	pt.serve(t, "invoice", sample.Supplier, sample.Buyer)
	pt.until(t, store.In, ee.invoice(t, "1", sample.Supplier, sample.Buyer), store.Delivered)
	ministry := sample.Party{Scheme: "9938", ID: "LU20165772", Name: "Ministère des Travaux", Street: "4, place de l'Europe", City: "Luxembourg", Zone: "L-1499", Country: "LU", VAT: "LU20165772"}
	doc, err := sample.Make("invoice", "2", sample.Supplier, ministry, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if status, body := ee.call(t, "POST", "/api/v1/messages", "application/xml", doc); status != http.StatusUnprocessableEntity {
		t.Fatalf("before the third node is there: %d %s", status, body)
	}
	lu := start(t, root, "lu", "LU", "peppol")
	lu.serve(t, "invoice", sample.Supplier, ministry)
	id := ""
	for deadline := time.Now().Add(patience); id == ""; time.Sleep(20 * time.Millisecond) { // the zone says for how long "no" holds
		status, body := ee.call(t, "POST", "/api/v1/messages", "application/xml", doc)
		var m node.MessageJSON
		if err := json.Unmarshal(body, &m); err != nil {
			t.Fatal(err)
		}
		if id = m.MessageID; status != http.StatusAccepted && time.Now().After(deadline) {
			t.Fatalf("%d %s", status, body)
		}
	}
	ee.until(t, store.Out, id, store.Acknowledged)
	in := lu.until(t, store.In, id, store.Delivered)
	if in.Receiver != ministry.Participant() {
		t.Errorf("delivered to %s", in.Receiver)
	}
}
