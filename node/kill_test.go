package node_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/setup"
)

// childConfig names the configuration of the node that this binary runs instead of the tests.
const childConfig = "VIADUKT_TEST_NODE"

// TestMain also is the node that the kill test starts and kills.
func TestMain(m *testing.M) {
	if file := os.Getenv(childConfig); file != "" {
		if err := runChild(file); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// runChild runs a node until its parent dies or kills it.
func runChild(file string) error {
	c, err := config.Load(file)
	if err != nil {
		return err
	}
	c.Outbound.MaxAttempts, c.Outbound.FirstRetry, c.Outbound.Factor = 10_000, config.Duration(50*time.Millisecond), 1
	n, err := node.New(context.Background(), c, node.Options{})
	if err != nil {
		return err
	}
	if err := n.Start(context.Background()); err != nil {
		return err
	}
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin)
	return n.Stop(context.Background())
}

// child is a node in a process of its own.
type child struct {
	made *setup.Result
	cmd  *exec.Cmd
	in   io.Closer
}

func (c *child) start(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; {
		c.cmd = exec.Command(os.Args[0])
		c.cmd.Env = append(os.Environ(), childConfig+"="+c.made.ConfigFile)
		c.cmd.Stderr = t.Output()
		in, err := c.cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := c.cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.cmd.Start(); err != nil {
			t.Fatal(err)
		}
		c.in = in
		if line, _ := bufio.NewReader(out).ReadString('\n'); line == "ready\n" {
			return
		}
		c.cmd.Wait()
		if time.Now().After(deadline) {
			t.Fatal("a node does not start")
		}
	}
}

func (c *child) kill() {
	c.cmd.Process.Kill()
	c.cmd.Wait()
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
			nodes := [2]*child{{made: a}, {made: b}}
			for _, c := range nodes {
				c.start(t)
				defer func() { c.kill() }()
			}
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
				c.kill()
				c.start(t)
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
