package eidas

import (
	"slices"
	"strconv"
	"time"

	"github.com/viadukt-eu/viadukt/eid/saml"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Request asks a proxy service to identify a person [eIDAS-MF].
type Request struct {
	ID           string
	Issued       time.Time
	From         *Party // the connector
	SPType       string // Public or Private, whether the request or the metadata say so
	ProviderName string // for the eyes of the person, "" where it is not given
	RequesterID  string // of the service within its country
	NameFormat   string // "" where any will do
	Level        Wanted
	Attributes   []RequestedAttribute
}

// RequestedAttribute is one that a request asks for.
type RequestedAttribute struct {
	Name       string
	Definition *Definition // nil for attributes of a sector
	Required   bool
	Values     []string // what some attributes of a sector carry
}

// maxProviderName is the characters of a name that nodes take.
const maxProviderName = 128

// readExtensions reads what the profile adds to an AuthnRequest. Unknown elements are errors. service says that a service of the own
// country asks, which names itself here.
func (r *Request) readExtensions(n dom.Node, service bool) *Error {
	if !n.Valid() {
		return fail("203007", "the request has no extensions")
	}
	asked := false
	for e := range n.Elements() {
		switch {
		case e.Is(Namespace, "SPType") && r.SPType == "":
			if r.SPType = e.TrimmedText(); r.SPType != Public && r.SPType != Private {
				return fail("203007", "%w", e.Errorf("%q is neither public nor private", r.SPType))
			}
		case service && e.Is(Namespace, "RequesterID") && r.RequesterID == "":
			r.RequesterID = e.TrimmedText()
		case e.Is(Namespace, "SPCountry"): // of the first version, and heeded no more
		case e.Is(Namespace, "RequestedAttributes") && !asked:
			asked = true
			if err := r.readRequested(e); err != nil {
				return err
			}
		default:
			return fail("203007", "%w", e.Errorf("not expected here"))
		}
	}
	if len(r.Attributes) == 0 {
		return fail("203007", "the request asks for no attribute")
	}
	return nil
}

func (r *Request) readRequested(n dom.Node) *Error {
	for e := range n.Elements() {
		a := RequestedAttribute{Name: e.Attr("Name"), Definition: Define(e.Attr("Name"))}
		switch {
		case !e.Is(Namespace, "RequestedAttribute") || a.Name == "":
			return fail("203007", "%w", e.Errorf("no RequestedAttribute with a Name"))
		case e.Attr("NameFormat") != saml.AttributeNameURI:
			return fail("203007", "%w", e.Errorf("NameFormat %q is not %s", e.Attr("NameFormat"), saml.AttributeNameURI))
		case slices.ContainsFunc(r.Attributes, func(x RequestedAttribute) bool { return x.Name == a.Name }):
			return fail("203007", "%w", e.Errorf("%s is asked for twice", a.Name))
		}
		if v := e.Attr("isRequired"); v != "" {
			required, err := strconv.ParseBool(v)
			if err != nil {
				return fail("203007", "%w", e.Errorf("isRequired %q is neither true nor false", v))
			}
			a.Required = required
		}
		for v := range e.Elements() {
			if !v.Is(Namespace, "AttributeValue") {
				return fail("203007", "%w", v.Errorf("not expected here"))
			}
			a.Values = append(a.Values, v.TrimmedText())
		}
		r.Attributes = append(r.Attributes, a)
	}
	return nil
}

// checkAttributes holds the attributes of a request against the profile and what the proxy service delivers [eIDAS-MF].
func (r *Request) checkAttributes(offered []saml.Attribute) *Error {
	offers := func(name string) bool {
		return slices.ContainsFunc(offered, func(a saml.Attribute) bool { return a.Name == name })
	}
	natural, legal := 0, 0
	r.Attributes = slices.DeleteFunc(r.Attributes, func(a RequestedAttribute) bool { return !a.Required && !offers(a.Name) })
	for _, a := range r.Attributes {
		switch {
		case a.Definition != nil && a.Definition.Representative:
			return fail("203024", "%s is asked for", a.Definition.FriendlyName)
		case !offers(a.Name):
			return fail("202005", "%s is required", a.Name)
		case a.Definition != nil && a.Definition.Mandatory && !a.Required:
			return fail("203021", "%s belongs to the minimum data set and is not marked as required", a.Definition.FriendlyName)
		case a.Definition == nil || !a.Definition.Mandatory:
		case a.Definition.Space == NamespaceNatural:
			natural++
		default:
			legal++
		}
	}
	for _, s := range sets[:2] {
		n := natural
		if s.space == NamespaceLegal {
			n = legal
		}
		if n > 0 && n < len(s.names) {
			return fail("203021", "%d of the %d attributes of the minimum data set are asked for", n, len(s.names))
		}
	}
	if natural+legal == 0 {
		return fail("203021", "no minimum data set is asked for")
	}
	return nil
}

// write makes the AuthnRequest.
func (r *Request) write(destination string) *saml.AuthnRequest {
	yes, no := true, false
	out := &saml.AuthnRequest{
		Header:     saml.Header{ID: r.ID, IssueInstant: r.Issued, Destination: destination, Consent: saml.ConsentUnspecified, Issuer: r.From.EntityID},
		ForceAuthn: &yes, IsPassive: &no, ProviderName: r.ProviderName,
		NameIDPolicy: &saml.NameIDPolicy{AllowCreate: &yes, Format: r.NameFormat},
	}
	if r.NameFormat == "" {
		out.NameIDPolicy.Format = saml.FormatUnspecified
	}
	r.Level.write(out)
	if r.RequesterID != "" {
		out.RequesterIDs = []string{r.RequesterID}
	}
	out.WriteExtensions = func(w *dom.Writer) {
		if r.From.SPType == "" {
			w.Element("eidas:SPType", r.SPType, "xmlns:eidas", Namespace)
		}
		w.Start("eidas:RequestedAttributes", "xmlns:eidas", Namespace)
		for _, a := range r.Attributes {
			var attrs []string
			if a.Definition != nil {
				attrs = []string{"FriendlyName", a.Definition.FriendlyName}
			}
			w.Start("eidas:RequestedAttribute", append(attrs, "Name", a.Name, "NameFormat", saml.AttributeNameURI, "isRequired", strconv.FormatBool(a.Required))...)
			for _, v := range a.Values {
				w.Element("eidas:AttributeValue", v)
			}
			w.End()
		}
		w.End()
	}
	return out
}
