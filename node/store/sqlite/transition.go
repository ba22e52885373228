package sqlite

import (
	"cmp"
	"fmt"
	"time"

	"github.com/viadukt-eu/viadukt/node/store"
)

// standing is what a change of state has to know of a message.
type standing struct {
	direction store.Direction
	state     store.State
	leased    bool
	due       any // int64 or nil
	attempts  int
	owner     string
	peer      string
	domain    string
	problem   bool  // an error is recorded
	events    int64 // recorded so far

	messageID, pmode, from, to, service, action string
}

func (t *tx) standing(id int64) (s standing, err error) {
	if err := t.usable(); err != nil {
		return s, err
	}
	found := false
	err = t.w.c.query(`SELECT direction, state, leased, due, attempts, lease_owner, peer, domain,
		error_code IS NOT NULL OR error_text IS NOT NULL, events, message_id, pmode, from_party, to_party, service, action FROM message WHERE id = ?1`,
		func(v row) error {
			found = true
			s = standing{
				direction: store.Direction(v[0].(int64)), state: store.State(v[1].(int64)), leased: v[2].(int64) != 0,
				due: v[3], attempts: int(v[4].(int64)), owner: v.text(5), peer: v.text(6), domain: v.text(7),
				problem: v[8].(int64) != 0, events: v[9].(int64),
				messageID: v.text(10), pmode: v.text(11), from: v.text(12), to: v.text(13), service: v.text(14), action: v.text(15),
			}
			return nil
		}, id)
	if err != nil {
		return s, t.done("read message", err)
	}
	if !found {
		return s, fmt.Errorf("sqlite: message %d: %w", id, store.ErrNotFound)
	}
	t.stood = id
	return s, nil
}

// Transition implements store.Tx.
func (t *tx) Transition(id int64, to store.State, c store.Change) error {
	old, err := t.standing(id)
	if err != nil {
		return err
	}
	if c.Owner != "" && (!old.leased || old.owner != c.Owner) {
		return fmt.Errorf("sqlite: message %d: %w", id, store.ErrLeaseLost)
	}
	if !old.state.May(old.direction, to) {
		return fmt.Errorf("sqlite: message %d: %w: %s to %s (%s)", id, store.ErrTransition, old.state, to, old.direction)
	}
	at := c.Time
	if at.IsZero() {
		at = t.now
	}
	attempts := old.attempts
	switch {
	case c.ResetAttempts:
		attempts = 0
	case c.NotTried && attempts > 0:
		attempts--
	}
	peer := old.peer
	if c.Peer != "" {
		peer = c.Peer
	}

	var due, owner any
	leased := old.leased && c.KeepLease
	switch {
	case leased:
		due, owner = old.due, old.owner
	case !c.Next.IsZero():
		due = ms(c.Next)
	case to.Waits():
		due = ms(at)
	}
	if _, err := t.exec("change state", `UPDATE message SET state = ?, leased = ?, due = ?, attempts = ?, updated = ?, lease_owner = ?, peer = ?,
		to_party = ifnull(?, to_party), events = events + 1 WHERE id = ?`, int64(to), flag(leased), due, int64(attempts), ms(at), owner, peer, text(c.To), id); err != nil {
		return err
	}
	if err := t.bury(id, old.state.Dead(), to.Dead()); err != nil {
		return err
	}
	if err := t.sideChanges(id, to, c, old.problem); err != nil {
		return err
	}
	if err := t.event(id, old.events, at, to, attempts, c.Detail); err != nil {
		return err
	}
	if h := t.happened(store.OfMessage, id, ""); h != nil {
		old.describe(h)
		h.Time, h.State, h.Attempt, h.Code = at, to, attempts, c.Error.Code
		h.To, h.PMode = cmp.Or(c.To, h.To), cmp.Or(c.PMode, h.PMode)
	}
	if to != old.state {
		t.moved(tallyKey{old.domain, old.direction, old.state}, tallyKey{old.domain, old.direction, to}, at)
	}
	if due != nil && !leased {
		t.due(old.direction, peer, due.(int64))
	}
	return nil
}

// bury gives up the eb:MessageId of a message that died, or takes it again. It is apart from other changes,
// since SQLite would write the index message_key anew, at a random place, each time.
func (t *tx) bury(id int64, was, dead bool) error {
	if was == dead {
		return nil
	}
	grave := int64(0)
	if dead {
		grave = id
	}
	_, err := t.exec("change key", "UPDATE message SET grave = ?2 WHERE id = ?1", id, grave)
	if err != nil && isUnique(err) {
		return t.otherHolder(id)
	}
	return err
}

// sideChanges writes the rare parts of a change.
func (t *tx) sideChanges(id int64, to store.State, c store.Change, problem bool) error {
	success := to == store.Sent || to == store.Acknowledged || to == store.Delivered || to == store.Confirmed
	if !c.Error.IsZero() || problem && success {
		if _, err := t.exec("record error", "UPDATE message SET error_code = ?2, error_text = ?3, error_remedy = ?4 WHERE id = ?1",
			id, text(c.Error.Code), text(c.Error.Text), text(c.Error.Remedy)); err != nil {
			return err
		}
	}
	if c.PMode != "" {
		if _, err := t.exec("set P-Mode", "UPDATE message SET pmode = ?2 WHERE id = ?1", id, c.PMode); err != nil {
			return err
		}
	}
	if c.Header != nil {
		return t.putHeader(id, c.Header)
	}
	return nil
}

// otherHolder explains why a failed message cannot live again.
func (t *tx) otherHolder(id int64) error {
	dup := &store.DuplicateError{}
	err := t.w.c.query(`SELECT o.id, o.state FROM message m JOIN message o ON o.message_id = m.message_id AND o.direction = m.direction
		AND o.sender_key = m.sender_key AND o.grave = 0 WHERE m.id = ?1`,
		func(v row) error {
			dup.ID, dup.State = v[0].(int64), store.State(v[1].(int64))
			return nil
		}, id)
	if err != nil {
		return t.done("find duplicate", err)
	}
	return dup
}

// SetRetry implements store.Tx.
func (t *tx) SetRetry(id int64, next time.Time, why store.Problem, detail string) error {
	return t.Transition(id, store.Retrying, store.Change{Next: next, Error: why, Detail: detail})
}

// Extend implements store.Tx.
func (t *tx) Extend(id int64, owner string, until time.Time) error {
	n, err := t.exec("extend lease", "UPDATE message SET due = ?3 WHERE id = ?1 AND leased = 1 AND lease_owner = ?2", id, owner, ms(until))
	if err == nil && n == 0 {
		err = fmt.Errorf("sqlite: message %d: %w", id, store.ErrLeaseLost)
	}
	return err
}

// DeletePayloads implements store.Tx.
func (t *tx) DeletePayloads(id int64) error {
	old, err := t.standing(id)
	if err != nil {
		return err
	}
	if h := t.happened(store.PayloadsGone, id, ""); h != nil {
		old.describe(h)
		if err := t.lost(h, id, true); err != nil {
			return err
		}
	}
	_, err = t.exec("delete payloads", "UPDATE payload SET place = 0, octets = NULL WHERE id BETWEEN ?1 AND ?2",
		span(id)...)
	return err
}

// Delete implements store.Tx.
func (t *tx) Delete(id int64) error {
	old, err := t.standing(id)
	if err != nil {
		return err
	}
	if h := t.happened(store.MessageGone, id, ""); h != nil {
		old.describe(h)
		if err := t.lost(h, id, false); err != nil {
			return err
		}
	}
	for _, table := range [...]string{"event", "evidence", "payload"} {
		if _, err := t.exec("delete "+table, "DELETE FROM "+table+" WHERE id BETWEEN ?1 AND ?2", span(id)...); err != nil {
			return err
		}
	}
	for _, table := range [...]string{"once", "label"} {
		if _, err := t.exec("delete "+table, "DELETE FROM "+table+" WHERE message = ?1", id); err != nil {
			return err
		}
	}
	for _, table := range [...]string{"header", "message"} {
		if _, err := t.exec("delete "+table, "DELETE FROM "+table+" WHERE id = ?1", id); err != nil {
			return err
		}
	}
	t.stood, t.newest, t.bare = 0, 0, 0
	t.w.ids.deleted = true
	t.moved(tallyKey{old.domain, old.direction, old.state}, tallyKey{}, t.now)
	return nil
}
