package saml_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/viadukt-eu/viadukt/eid/saml"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

func yes() *bool { v := true; return &v }
func no() *bool  { v := false; return &v }

func question() *saml.AuthnRequest {
	return &saml.AuthnRequest{
		Header: saml.Header{ID: "_request", IssueInstant: now, Destination: "https://proxy.example/sso", Consent: saml.ConsentUnspecified, Issuer: connector, IssuerFormat: saml.FormatEntity,
			WriteExtensions: func(w *dom.Writer) { w.Element("x:SPType", "public", "xmlns:x", "urn:x") }},
		ForceAuthn: yes(), IsPassive: no(), ProtocolBinding: saml.BindingPOST, ACSURL: acs, ProviderName: "Service & <Co>",
		NameIDPolicy: &saml.NameIDPolicy{Format: saml.FormatPersistent, AllowCreate: yes()},
		Comparison:   saml.Minimum, Contexts: []string{"http://eidas.europa.eu/LoA/substantial"},
		RequesterIDs: []string{"https://service.example"}, IDPList: []string{"https://proxy.example"},
	}
}

func TestRequestComesAsItWasWritten(t *testing.T) {
	t.Parallel()
	signer := identity(t, pki.P256, "Signer")
	for _, tt := range []struct {
		name   string
		change func(r *saml.AuthnRequest)
	}{
		{"with everything", func(*saml.AuthnRequest) {}},
		{"with an index", func(r *saml.AuthnRequest) { i := 3; r.ACSIndex, r.ACSURL, r.ProtocolBinding = &i, "", "" }},
		{"with the least", func(r *saml.AuthnRequest) {
			*r = saml.AuthnRequest{Header: saml.Header{ID: r.ID, IssueInstant: now, Issuer: connector, IssuerFormat: saml.FormatEntity}}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			want := question()
			tt.change(want)
			b, err := want.Marshal(saml.Signing{Identity: signer})
			if err != nil {
				t.Fatal(err)
			}
			got, err := saml.ParseAuthnRequest(b, []*pki.Certificate{signer.Certificate}, saml.Algorithms{})
			if err != nil {
				t.Fatal(err)
			}
			if got.Signer != signer.Certificate {
				t.Error("the signer is not told")
			}
			if want.WriteExtensions != nil && got.Extensions.Child("urn:x", "SPType").Text() != "public" {
				t.Error("the extensions are lost")
			}
			if d := cmp.Diff(want, got, cmpopts.IgnoreFields(saml.Header{}, "Extensions", "WriteExtensions", "Signer")); d != "" {
				t.Error(d)
			}
		})
	}
}

// TestRequestsThatAreRefused: everything that the schema does not say.
func TestRequestsThatAreRefused(t *testing.T) {
	t.Parallel()
	b, err := question().Marshal(saml.Signing{})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, old, new string
		want           error
	}{
		{"a document type", "<saml2p:AuthnRequest", "<!DOCTYPE x><saml2p:AuthnRequest", dom.ErrDoctype},
		{"another message", "saml2p:AuthnRequest", "saml2p:LogoutRequest", saml.ErrSyntax},
		{"another version", `Version="2.0"`, `Version="1.1"`, saml.ErrSyntax},
		{"no ID", `ID="_request"`, ``, saml.ErrSyntax},
		{"an ID that is no name", `ID="_request"`, `ID="../etc/passwd"`, saml.ErrSyntax},
		{"no time", `IssueInstant="2026-05-04T10:00:00.000Z"`, ``, saml.ErrSyntax},
		{"a time without zone", `10:00:00.000Z`, `10:00:00.000`, saml.ErrSyntax},
		{"a boolean that is none", `ForceAuthn="true"`, `ForceAuthn="yes"`, saml.ErrSyntax},
		{"an unknown attribute", `IsPassive="false"`, `IsPassive="false" Surprise="1"`, saml.ErrSyntax},
		{"a foreign attribute", `IsPassive="false"`, `IsPassive="false" x:a="1" xmlns:x="urn:x"`, saml.ErrSyntax},
		{"text between elements", "</saml2:Issuer>", "</saml2:Issuer>surprise", saml.ErrSyntax},
		{"an element in the issuer", connector, connector + "<saml2:x/>", saml.ErrSyntax},
		{"an empty issuer", connector, " ", saml.ErrSyntax},
		{"an issuer that goes on and on", connector, strings.Repeat("x", 1025), saml.ErrSyntax},
		{"two issuers", "</saml2:Issuer>", "</saml2:Issuer><saml2:Issuer>x</saml2:Issuer>", saml.ErrSyntax},
		{"empty extensions", `<x:SPType xmlns:x="urn:x">public</x:SPType>`, "", saml.ErrSyntax},
		{"an unknown element", "<saml2p:Scoping>", "<saml2p:Surprise/><saml2p:Scoping>", saml.ErrSyntax},
		{"elements in another order", "</saml2p:AuthnRequest>", "<saml2p:NameIDPolicy/></saml2p:AuthnRequest>", saml.ErrSyntax},
		{"an unknown comparison", `Comparison="minimum"`, `Comparison="about"`, saml.ErrSyntax},
		{"no context", "<saml2:AuthnContextClassRef>http://eidas.europa.eu/LoA/substantial</saml2:AuthnContextClassRef>", "", saml.ErrSyntax},
		{"a named subject", "<saml2p:NameIDPolicy", "<saml2:Subject/><saml2p:NameIDPolicy", saml.ErrSyntax},
		{"a URL and an index", `ProviderName=`, `AssertionConsumerServiceIndex="1" ProviderName=`, saml.ErrSyntax},
		{"too much", "<saml2p:Scoping>", "<!--" + strings.Repeat("x", saml.MaxBytes) + "--><saml2p:Scoping>", saml.ErrTooLarge},
		{"too deep", `<x:SPType xmlns:x="urn:x">public</x:SPType>`, strings.Repeat("<a>", 40) + strings.Repeat("</a>", 40), dom.ErrLimit},
		{"cut short", "</saml2p:AuthnRequest>", "", dom.ErrSyntax},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			src := bytes.ReplaceAll(b, []byte(tt.old), []byte(tt.new))
			if bytes.Equal(src, b) {
				t.Fatal("the case changes nothing")
			}
			if _, err := saml.ParseAuthnRequest(src, nil, saml.Algorithms{}); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
	for _, r := range []*saml.AuthnRequest{{}, {Header: saml.Header{ID: "1", IssueInstant: now, Issuer: "x"}}, {Header: saml.Header{ID: "_1", Issuer: "x"}}} {
		if _, err := r.Marshal(saml.Signing{}); !errors.Is(err, saml.ErrSyntax) {
			t.Errorf("%+v is written: %v", r.Header, err)
		}
	}
}
