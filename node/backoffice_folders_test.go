package node_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

const foldersSection = "  folders: {root: fs, poll: 100ms, still: 10ms, sent: %s, failed: archive}\n"

// files lists what is below a folder, slashes between names.
func files(t *testing.T, dir string) (out []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			if rel, _ := filepath.Rel(dir, p); !strings.Contains("/"+filepath.ToSlash(rel), "/.") { // not yet there
				out = append(out, filepath.ToSlash(rel))
			}
		}
		return nil // what moves while it is listed is listed at the next look
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func put(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	temp := path + ".part" // not in one write: the node must not see a half
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), "."+filepath.Base(temp)), []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(filepath.Dir(path), "."+filepath.Base(temp)), path); err != nil {
		t.Fatal(err)
	}
}

// metadata is a metadata.xml from blue to red.
func metadata(more string) string {
	h := header("", part("cid:doc", "MimeType", "text/xml"))
	um := h[strings.Index(h, "<eb:UserMessage>"):strings.Index(h, "</eb:Messaging>")]
	return strings.Replace(strings.Replace(um, "<eb:UserMessage>", `<eb:UserMessage xmlns:eb="`+ebms.NS+`">`, 1), "</eb:UserMessage>", more+"</eb:UserMessage>", 1)
}

func TestFilesTravelThroughTheFolders(t *testing.T) {
	t.Parallel()
	blue, red := colours(t, fmt.Sprintf(foldersSection, "archive"), fmt.Sprintf(foldersSection, "delete"))
	out, in := filepath.Join(blue.made.Dir, "fs"), filepath.Join(red.made.Dir, "fs")
	eventually(t, "the folders", func() bool { _, err := os.Stat(filepath.Join(out, "OUT")); return err == nil })
	put(t, filepath.Join(out, "OUT", "cases", "2026", "metadata.xml"), metadata(""))
	put(t, filepath.Join(out, "OUT", "cases", "2026", "one.xml"), "<one/>")
	put(t, filepath.Join(out, "OUT", "cases", "2026", "two_b.xml"), "<two/>")
	put(t, filepath.Join(out, "OUT", "nobody", "left.xml"), "<left/>")
	eventually(t, "both messages", func() bool { return len(files(t, filepath.Join(in, "IN"))) == 4 })
	got := map[string]string{}
	for _, f := range files(t, filepath.Join(in, "IN")) {
		dir, name := filepath.Split(f)
		if want := strings.ReplaceAll(c4, ":", "_") + "/"; !strings.HasPrefix(dir, want) {
			t.Errorf("%s is not below %s", f, want)
		}
		b, err := os.ReadFile(filepath.Join(in, "IN", f))
		if err != nil {
			t.Fatal(err)
		}
		if name != "metadata.xml" {
			got[name] = string(b)
			continue
		}
		doc, err := dom.Parse(b, dom.Limits{})
		if err != nil || !doc.Root().Is(ebms.NS, "UserMessage") || filepath.Base(filepath.Clean(dir)) != doc.Root().Child(ebms.NS, "MessageInfo").Child(ebms.NS, "MessageId").Text() {
			t.Errorf("%s: %v %s", f, err, b)
		}
	}
	if len(got) != 2 || got["one.xml"] != "<one/>" || got["two_b.xml"] != "<two/>" {
		t.Errorf("arrived: %v", got)
	}
	eventually(t, "the files in SENT", func() bool { return len(files(t, filepath.Join(out, "SENT"))) == 2 })
	for _, f := range files(t, filepath.Join(out, "SENT")) {
		if !strings.HasPrefix(f, "cases/2026/") || !strings.Contains(f, "@blue.example.xml") {
			t.Errorf("archived as %s", f)
		}
	}
	if left := files(t, filepath.Join(out, "OUT")); !slices.Equal(left, []string{"cases/2026/metadata.xml", "nobody/left.xml"}) {
		t.Errorf("left in OUT: %v", left)
	}
	eventually(t, "that both messages count as downloaded", func() bool {
		l, err := red.Store.List(t.Context(), store.Filter{States: []store.State{store.Confirmed}}, store.Page{})
		return err == nil && len(l.Messages) == 2
	})
}

func TestAFileTellsHowItsMessageStands(t *testing.T) {
	t.Parallel()
	a, _ := colourConfigs(t, fmt.Sprintf(foldersSection, "delete"), "")
	clock := &wrongClock{}
	blue := beginAt(t, a, clock.now, func(c *config.Config) {
		c.Outbound.MaxAttempts, c.Outbound.FirstRetry = 2, config.Duration(time.Hour)
	})
	root := filepath.Join(blue.made.Dir, "fs")
	eventually(t, "the folders", func() bool { _, err := os.Stat(filepath.Join(root, "OUT")); return err == nil })
	put(t, filepath.Join(root, "OUT", "a", "metadata.xml"), metadata(""))
	put(t, filepath.Join(root, "OUT", "a", "letter.xml"), "<letter/>") // nobody listens at the other end
	eventually(t, "the status in the name", func() bool {
		return slices.ContainsFunc(files(t, filepath.Join(root, "OUT")), func(f string) bool {
			return strings.HasPrefix(f, "a/letter_") && strings.HasSuffix(f, ".xml.WAITING_FOR_RETRY")
		})
	})
	clock.set(2 * time.Hour)
	if _, err := blue.Reload(t.Context()); err != nil { // its timer runs by the real clock
		t.Fatal(err)
	}
	eventually(t, "the file in FAILED with its reason", func() bool { return len(files(t, filepath.Join(root, "FAILED"))) == 2 })
	for _, f := range files(t, filepath.Join(root, "FAILED")) {
		b, err := os.ReadFile(filepath.Join(root, "FAILED", f))
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(f, ".error") && !strings.Contains(string(b), "errorCode: EBMS_0005\n") || !strings.HasSuffix(f, ".error") && string(b) != "<letter/>" {
			t.Errorf("%s: %s", f, b)
		}
	}
}

func TestFilesThatCannotBeSent(t *testing.T) {
	t.Parallel()
	blue, _ := colours(t, fmt.Sprintf(foldersSection, "delete"), "")
	root := filepath.Join(blue.made.Dir, "fs")
	eventually(t, "the folders", func() bool { _, err := os.Stat(filepath.Join(root, "OUT")); return err == nil })
	secret := filepath.Join(blue.made.Dir, "secret.txt")
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, meta := range map[string]string{
		"broken":   "<eb:UserMessage",
		"doctype":  `<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>` + metadata(""),
		"two":      strings.Replace(metadata(""), "</eb:PayloadInfo>", `<eb:PartInfo href="cid:second"/></eb:PayloadInfo>`, 1),
		"stranger": strings.Replace(metadata(""), "domibus-blue", "stranger", 1),
		"path":     strings.Replace(metadata(""), "</eb:PartProperties>", `<eb:Property name="FilePath">file:///etc/passwd</eb:Property></eb:PartProperties>`, 1),
		"pull":     metadata("<eb:ProcessingType>PULL</eb:ProcessingType>"),
	} {
		put(t, filepath.Join(root, "OUT", name, "metadata.xml"), meta)
		put(t, filepath.Join(root, "OUT", name, name+".xml"), "<x/>")
	}
	// A link out of the folders is no file; a foreign lock is its owner's business.
	put(t, filepath.Join(root, "OUT", "links", "metadata.xml"), metadata(""))
	if err := os.Symlink(secret, filepath.Join(root, "OUT", "links", "link.txt")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(blue.made.Dir, filepath.Join(root, "OUT", "links", "up")); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(root, "OUT", "locked", "metadata.xml"), metadata(""))
	put(t, filepath.Join(root, "OUT", "locked", "mine.xml.lock"), "")
	put(t, filepath.Join(root, "OUT", "locked", "mine.xml"), "<x/>")
	eventually(t, "six reasons", func() bool {
		n := 0
		for _, f := range files(t, filepath.Join(root, "FAILED")) {
			if strings.HasSuffix(f, ".error") {
				n++
			}
		}
		return n == 6 && len(files(t, filepath.Join(root, "FAILED"))) == 12
	})
	// When a file that came later was sent, the others had their turn.
	put(t, filepath.Join(root, "OUT", "z", "metadata.xml"), metadata(""))
	put(t, filepath.Join(root, "OUT", "z", "good.xml"), "<good/>")
	eventually(t, "the good file gone", func() bool {
		return slices.Equal(files(t, filepath.Join(root, "OUT", "z")), []string{"metadata.xml"})
	})
	l, err := blue.Store.List(t.Context(), store.Filter{}, store.Page{})
	if err != nil || len(l.Messages) != 1 {
		t.Errorf("%d messages, %v", len(l.Messages), err)
	}
	if _, err := os.Stat(filepath.Join(root, "OUT", "locked", "mine.xml")); err != nil {
		t.Error("a file with a foreign lock was taken")
	}
	if _, err := os.Lstat(filepath.Join(root, "OUT", "links", "link.txt")); err != nil {
		t.Error("a link was taken")
	}
}

func TestNamesOfStrangersStayInTheirFolder(t *testing.T) {
	t.Parallel()
	blue, red := colours(t, "  soap: true\n", fmt.Sprintf(foldersSection, "delete"))
	h := strings.Replace(header("", part("cid:a", "PayloadName", "../../../escaped.txt"), part("cid:b", "PayloadName", `..\..\metadata.xml`), part("cid:c", "PayloadName", ".."), part("cid:../d", "MimeType", "application/pdf")),
		">"+c4+"<", ">../../"+c4+"<", 1)
	body := envelope(pluginNS, h, "<w:submitRequest>"+payload("cid:a", "a")+payload("cid:b", "b")+payload("cid:c", "c")+payload("cid:../d", "d")+"</w:submitRequest>")
	resp, n := blue.post(t, "wsplugin", soap12, strings.NewReader(body))
	if resp.StatusCode != 200 {
		t.Fatalf("%s", n.Raw())
	}
	id := n.Child("", "messageID").Text()
	red.until(t, store.In, id, store.Confirmed)
	dir := filepath.Join("IN", ".._.._"+strings.ReplaceAll(c4, ":", "_"), id)
	dir = strings.Replace(dir, "IN"+string(filepath.Separator)+"..", "IN"+string(filepath.Separator)+"__", 1)
	got := files(t, filepath.Join(red.made.Dir, "fs", dir))
	want := []string{"2-metadata.xml", "__.pdf", "c.bin", "escaped.txt", "metadata.xml"}
	if len(got) != 5 || !contains(got, "escaped.txt") || !contains(got, "2-metadata.xml") || !contains(got, "metadata.xml") {
		t.Errorf("%v, want about %v", got, want)
	}
	all := files(t, red.made.Dir)
	for _, f := range all {
		if strings.Contains(f, "escaped") && !strings.HasPrefix(f, "fs/IN/") {
			t.Errorf("%s is outside", f)
		}
	}
}

func TestASecondRunSendsNothingTwice(t *testing.T) {
	t.Parallel()
	blue, red := colours(t, "  soap: true\n"+fmt.Sprintf(foldersSection, "delete"), "  soap: true\n")
	root := filepath.Join(blue.made.Dir, "fs")
	id := blue.submitTo(t, "taken@blue")
	red.until(t, store.In, id, store.Delivered)
	// What a process left that ended between storing the message and renaming the file.
	put(t, filepath.Join(root, "OUT", "a", "letter.xml.lock"), "viadukt "+id+"\n")
	put(t, filepath.Join(root, "OUT", "a", "letter.xml"), "<letter/>")
	put(t, filepath.Join(root, "OUT", "a", "metadata.xml"), metadata(""))
	eventually(t, "the file gone", func() bool {
		return slices.Equal(files(t, filepath.Join(root, "OUT", "a")), []string{"metadata.xml"})
	})
	l, err := blue.Store.List(t.Context(), store.Filter{}, store.Page{})
	if err != nil || len(l.Messages) != 1 {
		t.Errorf("%d messages, %v", len(l.Messages), err)
	}
}

func TestSamplesOfMetadata(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(corpus.Dir(t, "edelivery-as4"), "backend-domibus")
	blue, red := colours(t, fmt.Sprintf(foldersSection, "delete"), "")
	root := filepath.Join(blue.made.Dir, "fs")
	for _, name := range []string{"fs-example_metadata.xml", "fs-deliver-metadata.xml", "fs-multiple-partinfo-metadata.xml", "fs-ready-to-pull-metadata.xml"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		put(t, filepath.Join(root, "OUT", name, "metadata.xml"), string(b))
		put(t, filepath.Join(root, "OUT", name, "document.xml"), "<hello/>")
	}
	eventually(t, "two messages", func() bool {
		l, err := red.Store.List(t.Context(), store.Filter{Direction: store.In}, store.Page{})
		return err == nil && len(l.Messages) == 2
	})
	// The agreement of this test pushes, so that the sample to be pulled is refused as the one with two parts is.
	eventually(t, "two refusals", func() bool { return len(files(t, filepath.Join(root, "FAILED"))) == 4 })
	l, err := red.Store.List(t.Context(), store.Filter{Direction: store.In}, store.Page{})
	if err != nil {
		t.Fatal(err)
	}
	var cids []string
	for _, m := range l.Messages {
		full, err := red.Store.Message(t.Context(), m.ID)
		if err != nil {
			t.Fatal(err)
		}
		cids = append(cids, full.Payloads[0].ContentID)
	}
	slices.Sort(cids)
	if !slices.Equal(cids, []string{"message", "message123"}) {
		t.Errorf("content ids %v", cids)
	}
}
