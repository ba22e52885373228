package procurement_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/domains/procurement"
	"github.com/viadukt-eu/viadukt/domains/procurement/sample"
	"github.com/viadukt-eu/viadukt/edocument/response"
	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/setup"
	"github.com/viadukt-eu/viadukt/node/store"
)

// calendar is a clock that can be put forward.
type calendar struct{ ahead atomic.Int64 }

func (c *calendar) now() time.Time    { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *calendar) pass(days float64) { c.ahead.Add(int64(days * 24 * float64(time.Hour))) }

// runOn runs a node that was made, with further settings, by a calendar. Stop it once more often than it is started again.
func runOn(t *testing.T, clock *calendar, r *setup.Result, settings string) *country {
	t.Helper()
	b, err := os.ReadFile(r.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	if settings != "" {
		b = bytes.Replace(b, []byte("procurement: {profile: peppol"), []byte("procurement: {profile: peppol, "+settings), 1)
	}
	if err := os.WriteFile(r.ConfigFile, b, 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(r.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	n, err := node.New(context.Background(), c, node.Options{Domains: []node.Domain{procurement.New()}, Clock: clock.now})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	return &country{n, r.Token, r.Dir}
}

// stop ends a node.
func (c *country) stop(t *testing.T) {
	t.Helper()
	if err := c.Stop(context.Background()); err != nil {
		t.Error(err)
	}
}

// offer hands several versions of a document over and returns what the node says.
func (c *country) offer(t *testing.T, versions ...[]byte) (int, string, *node.MessageJSON) {
	t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for i, v := range versions {
		part, err := w.CreateFormFile("document", fmt.Sprintf("%d.xml", i))
		if err != nil {
			t.Fatal(err)
		}
		part.Write(v)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	status, answer := c.call(t, "POST", "/api/v1/messages", w.FormDataContentType(), body.Bytes())
	m := &node.MessageJSON{}
	if status == http.StatusAccepted {
		if err := json.Unmarshal(answer, m); err != nil {
			t.Fatal(err)
		}
	}
	return status, string(answer), m
}

// versionsPhaseOut: two versions of the order live side by side. The buyer hands both over; the newest is sent that is in use
// and that the seller is registered for. While the seller moves, both arrive. The end of the old one is announced, and after
// it such orders are refused by the sender's node, by the directory, and where they arrive all the same.
func versionsPhaseOut(t *testing.T) {
	t.Parallel()
	const old, next = "urn:fdc:peppol.eu:poacc:trns:order:3", "urn:fdc:peppol.eu:poacc:trns:order:4"
	clock := &calendar{}
	day := func(days int) string { return clock.now().AddDate(0, 0, days).UTC().Format(time.RFC3339) }
	end := clock.now().AddDate(0, 0, 30).UTC().Format(time.DateOnly)
	settings := fmt.Sprintf("versions: [{customization: '%s', until: '%s', next: '%s'}, {customization: '%s', from: '%s'}]", old, day(30), next, next, day(10))
	root := t.TempDir()
	create := func(name, code string) *setup.Result {
		r, err := setup.Create(setup.Params{Dir: filepath.Join(root, name), Network: filepath.Join(root, "network"), Country: code, Profile: "peppol", Now: time.Now(), Host: ownAddress()})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	buyer, seller := runOn(t, clock, create("pt", "PT"), settings), runOn(t, clock, create("ee", "EE"), settings)
	defer buyer.stop(t)
	defer seller.stop(t)
	careless := runOn(t, clock, create("lv", "LV"), "") // knows nothing of versions
	defer careless.stop(t)

	supplier := sample.Supplier
	made := func(number, version string) []byte {
		doc, err := sample.Make("order", number, sample.Buyer, supplier, clock.now())
		if err != nil {
			t.Fatal(err)
		}
		return bytes.ReplaceAll(doc, []byte(old), []byte(version))
	}
	register := func(at *country, version string) {
		t.Helper()
		d, err := procurement.Parse(made("X", version))
		if err != nil {
			t.Fatal(err)
		}
		at.register(t, d)
	}
	sends := func(number, version string, versions ...string) {
		t.Helper()
		var docs [][]byte
		for _, v := range versions {
			docs = append(docs, made(number, v))
		}
		status, body, m := buyer.offer(t, docs...)
		if status != http.StatusAccepted || !strings.Contains(m.Action, "##"+version+"::") {
			t.Fatalf("%d %s, want %s", status, body, version)
		}
		buyer.until(t, store.Out, m.MessageID, store.Acknowledged)
		seller.until(t, store.In, m.MessageID, store.Delivered)
	}
	refuses := func(c *country, code, text, version string) {
		t.Helper()
		if status, body, _ := c.offer(t, made("Z", version)); status != http.StatusUnprocessableEntity || !strings.Contains(body, code) || !strings.Contains(body, text) {
			t.Errorf("%d %s, want %s %s", status, body, code, text)
		}
	}

	register(seller, old)
	sends("1", old, next, old) // the new one is not in use yet
	refuses(buyer, procurement.VersionNotInUse, "comes into use on "+clock.now().AddDate(0, 0, 10).UTC().Format(time.DateOnly), next)
	if status, body, _ := buyer.offer(t, made("1", old), made("2", next)); status != http.StatusUnprocessableEntity || !strings.Contains(body, "TOO_MANY") {
		t.Errorf("two documents at once: %d %s", status, body)
	}

	clock.pass(15)             // the migration period
	sends("2", old, next, old) // the seller does not take the new one yet
	register(seller, next)
	sends("3", next, old, next)
	sends("4", old, old)
	if err := buyer.CheckAlerts(context.Background()); err != nil {
		t.Fatal(err)
	}
	announced := ""
	for _, a := range buyer.Alerts() {
		if a.Rule == "phase-out" {
			announced = a.Say("en")
		}
	}
	if !strings.HasPrefix(announced, old+" is phased out on "+end+", in ") || !strings.HasSuffix(announced, "; "+next+" takes its place") {
		t.Errorf("announced: %q", announced)
	}

	clock.pass(15.01) // after it
	refuses(buyer, procurement.VersionPhasedOut, old+" was phased out on "+end+", by domains.procurement.versions[0]", old)
	refuses(buyer, "", "send the document by "+next, old)
	sends("5", next, old, next)
	refuses(careless, "DISCOVERY:NOT_ACCEPTED", "", old)

	// Where the directory was told of the old version without its end, it is refused where it arrives.
	supplier.ID = "10137026"
	r := create("fi", "FI")
	late := runOn(t, clock, r, "")
	register(late, old)
	late.stop(t)
	late = runOn(t, clock, r, settings)
	defer late.stop(t)
	careless.takes(t, "iso6523-actorid-upis::0242:"+strings.TrimPrefix(careless.Config.AS4.Party.ID, "POP"), response.Status)
	status, body, m := careless.offer(t, made("6", old))
	if status != http.StatusAccepted {
		t.Fatalf("%d %s", status, body)
	}
	got := late.until(t, store.In, m.MessageID, store.Rejected)
	if got.Error.Code != procurement.VersionPhasedOut || !strings.Contains(got.Error.Text, "phased out on "+end) || !strings.Contains(got.Error.Remedy, next) {
		t.Errorf("%+v", got.Error)
	}
	if r := careless.content(t, careless.answerTo(t, m.MessageID)); r.Code != response.Rejected || !strings.Contains(r.Summary(), "phased out on "+end) {
		t.Errorf("%+v", r)
	}
}

// TestAVersionThatIsNeverInUseIsAMistake: it is told with its place in the configuration.
func TestAVersionThatIsNeverInUseIsAMistake(t *testing.T) {
	t.Parallel()
	r, err := setup.Create(setup.Params{Dir: filepath.Join(t.TempDir(), "ee"), Country: "EE", Profile: "peppol", Now: time.Now(), Host: ownAddress()})
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(r.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	b = bytes.Replace(b, []byte("procurement: {profile: peppol"), []byte("procurement: {profile: peppol, versions: [{customization: a, from: 2027-05-03, until: 2027-05-03}]"), 1)
	if err := os.WriteFile(r.ConfigFile, b, 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(r.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = node.New(context.Background(), c, node.Options{Domains: []node.Domain{procurement.New()}}); err == nil || !strings.Contains(err.Error(), "domains.procurement.versions[0].until: is not after from") {
		t.Errorf("%v", err)
	}
}
