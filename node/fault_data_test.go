package node_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/node/store/sqlite"
)

// tornStore tears payloads: a write stops in its middle with an error, once, at an octet that the test chooses.
type tornStore struct {
	store.Store
	after atomic.Int64 // octets until it tears; 0: no more
	torn  atomic.Int64
}

func (s *tornStore) NewPayload() (store.PayloadWriter, error) {
	w, err := s.Store.NewPayload()
	return &tornWriter{PayloadWriter: w, s: s}, err
}

type tornWriter struct {
	store.PayloadWriter
	s *tornStore
	n int64
}

func (w *tornWriter) Write(p []byte) (int, error) {
	after := w.s.after.Load()
	if after == 0 || w.n+int64(len(p)) < after {
		w.n += int64(len(p))
		return w.PayloadWriter.Write(p)
	}
	n, err := w.PayloadWriter.Write(p[:max(0, after-w.n)])
	w.s.after.Store(0)
	w.s.torn.Add(1)
	return n, errors.Join(err, errors.New("test: input/output error"))
}

// TestATornWriteOfAPayload leaves nothing behind at either end, and the message arrives at the next attempt.
func TestATornWriteOfAPayload(t *testing.T) {
	t.Parallel()
	a, b := agree(t)
	var disk *tornStore
	ee := begin(t, a, nil, nil)
	pt := begin(t, b, nil, func(s store.Store) store.Store { disk = &tornStore{Store: s}; return disk })
	const size = 300_000
	for i, after := range []int64{1, 4096, 16 << 10, 16<<10 + 1, 100_000, size - 1} {
		payload := noise(uint64(20+i), size)
		disk.after.Store(after)
		m := ee.send(t, letter(octets("a", payload)))
		pt.same(t, pt.until(t, store.In, m.MessageID, store.Delivered), payload)
		if done := ee.until(t, store.Out, m.MessageID, store.Acknowledged); done.Attempts != 2 || disk.torn.Load() != int64(i+1) {
			t.Errorf("torn after %d octets: %d attempts, torn %d times", after, done.Attempts, disk.torn.Load())
		}
		if n := pt.files(t); n != i+1 {
			t.Errorf("%d payload files for %d payloads", n, i+1)
		}
	}
	temps, err := filepath.Glob(filepath.Join(string(pt.Config.Node.DataDir), "payloads", "tmp", "*"))
	if err != nil || len(temps) != 0 {
		t.Errorf("%v %v", temps, err)
	}
	disk.after.Store(1000)
	if resp, body := pt.call(t, "POST", letters, "application/octet-stream", bytes.NewReader(noise(30, size))); resp.StatusCode != http.StatusInternalServerError || decode[errorJSON](t, body).Error.Code != "INTERNAL" {
		t.Errorf("hand-over: %d %s", resp.StatusCode, body)
	}
	if n := pt.count(t, store.Out); n != 0 {
		t.Errorf("%d messages were taken", n)
	}
}

// TestWritesThatTear: the kernel tears what a node writes, into the database, its log and its payloads, at one octet after
// the other. Partners are told to come back; once the disk writes again, or the node was killed in the middle of it,
// everything arrives, once, and nothing is damaged.
func TestWritesThatTear(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts and kills processes")
	}
	a, b := agree(t)
	cfg, err := config.Load(b.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	ee, pt := begin(t, a, nil, nil), startChild(t, b)
	r := rand.New(rand.NewPCG(11, 7))
	var ids []string
	torn := 0
	for round := range 12 {
		largest := int64(100_000)
		for _, name := range []string{"viadukt.db", "viadukt.db-wal"} {
			if info, err := os.Stat(filepath.Join(string(cfg.Node.DataDir), name)); err == nil {
				largest = max(largest, info.Size())
			}
		}
		at := uint64(1 + r.Int64N(largest+20_000))
		if err := limitSize(pt.PID(), at); err != nil {
			t.Skip("this machine limits no other process: ", err)
		}
		var sent []*store.Message
		for i := range 4 {
			sent = append(sent, ee.send(t, letter(octets("a", noise(uint64(round*10+i), 100+i*70_000)))))
		}
		last := sent[len(sent)-1]
		ids = append(ids, sent[0].MessageID, sent[1].MessageID, sent[2].MessageID, last.MessageID)
		eventually(t, "an attempt", func() bool {
			got, err := ee.Store.Message(t.Context(), last.ID)
			if err != nil || got.State.Dead() {
				t.Fatalf("torn at %d: %v, %+v", at, err, got)
			}
			if got.State == store.Retrying {
				torn++
			}
			return got.State == store.Retrying || got.State == store.Acknowledged
		})
		if round%2 == 0 {
			pt.Kill()
			pt.Start(t)
		} else if err := limitSize(pt.PID(), noLimit); err != nil {
			t.Fatal(err)
		}
		for _, m := range sent {
			ee.until(t, store.Out, m.MessageID, store.Acknowledged)
		}
	}
	eventually(t, "the last delivery", func() bool { return len(pt.underWay(t)) == 0 })
	pt.End(t)
	if torn == 0 {
		t.Error("nothing was torn")
	}
	_, in := everything(t, b)
	if len(in) != len(ids) {
		t.Errorf("%d of %d messages arrived", len(in), len(ids))
	}
	t.Logf("torn %d times of 12", torn)
}

// payloadFile is where a node keeps the only payload of a message.
func (g *gateway) payloadFile(t *testing.T, m *store.Message) string {
	t.Helper()
	m, err := g.Store.Message(t.Context(), m.ID)
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("%x", m.Payloads[0].SHA256)
	return filepath.Join(string(g.Config.Node.DataDir), "payloads", name[:2], name)
}

// TestAPayloadThatTheDiskTore: what the disk lost after it had said that it was written is never sent as if it were whole.
// The message fails with the reason; others go on.
func TestAPayloadThatTheDiskTore(t *testing.T) {
	t.Parallel()
	for name, tear := range map[string]func(file string, size int) error{
		"cut":     func(file string, size int) error { return os.Truncate(file, int64(size/2)) },
		"missing": func(file string, _ int) error { return os.Remove(file) },
		"altered": func(file string, size int) error {
			f, err := os.OpenFile(file, os.O_RDWR, 0)
			if err == nil {
				_, err = f.WriteAt([]byte("torn"), int64(size/2))
				err = errors.Join(err, f.Close())
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := agree(t)
			const size = 100_000
			ee := begin(t, a, func(c *config.Config) { c.Outbound.MaxAttempts = 100; c.Outbound.FirstRetry = config.Duration(50e6) }, nil)
			m := ee.send(t, letter(octets("a", noise(40, size)))) // nobody is there yet
			eventually(t, "an attempt", func() bool {
				got, err := ee.Store.Message(t.Context(), m.ID)
				return err == nil && got.State == store.Retrying
			})
			if err := tear(ee.payloadFile(t, m), size*2/3); err != nil { // it is stored compressed
				t.Fatal(err)
			}
			pt := begin(t, b, nil, nil)
			other := ee.send(t, letter(text("a", "another one")))
			pt.until(t, store.In, other.MessageID, store.Delivered)
			failed := ee.until(t, store.Out, m.MessageID, store.Failed)
			if failed.Error.Code != "DAMAGED" || failed.Error.Remedy == "" || failed.Attempts >= 100 {
				t.Errorf("%d attempts, %+v", failed.Attempts, failed.Error)
			}
			if pt.count(t, store.In) != 1 {
				t.Errorf("%d messages arrived", pt.count(t, store.In))
			}
			req, err := http.NewRequest("GET", "http://"+ee.Addr("api")+"/api/v1/messages/"+m.MessageID+"/payloads/0", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+ee.made.Token)
			if resp, err := http.DefaultClient.Do(req); err == nil { // else it broke off before it had begun
				body, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err == nil && (resp.StatusCode != http.StatusInternalServerError || decode[errorJSON](t, body).Error.Code != "DAMAGED") {
					t.Errorf("the payload is handed out: %d, %d octets", resp.StatusCode, len(body))
				}
			}
			found := false
			if err := ee.Store.VerifyData(t.Context(), func(d store.Damage) { found = found || d.Message == m.ID && errors.Is(d.Err, store.ErrDamaged) }); err != nil || !found {
				t.Errorf("the damage is not named: %v", err)
			}
		})
	}
}

// TestAPayloadThatTheDiskAlteredIsNotDelivered: the back office gets nothing that is not what was signed.
func TestAPayloadThatTheDiskAlteredIsNotDelivered(t *testing.T) {
	t.Parallel()
	a, b := agree(t)
	ee := begin(t, a, nil, nil)
	// The inbox is no folder yet: delivery waits.
	inbox := filepath.Join(b.Dir, "inbox")
	if err := errors.Join(os.RemoveAll(inbox), os.WriteFile(inbox, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	pt := begin(t, b, func(c *config.Config) { c.Outbound.MaxAttempts, c.Outbound.FirstRetry = 50, config.Duration(50e6) }, nil)
	m := ee.send(t, letter(octets("a", noise(41, 100_000))))
	in := pt.until(t, store.In, m.MessageID, store.Retrying)
	f, err := os.OpenFile(pt.payloadFile(t, in), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("torn"), 50_000); err != nil {
		t.Fatal(err)
	}
	f.Close()
	if err := os.Remove(inbox); err != nil {
		t.Fatal(err)
	}
	failed := pt.until(t, store.In, m.MessageID, store.Failed)
	if failed.Error.Code != "DAMAGED" {
		t.Errorf("%+v", failed.Error)
	}
	if found, err := filepath.Glob(filepath.Join(inbox, "*", "[^.]*")); err != nil || len(found) != 0 {
		t.Errorf("delivered: %v %v", found, err)
	}
}

// copyFolder copies the files of a data folder that nobody uses.
func copyFolder(t *testing.T, from string) string {
	t.Helper()
	to := t.TempDir()
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil || rel == "." {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o700)
		}
		in, err := os.Open(path)
		if err != nil {
			return err
		}
		defer in.Close()
		out, err := os.Create(filepath.Join(to, rel))
		if err != nil {
			return err
		}
		_, err = io.Copy(out, in)
		return errors.Join(err, out.Close())
	})
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// TestATornWriteAheadLog: wherever the last writes of a database tear, the store opens with all that was written before the
// tear, nothing of what comes after it, and is sound.
func TestATornWriteAheadLog(t *testing.T) {
	t.Parallel()
	a, b := agree(t)
	pt := begin(t, b, nil, nil)
	c := startChild(t, a)
	var ids []string
	for i := range 12 {
		req, err := http.NewRequest("POST", a.API+letters, strings.NewReader(fmt.Sprint("letter ", i)))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+a.Token)
		resp, body := do(t, req)
		if resp.StatusCode != http.StatusAccepted {
			t.Fatalf("%d %s", resp.StatusCode, body)
		}
		ids = append(ids, decode[node.MessageJSON](t, body).MessageID)
		pt.until(t, store.In, ids[i], store.Delivered)
	}
	c.Kill()
	cfg, err := config.Load(a.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	dir := string(cfg.Node.DataDir)
	wal, err := os.Stat(filepath.Join(dir, "viadukt.db-wal"))
	if err != nil || wal.Size() == 0 {
		t.Fatalf("no write-ahead log: %v", err)
	}
	r := rand.New(rand.NewPCG(7, 7))
	cuts := []int64{0, 31, 32, wal.Size() - 1}
	places := 20
	if testing.Short() {
		places = 2
	}
	for range places {
		cuts = append(cuts, r.Int64N(wal.Size()))
	}
	whole := 0
	for _, cut := range cuts {
		for name, tear := range map[string]func(file string) error{
			"cut": func(file string) error { return os.Truncate(file, cut) },
			"filled with zeros": func(file string) error { // the length was written, the octets were not
				return errors.Join(os.Truncate(file, cut), os.Truncate(file, wal.Size()))
			},
		} {
			torn := copyFolder(t, dir)
			if err := tear(filepath.Join(torn, "viadukt.db-wal")); err != nil {
				t.Fatal(err)
			}
			s, err := sqlite.Open(torn, sqlite.Options{MinFree: -1})
			if err != nil {
				t.Errorf("%s at %d of %d: %v", name, cut, wal.Size(), err)
				continue
			}
			if err := s.VerifyData(t.Context(), func(d store.Damage) { t.Errorf("%s at %d: %+v", name, cut, d) }); err != nil {
				t.Error(err)
			}
			there, gap := 0, false
			for _, id := range ids {
				_, err := s.ByMessageID(t.Context(), store.Out, id)
				switch {
				case err == nil && gap:
					t.Errorf("%s at %d: %s is there, one before it is not", name, cut, id)
				case err == nil:
					there++
				case errors.Is(err, store.ErrNotFound):
					gap = true
				default:
					t.Error(err)
				}
			}
			whole = max(whole, there)
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	if whole < len(ids)-1 {
		t.Errorf("at most %d of %d messages were found", whole, len(ids))
	}
}

// TestACorruptedPage of the database takes with it what is on it. The node says so, goes on with everything else, and
// verifydata names the page.
func TestACorruptedPage(t *testing.T) {
	t.Parallel()
	a, b := agree(t)
	ee, pt := begin(t, a, nil, nil), begin(t, b, nil, nil)
	const mark = "this letter is on a page that will be destroyed "
	var ids []string
	for i := range 40 {
		// Large enough to fill several pages by itself, and small enough to stay in the database.
		m := ee.send(t, letter(node.SubmissionPart{Name: "a", MimeType: "application/pdf", Body: strings.NewReader(fmt.Sprint(mark, i, " ", strings.Repeat("x", 100), string(noise(uint64(i), 10_000))))}))
		ids = append(ids, m.MessageID)
		pt.until(t, store.In, m.MessageID, store.Delivered)
		ee.until(t, store.Out, m.MessageID, store.Acknowledged)
	}
	if err := pt.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(string(pt.Config.Node.DataDir), "viadukt.db")
	pages, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	const pageSize = 4096
	destroyed := -1
	for at := pageSize; at+pageSize <= len(pages); at += pageSize {
		if i := bytes.Index(pages[at:at+pageSize], []byte(mark)); i >= 0 && pages[at] == 13 { // a leaf of a table
			destroyed = at / pageSize
			for j := range pageSize {
				pages[at+j] ^= 0xa5
			}
			break
		}
	}
	if destroyed < 0 {
		t.Skip("no page of the database holds a payload by itself")
	}
	if err := os.WriteFile(file, pages, 0o600); err != nil {
		t.Fatal(err)
	}
	pt = begin(t, b, nil, nil)
	broken := 0
	for _, id := range ids {
		resp, body := pt.call(t, "GET", "/api/v1/messages/"+id+"/payloads/0", "", nil)
		switch {
		case resp.StatusCode == http.StatusOK && bytes.HasPrefix(body, []byte(mark)):
		case resp.StatusCode == http.StatusInternalServerError && decode[errorJSON](t, body).Error.Code == "DAMAGED":
			broken++
		default:
			t.Errorf("%s: %d %.200s", id, resp.StatusCode, body)
		}
	}
	if broken == 0 || broken == len(ids) {
		t.Errorf("%d of %d messages are damaged", broken, len(ids))
	}
	m := ee.send(t, letter(text("a", "afterwards")))
	ee.until(t, store.Out, m.MessageID, store.Acknowledged)
	pt.until(t, store.In, m.MessageID, store.Delivered)
	named := false
	if err := pt.Store.VerifyData(t.Context(), func(d store.Damage) {
		named = named || strings.Contains(d.What+d.Err.Error(), fmt.Sprint("page ", destroyed+1))
	}); err != nil || !named {
		t.Errorf("page %d is not named: %v", destroyed+1, err)
	}
	t.Logf("%d of %d messages were on the page or behind it", broken, len(ids))
}
