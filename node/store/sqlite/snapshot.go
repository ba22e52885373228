package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/node/store/spool"
)

// Names of what a store keeps in its folder, for those who copy it.
const (
	Database = databaseFile
	Payloads = payloadFolder
	// Restoring is a folder in the folder of a store that is being put together: it is not to be opened before.
	Restoring = "restoring"
)

// ErrRestoring says that the store's folder is being restored, or that a restore did not come to its end.
var ErrRestoring = errors.New("sqlite: a restore of the store did not come to its end")

// Snapshot implements store.Store.
func (s *Store) Snapshot(ctx context.Context, file string) (end func() error, err error) {
	release := s.spool.Hold() // before the snapshot: what it names is there now and stays
	end = func() error {
		return release(func(hash [32]byte) (bool, error) { return s.used(context.WithoutCancel(ctx), hash) })
	}
	if err := Snapshot(ctx, s.dir, file, max(s.w.minFree, 0)); err != nil {
		return nil, errors.Join(err, end())
	}
	return end, nil
}

// Snapshot writes the database of the store in dir into a new file and makes that durable. The store may be open, also
// in another process; then payload files may be removed meanwhile, which [Store.Snapshot] prevents. store.ErrDiskFull
// when the volume of the file would have less than reserve octets left.
func Snapshot(ctx context.Context, dir, file string, reserve int64) (err error) {
	from := filepath.Join(dir, databaseFile)
	info, err := os.Stat(from)
	if err != nil {
		return fmt.Errorf("sqlite: snapshot: %w", err)
	}
	if err := spool.CheckFree(filepath.Dir(file), info.Size()+reserve); err != nil {
		return fmt.Errorf("sqlite: snapshot: %w", err)
	}
	out, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("sqlite: snapshot: %w", err)
	}
	defer func() {
		out.Close()
		if err != nil {
			os.Remove(file)
		}
	}()
	// A connection of its own: VACUUM INTO is a write for those that may only read. The file exists and is empty.
	db, err := sql.Open("sqlite", dsn(from, []string{"busy_timeout(10000)"}))
	if err != nil {
		return fmt.Errorf("sqlite: snapshot: %w", err)
	}
	_, err = db.ExecContext(ctx, "VACUUM INTO ?", file)
	if err = errors.Join(classify(err), db.Close()); err != nil {
		return fmt.Errorf("sqlite: snapshot: %w", err)
	}
	if err := out.Sync(); err != nil {
		return fmt.Errorf("sqlite: snapshot: %w", err)
	}
	return nil
}

// Lock keeps every other process from opening the store in dir until unlock is called. A folder without the lock's file
// was never opened, and needs none.
func Lock(dir string) (unlock func() error, err error) {
	f, err := os.Open(filepath.Join(dir, lockFile))
	if errors.Is(err, fs.ErrNotExist) {
		return func() error { return nil }, nil
	}
	if err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	if err := flock(f, dir); err != nil {
		return nil, err
	}
	return func() error { return errors.Join(syscall.Flock(int(f.Fd()), syscall.LOCK_UN), f.Close()) }, nil
}

// SkipIDs leaves a gap in the ids of messages: after a store went back to an older state, ids that were given since
// must not be given again.
func SkipIDs(ctx context.Context, s *Store, n int64) error {
	return s.Write(ctx, func(stx store.Tx) error {
		t := stx.(*tx)
		t.w.ids.next += n
		t.w.ids.deleted = true
		return nil
	})
}
