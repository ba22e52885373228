package node

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/viadukt-eu/viadukt/node/backoffice"
	"github.com/viadukt-eu/viadukt/node/store"
)

// hubSize is how many state changes are kept for those who come back.
const hubSize = 8192

// noteTime is how often a connection without news gets a sign of life, so that neither end takes it for dead.
const noteTime = 15 * time.Second

// change is one state change of a message, numbered from 1 since the node started.
type change struct {
	seq   uint64
	id    int64
	state store.State
	at    time.Time
}

// hub keeps the latest state changes. Readers come for them at their own pace: one that is too slow misses some, is
// told so, and holds nobody up.
type hub struct {
	epoch string // tells one run of the node from another: numbers begin anew

	mu     sync.Mutex
	ring   []change // place of seq: (seq-1) mod hubSize
	last   uint64
	news   chan struct{} // closed at the next change
	closed bool
}

func newHub() *hub {
	var b [6]byte
	rand.Read(b[:])
	return &hub{epoch: hex.EncodeToString(b[:]), news: make(chan struct{})}
}

func (h *hub) publish(list []change) {
	if len(list) == 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range list {
		h.last++
		c.seq = h.last
		if len(h.ring) < hubSize {
			h.ring = append(h.ring, c)
		} else {
			h.ring[(c.seq-1)%hubSize] = c
		}
	}
	if !h.closed {
		close(h.news)
		h.news = make(chan struct{})
	}
}

// close ends all readers: a node that stops does not wait for them.
func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.closed {
		h.closed = true
		close(h.news)
	}
}

// after returns up to 256 changes behind a number. missed: older ones are not there any more. news is closed when there is more.
func (h *hub) after(seq uint64) (list []change, missed, closed bool, news <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	oldest := h.last - min(h.last, hubSize)
	if missed = seq < oldest; missed {
		seq = oldest
	}
	for ; seq < h.last && len(list) < 256; seq++ {
		list = append(list, h.ring[seq%hubSize])
	}
	return list, missed, h.closed, h.news
}

// next is closed at the next change, or when the node stops.
func (h *hub) next() (news <-chan struct{}, closed bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.news, h.closed
}

func (h *hub) newest() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.last
}

// observer is told of a change inside the transaction that makes it, and may store tasks beside it. What it returns as
// an error undoes the change.
type observer interface {
	// Changed: message returns the changed message; it costs a read.
	Changed(tx store.Tx, message func() (*store.Message, error), to store.State) error
	// Removed: the octets of a message are about to be deleted.
	Removed(tx store.Tx, message func() (*store.Message, error)) error
}

// followed is the node's store: it sees each change of state, whoever makes it.
type followed struct {
	store.Store
	n *Node
}

// Write implements store.Store.
func (f *followed) Write(ctx context.Context, do func(store.Tx) error) error {
	var tx followedTx
	err := f.Store.Write(ctx, func(inner store.Tx) error {
		tx = followedTx{Tx: inner, n: f.n}
		return do(&tx)
	})
	if err != nil {
		return err
	}
	f.n.hub.publish(tx.list())
	if tx.tasks {
		wakeup(f.n.taskReady)
		wakeup(f.n.bedReady)
	}
	return nil
}

// Claim implements store.Store.
func (f *followed) Claim(ctx context.Context, r store.ClaimRequest) ([]*store.Message, error) {
	claimed, err := f.Store.Claim(ctx, r)
	var list []change
	for _, m := range claimed {
		if m.State == store.Sending {
			list = append(list, change{id: m.ID, state: m.State, at: f.n.Clock()})
		}
	}
	f.n.hub.publish(list)
	return claimed, err
}

type followedTx struct {
	store.Tx
	n     *Node
	first change // nearly always the only one
	more  []change
	tasks bool // some were stored
}

// PutTask implements store.Tx.
func (t *followedTx) PutTask(k *store.Task) error {
	t.tasks = true
	return t.Tx.PutTask(k)
}

func (t *followedTx) list() []change {
	if t.first.id == 0 {
		return nil
	}
	if t.more == nil {
		return []change{t.first}
	}
	return t.more
}

func (t *followedTx) note(id int64, to store.State, at time.Time) {
	if at.IsZero() {
		at = t.n.Clock()
	}
	c := change{id: id, state: to, at: at}
	switch {
	case t.first.id == 0:
		t.first = c
	case t.more == nil:
		t.more = []change{t.first, c}
	default:
		t.more = append(t.more, c)
	}
}

// Insert implements store.Tx.
func (t *followedTx) Insert(m *store.Message) error {
	if err := t.Tx.Insert(m); err != nil {
		return err
	}
	t.note(m.ID, m.State, m.Updated)
	for _, o := range t.n.observers {
		if err := o.Changed(t, func() (*store.Message, error) { return m, nil }, m.State); err != nil {
			return err
		}
	}
	return nil
}

// Transition implements store.Tx.
func (t *followedTx) Transition(id int64, to store.State, c store.Change) error {
	if err := t.Tx.Transition(id, to, c); err != nil {
		return err
	}
	t.note(id, to, c.Time)
	return t.tell(id, to)
}

// SetRetry implements store.Tx.
func (t *followedTx) SetRetry(id int64, next time.Time, why store.Problem, detail string) error {
	if err := t.Tx.SetRetry(id, next, why, detail); err != nil {
		return err
	}
	t.note(id, store.Retrying, time.Time{})
	return t.tell(id, store.Retrying)
}

func (t *followedTx) tell(id int64, to store.State) error {
	for _, o := range t.n.observers {
		if err := o.Changed(t, t.read(id), to); err != nil {
			return err
		}
	}
	return nil
}

// read gives a message once, however many ask.
func (t *followedTx) read(id int64) func() (*store.Message, error) {
	var m *store.Message
	return func() (*store.Message, error) {
		if m != nil {
			return m, nil
		}
		var err error
		m, err = t.Tx.Message(id)
		return m, err
	}
}

// DeletePayloads implements store.Tx.
func (t *followedTx) DeletePayloads(id int64) error {
	if err := t.removed(id); err != nil {
		return err
	}
	return t.Tx.DeletePayloads(id)
}

// Delete implements store.Tx.
func (t *followedTx) Delete(id int64) error {
	if err := t.removed(id); err != nil {
		return err
	}
	return t.Tx.Delete(id)
}

func (t *followedTx) removed(id int64) error {
	for _, o := range t.n.observers {
		if err := o.Removed(t, t.read(id)); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	return nil
}

// events streams state changes. Each event has an id; whoever names the last one it saw gets what came since, or an
// event "reset" when that is not known any more: then a list tells how things stand.
func (a api) events(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	wants, err := changeFilter(q["direction"], q["state"])
	if err != nil {
		return err
	}
	h := a.n.hub
	last := r.Header.Get("Last-Event-ID")
	if last == "" {
		last = q.Get("lastEventId")
	}
	seq, known := h.newest(), true
	if last != "" {
		if s, ok := strings.CutPrefix(last, h.epoch+"-"); !ok {
			known = false
		} else if n, err := strconv.ParseUint(s, 10, 64); err != nil || n > seq {
			known = false
		} else {
			seq = n
		}
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no") // a proxy that collects would hold events back
	ctl := http.NewResponseController(w)
	if !known {
		fmt.Fprintf(w, "id: %s-%d\nevent: reset\ndata: {}\n\n", h.epoch, seq)
	} else {
		fmt.Fprintf(w, "id: %s-%d\nretry: 2000\n: ready\n\n", h.epoch, seq)
	}
	for {
		list, missed, closed, news := h.after(seq)
		if missed {
			fmt.Fprintf(w, "id: %s-%d\nevent: reset\ndata: {}\n\n", h.epoch, list[0].seq-1)
		}
		for _, c := range list {
			if err := a.event(w, r, c, wants); err != nil {
				return nil // the caller is gone, or the node stops
			}
			seq = c.seq
		}
		if err := ctl.Flush(); err != nil || closed {
			return nil
		}
		if len(list) > 0 {
			continue
		}
		t := time.NewTimer(noteTime)
		select {
		case <-r.Context().Done():
			t.Stop()
			return nil
		case <-news:
		case <-t.C:
			fmt.Fprint(w, ": still here\n\n")
		}
		t.Stop()
	}
}

func (a api) event(w http.ResponseWriter, r *http.Request, c change, wants func(*store.Message, store.State) bool) error {
	m, err := a.n.Store.Message(r.Context(), c.id)
	if errors.Is(err, store.ErrNotFound) {
		return nil // deleted since
	}
	if err != nil || !wants(m, c.state) {
		return err
	}
	b, err := json.Marshal(backoffice.NewChange(m, c.state, c.at))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "id: %s-%d\nevent: state\ndata: %s\n\n", a.n.hub.epoch, c.seq, b)
	return err
}

// changeFilter reads directions and states that somebody wants to hear of; none means all.
func changeFilter(directions, states []string) (func(*store.Message, store.State) bool, error) {
	var ds []store.Direction
	var ss []store.State
	for _, d := range directions {
		v, err := store.ParseDirection(d)
		if err != nil {
			return nil, badRequest("direction: in or out, not %q", d)
		}
		ds = append(ds, v)
	}
	for _, s := range states {
		v, err := store.ParseState(s)
		if err != nil {
			return nil, badRequest("state: %v", err)
		}
		ss = append(ss, v)
	}
	return func(m *store.Message, to store.State) bool {
		return (len(ds) == 0 || slices.Contains(ds, m.Direction)) && (len(ss) == 0 || slices.Contains(ss, to))
	}, nil
}
