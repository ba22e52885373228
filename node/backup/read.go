package backup

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/zstd"

	"github.com/viadukt-eu/viadukt/node/store/sqlite"
)

// entry is one file of a backup that is being read.
type entry struct {
	name string
	size int64
	mode fs.FileMode
	path string // where it is, in a folder
	r    io.Reader
}

// each reads a backup from its beginning to its end: files of the configuration, the database, payload files. It returns
// the manifest, which says whether those were all. Bytes are reported to read.
func each(ctx context.Context, name string, read Progress, do func(e *entry) error) (*Manifest, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	if info.IsDir() {
		return eachOfFolder(ctx, name, read, do)
	}
	return eachOfArchive(ctx, name, info.Size(), read, do)
}

func eachOfFolder(ctx context.Context, dir string, read Progress, do func(e *entry) error) (*Manifest, error) {
	f, err := os.Open(filepath.Join(dir, manifestName))
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrNone, dir, err)
	}
	m, err := readManifest(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	done, total := int64(0), m.Database.Size+m.Payloads.Octets
	one := func(name, path string) error {
		f, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // what the manifest names and did not come is missed
		}
		if err != nil {
			return fmt.Errorf("backup: %w", err)
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			return fmt.Errorf("backup: %w", err)
		}
		if !info.Mode().IsRegular() {
			return nil
		}
		return do(&entry{name, info.Size(), info.Mode().Perm(), path, &reader{ctx: ctx, r: f, read: func(n int64) {
			if done += n; read != nil {
				read(total, done)
			}
		}}})
	}
	for _, c := range m.Config {
		name := m.Folder + "/" + c.Name
		if err := one(name, filepath.Join(dir, filepath.FromSlash(name))); err != nil {
			return nil, err
		}
	}
	if err := one(m.Database.Name, filepath.Join(dir, m.Database.Name)); err != nil {
		return nil, err
	}
	err = eachPayload(dir, func(sum [32]byte, path string) error { return one(payloadName(sum), path) })
	return m, err
}

func eachOfArchive(ctx context.Context, name string, size int64, read Progress, do func(e *entry) error) (*Manifest, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	defer f.Close()
	done := int64(0)
	counted := &reader{ctx: ctx, r: f, read: func(n int64) {
		if done += n; read != nil {
			read(size, done)
		}
	}}
	b := bufio.NewReaderSize(counted, 1<<20)
	var r io.Reader = b
	if magic, _ := b.Peek(4); string(magic) == "\x28\xb5\x2f\xfd" {
		z, err := zstd.NewReader(b, zstd.WithDecoderMaxWindow(128<<20))
		if err != nil {
			return nil, fmt.Errorf("backup: %w", err)
		}
		defer z.Close()
		r = z
	}
	broken := func(err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("%w: %s: %w", ErrNone, name, err)
	}
	for t := tar.NewReader(r); ; {
		h, err := t.Next()
		if err == io.EOF {
			return nil, broken(errors.New("it ends before " + manifestName))
		}
		if err != nil {
			return nil, broken(err)
		}
		if h.Typeflag != tar.TypeReg || !fs.ValidPath(h.Name) {
			return nil, broken(fmt.Errorf("it holds %.100q", h.Name))
		}
		if h.Name == manifestName {
			return readManifest(t)
		}
		body := &archived{r: t}
		if err := do(&entry{name: h.Name, size: h.Size, mode: h.FileInfo().Mode().Perm(), r: body}); err != nil {
			if body.err != nil {
				err = broken(body.err)
			}
			return nil, err
		}
	}
}

// archived remembers that an error came from the archive and not from who reads it.
type archived struct {
	r   io.Reader
	err error
}

func (a *archived) Read(p []byte) (int, error) {
	n, err := a.r.Read(p)
	if err != nil && err != io.EOF {
		a.err = err
	}
	return n, err
}

// Is reports whether there is a backup at a place, or what looks like the data folder of a node.
func Is(name string) (isBackup, isData bool, err error) {
	info, err := os.Stat(name)
	if err != nil {
		return false, false, fmt.Errorf("backup: %w", err)
	}
	if !info.IsDir() {
		return true, false, nil
	}
	there := func(file string) (yes bool) {
		_, serr := os.Stat(filepath.Join(name, file))
		if serr != nil && !errors.Is(serr, fs.ErrNotExist) {
			err = fmt.Errorf("backup: %w", serr)
		}
		return serr == nil
	}
	isBackup, isData = there(manifestName), there(sqlite.Database)
	return isBackup, isData, err
}
