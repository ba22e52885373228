// Package alert tells an operator what needs a hand before it becomes a loss: certificates that end, queues that
// stand, partners that send no receipts, a disk that fills up, a log that is not signed, guessed passwords.
//
// What is looked for is data: [Rule]. A node hands over what it sees ([Facts]) from time to time and notes what happens
// in between ([Center.Note]); the center opens an alert when a rule holds, tells it once, again when it gets worse and
// after a while, and tells when it is over. It tells nothing in quiet times but what cannot wait.
//
// Alerts are kept in the store and entered into the log of evidence in the transaction that makes them, together with
// the tasks that tell them; where the store is the trouble, they are told without it.
//
// # Left out on purpose
//
// Secrets and persons: an alert names access points, agreements, certificates of organisations and numbers. Who guesses
// passwords from where, and which document failed, is in the log and in the console.
package alert

import (
	"context"
	"time"

	"github.com/viadukt-eu/viadukt/node/store"
)

// Severity says how much it hurts.
type Severity string

// Severities, the least first.
const (
	Info     Severity = "info"     // planned, to be known
	Warning  Severity = "warning"  // will become a loss
	Critical Severity = "critical" // messages are refused, lost time or will be within days
)

func (s Severity) rank() int {
	switch s {
	case Critical:
		return 2
	case Warning:
		return 1
	}
	return 0
}

// Alert is one thing that needs, or needed, a hand.
type Alert struct {
	ID       string    `json:"id"` // the rule, a colon and what it is about: one alert at a time has it
	Rule     string    `json:"rule"`
	Severity Severity  `json:"severity"`
	Text     string    `json:"text"` // key of its words, see [Alert.Say]
	Args     []string  `json:"args,omitempty"`
	Since    time.Time `json:"since"`
	Seen     time.Time `json:"seen"`              // last time that it held
	Resolved time.Time `json:"resolved,omitzero"` // zero while it is open

	Step   int       `json:"step"`           // grows as it gets worse
	Told   int       `json:"told,omitempty"` // the step that was told; 0: nothing
	ToldAt time.Time `json:"toldAt,omitzero"`
}

// Open reports whether it is not over.
func (a *Alert) Open() bool { return a.Resolved.IsZero() }

// Facts are what a node sees at one moment.
type Facts struct {
	Certificates []Certificate
	Queues       []Queue
	Free, Least  int64         // octets on the volume of the store, and those below which messages are refused; Free < 0: unknown
	Unsigned     time.Time     // of the oldest entry of the log of evidence that no signed head covers; zero: none
	HeadEvery    time.Duration // how often heads are signed
	Unstamped    time.Time     // since when heads cannot be time-stamped; zero: they can, or shall not
	Lists        []List
	TrustLists   []TrustList // that are not as they should be
	GivenUp      []string    // names of queues of notices that were given up
	Planned      []Planned   // changes of keys that are near
	PhaseOuts    []PhaseOut  // ends of what is used
	Trouble      []string    // keys of what could not be looked at or loaded: "store", "log", "trust", "tls", "publisher"
}

// Certificate is one that the node works with.
type Certificate struct {
	Use               string // "own", "partner", "tls", "authority"
	Name              string // the partner, the file, or the subject
	Fingerprint       string
	NotBefore, Expiry time.Time
	// Replaced says that the next one is installed and takes over before this one ends.
	Replaced bool
}

// Queue is what waits in one direction.
type Queue struct {
	Direction store.Direction
	Depth     int64
	Oldest    time.Time // when the oldest message that waits was stored; zero: none waits
}

// List is a revocation list.
type List struct {
	Name string // base name of the file, or host that is asked
	Due  time.Time
	// Failed says that the file could not be read, or holds no list that an authority signed: the last good one is in use.
	Failed bool
	// Unreached says that a host gives no answer about certificates that name it.
	Unreached bool
}

// TrustList is a trusted list that needs a hand.
type TrustList struct {
	Name    string    // country, and host or file
	Code    string    // "expired", "older", "unreachable" and the like, or [NewSigners]
	Due     time.Time // when its next update is due; of NewSigners, since when
	Missing bool      // it does not count
}

// NewSigners is the code of a list of lists that announced other signers.
const NewSigners = "new-signers"

// Planned is a change of keys.
type Planned struct {
	Use string // "signing", "encryption", or the partner
	At  time.Time
}

// PhaseOut is the end of a version of documents, or of a rule pack.
type PhaseOut struct {
	What string
	At   time.Time
	Next string // what takes its place, "" where nothing is named
}

// Event is something that happens and is counted.
type Event string

// Events. The key of the first four names the access point at the other end and the agreement.
const (
	Failed       Event = "failed"       // a message was given up
	NoReceipt    Event = "no-receipt"   // a message was given up for want of a receipt
	Undelivered  Event = "undelivered"  // a received message was not handed over for good
	Untold       Event = "untold"       // a received message was refused after its receipt, and its sender could not be told
	Retried      Event = "retried"      // a message waits for its next attempt
	Acknowledged Event = "acknowledged" // a message arrived
	Refused      Event = "refused"      // a partner's message was answered with an error
	LoginRefused Event = "login"        // a password, a code or a token was wrong; the key says where: "console", "api", "backoffice"
)

// Channel tells alerts.
type Channel interface {
	Name() string
	// Least is the severity from which alerts are told.
	Least() Severity
	// Tell tells; id is the same each time the same is told again.
	Tell(ctx context.Context, id string, notices []Alert) error
}
