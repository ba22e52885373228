package node

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/node/store"
)

func TestABackupWhoseClientDiedEnds(t *testing.T) {
	t.Parallel()
	n := &Node{Log: slog.New(slog.DiscardHandler)}
	ends := 0
	b := &openBackup{id: "b", file: filepath.Join(t.TempDir(), "b.db"), end: func() error { ends++; return nil }, timer: time.NewTimer(time.Hour)}
	n.backups.open = b
	if err := os.WriteFile(b.file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, done, err := n.backups.use("b")
	if err != nil {
		t.Fatal(err)
	}
	if n.expireBackup(b); ends != 0 {
		t.Error("it ended under a call")
	}
	done()
	n.expireBackup(b)
	n.expireBackup(b)
	if _, err := os.Stat(b.file); ends != 1 || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it ended %d times, %v", ends, err)
	}
	if _, _, err := n.backups.use("b"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("used after it ended: %v", err)
	}
}
