package sqlite

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/node/store/spool"
)

// groupMax bounds how many functions share one commit.
const groupMax = 512

// PanicError is what Write returns when its function panicked; the transaction of the others went on.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string {
	return fmt.Sprintf("sqlite: panic in a write function: %v", e.Value)
}

var errGoexit = errors.New("sqlite: write function ended its goroutine (runtime.Goexit)")

// request is one call of Write. state moves from waiting to either running or cancelled.
type request struct {
	f     func(store.Tx) error
	actor string
	state atomic.Int32
	err   error
	done  chan struct{} // capacity 1, so that a request can be used again
}

const (
	waiting int32 = iota
	running
	cancelled
)

var requests = sync.Pool{New: func() any { return &request{done: make(chan struct{}, 1)} }}

// writer owns the write connection. Everything below mu belongs to its goroutine.
type writer struct {
	s       *Store
	minFree int64

	mu      sync.Mutex
	queue   []*request
	closing bool
	signal  chan struct{} // capacity 1: there is something in queue
	ended   chan struct{}

	c       *conn
	group   []*request
	tx      tx
	ids     ids
	journal journal
	tally   map[tallyKey]int64
	traffic traffic
	work    work
	cp      checkpointer
	room    error // disk-full verdict of this group

	nextRoomCheck time.Time
}

func newWriter(s *Store, c *conn, minFree int64) (*writer, error) {
	w := &writer{
		s: s, c: c, minFree: minFree,
		signal: make(chan struct{}, 1), ended: make(chan struct{}),
		tally: make(map[tallyKey]int64), traffic: make(traffic),
		cp: checkpointer{pages: checkpointPages},
	}
	w.tx.w = w
	if err := w.ids.load(c); err != nil {
		return nil, err
	}
	if err := w.work.load(c); err != nil {
		return nil, err
	}
	if err := w.journal.load(c); err != nil {
		return nil, err
	}
	go w.run()
	return w, nil
}

// Write implements store.Store.
func (s *Store) Write(ctx context.Context, f func(store.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r := requests.Get().(*request)
	r.f, r.actor, r.err = f, store.Actor(ctx), nil
	r.state.Store(waiting)
	if !s.w.enqueue(r) {
		return store.ErrClosed
	}
	select {
	case <-r.done:
	case <-ctx.Done():
		if r.state.CompareAndSwap(waiting, cancelled) {
			return ctx.Err() // the writer drops the request; it is not used again
		}
		<-r.done // already running: only its outcome is the truth
	}
	err := r.err
	r.f = nil
	requests.Put(r)
	return err
}

func (w *writer) enqueue(r *request) bool {
	w.mu.Lock()
	if w.closing {
		w.mu.Unlock()
		return false
	}
	w.queue = append(w.queue, r)
	first := len(w.queue) == 1
	w.mu.Unlock()
	if first {
		w.poke()
	}
	return true
}

func (w *writer) poke() {
	select {
	case w.signal <- struct{}{}:
	default:
	}
}

func (w *writer) closed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.closing
}

// close runs what is waiting and closes the connection.
func (w *writer) close() error {
	w.mu.Lock()
	w.closing = true
	w.mu.Unlock()
	w.poke()
	<-w.ended
	return w.c.close()
}

// take moves up to groupMax requests into w.group; false when the writer is to end.
func (w *writer) take() bool {
	w.group = w.group[:0]
	for {
		w.mu.Lock()
		n := min(len(w.queue), groupMax)
		w.group = append(w.group, w.queue[:n]...)
		rest := copy(w.queue, w.queue[n:])
		clear(w.queue[rest:])
		w.queue = w.queue[:rest]
		closing := w.closing
		w.mu.Unlock()
		if n > 0 {
			return true
		}
		if closing {
			return false
		}
		<-w.signal
		// Those whom the last commit woke are about to ask again: let them run first.
		runtime.Gosched()
	}
}

// run is the writer's goroutine. When a write function ends it with runtime.Goexit, as t.FailNow does, the
// group in hand fails and a new goroutine goes on.
func (w *writer) run() {
	normal := false
	defer func() {
		if !normal {
			w.abort(errGoexit)
			go w.run()
		}
	}()
	for w.take() {
		w.commitGroup()
		runtime.Gosched()
	}
	normal = true
	close(w.ended)
}

// commitGroup runs the requests of the group and answers them.
func (w *writer) commitGroup() {
	live := w.group[:0]
	for _, r := range w.group {
		if r.state.CompareAndSwap(waiting, running) {
			live = append(live, r)
		}
	}
	clear(w.group[len(live):])
	if w.group = live; len(live) == 0 {
		return
	}
	w.checkRoom()
	w.tx.begin()
	if err := w.c.begin(); err != nil {
		w.abort(err)
		return
	}
	if lone := w.group[0]; len(w.group) == 1 {
		if w.runLone(lone); lone.err != nil && w.tx.fatal == nil {
			w.c.rollback()
			w.forget()
			w.answer()
			return
		}
	} else {
		for _, r := range w.group {
			if w.tx.fatal != nil {
				break
			}
			w.runOne(r)
		}
	}
	err := w.tx.fatal
	if err == nil {
		err = w.flush()
	}
	if err == nil {
		err = w.c.commit()
	}
	if err != nil {
		w.abort(err)
		return
	}
	w.forget()
	for d, yes := range w.tx.woken { // before the answer: whoever has it may count on the token
		if yes {
			w.s.wake(store.Direction(d))
		}
	}
	w.answer()
	w.cp.afterCommit(w.c)
}

// runLone runs the only request of a group: the transaction is its savepoint.
func (w *writer) runLone(r *request) {
	t := &w.tx
	t.start()
	t.actor = r.actor
	if r.err = call(r.f, t); r.err == nil && t.fatal == nil {
		r.err = t.record()
	}
	t.open = false
	switch {
	case t.fatal != nil:
	case r.err != nil:
		t.undo()
	default:
		t.keep()
	}
}

// runOne runs one request in its savepoint.
func (w *writer) runOne(r *request) {
	t := &w.tx
	if err := w.c.savepoint(); err != nil {
		t.fatal = err
		return
	}
	t.start()
	t.actor = r.actor
	if r.err = call(r.f, t); r.err == nil && t.fatal == nil {
		r.err = t.record()
	}
	t.open = false
	if t.fatal != nil {
		return
	}
	if r.err != nil {
		if err := w.c.rollbackTo(); err != nil {
			t.fatal = err
		}
		t.undo()
		return
	}
	if err := w.c.release(); err != nil {
		t.fatal = err
		return
	}
	t.keep()
}

func call(f func(store.Tx) error, t *tx) (err error) {
	returned := false
	defer func() {
		if returned {
			return
		}
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	err = f(t)
	returned = true
	return err
}

// flush writes what is written once a group.
func (w *writer) flush() error {
	for k, n := range w.tally {
		if n == 0 {
			continue
		}
		if _, err := w.c.exec(`INSERT INTO tally (domain, direction, state, n) VALUES (?1, ?2, ?3, ?4)
			ON CONFLICT DO UPDATE SET n = n + excluded.n`, k.domain, int64(k.direction), int64(k.state), n); err != nil {
			return err
		}
	}
	if err := w.traffic.save(w.c); err != nil {
		return err
	}
	if err := w.journal.flush(w.c); err != nil {
		return err
	}
	return w.ids.save(w.c)
}

// forget drops what was counted for one group.
func (w *writer) forget() {
	clear(w.tally)
	clear(w.traffic)
}

// abort undoes the whole group: nobody was told yet that anything of it is stored.
func (w *writer) abort(err error) {
	w.tx.open = false
	w.forget()
	w.c.rollback() // has nothing to do when the engine already did it
	if rerr := errors.Join(w.ids.load(w.c), w.work.load(w.c), w.journal.load(w.c)); rerr != nil {
		err = errors.Join(err, rerr)
	}
	for _, r := range w.group {
		if r.err == nil {
			r.err = err
		}
	}
	w.answer()
}

func (w *writer) answer() {
	for i, r := range w.group {
		w.group[i] = nil
		r.done <- struct{}{}
	}
	w.group = w.group[:0]
}

// checkRoom looks at most twice a second whether the volume has room for new messages.
func (w *writer) checkRoom() {
	if now := time.Now(); now.After(w.nextRoomCheck) {
		w.nextRoomCheck = now.Add(500 * time.Millisecond)
		w.room = spool.CheckFree(w.s.dir, w.minFree)
	}
}
