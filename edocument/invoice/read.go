package invoice

import (
	"slices"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Namespaces of the two syntaxes.
const (
	nsInvoice    = "urn:oasis:names:specification:ubl:schema:xsd:Invoice-2"
	nsCreditNote = "urn:oasis:names:specification:ubl:schema:xsd:CreditNote-2"
	nsCAC        = "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2"
	nsCBC        = "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2"
	nsRSM        = "urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100"
	nsRAM        = "urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100"
	nsUDT        = "urn:un:unece:uncefact:data:standard:UnqualifiedDataType:100"
	nsQDT        = "urn:un:unece:uncefact:data:standard:QualifiedDataType:100"
)

// Read reads an invoice or credit note of either syntax. For any other document the error is
// [edocument.ErrUnknownType]; terms that cannot be used are in Problems.
func Read(doc *dom.Document) (*Invoice, error) {
	root := doc.Root()
	var i *Invoice
	switch {
	case root.Is(nsInvoice, "Invoice"), root.Is(nsCreditNote, "CreditNote"):
		i = readUBL(root)
	case root.Is(nsRSM, "CrossIndustryInvoice"):
		i = readCII(root)
	default:
		return nil, edocument.ErrUnknownType
	}
	i.settle()
	return i, nil
}

// kid finds the first child element with that local name in any of the namespaces of the syntaxes. A name means one
// thing in a syntax, whatever its namespace.
func kid(n dom.Node, name string) dom.Node {
	for c := n.FirstElement(); c.Valid(); c = c.NextElement() {
		if c.Local() == name && known(c.Space()) {
			return c
		}
	}
	return dom.Node{}
}

// charges tells allowances from charges by their indicator. One that cannot be told is an allowance, and a problem of the
// group of terms.
func (i *Invoice) charges(group string, nodes []dom.Node, indicator string, read func(dom.Node) Charge) (allowances, charges []Charge) {
	for _, n := range nodes {
		v := text(n, indicator)
		if repeated(v.Node, n) || !slices.Contains([]string{"true", "1", "false", "0"}, v.Value) {
			i.problem(group, "the indicator does not say whether it is an allowance or a charge", n)
		}
		if v.Value == "true" || v.Value == "1" {
			charges = append(charges, read(n))
		} else {
			allowances = append(allowances, read(n))
		}
	}
	return allowances, charges
}

// repeated reports whether an element, or one that it is in below top, stands beside another of its name.
func repeated(n, top dom.Node) bool {
	for ; n.Valid() && n.Kind() == dom.ElementNode && n != top; n = n.Parent() {
		k := 0
		for c := n.Parent().FirstElement(); c.Valid(); c = c.NextElement() {
			if c.NameID() == n.NameID() {
				k++
			}
		}
		if k > 1 {
			return true
		}
	}
	return false
}

// kids collects all of them.
func kids(n dom.Node, name string) (out []dom.Node) {
	for c := n.FirstElement(); c.Valid(); c = c.NextElement() {
		if c.Local() == name && known(c.Space()) {
			out = append(out, c)
		}
	}
	return out
}

func known(space string) bool {
	switch space {
	case nsCBC, nsCAC, nsRAM, nsUDT, nsQDT, nsRSM:
		return true
	}
	return false
}

// at goes down a path of names with slashes between.
func at(n dom.Node, path string) dom.Node {
	for path != "" && n.Valid() {
		name, rest, _ := strings.Cut(path, "/")
		n, path = kid(n, name), rest
	}
	return n
}

// text reads the text at a path without white space around it.
func text(n dom.Node, path string) Text {
	n = at(n, path)
	if !n.Valid() {
		return Text{}
	}
	return Text{n.TrimmedText(), n}
}

// ident reads an identifier with its scheme.
func ident(n dom.Node) Identifier {
	if !n.Valid() {
		return Identifier{}
	}
	return Identifier{Value: n.TrimmedText(), Scheme: n.Attr("schemeID"), Node: n}
}

// date accepts a calendar day and drops a time zone.
func (i *Invoice) date(term string, n dom.Node) Date {
	if !n.Valid() {
		return Date{}
	}
	s := n.TrimmedText()
	if len(s) > 10 && (s[10] == 'Z' || s[10] == '+' || s[10] == '-') {
		s = s[:10]
	}
	if _, err := time.Parse(time.DateOnly, s); err != nil {
		i.problem(term, "is no date such as 2026-04-17", n)
	}
	return Date{s, n}
}

func (i *Invoice) problem(term, what string, n dom.Node) {
	i.Problems = append(i.Problems, Problem{term, what, n})
}

// sorted puts identifiers without scheme first, as CII does.
func sorted(ids []Identifier) []Identifier {
	var out []Identifier
	for _, scheme := range []bool{false, true} {
		for _, id := range ids {
			if (id.Scheme != "") == scheme {
				out = append(out, id)
			}
		}
	}
	return out
}
