package saml

import (
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// AttributeQuery asks for attributes of a person who is named by what the extensions say [SAML2Core 3.3.2.3], in the form that STORK 2.0
// gives it: carried by the browser, with the address of the answer, and about a subject that is confirmed by bearer alone.
type AttributeQuery struct {
	Header
	ACSURL string // AssertionConsumerServiceURL, which STORK 2.0 adds
}

// ParseAttributeQuery reads a query as [ParseAuthnRequest] reads a request.
func ParseAttributeQuery(octets []byte, certs []*pki.Certificate, a Algorithms) (*AttributeQuery, error) {
	root, c, err := openMessage(octets, "AttributeQuery", "AssertionConsumerServiceURL")
	if err != nil {
		return nil, err
	}
	q := &AttributeQuery{ACSURL: root.Attr("AssertionConsumerServiceURL")}
	if q.Header, err = readHeader(root, &c, certs, &a); err != nil {
		return nil, err
	}
	subject, err := c.need(NamespaceAssertion, "Subject")
	if err != nil {
		return nil, err
	}
	var about Assertion
	if err := about.readSubject(subject); err != nil {
		return nil, err
	}
	if about.NameID != nil || len(about.Confirmations) != 1 || about.Confirmations[0].Method != ConfirmationBearer {
		return nil, subject.Errorf("%w: the subject has a confirmation by bearer and nothing else", ErrSyntax)
	}
	return q, c.end()
}

// Marshal writes a query, signed where s has an identity.
func (q *AttributeQuery) Marshal(s Signing) ([]byte, error) {
	if err := complete(q.ID, q.Issuer, q.IssueInstant); err != nil {
		return nil, err
	}
	w := dom.NewWriter(nil)
	w.Start("saml2p:AttributeQuery", q.attrs(present("AssertionConsumerServiceURL", q.ACSURL)...)...)
	q.write(w)
	w.Start("saml2:Subject")
	w.Element("saml2:SubjectConfirmation", "", "Method", ConfirmationBearer)
	w.End()
	w.End()
	return s.enveloped(w.Bytes(), limits)
}
