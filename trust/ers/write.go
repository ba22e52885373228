package ers

import (
	"bytes"
	"context"
	"crypto"
	"fmt"
	"slices"

	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/viadukt-eu/viadukt/trust/ber"
	"github.com/viadukt-eu/viadukt/trust/tsp"
	"github.com/viadukt-eu/viadukt/trust/xades"
)

// maxDocuments bounds the documents of one record, whose digests all stand in it.
const maxDocuments = 100_000

// Syntax is the form in which a record is written. One that is there keeps its own.
type Syntax int

// The forms.
const (
	ASN1 Syntax = iota // RFC 4998
	XML                // RFC 6283
)

// Digest is that of a document for a record that is to be made: in XML over the canonical form of documents that are XML.
func (x Syntax) Digest(d xades.Document, h crypto.Hash) ([]byte, error) {
	return documentDigest(d, h, x == XML, exclusive)
}

// Create makes one record over documents, with one time-stamp: each can be proven with the record, together with all others
// [RFC 4998 3.2, RFC 6283 3.2].
func Create(ctx context.Context, stamper tsp.Stamper, x Syntax, h crypto.Hash, documents []xades.Document) ([]byte, error) {
	var digests [][]byte
	for _, d := range documents {
		digest, err := x.Digest(d, h)
		if err != nil {
			return nil, err
		}
		digests = append(digests, digest)
	}
	out, err := CreateEach(ctx, stamper, x, h, [][][]byte{digests})
	if err != nil {
		return nil, err
	}
	return out[0], nil
}

// CreateEach makes records of their own for many things, with one time-stamp: a record holds the digests of its thing and its way up the
// hash tree, and can be kept with it [RFC 4998 3.2.2, RFC 6283 3.2.2].
func CreateEach(ctx context.Context, stamper tsp.Stamper, x Syntax, h crypto.Hash, things [][][]byte) ([][]byte, error) {
	stamps, err := stampEach(ctx, stamper, h, things)
	if err != nil {
		return nil, err
	}
	out := make([][]byte, len(stamps))
	for i, s := range stamps {
		if x == XML {
			out[i], err = writeXML(h, s)
		} else {
			r := &Record{}
			if err = r.addChain(h, s); err == nil {
				out[i], err = r.marshal()
			}
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// addChain adds a chain with one time-stamp to a record in ASN.1.
func (r *Record) addChain(h crypto.Hash, s made) error {
	stamp, err := stampDER(h, s)
	r.Chains = append(r.Chains, Chain{Hash: h, raw: ber.Append(nil, asn1.SEQUENCE, stamp)})
	return err
}

// Renew adds a time-stamp over the last one, before that one's certificate ends [RFC 4998 5.2, RFC 6283 4.2.1].
func Renew(ctx context.Context, stamper tsp.Stamper, record []byte) ([]byte, error) {
	out, err := RenewEach(ctx, stamper, [][]byte{record})
	if err != nil {
		return nil, err
	}
	return out[0], nil
}

// RenewEach is [Renew] for many records that hash with one algorithm, with one time-stamp over them all.
func RenewEach(ctx context.Context, stamper tsp.Stamper, records [][]byte) ([][]byte, error) {
	var h crypto.Hash
	parsed := make([]*Record, len(records))
	things := make([][][]byte, len(records))
	for i, b := range records {
		r, err := Parse(b)
		if err != nil {
			return nil, err
		}
		c := r.last()
		last := &c.Stamps[len(c.Stamps)-1]
		switch {
		case last.Err != nil:
			return nil, last.Err
		case i > 0 && c.Hash != h:
			return nil, fmt.Errorf("%w: records with %s and %s are not renewed together", ErrAlgorithm, h, c.Hash)
		}
		digest, err := r.renewed(c, last)
		if err != nil {
			return nil, err
		}
		h, parsed[i], things[i] = c.Hash, r, [][]byte{digest}
	}
	stamps, err := stampEach(ctx, stamper, h, things)
	if err != nil {
		return nil, err
	}
	out := make([][]byte, len(records))
	for i, r := range parsed {
		if out[i], err = r.addStamp(stamps[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// last is the chain that is renewed.
func (r *Record) last() *Chain { return &r.Chains[len(r.Chains)-1] }

// addStamp returns the record with a further time-stamp in its last chain.
func (r *Record) addStamp(s made) ([]byte, error) {
	c := r.last()
	if r.XML {
		return c.addStampXML(s)
	}
	stamp, err := stampDER(c.Hash, s)
	if err != nil {
		return nil, err
	}
	e, err := ber.Parse(c.raw)
	if err != nil {
		return nil, err
	}
	c.raw = ber.Append(nil, asn1.SEQUENCE, e.Content, stamp)
	return r.marshal()
}

// Rehash adds a chain with another digest algorithm over the documents and all that is there, before the algorithm used so far ends
// [RFC 4998 5.3, RFC 6283 4.2.2]. The record must hold for the documents.
func Rehash(ctx context.Context, stamper tsp.Stamper, h crypto.Hash, record []byte, documents []xades.Document) ([]byte, error) {
	r, err := Parse(record)
	if err != nil {
		return nil, err
	}
	if result := r.Check(documents); result.Err() != nil {
		return nil, result.Err()
	}
	x := ASN1
	if r.XML {
		x = XML
	}
	before, err := r.digest(len(r.Chains), h, exclusive)
	if err != nil {
		return nil, err
	}
	var digests [][]byte
	for _, d := range documents {
		digest, err := x.Digest(d, h)
		if err != nil {
			return nil, err
		}
		if x == ASN1 {
			digest = sum(h, digest, before)
		}
		digests = append(digests, digest)
	}
	if x == XML { // it stands beside the documents
		digests = append(digests, before)
	}
	stamps, err := stampEach(ctx, stamper, h, [][][]byte{digests})
	if err != nil {
		return nil, err
	}
	if r.XML {
		return r.addChainXML(h, stamps[0])
	}
	if err := r.addChain(h, stamps[0]); err != nil {
		return nil, err
	}
	return r.marshal()
}

// made is an archive time-stamp that is to be written. Its hash tree is there also where it is one digest, which it need not be: DSS 6.4
// does not find what a record within a signature is over without.
type made struct {
	groups [][][]byte
	token  *tsp.Token
}

// stampEach makes an archive time-stamp for each of many things, with one time-stamp over the root of their hash tree. Digests of a
// group are in binary ascending order [RFC 6283 3.2.2].
func stampEach(ctx context.Context, stamper tsp.Stamper, h crypto.Hash, things [][][]byte) ([]made, error) {
	if len(things) == 0 || len(things) > maxDocuments {
		return nil, fmt.Errorf("%w: a hash tree is over 1 to %d things, not %d", ErrLimit, maxDocuments, len(things))
	}
	groups := make([][][][]byte, len(things)) // of each thing
	level := make([]node, len(things))
	for i, digests := range things {
		if len(digests) == 0 || len(digests) > maxDocuments {
			return nil, fmt.Errorf("%w: a record is over 1 to %d documents, not %d", ErrLimit, maxDocuments, len(digests))
		}
		digests = slices.Clone(digests)
		slices.SortFunc(digests, bytes.Compare)
		groups[i] = [][][]byte{digests}
		level[i] = node{reduce(h, digests), []int{i}}
	}
	for len(level) > 1 {
		var next []node
		for ; len(level) > 1; level = level[2:] {
			a, b := level[0], level[1]
			for _, i := range a.things {
				groups[i] = append(groups[i], [][]byte{b.digest})
			}
			for _, i := range b.things {
				groups[i] = append(groups[i], [][]byte{a.digest})
			}
			next = append(next, node{reduce(h, [][]byte{a.digest, b.digest}), slices.Concat(a.things, b.things)})
		}
		level = append(next, level...)
	}
	token, err := stamper.Stamp(ctx, h, level[0].digest)
	if err != nil {
		return nil, err
	}
	out := make([]made, len(things))
	for i, g := range groups {
		out[i] = made{g, token}
	}
	return out, nil
}

// node of a hash tree: its digest, and what stands below it.
type node struct {
	digest []byte
	things []int
}
