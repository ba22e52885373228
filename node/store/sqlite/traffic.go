package sqlite

import (
	"context"
	"fmt"
	"time"

	"github.com/viadukt-eu/viadukt/node/store"
)

const (
	selectHours = "SELECT hour, direction, state, n FROM traffic WHERE hour >= ?1 ORDER BY hour, direction, state"
	// One seek for each peer, however many messages wait for it.
	selectWaitingPeers = `WITH RECURSIVE p (peer, n) AS (
			SELECT (SELECT min(peer) FROM (SELECT min(peer) AS peer FROM message WHERE direction = ?1 AND leased = 0 AND due IS NOT NULL AND peer > ?2
				UNION ALL SELECT min(peer) FROM message WHERE direction = ?1 AND leased = 1 AND due IS NOT NULL AND peer > ?2)), 1
			UNION ALL SELECT (SELECT min(peer) FROM (SELECT min(peer) AS peer FROM message WHERE direction = ?1 AND leased = 0 AND due IS NOT NULL AND peer > p.peer
				UNION ALL SELECT min(peer) FROM message WHERE direction = ?1 AND leased = 1 AND due IS NOT NULL AND peer > p.peer)), n + 1
				FROM p WHERE p.peer IS NOT NULL AND n < ?3
		) SELECT peer FROM p WHERE peer IS NOT NULL`
	countWaiting = `SELECT count(*), min(due) FROM (SELECT due FROM message
		WHERE direction = ?1 AND leased = ?2 AND peer = ?3 AND due IS NOT NULL ORDER BY due LIMIT ?4)`
)

// hourKey is one row of the table traffic.
type hourKey struct {
	hour      int64
	direction store.Direction
	state     store.State
}

// traffic is what one group of write functions adds to that table.
type traffic map[hourKey]int64

const millisPerHour = int64(time.Hour / time.Millisecond)

func (t traffic) count(m move) {
	k := hourKey{m.at / millisPerHour, m.to.direction, 0}
	if m.from.direction == 0 {
		t[k]++
	}
	switch m.to.state {
	case store.Acknowledged, store.AcknowledgedWithoutReceipt, store.Delivered, store.Retrying, store.Failed, store.Rejected:
		k.state = m.to.state
		t[k]++
	}
}

func (t traffic) save(c *conn) error {
	for k, n := range t {
		if _, err := c.exec("INSERT INTO traffic (hour, direction, state, n) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET n = n + excluded.n",
			k.hour, int64(k.direction), int64(k.state), n); err != nil {
			return err
		}
	}
	return nil
}

// Hours implements store.Traffic.
func (s *Store) Hours(ctx context.Context, since time.Time) (out []store.Hour, err error) {
	err = s.query(ctx, selectHours, func(v row) error {
		out = append(out, store.Hour{
			Start: fromMS(v[0].(int64) * millisPerHour), Direction: store.Direction(v[1].(int64)), State: store.State(v[2].(int64)), N: v[3].(int64),
		})
		return nil
	}, ms(since)/millisPerHour)
	return out, err
}

// WaitingPeers implements store.Traffic.
func (s *Store) WaitingPeers(ctx context.Context, d store.Direction, after string, limit int) (out []store.Waiting, err error) {
	if d != store.In && d != store.Out {
		return nil, fmt.Errorf("sqlite: waiting peers: %s", d)
	}
	if limit <= 0 {
		return nil, nil
	}
	err = s.query(ctx, selectWaitingPeers, func(v row) error {
		out = append(out, store.Waiting{Peer: v.text(0)})
		return nil
	}, int64(d), after, int64(limit))
	for i := range out {
		w := &out[i]
		for leased := range int64(2) {
			if err != nil {
				return nil, err
			}
			err = s.query(ctx, countWaiting, func(v row) error {
				if leased != 0 {
					w.Leased = int(v[0].(int64))
					return nil
				}
				w.N = int(v[0].(int64))
				if due, ok := v[1].(int64); ok {
					w.Due = fromMS(due)
				}
				return nil
			}, int64(d), leased, w.Peer, int64(store.WaitingMost))
		}
	}
	return out, err
}
