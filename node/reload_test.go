package node_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/setup"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// include writes the file of partners and P-Modes that the configuration of a node includes.
func include(t *testing.T, r *setup.Result, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(r.Dir, config.DefaultPModeFile), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func edit(t *testing.T, file string, change func([]byte) []byte) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, change(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestReloadTakesWhatIsNewAndKeepsWhatWorks(t *testing.T) {
	t.Parallel()
	a, b := agree(t)
	n := begin(t, a, nil, nil)
	notes := "pmodes:\n  - id: notes\n    partner: " + b.Name + "\n    action: "
	everybody := func() *as4.PMode { return &as4.PMode{ID: "everybody", ProfileName: "eu-edelivery"} }
	if err := n.AddPMode("", everybody(), everybody()); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		name, file string
		want       node.Reloaded
		refused    string
		sends      string // action by which notes are sent afterwards, empty: not at all
	}{
		{"nothing new changes nothing", "", node.Reloaded{Partners: 1, PModes: 2}, "", ""},
		{"a P-Mode that is new can be used", notes + "note\n", node.Reloaded{Partners: 1, PModes: 3, Added: []string{"notes"}}, "", "note"},
		{"a partner that is not there is refused", notes + "other\n  - id: more\n    partner: nobody\n", node.Reloaded{}, `pmodes.yaml:6: pmodes[1].partner: no partner is named "nobody"`, "note"},
		{"a key nobody knows is refused", notes + "other\n    colour: red\n", node.Reloaded{}, "pmodes.yaml:5: pmodes[0].colour: unknown key", "note"},
		{"a P-Mode that is there already is refused", "pmodes:\n  - id: letters\n    partner: " + b.Name + "\n", node.Reloaded{}, `pmodes.yaml:2: pmodes[0].id: the P-Mode "letters" stands in line`, "note"},
		{"a certificate that is not there is refused", "partners:\n  - name: lv\n    id: lv\n    certificates: [no.pem]\n", node.Reloaded{}, "pmodes.yaml:2: partners[0]: open ", "note"},
		{"a P-Mode that changes is changed", notes + "memo\n", node.Reloaded{Partners: 1, PModes: 3, Changed: []string{"notes"}}, "", "memo"},
		{"several partners have one agreement", "pmodes:\n  - id: notes\n    partners: [" + b.Name + "]\n    action: memo\n", node.Reloaded{Partners: 1, PModes: 3, Added: []string{"notes/" + b.Name}, Removed: []string{"notes"}}, "", ""},
		{"one that is gone is gone", "pmodes: []\n", node.Reloaded{Partners: 1, PModes: 2, Removed: []string{"notes/" + b.Name}}, "", ""},
	} {
		if step.file != "" {
			include(t, a, step.file)
		}
		got, err := n.Reload(context.Background())
		if step.refused != "" {
			if err == nil || !strings.Contains(err.Error(), step.refused) {
				t.Errorf("%s: got %v, want %s", step.name, err, step.refused)
			}
		} else if err != nil {
			t.Errorf("%s: %v", step.name, err)
		} else {
			for _, list := range []*[]string{&step.want.Added, &step.want.Removed, &step.want.Changed} {
				if *list == nil {
					*list = []string{}
				}
			}
			got.Restart = nil // what this test has set beside the file
			if !reflect.DeepEqual(*got, step.want) {
				t.Errorf("%s: got %+v, want %+v", step.name, *got, step.want)
			}
		}
		action := ""
		if pm := n.PMode("notes"); pm != nil {
			action = pm.Action
		}
		if action != step.sends || n.PMode("letters") == nil || n.PMode("everybody") == nil {
			t.Errorf("%s: notes are sent by %q, letters by %v, all else by %v", step.name, action, n.PMode("letters"), n.PMode("everybody"))
		}
	}
}

// TestAPartnerOfAReloadIsReached: its address may be in the inner network, as the operator wrote it down.
func TestAPartnerOfAReloadIsReached(t *testing.T) {
	t.Parallel()
	a, b := agree(t)
	var halves [2]string
	for i, r := range []*setup.Result{a, b} {
		edit(t, r.ConfigFile, func(text []byte) []byte {
			at := strings.Index(string(text), "\npartners:\n")
			halves[i] = string(text[at:])
			return text[:at+1]
		})
	}
	change := func(c *config.Config) {
		c.Discovery.AllowPrivateAddresses = false
		c.API.Tokens[0].Scopes = []string{"messages", "admin"}
	}
	ee, pt := begin(t, a, change, nil), begin(t, b, change, nil)
	if ee.PMode("letters") != nil {
		t.Fatal("agreed already")
	}
	include(t, a, halves[0])
	include(t, b, halves[1])
	for _, g := range []*gateway{ee, pt} {
		resp, body := g.call(t, "POST", "/api/v1/reload", "", nil)
		if got := decode[node.Reloaded](t, body); resp.StatusCode != http.StatusOK || len(got.Added) != 1 {
			t.Fatalf("%d %s", resp.StatusCode, body)
		}
	}
	m := ee.send(t, letter(text("a", "new")))
	ee.until(t, store.Out, m.MessageID, store.Acknowledged)
	pt.until(t, store.In, m.MessageID, store.Delivered)
	include(t, a, "partners: 3\n")
	if resp, body := ee.call(t, "POST", "/api/v1/reload", "", nil); resp.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(string(body), "partners: a single value where a list is expected") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

// TestChannelsAreFetchedAfterAReload: a P-Mode becomes pull while both nodes run, then push again.
func TestChannelsAreFetchedAfterAReload(t *testing.T) {
	t.Parallel()
	a, b := agree(t)
	ee, pt := begin(t, a, nil, nil), begin(t, b, nil, nil)
	reload := func() {
		for _, g := range []*gateway{ee, pt} {
			if _, err := g.Reload(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
	}
	amend(t, a, "letters", "direction: send", "mpc: urn:test:letters", "pull: {interval: 1s}")
	amend(t, b, "letters", "direction: receive", "mpc: urn:test:letters", "pull: {interval: 1s}")
	reload()
	m := ee.send(t, letter(text("a", "fetched")))
	if m.State != store.Queued {
		t.Errorf("a message to be fetched is %s", m.State)
	}
	pt.until(t, store.In, m.MessageID, store.Delivered)
	ee.until(t, store.Out, m.MessageID, store.Acknowledged)
	for _, r := range []*setup.Result{a, b} {
		edit(t, r.ConfigFile, func(text []byte) []byte {
			return []byte(strings.Replace(string(text), "    pull: {interval: 1s}\n", "", 1))
		})
	}
	reload()
	m = ee.send(t, letter(text("a", "pushed")))
	pt.until(t, store.In, m.MessageID, store.Delivered)
}

func TestReloadsAndMessagesAtOnce(t *testing.T) {
	t.Parallel()
	a, b := agree(t)
	ee, pt := begin(t, a, nil, nil), begin(t, b, nil, nil)
	var group sync.WaitGroup
	group.Go(func() {
		for i := range 20 {
			include(t, a, fmt.Sprintf("pmodes:\n  - id: extra-%d\n    partner: %s\n", i, b.Name))
			if _, err := ee.Reload(context.Background()); err != nil {
				t.Error(err)
			}
		}
	})
	group.Go(func() {
		for i := range 5 {
			pm := func() *as4.PMode { return &as4.PMode{ID: fmt.Sprintf("added-%d", i), ProfileName: "eu-edelivery"} }
			if err := ee.AddPMode("", pm(), pm()); err != nil {
				t.Error(err)
			}
		}
	})
	var sent []string
	for range 20 {
		sent = append(sent, ee.send(t, letter(text("a", "x"))).MessageID)
	}
	group.Wait()
	for _, id := range sent {
		pt.until(t, store.In, id, store.Delivered)
	}
	for i := range 5 {
		if ee.PMode(fmt.Sprintf("added-%d", i)) == nil {
			t.Errorf("added-%d was lost", i)
		}
	}
	if ee.PMode("extra-19") == nil {
		t.Error("the last file is not in use")
	}
}

// TestReloadFollowsOtherTrustedLists: lists come, change and go while the node runs.
func TestReloadFollowsOtherTrustedLists(t *testing.T) {
	t.Parallel()
	clock := &movingClock{at: time.Now()}
	u := newUnion(t, clock.now, "EE", "LV")
	d, _ := agree(t)
	document := u.signed("EE")
	u.configured(d, "")
	sources := func(s string) {
		edit(t, d.ConfigFile, func(b []byte) []byte {
			lines := strings.Split(string(b), "\n")
			lines = slices.DeleteFunc(lines, func(l string) bool {
				return strings.HasPrefix(l, "  sources: [") || strings.HasPrefix(l, "  territories: [")
			})
			return withSources([]byte(strings.Join(lines, "\n")), s)
		})
	}
	lotl := "{url: \"" + u.URL + "/lotl.xml\", signers: [lotl.pem], territory: EU}"
	sources("")
	g := beginAt(t, d, clock.now, nil)
	admin := &gateway{g.Node, &setup.Result{Token: g.made.AdminToken}}
	reload := func(what string, status int, want string) {
		t.Helper()
		if resp, body := admin.call(t, "POST", "/api/v1/reload", "", nil); resp.StatusCode != status || !strings.Contains(string(body), want) {
			t.Fatalf("%s: %d %s", what, resp.StatusCode, body)
		}
	}
	is := func(what, want, verdict string) {
		t.Helper()
		if got := g.lists(t); got != want {
			t.Errorf("%s: lists %q, want %q", what, got, want)
		}
		if v, _ := g.verdict(t, document); worth(v) != verdict {
			t.Errorf("%s: %v", what, v)
		}
	}
	if resp, body := admin.call(t, "POST", "/api/v1/trustlists/refresh", "", nil); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("refreshed nothing: %d %s", resp.StatusCode, body)
	}
	if v, _ := g.verdict(t, document); worth(v) != "INDETERMINATE N/A" {
		t.Errorf("without lists: %v", v)
	}

	sources(lotl)
	reload("lists come", http.StatusOK, "")
	eventually(t, "the list that was not asked for", func() bool { return u.sent("/EE.xml") == 1 }) // nobody refreshed
	is("lists come", "EU7 current, EE7 current, LV7 current", "TOTAL_PASSED QESig")
	reload("nothing new", http.StatusOK, "")
	is("nothing new", "EU7 current, EE7 current, LV7 current", "TOTAL_PASSED QESig")

	sources(lotl + "]\n  territories: [LV")
	reload("of one country", http.StatusOK, "")
	is("of one country", "EU7 current, LV7 current", "INDETERMINATE N/A")

	sources("{url: \"" + u.URL + "/lotl.xml\", signers: [away.pem]}")
	reload("a file that is away", http.StatusUnprocessableEntity, "away.pem")
	is("a file that is away", "EU7 current, LV7 current", "INDETERMINATE N/A")

	// The same file with other certificates in it: who signs now is a stranger.
	sources(lotl)
	reload("all again", http.StatusOK, "")
	is("all again", "EU7 current, EE7 current, LV7 current", "TOTAL_PASSED QESig")
	edit(t, filepath.Join(d.Dir, "lotl.pem"), func([]byte) []byte { return pki.MarshalPEM(u.states["LV"].operator.Certificate) })
	reload("other signers", http.StatusOK, "")
	if got := g.lists(t); strings.Contains(got, "current") {
		t.Errorf("other signers: %s", got)
	}

	sources("")
	reload("lists go", http.StatusOK, "")
	if v, _ := g.verdict(t, document); worth(v) != "INDETERMINATE N/A" {
		t.Errorf("lists go: %v", v)
	}
	if resp, body := admin.call(t, "GET", "/api/v1/trustlists", "", nil); resp.StatusCode != http.StatusOK || len(decode[node.TrustListsJSON](t, body).Lists) != 0 {
		t.Errorf("lists go: %d %s", resp.StatusCode, body)
	}
}

// TestReloadChangesWhoStampsTheLog: an authority comes and goes while the node runs.
func TestReloadChangesWhoStampsTheLog(t *testing.T) {
	t.Parallel()
	clock := &movingClock{at: time.Now()}
	ca, url, down := newTSA(t, clock)
	down.Store(false)
	a, _ := agree(t)
	before, err := os.ReadFile(a.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	ee := beginAt(t, a, clock.now, nil)
	if _, err := ee.Evidence.Sign(t.Context()); err != nil || ee.Evidence.Stamped() {
		t.Fatalf("%v, stamped %t", err, ee.Evidence.Stamped())
	}
	stampedBy(t, a, ca, url)
	if _, err := ee.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a time-stamp", func() bool { // nobody asked for it
		resp, _ := ee.call(t, "GET", "/api/v1/log/timestamp", "", nil)
		return resp.StatusCode == http.StatusOK
	})
	edit(t, a.ConfigFile, func([]byte) []byte { return before })
	if _, err := ee.Reload(t.Context()); err != nil || ee.Evidence.Stamped() || ee.Evidence.Stamp(t.Context()) != nil {
		t.Errorf("%v, stamped %t", err, ee.Evidence.Stamped())
	}
}

// TestReloadNamesWhatWaitsForARestart: a setting that only a start takes is named, one that the reload took is not.
func TestReloadNamesWhatWaitsForARestart(t *testing.T) {
	t.Parallel()
	a, _ := agree(t)
	c, err := config.Load(a.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	n, err := node.New(t.Context(), c, node.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Stop(t.Context())
	waits := func(what string, want ...string) {
		t.Helper()
		done, err := n.Reload(t.Context())
		if err != nil || !slices.Equal(done.Restart, want) {
			t.Errorf("%s: %+v, %v, want %q", what, done, err, want)
		}
	}
	before, err := os.ReadFile(a.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	waits("nothing new", []string{}...)
	edit(t, a.ConfigFile, func(b []byte) []byte {
		b = bytes.Replace(b, []byte("\n  limits:\n"), []byte("\n  limits:\n    parts: 7\n"), 1)
		return bytes.Replace(b, []byte("\nlog:\n"), []byte("\nlog:\n  level: debug\n"), 1)
	})
	waits("two others", "as4.limits.parts", "log.level")
	edit(t, a.ConfigFile, func([]byte) []byte { return before })
	ca, err := pki.NewAuthority(rand.Reader, "CN=Another", pki.P256, time.Now(), 1)
	if err != nil {
		t.Fatal(err)
	}
	stampedBy(t, a, ca, "http://127.0.0.1:1/")
	waits("what a reload takes", []string{}...)
}

// TestAReloadEndsARefreshOfListsThatAreGone: a server that does not answer holds up nobody.
func TestAReloadEndsARefreshOfListsThatAreGone(t *testing.T) {
	t.Parallel()
	asked, ended := make(chan struct{}), make(chan struct{})
	var once sync.Once
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		once.Do(func() {
			close(asked)
			<-r.Context().Done()
			close(ended)
		})
	}))
	defer slow.Close()
	u := newUnion(t, time.Now, "EE")
	d, _ := agree(t)
	u.configured(d, "")
	before, err := os.ReadFile(d.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	edit(t, d.ConfigFile, func(b []byte) []byte {
		return bytes.Replace(bytes.Replace(b, []byte(u.URL+"/lotl.xml"), []byte(slow.URL+"/lotl.xml"), 1), []byte("\ntrustlists:\n"), []byte("\ntrustlists:\n  timeout: 10m\n"), 1)
	})
	g := beginAt(t, d, time.Now, nil)
	<-asked
	edit(t, d.ConfigFile, func([]byte) []byte { return before })
	if _, err := g.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-ended
	if got := g.lists(t); got != "EU7 current, EE7 current" {
		t.Errorf("lists %q", got)
	}
}
