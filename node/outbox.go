package node

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/viadukt-eu/viadukt/node/mediatype"
	"github.com/viadukt-eu/viadukt/node/store"
)

// The outbox is a folder. A file in it is a document for a domain; a folder in it is one message whose files are its
// payloads, in the order of their names, with an optional message.yaml (the fields of a submission) beside them.
//
// What has not changed between two looks is complete. Taken things are moved to sent/, refused ones to failed/ with
// the reason in NAME.error.txt. A crash between storing and moving sends nothing twice: the message id is made of the
// content, so that the second attempt is a duplicate.
//
// All paths go through os.Root: who may write here cannot lead the node elsewhere by a link.
const (
	sentFolder   = "sent"
	failedFolder = "failed"
	messageFile  = "message.yaml"
)

func (n *Node) watchOutbox(ctx context.Context) {
	dir := string(n.Config.Folders.Outbox)
	for _, d := range []string{dir, filepath.Join(dir, sentFolder), filepath.Join(dir, failedFolder)} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			n.Log.Error("outbox not usable", slog.Any("err", err))
			return
		}
	}
	seen := map[string]string{}
	t := time.NewTicker(n.Config.Folders.Poll.D())
	defer t.Stop()
	for {
		n.lookAtOutbox(ctx, dir, seen)
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// lookAtOutbox takes what is as it was at the last look.
func (n *Node) lookAtOutbox(ctx context.Context, dir string, seen map[string]string) {
	root, err := os.OpenRoot(dir)
	var entries []fs.DirEntry
	if err == nil {
		defer root.Close()
		entries, err = fs.ReadDir(root.FS(), ".")
	}
	if err != nil {
		n.Log.Warn("outbox not read", slog.Any("err", err))
		return
	}
	still := map[string]bool{}
	for _, e := range entries {
		name := e.Name()
		if strings.HasPrefix(name, ".") || name == sentFolder || name == failedFolder {
			continue
		}
		still[name] = true
		print, err := fingerprint(root, name)
		if err != nil || seen[name] != print {
			seen[name] = print
			continue
		}
		n.take(ctx, root, name)
		delete(seen, name)
	}
	for name := range seen {
		if !still[name] {
			delete(seen, name)
		}
	}
}

// fingerprint is names, sizes and times of a file or folder: links and folders within folders are refused.
func fingerprint(root *os.Root, name string) (string, error) {
	var b strings.Builder
	add := func(p string, info fs.FileInfo) {
		fmt.Fprintf(&b, "%s|%d|%d\n", p, info.Size(), info.ModTime().UnixNano())
	}
	info, err := root.Lstat(name)
	if err != nil {
		return "", err
	}
	if !info.IsDir() {
		add(name, info)
		return b.String(), nil
	}
	err = fs.WalkDir(root.FS(), name, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil {
			add(p, info)
		}
		return err
	})
	return b.String(), err
}

func (n *Node) take(ctx context.Context, root *os.Root, name string) {
	m, err := n.submitPath(ctx, root, name)
	var dup *store.DuplicateError
	switch {
	case err == nil:
		n.Log.Info("outbox entry sent", slog.String("file", name), slog.String("msgid", m.MessageID))
	case errors.As(err, &dup):
		err = nil // stored before the process died
	case temporary(err) || errors.Is(err, store.ErrDiskFull) || ctx.Err() != nil:
		n.Log.Warn("outbox entry waits", slog.String("file", name), slog.Any("err", err))
		return
	}
	target := path.Join(sentFolder, name)
	if err != nil {
		target = path.Join(failedFolder, name)
		n.Log.Warn("outbox entry refused", slog.String("file", name), slog.Any("err", err))
		p := problem(err)
		text := fmt.Sprintf("%s\n%s\n", cmp.Or(p.Code, "error"), err.Error())
		if p.Remedy != "" {
			text += p.Remedy + "\n"
		}
		if err := root.WriteFile(target+".error.txt", []byte(text), 0o644); err != nil {
			n.Log.Error("outbox reason not written", slog.Any("err", err))
		}
	}
	if _, err := root.Lstat(target); err == nil {
		target += "." + n.Clock().UTC().Format("20060102T150405.000")
	}
	if err := root.Rename(name, target); err != nil {
		n.Log.Error("outbox entry not moved", slog.String("file", name), slog.Any("err", err))
	}
}

// submitPath hands over one file or one folder.
func (n *Node) submitPath(ctx context.Context, root *os.Root, name string) (*store.Message, error) {
	info, err := root.Lstat(name)
	if err != nil {
		return nil, err
	}
	s := &Submission{}
	var files []string
	if info.IsDir() {
		entries, err := fs.ReadDir(root.FS(), name)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			switch {
			case !e.Type().IsRegular():
				return nil, fmt.Errorf("%s is no file", e.Name())
			case e.Name() == messageFile:
				b, err := root.ReadFile(path.Join(name, messageFile))
				if err != nil {
					return nil, err
				}
				if err := yaml.Unmarshal(b, (*submissionYAML)(s)); err != nil {
					return nil, fmt.Errorf("%s: %w", messageFile, err)
				}
			case !strings.HasPrefix(e.Name(), "."):
				files = append(files, path.Join(name, e.Name()))
			}
		}
	} else if info.Mode().IsRegular() {
		files = []string{name}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s holds no file to send", name)
	}
	if s.PMode == "" && s.Domain == "" && info.IsDir() && len(n.pmodes.Load().out.All()) == 1 {
		s.PMode = n.pmodes.Load().out.All()[0].ID
	}
	sum := sha256.New()
	fmt.Fprintf(sum, "%s|%d\n", name, info.ModTime().UnixNano())
	for _, f := range files {
		if err := hashFile(sum, root, f); err != nil {
			return nil, err
		}
	}
	if s.MessageID == "" {
		s.MessageID = hex.EncodeToString(sum.Sum(nil)[:16]) + "@" + n.Host()
	}
	var open *os.File
	defer func() {
		if open != nil {
			open.Close()
		}
	}()
	s.Next = func() (*SubmissionPart, error) {
		if open != nil {
			open.Close()
			open = nil
		}
		if len(files) == 0 {
			return nil, io.EOF
		}
		f := files[0]
		files = files[1:]
		var err error
		if open, err = root.Open(f); err != nil {
			return nil, err
		}
		return &SubmissionPart{Name: path.Base(f), MimeType: mediatype.Of(f), Body: open}, nil
	}
	return n.Accept(ctx, s)
}

// submissionYAML gives the fields of a submission the names they have in JSON.
type submissionYAML Submission

// UnmarshalYAML refuses unknown keys.
func (s *submissionYAML) UnmarshalYAML(n *yaml.Node) error {
	var f struct {
		Domain, PMode, Sender, Receiver, Country, Service, Action string
		ServiceType                                               string            `yaml:"serviceType"`
		ConversationID                                            string            `yaml:"conversationId"`
		RefToMessageID                                            string            `yaml:"refToMessageId"`
		MessageID                                                 string            `yaml:"messageId"`
		Properties                                                map[string]string `yaml:"properties"`
	}
	if n.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: not a list of keys with values", n.Line)
	}
	known := "domain pmode sender receiver country service action serviceType conversationId refToMessageId messageId properties"
	for i := 0; i+1 < len(n.Content); i += 2 {
		if !strings.Contains(" "+known+" ", " "+n.Content[i].Value+" ") {
			return fmt.Errorf("line %d: unknown key %q; there are %s", n.Content[i].Line, n.Content[i].Value, known)
		}
	}
	if err := n.Decode(&f); err != nil {
		return err
	}
	*s = submissionYAML{Domain: f.Domain, PMode: f.PMode, Sender: f.Sender, Receiver: f.Receiver, Country: f.Country, Service: f.Service,
		Action: f.Action, ServiceType: f.ServiceType, ConversationID: f.ConversationID, RefToMessageID: f.RefToMessageID, MessageID: f.MessageID, Properties: f.Properties}
	return nil
}

func hashFile(w io.Writer, root *os.Root, name string) error {
	f, err := root.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	fmt.Fprintf(w, "%s\n", path.Base(name))
	_, err = io.Copy(w, f)
	return err
}
