package backoffice

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/node/mediatype"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// The folders are four. OUT/any/sub/folder holds metadata.xml and files, each of which becomes a message of its own; its
// name tells how it stands until it leaves OUT. IN/recipient/messageid appears by one rename when it is complete. SENT
// and FAILED keep what was sent and what could not be.
//
// All paths go through os.Root: a link that leads out of the folders is not followed.
const (
	outFolder    = "OUT"
	inFolder     = "IN"
	sentFolder   = "SENT"
	failedFolder = "FAILED"
	metadataFile = "metadata.xml"
	lockSuffix   = ".lock"
	lockMark     = "viadukt " // begins our locks; others are their owners' business
	metadataMax  = 1 << 20
	foldersDeep  = 20
)

// folders looks after one root.
type folders struct {
	s      *Service
	root   *os.Root
	seen   map[string]look
	known  map[string]int64 // row of the message by path, while it is under way
	told   map[string]bool  // what was logged once
	purged time.Time
}

// look is what a file was like when it was looked at, and since when.
type look struct {
	print string
	since time.Time
}

func (s *Service) runFolders(ctx context.Context) {
	f, err := s.openFolders()
	if err != nil {
		s.Log.Error("folders not usable", slog.Any("err", err))
		return
	}
	defer f.root.Close()
	t := time.NewTicker(s.Settings.Folders.Poll.D())
	defer t.Stop()
	for {
		f.round(ctx)
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

func (s *Service) openFolders() (*folders, error) {
	dir := string(s.Settings.Folders.Root)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	for _, d := range []string{outFolder, inFolder, sentFolder, failedFolder} {
		if err := root.MkdirAll(d, 0o755); err != nil {
			root.Close()
			return nil, err
		}
	}
	return &folders{s: s, root: root, seen: map[string]look{}, known: map[string]int64{}, told: map[string]bool{}}, nil
}

// round looks at everything once.
func (f *folders) round(ctx context.Context) {
	still := map[string]bool{}
	f.walk(ctx, outFolder, 0, still)
	for p := range f.seen {
		if !still[p] {
			delete(f.seen, p)
		}
	}
	for p := range f.known {
		if !still[p] {
			delete(f.known, p)
		}
	}
	if now := f.s.Clock(); f.s.Settings.Folders.Purge > 0 && now.Sub(f.purged) >= time.Minute {
		f.purged = now
		for _, d := range []string{sentFolder, failedFolder, inFolder} {
			f.purge(d, now.Add(-f.s.Settings.Folders.Purge.D()), 0)
		}
	}
}

func (f *folders) list(dir string) []fs.DirEntry {
	entries, err := fs.ReadDir(f.root.FS(), dir)
	if err != nil {
		f.once(dir, "folder not read", err)
	}
	return entries
}

// once logs what would else be logged at each round.
func (f *folders) once(path, text string, err error) {
	if key := path + text; !f.told[key] {
		if len(f.told) > 10_000 {
			clear(f.told)
		}
		f.told[key] = true
		f.s.Log.Warn(text, slog.String("file", path), slog.Any("err", err))
	}
}

func (f *folders) walk(ctx context.Context, dir string, depth int, still map[string]bool) {
	if depth > foldersDeep || ctx.Err() != nil {
		return
	}
	entries := f.list(dir)
	hasMetadata := false
	for _, e := range entries {
		hasMetadata = hasMetadata || e.Name() == metadataFile && e.Type().IsRegular()
	}
	for _, e := range entries {
		name := e.Name()
		p := path.Join(dir, name)
		switch {
		case e.IsDir():
			f.walk(ctx, p, depth+1, still)
		case !e.Type().IsRegular() || name == metadataFile || strings.HasPrefix(name, ".") || strings.HasSuffix(name, lockSuffix):
		default:
			still[p] = true
			if base, ok := cutStatus(name); ok {
				f.follow(ctx, dir, name, base)
			} else if !hasMetadata {
				f.once(p, "file without metadata.xml beside it", nil)
			} else if f.settled(p) && f.settled(path.Join(dir, metadataFile)) {
				f.take(ctx, dir, name)
			}
		}
		if name == metadataFile {
			still[p] = true
		}
	}
}

// settled reports whether a file has not changed for a while.
func (f *folders) settled(p string) bool {
	info, err := f.root.Lstat(p)
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	print, now := fmt.Sprintf("%d %d", info.Size(), info.ModTime().UnixNano()), f.s.Clock()
	if old, ok := f.seen[p]; !ok || old.print != print {
		f.seen[p] = look{print, now}
		return false
	}
	return now.Sub(f.seen[p].since) >= f.s.Settings.Folders.Still.D()
}

// folderStatuses are those that a file in OUT can bear.
var folderStatuses = func() map[string]bool {
	t := map[string]bool{}
	for _, s := range statuses() {
		t[s] = true
	}
	return t
}()

// cutStatus takes the status off the name of a file that is under way.
func cutStatus(name string) (base string, ok bool) {
	i := strings.LastIndexByte(name, '.')
	if i < 0 || !folderStatuses[name[i+1:]] {
		return name, false
	}
	return name[:i], true
}

// withID puts a message id in front of the extension.
func withID(name, id string) string {
	ext := path.Ext(name)
	return strings.TrimSuffix(name, ext) + "_" + fileName(id) + ext
}

// fileName replaces what a name in these folders does not hold. It never is a way to another folder.
func fileName(s string) string {
	s = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_@.-", r) {
			return r
		}
		return '_'
	}, s)
	if len(s) > 200 {
		s = s[len(s)-200:]
	}
	if rest := strings.TrimLeft(s, "."); len(rest) != len(s) {
		s = strings.Repeat("_", len(s)-len(rest)) + rest
	}
	if s == "" {
		return "_"
	}
	return s
}

// take sends one file. A lock with the message's id stands beside it meanwhile: after a crash it tells which message
// the file became, so that it is not sent twice.
func (f *folders) take(ctx context.Context, dir, name string) {
	p := path.Join(dir, name)
	id, foreign := f.lockedAs(p + lockSuffix)
	if foreign {
		return
	}
	um, err := f.metadata(path.Join(dir, metadataFile), name)
	if err == nil && id != "" {
		um.MessageID = id
		if m, ferr := f.s.Store.ByMessageID(ctx, store.Out, id); ferr == nil {
			f.underWay(dir, name, m)
			return
		}
	}
	var m *store.Message
	if err == nil {
		m, err = f.submit(ctx, p, um)
	}
	var temporary interface{ Temporary() bool }
	switch {
	case err == nil:
		f.underWay(dir, name, m)
	case ctx.Err() != nil || errors.Is(err, store.ErrDiskFull) || errors.As(err, &temporary) && temporary.Temporary():
		f.once(p, "file waits", err)
	default:
		target := name
		if um != nil && um.MessageID != "" {
			target = withID(name, um.MessageID)
		}
		fault := faultOf(err)
		code := "EBMS_0004"
		if c := ebmsCode.FindStringSubmatch(fault.Code); c != nil && schemaCodes[c[1]] {
			code = "EBMS_" + c[1]
		}
		item := errorItem{code, fault.Message, "SENDING", f.s.Clock().UTC().Format("2006-01-02T15:04:05.000Z")}
		messageID := ""
		if um != nil {
			messageID = um.MessageID
		}
		f.fail(dir, name, target, messageID, []errorItem{item})
		f.s.Log.Warn("file refused", slog.String("file", p), slog.Any("err", err))
	}
}

// lockedAs reads the message id from a lock of ours. foreign: somebody else holds the file.
func (f *folders) lockedAs(lock string) (id string, foreign bool) {
	b, err := f.readSmall(lock, 1<<10)
	if err != nil {
		return "", !errors.Is(err, fs.ErrNotExist)
	}
	id, ours := strings.CutPrefix(strings.TrimSpace(string(b)), lockMark)
	return id, !ours
}

func (f *folders) readSmall(name string, most int64) ([]byte, error) {
	file, err := f.root.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	b, err := io.ReadAll(io.LimitReader(file, most+1))
	if err == nil && int64(len(b)) > most {
		err = fmt.Errorf("%w: %s has more than %d octets", errTooLarge, name, most)
	}
	return b, err
}

// metadata reads the header for a file: it has one part, however it calls it.
func (f *folders) metadata(name, file string) (*Submitted, error) {
	b, err := f.readSmall(name, metadataMax)
	if err != nil {
		return nil, err
	}
	um, err := parseMetadata(b)
	if err != nil {
		return nil, err
	}
	if len(um.Parts) == 0 {
		um.Parts = []ebms.PartInfo{{}}
	}
	part := &um.Parts[0]
	if part.Href == "" {
		part.Href = "cid:message"
	}
	if _, ok := part.Property(ebms.PropertyMimeType); !ok {
		part.Properties = append(part.Properties, ebms.Property{Name: ebms.PropertyMimeType, Value: typeOf(file)})
	}
	if _, ok := part.Property("PayloadName"); !ok {
		part.Properties = append(part.Properties, ebms.Property{Name: "PayloadName", Value: file})
	}
	return um, nil
}

// parseMetadata reads a metadata.xml: a UserMessage as document, with one part at most.
func parseMetadata(b []byte) (*Submitted, error) {
	doc, err := dom.Parse(b, dom.Limits{Bytes: metadataMax, Depth: depthMax, Nodes: 50_000, Attributes: 10_000})
	if err != nil {
		return nil, malformed("%s: %w", metadataFile, err)
	}
	um, err := readUserMessage(doc.Root(), ebms.NS)
	if err != nil {
		return nil, err
	}
	if len(um.Parts) > 1 {
		return nil, errHeader(ebms.ValueInconsistent, "%s names more than one PartInfo: each file is a message of its own", metadataFile)
	}
	return um, nil
}

// typeOf is the media type of a file that nobody described. For XML it is the one that Domibus gives it.
func typeOf(file string) string {
	if t := mediatype.Of(file); t != "application/xml" {
		return t
	}
	return "text/xml"
}

func (f *folders) submit(ctx context.Context, p string, um *Submitted) (*store.Message, error) {
	draft, err := f.s.Gateway.Begin(ctx, um) // gives an id where there is none
	if err != nil {
		return nil, err
	}
	defer draft.Close()
	if err := f.writeFile(p+lockSuffix, strings.NewReader(lockMark+um.MessageID+"\n")); err != nil {
		return nil, err
	}
	file, err := f.root.Open(p)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	mimeType, _ := um.Parts[0].Property(ebms.PropertyMimeType)
	if err := draft.Payload(0, mimeType, file); err != nil {
		return nil, err
	}
	return draft.Commit(ctx)
}

// writeFile writes a file durably, over an older one.
func (f *folders) writeFile(name string, in io.Reader) error {
	out, err := f.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	defer out.Close()
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	if err := out.Sync(); err != nil {
		return err
	}
	return out.Close()
}

func (f *folders) syncDir(dir string) error {
	d, err := f.root.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// underWay gives a file that was taken the name that tells so.
func (f *folders) underWay(dir, name string, m *store.Message) {
	next := withID(name, m.MessageID) + "." + f.s.status(m)
	f.move(path.Join(dir, name), path.Join(dir, next))
	f.known[path.Join(dir, next)] = m.ID
	if err := f.root.Remove(path.Join(dir, name+lockSuffix)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		f.once(name, "lock not removed", err)
	}
}

func (f *folders) move(from, to string) bool {
	err := f.root.Rename(from, to)
	if err == nil {
		err = f.syncDir(path.Dir(to))
	}
	if err != nil {
		f.once(from, "file not moved", err)
	}
	return err == nil
}

// follow brings the name of a file that is under way up to date, and takes it out of OUT at the end.
func (f *folders) follow(ctx context.Context, dir, name, base string) {
	p := path.Join(dir, name)
	m, err := f.messageOf(ctx, p, base)
	if err != nil {
		f.once(p, "file of an unknown message", err)
		return
	}
	sub := strings.TrimPrefix(strings.TrimPrefix(dir, outFolder), "/")
	switch status := f.s.status(m); status {
	case "ACKNOWLEDGED", "ACKNOWLEDGED_WITH_WARNING":
		f.finish(p, path.Join(sentFolder, sub), base, f.s.Settings.Folders.Sent)
	case "SEND_FAILURE":
		items, err := f.s.problems(ctx, m)
		if err != nil {
			f.once(p, "errors not read", err)
			return
		}
		f.fail(dir, name, base, m.MessageID, items)
	default:
		if next := base + "." + status; next != name && f.move(p, path.Join(dir, next)) {
			f.known[path.Join(dir, next)] = m.ID
		}
	}
}

// messageOf finds the message whose id stands in a name: behind one of its underscores, with or without an extension after it.
func (f *folders) messageOf(ctx context.Context, p, base string) (*store.Message, error) {
	if id, ok := f.known[p]; ok {
		return f.s.Store.Message(ctx, id)
	}
	for _, s := range []string{strings.TrimSuffix(base, path.Ext(base)), base} {
		for i := range len(s) {
			if s[i] != '_' {
				continue
			}
			m, err := f.s.Store.ByMessageID(ctx, store.Out, s[i+1:])
			if err == nil {
				f.known[p] = m.ID
			}
			if err == nil || !errors.Is(err, store.ErrNotFound) {
				return m, err
			}
		}
	}
	return nil, store.ErrNotFound
}

// finish deletes a file or moves it into another folder.
func (f *folders) finish(p, dir, name, action string) {
	if action != "archive" {
		if err := f.root.Remove(p); err != nil {
			f.once(p, "file not deleted", err)
		}
		return
	}
	if err := f.root.MkdirAll(dir, 0o755); err != nil {
		f.once(dir, "folder not made", err)
		return
	}
	f.move(p, path.Join(dir, name))
}

// fail takes a file out of OUT and writes down why.
func (f *folders) fail(dir, name, target, messageID string, items []errorItem) {
	to := path.Join(failedFolder, strings.TrimPrefix(strings.TrimPrefix(dir, outFolder), "/"))
	if err := f.root.MkdirAll(to, 0o755); err != nil {
		f.once(to, "folder not made", err)
		return
	}
	var b bytes.Buffer
	for _, e := range items {
		fmt.Fprintf(&b, "errorCode: %s\nerrorDetail: %s\nmessageInErrorId: %s\nmshRole: %s\nnotified: %s\ntimestamp: %s\n", e.code, strings.ReplaceAll(e.detail, "\n", " "), messageID, e.role, e.at, e.at)
	}
	if err := f.writeFile(path.Join(to, target+".error"), &b); err != nil {
		f.once(to, "reason not written", err)
		return
	}
	f.finish(path.Join(dir, name), to, target, f.s.Settings.Folders.Failed)
	if err := f.root.Remove(path.Join(dir, name+lockSuffix)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		f.once(name, "lock not removed", err)
	}
}

// purge deletes files that are older, and folders that are empty then.
func (f *folders) purge(dir string, older time.Time, depth int) {
	for _, e := range f.list(dir) {
		p := path.Join(dir, e.Name())
		if e.IsDir() && depth < foldersDeep {
			f.purge(p, older, depth+1)
		}
		info, err := f.root.Lstat(p)
		if err != nil || info.ModTime().After(older) {
			continue
		}
		if err := f.root.Remove(p); err != nil && !e.IsDir() { // a folder that still holds something stays
			f.once(p, "file not deleted", err)
		}
	}
}
