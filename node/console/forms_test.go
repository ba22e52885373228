package console

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/node/store"
)

// acts are all forms, with the least role that may send each.
var acts = []struct {
	path string
	need Role
}{
	{"/console/messages/1/resend", Operator}, {"/console/messages/1/confirm", Operator}, {"/console/partners/pt/check", Operator},
	{"/console/participants", Operator}, {"/console/participants/remove", Operator}, {"/console/send", Operator}, {"/console/agreements/reload", Administrator}, {"/console/certificates/trust", Administrator}, {"/console/certificates/distrust", Administrator}, {"/console/certificates/lists", Administrator}, {"/console/tokens", Administrator}, {"/console/tokens/remove", Administrator},
	{"/console/agreements/import", Administrator}, {"/console/agreements/import/apply", Administrator}, {"/console/agreements/import/certificate", Administrator},
	{"/console/users", Administrator}, {"/console/users/x/role", Administrator}, {"/console/users/x/reset", Administrator}, {"/console/users/x/remove", Administrator},
	{"/console/account/password", Viewer}, {"/console/account/factor", Viewer}, {"/console/account/factor/confirm", Viewer},
	{"/console/account/factor/remove", Viewer}, {"/console/account/sessions", Viewer}, {"/console/look", ""}, {"/console/logout", ""},
}

func TestFormsOfOtherSitesAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fill(t)
	b := w.as(t, Administrator)
	other := w.as(t, Viewer)
	token, foreign := b.token(), other.token()
	before := len(w.acts)
	for _, a := range append(acts, struct {
		path string
		need Role
	}{"/console/login", ""}, struct {
		path string
		need Role
	}{"/console/login/code", ""}) {
		for name, kv := range map[string][]string{"no token": nil, "an empty token": {"csrf", ""}, "a wrong token": {"csrf", "x"}, "the token of somebody else": {"csrf", foreign}} {
			b.send(a.path, kv...).says(t, a.path+" with "+name, http.StatusForbidden, "comes from another site")
		}
		for name, header := range map[string][2]string{"another origin": {"Origin", "https://evil.example"}, "a page of another site": {"Sec-Fetch-Site", "cross-site"}, "a sister site": {"Sec-Fetch-Site", "same-site"}} {
			b.header = http.Header{header[0]: {header[1]}}
			b.send(a.path, "csrf", token).says(t, a.path+" with "+name, http.StatusForbidden)
			b.header = http.Header{}
		}
	}
	b.get("/console/account?csrf="+token).says(t, "a token in an address", http.StatusOK)
	if b.send("/console/account/sessions?csrf="+token).status != http.StatusForbidden {
		t.Error("a token in the address counts")
	}
	if len(w.acts) != before {
		t.Errorf("something was done: %v", w.acts[before:])
	}
}

func TestRolesBoundWhatOneMayDo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.fill(t)
	for _, role := range Roles {
		b := w.as(t, role)
		for _, a := range acts[:len(acts)-2] {
			if p := b.post(a.path, "csrf", b.token()); (p.status == http.StatusForbidden) == role.May(a.need) {
				t.Errorf("%s %s: %d", role, a.path, p.status)
			}
		}
		for path, need := range map[string]Role{
			"/console/messages/1/documents/0": Operator, "/console/messages/1/evidence/0": Viewer, "/console/users": Administrator, "/console/": Viewer, "/console/account": Viewer,
		} {
			p := b.get(strings.Replace(path, "/1/", "/"+itoa(int(m.ID))+"/", 1))
			want := http.StatusOK
			if !role.May(need) {
				want = http.StatusForbidden
			}
			p.says(t, string(role)+" "+path, want)
		}
		for what, need := range map[string]Role{`action="/console/participants"`: Operator, `href="/console/users"`: Administrator} {
			if got := strings.Contains(b.get("/console/participants").body, what); got != role.May(need) {
				t.Errorf("%s is shown %s: %v", role, what, got)
			}
		}
	}
	for _, c := range []struct {
		have, need Role
		want       bool
	}{{"", Viewer, false}, {"root", Viewer, false}, {Viewer, "root", true}, {Operator, Administrator, false}, {Administrator, Viewer, true}} {
		if c.need == "root" {
			continue // no page asks for it
		}
		if got := c.have.May(c.need); got != c.want {
			t.Errorf("%q may %q: %v", c.have, c.need, got)
		}
	}
}

func TestAFormIsOnlyAsLargeAsItNeedsToBe(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.as(t, Operator)
	b.post("/console/look", "language", "de", "x", strings.Repeat("x", bodyMost)).says(t, "a large form", http.StatusRequestEntityTooLarge)
	b.upload("/console/participants", "document", "a.xml", bytes.Repeat([]byte("x"), documentMost)).says(t, "a large document", http.StatusRequestEntityTooLarge)
	stranger := w.browser(t)
	stranger.upload("/console/login", "document", "a.xml", bytes.Repeat([]byte("x"), bodyMost)).says(t, "a stranger's document", http.StatusRequestEntityTooLarge)
	req, err := http.NewRequest(http.MethodPost, w.server.URL+"/console/look", strings.NewReader("%zz"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	b.do(req).says(t, "a form that is none", http.StatusBadRequest)
	b.post("/console/look", "language", "xx").says(t, "no such language", http.StatusBadRequest)
}

func TestWhatGoesWrongInsideIsNotShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.as(t, Operator)
	p := b.post("/console/participants", "participant", "s::p", "doctype", "d::d", "process", "p::broken")
	p.says(t, "inner error", http.StatusInternalServerError, "Something went wrong inside the node")
	if strings.Contains(p.body, "secret detail") {
		t.Error("the page tells of the inside")
	}
	// A panic in a page is an error page as well.
	rec := httptest.NewRecorder()
	w.serve(rec, httptest.NewRequest(http.MethodGet, "/console/x", nil), func(*call) error { panic("secret") })
	if rec.Code != http.StatusInternalServerError || strings.Contains(rec.Body.String(), "secret") {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
}

func TestUsersAreManaged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.as(t, Administrator)
	p := b.post("/console/users", "name", "Bo", "role", "operator")
	p.says(t, "add", http.StatusOK, "One-time password of bo:", "has not chosen a password yet")
	fresh := w.browser(t)
	once := p.body[strings.Index(p.body, "data-copy>")+len("data-copy>"):][:23]
	if p := fresh.login("bo", once); p.path != "/console/account" {
		t.Fatalf("%d %s with %q", p.status, p.path, once)
	}
	for _, c := range []struct{ name, user, role, says string }{
		{"the name is taken", "bo", "viewer", "There is a user of this name already."},
		{"a name with spaces", "b o", "viewer", "A user name has small letters"},
		{"no name", "", "viewer", "A user name has small letters"},
		{"a path", "../x", "viewer", "A user name has small letters"},
		{"no role", "cy", "root", "There is no such role."},
	} {
		b.post("/console/users", "name", c.user, "role", c.role).says(t, c.name, http.StatusUnprocessableEntity, c.says)
	}
	b.post("/console/users/bo/role", "role", "administrator").says(t, "promote", http.StatusOK, "The role is changed.")
	b.post("/console/users/bo/role", "role", "root").says(t, "no such role", http.StatusUnprocessableEntity)
	b.post("/console/users/nobody/role", "role", "viewer").says(t, "nobody", http.StatusNotFound)
	self := "/console/users/administrator-user"
	for _, act := range []string{"/role", "/reset", "/remove"} {
		b.post(self+act, "role", "viewer").says(t, "oneself"+act, http.StatusUnprocessableEntity, "let another administrator do it")
	}
	b.post("/console/users/bo/reset").says(t, "reset", http.StatusOK, "One-time password of bo:")
	if p := fresh.get("/console/account"); p.path != "/console/login" {
		t.Errorf("the session goes on: %s", p.path)
	}
	b.post("/console/users/bo/remove").says(t, "remove", http.StatusOK, "The user is removed.")
	if _, err := w.store.User(ctx, "bo"); err == nil {
		t.Error("bo is there")
	}
}

func TestSomebodyRemainsAnAdministrator(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.user(t, "ada", Administrator)
	w.user(t, "bo", Operator)
	for name, f := range map[string]func(tx store.Tx) error{
		"removal": func(tx store.Tx) error { return RemoveUser(tx, "ada") },
		"role":    func(tx store.Tx) error { return SetRole(tx, "ada", Viewer) },
	} {
		if err := w.store.Write(ctx, f); err != errLastAdmin {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.write(t, func(tx store.Tx) error { return SetRole(tx, "bo", Administrator) })
	w.write(t, func(tx store.Tx) error { return RemoveUser(tx, "ada") })
}

func TestParticipantsAreAddedAndRemoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.as(t, Operator)
	b.upload("/console/participants", "document", "invoice.xml", []byte("<Invoice/>")).says(t, "from a document", http.StatusOK, "The participant is registered.", "s::p001", "d::invoice")
	b.upload("/console/participants", "document", "invoice.xml", []byte("<Invoice/>"), "participant", "s::p002").says(t, "what is written counts", http.StatusOK, "s::p002")
	b.upload("/console/participants", "document", "x.xml", []byte("<x/>")).says(t, "not recognised", http.StatusUnprocessableEntity, "The document was not recognised.", "&lt;b&gt;no invoice&lt;/b&gt;", "send one")
	b.post("/console/participants", "participant", "s::p003").says(t, "incomplete", http.StatusUnprocessableEntity, "are needed", `value="s::p003"`)
	b.post("/console/participants/remove", "participant", "s::p001", "doctype", "d::invoice").says(t, "one type", http.StatusOK, "No kind of document is registered.")
	b.post("/console/participants/remove", "participant", "s::p001").says(t, "all", http.StatusOK, "It is removed.")
	b.post("/console/participants/remove", "participant", "s::p001").says(t, "again", http.StatusNotFound)
	for i := range pageSize + 3 {
		w.pub.m["s::p"+strings.Repeat("0", 3-len(itoa(i)))+itoa(i)] = []string{"d::x"}
	}
	p := b.get("/console/participants")
	p.says(t, "first page", http.StatusOK, "s::p000", "/console/participants?after=s%3a%3ap049")
	b.get("/console/participants?after=s::p049").says(t, "second page", http.StatusOK, "s::p052", "First page")
}
