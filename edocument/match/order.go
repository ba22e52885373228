package match

import (
	"cmp"
	"slices"
	"strings"

	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/edocument/decimal"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

const (
	nsUBL = "urn:oasis:names:specification:ubl:schema:xsd:"
	nsCAC = nsUBL + "CommonAggregateComponents-2"
	nsCBC = nsUBL + "CommonBasicComponents-2"
)

// order is what was ordered, with all that was said about it since.
type order struct {
	name          string // "order B-7"
	number        string
	currency      string
	seller, buyer party
	lines         []*line
	total         value  // without tax
	refused       string // "order response R-1 rejects it"

	byID, byName map[string]*line
	byItem       map[items]*line // by one identifier alone
}

// index makes the lines known by their numbers, articles and names; of several with one the first counts.
func (o *order) index() {
	o.byID, o.byName, o.byItem = map[string]*line{}, map[string]*line{}, map[items]*line{}
	for _, l := range slices.Backward(o.lines) {
		o.byID[l.id], o.byName[folded(l.name)] = l, l
		for _, one := range l.items.each() {
			o.byItem[one] = l
		}
	}
	delete(o.byID, "")
}

// find returns the line with the same article, else the one with the same name that is not about another article.
func (o *order) find(article items, name string) *line {
	for _, one := range article.each() {
		if l := o.byItem[one]; l != nil {
			if same, _ := article.same(l.items); same {
				return l
			}
		}
	}
	if l := o.byName[folded(name)]; l != nil {
		if _, known := article.same(l.items); !known {
			return l
		}
	}
	return nil
}

// line is what one line of the order says, and who said it last.
type line struct {
	id, name string
	by       string // "order B-7"
	items    items
	quantity value
	unit     string
	price    value
	base     value // quantity that the price is for; not given: 1
	net      value
	refused  bool
}

// despatch is what one despatch advice says was sent.
type despatch struct {
	number string
	order  string
	lines  []sent
}

type sent struct {
	order, line string // of the line of the order
	items       items
	name        string
	quantity    value
	unit        string
}

// value is a number that may be absent.
type value struct {
	decimal.Decimal
	given bool
}

func number(n dom.Node) value {
	if !n.Valid() {
		return value{}
	}
	d := decimal.Read(n.TrimmedText())
	return value{d, !d.IsNaN()}
}

// items are the identifiers of an article: the standard one with its scheme, the seller's and the buyer's.
type items struct{ standard, seller, buyer string }

// each are the identifiers one by one.
func (a items) each() (out []items) {
	for _, one := range []items{{standard: a.standard}, {seller: a.seller}, {buyer: a.buyer}} {
		if one != (items{}) {
			out = append(out, one)
		}
	}
	return out
}

// same compares two articles by an identifier that both have: the standard one first, since it is no party's own.
func (a items) same(b items) (same, known bool) {
	for _, p := range [][2]string{{a.standard, b.standard}, {a.seller, b.seller}, {a.buyer, b.buyer}} {
		if p[0] != "" && p[1] != "" {
			return p[0] == p[1], true
		}
	}
	return false, false
}

func text(n dom.Node, local string) string { return n.Child(nsCBC, local).TrimmedText() }

func child(n dom.Node, names string) dom.Node {
	for name := range strings.SplitSeq(names, "/") {
		n = n.Child(nsCAC, name)
	}
	return n
}

func each(n dom.Node, local string) (out []dom.Node) {
	for e := range n.Elements() {
		if e.Is(nsCAC, local) {
			out = append(out, e)
		}
	}
	return out
}

// folded makes names comparable: case and runs of spaces say nothing.
func folded(s string) string { return strings.ToLower(strings.Join(strings.Fields(s), " ")) }

// bare makes identifiers comparable: spaces and case say nothing.
func bare(s string) string { return strings.ToUpper(strings.Join(strings.Fields(s), "")) }

func articles(item dom.Node) items {
	standard := child(item, "StandardItemIdentification").Child(nsCBC, "ID")
	out := items{seller: bare(text(child(item, "SellersItemIdentification"), "ID")), buyer: bare(text(child(item, "BuyersItemIdentification"), "ID"))}
	if s := standard.TrimmedText(); s != "" {
		out.standard = standard.Attr("schemeID") + ":" + bare(s)
	}
	return out
}

// party is who somebody is, by every name that a document gives.
type party struct {
	name string
	ids  map[string][]string // by kind: "address", "company", "tax"
}

func (p *party) add(kind, id string) {
	if id = bare(id); id != "" {
		if p.ids == nil {
			p.ids = map[string][]string{}
		}
		p.ids[kind] = append(p.ids[kind], id)
	}
}

// is compares two parties: by identifiers of one kind, where both have such, else by name.
func (p *party) is(q *party) bool {
	compared := false
	for kind, list := range p.ids {
		if len(q.ids[kind]) == 0 {
			continue
		}
		compared = true
		if slices.ContainsFunc(list, func(id string) bool { return slices.Contains(q.ids[kind], id) }) {
			return true
		}
	}
	return !compared && folded(p.name) == folded(q.name)
}

func readParty(n dom.Node) party {
	n = child(n, "Party")
	p := party{name: cmp.Or(text(child(n, "PartyLegalEntity"), "RegistrationName"), text(child(n, "PartyName"), "Name"))}
	if e := n.Child(nsCBC, "EndpointID"); e.TrimmedText() != "" {
		p.add("address", e.Attr("schemeID")+":"+e.TrimmedText())
	}
	for _, e := range each(n, "PartyIdentification") {
		p.add("company", text(e, "ID"))
	}
	p.add("company", text(child(n, "PartyLegalEntity"), "CompanyID"))
	for _, e := range each(n, "PartyTaxScheme") {
		p.add("tax", text(e, "CompanyID"))
	}
	return p
}

// readOrder reads an order, or an order agreement, which is one that the seller writes down.
func readOrder(root dom.Node, name string) *order {
	o := &order{
		name: name, number: text(root, "ID"), currency: text(root, "DocumentCurrencyCode"),
		seller: readParty(child(root, "SellerSupplierParty")), buyer: readParty(child(root, "BuyerCustomerParty")),
	}
	for _, n := range each(root, "OrderLine") {
		o.lines = append(o.lines, readLine(child(n, "LineItem"), name))
	}
	o.totals(root)
	return o
}

// totals takes what an order or a change of it comes to.
func (o *order) totals(root dom.Node) {
	total := child(root, "AnticipatedMonetaryTotal")
	if !total.Valid() {
		total = child(root, "LegalMonetaryTotal")
	}
	o.total = number(total.Child(nsCBC, "TaxExclusiveAmount"))
	if !o.total.given {
		o.total = number(total.Child(nsCBC, "LineExtensionAmount"))
	}
}

func readLine(n dom.Node, by string) *line {
	q, price := n.Child(nsCBC, "Quantity"), child(n, "Price")
	return &line{
		id: text(n, "ID"), name: text(child(n, "Item"), "Name"), by: by, items: articles(child(n, "Item")), quantity: number(q), unit: q.Attr("unitCode"),
		price: number(price.Child(nsCBC, "PriceAmount")), base: number(price.Child(nsCBC, "BaseQuantity")), net: number(n.Child(nsCBC, "LineExtensionAmount")),
	}
}

// Codes of what became of a line, as changes and responses use them (UNCL 1229).
const (
	lineAdded    = "1"
	lineDeleted  = "2"
	lineChanged  = "3"
	lineRejected = "7"
)

// amend takes over what a document says about single lines of the order: their number in the order is that of the
// reference, in a change that of the line itself.
func (o *order) amend(root dom.Node, by string) {
	o.index()
	for _, n := range each(root, "OrderLine") {
		said := readLine(child(n, "LineItem"), by)
		id := cmp.Or(text(child(n, "OrderLineReference"), "LineID"), said.id)
		l := o.byID[id]
		switch code := text(child(n, "LineItem"), "LineStatusCode"); {
		case l == nil && code == lineAdded:
			said.id = id
			o.lines, o.byID[id] = append(o.lines, said), said
		case l == nil:
		case code == lineDeleted, code == lineRejected:
			l.refused, l.by = true, by
		case code == lineChanged, code == lineAdded:
			l.by = by
			if said.quantity.given {
				l.quantity, l.unit = said.quantity, said.unit
				l.net = value{}
			}
			if said.price.given {
				l.price, l.base = said.price, said.base
				l.net = value{}
			}
			if said.net.given {
				l.net = said.net
			}
			if substitute := child(n, "SellerSubstitutedLineItem/Item"); substitute.Valid() {
				l.name, l.items = text(substitute, "Name"), articles(substitute)
			}
			o.total = value{}
		}
	}
}

func readDespatch(root dom.Node) *despatch {
	d := &despatch{number: text(root, "ID"), order: text(child(root, "OrderReference"), "ID")}
	for _, n := range each(root, "DespatchLine") {
		q := n.Child(nsCBC, "DeliveredQuantity")
		ref := child(n, "OrderLineReference")
		d.lines = append(d.lines, sent{
			order: cmp.Or(text(child(ref, "OrderReference"), "ID"), d.order), line: text(ref, "LineID"), items: articles(child(n, "Item")),
			name: text(child(n, "Item"), "Name"), quantity: number(q), unit: q.Attr("unitCode"),
		})
	}
	return d
}

// kindOf names a document for people, as "order response R-1".
func kindOf(root dom.Node) string {
	name := root.Local()
	if t := edocument.RecogniseType(root); t != nil {
		name = t.Name
	}
	return strings.TrimSpace(name + " " + text(root, "ID"))
}
