package store

import (
	"context"
	"time"
)

// Hour tells how many messages of a direction entered a state within one hour.
type Hour struct {
	Start     time.Time // UTC
	Direction Direction
	State     State // 0: were stored
	N         int64
}

// Waiting is the work that is due for one peer, now or later.
type Waiting struct {
	Peer string
	// N is how many messages wait. Counting ends at WaitingMost: there may be more.
	N int
	// Leased is how many more are being worked on, counted up to WaitingMost.
	Leased int
	// Due is when the first of those that wait is due; zero when none waits.
	Due time.Time
}

// WaitingMost bounds how many messages of one peer are counted.
const WaitingMost = 1000

// Traffic tells what passed and what stands in line, in time that does not grow with what is stored.
type Traffic interface {
	// Hours returns what was counted since a time, oldest first: messages stored, and the states Acknowledged,
	// AcknowledgedWithoutReceipt, Delivered, Retrying, Failed and Rejected. Hours without any are left out.
	Hours(ctx context.Context, since time.Time) ([]Hour, error)
	// WaitingPeers returns the work of peers whose name is greater than after, in order.
	WaitingPeers(ctx context.Context, d Direction, after string, limit int) ([]Waiting, error)
}
