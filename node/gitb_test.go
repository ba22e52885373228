package node_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
	"github.com/viadukt-eu/viadukt/xmlcore/xsd"
)

// interoperabilityBed is the client of a messaging service: it takes down what it is told.
type interoperabilityBed struct {
	*httptest.Server
	schema *xsd.Schema

	mu   sync.Mutex
	busy int // requests that are still answered with a fault
	told []dom.Node
}

func newInteroperabilityBed(t *testing.T) *interoperabilityBed {
	t.Helper()
	b := &interoperabilityBed{}
	var err error
	if b.schema, err = xsd.Compile(os.DirFS(filepath.Join(corpus.Dir(t, "architecture-esens"), "gitb-schemas")), xsd.Options{Lenient: true}, "gitb_ms.xsd"); err != nil {
		t.Fatal(err)
	}
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		octets, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		op := b.body(t, octets)
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.busy--; b.busy >= 0 {
			w.WriteHeader(http.StatusInternalServerError)
			io.WriteString(w, bedEnvelope("<s:Fault><faultcode>s:Server</faultcode><faultstring>busy</faultstring></s:Fault>"))
			return
		}
		b.told = append(b.told, op)
		io.WriteString(w, bedEnvelope(`<m:NotifyForMessageResponse xmlns:m="http://www.gitb.com/ms/v1/"/>`))
	}))
	t.Cleanup(b.Server.Close)
	return b
}

func bedEnvelope(body string) string {
	return `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:a="http://www.w3.org/2005/08/addressing"><s:Header><a:To s:mustUnderstand="1">http://node.example/</a:To></s:Header><s:Body>` + body + `</s:Body></s:Envelope>`
}

// body is the operation in an envelope, judged by the schemas of the test bed unless it is a fault.
func (b *interoperabilityBed) body(t *testing.T, envelope []byte) dom.Node {
	t.Helper()
	text := string(envelope)
	from, to := strings.Index(text, "<soap:Body>")+len("<soap:Body>"), strings.LastIndex(text, "</soap:Body>")
	if to < from {
		t.Fatalf("no envelope: %s", text)
	}
	if strings.HasPrefix(text[from:], "<soap:Fault>") {
		doc, err := dom.Parse(envelope, dom.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		return doc.Root().FirstElement().FirstElement()
	}
	doc, err := dom.Parse([]byte(text[from:to]), dom.Limits{})
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	r, err := b.schema.Validate(doc, xsd.ValidateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.Findings {
		t.Errorf("%s: %s", doc.Root().Local(), f)
	}
	return doc.Root()
}

// using puts the section into a configuration.
func (b *interoperabilityBed) using(t *testing.T) func(*config.Config) {
	t.Helper()
	c, err := config.Parse("bed", ".", fmt.Appendf(nil, "node: {name: bed, country: EE}\ngitb: {listen: \"127.0.0.1:0\", client: %q}\n", b.URL))
	if err != nil {
		t.Fatal(err)
	}
	return func(own *config.Config) { own.GITB = c.GITB }
}

// call makes one call to the messaging service of a node.
func (b *interoperabilityBed) call(t *testing.T, g *gateway, operation, content string) dom.Node {
	t.Helper()
	request := `<m:` + operation + ` xmlns:m="http://www.gitb.com/ms/v1/" xmlns:c="http://www.gitb.com/core/v1/">` + content + `</m:` + operation + `>`
	doc, err := dom.Parse([]byte(request), dom.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if r, err := b.schema.Validate(doc, xsd.ValidateOptions{}); err != nil || len(r.Findings) > 0 && operation != "UnheardRequest" {
		t.Fatalf("the test's own request: %v %v", err, r.Findings)
	}
	resp, err := http.Post("http://"+g.Addr("gitb")+"/", "text/xml; charset=UTF-8", strings.NewReader(bedEnvelope(request)))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	octets, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return b.body(t, octets)
}

func (b *interoperabilityBed) initiate(t *testing.T, g *gateway, party string) (session string) {
	t.Helper()
	answer := b.call(t, g, "InitiateRequest", `<actorConfiguration actor="Receiver"><c:config name="ToPartyId">`+party+`</c:config></actorConfiguration>`)
	session = answer.Child("", "sessionId").Text()
	if session == "" || answer.Child("", "actorConfiguration").Attr("actor") != "AccessPoint" {
		t.Fatalf("%s", answer.Raw())
	}
	return session
}

// awaitCall waits until the bed is told of a call.
func (b *interoperabilityBed) awaitCall(t *testing.T, callID string) (op dom.Node) {
	t.Helper()
	eventually(t, "notice of "+callID, func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, n := range b.told {
			if n.Child("", "callId").Text() == callID {
				op = n
			}
		}
		return op.Valid()
	})
	return op
}

// reported is a value in the context of a report.
func reported(report dom.Node, name string) string {
	for n := range report.Descendants() {
		if n.Local() == "item" && n.Attr("name") == name {
			return n.FirstElement().Text()
		}
	}
	return ""
}

func result(op dom.Node) string {
	return op.Child("", "report").Child("http://www.gitb.com/tr/v1/", "result").Text()
}

func textInput(name, value string) string {
	return `<input name="` + name + `" embeddingMethod="STRING"><c:value>` + value + `</c:value></input>`
}

const fourCorners = `<input name="originalSender" embeddingMethod="STRING"><c:value>C1</c:value></input><input name="finalRecipient" embeddingMethod="STRING"><c:value>C4</c:value></input>`

func TestTheInteroperabilityTestBedSendsAndReceivesThroughNodes(t *testing.T) {
	t.Parallel()
	bed := newInteroperabilityBed(t)
	a, b := agree(t)
	ee, pt := begin(t, a, bed.using(t), nil), begin(t, b, bed.using(t), nil)
	for _, g := range []*gateway{ee, pt} {
		if module := bed.call(t, g, "GetModuleDefinitionRequest", "").Child("", "module"); module.Attr("id") != "viadukt-as4" {
			t.Errorf("%s", module.Raw())
		}
	}
	bed.mu.Lock()
	bed.busy = 1
	bed.mu.Unlock()
	out, in := bed.initiate(t, ee, b.Party), bed.initiate(t, pt, a.Party)
	id := func(s string) string { return "<sessionId>" + s + "</sessionId>" }
	bed.call(t, ee, "BeginTransactionRequest", id(out)+`<config name="Service">urn:test:letters</config><config name="Action">deliver</config><from>AccessPoint</from><to>Receiver</to>`)
	bed.call(t, pt, "BeginTransactionRequest", id(in))
	bed.call(t, pt, "ReceiveRequest", id(in)+"<callId>call-1</callId><from>Sender</from>"+textInput("Action", "deliver")+textInput("MessageId", "first@bed"))

	sent := bed.call(t, ee, "SendRequest", id(out)+"<to>Receiver</to>"+textInput("MessageId", "first@bed")+fourCorners+
		`<input name="payload"><c:item embeddingMethod="STRING" mimeType="text/xml"><c:value>&lt;a/></c:value></c:item><c:item name="scan" embeddingMethod="BASE64"><c:value>AAEC</c:value></c:item></input>`)
	if result(sent) != "SUCCESS" || reported(sent, "State") != "acknowledged" || reported(sent, "MessageId") != "first@bed" || reported(sent, "ToPartyId") != b.Party {
		t.Errorf("%s", sent.Raw())
	}
	pt.until(t, store.In, "first@bed", store.Delivered)
	got := bed.awaitCall(t, "call-1")
	if result(got) != "SUCCESS" || got.Child("", "sessionId").Text() != in || reported(got, "MessageId") != "first@bed" || reported(got, "originalSender") != "C1" || reported(got, "payload1@gitb") != "PGEvPg==" || reported(got, "payload2@gitb") != "AAEC" {
		t.Errorf("%s", got.Raw())
	}

	// What came before somebody asks for it is there, and is told once.
	bed.call(t, ee, "SendRequest", id(out)+"<to>Receiver</to>"+textInput("MessageId", "second@bed")+fourCorners+`<input name="payload" embeddingMethod="STRING"><c:value>text</c:value></input>`)
	pt.until(t, store.In, "second@bed", store.Delivered)
	bed.call(t, pt, "ReceiveRequest", id(in)+"<callId>call-2</callId><from>Sender</from>")
	if got := bed.awaitCall(t, "call-2"); reported(got, "MessageId") != "second@bed" {
		t.Errorf("%s", got.Raw())
	}

	refused := bed.call(t, ee, "SendRequest", id(out)+"<to>Receiver</to>"+fourCorners+textInput("Action", "unheard"))
	if result(refused) != "FAILURE" || !strings.Contains(string(refused.Raw()), "EBMS:0010") {
		t.Errorf("an action without agreement: %s", refused.Raw())
	}
	bed.call(t, pt, "ReceiveRequest", id(in)+"<callId>call-3</callId><from>Sender</from>")
	for _, s := range []struct {
		g  *gateway
		id string
	}{{ee, out}, {pt, in}} {
		bed.call(t, s.g, "EndTransactionRequest", id(s.id))
		bed.call(t, s.g, "FinalizeRequest", id(s.id))
		if f := bed.call(t, s.g, "SendRequest", id(s.id)+"<to>Receiver</to>"); f.Local() != "Fault" || !strings.Contains(string(f.Raw()), "no session") {
			t.Errorf("after the end: %s", f.Raw())
		}
	}
	bed.mu.Lock()
	if len(bed.told) != 2 {
		t.Errorf("told %d times", len(bed.told))
	}
	bed.mu.Unlock()
}

func TestTheMessagingServiceRefusesWhatItCannotDo(t *testing.T) {
	t.Parallel()
	bed := newInteroperabilityBed(t)
	a, b := agree(t)
	ee := begin(t, a, bed.using(t), nil)
	session := bed.initiate(t, ee, b.Party)
	for name, c := range map[string]struct{ operation, content, says string }{
		"a session that is none":        {"ReceiveRequest", "<sessionId>x</sessionId><callId>1</callId><from>a</from>", "no session"},
		"an operation that is none":     {"UnheardRequest", "<sessionId>" + session + "</sessionId>", "none of this service"},
		"an address instead of a value": {"SendRequest", "<sessionId>" + session + `</sessionId><to>b</to><input name="payload" embeddingMethod="URI"><c:value>http://127.0.0.1/</c:value></input>`, "nothing is fetched"},
		"octets that are no base64":     {"SendRequest", "<sessionId>" + session + `</sessionId><to>b</to><input name="payload"><c:value>!</c:value></input>`, "no base64"},
	} {
		if f := bed.call(t, ee, c.operation, c.content); f.Local() != "Fault" || !strings.Contains(string(f.Raw()), c.says) {
			t.Errorf("%s: %s", name, f.Raw())
		}
	}
	for range 100 {
		bed.call(t, ee, "ReceiveRequest", "<sessionId>"+session+"</sessionId><callId>1</callId><from>a</from>")
	}
	if f := bed.call(t, ee, "ReceiveRequest", "<sessionId>"+session+"</sessionId><callId>1</callId><from>a</from>"); f.Local() != "Fault" {
		t.Errorf("%s", f.Raw())
	}
	resp, err := http.Get("http://" + ee.Addr("gitb") + "/?wsdl")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if contract, err := io.ReadAll(resp.Body); err != nil || !strings.Contains(string(contract), `name="MessagingServicePort"`) {
		t.Errorf("%v %s", err, contract)
	}
	if err := ee.Stop(context.Background()); err != nil { // with a hundred who wait
		t.Error(err)
	}
}
