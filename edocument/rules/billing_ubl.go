package rules

import (
	"strings"

	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/edocument/decimal"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// billingFacts is what the billing rules ask about the parties.
type billingFacts struct {
	profile            string
	currencies         []string // one
	supplier, customer string   // country by VAT identifier, else by address, XX for none
	accounting         string   // supplier without its tax representative
	from, to, agent    string   // countries of the addresses, in capitals
	fromRaw, toRaw     string   // as written
	swedish            bool     // the supplier has address and VAT identifier in Sweden

	fromDenmark, toDenmark bool // some address of the party is there
}

func (f *billingFacts) german() bool { return f.from == "DE" && f.to == "DE" }
func (f *billingFacts) danish() bool { return f.fromDenmark && f.toDenmark }
func (f *billingFacts) greekSender() bool {
	return f.supplier == "GR" || f.supplier == "EL"
}
func (f *billingFacts) greekBoth() bool {
	return f.greekSender() && (f.customer == "GR" || f.customer == "EL")
}

// party makes a test of what is known of the parties.
func party(t func(f *billingFacts) bool) test {
	return func(x *eval) bool { return t(x.facts.(*billingFacts)) }
}

// newBillingUBL builds the billing rules for UBL, or their variant for invoices that buyers write.
func newBillingUBL(self bool) *Set {
	u := newUBLVocabulary()
	s := &Set{id: "peppol-billing-ubl", version: "2026.5", v: u, prepare: u.prepareBilling(self)}
	if self {
		s.id = "peppol-selfbilling-ubl"
	}
	empty := func(x *eval) bool { return !x.n.FirstElement().Valid() && blank(x.n.Text()) }
	s.patterns = []*pattern{
		{contexts: []*context{named(func(string) bool { return true }, must("PEPPOL-EN16931-R008", never)).where(empty)}},
		{contexts: []*context{u.on("CreditNote", must("PEPPOL-EN16931-R080", u.atMost(1, "AdditionalDocumentReference[DocumentTypeCode=50]")))}},
		{contexts: append(u.billingModel(self), u.billingIdentifiers()...)},
	}
	if !self {
		for _, contexts := range u.national() {
			s.patterns = append(s.patterns, &pattern{contexts: contexts})
		}
	}
	s.patterns = append(s.patterns, &pattern{contexts: u.billingCodes(self)})
	return s.seal()
}

func (u *vocabulary) prepareBilling(self bool) func(*eval) {
	profile, currency := u.path("/ProfileID"), u.path("/DocumentCurrencyCode")
	sellerVAT, agentVAT := u.path("/AccountingSupplierParty/Party/PartyTaxScheme[TaxScheme/ID=VAT]/CompanyID"), u.path("/TaxRepresentativeParty/PartyTaxScheme[TaxScheme/ID=VAT]/CompanyID")
	buyerVAT := u.path("/AccountingCustomerParty/Party/PartyTaxScheme[TaxScheme/ID=VAT]/CompanyID")
	from, to := u.path("/AccountingSupplierParty/Party/PostalAddress/Country/IdentificationCode"), u.path("/AccountingCustomerParty/Party/PostalAddress/Country/IdentificationCode")
	agent := u.path("/TaxRepresentativeParty/PostalAddress/Country/IdentificationCode")
	anySE := u.path("//AccountingSupplierParty/Party[PostalAddress/Country/IdentificationCode=SE]/PartyTaxScheme[TaxScheme/ID=VAT]/CompanyID")
	return func(x *eval) {
		f := &billingFacts{profile: "Unknown"}
		currency.walk(x, x.root, func(n dom.Node) bool { f.currencies = append(f.currencies, n.Text()); return false })
		switch p := normalize(profile.string(x, x.root)); p {
		case "urn:fdc:peppol.eu:2017:poacc:billing:01:1.0", "urn:fdc:peppol.eu:2017:poacc:selfbilling:01:1.0":
			if strings.Contains(p, "selfbilling") == self {
				f.profile = "01"
			}
		case "urn:peppol:france:billing:regulated", "urn:peppol:france:billing:non-regulated":
			f.profile = "01"
		case "urn:peppol:bis:billing_with_response":
			f.profile = "02"
		}
		f.fromRaw, f.toRaw = from.string(x, x.root), to.string(x, x.root)
		f.fromDenmark, f.toDenmark = f.fromRaw == "DK", f.toRaw == "DK"
		f.from, f.to = strings.ToUpper(normalize(f.fromRaw)), strings.ToUpper(normalize(f.toRaw))
		f.agent = strings.ToUpper(normalize(agent.string(x, x.root)))
		country := func(address dom.Node, ids ...*path) string {
			for _, p := range ids {
				if s := prefix2(p.string(x, x.root)); s != "" {
					return strings.ToUpper(normalize(s))
				}
			}
			if address.Valid() {
				return strings.ToUpper(normalize(address.Text()))
			}
			return "XX"
		}
		f.supplier = country(from.find(x, x.root), sellerVAT, agentVAT)
		f.accounting = country(from.find(x, x.root), sellerVAT)
		f.customer = country(to.find(x, x.root), buyerVAT)
		f.swedish = anySE.walk(x, x.root, func(n dom.Node) bool { return prefix2(n.Text()) == "SE" })
		x.facts = f
	}
}

// prefix2 returns the first two characters.
func prefix2(s string) string {
	k := 0
	for i := range s {
		if k++; k > 2 {
			return s[:i]
		}
	}
	return s
}

// within reports whether two amounts differ by at most 0.02, and explains them when they do not.
func (x *eval) within(stated decimal.Decimal, name string, computed decimal.Decimal, terms string) bool {
	if stated.Sub(computed).Abs().LessEqual(decimal.New(2, 2)) {
		return true
	}
	return x.explain(stated, name, computed.Round(2), terms)
}

// percentage is the rule that an allowance or charge is its base amount × percentage / 100, where both stand there.
func (v *vocabulary) percentage(factorPath, basePath, amountPath string) test {
	factor, base, amount := v.path(factorPath), v.path(basePath), v.path(amountPath)
	return func(x *eval) bool {
		f, b := factor.one(x, x.n), base.one(x, x.n)
		if !f.Valid() || !b.Valid() {
			return true
		}
		stated := decimal.Decimal{}
		if a := amount.one(x, x.n); a.Valid() {
			stated = decimal.Read(a.Text())
		}
		return x.within(stated, "the amount", decimal.Read(b.Text()).Mul(decimal.Read(f.Text())).Mul(decimal.New(1, 2)), "base amount × percentage / 100")
	}
}

func (u *vocabulary) billingModel(self bool) []*context {
	allowanceAt := func(cond string) string {
		return "/AllowanceCharge" + cond + "|/InvoiceLine/AllowanceCharge" + cond + "|/CreditNoteLine/AllowanceCharge" + cond
	}
	percentage := u.percentage("MultiplierFactorNumeric", "BaseAmount", "Amount")
	id := selfBillingID
	if !self {
		id = billingID
	}
	customization := u.path("CustomizationID/text()")
	taxes, taxCurrency, currency := u.path("TaxTotal/TaxAmount"), u.path("TaxCurrencyCode"), u.path("DocumentCurrencyCode")
	sameSign := func(x *eval) bool {
		tc := taxCurrency.find(x, x.n)
		if !tc.Valid() {
			return true
		}
		var up, down [2]bool
		taxes.walk(x, x.n, func(a dom.Node) bool {
			v := double(a.Text())
			for k, c := range [2]string{normalize(tc.Text()), normalize(currency.string(x, x.n))} {
				if amountIn(a, c) {
					up[k], down[k] = up[k] || v >= 0, down[k] || v <= 0
				}
			}
			return false
		})
		return up[0] && up[1] || down[0] && down[1]
	}
	plainTotals := u.path("TaxTotal[!TaxSubtotal]")
	taxCurrencyText, documentCurrency := u.path("text()"), u.path("../DocumentCurrencyCode/text()")
	ownCurrency := func(x *eval) bool {
		c, ok := x.n.AttrNS("", "currencyID")
		own := x.facts.(*billingFacts).currencies
		if ok && among(c, own) {
			return true
		}
		x.note = "currency " + c + " in an invoice in " + strings.Join(own, ", ")
		return false
	}
	amounts := "Amount|BaseAmount|PriceAmount|TaxTotal[TaxSubtotal]/TaxAmount|TaxSubtotal/TaxAmount|TaxableAmount|LineExtensionAmount|TaxExclusiveAmount|TaxInclusiveAmount|AllowanceTotalAmount|ChargeTotalAmount|PrepaidAmount|PayableRoundingAmount|PayableAmount"
	if self {
		amounts = strings.Replace(amounts, "TaxSubtotal/TaxAmount|", "", 1)
	}
	net, price, discount := u.path("../PriceAmount"), u.path("BaseAmount"), u.path("Amount")
	return []*context{
		u.on("/",
			must("PEPPOL-EN16931-R001", u.has("ProfileID")), must("PEPPOL-EN16931-R007", party(func(f *billingFacts) bool { return f.profile != "Unknown" })),
			must("PEPPOL-EN16931-R002", either(u.atMost(1, "Note"), party((*billingFacts).german))),
			must("PEPPOL-EN16931-R003", either(u.has("BuyerReference"), u.has("OrderReference/ID"))),
			must("PEPPOL-EN16931-R004", func(x *eval) bool {
				s := normalize(customization.string(x, x.n))
				return strings.HasPrefix(s, id) && !strings.Contains(s, "::")
			}),
			must("PEPPOL-EN16931-R053", u.exactly(1, "TaxTotal[TaxSubtotal]")),
			must("PEPPOL-EN16931-R054", func(x *eval) bool {
				want := 0
				if taxCurrency.find(x, x.n).Valid() {
					want = 1
				}
				return plainTotals.count(x, x.n) == want
			}),
			must("PEPPOL-EN16931-R055", sameSign)),
		u.on("TaxCurrencyCode", must("PEPPOL-EN16931-R005", func(x *eval) bool {
			return normalize(taxCurrencyText.string(x, x.n)) != normalize(documentCurrency.string(x, x.n))
		})),
		u.on("AccountingCustomerParty/Party", must("PEPPOL-EN16931-R010", u.has("EndpointID"))),
		u.on("AccountingSupplierParty/Party", must("PEPPOL-EN16931-R020", u.has("EndpointID"))),
		u.on(allowanceAt("[MultiplierFactorNumeric][!BaseAmount]"), must("PEPPOL-EN16931-R041", never)),
		u.on(allowanceAt("[!MultiplierFactorNumeric][BaseAmount]"), must("PEPPOL-EN16931-R042", never)),
		u.on(allowanceAt(""), must("PEPPOL-EN16931-R040", percentage), must("PEPPOL-EN16931-R043", u.reads("ChargeIndicator/text()", "true", "false"))),
		u.on("PaymentMeans[PaymentMeansCode~49]|PaymentMeans[PaymentMeansCode~59]", must("PEPPOL-EN16931-R061", u.has("PaymentMandate/ID"))),
		u.on(amounts, must("PEPPOL-EN16931-R051", ownCurrency)),
		u.on("/InvoiceLine/InvoicePeriod/StartDate|/CreditNoteLine/InvoicePeriod/StartDate", must("PEPPOL-EN16931-R110", u.inPeriod("/InvoicePeriod/StartDate", false))).where(u.has("/InvoicePeriod/StartDate")),
		u.on("/InvoiceLine/InvoicePeriod/EndDate|/CreditNoteLine/InvoicePeriod/EndDate", must("PEPPOL-EN16931-R111", u.inPeriod("/InvoicePeriod/EndDate", true))).where(u.has("/InvoicePeriod/EndDate")),
		u.on("InvoiceLine|CreditNoteLine",
			must("PEPPOL-EN16931-R120", u.lineNet(lineTerms{
				net: "LineExtensionAmount", quantity: []string{"InvoicedQuantity", "CreditedQuantity"}, price: "Price/PriceAmount", base: "Price/BaseQuantity",
				charges: "AllowanceCharge", indicator: "ChargeIndicator", amount: "Amount",
			})),
			must("PEPPOL-EN16931-R121", either(u.hasNot("Price/BaseQuantity"), u.single("Price/BaseQuantity", aboveZero))),
			must("PEPPOL-EN16931-R100", u.atMost(1, "DocumentReference")),
			must("PEPPOL-EN16931-R101", either(u.hasNot("DocumentReference"), u.is("DocumentReference/DocumentTypeCode", "130")))),
		u.on("Price/AllowanceCharge",
			must("PEPPOL-EN16931-R044", u.reads("ChargeIndicator", "false")),
			must("PEPPOL-EN16931-R046", func(x *eval) bool {
				g := price.one(x, x.n)
				return !g.Valid() || x.equal(net.value(x, x.n), "BT-146", decimal.Read(g.Text()).Sub(discount.value(x, x.n)), "BT-148 - BT-147")
			})),
		u.on("Price/BaseQuantity[@unitCode]", must("PEPPOL-EN16931-R130", u.sameUnit())),
	}
}

func (u *vocabulary) sameUnit() test {
	invoiced, credited := u.path("../../InvoicedQuantity"), u.path("../../CreditedQuantity")
	return func(x *eval) bool {
		if !invoiced.find(x, x.n).Valid() && !credited.find(x, x.n).Valid() {
			return true
		}
		quantity, unit := invoiced, ""
		if x.root.Local() == "CreditNote" {
			quantity = credited
		}
		if quantity.walk(x, x.n, func(n dom.Node) bool {
			var ok bool
			unit, ok = n.AttrNS("", "unitCode")
			return ok && x.n.Attr("unitCode") == unit
		}) {
			return true
		}
		x.note = "BT-150 is " + x.n.Attr("unitCode") + ", BT-130 is " + unit
		return false
	}
}

// inPeriod: a date of a line does not lie outside the period of the invoice.
func (u *vocabulary) inPeriod(p string, end bool) test {
	own, q := u.path("text()"), u.path(p)
	return func(x *eval) bool {
		s, ok := date(own.string(x, x.n))
		t, also := date(q.string(x, x.n))
		if end {
			s, t = t, s
		}
		return ok && also && !s.Before(t)
	}
}

// lineTerms are the paths from a line to what its net amount is computed from.
type lineTerms struct {
	net         string
	quantity    []string
	price, base string
	charges     string
	indicator   string
	amount      string
}

// lineNet is BT-131 = BT-129 × BT-146 / BT-149 + Σ charges - Σ allowances, within 0.02.
func (u *vocabulary) lineNet(t lineTerms) test {
	net, price, base := u.path(t.net), u.path(t.price), u.path(t.base)
	var quantities []*path
	for _, q := range t.quantity {
		quantities = append(quantities, u.path(q))
	}
	charges, indicator, amounts := u.path(t.charges), u.path(t.indicator), u.path(t.amount)
	or := func(x *eval, p *path, other int64) decimal.Decimal {
		if n := p.one(x, x.n); n.Valid() {
			return decimal.Read(n.Text())
		}
		return decimal.New(other, 0)
	}
	return func(x *eval) bool {
		quantity := quantities[0]
		if len(quantities) > 1 && x.root.Local() == "CreditNote" {
			quantity = quantities[1]
		}
		sum := or(x, quantity, 1).Mul(or(x, price, 0))
		terms := "BT-129 × BT-146"
		if b := base.one(x, x.n); b.Valid() {
			if d := decimal.Read(b.Text()); !d.IsZero() && !d.Equal(one) {
				sum, terms = sum.Quo(d), terms+" / BT-149"
			}
		}
		var added, taken decimal.Decimal
		charges.walk(x, x.n, func(c dom.Node) bool {
			a := amounts.sum(x, c)
			switch normalize(indicator.string(x, c)) {
			case "true":
				added = added.Add(a)
			case "false":
				taken = taken.Add(a)
			}
			return false
		})
		if !added.IsZero() {
			sum, terms = sum.Add(added.Round(2)), terms+" + Σ BT-141"
		}
		if !taken.IsZero() {
			sum, terms = sum.Sub(taken.Round(2)), terms+" - Σ BT-136"
		}
		return x.within(or(x, net, 0), "BT-131", sum, terms)
	}
}

// scheme is a rule on the value of identifiers of one scheme.
type scheme struct {
	code, id string
	warns    bool
	endpoint bool // only electronic addresses
	trim     bool
	valid    func(string) bool
}

func sized(n int) func(string) bool { return func(s string) bool { return digits(s, n, n) } }

var dutchVAT = func(s string) bool {
	return len(s) == 14 && s[:2] == "NL" && digits(s[2:11], 9, 9) && s[11] == 'B' && digits(s[12:], 2, 2)
}

var identifierSchemes = []scheme{
	{"0088", "R040", false, false, true, gln}, {"0192", "R041", false, false, true, mod11}, {"0184", "R042", false, false, false, danish},
	{"0096", "R052", false, false, false, sized(10)}, {"0198", "R053", false, false, false, danishVAT}, {"0208", "R043", false, false, true, belgian},
	{"0201", "R044", true, false, true, italianOffice}, {"0210", "R045", true, false, true, italianTaxCode}, {"9907", "R046", true, true, true, italianTaxCode},
	{"0211", "R047", true, false, true, italianVAT}, {"0007", "R049", false, false, true, func(s string) bool { return len(s) == 10 && swedish(s) }},
	{"0151", "R050", false, false, true, func(s string) bool { return digits(s, 11, 11) && australian(s) }},
	{"0106", "R054", true, false, true, sized(8)}, {"0190", "R055", true, false, true, sized(20)}, {"9944", "R056-1", true, true, true, dutchVAT},
}

// identifier makes the assert of a scheme.
func (s scheme) assert() assert {
	a := must("PEPPOL-COMMON-"+s.id, func(x *eval) bool {
		v := x.n.Text()
		if s.trim {
			v = normalize(v)
		}
		return s.valid(v)
	})
	if s.warns {
		a.flag = "warning"
	}
	return a
}

func (u *vocabulary) billingIdentifiers() []*context {
	var out []*context
	for _, s := range append(identifierSchemes, scheme{"0217", "R057", true, false, true, sized(12)}) {
		if s.code == "0217" {
			out = append(out, u.on("PartyTaxScheme[TaxScheme/ID~VAT]/CompanyID", should("PEPPOL-COMMON-R056-2", func(x *eval) bool { return dutchVAT(normalize(x.n.Text())) })).
				where(func(x *eval) bool { return strings.HasPrefix(normalize(x.n.Text()), "NL") }))
		}
		at := "EndpointID[@schemeID=" + s.code + "]"
		if !s.endpoint {
			at += "|PartyIdentification/ID[@schemeID=" + s.code + "]|CompanyID[@schemeID=" + s.code + "]"
		}
		out = append(out, u.on(at, s.assert()))
	}
	return out
}

// plainDate: the context node is a date without a zone, in ten characters of its own.
func (u *vocabulary) plainDate() test {
	own := u.path("text()")
	return func(x *eval) bool { return len(own.string(x, x.n)) == 10 && isDate(x.n.Text()) }
}

// codeIn: the context node, or its attribute, is a code of the list; an attribute must be it exactly.
func (v *vocabulary) codeIn(list, attr string) test {
	codes, own := codeList(list), v.path("text()")
	return func(x *eval) bool {
		s := ""
		if attr != "" {
			s = x.n.Attr(attr)
		} else {
			s = normalize(own.string(x, x.n))
		}
		if codes[s] {
			return true
		}
		x.note = edocument.Clip(s)
		return false
	}
}

func (u *vocabulary) billingCodes(self bool) []*context {
	invoiceTypes, creditTypes := u.codeIn("billing-invoice-type", ""), u.codeIn("billing-credit-note-type", "")
	applies := func(f *billingFacts) bool { return f.profile != "Unknown" }
	if self {
		invoiceTypes, creditTypes = u.codeIn("self-billing-invoice-type", ""), u.codeIn("self-billing-credit-note-type", "")
		applies = func(f *billingFacts) bool { return f.profile == "01" }
	}
	types := []assert{must("PEPPOL-EN16931-P0100", either(not(party(applies)), invoiceTypes))}
	if !self {
		types = append(types, must("PEPPOL-EN16931-P0112", either(not(u.reads(".", "326", "384")), party((*billingFacts).german))))
	}
	out := []*context{
		u.on("EmbeddedDocumentBinaryObject[@mimeCode]", must("PEPPOL-EN16931-CL001", mediaType)),
		u.on("AllowanceCharge[ChargeIndicator=false]/AllowanceChargeReasonCode", must("PEPPOL-EN16931-CL002", u.codeIn("allowance-reason", ""))),
		u.on("AllowanceCharge[ChargeIndicator=true]/AllowanceChargeReasonCode", must("PEPPOL-EN16931-CL003", u.codeIn("charge-reason", ""))),
		u.on("InvoicePeriod/DescriptionCode", must("PEPPOL-EN16931-CL006", u.codeIn("vat-point", ""))),
		u.on("Amount|BaseAmount|PriceAmount|TaxAmount|TaxableAmount|LineExtensionAmount|TaxExclusiveAmount|TaxInclusiveAmount|AllowanceTotalAmount|ChargeTotalAmount|PrepaidAmount|PayableRoundingAmount|PayableAmount",
			must("PEPPOL-EN16931-CL007", u.codeIn("billing-currency", "currencyID"))),
		u.on("InvoiceTypeCode", types...),
		u.on("CreditNoteTypeCode", must("PEPPOL-EN16931-P0101", either(not(party(applies)), creditTypes))),
		u.on("IssueDate|DueDate|TaxPointDate|StartDate|EndDate|ActualDeliveryDate", must("PEPPOL-EN16931-F001", u.plainDate())),
		u.on("EndpointID[@schemeID]", must("PEPPOL-EN16931-CL008", u.codeIn("billing-address-scheme", "schemeID"))),
	}
	reason := u.path("TaxExemptionReasonCode")
	for _, c := range [][3]string{
		{"P0104", "G", "G"}, {"P0105", "O", "O"}, {"P0106", "IC", "K"}, {"P0107", "AE", "AE"},
		{"P0108", "D", "E"}, {"P0109", "F", "E"}, {"P0110", "I", "E"}, {"P0111", "J", "E"},
	} {
		out = append(out, u.on("TaxCategory", must("PEPPOL-EN16931-"+c[0], u.reads("ID", c[2]))).where(func(x *eval) bool {
			return strings.ToUpper(reason.string(x, x.n)) == "VATEX-EU-"+c[1]
		}))
	}
	return out
}
