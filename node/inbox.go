package node

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/gzip"

	"github.com/viadukt-eu/viadukt/node/mediatype"
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
// is there already is left alone: the message was delivered before. A link that leads out of dir is not followed, whoever
// put it there.
func (n *Node) WriteFolder(ctx context.Context, dir string, m *store.Message) error {
	parent := safeName(m.Receiver, "unaddressed")
	name, err := n.folderName(ctx, m)
	if err != nil {
		return err
	}
	if err := makeFolder(dir); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	final := path.Join(parent, name)
	if _, err := root.Lstat(final); err == nil {
		return nil
	}
	if _, err := root.Stat(parent); err != nil {
		if err := root.Mkdir(parent, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
		if err := syncDir(dir); err != nil {
			return err
		}
	}
	temp := path.Join(parent, ".incoming-"+name) // the same at each attempt: what a crash left is used up
	if err := root.RemoveAll(temp); err != nil {
		return err
	}
	if err := root.Mkdir(temp, 0o755); err != nil {
		return err
	}
	defer root.RemoveAll(temp)
	taken := map[string]bool{}
	for i := range m.Payloads {
		p := &m.Payloads[i]
		body, name, err := n.handlerOf(m).Open(ctx, m, p)
		if err != nil {
			return err
		}
		name = safeName(path.Base(strings.ReplaceAll(name, `\`, "/")), fmt.Sprintf("payload-%d%s", i+1, mediatype.Extension(p.MimeType)))
		for taken[strings.ToLower(name)] {
			name = fmt.Sprintf("%d-%s", i+1, name)
		}
		taken[strings.ToLower(name)] = true
		out, err := root.OpenFile(path.Join(temp, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			body.Close()
			return err
		}
		if err := fillFile(out, body); err != nil {
			return err
		}
	}
	if err := syncWithin(root, temp); err != nil {
		return err
	}
	if err := root.Rename(temp, final); err != nil {
		return err
	}
	return syncWithin(root, parent)
}

// folderName is the message id where that can be a name and is not taken by a message of another sender, who may have
// chosen the same one. It is the same each time, so that a message is not delivered twice after a crash.
func (n *Node) folderName(ctx context.Context, m *store.Message) (string, error) {
	name := safeName(m.MessageID, "message")
	if name != m.MessageID {
		name = fmt.Sprintf("%s-%x", name, sha256.Sum256([]byte(m.MessageID)))[:len(name)+9]
	}
	same, err := n.Store.List(ctx, store.Filter{Direction: store.In, MessageID: m.MessageID}, store.Page{Before: m.ID})
	if err != nil || len(same.Messages) == 0 {
		return name, err
	}
	return fmt.Sprintf("%s-%d", name, m.ID), nil
}

// makeFolder makes a folder and those above it, durably.
func makeFolder(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if up := filepath.Dir(dir); up != dir {
		if err := makeFolder(up); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return syncDir(filepath.Dir(dir))
}

// writeFile writes a new file durably and closes what it reads.
func writeFile(path string, in io.ReadCloser) error {
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		in.Close()
		return err
	}
	return fillFile(out, in)
}

// fillFile writes durably what is read, and closes both.
func fillFile(out *os.File, in io.ReadCloser) error {
	defer in.Close()
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
	return syncAndClose(d, err)
}

func syncWithin(root *os.Root, path string) error {
	d, err := root.Open(path)
	return syncAndClose(d, err)
}

func syncAndClose(d *os.File, err error) error {
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// OpenDocument opens a payload as the back office knows it: expanded. Its end is store.ErrDamaged instead of io.EOF when
// the disk altered what was stored.
func (n *Node) OpenDocument(ctx context.Context, p *store.Payload) (io.ReadCloser, error) {
	stored, err := n.Store.OpenPayload(ctx, p.PayloadRef)
	if err != nil {
		return nil, err
	}
	r := &checkedReader{ReadCloser: stored, sum: sha256.New(), want: p.SHA256}
	if !p.Compressed {
		return r, nil
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

// checkedReader compares what was read to its end with its hash.
type checkedReader struct {
	io.ReadCloser
	sum  hash.Hash
	want [sha256.Size]byte
}

func (c *checkedReader) Read(b []byte) (int, error) {
	n, err := c.ReadCloser.Read(b)
	c.sum.Write(b[:n])
	if err == io.EOF && [sha256.Size]byte(c.sum.Sum(nil)) != c.want {
		err = fmt.Errorf("payload %x: %w: hash differs", c.want[:6], store.ErrDamaged)
	}
	return n, err
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
	if len(s) > 150 {
		s = s[len(s)-150:]
	}
	s = strings.TrimLeft(s, ".")
	if strings.Trim(s, "_.") == "" {
		return fallback
	}
	return s
}
