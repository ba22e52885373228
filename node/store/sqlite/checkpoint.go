package sqlite

import (
	"os"
	"path/filepath"
)

// checkpointer decides when pages go from the write-ahead log into the database file.
type checkpointer struct {
	wal     string
	commits int
}

const checkpointPages = 4000

func (cp *checkpointer) init(dir string) { cp.wal = filepath.Join(dir, databaseFile+"-wal") }

// afterCommit runs on the writer's goroutine, when everybody was answered.
func (cp *checkpointer) afterCommit(c *conn) {
	if cp.commits++; cp.commits%16 != 0 {
		return
	}
	if st, err := os.Stat(cp.wal); err == nil && st.Size() > checkpointPages*4096 {
		// What cannot be moved now stays in the log; nothing is lost, and the next call tries again.
		c.queryInt("PRAGMA wal_checkpoint(PASSIVE)")
	}
}
