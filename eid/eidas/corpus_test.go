package eidas_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/eid/eidas"
	"github.com/viadukt-eu/viadukt/eid/saml"
	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

const area = "eid"

// spCodes are those with which each request of the corpus is refused, "" where it is taken. The publisher's tests say which
// are taken; why the others are not is what they break first here.
var spCodes = map[string]string{
	"sp-valid-request-signature":                 "",
	"sp-non-notified-loa":                        "",
	"sp-expired-request-signature":               "203018",
	"sp-modified-request":                        "203018",
	"sp-unsupported-signature-method":            "203015",
	"sp-invalid-issuer-id":                       "003009",
	"sp-invalid-assertion-consumer-url":          "202018",
	"sp-no-requested-attributes-element":         "203007",
	"sp-no-requested-attributes":                 "203007",
	"sp-no-requester-id":                         "202020",
	"sp-no-sp-type":                              "202017",
	"sp-unsupported-requested-attributes":        "203024",
	"sp-invalid-schema-invalid-attribute":        "203007",
	"sp-invalid-schema-missing-signature":        "203018",
	"sp-invalid-schema-missing-required-element": "203018",
	"sp-invalid-schema-sp-type":                  "203018",
	"sp-invalid-saml-version":                    "203007",
	"sp-missing-extensions":                      "203007",
	"sp-missing-issuer":                          "203007",
	"sp-missing-id":                              "203007",
	"sp-missing-force-authn":                     "203007",
	"sp-missing-authn-context":                   "202015",
	"sp-invalid-loa":                             "203018",
	"sp-non-notified-loa-with-notified-prefix":   "202015",
	"sp-invalid-is-passive":                      "203007",
}

// TestRequestsOfServices: a national connector's own tests.
func TestRequestsOfServices(t *testing.T) {
	t.Parallel()
	keys, err := pki.LoadIdentities(corpus.Read(t, area, "keys/specific-connector/service-provider-metadata-keystore.p12"), "changeit")
	if err != nil {
		t.Fatal(err)
	}
	signer := keys["service-provider-request-signing"]
	if signer == nil {
		t.Fatal("the key of the service is not there")
	}
	es, err := eidas.ReadMetadata(corpus.Read(t, area, "sp-metadata/sp-valid-metadata.xml"), func([]*pki.Certificate) error { return nil }, false)
	if err != nil {
		t.Fatal(err)
	}
	service, err := eidas.ReadParty(es[0], time.Date(2022, 1, 1, 0, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	self := party(t, eidas.Description{EntityID: "https://connector.example", Country: "EE", ValidUntil: now.AddDate(1, 0, 0), Signing: []*pki.Certificate{identity(t, pki.P256, "EE").Certificate},
		SSO: "https://connector.example/sso", Levels: []string{eidas.Low, eidas.Substantial, eidas.High, "http://eidas.europa.eu/test/LoA/substantial"},
		Attributes: eidas.Definitions(), NameFormats: []string{saml.FormatUnspecified}})
	cases := 0
	for _, row := range corpus.Index(t, area) {
		name, ok := strings.CutPrefix(strings.TrimSuffix(row["file"], ".xml"), "sp-authnrequest/")
		if !ok {
			continue
		}
		cases++
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want, known := spCodes[name]
			if !known || (want == "") != strings.HasPrefix(row["expected"], "accept") {
				t.Fatalf("no expectation for %s", row["expected"])
			}
			octets := corpus.Read(t, area, row["file"])
			doc, err := dom.Parse(bytes.Clone(octets), dom.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			root := doc.Root()
			at, err := time.Parse(time.RFC3339Nano, root.Attr("IssueInstant"))
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(row["expected"], "carries no signature") {
				octets = signed(t, doc, signer)
			}
			s := &eidas.ProxyService{Self: self, Endpoint: root.Attr("Destination"), Services: true, PrivateServices: true, Clock: func() time.Time { return at },
				Peer: func(id string) (*eidas.Party, error) {
					if id != service.EntityID {
						return nil, errors.New("not registered")
					}
					return service, nil
				}}
			if _, err := s.Read(octets); codeOf(err) != want {
				t.Errorf("got %v, want %q (%s)", err, want, row["expected"])
			}
		})
	}
	if cases != len(spCodes) {
		t.Errorf("%d requests, known are %d", cases, len(spCodes))
	}
}

// TestPartiesOfTheCorpus: whose metadata are taken, at the time of the tests they come from.
func TestPartiesOfTheCorpus(t *testing.T) {
	t.Parallel()
	anchors, err := pki.LoadTrustStore(corpus.Read(t, area, "keys/specific-connector/responder-metadata-truststore.p12"), "changeit")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2021, 6, 1, 0, 0, 0, 0, time.UTC)
	clock := func() time.Time { return at }
	v := &pki.Verifier{Clock: clock}
	for _, a := range anchors {
		v.Anchors = append(v.Anchors, pki.Bind([]*pki.Certificate{a.Certificate}, pki.PurposeToken)...)
	}
	for name, want := range map[string]string{
		"sp-valid-metadata":                     "",
		"sp-expired-valid-until":                "ended to be valid",
		"sp-expired-request-signing-cert":       "certificate for signatures",
		"sp-expired-response-encryption-cert":   "certificate for encryption",
		"sp1-expired-metadata-signing-cert":     "valid from",
		"sp1-untrusted-metadata-signing-cert":   "signed by",
		"sp-invalid-entity-id":                  "does not verify",
		"sp-invalid-signature":                  "does not verify",
		"sp-invalid-signer-cert":                "anchor",
		"sp-modified-content":                   "digest",
		"sp-missing-valid-until":                "validUntil is missing",
		"sp-missing-assertion-consumer":         "AssertionConsumerService",
		"sp-missing-assertion-consumer-binding": "Binding",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			es, err := eidas.ReadMetadata(corpus.Read(t, area, "sp-metadata/"+name+".xml"), eidas.Trusted(v, clock), false)
			if err == nil {
				_, err = eidas.ReadParty(es[0], at)
			}
			if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("got %v, want %q", err, want)
			}
		})
	}
}

// TestKeysOfConnectors: rules of the German middleware for what is uploaded by hand.
func TestKeysOfConnectors(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"metadata-9443":                "",
		"metadata-9444":                "",
		"metadata-9444-shortcrypt-ec":  "certificate for encryption",
		"metadata-9444-shortsign-rsa":  "certificate for signatures",
		"metadata-9444-explicit-crypt": "curve",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			es, err := eidas.ReadMetadata(corpus.Read(t, area, "connector-metadata/"+name+".xml"), nil, false)
			if err != nil {
				t.Fatal(err)
			}
			es[0].ValidUntil = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
			_, err = eidas.ReadParty(es[0], time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC))
			if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("got %v, want %q", err, want)
			}
		})
	}
}

// TestCountriesOfAnAggregate: the proxy services of seventeen Member States, with what they publish.
func TestCountriesOfAnAggregate(t *testing.T) {
	t.Parallel()
	es, err := eidas.ReadMetadata(corpus.Read(t, area, "eu-metadata/eu-metadata-idps.xml"), nil, true)
	if err != nil {
		t.Fatal(err)
	}
	if len(es) != 18 {
		t.Fatalf("%d nodes", len(es))
	}
	shown, hidden := map[string]bool{}, map[string]bool{}
	for _, e := range es {
		e.ValidUntil = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
		p, err := eidas.ReadParty(e, e.IDP.Signing[0].NotBefore.AddDate(0, 0, 1))
		if err != nil {
			t.Error(err)
			continue
		}
		if p.Hidden {
			hidden[p.Country] = true
		} else {
			shown[p.Country] = true
		}
		if !slices.ContainsFunc(p.IDP.Attributes, func(a saml.Attribute) bool { return eidas.Define(a.Name) != nil }) {
			t.Errorf("%s offers nothing of the profile", p.Country)
		}
	}
	if len(shown) != 16 || !hidden["ES"] || shown["ES"] || shown["SE"] {
		t.Errorf("shown are %v, hidden are %v", shown, hidden)
	}
}

// TestAttributesOfTheRegistry: the table agrees with the registry of the reference and with the schemas.
func TestAttributesOfTheRegistry(t *testing.T) {
	t.Parallel()
	src := corpus.Read(t, area, "attributes/saml-engine-eidas-attributes.xml")
	doc, err := dom.Parse(src, dom.Limits{InternalSubset: true})
	if err != nil {
		from := bytes.Index(src, []byte("<!DOCTYPE"))
		end := from + bytes.IndexByte(src[from:], '>') + 1
		if doc, err = dom.Parse(append(bytes.Clone(src[:from]), src[end:]...), dom.Limits{}); err != nil {
			t.Fatal(err)
		}
	}
	rows := map[string]map[string]string{}
	for e := range doc.Root().Elements() {
		n, key, ok := strings.Cut(e.Attr("key"), ".")
		if !ok {
			continue
		}
		if rows[n] == nil {
			rows[n] = map[string]string{}
		}
		rows[n][key] = e.TrimmedText()
	}
	if len(rows) != 36 {
		t.Errorf("%d rows", len(rows))
	}
	for _, row := range rows {
		d := eidas.Define(row["NameUri"])
		if d == nil {
			t.Errorf("%s is not known", row["NameUri"])
			continue
		}
		friendly := strings.NewReplacer("LegalPersonAddress", "LegalAddress", "VATRegistrationNumber", "VATRegistration").Replace(row["FriendlyName"]) // as the profile has it
		if d.FriendlyName != friendly || !d.Representative && d.Mandatory != (row["Required"] == "true") || d.Latin != (row["TransliterationMandatory"] == "true") ||
			d.Space != row["XmlType.NamespaceUri"] || d.Type != row["XmlType.LocalPart"] {
			t.Errorf("%+v, the registry says %v", d, row)
		}
	}
	for _, name := range []string{"natural_person", "legal_person", "representative_natural_person", "representative_legal_person"} {
		doc, err := dom.Parse(corpus.Read(t, area, "xsd/saml_eidas_"+name+".xsd"), dom.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		types := map[string]bool{}
		for e := range doc.Root().Elements() {
			types[e.Attr("name")] = true
		}
		for _, d := range eidas.Definitions() {
			if d.Space == doc.Root().Attr("targetNamespace") && !types[d.Type] {
				t.Errorf("%s has no type %s", name, d.Type)
			}
		}
	}
}
