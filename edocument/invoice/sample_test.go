package invoice

import (
	"fmt"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/edocument/decimal"
)

func num(s string) Number { return Num(decimal.Read(s)) }

// invented is a whole invoice with every group, and totals to be computed.
func invented() *Invoice {
	i := &Invoice{
		Number: Txt("2026-0417"), IssueDate: Date{Value: "2026-04-17"}, TypeCode: Txt("380"), Currency: Txt("EUR"), TaxPointCode: Txt("35"), DueDate: Date{Value: "2026-05-17"},
		BuyerReference: Txt("Harbour office 3"), Project: Txt("Lights"), Contract: Txt("C-7"), PurchaseOrder: Txt("PO-1"), SalesOrder: Txt("SO-1"), ReceivingAdvice: Txt("R-1"),
		DespatchAdvice: Txt("D-1"), Tender: Txt("T-1"), Object: Identifier{Value: "Meter 4", Scheme: "AUN"}, BuyerAccounting: Txt("4711"), PaymentTerms: Txt("30 days"),
		Notes:   []Note{{Text: Txt("Spring delivery")}, {Txt("AAI"), Txt("Handle with care")}},
		Process: Txt("urn:fdc:peppol.eu:2017:poacc:billing:01:1.0"), Specification: Txt("urn:cen.eu:en16931:2017"),
		Preceding: []Preceding{{Txt("2026-0001"), Date{Value: "2026-01-02"}}},
		Seller: Party{Name: Txt("Tuletorn OÜ"), TradingName: Txt("Tuletorn"), IDs: []Identifier{{Value: "S1"}, {Value: "4006381333931", Scheme: "0088"}}, Registration: Identifier{Value: "10137025", Scheme: "0191"},
			VAT: Txt("EE100137025"), TaxRegistration: Txt("99"), LegalInformation: Txt("Osaühing"), Endpoint: Identifier{Value: "10137025", Scheme: "0191"},
			Address: &Address{Txt("Sadama 1"), Txt("II korrus"), Txt("Uks 3"), Txt("Tallinn"), Txt("10111"), Txt("Harju"), Txt("EE")},
			Contact: &Contact{Txt("Mari Maasikas"), Txt("+372 5550 100"), Txt("mari@tuletorn.example")}},
		Buyer:             Party{Name: Txt("Pärnu sadam"), VAT: Txt("EE101234567"), Endpoint: Identifier{Value: "70009770", Scheme: "0191"}, Address: &Address{City: Txt("Pärnu"), Country: Txt("EE")}},
		Payee:             &Party{Name: Txt("Faktooring AS"), IDs: []Identifier{{Value: "F1"}}, Registration: Identifier{Value: "11111111", Scheme: "0191"}},
		TaxRepresentative: &Party{Name: Txt("Esindaja OÜ"), VAT: Txt("EE102345678"), Address: &Address{City: Txt("Tartu"), Country: Txt("EE")}},
		Delivery:          &Delivery{Txt("Ladu"), Identifier{Value: "4006381333931", Scheme: "0088"}, Date{Value: "2026-04-16"}, &Address{City: Txt("Pärnu"), Country: Txt("EE")}},
		Period:            &Period{Date{Value: "2026-04-01"}, Date{Value: "2026-04-30"}},
		Payment: &Payment{Means: Txt("30"), MeansText: Txt("transfer"), Remittance: Txt("RF18"), Transfers: []Transfer{
			{Txt("EE382200221020145685"), Txt("Tuletorn"), Txt("HABAEE2X")}, {Account: Txt("12345")}}},
		Allowances: []Charge{{Amount: num("10"), Base: num("200"), Percent: num("5"), Category: Txt("S"), Rate: num("24"), Reason: Txt("Discount"), ReasonCode: Txt("95")}},
		Charges:    []Charge{{Amount: num("4.50"), Category: Txt("S"), Rate: num("24"), Reason: Txt("Freight"), ReasonCode: Txt("FC")}},
		Breakdown:  []TaxEntry{{Category: Txt("S"), Rate: num("24")}, {Category: Txt("Z"), Rate: num("0")}},
		Documents: []Document{{Reference: Txt("Drawing"), Description: Txt("Lamp"), Location: Txt("https://tuletorn.example/lamp"),
			Attachment: &Binary{Content: "aGVsbG8=", MimeCode: "text/csv", Filename: "lamp.csv"}}},
		Lines: []Line{
			{ID: Txt("1"), Note: Txt("blue"), Object: Identifier{Value: "O1", Scheme: "AAA"}, Quantity: num("4"), Unit: Txt("C62"), Net: num("101"), OrderLine: Txt("7"), BuyerAccounting: Txt("4712"),
				Period: &Period{Date{Value: "2026-04-02"}, Date{Value: "2026-04-03"}}, Allowances: []Charge{{Amount: num("1"), Reason: Txt("Scratch")}}, Charges: []Charge{{Amount: num("2"), ReasonCode: Txt("FC")}},
				Price: num("25"), Discount: num("5"), GrossPrice: num("30"), PriceBase: num("1"), PriceBaseUnit: Txt("C62"), Category: Txt("S"), Rate: num("24"), Name: Txt("Lamp"), Description: Txt("Lamp for a lighthouse"),
				SellerItem: Txt("L-1"), BuyerItem: Txt("B-1"), StandardItem: Identifier{Value: "4006381333931", Scheme: "0160"}, Classes: []Identifier{{Value: "39111520", Scheme: "STI", Version: "26"}},
				Origin: Txt("EE"), Attributes: []Attribute{{Txt("Colour"), Txt("white")}}},
			{ID: Txt("2"), Quantity: num("1"), Unit: Txt("C62"), Net: num("99.005"), Price: num("99.005"), Category: Txt("Z"), Rate: num("0"), Name: Txt("Book")},
		},
	}
	if _, err := i.Recompute(); err != nil {
		panic(err)
	}
	return i
}

func small(s Syntax) []byte {
	if s == CII {
		return invented().CII()
	}
	return invented().UBL()
}

func TestEveryTermSurvives(t *testing.T) {
	t.Parallel()
	i := invented()
	for name, octets := range map[string][]byte{"UBL": i.UBL(), "CII": i.CII(), "UBL by way of CII": read(t, i.CII()).UBL(), "CII by way of UBL": read(t, i.UBL()).CII()} {
		back := read(t, octets)
		if same, difference := i.Equal(back); !same {
			t.Errorf("%s: %s", name, difference)
		}
		if len(back.Problems) > 0 {
			t.Errorf("%s: %+v", name, back.Problems)
		}
		for _, term := range back.Terms() {
			if !term.Node.Valid() {
				t.Errorf("%s: %s does not know where it was read", name, term.Path)
			}
		}
	}
	if n := len(i.Terms()); n < 120 {
		t.Errorf("only %d terms", n)
	}
}

func TestWhatIsLeftBehindIsNamed(t *testing.T) {
	t.Parallel()
	for _, syntax := range []Syntax{UBL, CII} {
		d := parse(t, small(syntax))
		i, err := Read(d)
		if err != nil {
			t.Fatal(err)
		}
		if left := i.Left(d); len(left) > 0 {
			t.Errorf("%s: %v", syntax, left)
		}
	}
	d := parse(t, []byte(strings.Replace(string(small(UBL)), "<cbc:Name>Lamp</cbc:Name>", "<cbc:Name>Lamp</cbc:Name><cbc:BrandName>Ours</cbc:BrandName>", 1)))
	i, err := Read(d)
	if err != nil {
		t.Fatal(err)
	}
	if left := fmt.Sprint(i.Left(d)); left != "[Item/BrandName]" {
		t.Error(left)
	}
}

func TestACreditNoteMovesItsDueDate(t *testing.T) {
	t.Parallel()
	i := invented()
	i.TypeCode = Txt("381")
	src := string(i.UBL())
	if !strings.Contains(src, "<CreditNote ") || !strings.Contains(src, "<cbc:PaymentDueDate>2026-05-17<") || strings.Count(src, "PaymentDueDate>") != 2 {
		t.Error(src)
	}
	if same, difference := i.Equal(read(t, []byte(src))); !same {
		t.Error(difference)
	}
}

func TestRecompute(t *testing.T) {
	t.Parallel()
	i := invented()
	want := map[string]string{"BT-106": "200.01", "BT-107": "10.00", "BT-108": "4.50", "BT-109": "194.51", "BT-110": "22.92", "BT-112": "217.43", "BT-115": "217.43"}
	for _, term := range i.Terms() {
		if w, ok := want[term.ID]; ok && decimal.Read(w).Normal().String() != term.Value {
			t.Errorf("%s = %s, want %s", term.ID, term.Value, w)
		}
	}
	if again, err := i.Recompute(); err != nil || len(again) > 0 {
		t.Errorf("%v %v", again, err)
	}
	i.Lines[1].Net = Number{}
	if _, err := i.Recompute(); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Error(err)
	}
}

func TestApplyChangesNothingElse(t *testing.T) {
	t.Parallel()
	for _, syntax := range []Syntax{UBL, CII} {
		src := string(small(syntax))
		wrong := strings.ReplaceAll(src, ">217.43<", ">201.99<")
		d := parse(t, []byte(wrong))
		i, err := Read(d)
		if err != nil {
			t.Fatal(err)
		}
		c, err := i.Recompute()
		if err != nil {
			t.Fatal(err)
		}
		got, left := Apply(d, c)
		if string(got) != src || len(left) > 0 {
			t.Errorf("%s: %v, left %v\n%s", syntax, c, left, got)
		}
		if !strings.Contains(fmt.Sprint(c), "BT-112: 201.99 becomes 217.43 (BT-109 + BT-110)") {
			t.Errorf("%s: %v", syntax, c)
		}
	}
}

func TestAnAmountWithoutPlaceIsLeft(t *testing.T) {
	t.Parallel()
	d := parse(t, []byte(strings.ReplaceAll(string(small(UBL)), ">22.92<", "><!-- ? --><")))
	i, err := Read(d)
	if err != nil {
		t.Fatal(err)
	}
	c, err := i.Recompute()
	if err != nil {
		t.Fatal(err)
	}
	if got, left := Apply(d, c); len(left) != 2 || len(c) != 2 || string(got) != string(d.Source()) {
		t.Errorf("%v, left %v", c, left)
	}
}

func BenchmarkConvert(b *testing.B) {
	for _, c := range []struct {
		name  string
		from  Syntax
		write func(*Invoice) []byte
	}{{"UBL-CII", UBL, (*Invoice).CII}, {"CII-UBL", CII, (*Invoice).UBL}} {
		src := small(c.from)
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(src)))
			b.ReportAllocs()
			for b.Loop() {
				if out := c.write(read(b, append([]byte(nil), src...))); len(out) < 1000 {
					b.Fatal("short")
				}
			}
		})
	}
}
