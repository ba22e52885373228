package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/node/store/sqlite"
)

// Options of [Write].
type Options struct {
	Node, Program string
	Config        *Config // nil: none is taken
	Keys          bool    // take private keys, passwords and tokens along
	Previous      string  // folder of an earlier backup, whose payload files are linked instead of copied
	Copy          bool    // link nothing: the backup shares no file with the node or an earlier backup
	Clock         func() time.Time
	Progress      Progress
}

// Result says what was written.
type Result struct {
	*Manifest
	Copied  Sum `json:"copied"`
	Linked  Sum `json:"linked"`
	Present Sum `json:"present"` // were in the folder already
}

// sink takes a backup.
type sink interface {
	// scratch is where the snapshot is written.
	scratch() string
	// put takes a file; size is what open yields.
	put(name string, size int64, mode fs.FileMode, open func() (io.ReadCloser, error)) error
	// database takes the snapshot.
	database(name string, size int64) error
	// has says whether a payload file is there already; link tries to make it without copying.
	has(name string, size int64) bool
	link(name string, how func(to string) error) bool
	// commit makes it a backup.
	commit(m *Manifest, manifest []byte) error
	// abandon removes what was written.
	abandon()
}

// Write makes a backup at target: a file when its name ends in .tar, .tar.zst or .tzst, else a folder, new or empty or
// holding an earlier backup. What the original has lost is in Manifest.Missing and no error.
func Write(ctx context.Context, src Source, target string, o Options) (r *Result, err error) {
	now := o.Clock().UTC().Truncate(time.Millisecond)
	w := &writing{Options: o, src: src, stamp: now.Format("20060102T150405.000Z")}
	w.r.Manifest = &Manifest{Format: 1, Node: o.Node, Program: o.Program, Time: now, Config: []File{}, Left: []string{}, Missing: []string{}, Keys: o.Keys}
	if IsArchive(target) {
		w.sink, err = newTarSink(target)
	} else {
		w.sink, err = newDirSink(target, w.stamp)
	}
	if err != nil {
		return nil, err
	}
	if err := w.all(ctx); err != nil {
		w.sink.abandon()
		return nil, err
	}
	return &w.r, nil
}

// IsArchive reports whether a backup of this name is a file.
func IsArchive(name string) bool {
	return strings.HasSuffix(name, ".tar") || strings.HasSuffix(name, ".tar.zst") || strings.HasSuffix(name, ".tzst")
}

// writing is a backup that is being written.
type writing struct {
	Options
	src         Source
	sink        sink
	stamp       string
	r           Result
	total, done int64
}

func (w *writing) add(n int64) {
	w.done += n
	if w.Progress != nil {
		w.Progress(w.total, w.done)
	}
}

func (w *writing) all(ctx context.Context) error {
	if err := w.config(); err != nil {
		return err
	}
	db := w.sink.scratch()
	if err := w.src.Snapshot(ctx, db); err != nil {
		return err
	}
	files, err := sqlite.Files(ctx, db)
	if err != nil {
		return err
	}
	info, err := os.Stat(db)
	if err != nil {
		return err
	}
	w.total = info.Size()
	for _, f := range files {
		w.total += f.Size
	}
	sum, err := w.hashFile(ctx, db)
	if err != nil {
		return err
	}
	m := w.r.Manifest
	m.Database = File{"viadukt-" + w.stamp + ".db", info.Size(), hex.EncodeToString(sum)}
	size, root, first, err := sqlite.LogState(ctx, db)
	if err != nil {
		return err
	}
	m.Log = LogHead{hex.EncodeToString(first[:]), size, hex.EncodeToString(root[:])}
	if err := w.sink.database(m.Database.Name, m.Database.Size); err != nil {
		return err
	}
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := w.payload(ctx, f); err != nil {
			return err
		}
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return w.sink.commit(m, append(text, '\n'))
}

func (w *writing) hashFile(ctx context.Context, name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, &reader{ctx: ctx, r: f, read: w.add})
	return h.Sum(nil), err
}

// reader counts, and ends with its context.
type reader struct {
	ctx  context.Context
	r    io.Reader
	read func(int64)
}

func (r *reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := r.r.Read(p)
	if r.read != nil {
		r.read(int64(n))
	}
	return n, err
}

// config takes the files of the configuration. Each fits into memory, and is read at once: what replaces it meanwhile is
// another file.
func (w *writing) config() error {
	c := w.Options.Config
	if c == nil {
		return nil
	}
	m := w.r.Manifest
	m.Folder = "config-" + w.stamp
	for _, f := range c.Files {
		if f.Secret && !w.Keys {
			m.Left = append(m.Left, f.Path)
			continue
		}
		name, err := filepath.Rel(c.Dir, f.Path)
		if err != nil || !filepath.IsLocal(name) {
			name = filepath.Join("outside", f.Path)
		}
		name = filepath.ToSlash(name)
		info, err := os.Stat(f.Path)
		var b []byte
		if err == nil {
			b, err = os.ReadFile(f.Path)
		}
		if f.Passing && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("backup: %w", err)
		}
		sum := sha256.Sum256(b)
		m.Config = append(m.Config, File{name, int64(len(b)), hex.EncodeToString(sum[:])})
		if err := w.sink.put(path.Join(m.Folder, name), int64(len(b)), info.Mode().Perm(), func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(string(b))), nil }); err != nil {
			return err
		}
	}
	return nil
}

// payload takes one payload file in the cheapest way there is.
func (w *writing) payload(ctx context.Context, f sqlite.PayloadFile) error {
	name, m := payloadName(f.SHA256), w.r.Manifest
	count := func(s *Sum) {
		s.Files++
		s.Octets += f.Size
		m.Payloads.Files++
		m.Payloads.Octets += f.Size
	}
	switch {
	case w.sink.has(name, f.Size):
		count(&w.r.Present)
		w.add(f.Size)
		return nil
	case !w.Copy && w.sink.link(name, func(to string) error {
		if w.Previous != "" {
			from := filepath.Join(w.Previous, filepath.FromSlash(name))
			if info, err := os.Stat(from); err == nil && info.Size() == f.Size && os.Link(from, to) == nil {
				return nil
			}
		}
		return w.src.Link(f, to)
	}):
		count(&w.r.Linked)
		w.add(f.Size)
		return nil
	}
	err := w.sink.put(name, f.Size, 0o600, func() (io.ReadCloser, error) {
		r, err := w.src.Payload(ctx, f)
		if err != nil {
			return nil, err
		}
		return &proven{reader: reader{ctx: ctx, r: r, read: w.add}, c: r, f: f, h: sha256.New()}, nil
	})
	if errors.Is(err, store.ErrDamaged) {
		m.Missing = append(m.Missing, hex.EncodeToString(f.SHA256[:]))
		return nil
	}
	if err == nil {
		count(&w.r.Copied)
	}
	return err
}

// proven ends with store.ErrDamaged when the octets are not those that the file is named by.
type proven struct {
	reader
	c io.Closer
	f sqlite.PayloadFile
	h interface {
		io.Writer
		Sum([]byte) []byte
	}
	n int64
}

func (p *proven) Read(b []byte) (int, error) {
	n, err := p.reader.Read(b)
	p.h.Write(b[:n])
	p.n += int64(n)
	if err == io.EOF && (p.n != p.f.Size || [sha256.Size]byte(p.h.Sum(nil)) != p.f.SHA256) {
		err = fmt.Errorf("backup: payload %x: %w: other octets than were stored", p.f.SHA256[:6], store.ErrDamaged)
	}
	return n, err
}

func (p *proven) Close() error { return p.c.Close() }
