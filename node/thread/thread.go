// Package thread holds what a domain says about messages that belong to one business process, for the interface and the
// console to show.
package thread

import (
	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/node/store"
)

// Thread is the documents of one process, in the order in which the node got them.
type Thread struct {
	Documents []Document
	Partial   bool // there are more than are listed
}

// Document is one document of a process. Texts are in English.
type Document struct {
	Message  *store.Message
	Type     string   // "order response"
	Number   string   // that its issuer gave it
	Issued   string   // YYYY-MM-DD
	From, To string   // names, or electronic addresses
	About    []string // what it refers to and is in the thread, as "order B-7"
	Says     string   // what an answer says: "rejected: ..."
	Amount   string   // to be paid or ordered, with its currency
	// Findings are how an invoice differs from what was ordered and delivered.
	Findings []edocument.Finding
}
