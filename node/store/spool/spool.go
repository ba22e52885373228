// Package spool keeps large payloads in content-addressed files: the name of a file is the SHA-256 of its
// octets, so a file is never changed and the same octets are kept once.
//
// A payload is written to a temporary file, flushed, renamed to its name, and the folder is flushed, all
// before the row that names it: after a crash there may be a file without a row, never a row without a file.
package spool

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"github.com/viadukt-eu/viadukt/node/store"
)

const (
	tempFolder = "tmp"
	tempPrefix = "part-"
)

// Folder is a payload folder. Only one process may use it.
type Folder struct {
	dir     string
	minFree int64

	mu      sync.Mutex
	pins    map[[sha256.Size]byte]int // sealed, and their writer is not closed yet
	holds   int
	waiting [][sha256.Size]byte // were to be removed since the first hold
}

// View reads a folder that another process may be using, or that must not be changed.
func View(dir string) *Folder { return &Folder{dir: dir, pins: map[[sha256.Size]byte]int{}} }

// Open makes the folder if need be and removes what a crash left half written. NewPayload refuses with
// store.ErrDiskFull when the volume has less than minFree octets left.
func Open(dir string, minFree int64) (*Folder, error) {
	f := &Folder{dir: dir, minFree: minFree, pins: make(map[[sha256.Size]byte]int)}
	if err := os.MkdirAll(filepath.Join(dir, tempFolder), 0o700); err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	if err := syncFolder(dir); err != nil {
		return nil, err
	}
	if err := syncFolder(filepath.Dir(dir)); err != nil {
		return nil, err
	}
	temps, err := os.ReadDir(filepath.Join(dir, tempFolder))
	if err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	for _, e := range temps {
		if strings.HasPrefix(e.Name(), tempPrefix) {
			if err := os.Remove(filepath.Join(dir, tempFolder, e.Name())); err != nil {
				return nil, fmt.Errorf("spool: %w", err)
			}
		}
	}
	return f, nil
}

// Path returns where the octets with this hash are, or would be.
func (f *Folder) Path(hash [sha256.Size]byte) string {
	name := hex.EncodeToString(hash[:])
	return filepath.Join(f.dir, name[:2], name)
}

// Open reads a payload. The error is store.ErrDamaged when the file is missing or has another size.
func (f *Folder) Open(hash [sha256.Size]byte, size int64) (io.ReadSeekCloser, error) {
	file, err := os.Open(f.Path(hash))
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = store.ErrDamaged
		}
		return nil, fmt.Errorf("spool: payload %x: %w", hash[:6], err)
	}
	st, err := file.Stat()
	if err == nil && st.Size() != size {
		err = fmt.Errorf("%w: %d octets instead of %d", store.ErrDamaged, st.Size(), size)
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("spool: payload %x: %w", hash[:6], err)
	}
	return file, nil
}

// Verify reads a whole file and compares it with its name.
func (f *Folder) Verify(hash [sha256.Size]byte, size int64) error {
	r, err := f.Open(hash, size)
	if err != nil {
		return err
	}
	defer r.Close()
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		return fmt.Errorf("spool: payload %x: %w", hash[:6], err)
	}
	if [sha256.Size]byte(h.Sum(nil)) != hash {
		return fmt.Errorf("spool: payload %x: %w: hash differs", hash[:6], store.ErrDamaged)
	}
	return nil
}

// Collect removes the files for which used answers false. A sealed payload whose writer is not closed is
// kept whatever used says. It returns how many files it removed.
func (f *Folder) Collect(used func(hash [sha256.Size]byte) (bool, error)) (int, error) {
	n := 0
	err := f.Each(func(hash [sha256.Size]byte) error {
		gone, err := f.Remove(hash, used)
		if gone {
			n++
		}
		return err
	})
	return n, err
}

// Remove removes one file by the rules of Collect.
func (f *Folder) Remove(hash [sha256.Size]byte, used func(hash [sha256.Size]byte) (bool, error)) (gone bool, err error) {
	// One file at a time under the lock: Seal takes the same lock to pin before it looks whether the
	// file is there, so it either finds the file pinned and kept, or finds none and writes it anew.
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.pins[hash] > 0 {
		return false, nil
	}
	if f.holds > 0 {
		f.waiting = append(f.waiting, hash)
		return false, nil
	}
	keep, err := used(hash)
	if err != nil || keep {
		return false, err
	}
	if err := os.Remove(f.Path(hash)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("spool: %w", err)
	}
	return true, nil
}

// Hold keeps all files from being removed until release is called, which removes what was to be meanwhile, as far as
// it is not used.
func (f *Folder) Hold() (release func(used func(hash [sha256.Size]byte) (bool, error)) error) {
	f.mu.Lock()
	f.holds++
	f.mu.Unlock()
	return func(used func(hash [sha256.Size]byte) (bool, error)) error {
		f.mu.Lock()
		var now [][sha256.Size]byte
		if f.holds--; f.holds == 0 {
			now, f.waiting = f.waiting, nil
		}
		f.mu.Unlock()
		var errs []error
		for _, hash := range now {
			_, err := f.Remove(hash, used)
			errs = append(errs, err)
		}
		return errors.Join(errs...)
	}
}

// Each calls do for every payload file.
func (f *Folder) Each(do func(hash [sha256.Size]byte) error) error {
	for i := range 256 {
		entries, err := os.ReadDir(filepath.Join(f.dir, fmt.Sprintf("%02x", i)))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("spool: %w", err)
		}
		for _, e := range entries {
			raw, err := hex.DecodeString(e.Name())
			if err != nil || len(raw) != sha256.Size {
				continue // not ours: leave it alone
			}
			if err := do([sha256.Size]byte(raw)); err != nil {
				return err
			}
		}
	}
	return nil
}

// CheckFree returns store.ErrDiskFull when less than the reserve is left.
func (f *Folder) CheckFree() error { return CheckFree(f.dir, f.minFree) }

// CheckFree returns store.ErrDiskFull when the volume of dir has less than min octets left for us.
func CheckFree(dir string, min int64) error {
	if min <= 0 {
		return nil
	}
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	if free := int64(st.Bavail) * int64(st.Bsize); free < min {
		return fmt.Errorf("%w: %d MiB left, %d kept in reserve", store.ErrDiskFull, free>>20, min>>20)
	}
	return nil
}

// diskFull adds store.ErrDiskFull to the errors that mean it, and store.ErrReadOnly to the one that means that.
func diskFull(err error) error {
	if errors.Is(err, syscall.EROFS) {
		return fmt.Errorf("%w: %w", store.ErrReadOnly, err)
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG) {
		return fmt.Errorf("%w: %w", store.ErrDiskFull, err)
	}
	return err
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("spool: %w", diskFull(err))
	}
	return nil
}
