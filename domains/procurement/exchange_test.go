package procurement_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/domains/procurement"
	"github.com/viadukt-eu/viadukt/domains/procurement/sample"
	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/edelivery/ids"
	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/setup"
	"github.com/viadukt-eu/viadukt/node/store"
)

// country is one running node of the test network.
type country struct {
	*node.Node
	token string
	dir   string
}

// start makes and runs a node in a network under root.
func start(t *testing.T, root, name, code, profile string) *country {
	t.Helper()
	return startWith(t, setup.Params{Dir: filepath.Join(root, name), Network: filepath.Join(root, "network"), Country: code, Profile: profile, Now: time.Now()})
}

// startInbox is start for a node that writes what arrives into its folder inbox.
func startInbox(t *testing.T, root, name, code, profile string) *country {
	t.Helper()
	return startWith(t, setup.Params{Dir: filepath.Join(root, name), Network: filepath.Join(root, "network"), Country: code, Profile: profile, Inbox: true, Now: time.Now()})
}

// ownAddress is an address of this machine that no other test uses, so that a port that is free when a configuration is
// written is free when the node starts. Systems other than Linux have one such address only.
func ownAddress() string {
	if runtime.GOOS != "linux" {
		return "127.0.0.1"
	}
	return fmt.Sprintf("127.%d.%d.%d", 1+rand.IntN(254), rand.IntN(256), 1+rand.IntN(254))
}

func startWith(t *testing.T, p setup.Params) *country {
	t.Helper()
	p.Host = ownAddress()
	r, err := setup.Create(p)
	if err != nil {
		t.Fatal(err)
	}
	return run(t, r, nil)
}

// run starts a node that was made.
func run(t *testing.T, r *setup.Result, change func(*config.Config)) *country {
	t.Helper()
	c, err := config.Load(r.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(c)
	}
	var log io.Writer = io.Discard
	if testing.Verbose() {
		log = t.Output()
	}
	n, err := node.New(context.Background(), c, node.Options{Domains: []node.Domain{procurement.New()}, Log: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Stop(context.Background()); err != nil {
			t.Errorf("stop %s: %v", r.Dir, err)
		}
	})
	return &country{n, r.Token, r.Dir}
}

// serve registers a party for the document that the sample of this kind is.
func (c *country) serve(t *testing.T, kind string, from, to sample.Party) {
	t.Helper()
	b, err := sample.Make(kind, "X", from, to, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	d, err := procurement.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	c.register(t, d)
}

// register makes the receiver of a document known for such documents.
func (c *country) register(t *testing.T, d *procurement.Document) {
	t.Helper()
	if err := c.Register(context.Background(), d.Receiver, d.Type, d.Process, as4.Profiles[c.Config.AS4.Profile]); err != nil {
		t.Fatal(err)
	}
}

// call asks the API.
func (c *country) call(t *testing.T, method, path, contentType string, body []byte) (int, []byte) {
	t.Helper()
	req, err := http.NewRequest(method, "http://"+c.Addr("api")+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, b
}

// patience is how long a test waits for what must come: long enough for a machine that has much else to do.
const patience = 2 * time.Minute

// until waits for a message to reach a state.
func (c *country) until(t *testing.T, d store.Direction, messageID string, want store.State) *store.Message {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		m, err := c.Store.ByMessageID(context.Background(), d, messageID)
		if err == nil && m.State == want {
			return m
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			t.Fatal(err)
		}
		if time.Now().After(deadline) {
			t.Fatalf("message %s does not become %s: %+v %v", messageID, want, m, err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestSampleDocumentsCrossTheBorderBothWays(t *testing.T) {
	t.Parallel()
	for _, profile := range []string{"peppol", "eu-edelivery", "eu-edelivery2", "eu-edelivery2-ec"} {
		t.Run(profile, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			ee, pt := start(t, root, "ee", "EE", profile), start(t, root, "pt", "PT", profile)
			for _, c := range []struct {
				kind     string
				from, to *country
				a, b     sample.Party
			}{
				{"invoice", ee, pt, sample.Supplier, sample.Buyer},
				{"creditnote", ee, pt, sample.Supplier, sample.Buyer},
				{"order", pt, ee, sample.Buyer, sample.Supplier},
				{"response", pt, ee, sample.Buyer, sample.Supplier},
			} {
				c.to.serve(t, c.kind, c.a, c.b)
				doc, err := sample.Make(c.kind, "2026-1", c.a, c.b, time.Now())
				if err != nil {
					t.Fatal(err)
				}
				status, body := c.from.call(t, "POST", "/api/v1/messages", "application/xml", doc)
				if status != http.StatusAccepted {
					t.Fatalf("%s: %d %s", c.kind, status, body)
				}
				var m node.MessageJSON
				if err := json.Unmarshal(body, &m); err != nil {
					t.Fatal(err)
				}
				c.from.until(t, store.Out, m.MessageID, store.Acknowledged)
				c.to.until(t, store.In, m.MessageID, store.Delivered)
				status, got := c.to.call(t, "GET", "/api/v1/messages/"+m.MessageID+"/payloads/0", "", nil)
				want := doc[bytes.IndexByte(doc, '\n')+1:] // the envelope has the declaration
				if status != http.StatusOK || !bytes.Equal(bytes.TrimSpace(got), bytes.TrimSpace(want)) {
					t.Errorf("%s: %d, document differs:\n%s", c.kind, status, got)
				}
			}
		})
	}
}

func TestSeed(t *testing.T) {
	t.Parallel()
	t.Run("GEN-9", nodesNeedNobodyElse)
	t.Run("PEPPOL-4", anInvoiceThatBreaksRulesIsNotSent)
	t.Run("PEPPOL-5", aThirdNodeIsReachedById)
	t.Run("PEPPOL-1", networkOnTheWire)
	t.Run("ESENS-11", sameValuesEverywhere)
	t.Run("PEPPOL-9", invoicesOvernight)
	t.Run("PEPPOL-3", tenderToPayment)
	t.Run("PEPPOL-8", boundTogether)
	t.Run("ESENS-18", versionsPhaseOut)
	t.Run("PEPPOL-7", func(t *testing.T) { // a receiver without credit note: refused, nothing sent
		t.Parallel()
		root := t.TempDir()
		ee, pt := start(t, root, "ee", "EE", "peppol"), start(t, root, "pt", "PT", "peppol")
		pt.serve(t, "invoice", sample.Supplier, sample.Buyer)
		note, err := sample.Make("creditnote", "1", sample.Supplier, sample.Buyer, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		status, body := ee.call(t, "POST", "/api/v1/messages", "application/xml", note)
		if status != http.StatusUnprocessableEntity || !strings.Contains(string(body), "DISCOVERY:NOT_ACCEPTED") {
			t.Errorf("%d %s", status, body)
		}
		if l, err := ee.Store.List(context.Background(), store.Filter{}, store.Page{}); err != nil || len(l.Messages) != 0 {
			t.Errorf("%d messages stored, %v", len(l.Messages), err)
		}
		p, err := ids.ParseParticipant(sample.Buyer.Participant())
		if err != nil {
			t.Fatal(err)
		}
		j := ee.LookupJSON(context.Background(), p, ids.DocumentType{}, ids.Process{})
		if j.Error != nil || len(j.DocumentTypes) != 1 || !strings.Contains(j.DocumentTypes[0], "Invoice-2") {
			t.Errorf("lookup: %+v", j)
		}
	})
}
