package rules

import (
	"github.com/viadukt-eu/viadukt/edocument/decimal"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// use counts where one VAT category occurs. The counts in plain do not ask for the tax scheme.
type use struct {
	any, anyPlain, lines, allowances, charges, documentAllowances, documentCharges int // under the scheme VAT; any: every TaxCategory
	allowanceOrCharge                                                              int
	breakdown, breakdownPlain, breakdownRaw, breakdownRawVAT, chargesRaw           int
	linesPlain, allowancesPlain, chargesPlain, allowanceOrChargePlain              int
}

// ublFacts is what many rules ask of one document.
type ublFacts struct {
	uses                                            map[string]*use
	total                                           use  // of all categories
	sellerTax, sellerVAT, agentVAT, buyerVAT, buyer bool // who has which identifier

	sums       map[sumKey]categorySum
	summed     bool
	attributes map[string]bool
}

type sumKey struct {
	category string
	rate     decimal.Decimal // normal form; NaN sums over all rates
}

// categorySum is what lines and charges of one category, and one rate, add up to.
type categorySum struct {
	invoiceLines, creditLines, net         decimal.Decimal // net: charges less allowances of the document
	hasInvoiceLine, hasCreditLine, charged bool
}

var noUse = &use{}

func (f *ublFacts) use(category string) *use {
	if u := f.uses[category]; u != nil {
		return u
	}
	return noUse
}

func (f *ublFacts) enter(category string) *use {
	u := f.uses[category]
	if u == nil {
		if len(f.uses) > 1000 { // made to have many: none of them is a category of the standard
			return &use{}
		}
		u = &use{}
		f.uses[category] = u
	}
	return u
}

// prepareUBL counts the categories of a document in one pass.
func (u *vocabulary) prepareUBL() func(*eval) {
	category, classified, allowance, subtotal, total := u.code("TaxCategory"), u.code("ClassifiedTaxCategory"), u.code("AllowanceCharge"), u.code("TaxSubtotal"), u.code("TaxTotal")
	u.listed[category], u.listed[classified], u.listed[allowance] = true, true, true
	u.listed[u.code("InvoiceLine")], u.listed[u.code("CreditNoteLine")] = true, true
	id, isCharge, isAllowance := u.path("ID"), u.charge(true), u.charge(false)
	sellerTax, sellerVAT := u.path("//AccountingSupplierParty/Party/PartyTaxScheme/CompanyID"), u.path("//AccountingSupplierParty/Party/PartyTaxScheme[VAT]/CompanyID")
	agentVAT, buyerVAT := u.path("//TaxRepresentativeParty/PartyTaxScheme[VAT]/CompanyID"), u.path("//AccountingCustomerParty/Party/PartyTaxScheme[VAT]/CompanyID")
	buyer := u.path("//AccountingCustomerParty/Party/PartyLegalEntity/CompanyID")
	return func(x *eval) {
		f := &ublFacts{uses: map[string]*use{}}
		x.facts = f
		for _, n := range x.all[category] {
			vat := u.vat(x, n)
			enter := func(c *use, raw string) {
				c.anyPlain++
				if vat {
					c.any++
				}
				parent := n.Parent()
				switch x.code(parent) {
				case allowance:
					c.allowanceOrChargePlain++
					charge, discount := isCharge(x, parent), isAllowance(x, parent)
					if charge {
						c.chargesPlain++
					}
					if discount {
						c.allowancesPlain++
					}
					if vat {
						c.allowanceOrCharge++
						if charge {
							c.charges++
							if raw == normalize(raw) {
								c.chargesRaw++
							}
						}
						if discount {
							c.allowances++
						}
						if parent.Parent() == x.root && charge {
							c.documentCharges++
						}
						if parent.Parent() == x.root && discount {
							c.documentAllowances++
						}
					}
				case subtotal:
					if t := parent.Parent(); x.code(t) == total && t.Parent() == x.root {
						c.breakdownPlain++
						if raw == normalize(raw) {
							c.breakdownRaw++
							if vat {
								c.breakdownRawVAT++
							}
						}
						if vat {
							c.breakdown++
						}
					}
				}
			}
			enter(&f.total, "")
			id.walk(x, n, func(i dom.Node) bool { raw := i.Text(); enter(f.enter(normalize(raw)), raw); return false })
		}
		for _, n := range x.all[classified] {
			vat := u.vat(x, n)
			enter := func(c *use) {
				c.linesPlain++
				if vat {
					c.lines++
				}
			}
			enter(&f.total)
			id.walk(x, n, func(i dom.Node) bool { enter(f.enter(normalize(i.Text()))); return false })
		}
		f.sellerTax, f.sellerVAT = sellerTax.find(x, x.root).Valid(), sellerVAT.find(x, x.root).Valid()
		f.agentVAT, f.buyerVAT, f.buyer = agentVAT.find(x, x.root).Valid(), buyerVAT.find(x, x.root).Valid(), buyer.find(x, x.root).Valid()
	}
}

// attributesOnce collects the names of all attributes; name counts only outside the payment means code.
func (f *ublFacts) attributesOnce(x *eval) {
	if f.attributes != nil {
		return
	}
	f.attributes = map[string]bool{}
	for i := range x.doc.NumNames() {
		if space, local := x.doc.NameAt(i); space == "" {
			f.attributes[local] = true
		}
	}
	if !f.attributes["name"] {
		return
	}
	delete(f.attributes, "name")
	code := x.set.v.codes["PaymentMeansCode"]
	for i := x.root.Index(); i < x.root.End(); i++ {
		if n := x.doc.At(i); n.Kind() == dom.AttributeNode && n.Is("", "name") && x.code(n.Parent()) != code {
			f.attributes["name"] = true
			return
		}
	}
}

// fact makes a test of what was counted.
func fact(t func(f *ublFacts) bool) test {
	return func(x *eval) bool { return t(x.facts.(*ublFacts)) }
}

// The VAT categories, each with the name of its family of rules.
var categories = []struct{ family, code string }{
	{"S", "S"}, {"Z", "Z"}, {"E", "E"}, {"AE", "AE"}, {"IC", "K"}, {"G", "G"}, {"O", "O"}, {"AF", "L"}, {"AG", "M"},
}

// ublCategoryUse are the rules about a category that are asked once a document: 01 to 04, and those about pairs.
func (u *vocabulary) ublCategoryUse() []assert {
	var out []assert
	for _, c := range categories {
		id := func(n string) string { return "BR-" + c.family + "-" + n }
		code := c.code
		if c.code == "S" || c.code == "L" || c.code == "M" {
			out = append(out, must(id("01"), fact(func(f *ublFacts) bool {
				k := f.use(code)
				if code == "S" {
					return (k.allowanceOrChargePlain+k.linesPlain > 0) == (k.breakdownPlain > 0)
				}
				stated := k.breakdownRaw
				if code == "M" {
					stated = k.breakdownRawVAT
				}
				used := k.allowanceOrCharge+k.lines > 0
				return used && stated > 0 || !used && k.breakdown == 0
			})))
		} else {
			out = append(out, must(id("01"), fact(func(f *ublFacts) bool {
				k := f.use(code)
				return k.any == 0 && k.lines == 0 || k.breakdown == 1
			})))
		}
		parties := func(f *ublFacts) bool { return f.sellerTax || f.agentVAT }
		switch c.code {
		case "AE":
			parties = func(f *ublFacts) bool { return (f.sellerTax || f.agentVAT) && (f.buyerVAT || f.buyer) }
		case "G":
			parties = func(f *ublFacts) bool { return f.sellerVAT || f.agentVAT }
		case "K":
			parties = func(f *ublFacts) bool { return (f.sellerVAT || f.agentVAT) && f.buyerVAT }
		case "O":
			parties = func(f *ublFacts) bool { return !f.sellerVAT && !f.agentVAT && !f.buyerVAT }
		}
		out = append(out,
			must(id("02"), fact(func(f *ublFacts) bool {
				k := f.use(code)
				if code == "S" {
					return k.linesPlain == 0 || k.lines > 0 && parties(f)
				}
				return k.lines == 0 || parties(f)
			})),
			must(id("03"), fact(func(f *ublFacts) bool {
				if code == "O" {
					return f.use(code).documentAllowances == 0 || parties(f)
				}
				return f.use(code).allowances == 0 || parties(f)
			})),
			must(id("04"), fact(func(f *ublFacts) bool {
				if code == "O" {
					return f.use(code).documentCharges == 0 || parties(f)
				}
				if code == "L" {
					return f.use(code).chargesRaw == 0 || parties(f)
				}
				return f.use(code).charges == 0 || parties(f)
			})))
	}
	delivered, period := u.path("Delivery/ActualDeliveryDate"), u.path("InvoicePeriod/*")
	country := u.path("Delivery/DeliveryLocation/Address/Country/IdentificationCode")
	alone := func(others func(f *ublFacts) int) test {
		return fact(func(f *ublFacts) bool { return f.use("O").breakdown == 0 || others(f) == 0 })
	}
	split := func(x *eval) bool { f := x.facts.(*ublFacts); return f.use("B").anyPlain+f.use("B").linesPlain > 0 }
	return append(out,
		must("BR-IC-11", func(x *eval) bool {
			return x.facts.(*ublFacts).use("K").breakdown == 0 || runes(delivered.string(x, x.n)) > 1 || period.find(x, x.n).Valid()
		}),
		must("BR-IC-12", func(x *eval) bool {
			return x.facts.(*ublFacts).use("K").breakdown == 0 || runes(country.string(x, x.n)) > 1
		}),
		must("BR-O-11", alone(func(f *ublFacts) int { return f.total.breakdown - f.use("O").breakdown })),
		must("BR-O-12", alone(func(f *ublFacts) int { return f.total.lines - f.use("O").lines })),
		must("BR-O-13", alone(func(f *ublFacts) int { return f.total.allowances - f.use("O").allowances })),
		must("BR-O-14", alone(func(f *ublFacts) int { return f.total.charges - f.use("O").charges })),
		must("BR-B-01", either(not(split), not(u.otherThan("//IdentificationCode", "IT")))),
		must("BR-B-02", either(not(split), fact(func(f *ublFacts) bool { return f.use("S").anyPlain+f.use("S").linesPlain == 0 }))),
	)
}

// otherThan: some node of the path has a text other than the one given.
func (v *vocabulary) otherThan(p, text string) test {
	q := v.path(p)
	return func(x *eval) bool {
		return q.walk(x, x.n, func(n dom.Node) bool { return n.Text() != text })
	}
}

// ublCategories are the rules about a category where it stands: 05 to 10.
func (u *vocabulary) ublCategories() []*context {
	var out []*context
	reason := either(u.has("TaxExemptionReason"), u.has("TaxExemptionReasonCode"))
	rate, tax, base := u.path("Percent"), u.path("../TaxAmount"), u.path("../TaxableAmount")
	for _, c := range categories {
		id := func(n string) string { return "BR-" + c.family + "-" + n }
		code := c.code
		percent, taxed, exempt := u.single("Percent", decimal.Decimal.IsZero), false, reason
		switch c.code {
		case "S":
			percent, taxed, exempt = u.number("Percent", isPositive), true, not(reason)
		case "L", "M":
			percent, taxed, exempt = u.number("Percent", notNegative), true, not(reason)
		case "Z":
			exempt = not(reason)
		case "O":
			percent = u.hasNot("Percent")
		}
		amount := func(x *eval) bool {
			t := tax.value(x, x.n)
			return t.IsZero() || x.explain(t, "BT-117", decimal.New(0, 2), "the tax of category "+code)
		}
		if taxed {
			amount = func(x *eval) bool {
				r := rate.value(x, x.n)
				b := base.value(x, x.n)
				want := b.Abs().Mul(r).Mul(decimal.New(1, 2)).Round(2)
				t := tax.value(x, x.n)
				if t.Abs().Sub(want).Abs().Less(one) {
					return true
				}
				if b.Sign() < 0 {
					want = want.Neg()
				}
				return x.explain(t, "BT-117", want, "BT-116 × BT-119 / 100")
			}
		}
		cond := "[ID~" + code + "][VAT]"
		out = append(out,
			u.on("/TaxTotal/TaxSubtotal/TaxCategory"+cond, must(id("08"), u.taxableAmount(code, taxed)), must(id("09"), amount), must(id("10"), exempt)),
			u.on("AllowanceCharge[F]/TaxCategory"+cond, must(id("06"), percent)),
			u.on("AllowanceCharge[T]/TaxCategory"+cond, must(id("07"), percent)),
			u.on("InvoiceLine/Item/ClassifiedTaxCategory"+cond+"|CreditNoteLine/Item/ClassifiedTaxCategory"+cond, must(id("05"), percent)))
	}
	return out
}

// taxableAmount is BT-116 = Σ BT-131 - Σ BT-92 + Σ BT-99 of the category; where there are rates, of the rate too, with
// room for rounding by less than one unit.
func (u *vocabulary) taxableAmount(code string, byRate bool) test {
	rates, base := u.path("Percent"), u.path("../TaxableAmount")
	compute := u.categorySums()
	terms := "Σ BT-131 - Σ BT-92 + Σ BT-99 of category " + code
	return func(x *eval) bool {
		f := x.facts.(*ublFacts)
		if !f.summed {
			compute(x, f)
		}
		if byRate && !rates.find(x, x.n).Valid() {
			return true
		}
		amount := base.one(x, x.n)
		stated := decimal.Read(amount.Text())
		if !byRate {
			s, ok := f.sums[sumKey{code, decimal.NaN}], len(x.all[x.set.v.codes["InvoiceLine"]]) > 0
			if ok && stated.Equal(s.invoiceLines.Add(s.net)) {
				return true
			}
			if len(x.all[x.set.v.codes["CreditNoteLine"]]) > 0 {
				return x.equal(stated, "BT-116", s.creditLines.Add(s.net), terms)
			}
			return x.explain(stated, "BT-116", s.invoiceLines.Add(s.net), terms)
		}
		r := rates.value(x, x.n)
		if r.IsNaN() {
			return false
		}
		s := f.sums[sumKey{code, r.Normal()}]
		invoice := s.hasInvoiceLine || s.charged
		credit := s.hasCreditLine || s.charged
		if code != "S" {
			invoice, credit = len(x.all[x.set.v.codes["InvoiceLine"]]) > 0, len(x.all[x.set.v.codes["CreditNoteLine"]]) > 0
		}
		terms := terms + " at " + r.String() + " %"
		return invoice && x.nearDouble(amount, "BT-116", s.invoiceLines.Add(s.net), terms, true) ||
			credit && x.nearDouble(amount, "BT-116", s.creditLines.Add(s.net), terms, true) ||
			x.explain(stated, "BT-116", s.invoiceLines.Add(s.creditLines).Add(s.net), terms)
	}
}

// categorySums adds up lines and charges by category, and by category and rate, in one pass.
func (u *vocabulary) categorySums() func(*eval, *ublFacts) {
	kinds := [2]*path{u.path("/InvoiceLine"), u.path("/CreditNoteLine")}
	classes, id, rate := u.path("Item/ClassifiedTaxCategory"), u.path("ID"), u.path("Percent")
	net, taxes, amount := u.path("LineExtensionAmount"), u.path("TaxCategory"), u.path("Amount")
	allowance, isCharge, isAllowance := u.code("AllowanceCharge"), u.charge(true), u.charge(false)
	keys := func(x *eval, n dom.Node, p *path) map[sumKey]bool {
		var codes []string
		rates := []decimal.Decimal{decimal.NaN}
		p.walk(x, n, func(c dom.Node) bool {
			codes = append(codes, normalize(id.string(x, c)))
			rate.walk(x, c, func(r dom.Node) bool { rates = append(rates, decimal.Read(r.Text()).Normal()); return false })
			return len(codes) > 16 // a line has one category; more are reported elsewhere
		})
		out := make(map[sumKey]bool, 2)
		for _, c := range codes {
			for _, r := range rates {
				out[sumKey{c, r}] = true
			}
		}
		return out
	}
	return func(x *eval, f *ublFacts) {
		f.summed, f.sums = true, map[sumKey]categorySum{}
		for k, lines := range kinds {
			lines.walk(x, x.root, func(l dom.Node) bool {
				v := decimal.Decimal{}
				if n := net.find(x, l); n.Valid() {
					v = decimal.Read(n.Text())
				}
				for key := range keys(x, l, classes) {
					s := f.sums[key]
					if k == 0 {
						s.invoiceLines, s.hasInvoiceLine = s.invoiceLines.Add(v), true
					} else {
						s.creditLines, s.hasCreditLine = s.creditLines.Add(v), true
					}
					f.sums[key] = s
				}
				return false
			})
		}
		for _, a := range x.all[allowance] {
			v := decimal.Decimal{}
			if n := amount.find(x, a); n.Valid() {
				v = decimal.Read(n.Text())
			}
			for key := range keys(x, a, taxes) {
				s := f.sums[key]
				s.charged = true
				if a.Parent() == x.root {
					if isCharge(x, a) {
						s.net = s.net.Add(v)
					}
					if isAllowance(x, a) {
						s.net = s.net.Sub(v)
					}
				}
				f.sums[key] = s
			}
		}
	}
}
