package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/node/store/sqlite"
)

// dirSink writes a backup into a folder.
type dirSink struct {
	dir     string
	stamp   string
	renewed bool            // there was a backup before, or the beginning of one
	touched map[string]bool // folders to make durable
	wrote   []string        // for abandon
}

const tempName = "backup.part"

func newDirSink(dir, stamp string) (*dirSink, error) {
	s := &dirSink{dir: dir, stamp: stamp, touched: map[string]bool{dir: true}}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	whole := slices.ContainsFunc(entries, func(e os.DirEntry) bool { return e.Name() == manifestName })
	for _, e := range entries {
		if !whole && e.Name() != "lost+found" && !ofBackup(e.Name()) {
			return nil, fmt.Errorf("%w: %s holds %s and no backup", ErrTarget, dir, e.Name())
		}
		s.renewed = s.renewed || whole || ofBackup(e.Name())
	}
	if _, err := os.Stat(filepath.Join(dir, "viadukt-"+stamp+".db")); err == nil {
		return nil, fmt.Errorf("%w: a backup of this second is there", ErrTarget)
	}
	return s, nil
}

// ofBackup knows what a backup that was broken off left.
func ofBackup(name string) bool {
	return name == sqlite.Payloads || name == tempName || strings.HasPrefix(name, "config-") || strings.HasPrefix(name, "viadukt-") && strings.HasSuffix(name, ".db")
}

func (s *dirSink) path(name string) string { return filepath.Join(s.dir, filepath.FromSlash(name)) }

func (s *dirSink) scratch() string {
	name := s.path("viadukt-" + s.stamp + ".db")
	s.wrote = append(s.wrote, name)
	return name
}

func (s *dirSink) database(string, int64) error { return nil } // it is there

func (s *dirSink) has(name string, size int64) bool {
	info, err := os.Stat(s.path(name))
	return err == nil && info.Mode().IsRegular() && info.Size() == size
}

func (s *dirSink) folder(name string) error {
	dir := filepath.Dir(name)
	for d := dir; len(d) >= len(s.dir) && !s.touched[d]; d = filepath.Dir(d) {
		s.touched[d] = true
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	return nil
}

func (s *dirSink) link(name string, how func(to string) error) bool {
	to := s.path(name)
	if s.folder(to) != nil {
		return false
	}
	if err := os.Remove(to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	if how(to) != nil {
		return false
	}
	s.wrote = append(s.wrote, to)
	return true
}

// put writes a file whole or not at all.
func (s *dirSink) put(name string, size int64, mode fs.FileMode, open func() (io.ReadCloser, error)) error {
	to := s.path(name)
	if err := s.folder(to); err != nil {
		return err
	}
	r, err := open()
	if err != nil {
		return err
	}
	defer r.Close()
	if err := writeFile(s.path(tempName), r, size, mode); err != nil {
		return err
	}
	if err := os.Rename(s.path(tempName), to); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	s.wrote = append(s.wrote, to)
	return nil
}

// writeFile writes a file of this size durably; on error there is none.
func writeFile(name string, r io.Reader, size int64, mode fs.FileMode) (err error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, mode)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	n, err := io.Copy(f, r)
	if err == nil && n != size {
		err = fmt.Errorf("backup: %s: %w: %d octets instead of %d", filepath.Base(name), store.ErrDamaged, n, size)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		os.Remove(name)
	}
	return err
}

// commit writes the manifest, which makes the new files the backup, and then removes what belonged to the older one alone.
func (s *dirSink) commit(m *Manifest, manifest []byte) error {
	for d := range s.touched {
		if err := syncDir(d); err != nil {
			return err
		}
	}
	if err := s.put(manifestName, int64(len(manifest)), 0o600, func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(manifest)), nil }); err != nil {
		return err
	}
	if err := syncDir(s.dir); err != nil {
		return err
	}
	s.wrote = nil
	return s.clean(m)
}

// clean removes what is of no use to the backup. Payload files that it does not name stay when others link to them: they
// cost nothing here.
func (s *dirSink) clean(m *Manifest) error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	for _, e := range entries {
		if n := e.Name(); ofBackup(n) && n != sqlite.Payloads && n != m.Database.Name && n != m.Folder {
			if err := os.RemoveAll(s.path(n)); err != nil {
				return fmt.Errorf("backup: %w", err)
			}
		}
	}
	if !s.renewed {
		return nil
	}
	files, err := sqlite.Files(context.Background(), s.path(m.Database.Name))
	if err != nil {
		return err
	}
	named := make(map[[32]byte]bool, len(files))
	for _, f := range files {
		named[f.SHA256] = true
	}
	return eachPayload(s.dir, func(sum [32]byte, name string) error {
		if named[sum] {
			return nil
		}
		return os.Remove(name)
	})
}

func (s *dirSink) abandon() {
	os.Remove(s.path(tempName))
	for _, name := range s.wrote {
		os.Remove(name)
	}
	// Folders go when nothing is left in them.
	for range 4 {
		for d := range s.touched {
			if d != s.dir {
				os.Remove(d)
			}
		}
	}
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	return nil
}
