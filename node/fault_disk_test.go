package node_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/viadukt-eu/viadukt/internal/childnode"
	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/store"
)

// brokenStore answers every write, and every new payload, with an error while there is one.
type brokenStore struct {
	store.Store
	err     atomic.Pointer[error]
	refused atomic.Int64
}

func (s *brokenStore) fault() error {
	if err := s.err.Load(); err != nil {
		s.refused.Add(1)
		return *err
	}
	return nil
}

func (s *brokenStore) spoil(err error) { s.err.Store(&err) }
func (s *brokenStore) mend()           { s.err.Store(nil) }

func (s *brokenStore) Write(ctx context.Context, f func(store.Tx) error) error {
	if err := s.fault(); err != nil {
		return err
	}
	return s.Store.Write(ctx, f)
}

func (s *brokenStore) NewPayload() (store.PayloadWriter, error) {
	if err := s.fault(); err != nil {
		return nil, err
	}
	return s.Store.NewPayload()
}

// breakable lets a test spoil the store of a node.
func breakable(s **brokenStore) func(store.Store) store.Store {
	return func(inner store.Store) store.Store { *s = &brokenStore{Store: inner}; return *s }
}

var brokenDisks = map[string]struct {
	err    error
	status int
	code   string
}{
	"full":         {fmt.Errorf("test: %w", store.ErrDiskFull), http.StatusInsufficientStorage, "DISK_FULL"},
	"read-only":    {fmt.Errorf("test: %w", store.ErrReadOnly), http.StatusServiceUnavailable, "READ_ONLY"},
	"out of order": {errors.New("test: input/output error"), http.StatusInternalServerError, "INTERNAL"},
}

const letters = "/api/v1/messages?pmode=letters&sender=urn:id::a&receiver=urn:id::b"

// TestADiskThatTakesNothing: a node whose disk cannot be written refuses what it cannot keep and still shows what it has;
// partners and back offices are told to come back, and everything goes on by itself once it can.
func TestADiskThatTakesNothing(t *testing.T) {
	t.Parallel()
	for name, c := range brokenDisks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := agree(t)
			var disk *brokenStore
			ee, pt := begin(t, a, nil, nil), begin(t, b, nil, breakable(&disk))
			before := ee.send(t, letter(text("a", "before")))
			pt.until(t, store.In, before.MessageID, store.Delivered)
			ee.until(t, store.Out, before.MessageID, store.Acknowledged)

			disk.spoil(c.err)
			resp, body := pt.call(t, "POST", letters, "text/plain", strings.NewReader("one"))
			if e := decode[errorJSON](t, body).Error; resp.StatusCode != c.status || e.Code != c.code {
				t.Errorf("hand-over: %d %s", resp.StatusCode, body)
			}
			if resp, body := pt.call(t, "GET", "/api/v1/messages/"+before.MessageID+"/payloads/0", "", nil); resp.StatusCode != http.StatusOK || string(body) != "before" {
				t.Errorf("what is there is not shown: %d %s", resp.StatusCode, body)
			}
			m := ee.send(t, letter(text("a", "meanwhile")))
			eventually(t, "a second attempt", func() bool {
				got, err := ee.Store.ByMessageID(t.Context(), store.Out, m.MessageID)
				if err != nil || got.State.Dead() {
					t.Fatalf("%v, %+v", err, got)
				}
				return got.Attempts > 1 && strings.Contains(got.Error.Text, "503")
			})
			disk.mend()
			ee.until(t, store.Out, m.MessageID, store.Acknowledged)
			pt.until(t, store.In, m.MessageID, store.Delivered)
			if resp, body := pt.call(t, "POST", letters, "text/plain", strings.NewReader("two")); resp.StatusCode == c.status {
				t.Errorf("hand-over on a sound disk: %d %s", resp.StatusCode, body)
			}
			if n := pt.count(t, store.In); n != 2 {
				t.Errorf("%d messages arrived", n)
			}
		})
	}
}

// spoiling spoils the sender's disk as soon as the partner has answered.
type spoiling struct {
	disk  **brokenStore
	err   error
	asked atomic.Int64
}

func (s *spoiling) RoundTrip(r *http.Request) (*http.Response, error) {
	s.asked.Add(1)
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err == nil {
		(*s.disk).spoil(s.err)
	}
	return resp, err
}

// TestAReceiptOutlivesABrokenDisk: what a partner answered is recorded once it can be, and the message is not sent again.
func TestAReceiptOutlivesABrokenDisk(t *testing.T) {
	t.Parallel()
	for name, c := range brokenDisks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := agree(t)
			pt := begin(t, b, nil, nil)
			cfg, err := config.Load(a.ConfigFile)
			if err != nil {
				t.Fatal(err)
			}
			var disk *brokenStore
			client := &spoiling{disk: &disk, err: c.err}
			n, err := node.New(t.Context(), cfg, node.Options{Client: &http.Client{Transport: client}})
			if err != nil {
				t.Fatal(err)
			}
			n.Store = breakable(&disk)(n.Store)
			if err := n.Start(context.Background()); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { n.Stop(context.Background()) })
			ee := &gateway{n, a}
			m := ee.send(t, letter(text("a", "hello")))
			pt.until(t, store.In, m.MessageID, store.Delivered)
			eventually(t, "tries to record the receipt", func() bool { return disk.refused.Load() >= 3 })
			disk.mend()
			got := ee.until(t, store.Out, m.MessageID, store.Acknowledged)
			evidence, err := ee.Store.Evidence(t.Context(), got.ID)
			if err != nil || len(evidence) != 2 || got.Attempts != 1 || client.asked.Load() != 1 {
				t.Errorf("%d attempts, %d requests, %d pieces of evidence, %v", got.Attempts, client.asked.Load(), len(evidence), err)
			}
		})
	}
}

// TestAVolumeThatFillsUp is the same with a real volume that has no octet left.
func TestAVolumeThatFillsUp(t *testing.T) {
	t.Parallel()
	a, b := agree(t)
	cfg, err := config.Load(b.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	pt := &child{b, childnode.StartOnVolume(t, b.ConfigFile, "size=16m")}
	t.Cleanup(pt.Kill)
	ee := begin(t, a, nil, nil)
	before := ee.send(t, letter(text("a", "before")))
	ee.until(t, store.Out, before.MessageID, store.Acknowledged)
	ballast := filepath.Join(pt.Data(string(cfg.Node.DataDir)), "ballast")
	f, err := os.Create(ballast)
	if err != nil {
		t.Skip("this machine does not show the volume of another process: ", err)
	}
	for block := make([]byte, 4096); err == nil; { // to the last octet
		_, err = f.Write(block)
	}
	f.Close()
	req, err := http.NewRequest("POST", b.API+letters, bytes.NewReader(noise(1, 200_000)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+b.Token)
	if resp, body := do(t, req); resp.StatusCode != http.StatusInsufficientStorage {
		t.Errorf("hand-over: %d %s", resp.StatusCode, body)
	}
	var m node.MessageJSON
	if !pt.ask(t, "/api/v1/messages/"+before.MessageID, &m) || m.MessageID != before.MessageID {
		t.Errorf("what is there is not shown: %+v", m)
	}
	large, small := ee.send(t, letter(octets("a", noise(2, 200_000)))), ee.send(t, letter(text("a", "meanwhile")))
	eventually(t, "a second attempt", func() bool {
		got, err := ee.Store.ByMessageID(t.Context(), store.Out, large.MessageID)
		if err != nil || got.State.Dead() {
			t.Fatalf("%v, %+v", err, got)
		}
		return got.Attempts > 1
	})
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	for _, m := range []*store.Message{large, small} {
		ee.until(t, store.Out, m.MessageID, store.Acknowledged)
	}
	var list node.MessageListJSON
	if !pt.ask(t, "/api/v1/messages?direction=in", &list) {
		t.Fatal("no list")
	}
	// An attempt that came while there was room for a note of it, and none for the message, is listed as refused.
	arrived := slices.DeleteFunc(list.Messages, func(m node.MessageJSON) bool { return m.State == store.Rejected.String() })
	if len(arrived) != 3 {
		t.Errorf("%d messages arrived: %+v", len(arrived), list.Messages)
	}
}

// TestAVolumeThatIsReadOnly keeps a node from starting, with the reason.
func TestAVolumeThatIsReadOnly(t *testing.T) {
	t.Parallel()
	a, _ := agree(t)
	if out := childnode.FailsOnVolume(t, a.ConfigFile, "ro"); !strings.Contains(out, "read-only file system") {
		t.Errorf("it says %s", out)
	}
}
