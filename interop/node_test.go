package interop

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net"
	"net/http"
	"net/textproto"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/viadukt-eu/viadukt/domains/procurement"
	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/setup"
	"github.com/viadukt-eu/viadukt/node/store"
)

// gateway is a node under test: party POP000001 of phase4's test PKI, or POP000002.
type gateway struct {
	*node.Node
	token   string
	profile string
}

// tree is a part of a configuration file.
type tree = map[string]any

// start makes a node as "viadukt init" does, gives it keys and trust of phase4's test PKI, lets change see its
// configuration, and runs it.
func start(t *testing.T, profile string, change func(dir string, c tree)) *gateway {
	t.Helper()
	return startAs(t, 1, profile, change)
}

func startAs(t *testing.T, party int, profile string, change func(dir string, c tree)) *gateway {
	t.Helper()
	dir := t.TempDir()
	r, err := setup.Create(setup.Params{Dir: filepath.Join(dir, "node"), Network: filepath.Join(dir, "network"), Country: "EE", Profile: profile, Now: time.Now(), Base: ports(t, 4)})
	if err != nil {
		t.Fatal(err)
	}
	c := readConfig(t, r.ConfigFile)
	sign, encrypt := keyNames(profile)
	as4 := c["as4"].(tree)
	key := func(name string) tree {
		return tree{"key": phase4.pki(fmt.Sprintf("ap%d%s.p12", party, name)), "password": "env:VIADUKT_INTEROP_PASSWORD"}
	}
	as4["party"].(tree)["id"] = fmt.Sprintf("POP%06d", party)
	as4["signing"] = key(sign)
	if sign != encrypt {
		as4["encryption"] = key(encrypt)
	}
	as4["trust"] = []any{
		tree{"file": phase4.pki("trust.pem"), "purposes": []string{"access-point"}},
		tree{"file": "trust/publishers.pem", "purposes": []string{"smp"}},
	}
	if profile != "peppol" {
		for _, section := range []string{"domains", "smp", "discovery", "registry"} {
			delete(c, section) // only what is agreed is sent and received
		}
	}
	if change != nil {
		change(filepath.Dir(r.ConfigFile), c)
	}
	writeConfig(t, r.ConfigFile, c)
	return run(t, r.ConfigFile, r.Token, profile)
}

var nextPort struct {
	sync.Mutex
	n int
}

// ports finds n free ports in a row, below those that the system gives to others.
func ports(t *testing.T, n int) int {
	t.Helper()
	nextPort.Lock()
	defer nextPort.Unlock()
	if nextPort.n == 0 {
		nextPort.n = 10_000 + os.Getpid()%200*100
	}
	for range 1000 {
		base := nextPort.n
		if nextPort.n += n; nextPort.n > 31_000 {
			nextPort.n = 10_000
		}
		free := true
		for p := base; p < base+n && free; p++ {
			l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(p)))
			if free = err == nil; free {
				l.Close()
			}
		}
		if free {
			return base
		}
	}
	t.Fatal("no free ports")
	return 0
}

// keyNames are what the files of a profile's keys in the PKI have behind "ap1".
func keyNames(profile string) (sign, encrypt string) {
	switch profile {
	case "eu-edelivery2":
		return "-ed25519", "-x25519"
	case "eu-edelivery2-ec":
		return "-p256", "-p256"
	}
	return "", ""
}

func init() {
	if err := os.Setenv("VIADUKT_INTEROP_PASSWORD", "changeit"); err != nil {
		panic(err)
	}
}

func readConfig(t *testing.T, file string) tree {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	c := tree{}
	if err := yaml.Unmarshal(b, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func writeConfig(t *testing.T, file string, c tree) {
	t.Helper()
	b, err := yaml.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// run starts a node and stops it when the test ends.
func run(t *testing.T, file, token, profile string) *gateway {
	t.Helper()
	c, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	n, err := node.New(context.Background(), c, node.Options{Domains: []node.Domain{procurement.New()}, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Stop(context.Background()); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return &gateway{n, token, profile}
}

// partner adds the phase4 party POP000002 and a P-Mode with it. settings may override the P-Mode's.
func partner(c tree, profile, url string, settings tree) { partnerOf(c, 1, profile, url, settings) }

// partnerOf does it for the node that is party 1 or 2; the partner is the other one.
func partnerOf(c tree, us int, profile, url string, settings tree) {
	sign, encrypt := keyNames(profile)
	them := fmt.Sprintf("ap%d", 3-us)
	p := tree{"name": "partner", "id": fmt.Sprintf("POP%06d", 3-us), "certificates": []string{phase4.pki(them + sign + ".pem")}}
	if sign != encrypt {
		p["encryption"] = phase4.pki(them + encrypt + ".pem")
	}
	if url != "" {
		p["url"] = url
	}
	pm := tree{"id": "bilateral", "partner": "partner", "service": "urn:s", "action": "urn:a", "firstRetry": "1s", "maxAttempts": 3}
	for k, v := range settings {
		switch k {
		case "certificates", "signToken", "encryptToken":
			p[k] = v
		default:
			pm[k] = v
		}
	}
	c["partners"], c["pmodes"] = []any{p}, []any{pm}
}

func (g *gateway) url() string { return "http://" + g.Addr("as4") + "/as4" }

// part is one payload of a submission.
type part struct {
	mimeType string
	open     func() io.Reader
}

func octets(mimeType string, b []byte) part {
	return part{mimeType, func() io.Reader { return bytes.NewReader(b) }}
}

// submit hands a message to the node as a back office does, and returns its id.
func (g *gateway) submit(t *testing.T, message tree, parts ...part) string {
	t.Helper()
	status, body := g.post(t, message, parts...)
	if status != http.StatusAccepted {
		t.Fatalf("submission: %d %s", status, body)
	}
	var m node.MessageJSON
	if err := json.Unmarshal(body, &m); err != nil {
		t.Fatal(err)
	}
	return m.MessageID
}

// post streams a submission.
func (g *gateway) post(t *testing.T, message tree, parts ...part) (int, []byte) {
	t.Helper()
	pr, pw := io.Pipe()
	mw := multipart.NewWriter(pw)
	go func() {
		err := func() error {
			w, err := mw.CreatePart(textproto.MIMEHeader{"Content-Disposition": {`form-data; name="message"`}, "Content-Type": {"application/json"}})
			if err != nil {
				return err
			}
			if err := json.NewEncoder(w).Encode(message); err != nil {
				return err
			}
			for i, p := range parts {
				if w, err = mw.CreatePart(textproto.MIMEHeader{"Content-Disposition": {fmt.Sprintf(`form-data; name="part%d"`, i)}, "Content-Type": {p.mimeType}}); err != nil {
					return err
				}
				if _, err := io.Copy(w, p.open()); err != nil {
					return err
				}
			}
			return mw.Close()
		}()
		pw.CloseWithError(err)
	}()
	return g.call(t, "POST", "/api/v1/messages", mw.FormDataContentType(), pr)
}

// call asks the API.
func (g *gateway) call(t *testing.T, method, path, contentType string, body io.Reader) (int, []byte) {
	t.Helper()
	req, err := http.NewRequest(method, "http://"+g.Addr("api")+path, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+g.token)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, b
}

// payload reads a payload of a message, as it travelled.
func (g *gateway) payload(t *testing.T, m *store.Message, i int) []byte {
	t.Helper()
	status, b := g.call(t, "GET", "/api/v1/messages/"+strconv.FormatInt(m.ID, 10)+"/payloads/"+strconv.Itoa(i)+"?raw", "", nil)
	if status != http.StatusOK {
		t.Fatalf("payload %d: %d %s", i, status, b)
	}
	return b
}

// until waits for a message to get into one of the states.
func (g *gateway) until(t *testing.T, d store.Direction, messageID string, want ...store.State) *store.Message {
	t.Helper()
	deadline := time.Now().Add(5 * patience)
	for {
		m, err := g.Store.ByMessageID(context.Background(), d, messageID)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			t.Fatal(err)
		}
		if err == nil {
			for _, s := range want {
				if m.State == s {
					return m
				}
			}
			if m.State == store.Failed || m.State == store.Acknowledged || m.State == store.Rejected {
				t.Fatalf("message %s is %s, want %s: %+v", messageID, m.State, want, m.Error)
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("message %s is still %+v, want %s", messageID, m, want)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// evidence of a message, by kind.
func (g *gateway) evidence(t *testing.T, m *store.Message) map[store.Kind][]store.Evidence {
	t.Helper()
	all, err := g.Store.Evidence(context.Background(), m.ID)
	if err != nil {
		t.Fatal(err)
	}
	byKind := map[store.Kind][]store.Evidence{}
	for _, e := range all {
		byKind[e.Kind] = append(byKind[e.Kind], e)
	}
	return byKind
}

// absent fails when a message was stored.
func (g *gateway) absent(t *testing.T, messageID string) {
	t.Helper()
	if m, err := g.Store.ByMessageID(context.Background(), store.In, messageID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("message %s is stored: %+v, %v", messageID, m, err)
	}
}
