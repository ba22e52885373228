// Package c14n writes Canonical XML 1.0 [C14N10], 1.1 [C14N11] and Exclusive Canonical XML 1.0 [EXC-C14N].
//
// The octets go to an io.Writer, usually a hash, through a small buffer; no copy of the document is made. A
// subtree, with or without parts cut out, takes one pass over the arena. Node-sets that a filter chose take
// [Method.WriteSet].
//
// A document whose namespace URI is a relative reference is refused [C14N10 1.3].
package c14n

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Algorithm identifiers.
const (
	Inclusive10         = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
	Inclusive10Comments = Inclusive10 + "#WithComments"
	Inclusive11         = "http://www.w3.org/2006/12/xml-c14n11"
	Inclusive11Comments = Inclusive11 + "#WithComments"
	Exclusive10         = "http://www.w3.org/2001/10/xml-exc-c14n#"
	Exclusive10Comments = Exclusive10 + "WithComments"
)

const inclusiveNamespaces = "http://www.w3.org/2001/10/xml-exc-c14n#"

var (
	// ErrAlgorithm means that the identifier names no canonicalisation of this package.
	ErrAlgorithm = errors.New("c14n: unknown algorithm")
	// ErrRelativeNamespace means that a namespace URI is a relative reference.
	ErrRelativeNamespace = errors.New("c14n: namespace URI is a relative reference [C14N10 1.3]")
	// ErrNode means that the node cannot be the top of a canonical form.
	ErrNode = errors.New("c14n: neither document nor element, text, comment or processing instruction")
)

// Method is a canonicalisation with its parameter.
type Method struct {
	Algorithm         string
	InclusivePrefixes []string // exclusive only: treated as inclusive does; "#default" is the default namespace
}

// ParseMethod reads a ds:CanonicalizationMethod or ds:Transform element.
func ParseMethod(n dom.Node) (Method, error) {
	m := Method{Algorithm: n.Attr("Algorithm")}
	f, err := m.features()
	if err != nil {
		return m, n.Errorf("%w", err)
	}
	if !f.exclusive {
		return m, nil
	}
	found := false
	for e := range n.Elements() {
		if !e.Is(inclusiveNamespaces, "InclusiveNamespaces") {
			continue
		}
		if found {
			return m, e.Errorf("occurs twice [EXC-C14N 3]")
		}
		found = true
		m.InclusivePrefixes = strings.Fields(e.Attr("PrefixList"))
	}
	return m, nil
}

type features struct{ exclusive, v11, comments bool }

func (m Method) features() (features, error) {
	switch m.Algorithm {
	case Inclusive10:
		return features{}, nil
	case Inclusive10Comments:
		return features{comments: true}, nil
	case Inclusive11:
		return features{v11: true}, nil
	case Inclusive11Comments:
		return features{v11: true, comments: true}, nil
	case Exclusive10:
		return features{exclusive: true}, nil
	case Exclusive10Comments:
		return features{exclusive: true, comments: true}, nil
	}
	return features{}, fmt.Errorf("%w %q", ErrAlgorithm, m.Algorithm)
}

// Write writes the canonical form of the subtree below apex, for the document node the whole document, without
// the subtrees in except. Namespaces in scope at apex count, as does, unless exclusive, its inherited xml:lang
// and the like.
func (m Method) Write(w io.Writer, apex dom.Node, except ...dom.Node) error {
	f, err := m.features()
	if err != nil {
		return err
	}
	if k := apex.Kind(); k == dom.NoNode || k == dom.AttributeNode {
		return ErrNode
	}
	o := get(w, apex.Document(), f, m.InclusivePrefixes)
	err = o.subtree(apex, except)
	return o.done(err)
}

// Append appends the canonical form of a subtree to dst, as [Method.Write] writes it.
func Append(dst []byte, m Method, apex dom.Node, except ...dom.Node) ([]byte, error) {
	s := slice{dst}
	err := m.Write(&s, apex, except...)
	return s.b, err
}

type slice struct{ b []byte }

func (s *slice) Write(p []byte) (int, error) {
	s.b = append(s.b, p...)
	return len(p), nil
}
