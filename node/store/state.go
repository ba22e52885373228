package store

import "fmt"

// Direction tells whether a message came in or goes out. The values are kept in the database.
type Direction uint8

const (
	In  Direction = 1
	Out Direction = 2
)

var directionNames = [...]string{In: "in", Out: "out"}

func (d Direction) String() string {
	if d == In || d == Out {
		return directionNames[d]
	}
	return fmt.Sprintf("direction(%d)", uint8(d))
}

// ParseDirection reads "in" or "out".
func ParseDirection(s string) (Direction, error) {
	switch s {
	case "in":
		return In, nil
	case "out":
		return Out, nil
	}
	return 0, fmt.Errorf("store: direction %q is neither in nor out", s)
}

func (d Direction) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

func (d *Direction) UnmarshalText(b []byte) (err error) {
	*d, err = ParseDirection(string(b))
	return err
}

// State is where a message stands. The values are kept in the database: never renumber them.
type State uint8

const (
	Accepted     State = 1 // out: stored for a producer, not yet ready to be sent
	Queued       State = 2 // out: ready to be sent
	Sending      State = 3 // out: a worker has it
	Sent         State = 4 // out: on the wire, the receipt is awaited
	Acknowledged State = 5 // out: the receipt is here and right. Final.

	// AcknowledgedWithoutReceipt: the peer says that it has the message already and the receipt was lost,
	// that is EBMS:4001 in answer to a retry. A late receipt still leads to Acknowledged.
	AcknowledgedWithoutReceipt State = 6

	Received  State = 7  // in: durable, receipt may leave, delivery is due
	Delivered State = 8  // in: handed to the back office
	Confirmed State = 9  // in: the back office confirmed. Final.
	Retrying  State = 10 // both: waits for the next attempt
	Failed    State = 11 // both: given up; can be started again by a person or a late receipt
	Rejected  State = 12 // both: refused. Final.
)

var stateNames = [...]string{
	Accepted: "accepted", Queued: "queued", Sending: "sending", Sent: "sent", Acknowledged: "acknowledged",
	AcknowledgedWithoutReceipt: "acknowledged_without_receipt",
	Received:                   "received", Delivered: "delivered", Confirmed: "confirmed",
	Retrying: "retrying", Failed: "failed", Rejected: "rejected",
}

// States returns all states in the order of their values.
func States() []State {
	out := make([]State, 0, len(stateNames)-1)
	for s := Accepted; s <= Rejected; s++ {
		out = append(out, s)
	}
	return out
}

func (s State) String() string {
	if s >= Accepted && s <= Rejected {
		return stateNames[s]
	}
	return fmt.Sprintf("state(%d)", uint8(s))
}

// ParseState reads the name of a state.
func ParseState(name string) (State, error) {
	for s := Accepted; s <= Rejected; s++ {
		if stateNames[s] == name {
			return s, nil
		}
	}
	return 0, fmt.Errorf("store: unknown state %q", name)
}

func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

func (s *State) UnmarshalText(b []byte) (err error) {
	*s, err = ParseState(string(b))
	return err
}

// next lists, for each direction and state, the states that may follow.
var next = [...]map[State][]State{
	Out: {
		Accepted: {Queued, Sending, Failed, Rejected},
		Queued:   {Sending, Sent, Acknowledged, Failed, Rejected},
		Sending:  {Queued, Sent, Acknowledged, AcknowledgedWithoutReceipt, Retrying, Failed, Rejected},
		Sent:     {Queued, Sending, Acknowledged, AcknowledgedWithoutReceipt, Retrying, Failed, Rejected},
		Retrying: {Queued, Sending, Acknowledged, AcknowledgedWithoutReceipt, Failed, Rejected},
		// A person starts it again, or the receipt comes late.
		Failed:                     {Queued, Acknowledged, AcknowledgedWithoutReceipt},
		AcknowledgedWithoutReceipt: {Acknowledged},
	},
	In: {
		Received:  {Delivered, Confirmed, Retrying, Failed, Rejected},
		Retrying:  {Received, Delivered, Confirmed, Failed, Rejected},
		Delivered: {Confirmed, Received, Failed, Rejected},
		Failed:    {Received, Delivered, Confirmed, Rejected},
	},
}

// May reports whether a message of this direction may go from s to to. Staying in a state that awaits
// work or an answer is allowed: it records an event and may move the next attempt.
func (s State) May(d Direction, to State) bool {
	if d != In && d != Out {
		return false
	}
	if s == to {
		return len(next[d][s]) > 0 && s != Failed
	}
	for _, t := range next[d][s] {
		if t == to {
			return true
		}
	}
	return false
}

// Belongs reports whether a message of this direction can be in s at all.
func (s State) Belongs(d Direction) bool {
	switch s {
	case Accepted, Queued, Sending, Sent, Acknowledged, AcknowledgedWithoutReceipt:
		return d == Out
	case Received, Delivered, Confirmed:
		return d == In
	case Retrying, Failed, Rejected:
		return d == In || d == Out
	}
	return false
}

// Waits reports whether work is due in s without being asked for. In other states work is due only when
// [Change.Next] names a time, for example to look for a receipt that does not come.
func (s State) Waits() bool {
	return s == Queued || s == Retrying || s == Received
}

// Dead reports whether a message in s no longer holds its eb:MessageId: what failed or was refused before
// is no duplicate when it arrives again.
func (s State) Dead() bool { return s == Failed || s == Rejected }

// Claimed returns the state a message has while a worker holds it.
func (s State) Claimed(d Direction) State {
	if d == Out && (s == Queued || s == Retrying || s == Sending) {
		return Sending
	}
	return s
}
