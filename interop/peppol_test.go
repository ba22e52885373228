package interop

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/domains/procurement/sample"
	"github.com/viadukt-eu/viadukt/node/store"
)

var peppolProfile = phase4Profile{peer: "peppol", ours: "peppol"}

func TestPhase4SendsPeppolDocuments(t *testing.T) {
	t.Parallel()
	phase4.need(t)
	b := makeBusiness(t)
	file := filepath.Join(t.TempDir(), "invoice.xml")
	if err := os.WriteFile(file, b.octets, 0o600); err != nil {
		t.Fatal(err)
	}
	g := start(t, "peppol", nil)
	g.register(t, b)
	other := sample.Supplier.Participant()
	for _, c := range []struct {
		name, code, detail string
		args               []string
	}{
		{"an invoice", "", "", nil},
		{"a receiver that is not registered", "EBMS:0004", "PEPPOL:NOT_SERVICED", []string{"--final-recipient", other}},
		{"a process that is not registered", "EBMS:0004", "PEPPOL:NOT_SERVICED", []string{"--service", "cenbii-procid-ubl::urn:other"}},
		{"a sender that is not who signs", "EBMS:0101", "security", []string{"--from-id", "POP000009"}},
		{"an expired certificate", "EBMS:0101", "security", []string{"--expired-cert"}},
		{"certificates named by key identifier", "EBMS:0101", "security", []string{"--key-ref", "ski"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			outcome := took
			if c.code != "" {
				outcome = refused
			}
			r := entry(t, peppolProfile.name(), received, outcome)
			args := []string{"send", "--to", g.url(), "--profile", "peppol", "--json", "--keystore", phase4.pki("ap2.p12"), "--truststore", phase4.pki("trust.pem"),
				"--receiver-cert", phase4.pki("ap1.pem"), "--payload", file}
			for option, value := range map[string]string{
				"--from-id": "POP000002", "--to-id": "POP000001", "--original-sender": b.sender.String(), "--final-recipient": b.participant, "--service": b.procid, "--action": b.doctype,
			} {
				if !strings.Contains(strings.Join(c.args, " "), option) {
					args = append(args, option, value)
				}
			}
			lines, _ := phase4.call(t, nil, append(args, c.args...)...)
			result := lines[0]
			if c.code == "" {
				if !result.is("ok") {
					t.Fatalf("%v", result)
				}
				m := g.until(t, store.In, result.text("messageId"), store.Delivered, store.Received)
				if m.Domain != "procurement" || m.Receiver != b.participant || m.Sender != b.sender.String() {
					t.Errorf("%+v", m)
				}
				status, document := g.call(t, "GET", fmt.Sprintf("/api/v1/messages/%d/payloads/0", m.ID), "", nil)
				if status != http.StatusOK || !bytes.Contains(document, []byte("<cbc:ID>2026-17</cbc:ID>")) || bytes.Contains(document, []byte("StandardBusinessDocument")) {
					t.Errorf("%d %s", status, document)
				}
				return
			}
			errs := result.list("errors")
			if result.is("ok") || len(errs) != 1 {
				t.Fatalf("%v", result)
			}
			e := object(errs[0].(map[string]any))
			r.detail = strings.TrimSpace(e.text("code") + " " + e.text("detail"))
			if e.text("code") != c.code || e.text("detail") != c.detail || !e.is("signed") {
				t.Errorf("%v", e)
			}
			g.absent(t, result.text("messageId"))
		})
	}
}

// The way of an invoice with nothing of ours but the sender: dnspython names phoss SMP, that names phase4.
func TestPeppolDocumentsFindTheirWay(t *testing.T) {
	t.Parallel()
	phase4.need(t)
	discovery.need(t)
	b := makeBusiness(t)
	_, url, dir := peppolProfile.receiver(t, nil, "--serve", b.participant)
	address := publisher(t, "peppol", b, url, phase4.pki("ap2.pem"))
	server, _ := zone(t, b, address)
	g := start(t, "peppol", func(_ string, c tree) {
		delete(c, "registry")
		delete(c, "smp")
		d := c["discovery"].(tree)
		d["zone"], d["servers"] = "sml.test", []string{server}
		a := c["as4"].(tree)
		a["trust"] = append(a["trust"].([]any), tree{"file": discovery.pki("smp-ca.pem"), "purposes": []string{"smp"}})
		c["outbound"] = tree{"firstRetry": "1s", "maxAttempts": 3}
	})
	post := func(t *testing.T, document []byte) (int, string) {
		status, body := g.call(t, "POST", "/api/v1/messages", "application/xml", bytes.NewReader(document))
		if o, ok := parse(body); ok && status == http.StatusAccepted {
			return status, o.text("messageId")
		}
		return status, string(body)
	}
	t.Run("an invoice", func(t *testing.T) {
		r := entry(t, peppolProfile.name(), sent, took)
		status, id := post(t, b.octets)
		if status != http.StatusAccepted {
			t.Fatalf("%d %s", status, id)
		}
		r.detail = g.until(t, store.Out, id, store.Acknowledged).State.String()
		o, folder := kept(t, dir, id)
		if !o.is("signature", "verified") || !o.is("encryption", "decrypted") || o.text("sbdh", "receiver") != b.participant || o.text("sbdh", "documentType") != b.doctype ||
			o.text("sbdh", "process") != b.procid || o.text("sbdh", "countryC1") != "EE" {
			t.Errorf("%v", o)
		}
		t.Run("an envelope by peppol-sbdh", func(t *testing.T) {
			entry(t, "peppol-sbdh", sent, took)
			if out, status := discovery.call(t, nil, "sbdh-check", filepath.Join(folder, "payload-1")); status != 0 {
				t.Errorf("%v", out)
			}
		})
	})
	t.Run("an order, which the receiver does not take", func(t *testing.T) {
		r := entry(t, peppolProfile.name(), sent, refused)
		order, err := sample.Make("order", "1", sample.Supplier, sample.Buyer, b.when)
		if err != nil {
			t.Fatal(err)
		}
		status, body := post(t, order)
		if r.detail = "DISCOVERY:NOT_ACCEPTED"; status != http.StatusUnprocessableEntity || !strings.Contains(body, r.detail) {
			t.Errorf("%d %s", status, body)
		}
	})
	t.Run("an invoice to nobody", func(t *testing.T) {
		r := entry(t, peppolProfile.name(), sent, refused)
		stranger := sample.Buyer
		stranger.ID += "9"
		document, err := sample.Make("invoice", "1", sample.Supplier, stranger, b.when)
		if err != nil {
			t.Fatal(err)
		}
		status, body := post(t, document)
		if r.detail = "DISCOVERY:NOT_REGISTERED"; status != http.StatusUnprocessableEntity || !strings.Contains(body, r.detail) {
			t.Errorf("%d %s", status, body)
		}
	})
}
