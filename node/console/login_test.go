package console

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/node/store"
)

func TestNothingIsSeenWithoutALogin(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.fill(t)
	b := w.browser(t)
	for _, path := range pages(m.ID) {
		p := b.get(path)
		if p.path != "/console/login" || strings.Contains(p.body, "POP000001") || strings.Contains(p.body, `id="nav"`) {
			t.Errorf("%s: %s", path, p.path)
		}
		if next := p.query.Get("next"); next != path && next != strings.ReplaceAll(path, " ", "%20") {
			t.Errorf("%s: comes back to %s", path, next)
		}
	}
	if p := b.get("/console/live"); p.status != http.StatusNoContent || p.body != "" {
		t.Errorf("live: %d %q", p.status, p.body)
	}
	for _, path := range []string{"messages/1/resend", "users", "partners/pt/check", "account/password"} {
		if p := b.post("/console/" + path); p.path != "/console/login" {
			t.Errorf("%s: %d %s", path, p.status, p.path)
		}
	}
}

func TestALoginLeadsToWhereOneWanted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.user(t, "ada", Viewer)
	b := w.browser(t)
	b.login("ada", "not the password").says(t, "wrong password", http.StatusUnauthorized, "User name or password is wrong.", `value="ada"`)
	b.login("nobody", password).says(t, "no such user", http.StatusUnauthorized, "User name or password is wrong.")
	p := b.post("/console/login", "user", " Ada ", "password", password, "next", "/console/messages?direction=in")
	if p.path != "/console/messages" || p.query.Get("direction") != "in" {
		t.Errorf("%d %s", p.status, p.path)
	}
	if p := b.get("/console/login"); p.path != Root {
		t.Errorf("the login page to somebody who is in: %s", p.path)
	}
	u, err := w.store.User(ctx, "ada")
	if err != nil || !u.LastLogin.Equal(start) {
		t.Errorf("%v, %v", u, err)
	}
	b.post("/console/logout").says(t, "logout", http.StatusOK, "You are logged out.")
	if p := b.get("/console/"); p.path != "/console/login" {
		t.Errorf("after the logout: %s", p.path)
	}
	if s, err := w.store.ListSessions(ctx, "ada"); err != nil || len(s) != 0 {
		t.Errorf("%v, %v", s, err)
	}
}

func TestTheWayAfterTheLoginStaysInTheConsole(t *testing.T) {
	t.Parallel()
	for next, want := range map[string]string{
		"/console/messages?q=a%26b": "/console/messages?q=a%26b", "": Root, "https://evil.example/console/": Root, "//evil.example/console/": Root, `/\evil.example`: Root,
		"/console/../api": Root, "/console/%2e%2e/api": Root, "/console/login?next=x": Root, "/console/logout": Root, "/console/live": Root, "javascript:alert(1)": Root,
		"/consolex": Root, "/console/\r\nSet-Cookie: x=y": Root, "/api/v1/messages": Root, "http:/console/": Root,
	} {
		if got := safeNext(next); got != want {
			t.Errorf("%q leads to %q, want %q", next, got, want)
		}
	}
}

func TestCookiesAreKeptFromScriptsAndOtherSites(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.user(t, "ada", Viewer)
	b := w.browser(t)
	b.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	p := b.get("/console/login")
	token := csrfField.FindStringSubmatch(p.body)[1]
	p = b.send("/console/login", "csrf", token, "user", "ada", "password", password)
	var session string
	for _, c := range p.header.Values("Set-Cookie") {
		if !strings.Contains(c, "; HttpOnly") || !strings.Contains(c, "; SameSite=Lax") || !strings.Contains(c, "Path=/") {
			t.Error(c)
		}
		if strings.HasPrefix(c, "viadukt-ee=") {
			session = c
		}
	}
	if session == "" {
		t.Fatal("no session")
	}
	value := strings.TrimPrefix(strings.Split(session, ";")[0], "viadukt-ee=")
	s, err := w.store.SessionByHash(ctx, sha256.Sum256([]byte(value)))
	if err != nil || s.User != "ada" {
		t.Errorf("%v, %v", s, err)
	}
	// Over TLS the browser keeps it for this host and for TLS alone.
	secure, err := New(Options{About: About{Name: "ee"}, Store: w.store, Network: w.net, Messages: &fakeMessages{w.store, w.clock}, Key: NewKey(), Secure: true, Clock: w.clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	rec := httptest.NewRecorder()
	secure.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/console/login", nil))
	if c := rec.Header().Get("Set-Cookie"); !strings.HasPrefix(c, "__Host-viadukt-ee-form=") || !strings.Contains(c, "; Secure") || rec.Header().Get("Strict-Transport-Security") == "" {
		t.Error(c)
	}
}

func TestALoginIsAlwaysANewSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.user(t, "ada", Viewer)
	b := w.browser(t)
	root, err := url.Parse(w.server.URL)
	if err != nil {
		t.Fatal(err)
	}
	b.client.Jar.SetCookies(root, []*http.Cookie{{Name: "viadukt-ee", Value: "chosen-by-somebody-else", Path: "/"}})
	if p := b.login("ada", password); p.path != Root {
		t.Fatal(p.path)
	}
	for _, c := range b.client.Jar.Cookies(root) {
		if c.Name == "viadukt-ee" && c.Value == "chosen-by-somebody-else" {
			t.Error("the session that was there before goes on")
		}
	}
}

func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		do   func(w *world, b *browser)
		ends bool
	}{
		{"not while it is used", func(w *world, b *browser) {
			for range 20 {
				w.clock.Add(29 * time.Minute)
				b.get("/console/queues")
			}
		}, false},
		{"when nothing is asked for", func(w *world, b *browser) { w.clock.Add(30 * time.Minute) }, true},
		{"after the longest time, used or not", func(w *world, b *browser) {
			for range 25 {
				w.clock.Add(29 * time.Minute)
				b.get("/console/queues")
			}
		}, true},
		{"when the user is removed", func(w *world, b *browser) {
			w.user(t, "root", Administrator)
			w.write(t, func(tx store.Tx) error { return RemoveUser(tx, "viewer-user") })
		}, true},
		{"when an administrator resets the user", func(w *world, b *browser) {
			w.write(t, func(tx store.Tx) error { return ResetUser(tx, "viewer-user", known()) })
		}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			b := w.as(t, Viewer)
			c.do(w, b)
			if p := b.get("/console/queues"); (p.path == "/console/login") != c.ends {
				t.Errorf("%d %s", p.status, p.path)
			}
		})
	}
}

func TestBruteForceMeetsPauses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.user(t, "ada", Viewer)
	b := w.browser(t)
	for range perUser.free {
		b.login("ada", "wrong").says(t, "wrong", http.StatusUnauthorized)
	}
	p := b.login("ada", password)
	p.says(t, "even the right one", http.StatusTooManyRequests, "Too many attempts. Try again in 1 second.")
	if p.header.Get("Retry-After") != "1" {
		t.Error(p.header)
	}
	w.clock.Add(time.Second)
	if p := b.login("ada", password); p.path != Root {
		t.Errorf("after the pause: %d", p.status)
	}
}

// codeOf is what the user's app shows.
func (w *world) codeOf(secret []byte) string {
	return hotp(secret, w.clock.Now().Unix()/30, totpDigits)
}

var shownSecret = regexp.MustCompile(`data-copy>([A-Z2-7 ]{20,})<`)

func TestASecondFactorIsSetUpUsedAndRemoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.as(t, Viewer)
	b.post("/console/account/factor", "current", "wrong").says(t, "without the password", http.StatusUnprocessableEntity, "The present password is wrong")
	p := b.post("/console/account/factor", "current", password)
	p.says(t, "begin", http.StatusOK, "Scan this code with your authenticator app", `href="otpauth://totp/`, `role="img"`)
	m := shownSecret.FindStringSubmatch(p.body)
	if m == nil {
		t.Fatal(p.body)
	}
	secret, err := secretText.DecodeString(strings.ReplaceAll(m[1], " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	b.post("/console/account/factor/confirm", "code", "000000").says(t, "wrong code", http.StatusUnprocessableEntity, "The code is wrong")
	if u, _ := w.store.User(ctx, "viewer-user"); u.TOTP != nil {
		t.Fatal("it counts before it was confirmed")
	}
	first := w.codeOf(secret)
	b.post("/console/account/factor/confirm", "code", first).says(t, "confirm", http.StatusOK, "The second factor is set up.")
	if u, err := w.store.User(ctx, "viewer-user"); err != nil || len(u.TOTP) == 0 || bytes.Contains(u.TOTP, secret) {
		t.Errorf("the store holds %x, %v; want the secret encrypted", u.TOTP, err)
	}

	b.post("/console/logout")
	if p := b.login("viewer-user", password); p.path != "/console/login/code" {
		t.Fatalf("%d %s", p.status, p.path)
	}
	if p := b.get("/console/"); p.path != "/console/login" {
		t.Errorf("in without a code: %s", p.path)
	}
	code := func(code string) *answer {
		token := csrfField.FindStringSubmatch(b.get("/console/login/code").body)[1]
		return b.send("/console/login/code", "csrf", token, "code", code, "next", "/console/queues")
	}
	code(first).says(t, "the code that set it up", http.StatusUnauthorized, "was used already")
	code("123456").says(t, "a guess", http.StatusUnauthorized)
	w.clock.Add(30 * time.Second)
	if p := code(w.codeOf(secret)); p.path != "/console/queues" {
		t.Fatalf("%d %s %s", p.status, p.path, p.body)
	}
	b.post("/console/account/factor/remove", "current", "wrong").says(t, "removal without the password", http.StatusUnprocessableEntity)
	b.post("/console/account/factor/remove", "current", password).says(t, "removal", http.StatusOK, "The second factor is removed.")
	if u, _ := w.store.User(ctx, "viewer-user"); u.TOTP != nil {
		t.Error("it is still there")
	}
}

func TestCodesCannotBeGuessed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.user(t, "ada", Viewer, func(u *store.User) { u.TOTP = w.sealer.seal("ada", rfcSecret) })
	b := w.browser(t)
	b.login("ada", password)
	token := csrfField.FindStringSubmatch(b.get("/console/login/code").body)[1]
	statuses := map[int]int{}
	for i := range 10 {
		statuses[b.send("/console/login/code", "csrf", token, "code", fmt.Sprintf("%06d", i)).status]++
	}
	if statuses[http.StatusUnauthorized] != perUser.free-1 || statuses[http.StatusTooManyRequests] != 11-perUser.free { // the password was the first attempt
		t.Errorf("%v", statuses)
	}
	w.clock.Add(codeTime)
	if p := b.get("/console/login/code"); p.path != "/console/login" {
		t.Errorf("the password holds for ever: %s", p.path)
	}
}

func TestAOneTimePasswordMustBeChangedFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.user(t, "ada", Administrator, func(u *store.User) { u.OneTime = true })
	b, other := w.browser(t), w.browser(t)
	if p := other.login("ada", password); p.path != "/console/account" {
		t.Fatal(p.path)
	}
	if p := b.login("ada", password); p.path != "/console/account" {
		t.Fatal(p.path)
	}
	for _, path := range []string{"/console/", "/console/users", "/console/messages"} {
		if p := b.get(path); p.path != "/console/account" {
			t.Errorf("%s: %s", path, p.path)
		}
	}
	const fresh = "four arches over a river"
	for _, c := range []struct{ name, current, fresh, repeat, says string }{
		{"the present one is wrong", "wrong", fresh, fresh, "The present password is wrong"},
		{"too short", password, "short", "short", "at least 12 characters"},
		{"a slip in the second one", password, fresh, fresh + "x", "The two new passwords differ."},
		{"the same again", password, password, password, "The new password is the present one."},
	} {
		b.post("/console/account/password", "current", c.current, "new", c.fresh, "repeat", c.repeat).says(t, c.name, http.StatusUnprocessableEntity, c.says)
	}
	b.post("/console/account/password", "current", password, "new", fresh, "repeat", fresh).says(t, "change", http.StatusOK, "The password is changed")
	if p := b.get("/console/users"); p.path != "/console/users" {
		t.Errorf("after the change: %s", p.path)
	}
	if p := other.get("/console/account"); p.path != "/console/login" {
		t.Errorf("the other session goes on: %s", p.path)
	}
	if p := other.login("ada", fresh); p.path != Root {
		t.Errorf("with the new one: %s", p.path)
	}
	b.post("/console/account/sessions").says(t, "end others", http.StatusOK, "All other sessions are ended.")
	if p := other.get("/console/account"); p.path != "/console/login" {
		t.Errorf("ended session goes on: %s", p.path)
	}
}

func TestTheBrowsersAddressComesFromTrustedProxiesAlone(t *testing.T) {
	t.Parallel()
	c := &Console{opt: Options{Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}}
	for _, k := range []struct {
		name, remote string
		forwarded    []string
		want         string
	}{
		{"a direct connection", "192.0.2.7:1", nil, "192.0.2.7"},
		{"a stranger who pretends", "192.0.2.7:1", []string{"198.51.100.1"}, "192.0.2.7"},
		{"through the proxy", "10.0.0.5:1", []string{"198.51.100.1"}, "198.51.100.1"},
		{"through two proxies", "10.0.0.5:1", []string{"198.51.100.1, 10.0.0.6"}, "198.51.100.1"},
		{"one who pretends to the proxy", "10.0.0.5:1", []string{"203.0.113.9, 198.51.100.1"}, "198.51.100.1"},
		{"in two header lines", "10.0.0.5:1", []string{"203.0.113.9", "198.51.100.1"}, "198.51.100.1"},
		{"a proxy that says nonsense", "10.0.0.5:1", []string{"nonsense"}, "10.0.0.5"},
		{"a network of IPv6", "[2001:db8:1:2:3:4:5:6]:1", nil, "2001:db8:1:2::/64"},
		{"IPv4 in IPv6", "[::ffff:192.0.2.7]:1", nil, "192.0.2.7"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = k.remote
		r.Header["X-Forwarded-For"] = k.forwarded
		if got := c.address(r); got != k.want {
			t.Errorf("%s: %s, want %s", k.name, got, k.want)
		}
	}
}

func TestAPlainConnectionFromOutsideIsWarnedOf(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for remote, want := range map[string]bool{"127.0.0.1:1": false, "[::1]:1": false, "192.0.2.7:1": true} {
		r := httptest.NewRequest(http.MethodGet, "/console/login", nil)
		r.RemoteAddr = remote
		rec := httptest.NewRecorder()
		w.ServeHTTP(rec, r)
		if got := strings.Contains(rec.Body.String(), "This connection is not encrypted"); got != want {
			t.Errorf("%s: %v", remote, got)
		}
	}
}

func TestASecondFactorOfAnotherKeyLetsNobodyIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other, err := newSealer(NewKey())
	if err != nil {
		t.Fatal(err)
	}
	w.user(t, "ada", Viewer, func(u *store.User) { u.TOTP = other.seal("ada", rfcSecret) })
	b := w.browser(t)
	b.login("ada", password)
	token := csrfField.FindStringSubmatch(b.get("/console/login/code").body)[1]
	if p := b.send("/console/login/code", "csrf", token, "code", w.codeOf(rfcSecret)); p.status != http.StatusUnauthorized {
		t.Errorf("status %d", p.status)
	}
	if _, err := w.sealer.open("bob", w.sealer.seal("ada", rfcSecret)); err == nil {
		t.Error("one user's secret opens as another's")
	}
}
