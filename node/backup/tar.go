package backup

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/node/store/sqlite"
)

// tarSink writes a backup as one file.
type tarSink struct {
	name string
	f    *os.File
	z    *zstd.Encoder // nil: not compressed
	t    *tar.Writer
	at   time.Time
	buf  bytes.Buffer // of a payload, used again
}

func newTarSink(name string) (*tarSink, error) {
	if _, err := os.Stat(name); err == nil {
		return nil, fmt.Errorf("%w: %s is there", ErrTarget, name)
	}
	f, err := os.OpenFile(name+".part", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	s := &tarSink{name: name, f: f, at: time.Unix(0, 0)}
	if err := os.Remove(s.scratch()); err != nil && !errors.Is(err, fs.ErrNotExist) { // of one that was killed
		return nil, errors.Join(err, f.Close())
	}
	var w io.Writer = f
	if !strings.HasSuffix(name, ".tar") {
		if s.z, err = zstd.NewWriter(f); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		w = s.z
	}
	s.t = tar.NewWriter(w)
	return s, nil
}

func (s *tarSink) scratch() string { return s.name + ".db.part" }

func (s *tarSink) has(string, int64) bool { return false }

func (s *tarSink) link(string, func(string) error) bool { return false }

func (s *tarSink) put(name string, size int64, mode fs.FileMode, open func() (io.ReadCloser, error)) error {
	r, err := open()
	if err != nil {
		return err
	}
	defer r.Close()
	// What a source lost is found before anything of it is in the archive, which cannot be taken back: large files are
	// read ahead into a file, small ones into memory.
	if size > readAhead {
		return s.large(name, size, mode, r)
	}
	s.buf.Reset()
	if n, err := s.buf.ReadFrom(r); err != nil {
		return err
	} else if n != size {
		return fmt.Errorf("backup: %s: %w: %d octets instead of %d", name, store.ErrDamaged, n, size)
	}
	return s.write(name, size, mode, &s.buf)
}

const readAhead = 4 << 20

func (s *tarSink) large(name string, size int64, mode fs.FileMode, r io.Reader) error {
	temp := s.name + ".payload.part"
	defer os.Remove(temp)
	f, err := os.OpenFile(temp, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	defer f.Close()
	n, err := io.Copy(f, r)
	if err == nil && n != size {
		err = fmt.Errorf("backup: %s: %w: %d octets instead of %d", name, store.ErrDamaged, n, size)
	}
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return err
	}
	return s.write(name, size, mode, f)
}

func (s *tarSink) write(name string, size int64, mode fs.FileMode, r io.Reader) error {
	if err := s.t.WriteHeader(&tar.Header{Name: name, Size: size, Mode: int64(mode), ModTime: s.at, Format: tar.FormatPAX}); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	_, err := io.Copy(s.t, r)
	return err
}

func (s *tarSink) database(name string, size int64) error {
	f, err := os.Open(s.scratch())
	if err != nil {
		return err
	}
	defer f.Close()
	return s.write(name, size, 0o600, f)
}

// commit ends the archive with the manifest. The snapshot beside it has served.
func (s *tarSink) commit(_ *Manifest, manifest []byte) error {
	err := s.write(manifestName, int64(len(manifest)), 0o600, bytes.NewReader(manifest))
	if err == nil {
		err = s.t.Close()
	}
	if err == nil && s.z != nil {
		err = s.z.Close()
	}
	if err == nil {
		err = s.f.Sync()
	}
	if err = errors.Join(err, s.f.Close()); err != nil {
		return err
	}
	if err := os.Remove(s.scratch()); err != nil {
		return err
	}
	if err := os.Rename(s.f.Name(), s.name); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	return syncDir(filepath.Dir(s.name))
}

func (s *tarSink) abandon() {
	if s.z != nil {
		s.z.Close()
	}
	s.f.Close()
	os.Remove(s.f.Name())
	os.Remove(s.scratch())
}

// eachPayload calls do for each file below a folder's payloads that is named by a hash.
func eachPayload(dir string, do func(sum [32]byte, name string) error) error {
	folders, err := os.ReadDir(filepath.Join(dir, sqlite.Payloads))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	for _, f := range folders {
		if !f.IsDir() || len(f.Name()) != 2 {
			continue
		}
		entries, err := os.ReadDir(filepath.Join(dir, sqlite.Payloads, f.Name()))
		if err != nil {
			return fmt.Errorf("backup: %w", err)
		}
		for _, e := range entries {
			sum, ok := sumOf(sqlite.Payloads + "/" + f.Name() + "/" + e.Name())
			if !ok || !e.Type().IsRegular() {
				continue
			}
			if err := do(sum, filepath.Join(dir, sqlite.Payloads, f.Name(), e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}
