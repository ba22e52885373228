package eidas_test

import (
	"crypto"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/eid/eidas"
	"github.com/viadukt-eu/viadukt/eid/saml"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/xmldsig"
	"github.com/viadukt-eu/viadukt/xmlcore/c14n"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

var now = time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)

var identities sync.Map // RSA keys are slow to make

func identity(t testing.TB, alg pki.KeyAlgorithm, name string) *pki.Identity {
	t.Helper()
	if id, ok := identities.Load(string(alg) + name); ok {
		return id.(*pki.Identity)
	}
	ca, err := pki.NewAuthority(nil, "C=PT,CN="+name, alg, now.Add(-time.Hour), 5)
	if err != nil {
		t.Fatal(err)
	}
	actual, _ := identities.LoadOrStore(string(alg)+name, &ca.Identity)
	return actual.(*pki.Identity)
}

// pair is a connector in Estonia and a proxy service in Portugal that know each other.
type pair struct {
	connector *eidas.Connector
	proxy     *eidas.ProxyService
	at        time.Time
}

func party(t testing.TB, d eidas.Description) *eidas.Party {
	t.Helper()
	signer := identity(t, pki.P256, "Metadata")
	b, err := d.Entity("_m").Marshal(saml.Signing{Identity: signer})
	if err != nil {
		t.Fatal(err)
	}
	es, err := eidas.ReadMetadata(b, func([]*pki.Certificate) error { return nil }, false)
	if err != nil {
		t.Fatal(err)
	}
	p, err := eidas.ReadParty(es[0], now)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func connect(t testing.TB, alg pki.KeyAlgorithm, change func(c, p *eidas.Description)) *pair {
	t.Helper()
	signEE, encryptEE, signPT := identity(t, alg, "EE sign"), identity(t, alg, "EE encrypt"), identity(t, alg, "PT sign")
	ee := eidas.Description{EntityID: "https://ee.example/metadata", Country: "EE", ValidUntil: now.AddDate(0, 0, 1), Signing: []*pki.Certificate{signEE.Certificate},
		Encryption: []*pki.Certificate{encryptEE.Certificate}, ACS: "https://ee.example/acs"}
	pt := eidas.Description{EntityID: "https://pt.example/metadata", Country: "PT", ValidUntil: now.AddDate(0, 0, 1), Signing: []*pki.Certificate{signPT.Certificate},
		SSO: "https://pt.example/sso", Levels: []string{eidas.Substantial, eidas.High}, Attributes: eidas.Definitions()}
	if change != nil {
		change(&ee, &pt)
	}
	x := &pair{at: now}
	clock := func() time.Time { return x.at }
	eeParty, ptParty := party(t, ee), party(t, pt)
	peer := func(id string) (*eidas.Party, error) {
		switch id {
		case eeParty.EntityID:
			return eeParty, nil
		case ptParty.EntityID:
			return ptParty, nil
		}
		return nil, errors.New("not a member")
	}
	x.connector = &eidas.Connector{Self: eeParty, Identity: signEE, Keys: []pki.Key{encryptEE.Key}, ACS: ee.ACS, Peer: peer, Clock: clock}
	x.proxy = &eidas.ProxyService{Self: ptParty, Endpoint: pt.SSO, Identity: signPT, Peer: peer, Clock: clock, PrivateServices: true}
	return x
}

// asked carries a question across the border.
func (x *pair) asked(t testing.TB, q eidas.Question) (*eidas.Pending, *eidas.Request) {
	t.Helper()
	p, _, octets, err := x.connector.Ask(x.proxy.Self, q)
	if err != nil {
		t.Fatal(err)
	}
	r, err := x.proxy.Read(octets)
	if err != nil {
		t.Fatal(err)
	}
	return p, r
}

func question() eidas.Question {
	return eidas.Question{SPType: eidas.Public, ProviderName: "Tax and Customs Board", Level: eidas.AtLeast(eidas.Substantial), Attributes: eidas.MinimumDataSet(eidas.NamespaceNatural)}
}

func said(pairs ...string) (out eidas.Attributes) {
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, eidas.Attribute{Name: pairs[i], Values: []eidas.Value{{Text: pairs[i+1]}}})
	}
	return out
}

// ana is a person as the Portuguese side knows her.
func ana() eidas.Attributes {
	const n = eidas.NamespaceNatural + "/"
	return said(n+"PersonIdentifier", "12345", n+"CurrentFamilyName", "Silva", n+"CurrentGivenName", "Ana", n+"DateOfBirth", "1980-02-29")
}

func codeOf(err error) string {
	var e *eidas.Error
	if errors.As(err, &e) {
		return e.Code
	}
	if err == nil {
		return ""
	}
	return fmt.Sprintf("%T", err)
}

// signed puts a signature into a message that has none, as tests of others do with their templates.
func signed(t testing.TB, doc *dom.Document, signer *pki.Identity) []byte {
	t.Helper()
	root := doc.Root()
	sig, err := xmldsig.Sign(signer.Key.(crypto.Signer), []xmldsig.SignReference{{URI: "#" + root.Attr("ID"), Node: root, DigestMethod: xmldsig.SHA512,
		Transforms: []xmldsig.Transform{{Algorithm: xmldsig.Enveloped}, xmldsig.Canonicalize(c14n.Method{Algorithm: c14n.Exclusive10})}}},
		xmldsig.SignOptions{KeyInfo: xmldsig.X509Data(signer.Certificate)})
	if err != nil {
		t.Fatal(err)
	}
	at := root.FirstElement().Offset()
	if issuer := root.Child(saml.NamespaceAssertion, "Issuer"); issuer.Valid() {
		at = issuer.Offset() + len(issuer.Raw())
	}
	return slices.Concat(doc.Source()[:at], sig, doc.Source()[at:])
}
