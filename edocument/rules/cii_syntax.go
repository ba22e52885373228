package rules

import (
	"regexp"
	"strings"

	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

var basicDate = regexp.MustCompile(`^\s*\d{4}(1[0-2]|0[1-9])(3[01]|[12][0-9]|0[1-9])\s*$`)

// absent makes a list of asserts from words "id path": nothing has the path.
func (c *vocabulary) absent(flag edocument.Severity, list string) []assert {
	var out []assert
	f := strings.Fields(list)
	for i := 0; i+1 < len(f); i += 2 {
		out = append(out, assert{id: f[i], flag: flag, holds: c.hasNot(f[i+1]), rule: absentRule(f[i+1])})
	}
	return out
}

func (c *vocabulary) ciiSyntax() []*context {
	most := func(id string, flag edocument.Severity, p string) assert {
		return assert{id: id, flag: flag, holds: c.atMost(1, p)}
	}
	both := func(p string) test { return not(all(c.has(p+"/ID"), c.has(p+"/GlobalID"))) }
	const f, w = edocument.Fatal, edocument.Warning
	var totals []assert
	for i, name := range strings.Fields(`LineTotalAmount ChargeTotalAmount AllowanceTotalAmount TaxBasisTotalAmount RoundingAmount GrandTotalAmount
		InformationAmount TotalPrepaidAmount TotalDiscountAmount TotalAllowanceChargeAmount DuePayableAmount RetailValueExcludingTaxInformationAmount
		TotalDepositFeeInformationAmount ProductValueExcludingTobaccoTaxInformationAmount TotalRetailValueInformationAmount GrossLineTotalAmount
		NetLineTotalAmount NetIncludingTaxesLineTotalAmount`) {
		totals = append(totals, most("CII-SR-4"+string(rune('0'+(77+i)/10))+string(rune('0'+(77+i)%10)), f, name))
	}
	additional := c.code("AdditionalReferencedDocument")
	supporting := func(types ...string) test {
		is := c.is("TypeCode", types...)
		return func(x *eval) bool { return x.code(x.n) == additional && is(x) }
	}
	invoiceReference, tax, settlement := c.code("InvoiceReferencedDocument"), c.code("ApplicableTradeTax"), c.code("ApplicableHeaderTradeSettlement")
	isTax := func(x *eval) bool { return x.code(x.n) == tax }
	inHeader := func(x *eval) bool {
		for n := x.n.Parent(); n.Kind() == dom.ElementNode; n = n.Parent() {
			if x.code(n) == settlement {
				return true
			}
		}
		return false
	}
	discount := "GrossPriceProductTradePrice/AppliedTradeAllowanceCharge"
	means := "SpecifiedTradeSettlementPaymentMeans"
	references := append(c.absent(f, `CII-DT-016 StatusCode CII-DT-017 CopyIndicator CII-DT-019 GlobalID CII-DT-020 RevisionID CII-DT-023 Information
		CII-DT-025 SectionName CII-DT-026 PreviousRevisionID CII-DT-028 EffectiveSpecifiedPeriod CII-DT-029 IssuerTradeParty CII-DT-030 AttachedSpecifiedBinaryFile`),
		must("CII-DT-015", either(c.hasNot("URIID"), supporting("916"))), must("CII-DT-018", either(c.hasNot("TypeCode"), supporting("50", "130", "916"))),
		must("CII-DT-021", either(c.hasNot("Name"), supporting("916"))), must("CII-DT-022", either(c.hasNot("AttachmentBinaryObject"), supporting("916"))),
		must("CII-DT-024", either(c.hasNot("ReferenceTypeCode"), supporting("130"))),
		must("CII-DT-027", either(c.hasNot("FormattedIssueDateTime"), func(x *eval) bool { return x.code(x.n) == invoiceReference })))
	taxes := append(c.absent(w, `CII-DT-038 CalculatedRate CII-DT-039 CalculationSequenceNumeric CII-DT-040 BasisQuantity CII-DT-042 UnitBasisAmount
		CII-DT-043 LineTotalBasisAmount CII-DT-044 AllowanceChargeBasisAmount CII-DT-049 CurrencyCode CII-DT-050 Jurisdiction CII-DT-051 CustomsDutyIndicator
		CII-DT-053 TaxBasisAllowanceRate CII-DT-055 Type CII-DT-056 InformationAmount CII-DT-057 CategoryName CII-DT-059 RateApplicablePercent@format
		CII-DT-060 SpecifiedTradeAccountingAccount CII-DT-061 ServiceSupplyTradeCountry CII-DT-062 BuyerRepayableTaxSpecifiedTradeAccountingAccount
		CII-DT-063 SellerPayableTaxSpecifiedTradeAccountingAccount CII-DT-064 SellerRefundableTaxSpecifiedTradeAccountingAccount
		CII-DT-065 BuyerDeductibleTaxSpecifiedTradeAccountingAccount CII-DT-066 BuyerNonDeductibleTaxSpecifiedTradeAccountingAccount CII-DT-067 PlaceApplicableTradeLocation`),
		must("CII-DT-037", either(c.hasNot("TypeCode"), c.is("TypeCode", "VAT"))), should("CII-DT-041", either(c.hasNot("BasisAmount"), inHeader)),
		should("CII-DT-052", either(c.hasNot("ExemptionReasonCode"), isTax)), should("CII-DT-098", either(c.hasNot("ExemptionReason"), isTax)),
		should("CII-DT-054", either(c.hasNot("TaxPointDate"), inHeader)), should("CII-DT-058", either(c.hasNot("DueDateTypeCode"), inHeader)))
	aggregate := func(x *eval) bool { return x.n.Space() == nsRAM }
	types := c.absent(f, "CII-DT-010 @listID CII-DT-011 @listAgencyID CII-DT-012 @listVersionID") // never asked: the context before matches first
	contexts := []*context{
		c.on(means, c.absent(w, "CII-SR-464 PayerSpecifiedDebtorFinancialInstitution")...),
		c.on("/ExchangedDocumentContext", most("CII-SR-003", w, "BusinessProcessSpecifiedDocumentContextParameter"),
			must("CII-SR-009", c.exactly(1, "GuidelineSpecifiedDocumentContextParameter")), must("CII-SR-010", c.exactly(1, "GuidelineSpecifiedDocumentContextParameter/ID"))),
		c.on("/ExchangedDocument", must("CII-SR-014", c.exactly(1, "TypeCode"))),
		c.on("/ExchangedDocument/IncludedNote", most("CII-SR-030", w, "Content")),
		c.on(ciiLines+"/AssociatedDocumentLineDocument", most("CII-SR-039", w, "IncludedNote"), most("CII-SR-040", w, "IncludedNote/Content")),
		c.on(ciiLines+"/SpecifiedTradeProduct", must("CII-SR-046", either(c.hasNot("GlobalID"), c.has("GlobalID@schemeID"))),
			must("CII-SR-090", either(c.hasNot("OriginTradeCountry"), c.exactly(1, "OriginTradeCountry/ID")))),
		c.on(ciiLines+"/SpecifiedTradeProduct/ApplicableProductCharacteristic", must("CII-SR-069", c.exactly(1, "Description")), must("CII-SR-072", c.exactly(1, "Value"))),
		c.on(ciiLines+"/SpecifiedLineTradeAgreement", must("CII-SR-439", c.exactly(1, "NetPriceProductTradePrice/ChargeAmount")),
			should("CII-SR-119", either(all(c.has(discount+"[F]"), c.has(discount+"/ActualAmount")), all(c.hasNot(discount+"/ChargeIndicator"), c.hasNot(discount+"/ActualAmount")))),
			most("CII-SR-441", f, "NetPriceProductTradePrice/ChargeAmount")),
		c.on("SpecifiedTradeAllowanceCharge", must("CII-SR-463", c.has("ChargeIndicator")), most("CII-SR-471", f, "RateApplicablePercent"),
			most("CII-SR-472", f, "CategoryTradeTax"), most("CII-SR-473", f, "ActualAmount")),
		c.on(discount, most("CII-SR-440", f, "ActualAmount")),
		c.on(ciiLines+"/SpecifiedLineTradeSettlement", should("CII-SR-454", c.exactly(1, "ApplicableTradeTax")), most("CII-SR-474", w, "AdditionalReferencedDocument[TypeCode~130]")),
		c.on(ciiAgreement, should("CII-SR-450", both("BuyerTradeParty")), most("CII-SR-455", f, "SellerTradeParty/DefinedTradeContact"), most("CII-SR-456", f, "BuyerTradeParty/DefinedTradeContact"),
			most("CII-SR-457", w, "AdditionalReferencedDocument[TypeCode=50]"), most("CII-SR-458", w, "AdditionalReferencedDocument[TypeCode=130]"),
			most("CII-SR-459", f, "SellerTradeParty/URIUniversalCommunication"), most("CII-SR-460", f, "BuyerTradeParty/URIUniversalCommunication"),
			should("CII-SR-465", not(all(c.has("SellerTradeParty/DefinedTradeContact/PersonName"), c.has("SellerTradeParty/DefinedTradeContact/DepartmentName")))),
			should("CII-SR-466", not(all(c.has("BuyerTradeParty/DefinedTradeContact/PersonName"), c.has("BuyerTradeParty/DefinedTradeContact/DepartmentName")))),
			most("CII-SR-475", w, "AdditionalReferencedDocument[TypeCode~916]/Name"), most("CII-SR-476", w, "AdditionalReferencedDocument[TypeCode~916]/AttachmentBinaryObject")),
		c.on(ciiDelivery, should("CII-SR-449", both("ShipToTradeParty"))),
		c.on(ciiSettlement, should("CII-SR-451", both("PayeeTradeParty")), most("CII-SR-452", w, "SpecifiedTradePaymentTerms"), most("CII-SR-453", w, "SpecifiedTradePaymentTerms/Description"),
			most("CII-SR-461", f, "ApplicableTradeTax/TaxPointDate"), must("CII-SR-462", c.distinct("//ApplicableTradeTax/DueDateTypeCode")),
			must("CII-SR-470", all(c.accounted(means+"[TypeCode~30]"), c.accounted(means+"[TypeCode~58]")))),
		c.on(ciiTotals, totals...),
		c.on("/", must("CII-SR-467", c.alike("//"+means+"/TypeCode")), must("CII-SR-468", c.alike("//"+means+"/Information")), most("CII-SR-469", f, "//ApplicableHeaderTradeSettlement/PaymentReference")),
		named(suffix("DocumentContextParameter"), c.absent(w, "CII-SR-04 Value CII-SR-05 SpecifiedDocumentVersion")...),
		c.on("/ExchangedDocumentContext/GuidelineSpecifiedDocumentContextParameter/ID|/ExchangedDocument/ID|"+ciiLines+"/AssociatedDocumentLineDocument/LineID|"+ciiLines+"/SpecifiedTradeProduct/SellerAssignedID",
			c.absent(f, "CII-DT-001 @schemeName CII-DT-002 @schemeAgencyName CII-DT-003 @schemeDataURI CII-DT-004 @schemeURI CII-DT-005 @schemeID CII-DT-006 @schemeAgencyID CII-DT-007 @schemeVersionID")...),
		named(suffix("ID"), c.absent(f, "CII-DT-101 @schemeName CII-DT-102 @schemeAgencyName CII-DT-103 @schemeDataURI CII-DT-104 @schemeURI")...).where(aggregate),
		c.on("TypeCode", c.absent(f, "CII-DT-008 @name CII-DT-009 @listURI")...),
		c.on("/ExchangedDocument/TypeCode", types...),
		named(suffix("ReferencedDocument"), references...).where(aggregate),
		named(suffix("Amount", "TaxTotalAmount"), c.absent(f, "CII-DT-031 @currencyID CII-DT-032 @currencyCodeListVersionID")...).where(aggregate),
		named(suffix("Quantity"), append(c.absent(f, "CII-DT-034 @unitCodeListID CII-DT-035 @unitCodeListAgencyID CII-DT-036 @unitCodeListAgencyName"),
			must("CII-DT-033", either(c.hasNot("@unitCode"), c.has(ciiLines+"/SpecifiedLineTradeDelivery/BilledQuantity@unitCode"))))...).where(aggregate),
		named(suffix("TradeTax"), taxes...).where(aggregate),
		c.on("BillingSpecifiedPeriod", c.absent(f, `CII-DT-068 StartDateTime/DateTime CII-DT-069 DurationMeasure CII-DT-070 InclusiveIndicator CII-DT-071 Description
			CII-DT-072 EndDateTime/DateTime CII-DT-073 CompleteDateTime CII-DT-074 OpenIndicator CII-DT-075 SeasonCode CII-DT-076 ID CII-DT-077 Name CII-DT-078 SequenceNumeric
			CII-DT-079 StartDateFlexibilityCode CII-DT-080 ContinuousIndicator CII-DT-081 PurposeCode`)...),
		c.on("PostalTradeAddress", c.absent(f, `CII-DT-082 ID CII-DT-083 PostOfficeBox CII-DT-084 BuildingName CII-DT-086 LineFour CII-DT-087 LineFive CII-DT-088 StreetName
			CII-DT-089 CitySubDivisionName CII-DT-090 CountryName CII-DT-091 CountrySubDivisionID CII-DT-092 AttentionOf CII-DT-093 CareOf CII-DT-094 BuildingNumber
			CII-DT-095 DepartmentName CII-DT-096 AdditionalStreetName`)...),
		c.on("DateTimeString[@format=102]", must("CII-DT-097", func(x *eval) bool { return basicDate.MatchString(x.n.Text()) })),
	}
	return contexts
}

// accounted: every group of the path names an account.
func (c *vocabulary) accounted(p string) test {
	groups, iban, other := c.path(p), c.path("PayeePartyCreditorFinancialAccount/IBANID"), c.path("PayeePartyCreditorFinancialAccount/ProprietaryID")
	return func(x *eval) bool {
		return !groups.walk(x, x.n, func(g dom.Node) bool { return !iban.find(x, g).Valid() && !other.find(x, g).Valid() })
	}
}

// alike: all nodes of the path have one text apart from white space.
func (c *vocabulary) alike(p string) test {
	q := c.path(p)
	return func(x *eval) bool {
		first := normalize(q.find(x, x.n).Text())
		return !q.walk(x, x.n, func(n dom.Node) bool { return normalize(n.Text()) != first })
	}
}
