package store

import (
	"context"
	"time"
)

// Group is a message that travels in pieces, coming or going, as long as it is not one message [ebMS3-2 4].
type Group struct {
	ID     int64
	Key    string // who and what: unique, chosen by the owner
	Closed bool   // it came to its end, and is kept to know copies of its pieces
	Record []byte // the owner's own, opaque here
	// Created is when it was stored first; PutGroup does not look at it.
	Created time.Time
}

// MaxFragments is how many pieces a group may have.
const MaxFragments = 1<<16 - 1

// Fragment is one piece of a group.
type Fragment struct {
	Num       int // from 1; 0 is the whole in the form in which it is cut
	MessageID string
	Payload   PayloadRef // zero when the octets are elsewhere
	Gone      bool       // the octets were dropped
	Header    []byte     // the SOAP envelope it came with
	Receipt   []byte     // that was sent for it, or that came
}

// Groups reads what Tx.PutGroup and Tx.PutFragment stored.
type Groups interface {
	// Group finds a group by its key, or ErrNotFound.
	Group(ctx context.Context, key string) (*Group, error)
	// ListGroups returns groups with an ID greater than after, in that order.
	ListGroups(ctx context.Context, after int64, limit int) ([]Group, error)
	// Fragments lists the pieces of a group by their numbers, without headers and receipts. Open reads their octets.
	Fragments(ctx context.Context, group int64) ([]Fragment, error)
}

// GroupTx is the part of [Tx] about groups.
type GroupTx interface {
	// Group and Fragment read as this transaction sees it; a fragment comes with header and receipt. ErrNotFound.
	Group(key string) (*Group, error)
	Fragment(group int64, num int) (*Fragment, error)
	// PutGroup stores a group and sets its ID, or changes fate and record of one that has an ID.
	PutGroup(g *Group) error
	// PutFragment stores a piece, or replaces the one of this number.
	PutFragment(group int64, f *Fragment) error
	// DropFragments deletes the octets of all pieces; headers and receipts stay.
	DropFragments(group int64) error
	// DeleteGroup removes a group with everything that belongs to it.
	DeleteGroup(group int64) error
}
