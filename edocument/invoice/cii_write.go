package invoice

import (
	"strings"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// CII writes the invoice in UN/CEFACT CII D16B, in the order of the schema.
func (i *Invoice) CII() []byte {
	w := dom.NewWriter([]byte(declaration))
	p := &pen{w: w}
	p.start("rsm:CrossIndustryInvoice", "xmlns:rsm", nsRSM, "xmlns:ram", nsRAM, "xmlns:qdt", nsQDT, "xmlns:udt", nsUDT)
	p.group("rsm:ExchangedDocumentContext", func() {
		p.in("ram:BusinessProcessSpecifiedDocumentContextParameter", "ram:ID", i.Process.Value)
		p.in("ram:GuidelineSpecifiedDocumentContextParameter", "ram:ID", i.Specification.Value)
	})
	p.group("rsm:ExchangedDocument", func() {
		p.leaf("ram:ID", i.Number.Value)
		p.leaf("ram:TypeCode", i.TypeCode.Value)
		p.day("ram:IssueDateTime", "udt:DateTimeString", i.IssueDate)
		for _, n := range i.Notes {
			p.group("ram:IncludedNote", func() {
				p.leaf("ram:Content", n.Text.Value)
				p.leaf("ram:SubjectCode", n.Subject.Value)
			})
		}
	})
	p.start("rsm:SupplyChainTradeTransaction")
	for _, l := range i.Lines {
		l.cii(p)
	}
	p.start("ram:ApplicableHeaderTradeAgreement")
	i.ciiAgreement(p)
	p.end()
	p.start("ram:ApplicableHeaderTradeDelivery")
	i.ciiWriteDelivery(p)
	p.end()
	p.start("ram:ApplicableHeaderTradeSettlement")
	i.ciiSettlement(p)
	p.end()
	p.end()
	p.end()
	return append(w.Bytes(), '\n')
}

// day writes a date in format 102 below its own element.
func (p *pen) day(group, name string, d Date) {
	p.in(group, name, strings.ReplaceAll(d.Value, "-", ""), "format", "102")
}

func (i *Invoice) ciiAgreement(p *pen) {
	p.leaf("ram:BuyerReference", i.BuyerReference.Value)
	p.group("ram:SellerTradeParty", func() { i.Seller.cii(p) })
	p.group("ram:BuyerTradeParty", func() { i.Buyer.cii(p) })
	if r := i.TaxRepresentative; r != nil {
		p.group("ram:SellerTaxRepresentativeTradeParty", func() { r.cii(p) })
	}
	p.in("ram:SellerOrderReferencedDocument", "ram:IssuerAssignedID", i.SalesOrder.Value)
	p.in("ram:BuyerOrderReferencedDocument", "ram:IssuerAssignedID", i.PurchaseOrder.Value)
	p.in("ram:ContractReferencedDocument", "ram:IssuerAssignedID", i.Contract.Value)
	for _, d := range i.Documents {
		p.group("ram:AdditionalReferencedDocument", func() {
			p.leaf("ram:IssuerAssignedID", d.Reference.Value)
			p.leaf("ram:URIID", d.Location.Value)
			p.leaf("ram:TypeCode", "916")
			p.leaf("ram:Name", d.Description.Value)
			p.binary("ram:AttachmentBinaryObject", d.Attachment)
		})
	}
	if i.Tender.Value != "" {
		p.group("ram:AdditionalReferencedDocument", func() {
			p.leaf("ram:IssuerAssignedID", i.Tender.Value)
			p.leaf("ram:TypeCode", "50")
		})
	}
	ciiWriteObject(p, i.Object)
	if i.Project.Value != "" {
		p.group("ram:SpecifiedProcuringProject", func() {
			p.leaf("ram:ID", i.Project.Value)
			p.leaf("ram:Name", "Project reference") // the schema wants a name, the standard has none
		})
	}
}

func ciiWriteObject(p *pen, o Identifier) {
	if o.Value == "" {
		return
	}
	p.group("ram:AdditionalReferencedDocument", func() {
		p.leaf("ram:IssuerAssignedID", o.Value)
		p.leaf("ram:TypeCode", "130")
		p.leaf("ram:ReferenceTypeCode", o.Scheme)
	})
}

// ciiID writes an identifier under the name that tells whether it has a scheme.
func ciiID(p *pen, id Identifier) {
	if id.Scheme == "" {
		p.leaf("ram:ID", id.Value)
	} else {
		p.id("ram:GlobalID", id)
	}
}

func (y *Party) cii(p *pen) {
	for _, id := range y.IDs {
		ciiID(p, id)
	}
	p.leaf("ram:Name", y.Name.Value)
	p.leaf("ram:Description", y.LegalInformation.Value)
	p.group("ram:SpecifiedLegalOrganization", func() {
		p.id("ram:ID", y.Registration)
		p.leaf("ram:TradingBusinessName", y.TradingName.Value)
	})
	if c := y.Contact; c != nil {
		p.group("ram:DefinedTradeContact", func() {
			p.leaf("ram:PersonName", c.Name.Value)
			p.in("ram:TelephoneUniversalCommunication", "ram:CompleteNumber", c.Telephone.Value)
			p.in("ram:EmailURIUniversalCommunication", "ram:URIID", c.Email.Value)
		})
	}
	y.Address.cii(p)
	p.group("ram:URIUniversalCommunication", func() { p.id("ram:URIID", y.Endpoint) })
	p.in("ram:SpecifiedTaxRegistration", "ram:ID", y.VAT.Value, "schemeID", "VA")
	p.in("ram:SpecifiedTaxRegistration", "ram:ID", y.TaxRegistration.Value, "schemeID", "FC")
}

func (a *Address) cii(p *pen) {
	if a == nil {
		return
	}
	p.group("ram:PostalTradeAddress", func() {
		p.leaf("ram:PostcodeCode", a.PostCode.Value)
		p.leaf("ram:LineOne", a.Line1.Value)
		p.leaf("ram:LineTwo", a.Line2.Value)
		p.leaf("ram:LineThree", a.Line3.Value)
		p.leaf("ram:CityName", a.City.Value)
		p.leaf("ram:CountryID", a.Country.Value)
		p.leaf("ram:CountrySubDivisionName", a.Subdivision.Value)
	})
}

func (i *Invoice) ciiWriteDelivery(p *pen) {
	if d := i.Delivery; d != nil {
		p.group("ram:ShipToTradeParty", func() {
			ciiID(p, d.Location)
			p.leaf("ram:Name", d.Name.Value)
			d.Address.cii(p)
		})
		p.group("ram:ActualDeliverySupplyChainEvent", func() { p.day("ram:OccurrenceDateTime", "udt:DateTimeString", d.Date) })
	}
	p.in("ram:DespatchAdviceReferencedDocument", "ram:IssuerAssignedID", i.DespatchAdvice.Value)
	p.in("ram:ReceivingAdviceReferencedDocument", "ram:IssuerAssignedID", i.ReceivingAdvice.Value)
}

func (i *Invoice) ciiSettlement(p *pen) {
	y, mandate := i.Payment, ""
	if y != nil && y.DirectDebit != nil {
		p.leaf("ram:CreditorReferenceID", y.DirectDebit.Creditor.Value)
		mandate = y.DirectDebit.Mandate.Value
	}
	if y != nil {
		p.leaf("ram:PaymentReference", y.Remittance.Value)
	}
	p.leaf("ram:TaxCurrencyCode", i.TaxCurrency.Value)
	p.leaf("ram:InvoiceCurrencyCode", i.Currency.Value)
	if i.Payee != nil {
		p.group("ram:PayeeTradeParty", func() { i.Payee.cii(p) })
	}
	if y != nil {
		for k := range max(1, len(y.Transfers)) {
			y.cii(p, k)
		}
	}
	for k, e := range i.Breakdown {
		p.group("ram:ApplicableTradeTax", func() {
			p.number("ram:CalculatedAmount", e.Tax)
			p.leaf("ram:TypeCode", "VAT")
			p.leaf("ram:ExemptionReason", e.Reason.Value)
			p.number("ram:BasisAmount", e.Base)
			p.leaf("ram:CategoryCode", e.Category.Value)
			p.leaf("ram:ExemptionReasonCode", e.ReasonCode.Value)
			if k == 0 {
				p.day("ram:TaxPointDate", "udt:DateString", i.TaxPointDate)
			}
			code := i.TaxPointCode.Value
			for _, c := range pointCodes {
				if code == c[1] {
					code = c[0]
					break
				}
			}
			p.leaf("ram:DueDateTypeCode", code)
			p.number("ram:RateApplicablePercent", e.Rate)
		})
	}
	i.Period.cii(p)
	for _, a := range i.Allowances {
		a.cii(p, "false", true)
	}
	for _, c := range i.Charges {
		c.cii(p, "true", true)
	}
	p.group("ram:SpecifiedTradePaymentTerms", func() {
		p.leaf("ram:Description", i.PaymentTerms.Value)
		p.day("ram:DueDateDateTime", "udt:DateTimeString", i.DueDate)
		p.leaf("ram:DirectDebitMandateID", mandate)
	})
	t := &i.Totals
	p.group("ram:SpecifiedTradeSettlementHeaderMonetarySummation", func() {
		p.number("ram:LineTotalAmount", t.Lines)
		p.number("ram:ChargeTotalAmount", t.Charges)
		p.number("ram:AllowanceTotalAmount", t.Allowances)
		p.number("ram:TaxBasisTotalAmount", t.WithoutTax)
		p.number("ram:TaxTotalAmount", t.Tax, "currencyID", i.Currency.Value)
		p.number("ram:TaxTotalAmount", t.TaxAccounting, "currencyID", i.TaxCurrency.Value)
		p.number("ram:RoundingAmount", t.Rounding)
		p.number("ram:GrandTotalAmount", t.WithTax)
		p.number("ram:TotalPrepaidAmount", t.Paid)
		p.number("ram:DuePayableAmount", t.Due)
	})
	for _, b := range i.Preceding {
		p.group("ram:InvoiceReferencedDocument", func() {
			p.leaf("ram:IssuerAssignedID", b.Number.Value)
			p.day("ram:FormattedIssueDateTime", "qdt:DateTimeString", b.IssueDate)
		})
	}
	p.in("ram:ReceivableSpecifiedTradeAccountingAccount", "ram:ID", i.BuyerAccounting.Value)
}

func (y *Payment) cii(p *pen, k int) {
	p.group("ram:SpecifiedTradeSettlementPaymentMeans", func() {
		p.leaf("ram:TypeCode", y.Means.Value)
		p.leaf("ram:Information", y.MeansText.Value)
		if c := y.Card; c != nil && k == 0 {
			p.group("ram:ApplicableTradeSettlementFinancialCard", func() {
				p.leaf("ram:ID", c.Number.Value)
				p.leaf("ram:CardholderName", c.Holder.Value)
			})
		}
		if d := y.DirectDebit; d != nil && k == 0 {
			p.in("ram:PayerPartyDebtorFinancialAccount", "ram:IBANID", d.Account.Value)
		}
		if k < len(y.Transfers) {
			t := y.Transfers[k]
			p.group("ram:PayeePartyCreditorFinancialAccount", func() {
				account := "ram:ProprietaryID"
				if isIBAN(t.Account.Value) {
					account = "ram:IBANID"
				}
				if account == "ram:IBANID" {
					p.leaf(account, t.Account.Value)
				}
				p.leaf("ram:AccountName", t.Name.Value)
				if account != "ram:IBANID" {
					p.leaf(account, t.Account.Value)
				}
			})
			p.in("ram:PayeeSpecifiedCreditorFinancialInstitution", "ram:BICID", t.Bank.Value)
		}
	})
}

// isIBAN looks at the form only: two letters, two digits.
func isIBAN(s string) bool {
	return len(s) > 4 && s[0] >= 'A' && s[0] <= 'Z' && s[1] >= 'A' && s[1] <= 'Z' && s[2] >= '0' && s[2] <= '9' && s[3] >= '0' && s[3] <= '9'
}

func (d *Period) cii(p *pen) {
	if d == nil {
		return
	}
	p.group("ram:BillingSpecifiedPeriod", func() {
		p.day("ram:StartDateTime", "udt:DateTimeString", d.Start)
		p.day("ram:EndDateTime", "udt:DateTimeString", d.End)
	})
}

func (c *Charge) cii(p *pen, indicator string, taxed bool) {
	p.group("ram:SpecifiedTradeAllowanceCharge", func() {
		p.in("ram:ChargeIndicator", "udt:Indicator", indicator)
		p.number("ram:CalculationPercent", c.Percent)
		p.number("ram:BasisAmount", c.Base)
		p.number("ram:ActualAmount", c.Amount)
		p.leaf("ram:ReasonCode", c.ReasonCode.Value)
		p.leaf("ram:Reason", c.Reason.Value)
		if taxed {
			ciiTax(p, "ram:CategoryTradeTax", c.Category, c.Rate)
		}
	})
}

func ciiTax(p *pen, name string, category Text, rate Number) {
	if category.Value == "" {
		return
	}
	p.group(name, func() {
		p.leaf("ram:TypeCode", "VAT")
		p.leaf("ram:CategoryCode", category.Value)
		p.number("ram:RateApplicablePercent", rate)
	})
}

func (l *Line) cii(p *pen) {
	p.group("ram:IncludedSupplyChainTradeLineItem", func() {
		p.group("ram:AssociatedDocumentLineDocument", func() {
			p.leaf("ram:LineID", l.ID.Value)
			p.in("ram:IncludedNote", "ram:Content", l.Note.Value)
		})
		p.group("ram:SpecifiedTradeProduct", func() {
			p.id("ram:GlobalID", l.StandardItem)
			p.leaf("ram:SellerAssignedID", l.SellerItem.Value)
			p.leaf("ram:BuyerAssignedID", l.BuyerItem.Value)
			p.leaf("ram:Name", l.Name.Value)
			p.leaf("ram:Description", l.Description.Value)
			for _, a := range l.Attributes {
				p.group("ram:ApplicableProductCharacteristic", func() {
					p.leaf("ram:Description", a.Name.Value)
					p.leaf("ram:Value", a.Value.Value)
				})
			}
			for _, c := range l.Classes {
				p.in("ram:DesignatedProductClassification", "ram:ClassCode", c.Value, "listID", c.Scheme, "listVersionID", c.Version)
			}
			p.in("ram:OriginTradeCountry", "ram:ID", l.Origin.Value)
		})
		p.group("ram:SpecifiedLineTradeAgreement", func() {
			p.in("ram:BuyerOrderReferencedDocument", "ram:LineID", l.OrderLine.Value)
			if l.GrossPrice.Given {
				p.group("ram:GrossPriceProductTradePrice", func() {
					p.number("ram:ChargeAmount", l.GrossPrice)
					p.number("ram:BasisQuantity", l.PriceBase, "unitCode", l.PriceBaseUnit.Value)
					if l.Discount.Given {
						p.group("ram:AppliedTradeAllowanceCharge", func() {
							p.in("ram:ChargeIndicator", "udt:Indicator", "false")
							p.number("ram:ActualAmount", l.Discount)
						})
					}
				})
			}
			p.group("ram:NetPriceProductTradePrice", func() {
				p.number("ram:ChargeAmount", l.Price)
				p.number("ram:BasisQuantity", l.PriceBase, "unitCode", l.PriceBaseUnit.Value)
			})
		})
		p.group("ram:SpecifiedLineTradeDelivery", func() { p.number("ram:BilledQuantity", l.Quantity, "unitCode", l.Unit.Value) })
		p.group("ram:SpecifiedLineTradeSettlement", func() {
			ciiTax(p, "ram:ApplicableTradeTax", l.Category, l.Rate)
			l.Period.cii(p)
			for _, a := range l.Allowances {
				a.cii(p, "false", false)
			}
			for _, c := range l.Charges {
				c.cii(p, "true", false)
			}
			p.group("ram:SpecifiedTradeSettlementLineMonetarySummation", func() { p.number("ram:LineTotalAmount", l.Net) })
			ciiWriteObject(p, l.Object)
			p.in("ram:ReceivableSpecifiedTradeAccountingAccount", "ram:ID", l.BuyerAccounting.Value)
		})
	})
}
