package rules

import (
	_ "embed" // the table of absent elements is a file
	"strings"

	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/edocument/decimal"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

//go:embed data/cii_absent.txt
var ciiAbsent string

// Parts of the long paths of CII.
const (
	ciiTransaction = "/SupplyChainTradeTransaction"
	ciiAgreement   = ciiTransaction + "/ApplicableHeaderTradeAgreement"
	ciiDelivery    = ciiTransaction + "/ApplicableHeaderTradeDelivery"
	ciiSettlement  = ciiTransaction + "/ApplicableHeaderTradeSettlement"
	ciiLines       = ciiTransaction + "/IncludedSupplyChainTradeLineItem"
	ciiTotals      = ciiSettlement + "/SpecifiedTradeSettlementHeaderMonetarySummation"
	ciiLineTotal   = "SpecifiedTradeSettlementLineMonetarySummation/LineTotalAmount"
)

// newCoreCII builds the rules of EN 16931 for CII. They differ from those for UBL in tolerances and in severities, as
// the official ones do.
func newCoreCII() *Set {
	c := newCIIVocabulary()
	s := &Set{id: "en16931-cii", version: "1.3.16", v: c, prepare: c.prepareCII()}
	s.absent = newAbsence(c, ciiAbsent)
	s.patterns = []*pattern{
		{contexts: append(c.ciiModel(), c.ciiBreakdown()...)},
		{contexts: c.ciiSyntax()},
		{contexts: c.ciiCodes()},
	}
	return s.seal()
}

func (c *vocabulary) ciiModel() []*context {
	reason := either(c.has("../Reason"), c.has("../ReasonCode"))
	card := c.path("ID")
	start, end := c.path("StartDateTime/DateTimeString[@format=102]"), c.path("EndDateTime/DateTimeString[@format=102]")
	period := either(c.hasNot("StartDateTime"), c.hasNot("EndDateTime"), func(x *eval) bool {
		return end.walk(x, x.n, func(e dom.Node) bool {
			return start.walk(x, x.n, func(s dom.Node) bool { return e.Text() >= s.Text() })
		})
	})
	given := either(c.has("StartDateTime"), c.has("EndDateTime"))
	payeeName, payeeID, payeeLegal := c.path("Name"), c.path("ID"), c.path("SpecifiedLegalOrganization/ID")
	sellerName, sellerID, sellerLegal := c.path(ciiAgreement+"/SellerTradeParty/Name"), c.path(ciiAgreement+"/SellerTradeParty/ID"), c.path(ciiAgreement+"/SellerTradeParty/SpecifiedLegalOrganization/ID")
	prefixes := codeList("cii-vat-prefix")
	seller, buyer := ciiAgreement+"/SellerTradeParty", ciiAgreement+"/BuyerTradeParty"
	return []*context{
		c.on("DesignatedProductClassification", must("BR-65", either(c.filled("ClassCode@listID"), c.hasNot("ClassCode")))),
		c.on("AdditionalReferencedDocument", must("BR-52", c.filled("IssuerAssignedID"))),
		c.on("ApplicableTradeSettlementFinancialCard", must("BR-51", func(x *eval) bool { return runes(normalize(card.string(x, x.n))) <= 10 })),
		c.on("SpecifiedTradeSettlementPaymentMeans[TypeCode=30]/PayeePartyCreditorFinancialAccount|SpecifiedTradeSettlementPaymentMeans[TypeCode=58]/PayeePartyCreditorFinancialAccount",
			must("BR-50", either(c.filled("IBANID"), c.filled("ProprietaryID"))), must("BR-61", either(c.has("IBANID"), c.has("ProprietaryID")))),
		c.on(ciiDelivery, must("BR-57", either(c.hasNot("ShipToTradeParty/PostalTradeAddress"), c.filled("ShipToTradeParty/PostalTradeAddress/CountryID")))),
		c.on("ApplicableHeaderTradeSettlement/SpecifiedTradeAllowanceCharge/ChargeIndicator[Indicator=false]",
			must("BR-31", c.has("../ActualAmount")), must("BR-32", c.has("../CategoryTradeTax[VAT]/CategoryCode")), must("BR-33", reason), must("BR-CO-05", always),
			must("BR-CO-21", reason), must("BR-DEC-01", c.twoDecimals("../ActualAmount[1]")), must("BR-DEC-02", c.twoDecimals("../BasisAmount"))),
		c.on("ApplicableHeaderTradeSettlement/SpecifiedTradeAllowanceCharge/ChargeIndicator[Indicator=true]",
			must("BR-36", c.has("../ActualAmount")), must("BR-37", c.has("../CategoryTradeTax[VAT]/CategoryCode")), must("BR-38", reason), must("BR-CO-06", always),
			must("BR-CO-22", reason), must("BR-DEC-05", c.twoDecimals("../ActualAmount[1]")), must("BR-DEC-06", c.twoDecimals("../BasisAmount"))),
		c.on("SpecifiedTradeSettlementHeaderMonetarySummation",
			must("BR-12", c.has("LineTotalAmount")), must("BR-13", c.has("TaxBasisTotalAmount")), must("BR-14", c.has("GrandTotalAmount")), must("BR-15", c.has("DuePayableAmount")),
			must("BR-53", c.ciiTaxCurrency()), must("BR-CO-10", c.ciiSumOfLines()),
			must("BR-CO-11", c.ciiSumOfCharges("AllowanceTotalAmount", "F", "BT-107", "Σ BT-92")), must("BR-CO-12", c.ciiSumOfCharges("ChargeTotalAmount", "T", "BT-108", "Σ BT-99")),
			must("BR-CO-13", c.ciiWithoutVAT()), must("BR-CO-16", c.ciiAmountDue()),
			must("BR-DEC-09", c.twoDecimals("LineTotalAmount")), must("BR-DEC-10", c.twoDecimals("AllowanceTotalAmount")), must("BR-DEC-11", c.twoDecimals("ChargeTotalAmount")),
			must("BR-DEC-12", c.twoDecimals("TaxBasisTotalAmount")), must("BR-DEC-14", c.twoDecimals("GrandTotalAmount")),
			must("BR-DEC-13", c.ciiTaxDecimals("InvoiceCurrencyCode", func(currency bool, known bool) bool { return !currency })),
			must("BR-DEC-15", c.ciiTaxDecimals("TaxCurrencyCode", func(currency bool, known bool) bool { return !known })),
			must("BR-DEC-16", c.twoDecimals("TotalPrepaidAmount")), must("BR-DEC-17", c.twoDecimals("RoundingAmount")), must("BR-DEC-18", c.twoDecimals("DuePayableAmount"))),
		c.on("/", append([]assert{
			must("BR-01", c.filled("ExchangedDocumentContext/GuidelineSpecifiedDocumentContextParameter/ID")), must("BR-02", c.filled("ExchangedDocument/ID")),
			must("BR-03", c.filled("ExchangedDocument/IssueDateTime/DateTimeString[@format=102]")), must("BR-04", c.filled("ExchangedDocument/TypeCode")),
			must("BR-05", c.filled(ciiSettlement+"/InvoiceCurrencyCode")), must("BR-06", c.filled(seller+"/Name")), must("BR-07", c.filled(buyer+"/Name")),
			must("BR-08", c.has(seller+"/PostalTradeAddress")), must("BR-09", c.filled(seller+"/PostalTradeAddress/CountryID")),
			must("BR-10", c.has(buyer+"/PostalTradeAddress")), must("BR-11", c.filled(buyer+"/PostalTradeAddress/CountryID")),
			must("BR-16", c.has("//IncludedSupplyChainTradeLineItem")),
			must("BR-62", either(c.hasNot(seller+"/URIUniversalCommunication"), c.filled(seller+"/URIUniversalCommunication/URIID@schemeID[1]"))),
			must("BR-63", either(c.hasNot(buyer+"/URIUniversalCommunication"), c.filled(buyer+"/URIUniversalCommunication/URIID@schemeID[1]"))),
			must("BR-CO-15", c.ciiWithVAT()),
		}, ciiCategoryUse(c)...)...),
		c.on("IncludedSupplyChainTradeLineItem",
			must("BR-21", c.filled("AssociatedDocumentLineDocument/LineID")), must("BR-22", c.has("SpecifiedLineTradeDelivery/BilledQuantity")),
			must("BR-23", c.has("SpecifiedLineTradeDelivery/BilledQuantity@unitCode")), must("BR-24", c.has("SpecifiedLineTradeSettlement/"+ciiLineTotal)),
			must("BR-25", c.filled("SpecifiedTradeProduct/Name")), must("BR-26", c.has("SpecifiedLineTradeAgreement/NetPriceProductTradePrice/ChargeAmount")),
			must("BR-27", c.number("SpecifiedLineTradeAgreement/NetPriceProductTradePrice/ChargeAmount", notNegative)),
			must("BR-28", either(c.hasNot("SpecifiedLineTradeAgreement/GrossPriceProductTradePrice/ChargeAmount"), c.number("SpecifiedLineTradeAgreement/GrossPriceProductTradePrice/ChargeAmount", notNegative))),
			must("BR-64", either(c.hasNot("SpecifiedTradeProduct/GlobalID"), c.filled("SpecifiedTradeProduct/GlobalID@schemeID"))),
			must("BR-CO-04", c.has("SpecifiedLineTradeSettlement/ApplicableTradeTax[VAT]/CategoryCode")),
			must("BR-CO-18", c.has(ciiSettlement+"/ApplicableTradeTax")), must("BR-DEC-23", c.twoDecimals("SpecifiedLineTradeSettlement/"+ciiLineTotal))),
		c.on("SpecifiedLineTradeSettlement/SpecifiedTradeAllowanceCharge/ChargeIndicator[Indicator=false]",
			must("BR-41", c.has("../ActualAmount")), must("BR-42", reason), must("BR-CO-07", always), must("BR-CO-23", reason),
			must("BR-DEC-24", c.twoDecimals("../ActualAmount[1]")), must("BR-DEC-25", c.twoDecimals("../BasisAmount"))),
		c.on("SpecifiedLineTradeSettlement/SpecifiedTradeAllowanceCharge/ChargeIndicator[Indicator=true]",
			must("BR-43", c.has("../ActualAmount")), must("BR-44", reason), must("BR-CO-08", always), must("BR-CO-24", reason),
			must("BR-DEC-27", c.twoDecimals("../ActualAmount[1]")), must("BR-DEC-28", c.twoDecimals("../BasisAmount"))),
		c.on("SpecifiedLineTradeSettlement/BillingSpecifiedPeriod", must("BR-30", period), must("BR-CO-20", given)),
		c.on("ApplicableHeaderTradeSettlement/BillingSpecifiedPeriod", must("BR-29", period), must("BR-CO-19", given)),
		c.on("ApplicableProductCharacteristic", must("BR-54", all(c.has("Description"), c.has("Value")))),
		c.on("PayeeTradeParty", must("BR-17", func(x *eval) bool {
			return payeeName.find(x, x.n).Valid() && !share(x, payeeName, sellerName) && !share(x, payeeID, sellerID) && !share(x, payeeLegal, sellerLegal)
		})),
		c.on("SpecifiedTradeSettlementPaymentMeans", must("BR-49", c.has("TypeCode"))),
		c.on(ciiSettlement+"/InvoiceReferencedDocument", must("BR-55", c.filled("IssuerAssignedID"))),
		c.on("SellerTradeParty", must("BR-CO-26", either(c.has("ID"), c.has("GlobalID"), c.has("SpecifiedLegalOrganization/ID"), c.has("SpecifiedTaxRegistration/ID[@schemeID=VA]")))),
		c.on("SellerTaxRepresentativeTradeParty", must("BR-18", c.filled("Name")), must("BR-19", c.has("PostalTradeAddress")),
			must("BR-20", c.filled("PostalTradeAddress/CountryID")), must("BR-56", c.filled("SpecifiedTaxRegistration/ID[@schemeID=VA]"))),
		c.on("SpecifiedTradeSettlementHeaderMonetarySummation/TaxTotalAmount", must("BR-CO-14", c.ciiSumOfTaxes())).where(c.inInvoiceCurrency()),
		c.on("SpecifiedTaxRegistration/ID[@schemeID=VA]", must("BR-CO-09", func(x *eval) bool { return prefixes[prefix2(x.n.Text())] })),
	}
}

func (c *vocabulary) ciiTaxCurrency() test {
	taxCurrency, currency, totals := c.path(ciiSettlement+"/TaxCurrencyCode"), c.path(ciiSettlement+"/InvoiceCurrencyCode"), c.path("TaxTotalAmount")
	return func(x *eval) bool {
		if !taxCurrency.find(x, x.root).Valid() {
			return true
		}
		return !share(x, taxCurrency, currency) && totals.walk(x, x.n, func(a dom.Node) bool {
			return taxCurrency.walk(x, x.n, func(t dom.Node) bool { return amountIn(a, t.Text()) })
		})
	}
}

func (c *vocabulary) ciiSumOfLines() test {
	stated, lines := c.path("LineTotalAmount"), c.path("../../IncludedSupplyChainTradeLineItem/SpecifiedLineTradeSettlement/"+ciiLineTotal)
	return func(x *eval) bool {
		var sum doubleSum
		lines.walk(x, x.n, func(n dom.Node) bool { sum.add(n); return false })
		return x.equal(stated.value(x, x.n), "BT-106", sum.decimal(), "Σ BT-131")
	}
}

func (c *vocabulary) ciiSumOfCharges(total, kind, name, terms string) test {
	stated, charges, amount := c.path(total), c.path(ciiSettlement+"/SpecifiedTradeAllowanceCharge["+kind+"]"), c.path("ActualAmount")
	return func(x *eval) bool {
		var sum doubleSum
		any := false
		charges.walk(x, x.n, func(a dom.Node) bool {
			any = true
			if v := amount.find(x, a); v.Valid() {
				sum.add(v)
			}
			return false
		})
		if !any && !stated.find(x, x.n).Valid() {
			return true
		}
		return x.someEqual(stated, name, sum.cents(), terms)
	}
}

func (c *vocabulary) ciiWithoutVAT() test {
	stated, lines := c.path("TaxBasisTotalAmount"), c.path("LineTotalAmount")
	allowances, charges := c.path("AllowanceTotalAmount"), c.path("ChargeTotalAmount")
	return func(x *eval) bool {
		sum, terms := lines.firstValue(x, x.n), "BT-106"
		if n := allowances.find(x, x.n); n.Valid() {
			sum, terms = sum.Sub(decimal.Read(n.Text())), terms+" - BT-107"
		}
		if n := charges.find(x, x.n); n.Valid() {
			sum, terms = sum.Add(decimal.Read(n.Text())), terms+" + BT-108"
		}
		return x.equal(stated.firstValue(x, x.n), "BT-109", sum.Round(2), terms)
	}
}

func (c *vocabulary) ciiAmountDue() test {
	due, with, paid, rounding := c.path("DuePayableAmount"), c.path("GrandTotalAmount"), c.path("TotalPrepaidAmount"), c.path("RoundingAmount")
	return func(x *eval) bool {
		sum, terms := with.firstValue(x, x.n), "BT-112"
		if n := paid.find(x, x.n); n.Valid() {
			sum, terms = sum.Sub(decimal.Read(n.Text())), terms+" - BT-113"
		}
		if n := rounding.find(x, x.n); n.Valid() {
			sum, terms = sum.Add(decimal.Read(n.Text())), terms+" + BT-114"
		}
		return x.equal(due.firstValue(x, x.n), "BT-115", sum, terms)
	}
}

// amountIn reports whether an amount names a currency, be it an empty one.
func amountIn(a dom.Node, currency string) bool {
	own, ok := a.AttrNS("", "currencyID")
	return ok && own == currency
}

// ciiTaxDecimals: some total is a number of two decimals in the currency, or one that the rule lets pass.
func (c *vocabulary) ciiTaxDecimals(code string, pass func(currency, known bool) bool) test {
	totals, currency := c.path("TaxTotalAmount"), c.path(ciiSettlement+"/"+code)
	return func(x *eval) bool {
		if !totals.find(x, x.n).Valid() {
			return true
		}
		known := currency.find(x, x.n).Valid()
		return totals.walk(x, x.n, func(a dom.Node) bool {
			in := currency.walk(x, x.n, func(c dom.Node) bool { return amountIn(a, c.Text()) })
			return in && inCents(a.Text()) || pass(in, known)
		})
	}
}

func (c *vocabulary) ciiWithVAT() test {
	currency, taxes := c.path(ciiSettlement+"/InvoiceCurrencyCode"), c.path(ciiTotals+"/TaxTotalAmount")
	with, without := c.path(ciiTotals+"/GrandTotalAmount"), c.path(ciiTotals+"/TaxBasisTotalAmount")
	return func(x *eval) bool {
		return !currency.walk(x, x.n, func(cur dom.Node) bool {
			k, tax := 0, decimal.NaN
			taxes.walk(x, x.n, func(a dom.Node) bool {
				if amountIn(a, cur.Text()) {
					if k++; k == 1 {
						tax = decimal.Read(a.Text())
					}
				}
				return false
			})
			w, o := with.firstValue(x, x.n), without.firstValue(x, x.n)
			if w.Equal(o) || k == 1 && w.Equal(o.Add(tax).Round(2)) {
				return false
			}
			if k != 1 {
				x.note = "the currency is " + edocument.Clip(cur.Text()) + ", VAT totals in it: " + decimal.New(int64(k), 0).String()
				x.fix = "Give exactly one VAT total (BT-110) in the currency of the invoice (BT-5)."
				return true
			}
			return !x.explain(w, "BT-112", o.Add(tax).Round(2), "BT-109 + BT-110")
		})
	}
}

func (c *vocabulary) inInvoiceCurrency() test {
	currency := c.path(ciiSettlement + "/InvoiceCurrencyCode")
	return func(x *eval) bool {
		own, ok := x.n.AttrNS("", "currencyID")
		return ok && currency.walk(x, x.n, func(n dom.Node) bool { return n.Text() == own })
	}
}

func (c *vocabulary) ciiSumOfTaxes() test {
	own, taxes := c.path("."), c.path(ciiSettlement+"/ApplicableTradeTax/CalculatedAmount")
	return func(x *eval) bool {
		var sum doubleSum
		taxes.walk(x, x.n, func(n dom.Node) bool { sum.add(n); return false })
		return x.someEqual(own, "BT-110", sum.cents(), "Σ BT-117")
	}
}

func (c *vocabulary) ciiCodes() []*context {
	inside := func(names ...string) test {
		var codes []uint16
		for _, n := range names {
			codes = append(codes, c.code(n))
		}
		return func(x *eval) bool {
			for n := x.n.Parent(); n.Kind() == dom.ElementNode; n = n.Parent() {
				for _, code := range codes {
					if x.code(n) == code {
						return true
					}
				}
			}
			return false
		}
	}
	return []*context{
		c.on("ExchangedDocument/TypeCode", must("BR-CL-01", oneOf("cii-type", ""))),
		c.on("TaxTotalAmount[@currencyID]", must("BR-CL-03", oneOf("currency", "currencyID"))),
		c.on("InvoiceCurrencyCode", must("BR-CL-04", oneOf("currency", ""))),
		c.on("TaxCurrencyCode", must("BR-CL-05", oneOf("currency", ""))),
		c.on("DueDateTypeCode", must("BR-CL-06", oneOf("cii-vat-point", ""))),
		c.on("ReferenceTypeCode", must("BR-CL-07", oneOf("object-scheme", ""))),
		c.on("SubjectCode", must("BR-CL-08", oneOf("cii-note-subject", ""))),
		c.on("GlobalID[@schemeID]", must("BR-CL-10", oneOf("identifier-scheme", "schemeID"))).where(not(inside("SpecifiedTradeProduct", "ShipToTradeParty"))),
		c.on("ID[@schemeID]", must("BR-CL-11", oneOf("identifier-scheme", "schemeID"))).where(not(inside("SpecifiedTaxRegistration"))),
		c.on("ClassCode[@listID]", must("BR-CL-13", oneOf("item-classification", "listID"))),
		c.on("CountryID", must("BR-CL-14", oneOf("cii-country", ""))),
		c.on("OriginTradeCountry/ID", must("BR-CL-15", oneOf("cii-country", ""))),
		c.on("SpecifiedTradeSettlementPaymentMeans/TypeCode", must("BR-CL-16", oneOf("payment-means", ""))),
		c.on("CategoryTradeTax/CategoryCode", must("BR-CL-17", oneOf("vat-category", ""))),
		c.on("ApplicableTradeTax/CategoryCode", must("BR-CL-18", oneOf("vat-category", ""))),
		c.on("SpecifiedTradeAllowanceCharge[F]/ReasonCode", must("BR-CL-19", oneOf("allowance-reason", ""))),
		c.on("SpecifiedTradeAllowanceCharge[T]/ReasonCode", must("BR-CL-20", oneOf("charge-reason", ""))),
		c.on("SpecifiedTradeProduct/GlobalID[@schemeID]", must("BR-CL-21", oneOf("identifier-scheme", "schemeID"))),
		c.on("ExemptionReasonCode", must("BR-CL-22", exemptionCode)),
		c.on("BasisQuantity[@unitCode]|BilledQuantity[@unitCode]", must("BR-CL-23", oneOf("unit", "unitCode"))),
		c.on("AttachmentBinaryObject[@mimeCode]", must("BR-CL-24", mediaType)),
		c.on("URIUniversalCommunication/URIID[@schemeID]", must("BR-CL-25", oneOf("address-scheme", "schemeID"))),
		c.on("ApplicableHeaderTradeDelivery/ShipToTradeParty/GlobalID[@schemeID]", must("BR-CL-26", oneOf("identifier-scheme", "schemeID"))),
	}
}

// suffix makes a form of names.
func suffix(s string, except ...string) func(string) bool {
	return func(local string) bool { return strings.HasSuffix(local, s) && !among(local, except) }
}
