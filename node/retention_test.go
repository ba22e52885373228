package node_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/audit"
	"github.com/viadukt-eu/viadukt/node/audit/merkle"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/store"
)

// still makes a node that does not run, whose clock the test moves.
func still(t *testing.T, change func(*config.Config)) (n *node.Node, move func(time.Duration)) {
	t.Helper()
	ee, _ := agree(t)
	c, err := config.Load(ee.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	change(c)
	now := &atomic.Int64{}
	now.Store(time.Now().UnixMilli())
	n, err = node.New(context.Background(), c, node.Options{Clock: func() time.Time { return time.UnixMilli(now.Load()) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Stop(context.Background()) })
	return n, func(d time.Duration) { now.Add(d.Milliseconds()) }
}

// stored stores a message with a small and a large payload, and moves it through states.
func stored(t *testing.T, n *node.Node, d store.Direction, id string, states ...store.State) *store.Message {
	t.Helper()
	m := &store.Message{Direction: d, State: states[0], MessageID: id, SenderKey: "p", PMode: "letters", Peer: "p", Header: []byte("header")}
	for _, octets := range [][]byte{[]byte("small " + id), bytes.Repeat([]byte("large "+id), 5000)} {
		w, err := n.Store.NewPayload()
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		if _, err := w.Write(octets); err != nil {
			t.Fatal(err)
		}
		ref, err := w.Seal()
		if err != nil {
			t.Fatal(err)
		}
		m.Payloads = append(m.Payloads, store.Payload{PayloadRef: ref})
	}
	err := n.Store.Write(context.Background(), func(tx store.Tx) error {
		if err := tx.Insert(m); err != nil {
			return err
		}
		for _, s := range states[1:] {
			if err := tx.Transition(m.ID, s, store.Change{}); err != nil {
				return err
			}
		}
		return tx.PutEvidence(m.ID, store.Evidence{Kind: store.KindReceipt, Octets: []byte("receipt of " + id)})
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// kept says what there is of each message: "all", "no payloads" or "nothing".
func kept(t *testing.T, n *node.Node, list ...*store.Message) (out []string) {
	t.Helper()
	for _, m := range list {
		got, err := n.Store.Message(context.Background(), m.ID)
		switch {
		case errors.Is(err, store.ErrNotFound):
			out = append(out, "nothing")
		case err != nil:
			t.Fatal(err)
		case got.Payloads[0].Gone && got.Payloads[1].Gone:
			out = append(out, "no payloads")
		default:
			for i := range got.Payloads {
				r, err := n.Store.OpenPayload(context.Background(), got.Payloads[i].PayloadRef)
				if err != nil {
					t.Fatal(err)
				}
				r.Close()
			}
			out = append(out, "all")
		}
	}
	return out
}

func payloadFiles(t *testing.T, n *node.Node) int {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(string(n.Config.Node.DataDir), "payloads", "??", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

func retain(t *testing.T, n *node.Node) node.Retained {
	t.Helper()
	r, err := n.Retain(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestNothingIsDeletedByDefault(t *testing.T) {
	t.Parallel()
	n, move := still(t, func(*config.Config) {})
	m := stored(t, n, store.Out, "a", store.Queued, store.Failed)
	move(5 * 365 * 24 * time.Hour)
	if r := retain(t, n); r != (node.Retained{}) {
		t.Errorf("%+v", r)
	}
	if got := kept(t, n, m); !slices.Equal(got, []string{"all"}) {
		t.Errorf("kept %q", got)
	}
}

func TestRetentionFollowsDirectionStateAndAge(t *testing.T) {
	t.Parallel()
	const day = config.Duration(24 * time.Hour)
	n, move := still(t, func(c *config.Config) {
		c.Folders.Inbox = "" // what arrives waits to be fetched
		c.Retention.In = config.Kept{Payloads: 10 * day, Messages: 20 * day, Failed: 30 * day}
		c.Retention.Out = config.Kept{Messages: 15 * day}
	})
	list := []*store.Message{
		stored(t, n, store.In, "confirmed", store.Received, store.Confirmed),
		stored(t, n, store.In, "unfetched", store.Received, store.Delivered),
		stored(t, n, store.In, "in-failed", store.Received, store.Failed),
		stored(t, n, store.In, "waits", store.Received),
		stored(t, n, store.Out, "acknowledged", store.Queued, store.Sending, store.Acknowledged),
		stored(t, n, store.Out, "out-failed", store.Queued, store.Failed),
		stored(t, n, store.Out, "queued", store.Queued),
	}
	for _, step := range []struct {
		after time.Duration
		want  []string
		did   node.Retained
		files int
	}{
		{9 * 24 * time.Hour, []string{"all", "all", "all", "all", "all", "all", "all"}, node.Retained{}, 7},
		{2 * 24 * time.Hour, []string{"no payloads", "all", "all", "all", "all", "all", "all"}, node.Retained{Payloads: 1}, 6},
		{5 * 24 * time.Hour, []string{"no payloads", "all", "all", "all", "nothing", "all", "all"}, node.Retained{Messages: 1}, 5},
		{5 * 24 * time.Hour, []string{"nothing", "all", "all", "all", "nothing", "all", "all"}, node.Retained{Messages: 1}, 5},
		{10 * 24 * time.Hour, []string{"nothing", "nothing", "nothing", "all", "nothing", "all", "all"}, node.Retained{Messages: 2}, 3},
		{500 * 24 * time.Hour, []string{"nothing", "nothing", "nothing", "all", "nothing", "all", "all"}, node.Retained{}, 3},
	} {
		move(step.after)
		did := retain(t, n)
		if got := kept(t, n, list...); did != step.did || !slices.Equal(got, step.want) || payloadFiles(t, n) != step.files {
			t.Errorf("did %+v, kept %q with %d files; want %+v, %q, %d", did, got, payloadFiles(t, n), step.did, step.want, step.files)
		}
	}
}

func TestAMessageInAFolderHasComeToItsEnd(t *testing.T) {
	t.Parallel()
	n, move := still(t, func(c *config.Config) {
		c.Retention.In.Payloads, c.Retention.In.Failed = config.Duration(time.Hour), config.Duration(2*time.Hour)
	})
	m := stored(t, n, store.In, "delivered", store.Received, store.Delivered)
	move(3 * time.Hour)
	retain(t, n)
	if got := kept(t, n, m); !slices.Equal(got, []string{"no payloads"}) {
		t.Errorf("kept %q", got)
	}
}

func TestWhatIsDeletedLeavesASignedNoteWithItsHashes(t *testing.T) {
	t.Parallel()
	n, move := still(t, func(c *config.Config) {
		c.Retention.Out.Payloads, c.Retention.Out.Messages = config.Duration(time.Hour), config.Duration(2*time.Hour)
	})
	m := stored(t, n, store.Out, "a", store.Queued, store.Sending, store.Acknowledged)
	for range 2 {
		move(90 * time.Minute)
		retain(t, n)
	}
	if got := kept(t, n, m); !slices.Equal(got, []string{"nothing"}) {
		t.Fatalf("kept %q", got)
	}
	proof, err := n.Evidence.Of(context.Background(), m.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := proof.Head.Verify(n.Identity().Certificate); err != nil {
		t.Error(err)
	}
	var notes []audit.Entry
	for _, p := range proof.Entries {
		e, err := audit.Parse(p.Octets)
		if err != nil {
			t.Fatal(err)
		}
		if err := merkle.VerifyInclusion(merkle.Leaf(p.Octets), p.Index, proof.Head.Size, p.Path.Hashes, proof.Head.Root); err != nil {
			t.Errorf("entry %d: %v", p.Index, err)
		}
		if e.Type == audit.PayloadsDeleted || e.Type == audit.MessageDeleted {
			notes = append(notes, *e)
		}
	}
	if len(notes) != 2 || notes[0].Actor != "retention" || notes[1].Actor != "retention" {
		t.Fatalf("notes %+v", notes)
	}
	for _, e := range notes {
		for i := range m.Payloads {
			if !slices.ContainsFunc(e.Objects, func(o store.Object) bool { return o.Kind == "payload" && o.SHA256 == m.Payloads[i].SHA256 }) {
				t.Errorf("%s: the hash of payload %d is not in %+v", e.Type, i, e.Objects)
			}
		}
	}
	if got := kinds(notes[1].Objects); got != "payload payload header receipt" {
		t.Errorf("deleted: %s", got)
	}
}

func kinds(objects []store.Object) string {
	var out []string
	for _, o := range objects {
		out = append(out, o.Kind)
	}
	return strings.Join(out, " ")
}

func TestGroupsAndGivenUpWorkEnd(t *testing.T) {
	t.Parallel()
	n, move := still(t, func(c *config.Config) {
		c.Retention.Groups, c.Retention.DeadTasks = config.Duration(48*time.Hour), config.Duration(72*time.Hour)
	})
	ctx := context.Background()
	waiting := stored(t, n, store.Out, "waiting", store.Queued)
	acked := stored(t, n, store.Out, "acked", store.Queued, store.Sending, store.Acknowledged)
	now := n.Clock()
	record := func(deadline time.Time) []byte {
		return fmt.Appendf(nil, `{"deadline":%q}`, deadline.Format(time.RFC3339))
	}
	err := n.Store.Write(ctx, func(tx store.Tx) error {
		for _, g := range []store.Group{
			{Key: "in:p\nclosed", Closed: true, Record: []byte("{}")},
			{Key: "in:p\nopen", Record: record(now.Add(1000 * time.Hour))},
			{Key: "in:p\nforgotten", Record: record(now.Add(time.Hour))},
			{Key: fmt.Sprint("out:", waiting.ID), Record: []byte("{}")},
			{Key: fmt.Sprint("out:", acked.ID), Record: []byte("{}")},
			{Key: "out:4711", Record: []byte("{}")},
		} {
			if err := tx.PutGroup(&g); err != nil {
				return err
			}
			if err := tx.PutFragment(g.ID, &store.Fragment{Num: 1, MessageID: g.Key, Payload: acked.Payloads[1].PayloadRef}); err != nil {
				return err
			}
		}
		for _, q := range []string{"signals", "pieces", "notices"} {
			for _, dead := range []bool{true, false} {
				if err := tx.PutTask(&store.Task{Queue: q, Kind: "x", Dead: dead, Due: now}); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if r := retain(t, n); r != (node.Retained{}) {
		t.Errorf("at once: %+v", r)
	}
	move(60 * time.Hour)
	if r := retain(t, n); r != (node.Retained{Groups: 4}) {
		t.Errorf("after 60 hours: %+v", r)
	}
	groups, err := n.Store.ListGroups(ctx, 0, 10)
	if err != nil || len(groups) != 2 || groups[0].Key != "in:p\nopen" || groups[1].Key != fmt.Sprint("out:", waiting.ID) {
		t.Errorf("left: %+v, %v", groups, err)
	}
	move(24 * time.Hour)
	if r := retain(t, n); r != (node.Retained{Tasks: 3}) {
		t.Errorf("after 84 hours: %+v", r)
	}
	if due, err := n.Store.DueTasks(ctx, "signals", n.Clock(), 10); err != nil || len(due) != 1 {
		t.Errorf("work that waits: %v, %v", due, err)
	}
}

func TestARunningNodeDeletesByItself(t *testing.T) {
	t.Parallel()
	ee, _ := agree(t)
	g := begin(t, ee, func(c *config.Config) {
		c.Retention.Every, c.Retention.Out.Failed = config.Duration(10*time.Millisecond), config.Duration(time.Millisecond)
	}, nil)
	m := stored(t, g.Node, store.Out, "a", store.Queued, store.Failed)
	eventually(t, "the end of the message", func() bool {
		_, err := g.Store.Message(context.Background(), m.ID)
		return errors.Is(err, store.ErrNotFound)
	})
	eventually(t, "the end of its file", func() bool { return payloadFiles(t, g.Node) == 0 })
	eventually(t, "the count", func() bool {
		_, b := g.call(t, "GET", "/metrics", "", nil)
		return bytes.Contains(b, []byte(`viadukt_retention_total{what="messages"} 1`))
	})
	if _, err := os.Stat(string(g.Config.Node.DataDir)); err != nil {
		t.Fatal(err)
	}
}
