package procurement_test

import (
	"context"
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/viadukt-eu/viadukt/domains/procurement"
	"github.com/viadukt-eu/viadukt/domains/procurement/sample"
	"github.com/viadukt-eu/viadukt/edocument/response"
	"github.com/viadukt-eu/viadukt/edocument/rulepack"
	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/store"
)

// TestEachPartnerIsJudgedAsAgreed: what goes to one partner is refused, to another it goes with a remark.
func TestEachPartnerIsJudgedAsAgreed(t *testing.T) {
	t.Parallel()
	const buyer = "iso6523-actorid-upis::9946:PT502011378"
	for _, c := range []struct {
		name, sender, receiver string
		out, in                string // codes in the answer, and at the message that arrives
	}{
		{"a remark at what is sent", "checkPartners: [{participant: '" + buyer + "', outgoing: warn}]", "checkIncoming: off", "INVALID_DOCUMENT", ""},
		{"the first that fits counts", "checkPartners: [{participant: 'iso6523-actorid-upis::0000:1', outgoing: refuse}, {participant: '" + buyer + "', outgoing: off}, {participant: '*', outgoing: refuse}]", "checkIncoming: mark", "", "INVALID_DOCUMENT"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			ee, pt := startSetting(t, root, "ee", "EE", c.sender), startSetting(t, root, "pt", "PT", c.receiver)
			pt.serve(t, "invoice", sample.Supplier, sample.Buyer)
			status, body := ee.call(t, "POST", "/api/v1/messages", "application/xml", wrong(t))
			var m node.MessageJSON
			if err := json.Unmarshal(body, &m); status != http.StatusAccepted || err != nil {
				t.Fatalf("%d %s", status, body)
			}
			if (m.Error == nil) != (c.out == "") || m.Error != nil && m.Error.Code != c.out {
				t.Errorf("the answer says %+v, want %q", m.Error, c.out)
			}
			ee.until(t, store.Out, m.MessageID, store.Acknowledged)
			if got := pt.until(t, store.In, m.MessageID, store.Delivered); got.Error.Code != c.in {
				t.Errorf("arrived with %+v, want %q", got.Error, c.in)
			}
		})
	}
}

// TestARefusedInvoiceIsNotSentAgain: outside of Peppol the error takes the place of the receipt, and the sender knows that
// it is for good.
func TestARefusedInvoiceIsNotSentAgain(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	ee := startTuned(t, root, "ee", "EE", "eu-edelivery", "checkOutgoing: off", nil)
	pt := startTuned(t, root, "pt", "PT", "eu-edelivery", "checkPartners: [{participant: 'iso6523-actorid-upis::0191:*', incoming: refuse}]", nil)
	pt.serve(t, "invoice", sample.Supplier, sample.Buyer)
	got := ee.until(t, store.Out, ee.post(t, wrong(t)), store.Failed)
	if got.Attempts != 1 || got.Error.Code != "EBMS:0004" || !strings.Contains(got.Error.Text, "CONTENT_REFUSED: the invoice breaks BR-CO-15") || !strings.Contains(got.Error.Remedy, "mend it") {
		t.Errorf("%d attempts, %+v", got.Attempts, got.Error)
	}
	if list, err := pt.Store.List(context.Background(), store.Filter{}, store.Page{}); err != nil || len(list.Messages) != 0 {
		t.Errorf("the receiver kept %d messages, %v", len(list.Messages), err)
	}
}

// TestARefusedInvoiceHasItsReceiptInPeppol: the sender has proof that the invoice arrived, its service provider is told what
// is wrong with it, and nobody gets it.
func TestARefusedInvoiceHasItsReceiptInPeppol(t *testing.T) {
	t.Parallel()
	for _, settings := range []string{"checkIncoming: refuse", "checkIncoming: refuse, inbox: inbox"} {
		t.Run(settings, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			ee, pt := startSetting(t, root, "ee", "EE", "checkOutgoing: off"), startSetting(t, root, "pt", "PT", settings)
			pt.serve(t, "invoice", sample.Supplier, sample.Buyer)
			ee.takes(t, "iso6523-actorid-upis::0242:"+strings.TrimPrefix(ee.Config.AS4.Party.ID, "POP"), response.Status)
			sent := ee.post(t, wrong(t))
			ee.until(t, store.Out, sent, store.Acknowledged)
			if got := pt.until(t, store.In, sent, store.Rejected); got.Error.Code != procurement.InvalidDocument || !strings.Contains(got.Error.Text, "BR-CO-15") {
				t.Errorf("%+v", got.Error)
			}
			in := ee.answerTo(t, sent)
			if r := ee.content(t, in); r.Kind != response.Status || r.Code != response.Rejected || in.Error.Code != procurement.RejectedByReceiver {
				t.Errorf("%+v, %+v", r, in.Error)
			}
			if found, err := filepath.Glob(filepath.Join(pt.dir, "inbox", "*", "*")); err != nil || len(found) != 0 {
				t.Errorf("delivered: %q, %v", found, err)
			}
		})
	}
}

const strictRules = `<schema xmlns="http://purl.oclc.org/dsdl/schematron" queryBinding="xslt2"><ns prefix="u" uri="urn:oasis:names:specification:ubl:schema:xsd:Invoice-2"/>
<pattern><rule context="u:Invoice"><assert id="STRICT-1" flag="fatal" test="false()">No invoice is good enough.</assert></rule></pattern></schema>`

// TestPacksAreSeenWithoutARestart: a pack that is added while a node runs wins over the rules of the program, until it is
// removed.
func TestPacksAreSeenWithoutARestart(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	ee, pt := start(t, root, "ee", "EE", "peppol"), start(t, root, "pt", "PT", "peppol")
	pt.serve(t, "invoice", sample.Supplier, sample.Buyer)
	doc, err := sample.Make("invoice", "2026-10", sample.Supplier, sample.Buyer, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	packs, err := rulepack.Import(fstest.MapFS{"strict-1.0.sch": {Data: []byte(strictRules)}}, rulepack.ImportOptions{Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	until := func(what string, ok func(status int, body string) bool) {
		t.Helper()
		for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
			status, body := ee.call(t, "POST", "/api/v1/validate", "application/xml", doc)
			if ok(status, string(body)) {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: %d %s", what, status, body)
			}
		}
	}
	until("the rules of the program", func(_ int, s string) bool {
		return strings.Contains(s, `"valid":true`) && strings.Contains(s, "en16931-ubl@")
	})
	folder := rulepack.Folder(filepath.Join(ee.dir, "packs"))
	if err := folder.Add(packs[0]); err != nil {
		t.Fatal(err)
	}
	until("the pack that was added", func(_ int, s string) bool { return strings.Contains(s, "STRICT-1") })
	if status, body := ee.call(t, "POST", "/api/v1/messages", "application/xml", doc); status != http.StatusUnprocessableEntity || !strings.Contains(string(body), "STRICT-1") {
		t.Errorf("sending by the pack: %d %s", status, body)
	}
	if status, body := ee.call(t, "GET", "/api/v1/packs", "", nil); status != http.StatusOK || !strings.Contains(string(body), "local:strict:1.0") {
		t.Errorf("%d %s", status, body)
	}
	if err := folder.Remove(packs[0].ID); err != nil {
		t.Fatal(err)
	}
	until("the pack is removed", func(_ int, s string) bool { return strings.Contains(s, "en16931-ubl@") })
}
