package sqlite

import (
	"fmt"

	"github.com/viadukt-eu/viadukt/node/store"
)

// Message implements store.Tx.
func (t *tx) Message(id int64) (*store.Message, error) {
	return t.one(fmt.Sprint("message ", id), selectMessage, id)
}

// ByMessageID implements store.Tx.
func (t *tx) ByMessageID(d store.Direction, messageID string) (*store.Message, error) {
	return t.one(fmt.Sprintf("message %q", messageID), selectByID, messageID, int64(d))
}

func (t *tx) one(what, q string, args ...any) (m *store.Message, err error) {
	if err := t.usable(); err != nil {
		return nil, err
	}
	if err := t.w.c.query(q, func(v row) error { m = scan(v); return nil }, args...); err != nil {
		return nil, t.done("read "+what, err)
	}
	if m == nil {
		return nil, fmt.Errorf("sqlite: %s: %w", what, store.ErrNotFound)
	}
	if err := t.w.c.query(selectHeader, func(v row) error { m.Header = octets(v[0]); return nil }, m.ID); err != nil {
		return nil, t.done("read header", err)
	}
	err = t.w.c.query(selectPayloads, func(v row) error { return addPayload(m, v) }, span(m.ID)...)
	return m, t.done("read payloads", err)
}

// Evidence implements store.Tx.
func (t *tx) Evidence(id int64) (out []store.Evidence, err error) {
	if err := t.usable(); err != nil {
		return nil, err
	}
	err = t.w.c.query(selectEvidence, func(v row) error {
		e, err := scanEvidence(v)
		out = append(out, e)
		return err
	}, span(id)...)
	return out, t.done("read evidence", err)
}
