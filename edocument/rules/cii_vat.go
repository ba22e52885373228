package rules

import (
	"strings"

	"github.com/viadukt-eu/viadukt/edocument/decimal"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// ciiFacts is what many rules ask of one document.
type ciiFacts struct {
	breakdown, lines, charges map[string]int // categories by where they stand

	sellerTax, sellerVAT, agentVAT, buyerVAT, buyer bool // anywhere
	ownTax, ownVAT, ownAgent                        bool // of the parties of the agreement

	sums   map[sumKey]ciiSum
	summed bool
}

type ciiSum struct{ lines, charges, allowances decimal.Decimal }

// net is what the breakdown should state; each sum is rounded by itself.
func (s ciiSum) net() decimal.Decimal {
	return s.lines.Round(2).Add(s.charges.Round(2)).Sub(s.allowances.Round(2))
}

func (c *vocabulary) prepareCII() func(*eval) {
	places := []struct {
		p    *path
		into func(f *ciiFacts) map[string]int
	}{
		{c.path("//ApplicableHeaderTradeSettlement/ApplicableTradeTax"), func(f *ciiFacts) map[string]int { return f.breakdown }},
		{c.path("//SpecifiedLineTradeSettlement/ApplicableTradeTax"), func(f *ciiFacts) map[string]int { return f.lines }},
		{c.path("//CategoryTradeTax"), func(f *ciiFacts) map[string]int { return f.charges }},
	}
	sellerTax, sellerVAT := c.path("//SellerTradeParty/SpecifiedTaxRegistration/ID"), c.path("//SellerTradeParty/SpecifiedTaxRegistration/ID[@schemeID=VA]")
	agentVAT, buyerVAT := c.path("//SellerTaxRepresentativeTradeParty/SpecifiedTaxRegistration/ID[@schemeID=VA]"), c.path("//BuyerTradeParty/SpecifiedTaxRegistration/ID[@schemeID=VA]")
	buyer := c.path("//BuyerTradeParty/SpecifiedLegalOrganization/ID")
	category := c.path("CategoryCode")
	own, ownAgent := c.path(ciiAgreement+"/SellerTradeParty/SpecifiedTaxRegistration/ID"), c.path(ciiAgreement+"/SellerTaxRepresentativeTradeParty/SpecifiedTaxRegistration/ID[@schemeID=VA]")
	return func(x *eval) {
		f := &ciiFacts{breakdown: map[string]int{}, lines: map[string]int{}, charges: map[string]int{}}
		x.facts = f
		for _, p := range places {
			m := p.into(f)
			p.p.walk(x, x.root, func(tax dom.Node) bool {
				last := "" // a tax that says its category twice counts once
				category.walk(x, tax, func(n dom.Node) bool {
					if s := n.Text(); s != last && len(m) < 1000 {
						m[s]++
						last = s
					}
					return false
				})
				return false
			})
		}
		registered := func(n dom.Node) bool { return among(n.Attr("schemeID"), []string{"VA", "FC"}) }
		f.sellerTax, f.ownTax = sellerTax.walk(x, x.root, registered), own.walk(x, x.root, registered)
		f.ownVAT = own.walk(x, x.root, func(n dom.Node) bool { return n.Attr("schemeID") == "VA" })
		f.ownAgent = ownAgent.find(x, x.root).Valid()
		f.sellerVAT, f.agentVAT = sellerVAT.find(x, x.root).Valid(), agentVAT.find(x, x.root).Valid()
		f.buyerVAT, f.buyer = buyerVAT.find(x, x.root).Valid(), buyer.find(x, x.root).Valid()
	}
}

func ciiFact(t func(f *ciiFacts) bool) test {
	return func(x *eval) bool { return t(x.facts.(*ciiFacts)) }
}

// ciiCategoryUse are the rules 01 of the families, and those about category B.
func ciiCategoryUse(c *vocabulary) []assert {
	var out []assert
	for _, cat := range categories {
		code := cat.code
		out = append(out, must("BR-"+cat.family+"-01", ciiFact(func(f *ciiFacts) bool {
			b, l, a := f.breakdown[code], f.lines[code], f.charges[code]
			switch code {
			case "S", "L", "M":
				return (l+b >= 2 || l == 0) && (a+b >= 2 || a == 0)
			case "O":
				return b == 0 || b == 1 && l+a > 0
			}
			return b+l+a == 0 || b == 1 && l+a > 0
		})))
	}
	split := func(f *ciiFacts) bool { return f.breakdown["B"]+f.lines["B"]+f.charges["B"] > 0 }
	return append(out,
		must("BR-B-01", either(not(ciiFact(split)), not(c.otherThan("//CountryID", "IT")))),
		must("BR-B-02", ciiFact(func(f *ciiFacts) bool { return !split(f) || f.breakdown["S"]+f.lines["S"]+f.charges["S"] == 0 })))
}

// ciiBreakdown are the other rules of the families, and those on every entry of the breakdown.
func (c *vocabulary) ciiBreakdown() []*context {
	var out []*context
	rate := "RateApplicablePercent"
	const header, line = "SupplyChainTradeTransaction/ApplicableHeaderTradeSettlement/ApplicableTradeTax", "SupplyChainTradeTransaction/IncludedSupplyChainTradeLineItem/SpecifiedLineTradeSettlement/ApplicableTradeTax"
	for _, cat := range []struct{ family, code string }{{"AE", "AE"}, {"AF", "L"}, {"AG", "M"}, {"E", "E"}, {"G", "G"}, {"IC", "K"}, {"O", "O"}, {"S", "S"}, {"Z", "Z"}} {
		id := func(n string) string { return "BR-" + cat.family + "-" + n }
		code := cat.code
		parties := func(f *ciiFacts) bool { return f.ownTax || f.ownAgent }
		percent := c.number(rate, isZero)
		switch code {
		case "AE":
			parties = func(f *ciiFacts) bool { return (f.sellerTax || f.agentVAT) && (f.buyerVAT || f.buyer) }
		case "G":
			parties = func(f *ciiFacts) bool { return f.sellerVAT || f.agentVAT }
		case "K":
			parties = func(f *ciiFacts) bool { return (f.sellerVAT || f.agentVAT) && f.buyerVAT }
		case "O":
			parties = func(f *ciiFacts) bool { return !f.ownVAT && !f.ownAgent && !f.buyerVAT }
			percent = c.hasNot(rate)
		case "S", "L":
			percent = c.number(rate, isPositive)
		case "M":
			percent = c.number(rate, notNegative)
		}
		out = append(out, c.ciiEntry(cat.family, code, header))
		cond := "[CategoryCode=" + code + "][VAT]"
		out = append(out,
			c.on(line+cond, must(id("02"), ciiFact(parties)), must(id("05"), percent)),
			c.on("SpecifiedTradeAllowanceCharge[F]/CategoryTradeTax"+cond, must(id("03"), ciiFact(parties)), must(id("06"), percent)),
			c.on("SpecifiedTradeAllowanceCharge[T]/CategoryTradeTax"+cond, must(id("04"), ciiFact(parties)), must(id("07"), percent)))
	}
	scheme, percent := c.path("TypeCode"), c.path(rate)
	tax, base := c.path("CalculatedAmount"), c.path("BasisAmount")
	return append(out, c.on("ApplicableHeaderTradeSettlement/ApplicableTradeTax",
		must("BR-45", c.has("BasisAmount")), must("BR-46", c.has("CalculatedAmount")), must("BR-47", all(c.vatHere, c.has("CategoryCode"))),
		must("BR-48", all(c.vatHere, either(c.has(rate), c.is("CategoryCode", "O")))),
		must("BR-CO-03", not(all(c.has("//TaxPointDate"), c.has("//DueDateTypeCode")))),
		must("BR-CO-17", func(x *eval) bool {
			r := percent.one(x, x.n)
			if strings.ToUpper(normalize(scheme.string(x, x.n))) != "VAT" {
				r = dom.Node{}
			}
			return x.taxAtRate(r, tax.value(x, x.n), base, true)
		}),
		must("BR-DEC-19", c.twoDecimals("BasisAmount")), must("BR-DEC-20", c.twoDecimals("CalculatedAmount"))))
}

// vatHere: the tax at the context node is VAT.
func (v *vocabulary) vatHere(x *eval) bool { return v.vat(x, x.n) }

// ciiEntry are the rules 08 to 12 of one family, at the entry of the breakdown or at its category code.
func (c *vocabulary) ciiEntry(family, code, header string) *context {
	id := func(n string) string { return "BR-" + family + "-" + n }
	up := "../"
	at := header + "/CategoryCode[=" + code + "]"
	switch code {
	case "L", "M", "O":
		up, at = "", header+"[CategoryCode="+code+"][VAT]"
	case "S", "Z":
		at = "ApplicableHeaderTradeSettlement/ApplicableTradeTax/CategoryCode[=" + code + "]"
	}
	reason := either(c.has(up+"ExemptionReason"), c.has(up+"ExemptionReasonCode"))
	tax, base, rate := c.path(up+"CalculatedAmount"), c.path(up+"BasisAmount"), c.path(up+"RateApplicablePercent")
	noTax := func(x *eval) bool { return x.someEqual(tax, "BT-117", decimal.New(0, 2), "the tax of category "+code) }
	sums := c.ciiSums()
	terms := "Σ BT-131 - Σ BT-92 + Σ BT-99 of category " + code
	sum := func(x *eval, key sumKey) decimal.Decimal {
		f := x.facts.(*ciiFacts)
		if !f.summed {
			sums(x, f)
		}
		return f.sums[key].net()
	}
	whole := sumKey{code, decimal.NaN}
	taxable := func(x *eval) bool { return x.nearDouble(base.one(x, x.n), "BT-116", sum(x, whole), terms, false) }
	asserts := []assert{must(id("08"), taxable), must(id("09"), noTax), must(id("10"), reason)}
	switch code {
	case "L", "M": // 08 looks for the rate where none stands, 09 asks nothing
		asserts = []assert{must(id("08"), always), must(id("09"), always), must(id("10"), not(reason))}
	case "O":
		asserts[0] = must(id("08"), func(x *eval) bool { return x.someEqual(base, "BT-116", sum(x, whole), terms) })
		noOtherTax, noOtherCharge := not(c.otherThan("//ApplicableTradeTax/CategoryCode", "O")), not(c.otherThan("//CategoryTradeTax/CategoryCode", "O"))
		asserts = append(asserts, must(id("11"), noOtherTax), must(id("12"), noOtherTax), must(id("13"), noOtherCharge), must(id("14"), noOtherCharge))
	case "K":
		asserts = append(asserts,
			must(id("11"), either(c.has(ciiDelivery+"/ActualDeliverySupplyChainEvent/OccurrenceDateTime/DateTimeString"), c.has("../../BillingSpecifiedPeriod/StartDateTime"), c.has("../../BillingSpecifiedPeriod/EndDateTime"))),
			must(id("12"), c.has(ciiDelivery+"/ShipToTradeParty/PostalTradeAddress/CountryID")))
	case "S":
		asserts = []assert{
			must(id("08"), func(x *eval) bool {
				return !rate.walk(x, x.n, func(n dom.Node) bool {
					r := decimal.Read(n.Text())
					return !x.someEqual(base, "BT-116", sum(x, sumKey{code, r.Normal()}), terms+" at "+r.String()+" %")
				})
			}),
			must(id("09"), func(x *eval) bool {
				b, t := base.value(x, x.n), tax.value(x, x.n)
				r := rate.value(x, x.n)
				if r.IsNaN() {
					r = exact(double(rate.string(x, x.n)))
				}
				want := b.Abs().Mul(r).Round(0).Mul(decimal.New(1, 2))
				return t.Abs().Sub(want).Abs().Less(one) || x.explain(t, "BT-117", want, "BT-116 × BT-119 / 100")
			}),
			must(id("10"), not(reason)),
		}
	case "Z":
		asserts[2] = must(id("10"), not(reason))
	}
	ctx := c.on(at, asserts...)
	if up != "" && code != "S" && code != "Z" {
		scheme := c.path("../TypeCode")
		ctx.where(func(x *eval) bool { return strings.ToUpper(scheme.string(x, x.n)) == "VAT" })
	}
	return ctx
}

// ciiSums adds up lines and charges by category, and by category and rate, in one pass.
func (c *vocabulary) ciiSums() func(*eval, *ciiFacts) {
	lines, lineTax, lineTotal := c.path(ciiLines+"/SpecifiedLineTradeSettlement"), c.path("ApplicableTradeTax"), c.path(ciiLineTotal)
	charges, chargeTax, amount := c.path(ciiSettlement+"/SpecifiedTradeAllowanceCharge"), c.path("CategoryTradeTax"), c.path("ActualAmount")
	category, rate := c.path("CategoryCode"), c.path("RateApplicablePercent")
	isCharge, isAllowance := c.charge(true), c.charge(false)
	keys := func(x *eval, n dom.Node, taxes *path) map[sumKey]bool {
		var codes []string
		rates := []decimal.Decimal{decimal.NaN}
		taxes.walk(x, n, func(t dom.Node) bool {
			category.walk(x, t, func(k dom.Node) bool { codes = append(codes, k.Text()); return false })
			rate.walk(x, t, func(r dom.Node) bool { rates = append(rates, decimal.Read(r.Text()).Normal()); return false })
			return len(codes) > 16
		})
		out := make(map[sumKey]bool, 2)
		for _, k := range codes {
			for _, r := range rates {
				out[sumKey{k, r}] = true
			}
		}
		return out
	}
	return func(x *eval, f *ciiFacts) {
		f.summed, f.sums = true, map[sumKey]ciiSum{}
		lines.walk(x, x.root, func(l dom.Node) bool {
			total := lineTotal.sum(x, l)
			for key := range keys(x, l, lineTax) {
				s := f.sums[key]
				s.lines = s.lines.Add(total)
				f.sums[key] = s
			}
			return false
		})
		charges.walk(x, x.root, func(a dom.Node) bool {
			var v decimal.Decimal
			if n := amount.find(x, a); n.Valid() {
				v = decimal.Read(n.Text())
			}
			charge, allowance := isCharge(x, a), isAllowance(x, a)
			for key := range keys(x, a, chargeTax) {
				s := f.sums[key]
				if charge {
					s.charges = s.charges.Add(v)
				}
				if allowance {
					s.allowances = s.allowances.Add(v)
				}
				f.sums[key] = s
			}
			return false
		})
	}
}
