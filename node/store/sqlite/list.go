package sqlite

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"

	"github.com/viadukt-eu/viadukt/node/store"
)

// scanMax bounds how many messages one List looks at, so that a page that finds little takes no longer than 20 ms.
const scanMax = 8_000

// List implements store.Store.
//
// Messages are kept in heaps by domain, direction and state, each ordered by id in the index message_list.
// A list reads the newest of each heap that the filter admits and merges them, so its cost depends on the
// page and not on how many messages there are. Other conditions are applied on the way; where they admit
// little, the page is cut after scanMax messages.
func (s *Store) List(ctx context.Context, f store.Filter, p store.Page) (store.List, error) {
	switch {
	case p.Limit <= 0:
		p.Limit = 50
	case p.Limit > 1000:
		p.Limit = 1000
	}
	if p.Before <= 0 {
		p.Before = math.MaxInt64
	}
	cond, args := conditions(f)
	if f.MessageID != "" || f.ConversationID != "" {
		return s.listByKey(ctx, f, p, cond, args)
	}
	var got store.List
	err := s.atOnce(ctx, func(v view) (err error) {
		got, err = v.merge(ctx, f, p, cond, args)
		return err
	})
	return got, err
}

// merge lists from the heaps. It reads them in one state of the store: a message that changes its own meanwhile would
// be missed, or be there twice.
func (v view) merge(ctx context.Context, f store.Filter, p store.Page, cond string, args []any) (got store.List, err error) {
	heaps, err := v.heaps(ctx, f)
	if err != nil {
		return got, err
	}
	floor := int64(0) // nothing below it was looked at by every heap
	for _, h := range heaps {
		from := int64(0)
		if cond != "" {
			if from, err = v.horizon(ctx, h, p.Before, scanMax/len(heaps)+p.Limit); err != nil {
				return store.List{}, err
			}
		}
		q := "SELECT " + columns + " FROM message INDEXED BY message_list WHERE domain = ? AND direction = ? AND state = ? AND id < ? AND id >= ?" +
			cond + " ORDER BY id DESC LIMIT ?"
		a := append([]any{h.Domain, int64(h.Direction), int64(h.State), p.Before, from}, args...)
		n := 0
		err = v.dynamic(ctx, q, func(r row) error {
			got.Messages = append(got.Messages, scan(r))
			n++
			return nil
		}, append(a, int64(p.Limit+1))...)
		if err != nil {
			return store.List{}, err
		}
		if n > p.Limit {
			from = got.Messages[len(got.Messages)-1].ID
		}
		floor = max(floor, from)
	}
	return cut(got.Messages, p.Limit, floor), nil
}

// cut merges: it keeps the newest messages, drops those below floor, where some heap was not read, and
// says where the next page starts.
func cut(all []*store.Message, limit int, floor int64) store.List {
	slices.SortFunc(all, func(a, b *store.Message) int { return cmp.Compare(b.ID, a.ID) })
	n := 0
	for n < len(all) && n < limit && all[n].ID >= floor {
		n++
	}
	l := store.List{Messages: all[:n:n]}
	switch {
	case n == limit && n < len(all):
		l.Next = all[n-1].ID
	case floor > 0:
		l.Next = floor
	}
	return l
}

// listByKey lists by eb:MessageId or conversation, which have their own indexes.
func (s *Store) listByKey(ctx context.Context, f store.Filter, p store.Page, cond string, args []any) (store.List, error) {
	if f.Direction != 0 {
		cond, args = cond+" AND direction = ?", append(args, int64(f.Direction))
	}
	cond, args = among(cond, args, "state", f.States)
	cond, args = among(cond, args, "domain", f.Domains)
	// A conversation may be long: its index is read from the newest on. An eb:MessageId has few messages.
	from, order := " FROM message INDEXED BY message_conversation WHERE id < ?", " ORDER BY id DESC LIMIT ?"
	if f.MessageID != "" {
		from, order = " FROM message WHERE id < ?", " ORDER BY +id DESC LIMIT ?"
	}
	var all []*store.Message
	err := s.dynamic(ctx, "SELECT "+columns+from+cond+order,
		func(v row) error { all = append(all, scan(v)); return nil },
		append(append([]any{p.Before}, args...), int64(p.Limit+1))...)
	if err != nil {
		return store.List{}, err
	}
	return cut(all, p.Limit, 0), nil
}

// heaps returns those heaps that hold messages and that the filter admits.
func (v view) heaps(ctx context.Context, f store.Filter) (out []store.Count, err error) {
	all, err := v.counts(ctx)
	for _, c := range all {
		if (f.Direction == 0 || f.Direction == c.Direction) &&
			(len(f.States) == 0 || slices.Contains(f.States, c.State)) &&
			(len(f.Domains) == 0 || slices.Contains(f.Domains, c.Domain)) {
			out = append(out, c)
		}
	}
	return out, err
}

// horizon returns the id of the n-th newest message of a heap before an id, 0 when there are fewer.
func (v view) horizon(ctx context.Context, h store.Count, before int64, n int) (id int64, err error) {
	err = v.dynamic(ctx, "SELECT id FROM message INDEXED BY message_list WHERE domain = ? AND direction = ? AND state = ? AND id < ? ORDER BY id DESC LIMIT 1 OFFSET ?",
		func(r row) error { id = r[0].(int64); return nil },
		h.Domain, int64(h.Direction), int64(h.State), before, int64(n-1))
	return id, err
}

// conditions turns the fields that are no heap into SQL.
func conditions(f store.Filter) (cond string, args []any) {
	var b strings.Builder
	add := func(sql string, a ...any) {
		b.WriteString(" AND ")
		b.WriteString(sql)
		args = append(args, a...)
	}
	for _, c := range [...]struct{ sql, value string }{
		{"message_id = ?", f.MessageID}, {"conversation_id <> '' AND conversation_id = ?", f.ConversationID}, {"peer = ?", f.Peer},
		{"pmode = ?", f.PMode}, {"service = ?", f.Service}, {"action = ?", f.Action},
	} {
		if c.value != "" {
			add(c.sql, c.value)
		}
	}
	if f.Party != "" {
		add("(from_party = ? OR to_party = ?)", f.Party, f.Party)
	}
	if f.Participant != "" {
		add("(sender = ? OR receiver = ?)", f.Participant, f.Participant)
	}
	if f.Any != "" {
		add("? IN (peer, action, from_party, to_party, sender, receiver)", f.Any)
	}
	if !f.Since.IsZero() {
		add("created >= ?", ms(f.Since))
	}
	if !f.Until.IsZero() {
		add("created < ?", ms(f.Until))
	}
	if f.Test != nil {
		add("test = ?", flag(*f.Test))
	}
	return b.String(), args
}

// among adds a condition that a column has one of some values.
func among[T ~string | ~uint8](cond string, args []any, column string, values []T) (string, []any) {
	if len(values) == 0 {
		return cond, args
	}
	for _, v := range values {
		args = append(args, sqlValue(v))
	}
	return cond + " AND " + column + " IN (?" + strings.Repeat(",?", len(values)-1) + ")", args
}

func sqlValue(v any) any {
	if st, ok := v.(store.State); ok {
		return int64(st)
	}
	return v
}
