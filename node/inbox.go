package node

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/gzip"

	"github.com/viadukt-eu/viadukt/node/store"
)

// inbox is the handler of messages that no domain claims: they wait for the API, and where a folder is configured
// their payloads are written there.
type inbox struct {
	n   *Node
	dir string // "" when there is no folder
}

func (b *inbox) Waits() bool { return b.dir != "" }

func (b *inbox) Open(ctx context.Context, _ *store.Message, p *store.Payload) (io.ReadCloser, string, error) {
	r, err := b.n.OpenDocument(ctx, p)
	return r, p.Name, err
}

func (b *inbox) Accept(context.Context, *Incoming) error { return nil }

// Deliver writes a folder of its own for each message, which appears by one rename when it is complete.
func (b *inbox) Deliver(ctx context.Context, m *store.Message) error {
	if b.dir == "" {
		return nil
	}
	return b.n.WriteFolder(ctx, b.dir, m)
}

// WriteFolder writes the documents of a message into dir/receiver/messageid, durable before it appears. A folder that
// is there already is left alone: the message was delivered before.
func (n *Node) WriteFolder(ctx context.Context, dir string, m *store.Message) error {
	parent := filepath.Join(dir, safeName(m.Receiver, "unaddressed"))
	final := filepath.Join(parent, safeName(m.MessageID, "message"))
	if _, err := os.Stat(final); err == nil {
		return nil
	}
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return err
	}
	temp, err := os.MkdirTemp(parent, ".incoming-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	taken := map[string]bool{}
	for i := range m.Payloads {
		p := &m.Payloads[i]
		body, name, err := n.handlerOf(m).Open(ctx, m, p)
		if err != nil {
			return err
		}
		name = safeName(filepath.Base(name), fmt.Sprintf("payload-%d%s", i+1, extension(p.MimeType)))
		if taken[strings.ToLower(name)] {
			name = fmt.Sprintf("%d-%s", i+1, name)
		}
		taken[strings.ToLower(name)] = true
		if err := writeFile(filepath.Join(temp, name), body); err != nil {
			return err
		}
	}
	if err := os.Chmod(temp, 0o755); err != nil {
		return err
	}
	if err := os.Rename(temp, final); err != nil {
		return err
	}
	return syncDir(parent)
}

// writeFile writes a new file durably and closes what it reads.
func writeFile(path string, in io.ReadCloser) error {
	defer in.Close()
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
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

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// OpenDocument opens a payload as the back office knows it: expanded.
func (n *Node) OpenDocument(ctx context.Context, p *store.Payload) (io.ReadCloser, error) {
	r, err := n.Store.OpenPayload(ctx, p.PayloadRef)
	if err != nil || !p.Compressed {
		return r, err
	}
	z, err := gzip.NewReader(r)
	if err != nil {
		r.Close()
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{z, r}, nil
}

// safeName makes a file name of what a peer chose: letters, digits and a few signs, no leading dot, at most 150 octets.
func safeName(s, fallback string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune("_@.-+=", r):
			return r
		}
		return '_'
	}, s)
	s = strings.TrimLeft(s, ".")
	if len(s) > 150 {
		s = s[len(s)-150:]
	}
	if strings.Trim(s, "_.") == "" {
		return fallback
	}
	return s
}

func extension(mimeType string) string {
	switch mt, _, _ := strings.Cut(mimeType, ";"); strings.TrimSpace(mt) {
	case "application/xml", "text/xml":
		return ".xml"
	case "application/pdf":
		return ".pdf"
	case "text/plain":
		return ".txt"
	case "application/json":
		return ".json"
	}
	return ".bin"
}
