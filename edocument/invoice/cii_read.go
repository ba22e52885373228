package invoice

import (
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// pointCodes turn the VAT point date codes of CII, from UNTDID 2475, into those of UBL, from UNTDID 2005.
var pointCodes = [][2]string{{"5", "3"}, {"29", "35"}, {"72", "432"}}

func readCII(root dom.Node) *Invoice {
	i := &Invoice{Syntax: CII}
	x, d, t := kid(root, "ExchangedDocumentContext"), kid(root, "ExchangedDocument"), kid(root, "SupplyChainTradeTransaction")
	a, l, s := kid(t, "ApplicableHeaderTradeAgreement"), kid(t, "ApplicableHeaderTradeDelivery"), kid(t, "ApplicableHeaderTradeSettlement")
	i.Process, i.Specification = text(x, "BusinessProcessSpecifiedDocumentContextParameter/ID"), text(x, "GuidelineSpecifiedDocumentContextParameter/ID")
	i.Number, i.TypeCode, i.IssueDate = text(d, "ID"), text(d, "TypeCode"), i.ciiDate("BT-2", at(d, "IssueDateTime/DateTimeString"))
	for _, n := range kids(d, "IncludedNote") {
		i.Notes = append(i.Notes, Note{text(n, "SubjectCode"), text(n, "Content")})
	}
	i.Currency, i.TaxCurrency = text(s, "InvoiceCurrencyCode"), text(s, "TaxCurrencyCode")
	i.BuyerReference, i.Project, i.Contract = text(a, "BuyerReference"), text(a, "SpecifiedProcuringProject/ID"), text(a, "ContractReferencedDocument/IssuerAssignedID")
	i.PurchaseOrder, i.SalesOrder = text(a, "BuyerOrderReferencedDocument/IssuerAssignedID"), text(a, "SellerOrderReferencedDocument/IssuerAssignedID")
	i.ReceivingAdvice, i.DespatchAdvice = text(l, "ReceivingAdviceReferencedDocument/IssuerAssignedID"), text(l, "DespatchAdviceReferencedDocument/IssuerAssignedID")
	i.BuyerAccounting = text(s, "ReceivableSpecifiedTradeAccountingAccount/ID")
	for _, n := range kids(s, "SpecifiedTradePaymentTerms") {
		if i.PaymentTerms.Value == "" {
			i.PaymentTerms = text(n, "Description")
		}
		if i.DueDate.Value == "" {
			i.DueDate = i.ciiDate("BT-9", at(n, "DueDateDateTime/DateTimeString"))
		}
	}
	for _, n := range kids(a, "AdditionalReferencedDocument") {
		switch text(n, "TypeCode").Value {
		case "50":
			i.Tender = text(n, "IssuerAssignedID")
		case "130":
			i.Object = ciiObject(n)
		default:
			i.Documents = append(i.Documents, ciiDocument(n))
		}
	}
	for _, n := range kids(s, "InvoiceReferencedDocument") {
		i.Preceding = append(i.Preceding, Preceding{text(n, "IssuerAssignedID"), i.ciiDate("BT-26", at(n, "FormattedIssueDateTime/DateTimeString"))})
	}
	i.Seller, i.Buyer = ciiParty(kid(a, "SellerTradeParty")), ciiParty(kid(a, "BuyerTradeParty"))
	i.Buyer.IDs = i.Buyer.IDs[:min(1, len(i.Buyer.IDs))] // BT-46 and BT-60 are one each
	if n := kid(s, "PayeeTradeParty"); n.Valid() {
		p := ciiParty(n)
		p.IDs = p.IDs[:min(1, len(p.IDs))]
		i.Payee = &p
	}
	if n := kid(a, "SellerTaxRepresentativeTradeParty"); n.Valid() {
		p := ciiParty(n)
		i.TaxRepresentative = &p
	}
	i.ciiDelivery(l)
	i.Period = i.ciiPeriod(kid(s, "BillingSpecifiedPeriod"), "BT-73", "BT-74")
	i.ciiPayment(s)
	i.Allowances, i.Charges = i.charges("BG-20", kids(s, "SpecifiedTradeAllowanceCharge"), "ChargeIndicator/Indicator", ciiCharge)
	i.ciiTotals(s)
	for _, n := range kids(t, "IncludedSupplyChainTradeLineItem") {
		i.Lines = append(i.Lines, i.ciiLine(n))
	}
	return i
}

// ciiDate reads a day of format 102, which is YYYYMMDD.
func (i *Invoice) ciiDate(term string, n dom.Node) Date {
	if !n.Valid() {
		return Date{}
	}
	s := n.TrimmedText()
	day, err := time.Parse("20060102", s)
	if format := strings.Trim(n.Attr("format"), " \t\r\n"); err != nil || format != "102" && format != "" {
		i.problem(term, "is no date of format 102, such as 20260417", n)
		return Date{s, n}
	}
	return Date{day.Format(time.DateOnly), n}
}

// ciiObject reads BT-18 and BT-128.
func ciiObject(n dom.Node) Identifier {
	id := ident(at(n, "IssuerAssignedID"))
	id.Scheme = text(n, "ReferenceTypeCode").Value
	return id
}

func ciiDocument(n dom.Node) Document {
	d := Document{Reference: text(n, "IssuerAssignedID"), Description: text(n, "Name"), Location: text(n, "URIID")}
	if b := kid(n, "AttachmentBinaryObject"); b.Valid() {
		d.Attachment = &Binary{b.TrimmedText(), b.Attr("mimeCode"), b.Attr("filename"), b}
	}
	return d
}

func ciiParty(n dom.Node) Party {
	legal := kid(n, "SpecifiedLegalOrganization")
	p := Party{Node: n, Name: text(n, "Name"), TradingName: text(legal, "TradingBusinessName"), Registration: ident(at(legal, "ID")),
		LegalInformation: text(n, "Description"), Endpoint: ident(at(n, "URIUniversalCommunication/URIID"))}
	for _, name := range [2]string{"ID", "GlobalID"} {
		for _, id := range kids(n, name) {
			p.IDs = append(p.IDs, ident(id))
		}
	}
	p.IDs = sorted(p.IDs)
	for _, r := range kids(n, "SpecifiedTaxRegistration") {
		if id := at(r, "ID"); id.Attr("schemeID") == "VA" {
			p.VAT = text(r, "ID")
		} else {
			p.TaxRegistration = text(r, "ID")
		}
	}
	p.Address = ciiAddress(kid(n, "PostalTradeAddress"))
	if c := kid(n, "DefinedTradeContact"); c.Valid() {
		p.Contact = &Contact{text(c, "PersonName"), text(c, "TelephoneUniversalCommunication/CompleteNumber"), text(c, "EmailURIUniversalCommunication/URIID")}
		if p.Contact.Name.Value == "" {
			p.Contact.Name = text(c, "DepartmentName")
		}
	}
	return p
}

func ciiAddress(n dom.Node) *Address {
	if !n.Valid() {
		return nil
	}
	return &Address{text(n, "LineOne"), text(n, "LineTwo"), text(n, "LineThree"), text(n, "CityName"), text(n, "PostcodeCode"), text(n, "CountrySubDivisionName"), text(n, "CountryID")}
}

func (i *Invoice) ciiDelivery(l dom.Node) {
	to := kid(l, "ShipToTradeParty")
	day := i.ciiDate("BT-72", at(l, "ActualDeliverySupplyChainEvent/OccurrenceDateTime/DateTimeString"))
	if !to.Valid() && day.Value == "" {
		return
	}
	where := ident(at(to, "ID"))
	if where.Value == "" {
		where = ident(at(to, "GlobalID"))
	}
	i.Delivery = &Delivery{text(to, "Name"), where, day, ciiAddress(kid(to, "PostalTradeAddress"))}
}

func (i *Invoice) ciiPeriod(n dom.Node, start, end string) *Period {
	p := Period{i.ciiDate(start, at(n, "StartDateTime/DateTimeString")), i.ciiDate(end, at(n, "EndDateTime/DateTimeString"))}
	if p.Start.Value == "" && p.End.Value == "" {
		return nil
	}
	return &p
}

func (i *Invoice) ciiPayment(s dom.Node) {
	remittance, creditor := text(s, "PaymentReference"), text(s, "CreditorReferenceID")
	mandate := Text{}
	for _, n := range kids(s, "SpecifiedTradePaymentTerms") {
		if m := text(n, "DirectDebitMandateID"); m.Value != "" {
			mandate = m
		}
	}
	for _, n := range kids(s, "SpecifiedTradeSettlementPaymentMeans") {
		if i.Payment == nil {
			i.Payment = &Payment{Means: text(n, "TypeCode"), MeansText: text(n, "Information"), Remittance: remittance}
		}
		p := i.Payment
		if a := kid(n, "PayeePartyCreditorFinancialAccount"); a.Valid() || kid(n, "PayeeSpecifiedCreditorFinancialInstitution").Valid() {
			id := text(a, "IBANID")
			if id.Value == "" {
				id = text(a, "ProprietaryID")
			}
			p.Transfers = append(p.Transfers, Transfer{id, text(a, "AccountName"), text(n, "PayeeSpecifiedCreditorFinancialInstitution/BICID")})
		}
		if c := kid(n, "ApplicableTradeSettlementFinancialCard"); c.Valid() && p.Card == nil {
			p.Card = &Card{text(c, "ID"), text(c, "CardholderName")}
		}
		if a := at(n, "PayerPartyDebtorFinancialAccount/IBANID"); a.Valid() && p.DirectDebit == nil {
			p.DirectDebit = &Debit{Account: text(a, "")}
		}
	}
	if p := i.Payment; p != nil && (mandate.Value != "" || creditor.Value != "") {
		if p.DirectDebit == nil {
			p.DirectDebit = &Debit{}
		}
		p.DirectDebit.Mandate, p.DirectDebit.Creditor = mandate, creditor
	}
}

func ciiCharge(n dom.Node) Charge {
	return Charge{Amount: number(at(n, "ActualAmount")), Base: number(at(n, "BasisAmount")), Percent: number(at(n, "CalculationPercent")),
		Category: text(n, "CategoryTradeTax/CategoryCode"), Rate: number(at(n, "CategoryTradeTax/RateApplicablePercent")), Reason: text(n, "Reason"), ReasonCode: text(n, "ReasonCode"), Node: n}
}

func (i *Invoice) ciiTotals(s dom.Node) {
	m := kid(s, "SpecifiedTradeSettlementHeaderMonetarySummation")
	i.Totals = Totals{Node: m, Lines: number(at(m, "LineTotalAmount")), Allowances: number(at(m, "AllowanceTotalAmount")), Charges: number(at(m, "ChargeTotalAmount")),
		WithoutTax: number(at(m, "TaxBasisTotalAmount")), WithTax: number(at(m, "GrandTotalAmount")), Paid: number(at(m, "TotalPrepaidAmount")),
		Rounding: number(at(m, "RoundingAmount")), Due: number(at(m, "DuePayableAmount"))}
	for _, n := range kids(m, "TaxTotalAmount") {
		currency := n.Attr("currencyID")
		if i.TaxCurrency.Value != "" && currency == i.TaxCurrency.Value && currency != i.Currency.Value {
			i.Totals.TaxAccounting = number(n)
		} else if !i.Totals.Tax.Given {
			i.Totals.Tax = number(n)
		}
	}
	for _, n := range kids(s, "ApplicableTradeTax") {
		i.Breakdown = append(i.Breakdown, TaxEntry{Base: number(at(n, "BasisAmount")), Tax: number(at(n, "CalculatedAmount")), Category: text(n, "CategoryCode"),
			Rate: number(at(n, "RateApplicablePercent")), Reason: text(n, "ExemptionReason"), ReasonCode: text(n, "ExemptionReasonCode"), Node: n})
		if i.TaxPointDate.Value == "" {
			i.TaxPointDate = i.ciiDate("BT-7", at(n, "TaxPointDate/DateString"))
		}
		if i.TaxPointCode.Value == "" {
			i.TaxPointCode = text(n, "DueDateTypeCode")
			for _, c := range pointCodes {
				if i.TaxPointCode.Value == c[0] {
					i.TaxPointCode.Value = c[1]
					break
				}
			}
		}
	}
}

func (i *Invoice) ciiLine(n dom.Node) Line {
	doc, item := kid(n, "AssociatedDocumentLineDocument"), kid(n, "SpecifiedTradeProduct")
	a, d, s := kid(n, "SpecifiedLineTradeAgreement"), kid(n, "SpecifiedLineTradeDelivery"), kid(n, "SpecifiedLineTradeSettlement")
	net, gross, q := kid(a, "NetPriceProductTradePrice"), kid(a, "GrossPriceProductTradePrice"), kid(d, "BilledQuantity")
	l := Line{Node: n, ID: text(doc, "LineID"), Note: text(doc, "IncludedNote/Content"), Quantity: number(q), Unit: attribute(q, "unitCode"),
		Net: number(at(s, "SpecifiedTradeSettlementLineMonetarySummation/LineTotalAmount")), OrderLine: text(a, "BuyerOrderReferencedDocument/LineID"),
		BuyerAccounting: text(s, "ReceivableSpecifiedTradeAccountingAccount/ID"), Period: i.ciiPeriod(kid(s, "BillingSpecifiedPeriod"), "BT-134", "BT-135"),
		Price: number(kid(net, "ChargeAmount")), GrossPrice: number(kid(gross, "ChargeAmount")), Discount: number(at(gross, "AppliedTradeAllowanceCharge/ActualAmount")),
		PriceBase: number(kid(net, "BasisQuantity")), PriceBaseUnit: attribute(kid(net, "BasisQuantity"), "unitCode"),
		Category: text(s, "ApplicableTradeTax/CategoryCode"), Rate: number(at(s, "ApplicableTradeTax/RateApplicablePercent")),
		Name: text(item, "Name"), Description: text(item, "Description"), SellerItem: text(item, "SellerAssignedID"), BuyerItem: text(item, "BuyerAssignedID"),
		StandardItem: ident(kid(item, "GlobalID")), Origin: text(item, "OriginTradeCountry/ID")}
	if !l.PriceBase.Given {
		l.PriceBase, l.PriceBaseUnit = number(kid(gross, "BasisQuantity")), attribute(kid(gross, "BasisQuantity"), "unitCode")
	}
	for _, r := range kids(s, "AdditionalReferencedDocument") {
		if l.Object.Value == "" {
			l.Object = ciiObject(r)
		}
	}
	l.Allowances, l.Charges = i.charges("BG-27", kids(s, "SpecifiedTradeAllowanceCharge"), "ChargeIndicator/Indicator", ciiCharge)
	for _, c := range kids(item, "DesignatedProductClassification") {
		if k := kid(c, "ClassCode"); k.Valid() {
			l.Classes = append(l.Classes, Identifier{k.TrimmedText(), k.Attr("listID"), k.Attr("listVersionID"), k})
		}
	}
	for _, c := range kids(item, "ApplicableProductCharacteristic") {
		l.Attributes = append(l.Attributes, Attribute{text(c, "Description"), text(c, "Value")})
	}
	return l
}
