package store

import (
	"crypto/sha256"
	"io"
	"time"
)

// Message is one business message, at either gateway. Times have millisecond precision and are UTC.
type Message struct {
	ID        int64 // row; grows with time, never used twice
	Direction Direction
	State     State

	MessageID      string // eb:MessageId
	ConversationID string
	RefToMessageID string
	// SenderKey names the authenticated sender of an incoming message, for example its party or the
	// fingerprint of its certificate, so that no party can block the ids of another one.
	SenderKey string

	Domain   string // configuration section, "" when no domain claimed it
	PMode    string
	Profile  string
	From, To string // corners 2 and 3: party as "type::value" or "value"
	Sender   string // corner 1 as "scheme::value"
	Receiver string // corner 4 as "scheme::value"

	Service     string
	ServiceType string
	Action      string
	Test        bool // test service: passes full security, reaches nobody

	// Peer is the key of per-peer limits, for example the host of the endpoint.
	Peer        string
	Attempts    int       // claims so far
	NextAttempt time.Time // when work is due; zero while leased or when nothing is to be done
	LeaseUntil  time.Time
	LeaseOwner  string
	Created     time.Time
	Updated     time.Time
	Error       Problem // why it failed, was rejected or is being tried again

	Header   []byte // the owner's own record, opaque here; not part of lists
	Payloads []Payload
}

// Problem is an error as people and programs see it later.
type Problem struct {
	Code   string `json:"code,omitempty"` // "EBMS:0301"
	Text   string `json:"text,omitempty"`
	Remedy string `json:"remedy,omitempty"`
}

// IsZero reports whether there is no problem.
func (p Problem) IsZero() bool { return p == Problem{} }

// Payload is one part of a message as it is stored, that is in the form in which it is signed.
type Payload struct {
	ContentID  string
	MimeType   string
	Name       string
	Compressed bool  // stored octets are gzip of the document
	PlainSize  int64 // octets before compression; 0 when unknown
	PayloadRef
	Gone bool // the octets were deleted
}

// PayloadRef finds stored octets.
type PayloadRef struct {
	Size   int64
	SHA256 [sha256.Size]byte // of the stored octets
	// Inline holds the octets of a small payload from Seal until Insert; it is nil in what a store returns.
	Inline []byte
	// Row is where a small payload is kept in the database; 0 means a file named by SHA256.
	Row int64
}

// InlineMax is the size up to which a payload lives in the database: 16 KiB.
const InlineMax = 16 << 10

// PayloadWriter takes the octets of one payload, hashes them and keeps them in memory up to [InlineMax],
// beyond that in a temporary file. A large payload is written beside the caller's work: that it could not be, a later
// Write may say, and Seal does.
type PayloadWriter interface {
	io.Writer
	Size() int64
	// Seal makes the octets durable, unless they are small: those become durable with the message.
	Seal() (PayloadRef, error)
	// Close must be called after the message was inserted, or given up. Until then what Seal returned is
	// safe from Collect. It removes what was not sealed.
	Close() error
}

// Event is one change in the life of a message.
type Event struct {
	Time    time.Time
	State   State
	Attempt int
	Detail  string
}

// Change says what goes with a [Tx.Transition].
type Change struct {
	Time   time.Time // zero: the store's clock
	Detail string    // for the event
	Next   time.Time // when work is due in the new state; zero: at once where State.Waits, else never
	Error  Problem   // zero keeps the last one, except that success states clear it
	Peer   string    // new key of per-peer limits; "" keeps it
	PMode  string    // "" keeps it
	To     string    // "" keeps it: the party that discovery found
	Header []byte    // nil keeps it
	// Owner, when set, must hold the lease, else ErrLeaseLost.
	Owner string
	// KeepLease leaves the lease as it is; for events in the middle of a worker's job.
	KeepLease bool
	// ResetAttempts starts counting again, when a person asked for it.
	ResetAttempts bool
	// NotTried takes back the attempt that the last claim counted: nothing was tried.
	NotTried bool
}

// Kind tells what a piece of evidence is.
type Kind string

const (
	KindReceipt        Kind = "receipt"        // eb:Receipt, sent or got
	KindError          Kind = "error"          // eb:Error signal, sent or got
	KindNonRepudiation Kind = "nonrepudiation" // signed user message header, for non-repudiation of origin
	KindREM            Kind = "rem"            // REM evidence
)

// Evidence is octets kept to prove something later, with their hash and the time they were stored.
type Evidence struct {
	Kind   Kind
	Time   time.Time // zero: the store's clock
	SHA256 [sha256.Size]byte
	Octets []byte
}

// Count is a number of messages.
type Count struct {
	Domain    string
	Direction Direction
	State     State
	N         int64
}

// ClaimRequest asks for work.
type ClaimRequest struct {
	Direction Direction
	Now       time.Time // zero: the store's clock
	Owner     string    // who holds the lease
	Lease     time.Duration
	Limit     int
	// Peer, when not empty, asks for work of that peer alone.
	Peer string
	// PerPeer returns how many messages of a peer may be leased at once: 0 none, negative any number.
	// nil means any number. It runs inside the transaction.
	PerPeer func(peer string) int
}

// Filter selects messages; the zero value selects all, and every field narrows.
type Filter struct {
	Direction      Direction
	States         []State
	Domains        []string
	MessageID      string
	ConversationID string
	Peer           string
	PMode          string
	Party          string // From or To
	Participant    string // Sender or Receiver
	Any            string // Peer, Action, From, To, Sender or Receiver
	Service        string
	Action         string
	Since, Until   time.Time // by Created: Since <= t < Until
	Test           *bool
}

// Page asks for a part of a list.
type Page struct {
	Before int64 // only messages with a smaller ID; 0 starts with the newest
	Limit  int   // at most this many; 0 means 50, more than 1000 means 1000
}

// List is one page. A page may be short, even empty, when few of the messages looked at match: only
// Next == 0 means the end.
type List struct {
	Messages []*Message
	Next     int64 // Page.Before of the next page
}

// Expiry selects messages that retention looks at.
type Expiry struct {
	Direction Direction
	States    []State
	Before    time.Time // only those whose last change is older
	Payloads  bool      // only those of whose payloads octets are left
}

// Damage is one finding of VerifyData.
type Damage struct {
	Message int64 // 0 when no message is concerned
	What    string
	Err     error
	Remedy  string // what a person can do; may be empty
	Notice  bool   // worth knowing, but nothing is damaged
}
