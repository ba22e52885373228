package store

import (
	"context"
	"time"
)

// Task is a piece of work that a change of state asks for beside the message itself, for example to tell a back
// office. It is stored in the same transaction as the change, so that neither a crash nor a full queue loses it, and it
// may run twice. Messages are no tasks: they are their own queue.
type Task struct {
	ID       int64 // grows with time
	Queue    string
	Kind     string // for the owner of the queue
	Message  int64  // row of the message that it is about; 0: none. The message may be gone when the task runs
	Due      time.Time
	Attempts int // made so far
	Dead     bool
	Error    string // of the last attempt
	Created  time.Time
	Body     []byte // for the owner of the queue
}

// Tasks reads what Tx.PutTask stored.
type Tasks interface {
	// DueTasks returns tasks of a queue that are due at now and not dead, the longest due first.
	DueTasks(ctx context.Context, queue string, now time.Time, limit int) ([]Task, error)
	// NextTask tells when the next task of a queue is due, or ErrNotFound.
	NextTask(ctx context.Context, queue string) (time.Time, error)
	// DeadQueues names the queues in which there are tasks that were given up.
	DeadQueues(ctx context.Context) ([]string, error)
	// DeadTasks returns the tasks of a queue that were given up, oldest first, those with an ID greater than after.
	DeadTasks(ctx context.Context, queue string, after int64, limit int) ([]Task, error)
}
