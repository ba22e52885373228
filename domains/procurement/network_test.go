package procurement_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/viadukt-eu/viadukt/domains/procurement/sample"
	"github.com/viadukt-eu/viadukt/edelivery/bdxl"
	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/edelivery/ids"
	"github.com/viadukt-eu/viadukt/edelivery/sbdh"
	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// networkOnTheWire holds one invoice that crossed the border against what the network's specifications say must be
// seen: in the DNS, in the metadata, in the envelope and in the message. It shows the row PEPPOL-1 but for the document
// rules, which validate before sending.
func networkOnTheWire(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	ee, pt := start(t, root, "ee", "EE", "peppol"), start(t, root, "pt", "PT", "peppol")
	pt.serve(t, "invoice", sample.Supplier, sample.Buyer)
	doc, err := sample.Make("invoice", "1", sample.Supplier, sample.Buyer, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	status, body := ee.call(t, "POST", "/api/v1/messages", "application/xml", doc)
	if status != http.StatusAccepted {
		t.Fatalf("%d %s", status, body)
	}
	var sent node.MessageJSON
	if err := json.Unmarshal(body, &sent); err != nil {
		t.Fatal(err)
	}
	ee.until(t, store.Out, sent.MessageID, store.Acknowledged)
	m := pt.until(t, store.In, sent.MessageID, store.Delivered)

	const (
		invoice  = "busdox-docid-qns::urn:oasis:names:specification:ubl:schema:xsd:Invoice-2::Invoice##urn:cen.eu:en16931:2017#compliant#urn:fdc:peppol.eu:2017:poacc:billing:3.0::2.1"
		process  = "urn:fdc:peppol.eu:2017:poacc:billing:01:1.0"
		accessAP = "urn:fdc:peppol.eu:2017:identifiers:ap"
	)
	t.Run("AS4 header", func(t *testing.T) { // [PAS4 4, 5, 6, 9, 10]
		env, err := ebms.ParseEnvelope(bytes.Clone(m.Header), dom.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		msg, err := ebms.ParseMessaging(env.Messaging, ebms.Quirks{})
		if err != nil {
			t.Fatal(err)
		}
		um := msg.UserMessage()
		equal(t, "eb:From", um.From, ebms.Party{IDs: []ebms.PartyID{{Value: "POP000001", Type: accessAP}}, Role: ebms.RoleInitiator})
		equal(t, "eb:To", um.To, ebms.Party{IDs: []ebms.PartyID{{Value: "POP000002", Type: accessAP}}, Role: ebms.RoleResponder})
		equal(t, "eb:AgreementRef", um.Agreement, &ebms.Agreement{Value: "urn:fdc:peppol.eu:2017:agreements:tia:ap_provider"})
		equal(t, "eb:Service", um.Service, ebms.Service{Value: process, Type: "cenbii-procid-ubl"})
		equal(t, "eb:Action", um.Action, invoice)
		equal(t, "properties", um.Properties, []ebms.Property{
			{Name: "originalSender", Value: "0191:10137025", Type: "iso6523-actorid-upis"},
			{Name: "finalRecipient", Value: "9946:PT502011378", Type: "iso6523-actorid-upis"},
		})
		if um.MPC != "" || um.RefToMessageID != "" || len(um.Parts) != 1 || !env.BodyEmpty() {
			t.Errorf("mpc %q, reference %q, %d parts", um.MPC, um.RefToMessageID, len(um.Parts))
		}
		if n := strings.Count(string(m.Header), "x509-token-profile-1.0#X509v3"); n != 4 { // two tokens, two references
			t.Errorf("%d mentions of X509v3, want 4", n)
		}
		for _, alg := range []string{"xmldsig-more#rsa-sha256", "xmlenc#sha256", "xmlenc11#rsa-oaep", "xmlenc11#mgf1sha256", "xmlenc11#aes128-gcm", "xml-exc-c14n#"} {
			if !strings.Contains(string(m.Header), alg) {
				t.Errorf("no %s", alg)
			}
		}
	})
	t.Run("envelope", func(t *testing.T) { // [ENV 2.0]
		status, raw := pt.call(t, "GET", "/api/v1/messages/"+m.MessageID+"/payloads/0?raw", "", nil)
		if status != http.StatusOK {
			t.Fatalf("%d", status)
		}
		d, err := dom.Parse(raw, dom.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		e, err := sbdh.Parse(d)
		if err != nil {
			t.Fatal(err)
		}
		rules, _ := sbdh.Named("peppol-2.0.2")
		if f := rules.Check(e); len(f) > 0 {
			t.Errorf("%+v", f)
		}
		equal(t, "country", e.Header.Country(), "EE")
		equal(t, "type", [3]string{e.Header.Standard, e.Header.Type, e.Header.TypeVersion}, [3]string{"urn:oasis:names:specification:ubl:schema:xsd:Invoice-2", "Invoice", "2.1"})
	})
	t.Run("directory", func(t *testing.T) { // [PFUOI POLICY 7], [PSMP 5.3]
		p, err := ids.ParseParticipant(sample.Buyer.Participant())
		if err != nil {
			t.Fatal(err)
		}
		r := &bdxl.Resolver{Zone: "participants.test", Kind: bdxl.SchemeLabel, Servers: ee.Config.Discovery.Servers, URI: bdxl.URIRules{HTTP: true, Allow: loopback}}
		found, err := r.Lookup(context.Background(), p)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.Get(found.URL + "/iso6523-actorid-upis%3A%3A9946%3Apt502011378/services/" + ids.EscapeSegment(invoice))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{
			"SignedServiceMetadata", `transportProfile="peppol-transport-as4-v2_0"`, string(pt.Config.AS4.URL),
			"REC-xml-c14n-20010315", "xmldsig-more#rsa-sha256", `scheme="cenbii-procid-ubl"`,
		} {
			if !strings.Contains(string(b), want) {
				t.Errorf("metadata without %s:\n%s", want, b)
			}
		}
	})
}
