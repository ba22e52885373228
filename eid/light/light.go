// Package light is the interface between an eIDAS node and the national part of it, version 1.2: a request or response in XML
// that one hands to the other, and the token by which the browser says which one.
//
// Whoever keeps the objects gives each away once: a token that comes twice finds nothing.
package light

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/viadukt-eu/viadukt/eid/saml"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Namespaces of the two objects.
const (
	NamespaceRequest  = "http://cef.eidas.eu/LightRequest"
	NamespaceResponse = "http://cef.eidas.eu/LightResponse"
)

// ErrSyntax: an object is not as its schema says.
var ErrSyntax = errors.New("light: not as the schema says")

var limits = dom.Limits{Bytes: saml.MaxBytes, Depth: 8, Nodes: 1 << 14, Attributes: 1 << 12, AttributesPerElement: 16, NameBytes: 128}

// Request asks the other part to identify a person.
type Request struct {
	Country      string // citizenCountryCode: of the person
	ID           string
	Issuer       string
	Levels       []Level
	NameIDFormat string // "" where any will do
	ProviderName string
	SPType       string // public or private, "" where the metadata say so
	SPCountry    string
	RequesterID  string
	RelayState   string
	Attributes   []Attribute // asked for, with values only where one is given along
}

// Level is a level of assurance that is asked for.
type Level struct {
	URI         string
	NonNotified bool
}

// Attribute is one by its full name. Of a value in two scripts the Latin one comes first.
type Attribute struct {
	Name   string
	Values []string
}

// Response says who the person is, or why that is not known.
type Response struct {
	ID, InResponseTo string
	Consent          string
	Issuer           string
	IPAddress        string
	RelayState       string
	Subject          string
	SubjectFormat    string
	Level            string
	Failure          bool
	Status           saml.Status
	Attributes       []Attribute
}

var formats = []string{saml.FormatPersistent, saml.FormatTransient, saml.FormatUnspecified, "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress",
	"urn:oasis:names:tc:SAML:1.1:nameid-format:X509SubjectName", "urn:oasis:names:tc:SAML:1.1:nameid-format:WindowsDomainQualifiedName",
	"urn:oasis:names:tc:SAML:2.0:nameid-format:kerberos", saml.FormatEntity, "urn:oasis:names:tc:SAML:2.0:nameid-format:encrypted"}

var consents = []string{saml.ConsentUnspecified, saml.ConsentObtained, "urn:oasis:names:tc:SAML:2.0:consent:prior", "urn:oasis:names:tc:SAML:2.0:consent:current-implicit",
	"urn:oasis:names:tc:SAML:2.0:consent:current-explicit", "urn:oasis:names:tc:SAML:2.0:consent:unavailable", "urn:oasis:names:tc:SAML:2.0:consent:inapplicable"}

var (
	statuses    = []string{saml.StatusSuccess, saml.StatusRequester, saml.StatusResponder, saml.StatusVersionMismatch}
	subStatuses = []string{saml.StatusAuthnFailed, saml.StatusInvalidAttrNameOrValue, saml.StatusInvalidNameIDPolicy, saml.StatusRequestDenied}
)

// reader takes the children of an element in the order of the schema.
type reader struct {
	parent, next dom.Node
	err          error
}

func read(n dom.Node) *reader { return &reader{parent: n, next: n.FirstElement()} }

func (r *reader) fail(n dom.Node, format string, args ...any) {
	if r.err == nil {
		r.err = n.Errorf("%w: "+format, append([]any{ErrSyntax}, args...)...)
	}
}

// take returns the next child if it has this name.
func (r *reader) take(local string) dom.Node {
	n := r.next
	if r.err != nil || !n.Valid() || !n.Is(r.parent.Space(), local) {
		return dom.Node{}
	}
	r.next = n.NextElement()
	return n
}

// text reads a child of text; of a list, what it may hold.
func (r *reader) text(local string, required bool, list []string) string {
	n := r.take(local)
	if !n.Valid() {
		if required {
			r.fail(r.parent, "%s is missing", local)
		}
		return ""
	}
	if c := n.FirstElement(); c.Valid() {
		r.fail(c, "not expected here")
	}
	v := n.TrimmedText()
	if list != nil && !slices.Contains(list, v) {
		r.fail(n, "%q is none of those that may stand here", v)
	}
	if required && v == "" {
		r.fail(n, "it is empty")
	}
	return v
}

func (r *reader) end() error {
	if r.err == nil && r.next.Valid() {
		r.fail(r.next, "not expected here")
	}
	return r.err
}

func open(octets []byte, space, local string) (dom.Node, error) {
	doc, err := dom.Parse(octets, limits)
	if err != nil {
		return dom.Node{}, fmt.Errorf("%w: %w", ErrSyntax, err)
	}
	if root := doc.Root(); root.Is(space, local) {
		return root, nil
	}
	return dom.Node{}, doc.Root().Errorf("%w: expected is %s", ErrSyntax, local)
}

// ParseRequest reads a lightRequest.
func ParseRequest(octets []byte) (*Request, error) {
	root, err := open(octets, NamespaceRequest, "lightRequest")
	if err != nil {
		return nil, err
	}
	r := read(root)
	q := &Request{Country: r.text("citizenCountryCode", true, nil), ID: r.text("id", true, nil), Issuer: r.text("issuer", true, nil)}
	for n := r.take("levelOfAssurance"); n.Valid(); n = r.take("levelOfAssurance") {
		l := Level{URI: n.TrimmedText()}
		switch n.Attr("type") {
		case "", "notified":
		case "nonNotified":
			l.NonNotified = true
		default:
			r.fail(n, "type %q is neither notified nor nonNotified", n.Attr("type"))
		}
		q.Levels = append(q.Levels, l)
	}
	if len(q.Levels) == 0 {
		r.fail(root, "levelOfAssurance is missing")
	}
	q.NameIDFormat, q.ProviderName = r.text("nameIdFormat", false, formats), r.text("providerName", false, nil)
	q.SPType, q.SPCountry = r.text("spType", false, []string{"public", "private"}), r.text("spCountryCode", false, nil)
	q.RequesterID, q.RelayState = r.text("requesterId", false, nil), r.text("relayState", false, nil)
	q.Attributes = r.attributes("requestedAttributes", 1, 0)
	return q, r.end()
}

// ParseResponse reads a lightResponse.
func ParseResponse(octets []byte) (*Response, error) {
	root, err := open(octets, NamespaceResponse, "lightResponse")
	if err != nil {
		return nil, err
	}
	r := read(root)
	a := &Response{ID: r.text("id", true, nil), InResponseTo: r.text("inResponseToId", true, nil), Consent: r.text("consent", false, consents), Issuer: r.text("issuer", true, nil),
		IPAddress: r.text("ipAddress", false, nil), RelayState: r.text("relayState", false, nil), Subject: r.text("subject", false, nil),
		SubjectFormat: r.text("subjectNameIdFormat", false, formats), Level: r.text("levelOfAssurance", false, nil)}
	status := r.take("status")
	if !status.Valid() {
		r.fail(root, "status is missing")
		return nil, r.err
	}
	s := read(status)
	if v := s.text("failure", false, []string{"true", "false", "1", "0"}); v != "" {
		a.Failure, err = strconv.ParseBool(v)
	}
	a.Status.Code, a.Status.SubCode, a.Status.Message = s.text("statusCode", false, statuses), s.text("subStatusCode", false, subStatuses), s.text("statusMessage", false, nil)
	if err := errors.Join(err, s.end()); err != nil {
		return nil, err
	}
	a.Attributes = r.attributes("attributes", 0, 1)
	if !a.Failure && (a.Status.Code == "" || a.Status.Success()) && (a.Subject == "" || a.SubjectFormat == "" || a.Level == "") {
		r.fail(root, "a success needs subject, subjectNameIdFormat and levelOfAssurance")
	}
	return a, r.end()
}

// attributes reads the list of attributes; least are how many of them, and of their values, there have to be.
func (r *reader) attributes(local string, least, leastValues int) (out []Attribute) {
	list := r.take(local)
	if !list.Valid() {
		r.fail(r.parent, "%s is missing", local)
		return nil
	}
	in := read(list)
	for n := in.take("attribute"); n.Valid(); n = in.take("attribute") {
		x := read(n)
		a := Attribute{Name: x.text("definition", true, nil)}
		for v := x.take("value"); v.Valid(); v = x.take("value") {
			a.Values = append(a.Values, strings.TrimSpace(v.Text()))
		}
		if len(a.Values) < leastValues {
			x.fail(n, "value is missing")
		}
		if err := x.end(); err != nil && in.err == nil {
			in.err = err
		}
		out = append(out, a)
	}
	if len(out) < least {
		in.fail(list, "attribute is missing")
	}
	if err := in.end(); err != nil && r.err == nil {
		r.err = err
	}
	return out
}

// Marshal writes a request.
func (q *Request) Marshal() []byte {
	w := dom.NewWriter(nil)
	w.Start("lightRequest", "xmlns", NamespaceRequest)
	w.Element("citizenCountryCode", q.Country)
	w.Element("id", q.ID)
	w.Element("issuer", q.Issuer)
	for _, l := range q.Levels {
		if l.NonNotified {
			w.Element("levelOfAssurance", l.URI, "type", "nonNotified")
		} else {
			w.Element("levelOfAssurance", l.URI)
		}
	}
	optional(w, "nameIdFormat", q.NameIDFormat, "providerName", q.ProviderName, "spType", q.SPType, "spCountryCode", q.SPCountry, "requesterId", q.RequesterID, "relayState", q.RelayState)
	writeAttributes(w, "requestedAttributes", q.Attributes)
	w.End()
	return w.Bytes()
}

// Marshal writes a response.
func (a *Response) Marshal() []byte {
	w := dom.NewWriter(nil)
	w.Start("lightResponse", "xmlns", NamespaceResponse)
	w.Element("id", a.ID)
	w.Element("inResponseToId", a.InResponseTo)
	optional(w, "consent", a.Consent)
	w.Element("issuer", a.Issuer)
	optional(w, "ipAddress", a.IPAddress, "relayState", a.RelayState, "subject", a.Subject, "subjectNameIdFormat", a.SubjectFormat, "levelOfAssurance", a.Level)
	w.Start("status")
	w.Element("failure", strconv.FormatBool(a.Failure))
	optional(w, "statusCode", a.Status.Code, "subStatusCode", a.Status.SubCode, "statusMessage", a.Status.Message)
	w.End()
	writeAttributes(w, "attributes", a.Attributes)
	w.End()
	return w.Bytes()
}

func optional(w *dom.Writer, pairs ...string) {
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			w.Element(pairs[i], pairs[i+1])
		}
	}
}

func writeAttributes(w *dom.Writer, local string, list []Attribute) {
	w.Start(local)
	for _, a := range list {
		w.Start("attribute")
		w.Element("definition", a.Name)
		for _, v := range a.Values {
			w.Element("value", v)
		}
		w.End()
	}
	w.End()
}
