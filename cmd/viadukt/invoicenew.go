package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/viadukt-eu/viadukt/edocument/decimal"
	"github.com/viadukt-eu/viadukt/edocument/invoice"
	"github.com/viadukt-eu/viadukt/edocument/rules"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// order is what one must say of an invoice; the rest is computed. JSON is YAML, too.
type order struct {
	Number         string      `yaml:"number"`
	Date           string      `yaml:"date"` // default: today
	Due            string      `yaml:"due"`
	Credit         bool        `yaml:"credit"`   // a credit note
	Corrects       string      `yaml:"corrects"` // the invoice before it
	Currency       string      `yaml:"currency"` // default: EUR
	Specification  string      `yaml:"specification"`
	Process        string      `yaml:"process"`
	BuyerReference string      `yaml:"buyerReference"`
	PurchaseOrder  string      `yaml:"purchaseOrder"`
	Note           string      `yaml:"note"`
	Terms          string      `yaml:"terms"`
	Paid           string      `yaml:"paid"`
	IBAN           string      `yaml:"iban"`
	Reference      string      `yaml:"paymentReference"`
	Exemption      string      `yaml:"exemption"` // the reason, where a category needs one
	Seller         orderParty  `yaml:"seller"`
	Buyer          orderParty  `yaml:"buyer"`
	Lines          []orderLine `yaml:"lines"`
}

type orderParty struct {
	Name     string `yaml:"name"`
	Endpoint string `yaml:"endpoint"` // scheme:value, such as 0191:10137025
	VAT      string `yaml:"vat"`
	Legal    string `yaml:"registration"`
	Street   string `yaml:"street"`
	City     string `yaml:"city"`
	PostCode string `yaml:"postCode"`
	Country  string `yaml:"country"`
	Contact  string `yaml:"contact"`
	Phone    string `yaml:"phone"`
	Email    string `yaml:"email"`
}

type orderLine struct {
	Name        string `yaml:"name"`
	Description string `yaml:"description"`
	Quantity    string `yaml:"quantity"` // default: 1
	Unit        string `yaml:"unit"`     // default: C62, a piece
	Price       string `yaml:"price"`
	VAT         string `yaml:"vat"`      // the rate
	Category    string `yaml:"category"` // default: S, or Z where the rate is 0
	Item        string `yaml:"item"`     // the seller's number
}

const orderExample = `# viadukt invoice new order.yaml --out invoice.xml
number: 2026-17
date: 2026-04-17
due: 2026-05-17
buyerReference: Harbour office 3
iban: EE382200221020145685
seller: {name: Tuletorn OÜ, endpoint: "0191:10137025", vat: EE100137025, street: Sadama 1, city: Tallinn, postCode: "10111", country: EE}
buyer: {name: Pärnu sadam, endpoint: "0191:70009770", city: Pärnu, country: EE}
lines:
  - {name: Lamp, quantity: 4, price: 25.00, vat: 24}
  - {name: Hours of fitting, quantity: 1.5, unit: HUR, price: 60, vat: 24}
`

const (
	peppolSpecification = "urn:cen.eu:en16931:2017#compliant#urn:fdc:peppol.eu:2017:poacc:billing:3.0"
	peppolProcess       = "urn:fdc:peppol.eu:2017:poacc:billing:01:1.0"
)

func prepareNew(c *call) func() error {
	c.least, c.most = 0, 1
	example := c.Bool("example", false, "write an example of what is read")
	to := c.String("to", "ubl", "`syntax` to write: ubl or cii")
	out := c.String("out", "", "`file` to write to; default: standard output")
	return func() error {
		if *example {
			return c.write(*out, []byte(orderExample))
		}
		if len(c.values) == 0 {
			return usage("FILE is missing; --example shows what it holds")
		}
		var b []byte
		var err error
		if c.values[0] == "-" {
			b, err = io.ReadAll(c.p.in)
		} else {
			b, err = os.ReadFile(c.values[0])
		}
		if err != nil {
			return &exit{status: statusUsage, Code: "NO_FILE", Text: err.Error()}
		}
		var o order
		dec := yaml.NewDecoder(bytes.NewReader(b))
		dec.KnownFields(true)
		if err := dec.Decode(&o); err != nil {
			return &exit{status: statusUsage, Code: "NOT_READ", Where: c.values[0], Text: strings.TrimPrefix(err.Error(), "yaml: "), Remedy: "viadukt invoice new --example shows what can be said"}
		}
		i, err := o.invoice(time.Now())
		if err != nil {
			return &exit{status: statusUsage, Code: "NOT_COMPUTABLE", Where: c.values[0], Text: err.Error()}
		}
		var octets []byte
		switch *to {
		case "ubl":
			octets = i.UBL()
		case "cii":
			octets = i.CII()
		default:
			return usage("--to is ubl or cii, not %s", *to)
		}
		if err := c.write(*out, octets); err != nil {
			return err
		}
		return c.judgeNew(octets, i, *out)
	}
}

// judgeNew tells what the rules say of an invoice that was made here; on standard output stands the invoice.
func (c *call) judgeNew(octets []byte, i *invoice.Invoice, out string) error {
	doc, err := dom.Parse(octets, dom.Limits{Bytes: 1 << 30})
	if err != nil {
		return err
	}
	r, err := rules.Validate(doc, rules.Options{MaxFindings: 50})
	if err != nil {
		return err
	}
	for _, f := range r.Findings {
		fmt.Fprintf(c.p.err, "%s %s: %s %s\n    %s\n", f.Severity, f.ID, f.Text, f.Value, f.Remedy)
	}
	if !r.Valid {
		return &exit{status: statusInvalid, silent: true}
	}
	if out != "" {
		c.printf("%s %s: valid, %s %s to be paid, by %s\n", c.p.paint(c.p.out).ok("✓"), out, i.Totals.Due.Value, i.Currency.Value, strings.Join(r.Pack, ", "))
	}
	return nil
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// invoice computes the whole from what was said.
func (o *order) invoice(now time.Time) (*invoice.Invoice, error) {
	i := &invoice.Invoice{
		Number: invoice.Txt(o.Number), IssueDate: invoice.Date{Value: or(o.Date, now.Format(time.DateOnly))}, DueDate: invoice.Date{Value: o.Due}, TypeCode: invoice.Txt("380"),
		Currency: invoice.Txt(or(o.Currency, "EUR")), Specification: invoice.Txt(or(o.Specification, peppolSpecification)), Process: invoice.Txt(or(o.Process, peppolProcess)),
		BuyerReference: invoice.Txt(o.BuyerReference), PurchaseOrder: invoice.Txt(o.PurchaseOrder), PaymentTerms: invoice.Txt(o.Terms), Seller: o.Seller.party(), Buyer: o.Buyer.party(),
	}
	if o.Credit {
		i.TypeCode = invoice.Txt("381")
	}
	if o.Note != "" {
		i.Notes = []invoice.Note{{Text: invoice.Txt(o.Note)}}
	}
	if o.Corrects != "" {
		i.Preceding = []invoice.Preceding{{Number: invoice.Txt(o.Corrects)}}
	}
	if o.IBAN != "" {
		i.Payment = &invoice.Payment{Means: invoice.Txt("30"), Remittance: invoice.Txt(o.Reference), Transfers: []invoice.Transfer{{Account: invoice.Txt(o.IBAN)}}}
	}
	if o.Paid != "" {
		i.Totals.Paid = invoice.Num(decimal.Read(o.Paid))
	}
	if len(o.Lines) == 0 {
		return nil, errors.New("there are no lines")
	}
	for k, l := range o.Lines {
		line, err := l.line(k + 1)
		if err != nil {
			return nil, err
		}
		i.Lines = append(i.Lines, line)
		if !slices.ContainsFunc(i.Breakdown, func(e invoice.TaxEntry) bool {
			return e.Category.Value == line.Category.Value && e.Rate.Value.Equal(line.Rate.Value)
		}) {
			e := invoice.TaxEntry{Category: line.Category, Rate: line.Rate}
			if c := line.Category.Value; c != "S" && c != "Z" && c != "L" && c != "M" {
				e.Reason = invoice.Txt(o.Exemption)
			}
			i.Breakdown = append(i.Breakdown, e)
		}
	}
	_, err := i.Recompute()
	return i, err
}

func (l *orderLine) line(k int) (invoice.Line, error) {
	number := func(what, s string) (invoice.Number, error) {
		v := decimal.Read(s)
		if v.IsNaN() {
			return invoice.Number{}, fmt.Errorf("line %d: %s is %q, which is no number", k, what, s)
		}
		return invoice.Num(v), nil
	}
	out := invoice.Line{ID: invoice.Txt(fmt.Sprint(k)), Name: invoice.Txt(l.Name), Description: invoice.Txt(l.Description), Unit: invoice.Txt(or(l.Unit, "C62")), SellerItem: invoice.Txt(l.Item)}
	var err error
	if out.Quantity, err = number("quantity", or(l.Quantity, "1")); err != nil {
		return out, err
	}
	if out.Price, err = number("price", l.Price); err != nil {
		return out, err
	}
	if l.VAT != "" || l.Category != "O" {
		if out.Rate, err = number("vat", l.VAT); err != nil {
			return out, err
		}
	}
	category := "S"
	if out.Rate.Value.IsZero() {
		category = "Z"
	}
	out.Category = invoice.Txt(or(l.Category, category))
	out.Net = invoice.Num(out.Quantity.Value.Mul(out.Price.Value).Round(2))
	return out, nil
}

func (p *orderParty) party() invoice.Party {
	out := invoice.Party{Name: invoice.Txt(p.Name), VAT: invoice.Txt(p.VAT), Registration: invoice.Identifier{Value: p.Legal},
		Address: &invoice.Address{Line1: invoice.Txt(p.Street), City: invoice.Txt(p.City), PostCode: invoice.Txt(p.PostCode), Country: invoice.Txt(p.Country)}}
	if scheme, value, ok := strings.Cut(p.Endpoint, ":"); ok {
		out.Endpoint = invoice.Identifier{Value: value, Scheme: scheme}
	}
	if p.Contact != "" || p.Phone != "" || p.Email != "" {
		out.Contact = &invoice.Contact{Name: invoice.Txt(p.Contact), Telephone: invoice.Txt(p.Phone), Email: invoice.Txt(p.Email)}
	}
	return out
}
