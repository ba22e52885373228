package client_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/client"
	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/setup"
)

// ownAddress is an address of this machine that no other test uses. Systems other than Linux have one such address only.
func ownAddress() string {
	if runtime.GOOS != "linux" {
		return "127.0.0.1"
	}
	return fmt.Sprintf("127.%d.%d.%d", 1+rand.IntN(254), rand.IntN(256), 1+rand.IntN(254))
}

// running is a node of the tests and a client of it.
type running struct {
	*client.Client
	node *node.Node
}

// pair starts two nodes that agreed on one kind of message, "letters".
func pair(t *testing.T) (ee, pt running) {
	t.Helper()
	root := t.TempDir()
	var made [2]*setup.Result
	for i, name := range []string{"ee", "pt"} {
		var err error
		made[i], err = setup.Create(setup.Params{Dir: filepath.Join(root, name), Network: filepath.Join(root, "network"), Country: "EE", Profile: "eu-edelivery", Host: ownAddress(), Now: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := setup.Agree(made[0], made[1], setup.Agreement{ID: "letters", Service: "urn:test:letters", Action: "deliver"}); err != nil {
		t.Fatal(err)
	}
	return start(t, made[0]), start(t, made[1])
}

func start(t *testing.T, made *setup.Result) running {
	t.Helper()
	c, err := config.Load(made.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	c.Outbound.MaxAttempts, c.Outbound.FirstRetry = 2, config.Duration(20*time.Millisecond)
	n, err := node.New(context.Background(), c, node.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Stop(context.Background()) })
	return running{client.New("http://"+n.Addr("api"), made.Token), n}
}

var letter = client.Submission{PMode: "letters", Sender: "urn:id::alice", Receiver: "urn:id::bob", Properties: map[string]string{"colour": "blue"}}

func limit(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func TestAMessageIsSentFollowedAndFetched(t *testing.T) {
	t.Parallel()
	ee, pt := pair(t)
	ctx := limit(t)
	large := bytes.Repeat([]byte("0123456789"), 300_000)
	m, err := ee.Send(ctx, letter, client.Part{Name: "a letter.txt", MimeType: "text/plain", Body: strings.NewReader("hello")}, client.Part{ContentID: "annex", Body: bytes.NewReader(large)})
	if err != nil {
		t.Fatal(err)
	}
	if m.Direction != "out" || len(m.Payloads) != 2 || m.Payloads[1].ContentID != "annex" {
		t.Errorf("%+v", m)
	}
	sent, err := ee.Wait(ctx, m.MessageID)
	if err != nil || sent.State != client.Acknowledged || len(sent.Evidence) == 0 || len(sent.Events) < 2 {
		t.Fatalf("%+v %v", sent, err)
	}
	if b, err := ee.EvidenceOctets(ctx, m.MessageID, 0); err != nil || !bytes.Contains(b, []byte("Envelope")) {
		t.Errorf("%v", err)
	}
	got, err := pt.Wait(ctx, m.MessageID, client.Delivered, client.Confirmed)
	if err != nil || got.Direction != "in" {
		t.Fatalf("%+v %v", got, err)
	}
	for i, want := range [][]byte{[]byte("hello"), large} {
		d, err := pt.Payload(ctx, got.MessageID, i)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(d)
		d.Close()
		if err != nil || !bytes.Equal(b, want) || i == 0 && (d.Name != "a letter.txt" || d.MimeType != "text/plain") {
			t.Errorf("payload %d: %d octets, %q, %q, %v", i, len(b), d.Name, d.MimeType, err)
		}
	}
	if c, err := pt.Confirm(ctx, got.MessageID); err != nil || c.State != client.Confirmed {
		t.Errorf("%+v %v", c, err)
	}
	repeated := letter
	repeated.MessageID = m.MessageID
	if _, err := ee.Send(ctx, repeated, client.Part{Body: strings.NewReader("again")}); !errors.Is(err, client.ErrDuplicate) {
		t.Errorf("sent twice: %v", err)
	}
	if _, err := ee.Resend(ctx, m.MessageID); err == nil {
		t.Error("an acknowledged message was sent again")
	}
}

func TestAFailedMessageIsStartedAgain(t *testing.T) {
	t.Parallel()
	ee, pt := pair(t)
	ctx := limit(t)
	if err := pt.node.Unlisten(ctx, "as4"); err != nil {
		t.Fatal(err)
	}
	m, err := ee.Send(ctx, letter, client.Part{Body: strings.NewReader("hello")})
	if err != nil {
		t.Fatal(err)
	}
	failed, err := ee.Wait(ctx, m.MessageID)
	if err != nil || failed.State != client.Failed || failed.Error == nil || failed.Error.Remedy == "" {
		t.Fatalf("%+v %v", failed, err)
	}
	if again, err := ee.Resend(ctx, m.MessageID); err != nil || again.MessageID != m.MessageID {
		t.Errorf("%+v %v", again, err)
	}
	twice, err := ee.Wait(ctx, m.MessageID, client.Failed) // it may have failed again when the answer to the call was made
	if err != nil || len(twice.Events) < 2*len(failed.Events)-1 {
		t.Errorf("%+v %v", twice, err)
	}
}

func TestListsGoOnOverPages(t *testing.T) {
	t.Parallel()
	pages := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		pages++
		if r.URL.Query().Get("state") != "failed" || r.URL.Query().Get("direction") != "out" || r.Header.Get("Authorization") != "Bearer secret" {
			t.Errorf("%s", r.URL)
		}
		switch r.URL.Query().Get("before") {
		case "":
			io.WriteString(w, `{"messages":[{"id":9},{"id":8}],"next":8}`)
		case "8":
			io.WriteString(w, `{"messages":[{"id":7}]}`)
		}
	}))
	t.Cleanup(s.Close)
	c := client.New(s.URL+"/", "secret")
	var ids []int64
	for m, err := range c.List(limit(t), client.Filter{Direction: "out", States: []client.State{client.Failed}}) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, m.ID)
	}
	if len(ids) != 3 || ids[2] != 7 || pages != 2 {
		t.Errorf("%v in %d pages", ids, pages)
	}
	for range c.List(limit(t), client.Filter{Direction: "out", States: []client.State{client.Failed}}) {
		break
	}
	if pages != 3 {
		t.Errorf("%d pages for one message", pages)
	}
}

func TestEventsContinueWhenTheConnectionBreaks(t *testing.T) {
	t.Parallel()
	calls := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls++
		switch calls {
		case 1:
			io.WriteString(w, "id: a-1\n: ready\n\nid: a-2\nevent: state\ndata: {\"id\":5,\"state\":\"sending\"}\n\nid: a-3\nevent: state\nda")
		case 2:
			if r.Header.Get("Last-Event-ID") != "a-2" {
				t.Errorf("continues behind %q", r.Header.Get("Last-Event-ID"))
			}
			io.WriteString(w, "id: b-0\nevent: reset\ndata: {}\n\nid: b-1\nevent: state\ndata: {\"id\":5,\"state\":\"acknowledged\"}\n\n")
		default:
			w.WriteHeader(http.StatusForbidden)
			io.WriteString(w, `{"error":{"code":"FORBIDDEN","text":"no"}}`)
		}
	}))
	t.Cleanup(s.Close)
	var got []string
	var last error
	for e, err := range client.New(s.URL, "").Events(limit(t), "") {
		switch {
		case err != nil:
			last = err
		case e.Reset:
			got = append(got, "reset")
		default:
			got = append(got, string(e.State))
		}
	}
	var refused *client.Error
	if strings.Join(got, " ") != "sending reset acknowledged" || !errors.As(last, &refused) || refused.Code != "FORBIDDEN" || refused.Status != http.StatusForbidden {
		t.Errorf("%v, then %v", got, last)
	}
}

func TestEventsOfANode(t *testing.T) {
	t.Parallel()
	ee, _ := pair(t)
	ctx, cancel := context.WithCancel(limit(t))
	defer cancel()
	// The first message may go before the stream stands; later ones do not.
	go func() {
		for ctx.Err() == nil {
			m, err := ee.Send(ctx, letter, client.Part{Body: strings.NewReader("hello")})
			if err != nil {
				return
			}
			if _, err := ee.Wait(ctx, m.MessageID); err != nil {
				return
			}
		}
	}()
	for e, err := range ee.Events(ctx, "out", client.Acknowledged) {
		if err != nil {
			t.Fatal(err)
		}
		if e.State != client.Acknowledged || e.Direction != "out" || e.MessageID == "" {
			t.Errorf("%+v", e)
		}
		break
	}
	cancel()
	for _, err := range ee.Events(ctx, "") {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	ee, _ := pair(t)
	ctx := limit(t)
	if _, err := ee.Get(ctx, "nothing@nowhere/../x?y"); !errors.Is(err, client.ErrNotFound) {
		t.Errorf("%v", err)
	}
	if _, err := ee.Wait(ctx, "nothing@nowhere"); !errors.Is(err, client.ErrNotFound) {
		t.Errorf("%v", err)
	}
	if _, err := ee.Payload(ctx, "nothing@nowhere", 0); !errors.Is(err, client.ErrNotFound) {
		t.Errorf("%v", err)
	}
	var refused *client.Error
	if _, err := ee.Send(ctx, client.Submission{PMode: "none"}, client.Part{Body: bytes.NewReader(make([]byte, 10<<20))}); !errors.As(err, &refused) || refused.Status != http.StatusUnprocessableEntity || refused.Remedy == "" || refused.Temporary() {
		t.Errorf("%v", err)
	}
	if _, err := ee.Send(ctx, letter, client.Part{Name: "a", MimeType: "x\r\ny: z", Body: strings.NewReader("")}); err == nil {
		t.Error("a header was written by a media type")
	}
	boom := errors.New("boom")
	if _, err := ee.Send(ctx, letter, client.Part{Body: io.MultiReader(strings.NewReader("half"), failing{boom})}); !errors.Is(err, boom) {
		t.Errorf("a body that fails: %v", err)
	}
	stranger := client.New(ee.Address, "wrong")
	if _, err := stranger.Get(ctx, "1"); !errors.As(err, &refused) || refused.Status != http.StatusUnauthorized {
		t.Errorf("%v", err)
	}
	for _, err := range stranger.Events(ctx, "") {
		if !errors.As(err, &refused) || refused.Status != http.StatusUnauthorized {
			t.Errorf("%v", err)
		}
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestWebhooksAreProved(t *testing.T) {
	t.Parallel()
	secret, now := []byte("a secret of the two"), time.Unix(1_800_000_000, 0)
	body := []byte(`{"type":"message.state","state":"acknowledged","messageId":"a@b"}`)
	mac := hmac.New(sha256.New, secret)
	io.WriteString(mac, "1800000000."+string(body))
	good := "t=1800000000,v1=" + hex.EncodeToString(mac.Sum(nil))
	for _, c := range []struct {
		name, header string
		body         []byte
		secret       []byte
		at           time.Time
		ok           bool
	}{
		{"a call of the node", good, body, secret, now.Add(time.Minute), true},
		{"one with two signatures, during a change of secrets", good + ",v1=00", body, secret, now, true},
		{"no signature", "", body, secret, now, false},
		{"another body", good, append([]byte(" "), body...), secret, now, false},
		{"another secret", good, body, []byte("other"), now, false},
		{"another time", strings.Replace(good, "1800000000", "1800000001", 1), body, secret, now, false},
		{"an old call", good, body, secret, now.Add(time.Hour), false},
		{"a call from the future", good, body, secret, now.Add(-time.Hour), false},
		{"a signature that is none", "t=1800000000,v1=xyz", body, secret, now, false},
	} {
		e, err := client.VerifyWebhook(c.secret, http.Header{client.SignatureHeader: {c.header}}, c.body, c.at, 5*time.Minute)
		if c.ok && (err != nil || e.MessageID != "a@b" || e.State != client.Acknowledged) || !c.ok && !errors.Is(err, client.ErrSignature) {
			t.Errorf("%s: %+v %v", c.name, e, err)
		}
	}
}
