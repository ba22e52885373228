package backup

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/viadukt-eu/viadukt/node/audit"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/node/store/sqlite"
)

// InFlight says what becomes of messages that were on their way out when the backup was made. Since then they may have
// been sent, and nobody here knows.
type InFlight string

const (
	// Hold makes them failed, with the code RESTORED: a person asks the partner and sends those again that did not arrive.
	Hold InFlight = "hold"
	// Resend lets them go on under their own message ids, by which a partner knows copies; each has an event that says so.
	Resend InFlight = "resend"
)

// Settled says what was done about what may have happened since the backup.
type Settled struct {
	Held    int `json:"held"`    // messages on their way out
	Resent  int `json:"resent"`  // the same, when they go on
	Again   int `json:"again"`   // messages that arrived and are handed to the back office, perhaps for the second time
	Groups  int `json:"groups"`  // of pieces of incoming messages, which are closed
	Entries int `json:"entries"` // of the log, at the backup
}

// RestoredCode is the code of messages that a restore holds.
const RestoredCode = "RESTORED"

// Keys of what a restored store remembers, as times of RFC 3339.
const (
	MetaRestored = "restore.time"   // when it was restored
	MetaBackup   = "restore.backup" // the moment that it went back to
)

// idGap is how many message numbers are left out after a restore: more than a node gives between two backups.
const idGap = 10_000_000

// settle marks, in a store that went back in time, whatever may have gone on since.
func settle(ctx context.Context, dir string, m *Manifest, o RestoreOptions) (_ *Settled, err error) {
	s, err := sqlite.Open(dir, sqlite.Options{MinFree: -1, Clock: o.Clock, Recorder: audit.NewRecorder(audit.DefaultPolicy())})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	ctx = store.WithActor(ctx, "restore")
	now := o.Clock().UTC()
	done := &Settled{Entries: int(m.Log.Size)}
	if err := sqlite.SkipIDs(ctx, s, idGap); err != nil {
		return nil, err
	}
	entry := audit.Entry{Type: audit.Administration, Time: now, Actor: "restore", Subject: "restored from a backup",
		Detail: fmt.Sprintf("the backup is of %s, when the log had %d entries and the root %s; entries that were made since, and heads that stand for them, are not continued", m.Time.Format(time.RFC3339), m.Log.Size, m.Log.Root)}
	err = s.Write(ctx, func(tx store.Tx) error {
		if _, err := tx.AppendLog(entry.Append(nil)); err != nil {
			return err
		}
		return errors.Join(tx.SetMeta(MetaRestored, now.Format(time.RFC3339Nano)), tx.SetMeta(MetaBackup, m.Time.Format(time.RFC3339Nano)), endSessions(tx))
	})
	if err != nil {
		return nil, err
	}
	if err := settleMessages(ctx, s, m, o, now, done); err != nil {
		return nil, err
	}
	return done, settleGroups(ctx, s, done)
}

// endSessions ends all logins: some may have been ended since.
func endSessions(tx store.Tx) error {
	users, err := tx.ListUsers()
	if err != nil {
		return err
	}
	for _, u := range users {
		if err := tx.EndSessions(u.Name, [32]byte{}); err != nil {
			return err
		}
	}
	return nil
}

var (
	onTheirWay  = []store.State{store.Accepted, store.Queued, store.Sending, store.Sent, store.Retrying}
	undelivered = []store.State{store.Received, store.Retrying}
)

func settleMessages(ctx context.Context, s store.Store, m *Manifest, o RestoreOptions, now time.Time, done *Settled) error {
	at := m.Time.Format("2006-01-02 15:04:05 MST")
	held := store.Problem{Code: RestoredCode, Text: "the node was restored from a backup of " + at + ": whether the message was sent after that is not known",
		Remedy: "ask the partner whether it arrived; if it did not: viadukt message resend"}
	for d, states := range map[store.Direction][]store.State{store.Out: onTheirWay, store.In: undelivered} {
		for page := (store.Page{Limit: 500}); ; {
			l, err := s.List(ctx, store.Filter{Direction: d, States: states}, page)
			if err != nil {
				return err
			}
			err = s.Write(ctx, func(tx store.Tx) error {
				for _, msg := range l.Messages {
					to, c := msg.State, store.Change{Time: now, Next: msg.NextAttempt}
					switch {
					case d == store.In:
						c.Detail = "restored from a backup of " + at + ": it may have been delivered after that, and is delivered again"
						done.Again++
					case o.InFlight == Resend:
						if to == store.Sending {
							to = store.Queued
						}
						c.Detail = "restored from a backup of " + at + ": it may have been sent after that, and is sent again under the same message id"
						done.Resent++
					default:
						to, c = store.Failed, store.Change{Time: now, Error: held, Detail: held.Text}
						done.Held++
					}
					if err := tx.Transition(msg.ID, to, c); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
			if page.Before = l.Next; l.Next == 0 {
				break
			}
		}
	}
	return nil
}

// settleGroups closes what was being joined: pieces that came since are not here, and who sent them has receipts for them.
// Further pieces are refused, so that the sender sees that the whole did not arrive, and sends it anew.
func settleGroups(ctx context.Context, s store.Store, done *Settled) error {
	for after := int64(0); ; {
		groups, err := s.ListGroups(ctx, after, 100)
		if err != nil || len(groups) == 0 {
			return err
		}
		err = s.Write(ctx, func(tx store.Tx) error {
			for i := range groups {
				g := &groups[i]
				if after = g.ID; g.Closed || len(g.Key) < 3 || g.Key[:3] != "in:" {
					continue
				}
				g.Closed = true
				if err := tx.PutGroup(g); err != nil {
					return err
				}
				done.Groups++
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
}
