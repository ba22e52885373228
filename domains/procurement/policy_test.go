package procurement_test

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/viadukt-eu/viadukt/domains/procurement/sample"
	"github.com/viadukt-eu/viadukt/edocument/rulepack"
	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/store"
)

// TestEachPartnerIsJudgedAsAgreed: what goes to one partner is refused, to another it goes with a remark; one of them
// does not take what breaks a rule.
func TestEachPartnerIsJudgedAsAgreed(t *testing.T) {
	t.Parallel()
	const buyer = "iso6523-actorid-upis::9946:PT502011378"
	for _, c := range []struct {
		name, sender, receiver string
		state                  store.State
		out, in                string // codes in the answer, and at the message that arrives
	}{
		{"a remark at what is sent", "checkPartners: [{participant: '" + buyer + "', outgoing: warn}]", "checkIncoming: off", store.Acknowledged, "INVALID_DOCUMENT", ""},
		{"refused where it arrives", "checkPartners: [{participant: 'iso6523-*', outgoing: off}]", "checkPartners: [{participant: 'iso6523-actorid-upis::0191:*', incoming: refuse}]", store.Retrying, "", ""},
		{"the first that fits counts", "checkPartners: [{participant: 'iso6523-actorid-upis::0000:1', outgoing: refuse}, {participant: '" + buyer + "', outgoing: off}, {participant: '*', outgoing: refuse}]", "checkIncoming: mark", store.Acknowledged, "", "INVALID_DOCUMENT"},
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
			if got := ee.until(t, store.Out, m.MessageID, c.state); c.state == store.Retrying && !strings.Contains(got.Error.Text, "the document is refused: the invoice breaks BR-CO-15") {
				t.Errorf("the sender learns %+v", got.Error)
			}
			if c.state != store.Acknowledged {
				return
			}
			if got := pt.until(t, store.In, m.MessageID, store.Delivered); got.Error.Code != c.in {
				t.Errorf("arrived with %+v, want %q", got.Error, c.in)
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
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
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
