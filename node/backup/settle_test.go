package backup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/node/audit"
	"github.com/viadukt-eu/viadukt/node/store"
)

func TestMessagesUnderWayAreMarkedAfterARestore(t *testing.T) {
	t.Parallel()
	dir, target := t.TempDir(), filepath.Join(t.TempDir(), "b.tar")
	w := open(t, dir)
	type fate struct {
		m            *store.Message
		held, resent store.State
		mark         string // what the last event says; empty: there is no new one
	}
	const sent, again = "may have been sent after that", "may have been delivered after that"
	fates := []fate{
		{w.message(store.Out, "accepted", store.Accepted), store.Failed, store.Accepted, sent},
		{w.message(store.Out, "queued", store.Queued), store.Failed, store.Queued, sent},
		{w.message(store.Out, "sending", store.Queued, store.Sending), store.Failed, store.Queued, sent},
		{w.message(store.Out, "sent", store.Queued, store.Sent), store.Failed, store.Sent, sent},
		{w.message(store.Out, "retrying", store.Queued, store.Sending, store.Retrying), store.Failed, store.Retrying, sent},
		{w.message(store.Out, "acknowledged", store.Queued, store.Sending, store.Acknowledged), store.Acknowledged, store.Acknowledged, ""},
		{w.message(store.Out, "failed", store.Queued, store.Failed), store.Failed, store.Failed, ""},
		{w.message(store.In, "received", store.Received), store.Received, store.Received, again},
		{w.message(store.In, "in-retrying", store.Received, store.Retrying), store.Retrying, store.Retrying, again},
		{w.message(store.In, "delivered", store.Received, store.Delivered), store.Delivered, store.Delivered, ""},
		{w.message(store.In, "confirmed", store.Received, store.Confirmed), store.Confirmed, store.Confirmed, ""},
	}
	w.write(func(tx store.Tx) error {
		for _, g := range []store.Group{{Key: "in:p\nopen"}, {Key: "in:p\nclosed", Closed: true}, {Key: "out:1"}} {
			g.Record = []byte("{}")
			if err := tx.PutGroup(&g); err != nil {
				return err
			}
		}
		if err := tx.PutUser(store.User{Name: "ada", Role: "administrator", Password: "x", Created: start, PasswordAt: start}); err != nil {
			return err
		}
		return tx.PutSession(store.Session{Hash: [32]byte{1}, User: "ada", Created: start, Seen: start, Expires: start.Add(time.Hour)})
	})
	w.sign()
	w.close()
	made := write(t, folder(t, dir), target, options(start))
	last := fates[len(fates)-1].m.ID

	for _, how := range []InFlight{Hold, Resend} {
		t.Run(string(how), func(t *testing.T) {
			t.Parallel()
			back := filepath.Join(t.TempDir(), "data")
			r := restored(t, target, back, RestoreOptions{InFlight: how})
			want := Settled{Held: 5, Again: 2, Groups: 1, Entries: int(made.Log.Size)}
			if how == Resend {
				want.Held, want.Resent = 0, 5
			}
			if r.Settled != want {
				t.Errorf("settled %+v, want %+v", r.Settled, want)
			}
			w := open(t, back)
			for _, f := range fates {
				m, err := w.Message(ctx, f.m.ID)
				if err != nil {
					t.Fatal(err)
				}
				want := f.held
				if how == Resend {
					want = f.resent
				}
				if held := how == Hold && f.mark == sent; m.State != want || (m.Error.Code == RestoredCode) != held || held && (m.Error.Remedy == "" || !m.NextAttempt.IsZero()) {
					t.Errorf("%s: %s %+v, next %s", m.MessageID, m.State, m.Error, m.NextAttempt)
				}
				events, err := w.Events(ctx, m.ID)
				if err != nil {
					t.Fatal(err)
				}
				detail := events[len(events)-1].Detail
				if f.mark == "" && detail != "" || !strings.Contains(detail, f.mark) && !(how == Hold && f.mark == sent && strings.Contains(detail, "whether the message was sent after that is not known")) {
					t.Errorf("%s: the last event says %q", m.MessageID, detail)
				}
			}
			for key, closed := range map[string]bool{"in:p\nopen": true, "in:p\nclosed": true, "out:1": false} {
				if g, err := w.Group(ctx, key); err != nil || g.Closed != closed {
					t.Errorf("group %q: %+v, %v", key, g, err)
				}
			}
			if _, err := w.SessionByHash(ctx, [32]byte{1}); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("a login goes on: %v", err)
			}
			if when, err := w.Meta(ctx, MetaRestored); err != nil || when != "2026-05-05T09:30:00Z" {
				t.Errorf("restored %s, %v", when, err)
			}
			if next := w.message(store.Out, "next", store.Queued); next.ID <= last+idGap-1 {
				t.Errorf("number %d may have been given after %d", next.ID, last)
			}
			// The log says what happened, and its old heads hold on.
			entries, err := w.LogEntries(ctx, made.Log.Size, 1)
			if err != nil || len(entries) != 1 {
				t.Fatal(entries, err)
			}
			e, err := audit.Parse(entries[0].Octets)
			if err != nil || e.Type != audit.Administration || e.Actor != "restore" || !strings.Contains(e.Detail, fmt.Sprintf("the backup is of 2026-05-04T09:30:00Z, when the log had %d entries and the root %s", made.Log.Size, made.Log.Root)) {
				t.Errorf("%+v, %v", e, err)
			}
			w.sign()
			w.close()
			sound(t, back)
		})
	}
}

func TestAHeldMessageIsSentAgainWhenSomebodySaysSo(t *testing.T) {
	t.Parallel()
	dir, target, back := t.TempDir(), filepath.Join(t.TempDir(), "b.tar"), filepath.Join(t.TempDir(), "data")
	w := open(t, dir)
	m := w.message(store.Out, "a", store.Queued)
	w.close()
	write(t, folder(t, dir), target, options(start))
	restored(t, target, back, RestoreOptions{})
	w = open(t, back)
	defer w.close()
	w.write(func(tx store.Tx) error {
		return tx.Transition(m.ID, store.Queued, store.Change{ResetAttempts: true})
	})
	got, err := w.Claim(ctx, store.ClaimRequest{Direction: store.Out, Now: start.Add(48 * time.Hour), Owner: "o", Lease: time.Minute, Limit: 10})
	if err != nil || len(got) != 1 || got[0].MessageID != "a" {
		t.Errorf("%v, %v", got, err)
	}
}

func TestTheConfigurationComesBackWhereItIsNotThere(t *testing.T) {
	t.Parallel()
	dir, conf := t.TempDir(), t.TempDir()
	open(t, dir).close()
	outside := filepath.Join(t.TempDir(), "ca.pem")
	o := options(start)
	o.Config = &Config{Dir: conf}
	for _, f := range []struct {
		name, text string
		secret     bool
	}{{"viadukt.yaml", "node", false}, {"trust/p.pem", "partner", false}, {"keys/as4.pem", "key", true}, {outside, "authority", false}} {
		name := f.name
		if !filepath.IsAbs(name) {
			name = filepath.Join(conf, name)
		}
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(f.text), 0o600); err != nil {
			t.Fatal(err)
		}
		o.Config.Files = append(o.Config.Files, ConfigFile{Path: name, Secret: f.secret})
	}
	for _, keys := range []bool{false, true} {
		t.Run(fmt.Sprintf("keys %t", keys), func(t *testing.T) {
			o := o
			o.Keys = keys
			target := filepath.Join(t.TempDir(), "b.tar.zst")
			r := write(t, folder(t, dir), target, o)
			if left := len(r.Left); left != map[bool]int{false: 1, true: 0}[keys] {
				t.Errorf("left out: %q", r.Left)
			}
			to := t.TempDir()
			there := filepath.Join(to, "trust", "p.pem")
			if err := os.MkdirAll(filepath.Dir(there), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(there, []byte("newer"), 0o600); err != nil {
				t.Fatal(err)
			}
			wrote, kept, err := RestoreConfig(ctx, target, filepath.Join(to, "other.yaml"))
			if err != nil || len(kept) != 1 || kept[0] != there || len(wrote) != len(r.Config)-1 {
				t.Errorf("wrote %q, kept %q, %v", wrote, kept, err)
			}
			want := map[string]string{"other.yaml": "node", "trust/p.pem": "newer", "outside" + outside: "authority"}
			if keys {
				want["keys/as4.pem"] = "key"
			}
			for name, text := range want {
				if b, err := os.ReadFile(filepath.Join(to, name)); err != nil || string(b) != text {
					t.Errorf("%s: %q, %v", name, b, err)
				}
			}
			if info, err := os.Stat(filepath.Join(to, "keys", "as4.pem")); keys && (err != nil || info.Mode().Perm() != 0o600) {
				t.Errorf("the key is readable: %v, %v", info.Mode(), err)
			} else if !keys && err == nil {
				t.Error("the key came along")
			}
		})
	}
}

func TestWhatRootRestoresBelongsToTheNode(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root gives files away")
	}
	dir, target, home := t.TempDir(), filepath.Join(t.TempDir(), "b.tar"), t.TempDir()
	w := open(t, dir)
	w.message(store.In, "a", store.Received)
	w.close()
	conf := filepath.Join(t.TempDir(), "viadukt.yaml")
	if err := os.WriteFile(conf, []byte("node"), 0o640); err != nil {
		t.Fatal(err)
	}
	o := options(start)
	o.Config = &Config{Dir: filepath.Dir(conf), Files: []ConfigFile{{Path: conf}}}
	write(t, folder(t, dir), target, o)
	const node = 4711
	if err := os.Chown(home, node, node); err != nil {
		t.Fatal(err)
	}
	if _, _, err := RestoreConfig(ctx, target, filepath.Join(home, "etc", "viadukt.yaml")); err != nil {
		t.Fatal(err)
	}
	restored(t, target, filepath.Join(home, "state", "data"), RestoreOptions{})
	n := 0
	err := filepath.WalkDir(home, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if st := info.Sys().(*syscall.Stat_t); st.Uid != node || st.Gid != node {
			t.Errorf("%s belongs to %d:%d", name, st.Uid, st.Gid)
		}
		if d.Name() == "viadukt.yaml" && info.Mode().Perm() != 0o640 {
			t.Errorf("%s has mode %o", name, info.Mode().Perm())
		}
		n++
		return nil
	})
	if err != nil || n < 8 {
		t.Errorf("%d files, %v", n, err)
	}
}
