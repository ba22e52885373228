package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"

	moderncsqlite "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/viadukt-eu/viadukt/node/store"
)

// conn is the write connection. It speaks to the driver without database/sql, whose locks and conversions
// cost as much as a small statement; exactly one goroutine uses it.
type conn struct {
	c     driver.Conn
	stmts map[string]*stmt
}

// stmt is a statement prepared once, with room for its arguments.
type stmt struct {
	s    driver.Stmt
	exe  driver.StmtExecContext
	qry  driver.StmtQueryContext
	args []driver.NamedValue
}

// row is one row of an answer: int64, string, []byte or nil.
type row []driver.Value

// text returns "" for NULL.
func (v row) text(i int) string { s, _ := v[i].(string); return s }

func openConn(dsn string) (*conn, error) {
	c, err := (&moderncsqlite.Driver{}).Open(dsn)
	if err != nil {
		return nil, fmt.Errorf("sqlite: %w", classify(err))
	}
	return &conn{c: c, stmts: make(map[string]*stmt)}, nil
}

func (c *conn) prepare(query string) (*stmt, error) {
	if s := c.stmts[query]; s != nil {
		return s, nil
	}
	ds, err := c.c.Prepare(query)
	if err != nil {
		return nil, fmt.Errorf("sqlite: prepare %q: %w", query, classify(err))
	}
	s := &stmt{s: ds, exe: ds.(driver.StmtExecContext), qry: ds.(driver.StmtQueryContext)}
	c.stmts[query] = s
	return s, nil
}

func (s *stmt) bind(args []any) []driver.NamedValue {
	s.args = s.args[:0]
	for i, a := range args {
		s.args = append(s.args, driver.NamedValue{Ordinal: i + 1, Value: a})
	}
	return s.args
}

// exec runs a statement and returns how many rows it changed. Arguments are nil, int64, string or []byte.
func (c *conn) exec(query string, args ...any) (int64, error) {
	s, err := c.prepare(query)
	if err != nil {
		return 0, err
	}
	res, err := s.exe.ExecContext(context.Background(), s.bind(args))
	if err != nil {
		return 0, classify(err)
	}
	return res.RowsAffected()
}

// query calls each for each row of the answer. The values are valid until row returns, except that strings
// and octets may be kept.
func (c *conn) query(query string, each func(v row) error, args ...any) (err error) {
	s, err := c.prepare(query)
	if err != nil {
		return err
	}
	rows, err := s.qry.QueryContext(context.Background(), s.bind(args))
	if err != nil {
		return classify(err)
	}
	defer func() {
		if cerr := rows.Close(); err == nil && cerr != nil {
			err = classify(cerr)
		}
	}()
	v := make(row, len(rows.Columns()))
	for {
		if err := rows.Next(v); err == io.EOF {
			return nil
		} else if err != nil {
			return classify(err)
		}
		if err := each(v); err != nil {
			return err
		}
	}
}

// queryInt returns the first column of the first row; store.ErrNotFound when there is no row, or NULL.
func (c *conn) queryInt(query string, args ...any) (n int64, err error) {
	found := false
	err = c.query(query, func(v row) error {
		if x, ok := v[0].(int64); ok && !found {
			n, found = x, true
		}
		return nil
	}, args...)
	if err == nil && !found {
		err = store.ErrNotFound
	}
	return n, err
}

func (c *conn) pragma(name string) (int64, error) { return c.queryInt("PRAGMA " + name) }

// script runs several statements that are not kept.
func (c *conn) script(text string) error {
	_, err := c.c.(driver.ExecerContext).ExecContext(context.Background(), text, nil)
	return classify(err)
}

func (c *conn) close() error {
	var errs []error
	for _, s := range c.stmts {
		errs = append(errs, s.s.Close())
	}
	return errors.Join(append(errs, c.c.Close())...)
}

// classify gives errors of the engine the meaning that callers ask for.
func classify(err error) error {
	var e *moderncsqlite.Error
	if err == nil || !errors.As(err, &e) {
		return err
	}
	if e.Code() == sqlite3.SQLITE_IOERR_SHORT_READ { // the file ends before the page that was asked for
		return fmt.Errorf("%w: %w", store.ErrDamaged, err)
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_FULL:
		return fmt.Errorf("%w: %w", store.ErrDiskFull, err)
	case sqlite3.SQLITE_READONLY:
		return fmt.Errorf("%w: %w", store.ErrReadOnly, err)
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return fmt.Errorf("%w: %w", store.ErrDamaged, err)
	}
	return err
}

// fatal reports whether the engine may have undone the whole transaction by itself, so that nothing more
// may be done in it.
func fatal(err error) bool {
	var e *moderncsqlite.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_BUSY,
		sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_READONLY,
		sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL:
		return true
	}
	return false
}

// isUnique reports whether a unique index refused the statement.
func isUnique(err error) bool {
	var e *moderncsqlite.Error
	return errors.As(err, &e) && e.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE
}
