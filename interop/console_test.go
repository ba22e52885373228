package interop

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/domains/procurement"
	"github.com/viadukt-eu/viadukt/domains/procurement/sample"
	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/setup"
	"github.com/viadukt-eu/viadukt/node/store"
)

// browser is a real one; see its README.
var browser = peer{"peers/browser", "browser"}

func needBrowser(t *testing.T) {
	t.Helper()
	needPeers(t, filepath.Join(browser.dir, ".build/stamp"))
}

// chosen is the password of the first user in these tests.
const chosen = "three arches over a river"

// consoles are two nodes with an agreement, and a third partner that is not there.
func consoles(t *testing.T) (ee *node.Node, first, address string) {
	t.Helper()
	root := t.TempDir()
	var made []*setup.Result
	for _, c := range []struct{ name, country string }{{"ee", "EE"}, {"pt", "PT"}, {"gone", "AT"}} {
		r, err := setup.Create(setup.Params{Dir: filepath.Join(root, c.name), Network: filepath.Join(root, "network"), Country: c.country, Profile: "eu-edelivery", Now: time.Now(), Base: ports(t, 4)})
		if err != nil {
			t.Fatal(err)
		}
		made = append(made, r)
	}
	cases := func(id, action string) setup.Agreement {
		return setup.Agreement{ID: id, Service: "http://example.eu/cases", Action: action, FirstRetry: "5m", MaxAttempts: 3}
	}
	if err := setup.Agree(made[0], made[1], cases("case-file", "Submit"), cases("answer", "Reply")); err != nil {
		t.Fatal(err)
	}
	if err := setup.Agree(made[0], made[2], setup.Agreement{ID: "old-partner", Service: "http://example.eu/cases", Action: "Inform", FirstRetry: "5m", MaxAttempts: 1}); err != nil {
		t.Fatal(err)
	}
	var nodes []*node.Node
	for _, r := range made[:2] {
		c, err := config.Load(r.ConfigFile)
		if err != nil {
			t.Fatal(err)
		}
		n, err := node.New(t.Context(), c, node.Options{Domains: []node.Domain{procurement.New()}, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
		if err != nil {
			t.Fatal(err)
		}
		if err := n.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := n.Stop(context.Background()); err != nil {
				t.Error(err)
			}
		})
		nodes = append(nodes, n)
	}
	return nodes[0], made[0].Password, "http://" + nodes[0].Addr("api")
}

// exchange sends messages that arrive and one that cannot, and puts a month of older ones into the store.
func exchange(t *testing.T, n *node.Node) (delivered, failed int64) {
	t.Helper()
	send := func(pmode, name, content string) int64 {
		done := false
		m, err := n.Accept(t.Context(), &node.Submission{PMode: pmode, Sender: "urn:oasis:names:tc:ebcore:partyid-type:unregistered::court-tallinn", Receiver: "urn:oasis:names:tc:ebcore:partyid-type:unregistered::court-porto", Next: func() (*node.SubmissionPart, error) {
			if done {
				return nil, io.EOF
			}
			done = true
			return &node.SubmissionPart{Name: name, MimeType: "application/xml", Body: strings.NewReader(content)}, nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		return m.ID
	}
	until := func(id int64, want store.State) {
		deadline := time.Now().Add(patience)
		for {
			m, err := n.Store.Message(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			if m.State == want {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("message %d is %s, want %s: %+v", id, m.State, want, m.Error)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	now := time.Now().UTC()
	older := func(i int) *store.Message {
		m := &store.Message{
			Direction: store.Out, State: store.Acknowledged, MessageID: fmt.Sprintf("old-%d@ee.example", i), ConversationID: fmt.Sprintf("case-%d@ee.example", i/3), Domain: "procurement", PMode: "case-file", Profile: "eu-edelivery",
			From: "POP000001", To: "POP000002", Sender: "iso6523-actorid-upis::9931:EE100366327", Receiver: "iso6523-actorid-upis::9946:PT502011378",
			Service: "urn:fdc:peppol.eu:2017:poacc:billing:01:1.0", Action: "busdox-docid-qns::urn:oasis:names:specification:ubl:schema:xsd:Invoice-2::Invoice##urn:cen.eu:en16931:2017::2.1", Peer: "127.0.0.1",
			Created: now.Add(-time.Duration((700-i)*i%43200) * time.Minute),
		}
		if i%3 == 0 {
			m.Direction, m.State, m.SenderKey = store.In, store.Delivered, "pt"
		}
		if i%37 == 1 {
			m.State, m.Error = store.Rejected, store.Problem{Code: "EBMS:0003", Text: "ValueInconsistent: unknown party or role"}
		}
		return m
	}
	if err := n.Store.Write(t.Context(), func(tx store.Tx) error {
		var errs []error
		for i := range 600 {
			errs = append(errs, tx.Insert(older(i)))
		}
		return errors.Join(errs...)
	}); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		delivered = send("case-file", fmt.Sprintf("request-%d.xml", i+1), "<request/>")
		until(delivered, store.Acknowledged)
	}
	failed = send("old-partner", "notice.xml", "<notice/>")
	until(failed, store.Failed)
	return delivered, failed
}

// pictures is where they go: kept where VIADUKT_PICTURES names a folder, to be looked at.
func pictures(t *testing.T, name string) string {
	if dir := os.Getenv("VIADUKT_PICTURES"); dir != "" {
		return filepath.Join(dir, name)
	}
	return filepath.Join(t.TempDir(), name)
}

// flow is a file of testdata as the browser wants it.
func flow(t *testing.T, name string) string {
	t.Helper()
	f, err := filepath.Abs("testdata/console/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// good reports whatever the browser found.
func good(t *testing.T, lines []object, least int) {
	t.Helper()
	n := 0
	for _, o := range lines {
		if _, judged := o["ok"]; !judged {
			continue
		}
		n++
		if !o.is("ok") {
			b, err := json.MarshalIndent(o, "", " ")
			t.Errorf("%s %v", b, err)
		}
	}
	if n < least {
		t.Errorf("only %d answers of the browser, want %d", n, least)
	}
}

func TestConsoleInABrowser(t *testing.T) {
	needBrowser(t)
	n, first, address := consoles(t)
	delivered, failed := exchange(t, n)
	run := func(t *testing.T, least int, args ...string) {
		t.Helper()
		lines, _ := browser.call(t, []string{"first=" + first, "password=" + chosen, "user=admin"}, args...)
		good(t, lines, least)
	}
	login := []string{"--login", address + "/console/login,admin," + chosen}
	var urls []string
	for _, p := range []string{"", "?span=month", "messages", "messages?direction=out&group=failed", fmt.Sprint("messages/", delivered), fmt.Sprint("messages/", failed), "queues", "partners", "partners/pt", "agreements", "agreements/out/case-file", "agreements/in/procurement-receive", "participants", "certificates", "audit", "users", "account"} {
		urls = append(urls, address+"/console/"+p)
	}
	// Each of the following needs a user with a password, whichever of them is run.
	entry(t, "Chromium", served, took).detail = "the first user chooses a password"
	run(t, 5, "flow", flow(t, "first.json"), "--base", address, "--out", pictures(t, "first"))
	if t.Failed() {
		return
	}
	t.Run("every page is accessible, wide and narrow", func(t *testing.T) {
		entry(t, "Chromium", served, took)
		run(t, 2*len(urls), append(append([]string{"axe"}, urls...), login...)...)
	})
	for _, locale := range []string{"en-GB", "de-AT", "fr-BE", "it-IT"} {
		t.Run("every page is accessible by day and by night in "+locale, func(t *testing.T) {
			entry(t, "Chromium", served, took)
			quick := append(append([]string{"axe"}, urls...), append(login, "--locale", locale, "--skip", "keyboard,no-script")...)
			run(t, len(urls), append(quick, "--dark", "--widths", "1280")...)
			if locale != "en-GB" {
				run(t, len(urls), append(quick, "--widths", "390")...)
			}
		})
	}
	t.Run("every page can be seen wide and narrow", func(t *testing.T) {
		entry(t, "Chromium", served, took)
		run(t, 2*len(urls), append(append([]string{"shot"}, urls...), append(login, "--full", "--out", pictures(t, "light"))...)...)
		run(t, 2*len(urls), append(append([]string{"shot"}, urls...), append(login, "--full", "--dark", "--locale", "de-DE", "--out", pictures(t, "dark"))...)...)
		run(t, len(urls), append(append([]string{"shot"}, urls...), append(login, "--full", "--no-script", "--widths", "1280", "--out", pictures(t, "no-script"))...)...)
	})
	t.Run("what there is to do can be done", func(t *testing.T) {
		entry(t, "Chromium", served, took)
		doc, err := sample.Make("invoice", "2026-7", sample.Supplier, sample.Buyer, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "invoice.xml")
		seen, err := filepath.Rel(filepath.Dir(flow(t, "acts.json")), file) // as the flow names it
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, doc, 0o644); err != nil {
			t.Fatal(err)
		}
		run(t, 20, "flow", flow(t, "acts.json"), "--base", address, "--var", "document="+seen, "--out", pictures(t, "acts"))
	})
	t.Run("links, headers and forms hold", func(t *testing.T) {
		entry(t, "Chromium", served, took)
		run(t, 20, append([]string{"crawl", address + "/console/", "--csrf-probe", "--max", "60", "--out", pictures(t, "crawl"), "--no-axe", "--avoid", "logout|/documents/|/evidence/|before="}, login...)...)
	})
}
