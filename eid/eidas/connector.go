package eidas

import (
	"crypto/rsa"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/eid/saml"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/xmlenc"
)

// Connector asks proxy services abroad on behalf of services in its own country. It is read-only, and safe for concurrent use.
type Connector struct {
	Self     *Party        // what it publishes
	Identity *pki.Identity // signs the requests
	Keys     []pki.Key     // open the answers: of the published certificates, old ones last
	ACS      string        // the address that answers come to
	// Peer returns the metadata of a proxy service: out of trusted ones, or an error.
	Peer func(entityID string) (*Party, error)

	Clock func() time.Time
	Rand  io.Reader // nil: crypto/rand
}

// Question is what a service wants to know.
type Question struct {
	SPType       string // Public or Private
	ProviderName string // of the service, shown to the person
	RequesterID  string // of the service, needed for private ones in some countries
	NameFormat   string // "": any
	Level        Wanted
	Attributes   []RequestedAttribute
}

// MinimumDataSet asks for the mandatory attributes of a natural or legal person, with the namespace of one of them.
func MinimumDataSet(space string) (out []RequestedAttribute) {
	for _, d := range definitions {
		if d.Space == space && d.Mandatory {
			out = append(out, RequestedAttribute{Name: d.Name(), Definition: d, Required: true})
		}
	}
	return out
}

// Pending is a request that waits for its answer. The connector keeps it, bound to the session of the person, for some
// minutes, and takes it away with the first answer.
type Pending struct {
	RequestID  string
	To         string // entity ID of the proxy service
	Country    string
	Level      Wanted
	NameFormat string
	Required   []string // names of attributes
	Sent       time.Time
}

// Ask makes a signed request to a proxy service, to be carried to the address by POST. An error is an [*Error]: the other
// country cannot be asked this.
func (c *Connector) Ask(to *Party, q Question) (p *Pending, address string, octets []byte, err error) {
	if to.IDP == nil {
		return nil, "", nil, fail("003006", "%s is no proxy service", to.EntityID)
	}
	r := &Request{From: c.Self, SPType: q.SPType, ProviderName: q.ProviderName, NameFormat: q.NameFormat, Level: q.Level, Issued: c.Clock()}
	offered := func(name string) bool {
		return slices.ContainsFunc(to.IDP.Attributes, func(a saml.Attribute) bool { return a.Name == name })
	}
	for _, a := range q.Attributes {
		a.Definition = Define(a.Name)
		switch {
		case a.Definition != nil && a.Definition.Representative:
			return nil, "", nil, fail("203024", "%s is asked for", a.Definition.FriendlyName)
		case offered(a.Name):
			r.Attributes = append(r.Attributes, a)
		case a.Required:
			return nil, "", nil, fail("203021", "%s does not offer %s", to.EntityID, a.Name)
		}
	}
	switch {
	case q.SPType != Public && q.SPType != Private:
		return nil, "", nil, fail("202017", "")
	case c.Self.SPType != "" && c.Self.SPType != q.SPType:
		return nil, "", nil, fail("202016", "this connector is for %s services", c.Self.SPType)
	case len([]rune(q.ProviderName)) > maxProviderName:
		return nil, "", nil, fail("203007", "the name of the service is longer than %d characters", maxProviderName)
	case speaks(c.Self.Versions, to.Versions) == "":
		return nil, "", nil, fail("203027", "we speak %s, %s speaks %s", strings.Join(c.Self.Versions, ", "), to.EntityID, strings.Join(to.Versions, ", "))
	case !q.Level.Servable(to.Levels):
		return nil, "", nil, fail("202015", "%s publishes %s", to.EntityID, strings.Join(to.Levels, ", "))
	case to.RequesterID && q.SPType == Private && q.RequesterID == "":
		return nil, "", nil, fail("200016", "")
	}
	if err := r.checkAttributes(to.IDP.Attributes); err != nil {
		return nil, "", nil, err
	}
	if to.RequesterID {
		r.RequesterID = q.RequesterID
	}
	if r.ID, err = saml.NewID(c.Rand); err != nil {
		return nil, "", nil, err
	}
	address = to.IDP.Endpoint(saml.BindingPOST)
	octets, err = r.write(address).Marshal(saml.Signing{Identity: c.Identity, Rand: c.Rand})
	if err != nil {
		return nil, "", nil, err
	}
	p = &Pending{RequestID: r.ID, To: to.EntityID, Country: to.Country, Level: q.Level, NameFormat: q.NameFormat, Sent: r.Issued}
	for _, a := range r.Attributes {
		if a.Required {
			p.Required = append(p.Required, a.Name)
		}
	}
	return p, address, octets, nil
}

// InResponseTo says which request a message claims to answer, to find what is [Pending]. Nothing else of it is looked at.
func InResponseTo(octets []byte) (string, error) {
	claim, err := saml.Peek(octets)
	if err != nil {
		return "", fail("203007", "%w", err)
	}
	if claim.InResponseTo == "" {
		return "", fail("201005", "the message answers nothing")
	}
	return claim.InResponseTo, nil
}

// Person is somebody who was identified abroad.
type Person struct {
	Country    string // that identified him
	Identifier string // CC/CC/value, of the represented where somebody represents
	Level      string
	Name       saml.NameID
	Attributes Attributes
	Address    string // of the browser, as the other country saw it; "" where it does not say

	// ResponseID and the country are what the connector remembers for three hours, to refuse the same answer.
	ResponseID    string
	Authenticated time.Time
}

// Open reads the answer to a request. An error is an [*Error], or a [*Refusal] where the other country says no.
func (c *Connector) Open(octets []byte, p *Pending) (*Person, error) {
	from, err := c.Peer(p.To)
	if err != nil {
		return nil, fail("003009", "%w", err)
	}
	if from.IDP == nil {
		return nil, fail("003006", "%s is no proxy service", p.To)
	}
	o := saml.Opening{Certificates: from.IDP.Signing, Keys: c.Keys, Algorithms: algorithms}
	if !from.oldTransport() {
		o.Transports = []string{xmlenc.RSAOAEP, xmlenc.ECDHES}
	}
	r, err := saml.ParseResponse(octets, o)
	if err != nil {
		return nil, received(err, "202003")
	}
	if r.Signer == nil {
		return nil, fail("203018", "the response is not signed")
	}
	if err := r.Check(saml.Expected{Issuer: p.To, RequestID: p.RequestID, ACS: c.ACS, Audience: c.Self.EntityID, Now: c.Clock(), NotBeforeSkew: skew}); err != nil {
		return nil, received(err, "202003")
	}
	if !r.Status.Success() {
		return nil, &Refusal{r.Status, r.Status.LeadingCode()}
	}
	if !SameCountry(p.Country, from.Country) && p.Country != "" {
		return nil, fail("200015", "asked was %s, and %s answers", p.Country, from.Country)
	}
	person, failed := c.identify(r, p, from)
	if failed != nil {
		return nil, failed
	}
	return person, nil
}

func (c *Connector) identify(r *saml.Response, p *Pending, from *Party) (*Person, *Error) {
	if len(r.Assertions) != 1 {
		return nil, fail("202003", "%d assertions", len(r.Assertions))
	}
	a := r.Assertions[0]
	switch {
	case a.NameID == nil || !a.HasAttributes:
		return nil, fail("202003", "the assertion names nobody, or says nothing of him")
	case p.NameFormat != "" && p.NameFormat != saml.FormatUnspecified && a.NameID.Format != p.NameFormat:
		return nil, fail("202003", "the name is %s, asked was %s", a.NameID.Format, p.NameFormat)
	case !p.Level.Met(a.Context):
		return nil, fail("202019", "reached is %q", a.Context)
	case !slices.Contains(from.Levels, a.Context):
		return nil, fail("202021", "%q", a.Context)
	}
	person := &Person{Country: from.Country, Level: a.Context, Name: *a.NameID, Address: a.SubjectLocality, ResponseID: r.ID, Authenticated: a.AuthnInstant}
	if person.Address == "" {
		person.Address = a.Confirmations[0].Address
	}
	for _, in := range a.Attributes {
		attr, err := readAttribute(in)
		if err != nil {
			return nil, fail("203008", "%w", err)
		}
		if len(attr.Values) > 0 {
			person.Attributes = append(person.Attributes, attr)
		}
	}
	if err := person.Attributes.complete(); err != nil {
		return nil, err
	}
	for _, name := range p.Required {
		if !person.Attributes.has(name) {
			return nil, fail("202010", "%s", name)
		}
	}
	return person, c.checkIdentifiers(person, p)
}

// checkIdentifiers looks whether the country that was asked identified somebody, and for us [eIDAS-AP].
func (c *Connector) checkIdentifiers(person *Person, p *Pending) *Error {
	for _, a := range person.Attributes {
		if a.Definition == nil || !strings.HasSuffix(a.Definition.Local, "PersonIdentifier") {
			continue
		}
		id, err := ParseIdentifier(a.Values[0].Text)
		if err != nil {
			return fail("203008", "%w", err)
		}
		if a.Definition.Representative { // who may be of another country
			continue
		}
		country := p.Country
		if country == "" {
			country = person.Country
		}
		if country != "" && !SameCountry(id.From, country) || c.Self.Country != "" && !SameCountry(id.To, c.Self.Country) {
			return fail("202003", "an identifier from %s for %s, asked was %s for %s", id.From, id.To, country, c.Self.Country)
		}
		if person.Identifier == "" || a.Definition.Space == NamespaceLegal {
			person.Identifier = a.Values[0].Text
		}
	}
	return nil
}

func isRSA(c *pki.Certificate) bool {
	_, ok := c.PublicKey.(*rsa.PublicKey)
	return ok
}
