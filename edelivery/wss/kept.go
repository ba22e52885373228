package wss

import (
	"bytes"
	"context"
	"fmt"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/trust/xmldsig"
)

// KeptDigests returns the digests that an attachment may have, by its Content-ID and the digest method of its reference;
// nil without error when its octets are not at hand.
type KeptDigests func(contentID, method string) ([][]byte, error)

// OpenKept checks the signature of an envelope that was kept without its attachments: the rules are those of [Open]. What
// is encrypted stays so, since the signature is over what was before. An attachment that is not at hand counts with the
// digest that was signed. Of the options, Suites, Known, Trust, Parse, MaxReferences, MinRSABits and the Content-IDs of
// Targets are used.
func OpenKept(env *ebms.Envelope, opt OpenOptions, digests KeptDigests) (*Opened, error) {
	o := &opener{ctx: context.Background(), env: env, opt: opt, out: &Opened{}, expected: map[string]expectation{}, kept: digests}
	if !env.Security.Valid() {
		return nil, fmt.Errorf("%w: the message carries no security", ErrPolicy)
	}
	o.ids = xmldsig.IndexIDs(env.Doc, xmldsig.IDPolicy{})
	for e := range env.Security.Elements() {
		if !e.Is(nsDS, "Signature") {
			continue
		}
		if o.signature.Valid() {
			return nil, fmt.Errorf("%w: %w", ErrPolicy, e.Errorf("second signature"))
		}
		o.signature = e
	}
	if !o.signature.Valid() {
		return nil, fmt.Errorf("%w: the message is not signed", ErrPolicy)
	}
	if err := o.verify(); err != nil {
		return nil, err
	}
	return o.out, nil
}

// keptDigest answers the reference to an attachment: the digest that was signed, where the octets have it or are not at
// hand, else the one that they have.
func (o *opener) keptDigest(cid string) ([]byte, error) {
	want := o.expected[cid]
	sums, err := o.kept(cid, want.method)
	if err != nil {
		return nil, err
	}
	for _, s := range sums {
		if bytes.Equal(s, want.digest) {
			return s, nil
		}
	}
	if len(sums) > 0 {
		return sums[0], nil
	}
	return want.digest, nil
}

// Digests are the digests that an attachment of this type may have been signed with: in the form of its type and raw.
type Digests struct{ d *contentDigest }

// NewDigests starts digesting an attachment by its type at the time of signing. Octets are written to what it returns.
func NewDigests(mimeType, digestMethod string) (*Digests, error) {
	d, err := newContentDigest(mimeType, digestMethod)
	if err != nil {
		return nil, err
	}
	return &Digests{d}, nil
}

// Write takes octets.
func (d *Digests) Write(b []byte) (int, error) { return d.d.Write(b) }

// Sums returns the digests.
func (d *Digests) Sums() [][]byte { return d.d.sums() }
