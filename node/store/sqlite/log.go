package sqlite

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/viadukt-eu/viadukt/node/audit/merkle"
	"github.com/viadukt-eu/viadukt/node/store"
)

// journal is the writer's part of the log. An entry is a row from the moment it is appended; its hash joins the tree
// once a group, together with those of all the other functions that were kept.
type journal struct {
	tree    *merkle.Builder
	pending []merkle.Hash // of the entries that this group appended
}

const (
	selectLogState   = "SELECT size, peaks FROM log_state"
	selectLog        = "SELECT id, octets FROM log WHERE id >= ?1 ORDER BY id LIMIT ?2"
	selectLogOf      = "SELECT id, octets FROM log WHERE message = ?1 ORDER BY id"
	selectLogTile    = "SELECT hashes FROM log_tile WHERE id = ?1"
	selectLogRoots   = "SELECT root FROM log_tile WHERE id BETWEEN ?1 AND ?2 ORDER BY id"
	selectLastHead   = "SELECT octets FROM log_head ORDER BY size DESC LIMIT 1"
	selectLogHeads   = "SELECT octets FROM log_head WHERE size >= ?1 ORDER BY size LIMIT ?2"
	selectLastStamp  = "SELECT size, due, head, record FROM log_stamp ORDER BY size DESC LIMIT 1"
	selectLogStamps  = "SELECT size, due, head, record FROM log_stamp WHERE size >= ?1 ORDER BY size LIMIT 1"
	selectStampsDue  = "SELECT size, due, head, record FROM log_stamp WHERE due <= ?1 ORDER BY due LIMIT ?2"
	insertLog        = "INSERT INTO log (id, message, octets) VALUES (?1, ?2, ?3)"
	tileLevelShift   = 56 // a tile's id is its level and its number
	logEntriesAtMost = 10_000
)

// load continues the log, and finds out whether its last part is what was recorded of it.
func (j *journal) load(c *conn) error {
	j.tree, j.pending = nil, j.pending[:0]
	var size int64
	var peaks []merkle.Hash
	if err := c.query(selectLogState, func(v row) (err error) {
		size = v[0].(int64)
		peaks, err = hashes(v[1])
		return err
	}); err != nil {
		return err
	}
	tree, err := merkle.Resume(size, func(level int, n int64) ([]merkle.Hash, error) {
		return readTile(c.query, level, n)
	})
	if errors.Is(err, merkle.ErrRange) {
		return fmt.Errorf("sqlite: %w: the log has fewer entries than its recorded %d", store.ErrDamaged, size)
	}
	if err != nil {
		return err
	}
	want, err := merkle.NewFrontier(size, peaks)
	if err != nil || want.Root() != tree.Root() {
		return fmt.Errorf("sqlite: %w: the log's entries differ from its recorded root", store.ErrDamaged)
	}
	if last, err := c.queryInt("SELECT max(id) FROM log"); err == nil && last >= size {
		return fmt.Errorf("sqlite: %w: the log has more entries than its recorded %d", store.ErrDamaged, size)
	} else if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	j.tree = tree
	return nil
}

// flush joins the group's entries to the tree.
func (j *journal) flush(c *conn) error {
	if len(j.pending) == 0 {
		return nil
	}
	for _, leaf := range j.pending {
		err := j.tree.Append(leaf, func(level int, n int64, hashes []merkle.Hash, root merkle.Hash) error {
			_, err := c.exec("INSERT INTO log_tile (id, root, hashes) VALUES (?1, ?2, ?3)", int64(level)<<tileLevelShift|n, root[:], flat(hashes))
			return err
		})
		if err != nil {
			return err
		}
	}
	j.pending = j.pending[:0]
	_, err := c.exec("UPDATE log_state SET size = ?1, peaks = ?2", j.tree.Size(), flat(j.tree.Peaks()))
	return err
}

func flat(hashes []merkle.Hash) []byte {
	b := make([]byte, 0, len(hashes)*len(merkle.Hash{}))
	for i := range hashes {
		b = append(b, hashes[i][:]...)
	}
	return b
}

func hashes(v any) ([]merkle.Hash, error) {
	b, _ := v.([]byte)
	if len(b)%len(merkle.Hash{}) != 0 {
		return nil, fmt.Errorf("sqlite: %w: %d octets of hashes", store.ErrDamaged, len(b))
	}
	out := make([]merkle.Hash, 0, len(b)/len(merkle.Hash{}))
	for ; len(b) > 0; b = b[len(merkle.Hash{}):] {
		out = append(out, merkle.Hash(b))
	}
	return out, nil
}

// asker runs one of the fixed reads of the log, on whichever connection.
type asker func(query string, each func(v row) error, args ...any) error

// readTile gives a full tile as it is stored, and what there is of one that is not full.
func readTile(ask asker, level int, n int64) (tile []merkle.Hash, err error) {
	if level < 0 || n < 0 || level > 6 || n >= 1<<48 {
		return nil, merkle.ErrRange
	}
	if err := ask(selectLogTile, func(v row) (err error) {
		tile, err = hashes(v[0])
		return err
	}, int64(level)<<tileLevelShift|n); err != nil || tile != nil {
		return tile, err
	}
	if level == 0 {
		err = ask(selectLog, func(v row) error {
			tile = append(tile, merkle.Leaf(octets(v[1])))
			return nil
		}, n*merkle.TileWidth, int64(merkle.TileWidth))
		return tile, err
	}
	first := int64(level-1)<<tileLevelShift | n*merkle.TileWidth
	err = ask(selectLogRoots, func(v row) error {
		h, err := hashOf(v[0])
		tile = append(tile, h)
		return err
	}, first, first+merkle.TileWidth-1)
	return tile, err
}

// AppendLog implements store.Tx.
func (t *tx) AppendLog(octets []byte) (int64, error) { return t.appendLog(0, octets) }

func (t *tx) appendLog(message int64, octets []byte) (int64, error) {
	if err := t.usable(); err != nil {
		return 0, err
	}
	j := &t.w.journal
	if j.tree == nil { // a group was undone and the log could not be read then
		if err := j.load(t.w.c); err != nil {
			return 0, t.done("read the log", err)
		}
	}
	index := j.tree.Size() + int64(len(j.pending))
	var about any
	if message != 0 {
		about = message
	}
	if _, err := t.exec("append to the log", insertLog, index, about, octets); err != nil {
		return 0, err
	}
	j.pending = append(j.pending, merkle.Leaf(octets))
	return index, nil
}

// PutLogHead implements store.Tx.
func (t *tx) PutLogHead(size int64, octets []byte) error {
	_, err := t.exec("store head", "INSERT OR REPLACE INTO log_head (size, octets) VALUES (?1, ?2)", size, octets)
	return err
}

// PutLogStamp implements store.Tx.
func (t *tx) PutLogStamp(s store.LogStamp) error {
	_, err := t.exec("store time-stamped head", "INSERT OR REPLACE INTO log_stamp (size, due, head, record) VALUES (?1, ?2, ?3, ?4)", s.Size, ms(s.Due), s.Head, s.Record)
	return err
}

func (s *Store) ask(ctx context.Context) asker {
	return func(q string, each func(v row) error, args ...any) error { return s.query(ctx, q, each, args...) }
}

// LogState implements store.Log.
func (s *Store) LogState(ctx context.Context) (size int64, peaks [][32]byte, err error) {
	err = s.query(ctx, selectLogState, func(v row) error {
		size = v[0].(int64)
		h, err := hashes(v[1])
		peaks = arrays(h)
		return err
	})
	return size, peaks, err
}

func arrays(h []merkle.Hash) [][32]byte {
	out := make([][32]byte, len(h))
	for i := range h {
		out[i] = h[i]
	}
	return out
}

// LogEntries implements store.Log.
func (s *Store) LogEntries(ctx context.Context, from int64, limit int) ([]store.LogEntry, error) {
	return s.logEntries(ctx, selectLog, from, int64(min(max(limit, 0), logEntriesAtMost)))
}

// LogOf implements store.Log.
func (s *Store) LogOf(ctx context.Context, message int64) ([]store.LogEntry, error) {
	return s.logEntries(ctx, selectLogOf, message)
}

func (s *Store) logEntries(ctx context.Context, q string, args ...any) (out []store.LogEntry, err error) {
	err = s.query(ctx, q, func(v row) error {
		out = append(out, store.LogEntry{Index: v[0].(int64), Octets: octets(v[1])})
		return nil
	}, args...)
	return out, err
}

// LogHashes implements store.Log.
func (s *Store) LogHashes(ctx context.Context, level int, n int64) ([][32]byte, error) {
	tile, err := readTile(s.ask(ctx), level, n)
	return arrays(tile), err
}

// LogHead implements store.Log.
func (s *Store) LogHead(ctx context.Context, size int64) (head []byte, err error) {
	take := func(v row) error { head = octets(v[0]); return nil }
	if size == 0 {
		err = s.query(ctx, selectLastHead, take)
	} else {
		err = s.query(ctx, selectLogHeads, take, size, int64(1))
	}
	if err == nil && head == nil {
		err = fmt.Errorf("sqlite: head of the log: %w", store.ErrNotFound)
	}
	return head, err
}

// LogHeads implements store.Log.
func (s *Store) LogHeads(ctx context.Context, size int64, limit int) (out [][]byte, err error) {
	err = s.query(ctx, selectLogHeads, func(v row) error { out = append(out, octets(v[0])); return nil }, size, int64(min(max(limit, 0), logEntriesAtMost)))
	return out, err
}

func (s *Store) logStamps(ctx context.Context, q string, args ...any) (out []store.LogStamp, err error) {
	err = s.query(ctx, q, func(v row) error {
		out = append(out, store.LogStamp{Size: v[0].(int64), Due: fromMS(v[1].(int64)), Head: octets(v[2]), Record: octets(v[3])})
		return nil
	}, args...)
	return out, err
}

// LogStamp implements store.Log.
func (s *Store) LogStamp(ctx context.Context, size int64) (*store.LogStamp, error) {
	q, args := selectLastStamp, []any(nil)
	if size != 0 {
		q, args = selectLogStamps, []any{size}
	}
	list, err := s.logStamps(ctx, q, args...)
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("sqlite: time-stamped head of the log: %w", store.ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	return &list[0], nil
}

// LogStampsDue implements store.Log.
func (s *Store) LogStampsDue(ctx context.Context, by time.Time, limit int) ([]store.LogStamp, error) {
	return s.logStamps(ctx, selectStampsDue, ms(by), int64(min(max(limit, 0), logEntriesAtMost)))
}

// happened finds or starts the note about one message, or one thing of the node's own, in the function that runs.
// Nil when nothing is recorded.
func (t *tx) happened(what store.What, id int64, subject string) *store.Happening {
	if t.w.s.recorder == nil {
		return nil
	}
	for i := range t.happenings {
		if h := &t.happenings[i]; h.ID == id && h.Subject == subject && h.What == what {
			return h
		}
	}
	if n := len(t.happenings); n < cap(t.happenings) { // its objects are used again
		t.happenings = t.happenings[:n+1]
		t.happenings[n] = store.Happening{Objects: t.happenings[n].Objects[:0]}
	} else {
		t.happenings = append(t.happenings, store.Happening{})
	}
	h := &t.happenings[len(t.happenings)-1]
	h.What, h.ID, h.Subject, h.Time = what, id, subject, t.now
	return h
}

// described says whether all is known that an entry about a message tells.
func (t *tx) described(id int64) bool {
	if t.w.s.recorder == nil {
		return true
	}
	for i := range t.happenings {
		if h := &t.happenings[i]; h.ID == id && h.What == store.OfMessage {
			return h.MessageID != ""
		}
	}
	return false
}

// describe notes what is known of a stored message.
func (s *standing) describe(h *store.Happening) {
	if h.MessageID != "" {
		return
	}
	h.Direction, h.MessageID, h.Domain, h.PMode, h.From, h.To = s.direction, s.messageID, s.domain, s.pmode, s.from, s.to
	h.Service, h.Action, h.Attempt, h.Before, h.State = s.service, s.action, s.attempts, s.state, s.state
}

// record writes the entries of the function that ran, before it is kept.
func (t *tx) record() error {
	for i := range t.happenings {
		h := &t.happenings[i]
		h.Actor = t.actor
		t.entry = t.w.s.recorder.Record(t.entry[:0], h)
		if len(t.entry) == 0 {
			continue
		}
		if _, err := t.appendLog(h.ID, t.entry); err != nil {
			return err
		}
	}
	return nil
}

// lost notes the hashes of what is about to be deleted.
func (t *tx) lost(h *store.Happening, id int64, payloadsOnly bool) error {
	if h == nil {
		return nil
	}
	add := func(kind string, sum any, size int64, name string) error {
		o := store.Object{Kind: kind, Size: size, Name: name}
		var err error
		if o.SHA256, err = hashOf(sum); err == nil {
			h.Objects = append(h.Objects, o)
		}
		return err
	}
	err := t.w.c.query(selectPayloads, func(v row) error {
		return add("payload", v[8], v[5].(int64), v.text(1))
	}, span(id)...)
	if err != nil || payloadsOnly {
		return t.done("read payloads", err)
	}
	if err := t.w.c.query(selectHeader, func(v row) error {
		h.Objects = append(h.Objects, headerObject(octets(v[0])))
		return nil
	}, id); err != nil {
		return t.done("read header", err)
	}
	err = t.w.c.query("SELECT kind, sha256, length(octets) FROM evidence WHERE id BETWEEN ?1 AND ?2 ORDER BY id", func(v row) error {
		return add(v.text(0), v[1], v[2].(int64), "")
	}, id<<perMessage, id<<perMessage|math.MaxUint16)
	return t.done("read evidence", err)
}
