package node_test

import (
	"bytes"
	"context"
	"io"
	"path/filepath"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/setup"
	"github.com/viadukt-eu/viadukt/node/store"
)

// A pause shorter than the time for which a worker without work sleeps must not become that long.
func TestRetryComesWhenItIsDue(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	var made [2]*setup.Result
	for i, name := range []string{"ee", "pt"} {
		var err error
		made[i], err = setup.Create(setup.Params{Dir: filepath.Join(root, name), Network: filepath.Join(root, "network"), Country: "EE", Profile: "eu-edelivery", Now: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := setup.Agree(made[0], made[1], setup.Agreement{ID: "letters", Service: "urn:s", Action: "a"}); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(made[0].ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	c.Domains = nil
	c.Outbound.MaxAttempts, c.Outbound.FirstRetry, c.Outbound.Factor = 3, config.Duration(30*time.Millisecond), 1
	n, err := node.New(context.Background(), c, node.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Stop(context.Background()) })
	sent := false
	m, err := n.Accept(context.Background(), &node.Submission{PMode: "letters", Sender: "urn:id::a", Receiver: "urn:id::b", Next: func() (*node.SubmissionPart, error) {
		if sent {
			return nil, io.EOF
		}
		sent = true
		return &node.SubmissionPart{MimeType: "text/plain", Body: bytes.NewReader([]byte("x"))}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(20 * time.Second); ; {
		got, err := n.Store.Message(context.Background(), m.ID)
		if err != nil {
			t.Fatal(err)
		}
		if got.State == store.Failed {
			if got.Attempts != 3 {
				t.Errorf("%d attempts, want 3", got.Attempts)
			}
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the peer is down, 3 attempts 30 ms apart should be over: %s after %d", got.State, got.Attempts)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
