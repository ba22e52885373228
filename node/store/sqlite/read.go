package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/viadukt-eu/viadukt/node/store"
)

// columns is the order scan expects.
const columns = `id, direction, state, leased, due, attempts, created, updated, test, lease_owner, peer,
	message_id, sender_key, conversation_id, ref_to_message_id, domain, pmode, profile, from_party, to_party, sender, receiver,
	service, service_type, action, error_code, error_text, error_remedy, events`

// eventsColumn is the place of events, which is no part of a message.
const eventsColumn = 28

// scan makes a message of one row.
func scan(v row) *store.Message {
	m := &store.Message{
		ID: v[0].(int64), Direction: store.Direction(v[1].(int64)), State: store.State(v[2].(int64)),
		Attempts: int(v[5].(int64)), Created: fromMS(v[6].(int64)), Updated: fromMS(v[7].(int64)),
		Test: v[8].(int64) != 0, LeaseOwner: v.text(9), Peer: v.text(10),
		MessageID: v.text(11), SenderKey: v.text(12), ConversationID: v.text(13), RefToMessageID: v.text(14),
		Domain: v.text(15), PMode: v.text(16), Profile: v.text(17),
		From: v.text(18), To: v.text(19), Sender: v.text(20), Receiver: v.text(21),
		Service: v.text(22), ServiceType: v.text(23), Action: v.text(24),
		Error: store.Problem{Code: v.text(25), Text: v.text(26), Remedy: v.text(27)},
	}
	if due, ok := v[4].(int64); ok {
		if v[3].(int64) != 0 {
			m.LeaseUntil = fromMS(due)
		} else {
			m.NextAttempt = fromMS(due)
		}
	}
	return m
}

func scanEvent(v row) store.Event {
	return store.Event{Time: fromMS(v[0].(int64)), State: store.State(v[1].(int64)), Attempt: int(v[2].(int64)), Detail: v.text(3)}
}

func scanEvidence(v row) (store.Evidence, error) {
	e := store.Evidence{Kind: store.Kind(v.text(0)), Time: fromMS(v[1].(int64)), Octets: octets(v[3])}
	var err error
	e.SHA256, err = hashOf(v[2])
	return e, err
}

func scanPayload(v row) (store.Payload, error) {
	p := store.Payload{
		ContentID: v.text(1), MimeType: v.text(2), Name: v.text(3), Compressed: v[4].(int64) != 0, PlainSize: v[6].(int64),
		PayloadRef: store.PayloadRef{Size: v[5].(int64)},
	}
	switch v[7].(int64) {
	case placeGone:
		p.Gone = true
	case placeRow:
		p.Row = v[0].(int64) + 1 // so that 0 can mean a file
	}
	var err error
	p.SHA256, err = hashOf(v[8])
	return p, err
}

// octets returns an empty slice, not nil, for an empty value.
func octets(v any) []byte {
	b, _ := v.([]byte)
	if b == nil {
		return []byte{}
	}
	return b
}

func hashOf(v any) (h [sha256.Size]byte, err error) {
	b, _ := v.([]byte)
	if len(b) != len(h) {
		return h, fmt.Errorf("sqlite: %w: hash of %d octets", store.ErrDamaged, len(b))
	}
	return [sha256.Size]byte(b), nil
}

const (
	selectMessage  = "SELECT " + columns + " FROM message WHERE id = ?1"
	selectByID     = "SELECT " + columns + " FROM message WHERE message_id = ?1 AND direction = ?2 ORDER BY grave > 0, id DESC LIMIT 1"
	selectHeader   = "SELECT octets FROM header WHERE id = ?1"
	selectPayloads = `SELECT id, content_id, mime_type, name, compressed, size, plain_size, place, sha256 FROM payload
		WHERE id BETWEEN ?1 AND ?2 ORDER BY id`
	// The same for many messages, whose ids are a JSON array.
	selectHeaders     = "SELECT h.id, h.octets FROM json_each(?1) m CROSS JOIN header h ON h.id = m.value"
	selectAllPayloads = `SELECT p.id, content_id, mime_type, name, compressed, size, plain_size, place, sha256
		FROM json_each(?1) m CROSS JOIN payload p ON p.id BETWEEN m.value << 16 AND (m.value << 16 | 65535) ORDER BY p.id`
	selectOctets   = "SELECT place, octets FROM payload WHERE id = ?1"
	selectEvents   = "SELECT time, state, attempt, detail FROM event WHERE id BETWEEN ?1 AND ?2 ORDER BY id"
	selectEvidence = "SELECT kind, time, sha256, octets FROM evidence WHERE id BETWEEN ?1 AND ?2 ORDER BY id"
	selectTally    = "SELECT domain, direction, state, n FROM tally WHERE n <> 0 ORDER BY domain, direction, state"
	selectOldest   = "SELECT created FROM message WHERE domain = ?1 AND direction = ?2 AND state = ?3 ORDER BY id LIMIT 1"
	selectLabelled = "SELECT message FROM label WHERE name = ?1 ORDER BY message DESC LIMIT ?2"
	selectMeta     = "SELECT value FROM meta WHERE key = ?1"
)

// statements are the fixed reads, prepared on each read connection when it first needs them.
type statements struct{ m map[string]*sql.Stmt }

func (s *statements) prepare(db *sql.DB) error {
	s.m = make(map[string]*sql.Stmt)
	for _, q := range [...]string{
		selectMessage, selectByID, selectHeader, selectPayloads, selectHeaders, selectAllPayloads, selectOctets, selectEvents, selectEvidence, selectTally,
		selectOldest, selectLabelled, selectMeta, selectEntry, selectEntries, selectParticipants, selectToken, selectTokens,
		selectUser, selectUsers, selectSession, selectSessions, selectHours, selectWaitingPeers, countWaiting,
		dueTasks, nextTask, deadTasks, deadQueues, selectGroup, selectGroups, selectFragments,
		selectLogState, selectLog, selectLogOf, selectLogTile, selectLogRoots, selectLastHead, selectLogHeads, selectLastStamp, selectLogStamps, selectStampsDue,
	} {
		st, err := db.Prepare(q)
		if err != nil {
			return fmt.Errorf("sqlite: prepare %q: %w", q, classify(err))
		}
		s.m[q] = st
	}
	return nil
}

func (s *statements) close() error {
	var errs []error
	for _, st := range s.m {
		errs = append(errs, st.Close())
	}
	return errors.Join(errs...)
}

// view reads from the store: whatever it is at each read, or, with a transaction, as it was at the first.
type view struct {
	*Store
	tx *sql.Tx
}

// atOnce lets several reads see one state of the store.
func (s *Store) atOnce(ctx context.Context, do func(v view) error) error {
	tx, err := s.read.BeginTx(ctx, nil)
	if err != nil {
		return s.readError(err)
	}
	defer tx.Rollback() // nothing was written
	return do(view{s, tx})
}

// query runs one of the prepared reads.
func (v view) query(ctx context.Context, q string, each func(v row) error, args ...any) error {
	st := v.stmts.m[q]
	if v.tx != nil {
		st = v.tx.StmtContext(ctx, st)
	}
	rows, err := st.QueryContext(ctx, args...)
	if err != nil {
		return v.readError(err)
	}
	return v.eachRow(rows, each)
}

// dynamic runs a read whose text depends on the question.
func (v view) dynamic(ctx context.Context, q string, each func(v row) error, args ...any) error {
	ask := v.read.QueryContext
	if v.tx != nil {
		ask = v.tx.QueryContext
	}
	rows, err := ask(ctx, q, args...)
	if err != nil {
		return v.readError(err)
	}
	return v.eachRow(rows, each)
}

func (s *Store) query(ctx context.Context, q string, each func(v row) error, args ...any) error {
	return view{Store: s}.query(ctx, q, each, args...)
}

func (s *Store) dynamic(ctx context.Context, q string, each func(v row) error, args ...any) error {
	return view{Store: s}.dynamic(ctx, q, each, args...)
}

func (s *Store) eachRow(rows *sql.Rows, each func(v row) error) error {
	return eachOf(rows, each, s.readError)
}

// eachOf calls each for each row; mean gives the engine's errors their meaning.
func eachOf(rows *sql.Rows, each func(v row) error, mean func(error) error) error {
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return mean(err)
	}
	v := make(row, len(names))
	dest := make([]any, len(names))
	for i := range dest {
		dest[i] = (*any)(&v[i])
	}
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			return mean(err)
		}
		if err := each(v); err != nil {
			return err
		}
	}
	return mean(rows.Err())
}

func (s *Store) readError(err error) error {
	if err == nil {
		return nil
	}
	if s.w.closed() {
		return store.ErrClosed
	}
	return fmt.Errorf("sqlite: %w", classify(err))
}

// Message implements store.Store.
func (s *Store) Message(ctx context.Context, id int64) (*store.Message, error) {
	return s.one(ctx, fmt.Sprint("message ", id), selectMessage, id)
}

// ByMessageID implements store.Store.
func (s *Store) ByMessageID(ctx context.Context, d store.Direction, messageID string) (*store.Message, error) {
	return s.one(ctx, fmt.Sprintf("message %q", messageID), selectByID, messageID, int64(d))
}

func (s *Store) one(ctx context.Context, what, q string, args ...any) (m *store.Message, err error) {
	err = s.query(ctx, q, func(v row) error { m = scan(v); return nil }, args...)
	if err != nil {
		return nil, err
	}
	if m == nil {
		return nil, fmt.Errorf("sqlite: %s: %w", what, store.ErrNotFound)
	}
	return m, s.fill(ctx, m)
}

// fill reads header and payload list.
func (s *Store) fill(ctx context.Context, m *store.Message) error {
	err := s.query(ctx, selectHeader, func(v row) error { m.Header = octets(v[0]); return nil }, m.ID)
	if err != nil {
		return err
	}
	return s.query(ctx, selectPayloads, func(v row) error { return addPayload(m, v) }, span(m.ID)...)
}

// fillAll does the same for many messages.
func (s *Store) fillAll(ctx context.Context, ms []*store.Message) error {
	if len(ms) == 0 {
		return nil
	}
	at := make(map[int64]*store.Message, len(ms))
	ids := []byte{'['}
	for i, m := range ms {
		if i > 0 {
			ids = append(ids, ',')
		}
		ids = strconv.AppendInt(ids, m.ID, 10)
		at[m.ID] = m
	}
	list := string(append(ids, ']'))
	err := s.query(ctx, selectHeaders, func(v row) error { at[v[0].(int64)].Header = octets(v[1]); return nil }, list)
	if err != nil {
		return err
	}
	return s.query(ctx, selectAllPayloads, func(v row) error { return addPayload(at[v[0].(int64)>>perMessage], v) }, list)
}

func addPayload(m *store.Message, v row) error {
	p, err := scanPayload(v)
	if err == nil {
		m.Payloads = append(m.Payloads, p)
	}
	return err
}

// span returns the first and the last id that events, payloads and evidence of a message can have.
func span(id int64) []any { return []any{id << perMessage, id<<perMessage | (1<<perMessage - 1)} }

// Events implements store.Store.
func (s *Store) Events(ctx context.Context, id int64) (out []store.Event, err error) {
	err = s.query(ctx, selectEvents, func(v row) error { out = append(out, scanEvent(v)); return nil }, span(id)...)
	return out, err
}

// Evidence implements store.Store.
func (s *Store) Evidence(ctx context.Context, id int64) (out []store.Evidence, err error) {
	err = s.query(ctx, selectEvidence, func(v row) error {
		e, err := scanEvidence(v)
		out = append(out, e)
		return err
	}, span(id)...)
	return out, err
}

// Counts implements store.Store.
func (s *Store) Counts(ctx context.Context) ([]store.Count, error) { return view{Store: s}.counts(ctx) }

func (v view) counts(ctx context.Context) (out []store.Count, err error) {
	err = v.query(ctx, selectTally, func(r row) error {
		out = append(out, store.Count{
			Domain: r.text(0), Direction: store.Direction(r[1].(int64)), State: store.State(r[2].(int64)), N: r[3].(int64),
		})
		return nil
	})
	return out, err
}

// Oldest implements store.Store.
func (s *Store) Oldest(ctx context.Context, d store.Direction, states ...store.State) (at time.Time, err error) {
	err = s.atOnce(ctx, func(v view) error {
		heaps, err := v.heaps(ctx, store.Filter{Direction: d, States: states})
		if err != nil {
			return err
		}
		for _, h := range heaps {
			err := v.query(ctx, selectOldest, func(r row) error {
				if t := fromMS(r[0].(int64)); at.IsZero() || t.Before(at) {
					at = t
				}
				return nil
			}, h.Domain, int64(h.Direction), int64(h.State))
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && at.IsZero() {
		err = store.ErrNotFound
	}
	return at, err
}

// Meta implements store.Store.
func (s *Store) Meta(ctx context.Context, key string) (value string, err error) {
	err = s.query(ctx, selectMeta, func(v row) error { value = v.text(0); key = ""; return nil }, key)
	if err == nil && key != "" {
		err = fmt.Errorf("sqlite: meta %q: %w", key, store.ErrNotFound)
	}
	return value, err
}
