package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/node/store/spool"
	"github.com/viadukt-eu/viadukt/node/store/sqlite"
)

// ErrDamaged refuses to restore from a backup that is not sound.
var ErrDamaged = errDamaged

// restoringFolder is where a data folder is put together before it is one.
const restoringFolder = sqlite.Restoring

// RestoreOptions say how a node comes back.
type RestoreOptions struct {
	InFlight InFlight
	// Damaged restores what there is of a backup that is not sound.
	Damaged  bool
	Clock    func() time.Time
	Progress Progress
}

// Restored says what came back.
type Restored struct {
	*Manifest
	Checked *sqlite.Checked `json:"checked"`
	Settled Settled         `json:"settled"`
}

// RestoreConfig writes the files of the configuration that are in a backup, the configuration file as file and the others
// beside it. What is there already is left as it is. It returns what was written and what was kept.
func RestoreConfig(ctx context.Context, name, file string) (wrote, kept []string, err error) {
	m, err := manifestOf(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	if len(m.Config) == 0 {
		return nil, nil, nil
	}
	dir := filepath.Dir(file)
	if err := makeFolder(dir, 0o755); err != nil {
		return nil, nil, err
	}
	_, err = each(ctx, name, nil, func(e *entry) error {
		i := slices.IndexFunc(m.Config, func(f File) bool { return m.Folder+"/"+f.Name == e.name })
		if i < 0 {
			return nil
		}
		to := filepath.Join(dir, filepath.FromSlash(m.Config[i].Name))
		if i == 0 {
			to = file
		}
		if _, err := os.Lstat(to); err == nil {
			kept = append(kept, to)
			return nil
		}
		if err := makeFolder(filepath.Dir(to), 0o750); err != nil {
			return err
		}
		if err := writeFile(to, e.r, e.size, e.mode); err != nil {
			return err
		}
		wrote = append(wrote, to)
		return own(to)
	})
	return wrote, kept, err
}

// manifestOf reads the manifest alone, which for an archive takes reading all of it.
func manifestOf(ctx context.Context, name string) (*Manifest, error) {
	return each(ctx, name, nil, func(*entry) error { return nil })
}

// Restore makes a data folder from a backup, in a folder that is empty or not there. All is proven in its new place before
// it becomes the data folder; until then nothing but a folder "restoring" is there. What is wrong is reported.
func Restore(ctx context.Context, name, dataDir string, o RestoreOptions, report func(store.Damage)) (*Restored, error) {
	if err := empty(dataDir); err != nil {
		return nil, err
	}
	work := filepath.Join(dataDir, restoringFolder)
	if err := makeFolder(work, 0o700); err != nil {
		return nil, err
	}
	r, err := restore(ctx, name, work, o, report)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(work))
	}
	return r, take(dataDir, work)
}

// empty says whether a data folder can be made here.
func empty(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	for _, e := range entries {
		switch e.Name() {
		case "lost+found":
		case restoringFolder:
			return fmt.Errorf("%w: an earlier restore into %s did not come to its end: remove %s", ErrTarget, dir, filepath.Join(dir, restoringFolder))
		default:
			return fmt.Errorf("%w: %s holds %s", ErrTarget, dir, e.Name())
		}
	}
	return nil
}

func restore(ctx context.Context, name, work string, o RestoreOptions, report func(store.Damage)) (*Restored, error) {
	damaged := false
	note := func(d store.Damage) {
		damaged = damaged || !d.Notice
		report(d)
	}
	read, err := readAll(ctx, name, o.Progress, func(name string) string {
		if _, ok := sumOf(name); ok {
			return filepath.Join(work, filepath.FromSlash(name))
		}
		if strings.HasPrefix(name, "viadukt-") && path.Base(name) == name {
			return filepath.Join(work, sqlite.Database)
		}
		return ""
	})
	if err != nil {
		return nil, err
	}
	defer read.close()
	read.compare(note)
	if read.db == "" {
		return nil, fmt.Errorf("%w: there is no database in it", ErrDamaged)
	}
	// What was written is read again: it is proven where it will be used.
	folder := spool.View(filepath.Join(work, sqlite.Payloads))
	checked, err := check(ctx, filepath.Join(work, sqlite.Database), folder.Verify, note)
	if err != nil {
		return nil, err
	}
	if damaged && !o.Damaged {
		return nil, ErrDamaged
	}
	settled, err := settle(ctx, work, read.m, o)
	if err != nil {
		return nil, err
	}
	return &Restored{read.m, checked.Checked, *settled}, nil
}

// take makes the folder that was put together the data folder: the database last, since a node would begin a new one
// where there is none.
func take(dataDir, work string) error {
	os.Remove(filepath.Join(work, "viadukt.lock"))
	for _, name := range []string{sqlite.Payloads, sqlite.Database} {
		if err := own(filepath.Join(work, name)); err != nil {
			return fmt.Errorf("backup: %w", err)
		}
		if err := os.Rename(filepath.Join(work, name), filepath.Join(dataDir, name)); err != nil {
			return fmt.Errorf("backup: %w", err)
		}
	}
	if err := syncDir(dataDir); err != nil {
		return err
	}
	if err := os.RemoveAll(work); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	return nil
}

// owner is whom what root restores below a folder belongs to: the owner of the folder, or of the nearest one above it that
// is there. The node does not run as root.
func owner(dir string) (uid, gid int, ok bool) {
	if os.Geteuid() != 0 {
		return 0, 0, false
	}
	for d, err := filepath.Abs(dir); err == nil; d = filepath.Dir(d) {
		if info, err := os.Stat(d); err == nil {
			st, ok := info.Sys().(*syscall.Stat_t)
			return int(st.Uid), int(st.Gid), ok
		}
		if d == filepath.Dir(d) {
			break
		}
	}
	return 0, 0, false
}

// makeFolder makes a folder and those above it, for the owner of the first that is there.
func makeFolder(dir string, mode fs.FileMode) error {
	uid, gid, ok := owner(dir)
	var made []string
	for d := filepath.Clean(dir); ; d = filepath.Dir(d) {
		if _, err := os.Stat(d); err == nil || d == filepath.Dir(d) {
			break
		}
		made = append(made, d)
	}
	if err := os.MkdirAll(dir, mode); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	for _, d := range made {
		if ok {
			if err := os.Lchown(d, uid, gid); err != nil {
				return fmt.Errorf("backup: %w", err)
			}
		}
	}
	return nil
}

// own gives a file, or all of a folder, to the owner of the folder that it is in.
func own(name string) error {
	uid, gid, ok := owner(filepath.Dir(name))
	if !ok {
		return nil
	}
	return filepath.WalkDir(name, func(name string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(name, uid, gid)
	})
}
