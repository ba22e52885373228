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
	"github.com/viadukt-eu/viadukt/edelivery/smp"
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

	// Where the sender still has what the directory said before the end was set, it is refused where it arrives.
	supplier.ID = "10137026"
	r := create("fi", "FI")
	late := runOn(t, clock, r, "")
	register(late, old)
	if status, body, m := careless.offer(t, made("5", old)); status != http.StatusAccepted {
		t.Fatalf("%d %s", status, body)
	} else {
		late.until(t, store.In, m.MessageID, store.Delivered)
	}
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

// TestPublishedDatesFollowTheConfiguration: when versions change, what is published of participants changes with them, at a
// reload and at a start, and nobody is registered again. The dates take effect when they pass, for a sender that knows
// nothing of versions.
func TestPublishedDatesFollowTheConfiguration(t *testing.T) {
	t.Parallel()
	const version = "urn:fdc:peppol.eu:poacc:trns:order:3"
	clock := &calendar{}
	root := t.TempDir()
	create := func(name, code string) *setup.Result {
		r, err := setup.Create(setup.Params{Dir: filepath.Join(root, name), Network: filepath.Join(root, "network"), Country: code, Profile: "peppol", Now: time.Now(), Host: ownAddress()})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	made := create("ee", "EE")
	plain, err := os.ReadFile(made.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	configure := func(settings string) {
		t.Helper()
		b := bytes.Replace(plain, []byte("procurement: {profile: peppol"), []byte("procurement: {profile: peppol"+settings), 1)
		if err := os.WriteFile(made.ConfigFile, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	day := func(days int) time.Time { return clock.now().AddDate(0, 0, days).UTC().Truncate(time.Second) }
	life := func(from, until time.Time) string {
		s := ", versions: [{customization: '" + version + "'"
		for key, at := range map[string]time.Time{"from": from, "until": until} {
			if !at.IsZero() {
				s += ", " + key + ": '" + at.Format(time.RFC3339) + "'"
			}
		}
		return s + "}]"
	}
	sender, seller := runOn(t, clock, create("pt", "PT"), ""), runOn(t, clock, made, "")
	defer sender.stop(t)
	order := func(number string) []byte {
		b, err := sample.Make("order", number, sample.Buyer, sample.Supplier, clock.now())
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	d, err := procurement.Parse(order("X"))
	if err != nil {
		t.Fatal(err)
	}
	seller.register(t, d)
	published := func() *smp.Endpoint {
		t.Helper()
		e, err := seller.Store.Entry(t.Context(), store.EntryKey{Participant: d.Receiver.String(), DocType: d.Type.String(), Generation: smp.Busdox10.String()})
		if err != nil {
			t.Fatal(err)
		}
		md, err := smp.ParseServiceMetadata(e.Octets)
		if err != nil {
			t.Fatal(err)
		}
		return &md.Processes[0].Endpoints[0]
	}
	is := func(what string, from, until time.Time) {
		t.Helper()
		if e := published(); !e.Activation.Equal(from) || !e.Expiration.Equal(until) {
			t.Errorf("%s: published from %s until %s, want %s and %s", what, e.Activation, e.Expiration, from, until)
		}
	}
	reload := func() {
		t.Helper()
		if _, err := seller.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	taken := func(what string, want bool) {
		t.Helper()
		if status, body, _ := sender.offer(t, order(what)); (status == http.StatusAccepted) != want || !want && !strings.Contains(body, "DISCOVERY:NOT_ACCEPTED") {
			t.Errorf("%s: %d %s", what, status, body)
		}
	}
	is("at first", time.Time{}, time.Time{})
	taken("at-first", true)

	end := day(30)
	configure(life(time.Time{}, end))
	reload()
	is("an end is set", time.Time{}, end)
	clock.pass(20)
	taken("before-its-end", true)
	configure(", versions: [{customization: x, from: 2027-05-03, until: 2027-05-03}]")
	if _, err := seller.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), "versions[0].until") {
		t.Errorf("a version that is never in use: %v", err)
	}
	is("something is wrong", time.Time{}, end)
	clock.pass(10.01)
	taken("after-its-end", false)

	end = day(60)
	configure(life(time.Time{}, end))
	reload()
	is("the end is put off", time.Time{}, end)
	clock.pass(0.1) // the sender asks anew
	taken("put-off", true)

	// While the node is down: the next start brings it into line.
	seller.stop(t)
	begin := day(10)
	configure(life(begin, end))
	seller = runOn(t, clock, made, "")
	defer func() { seller.stop(t) }()
	for deadline := time.Now().Add(patience); published().Activation.IsZero() && time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
	}
	is("a beginning is set", begin, end)
	clock.pass(1)
	taken("before-its-beginning", false)
	clock.pass(9.01)
	taken("after-its-beginning", true)

	// What others have set stays, what versions have set goes with them.
	configure("")
	reload()
	is("no versions any more", time.Time{}, time.Time{})
}
