package alert

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/node/backoffice"
	"github.com/viadukt-eu/viadukt/node/config"
)

// postOffice is a mail server of the test's own.
type postOffice struct {
	addr     string
	ca       string // file
	implicit bool
	offer    []string // extensions
	cert     tls.Certificate

	mu    sync.Mutex
	mails []letter
}

type letter struct {
	tls      bool
	user     string
	password string
	from     string
	to       []string
	text     []byte
}

func newPostOffice(t *testing.T, implicit bool, offer ...string) *postOffice {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mail"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	p := &postOffice{implicit: implicit, offer: offer, cert: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, ca: filepath.Join(t.TempDir(), "ca.pem")}
	if err := os.WriteFile(p.ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	p.addr = l.Addr().String()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(conn)
		}
	}()
	return p
}

func (p *postOffice) serve(conn net.Conn) {
	defer func() { conn.Close() }()
	conf := &tls.Config{Certificates: []tls.Certificate{p.cert}}
	got := letter{tls: p.implicit}
	if p.implicit {
		conn = tls.Server(conn, conf)
	}
	r := bufio.NewReader(conn)
	say := func(s string) { io.WriteString(conn, s+"\r\n") }
	ask := func(q string) string {
		say("334 " + base64.StdEncoding.EncodeToString([]byte(q)))
		line, _ := r.ReadString('\n')
		b, _ := base64.StdEncoding.DecodeString(strings.TrimSpace(line))
		return string(b)
	}
	say("220 post office")
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimSpace(line)
		switch word, rest, _ := strings.Cut(line, " "); word {
		case "EHLO":
			offer := p.offer
			if got.tls {
				offer = nil
				for _, o := range p.offer {
					if o != "STARTTLS" {
						offer = append(offer, o)
					}
				}
			}
			say("250-post.example")
			for _, o := range offer {
				say("250-" + o)
			}
			say("250 8BITMIME")
		case "STARTTLS":
			say("220 go on")
			conn = tls.Server(conn, conf)
			r, got.tls = bufio.NewReader(conn), true
		case "AUTH":
			if mech, first, _ := strings.Cut(rest, " "); mech == "PLAIN" {
				b, _ := base64.StdEncoding.DecodeString(first)
				f := strings.Split(string(b), "\x00")
				got.user, got.password = f[1], f[2]
			} else {
				got.user, got.password = ask("Username:"), ask("Password:")
			}
			if got.password != "right" {
				say("535 no")
				continue
			}
			say("235 welcome")
		case "MAIL":
			got.from, _, _ = strings.Cut(strings.TrimPrefix(rest, "FROM:"), " ")
			say("250 ok")
		case "RCPT":
			got.to = append(got.to, strings.TrimPrefix(rest, "TO:"))
			say("250 ok")
		case "DATA":
			say("354 go on")
			for {
				line, err := r.ReadBytes('\n')
				if err != nil {
					return
				}
				if string(line) == ".\r\n" {
					break
				}
				got.text = append(got.text, bytes.TrimPrefix(line, []byte("."))...)
			}
			p.mu.Lock()
			p.mails = append(p.mails, got)
			p.mu.Unlock()
			say("250 taken")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("500 what?")
		}
	}
}

func (p *postOffice) all() []letter {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mails
}

func secret(t *testing.T, value string) (s config.Secret) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(value+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.UnmarshalText([]byte("file:" + file)); err != nil {
		t.Fatal(err)
	}
	return s
}

func tell(t *testing.T, set Settings, notices ...Alert) error {
	t.Helper()
	c, err := New(Options{Settings: set, Node: "gate", Country: "AT", Version: "1", Store: &memory{}, Clock: func() time.Time { return start }})
	if err != nil {
		t.Fatal(err)
	}
	return c.Channels[0].Tell(context.Background(), "17", notices)
}

var (
	diskAlert = Alert{ID: "disk", Rule: "disk", Severity: Warning, Text: "disk-low", Args: []string{"900 MiB", "256 MiB"}, Since: start.Add(-time.Hour), Step: 1}
	overAlert = Alert{ID: "log-unsigned", Rule: "log-unsigned", Severity: Critical, Text: "log-unsigned", Args: []string{"span.minute 10"}, Since: start.Add(-time.Hour), Resolved: start, Step: 1}
)

func TestMailsAreSentUnderTLS(t *testing.T) {
	t.Parallel()
	for _, k := range []struct {
		name     string
		implicit bool
		offer    []string
		user     string
		password string
		strange  bool // the authority of the server is not known
		want     string
	}{
		{name: "STARTTLS with PLAIN", offer: []string{"STARTTLS", "AUTH PLAIN LOGIN"}, user: "node", password: "right"},
		{name: "STARTTLS with LOGIN", offer: []string{"STARTTLS", "AUTH LOGIN"}, user: "node", password: "right"},
		{name: "TLS from the start", implicit: true, offer: []string{"AUTH PLAIN"}, user: "node", password: "right"},
		{name: "without login", offer: []string{"STARTTLS"}},
		{name: "a wrong password", offer: []string{"STARTTLS", "AUTH PLAIN"}, user: "node", password: "wrong", want: "535"},
		{name: "a server that offers no TLS", offer: []string{"AUTH PLAIN"}, user: "node", password: "right", want: "offers no STARTTLS"},
		{name: "a server that nobody knows", offer: []string{"STARTTLS"}, strange: true, want: "certificate"},
		{name: "a server that takes no login", offer: []string{"STARTTLS"}, user: "node", password: "right", want: "takes no login"},
	} {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			p := newPostOffice(t, k.implicit, k.offer...)
			m := Mail{Server: p.addr, TLS: "starttls", CA: config.Path(p.ca), From: "Gate <gate@example.at>", To: []string{"a@example.at", "b@example.at"}, User: k.user}
			if k.implicit {
				m.TLS = "implicit"
			}
			if k.user != "" {
				m.Password = secret(t, k.password)
			}
			if k.strange {
				m.CA = ""
			}
			err := tell(t, Settings{Mail: []Mail{m}, TimeZone: "UTC"}, diskAlert, overAlert)
			if k.want != "" {
				if err == nil || !strings.Contains(err.Error(), k.want) || strings.Contains(err.Error(), k.password) && k.password != "" || len(p.all()) > 0 {
					t.Fatalf("got %v and %d mails, want %s", err, len(p.all()), k.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got := p.all()[0]
			if !got.tls || got.user != k.user || got.from != "<gate@example.at>" || strings.Join(got.to, " ") != "<a@example.at> <b@example.at>" {
				t.Errorf("%+v", got)
			}
			msg, err := mail.ReadMessage(bytes.NewReader(got.text))
			if err != nil {
				t.Fatal(err)
			}
			subject, err := new(mime.WordDecoder).DecodeHeader(msg.Header.Get("Subject"))
			if err != nil || subject != "[gate] Warnung: Nur 900 MiB sind frei auf dem Datenträger des Knotens; unter 256 MiB werden neue Nachrichten abgewiesen" {
				t.Errorf("%q %v", subject, err)
			}
			if msg.Header.Get("Auto-Submitted") != "auto-generated" || !strings.HasSuffix(msg.Header.Get("Message-Id"), "@example.at>") || msg.Header.Get("Date") != "Sat, 28 Nov 2026 10:00:00 +0000" {
				t.Errorf("%v", msg.Header)
			}
			body, err := io.ReadAll(quotedprintable.NewReader(msg.Body))
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{"Offen\r\n", "* Warnung: Nur 900 MiB", "seit 2026-11-28 09:00 UTC", "Platz schaffen", "Vorbei\r\n", "* kritisch: Das Protokoll der Nachweise ist seit 10 Minuten nicht signiert", "von 2026-11-28 09:00 UTC bis 2026-11-28 10:00 UTC", "Knoten gate"} {
				if !strings.Contains(string(body), want) {
					t.Errorf("the mail does not say %q:\n%s", want, body)
				}
			}
		})
	}
}

func TestAlertsAreSignedJSONForWebhooks(t *testing.T) {
	t.Parallel()
	const key = "0123456789abcdef0123456789abcdef"
	var got http.Header
	var body []byte
	status := http.StatusNoContent
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header
		body, _ = io.ReadAll(r.Body)
		w.WriteHeader(status)
	}))
	t.Cleanup(s.Close)
	set := Settings{AllowPrivate: true, Language: "en", Webhooks: []Webhook{{URL: config.URL(s.URL), Secret: secret(t, key)}}}
	if err := tell(t, set, diskAlert, overAlert); err != nil {
		t.Fatal(err)
	}
	if got.Get(backoffice.SignatureHeader) != backoffice.Sign([]byte(key), body, start) || got.Get(backoffice.DeliveryHeader) != "alert-17" {
		t.Errorf("%v", got)
	}
	var n Notice
	if err := json.Unmarshal(body, &n); err != nil {
		t.Fatal(err)
	}
	if n.Node != "gate" || len(n.Alerts) != 2 || n.Alerts[0].State != "open" || !strings.HasPrefix(n.Alerts[0].Text, "Only 900 MiB") || n.Alerts[1].State != "over" || n.Alerts[1].Resolved == nil {
		t.Errorf("%s", body)
	}
	status = http.StatusInternalServerError
	if err := tell(t, set, diskAlert); err == nil {
		t.Error("an answer of 500 counts as taken")
	}
	set.AllowPrivate = false
	if err := tell(t, set, diskAlert); err == nil {
		t.Error("the call went into the inner network")
	}
}

func TestSettingsThatCannotWork(t *testing.T) {
	t.Parallel()
	for _, k := range []struct{ name, text, want string }{
		{"good", `mail: [{server: "smtp.example.ee:587", from: a@b.ee, to: [c@d.ee], user: x, password: "env:X"}]`, ""},
		{"no port", `mail: [{server: smtp.example.ee, from: a@b.ee, to: [c@d.ee]}]`, "write host:port"},
		{"no address", `mail: [{server: "s:25", from: "a@b.ee\r\nBcc: x@y.ee", to: [c@d.ee]}]`, "is no mail address"},
		{"open line", `mail: [{server: "smtp.example.ee:25", tls: "off", from: a@b.ee, to: [c@d.ee]}]`, "tls off is for a server on this machine"},
		{"password on an open line", `mail: [{server: "127.0.0.1:25", tls: "off", from: a@b.ee, to: [c@d.ee], user: x, password: "env:X"}]`, "not sent without TLS"},
		{"password alone", `mail: [{server: "s:25", from: a@b.ee, to: [c@d.ee], password: "env:X"}]`, "belong together"},
		{"no time", `quiet: [{from: "25:00"}]`, "is no time of the day"},
		{"no zone", `timeZone: Mars/Olympus`, "is no time zone"},
		{"no rule", `rules: [{id: nothing}]`, `there is no rule "nothing"`},
	} {
		c, err := config.Parse("viadukt.yaml", "/", []byte("node: {name: a, country: EE}\nalerts:\n  "+k.text+"\n"))
		if err != nil {
			t.Fatal(err)
		}
		var s Settings
		err = config.Decode(c.Alerts, &s)
		if k.want == "" && err != nil || k.want != "" && (err == nil || !strings.Contains(err.Error(), k.want)) {
			t.Errorf("%s: got %v, want %q", k.name, err, k.want)
		}
	}
}
