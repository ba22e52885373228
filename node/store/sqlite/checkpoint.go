package sqlite

// checkpointer moves pages from the write-ahead log into the database file. It works on the writer's
// goroutine after everybody was answered: nobody waits for it but those who come meanwhile, and since
// nothing is appended then, it gets to the end and the log starts anew instead of growing.
type checkpointer struct {
	pages   int64 // of the log that may wait
	commits int
}

const (
	// checkpointPages is the usual number of pages that may wait. Pages that are written often are moved once, so
	// more is less work; but then all who come meanwhile wait longer.
	checkpointPages = 4000
	// checkEvery says after how many commits the log is looked at.
	checkEvery = 16
)

func (cp *checkpointer) afterCommit(c *conn) {
	if cp.commits++; cp.commits%checkEvery != 0 {
		return
	}
	var pages, moved int64
	err := c.query("PRAGMA wal_checkpoint(NOOP)", func(v row) error {
		pages, _ = v[1].(int64)
		moved, _ = v[2].(int64)
		return nil
	})
	if err == nil && pages-moved > cp.pages {
		// What an old reader still needs stays in the log; nothing is lost, and the next call tries again.
		c.queryInt("PRAGMA wal_checkpoint(PASSIVE)")
	}
}
