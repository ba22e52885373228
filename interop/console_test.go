package interop

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
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
	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/agreements"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/setup"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/xades"
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
func consoles(t *testing.T, seals *sealing) (ee, pt *node.Node, first, address string) {
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
		c.AS4.Trust = append(c.AS4.Trust, config.Anchor{File: config.Path(seals.anchor), Purposes: []string{"document"}})
		c.AS4.CRLs = append(c.AS4.CRLs, config.Path(seals.crl))
		n, err := node.New(t.Context(), c, node.Options{Domains: []node.Domain{procurement.New()}, ImportPModes: agreements.ForNode, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
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
	return nodes[0], nodes[1], made[0].Password, "http://" + nodes[0].Addr("api")
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

// purchase sends the documents of one: an order, a despatch advice, and an invoice that bills more than was ordered.
func purchase(t *testing.T, n, partner *node.Node) (invoice int64) {
	t.Helper()
	for _, d := range []struct{ kind, number, about string }{{"order", "B-7", ""}, {"despatch", "D-1", "B-7"}, {"invoice", "R-1", "B-7"}} {
		from, to := sample.Supplier, sample.Buyer
		if d.kind == "order" {
			from, to = to, from
		}
		doc, err := sample.MakeAbout(d.kind, d.number, d.about, from, to, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if d.kind == "invoice" {
			doc = []byte(strings.NewReplacer("62.50", "50", `<cbc:InvoicedQuantity unitCode="HUR">20<`, `<cbc:InvoicedQuantity unitCode="HUR">25<`).Replace(string(doc)))
		}
		known, err := procurement.Parse(doc)
		if err != nil {
			t.Fatal(err)
		}
		if err := partner.Register(t.Context(), known.Receiver, known.Type, known.Process, as4.Profiles[partner.Config.AS4.Profile]); err != nil {
			t.Fatal(err)
		}
		done := false
		m, err := n.Accept(t.Context(), &node.Submission{Domain: procurement.Name, Next: func() (*node.SubmissionPart, error) {
			if done {
				return nil, io.EOF
			}
			done = true
			return &node.SubmissionPart{Name: d.kind + ".xml", MimeType: "application/xml", Body: bytes.NewReader(doc)}, nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		invoice = m.ID
	}
	return invoice
}

// pictures is where they go: kept where VIADUKT_PICTURES names a folder, to be looked at.
func pictures(t *testing.T, name string) string {
	if dir := os.Getenv("VIADUKT_PICTURES"); dir != "" {
		return filepath.Join(dir, name)
	}
	return filepath.Join(t.TempDir(), name)
}

// sealing is an authority for signatures of documents, and what was signed below it.
type sealing struct {
	anchor, crl         string
	good, bad, doubtful string
}

func newSealing(t *testing.T) *sealing {
	t.Helper()
	dir, now := t.TempDir(), time.Now()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	put := func(name string, b []byte) string {
		file := filepath.Join(dir, name)
		must(os.WriteFile(file, b, 0o644))
		return file
	}
	ca, err := pki.NewAuthority(rand.Reader, "CN=Authority of documents,C=PT", pki.P256, now.AddDate(-1, 0, 0), 20)
	must(err)
	signer, err := ca.Issue(pki.Template{CommonName: "Câmara Municipal do Porto", Country: "PT", NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(1, 0, 0)})
	must(err)
	list, err := ca.CRL(nil, now)
	must(err)
	permit := []byte("<permit><street>Rua das Flores</street><floors>2</floors></permit>")
	sign := func(packaging xades.Packaging) []byte {
		b, err := xades.Sign(signer.Key.(crypto.Signer), nil, []xades.Document{xades.Bytes("permit.xml", "application/xml", permit)}, xades.Params{Packaging: packaging, Signer: signer.Certificate, Time: now})
		must(err)
		return b
	}
	good := sign(xades.Enveloped)
	bad := bytes.Replace(good, []byte("<floors>2"), []byte("<floors>9"), 1)
	if bytes.Equal(good, bad) {
		t.Fatal("nothing was changed")
	}
	return &sealing{
		anchor: put("authority.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Certificate.Raw})), crl: put("authority.crl", list),
		good: put("good.xml", good), bad: put("changed.xml", bad), doubtful: put("detached.xml", sign(xades.Detached)),
	}
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

// fileVars tells a flow where files are, as it names them: from its own folder.
func fileVars(t *testing.T, name string, named map[string]string) (args []string) {
	t.Helper()
	for key, file := range named {
		seen, err := filepath.Rel(filepath.Dir(flow(t, name)), file)
		if err != nil {
			t.Fatal(err)
		}
		args = append(args, "--var", key+"="+seen)
	}
	return args
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
	t.Parallel()
	needBrowser(t)
	seals := newSealing(t)
	n, partner, first, address := consoles(t, seals)
	delivered, failed := exchange(t, n)
	invoice := purchase(t, n, partner)
	run := func(t *testing.T, least int, args ...string) {
		t.Helper()
		lines, _ := browser.call(t, []string{"first=" + first, "password=" + chosen, "user=admin"}, append(args, "--timeout", fmt.Sprint(patience.Seconds()))...)
		good(t, lines, least)
	}
	login := []string{"--login", address + "/console/login,admin," + chosen}
	var urls []string
	for _, p := range []string{"", "?span=month", "messages", "messages?direction=out&group=failed", fmt.Sprint("messages/", delivered), fmt.Sprint("messages/", failed), fmt.Sprintf("messages/%d/thread", invoice), fmt.Sprintf("messages/%d/acceptance", invoice), "queues", "partners", "partners/pt", "agreements", "agreements/out/case-file", "agreements/in/procurement-receive", "participants", "certificates", "trust", "validate", "espd", "verify", "audit", "users", "account", "send"} {
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
	t.Run("documents are judged where they are dropped", func(t *testing.T) {
		entry(t, "Chromium", served, took)
		dir := t.TempDir()
		invoice, err := sample.Make("invoice", "2026-8", sample.Supplier, sample.Buyer, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		dropped := map[string]string{"good": seals.good, "bad": seals.bad, "doubtful": seals.doubtful}
		for name, b := range map[string][]byte{"invoice": invoice, "wrong": bytes.Replace(invoice, []byte(`<cbc:PayableAmount currencyID="EUR">`), []byte(`<cbc:PayableAmount currencyID="EUR">1`), 1)} {
			dropped[name] = filepath.Join(dir, name+".xml")
			if err := os.WriteFile(dropped[name], b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		args := append([]string{"flow", flow(t, "documents.json"), "--base", address}, fileVars(t, "documents.json", dropped)...)
		for _, width := range []string{"1280", "390"} {
			run(t, 30, append(args, "--widths", width, "--out", pictures(t, "documents-"+width))...)
		}
	})
	t.Run("a P-Mode file is taken over", func(t *testing.T) {
		entry(t, "Chromium", served, took)
		us, dir := n.Config.AS4.Party, t.TempDir()
		pmodes, err := os.ReadFile("testdata/console/pmodes.xml")
		if err != nil {
			t.Fatal(err)
		}
		pmodes = []byte(strings.NewReplacer("OUR-ID", us.ID, "OUR-TYPE", us.Type).Replace(string(pmodes)))
		if err := os.WriteFile(filepath.Join(dir, "pmodes.xml"), pmodes, 0o644); err != nil {
			t.Fatal(err)
		}
		run(t, 15, append([]string{"flow", flow(t, "import.json"), "--base", address, "--out", pictures(t, "import")}, fileVars(t, "import.json", map[string]string{"pmodes": filepath.Join(dir, "pmodes.xml"), "certificate": seals.anchor})...)...)
	})
	t.Run("what there is to do can be done", func(t *testing.T) {
		entry(t, "Chromium", served, took)
		doc, err := sample.Make("invoice", "2026-7", sample.Supplier, sample.Buyer, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "invoice.xml")
		if err := os.WriteFile(file, doc, 0o644); err != nil {
			t.Fatal(err)
		}
		run(t, 20, append([]string{"flow", flow(t, "acts.json"), "--base", address, "--out", pictures(t, "acts")}, fileVars(t, "acts.json", map[string]string{"document": file})...)...)
	})
	t.Run("links, headers and forms hold", func(t *testing.T) {
		entry(t, "Chromium", served, took)
		run(t, 20, append([]string{"crawl", address + "/console/", "--csrf-probe", "--max", "60", "--out", pictures(t, "crawl"), "--no-axe", "--avoid", "logout|/documents/|/evidence/|before="}, login...)...)
	})
}
