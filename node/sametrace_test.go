package node_test

import (
	"bytes"
	"context"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/agreements"
	"github.com/viadukt-eu/viadukt/node/audit"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/setup"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// upload sends a form with a file, of a visitor.
func (v *visitor) upload(path, field, name string, octets []byte, kv ...string) (where, body string) {
	v.t.Helper()
	_, page := v.get("/console/account")
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	m.WriteField("csrf", formToken.FindStringSubmatch(page)[1])
	for i := 0; i < len(kv); i += 2 {
		m.WriteField(kv[i], kv[i+1])
	}
	w, err := m.CreateFormFile(field, name)
	if err != nil {
		v.t.Fatal(err)
	}
	w.Write(octets)
	m.Close()
	return v.read(v.Post(v.base+path, m.FormDataContentType(), &b))
}

// oneWay are forms and calls that stand by themselves, each with the reason.
var oneWay = map[string]string{
	"POST /console/login":                  "begins the session of a person; a program shows its token with each call",
	"POST /console/login/code":             "the same",
	"POST /console/logout":                 "ends it",
	"POST /console/look":                   "language and colours of this browser",
	"POST /console/account/password":       "a person's own secret; POST /api/v1/users/{name}/reset gives a new one",
	"POST /console/account/factor":         "the same",
	"POST /console/account/factor/confirm": "the same",
	"POST /console/account/factor/remove":  "the same",
	"POST /console/account/sessions":       "the same",
	"POST /console/validate":               "judges, changes nothing and leaves no trace either way",
	"POST /api/v1/validate":                "the same",
	"POST /console/espd":                   "the same; viadukt espd by program",
	"POST /console/verify":                 "the same; viadukt verify by program",
	"POST /api/v1/backups":                 "all that is stored goes to another machine: its program asks for it",
	"DELETE /api/v1/backups/{id}":          "the same",
}

// theSameEitherWay does each act once in the console and once over the API, and compares what the log of evidence says.
func theSameEitherWay(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	var made [2]*setup.Result
	for i, name := range []string{"ee", "lv"} {
		var err error
		made[i], err = setup.Create(setup.Params{Dir: filepath.Join(root, name), Network: filepath.Join(root, "network"), Country: strings.ToUpper(name), Profile: "eu-edelivery", Host: loopback(), Now: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
	}
	agreed := []setup.Agreement{{ID: "letters", Service: "urn:test:letters", Action: "letter"}, {ID: "answers", Service: "urn:test:letters", Action: "answer"}}
	if err := setup.Agree(made[0], made[1], agreed...); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(made[0].Dir, "trust", "list.xml"), "none: it is asked for all the same")
	edit(t, made[0].ConfigFile, func(b []byte) []byte {
		return bytes.Replace(b, []byte("\ntrustlists:\n"), []byte("\ntrustlists:\n  sources: [{file: trust/list.xml, signers: [keys/as4.pem]}]\n"), 1)
	})
	lv := begin(t, made[1], nil, nil)
	c, err := config.Load(made[0].ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	n, err := node.New(context.Background(), c, node.Options{ImportPModes: agreements.ForNode})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Stop(context.Background()) })
	ee := &gateway{n, made[0]}
	program := &gateway{n, &setup.Result{Token: made[0].AdminToken}}
	v := ee.visit(t)
	v.enter(made[0].Password)

	covered := map[string]bool{}
	form := func(route, path string, kv ...string) {
		t.Helper()
		covered["POST /console"+route] = true
		if _, body := v.post("/console"+path, kv...); strings.Contains(body, `class="notice bad"`) {
			t.Errorf("%s: %.2000s", path, body)
		}
	}
	file := func(route, path, field, name string, octets []byte, kv ...string) string {
		t.Helper()
		covered["POST /console"+route] = true
		_, body := v.upload("/console"+path, field, name, octets, kv...)
		if strings.Contains(body, `class="notice bad"`) {
			t.Errorf("%s: %.2000s", path, body)
		}
		return body
	}
	call := func(route, path, body string) {
		t.Helper()
		covered[route] = true
		method, _, _ := strings.Cut(route, " ")
		if resp, answer := program.call(t, method, path, "application/json", strings.NewReader(body)); resp.StatusCode/100 != 2 {
			t.Errorf("%s: %d %s", path, resp.StatusCode, answer)
		}
	}
	get := func(path string) {
		t.Helper()
		if resp, answer := program.call(t, "GET", path, "", nil); resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %d %s", path, resp.StatusCode, answer)
		}
	}

	// Messages that came in, one for each way.
	var got [2]*store.Message
	for i := range got {
		m := lv.send(t, letter(text("a.txt", "a")))
		got[i] = ee.until(t, store.In, m.MessageID, store.Delivered)
	}
	corners := url.Values{"pmode": {"answers"}, "sender": {c1}, "receiver": {c1}}
	in := func(way int, rest string) string { return fmt.Sprintf("/messages/%d%s", got[way].ID, rest) }
	settled := func(way int) { ee.until(t, store.In, got[way].MessageID, store.Delivered) }
	participant := func(way int) string { return fmt.Sprintf("iso6523-actorid-upis::9915:way%d", way) }
	const doctype, process = "busdox-docid-qns::urn:x::Y##z::2.1", "cenbii-procid-ubl::urn:p"
	samples := pmodeSamples(t)
	pt, err := accessPoints(t, made[0]).Issue(pki.Template{CommonName: "PT", Country: "PT", Algorithm: pki.RSA2048})
	if err != nil {
		t.Fatal(err)
	}
	certificate := pki.MarshalPEM(pt.Certificate)
	waysName := func(way int) string { return []string{"pt", "other"}[way] }

	for _, act := range []struct {
		name    string
		console func()
		program func()
	}{
		{"a message is sent", func() {
			file("/send", "/send", "document", "a.txt", []byte("a"), "way", "pmode:answers", "sender", c1, "receiver", c1)
		}, func() { call("POST /api/v1/messages", "/api/v1/messages?"+corners.Encode(), "a") }},
		{"a message is answered", func() {
			file("/send", "/send", "document", "a.txt", []byte("a"), "reply", fmt.Sprint(got[0].ID), "way", "pmode:answers")
		}, func() { call("POST /api/v1/messages/{id}/reply", "/api/v1"+in(1, "/reply?pmode=answers"), "a") }},
		{"a message is delivered again", func() { form("/messages/{id}/resend", in(0, "/resend")); settled(0) },
			func() { call("POST /api/v1/messages/{id}/resend", "/api/v1"+in(1, "/resend"), ""); settled(1) }},
		{"a document is read", func() { v.get("/console" + in(0, "/documents/0")) }, func() { get("/api/v1" + in(1, "/payloads/0")) }},
		{"a case is taken out", func() { v.get("/console" + in(0, "/case")) }, func() { get("/api/v1" + in(1, "/case")) }},
		{"a message is confirmed", func() { form("/messages/{id}/confirm", in(0, "/confirm")) },
			func() { call("POST /api/v1/messages/{id}/confirm", "/api/v1"+in(1, "/confirm"), "") }},
		{"a partner is checked", func() { form("/partners/{name}/check", "/partners/lv/check") },
			func() { call("POST /api/v1/partners/{name}/check", "/api/v1/partners/lv/check", "") }},
		{"a participant is registered", func() {
			form("/participants", "/participants", "participant", participant(0), "doctype", doctype, "process", process)
		}, func() {
			call("PUT /api/v1/participants/{participant}/services/{doctype}", "/api/v1/participants/"+url.PathEscape(participant(1))+"/services/"+url.PathEscape(doctype), `{"process":"`+process+`"}`)
		}},
		{"a document type is removed", func() {
			form("/participants/remove", "/participants/remove", "participant", participant(0), "doctype", doctype)
		}, func() {
			call("DELETE /api/v1/participants/{participant}/services/{doctype}", "/api/v1/participants/"+url.PathEscape(participant(1))+"/services/"+url.PathEscape(doctype), "")
		}},
		{"a participant is removed", func() { form("/participants/remove", "/participants/remove", "participant", participant(0)) },
			func() {
				call("DELETE /api/v1/participants/{participant}", "/api/v1/participants/"+url.PathEscape(participant(1)), "")
			}},
		{"a certificate is trusted", func() {
			file("/certificates/trust", "/certificates/trust", "file", "pt.pem", certificate, "store", "as4", "alias", waysName(0))
		}, func() {
			call("PUT /api/v1/truststores/{store}/{alias}", "/api/v1/truststores/as4/"+waysName(1), string(certificate))
		}},
		{"a P-Mode file is taken", func() {
			page := file("/agreements/import", "/agreements/import", "file", "good.xml", samples["good.xml"])
			id := regexp.MustCompile(`name="id" value="([^"]+)"`).FindStringSubmatch(page)
			if id == nil {
				t.Fatalf("no plan: %s", page)
			}
			form("/agreements/import/apply", "/agreements/import/apply", "id", id[1])
		}, func() { call("POST /api/v1/pmodes", "/api/v1/pmodes?name=good.xml", string(samples["good.xml"])) }},
		{"a partner's certificate is replaced", func() {
			file("/agreements/import/certificate", "/agreements/import/certificate", "file", "pt.pem", certificate, "partner", waysName(0))
		}, func() {
			call("PUT /api/v1/truststores/{store}/{alias}", "/api/v1/truststores/as4/"+waysName(0), string(certificate))
		}},
		{"a certificate is trusted no more", func() { form("/certificates/distrust", "/certificates/distrust", "store", "as4", "alias", waysName(0)) },
			func() {
				call("DELETE /api/v1/truststores/{store}/{alias}", "/api/v1/truststores/as4/"+waysName(1), "")
			}},
		{"the configuration is read again", func() { form("/agreements/reload", "/agreements/reload") }, func() { call("POST /api/v1/reload", "/api/v1/reload", "") }},
		{"trusted lists are fetched", func() { form("/certificates/lists", "/certificates/lists") }, func() { call("POST /api/v1/trustlists/refresh", "/api/v1/trustlists/refresh", "") }},
		{"a user is made", func() { form("/users", "/users", "name", "way0", "role", "viewer") },
			func() { call("POST /api/v1/users", "/api/v1/users", `{"user":"way1","role":"viewer"}`) }},
		{"a user gets another role", func() { form("/users/{name}/role", "/users/way0/role", "role", "operator") },
			func() { call("PUT /api/v1/users/{name}/role", "/api/v1/users/way1/role", `{"role":"operator"}`) }},
		{"a user gets a new password", func() { form("/users/{name}/reset", "/users/way0/reset") },
			func() { call("POST /api/v1/users/{name}/reset", "/api/v1/users/way1/reset", "") }},
		{"a user is removed", func() { form("/users/{name}/remove", "/users/way0/remove") },
			func() { call("DELETE /api/v1/users/{name}", "/api/v1/users/way1", "") }},
		{"a token is made", func() { form("/tokens", "/tokens", "name", "way0", "scope", "metrics") },
			func() { call("POST /api/v1/tokens", "/api/v1/tokens", `{"name":"way1","scopes":["metrics"]}`) }},
		{"a token is removed", func() { form("/tokens/remove", "/tokens/remove", "name", "way0") },
			func() { call("DELETE /api/v1/tokens/{name}", "/api/v1/tokens/way1", "") }},
	} {
		byConsole := ee.trace(t, "console:admin", act.console)
		byProgram := ee.trace(t, "token admin", act.program)
		if byConsole == "" || byConsole != byProgram {
			t.Errorf("%s leaves in the console\n%sby program\n%s", act.name, byConsole, byProgram)
		}
	}

	// Nothing that can be done is missing above.
	for path, methods := range ee.document(t).Paths {
		for method := range methods {
			if route := strings.ToUpper(method) + " " + path; method != "get" && !covered[route] && oneWay[route] == "" {
				t.Errorf("%s is not tried", route)
			}
		}
	}
	code, err := os.ReadFile("console/console.go")
	if err != nil {
		t.Fatal(err)
	}
	forms := regexp.MustCompile(`"(POST /console/[^"]*)"`).FindAllStringSubmatch(string(code), -1)
	if len(forms) < 20 {
		t.Fatalf("only %d forms", len(forms))
	}
	for _, f := range forms {
		if !covered[f[1]] && oneWay[f[1]] == "" {
			t.Errorf("%s is not tried", f[1])
		}
	}
}

// trace is what an act of somebody leaves in the log, a line an entry, without what tells one act from another.
func (g *gateway) trace(t *testing.T, actor string, act func()) string {
	t.Helper()
	before, _, err := g.Store.LogState(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	act()
	after, _, err := g.Store.LogState(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	list, err := g.Store.LogEntries(context.Background(), before, int(after-before))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, k := range list {
		e, err := audit.Parse(k.Octets)
		if err != nil {
			t.Fatal(err)
		}
		if e.Actor != actor {
			continue // the node goes on with what was begun
		}
		fmt.Fprintln(&b, e.Type, e.Direction, e.Before, e.State, e.PMode, e.Action, e.Detail, len(e.Objects))
	}
	return b.String()
}
