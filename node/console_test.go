package node_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/audit"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/console"
	"github.com/viadukt-eu/viadukt/node/setup"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/node/store/sqlite"
)

// visitor is somebody with a browser at a node's console.
type visitor struct {
	t    *testing.T
	base string
	http.Client
}

func (g *gateway) visit(t *testing.T) *visitor {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &visitor{t, "http://" + g.Addr("api"), http.Client{Jar: jar}}
}

var formToken = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

func (v *visitor) read(resp *http.Response, err error) (path, body string) {
	v.t.Helper()
	if err != nil {
		v.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return resp.Request.URL.Path, string(b)
}

func (v *visitor) get(path string) (where, body string) {
	v.t.Helper()
	return v.read(v.Get(v.base + path))
}

func (v *visitor) post(path string, kv ...string) (where, body string) {
	v.t.Helper()
	_, page := v.get("/console/account")
	m := formToken.FindStringSubmatch(page)
	if m == nil {
		v.t.Fatal(page)
	}
	form := url.Values{"csrf": {m[1]}}
	for i := 0; i < len(kv); i += 2 {
		form.Set(kv[i], kv[i+1])
	}
	return v.read(v.PostForm(v.base+path, form))
}

const ownPassword = "a bridge of many arches"

// enter logs the first user in and chooses a password.
func (v *visitor) enter(first string) {
	v.t.Helper()
	if where, body := v.post("/console/login", "user", "admin", "password", first); where != "/console/account" {
		v.t.Fatalf("%s: %s", where, body)
	}
	if _, body := v.post("/console/account/password", "current", first, "new", ownPassword, "repeat", ownPassword); !strings.Contains(body, "The password is changed") {
		v.t.Fatal(body)
	}
}

func TestTheFirstUserOfTheConsoleChoosesAPassword(t *testing.T) {
	t.Parallel()
	ee, _ := agree(t)
	file := filepath.Join(ee.Dir, "keys", "console.password")
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info, err)
	}
	g := begin(t, ee, nil, nil)
	v := g.visit(t)
	if where, _ := v.get("/"); where != "/console/login" {
		t.Errorf("the address of the API leads to %s", where)
	}
	v.enter(ee.Password)
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("the used password is still there: %v", err)
	}
	if _, body := v.get("/console/"); !strings.Contains(body, g.Config.Node.Name) || !strings.Contains(body, ee.Party) {
		t.Error(body)
	}
	if where, _ := g.visit(t).post("/console/login", "user", "admin", "password", ee.Password); where != "/console/login" {
		t.Errorf("the one-time password leads to %s again", where)
	}
}

func TestAConsoleThatIsOffIsNotThere(t *testing.T) {
	t.Parallel()
	ee, _ := agree(t)
	g := begin(t, ee, func(c *config.Config) { c.Console.Off = true }, nil)
	resp, err := http.Get("http://" + g.Addr("api") + "/console/")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusNotFound {
		t.Error(resp.Status)
	}
}

func TestAnOpenConsoleDoesNotHoldUpTheEnd(t *testing.T) {
	t.Parallel()
	ee, _ := agree(t)
	g := begin(t, ee, nil, nil)
	v := g.visit(t)
	v.enter(ee.Password)
	resp, err := v.Get(v.base + "/console/live")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := resp.Body.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- g.Stop(context.Background()) }()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Errorf("the stream was cut off: %v", err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestAPartnerIsCheckedUpToATestMessage(t *testing.T) {
	t.Parallel()
	ee, pt := agree(t)
	begin(t, pt, nil, nil)
	g := begin(t, ee, nil, nil)
	v := g.visit(t)
	v.enter(ee.Password)
	_, body := v.post("/console/partners/pt/check")
	for _, want := range []string{"is valid until", "without TLS", "It answers over HTTP", "signatures and encryption work in both directions", "See the test message"} {
		if !strings.Contains(body, want) {
			t.Errorf("%q is not there: %s", want, body)
		}
	}
	if _, body := v.get("/console/messages?test=yes"); !strings.Contains(body, "Test message") || !strings.Contains(body, "Acknowledged") {
		t.Error(body)
	}
}

// findings are the codes of a check.
func findings(t *testing.T, g *gateway, partner string) []console.Code {
	t.Helper()
	list, err := g.CheckPartner(context.Background(), partner)
	if err != nil {
		t.Fatal(err)
	}
	var codes []console.Code
	for _, f := range list {
		codes = append(codes, f.Code)
	}
	return codes
}

func TestACheckSaysWhereTheWayEnds(t *testing.T) {
	t.Parallel()
	silent := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(silent.Close)
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	refusing := httptest.NewServer(http.NotFoundHandler())
	refusing.Close()
	cut, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cut.Close() })
	go func() {
		for {
			conn, err := cut.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
	for _, c := range []struct {
		name, address string
		want          console.Code
	}{
		{"a name that nobody has", "https://nobody.invalid/as4", console.NameUnknown},
		{"nothing listens", refusing.URL + "/as4", console.Refusing},
		{"an authority that is not trusted", silent.URL + "/as4", console.TLSUntrusted},
		{"a server without TLS", "https" + strings.TrimPrefix(plain.URL, "http") + "/as4", console.TLSFailed},
		{"another path", plain.URL + "/other", console.WrongPath},
		{"a server that hangs up", "http://" + cut.Addr().String() + "/as4", console.NoAnswer},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ee, pt := agree(t)
			replaceInFile(t, ee.ConfigFile, fmt.Sprintf("%q", pt.URL), fmt.Sprintf("%q", c.address))
			codes := findings(t, begin(t, ee, nil, nil), "pt")
			if len(codes) == 0 || codes[len(codes)-1] != c.want {
				t.Errorf("%v, want %s at the end", codes, c.want)
			}
			if slices.Contains(codes, console.TestPending) || slices.Contains(codes, console.TestFailed) {
				t.Error("a test message was sent all the same")
			}
		})
	}
	ee, _ := agree(t)
	if _, err := begin(t, ee, nil, nil).CheckPartner(context.Background(), "nobody"); err == nil {
		t.Error("a partner that is none is checked")
	}
}

func replaceInFile(t *testing.T, file, old, new string) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(b), old) {
		t.Fatalf("%s is not in %s", old, file)
	}
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(string(b), old, new)), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestWhatPeopleDoEntersTheLogOfEvidence(t *testing.T) {
	t.Parallel()
	ee, _ := agree(t)
	g := begin(t, ee, nil, nil) // pt does not run
	m := g.send(t, letter(text("a.txt", "a")))
	v := g.visit(t)
	v.enter(ee.Password)
	g.until(t, store.Out, m.MessageID, store.Retrying)
	page := fmt.Sprintf("/console/messages/%d", m.ID)
	if _, body := v.get(page + "/documents/0"); body != "a" {
		t.Errorf("document: %q", body)
	}
	if _, body := v.get(page + "/case"); !strings.HasPrefix(body, "PK") {
		t.Errorf("case: %.40q", body)
	}
	v.post("/console/users", "name", "bo", "role", "viewer")
	v.post("/console/logout")
	size, _, err := g.Store.LogState(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	list, err := g.Store.LogEntries(context.Background(), 0, int(size))
	if err != nil {
		t.Fatal(err)
	}
	var acts []string
	for _, e := range list {
		entry, err := audit.Parse(e.Octets)
		if err != nil {
			t.Fatal(err)
		}
		if entry.Actor == "console:admin" {
			acts = append(acts, fmt.Sprintf("%s %s %s", entry.Type, entry.Subject, entry.Detail))
		}
	}
	want := []string{
		"administration admin login", "user admin set: administrator", fmt.Sprintf("administration %d/1 document.read", m.ID),
		fmt.Sprintf("administration %d case.read", m.ID), "user bo set: viewer", "administration admin logout",
	}
	if !slices.Equal(acts, want) {
		t.Errorf("recorded %q, want %q", acts, want)
	}
	v.post("/console/login", "user", "admin", "password", ownPassword)
	if _, body := v.get("/console/audit"); !strings.Contains(body, "document.read") || !strings.Contains(body, "Message accepted") || !strings.Contains(body, "Newest signed state") {
		t.Error(body)
	}
	if _, body := v.get(fmt.Sprintf("/console/audit?message=%d", m.ID)); strings.Contains(body, "document.read") || !strings.Contains(body, "Message accepted") {
		t.Error(body)
	}
}

func TestUsersOfANodeThatDoesNotRun(t *testing.T) {
	t.Parallel()
	ee, _ := agree(t)
	c, err := config.Load(ee.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	hash := console.HashPassword("seven arches in a row")
	add := func(tx store.Tx) error { return console.AddUser(tx, "ada", console.Administrator, hash) }
	if err := node.WithUsers(context.Background(), c, "command line", add); err != nil {
		t.Fatal(err)
	}
	g := begin(t, ee, nil, nil)
	v := g.visit(t)
	if where, body := v.post("/console/login", "user", "ada", "password", "seven arches in a row"); where != "/console/account" {
		t.Errorf("%s %s", where, body)
	}
	if where, _ := v.post("/console/login", "user", "admin", "password", ee.Password); where == "/console/account" {
		t.Error("the first user was made although there was another")
	}
	if err := node.WithUsers(context.Background(), c, "command line", add); !errors.Is(err, sqlite.ErrLocked) {
		t.Errorf("while it runs: %v", err)
	}
}

// TestUsersOfANodeThatRuns: whoever has a token of the scope admin lets people in, and nobody else does. What was done is
// in the log of evidence, a password is not.
func TestUsersOfANodeThatRuns(t *testing.T) {
	t.Parallel()
	ee, _ := agree(t)
	g := begin(t, ee, nil, nil)
	for _, c := range []struct{ method, path, body string }{
		{"GET", "/api/v1/users", ""}, {"POST", "/api/v1/users", `{"user":"eve","role":"administrator"}`}, {"POST", "/api/v1/users/admin/reset", ""}, {"DELETE", "/api/v1/users/admin", ""},
	} {
		if resp, body := g.call(t, c.method, c.path, "application/json", strings.NewReader(c.body)); resp.StatusCode != http.StatusForbidden {
			t.Errorf("%s %s by a back office: %d %s", c.method, c.path, resp.StatusCode, body)
		}
	}
	byAdmin := &gateway{g.Node, &setup.Result{Token: ee.AdminToken}}
	made := func(path, body string, status int) node.UserPasswordJSON {
		t.Helper()
		resp, answer := byAdmin.call(t, "POST", path, "application/json", strings.NewReader(body))
		if resp.StatusCode != status || resp.Header.Get("Cache-Control") != "no-store" {
			t.Fatalf("%s: %d %s", path, resp.StatusCode, answer)
		}
		return decode[node.UserPasswordJSON](t, answer)
	}
	first := made("/api/v1/users", `{"user":"bo","role":"viewer"}`, http.StatusCreated).Password
	v := g.visit(t)
	if where, body := v.post("/console/login", "user", "bo", "password", first); where != "/console/account" {
		t.Errorf("%s %s", where, body)
	}
	second := made("/api/v1/users/bo/reset", "", http.StatusOK).Password
	if where, _ := v.get("/console/account"); where != "/console/login" {
		t.Errorf("the old login leads to %s", where)
	}
	for _, body := range []string{`{"user":"bo","role":"viewer"}`, `{"user":"Bo Smith","role":"viewer"}`, `{"user":"cy","role":"root"}`, `{"user":"cy","role":"viewer","password":"x"}`} {
		if resp, answer := byAdmin.call(t, "POST", "/api/v1/users", "application/json", strings.NewReader(body)); resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %d %s", body, resp.StatusCode, answer)
		}
	}
	if resp, _ := byAdmin.call(t, "DELETE", "/api/v1/users/admin", "", nil); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("the last administrator can be removed: %d", resp.StatusCode)
	}
	_, answer := byAdmin.call(t, "GET", "/api/v1/users", "", nil)
	if l := decode[node.UserListJSON](t, answer); len(l.Users) != 2 || l.Users[1].User != "bo" || !l.Users[1].OneTime || l.Users[1].LastLogin == nil {
		t.Errorf("%s", answer)
	}
	for _, want := range []int{http.StatusNoContent, http.StatusNotFound} {
		if resp, _ := byAdmin.call(t, "DELETE", "/api/v1/users/bo", "", nil); resp.StatusCode != want {
			t.Errorf("removed: %d, want %d", resp.StatusCode, want)
		}
	}
	size, _, err := g.Store.LogState(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	list, err := g.Store.LogEntries(t.Context(), 0, int(size))
	if err != nil {
		t.Fatal(err)
	}
	acts := 0
	for _, e := range list {
		if entry, err := audit.Parse(e.Octets); err == nil && entry.Subject == "bo" && entry.Actor == "token admin" {
			acts++
		}
		if s := string(e.Octets); strings.Contains(s, first) || strings.Contains(s, second) {
			t.Errorf("a password is in the log: %s", s)
		}
	}
	if acts != 3 {
		t.Errorf("%d acts are in the log", acts)
	}
}
