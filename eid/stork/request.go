package stork

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/eid/saml"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Request asks to authenticate a person, or, as a query of STORK 2.0, for more attributes of one who is known.
type Request struct {
	ID                  string
	Issued              time.Time
	Issuer, Destination string
	ACS                 string // where the answer goes
	ProviderName        string // empty in a query
	Query               bool   // an AttributeQuery

	QAA                                               int    // 1 to 4, the least that is asked for
	SPSector, SPInstitution, SPApplication, SPCountry string // of the service
	SectorShare, CrossSectorShare, CrossBorderShare   *bool  // whether the identifier may be shared; nil: it does not say
	Attributes                                        []RequestedAttribute
	PersonCountry, SPID                               string // of the person, and of the service where a virtual identity provider answers

	Signer *pki.Certificate // whose key signed
}

// RequestedAttribute is one that a request asks for. Values come with isAgeOver and in queries, and Node is the whole as read, for values that
// are built of elements.
type RequestedAttribute struct {
	Name, FriendlyName string
	Required           bool
	Values             []string
	Node               dom.Node
	Write              func(w *dom.Writer) // of a value that is built of elements
}

var countryPattern = regexp.MustCompile(`^[A-Z]{2}$`)

// ParseRequest reads an AuthnRequest or an AttributeQuery, signed by one of certs.
func ParseRequest(octets []byte, certs []*pki.Certificate, a saml.Algorithms) (*Request, error) {
	claim, err := saml.Peek(octets)
	if err != nil {
		return nil, err
	}
	r := &Request{Query: claim.Name == "AttributeQuery"}
	var h *saml.Header
	var m *saml.AuthnRequest
	if r.Query {
		q, err := saml.ParseAttributeQuery(octets, certs, a)
		if err != nil {
			return nil, err
		}
		h, r.ACS = &q.Header, q.ACSURL
	} else {
		if m, err = saml.ParseAuthnRequest(octets, certs, a); err != nil {
			return nil, err
		}
		h, r.ACS, r.ProviderName = &m.Header, m.ACSURL, m.ProviderName
	}
	r.ID, r.Issued, r.Issuer, r.Destination, r.Signer = h.ID, h.IssueInstant, h.Issuer, h.Destination, h.Signer
	switch {
	case h.Signer == nil:
		return nil, fmt.Errorf("%w: the request is not signed", saml.ErrSignature)
	case h.Issuer == "" || h.IssuerFormat != "" && h.IssuerFormat != saml.FormatEntity:
		return nil, fmt.Errorf("%w: the issuer is missing, or of another format than entity", ErrProfile)
	case h.Consent != "" && h.Consent != saml.ConsentUnspecified:
		return nil, fmt.Errorf("%w: Consent %s", ErrProfile, h.Consent)
	case r.ACS == "":
		return nil, fmt.Errorf("%w: AssertionConsumerServiceURL is missing", ErrProfile)
	}
	if m != nil {
		switch {
		case m.ForceAuthn == nil || !*m.ForceAuthn || m.IsPassive == nil || *m.IsPassive:
			return nil, fmt.Errorf("%w: ForceAuthn has to be true and IsPassive false", ErrProfile)
		case !slices.Contains([]string{saml.BindingPOST, saml.BindingRedirect, saml.BindingSOAP}, m.ProtocolBinding):
			return nil, fmt.Errorf("%w: ProtocolBinding %q", ErrProfile, m.ProtocolBinding)
		case m.ProviderName == "" || len(m.ProviderName) > 128:
			return nil, fmt.Errorf("%w: ProviderName has 1 to 128 characters", ErrProfile)
		case m.NameIDPolicy != nil && m.NameIDPolicy.AllowCreate != nil && !*m.NameIDPolicy.AllowCreate:
			return nil, fmt.Errorf("%w: AllowCreate has to be true", ErrProfile)
		case len(m.Contexts) > 0:
			return nil, fmt.Errorf("%w: the quality of authentication stands in the extensions, not in a RequestedAuthnContext", ErrProfile)
		}
	}
	return r, r.readExtensions(h.Extensions)
}

// readExtensions reads what the profile adds, in whatever order.
func (r *Request) readExtensions(n dom.Node) error {
	if !n.Valid() {
		return fmt.Errorf("%w: the request has no extensions", ErrProfile)
	}
	seen := map[string]bool{}
	for e := range n.Elements() {
		known := e.Space() == NamespaceAssertion || e.Space() == NamespaceProtocol
		if !known || seen[e.Local()] {
			return e.Errorf("%w: not expected here", ErrProfile)
		}
		seen[e.Local()] = true
		var err error
		switch v := e.TrimmedText(); e.Local() {
		case "QualityAuthenticationAssuranceLevel":
			if r.QAA, err = strconv.Atoi(v); err != nil || r.QAA < 1 || r.QAA > 4 {
				return e.Errorf("%w: %q is no quality from 1 to 4", ErrProfile, v)
			}
		case "spSector":
			r.SPSector, err = bounded(e, v, 20)
		case "spInstitution":
			r.SPInstitution, err = bounded(e, v, 50)
		case "spApplication":
			r.SPApplication, err = bounded(e, v, 100)
		case "spCountry":
			if r.SPCountry = v; !countryPattern.MatchString(v) {
				return e.Errorf("%w: %q is no country code", ErrProfile, v)
			}
		case "eIDSectorShare":
			r.SectorShare, err = flag(e, v)
		case "eIDCrossSectorShare":
			r.CrossSectorShare, err = flag(e, v)
		case "eIDCrossBorderShare":
			r.CrossBorderShare, err = flag(e, v)
		case "RequestedAttributes":
			err = r.readAttributes(e)
		case "AuthenticationAttributes":
			err = r.readAuthentication(e)
		default:
			err = e.Errorf("%w: not expected here", ErrProfile)
		}
		if err != nil {
			return err
		}
	}
	if r.QAA == 0 {
		return n.Errorf("%w: QualityAuthenticationAssuranceLevel is missing", ErrProfile)
	}
	if len(r.Attributes) == 0 {
		return n.Errorf("%w: no attribute is asked for", ErrProfile)
	}
	return nil
}

func bounded(e dom.Node, v string, most int) (string, error) {
	if n := len([]rune(v)); n == 0 || n > most {
		return "", e.Errorf("%w: it has 1 to %d characters", ErrProfile, most)
	}
	return v, nil
}

func flag(e dom.Node, v string) (*bool, error) {
	b, err := strconv.ParseBool(v)
	if err != nil || v != "true" && v != "false" && v != "1" && v != "0" {
		return nil, e.Errorf("%w: %q is neither true nor false", ErrProfile, v)
	}
	return &b, nil
}

func (r *Request) readAttributes(n dom.Node) error {
	for e := range n.Elements() {
		a := RequestedAttribute{Name: e.Attr("Name"), FriendlyName: e.Attr("FriendlyName"), Node: e}
		switch {
		case !e.Is(NamespaceAssertion, "RequestedAttribute") || a.Name == "":
			return e.Errorf("%w: no RequestedAttribute with a Name", ErrProfile)
		case e.Attr("NameFormat") != saml.AttributeNameURI:
			return e.Errorf("%w: NameFormat %q", ErrProfile, e.Attr("NameFormat"))
		}
		if v := e.Attr("isRequired"); v != "" {
			required, err := flag(e, v)
			if err != nil {
				return err
			}
			a.Required = *required
		}
		for v := range e.Elements() {
			if !v.Is(NamespaceAssertion, "AttributeValue") {
				return v.Errorf("%w: not expected here", ErrProfile)
			}
			a.Values = append(a.Values, v.TrimmedText())
		}
		if strings.HasSuffix(a.Name, "/isAgeOver") && len(a.Values) == 0 {
			return e.Errorf("%w: isAgeOver asks for an age", ErrProfile)
		}
		r.Attributes = append(r.Attributes, a)
	}
	return nil
}

// readAuthentication reads what is for a virtual identity provider, and the country that the person chose.
func (r *Request) readAuthentication(n dom.Node) error {
	v := n.FirstElement()
	if !v.Valid() {
		return nil
	}
	if !v.Is(NamespaceProtocol, "VIDPAuthenticationAttributes") || v.NextElement().Valid() {
		return v.Errorf("%w: expected is VIDPAuthenticationAttributes alone", ErrProfile)
	}
	for e := range v.Elements() {
		switch e.Local() {
		case "CitizenCountryCode":
			if r.PersonCountry = e.TrimmedText(); !countryPattern.MatchString(r.PersonCountry) {
				return e.Errorf("%w: %q is no country code", ErrProfile, r.PersonCountry)
			}
		case "SPInformation":
			r.SPID = e.Child(NamespaceProtocol, "SPID").TrimmedText()
			if _, err := bounded(e, r.SPID, 40); err != nil {
				return err
			}
		default:
			return e.Errorf("%w: not expected here", ErrProfile)
		}
	}
	return nil
}

// Marshal writes the request, signed.
func (r *Request) Marshal(s saml.Signing) ([]byte, error) {
	switch {
	case r.QAA < 1 || r.QAA > 4:
		return nil, fmt.Errorf("%w: a quality of authentication from 1 to 4 has to be asked for", ErrProfile)
	case len(r.Attributes) == 0:
		return nil, fmt.Errorf("%w: no attribute is asked for", ErrProfile)
	case !r.Query && r.ProviderName == "":
		return nil, fmt.Errorf("%w: the service has to be named", ErrProfile)
	}
	h := saml.Header{ID: r.ID, IssueInstant: r.Issued, Destination: r.Destination, Consent: saml.ConsentUnspecified, Issuer: r.Issuer, WriteExtensions: r.writeExtensions}
	if r.Query {
		return (&saml.AttributeQuery{Header: h, ACSURL: r.ACS}).Marshal(s)
	}
	yes, no := true, false
	return (&saml.AuthnRequest{Header: h, ForceAuthn: &yes, IsPassive: &no, ProtocolBinding: saml.BindingPOST, ACSURL: r.ACS, ProviderName: r.ProviderName}).Marshal(s)
}

// writeExtensions writes in the order of the gateways.
func (r *Request) writeExtensions(w *dom.Writer) {
	ns := func(prefix string) []string {
		if prefix == "stork" {
			return []string{"xmlns:stork", NamespaceAssertion}
		}
		return []string{"xmlns:storkp", NamespaceProtocol}
	}
	put := func(prefix, local, v string) {
		if v != "" {
			w.Element(prefix+":"+local, v, ns(prefix)...)
		}
	}
	put("stork", "QualityAuthenticationAssuranceLevel", strconv.Itoa(r.QAA))
	put("stork", "spSector", r.SPSector)
	if !r.Query {
		put("stork", "spInstitution", r.SPInstitution)
	}
	put("stork", "spApplication", r.SPApplication)
	put("stork", "spCountry", r.SPCountry)
	for _, share := range []struct {
		local string
		v     *bool
	}{{"eIDSectorShare", r.SectorShare}, {"eIDCrossSectorShare", r.CrossSectorShare}, {"eIDCrossBorderShare", r.CrossBorderShare}} {
		if share.v != nil {
			put("storkp", share.local, strconv.FormatBool(*share.v))
		}
	}
	w.Start("storkp:RequestedAttributes", ns("storkp")...)
	for _, a := range r.Attributes {
		attrs := append(ns("stork"), "Name", a.Name, "NameFormat", saml.AttributeNameURI)
		if a.FriendlyName != "" {
			attrs = append(attrs, "FriendlyName", a.FriendlyName)
		}
		w.Start("stork:RequestedAttribute", append(attrs, "isRequired", strconv.FormatBool(a.Required))...)
		for _, v := range a.Values {
			w.Element("stork:AttributeValue", v)
		}
		if a.Write != nil {
			w.Start("stork:AttributeValue")
			a.Write(w)
			w.End()
		}
		w.End()
	}
	w.End()
	if r.Query {
		return
	}
	w.Start("storkp:AuthenticationAttributes", ns("storkp")...)
	if r.PersonCountry != "" || r.SPID != "" {
		w.Start("storkp:VIDPAuthenticationAttributes")
		if r.PersonCountry != "" {
			w.Element("storkp:CitizenCountryCode", r.PersonCountry)
		}
		if r.SPID != "" {
			w.Start("storkp:SPInformation")
			w.Element("storkp:SPID", strings.ToUpper(r.SPID))
			w.End()
		}
		w.End()
	}
	w.End()
}
