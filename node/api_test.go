package node_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/store"
)

// routes of the interface, each with the scope that allows it.
var routes = []struct{ method, path, scope string }{
	{"POST", "/api/v1/messages", "messages"},
	{"GET", "/api/v1/messages", "messages"},
	{"GET", "/api/v1/messages/1", "messages"},
	{"GET", "/api/v1/messages/1/payloads/0", "messages"},
	{"GET", "/api/v1/messages/1/evidence/0", "messages"},
	{"POST", "/api/v1/messages/1/resend", "messages"},
	{"POST", "/api/v1/messages/1/confirm", "messages"},
	{"GET", "/api/v1/participants", "participants"},
	{"PUT", "/api/v1/participants/urn:a::b/services/urn:c::d", "participants"},
	{"DELETE", "/api/v1/participants/urn:a::b/services/urn:c::d", "participants"},
	{"DELETE", "/api/v1/participants/urn:a::b", "participants"},
	{"GET", "/metrics", "metrics"},
}

type errorJSON struct {
	Error struct{ Code, Text, Where, Remedy string }
}

func TestEveryCallNeedsAToken(t *testing.T) {
	t.Parallel()
	made, _ := agree(t)
	g := begin(t, made, nil, nil)
	for _, r := range append(routes, struct{ method, path, scope string }{"GET", "/api/v1/lookup", ""}) {
		for name, header := range map[string]string{"none": "", "another": "Bearer wrong", "an empty one": "Bearer ", "basic": "Basic " + made.Token, "the scheme forgotten": made.Token} {
			req, err := http.NewRequest(r.method, "http://"+g.Addr("api")+r.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			if header != "" {
				req.Header.Set("Authorization", header)
			}
			resp, body := do(t, req)
			if resp.StatusCode != http.StatusUnauthorized || resp.Header.Get("WWW-Authenticate") == "" || decode[errorJSON](t, body).Error.Code != "UNAUTHORIZED" {
				t.Errorf("%s %s with token %s: %d %s", r.method, r.path, name, resp.StatusCode, body)
			}
		}
	}
	for _, open := range []string{"/healthz", "/readyz"} {
		resp, err := http.Get("http://" + g.Addr("api") + open)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %d", open, resp.StatusCode)
		}
	}
}

func TestATokenAllowsWhatItsScopesSay(t *testing.T) {
	t.Parallel()
	made, _ := agree(t)
	g := begin(t, made, nil, nil)
	put := func(secret string, expires time.Time, scopes ...string) {
		t.Helper()
		token := store.Token{ID: secret, Hash: sha256.Sum256([]byte(secret)), Name: secret, Scopes: scopes, Expires: expires}
		if err := g.Store.Write(context.Background(), func(tx store.Tx) error { return tx.PutToken(token) }); err != nil {
			t.Fatal(err)
		}
	}
	for _, scope := range []string{"messages", "participants", "metrics", "admin"} {
		put(scope, time.Time{}, scope)
	}
	put("nothing", time.Time{})
	put("expired", time.Now().Add(-time.Second), "admin")
	status := func(method, path, secret string) int {
		t.Helper()
		req, err := http.NewRequest(method, "http://"+g.Addr("api")+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+secret)
		resp, _ := do(t, req)
		return resp.StatusCode
	}
	for _, r := range routes {
		for _, scope := range []string{"messages", "participants", "metrics", "admin", "nothing"} {
			may := scope == r.scope || scope == "admin"
			if got := status(r.method, r.path, scope); (got != http.StatusForbidden) != may || got == http.StatusUnauthorized {
				t.Errorf("%s %s with scope %s: %d", r.method, r.path, scope, got)
			}
		}
		if got := status(r.method, r.path, "expired"); got != http.StatusUnauthorized {
			t.Errorf("%s %s with an expired token: %d", r.method, r.path, got)
		}
	}
}

func TestATokenThatLeftTheConfigurationIsWorthNothing(t *testing.T) {
	t.Parallel()
	made, _ := agree(t)
	g := begin(t, made, nil, nil)
	if resp, _ := g.call(t, "GET", "/api/v1/messages", "", nil); resp.StatusCode != http.StatusOK {
		t.Fatal(resp.Status)
	}
	if err := g.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	g = begin(t, made, func(c *config.Config) { c.API.Tokens = nil }, nil)
	if resp, _ := g.call(t, "GET", "/api/v1/messages", "", nil); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("%s", resp.Status)
	}
}

func TestErrorsOfTheAPI(t *testing.T) {
	t.Parallel()
	a, b := agree(t)
	ee, pt := begin(t, a, nil, nil), begin(t, b, nil, nil)
	m := ee.send(t, letter(text("a.txt", "hello")))
	ee.until(t, store.Out, m.MessageID, store.Acknowledged)
	pt.until(t, store.In, m.MessageID, store.Delivered)
	sent := fmt.Sprintf("/api/v1/messages/%d", m.ID)
	query := "/api/v1/messages?pmode=letters&sender=urn:id::a&receiver=urn:id::b"
	if err := ee.Store.Write(context.Background(), func(tx store.Tx) error {
		gone := &store.Message{Direction: store.Out, State: store.Acknowledged, MessageID: "gone@ee", Payloads: []store.Payload{{Gone: true}}}
		return tx.Insert(gone)
	}); err != nil {
		t.Fatal(err)
	}
	const form = `multipart/form-data; boundary=b`
	for _, c := range []struct {
		name, method, path, contentType, body string
		status                                int
		code, contains                        string
	}{
		{"a P-Mode that is not there", "POST", "/api/v1/messages?pmode=x", "text/plain", "x", 422, "EBMS:0010", `"x"`},
		{"a domain that is not there", "POST", "/api/v1/messages?domain=x", "text/plain", "x", 422, "UNKNOWN_DOMAIN", `"x"`},
		{"a sender that is no identifier", "POST", "/api/v1/messages?pmode=letters&receiver=urn:id::b&sender=::", "text/plain", "x", 422, "EBMS:0003", "::"},
		{"no four corners where the profile has them", "POST", "/api/v1/messages?pmode=letters", "text/plain", "x", 422, "EBMS:0010", "originalSender"},
		{"an id that was used", "POST", query + "&messageId=" + m.MessageID, "text/plain", "x", 409, "DUPLICATE", ""},
		{"an id that is none", "POST", query + "&messageId=no%20id", "text/plain", "x", 422, "EBMS:0009", "no id"},
		{"a content type that is none", "POST", query, ";;", "x", 400, "BAD_REQUEST", "Content-Type"},
		{"a form without parts", "POST", query, form, "--b--\r\n", 400, "BAD_REQUEST", "multipart"},
		{"a form that breaks off", "POST", query, form, "--b\r\nContent-Type: text/plain\r\n\r\nhel", 400, "BAD_REQUEST", ""},
		{"a form whose fields are no JSON", "POST", query, form, "--b\r\nContent-Disposition: form-data; name=message\r\n\r\n{\r\n--b--\r\n", 400, "BAD_REQUEST", "message"},
		{"a form with a field nobody knows", "POST", query, form, "--b\r\nContent-Disposition: form-data; name=message\r\n\r\n{\"colour\":1}\r\n--b--\r\n", 400, "BAD_REQUEST", "colour"},
		{"a message that is not there", "GET", "/api/v1/messages/999", "", "", 404, "NOT_FOUND", ""},
		{"a message id that is not there", "GET", "/api/v1/messages/x@y", "", "", 404, "NOT_FOUND", ""},
		{"a payload that is not there", "GET", sent + "/payloads/1", "", "", 404, "NOT_FOUND", ""},
		{"a payload number that is none", "GET", sent + "/payloads/-1", "", "", 404, "NOT_FOUND", ""},
		{"a payload that was deleted", "GET", "/api/v1/messages/gone@ee/payloads/0", "", "", 410, "GONE", ""},
		{"evidence that is not there", "GET", sent + "/evidence/2", "", "", 404, "NOT_FOUND", ""},
		{"sending again what arrived", "POST", sent + "/resend", "", "", 409, "STATE", "acknowledged"},
		{"confirming what was sent", "POST", sent + "/confirm", "", "", 409, "STATE", "confirmed"},
		{"a direction that is none", "GET", "/api/v1/messages?direction=up", "", "", 400, "BAD_REQUEST", "up"},
		{"a state that is none", "GET", "/api/v1/messages?state=happy", "", "", 400, "BAD_REQUEST", "happy"},
		{"a limit that is no number", "GET", "/api/v1/messages?limit=many", "", "", 400, "BAD_REQUEST", "many"},
		{"a page before nothing", "GET", "/api/v1/messages?before=-1", "", "", 400, "BAD_REQUEST", "-1"},
		{"a lookup without participant", "GET", "/api/v1/lookup", "", "", 400, "BAD_REQUEST", "participant"},
		{"registering nobody", "PUT", "/api/v1/participants/::/services/urn:c::d", "", "{}", 400, "BAD_REQUEST", "participant"},
		{"registering without JSON", "PUT", "/api/v1/participants/iso6523-actorid-upis::0191:1/services/urn:c::d", "", "", 400, "BAD_REQUEST", "body"},
		{"registering for no process", "PUT", "/api/v1/participants/iso6523-actorid-upis::0191:1/services/urn:c::d", "", "{}", 400, "BAD_REQUEST", "process"},
		{"removing who is not there", "DELETE", "/api/v1/participants/iso6523-actorid-upis::0191:1", "", "", 404, "NOT_FOUND", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			resp, body := ee.call(t, c.method, c.path, c.contentType, strings.NewReader(c.body))
			if resp.Header.Get("Content-Type") != "application/json" {
				t.Fatalf("%d %s", resp.StatusCode, body)
			}
			e := decode[errorJSON](t, body).Error
			if resp.StatusCode != c.status || e.Code != c.code || e.Text == "" || !strings.Contains(e.Text, c.contains) {
				t.Errorf("%d %+v, want %d %s ...%s...", resp.StatusCode, e, c.status, c.code, c.contains)
			}
		})
	}
	if l, err := ee.Store.List(context.Background(), store.Filter{}, store.Page{}); err != nil || len(l.Messages) != 2 {
		t.Errorf("what was refused left something: %d messages, %v", len(l.Messages), err)
	}
	pt.until(t, store.In, m.MessageID, store.Delivered)
	if resp, body := pt.call(t, "POST", "/api/v1/messages/"+m.MessageID+"/confirm", "", nil); resp.StatusCode != 200 || decode[node.MessageJSON](t, body).State != "confirmed" {
		t.Errorf("confirm: %d %s", resp.StatusCode, body)
	}
	if resp, body := pt.call(t, "POST", "/api/v1/messages/"+m.MessageID+"/confirm", "", nil); resp.StatusCode != 409 {
		t.Errorf("confirm again: %d %s", resp.StatusCode, body)
	}
}

func TestAMessageOfSeveralPartsByTheAPI(t *testing.T) {
	t.Parallel()
	a, b := agree(t)
	ee, pt := begin(t, a, nil, nil), begin(t, b, nil, nil)
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	add := func(header textproto.MIMEHeader, content string) {
		p, err := w.CreatePart(header)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(p, content)
	}
	xml := "<letter>" + strings.Repeat("long ", 5000) + "</letter>"
	add(textproto.MIMEHeader{"Content-Disposition": {`form-data; name="message"`}}, `{"pmode":"letters","sender":"urn:id::a","receiver":"urn:id::b","conversationId":"talk","properties":{"colour":"blue"}}`)
	add(textproto.MIMEHeader{"Content-Disposition": {`form-data; name="x"; filename="letter.xml"`}, "Content-Type": {"application/xml"}, "Content-Id": {"<letter@ee>"}}, xml)
	add(textproto.MIMEHeader{"Content-Disposition": {`form-data; name="y"; filename="scan.pdf"`}, "Content-Type": {"application/pdf"}}, "%PDF")
	w.Close()
	resp, body := ee.call(t, "POST", "/api/v1/messages", w.FormDataContentType(), &form)
	m := decode[node.MessageJSON](t, body)
	if resp.StatusCode != http.StatusAccepted || resp.Header.Get("Location") != fmt.Sprintf("/api/v1/messages/%d", m.ID) {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	ee.until(t, store.Out, m.MessageID, store.Acknowledged)
	pt.until(t, store.In, m.MessageID, store.Delivered)
	_, body = pt.call(t, "GET", "/api/v1/messages/"+m.MessageID, "", nil)
	got := decode[node.MessageJSON](t, body)
	if got.Conversation != "talk" || got.Sender != "urn:id::a" || got.Receiver != "urn:id::b" || len(got.Events) == 0 || len(got.Evidence) != 1 || got.Evidence[0].Kind != "receipt" {
		t.Errorf("%+v", got)
	}
	for i, want := range []struct{ id, name, mime, content string }{{"letter@ee", "letter.xml", "application/xml", xml}, {"", "scan.pdf", "application/pdf", "%PDF"}} {
		path := fmt.Sprintf("/api/v1/messages/%s/payloads/%d", m.MessageID, i)
		for _, q := range []string{"", "?raw"} {
			resp, body := pt.call(t, "GET", path+q, "", nil)
			if string(body) != want.content || resp.Header.Get("Content-Type") != want.mime || !strings.Contains(resp.Header.Get("Content-Disposition"), want.name) || resp.Header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("payload %d%s: %d octets, %v", i, q, len(body), resp.Header)
			}
		}
		p := got.Payloads[i]
		if sum := sha256.Sum256([]byte(want.content)); p.SHA256 != hex.EncodeToString(sum[:]) || want.id != "" && p.ContentID != want.id || p.Name != want.name {
			t.Errorf("payload %d: %+v", i, p)
		}
	}
	resp, receipt := ee.call(t, "GET", "/api/v1/messages/"+m.MessageID+"/evidence/0", "", nil)
	_, stored := pt.call(t, "GET", "/api/v1/messages/"+m.MessageID+"/evidence/0", "", nil)
	if resp.StatusCode != 200 || !bytes.Equal(receipt, stored) || !bytes.Contains(receipt, []byte("NonRepudiationInformation")) {
		t.Errorf("evidence: %d %s", resp.StatusCode, receipt)
	}
}

func TestLists(t *testing.T) {
	t.Parallel()
	made, _ := agree(t)
	g := begin(t, made, nil, nil)
	if err := g.Store.Write(context.Background(), func(tx store.Tx) error {
		for i := range 25 {
			m := &store.Message{Direction: store.In, State: store.Delivered, MessageID: strconv.Itoa(i) + "@x", From: "p" + strconv.Itoa(i%2), Service: "s" + strconv.Itoa(i%3), ConversationID: "c" + strconv.Itoa(i%5)}
			if i%5 == 0 {
				m.State = store.Failed
			}
			if err := tx.Insert(m); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	type page struct {
		Messages []node.MessageJSON
		Next     int64
	}
	for query, want := range map[string]int{
		"": 25, "limit=7": 25, "limit=1": 25, "direction=in": 25, "direction=out": 0, "state=failed": 5, "state=failed&state=delivered": 25,
		"party=p1": 12, "service=s0": 9, "conversationId=c2&limit=2": 5, "messageId=3%40x": 1, "party=p0&state=failed": 3, "party=nobody": 0, "domain=x": 0,
	} {
		seen, last := 0, int64(1<<62)
		for before := int64(0); ; {
			resp, body := g.call(t, "GET", fmt.Sprintf("/api/v1/messages?%s&before=%d", query, before), "", nil)
			p := decode[page](t, body)
			if resp.StatusCode != 200 || p.Messages == nil {
				t.Fatalf("%q: %d %s", query, resp.StatusCode, body)
			}
			for _, m := range p.Messages {
				if m.ID >= last {
					t.Errorf("%q: %d after %d: not newest first", query, m.ID, last)
				}
				seen, last = seen+1, m.ID
			}
			if before = p.Next; before == 0 {
				break
			}
		}
		if seen != want {
			t.Errorf("%q: %d messages, want %d", query, seen, want)
		}
	}
}

// endless yields octets that do not compress, and notes how much memory is in use while they pass.
type endless struct {
	left  int64
	piece []byte
	peak  *atomic.Uint64
}

func (e *endless) Read(b []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n := copy(b[:min(int64(len(b)), e.left)], e.piece)
	if e.left -= int64(n); e.left%(16<<20) < int64(n) {
		watch(e.peak)
	}
	return n, nil
}

func watch(peak *atomic.Uint64) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	for old := peak.Load(); m.HeapAlloc > old && !peak.CompareAndSwap(old, m.HeapAlloc); old = peak.Load() {
	}
}

func TestLargePayloadsPassInBoundedMemory(t *testing.T) { // not parallel: it looks at the memory of the process
	if testing.Short() {
		t.Skip("300 MB twice over the disk")
	}
	a, b := agree(t)
	ee, pt := begin(t, a, nil, nil), begin(t, b, nil, nil)
	const size = 300 << 20
	body := &endless{left: size, piece: make([]byte, 1<<16), peak: new(atomic.Uint64)}
	rand.Read(body.piece)
	watch(body.peak)
	before := body.peak.Load()
	resp, answer := ee.call(t, "POST", "/api/v1/messages?pmode=letters&sender=urn:id::a&receiver=urn:id::b", "application/octet-stream", body)
	if resp.StatusCode != http.StatusAccepted {
		t.Fatalf("%d %s", resp.StatusCode, answer)
	}
	m := decode[node.MessageJSON](t, answer)
	eventually(t, "the large message", func() bool {
		watch(body.peak)
		in, err := pt.Store.ByMessageID(context.Background(), store.In, m.MessageID)
		return err == nil && in.State == store.Delivered
	})
	req, err := http.NewRequest("GET", "http://"+pt.Addr("api")+"/api/v1/messages/"+m.MessageID+"/payloads/0", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+pt.made.Token)
	got, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	sum := sha256.New()
	if n, err := io.Copy(sum, got.Body); n != size || err != nil {
		t.Fatalf("%d octets, %v", n, err)
	}
	watch(body.peak)
	if want := m.Payloads[0].SHA256; m.Payloads[0].Size == size && hex.EncodeToString(sum.Sum(nil)) != want {
		t.Error("other octets")
	}
	if grown := int64(body.peak.Load()) - int64(before); grown > 64<<20 {
		t.Errorf("%d MiB of memory for one message", grown>>20)
	}
}

func TestAMessageWithoutCornersIsToldWhatToDo(t *testing.T) {
	t.Parallel()
	a, _ := agree(t)
	g := begin(t, a, nil, nil)
	resp, body := g.call(t, "POST", "/api/v1/messages?pmode=letters", "text/plain", strings.NewReader("hello"))
	if resp.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(string(body), "name sender and receiver") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}
