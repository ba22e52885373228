// Package view shows an invoice to people in the words of their language: as one HTML page that needs nothing else, or as
// PDF. Both say the same, in the same order.
//
// The page is made for everybody (WCAG 2.2, level AA): a language, one heading a section, tables with captions and
// headed rows and columns, a link past the overview, text that grows and prints. It loads nothing, runs nothing, and
// shows attachments by name only. Each label names its business term (BT) in its tooltip. What the PDF is made for stands
// at package page.
package view

import (
	"bytes"
	_ "embed" // the page is a file
	"fmt"
	"html/template"
	"slices"
	"strings"
	"sync"

	"github.com/viadukt-eu/viadukt/edocument/decimal"
	"github.com/viadukt-eu/viadukt/edocument/invoice"
)

//go:embed page.html
var pageText string

// Style is the style sheet of pages that show business documents.
//
//go:embed style.css
var Style string

var parsed = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("page").Funcs(template.FuncMap{"style": func() template.CSS { return template.CSS(Style) }}).Parse(pageText))
})

type row struct{ BT, Label, Value string }

// group is names with values; of notes only the values are shown.
type group struct {
	BT, Title string
	Rows      []row
	Notes     bool
}

type cell struct {
	Value  string
	Number bool
	Small  []string // further lines
}

type line struct {
	Head  string
	Cells []cell
}

type table struct {
	BT, Title string
	Columns   []row
	Lines     []line
}

// Numeric reports whether a column holds numbers. The first cell of a line is its head.
func (t table) Numeric(c int) bool {
	return c > 0 && len(t.Lines) > 0 && c <= len(t.Lines[0].Cells) && t.Lines[0].Cells[c-1].Number
}

// sheet is all that is shown, in order.
type sheet struct {
	Lang, Title, Skip string
	Sections          []section
}

// section is groups, or a table.
type section struct {
	Kind   kind
	Groups []group
	Table  table
}

type kind string

const (
	beside kind = "groups" // groups that may stand side by side
	alone  kind = "group"
	sums   kind = "totals" // a group of amounts, the last of which is what is to be paid
	lines  kind = "lines"  // the table that matters most
	tables kind = "table"
)

// HTML writes the page.
func HTML(i *invoice.Invoice, l Labels) ([]byte, error) {
	var b bytes.Buffer
	b.Grow(16 << 10)
	if err := parsed().Execute(&b, fill(i, l)); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// maker collects what is shown.
type maker struct {
	l        Labels
	currency string
}

func fill(i *invoice.Invoice, l Labels) *sheet {
	m := &maker{l, i.Currency.Value}
	title := l.text(i.TypeCode.Value)
	if title == i.TypeCode.Value {
		title = strings.TrimSpace(l.text("document") + " " + i.TypeCode.Value)
	}
	s := &sheet{Lang: l.text("lang"), Title: strings.TrimSpace(title + " " + i.Number.Value), Skip: l.text("skip")}
	groups := func(k kind, list ...group) {
		list = slices.DeleteFunc(list, func(g group) bool { return len(g.Rows) == 0 })
		if len(list) > 0 {
			s.Sections = append(s.Sections, section{Kind: k, Groups: list})
		}
	}
	table := func(k kind, t table) {
		if len(t.Lines) > 0 || k == lines {
			s.Sections = append(s.Sections, section{Kind: k, Table: t})
		}
	}
	groups(beside, m.overview(i)...)
	groups(alone, m.notes(i))
	table(lines, m.lines(i))
	table(tables, m.charges(i))
	table(tables, m.tax(i))
	groups(sums, m.totals(i))
	table(tables, m.documents(i))
	groups(alone, m.group("", "technical", m.text("BT-24", i.Specification), m.text("BT-23", i.Process), m.row("BT-3", i.TypeCode.Value)))
	return s
}

// group keeps the rows that have a value.
func (m *maker) group(bt, title string, rows ...row) group {
	g := group{BT: bt, Title: m.l.text(title)}
	for _, r := range rows {
		if r.Value != "" {
			g.Rows = append(g.Rows, r)
		}
	}
	return g
}

func (m *maker) row(bt, value string) row { return row{bt, m.l.text(bt), value} }

func (m *maker) text(bt string, t invoice.Text) row { return m.row(bt, t.Value) }

func (m *maker) date(bt string, d invoice.Date) row { return m.row(bt, m.l.date(d.Value)) }

func (m *maker) id(bt string, id invoice.Identifier) row {
	if id.Scheme != "" && id.Value != "" {
		return m.row(bt, id.Value+" ("+id.Scheme+")")
	}
	return m.row(bt, id.Value)
}

// amount writes an amount with at least two decimals and its currency.
func (m *maker) amount(n invoice.Number, currency string) string {
	if !n.Given {
		return ""
	}
	v := n.Value
	if v.Scale() < 2 {
		v = v.Fix(2)
	}
	if v.IsNaN() {
		return "?"
	}
	return m.l.number(v.String()) + "\u00a0" + currency
}

func (m *maker) quantity(n invoice.Number, unit string) string {
	if !n.Given {
		return ""
	}
	name := m.l.text("unit-" + unit)
	if strings.HasPrefix(name, "unit-") {
		name = unit
	}
	return strings.TrimSpace(m.l.number(n.Value.Normal().String()) + "\u00a0" + name)
}

func (m *maker) percent(n invoice.Number) string {
	if !n.Given {
		return ""
	}
	return m.l.number(n.Value.Normal().String()) + "\u00a0%"
}

func (m *maker) party(bt string, p *invoice.Party) group {
	ids := make([]string, 0, len(p.IDs))
	for _, id := range p.IDs {
		ids = append(ids, m.id("", id).Value)
	}
	rows := []row{
		m.text("BT-27", p.Name), m.text("BT-28", p.TradingName), m.row("BG-5", address(p.Address)), m.row("BT-29", strings.Join(ids, ", ")), m.id("BT-30", p.Registration),
		m.text("BT-31", p.VAT), m.text("BT-32", p.TaxRegistration), m.text("BT-33", p.LegalInformation), m.id("BT-34", p.Endpoint),
	}
	if c := p.Contact; c != nil {
		rows = append(rows, m.text("BG-6", c.Name), m.text("BT-42", c.Telephone), m.text("BT-43", c.Email))
	}
	return m.group(bt, bt, rows...)
}

func address(a *invoice.Address) string {
	if a == nil {
		return ""
	}
	var parts []string
	for _, s := range []string{a.Line1.Value, a.Line2.Value, a.Line3.Value, strings.TrimSpace(a.PostCode.Value + " " + a.City.Value), a.Subdivision.Value, a.Country.Value} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, ", ")
}

func (m *maker) period(p *invoice.Period) string {
	if p == nil {
		return ""
	}
	return strings.Trim(m.l.date(p.Start.Value)+" – "+m.l.date(p.End.Value), " –")
}

func (m *maker) overview(i *invoice.Invoice) []group {
	rows := []row{
		m.text("BT-1", i.Number), m.date("BT-2", i.IssueDate), m.date("BT-9", i.DueDate), m.row("BT-115", m.amount(i.Totals.Due, m.currency)), m.text("BT-5", i.Currency), m.text("BT-6", i.TaxCurrency),
		m.row("BG-14", m.period(i.Period)), m.date("BT-7", i.TaxPointDate), m.text("BT-8", i.TaxPointCode), m.text("BT-10", i.BuyerReference), m.text("BT-11", i.Project),
		m.text("BT-12", i.Contract), m.text("BT-13", i.PurchaseOrder), m.text("BT-14", i.SalesOrder), m.text("BT-15", i.ReceivingAdvice), m.text("BT-16", i.DespatchAdvice),
		m.text("BT-17", i.Tender), m.id("BT-18", i.Object), m.text("BT-19", i.BuyerAccounting),
	}
	for _, p := range i.Preceding {
		rows = append(rows, m.row("BT-25", strings.TrimSpace(p.Number.Value+" "+m.l.date(p.IssueDate.Value))))
	}
	overview := m.group("", "overview", rows...)
	list := []group{m.party("BG-4", &i.Seller), m.party("BG-7", &i.Buyer), overview, m.payment(i)}
	if i.Payee != nil {
		list = append(list, m.party("BG-10", i.Payee))
	}
	if i.TaxRepresentative != nil {
		list = append(list, m.party("BG-11", i.TaxRepresentative))
	}
	if d := i.Delivery; d != nil {
		list = append(list, m.group("BG-13", "BG-13", m.text("BT-27", d.Name), m.row("BG-5", address(d.Address)), m.id("BT-71", d.Location), m.date("BT-72", d.Date)))
	}
	return list
}

func (m *maker) notes(i *invoice.Invoice) group {
	rows := make([]row, 0, len(i.Notes))
	for _, n := range i.Notes {
		rows = append(rows, m.text("BT-22", n.Text))
	}
	g := m.group("", "BT-22", rows...)
	g.Notes = true
	return g
}

func (m *maker) payment(i *invoice.Invoice) group {
	rows := []row{m.text("BT-20", i.PaymentTerms)}
	if p := i.Payment; p != nil {
		means := p.MeansText.Value
		if means == "" {
			means = m.l.code("pay-", p.Means.Value)
		}
		rows = append([]row{m.row("BT-81", means), m.text("BT-83", p.Remittance)}, rows...)
		for _, t := range p.Transfers {
			rows = append(rows, m.row("BT-84", fours(t.Account.Value)), m.text("BT-85", t.Name), m.text("BT-86", t.Bank))
		}
		if c := p.Card; c != nil {
			rows = append(rows, m.text("BT-87", c.Number), m.text("BT-88", c.Holder))
		}
		if d := p.DirectDebit; d != nil {
			rows = append(rows, m.text("BT-89", d.Mandate), m.text("BT-90", d.Creditor), m.row("BT-91", fours(d.Account.Value)))
		}
	}
	return m.group("BG-16", "BG-16", rows...)
}

// fours groups an account number as people read it.
func fours(s string) string {
	if len(s) < 12 || strings.Contains(s, " ") {
		return s
	}
	var b strings.Builder
	for k, c := range s {
		if k > 0 && k%4 == 0 {
			b.WriteRune('\u00a0')
		}
		b.WriteRune(c)
	}
	return b.String()
}

func (m *maker) columns(bts ...string) (out []row) {
	for _, bt := range bts {
		out = append(out, m.row(bt, ""))
	}
	return out
}

func (m *maker) category(code string, rate invoice.Number) string {
	return strings.TrimSpace(m.percent(rate) + " " + m.l.code("vat-", code))
}

func (m *maker) lines(i *invoice.Invoice) table {
	t := table{BT: "BG-25", Title: m.l.text("BG-25"), Columns: m.columns("BT-126", "BT-153", "BT-129", "BT-146", "BT-152", "BT-131")}
	for _, l := range i.Lines {
		small := []string{l.Description.Value, l.Note.Value}
		for _, r := range []row{m.text("BT-155", l.SellerItem), m.text("BT-156", l.BuyerItem), m.id("BT-157", l.StandardItem), m.text("BT-159", l.Origin),
			m.text("BT-13", l.OrderLine), m.id("BT-18", l.Object), m.text("BT-19", l.BuyerAccounting), m.row("BG-14", m.period(l.Period))} {
			if r.Value != "" {
				small = append(small, r.Label+": "+r.Value)
			}
		}
		for _, a := range l.Attributes {
			small = append(small, a.Name.Value+": "+a.Value.Value)
		}
		for _, c := range l.Classes {
			small = append(small, strings.TrimSpace(c.Scheme+" "+c.Value))
		}
		for _, c := range l.Allowances {
			small = append(small, m.chargeText("allowance", c))
		}
		for _, c := range l.Charges {
			small = append(small, m.chargeText("charge", c))
		}
		price := m.amount(l.Price, m.currency)
		if b := l.PriceBase; b.Given && !b.Value.Equal(decimal.New(1, 0)) {
			price += " " + m.l.text("per") + " " + m.quantity(b, l.PriceBaseUnit.Value)
		}
		t.Lines = append(t.Lines, line{l.ID.Value, []cell{{Value: l.Name.Value, Small: filled(small)}, {Value: m.quantity(l.Quantity, l.Unit.Value), Number: true},
			{Value: price, Number: true}, {Value: m.category(l.Category.Value, l.Rate)}, {Value: m.amount(l.Net, m.currency), Number: true}}})
	}
	return t
}

func filled(list []string) (out []string) {
	for _, s := range list {
		if s != "" {
			out = append(out, s)
		}
	}
	return out
}

func (m *maker) chargeText(kind string, c invoice.Charge) string {
	reason := c.Reason.Value
	if reason == "" {
		reason = c.ReasonCode.Value
	}
	return strings.TrimSpace(m.l.text(kind)+": "+m.amount(c.Amount, m.currency)) + " " + reason
}

func (m *maker) charges(i *invoice.Invoice) table {
	t := table{BT: "BG-20", Title: m.l.text("BG-20"), Columns: append([]row{{}}, m.columns("BT-97", "BT-93", "BT-94", "BT-152", "BT-92")...)}
	for _, list := range []struct {
		kind string
		list []invoice.Charge
	}{{"allowance", i.Allowances}, {"charge", i.Charges}} {
		for _, c := range list.list {
			t.Lines = append(t.Lines, line{m.l.text(list.kind), []cell{{Value: strings.TrimSpace(c.Reason.Value + " " + c.ReasonCode.Value)}, {Value: m.amount(c.Base, m.currency), Number: true},
				{Value: m.percent(c.Percent), Number: true}, {Value: m.category(c.Category.Value, c.Rate)}, {Value: m.amount(c.Amount, m.currency), Number: true}}})
		}
	}
	return t
}

func (m *maker) tax(i *invoice.Invoice) table {
	t := table{BT: "BG-23", Title: m.l.text("BG-23"), Columns: m.columns("BT-118", "BT-119", "BT-116", "BT-117", "BT-120")}
	for _, e := range i.Breakdown {
		t.Lines = append(t.Lines, line{m.l.code("vat-", e.Category.Value), []cell{{Value: m.percent(e.Rate), Number: true}, {Value: m.amount(e.Base, m.currency), Number: true},
			{Value: m.amount(e.Tax, m.currency), Number: true}, {Value: strings.TrimSpace(e.Reason.Value + " " + e.ReasonCode.Value)}}})
	}
	return t
}

func (m *maker) totals(i *invoice.Invoice) group {
	t := &i.Totals
	sum := func(bt string, n invoice.Number) row { return m.row(bt, m.amount(n, m.currency)) }
	return m.group("BG-22", "BG-22", sum("BT-106", t.Lines), sum("BT-107", t.Allowances), sum("BT-108", t.Charges), sum("BT-109", t.WithoutTax), sum("BT-110", t.Tax),
		m.row("BT-111", m.amount(t.TaxAccounting, i.TaxCurrency.Value)), sum("BT-112", t.WithTax), sum("BT-113", t.Paid), sum("BT-114", t.Rounding), sum("BT-115", t.Due))
}

func (m *maker) documents(i *invoice.Invoice) table {
	t := table{BT: "BG-24", Title: m.l.text("BG-24"), Columns: m.columns("BT-1", "BT-123", "BT-124", "BT-125")}
	for _, d := range i.Documents {
		file := ""
		if b := d.Attachment; b != nil {
			file = fmt.Sprintf("%s, %s, %d\u00a0kB", b.Filename, b.MimeCode, (len(b.Content)*3/4+999)/1000)
		}
		t.Lines = append(t.Lines, line{d.Reference.Value, []cell{{Value: d.Description.Value}, {Value: d.Location.Value}, {Value: file}}})
	}
	return t
}
