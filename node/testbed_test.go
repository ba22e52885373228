package node_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/setup"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/node/testbed"
)

// testBed is a conformance test bed: it takes down what access points tell it.
type testBed struct {
	*httptest.Server
	mu     sync.Mutex
	busy   int // requests that are still answered with 503
	told   []*testbed.Message
	bodies map[string]string
}

func newTestBed(t *testing.T) *testBed {
	t.Helper()
	b := &testBed{bodies: map[string]string{}}
	b.Server = httptest.NewServer(b)
	t.Cleanup(b.Close)
	return b
}

func (b *testBed) Close() { b.Server.Close() }

func (b *testBed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.busy--; b.busy >= 0 {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	in, err := testbed.Decode(r.Header.Get("Content-Type"), r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	for {
		i, part, err := in.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		octets, err := io.ReadAll(part)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		b.bodies[in.Parts[i].ID] = string(octets)
	}
	b.told = append(b.told, &in.Message)
}

// await waits for a message of an action about a message id.
func (b *testBed) await(t *testing.T, action, property, id string) *testbed.Message {
	t.Helper()
	var found *testbed.Message
	eventually(t, action+" of "+id, func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, m := range b.told {
			if m.Action == action && m.Property(property) == id {
				found = m
			}
		}
		return found != nil
	})
	return found
}

// driving puts the section into a configuration.
func (b *testBed) driving(t *testing.T) func(*config.Config) {
	t.Helper()
	c, err := config.Parse("bed", ".", fmt.Appendf(nil, "node: {name: bed, country: EE}\ntestbed: {listen: \"127.0.0.1:0\", driver: %q}\n", b.URL))
	if err != nil {
		t.Fatal(err)
	}
	return func(own *config.Config) { own.Testbed = c.Testbed }
}

// bedSubmission is what the official bed posts, as text: names and order are its own.
func bedSubmission(to, id string, properties string) (contentType, body string) {
	envelope := `<env:Envelope xmlns:env="http://www.w3.org/2003/05/soap-envelope"><env:Header><ns2:Messaging xmlns:ns2="http://docs.oasis-open.org/ebxml-msg/ebms/v3.0/ns/core/200704/" env:mustUnderstand="true"><ns2:UserMessage>` +
		`<ns2:MessageInfo><ns2:Timestamp>2026-01-07T19:44:00.062Z</ns2:Timestamp><ns2:MessageId>submission@corner1</ns2:MessageId></ns2:MessageInfo>` +
		`<ns2:PartyInfo><ns2:From><ns2:PartyId>minder</ns2:PartyId><ns2:Role>http://www.esens.eu/as4/conformancetest/testdriver</ns2:Role></ns2:From><ns2:To><ns2:PartyId>c2</ns2:PartyId><ns2:Role>http://www.esens.eu/as4/conformancetest/sut</ns2:Role></ns2:To></ns2:PartyInfo>` +
		`<ns2:CollaborationInfo><ns2:Service>http://www.esens.eu/as4/conformancetest</ns2:Service><ns2:Action>Submit</ns2:Action><ns2:ConversationId>1</ns2:ConversationId></ns2:CollaborationInfo>` +
		`<ns2:MessageProperties><ns2:Property name="MessageId">` + id + `</ns2:Property><ns2:Property name="ConversationId">conv-7</ns2:Property><ns2:Property name="ToPartyId">` + to + `</ns2:Property>` +
		`<ns2:Property name="Service">urn:test:letters</ns2:Property><ns2:Property name="Action">deliver</ns2:Property>` +
		`<ns2:Property name="originalSender" type="urn:t">C1</ns2:Property><ns2:Property name="finalRecipient" type="urn:t">C4</ns2:Property>` + properties + `</ns2:MessageProperties>` +
		`<ns2:PayloadInfo><ns2:PartInfo href="xmlpayload@minder"><ns2:PartProperties><ns2:Property name="MimeType">application/xml</ns2:Property><ns2:Property name="CharacterSet">utf-8</ns2:Property><ns2:Property name="Colour" type="urn:c">green</ns2:Property></ns2:PartProperties></ns2:PartInfo>` +
		`<ns2:PartInfo href="custompayload@minder"><ns2:PartProperties><ns2:Property name="MimeType">application/octet-stream</ns2:Property></ns2:PartProperties></ns2:PartInfo></ns2:PayloadInfo>` +
		`</ns2:UserMessage></ns2:Messaging></env:Header><env:Body/></env:Envelope>`
	body = strings.Join([]string{"--b1", "Content-Type: application/soap+xml; charset=utf-8", "", envelope,
		"--b1", "Content-Type: application/xml", "Content-Disposition: attachment; filename=\"test-1.xml\"", "Content-ID: <xmlpayload@minder>", "", "<min><der>sample</der></min>",
		"--b1", "Content-Type: application/octet-stream", "Content-ID: <custompayload@minder>", "", "!! Modify me after submission, if you dare!!", "--b1--", ""}, "\r\n")
	return `multipart/related; type="application/soap+xml"; boundary=b1`, body
}

// bed submits as the bed does, and reads the answer.
func (g *gateway) bed(t *testing.T, contentType, body string) (int, *testbed.Incoming) {
	t.Helper()
	resp, err := http.Post("http://"+g.Addr("testbed")+"/", contentType, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	octets, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	in, err := testbed.Decode(resp.Header.Get("Content-Type"), bytes.NewReader(octets))
	if err != nil {
		return resp.StatusCode, nil
	}
	return resp.StatusCode, in
}

func bedPair(t *testing.T) (bed *testBed, ee, pt *gateway, b *setup.Result) {
	t.Helper()
	bed = newTestBed(t)
	a, b := agree(t)
	return bed, begin(t, a, bed.driving(t), nil), begin(t, b, bed.driving(t), nil), b
}

func TestATestBedDrivesANode(t *testing.T) {
	t.Parallel()
	bed, ee, pt, b := bedPair(t)
	contentType, body := bedSubmission(b.Party, "as4message@corner2", "")
	status, answer := ee.bed(t, contentType, body)
	if status != http.StatusOK || answer == nil || answer.Action != testbed.SubmitResponse || answer.Property(testbed.MessageID) != "as4message@corner2" || answer.RefToMessageID != "submission@corner1" {
		t.Fatalf("%d %+v", status, answer)
	}
	got := bed.await(t, testbed.Deliver, testbed.MessageID, "as4message@corner2")
	for name, want := range map[string]string{
		testbed.ConversationID: "conv-7", testbed.ServiceName: "urn:test:letters", testbed.Action: "deliver", testbed.ToPartyID: b.Party, testbed.ToPartyIDType: b.PartyType,
		testbed.FromPartyID: ee.made.Party, "originalSender": "C1", "finalRecipient": "C4",
	} {
		if got.Property(name) != want {
			t.Errorf("%s is %q, want %q", name, got.Property(name), want)
		}
	}
	if len(got.Parts) != 2 || got.Parts[0].ID != "xmlpayload@minder" || got.Parts[0].Property("CharacterSet") != "utf-8" || got.Parts[0].Property("Colour") != "green" || got.Parts[0].Property("CompressionType") != "" {
		t.Errorf("payloads %+v", got.Parts)
	}
	bed.mu.Lock()
	if bed.bodies["xmlpayload@minder"] != "<min><der>sample</der></min>" || bed.bodies["custompayload@minder"] != "!! Modify me after submission, if you dare!!" {
		t.Errorf("octets %q", bed.bodies)
	}
	bed.mu.Unlock()
	if n := bed.await(t, testbed.Notify, testbed.RefToMessageID, "as4message@corner2"); n.Property(testbed.SignalType) != testbed.SignalReceipt || n.Property(testbed.ErrorCode) != "" {
		t.Errorf("%+v", n)
	}
	ee.until(t, store.Out, "as4message@corner2", store.Acknowledged)
	pt.until(t, store.In, "as4message@corner2", store.Delivered)
}

func TestATestBedIsToldUntilItListens(t *testing.T) {
	t.Parallel()
	bed, ee, _, b := bedPair(t)
	bed.mu.Lock()
	bed.busy = 5
	bed.mu.Unlock()
	contentType, body := bedSubmission(b.Party, "as4message@corner2", "")
	if _, answer := ee.bed(t, contentType, body); answer == nil {
		t.Fatal("no answer")
	}
	bed.await(t, testbed.Deliver, testbed.MessageID, "as4message@corner2")
	bed.await(t, testbed.Notify, testbed.RefToMessageID, "as4message@corner2")
}

func TestATestBedIsToldWhyItsSubmissionIsRefused(t *testing.T) {
	t.Parallel()
	_, ee, _, b := bedPair(t)
	contentType, body := bedSubmission(b.Party, "as4message@corner2", "")
	for name, c := range map[string]struct{ old, new, code string }{
		"a service without agreement":                     {"urn:test:letters", "urn:other", "EBMS:0010"},
		"a party without agreement":                       {">" + b.Party + "<", ">nobody<", "EBMS:0010"},
		"a message id that is none":                       {"as4message@corner2", "two words", "EBMS:0009"},
		"a payload whose compression the bed decides":     {`<ns2:Property name="CharacterSet">utf-8<`, `<ns2:Property name="CompressionType">application/gzip<`, "EBMS:0003"},
		"a payload that is missing":                       {"Content-ID: <custompayload@minder>", "Content-ID: <other@minder>", "EBMS:0011"},
		"another action":                                  {"<ns2:Action>Submit<", "<ns2:Action>Deliver<", "EBMS:0001"},
		"another service than that of the bed":            {"<ns2:Service>http://www.esens.eu/as4/conformancetest<", "<ns2:Service>urn:x<", "EBMS:0001"},
		"a submission without the corners of the profile": {`<ns2:Property name="originalSender" type="urn:t">C1</ns2:Property>`, "", "EBMS:0010"},
	} {
		t.Run(name, func(t *testing.T) {
			changed := strings.Replace(body, c.old, c.new, 1)
			if changed == body {
				t.Fatal("nothing was changed")
			}
			status, answer := ee.bed(t, contentType, changed)
			if status != http.StatusOK || answer == nil || len(answer.Signals) != 1 || len(answer.Signals[0].Errors) != 1 || string(answer.Signals[0].Errors[0].Code) != c.code {
				t.Errorf("%d %+v, want %s", status, answer, c.code)
			}
		})
	}
	if status, _ := ee.bed(t, "text/plain", "x"); status != http.StatusBadRequest {
		t.Errorf("text: %d", status)
	}
	resp, err := http.Get("http://" + ee.Addr("testbed") + "/")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", resp.StatusCode)
	}
}

func TestNoTestBedDrivesANodeThatDoesNotAskForIt(t *testing.T) {
	t.Parallel()
	a, _ := agree(t)
	if n := begin(t, a, nil, nil); n.Addr("testbed") != "" {
		t.Error("the interface is open")
	}
}
