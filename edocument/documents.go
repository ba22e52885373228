package edocument

import (
	_ "embed" // the document types are a file
	"strings"
	"sync"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// DocumentType is one type of business document of the network for procurement: what it is called, and how a document
// says that it is one.
type DocumentType struct {
	Transaction string // "T01" after award, "t005" before it, "MLS", "VCD", "VCDPackage"
	Name        string // in English, for people: "order response"
	Root        string // local name of the document element
	// Customization is what the customization identifier begins with. Those that end in a dot are followed by a minor
	// version.
	Customization string
	Profiles      []string // the processes it belongs to, by profile identifier
	Version       string   // of the syntax, as identifiers of document types end
}

//go:embed documents.tsv
var documentsText string

// DocumentTypes lists the types that are known, those after award first.
var DocumentTypes = sync.OnceValue(func() []*DocumentType {
	var out []*DocumentType
	for i, line := range strings.Split(strings.TrimSpace(documentsText), "\n") {
		f := strings.Split(line, "\t")
		if i == 0 || len(f) != 6 {
			continue
		}
		out = append(out, &DocumentType{f[0], f[1], f[2], f[3], strings.Fields(f[4]), f[5]})
	}
	return out
})

const (
	ubl    = "urn:oasis:names:specification:ubl:schema:xsd:"
	ublCBC = ubl + "CommonBasicComponents-2"
	pilot  = "urn:www.peppol.eu:schema:xsd:" // documents of the PEPPOL project that are none of UBL
	regrep = "urn:oasis:names:tc:ebxml-regrep:xsd:"
)

// Namespace of the document element.
func (d *DocumentType) Namespace() string {
	switch d.Root {
	case "QueryRequest", "QueryResponse":
		return regrep + "query:4.0"
	case "SubmitObjectsRequest":
		return regrep + "lcm:4.0"
	case "VirtualCompanyDossier", "VirtualCompanyDossierPackage":
		return pilot + d.Root + "-1"
	}
	return ubl + d.Root + "-2"
}

// roles says for a document element which child issues the document, and which one gets it.
var roles = map[string][2]string{
	"Invoice": {"AccountingSupplierParty", "AccountingCustomerParty"}, "CreditNote": {"AccountingSupplierParty", "AccountingCustomerParty"},
	"Order": {"BuyerCustomerParty", "SellerSupplierParty"}, "OrderChange": {"BuyerCustomerParty", "SellerSupplierParty"}, "OrderCancellation": {"BuyerCustomerParty", "SellerSupplierParty"},
	"OrderResponse": {"SellerSupplierParty", "BuyerCustomerParty"}, "DespatchAdvice": {"DespatchSupplierParty", "DeliveryCustomerParty"},
	"Catalogue": {"ProviderParty", "ReceiverParty"}, "ApplicationResponse": {"SenderParty", "ReceiverParty"},
	"ExpressionOfInterestRequest": {"EconomicOperatorParty", "ContractingParty"}, "ExpressionOfInterestResponse": {"ContractingParty", "EconomicOperatorParty"},
	"TenderStatusRequest": {"EconomicOperatorParty", "ContractingParty"}, "CallForTenders": {"ContractingParty", "ReceiverParty"},
	"Tender": {"TendererParty", "ContractingParty"}, "TenderWithdrawal": {"TendererParty", "ContractingParty"}, "TenderReceipt": {"SenderParty", "ReceiverParty"},
	"Enquiry": {"RequestorParty", "ResponderParty"}, "EnquiryResponse": {"ResponderParty", "RequestorParty"}, "AwardedNotification": {"SenderParty", "ReceiverParty"},
	"TendererQualification": {"TendererPartyQualification/MainQualifyingParty", "ContractingParty"}, "TendererQualificationResponse": {"SenderParty", "ReceiverParty"},
	"CatalogueRequest": {"ReceiverParty", "ProviderParty"},
	// Notices and the European Single Procurement Document are for everybody.
	"PriorInformationNotice": {"ContractingParty", ""}, "ContractNotice": {"ContractingParty", ""}, "ContractAwardNotice": {"ContractingParty", ""},
	"QualificationApplicationRequest": {"ContractingParty", ""}, "QualificationApplicationResponse": {"EconomicOperatorParty", "ContractingParty"},
}

// Roles returns the elements of a UBL document that name who issues the document and who gets it, as paths from the document element. The receiver is ""
// where the document is for everybody; ok says whether the document element is known.
func Roles(documentElement string) (issuer, receiver string, ok bool) {
	r, ok := roles[documentElement]
	return r[0], r[1], ok
}

// PartyIn returns the party of a role: the element itself, or the party in it.
func PartyIn(root dom.Node, role string) dom.Node {
	n := root
	for name := range strings.SplitSeq(role, "/") {
		n = n.Child(ublCAC, name)
	}
	if inner := n.Child(ublCAC, "Party"); inner.Valid() {
		return inner
	}
	return n
}

// names reports whether a customization identifier is one of this type. What a customization adds to follows a "#" or
// an "@", and the version may go on after a dot.
func (d *DocumentType) names(customization string) bool {
	rest, ok := strings.CutPrefix(customization, d.Customization)
	return ok && (rest == "" || strings.HasSuffix(d.Customization, ".") || strings.ContainsRune("#@.:", rune(rest[0])))
}

// RecogniseType finds out which type a document is, by its document element and customization identifier; nil when it
// is none of [DocumentTypes]. Documents that carry no customization identifier at that place are recognised by their
// document element where one type has it.
func RecogniseType(root dom.Node) *DocumentType {
	customization := root.Child(ublCBC, "CustomizationID").TrimmedText()
	var only *DocumentType
	n := 0
	for _, d := range DocumentTypes() {
		if d.Root != root.Local() || d.Namespace() != root.Space() {
			continue
		}
		if customization != "" && d.names(customization) {
			return d
		}
		only = d
		n++
	}
	if n == 1 && customization == "" {
		return only
	}
	return nil
}
