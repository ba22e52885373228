package sqlite

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/node/store"
)

func TestOpenRefusesWhatItMustNotTouch(t *testing.T) {
	t.Parallel()
	sql := func(t *testing.T, dir, script string) {
		t.Helper()
		c, err := openConn(dsn(filepath.Join(dir, databaseFile), nil))
		if err != nil {
			t.Fatal(err)
		}
		defer c.close()
		if err := c.script(script); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name  string
		spoil func(t *testing.T, dir string)
		want  string
	}{
		{"a file of a newer program", func(t *testing.T, dir string) {
			s, _ := reopen(t, dir)
			s.Close()
			sql(t, dir, "PRAGMA user_version=99")
		}, fmt.Sprint("has schema 99 and this program knows schemas up to ", len(migrations))},
		{"a database of another program", func(t *testing.T, dir string) { sql(t, dir, "CREATE TABLE mine (a)") }, "is a database of another program"},
		{"a file that is no database", func(t *testing.T, dir string) {
			if err := os.WriteFile(filepath.Join(dir, databaseFile), []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "file is not a database"},
		{"a store that is open", func(t *testing.T, dir string) {
			s, _ := reopen(t, dir)
			t.Cleanup(func() { s.Close() })
		}, "open in another process"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			c.spoil(t, dir)
			s, err := Open(dir, Options{})
			if err == nil {
				s.Close()
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

func TestMigrationsRunOnceAndWholly(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.db")
	c, err := openConn(dsn(path, writePragmas))
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	steps := []string{"CREATE TABLE a (x); INSERT INTO a VALUES (1)", "ALTER TABLE a ADD COLUMN y; UPDATE a SET y = 2"}
	for _, upTo := range []int{1, 1, 2, 2} {
		if err := migrate(c, path, steps[:upTo]); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := c.queryInt("SELECT y FROM a"); n != 2 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	var v *VersionError
	if err := migrate(c, path, steps[:1]); !errors.As(err, &v) || v.Have != 2 || v.Supports != 1 {
		t.Errorf("older program: %v", err)
	}
	bad := append(steps, "CREATE TABLE b (x); no sql")
	if err := migrate(c, path, bad); err == nil || !strings.Contains(err.Error(), "schema step 3") {
		t.Errorf("got %v", err)
	}
	c.script("ROLLBACK") // the connection is closed after a failed step; here it goes on
	if n, err := c.pragma("user_version"); n != 2 || err != nil {
		t.Errorf("version %d after a step that failed, %v", n, err)
	}
	if n, err := c.queryInt("SELECT count(*) FROM sqlite_schema WHERE name = 'b'"); n != 0 || err != nil {
		t.Errorf("half a step is there, %v", err)
	}
}

func TestANameWithSpecialCharactersIsAFolderLikeAnyOther(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a b?c#d%20é&_pragma=x")
	s, _ := reopen(t, dir)
	defer s.Close()
	insert(t, s, outgoing("a"))
	message(t, s, 1)
	if _, err := os.Stat(filepath.Join(dir, databaseFile)); err != nil {
		t.Error(err)
	}
}

func TestAFullDiskIsSaidSoAndHarmsNothing(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	id := insert(t, s, outgoing("before"))
	// SQLite gives the same error for its page limit as for ENOSPC, and like there undoes the transaction.
	setPages := func(n int64) {
		write(t, s, func(stx store.Tx) error {
			_, err := stx.(*tx).w.c.queryInt("PRAGMA max_page_count=" + strconv.FormatInt(n, 10))
			return err
		})
	}
	setPages(1)
	big := outgoing("big")
	big.Header = make([]byte, 1<<20)
	err := s.Write(ctx, func(tx store.Tx) error {
		err := tx.Insert(big)
		if err == nil {
			t.Error("there was room")
		}
		// A function that does not look at the error must not go on outside of the transaction.
		is(t, tx.Transition(id, store.Sending, store.Change{}), store.ErrDiskFull)
		return nil
	})
	is(t, err, store.ErrDiskFull)
	if m := message(t, s, id); m.State != store.Queued {
		t.Errorf("the message before is %s", m.State)
	}
	setPages(1 << 30)
	insert(t, s, big)
	if got := message(t, s, big.ID); len(got.Header) != 1<<20 || got.ID != id+1 {
		t.Errorf("after there was room again: %d, %d octets", got.ID, len(got.Header))
	}
}

func TestBelowTheReserveOnlyNewMessagesAreRefused(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	id := insert(t, s, outgoing("before"))
	write(t, s, func(stx store.Tx) error { stx.(*tx).w.minFree = 1 << 62; return nil })
	write(t, s, func(stx store.Tx) error { stx.(*tx).w.nextRoomCheck = start; return nil })
	is(t, s.Write(ctx, func(tx store.Tx) error { return tx.Insert(outgoing("new")) }), store.ErrDiskFull)
	transition(t, s, id, store.Sending, store.Change{})
}
