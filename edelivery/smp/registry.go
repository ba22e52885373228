package smp

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/ids"
)

// Key names one document of a registry. The strings are folded as the identifiers compare: equal keys, equal resource.
type Key struct {
	Generation   Generation
	Participant  string // "scheme::value"
	DocumentType string // "scheme::value"; "" for the ServiceGroup
}

// Record is one document as it is served: signed when it was stored, not when it is asked for.
type Record struct {
	Key
	Octets  []byte // never changed after it was stored
	ETag    string // quoted, as in the header
	Updated time.Time
}

// Registry keeps the documents of one SMP. A Publisher writes it, a Server reads it.
type Registry interface {
	// Get returns one document, or ErrNotFound (errors.Is).
	Get(ctx context.Context, k Key) (Record, error)
	// Participants returns up to limit participants greater than after, in order, each once.
	Participants(ctx context.Context, after string, limit int) ([]string, error)
	// Update stores put and removes drop, all or nothing. Dropping what is not there is no error.
	Update(ctx context.Context, put []Record, drop []Key) error
}

// keyOf folds the identifiers as the rules compare them.
func keyOf(g Generation, p ids.Participant, d ids.DocumentType, r ids.Rules) Key {
	p = p.Normalized()
	if r.FoldScheme {
		p.Scheme = strings.ToLower(p.Scheme)
	}
	k := Key{Generation: g, Participant: p.String()}
	if !d.IsZero() {
		k.DocumentType = d.String()
		if r.FoldDocumentType {
			k.DocumentType = strings.ToLower(k.DocumentType)
		}
	}
	return k
}

func newRecord(k Key, octets []byte, now time.Time) Record {
	sum := sha256.Sum256(octets)
	return Record{Key: k, Octets: octets, ETag: `"` + base64.RawURLEncoding.EncodeToString(sum[:15]) + `"`, Updated: now}
}

// Memory is a Registry for tests and demonstrations. The zero value is empty and ready.
type Memory struct {
	mu      sync.RWMutex
	records map[Key]Record
}

// Get implements [Registry].
func (m *Memory) Get(_ context.Context, k Key) (Record, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	r, ok := m.records[k]
	if !ok {
		return r, ErrNotFound
	}
	return r, nil
}

// Participants implements [Registry].
func (m *Memory) Participants(_ context.Context, after string, limit int) ([]string, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var list []string
	for k := range m.records {
		if k.DocumentType == "" && k.Participant > after {
			list = append(list, k.Participant)
		}
	}
	slices.Sort(list)
	list = slices.Compact(list)
	return list[:min(limit, len(list))], nil
}

// Update implements [Registry].
func (m *Memory) Update(_ context.Context, put []Record, drop []Key) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.records == nil {
		m.records = map[Key]Record{}
	}
	for _, k := range drop {
		delete(m.records, k)
	}
	for _, r := range put {
		m.records[r.Key] = r
	}
	return nil
}
