package sqlite

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/viadukt-eu/viadukt/node/store"
)

// inline reads a payload that is kept in the database.
type inline struct{ *bytes.Reader }

func (inline) Close() error { return nil }

// OpenPayload implements store.Store.
func (s *Store) OpenPayload(ctx context.Context, r store.PayloadRef) (io.ReadSeekCloser, error) {
	switch {
	case r.Inline != nil:
		return inline{bytes.NewReader(r.Inline)}, nil
	case r.Row == 0:
		return s.openFile(ctx, r)
	}
	place := int64(placeGone)
	var b []byte
	err := s.query(ctx, selectOctets, func(v row) error { place, b = v[0].(int64), octets(v[1]); return nil }, r.Row-1)
	switch {
	case err != nil:
		return nil, err
	case place != placeRow:
		return nil, fmt.Errorf("sqlite: payload %x: %w", r.SHA256[:6], store.ErrGone)
	case int64(len(b)) != r.Size:
		return nil, fmt.Errorf("sqlite: payload %x: %w: %d octets instead of %d", r.SHA256[:6], store.ErrDamaged, len(b), r.Size)
	}
	return inline{bytes.NewReader(b)}, nil
}

func (s *Store) openFile(ctx context.Context, r store.PayloadRef) (io.ReadSeekCloser, error) {
	f, err := s.spool.Open(r.SHA256, r.Size)
	if err == nil || !errors.Is(err, store.ErrDamaged) {
		return f, err
	}
	if used, uerr := s.used(ctx, r.SHA256); uerr == nil && !used {
		return nil, fmt.Errorf("sqlite: payload %x: %w", r.SHA256[:6], store.ErrGone)
	}
	return nil, err
}

func (s *Store) used(ctx context.Context, hash [sha256.Size]byte) (yes bool, err error) {
	for _, q := range [...]string{"SELECT 1 FROM payload WHERE sha256 = ? AND place = 2 LIMIT 1", fileOfFragment} {
		if err = s.dynamic(ctx, q, func(row) error { yes = true; return nil }, hash[:]); yes || err != nil {
			break
		}
	}
	return yes, err
}

// Collect implements store.Store.
func (s *Store) Collect(ctx context.Context) (int, error) {
	return s.spool.Collect(func(hash [sha256.Size]byte) (bool, error) { return s.used(ctx, hash) })
}

// Discard implements store.Store.
func (s *Store) Discard(ctx context.Context, refs ...store.PayloadRef) error {
	for _, r := range refs {
		if r.Row != 0 || r.Inline != nil || r.Size == 0 {
			continue
		}
		if _, err := s.spool.Remove(r.SHA256, func(hash [sha256.Size]byte) (bool, error) { return s.used(ctx, hash) }); err != nil {
			return err
		}
	}
	return nil
}

// verifyBatch is how many rows VerifyData reads at a time: a long read keeps the WAL from being used again.
const verifyBatch = 256

// VerifyData implements store.Store. It also asks SQLite to check its own file.
func (s *Store) VerifyData(ctx context.Context, report func(store.Damage)) error {
	err := s.dynamic(ctx, "PRAGMA integrity_check", func(v row) error {
		if t := v.text(0); t != "ok" {
			report(store.Damage{What: "database", Err: fmt.Errorf("%w: %s", store.ErrDamaged, t)})
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := s.verifyRows(ctx, "payload", "size, place", report); err != nil {
		return err
	}
	if err := s.verifyRows(ctx, "evidence", "length(octets), 1", report); err != nil {
		return err
	}
	err = s.verifyRows(ctx, "fragment", "size, place", func(d store.Damage) {
		d.What, d.Message = fmt.Sprintf("%s of group %d", d.What, d.Message), 0
		report(d)
	})
	if err != nil {
		return err
	}
	return s.verifyLog(ctx, report)
}

// verifyRows hashes what the rows of a table hold or name.
func (s *Store) verifyRows(ctx context.Context, table, sizeAndPlace string, report func(store.Damage)) error {
	type item struct {
		id, size, place int64
		hash            [sha256.Size]byte
		octets          []byte
		err             error
	}
	for after := int64(-1); ; {
		var batch []item
		err := s.dynamic(ctx, "SELECT id, sha256, octets, "+sizeAndPlace+" FROM "+table+" WHERE id > ? ORDER BY id LIMIT ?", func(v row) error {
			it := item{id: v[0].(int64), octets: octets(v[2]), size: v[3].(int64), place: v[4].(int64)}
			it.hash, it.err = hashOf(v[1])
			batch = append(batch, it)
			return nil
		}, after, int64(verifyBatch))
		if err != nil {
			return err
		}
		if len(batch) == 0 {
			return nil
		}
		for _, it := range batch {
			switch {
			case it.err != nil:
			case it.place == placeRow && (int64(len(it.octets)) != it.size || sha256.Sum256(it.octets) != it.hash):
				it.err = fmt.Errorf("%w: hash differs", store.ErrDamaged)
			case it.place == placeFile:
				it.err = s.spool.Verify(it.hash, it.size)
			}
			if it.err != nil {
				report(store.Damage{Message: it.id >> perMessage, What: fmt.Sprintf("%s %d", table, it.id&(1<<perMessage-1)), Err: it.err})
			}
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		after = batch[len(batch)-1].id
	}
}

// Backup writes a copy of the store, which [Open] opens, into a new folder while the node runs. The
// database is a snapshot; payload files are linked where the file system allows it and copied otherwise.
func (s *Store) Backup(ctx context.Context, dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return fmt.Errorf("sqlite: backup: %w", err)
	}
	// A connection of its own: VACUUM INTO is a write for those that may only read.
	db, err := sql.Open("sqlite", dsn(filepath.Join(s.dir, databaseFile), []string{"busy_timeout(10000)"}))
	if err != nil {
		return fmt.Errorf("sqlite: backup: %w", err)
	}
	_, err = db.ExecContext(ctx, "VACUUM INTO ?", filepath.Join(dir, databaseFile))
	if err = errors.Join(err, db.Close()); err != nil {
		return fmt.Errorf("sqlite: backup: %w", classify(err))
	}
	// The files come after the snapshot: those it names are there, unless retention took them meanwhile,
	// and files it does not name are collected later.
	err = s.spool.Each(func(hash [sha256.Size]byte) error {
		from := s.spool.Path(hash)
		to := filepath.Join(dir, payloadFolder, filepath.Base(filepath.Dir(from)), filepath.Base(from))
		return copyFile(ctx, from, to)
	})
	if err != nil {
		return fmt.Errorf("sqlite: backup: %w", err)
	}
	return nil
}

func copyFile(ctx context.Context, from, to string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	if os.Link(from, to) == nil {
		return nil
	}
	in, err := os.Open(from)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil // collected since the folder was read
		}
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Sync(), out.Close())
}
