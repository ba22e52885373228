package sqlite

import (
	"context"
	"errors"
)

// Label implements store.Tx.
func (t *tx) Label(id int64, labels ...string) error {
	if len(labels) == 0 {
		return nil
	}
	if _, err := t.standing(id); err != nil {
		return err
	}
	for _, l := range labels {
		if l == "" {
			return errors.New("sqlite: empty label")
		}
		if _, err := t.exec("label", "INSERT INTO label (name, message) VALUES (?1, ?2) ON CONFLICT DO NOTHING", l, id); err != nil {
			return err
		}
	}
	return nil
}

// Labelled implements store.Store.
func (s *Store) Labelled(ctx context.Context, label string, most int) (ids []int64, err error) {
	err = s.query(ctx, selectLabelled, func(v row) error {
		ids = append(ids, v[0].(int64))
		return nil
	}, label, most)
	return ids, err
}
