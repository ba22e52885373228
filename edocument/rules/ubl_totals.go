package rules

import (
	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/edocument/decimal"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// sumOfLines is BT-106 = Σ BT-131.
func (u *vocabulary) sumOfLines() test {
	stated := u.path("LineExtensionAmount")
	invoice, credit := u.path("//InvoiceLine/LineExtensionAmount"), u.path("//CreditNoteLine/LineExtensionAmount")
	return func(x *eval) bool {
		sum := invoice.sumOfOne(x, x.n).Add(credit.sumOfOne(x, x.n)).Round(2)
		return x.equal(stated.value(x, x.n), "BT-106", sum, "Σ BT-131")
	}
}

// sumOfCharges is BT-107 = Σ BT-92 and BT-108 = Σ BT-99; neither side needs to exist.
func (u *vocabulary) sumOfCharges(total, kind, name string) test {
	stated, charges, amounts := u.path(total), u.path("../AllowanceCharge["+kind+"]"), u.path("../AllowanceCharge["+kind+"]/Amount")
	terms := "Σ BT-92"
	if kind == "T" {
		terms = "Σ BT-99"
	}
	return func(x *eval) bool {
		n := stated.find(x, x.n)
		if !n.Valid() && !charges.find(x, x.n).Valid() {
			return true
		}
		return x.equal(stated.value(x, x.n), name, amounts.sumOfOne(x, x.n).Round(2), terms)
	}
}

// totalWithoutVAT is BT-109 = BT-106 - BT-107 + BT-108; without allowances and charges nothing is rounded.
func (u *vocabulary) totalWithoutVAT() test {
	stated, lines := u.path("TaxExclusiveAmount"), u.path("LineExtensionAmount")
	allowances, charges := u.path("AllowanceTotalAmount"), u.path("ChargeTotalAmount")
	return func(x *eval) bool {
		sum, terms, rounded := lines.value(x, x.n), "BT-106", false
		if n := allowances.one(x, x.n); n.Valid() {
			sum, terms, rounded = sum.Sub(decimal.Read(n.Text())), terms+" - BT-107", true
		}
		if n := charges.one(x, x.n); n.Valid() {
			sum, terms, rounded = sum.Add(decimal.Read(n.Text())), terms+" + BT-108", true
		}
		if rounded {
			sum = sum.Round(2)
		}
		return x.equal(stated.value(x, x.n), "BT-109", sum, terms)
	}
}

// totalWithVAT is BT-112 = BT-109 + BT-110, where there is one BT-110 in the currency of the invoice.
func (u *vocabulary) totalWithVAT() test {
	currency, taxes := u.path("DocumentCurrencyCode"), u.path("TaxTotal/TaxAmount")
	without, with := u.path("LegalMonetaryTotal/TaxExclusiveAmount"), u.path("LegalMonetaryTotal/TaxInclusiveAmount")
	return func(x *eval) bool {
		root := x.n
		return !currency.walk(x, root, func(c dom.Node) bool {
			k, tax := 0, decimal.NaN
			taxes.walk(x, root, func(a dom.Node) bool {
				if amountIn(a, c.Text()) {
					k++
					tax = decimal.Read(a.Text())
				}
				return false
			})
			if k != 1 {
				x.note = "the currency is " + edocument.Clip(c.Text()) + ", VAT totals in it: " + decimal.New(int64(k), 0).String()
				x.fix = "Give exactly one VAT total (BT-110) in the currency of the invoice (BT-5)."
				return true
			}
			return !x.equal(with.value(x, root), "BT-112", without.value(x, root).Add(tax).Round(2), "BT-109 + BT-110")
		})
	}
}

// amountDue is BT-115 = BT-112 - BT-113 + BT-114; nothing is rounded where BT-113 and BT-114 are absent.
func (u *vocabulary) amountDue() test {
	due, with, paid, rounding := u.path("PayableAmount"), u.path("TaxInclusiveAmount"), u.path("PrepaidAmount"), u.path("PayableRoundingAmount")
	return func(x *eval) bool {
		stated, sum, terms := due.value(x, x.n), with.value(x, x.n), "BT-112"
		if n := paid.one(x, x.n); n.Valid() {
			sum, terms = sum.Sub(decimal.Read(n.Text())).Round(2), terms+" - BT-113"
		}
		if n := rounding.one(x, x.n); n.Valid() {
			r := decimal.Read(n.Text())
			if stated.Sub(r).Round(2).Equal(sum) {
				return true
			}
			return x.explain(stated, "BT-115", sum.Add(r), terms+" + BT-114")
		}
		return x.equal(stated, "BT-115", sum, terms)
	}
}

// sumOfTaxes is BT-110 = Σ BT-117.
func (u *vocabulary) sumOfTaxes() test {
	stated, parts, amounts := u.path("TaxAmount"), u.path("TaxSubtotal"), u.path("TaxSubtotal/TaxAmount")
	return func(x *eval) bool {
		return !parts.find(x, x.n).Valid() || x.equal(stated.value(x, x.n), "BT-110", amounts.sumOfOne(x, x.n).Round(2), "Σ BT-117")
	}
}

// taxOfCategory is BT-117 = BT-116 × BT-119 / 100, with room for rounding by less than one unit.
func (u *vocabulary) taxOfCategory() test {
	rate, tax, base := u.path("TaxCategory[VAT]/Percent"), u.path("TaxAmount"), u.path("TaxableAmount")
	return func(x *eval) bool {
		return x.taxAtRate(rate.one(x, x.n), tax.value(x, x.n), base, false)
	}
}

// taxAtRate judges one entry of the VAT breakdown; a rate that rounds to nothing, or is absent, leaves no tax. With
// closed, a difference of exactly one unit is allowed too.
func (x *eval) taxAtRate(rate dom.Node, tax decimal.Decimal, taxable *path, closed bool) bool {
	r := decimal.Decimal{}
	if rate.Valid() {
		r = decimal.Read(rate.Text())
	}
	if r.Round(0).IsZero() {
		return tax.Round(0).IsZero() || x.explain(tax, "BT-117", decimal.New(0, 2), "BT-116 × BT-119 / 100")
	}
	base := taxable.value(x, x.n)
	want := base.Abs().Mul(r).Mul(decimal.New(1, 2)).Round(2)
	difference := tax.Abs().Sub(want).Abs()
	if difference.Less(one) || closed && difference.Equal(one) {
		return true
	}
	if base.Sign() < 0 {
		want = want.Neg()
	}
	return x.explain(tax, "BT-117", want, "BT-116 × BT-119 / 100")
}
