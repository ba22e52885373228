package invoice

import (
	"github.com/viadukt-eu/viadukt/edocument/decimal"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// UBL writes the invoice in UBL 2.1, as an Invoice or, by its type code, as a CreditNote, in the order of the schema.
func (i *Invoice) UBL() []byte {
	w := dom.NewWriter([]byte(declaration))
	p := &pen{w: w, currency: i.Currency.Value}
	credit := i.IsCredit()
	root, space := "Invoice", nsInvoice
	if credit {
		root, space = "CreditNote", nsCreditNote
	}
	p.start(root, "xmlns", space, "xmlns:cac", nsCAC, "xmlns:cbc", nsCBC)
	p.leaf("cbc:CustomizationID", i.Specification.Value)
	p.leaf("cbc:ProfileID", i.Process.Value)
	p.leaf("cbc:ID", i.Number.Value)
	p.leaf("cbc:IssueDate", i.IssueDate.Value)
	if credit {
		p.leaf("cbc:TaxPointDate", i.TaxPointDate.Value)
		p.leaf("cbc:CreditNoteTypeCode", i.TypeCode.Value)
	} else {
		p.leaf("cbc:DueDate", i.DueDate.Value)
		p.leaf("cbc:InvoiceTypeCode", i.TypeCode.Value)
	}
	for _, n := range i.Notes {
		s := n.Text.Value
		if n.Subject.Value != "" {
			s = "#" + n.Subject.Value + "#" + s
		}
		p.leaf("cbc:Note", s)
	}
	if !credit {
		p.leaf("cbc:TaxPointDate", i.TaxPointDate.Value)
	}
	p.leaf("cbc:DocumentCurrencyCode", i.Currency.Value)
	p.leaf("cbc:TaxCurrencyCode", i.TaxCurrency.Value)
	p.leaf("cbc:AccountingCost", i.BuyerAccounting.Value)
	p.leaf("cbc:BuyerReference", i.BuyerReference.Value)
	p.group("cac:InvoicePeriod", func() {
		if i.Period != nil {
			p.leaf("cbc:StartDate", i.Period.Start.Value)
			p.leaf("cbc:EndDate", i.Period.End.Value)
		}
		p.leaf("cbc:DescriptionCode", i.TaxPointCode.Value)
	})
	p.group("cac:OrderReference", func() {
		if i.SalesOrder.Value != "" && i.PurchaseOrder.Value == "" {
			p.leaf("cbc:ID", noOrder)
		}
		p.leaf("cbc:ID", i.PurchaseOrder.Value)
		p.leaf("cbc:SalesOrderID", i.SalesOrder.Value)
	})
	for _, b := range i.Preceding {
		p.group("cac:BillingReference", func() {
			p.group("cac:InvoiceDocumentReference", func() {
				p.leaf("cbc:ID", b.Number.Value)
				p.leaf("cbc:IssueDate", b.IssueDate.Value)
			})
		})
	}
	p.in("cac:DespatchDocumentReference", "cbc:ID", i.DespatchAdvice.Value)
	p.in("cac:ReceiptDocumentReference", "cbc:ID", i.ReceivingAdvice.Value)
	if credit {
		p.in("cac:ContractDocumentReference", "cbc:ID", i.Contract.Value)
		i.ublDocuments(p, true)
		p.in("cac:OriginatorDocumentReference", "cbc:ID", i.Tender.Value)
	} else {
		p.in("cac:OriginatorDocumentReference", "cbc:ID", i.Tender.Value)
		p.in("cac:ContractDocumentReference", "cbc:ID", i.Contract.Value)
		i.ublDocuments(p, false)
		p.in("cac:ProjectReference", "cbc:ID", i.Project.Value)
	}
	creditor := ""
	if i.Payment != nil && i.Payment.DirectDebit != nil {
		creditor = i.Payment.DirectDebit.Creditor.Value
	}
	ofSeller := creditor
	if i.Payee != nil {
		ofSeller = ""
	}
	p.group("cac:AccountingSupplierParty", func() { p.group("cac:Party", func() { i.Seller.ubl(p, ofSeller) }) })
	p.group("cac:AccountingCustomerParty", func() { p.group("cac:Party", func() { i.Buyer.ubl(p, "") }) })
	if i.Payee != nil {
		p.group("cac:PayeeParty", func() {
			ublIDs(p, i.Payee.IDs, creditor)
			p.in("cac:PartyName", "cbc:Name", i.Payee.Name.Value)
			p.group("cac:PartyLegalEntity", func() { p.id("cbc:CompanyID", i.Payee.Registration) })
		})
	}
	if r := i.TaxRepresentative; r != nil {
		p.group("cac:TaxRepresentativeParty", func() {
			p.in("cac:PartyName", "cbc:Name", r.Name.Value)
			r.Address.ubl(p, "cac:PostalAddress")
			ublTax(p, r.VAT.Value, "VAT")
		})
	}
	i.ublWriteDelivery(p)
	i.ublWritePayment(p, credit)
	p.in("cac:PaymentTerms", "cbc:Note", i.PaymentTerms.Value)
	for _, a := range i.Allowances {
		a.ubl(p, "false", true)
	}
	for _, c := range i.Charges {
		c.ubl(p, "true", true)
	}
	i.ublWriteTotals(p)
	for _, l := range i.Lines {
		l.ubl(p, credit)
	}
	p.end()
	return append(w.Bytes(), '\n')
}

func (i *Invoice) ublDocuments(p *pen, credit bool) {
	if i.Object.Value != "" {
		p.group("cac:AdditionalDocumentReference", func() {
			p.id("cbc:ID", i.Object)
			p.leaf("cbc:DocumentTypeCode", "130")
		})
	}
	if credit && i.Project.Value != "" {
		p.group("cac:AdditionalDocumentReference", func() {
			p.leaf("cbc:ID", i.Project.Value)
			p.leaf("cbc:DocumentTypeCode", "50")
		})
	}
	for _, d := range i.Documents {
		p.group("cac:AdditionalDocumentReference", func() {
			p.leaf("cbc:ID", d.Reference.Value)
			p.leaf("cbc:DocumentDescription", d.Description.Value)
			p.group("cac:Attachment", func() {
				p.binary("cbc:EmbeddedDocumentBinaryObject", d.Attachment)
				p.in("cac:ExternalReference", "cbc:URI", d.Location.Value)
			})
		})
	}
}

func ublIDs(p *pen, ids []Identifier, creditor string) {
	for _, id := range ids {
		p.group("cac:PartyIdentification", func() { p.id("cbc:ID", id) })
	}
	p.in("cac:PartyIdentification", "cbc:ID", creditor, "schemeID", "SEPA")
}

func ublTax(p *pen, id, scheme string) {
	if id == "" {
		return
	}
	p.group("cac:PartyTaxScheme", func() {
		p.leaf("cbc:CompanyID", id)
		p.in("cac:TaxScheme", "cbc:ID", scheme)
	})
}

func (y *Party) ubl(p *pen, creditor string) {
	p.id("cbc:EndpointID", y.Endpoint)
	ublIDs(p, y.IDs, creditor)
	p.in("cac:PartyName", "cbc:Name", y.TradingName.Value)
	y.Address.ubl(p, "cac:PostalAddress")
	ublTax(p, y.VAT.Value, "VAT")
	ublTax(p, y.TaxRegistration.Value, "TAX")
	p.group("cac:PartyLegalEntity", func() {
		p.leaf("cbc:RegistrationName", y.Name.Value)
		p.id("cbc:CompanyID", y.Registration)
		p.leaf("cbc:CompanyLegalForm", y.LegalInformation.Value)
	})
	if c := y.Contact; c != nil {
		p.group("cac:Contact", func() {
			p.leaf("cbc:Name", c.Name.Value)
			p.leaf("cbc:Telephone", c.Telephone.Value)
			p.leaf("cbc:ElectronicMail", c.Email.Value)
		})
	}
}

func (a *Address) ubl(p *pen, name string) {
	if a == nil {
		return
	}
	p.group(name, func() {
		p.leaf("cbc:StreetName", a.Line1.Value)
		p.leaf("cbc:AdditionalStreetName", a.Line2.Value)
		p.leaf("cbc:CityName", a.City.Value)
		p.leaf("cbc:PostalZone", a.PostCode.Value)
		p.leaf("cbc:CountrySubentity", a.Subdivision.Value)
		p.in("cac:AddressLine", "cbc:Line", a.Line3.Value)
		p.in("cac:Country", "cbc:IdentificationCode", a.Country.Value)
	})
}

func (i *Invoice) ublWriteDelivery(p *pen) {
	d := i.Delivery
	if d == nil {
		return
	}
	p.group("cac:Delivery", func() {
		p.leaf("cbc:ActualDeliveryDate", d.Date.Value)
		p.group("cac:DeliveryLocation", func() {
			p.id("cbc:ID", d.Location)
			d.Address.ubl(p, "cac:Address")
		})
		p.group("cac:DeliveryParty", func() { p.in("cac:PartyName", "cbc:Name", d.Name.Value) })
	})
}

// ublWritePayment repeats the payment means for each account.
func (i *Invoice) ublWritePayment(p *pen, credit bool) {
	y := i.Payment
	if y == nil {
		if credit && i.DueDate.Value != "" { // a credit note has no other place for it
			y = &Payment{Means: Txt("1")}
		} else {
			return
		}
	}
	for k := range max(1, len(y.Transfers)) {
		p.group("cac:PaymentMeans", func() {
			name := ""
			if k == 0 {
				name = y.MeansText.Value
			}
			p.leaf("cbc:PaymentMeansCode", y.Means.Value, "name", name)
			if credit && k == 0 {
				p.leaf("cbc:PaymentDueDate", i.DueDate.Value)
			}
			p.leaf("cbc:PaymentID", y.Remittance.Value)
			if c := y.Card; c != nil && k == 0 {
				p.group("cac:CardAccount", func() {
					p.leaf("cbc:PrimaryAccountNumberID", c.Number.Value)
					p.leaf("cbc:NetworkID", "NA") // the schema wants one, the standard has none
					p.leaf("cbc:HolderName", c.Holder.Value)
				})
			}
			if k < len(y.Transfers) {
				t := y.Transfers[k]
				p.group("cac:PayeeFinancialAccount", func() {
					p.leaf("cbc:ID", t.Account.Value)
					p.leaf("cbc:Name", t.Name.Value)
					p.in("cac:FinancialInstitutionBranch", "cbc:ID", t.Bank.Value)
				})
			}
			if d := y.DirectDebit; d != nil && k == 0 {
				p.group("cac:PaymentMandate", func() {
					p.leaf("cbc:ID", d.Mandate.Value)
					p.in("cac:PayerFinancialAccount", "cbc:ID", d.Account.Value)
				})
			}
		})
	}
}

func (c *Charge) ubl(p *pen, indicator string, taxed bool) {
	p.group("cac:AllowanceCharge", func() {
		p.leaf("cbc:ChargeIndicator", indicator)
		p.leaf("cbc:AllowanceChargeReasonCode", c.ReasonCode.Value)
		p.leaf("cbc:AllowanceChargeReason", c.Reason.Value)
		p.number("cbc:MultiplierFactorNumeric", c.Percent)
		p.amount("cbc:Amount", c.Amount)
		p.amount("cbc:BaseAmount", c.Base)
		if taxed {
			ublCategory(p, "cac:TaxCategory", c.Category, c.Rate, Text{}, Text{})
		}
	})
}

func ublCategory(p *pen, name string, category Text, rate Number, reasonCode, reason Text) {
	if category.Value == "" {
		return
	}
	p.group(name, func() {
		p.leaf("cbc:ID", category.Value)
		p.number("cbc:Percent", rate)
		p.leaf("cbc:TaxExemptionReasonCode", reasonCode.Value)
		p.leaf("cbc:TaxExemptionReason", reason.Value)
		p.in("cac:TaxScheme", "cbc:ID", "VAT")
	})
}

func (i *Invoice) ublWriteTotals(p *pen) {
	t := &i.Totals
	p.group("cac:TaxTotal", func() {
		p.amount("cbc:TaxAmount", t.Tax)
		for _, e := range i.Breakdown {
			p.group("cac:TaxSubtotal", func() {
				p.amount("cbc:TaxableAmount", e.Base)
				p.amount("cbc:TaxAmount", e.Tax)
				ublCategory(p, "cac:TaxCategory", e.Category, e.Rate, e.ReasonCode, e.Reason)
			})
		}
	})
	p.group("cac:TaxTotal", func() { p.number("cbc:TaxAmount", t.TaxAccounting, "currencyID", i.TaxCurrency.Value) })
	p.group("cac:LegalMonetaryTotal", func() {
		p.amount("cbc:LineExtensionAmount", t.Lines)
		p.amount("cbc:TaxExclusiveAmount", t.WithoutTax)
		p.amount("cbc:TaxInclusiveAmount", t.WithTax)
		p.amount("cbc:AllowanceTotalAmount", t.Allowances)
		p.amount("cbc:ChargeTotalAmount", t.Charges)
		p.amount("cbc:PrepaidAmount", t.Paid)
		p.amount("cbc:PayableRoundingAmount", t.Rounding)
		p.amount("cbc:PayableAmount", t.Due)
	})
}

func (l *Line) ubl(p *pen, credit bool) {
	name, quantity := "cac:InvoiceLine", "cbc:InvoicedQuantity"
	if credit {
		name, quantity = "cac:CreditNoteLine", "cbc:CreditedQuantity"
	}
	p.group(name, func() {
		p.leaf("cbc:ID", l.ID.Value)
		p.leaf("cbc:Note", l.Note.Value)
		p.number(quantity, l.Quantity, "unitCode", l.Unit.Value)
		p.amount("cbc:LineExtensionAmount", l.Net)
		p.leaf("cbc:AccountingCost", l.BuyerAccounting.Value)
		if y := l.Period; y != nil {
			p.group("cac:InvoicePeriod", func() {
				p.leaf("cbc:StartDate", y.Start.Value)
				p.leaf("cbc:EndDate", y.End.Value)
			})
		}
		p.in("cac:OrderLineReference", "cbc:LineID", l.OrderLine.Value)
		if l.Object.Value != "" {
			p.group("cac:DocumentReference", func() {
				p.id("cbc:ID", l.Object)
				p.leaf("cbc:DocumentTypeCode", "130")
			})
		}
		for _, a := range l.Allowances {
			a.ubl(p, "false", false)
		}
		for _, c := range l.Charges {
			c.ubl(p, "true", false)
		}
		p.group("cac:Item", func() { l.ublItem(p) })
		p.group("cac:Price", func() {
			p.amount("cbc:PriceAmount", l.Price)
			p.number("cbc:BaseQuantity", l.PriceBase, "unitCode", l.PriceBaseUnit.Value)
			if l.Discount.Given || l.GrossPrice.Given {
				p.group("cac:AllowanceCharge", func() {
					p.leaf("cbc:ChargeIndicator", "false")
					discount := l.Discount
					if !discount.Given { // the schema wants an amount where the gross price is given
						discount = Num(decimal.New(0, 0))
					}
					p.amount("cbc:Amount", discount)
					p.amount("cbc:BaseAmount", l.GrossPrice)
				})
			}
		})
	})
}

func (l *Line) ublItem(p *pen) {
	p.leaf("cbc:Description", l.Description.Value)
	p.leaf("cbc:Name", l.Name.Value)
	p.in("cac:BuyersItemIdentification", "cbc:ID", l.BuyerItem.Value)
	p.in("cac:SellersItemIdentification", "cbc:ID", l.SellerItem.Value)
	p.group("cac:StandardItemIdentification", func() { p.id("cbc:ID", l.StandardItem) })
	p.in("cac:OriginCountry", "cbc:IdentificationCode", l.Origin.Value)
	for _, c := range l.Classes {
		p.in("cac:CommodityClassification", "cbc:ItemClassificationCode", c.Value, "listID", c.Scheme, "listVersionID", c.Version)
	}
	ublCategory(p, "cac:ClassifiedTaxCategory", l.Category, l.Rate, Text{}, Text{})
	for _, a := range l.Attributes {
		p.group("cac:AdditionalItemProperty", func() {
			p.leaf("cbc:Name", a.Name.Value)
			p.leaf("cbc:Value", a.Value.Value)
		})
	}
}
