package main

import (
	"time"

	"github.com/viadukt-eu/viadukt/domains/procurement"
	"github.com/viadukt-eu/viadukt/domains/procurement/sample"
	"github.com/viadukt-eu/viadukt/edelivery/ids"
	"github.com/viadukt-eu/viadukt/node"
)

// domains makes every domain of the program anew: each node has its own. This file is the only one of the program that
// knows them. Order is start order; stop is the reverse.
func domains() []node.Domain { return []node.Domain{procurement.New()} }

// document is what a business document says of its own way.
type document struct {
	sender, receiver ids.Participant
	doctype          ids.DocumentType
	process          ids.Process
}

// recognise reads a business document of any domain.
func recognise(octets []byte) (*document, error) {
	d, err := procurement.Parse(octets)
	if err != nil {
		return nil, err
	}
	return &document{d.Sender, d.Receiver, d.Type, d.Process}, nil
}

// sampleKinds are the documents that makeSample can make.
var sampleKinds = sample.Kinds

// makeSample writes a document between invented parties.
func makeSample(kind, number string, at time.Time) ([]byte, error) {
	if kind == "order" || kind == "response" || kind == "award" {
		return sample.Make(kind, number, sample.Buyer, sample.Supplier, at)
	}
	return sample.Make(kind, number, sample.Supplier, sample.Buyer, at)
}
