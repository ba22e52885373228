package sqlite

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/node/store"
)

func TestTasksWaitUntilTheyAreDueAndStayWhenTheyAreGivenUp(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	ctx, now := context.Background(), time.UnixMilli(1_800_000_000_000).UTC()
	early := store.Task{Queue: "push", Kind: "tell", Message: 7, Due: now, Created: now, Body: []byte("early")}
	late := store.Task{Queue: "push", Kind: "tell", Due: now.Add(time.Hour), Created: now}
	other := store.Task{Queue: "hook", Kind: "call", Due: now.Add(-time.Hour), Created: now}
	write(t, s, func(tx store.Tx) error {
		return errors.Join(tx.PutTask(&late), tx.PutTask(&early), tx.PutTask(&other))
	})
	due := func(at time.Time) []store.Task {
		t.Helper()
		list, err := s.DueTasks(ctx, "push", at, 10)
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	if got := due(now); len(got) != 1 || got[0].ID != early.ID || string(got[0].Body) != "early" || got[0].Message != 7 || !got[0].Due.Equal(now) {
		t.Fatalf("due now: %+v", got)
	}
	if got := due(now.Add(2 * time.Hour)); len(got) != 2 || got[0].ID != early.ID || got[1].ID != late.ID {
		t.Fatalf("due later: %+v", got)
	}
	if at, err := s.NextTask(ctx, "push"); err != nil || !at.Equal(now) {
		t.Fatalf("next: %v %v", at, err)
	}
	early.Dead, early.Error, early.Attempts = true, "refused", 3
	write(t, s, func(tx store.Tx) error { return errors.Join(tx.PutTask(&early), tx.DeleteTask(late.ID)) })
	if got := due(now.Add(2 * time.Hour)); len(got) != 0 {
		t.Errorf("a task that was given up is due: %+v", got)
	}
	if _, err := s.NextTask(ctx, "push"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("next: %v", err)
	}
	dead, err := s.DeadTasks(ctx, "push", 0, 10)
	if err != nil || len(dead) != 1 || dead[0].Error != "refused" || dead[0].Attempts != 3 {
		t.Errorf("given up: %+v %v", dead, err)
	}
	err = s.Write(ctx, func(tx store.Tx) error { return tx.DeleteTask(late.ID) })
	if !errors.Is(err, store.ErrNotFound) {
		t.Errorf("deleting twice: %v", err)
	}
	err = s.Write(ctx, func(tx store.Tx) error { return tx.PutTask(&store.Task{ID: late.ID, Queue: "push", Kind: "tell"}) })
	if !errors.Is(err, store.ErrNotFound) {
		t.Errorf("changing a deleted task: %v", err)
	}
}
