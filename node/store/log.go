package store

import (
	"context"
	"crypto/sha256"
	"time"
)

// Recorder writes the entries of the node's log. A store that has one records every change of [Tx] in the transaction
// that makes it, so that nothing is recorded that did not happen and nothing happens unrecorded. Leases are no such
// change: they say who works on a message, not what became of it.
type Recorder interface {
	// Record appends the octets of the entry for one happening to dst; nothing appended: nothing to record. It runs
	// inside the transaction: it must be quick and ask nobody. h is valid until it returns.
	Record(dst []byte, h *Happening) []byte
}

// What says what a happening is about.
type What string

const (
	OfMessage    What = "message"          // a message is new or changed its state, or got evidence
	PayloadsGone What = "payloads-deleted" // the octets of a message's payloads were deleted; Objects has their hashes
	MessageGone  What = "deleted"          // a message was deleted; Objects has the hashes of what belonged to it
	OfDirectory  What = "participant"      // documents of the node's own publisher; Subject is the participant
	OfToken      What = "token"            // an API token; Subject is its id
	OfUser       What = "user"             // somebody who may open the console; Subject is the name
)

// Happening is what one function of [Store.Write] did to one message, or to one thing of the node's own.
type Happening struct {
	What  What
	Time  time.Time
	Actor string // as [WithActor] said; "" is the node by itself

	// Of messages:
	ID              int64
	Direction       Direction
	MessageID       string // eb:MessageId
	Domain, PMode   string
	From, To        string
	Service, Action string
	Attempt         int
	Before, State   State  // Before is 0 for a new message
	Code            string // of the error that led here

	// Of the node's own things:
	Subject string
	Detail  string

	Objects []Object
}

// Object is something that a happening brought, or took away, by its hash.
type Object struct {
	Kind   string // "header", "payload", "document", or the kind of a piece of evidence
	SHA256 [sha256.Size]byte
	Size   int64
	Name   string // of a payload its Content-ID
}

// LogEntry is one entry of the log.
type LogEntry struct {
	Index  int64 // from 0, without gaps
	Octets []byte
}

// LogStamp is a signed head of the log with the evidence record that time-stamps it.
type LogStamp struct {
	Size   int64     // entries that the head is over
	Head   []byte    // as it was signed
	Record []byte    // RFC 4998, over the octets of the head
	Due    time.Time // when the record is to be renewed
}

// LogTile is how many hashes a tile of the log's tree holds.
const LogTile = 256

// Log reads what was recorded. Nothing in it is ever changed or removed.
type Log interface {
	// LogState returns the number of entries and the roots of the complete trees that they make, the largest first: what
	// was written with the last change of the log.
	LogState(ctx context.Context) (size int64, peaks [][sha256.Size]byte, err error)
	// LogEntries returns up to limit entries from an index on.
	LogEntries(ctx context.Context, from int64, limit int) ([]LogEntry, error)
	// LogOf returns the entries about one message, oldest first, also after the message was deleted.
	LogOf(ctx context.Context, message int64) ([]LogEntry, error)
	// LogHashes returns the n-th tile of a level of the tree, up to LogTile hashes: of level 0 the hashes of the entries
	// n*256, n*256+1, ...; of further levels those of the full tiles below.
	LogHashes(ctx context.Context, level int, n int64) ([][sha256.Size]byte, error)
	// LogHead returns the newest signed head, or the oldest one of at least this many entries when size is not 0.
	// ErrNotFound when there is none.
	LogHead(ctx context.Context, size int64) ([]byte, error)
	// LogHeads returns up to limit heads of at least so many entries, oldest first.
	LogHeads(ctx context.Context, size int64, limit int) ([][]byte, error)
	// LogStamp returns the newest time-stamped head, or the oldest one of at least this many entries when size is not 0.
	// ErrNotFound when there is none.
	LogStamp(ctx context.Context, size int64) (*LogStamp, error)
	// LogStampsDue returns up to limit time-stamped heads whose records were to be renewed by a time, the most urgent first.
	LogStampsDue(ctx context.Context, by time.Time, limit int) ([]LogStamp, error)
}

type actorKey struct{}

// WithActor says on whose behalf a [Store.Write] with this context works: it is recorded.
func WithActor(ctx context.Context, actor string) context.Context {
	return context.WithValue(ctx, actorKey{}, actor)
}

// Actor is what WithActor said, "" by default.
func Actor(ctx context.Context) string {
	a, _ := ctx.Value(actorKey{}).(string)
	return a
}
