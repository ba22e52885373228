package procurement

import (
	"errors"
	"fmt"
	"strings"

	"github.com/viadukt-eu/viadukt/edelivery/ids"
	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Namespaces of UBL 2.1.
const (
	nsUBL = "urn:oasis:names:specification:ubl:schema:xsd:"
	nsCAC = nsUBL + "CommonAggregateComponents-2"
	nsCBC = nsUBL + "CommonBasicComponents-2"
)

// Document is what the transport needs to know of a business document.
type Document struct {
	Kind     string // the document element: "Invoice", "Order", "ApplicationResponse" ...
	Number   string // the number that its issuer gave it
	Type     ids.DocumentType
	Process  ids.Process
	Sender   ids.Participant
	Receiver ids.Participant
	Country  string // of the sender, ISO 3166-1 alpha-2; may be empty
	Version  string // of the syntax, "2.1"
	Root     dom.Node
}

// ErrDocument says that a document cannot be routed: it is of an unknown kind or lacks what names its process or parties.
var ErrDocument = errors.New("procurement: document not recognised")

// kinds says, for each root element, which party issues the document and which one gets it.
var kinds = map[string]struct{ from, to string }{
	"Invoice":     {"AccountingSupplierParty", "AccountingCustomerParty"},
	"CreditNote":  {"AccountingSupplierParty", "AccountingCustomerParty"},
	"Order":       {"BuyerCustomerParty", "SellerSupplierParty"},
	"OrderChange": {"BuyerCustomerParty", "SellerSupplierParty"}, "OrderCancellation": {"BuyerCustomerParty", "SellerSupplierParty"},
	"OrderResponse":  {"SellerSupplierParty", "BuyerCustomerParty"},
	"DespatchAdvice": {"DespatchSupplierParty", "DeliveryCustomerParty"},
	"Catalogue":      {"ProviderParty", "ReceiverParty"},
	// What the buyer says to an invoice, for one.
	"ApplicationResponse": {"SenderParty", "ReceiverParty"},
}

// Recognise finds out what a UBL document is and between whom it goes: the customization and the profile make the
// document type and the process [PFUOI POLICY 20, POLICY 25], the endpoint ids the participants.
func Recognise(root dom.Node) (*Document, error) {
	kind, ok := kinds[root.Local()]
	if !ok || root.Space() != nsUBL+root.Local()+"-2" {
		return nil, refuse(root, "{%s}%s is no document this domain knows: it takes UBL invoices, credit notes, orders and what answers them, despatch advices, catalogues and application responses", root.Space(), root.Local())
	}
	customization, profile := text(root, "CustomizationID"), text(root, "ProfileID")
	switch {
	case customization == "":
		return nil, refuse(root, "cbc:CustomizationID is missing: it says by which rules the document was made")
	case profile == "":
		return nil, refuse(root, "cbc:ProfileID is missing: it names the process")
	}
	d := &Document{Kind: root.Local(), Number: text(root, "ID"), Root: root, Version: "2.1"}
	if t := edocument.RecogniseType(root); t != nil {
		d.Version = t.Version
	} else if v := text(root, "UBLVersionID"); v != "" {
		d.Version = v
	}
	d.Type = ids.DocumentType{Value: root.Space() + "::" + root.Local() + "##" + customization + "::" + d.Version}.Qualified()
	d.Process = ids.Process{Scheme: ids.SchemeProcess, Value: profile}
	var err error
	if d.Sender, d.Country, err = party(root, kind.from); err != nil {
		return nil, err
	}
	if d.Receiver, _, err = party(root, kind.to); err != nil {
		return nil, err
	}
	return d, nil
}

func party(root dom.Node, role string) (ids.Participant, string, error) {
	p, where := root.Child(nsCAC, role), ""
	if role != "SenderParty" && role != "ReceiverParty" && role != "ProviderParty" { // those are parties themselves
		p, where = p.Child(nsCAC, "Party"), "/cac:Party"
	}
	if !p.Valid() {
		return ids.Participant{}, "", refuse(root, "cac:%s%s is missing", role, where)
	}
	endpoint := p.Child(nsCBC, "EndpointID")
	if !endpoint.Valid() || endpoint.Attr("schemeID") == "" {
		return ids.Participant{}, "", refuse(p, "cbc:EndpointID with a schemeID is missing: it is the electronic address")
	}
	id, err := ids.ParseParticipant(ids.SchemeActor + "::" + endpoint.Attr("schemeID") + ":" + endpoint.TrimmedText())
	if err != nil {
		return id, "", refuse(endpoint, "%v", err)
	}
	country := p.Child(nsCAC, "PostalAddress").Child(nsCAC, "Country").Child(nsCBC, "IdentificationCode").TrimmedText()
	return id, strings.ToUpper(country), nil
}

func text(root dom.Node, local string) string { return root.Child(nsCBC, local).TrimmedText() }

func refuse(n dom.Node, format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrDocument, n.Errorf(format, args...))
}

// Parse reads octets and recognises the document in them.
func Parse(octets []byte) (*Document, error) {
	doc, err := dom.Parse(octets, dom.Limits{})
	if err != nil {
		return nil, err
	}
	return Recognise(doc.Root())
}
