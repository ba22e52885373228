package pdf_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/viadukt-eu/viadukt/internal/pdftest"
	"github.com/viadukt-eu/viadukt/pdf"
)

func marked(t testing.TB, content string) *pdf.Document {
	t.Helper()
	ref := func(n int) pdf.Ref { return pdf.Ref{Number: n} }
	b := pdftest.File(t, false,
		pdf.Dict{"Type": pdf.Name("Catalog"), "Pages": ref(2)},
		pdf.Dict{"Type": pdf.Name("Pages"), "Kids": pdf.Array{ref(3)}, "Count": 1, "MediaBox": pdf.Array{0, 0, 595, 842}},
		pdf.Dict{"Type": pdf.Name("Page"), "Parent": ref(2), "Contents": pdf.Array{ref(4)}, "Resources": pdf.Dict{"XObject": pdf.Dict{"F": ref(5), "I": ref(6)}}},
		pdf.Compress(nil, []byte(content)),
		pdf.Compress(pdf.Dict{"Subtype": pdf.Name("Form"), "Matrix": pdf.Array{2, 0, 0, 2, 0, 0}}, []byte("1 1 2 2 re f /F Do")),
		pdf.Compress(pdf.Dict{"Subtype": pdf.Name("Image")}, nil),
	)
	d, err := pdf.Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestMarks(t *testing.T) {
	t.Parallel()
	for content, want := range map[string][]pdf.Mark{
		"10 20 30 40 re f":                               {{Kind: pdf.FillMark, Box: [4]float64{10, 20, 40, 60}}},
		"10 20 m 30 5 l S 1 1 m n":                       {{Kind: pdf.StrokeMark, Box: [4]float64{10, 5, 30, 20}}},
		"q 2 0 0 2 10 10 cm 0 0 1 1 re f Q 0 0 1 1 re B": {{Kind: pdf.FillMark, Box: [4]float64{10, 10, 12, 12}}, {Kind: pdf.FillMark, Box: [4]float64{0, 0, 1, 1}}},
		"0 100 -100 0 300 300 cm /I Do":                  {{Kind: pdf.ImageMark, Box: [4]float64{200, 300, 300, 400}}},
		"BT /F1 10 Tf 100 200 Td (ab) Tj (  ) Tj ET":     {{Kind: pdf.TextMark, Box: [4]float64{100, 198, 110, 208}}},
		"BT /F1 10 Tf 1 0 0 1 5 5 Tm [(a) -1000 <62>] TJ 12 TL T* (c) Tj ET": {
			{Kind: pdf.TextMark, Box: [4]float64{5, 3, 10, 13}}, {Kind: pdf.TextMark, Box: [4]float64{20, 3, 25, 13}}, {Kind: pdf.TextMark, Box: [4]float64{5, -9, 10, 1}}},
		"BI /W 1 /H 1 ID \x00EIx EI 1 0 0 1 re f": {{Kind: pdf.ImageMark, Box: [4]float64{0, 0, 1, 1}}, {Kind: pdf.FillMark, Box: [4]float64{1, 0, 1, 1}}},
		"}} ] ) Q Q Tj TJ Do cm 1 1 1 1 re f*":    {{Kind: pdf.FillMark, Box: [4]float64{1, 1, 2, 2}}},
		"":                                        nil,
	} {
		d := marked(t, content)
		pages, err := d.Pages()
		if err != nil {
			t.Fatal(err)
		}
		got, err := d.Marks(pages[0])
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v, %v", content, got, want, err)
		}
	}
	// A form that paints itself comes to an end.
	d := marked(t, "/F Do")
	pages, err := d.Pages()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := d.Marks(pages[0]); err == nil || len(got) == 0 || got[0].Box != [4]float64{2, 2, 6, 6} {
		t.Errorf("%v, %v", got, err)
	}
}

func FuzzMarks(f *testing.F) {
	for _, s := range []string{"q 1 0 0 1 0 0 cm BT /F 9 Tf (a) Tj ET Q", "BI ID EI", "[1 2", "<< /A", "(((", "/F Do /I Do", "1 0 0 R", "% x\n0 0 1 1 re b*"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		d := marked(t, string(b))
		pages, err := d.Pages()
		if err != nil {
			t.Fatal(err)
		}
		d.Marks(pages[0])
	})
}
