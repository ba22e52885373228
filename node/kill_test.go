package node_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/internal/childnode"
	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/setup"
)

// TestMain also is the node that tests start and kill.
func TestMain(m *testing.M) {
	childnode.Main(m, childnode.Options{Tune: func(c *config.Config) {
		c.Outbound.MaxAttempts, c.Outbound.FirstRetry, c.Outbound.Factor = 10_000, config.Duration(50*time.Millisecond), 1
	}})
}

// child is a node in a process of its own, with what its operator knows of it.
type child struct {
	made *setup.Result
	*childnode.Child
}

// startChild runs the node of a configuration. It is killed with the test.
func startChild(t *testing.T, made *setup.Result) *child {
	t.Helper()
	c := &child{made, childnode.Start(t, made.ConfigFile)}
	t.Cleanup(c.Kill)
	return c
}

// ask reads the API, which may be away.
func (c *child) ask(t *testing.T, path string, into any) bool {
	t.Helper()
	req, err := http.NewRequest("GET", c.made.API+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+c.made.Token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return false
	}
	if raw, ok := into.(*[]byte); ok {
		*raw = b
		return true
	}
	return json.Unmarshal(b, into) == nil
}

// TestNodesAreKilledInTheMiddleOfAMessage kills sender and receiver in turn while messages travel, in pieces and by pull:
// each arrives once, and is acknowledged.
func TestNodesAreKilledInTheMiddleOfAMessage(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts and kills processes")
	}
	for name, way := range map[string]func(t testing.TB) (a, b *setup.Result){
		"in pieces":            func(t testing.TB) (a, b *setup.Result) { return agreeSplit(t, "") },
		"in compressed pieces": func(t testing.TB) (a, b *setup.Result) { return agreeSplit(t, ", compression: true") },
		"by pull":              agreePull,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := way(t)
			nodes := [2]*child{startChild(t, a), startChild(t, b)}
			payload := noise(11, 4_000_000)
			var m node.MessageJSON
			req, err := http.NewRequest("POST", a.API+"/api/v1/messages?pmode=letters&sender=urn:id::a&receiver=urn:id::b", bytes.NewReader(payload))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+a.Token)
			req.Header.Set("Content-Type", "application/octet-stream")
			resp, body := do(t, req)
			if resp.StatusCode != http.StatusAccepted {
				t.Fatalf("%d %s", resp.StatusCode, body)
			}
			m = decode[node.MessageJSON](t, body)
			for i := range 8 {
				time.Sleep(time.Duration(20+37*i%90) * time.Millisecond) // somewhere in the middle of the work
				c := nodes[i%2]
				c.Kill()
				c.Start(t)
			}
			path := "/api/v1/messages/" + m.MessageID
			eventually(t, "an acknowledged message", func() bool {
				var got node.MessageJSON
				return nodes[0].ask(t, path, &got) && got.State == "acknowledged"
			})
			var list node.MessageListJSON
			eventually(t, "a delivered message", func() bool {
				return nodes[1].ask(t, "/api/v1/messages?direction=in", &list) && len(list.Messages) > 0 && list.Messages[0].State == "delivered"
			})
			if len(list.Messages) != 1 {
				t.Fatalf("%d messages arrived: %+v", len(list.Messages), list.Messages)
			}
			var got []byte
			if !nodes[1].ask(t, path+"/payloads/0", &got) || sha256.Sum256(got) != sha256.Sum256(payload) {
				t.Errorf("the payload differs: %d octets", len(got))
			}
		})
	}
}
