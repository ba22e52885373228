// Package store says what a node keeps and how it asks for it: messages that are also the work queue,
// their events, evidence and payloads, the documents of the node's own SMP, and API tokens.
//
// The package holds the types and the [Store] interface; package sqlite is the store of one machine.
//
// # Rules every implementation keeps
//
// [Store.Write] returns only when what its function did is on stable storage. That is what allows a
// receipt to leave afterwards [AS4 3.2]. A function passed to Write runs inside a transaction that it
// shares with others and may run at any time before Write returns: it must not call the store again,
// must not block, and must not talk to a network.
//
// Every piece of work may run twice: a lease that runs out, or a process that dies, gives the message to
// the next caller of [Store.Claim].
//
// Payload octets are durable before the row that names them, so a crash between the two leaves only a
// file that nobody names, which [Store.Collect] removes.
package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

var (
	// ErrNotFound answers a question about something that is not stored.
	ErrNotFound = errors.New("store: not found")
	// ErrDuplicate is in the chain of every [DuplicateError].
	ErrDuplicate = errors.New("store: duplicate message")
	// ErrTransition refuses a change of state that the state machine does not know.
	ErrTransition = errors.New("store: state change not allowed")
	// ErrLeaseLost refuses a change by a worker whose lease ran out or was taken over.
	ErrLeaseLost = errors.New("store: lease lost")
	// ErrDiskFull says that the volume has no room left, or less than the reserve that was asked for.
	// Nothing was stored, and the same call may succeed later.
	ErrDiskFull = errors.New("store: disk full")
	// ErrReadOnly says that the volume can be read and not written. Nothing was stored.
	ErrReadOnly = errors.New("store: read-only volume")
	// ErrGone says that the octets of a payload were deleted; its hash and size are still known.
	ErrGone = errors.New("store: payload deleted")
	// ErrDamaged says that stored octets are missing or differ from their hash.
	ErrDamaged = errors.New("store: stored octets damaged")
	// ErrClosed answers every call after Close.
	ErrClosed = errors.New("store: closed")
)

// DuplicateError is the answer to an Insert of a message that is already stored: the same direction,
// eb:MessageId and sender key.
type DuplicateError struct {
	ID    int64 // row of the message that was there first
	State State
}

func (e *DuplicateError) Error() string {
	return fmt.Sprintf("store: duplicate of message %d (%s)", e.ID, e.State)
}

func (e *DuplicateError) Unwrap() error { return ErrDuplicate }

// Store is the memory of a node. All methods may be called by many goroutines.
type Store interface {
	// Write runs f in a transaction and returns when its effects are durable. An error or a panic of f
	// undoes what f did and nothing else. When ctx ends before f was started, f is never run.
	Write(ctx context.Context, f func(Tx) error) error

	// Claim leases due work, oldest first and fair between peers. An empty answer is not an error.
	Claim(ctx context.Context, r ClaimRequest) ([]*Message, error)
	// Ready receives a token after a commit that made work of this direction due at once. Tokens do
	// not add up; one reader is meant.
	Ready(d Direction) <-chan struct{}
	// NextDue tells the first time later than after at which more work may become due, because a pause or
	// a lease ends; it may be too early, never too late. ErrNotFound when nothing waits. Work that is due
	// at after already, which Claim gives or leaves because of PerPeer, does not count.
	NextDue(ctx context.Context, d Direction, after time.Time) (time.Time, error)

	// Message returns one message with header and payload list.
	Message(ctx context.Context, id int64) (*Message, error)
	// ByMessageID finds a message by its eb:MessageId: the live one, else the newest failed one.
	ByMessageID(ctx context.Context, d Direction, messageID string) (*Message, error)
	// List returns messages newest first, without header and payloads.
	List(ctx context.Context, f Filter, p Page) (List, error)
	// Labelled returns the ids of messages with this label, newest first, at most so many.
	Labelled(ctx context.Context, label string, most int) ([]int64, error)
	// Events returns the history of a message, oldest first.
	Events(ctx context.Context, id int64) ([]Event, error)
	// Evidence returns what was kept to prove the exchange, oldest first.
	Evidence(ctx context.Context, id int64) ([]Evidence, error)
	// Expired returns messages without header and payloads, oldest rows first, those behind the row after; they may
	// have changed since. It looks at a bounded number of rows: next is where to go on, 0 at the end.
	Expired(ctx context.Context, e Expiry, after int64) (list []*Message, next int64, err error)
	// Counts returns how many messages there are by domain, direction and state; zero rows are left out.
	Counts(ctx context.Context) ([]Count, error)
	// Oldest tells when the oldest message in one of these states was created, or ErrNotFound.
	Oldest(ctx context.Context, d Direction, states ...State) (time.Time, error)

	// NewPayload starts a payload of unknown size.
	NewPayload() (PayloadWriter, error)
	// OpenPayload reads the stored octets. ErrGone, ErrDamaged when a file is missing or has another size.
	OpenPayload(ctx context.Context, r PayloadRef) (io.ReadSeekCloser, error)
	// Collect removes payload files that no message names and returns how many.
	Collect(ctx context.Context) (int, error)
	// Discard removes the files of these payloads, as far as no message or piece of one names them any more.
	Discard(ctx context.Context, refs ...PayloadRef) error
	// Snapshot writes the database as it is at this moment into a new file, durably, while work goes on. Until end is
	// called no payload file is removed, so that all that the snapshot names stay readable; what was to be removed
	// meanwhile is removed then.
	Snapshot(ctx context.Context, file string) (end func() error, err error)
	// VerifyData hashes everything stored and reports what differs; its error says that it could not look.
	VerifyData(ctx context.Context, report func(Damage)) error

	Registry
	Tokens
	Tasks
	Groups
	Log
	Users
	Traffic

	// Meta returns a value set by Tx.SetMeta, or ErrNotFound.
	Meta(ctx context.Context, key string) (string, error)

	// Close finishes what is waiting and closes the files.
	Close() error
}

// Tx is one transaction of [Store.Write]. It must not be used after the function returned.
type Tx interface {
	// Insert stores a message and its first event, and sets m.ID. A message in a state that waits for
	// work is due at m.NextAttempt, at once when that is zero. One with a LeaseOwner is leased from the
	// start until LeaseUntil, and must be in a state that [State.Claimed] gives: its owner works on it
	// without a claim, and it counts for the limit of its peer. *DuplicateError when the key is taken by
	// a message that has neither failed nor been rejected.
	Insert(m *Message) error
	// Message reads a message as this transaction sees it.
	Message(id int64) (*Message, error)
	// ByMessageID is Store.ByMessageID as this transaction sees it.
	ByMessageID(d Direction, messageID string) (*Message, error)
	// Transition moves a message to another state, records the event and gives up the lease.
	Transition(id int64, to State, c Change) error
	// SetRetry is a Transition to Retrying with work due at next.
	SetRetry(id int64, next time.Time, why Problem, detail string) error
	// Advance lets everything that waits, messages and tasks, leased or not, be due earlier by d: for a clock that went
	// back by so much.
	Advance(d time.Duration) error
	// Extend prolongs the lease of owner; ErrLeaseLost when it is not owner's any more.
	Extend(id int64, owner string, until time.Time) error
	// PutEvidence keeps one piece of evidence of a message.
	PutEvidence(id int64, e Evidence) error
	// Evidence is Store.Evidence as this transaction sees it.
	Evidence(id int64) ([]Evidence, error)
	// Once gives a key of the owner's choice to a message and returns the message that holds it: id when the
	// key was free, or held by a message that failed, was rejected or is deleted; else the one that was first.
	Once(key string, id int64) (first int64, err error)
	// Label marks a message with labels of the owner's choice, by which [Store.Labelled] finds it.
	Label(id int64, labels ...string) error
	// DeletePayloads removes the octets of a message's payloads; hashes, sizes and evidence stay.
	DeletePayloads(id int64) error
	// Delete removes a message with everything that belongs to it, its evidence too. Its eb:MessageId is
	// forgotten: a copy that arrives later is a new message [AS4 3.2].
	Delete(id int64) error

	// PutEntry stores or replaces a document of the SMP; DeleteEntry removes one, ErrNotFound when absent.
	PutEntry(e Entry) error
	DeleteEntry(k EntryKey) error

	// PutToken adds or replaces an API token; DeleteToken removes one, ErrNotFound when absent.
	PutToken(t Token) error
	DeleteToken(id string) error

	GroupTx

	// PutTask stores a task and sets its ID, or changes time, attempts and fate of one that has an ID: ErrNotFound
	// when it is gone. A zero Due is now.
	PutTask(t *Task) error
	// DeleteTask removes a task that is done, ErrNotFound when absent.
	DeleteTask(id int64) error

	UsersTx

	SetMeta(key, value string) error

	// AppendLog adds an entry to the log that no change of the store stands behind, for example that the node was
	// started. What changes the store is recorded by itself: see [Recorder].
	AppendLog(octets []byte) (index int64, err error)
	// PutLogHead keeps a signed head of the log with this many entries.
	PutLogHead(size int64, octets []byte) error
	// PutLogStamp keeps a time-stamped head, in place of the one of this size.
	PutLogStamp(s LogStamp) error
}
