package page_test

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/pdf/page"
)

var noon = time.Date(2026, 4, 17, 12, 0, 0, 0, time.UTC)

const words = "A document that crosses a border is read by people who do not share a language, and by machines that share nothing else. "

func drawn(t testing.TB) []byte {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, 60, 40))
	for x := range 60 {
		for y := range 40 {
			m.Set(x, y, color.RGBA{uint8(4 * x), 90, uint8(6 * y), 255})
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func sample(t testing.TB, rows int) *page.Document {
	d := page.New(page.Options{Title: "Aruanne: Λογαριασμός, отчёт", Language: "en", Author: "Office <of> tests", Subject: "All blocks", Creator: "test", Created: noon, Footer: "Viadukt · " + strings.Repeat("long foot ", 3)})
	d.Add(
		page.Heading{Level: 1, Text: "Aruanne: Λογαριασμός, отчёт"},
		page.Paragraph{Text: []page.Text{{Value: words}, {Value: "Important words are bold", Bold: true}, {Value: ", others lead "}, {Value: "to a place elsewhere", Link: "https://example.org/ä?q=(1)"},
			{Value: ". " + words + words}, {Value: "Unknown: 日本 \U0001F600 שלום.", Color: page.Red}}},
		page.Columns{Blocks: [][]page.Block{
			{page.KeyValues{Title: "Seller", Rows: []page.KeyValue{{Key: "Name", Value: page.Plain("Pärnu sadam")}, {Key: "Address", Value: page.Plain("Suur-Sepa 10\n80010 Pärnu, Estonia")}, {Key: "Electronic address", Value: page.Plain("0191:10000001")}}}},
			{page.KeyValues{Title: "Buyer", Rows: []page.KeyValue{{Key: "Name", Value: page.Plain("Ville d’Évry")}, {Key: "Reference", Value: page.Plain("https://example.org/" + strings.Repeat("very/long/path/", 5))}}}},
		}},
		page.Box{Bar: page.Green, Blocks: []page.Block{page.Paragraph{Text: page.Bold("The document is valid")}, page.Paragraph{Text: page.Plain(words)}}},
		page.Heading{Level: 2, Text: "What was done"},
		page.List{Items: [][]page.Text{page.Plain("First thing."), page.Plain(words + words)}, Ordered: true},
		page.List{Items: [][]page.Text{page.Plain("Unordered thing.")}},
		page.Picture{Data: drawn(t), Alt: "Colours", Width: 90},
		page.Rule{},
	)
	table := page.Table{Caption: "Lines", RowHeads: true, Columns: []page.Column{{Title: "No."}, {Title: "Item"}, {Title: "Quantity", Align: page.Right}, {Title: "Price", Align: page.Right}, {Title: "VAT"}, {Title: "Net amount", Align: page.Right}}}
	for r := range rows {
		item := page.Cell{{Value: "Lamp"}, {Value: "\nwith shade, and a description that is long enough for two lines", Small: true}}
		if r%7 == 3 {
			item = page.Cell{{Value: "Rope"}}
		}
		table.Rows = append(table.Rows, []page.Cell{page.Plain(string(rune('A' + r%26))), item, page.Plain("1,250\u00a0pcs"), page.Plain("1.50\u00a0EUR"), page.Plain("24\u00a0% standard rate (S)"), page.Plain("1\u202f875,00\u00a0EUR")})
	}
	d.Add(table, page.Columns{Blocks: [][]page.Block{nil, {page.KeyValues{Title: "Totals", Align: page.Right, Share: 0.5, Rows: []page.KeyValue{{Key: "Sum", Value: page.Plain("10.00 EUR")}, {Key: "Amount due", Value: page.Plain("12.40 EUR"), Strong: true}}}}}})
	d.Attach(page.Attachment{Name: "data.xml", Description: "The data", MimeType: "text/xml", Relationship: "Alternative", Modified: noon, Content: []byte("<a/>")})
	return d
}

func TestX(t *testing.T) {
	b, err := sample(t, 60).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	os.WriteFile("/tmp/pp/s.pdf", b, 0o644)
}
