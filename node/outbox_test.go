package node_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/store"
)

// drop puts a file, or a folder of files, into an outbox by one rename, as a careful back office does.
func drop(t *testing.T, outbox, name string, files map[string]string) {
	t.Helper()
	temp := filepath.Join(filepath.Dir(outbox), "making-"+name)
	if content, single := files[""]; single {
		if err := os.WriteFile(temp, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if err := os.Mkdir(temp, 0o755); err != nil {
		t.Fatal(err)
	} else {
		for f, content := range files {
			if err := os.WriteFile(filepath.Join(temp, f), []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.MkdirAll(outbox, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(temp, filepath.Join(outbox, name)); err != nil {
		t.Fatal(err)
	}
}

const corners = "sender: urn:id::alice\nreceiver: urn:id::bob\n"

// delivered waits until a node has delivered so many messages.
func (g *gateway) delivered(t *testing.T, n int) {
	t.Helper()
	eventually(t, "the delivery", func() bool {
		l, err := g.Store.List(context.Background(), store.Filter{States: []store.State{store.Delivered}}, store.Page{})
		return err == nil && len(l.Messages) == n
	})
}

func exists(path string) bool { _, err := os.Lstat(path); return err == nil }

// A folder with one XML file and one PDF at one country appears with the same octets in a folder of the other.
func folderToFolder(t *testing.T) {
	t.Parallel()
	a, b := agree(t)
	pt, ee := begin(t, a, nil, nil), begin(t, b, nil, nil)
	xml, pdf := "<?xml version=\"1.0\"?>\r\n<letter>\tOlá & "+strings.Repeat("vai ", 9000)+"</letter>\n", "%PDF-1.7\n\x00\xff\xfe"+strings.Repeat("\x80x", 20000)
	xml = strings.ReplaceAll(xml, "&", "&amp;")
	outbox := filepath.Join(pt.made.Dir, "outbox")
	drop(t, outbox, "carta", map[string]string{"1-letter.xml": xml, "2-scan.pdf": pdf, "message.yaml": corners + "pmode: letters\n"})
	ee.delivered(t, 1)
	got := tree(t, filepath.Join(ee.made.Dir, "inbox"))
	l, err := ee.Store.List(context.Background(), store.Filter{}, store.Page{})
	if err != nil {
		t.Fatal(err)
	}
	base := "urn_id__bob/" + l.Messages[0].MessageID + "/"
	if len(got) != 2 || got[base+"1-letter.xml"] != xml || got[base+"2-scan.pdf"] != pdf {
		for name, content := range got {
			t.Errorf("other octets or names: %s, %d octets, %.60q", name, len(content), content)
		}
	}
	eventually(t, "sent/carta", func() bool {
		return exists(filepath.Join(outbox, "sent", "carta")) && !exists(filepath.Join(outbox, "carta"))
	})
}

func TestSeed(t *testing.T) {
	t.Parallel()
	t.Run("GEN-4", aDeliveredCaseProvesItself)
	t.Run("GEN-5", theSameEitherWay)
	t.Run("GEN-10", folderToFolder)
	t.Run("ESENS-8", secureByDefault)
	t.Run("SPOCS-11", whatArrivesIsJudged)
	t.Run("PEPPOL-11", anySignatureByOneCall)
	t.Run("ESENS-15", oneViewOfTrust)
	t.Run("ESENS-16", thePolicyDecides)
}

func TestWhatTheOutboxRefuses(t *testing.T) {
	t.Parallel()
	a, _ := agree(t)
	g := begin(t, a, nil, nil)
	outbox := filepath.Join(a.Dir, "outbox")
	outside := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(outside, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name  string
		files map[string]string
		spoil func(path string) error
		says  string
	}{
		{"broken.yaml", map[string]string{"a.txt": "x", "message.yaml": "sender: [\n"}, nil, "message.yaml"},
		{"unknown-key", map[string]string{"a.txt": "x", "message.yaml": corners + "colour: blue\n"}, nil, `line 3: unknown key "colour"`},
		{"list", map[string]string{"a.txt": "x", "message.yaml": "- sender\n- x\n"}, nil, "message.yaml"},
		{"no-pmode", map[string]string{"a.txt": "x", "message.yaml": corners + "pmode: missing\n"}, nil, "EBMS:0010"},
		{"empty", map[string]string{}, nil, "no file"},
		{"only-yaml", map[string]string{"message.yaml": corners}, nil, "no file"},
		{"bad-id", map[string]string{"a.txt": "x", "message.yaml": corners + "messageId: no id\n"}, nil, "EBMS:0009"},
		{"no-corners", map[string]string{"a.txt": "x"}, nil, "EBMS:0010"},
		{"link", map[string]string{"": ""}, func(p string) error {
			os.Remove(p)
			return os.Symlink(outside, p)
		}, "no file"},
		{"link-in-folder", map[string]string{"a.txt": "x", "message.yaml": corners}, func(p string) error { return os.Symlink(outside, filepath.Join(p, "b.txt")) }, "b.txt is no file"},
		{"linked-yaml", map[string]string{"a.txt": "x"}, func(p string) error { return os.Symlink(outside, filepath.Join(p, "message.yaml")) }, "message.yaml is no file"},
		{"folder-in-folder", map[string]string{"a.txt": "x", "message.yaml": corners}, func(p string) error { return os.Mkdir(filepath.Join(p, "more"), 0o755) }, "more is no file"},
		{"single.bin", map[string]string{"": "x"}, nil, "UNKNOWN_DOMAIN"},
	}
	for _, c := range cases {
		if c.spoil == nil {
			drop(t, outbox, c.name, c.files)
			continue
		}
		drop(t, filepath.Join(a.Dir, "elsewhere"), c.name, c.files)
		if err := c.spoil(filepath.Join(a.Dir, "elsewhere", c.name)); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(a.Dir, "elsewhere", c.name), filepath.Join(outbox, c.name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range cases {
		name, says := c.name, c.says
		eventually(t, "the refusal of "+name, func() bool { return exists(filepath.Join(outbox, "failed", name)) })
		reason, err := os.ReadFile(filepath.Join(outbox, "failed", name+".error.txt"))
		if err != nil || !strings.Contains(string(reason), says) {
			t.Errorf("%s: %q, %v, want %s", name, reason, err, says)
		}
		if exists(filepath.Join(outbox, name)) || exists(filepath.Join(outbox, "sent", name)) {
			t.Errorf("%s is elsewhere too", name)
		}
	}
	if l, err := g.Store.List(context.Background(), store.Filter{}, store.Page{}); err != nil || len(l.Messages) != 0 {
		t.Errorf("%d messages were sent all the same, %v", len(l.Messages), err)
	}
}

func TestOutboxAfterACrashBetweenStoringAndMoving(t *testing.T) {
	t.Parallel()
	a, b := agree(t)
	outbox := filepath.Join(a.Dir, "outbox")
	ee, pt := begin(t, a, nil, nil), begin(t, b, nil, nil)
	files := map[string]string{"a.txt": "once", "message.yaml": corners + "pmode: letters\n"}
	drop(t, outbox, "letter", files)
	eventually(t, "sent/letter", func() bool { return exists(filepath.Join(outbox, "sent", "letter")) })
	if err := ee.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	// As if the process had died before the move: the folder is where it was, with the times it had.
	if err := os.Rename(filepath.Join(outbox, "sent", "letter"), filepath.Join(outbox, "letter")); err != nil {
		t.Fatal(err)
	}
	ee = begin(t, a, nil, nil)
	eventually(t, "sent/letter again", func() bool { return exists(filepath.Join(outbox, "sent", "letter")) })
	drop(t, outbox, "letter", files) // another letter of the same name and content is another letter
	pt.delivered(t, 2)
	l, err := ee.Store.List(context.Background(), store.Filter{}, store.Page{})
	if err != nil || len(l.Messages) != 2 {
		t.Errorf("%d messages for two letters, %v", len(l.Messages), err)
	}
	if n := len(tree(t, filepath.Join(outbox, "failed"))); n != 0 {
		t.Errorf("%d files failed", n)
	}
}

func TestOutboxWaitsForWhatIsStillWritten(t *testing.T) {
	t.Parallel()
	n, _ := still(t, func(*config.Config) {})
	look, err := n.LooksAtOutbox()
	if err != nil {
		t.Fatal(err)
	}
	letter := filepath.Join(string(n.Config.Folders.Outbox), "slow")
	put(t, filepath.Join(letter, "message.yaml"), corners+"pmode: letters\n")
	f, err := os.Create(filepath.Join(letter, "a.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var whole bytes.Buffer
	for range 40 {
		piece := []byte("another line that makes the file longer\n")
		whole.Write(piece)
		if _, err := f.Write(piece); err != nil {
			t.Fatal(err)
		}
		if look(t.Context()); !exists(letter) {
			t.Fatalf("taken with %d octets", whole.Len())
		}
	}
	if look(t.Context()); exists(letter) {
		t.Fatal("what did not change any more is not taken")
	}
	l, err := n.Store.List(t.Context(), store.Filter{}, store.Page{})
	if err != nil || len(l.Messages) != 1 {
		t.Fatalf("%d messages, %v", len(l.Messages), err)
	}
	m, err := n.Store.Message(t.Context(), l.Messages[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	(&gateway{Node: n}).same(t, m, whole.Bytes())
}

// TestLinksInTheFoldersLeadNowhere: whoever may write into a folder of the exchange cannot have the node write elsewhere, in
// the place of that user.
func TestLinksInTheFoldersLeadNowhere(t *testing.T) {
	t.Parallel()
	a, b := agree(t)
	outside := t.TempDir()
	secret := filepath.Join(outside, "secret")
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := func(to, path string) {
		t.Helper()
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.Symlink(to, path)); err != nil {
			t.Fatal(err)
		}
	}
	outbox, inbox := filepath.Join(a.Dir, "outbox"), filepath.Join(b.Dir, "inbox")
	link(secret, filepath.Join(outbox, "failed", "refused.error.txt"))
	ee := begin(t, a, nil, nil)
	drop(t, outbox, "refused", map[string]string{"message.yaml": corners})
	eventually(t, "the refusal", func() bool { return exists(filepath.Join(outbox, "failed", "refused")) })

	receiver := "urn_oasis_names_tc_ebcore_partyid-type_unregistered__bob"
	link(outside, filepath.Join(inbox, receiver))
	pt := begin(t, b, func(c *config.Config) { c.Outbound.MaxAttempts = 1000 }, nil)
	m := ee.send(t, letter(text("secret", "written by the node")))
	waiting := pt.until(t, store.In, m.MessageID, store.Retrying)
	if !strings.Contains(waiting.Error.Text, "escapes") {
		t.Errorf("%+v", waiting.Error)
	}
	if got := tree(t, outside); len(got) != 1 || got["secret"] != "secret" {
		t.Errorf("outside there is %v", got)
	}
	if err := os.Remove(filepath.Join(inbox, receiver)); err != nil {
		t.Fatal(err)
	}
	pt.until(t, store.In, m.MessageID, store.Delivered)
	if got := tree(t, filepath.Join(inbox, receiver)); len(got) != 1 {
		t.Errorf("inbox: %v", got)
	}
}
