package xpath_test

import (
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
	"github.com/viadukt-eu/viadukt/xmlcore/xpath"
)

// currencies is a code list as long as the real one.
var currencies = func() string {
	var b strings.Builder
	for i := range 26 {
		for _, s := range []string{"AA", "BC", "CD", "DE", "EF", "FG", "UR"} {
			b.WriteString(" " + string(rune('A'+i)) + s)
		}
	}
	return b.String() + " "
}()

var benchCases = []struct{ name, at, expr string }{
	{"child", "/ubl:Invoice", "cbc:ID"},
	{"absent", "/ubl:Invoice", "not(cac:Delivery/cac:DeliveryParty)"},
	{"absolute", "//cac:InvoiceLine[1]", "/ubl:Invoice/cac:TaxTotal/cbc:TaxAmount"},
	{"count", "/ubl:Invoice", "count(cac:TaxTotal) = 1"},
	{"attribute", "//cac:InvoiceLine[1]", "cbc:InvoicedQuantity/@unitCode"},
	{"equal", "/ubl:Invoice", "cbc:InvoiceTypeCode = '380'"},
	{"number", "//cac:InvoiceLine[1]", "cac:Item/cac:ClassifiedTaxCategory/cbc:Percent > 0"},
	{"decimal", "//cac:InvoiceLine[1]", "xs:decimal(cbc:LineExtensionAmount) = round(xs:decimal(cbc:InvoicedQuantity) * xs:decimal(cac:Price/cbc:PriceAmount) * 10 * 10) div 100"},
	{"sumDecimal", "//cac:LegalMonetaryTotal", "xs:decimal(cbc:LineExtensionAmount) = sum(../cac:InvoiceLine/xs:decimal(cbc:LineExtensionAmount))"},
	{"sumUntyped", "//cac:LegalMonetaryTotal", "sum(../cac:InvoiceLine/cbc:LineExtensionAmount) > 0"},
	{"anywhere", "/ubl:Invoice", "exists(//cac:ClassifiedTaxCategory[cbc:ID = 'S'])"},
	{"someCode", "//cac:LegalMonetaryTotal/cbc:PayableAmount", "some $c in tokenize('" + strings.TrimSpace(currencies) + "', '\\s') satisfies $c = @currencyID"},
	{"listCode", "//cac:LegalMonetaryTotal/cbc:PayableAmount", "contains('" + currencies + "', concat(' ', normalize-space(@currencyID), ' '))"},
	{"every", "/ubl:Invoice", "every $l in cac:InvoiceLine satisfies $l/cbc:ID and $l/cac:Price/cbc:PriceAmount >= 0"},
	{"matches", "/ubl:Invoice", "matches(cbc:IssueDate, '^\\d{4}-\\d{2}-\\d{2}$')"},
	{"date", "/ubl:Invoice", "xs:date(cbc:IssueDate) <= xs:date(cbc:DueDate)"},
	{"castable", "/ubl:Invoice", "cbc:DueDate castable as xs:date and string-length(cbc:DueDate) = 10"},
	{"ancestor", "//cac:InvoiceLine[1]/cac:Item/cbc:Name", "ancestor::cac:InvoiceLine/cbc:ID"},
	{"checkDigit", "//cac:AccountingSupplierParty/cac:Party/cbc:EndpointID", "(11 - (sum(for $i in 1 to 12 return ((string-to-codepoints(substring(., $i, 1)) - 48) * (($i mod 2) + 1))) mod 11)) mod 10 >= 0"},
}

func BenchmarkEvaluate(b *testing.B) {
	d, err := dom.Parse(invoice(20), dom.Limits{})
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range benchCases {
		b.Run(c.name, func(b *testing.B) {
			env := invoiceStatic()
			e, err := xpath.Compile(c.expr, env)
			if err != nil {
				b.Fatal(err)
			}
			at, err := xpath.Compile(c.at, env)
			if err != nil {
				b.Fatal(err)
			}
			ctx := &xpath.Context{Item: xpath.NodeItem(d.Node())}
			nodes, err := at.Nodes(ctx, nil)
			if err != nil || len(nodes) == 0 {
				b.Fatal(err, len(nodes))
			}
			ctx.Item = xpath.NodeItem(nodes[0])
			if ok, err := e.EBV(ctx); err != nil || !ok {
				b.Fatal(ok, err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := e.EBV(ctx); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkFirst is what a new document costs before its first expression.
func BenchmarkFirst(b *testing.B) {
	d, err := dom.Parse(invoice(20), dom.Limits{})
	if err != nil {
		b.Fatal(err)
	}
	e, err := xpath.Compile("cbc:ID", invoiceStatic())
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(d.Source())))
	b.ReportAllocs()
	for b.Loop() {
		ctx := &xpath.Context{Item: xpath.NodeItem(d.Root())}
		if ok, err := e.EBV(ctx); err != nil || !ok {
			b.Fatal(ok, err)
		}
	}
}

func BenchmarkCompile(b *testing.B) {
	for _, c := range benchCases {
		if c.name != "decimal" && c.name != "someCode" {
			continue
		}
		b.Run(c.name, func(b *testing.B) {
			env := invoiceStatic()
			b.SetBytes(int64(len(c.expr)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := xpath.Compile(c.expr, env); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkPattern(b *testing.B) {
	d, err := dom.Parse(invoice(20), dom.Limits{})
	if err != nil {
		b.Fatal(err)
	}
	p, err := xpath.CompilePattern("/ubl:Invoice/cac:InvoiceLine/cac:Item/cac:ClassifiedTaxCategory[cbc:ID = 'S']", invoiceStatic())
	if err != nil {
		b.Fatal(err)
	}
	var n dom.Node
	for x := range d.Node().Descendants() {
		if x.Local() == "ClassifiedTaxCategory" {
			n = x
		}
	}
	ctx := &xpath.Context{}
	b.ReportAllocs()
	for b.Loop() {
		if ok, err := p.Matches(ctx, n); err != nil || !ok {
			b.Fatal(ok, err)
		}
	}
}
