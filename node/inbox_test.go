package node_test

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/store"
)

// tree lists the files below a folder with their contents.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		out[filepath.ToSlash(rel)] = string(b)
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return out
}

// inline is a payload that the database holds itself.
func inline(content string) store.PayloadRef {
	return store.PayloadRef{Size: int64(len(content)), SHA256: sha256.Sum256([]byte(content)), Inline: []byte(content)}
}

func TestNamesThatPeersChooseStayInTheInbox(t *testing.T) {
	t.Parallel()
	made, _ := agree(t)
	g := begin(t, made, nil, nil)
	long := strings.Repeat("long", 200)
	for i, c := range []struct {
		name              string
		receiver, id      string
		files             []string // names of the payloads
		folder, contained string
		want              []string // names in the folder
	}{
		{"an ordinary message", "urn:id::bob", "1@ee", []string{"a.txt"}, "urn_id__bob", "1@ee", []string{"a.txt"}},
		{"ids that are paths", "urn:id::../../etc", "../../../2@ee", []string{"../../a.txt"}, "urn_id__.._.._etc", "_.._.._2@ee-", []string{"a.txt"}},
		{"an absolute path", "/etc", "/3@ee", []string{"/etc/passwd"}, "_etc", "_3@ee-", []string{"passwd"}},
		{"back slashes", "urn:id::bob", `..\..\4@ee`, []string{`..\..\b.txt`}, "urn_id__bob", "_.._4@ee-", []string{"b.txt"}},
		{"hidden names", "..", ".5@ee", []string{".profile", ".."}, "unaddressed", "5@ee-", []string{"payload-2.txt", "profile"}},
		{"names twice", "urn:id::bob", "6@ee", []string{"x", "X", "2-X", "x"}, "urn_id__bob", "6@ee", []string{"2-X", "3-2-X", "4-x", "x"}},
		{"control characters and the like", "urn:id::bob", "7\x00\n@ee", []string{"a\x00\nb:*?\"<>|c"}, "urn_id__bob", "7__@ee-", []string{"a__b_______c"}},
		{"no name", "", "8@ee", []string{"", "///"}, "unaddressed", "8@ee", []string{"payload-1.txt", "payload-2.txt"}},
		{"names without end", long, long + "@ee", []string{long + ".txt"}, long[len(long)-150:], (long + "@ee")[len(long)+3-150:] + "-", []string{(long + ".txt")[len(long)+4-150:]}},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := filepath.Join(t.TempDir(), "deep", "er", "inbox")
			m := &store.Message{ID: int64(i + 1), Direction: store.In, MessageID: c.id, Receiver: c.receiver}
			for _, name := range c.files {
				m.Payloads = append(m.Payloads, store.Payload{Name: name, MimeType: "text/plain", PayloadRef: inline("x")})
			}
			for range 2 { // the second time after a crash
				if err := g.WriteFolder(t.Context(), root, m); err != nil {
					t.Fatal(err)
				}
			}
			all := tree(t, filepath.Join(root, "..", "..", ".."))
			if len(all) != len(c.want) {
				t.Errorf("%d files, want %d: %v", len(all), len(c.want), all)
			}
			var names []string
			for path := range all {
				dir, name := filepath.Split(path)
				parent, folder := filepath.Split(filepath.Clean(dir))
				if parent != "deep/er/inbox/"+c.folder+"/" || !strings.HasPrefix(folder, c.contained) || strings.HasSuffix(c.contained, "-") != (folder != c.contained) {
					t.Errorf("%s is not in inbox/%s/%s", path, c.folder, c.contained)
				}
				names = append(names, name)
			}
			slices.Sort(names)
			if !slices.Equal(names, c.want) {
				t.Errorf("files %q, want %q", names, c.want)
			}
		})
	}
}

func TestMessagesDoNotTakeEachOthersFolder(t *testing.T) {
	t.Parallel()
	made, _ := agree(t)
	g := begin(t, made, nil, nil)
	dir := t.TempDir()
	deliver := func(id, sender, content string) {
		t.Helper()
		m := &store.Message{Direction: store.In, State: store.Delivered, MessageID: id, SenderKey: sender, Receiver: "urn:id::bob",
			Payloads: []store.Payload{{Name: "a", PayloadRef: inline(content)}}}
		if err := g.Store.Write(t.Context(), func(tx store.Tx) error { return tx.Insert(m) }); err != nil {
			t.Fatal(err)
		}
		m, err := g.Store.Message(t.Context(), m.ID)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := g.WriteFolder(t.Context(), dir, m); err != nil {
				t.Fatal(err)
			}
		}
	}
	deliver("1@ee", "alice", "one")
	deliver("1@ee", "mallory", "two") // the ids of one sender are nothing to another
	deliver("a/b", "alice", "three")
	deliver("a:b", "alice", "four")
	var contents []string
	for _, c := range tree(t, dir) {
		contents = append(contents, c)
	}
	slices.Sort(contents)
	if want := []string{"four", "one", "three", "two"}; !slices.Equal(contents, want) {
		t.Errorf("inbox holds %q, want %q", contents, want)
	}
}

func TestWhatACrashLeftInTheInboxIsUsedUp(t *testing.T) {
	t.Parallel()
	made, _ := agree(t)
	g := begin(t, made, nil, nil)
	dir := t.TempDir()
	half := filepath.Join(dir, "bob", ".incoming-1@ee")
	if err := os.MkdirAll(half, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(half, "a"), []byte("ha"), 0o644); err != nil {
		t.Fatal(err)
	}
	m := &store.Message{ID: 1, Direction: store.In, MessageID: "1@ee", Receiver: "bob", Payloads: []store.Payload{{Name: "a", PayloadRef: inline("whole")}}}
	if err := g.WriteFolder(t.Context(), dir, m); err != nil {
		t.Fatal(err)
	}
	if got := tree(t, dir); len(got) != 1 || got["bob/1@ee/a"] != "whole" {
		t.Errorf("%v", got)
	}
}

// The whole way, with a name that a peer really sends.
func TestAFileNameTravels(t *testing.T) {
	t.Parallel()
	a, b := agree(t)
	ee, pt := begin(t, a, nil, nil), begin(t, b, nil, nil)
	m := ee.send(t, letter(text("../../../letter.txt", "hello"), node.SubmissionPart{Name: "..", MimeType: "text/plain", ContentID: "../x@y", Body: strings.NewReader("again")}))
	pt.until(t, store.In, m.MessageID, store.Delivered)
	got := tree(t, filepath.Join(b.Dir, "inbox"))
	base := "urn_oasis_names_tc_ebcore_partyid-type_unregistered__bob/" + m.MessageID + "/"
	if len(got) != 2 || got[base+"letter.txt"] != "hello" || got[base+"payload-2.txt"] != "again" {
		t.Errorf("%v", got)
	}
	if all := tree(t, b.Dir); all["letter.txt"] != "" {
		t.Error("written outside the inbox")
	}
}
