package edocument

import (
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

func TestDocumentTypesAreRecognised(t *testing.T) {
	t.Parallel()
	all := DocumentTypes()
	if len(all) < 40 {
		t.Fatalf("only %d types", len(all))
	}
	for _, d := range all {
		customization := d.Customization
		if strings.HasSuffix(customization, ".") {
			customization += "2"
		}
		doc, err := dom.Parse([]byte(`<x:`+d.Root+` xmlns:x="`+d.Namespace()+`" xmlns:c="`+ublCBC+`"><c:CustomizationID> `+customization+` </c:CustomizationID></x:`+d.Root+`>`), dom.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if got := RecogniseType(doc.Root()); got != d {
			t.Errorf("%s %s: recognised as %v", d.Transaction, d.Name, got)
		}
	}
}

func TestWhatIsNoDocumentTypeIsNotRecognised(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]string{
		"another namespace":                              `<Order xmlns="urn:other"/>`,
		"a customization of another name":                `<Order xmlns="urn:oasis:names:specification:ubl:schema:xsd:Order-2" xmlns:c="` + ublCBC + `"><c:CustomizationID>urn:fdc:peppol.eu:poacc:trns:order:30</c:CustomizationID></Order>`,
		"a document element of many types, nothing more": `<ApplicationResponse xmlns="urn:oasis:names:specification:ubl:schema:xsd:ApplicationResponse-2"/>`,
	} {
		doc, err := dom.Parse([]byte(s), dom.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if d := RecogniseType(doc.Root()); d != nil {
			t.Errorf("%s: recognised as %s", name, d.Name)
		}
	}
}

func TestPartiesAreFoundByTheirRoles(t *testing.T) {
	t.Parallel()
	doc, err := dom.Parse([]byte(`<TendererQualification xmlns="urn:oasis:names:specification:ubl:schema:xsd:TendererQualification-2" xmlns:a="`+ublCAC+`" xmlns:b="`+ublCBC+`">
<a:TendererPartyQualification><a:MainQualifyingParty><a:Party><b:EndpointID>company</b:EndpointID></a:Party></a:MainQualifyingParty></a:TendererPartyQualification>
<a:ContractingParty><a:Party><b:EndpointID>authority</b:EndpointID></a:Party></a:ContractingParty></TendererQualification>`), dom.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	issuer, receiver, ok := Roles(doc.Root().Local())
	if !ok || PartyIn(doc.Root(), issuer).Child(ublCBC, "EndpointID").Text() != "company" || PartyIn(doc.Root(), receiver).Child(ublCBC, "EndpointID").Text() != "authority" {
		t.Errorf("%s, %s, %t", issuer, receiver, ok)
	}
	if n := PartyIn(doc.Root(), "SenderParty/Party"); n.Valid() {
		t.Error("a role that nobody has")
	}
}
