package saml

import (
	"slices"
)

// Claim is what a message says of itself before anything of it is believed: to find the keys that it is to be checked with,
// and the request that it answers.
type Claim struct {
	Name         string // "AuthnRequest", "Response", ...
	ID, Issuer   string
	InResponseTo string
}

// Peek reads the claim of a message. The octets stay the caller's.
func Peek(octets []byte) (*Claim, error) {
	doc, err := parse(slices.Clone(octets), limits)
	if err != nil {
		return nil, err
	}
	root := doc.Root()
	if root.Space() != NamespaceProtocol {
		return nil, root.Errorf("%w: %s is no message", ErrSyntax, root.QName())
	}
	return &Claim{Name: root.Local(), ID: root.Attr("ID"), Issuer: root.Child(NamespaceAssertion, "Issuer").TrimmedText(), InResponseTo: root.Attr("InResponseTo")}, nil
}
