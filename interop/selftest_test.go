package interop

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/internal/selftest"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// phase4Differs are cases in which phase4 does something else than the assertion says: what it does, and why, where that is
// known. One that does as it says again fails the test.
var phase4Differs = map[string]string{
	"AS4_CP_TA30":  "EBMS:0004 Other", // this program of its reads payloads in a handler, whose failure becomes 0004
	"VK_WRAPPING":  "neither an error nor a fault",
	"VK_REPLAY":    "EBMS:0004 Other", // a duplicate is an error to it
	"VK_PARALLEL":  "EBMS:0004 Other",
	"VK_BOMB":      "a receipt where an error should be",
	"VK_DOCTYPE":   "HTTP status 200, 0 octets", // no receipt either
	"VK_TRUNCATED": "HTTP status 500, 0 octets",
	"VK_NO_SOAP":   "HTTP status 200, 0 octets",
}

// TestPhase4AnswersTheAssertions lets the self-test judge phase4: what a receiver shows on the wire.
func TestPhase4AnswersTheAssertions(t *testing.T) {
	t.Parallel()
	p := phase4Profiles[0]
	_, url, _ := p.receiver(t, nil)
	g := start(t, p.ours, func(_ string, c tree) { partner(c, p.ours, url, nil) })
	c, err := config.Load(g.Config.File())
	if err != nil {
		t.Fatal(err)
	}
	cases, err := selftest.Select(nil)
	if err != nil {
		t.Fatal(err)
	}
	results := map[string]*selftest.Result{}
	rep, err := selftest.Run(t.Context(), selftest.Options{Peer: url, Config: c, PMode: "bilateral", Patience: time.Minute}, func(r *selftest.Result) { results[r.ID] = r })
	if err != nil {
		t.Fatal(err)
	}
	judged := 0
	for _, k := range cases {
		r := results[k.ID]
		if r.Verdict == selftest.NotApplicable || r.Verdict == selftest.NotTestable {
			if k.Peer {
				t.Logf("%s: %s: %s", r.ID, r.Verdict, r.Seen)
			}
			continue
		}
		judged++
		t.Run(k.ID, func(t *testing.T) {
			e := entry(t, p.name(), sent, took)
			e.what = k.ID + " " + k.Predicate
			e.detail = string(r.Verdict)
			why, differs := phase4Differs[k.ID]
			switch {
			case differs && r.Verdict != selftest.Fail:
				t.Errorf("%s now: it is listed as different: %s", r.Verdict, why)
			case differs && !strings.Contains(r.Seen, why):
				t.Errorf("%s: %s, listed is %s", r.Verdict, r.Seen, why)
			case differs:
				e.detail = "differs: " + r.Seen
			case r.Verdict != selftest.Pass:
				t.Errorf("%s (%s): %s", r.Verdict, k.Level, r.Seen)
			}
		})
	}
	if judged < 25 || !slices.ContainsFunc(rep.Results, func(r *selftest.Result) bool { return r.ID == "AS4_CP_TA01" && r.Verdict == selftest.Pass }) {
		t.Errorf("%d assertions were judged", judged)
	}
}

// TestPhase4SendsByTheAssertions judges what phase4 sends, octet for octet as a proxy in front of the node sees it.
func TestPhase4SendsByTheAssertions(t *testing.T) {
	t.Parallel()
	phase4.need(t)
	p := phase4Profiles[0]
	g := start(t, p.ours, func(_ string, c tree) { partner(c, p.ours, "", nil) })
	target, err := url.Parse("http://" + g.Addr("as4"))
	if err != nil {
		t.Fatal(err)
	}
	type request struct {
		contentType string
		body        []byte
	}
	seen := make(chan request, 16)
	onward := httputil.NewSingleHostReverseProxy(target)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		seen <- request{r.Header.Get("Content-Type"), b}
		r.Body = io.NopCloser(bytes.NewReader(b))
		onward.ServeHTTP(w, r)
	}))
	t.Cleanup(proxy.Close)

	read := func(name string) []byte {
		b, err := os.ReadFile(phase4.pki(name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	receiver, err := pki.LoadIdentity(read("ap1.p12"), "changeit")
	if err != nil {
		t.Fatal(err)
	}
	sender, err := pki.ParsePEMCertificates(read("ap2.pem"))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "invoice.xml")
	if err := os.WriteFile(file, invoice, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what  string
		args  []string
		files int
		test  bool
	}{
		{"one document", nil, 1, false},
		{"three documents", nil, 3, false},
		{"a ping", []string{"--service", ebmsService, "--action", ebmsTest}, 1, true},
	} {
		args := append([]string{"--compress", "--to", proxy.URL + "/as4"}, c.args...)
		m := selftest.Sent{Sender: sender[0], Receiver: receiver, Test: c.test, Original: "c1", Final: "c4"}
		for range c.files {
			args = append(args, "--payload", file)
			m.Payloads, m.Types = append(m.Payloads, invoice), append(m.Types, "application/xml")
		}
		result := p.transmit(t, g, nil, args...)[0]
		if !result.is("ok") {
			t.Fatalf("%v", result)
		}
		g.until(t, store.In, result.text("messageId"), store.Delivered, store.Confirmed)
		r := <-seen
		m.ContentType, m.Body = r.contentType, r.body
		verdicts := m.Judge()
		if len(verdicts) < 6 {
			t.Errorf("%s: %d verdicts", c.what, len(verdicts))
		}
		for id, err := range verdicts {
			t.Run(id+" of "+c.what, func(t *testing.T) {
				entry(t, p.name(), received, took).detail = "the sender's part"
				if err != nil {
					t.Error(err)
				}
			})
		}
	}
}
