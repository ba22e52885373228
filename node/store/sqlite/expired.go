package sqlite

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/viadukt-eu/viadukt/node/store"
)

const (
	// expiredRows bounds how many rows one call of Expired looks at: a long read keeps the WAL from being used again.
	expiredRows = 20_000
	// expiredMost bounds how many it returns.
	expiredMost = 256
)

// Expired implements store.Store.
func (s *Store) Expired(ctx context.Context, e store.Expiry, after int64) (list []*store.Message, next int64, err error) {
	states, err := json.Marshal(numbers(e.States))
	if err != nil {
		return nil, 0, fmt.Errorf("sqlite: %w", err)
	}
	first, last := int64(0), int64(0)
	err = s.dynamic(ctx, "SELECT coalesce((SELECT min(id) FROM message WHERE id > ?1), 0), coalesce(max(id), 0) FROM message", func(v row) error {
		first, last = v[0].(int64), v[1].(int64)
		return nil
	}, after)
	if err != nil || first == 0 {
		return nil, 0, err
	}
	q := "SELECT " + columns + " FROM message WHERE id BETWEEN ? AND ? AND direction = ? AND updated < ? AND state IN (SELECT value FROM json_each(?))"
	if e.Payloads {
		q += " AND EXISTS (SELECT 1 FROM payload WHERE payload.id BETWEEN message.id << 16 AND (message.id << 16 | 65535) AND place <> 0)"
	}
	err = s.dynamic(ctx, q+" ORDER BY id LIMIT ?", func(v row) error {
		list = append(list, scan(v))
		return nil
	}, first, first+expiredRows-1, int64(e.Direction), ms(e.Before), string(states), int64(expiredMost))
	switch {
	case err != nil:
		return nil, 0, err
	case len(list) == expiredMost:
		next = list[len(list)-1].ID
	default:
		next = first + expiredRows - 1
	}
	if next >= last {
		next = 0
	}
	return list, next, nil
}

func numbers(states []store.State) []int {
	out := make([]int, len(states))
	for i, s := range states {
		out[i] = int(s)
	}
	return out
}
