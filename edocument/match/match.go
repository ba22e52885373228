// Package match holds an invoice against what was ordered and what was delivered: with the order alone (two-way matching),
// and with the despatch advices too (three-way matching).
//
// [Invoice] takes the documents of the process as they were exchanged: orders, order agreements, changes, cancellations,
// the seller's responses, despatch advices, and what was billed and credited before. What the seller's response or a change
// says about a line counts instead of what the order said. Numbers are exact decimals: 0.1 is not almost 0.1.
//
// What differs is told in words, with the place in the invoice. Nothing here refuses an invoice: that is for the buyer to
// decide.
package match

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/edocument/decimal"
	"github.com/viadukt-eu/viadukt/edocument/invoice"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// What is found. An error is something that the buyer need not pay, a warning something to look at; the rest is told.
const (
	OrderUnknown = "VMA-ORDER"    // the invoice names no order, or one that is not among the documents
	OrderRefused = "VMA-REFUSED"  // the order was rejected or cancelled
	Seller       = "VMA-SELLER"   // the seller is another one
	Buyer        = "VMA-BUYER"    // the buyer is another one
	Currency     = "VMA-CURRENCY" // the currency is another one
	LineUnknown  = "VMA-LINE"     // billed, and not ordered
	ItemDiffers  = "VMA-ITEM"     // the line of the order is about another article
	UnitDiffers  = "VMA-UNIT"     // ordered in another unit
	Quantity     = "VMA-QUANTITY" // more is billed than ordered
	Price        = "VMA-PRICE"    // another price; a warning where it is lower
	Amount       = "VMA-AMOUNT"   // another net amount for the same quantity and price
	Total        = "VMA-TOTAL"    // more is billed in all than ordered
	Undelivered  = "VMA-DELIVERY" // more is billed than was despatched
	Despatch     = "VMA-DESPATCH" // a despatch advice that is not among the documents; a warning
	Credited     = "VMA-CREDIT"   // more is credited than was billed
	Open         = "VMA-OPEN"     // ordered, and not billed yet; told only
)

// Result is what an invoice came to.
type Result struct {
	Order     string   // number of the order that the invoice was held against, "" where there was none
	Documents []string // that were looked at, as "despatch advice D-1"
	Findings  []edocument.Finding
	// Suppressed counts findings beyond the thousandth.
	Suppressed int
}

const mostFindings = 1000

// Agrees reports whether nothing was found that the buyer need not pay.
func (r *Result) Agrees() bool {
	return r.Suppressed == 0 && !slices.ContainsFunc(r.Findings, func(f edocument.Finding) bool { return f.Severity.Refuses() })
}

// sums are quantities by line of the order.
type sums map[*line]decimal.Decimal

func (s sums) add(l *line, q decimal.Decimal) { s[l] = s.of(l).Add(q) }

func (s sums) of(l *line) decimal.Decimal {
	if q, ok := s[l]; ok {
		return q
	}
	return decimal.New(0, 0)
}

type matcher struct {
	i        *invoice.Invoice
	r        *Result
	o        *order
	despatch []*despatch
	sent     sums             // by the despatch advices
	units    map[*line]string // that these count in
	before   sums             // by earlier invoices, less what was credited
	earlier  int              // how many there were
	total    decimal.Decimal  // of earlier invoices, without tax
}

// Invoice holds an invoice or credit note against the other documents of its process. Documents of other kinds, and those
// about other orders, are left out.
func Invoice(i *invoice.Invoice, documents []*dom.Document) *Result {
	m := &matcher{i: i, r: &Result{}, before: sums{}, sent: sums{}, units: map[*line]string{}, total: decimal.New(0, 0)}
	documents = slices.Clone(documents)
	slices.SortStableFunc(documents, func(a, b *dom.Document) int { return cmp.Compare(turn(a.Root()), turn(b.Root())) })
	m.gather(documents)
	if m.o == nil {
		m.unknownOrder(documents)
		return m.r
	}
	m.r.Order = m.o.number
	m.o.index()
	m.despatched()
	m.earlierInvoices(documents)
	m.heads()
	now := m.lines()
	m.totals()
	m.left(now)
	return m.r
}

// turn sorts documents: orders first, what was said about them by its time.
func turn(root dom.Node) string {
	if root.Local() == "Order" || agreement(root) {
		return "0"
	}
	return "1 " + text(root, "IssueDate") + " " + text(root, "IssueTime")
}

// agreement reports whether the seller wrote down what was ordered: a response without an answer.
func agreement(root dom.Node) bool {
	return root.Local() == "OrderResponse" && text(root, "OrderResponseCode") == ""
}

// gather finds the order of the invoice, and what was said about it.
func (m *matcher) gather(documents []*dom.Document) {
	want := bare(m.i.PurchaseOrder.Value)
	for _, d := range documents {
		root := d.Root()
		if root.Space() != nsUBL+root.Local()+"-2" {
			continue
		}
		name, about := kindOf(root), bare(text(child(root, "OrderReference"), "ID"))
		switch {
		case root.Local() == "Order" && bare(text(root, "ID")) == want, agreement(root) && m.o == nil && (bare(text(root, "ID")) == want || about == want):
			if want != "" {
				m.o = readOrder(root, name)
			}
		case m.o == nil, about != want && root.Local() != "DespatchAdvice":
			continue
		case root.Local() == "OrderResponse":
			m.answered(root, name)
		case root.Local() == "OrderChange":
			m.o.amend(root, name)
			m.o.totals(root)
		case root.Local() == "OrderCancellation":
			m.o.refused = name + " cancels it"
		case root.Local() == "DespatchAdvice":
			d := readDespatch(root)
			if bare(d.order) != want && !slices.ContainsFunc(d.lines, func(s sent) bool { return bare(s.order) == want }) {
				continue
			}
			m.despatch = append(m.despatch, d)
		default:
			continue
		}
		if m.o != nil {
			m.r.Documents = append(m.r.Documents, name)
		}
	}
}

func (m *matcher) answered(root dom.Node, name string) {
	switch text(root, "OrderResponseCode") {
	case "RE":
		m.o.refused = name + " rejects it"
	case "CA":
		m.o.amend(root, name)
	}
}

func (m *matcher) unknownOrder(documents []*dom.Document) {
	var have []string
	for _, d := range documents {
		if root := d.Root(); root.Local() == "Order" && text(root, "ID") != "" {
			have = append(have, text(root, "ID"))
		}
	}
	known := "none is known"
	if len(have) > 0 {
		known = "known are " + strings.Join(have, ", ")
	}
	if po := m.i.PurchaseOrder; po.Value != "" {
		m.tell(OrderUnknown, edocument.Error, po.Node, fmt.Sprintf("The invoice names order %s (BT-13), which is not known: %s.", po.Value, known), "ask the seller for the number of the order, or find the order")
		return
	}
	m.tell(OrderUnknown, edocument.Error, m.i.Seller.Node.Parent(), fmt.Sprintf("The invoice names no order (BT-13): %s.", known), "ask the seller for the number of the order")
}

// earlierInvoices adds up what was billed and credited for the same order before.
func (m *matcher) earlierInvoices(documents []*dom.Document) {
	for _, d := range documents {
		e, err := invoice.Read(d)
		if err != nil || bare(e.PurchaseOrder.Value) != bare(m.i.PurchaseOrder.Value) || e.Number.Value == m.i.Number.Value && e.IsCredit() == m.i.IsCredit() {
			continue
		}
		kind, sign := "invoice ", decimal.New(1, 0)
		if e.IsCredit() {
			kind, sign = "credit note ", decimal.New(-1, 0)
		}
		m.r.Documents = append(m.r.Documents, kind+e.Number.Value)
		m.earlier++
		if e.Totals.WithoutTax.Given {
			m.total = m.total.Add(e.Totals.WithoutTax.Value.Mul(sign))
		}
		for k := range e.Lines {
			if l, _ := m.lineOf(&e.Lines[k]); l != nil && e.Lines[k].Quantity.Given {
				m.before.add(l, e.Lines[k].Quantity.Value.Mul(sign))
			}
		}
	}
}

func (m *matcher) heads() {
	i, o := m.i, m.o
	if o.refused != "" {
		m.tell(OrderRefused, edocument.Error, i.PurchaseOrder.Node, fmt.Sprintf("The invoice is for order %s, and %s.", o.number, o.refused), "ask the seller what the invoice is for")
	}
	for _, p := range []struct {
		id, what string
		of       *invoice.Party
		ordered  *party
	}{{Seller, "seller", &i.Seller, &o.seller}, {Buyer, "buyer", &i.Buyer, &o.buyer}} {
		if q := invoiceParty(p.of); !q.is(p.ordered) {
			m.tell(p.id, edocument.Error, p.of.Node, fmt.Sprintf("The %s of the invoice is %s, that of %s is %s.", p.what, described(&q), o.name, described(p.ordered)), "ask who is party to the contract")
		}
	}
	if o.currency != "" && i.Currency.Value != o.currency {
		m.tell(Currency, edocument.Error, i.Currency.Node, fmt.Sprintf("The invoice is in %s, %s in %s.", i.Currency.Value, o.name, o.currency), "ask the seller for an invoice in the currency that was agreed")
	}
	if ref := i.DespatchAdvice; ref.Value != "" && len(m.despatch) > 0 && !slices.ContainsFunc(m.despatch, func(d *despatch) bool { return bare(d.number) == bare(ref.Value) }) {
		m.tell(Despatch, edocument.Warning, ref.Node, fmt.Sprintf("The invoice names despatch advice %s (BT-16), which is not known.", ref.Value), "find the despatch advice")
	}
}

func invoiceParty(p *invoice.Party) party {
	q := party{name: cmp.Or(p.Name.Value, p.TradingName.Value)}
	if p.Endpoint.Value != "" {
		q.add("address", p.Endpoint.Scheme+":"+p.Endpoint.Value)
	}
	for _, id := range p.IDs {
		q.add("company", id.Value)
	}
	q.add("company", p.Registration.Value)
	q.add("tax", p.VAT.Value)
	q.add("tax", p.TaxRegistration.Value)
	return q
}

func described(p *party) string {
	for _, kind := range []string{"address", "tax", "company"} {
		if len(p.ids[kind]) > 0 {
			return fmt.Sprintf("%s (%s)", cmp.Or(p.name, "without name"), p.ids[kind][0])
		}
	}
	return cmp.Or(p.name, "not named")
}

// lineOf finds the line of the order that a line of an invoice is about: the one that it names (BT-132), else the one with
// the same article, else the one with the same name. named says that the invoice names it.
func (m *matcher) lineOf(l *invoice.Line) (_ *line, named bool) {
	if o := m.o.byID[l.OrderLine.Value]; o != nil {
		return o, true
	}
	return m.o.find(invoiceItems(l), l.Name.Value), false
}

func invoiceItems(l *invoice.Line) items {
	out := items{seller: bare(l.SellerItem.Value), buyer: bare(l.BuyerItem.Value)}
	if l.StandardItem.Value != "" {
		out.standard = l.StandardItem.Scheme + ":" + bare(l.StandardItem.Value)
	}
	return out
}

// lines holds each line against the order, and returns what is billed by this invoice.
func (m *matcher) lines() sums {
	now := sums{}
	for k := range m.i.Lines {
		l := &m.i.Lines[k]
		o, named := m.lineOf(l)
		if o == nil {
			m.tell(LineUnknown, edocument.Error, l.Node, fmt.Sprintf("Line %s bills %q, which %s does not hold.", l.ID.Value, l.Name.Value, m.o.name), "ask the seller for the line of the order, or order it")
			continue
		}
		if same, known := invoiceItems(l).same(o.items); named && known && !same {
			m.tell(ItemDiffers, edocument.Error, l.Node, fmt.Sprintf("Line %s bills %q, line %s of %s is about %q: the articles have other numbers.", l.ID.Value, l.Name.Value, o.id, o.by, o.name), "ask the seller what was delivered")
		}
		if o.refused {
			m.tell(LineUnknown, edocument.Error, l.Node, fmt.Sprintf("Line %s bills %q, and %s takes line %s out of the order.", l.ID.Value, l.Name.Value, o.by, o.id), "ask the seller why it is billed")
			continue
		}
		m.price(l, o)
		if !l.Quantity.Given || l.Quantity.Value.IsNaN() {
			continue
		}
		now.add(o, l.Quantity.Value)
		if o.unit != "" && l.Unit.Value != o.unit {
			m.tell(UnitDiffers, edocument.Error, l.Quantity.Node, fmt.Sprintf("Line %s bills in %s, %s orders in %s.", l.ID.Value, l.Unit.Value, o.by, o.unit), "ask the seller for an invoice in the unit that was ordered")
			continue
		}
		m.quantity(l, o, now)
	}
	return now
}

// price compares what one unit costs: prices may be for several.
func (m *matcher) price(l *invoice.Line, o *line) {
	if !l.Price.Given || l.Price.Value.IsNaN() || !o.price.given {
		return
	}
	one := decimal.New(1, 0)
	mine, theirs := one, one
	if l.PriceBase.Given && !l.PriceBase.Value.IsNaN() {
		mine = l.PriceBase.Value
	}
	if o.base.given {
		theirs = o.base.Decimal
	}
	c, ok := l.Price.Value.Mul(theirs).Cmp(o.price.Mul(mine))
	if !ok || c == 0 {
		return
	}
	severity, remedy := edocument.Error, "ask the seller for the price that was agreed"
	if c < 0 {
		severity, remedy = edocument.Warning, "nothing, where the buyer is content with a lower price"
	}
	m.tell(Price, severity, l.Price.Node, fmt.Sprintf("Line %s bills %s for %s, %s says %s for %s.", l.ID.Value, l.Price.Value, mine, o.by, o.price, theirs), remedy)
}

func (m *matcher) quantity(l *invoice.Line, o *line, now sums) {
	before := m.before.of(o)
	if m.i.IsCredit() {
		if m.earlier > 0 && before.Less(now.of(o)) {
			m.tell(Credited, edocument.Error, l.Quantity.Node, fmt.Sprintf("Line %s credits %s, and %s was billed.", l.ID.Value, amountOf(now.of(o), l.Unit.Value), amountOf(before, l.Unit.Value)), "ask the seller what is credited")
		}
		return
	}
	sum := now.of(o).Add(before)
	so := ""
	if !before.IsZero() {
		so = fmt.Sprintf(", %s with what was billed before,", amountOf(sum, l.Unit.Value))
	}
	if o.quantity.given && o.quantity.Less(sum) {
		m.tell(Quantity, edocument.Error, l.Quantity.Node, fmt.Sprintf("Line %s bills %s%s and %s says %s.", l.ID.Value, amountOf(now.of(o), l.Unit.Value), so, o.by, amountOf(o.quantity.Decimal, o.unit)), "pay what was ordered, and ask the seller about the rest")
	}
	if same := o.quantity.given && o.quantity.Equal(l.Quantity.Value); same && o.net.given && l.Net.Given && !l.Net.Value.Equal(o.net.Decimal) && m.samePrice(l, o) {
		m.tell(Amount, edocument.Error, l.Net.Node, fmt.Sprintf("Line %s bills %s for the quantity and price of %s, which comes to %s there.", l.ID.Value, l.Net.Value, o.by, o.net), "compare allowances and charges of the line")
	}
	if len(m.despatch) == 0 {
		return
	}
	delivered := m.sent.of(o)
	switch unit := m.units[o]; {
	case unit != "" && unit != l.Unit.Value:
		m.tell(UnitDiffers, edocument.Error, l.Quantity.Node, fmt.Sprintf("Line %s bills in %s, the despatch advices count in %s.", l.ID.Value, l.Unit.Value, unit), "ask the seller for an invoice in the unit that was delivered")
	case delivered.Less(sum):
		m.tell(Undelivered, edocument.Error, l.Quantity.Node, fmt.Sprintf("Line %s bills %s%s and %s was despatched.", l.ID.Value, amountOf(now.of(o), l.Unit.Value), so, amountOf(delivered, l.Unit.Value)), "ask for the delivery that is missing, or for its despatch advice")
	}
}

func (m *matcher) samePrice(l *invoice.Line, o *line) bool {
	return l.Price.Given && o.price.given && l.Price.Value.Equal(o.price.Decimal)
}

// amountOf writes a quantity with its unit.
func amountOf(d decimal.Decimal, unit string) string {
	return strings.TrimSpace(d.Normal().String() + " " + unit)
}

// despatched adds up what the despatch advices say of each line of the order.
func (m *matcher) despatched() {
	for _, d := range m.despatch {
		for _, s := range d.lines {
			if s.order != "" && bare(s.order) != bare(m.o.number) {
				continue
			}
			o := m.o.byID[s.line]
			if s.line == "" {
				o = m.o.find(s.items, s.name)
			}
			if o == nil {
				continue
			}
			if m.units[o] = s.unit; s.quantity.given {
				m.sent.add(o, s.quantity.Decimal)
			}
		}
	}
}

// totals compares what is billed in all with what was ordered in all.
func (m *matcher) totals() {
	t := m.i.Totals.WithoutTax
	if !m.o.total.given || !t.Given || t.Value.IsNaN() || m.i.IsCredit() {
		return
	}
	sum := t.Value.Add(m.total)
	if m.o.total.Less(sum) {
		so := ""
		if m.earlier > 0 {
			so = fmt.Sprintf(", %s with what was billed before,", sum)
		}
		m.tell(Total, edocument.Error, t.Node, fmt.Sprintf("The invoice comes to %s without VAT (BT-109)%s and %s to %s.", t.Value, so, m.o.name, m.o.total), "pay what was ordered, and ask the seller about the rest")
	}
}

// left tells what was ordered and is not billed yet.
func (m *matcher) left(now sums) {
	if m.i.IsCredit() {
		return
	}
	for _, o := range m.o.lines {
		sum := now.of(o).Add(m.before.of(o))
		if o.refused || !o.quantity.given || !sum.Less(o.quantity.Decimal) {
			continue
		}
		m.tell(Open, edocument.Info, dom.Node{}, fmt.Sprintf("Of line %s of %s, %q, %s is not billed yet.", o.id, o.by, o.name, amountOf(o.quantity.Sub(sum), o.unit)), "")
	}
}

func (m *matcher) tell(id string, s edocument.Severity, n dom.Node, said, remedy string) {
	if len(m.r.Findings) == mostFindings {
		m.r.Suppressed++
		return
	}
	f := edocument.Finding{ID: id, Severity: s, Text: said, Remedy: remedy}
	if n.Valid() {
		f.Location = "/" + n.Path()
		f.Line, f.Column = n.Pos()
		if n.FirstElement() == (dom.Node{}) {
			f.Value = edocument.Clip(n.TrimmedText())
		}
	}
	m.r.Findings = append(m.r.Findings, f)
}
