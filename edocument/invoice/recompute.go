package invoice

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/viadukt-eu/viadukt/edocument/decimal"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Correction is an amount that does not follow from the amounts it is computed from.
type Correction struct {
	Term    string // "BT-112"
	Was     string // "" when it is missing
	Is      string
	Formula string // "BT-109 + BT-110"
	Node    dom.Node
}

// String says what changes: "BT-112: 123.50 becomes 124.00 (BT-109 + BT-110)".
func (c Correction) String() string {
	if c.Was == "" {
		return fmt.Sprintf("%s: %s is added (%s)", c.Term, c.Is, c.Formula)
	}
	return fmt.Sprintf("%s: %s becomes %s (%s)", c.Term, c.Was, c.Is, c.Formula)
}

// Recompute computes the VAT breakdown (BG-23) and the document totals (BG-22) from lines, allowances and charges, sets
// them, and returns what changed. Lines, rates, payments and roundings are taken as they are. An amount of tax that
// differs by less than one unit, which the standard lets pass, stays, and so does an invoice whose amounts cannot be
// read, stand there more than once, or lack what they are computed from: then the error says which.
func (i *Invoice) Recompute() ([]Correction, error) {
	if err := i.unambiguous(); err != nil {
		return nil, err
	}
	var out []Correction
	var lines, allowances, charges decimal.Decimal
	for k, l := range i.Lines {
		if lines = lines.Add(l.Net.Value); lines.IsNaN() || !l.Net.Given {
			return nil, fmt.Errorf("line %d: the net amount (BT-131) is missing or no number", k+1)
		}
	}
	for _, group := range []struct {
		list []Charge
		sum  *decimal.Decimal
		term string
	}{{i.Allowances, &allowances, "BT-92"}, {i.Charges, &charges, "BT-99"}} {
		for k, c := range group.list {
			if *group.sum = group.sum.Add(c.Amount.Value); group.sum.IsNaN() || !c.Amount.Given {
				return nil, fmt.Errorf("allowance or charge %d: the amount (%s) is missing or no number", k+1, group.term)
			}
		}
	}
	set := func(n *Number, term string, v decimal.Decimal, formula string) {
		v = v.Fix(2)
		if n.Given && n.Value.Equal(v) {
			return
		}
		c := Correction{Term: term, Is: v.String(), Formula: formula, Node: n.Node}
		if n.Given {
			if c.Was = n.Value.String(); n.Value.IsNaN() {
				c.Was = strings.TrimSpace(n.Node.Text())
			}
		}
		out = append(out, c)
		n.Value, n.Given = v, true
	}
	t := &i.Totals
	set(&t.Lines, "BT-106", lines, "Σ BT-131")
	if len(i.Allowances) > 0 || t.Allowances.Given {
		set(&t.Allowances, "BT-107", allowances, "Σ BT-92")
	}
	if len(i.Charges) > 0 || t.Charges.Given {
		set(&t.Charges, "BT-108", charges, "Σ BT-99")
	}
	if len(i.Breakdown) == 0 && !t.Tax.Given {
		return nil, errors.New("neither the VAT breakdown (BG-23) nor the total VAT (BT-110) is there")
	}
	without := lines.Round(2).Sub(allowances.Round(2)).Add(charges.Round(2))
	set(&t.WithoutTax, "BT-109", without, "BT-106 - BT-107 + BT-108")
	tax, err := i.recomputeTax(set)
	if err != nil {
		return nil, err
	}
	if t.Lines.Node.Valid() && !t.Tax.Node.Valid() {
		t.Tax.Given = false // the sum of its parts, and not in the document
	}
	set(&t.Tax, "BT-110", tax, "Σ BT-117")
	with := without.Add(tax.Round(2))
	set(&t.WithTax, "BT-112", with, "BT-109 + BT-110")
	due, formula := with, "BT-112"
	for _, n := range []struct {
		n    Number
		term string
		sign bool
	}{{t.Paid, " - BT-113", true}, {t.Rounding, " + BT-114", false}} {
		if !n.n.Given {
			continue
		}
		if formula += n.term; n.sign {
			due = due.Sub(n.n.Value)
		} else {
			due = due.Add(n.n.Value)
		}
	}
	if due.IsNaN() {
		return nil, fmt.Errorf("the paid amount (BT-113) or the rounding (BT-114) is no number")
	}
	set(&t.Due, "BT-115", due, formula)
	return out, nil
}

// unambiguous complains of what is computed with and stands there more than once.
func (i *Invoice) unambiguous() error {
	for _, p := range i.Problems {
		if p.Term == "BG-20" {
			line, _ := p.Node.Pos()
			return fmt.Errorf("the allowance or charge (BG-20, BG-21) at line %d: %s", line, p.Text)
		}
	}
	once := func(what string, top dom.Node, nodes ...dom.Node) error {
		for _, n := range nodes {
			if repeated(n, top) {
				line, _ := n.Pos()
				return fmt.Errorf("%s: %s at line %d, or what it is in, stands there more than once", what, n.Local(), line)
			}
		}
		return nil
	}
	for k, l := range i.Lines {
		if err := once(fmt.Sprintf("line %d", k+1), l.Node, l.Net.Node, l.Category.Node, l.Rate.Node); err != nil {
			return err
		}
	}
	for _, c := range slices.Concat(i.Allowances, i.Charges) {
		if err := once("allowance or charge", c.Node, c.Amount.Node, c.Category.Node, c.Rate.Node); err != nil {
			return err
		}
	}
	for _, e := range i.Breakdown {
		if err := once("VAT breakdown", e.Node, e.Base.Node, e.Tax.Node, e.Category.Node, e.Rate.Node); err != nil {
			return err
		}
	}
	t := i.Totals
	if n := t.Tax.Node; n.Valid() {
		total, k := n, 0 // UBL has a group for each currency, CII an amount
		if i.Syntax == UBL {
			if err := once("totals", n.Parent(), n); err != nil {
				return err
			}
			total = n.Parent()
		}
		for _, other := range kids(total.Parent(), total.Local()) {
			if other == n || i.Syntax == CII && other.Attr("currencyID") == n.Attr("currencyID") || at(other, n.Local()).Attr("currencyID") == n.Attr("currencyID") {
				k++
			}
		}
		if k > 1 || n.Attr("currencyID") != i.Currency.Value {
			return fmt.Errorf("there is not one total VAT (BT-110) in the currency of the invoice, %s", i.Currency.Value)
		}
	}
	return once("totals", dom.Node{}, t.Lines.Node, t.Allowances.Node, t.Charges.Node, t.WithoutTax.Node, t.WithTax.Node, t.Paid.Node, t.Rounding.Node, t.Due.Node)
}

// recomputeTax sets the entries of the breakdown and returns their tax.
func (i *Invoice) recomputeTax(set func(*Number, string, decimal.Decimal, string)) (decimal.Decimal, error) {
	type key struct {
		category string
		rate     decimal.Decimal
	}
	base := map[key]decimal.Decimal{}
	add := func(category Text, rate Number, v decimal.Decimal) {
		k := key{category.Value, rate.Value.Normal()}
		base[k] = base[k].Add(v)
	}
	for _, l := range i.Lines {
		add(l.Category, l.Rate, l.Net.Value)
	}
	for _, a := range i.Allowances {
		add(a.Category, a.Rate, a.Amount.Value.Neg())
	}
	for _, c := range i.Charges {
		add(c.Category, c.Rate, c.Amount.Value)
	}
	var total decimal.Decimal
	for k := range i.Breakdown {
		e := &i.Breakdown[k]
		id := key{e.Category.Value, e.Rate.Value.Normal()}
		want, ok := base[id]
		if !ok {
			return total, fmt.Errorf("the VAT breakdown has category %s at %s %%, which no line, allowance or charge has", id.category, id.rate)
		}
		delete(base, id)
		set(&e.Base, "BT-116", want, "Σ BT-131 - Σ BT-92 + Σ BT-99 of the category")
		tax := want.Round(2).Mul(e.Rate.Value).Mul(decimal.New(1, 2)).Round(2)
		if d := e.Tax.Value.Sub(tax).Abs(); !e.Tax.Given || !d.Less(decimal.New(1, 0)) {
			set(&e.Tax, "BT-117", tax, "BT-116 × BT-119 / 100")
		}
		total = total.Add(e.Tax.Value)
	}
	if len(i.Breakdown) > 0 && len(base) > 0 {
		var missing []string
		for k := range base {
			missing = append(missing, fmt.Sprintf("%s at %s %%", k.category, k.rate))
		}
		slices.Sort(missing)
		return total, fmt.Errorf("the VAT breakdown lacks category %s", strings.Join(missing, ", "))
	}
	return total, nil
}

// Apply writes corrections into the document they were found in and leaves every other octet as it is. Amounts that
// have no place there are returned: they must be added by hand, or by writing the whole invoice anew.
func Apply(doc *dom.Document, corrections []Correction) (octets []byte, left []Correction) {
	sorted := slices.Clone(corrections)
	slices.SortStableFunc(sorted, func(a, b Correction) int { return offset(a) - offset(b) })
	src, at := doc.Source(), 0
	for _, c := range sorted {
		text := c.Node.FirstChild()
		if !c.Node.Valid() || text.Kind() != dom.TextNode || text.NextSibling().Valid() {
			left = append(left, c)
			continue
		}
		begin := text.Offset()
		octets = append(octets, src[at:begin]...)
		octets = append(octets, c.Is...)
		at = begin + len(text.Raw())
	}
	return append(octets, src[at:]...), left
}

func offset(c Correction) int {
	if !c.Node.Valid() {
		return -1
	}
	return c.Node.Offset()
}
