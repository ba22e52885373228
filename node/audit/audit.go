// Package audit keeps the node's log of evidence and proves what stands in it.
//
// Every change of a message, every receipt and error, every administrative act is an [Entry] of one append-only log. The
// store writes it in the transaction of the change itself (see [Recorder]), so that nothing is recorded that did not
// happen and nothing happens unrecorded. The entries are the leaves of a hash tree [RFC 9162 2.1]; from time to time,
// and when asked, the node signs the root: a [Head]. Whoever holds an entry, a path of some twenty hashes and a head can
// check, with the node's certificate alone, that the entry stood in the log when the head was signed; whoever holds two
// heads, that nothing before the first was changed, taken out or put in since.
//
// A [Policy] decides which evidence a message creates, as data. A case is one message with all of its evidence in a zip
// file: [Log.WriteCase] makes it, [Verify] checks it without a node and without a network.
//
// # What it does not prove
//
// The log is the node's own testimony: its heads bind the node, and show later changes, but a node that keeps two logs
// from the beginning can be caught only by those who compare the heads that it gave to different people. What a partner
// signed (a receipt, a message) proves itself.
package audit

import (
	"context"

	"github.com/viadukt-eu/viadukt/node/store"
)

// Store is what the log needs of a store.
type Store interface {
	store.Log
	Write(ctx context.Context, f func(store.Tx) error) error
	Meta(ctx context.Context, key string) (string, error)
}
