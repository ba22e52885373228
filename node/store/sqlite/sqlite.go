// Package sqlite is the store of a node on one machine: one SQLite file in WAL mode with synchronous=FULL,
// and a folder of payload files beside it.
//
// # One writer
//
// SQLite has one writer at a time whatever is done about it. Here one goroutine owns the write connection;
// callers hand it functions and wait. It runs all that are waiting, up to 512, each in its own savepoint,
// and commits them with one flush; while that takes its time the next ones gather. Nobody sleeps to
// collect more. Readers have their own connections and never wait for the writer.
//
// One process at a time may open a store; a lock file says so.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/node/store/spool"
)

const (
	databaseFile  = "viadukt.db"
	lockFile      = "viadukt.lock"
	payloadFolder = "payloads"
)

// ErrLocked says that another process has the store open.
var ErrLocked = errors.New("sqlite: the store is open in another process")

// Options of [Open]. The zero value works.
type Options struct {
	// MinFree is the room in octets kept on the volume: below it new messages and payloads are refused
	// with store.ErrDiskFull, while messages already there still change state. Default 64 MiB; negative: none.
	MinFree int64
	// Readers is the number of read connections. Default: 4, or the number of processors if more.
	Readers int
	// Recorder writes the log; nil: what changes is not recorded.
	Recorder store.Recorder
	// Clock is used where a caller gives no time. Default time.Now.
	Clock func() time.Time
}

// Store implements store.Store.
type Store struct {
	dir      string
	clock    func() time.Time
	recorder store.Recorder
	spool    *spool.Folder
	lock     *os.File
	read     *sql.DB
	stmts    statements
	w        *writer
	ready    [3]chan struct{} // by direction

	closeOnce sync.Once
	closeErr  error
}

var _ store.Store = (*Store)(nil)

// Open opens the store in a folder, and makes both if need be. It brings an older schema up to date and
// releases all leases: whoever held one is gone.
func Open(dir string, opt Options) (_ *Store, err error) {
	if opt.MinFree == 0 {
		opt.MinFree = 64 << 20
	}
	if opt.Readers <= 0 {
		opt.Readers = max(4, runtime.GOMAXPROCS(0))
	}
	if opt.Clock == nil {
		opt.Clock = time.Now
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	if _, err := os.Stat(filepath.Join(dir, Restoring)); err == nil {
		return nil, fmt.Errorf("%w: wait for it, or empty %s and restore again", ErrRestoring, dir)
	}
	s := &Store{dir: dir, clock: opt.Clock, recorder: opt.Recorder}
	for _, d := range []store.Direction{store.In, store.Out} {
		s.ready[d] = make(chan struct{}, 1)
	}
	defer func() {
		if err != nil {
			s.closeFiles()
		}
	}()
	if s.lock, err = lockFolder(dir); err != nil {
		return nil, err
	}
	if s.spool, err = spool.Open(filepath.Join(dir, payloadFolder), opt.MinFree); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, databaseFile)
	c, err := openConn(dsn(path, writePragmas))
	if err != nil {
		return nil, err
	}
	if err := migrate(c, path, migrations); err != nil {
		c.close()
		return nil, err
	}
	if s.w, err = newWriter(s, c, opt.MinFree); err != nil {
		c.close()
		return nil, err
	}
	if s.read, err = sql.Open("sqlite", dsn(path, readPragmas)+"&mode=ro"); err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	s.read.SetMaxOpenConns(opt.Readers)
	s.read.SetMaxIdleConns(opt.Readers)
	if err := s.stmts.prepare(s.read); err != nil {
		return nil, err
	}
	if err := s.releaseLeases(context.Background()); err != nil {
		return nil, err
	}
	return s, nil
}

// writePragmas: FULL flushes at each commit. The checkpointer and not the writer's commits moves pages into
// the file, see checkpoint.go. SQLite walks the whole page cache at each commit, so a small one is faster. Deleted octets are overwritten where that costs no extra write.
var writePragmas = []string{
	"page_size(4096)", "journal_mode(WAL)", "synchronous(FULL)", "busy_timeout(10000)", "foreign_keys(0)",
	"wal_autocheckpoint(0)", "cache_size(-8192)", "temp_store(MEMORY)", "secure_delete(FAST)",
	"journal_size_limit(67108864)",
}

var readPragmas = []string{"query_only(1)", "busy_timeout(10000)", "cache_size(-8192)", "mmap_size(268435456)", "temp_store(MEMORY)"}

func dsn(path string, pragmas []string) string {
	q := url.Values{"_pragma": pragmas}
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}).String()
}

// lockFolder takes the lock that keeps a second process out; the kernel drops it when the process ends.
func lockFolder(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	if err := flock(f, dir); err != nil {
		return nil, err
	}
	if err := f.Truncate(0); err == nil {
		f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0) // for people; the lock is what counts
	}
	return f, nil
}

// flock locks the open file of a folder's lock, or closes it.
func flock(f *os.File, dir string) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return nil
	}
	f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return fmt.Errorf("%w (%s)", ErrLocked, dir)
	}
	return fmt.Errorf("sqlite: lock %s: %w", dir, err)
}

// Close implements store.Store.
func (s *Store) Close() error {
	s.closeOnce.Do(func() { s.closeErr = s.closeFiles() })
	return s.closeErr
}

func (s *Store) closeFiles() error {
	var errs []error
	if s.read != nil {
		errs = append(errs, s.stmts.close(), s.read.Close())
	}
	if s.w != nil {
		errs = append(errs, s.w.close()) // last: the last connection folds the WAL into the file
	}
	if s.lock != nil {
		// Unlocked first: a child process that was forked and has not come to exec yet shares the descriptor.
		errs = append(errs, syscall.Flock(int(s.lock.Fd()), syscall.LOCK_UN), s.lock.Close())
	}
	return errors.Join(errs...)
}

// Ready implements store.Store.
func (s *Store) Ready(d store.Direction) <-chan struct{} {
	if d != store.In && d != store.Out {
		return nil
	}
	return s.ready[d]
}

func (s *Store) wake(d store.Direction) {
	select {
	case s.ready[d] <- struct{}{}:
	default:
	}
}

// NewPayload implements store.Store.
func (s *Store) NewPayload() (store.PayloadWriter, error) { return s.spool.New() }
