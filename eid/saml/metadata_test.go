package saml_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/viadukt-eu/viadukt/eid/saml"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

func describe(t testing.TB) *saml.Entity {
	t.Helper()
	signing, encryption := identity(t, pki.P256, "Signer"), identity(t, pki.P256, "Reader")
	role := saml.Role{Signing: []*pki.Certificate{signing.Certificate}, Encryption: []*pki.Certificate{encryption.Certificate},
		EncryptionMethods: []string{"http://www.w3.org/2009/xmlenc11#aes256-gcm"}, NameIDFormats: []string{saml.FormatPersistent, saml.FormatTransient},
		SLO:             []saml.Endpoint{{Binding: saml.BindingPOST, Location: "https://node.example/logout"}},
		WriteExtensions: func(w *dom.Writer) { w.Element("x:Country", "PT", "xmlns:x", "urn:x") }}
	return &saml.Entity{
		ID: "_metadata", EntityID: proxy, ValidUntil: now.AddDate(0, 0, 1),
		Attributes: []saml.Attribute{{Name: "urn:x:loa", NameFormat: saml.AttributeNameURI, Values: []saml.Value{{Text: "low"}, {Text: "high"}}}},
		Digests:    []string{"http://www.w3.org/2001/04/xmlenc#sha256"},
		Signatures: []saml.SigningMethod{{Algorithm: "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256", MinKeySize: 256, MaxKeySize: 521}},
		SP: &saml.ServiceProvider{Role: role, AuthnRequestsSigned: true, WantAssertionsSigned: true,
			ACS: []saml.Endpoint{{Binding: saml.BindingPOST, Location: acs, Index: 1}, {Binding: saml.BindingPOST, Location: acs + "2", Index: 2, Default: yes()}}},
		IDP: &saml.IdentityProvider{Role: role, WantAuthnRequestsSigned: true,
			SSO:        []saml.Endpoint{{Binding: saml.BindingPOST, Location: "https://proxy.example/post"}, {Binding: saml.BindingRedirect, Location: "https://proxy.example/redirect"}},
			Attributes: []saml.Attribute{{Name: natural + "/PersonIdentifier", NameFormat: saml.AttributeNameURI, FriendlyName: "PersonIdentifier"}}},
		Organization: &saml.Organization{Name: map[string]string{"en": "Office", "pt": "Agência"}, DisplayName: map[string]string{"en": "The Office"}, URL: map[string]string{"en": "https://office.example"}},
		Contacts:     []saml.Contact{{Type: "technical", Organization: "Office", GivenName: "Ana", SurName: "Silva", Email: "ana@office.example", Telephone: "+351 1"}},
	}
}

func trusting(want *pki.Identity) saml.MetadataSigner {
	return func(certs []*pki.Certificate) error {
		if !bytes.Equal(certs[0].Raw, want.Certificate.Raw) {
			return errors.New("a stranger")
		}
		return nil
	}
}

func TestMetadataComeAsTheyWereWritten(t *testing.T) {
	t.Parallel()
	signer := identity(t, pki.P256, "Metadata")
	want := describe(t)
	b, err := want.Marshal(saml.Signing{Identity: signer})
	if err != nil {
		t.Fatal(err)
	}
	got, err := saml.ParseMetadata(bytes.Clone(b), trusting(signer), saml.Algorithms{})
	if err != nil || len(got) != 1 {
		t.Fatal(len(got), err)
	}
	e := got[0]
	if !bytes.Equal(e.Signer.Raw, signer.Certificate.Raw) {
		t.Error("the signer is not told")
	}
	if d := cmp.Diff(want, e, cmpopts.IgnoreTypes(dom.Node{}), cmpopts.IgnoreFields(saml.Role{}, "WriteExtensions"), cmpopts.IgnoreFields(saml.Entity{}, "Signer", "Chain"),
		cmp.Comparer(func(a, b *pki.Certificate) bool { return bytes.Equal(a.Raw, b.Raw) })); d != "" {
		t.Error(d)
	}
	if v := e.Attribute("urn:x:loa"); len(v) != 2 || v[1] != "high" || e.Attribute("urn:x:other") != nil {
		t.Errorf("entity attribute %q", v)
	}
	if a := e.SP.DefaultACS(); a == nil || a.Index != 2 {
		t.Errorf("default %+v", a)
	}
	if e.IDP.Endpoint(saml.BindingRedirect) != "https://proxy.example/redirect" || e.IDP.Endpoint(saml.BindingSOAP) != "" {
		t.Error("endpoints")
	}
	if c := e.IDP.Extensions.Child("urn:x", "Country").Text(); c != "PT" {
		t.Errorf("extension of the role: %q", c)
	}

	if _, err := saml.ParseMetadata(bytes.Clone(b), trusting(identity(t, pki.P256, "Stranger")), saml.Algorithms{}); !errors.Is(err, saml.ErrSignature) {
		t.Errorf("a stranger's metadata: %v", err)
	}
	if _, err := saml.ParseMetadata(bytes.Replace(b, []byte("https://proxy.example/post"), []byte("https://other.example/post"), 1), trusting(signer), saml.Algorithms{}); !errors.Is(err, saml.ErrSignature) {
		t.Errorf("changed metadata: %v", err)
	}
	bare, err := want.Marshal(saml.Signing{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := saml.ParseMetadata(bytes.Clone(bare), trusting(signer), saml.Algorithms{}); !errors.Is(err, saml.ErrSignature) {
		t.Errorf("metadata without signature: %v", err)
	}
	if _, err := saml.ParseMetadata(bare, nil, saml.Algorithms{}); err != nil {
		t.Errorf("metadata that came by a safe way: %v", err)
	}
}

// TestDefaultOfIndexedEndpoints [SAML2Meta 2.2.3].
func TestDefaultOfIndexedEndpoints(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		acs  []saml.Endpoint
		want int
	}{
		{"the one that says so", []saml.Endpoint{{Index: 1}, {Index: 2, Default: yes()}}, 2},
		{"else the first that does not deny it", []saml.Endpoint{{Index: 1, Default: no()}, {Index: 2}, {Index: 3}}, 2},
		{"else the first", []saml.Endpoint{{Index: 1, Default: no()}, {Index: 2, Default: no()}}, 1},
	} {
		if got := (&saml.ServiceProvider{ACS: tt.acs}).DefaultACS(); got == nil || got.Index != tt.want {
			t.Errorf("%s: %+v", tt.name, got)
		}
	}
	if (&saml.ServiceProvider{}).DefaultACS() != nil {
		t.Error("a default out of nothing")
	}
}

// TestAggregate: one signature over many, and the earliest end counts.
func TestAggregate(t *testing.T) {
	t.Parallel()
	signer := identity(t, pki.P256, "Metadata")
	var parts []string
	for _, id := range []string{"a", "b", "c"} {
		e := describe(t)
		e.ID, e.EntityID, e.ValidUntil = "_"+id, "https://"+id+".example", time.Time{}
		if id == "c" {
			e.ValidUntil = now.Add(time.Hour)
		}
		b, err := e.Marshal(saml.Signing{})
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, string(b))
	}
	const open = `<md:EntitiesDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" ID="_all" validUntil="2026-06-01T00:00:00Z">`
	src := open + parts[0] + strings.Replace(open, "_all", "_some", 1) + parts[1] + parts[2] + "</md:EntitiesDescriptor></md:EntitiesDescriptor>"
	got, err := saml.ParseMetadata([]byte(src), nil, saml.Algorithms{})
	if err != nil || len(got) != 3 {
		t.Fatal(len(got), err)
	}
	if !got[0].ValidUntil.Equal(time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)) || !got[2].ValidUntil.Equal(now.Add(time.Hour)) {
		t.Errorf("ends %s and %s", got[0].ValidUntil, got[2].ValidUntil)
	}
	if _, err := saml.ParseMetadata([]byte(src), trusting(signer), saml.Algorithms{}); !errors.Is(err, saml.ErrSignature) {
		t.Errorf("an aggregate without signature: %v", err)
	}
	if _, err := saml.ParseMetadata([]byte(open+"</md:EntitiesDescriptor>"), nil, saml.Algorithms{}); !errors.Is(err, saml.ErrSyntax) {
		t.Errorf("an aggregate of nobody: %v", err)
	}
}

func TestMetadataThatAreRefused(t *testing.T) {
	t.Parallel()
	b, err := describe(t).Marshal(saml.Signing{})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, old, new string }{
		{"another root", "md:EntityDescriptor", "md:Other"},
		{"no entity ID", `entityID="` + proxy + `"`, ""},
		{"a long entity ID", `entityID="`, `entityID="` + strings.Repeat("x", 1024)},
		{"a use of its own", `use="signing"`, `use="both"`},
		{"a role without protocol", `protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"`, `protocolSupportEnumeration="urn:x"`},
		{"an endpoint without binding", `Binding="` + saml.BindingPOST + `" Location="` + acs + `"`, `Location="` + acs + `"`},
		{"an endpoint without location", `Location="` + acs + `" `, ""},
		{"an index that is none", `index="1"`, `index="-1"`},
		{"no endpoints", "md:AssertionConsumerService", "md:Other"},
		{"a size that is none", `MinKeySize="256"`, `MinKeySize="large"`},
		{"a certificate that is none", "<ds:X509Certificate>M", "<ds:X509Certificate>A"},
		{"a second role of a kind", "</md:SPSSODescriptor>", `</md:SPSSODescriptor><md:SPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"><md:AssertionConsumerService Binding="x" Location="y" index="1"/></md:SPSSODescriptor>`},
		{"something at the end", "</md:EntityDescriptor>", "<md:Surprise/></md:EntityDescriptor>"},
		{"text", "<md:Organization>", "text<md:Organization>"},
		{"a time that is none", `validUntil="2026`, `validUntil="x2026`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			src := bytes.ReplaceAll(b, []byte(tt.old), []byte(tt.new))
			if bytes.Equal(src, b) {
				t.Fatal("the case changes nothing")
			}
			if _, err := saml.ParseMetadata(src, nil, saml.Algorithms{}); !errors.Is(err, saml.ErrSyntax) {
				t.Errorf("got %v", err)
			}
		})
	}
}
