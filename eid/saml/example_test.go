package saml_test

import (
	"fmt"
	"time"

	"github.com/viadukt-eu/viadukt/eid/saml"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// A service asks, and holds the answer against what it asked.
func Example() {
	clock := time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)
	service, err := pki.NewAuthority(nil, "CN=Service", pki.P256, clock.Add(-time.Hour), 1)
	if err != nil {
		panic(err)
	}
	home, err := pki.NewAuthority(nil, "CN=Home", pki.P256, clock.Add(-time.Hour), 1)
	if err != nil {
		panic(err)
	}
	id, err := saml.NewID(nil)
	if err != nil {
		panic(err)
	}
	request := &saml.AuthnRequest{
		Header:   saml.Header{ID: id, IssueInstant: clock, Issuer: "https://service.example", Destination: "https://home.example/sso"},
		Contexts: []string{"http://eidas.europa.eu/LoA/high"}, Comparison: saml.Minimum,
	}
	octets, err := request.Marshal(saml.Signing{Identity: &service.Identity})
	if err != nil {
		panic(err)
	}

	// At home: read, authenticate the person, answer.
	asked, err := saml.ParseAuthnRequest(octets, []*pki.Certificate{service.Certificate}, saml.Algorithms{})
	if err != nil {
		panic(err)
	}
	to := "https://service.example/acs" // out of the metadata of who asked
	response := &saml.Response{
		Header:       saml.Header{ID: "_answer", IssueInstant: clock, Issuer: "https://home.example", Destination: to},
		InResponseTo: asked.ID, Status: saml.Status{Code: saml.StatusSuccess},
		Assertions: []*saml.Assertion{{
			ID: "_assertion", IssueInstant: clock, Issuer: "https://home.example", NameID: &saml.NameID{Value: "x", Format: saml.FormatTransient},
			Confirmations: []saml.Confirmation{{Method: saml.ConfirmationBearer, NotOnOrAfter: clock.Add(time.Minute), Recipient: to, InResponseTo: asked.ID}},
			Audiences:     [][]string{{asked.Issuer}}, AuthnInstant: clock, Context: "http://eidas.europa.eu/LoA/high",
			Attributes: []saml.Attribute{{Name: "urn:oid:2.5.4.42", NameFormat: saml.AttributeNameURI, Values: []saml.Value{{Text: "Ana"}}}},
		}},
	}
	octets, err = response.Marshal(saml.Sealing{Signing: saml.Signing{Identity: &home.Identity}, Encrypt: service.Certificate})
	if err != nil {
		panic(err)
	}

	// At the service.
	got, err := saml.ParseResponse(octets, saml.Opening{Certificates: []*pki.Certificate{home.Certificate}, Keys: []pki.Key{service.Key}})
	if err != nil {
		panic(err)
	}
	err = got.Check(saml.Expected{Issuer: "https://home.example", RequestID: request.ID, ACS: to, Audience: "https://service.example", Now: clock.Add(time.Second)})
	fmt.Println(got.Assertions[0].Attribute("urn:oid:2.5.4.42").Values[0].Text, err)
	// Output: Ana <nil>
}
