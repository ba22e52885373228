package ers

import (
	"bytes"
	"context"
	"crypto"
	"fmt"
	"slices"
	"sort"

	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/viadukt-eu/viadukt/trust/ber"
	"github.com/viadukt-eu/viadukt/trust/tsp"
	"github.com/viadukt-eu/viadukt/trust/xades"
	"github.com/viadukt-eu/viadukt/xmlcore/c14n"
)

// maxDocuments bounds the documents of one record, whose digests all stand in it.
const maxDocuments = 100_000

// Create makes one record over documents, with one time-stamp: each can be proven with the record, together with all others
// [RFC 4998 3.2].
func Create(ctx context.Context, stamper tsp.Stamper, h crypto.Hash, documents []xades.Document) ([]byte, error) {
	var digests [][]byte
	for _, d := range documents {
		digest, err := documentDigest(d, h, false, c14n.Method{})
		if err != nil {
			return nil, err
		}
		digests = append(digests, digest)
	}
	r := &Record{}
	if err := r.begin(ctx, stamper, h, digests); err != nil {
		return nil, err
	}
	return r.marshal()
}

// begin adds a chain over digests.
func (r *Record) begin(ctx context.Context, stamper tsp.Stamper, h crypto.Hash, digests [][]byte) error {
	if len(digests) == 0 || len(digests) > maxDocuments {
		return fmt.Errorf("%w: a record is over 1 to %d documents, not %d", ErrLimit, maxDocuments, len(digests))
	}
	var groups [][][]byte
	root := digests[0]
	if len(digests) > 1 {
		sort.Slice(digests, func(i, j int) bool { return bytes.Compare(digests[i], digests[j]) < 0 })
		groups = [][][]byte{digests}
		root = reduce(h, digests)
	}
	token, err := stamper.Stamp(ctx, h, root)
	if err != nil {
		return err
	}
	stamp, err := stampDER(h, groups, token.Raw)
	if err != nil {
		return err
	}
	r.Chains = append(r.Chains, Chain{Hash: h, raw: ber.Append(nil, asn1.SEQUENCE, stamp), Stamps: []Stamp{{Groups: groups, Token: token, hash: h, stamp: token.Raw}}})
	return nil
}

// Renew adds a time-stamp over the last one, before that one's certificate ends [RFC 4998 5.2]. The record must be in ASN.1.
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
		r, err := parseASN1(b)
		if err != nil {
			return nil, err
		}
		c := &r.Chains[len(r.Chains)-1]
		last := &c.Stamps[len(c.Stamps)-1]
		switch {
		case last.Err != nil:
			return nil, last.Err
		case i > 0 && c.Hash != h:
			return nil, fmt.Errorf("%w: records with %s and %s are not renewed together", ErrAlgorithm, h, c.Hash)
		}
		h, parsed[i], things[i] = c.Hash, r, [][]byte{sum(c.Hash, last.stamp)}
	}
	stamps, err := stampEach(ctx, stamper, h, things)
	if err != nil {
		return nil, err
	}
	out := make([][]byte, len(records))
	for i, r := range parsed {
		c := &r.Chains[len(r.Chains)-1]
		e, err := ber.Parse(c.raw)
		if err != nil {
			return nil, err
		}
		c.raw = ber.Append(nil, asn1.SEQUENCE, e.Content, stamps[i])
		if out[i], err = r.marshal(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Rehash adds a chain with another digest algorithm over the documents and all that is there, before the algorithm used so far ends
// [RFC 4998 5.3]. The record must be in ASN.1 and hold for the documents.
func Rehash(ctx context.Context, stamper tsp.Stamper, h crypto.Hash, record []byte, documents []xades.Document) ([]byte, error) {
	r, err := parseASN1(record)
	if err != nil {
		return nil, err
	}
	if result := r.Check(documents); result.Err() != nil {
		return nil, result.Err()
	}
	before := sum(h, sequenceOf(r.Chains))
	var digests [][]byte
	for _, d := range documents {
		digest, err := documentDigest(d, h, false, c14n.Method{})
		if err != nil {
			return nil, err
		}
		digests = append(digests, sum(h, digest, before))
	}
	if err := r.begin(ctx, stamper, h, digests); err != nil {
		return nil, err
	}
	return r.marshal()
}

// CreateEach makes records of their own for many things, with one time-stamp: a record holds the digests of its thing and its way up the
// hash tree, and can be kept with it [RFC 4998 3.2.2].
func CreateEach(ctx context.Context, stamper tsp.Stamper, h crypto.Hash, things [][][]byte) ([][]byte, error) {
	out, err := stampEach(ctx, stamper, h, things)
	for i := range out {
		r := Record{Chains: []Chain{{Hash: h, raw: ber.Append(nil, asn1.SEQUENCE, out[i])}}}
		if out[i], err = r.marshal(); err != nil {
			return nil, err
		}
	}
	return out, err
}

// stampEach makes an ArchiveTimeStamp for each of many things, with one time-stamp over the root of their hash tree.
func stampEach(ctx context.Context, stamper tsp.Stamper, h crypto.Hash, things [][][]byte) ([][]byte, error) {
	if len(things) == 0 || len(things) > maxDocuments {
		return nil, fmt.Errorf("%w: a hash tree is over 1 to %d things, not %d", ErrLimit, maxDocuments, len(things))
	}
	groups := make([][][][]byte, len(things)) // of each thing
	level := make([]node, len(things))
	for i, digests := range things {
		if len(digests) == 0 {
			return nil, fmt.Errorf("%w: nothing to make a record over", ErrContent)
		}
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
	out := make([][]byte, len(things))
	for i, g := range groups {
		if len(g) == 1 && len(g[0]) == 1 {
			g = nil
		}
		if out[i], err = stampDER(h, g, token.Raw); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// node of a hash tree: its digest, and what stands below it.
type node struct {
	digest []byte
	things []int
}
