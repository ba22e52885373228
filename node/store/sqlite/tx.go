package sqlite

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/viadukt-eu/viadukt/node/store"
)

// perMessage is the shift that makes room for the events, payloads or evidence of one message in the ids
// of their tables; see schema.go.
const perMessage = 16

func (c *conn) begin() error     { _, err := c.exec("BEGIN IMMEDIATE"); return err }
func (c *conn) commit() error    { _, err := c.exec("COMMIT"); return err }
func (c *conn) rollback() error  { _, err := c.exec("ROLLBACK"); return err }
func (c *conn) savepoint() error { _, err := c.exec("SAVEPOINT f"); return err }
func (c *conn) release() error   { _, err := c.exec("RELEASE f"); return err }
func (c *conn) rollbackTo() error {
	_, err := c.exec("ROLLBACK TO f")
	return errors.Join(err, c.release())
}

type tallyKey struct {
	domain    string
	direction store.Direction
	state     store.State
}

// move is a message that leaves one heap and joins another; a zero key is none.
type move struct {
	from, to tallyKey
	at       int64
}

// tx implements store.Tx. There is one, used again for each function.
type tx struct {
	w     *writer
	open  bool
	fatal error // the engine gave up the whole transaction
	now   time.Time

	moves   []move
	ready   [3]bool // work became due at once, by direction
	woken   [3]bool // the same for the functions of the group that were kept
	claimed bool    // work.go changed its picture of the queue
	bare    int64   // the message that was inserted last and has no evidence yet
	stood   int64   // a message that is there: it was looked at and not deleted since
	newest  int64   // row of the evidence that was stored last

	actor      string // on whose behalf the function works
	happenings []store.Happening
	entry      []byte
	mark       int // entries of the log that the group had when the function began
}

var errTxEnded = errors.New("sqlite: transaction used after its function returned")

func (t *tx) begin() {
	t.fatal, t.woken = nil, [3]bool{}
	t.now = t.w.s.clock()
}

func (t *tx) start() {
	t.open, t.claimed, t.ready, t.moves, t.bare = true, false, [3]bool{}, t.moves[:0], 0
	t.stood, t.newest = 0, 0
	t.happenings, t.mark = t.happenings[:0], len(t.w.journal.pending)
}

// undo forgets what the function did beside its rows.
func (t *tx) undo() {
	t.w.work.undo(t)
	t.w.journal.pending = t.w.journal.pending[:t.mark]
}

// keep takes over what the function did into what belongs to the group.
func (t *tx) keep() {
	for _, m := range t.moves {
		if m.from.direction != 0 {
			t.w.tally[m.from]--
		}
		if m.to.direction != 0 {
			t.w.tally[m.to]++
			t.w.traffic.count(m)
		}
	}
	for d, yes := range t.ready {
		t.woken[d] = t.woken[d] || yes
	}
}

func (t *tx) usable() error {
	if !t.open {
		return errTxEnded
	}
	return t.fatal
}

// done wraps what a statement returned and remembers when the engine gave up the transaction.
func (t *tx) done(what string, err error) error {
	if err == nil {
		return nil
	}
	if fatal(err) {
		t.fatal = err
	}
	return fmt.Errorf("sqlite: %s: %w", what, err)
}

func (t *tx) exec(what, query string, args ...any) (int64, error) {
	if err := t.usable(); err != nil {
		return 0, err
	}
	n, err := t.w.c.exec(query, args...)
	return n, t.done(what, err)
}

func ms(t time.Time) int64 { return t.UnixMilli() }

func fromMS(n int64) time.Time { return time.UnixMilli(n).UTC() }

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// text gives NULL for "".
func text(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// Insert implements store.Tx.
func (t *tx) Insert(m *store.Message) error {
	if err := t.usable(); err != nil {
		return err
	}
	switch {
	case m.MessageID == "":
		return errors.New("sqlite: insert: message without eb:MessageId")
	case !m.State.Belongs(m.Direction):
		return fmt.Errorf("sqlite: insert: %w: %s message cannot be %s", store.ErrTransition, m.Direction, m.State)
	case len(m.Payloads) > math.MaxUint16:
		return fmt.Errorf("sqlite: insert: %d payloads, at most %d", len(m.Payloads), math.MaxUint16)
	case m.LeaseOwner != "" && (m.LeaseUntil.IsZero() || m.State != m.State.Claimed(m.Direction)):
		return fmt.Errorf("sqlite: insert: message leased by %s without an end, or still %s", m.LeaseOwner, m.State)
	case t.w.room != nil:
		return t.w.room
	}
	now := t.now
	if m.Created.IsZero() {
		m.Created = now
	}
	id := t.w.ids.next
	var grave, due any = int64(0), nil
	if m.State.Dead() {
		grave = id
	}
	leased := m.LeaseOwner != ""
	if leased {
		due = ms(m.LeaseUntil)
	} else if m.State.Waits() || !m.NextAttempt.IsZero() {
		at := m.NextAttempt
		if at.IsZero() {
			at = now
		}
		due = ms(at)
	}
	n, err := t.exec("insert message", `INSERT INTO message (id, direction, state, grave, leased, due, attempts, events, created, updated, test, peer,
		message_id, sender_key, conversation_id, ref_to_message_id, domain, pmode, profile,
		from_party, to_party, sender, receiver, service, service_type, action, error_code, error_text, error_remedy, lease_owner)
		VALUES (?,?,?,?,?,?,?,1,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)
		ON CONFLICT (message_id, direction, sender_key, grave) DO NOTHING`,
		id, int64(m.Direction), int64(m.State), grave, flag(leased), due, int64(m.Attempts), ms(m.Created), ms(now), flag(m.Test), m.Peer,
		m.MessageID, m.SenderKey, m.ConversationID, m.RefToMessageID, m.Domain, m.PMode, m.Profile,
		m.From, m.To, m.Sender, m.Receiver, m.Service, m.ServiceType, m.Action,
		text(m.Error.Code), text(m.Error.Text), text(m.Error.Remedy), text(m.LeaseOwner))
	if err != nil {
		return err
	}
	if n == 0 {
		return t.duplicate(m.MessageID, m.Direction, m.SenderKey)
	}
	t.w.ids.use()
	if err := t.event(id, 0, now, m.State, m.Attempts, ""); err != nil {
		return err
	}
	if m.Header != nil {
		if err := t.putHeader(id, m.Header); err != nil {
			return err
		}
	}
	for i := range m.Payloads {
		if err := t.putPayload(id<<perMessage|int64(i), &m.Payloads[i]); err != nil {
			return err
		}
	}
	t.moved(tallyKey{}, tallyKey{m.Domain, m.Direction, m.State}, m.Created)
	switch {
	case leased:
		t.w.work.leases[m.Direction] = min(t.w.work.leases[m.Direction], due.(int64))
	case due != nil:
		t.due(m.Direction, m.Peer, due.(int64))
	}
	m.ID, m.Updated = id, now
	t.bare = id
	t.inserted(m)
	return nil
}

// inserted notes a new message for the log.
func (t *tx) inserted(m *store.Message) {
	h := t.happened(store.OfMessage, m.ID, "")
	if h == nil {
		return
	}
	h.Direction, h.MessageID, h.Domain, h.PMode, h.From, h.To = m.Direction, m.MessageID, m.Domain, m.PMode, m.From, m.To
	h.Service, h.Action, h.Attempt, h.State, h.Code = m.Service, m.Action, m.Attempts, m.State, m.Error.Code
	if m.Header != nil {
		h.Objects = append(h.Objects, headerObject(m.Header))
	}
	for i := range m.Payloads {
		p := &m.Payloads[i]
		h.Objects = append(h.Objects, store.Object{Kind: "payload", SHA256: p.SHA256, Size: p.Size, Name: p.ContentID})
	}
}

func headerObject(header []byte) store.Object {
	return store.Object{Kind: "header", SHA256: sha256.Sum256(header), Size: int64(len(header))}
}

// duplicate finds the message that holds the key.
func (t *tx) duplicate(messageID string, d store.Direction, senderKey string) error {
	dup := &store.DuplicateError{}
	err := t.w.c.query(`SELECT id, state FROM message WHERE message_id = ?1 AND direction = ?2 AND sender_key = ?3 AND grave = 0`,
		func(v row) error {
			dup.ID, dup.State = v[0].(int64), store.State(v[1].(int64))
			return nil
		}, messageID, int64(d), senderKey)
	if err != nil {
		return t.done("find duplicate", err)
	}
	return dup
}

func (t *tx) putHeader(id int64, header []byte) error {
	_, err := t.exec("store header", `INSERT INTO header (id, octets) VALUES (?, ?)
		ON CONFLICT DO UPDATE SET octets = excluded.octets`, id, header)
	return err
}

// Places of payload octets, as in the schema.
const (
	placeGone = 0
	placeRow  = 1
	placeFile = 2
)

func (t *tx) putPayload(row int64, p *store.Payload) error {
	var octets any
	place := int64(placeFile)
	switch {
	case p.Gone:
		place = placeGone
	case p.Inline != nil:
		place, octets = placeRow, p.Inline
		if int64(len(p.Inline)) != p.Size {
			return fmt.Errorf("sqlite: insert payload: size %d but %d octets", p.Size, len(p.Inline))
		}
	}
	_, err := t.exec("insert payload", `INSERT INTO payload (id, content_id, mime_type, name, compressed, size, plain_size, place, sha256, octets)
		VALUES (?,?,?,?,?,?,?,?,?,?)`,
		row, p.ContentID, p.MimeType, p.Name, flag(p.Compressed), p.Size, p.PlainSize, place, p.SHA256[:], octets)
	return err
}

// event appends to the history of a message, which has n events so far; when there are 65,536 the newest
// is overwritten.
func (t *tx) event(id, n int64, at time.Time, s store.State, attempt int, detail string) error {
	_, err := t.exec("record event", "INSERT OR REPLACE INTO event (id, time, state, attempt, detail) VALUES (?, ?, ?, ?, ?)",
		id<<perMessage|min(n, math.MaxUint16), ms(at), int64(s), int64(attempt), detail)
	return err
}

// PutEvidence implements store.Tx.
func (t *tx) PutEvidence(id int64, e store.Evidence) error {
	if e.Time.IsZero() {
		e.Time = t.now
	}
	if e.SHA256 == ([sha256.Size]byte{}) {
		e.SHA256 = sha256.Sum256(e.Octets)
	}
	if e.Octets == nil {
		e.Octets = []byte{}
	}
	row := id << perMessage
	var old standing
	switch {
	case id == t.bare:
	case t.newest != 0 && t.newest>>perMessage == id && t.newest&math.MaxUint16 < math.MaxUint16:
		row = t.newest + 1
	default:
		if id != t.stood || !t.described(id) {
			var err error
			if old, err = t.standing(id); err != nil {
				return err
			}
		}
		last, err := t.w.c.queryInt("SELECT max(id) FROM evidence WHERE id BETWEEN ? AND ?", row, row|math.MaxUint16)
		switch {
		case errors.Is(err, store.ErrNotFound):
		case err != nil:
			return t.done("find evidence", err)
		case last == row|math.MaxUint16:
			return fmt.Errorf("sqlite: message %d has too many pieces of evidence", id)
		default:
			row = last + 1
		}
	}
	_, err := t.exec("store evidence", "INSERT INTO evidence (id, kind, time, sha256, octets) VALUES (?, ?, ?, ?, ?)",
		row, string(e.Kind), ms(e.Time), e.SHA256[:], e.Octets)
	t.bare, t.newest = 0, row
	if h := t.happened(store.OfMessage, id, ""); h != nil && err == nil {
		old.describe(h)
		h.Objects = append(h.Objects, store.Object{Kind: string(e.Kind), SHA256: e.SHA256, Size: int64(len(e.Octets))})
	}
	return err
}

// moved notes that a message left one heap and joined another.
func (t *tx) moved(from, to tallyKey, at time.Time) {
	t.moves = append(t.moves, move{from, to, ms(at)})
}

// due notes that work of a peer is due at a time. Those who wait are told when that is about now: the time was often
// taken after the one at which the transaction began, and who looks too early learns when to look again.
func (t *tx) due(d store.Direction, peer string, at int64) {
	t.w.work.add(d, peer, at)
	if at <= ms(t.now)+aboutNow {
		t.ready[d] = true
	}
}

const aboutNow = 100 // milliseconds

// SetMeta implements store.Tx.
func (t *tx) SetMeta(key, value string) error {
	_, err := t.exec("set meta", `INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = excluded.value`, key, value)
	return err
}
