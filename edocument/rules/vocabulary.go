package rules

import (
	"strings"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// vocabulary gives every name that rules of one syntax use a small number, so that documents are searched by numbers.
type vocabulary struct {
	spaces map[string]string // namespace to the prefix of the key, "" for most
	codes  map[string]uint16
	names  []string
	listed map[uint16]bool // names that some path looks for anywhere
	roots  map[uint16]bool // names of document elements

	indicator *path // of an allowance or charge: true is a charge
	scheme    *path // of a tax category
	strict    bool  // the scheme is compared with white space
}

// Namespaces of the two syntaxes.
const (
	nsInvoice    = "urn:oasis:names:specification:ubl:schema:xsd:Invoice-2"
	nsCreditNote = "urn:oasis:names:specification:ubl:schema:xsd:CreditNote-2"
	nsCAC        = "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2"
	nsCBC        = "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2"
	nsEXT        = "urn:oasis:names:specification:ubl:schema:xsd:CommonExtensionComponents-2"
	nsRSM        = "urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100"
	nsRAM        = "urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100"
	nsUDT        = "urn:un:unece:uncefact:data:standard:UnqualifiedDataType:100"
	nsQDT        = "urn:un:unece:uncefact:data:standard:QualifiedDataType:100"
)

func newUBLVocabulary() *vocabulary {
	v := &vocabulary{
		spaces: map[string]string{nsInvoice: "", nsCreditNote: "", nsCAC: "", nsCBC: "", nsEXT: ""},
		codes:  map[string]uint16{}, names: []string{""}, listed: map[uint16]bool{},
	}
	v.roots = map[uint16]bool{v.code("Invoice"): true, v.code("CreditNote"): true}
	v.indicator, v.scheme = v.path("ChargeIndicator"), v.path("TaxScheme/ID")
	return v
}

func newCIIVocabulary() *vocabulary {
	v := &vocabulary{
		spaces: map[string]string{nsRSM: "", nsRAM: "", nsUDT: "", nsQDT: "qdt:"},
		codes:  map[string]uint16{}, names: []string{""}, listed: map[uint16]bool{},
	}
	v.strict = true
	v.roots = map[uint16]bool{v.code("CrossIndustryInvoice"): true}
	v.indicator, v.scheme = v.path("ChargeIndicator/Indicator"), v.path("TypeCode")
	return v
}

// code enters a name. 0 stands for all names that no rule knows.
func (v *vocabulary) code(name string) uint16 {
	if c, ok := v.codes[name]; ok {
		return c
	}
	c := uint16(len(v.names))
	v.codes[name] = c
	v.names = append(v.names, name)
	return c
}

// find returns the code of a name in a document.
func (v *vocabulary) find(space, local string) uint16 {
	prefix, ok := v.spaces[space]
	if !ok {
		return 0
	}
	if prefix != "" {
		local = prefix + local
	}
	return v.codes[local]
}

// charge holds where an indicator has the given truth value; it is read as xs:boolean.
func (v *vocabulary) charge(want bool) condition {
	return func(x *eval, n dom.Node) bool {
		return v.indicator.walk(x, n, func(c dom.Node) bool {
			switch strings.Trim(c.Text(), " \t\r\n") {
			case "true", "1":
				return want
			case "false", "0":
				return !want
			}
			return false
		})
	}
}

// vat holds where a tax scheme is VAT, in whatever case.
func (v *vocabulary) vat(x *eval, n dom.Node) bool {
	if v.scheme.mayRepeat(x) {
		var parent dom.Node
		v.scheme.walk(x, n, func(c dom.Node) bool {
			x.unclear = x.unclear || c.Parent() == parent
			parent = c.Parent()
			return false
		})
	}
	return v.scheme.walk(x, n, func(c dom.Node) bool {
		s := c.Text()
		return s == "VAT" || !v.strict && strings.ToUpper(normalize(s)) == "VAT" || v.strict && strings.ToUpper(s) == "VAT"
	})
}
