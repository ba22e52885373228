package backup

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/node/audit"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/node/store/sqlite"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

var (
	ctx   = context.Background()
	start = time.Date(2026, 5, 4, 9, 30, 0, 0, time.UTC)
)

// world is a store in use.
type world struct {
	*sqlite.Store
	t   testing.TB
	dir string
	log *audit.Log
}

func open(t testing.TB, dir string) *world {
	t.Helper()
	s, err := sqlite.Open(dir, sqlite.Options{MinFree: -1, Clock: func() time.Time { return start }, Recorder: audit.NewRecorder(audit.DefaultPolicy())})
	if err != nil {
		t.Fatal(err)
	}
	return &world{Store: s, t: t, dir: dir}
}

// signer is who signs heads of the log.
func signer(t testing.TB) *pki.Identity {
	t.Helper()
	a, err := pki.NewAuthority(rand.Reader, "CN=Test", pki.P256, start, 10)
	if err != nil {
		t.Fatal(err)
	}
	id, err := a.Issue(pki.Template{CommonName: "node", Algorithm: pki.P256, NotBefore: start, NotAfter: start.AddDate(1, 0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func (w *world) sign() {
	w.t.Helper()
	if w.log == nil {
		id := signer(w.t)
		var err error
		w.log, err = audit.Open(ctx, audit.Options{Store: w.Store, Identity: func() *pki.Identity { return id }, Rand: rand.Reader, Clock: func() time.Time { return start }}, audit.Entry{Subject: "test"})
		if err != nil {
			w.t.Fatal(err)
		}
	}
	if _, err := w.log.Sign(ctx); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) payload(octets []byte) store.PayloadRef {
	w.t.Helper()
	p, err := w.NewPayload()
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { p.Close() })
	p.Write(octets)
	ref, err := p.Seal()
	if err != nil {
		w.t.Fatal(err)
	}
	return ref
}

func large(id string) []byte { return bytes.Repeat([]byte("large "+id+" "), 4000) }

// message stores a message with a small and a large payload and moves it through states.
func (w *world) message(d store.Direction, id string, states ...store.State) *store.Message {
	w.t.Helper()
	m := &store.Message{Direction: d, State: states[0], MessageID: id, SenderKey: "p", PMode: "letters", Peer: "p", Header: []byte("header of " + id)}
	for _, octets := range [][]byte{[]byte("small " + id), large(id)} {
		m.Payloads = append(m.Payloads, store.Payload{PayloadRef: w.payload(octets)})
	}
	w.write(func(tx store.Tx) error {
		if err := tx.Insert(m); err != nil {
			return err
		}
		for _, s := range states[1:] {
			if err := tx.Transition(m.ID, s, store.Change{Next: start.Add(time.Hour)}); err != nil {
				return err
			}
		}
		return tx.PutEvidence(m.ID, store.Evidence{Kind: store.KindReceipt, Octets: []byte("receipt of " + id)})
	})
	return m
}

func (w *world) write(f func(tx store.Tx) error) {
	w.t.Helper()
	if err := w.Write(ctx, f); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) close() {
	w.t.Helper()
	if err := w.Store.Close(); err != nil {
		w.t.Fatal(err)
	}
}

// working is the source that a store in use is.
type working struct {
	w   *world
	end func() error
	// after is called when the snapshot is there.
	after func()
}

func (s *working) Snapshot(ctx context.Context, file string) (err error) {
	if s.end, err = s.w.Snapshot(ctx, file); err == nil && s.after != nil {
		s.after()
	}
	return err
}

func (s *working) Payload(ctx context.Context, f sqlite.PayloadFile) (io.ReadCloser, error) {
	return s.w.OpenPayload(ctx, store.PayloadRef{SHA256: f.SHA256, Size: f.Size})
}

func (s *working) Link(f sqlite.PayloadFile, name string) error { return LinkFrom(s.w.dir, f, name) }

func (s *working) Close() error { return s.end() }

func options(at time.Time) Options {
	return Options{Node: "ee", Program: "test", Clock: func() time.Time { return at }}
}

func write(t testing.TB, src Source, target string, o Options) *Result {
	t.Helper()
	r, err := Write(ctx, src, target, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := src.Close(); err != nil {
		t.Fatal(err)
	}
	return r
}

// folder is the source of a store that is not open.
func folder(t testing.TB, dir string) *Folder {
	t.Helper()
	f, err := OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// verify gives what is wrong as lines, notices behind a question mark.
func verify(t *testing.T, name string) (lines []string, r *Report, err error) {
	t.Helper()
	r, err = Verify(ctx, name, nil, func(d store.Damage) {
		line := fmt.Sprintf("%d %s: %v", d.Message, d.What, d.Err)
		if d.Notice {
			line = "? " + line
		}
		if d.Remedy == "" {
			t.Errorf("nothing is said to do about %s", line)
		}
		lines = append(lines, line)
	})
	return lines, r, err
}

func sound(t *testing.T, name string) *Report {
	t.Helper()
	lines, r, err := verify(t, name)
	if err != nil || lines != nil {
		t.Fatalf("%s: %q, %v", name, lines, err)
	}
	return r
}

func restored(t *testing.T, name, dir string, o RestoreOptions) *Restored {
	t.Helper()
	o.Clock = func() time.Time { return start.Add(24 * time.Hour) }
	r, err := Restore(ctx, name, dir, o, func(d store.Damage) { t.Errorf("%s: %v", d.What, d.Err) })
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// holds compares payloads, header and evidence of a message with what was stored.
func (w *world) holds(m *store.Message) {
	w.t.Helper()
	got, err := w.Message(ctx, m.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	for i, want := range [][]byte{[]byte("small " + m.MessageID), large(m.MessageID)} {
		r, err := w.OpenPayload(ctx, got.Payloads[i].PayloadRef)
		if err != nil {
			w.t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if r.Close(); err != nil || !bytes.Equal(b, want) {
			w.t.Errorf("payload %d of %s differs, %v", i, m.MessageID, err)
		}
	}
	e, err := w.Evidence(ctx, m.ID)
	if err != nil || len(e) != 1 || string(e[0].Octets) != "receipt of "+m.MessageID || string(got.Header) != "header of "+m.MessageID {
		w.t.Errorf("%s: header %q, evidence %v, %v", m.MessageID, got.Header, e, err)
	}
}

func TestABackupIsRestoredAsItWas(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"folder", "b.tar", "b.tar.zst"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := open(t, t.TempDir())
			w.sign()
			a, b := w.message(store.In, "a", store.Received, store.Confirmed), w.message(store.Out, "b", store.Queued, store.Failed)
			w.sign()
			target := filepath.Join(t.TempDir(), name)
			// While it is being taken, one message is deleted and another one comes.
			r := write(t, &working{w: w, after: func() {
				w.write(func(tx store.Tx) error { return tx.Delete(a.ID) })
				if err := w.Discard(ctx, a.Payloads[1].PayloadRef); err != nil {
					t.Error(err)
				}
				w.message(store.In, "later", store.Received)
			}}, target, options(start))
			w.close()
			if r.Payloads != (Sum{2, int64(len(large("a")) * 2)}) || len(r.Missing) != 0 || r.Time != start {
				t.Errorf("%+v", r.Manifest)
			}
			v := sound(t, target)
			if c := v.Checked; c.Messages != 2 || c.Payloads != 4 || c.Files != 2 || c.Evidence != 2 || c.Heads < 2 || c.Entries != r.Log.Size {
				t.Errorf("checked %+v", c)
			}
			dir := filepath.Join(t.TempDir(), "data")
			restored(t, target, dir, RestoreOptions{})
			sound(t, dir)
			w = open(t, dir)
			defer w.close()
			w.holds(a)
			w.holds(b)
			if _, err := w.ByMessageID(ctx, store.In, "later"); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("what came after the backup: %v", err)
			}
		})
	}
}

func TestAFolderTakesOnlyWhatIsNew(t *testing.T) {
	t.Parallel()
	dir, target := t.TempDir(), filepath.Join(t.TempDir(), "backup")
	w := open(t, dir)
	a := w.message(store.In, "a", store.Received, store.Confirmed)
	w.message(store.In, "b", store.Received, store.Confirmed)
	w.close()
	o := options(start)
	o.Copy = true
	if r := write(t, folder(t, dir), target, o); r.Copied.Files != 2 {
		t.Errorf("first: %+v", r)
	}
	w = open(t, dir)
	w.write(func(tx store.Tx) error { return tx.Delete(a.ID) })
	if _, err := w.Collect(ctx); err != nil {
		t.Fatal(err)
	}
	w.message(store.In, "c", store.Received)
	w.close()
	o.Clock = func() time.Time { return start.Add(time.Minute) }
	if r := write(t, folder(t, dir), target, o); r.Copied.Files != 1 || r.Present.Files != 1 || r.Payloads.Files != 2 {
		t.Errorf("second: %+v", r)
	}
	sound(t, target)
	if got := tree(t, target); len(got) != 4 { // manifest, database, two payloads
		t.Errorf("left: %q", got)
	}
	// A new folder beside it shares what is the same.
	o.Copy, o.Previous = false, target
	next := filepath.Join(filepath.Dir(target), "next")
	src := &unlinked{folder(t, dir)}
	if r := write(t, src, next, o); r.Linked.Files != 2 || r.Copied.Files != 0 {
		t.Errorf("beside: %+v", r)
	}
	sound(t, next)
}

// unlinked is a source on another file system.
type unlinked struct{ *Folder }

func (unlinked) Link(sqlite.PayloadFile, string) error { return errors.ErrUnsupported }

func tree(t *testing.T, dir string) (out []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(dir, name)
			out = append(out, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// breaking is a source that fails at its second payload.
type breaking struct {
	*Folder
	n int
}

var errBroken = errors.New("the line broke")

func (b *breaking) Link(sqlite.PayloadFile, string) error { return errors.ErrUnsupported }

func (b *breaking) Payload(ctx context.Context, f sqlite.PayloadFile) (io.ReadCloser, error) {
	if b.n++; b.n > 1 {
		return nil, errBroken
	}
	return b.Folder.Payload(ctx, f)
}

func TestABackupThatBreaksOffLeavesTheOlderOneWhole(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"folder", "b.tar.zst"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, target := t.TempDir(), filepath.Join(t.TempDir(), name)
			w := open(t, dir)
			w.message(store.In, "a", store.Received, store.Confirmed)
			w.close()
			if name == "folder" {
				write(t, folder(t, dir), target, options(start))
			}
			before := tree(t, filepath.Dir(target))
			w = open(t, dir)
			w.message(store.In, "b", store.Received)
			w.message(store.In, "c", store.Received)
			w.message(store.In, "d", store.Received)
			w.close()
			src := &breaking{Folder: folder(t, dir)}
			if _, err := Write(ctx, src, target, options(start.Add(time.Hour))); !errors.Is(err, errBroken) {
				t.Errorf("got %v", err)
			}
			src.Close()
			if after := tree(t, filepath.Dir(target)); !slices.Equal(after, before) {
				t.Errorf("before %q\nafter %q", before, after)
			}
			if name == "folder" {
				sound(t, target)
			}
			write(t, folder(t, dir), target, options(start.Add(2*time.Hour)))
			sound(t, target)
		})
	}
}

func TestABackupAfterOneThatWasKilledIsWhole(t *testing.T) {
	t.Parallel()
	dir, home := t.TempDir(), t.TempDir()
	w := open(t, dir)
	w.message(store.In, "a", store.Received, store.Confirmed)
	w.close()
	stray := payloadName(sha256.Sum256([]byte("stray")))
	for _, name := range []string{"b.tar.part", "b.tar.db.part", "folder/viadukt-20260101T000000.000Z.db", "folder/backup.part", "folder/config-20260101T000000.000Z/viadukt.yaml", "folder/" + stray} {
		name = filepath.Join(home, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := verify(t, filepath.Join(home, "folder")); !errors.Is(err, ErrNone) {
		t.Errorf("what was left is proven: %v", err)
	}
	for _, target := range []string{"folder", "b.tar"} {
		write(t, folder(t, dir), filepath.Join(home, target), options(start))
		sound(t, filepath.Join(home, target))
	}
	if got := tree(t, home); len(got) != 4 { // archive, manifest, database, payload
		t.Errorf("left: %q", got)
	}
}

func TestWhatTheNodeHasLostIsNamedAndTheRestIsTaken(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"folder", "b.tar"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, target := t.TempDir(), filepath.Join(t.TempDir(), name)
			w := open(t, dir)
			w.message(store.In, "a", store.Received, store.Confirmed)
			b := w.message(store.In, "b", store.Received, store.Confirmed)
			c := w.message(store.In, "c", store.Received, store.Confirmed)
			w.close()
			if err := os.Remove(payloadPath(filepath.Join(dir, sqlite.Payloads), b.Payloads[1].SHA256)); err != nil {
				t.Fatal(err)
			}
			flip(t, payloadPath(filepath.Join(dir, sqlite.Payloads), c.Payloads[1].SHA256), 100)
			o := options(start)
			o.Copy = true
			r := write(t, folder(t, dir), target, o)
			want := []string{fmt.Sprintf("%x", b.Payloads[1].SHA256), fmt.Sprintf("%x", c.Payloads[1].SHA256)}
			slices.Sort(want)
			if slices.Sort(r.Missing); !slices.Equal(r.Missing, want) || r.Copied.Files != 1 {
				t.Errorf("%+v", r)
			}
			lines, _, err := verify(t, target)
			text := strings.Join(lines, "\n")
			if err != nil || !strings.Contains(text, fmt.Sprintf("%d payload 1: backup: payload %x: store: stored octets damaged: it is not in the backup", b.ID, b.Payloads[1].SHA256[:6])) ||
				strings.Count(text, "was lost in the node before the backup") != 2 {
				t.Errorf("%s, %v", text, err)
			}
		})
	}
}

func flip(t *testing.T, name string, at int64) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if at < 0 {
		at += int64(len(b))
	}
	b[at] ^= 1
	if err := os.Remove(name); err != nil { // it may share its octets
		t.Fatal(err)
	}
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestDamageOfABackupIsNamedAndNotRestored(t *testing.T) {
	t.Parallel()
	sum := sha256.Sum256(large("a"))
	for _, c := range []struct {
		name, target string
		damage       func(t *testing.T, target string)
		want         string // a line, or the error
		despite      bool   // what is left can be restored when one asks for it
		either       bool   // or not: it depends on where the damage meets the compression
	}{
		{"a payload that lost its end", "folder", func(t *testing.T, target string) {
			if err := os.Truncate(payloadPath(filepath.Join(target, sqlite.Payloads), sum), 100); err != nil {
				t.Fatal(err)
			}
		}, "1 payload 1: backup: payload " + fmt.Sprintf("%x", sum[:6]) + ": store: stored octets damaged: 100 octets instead of", true, false},
		{"a bit of a payload", "folder", func(t *testing.T, target string) {
			flip(t, payloadPath(filepath.Join(target, sqlite.Payloads), sum), 9)
		}, "1 payload 1: backup: payload " + fmt.Sprintf("%x", sum[:6]) + ": store: stored octets damaged: hash differs", true, false},
		{"a payload that is gone", "folder", func(t *testing.T, target string) {
			os.Remove(payloadPath(filepath.Join(target, sqlite.Payloads), sum))
		}, "it is not in the backup", true, false},
		{"a bit of the database that nothing else covers", "folder", func(t *testing.T, target string) {
			name := filepath.Join(target, "viadukt-20260504T093000.000Z.db")
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			flip(t, name, int64(bytes.Index(b, []byte("header of a"))))
		}, "0 viadukt-20260504T093000.000Z.db: store: stored octets damaged: other octets than were backed up", true, false},
		{"a database that lost its end", "folder", func(t *testing.T, target string) {
			if err := os.Truncate(filepath.Join(target, "viadukt-20260504T093000.000Z.db"), 50_000); err != nil {
				t.Fatal(err)
			}
		}, "torn write: 50000 octets instead of", false, false},
		{"a database that is gone", "folder", func(t *testing.T, target string) {
			os.Remove(filepath.Join(target, "viadukt-20260504T093000.000Z.db"))
		}, "0 viadukt-20260504T093000.000Z.db: store: stored octets damaged: it is not in the backup", false, false},
		{"a file of the configuration that was changed", "folder", func(t *testing.T, target string) {
			flip(t, filepath.Join(target, "config-20260504T093000.000Z", "viadukt.yaml"), 0)
		}, "0 config-20260504T093000.000Z/viadukt.yaml: store: stored octets damaged: other octets", true, false},
		{"a folder without a manifest", "folder", func(t *testing.T, target string) { os.Remove(filepath.Join(target, manifestName)) }, "this is no whole backup", false, false},
		{"a manifest that names files elsewhere", "folder", func(t *testing.T, target string) {
			name := filepath.Join(target, manifestName)
			b, _ := os.ReadFile(name)
			if err := os.WriteFile(name, bytes.ReplaceAll(b, []byte("viadukt-2026"), []byte("../viadukt-2026")), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "names \"../viadukt-20260504T093000.000Z.db\"", false, false},
		{"an archive that was cut", "b.tar", func(t *testing.T, target string) { os.Truncate(target, 150_000) }, "this is no whole backup", false, false},
		{"a compressed archive that was cut", "b.tar.zst", func(t *testing.T, target string) {
			info, _ := os.Stat(target)
			os.Truncate(target, info.Size()-10)
		}, "this is no whole backup", false, false},
		{"a bit of an archive's payload", "b.tar", func(t *testing.T, target string) {
			b, _ := os.ReadFile(target)
			flip(t, target, int64(bytes.Index(b, large("a")[:100])))
		}, "hash differs", true, false},
		{"a bit of a compressed archive", "b.tar.zst", func(t *testing.T, target string) {
			info, _ := os.Stat(target)
			flip(t, target, info.Size()/2)
		}, "", false, true},
		{"something else", "b.tar", func(t *testing.T, target string) {
			os.WriteFile(target, []byte("an invoice"), 0o600)
		}, "this is no whole backup", false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir, target, conf := t.TempDir(), filepath.Join(t.TempDir(), c.target), filepath.Join(t.TempDir(), "viadukt.yaml")
			w := open(t, dir)
			w.message(store.In, "a", store.Received, store.Confirmed)
			w.sign()
			w.close()
			if err := os.WriteFile(conf, []byte("node: {}\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			o := options(start)
			o.Copy, o.Config = true, &Config{Dir: filepath.Dir(conf), Files: []ConfigFile{{Path: conf}}}
			write(t, folder(t, dir), target, o)
			sound(t, target)
			c.damage(t, target)
			lines, _, err := verify(t, target)
			text := strings.Join(lines, "\n")
			if err != nil {
				text += "\n" + err.Error()
			}
			if !strings.Contains(text, c.want) || text == "" {
				t.Errorf("%q is not in %s", c.want, text)
			}
			data := filepath.Join(t.TempDir(), "data")
			for _, despite := range []bool{false, true} {
				_, err := Restore(ctx, target, data, RestoreOptions{Damaged: despite, Clock: time.Now}, func(store.Damage) {})
				if (err == nil) != (despite && c.despite) && !(despite && c.either) {
					t.Errorf("restored (despite damage: %t): %v", despite, err)
				}
				if left, rerr := os.ReadDir(data); err != nil && (rerr != nil || len(left) > 0) {
					t.Errorf("left after %v: %v, %v", err, left, rerr)
				}
			}
		})
	}
}

func TestADamagedDatabaseIsNotBackedUpAsIfItWereSound(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"folder", "b.tar"} {
		dir, target := t.TempDir(), filepath.Join(t.TempDir(), name)
		w := open(t, dir)
		w.message(store.In, "a", store.Received)
		w.close()
		db := filepath.Join(dir, sqlite.Database)
		b, err := os.ReadFile(db)
		if err != nil {
			t.Fatal(err)
		}
		page := bytes.Index(b, []byte("header of a")) / 4096 * 4096
		copy(b[page:], bytes.Repeat([]byte{0xff}, 4096))
		if err := os.WriteFile(db, b, 0o600); err != nil {
			t.Fatal(err)
		}
		src := folder(t, dir)
		if _, err := Write(ctx, src, target, options(start)); !errors.Is(err, store.ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
		src.Close()
		if left := tree(t, filepath.Dir(target)); len(left) > 0 {
			t.Errorf("left: %q", left)
		}
		lines, _, err := verify(t, dir)
		if err != nil || !strings.Contains(strings.Join(lines, "\n"), "of header: ") {
			t.Errorf("%q, %v", lines, err)
		}
	}
}

func TestNothingIsOverwritten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := open(t, dir)
	if _, err := OpenFolder(dir); !errors.Is(err, sqlite.ErrLocked) {
		t.Errorf("the folder of a node that runs: %v", err)
	}
	if _, _, err := verify(t, dir); !errors.Is(err, sqlite.ErrLocked) {
		t.Errorf("verified while it runs: %v", err)
	}
	w.close()
	if _, err := OpenFolder(t.TempDir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an empty folder: %v", err)
	}
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "letter"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	src := folder(t, dir)
	if _, err := Write(ctx, src, full, options(start)); !errors.Is(err, ErrTarget) {
		t.Errorf("into a folder with other things: %v", err)
	}
	archive := filepath.Join(t.TempDir(), "b.tar")
	if _, err := Write(ctx, src, archive, options(start)); err != nil {
		t.Fatal(err)
	}
	if _, err := Write(ctx, src, archive, options(start)); !errors.Is(err, ErrTarget) {
		t.Errorf("over an archive: %v", err)
	}
	src.Close()
	restore := func(dir string) error {
		_, err := Restore(ctx, archive, dir, RestoreOptions{Clock: time.Now}, func(store.Damage) {})
		return err
	}
	if err := restore(full); !errors.Is(err, ErrTarget) || !strings.Contains(err.Error(), "holds letter") {
		t.Errorf("restored over other things: %v", err)
	}
	if err := restore(dir); !errors.Is(err, ErrTarget) {
		t.Errorf("restored over a node: %v", err)
	}
	half := t.TempDir()
	if err := os.Mkdir(filepath.Join(half, restoringFolder), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := restore(half); !errors.Is(err, ErrTarget) || !strings.Contains(err.Error(), "an earlier restore") {
		t.Errorf("over a restore that broke off: %v", err)
	}
	if _, err := sqlite.Open(half, sqlite.Options{}); !errors.Is(err, sqlite.ErrRestoring) {
		t.Errorf("a node on a restore that broke off: %v", err)
	}
	lost := t.TempDir()
	if err := os.Mkdir(filepath.Join(lost, "lost+found"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := restore(lost); err != nil {
		t.Errorf("into a new file system: %v", err)
	}
}

func TestOrphansAreNamed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := open(t, dir)
	m := w.message(store.In, "a", store.Received, store.Confirmed)
	w.close()
	stray := sha256.Sum256([]byte("x"))
	for _, base := range []string{dir} {
		name := payloadPath(filepath.Join(base, sqlite.Payloads), stray)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	lines, r, err := verify(t, dir)
	if want := []string{fmt.Sprintf("? 0 payload file: %x: no row names it", stray)}; err != nil || !slices.Equal(lines, want) || r.Orphans != 1 {
		t.Errorf("%q, %v", lines, err)
	}
	if err := os.Remove(payloadPath(filepath.Join(dir, sqlite.Payloads), m.Payloads[1].SHA256)); err != nil {
		t.Fatal(err)
	}
	lines, _, err = verify(t, dir)
	if err != nil || len(lines) != 2 || !strings.HasPrefix(lines[0], fmt.Sprintf("%d payload 1: spool: payload %x: store: stored octets damaged", m.ID, m.Payloads[1].SHA256[:6])) {
		t.Errorf("%q, %v", lines, err)
	}
}
