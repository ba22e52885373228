// Package stock fills stores for measurements: with more messages than could be inserted one by one.
package stock

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/viadukt-eu/viadukt/node/store/sqlite"
)

// Multiply copies the messages of a store that nobody has open until there are about n, with their headers, events and
// payloads, without evidence. Each copy has an eb:MessageId of its own, and one of so many peers.
func Multiply(ctx context.Context, dir string, n, peers int) (err error) {
	q := url.Values{"_pragma": {"journal_mode(OFF)", "synchronous(OFF)", "cache_size(-400000)", "temp_store(FILE)"}}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: filepath.Join(dir, sqlite.Database)}).EscapedPath(), RawQuery: q.Encode()}).String())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	var have, most int
	if err := db.QueryRowContext(ctx, "SELECT count(*), coalesce(max(id), 0) FROM message").Scan(&have, &most); err != nil {
		return err
	}
	if have == 0 || n <= have {
		return nil
	}
	times := n/have - 1
	indexes, err := lines(ctx, db, "SELECT name || char(10) || sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL AND tbl_name IN ('message', 'payload', 'log')")
	if err != nil {
		return err
	}
	for _, i := range indexes { // made anew at the end, which is much quicker
		name, _, _ := strings.Cut(i, "\n")
		if _, err := db.ExecContext(ctx, "DROP INDEX "+name); err != nil {
			return err
		}
	}
	for _, table := range []string{"message", "header", "event", "payload"} {
		columns, err := lines(ctx, db, "SELECT name FROM pragma_table_info('"+table+"')")
		if err != nil {
			return err
		}
		values := slices.Clone(columns)
		for i, c := range columns {
			switch {
			case c == "id" && (table == "message" || table == "header"):
				values[i] = fmt.Sprintf("id + x * %d", most)
			case c == "id": // of message m: m<<16 and on
				values[i] = fmt.Sprintf("id + ((x * %d) << 16)", most)
			case c == "message_id":
				values[i] = "printf('%08x-%d-%d@stock', (x * 2654435761) % 4294967296, x, id)"
			case c == "peer":
				values[i] = fmt.Sprintf("printf('ap%%d.example:443', x %% %d)", peers)
			}
		}
		_, err = db.ExecContext(ctx, fmt.Sprintf(`WITH RECURSIVE copies(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM copies WHERE x < %d)
			INSERT INTO %s (%s) SELECT %s FROM copies CROSS JOIN (SELECT * FROM %s)`, times, table, strings.Join(columns, ", "), strings.Join(values, ", "), table))
		if err != nil {
			return fmt.Errorf("stock: %s: %w", table, err)
		}
	}
	for _, i := range indexes {
		_, statement, _ := strings.Cut(i, "\n")
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	_, err = db.ExecContext(ctx, "UPDATE tally SET n = n * ?", times+1)
	return err
}

func lines(ctx context.Context, db *sql.DB, query string) (out []string, err error) {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, rows.Err()
}
