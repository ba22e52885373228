package sqlite

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/viadukt-eu/viadukt/node/store"
)

const (
	selectEntry = `SELECT participant, generation, doctype, etag, updated, octets, source FROM smp_entry
		WHERE participant = ?1 AND generation = ?2 AND doctype = ?3`
	selectEntries = `SELECT participant, generation, doctype, etag, updated FROM smp_entry WHERE participant = ?1 ORDER BY generation, doctype`
	// One seek for each participant, however many documents each has.
	selectParticipants = `WITH RECURSIVE p (participant, n) AS (
			SELECT min(participant), 1 FROM smp_entry WHERE participant > ?1
			UNION ALL SELECT (SELECT min(participant) FROM smp_entry WHERE participant > p.participant), n + 1
				FROM p WHERE p.participant IS NOT NULL AND n < ?2
		) SELECT participant FROM p WHERE participant IS NOT NULL`
	selectToken  = "SELECT id, hash, name, scopes, created, expires FROM token WHERE hash = ?1"
	selectTokens = "SELECT id, hash, name, scopes, created, expires FROM token ORDER BY id"
)

// PutEntry implements store.Tx.
func (t *tx) PutEntry(e store.Entry) error {
	if e.Participant == "" {
		return errors.New("sqlite: SMP entry without participant")
	}
	if e.Updated.IsZero() {
		e.Updated = t.now
	}
	if e.ETag == "" {
		sum := sha256.Sum256(e.Octets)
		e.ETag = hex.EncodeToString(sum[:16])
	}
	if e.Octets == nil {
		e.Octets = []byte{}
	}
	if h := t.happened(store.OfDirectory, 0, e.Participant); h != nil {
		h.Detail = "published"
		h.Objects = append(h.Objects, store.Object{Kind: "document", SHA256: sha256.Sum256(e.Octets), Size: int64(len(e.Octets)), Name: entryName(e.EntryKey)})
	}
	var source any
	if e.Source != nil {
		source = e.Source
	}
	_, err := t.exec("store SMP entry", `INSERT INTO smp_entry (participant, generation, doctype, etag, updated, octets, source)
		VALUES (?1,?2,?3,?4,?5,?6,?7) ON CONFLICT (participant, generation, doctype) DO UPDATE SET
		etag = excluded.etag, updated = excluded.updated, octets = excluded.octets, source = excluded.source`,
		e.Participant, e.Generation, e.DocType, e.ETag, ms(e.Updated), e.Octets, source)
	return err
}

// DeleteEntry implements store.Tx.
func (t *tx) DeleteEntry(k store.EntryKey) error {
	n, err := t.exec("delete SMP entry", "DELETE FROM smp_entry WHERE participant = ?1 AND generation = ?2 AND doctype = ?3",
		k.Participant, k.Generation, k.DocType)
	if err == nil && n == 0 {
		err = fmt.Errorf("sqlite: SMP entry %s %s: %w", k.Participant, k.DocType, store.ErrNotFound)
	}
	if h := t.happened(store.OfDirectory, 0, k.Participant); err == nil && h != nil {
		h.Detail = "withdrawn"
		h.Objects = append(h.Objects, store.Object{Kind: "withdrawn", Name: entryName(k)})
	}
	return err
}

func entryName(k store.EntryKey) string { return k.Generation + " " + k.DocType }

func scanEntry(v row) store.Entry {
	return store.Entry{
		EntryKey: store.EntryKey{Participant: v.text(0), Generation: v.text(1), DocType: v.text(2)},
		ETag:     v.text(3), Updated: fromMS(v[4].(int64)),
	}
}

// Entry implements store.Registry.
func (s *Store) Entry(ctx context.Context, k store.EntryKey) (e *store.Entry, err error) {
	err = s.query(ctx, selectEntry, func(v row) error {
		x := scanEntry(v)
		x.Octets = octets(v[5])
		x.Source, _ = v[6].([]byte)
		e = &x
		return nil
	}, k.Participant, k.Generation, k.DocType)
	if err == nil && e == nil {
		err = fmt.Errorf("sqlite: SMP entry %s %s: %w", k.Participant, k.DocType, store.ErrNotFound)
	}
	return e, err
}

// Entries implements store.Registry.
func (s *Store) Entries(ctx context.Context, participant string) (out []store.Entry, err error) {
	err = s.query(ctx, selectEntries, func(v row) error { out = append(out, scanEntry(v)); return nil }, participant)
	return out, err
}

// Participants implements store.Registry.
func (s *Store) Participants(ctx context.Context, after string, limit int) (out []string, err error) {
	if limit <= 0 {
		return nil, nil
	}
	err = s.query(ctx, selectParticipants, func(v row) error { out = append(out, v.text(0)); return nil }, after, int64(limit))
	return out, err
}

// PutToken implements store.Tx.
func (t *tx) PutToken(k store.Token) error {
	if k.ID == "" || k.Hash == ([32]byte{}) {
		return errors.New("sqlite: API token without id or hash")
	}
	for _, sc := range k.Scopes {
		if sc == "" || strings.ContainsAny(sc, " \n") {
			return fmt.Errorf("sqlite: API token scope %q: empty or with white space", sc)
		}
	}
	if k.Created.IsZero() {
		k.Created = t.now
	}
	if h := t.happened(store.OfToken, 0, k.ID); h != nil {
		h.Detail = "set: " + strings.Join(k.Scopes, " ")
	}
	var expires any
	if !k.Expires.IsZero() {
		expires = ms(k.Expires)
	}
	_, err := t.exec("store token", `INSERT INTO token (id, hash, name, scopes, created, expires) VALUES (?1,?2,?3,?4,?5,?6)
		ON CONFLICT (id) DO UPDATE SET hash = excluded.hash, name = excluded.name, scopes = excluded.scopes, expires = excluded.expires`,
		k.ID, k.Hash[:], k.Name, strings.Join(k.Scopes, " "), ms(k.Created), expires)
	return err
}

// DeleteToken implements store.Tx.
func (t *tx) DeleteToken(id string) error {
	n, err := t.exec("delete token", "DELETE FROM token WHERE id = ?1", id)
	if err == nil && n == 0 {
		err = fmt.Errorf("sqlite: token %q: %w", id, store.ErrNotFound)
	}
	if h := t.happened(store.OfToken, 0, id); err == nil && h != nil {
		h.Detail = "removed"
	}
	return err
}

func scanToken(v row) (store.Token, error) {
	k := store.Token{ID: v.text(0), Name: v.text(2), Scopes: strings.Fields(v.text(3)), Created: fromMS(v[4].(int64))}
	if at, ok := v[5].(int64); ok {
		k.Expires = fromMS(at)
	}
	var err error
	k.Hash, err = hashOf(v[1])
	return k, err
}

// TokenByHash implements store.Tokens.
func (s *Store) TokenByHash(ctx context.Context, hash [32]byte) (k *store.Token, err error) {
	err = s.query(ctx, selectToken, func(v row) error {
		x, err := scanToken(v)
		k = &x
		return err
	}, hash[:])
	if err == nil && k == nil {
		err = fmt.Errorf("sqlite: token: %w", store.ErrNotFound)
	}
	return k, err
}

// ListTokens implements store.Tokens.
func (s *Store) ListTokens(ctx context.Context) (out []store.Token, err error) {
	err = s.query(ctx, selectTokens, func(v row) error {
		k, err := scanToken(v)
		out = append(out, k)
		return err
	})
	return out, err
}
