package saml

import (
	"slices"

	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// LogoutRequest ends the sessions of a person [SAML2Core 3.7.1].
type LogoutRequest struct {
	Header
	NameID       NameID
	SessionIndex []string // nil: all sessions
}

// LogoutResponse answers it [SAML2Core 3.7.2].
type LogoutResponse struct {
	Header
	InResponseTo string
	Status       Status
}

// ParseLogoutRequest reads a request as [ParseAuthnRequest] does.
func ParseLogoutRequest(octets []byte, certs []*pki.Certificate, a Algorithms) (*LogoutRequest, error) {
	root, c, err := openMessage(octets, "LogoutRequest", "NotOnOrAfter", "Reason")
	if err != nil {
		return nil, err
	}
	r := new(LogoutRequest)
	if r.Header, err = readHeader(root, &c, certs, &a); err != nil {
		return nil, err
	}
	name, err := c.need(NamespaceAssertion, "NameID")
	if err != nil {
		return nil, err
	}
	id, err := readNameID(name)
	if err != nil {
		return nil, err
	}
	r.NameID = *id
	for n := c.take(NamespaceProtocol, "SessionIndex"); n.Valid(); n = c.take(NamespaceProtocol, "SessionIndex") {
		v, err := text(n)
		if err != nil {
			return nil, err
		}
		r.SessionIndex = append(r.SessionIndex, v)
	}
	return r, c.end()
}

// ParseLogoutResponse reads an answer as [ParseAuthnRequest] reads a request.
func ParseLogoutResponse(octets []byte, certs []*pki.Certificate, a Algorithms) (*LogoutResponse, error) {
	root, c, err := openMessage(octets, "LogoutResponse", "InResponseTo")
	if err != nil {
		return nil, err
	}
	r := &LogoutResponse{InResponseTo: root.Attr("InResponseTo")}
	if r.Header, err = readHeader(root, &c, certs, &a); err != nil {
		return nil, err
	}
	status, err := c.need(NamespaceProtocol, "Status")
	if err != nil {
		return nil, err
	}
	if r.Status, err = readStatus(status); err != nil {
		return nil, err
	}
	return r, c.end()
}

// openMessage parses a message with a document element of that name and attributes beside those of every message.
func openMessage(octets []byte, local string, names ...string) (dom.Node, content, error) {
	doc, err := parse(octets, limits)
	if err != nil {
		return dom.Node{}, content{}, err
	}
	root := doc.Root()
	if !root.Is(NamespaceProtocol, local) {
		return root, content{}, root.Errorf("%w: expected is %s, not %s", ErrSyntax, local, root.QName())
	}
	if err := attributes(root, slices.Concat(headerAttributes, names)...); err != nil {
		return root, content{}, err
	}
	c, err := children(root)
	return root, c, err
}

// Marshal writes a request, signed where s has an identity.
func (r *LogoutRequest) Marshal(s Signing) ([]byte, error) {
	if err := complete(r.ID, r.Issuer, r.IssueInstant); err != nil {
		return nil, err
	}
	w := dom.NewWriter(nil)
	w.Start("saml2p:LogoutRequest", r.attrs()...)
	r.write(w)
	r.NameID.write(w)
	for _, v := range r.SessionIndex {
		w.Element("saml2p:SessionIndex", v)
	}
	w.End()
	return s.enveloped(w.Bytes(), limits)
}

// Marshal writes an answer, signed where s has an identity.
func (r *LogoutResponse) Marshal(s Signing) ([]byte, error) {
	if err := complete(r.ID, r.Issuer, r.IssueInstant); err != nil {
		return nil, err
	}
	w := dom.NewWriter(nil)
	w.Start("saml2p:LogoutResponse", r.attrs(present("InResponseTo", r.InResponseTo)...)...)
	r.write(w)
	r.Status.write(w)
	w.End()
	return s.enveloped(w.Bytes(), limits)
}
