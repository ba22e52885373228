package sqlite

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/viadukt-eu/viadukt/node/store"
)

const (
	taskColumns = "id, queue, kind, message, due, attempts, dead, error, created, body"
	dueTasks    = "SELECT " + taskColumns + " FROM task WHERE queue = ?1 AND dead = 0 AND due <= ?2 ORDER BY due, id LIMIT ?3"
	nextTask    = "SELECT due FROM task WHERE queue = ?1 AND dead = 0 ORDER BY due LIMIT 1"
	deadTasks   = "SELECT " + taskColumns + " FROM task WHERE queue = ?1 AND dead = 1 AND id > ?2 ORDER BY id LIMIT ?3"
	deadQueues  = "SELECT DISTINCT queue FROM task WHERE dead = 1"
)

// PutTask implements store.Tx.
func (t *tx) PutTask(k *store.Task) error {
	if k.Queue == "" || k.Kind == "" {
		return errors.New("sqlite: task without queue or kind")
	}
	if k.Due.IsZero() {
		k.Due = t.now
	}
	if k.ID != 0 {
		n, err := t.exec("change task", "UPDATE task SET due = ?2, attempts = ?3, dead = ?4, error = ?5 WHERE id = ?1",
			k.ID, ms(k.Due), int64(k.Attempts), flag(k.Dead), k.Error)
		if err == nil && n == 0 {
			err = fmt.Errorf("sqlite: task %d: %w", k.ID, store.ErrNotFound)
		}
		return err
	}
	if k.Created.IsZero() {
		k.Created = t.now
	}
	body := k.Body
	if body == nil {
		body = []byte{}
	}
	if _, err := t.exec("store task", "INSERT INTO task (queue, kind, message, due, attempts, dead, error, created, body) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9)",
		k.Queue, k.Kind, k.Message, ms(k.Due), int64(k.Attempts), flag(k.Dead), k.Error, ms(k.Created), body); err != nil {
		return err
	}
	id, err := t.w.c.queryInt("SELECT last_insert_rowid()")
	if err != nil {
		return t.done("number task", err)
	}
	k.ID = id
	return nil
}

// DeleteTask implements store.Tx.
func (t *tx) DeleteTask(id int64) error {
	n, err := t.exec("delete task", "DELETE FROM task WHERE id = ?1", id)
	if err == nil && n == 0 {
		err = fmt.Errorf("sqlite: task %d: %w", id, store.ErrNotFound)
	}
	return err
}

func scanTask(v row) store.Task {
	return store.Task{
		ID: v[0].(int64), Queue: v.text(1), Kind: v.text(2), Message: v[3].(int64), Due: fromMS(v[4].(int64)), Attempts: int(v[5].(int64)),
		Dead: v[6].(int64) != 0, Error: v.text(7), Created: fromMS(v[8].(int64)), Body: octets(v[9]),
	}
}

// DueTasks implements store.Tasks.
func (s *Store) DueTasks(ctx context.Context, queue string, now time.Time, limit int) (out []store.Task, err error) {
	err = s.query(ctx, dueTasks, func(v row) error { out = append(out, scanTask(v)); return nil }, queue, ms(now), int64(limit))
	return out, err
}

// NextTask implements store.Tasks.
func (s *Store) NextTask(ctx context.Context, queue string) (at time.Time, err error) {
	err = s.query(ctx, nextTask, func(v row) error { at = fromMS(v[0].(int64)); return nil }, queue)
	if err == nil && at.IsZero() {
		err = store.ErrNotFound
	}
	return at, err
}

// DeadQueues implements store.Tasks.
func (s *Store) DeadQueues(ctx context.Context) (out []string, err error) {
	err = s.query(ctx, deadQueues, func(v row) error { out = append(out, v.text(0)); return nil })
	return out, err
}

// DeadTasks implements store.Tasks.
func (s *Store) DeadTasks(ctx context.Context, queue string, after int64, limit int) (out []store.Task, err error) {
	err = s.query(ctx, deadTasks, func(v row) error { out = append(out, scanTask(v)); return nil }, queue, after, int64(limit))
	return out, err
}
