package node_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/setup"
	"github.com/viadukt-eu/viadukt/node/store"
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
