package xmldsig

import (
	"fmt"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

const (
	wsuNS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
	xmlNS = "http://www.w3.org/XML/1998/namespace"
)

// IDName is the name of an attribute that carries an ID. Space is "" for an attribute without prefix.
type IDName struct{ Space, Local string }

// IDPolicy says which attributes are IDs, on whatever element they stand. The zero value: wsu:Id, xml:id, Id, ID, id.
type IDPolicy struct{ Attributes []IDName }

var defaultIDs = []IDName{{"", "Id"}, {wsuNS, "Id"}, {"", "ID"}, {"", "id"}, {xmlNS, "id"}}

func (p IDPolicy) has(a dom.Node) bool {
	names := p.Attributes
	if names == nil {
		names = defaultIDs
	}
	local := a.Local()
	for i := range names {
		if names[i].Local == local && names[i].Space == a.Space() {
			return true
		}
	}
	return false
}

// IDIndex finds elements by ID. It is immutable and may be used by many goroutines.
type IDIndex struct{ ids map[string]idEntry }

type idEntry struct {
	node   dom.Node
	shared bool // by a second element
}

// IndexIDs indexes all IDs of a document in one pass.
func IndexIDs(d *dom.Document, p IDPolicy) *IDIndex {
	x := &IDIndex{ids: map[string]idEntry{}}
	for i, n := 0, d.Len(); i < n; i++ {
		if a := d.At(i); a.Kind() == dom.AttributeNode && p.has(a) {
			x.add(string(a.Value()), a.Parent())
		}
	}
	return x
}

// indexWanted fills x, whose keys are the wanted IDs: a signature names three, and the document may hold many thousands.
func (x *IDIndex) indexWanted(d *dom.Document, p IDPolicy) {
	for i, n := 0, d.Len(); i < n; i++ {
		a := d.At(i)
		if a.Kind() != dom.AttributeNode || !p.has(a) {
			continue
		}
		v := a.Value()
		if _, ok := x.ids[string(v)]; ok { // no string is made of v here
			x.add(string(v), a.Parent())
		}
	}
}

func (x *IDIndex) add(id string, el dom.Node) {
	e := x.ids[id]
	switch {
	case !e.node.Valid():
		e.node = el
	case e.node != el: // one element may carry the same value as Id and as wsu:Id
		e.shared = true
	}
	x.ids[id] = e
}

// Lookup returns the one element with that ID. A value that no element or more than one carries is an error that
// wraps [ErrReference].
func (x *IDIndex) Lookup(id string) (dom.Node, error) {
	e := x.ids[id]
	switch {
	case !e.node.Valid():
		return dom.Node{}, fmt.Errorf("%w: no element has the ID %q", ErrReference, id)
	case e.shared:
		return dom.Node{}, fmt.Errorf("%w: %w: %q", ErrReference, ErrAmbiguous, id)
	}
	return e.node, nil
}
