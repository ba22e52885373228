package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/viadukt-eu/viadukt/node/audit/merkle"
	"github.com/viadukt-eu/viadukt/node/store"
)

// Checked says how much was looked at.
type Checked struct {
	Messages int64 `json:"messages"`
	Payloads int64 `json:"payloads"` // rows, in the database and in files
	Files    int64 `json:"files"`    // payload files that rows name
	Octets   int64 `json:"octets"`   // of payloads and evidence that were hashed
	Evidence int64 `json:"evidence"`
	Entries  int64 `json:"entries"` // of the log
	Heads    int64 `json:"heads"`   // signed ones of the log
	Stamps   int64 `json:"stamps"`  // of heads, by an authority outside
}

// HeadCheck judges a signed head of the log: root is that of the tree of its size, first the log's first entry, and
// certificate finds PEM text that was kept under a key, "" when there is none.
type HeadCheck func(octets []byte, size int64, root merkle.Hash, first merkle.Hash, meta func(key string) string) error

// CheckOptions say how [Check] looks.
type CheckOptions struct {
	// File judges the payload file with this hash and size, with store.ErrDamaged in the chain when it is not right.
	File func(hash [sha256.Size]byte, size int64) error
	Head HeadCheck
	// Stamp judges the evidence record over a head; nil: nobody does.
	Stamp func(head, record []byte) error
	// Done is told of octets that were hashed; may be nil.
	Done func(octets int64)
}

// Check proves a database file of a store that nobody writes, without changing it: its structure, each payload and piece
// of evidence against its hash, rows against each other, and the log against its roots. Its error says that it could
// not look.
func Check(ctx context.Context, file string, opt CheckOptions, report func(store.Damage)) (*Checked, error) {
	wal, err := os.Stat(file + "-wal")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	query := "&mode=ro"
	if wal == nil || wal.Size() == 0 {
		query = "&immutable=1" // no files beside it are made, and the folder may be read-only
		if d, err := tornFile(file); err != nil {
			return nil, err
		} else if d != nil {
			report(*d)
		}
	} else if d, err := tornLog(file + "-wal"); err != nil {
		return nil, err
	} else if d != nil {
		report(*d)
	}
	db, err := sql.Open("sqlite", dsn(file, []string{"query_only(1)", "busy_timeout(10000)"})+query)
	if err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	defer db.Close()
	db.SetMaxOpenConns(2)
	c := &checker{CheckOptions: opt, report: report, ask: func(q string, each func(v row) error, args ...any) error {
		rows, err := db.QueryContext(ctx, q, args...)
		if err != nil {
			return classify(err)
		}
		return eachOf(rows, each, classify)
	}}
	err = c.all(ctx)
	return &c.sum, err
}

// VerifyData implements store.Store. It also asks SQLite to check its own file.
func (s *Store) VerifyData(ctx context.Context, report func(store.Damage)) error {
	c := &checker{CheckOptions: CheckOptions{File: s.spool.Verify}, report: report, ask: func(q string, each func(v row) error, args ...any) error {
		return s.dynamic(ctx, q, each, args...)
	}}
	return c.all(ctx)
}

// checker looks at everything that is stored.
type checker struct {
	CheckOptions
	ask    asker
	report func(store.Damage)
	sum    Checked
}

func (c *checker) all(ctx context.Context) error {
	for _, step := range []func(context.Context) error{c.version, c.integrity,
		func(ctx context.Context) error { return c.rows(ctx, "payload", "size, place") },
		func(ctx context.Context) error { return c.rows(ctx, "evidence", "length(octets), 1") },
		func(ctx context.Context) error { return c.rows(ctx, "fragment", "size, place") },
		c.strays, c.log,
	} {
		if err := step(ctx); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) damage(what string, format string, args ...any) {
	c.report(store.Damage{What: what, Remedy: restoreIt, Err: fmt.Errorf("%w: "+format, append([]any{store.ErrDamaged}, args...)...)})
}

// survive reports an error that says that a part of the file is destroyed, so that the other parts are looked at.
func (c *checker) survive(what string, err error) error {
	if err != nil && errors.Is(err, store.ErrDamaged) {
		c.report(store.Damage{What: what, Err: err, Remedy: restoreIt})
		return nil
	}
	return err
}

// version refuses files that this program cannot judge.
func (c *checker) version(context.Context) error {
	var app, have int64
	err := c.ask("SELECT application_id, user_version FROM pragma_application_id, pragma_user_version", func(v row) error {
		app, have = v[0].(int64), v[1].(int64)
		return nil
	})
	switch {
	case err != nil:
		if errors.Is(err, store.ErrDamaged) {
			c.report(store.Damage{What: "database", Err: err, Remedy: restoreIt})
			return errUnreadable
		}
		return err
	case app != applicationID:
		return fmt.Errorf("sqlite: this is a database of another program")
	case have != int64(len(migrations)):
		return fmt.Errorf("sqlite: the database has schema %d, and this program verifies schema %d: use the program of that release, or start the node once so that it is brought up to date", have, len(migrations))
	}
	return nil
}

// errUnreadable ends a check whose reason was reported.
var errUnreadable = fmt.Errorf("sqlite: %w: no part of the database can be read", store.ErrDamaged)

var treeOf = regexp.MustCompile(`^Tree (\d+) (?:page (\d+))?`)

// integrity asks SQLite to check its own structure, and says which table a page belongs to.
func (c *checker) integrity(context.Context) error {
	names := map[int64]string{1: "the list of tables"}
	err := c.ask("SELECT rootpage, name FROM sqlite_schema WHERE rootpage > 0", func(v row) error {
		names[v[0].(int64)] = v.text(1)
		return nil
	})
	if err := c.survive("database", err); err != nil {
		return err
	}
	err = c.ask("PRAGMA integrity_check", func(v row) error {
		for text := range strings.Lines(v.text(0)) {
			text = strings.TrimSpace(text)
			if text == "ok" || text == "" || strings.HasPrefix(text, "***") {
				continue
			}
			what := "database"
			if m := treeOf.FindStringSubmatch(text); m != nil {
				root, _ := strconv.ParseInt(m[1], 10, 64)
				if what = "database, table or index " + names[root]; m[2] != "" {
					what = "database, page " + m[2] + " of " + names[root]
				}
			}
			c.damage(what, "%s", text)
		}
		return nil
	})
	return c.survive("database", err)
}

// verifyBatch is how many rows are read at a time: a long read keeps the WAL from being used again.
const verifyBatch = 256

type checkedRow struct {
	id, size, place int64
	hash            [sha256.Size]byte
	octets          []byte
	err             error
}

// rows hashes what the rows of a table hold or name.
func (c *checker) rows(ctx context.Context, table, sizeAndPlace string) error {
	for after := int64(-1); ; {
		var batch []checkedRow
		err := c.ask("SELECT id, sha256, octets, "+sizeAndPlace+" FROM "+table+" WHERE id > ? ORDER BY id LIMIT ?", func(v row) error {
			it := checkedRow{octets: octets(v[2])}
			var ok [3]bool
			it.id, ok[0] = v[0].(int64)
			it.size, ok[1] = v[3].(int64)
			it.place, ok[2] = v[4].(int64)
			if it.hash, it.err = hashOf(v[1]); it.err == nil && ok != [3]bool{true, true, true} {
				it.err = fmt.Errorf("%w: no number where one belongs", store.ErrDamaged)
			}
			batch = append(batch, it)
			return nil
		}, after, int64(verifyBatch))
		if err != nil {
			return c.survive(fmt.Sprintf("table %s behind row %d", table, after), err)
		}
		if len(batch) == 0 {
			return nil
		}
		for _, it := range batch {
			c.row(table, &it)
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		if last := batch[len(batch)-1].id; last > after {
			after = last
		} else {
			return nil // rows out of order: SQLite's own check has said so
		}
	}
}

func (c *checker) row(table string, it *checkedRow) {
	if table == "evidence" {
		c.sum.Evidence++
	} else {
		c.sum.Payloads++
	}
	switch {
	case it.err != nil:
	case it.place == placeRow && (int64(len(it.octets)) != it.size || sha256.Sum256(it.octets) != it.hash):
		it.err = fmt.Errorf("%w: hash differs", store.ErrDamaged)
	case it.place == placeFile:
		c.sum.Files++
		it.err = c.File(it.hash, it.size)
	}
	if it.place != placeGone {
		c.sum.Octets += it.size
		if c.Done != nil {
			c.Done(it.size)
		}
	}
	if it.err == nil {
		return
	}
	d := store.Damage{Message: it.id >> perMessage, What: fmt.Sprintf("%s %d", table, it.id&(1<<perMessage-1)), Err: it.err,
		Remedy: "take it from a backup that verifydata finds sound; of a message that arrived, ask the sender to send it again under a new id"}
	if table == "fragment" {
		d.What, d.Message = fmt.Sprintf("%s of group %d", d.What, d.Message), 0
	}
	c.report(d)
}

// strays finds rows that belong to no message or group.
func (c *checker) strays(context.Context) error {
	err := c.ask("SELECT count(*) FROM message", func(v row) error { c.sum.Messages = v[0].(int64); return nil })
	if err := c.survive("table message", err); err != nil {
		return err
	}
	for _, t := range []struct{ table, id, owner string }{
		{"payload", "id >> 16", "message"}, {"evidence", "id >> 16", "message"}, {"event", "id >> 16", "message"}, {"header", "id", "message"},
		{"fragment", "id >> 16", "fragment_group"}, {"once", "message", "message"}, {"label", "message", "message"},
	} {
		q := "SELECT DISTINCT " + t.id + " FROM " + t.table + " WHERE NOT EXISTS (SELECT 1 FROM " + t.owner + " o WHERE o.id = " + t.table + "." + t.id + ") LIMIT 20"
		err := c.ask(q, func(v row) error {
			id, _ := v[0].(int64)
			c.report(store.Damage{Message: id, What: t.table, Remedy: restoreIt, Err: fmt.Errorf("%w: a row of %s %d, which is not there", store.ErrDamaged, t.owner, id)})
			return nil
		})
		if err := c.survive("table "+t.table, err); err != nil {
			return err
		}
	}
	err = c.ask(`SELECT domain, direction, state, n, (SELECT count(*) FROM message m WHERE m.domain = t.domain AND m.direction = t.direction AND m.state = t.state) AS there
		FROM tally t WHERE n <> there`, func(v row) error {
		direction, _ := v[1].(int64)
		state, _ := v[2].(int64)
		c.damage("table tally", "%v messages %s %s of %q are counted, %v are there", v[3], store.Direction(direction), store.State(state), v.text(0), v[4])
		return nil
	})
	return c.survive("table tally", err)
}

// log hashes the whole log anew, and compares it with its tiles, its recorded root and its signed heads.
func (c *checker) log(ctx context.Context) error {
	return c.survive("log", c.logEntries(ctx))
}

func (c *checker) logEntries(ctx context.Context) error {
	var size int64
	var peaks []merkle.Hash
	if err := c.ask(selectLogState, func(v row) (err error) {
		size = v[0].(int64)
		peaks, err = hashes(v[1])
		return err
	}); err != nil {
		return err
	}
	bad := func(format string, args ...any) { c.damage("log", format, args...) }
	var tree merkle.Builder
	heads := headReader{c: c, query: "SELECT size, octets, NULL FROM log_head WHERE size > ?1 ORDER BY size LIMIT 100"}
	stamps := headReader{c: c, query: "SELECT size, head, record FROM log_stamp WHERE size > ?1 ORDER BY size LIMIT 100"}
	for tree.Size() < size {
		var entries []store.LogEntry
		if err := c.ask(selectLog, func(v row) error {
			entries = append(entries, store.LogEntry{Index: v[0].(int64), Octets: octets(v[1])})
			return nil
		}, tree.Size(), min(merkle.TileWidth, size-tree.Size())); err != nil {
			return err
		}
		if len(entries) == 0 {
			bad("entry %d is missing", tree.Size())
			return nil
		}
		for _, e := range entries {
			if e.Index != tree.Size() {
				bad("entry %d is missing", tree.Size())
				return nil
			}
			leaf := merkle.Leaf(e.Octets)
			if e.Index == 0 {
				heads.first, stamps.first = leaf, leaf
			}
			if err := tree.Append(leaf, c.tile); err != nil {
				return err
			}
			c.sum.Entries++
			if err := errors.Join(heads.at(&tree), stamps.at(&tree)); err != nil {
				return err
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	if err := errors.Join(heads.beyond(size), stamps.beyond(size)); err != nil {
		return err
	}
	want := tree.Peaks()
	if len(want) != len(peaks) {
		bad("its recorded root is of another size")
		return nil
	}
	for i := range want {
		if want[i] != peaks[i] {
			bad("its entries differ from its recorded root")
			return nil
		}
	}
	return nil
}

// tile compares a tile of the tree with the stored one.
func (c *checker) tile(level int, n int64, want []merkle.Hash, _ merkle.Hash) error {
	have, err := readTile(c.ask, level, n)
	if err != nil {
		return err
	}
	for i := range want {
		if i >= len(have) || have[i] != want[i] {
			c.damage("log", "tile %d of level %d differs from its entries at place %d", n, level, i)
			break
		}
	}
	return nil
}

// headReader reads signed heads beside the entries, with the records over them where the query has them.
type headReader struct {
	c     *checker
	query string
	first merkle.Hash
	next  []storedHead
	after int64 // size of the last one read
	end   bool
}

type storedHead struct {
	size   int64
	octets []byte
	record []byte // nil: it was not time-stamped
}

func (h *headReader) peek() (*storedHead, error) {
	if len(h.next) == 0 && !h.end {
		err := h.c.ask(h.query, func(v row) error {
			x := storedHead{size: v[0].(int64), octets: octets(v[1])}
			if v[2] != nil {
				x.record = octets(v[2])
			}
			h.next = append(h.next, x)
			return nil
		}, h.after)
		if err != nil {
			return nil, err
		}
		if h.end = len(h.next) == 0; !h.end {
			h.after = h.next[len(h.next)-1].size
		}
	}
	if len(h.next) == 0 {
		return nil, nil
	}
	return &h.next[0], nil
}

// at judges the head of the tree as it is now, if there is one.
func (h *headReader) at(tree *merkle.Builder) error {
	head, err := h.peek()
	if err != nil || head == nil || head.size != tree.Size() {
		return err
	}
	h.next = h.next[1:]
	if head.record == nil {
		h.c.sum.Heads++
	} else {
		h.c.sum.Stamps++
	}
	if head.record != nil && h.c.Stamp != nil {
		if err := h.c.Stamp(head.octets, head.record); err != nil {
			h.c.damage("log", "the time-stamp over its head of %d entries: %v", head.size, err)
		}
	}
	if h.c.Head == nil {
		return nil
	}
	meta := func(key string) (value string) {
		h.c.ask(selectMeta, func(v row) error { value = v.text(0); return nil }, key)
		return value
	}
	if err := h.c.Head(head.octets, head.size, tree.Root(), h.first, meta); err != nil {
		h.c.damage("log", "its signed head of %d entries: %v", head.size, err)
	}
	return nil
}

// beyond reports a head of more entries than there are.
func (h *headReader) beyond(size int64) error {
	head, err := h.peek()
	if err == nil && head != nil {
		h.c.damage("log", "a signed head stands for %d entries, and %d are there: entries were lost", head.size, size)
	}
	return err
}

// PayloadFile is a payload file that rows name.
type PayloadFile struct {
	SHA256 [sha256.Size]byte
	Size   int64
}

// Files lists the payload files that a database file names, each once, in the order of their hashes. The file must be
// one that nobody writes, as of a snapshot.
func Files(ctx context.Context, file string) (out []PayloadFile, err error) {
	db, err := sql.Open("sqlite", dsn(file, []string{"query_only(1)"})+"&immutable=1")
	if err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	defer db.Close()
	rows, err := db.QueryContext(ctx, `SELECT sha256, max(size) FROM (SELECT sha256, size FROM payload WHERE place = 2 UNION ALL
		SELECT sha256, size FROM fragment WHERE place = 2) GROUP BY sha256 ORDER BY sha256`)
	if err != nil {
		return nil, fmt.Errorf("sqlite: %s: %w", filepath.Base(file), classify(err))
	}
	err = eachOf(rows, func(v row) error {
		f := PayloadFile{}
		f.Size, _ = v[1].(int64)
		f.SHA256, err = hashOf(v[0])
		out = append(out, f)
		return err
	}, classify)
	return out, err
}

// LogState returns the size and the root of the log in a database file, as recorded, and the hash of its first entry. The
// file must be one that nobody writes.
func LogState(ctx context.Context, file string) (size int64, root, first merkle.Hash, err error) {
	db, err := sql.Open("sqlite", dsn(file, []string{"query_only(1)"})+"&immutable=1")
	if err != nil {
		return 0, root, first, fmt.Errorf("sqlite: %w", err)
	}
	defer db.Close()
	var peaks, entry []byte
	if err := db.QueryRowContext(ctx, selectLogState).Scan(&size, &peaks); err != nil {
		return 0, root, first, fmt.Errorf("sqlite: %w", classify(err))
	}
	h, err := hashes(peaks)
	if err != nil {
		return 0, root, first, err
	}
	frontier, err := merkle.NewFrontier(size, h)
	if err != nil || size == 0 {
		return size, merkle.Empty(), first, err
	}
	if err := db.QueryRowContext(ctx, "SELECT octets FROM log WHERE id = 0").Scan(&entry); err != nil {
		return 0, root, first, fmt.Errorf("sqlite: %w", classify(err))
	}
	return size, frontier.Root(), merkle.Leaf(entry), nil
}
