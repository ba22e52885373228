package sqlite

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/viadukt-eu/viadukt/node/store"
)

const (
	selectGroup     = "SELECT id, key, closed, record, created FROM fragment_group WHERE key = ?1"
	selectGroups    = "SELECT id, key, closed, record, created FROM fragment_group WHERE id > ?1 ORDER BY id LIMIT ?2"
	selectFragments = "SELECT id, message_id, place, size, sha256, octets FROM fragment WHERE id BETWEEN ?1 AND ?2 ORDER BY id"
	selectFragment  = "SELECT id, message_id, place, size, sha256, octets, header, receipt FROM fragment WHERE id = ?1"
	fileOfFragment  = "SELECT 1 FROM fragment WHERE sha256 = ? AND place = 2 LIMIT 1"
)

func scanGroup(v row) *store.Group {
	return &store.Group{ID: v[0].(int64), Key: v.text(1), Closed: v[2].(int64) != 0, Record: octets(v[3]), Created: fromMS(v[4].(int64))}
}

func scanFragment(v row) (store.Fragment, error) {
	f := store.Fragment{Num: int(v[0].(int64) & (1<<perMessage - 1)), MessageID: v.text(1)}
	switch v[2].(int64) {
	case placeGone:
		f.Gone = v[3].(int64) > 0
		return f, nil
	case placeRow:
		f.Payload.Inline = octets(v[5])
	}
	f.Payload.Size = v[3].(int64)
	var err error
	f.Payload.SHA256, err = hashOf(v[4])
	return f, err
}

// Group implements store.Groups.
func (s *Store) Group(ctx context.Context, key string) (g *store.Group, err error) {
	err = s.query(ctx, selectGroup, func(v row) error { g = scanGroup(v); return nil }, key)
	if err == nil && g == nil {
		err = fmt.Errorf("sqlite: group %q: %w", key, store.ErrNotFound)
	}
	return g, err
}

// ListGroups implements store.Groups.
func (s *Store) ListGroups(ctx context.Context, after int64, limit int) (out []store.Group, err error) {
	err = s.query(ctx, selectGroups, func(v row) error { out = append(out, *scanGroup(v)); return nil }, after, int64(limit))
	return out, err
}

// Fragments implements store.Groups.
func (s *Store) Fragments(ctx context.Context, group int64) (out []store.Fragment, err error) {
	err = s.query(ctx, selectFragments, func(v row) error {
		f, err := scanFragment(v)
		out = append(out, f)
		return err
	}, span(group)...)
	return out, err
}

// Group implements store.Tx.
func (t *tx) Group(key string) (g *store.Group, err error) {
	if err := t.usable(); err != nil {
		return nil, err
	}
	if err := t.w.c.query(selectGroup, func(v row) error { g = scanGroup(v); return nil }, key); err != nil {
		return nil, t.done("read group", err)
	}
	if g == nil {
		return nil, fmt.Errorf("sqlite: group %q: %w", key, store.ErrNotFound)
	}
	return g, nil
}

// Fragment implements store.Tx.
func (t *tx) Fragment(group int64, num int) (*store.Fragment, error) {
	if err := t.usable(); err != nil {
		return nil, err
	}
	var f *store.Fragment
	err := t.w.c.query(selectFragment, func(v row) error {
		got, err := scanFragment(v)
		got.Header, got.Receipt = octets(v[6]), octets(v[7])
		f = &got
		return err
	}, group<<perMessage|int64(num))
	if err != nil {
		return nil, t.done("read fragment", err)
	}
	if f == nil {
		return nil, fmt.Errorf("sqlite: fragment %d of group %d: %w", num, group, store.ErrNotFound)
	}
	return f, nil
}

// PutGroup implements store.Tx.
func (t *tx) PutGroup(g *store.Group) error {
	if g.Key == "" {
		return errors.New("sqlite: group without key")
	}
	if g.ID != 0 {
		n, err := t.exec("change group", "UPDATE fragment_group SET closed = ?2, record = ?3 WHERE id = ?1", g.ID, flag(g.Closed), g.Record)
		if err == nil && n == 0 {
			err = fmt.Errorf("sqlite: group %d: %w", g.ID, store.ErrNotFound)
		}
		return err
	}
	if t.w.room != nil {
		return t.w.room
	}
	_, err := t.exec("store group", "INSERT INTO fragment_group (key, closed, created, record) VALUES (?1, ?2, ?3, ?4)", g.Key, flag(g.Closed), ms(t.now), g.Record)
	if err != nil {
		return err
	}
	g.ID, err = t.w.c.queryInt("SELECT last_insert_rowid()")
	return t.done("number group", err)
}

// PutFragment implements store.Tx.
func (t *tx) PutFragment(group int64, f *store.Fragment) error {
	if group == 0 || f.Num < 0 || f.Num > store.MaxFragments {
		return fmt.Errorf("sqlite: fragment %d of group %d cannot be", f.Num, group)
	}
	place, body := int64(placeFile), any(nil)
	switch {
	case f.Payload.Inline != nil:
		place, body = placeRow, f.Payload.Inline
	case f.Payload.SHA256 == [sha256.Size]byte{}:
		place = placeGone
	}
	if place != placeGone && t.w.room != nil {
		return t.w.room
	}
	_, err := t.exec("store fragment", `INSERT INTO fragment (id, message_id, place, size, sha256, octets, header, receipt) VALUES (?1,?2,?3,?4,?5,?6,?7,?8)
		ON CONFLICT DO UPDATE SET message_id = excluded.message_id, place = excluded.place, size = excluded.size, sha256 = excluded.sha256,
		octets = excluded.octets, header = excluded.header, receipt = excluded.receipt`,
		group<<perMessage|int64(f.Num), f.MessageID, place, f.Payload.Size, f.Payload.SHA256[:], body, f.Header, f.Receipt)
	return err
}

// DropFragments implements store.Tx.
func (t *tx) DropFragments(group int64) error {
	_, err := t.exec("drop fragments", "UPDATE fragment SET place = 0, octets = NULL WHERE id BETWEEN ?1 AND ?2", span(group)...)
	return err
}

// DeleteGroup implements store.Tx.
func (t *tx) DeleteGroup(group int64) error {
	if _, err := t.exec("delete fragments", "DELETE FROM fragment WHERE id BETWEEN ?1 AND ?2", span(group)...); err != nil {
		return err
	}
	n, err := t.exec("delete group", "DELETE FROM fragment_group WHERE id = ?1", group)
	if err == nil && n == 0 {
		err = fmt.Errorf("sqlite: group %d: %w", group, store.ErrNotFound)
	}
	return err
}
