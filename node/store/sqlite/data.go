package sqlite

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

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
