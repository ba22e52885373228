// Package backup copies what a node is made of, proves a copy or the original, and brings a node back from a copy.
//
// A backup is a folder, or the same as one tar file, by the name also compressed with zstd:
//
//	config-TIME/...      the configuration file and what it names; private keys only when asked for
//	viadukt-TIME.db      a snapshot of the database
//	payloads/ab/ab12...  payload files, each named by the SHA-256 of its octets
//	backup.json          what belongs to the backup, with hashes: written last, so that without it there is no backup
//
// The snapshot comes first and the payload files that it names after it, while the node keeps them. Payload files never
// change: into a folder that holds an older backup only new ones are copied, and the older backup stays whole until the
// new backup.json takes the place of the old one.
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

var (
	// ErrTarget refuses a place that is not empty.
	ErrTarget = errors.New("backup: the target is not empty")
	// ErrNone says that something is no backup, or that its writer did not come to the end.
	ErrNone = errors.New("backup: this is no whole backup")
)

const manifestName = "backup.json"

// Manifest says what belongs to a backup.
type Manifest struct {
	Format   int       `json:"format"` // 1
	Node     string    `json:"node"`
	Program  string    `json:"program"`
	Time     time.Time `json:"time"` // the moment that it shows
	Database File      `json:"database"`
	Payloads Sum       `json:"payloads"`
	Log      LogHead   `json:"log"`
	Folder   string    `json:"configFolder,omitempty"`
	Config   []File    `json:"config"` // by their path from the folder of the configuration file, which is the first
	Keys     bool      `json:"keys"`   // private keys, passwords and tokens are in it
	Left     []string  `json:"left"`   // files of the configuration that are not in it
	// Missing are payload files that the original had lost already.
	Missing []string `json:"missing"`
}

// File is one file of a backup.
type File struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Sum is a number of files with their octets.
type Sum struct {
	Files  int64 `json:"files"`
	Octets int64 `json:"octets"`
}

// LogHead is where the log of evidence stood.
type LogHead struct {
	ID   string `json:"id"`
	Size int64  `json:"size"`
	Root string `json:"root"`
}

// Source is what is backed up.
type Source interface {
	// Snapshot writes the database as it is into a new file; payload files are kept until Close.
	Snapshot(ctx context.Context, file string) error
	// Payload opens a payload file; store.ErrDamaged in the chain when it is not there as it was stored.
	Payload(ctx context.Context, f sqlite.PayloadFile) (io.ReadCloser, error)
	// Link gives a payload file another name, where that can be done; any error means that it is to be copied.
	Link(f sqlite.PayloadFile, name string) error
	Close() error
}

// Config is what is taken of a configuration.
type Config struct {
	Dir   string // of the configuration file
	Files []ConfigFile
}

// ConfigFile is a file of a configuration.
type ConfigFile struct {
	Path    string
	Secret  bool
	Passing bool // it may be gone when its turn comes, and is then left out
}

// FilesBelow lists the files of a folder of the configuration. It need not be there.
func FilesBelow(dir string) (out []ConfigFile, err error) {
	err = filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case d.Type().IsRegular():
			out = append(out, ConfigFile{Path: name, Passing: true})
		}
		return nil
	})
	return out, err
}

// Progress is told how many octets are to be read or written, once that is known, and as it goes on. May be nil.
type Progress func(total, done int64)

// Folder is the source that a node's data folder is while no node runs on it.
type Folder struct {
	dir    string
	unlock func() error
}

// OpenFolder locks a data folder; sqlite.ErrLocked when a node runs on it.
func OpenFolder(dir string) (*Folder, error) {
	if _, err := os.Stat(filepath.Join(dir, sqlite.Database)); err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	unlock, err := sqlite.Lock(dir)
	if err != nil {
		return nil, err
	}
	return &Folder{dir, unlock}, nil
}

// Snapshot implements Source.
func (f *Folder) Snapshot(ctx context.Context, file string) error {
	return sqlite.Snapshot(ctx, f.dir, file, 0)
}

// Payload implements Source.
func (f *Folder) Payload(_ context.Context, p sqlite.PayloadFile) (io.ReadCloser, error) {
	r, err := os.Open(payloadPath(filepath.Join(f.dir, sqlite.Payloads), p.SHA256))
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("backup: %w: %w", store.ErrDamaged, err)
	}
	return r, err
}

// Link implements Source.
func (f *Folder) Link(p sqlite.PayloadFile, name string) error { return LinkFrom(f.dir, p, name) }

// LinkFrom gives a payload file of a data folder another name.
func LinkFrom(dataDir string, p sqlite.PayloadFile, name string) error {
	from := payloadPath(filepath.Join(dataDir, sqlite.Payloads), p.SHA256)
	if info, err := os.Stat(from); err != nil || info.Size() != p.Size {
		return errors.New("backup: not there as it was stored")
	}
	return os.Link(from, name)
}

// Close implements Source.
func (f *Folder) Close() error { return f.unlock() }

func payloadPath(dir string, sum [sha256.Size]byte) string {
	name := hex.EncodeToString(sum[:])
	return filepath.Join(dir, name[:2], name)
}

// payloadName is the name of a payload file within a backup.
func payloadName(sum [sha256.Size]byte) string {
	name := hex.EncodeToString(sum[:])
	return path.Join(sqlite.Payloads, name[:2], name)
}

// sumOf reads the name of a payload file within a backup.
func sumOf(name string) (sum [sha256.Size]byte, ok bool) {
	rest, ok := strings.CutPrefix(name, sqlite.Payloads+"/")
	if !ok {
		return sum, false
	}
	b, err := hex.DecodeString(path.Base(rest))
	if err != nil || len(b) != len(sum) {
		return sum, false
	}
	copy(sum[:], b)
	return sum, payloadName(sum) == name
}

func readManifest(r io.Reader) (*Manifest, error) {
	m := &Manifest{}
	if err := json.NewDecoder(io.LimitReader(r, 64<<20)).Decode(m); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrNone, manifestName, err)
	}
	if m.Format != 1 {
		return nil, fmt.Errorf("backup: %s has format %d, and this program reads format 1: use a newer one", manifestName, m.Format)
	}
	for _, f := range append(m.Config, m.Database) {
		if !fs.ValidPath(f.Name) || f.Name == "." {
			return nil, fmt.Errorf("%w: %s names %.100q", ErrNone, manifestName, f.Name)
		}
	}
	if path.Base(m.Database.Name) != m.Database.Name || m.Folder != "" && (path.Base(m.Folder) != m.Folder || !fs.ValidPath(m.Folder)) {
		return nil, fmt.Errorf("%w: %s names folders", ErrNone, manifestName)
	}
	return m, nil
}
