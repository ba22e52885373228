package sqlite

import (
	"errors"
	"fmt"

	"github.com/viadukt-eu/viadukt/node/store"
)

// Once implements store.Tx.
func (t *tx) Once(key string, id int64) (int64, error) {
	if _, err := t.standing(id); err != nil {
		return 0, err
	}
	if key == "" {
		return 0, errors.New("sqlite: once: empty key")
	}
	first, state := int64(0), store.State(0)
	err := t.w.c.query("SELECT o.message, m.state FROM once o JOIN message m ON m.id = o.message WHERE o.key = ?1", func(v row) error {
		first, state = v[0].(int64), store.State(v[1].(int64))
		return nil
	}, key)
	if err != nil {
		return 0, t.done(fmt.Sprintf("read key %q", key), err)
	}
	if first != 0 && !state.Dead() {
		return first, nil
	}
	_, err = t.exec("take key", "INSERT INTO once (key, message) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET message = excluded.message", key, id)
	return id, err
}
