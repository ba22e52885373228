package smp

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/viadukt-eu/viadukt/edelivery/ids"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/xmlcore/c14n"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// limits of the arena; comments and attributes of a document of 1 MiB stay far below.
var limits = dom.Limits{Bytes: MaxBytes, Depth: MaxDepth, Nodes: 1 << 18, Attributes: 1 << 16, AttributesPerElement: 64, NameBytes: 256}

func parseXML(src []byte) (*dom.Document, error) {
	if len(src) > MaxBytes {
		return nil, ErrTooLarge
	}
	doc, err := dom.Parse(src, limits)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSyntax, err)
	}
	return doc, nil
}

// ParseServiceGroup reads a ServiceGroup of any generation. It takes ownership of src. A signature of a 2.0
// document is not looked at: see [VerifyGroup].
func ParseServiceGroup(src []byte) (*ServiceGroup, error) {
	doc, err := parseXML(src)
	if err != nil {
		return nil, err
	}
	return readGroup(doc)
}

func readGroup(doc *dom.Document) (*ServiceGroup, error) {
	root := doc.Root()
	var sg *ServiceGroup
	var err error
	switch {
	case root.Is(NamespaceGroup20, "ServiceGroup"):
		sg, err = reader20{}.group(root)
	case root.Local() == "ServiceGroup" && vocabularyOf(root.Space()) != nil:
		sg, err = reader10{vocabularyOf(root.Space())}.group(root)
	default:
		return nil, wrongRoot(root, "ServiceGroup")
	}
	if err != nil {
		return nil, syntax(err)
	}
	return sg, nil
}

// ParseServiceMetadata reads the metadata of one document type, of any generation, signed or not, WITHOUT looking at
// the signature: it is for documents that are ours, or already trusted. It takes ownership of src.
func ParseServiceMetadata(src []byte) (*ServiceMetadata, error) {
	doc, err := parseXML(src)
	if err != nil {
		return nil, err
	}
	return readMetadata(doc)
}

func readMetadata(doc *dom.Document) (*ServiceMetadata, error) {
	root := doc.Root()
	var md *ServiceMetadata
	var err error
	switch v := vocabularyOf(root.Space()); {
	case root.Is(NamespaceMeta20, "ServiceMetadata"):
		md, err = reader20{}.metadata(root)
	case v != nil && root.Local() == "SignedServiceMetadata":
		c := open(root)
		inner := c.take(v.smp, "ServiceMetadata")
		c.take(nsDS, "Signature")
		if err = c.close(inner); err == nil {
			md, err = reader10{v}.metadata(inner)
		}
	case v != nil && root.Local() == "ServiceMetadata":
		md, err = reader10{v}.metadata(root)
	default:
		return nil, wrongRoot(root, "SignedServiceMetadata or ServiceMetadata")
	}
	if err != nil {
		return nil, syntax(err)
	}
	return md, nil
}

func wrongRoot(root dom.Node, want string) error {
	return fmt.Errorf("%w: {%s}%s instead of %s", ErrRoot, root.Space(), root.Local(), want)
}

func syntax(err error) error {
	if errors.Is(err, ErrSyntax) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrSyntax, err)
}

// cursor walks the element children of one element in the order of the schema.
type cursor struct{ parent, next dom.Node }

func open(n dom.Node) cursor { return cursor{n, n.FirstElement()} }

// take returns the next element if it has this name; otherwise no node, and the cursor stays.
func (c *cursor) take(space, local string) dom.Node {
	n := c.next
	if !n.Valid() || !n.Is(space, local) {
		return dom.Node{}
	}
	c.next = n.NextElement()
	return n
}

// close refuses what is left over, and absent required elements.
func (c *cursor) close(required ...dom.Node) error {
	if err := c.need(required...); err != nil {
		return err
	}
	if c.next.Valid() {
		return c.next.Errorf("%w: unexpected element %s", ErrSyntax, c.next.QName())
	}
	return nil
}

func (c *cursor) need(required ...dom.Node) error {
	for _, n := range required {
		if n.Valid() {
			continue
		}
		if c.next.Valid() {
			return c.next.Errorf("%w: unexpected element %s, a required one should stand before it", ErrSyntax, c.next.QName())
		}
		return c.parent.Errorf("%w: a required element is missing at the end", ErrSyntax)
	}
	return nil
}

func text(n dom.Node) string {
	if !n.Valid() {
		return ""
	}
	return n.TrimmedText()
}

func attr(n dom.Node, name string) string { return strings.Trim(n.Attr(name), " \t\r\n") }

func participantOf(n dom.Node, schemeAttr string) (ids.Participant, error) {
	p, err := ids.NewParticipant(n.Attr(schemeAttr), n.Text())
	return p, at(n, err)
}

func documentOf(n dom.Node, schemeAttr string) (ids.DocumentType, error) {
	d, err := ids.NewDocumentType(n.Attr(schemeAttr), n.Text())
	return d, at(n, err)
}

func processOf(n dom.Node, schemeAttr string) (ids.Process, error) {
	p, err := ids.NewProcess(n.Attr(schemeAttr), n.Text())
	return p, at(n, err)
}

func at(n dom.Node, err error) error {
	if err == nil {
		return nil
	}
	return n.Errorf("%w", err)
}

// certificateOf reads base64 DER; servers in the wild add PEM armour, line breaks and blanks. Empty is no
// certificate: endpoints of profiles that need none leave the required element empty.
func certificateOf(n dom.Node) (*pki.Certificate, error) {
	s := text(n)
	if rest, armour := strings.CutPrefix(s, "-----BEGIN CERTIFICATE-----"); armour {
		s, _, _ = strings.Cut(rest, "-----END CERTIFICATE-----")
	}
	if s = strings.Map(dropSpace, s); s == "" {
		return nil, nil
	}
	der, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return nil, n.Errorf("%w: certificate: %w", ErrSyntax, err)
	}
	cert, err := pki.ParseCertificate(der)
	if err != nil {
		return nil, n.Errorf("%w: certificate: %w", ErrSyntax, err)
	}
	return cert, nil
}

func dropSpace(r rune) rune {
	switch r {
	case ' ', '\t', '\r', '\n':
		return -1
	}
	return r
}

// extensionOf keeps the child elements in canonical form, which carries all namespaces in scope: names inside
// attribute values and text keep their meaning.
func extensionOf(g Generation, n dom.Node) (Extension, error) {
	x := Extension{Generation: g}
	for child := range n.Elements() {
		var err error
		if x.Content, err = c14n.Append(x.Content, c14n.Method{Algorithm: c14n.Inclusive10}, child); err != nil {
			return x, n.Errorf("%w", err)
		}
	}
	return x, nil
}
