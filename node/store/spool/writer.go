package spool

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/viadukt-eu/viadukt/node/store"
)

var errSealed = errors.New("spool: payload is sealed")

// Writer implements store.PayloadWriter.
type Writer struct {
	folder *Folder
	sum    hash.Hash
	small  []byte      // until the payload outgrows store.InlineMax
	temp   *os.File    // from then on
	back   *background // from backgroundFrom on, until it is sealed: owns temp and sum
	size   int64
	ref    store.PayloadRef
	sealed bool
	pinned bool
	err    error // the first failure: what follows it is refused
}

// New starts a payload.
func (f *Folder) New() (*Writer, error) {
	if err := f.CheckFree(); err != nil {
		return nil, err
	}
	return &Writer{folder: f, sum: sha256.New()}, nil
}

// Size returns how many octets were written.
func (w *Writer) Size() int64 { return w.size }

func (w *Writer) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	if w.sealed {
		return 0, errSealed
	}
	if w.temp == nil && w.size+int64(len(p)) > store.InlineMax {
		if err := w.spill(); err != nil {
			return 0, err
		}
	}
	if w.back == nil && w.temp != nil && w.size+int64(len(p)) > backgroundFrom {
		w.back = newBackground(w.temp, w.sum, w.size)
	}
	if w.back != nil {
		if err := w.back.write(p); err != nil {
			return 0, w.fail(err)
		}
		w.size += int64(len(p))
		return len(p), nil
	}
	if w.temp == nil {
		w.small = append(w.small, p...)
	} else if _, err := w.temp.Write(p); err != nil {
		return 0, w.fail(err)
	}
	w.sum.Write(p)
	w.size += int64(len(p))
	return len(p), nil
}

func (w *Writer) fail(err error) error {
	w.err = fmt.Errorf("spool: %w", diskFull(err))
	return w.err
}

// join ends the work in the background.
func (w *Writer) join() error {
	if w.back == nil {
		return nil
	}
	b := w.back
	w.back = nil
	return b.end()
}

// spill moves to a temporary file what was in memory.
func (w *Writer) spill() error {
	temp, err := os.CreateTemp(filepath.Join(w.folder.dir, tempFolder), tempPrefix)
	if err == nil {
		w.temp = temp
		_, err = temp.Write(w.small)
	}
	if err != nil {
		return w.fail(err)
	}
	w.small = nil
	return nil
}

// Seal implements store.PayloadWriter. It may be called again and then returns the same.
func (w *Writer) Seal() (store.PayloadRef, error) {
	if w.err != nil {
		return store.PayloadRef{}, w.err
	}
	if w.sealed {
		return w.ref, nil
	}
	if err := w.join(); err != nil {
		return store.PayloadRef{}, w.fail(err)
	}
	ref := store.PayloadRef{Size: w.size, SHA256: [sha256.Size]byte(w.sum.Sum(nil))}
	if w.temp == nil {
		ref.Inline = w.small
		if ref.Inline == nil {
			ref.Inline = []byte{}
		}
	} else if err := w.store(ref.SHA256); err != nil {
		return store.PayloadRef{}, w.fail(err)
	}
	w.ref, w.sealed = ref, true
	return ref, nil
}

// store flushes the temporary file and gives it its name.
func (w *Writer) store(hash [sha256.Size]byte) error {
	f := w.folder
	f.mu.Lock()
	f.pins[hash]++
	f.mu.Unlock()
	w.ref.SHA256, w.pinned = hash, true

	path := f.Path(hash)
	if st, err := os.Stat(path); err == nil && st.Size() == w.size {
		// Known octets. The folder is flushed all the same: another writer may have renamed the file just
		// now and not have come so far.
		w.removeTemp()
		return syncFolder(filepath.Dir(path))
	}
	if err := w.temp.Sync(); err != nil {
		return err
	}
	if err := w.temp.Close(); err != nil {
		return err
	}
	err := os.Rename(w.temp.Name(), path)
	if errors.Is(err, fs.ErrNotExist) { // the first file with these two digits
		if err = os.Mkdir(filepath.Dir(path), 0o700); err == nil || errors.Is(err, fs.ErrExist) {
			if err = syncFolder(f.dir); err == nil {
				err = os.Rename(w.temp.Name(), path)
			}
		}
	}
	if err != nil {
		return err
	}
	w.temp = nil
	return syncFolder(filepath.Dir(path))
}

// Close implements store.PayloadWriter.
func (w *Writer) Close() error {
	w.join() // whether or not it could be written, it is not wanted
	err := w.removeTemp()
	if w.pinned {
		w.pinned = false
		f := w.folder
		f.mu.Lock()
		if f.pins[w.ref.SHA256]--; f.pins[w.ref.SHA256] == 0 {
			delete(f.pins, w.ref.SHA256)
		}
		f.mu.Unlock()
	}
	if !w.sealed && w.err == nil {
		w.err = errSealed
	}
	return err
}

func (w *Writer) removeTemp() error {
	if w.temp == nil {
		return nil
	}
	w.temp.Close() // may be closed already; what is in it is not wanted
	err := os.Remove(w.temp.Name())
	w.temp = nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("spool: %w", err)
	}
	return nil
}
