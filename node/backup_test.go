package node_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/backup"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/setup"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/node/store/sqlite"
)

// backupCall asks the API with the token for backups.
func backupCall(t *testing.T, g *gateway, method, path string) (*http.Response, []byte) {
	t.Helper()
	token, err := os.ReadFile(filepath.Join(g.made.Dir, "keys", "backup.token"))
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequest(method, "http://"+g.Addr("api")+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	return do(t, req)
}

func TestBackupsGoOverTheAPI(t *testing.T) {
	t.Parallel()
	ee, _ := agree(t)
	g := begin(t, ee, nil, nil)
	m := stored(t, g.Node, store.In, "a", store.Received, store.Confirmed)
	if resp, b := g.call(t, "POST", "/api/v1/backups", "", nil); resp.StatusCode != http.StatusForbidden || !strings.Contains(string(b), "scope backup") {
		t.Errorf("with a token for messages: %d %s", resp.StatusCode, b)
	}
	resp, b := backupCall(t, g, "POST", "/api/v1/backups")
	if resp.StatusCode != http.StatusCreated {
		t.Fatalf("%d %s", resp.StatusCode, b)
	}
	open := decode[node.BackupJSON](t, b)
	if open.Node != "ee" || open.Size == 0 || open.Time.IsZero() {
		t.Errorf("%s", b)
	}
	if resp, b := backupCall(t, g, "POST", "/api/v1/backups"); resp.StatusCode != http.StatusConflict {
		t.Errorf("a second one: %d %s", resp.StatusCode, b)
	}
	// What the snapshot names stays, though its message goes.
	large := m.Payloads[1]
	if err := g.Store.Write(context.Background(), func(tx store.Tx) error { return tx.Delete(m.ID) }); err != nil {
		t.Fatal(err)
	}
	if err := g.Store.Discard(context.Background(), large.PayloadRef); err != nil {
		t.Fatal(err)
	}
	path := "/api/v1/backups/" + open.ID
	for _, c := range []struct {
		path   string
		status int
		size   int64
	}{
		{path + "/database", 200, open.Size},
		{fmt.Sprintf("%s/payloads/%x?size=%d", path, large.SHA256, large.Size), 200, large.Size},
		{fmt.Sprintf("%s/payloads/%x?size=%d", path, large.SHA256, large.Size+1), 410, -1},
		{fmt.Sprintf("%s/payloads/%x?size=1", path, [32]byte{}), 410, -1},
		{path + "/payloads/..%2F..%2Fviadukt.db?size=1", 400, -1},
		{fmt.Sprintf("%s/payloads/%x", path, large.SHA256), 400, -1},
		{"/api/v1/backups/other/database", 404, -1},
	} {
		resp, b := backupCall(t, g, "GET", c.path)
		if resp.StatusCode != c.status || c.size >= 0 && int64(len(b)) != c.size {
			t.Errorf("%s: %d with %d octets, want %d with %d", c.path, resp.StatusCode, len(b), c.status, c.size)
		}
	}
	if resp, b := backupCall(t, g, "DELETE", path); resp.StatusCode != http.StatusNoContent {
		t.Errorf("the end: %d %s", resp.StatusCode, b)
	}
	if got := payloadFiles(t, g.Node); got != 0 {
		t.Errorf("%d payload files after the end", got)
	}
	if left, err := filepath.Glob(filepath.Join(string(g.Config.Node.DataDir), "snapshots", "*")); err != nil || len(left) > 0 {
		t.Errorf("left: %q, %v", left, err)
	}
	if resp, _ := backupCall(t, g, "GET", path+"/database"); resp.StatusCode != http.StatusNotFound {
		t.Errorf("after the end: %d", resp.StatusCode)
	}
	if resp, _ := backupCall(t, g, "POST", "/api/v1/backups"); resp.StatusCode != http.StatusCreated {
		t.Errorf("another one after it: %d", resp.StatusCode)
	} // and the node stops with it open
}

// backUp takes a backup of a node that works, as a client does.
func (g *gateway) backUp(t *testing.T) (target string) {
	t.Helper()
	target = filepath.Join(t.TempDir(), "backup")
	_, err := backup.Write(context.Background(), &inside{g: g}, target, backup.Options{Node: "n", Copy: true, Clock: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return target
}

// inside is a node as the source of a backup.
type inside struct {
	g   *gateway
	end func() error
}

func (s *inside) Snapshot(ctx context.Context, file string) (err error) {
	s.end, err = s.g.Store.Snapshot(ctx, file)
	return err
}

func (s *inside) Payload(ctx context.Context, f sqlite.PayloadFile) (io.ReadCloser, error) {
	return s.g.Store.OpenPayload(ctx, store.PayloadRef{SHA256: f.SHA256, Size: f.Size})
}

func (s *inside) Link(sqlite.PayloadFile, string) error { return errors.ErrUnsupported }

func (s *inside) Close() error { return s.end() }

// goBack stops a node, loses its disk, and starts it from a backup.
func (g *gateway) goBack(t *testing.T, target string, how backup.InFlight) (*gateway, *backup.Restored) {
	t.Helper()
	if err := g.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	dir := string(g.Config.Node.DataDir)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	r, err := backup.Restore(context.Background(), target, dir, backup.RestoreOptions{InFlight: how, Clock: time.Now}, func(d store.Damage) { t.Errorf("%s: %v", d.What, d.Err) })
	if err != nil {
		t.Fatal(err)
	}
	return begin(t, g.made, nil, nil), r
}

// mail starts two nodes that agreed.
func mail(t *testing.T) (ee, pt *gateway, made [2]*setup.Result) {
	t.Helper()
	made[0], made[1] = agree(t)
	return begin(t, made[0], nil, nil), begin(t, made[1], nil, nil), made
}

func TestAMessageSentAfterTheBackupIsNotSentAgainUnmarked(t *testing.T) {
	t.Parallel()
	for _, how := range []backup.InFlight{backup.Hold, backup.Resend} {
		t.Run(string(how), func(t *testing.T) {
			t.Parallel()
			made := [2]*setup.Result{}
			made[0], made[1] = agree(t)
			ee := begin(t, made[0], func(c *config.Config) { c.Outbound.FirstRetry = config.Duration(20 * time.Millisecond) }, nil)
			m := ee.send(t, letter(text("a.txt", "a letter"))) // nobody is there to take it
			ee.until(t, store.Out, m.MessageID, store.Retrying)
			target := ee.backUp(t)
			pt := begin(t, made[1], nil, nil)
			ee.until(t, store.Out, m.MessageID, store.Acknowledged)
			pt.until(t, store.In, m.MessageID, store.Delivered)

			ee, r := ee.goBack(t, target, how)
			if r.Settled.Held+r.Settled.Resent != 1 {
				t.Fatalf("settled %+v", r.Settled)
			}
			if how == backup.Hold {
				held, err := ee.Store.Message(context.Background(), m.ID)
				if err != nil || held.State != store.Failed || held.Error.Code != backup.RestoredCode {
					t.Fatalf("%+v, %v", held, err)
				}
				if resp, b := ee.call(t, "POST", fmt.Sprintf("/api/v1/messages/%d/resend", m.ID), "", nil); resp.StatusCode != http.StatusOK {
					t.Fatalf("%d %s", resp.StatusCode, b)
				}
			}
			// The partner knows it by its id: it answers with its receipt, and delivers nothing again.
			ee.until(t, store.Out, m.MessageID, store.Acknowledged)
			l, err := pt.Store.List(context.Background(), store.Filter{Direction: store.In}, store.Page{})
			if err != nil || len(l.Messages) != 1 {
				t.Errorf("%d messages arrived, %v", len(l.Messages), err)
			}
			if entries, err := os.ReadDir(string(pt.Config.Folders.Inbox)); err != nil || len(entries) != 1 {
				t.Errorf("the inbox holds %v, %v", entries, err)
			}
			events, err := ee.Store.Events(context.Background(), m.ID)
			if err != nil || !slices.ContainsFunc(events, func(e store.Event) bool { return strings.Contains(e.Detail, "restored from a backup of") }) {
				t.Errorf("nothing marks it: %+v, %v", events, err)
			}
			proof, err := ee.Evidence.Of(context.Background(), m.ID)
			if err != nil || proof.Head.Verify(ee.Identity().Certificate) != nil {
				t.Errorf("its evidence does not prove any more: %v", err)
			}
		})
	}
}

func TestACopyOfWhatArrivedAfterTheBackupIsMarked(t *testing.T) {
	t.Parallel()
	ee, pt, _ := mail(t)
	before := ee.send(t, letter(text("a.txt", "before")))
	pt.until(t, store.In, before.MessageID, store.Delivered)
	target := pt.backUp(t)
	lost := ee.send(t, letter(text("a.txt", "after")))
	pt.until(t, store.In, lost.MessageID, store.Delivered)
	ee.until(t, store.Out, lost.MessageID, store.Acknowledged)

	pt, _ = pt.goBack(t, target, backup.Hold)
	if _, err := pt.Store.ByMessageID(context.Background(), store.In, lost.MessageID); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("what came after the backup: %v", err)
	}
	// The sender is asked, and sends it once more: it is what it was, and says what it may be.
	err := ee.Store.Write(context.Background(), func(tx store.Tx) error {
		if err := tx.Delete(lost.ID); err != nil {
			return err
		}
		m := *lost
		m.ID, m.State, m.LeaseOwner, m.Attempts, m.LeaseUntil = 0, store.Queued, "", 0, time.Time{}
		return tx.Insert(&m)
	})
	if err != nil {
		t.Fatal(err)
	}
	got := pt.until(t, store.In, lost.MessageID, store.Delivered)
	_, b := pt.call(t, "GET", fmt.Sprintf("/api/v1/messages/%d", got.ID), "", nil)
	var shown node.MessageJSON
	if err := json.Unmarshal(b, &shown); err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(shown.Events, func(e node.EventJSON) bool {
		return strings.Contains(e.Detail, "may be a copy of a message that was delivered then")
	}) {
		t.Errorf("nothing marks it: %s", b)
	}
	next := ee.send(t, letter(text("b.txt", "sent after the restore")))
	got = pt.until(t, store.In, next.MessageID, store.Delivered)
	events, err := pt.Store.Events(context.Background(), got.ID)
	if err != nil || slices.ContainsFunc(events, func(e store.Event) bool { return strings.Contains(e.Detail, "copy") }) {
		t.Errorf("what cannot be a copy is marked: %+v, %v", events, err)
	}
}

func TestBackupsAreWholeUnderTrafficAndRetention(t *testing.T) {
	t.Parallel()
	made := [2]*setup.Result{}
	made[0], made[1] = agree(t)
	busy := func(c *config.Config) {
		c.Retention.Every = config.Duration(10 * time.Millisecond)
		c.Retention.Out.Payloads, c.Retention.Out.Messages = config.Duration(5*time.Millisecond), config.Duration(30*time.Millisecond)
		c.Retention.In.Payloads = config.Duration(5 * time.Millisecond)
	}
	ee, pt := begin(t, made[0], busy, nil), begin(t, made[1], busy, nil)
	const each = 25
	var work sync.WaitGroup
	for i := range 4 {
		work.Go(func() {
			for j := range each {
				large := strings.Repeat(fmt.Sprintf("%d-%d ", i, j), 8000)
				if _, err := ee.Accept(context.Background(), letter(text("a.txt", "small"), node.SubmissionPart{Name: "b.bin", MimeType: "application/octet-stream", Body: strings.NewReader(large)})); err != nil {
					t.Error(err)
				}
			}
		})
	}
	files := 0
	for round := range 6 {
		for _, g := range []*gateway{ee, pt} {
			target := filepath.Join(t.TempDir(), fmt.Sprint("b", round))
			src := &inside{g: g}
			r, err := backup.Write(context.Background(), src, target, backup.Options{Copy: true, Clock: time.Now})
			if err != nil {
				t.Fatal(err)
			}
			if err := src.Close(); err != nil {
				t.Fatal(err)
			}
			files += int(r.Payloads.Files)
			if len(r.Missing) > 0 {
				t.Errorf("lost: %q", r.Missing)
			}
			_, err = backup.Verify(context.Background(), target, nil, func(d store.Damage) {
				if !d.Notice {
					t.Errorf("round %d: %d %s: %v", round, d.Message, d.What, d.Err)
				}
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	work.Wait()
	t.Logf("%d payload files were in the backups", files)
	eventually(t, "the end of all payload files", func() bool { return payloadFiles(t, ee.Node)+payloadFiles(t, pt.Node) == 0 })
	for _, g := range []*gateway{ee, pt} {
		if err := g.Store.VerifyData(context.Background(), func(d store.Damage) { t.Errorf("%d %s: %v", d.Message, d.What, d.Err) }); err != nil {
			t.Error(err)
		}
	}
}
