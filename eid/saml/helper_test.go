package saml_test

import (
	"sync"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/eid/saml"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

var now = time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)

// identities are made once for each kind of key: RSA keys are slow to make.
var identities sync.Map

func identity(t testing.TB, alg pki.KeyAlgorithm, name string) *pki.Identity {
	t.Helper()
	if id, ok := identities.Load(string(alg) + name); ok {
		return id.(*pki.Identity)
	}
	ca, err := pki.NewAuthority(nil, "CN="+name, alg, now.Add(-time.Hour), 5)
	if err != nil {
		t.Fatal(err)
	}
	id := &ca.Identity
	actual, _ := identities.LoadOrStore(string(alg)+name, id)
	return actual.(*pki.Identity)
}

const (
	proxy     = "https://proxy.example/metadata"
	connector = "https://connector.example/metadata"
	acs       = "https://connector.example/acs"
	natural   = "http://eidas.europa.eu/attributes/naturalperson"
)

// answer is a good response.
func answer() *saml.Response {
	return &saml.Response{
		Header:       saml.Header{ID: "_response", IssueInstant: now, Destination: acs, Issuer: proxy},
		InResponseTo: "_request",
		Status:       saml.Status{Code: saml.StatusSuccess, Message: saml.StatusSuccess},
		Assertions: []*saml.Assertion{{
			ID: "_assertion", IssueInstant: now, Issuer: proxy,
			NameID:        &saml.NameID{Value: "_name", Format: saml.FormatTransient, NameQualifier: proxy},
			Confirmations: []saml.Confirmation{{Method: saml.ConfirmationBearer, NotOnOrAfter: now.Add(5 * time.Minute), Recipient: acs, InResponseTo: "_request"}},
			NotBefore:     now, NotOnOrAfter: now.Add(5 * time.Minute), Audiences: [][]string{{connector}}, OneTimeUse: true,
			AuthnInstant: now, Context: "http://eidas.europa.eu/LoA/high",
			Attributes: []saml.Attribute{
				{Name: natural + "/PersonIdentifier", NameFormat: saml.AttributeNameURI, FriendlyName: "PersonIdentifier",
					Values: []saml.Value{{Type: saml.Name{Space: natural, Local: "PersonIdentifierType"}, Text: "PT/EE/12345"}}},
				{Name: natural + "/CurrentFamilyName", NameFormat: saml.AttributeNameURI, FriendlyName: "FamilyName", Values: []saml.Value{
					{Type: saml.Name{Space: natural, Local: "CurrentFamilyNameType"}, Text: "Onases & <Söhne>"},
					{Type: saml.Name{Space: natural, Local: "CurrentFamilyNameType"}, Text: "Ωνάσης",
						Extra: []saml.Extra{{Name: saml.Name{Space: natural, Local: "LatinScript"}, Value: "false"}}}}},
			},
			Prefixes: map[string]string{natural: "eidas-natural"},
		}},
	}
}

func expected() saml.Expected {
	return saml.Expected{Issuer: proxy, RequestID: "_request", ACS: acs, Audience: connector, Now: now.Add(time.Minute)}
}

func opening(signer, reader *pki.Identity) saml.Opening {
	return saml.Opening{Certificates: []*pki.Certificate{signer.Certificate}, Keys: []pki.Key{reader.Key}}
}
