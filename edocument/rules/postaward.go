package rules

import (
	"regexp"
	"strings"
	"sync"

	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/edocument/decimal"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// transaction is one document type after award that has a set.
type transaction struct {
	id  string // "T01"
	set func() *Set
}

// postAward are the sets for what buyers and sellers exchange besides invoices, release 2026.5, and for the message level
// status, version 1.0.1.
var postAward = []transaction{
	postAwardSet("T01", "peppol-order", (*vocabulary).order),
	postAwardSet("T76", "peppol-order-response", (*vocabulary).orderResponse),
	postAwardSet("T110", "peppol-order-agreement", (*vocabulary).orderAgreement),
	postAwardSet("T114", "peppol-order-change", (*vocabulary).order),
	postAwardSet("T115", "peppol-order-cancellation", func(u *vocabulary, t string) []*context {
		return []*context{u.profiles(t+"R031", "urn:fdc:peppol.eu:poacc:bis:advanced_ordering:3"), u.customization(t+"R034", "order_cancellation:3")}
	}),
	postAwardSet("T116", "peppol-order-response-advanced", (*vocabulary).orderResponse),
	postAwardSet("T16", "peppol-despatch-advice", (*vocabulary).despatchAdvice),
	postAwardSet("T19", "peppol-catalogue", (*vocabulary).catalogue),
	postAwardSet("T58", "peppol-catalogue-response", func(u *vocabulary, t string) []*context {
		return []*context{u.customization(t+"R001", "catalogue_response:3")}
	}),
	postAwardSet("T77", "peppol-punch-out", (*vocabulary).punchOut),
	postAwardSet("T111", "peppol-invoice-response", (*vocabulary).invoiceResponse),
	postAwardSet("T71", "peppol-message-level-response", func(u *vocabulary, t string) []*context {
		return []*context{u.customization(t+"R001", "mlr:3")}
	}),
	{"MLS", sync.OnceValue(newMessageLevelStatus)},
}

// transactionSet returns the set of a transaction, nil when there is none.
func transactionSet(id string) *Set {
	for _, t := range postAward {
		if t.id == id {
			return t.set()
		}
	}
	return nil
}

const nsUBL = "urn:oasis:names:specification:ubl:schema:xsd:"

// newPostAwardVocabulary knows the names of one document type.
func newPostAwardVocabulary(root string) *vocabulary {
	v := &vocabulary{
		spaces: map[string]string{nsUBL + root + "-2": "", nsCAC: "", nsCBC: ""},
		codes:  map[string]uint16{}, names: []string{""}, listed: map[uint16]bool{},
	}
	v.roots = map[uint16]bool{v.code(root): true}
	v.indicator, v.scheme = v.path("ChargeIndicator"), v.path("TaxScheme/ID")
	return v
}

// postAwardSet makes a set of the common rules, of the data model of the document type, and of its own rules.
func postAwardSet(id, name string, own func(u *vocabulary, prefix string) []*context) transaction {
	return transaction{id, sync.OnceValue(func() *Set {
		root := ""
		for _, d := range edocument.DocumentTypes() {
			if d.Transaction == id {
				root = d.Root
			}
		}
		u := newPostAwardVocabulary(root)
		s := &Set{id: name, version: "2026.5", v: u, model: newModel(u, id[1:]), prepare: u.preparePostAward()}
		empty := func(x *eval) bool { return !x.n.FirstElement().Valid() && blank(x.n.Text()) }
		s.patterns = []*pattern{
			{contexts: []*context{named(func(string) bool { return true }, must("PEPPOL-COMMON-R001", never)).where(empty)}},
			{contexts: append([]*context{
				u.on("/", should("PEPPOL-COMMON-R003", func(x *eval) bool { return !anyAttribute(x.n, "schemaLocation") })),
				u.on("IssueDate|DueDate|TaxPointDate|StartDate|EndDate|ActualDeliveryDate", must("PEPPOL-COMMON-R030", func(x *eval) bool { s := x.n.Text(); return len(s) == 10 && isDate(s) })),
			}, u.postAwardIdentifiers()...)},
			{contexts: own(u, "PEPPOL-"+id+"-")},
		}
		if id == "T111" { // both judge the same elements
			s.patterns = append(s.patterns, &pattern{contexts: u.statusReasons("PEPPOL-" + id + "-")})
		}
		return s.seal()
	})}
}

// postAwardIdentifiers are the rules on identifiers of some schemes. The Dutch VAT number counts wherever it stands here,
// and before the rule on tax registrations.
func (u *vocabulary) postAwardIdentifiers() []*context {
	out := u.billingIdentifiers()
	for i, s := range identifierSchemes {
		if s.code == "9944" {
			s.endpoint = false
			at := "EndpointID[@schemeID=9944]|PartyIdentification/ID[@schemeID=9944]|CompanyID[@schemeID=9944]"
			out[i] = u.on(at, s.assert())
		}
	}
	return out
}

// postAwardFacts is what several rules ask.
type postAwardFacts struct {
	currency map[string]bool // of the document
	lines    map[string]int  // how many line items have an identifier
	taxes    map[string]bool
	rates    map[string]bool // category and rate
	from, to decimal.Decimal // validity of a catalogue, as YYYYMMDD
}

func postFacts(x *eval) *postAwardFacts { return x.facts.(*postAwardFacts) }

func (u *vocabulary) preparePostAward() func(*eval) {
	currency, items, id := u.path("/DocumentCurrencyCode"), u.path("//LineItem"), u.path("ID")
	taxes := u.path("/TaxTotal/TaxSubtotal/TaxCategory")
	start, end := u.path("/ValidityPeriod/StartDate"), u.path("/ValidityPeriod/EndDate")
	rate := u.categoryAndRate()
	return func(x *eval) {
		f := &postAwardFacts{currency: map[string]bool{}, lines: map[string]int{}, taxes: map[string]bool{}, rates: map[string]bool{}}
		currency.walk(x, x.root, func(n dom.Node) bool { f.currency[n.Text()] = true; return false })
		items.walk(x, x.root, func(n dom.Node) bool {
			own := map[string]bool{}
			id.walk(x, n, func(n dom.Node) bool { own[n.Text()] = true; return false })
			for s := range own {
				f.lines[s]++
			}
			return false
		})
		taxes.walk(x, x.root, func(n dom.Node) bool {
			category, both := rate(x, n)
			f.taxes[category], f.rates[both] = true, true
			return false
		})
		f.from, f.to = day(start.find(x, x.root), decimal.New(0, 0)), day(end.find(x, x.root), decimal.New(99999999, 0))
		x.facts = f
	}
}

// categoryAndRate reads a tax category.
func (u *vocabulary) categoryAndRate() func(x *eval, n dom.Node) (category, both string) {
	id, percent := u.path("ID"), u.path("Percent")
	return func(x *eval, n dom.Node) (string, string) {
		c := normalize(id.string(x, n))
		r := ""
		if p := percent.find(x, n); p.Valid() {
			r = decimal.Read(p.Text()).Round(6).Normal().String()
		}
		return c, c + "-" + r
	}
}

// day reads a date as the number YYYYMMDD; absent stands for no date.
func day(n dom.Node, absent decimal.Decimal) decimal.Decimal {
	if !n.Valid() {
		return absent
	}
	return decimal.Read(strings.ReplaceAll(n.Text(), "-", ""))
}

func (u *vocabulary) customization(id, name string) *context {
	want := "urn:fdc:peppol.eu:poacc:trns:" + name
	return u.on("CustomizationID", must(id, func(x *eval) bool { return strings.HasPrefix(normalize(x.n.Text()), want) }))
}

func (u *vocabulary) profiles(id string, profiles ...string) *context {
	return u.on("ProfileID", must(id, u.reads(".", profiles...)))
}

// or is a test that holds as well where there is nothing at the path.
func (u *vocabulary) or(path string, t test) test { return either(u.hasNot(path), t) }

// first: the first node of the path is a number that is zero or above. Nothing is no number.
func (u *vocabulary) first(path string) test {
	p := u.path(path)
	return func(x *eval) bool { return notNegative(double(p.string(x, x.n))) }
}

// ownIdentifier: the line has an identifier, and no other line has it.
func (u *vocabulary) ownIdentifier() test {
	id := u.path("ID")
	return func(x *eval) bool {
		found := false
		shared := id.walk(x, x.n, func(n dom.Node) bool { found = true; return postFacts(x).lines[n.Text()] != 1 })
		return found && !shared
	}
}

// basic: the context node is no aggregate.
func basic(x *eval) bool { return x.n.Space() == nsCBC }

// inCurrency: the amount is in the currency of the document.
func inCurrency(x *eval) bool {
	c, ok := x.n.AttrNS("", "currencyID")
	if !ok || postFacts(x).currency[c] {
		return true
	}
	x.note = "currency " + edocument.Clip(c) + ", the document has another one"
	return false
}

// cents: an amount, but for a price, has at most two decimals.
func (u *vocabulary) cents() test {
	return func(x *eval) bool {
		for n := x.n.Parent(); n.Kind() == dom.ElementNode; n = n.Parent() {
			if n.Local() == "Price" {
				return true
			}
		}
		return shortFraction(x.n.Text())
	}
}

// rated are the rules on rates of tax categories.
func (u *vocabulary) rated(given, positive string) []assert {
	return []assert{
		must(given, either(u.has("Percent"), u.reads("ID", "O"))),
		must(positive, either(not(u.reads("ID", "S")), u.number("Percent", isPositive))),
	}
}

// reasonCodes are the rules on codes for the reasons of allowances and charges.
func (u *vocabulary) reasonCodes(t string) []*context {
	return []*context{
		u.on("AllowanceCharge[ChargeIndicator=false]/AllowanceChargeReasonCode", must(t+"CL001", u.codeIn("allowance-reason", ""))),
		u.on("AllowanceCharge[ChargeIndicator=true]/AllowanceChargeReasonCode", must(t+"CL002", u.codeIn("charge-reason", ""))),
	}
}

// price are the rules on prices.
func (u *vocabulary) price(net, gross, discount string) *context {
	return u.on("Price",
		must(net, u.first("PriceAmount")),
		must(gross, u.or("AllowanceCharge/BaseAmount", u.number("AllowanceCharge/BaseAmount", notNegative))),
		must(discount, u.or("AllowanceCharge/Amount", u.first("AllowanceCharge/Amount"))))
}

// order are the rules of orders and of changes to orders.
func (u *vocabulary) order(t string) []*context {
	change := t == "PEPPOL-T114-"
	profiles := []string{"urn:fdc:peppol.eu:poacc:bis:advanced_ordering:3"}
	name := "order_change:3"
	sum := must
	if change {
		sum = should
	} else {
		name = "order:3"
		profiles = append(profiles, "urn:fdc:peppol.eu:poacc:bis:order_only:3", "urn:fdc:peppol.eu:poacc:bis:ordering:3")
	}
	both := func(cond string) string {
		return "/AllowanceCharge" + cond + "|/OrderLine/LineItem/AllowanceCharge" + cond
	}
	price, base, discount := u.path("../PriceAmount"), u.path("BaseAmount"), u.path("Amount")
	out := []*context{
		u.profiles(t+"R031", profiles...), u.customization(t+"R034", name),
		u.on("Amount|TaxAmount|LineExtensionAmount|PriceAmount|BaseAmount|AnticipatedMonetaryTotal/*", must(t+"R003", inCurrency), must(t+"R028", u.cents())).where(basic),
		u.on("/", should(t+"R002", u.has("ValidityPeriod/EndDate"))),
		u.on("OriginatorCustomerParty", must(t+"R014", either(u.has("Party/PartyName/Name"), u.has("Party/PartyIdentification/ID")))),
		u.on("PartyTaxScheme[TaxScheme/ID=VAT]", must(t+"R026", u.countryPrefix("CompanyID", "order-vat-prefix"))),
		u.on("AnticipatedMonetaryTotal", u.orderTotals(t, sum)...),
		u.on("AllowanceCharge[MultiplierFactorNumeric][!BaseAmount]", must(t+"R020", never)),
		u.on(both("[!MultiplierFactorNumeric][BaseAmount]"), must(t+"R021", never)),
		u.on(both(""), must(t+"R022", u.percentage("MultiplierFactorNumeric", "BaseAmount", "Amount")),
			must(t+"R023", either(u.has("AllowanceChargeReason"), u.has("AllowanceChargeReasonCode"))), must(t+"R032", u.first("Amount"))),
		u.on("TaxCategory|ClassifiedTaxCategory", u.rated(t+"R029", t+"R030")...),
		u.on("OrderLine/LineItem",
			must(t+"R024", u.lineNet(lineTerms{net: "LineExtensionAmount", quantity: []string{"Quantity"}, price: "Price/PriceAmount", base: "Price/BaseQuantity", charges: "AllowanceCharge", indicator: "ChargeIndicator", amount: "Amount"})),
			must(t+"R025", u.or("Price/BaseQuantity", u.number("Price/BaseQuantity", isPositive))),
			must(t+"R001", u.ownIdentifier()),
			must(t+"R004", u.first("Quantity")), should(t+"R013", u.has("Quantity"))),
		u.on("Price/AllowanceCharge", must(t+"R019", func(x *eval) bool {
			b := base.one(x, x.n)
			return !b.Valid() || x.equal(price.value(x, x.n), "the price", decimal.Read(b.Text()).Sub(discount.value(x, x.n)), "gross price - discount")
		})),
		u.price(t+"R005", t+"R027", t+"R033"),
		u.on("QuotationLineReference/LineID", must(t+"R035", u.has("/QuotationDocumentReference/ID"))),
	}
	return append(out, u.reasonCodes(t)...)
}

// amountOf reads the first node of a path as a number, 0 where there is none.
func (u *vocabulary) amountOf(path string) func(*eval) decimal.Decimal {
	p := u.path(path)
	return func(x *eval) decimal.Decimal {
		if !p.find(x, x.n).Valid() {
			return decimal.Decimal{}
		}
		return p.value(x, x.n)
	}
}

// orderTotals are the sums of an order; sum is how the sum of lines counts.
func (u *vocabulary) orderTotals(t string, sum func(string, test) assert) []assert {
	payable, lines, inclusive := u.path("PayableAmount"), u.path("LineExtensionAmount"), u.path("TaxInclusiveAmount")
	prepaid, rounding, allowances, charges := u.amountOf("PrepaidAmount"), u.amountOf("PayableRoundingAmount"), u.amountOf("AllowanceTotalAmount"), u.amountOf("ChargeTotalAmount")
	exclusive, tax := u.path("TaxExclusiveAmount"), u.amountOf("/TaxTotal/TaxAmount")
	ofLines, ofAllowances, ofCharges := u.path("/OrderLine/LineItem/LineExtensionAmount"), u.path("/AllowanceCharge[ChargeIndicator~false]/Amount"), u.path("/AllowanceCharge[ChargeIndicator~true]/Amount")
	taxed := u.has("/TaxTotal")
	computed := func(x *eval) decimal.Decimal { return lines.value(x, x.n).Sub(allowances(x)).Add(charges(x)) }
	without := func(x *eval) decimal.Decimal {
		if n := exclusive.find(x, x.n); n.Valid() {
			return decimal.Read(n.Text())
		}
		return computed(x)
	}
	with := func(x *eval) decimal.Decimal {
		v := inclusive.value(x, x.n)
		if v.IsNaN() && !inclusive.find(x, x.n).Valid() {
			return decimal.Decimal{} // nothing is asked then
		}
		return v
	}
	return []assert{
		must(t+"R006", u.first("PayableAmount")), must(t+"R007", u.first("LineExtensionAmount")),
		sum(t+"R008", func(x *eval) bool {
			return x.equal(lines.value(x, x.n), "the sum of lines", ofLines.sum(x, x.n).Round(2), "Σ line amounts")
		}),
		must(t+"R009", func(x *eval) bool {
			return x.equal(allowances(x), "the sum of allowances", ofAllowances.sum(x, x.n).Round(2), "Σ allowances")
		}),
		must(t+"R010", func(x *eval) bool {
			return x.equal(charges(x), "the sum of charges", ofCharges.sum(x, x.n).Round(2), "Σ charges")
		}),
		must(t+"R011", func(x *eval) bool {
			return x.equal(without(x), "the total without tax", computed(x), "sum of lines - allowances + charges")
		}),
		must(t+"R016", func(x *eval) bool {
			w := with(x)
			return w.IsZero() || x.equal(payable.value(x, x.n), "the amount due", w.Sub(prepaid(x)).Add(rounding(x)), "total with tax - prepaid + rounding")
		}),
		must(t+"R017", func(x *eval) bool {
			w := with(x)
			return w.IsZero() || !taxed(x) || x.equal(w, "the total with tax", without(x).Add(tax(x)), "total without tax + tax")
		}),
	}
}

// orderResponse are the rules of answers to orders.
func (u *vocabulary) orderResponse(t string) []*context {
	name := "order_response:3"
	if t == "PEPPOL-T116-" {
		name = "order_response_advanced:3"
	}
	named := either(u.has("PartyLegalEntity/RegistrationName"), u.has("PartyIdentification/ID"))
	start, end := u.path("StartDate"), u.path("EndDate")
	code := func(code string, lines test) test { return either(not(u.reads(".", code)), lines) }
	return []*context{
		u.customization(t+"R006", name),
		u.on("PriceAmount", must(t+"R005", all(func(x *eval) bool { return x.n.Attribute("", "currencyID").Valid() }, inCurrency))),
		u.on("BuyerCustomerParty/Party", must(t+"R001", named)),
		u.on("SellerSupplierParty/Party", must(t+"R002", named)),
		u.on("PromisedDeliveryPeriod", must(t+"R004", func(x *eval) bool {
			return !start.find(x, x.n).Valid() || !end.find(x, x.n).Valid() || end.walk(x, x.n, func(e dom.Node) bool {
				return start.walk(x, x.n, func(s dom.Node) bool { return e.Text() >= s.Text() })
			})
		})),
		u.on("OrderLine/LineItem", must(t+"R003", u.ownIdentifier())),
		u.on("OrderResponseCode",
			must(t+"R007", code("CA", u.has("../OrderLine"))), must(t+"R008", code("AP", u.hasNot("../OrderLine"))),
			must(t+"R009", code("RE", u.hasNot("../OrderLine"))), must(t+"R010", code("AB", u.hasNot("../OrderLine")))),
	}
}

// orderAgreement are the rules of agreements that a seller writes.
func (u *vocabulary) orderAgreement(t string) []*context {
	rate := u.categoryAndRate()
	category, percent, tax, taxable := u.path("ID"), u.path("TaxCategory/Percent"), u.path("TaxAmount"), u.path("TaxableAmount")
	taxes := u.path("TaxSubtotal/TaxAmount")
	total, rated := u.has("//TaxTotal"), u.has("Percent")
	identified := either(u.has("StandardItemIdentification/ID"), u.has("SellersItemIdentification/ID"))
	out := []*context{
		u.customization(t+"R030", "order_agreement:3"),
		u.on("Item", must(t+"R002", identified)),
		u.on("Amount|TaxAmount|TaxableAmount|LineExtensionAmount|PriceAmount|BaseAmount|LegalMonetaryTotal/*", must(t+"R004", inCurrency), must(t+"R013", u.cents())).where(basic),
		u.on("TaxTotal/TaxSubtotal", must(t+"R024", func(x *eval) bool {
			r, a := percent.one(x, x.n), tax.value(x, x.n)
			if !r.Valid() || decimal.Read(r.Text()).Round(0).IsZero() {
				return a.Round(0).IsZero()
			}
			return x.equal(a, "the tax", taxable.value(x, x.n).Mul(decimal.Read(r.Text())).Mul(decimal.New(1, 2)).Round(2), "taxable amount × rate / 100")
		})),
		u.on("/TaxTotal[TaxSubtotal]", must(t+"R025", func(x *eval) bool {
			return x.equal(tax.value(x, x.n), "the sum of taxes", taxes.sum(x, x.n).Round(2), "Σ taxes by category")
		})),
		u.on("TaxSubtotal/TaxCategory[!TaxExemptionReason]", must(t+"R028", u.within("ID", "S Z L M"))),
		u.on("TaxSubtotal/TaxCategory[TaxExemptionReason]", must(t+"R029", u.within("ID", "E AE O K G"))),
		u.on("AllowanceCharge/TaxCategory|Item/ClassifiedTaxCategory", append([]assert{
			must(t+"R026", func(x *eval) bool {
				n := x.n
				if !rated(x) || !total(x) {
					return true
				}
				_, both := rate(x, n)
				return postFacts(x).rates[both]
			}),
			must(t+"R027", func(x *eval) bool {
				return !total(x) || category.walk(x, x.n, func(n dom.Node) bool { return postFacts(x).taxes[n.Text()] })
			}),
		}, u.rated(t+"R019", t+"R020")...)...),
		u.on("LegalMonetaryTotal", u.agreementTotals(t)...),
		u.on("/AllowanceCharge[MultiplierFactorNumeric][!BaseAmount]", must(t+"R015", never)),
		u.on("/AllowanceCharge[!MultiplierFactorNumeric][BaseAmount]", must(t+"R016", never)),
		u.on("/AllowanceCharge", must(t+"R017", u.percentage("MultiplierFactorNumeric", "BaseAmount", "Amount")),
			must(t+"R018", either(u.has("AllowanceChargeReason"), u.has("AllowanceChargeReasonCode"))), must(t+"R021", u.first("Amount"))),
		u.price(t+"R001", t+"R022", t+"R023"),
	}
	return append(out, u.reasonCodes(t)...)
}

// agreementTotals are the sums of an order agreement; what is not stated is not asked, but for the total with tax.
func (u *vocabulary) agreementTotals(t string) []assert {
	lines, allowances, charges := u.amountOf("LineExtensionAmount"), u.amountOf("AllowanceTotalAmount"), u.amountOf("ChargeTotalAmount")
	without, with, rounding := u.amountOf("TaxExclusiveAmount"), u.amountOf("TaxInclusiveAmount"), u.amountOf("PayableRoundingAmount")
	payable, prepaid, tax := u.amountOf("PayableAmount"), u.amountOf("PrepaidAmount"), u.amountOf("/TaxTotal/TaxAmount")
	ofAllowances, ofCharges, ofLines := u.path("/AllowanceCharge[ChargeIndicator=false]/Amount"), u.path("/AllowanceCharge[ChargeIndicator=true]/Amount"), u.path("//OrderLine/LineItem/LineExtensionAmount")
	count, stated := u.path("//OrderLine"), u.path("//LineItem/LineExtensionAmount")
	return []assert{
		must(t+"R014", func(x *eval) bool { return count.count(x, x.n) == stated.count(x, x.n) }),
		must(t+"R005", u.or("PayableAmount", u.number("PayableAmount", notNegative))),
		must(t+"R006", func(x *eval) bool { return lines(x).Sign() >= 0 && !lines(x).IsNaN() }),
		must(t+"R007", u.or("LineExtensionAmount", func(x *eval) bool {
			return x.equal(lines(x), "the sum of lines", ofLines.sum(x, x.n).Round(2), "Σ line amounts")
		})),
		must(t+"R008", u.or("ChargeTotalAmount", func(x *eval) bool {
			return x.equal(charges(x), "the sum of charges", ofCharges.sum(x, x.n).Round(2), "Σ charges")
		})),
		must(t+"R009", u.or("AllowanceTotalAmount", func(x *eval) bool {
			return x.equal(allowances(x), "the sum of allowances", ofAllowances.sum(x, x.n).Round(2), "Σ allowances")
		})),
		must(t+"R010", u.or("TaxExclusiveAmount", func(x *eval) bool {
			return x.equal(without(x), "the total without tax", lines(x).Add(charges(x)).Sub(allowances(x)), "sum of lines + charges - allowances")
		})),
		must(t+"R011", func(x *eval) bool {
			return x.equal(with(x), "the total with tax", without(x).Add(tax(x)), "total without tax + tax")
		}),
		must(t+"R012", u.or("PayableAmount", func(x *eval) bool {
			return x.equal(payable(x), "the amount due", with(x).Sub(prepaid(x)).Add(rounding(x)), "total with tax - prepaid + rounding")
		})),
	}
}

// despatchAdvice are the rules of despatch advices.
func (u *vocabulary) despatchAdvice(t string) []*context {
	named := either(u.has("Party/PartyName/Name"), u.has("Party/PartyIdentification/ID"))
	return []*context{
		u.customization(t+"R011", "despatch_advice:3"),
		u.on("BuyerCustomerParty", must(t+"R008", named)), u.on("SellerSupplierParty", must(t+"R009", named)), u.on("OriginatorCustomerParty", must(t+"R010", named)),
		u.on("DespatchLine",
			must(t+"R003", either(u.has("Item/StandardItemIdentification/ID"), u.has("Item/SellersItemIdentification/ID"))), must(t+"R004", u.has("Item/Name")),
			should(t+"R005", u.has("DeliveredQuantity")), must(t+"R006", u.first("DeliveredQuantity")), should(t+"R007", u.or("OutstandingQuantity", u.has("OutstandingReason")))),
	}
}

// catalogue are the rules of catalogues; the validity of a line lies in that of the catalogue, and that of a price in
// that of its line.
func (u *vocabulary) catalogue(t string) []*context {
	named := either(u.has("Party/PartyName/Name"), u.has("Party/PartyIdentification/ID"))
	from, to := u.path("LineValidityPeriod/StartDate"), u.path("LineValidityPeriod/EndDate")
	priceFrom, priceTo := u.path("Price/ValidityPeriod/StartDate"), u.path("Price/ValidityPeriod/EndDate")
	most, least := u.path("MaximumOrderQuantity"), u.path("MinimumOrderQuantity")
	line := func(x *eval, n dom.Node) (a, b decimal.Decimal) {
		return day(from.one(x, n), postFacts(x).from), day(to.one(x, n), postFacts(x).to)
	}
	price := func(x *eval) (a, b decimal.Decimal) {
		a, b = day(priceFrom.one(x, x.n), decimal.NaN), day(priceTo.one(x, x.n), decimal.NaN)
		if !priceFrom.find(x, x.n).Valid() {
			a = day(from.one(x, x.n.Parent()), postFacts(x).from)
		}
		if !priceTo.find(x, x.n).Valid() {
			b = day(to.one(x, x.n.Parent()), postFacts(x).to)
		}
		return a, b
	}
	within := func(from, to, first, last decimal.Decimal) bool {
		return first.LessEqual(from) && from.LessEqual(last) && to.LessEqual(last) && first.LessEqual(to)
	}
	return []*context{
		u.profiles(t+"R017", "urn:fdc:peppol.eu:poacc:bis:catalogue_only:3", "urn:fdc:peppol.eu:poacc:bis:catalogue_wo_response:3"), u.customization(t+"R018", "catalogue:3"),
		u.on("/ValidityPeriod", must(t+"R001", func(x *eval) bool { return postFacts(x).from.LessEqual(postFacts(x).to) })),
		u.on("SellerSupplierParty", must(t+"R004", named)), u.on("ContractorCustomerParty", must(t+"R005", named)),
		u.on("CatalogueLine",
			must(t+"R008", u.or("MaximumOrderQuantity", u.first("MaximumOrderQuantity"))), must(t+"R009", u.or("MinimumOrderQuantity", u.first("MinimumOrderQuantity"))),
			must(t+"R010", u.or("MaximumOrderQuantity", u.or("MinimumOrderQuantity", func(x *eval) bool { return least.value(x, x.n).LessEqual(most.value(x, x.n)) }))),
			must(t+"R007", func(x *eval) bool { a, b := line(x, x.n); return within(a, b, postFacts(x).from, postFacts(x).to) }),
			must(t+"R013", func(x *eval) bool { a, b := line(x, x.n); return a.LessEqual(b) })),
		u.on("RequiredItemLocationQuantity",
			must(t+"R006", u.first("Price/PriceAmount")),
			must(t+"R011", func(x *eval) bool { a, b := price(x); c, d := line(x, x.n.Parent()); return within(a, b, c, d) }),
			must(t+"R016", func(x *eval) bool { a, b := price(x); return a.LessEqual(b) })),
		u.on("ClassifiedTaxCategory", u.rated(t+"R014", t+"R015")...),
		u.on("Item", must(t+"R012", either(u.has("StandardItemIdentification/ID"), u.has("SellersItemIdentification/ID")))),
	}
}

// punchOut are the rules of shopping carts.
func (u *vocabulary) punchOut(t string) []*context {
	end, issued := u.path("EndDate"), u.path("../IssueDate")
	base, batch := u.path("Price/BaseQuantity"), u.path("DeliveryUnit/BatchQuantity")
	both := func(f func(a, b dom.Node) bool) test {
		return func(x *eval) bool {
			a, b := base.one(x, x.n), batch.find(x, x.n)
			return !a.Valid() || !b.Valid() || f(a, b)
		}
	}
	return []*context{
		u.customization(t+"R010", "punch_out:3"),
		u.on("/ValidityPeriod", must(t+"R001", func(x *eval) bool {
			return day(issued.one(x, x.n), decimal.NaN).LessEqual(day(end.one(x, x.n), decimal.NaN))
		})),
		u.on("RequiredItemLocationQuantity/Price", must(t+"R003", u.first("PriceAmount"))),
		u.on("Item", must(t+"R004", either(u.has("StandardItemIdentification/ID"), u.has("SellersItemIdentification/ID"))), must(t+"R005", u.atMost(1, "ItemSpecificationDocumentReference[DocumentTypeCode=PRODUCT_IMAGE]"))),
		u.on("CatalogueLine/RequiredItemLocationQuantity",
			must(t+"R006", both(func(a, b dom.Node) bool {
				s, ok := a.AttrNS("", "unitCode")
				r, also := b.AttrNS("", "unitCode")
				return ok && also && s == r
			})),
			must(t+"R002", both(func(a, b dom.Node) bool {
				return isPositive(double(a.Text())) && isPositive(double(b.Text()))
			}))),
		u.on("Item/AdditionalItemProperty[Name=ServiceIndicator]", must(t+"R007", u.is("Value", "true", "false"))),
		u.on("ClassifiedTaxCategory", u.rated(t+"R008", t+"R009")...),
	}
}

// invoiceResponse are the rules of what a buyer answers to an invoice.
func (u *vocabulary) invoiceResponse(t string) []*context {
	reason := u.has("StatusReason")
	return []*context{
		u.on("Response", must(t+"R001", u.has("Status/StatusReasonCode"))).where(u.reads("ResponseCode", "CA", "UQ", "RE")),
		u.on("Status[StatusReasonCode=OTH]", should(t+"R002", reason)),
		u.customization(t+"R003", "invoice_response:3"),
		u.on("Status[StatusReasonCode=PPD]", must(t+"R004", reason), must(t+"R005", always)), // the published test of R005 holds always
		u.profiles(t+"R008", "urn:fdc:peppol.eu:poacc:bis:invoice_response:3", "urn:peppol:bis:billing_with_response"),
	}
}

func (u *vocabulary) statusReasons(t string) []*context {
	of := func(list string) []string {
		var out []string
		for c := range codeList(list) {
			out = append(out, c)
		}
		return out
	}
	return []*context{
		u.on("Status[StatusReasonCode/@listID=OPStatusAction]", must(t+"R006", u.reads("StatusReasonCode", of("status-action")...))),
		u.on("Status[StatusReasonCode/@listID=OPStatusReason]", must(t+"R007", u.reads("StatusReasonCode", of("status-reason")...))),
	}
}

var serviceProvider = regexp.MustCompile(`(?i)^[0-9]{6}(-[0-9A-Z_]{3,12}(\.[0-9A-Z\-._~]{3,24})?)?$`)

var zoned = regexp.MustCompile(`([+-]\d{2}:\d{2}|Z)$`)

// newMessageLevelStatus builds the rules of what one service provider says to another of a message.
func newMessageLevelStatus() *Set {
	u := newPostAwardVocabulary("ApplicationResponse")
	s := &Set{id: "peppol-mls", version: "1.0.1", v: u}
	must := func(n string, t test) assert { return must("SCH-MLS-"+n, t) }
	like := func(p string, re *regexp.Regexp) test {
		q := u.path(p)
		return func(x *eval) bool { return re.MatchString(normalize(q.string(x, x.n))) }
	}
	date := u.path("IssueDate")
	failure := u.path("LineResponse/Response/Status/StatusReasonCode")
	fails := func(x *eval) bool {
		return failure.walk(x, x.n, func(n dom.Node) bool { return among(normalize(n.Text()), []string{"BV", "FD", "SV"}) })
	}
	refused := u.reads("Response/ResponseCode", "RE")
	party := func(p string, n ...string) []assert {
		return []assert{must(n[0], u.has(p)), must(n[1], u.filled(p)), must(n[2], like(p, serviceProvider)), must(n[3], u.has(p+"@schemeID")), must(n[4], u.is(p+"@schemeID", "0242"))}
	}
	root := append([]assert{
		must("01", u.reads("CustomizationID", "urn:peppol:edec:mls:1.0")), must("02", u.reads("ProfileID", "urn:peppol:edec:mls")), must("03", u.filled("ID")),
		must("04", func(x *eval) bool { return runes(normalize(date.string(x, x.n))) == 10 }), must("05", u.has("IssueTime")), must("06", like("IssueTime", zoned)),
	}, party("SenderParty/EndpointID", "07", "08", "09", "10", "11")...)
	root = append(root, party("ReceiverParty/EndpointID", "12", "13", "14", "15", "16")...)
	s.patterns = []*pattern{{contexts: []*context{
		u.on("/", append(root, must("17", u.exactly(1, "DocumentResponse")))...),
		u.on("/DocumentResponse",
			must("18", u.has("Response/ResponseCode")), must("19", u.reads("Response/ResponseCode", "AP", "AB", "RE")),
			must("20", either(not(refused), u.has("Response/Description"))), must("21", either(not(refused), u.filled("Response/Description"))),
			must("22", u.exactly(1, "DocumentReference")), must("23", either(not(refused), u.has("LineResponse"))),
			must("24", either(not(refused), fails)), must("25", either(refused, not(fails)))),
		u.on("/DocumentResponse/DocumentReference", must("26", u.filled("ID"))),
		u.on("/DocumentResponse/LineResponse", must("27", u.filled("LineReference/LineID"))),
		u.on("/DocumentResponse/LineResponse/Response", must("28", u.has("Description")), must("29", u.filled("Description")), must("30", u.has("Status"))),
		u.on("/DocumentResponse/LineResponse/Response/Status", must("31", u.reads("StatusReasonCode", "BV", "BW", "FD", "SV"))),
	}}}
	return s.seal()
}
