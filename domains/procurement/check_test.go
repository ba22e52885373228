package procurement_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/domains/procurement"
	"github.com/viadukt-eu/viadukt/domains/procurement/sample"
	"github.com/viadukt-eu/viadukt/edocument/rules"
	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/setup"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// startSetting is start for a node in the network of Peppol whose section has further settings.
func startSetting(t *testing.T, root, name, code, settings string) *country {
	t.Helper()
	return startTuned(t, root, name, code, "peppol", settings, nil)
}

// startTuned is startSetting for a node of another network, whose configuration is changed further.
func startTuned(t *testing.T, root, name, code, profile, settings string, tune func(*config.Config)) *country {
	t.Helper()
	p := setup.Params{Dir: filepath.Join(root, name), Network: filepath.Join(root, "network"), Country: code, Profile: profile, Now: time.Now(), Host: ownAddress()}
	r, err := setup.Create(p)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(r.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(b), "procurement: {profile: "+profile, "procurement: {profile: "+profile+", "+settings, 1)
	if changed == string(b) {
		t.Fatal("the section was not found")
	}
	if err := os.WriteFile(r.ConfigFile, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(r.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	if tune != nil {
		tune(c)
	}
	n, err := node.New(context.Background(), c, node.Options{Domains: []node.Domain{procurement.New()}})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return &country{n, r.Token, p.Dir}
}

// wrong is an invoice whose total does not add up.
func wrong(t *testing.T) []byte {
	t.Helper()
	doc, err := sample.Make("invoice", "2026-8", sample.Supplier, sample.Buyer, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.Replace(doc, []byte(">1550.00</cbc:TaxInclusiveAmount>"), []byte(">1550.50</cbc:TaxInclusiveAmount>"), 1)
	if bytes.Equal(doc, changed) {
		t.Fatal("the sample has another total")
	}
	return changed
}

func TestSamplesObeyTheRules(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"invoice", "creditnote"} {
		doc, err := sample.Make(kind, "1", sample.Supplier, sample.Buyer, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		d, err := dom.Parse(doc, dom.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if r, err := rules.Validate(d, rules.Options{}); err != nil || len(r.Findings) > 0 {
			t.Errorf("%s: %v %+v", kind, err, r)
		}
	}
}

// anInvoiceThatBreaksRulesIsNotSent: a back office hands over a file and gets a message id; a wrong invoice comes back
// with the rules it breaks and the lines where, and nothing is stored.
func anInvoiceThatBreaksRulesIsNotSent(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	ee, pt := start(t, root, "ee", "EE", "peppol"), start(t, root, "pt", "PT", "peppol")
	pt.serve(t, "invoice", sample.Supplier, sample.Buyer)
	status, body := ee.call(t, "POST", "/api/v1/messages", "application/xml", wrong(t))
	for _, part := range []string{procurement.InvalidDocument, "breaks BR-CO-15 (line 2), BR-CO-16 (line ", "BT-112 = 1550.50, BT-109 + BT-110 = 1550.00, difference 0.50", "Set BT-112 to 1550.00"} {
		if status != http.StatusUnprocessableEntity || !strings.Contains(string(body), part) {
			t.Errorf("%d, without %q: %s", status, part, body)
		}
	}
	if l, err := ee.Store.List(context.Background(), store.Filter{}, store.Page{}); err != nil || len(l.Messages) != 0 {
		t.Errorf("%d messages stored, %v", len(l.Messages), err)
	}
	right, err := sample.Make("invoice", "2026-9", sample.Supplier, sample.Buyer, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	status, body = ee.call(t, "POST", "/api/v1/messages", "application/xml", right)
	var m node.MessageJSON
	if err := json.Unmarshal(body, &m); status != http.StatusAccepted || err != nil || m.MessageID == "" {
		t.Fatalf("%d %s", status, body)
	}
	ee.until(t, store.Out, m.MessageID, store.Acknowledged)
	pt.until(t, store.In, m.MessageID, store.Delivered)
}

func TestAnInvoiceThatBreaksRulesIsMarkedWhereItArrives(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, receiver, code string }{
		{"as a rule", "checkIncoming: mark", procurement.InvalidDocument},
		{"not where nobody looks", "checkIncoming: off", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			ee, pt := startSetting(t, root, "ee", "EE", "checkOutgoing: off"), startSetting(t, root, "pt", "PT", c.receiver)
			pt.serve(t, "invoice", sample.Supplier, sample.Buyer)
			status, body := ee.call(t, "POST", "/api/v1/messages", "application/xml", wrong(t))
			var m node.MessageJSON
			if err := json.Unmarshal(body, &m); status != http.StatusAccepted || err != nil {
				t.Fatalf("%d %s", status, body)
			}
			ee.until(t, store.Out, m.MessageID, store.Acknowledged)
			got := pt.until(t, store.In, m.MessageID, store.Delivered)
			if got.Error.Code != c.code || c.code != "" && !strings.Contains(got.Error.Text, "BR-CO-15") {
				t.Errorf("%+v", got.Error)
			}
		})
	}
}

// A tender is judged by the rules of its edition: those of 1.1 are in the program.
func TestATenderIsJudgedByItsEdition(t *testing.T) {
	t.Parallel()
	ee := start(t, t.TempDir(), "ee", "EE", "peppol")
	doc, err := sample.Make("tender", "17", sample.Supplier, sample.Buyer, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for edition, want := range map[string]string{"1.1": "PEPPOL-T005-R006", "1.2": "DISCOVERY:NOT_REGISTERED"} {
		octets := []byte(strings.NewReplacer("t005:1.2", "t005:"+edition, "p003:1.2", "p003:"+edition).Replace(string(doc)))
		if status, body := ee.call(t, "POST", "/api/v1/messages", "application/xml", octets); status != http.StatusUnprocessableEntity || !strings.Contains(string(body), want) {
			t.Errorf("%s: %d %s", edition, status, body)
		}
	}
}
