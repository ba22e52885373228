package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/node/store"
)

// start is a moment with whole milliseconds.
var start = time.Date(2026, 5, 4, 9, 30, 0, 0, time.UTC)

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

func (c *clock) Add(d time.Duration) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	return c.now
}

func open(t *testing.T) (*Store, *clock) {
	t.Helper()
	s, c := reopen(t, t.TempDir())
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		checkFile(t, s.dir)
	})
	return s, c
}

func reopen(t *testing.T, dir string) (*Store, *clock) {
	t.Helper()
	c := &clock{now: start}
	s, err := Open(dir, Options{MinFree: -1, Clock: c.Now, Recorder: plainly{}})
	if err != nil {
		t.Fatal(err)
	}
	return s, c
}

// plainly records each happening as one line.
type plainly struct{}

func (plainly) Record(dst []byte, h *store.Happening) []byte {
	dst = fmt.Appendf(dst, "%s %s%s %s", h.What, h.MessageID, h.Subject, h.Detail)
	if h.What == store.OfMessage {
		if h.Before != 0 {
			dst = fmt.Appendf(dst, "%s > ", h.Before)
		}
		dst = fmt.Append(dst, h.State)
	}
	if h.Actor != "" {
		dst = append(dst, " by "+h.Actor...)
	}
	for _, o := range h.Objects {
		dst = fmt.Appendf(dst, " %s:%x", o.Kind, o.SHA256[:2])
	}
	return dst
}

// checkFile lets SQLite check its file, and compares the tally with the rows.
func checkFile(t *testing.T, dir string) {
	t.Helper()
	c, err := openConn(dsn(filepath.Join(dir, databaseFile), nil))
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	err = c.query("PRAGMA integrity_check", func(v row) error {
		if v.text(0) != "ok" {
			t.Error("integrity_check:", v.text(0))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	wrong, err := c.queryInt(`SELECT count(*) FROM
		(SELECT domain, direction, state, n FROM tally WHERE n <> 0 EXCEPT SELECT domain, direction, state, count(*) FROM message GROUP BY 1, 2, 3)`)
	if err != nil || wrong != 0 {
		t.Errorf("%d wrong rows in tally, %v", wrong, err)
	}
	missing, err := c.queryInt(`SELECT count(*) FROM
		(SELECT domain, direction, state, count(*) FROM message GROUP BY 1, 2, 3 EXCEPT SELECT domain, direction, state, n FROM tally)`)
	if err != nil || missing != 0 {
		t.Errorf("%d missing rows in tally, %v", missing, err)
	}
	bad, err := c.queryInt("SELECT count(*) FROM message WHERE (grave <> 0) <> (state IN (?1, ?2)) OR leased AND (due IS NULL OR lease_owner IS NULL) OR NOT leased AND lease_owner IS NOT NULL",
		int64(store.Failed), int64(store.Rejected))
	if err != nil || bad != 0 {
		t.Errorf("%d messages that contradict themselves, %v", bad, err)
	}
}

var ctx = context.Background()

func write(t *testing.T, s *Store, f func(t store.Tx) error) {
	t.Helper()
	if err := s.Write(ctx, f); err != nil {
		t.Fatal(err)
	}
}

// outgoing is a message with every field set.
func outgoing(id string) *store.Message {
	return &store.Message{
		Direction: store.Out, State: store.Queued, MessageID: id, ConversationID: "conv", RefToMessageID: "ref@a", SenderKey: "key",
		Domain: "generic", PMode: "pm", Profile: "eu-edelivery", From: "t::c2", To: "t::c3", Sender: "s::c1", Receiver: "s::c4",
		Service: "svc", ServiceType: "type", Action: "act", Test: true, Peer: "ap.example",
		Error: store.Problem{Code: "EBMS:0005", Text: "text", Remedy: "remedy"}, Header: []byte("header"),
	}
}

func insert(t *testing.T, s *Store, m *store.Message) int64 {
	t.Helper()
	write(t, s, func(tx store.Tx) error { return tx.Insert(m) })
	return m.ID
}

func incoming(id, sender string) *store.Message {
	return &store.Message{Direction: store.In, State: store.Received, MessageID: id, SenderKey: sender, Domain: "generic", Peer: "delivery"}
}

func transition(t *testing.T, s *Store, id int64, to store.State, c store.Change) {
	t.Helper()
	write(t, s, func(tx store.Tx) error { return tx.Transition(id, to, c) })
}

func message(t *testing.T, s *Store, id int64) *store.Message {
	t.Helper()
	m, err := s.Message(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func is(t *testing.T, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("got error %v, want %v", got, want)
	}
}

// payload spools octets; the writer stays open until the test ends.
func payload(t *testing.T, s *Store, data []byte) store.PayloadRef {
	t.Helper()
	w, err := s.NewPayload()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	ref, err := w.Seal()
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func octetsOf(t *testing.T, s *Store, r store.PayloadRef) []byte {
	t.Helper()
	f, err := s.OpenPayload(ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestMain also is the child process of the crash tests.
func TestMain(m *testing.M) {
	if job := os.Getenv("VIADUKT_STORE_CHILD"); job != "" {
		os.Exit(child(job, os.Getenv("VIADUKT_STORE_DIR")))
	}
	os.Exit(m.Run())
}
