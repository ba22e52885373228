package xmlenc

import (
	"bytes"
	"encoding/base64"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// cursor reads the element children of one element in the order of its schema.
type cursor struct{ parent, at dom.Node }

func read(n dom.Node) cursor { return cursor{n, n.FirstElement()} }

// take is the next child when it has this name, and the zero node when it has not.
func (c *cursor) take(space, local string) dom.Node {
	n := c.at
	if !n.Valid() || !n.Is(space, local) {
		return dom.Node{}
	}
	c.at = n.NextElement()
	return n
}

func (c *cursor) need(space, local string) (dom.Node, error) {
	n := c.take(space, local)
	if n.Valid() {
		return n, nil
	}
	if c.at.Valid() {
		return n, c.at.Errorf("%w: %s stands where %s is due", ErrStructure, c.at.QName(), local)
	}
	return n, c.parent.Errorf("%w: %s is missing", ErrStructure, local)
}

// end refuses what is left over: an element unknown, out of order, or there twice.
func (c *cursor) end() error {
	if !c.at.Valid() {
		return nil
	}
	return c.at.Errorf("%w: %s is not expected here", ErrStructure, c.at.QName())
}

// wrong puts a place to an error of the crypto half, which knows none.
func wrong(n dom.Node, err error) error {
	if err == nil {
		return nil
	}
	return n.Errorf("%w", err)
}

func algorithm(n dom.Node) (string, error) {
	uri := n.Attr("Algorithm")
	if uri == "" {
		return "", n.Errorf("%w: no Algorithm", ErrStructure)
	}
	return uri, nil
}

// maxValue bounds the base64 values around a key: an RSA key of 16,384 bits encrypts to 2,048 octets.
const maxValue = 4096

// value decodes base64 text of up to limit octets; limit 0 is none beyond the document's own.
func value(n dom.Node, limit int) ([]byte, error) {
	if n.FirstElement().Valid() {
		return nil, n.Errorf("%w: an element inside base64", ErrStructure)
	}
	var text []byte
	if only := n.FirstChild(); only.Valid() && only.Kind() == dom.TextNode && !only.NextSibling().Valid() {
		text = only.Value()
	} else {
		text = []byte(n.Text())
	}
	if limit > 0 && len(text) > 2*limit { // white space may double what base64 adds a third to
		return nil, n.Errorf("%w: %d octets of base64, at most %d expected", ErrStructure, len(text), 2*limit)
	}
	if bytes.ContainsAny(text, " \t") { // the decoder skips only line ends by itself
		dense := make([]byte, 0, len(text))
		for _, c := range text {
			if c != ' ' && c != '\t' {
				dense = append(dense, c)
			}
		}
		text = dense
	}
	out := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	m, err := base64.StdEncoding.Decode(out, text)
	if err != nil {
		return nil, n.Errorf("%w: no base64", ErrStructure)
	}
	if limit > 0 && m > limit {
		return nil, n.Errorf("%w: %d octets, at most %d expected", ErrStructure, m, limit)
	}
	return out[:m], nil
}
