package rules

import (
	"regexp"
	"strings"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

var ciiProfile = regexp.MustCompile(`urn:fdc:peppol.eu:2017:poacc:billing:([0-9]{2}):1.0`)

// newBillingCII builds the billing rules for CII.
func newBillingCII() *Set {
	c := newCIIVocabulary()
	s := &Set{id: "peppol-billing-cii", version: "3.0.19", v: c, prepare: c.prepareBillingCII()}
	for _, contexts := range [][]*context{
		append(c.billingCIIModel(), c.billingCIIIdentifiers()...), c.norwayCII(), c.denmarkCII(), c.italyCII(), c.swedenCII(), c.netherlandsCII(), c.billingCIICodes(),
	} {
		s.patterns = append(s.patterns, &pattern{contexts: contexts})
	}
	return s.seal()
}

func (c *vocabulary) prepareBillingCII() func(*eval) {
	profile, currency := c.path("/ExchangedDocumentContext/BusinessProcessSpecifiedDocumentContextParameter/ID"), c.path(ciiSettlement+"/InvoiceCurrencyCode")
	agreements := c.path(ciiAgreement)
	first, seller, agent := c.path(ciiAgreement+"/SellerTradeParty"), c.path("SpecifiedTaxRegistration"), c.path(ciiAgreement+"/SellerTaxRepresentativeTradeParty/SpecifiedTaxRegistration")
	from, to := c.path(ciiAgreement+"/SellerTradeParty/PostalTradeAddress/CountryID"), c.path(ciiAgreement+"/BuyerTradeParty/PostalTradeAddress/CountryID")
	agentAt, id := c.path(ciiAgreement+"/SellerTaxRepresentativeTradeParty/PostalTradeAddress/CountryID"), c.path("ID")
	return func(x *eval) {
		f := &billingFacts{profile: "Unknown"}
		currency.walk(x, x.root, func(n dom.Node) bool { f.currencies = append(f.currencies, n.Text()); return false })
		if p := normalize(profile.string(x, x.root)); ciiProfile.MatchString(p) {
			if parts := strings.Split(p, ":"); len(parts) > 6 {
				f.profile = parts[6]
			}
		}
		f.fromRaw, f.toRaw = from.string(x, x.root), to.string(x, x.root)
		inDenmark := func(n dom.Node) bool { return n.Text() == "DK" }
		f.fromDenmark, f.toDenmark = from.walk(x, x.root, inDenmark), to.walk(x, x.root, inDenmark)
		f.from, f.to = strings.ToUpper(normalize(f.fromRaw)), strings.ToUpper(normalize(f.toRaw))
		f.agent = strings.ToUpper(normalize(agentAt.string(x, x.root)))
		f.supplier = "XX"
		// the official rules look for the scheme VAT here, where the syntax has VA
		byID := func(from dom.Node, registrations *path) bool {
			return registrations.walk(x, from, func(r dom.Node) bool {
				n := id.find(x, r)
				if s := prefix2(n.Text()); n.Attr("schemeID") == "VAT" && s != "" {
					f.supplier = strings.ToUpper(normalize(s))
					return true
				}
				return false
			})
		}
		party := c.firstSeller(x, agreements, first)
		if !byID(party, seller) && !byID(x.root, agent) && from.find(x, x.root).Valid() {
			f.supplier = f.from
		}
		x.facts = f
	}
}

// firstSeller: the rules look at the first seller of the first agreement only.
func (c *vocabulary) firstSeller(x *eval, agreements, sellers *path) dom.Node {
	seller := sellers.find(x, x.root)
	transactions := x.top[c.codes["SupplyChainTradeTransaction"]]
	if !seller.Valid() || len(transactions) == 0 || agreements.find(x, x.root) != seller.Parent() || transactions[0] != seller.Parent().Parent() {
		return dom.Node{}
	}
	return seller
}

func (c *vocabulary) billingCIIModel() []*context {
	const charge = "SpecifiedTradeAllowanceCharge"
	percentage := c.percentage("CalculationPercent", "BasisAmount", "ActualAmount")
	indicated := c.reads("ChargeIndicator/Indicator/text()", "true", "false")
	specification := c.path("GuidelineSpecifiedDocumentContextParameter/ID/text()")
	const totals = "SpecifiedTradeSettlementHeaderMonetarySummation/TaxTotalAmount"
	taxes, taxCurrency, taxCurrencyText, currency := c.path(totals), c.path("TaxCurrencyCode"), c.path("TaxCurrencyCode/text()"), c.path("InvoiceCurrencyCode/text()")
	inCurrency := func(x *eval, own bool) int {
		k := 0
		taxes.walk(x, x.n, func(a dom.Node) bool {
			if cur, ok := a.AttrNS("", "currencyID"); ok {
				for _, c := range x.facts.(*billingFacts).currencies {
					if (c == cur) == own {
						k++
						break
					}
				}
			}
			return false
		})
		return k
	}
	taxCurrencies := c.path(ciiSettlement + "/TaxCurrencyCode")
	sameSign := func(x *eval) bool {
		var accounting []string
		taxCurrencies.walk(x, x.n, func(n dom.Node) bool { accounting = append(accounting, n.Text()); return false })
		if accounting == nil {
			return true
		}
		var up, down [2]bool
		taxes.walk(x, x.n, func(a dom.Node) bool {
			v := double(a.Text())
			for k, list := range [2][]string{accounting, x.facts.(*billingFacts).currencies} {
				if own, ok := a.AttrNS("", "currencyID"); ok && among(own, list) {
					up[k], down[k] = up[k] || v >= 0, down[k] || v < 0
				}
			}
			return false
		})
		return up[0] && up[1] || down[0] && down[1]
	}
	unit := c.path("../../../SpecifiedLineTradeDelivery/BilledQuantity@unitCode")
	period := func(which string, end bool) *context {
		const whole = "../../../../ApplicableHeaderTradeSettlement/BillingSpecifiedPeriod/"
		id, of := "PEPPOL-EN16931-R110", c.path(whole+which+"/DateTimeString")
		if end {
			id = "PEPPOL-EN16931-R111"
		}
		own := c.path("DateTimeString")
		return c.on("SupplyChainTradeTransaction/IncludedSupplyChainTradeLineItem/SpecifiedLineTradeSettlement/BillingSpecifiedPeriod/"+which, must(id, func(x *eval) bool {
			return own.walk(x, x.n, func(n dom.Node) bool {
				return of.walk(x, x.n, func(o dom.Node) bool {
					if end {
						return n.Text() <= o.Text()
					}
					return n.Text() >= o.Text()
				})
			})
		})).where(c.has(whole + which))
	}
	return []*context{
		c.on("ExchangedDocumentContext",
			must("PEPPOL-EN16931-R001", c.has("BusinessProcessSpecifiedDocumentContextParameter/ID")), must("PEPPOL-EN16931-R007", party(func(f *billingFacts) bool { return f.profile != "Unknown" })),
			must("PEPPOL-EN16931-R004", func(x *eval) bool {
				return strings.HasPrefix(normalize(specification.string(x, x.n)), billingID)
			})),
		c.on("ApplicableHeaderTradeAgreement",
			must("PEPPOL-EN16931-R003", either(c.has("BuyerReference"), c.has("BuyerOrderReferencedDocument/IssuerAssignedID"))),
			must("PEPPOL-EN16931-R006", c.atMost(1, "AdditionalReferencedDocument[TypeCode=130]")), must("PEPPOL-EN16931-R080", c.atMost(1, "AdditionalReferencedDocument[TypeCode=50]"))),
		c.on("ApplicableHeaderTradeSettlement",
			must("PEPPOL-EN16931-R005", func(x *eval) bool {
				return !taxCurrency.find(x, x.n).Valid() || normalize(taxCurrencyText.string(x, x.n)) != normalize(currency.string(x, x.n))
			}),
			must("PEPPOL-EN16931-R053", func(x *eval) bool { return inCurrency(x, true) == 1 }),
			must("PEPPOL-EN16931-R054", func(x *eval) bool {
				want := 0
				if taxCurrency.find(x, x.n).Valid() {
					want = 1
				}
				return inCurrency(x, false) == want
			}),
			must("PEPPOL-EN16931-R055", sameSign)),
		c.on("ExchangedDocument", must("PEPPOL-EN16931-R002", all(c.atMost(1, "IncludedNote"), c.hasNot("IncludedNote/SubjectCode")))),
		c.on("BuyerTradeParty", must("PEPPOL-EN16931-R010", c.has("URIUniversalCommunication/URIID"))),
		c.on("SellerTradeParty", must("PEPPOL-EN16931-R020", c.has("URIUniversalCommunication/URIID"))),
		c.on(charge+"[CalculationPercent][!BasisAmount]", must("PEPPOL-EN16931-R041", never)),
		c.on(charge+"[!CalculationPercent][BasisAmount]", must("PEPPOL-EN16931-R042", never)),
		c.on(charge, must("PEPPOL-EN16931-R040", percentage), must("PEPPOL-EN16931-R043", indicated)),
		c.on("AppliedTradeAllowanceCharge", must("PEPPOL-EN16931-R043", indicated)),
		c.on("SpecifiedTradeSettlementPaymentMeans[TypeCode~49]|SpecifiedTradeSettlementPaymentMeans[TypeCode~59]", must("PEPPOL-EN16931-R061", c.has("../SpecifiedTradePaymentTerms/DirectDebitMandateID"))),
		period("StartDateTime", false), period("EndDateTime", true),
		c.on("IncludedSupplyChainTradeLineItem",
			must("PEPPOL-EN16931-R120", c.lineNet(lineTerms{
				net: "SpecifiedLineTradeSettlement/" + ciiLineTotal, quantity: []string{"SpecifiedLineTradeDelivery/BilledQuantity"},
				price: "SpecifiedLineTradeAgreement/NetPriceProductTradePrice/ChargeAmount", base: "SpecifiedLineTradeAgreement/NetPriceProductTradePrice/BasisQuantity",
				charges: "SpecifiedLineTradeSettlement/" + charge, indicator: "ChargeIndicator/Indicator", amount: "ActualAmount",
			})),
			must("PEPPOL-EN16931-R100", c.atMost(1, "SpecifiedLineTradeSettlement/AdditionalReferencedDocument[TypeCode=130]")),
			must("PEPPOL-EN16931-R101", either(c.hasNot("SpecifiedLineTradeSettlement/AdditionalReferencedDocument"), c.is("SpecifiedLineTradeSettlement/AdditionalReferencedDocument/TypeCode", "130")))),
		c.on("NetPriceProductTradePrice|GrossPriceProductTradePrice", must("PEPPOL-EN16931-R121", either(c.hasNot("BasisQuantity"), c.single("BasisQuantity", aboveZero)))),
		c.on("NetPriceProductTradePrice/BasisQuantity[@unitCode]|GrossPriceProductTradePrice/BasisQuantity[@unitCode]",
			must("PEPPOL-EN16931-R130", func(x *eval) bool {
				return unit.walk(x, x.n, func(u dom.Node) bool { return u.Text() == x.n.Attr("unitCode") })
			})),
	}
}

func (c *vocabulary) billingCIIIdentifiers() []*context {
	var out []*context
	for _, s := range append([]scheme{{"9906", "R048", true, true, true, italianVAT}}, identifierSchemes...) {
		switch s.code {
		case "0096", "0198", "0106", "0190", "9944": // came with later editions
			continue
		case "0151":
			s.valid = australian
		}
		at := "URIID[@schemeID=" + s.code + "]"
		if !s.endpoint {
			at += "|ID[@schemeID=" + s.code + "]|GlobalID[@schemeID=" + s.code + "]"
		}
		out = append(out, c.on(at, s.assert()))
	}
	return out
}

func (c *vocabulary) norwayCII() []*context {
	registered := c.path("SpecifiedTaxRegistration/ID")
	return []*context{c.on("SellerTradeParty",
		should("NO-R-002", c.has("SpecifiedTaxRegistration/ID[@schemeID=FC][text()~Foretaksregisteret]")),
		must("NO-R-001", func(x *eval) bool {
			return !registered.walk(x, x.n, func(n dom.Node) bool { return n.Attr("schemeID") == "VAT" && !norwegianVAT(n.Text()) })
		})).where(supplierIs("NO"))}
}

func (c *vocabulary) denmarkCII() []*context {
	from, toDenmark := party(func(f *billingFacts) bool { return f.fromDenmark }), party(func(f *billingFacts) bool { return f.toDenmark })
	both := party((*billingFacts).danish)
	seller, buyer := ciiAgreement+"/SellerTradeParty", ciiAgreement+"/BuyerTradeParty"
	legal, due, reason := c.path(seller+"/SpecifiedLegalOrganization/ID"), c.path(ciiTotals+"/DuePayableAmount/text()"), c.path(ciiSettlement+"/SpecifiedTradeAllowanceCharge/Reason")
	noScheme := func(p string) test {
		return all(c.has(p+"/GlobalID"), c.reads(p+"/GlobalID@schemeID", ""))
	}
	reference, account, code := c.path("../PaymentReference"), c.path("PayeePartyCreditorFinancialAccount/IBANID/text()"), c.path("TypeCode")
	starts := func(x *eval, cards ...string) bool {
		s := reference.string(x, x.n)
		return len(s) >= 3 && among(s[:3], cards)
	}
	classes := c.path("SpecifiedTradeProduct/DesignatedProductClassification/ClassCode")
	return []*context{
		c.on("/",
			must("DK-R-002", c.filled(seller+"/SpecifiedLegalOrganization/ID/text()")),
			must("DK-R-004", not(all(toDenmark, c.is(ciiSettlement+"/SpecifiedTradeAllowanceCharge/ReasonCode", "ZZZ"), func(x *eval) bool { return !danishTax(reason.string(x, x.n)) }))),
			must("DK-R-013", not(all(toDenmark, either(noScheme(seller), noScheme(buyer))))),
			must("DK-R-014", func(x *eval) bool {
				n := legal.find(x, x.n)
				return !n.Valid() || normalize(n.Attr("schemeID")) == "0184"
			}),
			must("DK-R-016", not(all(toDenmark, c.reads("ExchangedDocument/TypeCode/text()", "381"), func(x *eval) bool { return double(due.string(x, x.n)) < 0 })))).where(from),
		c.on(ciiSettlement+"/SpecifiedTradeSettlementPaymentMeans",
			must("DK-R-005", func(x *eval) bool {
				return strings.Contains(" 1 10 31 42 48 49 50 58 59 93 97 ", " "+code.string(x, x.n)+" ")
			}),
			must("DK-R-006", either(not(c.is("TypeCode", "31", "42")), all(c.filled("PayeePartyCreditorFinancialAccount/IBANID/text()"), c.filled("PayeeSpecifiedCreditorFinancialInstitution/BICID/text()")))),
			must("DK-R-007", either(not(c.is("TypeCode", "49")), all(c.filled("../CreditorReferenceID/text()"), c.filled("SpecifiedTradePaymentTerms/DirectDebitMandateID/text()")))),
			must("DK-R-008", either(not(c.is("TypeCode", "50")), func(x *eval) bool { return starts(x, "01#", "04#", "15#") && runes(account.string(x, x.n)) == 7 })),
			must("DK-R-009", either(not(c.is("TypeCode", "50")), func(x *eval) bool { return !starts(x, "04#", "15#") || runes(reference.string(x, x.n)) == 19 })),
			must("DK-R-010", either(not(c.is("TypeCode", "93")), func(x *eval) bool { return starts(x, "71#", "73#", "75#") && runes(account.string(x, x.n)) == 8 })),
			must("DK-R-011", either(not(c.is("TypeCode", "93")), func(x *eval) bool {
				n := runes(reference.string(x, x.n))
				return !starts(x, "71#", "75#") || n == 18 || n == 19
			}))).where(both),
		c.on(ciiLines, should("DK-R-003", func(x *eval) bool {
			classified, current := false, false
			classes.walk(x, x.n, func(n dom.Node) bool {
				classified = classified || n.Attr("listID") == "TST"
				current = current || among(n.Attr("listVersionID"), []string{"19.05.01", "19.0501", "26.08.01", "26.0801"})
				return false
			})
			return !classified || current
		})).where(both),
	}
}

func (c *vocabulary) italyCII() []*context {
	ids := c.path("ID")
	return []*context{
		c.on("SellerTradeParty/SpecifiedTaxRegistration", must("IT-R-001", func(x *eval) bool {
			number := ""
			other := ids.walk(x, x.n, func(n dom.Node) bool {
				if normalize(n.Attr("schemeID")) != "FC" {
					return true
				}
				number = n.Text()
				return false
			})
			return other || italianNumber.MatchString(normalize(number))
		})).where(supplierIs("IT")),
		c.on("SellerTradeParty", must("IT-R-002", c.has("PostalTradeAddress/LineOne")), must("IT-R-003", c.has("PostalTradeAddress/CityName")),
			must("IT-R-004", c.has("PostalTradeAddress/PostcodeCode"))).where(supplierIs("IT")),
	}
}

func (c *vocabulary) swedenCII() []*context {
	vat, company, rate := c.path("SpecifiedTaxRegistration/ID[@schemeID=VAT]"), c.path("ID"), c.path("RateApplicablePercent")
	// the rules ask of the very party, and of the transaction that an account or means of payment is part of
	const agreed, inSweden = "/ApplicableHeaderTradeAgreement", "/PostalTradeAddress/CountryID[=SE]"
	registered := func(p string) test {
		id := c.path(p + "SpecifiedTaxRegistration/ID[@schemeID=VAT]")
		return func(x *eval) bool {
			return id.walk(x, x.n, func(n dom.Node) bool { return prefix2(n.Text()) == "SE" })
		}
	}
	self := func(f func(s string) bool) test { return func(x *eval) bool { return f(normalize(x.n.Text())) } }
	const means = "/SpecifiedTradeSettlementPaymentMeans"
	giro := func(name string) test {
		return all(c.has("../../../.."+agreed+"/SellerTradeParty"+inSweden), c.has("../../TypeCode[~30]"), c.has("../../PayeeSpecifiedCreditorFinancialInstitution/BICID[~"+name+"]"))
	}
	seller, buyer := c.has("../.."+agreed+"/SellerTradeParty"+inSweden), c.has("../.."+agreed+"/BuyerTradeParty"+inSweden)
	account := ciiSettlement + means + "/PayeePartyCreditorFinancialAccount/ProprietaryID"
	return []*context{
		c.on(ciiAgreement+"/SellerTradeParty",
			must("SE-R-001", func(x *eval) bool { return runes(normalize(vat.string(x, x.n))) == 14 }),
			must("SE-R-002", func(x *eval) bool {
				s := []rune(vat.string(x, x.n))
				return len(s) > 2 && isNumber(string(s[2:min(14, len(s))]))
			})).where(all(c.has("."+inSweden), registered(""))),
		c.on(ciiAgreement+"/SellerTradeParty/SpecifiedLegalOrganization",
			must("SE-R-003", func(x *eval) bool { return isNumber(company.string(x, x.n)) }),
			must("SE-R-004", func(x *eval) bool { return runes(normalize(company.string(x, x.n))) == 10 }),
			must("SE-R-013", func(x *eval) bool { return swedish(normalize(company.string(x, x.n))) })).where(all(c.has(".."+inSweden), c.has("ID"))),
		c.on(ciiAgreement+"/SellerTradeParty/SpecifiedTaxRegistration/ID[@schemeID=FC]",
			must("SE-R-005", func(x *eval) bool { return normalize(strings.ToUpper(x.n.Text())) == "GODKÄND FÖR F-SKATT" })).where(all(c.has("../.."+inSweden), c.has("../../SpecifiedLegalOrganization/ID"))),
		c.on("ApplicableTradeTax|CategoryTradeTax", must("SE-R-006", func(x *eval) bool { return swedishRate(rate.string(x, x.n)) })).where(registered(ciiAgreement + "/SellerTradeParty[PostalTradeAddress/CountryID=SE]/")),
		c.on(account, should("SE-R-007", self(isNumber)), should("SE-R-010", self(func(s string) bool { return runes(s) >= 2 && runes(s) <= 8 }))).where(giro("SE:PLUSGIRO")),
		c.on(account, should("SE-R-008", self(isNumber)), should("SE-R-009", self(func(s string) bool { return runes(s) == 7 || runes(s) == 8 }))).where(giro("SE:BANKGIRO")),
		c.on(ciiSettlement+means+"[TypeCode~50]|"+ciiSettlement+means+"[TypeCode~56]", should("SE-R-011", never)).where(seller),
		c.on(ciiSettlement+means+"[TypeCode~31]", should("SE-R-012", never)).where(all(seller, buyer)),
	}
}

func (c *vocabulary) netherlandsCII() []*context {
	from := party(func(f *billingFacts) bool { return f.from == "NL" })
	both := party(func(f *billingFacts) bool { return f.from == "NL" && f.to == "NL" })
	agent := party(func(f *billingFacts) bool { return f.from == "NL" && f.agent == "NL" })
	complete := all(c.has("LineOne"), c.has("CityName"), c.has("PostcodeCode"))
	due, credit := c.path("DuePayableAmount"), c.reads("/ExchangedDocument/TypeCode/text()", "381")
	return []*context{
		c.on("/ExchangedDocument", must("NL-R-001", c.has("//ApplicableHeaderTradeSettlement/InvoiceReferencedDocument/IssuerAssignedID"))).
			where(all(from, c.reads("TypeCode", "81", "83", "381", "396", "532"))),
		c.on(ciiAgreement+"/SellerTradeParty/PostalTradeAddress", must("NL-R-002", complete)).where(from),
		c.on(ciiAgreement+"/SellerTradeParty/SpecifiedLegalOrganization/ID", must("NL-R-003", dutchID)).where(from),
		c.on(ciiAgreement+"/BuyerTradeParty/PostalTradeAddress", must("NL-R-004", complete)).where(both),
		c.on(ciiAgreement+"/BuyerTradeParty/SpecifiedLegalOrganization/ID", must("NL-R-005", dutchID)).where(both),
		c.on(ciiAgreement+"/SellerTaxRepresentativeTradeParty/PostalTradeAddress", must("NL-R-006", complete)).where(agent),
		c.on(ciiTotals, must("NL-R-007", either(func(x *eval) bool {
			d := due.value(x, x.n)
			if credit(x) {
				return !d.IsNaN() && d.Sign() >= 0
			}
			return !d.IsNaN() && d.Sign() <= 0
		}, c.has(ciiSettlement+"/SpecifiedTradeSettlementPaymentMeans")))).where(from),
		c.on(ciiSettlement+"/SpecifiedTradeSettlementPaymentMeans", must("NL-R-008", c.reads("TypeCode", "30", "48", "49", "57", "58", "59"))).where(both),
		c.on(ciiLines+"/SpecifiedLineTradeAgreement/BuyerOrderReferencedDocument/LineID", must("NL-R-009", c.has(ciiAgreement+"/BuyerOrderReferencedDocument/IssuerAssignedID"))).where(from),
	}
}

var thisCentury = regexp.MustCompile(`20[0-9]{6}`)

func (c *vocabulary) billingCIICodes() []*context {
	own := c.path("text()")
	return []*context{
		c.on("AttachmentBinaryObject[@mimeCode]", must("PEPPOL-EN16931-CL001", mediaType)),
		c.on("SpecifiedTradeAllowanceCharge[ChargeIndicator/Indicator~false]/ReasonCode", must("PEPPOL-EN16931-CL002", c.codeIn("allowance-reason", ""))),
		c.on("SpecifiedTradeAllowanceCharge[ChargeIndicator/Indicator~true]/ReasonCode", must("PEPPOL-EN16931-CL003", c.codeIn("charge-reason", ""))),
		c.on("TaxTotalAmount[@currencyID]", must("PEPPOL-EN16931-CL007", c.codeIn("billing-cii-currency", "currencyID"))),
		c.on("ExchangedDocument/TypeCode", must("PEPPOL-EN16931-P0100", always)), // the official context has the element in a namespace where it never is
		c.on("DateTimeString", must("PEPPOL-EN16931-F001", func(x *eval) bool {
			s := own.string(x, x.n)
			return normalize(x.n.Attr("format")) == "102" && runes(s) == 8 && thisCentury.MatchString(normalize(s))
		})),
		c.on("BuyerTradeParty/URIUniversalCommunication/URIID|SellerTradeParty/URIUniversalCommunication/URIID", must("PEPPOL-EN16931-CL008", c.codeIn("billing-cii-address-scheme", "schemeID"))),
	}
}
