package rules

import (
	"regexp"
	"strings"

	"github.com/viadukt-eu/viadukt/edocument/decimal"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// national are the rules of single countries for UBL, a pattern a country. They hold where the supplier is from the
// country, or both parties are.
func (u *vocabulary) national() [][]*context {
	return [][]*context{
		u.norway(), u.denmark(), u.italy(), u.sweden(), u.greece(), u.greeceBoth(), u.iceland(), u.netherlands(), u.germany(),
	}
}

func supplierIs(country string) test {
	return party(func(f *billingFacts) bool { return f.supplier == country })
}

func (u *vocabulary) norway() []*context {
	vat, other := u.path("PartyTaxScheme[TaxScheme/ID~VAT]/CompanyID"), u.path("PartyTaxScheme[TaxScheme/ID~TAX]/CompanyID")
	return []*context{u.on("AccountingSupplierParty/Party",
		should("NO-R-002", func(x *eval) bool { return normalize(other.string(x, x.n)) == "Foretaksregisteret" }),
		must("NO-R-001", func(x *eval) bool { return norwegianVAT(vat.string(x, x.n)) })).where(supplierIs("NO"))}
}

// norwegianVAT: an identifier that begins with NO has nine digits with check digit and MVA behind it.
func norwegianVAT(s string) bool {
	if prefix2(s) != "NO" {
		return true
	}
	return len(s) == 14 && s[11:] == "MVA" && mod11(s[2:11])
}

func (u *vocabulary) denmark() []*context {
	from := party(func(f *billingFacts) bool { return f.fromRaw == "DK" })
	both := party((*billingFacts).danish)
	id := u.path("PaymentID")
	starts := func(x *eval, cards ...string) bool {
		s := id.string(x, x.n)
		return len(s) >= 3 && among(s[:3], cards)
	}
	code := func(c ...string) test { return u.is("PaymentMeansCode", c...) }
	account := u.path("PayeeFinancialAccount/ID")
	accountText := u.path("PayeeFinancialAccount/ID/text()")
	due, schemes, codeText := u.path("LegalMonetaryTotal/PayableAmount/text()"), u.path("AccountingSupplierParty/Party/PartyLegalEntity/CompanyID"), u.path("PaymentMeansCode")
	classes := u.path("Item/CommodityClassification/ItemClassificationCode")
	reason, reasonCode := u.path("AllowanceChargeReason"), u.path("AllowanceChargeReasonCode")
	legal := func(p *path) test {
		return func(x *eval) bool {
			n := p.find(x, x.n)
			return !n.Valid() || normalize(n.Attr("schemeID")) == "0184"
		}
	}
	return []*context{
		u.on("/",
			must("DK-R-002", u.filled("AccountingSupplierParty/Party/PartyLegalEntity/CompanyID/text()")),
			must("DK-R-014", legal(schemes)),
			must("DK-R-016", func(x *eval) bool {
				return x.root.Local() != "CreditNote" || x.facts.(*billingFacts).toRaw != "DK" || !(double(due.string(x, x.n)) < 0)
			})).where(from),
		u.on("/AccountingSupplierParty/Party/PartyIdentification|/AccountingCustomerParty/Party/PartyIdentification",
			must("DK-R-013", either(u.hasNot("ID"), not(u.reads("ID@schemeID", ""))))).where(both),
		u.on("/PaymentMeans",
			must("DK-R-005", func(x *eval) bool {
				return strings.Contains(" 1 10 31 42 48 49 50 58 59 93 97 ", " "+codeText.string(x, x.n)+" ")
			}),
			must("DK-R-006", either(not(code("31", "42")), all(u.filled("PayeeFinancialAccount/ID/text()"), u.filled("PayeeFinancialAccount/FinancialInstitutionBranch/ID/text()")))),
			must("DK-R-007", either(not(code("49")), all(u.filled("PaymentMandate/ID/text()"), u.filled("PaymentMandate/PayerFinancialAccount/ID/text()")))),
			must("DK-R-008", either(not(code("50")), func(x *eval) bool { return starts(x, "01#", "04#", "15#") && digits(account.string(x, x.n), 7, 8) })),
			must("DK-R-009", either(not(code("50")), func(x *eval) bool { return !starts(x, "04#", "15#") || runes(id.string(x, x.n)) == 19 })),
			must("DK-R-010", either(not(code("93")), func(x *eval) bool { return starts(x, "71#", "73#", "75#") && runes(accountText.string(x, x.n)) == 8 })),
			must("DK-R-011", either(not(code("93")), func(x *eval) bool {
				n := runes(id.string(x, x.n))
				return !starts(x, "71#", "75#") || n == 18 || n == 19
			}))).where(all(both, func(x *eval) bool { return x.root.Local() == "Invoice" })),
		u.on("/AccountingCustomerParty/Party", must("DK-R-017", legal(u.path("PartyLegalEntity/CompanyID")))).where(both),
		u.on("/CreditNoteLine|/InvoiceLine", must("DK-R-003", func(x *eval) bool {
			classified, current := false, false
			classes.walk(x, x.n, func(c dom.Node) bool {
				classified = classified || c.Attr("listID") == "TST"
				current = current || among(c.Attr("listVersionID"), []string{"19.05.01", "19.0501", "26.08.01", "26.0801"})
				return false
			})
			return !classified || current
		})).where(both),
		u.on("AllowanceCharge", must("DK-R-004", func(x *eval) bool {
			return !reasonCode.walk(x, x.n, func(c dom.Node) bool { return c.Text() == "ZZZ" }) || danishTax(reason.string(x, x.n))
		})).where(both),
	}
}

// danishTax: a tax that is not VAT is named by four digits, or by two parts with a number sign between.
func danishTax(s string) bool {
	if n := double(s); runes(normalize(s)) == 4 && n >= 0 && n <= 9999 {
		return true
	}
	return strings.Contains(s, "#") && !strings.HasPrefix(s, "#") && !strings.HasSuffix(s, "#")
}

// swedishRate: a rate of VAT is one of the Swedish ones.
func swedishRate(s string) bool { r := double(s); return r == 25 || r == 12 || r == 6 }

func runes(s string) int { return len([]rune(s)) }

var italianNumber = regexp.MustCompile(`^[A-Z0-9]{11,16}$`)

func (u *vocabulary) italy() []*context {
	company := u.path("CompanyID")
	notVAT := func(x *eval) bool { return !u.reads("TaxScheme/ID", "VAT")(x) }
	return []*context{
		u.on("AccountingSupplierParty/Party/PartyTaxScheme", must("IT-R-001", func(x *eval) bool { return italianNumber.MatchString(normalize(company.string(x, x.n))) })).where(all(supplierIs("IT"), notVAT)),
		u.on("AccountingSupplierParty/Party", must("IT-R-002", u.has("PostalAddress/StreetName")), must("IT-R-003", u.has("PostalAddress/CityName")),
			must("IT-R-004", u.has("PostalAddress/PostalZone"))).where(supplierIs("IT")),
	}
}

func (u *vocabulary) sweden() []*context {
	vat := u.path("PartyTaxScheme[TaxScheme/ID=VAT]/CompanyID")
	inSweden := u.has("PostalAddress/Country/IdentificationCode[=SE]")
	registered := func(x *eval) bool {
		return inSweden(x) && vat.walk(x, x.n, func(n dom.Node) bool { return prefix2(n.Text()) == "SE" })
	}
	company := u.path("CompanyID")
	seller, buyer := u.has("//AccountingSupplierParty/Party/PostalAddress/Country/IdentificationCode[=SE]"), u.has("//AccountingCustomerParty/Party/PostalAddress/Country/IdentificationCode[=SE]")
	scheme := u.path("../TaxScheme/ID")
	rate := u.path("Percent")
	swedishRate := func(x *eval) bool { return swedishRate(rate.string(x, x.n)) }
	giro := func(name string) test {
		return all(u.has("../../PaymentMeansCode[~30]"), u.has("../../PayeeFinancialAccount/FinancialInstitutionBranch/ID[~"+name+"]"), seller)
	}
	self := func(f func(s string) bool) test { return func(x *eval) bool { return f(normalize(x.n.Text())) } }
	return []*context{
		u.on("AccountingSupplierParty/Party",
			must("SE-R-001", func(x *eval) bool { return runes(normalize(vat.string(x, x.n))) == 14 }),
			must("SE-R-002", func(x *eval) bool {
				s := []rune(vat.string(x, x.n))
				return len(s) > 2 && isNumber(string(s[2:min(14, len(s))]))
			})).where(registered),
		u.on("AccountingSupplierParty/Party/PartyLegalEntity",
			must("SE-R-003", func(x *eval) bool { return isNumber(company.string(x, x.n)) }),
			must("SE-R-004", func(x *eval) bool { return runes(normalize(company.string(x, x.n))) == 10 }),
			must("SE-R-013", func(x *eval) bool { return swedish(normalize(company.string(x, x.n))) })).
			where(all(u.has("../PostalAddress/Country/IdentificationCode[=SE]"), u.has("CompanyID"))),
		u.on("AccountingSupplierParty/Party/PartyTaxScheme/CompanyID",
			must("SE-R-005", func(x *eval) bool { return normalize(strings.ToUpper(x.n.Text())) == "GODKÄND FÖR F-SKATT" })).
			where(all(u.has("../../PostalAddress/Country/IdentificationCode[=SE]"), u.has("../../PartyLegalEntity/CompanyID"),
				func(x *eval) bool { return normalize(strings.ToUpper(scheme.string(x, x.n))) != "VAT" })),
		u.on("TaxCategory[ID=S]|ClassifiedTaxCategory[ID=S]", must("SE-R-006", swedishRate)).where(party(func(f *billingFacts) bool { return f.swedish })),
		u.on("PaymentMeans/PayeeFinancialAccount/ID",
			should("SE-R-007", self(isNumber)), should("SE-R-010", self(func(s string) bool { return runes(s) >= 2 && runes(s) <= 8 }))).where(giro("SE:PLUSGIRO")),
		u.on("PaymentMeans/PayeeFinancialAccount/ID",
			should("SE-R-008", self(isNumber)), should("SE-R-009", self(func(s string) bool { return runes(s) == 7 || runes(s) == 8 }))).where(giro("SE:BANKGIRO")),
		u.on("PaymentMeans[PaymentMeansCode=50]|PaymentMeans[PaymentMeansCode=56]", should("SE-R-011", never)).where(seller),
		u.on("PaymentMeans[PaymentMeansCode=31]", should("SE-R-012", never)).where(all(seller, buyer)),
	}
}

var (
	greekDate = regexp.MustCompile(`^(0?[1-9]|[12][0-9]|3[01])[-\\/ ]?(0?[1-9]|1[0-2])[-\\/ ]?(19|20)[0-9]{2}`)
	greekMark = regexp.MustCompile(`^[1-9]`)
)

func (u *vocabulary) greece() []*context {
	sender := party((*billingFacts).greekSender)
	address := u.has("/AccountingSupplierParty/Party/PostalAddress/Country/IdentificationCode[=GR]")
	issued := u.path("/IssueDate")
	sellerVAT, agentVAT := u.path("/AccountingSupplierParty/Party/PartyTaxScheme[TaxScheme/ID=VAT]/CompanyID"), u.path("/TaxRepresentativeParty/PartyTaxScheme[TaxScheme/ID=VAT]/CompanyID")
	part := func(k int, f func(x *eval, s string) bool) test {
		return func(x *eval) bool {
			parts := strings.Split(x.n.Text(), "|")
			return len(parts) >= k && f(x, parts[k-1])
		}
	}
	filled := func(_ *eval, s string) bool { return s != "" }
	number := func(x *eval, s string) bool {
		if runes(normalize(s)) != 9 || !greek(s) {
			return false
		}
		same := func(n dom.Node) bool {
			r := []rune(n.Text())
			return len(r) > 2 && string(r[2:min(11, len(r))]) == s
		}
		return sellerVAT.walk(x, x.n, same) || agentVAT.walk(x, x.n, same)
	}
	date := func(x *eval, s string) bool {
		d, i := strings.Split(s, "/"), strings.Split(issued.string(x, x.n), "-")
		return greekDate.MatchString(s) && len(d) >= 3 && len(i) >= 3 && d[0] == i[2] && d[1] == i[1] && d[2] == i[0]
	}
	count := func(x *eval) bool { s := x.n.Text(); return s != "" && strings.Count(s, "|") == 5 }
	marks, urls := "AdditionalDocumentReference[DocumentDescription=##M.AR.K##]", "AdditionalDocumentReference[DocumentDescription=##INVOICE|URL##]"
	url := u.path(urls)
	vat := u.path("PartyTaxScheme[TaxScheme/ID~VAT]/CompanyID")
	isURL := u.path("DocumentDescription")
	endpoint := func(x *eval) bool { return x.n.Attr("schemeID") == "9933" && greek(x.n.Text()) }
	return []*context{
		u.on("/ID",
			must("GR-R-001-1", count), must("GR-R-001-2", part(1, number)), must("GR-R-001-3", part(2, date)),
			must("GR-R-001-4", part(3, func(_ *eval, s string) bool { return integer.MatchString(s) && decimal.Read(s).Sign() >= 0 })),
			must("GR-R-001-5", part(4, func(_ *eval, s string) bool { return codeList("greek-document-type")[s] })),
			must("GR-R-001-6", part(5, filled)), must("GR-R-001-7", part(6, filled))).where(sender),
		u.on("AccountingSupplierParty/Party", must("GR-R-002", u.text("PartyName/Name")), should("GR-S-011", greekParty(vat))).where(sender),
		u.on("AccountingSupplierParty/Party/PartyTaxScheme[TaxScheme/ID~VAT]/CompanyID", must("GR-R-003", func(x *eval) bool { return greekVAT(x.n.Text()) })).where(sender),
		u.on("/", must("GR-R-004-1", u.exactly(1, marks)), should("GR-S-008-1", func(x *eval) bool { return url.count(x, x.n) == 1 }),
			must("GR-R-008-2", func(x *eval) bool { return url.count(x, x.n) <= 1 })).where(all(sender, address)),
		u.on(marks+"/ID", must("GR-R-004-2", func(x *eval) bool { return greekMark.MatchString(x.n.Text()) })).where(all(sender, address)),
		u.on("AdditionalDocumentReference", must("GR-R-008-3", u.filled("Attachment/ExternalReference/URI"))).
			where(all(sender, func(x *eval) bool {
				return isURL.walk(x, x.n, func(n dom.Node) bool { return n.Text() == "##INVOICE|URL##" })
			})),
		u.on("AccountingCustomerParty/Party", must("GR-R-005", u.text("PartyName/Name"))).where(sender),
		u.on("AccountingSupplierParty/Party/EndpointID", must("GR-R-009", endpoint)).
			where(party(func(f *billingFacts) bool { return f.accounting == "GR" || f.accounting == "EL" })),
	}
}

// text: the first node of the path has text, be it white space.
func (v *vocabulary) text(p string) test {
	q := v.path(p)
	return func(x *eval) bool { return q.string(x, x.n) != "" }
}

func greekVAT(s string) bool { return strings.HasPrefix(s, "EL") && greek(s[2:]) }

func greekParty(vat *path) test {
	return func(x *eval) bool { return vat.count(x, x.n) == 1 && greekVAT(vat.string(x, x.n)) }
}

func (u *vocabulary) greeceBoth() []*context {
	both := party((*billingFacts).greekBoth)
	return []*context{
		u.on("AccountingCustomerParty/Party", must("GR-R-006", greekParty(u.path("PartyTaxScheme[TaxScheme/ID~VAT]/CompanyID")))).where(both),
		u.on("AccountingCustomerParty/Party/EndpointID", must("GR-R-010", func(x *eval) bool { return x.n.Attr("schemeID") == "9933" && greek(x.n.Text()) })).where(both),
	}
}

func (u *vocabulary) iceland() []*context {
	from := party(func(f *billingFacts) bool { return f.fromRaw == "IS" })
	both := party(func(f *billingFacts) bool { return f.fromRaw == "IS" && f.toRaw == "IS" })
	legal := func(p string) test {
		return u.has(p + "[@schemeID=0196]")
	}
	account := func(code string) test {
		q := u.path("PaymentMeans[PaymentMeansCode=" + code + "]/PayeeFinancialAccount/ID")
		return either(u.hasNot("PaymentMeans[PaymentMeansCode="+code+"]"), func(x *eval) bool { return runes(normalize(q.string(x, x.n))) == 12 })
	}
	final, due := u.path("AdditionalDocumentReference[DocumentDescription=EINDAGI]/ID"), u.path("DueDate")
	without := u.hasNot("AdditionalDocumentReference[DocumentDescription=EINDAGI]")
	return []*context{
		u.on("/",
			should("IS-R-001", either(u.reads("InvoiceTypeCode", "380", "381"), u.reads("CreditNoteTypeCode", "380", "381"))),
			must("IS-R-002", legal("AccountingSupplierParty/Party/PartyLegalEntity/CompanyID")),
			must("IS-R-003", all(u.has("AccountingSupplierParty/Party/PostalAddress/StreetName"), u.has("AccountingSupplierParty/Party/PostalAddress/PostalZone"))),
			must("IS-R-006", account("9")), must("IS-R-007", account("42")),
			must("IS-R-008", either(without, func(x *eval) bool { s := final.string(x, x.n); return len(s) == 10 && isDate(s) })),
			must("IS-R-009", either(without, u.has("DueDate"))),
			must("IS-R-010", either(without, func(x *eval) bool {
				return due.walk(x, x.n, func(d dom.Node) bool {
					return final.walk(x, x.n, func(e dom.Node) bool { return d.Text() <= e.Text() })
				})
			}))).where(from),
		u.on("/AccountingCustomerParty", must("IS-R-004", legal("Party/PartyLegalEntity/CompanyID")),
			must("IS-R-005", all(u.has("Party/PostalAddress/StreetName"), u.has("Party/PostalAddress/PostalZone")))).where(both),
	}
}

func (u *vocabulary) netherlands() []*context {
	from := party(func(f *billingFacts) bool { return f.from == "NL" })
	both := party(func(f *billingFacts) bool { return f.from == "NL" && f.to == "NL" })
	agent := party(func(f *billingFacts) bool { return f.from == "NL" && f.agent == "NL" })
	complete := all(u.has("StreetName"), u.has("CityName"), u.has("PostalZone"))
	due := u.path("PayableAmount")
	return []*context{
		u.on("CreditNoteTypeCode", must("NL-R-001", u.has("/BillingReference/InvoiceDocumentReference/ID"))).where(from),
		u.on("AccountingSupplierParty/Party/PostalAddress", must("NL-R-002", complete)).where(from),
		u.on("AccountingSupplierParty/Party/PartyLegalEntity/CompanyID", must("NL-R-003", dutchID)).where(from),
		u.on("AccountingCustomerParty/Party/PostalAddress", must("NL-R-004", complete)).where(both),
		u.on("AccountingCustomerParty/Party/PartyLegalEntity/CompanyID", must("NL-R-005", dutchID)).where(both),
		u.on("TaxRepresentativeParty/PostalAddress", must("NL-R-006", complete)).where(agent),
		u.on("LegalMonetaryTotal", must("NL-R-007", either(func(x *eval) bool {
			d := due.value(x, x.n)
			if x.root.Local() == "Invoice" {
				return !d.IsNaN() && d.Sign() <= 0
			}
			return !d.IsNaN() && d.Sign() >= 0
		}, u.has("//PaymentMeans")))).where(from),
		u.on("PaymentMeans", must("NL-R-008", u.reads("PaymentMeansCode", "30", "48", "49", "57", "58", "59"))).where(both),
		u.on("OrderLineReference/LineID", must("NL-R-009", u.has("/OrderReference/ID"))).where(from),
	}
}

func dutchID(x *eval) bool {
	s := " " + x.n.Attr("schemeID") + " "
	return (strings.Contains(s, " 0106 ") || strings.Contains(s, " 0190 ")) && !blank(x.n.Text())
}
