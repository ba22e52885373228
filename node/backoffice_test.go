package node_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/node/setup"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

const (
	pluginNS = "http://eu.domibus.wsplugin/"
	oldNS    = "http://org.ecodex.backend/1_1/"
	c1       = "urn:oasis:names:tc:ebcore:partyid-type:unregistered:C1"
	c4       = "urn:oasis:names:tc:ebcore:partyid-type:unregistered:C4"
)

// colours makes the two access points that the samples of these interfaces speak of, blue and red, each with the
// section of its back office.
func colours(t *testing.T, blue, red string) (*gateway, *gateway) {
	t.Helper()
	a, b := colourConfigs(t, blue, red)
	return begin(t, a, nil, nil), begin(t, b, nil, nil)
}

func colourConfigs(t *testing.T, blue, red string) (a, b *setup.Result) {
	t.Helper()
	root := t.TempDir()
	var made [2]*setup.Result
	for i, name := range []string{"blue", "red"} {
		var err error
		made[i], err = setup.Create(setup.Params{Dir: filepath.Join(root, name), Network: filepath.Join(root, "network"), Country: "EE", Profile: "eu-edelivery", Host: loopback(), Now: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := setup.Agree(made[0], made[1], setup.Agreement{ID: "tc1", Service: "bdx:noprocess", ServiceType: "tc1", Action: "TC1Leg1"}); err != nil {
		t.Fatal(err)
	}
	for i, section := range []string{blue, red} {
		text, err := os.ReadFile(made[i].ConfigFile)
		if err != nil {
			t.Fatal(err)
		}
		s := strings.NewReplacer(made[0].Party, "domibus-blue", made[1].Party, "domibus-red").Replace(string(text))
		if section != "" {
			s += "\nbackoffice:\n" + section
		}
		if err := os.WriteFile(made[i].ConfigFile, []byte(s), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return made[0], made[1]
}

// post sends an envelope and parses the answer.
func (g *gateway) post(t *testing.T, path, contentType string, body io.Reader, change ...func(*http.Request)) (*http.Response, dom.Node) {
	t.Helper()
	req, err := http.NewRequest("POST", "http://"+g.Addr("api")+"/domibus/services/"+path, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	for _, c := range change {
		c(req)
	}
	resp, b := do(t, req)
	doc, err := dom.Parse(b, dom.Limits{})
	if err != nil {
		t.Fatalf("%s: %v: %s", resp.Status, err, b)
	}
	return resp, doc.Root().Child(ebms.NSSOAP, "Body").FirstElement()
}

const soap12 = "application/soap+xml; charset=UTF-8"

// ask sends one request of the current interface without payload.
func (g *gateway) ask(t *testing.T, request string, change ...func(*http.Request)) (*http.Response, dom.Node) {
	t.Helper()
	return g.post(t, "wsplugin", soap12, strings.NewReader(envelope(pluginNS, "", request)), change...)
}

func envelope(ns, header, body string) string {
	return `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:w="` + ns + `"><s:Header>` + header + `</s:Header><s:Body>` + body + `</s:Body></s:Envelope>`
}

// detail gives code and message of a fault.
func detail(n dom.Node) (code, message string) {
	d := n.Child(ebms.NSSOAP, "Detail").FirstElement()
	return d.Child("", "code").Text(), d.Child("", "message").Text()
}

// header is a header block from blue to red with these parts.
func header(id string, parts ...string) string {
	s := `<eb:Messaging xmlns:eb="` + ebms.NS + `"><eb:UserMessage><eb:MessageInfo>`
	if id != "" {
		s += `<eb:MessageId>` + id + `</eb:MessageId>`
	}
	s += `</eb:MessageInfo><eb:PartyInfo><eb:From><eb:PartyId type="urn:oasis:names:tc:ebcore:partyid-type:unregistered">domibus-blue</eb:PartyId><eb:Role>` + ebms.NS + `initiator</eb:Role></eb:From>` +
		`<eb:To><eb:PartyId type="urn:oasis:names:tc:ebcore:partyid-type:unregistered">domibus-red</eb:PartyId><eb:Role>` + ebms.NS + `responder</eb:Role></eb:To></eb:PartyInfo>` +
		`<eb:CollaborationInfo><eb:Service type="tc1">bdx:noprocess</eb:Service><eb:Action>TC1Leg1</eb:Action></eb:CollaborationInfo>` +
		`<eb:MessageProperties><eb:Property name="originalSender">` + c1 + `</eb:Property><eb:Property name="finalRecipient">` + c4 + `</eb:Property></eb:MessageProperties><eb:PayloadInfo>`
	for _, p := range parts {
		s += p
	}
	return s + `</eb:PayloadInfo></eb:UserMessage></eb:Messaging>`
}

func part(href string, properties ...string) string {
	s := `<eb:PartInfo`
	if href != "" {
		s += ` href="` + href + `"`
	}
	s += `>`
	if properties != nil {
		s += `<eb:PartProperties>`
		for i := 0; i+1 < len(properties); i += 2 {
			s += `<eb:Property name="` + properties[i] + `">` + properties[i+1] + `</eb:Property>`
		}
		s += `</eb:PartProperties>`
	}
	return s + `</eb:PartInfo>`
}

func payload(id, content string) string {
	return `<payload payloadId="` + id + `" contentType="text/xml"><value>` + base64.StdEncoding.EncodeToString([]byte(content)) + `</value></payload>`
}

func TestSamplesOfTheOtherGateway(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(corpus.Dir(t, "edelivery-as4"), "backend-domibus")
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	blue, red := colours(t, "  soap: true\n", "  soap: true\n")
	t.Run("a message of the old interface arrives, is listed, retrieved and taken off the list", func(t *testing.T) {
		resp, n := blue.post(t, "backend", soap12, strings.NewReader(read("old-payload_SubmitMessage.xml")))
		id := n.Child("", "messageID").Text()
		if resp.StatusCode != http.StatusOK || !n.Is(oldNS, "submitResponse") || id == "" {
			t.Fatalf("%s %s", resp.Status, n.Raw())
		}
		blue.until(t, store.Out, id, store.Acknowledged)
		red.until(t, store.In, id, store.Delivered)
		_, n = red.post(t, "backend", soap12, strings.NewReader(envelope(oldNS, "", "<w:listPendingMessagesRequest/>")))
		if got := n.Child("", "messageID").Text(); got != id {
			t.Errorf("pending: %s", n.Raw())
		}
		resp, n = red.post(t, "backend", soap12, strings.NewReader(envelope(oldNS, "", "<w:retrieveMessageRequest><messageID>"+id+"</messageID></w:retrieveMessageRequest>")))
		value, err := base64.StdEncoding.DecodeString(n.Child("", "payload").Child("", "value").Text())
		if err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(string(value), "<hello>world</hello>") {
			t.Errorf("%s %q %v", resp.Status, value, err)
		}
		// What the other gateway answers has the same shape.
		theirs, err := dom.Parse([]byte(read("old-payload_RetrieveMessage.xml")), dom.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		ours := shape(n.Document().Root())
		for _, path := range shape(theirs.Root()) {
			if !contains(ours, path) {
				t.Errorf("the answer has no %s", path)
			}
		}
		_, n = red.post(t, "backend", soap12, strings.NewReader(envelope(oldNS, "", "<w:listPendingMessagesRequest/>")))
		if n.FirstElement().Valid() {
			t.Errorf("still pending: %s", n.Raw())
		}
		_, n = red.post(t, "backend", soap12, strings.NewReader(envelope(oldNS, "", "<w:statusRequest><messageID>"+id+"</messageID></w:statusRequest>")))
		if n.Text() != "DOWNLOADED" {
			t.Errorf("status %s", n.Raw())
		}
	})
	t.Run("a header that names an absent payload is refused", func(t *testing.T) {
		resp, n := blue.post(t, "backend", soap12, strings.NewReader(read("old-payload_SubmitMessage_no_content.xml")))
		if code, _ := detail(n); resp.StatusCode != http.StatusInternalServerError || code != "EBMS_0004" {
			t.Errorf("%s %s", resp.Status, n.Raw())
		}
	})
	t.Run("payload and bodyload in the wrong order", func(t *testing.T) {
		resp, n := blue.post(t, "backend", soap12, strings.NewReader(read("old-payload_SubmitMessage_MultiplePayloads.xml")))
		if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusInternalServerError || !n.Valid() {
			t.Errorf("%s %s", resp.Status, n.Raw())
		}
	})
	t.Run("a receiver to be discovered where no agreement discovers one", func(t *testing.T) {
		resp, n := blue.post(t, "backend", soap12, strings.NewReader(read("old-submit-dynamic-peppol.xml")))
		if code, _ := detail(n); resp.StatusCode != http.StatusInternalServerError || code != "EBMS:0010" {
			t.Errorf("%s %s", resp.Status, n.Raw())
		}
	})
	t.Run("header and body of the current interface", func(t *testing.T) {
		body := strings.TrimPrefix(read("client-submitMessage_submitRequest.xml"), `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>`)
		resp, n := blue.post(t, "wsplugin", soap12, strings.NewReader(envelope(pluginNS, read("client-submitMessage_messaging.xml"), body)))
		if resp.StatusCode != http.StatusOK || !n.Is(pluginNS, "submitResponse") {
			t.Fatalf("%s %s", resp.Status, n.Raw())
		}
	})
}

// shape lists the paths of the elements in a document by their names.
func shape(root dom.Node) (out []string) {
	for n := range root.Descendants() {
		if n.Kind() != dom.ElementNode {
			continue
		}
		path := ""
		for p := n; p.Valid() && p.Kind() == dom.ElementNode; p = p.Parent() {
			path = "/{" + p.Space() + "}" + p.Local() + path
		}
		out = append(out, path)
	}
	return out
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}

func TestRequestsOfAnotherBackOffice(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(corpus.Dir(t, "procedures-spocs"), "oots", "domibus-wire", "submit")
	files, err := filepath.Glob(filepath.Join(dir, "*.xml"))
	if err != nil || len(files) < 8 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	blue, _ := colours(t, "  soap: true\n", "")
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		resp, n := blue.post(t, "wsplugin", soap12, bytes.NewReader(b))
		name := filepath.Base(f)
		code, message := detail(n)
		switch {
		case strings.Contains(name, "soumission"): // of a party that we are not
			if code != "EBMS:0010" || !strings.Contains(message, "AP_FR_01") {
				t.Errorf("%s: %s", name, n.Raw())
			}
		case strings.HasPrefix(name, "liste"):
			if resp.StatusCode != http.StatusOK || !n.Is(pluginNS, "listPendingMessagesResponse") || n.FirstElement().Valid() {
				t.Errorf("%s: %s", name, n.Raw())
			}
		default:
			if code != "WS_PLUGIN:0009" {
				t.Errorf("%s: %s", name, n.Raw())
			}
		}
	}
}

func TestFaultsOfTheCurrentInterface(t *testing.T) {
	t.Parallel()
	blue, _ := colours(t, "  soap: true\n", "")
	submit := func(header, body string) string {
		return envelope(pluginNS, header, "<w:submitRequest>"+body+"</w:submitRequest>")
	}
	good := header("", part("cid:message", "MimeType", "text/xml"))
	known := submit(header("known@example", part("cid:message", "MimeType", "text/xml")), payload("cid:message", "<a/>"))
	if resp, n := blue.post(t, "wsplugin", soap12, strings.NewReader(known)); resp.StatusCode != http.StatusOK {
		t.Fatalf("%s", n.Raw())
	}
	many := make([]string, 29)
	for i := range many {
		many[i] = part(fmt.Sprintf("cid:p%d", i))
	}
	for _, c := range []struct{ name, request, code string }{
		{"an id that is used already", known, "EBMS:0004"},
		{"no header block", submit("", payload("cid:message", "x")), "WS_PLUGIN:0007"},
		{"a payload that no part names", submit(good, payload("cid:other", "x")), "WS_PLUGIN_0005"},
		{"a part without its payload", submit(good, ""), "WS_PLUGIN_0005"},
		{"a payload without id", submit(good, `<payload><value>eA==</value></payload>`), "WS_PLUGIN_0005"},
		{"a bodyload with an id", submit(header("", part("")), `<bodyload payloadId="cid:x"><value>eA==</value></bodyload>`), "WS_PLUGIN_0005"},
		{"a payload without value", submit(header("", part("cid:message"), part("cid:b")), payload("cid:message", "x")+`<payload payloadId="cid:b"/>`), "WS_PLUGIN_0005"},
		{"the same payload twice", submit(good, payload("cid:message", "x")+payload("cid:message", "y")), "WS_PLUGIN_0005"},
		{"empty part properties", submit(header("", `<eb:PartInfo href="cid:message"><eb:PartProperties/></eb:PartInfo>`), payload("cid:message", "x")), "WS_PLUGIN_0005"},
		{"a path for the gateway to read", submit(header("", part("cid:message", "FilePath", "file:///etc/passwd")), payload("cid:message", "x")), "WS_PLUGIN_0005"},
		{"a path in other letters", submit(header("", part("cid:message", "filepath", "http://127.0.0.1/")), payload("cid:message", "x")), "WS_PLUGIN_0005"},
		{"compression set by the client", submit(header("", part("cid:message", "CompressionType", "application/gzip")), payload("cid:message", "x")), "EBMS:0003"},
		{"more than 28 payloads", submit(header("", many...), ""), "EBMS:0003"},
		{"an id of more than 255 characters", submit(header(strings.Repeat("i", 256), part("cid:message")), payload("cid:message", "x")), "EBMS:0003"},
		{"an id that is no ASCII", submit(header("é@example", part("cid:message")), payload("cid:message", "x")), "EBMS:0009"},
		{"an unknown receiver", submit(strings.Replace(good, "domibus-red", "nobody", 1), payload("cid:message", "x")), "EBMS:0003"},
		{"an unknown service", submit(strings.Replace(good, "bdx:noprocess", "bdx:other", 1), payload("cid:message", "x")), "EBMS:0001"},
		{"an unknown action", submit(strings.Replace(good, "TC1Leg1", "TC9", 1), payload("cid:message", "x")), "EBMS:0001"},
		{"a sender that is not this gateway", submit(strings.Replace(good, "domibus-blue", "nobody", 1), payload("cid:message", "x")), "EBMS:0010"},
		{"a message to be fetched where nothing is fetched", submit(strings.Replace(good, "</eb:UserMessage>", "<eb:ProcessingType>PULL</eb:ProcessingType></eb:UserMessage>", 1), payload("cid:message", "x")), "EBMS:0010"},
		{"a way to send that there is not", submit(strings.Replace(good, "</eb:UserMessage>", "<eb:ProcessingType>FAX</eb:ProcessingType></eb:UserMessage>", 1), payload("cid:message", "x")), "EBMS:0003"},
		{"no base64", submit(good, `<payload payloadId="cid:message"><value>@@@@</value></payload>`), "WS_PLUGIN:0008"},
		{"base64 that breaks off", submit(good, `<payload payloadId="cid:message"><value>eHh4e</value></payload>`), "WS_PLUGIN:0008"},
		{"base64 that goes on behind its end", submit(good, `<payload payloadId="cid:message"><value>eA==eA==</value></payload>`), "WS_PLUGIN:0008"},
		{"an element within a value", submit(good, `<payload payloadId="cid:message"><value>eA<b/>==</value></payload>`), "WS_PLUGIN:0008"},
		{"an envelope that breaks off", strings.TrimSuffix(submit(good, payload("cid:message", "x")), "</s:Body></s:Envelope>"), "WS_PLUGIN:0008"},
		{"a document type", `<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>` + submit(good, `<payload payloadId="cid:message"><value>&e;</value></payload>`), "WS_PLUGIN:0008"},
		{"an entity within a value", submit(good, `<payload payloadId="cid:message"><value>&e;</value></payload>`), "WS_PLUGIN:0008"},
		{"a part that is not there", submit(good, `<payload payloadId="cid:message"><value><x:Include xmlns:x="http://www.w3.org/2004/08/xop/include" href="cid:a"/></value></payload>`), "WS_PLUGIN_0005"},
		{"an address in the place of a part", submit(good, `<payload payloadId="cid:message"><value><x:Include xmlns:x="http://www.w3.org/2004/08/xop/include" href="http://127.0.0.1/"/></value></payload>`), "WS_PLUGIN:0008"},
		{"an element that is none", submit(good, payload("cid:message", "x")+"<more/>"), "WS_PLUGIN:0008"},
		{"SOAP 1.1", strings.ReplaceAll(submit(good, payload("cid:message", "x")), ebms.NSSOAP, "http://schemas.xmlsoap.org/soap/envelope/"), "WS_PLUGIN:0008"},
		{"a block that must be understood", envelope(pluginNS, `<x:y xmlns:x="urn:x" s:mustUnderstand="true"/>`, "<w:listPendingMessagesRequest/>"), "WS_PLUGIN:0008"},
		{"an empty body", envelope(pluginNS, "", ""), "WS_PLUGIN:0008"},
		{"an unknown operation", envelope(pluginNS, "", "<w:dropAll/>"), "WS_PLUGIN:0008"},
		{"the namespace of the old interface", envelope(oldNS, "", "<w:listPendingMessagesRequest/>"), "WS_PLUGIN:0008"},
		{"the status of no id", envelope(pluginNS, "", "<w:statusRequest><messageID> </messageID></w:statusRequest>"), "WS_PLUGIN:0007"},
		{"the status of too long an id", envelope(pluginNS, "", "<w:statusRequest><messageID>"+strings.Repeat("i", 256)+"</messageID></w:statusRequest>"), "WS_PLUGIN:0007"},
		{"an unknown role", envelope(pluginNS, "", "<w:statusRequestWithAccessPointRole><messageID>a</messageID><accessPointRole>BOTH</accessPointRole></w:statusRequestWithAccessPointRole>"), "WS_PLUGIN:0007"},
		{"an unknown message to retrieve", envelope(pluginNS, "", "<w:retrieveMessageRequest><messageID>a@b</messageID></w:retrieveMessageRequest>"), "WS_PLUGIN:0009"},
		{"an unknown message to mark", envelope(pluginNS, "", "<w:markMessageAsDownloadedRequest><messageID>a@b</messageID></w:markMessageAsDownloadedRequest>"), "WS_PLUGIN:0009"},
		{"the errors of an unknown message", envelope(pluginNS, "", "<w:getErrorsRequest><messageID>a@b</messageID></w:getErrorsRequest>"), "WS_PLUGIN:0009"},
		{"a time that is none", envelope(pluginNS, "", "<w:listPendingMessagesRequest><receivedFrom>yesterday</receivedFrom></w:listPendingMessagesRequest>"), "WS_PLUGIN:0007"},
		{"nothing to push again", envelope(pluginNS, "", "<w:rePushFailedMessagesRequest/>"), "WS_PLUGIN:0007"},
		{"something to push again that did not fail", envelope(pluginNS, "", "<w:rePushFailedMessagesRequest><messageID>known@example</messageID></w:rePushFailedMessagesRequest>"), "WS_PLUGIN:0009"},
		{"more to push again than is allowed", envelope(pluginNS, "", "<w:rePushFailedMessagesRequest>"+strings.Repeat("<messageID>a</messageID>", 101)+"</w:rePushFailedMessagesRequest>"), "WS_PLUGIN:0007"},
	} {
		t.Run(c.name, func(t *testing.T) {
			resp, n := blue.post(t, "wsplugin", soap12, strings.NewReader(c.request))
			code, message := detail(n)
			if resp.StatusCode != http.StatusInternalServerError || !n.Is(ebms.NSSOAP, "Fault") || code != c.code || message == "" {
				t.Errorf("%s, code %s: %s", resp.Status, code, n.Raw())
			}
			if strings.Contains(message, "/tmp") || strings.Contains(message, "root:") {
				t.Errorf("the caller is told too much: %s", message)
			}
		})
	}
	if l, err := blue.Store.List(t.Context(), store.Filter{}, store.Page{}); err != nil || len(l.Messages) != 1 {
		t.Errorf("something was stored: %d messages, %v", len(l.Messages), err)
	}
	t.Run("an unknown message has a status", func(t *testing.T) {
		resp, n := blue.ask(t, "<w:statusRequest><messageID>a@b</messageID></w:statusRequest>")
		if resp.StatusCode != http.StatusOK || n.Text() != "NOT_FOUND" {
			t.Errorf("%s", n.Raw())
		}
	})
	t.Run("methods and kinds of content", func(t *testing.T) {
		resp, err := http.Get("http://" + blue.Addr("api") + "/domibus/services/wsplugin")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusMethodNotAllowed || resp.Header.Get("Allow") != "POST" {
			t.Errorf("GET: %s", resp.Status)
		}
		for _, ct := range []string{"", "text/plain", "application/json", "multipart/related", "multipart/related; boundary=x"} {
			resp, n := blue.post(t, "wsplugin", ct, strings.NewReader(known))
			if resp.StatusCode != http.StatusInternalServerError || !n.Is(ebms.NSSOAP, "Fault") {
				t.Errorf("%q: %s %s", ct, resp.Status, n.Raw())
			}
		}
	})
}
