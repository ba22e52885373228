// Package saml reads and writes messages and metadata of SAML 2.0: authentication requests, attribute queries, responses with their
// assertions, logout, the two browser bindings, and entity descriptors [SAML2Core, SAML2Bind, SAML2Prof, SAML2Meta].
//
// It knows no scheme of any country: what the profiles of cross-border networks add stands in packages above.
//
// # What was signed is what is read
//
// A message is read from its document element down, each child at the place that the schema gives it, and everything
// else is refused: an element moved, doubled or unknown is an error and never passed over. The signature has to be a
// child of the element it signs, with one reference to that very element and no transform that could leave a part
// out [SAML2Core 5.4]. So there is no second element of the same name that a reader could be led to.
//
// Keys are those that the caller names, out of metadata which it trusts. Certificates within a message choose among
// them and prove nothing by themselves.
//
// # Refused on purpose
//
// Document type declarations; SHA-1 and keys below the limits of [Algorithms]; transforms other than the two of
// [SAML2Core 5.4.4]; AES-CBC; RSA PKCS#1 1.5 key transport; responses of which neither the whole nor the assertion is
// signed; the artifact and SOAP bindings.
package saml

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Namespaces.
const (
	NamespaceProtocol  = "urn:oasis:names:tc:SAML:2.0:protocol"
	NamespaceAssertion = "urn:oasis:names:tc:SAML:2.0:assertion"
	NamespaceMetadata  = "urn:oasis:names:tc:SAML:2.0:metadata"

	namespaceXSI  = "http://www.w3.org/2001/XMLSchema-instance"
	namespaceXS   = "http://www.w3.org/2001/XMLSchema"
	namespaceXenc = "http://www.w3.org/2001/04/xmlenc#"
)

// Identifiers of [SAML2Core 8].
const (
	FormatEntity      = "urn:oasis:names:tc:SAML:2.0:nameid-format:entity"
	FormatPersistent  = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
	FormatTransient   = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
	FormatUnspecified = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"

	AttributeNameURI = "urn:oasis:names:tc:SAML:2.0:attrname-format:uri"

	ConsentUnspecified = "urn:oasis:names:tc:SAML:2.0:consent:unspecified"
	ConsentObtained    = "urn:oasis:names:tc:SAML:2.0:consent:obtained"

	ConfirmationBearer      = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
	ConfirmationHolderOfKey = "urn:oasis:names:tc:SAML:2.0:cm:holder-of-key"
)

// Bindings [SAML2Bind 3].
const (
	BindingPOST     = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
	BindingRedirect = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
	BindingSOAP     = "urn:oasis:names:tc:SAML:2.0:bindings:SOAP"
)

// Status codes [SAML2Core 3.2.2.2]: the first four stand at the top, others below one of these.
const (
	StatusSuccess         = "urn:oasis:names:tc:SAML:2.0:status:Success"
	StatusRequester       = "urn:oasis:names:tc:SAML:2.0:status:Requester"
	StatusResponder       = "urn:oasis:names:tc:SAML:2.0:status:Responder"
	StatusVersionMismatch = "urn:oasis:names:tc:SAML:2.0:status:VersionMismatch"

	StatusAuthnFailed            = "urn:oasis:names:tc:SAML:2.0:status:AuthnFailed"
	StatusInvalidAttrNameOrValue = "urn:oasis:names:tc:SAML:2.0:status:InvalidAttrNameOrValue"
	StatusInvalidNameIDPolicy    = "urn:oasis:names:tc:SAML:2.0:status:InvalidNameIDPolicy"
	StatusNoAuthnContext         = "urn:oasis:names:tc:SAML:2.0:status:NoAuthnContext"
	StatusNoPassive              = "urn:oasis:names:tc:SAML:2.0:status:NoPassive"
	StatusRequestDenied          = "urn:oasis:names:tc:SAML:2.0:status:RequestDenied"
)

// What a message is refused for. Errors of places in a message are also a [*dom.Error].
var (
	ErrSyntax       = errors.New("saml: not as the schema says")
	ErrSignature    = errors.New("saml: signature missing, or not of a known key")
	ErrAlgorithm    = errors.New("saml: algorithm or key not accepted")
	ErrDecrypt      = errors.New("saml: does not decrypt")
	ErrTime         = errors.New("saml: not valid at this time")
	ErrIssuer       = errors.New("saml: of another issuer")
	ErrDestination  = errors.New("saml: meant for another address")
	ErrAudience     = errors.New("saml: meant for another audience")
	ErrUnsolicited  = errors.New("saml: answers another request, or none")
	ErrConfirmation = errors.New("saml: subject is not confirmed")
	ErrTooLarge     = errors.New("saml: message too large")
)

// MaxBytes is the size up to which messages are read, the limit that the nodes of the networks keep, too.
const MaxBytes = 131072

// limits of a message. The networks' own messages are below a tenth of each.
var limits = dom.Limits{Bytes: MaxBytes, Depth: 32, Nodes: 1 << 15, Attributes: 1 << 13, AttributesPerElement: 32, NameBytes: 256}

func parse(octets []byte, lim dom.Limits) (*dom.Document, error) {
	if len(octets) > lim.Bytes {
		return nil, fmt.Errorf("%w: %d octets, at most %d are read", ErrTooLarge, len(octets), lim.Bytes)
	}
	doc, err := dom.Parse(octets, lim)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSyntax, err)
	}
	return doc, nil
}

// NewID returns an identifier of 128 random bits [SAML2Core 1.3.4]; random nil: crypto/rand.
func NewID(random io.Reader) (string, error) {
	if random == nil {
		random = rand.Reader
	}
	var b [16]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", fmt.Errorf("saml: no random octets: %w", err)
	}
	return "_" + hex.EncodeToString(b[:]), nil
}

// content walks the child elements of an element in the order that a schema gives.
type content struct{ parent, next dom.Node }

// children starts a walk. Text between the elements is refused.
func children(n dom.Node) (content, error) {
	for c := range n.Children() {
		if c.Kind() == dom.TextNode && strings.Trim(string(c.Value()), " \t\r\n") != "" {
			return content{}, c.Errorf("%w: text between elements", ErrSyntax)
		}
	}
	return content{n, n.FirstElement()}, nil
}

// take returns the next child and goes on if it has this name, else the zero Node.
func (c *content) take(space, local string) dom.Node {
	n := c.next
	if !n.Valid() || !n.Is(space, local) {
		return dom.Node{}
	}
	c.next = n.NextElement()
	return n
}

// need is take for a child that must be there.
func (c *content) need(space, local string) (dom.Node, error) {
	n := c.take(space, local)
	if n.Valid() {
		return n, nil
	}
	if c.next.Valid() {
		return n, c.next.Errorf("%w: expected is %s, not %s", ErrSyntax, local, c.next.QName())
	}
	return n, c.parent.Errorf("%w: %s is missing", ErrSyntax, local)
}

// end refuses what is left over.
func (c *content) end() error {
	if c.next.Valid() {
		return c.next.Errorf("%w: %s is not expected here", ErrSyntax, c.next.QName())
	}
	return nil
}

// attributes refuses attributes without namespace that are not named. Those of XML Schema instance and of xml: may stand anywhere.
func attributes(n dom.Node, names ...string) error {
next:
	for a := range n.Attributes() {
		switch a.Space() {
		case namespaceXSI, dom.XMLNamespace:
			continue
		case "":
			for _, name := range names {
				if a.Local() == name {
					continue next
				}
			}
		}
		return a.Errorf("%w: attribute %s is not expected here", ErrSyntax, a.QName())
	}
	return nil
}

// required returns the value of an attribute that must be there and not be empty.
func required(n dom.Node, name string) (string, error) {
	v := n.Attr(name)
	if v == "" {
		return "", n.Errorf("%w: attribute %s is missing", ErrSyntax, name)
	}
	return v, nil
}

// boolean reads an xs:boolean, nil where the attribute is absent.
func boolean(n dom.Node, name string) (*bool, error) {
	a := n.Attribute("", name)
	if !a.Valid() {
		return nil, nil
	}
	var v bool
	switch strings.Trim(string(a.Value()), " \t\r\n") {
	case "true", "1":
		v = true
	case "false", "0":
	default:
		return nil, a.Errorf("%w: %q is neither true nor false", ErrSyntax, a.Value())
	}
	return &v, nil
}

// timeOf reads a moment [SAML2Core 1.3.3], the zero time where the attribute is absent.
func timeOf(n dom.Node, name string) (time.Time, error) {
	a := n.Attribute("", name)
	if !a.Valid() {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, strings.Trim(string(a.Value()), " \t\r\n"))
	if err != nil {
		return time.Time{}, a.Errorf("%w: %q is no time in UTC [SAML2Core 1.3.3]", ErrSyntax, a.Value())
	}
	return t.UTC(), nil
}

func formatTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// text is the value of an element that holds nothing but text, comments left aside: they are no part of what was signed.
func text(n dom.Node) (string, error) {
	if c := n.FirstElement(); c.Valid() {
		return "", c.Errorf("%w: %s is not expected here", ErrSyntax, c.QName())
	}
	return n.TrimmedText(), nil
}

// isNCName tells whether s can be an ID: what xs:ID allows, in ASCII as all senders keep to.
func isNCName(s string) bool {
	for i, r := range s {
		letter := r == '_' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || r >= 0x80
		if !letter && (i == 0 || r != '-' && r != '.' && (r < '0' || r > '9')) {
			return false
		}
	}
	return s != ""
}
