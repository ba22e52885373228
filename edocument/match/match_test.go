package match_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/edocument/invoice"
	"github.com/viadukt-eu/viadukt/edocument/match"
	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

func parse(t testing.TB, s string) *dom.Document {
	t.Helper()
	d, err := dom.Parse([]byte(s), dom.Limits{})
	if err != nil {
		t.Fatalf("%v in %s", err, s)
	}
	return d
}

const seller, buyer = "0191:10137025 Rannavärav", "9946:PT502011378 Porto Novo"

// head opens a document with its parties.
func head(root, number, extra, sellerRole, from, buyerRole, to string) string {
	who := func(role, p string) string {
		id, name, _ := strings.Cut(p, " ")
		scheme, id, _ := strings.Cut(id, ":")
		return fmt.Sprintf(`<cac:%s><cac:Party><cbc:EndpointID schemeID=%q>%s</cbc:EndpointID><cac:PartyLegalEntity><cbc:RegistrationName>%s</cbc:RegistrationName></cac:PartyLegalEntity></cac:Party></cac:%s>`, role, scheme, id, name, role)
	}
	return fmt.Sprintf(`<%s xmlns="urn:oasis:names:specification:ubl:schema:xsd:%s-2" xmlns:cac="urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2" xmlns:cbc="urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2"><cbc:ID>%s</cbc:ID><cbc:IssueDate>2026-05-02</cbc:IssueDate>`, root, root, number) +
		extra + who(sellerRole, from) + who(buyerRole, to)
}

// orderLine is "id|name|seller's item|quantity unit|price|for|net|status|line of the order".
func orderLine(s string) string {
	f := append(strings.Split(s, "|"), make([]string, 9)...)
	amount, unit, _ := strings.Cut(f[3], " ")
	var b strings.Builder
	fmt.Fprintf(&b, `<cac:OrderLine><cac:LineItem><cbc:ID>%s</cbc:ID>`, f[0])
	if f[7] != "" {
		fmt.Fprintf(&b, `<cbc:LineStatusCode>%s</cbc:LineStatusCode>`, f[7])
	}
	if f[3] != "" {
		fmt.Fprintf(&b, `<cbc:Quantity unitCode=%q>%s</cbc:Quantity>`, unit, amount)
	}
	if f[6] != "" {
		fmt.Fprintf(&b, `<cbc:LineExtensionAmount currencyID="EUR">%s</cbc:LineExtensionAmount>`, f[6])
	}
	if f[4] != "" {
		fmt.Fprintf(&b, `<cac:Price><cbc:PriceAmount currencyID="EUR">%s</cbc:PriceAmount>`, f[4])
		if f[5] != "" {
			fmt.Fprintf(&b, `<cbc:BaseQuantity>%s</cbc:BaseQuantity>`, f[5])
		}
		b.WriteString(`</cac:Price>`)
	}
	fmt.Fprintf(&b, `<cac:Item><cbc:Name>%s</cbc:Name>%s</cac:Item></cac:LineItem>`, f[1], item(f[2]))
	if f[8] != "" {
		fmt.Fprintf(&b, `<cac:OrderLineReference><cbc:LineID>%s</cbc:LineID></cac:OrderLineReference>`, f[8])
	}
	return b.String() + `</cac:OrderLine>`
}

func item(id string) string {
	if id == "" {
		return ""
	}
	return `<cac:SellersItemIdentification><cbc:ID>` + id + `</cbc:ID></cac:SellersItemIdentification>`
}

func order(lines ...string) string {
	s := head("Order", "B-7", `<cbc:DocumentCurrencyCode>EUR</cbc:DocumentCurrencyCode>`, "SellerSupplierParty", seller, "BuyerCustomerParty", buyer)
	s += `<cac:AnticipatedMonetaryTotal><cbc:TaxExclusiveAmount currencyID="EUR">1000.00</cbc:TaxExclusiveAmount></cac:AnticipatedMonetaryTotal>`
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(orderLine(l))
	}
	return s + b.String() + `</Order>`
}

func answer(root, number, code string, lines ...string) string {
	extra := `<cac:OrderReference><cbc:ID>B-7</cbc:ID></cac:OrderReference>`
	if code != "" {
		extra = `<cbc:OrderResponseCode>` + code + `</cbc:OrderResponseCode>` + extra
	}
	s := head(root, number, extra, "SellerSupplierParty", seller, "BuyerCustomerParty", buyer)
	for _, l := range lines {
		s += orderLine(l)
	}
	return s + `</` + root + `>`
}

// despatch takes lines "line of the order|seller's item|name|quantity unit".
func despatch(number string, lines ...string) string {
	s := head("DespatchAdvice", number, `<cac:OrderReference><cbc:ID>B-7</cbc:ID></cac:OrderReference>`, "DespatchSupplierParty", seller, "DeliveryCustomerParty", buyer)
	for _, l := range lines {
		f := strings.Split(l, "|")
		amount, unit, _ := strings.Cut(f[3], " ")
		ref := ""
		if f[0] != "" {
			ref = `<cac:OrderLineReference><cbc:LineID>` + f[0] + `</cbc:LineID></cac:OrderLineReference>`
		}
		s += fmt.Sprintf(`<cac:DespatchLine><cbc:ID>1</cbc:ID><cbc:DeliveredQuantity unitCode=%q>%s</cbc:DeliveredQuantity>%s<cac:Item><cbc:Name>%s</cbc:Name>%s</cac:Item></cac:DespatchLine>`, unit, amount, ref, f[2], item(f[1]))
	}
	return s + `</DespatchAdvice>`
}

// bill takes lines "id|name|seller's item|quantity unit|price|for|net|line of the order". Its parties, total and references
// are those of the order where changes say nothing else.
func bill(root, number, total string, changes *strings.Replacer, lines ...string) string {
	s := head(root, number, `<cbc:`+root+`TypeCode>`+map[string]string{"Invoice": "380", "CreditNote": "381"}[root]+`</cbc:`+root+`TypeCode><cbc:DocumentCurrencyCode>EUR</cbc:DocumentCurrencyCode><cac:OrderReference><cbc:ID>B-7</cbc:ID></cac:OrderReference>`,
		"AccountingSupplierParty", seller, "AccountingCustomerParty", buyer)
	s += `<cac:LegalMonetaryTotal><cbc:TaxExclusiveAmount currencyID="EUR">` + total + `</cbc:TaxExclusiveAmount></cac:LegalMonetaryTotal>`
	var b strings.Builder
	counted := map[string]string{"Invoice": "InvoicedQuantity", "CreditNote": "CreditedQuantity"}[root]
	for _, l := range lines {
		f := append(strings.Split(l, "|"), make([]string, 8)...)
		amount, unit, _ := strings.Cut(f[3], " ")
		fmt.Fprintf(&b, `<cac:%sLine><cbc:ID>%s</cbc:ID><cbc:%s unitCode=%q>%s</cbc:%s>`, root, f[0], counted, unit, amount, counted)
		if f[6] != "" {
			b.WriteString(`<cbc:LineExtensionAmount currencyID="EUR">` + f[6] + `</cbc:LineExtensionAmount>`)
		}
		if f[7] != "" {
			b.WriteString(`<cac:OrderLineReference><cbc:LineID>` + f[7] + `</cbc:LineID></cac:OrderLineReference>`)
		}
		b.WriteString(`<cac:Item><cbc:Name>` + f[1] + `</cbc:Name>` + item(f[2]) + `</cac:Item><cac:Price><cbc:PriceAmount currencyID="EUR">` + f[4] + `</cbc:PriceAmount>`)
		if f[5] != "" {
			b.WriteString(`<cbc:BaseQuantity>` + f[5] + `</cbc:BaseQuantity>`)
		}
		b.WriteString(`</cac:Price></cac:` + root + `Line>`)
	}
	s += b.String() + `</` + root + `>`
	if changes != nil {
		s = changes.Replace(s)
	}
	return s
}

func TestAnInvoiceIsHeldAgainstItsOrder(t *testing.T) {
	t.Parallel()
	ordered := order("1|Lamp|L-1|10 C62|60.00||600.00", "2|Cable|K-2|100 MTR|400|100|400.00")
	type in struct {
		name string
		with []string
		bill string
		want []string // "id: part of the text"
	}
	change := strings.NewReplacer
	for _, c := range []in{
		{"all as ordered", []string{ordered}, bill("Invoice", "R-1", "1000.00", nil, "1|Lamp|L-1|10 C62|60.00||600.00|1", "2|Cable|K-2|100 MTR|4.00||400.00|2"), nil},
		{"found by article and by name", []string{ordered}, bill("Invoice", "R-1", "1000.00", nil, "7|Another name|L-1|10 C62|60||600.00", "8| CABLE ||100 MTR|4.00||400.00"), nil},
		{"no order is known", nil, bill("Invoice", "R-1", "1", nil), []string{"VMA-ORDER: names order B-7 (BT-13), which is not known: none is known"}},
		{"another order is known", []string{ordered}, bill("Invoice", "R-1", "1", change("B-7", "B-8")), []string{"VMA-ORDER: order B-8 (BT-13), which is not known: known are B-7"}},
		{"no order is named", []string{ordered}, bill("Invoice", "R-1", "1", change("<cac:OrderReference><cbc:ID>B-7</cbc:ID></cac:OrderReference>", "")), []string{"VMA-ORDER: names no order (BT-13): known are B-7"}},
		{"other parties and currency", []string{ordered}, bill("Invoice", "R-1", "1", change("10137025", "10137026", "PT502011378", "PT9", "EUR", "SEK")),
			[]string{"VMA-SELLER: is Rannavärav (0191:10137026), that of order B-7 is Rannavärav (0191:10137025)", "VMA-BUYER: PT9", "VMA-CURRENCY: is in SEK, order B-7 in EUR", "VMA-OPEN: ", "VMA-OPEN: "}},
		{"more, dearer, in another unit, and what nobody ordered", []string{ordered},
			bill("Invoice", "R-1", "1000.01", nil, "1|Lamp|L-1|11 C62|60.01|||1", "2|Cable|K-2|1 KMT|4.00|||2", "3|Bulb||2 C62|1.00"),
			[]string{"VMA-PRICE: bills 60.01 for 1, order B-7 says 60.00 for 1", "VMA-QUANTITY: bills 11 C62 and order B-7 says 10 C62", "VMA-UNIT: bills in KMT, order B-7 orders in MTR", `VMA-LINE: bills "Bulb", which order B-7 does not hold`,
				"VMA-TOTAL: comes to 1000.01 without VAT (BT-109) and order B-7 to 1000.00", "VMA-OPEN: 99 MTR is not billed yet"}},
		{"cheaper is a warning", []string{ordered}, bill("Invoice", "R-1", "999.00", nil, "1|Lamp|L-1|10 C62|59.90|||1", "2|Cable|K-2|100 MTR|4.00|||2"), []string{"VMA-PRICE: bills 59.90"}},
		{"a third costs a third exactly", []string{order("1|Oil||3 LTR|10|3|10.00")}, bill("Invoice", "R-1", "10.00", nil, "1|Oil||3 LTR|20|6|10.00|1"), nil},
		{"the same quantity and price at another amount", []string{ordered}, bill("Invoice", "R-1", "1000.00", nil, "1|Lamp|L-1|10 C62|60.00||610.00|1", "2|Cable|K-2|100 MTR|4.00||400.00|2"), []string{"VMA-AMOUNT: bills 610.00 for the quantity and price of order B-7, which comes to 600.00"}},
		{"the line of another article", []string{ordered}, bill("Invoice", "R-1", "600.00", nil, "1|Lantern|L-9|10 C62|60.00|||1"), []string{`VMA-ITEM: bills "Lantern", line 1 of order B-7 is about "Lamp"`, "VMA-OPEN: 100 MTR"}},
		{"a part, billed before", []string{ordered, bill("Invoice", "R-0", "360.00", nil, "1|Lamp|L-1|6 C62|60.00|||1")}, bill("Invoice", "R-1", "640.00", nil, "1|Lamp|L-1|4 C62|60.00|||1", "2|Cable|K-2|100 MTR|4.00|||2"), nil},
		{"more than was left", []string{ordered, bill("Invoice", "R-0", "360.00", nil, "1|Lamp|L-1|6 C62|60.00|||1")}, bill("Invoice", "R-1", "700.00", nil, "1|Lamp|L-1|5 C62|60.00|||1", "2|Cable|K-2|100 MTR|4.00|||2"),
			[]string{"VMA-QUANTITY: bills 5 C62, 11 C62 with what was billed before, and order B-7 says 10 C62", "VMA-TOTAL: comes to 700.00 without VAT (BT-109), 1060.00 with what was billed before, and"}},
		{"what was credited may be billed again", []string{ordered, bill("Invoice", "R-0", "600.00", nil, "1|Lamp|L-1|10 C62|60.00|||1"), bill("CreditNote", "C-0", "600.00", nil, "1|Lamp|L-1|10 C62|60.00|||1")},
			bill("Invoice", "R-1", "1000.00", nil, "1|Lamp|L-1|10 C62|60.00|||1", "2|Cable|K-2|100 MTR|4.00|||2"), nil},
		{"credited what was billed", []string{ordered, bill("Invoice", "R-0", "600.00", nil, "1|Lamp|L-1|10 C62|60.00|||1")}, bill("CreditNote", "C-1", "60.00", nil, "1|Lamp|L-1|1 C62|60.00|||1"), nil},
		{"credited more than was billed", []string{ordered, bill("Invoice", "R-0", "60.00", nil, "1|Lamp|L-1|1 C62|60.00|||1")}, bill("CreditNote", "C-1", "120.00", nil, "1|Lamp|L-1|2 C62|60.00|||1"), []string{"VMA-CREDIT: credits 2 C62, and 1 C62 was billed"}},
		{"the seller rejects", []string{answer("OrderResponse", "A-1", "RE"), ordered}, bill("Invoice", "R-1", "600.00", nil, "1|Lamp|L-1|10 C62|60.00|||1"), []string{"VMA-REFUSED: OrderResponse A-1 rejects it", "VMA-OPEN: "}},
		{"the buyer cancels", []string{ordered, answer("OrderCancellation", "X-1", "")}, bill("Invoice", "R-1", "600.00", nil, "1|Lamp|L-1|10 C62|60.00|||1"), []string{"VMA-REFUSED: order cancellation X-1 cancels it", "VMA-OPEN: "}},
		{"the seller changes a line and rejects another", []string{ordered, answer("OrderResponse", "A-1", "CA", "1|Lamp|L-1|8 C62|61.00||||1", "2|Cable|K-2|||||2")},
			bill("Invoice", "R-1", "488.00", nil, "1|Lamp|L-1|8 C62|61.00|||1", "2|Cable|K-2|100 MTR|4.00|||2"), []string{"VMA-LINE: OrderResponse A-1 takes line 2 out of the order"}},
		{"the buyer adds a line", []string{ordered, answer("OrderChange", "B-7/1", "", "1||||||||", "3|Bulb||5 C62|2.00|||1|")}, bill("Invoice", "R-1", "12.00", nil, "1|Bulb||6 C62|2.00|||3"),
			[]string{"VMA-QUANTITY: bills 6 C62 and order change B-7/1 says 5 C62", "VMA-OPEN: ", "VMA-OPEN: "}},
		{"delivered as billed", []string{ordered, despatch("D-1", "1|||6 C62"), despatch("D-2", "|L-1||4 C62", "|| cable|100 MTR")}, bill("Invoice", "R-1", "1000.00", nil, "1|Lamp|L-1|10 C62|60.00|||1", "2|Cable|K-2|100 MTR|4.00|||2"), nil},
		{"more billed than delivered", []string{ordered, despatch("D-1", "1|||6 C62")}, bill("Invoice", "R-1", "1000.00", change("<cac:LegalMonetaryTotal>", "<cac:DespatchDocumentReference><cbc:ID>D-9</cbc:ID></cac:DespatchDocumentReference><cac:LegalMonetaryTotal>"), "1|Lamp|L-1|10 C62|60.00|||1", "2|Cable|K-2|100 MTR|4.00|||2"),
			[]string{"VMA-DESPATCH: names despatch advice D-9", "VMA-DELIVERY: bills 10 C62 and 6 C62 was despatched", "VMA-DELIVERY: bills 100 MTR and 0 MTR was despatched"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var with []*dom.Document
			for _, s := range c.with {
				with = append(with, parse(t, fixStatus(s)))
			}
			i, err := invoice.Read(parse(t, c.bill))
			if err != nil {
				t.Fatal(err)
			}
			r := match.Invoice(i, with)
			for k, f := range r.Findings {
				said := fmt.Sprintf("%s: %s", f.ID, f.Text)
				if k >= len(c.want) {
					t.Errorf("not wanted: %s", said)
				} else if id, part, _ := strings.Cut(c.want[k], ": "); f.ID != id || !strings.Contains(f.Text, part) {
					t.Errorf("%s, want %s", said, c.want[k])
				}
				if f.Severity.Refuses() && f.Line == 0 {
					t.Errorf("without a place: %s", said)
				}
			}
			for _, missing := range c.want[min(len(r.Findings), len(c.want)):] {
				t.Errorf("missing: %s", missing)
			}
		})
	}
}

// fixStatus gives the lines of an answer their status: changed where they say something, rejected where not.
func fixStatus(s string) string {
	if !strings.Contains(s, "<OrderResponse ") {
		return s
	}
	parts := strings.Split(s, "<cac:LineItem>")
	for i, p := range parts[1:] {
		status := "7"
		if strings.Contains(p, "<cbc:Quantity") {
			status = "3"
		}
		parts[i+1] = strings.Replace(p, "</cbc:ID>", "</cbc:ID><cbc:LineStatusCode>"+status+"</cbc:LineStatusCode>", 1)
	}
	return strings.Join(parts, "<cac:LineItem>")
}

// TestManyLinesAreMatchedInLinearTime: each finds its own among as many.
func TestManyLinesAreMatchedInLinearTime(t *testing.T) {
	t.Parallel()
	const n = 5_000
	ordered, billed := make([]string, n), make([]string, n)
	for i := range n {
		ordered[i] = fmt.Sprintf("%d|Thing %d||1 C62|1.00||1.00", i, i)
		billed[i] = fmt.Sprintf("%d|Thing %d||2 C62|1.00||2.00", i, n-1-i)
	}
	i, err := invoice.Read(parse(t, bill("Invoice", "R-1", "1.00", nil, billed...)))
	if err != nil {
		t.Fatal(err)
	}
	r := match.Invoice(i, []*dom.Document{parse(t, order(ordered...))})
	if len(r.Findings) != 1000 || r.Suppressed != n-1000 || r.Agrees() {
		t.Errorf("%d findings, %d more", len(r.Findings), r.Suppressed)
	}
}

// TestEveryExampleIsMatched: with every order, answer and despatch advice of the corpus no invoice makes the matching fall,
// and an invoice made of an order agrees with it.
func TestEveryExampleIsMatched(t *testing.T) {
	t.Parallel()
	var others []*dom.Document
	var invoices []*invoice.Invoice
	for _, c := range corpus.Index(t, "edocuments") {
		if !strings.HasPrefix(c["file"], "examples/peppol-2026.5/") || !strings.HasSuffix(c["file"], ".xml") {
			continue
		}
		d := parse(t, string(corpus.Read(t, "edocuments", c["file"])))
		if i, err := invoice.Read(d); err == nil {
			invoices = append(invoices, i)
		} else {
			others = append(others, d)
		}
	}
	n := 0
	for _, i := range invoices {
		for _, d := range others {
			if d.Root().Local() != "Order" {
				continue
			}
			i.PurchaseOrder.Value = d.Root().Child("urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2", "ID").TrimmedText()
			if r := match.Invoice(i, others); r.Order != i.PurchaseOrder.Value || r.Agrees() {
				t.Errorf("%s: %+v", i.Number.Value, r)
			}
			n++
		}
	}
	if t.Logf("%d pairs", n); n < 20 {
		t.Errorf("only %d", n)
	}
}

func FuzzInvoice(f *testing.F) {
	ordered := order("1|Lamp|L-1|10 C62|60.00||600.00", "2|Cable|K-2|100 MTR|400|100|400.00")
	f.Add([]byte(bill("Invoice", "R-1", "1000.00", nil, "1|Lamp|L-1|10 C62|60.00||600.00|1")), []byte(ordered), []byte(despatch("D-1", "1|||6 C62")))
	f.Add([]byte(bill("CreditNote", "C-1", "-1e9", nil, "1|Lamp|L-1|-10 C62|x||600.00|1")), []byte(answer("OrderResponse", "A-1", "CA", "1|Lamp|L-1|8 C62|61.00|0||3|1")), []byte(ordered))
	f.Fuzz(func(t *testing.T, a, b, c []byte) {
		var docs []*dom.Document
		for _, s := range [][]byte{a, b, c} {
			if d, err := dom.Parse(s, dom.Limits{}); err == nil {
				docs = append(docs, d)
			}
		}
		for _, d := range docs {
			i, err := invoice.Read(d)
			if err != nil {
				continue
			}
			for _, found := range match.Invoice(i, docs).Findings {
				if found.ID == "" || found.Text == "" || found.Severity == "" {
					t.Errorf("%+v", found)
				}
			}
		}
	})
}

func BenchmarkInvoice(b *testing.B) {
	var lines, billed []string
	for i := range 20 {
		lines = append(lines, fmt.Sprintf("%d|Thing %d|S-%d|10 C62|60.00||600.00", i, i, i))
		billed = append(billed, fmt.Sprintf("%d|Thing %d|S-%d|10 C62|60.00||600.00|%d", i, i, i, i))
	}
	i, err := invoice.Read(parse(b, bill("Invoice", "R-1", "1000.00", nil, billed...)))
	if err != nil {
		b.Fatal(err)
	}
	with := []*dom.Document{parse(b, order(lines...)), parse(b, despatch("D-1", "1|||10 C62"))}
	b.ReportAllocs()
	for b.Loop() {
		match.Invoice(i, with)
	}
}
