package sqlite

import (
	"errors"
	"strconv"

	"github.com/viadukt-eu/viadukt/node/store"
)

// ids gives message ids. They are never used twice, not even after the newest message was deleted: events
// and API clients refer to them.
type ids struct {
	next    int64
	deleted bool // a message was deleted, so the table alone no longer tells the highest id
}

const lastIDKey = "store.last-message-id"

func (n *ids) load(c *conn) error {
	high, err := c.queryInt("SELECT max(id) FROM message")
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	last, err := c.queryInt("SELECT CAST(value AS INTEGER) FROM meta WHERE key = ?1", lastIDKey)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	n.next, n.deleted = max(high, last)+1, false
	return nil
}

func (n *ids) use() { n.next++ }

func (n *ids) save(c *conn) error {
	if !n.deleted {
		return nil
	}
	n.deleted = false
	_, err := c.exec("INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = excluded.value",
		lastIDKey, strconv.FormatInt(n.next-1, 10))
	return err
}
