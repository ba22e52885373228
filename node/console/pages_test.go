package console

import (
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/node/store"
)

// hostile is what a peer may put wherever it can.
const hostile = `"><script>alert(1)</script><img src=x onerror=alert(2)>'{{.}}{0}javascript:alert(3)`

// fill puts something on every page, with hostile values in every field that comes from somebody else.
func (w *world) fill(t testing.TB) *store.Message { t.Helper(); return w.fillWith(t, hostile) }

// fillWith is fill with hostile values of the caller's choice.
func (w *world) fillWith(t testing.TB, hostile string) *store.Message {
	t.Helper()
	h := func(field string) string { return field + hostile }
	w.filled++
	m := &store.Message{
		Direction: store.Out, State: store.Queued, MessageID: h(fmt.Sprint("id", w.filled)), ConversationID: h("conv"), RefToMessageID: h("ref"), SenderKey: h("key"), Domain: h("domain"),
		PMode: h("pm"), Profile: h("profile"), From: h("from"), To: h("to"), Sender: h("sender"), Receiver: h("receiver"), Service: h("service"),
		ServiceType: h("type"), Action: h("action"), Peer: h("peer"),
		Header: []byte(`<eb:UserMessage xmlns:eb="http://docs.oasis-open.org/ebxml-msg/ebms/v3.0/ns/core/200704/"><eb:MessageProperties><eb:Property name="p&lt;script>" type="t&quot;">v&lt;script>alert(1)&lt;/script></eb:Property></eb:MessageProperties></eb:UserMessage>`),
	}
	for i, name := range []string{h("name"), "../../etc/passwd", "inv\u202ecod.exe", ""} {
		w, err := w.store.NewPayload()
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(w, "payload ", i)
		ref, err := w.Seal()
		if err != nil {
			t.Fatal(err)
		}
		m.Payloads = append(m.Payloads, store.Payload{ContentID: h("cid"), MimeType: h("mime"), Name: name, PayloadRef: ref})
	}
	w.message(t, m)
	w.write(t, func(tx store.Tx) error {
		return errors.Join(
			tx.Transition(m.ID, store.Sending, store.Change{Detail: h("detail")}),
			tx.PutEvidence(m.ID, store.Evidence{Kind: store.KindError, Octets: []byte(hostile)}),
			tx.Transition(m.ID, store.Failed, store.Change{Detail: h("detail"), Error: store.Problem{Code: h("code"), Text: h("text"), Remedy: h("remedy")}}),
		)
	})
	waiting := outgoing(fmt.Sprint("waits", w.filled, "@x"))
	waiting.Peer = h("peer")
	w.message(t, waiting)
	cert := Certificate{Use: UsePartner, Of: h("of"), Subject: h("subject"), Issuer: h("issuer"), Serial: h("serial"), Key: h("rsa"), Fingerprint: "ab", NotBefore: start, NotAfter: start.AddDate(0, 0, 3)}
	w.net.certificates = []Certificate{cert}
	w.net.findings = nil
	w.net.partners = []Partner{{Name: "pt", ID: h("party"), Type: h("type"), URL: h("https://x/"), Certificates: []Certificate{cert}, Agreements: []string{h("a")}}}
	for _, c := range codes {
		w.net.findings = append(w.net.findings, Finding{Severity: Failure, Code: c, Args: []string{h("arg"), h("arg")}, Message: m.ID})
	}
	a := Agreement{ID: "pm", Direction: store.In, Partner: "pt", Profile: h("profile"), Service: h("service"), Action: h("action"), Domain: h("domain")}
	for _, k := range DetailKeys {
		a.Details = append(a.Details, Detail{k, h(k)})
	}
	w.net.agreements = []Agreement{a, {ID: h("pm"), Direction: store.Out}}
	w.pub.m["s::p001"] = []string{h("doctype")}
	return m
}

// pages are all there are, with a message of the given number.
func pages(id int64) []string {
	return []string{
		"/console/", "/console/?span=month", "/console/messages", "/console/messages?direction=out&group=failed&test=no&since=2026-01-01", fmt.Sprintf("/console/messages/%d", id),
		"/console/queues", "/console/partners", "/console/partners/pt", "/console/agreements", "/console/agreements/in/pm",
		"/console/participants", "/console/certificates", "/console/trust", "/console/trust?purpose=time&from=list&at=2", "/console/users", "/console/send", "/console/account", "/console/nowhere",
	}
}

// leftOver finds keys that have no text, and what templates print when something is wrong.
var leftOver = regexp.MustCompile(`%!|&lt;nil&gt;|ZgotmplZ|>[a-z]+\.[a-z-]+(\.[a-z-]+)?<`)

func TestEveryPageInEveryLanguageKeepsHostileValuesHarmless(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.fill(t)
	b := w.as(t, Administrator)
	for _, language := range Languages {
		if p := b.post("/console/look", "language", language, "theme", "dark", "back", "/console/queues"); p.path != "/console/queues" {
			t.Fatalf("look: %d %s", p.status, p.path)
		}
		check := func(path string, p *answer) {
			if !strings.Contains(p.body, `<html lang="`+language+`" data-theme="dark">`) {
				t.Errorf("%s %s: %.200s", language, path, p.body)
			}
			for _, bad := range []string{"<script>alert", "<img src=x", `"><script`, "onerror=alert(2)>'", ` style="`, `href="javascript:`, `src="javascript:`, `action="javascript:`} {
				if strings.Contains(p.body, bad) {
					t.Errorf("%s %s: %q gets through", language, path, bad)
				}
			}
			if n := strings.Count(p.body, "<script"); n != 1 {
				t.Errorf("%s %s: %d scripts", language, path, n)
			}
			if left := leftOver.FindString(p.body); left != "" {
				t.Errorf("%s %s: %q was left", language, path, left)
			}
			if n := strings.Count(p.body, "<h1"); n != 1 {
				t.Errorf("%s %s: %d first headings", language, path, n)
			}
		}
		for _, path := range pages(m.ID) {
			p := b.get(path)
			want := http.StatusOK
			if path == "/console/nowhere" {
				want = http.StatusNotFound
			}
			p.says(t, language+" "+path, want)
			check(path, p)
		}
		p := b.post("/console/partners/pt/check")
		p.says(t, "check", http.StatusOK)
		check("check", p)
		p = b.get("/console/messages?q=" + "%3Cscript%3Ealert(1)%3C/script%3E&partner=%22%3E%3Cscript%3E&domain=%22%3E%3Cscript%3E")
		check("search", p)
		p = b.upload("/console/participants", "document", hostile, []byte("none"), "participant", hostile, "doctype", hostile)
		p.says(t, "participant", http.StatusUnprocessableEntity)
		check("participant", p)
		p = b.upload("/console/certificates/trust", "file", hostile, []byte("none"), "store", hostile, "alias", hostile)
		p.says(t, "certificate", http.StatusUnprocessableEntity)
		check("certificate", p)
		p = b.upload("/console/send", "document", hostile, []byte("none"), "way", "pmode:"+hostile, "sender", hostile, "receiver", hostile, "service", hostile, "action", hostile)
		p.says(t, "send", http.StatusUnprocessableEntity)
		check("send", p)
		p = b.post("/console/tokens", "name", hostile, "scope", hostile)
		p.says(t, "token", http.StatusUnprocessableEntity)
		check("token", p)
		p = b.post("/console/users", "name", hostile, "role", hostile)
		p.says(t, "user", http.StatusUnprocessableEntity)
		check("user", p)
	}
}

func TestEveryAnswerCarriesTheHeadersThatKeepBrowsersSafe(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.fill(t)
	b := w.as(t, Administrator)
	paths := append(pages(m.ID), "/console/static/console.css", "/console/static/none", fmt.Sprintf("/console/messages/%d/evidence/0", m.ID), fmt.Sprintf("/console/messages/%d/documents/0", m.ID))
	stranger := w.browser(t)
	check := func(path string, p *answer) {
		csp := p.header.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "form-action 'self'", "base-uri 'none'", "object-src 'none'", "frame-ancestors 'none'"} {
			if !strings.Contains(csp, want) {
				t.Errorf("%s: no %s", path, want)
			}
		}
		if strings.Contains(csp, "unsafe") || strings.Contains(csp, "*") {
			t.Errorf("%s: loose policy %s", path, csp)
		}
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin"} {
			if p.header.Get(name) != want {
				t.Errorf("%s: %s is %q", path, name, p.header.Get(name))
			}
		}
		if !strings.Contains(path, "static") && p.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: may be kept: %q", path, p.header.Get("Cache-Control"))
		}
	}
	for _, path := range paths {
		check(path, b.get(path))
		check(path+" of a stranger", stranger.get(path))
	}
	for name := range staticBodies {
		if kind := staticTypes[filepath.Ext(name)]; kind == "" || b.get("/console/static/"+name).header.Get("Content-Type") != kind {
			t.Errorf("%s is served as %q", name, kind)
		}
	}
	if p := b.get("/console/static/console.css?v=" + staticVersions["console.css"]); !strings.Contains(p.header.Get("Cache-Control"), "immutable") || !strings.HasPrefix(p.header.Get("Content-Type"), "text/css") {
		t.Errorf("sheet: %v", p.header)
	}
}

func TestTheScriptIsSmall(t *testing.T) {
	t.Parallel()
	b, err := staticFiles.ReadFile("static/console.js")
	if err != nil {
		t.Fatal(err)
	}
	if len(b) >= 10<<10 || strings.Contains(string(b), "eval(") {
		t.Errorf("%d octets", len(b))
	}
}

func TestDownloadsAreSavedAndNotShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.fill(t)
	b := w.as(t, Operator)
	for i, want := range []string{"script", "passwd", "inv_cod.exe", fmt.Sprintf("message-%d-document-4", m.ID)} {
		p := b.get(fmt.Sprintf("/console/messages/%d/documents/%d", m.ID, i))
		p.says(t, want, http.StatusOK, "<script>document</script>")
		d := p.header.Get("Content-Disposition")
		if !strings.HasPrefix(d, "attachment; filename") || !strings.Contains(d, want) || strings.Contains(d, "..") || strings.Contains(d, "/") || p.header.Get("Content-Type") != "application/octet-stream" {
			t.Errorf("%s: %q %v", want, d, p.header.Get("Content-Type"))
		}
	}
	p := b.get(fmt.Sprintf("/console/messages/%d/evidence/0", m.ID))
	p.says(t, "evidence", http.StatusOK, hostile)
	if d := p.header.Get("Content-Disposition"); d != fmt.Sprintf("attachment; filename=message-%d-error-1.xml", m.ID) {
		t.Error(d)
	}
	for _, path := range []string{"documents/4", "documents/-1", "documents/x", "evidence/1", "evidence/99999999999999999999"} {
		b.get(fmt.Sprintf("/console/messages/%d/%s", m.ID, path)).says(t, path, http.StatusNotFound)
	}
}

func TestAMessageTellsItsJourney(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.message(t, outgoing("one@x"))
	w.message(t, outgoing("two@x"))
	w.clock.Add(1500 * time.Millisecond)
	w.write(t, func(tx store.Tx) error { return tx.Transition(m.ID, store.Sending, store.Change{}) })
	w.clock.Add(40 * time.Millisecond)
	w.write(t, func(tx store.Tx) error {
		return errors.Join(
			tx.SetRetry(m.ID, w.clock.Now().Add(time.Minute), store.Problem{Code: "EBMS:0005", Text: "no route", Remedy: "wait"}, "dial: no route"),
			tx.PutEvidence(m.ID, store.Evidence{Kind: store.KindError, Octets: []byte("<e/>")}))
	})
	viewer, operator := w.as(t, Viewer), w.as(t, Operator)
	path := fmt.Sprintf("/console/messages/%d", m.ID)
	p := viewer.get(path)
	p.says(t, "message", http.StatusOK, "Invoice", "Queued", "Sending", "+1.5 s", "+40 ms", "Retrying", "dial: no route", "Error signal", "Next attempt", "2026-05-04 09:31:01",
		"EBMS:0005", "no route", "Check the partner on the page Partners", `href="/console/messages?q=conversation%40x"`)
	if strings.Contains(p.body, "/resend") {
		t.Error("a viewer is offered to resend")
	}
	operator.get(path).says(t, "operator", http.StatusOK, "Send again now")
	operator.post(path+"/resend").says(t, "resend", http.StatusOK, "on its way again", "by operator-user")
	if got, err := w.store.Message(ctx, m.ID); err != nil || got.State != store.Queued {
		t.Errorf("%v, %v", got.State, err)
	}
	operator.post(path+"/confirm").says(t, "confirm an outgoing message", http.StatusConflict, "cannot be done any more")

	in := outgoing("in@x")
	in.Direction, in.State = store.In, store.Received
	w.message(t, in)
	w.write(t, func(tx store.Tx) error { return tx.Transition(in.ID, store.Delivered, store.Change{}) })
	path = fmt.Sprintf("/console/messages/%d", in.ID)
	operator.get(path).says(t, "incoming", http.StatusOK, "Deliver again", "Confirm for the back office")
	operator.post(path+"/confirm").says(t, "confirm", http.StatusOK, "is confirmed", "by operator-user")
	operator.post("/console/messages/999/resend").says(t, "nothing to resend", http.StatusNotFound)
	var whats []string
	for _, a := range w.acts {
		whats = append(whats, a.What)
	}
	if got := strings.Join(whats, " "); got != "login login message.resend message.confirm" {
		t.Errorf("recorded: %s", got)
	}
}

func TestTheOverviewSaysWhatWantsAttention(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.as(t, Viewer)
	b.get("/console/").says(t, "nothing", http.StatusOK, "Nothing needs your attention", "There are no messages yet")
	bad := w.message(t, outgoing("bad@x"))
	w.message(t, outgoing("old@x"))
	w.write(t, func(tx store.Tx) error { return tx.Transition(bad.ID, store.Failed, store.Change{}) })
	w.net.certificates = []Certificate{
		{Use: UseSigning, Subject: "CN=ours", NotAfter: start.AddDate(0, 0, 10)}, {Use: UsePartner, Of: "pt", NotAfter: start.AddDate(0, 0, -1)}, {Use: UseTLS, Subject: "CN=fine", NotAfter: start.AddDate(1, 0, 0)},
	}
	for range 5 {
		w.clock.Add(25 * time.Minute)
		b.get("/console/queues") // so that the session does not end
	}
	p := b.get("/console/")
	p.says(t, "concerns", http.StatusOK, "1 message could not be sent.", "A certificate ends in 9 days: CN=ours", "A certificate has expired: pt", "has waited for 2 hours")
	if strings.Contains(p.body, "CN=fine") || strings.Contains(p.body, "Nothing needs") {
		t.Error("says too much")
	}
}
