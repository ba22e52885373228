package node_test

import (
	"bytes"
	"context"
	crand "crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/setup"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// gateway is a node of the tests with what its operator knows of it.
type gateway struct {
	*node.Node
	made *setup.Result
}

// loopback is an address of this machine that no other test uses, so that a port that is free when a configuration is
// written is free when the node starts. Systems other than Linux have one such address only.
func loopback() string {
	if runtime.GOOS != "linux" {
		return "127.0.0.1"
	}
	return fmt.Sprintf("127.%d.%d.%d", 1+rand.IntN(254), rand.IntN(256), 1+rand.IntN(254))
}

// letterKeys are those of all nodes of [agree], made once: what is the same in each test need not be made in each. Their
// certificates differ, and so do the authorities of two networks.
var letterKeys = [2]func() pki.Key{sync.OnceValue(letterKey), sync.OnceValue(letterKey)}

func letterKey() pki.Key { return must(pki.GenerateKey(crand.Reader, pki.RSA2048)) }

// agree makes two nodes that agreed on one kind of message, "letters", without starting them.
func agree(t testing.TB) (ee, pt *setup.Result) {
	t.Helper()
	return agreeBy(t, "eu-edelivery")
}

func agreeBy(t testing.TB, profile string) (ee, pt *setup.Result) {
	t.Helper()
	root := t.TempDir()
	var made [2]*setup.Result
	for i, name := range []string{"ee", "pt"} {
		p := setup.Params{Dir: filepath.Join(root, name), Network: filepath.Join(root, "network"), Country: "EE", Profile: profile, Host: loopback(), Inbox: true, Now: time.Now()}
		if profile == "eu-edelivery" {
			p.Certificate = func(c *pki.Template) { c.Key = letterKeys[i]() }
		}
		var err error
		if made[i], err = setup.Create(p); err != nil {
			t.Fatal(err)
		}
	}
	if err := setup.Agree(made[0], made[1], setup.Agreement{ID: "letters", Service: "urn:test:letters", Action: "deliver", Profile: profile}); err != nil {
		t.Fatal(err)
	}
	return made[0], made[1]
}

// begin makes a node of a configuration and starts it. It is stopped with the test.
func begin(t *testing.T, r *setup.Result, change func(*config.Config), wrap func(store.Store) store.Store) *gateway {
	t.Helper()
	c, err := config.Load(r.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	c.Outbound.FirstRetry, c.Outbound.Factor, c.Folders.Poll = config.Duration(20*time.Millisecond), 1, config.Duration(20*time.Millisecond)
	c.Outbound.MaxAttempts = 1000
	if change != nil {
		change(c)
	}
	n, err := node.New(context.Background(), c, node.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if wrap != nil {
		n.Store = wrap(n.Store)
	}
	if err := n.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Stop(context.Background()) })
	return &gateway{n, r}
}

// parts gives a submission these payloads, in this order.
func parts(list ...node.SubmissionPart) func() (*node.SubmissionPart, error) {
	return func() (*node.SubmissionPart, error) {
		if len(list) == 0 {
			return nil, io.EOF
		}
		p := list[0]
		list = list[1:]
		return &p, nil
	}
}

func text(name, content string) node.SubmissionPart {
	return node.SubmissionPart{Name: name, MimeType: "text/plain", Body: bytes.NewReader([]byte(content))}
}

// letter is a submission by the agreement of the tests.
func letter(list ...node.SubmissionPart) *node.Submission {
	return &node.Submission{PMode: "letters", Sender: "urn:oasis:names:tc:ebcore:partyid-type:unregistered::alice", Receiver: "urn:oasis:names:tc:ebcore:partyid-type:unregistered::bob", Next: parts(list...)}
}

func (g *gateway) send(t *testing.T, s *node.Submission) *store.Message {
	t.Helper()
	m, err := g.Accept(context.Background(), s)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// patience is how long a test waits for what must come: long enough for a machine that has much else to do.
const patience = 2 * time.Minute

// until waits for a message to reach a state.
func (g *gateway) until(t *testing.T, d store.Direction, messageID string, want store.State) *store.Message {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		m, err := g.Store.ByMessageID(context.Background(), d, messageID)
		if err == nil && m.State == want {
			return m
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			t.Fatal(err)
		}
		if time.Now().After(deadline) {
			t.Fatalf("message %s does not become %s: %+v %v", messageID, want, m, err)
		}
	}
}

// eventually polls until it holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s does not come", what)
		}
	}
}

// call asks the API with the node's token.
func (g *gateway) call(t *testing.T, method, path, contentType string, body io.Reader) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequest(method, "http://"+g.Addr("api")+path, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+g.made.Token)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	return do(t, req)
}

func do(t *testing.T, req *http.Request) (*http.Response, []byte) {
	t.Helper()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, b
}

// decode reads a JSON answer.
func decode[T any](t *testing.T, b []byte) (v T) {
	t.Helper()
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	return v
}
