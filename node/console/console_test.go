package console

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/node/store/sqlite"
)

var ctx = context.Background()

// clock stands still until it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// world is a console over a real store, with invented partners.
type world struct {
	filled int // messages of fillWith
	ended  sync.Once
	*Console
	store  store.Store
	clock  *clock
	server *httptest.Server
	net    *fakeNetwork
	pub    *fakePublisher
	mu     sync.Mutex
	acts   []Act
}

var start = time.Date(2026, 5, 4, 9, 30, 0, 0, time.UTC)

func newWorld(t testing.TB) *world { t.Helper(); return newWorldIn(t, t.TempDir()) }

// newWorldIn is newWorld with its store in a folder.
func newWorldIn(t testing.TB, dir string) *world {
	t.Helper()
	w := &world{clock: &clock{now: start}, net: &fakeNetwork{}, pub: &fakePublisher{m: map[string][]string{}}}
	st, err := sqlite.Open(dir, sqlite.Options{MinFree: -1, Clock: w.clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	w.store = st
	w.Console, err = New(Options{
		About: About{Name: "ee", Country: "EE", Version: "1", Party: "POP000001", URL: "https://as4.example/as4", Profile: "eu-edelivery", Started: start},
		Store: st, Network: w.net, Messages: &fakeMessages{st, w.clock}, Key: NewKey(), Publisher: w.pub, Clock: w.clock.Now,
		Post: fakePost{}, Tokens: fakeTokens{}, TrustStores: fakeTrust{}, Trust: fakeTrust{}, Reload: func(context.Context) ([]string, error) { return nil, nil }, RefreshTrustLists: func(context.Context) {},
		Acted: func(_ context.Context, a Act) { w.mu.Lock(); defer w.mu.Unlock(); w.acts = append(w.acts, a) },
	})
	if err != nil {
		t.Fatal(err)
	}
	w.server = httptest.NewServer(w.Console)
	t.Cleanup(func() { w.end(t) })
	return w
}

// end stops it, once.
func (w *world) end(t testing.TB) {
	w.ended.Do(func() {
		w.Close()
		w.server.Close()
		if err := w.store.Close(); err != nil {
			t.Error(err)
		}
	})
}

const password = "correct horse battery"

// known are the users of the tests; the hash is made once, because it costs.
var known = sync.OnceValue(func() string { return HashPassword(password) })

func (w *world) user(t testing.TB, name string, role Role, change ...func(u *store.User)) {
	t.Helper()
	u := store.User{Name: name, Role: string(role), Password: known()}
	for _, f := range change {
		f(&u)
	}
	w.write(t, func(tx store.Tx) error { return tx.PutUser(u) })
}

func (w *world) write(t testing.TB, f func(tx store.Tx) error) {
	t.Helper()
	if err := w.store.Write(ctx, f); err != nil {
		t.Fatal(err)
	}
}

func (w *world) message(t testing.TB, m *store.Message) *store.Message {
	t.Helper()
	w.write(t, func(tx store.Tx) error { return tx.Insert(m) })
	return m
}

func outgoing(id string) *store.Message {
	return &store.Message{
		Direction: store.Out, State: store.Queued, MessageID: id, ConversationID: "conversation@x", Domain: "procurement", PMode: "pm", Profile: "eu-edelivery",
		From: "POP000001", To: "POP000002", Sender: "iso6523-actorid-upis::9915:a", Receiver: "iso6523-actorid-upis::9915:b",
		Service: "svc", Action: "busdox-docid-qns::urn:x:Invoice-2::Invoice##custom::2.1", Peer: "ap.example",
	}
}

// browser is somebody with a browser.
type browser struct {
	t      testing.TB
	w      *world
	client *http.Client
	header http.Header
}

func (w *world) browser(t testing.TB) *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t: t, w: w, client: &http.Client{Jar: jar}, header: http.Header{}}
}

// as is a browser of somebody who is logged in.
func (w *world) as(t testing.TB, role Role) *browser {
	t.Helper()
	name := string(role) + "-user"
	w.user(t, name, role)
	b := w.browser(t)
	if p := b.login(name, password); p.status != http.StatusOK || p.path != Root {
		t.Fatalf("login: %d %s", p.status, p.path)
	}
	return b
}

// answer is what came back, after redirects.
type answer struct {
	status int
	path   string // of the last request
	query  url.Values
	header http.Header
	body   string
}

func (b *browser) do(req *http.Request) *answer {
	b.t.Helper()
	for name, v := range b.header {
		req.Header[name] = v
	}
	resp, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return &answer{resp.StatusCode, resp.Request.URL.Path, resp.Request.URL.Query(), resp.Header, string(body)}
}

func (b *browser) get(path string) *answer {
	b.t.Helper()
	req, err := http.NewRequest(http.MethodGet, b.w.server.URL+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.do(req)
}

var csrfField = regexp.MustCompile(`name="csrf" value="([^"]*)"`)

// token is that of the forms that this browser sees.
func (b *browser) token() string {
	b.t.Helper()
	m := csrfField.FindStringSubmatch(b.get("/console/account").body)
	if m == nil || m[1] == "" {
		b.t.Fatal("no form token")
	}
	return m[1]
}

// post sends a form as it stands on a page.
func (b *browser) post(path string, kv ...string) *answer {
	b.t.Helper()
	return b.send(path, append([]string{"csrf", b.token()}, kv...)...)
}

// send sends a form as it is given.
func (b *browser) send(path string, kv ...string) *answer {
	b.t.Helper()
	v := url.Values{}
	for i := 0; i < len(kv); i += 2 {
		v.Set(kv[i], kv[i+1])
	}
	req, err := http.NewRequest(http.MethodPost, b.w.server.URL+path, strings.NewReader(v.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.do(req)
}

func (b *browser) upload(path, field, name string, content []byte, kv ...string) *answer {
	b.t.Helper()
	var body bytes.Buffer
	m := multipart.NewWriter(&body)
	for i := 0; i < len(kv); i += 2 {
		m.WriteField(kv[i], kv[i+1])
	}
	m.WriteField("csrf", b.token())
	p, err := m.CreateFormFile(field, name)
	if err != nil {
		b.t.Fatal(err)
	}
	p.Write(content)
	m.Close()
	req, err := http.NewRequest(http.MethodPost, b.w.server.URL+path, &body)
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Content-Type", m.FormDataContentType())
	return b.do(req)
}

func (b *browser) login(user, password string) *answer {
	b.t.Helper()
	return b.post("/console/login", "user", user, "password", password)
}

// says checks status and text of an answer.
func (a *answer) says(t testing.TB, what string, status int, texts ...string) {
	t.Helper()
	if a.status != status {
		t.Errorf("%s: status %d, want %d (%s)", what, a.status, status, a.path)
	}
	for _, s := range texts {
		if !strings.Contains(a.body, s) {
			t.Errorf("%s: %q is not there: %.3000s", what, s, a.body)
		}
	}
}

type fakeMessages struct {
	store store.Store
	clock *clock
}

func (f *fakeMessages) Resend(ctx context.Context, id int64, who string) error {
	return f.store.Write(ctx, func(tx store.Tx) error {
		return tx.Transition(id, store.Queued, store.Change{Time: f.clock.Now(), Detail: "by " + who, ResetAttempts: true})
	})
}

func (f *fakeMessages) Confirm(ctx context.Context, id int64, who string) error {
	return f.store.Write(ctx, func(tx store.Tx) error {
		return tx.Transition(id, store.Confirmed, store.Change{Time: f.clock.Now(), Detail: "by " + who})
	})
}

func (f *fakeMessages) OpenDocument(_ context.Context, m *store.Message, n int) (io.ReadCloser, string, error) {
	return io.NopCloser(strings.NewReader("<script>document</script>")), m.Payloads[n].Name, nil
}

// fakePost refuses every letter, in words of its own.
type fakePost struct{}

func (fakePost) Domains() []string { return []string{hostile} }
func (fakePost) Send(context.Context, *Letter) (int64, error) {
	return 0, &Refused{store.Problem{Code: "X", Text: hostile, Remedy: hostile}}
}
func (p fakePost) Reply(ctx context.Context, _ int64, l *Letter) (int64, error) {
	return p.Send(ctx, l)
}

type fakeTokens struct{}

func (fakeTokens) Scopes() []string { return []string{"messages", hostile} }
func (fakeTokens) Tokens(context.Context) ([]Token, error) {
	return []Token{{Name: hostile, Scopes: []string{hostile}, Created: start}, {Name: "office", Scopes: []string{"messages"}, Expires: start, Configured: true}}, nil
}
func (fakeTokens) MakeToken(context.Context, string, []string) (string, error) {
	return "", &Refused{store.Problem{Code: "X", Text: hostile}}
}
func (fakeTokens) DropToken(context.Context, string) error { return store.ErrNotFound }

type fakeTrust struct{}

func (fakeTrust) Trusted(context.Context) ([]Trusted, error) {
	return []Trusted{{Store: "as4", Alias: hostile, Certificate: Certificate{Subject: hostile, NotAfter: start}}}, nil
}
func (fakeTrust) Trust(context.Context, string, string, []byte) error {
	return &Refused{store.Problem{Code: "X", Text: hostile}}
}
func (fakeTrust) Distrust(context.Context, string, string) error { return store.ErrNotFound }

// Lists and Anchors have one of each kind.
func (fakeTrust) Lists(language string) (out []TrustedList, asked time.Time) {
	for i, s := range TrustedListStates {
		x := TrustedList{Territory: hostile, Operator: hostile, URL: "https://x/" + hostile, ListOfLists: i == 0, State: s, Signer: hostile, Problem: hostile + language, Remedy: hostile, Detail: hostile}
		if i < 2 {
			x.Sequence, x.Next, x.Fetched, x.SignersChanged = 7, start, start, start
		}
		out = append(out, x)
	}
	return out, start
}

func (fakeTrust) Anchors(_ context.Context, purpose, from string, at, limit int) (out []Anchor, total int, err error) {
	for i, s := range AnchorSources {
		out = append(out, Anchor{Subject: hostile, Fingerprint: "ab", Purposes: AnchorPurposes, Qualified: i > 0, From: s, Of: hostile + purpose + from, Until: start, State: AnchorStates[i%3]})
	}
	return out, at + len(out) + 1, nil
}

type fakeNetwork struct {
	partners     []Partner
	findings     []Finding
	certificates []Certificate
	agreements   []Agreement
}

func (f *fakeNetwork) Partners() []Partner         { return f.partners }
func (f *fakeNetwork) Certificates() []Certificate { return f.certificates }
func (f *fakeNetwork) Agreements() []Agreement     { return f.agreements }
func (f *fakeNetwork) CheckPartner(_ context.Context, name string) ([]Finding, error) {
	if len(f.partners) == 0 || f.partners[0].Name != name {
		return nil, store.ErrNotFound
	}
	return f.findings, nil
}

type fakePublisher struct {
	mu sync.Mutex
	m  map[string][]string
}

func (f *fakePublisher) Participants(_ context.Context, after string, limit int) (out []Participant, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range 3 * pageSize {
		id := fmt.Sprintf("s::p%03d", i)
		if d, ok := f.m[id]; ok && id > after && len(out) < limit {
			out = append(out, Participant{id, d})
		}
	}
	return out, nil
}

func (f *fakePublisher) Recognise(document []byte) (Registration, error) {
	if !bytes.HasPrefix(document, []byte("<Invoice")) {
		return Registration{}, &Refused{store.Problem{Code: "X", Text: "<b>no invoice</b>", Remedy: "send one"}}
	}
	return Registration{"s::p001", "d::invoice", "p::billing"}, nil
}

func (f *fakePublisher) Register(_ context.Context, r Registration) error {
	if r.Process == "p::broken" {
		return errors.New("secret detail")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.m[r.Participant] = append(f.m[r.Participant], r.DocumentType)
	return nil
}

func (f *fakePublisher) Unregister(_ context.Context, p, d string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.m[p]; !ok {
		return store.ErrNotFound
	}
	if delete(f.m, p); d != "" {
		f.m[p] = nil
	}
	return nil
}
