package node

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/viadukt-eu/viadukt/node/audit"
	"github.com/viadukt-eu/viadukt/node/store"
)

// scopeBackup reads everything that is stored.
const scopeBackup = "backup"

// snapshotFolder holds the copy of the database while a backup is being taken.
const snapshotFolder = "snapshots"

// backupIdle is how long a backup waits for its next call: a client that died must not keep payload files for ever.
const backupIdle = 10 * time.Minute

// BackupJSON is a backup that is being taken.
type BackupJSON struct {
	ID   string    `json:"id"`
	Node string    `json:"node" doc:"Name of the node."`
	Time time.Time `json:"time" doc:"The moment that the backup shows."`
	Size int64     `json:"size" doc:"Octets of the database."`
}

// backupTable lists the calls of a backup: it is begun, its database is read, then each payload file that the database
// names, and it is ended.
func (a api) backupTable() []route {
	scopes := []string{scopeBackup}
	return []route{
		{Method: "POST", Path: "/api/v1/backups", Summary: "Begin a backup: a snapshot of the database, whose payload files stay until it ends. One at a time; it ends by itself ten minutes after the last call", Scopes: scopes, Status: http.StatusCreated, Answer: BackupJSON{}, handler: a.beginBackup},
		{Method: "GET", Path: "/api/v1/backups/{id}/database", Summary: "The snapshot, an SQLite database", Scopes: scopes, Status: http.StatusOK, Media: "application/vnd.sqlite3", handler: a.backupDatabase},
		{Method: "GET", Path: "/api/v1/backups/{id}/payloads/{hash}", Summary: "A payload file that the snapshot names, by its SHA-256 in hexadecimal", Scopes: scopes, Status: http.StatusOK, Media: "application/octet-stream", handler: a.backupPayload,
			Query: []queryParam{{Name: "size", Doc: "Its length in octets, as the snapshot says.", Schema: int64(0)}}},
		{Method: "DELETE", Path: "/api/v1/backups/{id}", Summary: "End a backup", Scopes: scopes, Status: http.StatusNoContent, handler: a.endBackup},
	}
}

// backups is the backup that is being taken, if one is.
type backups struct {
	mu   sync.Mutex
	open *openBackup
}

type openBackup struct {
	id, file string
	end      func() error // nil until the snapshot is there
	uses     int          // calls at work
	timer    *time.Timer
}

var errBackupOpen = &apiError{Status: http.StatusConflict, Code: "BACKUP_OPEN", Text: "another backup is being taken", Remedy: "wait for it to end; one whose client died ends ten minutes after its last call"}

var errDamagedStore = &apiError{Status: http.StatusInternalServerError, Code: "DAMAGED", Text: "the database is damaged: no copy of it can be made", Remedy: "stop the node, keep a copy of its data folder; viadukt verifydata names what is damaged"}

func (a api) beginBackup(w http.ResponseWriter, r *http.Request) error {
	n := a.n
	dir := filepath.Join(string(n.Config.Node.DataDir), snapshotFolder)
	b := &openBackup{id: randomID()}
	b.file = filepath.Join(dir, b.id+".db")
	n.backups.mu.Lock()
	busy := n.backups.open != nil
	if !busy {
		n.backups.open = b
	}
	n.backups.mu.Unlock()
	if busy {
		return errBackupOpen
	}
	j, err := n.snapshot(r.Context(), dir, b)
	if err != nil {
		n.backups.close(b)
		if errors.Is(err, store.ErrDamaged) {
			n.Log.Error("backup not begun", slog.Any("err", err))
			return errDamagedStore
		}
		return err
	}
	return writeJSON(w, http.StatusCreated, j)
}

// snapshot makes the copy. The log is signed first, so that all that the copy holds of it is under a head, and tells of it.
func (n *Node) snapshot(ctx context.Context, dir string, b *openBackup) (*BackupJSON, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := n.Evidence.Append(ctx, audit.Entry{Type: audit.Administration, Subject: "backup", Detail: "begun"}); err != nil {
		return nil, err
	}
	if _, err := n.Evidence.Sign(ctx); err != nil {
		return nil, err
	}
	now := n.Clock().UTC()
	end, err := n.Store.Snapshot(ctx, b.file)
	if err != nil {
		return nil, err
	}
	n.backups.mu.Lock()
	defer n.backups.mu.Unlock()
	b.end = end
	b.timer = time.AfterFunc(backupIdle, func() { n.expireBackup(b) })
	info, err := os.Stat(b.file)
	if err != nil {
		return nil, err
	}
	n.Log.Info("backup begun", slog.Int64("bytes", info.Size()))
	return &BackupJSON{b.id, n.Config.Node.Name, now, info.Size()}, nil
}

func (n *Node) expireBackup(b *openBackup) {
	n.backups.mu.Lock()
	busy := b.uses > 0
	if busy {
		b.timer.Reset(backupIdle)
	}
	n.backups.mu.Unlock()
	if !busy {
		n.Log.Warn("backup given up: its client asks for nothing more")
		n.backups.close(b)
	}
}

// close ends a backup and removes its snapshot.
func (s *backups) close(b *openBackup) error {
	s.mu.Lock()
	mine := b != nil && s.open == b
	if mine {
		s.open = nil
		if b.timer != nil {
			b.timer.Stop()
		}
	}
	s.mu.Unlock()
	if !mine {
		return nil
	}
	err := os.Remove(b.file)
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	if b.end != nil {
		err = errors.Join(err, b.end())
	}
	return err
}

// stop ends the backup that is being taken.
func (s *backups) stop() error {
	s.mu.Lock()
	b := s.open
	s.mu.Unlock()
	return s.close(b)
}

// use finds the backup of a call, which must end with done.
func (s *backups) use(id string) (b *openBackup, done func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b = s.open; b == nil || b.id != id || b.end == nil {
		return nil, nil, store.ErrNotFound
	}
	b.uses++
	return b, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		b.uses--
		b.timer.Reset(backupIdle)
	}, nil
}

func (a api) backupDatabase(w http.ResponseWriter, r *http.Request) error {
	b, done, err := a.n.backups.use(r.PathValue("id"))
	if err != nil {
		return err
	}
	defer done()
	f, err := os.Open(b.file)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return sendFile(w, f, info.Size(), "application/vnd.sqlite3")
}

func (a api) backupPayload(w http.ResponseWriter, r *http.Request) error {
	_, done, err := a.n.backups.use(r.PathValue("id"))
	if err != nil {
		return err
	}
	defer done()
	var ref store.PayloadRef
	sum, err := hex.DecodeString(r.PathValue("hash"))
	if err != nil || len(sum) != len(ref.SHA256) {
		return badRequest("a payload is named by its SHA-256 in hexadecimal")
	}
	ref.SHA256 = [32]byte(sum)
	if ref.Size, err = strconv.ParseInt(r.URL.Query().Get("size"), 10, 64); err != nil || ref.Size < 0 {
		return badRequest("size: the length in octets")
	}
	f, err := a.n.Store.OpenPayload(r.Context(), ref)
	if errors.Is(err, store.ErrDamaged) || errors.Is(err, store.ErrGone) {
		return &apiError{Status: http.StatusGone, Code: "DAMAGED", Text: "the payload file is not there as it was stored", Remedy: "viadukt verifydata names the message"}
	}
	if err != nil {
		return err
	}
	defer f.Close()
	return sendFile(w, f, ref.Size, "application/octet-stream")
}

// sendFile sends octets of known length; a client that takes none is given up. An error comes too late for an answer:
// the length that was announced shows it.
func sendFile(w http.ResponseWriter, r io.Reader, size int64, mediaType string) error {
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
	_, err := io.Copy(&stallWriter{ResponseWriter: w, ctl: http.NewResponseController(w)}, r)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	return nil
}

func (a api) endBackup(w http.ResponseWriter, r *http.Request) error {
	b, done, err := a.n.backups.use(r.PathValue("id"))
	if err != nil {
		return err
	}
	done()
	if err := a.n.backups.close(b); err != nil {
		return err
	}
	a.n.Log.Info("backup ended")
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// clearSnapshots removes what a process that died left of a backup.
func (n *Node) clearSnapshots() error {
	return os.RemoveAll(filepath.Join(string(n.Config.Node.DataDir), snapshotFolder))
}
