package xmldsig

import (
	"bytes"
	"fmt"
	"io"
	"slices"

	"github.com/viadukt-eu/viadukt/xmlcore/c14n"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// data is what one transform hands to the next: a node-set, or octets [XMLDSIG 4.4.3.2].
type data struct {
	nodes  nodes // counts where the apex is valid
	octets []byte
}

// nodes is a node-set as the transforms in use make it: one subtree, or the whole document, less some subtrees.
type nodes struct {
	apex     dom.Node
	except   []dom.Node
	comments bool
	set      *nodeSet // once a transform by XPath kept other nodes than those; then apex and except no longer count
}

// outcome says what a chain of transforms left of the node-set it began with.
type outcome struct {
	whole    bool       // the digested octets are the canonical form of the node-set less except
	except   []dom.Node // removed by enveloped-signature
	comments bool       // comments were digested too
}

// chain runs the transforms of one reference. sig is the signature that holds it, zero where there is none.
type chain struct {
	sig    dom.Node
	budget int   // nodes that the references of the signature may yet pass through transforms
	steps  int64 // of expressions that they have taken
	limits dom.Limits
	rest   c14n.Method // of a node-set that is left over; zero: inclusive, without comments [XMLDSIG 4.4.3.2]
}

// A thousand references to a whole document, thirty transforms each, would take hours for the largest documents: the
// document may pass a few dozen times, and small ones as often as the other limits allow.
const (
	budgetPerNode = 64
	budgetBase    = 1 << 20
)

// digest runs the transforms over d and writes the octets to be digested into w. A chain of enveloped-signature and one
// canonicalisation, in whatever number, streams from the document into w.
func (c *chain) digest(w io.Writer, d data, transforms []Transform) (outcome, error) {
	untouched := d.nodes.apex.Valid() // d is still the node-set that was referenced
	for i := range transforms {
		t := &transforms[i]
		last := i == len(transforms)-1
		switch {
		case t.Algorithm == Enveloped:
			if err := c.enveloped(&d, transforms[i+1:]); err != nil {
				return outcome{}, err
			}
		case t.filters != nil:
			if err := d.parse(c.limits); err != nil {
				return outcome{}, err
			}
			if err := c.apply(&d, t.filters); err != nil {
				return outcome{}, err
			}
		case t.Algorithm == Base64:
			if last {
				return outcome{}, d.writeBase64(w)
			}
			var b bytes.Buffer
			if err := d.writeBase64(&b); err != nil {
				return outcome{}, err
			}
			d, untouched = data{octets: b.Bytes()}, false
		case t.Method.Algorithm != "":
			if err := d.parse(c.limits); err != nil {
				return outcome{}, err
			}
			if last {
				o := outcome{untouched && d.nodes.set == nil, d.nodes.except, d.nodes.comments && keepsComments(t.Method.Algorithm)}
				return o, d.nodes.write(w, t.Method)
			}
			var b bytes.Buffer
			if err := d.nodes.write(&b, t.Method); err != nil {
				return outcome{}, err
			}
			d, untouched = data{octets: b.Bytes()}, false
		default: // attachment transforms have no meaning inside the document
			return outcome{}, fmt.Errorf("%w: transform %q on a part of the document", ErrAlgorithm, t.Algorithm)
		}
	}
	if !d.nodes.apex.Valid() {
		_, err := w.Write(d.octets)
		return outcome{}, err
	}
	o := outcome{whole: untouched && d.nodes.set == nil, except: d.nodes.except}
	if c.rest.Algorithm == "" {
		return o, d.nodes.write(w, c14n.Method{Algorithm: c14n.Inclusive10})
	}
	return o, d.nodes.write(w, c.rest)
}

// enveloped removes the Signature that holds the reference [XMLDSIG 6.6.4]. A reference to that Signature itself would
// sign the empty node-set and look like content. One into it loses nothing, as with the Java implementations, where the
// letter of the clause would remove all of it: what is digested is the element. With them and here the letter holds where a transform by
// XPath follows, which makes a set of nodes of it.
func (c *chain) enveloped(d *data, rest []Transform) error {
	filtered := slices.ContainsFunc(rest, func(t Transform) bool { return t.filters != nil })
	switch {
	case !d.nodes.apex.Valid(), !c.sig.Valid(), d.nodes.apex.Document() != c.sig.Document():
		return fmt.Errorf("%w: enveloped-signature needs nodes of the signature's document [XMLDSIG 6.6.4]", ErrReference)
	case d.nodes.set != nil:
		d.nodes.set.dropAll(c.sig)
	case d.nodes.apex == c.sig:
		return fmt.Errorf("%w: enveloped-signature removes all that is referenced", ErrReference)
	case filtered && c.sig.Contains(d.nodes.apex):
		d.nodes.set = newNodeSet(d.nodes.apex.Document())
	case d.nodes.apex.Contains(c.sig) && !slices.Contains(d.nodes.except, c.sig):
		d.nodes.except = append(d.nodes.except, c.sig)
	}
	return nil
}

// parse makes nodes of octets where a transform needs nodes.
func (d *data) parse(lim dom.Limits) error {
	if d.nodes.apex.Valid() {
		return nil
	}
	doc, err := dom.Parse(d.octets, lim)
	if err != nil {
		return fmt.Errorf("%w: a transform needs XML: %v", ErrReference, err)
	}
	*d = data{nodes: nodes{apex: doc.Node(), comments: true}}
	return nil
}

// write streams the canonical form into w. A node-set without comments has none to write, whatever the method says.
func (s *nodes) write(w io.Writer, m c14n.Method) error {
	if !s.comments {
		_, m.Algorithm, _ = canonicalization([]byte(m.Algorithm))
	}
	if s.set != nil {
		return m.WriteSet(w, s.apex.Document(), s.set)
	}
	return m.Write(w, s.apex, s.except...)
}

func keepsComments(method string) bool {
	_, without, _ := canonicalization([]byte(method))
	return without != method
}

// writeBase64 decodes octets, or the text nodes of a node-set, into w [XMLDSIG 6.6.2].
func (d *data) writeBase64(w io.Writer) error {
	b := base64Writer{w: w}
	err := d.eachText(b.write)
	if err == nil {
		err = b.close()
	}
	if err != nil {
		return fmt.Errorf("%w: base64 transform: %v", ErrReference, err)
	}
	return nil
}

func (d *data) eachText(yield func([]byte) error) error {
	if !d.nodes.apex.Valid() {
		return yield(d.octets)
	}
	for n := range d.nodes.apex.Descendants() {
		if n.Kind() != dom.TextNode || d.nodes.excepts(n) || d.nodes.set != nil && !d.nodes.set.has(n.Index()) {
			continue
		}
		if err := yield(n.Value()); err != nil {
			return err
		}
	}
	return nil
}

func (s *nodes) excepts(n dom.Node) bool {
	for _, e := range s.except {
		if e.Contains(n) {
			return true
		}
	}
	return false
}

// DigestOctets is the digest of octets from outside the document after a reference's transforms, for the use of
// [VerifyOptions.External]. Attachment transforms are the caller's affair: they must have been taken off.
func DigestOctets(octets []byte, transforms []Transform, digestMethod string) ([]byte, error) {
	alg := digests[digestMethod]
	if alg == nil {
		return nil, fmt.Errorf("%w: digest method %q", ErrAlgorithm, digestMethod)
	}
	if len(transforms) > 0 {
		octets = bytes.Clone(octets) // the parser keeps what it parses
	}
	h := alg.get()
	defer alg.put(h)
	c := chain{budget: budgetPerNode*len(octets) + budgetBase}
	if _, err := c.digest(h, data{octets: octets}, transforms); err != nil {
		return nil, err
	}
	return h.Sum(nil), nil
}
