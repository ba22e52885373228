package rules

import (
	"regexp"
	"strings"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

var (
	discountLine = regexp.MustCompile(`(^|\r?\n)#(SKONTO)#TAGE=([0-9]+#PROZENT=[0-9]+\.[0-9]{2})(#BASISBETRAG=-?[0-9]+\.[0-9]{2})?#$`)
	discountPart = regexp.MustCompile(`#.+#`)
	ownLine      = regexp.MustCompile(`^\s*\n`)
	mailAddress  = regexp.MustCompile(`^[^@\s]+@([^@.\s]+\.)+[^@.\s]+$`)
	absoluteURL  = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9+.-]+:`)
)

// germany are the rules where both parties have German addresses.
func (u *vocabulary) germany() []*context {
	both := party((*billingFacts).german)
	iban := func(p string) test {
		q := u.path(p)
		return func(x *eval) bool { return iban(q.string(x, x.n)) }
	}
	code := func(codes ...string) string {
		var at []string
		for _, c := range codes {
			at = append(at, "/PaymentMeans[PaymentMeansCode~"+c+"]")
		}
		return strings.Join(at, "|")
	}
	taxed := []string{"S", "Z", "E", "AE", "K", "G", "L", "M"}
	phone, mail, url := u.path("Telephone"), u.path("ElectronicMail"), u.path("URI")
	contexts := []*context{
		u.on("/",
			must("DE-R-001", u.has("PaymentMeans")), must("DE-R-015", u.anyFilled("BuyerReference")),
			must("DE-R-016", either(
				not(either(u.is("AllowanceCharge[ChargeIndicator=false]/TaxCategory/ID", taxed...), u.is("AllowanceCharge[ChargeIndicator=true]/TaxCategory/ID", taxed...),
					u.is("InvoiceLine/Item/ClassifiedTaxCategory/ID", taxed...), u.is("CreditNoteLine/Item/ClassifiedTaxCategory/ID", taxed...))),
				u.has("TaxRepresentativeParty"), u.anyFilled("AccountingSupplierParty/Party/PartyTaxScheme/CompanyID"))),
			should("DE-R-017", either(u.reads("InvoiceTypeCode", germanTypes...), u.reads("CreditNoteTypeCode", germanTypes...))),
			must("DE-R-018", u.discounts()), must("DE-R-022", u.attachmentNames()),
			should("DE-R-026", either(not(either(u.reads("InvoiceTypeCode", "384"), u.reads("CreditNoteTypeCode", "384"))), u.has("BillingReference/InvoiceDocumentReference"))),
			must("DE-R-030", either(u.hasNot("PaymentMeans/PaymentMandate"), u.has("AccountingSupplierParty/Party/PartyIdentification/ID[@schemeID=SEPA]"), u.has("PayeeParty/PartyIdentification/ID[@schemeID=SEPA]"))),
			must("DE-R-031", either(u.hasNot("PaymentMeans/PaymentMandate"), u.has("PaymentMeans/PaymentMandate/PayerFinancialAccount/ID")))),
		u.on("/AdditionalDocumentReference/Attachment/ExternalReference", should("DE-R-T02", func(x *eval) bool { return absoluteURL.MatchString(url.string(x, x.n)) })),
		u.on("/AccountingSupplierParty", must("DE-R-002", u.has("Party/Contact"))),
		u.on("/AccountingSupplierParty/Party/PostalAddress", must("DE-R-003", u.anyFilled("CityName")), must("DE-R-004", u.anyFilled("PostalZone"))),
		u.on("/AccountingSupplierParty/Party/Contact",
			must("DE-R-005", u.anyFilled("Name")), must("DE-R-006", u.anyFilled("Telephone")), must("DE-R-007", u.anyFilled("ElectronicMail")),
			should("DE-R-027", func(x *eval) bool { return countDigits(phone.string(x, x.n)) >= 3 }),
			should("DE-R-028", func(x *eval) bool { return mailAddress.MatchString(normalize(mail.string(x, x.n))) })),
		u.on("/AccountingCustomerParty/Party/PostalAddress", must("DE-R-008", u.anyFilled("CityName")), must("DE-R-009", u.anyFilled("PostalZone"))),
		u.on("/Delivery/DeliveryLocation/Address", must("DE-R-010", u.anyFilled("CityName")), must("DE-R-011", u.anyFilled("PostalZone"))),
		u.on(code("30", "58"), should("DE-R-019", either(not(u.reads("PaymentMeansCode", "58")), iban("PayeeFinancialAccount/ID"))),
			must("DE-R-023-1", u.has("PayeeFinancialAccount")), must("DE-R-023-2", all(u.hasNot("CardAccount"), u.hasNot("PaymentMandate")))),
		u.on(code("48", "54", "55"), must("DE-R-024-1", u.has("CardAccount")), must("DE-R-024-2", all(u.hasNot("PayeeFinancialAccount"), u.hasNot("PaymentMandate")))),
		u.on(code("59"), should("DE-R-020", iban("PaymentMandate/PayerFinancialAccount/ID")),
			must("DE-R-025-1", u.has("PaymentMandate")), must("DE-R-025-2", all(u.hasNot("PayeeFinancialAccount"), u.hasNot("CardAccount")))),
		u.on("/TaxTotal/TaxSubtotal", must("DE-R-014", u.anyFilled("TaxCategory/Percent"))),
	}
	for _, c := range contexts {
		c.where(both)
	}
	return contexts
}

var germanTypes = []string{"326", "380", "384", "389", "381", "875", "876", "877"}

func countDigits(s string) int {
	k := 0
	for _, c := range s {
		if c >= '0' && c <= '9' {
			k++
		}
	}
	return k
}

// discounts: a line of the payment terms that begins with a number sign describes a discount, and a line end follows
// the last of them.
func (u *vocabulary) discounts() test {
	terms := u.path("PaymentTerms/Note")
	return func(x *eval) bool {
		s := terms.find(x, x.n).Text()
		for line := range strings.SplitSeq(s, "\n") {
			line = normalize(line)
			if !strings.HasPrefix(line, "#") {
				continue
			}
			parts := discountPart.Split(s, -1)
			if !discountLine.MatchString(line) || !ownLine.MatchString(parts[len(parts)-1]) {
				x.note = line
				return false
			}
		}
		return true
	}
}

// attachmentNames: no two attachments have one file name.
func (u *vocabulary) attachmentNames() test {
	references, files := u.path("AdditionalDocumentReference"), u.path("Attachment/EmbeddedDocumentBinaryObject@filename")
	return func(x *eval) bool {
		seen := map[string]bool{}
		return !references.walk(x, x.n, func(r dom.Node) bool {
			var own []string
			twice := files.walk(x, r, func(f dom.Node) bool {
				own = append(own, f.Text())
				return seen[f.Text()]
			})
			if twice {
				x.note = own[len(own)-1]
			}
			for _, f := range own {
				seen[f] = true
			}
			return twice
		})
	}
}
