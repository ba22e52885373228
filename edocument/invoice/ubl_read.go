package invoice

import (
	"strings"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

func readUBL(root dom.Node) *Invoice {
	i := &Invoice{Syntax: UBL}
	credit := root.Local() == "CreditNote"
	typeCode, lines, quantity := "InvoiceTypeCode", "InvoiceLine", "InvoicedQuantity"
	if credit {
		typeCode, lines, quantity = "CreditNoteTypeCode", "CreditNoteLine", "CreditedQuantity"
	}
	i.Number, i.IssueDate, i.TypeCode = text(root, "ID"), i.date("BT-2", at(root, "IssueDate")), text(root, typeCode)
	i.Currency, i.TaxCurrency = text(root, "DocumentCurrencyCode"), text(root, "TaxCurrencyCode")
	i.TaxPointDate, i.TaxPointCode = i.date("BT-7", at(root, "TaxPointDate")), text(root, "InvoicePeriod/DescriptionCode")
	i.BuyerReference, i.Contract = text(root, "BuyerReference"), text(root, "ContractDocumentReference/ID")
	i.PurchaseOrder, i.SalesOrder = text(root, "OrderReference/ID"), text(root, "OrderReference/SalesOrderID")
	if i.PurchaseOrder.Value == noOrder && i.SalesOrder.Value != "" {
		i.PurchaseOrder = Text{}
	}
	i.ReceivingAdvice, i.DespatchAdvice = text(root, "ReceiptDocumentReference/ID"), text(root, "DespatchDocumentReference/ID")
	i.Tender, i.BuyerAccounting, i.PaymentTerms = text(root, "OriginatorDocumentReference/ID"), text(root, "AccountingCost"), text(root, "PaymentTerms/Note")
	i.Process, i.Specification = text(root, "ProfileID"), text(root, "CustomizationID")
	i.DueDate, i.Project = i.date("BT-9", at(root, "DueDate")), text(root, "ProjectReference/ID")
	for _, n := range kids(root, "Note") {
		i.Notes = append(i.Notes, splitNote(n))
	}
	for _, b := range kids(root, "BillingReference") {
		for _, n := range kids(b, "InvoiceDocumentReference") {
			i.Preceding = append(i.Preceding, Preceding{text(n, "ID"), i.date("BT-26", at(n, "IssueDate"))})
		}
	}
	for _, n := range kids(root, "AdditionalDocumentReference") {
		switch text(n, "DocumentTypeCode").Value {
		case "130":
			i.Object = ident(at(n, "ID"))
		case "50":
			if credit {
				i.Project = text(n, "ID")
				continue
			}
			fallthrough
		default:
			i.Documents = append(i.Documents, ublDocument(n))
		}
	}
	i.Seller, i.Buyer = ublParty(at(root, "AccountingSupplierParty/Party")), ublParty(at(root, "AccountingCustomerParty/Party"))
	if n := kid(root, "PayeeParty"); n.Valid() {
		p := ublParty(n)
		p.Name, p.TradingName = text(n, "PartyName/Name"), Text{}
		i.Payee = &p
	}
	if n := kid(root, "TaxRepresentativeParty"); n.Valid() {
		p := ublParty(n)
		p.Name, p.TradingName = text(n, "PartyName/Name"), Text{}
		i.TaxRepresentative = &p
	}
	i.ublDelivery(root)
	i.Period = i.ublPeriod(kid(root, "InvoicePeriod"), "BT-73", "BT-74")
	i.ublPayment(root)
	i.Allowances, i.Charges = i.charges("BG-20", kids(root, "AllowanceCharge"), "ChargeIndicator", ublCharge)
	i.ublTotals(root)
	for _, n := range kids(root, lines) {
		i.Lines = append(i.Lines, i.ublLine(n, quantity))
	}
	return i
}

// noOrder stands where the schema of UBL wants an order and only a sales order is named.
const noOrder = "NA"

// splitNote takes the subject code, between number signs, from the text of a note.
func splitNote(n dom.Node) Note {
	s := n.TrimmedText()
	if len(s) > 4 && s[0] == '#' && s[4] == '#' && !strings.Contains(s[1:4], " ") {
		return Note{Text{s[1:4], n}, Text{strings.Trim(s[5:], " \t\r\n"), n}}
	}
	return Note{Text: Text{s, n}}
}

func ublParty(n dom.Node) Party {
	p := Party{Node: n, Name: text(n, "PartyLegalEntity/RegistrationName"), TradingName: text(n, "PartyName/Name"),
		Registration: ident(at(n, "PartyLegalEntity/CompanyID")), LegalInformation: text(n, "PartyLegalEntity/CompanyLegalForm"), Endpoint: ident(at(n, "EndpointID"))}
	for _, id := range kids(n, "PartyIdentification") {
		if x := ident(at(id, "ID")); x.Value != "" && x.Scheme != "SEPA" {
			p.IDs = append(p.IDs, x)
		}
	}
	p.IDs = sorted(p.IDs)
	for _, t := range kids(n, "PartyTaxScheme") {
		if strings.EqualFold(text(t, "TaxScheme/ID").Value, "VAT") {
			p.VAT = text(t, "CompanyID")
		} else {
			p.TaxRegistration = text(t, "CompanyID")
		}
	}
	p.Address = ublAddress(kid(n, "PostalAddress"))
	if c := kid(n, "Contact"); c.Valid() {
		p.Contact = &Contact{text(c, "Name"), text(c, "Telephone"), text(c, "ElectronicMail")}
	}
	return p
}

func ublAddress(n dom.Node) *Address {
	if !n.Valid() {
		return nil
	}
	return &Address{text(n, "StreetName"), text(n, "AdditionalStreetName"), text(n, "AddressLine/Line"), text(n, "CityName"),
		text(n, "PostalZone"), text(n, "CountrySubentity"), text(n, "Country/IdentificationCode")}
}

func (i *Invoice) ublDelivery(root dom.Node) {
	n := kid(root, "Delivery")
	if !n.Valid() {
		return
	}
	i.Delivery = &Delivery{text(n, "DeliveryParty/PartyName/Name"), ident(at(n, "DeliveryLocation/ID")), i.date("BT-72", at(n, "ActualDeliveryDate")), ublAddress(at(n, "DeliveryLocation/Address"))}
}

func (i *Invoice) ublPeriod(n dom.Node, start, end string) *Period {
	p := Period{i.date(start, at(n, "StartDate")), i.date(end, at(n, "EndDate"))}
	if p.Start.Value == "" && p.End.Value == "" {
		return nil
	}
	return &p
}

func (i *Invoice) ublPayment(root dom.Node) {
	for _, n := range kids(root, "PaymentMeans") {
		if i.Payment == nil {
			i.Payment = &Payment{Means: text(n, "PaymentMeansCode")}
			if name := at(n, "PaymentMeansCode").Attribute("", "name"); name.Valid() {
				i.Payment.MeansText = Text{name.TrimmedText(), name}
			}
		}
		p := i.Payment
		if p.Remittance.Value == "" {
			p.Remittance = text(n, "PaymentID")
		}
		if i.DueDate.Value == "" {
			i.DueDate = i.date("BT-9", at(n, "PaymentDueDate"))
		}
		if a := kid(n, "PayeeFinancialAccount"); a.Valid() {
			p.Transfers = append(p.Transfers, Transfer{text(a, "ID"), text(a, "Name"), text(a, "FinancialInstitutionBranch/ID")})
		}
		if c := kid(n, "CardAccount"); c.Valid() && p.Card == nil {
			p.Card = &Card{text(c, "PrimaryAccountNumberID"), text(c, "HolderName")}
		}
		if m := kid(n, "PaymentMandate"); m.Valid() && p.DirectDebit == nil {
			p.DirectDebit = &Debit{Mandate: text(m, "ID"), Account: text(m, "PayerFinancialAccount/ID")}
		}
	}
	for _, party := range []dom.Node{at(root, "PayeeParty"), at(root, "AccountingSupplierParty/Party")} {
		for _, id := range kids(party, "PartyIdentification") {
			if x := at(id, "ID"); x.Attr("schemeID") == "SEPA" && i.Payment != nil {
				if i.Payment.DirectDebit == nil {
					i.Payment.DirectDebit = &Debit{}
				}
				if i.Payment.DirectDebit.Creditor.Value == "" {
					i.Payment.DirectDebit.Creditor = Text{x.TrimmedText(), x}
				}
			}
		}
	}
}

func ublCharge(n dom.Node) Charge {
	return Charge{Amount: number(at(n, "Amount")), Base: number(at(n, "BaseAmount")), Percent: number(at(n, "MultiplierFactorNumeric")),
		Category: text(n, "TaxCategory/ID"), Rate: number(at(n, "TaxCategory/Percent")), Reason: text(n, "AllowanceChargeReason"), ReasonCode: text(n, "AllowanceChargeReasonCode"), Node: n}
}

func (i *Invoice) ublTotals(root dom.Node) {
	m := kid(root, "LegalMonetaryTotal")
	i.Totals = Totals{Node: m, Lines: number(at(m, "LineExtensionAmount")), Allowances: number(at(m, "AllowanceTotalAmount")), Charges: number(at(m, "ChargeTotalAmount")),
		WithoutTax: number(at(m, "TaxExclusiveAmount")), WithTax: number(at(m, "TaxInclusiveAmount")), Paid: number(at(m, "PrepaidAmount")),
		Rounding: number(at(m, "PayableRoundingAmount")), Due: number(at(m, "PayableAmount"))}
	for _, t := range kids(root, "TaxTotal") {
		amount := at(t, "TaxAmount")
		currency := amount.Attr("currencyID")
		if i.TaxCurrency.Value != "" && currency == i.TaxCurrency.Value && currency != i.Currency.Value {
			i.Totals.TaxAccounting = number(amount)
		} else if !i.Totals.Tax.Given {
			i.Totals.Tax = number(amount)
		}
		for _, s := range kids(t, "TaxSubtotal") {
			c := kid(s, "TaxCategory")
			i.Breakdown = append(i.Breakdown, TaxEntry{Base: number(at(s, "TaxableAmount")), Tax: number(at(s, "TaxAmount")), Category: text(c, "ID"),
				Rate: number(at(c, "Percent")), Reason: text(c, "TaxExemptionReason"), ReasonCode: text(c, "TaxExemptionReasonCode"), Node: s})
		}
	}
}

func ublDocument(n dom.Node) Document {
	d := Document{Reference: text(n, "ID"), Description: text(n, "DocumentDescription"), Location: text(n, "Attachment/ExternalReference/URI")}
	if b := at(n, "Attachment/EmbeddedDocumentBinaryObject"); b.Valid() {
		d.Attachment = &Binary{b.TrimmedText(), b.Attr("mimeCode"), b.Attr("filename"), b}
	}
	return d
}

func (i *Invoice) ublLine(n dom.Node, quantity string) Line {
	item, price := kid(n, "Item"), kid(n, "Price")
	q := at(n, quantity)
	l := Line{Node: n, ID: text(n, "ID"), Note: text(n, "Note"), Quantity: number(q), Net: number(at(n, "LineExtensionAmount")), OrderLine: text(n, "OrderLineReference/LineID"),
		BuyerAccounting: text(n, "AccountingCost"), Period: i.ublPeriod(kid(n, "InvoicePeriod"), "BT-134", "BT-135"),
		Price: number(at(price, "PriceAmount")), Discount: number(at(price, "AllowanceCharge/Amount")), GrossPrice: number(at(price, "AllowanceCharge/BaseAmount")),
		PriceBase: number(at(price, "BaseQuantity")), Category: text(item, "ClassifiedTaxCategory/ID"), Rate: number(at(item, "ClassifiedTaxCategory/Percent")),
		Name: text(item, "Name"), Description: text(item, "Description"), SellerItem: text(item, "SellersItemIdentification/ID"), BuyerItem: text(item, "BuyersItemIdentification/ID"),
		StandardItem: ident(at(item, "StandardItemIdentification/ID")), Origin: text(item, "OriginCountry/IdentificationCode")}
	l.Unit, l.PriceBaseUnit = attribute(q, "unitCode"), attribute(at(price, "BaseQuantity"), "unitCode")
	if d := kid(n, "DocumentReference"); d.Valid() {
		l.Object = ident(at(d, "ID"))
	}
	l.Allowances, l.Charges = i.charges("BG-27", kids(n, "AllowanceCharge"), "ChargeIndicator", ublCharge)
	for _, c := range kids(item, "CommodityClassification") {
		if k := at(c, "ItemClassificationCode"); k.Valid() {
			l.Classes = append(l.Classes, Identifier{k.TrimmedText(), k.Attr("listID"), k.Attr("listVersionID"), k})
		}
	}
	for _, a := range kids(item, "AdditionalItemProperty") {
		l.Attributes = append(l.Attributes, Attribute{text(a, "Name"), text(a, "Value")})
	}
	return l
}

// attribute reads an attribute as a term.
func attribute(n dom.Node, name string) Text {
	a := n.Attribute("", name)
	if !a.Valid() {
		return Text{}
	}
	return Text{a.TrimmedText(), a}
}
