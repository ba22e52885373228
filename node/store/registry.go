package store

import (
	"context"
	"time"
)

// EntryKey names one document of the node's own SMP.
type EntryKey struct {
	Participant string // normalised "scheme::value"
	DocType     string // "scheme::value"; "" for the document that lists a participant's services
	Generation  string // flavour of the SMP specification
}

// Entry is a document that is signed when it is stored, not when it is asked for.
type Entry struct {
	EntryKey
	Octets  []byte // as served
	Source  []byte // what it was made from, to sign it again; may be nil
	ETag    string
	Updated time.Time // zero in PutEntry: the store's clock
}

// Registry reads what Tx.PutEntry stored.
type Registry interface {
	// Entry returns one document or ErrNotFound.
	Entry(ctx context.Context, k EntryKey) (*Entry, error)
	// Entries returns the documents of a participant, ordered by generation and document type, without
	// Octets and Source.
	Entries(ctx context.Context, participant string) ([]Entry, error)
	// Participants returns participants greater than after, in order.
	Participants(ctx context.Context, after string, limit int) ([]string, error)
}

// Token allows a program to use the node's API. Only the hash of its secret is stored.
type Token struct {
	ID      string
	Hash    [32]byte // SHA-256 of the secret
	Name    string
	Scopes  []string
	Created time.Time
	Expires time.Time // zero: never
}

// Tokens reads what Tx.PutToken stored.
type Tokens interface {
	// TokenByHash returns one token or ErrNotFound; it does not look at Expires.
	TokenByHash(ctx context.Context, hash [32]byte) (*Token, error)
	// ListTokens returns all tokens by ID.
	ListTokens(ctx context.Context) ([]Token, error)
}
