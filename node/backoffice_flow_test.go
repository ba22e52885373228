package node_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// submitTo sends a message of the current interface and returns its id.
func (g *gateway) submitTo(t *testing.T, id string, change ...func(*http.Request)) string {
	t.Helper()
	body := envelope(pluginNS, header(id, part("cid:message", "MimeType", "text/xml", "Colour", "blue")), "<w:submitRequest>"+payload("CID:Message", "<letter/>")+"</w:submitRequest>")
	resp, n := g.post(t, "wsplugin", soap12, strings.NewReader(body), change...)
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s %s", resp.Status, n.Raw())
	}
	return n.Child("", "messageID").Text()
}

func TestAMessageGoesItsWayThroughTheCurrentInterface(t *testing.T) {
	t.Parallel()
	blue, red := colours(t, "  soap: true\n", "  soap: true\n")
	id := blue.submitTo(t, "first@blue")
	if id != "first@blue" {
		t.Fatalf("the id becomes %q", id)
	}
	blue.until(t, store.Out, id, store.Acknowledged)
	red.until(t, store.In, id, store.Delivered)
	status := func(g *gateway, request string) string {
		t.Helper()
		_, n := g.ask(t, request)
		return n.Text()
	}
	for _, c := range []struct {
		g             *gateway
		role, request string
	}{{blue, "ACKNOWLEDGED", ""}, {red, "RECEIVED", ""}, {blue, "ACKNOWLEDGED", "SENDING"}, {red, "NOT_FOUND", "SENDING"}, {red, "RECEIVED", "RECEIVING"}} {
		request := "<w:statusRequest><messageID>" + id + "</messageID></w:statusRequest>"
		if c.request != "" {
			request = "<w:statusRequestWithAccessPointRole><messageID>" + id + "</messageID><accessPointRole>" + c.request + "</accessPointRole></w:statusRequestWithAccessPointRole>"
		}
		if got := status(c.g, request); got != c.role {
			t.Errorf("status %s, want %s for %s", got, c.role, request)
		}
	}
	pending := func(filter string) string {
		t.Helper()
		resp, n := red.ask(t, "<w:listPendingMessagesRequest>"+filter+"</w:listPendingMessagesRequest>")
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("%s", n.Raw())
		}
		return n.Child("", "messageID").Text()
	}
	m, err := red.Store.ByMessageID(t.Context(), store.In, id)
	if err != nil {
		t.Fatal(err)
	}
	for filter, want := range map[string]bool{
		"": true, "<messageId>first@blue</messageId>": true, "<messageId>x</messageId>": false,
		"<conversationId>" + m.ConversationID + "</conversationId>": true, "<conversationId>x</conversationId>": false,
		"<fromPartyId>domibus-blue</fromPartyId>": true, "<fromPartyId>domibus-green</fromPartyId>": false,
		"<finalRecipient>" + strings.ToUpper(c4) + "</finalRecipient>": true, "<finalRecipient>" + c1 + "</finalRecipient>": false,
		"<originalSender>" + c1 + "</originalSender>": true, "<originalSender>x</originalSender>": false,
		"<receivedFrom>2020-01-01T00:00:00</receivedFrom>": true, "<receivedTo>2020-01-01T00:00:00</receivedTo>": false,
		"<receivedFrom>2020-01-01T00:00:00.000+02:00</receivedFrom><receivedTo>2120-01-01T00:00:00Z</receivedTo>": true,
		"<refToMessageId>x</refToMessageId>": false,
	} {
		if got := pending(filter) == id; got != want {
			t.Errorf("pending with %s: %v", filter, got)
		}
	}
	retrieve := func(attr string) dom.Node {
		t.Helper()
		resp, n := red.ask(t, "<w:retrieveMessageRequest"+attr+"><messageID>"+id+"</messageID></w:retrieveMessageRequest>")
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("%s", n.Raw())
		}
		return n
	}
	for range 2 {
		n := retrieve(` markAsDownloaded="false"`)
		p := n.Child("", "payload")
		value, err := base64.StdEncoding.DecodeString(p.Child("", "value").Text())
		if err != nil || string(value) != "<letter/>" || p.Attr("payloadId") != "cid:message" {
			t.Errorf("payload %s: %q %v", p.Raw(), value, err)
		}
		um := n.Document().Root().Child(ebms.NSSOAP, "Header").Child(ebms.NS, "Messaging").Child(ebms.NS, "UserMessage")
		text := string(um.Raw())
		for _, want := range []string{">first@blue<", `name="Colour"`, `name="MimeType"`, ">text/xml<", c1, c4, ">TC1Leg1<", `type="tc1"`} {
			if !strings.Contains(text, want) {
				t.Errorf("the header has no %s: %s", want, text)
			}
		}
		if strings.Contains(text, "CompressionType") {
			t.Error("the back office sees how it was compressed")
		}
	}
	if pending("") != id {
		t.Error("looking at a message took it off the list")
	}
	retrieve("")
	if pending("") != "" || status(red, "<w:statusRequest><messageID>"+id+"</messageID></w:statusRequest>") != "DOWNLOADED" {
		t.Error("a message that was retrieved is pending still")
	}
	second := blue.submitTo(t, "")
	red.until(t, store.In, second, store.Delivered)
	for range 2 { // marking again is no error
		if resp, n := red.ask(t, "<w:markMessageAsDownloadedRequest><messageID>"+second+"</messageID></w:markMessageAsDownloadedRequest>"); resp.StatusCode != http.StatusOK || n.Child("", "messageID").Text() != second {
			t.Errorf("%s", n.Raw())
		}
	}
	red.until(t, store.In, second, store.Confirmed)
}

func TestErrorsOfAMessageAreListed(t *testing.T) {
	t.Parallel()
	a, _ := colourConfigs(t, "  soap: true\n  rest: true\n  users: [{name: plugin, password: \"env:PATH\", admin: true}]\n", "")
	password := os.Getenv("PATH")
	blue := begin(t, a, func(c *config.Config) { c.Outbound.MaxAttempts = 2 }, nil)
	login := func(r *http.Request) { r.SetBasicAuth("plugin", password) }
	id := blue.submitTo(t, "", login) // nobody listens at the other end
	blue.until(t, store.Out, id, store.Failed)
	resp, n := blue.ask(t, "<w:getErrorsRequest><messageID>"+id+"</messageID></w:getErrorsRequest>", login)
	items := 0
	for item := range n.Elements() {
		items++
		if code := item.Child("", "domibusErrorCode").Text(); code != "EBMS_0005" && code != "EBMS_0301" || item.Child("", "mshRole").Text() != "SENDING" || item.Child("", "messageInErrorId").Text() != id {
			t.Errorf("%s", item.Raw())
		}
		if _, err := time.Parse(time.RFC3339Nano, item.Child("", "timestamp").Text()); err != nil {
			t.Error(err)
		}
	}
	if resp.StatusCode != http.StatusOK || items != 2 {
		t.Errorf("%d errors: %s", items, n.Raw())
	}
	_, n = blue.post(t, "backend", soap12, strings.NewReader(envelope(oldNS, "", "<w:getErrorsRequest><messageID>"+id+"</messageID></w:getErrorsRequest>")), login)
	if !n.FirstElement().Child("", "errorCode").Valid() {
		t.Errorf("old interface: %s", n.Raw())
	}
	rest := func(method, path, body string, change func(*http.Request)) (int, string) {
		t.Helper()
		req, err := http.NewRequest(method, "http://"+blue.Addr("api")+"/domibus/ext/"+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if change != nil {
			change(req)
		}
		resp, b := do(t, req)
		return resp.StatusCode, string(b)
	}
	for _, c := range []struct {
		name, method, path, body string
		change                   func(*http.Request)
		status                   int
		contains                 string
	}{
		{"nobody", "GET", "monitoring/messages/failed", "", nil, 403, ""},
		{"a wrong password", "GET", "monitoring/messages/failed", "", func(r *http.Request) { r.SetBasicAuth("plugin", "x") }, 403, ""},
		{"the state of the application", "GET", "monitoring/application/status?filter=all", "", login, 200, `"services":[{"name":"Database","status":"NORMAL"}`},
		{"failed messages", "GET", "monitoring/messages/failed", "", login, 200, `["` + id + `"]`},
		{"failed messages of a recipient", "GET", "monitoring/messages/failed?finalRecipient=nobody", "", login, 200, `[]`},
		{"how long ago it failed", "GET", "monitoring/messages/failed/" + id + "/elapsedtime", "", login, 200, ""},
		{"attempts", "GET", "monitoring/messages/" + id + "/attempts", "", login, 200, `"status":"ERROR"`},
		{"the header", "GET", "messages/usermessages/" + id, "", login, 200, `"messageId":"` + id + `"`},
		{"the header of one side", "GET", "messages/usermessages/" + id + "?mshRole=RECEIVING", "", login, 404, `{"message":`},
		{"the header of no side", "GET", "messages/usermessages/" + id + "?mshRole=BOTH", "", login, 400, `{"message":`},
		{"an unknown message", "GET", "messages/usermessages/unknown", "", login, 404, `{"message":`},
		{"the envelope", "GET", "messages/usermessages/" + id + "/envelope", "", login, 200, "<eb:MessageId>" + id},
		{"a receipt that there is not", "GET", "messages/usermessages/" + id + "/signalEnvelope", "", login, 404, `{"message":`},
		{"trusted certificates", "GET", "truststore/entries", "", login, 200, `"fingerprints":`},
		{"a time that is none", "POST", "monitoring/messages/failed/restore", `{"fromDate":"yesterday","toDate":"2026-01-01"}`, login, 400, `{"message":`},
		{"a body that is none", "POST", "monitoring/messages/failed/restore", `{`, login, 400, `{"message":`},
		{"a time when nothing failed", "POST", "monitoring/messages/failed/restore", `{"fromDate":"2020-01-01","toDate":"2020-01-02T10H"}`, login, 200, `[]`},
		{"starting an unknown message again", "PUT", "monitoring/messages/failed/unknown/restore", "", login, 404, `{"message":`},
	} {
		if status, body := rest(c.method, c.path, c.body, c.change); status != c.status || !strings.Contains(body, c.contains) {
			t.Errorf("%s: %d %s", c.name, status, body)
		}
	}
	if status, body := rest("PUT", "monitoring/messages/failed/"+id+"/restore", "", login); status != http.StatusOK {
		t.Errorf("restore: %d %s", status, body)
	}
	events := func() int {
		m, err := blue.Store.ByMessageID(t.Context(), store.Out, id)
		if err != nil {
			t.Fatal(err)
		}
		l, err := blue.Store.Events(t.Context(), m.ID)
		if err != nil {
			t.Fatal(err)
		}
		return len(l)
	}
	eventually(t, "the second failure", func() bool { return events() >= 9 })
	blue.until(t, store.Out, id, store.Failed)
	if status, body := rest("POST", "monitoring/messages/failed/restore", `{"fromDate":"2020-01-01","toDate":"2120-01-02"}`, login); status != http.StatusOK || !strings.Contains(body, id) {
		t.Errorf("restore of many: %d %s", status, body)
	}
}

func TestUsersSeeTheirOwn(t *testing.T) {
	t.Parallel()
	a, b := colourConfigs(t, "", "")
	for _, made := range []string{a.Dir, b.Dir} {
		for name, secret := range map[string]string{"one": "secret of the first one", "two": "secret of the other", "admin": "secret of the admin"} {
			if err := os.WriteFile(filepath.Join(made, "keys", name), []byte(secret+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	users := "\nbackoffice:\n  soap: true\n  users:\n" +
		"    - {name: one, password: file:keys/one, originalUser: \"" + c1 + "\"}\n" +
		"    - {name: two, password: file:keys/two, originalUser: \"" + c4 + "\"}\n" +
		"    - {name: admin, password: file:keys/admin, admin: true, certificate: keys/as4.pem}\n" +
		"  proxies: [127.0.0.0/8]\n"
	for _, f := range []string{a.ConfigFile, b.ConfigFile} {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(f, append(text, users...), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	blue, red := begin(t, a, nil, nil), begin(t, b, nil, nil)
	as := func(name, password string) func(*http.Request) {
		return func(r *http.Request) { r.SetBasicAuth(name, password) }
	}
	one, two, admin := as("one", "secret of the first one"), as("two", "secret of the other"), as("admin", "secret of the admin")
	id := blue.submitTo(t, "", one)
	red.until(t, store.In, id, store.Delivered)
	submit := envelope(pluginNS, header("", part("cid:message")), "<w:submitRequest>"+payload("cid:message", "x")+"</w:submitRequest>")
	get := func(operation string) string {
		return envelope(pluginNS, "", "<w:"+operation+"><messageID>"+id+"</messageID></w:"+operation+">")
	}
	pem, err := os.ReadFile(filepath.Join(a.Dir, "keys", "as4.pem"))
	if err != nil {
		t.Fatal(err)
	}
	certificate := pem[bytes.Index(pem, []byte("-----BEGIN CERTIFICATE")):]
	der := certificate[len("-----BEGIN CERTIFICATE-----\n"):bytes.Index(certificate, []byte("-----END"))]
	show := func(value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("Client-Cert", value) }
	}
	rfc := ":" + strings.ReplaceAll(string(der), "\n", "") + ":"
	for _, c := range []struct {
		name, request string
		g             *gateway
		change        func(*http.Request)
		code          string
	}{
		{"nobody submits", submit, blue, func(*http.Request) {}, "WS_PLUGIN:0002"},
		{"a wrong password", submit, blue, as("one", "secret of the other"), "WS_PLUGIN:0002"},
		{"an unknown user", submit, blue, as("three", ""), "WS_PLUGIN:0002"},
		{"another user submits in the name of the first", submit, blue, two, "WS_PLUGIN:0002"},
		{"an administrator submits in any name", submit, blue, admin, ""},
		{"the first user asks for the status of what it sent", get("statusRequest"), blue, one, ""},
		{"another user asks for it", get("statusRequest"), blue, two, "WS_PLUGIN:0002"},
		{"the recipient marks what it got", get("markMessageAsDownloadedRequest"), red, two, ""},
		{"another user marks it", get("markMessageAsDownloadedRequest"), red, one, "WS_PLUGIN:0002"},
		{"another user retrieves it", get("retrieveMessageRequest"), red, one, "WS_PLUGIN:0002"},
		{"another user asks for its errors", get("getErrorsRequest"), red, one, "WS_PLUGIN:0002"},
		{"a certificate that a proxy saw", submit, blue, show(rfc), ""},
		{"one that is not known", submit, red, show(rfc), "WS_PLUGIN:0002"},
		{"something else in its place", submit, blue, show("sno=1&subject=CN=x"), "WS_PLUGIN:0002"},
		{"nonsense in its place", submit, blue, show(":%%%:"), "WS_PLUGIN:0002"},
	} {
		resp, n := c.g.post(t, "wsplugin", soap12, strings.NewReader(c.request), c.change)
		code, _ := detail(n)
		if code != c.code || c.code == "" && resp.StatusCode != http.StatusOK || c.code != "" && resp.StatusCode != http.StatusInternalServerError {
			t.Errorf("%s: %s, code %q: %s", c.name, resp.Status, code, n.Raw())
		}
	}
	third := blue.submitTo(t, "", one)
	red.until(t, store.In, third, store.Delivered)
	for name, c := range map[string]struct {
		who  func(*http.Request)
		want bool
	}{"the recipient": {two, true}, "another": {one, false}, "an administrator": {admin, true}} {
		_, n := red.ask(t, "<w:listPendingMessagesRequest><messageId>"+third+"</messageId><finalRecipient>"+c4+"</finalRecipient></w:listPendingMessagesRequest>", c.who)
		if got := n.FirstElement().Valid(); got != c.want {
			t.Errorf("pending for %s: %s", name, n.Raw())
		}
	}
}

func TestWithoutUsersTheAddressMustBeLocal(t *testing.T) {
	t.Parallel()
	a, _ := colourConfigs(t, "  soap: true\n", "")
	c, err := config.Load(a.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	c.API.Listen = ":0"
	if n, err := node.New(t.Context(), c, node.Options{}); err == nil || !strings.Contains(err.Error(), "backoffice.users") {
		if n != nil {
			n.Stop(context.Background())
		}
		t.Errorf("%v", err)
	}
}

func TestPayloadsBesideTheEnvelope(t *testing.T) {
	t.Parallel()
	blue, red := colours(t, "  soap: true\n", "  soap: true\n  mtom: true\n")
	include := func(id, cid string) string {
		return `<payload payloadId="` + id + `"><value><xop:Include xmlns:xop="http://www.w3.org/2004/08/xop/include" href="cid:` + cid + `"></xop:Include></value></payload>`
	}
	root := envelope(pluginNS, header("", part("cid:first", "MimeType", "text/plain"), part("cid:second", "MimeType", "application/octet-stream")),
		"<w:submitRequest>"+include("cid:second", "b%40x")+include("cid:first", "a@x")+"</w:submitRequest>")
	var body bytes.Buffer
	for _, p := range [][3]string{{"application/xop+xml", "root", root}, {"text/plain", "a@x", "first\r\n--bound"}, {"image/png", "unasked", "zzz"}, {"application/octet-stream", "b@x", "second\x00"}} {
		fmt.Fprintf(&body, "\r\n--boundary\r\nContent-Type: %s\r\nContent-Transfer-Encoding: binary\r\nContent-ID: <%s>\r\n\r\n%s", p[0], p[1], p[2])
	}
	body.WriteString("\r\n--boundary--\r\n")
	const ct = `multipart/related; type="application/xop+xml"; start="<root>"; start-info="application/soap+xml"; boundary=boundary`
	resp, n := blue.post(t, "wsplugin", ct, bytes.NewReader(body.Bytes()))
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s", n.Raw())
	}
	id := n.Child("", "messageID").Text()
	m := red.until(t, store.In, id, store.Delivered)
	if len(m.Payloads) != 2 || m.Payloads[0].ContentID != "first" || m.Payloads[0].MimeType != "text/plain" {
		t.Errorf("payloads in another order than the header: %+v", m.Payloads)
	}
	req, err := http.NewRequest("POST", "http://"+red.Addr("api")+"/domibus/services/wsplugin", strings.NewReader(envelope(pluginNS, "", "<w:retrieveMessageRequest><messageID>"+id+"</messageID></w:retrieveMessageRequest>")))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", soap12)
	resp, answer := do(t, req)
	mr, err := ebms.NewReader(resp.Header.Get("Content-Type"), bytes.NewReader(answer), ebms.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	_, envelopeOctets, err := mr.Root()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"first\r\n--bound", "second\x00"} {
		p, err := mr.Next()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(p)
		if err != nil || string(b) != want || !strings.Contains(string(envelopeOctets), "cid:"+p.ContentID) {
			t.Errorf("%q %v", b, err)
		}
	}
	t.Run("a part is missing", func(t *testing.T) {
		b := bytes.Replace(body.Bytes(), []byte("<b@x>"), []byte("<c@x>"), 1)
		if resp, n := blue.post(t, "wsplugin", ct, bytes.NewReader(b)); resp.StatusCode != http.StatusInternalServerError {
			t.Errorf("%s", n.Raw())
		}
	})
	t.Run("the body breaks off", func(t *testing.T) {
		b := body.Bytes()[:body.Len()-20]
		if resp, n := blue.post(t, "wsplugin", ct, bytes.NewReader(b)); resp.StatusCode != http.StatusInternalServerError {
			t.Errorf("%s", n.Raw())
		}
	})
	t.Run("two payloads want the same part", func(t *testing.T) {
		b := bytes.Replace(body.Bytes(), []byte("cid:b%40x"), []byte("cid:a@x"), 1)
		if resp, n := blue.post(t, "wsplugin", ct, bytes.NewReader(b)); resp.StatusCode != http.StatusInternalServerError {
			t.Errorf("%s", n.Raw())
		}
	})
}

// TestALargePayloadPassesThrough sends 128 MB in base64 and gets it back, in memory that does not grow with it. A short run
// has an eighth of that: enough to see what races, not what grows.
func TestALargePayloadPassesThrough(t *testing.T) {
	blue, red := colours(t, "  soap: true\n", "  soap: true\n")
	size := int64(128 << 20)
	if testing.Short() {
		size /= 8
	}
	parts := strings.SplitN(envelope(pluginNS, header("", part("cid:message", "MimeType", "application/zip")), "<w:submitRequest>"+payload("cid:message", "HERE")+"</w:submitRequest>"), base64.StdEncoding.EncodeToString([]byte("HERE")), 2)
	content := func() (io.Reader, func() [32]byte) {
		h := sha256.New()
		r := io.TeeReader(io.LimitReader(rand.New(rand.NewSource(1)), size), h)
		return r, func() [32]byte { return [32]byte(h.Sum(nil)) }
	}
	r, sum := content()
	pr, pw := io.Pipe()
	go func() {
		enc := base64.NewEncoder(base64.StdEncoding, pw)
		_, err := io.Copy(enc, r)
		enc.Close()
		pw.CloseWithError(err)
	}()
	var most uint64
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			var s runtime.MemStats
			runtime.ReadMemStats(&s)
			most = max(most, s.HeapAlloc)
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	resp, n := blue.post(t, "wsplugin", soap12, io.MultiReader(strings.NewReader(parts[0]), pr, strings.NewReader(parts[1])))
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s", n.Raw())
	}
	id := n.Child("", "messageID").Text()
	red.until(t, store.In, id, store.Delivered)
	req, err := http.NewRequest("POST", "http://"+red.Addr("api")+"/domibus/services/wsplugin", strings.NewReader(envelope(pluginNS, "", "<w:retrieveMessageRequest><messageID>"+id+"</messageID></w:retrieveMessageRequest>")))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", soap12)
	resp, err = http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	h := sha256.New()
	got, err := io.Copy(h, base64.NewDecoder(base64.StdEncoding, &between{r: resp.Body}))
	close(stop)
	<-stopped
	if err != nil || got != size || [32]byte(h.Sum(nil)) != sum() {
		t.Errorf("%d octets, %v", got, err)
	}
	if most > 100<<20 {
		t.Errorf("%d MB of memory for %d MB", most>>20, size>>20)
	}
}

// between reads what stands in the first value element.
type between struct {
	r     io.Reader
	begun bool
	done  bool
	buf   []byte
}

func (b *between) Read(p []byte) (int, error) {
	for {
		if !b.begun {
			if i := bytes.Index(b.buf, []byte("<value>")); i >= 0 {
				b.begun, b.buf = true, b.buf[i+7:]
			}
		}
		if b.begun && !b.done && len(b.buf) > 0 {
			n := len(b.buf)
			if i := bytes.IndexByte(b.buf, '<'); i >= 0 {
				n, b.done = i, true
			}
			n = copy(p, b.buf[:n])
			if n > 0 || !b.done {
				if b.buf = b.buf[n:]; len(b.buf) > 0 && b.buf[0] != '<' {
					b.done = false
				}
				return n, nil
			}
		}
		chunk := make([]byte, 32<<10)
		n, err := b.r.Read(chunk)
		if n == 0 && err != nil {
			return 0, err
		}
		if !b.done {
			b.buf = append(b.buf, chunk[:n]...)
		}
	}
}

func TestContractsAreServed(t *testing.T) {
	t.Parallel()
	blue, _ := colours(t, "  soap: true\n", "")
	for path, operations := range map[string]int{"wsplugin": 10, "backend": 5} {
		resp, err := http.Get("http://" + blue.Addr("api") + "/domibus/services/" + path + "?wsdl")
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		doc, err := dom.Parse(b, dom.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for e := range doc.Root().Descendants() {
			if e.Is("http://schemas.xmlsoap.org/wsdl/soap12/", "operation") {
				n++
			}
			if a := e.Attr("location"); a != "" && a != "http://"+blue.Addr("api")+"/domibus/services/"+path {
				t.Errorf("%s: address %s", path, a)
			}
		}
		if n != operations || resp.Header.Get("Content-Type") != "text/xml; charset=UTF-8" {
			t.Errorf("%s: %d operations", path, n)
		}
	}
}

// office is a back office that is told.
type office struct {
	*httptest.Server
	mu    sync.Mutex
	calls []officeCall
	fail  int // how many calls are answered with a fault
}

type officeCall struct {
	header http.Header
	body   []byte
}

func newOffice(t *testing.T, fail int) *office {
	t.Helper()
	o := &office{fail: fail}
	o.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		o.calls = append(o.calls, officeCall{r.Header, b})
		if o.fail > 0 {
			o.fail--
			w.WriteHeader(http.StatusInternalServerError)
			io.WriteString(w, `<s:Envelope xmlns:s="`+ebms.NSSOAP+`"><s:Body><s:Fault><s:Code><s:Value>s:Receiver</s:Value></s:Code><s:Reason><s:Text xml:lang="en">not now</s:Text></s:Reason></s:Fault></s:Body></s:Envelope>`)
		}
	}))
	t.Cleanup(o.Close)
	return o
}

func (o *office) all() []officeCall {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]officeCall(nil), o.calls...)
}

// names of the requests that came, in their order.
func (o *office) names(t *testing.T) (out []string) {
	t.Helper()
	for _, c := range o.all() {
		doc, err := dom.Parse(c.body, dom.Limits{})
		if err != nil {
			t.Fatalf("%v: %s", err, c.body)
		}
		out = append(out, doc.Root().Child(ebms.NSSOAP, "Body").FirstElement().Local())
	}
	return out
}

func TestBackOfficesAreTold(t *testing.T) {
	t.Parallel()
	sender, receiver := newOffice(t, 0), newOffice(t, 0)
	blue, red := colours(t,
		"  soap: true\n  push:\n    - {name: other, recipient: nobody, endpoint: \"http://127.0.0.1:1/\", types: [SEND_SUCCESS]}\n    - {name: sent, endpoint: \""+sender.URL+"\", types: [SEND_SUCCESS, SEND_FAILURE, MESSAGE_STATUS_CHANGE]}\n",
		"  soap: true\n  push:\n    - {name: got, recipient: \""+strings.ToUpper(c4)+"\", endpoint: \""+receiver.URL+"\", types: [SUBMIT_MESSAGE, RECEIVE_SUCCESS, DELETED]}\n")
	id := blue.submitTo(t, "")
	m := red.until(t, store.In, id, store.Confirmed) // a message that was pushed counts as downloaded
	eventually(t, "the notice that the message came", func() bool { return len(receiver.all()) >= 2 })
	eventually(t, "the notice that the message was sent", func() bool {
		names := sender.names(t)
		return contains(names, "sendSuccess") && contains(names, "messageStatusChange")
	})
	if got := strings.Join(receiver.names(t), " "); got != "submitRequest receiveSuccess" {
		t.Errorf("the receiver is told %s", got)
	}
	doc, err := dom.Parse(receiver.all()[0].body, dom.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	const ns = "eu.domibus"
	um := doc.Root().Child(ebms.NSSOAP, "Header").Child(ns, "Messaging").Child("", "UserMessage")
	p := doc.Root().Child(ebms.NSSOAP, "Body").Child(ns, "submitRequest").Child("", "payload")
	value, err := base64.StdEncoding.DecodeString(p.Child("", "value").Text())
	if um.Child("", "MessageInfo").Child("", "MessageId").Text() != id || err != nil || string(value) != "<letter/>" || p.Attr("payloadId") != "cid:message" || p.Attr("mimeType") != "text/xml" {
		t.Errorf("%s", receiver.all()[0].body)
	}
	if ct := receiver.all()[0].header.Get("Content-Type"); !strings.HasPrefix(ct, "application/soap+xml") {
		t.Errorf("sent as %s", ct)
	}
	if err := red.Store.Write(t.Context(), func(tx store.Tx) error { return tx.DeletePayloads(m.ID) }); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the notice that the message was deleted", func() bool { return contains(receiver.names(t), "delete") })
	if err := red.Store.Write(t.Context(), func(tx store.Tx) error { return tx.Delete(m.ID) }); err != nil {
		t.Fatal(err)
	}
	if names := receiver.names(t); len(names) != 3 {
		t.Errorf("told again: %v", names)
	}
}

func TestANoticeThatIsRefusedIsListedAndCanBeRepeated(t *testing.T) {
	t.Parallel()
	receiver := newOffice(t, 1)
	blue, red := colours(t, "  soap: true\n", "  soap: true\n  push:\n    - {name: got, endpoint: \""+receiver.URL+"\", types: [SUBMIT_MESSAGE], retry: SEND_ONCE}\n")
	id := blue.submitTo(t, "")
	list := func() string {
		_, n := red.ask(t, "<w:listPushFailedMessagesRequest><originalSender>"+c1+"</originalSender></w:listPushFailedMessagesRequest>")
		return n.Child("", "messageID").Text()
	}
	eventually(t, "the failed notice", func() bool { return list() == id })
	_, n := red.ask(t, "<w:listPushFailedMessagesRequest><messageId>other</messageId></w:listPushFailedMessagesRequest>")
	if n.FirstElement().Valid() {
		t.Errorf("%s", n.Raw())
	}
	red.until(t, store.In, id, store.Delivered) // the message itself is not touched
	resp, n := red.ask(t, "<w:rePushFailedMessagesRequest><messageID>"+id+"</messageID></w:rePushFailedMessagesRequest>")
	if resp.StatusCode != http.StatusOK || n.Valid() {
		t.Errorf("%s %s", resp.Status, n.Raw())
	}
	red.until(t, store.In, id, store.Confirmed)
	if list() != "" || len(receiver.all()) != 2 {
		t.Errorf("still listed, or told %d times", len(receiver.all()))
	}
}

func TestWebhooksAreSignedAndRepeated(t *testing.T) {
	t.Parallel()
	hook := newOffice(t, 1)
	a, b := colourConfigs(t, "", "")
	secret := strings.Repeat("k", 32)
	if err := os.WriteFile(filepath.Join(a.Dir, "keys", "hook"), []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(a.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, "\nbackoffice:\n  soap: true\n  allowPrivateAddresses: true\n  webhooks: [{url: \""+hook.URL+"\", secret: file:keys/hook, states: [acknowledged], directions: [out]}]\n"...)
	if err := os.WriteFile(a.ConfigFile, text, 0o644); err != nil {
		t.Fatal(err)
	}
	clock := &movingClock{at: time.Now()}
	c, err := config.Load(a.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	n, err := node.New(t.Context(), c, node.Options{Clock: clock.now})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Stop(context.Background()) })
	blue := &gateway{n, a}
	begin(t, b, nil, nil)
	id := blue.submitTo(t, "")
	eventually(t, "the first call", func() bool { return len(hook.all()) == 1 })
	eventually(t, "its end", func() bool {
		at, err := blue.Store.NextTask(t.Context(), "backoffice/webhook/"+hook.URL)
		return err == nil && at.After(clock.now())
	})
	clock.move(11 * time.Second)
	if err := blue.Store.Write(t.Context(), func(tx store.Tx) error { // whatever wakes the queue
		return tx.PutTask(&store.Task{Queue: "test", Kind: "wake"})
	}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the second call", func() bool { return len(hook.all()) == 2 })
	calls := hook.all()
	for i, c := range calls {
		var ts, v1 string
		for f := range strings.SplitSeq(c.header.Get("Viadukt-Signature"), ",") {
			k, v, _ := strings.Cut(f, "=")
			switch k {
			case "t":
				ts = v
			case "v1":
				v1 = v
			}
		}
		mac := hmac.New(sha256.New, []byte(secret))
		io.WriteString(mac, ts+"."+string(c.body))
		if hex.EncodeToString(mac.Sum(nil)) != v1 {
			t.Errorf("call %d: signature %s", i, c.header.Get("Viadukt-Signature"))
		}
		var notice struct{ Type, State, MessageID, Direction string }
		if err := json.Unmarshal(c.body, &notice); err != nil || notice.MessageID != id || notice.State != "acknowledged" || notice.Direction != "out" || notice.Type != "message.state" {
			t.Errorf("call %d: %s %v", i, c.body, err)
		}
	}
	if calls[0].header.Get("Viadukt-Delivery") != calls[1].header.Get("Viadukt-Delivery") || calls[0].header.Get("Viadukt-Delivery") == "" {
		t.Error("the repetition does not say that it is one")
	}
}

type movingClock struct {
	mu sync.Mutex
	at time.Time
}

func (c *movingClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *movingClock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func TestWebhooksKeepOutOfTheInnerNetwork(t *testing.T) {
	t.Parallel()
	hook := newOffice(t, 0)
	a, _ := colourConfigs(t, "", "")
	if err := os.WriteFile(filepath.Join(a.Dir, "keys", "hook"), bytes.Repeat([]byte("k"), 32), 0o600); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(a.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	https := strings.Replace(strings.Replace(hook.URL, "http:", "https:", 1), "127.0.0.1", "localhost", 1)
	var list []string
	for _, u := range []string{hook.URL, https, "http://169.254.169.254/latest", "https://[::1]:1/", "http://0x7f000001/"} {
		list = append(list, `{url: "`+u+`", secret: file:keys/hook, states: [queued, sending]}`)
	}
	text = append(text, "\nbackoffice:\n  soap: true\n  webhooks: ["+strings.Join(list, ", ")+"]\n"...)
	if err := os.WriteFile(a.ConfigFile, text, 0o644); err != nil {
		t.Fatal(err)
	}
	blue := begin(t, a, nil, nil)
	blue.submitTo(t, "")
	for _, u := range []string{hook.URL, https, "http://169.254.169.254/latest", "https://[::1]:1/"} {
		eventually(t, "the refusal of "+u, func() bool {
			tasks, err := blue.Store.DueTasks(t.Context(), "backoffice/webhook/"+u, time.Now().Add(time.Hour), 10)
			return err == nil && len(tasks) > 0 && tasks[0].Attempts > 0 && tasks[0].Error != ""
		})
	}
	if calls := hook.all(); len(calls) != 0 {
		t.Errorf("the inner network was called: %s", calls[0].body)
	}
}

func TestPayloadsAreDeletedSomeTimeAfterTheirDownload(t *testing.T) {
	t.Parallel()
	blue, red := colours(t, "  soap: true\n", "  soap: true\n  keepDownloaded: 10ms\n")
	id := blue.submitTo(t, "")
	red.until(t, store.In, id, store.Delivered)
	if resp, n := red.ask(t, "<w:retrieveMessageRequest><messageID>"+id+"</messageID></w:retrieveMessageRequest>"); resp.StatusCode != http.StatusOK {
		t.Fatalf("%s", n.Raw())
	}
	eventually(t, "the deletion", func() bool {
		_, n := red.ask(t, "<w:statusRequest><messageID>"+id+"</messageID></w:statusRequest>")
		return n.Text() == "DELETED"
	})
	_, n := red.ask(t, "<w:retrieveMessageRequest><messageID>"+id+"</messageID></w:retrieveMessageRequest>")
	if code, _ := detail(n); code != "WS_PLUGIN:0009" {
		t.Errorf("%s", n.Raw())
	}
}

func TestHeadersThatAreTooLarge(t *testing.T) {
	t.Parallel()
	blue, _ := colours(t, "  soap: true\n", "")
	many := strings.Repeat(`<eb:Property name="p">v</eb:Property>`, 60_000)
	body := envelope(pluginNS, strings.Replace(header("", part("cid:message")), "</eb:MessageProperties>", many+"</eb:MessageProperties>", 1), "<w:submitRequest>"+payload("cid:message", "x")+"</w:submitRequest>")
	resp, n := blue.post(t, "wsplugin", soap12, strings.NewReader(body))
	if code, _ := detail(n); resp.StatusCode != http.StatusInternalServerError || code != "WS_PLUGIN:0008" {
		t.Errorf("%s %s", resp.Status, n.Raw())
	}
	req, err := http.NewRequest("POST", "http://"+blue.Addr("api")+"/domibus/services/wsplugin", strings.NewReader(""))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Client-Cert", strings.Repeat("x", 1<<20))
	if resp, _ := do(t, req); resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("%s", resp.Status)
	}
}
